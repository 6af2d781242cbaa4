/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * VT-d page tables, first and second stage, read only.
 *
 * Source: Intel Virtualization Technology for Directed I/O, Architecture
 * Specification, 9.8 "Second-Stage Paging Entries" and 9.7 "First-Stage
 * Paging Entries". Levels are counted from 0, the level of 4 KiB entries.
 */
#ifndef IOMMUSER_PAGETABLE_H
#define IOMMUSER_PAGETABLE_H

#include <iommuser/env.h>
#include <iommuser/finding.h>
#include <iommuser/pageset.h>

#define IOMMUSER_PT_MAX_LEVELS 5

/* Permissions of a leaf, the same for both stages. */
#define IOMMUSER_PT_READ (1U << 0)
#define IOMMUSER_PT_WRITE (1U << 1)
#define IOMMUSER_PT_SNOOP (1U << 2)

/**
 * struct iommuser_pt_table - what describes a page table
 * @env: where pages come from
 * @stage: IOMMUSER_STAGE_FIRST or IOMMUSER_STAGE_SECOND
 * @top_table: physical address of the top table
 * @top_level: 2, 3 or 4 (second stage), 3 or 4 (first stage)
 * @output_width: bits of a physical address, 12 to 52
 * @pages_only: a walk is for the table pages alone: tables of 4 KiB leaves are
 *	met, but their entries not read
 */
struct iommuser_pt_table {
	const struct iommuser_env *env;
	u32 stage;
	u64 top_table;
	u32 top_level;
	u32 output_width;
	bool pages_only;
};

/**
 * struct iommuser_pt_run - consecutive leaves that map consecutive memory
 * @iova: where it starts; first-stage addresses of the upper half are
 *	sign-extended
 * @phys: physical address it maps to
 * @length: bytes
 * @permissions: IOMMUSER_PT_READ and so on
 * @level: level of the leaves: 0 for 4 KiB, 1 for 2 MiB, 2 for 1 GiB
 */
struct iommuser_pt_run {
	u64 iova;
	u64 phys;
	u64 length;
	u32 permissions;
	u32 level;
};

/**
 * struct iommuser_pt_visitor - told of what a walk meets
 * @ctx: passed back
 * @run: a run of leaves, in ascending order of IOVA; one run may be reported
 *	in several pieces. May be NULL. A non-zero result ends the walk
 * @table: a table page, before its entries. May be NULL. As above
 * @leave: a table page, after everything below it; it is not read again, so
 *	the page may be freed. May be NULL. As above
 *
 * None of them may call the environment's map().
 */
struct iommuser_pt_visitor {
	void *ctx;
	int (*run)(void *ctx, const struct iommuser_pt_run *run);
	int (*table)(void *ctx, u64 phys, u32 level);
	int (*leave)(void *ctx, u64 phys, u32 level);
};

/**
 * struct iommuser_pt_counts - what a walk met
 * @nr_tables: table pages read
 * @nr_entries: entries looked at
 * @nr_leaves: leaves per level
 * @mapped: bytes mapped
 * @page_sizes: bit n is set when a leaf maps 2^n bytes
 * @nr_snooped: leaves with the snoop bit
 * @nr_read_only: leaves without write permission
 */
struct iommuser_pt_counts {
	u64 nr_tables;
	u64 nr_entries;
	u64 nr_leaves[3];
	u64 mapped;
	u64 page_sizes;
	u64 nr_snooped;
	u64 nr_read_only;
};

/**
 * iommuser_pt_walk - walk a whole page table once and check it
 * @table: what to walk
 * @set: the preserved set, NULL when unknown. Table pages are marked visited,
 *	mapped memory is marked mapped where the set has that plane. Each table
 *	page and all mapped memory must be preserved; a table page is walked
 *	only if it was not visited before and the set has a chunk, or room for
 *	one, that holds it: this bounds the walk
 * @max_tables: without @set, the most table pages to read
 * @visitor: told of runs and tables; NULL for none
 * @reporter: told of PT and CLOSURE findings
 * @counts: filled, also when the walk ends early
 *
 * Takes no memory beyond its stack and no recursion.
 *
 * Return: 0 when the walk came to its end, findings or not; -IOMMUSER_EINVAL
 * for an impossible @table; -IOMMUSER_ENOSPC when @max_tables was reached;
 * what the visitor returned, when not 0.
 */
int iommuser_pt_walk(const struct iommuser_pt_table *table, struct iommuser_pageset *set,
		     u64 max_tables, const struct iommuser_pt_visitor *visitor,
		     const struct iommuser_reporter *reporter, struct iommuser_pt_counts *counts);

/**
 * struct iommuser_pt_step - one level of a translation
 * @table: physical address of the table
 * @index: entry in it
 * @entry: its value
 * @level: level of the table
 */
struct iommuser_pt_step {
	u64 table;
	u64 entry;
	u32 index;
	u32 level;
};

/**
 * struct iommuser_pt_translation - how one IOVA is translated
 * @steps: the entries read, from the top
 * @nr_steps: how many
 * @mapped: the last one is a leaf
 * @phys: the result, when mapped
 * @permissions: those of all steps together
 */
struct iommuser_pt_translation {
	struct iommuser_pt_step steps[IOMMUSER_PT_MAX_LEVELS];
	u32 nr_steps;
	bool mapped;
	u64 phys;
	u32 permissions;
};

/**
 * iommuser_pt_translate - translate one IOVA
 * @table: what to walk
 * @iova: any address
 * @translation: filled as far as the walk came
 *
 * Return: 0, mapped or not; -IOMMUSER_EINVAL for an impossible @table;
 * -IOMMUSER_ECORRUPT for an entry that no hardware would follow;
 * -IOMMUSER_EUNMAPPED when the image lacks a table.
 */
int iommuser_pt_translate(const struct iommuser_pt_table *table, u64 iova,
			  struct iommuser_pt_translation *translation);

#endif /* IOMMUSER_PAGETABLE_H */
