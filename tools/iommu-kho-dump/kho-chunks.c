// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The memory map of kho-v1: a list of chunks that describe bitmaps.
 *
 * Bitmaps had 512 bytes at first and a page later, under the same compatible
 * string. A bitmap that starts where a large one could not, or that is not
 * page aligned, proves the small size. The large one is proved when a block
 * that has to be preserved, the root FDT or a sub-blob, is found in the part
 * of a bitmap that a small one doesn't have. Else it is taken, as the likelier;
 * that is said where it makes a difference.
 */
#include <stdlib.h>

#include <iommuser/error.h>
#include <kho/abi/kho.h>

#include "kho-map.h"

#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)
/* Sub-blobs that are looked for in every bitmap. */
#define MAX_WITNESSES 8

struct chunk {
	struct kho_v1_chunk_ser head;
	u64 phys;
	const struct kho_v1_bitmap_ser *bitmaps;
	u32 nr;
};

static u64 covered(u64 bitmap_size, u32 shift)
{
	return (bitmap_size * 8) << shift;
}

/* Whether any bitmap of a chunk proves the small size. */
static bool proves_small(const struct kho_walk *walk, const struct chunk *chunk)
{
	u64 page_size = 1ULL << walk->kho->page_shift;
	u64 mask;
	u32 i;

	/* The order of a chunk without bitmaps may be anything. */
	if (!chunk->nr)
		return false;
	mask = covered(page_size, walk->kho->page_shift + chunk->head.order) - 1;
	for (i = 0; i < chunk->nr; i++)
		if ((chunk->bitmaps[i].phys_start & mask) ||
		    (chunk->bitmaps[i].bitmap & (page_size - 1)))
			return true;
	return false;
}

static bool uses_large_part(const u64 *words, u64 size)
{
	u64 word;

	for (word = KHO_V1_SMALL_BITMAP_SIZE / sizeof(u64); word < size / sizeof(u64); word++)
		if (words[word])
			return true;
	return false;
}

static bool beyond_small(const struct kho_v1_bitmap_ser *bitmap, const u64 *words, u64 bits,
			 u32 shift, u64 phys)
{
	u64 bit = (phys - bitmap->phys_start) >> shift;

	return phys >= bitmap->phys_start && bit >= KHO_V1_SMALL_BITMAP_SIZE * 8 && bit < bits &&
	       words[bit / 64] >> (bit % 64) & 1;
}

static bool proves_large(const struct kho *kho, const struct kho_v1_bitmap_ser *bitmap,
			 const u64 *words, u64 bits, u32 shift)
{
	size_t i;

	if (beyond_small(bitmap, words, bits, shift, kho->fdt_phys))
		return true;
	for (i = 0; i < kho->nr_subtrees && i < MAX_WITNESSES; i++)
		if (kho->subtrees[i].valid &&
		    beyond_small(bitmap, words, bits, shift, kho->subtrees[i].phys))
			return true;
	return false;
}

static int walk_bitmaps(struct kho_walk *walk, const struct chunk *chunk, u64 size, u64 *words)
{
	u32 shift = walk->kho->page_shift + chunk->head.order;
	const struct kho_v1_bitmap_ser *bitmap;
	u64 slot;
	u32 i;
	int ret;

	for (i = 0; i < chunk->nr; i++) {
		bitmap = &chunk->bitmaps[i];
		slot = chunk->phys + sizeof(chunk->head) + i * sizeof(*bitmap);
		if ((bitmap->phys_start & (covered(size, shift) - 1)) ||
		    bitmap->phys_start >= PHYS_END) {
			kho_note(walk->report, IOMMUSER_FINDING_KHO_CHUNK_INVALID, slot,
				 bitmap->phys_start, covered(size, shift));
			walk->stats->complete = false;
			continue;
		}
		ret = kho_walk_node(walk, slot, bitmap->bitmap, size);
		if (ret > 0)
			ret = kho_walk_read(walk, bitmap->bitmap, words, size);
		if (ret > 0 && walk->stats->bitmap_guessed && uses_large_part(words, size)) {
			walk->sizes_differ = true;
			if (proves_large(walk->kho, bitmap, words, size * 8, shift))
				walk->stats->bitmap_guessed = false;
		}
		if (ret > 0)
			ret = kho_walk_bitmap(walk, bitmap->bitmap, words, size * 8,
					      bitmap->phys_start, chunk->head.order);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* What Linux doesn't check and would follow: the number of bitmaps, the order. */
static void check_chunk(struct kho_walk *walk, struct chunk *chunk)
{
	u64 capacity = KHO_V1_CHUNK_CAPACITY(walk->kho->page_shift);
	u32 max_order = KHO_MAX_BLOCK_SHIFT - walk->kho->page_shift;

	chunk->nr = chunk->head.num_elms;
	if (chunk->head.num_elms > capacity) {
		kho_note(walk->report, IOMMUSER_FINDING_KHO_CHUNK_INVALID, chunk->phys,
			 chunk->head.num_elms, capacity);
		chunk->nr = 0;
	} else if (chunk->head.order > max_order) {
		kho_note(walk->report, IOMMUSER_FINDING_KHO_CHUNK_INVALID, chunk->phys,
			 chunk->head.order, max_order);
		chunk->nr = 0;
	}
	if (!chunk->nr && chunk->head.num_elms)
		walk->stats->complete = false;
}

/*
 * One pass over the list; with @words the bitmaps are read, without them
 * *small is set when their size is proved to be the small one.
 */
static int walk_list(struct kho_walk *walk, void *page, u64 *words, bool *small)
{
	u64 page_size = 1ULL << walk->kho->page_shift;
	u64 slot = walk->kho->fdt_phys;
	struct chunk chunk = { 0 };
	int ret;

	for (chunk.phys = walk->kho->map; chunk.phys; chunk.phys = chunk.head.next) {
		ret = kho_walk_node(walk, slot, chunk.phys, page_size);
		if (ret > 0)
			ret = kho_walk_read(walk, chunk.phys, page, page_size);
		if (ret <= 0)
			return ret;
		chunk.head = *(const struct kho_v1_chunk_ser *)page;
		chunk.bitmaps =
			(const struct kho_v1_bitmap_ser *)((const u8 *)page + sizeof(chunk.head));
		check_chunk(walk, &chunk);
		if (words)
			ret = walk_bitmaps(walk, &chunk, walk->stats->bitmap_size, words);
		else
			*small |= proves_small(walk, &chunk);
		if (ret < 0)
			return ret;
		slot = chunk.phys;
	}
	return 0;
}

/* A pass of its own, silent, with its own set of seen chunks. */
static int find_bitmap_size(struct kho_walk *walk, void *page)
{
	struct kho_map_stats stats = { 0 };
	struct kho_walk quiet = *walk;
	bool small = false;
	int ret;

	walk->stats->bitmap_size = walk->kho->v1_bitmap_size;
	if (walk->stats->bitmap_size)
		return 0;
	quiet.report = NULL;
	quiet.stats = &stats;
	address_set_init(&quiet.seen, walk->seen.max);
	ret = walk_list(&quiet, page, NULL, &small);
	address_set_free(&quiet.seen);
	walk->stats->bitmap_guessed = !small;
	walk->stats->bitmap_size = small ? KHO_V1_SMALL_BITMAP_SIZE :
					   KHO_V1_BITMAP_SIZE(walk->kho->page_shift);
	return ret == KHO_WALK_STOP ? 0 : ret;
}

int kho_walk_chunks(struct kho_walk *walk)
{
	u64 page_size = 1ULL << walk->kho->page_shift;
	bool small = false;
	void *page;
	int ret;

	if (!walk->kho->map)
		return 0;
	page = malloc(2 * page_size);
	if (!page)
		return -IOMMUSER_ENOMEM;
	ret = find_bitmap_size(walk, page);
	if (!ret)
		ret = walk_list(walk, page, (u64 *)((u8 *)page + page_size), &small);
	/* Of a map with holes nothing could be proved anyway. */
	if (walk->stats->bitmap_guessed && walk->sizes_differ && walk->stats->complete)
		kho_note(walk->report, IOMMUSER_FINDING_KHO_BITMAP_SIZE_GUESSED, walk->kho->map,
			 walk->stats->bitmap_size, KHO_V1_SMALL_BITMAP_SIZE);
	free(page);
	return ret;
}
