/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A page table as a stream of ranges as long as they can be, whatever entries
 * they are made of.
 */
#ifndef DIFF_CURSOR_H
#define DIFF_CURSOR_H

#include "table-cursor.h"

/**
 * struct diff_segment - a range of IOVAs; what lies between two is not mapped
 * @kind: as of struct table_piece
 * @first: first byte; first-stage addresses of the upper half are sign-extended
 * @last: last byte
 * @phys: memory of @first; of an invalid one the entry; else 0
 * @permissions: IOMMUSER_PT_*
 */
struct diff_segment {
	enum table_piece_kind kind;
	u64 first;
	u64 last;
	u64 phys;
	u32 permissions;
};

/**
 * struct diff_cursor - where a stream stands; private
 */
struct diff_cursor {
	struct table_cursor table;
	bool failed;
	bool has_next;
	struct diff_segment next;
};

/**
 * diff_cursor_init - start with a page table
 * @table: as for table_cursor_init()
 * @tables_left: as there
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
