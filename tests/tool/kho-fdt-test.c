// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The root FDT, the blobs beside it, and finding it in memory.
 */
#include "kho-image.h"

#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/kexec_metadata.h>
#include <kho/abi/layout-kho-luo.h>

static u64 add_metadata(struct image *image, u32 count)
{
	struct kexec_metadata_v1_ser ser = { .version = 1, .kexec_count = count };
	u64 phys = image_preserved_page(image);

	memcpy(ser.previous_release, "7.3.4", 6);
	memory_write(image->source, phys, &ser, sizeof(ser));
	image_add_subtree(image, "kexec-metadata", phys, sizeof(ser));
	return phys;
}

static void test_sound(void **state)
{
	static const u32 shifts[] = { 12, 14, 16 };
	struct image image;
	u32 version;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		for (version = 2; version <= 4; version++) {
			image_init(&image, shifts[i], version);
			add_metadata(&image, 7);
			assert_int_equal(image_open(&image), 0);
			assert_nothing_found(&image);
			assert_int_equal(image.kho.revision, KHO_REVISION_V1 + version - 1);
			assert_string_equal(image.kho.compatible, image.compatible);
			assert_int_equal(image.kho.map, image.map);
			assert_true(image.pages.complete);
			assert_int_equal(image.pages.stats.nr_blocks, 2);
			assert_true(image.kho.metadata.present);
			assert_int_equal(image.kho.metadata.kexec_count, 7);
			assert_string_equal(image.kho.metadata.previous_release, "7.3.4");
			assert_int_equal(image.kho.nr_subtrees, 1);
			assert_int_equal(image.kho.subtrees[0].has_size, version > 2);
			assert_ptr_equal(kho_find_subtree(&image.kho, "kexec-metadata"),
					 image.kho.subtrees);
			assert_null(kho_find_subtree(&image.kho, "kexec"));
			image_free(&image);
		}
	}
}

static void open_with(struct image *image, const char *compatible, int length)
{
	image_init(image, 12, 4);
	image->compatible = compatible;
	image->compatible_length = length;
	image_open(image);
}

#define OPEN_WITH(image, compatible) open_with(image, compatible, sizeof(compatible))

static void test_compatible(void **state)
{
	struct image image;

	(void)state;
	OPEN_WITH(&image, "kho-v4;radix-v1;vmalloc-v1");
	assert_nothing_found(&image);
	assert_int_equal(image.kho.revision, KHO_REVISION_V4);
	image_free(&image);

	OPEN_WITH(&image, "kho-v4\0radix-v1\0else-v7");
	assert_nothing_found(&image);
	assert_string_equal(image.kho.compatible, "kho-v4;radix-v1;else-v7");
	image_free(&image);

	/* Only the first token names the revision; one that starts like it doesn't. */
	OPEN_WITH(&image, "radix-v1;kho-v4");
	assert_found(&image, KHO_COMPATIBLE_UNKNOWN, 1);
	image_free(&image);
	OPEN_WITH(&image, "kho-v42");
	assert_found(&image, KHO_COMPATIBLE_UNKNOWN, 1);
	assert_int_equal(image.kho.revision, KHO_REVISION_UNKNOWN);
	assert_false(image.has_pages);
	image_free(&image);
	/* A radix tree of another revision isn't read as if it were known. */
	OPEN_WITH(&image, "kho-v4;radix-v2");
	assert_found(&image, KHO_COMPATIBLE_UNKNOWN, 1);
	image_free(&image);
	open_with(&image, "", 0);
	assert_found(&image, KHO_COMPATIBLE_UNKNOWN, 1);
	image_free(&image);
	/* Without a NUL, and longer than any buffer. */
	open_with(&image,
		  "kho-v4aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  70);
	assert_found(&image, KHO_COMPATIBLE_UNKNOWN, 1);
	image_free(&image);
}

static void test_unsound(void **state)
{
	struct image image;
	u8 *fdt;

	(void)state;
	image_init(&image, 12, 4);
	image_write_fdt(&image);
	fdt = memory_page(image.source, image.fdt);
	fdt_set_totalsize(fdt, 8192);
	assert_int_equal(kho_open(&image.kho, image.source, image.fdt, image.report),
			 -IOMMUSER_ECORRUPT);
	kho_close(&image.kho);
	assert_found(&image, KHO_FDT_UNSOUND, 1);

	fdt_set_totalsize(fdt, 4096);
	fdt_set_version(fdt, 15);
	fdt_set_last_comp_version(fdt, 15);
	assert_int_equal(kho_open(&image.kho, image.source, image.fdt, image.report),
			 -IOMMUSER_ECORRUPT);
	kho_close(&image.kho);
	assert_int_equal(kho_open(&image.kho, image.source, image.fdt + 8, image.report),
			 -IOMMUSER_ECORRUPT);
	kho_close(&image.kho);
	assert_int_equal(kho_open(&image.kho, image.source, 1ULL << 52, image.report),
			 -IOMMUSER_ECORRUPT);
	kho_close(&image.kho);
	assert_found(&image, KHO_FDT_UNSOUND, 4);
	image_free(&image);

	image_init(&image, 12, 4);
	memory_drop(image.source, image.fdt);
	assert_int_equal(kho_open(&image.kho, image.source, image.fdt, image.report),
			 -IOMMUSER_EUNMAPPED);
	kho_close(&image.kho);
	assert_found(&image, KHO_NODE_UNREADABLE, 1);
	image_free(&image);
}

static void test_map_property(void **state)
{
	static const int lengths[] = { 0, 4, 16 };
	static const u64 roots[] = { 0, 0x10001800, 1ULL << 52, ~0xfffULL };
	struct image image;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		image_init(&image, 12, 4);
		image.map_length = lengths[i];
		assert_int_equal(image_open(&image), -IOMMUSER_ENOENT);
		assert_found(&image, KHO_MAP_PROPERTY, 1);
		image_free(&image);
	}
	for (i = 0; i < 4; i++) {
		image_init(&image, 12, 4);
		image.map = roots[i];
		assert_int_equal(image_open(&image), -IOMMUSER_ENOENT);
		assert_found(&image, KHO_MAP_ROOT, 1);
		image_free(&image);
	}
}

static void open_subtree(struct image *image, u32 version, struct image_subtree subtree)
{
	u64 phys;

	image_init(image, 12, version);
	phys = image_preserved_page(image);
	if (!subtree.phys)
		subtree.phys = phys;
	if (subtree.phys == 1)
		subtree.phys = 0;
	image->subtrees[image->nr_subtrees++] = subtree;
	assert_int_equal(image_open(image), 0);
}

static void test_subtree(void **state)
{
	static const struct image_subtree bad[] = {
		{ "a", 0, 8, 4, 8 },
		{ "a", 0, 8, 0, 8 },
		{ "a", 0, 8, 8, 4 },
		{ "a", 0, 8, 8, 0 },
		{ "a", 0, 0, 8, 8 },
		{ "a", 1, 8, 8, 8 },
		{ "a", 1ULL << 52, 8, 8, 8 },
		{ "a", 0, ~0ULL, 8, 8 },
		{ "a", (1ULL << 52) - 4096, 4097, 8, 8 },
	};
	struct image image;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		open_subtree(&image, 4, bad[i]);
		assert_found(&image, KHO_SUBTREE_PROPERTY, 1);
		assert_false(image.kho.subtrees[0].valid);
		image_free(&image);
	}
	/* kho-v2 records no size, so none can be wrong. */
	open_subtree(&image, 2, (struct image_subtree){ "a", 0, 0, 8, 0 });
	assert_nothing_found(&image);
	assert_int_equal(image.kho.subtrees[0].size, 4096);
	image_free(&image);

	image_init(&image, 12, 4);
	image_add_subtree(&image, "a", image_preserved_page(&image), 8);
	image_add_subtree(&image, "a", image_preserved_page(&image), 8);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_SUBTREE_PROPERTY, 1);
	image_free(&image);
}

static void test_not_preserved(void **state)
{
	struct image image;

	(void)state;
	image_init(&image, 12, 4);
	image_add_subtree(&image, "a", image_page(&image), 8);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_SUBTREE_NOT_PRESERVED, 1);
	image_free(&image);

	/* The second page of a blob. */
	image_init(&image, 12, 4);
	image_add_subtree(&image, "a", image_preserved_page(&image), 4097);
	image_page(&image);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_SUBTREE_NOT_PRESERVED, 1);
	image_free(&image);

	image_init(&image, 12, 4);
	image.fdt = image_page(&image);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_NOT_SELF_REFERENT, 1);
	image_free(&image);
}

static void test_nearly_full(void **state)
{
	static char names[IMAGE_MAX_SUBTREES][420];
	struct image image;
	size_t i;

	(void)state;
	image_init(&image, 12, 4);
	for (i = 0; i < IMAGE_MAX_SUBTREES; i++) {
		memset(names[i], 'a', sizeof(names[i]) - 1);
		names[i][0] = (char)('a' + i);
		image_add_subtree(&image, names[i], image_preserved_page(&image), 8);
	}
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_FDT_NEARLY_FULL, 1);
	assert_in_range(image.kho.fdt_used, 3073, 4096);
	assert_int_equal(strlen(image.kho.subtrees[0].name),
			 sizeof(image.kho.subtrees[0].name) - 1);
	image_free(&image);
}

static void test_metadata(void **state)
{
	struct image image;
	u64 phys;

	(void)state;
	image_init(&image, 12, 4);
	memory_put32(image.source, add_metadata(&image, 1), 2);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_METADATA_INVALID, 1);
	assert_false(image.kho.metadata.present);
	image_free(&image);

	image_init(&image, 12, 4);
	phys = add_metadata(&image, 1);
	memset(memory_page(image.source, phys) + 4, 'x', KEXEC_METADATA_RELEASE_SIZE);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_METADATA_INVALID, 1);
	image_free(&image);

	image_init(&image, 12, 4);
	add_metadata(&image, 1);
	image.subtrees[0].size = 72;
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_METADATA_INVALID, 1);
	image_free(&image);

	image_init(&image, 12, 4);
	memory_drop(image.source, add_metadata(&image, 1));
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_SUBTREE_UNREADABLE, 1);
	image_free(&image);
}

static u64 add_memblock(struct image *image, const char *compatible, u64 start, u64 size)
{
	u64 phys = image_preserved_page(image);
	u8 *fdt = memory_page(image->source, phys);

	assert_int_equal(fdt_create(fdt, 4096), 0);
	assert_int_equal(fdt_finish_reservemap(fdt), 0);
	assert_int_equal(fdt_begin_node(fdt, ""), 0);
	assert_int_equal(fdt_property_string(fdt, "compatible", compatible), 0);
	assert_int_equal(fdt_begin_node(fdt, "trace"), 0);
	assert_int_equal(fdt_property_string(fdt, "compatible", "reserve-mem-v1"), 0);
	assert_int_equal(fdt_property(fdt, "start", &start, 8), 0);
	assert_int_equal(fdt_property(fdt, "size", &size, 8), 0);
	assert_int_equal(fdt_end_node(fdt), 0);
	assert_int_equal(fdt_end_node(fdt), 0);
	assert_int_equal(fdt_finish(fdt), 0);
	image_add_subtree(image, "memblock", phys, fdt_totalsize(fdt));
	return phys;
}

static void test_memblock(void **state)
{
	struct image image;

	(void)state;
	image_init(&image, 12, 4);
	image_preserve(&image, 0x40000000, 1);
	add_memblock(&image, "memblock-v1", 0x40000000, 0x2000);
	assert_int_equal(image_open(&image), 0);
	assert_nothing_found(&image);
	assert_int_equal(image.kho.nr_reserved, 1);
	assert_string_equal(image.kho.reserved[0].name, "trace");
	assert_true(iommuser_pageset_contains(&image.pages.set, IOMMUSER_MAPPED, 0x40000000, 0x2000,
					      NULL));
	image_free(&image);

	image_init(&image, 12, 4);
	add_memblock(&image, "memblock-v1", 0x40000000, 0x2000);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_SUBTREE_NOT_PRESERVED, 1);
	image_free(&image);

	image_init(&image, 12, 4);
	add_memblock(&image, "memblock-v2", 0x40000000, 0x2000);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_SUBTREE_PROPERTY, 1);
	image_free(&image);

	image_init(&image, 12, 4);
	add_memblock(&image, "memblock-v1", ~0xfffULL, 0x2000);
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_SUBTREE_PROPERTY, 1);
	assert_int_equal(image.kho.nr_reserved, 0);
	image_free(&image);

	image_init(&image, 12, 4);
	memory_drop(image.source, add_memblock(&image, "memblock-v1", 0x40000000, 0x2000));
	assert_int_equal(image_open(&image), 0);
	assert_found(&image, KHO_SUBTREE_UNREADABLE, 1);
	image_free(&image);
}

/* Copies at other addresses, a stale handover, foreign trees: only one is live. */
static void test_find(void **state)
{
	struct kho_candidates found;
	struct image image;
	char reason[160];
	u64 stale, copy, older_map;
	u8 *page;

	(void)state;
	image_init(&image, 12, 4);
	add_metadata(&image, 3);
	image_write_fdt(&image);
	copy = 0x1000;
	memory_write(image.source, copy, memory_page(image.source, image.fdt), 4096);
	/* One that is damaged. */
	memory_write(image.source, 0x20000000, memory_page(image.source, image.fdt), 4096);
	fdt_set_totalsize(memory_page(image.source, 0x20000000), 80);
	/* Another that refers to itself too, of an earlier kexec. */
	stale = 0x5000;
	older_map = image.map;
	image.fdt = stale;
	image.map = image_page(&image);
	image_preserve(&image, stale, 0);
	image.nr_subtrees = 0;
	add_metadata(&image, 2);
	image_write_fdt(&image);
	assert_int_not_equal(older_map, image.map);
	/* A tree of something else, and a page that only begins like one. */
	page = memory_page(image.source, 0x7000);
	assert_int_equal(fdt_create(page, 4096), 0);
	memory_put32(image.source, 0x9000, 0xedfe0dd0);

	assert_int_equal(kho_find(&found, image.source, NULL, NULL), 0);
	assert_int_equal(found.nr, 4);
	assert_int_equal(found.nr_found, 4);
	assert_int_equal(found.items[0].phys, 0x10000000);
	assert_int_equal(found.items[0].self_reference, KHO_YES);
	assert_int_equal(found.items[0].kexec_count, 3);
	assert_string_equal(kho_candidate_reason(&found.items[0], reason, sizeof(reason)),
			    "is in its own memory map, kexec_count 3");
	assert_int_equal(found.items[1].phys, stale);
	assert_int_equal(found.items[1].self_reference, KHO_YES);
	assert_int_equal(found.items[2].phys, copy);
	assert_int_equal(found.items[2].self_reference, KHO_NO);
	assert_int_equal(found.items[3].phys, 0x20000000);
	assert_int_equal(found.items[3].soundness, KHO_FDT_DAMAGED);
	assert_string_equal(kho_candidate_reason(&found.items[3], reason, 8), "the FDT");
	kho_free_candidates(&found);
	image_free(&image);
}

static void test_find_many(void **state)
{
	struct kho_candidates found;
	struct image image;
	u64 i;

	(void)state;
	image_init(&image, 12, 4);
	image_write_fdt(&image);
	/* Below and above the live one. */
	for (i = 0; i < 400; i++)
		memory_write(image.source, i % 2 ? 0x1000 * i : 0x20000000 + 0x1000 * i,
			     memory_page(image.source, image.fdt), 4096);
	assert_int_equal(kho_find(&found, image.source, NULL, NULL), 0);
	assert_int_equal(found.nr_found, 401);
	assert_in_range(found.nr, 2, 400);
	assert_int_equal(found.items[0].phys, image.fdt);
	kho_free_candidates(&found);

	/* Nothing at all. */
	memory_drop(image.source, image.fdt);
	for (i = 0; i < 400; i++)
		memory_drop(image.source, i % 2 ? 0x1000 * i : 0x20000000 + 0x1000 * i);
	assert_int_equal(kho_find(&found, image.source, NULL, NULL), 0);
	assert_int_equal(found.nr, 0);
	kho_free_candidates(&found);
	image_free(&image);
}

static void put_params(struct image *image, u64 phys, u64 setup_data)
{
	memory_write(image->source, phys + 0x202, "HdrS", 4);
	memory_put64(image->source, phys + 0x250, setup_data);
}

static void put_hand_off(struct image *image, u64 phys, u64 fdt, u64 scratch, u64 size)
{
	struct kho_setup_data_ser node = { 0, KHO_SETUP_DATA_TYPE, 32, fdt, 4096, scratch, size };

	memory_write(image->source, phys, &node, sizeof(node));
}

static void image_open_for_scratch(struct image *image)
{
	image_init(image, 12, 4);
	image_write_fdt(image);
	assert_int_equal(kho_open(&image->kho, image->source, image->fdt, image->report), 0);
	image->is_open = true;
}

static enum kho_hand_off find_scratch(struct image *image, u64 *phys, u64 *size)
{
	*phys = *size = 0;
	return kho_find_scratch(&image->kho, image->source, phys, size, NULL, NULL);
}

/* A kexec image waits to be copied: the list leads nowhere, what lies at the array's place is old. */
static void test_hand_off(void **state)
{
	struct image image;
	u64 phys, size;

	(void)state;
	image_open_for_scratch(&image);
	memory_put64(image.source, 0x8000, 0x1234);
	assert_int_equal(find_scratch(&image, &phys, &size), KHO_HAND_OFF_NONE);
	/* One for another FDT, and the right one across two pages. */
	put_hand_off(&image, 0x7000, 0x5000, 0x8000, 32);
	put_params(&image, 0x3000, 0x7000);
	assert_int_equal(find_scratch(&image, &phys, &size), KHO_HAND_OFF_NONE);
	put_hand_off(&image, 0x9ff0, image.fdt, 0x8000, 32);
	assert_int_equal(find_scratch(&image, &phys, &size), KHO_HAND_OFF_PREPARED);
	assert_int_equal(phys, 0);
	/* A list of other nodes, and one that never ends. */
	memory_put64(image.source, 0x7000, 0x7040);
	memory_put64(image.source, 0x7040, 0x7000);
	assert_int_equal(find_scratch(&image, &phys, &size), KHO_HAND_OFF_PREPARED);
	memory_put64(image.source, 0x7040, 0x90000000);
	assert_int_equal(find_scratch(&image, &phys, &size), KHO_HAND_OFF_PREPARED);
	/* Of a kexec image the one page that is in its place: the parameters are behind it. */
	put_params(&image, 0xb000, 0x9ff0);
	assert_int_equal(find_scratch(&image, &phys, &size), KHO_HAND_OFF_PREPARED);
	put_params(&image, 0xb000, 0);
	/* What kexec has copied: parameters, nodes behind them. */
	memory_put64(image.source, 0x7040, 0x9ff0);
	assert_int_equal(find_scratch(&image, &phys, &size), KHO_HAND_OFF_DONE);
	assert_int_equal(phys, 0x8000);
	assert_int_equal(size, 32);
	image_free(&image);
}

/* The kernel that has come up keeps the parameters anywhere, across two pages for example. */
static void test_hand_off_taken(void **state)
{
	struct image image;
	u64 phys, size;

	(void)state;
	image_open_for_scratch(&image);
	put_hand_off(&image, 0x4100, image.fdt, 0x8000, 32);
	put_params(&image, 0xbdb8, 0x4100);
	assert_int_equal(find_scratch(&image, &phys, &size), KHO_HAND_OFF_PREPARED);
	put_params(&image, 0xbdc0, 0x4100);
	assert_int_equal(find_scratch(&image, &phys, &size), KHO_HAND_OFF_DONE);
	assert_int_equal(phys, 0x8000);
	image_free(&image);
}

static void test_scratch(void **state)
{
	const u64 phys = 0x8000, size = 32;
	struct image image;

	(void)state;
	image_open_for_scratch(&image);
	memory_put64(image.source, 0x8000, 0);
	assert_int_equal(kho_load_scratch(&image.kho, image.source, phys, size, image.report), 0);
	assert_found(&image, KHO_SCRATCH_INVALID, 2);
	assert_int_equal(image.kho.nr_scratch, 0);
	report_free(image.report);
	image.report = report_new();

	memory_put64(image.source, 0x8000, 0x800000);
	memory_put64(image.source, 0x8008, 0x800000);
	memory_put64(image.source, 0x8010, 0x40000000);
	memory_put64(image.source, 0x8018, 0x10000000);
	assert_int_equal(kho_load_scratch(&image.kho, image.source, phys, size, image.report), 0);
	assert_nothing_found(&image);
	assert_int_equal(image.kho.nr_scratch, 2);

	memory_put64(image.source, 0x8010, 0xc00000);
	assert_int_equal(kho_load_scratch(&image.kho, image.source, phys, size, image.report), 0);
	memory_put64(image.source, 0x8010, 0x40001000);
	assert_int_equal(kho_load_scratch(&image.kho, image.source, phys, size, image.report), 0);
	memory_put64(image.source, 0x8018, 0);
	assert_int_equal(kho_load_scratch(&image.kho, image.source, phys, size, image.report), 0);
	memory_put64(image.source, 0x8018, ~0x3fffffULL);
	assert_int_equal(kho_load_scratch(&image.kho, image.source, phys, size, image.report), 0);
	assert_found(&image, KHO_SCRATCH_INVALID, 4);
	assert_int_equal(image.kho.nr_scratch, 1);
	assert_int_equal(kho_load_scratch(&image.kho, image.source, phys, 31, NULL),
			 -IOMMUSER_EINVAL);
	assert_int_equal(kho_load_scratch(&image.kho, image.source, phys, ~15ULL, NULL),
			 -IOMMUSER_EINVAL);
	assert_int_equal(kho_load_scratch(&image.kho, image.source, 0x70000000, 32, NULL),
			 -IOMMUSER_EUNMAPPED);
	image_free(&image);
}

static void scratch_case(u64 start, size_t overlaps)
{
	struct image image;

	image_init(&image, 12, 4);
	image_preserve(&image, 0x40000000, 3);
	image_write_fdt(&image);
	memory_put64(image.source, 0x8000, start);
	memory_put64(image.source, 0x8008, 0x400000);
	assert_int_equal(kho_open(&image.kho, image.source, image.fdt, image.report), 0);
	image.is_open = true;
	assert_int_equal(kho_load_scratch(&image.kho, image.source, 0x8000, 16, image.report), 0);
	assert_int_equal(kho_build_pageset(&image.pages, &image.kho, image.source, image.report),
			 0);
	image.has_pages = true;
	assert_found(&image, KHO_SCRATCH_OVERLAP, overlaps);
	image_free(&image);
}

static void test_scratch_overlap(void **state)
{
	(void)state;
	scratch_case(0x80000000, 0);
	/* A preserved block; then the FDT's block and every node of the tree. */
	scratch_case(0x40000000, 1);
	scratch_case(0x10000000, 1 + 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),		cmocka_unit_test(test_compatible),
		cmocka_unit_test(test_unsound),		cmocka_unit_test(test_map_property),
		cmocka_unit_test(test_subtree),		cmocka_unit_test(test_not_preserved),
		cmocka_unit_test(test_nearly_full),	cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_memblock),	cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_many),	cmocka_unit_test(test_hand_off),
		cmocka_unit_test(test_hand_off_taken),	cmocka_unit_test(test_scratch),
		cmocka_unit_test(test_scratch_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
