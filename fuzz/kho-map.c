// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: KHO's memory map of every revision, and the set made of it.
 *
 * Input: options u8 (bits 0-1: page size; bits 2-3: kho-v1 to kho-v4; bit 4:
 * bitmaps of 512 bytes are stated; bit 5: the image carries a set, of all frames
 * but the map's), map u16 (frame), fdt u16 (frame), limit u8 (of nodes; 0: the
 * usual one), scratch u16 (frame), scratch_size u16 (0: none), then edits of the
 * memory.
 *
 * Checks S1 S2 S3 S4 S5 S6 S7 S8 S18 S20: the blocks are those that a walk of
 * the target's own finds, bit by bit, in the same order; the set holds their
 * pages and no other; where blocks begin and end; one page looked up alone; a
 * walk that left something out says so, with a finding; no number in memory is
 * followed more than twice.
 */
#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/kho.h>

#include "kho.h"
#include "tool.h"

#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)
/* 128 MiB each: enough for what lies apart, and little to fill. No limit of nodes is the same: findings tell them apart. */
#define MAX_CHUNKS 48
/* Blocks that overlap are counted again, up to this. */
#define MAX_CLAIMS 8
#define SMALL_PAGE 4096ULL
#define GIGABYTE (1ULL << 30)

struct block {
	u64 phys;
	u32 order;
};

/** struct blocks - in the order in which they were found */
struct blocks {
	struct block *items;
	size_t nr;
	size_t room;
};

/**
 * struct naive - a walk that knows nothing of runs
 * @seen: nodes
 * @complete: nothing was left out
 */
struct naive {
	const struct memory *memory;
	const struct kho *kho;
	struct blocks blocks;
	u64 seen[65536];
	size_t nr_seen;
	bool complete;
	bool stopped;
};

static struct naive naive;

UNCOUNTED_BEGIN

static void add_block(struct blocks *blocks, u64 phys, u32 order)
{
	if (blocks->nr == blocks->room) {
		blocks->room = blocks->room ? 2 * blocks->room : 1024;
		blocks->items = realloc(blocks->items, blocks->room * sizeof(*blocks->items));
		require(blocks->items, "out of memory");
	}
	blocks->items[blocks->nr++] = (struct block){ phys, order };
}

/* A block that no machine has is passed over. */
static void take_block(u64 phys, u32 order)
{
	u32 shift = naive.kho->page_shift + order;

	if (shift <= KHO_MAX_BLOCK_SHIFT && phys < PHYS_END && 1ULL << shift <= PHYS_END - phys)
		add_block(&naive.blocks, phys, order);
}

static bool leave_out(void)
{
	naive.complete = false;
	return false;
}

/* Is it a node that was not there before? */
static bool take_node(u64 phys, u64 size)
{
	size_t i;

	if (!phys || phys % size || phys >= PHYS_END)
		return leave_out();
	for (i = 0; i < naive.nr_seen; i++)
		if (naive.seen[i] == phys)
			return leave_out();
	if (naive.nr_seen == naive.kho->max_nodes) {
		naive.stopped = true;
		return leave_out();
	}
	require(naive.nr_seen < ARRAY_SIZE(naive.seen), "too many nodes");
	naive.seen[naive.nr_seen++] = phys;
	return true;
}

/* A node's bytes, all or none. */
static bool has_page(u64 phys, u64 size)
{
	return image_holds(naive.memory, phys, size) || leave_out();
}

/* Of a node that is there. */
static u64 word(u64 phys)
{
	u64 value;

	memcpy(&value, naive.memory->bytes + (phys - MEMORY_BASE), sizeof(value));
	return value;
}

static bool bit(u64 phys, u64 number)
{
	return word(phys + number / 64 * 8) >> (number % 64) & 1;
}

/* The key's highest bit tells the order, the rest the address in blocks of it. */
static void take_key(u64 key)
{
	u32 top = 63, order;

	while (!(key >> top & 1))
		top--;
	order = 64 - naive.kho->page_shift - top;
	take_block((key ^ 1ULL << top) << (naive.kho->page_shift + order), order);
}

static void walk_leaf(u64 phys, u64 key, u64 bits)
{
	u64 i;

	for (i = 0; key && i < bits; i++) {
		if (i % 64 == 0 && !word(phys + i / 8))
			i += 63;
		else if (bit(phys, i))
			take_key(key | i);
	}
}

/** struct level - a node on the way down; @next: the entry that is looked at next */
struct level {
	u64 phys;
	u64 key;
	u64 next;
};

/* Is there another entry that leads on? */
static bool next_entry(struct level *at, u32 level, u32 depth)
{
	u32 shift = naive.kho->page_shift, below = shift + 3 + (level - 1) * (shift - 3);
	u64 key;

	for (; at->next < (1ULL << shift) / 8; at->next++) {
		key = at->key | at->next << below;
		/* No page number is so great. */
		if (!word(at->phys + 8 * at->next) || key >> (64 - shift) > 1)
			continue;
		/* A tree that is short has lost the bit of order 0. */
		if (level + 1 == depth && depth != (u32)KHO_RADIX_DEPTH(shift) && !key)
			leave_out();
		else
			return true;
	}
	return false;
}

static void walk_radix(u32 depth)
{
	u32 shift = naive.kho->page_shift, level = depth - 1, below;
	u64 size = 1ULL << shift;
	struct level levels[KHO_RADIX_MAX_DEPTH] = { { 0 } }, *at = &levels[level];

	at->phys = naive.kho->map;
	if (!take_node(at->phys, size) || !has_page(at->phys, size))
		return;
	while (level < depth && !naive.stopped) {
		at = &levels[level];
		if (!level)
			walk_leaf(at->phys, at->key, size * 8);
		if (!level || !next_entry(at, level, depth)) {
			level++;
			continue;
		}
		below = shift + 3 + (level - 1) * (shift - 3);
		at[-1].phys = word(at->phys + 8 * at->next);
		at[-1].key = at->key | at->next << below;
		at[-1].next = 0;
		at->next++;
		if (take_node(at[-1].phys, size) && has_page(at[-1].phys, size))
			level--;
	}
}

static bool chunk_sound(u64 chunk, u64 *nr, u32 *order)
{
	u64 numbers = word(chunk + 8);

	*order = (u32)numbers;
	*nr = numbers >> 32;
	return *nr <= ((1ULL << naive.kho->page_shift) - 16) / 16 &&
	       *order <= KHO_MAX_BLOCK_SHIFT - naive.kho->page_shift;
}

/* Is there a bitmap that a page's could not be? Nodes are counted anew. */
static bool any_small(void)
{
	u64 size = 1ULL << naive.kho->page_shift, chunk, nr, i;
	bool small = false;
	u32 order;

	for (chunk = naive.kho->map; chunk; chunk = word(chunk)) {
		if (!take_node(chunk, size) || !has_page(chunk, size))
			break;
		if (!chunk_sound(chunk, &nr, &order))
			continue;
		for (i = 0; i < nr; i++)
			small |= word(chunk + 16 + 16 * i) % (size * 8 * size << order) != 0 ||
				 word(chunk + 24 + 16 * i) % size != 0;
	}
	naive.nr_seen = 0;
	naive.complete = true;
	naive.stopped = false;
	return small;
}

static void walk_bitmap(u64 start, u64 bitmap, u64 size, u32 order)
{
	u64 page = 1ULL << naive.kho->page_shift, i;

	if (start % (size * 8 * page << order) || start >= PHYS_END) {
		leave_out();
		return;
	}
	if (!take_node(bitmap, size) || !has_page(bitmap, size))
		return;
	for (i = 0; i < size * 8; i++) {
		if (i % 64 == 0 && !word(bitmap + i / 8))
			i += 63;
		else if (bit(bitmap, i))
			take_block(start + (i * page << order), order);
	}
}

static void walk_chunks(u64 size)
{
	u64 page = 1ULL << naive.kho->page_shift, chunk, nr, i;
	u32 order;

	for (chunk = naive.kho->map; chunk && !naive.stopped; chunk = word(chunk)) {
		if (!take_node(chunk, page) || !has_page(chunk, page))
			break;
		if (!chunk_sound(chunk, &nr, &order)) {
			if (nr)
				leave_out();
			continue;
		}
		for (i = 0; i < nr && !naive.stopped; i++)
			walk_bitmap(word(chunk + 16 + 16 * i), word(chunk + 24 + 16 * i), size,
				    order);
	}
}

static void walk_naively(const struct kho_map_stats *stats)
{
	u32 full = (u32)KHO_RADIX_DEPTH(naive.kho->page_shift);
	u64 size;

	naive.complete = true;
	naive.stopped = false;
	naive.nr_seen = 0;
	naive.blocks.nr = 0;
	if (naive.kho->revision != KHO_REVISION_V1) {
		require(stats->depth == full || (naive.kho->page_shift == 14 &&
						 stats->depth == KHO_RADIX_SHORT_DEPTH &&
						 naive.kho->revision != KHO_REVISION_V4),
			"depth %u", stats->depth);
		walk_radix(stats->depth);
		return;
	}
	size = naive.kho->v1_bitmap_size;
	if (!size)
		size = any_small() ? KHO_V1_SMALL_BITMAP_SIZE : 1ULL << naive.kho->page_shift;
	require(!naive.kho->map || stats->bitmap_size == size, "%llu",
		(unsigned long long)stats->bitmap_size);
	walk_chunks(size);
}

UNCOUNTED_END

struct walked {
	struct blocks blocks;
	u32 page_shift;
};

static int take_run(void *ctx, const struct kho_run *run)
{
	struct walked *walked = ctx;
	u64 i;

	require(run->nr, "an empty run");
	for (i = 0; i < run->nr; i++)
		add_block(&walked->blocks, run->phys + (i << (walked->page_shift + run->order)),
			  run->order);
	return 0;
}

static void check_blocks(const struct walked *walked, bool all)
{
	const struct block *mine = naive.blocks.items, *theirs = walked->blocks.items;
	size_t i;

	require(all ? walked->blocks.nr == naive.blocks.nr : walked->blocks.nr <= naive.blocks.nr,
		"%zu blocks, not %zu", walked->blocks.nr, naive.blocks.nr);
	for (i = 0; i < walked->blocks.nr; i++)
		require(mine[i].phys == theirs[i].phys && mine[i].order == theirs[i].order,
			"%zu: %#llx order %u, not %#llx order %u", i,
			(unsigned long long)theirs[i].phys, theirs[i].order,
			(unsigned long long)mine[i].phys, mine[i].order);
}

/* Did the walk end where a node more than the limit was met, and not at blocks that are claimed too often? */
static bool ended_by_nodes(const struct report *report)
{
	const struct iommuser_finding *finding;
	size_t i;

	for (i = 0; i < report_nr_kept(report); i++) {
		finding = &report_get(report, i)->finding;
		if (finding->id == IOMMUSER_FINDING_KHO_MAP_TOO_LARGE)
			return finding->expected == naive.kho->max_nodes;
	}
	return false;
}

/* Return: whether the walk read all there is. */
static bool check_walk(const struct kho *kho, struct source *source, struct memory *memory,
		       u64 bound)
{
	static struct walked walked;
	struct report *report = report_new();
	struct kho_map_stats stats;
	bool all;
	int ret;

	require(report, "out of memory");
	walked.blocks.nr = 0;
	walked.page_shift = kho->page_shift;
	memory_restart(memory, 0);
	ret = kho_walk_map(kho, source, report, take_run, &walked, &stats);
	require(!ret, "%d", ret);
	require(memory->calls <= bound, "%llu calls for %llu", (unsigned long long)memory->calls,
		(unsigned long long)bound);
	require(stats.nr_blocks == walked.blocks.nr, "%llu", (unsigned long long)stats.nr_blocks);
	require(stats.complete || report_nr_bad(report), "incomplete without a finding");
	require_report(report);
	walk_naively(&stats);
	/* What is claimed too often ends a walk early, by whole runs. */
	all = !report_count_id(report, IOMMUSER_FINDING_KHO_MAP_TOO_LARGE) ||
	      ended_by_nodes(report);
	if (all)
		require(naive.complete == stats.complete, "%d", stats.complete);
	check_blocks(&walked, all);
	naive.blocks.nr = walked.blocks.nr;
	naive.complete = stats.complete;
	report_free(report);
	return stats.complete;
}

static int by_address(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	return (x->phys > y->phys) - (x->phys < y->phys);
}

static u64 end_of(const struct block *block)
{
	return block->phys + (1ULL << (naive.kho->page_shift + block->order));
}

/* Blocks in order of their addresses: where each begins and ends, and how many pages there are. */
static void check_order(struct kho_pages *pages)
{
	const struct block *items = naive.blocks.items;
	size_t nr = naive.blocks.nr, i, next;
	u64 done = 0, count = 0, end, until;

	for (i = 0; i < nr; i++) {
		end = end_of(&items[i]);
		require(kho_pages_preserved(pages, items[i].phys, end - items[i].phys, NULL) ==
				KHO_YES,
			"%#llx", (unsigned long long)items[i].phys);
		if (end > done)
			count += (end - (items[i].phys > done ? items[i].phys : done)) / SMALL_PAGE;
		done = end > done ? end : done;
		until = done;
		for (next = i; next < nr && items[next].phys <= until; next++)
			if (end_of(&items[next]) > until)
				until = end_of(&items[next]);
		for (next = i; next < nr && items[next].phys == items[i].phys; next++)
			;
		if (next < nr && items[next].phys < until)
			until = items[next].phys;
		if (until - items[i].phys > GIGABYTE)
			until = items[i].phys + GIGABYTE;
		require(kho_pages_block(pages, items[i].phys) == until - items[i].phys,
			"%#llx: %#llx", (unsigned long long)items[i].phys,
			(unsigned long long)kho_pages_block(pages, items[i].phys));
	}
	require(pages->nr_pages == count, "%llu pages, not %llu",
		(unsigned long long)pages->nr_pages, (unsigned long long)count);
}

static void check_set(const struct kho *kho, struct source *source, bool complete)
{
	struct report *report = report_new();
	struct kho_pages pages;
	int ret;

	require(report, "out of memory");
	ret = kho_build_pageset(&pages, kho, source, report);
	require(!ret, "%d", ret);
	require_report(report);
	/* Too many chunks end the walk as well. */
	if (!report_count_id(report, IOMMUSER_FINDING_KHO_MAP_TOO_LARGE)) {
		require(pages.complete == complete, "%d", pages.complete);
		if (naive.blocks.nr)
			qsort(naive.blocks.items, naive.blocks.nr, sizeof(*naive.blocks.items),
			      by_address);
		check_order(&pages);
	} else {
		require(!pages.complete, "complete and too large");
	}
	kho_free_pages(&pages);
	report_free(report);
}

/* Whether a page is preserved alone, asked for one by one. */
static void check_pages(const struct kho *kho, struct source *source)
{
	u64 page = 1ULL << kho->page_shift, phys;
	u64 nr = kho->revision == KHO_REVISION_V1 ? 2 : 32;
	const struct block *items = naive.blocks.items;
	size_t i, step = naive.blocks.nr / nr + 1;
	enum kho_answer answer;
	bool found;

	for (i = 0; i < naive.blocks.nr; i += step)
		if (!items[i].order)
			require(kho_preserves_page(kho, source, items[i].phys) == KHO_YES, "%#llx",
				(unsigned long long)items[i].phys);
	/* Linux's first form is read from its start for each. */
	for (phys = MEMORY_BASE; phys < MEMORY_BASE + nr * page; phys += page) {
		for (i = 0, found = false; i < naive.blocks.nr; i++)
			found |= items[i].phys == phys && !items[i].order;
		answer = kho_preserves_page(kho, source, phys);
		if (naive.complete)
			require(answer == (found ? KHO_YES : KHO_NO), "%#llx: %u",
				(unsigned long long)phys, (u32)answer);
	}
}

/* The image's own set is taken as it is. */
static void check_carried(const struct kho *kho, struct source *source, const struct memory *memory,
			  u64 lost)
{
	struct kho_pages pages;
	u64 i;

	image_carry(source, lost);
	require(!kho_build_pageset(&pages, kho, source, NULL), "a carried set");
	require(pages.complete, "a carried set is incomplete");
	for (i = 0; i < MEMORY_FRAMES; i++)
		require(kho_pages_preserved(&pages, MEMORY_BASE + i * FRAME_SIZE, FRAME_SIZE,
					    NULL) ==
				(memory->present[i] && i != lost ? KHO_YES : KHO_NO),
			"%llu", (unsigned long long)i);
	kho_free_pages(&pages);
}

static void load_scratch(struct kho *kho, struct source *source, const struct memory *memory,
			 u64 phys, u64 size)
{
	struct report *report = report_new();
	u64 start = 0, length = 0;
	size_t i, taken = 0;
	int ret;

	require(report, "out of memory");
	ret = kho_load_scratch(kho, source, phys, size, report);
	require(!ret || ret == -IOMMUSER_EINVAL || ret == -IOMMUSER_EUNMAPPED, "%d", ret);
	require_report(report);
	for (i = 0; !ret && i < size / 16; i++) {
		require(image_u64(memory, phys + 16 * i, &start) &&
				image_u64(memory, phys + 16 * i + 8, &length),
			"unread");
		if (!length || start >= PHYS_END || length > PHYS_END - start)
			continue;
		require(taken < kho->nr_scratch && kho->scratch[taken].phys == start &&
				kho->scratch[taken].size == length,
			"%zu", i);
		taken++;
	}
	require(ret || taken == kho->nr_scratch, "%zu", kho->nr_scratch);
	report_free(report);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	u64 options = input_take(&input, 1), map = input_take(&input, 2) % MEMORY_FRAMES,
	    fdt = input_take(&input, 2) % MEMORY_FRAMES, limit = input_take(&input, 1),
	    scratch = input_take(&input, 2) % MEMORY_FRAMES, scratch_size = input_take(&input, 2);
	struct memory *memory = memory_begin((u32)options & 3);
	u64 page = 1ULL << memory->env.page_shift;
	struct kho kho = {
		.fdt_phys = (MEMORY_BASE + fdt * FRAME_SIZE) & ~(page - 1),
		.page_shift = memory->env.page_shift,
		.revision = KHO_REVISION_V1 + (options >> 2 & 3),
		.map = (MEMORY_BASE + map * FRAME_SIZE) & ~(page - 1),
		.has_map = true,
		.v1_bitmap_size = options & 16 ? KHO_V1_SMALL_BITMAP_SIZE : 0,
		.max_chunks = MAX_CHUNKS,
		.max_nodes = limit && limit != MAX_CHUNKS ? limit : 32768,
		.memory_end = PHYS_END,
	};
	struct source *source;
	bool complete;

	memory_write(memory, &input);
	source = image_begin(memory);
	naive.memory = memory;
	naive.kho = &kho;
	if (scratch_size)
		load_scratch(&kho, source, memory, MEMORY_BASE + scratch * FRAME_SIZE,
			     scratch_size);
	/* Each number leads to one node, of which Linux's first form is read in two passes. */
	complete = check_walk(&kho, source, memory, 64 + 3 * image_nr_words(source));
	check_pages(&kho, source);
	check_set(&kho, source, complete);
	if (options & 32)
		check_carried(&kho, source, memory, map);
	kho_close(&kho);
	image_end(source);
	memory_end(memory);
	return 0;
}
