// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The memory map of kho-v2 and later: a radix tree of pages.
 *
 * Linux 7.3 descends it without any check: no alignment, no range, no cycle,
 * and a key without its order bit decodes to nonsense (K2). The depth is
 * fixed and so bounds each path; the set of seen nodes bounds the rest.
 */
#include <stdlib.h>

#include <iommuser/error.h>
#include <kho/abi/kho.h>

#include "kho-map.h"

#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)

struct frame {
	u64 phys;
	u64 prefix;
	u64 next;
	u64 *words;
};

/* Bits of a key below the index at @level; level 0 are the leaves. */
static u32 level_shift(u32 page_shift, u32 level)
{
	return level ? KHO_RADIX_LEAF_BITS(page_shift) +
			       (level - 1) * KHO_RADIX_TABLE_BITS(page_shift) :
		       0;
}

static u64 make_key(u32 page_shift, u64 phys, u32 order)
{
	return 1ULL << (KHO_RADIX_ORDER_0_BIT(page_shift) - order) | phys >> (page_shift + order);
}

/*
 * Is the key in a tree of that depth? One path, nothing is marked as seen.
 */
static enum kho_answer look_up(const struct kho *kho, struct source *source, u32 depth, u64 key)
{
	u32 level, shift = kho->page_shift;
	u64 phys = kho->map, index, word;

	for (level = depth - 1; level; level--) {
		index = key >> level_shift(shift, level) &
			((1ULL << KHO_RADIX_TABLE_BITS(shift)) - 1);
		if (source_read(source, phys + index * sizeof(u64), &phys, sizeof(phys)) !=
		    SOURCE_OK)
			return KHO_UNKNOWN;
		if (!phys)
			return KHO_NO;
		if (phys >= PHYS_END || (phys & ((1ULL << shift) - 1)))
			return KHO_UNKNOWN;
	}
	index = key & ((1ULL << KHO_RADIX_LEAF_BITS(shift)) - 1);
	if (source_read(source, phys + index / 64 * sizeof(u64), &word, sizeof(word)) != SOURCE_OK)
		return KHO_UNKNOWN;
	return word >> (index % 64) & 1 ? KHO_YES : KHO_NO;
}

/* A root of the right depth has entries for order 0 and for all others, no more. */
static bool root_looks_short(const struct kho *kho, struct source *source)
{
	u64 entries = 1ULL << KHO_RADIX_TABLE_BITS(kho->page_shift), i;
	const u64 *root = source_map(source, kho->map, entries * sizeof(u64));

	for (i = 2; root && i < entries; i++)
		if (root[i])
			return true;
	return false;
}

/*
 * With 16 KiB pages kho-v2 and the first kho-v3 built trees one level too
 * short, under the same compatible string. The root FDT's own key tells.
 */
static u32 find_depth(const struct kho *kho, struct source *source)
{
	u32 depth = KHO_RADIX_DEPTH(kho->page_shift);
	u64 key = make_key(kho->page_shift, kho->fdt_phys, 0);

	if (kho->page_shift != 14 || kho->revision == KHO_REVISION_V4)
		return depth;
	if (look_up(kho, source, depth, key) == KHO_YES)
		return depth;
	if (look_up(kho, source, KHO_RADIX_SHORT_DEPTH, key) == KHO_YES)
		return KHO_RADIX_SHORT_DEPTH;
	return root_looks_short(kho, source) ? KHO_RADIX_SHORT_DEPTH : depth;
}

enum kho_answer kho_radix_preserves(const struct kho *kho, struct source *source, u64 phys)
{
	if (phys >= PHYS_END || (phys & ((1ULL << kho->page_shift) - 1)))
		return KHO_NO;
	return look_up(kho, source, find_depth(kho, source), make_key(kho->page_shift, phys, 0));
}

static void note_bad_keys(struct kho_walk *walk, const struct frame *leaf)
{
	u64 bits = 1ULL << KHO_RADIX_LEAF_BITS(walk->kho->page_shift);
	u64 bit;

	/* The order would have to be so great that no memory is large enough. */
	for (bit = 0; bit < bits; bit++)
		if (leaf->words[bit / 64] >> (bit % 64) & 1)
			kho_note(walk->report, IOMMUSER_FINDING_KHO_KEY_INVALID,
				 leaf->phys + bit / 64 * sizeof(u64), bit,
				 1ULL << KHO_RADIX_ORDER_0_BIT(walk->kho->page_shift));
}

static int walk_leaf(struct kho_walk *walk, const struct frame *leaf)
{
	u32 page_shift = walk->kho->page_shift;
	u32 top, order;
	u64 phys;

	if (!leaf->prefix) {
		note_bad_keys(walk, leaf);
		return 0;
	}
	top = 63 - (u32)__builtin_clzll(leaf->prefix);
	order = KHO_RADIX_ORDER_0_BIT(page_shift) - top;
	/* The order's bit falls off the upper end. */
	phys = leaf->prefix << (page_shift + order);
	return kho_walk_bitmap(walk, leaf->phys, leaf->words,
			       1ULL << KHO_RADIX_LEAF_BITS(page_shift), phys, order);
}

/* 1: descend; 0: leave this entry out */
static int check_key(struct kho_walk *walk, const struct frame *frame, u64 slot, u64 prefix)
{
	u32 order_0_bit = KHO_RADIX_ORDER_0_BIT(walk->kho->page_shift);
	bool is_short = walk->stats->depth != (u32)KHO_RADIX_DEPTH(walk->kho->page_shift);

	if (prefix >> order_0_bit > 1) {
		kho_note(walk->report, IOMMUSER_FINDING_KHO_KEY_INVALID, slot, prefix,
			 1ULL << order_0_bit);
		return 0;
	}
	/* K2: the bit of order 0 was lost, and what is here can be of any order. */
	if (is_short && frame->phys == walk->kho->map && !prefix) {
		kho_note(walk->report, IOMMUSER_FINDING_KHO_KEY_INVALID, slot, prefix,
			 1ULL << order_0_bit);
		walk->stats->complete = false;
		return 0;
	}
	return 1;
}

static int next_child(struct kho_walk *walk, struct frame *frame, u32 level, struct frame *child)
{
	u32 page_shift = walk->kho->page_shift;
	u64 entries = 1ULL << KHO_RADIX_TABLE_BITS(page_shift);
	u64 slot, entry;
	int ret;

	for (; frame->next < entries; frame->next++) {
		entry = frame->words[frame->next];
		if (!entry)
			continue;
		slot = frame->phys + frame->next * sizeof(u64);
		child->prefix = frame->prefix | frame->next << level_shift(page_shift, level);
		ret = check_key(walk, frame, slot, child->prefix);
		if (ret)
			ret = kho_walk_node(walk, slot, entry, 1ULL << page_shift);
		if (ret > 0)
			ret = kho_walk_read(walk, entry, child->words, 1ULL << page_shift);
		if (ret) {
			frame->next++;
			child->phys = entry;
			child->next = 0;
			return ret;
		}
	}
	return 0;
}

static int walk_tree(struct kho_walk *walk, struct frame *frames, u32 depth)
{
	u32 level = depth - 1;
	int ret;

	/* frames[level] holds the node being read at that level. */
	while (level < depth) {
		ret = level ? next_child(walk, &frames[level], level, &frames[level - 1]) :
			      walk_leaf(walk, &frames[0]);
		if (ret < 0)
			return ret;
		if (ret)
			level--;
		else
			level++;
	}
	return 0;
}

int kho_walk_radix(struct kho_walk *walk)
{
	u64 page_size = 1ULL << walk->kho->page_shift;
	struct frame frames[KHO_RADIX_MAX_DEPTH] = { 0 };
	struct frame *root;
	u32 depth, level;
	u64 *words;
	int ret;

	depth = find_depth(walk->kho, walk->source);
	walk->stats->depth = depth;
	words = malloc(page_size * depth);
	if (!words)
		return -IOMMUSER_ENOMEM;
	for (level = 0; level < depth; level++)
		frames[level].words = words + level * (page_size / sizeof(u64));
	root = &frames[depth - 1];
	root->phys = walk->kho->map;

	ret = kho_walk_node(walk, walk->kho->fdt_phys, root->phys, page_size);
	if (ret > 0)
		ret = kho_walk_read(walk, root->phys, root->words, page_size);
	if (ret > 0)
		ret = walk_tree(walk, frames, depth);
	free(words);
	return ret;
}
