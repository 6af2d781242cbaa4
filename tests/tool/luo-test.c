// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * LUO's state of every revision, and everything that can be wrong with it.
 */
#include "kho-image.h"
#include "luo.h"

#include <libfdt.h>
#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/block.h>
#include <kho/abi/memfd.h>

#define NR_FOLIOS 3

/*
 * Two sessions: "vm-1" with a memfd of three folios (4 KiB, 4 KiB, 8 KiB, none
 * behind the one before it in memory), an iommufd and a vfio device; "vm-2" with
 * one iommufd. One FLB.
 */
struct luo_image {
	struct image image;
	struct luo_state luo;
	u32 version;
	u64 blob;
	u64 blob_size;
	u64 sessions;
	u64 session;
	u64 files;
	u64 file;
	u64 flbs;
	u64 memfd;
	u64 chunk;
	u64 folios;
	u64 payload[NR_FOLIOS];
	bool is_open;
};

static void put_session(struct luo_image *image, u64 at, const char *name, u64 files, u64 count)
{
	struct luo_session_ser ser = { .files = files, .count = count };

	strncpy(ser.name, name, sizeof(ser.name) - 1);
	memory_write(image->image.source, at, &ser, sizeof(ser));
}

static void put_file(struct luo_image *image, u64 at, const char *compatible, u64 data, u64 token)
{
	struct luo_file_ser ser = { .data = data, .token = token };

	strncpy(ser.compatible, compatible, sizeof(ser.compatible) - 1);
	memory_write(image->image.source, at, &ser, sizeof(ser));
}

static void put_flb(struct luo_image *image, u64 at, const char *name, u64 data, u64 count)
{
	struct luo_flb_ser ser = { .data = data, .count = count };

	strncpy(ser.name, name, sizeof(ser.name) - 1);
	memory_write(image->image.source, at, &ser, sizeof(ser));
}

static void put_folio(struct luo_image *image, u64 i, u64 phys, u64 index)
{
	memory_put64(image->image.source, image->folios + 16 * i,
		     phys >> image->image.page_shift | MEMFD_FOLIO_UPTODATE);
	memory_put64(image->image.source, image->folios + 16 * i + 8, index);
}

static u64 payload_block(struct luo_image *image, u32 order)
{
	u64 size = image->image.page_size << order;
	u64 phys = (image->image.next + size - 1) & ~(size - 1);

	/* Never in the image: nobody may read it. */
	image->image.next = phys + size;
	image_preserve(&image->image, phys, order);
	return phys;
}

static void put_memfd(struct luo_image *image)
{
	struct source *source = image->image.source;
	u64 folios = image->version < 2 ? 24 : 32;

	image->memfd = image_preserved_page(&image->image);
	image->chunk = image_preserved_page(&image->image);
	image->folios = image_preserved_page(&image->image);
	image->payload[0] = payload_block(image, 0);
	image->payload[1] = payload_block(image, 1);
	image->payload[2] = payload_block(image, 0);
	put_folio(image, 0, image->payload[0], 0);
	put_folio(image, 1, image->payload[2], 1);
	put_folio(image, 2, image->payload[1], 2);
	memory_put64(source, image->memfd, 17);
	memory_put64(source, image->memfd + 8, 4 * image->image.page_size - 1);
	if (image->version >= 2)
		memory_put32(source, image->memfd + 16, 7);
	memory_put64(source, image->memfd + folios - 8, NR_FOLIOS);
	memory_put64(source, image->memfd + folios, image->chunk);
	memory_put32(source, image->memfd + folios + 8, 1);
	memory_put32(source, image->memfd + folios + 12, KHO_VMALLOC_ALLOC);
	memory_put64(source, image->chunk + 8, image->folios);
}

static u64 preserved_range(struct luo_image *image, u64 pages)
{
	u64 phys = image->image.next, i;

	/* Nodes of the tree must not come between. */
	image->image.next += pages * image->image.page_size;
	for (i = 0; i < pages; i++) {
		memory_page(image->image.source, phys + i * image->image.page_size);
		image_preserve(&image->image, phys + i * image->image.page_size, 0);
	}
	return phys;
}

static void put_containers(struct luo_image *image, u32 revision)
{
	struct source *source = image->image.source;
	u64 second;

	image->files = preserved_range(image, 2);
	second = preserved_range(image, 2);
	image->sessions = preserved_range(image, LUO_V1_SESSION_PAGES);
	image->session = image->sessions + (revision >= 4 ? 16 : 8);
	memory_put64(source, image->sessions + (revision >= 4 ? 8 : 0), 2);
	put_session(image, image->session, "vm-1", image->files, 3);
	put_session(image, image->session + 80, "vm-2", second, 1);
	image->file = image->files;
	if (revision >= 5) {
		memory_put64(source, image->files + 8, 3);
		memory_put64(source, second + 8, 1);
		image->file += 16;
		second += 16;
	}
	put_file(image, image->file, image->version < 2 ? "memfd-v1" : "memfd-v2", image->memfd, 1);
	put_file(image, image->file + 64, "iommufd-v1", 0x1000, 2);
	put_file(image, image->file + 128, "vfio-pci-v1", 0x1000, 3);
	put_file(image, second, "iommufd-v1", 0x2000, 1);
	image->flbs = preserved_range(image, 1);
	memory_put64(source, image->flbs, 1);
	memory_put64(source, image->flbs + 8, 1);
	put_flb(image, image->flbs + 16, "iommu-v1", 0x3000, 2);
}

static void begin_tree(u8 *fdt, u64 size, const char *compatible)
{
	assert_int_equal(fdt_create(fdt, (int)size), 0);
	assert_int_equal(fdt_finish_reservemap(fdt), 0);
	assert_int_equal(fdt_begin_node(fdt, ""), 0);
	assert_int_equal(fdt_property_string(fdt, "compatible", compatible), 0);
}

static void put_v1_blob(struct luo_image *image, const char *session_compatible,
			const char *property)
{
	u8 *fdt = memory_page(image->image.source, image->blob);
	u64 number = 5;

	begin_tree(fdt, image->image.page_size, "luo-v1");
	assert_int_equal(fdt_property(fdt, "liveupdate-number", &number, 8), 0);
	assert_int_equal(fdt_begin_node(fdt, "luo-session"), 0);
	assert_int_equal(fdt_property_string(fdt, "compatible", session_compatible), 0);
	assert_int_equal(fdt_property(fdt, property, &image->sessions, 8), 0);
	assert_int_equal(fdt_end_node(fdt), 0);
	assert_int_equal(fdt_begin_node(fdt, "luo-flb"), 0);
	assert_int_equal(fdt_property_string(fdt, "compatible", "luo-flb-v1"), 0);
	assert_int_equal(fdt_property(fdt, "luo-flb-header", &image->flbs, 8), 0);
	assert_int_equal(fdt_end_node(fdt), 0);
	assert_int_equal(fdt_end_node(fdt), 0);
	assert_int_equal(fdt_finish(fdt), 0);
}

static u64 put_v2_blob(struct luo_image *image)
{
	u64 header = image_preserved_page(&image->image);
	u8 *fdt = memory_page(image->image.source, image->blob);
	struct luo_v2_ser ser = { 5, image->sessions, image->flbs };

	memory_write(image->image.source, header, &ser, sizeof(ser));
	begin_tree(fdt, image->image.page_size, "luo-v2");
	assert_int_equal(fdt_property(fdt, "luo-abi-header", &header, 8), 0);
	assert_int_equal(fdt_end_node(fdt), 0);
	assert_int_equal(fdt_finish(fdt), 0);
	return header;
}

static void put_struct(struct luo_image *image, const char *compatible)
{
	struct luo_v2_ser ser = { 5, image->sessions, image->flbs };
	u64 offset = (strlen(compatible) + 8) / 8 * 8;

	memset(memory_page(image->image.source, image->blob), 0, 128);
	memory_write(image->image.source, image->blob, compatible, strlen(compatible));
	memory_write(image->image.source, image->blob + offset, &ser, sizeof(ser));
	image->blob_size = offset + sizeof(ser);
	image->image.subtrees[0].size = image->blob_size;
}

static void luo_init(struct luo_image *image, u32 page_shift, u32 revision)
{
	char compatible[] = "luo-v0";

	memset(image, 0, sizeof(*image));
	image_init(&image->image, page_shift, 4);
	image->version = revision == 1 ? 1 : 2;
	image->blob = image_preserved_page(&image->image);
	image->blob_size = image->image.page_size;
	image_add_subtree(&image->image, "LUO", image->blob, image->blob_size);
	put_memfd(image);
	put_containers(image, revision);
	compatible[5] = (char)('0' + revision);
	if (revision == 1)
		put_v1_blob(image, "luo-session-v2", "luo-session-header");
	else if (revision == 2)
		put_v2_blob(image);
	else
		put_struct(image, compatible);
}

static int luo_image_open(struct luo_image *image)
{
	assert_int_equal(image_open(&image->image), 0);
	image->is_open = true;
	return luo_open(&image->luo, image->image.source, image->blob, image->blob_size,
			&image->image.pages, true, image->image.report);
}

static void luo_image_free(struct luo_image *image)
{
	if (image->is_open)
		luo_close(&image->luo);
	image_free(&image->image);
}

static void check_sound(struct luo_image *image, u32 revision)
{
	const struct luo_state *luo = &image->luo;
	const struct memfd *memfd = luo->sessions[0].files[0].memfd;
	u64 page = image->image.page_size, phys, length, cursor = 0;

	assert_nothing_found(&image->image);
	assert_int_equal(luo->revision, LUO_REVISION_V1 + revision - 1);
	assert_int_equal(luo->liveupdate_num, 5);
	assert_int_equal(luo->nr_sessions, 2);
	assert_true(luo->sessions_complete && luo->flbs_complete);
	assert_string_equal(luo->sessions[0].name, "vm-1");
	assert_int_equal(luo->sessions[0].nr_files, 3);
	assert_int_equal(luo->sessions[1].nr_files, 1);
	assert_string_equal(luo->sessions[0].files[2].compatible, "vfio-pci-v1");
	assert_int_equal(luo->sessions[0].files[2].token, 3);
	assert_int_equal(luo->sessions[1].files[0].data, 0x2000);
	assert_int_equal(luo->nr_flbs, 1);
	assert_int_equal(luo_find_flb(luo, "iommu-v1")->data, 0x3000);
	assert_null(luo_find_flb(luo, "iommu"));
	assert_non_null(memfd);
	assert_true(memfd->complete);
	assert_int_equal(memfd->size, 4 * page - 1);
	assert_int_equal(memfd->pos, 17);
	assert_int_equal(memfd->seals, revision == 1 ? 0 : 7);
	assert_int_equal(memfd->nr_present, 3);
	assert_int_equal(memfd->folios_bytes, 4 * page);
	assert_int_equal(memfd->nr_extents, 3);
	assert_int_equal(memfd->extents[2].phys, image->payload[1]);
	assert_int_equal(memfd->extents[2].offset, 2 * page);
	/* Every preserved page is explained. */
	assert_false(iommuser_pageset_next(&image->image.pages.set, IOMMUSER_IN(IOMMUSER_PRESERVED),
					   &cursor, 1 << IOMMUSER_VISITED | 1 << IOMMUSER_MAPPED,
					   &phys, &length));
}

static void test_sound(void **state)
{
	static const u32 shifts[] = { 12, 14, 16 };
	struct luo_image image;
	u32 revision;
	u64 number;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		for (revision = 1; revision <= 5; revision++) {
			luo_init(&image, shifts[i], revision);
			assert_int_equal(luo_image_open(&image), 0);
			if (revision >= 4) {
				/* Of the flat array's pages only one is a block. */
				assert_nothing_found(&image.image);
				assert_int_equal(image.luo.nr_sessions, 2);
			} else {
				check_sound(&image, revision);
			}
			assert_true(luo_peek_number(image.image.source, image.blob, 0, &number));
			assert_int_equal(number, 5);
			luo_image_free(&image);
		}
	}
}

static void test_compatible(void **state)
{
	static const char too_long[] =
		"luo-v5555555555555555555555555555555555555555555555555555555555555555555555";
	static const char *const unknown[] = { "luo-v6", "luo-v1",	    "luo-v55",
					       "",	 "luo-v4;block-v2", too_long };
	struct luo_image image;
	u64 number;
	size_t i;

	(void)state;
	luo_init(&image, 12, 4);
	put_struct(&image, "luo-v4;block-v1");
	assert_int_equal(image.blob_size, 40);
	assert_int_equal(luo_image_open(&image), 0);
	assert_nothing_found(&image.image);
	assert_int_equal(image.luo.nr_sessions, 2);
	luo_image_free(&image);

	for (i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		luo_init(&image, 12, 5);
		put_struct(&image, unknown[i]);
		assert_int_equal(luo_image_open(&image), -IOMMUSER_EUNKNOWN);
		assert_found(&image.image, LUO_COMPATIBLE_UNKNOWN, 1);
		assert_false(luo_peek_number(image.image.source, image.blob, 0, &number));
		luo_image_free(&image);
	}
	luo_init(&image, 12, 1);
	begin_tree(memory_page(image.image.source, image.blob), 4096, "luo-v3");
	fdt_end_node(memory_page(image.image.source, image.blob));
	fdt_finish(memory_page(image.image.source, image.blob));
	assert_int_equal(luo_image_open(&image), -IOMMUSER_EUNKNOWN);
	assert_found(&image.image, LUO_COMPATIBLE_UNKNOWN, 1);
	luo_image_free(&image);
	/* What a kernel of before the release wrote. */
	luo_init(&image, 12, 1);
	put_v1_blob(&image, "luo-session-v1", "luo-session-head");
	assert_int_equal(luo_image_open(&image), 0);
	assert_nothing_found(&image.image);
	luo_image_free(&image);
}

static void test_state(void **state)
{
	struct luo_image image;
	u64 header;

	(void)state;
	luo_init(&image, 12, 5);
	image.blob_size = 31;
	assert_int_equal(luo_image_open(&image), -IOMMUSER_ECORRUPT);
	assert_found(&image.image, LUO_STATE_INVALID, 1);
	luo_image_free(&image);

	luo_init(&image, 12, 1);
	put_v1_blob(&image, "luo-session-v3", "luo-session-header");
	assert_int_equal(luo_image_open(&image), -IOMMUSER_ECORRUPT);
	assert_found(&image.image, LUO_STATE_INVALID, 1);
	luo_image_free(&image);

	luo_init(&image, 12, 1);
	put_v1_blob(&image, "luo-session-v2", "luo-session");
	assert_int_equal(luo_image_open(&image), -IOMMUSER_ECORRUPT);
	assert_found(&image.image, LUO_STATE_INVALID, 1);
	luo_image_free(&image);

	luo_init(&image, 12, 1);
	fdt_set_totalsize(memory_page(image.image.source, image.blob), 8192);
	assert_int_equal(luo_image_open(&image), -IOMMUSER_ECORRUPT);
	assert_found(&image.image, LUO_STATE_INVALID, 1);
	luo_image_free(&image);

	luo_init(&image, 12, 2);
	header = put_v2_blob(&image);
	memory_drop(image.image.source, header);
	assert_int_equal(luo_image_open(&image), -IOMMUSER_EUNMAPPED);
	assert_found(&image.image, LUO_UNREADABLE, 1);
	luo_image_free(&image);

	luo_init(&image, 12, 5);
	memory_drop(image.image.source, image.blob);
	assert_int_equal(luo_image_open(&image), -IOMMUSER_EUNMAPPED);
	assert_found(&image.image, LUO_UNREADABLE, 1);
	luo_image_free(&image);

	luo_init(&image, 12, 5);
	image.blob += 4;
	assert_int_equal(luo_image_open(&image), -IOMMUSER_ECORRUPT);
	assert_found(&image.image, LUO_BLOCK_ADDRESS, 1);
	luo_image_free(&image);
}

static struct luo_image the;

/* One change to a sound image of a revision, one finding. */
#define LUO_CASE(revision, id, ...)                        \
	do {                                               \
		luo_init(&the, 12, revision);              \
		__VA_ARGS__;                               \
		assert_int_equal(luo_image_open(&the), 0); \
		assert_found(&the.image, id, 1);           \
		luo_image_free(&the);                      \
	} while (0)

#define PUT(at, value) memory_put64(the.image.source, (at), (value))
#define PUT32(at, value) memory_put32(the.image.source, (at), (value))
#define FILL(at, length) memset(memory_page(the.image.source, (at)) + ((at)&0xfff), 'a', (length))

static void test_sessions(void **state)
{
	(void)state;
	LUO_CASE(5, LUO_SESSION_NAME, FILL(the.session, 64));
	LUO_CASE(5, LUO_SESSION_NAME, PUT(the.session, 0));
	LUO_CASE(5, LUO_SESSION_DUPLICATE, put_session(&the, the.session, "vm-2", the.files, 3));
	LUO_CASE(3, LUO_SESSION_DUPLICATE, put_session(&the, the.session, "vm-2", the.files, 3));
	/* Lists: cycles of 1 and 2, links, counts. */
	LUO_CASE(4, LUO_CHAIN_CYCLE, PUT(the.sessions, the.sessions));
	LUO_CASE(5, LUO_CHAIN_CYCLE, PUT(the.sessions, the.sessions + 4096),
		 PUT(the.sessions + 4096, the.sessions), PUT(the.sessions + 4104, 1),
		 put_session(&the, the.sessions + 4112, "vm-3", 0, 0));
	LUO_CASE(5, LUO_BLOCK_EMPTY, PUT(the.sessions, the.sessions + 4096));
	LUO_CASE(5, LUO_BLOCK_COUNT, PUT(the.sessions + 8, 52));
	LUO_CASE(5, LUO_BLOCK_COUNT, PUT(the.sessions + 8, ~0ULL));
	LUO_CASE(5, LUO_BLOCK_ADDRESS, PUT(the.sessions, the.sessions + 8));
	LUO_CASE(5, LUO_BLOCK_ADDRESS, PUT(the.sessions, 1ULL << 52));
	LUO_CASE(5, LUO_UNREADABLE, memory_drop(the.image.source, the.sessions + 4096),
		 PUT(the.sessions, the.sessions + 4096));
	/* Flat arrays. */
	LUO_CASE(1, LUO_BLOCK_COUNT, PUT(the.sessions, 820));
	LUO_CASE(2, LUO_BLOCK_COUNT, PUT(the.sessions, ~0ULL));
	LUO_CASE(3, LUO_BLOCK_COUNT, PUT(the.session + 72, 129));
	LUO_CASE(3, LUO_BLOCK_ADDRESS, PUT(the.session + 64, the.files + 8));
	LUO_CASE(3, LUO_CHAIN_CYCLE, PUT(the.session + 144, the.files));
	LUO_CASE(3, LUO_UNREADABLE, memory_drop(the.image.source, the.sessions));
	LUO_CASE(3, LUO_BLOCK_ADDRESS, the.sessions += 8, put_struct(&the, "luo-v3"));
}

/* Full blocks one after the other: all are read, in order. */
static void test_long_list(void **state)
{
	char name[16] = "s-000";
	u64 block, next, i, nr = 51 * 3;

	(void)state;
	luo_init(&the, 12, 5);
	block = the.sessions;
	for (i = 0; i < nr; i++) {
		name[2] = (char)('0' + i / 100);
		name[3] = (char)('0' + i / 10 % 10);
		name[4] = (char)('0' + i % 10);
		put_session(&the, block + 16 + i % 51 * 80, name, 0, 0);
		PUT(block + 8, i % 51 + 1);
		if (i % 51 == 50 && i + 1 < nr) {
			next = image_preserved_page(&the.image);
			PUT(block, next);
			block = next;
		}
	}
	PUT(the.flbs + 8, 0);
	assert_int_equal(luo_image_open(&the), 0);
	assert_nothing_found(&the.image);
	assert_int_equal(the.luo.nr_sessions, nr);
	assert_string_equal(the.luo.sessions[nr - 1].name, "s-152");
	luo_image_free(&the);
}

static void test_too_many_blocks(void **state)
{
	u64 i, first;

	(void)state;
	luo_init(&the, 12, 5);
	first = the.image.next;
	for (i = 0; i < KHO_BLOCK_MAX_BLOCKS; i++) {
		PUT(first + i * 4096, first + (i + 1) * 4096);
		PUT(first + i * 4096 + 8, 1);
		memory_page(the.image.source, first + i * 4096)[16] = 'a';
	}
	the.image.next = first + i * 4096;
	PUT(the.sessions, first);
	assert_int_equal(image_open(&the.image), 0);
	assert_int_equal(luo_open(&the.luo, the.image.source, the.blob, the.blob_size, NULL, true,
				  the.image.report),
			 0);
	the.is_open = true;
	assert_int_equal(report_count_id(the.image.report, IOMMUSER_FINDING_LUO_TOO_MANY_BLOCKS),
			 1);
	assert_int_equal(the.luo.nr_sessions, 2 + KHO_BLOCK_MAX_BLOCKS - 1);
	assert_false(the.luo.sessions_complete);
	luo_image_free(&the);
}

static void test_files(void **state)
{
	(void)state;
	LUO_CASE(5, LUO_COUNT_MISMATCH, PUT(the.session + 72, 4));
	LUO_CASE(5, LUO_COUNT_MISMATCH, PUT(the.session + 72, 0));
	LUO_CASE(5, LUO_COUNT_MISMATCH, PUT(the.session + 144, 0));
	LUO_CASE(3, LUO_COUNT_MISMATCH, PUT(the.session + 144, 0));
	LUO_CASE(5, LUO_FILE_COMPATIBLE, FILL(the.file + 64, 48));
	LUO_CASE(5, LUO_FILE_COMPATIBLE, PUT(the.file + 64, 0), PUT(the.file + 72, 0),
		 PUT(the.flbs + 72, 1));
	LUO_CASE(5, LUO_TOKEN_DUPLICATE, PUT(the.file + 64 + 56, 3));
	LUO_CASE(1, LUO_TOKEN_DUPLICATE, PUT(the.file + 64 + 56, 3));
	LUO_CASE(5, LUO_DATA_DUPLICATE, PUT(the.file + 64 + 48, 0x2000));
	LUO_CASE(5, LUO_HANDLER_UNKNOWN, put_file(&the, the.file + 64, "new-v1", 0x2000, 2),
		 put_file(&the, the.file + 128, "new-v1", 0x2000, 3), PUT(the.flbs + 72, 1));
	LUO_CASE(5, LUO_CHAIN_CYCLE, PUT(the.files, the.files));
	LUO_CASE(5, LUO_CHAIN_CYCLE, PUT(the.session + 144, the.files));
	LUO_CASE(5, LUO_BLOCK_EMPTY, PUT(the.files, the.files + 4096));
	LUO_CASE(5, LUO_BLOCK_COUNT, PUT(the.files + 8, 64));
	LUO_CASE(5, LUO_BLOCK_ADDRESS, PUT(the.session + 64, 0x123));
	LUO_CASE(4, LUO_BLOCK_ADDRESS, PUT(the.session + 64, ~0xfffULL));
	LUO_CASE(5, LUO_UNREADABLE, memory_drop(the.image.source, the.files));
	LUO_CASE(5, LUO_BLOCK_ADDRESS, PUT(the.file + 48, 0));
	LUO_CASE(5, LUO_BLOCK_ADDRESS, PUT(the.file + 48, (1ULL << 52) - 8));
}

static void test_flbs(void **state)
{
	(void)state;
	LUO_CASE(5, LUO_FLB_PAGE_COUNT, PUT(the.flbs, 2));
	LUO_CASE(5, LUO_FLB_COUNT, PUT(the.flbs + 8, 64));
	LUO_CASE(1, LUO_FLB_COUNT, PUT(the.flbs + 8, ~0ULL));
	LUO_CASE(5, LUO_FLB_NAME, FILL(the.flbs + 16, 48));
	LUO_CASE(5, LUO_FLB_USERS, PUT(the.flbs + 72, 0));
	/* Three files can need IOMMU state; all four another FLB. */
	LUO_CASE(5, LUO_FLB_USERS, PUT(the.flbs + 72, 4));
	LUO_CASE(5, LUO_FLB_USERS, put_flb(&the, the.flbs + 16, "pci-v1", 0x3000, 5));
	LUO_CASE(5, LUO_FLB_DUPLICATE, PUT(the.flbs + 8, 2),
		 put_flb(&the, the.flbs + 80, "iommu-v1", 0x4000, 1));
	LUO_CASE(5, LUO_UNREADABLE, memory_drop(the.image.source, the.flbs));
	LUO_CASE(5, LUO_BLOCK_ADDRESS, the.flbs += 8, put_struct(&the, "luo-v5"));
}

static void test_memfd(void **state)
{
	(void)state;
	LUO_CASE(5, LUO_MEMFD_FOLIO_COUNT, PUT(the.memfd + 24, 257));
	LUO_CASE(5, LUO_MEMFD_FOLIO_COUNT, PUT(the.memfd + 24, ~0ULL));
	LUO_CASE(1, LUO_MEMFD_FOLIO_COUNT, PUT(the.memfd + 16, 257));
	LUO_CASE(5, LUO_MEMFD_FLAGS, PUT32(the.memfd + 20, 1));
	LUO_CASE(5, LUO_MEMFD_FLAGS, PUT32(the.memfd + 16, 0x40));
	LUO_CASE(5, LUO_MEMFD_FLAGS, PUT(the.folios, the.payload[0] >> 12 | 1ULL << 54));
	LUO_CASE(5, LUO_UNREADABLE, memory_drop(the.image.source, the.memfd));
	LUO_CASE(5, LUO_UNREADABLE, memory_drop(the.image.source, the.chunk));
	LUO_CASE(5, LUO_UNREADABLE, memory_drop(the.image.source, the.folios));
	/* The descriptor. */
	LUO_CASE(5, LUO_VMALLOC_INVALID, PUT32(the.memfd + 44, 5));
	LUO_CASE(5, LUO_VMALLOC_INVALID, PUT32(the.memfd + 44, 1 | 11 << 16));
	LUO_CASE(5, LUO_VMALLOC_INVALID, PUT32(the.memfd + 44, 1 | 0xffffU << 16));
	LUO_CASE(5, LUO_VMALLOC_INVALID, PUT32(the.memfd + 44, 1 | 1 << 16));
	LUO_CASE(5, LUO_VMALLOC_INVALID, PUT(the.memfd + 32, 0));
	/* The list. */
	LUO_CASE(5, LUO_VMALLOC_CHUNKS, PUT(the.chunk, the.chunk));
	LUO_CASE(5, LUO_VMALLOC_CHUNKS, PUT(the.chunk, 1ULL << 52));
	LUO_CASE(5, LUO_VMALLOC_CHUNKS, PUT(the.memfd + 32, 0x123));
	LUO_CASE(5, LUO_VMALLOC_CHUNKS, PUT(the.chunk + 8, 0));
	LUO_CASE(5, LUO_VMALLOC_CHUNKS, PUT(the.chunk + 8, 0x123));
	LUO_CASE(5, LUO_VMALLOC_CHUNKS, PUT(the.chunk + 16, image_preserved_page(&the.image)));
	LUO_CASE(5, LUO_VMALLOC_CHUNKS, PUT(the.chunk + 16, the.folios));
	/* Folios. */
	LUO_CASE(5, LUO_FOLIO_NOT_PRESERVED, put_folio(&the, 0, 0x80000000, 0));
	LUO_CASE(5, LUO_FOLIO_NOT_PRESERVED, put_folio(&the, 2, the.payload[1] + 4096, 2));
	LUO_CASE(5, LUO_FOLIO_NOT_PRESERVED, PUT(the.folios, 1ULL << 51));
	LUO_CASE(5, LUO_FOLIO_INDEX, put_folio(&the, 2, the.payload[1], 4));
	LUO_CASE(5, LUO_FOLIO_INDEX, put_folio(&the, 2, the.payload[1], ~0ULL));
	LUO_CASE(5, LUO_FOLIO_INDEX, put_folio(&the, 2, the.payload[1], 1));
	LUO_CASE(5, LUO_MEMFD_GAP, PUT(the.memfd + 24, 2));
	LUO_CASE(1, LUO_MEMFD_GAP, PUT(the.memfd + 8, 4 * 4096 + 1));
	LUO_CASE(5, LUO_FOLIO_SHARED, put_folio(&the, 1, the.payload[0], 1));
	/* Of a memfd whose struct is the same as another's: once. */
	LUO_CASE(5, LUO_DATA_DUPLICATE, put_file(&the, the.file + 64, "memfd-v2", the.memfd, 2),
		 PUT(the.flbs + 72, 1));
}

static void test_empty_memfd(void **state)
{
	(void)state;
	luo_init(&the, 12, 5);
	memset(memory_page(the.image.source, the.memfd), 0, 48);
	assert_int_equal(luo_image_open(&the), 0);
	assert_nothing_found(&the.image);
	assert_int_equal(the.luo.sessions[0].files[0].memfd->nr_extents, 0);
	assert_true(the.luo.sessions[0].files[0].memfd->complete);
	luo_image_free(&the);

	/* An entry to skip, and an empty chunk at the end. */
	luo_init(&the, 12, 5);
	PUT(the.folios + 16, 0);
	PUT(the.chunk, image_preserved_page(&the.image));
	assert_int_equal(luo_image_open(&the), 0);
	assert_found(&the.image, LUO_MEMFD_GAP, 1);
	assert_int_equal(the.luo.sessions[0].files[0].memfd->nr_present, 2);
	luo_image_free(&the);
}

/* Everything the state consists of has to be preserved, each page for itself. */
static void test_closure(void **state)
{
	u64 *const pages[] = { &the.sessions, &the.files, &the.flbs,
			       &the.memfd,    &the.chunk, &the.folios };
	u64 key, word, bit;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		luo_init(&the, 12, 5);
		key = image_key(&the.image, *pages[i], 0);
		word = image_slot(&the.image, key, 0);
		bit = 1ULL << (key % 64);
		PUT(word, memory_get64(the.image.source, word) & ~bit);
		assert_int_equal(luo_image_open(&the), 0);
		assert_found(&the.image, CLOSURE_LUO, 1);
		assert_int_equal(report_get(the.image.report, 0)->finding.phys, *pages[i]);
		luo_image_free(&the);
	}
	/* Without a set nothing is said about it. */
	luo_init(&the, 12, 5);
	assert_int_equal(
		luo_open(&the.luo, the.image.source, the.blob, 0, NULL, true, the.image.report), 0);
	the.is_open = true;
	assert_nothing_found(&the.image);
	assert_int_equal(the.luo.sessions[0].files[0].memfd->length_from, MEMFD_LENGTH_PAGE);
	luo_image_free(&the);
}

/* The same findings and sums whether or not anybody wants to know where folios are. */
static void test_no_extents(void **state)
{
	const struct memfd *memfd;

	(void)state;
	luo_init(&the, 12, 5);
	assert_int_equal(image_open(&the.image), 0);
	assert_int_equal(luo_open(&the.luo, the.image.source, the.blob, the.blob_size,
				  &the.image.pages, false, the.image.report),
			 0);
	the.is_open = true;
	memfd = the.luo.sessions[0].files[0].memfd;
	assert_nothing_found(&the.image);
	assert_true(memfd->complete);
	assert_int_equal(memfd->nr_extents, 0);
	assert_null(memfd->extents);
	assert_int_equal(memfd->nr_present, NR_FOLIOS);
	assert_int_equal(memfd->folios_bytes, 4 * the.image.page_size);
	assert_true(iommuser_pageset_contains(&the.image.pages.set, IOMMUSER_MAPPED, the.payload[1],
					      2 * the.image.page_size, NULL));
	luo_image_free(&the);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),	  cmocka_unit_test(test_compatible),
		cmocka_unit_test(test_state),	  cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_long_list), cmocka_unit_test(test_too_many_blocks),
		cmocka_unit_test(test_files),	  cmocka_unit_test(test_flbs),
		cmocka_unit_test(test_memfd),	  cmocka_unit_test(test_empty_memfd),
		cmocka_unit_test(test_closure),	  cmocka_unit_test(test_no_extents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
