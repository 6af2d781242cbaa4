// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the paged chains: every way to be wrong, every page size.
 */
#include "image.h"

#include <iommuser/chain.h>

static const struct iommuser_chain_shape plain = {
	.header_size = 16,
	.record_size = 37,
	.max_pages = 1000,
	.empty = IOMMUSER_EMPTY_NEVER,
};

static void put_page(struct image *image, u64 phys, u64 next, u64 count)
{
	image_put(image, phys, 8, next);
	image_put(image, phys + 8, 8, count);
}

/* @n pages in a line, the last one leads to @last. Return: the first. */
static u64 make_line(struct image *image, u32 n, u64 last)
{
	u64 first = image_alloc(image);
	u64 at = first;
	u64 next;

	for (; n > 1; n--) {
		next = image_alloc(image);
		put_page(image, at, next, 3);
		at = next;
	}
	put_page(image, at, last, 3);
	return first;
}

/* Iterate to the end or to an error, which must be one of every later call, too. */
static int iterate(struct image *image, const struct iommuser_chain_shape *shape, u64 first,
		   struct iommuser_chain *chain, u64 *pages)
{
	struct iommuser_chain_page page;
	u64 calls;
	int result, again;

	assert_int_equal(iommuser_chain_start(chain, &image->env, shape, first), 0);
	*pages = 0;
	while ((result = iommuser_chain_next(chain, &page)) == 1) {
		assert_int_equal(page.number, *pages);
		assert_int_equal(image_get(image, page.phys + 8, 8), page.count);
		assert_true(++*pages <= shape->max_pages);
	}
	calls = image->calls;
	for (again = 0; again < 3; again++)
		assert_int_equal(iommuser_chain_next(chain, &page), result);
	assert_int_equal(image->calls, calls);
	return result;
}

static void expect_problem(const struct iommuser_chain *chain, enum iommuser_finding_id id,
			   u64 phys, u64 found, u64 expected)
{
	assert_string_equal(iommuser_finding_code(chain->problem.id), iommuser_finding_code(id));
	assert_int_equal(chain->problem.severity, iommuser_finding_severity(id));
	assert_int_equal(chain->problem.phys, phys);
	assert_int_equal(chain->problem.found, found);
	assert_int_equal(chain->problem.expected, expected);
}

static void shapes_are_checked(void **state)
{
	struct image *image = image_new(12);
	struct iommuser_chain_shape shape = plain;
	struct iommuser_chain chain;

	(void)state;
	shape.header_size = 15;
	assert_int_equal(iommuser_chain_start(&chain, &image->env, &shape, 0), -IOMMUSER_EINVAL);
	shape.header_size = 4096;
	assert_int_equal(iommuser_chain_start(&chain, &image->env, &shape, 0), -IOMMUSER_EINVAL);
	shape.header_size = ~0U;
	assert_int_equal(iommuser_chain_start(&chain, &image->env, &shape, 0), -IOMMUSER_EINVAL);
	shape = plain;
	shape.record_size = 0;
	assert_int_equal(iommuser_chain_start(&chain, &image->env, &shape, 0), -IOMMUSER_EINVAL);
	shape.record_size = 4096 - 16 + 1;
	assert_int_equal(iommuser_chain_start(&chain, &image->env, &shape, 0), -IOMMUSER_EINVAL);
	shape.record_size = 4096 - 16;
	assert_int_equal(iommuser_chain_start(&chain, &image->env, &shape, 0), 0);
	assert_int_equal(iommuser_chain_capacity(&image->env, &shape), 1);
	image->env.page_shift = 11;
	assert_int_equal(iommuser_chain_start(&chain, &image->env, &plain, 0), -IOMMUSER_EINVAL);
	image->env.page_shift = 17;
	assert_int_equal(iommuser_chain_start(&chain, &image->env, &plain, 0), -IOMMUSER_EINVAL);
	image->env.page_shift = 64;
	assert_int_equal(iommuser_chain_start(&chain, &image->env, &plain, 0), -IOMMUSER_EINVAL);
	image_free(image);
}

static void capacities_are_those_of_the_revisions(void **state)
{
	static const struct {
		u32 header, record, page_shift, capacity;
	} cases[] = {
		{ 16, 37, 12, 110 },  { 16, 33, 12, 123 },  { 16, 65, 12, 62 },
		{ 16, 112, 12, 36 },  { 16, 56, 12, 72 },   { 16, 72, 12, 56 },
		{ 64, 192, 12, 21 },  { 64, 128, 12, 31 },  { 64, 64, 12, 63 },
		{ 64, 64, 14, 255 },  { 64, 64, 16, 1023 }, { 16, 1, 16, 65520 },
		{ 64, 192, 16, 341 },
	};
	struct iommuser_env env = { 0 };
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct iommuser_chain_shape shape = {
			.header_size = cases[i].header,
			.record_size = cases[i].record,
		};

		env.page_shift = cases[i].page_shift;
		assert_int_equal(iommuser_chain_capacity(&env, &shape), cases[i].capacity);
	}
}

static void no_first_page_is_an_empty_chain(void **state)
{
	struct image *image = image_new(12);
	struct iommuser_chain chain;
	u64 pages;

	(void)state;
	assert_int_equal(iterate(image, &plain, 0, &chain, &pages), 0);
	assert_int_equal(pages, 0);
	assert_int_equal(image->calls, 0);
	image_free(image);
}

static void records_are_where_the_shape_says(void **state)
{
	static const u32 shifts[] = { 12, 14, 16 };
	struct iommuser_chain_page page;
	struct iommuser_chain chain;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		struct image *image = image_new(shifts[i]);
		u64 capacity = iommuser_chain_capacity(&image->env, &plain);
		u64 first = image_alloc(image);
		u64 second = image_alloc(image);
		u64 last = capacity - 1;

		put_page(image, first, second, capacity);
		put_page(image, second, 0, 1);
		image_put(image, first + 16 + 37 * last, 4, 0x12345678);
		assert_int_equal(iommuser_chain_start(&chain, &image->env, &plain, first), 0);
		assert_int_equal(iommuser_chain_next(&chain, &page), 1);
		assert_int_equal(page.phys, first);
		assert_int_equal(page.next, second);
		assert_int_equal(page.count, capacity);
		assert_int_equal(iommuser_chain_record_phys(&chain, &page, last),
				 first + 16 + 37 * last);
		assert_memory_equal(iommuser_chain_record(&chain, &page, last), "xV4\x12", 4);
		assert_int_equal(iommuser_chain_next(&chain, &page), 1);
		assert_int_equal(page.phys, second);
		assert_int_equal(page.number, 1);
		assert_int_equal(iommuser_chain_next(&chain, &page), 0);
		image_free(image);
	}
}

/* A line of @tail pages that runs into a loop of @loop pages. */
static void try_loop(u32 tail, u32 loop)
{
	struct image *image = image_new(12);
	u64 entry = make_line(image, loop, 0);
	u64 last = image->next_phys - 4096;
	u64 first = tail ? make_line(image, tail, entry) : entry;
	struct iommuser_chain chain;
	u64 pages;

	image_put(image, last, 8, entry);
	assert_int_equal(iterate(image, &plain, first, &chain, &pages), -IOMMUSER_ECORRUPT);
	assert_int_equal(chain.problem.id, IOMMUSER_FINDING_CHAIN_CYCLE);
	assert_true(chain.problem.phys >= entry && chain.problem.phys <= last);
	assert_true(pages >= tail + loop);
	assert_true(pages <= 2 * (u64)(tail > loop ? tail : loop) + tail + 2ULL * loop);
	image_free(image);
}

static void loops_are_found(void **state)
{
	static const u32 lengths[] = { 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 100 };
	static const u32 tails[] = { 0, 1, 2, 3, 7, 8, 20 };
	u32 i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		for (k = 0; k < ARRAY_SIZE(tails); k++)
			try_loop(tails[k], lengths[i]);
}

static void a_pure_loop_is_gone_round_three_times_at_most(void **state)
{
	u32 loop;

	(void)state;
	for (loop = 1; loop < 130; loop++) {
		struct image *image = image_new(12);
		u64 first = make_line(image, loop, 0);
		struct iommuser_chain chain;
		u64 pages;

		image_put(image, image->next_phys - 4096, 8, first);
		assert_int_equal(iterate(image, &plain, first, &chain, &pages), -IOMMUSER_ECORRUPT);
		assert_true(pages <= 3ULL * loop);
		image_free(image);
	}
}

static void the_cap_holds(void **state)
{
	struct image *image = image_new(12);
	u64 first = make_line(image, 10, 0);
	struct iommuser_chain_shape shape = plain;
	struct iommuser_chain chain;
	u64 pages;

	(void)state;
	shape.max_pages = 10;
	assert_int_equal(iterate(image, &shape, first, &chain, &pages), 0);
	assert_int_equal(pages, 10);
	shape.max_pages = 9;
	assert_int_equal(iterate(image, &shape, first, &chain, &pages), -IOMMUSER_ECORRUPT);
	assert_int_equal(pages, 9);
	expect_problem(&chain, IOMMUSER_FINDING_CHAIN_TOO_LONG, first + 9 * 4096, 10, 9);
	shape.max_pages = 0;
	assert_int_equal(iterate(image, &shape, first, &chain, &pages), -IOMMUSER_ECORRUPT);
	expect_problem(&chain, IOMMUSER_FINDING_CHAIN_TOO_LONG, first, 1, 0);
	image_free(image);
}

static void addresses_are_checked(void **state)
{
	static const u64 bad[] = { 1,	       8,     0xfff,	 0x10000800,
				   1ULL << 52, ~0ULL, ~0xfffULL, (1ULL << 52) + 4096 };
	struct iommuser_chain chain;
	u64 pages;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct image *image = image_new(12);
		u64 first = make_line(image, 3, bad[i]);
		u64 calls;

		assert_int_equal(iterate(image, &plain, bad[i], &chain, &pages),
				 -IOMMUSER_ECORRUPT);
		assert_int_equal(pages, 0);
		assert_int_equal(image->calls, 0);
		expect_problem(&chain, IOMMUSER_FINDING_CHAIN_UNALIGNED, bad[i], bad[i], 4096);
		calls = image->calls;
		assert_int_equal(iterate(image, &plain, first, &chain, &pages), -IOMMUSER_ECORRUPT);
		assert_int_equal(pages, 3);
		assert_int_equal(image->calls, calls + 3);
		expect_problem(&chain, IOMMUSER_FINDING_CHAIN_UNALIGNED, bad[i], bad[i], 4096);
		image_free(image);
	}
}

static void alignment_is_that_of_the_page_size(void **state)
{
	struct image *image = image_new(16);
	struct iommuser_chain chain;
	u64 first = image_alloc(image);
	u64 pages;

	(void)state;
	put_page(image, first, first + 4096, 1);
	assert_int_equal(iterate(image, &plain, first, &chain, &pages), -IOMMUSER_ECORRUPT);
	expect_problem(&chain, IOMMUSER_FINDING_CHAIN_UNALIGNED, first + 4096, first + 4096, 65536);
	image_free(image);
}

static void absent_pages_are_unmapped(void **state)
{
	struct image *image = image_new(12);
	u64 first = make_line(image, 3, 0);
	struct iommuser_chain chain;
	u64 pages;

	(void)state;
	image_drop(image, first + 2 * 4096);
	assert_int_equal(iterate(image, &plain, first, &chain, &pages), -IOMMUSER_EUNMAPPED);
	assert_int_equal(pages, 2);
	expect_problem(&chain, IOMMUSER_FINDING_CHAIN_UNREADABLE, first + 2 * 4096,
		       first + 2 * 4096, 0);
	image_free(image);
}

static void counts_are_checked(void **state)
{
	static const u64 bad[] = { 111, 4096, 1ULL << 32, (1ULL << 63) + 1, ~0ULL };
	struct image *image = image_new(12);
	u64 first = make_line(image, 2, 0);
	struct iommuser_chain chain;
	u64 pages;
	u32 i;

	(void)state;
	image_put(image, first + 8, 8, 110);
	assert_int_equal(iterate(image, &plain, first, &chain, &pages), 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		image_put(image, first + 8, 8, bad[i]);
		assert_int_equal(iterate(image, &plain, first, &chain, &pages), -IOMMUSER_ECORRUPT);
		assert_int_equal(pages, 0);
		expect_problem(&chain, IOMMUSER_FINDING_CHAIN_COUNT_TOO_LARGE, first, bad[i], 110);
	}
	image_free(image);
}

static void empty_pages_follow_the_policy(void **state)
{
	struct image *image = image_new(12);
	u64 alone = image_alloc(image);
	u64 first = make_line(image, 3, 0);
	struct iommuser_chain_shape shape = plain;
	struct iommuser_chain chain;
	u64 pages, i;

	(void)state;
	assert_int_equal(iterate(image, &shape, alone, &chain, &pages), -IOMMUSER_ECORRUPT);
	expect_problem(&chain, IOMMUSER_FINDING_CHAIN_EMPTY_PAGE, alone, 0, 1);
	shape.empty = IOMMUSER_EMPTY_ALONE;
	assert_int_equal(iterate(image, &shape, alone, &chain, &pages), 0);
	assert_int_equal(pages, 1);
	for (i = 0; i < 3; i++) {
		image_put(image, first + i * 4096 + 8, 8, 0);
		assert_int_equal(iterate(image, &shape, first, &chain, &pages), -IOMMUSER_ECORRUPT);
		assert_int_equal(pages, i);
		expect_problem(&chain, IOMMUSER_FINDING_CHAIN_EMPTY_PAGE, first + i * 4096, 0, 1);
		image_put(image, first + i * 4096 + 8, 8, 1);
	}
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes_are_checked),
		cmocka_unit_test(capacities_are_those_of_the_revisions),
		cmocka_unit_test(no_first_page_is_an_empty_chain),
		cmocka_unit_test(records_are_where_the_shape_says),
		cmocka_unit_test(loops_are_found),
		cmocka_unit_test(a_pure_loop_is_gone_round_three_times_at_most),
		cmocka_unit_test(the_cap_holds),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(alignment_is_that_of_the_page_size),
		cmocka_unit_test(absent_pages_are_unmapped),
		cmocka_unit_test(counts_are_checked),
		cmocka_unit_test(empty_pages_follow_the_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
