// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a kernel that came up from a handover did not take over.
 *
 * Early in boot Linux frees LUO's blob and reuses the memory map: nothing that
 * is left leads from the FDT to the rest. But the FLB table and, when nobody
 * takes it over, IOMMU state stay reserved as they were at the jump. So the
 * table can be searched for, and its iommuser-v1 root proves itself: it and
 * all pages of records are sealed, and the VT-d tables have to be just what
 * these say, without an entry more. A kernel that took the state over has added
 * entries of its other devices to them.
 */
#include "consumed.h"

#include <string.h>

#include <kho/abi/iommuser.h>
#include <kho/abi/luo.h>

#include "progress.h"

#define PROGRESS_STEP (1ULL << 26)
#define MAX_ROOTS 16

struct search {
	struct handover *handover;
	u64 roots[MAX_ROOTS];
	u32 nr_roots;
};

static bool is_known(const struct search *search, u64 root)
{
	u32 i;

	for (i = 0; i < search->nr_roots; i++)
		if (search->roots[i] == root)
			return true;
	return search->nr_roots == MAX_ROOTS;
}

/* Is it part of what this kernel will hand over itself, or what was read already? */
static bool is_current(struct handover *handover, u64 root)
{
	struct iommuser_pageset *set = handover_set(handover);

	if (handover->has_flb && handover->flb == root)
		return true;
	return set && iommuser_pageset_contains(set, IOMMUSER_PRESERVED, root, 1, NULL);
}

static bool is_as_at_jump(struct handover *handover, u64 root)
{
	const struct iommuser_revision *revision =
		iommuser_revision_by_name(IOMMUSER_V1_COMPATIBLE);
	struct iommuser_verify_counts counts = { 0 };

	return !handover_count_errors(handover, revision, root, iommuser_verify_all, &counts) &&
	       counts.nr_context_entries;
}

static void check_root(struct search *search, u64 slot, u64 root)
{
	if (is_known(search, root) || is_current(search->handover, root))
		return;
	search->roots[search->nr_roots++] = root;
	if (is_as_at_jump(search->handover, root))
		report_add(search->handover->report, IOMMUSER_FINDING_REC_NOT_TAKEN_OVER, slot,
			   root, 0, NULL, 0);
}

static bool entry_valid(const struct luo_flb_ser *entry)
{
	return entry->name[0] && memchr(entry->name, 0, sizeof(entry->name));
}

static void search_table(struct search *search, u64 phys, u64 count)
{
	struct source *source = search->handover->source;
	struct luo_flb_ser entry;
	u64 i, at;

	for (i = 0; i < count; i++) {
		at = phys + sizeof(struct luo_flb_header_ser) + i * sizeof(entry);
		if (source_read(source, at, &entry, sizeof(entry)) != SOURCE_OK ||
		    !entry_valid(&entry))
			return;
		if (!strcmp(entry.name, IOMMUSER_V1_COMPATIBLE))
			check_root(search, at, entry.data);
	}
}

static void search_page(struct search *search, u64 phys, u32 page_shift)
{
	const struct luo_flb_header_ser *header;

	header = source_map(search->handover->source, phys, sizeof(*header));
	if (header && header->pgcnt == LUO_FLB_PAGES && header->count &&
	    header->count <= LUO_FLB_CAPACITY(page_shift))
		search_table(search, phys, header->count);
}

void consumed_report(struct handover *handover)
{
	struct search search = { .handover = handover };
	struct source *source = handover->source;
	u32 page_shift = source_page_shift(source);
	u64 page_size = 1ULL << page_shift;
	u64 from = 0, start, end, bytes = 0;

	source_pause_recorder(source, true);
	for (; source_next_range(source, from, &start, &end) && end > start; from = end) {
		start = (start + page_size - 1) & ~(page_size - 1);
		for (; start < end && end - start >= page_size;
		     start += page_size, bytes += page_size) {
			if (!(bytes % PROGRESS_STEP))
				progress_scan(NULL, bytes);
			search_page(&search, start, page_shift);
		}
	}
	source_pause_recorder(source, false);
	progress_done();
}
