// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The memory map of every revision and page size: what is preserved, and
 * every way in which a tree or a list can be broken.
 */
#include "kho-image.h"

#include <string.h>

#include <iommuser/error.h>

#define PHYS_END (1ULL << 52)

static bool preserved(struct image *image, u64 phys, u64 length)
{
	return kho_pages_preserved(&image->pages, phys, length, NULL) == KHO_YES;
}

/* The examples of the format's description, word for word. */
static void test_examples(void **state)
{
	struct image image;

	(void)state;
	image_init(&image, 12, 4);
	assert_int_equal(image_key(&image, 0x100000000, 0), 0x10000000100000);
	assert_int_equal(image_key(&image, 0x100000000, 9), 0x80000000800);
	image_preserve(&image, 0x100000000, 0);
	/* Indices 2, 0, 0, 0, 32 and bit 0. */
	assert_int_equal(image_slot(&image, 0x10000000100000, 5), image.map + 2 * 8);
	assert_int_equal(image_slot(&image, 0x10000000100000, 1) & 0xfff, 32 * 8);
	assert_int_equal(image_slot(&image, 0x10000000100000, 0) & 0xfff, 0);
	image_preserve(&image, 0x200000000, 9);
	assert_int_equal(image_open(&image), 0);
	assert_nothing_found(&image);
	assert_int_equal(image.pages.nr_pages, 1 + 1 + 512);
	assert_true(preserved(&image, 0x100000000, 0x1000));
	assert_false(preserved(&image, 0x100000000, 0x1001));
	assert_true(preserved(&image, 0x200000000, 0x200000));
	assert_false(preserved(&image, 0x1fffff000, 0x1000));
	assert_int_equal(kho_pages_block(&image.pages, 0x200000000), 0x200000);
	assert_int_equal(kho_pages_block(&image.pages, 0x200001000), 0);
	assert_int_equal(kho_preserves_page(&image.kho, image.source, image.fdt), KHO_YES);
	assert_int_equal(kho_preserves_page(&image.kho, image.source, 0x200000000), KHO_NO);
	image_free(&image);
}

static void geometry(u32 page_shift, u32 version)
{
	u64 page = 1ULL << page_shift;
	struct image image;

	image_init(&image, page_shift, version);
	image_preserve(&image, 0x40000000, 0);
	image_preserve(&image, 0x40000000 + page, 0);
	image_preserve(&image, 0x80000000, 5);
	image_preserve(&image, 0x80000000 + (page << 5), 5);
	image_preserve(&image, PHYS_END - page, 0);
	assert_int_equal(image_open(&image), 0);
	assert_nothing_found(&image);
	assert_true(image.pages.complete);
	assert_int_equal(image.pages.stats.depth, image.depth);
	assert_int_equal(image.pages.nr_pages, (4 + 64) * (page / 4096));
	assert_true(preserved(&image, 0x40000000, 2 * page));
	assert_true(preserved(&image, 0x80000000, page << 6));
	assert_true(preserved(&image, PHYS_END - page, page));
	assert_int_equal(kho_pages_block(&image.pages, 0x40000000), page);
	assert_int_equal(kho_pages_block(&image.pages, 0x80000000), page << 5);
	image_free(&image);
}

static void test_geometry(void **state)
{
	static const u32 shifts[] = { 12, 14, 16 };
	u32 version;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		for (version = 2; version <= 4; version++)
			geometry(shifts[i], version);
}

/* kho-v2 and early kho-v3 with 16 KiB pages: order 0 can't be told any more. */
static void test_short_tree(void **state)
{
	struct image image;
	u32 version;

	(void)state;
	for (version = 2; version <= 3; version++) {
		image_init(&image, 14, version);
		image.depth = 4;
		image.map = image_page(&image);
		image_preserve(&image, image.fdt, 0);
		image_preserve(&image, 0x80000000, 3);
		assert_int_equal(image_open(&image), 0);
		assert_found(&image, KHO_KEY_INVALID, 1);
		assert_int_equal(image.pages.stats.depth, 4);
		assert_false(image.pages.complete);
		assert_true(preserved(&image, 0x80000000, 8 << 14));
		assert_int_equal(kho_pages_preserved(&image.pages, image.fdt, 1, NULL),
				 KHO_UNKNOWN);
		image_free(&image);
	}
	/* Nothing but higher orders: the root gives it away. */
	image_init(&image, 14, 3);
	image.depth = 4;
	image.map = image_page(&image);
	image_preserve(&image, 0x80000000, 3);
	image.fdt = image_page(&image);
	assert_int_equal(image_open(&image), 0);
	assert_int_equal(image.pages.stats.depth, 4);
	assert_found(&image, KHO_NOT_SELF_REFERENT, 1);
	image_free(&image);
}

/* A link of a sound tree is changed; each kind of change has its code. */
static void test_bad_links(void **state)
{
	static const u64 bad[] = { 0x10001800, 1ULL << 52, 1, ~0xfffULL };
	struct image image;
	u64 key, slot;
	size_t i;
	u32 level;

	(void)state;
	for (level = 1; level <= 5; level++) {
		for (i = 0; i < 4; i++) {
			image_init(&image, 12, 4);
			image_preserve(&image, 0x80000000, 9);
			key = image_key(&image, 0x80000000, 9);
			slot = image_slot(&image, key, level);
			memory_put64(image.source, slot, bad[i]);
			assert_int_equal(image_open(&image), 0);
			assert_found(&image, KHO_NODE_ADDRESS, 1);
			assert_int_equal(report_get(image.report, 0)->finding.phys, slot);
			assert_int_equal(report_get(image.report, 0)->finding.found, bad[i]);
			assert_false(image.pages.complete);
			assert_true(preserved(&image, image.fdt, 4096));
			image_free(&image);
		}
		image_init(&image, 12, 4);
		image_preserve(&image, 0x80000000, 9);
		slot = image_slot(&image, image_key(&image, 0x80000000, 9), level);
		memory_drop(image.source, memory_get64(image.source, slot));
		assert_int_equal(image_open(&image), 0);
		assert_found(&image, KHO_NODE_UNREADABLE, 1);
		assert_int_equal(kho_pages_preserved(&image.pages, 0x80000000, 1, NULL),
				 KHO_UNKNOWN);
		image_free(&image);
	}
}

/* A node leads to itself, to the one above, to the root: cycles of 1, 2 and n. */
static void test_cycles(void **state)
{
	struct image image;
	u64 key, target;
	u32 level, up;

	(void)state;
	for (level = 1; level <= 5; level++) {
		for (up = 0; up + level <= 5; up++) {
			image_init(&image, 12, 4);
			image_preserve(&image, 0x80000000, 9);
			key = image_key(&image, 0x80000000, 9);
			/* The node that holds the entry, or one further up. */
			target = level + up == 5 ?
					 image.map :
					 memory_get64(image.source,
						      image_slot(&image, key, level + up + 1));
			memory_put64(image.source, image_slot(&image, key, level), target);
			assert_int_equal(image_open(&image), 0);
			assert_found(&image, KHO_NODE_REPEATED, 1);
			assert_false(image.pages.complete);
			image_free(&image);
		}
	}
}

/* Every entry of every table leads to one and the same node: read once. */
static void test_aliases(void **state)
{
	struct image image;
	u64 key, node, i;

	(void)state;
	image_init(&image, 12, 4);
	image_preserve(&image, 0x80000000, 9);
	key = image_key(&image, 0x80000000, 9);
	node = memory_get64(image.source, image_slot(&image, key, 1));
	for (i = 1; i < 512; i++)
		if (!memory_get64(image.source, (image_slot(&image, key, 1) & ~0xfffULL) + i * 8))
			memory_put64(image.source, (image_slot(&image, key, 1) & ~0xfffULL) + i * 8,
				     node);
	assert_int_equal(image_open(&image), 0);
	assert_int_equal(image.pages.stats.nr_nodes, 11);
	assert_int_equal(report_count_id(image.report, IOMMUSER_FINDING_KHO_NODE_REPEATED), 511);
	image_free(&image);
}

static void test_keys(void **state)
{
	struct image image;

	(void)state;
	/* Above the order's highest bit. */
	image_init(&image, 12, 4);
	image_set_key(&image, 1ULL << 53);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_KEY_INVALID, 1);
	image_free(&image);
	/* No order bit at all, and orders that no memory is large enough for. */
	image_init(&image, 12, 4);
	image_set_key(&image, 0);
	image_set_key(&image, 1);
	image_set_key(&image, 0x7fff);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_KEY_INVALID, 3);
	image_free(&image);
	/* Of 2 TiB; of 1 TiB, which is still possible; beyond 2^52. */
	image_init(&image, 12, 4);
	image_preserve(&image, 0, 29);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_BLOCK_OUTSIDE_RAM, 1);
	image_free(&image);
	image_init(&image, 12, 4);
	image_preserve(&image, 1ULL << 40, 28);
	assert_int_equal(image_open(&image), 0);
	assert_nothing_found(&image);
	assert_true(preserved(&image, 1ULL << 40, 1ULL << 40));
	image_free(&image);
	image_init(&image, 12, 4);
	image_preserve(&image, PHYS_END, 0);
	image_preserve(&image, 1ULL << 62, 3);
	image_preserve(&image, PHYS_END - 4096, 0);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_BLOCK_OUTSIDE_RAM, 2);
	assert_true(preserved(&image, PHYS_END - 4096, 4096));
	image_free(&image);
}

static void test_memory_end(void **state)
{
	struct image image;

	(void)state;
	image_init(&image, 12, 4);
	image_preserve(&image, 0x80000000 - 4096, 0);
	image_preserve(&image, 0x80000000, 0);
	image_write_fdt(&image);
	assert_int_equal(kho_open(&image.kho, image.source, image.fdt, image.report), 0);
	image.is_open = true;
	image.kho.memory_end = 0x80000000;
	assert_int_equal(kho_build_pageset(&image.pages, &image.kho, image.source, image.report),
			 0);
	image.has_pages = true;
	assert_found(&image, KHO_BLOCK_OUTSIDE_RAM, 1);
	assert_true(preserved(&image, 0x80000000 - 4096, 4096));
	assert_false(preserved(&image, 0x80000000, 4096));
	image_free(&image);
}

static void test_overlap(void **state)
{
	struct image image;

	(void)state;
	image_init(&image, 12, 4);
	image_preserve(&image, 0x80000000, 9);
	image_preserve(&image, 0x80003000, 0);
	image_preserve(&image, 0x80200000, 0);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_BLOCKS_OVERLAP, 1);
	assert_int_equal(image.pages.nr_pages, 1 + 512 + 1);
	image_free(&image);
}

/* Limits end a walk with a finding, never with an allocation that the image chose. */
static void test_limits(void **state)
{
	struct image image;
	u64 i;

	(void)state;
	image_init(&image, 12, 4);
	for (i = 0; i < 20; i++)
		image_preserve(&image, 0x100000000 + (i << 40), 28);
	for (i = 0; i < 200; i++)
		image_preserve(&image, i << 40, 28);
	assert_int_equal(image_open(&image), 0);
	assert_int_equal(report_count_id(image.report, IOMMUSER_FINDING_KHO_MAP_TOO_LARGE), 1);
	assert_false(image.pages.complete);
	image_free(&image);

	image_init(&image, 12, 4);
	image_preserve(&image, 0x80000000, 9);
	image_write_fdt(&image);
	assert_int_equal(kho_open(&image.kho, image.source, image.fdt, image.report), 0);
	image.is_open = true;
	image.kho.max_nodes = 8;
	assert_int_equal(kho_build_pageset(&image.pages, &image.kho, image.source, image.report),
			 0);
	image.has_pages = true;
	assert_found(&image, KHO_MAP_TOO_LARGE, 1);
	image_free(&image);
}

/* A portable image brings its own set, and may lack the map. */
static void test_carried(void **state)
{
	struct kho_pages pages;
	struct image image;

	(void)state;
	image_init(&image, 12, 4);
	memory_carry(image.source, image.fdt, 4096);
	memory_carry(image.source, 0x80000000, 0x200000);
	memory_drop(image.source, image.map);
	assert_int_equal(image_open(&image), 0);
	assert_nothing_found(&image);
	assert_true(image.pages.complete);
	assert_false(image.pages.has_blocks);
	assert_true(preserved(&image, 0x80000000, 0x200000));
	assert_int_equal(kho_pages_preserved(&image.pages, 0x90000000, 1, NULL), KHO_NO);
	image_free(&image);

	image_init(&image, 12, 4);
	memory_carry(image.source, image.fdt, 4096);
	memory_carry(image.source, 0x90000800, 4096);
	assert_int_equal(kho_build_pageset(&pages, NULL, image.source, image.report), 0);
	assert_false(pages.complete);
	kho_free_pages(&pages);
	image_free(&image);

	image_init(&image, 12, 4);
	assert_int_equal(kho_build_pageset(&pages, NULL, image.source, image.report),
			 -IOMMUSER_ENOENT);
	memory_carry(image.source, 0, 0);
	assert_int_equal(kho_build_pageset(&pages, NULL, image.source, image.report), 0);
	assert_true(pages.complete);
	assert_int_equal(pages.nr_pages, 0);
	kho_free_pages(&pages);
	image_free(&image);
}

static void test_blocks(void **state)
{
	struct block_map map;
	u64 overlap = 0;

	(void)state;
	block_map_init(&map, 3);
	assert_int_equal(block_map_length(&map, 0), 0);
	/* Over the border between two chunks of 128 MiB. */
	assert_int_equal(block_map_add(&map, 0x7ff0000, 0x10000, 3, &overlap), 0);
	assert_int_equal(map.nr_pages, 48);
	assert_int_equal(block_map_length(&map, 0x7ff0000), 0x10000);
	assert_int_equal(block_map_length(&map, 0x8000000), 0x10000);
	assert_int_equal(block_map_length(&map, 0x8008000), 0);
	assert_int_equal(block_map_add(&map, 0x8010000, 0x1000, 1, &overlap), 1);
	assert_int_equal(overlap, 0x8010000);
	assert_int_equal(map.nr_pages, 48);
	/* A block as large as a chunk, then no room for a fourth. */
	assert_int_equal(block_map_add(&map, 0x10000000, 0x8000000, 1, &overlap), 0);
	assert_int_equal(block_map_length(&map, 0x10000000), 0x8000000);
	assert_int_equal(block_map_add(&map, 0x20000000, 0x1000, 1, &overlap), -IOMMUSER_ENOSPC);
	assert_int_equal(map.nr_pages, 48 + 32768);
	block_map_free(&map);
}

/* kho-v1 */

struct list {
	struct image image;
	u64 bitmap_size;
};

static u64 add_bitmap(struct list *list, u64 chunk, u64 i, u64 start)
{
	struct image *image = &list->image;
	u64 bitmap = image_page(image);

	memory_put64(image->source, chunk + 16 + 16 * i, start);
	memory_put64(image->source, chunk + 24 + 16 * i, bitmap);
	memory_put32(image->source, chunk + 12, (u32)i + 1);
	return bitmap;
}

static void set_bit(struct list *list, u64 bitmap, u64 bit)
{
	u64 word = bitmap + bit / 64 * 8;

	memory_put64(list->image.source, word,
		     memory_get64(list->image.source, word) | 1ULL << (bit % 64));
}

/* Two chunks: order 0 with the FDT's page and its neighbour, order 9 with two blocks. */
static void list_init(struct list *list, u32 page_shift, u64 bitmap_size)
{
	struct image *image = &list->image;
	u64 bits = bitmap_size * 8, start, bitmap;

	image_init(image, page_shift, 1);
	list->bitmap_size = bitmap_size;
	image->next = 0x20000000;
	start = image->fdt & ~((bits << page_shift) - 1);
	bitmap = add_bitmap(list, image->map, 0, start);
	set_bit(list, bitmap, (image->fdt - start) >> page_shift);
	set_bit(list, bitmap, ((image->fdt - start) >> page_shift) + 1);
	memory_put64(image->source, image->map, image_page(image));
	memory_put32(image->source, memory_get64(image->source, image->map) + 8, 9);
	bitmap = add_bitmap(list, memory_get64(image->source, image->map), 0,
			    bits << (9 + page_shift));
	set_bit(list, bitmap, 0);
	set_bit(list, bitmap, bits - 1);
}

static void test_list(void **state)
{
	static const u32 shifts[] = { 12, 14, 16 };
	struct list list;
	u64 size, start;
	size_t i;
	int small;

	(void)state;
	for (i = 0; i < 3; i++) {
		for (small = 0; small < 2; small++) {
			size = small ? 512 : 1ULL << shifts[i];
			list_init(&list, shifts[i], size);
			assert_int_equal(image_open(&list.image), 0);
			assert_int_equal(list.image.pages.stats.bitmap_size, size);
			start = size * 8 << (9 + shifts[i]);
			assert_true(preserved(&list.image, list.image.fdt, 2ULL << shifts[i]));
			assert_true(preserved(&list.image, start, 1ULL << (9 + shifts[i])));
			assert_true(preserved(&list.image, 2 * start - (1ULL << (9 + shifts[i])),
					      1ULL << (9 + shifts[i])));
			assert_int_equal(list.image.pages.stats.nr_blocks, 4);
			assert_int_equal(kho_preserves_page(&list.image.kho, list.image.source,
							    list.image.fdt),
					 KHO_YES);
			assert_int_equal(kho_preserves_page(&list.image.kho, list.image.source,
							    start),
					 KHO_NO);
			if (small)
				assert_nothing_found(&list.image);
			image_free(&list.image);
		}
	}
}

/* Which size it is: proved small, proved large, or taken as large and said so. */
static void test_bitmap_size(void **state)
{
	struct list list;
	u64 bitmap;

	(void)state;
	list_init(&list, 12, 4096);
	assert_int_equal(image_open(&list.image), 0);
	assert_found(&list.image, KHO_BITMAP_SIZE_GUESSED, 1);
	image_free(&list.image);

	list_init(&list, 12, 4096);
	bitmap = memory_get64(list.image.source, list.image.map + 24);
	list.image.fdt = 0x13000000;
	memory_page(list.image.source, list.image.fdt);
	set_bit(&list, bitmap, 0x3000);
	assert_int_equal(image_open(&list.image), 0);
	assert_nothing_found(&list.image);
	assert_int_equal(list.image.pages.stats.bitmap_size, 4096);
	image_free(&list.image);

	/* A bitmap that isn't page aligned. */
	list_init(&list, 12, 4096);
	bitmap = memory_get64(list.image.source, list.image.map + 24);
	memory_write(list.image.source, bitmap + 512, memory_page(list.image.source, bitmap), 512);
	memory_put64(list.image.source, list.image.map + 24, bitmap + 512);
	assert_int_equal(image_open(&list.image), 0);
	assert_nothing_found(&list.image);
	assert_int_equal(list.image.pages.stats.bitmap_size, 512);
	image_free(&list.image);

	/* The user knows better. */
	list_init(&list, 12, 4096);
	image_write_fdt(&list.image);
	assert_int_equal(
		kho_open(&list.image.kho, list.image.source, list.image.fdt, list.image.report), 0);
	list.image.is_open = true;
	list.image.kho.v1_bitmap_size = 4096;
	assert_int_equal(kho_build_pageset(&list.image.pages, &list.image.kho, list.image.source,
					   list.image.report),
			 0);
	list.image.has_pages = true;
	assert_nothing_found(&list.image);
	image_free(&list.image);
}

#define LIST_CASE(list, id, ...)                                \
	do {                                                    \
		list_init(&(list), 12, 512);                    \
		__VA_ARGS__;                                    \
		assert_int_equal(image_open(&(list).image), 0); \
		assert_found(&(list).image, id, 1);             \
		assert_false((list).image.pages.complete);      \
		image_free(&(list).image);                      \
	} while (0)

static void test_bad_list(void **state)
{
	struct list list;
	struct source **source = &list.image.source;
	u64 *map = &list.image.map;

	(void)state;
	/* Cycles of 1 and 2. */
	LIST_CASE(list, KHO_NODE_REPEATED,
		  memory_put64(*source, memory_get64(*source, *map), memory_get64(*source, *map)));
	LIST_CASE(list, KHO_NODE_REPEATED,
		  memory_put64(*source, memory_get64(*source, *map), *map));
	/* Links. */
	LIST_CASE(list, KHO_NODE_ADDRESS, memory_put64(*source, *map, 0x30000800));
	LIST_CASE(list, KHO_NODE_ADDRESS, memory_put64(*source, *map, PHYS_END));
	LIST_CASE(list, KHO_NODE_UNREADABLE, memory_put64(*source, *map, 0x30000000));
	LIST_CASE(list, KHO_NODE_ADDRESS, memory_put64(*source, *map + 24, 0));
	LIST_CASE(list, KHO_NODE_ADDRESS, memory_put64(*source, *map + 24, 0x20000008));
	LIST_CASE(list, KHO_NODE_UNREADABLE, memory_put64(*source, *map + 24, 0x30000000));
	/* A bitmap that is a chunk, or another's bitmap. */
	LIST_CASE(list, KHO_NODE_REPEATED, memory_put64(*source, *map + 24, *map));
	LIST_CASE(list, KHO_NODE_REPEATED,
		  memory_put64(*source, memory_get64(*source, *map) + 24,
			       memory_get64(*source, *map + 24)));
	/* Numbers. */
	LIST_CASE(list, KHO_CHUNK_INVALID, memory_put32(*source, *map + 12, 256));
	LIST_CASE(list, KHO_CHUNK_INVALID, memory_put32(*source, *map + 12, ~0U));
	LIST_CASE(list, KHO_CHUNK_INVALID, memory_put32(*source, *map + 8, 29));
	LIST_CASE(list, KHO_CHUNK_INVALID, memory_put32(*source, *map + 8, ~0U));
	LIST_CASE(list, KHO_CHUNK_INVALID, memory_put32(*source, *map + 8, 1000));
	LIST_CASE(list, KHO_CHUNK_INVALID, memory_put64(*source, *map + 16, 0x10001000));
	LIST_CASE(list, KHO_CHUNK_INVALID, memory_put64(*source, *map + 16, PHYS_END));
}

static void test_list_blocks(void **state)
{
	struct list list;
	u64 bitmap;

	(void)state;
	/* Two bitmaps for the same memory. */
	list_init(&list, 12, 512);
	bitmap = add_bitmap(&list, list.image.map, 1, 0x10000000);
	set_bit(&list, bitmap, 1);
	assert_int_equal(image_open(&list.image), 0);
	assert_found(&list.image, KHO_BLOCKS_OVERLAP, 1);
	image_free(&list.image);
	/* The last block of a bitmap beyond 2^52. */
	list_init(&list, 12, 4096);
	memory_put32(list.image.source, memory_get64(list.image.source, list.image.map) + 8, 26);
	memory_put64(list.image.source, memory_get64(list.image.source, list.image.map) + 16, 0);
	assert_int_equal(image_open(&list.image), 0);
	assert_int_equal(report_count_id(list.image.report, IOMMUSER_FINDING_KHO_BLOCK_OUTSIDE_RAM),
			 1);
	image_free(&list.image);
	/* No map at all: nothing is preserved, and that is known. */
	image_init(&list.image, 12, 1);
	list.image.map = 0;
	assert_int_equal(image_open(&list.image), 0);
	assert_found(&list.image, KHO_NOT_SELF_REFERENT, 1);
	assert_true(list.image.pages.complete);
	assert_int_equal(list.image.pages.nr_pages, 0);
	image_free(&list.image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),   cmocka_unit_test(test_geometry),
		cmocka_unit_test(test_short_tree), cmocka_unit_test(test_bad_links),
		cmocka_unit_test(test_cycles),	   cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_keys),	   cmocka_unit_test(test_memory_end),
		cmocka_unit_test(test_overlap),	   cmocka_unit_test(test_limits),
		cmocka_unit_test(test_carried),	   cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_list),	   cmocka_unit_test(test_bitmap_size),
		cmocka_unit_test(test_bad_list),   cmocka_unit_test(test_list_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
