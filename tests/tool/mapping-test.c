// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Walking page tables range by range: what is one range and what is two, who
 * owns the memory, and what is said where tables are missing or strange.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <iommuser/error.h>

#include "mapping.h"
#include "memory-source.h"

#define RW 3ULL
#define READ 1ULL
#define LARGE 0x80ULL
#define SNOOP 0x800ULL
#define FIRST_RW 0x67ULL
#define FIRST_TABLE 0x27ULL
#define PAGE 0x1000ULL
#define TABLES 0x100000ULL
#define MAX_FOUND 2048
#define STOP 4711

/* A page table in an image, and what a walk of it met. */
struct fixture {
	struct source *source;
	struct iommuser_env env;
	struct iommuser_pt_table table;
	u64 next;
	struct luo_session session;
	struct luo_file files[3];
	struct memfd memfds[3];
	struct memfd_extent extents[3][64];
	struct luo_state luo;
	struct mapping_memfds owners;
	struct mapping_range ranges[MAX_FOUND];
	struct mapping_gap gaps[MAX_FOUND];
	u64 nr_ranges;
	u64 nr_gaps;
	u64 last_iova;
	u64 stop_after;
	struct mapping_totals totals;
};

static u64 new_table(struct fixture *fixture)
{
	u64 phys = fixture->next;

	memory_page(fixture->source, phys);
	fixture->next += PAGE;
	return phys;
}

static const void *map_page(void *ctx, u64 phys, u64 length)
{
	return source_map(ctx, phys, length);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	size_t i;

	assert_non_null(fixture);
	fixture->source = memory_source_new(12);
	fixture->env = (struct iommuser_env){
		.ctx = fixture->source,
		.page_shift = 12,
		.map = map_page,
	};
	fixture->next = TABLES;
	fixture->table = (struct iommuser_pt_table){
		.env = &fixture->env,
		.stage = IOMMUSER_STAGE_SECOND,
		.top_table = new_table(fixture),
		.top_level = 2,
		.output_width = 52,
	};
	strcpy(fixture->session.name, "vm");
	fixture->session.files = fixture->files;
	fixture->luo.sessions = &fixture->session;
	fixture->luo.nr_sessions = 1;
	for (i = 0; i < 3; i++) {
		fixture->files[i].token = 10 + i;
		fixture->memfds[i].extents = fixture->extents[i];
	}
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	mapping_memfds_free(&fixture->owners);
	source_close(fixture->source);
	free(fixture);
	return 0;
}

static void use_first_stage(struct fixture *fixture, u32 top_level)
{
	fixture->table.stage = IOMMUSER_STAGE_FIRST;
	fixture->table.top_level = top_level;
}

/* Where the entry for an address is, of the table of a level; makes the tables above. */
static u64 entry_at(struct fixture *fixture, u64 iova, u32 level)
{
	u64 bits = fixture->table.stage == IOMMUSER_STAGE_FIRST ? FIRST_TABLE : RW;
	u64 table = fixture->table.top_table, at;
	u32 i;

	for (i = fixture->table.top_level;; i--) {
		at = table + (iova >> (12 + 9 * i) & 511) * 8;
		if (i == level)
			return at;
		if (!memory_get64(fixture->source, at))
			memory_put64(fixture->source, at, new_table(fixture) | bits);
		table = memory_get64(fixture->source, at) & 0x000ffffffffff000ULL;
	}
}

static u64 put_entry(struct fixture *fixture, u64 iova, u32 level, u64 entry)
{
	u64 at = entry_at(fixture, iova, level);

	memory_put64(fixture->source, at, entry);
	return at;
}

static void map(struct fixture *fixture, u64 iova, u64 phys, u64 pages, u64 bits)
{
	for (; pages; pages--, iova += PAGE, phys += PAGE)
		put_entry(fixture, iova, 0, phys | bits);
}

static void add_extent(struct fixture *fixture, u32 file, u64 phys, u64 offset, u64 length)
{
	struct memfd *memfd = &fixture->memfds[file];

	memfd->extents[memfd->nr_extents++] = (struct memfd_extent){ phys, offset, length };
	fixture->files[file].memfd = memfd;
	if (fixture->session.nr_files <= file)
		fixture->session.nr_files = file + 1;
}

static int meet(struct fixture *fixture)
{
	/* Whoever keeps a pointer into the image over a callback is found out by a sanitizer. */
	u32 i;

	for (i = 0; i < 2 * IOMMUSER_MAP_HELD; i++)
		fixture->env.map(fixture->env.ctx, TABLES, PAGE);
	return fixture->stop_after && !--fixture->stop_after ? STOP : 0;
}

static void check_order(struct fixture *fixture, u64 iova, u64 length)
{
	assert_true(length);
	if (fixture->nr_ranges + fixture->nr_gaps)
		assert_true(iova > fixture->last_iova);
	fixture->last_iova = iova + length - 1;
}

static int meet_range(void *ctx, const struct mapping_range *range)
{
	struct fixture *fixture = ctx;

	assert_true(fixture->nr_ranges < MAX_FOUND);
	check_order(fixture, range->iova, range->length);
	fixture->ranges[fixture->nr_ranges++] = *range;
	return meet(fixture);
}

static int meet_gap(void *ctx, const struct mapping_gap *gap)
{
	struct fixture *fixture = ctx;

	assert_true(fixture->nr_gaps < MAX_FOUND);
	check_order(fixture, gap->iova, gap->length);
	fixture->gaps[fixture->nr_gaps++] = *gap;
	return meet(fixture);
}

static int walk(struct fixture *fixture)
{
	const struct mapping_visitor visitor = { fixture, meet_range, meet_gap };
	int ret;

	mapping_memfds_free(&fixture->owners);
	assert_true(mapping_memfds_init(&fixture->owners, &fixture->luo));
	fixture->nr_ranges = 0;
	fixture->nr_gaps = 0;
	ret = mapping_walk(&fixture->table, &fixture->owners, &visitor, &fixture->totals);
	if (ret)
		return ret;
	assert_int_equal(fixture->totals.nr_ranges, fixture->nr_ranges);
	assert_int_equal(fixture->totals.nr_gaps, fixture->nr_gaps);
	return 0;
}

static void expect_range(const struct fixture *fixture, u64 i, u64 iova, u64 phys, u64 length)
{
	assert_true(i < fixture->nr_ranges);
	assert_int_equal(fixture->ranges[i].iova, iova);
	assert_int_equal(fixture->ranges[i].phys, phys);
	assert_int_equal(fixture->ranges[i].length, length);
}

static void expect_gap(const struct fixture *fixture, u64 i, u64 iova, u64 length,
		       enum table_piece_kind reason, u64 phys)
{
	assert_true(i < fixture->nr_gaps);
	assert_int_equal(fixture->gaps[i].iova, iova);
	assert_int_equal(fixture->gaps[i].length, length);
	assert_int_equal(fixture->gaps[i].reason, reason);
	assert_int_equal(fixture->gaps[i].phys, phys);
}

static void expect_owner(const struct fixture *fixture, u64 i, u32 file, u64 offset)
{
	assert_ptr_equal(fixture->ranges[i].owner.session, &fixture->session);
	assert_ptr_equal(fixture->ranges[i].owner.file, &fixture->files[file]);
	assert_int_equal(fixture->ranges[i].owner.offset, offset);
}

static void expect_no_owner(const struct fixture *fixture, u64 i)
{
	assert_null(fixture->ranges[i].owner.session);
	assert_null(fixture->ranges[i].owner.file);
}

static void nothing_is_mapped(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges + fixture->nr_gaps, 0);
	assert_int_equal(fixture->totals.mapped, 0);
	assert_int_equal(fixture->totals.nr_tables, 1);
}

/* Entries of three leaf tables below two tables of the next level are one range. */
static void ranges_go_on_across_tables(void **state)
{
	struct fixture *fixture = *state;
	u64 iova = (1ULL << 30) - (1ULL << 21) - PAGE;

	map(fixture, iova, 0x40000000, 514, RW);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 1);
	expect_range(fixture, 0, iova, 0x40000000, 514 * PAGE);
	assert_int_equal(fixture->ranges[0].page_sizes, PAGE);
	assert_int_equal(fixture->ranges[0].permissions, IOMMUSER_PT_READ | IOMMUSER_PT_WRITE);
	assert_int_equal(fixture->totals.mapped, 514 * PAGE);
	assert_int_equal(fixture->totals.nr_tables, 1 + 2 + 3);
}

static void superpages_are_part_of_a_range(void **state)
{
	struct fixture *fixture = *state;
	u64 large = 1ULL << 21, huge = 1ULL << 30;

	map(fixture, huge - large - PAGE, 2 * huge - large - PAGE, 1, RW);
	put_entry(fixture, huge - large, 1, (2 * huge - large) | LARGE | RW);
	put_entry(fixture, huge, 2, (2 * huge) | LARGE | RW);
	put_entry(fixture, 3 * huge, 2, huge | LARGE | RW);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 2);
	expect_range(fixture, 0, huge - large - PAGE, 2 * huge - large - PAGE, huge + large + PAGE);
	assert_int_equal(fixture->ranges[0].page_sizes, huge | large | PAGE);
	expect_range(fixture, 1, 3 * huge, huge, huge);
	assert_int_equal(fixture->ranges[1].page_sizes, huge);
}

static void holes_end_a_range(void **state)
{
	struct fixture *fixture = *state;

	/* The memory goes on, the address does not; then the other way round. */
	map(fixture, 0x1000, 0x40000000, 1, RW);
	map(fixture, 0x3000, 0x40001000, 2, RW);
	map(fixture, 0x5000, 0x40004000, 1, RW);
	map(fixture, 0x7fffff000, 0x40005000, 1, RW);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 4);
	expect_range(fixture, 0, 0x1000, 0x40000000, PAGE);
	expect_range(fixture, 1, 0x3000, 0x40001000, 2 * PAGE);
	expect_range(fixture, 2, 0x5000, 0x40004000, PAGE);
	expect_range(fixture, 3, 0x7fffff000, 0x40005000, PAGE);
}

static void permissions_end_a_range(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, 0x0, 0x40000000, 1, RW);
	map(fixture, 0x1000, 0x40001000, 2, READ);
	map(fixture, 0x3000, 0x40003000, 1, RW);
	map(fixture, 0x4000, 0x40004000, 1, RW | SNOOP);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 4);
	expect_range(fixture, 1, 0x1000, 0x40001000, 2 * PAGE);
	assert_int_equal(fixture->ranges[1].permissions, IOMMUSER_PT_READ);
	expect_range(fixture, 3, 0x4000, 0x40004000, PAGE);
	assert_int_equal(fixture->ranges[3].permissions,
			 IOMMUSER_PT_READ | IOMMUSER_PT_WRITE | IOMMUSER_PT_SNOOP);
}

/* Bits that the hardware sets or ignores do not end a range. */
static void accessed_and_dirty_do_not_count(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, 0x0, 0x40000000, 1, RW);
	map(fixture, 0x1000, 0x40001000, 1, RW | 1ULL << 8);
	map(fixture, 0x2000, 0x40002000, 1, RW | 3ULL << 8);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 1);
	expect_range(fixture, 0, 0x0, 0x40000000, 3 * PAGE);
}

/* A table's entry takes permissions away from everything below it. */
static void permissions_of_all_levels_count(void **state)
{
	struct fixture *fixture = *state;
	u64 at;

	map(fixture, 0x1ff000, 0x40000000, 2, RW);
	at = entry_at(fixture, 0x1ff000, 1);
	memory_put64(fixture->source, at, memory_get64(fixture->source, at) & ~2ULL);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 2);
	assert_int_equal(fixture->ranges[0].permissions, IOMMUSER_PT_READ);
	assert_int_equal(fixture->ranges[1].permissions, IOMMUSER_PT_READ | IOMMUSER_PT_WRITE);
}

static void memfds_split_ranges(void **state)
{
	struct fixture *fixture = *state;

	/* Page 0 in none, 1 and 2 in the first, 3 in the second, 4 in the second but elsewhere. */
	map(fixture, 0x10000, 0x40000000, 6, RW);
	add_extent(fixture, 0, 0x40001000, 0x5000, 2 * PAGE);
	add_extent(fixture, 1, 0x40003000, 0x0, PAGE);
	add_extent(fixture, 1, 0x40004000, 0x9000, PAGE);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 5);
	expect_range(fixture, 0, 0x10000, 0x40000000, PAGE);
	expect_no_owner(fixture, 0);
	expect_range(fixture, 1, 0x11000, 0x40001000, 2 * PAGE);
	expect_owner(fixture, 1, 0, 0x5000);
	expect_owner(fixture, 2, 1, 0x0);
	expect_owner(fixture, 3, 1, 0x9000);
	expect_no_owner(fixture, 4);
	assert_int_equal(fixture->totals.in_memfds, 4 * PAGE);
	assert_int_equal(fixture->totals.mapped, 6 * PAGE);
}

/* One entry may map memory of several files; several extents may be one run of a file. */
static void memfds_split_superpages(void **state)
{
	struct fixture *fixture = *state;
	u64 large = 1ULL << 21;

	put_entry(fixture, 0, 1, 0x40000000 | LARGE | RW);
	add_extent(fixture, 0, 0x40000000, 0x0, 0x10000);
	add_extent(fixture, 0, 0x40010000, 0x10000, 0x10000);
	add_extent(fixture, 1, 0x40020000, 0x7000, 0x3000);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 3);
	expect_range(fixture, 0, 0, 0x40000000, 0x20000);
	expect_owner(fixture, 0, 0, 0);
	expect_range(fixture, 1, 0x20000, 0x40020000, 0x3000);
	expect_owner(fixture, 1, 1, 0x7000);
	expect_range(fixture, 2, 0x23000, 0x40023000, large - 0x23000);
	expect_no_owner(fixture, 2);
}

/* Folios in the order of the file and in no order of memory: each look-up follows the last. */
static void scattered_folios_are_found(void **state)
{
	struct fixture *fixture = *state;
	u64 phys;
	u32 i;

	for (i = 0; i < 64; i++) {
		phys = 0x40000000 + (i * 37 % 64) * 2 * PAGE;
		add_extent(fixture, 1, phys, i * PAGE, PAGE);
		map(fixture, i * PAGE, phys, 1, RW);
	}
	map(fixture, 64 * PAGE, 0x40000000 + PAGE, 1, RW);
	map(fixture, 65 * PAGE, 0x40000000 + 37 * 2 * PAGE, 1, RW);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 66);
	for (i = 0; i < 64; i++)
		expect_owner(fixture, i, 1, i * PAGE);
	assert_int_equal(mapping_find_owner(&fixture->luo, phys + 5).offset, 63 * PAGE + 5);
	expect_no_owner(fixture, 64);
	expect_owner(fixture, 65, 1, PAGE);
}

/* Damaged images claim memory for two files: the answer is one of them, and always the same. */
static void overlapping_memfds(void **state)
{
	struct fixture *fixture = *state;
	struct mapping_owner owner, single;
	u64 at, length, other;

	add_extent(fixture, 0, 0x40000000, 0x0, 0x10000);
	add_extent(fixture, 1, 0x40004000, 0x0, 0x4000);
	add_extent(fixture, 2, 0x4000c000, 0x0, 0x8000);
	add_extent(fixture, 2, 0x40030000, 0x8000, 0);
	assert_true(mapping_memfds_init(&fixture->owners, &fixture->luo));
	for (at = 0x3ffff000; at < 0x40018000; at += PAGE) {
		owner = mapping_memfds_find(&fixture->owners, at, &length);
		assert_true(length && !(length % PAGE));
		assert_int_equal(!owner.session, at < 0x40000000 || at >= 0x40014000);
		single = mapping_find_owner(&fixture->luo, at);
		assert_ptr_equal(single.file, owner.file);
		assert_int_equal(single.offset, owner.offset);
		if (owner.file == &fixture->files[0])
			assert_int_equal(owner.offset, at - 0x40000000);
		if (owner.file == &fixture->files[2])
			assert_int_equal(owner.offset, at - 0x4000c000);
		/* The answer holds for as long as it says. */
		other = owner.offset;
		owner = mapping_memfds_find(&fixture->owners, at + length - 1, NULL);
		if (owner.session)
			assert_int_equal(owner.offset, other + length - 1);
	}
	assert_null(mapping_memfds_find(&fixture->owners, 0x40030000, NULL).session);
	map(fixture, 0, 0x40000000, 0x20, RW);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->totals.in_memfds, 0x14000);
}

/* The extent that follows the last one in the file is not asked first when another may lie over it. */
static void overlapping_memfds_in_order(void **state)
{
	struct fixture *fixture = *state;

	add_extent(fixture, 0, 0x40000000, 0x0, PAGE);
	add_extent(fixture, 0, 0x40010000, 0x1000, PAGE);
	add_extent(fixture, 1, 0x40008000, 0x0, 0x10000);
	map(fixture, 0x0, 0x40000000, 1, RW);
	map(fixture, 0x1000, 0x40010000, 1, RW);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 2);
	expect_owner(fixture, 0, 0, 0x0);
	expect_owner(fixture, 1, 1, 0x8000);
}

static void no_memfds(void **state)
{
	struct fixture *fixture = *state;
	struct mapping_memfds none;
	u64 length;

	assert_null(mapping_find_owner(NULL, 0x1000).session);
	assert_true(mapping_memfds_init(&none, NULL));
	assert_null(mapping_memfds_find(&none, 0x1000, &length).session);
	assert_int_equal(length, UINT64_MAX - 0x1000);
	mapping_memfds_free(&none);
	map(fixture, 0x0, 0x40000000, 3, RW);
	assert_int_equal(mapping_walk(&fixture->table, NULL, NULL, &fixture->totals), 0);
	assert_int_equal(fixture->totals.nr_ranges, 1);
	assert_int_equal(fixture->totals.mapped, 3 * PAGE);
}

static void missing_tables_are_gaps(void **state)
{
	struct fixture *fixture = *state;
	u64 large = 1ULL << 21, huge = 1ULL << 30;
	u64 first, second, third;

	map(fixture, 0, 0x40000000, 1, RW);
	map(fixture, large, 0x40001000, 1, RW);
	map(fixture, 2 * large, 0x40002000, 1, RW);
	map(fixture, 3 * large, 0x40003000, 1, RW);
	map(fixture, 5 * huge, 0x40004000, 1, RW);
	map(fixture, 6 * huge, 0x40005000, 1, RW);
	first = memory_get64(fixture->source, entry_at(fixture, large, 1)) & ~0xfffULL;
	second = memory_get64(fixture->source, entry_at(fixture, 2 * large, 1)) & ~0xfffULL;
	third = memory_get64(fixture->source, entry_at(fixture, 5 * huge, 2)) & ~0xfffULL;
	memory_drop(fixture->source, first);
	memory_drop(fixture->source, second);
	memory_drop(fixture->source, third);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 3);
	expect_range(fixture, 0, 0, 0x40000000, PAGE);
	expect_range(fixture, 1, 3 * large, 0x40003000, PAGE);
	expect_range(fixture, 2, 6 * huge, 0x40005000, PAGE);
	assert_int_equal(fixture->nr_gaps, 2);
	expect_gap(fixture, 0, large, 2 * large, TABLE_MISSING, first);
	expect_gap(fixture, 1, 5 * huge, huge, TABLE_MISSING, third);
}

/* Gaps of one reason are one, those of two are two. */
static void gaps_of_two_reasons(void **state)
{
	struct fixture *fixture = *state;
	u64 large = 1ULL << 21, missing, repeated;

	map(fixture, 0, 0x40000000, 1, RW);
	map(fixture, large, 0x40001000, 1, RW);
	repeated = memory_get64(fixture->source, entry_at(fixture, 0, 1)) & ~0xfffULL;
	missing = memory_get64(fixture->source, entry_at(fixture, large, 1)) & ~0xfffULL;
	put_entry(fixture, 2 * large, 1, repeated | RW);
	put_entry(fixture, 3 * large, 1, repeated | RW);
	memory_drop(fixture->source, missing);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_gaps, 2);
	expect_gap(fixture, 0, large, large, TABLE_MISSING, missing);
	expect_gap(fixture, 1, 2 * large, 2 * large, TABLE_REPEATED, repeated);
}

static void missing_top_table(void **state)
{
	struct fixture *fixture = *state;

	memory_drop(fixture->source, fixture->table.top_table);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 0);
	assert_int_equal(fixture->nr_gaps, 1);
	expect_gap(fixture, 0, 0, 1ULL << 39, TABLE_MISSING, fixture->table.top_table);
	use_first_stage(fixture, 4);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_gaps, 2);
	expect_gap(fixture, 0, 0, 1ULL << 56, TABLE_MISSING, fixture->table.top_table);
	expect_gap(fixture, 1, 0xff00000000000000, 1ULL << 56, TABLE_MISSING,
		   fixture->table.top_table);
}

static void invalid_entries_are_gaps(void **state)
{
	struct fixture *fixture = *state;
	u64 at;

	map(fixture, 0x0, 0x40000000, 5, RW);
	at = put_entry(fixture, 0x1000, 0, 0x40001000 | RW | LARGE << 55);
	put_entry(fixture, 0x2000, 0, 0x40002000 | RW | LARGE << 55);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 2);
	expect_range(fixture, 1, 0x3000, 0x40003000, 2 * PAGE);
	assert_int_equal(fixture->nr_gaps, 1);
	expect_gap(fixture, 0, 0x1000, 2 * PAGE, TABLE_INVALID, at);
	/* Beyond what the unit can address, and a superpage that is not aligned. */
	fixture->table.output_width = 36;
	map(fixture, 0x1000, 0x40001000, 1, RW);
	at = put_entry(fixture, 0x2000, 0, 1ULL << 36 | RW);
	put_entry(fixture, 1ULL << 21, 1, 0x40001000 | LARGE | RW);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_gaps, 2);
	expect_gap(fixture, 0, 0x2000, PAGE, TABLE_INVALID, at);
	expect_gap(fixture, 1, 1ULL << 21, 1ULL << 21, TABLE_INVALID,
		   entry_at(fixture, 1ULL << 21, 1));
}

/* Entries without permission are nothing to the hardware, whatever else is in them. */
static void entries_that_are_not_present(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, 0x0, 0x40000000, 4, RW);
	put_entry(fixture, 0x1000, 0, 0x40001000);
	put_entry(fixture, 0x2000, 0, ~RW);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_gaps, 0);
	assert_int_equal(fixture->nr_ranges, 2);
	expect_range(fixture, 1, 0x3000, 0x40003000, PAGE);
}

static void both_halves_of_the_first_stage(void **state)
{
	struct fixture *fixture = *state;

	use_first_stage(fixture, 3);
	/* Up to the end of the lower half, from the start of the upper one, and its very end. */
	map(fixture, 0x7ffffffff000, 0x40000000, 1, FIRST_RW);
	map(fixture, 0xffff800000000000, 0x40001000, 2, FIRST_RW);
	map(fixture, 0xfffffffffffff000, 0x40003000, 1, FIRST_RW);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 3);
	expect_range(fixture, 0, 0x7ffffffff000, 0x40000000, PAGE);
	expect_range(fixture, 1, 0xffff800000000000, 0x40001000, 2 * PAGE);
	expect_range(fixture, 2, 0xfffffffffffff000, 0x40003000, PAGE);
	assert_int_equal(fixture->ranges[0].permissions, IOMMUSER_PT_READ | IOMMUSER_PT_WRITE);
	assert_int_equal(fixture->totals.mapped, 4 * PAGE);
}

/* A superpage of the first stage has a caching bit where others have their address. */
static void first_stage_caching_bit(void **state)
{
	struct fixture *fixture = *state;
	u64 large = 1ULL << 21;

	use_first_stage(fixture, 3);
	put_entry(fixture, 0, 1, 0x40000000 | LARGE | FIRST_RW);
	put_entry(fixture, large, 1, (0x40000000 + large) | PAGE | LARGE | FIRST_RW);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_gaps, 0);
	assert_int_equal(fixture->nr_ranges, 1);
	expect_range(fixture, 0, 0, 0x40000000, 2 * large);
}

/* All entries of all levels lead to the table itself: 2^45 leaves, if one followed them. */
static void cycles_end(void **state)
{
	struct fixture *fixture = *state;
	u32 i;

	fixture->table.top_level = 4;
	for (i = 0; i < 512; i++)
		memory_put64(fixture->source, fixture->table.top_table + i * 8,
			     fixture->table.top_table | RW);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 0);
	assert_int_equal(fixture->nr_gaps, 1);
	expect_gap(fixture, 0, 0, 1ULL << 57, TABLE_REPEATED, fixture->table.top_table);
	assert_int_equal(fixture->totals.nr_tables, 1);
}

/* All entries of each level lead to one table of the next: the same number of leaves. */
static void fan_out_ends(void **state)
{
	struct fixture *fixture = *state;
	u64 tables[5] = { fixture->table.top_table };
	u32 i, j;

	fixture->table.top_level = 4;
	for (i = 1; i < 5; i++)
		tables[i] = new_table(fixture);
	for (i = 0; i < 4; i++)
		for (j = 0; j < 512; j++)
			memory_put64(fixture->source, tables[i] + j * 8, tables[i + 1] | RW);
	for (j = 0; j < 512; j++)
		memory_put64(fixture->source, tables[4] + j * 8, (0x40000000 + 2 * j * PAGE) | RW);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 512);
	expect_range(fixture, 511, 511 * PAGE, 0x40000000 + 1022 * PAGE, PAGE);
	assert_int_equal(fixture->totals.nr_tables, 5);
	/* What follows is one gap to the end. */
	assert_int_equal(fixture->nr_gaps, 1);
	expect_gap(fixture, 0, 1ULL << 21, (1ULL << 57) - (1ULL << 21), TABLE_REPEATED, tables[4]);
}

static void a_table_met_at_two_levels(void **state)
{
	struct fixture *fixture = *state;
	u64 leaf_table;

	map(fixture, 0, 0x40000000, 1, RW);
	leaf_table = memory_get64(fixture->source, entry_at(fixture, 0, 1)) & ~0xfffULL;
	put_entry(fixture, 1ULL << 30, 2, leaf_table | RW);
	map(fixture, 2ULL << 30, 0x40001000, 1, RW);
	assert_int_equal(walk(fixture), 0);
	assert_int_equal(fixture->nr_ranges, 2);
	assert_int_equal(fixture->nr_gaps, 1);
	expect_gap(fixture, 0, 1ULL << 30, 1ULL << 30, TABLE_REPEATED, leaf_table);
}

static void visitors_can_stop(void **state)
{
	struct fixture *fixture = *state;
	u64 met;

	map(fixture, 0x0, 0x40000000, 1, RW);
	map(fixture, 0x2000, 0x40002000, 1, RW);
	put_entry(fixture, 0x4000, 0, 0x40004000 | RW | LARGE << 55);
	put_entry(fixture, 0x6000, 0, 0x40004000 | RW | LARGE << 55);
	for (met = 1; met <= 4; met++) {
		fixture->stop_after = met;
		assert_int_equal(walk(fixture), STOP);
		assert_int_equal(fixture->nr_ranges + fixture->nr_gaps, met);
	}
	fixture->stop_after = 0;
	assert_int_equal(walk(fixture), 0);
}

static void impossible_tables(void **state)
{
	struct fixture *fixture = *state;

	fixture->table.top_level = 5;
	assert_int_equal(walk(fixture), -IOMMUSER_EINVAL);
	fixture->table.top_level = 1;
	assert_int_equal(walk(fixture), -IOMMUSER_EINVAL);
	fixture->table.top_level = 2;
	fixture->table.stage = 0;
	assert_int_equal(walk(fixture), -IOMMUSER_EINVAL);
}

/* Random tables: the ranges, page by page, are what a translation of each page says. */
static void ranges_agree_with_translation(void **state)
{
	static const u64 kinds[] = { RW, RW, RW, READ, 2, 0, RW | SNOOP, RW | 1ULL << 62 };
	struct fixture *fixture = *state;
	struct iommuser_pt_translation translation;
	u64 random = 88172645463325252ULL, phys = 0x40000000, i, at, nr = 0;

	for (at = 0; at < 1500; at++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		phys = random % 5 ? phys + PAGE : 0x40000000 + (random >> 8 & 0xffff) * PAGE;
		if (random >> 40 & 3)
			put_entry(fixture, at * PAGE, 0, phys | kinds[random >> 50 & 7]);
	}
	assert_int_equal(walk(fixture), 0);
	assert_true(fixture->nr_ranges > 100 && fixture->nr_gaps > 10);
	for (i = 0; i < fixture->nr_ranges; i++) {
		const struct mapping_range *range = &fixture->ranges[i];

		for (at = 0; at < range->length; at += PAGE, nr++) {
			assert_int_equal(iommuser_pt_translate(&fixture->table, range->iova + at,
							       &translation),
					 0);
			assert_true(translation.mapped);
			assert_int_equal(translation.phys, range->phys + at);
			assert_int_equal(translation.permissions, range->permissions);
		}
		if (i && range[-1].iova + range[-1].length == range->iova)
			assert_true(range[-1].phys + range[-1].length != range->phys ||
				    range[-1].permissions != range->permissions);
	}
	for (at = 0; at < 1500; at++)
		if (!iommuser_pt_translate(&fixture->table, at * PAGE, &translation) &&
		    translation.mapped)
			nr--;
	assert_int_equal(nr, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_mapped),
		TEST(ranges_go_on_across_tables),
		TEST(superpages_are_part_of_a_range),
		TEST(holes_end_a_range),
		TEST(permissions_end_a_range),
		TEST(accessed_and_dirty_do_not_count),
		TEST(permissions_of_all_levels_count),
		TEST(memfds_split_ranges),
		TEST(memfds_split_superpages),
		TEST(scattered_folios_are_found),
		TEST(overlapping_memfds),
		TEST(overlapping_memfds_in_order),
		TEST(no_memfds),
		TEST(missing_tables_are_gaps),
		TEST(gaps_of_two_reasons),
		TEST(missing_top_table),
		TEST(invalid_entries_are_gaps),
		TEST(entries_that_are_not_present),
		TEST(both_halves_of_the_first_stage),
		TEST(first_stage_caching_bit),
		TEST(cycles_end),
		TEST(fan_out_ends),
		TEST(a_table_met_at_two_levels),
		TEST(visitors_can_stop),
		TEST(impossible_tables),
		TEST(ranges_agree_with_translation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
