// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Page tables pulled range by range and compared in step, and the list of
 * differences. Tables are small arrays here; what the library's own walker and
 * single translations say of them is what has to come out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <kho/abi/iommuser.h>

#include "diff-cursor.h"
#include "diff.h"

#define BASE 0x100000ULL
#define MAX_TABLES 64
#define PAGE 4096ULL
#define READ 1ULL
#define WRITE 2ULL
#define LARGE 0x80ULL
#define MANY 1000

/* Memory that holds tables and nothing else. */
struct memory {
	u64 pages[MAX_TABLES][512];
	bool missing[MAX_TABLES];
	u32 nr;
	struct iommuser_env env;
};

static const void *map_memory(void *ctx, u64 phys, u64 length)
{
	struct memory *memory = ctx;
	u64 page = (phys - BASE) / PAGE;

	if (phys < BASE || page >= memory->nr || memory->missing[page] ||
	    length > PAGE - phys % PAGE)
		return NULL;
	return (const u8 *)memory->pages[page] + phys % PAGE;
}

static struct memory *new_memory(void)
{
	struct memory *memory = calloc(1, sizeof(*memory));

	assert_non_null(memory);
	memory->env.map = map_memory;
	memory->env.ctx = memory;
	memory->env.page_shift = 12;
	return memory;
}

static u64 new_table(struct memory *memory)
{
	assert_true(memory->nr < MAX_TABLES);
	return BASE + memory->nr++ * PAGE;
}

static u64 *entry_of(struct memory *memory, u64 table, u32 index)
{
	return &memory->pages[(table - BASE) / PAGE][index];
}

/* The entry for an IOVA at a level; tables on the way are made. */
static u64 *reach(struct memory *memory, const struct iommuser_pt_table *table, u64 iova, u32 level)
{
	u64 at = table->top_table;
	u32 i;

	for (i = table->top_level;; i--) {
		u64 *entry = entry_of(memory, at, iova >> (12 + 9 * i) & 511);

		if (i == level)
			return entry;
		if (!*entry)
			*entry = new_table(memory) | READ | WRITE;
		at = *entry & ~(PAGE - 1);
	}
}

static struct iommuser_pt_table new_top(struct memory *memory, u32 stage, u32 levels)
{
	return (struct iommuser_pt_table){
		.env = &memory->env,
		.stage = stage,
		.top_table = new_table(memory),
		.top_level = levels - 1,
		.output_width = 52,
	};
}

static void map_pages(struct memory *memory, const struct iommuser_pt_table *table, u64 iova,
		      u64 phys, u32 count, u64 bits)
{
	u32 i;

	for (i = 0; i < count; i++)
		*reach(memory, table, iova + i * PAGE, 0) = (phys + i * PAGE) | bits;
}

static void start(struct diff_cursor *cursor, const struct iommuser_pt_table *table, u64 *left)
{
	assert_true(diff_cursor_init(cursor, table, left));
}

static void expect_segment(struct diff_cursor *cursor, enum table_piece_kind kind, u64 first,
			   u64 last, u64 phys, u32 permissions)
{
	struct diff_segment segment;

	assert_true(diff_cursor_next(cursor, &segment));
	assert_int_equal(segment.kind, kind);
	assert_int_equal(segment.first, first);
	assert_int_equal(segment.last, last);
	assert_int_equal(segment.phys, phys);
	assert_int_equal(segment.permissions, permissions);
}

static void expect_end(struct diff_cursor *cursor)
{
	struct diff_segment segment;

	assert_false(diff_cursor_next(cursor, &segment));
	assert_false(cursor->failed);
	diff_cursor_free(cursor);
}

/* Runs over the edge of tables, leaves of every size, permissions. */
static void test_ranges(void **state)
{
	struct memory *memory = new_memory();
	struct iommuser_pt_table table = new_top(memory, IOMMUSER_STAGE_SECOND, 4);
	struct diff_cursor cursor;
	u64 left = MANY;

	(void)state;
	map_pages(memory, &table, 0x1fe000, 0x800000, 4, READ | WRITE);
	map_pages(memory, &table, 0x202000, 0x804000, 1, READ);
	map_pages(memory, &table, 0x203000, 0x805000, 1, READ | WRITE | 1ULL << 11);
	*reach(memory, &table, 0x400000, 1) = 0x40000000 | READ | WRITE | LARGE;
	map_pages(memory, &table, 0x600000, 0x40200000, 1, READ | WRITE);
	*reach(memory, &table, 1ULL << 30, 2) = 0x80000000 | WRITE | LARGE;
	map_pages(memory, &table, (1ULL << 48) - PAGE, 0x900000, 1, READ);
	start(&cursor, &table, &left);
	expect_segment(&cursor, TABLE_MAPPED, 0x1fe000, 0x201fff, 0x800000, 3);
	expect_segment(&cursor, TABLE_MAPPED, 0x202000, 0x202fff, 0x804000, 1);
	expect_segment(&cursor, TABLE_MAPPED, 0x203000, 0x203fff, 0x805000, 7);
	expect_segment(&cursor, TABLE_MAPPED, 0x400000, 0x600fff, 0x40000000, 3);
	expect_segment(&cursor, TABLE_MAPPED, 1ULL << 30, (2ULL << 30) - 1, 0x80000000, 2);
	expect_segment(&cursor, TABLE_MAPPED, (1ULL << 48) - PAGE, (1ULL << 48) - 1, 0x900000, 1);
	expect_end(&cursor);
	assert_int_equal(left, MANY - memory->nr);
	free(memory);
}

/* The upper half of first-stage addresses, to the last byte of all. */
static void test_upper_half(void **state)
{
	struct memory *memory = new_memory();
	struct iommuser_pt_table table = new_top(memory, IOMMUSER_STAGE_FIRST, 4);
	struct diff_cursor cursor;
	u64 left = MANY;

	(void)state;
	map_pages(memory, &table, (1ULL << 47) - PAGE, 0x800000, 2, READ | WRITE);
	map_pages(memory, &table, (1ULL << 48) - PAGE, 0x900000, 1, READ);
	start(&cursor, &table, &left);
	expect_segment(&cursor, TABLE_MAPPED, (1ULL << 47) - PAGE, (1ULL << 47) - 1, 0x800000, 3);
	expect_segment(&cursor, TABLE_MAPPED, 0xffff800000000000, 0xffff800000000fff, 0x801000, 3);
	expect_segment(&cursor, TABLE_MAPPED, ~0ULL - PAGE + 1, ~0ULL, 0x900000, 1);
	expect_end(&cursor);
	free(memory);
}

/* What no hardware follows, what the image lacks, and what was met before. */
static void test_gaps(void **state)
{
	struct memory *memory = new_memory();
	struct iommuser_pt_table table = new_top(memory, IOMMUSER_STAGE_SECOND, 3);
	u64 left = MANY, invalid = 0x4ULL | READ | 0x800000;
	struct diff_cursor cursor;

	(void)state;
	map_pages(memory, &table, 0x0, invalid & ~(PAGE - 1), 1, 0x4 | READ);
	map_pages(memory, &table, 0x200000, 0x800000, 1, READ);
	*reach(memory, &table, 0x400000, 1) = 0xdead000 | READ;
	*reach(memory, &table, 0x600000, 1) = *reach(memory, &table, 0x200000, 1);
	*reach(memory, &table, 0x800000, 1) = table.top_table | READ;
	*reach(memory, &table, 1ULL << 30, 2) = 0xdead000 | READ;
	start(&cursor, &table, &left);
	expect_segment(&cursor, TABLE_INVALID, 0, 0xfff, invalid, 0);
	expect_segment(&cursor, TABLE_MAPPED, 0x200000, 0x200fff, 0x800000, 1);
	expect_segment(&cursor, TABLE_MISSING, 0x400000, 0x5fffff, 0, 0);
	expect_segment(&cursor, TABLE_REPEATED, 0x600000, 0x9fffff, 0, 0);
	expect_segment(&cursor, TABLE_MISSING, 1ULL << 30, (2ULL << 30) - 1, 0, 0);
	expect_end(&cursor);
	free(memory);
}

/* Memory that goes on beyond the widest address is not mapped there. */
static void test_output_width(void **state)
{
	struct memory *memory = new_memory();
	struct iommuser_pt_table table = new_top(memory, IOMMUSER_STAGE_SECOND, 3);
	u64 left = MANY, beyond = 1ULL << 39;
	struct diff_cursor cursor;

	(void)state;
	table.output_width = 39;
	map_pages(memory, &table, 0, beyond - PAGE, 2, READ);
	start(&cursor, &table, &left);
	expect_segment(&cursor, TABLE_MAPPED, 0, 0xfff, beyond - PAGE, 1);
	expect_segment(&cursor, TABLE_INVALID, 0x1000, 0x1fff, beyond | READ, 0);
	expect_end(&cursor);
	free(memory);
}

static void test_whole_table(void **state)
{
	struct memory *memory = new_memory();
	struct iommuser_pt_table table = new_top(memory, IOMMUSER_STAGE_SECOND, 3);
	struct diff_cursor cursor;
	u64 left = MANY;

	(void)state;
	table.top_table = 0xdead000;
	start(&cursor, &table, &left);
	expect_segment(&cursor, TABLE_MISSING, 0, (1ULL << 39) - 1, 0, 0);
	expect_end(&cursor);
	table.top_table = BASE + 8;
	start(&cursor, &table, &left);
	expect_segment(&cursor, TABLE_INVALID, 0, (1ULL << 39) - 1, BASE + 8, 0);
	expect_end(&cursor);
	table.top_level = 1;
	assert_false(diff_cursor_init(&cursor, &table, &left));
	diff_cursor_free(&cursor);
	free(memory);
}

/* Every entry of every table leads back to the top, or there are too many tables. */
static void test_bounds(void **state)
{
	struct memory *memory = new_memory();
	struct iommuser_pt_table table = new_top(memory, IOMMUSER_STAGE_SECOND, 4);
	struct diff_cursor cursor;
	u64 left = MANY;
	u32 i;

	(void)state;
	for (i = 0; i < 512; i++)
		*entry_of(memory, table.top_table, i) = table.top_table | READ;
	start(&cursor, &table, &left);
	expect_segment(&cursor, TABLE_REPEATED, 0, (1ULL << 48) - 1, 0, 0);
	expect_end(&cursor);
	memset(memory->pages[0], 0, PAGE);
	for (i = 0; i < 4; i++)
		map_pages(memory, &table, i * 0x200000ULL, 0x800000, 1, READ);
	left = 4;
	start(&cursor, &table, &left);
	expect_segment(&cursor, TABLE_MAPPED, 0, 0xfff, 0x800000, 1);
	expect_segment(&cursor, TABLE_REPEATED, 0x200000, 0x7fffff, 0, 0);
	expect_end(&cursor);
	assert_int_equal(left, 0);
	free(memory);
}

/* A number that is the same in every run. */
static u32 next_random(u32 *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

#define RANDOM_BASE 0x3ff00000ULL
#define RANDOM_PAGES 2048

/* Tables over the edge of 1 GiB, with runs, holes and other permissions. */
static struct iommuser_pt_table random_table(struct memory *memory, u32 stage, u32 *seed)
{
	struct iommuser_pt_table table = new_top(memory, stage, 4);
	u32 at = 0, count;

	while (at < RANDOM_PAGES) {
		count = 1 + next_random(seed) % 300;
		if (count > RANDOM_PAGES - at)
			count = RANDOM_PAGES - at;
		if (next_random(seed) % 4)
			map_pages(memory, &table, RANDOM_BASE + at * PAGE,
				  0x10000000 + (at + next_random(seed) % 2) * PAGE, count,
				  READ | (next_random(seed) % 2 ? WRITE : 0));
		at += count;
	}
	return table;
}

struct expected_ranges {
	struct diff_cursor *cursor;
	struct diff_segment whole;
	bool any;
};

static void expect_whole(struct expected_ranges *expected)
{
	if (expected->any)
		expect_segment(expected->cursor, TABLE_MAPPED, expected->whole.first,
			       expected->whole.last, expected->whole.phys,
			       expected->whole.permissions);
	expected->any = false;
}

static int expect_run(void *ctx, const struct iommuser_pt_run *run)
{
	struct expected_ranges *expected = ctx;
	struct diff_segment next = { .kind = TABLE_MAPPED,
				     .first = run->iova,
				     .last = run->iova + run->length - 1,
				     .phys = run->phys,
				     .permissions = run->permissions };

	if (expected->any && diff_segment_continues(&expected->whole, &next)) {
		expected->whole.last = next.last;
		return 0;
	}
	expect_whole(expected);
	expected->whole = next;
	expected->any = true;
	return 0;
}

static void ignore_finding(void *ctx, const struct iommuser_finding *finding)
{
	(void)ctx;
	(void)finding;
}

/* The cursor says what the library's walker says. */
static void test_walker(void **state)
{
	const struct iommuser_reporter reporter = { NULL, ignore_finding };
	u32 seed = 1, round;

	(void)state;
	for (round = 0; round < 50; round++) {
		struct memory *memory = new_memory();
		struct iommuser_pt_table table = random_table(
			memory, round % 2 ? IOMMUSER_STAGE_FIRST : IOMMUSER_STAGE_SECOND, &seed);
		struct diff_cursor cursor;
		struct expected_ranges expected = { .cursor = &cursor };
		const struct iommuser_pt_visitor visitor = { .ctx = &expected, .run = expect_run };
		struct iommuser_pt_counts counts;
		u64 left = MANY;

		start(&cursor, &table, &left);
		assert_int_equal(iommuser_pt_walk(&table, NULL, MANY, &visitor, &reporter, &counts),
				 0);
		expect_whole(&expected);
		expect_end(&cursor);
		assert_int_equal(MANY - left, counts.nr_tables);
		free(memory);
	}
}

static u64 hex_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	assert_true(json_object_object_get_ex(object, key, &value));
	return strtoull(json_object_get_string(value), NULL, 16);
}

static bool is_mapped(const struct iommuser_pt_table *table, u64 iova,
		      struct iommuser_pt_translation *translation)
{
	assert_int_equal(iommuser_pt_translate(table, iova, translation), 0);
	return translation->mapped;
}

static bool page_differs(const struct iommuser_pt_table *before,
			 const struct iommuser_pt_table *after, u64 iova)
{
	struct iommuser_pt_translation left, right;
	bool in_left = is_mapped(before, iova, &left), in_right = is_mapped(after, iova, &right);

	if (!in_left && !in_right)
		return false;
	return in_left != in_right || left.phys != right.phys ||
	       left.permissions != right.permissions;
}

/* Exactly the pages that translate otherwise are in the differences, each once. */
static void test_in_step(void **state)
{
	static u8 found[RANDOM_PAGES];
	u32 seed = 7, round, page, total = 0;
	size_t i;

	(void)state;
	for (round = 0; round < 40; round++) {
		struct memory *memory = new_memory();
		struct iommuser_pt_table before =
			random_table(memory, IOMMUSER_STAGE_SECOND, &seed);
		struct iommuser_pt_table after = random_table(memory, IOMMUSER_STAGE_FIRST, &seed);
		struct diff_cursor left, right;
		struct diff_result result;
		u64 tables = MANY;

		diff_result_init(&result, MANY);
		start(&left, &before, &tables);
		start(&right, &after, &tables);
		diff_walk(&result, "device", NULL, &left, &right);
		memset(found, 0, sizeof(found));
		for (i = 0; i < json_object_array_length(result.changes); i++) {
			struct json_object *change = json_object_array_get_idx(result.changes, i);
			u64 iova = hex_of(change, "iova"), last = hex_of(change, "last");

			for (; iova < last; iova += PAGE)
				found[(iova - RANDOM_BASE) / PAGE]++;
		}
		for (page = 0; page < RANDOM_PAGES; page++) {
			assert_int_equal(found[page],
					 page_differs(&before, &after, RANDOM_BASE + page * PAGE));
			total += found[page];
		}
		assert_int_equal(json_object_array_length(result.not_compared), 0);
		expect_end(&left);
		expect_end(&right);
		diff_result_free(&result);
		free(memory);
	}
	assert_true(total > 1000);
}

/* A gap on either side is no difference, and told once. */
static void test_gaps_in_step(void **state)
{
	struct memory *memory = new_memory();
	struct iommuser_pt_table before = new_top(memory, IOMMUSER_STAGE_SECOND, 3);
	struct iommuser_pt_table after = new_top(memory, IOMMUSER_STAGE_SECOND, 3);
	struct json_object *entry, *value;
	struct diff_cursor left, right;
	struct diff_result result;
	u64 tables = MANY;

	(void)state;
	map_pages(memory, &before, 0x200000, 0x800000, 3, READ);
	map_pages(memory, &before, 0x202000, 0x900000, 1, READ);
	map_pages(memory, &before, 0x600000, 0x800000, 1, READ);
	map_pages(memory, &after, 0x100000, 0x800000, 1, READ);
	*reach(memory, &after, 0x200000, 1) = 0xdead000 | READ;
	diff_result_init(&result, MANY);
	start(&left, &before, &tables);
	start(&right, &after, &tables);
	diff_walk(&result, "device", NULL, &left, &right);
	assert_int_equal(result.counts[DIFF_MAPPING][DIFF_ADDED], 1);
	assert_int_equal(result.counts[DIFF_MAPPING][DIFF_REMOVED], 1);
	assert_int_equal(result.counts[DIFF_MAPPING][DIFF_CHANGED], 0);
	assert_int_equal(json_object_array_length(result.not_compared), 1);
	entry = json_object_array_get_idx(result.not_compared, 0);
	assert_true(json_object_object_get_ex(entry, "reason", &value));
	assert_string_equal(json_object_get_string(value), "B lacks page tables");
	assert_true(json_object_object_get_ex(entry, "count", &value));
	assert_int_equal(json_object_get_int(value), 1);
	expect_end(&left);
	expect_end(&right);
	diff_result_free(&result);
	free(memory);
}

/* All are counted, as many as wanted are kept. */
static void test_limit(void **state)
{
	const struct diff_entry entry = { .kind = DIFF_DEVICE,
					  .change = DIFF_CHANGED,
					  .object = "0000:00:04.0",
					  .field = "did",
					  .before = "1",
					  .after = "2" };
	struct diff_result result;
	int i;

	(void)state;
	diff_result_init(&result, 3);
	for (i = 0; i < 5; i++)
		diff_add(&result, &entry);
	assert_int_equal(result.nr_changes, 5);
	assert_int_equal(result.counts[DIFF_DEVICE][DIFF_CHANGED], 5);
	assert_int_equal(json_object_array_length(result.changes), 3);
	diff_not_compared(&result, DIFF_DEVICE, "did", "x", "A does not tell it");
	diff_not_compared(&result, DIFF_DEVICE, "did", "y", "A does not tell it");
	diff_not_compared(&result, DIFF_DEVICE, "did", "y", "B does not tell it");
	diff_not_compared(&result, DIFF_DEVICE, NULL, "y", "B does not tell it");
	diff_not_compared(&result, DIFF_DOMAIN, NULL, "y", "B does not tell it");
	assert_int_equal(json_object_array_length(result.not_compared), 4);
	diff_result_free(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),	     cmocka_unit_test(test_upper_half),
		cmocka_unit_test(test_gaps),	     cmocka_unit_test(test_output_width),
		cmocka_unit_test(test_whole_table),  cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_walker),	     cmocka_unit_test(test_in_step),
		cmocka_unit_test(test_gaps_in_step), cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
