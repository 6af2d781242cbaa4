/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The verifier: every check of IOMMU state that an image can answer.
 */
#ifndef IOMMUSER_VERIFY_H
#define IOMMUSER_VERIFY_H

#include <iommuser/finding.h>
#include <iommuser/graph.h>
#include <iommuser/pageset.h>
#include <iommuser/pagetable.h>
#include <iommuser/root.h>

/* First domain id that Linux gives to a paging domain; 0 and 1 are reserved. */
#define IOMMUSER_FIRST_DID 2
/* Domain ids have 16 bits (VT-d 9.3, 9.6). */
#define IOMMUSER_MAX_DIDS 65536

/**
 * struct iommuser_verify_counts - what was checked
 * @nr_pages: pages of records and the root
 * @nr_records: records, deleted ones included
 * @nr_context_entries: present context entries
 * @nr_pasid_tables: PASID tables
 * @nr_pasid_entries: present PASID entries
 * @nr_table_pages: page-table pages
 * @nr_table_entries: page-table entries
 * @nr_domains_walked: domains whose tables were walked
 */
struct iommuser_verify_counts {
	u64 nr_pages;
	u64 nr_records;
	u64 nr_context_entries;
	u64 nr_pasid_tables;
	u64 nr_pasid_entries;
	u64 nr_table_pages;
	u64 nr_table_entries;
	u64 nr_domains_walked;
};

/*
 * The image was taken before the devices that are not preserved were cut off:
 * their context entries are no error.
 */
#define IOMMUSER_VERIFY_BEFORE_JUMP (1U << 0)
/*
 * The next kernel has begun to use the records: its run-time marks, and what it
 * entered into the tables for devices of its own, are no error.
 */
#define IOMMUSER_VERIFY_AFTER_JUMP (1U << 1)
/* Tables hold more than what is handed over. */
#define IOMMUSER_VERIFY_NOT_AT_JUMP (IOMMUSER_VERIFY_BEFORE_JUMP | IOMMUSER_VERIFY_AFTER_JUMP)

/**
 * struct iommuser_verify - what to verify, and with what
 * @env: where pages come from
 * @root: opened
 * @survey: of that root
 * @graph: of that root; its scratch is written
 * @set: what is preserved, NULL when unknown; visited and mapped pages are
 *	marked in it. Root and chains must have been read with it
 * @visitor: told of every leaf run and table, NULL for none
 * @reporter: told of every finding
 * @used_elsewhere: does something outside the records (an iommufd file of LUO)
 *	use the domain record at @domain? NULL when nothing can
 * @ctx: passed to @used_elsewhere
 * @options: IOMMUSER_VERIFY_*
 * @counts: added to
 */
struct iommuser_verify {
	const struct iommuser_env *env;
	const struct iommuser_root *root;
	const struct iommuser_survey *survey;
	struct iommuser_graph *graph;
	struct iommuser_pageset *set;
	const struct iommuser_pt_visitor *visitor;
	const struct iommuser_reporter *reporter;
	bool (*used_elsewhere)(void *ctx, u64 domain);
	void *ctx;
	u32 options;
	struct iommuser_verify_counts counts;
};

/**
 * iommuser_verify_records - the checks of areas REC, REF and DID
 * @verify: what to verify
 *
 * Return: 0, findings or not; a negative error only when the image changed
 * under the verifier.
 */
int iommuser_verify_records(struct iommuser_verify *verify);

/**
 * iommuser_verify_vtd - the checks of area VTD, and DIDs against the tables
 * @verify: what to verify; iommuser_verify_records() has run
 *
 * Finds out the stage of domains where the records do not say it.
 *
 * Return: as iommuser_verify_records().
 */
int iommuser_verify_vtd(struct iommuser_verify *verify);

/**
 * iommuser_verify_tables - the checks of area PT, and of CLOSURE for what tables reach
 * @verify: what to verify; iommuser_verify_vtd() has run
 *
 * Return: as iommuser_verify_records(); also what the visitor returned.
 */
int iommuser_verify_tables(struct iommuser_verify *verify);

/**
 * iommuser_verify_mapped - is metadata also mapped for DMA?
 * @set: with all planes, after everything was read
 * @reporter: told of each such run of pages
 */
void iommuser_verify_mapped(const struct iommuser_pageset *set,
			    const struct iommuser_reporter *reporter);

/**
 * iommuser_verify_all - all of the above, in order
 * @verify: what to verify
 *
 * Return: 0, or the first error.
 */
int iommuser_verify_all(struct iommuser_verify *verify);

#endif /* IOMMUSER_VERIFY_H */
