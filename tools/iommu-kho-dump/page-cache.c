// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A bounded cache of image pages: hash table plus list by use.
 */
#include <stdlib.h>

#include <iommuser/env.h>

#include "page-cache.h"

#define NO_SLOT UINT32_MAX

int page_cache_init(struct page_cache *cache, u32 page_shift)
{
	u32 nr = PAGE_CACHE_BYTES >> page_shift;

	/* Memory of slots that are never used is never touched. */
	cache->slots = calloc(nr, sizeof(*cache->slots));
	cache->buckets = malloc(2 * (size_t)nr * sizeof(*cache->buckets));
	cache->memory = malloc(PAGE_CACHE_BYTES);
	if (!cache->slots || !cache->buckets || !cache->memory) {
		page_cache_free(cache);
		return -1;
	}
	cache->page_shift = page_shift;
	cache->nr_slots = nr;
	cache->bucket_mask = 2 * nr - 1;
	cache->clock = 0;
	cache->newest = 0;
	cache->oldest = nr - 1;
	for (u32 i = 0; i < nr; i++) {
		cache->slots[i].data = cache->memory + ((size_t)i << page_shift);
		cache->slots[i].hash_next = NO_SLOT;
		cache->slots[i].newer = i ? i - 1 : NO_SLOT;
		cache->slots[i].older = i + 1 < nr ? i + 1 : NO_SLOT;
	}
	for (u32 i = 0; i < 2 * nr; i++)
		cache->buckets[i] = NO_SLOT;
	return 0;
}

void page_cache_free(struct page_cache *cache)
{
	free(cache->slots);
	free(cache->buckets);
	free(cache->memory);
	cache->slots = NULL;
	cache->buckets = NULL;
	cache->memory = NULL;
}

void page_cache_tick(struct page_cache *cache)
{
	cache->clock++;
}

static u32 *bucket_of(struct page_cache *cache, u64 page)
{
	u64 number = page >> cache->page_shift;

	return &cache->buckets[(number * 0x9e3779b97f4a7c15ULL >> 40) & cache->bucket_mask];
}

static void unlink_slot(struct page_cache *cache, u32 index)
{
	struct page_slot *slot = &cache->slots[index];

	if (slot->newer == NO_SLOT)
		cache->newest = slot->older;
	else
		cache->slots[slot->newer].older = slot->older;
	if (slot->older == NO_SLOT)
		cache->oldest = slot->newer;
	else
		cache->slots[slot->older].newer = slot->newer;
}

static void make_newest(struct page_cache *cache, u32 index)
{
	struct page_slot *slot = &cache->slots[index];

	if (cache->newest == index)
		return;
	unlink_slot(cache, index);
	slot->newer = NO_SLOT;
	slot->older = cache->newest;
	cache->slots[cache->newest].newer = index;
	cache->newest = index;
}

static void unhash(struct page_cache *cache, u32 index)
{
	struct page_slot *slot = &cache->slots[index];
	u32 *link = bucket_of(cache, slot->page);

	while (*link != index)
		link = &cache->slots[*link].hash_next;
	*link = slot->hash_next;
	slot->used = false;
}

/* Few slots are held at a time, far fewer than there are: the walk is short. */
static u32 oldest_free(struct page_cache *cache)
{
	u32 index = cache->oldest;

	while (cache->slots[index].used && cache->slots[index].held_until > cache->clock)
		index = cache->slots[index].newer;
	return index;
}

struct page_slot *page_cache_take(struct page_cache *cache, u64 page)
{
	u32 *bucket = bucket_of(cache, page);
	u32 index = *bucket;
	struct page_slot *slot;

	while (index != NO_SLOT && cache->slots[index].page != page)
		index = cache->slots[index].hash_next;
	if (index == NO_SLOT) {
		index = oldest_free(cache);
		if (cache->slots[index].used)
			unhash(cache, index);
		slot = &cache->slots[index];
		slot->page = page;
		slot->held_until = 0;
		slot->valid = 0;
		slot->used = true;
		slot->hash_next = *bucket;
		*bucket = index;
	}
	make_newest(cache, index);
	return &cache->slots[index];
}

void page_cache_hold(struct page_cache *cache, struct page_slot *slot)
{
	slot->held_until = cache->clock + IOMMUSER_MAP_HELD + 1;
}

void page_cache_drop(struct page_cache *cache, struct page_slot *slot)
{
	u32 index = (u32)(slot - cache->slots);

	if (slot->valid || slot->held_until > cache->clock || cache->oldest == index)
		return;
	unlink_slot(cache, index);
	slot->older = NO_SLOT;
	slot->newer = cache->oldest;
	cache->slots[cache->oldest].older = index;
	cache->oldest = index;
}

static_assert((PAGE_CACHE_BYTES >> IOMMUSER_MAX_PAGE_SHIFT) > 2 * (IOMMUSER_MAP_HELD + 1),
	      "held pages leave room for others");
