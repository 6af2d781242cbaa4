// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Finding KHO's root FDT in an image that doesn't say where it is.
 *
 * A dump holds several: the live outgoing one, the one of the last handover,
 * stale ones in free memory, copies in files and in the page cache. Only a
 * live one lies on a page that its own memory map preserves.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/kho.h>

#include "kho.h"
#include "luo.h"

#define MAX_CANDIDATES 256
#define PROGRESS_STEP (1ULL << 26)
/* Of a kho-v1 map, which has to be read from the start, for the first candidates and for any more. */
#define MAX_NODES 8192
#define THOROUGH_CANDIDATES 64
#define MAX_NODES_LATER 2
/* Where the first property of a root FDT lies, at the latest. */
#define HEAD_SIZE 1024

struct search {
	struct kho_candidates *candidates;
	struct source *source;
	u32 page_shift;
};

/* Bytes as Linux writes them in every revision: the property's length, its name's offset, then "kho-v". */
static bool names_kho(const u8 *page, u64 size)
{
	static const char prefix[] = "kho-v";
	u64 at;

	for (at = 0; at + sizeof(prefix) < size; at += sizeof(u32))
		if (!memcmp(page + at, prefix, sizeof(prefix) - 1))
			return true;
	return false;
}

static bool looks_like_root(struct source *source, u64 phys, u32 page_shift)
{
	const u8 *head = source_map(source, phys, HEAD_SIZE);

	return head && fdt_magic(head) == FDT_MAGIC && fdt_totalsize(head) <= 1U << page_shift &&
	       names_kho(head, HEAD_SIZE);
}

static void read_luo(struct kho_candidate *candidate, const struct kho *kho, struct source *source)
{
	const struct kho_subtree *subtree = kho_find_subtree(kho, KHO_LUO_SUBTREE);

	if (subtree && subtree->valid)
		candidate->has_liveupdate_num = luo_peek_number(
			source, subtree->phys, subtree->size, &candidate->liveupdate_num);
}

static int examine(struct kho_candidate *candidate, struct source *source, u64 max_nodes)
{
	struct kho kho;
	int ret;

	candidate->soundness = KHO_FDT_DAMAGED;
	candidate->self_reference = KHO_UNKNOWN;
	ret = kho_open(&kho, source, candidate->phys, NULL);
	if (!ret) {
		kho.max_nodes = max_nodes;
		memcpy(candidate->compatible, kho.compatible, sizeof(candidate->compatible));
		candidate->soundness = kho.revision == KHO_REVISION_UNKNOWN ? KHO_FDT_FOREIGN :
									      KHO_SOUND;
		candidate->self_reference = kho_preserves_page(&kho, source, candidate->phys);
		candidate->has_kexec_count = kho.metadata.present;
		candidate->kexec_count = kho.metadata.kexec_count;
		read_luo(candidate, &kho, source);
	}
	kho_close(&kho);
	return ret == -IOMMUSER_ENOMEM ? ret : 0;
}

static int compare_u64(u64 a, u64 b)
{
	return (a > b) - (a < b);
}

static u64 answer_rank(enum kho_answer answer)
{
	return answer == KHO_YES ? 0 : answer == KHO_UNKNOWN ? 1 : 2;
}

/* The best first. */
static int compare(const void *a, const void *b)
{
	const struct kho_candidate *x = a, *y = b;
	int ret;

	ret = compare_u64(x->soundness == KHO_FDT_DAMAGED, y->soundness == KHO_FDT_DAMAGED);
	if (!ret)
		ret = compare_u64(answer_rank(x->self_reference), answer_rank(y->self_reference));
	if (!ret)
		ret = compare_u64(y->has_kexec_count, x->has_kexec_count);
	if (!ret)
		ret = compare_u64(y->kexec_count, x->kexec_count);
	if (!ret)
		ret = compare_u64(y->has_liveupdate_num, x->has_liveupdate_num);
	if (!ret)
		ret = compare_u64(y->liveupdate_num, x->liveupdate_num);
	return ret ? ret : compare_u64(x->phys, y->phys);
}

/* When memory is full of them, the worst one makes room. */
static int add_candidate(struct search *search, u64 phys)
{
	struct kho_candidates *candidates = search->candidates;
	struct kho_candidate candidate = { .phys = phys };
	size_t i, worst = 0;
	int ret;

	candidates->nr_found++;
	ret = examine(&candidate, search->source,
		      candidates->nr_found <= THOROUGH_CANDIDATES ? MAX_NODES : MAX_NODES_LATER);
	if (ret)
		return ret;
	if (candidates->nr < MAX_CANDIDATES) {
		candidates->items[candidates->nr++] = candidate;
		return 0;
	}
	for (i = 1; i < candidates->nr; i++)
		if (compare(&candidates->items[i], &candidates->items[worst]) > 0)
			worst = i;
	if (compare(&candidate, &candidates->items[worst]) < 0)
		candidates->items[worst] = candidate;
	return 0;
}

static int search_memory(struct search *search, void (*progress)(void *ctx, u64 bytes), void *ctx)
{
	u64 page_size = 1ULL << search->page_shift;
	u64 from = 0, start, end, bytes = 0;
	int ret;

	for (; source_next_range(search->source, from, &start, &end) && end > start; from = end) {
		start = (start + page_size - 1) & ~(page_size - 1);
		for (; start < end && end - start >= page_size;
		     start += page_size, bytes += page_size) {
			if (progress && !(bytes % PROGRESS_STEP))
				progress(ctx, bytes);
			if (!looks_like_root(search->source, start, search->page_shift))
				continue;
			ret = add_candidate(search, start);
			if (ret)
				return ret;
		}
	}
	return 0;
}

int kho_find(struct kho_candidates *candidates, struct source *source,
	     void (*progress)(void *ctx, u64 bytes), void *ctx)
{
	struct search search = {
		.candidates = candidates,
		.source = source,
		.page_shift = source_page_shift(source),
	};
	int ret;

	*candidates = (struct kho_candidates){ 0 };
	candidates->items = calloc(MAX_CANDIDATES, sizeof(*candidates->items));
	if (!candidates->items)
		return -IOMMUSER_ENOMEM;
	ret = search_memory(&search, progress, ctx);
	if (ret)
		kho_free_candidates(candidates);
	else if (candidates->nr)
		qsort(candidates->items, candidates->nr, sizeof(*candidates->items), compare);
	return ret;
}

void kho_free_candidates(struct kho_candidates *candidates)
{
	free(candidates->items);
	*candidates = (struct kho_candidates){ 0 };
}

/** struct copy_search - the page that is looked for */
struct copy_search {
	struct source *source;
	const void *fdt;
	size_t size;
	u64 phys;
	bool found;
};

/* Blocks of one page each, one of which may be it: that ends the walk. */
static int search_run(void *ctx, const struct kho_run *run)
{
	struct copy_search *search = ctx;
	u64 page_size = 1ULL << source_page_shift(search->source);
	const void *page;
	u64 i;

	for (i = 0; !run->order && i < run->nr; i++) {
		search->phys = run->phys + i * page_size;
		page = source_map(search->source, search->phys, sizeof(struct fdt_header));
		if (!page || memcmp(page, search->fdt, sizeof(struct fdt_header)))
			continue;
		page = source_map(search->source, search->phys, search->size);
		search->found = page && !memcmp(page, search->fdt, search->size);
		if (search->found)
			return -1;
	}
	return 0;
}

int kho_locate(struct source *source, const void *fdt, size_t size, u64 *phys)
{
	struct copy_search search = { source, fdt, size, 0, false };
	struct kho_map_stats stats;
	struct kho kho;
	int ret;

	if (size > 1ULL << source_page_shift(source))
		return -IOMMUSER_ECORRUPT;
	ret = kho_open_copy(&kho, source_page_shift(source), fdt, size);
	if (!ret)
		ret = kho_walk_map(&kho, source, NULL, search_run, &search, &stats);
	*phys = search.phys;
	kho_close(&kho);
	if (search.found)
		return 0;
	return ret ? ret : -IOMMUSER_ENOENT;
}

static const char *self_reference_words(enum kho_answer answer)
{
	switch (answer) {
	case KHO_YES:
		return "is in its own memory map";
	case KHO_NO:
		return "is not in its own memory map: stale or a copy";
	default:
		return "its memory map can't be read";
	}
}

const char *kho_candidate_reason(const struct kho_candidate *candidate, char *buffer, size_t size)
{
	int used;

	if (candidate->soundness == KHO_FDT_DAMAGED) {
		snprintf(buffer, size, "the FDT is damaged");
		return buffer;
	}
	used = snprintf(buffer, size, "%s%s",
			candidate->soundness == KHO_FDT_FOREIGN ? "of an unknown revision, " : "",
			self_reference_words(candidate->self_reference));
	if (used > 0 && (size_t)used < size && candidate->has_kexec_count)
		used += snprintf(buffer + used, size - (size_t)used, ", kexec_count %u",
				 candidate->kexec_count);
	if (used > 0 && (size_t)used < size && candidate->has_liveupdate_num)
		snprintf(buffer + used, size - (size_t)used, ", liveupdate_num %llu",
			 (unsigned long long)candidate->liveupdate_num);
	return buffer;
}
