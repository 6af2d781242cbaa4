// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What devices can reach by DMA: pieces of page tables, with the owners of the
 * memory.
 */
#include "mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iommuser/error.h>
#include <iommuser/vtd.h>

/* Tables of 4 KiB entries for 256 TiB. */
#define MAX_TABLES (1ULL << 27)

/* Owners */

/*
 * The index of owners is a sorted array of words: page of memory above, number of the extent
 * below. luo_open() keeps no more extents than fit.
 */
#define EXTENT_BITS 24
#define EXTENT_MASK ((1ULL << EXTENT_BITS) - 1)

struct mapping_memfd_file {
	const struct luo_session *session;
	const struct luo_file *file;
	u64 first; /* number of its first extent */
};

static const struct memfd *next_memfd(const struct luo_state *luo, size_t *session, size_t *file,
				      struct mapping_memfd_file *found)
{
	for (; *session < luo->nr_sessions; (*session)++, *file = 0) {
		found->session = &luo->sessions[*session];
		while (*file < found->session->nr_files) {
			found->file = &found->session->files[(*file)++];
			if (found->file->memfd && found->file->memfd->nr_extents)
				return found->file->memfd;
		}
	}
	return NULL;
}

static bool count_extents(struct mapping_memfds *memfds, const struct luo_state *luo)
{
	size_t session = 0, file = 0, nr_files = 0;
	struct mapping_memfd_file found;
	const struct memfd *memfd;
	u64 nr_extents = 0;

	while ((memfd = next_memfd(luo, &session, &file, &found))) {
		nr_files++;
		nr_extents += memfd->nr_extents;
	}
	if (nr_extents > EXTENT_MASK + 1)
		return false;
	memfds->files = calloc(nr_files + 1, sizeof(*memfds->files));
	memfds->keys = calloc(nr_extents + 1, sizeof(*memfds->keys));
	return memfds->files && memfds->keys;
}

/* Return: true when they are sorted as they come. */
static bool add_extents(struct mapping_memfds *memfds, const struct luo_state *luo)
{
	size_t session = 0, file = 0, i;
	const struct memfd *memfd;
	bool sorted = true;
	u64 last = 0, key;

	while ((memfd = next_memfd(luo, &session, &file, &memfds->files[memfds->nr_files]))) {
		memfds->files[memfds->nr_files++].first = memfds->nr_extents;
		for (i = 0; i < memfd->nr_extents; i++) {
			key = memfd->extents[i].phys >> 12 << EXTENT_BITS | memfds->nr_extents;
			memfds->keys[memfds->nr_extents++] = key;
			sorted &= key >= last;
			last = key;
		}
	}
	return sorted;
}

static int compare_keys(const void *a, const void *b)
{
	u64 left = *(const u64 *)a, right = *(const u64 *)b;

	return left < right ? -1 : left > right;
}

static const struct mapping_memfd_file *file_of(const struct mapping_memfds *memfds, u64 number)
{
	size_t low = 0, high = memfds->nr_files, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (memfds->files[middle].first <= number)
			low = middle;
		else
			high = middle;
	}
	return &memfds->files[low];
}

static const struct memfd_extent *extent_of(const struct mapping_memfd_file *file, u64 number)
{
	return &file->file->memfd->extents[number - file->first];
}

/* Drop extents that lie in another: then the ends ascend as well as the starts. */
static void drop_covered(struct mapping_memfds *memfds)
{
	size_t kept = 0, i;
	u64 end = 0, number;

	for (i = 0; i < memfds->nr_extents; i++) {
		const struct memfd_extent *extent;

		number = memfds->keys[i] & EXTENT_MASK;
		extent = extent_of(file_of(memfds, number), number);
		memfds->overlapping |= extent->phys < end;
		if (extent->phys + extent->length <= end)
			continue;
		end = extent->phys + extent->length;
		memfds->keys[kept++] = memfds->keys[i];
	}
	memfds->nr_extents = kept;
}

bool mapping_memfds_init(struct mapping_memfds *memfds, const struct luo_state *luo)
{
	memset(memfds, 0, sizeof(*memfds));
	if (!luo)
		return true;
	if (!count_extents(memfds, luo))
		return false;
	if (!add_extents(memfds, luo))
		qsort(memfds->keys, memfds->nr_extents, sizeof(*memfds->keys), compare_keys);
	drop_covered(memfds);
	return true;
}

void mapping_memfds_free(struct mapping_memfds *memfds)
{
	free(memfds->files);
	free(memfds->keys);
	memset(memfds, 0, sizeof(*memfds));
}

static struct mapping_owner owner_of(const struct mapping_memfd_file *file,
				     const struct memfd_extent *extent, u64 phys)
{
	return (struct mapping_owner){ file->session, file->file,
				       extent->offset + (phys - extent->phys) };
}

static bool holds(const struct memfd_extent *extent, u64 phys)
{
	return phys >= extent->phys && phys - extent->phys < extent->length;
}

/* The number of extents that begin at or below an address. */
static size_t extents_from(const struct mapping_memfds *memfds, u64 phys)
{
	u64 key = phys >> 12 << EXTENT_BITS | EXTENT_MASK;
	size_t low = 0, high = memfds->nr_extents, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (memfds->keys[middle] <= key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Like mapping_memfds_find(); @hint is the number of the extent found last. */
static struct mapping_owner find_owner(const struct mapping_memfds *memfds, u64 phys, u64 *length,
				       u64 *hint)
{
	struct mapping_owner nobody = { NULL, NULL, 0 };
	const struct mapping_memfd_file *file;
	const struct memfd_extent *extent;
	u64 end = UINT64_MAX, number;
	size_t after = extents_from(memfds, phys);

	if (after < memfds->nr_extents)
		end = memfds->keys[after] >> EXTENT_BITS << 12;
	*length = end - phys;
	if (!after)
		return nobody;
	number = memfds->keys[after - 1] & EXTENT_MASK;
	file = file_of(memfds, number);
	extent = extent_of(file, number);
	if (!holds(extent, phys))
		return nobody;
	if (extent->length - (phys - extent->phys) < *length)
		*length = extent->length - (phys - extent->phys);
	*hint = number;
	return owner_of(file, extent, phys);
}

/* Files are mapped in the order of their pages: try the extent after the last one first. */
static bool follow_hint(const struct mapping_memfds *memfds, u64 phys, u64 *length, u64 *hint,
			struct mapping_owner *owner)
{
	const struct mapping_memfd_file *file;
	const struct memfd_extent *extent;

	if (memfds->overlapping || !memfds->nr_files)
		return false;
	file = file_of(memfds, *hint);
	if (*hint + 1 - file->first >= file->file->memfd->nr_extents)
		return false;
	extent = extent_of(file, *hint + 1);
	if (!holds(extent, phys))
		return false;
	++*hint;
	*length = extent->length - (phys - extent->phys);
	*owner = owner_of(file, extent, phys);
	return true;
}

struct mapping_owner mapping_find_owner(const struct luo_state *luo, u64 phys)
{
	struct mapping_owner owner = { NULL, NULL, 0 };
	struct memfd_extent best = { 0, 0, 0 };
	struct mapping_memfd_file found;
	size_t session = 0, file = 0, i;
	const struct memfd *memfd;
	u64 end;

	while (luo && (memfd = next_memfd(luo, &session, &file, &found))) {
		for (i = 0; i < memfd->nr_extents; i++) {
			const struct memfd_extent *extent = &memfd->extents[i];

			end = extent->phys + extent->length;
			if (!holds(extent, phys) || end < best.phys + best.length ||
			    (end == best.phys + best.length && extent->phys >= best.phys))
				continue;
			best = *extent;
			owner = owner_of(&found, extent, phys);
		}
	}
	return owner;
}

struct mapping_owner mapping_memfds_find(const struct mapping_memfds *memfds, u64 phys, u64 *length)
{
	u64 unused, hint;

	return find_owner(memfds, phys, length ? length : &unused, &hint);
}

/* Page tables */

struct walk {
	const struct mapping_memfds *memfds;
	const struct mapping_visitor *visitor;
	struct mapping_totals *totals;
	struct table_cursor cursor;
	struct mapping_range run; /* not reported yet; length 0: none */
	struct mapping_gap gap;	  /* as above */
	u64 hint;		  /* number of the extent found last */
	u64 owned_from;		  /* where @owner was found */
	u64 owned_bytes;	  /* for how many bytes it holds */
	struct mapping_owner owner;
};

static int flush_range(struct walk *walk)
{
	struct mapping_range *run = &walk->run;
	int ret = 0;

	if (!run->length)
		return 0;
	walk->totals->nr_ranges++;
	walk->totals->mapped += run->length;
	if (run->owner.session)
		walk->totals->in_memfds += run->length;
	if (walk->visitor && walk->visitor->range)
		ret = walk->visitor->range(walk->visitor->ctx, run);
	run->length = 0;
	return ret;
}

static int flush_gap(struct walk *walk)
{
	int ret = 0;

	if (!walk->gap.length)
		return 0;
	walk->totals->nr_gaps++;
	if (walk->visitor && walk->visitor->gap)
		ret = walk->visitor->gap(walk->visitor->ctx, &walk->gap);
	walk->gap.length = 0;
	return ret;
}

static int add_gap(struct walk *walk, const struct table_piece *piece)
{
	int ret = flush_range(walk);

	if (ret)
		return ret;
	if (walk->gap.length && walk->gap.reason == piece->kind &&
	    walk->gap.iova + walk->gap.length == piece->iova) {
		walk->gap.length += piece->length;
		return 0;
	}
	ret = flush_gap(walk);
	walk->gap = (struct mapping_gap){ piece->iova, piece->length, piece->phys, piece->kind };
	return ret;
}

static bool owner_goes_on(const struct mapping_range *run, const struct mapping_owner *owner)
{
	return run->owner.session == owner->session && run->owner.file == owner->file &&
	       (!owner->session || run->owner.offset + run->length == owner->offset);
}

static int add_range(struct walk *walk, const struct mapping_range *range)
{
	struct mapping_range *run = &walk->run;
	int ret;

	if (run->length && run->permissions == range->permissions &&
	    run->iova + run->length == range->iova && run->phys + run->length == range->phys &&
	    owner_goes_on(run, &range->owner)) {
		run->length += range->length;
		run->page_sizes |= range->page_sizes;
		return 0;
	}
	ret = flush_range(walk);
	*run = *range;
	return ret;
}

/* Who owns the memory at @phys, and for how many bytes that is the answer. */
static struct mapping_owner owner_at(struct walk *walk, u64 phys, u64 *length)
{
	struct mapping_owner owner;

	if (phys < walk->owned_from || phys - walk->owned_from >= walk->owned_bytes) {
		walk->owned_from = phys;
		if (!follow_hint(walk->memfds, phys, &walk->owned_bytes, &walk->hint, &walk->owner))
			walk->owner =
				find_owner(walk->memfds, phys, &walk->owned_bytes, &walk->hint);
	}
	owner = walk->owner;
	if (owner.session)
		owner.offset += phys - walk->owned_from;
	*length = walk->owned_bytes - (phys - walk->owned_from);
	return owner;
}

/* A piece that is mapped, split by owners. */
static int add_piece(struct walk *walk, const struct table_piece *piece)
{
	u64 left = piece->length, length = left;
	struct mapping_range range = {
		.iova = piece->iova,
		.phys = piece->phys,
		.permissions = piece->permissions,
		.page_sizes = piece->page_size,
	};
	int ret = flush_gap(walk);

	for (; !ret && left; left -= range.length) {
		if (walk->memfds)
			range.owner = owner_at(walk, range.phys, &length);
		range.length = length < left ? length : left;
		ret = add_range(walk, &range);
		range.iova += range.length;
		range.phys += range.length;
	}
	return ret;
}

static int walk_all(struct walk *walk)
{
	struct table_piece piece;
	int ret = 0;

	while (!ret && (ret = table_cursor_next(&walk->cursor, &piece)) > 0)
		ret = piece.kind == TABLE_MAPPED ? add_piece(walk, &piece) : add_gap(walk, &piece);
	if (!ret)
		ret = flush_range(walk);
	return ret ? ret : flush_gap(walk);
}

int mapping_walk(const struct iommuser_pt_table *table, const struct mapping_memfds *memfds,
		 const struct mapping_visitor *visitor, struct mapping_totals *totals)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	u64 tables_left = MAX_TABLES;
	int ret = -IOMMUSER_EINVAL;

	memset(totals, 0, sizeof(*totals));
	if (!walk)
		return -IOMMUSER_ENOMEM;
	walk->memfds = memfds;
	walk->visitor = visitor;
	walk->totals = totals;
	if (table_cursor_init(&walk->cursor, table, &tables_left))
		ret = walk_all(walk);
	totals->nr_tables = walk->cursor.nr_tables;
	table_cursor_free(&walk->cursor);
	free(walk);
	return ret;
}

const char *mapping_gap_text(enum table_piece_kind reason)
{
	switch (reason) {
	case TABLE_MISSING:
		return "the image lacks the table";
	case TABLE_REPEATED:
		return "the table was met before";
	default:
		return "no hardware would follow the entry";
	}
}

bool mapping_domain(struct handover *handover, u64 position, struct iommuser_pt_table *table,
		    char *message, size_t size)
{
	union iommuser_record record;

	if (iommuser_graph_read(&handover->graph, IOMMUSER_KIND_DOMAIN, position, &record)) {
		snprintf(message, size, "its record can't be read");
		return false;
	}
	if (handover->states_lost) {
		snprintf(message, size, "where it stands was lost");
		return false;
	}
	if (handover->has_states[IOMMUSER_KIND_DOMAIN] &&
	    iommuser_graph_state(&handover->graph, IOMMUSER_KIND_DOMAIN, position) >=
		    IOMMUSER_LEFT) {
		snprintf(message, size, "its tables were given back");
		return false;
	}
	if (record.domain.stage != IOMMUSER_STAGE_FIRST &&
	    record.domain.stage != IOMMUSER_STAGE_SECOND) {
		snprintf(message, size, "its record does not say which stage it is");
		return false;
	}
	if (record.domain.top_level >= IOMMUSER_PT_MAX_LEVELS ||
	    record.domain.top_level < (record.domain.stage == IOMMUSER_STAGE_FIRST ? 3 : 2)) {
		snprintf(message, size, "its record gives no possible number of levels");
		return false;
	}
	*table = (struct iommuser_pt_table){
		.env = &handover->env,
		.stage = (u32)record.domain.stage,
		.top_table = record.domain.top_table,
		.top_level = (u32)record.domain.top_level,
		.output_width = IOMMUSER_PHYS_BITS,
	};
	return true;
}
