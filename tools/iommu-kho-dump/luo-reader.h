/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the readers of LUO's containers share: reading with findings, the
 * check of every address, sequences of records, vmalloc areas.
 */
#ifndef LUO_READER_H
#define LUO_READER_H

#include <kho/abi/vmalloc.h>

#include "address-set.h"
#include "luo.h"

/**
 * struct luo_reader - the state of one luo_open()
 * @source: the image
 * @page_shift: of the source
 * @pages: what is preserved, or NULL
 * @report: where findings go, or NULL
 * @seen: pages of lists that were followed
 * @max_records: sessions and files that may still be kept
 * @max_bytes: bytes of folio arrays that may still be read
 * @max_extents: extents that may still be kept
 * @keep_extents: they are to be kept
 */
struct luo_reader {
	struct source *source;
	u32 page_shift;
	struct kho_pages *pages;
	struct report *report;
	struct address_set seen;
	u64 max_records;
	u64 max_bytes;
	u64 max_extents;
	bool keep_extents;
};

/**
 * struct luo_root - what every revision's blob says
 * @compatible: as in struct luo_state
 */
struct luo_root {
	enum luo_revision revision;
	char compatible[64];
	u64 liveupdate_num;
	u64 sessions_phys;
	u64 flbs_phys;
};

/** luo_page_size - of the image */
static inline u64 luo_page_size(const struct luo_reader *reader)
{
	return 1ULL << reader->page_shift;
}

/** luo_note - a finding, unless nobody wants any */
static inline void luo_note(const struct luo_reader *reader, enum iommuser_finding_id id, u64 phys,
			    u64 found, u64 expected)
{
	kho_note(reader->report, id, phys, found, expected);
}

/** luo_address_possible - not 0, aligned, and the whole range below 2^52 */
bool luo_address_possible(u64 phys, u64 length, u64 align);

/** luo_claim - check that metadata is preserved and put it into the visited plane */
void luo_claim(struct luo_reader *reader, u64 phys, u64 length);

/** luo_read - copy bytes of metadata; false, with a finding, when the image lacks them */
bool luo_read(struct luo_reader *reader, u64 phys, void *buffer, size_t length);

/** luo_read_root - the blob; results as luo_open() */
int luo_read_root(struct luo_reader *reader, u64 phys, u64 size, struct luo_root *root);

/**
 * struct luo_sequence - records in one flat array or in KHO blocks
 * @slot: where @phys was found
 * @phys: the first record, or the first block
 * @in_blocks: which
 * @record_size: bytes of a record
 * @count: of a flat array: how many
 * @capacity: of a flat array: how many there can be
 * @nr_found: set to the records that were there
 * @complete: set when all of them were
 */
struct luo_sequence {
	u64 slot;
	u64 phys;
	bool in_blocks;
	u32 record_size;
	u64 count;
	u64 capacity;
	u64 nr_found;
	bool complete;
};

/**
 * luo_read_sequence - call back for each record
 * @each: a negative result ends it
 *
 * Return: 0, or what @each returned, or -IOMMUSER_ENOMEM.
 */
int luo_read_sequence(struct luo_reader *reader, struct luo_sequence *sequence,
		      int (*each)(void *ctx, u64 phys, const void *record), void *ctx);

/**
 * luo_read_vmalloc - call back for each piece of a vmalloc area, in order
 * @area: the descriptor
 * @phys: where the descriptor is
 * @piece: called with contiguous memory; a negative result ends it
 * @complete: set when all pieces were handed on
 *
 * Return: 0, or what @piece returned, or -IOMMUSER_ENOMEM.
 */
int luo_read_vmalloc(struct luo_reader *reader, const struct kho_vmalloc_ser *area, u64 phys,
		     int (*piece)(void *ctx, u64 phys, u64 length), void *ctx, bool *complete);

/** luo_vmalloc_valid - is the descriptor possible? A finding when it isn't */
bool luo_vmalloc_valid(const struct luo_reader *reader, const struct kho_vmalloc_ser *area,
		       u64 phys);

/** luo_read_memfd - read a memfd's struct and folios into @file->memfd; 0 or -IOMMUSER_ENOMEM */
int luo_read_memfd(struct luo_reader *reader, struct luo_file *file, u32 version);
void luo_free_memfd(struct memfd *memfd);

/** luo_check_duplicates - names of sessions and FLBs, tokens, data; unknown handlers; 0 or -IOMMUSER_ENOMEM */
int luo_check_duplicates(struct luo_reader *reader, struct luo_state *luo);

#endif /* LUO_READER_H */
