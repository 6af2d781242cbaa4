// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A hash table from u64 keys to positions: open addressing, at most half full.
 */
#include "index.h"

u64 index_entries(u64 count)
{
	u64 entries = 4;

	while (entries < 2 * count)
		entries *= 2;
	return entries;
}

static u64 find_entry(const struct iommuser_index *index, u64 key)
{
	u64 at = index_start(index, key);
	const u32 *values = index_values(index);

	while (values[at] && index->keys[at] != key)
		at = (at + 1) & index->mask;
	return at;
}

u64 index_insert(struct iommuser_index *index, u64 key, u64 position)
{
	u64 at = find_entry(index, key);
	u32 *value = &index_values(index)[at];

	if (!*value) {
		index->keys[at] = key;
		*value = (u32)position + 1;
	}
	return *value - 1;
}

int index_find(const struct iommuser_index *index, u64 key, u64 *position)
{
	u32 value = index_values(index)[find_entry(index, key)];

	if (!value)
		return -IOMMUSER_ENOENT;
	*position = value - 1;
	return 0;
}
