/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A physical memory made of single pages, for tests of the library, with an
 * environment that holds the library to its contract; and a reporter that
 * collects findings.
 */
#ifndef TESTS_IMAGE_H
#define TESTS_IMAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <iommuser/env.h>
#include <iommuser/error.h>
#include <iommuser/finding.h>
#include <iommuser/pageset.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Where image_alloc() starts. */
#define IMAGE_FIRST_PHYS 0x10000000ULL

struct image_page {
	u64 phys;
	u8 *bytes;
};

/* A copy of some bytes, handed to the library. */
struct image_pointer {
	void *copy;
	u64 length;
	u32 crc;
};

/**
 * struct image - a fake physical memory
 * @env: to hand to the library. Its map() gives private copies of exactly the
 *	bytes asked for; a copy dies when IOMMUSER_MAP_HELD further calls have
 *	been made, and must be unchanged then
 * @calls: of map()
 *
 * The other members are private.
 */
struct image {
	struct iommuser_env env;
	u64 calls;
	struct image_page *pages; /* hash table */
	u64 nr_pages;
	u64 nr_slots;
	u64 next_phys;
	struct image_pointer held[IOMMUSER_MAP_HELD + 1];
	struct image_pointer dead[4 * IOMMUSER_MAP_HELD];
};

struct image *image_new(u32 page_shift);
void image_free(struct image *image);

static inline u64 image_page_size(const struct image *image)
{
	return 1ULL << image->env.page_shift;
}

/* The bytes of the page at @phys (any address in it); a zeroed one is made where there is none. */
u8 *image_page(struct image *image, u64 phys);
/* Make a page unreadable. */
void image_drop(struct image *image, u64 phys);
/* Address of a fresh zeroed page; 4 KiB ones share no page of the image with others. */
u64 image_alloc(struct image *image);
/* Write or read @width bytes, little-endian, within a page. */
void image_put(struct image *image, u64 phys, u32 width, u64 value);
u64 image_get(struct image *image, u64 phys, u32 width);

/* A set with room for @chunks chunks and all planes; free with pageset_free(). */
struct iommuser_pageset *pageset_new(u64 chunks, u32 nr_planes);
void pageset_free(struct iommuser_pageset *set);
/* Preserve every page of the image. */
void image_preserve(const struct image *image, struct iommuser_pageset *set);

#define MAX_FINDINGS 1024

/* Every finding, as they came. */
struct findings {
	struct iommuser_reporter reporter;
	struct iommuser_finding list[MAX_FINDINGS];
	u32 count;
};

void findings_init(struct findings *findings);

/*
 * Exactly these codes, in any order, separated by single spaces: "PT-01 PT-02".
 * "" for none. The list is emptied.
 */
#define expect_findings(findings, codes) expect_findings_at(findings, codes, __FILE__, __LINE__)
void expect_findings_at(struct findings *findings, const char *codes, const char *file, int line);

/* The first finding of that id; the test fails when there is none. */
const struct iommuser_finding *find_finding(const struct findings *findings,
					    enum iommuser_finding_id id);

/* A small generator of numbers that does not depend on the host. */
u64 random_next(u64 *state);

#endif /* TESTS_IMAGE_H */
