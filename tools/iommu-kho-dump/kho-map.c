// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * KHO's memory map of any revision: what every walk checks.
 */
#include "kho-map.h"

#include <iommuser/error.h>
#include <kho/abi/kho.h>

#include "progress.h"

/* Blocks that overlap are counted again, but not without end. */
#define MAX_CLAIMS 8

static bool scratch_overlap(const struct kho *kho, u64 phys, u64 size, u64 *region)
{
	size_t i;

	for (i = 0; i < kho->nr_scratch; i++) {
		if (phys < kho->scratch[i].phys + kho->scratch[i].size &&
		    kho->scratch[i].phys < phys + size) {
			*region = kho->scratch[i].phys;
			return true;
		}
	}
	return false;
}

/*
 * Whatever could not be followed may have held any block.
 */
static int leave_out(struct kho_walk *walk, enum iommuser_finding_id id, u64 phys, u64 found,
		     u64 expected)
{
	walk->stats->complete = false;
	kho_note(walk->report, id, phys, found, expected);
	return 0;
}

int kho_walk_node(struct kho_walk *walk, u64 slot, u64 phys, u64 size)
{
	u64 region;
	int ret;

	if (!phys || (phys & (size - 1)) || phys >= walk->kho->memory_end)
		return leave_out(walk, IOMMUSER_FINDING_KHO_NODE_ADDRESS, slot, phys, size);
	ret = address_set_add(&walk->seen, phys);
	if (ret == 1)
		return leave_out(walk, IOMMUSER_FINDING_KHO_NODE_REPEATED, slot, phys, 0);
	if (ret == -IOMMUSER_ENOSPC) {
		leave_out(walk, IOMMUSER_FINDING_KHO_MAP_TOO_LARGE, slot, walk->seen.nr,
			  walk->seen.max);
		return KHO_WALK_STOP;
	}
	if (ret)
		return ret;
	/* K1: what lies in scratch is overwritten before the next kernel reads it. */
	if (scratch_overlap(walk->kho, phys, size, &region))
		kho_note(walk->report, IOMMUSER_FINDING_KHO_SCRATCH_OVERLAP, phys, phys, region);
	walk->stats->nr_nodes++;
	progress_show("reading the map of preserved memory", walk->stats->nr_nodes, "nodes");
	return 1;
}

int kho_walk_read(struct kho_walk *walk, u64 phys, void *buffer, size_t size)
{
	if (source_read(walk->source, phys, buffer, size) == SOURCE_OK)
		return 1;
	return leave_out(walk, IOMMUSER_FINDING_KHO_NODE_UNREADABLE, phys, 0, 0);
}

int kho_walk_blocks(struct kho_walk *walk, u64 slot, struct kho_run run)
{
	u32 shift = walk->kho->page_shift + run.order;
	u64 region, room;
	int ret;

	/* The next kernel would mark memory that it doesn't have. */
	if (shift > KHO_MAX_BLOCK_SHIFT) {
		kho_note(walk->report, IOMMUSER_FINDING_KHO_BLOCK_OUTSIDE_RAM, slot, run.phys,
			 walk->kho->memory_end);
		return 0;
	}
	room = run.phys < walk->kho->memory_end ? (walk->kho->memory_end - run.phys) >> shift : 0;
	if (room < run.nr) {
		kho_note(walk->report, IOMMUSER_FINDING_KHO_BLOCK_OUTSIDE_RAM, slot,
			 run.phys + (room << shift), walk->kho->memory_end);
		run.nr = room;
	}
	if (!run.nr)
		return 0;
	if (run.nr << shift > walk->max_bytes) {
		leave_out(walk, IOMMUSER_FINDING_KHO_MAP_TOO_LARGE, slot, walk->kho->max_chunks,
			  walk->kho->max_chunks);
		return KHO_WALK_STOP;
	}
	walk->max_bytes -= run.nr << shift;
	if (scratch_overlap(walk->kho, run.phys, run.nr << shift, &region))
		kho_note(walk->report, IOMMUSER_FINDING_KHO_SCRATCH_OVERLAP, slot, run.phys,
			 region);
	walk->stats->nr_blocks += run.nr;
	ret = walk->run(walk->ctx, &run);
	if (ret == -IOMMUSER_ENOSPC) {
		leave_out(walk, IOMMUSER_FINDING_KHO_MAP_TOO_LARGE, slot, walk->kho->max_chunks,
			  walk->kho->max_chunks);
		return KHO_WALK_STOP;
	}
	return ret;
}

/* The first bit from @bit on that is @set, or @bits. */
static u64 next_bit(const u64 *words, u64 bits, u64 bit, bool set)
{
	u64 word;

	while (bit < bits) {
		word = (set ? words[bit / 64] : ~words[bit / 64]) >> (bit % 64);
		if (word)
			return bit + (u64)__builtin_ctzll(word);
		bit = (bit | 63) + 1;
	}
	return bits;
}

int kho_walk_bitmap(struct kho_walk *walk, u64 bitmap, const u64 *words, u64 bits, u64 phys,
		    u32 order)
{
	u32 shift = walk->kho->page_shift + order;
	u64 first, end;
	int ret = 0;

	for (first = next_bit(words, bits, 0, true); first < bits && !ret;
	     first = next_bit(words, bits, end, true)) {
		end = next_bit(words, bits, first, false);
		ret = kho_walk_blocks(walk, bitmap + first / 64 * sizeof(u64),
				      (struct kho_run){
					      .phys = phys + (first << shift),
					      .order = order,
					      .nr = end - first,
				      });
	}
	return ret;
}

int kho_walk_map(const struct kho *kho, struct source *source, struct report *report,
		 int (*run)(void *ctx, const struct kho_run *run), void *ctx,
		 struct kho_map_stats *stats)
{
	struct kho_walk walk = {
		.kho = kho,
		.source = source,
		.report = report,
		.run = run,
		.ctx = ctx,
		.stats = stats,
		.max_bytes = (kho->max_chunks * MAX_CLAIMS) << IOMMUSER_CHUNK_SHIFT,
	};
	int ret;

	*stats = (struct kho_map_stats){ .complete = true };
	if (kho->revision == KHO_REVISION_UNKNOWN || !kho->has_map) {
		stats->complete = false;
		return -IOMMUSER_EUNKNOWN;
	}
	address_set_init(&walk.seen, kho->max_nodes);
	if (kho->revision == KHO_REVISION_V1)
		ret = kho_walk_chunks(&walk);
	else
		ret = kho_walk_radix(&walk);
	address_set_free(&walk.seen);
	return ret == KHO_WALK_STOP ? 0 : ret;
}

struct page_search {
	u64 phys;
	u32 page_shift;
	bool found;
};

static int search_run(void *ctx, const struct kho_run *run)
{
	struct page_search *search = ctx;

	if (run->order || search->phys < run->phys)
		return 0;
	search->found = (search->phys - run->phys) >> search->page_shift < run->nr;
	return search->found ? KHO_WALK_STOP : 0;
}

enum kho_answer kho_preserves_page(const struct kho *kho, struct source *source, u64 phys)
{
	struct page_search search = { .phys = phys, .page_shift = kho->page_shift };
	struct kho_map_stats stats;
	int ret;

	if (kho->revision == KHO_REVISION_UNKNOWN || !kho->has_map)
		return KHO_UNKNOWN;
	if (kho->revision != KHO_REVISION_V1)
		return kho_radix_preserves(kho, source, phys);
	ret = kho_walk_map(kho, source, NULL, search_run, &search, &stats);
	if (search.found)
		return KHO_YES;
	return !ret && stats.complete ? KHO_NO : KHO_UNKNOWN;
}
