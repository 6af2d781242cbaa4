// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Page tables, pulled piece by piece. The library translates one address for
 * each run of like entries; what follows it in the same table is read off there.
 */
#include "table-cursor.h"

#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/iommuser.h>

#include "little-endian.h"

#define ENTRIES TABLE_CURSOR_ENTRIES
#define ENTRY_SIZE 8
#define TABLE_SIZE (ENTRIES * ENTRY_SIZE)
#define TABLE_SHIFT 12
#define INDEX_BITS 9
#define ADDRESS_MASK 0x000ffffffffff000ULL

static u64 level_size(u32 level)
{
	return 1ULL << (TABLE_SHIFT + INDEX_BITS * level);
}

static u64 size_of(const struct table_cursor *cursor)
{
	return level_size(cursor->table.top_level + 1);
}

static u64 sign_extended(const struct table_cursor *cursor)
{
	u64 size = size_of(cursor);

	if (cursor->table.stage == IOMMUSER_STAGE_FIRST && cursor->at >= size / 2)
		return cursor->at - size;
	return cursor->at;
}

bool table_cursor_init(struct table_cursor *cursor, const struct iommuser_pt_table *table,
		       u64 *tables_left)
{
	struct iommuser_pt_translation translation;

	memset(cursor, 0, sizeof(*cursor));
	cursor->table = *table;
	cursor->tables_left = tables_left;
	address_set_init(&cursor->met, *tables_left);
	return iommuser_pt_translate(table, 0, &translation) != -IOMMUSER_EINVAL;
}

void table_cursor_free(struct table_cursor *cursor)
{
	address_set_free(&cursor->met);
}

/* How many tables of the last path does the new one share? */
static u32 shared_steps(const struct iommuser_pt_translation *last,
			const struct iommuser_pt_translation *path)
{
	u32 i;

	for (i = 0; i < last->nr_steps && i < path->nr_steps; i++) {
		if (last->steps[i].table != path->steps[i].table)
			return i;
		if (last->steps[i].index != path->steps[i].index)
			return i + 1;
	}
	return i;
}

/*
 * Have all tables of the path been met for the first time, now or when the cursor entered them?
 * The top table is never met again but where the image changed underneath.
 * Return: 1 if so; 0 if not, the path then ends above that table; -IOMMUSER_ENOMEM.
 */
static int enter_tables(struct table_cursor *cursor, const struct iommuser_pt_translation *last)
{
	struct iommuser_pt_translation *path = &cursor->path;
	u32 i;
	int ret;

	for (i = shared_steps(last, path); i < path->nr_steps; i++) {
		ret = *cursor->tables_left ?
			      address_set_add(&cursor->met, path->steps[i].table | 1) :
			      -IOMMUSER_ENOSPC;
		if (ret == -IOMMUSER_ENOMEM)
			return ret;
		if (ret < 0 || (ret && i)) {
			path->nr_steps = i;
			return 0;
		}
		--*cursor->tables_left;
		cursor->nr_tables++;
	}
	return 1;
}

/* Without a step: half of all addresses, which is where those of the first stage are split. */
static u64 step_size(const struct table_cursor *cursor)
{
	return cursor->path.nr_steps ?
		       level_size(cursor->path.steps[cursor->path.nr_steps - 1].level) :
		       size_of(cursor) / 2;
}

static void set_piece(struct table_cursor *cursor, struct table_piece *piece,
		      enum table_piece_kind kind, u64 length)
{
	piece->kind = kind;
	piece->iova = sign_extended(cursor);
	piece->length = length;
	cursor->at += length;
}

static bool read_entries(struct table_cursor *cursor, u64 table)
{
	const struct iommuser_env *env = cursor->table.env;
	const u8 *bytes = env->map(env->ctx, table, TABLE_SIZE);
	u32 i;

	for (i = 0; bytes && i < ENTRIES; i++)
		cursor->entries[i] = get64(bytes + (size_t)i * ENTRY_SIZE);
	return bytes;
}

/* Bits of an entry that say where it leads, and nothing of what it is. */
static u64 address_bits(const struct table_cursor *cursor, u32 level)
{
	return ADDRESS_MASK & ((1ULL << cursor->table.output_width) - 1) & ~(level_size(level) - 1);
}

/* The leaf at @index, and those after it for the memory that follows. */
static void take_leaves(struct table_cursor *cursor, struct table_piece *piece, u32 index)
{
	const struct iommuser_pt_step *step = &cursor->path.steps[cursor->path.nr_steps - 1];
	u64 size = level_size(step->level);
	u64 address = address_bits(cursor, step->level);
	u64 entry = cursor->entries[index];
	u32 count = 1;

	/* A step beyond the last address carries into a bit that tells more. */
	while (index + count < ENTRIES && cursor->entries[index + count] == entry + count * size &&
	       !((cursor->entries[index + count] ^ entry) & ~address))
		count++;
	piece->phys = entry & address;
	piece->page_size = size;
	piece->permissions = cursor->path.permissions;
	set_piece(cursor, piece, TABLE_MAPPED, count * size);
}

/* The next entry of the table with the last leaf, when it is like that but for its address. */
static bool go_on(struct table_cursor *cursor, struct table_piece *piece)
{
	const struct iommuser_pt_step *step;
	u32 index;

	if (!cursor->at_leaf)
		return false;
	step = &cursor->path.steps[cursor->path.nr_steps - 1];
	index = (u32)(cursor->at / level_size(step->level) % ENTRIES);
	if (!index || (cursor->entries[index] ^ step->entry) & ~address_bits(cursor, step->level)) {
		cursor->at_leaf = false;
		return false;
	}
	take_leaves(cursor, piece, index);
	return true;
}

/* The entry that is not present, and those after it that are empty or like it. */
static void skip_empty(struct table_cursor *cursor)
{
	const struct iommuser_pt_step *step = &cursor->path.steps[cursor->path.nr_steps - 1];
	u64 address = address_bits(cursor, step->level);
	u32 index = step->index + 1;

	if (read_entries(cursor, step->table))
		while (index < ENTRIES && (!cursor->entries[index] ||
					   !((cursor->entries[index] ^ step->entry) & ~address)))
			index++;
	cursor->at += (index - step->index) * level_size(step->level);
}

static void take_invalid(struct table_cursor *cursor, struct table_piece *piece)
{
	const struct iommuser_pt_step *step;

	piece->phys = cursor->table.top_table;
	piece->entry = cursor->table.top_table;
	if (cursor->path.nr_steps) {
		step = &cursor->path.steps[cursor->path.nr_steps - 1];
		piece->phys = step->table + (u64)step->index * ENTRY_SIZE;
		piece->entry = step->entry;
	}
	set_piece(cursor, piece, TABLE_INVALID, step_size(cursor));
}

/* What is at the address where the cursor stands. Return: 1 for a piece, 0 for none. */
static int translate(struct table_cursor *cursor, struct table_piece *piece)
{
	struct iommuser_pt_translation last = cursor->path;
	const struct iommuser_pt_step *step;
	int error, ret;

	error = iommuser_pt_translate(&cursor->table, sign_extended(cursor), &cursor->path);
	ret = enter_tables(cursor, &last);
	if (ret < 0)
		return ret;
	if (!ret || error == -IOMMUSER_EUNMAPPED) {
		piece->phys = cursor->path.steps[cursor->path.nr_steps].table;
		set_piece(cursor, piece, ret ? TABLE_MISSING : TABLE_REPEATED, step_size(cursor));
		return 1;
	}
	if (error || !cursor->path.nr_steps) {
		take_invalid(cursor, piece);
		return 1;
	}
	if (!cursor->path.mapped) {
		skip_empty(cursor);
		return 0;
	}
	step = &cursor->path.steps[cursor->path.nr_steps - 1];
	cursor->at_leaf = read_entries(cursor, step->table);
	cursor->entries[step->index] = step->entry;
	if (!cursor->at_leaf)
		memset(cursor->entries + step->index + 1, 0,
		       (ENTRIES - 1 - step->index) * sizeof(cursor->entries[0]));
	take_leaves(cursor, piece, step->index);
	return 1;
}

int table_cursor_next(struct table_cursor *cursor, struct table_piece *piece)
{
	int ret = 0;

	memset(piece, 0, sizeof(*piece));
	if (go_on(cursor, piece))
		return 1;
	while (!ret && cursor->at < size_of(cursor))
		ret = translate(cursor, piece);
	return ret;
}
