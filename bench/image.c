// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Handovers to measure with.
 */
#include "image.h"

#include <iommuser/seal.h>
#include <kho/abi/iommuser.h>
#include <string.h>

#define GENERATION 7

static void store(u8 *at, u64 value, u32 width)
{
	u32 i;

	for (i = 0; i < width; i++)
		at[i] = (u8)(value >> (8 * i));
}

static u8 *page_bytes(const struct bench_image *image, u64 slot)
{
	return image->space.bytes + image->slots[slot] * BENCH_PAGE_SIZE;
}

static u64 page_phys(const struct bench_image *image, u64 slot)
{
	return image->space.base + image->slots[slot] * BENCH_PAGE_SIZE;
}

static void init_chain(struct bench_image *image, u32 kind, u64 nr_records)
{
	struct bench_chain *chain = &image->chains[kind];

	chain->size = image->revision->kinds[kind].size;
	if (!chain->size)
		return;
	chain->capacity = (BENCH_PAGE_SIZE - image->revision->page_header_size) / chain->size;
	chain->nr_records = nr_records;
	chain->nr_pages = (nr_records + chain->capacity - 1) / chain->capacity;
	chain->first_slot = image->nr_pages;
	image->nr_pages += chain->nr_pages;
}

/* Random order for all pages but the root's, which is the first. */
static void place_pages(struct bench_image *image)
{
	u64 i;

	image->slots = bench_shuffle((u32)image->nr_pages);
	for (i = 0; image->slots[i]; i++)
		;
	image->slots[i] = image->slots[0];
	image->slots[0] = 0;
}

void bench_image_init(struct bench_image *image, const struct iommuser_revision *revision,
		      const u64 nr_records[IOMMUSER_NR_KINDS + 1])
{
	u32 kind;

	memset(image, 0, sizeof(*image));
	image->revision = revision;
	image->nr_pages = 1;
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		init_chain(image, kind, nr_records[kind]);
	bench_space_init(&image->space, BENCH_IMAGE_BASE, image->nr_pages);
	place_pages(image);
}

void bench_image_free(struct bench_image *image)
{
	bench_memory_free(image->slots, image->nr_pages * sizeof(u32));
	bench_memory_free(image->space.bytes, image->space.size);
}

/* Offset of a record in the image. */
static u64 record_offset(const struct bench_image *image, u32 kind, u64 position)
{
	const struct bench_chain *chain = &image->chains[kind];

	return image->slots[chain->first_slot + position / chain->capacity] * BENCH_PAGE_SIZE +
	       image->revision->page_header_size + position % chain->capacity * chain->size;
}

u64 bench_image_phys(const struct bench_image *image, u32 kind, u64 position)
{
	return image->space.base + record_offset(image, kind, position);
}

void bench_image_set(struct bench_image *image, u32 kind, u64 position, enum iommuser_field field,
		     u64 value)
{
	const struct iommuser_record_layout *layout = &image->revision->kinds[kind];
	u32 i;

	for (i = 0; i < layout->nr_rows; i++) {
		if (layout->rows[i].field != field)
			continue;
		store(image->space.bytes + record_offset(image, kind, position) +
			      layout->rows[i].wire,
		      value, layout->rows[i].width);
		return;
	}
}

static bool sealed(const struct bench_image *image)
{
	return image->revision->properties & IOMMUSER_REVISION_SEALED;
}

static void finish_sealed_page(struct bench_image *image, const struct iommuser_env *env, u32 kind,
			       u64 number)
{
	struct bench_chain *chain = &image->chains[kind];
	struct iommuser_page_ser *page = (void *)page_bytes(image, chain->first_slot + number);

	page->kind = kind;
	page->record_size = (u32)chain->size;
	page->sequence = number;
	page->generation = GENERATION;
	page->self = page_phys(image, chain->first_slot + number);
	iommuser_seal_write(env, page, offsetof(struct iommuser_page_ser, crc));
}

static void finish_chain(struct bench_image *image, const struct iommuser_env *env, u32 kind)
{
	struct bench_chain *chain = &image->chains[kind];
	u64 number, left = chain->nr_records;
	u8 *page;

	for (number = 0; number < chain->nr_pages; number++, left -= chain->capacity) {
		page = page_bytes(image, chain->first_slot + number);
		if (number + 1 < chain->nr_pages)
			store(page, page_phys(image, chain->first_slot + number + 1), 8);
		store(page + 8, left < chain->capacity ? left : chain->capacity, 8);
		if (sealed(image))
			finish_sealed_page(image, env, kind, number);
	}
}

static void finish_sealed_root(struct bench_image *image, const struct iommuser_env *env)
{
	struct iommuser_root_ser *root = (void *)image->space.bytes;

	root->magic = IOMMUSER_MAGIC;
	root->format_major = IOMMUSER_FORMAT_MAJOR;
	root->root_size = sizeof(*root);
	root->page_size = BENCH_PAGE_SIZE;
	root->generation = GENERATION;
	iommuser_seal_write(env, root, offsetof(struct iommuser_root_ser, crc));
}

void bench_image_finish(struct bench_image *image)
{
	const struct iommuser_revision *revision = image->revision;
	struct iommuser_env env = bench_env(&image->space);
	struct bench_chain *chain;
	u32 kind;
	u8 *at;

	if (revision->properties & IOMMUSER_REVISION_VERSION)
		store(image->space.bytes, revision->version, 8);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		chain = &image->chains[kind];
		if (!chain->nr_pages)
			continue;
		finish_chain(image, &env, kind);
		at = image->space.bytes + revision->arrays_offset +
		     (kind - 1) * revision->array_stride;
		store(at, page_phys(image, chain->first_slot), 8);
		if (revision->properties & IOMMUSER_REVISION_TOTALS)
			store(at + 8, chain->nr_records, 8);
	}
	if (sealed(image))
		finish_sealed_root(image, &env);
}
