// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: page tables of both stages, walked and looked up.
 *
 * Input: page size u8, stage u8, top level u8, output width u8, options u8
 * (bit 0: with a page set), top table u32 (from MEMORY_BASE), preserved frames
 * (MEMORY_FRAMES bits), memory.
 *
 * Properties: a walk enters and leaves tables in order, and with a set no table
 * twice; it maps no more than it must; runs ascend and do not overlap, are
 * whole leaves, and add up to what is counted. The translation of the first
 * and of the last byte of a run is that of the run; it may refuse only what the
 * walk reported. After a walk without findings, an address is mapped if and
 * only if a run covers it.
 */
#include "fuzz.h"

#include <string.h>

#include <iommuser/pagetable.h>
#include <kho/abi/iommuser.h>

#define MAX_RUNS 20000
#define MAX_BLIND_TABLES 2000

struct walk {
	struct account account;
	bool with_set;
	bool entered[MEMORY_FRAMES];
	u64 path[IOMMUSER_PT_MAX_LEVELS];
	u64 nr_entered;
	u64 nr_left;
	u64 mapped;
	u64 nr_runs;
	struct iommuser_pt_run runs[MAX_RUNS];
};

static struct walk the_walk;

static int on_table(void *ctx, u64 phys, u32 level)
{
	struct walk *walk = ctx;
	u64 frame = (phys - MEMORY_BASE) / FRAME_SIZE;

	require(level < IOMMUSER_PT_MAX_LEVELS && frame < MEMORY_FRAMES, "%#llx",
		(unsigned long long)phys);
	require(!walk->with_set || !walk->entered[frame], "%#llx twice", (unsigned long long)phys);
	walk->entered[frame] = true;
	walk->path[level] = phys;
	walk->nr_entered++;
	return 0;
}

static int on_leave(void *ctx, u64 phys, u32 level)
{
	struct walk *walk = ctx;

	require(walk->path[level] == phys, "%#llx, level %u", (unsigned long long)phys, level);
	walk->path[level] = 0;
	walk->nr_left++;
	return 0;
}

static int on_run(void *ctx, const struct iommuser_pt_run *run)
{
	struct walk *walk = ctx;
	const struct iommuser_pt_run *before;

	require(run->length && run->level <= 2 && !(run->length % (FRAME_SIZE << 9 * run->level)),
		"%#llx bytes of level %u", (unsigned long long)run->length, run->level);
	walk->mapped += run->length;
	if (walk->nr_runs == MAX_RUNS)
		return 0;
	before = walk->nr_runs ? &walk->runs[walk->nr_runs - 1] : NULL;
	require(!before || run->iova - before->iova >= before->length, "%#llx",
		(unsigned long long)run->iova);
	require(!before || run->iova > before->iova, "%#llx", (unsigned long long)run->iova);
	walk->runs[walk->nr_runs++] = *run;
	return 0;
}

/* Was something reported for which a translation may be refused? */
static bool refusal_explained(const struct walk *walk)
{
	const u64 *seen = walk->account.seen;

	return seen[IOMMUSER_FINDING_PT_RESERVED] || seen[IOMMUSER_FINDING_PT_LEAF_ALIGNMENT];
}

static void check_end(const struct iommuser_pt_table *table, const struct walk *walk,
		      const struct iommuser_pt_run *run, u64 offset)
{
	struct iommuser_pt_translation translation;
	int error = iommuser_pt_translate(table, run->iova + offset, &translation);

	if (error) {
		require(error == -IOMMUSER_ECORRUPT && refusal_explained(walk), "%#llx: %d",
			(unsigned long long)(run->iova + offset), error);
		return;
	}
	require(translation.mapped && translation.phys == run->phys + offset,
		"%#llx: %#llx and %#llx", (unsigned long long)(run->iova + offset),
		(unsigned long long)translation.phys, (unsigned long long)(run->phys + offset));
	require(!(translation.permissions & ~run->permissions), "%#llx: %#x and %#x",
		(unsigned long long)(run->iova + offset), translation.permissions,
		run->permissions);
}

static bool covered(const struct walk *walk, u64 iova)
{
	u64 i;

	for (i = 0; i < walk->nr_runs; i++)
		if (iova - walk->runs[i].iova < walk->runs[i].length)
			return true;
	return false;
}

/* Addresses beside the runs, and some anywhere. */
static void check_coverage(const struct iommuser_pt_table *table, const struct walk *walk)
{
	struct iommuser_pt_translation translation;
	u64 i, iova = 0x123456789abcdef0ULL;

	for (i = 0; i < 2 * walk->nr_runs + 64 && i < 512; i++) {
		const struct iommuser_pt_run *run = &walk->runs[i / 2];

		if (i >= 2 * walk->nr_runs)
			iova = iova * 6364136223846793005ULL + 1442695040888963407ULL;
		else
			iova = i % 2 ? run->iova - 1 : run->iova + run->length;
		if (i >= 2 * walk->nr_runs && i % 2)
			iova >>= 16 + i % 20;
		require(!iommuser_pt_translate(table, iova, &translation), "%#llx",
			(unsigned long long)iova);
		require(translation.mapped == covered(walk, iova), "%#llx: mapped %d",
			(unsigned long long)iova, translation.mapped);
	}
}

static void check_counts(const struct walk *walk, const struct iommuser_pt_counts *counts,
			 int result)
{
	u64 leaves = counts->nr_leaves[0] * FRAME_SIZE + (counts->nr_leaves[1] << 21) +
		     (counts->nr_leaves[2] << 30);

	require(walk->nr_entered == counts->nr_tables, "%llu and %llu",
		(unsigned long long)walk->nr_entered, (unsigned long long)counts->nr_tables);
	require(counts->nr_entries == 512 * counts->nr_tables, "%llu",
		(unsigned long long)counts->nr_entries);
	require(counts->mapped == leaves, "%#llx", (unsigned long long)counts->mapped);
	if (result)
		return;
	require(walk->nr_left == walk->nr_entered, "%llu and %llu",
		(unsigned long long)walk->nr_left, (unsigned long long)walk->nr_entered);
	require(walk->mapped == counts->mapped, "%#llx and %#llx", (unsigned long long)walk->mapped,
		(unsigned long long)counts->mapped);
}

static void check(struct memory *memory, const struct iommuser_pt_table *table,
		  struct iommuser_pageset *set)
{
	struct walk *walk = &the_walk;
	const struct iommuser_pt_visitor visitor = {
		.ctx = walk, .run = on_run, .table = on_table, .leave = on_leave
	};
	struct iommuser_pt_counts counts;
	int result;
	u64 i;

	memset(walk, 0, offsetof(struct walk, runs));
	account_begin(&walk->account);
	walk->with_set = set;
	result = iommuser_pt_walk(table, set, MAX_BLIND_TABLES, &visitor, &walk->account.reporter,
				  &counts);
	require(!result || result == -IOMMUSER_EINVAL || (!set && result == -IOMMUSER_ENOSPC), "%d",
		result);
	require(memory->calls <= 1025 * counts.nr_tables + 1, "%llu calls, %llu tables",
		(unsigned long long)memory->calls, (unsigned long long)counts.nr_tables);
	require(counts.nr_tables <= (set ? memory_nr_frames(memory) : MAX_BLIND_TABLES), "%llu",
		(unsigned long long)counts.nr_tables);
	check_counts(walk, &counts, result);
	for (i = 0; i < walk->nr_runs; i++) {
		check_end(table, walk, &walk->runs[i], 0);
		check_end(table, walk, &walk->runs[i], walk->runs[i].length - 1);
	}
	if (!result && !walk->account.count && walk->nr_runs < MAX_RUNS)
		check_coverage(table, walk);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	struct memory *memory = memory_begin((u32)input_take(&input, 1));
	struct iommuser_pageset *set = NULL;
	struct iommuser_pt_table table = { .env = &memory->env };
	u8 bitmap[MEMORY_FRAMES / 8];
	u64 options, i;

	table.stage = (u32)input_take(&input, 1) % 4;
	table.top_level = (u32)input_take(&input, 1) % 8;
	table.output_width = (u32)input_take(&input, 1) % 64;
	options = input_take(&input, 1);
	table.top_table = MEMORY_BASE + input_take(&input, 4);
	for (i = 0; i < sizeof(bitmap); i++)
		bitmap[i] = (u8)input_take(&input, 1);
	memory_write(memory, &input);
	if (options & 1) {
		set = set_new();
		set_fill(set, bitmap);
	}
	check(memory, &table, set);
	if (set)
		set_free(set);
	memory_end(memory);
	return 0;
}
