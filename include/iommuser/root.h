/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The root of a handover, and the survey of the chains it leads to.
 */
#ifndef IOMMUSER_ROOT_H
#define IOMMUSER_ROOT_H

#include <iommuser/chain.h>
#include <iommuser/env.h>
#include <iommuser/finding.h>
#include <iommuser/pageset.h>
#include <iommuser/records.h>

/**
 * struct iommuser_array - one chain, as the root describes it
 * @first_page: physical address of its first page, 0 for none
 * @nr_records: records in it, with IOMMUSER_REVISION_TOTALS
 * @nr_deleted: deleted ones among them, with IOMMUSER_REVISION_SEALED
 */
struct iommuser_array {
	u64 first_page;
	u64 nr_records;
	u64 nr_deleted;
};

#define IOMMUSER_KERNEL_RELEASE_SIZE 72

/**
 * struct iommuser_root - in-memory form of a root
 * @revision: layout of everything below it
 * @phys: physical address
 * @version: the version field, or the format major
 * @minor: the format minor, 0 when the revision has none
 * @generation: with IOMMUSER_REVISION_SEALED
 * @arrays: by IOMMUSER_KIND_*; element 0 is unused
 * @kernel_release: NUL-terminated, untrusted bytes; "" when the revision has none
 */
struct iommuser_root {
	const struct iommuser_revision *revision;
	u64 phys;
	u64 version;
	u64 minor;
	u64 generation;
	struct iommuser_array arrays[IOMMUSER_NR_KINDS + 1];
	char kernel_release[IOMMUSER_KERNEL_RELEASE_SIZE];
};

/**
 * iommuser_root_open - read and check a root
 * @env: where pages come from; for a sealed revision @env->crc32 is needed
 * @revision: layout to read it with
 * @phys: address of the root, as the FLB states it
 * @set: what is preserved, NULL when unknown; the root's page is marked visited
 * @reporter: told of each thing wrong
 * @root: filled as far as possible
 *
 * Return: 0 when the arrays can be read, even if there were findings; they are
 * what says whether the root is sound. -IOMMUSER_EUNMAPPED or
 * -IOMMUSER_ECORRUPT when there is no root to read; -IOMMUSER_EUNKNOWN for an
 * unknown magic, major or version (@root->version is set then);
 * -IOMMUSER_EINVAL for an impossible page size in @env.
 */
int iommuser_root_open(const struct iommuser_env *env, const struct iommuser_revision *revision,
		       u64 phys, struct iommuser_pageset *set,
		       const struct iommuser_reporter *reporter, struct iommuser_root *root);

/**
 * struct iommuser_chain_survey - what one chain holds
 * @nr_pages: sound pages from its start on
 * @nr_records: records in those pages
 * @nr_live: records among them that are not deleted
 * @record_size: bytes per record
 * @broken: the chain goes on in a way that cannot be followed
 * @irregular: a page before the last is not full
 */
struct iommuser_chain_survey {
	u64 nr_pages;
	u64 nr_records;
	u64 nr_live;
	u32 record_size;
	bool broken;
	bool irregular;
};

/**
 * struct iommuser_survey - what all chains of a root hold
 * @kinds: by IOMMUSER_KIND_*; element 0 is unused
 */
struct iommuser_survey {
	struct iommuser_chain_survey kinds[IOMMUSER_NR_KINDS + 1];
};

/**
 * iommuser_survey_root - walk all chains once, check their pages and count
 * @env: where pages come from
 * @root: opened
 * @set: what is preserved, NULL when unknown; pages are marked visited
 * @reporter: told of each thing wrong
 * @survey: filled
 *
 * Return: 0, also when there were findings; -IOMMUSER_EINVAL for a root that
 * is not open.
 */
int iommuser_survey_root(const struct iommuser_env *env, const struct iommuser_root *root,
			 struct iommuser_pageset *set, const struct iommuser_reporter *reporter,
			 struct iommuser_survey *survey);

/**
 * iommuser_chain_of - start to iterate over one chain of a root
 * @env: where pages come from
 * @root: opened
 * @kind: IOMMUSER_KIND_*
 * @record_size: as surveyed, or the layout's
 * @chain: started
 *
 * Return: as iommuser_chain_start(); also -IOMMUSER_EINVAL when the revision
 * has no such kind.
 */
int iommuser_chain_of(const struct iommuser_env *env, const struct iommuser_root *root, u32 kind,
		      u32 record_size, struct iommuser_chain *chain);

#endif /* IOMMUSER_ROOT_H */
