/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A hash table from u64 keys to positions, in memory of the caller.
 */
#ifndef IOMMUSER_INDEX_H
#define IOMMUSER_INDEX_H

#include <iommuser/graph.h>

#include "internal.h"

/* Keys that lie together. */
#define INDEX_GROUP 16

/* Entries that a table for @count keys has: a power of two, at most half full. */
u64 index_entries(u64 count);

/* Bytes of memory that such a table takes. */
static inline u64 index_bytes(u64 entries)
{
	return entries * (sizeof(u64) + sizeof(u32));
}

static inline u32 *index_values(const struct iommuser_index *index)
{
	return (u32 *)(index->keys + index->mask + 1);
}

/* Put a key in, unless it is there already. Return: the position it stands for. */
u64 index_insert(struct iommuser_index *index, u64 key, u64 position);

/* Return: 0 and @position, or -IOMMUSER_ENOENT. */
int index_find(const struct iommuser_index *index, u64 key, u64 *position);

/*
 * Where the search for a key starts. Keys that differ in their lowest bits only
 * share cache lines, because requesters come in such groups; which group goes
 * where depends on the seed.
 */
static inline u64 index_start(const struct iommuser_index *index, u64 key)
{
	return (mix64((key ^ index->seed) / INDEX_GROUP) ^ key % INDEX_GROUP) & index->mask;
}

/* Ask the processor for the entry that a key will need soon. */
static inline void index_prefetch(const struct iommuser_index *index, u64 key)
{
	u64 at = index_start(index, key);

	__builtin_prefetch(&index->keys[at], 1);
	__builtin_prefetch(&index_values(index)[at], 1);
}

#endif /* IOMMUSER_INDEX_H */
