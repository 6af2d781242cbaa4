// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The preserved blocks: two bitmaps for each 128 MiB that holds any.
 */
#include "block-map.h"

#include <stdlib.h>

#include <iommuser/error.h>

#define PAGE_BITS 12
#define CHUNK_SIZE (1ULL << IOMMUSER_CHUNK_SHIFT)
#define CHUNK_PAGES (CHUNK_SIZE >> PAGE_BITS)
#define CHUNK_BYTES (IOMMUSER_CHUNK_WORDS * sizeof(u64))
#define FIRST_ENTRIES 64
/* Longer than any folio. */
#define MAX_LENGTH (1ULL << 30)

void block_map_init(struct block_map *map, u64 max_chunks)
{
	*map = (struct block_map){ .max_chunks = max_chunks };
}

void block_map_free(struct block_map *map)
{
	u64 i;

	for (i = 0; map->chunks && i <= map->mask; i++) {
		free(map->chunks[i].pages);
		free(map->chunks[i].heads);
	}
	free(map->chunks);
	*map = (struct block_map){ 0 };
}

static struct block_chunk *find(struct block_chunk *chunks, u64 mask, u64 key)
{
	u64 at = (key * 0x9e3779b97f4a7c15ULL) >> 20;

	for (at &= mask; chunks[at].key && chunks[at].key != key; at = (at + 1) & mask)
		;
	return &chunks[at];
}

static int grow(struct block_map *map)
{
	u64 size = map->chunks ? (map->mask + 1) * 2 : FIRST_ENTRIES;
	struct block_chunk *chunks = calloc(size, sizeof(*chunks));
	u64 i;

	if (!chunks)
		return -IOMMUSER_ENOMEM;
	for (i = 0; map->chunks && i <= map->mask; i++)
		if (map->chunks[i].key)
			*find(chunks, size - 1, map->chunks[i].key) = map->chunks[i];
	free(map->chunks);
	map->chunks = chunks;
	map->mask = size - 1;
	return 0;
}

static int make_chunk(struct block_map *map, u64 number, struct block_chunk **chunk)
{
	struct block_chunk new = { .key = number + 1 };
	int ret;

	if (!map->chunks || map->nr_chunks * 2 > map->mask) {
		ret = grow(map);
		if (ret)
			return ret;
	}
	*chunk = find(map->chunks, map->mask, number + 1);
	if ((*chunk)->key)
		return 0;
	if (map->nr_chunks >= map->max_chunks)
		return -IOMMUSER_ENOSPC;
	new.pages = calloc(1, CHUNK_BYTES);
	new.heads = calloc(1, CHUNK_BYTES);
	if (!new.pages || !new.heads) {
		free(new.pages);
		free(new.heads);
		return -IOMMUSER_ENOMEM;
	}
	**chunk = new;
	map->nr_chunks++;
	return 0;
}

static u64 word_mask(u64 first, u64 last, u64 word)
{
	u64 mask = ~0ULL;

	if (word == first / 64)
		mask &= ~0ULL << (first % 64);
	if (word == last / 64)
		mask &= ~0ULL >> (63 - last % 64);
	return mask;
}

/* Set bits first to last; return how many were clear, the first that was set in *was_set. */
static u64 set_bits(u64 *words, u64 first, u64 last, u64 *was_set)
{
	u64 word, mask, old, fresh = 0;

	for (word = first / 64; word <= last / 64; word++) {
		mask = word_mask(first, last, word);
		old = words[word] & mask;
		if (old && *was_set == CHUNK_PAGES)
			*was_set = word * 64 + (u64)__builtin_ctzll(old);
		fresh += (u64)__builtin_popcountll(mask & ~old);
		words[word] |= mask;
	}
	return fresh;
}

static void set_heads(u64 *heads, u64 start, u64 phys, u64 end, u64 size)
{
	/* The first block start at or after the chunk's start. */
	u64 at = phys <= start ? start + ((phys - start) & (size - 1)) : phys;

	for (; at < end; at += size)
		heads[((at - start) >> PAGE_BITS) / 64] |= 1ULL
							   << (((at - start) >> PAGE_BITS) % 64);
}

int block_map_add(struct block_map *map, u64 phys, u64 size, u64 nr, u64 *overlap)
{
	u64 end = phys + size * nr;
	struct block_chunk *chunk;
	u64 start, first, last, was_set;
	int ret, found = 0;

	for (start = phys & ~(CHUNK_SIZE - 1); start < end; start += CHUNK_SIZE) {
		ret = make_chunk(map, start >> IOMMUSER_CHUNK_SHIFT, &chunk);
		if (ret)
			return ret;
		first = phys > start ? (phys - start) >> PAGE_BITS : 0;
		last = (end < start + CHUNK_SIZE ? (end - start) >> PAGE_BITS : CHUNK_PAGES) - 1;
		was_set = CHUNK_PAGES;
		map->nr_pages += set_bits(chunk->pages, first, last, &was_set);
		set_heads(chunk->heads, start, phys, start + ((last + 1) << PAGE_BITS), size);
		if (was_set != CHUNK_PAGES && !found) {
			*overlap = start + (was_set << PAGE_BITS);
			found = 1;
		}
	}
	return found;
}

/* The first set bit from @first on, or CHUNK_PAGES. */
static u64 next_bit(const u64 *words, u64 first, bool clear)
{
	u64 word, bits;

	for (word = first / 64; word < IOMMUSER_CHUNK_WORDS; word++) {
		bits = clear ? ~words[word] : words[word];
		if (word == first / 64)
			bits &= ~0ULL << (first % 64);
		if (bits)
			return word * 64 + (u64)__builtin_ctzll(bits);
	}
	return CHUNK_PAGES;
}

u64 block_map_length(const struct block_map *map, u64 phys)
{
	u64 number = phys >> IOMMUSER_CHUNK_SHIFT;
	u64 bit = (phys & (CHUNK_SIZE - 1)) >> PAGE_BITS;
	const struct block_chunk *chunk;
	u64 length;

	if (!map->chunks)
		return 0;
	chunk = find(map->chunks, map->mask, number + 1);
	if (!chunk->key || !(chunk->heads[bit / 64] >> (bit % 64) & 1))
		return 0;
	length = CHUNK_PAGES - bit;
	bit = bit + 1 < CHUNK_PAGES ? next_bit(chunk->heads, bit + 1, false) : CHUNK_PAGES;
	length -= CHUNK_PAGES - bit;
	while (bit == CHUNK_PAGES && length << PAGE_BITS < MAX_LENGTH) {
		chunk = find(map->chunks, map->mask, ++number + 1);
		if (!chunk->key)
			break;
		bit = next_bit(chunk->heads, 0, false);
		length += bit;
	}
	length <<= PAGE_BITS;
	return length < MAX_LENGTH ? length : MAX_LENGTH;
}

static int by_key(const void *a, const void *b)
{
	const struct block_chunk *const *x = a, *const *y = b;

	return ((*x)->key > (*y)->key) - ((*x)->key < (*y)->key);
}

static int move_chunk(struct block_chunk *chunk, struct iommuser_pageset *set)
{
	u64 start = (chunk->key - 1) << IOMMUSER_CHUNK_SHIFT;
	u64 first, end;
	int ret = 0;

	for (first = next_bit(chunk->pages, 0, false); first < CHUNK_PAGES && !ret;) {
		end = next_bit(chunk->pages, first, true);
		ret = iommuser_pageset_add(set, IOMMUSER_PRESERVED, start + (first << PAGE_BITS),
					   (end - first) << PAGE_BITS);
		first = end < CHUNK_PAGES ? next_bit(chunk->pages, end, false) : CHUNK_PAGES;
	}
	free(chunk->pages);
	chunk->pages = NULL;
	return ret;
}

int block_map_move(struct block_map *map, struct iommuser_pageset *set)
{
	struct block_chunk **sorted;
	u64 i, nr = 0;
	int ret = 0;

	if (!map->nr_chunks)
		return 0;
	sorted = calloc(map->nr_chunks, sizeof(struct block_chunk *));
	if (!sorted)
		return -IOMMUSER_ENOMEM;
	for (i = 0; i <= map->mask; i++)
		if (map->chunks[i].key)
			sorted[nr++] = &map->chunks[i];
	qsort(sorted, nr, sizeof(struct block_chunk *), by_key);
	for (i = 0; i < nr && !ret; i++)
		ret = move_chunk(sorted[i], set);
	free(sorted);
	return ret;
}
