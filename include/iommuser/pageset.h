/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sets of 4 KiB pages of physical memory: which are preserved, which were
 * visited as tables, which are mapped for DMA. The three sets ("planes")
 * share one shape, and every look-up takes constant time.
 */
#ifndef IOMMUSER_PAGESET_H
#define IOMMUSER_PAGESET_H

#include <iommuser/types.h>

/* A chunk is the unit of the shape: 32768 pages of 4 KiB, 128 MiB. */
#define IOMMUSER_CHUNK_SHIFT 27
#define IOMMUSER_CHUNK_WORDS 512

/**
 * enum iommuser_plane - the sets that share a shape
 * @IOMMUSER_PRESERVED: pages that KHO preserves
 * @IOMMUSER_VISITED: pages that were read as records or tables
 * @IOMMUSER_MAPPED: pages that are payload: mapped for DMA or in a memfd
 */
enum iommuser_plane {
	IOMMUSER_PRESERVED,
	IOMMUSER_VISITED,
	IOMMUSER_MAPPED,
	IOMMUSER_NR_PLANES,
};

/* A plane as a bit of a mask. */
#define IOMMUSER_IN(plane) (1U << (plane))

/* One entry of the directory; private. */
struct iommuser_chunk {
	u64 key; /* chunk number + 1; 0 is a free entry */
	u64 slot;
};

/**
 * struct iommuser_pageset - the sets; every member is private
 * @directory: hash table from chunk number to slot
 * @mask: entries of @directory, minus one
 * @seed: keeps whoever wrote an image from choosing chunks that collide
 * @chunks: chunk number of each slot
 * @planes: bitmaps, max_chunks * IOMMUSER_CHUNK_WORDS words each, or NULL
 * @nr_chunks: slots in use
 * @max_chunks: slots there are
 * @last_key: key of the chunk looked up last
 * @last_slot: its slot
 */
struct iommuser_pageset {
	struct iommuser_chunk *directory;
	u64 mask;
	u64 seed;
	u64 *chunks;
	u64 *planes[IOMMUSER_NR_PLANES];
	u64 nr_chunks;
	u64 max_chunks;
	u64 last_key;
	u64 last_slot;
};

/**
 * iommuser_pageset_size - bytes of memory that a set needs
 * @max_chunks: chunks of 128 MiB that will hold pages, at most 2^25
 * @nr_planes: 1 for IOMMUSER_PRESERVED alone, up to IOMMUSER_NR_PLANES
 *
 * Return: the size for iommuser_pageset_init(), 0 when an argument is out of
 * range. Untouched bitmap pages are never written, so zeroed memory that is
 * populated on demand costs only what is used.
 */
u64 iommuser_pageset_size(u64 max_chunks, u32 nr_planes);

/**
 * iommuser_pageset_init - make empty sets in the caller's memory
 * @set: to initialise
 * @memory: zeroed, aligned to 8 bytes, owned by the caller for the set's life
 * @size: bytes at @memory
 * @max_chunks: as for iommuser_pageset_size()
 * @nr_planes: as for iommuser_pageset_size()
 *
 * Return: 0; -IOMMUSER_EINVAL or, when @size is too small, -IOMMUSER_ENOSPC.
 */
int iommuser_pageset_init(struct iommuser_pageset *set, void *memory, u64 size, u64 max_chunks,
			  u32 nr_planes);

/**
 * iommuser_pageset_add - put a range of pages into a set
 * @set: initialised
 * @plane: which set
 * @phys: start, rounded down to 4 KiB
 * @length: bytes, the end rounded up to 4 KiB; the end is at most 2^52
 *
 * Return: 0; -IOMMUSER_EINVAL for a range or plane that is not possible;
 * -IOMMUSER_ENOSPC when a chunk is needed and none is left (pages before that
 * chunk are in the set).
 */
int iommuser_pageset_add(struct iommuser_pageset *set, enum iommuser_plane plane, u64 phys,
			 u64 length);

/**
 * iommuser_pageset_contains - is every page of a range in the set?
 * @set: initialised
 * @plane: which set
 * @phys: start
 * @length: bytes; 0 gives true
 * @first_missing: when not NULL and the answer is false, address of the first
 *	page that is not in the set
 */
bool iommuser_pageset_contains(struct iommuser_pageset *set, enum iommuser_plane plane, u64 phys,
			       u64 length, u64 *first_missing);

/**
 * iommuser_pageset_visit - put one page into a set, and tell if it was there
 * @set: initialised
 * @plane: which set
 * @phys: any address in the page
 *
 * Return: 1 if the page was in the set already, 0 if not; errors as for
 * iommuser_pageset_add().
 */
int iommuser_pageset_visit(struct iommuser_pageset *set, enum iommuser_plane plane, u64 phys);

/**
 * iommuser_pageset_next - iterate over runs of pages
 * @set: initialised
 * @in: the planes that a page must be in, as a mask of IOMMUSER_IN()
 * @cursor: 0 to start with; moved past the run found
 * @exclude: the planes that it must not be in, as a mask of IOMMUSER_IN()
 * @phys: address of the run
 * @length: its bytes; a run ends at a chunk's end at the latest
 *
 * Runs come chunk by chunk, in the order in which chunks were added.
 *
 * Return: true and a run, or false at the end.
 */
bool iommuser_pageset_next(const struct iommuser_pageset *set, u32 in, u64 *cursor, u32 exclude,
			   u64 *phys, u64 *length);

#endif /* IOMMUSER_PAGESET_H */
