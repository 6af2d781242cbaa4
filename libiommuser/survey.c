// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The survey: every chain of a root walked once, its pages checked, its
 * records counted.
 */
#include <iommuser/root.h>
#include <iommuser/seal.h>

#include "internal.h"
#include "report.h"

#define CRC_OFFSET offsetof(struct iommuser_page_ser, crc)
#define RECORD_ALIGN 8

/* Everything that the survey of one chain shares. */
struct chain_check {
	const struct iommuser_env *env;
	const struct iommuser_root *root;
	struct iommuser_pageset *set;
	const struct iommuser_reporter *reporter;
	struct iommuser_chain_survey *survey;
	struct iommuser_chain chain;
	u32 kind;
	bool sealed;
};

int iommuser_chain_of(const struct iommuser_env *env, const struct iommuser_root *root, u32 kind,
		      u32 record_size, struct iommuser_chain *chain)
{
	struct iommuser_chain_shape shape = {
		.header_size = root->revision->page_header_size,
		.record_size = record_size,
		.max_pages = IOMMUSER_MAX_CHAIN_PAGES,
		.empty = IOMMUSER_EMPTY_ALONE,
	};

	if (!kind || kind > IOMMUSER_NR_KINDS || !root->revision->kinds[kind].size)
		return -IOMMUSER_EINVAL;
	if (record_size < root->revision->kinds[kind].size)
		return -IOMMUSER_EINVAL;
	if (root->revision->properties & IOMMUSER_REVISION_SEALED)
		shape.empty = IOMMUSER_EMPTY_NEVER;
	return iommuser_chain_start(chain, env, &shape, root->arrays[kind].first_page);
}

#define PAGE_LOAD(page, width, member) \
	load_le##width((page)->bytes + offsetof(struct iommuser_page_ser, member))

/* Every page states the record size; it is that of the first one that is sound. */
static u32 record_size_of(const struct iommuser_env *env, const struct iommuser_root *root,
			  u32 kind)
{
	u32 known = root->revision->kinds[kind].size;
	u64 first = root->arrays[kind].first_page;
	const void *bytes;
	u32 size;

	if (!(root->revision->properties & IOMMUSER_REVISION_SEALED) || !first)
		return known;
	if (iommuser_access(env, first, sizeof(struct iommuser_page_ser), env_page_size(env),
			    &bytes))
		return known;
	size = load_le32((const u8 *)bytes + offsetof(struct iommuser_page_ser, record_size));
	if (size < known || size % RECORD_ALIGN ||
	    size > env_page_size(env) - sizeof(struct iommuser_page_ser))
		return known;
	return size;
}

static OWN_FRAME void expect(const struct chain_check *check, enum iommuser_finding_id id,
			     const struct iommuser_chain_page *page, u64 found, u64 expected)
{
	if (found != expected)
		report_at(check->reporter, id, page->phys, found, expected);
}

static void check_sealed_header(const struct chain_check *check,
				const struct iommuser_chain_page *page)
{
	u32 found = iommuser_seal_read(page->bytes, CRC_OFFSET);

	expect(check, IOMMUSER_FINDING_SEAL_PAGE, page, found,
	       iommuser_seal_compute(check->env, page->bytes, CRC_OFFSET));
	expect(check, IOMMUSER_FINDING_CHAIN_KIND, page, PAGE_LOAD(page, 32, kind), check->kind);
	expect(check, IOMMUSER_FINDING_CHAIN_RECORD_SIZE, page, PAGE_LOAD(page, 32, record_size),
	       check->survey->record_size);
	expect(check, IOMMUSER_FINDING_CHAIN_SEQUENCE, page, PAGE_LOAD(page, 64, sequence),
	       page->number);
	expect(check, IOMMUSER_FINDING_CHAIN_GENERATION, page, PAGE_LOAD(page, 64, generation),
	       check->root->generation);
	expect(check, IOMMUSER_FINDING_CHAIN_SELF, page, PAGE_LOAD(page, 64, self), page->phys);
	if (!all_zero(page->bytes + offsetof(struct iommuser_page_ser, reserved),
		      sizeof(((struct iommuser_page_ser *)0)->reserved)))
		report_at(check->reporter, IOMMUSER_FINDING_CHAIN_RESERVED, page->phys, 1, 0);
}

static void check_page(struct chain_check *check, const struct iommuser_chain_page *page)
{
	u64 used = check->chain.shape.header_size + page->count * check->survey->record_size;
	struct iommuser_finding partial = {
		.id = IOMMUSER_FINDING_CHAIN_PARTIAL_PAGE,
		.severity = check->sealed ? IOMMUSER_ERROR : IOMMUSER_WARNING,
		.phys = page->phys,
		.found = page->count,
		.expected = iommuser_chain_capacity(check->env, &check->chain.shape),
	};

	if (check->sealed)
		check_sealed_header(check, page);
	if (!all_zero(page->bytes + used, env_page_size(check->env) - used))
		report_at(check->reporter, IOMMUSER_FINDING_CHAIN_TAIL, page->phys, 1, 0);
	if (page->next && page->count != partial.expected) {
		check->survey->irregular = true;
		check->reporter->report(check->reporter->ctx, &partial);
	}
}

static void count_live(struct chain_check *check, const struct iommuser_chain_page *page)
{
	const struct iommuser_record_layout *layout = &check->root->revision->kinds[check->kind];
	const struct iommuser_field_row *flags = layout->rows;
	const u8 *record;
	u64 i;

	while (flags->field != IOMMUSER_FIELD_FLAGS)
		flags++;
	for (i = 0; i < page->count; i++) {
		record = iommuser_chain_record(&check->chain, page, i);
		if (!(record[flags->wire] & IOMMUSER_FLAG_DELETED))
			check->survey->nr_live++;
	}
}

/* Was @phys among the first @nr_pages pages of this very chain? */
static bool in_this_chain(const struct chain_check *check, u64 phys, u64 nr_pages)
{
	struct iommuser_chain_page page;
	struct iommuser_chain again;

	if (iommuser_chain_of(check->env, check->root, check->kind, check->survey->record_size,
			      &again))
		return false;
	while (again.nr_pages < nr_pages && iommuser_chain_next(&again, &page) == 1)
		if (page.phys == phys)
			return true;
	return false;
}

/* Return: false when the page was met before, so that the chain ends here. */
static bool account_for_page(const struct chain_check *check,
			     const struct iommuser_chain_page *page)
{
	u64 missing;

	if (!check->set)
		return true;
	if (iommuser_pageset_visit(check->set, IOMMUSER_VISITED, page->phys) == 1) {
		report_at(check->reporter,
			  in_this_chain(check, page->phys, page->number) ?
				  IOMMUSER_FINDING_CHAIN_CYCLE :
				  IOMMUSER_FINDING_CHAIN_SHARED_PAGE,
			  page->phys, page->phys, 0);
		return false;
	}
	iommuser_pageset_add(check->set, IOMMUSER_VISITED, page->phys, env_page_size(check->env));
	if (!iommuser_pageset_contains(check->set, IOMMUSER_PRESERVED, page->phys,
				       env_page_size(check->env), &missing))
		report_at(check->reporter, IOMMUSER_FINDING_CLOSURE_ARRAY, missing, missing, 0);
	return true;
}

static void report_problem(const struct chain_check *check)
{
	const struct iommuser_finding *problem = &check->chain.problem;

	if (problem->id == IOMMUSER_FINDING_CHAIN_UNREADABLE)
		report_unreadable(check->reporter, problem->id, check->set, problem->phys);
	else
		check->reporter->report(check->reporter->ctx, problem);
}

static OWN_FRAME void walk_chain(struct chain_check *check)
{
	const struct iommuser_array *array = &check->root->arrays[check->kind];
	struct iommuser_chain_survey *survey = check->survey;
	struct iommuser_chain_page page;
	int more;

	/* Reported with the root. */
	survey->broken = !array->first_page && (!check->sealed || array->nr_records);

	while ((more = iommuser_chain_next(&check->chain, &page)) == 1) {
		if (!account_for_page(check, &page)) {
			survey->broken = true;
			return;
		}
		check_page(check, &page);
		count_live(check, &page);
		survey->nr_pages++;
		survey->nr_records += page.count;
	}
	if (more) {
		report_problem(check);
		survey->broken = true;
	}
}

static void check_totals(const struct chain_check *check)
{
	const struct iommuser_array *array = &check->root->arrays[check->kind];
	const struct iommuser_chain_survey *survey = check->survey;

	if (survey->broken || !(check->root->revision->properties & IOMMUSER_REVISION_TOTALS))
		return;
	if (array->nr_records != survey->nr_records)
		report_field(check->reporter, IOMMUSER_FINDING_CHAIN_TOTAL, check->root->phys,
			     IOMMUSER_FIELD_NR_RECORDS, array->nr_records, survey->nr_records);
	else if (check->sealed && array->nr_deleted <= array->nr_records &&
		 array->nr_deleted != survey->nr_records - survey->nr_live)
		report_field(check->reporter, IOMMUSER_FINDING_CHAIN_TOTAL, check->root->phys,
			     IOMMUSER_FIELD_NR_DELETED, array->nr_deleted,
			     survey->nr_records - survey->nr_live);
}

int iommuser_survey_root(const struct iommuser_env *env, const struct iommuser_root *root,
			 struct iommuser_pageset *set, const struct iommuser_reporter *reporter,
			 struct iommuser_survey *survey)
{
	struct chain_check check = { .env = env, .root = root, .set = set, .reporter = reporter };
	int error;
	u32 kind;

	if (!root->revision)
		return -IOMMUSER_EINVAL;
	check.sealed = root->revision->properties & IOMMUSER_REVISION_SEALED;
	memset(survey, 0, sizeof(*survey));
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		if (!root->revision->kinds[kind].size)
			continue;
		check.kind = kind;
		check.survey = &survey->kinds[kind];
		check.survey->record_size = record_size_of(env, root, kind);
		error = iommuser_chain_of(env, root, kind, check.survey->record_size, &check.chain);
		if (error)
			return error;
		walk_chain(&check);
		check_totals(&check);
	}
	return 0;
}
