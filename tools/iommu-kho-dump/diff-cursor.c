// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Page tables, pulled range by range. What an entry means is the library's to
 * say; here is only known that entries of a table which differ in their address
 * alone differ in nothing else.
 */
#include "diff-cursor.h"

#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/iommuser.h>

#include "little-endian.h"

#define ENTRIES 512
#define ENTRY_SIZE 8
#define TABLE_SIZE 4096
#define TABLE_SHIFT 12
#define INDEX_BITS 9
#define ADDRESS_MASK 0x000ffffffffff000ULL
/* Tells table 0 from none. */
#define TAKEN 1

bool diff_cursor_init(struct diff_cursor *cursor, const struct iommuser_pt_table *table,
		      u64 *tables_left)
{
	struct iommuser_pt_translation translation;

	memset(cursor, 0, sizeof(*cursor));
	if (iommuser_pt_translate(table, 0, &translation) == -IOMMUSER_EINVAL)
		return false;
	cursor->table = *table;
	cursor->size = 1ULL << (TABLE_SHIFT + INDEX_BITS * (table->top_level + 1));
	cursor->tables_left = tables_left;
	address_set_init(&cursor->met, *tables_left);
	return true;
}

void diff_cursor_free(struct diff_cursor *cursor)
{
	address_set_free(&cursor->met);
}

static u64 level_size(u32 level)
{
	return 1ULL << (TABLE_SHIFT + INDEX_BITS * level);
}

static u64 sign_extend(const struct diff_cursor *cursor, u64 at)
{
	if (cursor->table.stage == IOMMUSER_STAGE_FIRST && at >= cursor->size / 2)
		return at - cursor->size;
	return at;
}

/*
 * Take the tables of a translation that were not entered just before.
 * Return: the step whose table was met before already, or nr_steps.
 */
static u32 take_tables(struct diff_cursor *cursor,
		       const struct iommuser_pt_translation *translation)
{
	const struct iommuser_pt_step *step;
	int result;
	u32 i;

	for (i = 0; i < translation->nr_steps; i++) {
		step = &translation->steps[i];
		if (cursor->tables[step->level] == (step->table | TAKEN) &&
		    cursor->regions[step->level] == cursor->at / level_size(step->level + 1))
			continue;
		if (!*cursor->tables_left)
			return i;
		result = address_set_add(&cursor->met, step->table | TAKEN);
		if (result == -IOMMUSER_ENOMEM)
			cursor->failed = true;
		if (result)
			return i;
		--*cursor->tables_left;
		memset(cursor->tables, 0, step->level * sizeof(cursor->tables[0]));
		cursor->tables[step->level] = step->table | TAKEN;
		cursor->regions[step->level] = cursor->at / level_size(step->level + 1);
	}
	return i;
}

/*
 * How many entries are like the one of the last step? @stride is what each
 * adds: the size of a leaf, or 0 for entries that are not there.
 */
static u64 count_alike(const struct diff_cursor *cursor, const struct iommuser_pt_step *step,
		       u64 stride)
{
	const struct iommuser_env *env = cursor->table.env;
	const u8 *bytes = env->map(env->ctx, step->table, TABLE_SIZE);
	u64 room = stride ? (ADDRESS_MASK - (step->entry & ADDRESS_MASK)) / stride : ENTRIES;
	u64 entry = step->entry;
	u32 i;

	for (i = step->index + 1; bytes && i < ENTRIES && i - step->index <= room; i++) {
		entry += stride;
		if (get64(bytes + (size_t)i * ENTRY_SIZE) != entry)
			break;
	}
	return i - step->index;
}

static void set_segment(struct diff_cursor *cursor, struct diff_segment *segment,
			enum diff_segment_kind kind, u64 length)
{
	segment->kind = kind;
	segment->first = sign_extend(cursor, cursor->at);
	/* A first-stage table has two halves. */
	if (length > cursor->size - cursor->at)
		length = cursor->size - cursor->at;
	if (cursor->table.stage == IOMMUSER_STAGE_FIRST && cursor->at < cursor->size / 2 &&
	    length > cursor->size / 2 - cursor->at)
		length = cursor->size / 2 - cursor->at;
	segment->last = segment->first + (length - 1);
	cursor->at += length;
}

/* The next entry of a table of 4 KiB entries, when it is like the last one but for its address. */
static bool read_alike(struct diff_cursor *cursor, struct diff_segment *segment)
{
	const struct iommuser_env *env = cursor->table.env;
	struct iommuser_pt_step step = cursor->leaf;
	const u8 *bytes;

	if (!cursor->has_leaf || cursor->at / level_size(1) != cursor->leaf_region)
		return false;
	bytes = env->map(env->ctx, step.table, TABLE_SIZE);
	step.index = (u32)(cursor->at / TABLE_SIZE % ENTRIES);
	step.entry = bytes ? get64(bytes + (size_t)step.index * ENTRY_SIZE) : 0;
	if ((step.entry ^ cursor->leaf.entry) & ~ADDRESS_MASK)
		return false;
	segment->phys = step.entry & ADDRESS_MASK;
	segment->permissions = cursor->leaf_permissions;
	set_segment(cursor, segment, DIFF_SEGMENT_MAPPED,
		    TABLE_SIZE * count_alike(cursor, &step, TABLE_SIZE));
	return true;
}

static void remember_leaf(struct diff_cursor *cursor, const struct iommuser_pt_step *step,
			  u32 permissions)
{
	cursor->has_leaf = !step->level;
	cursor->leaf = *step;
	cursor->leaf_region = cursor->at / level_size(1);
	cursor->leaf_permissions = permissions;
}

/*
 * One piece of the stream, from where the cursor is.
 * Return: false when there is nothing there; the cursor has moved on.
 */
static bool read_piece(struct diff_cursor *cursor, struct diff_segment *segment)
{
	struct iommuser_pt_translation translation;
	const struct iommuser_pt_step *step = NULL;
	u64 entry_size = cursor->size;
	u32 taken;
	int error;

	memset(segment, 0, sizeof(*segment));
	if (read_alike(cursor, segment))
		return true;
	error = iommuser_pt_translate(&cursor->table, sign_extend(cursor, cursor->at),
				      &translation);
	segment->phys = cursor->table.top_table;
	taken = take_tables(cursor, &translation);
	if (taken < translation.nr_steps) {
		segment->phys = 0;
		set_segment(cursor, segment, DIFF_SEGMENT_REPEATED,
			    level_size(translation.steps[taken].level + 1));
		return true;
	}
	if (translation.nr_steps) {
		step = &translation.steps[translation.nr_steps - 1];
		entry_size = level_size(step->level);
		segment->phys = step->entry;
	}
	if (error == -IOMMUSER_EUNMAPPED) {
		segment->phys = 0;
		set_segment(cursor, segment, DIFF_SEGMENT_MISSING, entry_size);
		return true;
	}
	if (error || !step) {
		set_segment(cursor, segment, DIFF_SEGMENT_INVALID, entry_size);
		return true;
	}
	if (!translation.mapped) {
		cursor->at += step->entry ? entry_size : entry_size * count_alike(cursor, step, 0);
		return false;
	}
	remember_leaf(cursor, step, translation.permissions);
	segment->phys = translation.phys;
	segment->permissions = translation.permissions;
	set_segment(cursor, segment, DIFF_SEGMENT_MAPPED,
		    entry_size * count_alike(cursor, step, entry_size));
	return true;
}

bool diff_segment_continues(const struct diff_segment *segment, const struct diff_segment *next)
{
	u64 length = segment->last - segment->first + 1;

	return segment->kind == next->kind && segment->permissions == next->permissions &&
	       segment->last + 1 == next->first && next->first &&
	       segment->phys + (segment->kind == DIFF_SEGMENT_MAPPED ? length : 0) == next->phys;
}

static bool next_piece(struct diff_cursor *cursor, struct diff_segment *segment)
{
	while (cursor->at < cursor->size && !cursor->failed)
		if (read_piece(cursor, segment))
			return true;
	return false;
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
