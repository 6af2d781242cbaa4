/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What devices can reach by DMA: every range that a page table maps, with the
 * file that owns the memory, one after the other and without keeping them.
 */
#ifndef MAPPING_H
#define MAPPING_H

#include <iommuser/pagetable.h>

#include "handover.h"
#include "requester.h"
#include "table-cursor.h"

/**
 * struct mapping_memfds - which memfd owns an address; look-ups take O(log n)
 *
 * Every member is private. A zeroed one knows of no memfd.
 */
struct mapping_memfds {
	struct mapping_memfd_file *files;
	u64 *keys;
	size_t nr_files;
	size_t nr_extents;
	bool overlapping;
};

/**
 * mapping_memfds_init - sort the extents of all memfds
 * @luo: kept; NULL when there is none
 *
 * Return: false when memory ran out. mapping_memfds_free() it in any case.
 */
bool mapping_memfds_init(struct mapping_memfds *memfds, const struct luo_state *luo);
void mapping_memfds_free(struct mapping_memfds *memfds);

/**
 * struct mapping_owner - the memfd that holds an address
 * @session: NULL when none does
 * @file: in that session
 * @offset: in the file
 */
struct mapping_owner {
	const struct luo_session *session;
	const struct luo_file *file;
	u64 offset;
};

/**
 * mapping_memfds_find - the owner of an address
 * @length: set to the bytes from @phys on, 1 at least, to which the answer
 *	applies; may be NULL
 */
struct mapping_owner mapping_memfds_find(const struct mapping_memfds *memfds, u64 phys,
					 u64 *length);

/** mapping_find_owner - the same for a single address, without an index; @luo may be NULL */
struct mapping_owner mapping_find_owner(const struct luo_state *luo, u64 phys);

/**
 * struct mapping_range - a range of IOVAs that maps a range of memory
 * @iova: first-stage addresses of the upper half are sign-extended
 * @phys: of its first byte
 * @length: bytes
 * @permissions: IOMMUSER_PT_*, of all levels together
 * @page_sizes: bit n is set when a leaf of it maps 2^n bytes
 * @owner: of the memory
 *
 * Of two that follow one another, IOVA, memory, permissions, or file do not go on.
 */
struct mapping_range {
	u64 iova;
	u64 phys;
	u64 length;
	u32 permissions;
	u64 page_sizes;
	struct mapping_owner owner;
};

/**
 * struct mapping_gap - a range of IOVAs of which it is not known what they map
 * @iova: as in struct mapping_range
 * @length: bytes
 * @phys: of the (first) table that is missing or was met before, or of the
 *	(first) entry that is invalid
 * @reason: TABLE_MISSING, TABLE_REPEATED or TABLE_INVALID
 */
struct mapping_gap {
	u64 iova;
	u64 length;
	u64 phys;
	enum table_piece_kind reason;
};

/**
 * struct mapping_visitor - told of what a walk meets, in ascending order of IOVA
 * @ctx: passed back
 * @range: a range that is mapped; may be NULL. A non-zero result ends the walk
 * @gap: as above
 *
 * They may read the image.
 */
struct mapping_visitor {
	void *ctx;
	int (*range)(void *ctx, const struct mapping_range *range);
	int (*gap)(void *ctx, const struct mapping_gap *gap);
};

/**
 * struct mapping_totals - what a walk met
 * @nr_ranges: ranges
 * @mapped: bytes of them
 * @in_memfds: bytes of them that a memfd owns
 * @nr_gaps: of any reason
 * @nr_tables: table pages
 */
struct mapping_totals {
	u64 nr_ranges;
	u64 mapped;
	u64 in_memfds;
	u64 nr_gaps;
	u64 nr_tables;
};

/**
 * mapping_walk - all ranges that a page table maps
 * @table: as requester_find() or mapping_domain() fill it
 * @memfds: owners of memory, or NULL
 * @visitor: told of ranges and gaps; NULL to count
 * @totals: filled, also when the walk ends early
 *
 * A table is followed only where it is met first, which bounds the walk by the
 * table pages of the image; memory grows with their number, not with that of
 * the ranges.
 *
 * Return: 0; -IOMMUSER_EINVAL for an impossible @table; -IOMMUSER_ENOMEM; what
 * the visitor returned, when not 0.
 */
int mapping_walk(const struct iommuser_pt_table *table, const struct mapping_memfds *memfds,
		 const struct mapping_visitor *visitor, struct mapping_totals *totals);

/** mapping_gap_text - the reason in words */
const char *mapping_gap_text(enum table_piece_kind reason);

/**
 * struct mapping_target - something that has a page table of its own
 * @segment: PCI segment
 * @bdf: requester id
 * @pasid: PASID of its requests, with @has_pasid
 * @vtd: 1 + number of the VT-d root that lists it; 0 when a device record names it
 */
struct mapping_target {
	u64 device; /* position of its record, private */
	u32 segment;
	u32 bdf;
	u32 pasid;
	u32 vtd;
	bool has_pasid;
};

/**
 * struct mapping_targets - all of them
 * @items: live devices in the order of their records, each followed by its
 *	PASIDs; then what the given VT-d roots list and no record names
 * @nr: how many
 * @incomplete: some may lack: context or PASID tables could not be read
 * @lacks_records: some may lack: records of devices or attachments could not be read
 */
struct mapping_targets {
	struct mapping_target *items;
	size_t nr;
	bool incomplete;
	bool lacks_records;
};

/** mapping_targets_init - false when memory ran out; mapping_targets_free() it in any case */
bool mapping_targets_init(struct mapping_targets *targets, struct handover *handover);
void mapping_targets_free(struct mapping_targets *targets);

/** mapping_target_requester - what requester_find() takes */
struct requester mapping_target_requester(const struct mapping_target *target);

/**
 * mapping_domain - the page table that a domain record describes
 * @position: of the record
 * @table: filled
 * @message: why there is none
 */
bool mapping_domain(struct handover *handover, u64 position, struct iommuser_pt_table *table,
		    char *message, size_t size);

#endif /* MAPPING_H */
