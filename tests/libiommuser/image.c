// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The fake physical memory, the environment that enforces the contract of
 * struct iommuser_env, and the collecting reporter.
 */
#include "image.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define NO_PAGE (~0ULL)

#if defined(__SANITIZE_ADDRESS__)
#define DEAD_COPIES_TRAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DEAD_COPIES_TRAP 1
#endif
#endif

static u64 page_base(const struct image *image, u64 phys)
{
	return phys & ~(image_page_size(image) - 1);
}

/* The slot of a page, or the free one where it would go. */
static struct image_page *find_slot(const struct image *image, u64 base)
{
	u64 at = (base >> 12) * 0x9e3779b97f4a7c15ULL >> 20;

	for (;; at++) {
		struct image_page *page = &image->pages[at & (image->nr_slots - 1)];

		if (page->phys == base || page->phys == NO_PAGE)
			return page;
	}
}

static void make_slots(struct image *image, u64 nr_slots)
{
	struct image_page *old = image->pages;
	u64 nr_old = image->nr_slots;
	u64 i;

	image->pages = malloc(nr_slots * sizeof(*image->pages));
	assert_non_null(image->pages);
	image->nr_slots = nr_slots;
	for (i = 0; i < nr_slots; i++)
		image->pages[i] = (struct image_page){ .phys = NO_PAGE };
	for (i = 0; i < nr_old; i++)
		if (old[i].phys != NO_PAGE)
			*find_slot(image, old[i].phys) = old[i];
	free(old);
}

static u32 sum_of(const void *bytes, u64 length)
{
	return (u32)crc32(0, bytes, (uInt)length);
}

/* End the life of a copy: nothing must have been written to it. */
static void bury(struct image *image, struct image_pointer *pointer)
{
	if (!pointer->copy)
		return;
	assert_int_equal(sum_of(pointer->copy, pointer->length), pointer->crc);
#ifdef DEAD_COPIES_TRAP
	(void)image;
	free(pointer->copy);
#else
	/* Whoever reads it still reads nonsense: keep it out of malloc's hands. */
	struct image_pointer *grave = &image->dead[image->calls % (ARRAY_SIZE(image->dead))];

	free(grave->copy);
	memset(pointer->copy, 0xdd, pointer->length);
	*grave = *pointer;
#endif
	pointer->copy = NULL;
}

static const void *map_copy(void *ctx, u64 phys, u64 length)
{
	struct image *image = ctx;
	u64 base = page_base(image, phys);
	struct image_pointer *pointer = &image->held[image->calls % (IOMMUSER_MAP_HELD + 1)];
	const struct image_page *page;

	assert_true(length > 0);
	assert_true(phys < 1ULL << IOMMUSER_PHYS_BITS);
	assert_true(length <= (1ULL << IOMMUSER_PHYS_BITS) - phys);
	assert_true(length <= image_page_size(image) - (phys - base));

	bury(image, pointer);
	image->calls++;
	page = find_slot(image, base);
	if (!page->bytes || !length)
		return NULL;
	pointer->copy = malloc(length);
	assert_non_null(pointer->copy);
	memcpy(pointer->copy, page->bytes + (phys - base), length);
	pointer->length = length;
	pointer->crc = sum_of(pointer->copy, length);
	return pointer->copy;
}

static u32 zlib_crc32(void *ctx, u32 crc, const void *data, u64 length)
{
	(void)ctx;
	return (u32)crc32(crc, data, (uInt)length);
}

struct image *image_new(u32 page_shift)
{
	struct image *image = calloc(1, sizeof(*image));

	assert_non_null(image);
	image->env.ctx = image;
	image->env.page_shift = page_shift;
	image->env.map = map_copy;
	image->env.crc32 = zlib_crc32;
	image->next_phys = IMAGE_FIRST_PHYS;
	make_slots(image, 64);
	return image;
}

void image_free(struct image *image)
{
	u64 i;

	for (i = 0; i <= IOMMUSER_MAP_HELD; i++)
		bury(image, &image->held[i]);
	for (i = 0; i < ARRAY_SIZE(image->dead); i++)
		free(image->dead[i].copy);
	for (i = 0; i < image->nr_slots; i++)
		free(image->pages[i].bytes);
	free(image->pages);
	free(image);
}

u8 *image_page(struct image *image, u64 phys)
{
	u64 base = page_base(image, phys);
	struct image_page *page;

	if (2 * image->nr_pages >= image->nr_slots)
		make_slots(image, 2 * image->nr_slots);
	page = find_slot(image, base);
	if (page->phys == NO_PAGE) {
		page->phys = base;
		image->nr_pages++;
	}
	if (!page->bytes) {
		page->bytes = calloc(1, image_page_size(image));
		assert_non_null(page->bytes);
	}
	return page->bytes;
}

void image_drop(struct image *image, u64 phys)
{
	struct image_page *page = find_slot(image, page_base(image, phys));

	assert_non_null(page->bytes);
	free(page->bytes);
	page->bytes = NULL;
}

u64 image_alloc(struct image *image)
{
	u64 phys = image->next_phys;

	image_page(image, phys);
	image->next_phys += image_page_size(image);
	return phys;
}

void image_put(struct image *image, u64 phys, u32 width, u64 value)
{
	u8 *at = image_page(image, phys) + (phys - page_base(image, phys));
	u32 i;

	assert_true(phys - page_base(image, phys) + width <= image_page_size(image));
	for (i = 0; i < width; i++)
		at[i] = (u8)(value >> (8 * i));
}

u64 image_get(struct image *image, u64 phys, u32 width)
{
	const u8 *at = image_page(image, phys) + (phys - page_base(image, phys));
	u64 value = 0;
	u32 i;

	for (i = 0; i < width; i++)
		value |= (u64)at[i] << (8 * i);
	return value;
}

/* The set and, behind it, its memory. */
struct iommuser_pageset *pageset_new(u64 chunks, u32 nr_planes)
{
	u64 size = iommuser_pageset_size(chunks, nr_planes);
	struct iommuser_pageset *set = calloc(1, sizeof(*set) + size);

	assert_true(size > 0);
	assert_non_null(set);
	assert_int_equal(iommuser_pageset_init(set, set + 1, size, chunks, nr_planes), 0);
	return set;
}

void pageset_free(struct iommuser_pageset *set)
{
	free(set);
}

void image_preserve(const struct image *image, struct iommuser_pageset *set)
{
	u64 i;

	for (i = 0; i < image->nr_slots; i++)
		if (image->pages[i].phys != NO_PAGE)
			assert_int_equal(iommuser_pageset_add(set, IOMMUSER_PRESERVED,
							      image->pages[i].phys,
							      image_page_size(image)),
					 0);
}

static void collect(void *ctx, const struct iommuser_finding *finding)
{
	struct findings *findings = ctx;

	assert_true(findings->count < MAX_FINDINGS);
	assert_non_null(iommuser_finding_code(finding->id));
	findings->list[findings->count++] = *finding;
}

void findings_init(struct findings *findings)
{
	memset(findings, 0, sizeof(*findings));
	findings->reporter.ctx = findings;
	findings->reporter.report = collect;
}

static bool take_code(struct findings *findings, const char *code, size_t length)
{
	const char *have;
	u32 i;

	for (i = 0; i < findings->count; i++) {
		have = iommuser_finding_code(findings->list[i].id);
		if (strlen(have) != length || memcmp(have, code, length) != 0)
			continue;
		findings->list[i] = findings->list[--findings->count];
		return true;
	}
	return false;
}

void expect_findings_at(struct findings *findings, const char *codes, const char *file, int line)
{
	bool wrong = false;
	size_t length;
	u32 i;

	for (; *codes; codes += length + (codes[length] == ' ')) {
		length = strcspn(codes, " ");
		if (take_code(findings, codes, length))
			continue;
		print_error("%s:%d: no finding %.*s\n", file, line, (int)length, codes);
		wrong = true;
	}
	for (i = 0; i < findings->count; i++) {
		const struct iommuser_finding *finding = &findings->list[i];

		print_error("%s:%d: unexpected %s kind %u index %llu field %u phys %#llx "
			    "found %#llx expected %#llx\n",
			    file, line, iommuser_finding_code(finding->id), finding->kind,
			    (unsigned long long)finding->index, finding->field,
			    (unsigned long long)finding->phys, (unsigned long long)finding->found,
			    (unsigned long long)finding->expected);
		wrong = true;
	}
	findings->count = 0;
	if (wrong)
		_fail(file, line);
}

const struct iommuser_finding *find_finding(const struct findings *findings,
					    enum iommuser_finding_id id)
{
	u32 i;

	for (i = 0; i < findings->count; i++)
		if (findings->list[i].id == id)
			return &findings->list[i];
	print_error("no finding %s\n", iommuser_finding_code(id));
	fail();
	return NULL;
}

u64 random_next(u64 *state)
{
	u64 x = *state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}
