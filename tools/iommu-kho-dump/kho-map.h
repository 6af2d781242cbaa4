/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the two kinds of memory map have in common: one walk's state.
 */
#ifndef KHO_MAP_H
#define KHO_MAP_H

#include "address-set.h"
#include "kho.h"

/**
 * struct kho_walk - one walk of a memory map
 * @kho: the handover
 * @source: the image
 * @report: where findings go, or NULL
 * @run: called for each run of blocks
 * @ctx: passed to @run
 * @stats: filled as the walk goes
 * @seen: nodes, or chunks and bitmaps, by address
 * @sizes_differ: of kho-v1: some bitmap would mean less if it were a small one
 * @max_bytes: preserved bytes, counted as often as they are claimed, that the
 *	walk still takes
 */
struct kho_walk {
	const struct kho *kho;
	struct source *source;
	struct report *report;
	int (*run)(void *ctx, const struct kho_run *run);
	void *ctx;
	struct kho_map_stats *stats;
	struct address_set seen;
	bool sizes_differ;
	u64 max_bytes;
};

/* What a walk's functions return to end it quietly; below every error. */
#define KHO_WALK_STOP (-1000)

/** kho_walk_node - check a link; 1: read the node, 0: leave it out, or an error */
int kho_walk_node(struct kho_walk *walk, u64 slot, u64 phys, u64 size);
/** kho_walk_read - read a node that was checked; 1, or 0 when it is not in the image */
int kho_walk_read(struct kho_walk *walk, u64 phys, void *buffer, size_t size);
/** kho_walk_blocks - check blocks and hand on those that are possible; 0 or an error */
int kho_walk_blocks(struct kho_walk *walk, u64 slot, struct kho_run run);
/** kho_walk_bitmap - hand on the runs of a bitmap of @bits bits, bit 0 standing for the block at @phys */
int kho_walk_bitmap(struct kho_walk *walk, u64 bitmap, const u64 *words, u64 bits, u64 phys,
		    u32 order);

int kho_walk_chunks(struct kho_walk *walk);
int kho_walk_radix(struct kho_walk *walk);
enum kho_answer kho_radix_preserves(const struct kho *kho, struct source *source, u64 phys);

#endif /* KHO_MAP_H */
