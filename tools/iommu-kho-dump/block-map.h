/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The preserved blocks while the memory map is read: which pages of 4 KiB
 * they cover and where each block begins. It grows as blocks are added, finds
 * overlaps, and then fills a struct iommuser_pageset of exactly that size.
 */
#ifndef BLOCK_MAP_H
#define BLOCK_MAP_H

#include <iommuser/pageset.h>
#include <iommuser/types.h>

/* One chunk of IOMMUSER_CHUNK_SHIFT; private. */
struct block_chunk {
	u64 key; /* chunk number + 1; 0 is a free entry */
	u64 *pages;
	u64 *heads;
};

/** struct block_map - a zeroed one is empty; @max_chunks limits it */
struct block_map {
	struct block_chunk *chunks;
	u64 mask;
	u64 nr_chunks;
	u64 max_chunks;
	u64 nr_pages;
};

void block_map_init(struct block_map *map, u64 max_chunks);
void block_map_free(struct block_map *map);

/**
 * block_map_add - add @nr blocks of @size bytes, one after the other from @phys
 * @phys: aligned to 4 KiB; the last block ends at or below 2^52
 * @size: a power of two, at least 4 KiB
 * @overlap: the first page that was in the map already, when the result is 1
 *
 * Return: 0; 1 when some of it was in the map already (all of it is now);
 * -IOMMUSER_ENOSPC at the limit; -IOMMUSER_ENOMEM.
 */
int block_map_add(struct block_map *map, u64 phys, u64 size, u64 nr, u64 *overlap);

/**
 * block_map_length - how far a block that begins at @phys can reach
 *
 * Return: bytes to the next block's start, at most 1 GiB, whether the pages
 * between are in the map or not; 0 when no block begins at @phys.
 */
u64 block_map_length(const struct block_map *map, u64 phys);

/**
 * block_map_move - put all pages into a set, in ascending order
 *
 * The pages are gone from the map then; where blocks begin stays.
 *
 * Return: 0, -IOMMUSER_ENOMEM, or what iommuser_pageset_add() returns.
 */
int block_map_move(struct block_map *map, struct iommuser_pageset *set);

#endif /* BLOCK_MAP_H */
