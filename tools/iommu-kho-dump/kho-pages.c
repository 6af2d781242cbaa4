// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The set of preserved pages: from KHO's memory map, or as a portable image
 * carries it.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include <iommuser/error.h>

#include "kho.h"

#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)
#define SMALL_PAGE (1ULL << IOMMUSER_MIN_PAGE_SHIFT)
/* Room for pages that are referred to and turn out not to be preserved. */
#define SPARE_CHUNKS 1024
/* The longest sequence of records is a flat array of 16 pages. */
#define MAX_PIECEMEAL (1ULL << 20)

struct build {
	struct block_map *map;
	struct report *report;
	u32 page_shift;
};

static int add_run(void *ctx, const struct kho_run *run)
{
	struct build *build = ctx;
	u64 overlap = 0;
	int ret;

	ret = block_map_add(build->map, run->phys, 1ULL << (build->page_shift + run->order),
			    run->nr, &overlap);
	if (ret <= 0)
		return ret;
	kho_note(build->report, IOMMUSER_FINDING_KHO_BLOCKS_OVERLAP, overlap, run->phys,
		 run->order);
	return 0;
}

static int add_carried(struct block_map *map, struct source *source, bool *complete)
{
	u64 cursor = 0, phys, length, overlap;
	int ret;

	while (source_next_preserved(source, &cursor, &phys, &length)) {
		if (phys >= PHYS_END || length > PHYS_END - phys ||
		    ((phys | length) & (SMALL_PAGE - 1))) {
			*complete = false;
			continue;
		}
		ret = block_map_add(map, phys, SMALL_PAGE, length / SMALL_PAGE, &overlap);
		if (ret == -IOMMUSER_ENOSPC) {
			*complete = false;
			return 0;
		}
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Zeroed memory of which only what is used costs anything. */
static int make_set(struct kho_pages *pages, u64 nr_chunks)
{
	u64 size = iommuser_pageset_size(nr_chunks + SPARE_CHUNKS, IOMMUSER_NR_PLANES);
	int ret;

	if (!size)
		return -IOMMUSER_EINTERNAL;
	pages->memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pages->memory == MAP_FAILED) {
		pages->memory = NULL;
		return -IOMMUSER_ENOMEM;
	}
	pages->size = size;
	ret = iommuser_pageset_init(&pages->set, pages->memory, size, nr_chunks + SPARE_CHUNKS,
				    IOMMUSER_NR_PLANES);
	return ret ? -IOMMUSER_EINTERNAL : 0;
}

static int fill_set(struct kho_pages *pages, struct block_map *map)
{
	int ret = make_set(pages, map->nr_chunks);

	pages->nr_pages = map->nr_pages;
	return ret ? ret : block_map_move(map, &pages->set);
}

static int use_map(struct kho_pages *pages, const struct kho *kho, struct source *source,
		   struct report *report)
{
	struct build build = { &pages->blocks, report, kho->page_shift };
	int ret;

	ret = kho_walk_map(kho, source, report, add_run, &build, &pages->stats);
	if (ret)
		return ret;
	pages->has_blocks = true;
	pages->complete = pages->stats.complete;
	return 0;
}

static int use_carried(struct kho_pages *pages, struct source *source, u64 max_chunks)
{
	struct block_map map;
	int ret;

	block_map_init(&map, max_chunks);
	pages->complete = true;
	ret = add_carried(&map, source, &pages->complete);
	if (!ret)
		ret = fill_set(pages, &map);
	block_map_free(&map);
	return ret;
}

static bool map_readable(const struct kho *kho, struct source *source)
{
	u64 word;

	return kho && kho->has_map && kho->revision != KHO_REVISION_UNKNOWN &&
	       (!kho->map || source_read(source, kho->map, &word, sizeof(word)) == SOURCE_OK);
}

static int build_set(struct kho_pages *pages, const struct kho *kho, struct source *source,
		     struct report *report)
{
	bool carried = source_has_preserved(source);
	int ret;

	if (!carried && (!kho || !kho->has_map || kho->revision == KHO_REVISION_UNKNOWN))
		return -IOMMUSER_ENOENT;
	block_map_init(&pages->blocks, kho ? kho->max_chunks : KHO_DEFAULT_MAX_CHUNKS);
	if (!carried || map_readable(kho, source)) {
		ret = use_map(pages, kho, source, report);
		if (ret)
			return ret;
	}
	if (carried)
		return use_carried(pages, source, pages->blocks.max_chunks);
	return fill_set(pages, &pages->blocks);
}

/* K7: what is registered but not preserved is overwritten by the next kernel. */
static void check_subtrees(struct kho_pages *pages, const struct kho *kho, struct report *report)
{
	const struct kho_subtree *subtree;
	u64 missing;
	size_t i;

	pages->subtrees_checked = true;
	for (i = 0; i < kho->nr_subtrees; i++) {
		subtree = &kho->subtrees[i];
		if (!subtree->valid)
			continue;
		if (kho_pages_preserved(pages, subtree->phys, subtree->size, &missing) == KHO_NO)
			kho_note_name(report, IOMMUSER_FINDING_KHO_SUBTREE_NOT_PRESERVED,
				      subtree->phys, missing, subtree->size, subtree->name,
				      sizeof(subtree->name));
		kho_pages_visit(pages, subtree->phys, subtree->size);
	}
}

static void check_roots(struct kho_pages *pages, const struct kho *kho, struct report *report)
{
	u64 page_size = 1ULL << kho->page_shift;
	u64 missing;
	size_t i;

	if (kho_pages_preserved(pages, kho->fdt_phys, page_size, NULL) == KHO_NO)
		kho_note(report, IOMMUSER_FINDING_KHO_NOT_SELF_REFERENT, kho->fdt_phys, 0, 0);
	kho_pages_visit(pages, kho->fdt_phys, page_size);
	check_subtrees(pages, kho, report);
	for (i = 0; i < kho->nr_reserved; i++) {
		const struct kho_reserved *region = &kho->reserved[i];

		if (kho_pages_preserved(pages, region->phys, region->size, &missing) == KHO_NO)
			kho_note_name(report, IOMMUSER_FINDING_KHO_SUBTREE_NOT_PRESERVED,
				      region->phys, missing, region->size, region->name,
				      sizeof(region->name));
		else
			/* Only explains pages, so that there may be no room doesn't matter. */
			(void)iommuser_pageset_add(&pages->set, IOMMUSER_MAPPED, region->phys,
						   region->size);
	}
}

int kho_build_pageset(struct kho_pages *pages, const struct kho *kho, struct source *source,
		      struct report *report)
{
	int ret;

	*pages = (struct kho_pages){ .page_shift = source_page_shift(source) };
	ret = build_set(pages, kho, source, report);
	if (ret) {
		kho_free_pages(pages);
		return ret;
	}
	if (kho)
		check_roots(pages, kho, report);
	return 0;
}

void kho_free_pages(struct kho_pages *pages)
{
	if (pages->memory)
		munmap(pages->memory, pages->size);
	block_map_free(&pages->blocks);
	*pages = (struct kho_pages){ 0 };
}

enum kho_answer kho_pages_preserved(struct kho_pages *pages, u64 phys, u64 length, u64 *missing)
{
	if (missing)
		*missing = phys;
	if (!pages)
		return KHO_UNKNOWN;
	if (phys < PHYS_END && length <= PHYS_END - phys &&
	    iommuser_pageset_contains(&pages->set, IOMMUSER_PRESERVED, phys, length, missing))
		return KHO_YES;
	return pages->complete ? KHO_NO : KHO_UNKNOWN;
}

void kho_pages_visit(struct kho_pages *pages, u64 phys, u64 length)
{
	u64 mask, start, end;

	if (!pages || phys >= PHYS_END || length > PHYS_END - phys)
		return;
	mask = (1ULL << pages->page_shift) - 1;
	start = phys & ~mask;
	end = (phys + length + mask) & ~mask;
	if (kho_pages_preserved(pages, start, end - start, NULL) == KHO_YES) {
		(void)iommuser_pageset_add(&pages->set, IOMMUSER_VISITED, start, end - start);
		return;
	}
	/* A page that isn't preserved needs no explanation; those beside it do. */
	if (end - start > MAX_PIECEMEAL)
		return;
	for (; start < end; start += SMALL_PAGE)
		if (kho_pages_preserved(pages, start, SMALL_PAGE, NULL) == KHO_YES)
			(void)iommuser_pageset_visit(&pages->set, IOMMUSER_VISITED, start);
}

u64 kho_pages_block(struct kho_pages *pages, u64 phys)
{
	u64 length, missing = 0;

	if (!pages || !pages->has_blocks)
		return 0;
	length = block_map_length(&pages->blocks, phys);
	if (length &&
	    !iommuser_pageset_contains(&pages->set, IOMMUSER_PRESERVED, phys, length, &missing))
		length = missing - phys;
	return length;
}
