// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Pieces of a page table, put together.
 */
#include "diff-cursor.h"

bool diff_cursor_init(struct diff_cursor *cursor, const struct iommuser_pt_table *table,
		      u64 *tables_left)
{
	cursor->failed = false;
	cursor->has_next = false;
	return table_cursor_init(&cursor->table, table, tables_left);
}

void diff_cursor_free(struct diff_cursor *cursor)
{
	table_cursor_free(&cursor->table);
}

bool diff_segment_continues(const struct diff_segment *segment, const struct diff_segment *next)
{
	u64 length = segment->last - segment->first + 1;

	return segment->kind == next->kind && segment->permissions == next->permissions &&
	       segment->last + 1 == next->first && next->first &&
	       segment->phys + (segment->kind == TABLE_MAPPED ? length : 0) == next->phys;
}

static bool next_piece(struct diff_cursor *cursor, struct diff_segment *segment)
{
	struct table_piece piece;
	int ret = cursor->failed ? 0 : table_cursor_next(&cursor->table, &piece);

	cursor->failed |= ret < 0;
	if (ret <= 0)
		return false;
	*segment = (struct diff_segment){
		.kind = piece.kind,
		.first = piece.iova,
		.last = piece.iova + (piece.length - 1),
		.phys = piece.kind == TABLE_MAPPED ? piece.phys : piece.entry,
		.permissions = piece.permissions,
	};
	return true;
}

bool diff_cursor_next(struct diff_cursor *cursor, struct diff_segment *segment)
{
	if (cursor->has_next)
		*segment = cursor->next;
	else if (!next_piece(cursor, segment))
		return false;
	while ((cursor->has_next = next_piece(cursor, &cursor->next)) &&
	       diff_segment_continues(segment, &cursor->next))
		segment->last = cursor->next.last;
	return true;
}
