/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A page table as a stream of pieces that its reader pulls, so that several
 * tables can be read in step. Memory grows with the number of table pages, not
 * with that of the pieces.
 */
#ifndef TABLE_CURSOR_H
#define TABLE_CURSOR_H

#include <iommuser/pagetable.h>

#include "address-set.h"

#define TABLE_CURSOR_ENTRIES 512

/** enum table_piece_kind - what is known of a range of IOVAs */
enum table_piece_kind {
	TABLE_MAPPED,
	TABLE_INVALID,	/* no hardware would follow the entry */
	TABLE_MISSING,	/* the image lacks the table */
	TABLE_REPEATED, /* the table was met before, or too many were: it is not followed */
};

/**
 * struct table_piece - a range of IOVAs; what lies between two is not mapped
 * @kind: what is known of it
 * @iova: first byte; first-stage addresses of the upper half are sign-extended
 * @length: bytes
 * @phys: memory of the first byte; of an invalid entry where it is, else the table
 * @entry: of an invalid one its value, or the address of an impossible top table
 * @page_size: bytes that a leaf of it maps
 * @permissions: IOMMUSER_PT_*, of all levels together
 */
struct table_piece {
	enum table_piece_kind kind;
	u64 iova;
	u64 length;
	u64 phys;
	u64 entry;
	u64 page_size;
	u32 permissions;
};

/** struct table_cursor - where a stream stands; all but @nr_tables is private */
struct table_cursor {
	struct iommuser_pt_table table;
	u64 nr_tables; /* table pages entered so far */
	u64 at;	       /* next address, as if they were not sign-extended */
	u64 *tables_left;
	struct address_set met;		     /* tables, with bit 0 so that none is 0 */
	struct iommuser_pt_translation path; /* how the last address was translated */
	bool at_leaf;			     /* it has a leaf, and its table is in @entries */
	u64 entries[TABLE_CURSOR_ENTRIES];
};

/**
 * table_cursor_init - start with a page table
 * @table: as requester_find() or mapping_domain() fill it; copied
 * @tables_left: table pages that may be read, counted down; several streams may
 *	share it
 *
 * Return: false when there can't be such a table. table_cursor_free() it in any case.
 */
bool table_cursor_init(struct table_cursor *cursor, const struct iommuser_pt_table *table,
		       u64 *tables_left);
void table_cursor_free(struct table_cursor *cursor);

/**
 * table_cursor_next - the next piece, by ascending IOVA
 *
 * Pieces may go on where the last one ended: one is a run of leaves of one table
 * for consecutive memory, or a single entry that leads nowhere. A table is
 * followed only where it is met first, which bounds the stream by the table
 * pages of the image.
 *
 * Return: 1; 0 at the end; -IOMMUSER_ENOMEM.
 */
int table_cursor_next(struct table_cursor *cursor, struct table_piece *piece);

#endif /* TABLE_CURSOR_H */
