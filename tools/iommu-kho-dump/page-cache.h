/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A bounded cache of image pages: look-up, insertion and eviction in constant
 * time, least recently used first, and pages handed out lately stay.
 */
#ifndef PAGE_CACHE_H
#define PAGE_CACHE_H

#include <iommuser/types.h>

/* Fuzz targets, which open an image thousands of times a minute, have less. */
#ifndef PAGE_CACHE_BYTES
#define PAGE_CACHE_BYTES (32U << 20)
#endif
/* Data arrives in units of the smallest page. */
#define PAGE_CACHE_UNIT_SHIFT 12
#define PAGE_CACHE_UNIT (1U << PAGE_CACHE_UNIT_SHIFT)

/**
 * struct page_slot - one page
 * @page: its address
 * @data: its bytes
 * @held_until: value of the cache's clock before which it must not be evicted
 * @hash_next: chain of the hash table, private
 * @newer: list by use, private
 * @older: list by use, private
 * @valid: bit n: unit n of the page was read
 * @used: the slot holds a page
 */
struct page_slot {
	u64 page;
	u8 *data;
	u64 held_until;
	u32 hash_next;
	u32 newer;
	u32 older;
	u16 valid;
	bool used;
};

/** struct page_cache - every member is private */
struct page_cache {
	struct page_slot *slots;
	u32 *buckets;
	u8 *memory;
	u64 clock;
	u32 page_shift;
	u32 nr_slots;
	u32 bucket_mask;
	u32 newest;
	u32 oldest;
};

/** page_cache_init - Return: 0, or -1 when there is no memory */
int page_cache_init(struct page_cache *cache, u32 page_shift);
void page_cache_free(struct page_cache *cache);
/** page_cache_tick - a pointer is about to be given out: time goes on */
void page_cache_tick(struct page_cache *cache);
/** page_cache_take - the slot of a page, with nothing valid in it when it is new; now the newest */
struct page_slot *page_cache_take(struct page_cache *cache, u64 page);
/** page_cache_hold - keep the slot for the next IOMMUSER_MAP_HELD ticks at least */
void page_cache_hold(struct page_cache *cache, struct page_slot *slot);
/** page_cache_drop - the slot turned out useless: evict it first, unless it is held */
void page_cache_drop(struct page_cache *cache, struct page_slot *slot);

#endif /* PAGE_CACHE_H */
