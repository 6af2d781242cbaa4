// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the page-table walker and of translation: each check broken alone,
 * and random tables where the two must agree with a third, naive reader.
 */
#include "image.h"

#include <string.h>

#include <iommuser/pagetable.h>
#include <kho/abi/iommuser.h>

#define RW 3ULL
#define TABLE_FIRST 0x27ULL /* P, RW, U, A */
#define LARGE 0x80ULL
#define MAX_RUNS 20000
#define VISITOR_STOP 4711

/* A page table under construction, and what a walk of it gave. */
struct fixture {
	struct image *image;
	struct iommuser_pageset *set;
	struct iommuser_pt_table table;
	struct iommuser_pt_counts counts;
	struct findings findings;
	struct iommuser_pt_visitor visitor;
	struct iommuser_pt_run *runs;
	u32 nr_runs;
	u32 nr_tables;
	u32 tables_of_level[IOMMUSER_PT_MAX_LEVELS];
	u32 stop_after; /* callbacks until the visitor says stop; 0: never */
};

static int meet(struct fixture *fixture)
{
	return fixture->stop_after && !--fixture->stop_after ? VISITOR_STOP : 0;
}

static int collect_run(void *ctx, const struct iommuser_pt_run *run)
{
	struct fixture *fixture = ctx;

	assert_true(fixture->nr_runs < MAX_RUNS);
	fixture->runs[fixture->nr_runs++] = *run;
	return meet(fixture);
}

static int collect_table(void *ctx, u64 phys, u32 level)
{
	struct fixture *fixture = ctx;

	assert_int_equal(phys % 4096, 0);
	assert_true(level <= fixture->table.top_level);
	fixture->tables_of_level[level]++;
	fixture->nr_tables++;
	return meet(fixture);
}

static struct fixture *fixture_new(u32 page_shift, u32 stage, u32 top_level)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->image = image_new(page_shift);
	fixture->set = pageset_new(64, IOMMUSER_NR_PLANES);
	fixture->runs = calloc(MAX_RUNS, sizeof(*fixture->runs));
	assert_non_null(fixture->runs);
	fixture->table = (struct iommuser_pt_table){
		.env = &fixture->image->env,
		.stage = stage,
		.top_table = image_alloc(fixture->image),
		.top_level = top_level,
		.output_width = 46,
	};
	fixture->visitor.ctx = fixture;
	fixture->visitor.run = collect_run;
	fixture->visitor.table = collect_table;
	findings_init(&fixture->findings);
	return fixture;
}

static void fixture_free(struct fixture *fixture)
{
	image_free(fixture->image);
	pageset_free(fixture->set);
	free(fixture->runs);
	free(fixture);
}

static u64 table_bits(const struct fixture *fixture)
{
	return fixture->table.stage == IOMMUSER_STAGE_FIRST ? TABLE_FIRST : RW;
}

/* Address of the entry for @iova in the table of @level; makes the tables above. */
static u64 entry_at(struct fixture *fixture, u64 iova, u32 level)
{
	u64 table = fixture->table.top_table;
	u32 at = fixture->table.top_level;
	u64 phys, entry;

	for (;; at--) {
		phys = table + (iova >> (12 + 9 * at) & 511) * 8;
		if (at == level)
			return phys;
		entry = image_get(fixture->image, phys, 8);
		if (!entry) {
			entry = image_alloc(fixture->image) | table_bits(fixture);
			image_put(fixture->image, phys, 8, entry);
		}
		table = entry & 0x000ffffffffff000ULL;
	}
}

static u64 put_leaf(struct fixture *fixture, u64 iova, u32 level, u64 entry)
{
	u64 at = entry_at(fixture, iova, level);

	image_put(fixture->image, at, 8, entry | (level ? LARGE : 0));
	return at;
}

/* Forget what is known of the last walk; all pages, and @length bytes at @phys, are preserved. */
static void preserve(struct fixture *fixture, u64 phys, u64 length)
{
	pageset_free(fixture->set);
	fixture->set = pageset_new(64, IOMMUSER_NR_PLANES);
	image_preserve(fixture->image, fixture->set);
	if (length)
		assert_int_equal(
			iommuser_pageset_add(fixture->set, IOMMUSER_PRESERVED, phys, length), 0);
}

static int walk_with(struct fixture *fixture, struct iommuser_pageset *set, u64 max_tables)
{
	fixture->nr_runs = 0;
	fixture->nr_tables = 0;
	memset(fixture->tables_of_level, 0, sizeof(fixture->tables_of_level));
	memset(&fixture->counts, 0xee, sizeof(fixture->counts));
	return iommuser_pt_walk(&fixture->table, set, max_tables, &fixture->visitor,
				&fixture->findings.reporter, &fixture->counts);
}

static void walk(struct fixture *fixture)
{
	assert_int_equal(walk_with(fixture, fixture->set, 0), 0);
	assert_int_equal(fixture->counts.nr_tables, fixture->nr_tables);
	assert_int_equal(fixture->counts.nr_entries, 512 * fixture->counts.nr_tables);
}

static void expect_run(const struct fixture *fixture, u32 i, u64 iova, u64 phys, u64 length,
		       u32 permissions, u32 level)
{
	assert_true(i < fixture->nr_runs);
	assert_int_equal(fixture->runs[i].iova, iova);
	assert_int_equal(fixture->runs[i].phys, phys);
	assert_int_equal(fixture->runs[i].length, length);
	assert_int_equal(fixture->runs[i].permissions, permissions);
	assert_int_equal(fixture->runs[i].level, level);
}

static void every_depth_is_walked(void **state)
{
	static const struct {
		u32 stage, top_level;
	} cases[] = {
		{ IOMMUSER_STAGE_SECOND, 2 }, { IOMMUSER_STAGE_SECOND, 3 },
		{ IOMMUSER_STAGE_SECOND, 4 }, { IOMMUSER_STAGE_FIRST, 3 },
		{ IOMMUSER_STAGE_FIRST, 4 },
	};
	u32 i, shift, level;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (shift = 12; shift <= 16; shift += 2) {
			struct fixture *fixture =
				fixture_new(shift, cases[i].stage, cases[i].top_level);
			u64 top_bit = 1ULL << (12 + 9 * (cases[i].top_level + 1) - 1);
			u64 high = top_bit | (top_bit >> 5) | 0x7000;
			u64 seen = cases[i].stage == IOMMUSER_STAGE_FIRST ? high | ~(top_bit - 1) :
									    high;
			struct iommuser_pt_translation translation;

			put_leaf(fixture, 0x5000, 0, 0x80000000 | RW);
			put_leaf(fixture, high, 0, 0x80005000 | RW);
			preserve(fixture, 0x80000000, 0x6000);
			walk(fixture);
			expect_findings(&fixture->findings, "");
			assert_int_equal(fixture->nr_runs, 2);
			expect_run(fixture, 0, 0x5000, 0x80000000, 0x1000,
				   IOMMUSER_PT_READ | IOMMUSER_PT_WRITE, 0);
			expect_run(fixture, 1, seen, 0x80005000, 0x1000,
				   IOMMUSER_PT_READ | IOMMUSER_PT_WRITE, 0);
			assert_int_equal(fixture->tables_of_level[cases[i].top_level], 1);
			for (level = 0; level < cases[i].top_level; level++)
				assert_int_equal(fixture->tables_of_level[level], 2);
			assert_int_equal(fixture->counts.nr_leaves[0], 2);
			assert_int_equal(fixture->counts.mapped, 0x2000);
			assert_int_equal(fixture->counts.page_sizes, 0x1000);
			assert_int_equal(fixture->counts.nr_read_only, 0);

			assert_int_equal(iommuser_pt_translate(&fixture->table, seen + 0x123,
							       &translation),
					 0);
			assert_true(translation.mapped);
			assert_int_equal(translation.phys, 0x80005123);
			assert_int_equal(translation.nr_steps, cases[i].top_level + 1);
			for (level = 0; level < translation.nr_steps; level++)
				assert_int_equal(translation.steps[level].level,
						 cases[i].top_level - level);
			fixture_free(fixture);
		}
	}
}

static void impossible_tables_are_refused(void **state)
{
	static const struct {
		u32 stage, top_level, output_width;
	} bad[] = {
		{ 0, 3, 46 },
		{ 3, 3, 46 },
		{ ~0U, 3, 46 },
		{ IOMMUSER_STAGE_SECOND, 1, 46 },
		{ IOMMUSER_STAGE_SECOND, 5, 46 },
		{ IOMMUSER_STAGE_SECOND, ~0U, 46 },
		{ IOMMUSER_STAGE_FIRST, 2, 46 },
		{ IOMMUSER_STAGE_FIRST, 5, 46 },
		{ IOMMUSER_STAGE_SECOND, 3, 11 },
		{ IOMMUSER_STAGE_SECOND, 3, 53 },
		{ IOMMUSER_STAGE_SECOND, 3, 0 },
		{ IOMMUSER_STAGE_SECOND, 3, ~0U },
	};
	struct iommuser_pt_translation translation;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 3);

		fixture->table.stage = bad[i].stage;
		fixture->table.top_level = bad[i].top_level;
		fixture->table.output_width = bad[i].output_width;
		assert_int_equal(walk_with(fixture, NULL, 10), -IOMMUSER_EINVAL);
		assert_int_equal(iommuser_pt_translate(&fixture->table, 0, &translation),
				 -IOMMUSER_EINVAL);
		assert_int_equal(fixture->image->calls, 0);
		assert_int_equal(fixture->counts.nr_tables, 0);
		fixture_free(fixture);
	}
}

static void the_top_table_must_be_an_address(void **state)
{
	static const u64 bad[] = { 0, 0x10000008, 1ULL << 52, ~0xfffULL };
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 3);
	u32 i;

	(void)state;
	preserve(fixture, 0, 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		fixture->table.top_table = bad[i];
		walk(fixture);
		assert_int_equal(fixture->findings.list[0].phys, bad[i]);
		expect_findings(&fixture->findings, "PT-01");
		assert_int_equal(fixture->image->calls, 0);
	}
	fixture_free(fixture);
}

static void large_leaves_are_one_run(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 2);
	u32 i;

	(void)state;
	for (i = 0; i < 600; i++) /* crosses from one table to the next */
		put_leaf(fixture, (400ULL << 21) + ((u64)i << 21), 1, (u64)i << 21 | RW);
	put_leaf(fixture, 10ULL << 30, 2, 1ULL << 30 | RW);
	put_leaf(fixture, 11ULL << 30, 2, 2ULL << 30 | RW);
	preserve(fixture, 0, 4ULL << 30);
	walk(fixture);
	expect_findings(&fixture->findings, "");
	assert_int_equal(fixture->nr_runs, 2);
	expect_run(fixture, 0, 400ULL << 21, 0, 600ULL << 21, 3, 1);
	expect_run(fixture, 1, 10ULL << 30, 1ULL << 30, 2ULL << 30, 3, 2);
	assert_int_equal(fixture->counts.nr_leaves[1], 600);
	assert_int_equal(fixture->counts.nr_leaves[2], 2);
	assert_int_equal(fixture->counts.mapped, (600ULL << 21) + (2ULL << 30));
	assert_int_equal(fixture->counts.page_sizes, 1ULL << 21 | 1ULL << 30);
	assert_true(
		iommuser_pageset_contains(fixture->set, IOMMUSER_MAPPED, 0, 600ULL << 21, NULL));
	assert_false(
		iommuser_pageset_contains(fixture->set, IOMMUSER_MAPPED, 3ULL << 30, 4096, NULL));
	fixture_free(fixture);
}

static void runs_join_across_tables_and_software_bits(void **state)
{
	static const u64 ignored[] = { 8, 9, 10, 52, 61, 63 };
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 3);
	u32 i;

	(void)state;
	for (i = 0; i < 1500; i++)
		put_leaf(fixture, (300ULL + i) << 12, 0,
			 (0x100000ULL + i) << 12 | RW |
				 (i % 7 ? 1ULL << ignored[i % ARRAY_SIZE(ignored)] : 0));
	preserve(fixture, 0x100000ULL << 12, 1500 << 12);
	walk(fixture);
	expect_findings(&fixture->findings, "");
	assert_int_equal(fixture->nr_runs, 1);
	expect_run(fixture, 0, 300 << 12, 0x100000ULL << 12, 1500 << 12, 3, 0);
	assert_int_equal(fixture->counts.nr_leaves[0], 1500);
	fixture_free(fixture);
}

static void first_stage_runs_ignore_accessed_and_dirty(void **state)
{
	static const u64 ignored[] = { 5, 6, 9, 11, 52, 62 };
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_FIRST, 4);
	u32 i;

	(void)state;
	for (i = 0; i < 20; i++)
		put_leaf(fixture, (u64)i << 12, 0,
			 (0x80000ULL + i) << 12 | 7 | 1ULL << ignored[i % ARRAY_SIZE(ignored)]);
	put_leaf(fixture, 20 << 12, 0, 0x80014ULL << 12 | 5); /* read only */
	put_leaf(fixture, 21 << 12, 0, 0x80015ULL << 12 | 7);
	preserve(fixture, 0x80000000, 22 << 12);
	walk(fixture);
	expect_findings(&fixture->findings, "");
	assert_int_equal(fixture->nr_runs, 3);
	expect_run(fixture, 0, 0, 0x80000000, 20 << 12, 3, 0);
	expect_run(fixture, 1, 20 << 12, 0x80014000, 4096, IOMMUSER_PT_READ, 0);
	expect_run(fixture, 2, 21 << 12, 0x80015000, 4096, 3, 0);
	assert_int_equal(fixture->counts.nr_read_only, 1);
	fixture_free(fixture);
}

static void permissions_split_runs(void **state)
{
	static const u64 bits[] = { 1, 2, 3, 3 | 1 << 11, 1 | 1 << 11 };
	static const u32 permissions[] = { 1, 2, 3, 7, 5 };
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 2);
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bits); i++)
		put_leaf(fixture, (u64)i << 12, 0, (0x80000ULL + i) << 12 | bits[i]);
	preserve(fixture, 0x80000000, 0x5000);
	walk(fixture);
	expect_findings(&fixture->findings, "");
	assert_int_equal(fixture->nr_runs, 5);
	for (i = 0; i < ARRAY_SIZE(bits); i++)
		expect_run(fixture, i, (u64)i << 12, (0x80000ULL + i) << 12, 4096, permissions[i],
			   0);
	assert_int_equal(fixture->counts.nr_snooped, 2);
	assert_int_equal(fixture->counts.nr_read_only, 2);
	fixture_free(fixture);
}

/* A leaf of its level with one thing wrong. */
static void expect_broken_leaf(u32 stage, u32 level, u64 entry, const char *codes)
{
	struct fixture *fixture = fixture_new(12, stage, 4);
	u64 at = put_leaf(fixture, 1ULL << (12 + 9 * level), level, entry);

	preserve(fixture, 1ULL << 30, 1ULL << 30);
	assert_int_equal(
		iommuser_pageset_add(fixture->set, IOMMUSER_PRESERVED, 2ULL << 30, 1ULL << 30), 0);
	walk(fixture);
	if (*codes == 'P')
		assert_int_equal(fixture->findings.list[0].phys, at);
	expect_findings(&fixture->findings, codes);
	fixture_free(fixture);
}

static void each_entry_check_alone(void **state)
{
	const u32 first = IOMMUSER_STAGE_FIRST, second = IOMMUSER_STAGE_SECOND;
	u32 bit, level;

	(void)state;
	for (level = 0; level < 3; level++) {
		expect_broken_leaf(second, level, 1ULL << 30 | RW, "");
		expect_broken_leaf(first, level, 1ULL << 30 | RW, "");
		for (bit = 2; bit <= 6; bit++)
			expect_broken_leaf(second, level, 1ULL << 30 | RW | 1ULL << bit, "PT-04");
		expect_broken_leaf(second, level, 1ULL << 30 | RW | 1ULL << 62, "PT-04");
		expect_broken_leaf(second, level, 1ULL << 30, "PT-07");
		expect_broken_leaf(second, level, 1ULL << 30 | 1ULL << 9, "PT-07");
		expect_broken_leaf(first, level, 1ULL << 30 | 2, "PT-07");
		expect_broken_leaf(second, level, 1ULL << 30 | 1ULL << 46 | RW, "PT-08");
		expect_broken_leaf(second, level, 1ULL << 30 | 1ULL << 51 | RW, "PT-08");
		expect_broken_leaf(first, level, 1ULL << 30 | 1ULL << 46 | RW, "PT-08");
		expect_broken_leaf(second, level, 3ULL << 30 | RW, "CLOSURE-04");
	}
	expect_broken_leaf(second, 0, 1ULL << 30 | RW | LARGE, "PT-04");
	expect_broken_leaf(first, 0, 1ULL << 30 | RW | LARGE, ""); /* PAT */
	expect_broken_leaf(second, 3, 1ULL << 30 | RW, "PT-05");
	expect_broken_leaf(second, 4, 1ULL << 30 | RW, "PT-05");
	expect_broken_leaf(first, 3, 1ULL << 30 | RW, "PT-05");
	expect_broken_leaf(first, 4, 1ULL << 30 | RW, "PT-05");
	for (bit = 12; bit < 21; bit++) {
		expect_broken_leaf(second, 1, 1ULL << 30 | 1ULL << bit | RW, "PT-06");
		expect_broken_leaf(first, 1, 1ULL << 30 | 1ULL << bit | RW,
				   bit == 12 ? "" : "PT-06");
	}
	expect_broken_leaf(second, 2, 1ULL << 30 | 1ULL << 29 | RW, "PT-06");
	expect_broken_leaf(first, 2, 1ULL << 30 | 1ULL << 12 | RW, "");
}

/* The same for an entry that leads to a table. */
static void table_entries_are_checked(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 3);
	u64 at = entry_at(fixture, 0, 2);
	u64 good;

	(void)state;
	put_leaf(fixture, 0, 0, 1ULL << 30 | RW);
	good = image_get(fixture->image, at, 8);
	preserve(fixture, 1ULL << 30, 4096);
	image_put(fixture->image, at, 8, good | 1 << 10 | 1ULL << 63);
	walk(fixture);
	expect_findings(&fixture->findings, "");
	assert_int_equal(fixture->nr_runs, 1);

	preserve(fixture, 1ULL << 30, 4096);
	image_put(fixture->image, at, 8, good | 1 << 3);
	walk(fixture);
	expect_findings(&fixture->findings, "PT-04");

	preserve(fixture, 1ULL << 30, 4096);
	image_put(fixture->image, at, 8, good | 1ULL << 50);
	walk(fixture);
	expect_findings(&fixture->findings, "PT-08");
	assert_int_equal(fixture->nr_runs, 0);

	preserve(fixture, 1ULL << 30, 4096);
	image_put(fixture->image, at, 8, RW);
	walk(fixture);
	expect_findings(&fixture->findings, "PT-04");

	preserve(fixture, 1ULL << 30, 4096);
	image_put(fixture->image, at, 8, good & ~RW);
	walk(fixture);
	expect_findings(&fixture->findings, "PT-07");
	fixture_free(fixture);
}

static void table_pages_must_be_preserved(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 2);
	u64 leaf = put_leaf(fixture, 0, 0, 1ULL << 30 | RW);
	u64 table = leaf & ~4095ULL;

	(void)state;
	pageset_free(fixture->set);
	fixture->set = pageset_new(64, IOMMUSER_NR_PLANES);
	assert_int_equal(iommuser_pageset_add(fixture->set, IOMMUSER_PRESERVED, 1ULL << 30, 4096),
			 0);
	assert_int_equal(iommuser_pageset_add(fixture->set, IOMMUSER_PRESERVED, IMAGE_FIRST_PHYS,
					      table - IMAGE_FIRST_PHYS),
			 0);
	walk(fixture);
	assert_int_equal(fixture->findings.list[0].phys, table);
	expect_findings(&fixture->findings, "CLOSURE-03");
	/* It is walked all the same: what lies below it is worth knowing. */
	assert_int_equal(fixture->nr_runs, 1);
	fixture_free(fixture);
}

/* What cannot be marked visited is not walked: nothing would end the walk of a cycle. */
static void a_table_that_the_set_has_no_room_for_is_not_walked(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 3);
	u64 far_away = 1ULL << 40;

	(void)state;
	image_put(fixture->image, fixture->table.top_table, 8, far_away | RW);
	image_put(fixture->image, far_away, 8, (far_away + 4096) | RW);
	image_put(fixture->image, far_away + 4096, 8, far_away | RW);
	pageset_free(fixture->set);
	fixture->set = pageset_new(1, IOMMUSER_NR_PLANES);
	assert_int_equal(iommuser_pageset_add(fixture->set, IOMMUSER_PRESERVED,
					      fixture->table.top_table, 4096),
			 0);
	walk(fixture);
	assert_int_equal(fixture->findings.list[0].phys, far_away);
	expect_findings(&fixture->findings, "CLOSURE-03");
	assert_int_equal(fixture->nr_tables, 1);
	fixture_free(fixture);
}

static void runs_that_are_not_preserved_name_the_first_page(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 2);
	u32 i;

	(void)state;
	for (i = 0; i < 700; i++)
		put_leaf(fixture, (u64)i << 12, 0, (0x80000ULL + i) << 12 | RW);
	preserve(fixture, 0x80000000, 650 << 12);
	walk(fixture);
	assert_int_equal(fixture->findings.list[0].phys, 0x80000000 + (650 << 12));
	assert_int_equal(fixture->findings.list[0].expected, 650 << 12);
	expect_findings(&fixture->findings, "CLOSURE-04");
	fixture_free(fixture);
}

static void unreadable_tables(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 2);
	u64 gone = put_leaf(fixture, 0, 0, 1ULL << 30 | RW) & ~4095ULL;

	(void)state;
	put_leaf(fixture, 1ULL << 21, 0, 1ULL << 30 | RW);
	preserve(fixture, 1ULL << 30, 4096);
	image_drop(fixture->image, gone);
	walk(fixture); /* preserved, but not in the dump */
	assert_int_equal(fixture->findings.list[0].severity, IOMMUSER_INCOMPLETE);
	assert_int_equal(fixture->findings.list[0].phys, gone);
	expect_findings(&fixture->findings, "PT-02");
	assert_int_equal(fixture->nr_runs, 1);

	/* Not preserved: nobody should have pointed there. */
	image_put(fixture->image, entry_at(fixture, 0, 1), 8, 0x300000000ULL | RW);
	preserve(fixture, 1ULL << 30, 4096);
	walk(fixture);
	assert_int_equal(fixture->findings.list[0].severity, IOMMUSER_ERROR);
	expect_findings(&fixture->findings, "PT-02");
	assert_int_equal(fixture->nr_runs, 1);

	/* Nobody knows. */
	assert_int_equal(walk_with(fixture, NULL, 100), 0);
	assert_int_equal(fixture->findings.list[0].severity, IOMMUSER_INCOMPLETE);
	expect_findings(&fixture->findings, "PT-02");

	image_drop(fixture->image, fixture->table.top_table);
	preserve(fixture, 1ULL << 30, 4096);
	walk(fixture);
	expect_findings(&fixture->findings, "PT-02");
	assert_int_equal(fixture->counts.nr_tables, 0);
	fixture_free(fixture);
}

static void cycles_and_sharing_are_reported_once_each(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 4);
	u64 leaf_table = put_leaf(fixture, 0, 0, 1ULL << 30 | RW) & ~4095ULL;
	u32 i;

	(void)state;
	/* The top table in itself, a lower one in itself, one leaf table shared. */
	image_put(fixture->image, fixture->table.top_table + 511 * 8, 8,
		  fixture->table.top_table | RW);
	image_put(fixture->image, entry_at(fixture, 5ULL << 21, 1), 8,
		  (entry_at(fixture, 0, 1) & ~4095ULL) | RW);
	image_put(fixture->image, entry_at(fixture, 6ULL << 21, 1), 8, leaf_table | RW);
	preserve(fixture, 1ULL << 30, 4096);
	walk(fixture);
	expect_findings(&fixture->findings, "PT-03 PT-03 PT-03");
	assert_int_equal(fixture->nr_runs, 1);
	assert_int_equal(fixture->counts.nr_tables, 5);

	/* The same tables again: all but the top one stay unvisited. */
	walk(fixture);
	expect_findings(&fixture->findings, "PT-03");
	assert_int_equal(fixture->counts.nr_tables, 0);

	/* The worst case: every entry of every level leads to the top table. */
	for (i = 0; i < 512; i++)
		image_put(fixture->image, fixture->table.top_table + i * 8, 8,
			  fixture->table.top_table | RW);
	preserve(fixture, 0, 0);
	fixture->image->calls = 0;
	walk(fixture);
	assert_int_equal(fixture->findings.count, 512);
	assert_true(fixture->image->calls < 2000);
	fixture_free(fixture);
}

static void max_tables_bounds_a_walk_without_set(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 4);
	u64 below;
	u32 i;

	(void)state;
	put_leaf(fixture, 0, 0, 1ULL << 30 | RW);
	assert_int_equal(walk_with(fixture, NULL, 5), 0);
	expect_findings(&fixture->findings, "");
	assert_int_equal(fixture->nr_runs, 1);
	assert_int_equal(walk_with(fixture, NULL, 4), -IOMMUSER_ENOSPC);
	assert_int_equal(fixture->counts.nr_tables, 4);
	assert_int_equal(walk_with(fixture, NULL, 0), -IOMMUSER_ENOSPC);
	/* Every table's entries all lead to one table below: met again and again. */
	fixture->visitor.run = NULL;
	below = image_get(fixture->image, fixture->table.top_table, 8);
	for (i = 0; i < 512; i++) {
		image_put(fixture->image, fixture->table.top_table + i * 8, 8, below);
		image_put(fixture->image, (below & ~4095ULL) + i * 8, 8,
			  image_get(fixture->image, below & ~4095ULL, 8));
	}
	assert_int_equal(walk_with(fixture, NULL, 10000), -IOMMUSER_ENOSPC);
	assert_int_equal(fixture->counts.nr_tables, 10000);
	assert_true(fixture->image->calls < 40000);
	fixture_free(fixture);
}

/* A table that is its own child is found, set or no set. */
static void a_table_on_its_own_path_is_repeated(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 4);

	(void)state;
	image_put(fixture->image, fixture->table.top_table, 8, fixture->table.top_table | RW);
	assert_int_equal(walk_with(fixture, NULL, 10), 0);
	assert_int_equal(fixture->counts.nr_tables, 1);
	expect_findings(&fixture->findings, "PT-03");
	fixture_free(fixture);
}

static void a_visitor_ends_the_walk(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 2);
	u32 stop, i;

	(void)state;
	for (i = 0; i < 4; i++)
		put_leaf(fixture, (u64)i << 22, 0, (0x80000ULL + i * 16) << 12 | RW);
	/* 1 + 1 + 4 tables and 4 runs: ten callbacks. */
	for (stop = 1; stop <= 10; stop++) {
		preserve(fixture, 0x80000000, 1 << 20);
		fixture->stop_after = stop;
		assert_int_equal(walk_with(fixture, fixture->set, 0), VISITOR_STOP);
		assert_int_equal(fixture->nr_tables + fixture->nr_runs, stop);
		assert_int_equal(fixture->counts.nr_tables, fixture->nr_tables);
	}
	preserve(fixture, 0x80000000, 1 << 20);
	fixture->stop_after = 11;
	walk(fixture);
	expect_findings(&fixture->findings, "");

	/* Either callback may be absent, and the visitor as well. */
	preserve(fixture, 0x80000000, 1 << 20);
	fixture->visitor.table = NULL;
	fixture->stop_after = 0;
	assert_int_equal(walk_with(fixture, fixture->set, 0), 0);
	assert_int_equal(fixture->nr_runs, 4);
	preserve(fixture, 0x80000000, 1 << 20);
	assert_int_equal(iommuser_pt_walk(&fixture->table, fixture->set, 0, NULL,
					  &fixture->findings.reporter, &fixture->counts),
			 0);
	expect_findings(&fixture->findings, "");
	fixture_free(fixture);
}

/* Leaving a table is the last thing that happens to it: it may even go away. */
static int drop_table(void *ctx, u64 phys, u32 level)
{
	struct fixture *fixture = ctx;

	assert_true(level <= fixture->table.top_level);
	fixture->tables_of_level[level]--;
	assert_true(level == 0 || fixture->tables_of_level[level - 1] == 0);
	image_drop(fixture->image, phys);
	return meet(fixture);
}

static void tables_are_left_children_first(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 3);
	u32 i;

	(void)state;
	fixture->visitor.leave = drop_table;
	for (i = 0; i < 6; i++)
		put_leaf(fixture, (u64)i << 29 | (u64)i << 21, 0, (0x80000ULL + i * 16) << 12 | RW);
	assert_int_equal(walk_with(fixture, NULL, 100), 0);
	expect_findings(&fixture->findings, "");
	for (i = 0; i < IOMMUSER_PT_MAX_LEVELS; i++)
		assert_int_equal(fixture->tables_of_level[i], 0);
	assert_true(fixture->nr_tables > 6);
	assert_int_equal(fixture->nr_runs, 6);
	fixture_free(fixture);
}

static int remember_left(void *ctx, u64 phys, u32 level)
{
	struct fixture *fixture = ctx;

	assert_true(fixture->nr_runs < MAX_RUNS);
	fixture->runs[fixture->nr_runs++] =
		(struct iommuser_pt_run){ .phys = phys, .level = level };
	return meet(fixture);
}

/*
 * For the table pages alone: the same tables, met and left in the same order, without a look at the
 * entries of tables of 4 KiB leaves. Those tables have to be there, and larger leaves are checked.
 */
static void pages_only_reads_no_small_leaf(u32 stage)
{
	struct fixture *fixture = fixture_new(12, stage, 3);
	struct iommuser_pt_run left[16];
	u32 i, nr_left;
	u64 large;

	for (i = 0; i < 4; i++)
		put_leaf(fixture, (u64)i << 29 | (u64)i << 21, 0,
			 (0x80000ULL + i * 16) << 12 | table_bits(fixture));
	put_leaf(fixture, 1ULL << 33, 1, 0x40000000ULL | table_bits(fixture));
	large = entry_at(fixture, 1ULL << 33, 1);
	fixture->visitor.run = NULL;
	fixture->visitor.leave = remember_left;
	assert_int_equal(walk_with(fixture, NULL, 100), 0);
	expect_findings(&fixture->findings, "");
	nr_left = fixture->nr_runs;
	assert_true(nr_left > 6 && nr_left <= 16);
	assert_int_equal(fixture->counts.nr_leaves[0], 4);
	memcpy(left, fixture->runs, nr_left * sizeof(*left));

	fixture->table.pages_only = true;
	for (i = 0; i < 4; i++)
		image_put(fixture->image, entry_at(fixture, (u64)i << 29 | (u64)i << 21, 0), 8,
			  ~0ULL);
	assert_int_equal(walk_with(fixture, NULL, 100), 0);
	expect_findings(&fixture->findings, "");
	assert_int_equal(fixture->counts.nr_tables, nr_left);
	assert_int_equal(fixture->nr_tables, nr_left);
	assert_int_equal(fixture->counts.nr_leaves[0], 0);
	assert_int_equal(fixture->counts.nr_leaves[1], 1);
	assert_int_equal(fixture->nr_runs, nr_left);
	assert_memory_equal(fixture->runs, left, nr_left * sizeof(*left));

	image_put(fixture->image, large, 8, 1ULL << 50 | LARGE | table_bits(fixture));
	assert_int_equal(walk_with(fixture, NULL, 100), 0);
	expect_findings(&fixture->findings, "PT-08");
	image_put(fixture->image, large, 8, 0);
	image_drop(fixture->image, left[0].phys);
	assert_int_equal(left[0].level, 0);
	assert_int_equal(walk_with(fixture, NULL, 100), 0);
	expect_findings(&fixture->findings, "PT-02");
	assert_int_equal(fixture->nr_runs, nr_left - 1);

	fixture->table.pages_only = false;
	assert_int_equal(walk_with(fixture, NULL, 100), 0);
	assert_true(fixture->findings.count > 0);
	fixture_free(fixture);
}

static void pages_only_in_both_stages(void **state)
{
	(void)state;
	pages_only_reads_no_small_leaf(IOMMUSER_STAGE_SECOND);
	pages_only_reads_no_small_leaf(IOMMUSER_STAGE_FIRST);
}

/* Memory that ends where 52 bits end does not go on at address 0. */
static void runs_end_at_the_last_address(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 2);
	u64 last = (1ULL << 52) - 4096;
	u32 nr_runs;

	(void)state;
	fixture->table.output_width = 52;
	put_leaf(fixture, 0, 0, last | RW);
	put_leaf(fixture, 4096, 0, RW);
	preserve(fixture, 0, 4096);
	assert_int_equal(iommuser_pageset_add(fixture->set, IOMMUSER_PRESERVED, last, 4096), 0);
	walk(fixture);
	nr_runs = fixture->nr_runs;
	expect_findings(&fixture->findings, "");
	assert_int_equal(nr_runs, 2);
	expect_run(fixture, 0, 0, last, 4096, 3, 0);
	expect_run(fixture, 1, 4096, 0, 4096, 3, 0);
	fixture_free(fixture);
}

/* The same at the top of a narrower output width. */
static void runs_end_at_the_output_width(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 2);
	u64 last = (1ULL << 46) - 4096;

	(void)state;
	put_leaf(fixture, 0, 0, last | RW);
	put_leaf(fixture, 4096, 0, (last + 4096) | RW);
	put_leaf(fixture, 8192, 0, (last + 8192) | RW);
	preserve(fixture, last, 4096);
	walk(fixture);
	expect_findings(&fixture->findings, "PT-08 PT-08");
	assert_int_equal(fixture->nr_runs, 1);
	expect_run(fixture, 0, 0, last, 4096, 3, 0);
	fixture_free(fixture);
}

static void translation_refuses_what_no_hardware_follows(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 4);
	struct iommuser_pt_translation translation;

	(void)state;
	put_leaf(fixture, 0, 0, 1ULL << 46 | RW);
	assert_int_equal(iommuser_pt_translate(&fixture->table, 0, &translation),
			 -IOMMUSER_ECORRUPT);
	assert_false(translation.mapped);
	assert_int_equal(translation.nr_steps, 5);
	put_leaf(fixture, 1ULL << 39, 3, 1ULL << 30 | RW);
	assert_int_equal(iommuser_pt_translate(&fixture->table, 1ULL << 39, &translation),
			 -IOMMUSER_ECORRUPT);
	/* Bit 7 means nothing in a page's entry of the second stage, and is the PAT bit in the first. */
	put_leaf(fixture, 4096, 0, 1ULL << 30 | RW | 1 << 7);
	assert_int_equal(iommuser_pt_translate(&fixture->table, 4096, &translation),
			 -IOMMUSER_ECORRUPT);
	put_leaf(fixture, 1ULL << 48, 4, 1ULL << 30 | RW);
	assert_int_equal(iommuser_pt_translate(&fixture->table, 1ULL << 48, &translation),
			 -IOMMUSER_ECORRUPT);
	assert_int_equal(iommuser_pt_translate(&fixture->table, 1ULL << 57, &translation), 0);
	assert_false(translation.mapped);
	assert_int_equal(translation.nr_steps, 0);
	assert_int_equal(iommuser_pt_translate(&fixture->table, ~0ULL, &translation), 0);
	assert_false(translation.mapped);
	image_put(fixture->image, entry_at(fixture, 2ULL << 48, 4), 8, 0x300000000ULL | RW);
	assert_int_equal(iommuser_pt_translate(&fixture->table, 2ULL << 48, &translation),
			 -IOMMUSER_EUNMAPPED);
	assert_int_equal(translation.nr_steps, 1);
	fixture->table.top_table |= 8;
	assert_int_equal(iommuser_pt_translate(&fixture->table, 0, &translation),
			 -IOMMUSER_ECORRUPT);
	fixture_free(fixture);
}

static void first_stage_addresses_are_sign_extended(void **state)
{
	static const u32 widths[] = { 48, 57 };
	struct iommuser_pt_translation translation;
	u32 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_FIRST, 3 + i);
		u64 top_bit = 1ULL << (widths[i] - 1);

		put_leaf(fixture, top_bit, 0, 1ULL << 30 | 7);
		put_leaf(fixture, 0, 0, 2ULL << 30 | 7 | 1 << 7);
		assert_int_equal(
			iommuser_pt_translate(&fixture->table, ~(top_bit - 1), &translation), 0);
		assert_true(translation.mapped);
		assert_int_equal(translation.phys, 1ULL << 30);
		assert_int_equal(iommuser_pt_translate(&fixture->table, top_bit, &translation), 0);
		assert_false(translation.mapped);
		assert_int_equal(translation.nr_steps, 0);
		assert_int_equal(iommuser_pt_translate(&fixture->table, top_bit << 1, &translation),
				 0);
		assert_false(translation.mapped);
		assert_int_equal(iommuser_pt_translate(&fixture->table, 1ULL << 63, &translation),
				 0);
		assert_false(translation.mapped);
		assert_int_equal(iommuser_pt_translate(&fixture->table, 5, &translation), 0);
		assert_true(translation.mapped);
		assert_int_equal(translation.phys, (2ULL << 30) + 5);
		assert_int_equal(translation.permissions & 3, 3);
		fixture_free(fixture);
	}
}

static void permissions_of_a_translation_are_those_of_all_steps(void **state)
{
	struct fixture *fixture = fixture_new(12, IOMMUSER_STAGE_SECOND, 2);
	struct iommuser_pt_translation translation;
	u64 above = entry_at(fixture, 0, 1);

	(void)state;
	put_leaf(fixture, 0, 0, 1ULL << 30 | RW | 1 << 11);
	assert_int_equal(iommuser_pt_translate(&fixture->table, 0, &translation), 0);
	assert_int_equal(translation.permissions, 7);
	image_put(fixture->image, above, 8, image_get(fixture->image, above, 8) & ~2ULL);
	assert_int_equal(iommuser_pt_translate(&fixture->table, 0, &translation), 0);
	assert_true(translation.mapped);
	assert_int_equal(translation.permissions, 5);
	fixture_free(fixture);
}

/* An entry of a random table: often nothing, often a continuation, sometimes nonsense. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as there are levels */
static void fill_randomly(struct fixture *fixture, u64 table, u32 level, u32 *budget, u64 *random)
{
	u64 phys = 0x40000000 + (random_next(random) % 64 << 30);
	u32 i;

	for (i = 0; i < 512; i++) {
		u64 dice = random_next(random);
		u64 entry = 0;
		u64 size = 1ULL << (12 + 9 * level);

		if (level && dice % 64 == 0 && *budget) {
			u64 child = image_alloc(fixture->image);

			--*budget;
			entry = child | table_bits(fixture);
			fill_randomly(fixture, child, level - 1, budget, random);
		} else if (level <= 2 && dice % (level ? 32 : 4) != 0 &&
			   (!level || dice % 32 < 4)) {
			phys = dice % 5 ? phys + size : 0x40000000 + (dice >> 20 & 63) * (1 << 30);
			entry = (phys & ~(size - 1)) | 1 | (dice >> 8 & 2) | (level ? LARGE : 0);
		} else if (dice % 200 == 1) {
			entry = random_next(random);
			if (level)
				entry |= LARGE;
		}
		image_put(fixture->image, table + 8ULL * i, 8, entry);
	}
}

/* What the walk said of an address. */
static bool find_in_runs(const struct fixture *fixture, u64 iova, u64 *phys, u32 *permissions)
{
	u32 i;

	for (i = 0; i < fixture->nr_runs; i++) {
		const struct iommuser_pt_run *run = &fixture->runs[i];

		if (iova - run->iova >= run->length)
			continue;
		*phys = run->phys + (iova - run->iova);
		*permissions = run->permissions;
		return true;
	}
	return false;
}

static void expect_same(const struct fixture *fixture, u64 iova)
{
	struct iommuser_pt_translation translation;
	u32 permissions;
	u64 phys;
	int error = iommuser_pt_translate(&fixture->table, iova, &translation);

	if (!find_in_runs(fixture, iova, &phys, &permissions)) {
		assert_true(error || !translation.mapped);
		return;
	}
	assert_int_equal(error, 0);
	assert_true(translation.mapped);
	assert_int_equal(translation.phys, phys);
	assert_int_equal(translation.permissions, permissions);
}

static void walk_and_translation_agree(void **state)
{
	u64 round, random;
	u32 i;

	(void)state;
	for (round = 0; round < 12; round++) {
		u32 stage = round & 1 ? IOMMUSER_STAGE_FIRST : IOMMUSER_STAGE_SECOND;
		struct fixture *fixture = fixture_new(12 + 2 * (round % 3), stage, 3 + round / 6);
		u32 budget = 40;
		u64 last = 0;

		random = round;
		fill_randomly(fixture, fixture->table.top_table, fixture->table.top_level, &budget,
			      &random);
		fixture->visitor.table = NULL;
		assert_int_equal(walk_with(fixture, NULL, 1000), 0);
		fixture->findings.count = 0;
		assert_true(fixture->nr_runs > 0);
		for (i = 0; i < fixture->nr_runs; i++) {
			const struct iommuser_pt_run *run = &fixture->runs[i];

			assert_true(!i || run->iova >= last);
			last = run->iova + run->length;
			if (i % 16)
				continue;
			expect_same(fixture, run->iova);
			expect_same(fixture, run->iova - 1);
			expect_same(fixture, run->iova + run->length - 1);
			expect_same(fixture, run->iova + run->length);
			expect_same(fixture, run->iova + random_next(&random) % run->length);
		}
		for (i = 0; i < 2000; i++)
			expect_same(fixture, random_next(&random) >> (8 + i % 48));
		fixture_free(fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_depth_is_walked),
		cmocka_unit_test(impossible_tables_are_refused),
		cmocka_unit_test(the_top_table_must_be_an_address),
		cmocka_unit_test(large_leaves_are_one_run),
		cmocka_unit_test(runs_join_across_tables_and_software_bits),
		cmocka_unit_test(first_stage_runs_ignore_accessed_and_dirty),
		cmocka_unit_test(permissions_split_runs),
		cmocka_unit_test(each_entry_check_alone),
		cmocka_unit_test(table_entries_are_checked),
		cmocka_unit_test(table_pages_must_be_preserved),
		cmocka_unit_test(a_table_that_the_set_has_no_room_for_is_not_walked),
		cmocka_unit_test(runs_that_are_not_preserved_name_the_first_page),
		cmocka_unit_test(unreadable_tables),
		cmocka_unit_test(cycles_and_sharing_are_reported_once_each),
		cmocka_unit_test(max_tables_bounds_a_walk_without_set),
		cmocka_unit_test(a_table_on_its_own_path_is_repeated),
		cmocka_unit_test(a_visitor_ends_the_walk),
		cmocka_unit_test(tables_are_left_children_first),
		cmocka_unit_test(pages_only_in_both_stages),
		cmocka_unit_test(runs_end_at_the_last_address),
		cmocka_unit_test(runs_end_at_the_output_width),
		cmocka_unit_test(translation_refuses_what_no_hardware_follows),
		cmocka_unit_test(first_stage_addresses_are_sign_extended),
		cmocka_unit_test(permissions_of_a_translation_are_those_of_all_steps),
		cmocka_unit_test(walk_and_translation_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
