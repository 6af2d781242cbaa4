// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What devices can reach by DMA, on both sides: the tables that the hardware
 * walks, in step. Tables that several devices share are compared once.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff-cursor.h"
#include "diff.h"
#include "mapping.h"
#include "pci-name.h"
#include "progress.h"

/* How often all pages of both images may be read as tables, for all devices together. */
#define ROUNDS 16

#define NONE SIZE_MAX

#define LACKS_TABLES(letter) letter " lacks VT-d tables"
#define LACKS_RECORDS(letter) letter " may have more devices or PASIDs: it lacks their records"

/* What has page tables on both sides. */
struct target_pair {
	struct mapping_target target;
	struct iommuser_pt_table before;
	struct iommuser_pt_table after;
	size_t next;   /* with the same tables, or NONE */
	bool is_first; /* of those */
};

struct mapping_diff {
	struct diff_result *result;
	struct handover *before;
	struct handover *after;
	struct target_pair *pairs;
	size_t nr;
	u64 left_before;
	u64 left_after;
	bool failed;
};

static void name_target(const struct mapping_target *target, char *name, size_t size)
{
	int used = snprintf(name, size, "%s", pci_name(target->segment, target->bdf).text);

	if (target->has_pasid)
		snprintf(name + used, size - (size_t)used, " PASID %u", target->pasid);
}

static int compare_targets(const void *a, const void *b)
{
	const struct mapping_target *left = a, *right = b;

	if (left->segment != right->segment)
		return left->segment < right->segment ? -1 : 1;
	if (left->bdf != right->bdf)
		return left->bdf < right->bdf ? -1 : 1;
	if (left->has_pasid != right->has_pasid)
		return left->has_pasid ? 1 : -1;
	return left->pasid < right->pasid ? -1 : left->pasid > right->pasid;
}

static void sort_targets(struct mapping_targets *targets)
{
	if (targets->nr)
		qsort(targets->items, targets->nr, sizeof(*targets->items), compare_targets);
}

static struct json_object *list_also(const struct mapping_diff *diff, size_t first)
{
	struct json_object *array;
	char name[48];
	size_t i = diff->pairs[first].next;

	if (i == NONE)
		return NULL;
	array = json_object_new_array();
	for (; i != NONE; i = diff->pairs[i].next) {
		name_target(&diff->pairs[i].target, name, sizeof(name));
		json_object_array_add(array, json_object_new_string(name));
	}
	return array;
}

static void compare_tables(struct mapping_diff *diff, size_t first)
{
	const struct target_pair *pair = &diff->pairs[first];
	struct diff_cursor before, after;
	bool possible_before = diff_cursor_init(&before, &pair->before, &diff->left_before);
	bool possible_after = diff_cursor_init(&after, &pair->after, &diff->left_after);
	struct json_object *also;
	char name[48];

	name_target(&pair->target, name, sizeof(name));
	if (!possible_before) {
		diff->result->unread = true;
		diff_not_compared(diff->result, DIFF_MAPPING, NULL, name,
				  "A has a page table of an impossible shape");
	} else if (!possible_after) {
		diff->result->unread = true;
		diff_not_compared(diff->result, DIFF_MAPPING, NULL, name,
				  "B has a page table of an impossible shape");
	} else {
		also = list_also(diff, first);
		diff_walk(diff->result, name, also, &before, &after);
		json_object_put(also);
	}
	diff->failed = diff->failed || before.failed || after.failed;
	diff_cursor_free(&before);
	diff_cursor_free(&after);
}

/* What the hardware does with the requests of a target. */
struct translation {
	struct requester requester;
	char stage[160];
	char levels[16];
	char table[24];
	char did[16];
	bool is_its_domains; /* the table that the domain record names */
	bool stage_told;     /* by that record, too */
	bool did_told;	     /* by a record */
};

static void describe_translation(struct translation *translation, const struct handover *handover)
{
	const struct requester *requester = &translation->requester;
	const struct iommuser_pt_table *table = &requester->table;
	union iommuser_record record;

	snprintf(translation->stage, sizeof(translation->stage), "%s",
		 table->stage == IOMMUSER_STAGE_FIRST ? "first-stage" : "second-stage");
	snprintf(translation->levels, sizeof(translation->levels), "%u", table->top_level + 1);
	snprintf(translation->table, sizeof(translation->table), "0x%" PRIx64, table->top_table);
	snprintf(translation->did, sizeof(translation->did), "%u", requester->did);
	translation->did_told = requester->has_recorded_did &&
				requester->recorded_did == requester->did;
	if (!requester->has_domain ||
	    iommuser_graph_read(&handover->graph, IOMMUSER_KIND_DOMAIN, requester->domain, &record))
		return;
	translation->is_its_domains = record.domain.top_table == table->top_table &&
				      record.domain.top_level == table->top_level;
	translation->stage_told = translation->is_its_domains &&
				  record.domain.stage == table->stage;
}

/* Return: false when it is not known what the hardware does. */
static bool find_translation(struct mapping_diff *diff, const struct mapping_target *target,
			     struct handover *handover, struct translation *translation)
{
	char message[128] = "", reason[160], name[48];

	translation->requester = mapping_target_requester(target);
	if (requester_find(&translation->requester, handover, message, sizeof(message))) {
		describe_translation(translation, handover);
		return true;
	}
	switch (translation->requester.status) {
	case REQUESTER_BLOCKED:
	case REQUESTER_PASS_THROUGH:
		snprintf(translation->stage, sizeof(translation->stage), "none: %s", message);
		return true;
	default:
		name_target(target, name, sizeof(name));
		snprintf(reason, sizeof(reason), "%s: %s", handover == diff->before ? "A" : "B",
			 message);
		diff_not_compared(diff->result, DIFF_MAPPING, NULL, name, reason);
		diff->result->unread |= translation->requester.status == REQUESTER_MISSING ||
					translation->requester.status == REQUESTER_UNKNOWN;
		return false;
	}
}

static void say_change(struct diff_result *result, const char *object, const char *field,
		       const char *before, const char *after)
{
	const struct diff_entry entry = {
		.kind = DIFF_TRANSLATION,
		.change = DIFF_CHANGED,
		.object = object,
		.field = field,
		.before = before,
		.after = after,
	};

	if (strcmp(before, after))
		diff_add(result, &entry);
}

static void add_pair(struct mapping_diff *diff, const struct mapping_target *left,
		     const struct mapping_target *right)
{
	struct target_pair *pair = &diff->pairs[diff->nr];
	struct translation before = { 0 }, after = { 0 };
	bool known_before = find_translation(diff, left, diff->before, &before);
	bool known_after = find_translation(diff, right, diff->after, &after);
	char name[48];

	if (!known_before || !known_after)
		return;
	name_target(left, name, sizeof(name));
	/* Where both follow their domains, the domains tell it already. */
	if (!before.stage_told || !after.stage_told)
		say_change(diff->result, name, "stage", before.stage, after.stage);
	if (before.requester.status != REQUESTER_FOUND || after.requester.status != REQUESTER_FOUND)
		return;
	if (!before.is_its_domains || !after.is_its_domains) {
		say_change(diff->result, name, "levels", before.levels, after.levels);
		say_change(diff->result, name, "table", before.table, after.table);
	}
	if (!before.did_told || !after.did_told)
		say_change(diff->result, name, "did", before.did, after.did);
	pair->target = *left;
	pair->before = before.requester.table;
	pair->after = after.requester.table;
	diff->nr++;
}

/* A requester of one side alone; those with a record are objects of their own. */
static void lone_target(struct mapping_diff *diff, const struct mapping_target *target,
			const struct mapping_targets *others, const struct handover *other,
			enum diff_change change)
{
	struct diff_entry entry = { .kind = DIFF_TRANSLATION, .change = change };
	char name[48];

	if (!target->vtd)
		return;
	name_target(target, name, sizeof(name));
	entry.object = name;
	if (others->incomplete)
		diff_not_compared(diff->result, DIFF_TRANSLATION, NULL, name,
				  change == DIFF_ADDED ? LACKS_TABLES("A") : LACKS_TABLES("B"));
	else if (!other->nr_vtd)
		diff_not_compared(diff->result, DIFF_TRANSLATION, NULL, name,
				  change == DIFF_ADDED ? "A names no VT-d root table" :
							 "B names no VT-d root table");
	else
		diff_add(diff->result, &entry);
}

static void pair_targets(struct mapping_diff *diff, const struct mapping_targets *before,
			 const struct mapping_targets *after)
{
	size_t i = 0, j = 0;
	int order;

	while (i < before->nr || j < after->nr) {
		order = i == before->nr ? 1 :
			j == after->nr	? -1 :
					  compare_targets(&before->items[i], &after->items[j]);
		if (order < 0)
			lone_target(diff, &before->items[i], after, diff->after, DIFF_REMOVED);
		else if (order > 0)
			lone_target(diff, &after->items[j], before, diff->before, DIFF_ADDED);
		else
			add_pair(diff, &before->items[i], &after->items[j]);
		i += order <= 0;
		j += order >= 0;
	}
}

static int compare_shapes(const struct iommuser_pt_table *left,
			  const struct iommuser_pt_table *right)
{
	if (left->top_table != right->top_table)
		return left->top_table < right->top_table ? -1 : 1;
	if (left->top_level != right->top_level)
		return left->top_level < right->top_level ? -1 : 1;
	return left->stage < right->stage ? -1 : left->stage > right->stage;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct target_pair *left = *(struct target_pair *const *)a;
	const struct target_pair *right = *(struct target_pair *const *)b;
	int order = compare_shapes(&left->before, &right->before);

	if (!order)
		order = compare_shapes(&left->after, &right->after);
	if (order)
		return order;
	return left < right ? -1 : left > right;
}

static bool same_tables(const struct target_pair *left, const struct target_pair *right)
{
	return !compare_shapes(&left->before, &right->before) &&
	       !compare_shapes(&left->after, &right->after);
}

/* Link those together that have the same tables on both sides. */
static bool group_pairs(struct mapping_diff *diff)
{
	struct target_pair **sorted = calloc(diff->nr + 1, sizeof(struct target_pair *));
	size_t i;

	if (!sorted)
		return false;
	for (i = 0; i < diff->nr; i++)
		sorted[i] = &diff->pairs[i];
	qsort(sorted, diff->nr, sizeof(struct target_pair *), compare_pairs);
	for (i = 0; i < diff->nr; i++) {
		sorted[i]->is_first = !i || !same_tables(sorted[i - 1], sorted[i]);
		sorted[i]->next = i + 1 < diff->nr && same_tables(sorted[i], sorted[i + 1]) ?
					  (size_t)(sorted[i + 1] - diff->pairs) :
					  NONE;
	}
	free(sorted);
	return true;
}

static u64 count_pages(struct source *source)
{
	u64 pages = 0, from = 0, start, end;

	while (source_next_range(source, from, &start, &end)) {
		pages += (end - start) / 4096;
		from = end;
	}
	return pages;
}

/* What could not be listed of one side may be there, whatever the other side lists. */
static void note_lacking(struct mapping_diff *diff, const struct mapping_targets *targets,
			 const char *tables, const char *records)
{
	diff->result->unread |= targets->incomplete || targets->lacks_records;
	if (targets->incomplete && !diff_is_noted(diff->result, DIFF_TRANSLATION, NULL, tables))
		diff_not_compared(diff->result, DIFF_TRANSLATION, NULL, NULL, tables);
	if (targets->lacks_records)
		diff_not_compared(diff->result, DIFF_MAPPING, NULL, NULL, records);
}

/* Which kinds of tables may be compared is said by what each image names. */
static void note_nothing(struct mapping_diff *diff, const struct mapping_targets *before,
			 const struct mapping_targets *after)
{
	if (!before->nr && after->nr && !diff->before->has_iommu)
		diff_not_compared(diff->result, DIFF_MAPPING, NULL, NULL,
				  "A tells of no device's page tables");
	if (before->nr && !after->nr && !diff->after->has_iommu)
		diff_not_compared(diff->result, DIFF_MAPPING, NULL, NULL,
				  "B tells of no device's page tables");
}

bool diff_mappings(struct diff_result *result, struct handover *before, struct handover *after)
{
	struct mapping_diff diff = { .result = result, .before = before, .after = after };
	struct mapping_targets left, right;
	bool ok = mapping_targets_init(&left, before);
	size_t i;

	ok = mapping_targets_init(&right, after) && ok;
	diff.pairs =
		ok ? calloc((left.nr < right.nr ? left.nr : right.nr) + 1, sizeof(*diff.pairs)) :
		     NULL;
	if (diff.pairs) {
		diff.left_before =
			(count_pages(before->source) + count_pages(after->source)) * ROUNDS;
		diff.left_after = diff.left_before;
		sort_targets(&left);
		sort_targets(&right);
		note_nothing(&diff, &left, &right);
		pair_targets(&diff, &left, &right);
		note_lacking(&diff, &left, LACKS_TABLES("A"), LACKS_RECORDS("A"));
		note_lacking(&diff, &right, LACKS_TABLES("B"), LACKS_RECORDS("B"));
		ok = group_pairs(&diff);
	}
	before->reads.doing = "comparing page tables";
	after->reads.doing = before->reads.doing;
	for (i = 0; ok && diff.pairs && i < diff.nr; i++)
		if (diff.pairs[i].is_first)
			compare_tables(&diff, i);
	before->reads.doing = NULL;
	after->reads.doing = NULL;
	progress_done();
	ok = ok && diff.pairs && !diff.failed;
	free(diff.pairs);
	mapping_targets_free(&left);
	mapping_targets_free(&right);
	return ok;
}
