// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How fast a page table is walked with all checks, against reading its pages
 * word by word in the same order.
 */
#include "bench.h"

#include <iommuser/pageset.h>
#include <iommuser/pagetable.h>
#include <kho/abi/iommuser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 512ULL
#define LEVELS 4
#define READ_WRITE 3ULL
#define TABLES_BASE (4ULL << 30)
#define PAYLOAD_BASE (1ULL << 40)
#define CHUNK (1ULL << IOMMUSER_CHUNK_SHIFT)
#define REPETITIONS 9
#define REPETITIONS_SLOW 3

/* Where the pages that the tables map are. */
enum layout {
	LAYOUT_RUNS,	  /* runs of 2 MiB, in random order */
	LAYOUT_SCATTERED, /* each page of 4 KiB by itself */
	NR_LAYOUTS,
};

static const char *const layout_names[NR_LAYOUTS] = { "2 MiB runs", "scattered 4 KiB pages" };

/* A tree of tables that maps nr_leaf_tables * 2 MiB. */
struct tree {
	struct bench_space space;
	u64 nr_leaf_tables;
	u64 nr_tables;
	u32 *slots; /* slots[i]: page in which the i-th table was placed */
	u32 *order; /* pages in the order of the walk */
	u64 nr_built;
	enum layout layout;
};

static u64 tables_at_level(const struct tree *tree, u32 level)
{
	u64 count = tree->nr_leaf_tables;

	while (level--)
		count = (count + ENTRIES - 1) / ENTRIES;
	return count;
}

/* A bijection on the numbers below @count, a power of two. */
static u64 scatter(u64 number, u64 count)
{
	u32 half = (u32)__builtin_ctzll(count) / 2;

	number = (number * 0x9e3779b97f4a7c15ULL) & (count - 1);
	number ^= number >> half;
	return (number * 0xd6e8feb86659fd93ULL) & (count - 1);
}

static u64 payload_of(const struct tree *tree, u64 block, u64 index)
{
	if (tree->layout == LAYOUT_SCATTERED)
		return PAYLOAD_BASE +
		       scatter(block * ENTRIES + index, tree->nr_leaf_tables * ENTRIES) *
			       BENCH_PAGE_SIZE;
	return PAYLOAD_BASE +
	       (scatter(block, tree->nr_leaf_tables) * ENTRIES + index) * BENCH_PAGE_SIZE;
}

static void fill_leaves(const struct tree *tree, u64 block, u64 *entries)
{
	u64 i;

	for (i = 0; i < ENTRIES; i++)
		entries[i] = payload_of(tree, block, i) | READ_WRITE;
}

static u64 place_table(struct tree *tree)
{
	u32 slot = tree->slots[tree->nr_built];

	tree->order[tree->nr_built++] = slot;
	return tree->space.base + slot * BENCH_PAGE_SIZE;
}

static u64 *table_at(const struct tree *tree, u64 phys)
{
	return (void *)(tree->space.bytes + (phys - tree->space.base));
}

/* Leaf tables below one table of a level. */
static u64 tree_span(u32 level)
{
	return 1ULL << (9 * level);
}

/* Place and fill all tables, depth first as the walk goes. Return: address of the top table. */
static u64 build_tree(struct tree *tree, enum layout layout)
{
	u64 *tables[LEVELS] = { NULL };
	u64 top, phys, block, span;
	u32 level;

	tree->layout = layout;
	tree->nr_built = 0;
	top = place_table(tree);
	tables[LEVELS - 1] = table_at(tree, top);
	for (block = 0; block < tree->nr_leaf_tables; block++) {
		for (level = LEVELS - 1, span = tree_span(LEVELS - 2); level--; span /= ENTRIES) {
			if (block % span)
				continue;
			phys = place_table(tree);
			tables[level + 1][block / span % ENTRIES] = phys | READ_WRITE;
			tables[level] = table_at(tree, phys);
		}
		fill_leaves(tree, block, tables[0]);
	}
	if (tree->nr_built != tree->nr_tables)
		bench_fail("the tree has %llu tables, not %llu", (unsigned long long)tree->nr_built,
			   (unsigned long long)tree->nr_tables);
	return top;
}

static void init_tree(struct tree *tree, u64 leaf_bytes)
{
	u32 level;

	memset(tree, 0, sizeof(*tree));
	tree->nr_leaf_tables = leaf_bytes / BENCH_PAGE_SIZE;
	for (level = 0; level < LEVELS; level++)
		tree->nr_tables += tables_at_level(tree, level);
	bench_space_init(&tree->space, TABLES_BASE, tree->nr_tables);
	tree->slots = bench_shuffle((u32)tree->nr_tables);
	tree->order = bench_memory(tree->nr_tables * sizeof(u32));
}

/* One way to walk the tree. */
struct walk {
	const struct tree *tree;
	struct iommuser_env env;
	struct iommuser_pt_table table;
	struct iommuser_pageset set;
	void *memory;
	u64 memory_size;
	u64 nr_chunks;
	u32 nr_planes;
};

static u64 mapped_bytes(const struct tree *tree)
{
	return tree->nr_leaf_tables * ENTRIES * BENCH_PAGE_SIZE;
}

static void init_walk(struct walk *walk, struct tree *tree, u64 top, u32 nr_planes)
{
	walk->tree = tree;
	walk->env = bench_env(&tree->space);
	walk->table.env = &walk->env;
	walk->table.stage = IOMMUSER_STAGE_SECOND;
	walk->table.top_table = top;
	walk->table.top_level = LEVELS - 1;
	walk->table.output_width = 46;
	walk->nr_planes = nr_planes;
	walk->nr_chunks = (tree->space.size + CHUNK - 1) / CHUNK + mapped_bytes(tree) / CHUNK;
	walk->memory_size = iommuser_pageset_size(walk->nr_chunks, nr_planes);
	if (!walk->memory)
		walk->memory = bench_memory(walk->memory_size);
}

/* The preserved set is there before a walk begins, and nothing is visited yet. */
static void prepare_walk(void *ctx)
{
	struct walk *walk = ctx;

	memset(walk->memory, 0, walk->memory_size);
	if (iommuser_pageset_init(&walk->set, walk->memory, walk->memory_size, walk->nr_chunks,
				  walk->nr_planes) ||
	    iommuser_pageset_add(&walk->set, IOMMUSER_PRESERVED, walk->tree->space.base,
				 walk->tree->space.size) ||
	    iommuser_pageset_add(&walk->set, IOMMUSER_PRESERVED, PAYLOAD_BASE,
				 mapped_bytes(walk->tree)))
		bench_fail("no preserved set");
}

static void run_walk(void *ctx)
{
	struct walk *walk = ctx;
	struct iommuser_pt_counts counts;

	if (iommuser_pt_walk(&walk->table, &walk->set, 0, NULL, &bench_no_findings, &counts))
		bench_fail("the walk failed");
	if (counts.nr_tables != walk->tree->nr_tables || counts.mapped != mapped_bytes(walk->tree))
		bench_fail("the walk met %llu tables and %llu bytes",
			   (unsigned long long)counts.nr_tables, (unsigned long long)counts.mapped);
}

static void measure(struct tree *tree, struct walk *walks, enum layout layout)
{
	struct bench_pages pages = { &tree->space, tree->order, tree->nr_tables };
	struct bench_task reference = { .run = bench_read_pages, .ctx = &pages };
	struct bench_result results[2];
	struct bench_task tasks[2];
	u64 top = build_tree(tree, layout);
	char name[128];
	u32 i;

	for (i = 0; i < 2; i++) {
		init_walk(&walks[i], tree, top, i ? IOMMUSER_NR_PLANES : IOMMUSER_MAPPED);
		tasks[i].name = i ? "walk, checks and mapped set" : "walk, checks";
		tasks[i].prepare = prepare_walk;
		tasks[i].run = run_walk;
		tasks[i].ctx = &walks[i];
	}
	bench_compare(&reference, tasks, 2, layout == LAYOUT_RUNS ? REPETITIONS : REPETITIONS_SLOW,
		      results);
	for (i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s; %llu GiB in %s, %llu MiB of tables",
			 tasks[i].name, (unsigned long long)mapped_bytes(tree) >> 30,
			 layout_names[layout], (unsigned long long)tree->space.size >> 20);
		bench_row(name, tree->space.size, &results[i],
			  layout == LAYOUT_RUNS ? "≥ 0.5" : "worst case");
	}
}

static void print_memory(const struct walk *walk)
{
	printf("| extra memory, %u planes | %.1f MiB | %llu MiB of tables | %.3f | |\n",
	       walk->nr_planes, (double)walk->memory_size / (1 << 20),
	       (unsigned long long)walk->tree->space.size >> 20,
	       (double)walk->memory_size / (double)walk->tree->space.size);
}

int main(int argc, char **argv)
{
	struct walk walks[2] = { { .memory = NULL }, { .memory = NULL } };
	u64 leaf_bytes = 2ULL << 30;
	struct tree tree;

	if (argc > 1 && !strcmp(argv[1], "--quick"))
		leaf_bytes = 256ULL << 20;
	else if (argc > 1)
		bench_fail("usage: bench-walk [--quick]");
	init_tree(&tree, leaf_bytes);
	measure(&tree, walks, LAYOUT_RUNS);
	measure(&tree, walks, LAYOUT_SCATTERED);
	print_memory(&walks[0]);
	print_memory(&walks[1]);
	return 0;
}
