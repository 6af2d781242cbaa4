// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Preserved vmalloc areas: a list of chunks of addresses.
 *
 * Linux 7.3 shifts by the order and follows the list without a check; only
 * the sum of the pages has to be right (K21).
 */
#include <stdlib.h>

#include <iommuser/error.h>

#include "luo-reader.h"

struct vmalloc_walk {
	struct luo_reader *reader;
	const struct kho_vmalloc_ser *area;
	int (*piece)(void *ctx, u64 phys, u64 length);
	void *ctx;
	u64 nr_pages;
	bool sound;
};

/* The largest order that Linux's page allocator knows. */
static u32 max_order(u32 page_shift)
{
	return page_shift == 12 ? 10 : page_shift == 14 ? 11 : 13;
}

bool luo_vmalloc_valid(const struct luo_reader *reader, const struct kho_vmalloc_ser *area,
		       u64 phys)
{
	u64 found = 0, expected = 0;

	if (area->flags & ~KHO_VMALLOC_FLAGS) {
		found = area->flags;
		expected = KHO_VMALLOC_FLAGS;
	} else if (area->order > max_order(reader->page_shift)) {
		found = area->order;
		expected = max_order(reader->page_shift);
	} else if (!area->first != !area->total_pages) {
		found = area->first;
		expected = area->total_pages;
	} else if (area->total_pages & ((1U << area->order) - 1)) {
		found = area->total_pages;
		expected = 1U << area->order;
	} else {
		return true;
	}
	luo_note(reader, IOMMUSER_FINDING_LUO_VMALLOC_INVALID, phys, found, expected);
	return false;
}

static int unsound(struct vmalloc_walk *walk, enum iommuser_finding_id id, u64 slot, u64 found,
		   u64 expected)
{
	luo_note(walk->reader, id, slot, found, expected);
	walk->sound = false;
	return 0;
}

/*
 * In what follows 1 means to go on, 0 to stop: behind a piece that was left
 * out every other one would be taken for its neighbour.
 */
static int follow(struct vmalloc_walk *walk, u64 slot, u64 phys, u64 length)
{
	int ret;

	if (!luo_address_possible(phys, length, length))
		return unsound(walk, IOMMUSER_FINDING_LUO_VMALLOC_CHUNKS, slot, phys, length);
	ret = address_set_add(&walk->reader->seen, phys);
	if (ret == -IOMMUSER_ENOMEM)
		return ret;
	if (ret == 1)
		return unsound(walk, IOMMUSER_FINDING_LUO_VMALLOC_CHUNKS, slot, phys, 0);
	if (ret)
		return unsound(walk, IOMMUSER_FINDING_LUO_TOO_LARGE, slot, walk->reader->seen.nr,
			       walk->reader->seen.max);
	luo_claim(walk->reader, phys, length);
	return 1;
}

static int read_chunk(struct vmalloc_walk *walk, u64 chunk, const u64 *words)
{
	u64 capacity = KHO_VMALLOC_CHUNK_CAPACITY(walk->reader->page_shift);
	u64 length = luo_page_size(walk->reader) << walk->area->order;
	u64 i;
	int ret;

	for (i = 1; i <= capacity && words[i]; i++) {
		walk->nr_pages += 1U << walk->area->order;
		if (walk->nr_pages > walk->area->total_pages)
			return unsound(walk, IOMMUSER_FINDING_LUO_VMALLOC_CHUNKS, chunk,
				       walk->nr_pages, walk->area->total_pages);
		ret = follow(walk, chunk + i * sizeof(u64), words[i], length);
		if (ret <= 0)
			return ret;
		ret = walk->piece(walk->ctx, words[i], length);
		if (ret < 0)
			return ret;
	}
	return 1;
}

static int read_chunks(struct vmalloc_walk *walk, u64 slot, u64 *words)
{
	u64 page_size = luo_page_size(walk->reader);
	u64 chunk;
	int ret = 1;

	for (chunk = walk->area->first; chunk && ret > 0; slot = chunk, chunk = words[0]) {
		ret = follow(walk, slot, chunk, page_size);
		if (ret <= 0)
			return ret;
		if (!luo_read(walk->reader, chunk, words, page_size)) {
			walk->sound = false;
			return 0;
		}
		ret = read_chunk(walk, chunk, words);
	}
	return ret;
}

int luo_read_vmalloc(struct luo_reader *reader, const struct kho_vmalloc_ser *area, u64 phys,
		     int (*piece)(void *ctx, u64 phys, u64 length), void *ctx, bool *complete)
{
	struct vmalloc_walk walk = {
		.reader = reader,
		.area = area,
		.piece = piece,
		.ctx = ctx,
		.sound = true,
	};
	u64 *words = malloc(luo_page_size(reader));
	int ret;

	*complete = false;
	if (!words)
		return -IOMMUSER_ENOMEM;
	ret = read_chunks(&walk, phys, words);
	free(words);
	if (ret < 0)
		return ret;
	if (walk.sound && walk.nr_pages != area->total_pages)
		unsound(&walk, IOMMUSER_FINDING_LUO_VMALLOC_CHUNKS, phys, walk.nr_pages,
			area->total_pages);
	*complete = walk.sound;
	return 0;
}
