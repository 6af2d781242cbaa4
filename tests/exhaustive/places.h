/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which field each bit of the metadata of a handover belongs to, and what was
 * found of the changes in each.
 */
#ifndef EXHAUSTIVE_PLACES_H
#define EXHAUSTIVE_PLACES_H

#include "handover.h"

#define MAX_ROWS 512

/** struct tally - of the changes in one field
 * @tried: how many
 * @records: found by seal, chain and record checks
 * @everything: found by full verification
 */
struct tally {
	u64 tried;
	u64 records;
	u64 everything;
};

/** struct row - one field of one kind of object
 * @object: such as "device" or "context entry"
 * @field: such as "bdf"
 * @bits: flips of single bits
 * @words: replacements of words that change a bit of it
 */
struct row {
	char object[48];
	char field[32];
	struct tally bits;
	struct tally words;
};

/** enum page_kind - what is in a page of the image */
enum page_kind {
	PAGE_OTHER,
	PAGE_ROOT,
	PAGE_CHAIN,
	PAGE_TABLE,
};

/**
 * struct places - of one handover
 * @kinds: by page number
 * @rows: by page number, for each bit the row + 1, or 0; NULL where
 *	there is no metadata
 * @own: by page number, for each word the address of what it is in
 * @records: addresses of all records, by kind
 * @nr_records: how many
 * @tables: addresses of all hardware tables
 * @nr_tables: how many
 */
struct places {
	const struct handover *handover;
	enum page_kind kinds[MAX_PAGES];
	u16 *rows[MAX_PAGES];
	u64 *own[MAX_PAGES];
	u64 records[4096];
	u64 nr_records;
	u64 tables[1024];
	u64 nr_tables;
};

/* All rows of all handovers of a run, in the order in which they were met. */
extern struct row rows[MAX_ROWS];
extern u32 nr_rows;

/* Of a handover that was read to its end and is sound. */
struct places *places_find(struct handover *handover);
void places_free(struct places *places);

/*
 * Used by the two halves of this. Bits from @first on, counted from @phys, are
 * @field of @object, those that have a row already aside.
 */
void places_label(struct places *places, u64 phys, u64 first, u64 count, const char *object,
		  const char *field);
void places_page(struct places *places, u64 phys, enum page_kind kind);
void places_own(struct places *places, u64 phys, u64 length);
/* The hardware tables. */
void places_find_tables(struct places *places, const struct handover *handover);

#endif /* EXHAUSTIVE_PLACES_H */
