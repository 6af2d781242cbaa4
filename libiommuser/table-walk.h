/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pages of hardware tables that hang on a record, in one fixed order, for
 * the machines that preserve and restore them.
 */
#ifndef IOMMUSER_TABLE_WALK_H
#define IOMMUSER_TABLE_WALK_H

#include <iommuser/env.h>
#include <iommuser/pagetable.h>
#include <iommuser/records.h>

/* Context tables that a walk passes over, by the bitmap of the unit's record. */
enum context_tables_skipped {
	SKIP_NONE,
	SKIP_RECORDED, /* and the root table */
	SKIP_OTHERS,
};

/**
 * struct table_walk - what to do with each page
 * @env: how tables are read
 * @page: called for each page, after all pages that are found through it, so
 *	that it may be freed. A non-zero result ends the walk
 * @ctx: for @page
 * @max_tables: bound for the page tables of a domain
 * @pages_only: don't read tables of 4 KiB leaves: they have been checked, or need not be
 * @scalable: a unit's mode
 * @skip: context tables of a unit to leave out
 * @met: set to the bitmap of a unit's context tables that @page was called for
 * @counts: of a domain's page tables
 * @error: set by a finding that makes the tables unusable; @page is not called
 *	any more then, so that the walk back meets the same pages
 */
struct table_walk {
	const struct iommuser_env *env;
	int (*page)(struct table_walk *walk, u64 phys);
	void *ctx;
	u64 max_tables;
	bool pages_only;
	bool scalable;
	enum context_tables_skipped skip;
	u64 met[8];
	struct iommuser_pt_counts counts;
	int error;
};

/*
 * Walk what hangs on a record of @kind. A unit: context tables, then the root
 * table. A domain, whose record must say its stage: all page tables. A device:
 * PASID tables, then the PASID directory by ascending address; nothing in legacy mode.
 */
int walk_tables(struct table_walk *walk, u32 kind, const union iommuser_record *record);

#endif /* IOMMUSER_TABLE_WALK_H */
