/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A page table as a stream of ranges that its reader pulls, so that two tables
 * can be read in step. Memory grows with the number of table pages, not with
 * that of the ranges.
 */
#ifndef DIFF_CURSOR_H
#define DIFF_CURSOR_H

#include <iommuser/pagetable.h>

#include "address-set.h"

/** enum diff_segment_kind - what is known of a range of IOVAs */
enum diff_segment_kind {
	DIFF_SEGMENT_MAPPED,
	DIFF_SEGMENT_INVALID,  /* no hardware would follow the entry */
	DIFF_SEGMENT_MISSING,  /* the image lacks the table */
	DIFF_SEGMENT_REPEATED, /* the table was met before: tables in a loop, or shared */
};

/**
 * struct diff_segment - a range of IOVAs; what lies between two is not mapped
 * @first: first byte; first-stage addresses of the upper half are sign-extended
 * @last: last byte
 * @phys: of @first; of an invalid one the entry
 * @permissions: IOMMUSER_PT_*
 */
struct diff_segment {
	enum diff_segment_kind kind;
	u64 first;
	u64 last;
	u64 phys;
	u32 permissions;
};

/**
 * struct diff_cursor - where a stream stands; private
 */
struct diff_cursor {
	struct iommuser_pt_table table;
	u64 at; /* as if addresses were not sign-extended */
	u64 size;
	u64 tables[IOMMUSER_PT_MAX_LEVELS];  /* entered last, by level */
	u64 regions[IOMMUSER_PT_MAX_LEVELS]; /* what those are for */
	struct iommuser_pt_step leaf;	     /* the last 4 KiB entry that was translated */
	u64 leaf_region;		     /* of its table */
	u32 leaf_permissions;
	bool has_leaf;
	struct address_set met;
	u64 *tables_left;
	bool failed;
	bool has_next;
	struct diff_segment next;
};

/**
 * diff_cursor_init - start with a page table
 * @table: copied
 * @tables_left: table pages that may be read, counted down; several streams may
 *	share it
 *
 * Return: false when there can't be such a table. diff_cursor_free() it in any case.
 */
bool diff_cursor_init(struct diff_cursor *cursor, const struct iommuser_pt_table *table,
		      u64 *tables_left);
void diff_cursor_free(struct diff_cursor *cursor);

/**
 * diff_cursor_next - the next range, by ascending IOVA
 *
 * Return: false at the end, and when memory ran out (@failed). Of two that follow one another the kind, the
 * memory or the permissions do not go on.
 */
bool diff_cursor_next(struct diff_cursor *cursor, struct diff_segment *segment);

/** diff_segment_continues - does @next go on where @segment ends? */
bool diff_segment_continues(const struct diff_segment *segment, const struct diff_segment *next);

struct diff_result;
struct json_object;

/**
 * diff_walk - add what differs between two page tables, as mappings
 * @result: added to
 * @object: whose they are, for people
 * @also: array of who else has them, or NULL
 * @before: of A, at its start
 * @after: of B, at its start
 */
void diff_walk(struct diff_result *result, const char *object, struct json_object *also,
	       struct diff_cursor *before, struct diff_cursor *after);

#endif /* DIFF_CURSOR_H */
