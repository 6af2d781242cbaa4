// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: page tables of both stages, walked and looked up.
 * Checks S1 S2 S3 S4 S5 S6 S7 S8.
 *
 * Input: page size u8, stage u8, top level u8, output width u8, options u8
 * (bit 0: with a page set, bit 1: the frames that follow differ from those that
 * are there, bit 2: pages only, bit 3: the visitor ends the walk, bits 4 to 7:
 * most tables without a set, 0: many), top table u32 (from MEMORY_BASE), IOVA u64
 * (its low byte is also the call of the visitor that ends the walk, and the frame
 * in bits 12 to 21 is taken away at last), preserved frames (MEMORY_FRAMES bits),
 * memory.
 *
 * Properties: a walk enters and leaves tables in order, and with a set no table
 * twice; it maps no more than it must; runs ascend and do not overlap, are
 * whole leaves, and add up to what is counted; walked again, it says the same.
 * The translation of the first and of the last byte of a run is that of the run;
 * it may refuse only what the walk reported. After a walk without findings, an
 * address is mapped if and only if a run covers it. A translation is, step by
 * step, that of a plain look-up. A table that is taken away is reported.
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
	u64 nr_calls;
	u64 stop_at;
	u64 mapped;
	u64 nr_runs;
	struct iommuser_pt_run runs[MAX_RUNS];
};

static struct walk the_walk;

#define STOPPED 77

/* Every call of the visitor comes by here. */
static int go_on(struct walk *walk)
{
	walk->nr_calls++;
	require(!walk->stop_at || walk->nr_calls <= walk->stop_at, "call %llu",
		(unsigned long long)walk->nr_calls);
	return walk->nr_calls == walk->stop_at ? STOPPED : 0;
}

static int on_table(void *ctx, u64 phys, u32 level)
{
	struct walk *walk = ctx;
	u64 frame = (phys - MEMORY_BASE) / FRAME_SIZE;
	u32 above;

	for (above = level + 1; above < IOMMUSER_PT_MAX_LEVELS; above++)
		require(walk->path[above] != phys, "%#llx below itself", (unsigned long long)phys);
	require(level < IOMMUSER_PT_MAX_LEVELS && frame < MEMORY_FRAMES, "%#llx",
		(unsigned long long)phys);
	require(!walk->with_set || !walk->entered[frame], "%#llx twice", (unsigned long long)phys);
	walk->entered[frame] = true;
	walk->path[level] = phys;
	walk->nr_entered++;
	return go_on(walk);
}

static int on_leave(void *ctx, u64 phys, u32 level)
{
	struct walk *walk = ctx;

	require(walk->path[level] == phys, "%#llx, level %u", (unsigned long long)phys, level);
	walk->path[level] = 0;
	walk->nr_left++;
	return go_on(walk);
}

static int on_run(void *ctx, const struct iommuser_pt_run *run)
{
	struct walk *walk = ctx;
	const struct iommuser_pt_run *before;

	require(run->length && run->level <= 2 && !(run->length % (FRAME_SIZE << 9 * run->level)),
		"%#llx bytes of level %u", (unsigned long long)run->length, run->level);
	walk->mapped += run->length;
	if (walk->nr_runs == MAX_RUNS)
		return go_on(walk);
	before = walk->nr_runs ? &walk->runs[walk->nr_runs - 1] : NULL;
	require(!before || run->iova - before->iova >= before->length, "%#llx",
		(unsigned long long)run->iova);
	require(!before || run->iova > before->iova, "%#llx", (unsigned long long)run->iova);
	walk->runs[walk->nr_runs++] = *run;
	return go_on(walk);
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

/* One entry after the other, as the hardware goes. Return: as iommuser_pt_translate(). */
static int plain_translate(const struct memory *memory, const struct iommuser_pt_table *table,
			   u64 iova, struct iommuser_pt_translation *out)
{
	bool first = table->stage == IOMMUSER_STAGE_FIRST;
	u32 width = 12 + 9 * (table->top_level + 1), level = table->top_level, shift, i;
	u64 at = table->top_table, entry = 0, field;

	out->permissions = IOMMUSER_PT_READ | IOMMUSER_PT_WRITE;
	for (i = width; i < 64; i++)
		if ((iova >> i & 1) != (first ? iova >> (width - 1) & 1 : 0))
			return 0;
	for (;; level--) {
		struct iommuser_pt_step *step = &out->steps[out->nr_steps];
		u64 page = at & ~((1ULL << memory->env.page_shift) - 1);

		if (at % FRAME_SIZE || at >= 1ULL << IOMMUSER_PHYS_BITS)
			return -IOMMUSER_ECORRUPT;
		if (!memory_page(memory, page))
			return -IOMMUSER_EUNMAPPED;
		shift = 12 + 9 * level;
		step->table = at;
		step->index = iova >> shift & 511;
		memcpy(&entry, memory_page(memory, page) + (at - page) + 8ULL * step->index, 8);
		step->entry = entry;
		step->level = level;
		out->nr_steps++;
		if (!(entry & (first ? 1 : 3)))
			return 0;
		out->permissions &= (u32)entry;
		field = entry & 0x000ffffffffff000ULL;
		if (field >> table->output_width || (!first && entry & 0x400000000000007cULL))
			return -IOMMUSER_ECORRUPT;
		if (!first && !level && entry & 0x80)
			return -IOMMUSER_ECORRUPT;
		if (!level || entry & 0x80)
			break;
		at = field;
	}
	if (first && level)
		field &= ~0x1000ULL;
	if (level > 2 || field & ((1ULL << shift) - 1))
		return -IOMMUSER_ECORRUPT;
	out->mapped = true;
	out->phys = field | (iova & ((1ULL << shift) - 1));
	if (!first && entry & 0x800)
		out->permissions |= IOMMUSER_PT_SNOOP;
	return 0;
}

static void check_look_up(const struct memory *memory, const struct iommuser_pt_table *table,
			  u64 iova)
{
	struct iommuser_pt_translation ours = { .nr_steps = 0 }, theirs;
	int error = plain_translate(memory, table, iova, &ours);
	u32 i;

	require(iommuser_pt_translate(table, iova, &theirs) == error, "%#llx: %d",
		(unsigned long long)iova, error);
	require(ours.nr_steps == theirs.nr_steps && ours.mapped == theirs.mapped, "%#llx",
		(unsigned long long)iova);
	for (i = 0; i < ours.nr_steps; i++)
		require(ours.steps[i].table == theirs.steps[i].table &&
				ours.steps[i].entry == theirs.steps[i].entry &&
				ours.steps[i].index == theirs.steps[i].index &&
				ours.steps[i].level == theirs.steps[i].level,
			"%#llx, step %u", (unsigned long long)iova, i);
	if (ours.mapped)
		require(ours.phys == theirs.phys && ours.permissions == theirs.permissions,
			"%#llx: %#llx and %#llx, %#x and %#x", (unsigned long long)iova,
			(unsigned long long)ours.phys, (unsigned long long)theirs.phys,
			ours.permissions, theirs.permissions);
}

/* An address, and what is beside it on each level. */
static void check_look_ups(const struct memory *memory, const struct iommuser_pt_table *table,
			   u64 iova)
{
	u32 bit;

	check_look_up(memory, table, iova);
	check_look_up(memory, table, ~iova);
	for (bit = 0; bit < 64; bit += 3)
		check_look_up(memory, table, iova ^ 1ULL << bit);
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
	u64 sizes = (counts->nr_leaves[0] ? 1ULL << 12 : 0) |
		    (counts->nr_leaves[1] ? 1ULL << 21 : 0) |
		    (counts->nr_leaves[2] ? 1ULL << 30 : 0);
	u64 nr_leaves = counts->nr_leaves[0] + counts->nr_leaves[1] + counts->nr_leaves[2];

	require(walk->nr_entered == counts->nr_tables, "%llu and %llu",
		(unsigned long long)walk->nr_entered, (unsigned long long)counts->nr_tables);
	require(counts->nr_entries == 512 * counts->nr_tables, "%llu",
		(unsigned long long)counts->nr_entries);
	require(counts->mapped == leaves && counts->page_sizes == sizes, "%#llx",
		(unsigned long long)counts->mapped);
	require(counts->nr_snooped <= nr_leaves && counts->nr_read_only <= nr_leaves, "%llu leaves",
		(unsigned long long)nr_leaves);
	if (result)
		return;
	require(walk->nr_left == walk->nr_entered, "%llu and %llu",
		(unsigned long long)walk->nr_left, (unsigned long long)walk->nr_entered);
	require(walk->mapped == counts->mapped, "%#llx and %#llx", (unsigned long long)walk->mapped,
		(unsigned long long)counts->mapped);
}

struct scene {
	struct memory *memory;
	struct iommuser_pt_table table;
	bool with_set;
	u64 max_tables;
	u64 stop_at;
	u64 iova;
	u8 bitmap[MEMORY_FRAMES / 8];
};

static int walk_once(const struct scene *scene, struct iommuser_pt_counts *counts)
{
	struct walk *walk = &the_walk;
	const struct iommuser_pt_visitor visitor = {
		.ctx = walk, .run = on_run, .table = on_table, .leave = on_leave
	};
	struct iommuser_pageset *set = NULL;
	u64 most = scene->max_tables;
	int result;

	memset(walk, 0, offsetof(struct walk, runs));
	account_begin(&walk->account);
	walk->with_set = scene->with_set;
	walk->stop_at = scene->stop_at;
	memory_restart(scene->memory, 0);
	if (scene->with_set) {
		most = memory_nr_frames(scene->memory);
		set = set_new();
		set_fill(set, scene->bitmap);
	}
	result = iommuser_pt_walk(&scene->table, set, most, &visitor, &walk->account.reporter,
				  counts);
	require(!result || result == -IOMMUSER_EINVAL ||
			(result == STOPPED && walk->nr_calls == walk->stop_at) ||
			(!set && result == -IOMMUSER_ENOSPC && counts->nr_tables == most),
		"%d", result);
	require(scene->memory->calls <= 1025 * counts->nr_tables + 1, "%llu calls, %llu tables",
		(unsigned long long)scene->memory->calls, (unsigned long long)counts->nr_tables);
	require(counts->nr_tables <= most, "%llu", (unsigned long long)counts->nr_tables);
	check_counts(walk, counts, result);
	if (set)
		set_free(set);
	return result;
}

/* One of the tables is not there any more. */
static void check_hidden(const struct scene *scene)
{
	u64 frame = scene->iova >> 12 & (MEMORY_FRAMES - 1);
	struct iommuser_pt_counts counts;
	const u64 *severe = the_walk.account.severe;

	if (!the_walk.entered[frame])
		return;
	scene->memory->hidden[frame] = 1;
	require(!walk_once(scene, &counts), "not walked");
	require(severe[IOMMUSER_INCOMPLETE] + severe[IOMMUSER_ERROR], "frame %#llx",
		(unsigned long long)frame);
	scene->memory->hidden[frame] = 0;
}

static void check(struct scene *scene)
{
	const struct iommuser_pt_table *table = &scene->table;
	struct walk *walk = &the_walk;
	struct iommuser_pt_counts counts, again;
	int result = walk_once(scene, &again);
	u64 sum = walk->account.sum, calls = scene->memory->calls, i;

	require(walk_once(scene, &counts) == result && walk->account.sum == sum &&
			scene->memory->calls == calls && !memcmp(&counts, &again, sizeof(counts)),
		"not the same twice");
	if (result == -IOMMUSER_EINVAL) {
		struct iommuser_pt_translation translation;

		require(iommuser_pt_translate(table, scene->iova, &translation) == result, "%d",
			result);
		return;
	}
	for (i = 0; i < walk->nr_runs; i++) {
		check_end(table, walk, &walk->runs[i], 0);
		check_end(table, walk, &walk->runs[i], walk->runs[i].length - 1);
	}
	for (i = 0; i < walk->nr_runs && i < 4; i++)
		check_look_ups(scene->memory, table, walk->runs[i].iova);
	check_look_ups(scene->memory, table, scene->iova);
	if (result)
		return;
	if (!table->pages_only && !walk->account.count && walk->nr_runs < MAX_RUNS)
		check_coverage(table, walk);
	check_hidden(scene);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	struct scene scene = { .memory = memory_begin((u32)input_take(&input, 1)) };
	u64 options, i;

	scene.table.env = &scene.memory->env;
	scene.table.stage = (u32)input_take(&input, 1) % 4;
	scene.table.top_level = (u32)input_take(&input, 1) % 8;
	scene.table.output_width = (u32)input_take(&input, 1) % 64;
	options = input_take(&input, 1);
	scene.with_set = options & 1;
	scene.table.pages_only = options & 4;
	scene.max_tables = options >> 4 ? options >> 4 : MAX_BLIND_TABLES;
	scene.table.top_table = MEMORY_BASE + input_take(&input, 4);
	scene.iova = input_take(&input, 8);
	scene.stop_at = options & 8 ? scene.iova & 0xff : 0;
	for (i = 0; i < sizeof(scene.bitmap); i++)
		scene.bitmap[i] = (u8)input_take(&input, 1);
	memory_write(scene.memory, &input);
	if (options & 2)
		set_differing(scene.memory, scene.bitmap);
	check(&scene);
	memory_end(scene.memory);
	return 0;
}
