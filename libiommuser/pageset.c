// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sets of physical pages: a hash directory of 128 MiB chunks over bitmaps,
 * in memory that the caller gave.
 */
#include <iommuser/pageset.h>

#include "internal.h"

#define CHUNK_PAGES (1ULL << (IOMMUSER_CHUNK_SHIFT - IOMMUSER_TABLE_SHIFT))
#define MAX_CHUNKS (1ULL << (IOMMUSER_PHYS_BITS - IOMMUSER_CHUNK_SHIFT))

static u64 directory_entries(u64 max_chunks)
{
	u64 entries = 16;

	while (entries < 2 * max_chunks)
		entries *= 2;
	return entries;
}

u64 iommuser_pageset_size(u64 max_chunks, u32 nr_planes)
{
	if (!max_chunks || max_chunks > MAX_CHUNKS || !nr_planes || nr_planes > IOMMUSER_NR_PLANES)
		return 0;
	return directory_entries(max_chunks) * sizeof(struct iommuser_chunk) +
	       max_chunks * sizeof(u64) * (1 + nr_planes * IOMMUSER_CHUNK_WORDS);
}

int iommuser_pageset_init(struct iommuser_pageset *set, void *memory, u64 size, u64 max_chunks,
			  u32 nr_planes)
{
	u64 need = iommuser_pageset_size(max_chunks, nr_planes);
	u64 *words;
	u32 i;

	if (!need || !memory || ((uintptr_t)memory & 7))
		return -IOMMUSER_EINVAL;
	if (size < need)
		return -IOMMUSER_ENOSPC;

	memset(set, 0, sizeof(*set));
	set->directory = memory;
	set->seed = (uintptr_t)memory;
	set->mask = directory_entries(max_chunks) - 1;
	set->max_chunks = max_chunks;
	set->chunks = (u64 *)(set->directory + set->mask + 1);
	words = set->chunks + max_chunks;
	for (i = 0; i < nr_planes; i++, words += max_chunks * IOMMUSER_CHUNK_WORDS)
		set->planes[i] = words;
	return 0;
}

/* The directory entry of a chunk, or the free one where it would go. */
static OWN_FRAME struct iommuser_chunk *find_entry(const struct iommuser_pageset *set, u64 key)
{
	u64 at = mix64(key ^ set->seed) & set->mask;

	while (set->directory[at].key && set->directory[at].key != key)
		at = (at + 1) & set->mask;
	return &set->directory[at];
}

static bool find_slot(struct iommuser_pageset *set, u64 chunk, u64 *slot)
{
	const struct iommuser_chunk *entry;

	if (set->last_key != chunk + 1) {
		entry = find_entry(set, chunk + 1);
		if (!entry->key)
			return false;
		set->last_key = entry->key;
		set->last_slot = entry->slot;
	}
	*slot = set->last_slot;
	return true;
}

static bool make_slot(struct iommuser_pageset *set, u64 chunk, u64 *slot)
{
	struct iommuser_chunk *entry;

	if (find_slot(set, chunk, slot))
		return true;
	if (set->nr_chunks == set->max_chunks)
		return false;
	entry = find_entry(set, chunk + 1);
	entry->key = chunk + 1;
	entry->slot = set->nr_chunks++;
	set->chunks[entry->slot] = chunk;
	*slot = entry->slot;
	return true;
}

static u64 *plane_words(const struct iommuser_pageset *set, u32 plane, u64 slot)
{
	return set->planes[plane] + slot * IOMMUSER_CHUNK_WORDS;
}

/* Bits [from, to) of a word, 0 <= from < to <= 64. */
static u64 bit_range(u64 from, u64 to)
{
	u64 high = to == 64 ? ~0ULL : (1ULL << to) - 1;

	return high & ~((1ULL << from) - 1);
}

static u64 min64(u64 a, u64 b)
{
	return a < b ? a : b;
}

static bool valid_range(const struct iommuser_pageset *set, u32 plane, u64 phys, u64 length)
{
	return plane < IOMMUSER_NR_PLANES && set->planes[plane] && phys < IOMMUSER_PHYS_LIMIT &&
	       length <= IOMMUSER_PHYS_LIMIT - phys;
}

static void set_bits(u64 *words, u64 from, u64 to)
{
	u64 stop;

	while (from < to) {
		stop = min64((from | 63) + 1, to);
		words[from / 64] |= bit_range(from % 64, stop - (from & ~63ULL));
		from = stop;
	}
}

/* First clear bit of [from, to), or @to. */
static u64 first_clear(const u64 *words, u64 from, u64 to)
{
	u64 stop, missing;

	while (from < to) {
		stop = min64((from | 63) + 1, to);
		missing = ~words[from / 64] & bit_range(from % 64, stop - (from & ~63ULL));
		if (missing)
			return (from & ~63ULL) + (u64)__builtin_ctzll(missing);
		from = stop;
	}
	return to;
}

int iommuser_pageset_add(struct iommuser_pageset *set, enum iommuser_plane plane, u64 phys,
			 u64 length)
{
	u64 page, end, stop, slot;

	if (!valid_range(set, plane, phys, length))
		return -IOMMUSER_EINVAL;
	page = phys >> IOMMUSER_TABLE_SHIFT;
	end = (phys + length + IOMMUSER_TABLE_SIZE - 1) >> IOMMUSER_TABLE_SHIFT;
	if (!length)
		return 0;
	while (page < end) {
		if (!make_slot(set, page / CHUNK_PAGES, &slot))
			return -IOMMUSER_ENOSPC;
		stop = min64((page | (CHUNK_PAGES - 1)) + 1, end);
		set_bits(plane_words(set, plane, slot), page % CHUNK_PAGES,
			 stop - (page & ~(CHUNK_PAGES - 1)));
		page = stop;
	}
	return 0;
}

bool iommuser_pageset_contains(struct iommuser_pageset *set, enum iommuser_plane plane, u64 phys,
			       u64 length, u64 *first_missing)
{
	u64 page, end, stop, clear, slot;

	if (!length)
		return true;
	page = phys >> IOMMUSER_TABLE_SHIFT;
	if (!valid_range(set, plane, phys, length))
		goto missing;
	end = (phys + length + IOMMUSER_TABLE_SIZE - 1) >> IOMMUSER_TABLE_SHIFT;
	while (page < end) {
		if (!find_slot(set, page / CHUNK_PAGES, &slot))
			goto missing;
		stop = min64((page | (CHUNK_PAGES - 1)) + 1, end);
		clear = first_clear(plane_words(set, plane, slot), page % CHUNK_PAGES,
				    stop - (page & ~(CHUNK_PAGES - 1)));
		page = (page & ~(CHUNK_PAGES - 1)) + clear;
		if (page < stop)
			goto missing;
	}
	return true;

missing:
	if (first_missing)
		*first_missing = page << IOMMUSER_TABLE_SHIFT;
	return false;
}

int iommuser_pageset_visit(struct iommuser_pageset *set, enum iommuser_plane plane, u64 phys)
{
	u64 page = phys >> IOMMUSER_TABLE_SHIFT;
	u64 *word, bit, slot;
	int was_set;

	if (!valid_range(set, plane, phys, 1))
		return -IOMMUSER_EINVAL;
	if (!make_slot(set, page / CHUNK_PAGES, &slot))
		return -IOMMUSER_ENOSPC;
	word = plane_words(set, plane, slot) + page % CHUNK_PAGES / 64;
	bit = 1ULL << (page % 64);
	was_set = !!(*word & bit);
	*word |= bit;
	return was_set;
}

/* The pages of a word that are in all planes of @in and in none of @exclude. */
static u64 selected_word(const struct iommuser_pageset *set, u32 in, u32 exclude, u64 word)
{
	u64 bits = ~0ULL;
	u32 i;

	for (i = 0; i < IOMMUSER_NR_PLANES; i++) {
		if (in & 1U << i)
			bits &= set->planes[i] ? set->planes[i][word] : 0;
		if ((exclude & 1U << i) && set->planes[i])
			bits &= ~set->planes[i][word];
	}
	return bits;
}

bool iommuser_pageset_next(const struct iommuser_pageset *set, u32 in, u64 *cursor, u32 exclude,
			   u64 *phys, u64 *length)
{
	u64 total = set->nr_chunks * CHUNK_PAGES;
	u64 at = *cursor, end, bits, slot;

	for (;; at = (at | 63) + 1) {
		if (at >= total) {
			*cursor = total;
			return false;
		}
		bits = selected_word(set, in, exclude, at / 64) & ~((1ULL << (at % 64)) - 1);
		if (bits)
			break;
	}
	at = (at & ~63ULL) + (u64)__builtin_ctzll(bits);
	slot = at / CHUNK_PAGES;
	for (end = at; end < (slot + 1) * CHUNK_PAGES; end = (end | 63) + 1) {
		bits = ~selected_word(set, in, exclude, end / 64) & ~((1ULL << (end % 64)) - 1);
		if (bits) {
			end = (end & ~63ULL) + (u64)__builtin_ctzll(bits);
			break;
		}
	}
	*cursor = end;
	*phys = (set->chunks[slot] << IOMMUSER_CHUNK_SHIFT) +
		(at % CHUNK_PAGES << IOMMUSER_TABLE_SHIFT);
	*length = (end - at) << IOMMUSER_TABLE_SHIFT;
	return true;
}
