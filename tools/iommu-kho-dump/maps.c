// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * All mappings of a handover.
 */
#include "maps.h"

#include <stdlib.h>
#include <string.h>

#include <iommuser/error.h>

#include "model.h"

/* Ranges to keep, of one table and of all. */
#define MAX_KEPT_OF_TABLE (1U << 14)
#define MAX_KEPT (1U << 17)
#define FIRST_SLOTS 64

/* Tables */

static size_t slot_of(const struct maps *maps, const struct iommuser_pt_table *table)
{
	u64 key = (table->top_table >> 12) * 8 + table->top_level * 2 + table->stage;
	size_t slot = (size_t)(key * 0x9e3779b97f4a7c15ULL >> 24) & (maps->nr_slots - 1);

	while (maps->tables[slot] && (maps->tables[slot]->table.top_table != table->top_table ||
				      maps->tables[slot]->table.top_level != table->top_level ||
				      maps->tables[slot]->table.stage != table->stage))
		slot = (slot + 1) & (maps->nr_slots - 1);
	return slot;
}

static bool grow(struct maps *maps)
{
	size_t nr_old = maps->nr_slots, i;
	struct maps_table **old = maps->tables;

	if (maps->nr_tables * 2 < maps->nr_slots)
		return true;
	maps->tables = calloc(nr_old ? nr_old * 2 : FIRST_SLOTS, sizeof(struct maps_table *));
	if (!maps->tables) {
		maps->tables = old;
		return false;
	}
	maps->nr_slots = nr_old ? nr_old * 2 : FIRST_SLOTS;
	for (i = 0; i < nr_old; i++)
		if (old[i])
			maps->tables[slot_of(maps, &old[i]->table)] = old[i];
	free(old);
	return true;
}

struct survey {
	struct maps *maps;
	struct maps_table *table;
	u64 nr_kept;
};

static void raise_to(u64 *highest, u64 value)
{
	if (value > *highest)
		*highest = value;
}

static int survey_range(void *ctx, const struct mapping_range *range)
{
	struct survey *survey = ctx;
	struct maps_table *table = survey->table;

	table->last_iova = range->iova;
	raise_to(&table->highest_phys, range->phys);
	if (range->owner.file) {
		raise_to(&table->highest_token, range->owner.file->token);
		raise_to(&table->highest_offset, range->owner.offset);
	}
	if (survey->nr_kept < MAX_KEPT_OF_TABLE)
		table->ranges[survey->nr_kept++] = *range;
	return 0;
}

/* Keep the ranges only when they are all there, and there are not too many of all tables. */
static void keep_ranges(struct survey *survey)
{
	struct maps_table *table = survey->table;
	struct mapping_range *fitting = NULL;

	if (survey->nr_kept == table->totals.nr_ranges &&
	    survey->maps->nr_kept + survey->nr_kept <= MAX_KEPT)
		fitting = reallocarray(table->ranges, survey->nr_kept + 1, sizeof(*table->ranges));
	if (fitting)
		survey->maps->nr_kept += survey->nr_kept;
	else
		free(table->ranges);
	table->ranges = fitting;
}

static int survey_table(struct maps *maps, struct maps_table *table)
{
	struct survey survey = { maps, table, 0 };
	const struct mapping_visitor visitor = { &survey, survey_range, NULL };
	int ret;

	table->ranges = calloc(MAX_KEPT_OF_TABLE, sizeof(*table->ranges));
	if (!table->ranges)
		return -IOMMUSER_ENOMEM;
	ret = mapping_walk(&table->table, &maps->memfds, &visitor, &table->totals);
	if (ret == -IOMMUSER_ENOMEM)
		return ret;
	keep_ranges(&survey);
	if (ret || table->totals.nr_gaps)
		maps->complete = false;
	return 0;
}

static int add_table(struct maps *maps, const struct iommuser_pt_table *which, size_t user)
{
	struct maps_table *table;
	size_t slot;
	int ret;

	if (!grow(maps))
		return -IOMMUSER_ENOMEM;
	slot = slot_of(maps, which);
	if (maps->tables[slot])
		return 0;
	table = calloc(1, sizeof(*table));
	if (!table)
		return -IOMMUSER_ENOMEM;
	table->table = *which;
	table->user = user;
	maps->tables[slot] = table;
	maps->nr_tables++;
	ret = survey_table(maps, table);
	maps->totals.nr_ranges += table->totals.nr_ranges;
	maps->totals.mapped += table->totals.mapped;
	maps->totals.in_memfds += table->totals.in_memfds;
	maps->totals.nr_gaps += table->totals.nr_gaps;
	maps->totals.nr_tables += table->totals.nr_tables;
	return ret;
}

/* HWPTs */

static int compare_hwpts(const void *a, const void *b)
{
	const struct maps_hwpt *left = a, *right = b;

	if (left->domain != right->domain)
		return left->domain < right->domain ? -1 : 1;
	return left->token < right->token ? -1 : left->token > right->token;
}

static void add_hwpt(struct maps *maps, u64 domain, u64 token)
{
	u64 position;

	if (iommuser_graph_resolve(&maps->handover->graph, domain, IOMMUSER_KIND_DOMAIN, &position))
		return;
	maps->hwpts[maps->nr_hwpts++] = (struct maps_hwpt){ position, token };
}

/* By records, or by the files' data in the layouts that have no such records. */
static bool find_hwpts(struct maps *maps)
{
	const struct iommuser_graph *graph = &maps->handover->graph;
	const struct iommu_files *files = &maps->handover->files;
	u64 nr = iommuser_graph_count(graph, IOMMUSER_KIND_HWPT), i;
	union iommuser_record record;
	size_t j, k;

	for (j = 0; j < files->nr; j++)
		nr += files->items[j].nr_listed;
	maps->hwpts = calloc(nr + 1, sizeof(*maps->hwpts));
	if (!maps->hwpts)
		return false;
	for (i = 0; i < iommuser_graph_count(graph, IOMMUSER_KIND_HWPT); i++)
		if (!iommuser_graph_read(graph, IOMMUSER_KIND_HWPT, i, &record) &&
		    !(record.common.flags & IOMMUSER_FLAG_DELETED))
			add_hwpt(maps, record.hwpt.domain, record.hwpt.hwpt_token);
	for (j = 0; j < files->nr; j++)
		for (k = 0; k < files->items[j].nr_listed; k++)
			add_hwpt(maps, files->items[j].hwpts[k].domain,
				 files->items[j].hwpts[k].token);
	qsort(maps->hwpts, maps->nr_hwpts, sizeof(*maps->hwpts), compare_hwpts);
	return true;
}

static void find_hwpt(const struct maps *maps, struct maps_entry *entry)
{
	struct maps_hwpt wanted = { entry->requester.domain, 0 };
	size_t low = 0, high = maps->nr_hwpts, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (compare_hwpts(&maps->hwpts[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == maps->nr_hwpts || maps->hwpts[low].domain != wanted.domain)
		return;
	entry->has_hwpt = true;
	entry->hwpt = maps->hwpts[low].token;
}

/* Entries */

static bool domain_lives(const struct maps *maps, u64 position)
{
	union iommuser_record record;

	return !iommuser_graph_read(&maps->handover->graph, IOMMUSER_KIND_DOMAIN, position,
				    &record) &&
	       !(record.common.flags & IOMMUSER_FLAG_DELETED);
}

/* The domains that no device is attached to by its records, or any more. */
static bool find_unused_domains(struct maps *maps)
{
	u64 nr = iommuser_graph_count(&maps->handover->graph, IOMMUSER_KIND_DOMAIN), i;
	u8 *used = calloc(nr + 1, 1);
	struct maps_entry entry;
	size_t j;

	maps->domains = calloc(nr + 1, sizeof(*maps->domains));
	if (!used || !maps->domains) {
		free(used);
		return false;
	}
	for (j = 0; j < maps->nr_devices; j++) {
		maps_entry(maps, j, &entry);
		if (entry.requester.has_domain && entry.requester.status != REQUESTER_LEFT)
			used[entry.requester.domain] = 1;
	}
	for (i = 0; i < nr; i++)
		if (!used[i] && domain_lives(maps, i))
			maps->domains[maps->nr_entries++ - maps->nr_devices] = i;
	free(used);
	return true;
}

void maps_entry(struct maps *maps, size_t i, struct maps_entry *entry)
{
	struct iommuser_pt_table domain_table;
	const struct iommuser_pt_table *table = &domain_table;
	bool found;
	size_t slot;

	memset(entry, 0, sizeof(*entry));
	if (i >= maps->nr_devices) {
		entry->is_domain = true;
		entry->requester.domain = maps->domains[i - maps->nr_devices];
		entry->requester.has_domain = true;
		find_hwpt(maps, entry);
		found = mapping_domain(maps->handover, entry->requester.domain, &domain_table,
				       entry->message, sizeof(entry->message));
	} else {
		entry->requester = mapping_target_requester(&maps->targets.items[i]);
		found = requester_find(&entry->requester, maps->handover, entry->message,
				       sizeof(entry->message));
		table = &entry->requester.table;
	}
	if (!found || !maps->nr_slots)
		return;
	slot = slot_of(maps, table);
	entry->table = maps->tables[slot];
}

static bool is_wanted(const struct mapping_target *target, const struct requester *only)
{
	return target->segment == only->segment && target->bdf == only->bdf &&
	       (!only->has_pasid || (target->has_pasid && target->pasid == only->pasid));
}

/* Drop the other devices; what no record and no root lists may still be an alias. */
static bool select_targets(struct mapping_targets *targets, const struct requester *only)
{
	size_t kept = 0, i;

	for (i = 0; i < targets->nr; i++)
		if (is_wanted(&targets->items[i], only))
			targets->items[kept++] = targets->items[i];
	targets->nr = kept;
	if (kept)
		return true;
	free(targets->items);
	targets->items = calloc(1, sizeof(*targets->items));
	if (!targets->items)
		return false;
	targets->items[targets->nr++] = (struct mapping_target){
		.segment = (u32)only->segment,
		.bdf = only->bdf,
		.pasid = only->pasid,
		.has_pasid = only->has_pasid,
	};
	return true;
}

/* Walk the table of an entry, unless it has none or it is known. */
static int survey_entry(struct maps *maps, size_t i)
{
	struct iommuser_pt_table table;
	struct maps_entry entry;

	maps_entry(maps, i, &entry);
	if (entry.table)
		return 0;
	if (!entry.is_domain && entry.requester.status == REQUESTER_FOUND)
		return add_table(maps, &entry.requester.table, i);
	if (!entry.is_domain) {
		maps->absent |= entry.requester.status == REQUESTER_ABSENT;
		if (entry.requester.status == REQUESTER_UNKNOWN ||
		    entry.requester.status == REQUESTER_MISSING ||
		    entry.requester.status == REQUESTER_UNSUPPORTED)
			maps->complete = false;
		return 0;
	}
	if (!mapping_domain(maps->handover, entry.requester.domain, &table, entry.message,
			    sizeof(entry.message)))
		return 0;
	return add_table(maps, &table, i);
}

/* Does the image tell of every memfd what it holds? */
static bool owners_known(const struct handover *handover)
{
	const struct luo_session *session;
	size_t i, j;

	if (!handover->has_luo || !handover->luo.sessions_complete)
		return false;
	for (i = 0; i < handover->luo.nr_sessions; i++) {
		session = &handover->luo.sessions[i];
		for (j = 0; j < session->nr_files; j++)
			if (session->files[j].memfd &&
			    (!session->files[j].memfd->complete ||
			     session->files[j].memfd->length_from == MEMFD_LENGTH_PAGE))
				return false;
	}
	return true;
}

/* What was asked for may be all there even where something else is missing. */
static void find_missing(struct maps *maps, const struct requester *only)
{
	const struct handover *handover = maps->handover;
	size_t used;

	if (only && !maps->targets.incomplete && !handover_lacks(handover, IOMMUSER_KIND_DOMAIN) &&
	    !handover_lacks(handover, IOMMUSER_KIND_ATTACHMENT))
		return;
	handover_missing_records(handover, maps->missing, sizeof(maps->missing));
	used = strlen(maps->missing);
	if (maps->targets.incomplete)
		snprintf(maps->missing + used, sizeof(maps->missing) - used, "%s%s",
			 used ? ", " : "", "context or PASID tables");
}

bool maps_init(struct maps *maps, struct handover *handover, const struct requester *only)
{
	bool failed = false;
	size_t i;

	memset(maps, 0, sizeof(*maps));
	maps->handover = handover;
	maps->owners_known = owners_known(handover);
	if (!mapping_memfds_init(&maps->memfds, handover->has_luo ? &handover->luo : NULL) ||
	    !mapping_targets_init(&maps->targets, handover) ||
	    (only && !select_targets(&maps->targets, only)))
		return false;
	find_missing(maps, only);
	/* The tables of a kernel that has booted are all there is to look at. */
	maps->complete = !maps->missing[0] && !(handover->has_flb && !handover->has_iommu) &&
			 !(model_iommu_unread(handover) && !handover->nr_vtd) &&
			 !handover->states_lost;
	maps->nr_devices = maps->targets.nr;
	maps->nr_entries = maps->nr_devices;
	if (handover->has_iommu && !only && (!find_hwpts(maps) || !find_unused_domains(maps)))
		return false;
	handover->reads.doing = "walking page tables";
	for (i = 0; i < maps->nr_entries && !failed; i++)
		failed = survey_entry(maps, i);
	handover->reads.doing = NULL;
	progress_done();
	return !failed;
}

void maps_free(struct maps *maps)
{
	size_t i;

	for (i = 0; i < maps->nr_slots; i++) {
		if (maps->tables[i])
			free(maps->tables[i]->ranges);
		free(maps->tables[i]);
	}
	free(maps->tables);
	free(maps->hwpts);
	free(maps->domains);
	mapping_targets_free(&maps->targets);
	mapping_memfds_free(&maps->memfds);
}

int maps_walk(struct maps *maps, const struct maps_table *table,
	      const struct mapping_visitor *visitor)
{
	struct mapping_totals totals;
	size_t i;
	int ret = 0;

	if (!table->ranges || (visitor->gap && table->totals.nr_gaps))
		return mapping_walk(&table->table, &maps->memfds, visitor, &totals);
	for (i = 0; visitor->range && i < table->totals.nr_ranges && !ret; i++)
		ret = visitor->range(visitor->ctx, &table->ranges[i]);
	return ret;
}
