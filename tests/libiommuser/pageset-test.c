// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the page sets: edges by hand, everything else against a plain
 * array of bits.
 */
#include "image.h"

#include <string.h>

#define CHUNK (1ULL << IOMMUSER_CHUNK_SHIFT)
#define LIMIT (1ULL << 52)

static void sizes_and_arguments_are_checked(void **state)
{
	struct iommuser_pageset set;
	u64 size = iommuser_pageset_size(3, 3);
	u64 *memory = calloc(1, size + 8);

	(void)state;
	assert_non_null(memory);
	assert_int_equal(iommuser_pageset_size(0, 1), 0);
	assert_int_equal(iommuser_pageset_size(1, 0), 0);
	assert_int_equal(iommuser_pageset_size(1, 4), 0);
	assert_int_equal(iommuser_pageset_size((1ULL << 25) + 1, 1), 0);
	assert_int_equal(iommuser_pageset_size(~0ULL, 1), 0);
	assert_true(iommuser_pageset_size(1ULL << 25, 3) > 0);
	assert_int_equal(iommuser_pageset_init(&set, NULL, size, 3, 3), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_pageset_init(&set, (u8 *)memory + 4, size, 3, 3),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_pageset_init(&set, memory, size - 1, 3, 3), -IOMMUSER_ENOSPC);
	assert_int_equal(iommuser_pageset_init(&set, memory, size, 0, 3), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_pageset_init(&set, memory, size, 3, 4), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_pageset_init(&set, memory, size, 3, 3), 0);
	free(memory);
}

static void impossible_ranges_are_refused(void **state)
{
	static const u64 bad[][2] = {
		{ LIMIT, 1 }, { LIMIT - 1, 2 }, { 0, LIMIT + 1 }, { 4096, LIMIT },
		{ ~0ULL, 1 }, { ~0ULL, 2 },	{ 4096, ~0ULL },  { 1, ~0ULL },
	};
	struct iommuser_pageset *set = pageset_new(4, 1);
	u64 missing;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(iommuser_pageset_add(set, IOMMUSER_PRESERVED, bad[i][0],
						      bad[i][1]),
				 -IOMMUSER_EINVAL);
		assert_false(iommuser_pageset_contains(set, IOMMUSER_PRESERVED, bad[i][0],
						       bad[i][1], &missing));
		assert_int_equal(missing, bad[i][0] & ~4095ULL);
	}
	assert_int_equal(iommuser_pageset_visit(set, IOMMUSER_PRESERVED, LIMIT), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_pageset_visit(set, IOMMUSER_PRESERVED, ~0ULL), -IOMMUSER_EINVAL);
	assert_int_equal(set->nr_chunks, 0);
	pageset_free(set);
}

static void absent_planes_are_refused(void **state)
{
	struct iommuser_pageset *set = pageset_new(4, 1);
	u64 cursor = 0, phys, length;

	(void)state;
	assert_int_equal(iommuser_pageset_add(set, IOMMUSER_VISITED, 0, 4096), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_pageset_add(set, (enum iommuser_plane)3, 0, 4096),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_pageset_visit(set, IOMMUSER_MAPPED, 0), -IOMMUSER_EINVAL);
	assert_false(iommuser_pageset_contains(set, IOMMUSER_VISITED, 0, 1, NULL));
	assert_false(iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_VISITED), &cursor, 0, &phys,
					   &length));
	assert_int_equal(iommuser_pageset_add(set, IOMMUSER_PRESERVED, 0, 4096), 0);
	/* Subtracting a plane that is not there subtracts nothing. */
	assert_true(iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_PRESERVED), &cursor,
					  1U << IOMMUSER_VISITED | 1U << IOMMUSER_MAPPED, &phys,
					  &length));
	assert_int_equal(length, 4096);
	/* No page is in it. */
	cursor = 0;
	assert_false(iommuser_pageset_next(
		set, IOMMUSER_IN(IOMMUSER_PRESERVED) | IOMMUSER_IN(IOMMUSER_VISITED), &cursor, 0,
		&phys, &length));
	pageset_free(set);
}

static void ranges_are_rounded_outwards(void **state)
{
	struct iommuser_pageset *set = pageset_new(4, 1);
	u64 missing;

	(void)state;
	assert_int_equal(iommuser_pageset_add(set, IOMMUSER_PRESERVED, 0x1fff, 2), 0);
	assert_true(iommuser_pageset_contains(set, IOMMUSER_PRESERVED, 0x1000, 0x2000, NULL));
	assert_false(iommuser_pageset_contains(set, IOMMUSER_PRESERVED, 0x1000, 0x2001, &missing));
	assert_int_equal(missing, 0x3000);
	assert_false(iommuser_pageset_contains(set, IOMMUSER_PRESERVED, 0xfff, 2, &missing));
	assert_int_equal(missing, 0);
	assert_true(iommuser_pageset_contains(set, IOMMUSER_PRESERVED, 0x2fff, 1, NULL));
	assert_int_equal(iommuser_pageset_add(set, IOMMUSER_PRESERVED, 0x8000, 0), 0);
	assert_false(iommuser_pageset_contains(set, IOMMUSER_PRESERVED, 0x8000, 1, NULL));
	assert_true(iommuser_pageset_contains(set, IOMMUSER_PRESERVED, 0x8000, 0, NULL));
	pageset_free(set);
}

static void the_last_page_of_memory_can_be_held(void **state)
{
	struct iommuser_pageset *set = pageset_new(2, 1);
	u64 cursor = 0, phys, length;

	(void)state;
	assert_int_equal(iommuser_pageset_add(set, IOMMUSER_PRESERVED, LIMIT - 4096, 4096), 0);
	assert_true(iommuser_pageset_contains(set, IOMMUSER_PRESERVED, LIMIT - 1, 1, NULL));
	assert_int_equal(iommuser_pageset_visit(set, IOMMUSER_PRESERVED, LIMIT - 1), 1);
	assert_true(iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_PRESERVED), &cursor, 0, &phys,
					  &length));
	assert_int_equal(phys, LIMIT - 4096);
	assert_int_equal(length, 4096);
	assert_false(iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_PRESERVED), &cursor, 0, &phys,
					   &length));
	assert_false(iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_PRESERVED), &cursor, 0, &phys,
					   &length));
	pageset_free(set);
}

static void chunks_run_out(void **state)
{
	struct iommuser_pageset *set = pageset_new(2, 2);

	(void)state;
	assert_int_equal(iommuser_pageset_add(set, IOMMUSER_PRESERVED, 5 * CHUNK, 4096), 0);
	assert_int_equal(iommuser_pageset_add(set, IOMMUSER_PRESERVED, 8 * CHUNK - 4096, CHUNK),
			 -IOMMUSER_ENOSPC);
	assert_true(
		iommuser_pageset_contains(set, IOMMUSER_PRESERVED, 8 * CHUNK - 4096, 4096, NULL));
	assert_false(iommuser_pageset_contains(set, IOMMUSER_PRESERVED, 8 * CHUNK, 4096, NULL));
	assert_int_equal(iommuser_pageset_visit(set, IOMMUSER_VISITED, 0), -IOMMUSER_ENOSPC);
	assert_int_equal(iommuser_pageset_visit(set, IOMMUSER_VISITED, 5 * CHUNK), 0);
	assert_int_equal(iommuser_pageset_visit(set, IOMMUSER_VISITED, 5 * CHUNK + 4095), 1);
	assert_int_equal(iommuser_pageset_visit(set, IOMMUSER_VISITED, 5 * CHUNK + 4096), 0);
	pageset_free(set);
}

static void runs_end_at_chunks_and_subtract(void **state)
{
	struct iommuser_pageset *set = pageset_new(4, 3);
	u64 cursor = 0, phys, length;

	(void)state;
	assert_int_equal(iommuser_pageset_add(set, IOMMUSER_PRESERVED, 3 * CHUNK - 0x2000, 0x5000),
			 0);
	assert_int_equal(iommuser_pageset_visit(set, IOMMUSER_VISITED, 3 * CHUNK + 0x1000), 0);
	assert_true(iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_PRESERVED), &cursor, 0, &phys,
					  &length));
	assert_int_equal(phys, 3 * CHUNK - 0x2000);
	assert_int_equal(length, 0x2000);
	assert_true(iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_PRESERVED), &cursor, 0, &phys,
					  &length));
	assert_int_equal(phys, 3 * CHUNK);
	assert_int_equal(length, 0x3000);
	assert_false(iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_PRESERVED), &cursor, 0, &phys,
					   &length));
	cursor = CHUNK >> 12;
	assert_true(iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_PRESERVED), &cursor,
					  1U << IOMMUSER_VISITED, &phys, &length));
	assert_int_equal(phys, 3 * CHUNK);
	assert_int_equal(length, 0x1000);
	assert_true(iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_PRESERVED), &cursor,
					  1U << IOMMUSER_VISITED, &phys, &length));
	assert_int_equal(phys, 3 * CHUNK + 0x2000);
	assert_int_equal(length, 0x1000);
	pageset_free(set);
}

/* The model: some chunks far apart, one byte per page and plane. */
#define MODEL_CHUNKS 6
#define MODEL_PAGES 32768ULL

static const u64 model_chunk[MODEL_CHUNKS] = {
	0, 1, 2, 77, 78, (LIMIT >> IOMMUSER_CHUNK_SHIFT) - 1
};

struct model {
	struct iommuser_pageset *set;
	u8 bits[IOMMUSER_NR_PLANES][MODEL_CHUNKS][MODEL_PAGES];
	u64 random;
};

static u8 *model_bit(struct model *model, u32 plane, u64 page)
{
	static u8 none;
	u32 i;

	for (i = 0; i < MODEL_CHUNKS; i++)
		if (page / MODEL_PAGES == model_chunk[i])
			return &model->bits[plane][i][page % MODEL_PAGES];
	none = 0;
	return &none;
}

/* A range of pages that begins and ends in the model, often at an edge. */
static void random_range(struct model *model, u64 *page, u64 *pages)
{
	u32 chunk = random_next(&model->random) % MODEL_CHUNKS;
	u64 room, at = random_next(&model->random) % MODEL_PAGES;

	if (random_next(&model->random) % 4 == 0)
		at = MODEL_PAGES - 1 - at % 70;
	if (random_next(&model->random) % 4 == 0)
		at &= ~63ULL;
	room = MODEL_PAGES - at;
	if (chunk + 1 < MODEL_CHUNKS && model_chunk[chunk + 1] == model_chunk[chunk] + 1)
		room += MODEL_PAGES;
	*page = model_chunk[chunk] * MODEL_PAGES + at;
	*pages = 1 + random_next(&model->random) % (random_next(&model->random) % 3 ? 100 : room);
	if (*pages > room)
		*pages = room;
}

static void model_add(struct model *model)
{
	u32 plane = random_next(&model->random) % IOMMUSER_NR_PLANES;
	u64 page, pages, i;

	random_range(model, &page, &pages);
	assert_int_equal(iommuser_pageset_add(model->set, (enum iommuser_plane)plane, page << 12,
					      pages << 12),
			 0);
	for (i = 0; i < pages; i++)
		*model_bit(model, plane, page + i) = 1;
}

static void model_visit(struct model *model)
{
	u32 plane = random_next(&model->random) % IOMMUSER_NR_PLANES;
	u64 page, pages;

	random_range(model, &page, &pages);
	assert_int_equal(iommuser_pageset_visit(model->set, (enum iommuser_plane)plane,
						(page << 12) + pages % 4096),
			 *model_bit(model, plane, page));
	*model_bit(model, plane, page) = 1;
}

static void model_contains(struct model *model)
{
	u32 plane = random_next(&model->random) % IOMMUSER_NR_PLANES;
	u64 page, pages, i, missing = 0;
	bool all;

	random_range(model, &page, &pages);
	all = iommuser_pageset_contains(model->set, (enum iommuser_plane)plane, page << 12,
					pages << 12, &missing);
	for (i = 0; i < pages && *model_bit(model, plane, page + i); i++)
		;
	assert_int_equal(all, i == pages);
	if (!all)
		assert_int_equal(missing, (page + i) << 12);
}

/* Every run that is given must be all there and end where it must; none may lack. */
static void model_next(struct model *model)
{
	u32 plane = random_next(&model->random) % IOMMUSER_NR_PLANES;
	u32 exclude = random_next(&model->random) % 8 & ~(1U << plane);
	u64 cursor = 0, phys, length, i, k, given = 0, expected = 0;
	u32 p;

	for (i = 0; i < MODEL_CHUNKS; i++) {
		for (k = 0; k < MODEL_PAGES; k++) {
			bool excluded = false;

			for (p = 0; p < IOMMUSER_NR_PLANES; p++)
				excluded |= (exclude & 1U << p) && model->bits[p][i][k];
			expected += model->bits[plane][i][k] && !excluded;
		}
	}
	while (iommuser_pageset_next(model->set, IOMMUSER_IN(plane), &cursor, exclude, &phys,
				     &length)) {
		assert_true(length > 0 && !(phys % 4096) && !(length % 4096));
		assert_int_equal(phys / CHUNK, (phys + length - 1) / CHUNK);
		for (i = phys >> 12; i < (phys + length) >> 12; i++) {
			assert_int_equal(*model_bit(model, plane, i), 1);
			for (p = 0; p < IOMMUSER_NR_PLANES; p++)
				if (exclude & 1U << p)
					assert_int_equal(*model_bit(model, p, i), 0);
		}
		given += length >> 12;
	}
	assert_int_equal(given, expected);
}

static void behaves_like_the_model(void **state)
{
	struct model *model = calloc(1, sizeof(*model));
	u32 round, step;

	(void)state;
	assert_non_null(model);
	for (round = 0; round < 8; round++) {
		memset(model, 0, sizeof(*model));
		model->random = round;
		model->set = pageset_new(MODEL_CHUNKS, IOMMUSER_NR_PLANES);
		for (step = 0; step < 400; step++) {
			switch (random_next(&model->random) % 8) {
			case 0:
				model_add(model);
				break;
			case 1:
			case 2:
				model_visit(model);
				break;
			default:
				model_contains(model);
				break;
			}
		}
		for (step = 0; step < 6; step++)
			model_next(model);
		pageset_free(model->set);
	}
	free(model);
}

static void many_chunks_keep_apart(void **state)
{
	struct iommuser_pageset *set = pageset_new(1000, 1);
	u64 random = 99, i, chunks[1000];

	(void)state;
	for (i = 0; i < 1000; i++) {
		chunks[i] = (random_next(&random) % 30000) * 1000 + i;
		assert_int_equal(iommuser_pageset_visit(set, IOMMUSER_PRESERVED,
							chunks[i] * CHUNK + i * 4096),
				 0);
	}
	for (i = 0; i < 1000; i++) {
		assert_true(iommuser_pageset_contains(set, IOMMUSER_PRESERVED,
						      chunks[i] * CHUNK + i * 4096, 4096, NULL));
		assert_false(iommuser_pageset_contains(
			set, IOMMUSER_PRESERVED, chunks[i] * CHUNK + (i + 1) * 4096, 4096, NULL));
	}
	assert_int_equal(iommuser_pageset_visit(set, IOMMUSER_PRESERVED, 999999 * CHUNK * 30),
			 -IOMMUSER_ENOSPC);
	pageset_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_and_arguments_are_checked),
		cmocka_unit_test(impossible_ranges_are_refused),
		cmocka_unit_test(absent_planes_are_refused),
		cmocka_unit_test(ranges_are_rounded_outwards),
		cmocka_unit_test(the_last_page_of_memory_can_be_held),
		cmocka_unit_test(chunks_run_out),
		cmocka_unit_test(runs_end_at_chunks_and_subtract),
		cmocka_unit_test(behaves_like_the_model),
		cmocka_unit_test(many_chunks_keep_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
