// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The objects of one side of a diff, and what identifies them.
 */
#include "diff-objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pci-name.h"

static const struct {
	u32 record;
	enum diff_kind kind;
} record_kinds[] = {
	{ IOMMUSER_KIND_IOMMU, DIFF_IOMMU }, { IOMMUSER_KIND_DEVICE, DIFF_DEVICE },
	{ IOMMUSER_KIND_ALIAS, DIFF_ALIAS }, { IOMMUSER_KIND_ATTACHMENT, DIFF_ATTACHMENT },
	{ IOMMUSER_KIND_HWPT, DIFF_HWPT },
};

void diff_add_object(struct diff_side *side, enum diff_kind kind, const char *name, size_t position,
		     size_t minor)
{
	struct diff_object *more;

	if (side->failed)
		return;
	if (side->nr == side->room) {
		side->room = side->room ? side->room * 2 : 64;
		more = reallocarray(side->objects, side->room, sizeof(*more));
		if (!more) {
			side->failed = true;
			return;
		}
		side->objects = more;
	}
	side->objects[side->nr] = (struct diff_object){ kind, strdup(name), position, minor };
	if (!side->objects[side->nr].name)
		side->failed = true;
	else
		side->nr++;
}

/* Of several objects with one name, which are damage, the first is the first. */
static int compare_objects(const void *a, const void *b)
{
	const struct diff_object *left = a, *right = b;
	int order;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	order = strcmp(left->name, right->name);
	if (order)
		return order;
	if (left->position != right->position)
		return left->position < right->position ? -1 : 1;
	return left->minor < right->minor ? -1 : left->minor > right->minor;
}

void diff_sort(struct diff_side *side)
{
	if (side->nr)
		qsort(side->objects, side->nr, sizeof(*side->objects), compare_objects);
}

void diff_free_side(struct diff_side *side)
{
	u64 domains = side->handover->has_iommu ?
			      iommuser_graph_count(&side->handover->graph, IOMMUSER_KIND_DOMAIN) :
			      0;
	size_t i;

	for (i = 0; i < side->nr; i++)
		free(side->objects[i].name);
	free(side->objects);
	for (i = 0; side->domains && i < domains; i++)
		free(side->domains[i]);
	free(side->domains);
}

bool diff_live(const struct handover *handover, u32 kind, u64 position,
	       union iommuser_record *record)
{
	const struct iommuser_graph *graph = &handover->graph;

	return !iommuser_graph_read(graph, kind, position, record) &&
	       !(record->common.flags & IOMMUSER_FLAG_DELETED) &&
	       !(kind == IOMMUSER_KIND_DEVICE &&
		 iommuser_graph_device_stale(graph, &record->device));
}

static int name_device(u64 segment, u64 bdf, char *name, size_t size)
{
	return snprintf(name, size, "%s", pci_name(segment, bdf).text);
}

static bool name_hwpt(const struct handover *handover, const struct iommuser_hwpt *hwpt, char *name,
		      size_t size)
{
	u64 token;

	if (iommu_files_token(&handover->files, handover->source, &handover->root,
			      hwpt->iommufd_token, &token)) {
		snprintf(name, size, "0x%llx/0x%llx", (unsigned long long)token,
			 (unsigned long long)hwpt->hwpt_token);
		return true;
	}
	snprintf(name, size, "iommufd at 0x%llx/0x%llx", (unsigned long long)hwpt->iommufd_token,
		 (unsigned long long)hwpt->hwpt_token);
	return false;
}

static bool name_attachment(const struct handover *handover,
			    const struct iommuser_attachment *attachment, char *name, size_t size)
{
	union iommuser_record device;
	u64 position;
	int used;

	if (iommuser_graph_resolve(&handover->graph, attachment->device, IOMMUSER_KIND_DEVICE,
				   &position) ||
	    !diff_live(handover, IOMMUSER_KIND_DEVICE, position, &device)) {
		snprintf(name, size, "device record at 0x%llx",
			 (unsigned long long)attachment->device);
		return false;
	}
	used = name_device(device.device.segment, device.device.bdf, name, size);
	if (attachment->attachment_flags & IOMMUSER_ATTACHMENT_HAS_PASID)
		snprintf(name + used, size - (size_t)used, " PASID %llu",
			 (unsigned long long)attachment->pasid);
	return true;
}

bool diff_name_record(const struct handover *handover, u32 kind,
		      const union iommuser_record *record, char *name, size_t size)
{
	switch (kind) {
	case IOMMUSER_KIND_IOMMU:
		snprintf(name, size, "0x%llx", (unsigned long long)record->iommu.token);
		return true;
	case IOMMUSER_KIND_DEVICE:
		name_device(record->device.segment, record->device.bdf, name, size);
		return true;
	case IOMMUSER_KIND_ALIAS:
		name_device(record->alias.segment, record->alias.bdf, name, size);
		return true;
	case IOMMUSER_KIND_ATTACHMENT:
		return name_attachment(handover, &record->attachment, name, size);
	default:
		return name_hwpt(handover, &record->hwpt, name, size);
	}
}

/* What a record refers to, and is named by, may be on a page that the image lacks. */
static const char *why_nameless(const struct handover *handover, u32 kind)
{
	if (kind == IOMMUSER_KIND_ATTACHMENT && handover_lacks(handover, IOMMUSER_KIND_DEVICE))
		return "lacks the records of their devices";
	if (kind == IOMMUSER_KIND_HWPT)
		return "lacks the iommufd files of some";
	return NULL;
}

static void add_record(struct diff_side *side, u32 kind, enum diff_kind object, u64 position)
{
	const char *why = why_nameless(side->handover, kind);
	union iommuser_record record;
	char name[DIFF_VALUE_SIZE];

	if (!diff_live(side->handover, kind, position, &record))
		return;
	if (diff_name_record(side->handover, kind, &record, name, sizeof(name)) || !why) {
		diff_add_object(side, object, name, position, 0);
		return;
	}
	if (!side->unknown[object])
		side->unknown[object] = why;
	side->unread = true;
}

static void collect_records(struct diff_side *side)
{
	const struct handover *handover = side->handover;
	size_t i;
	u64 at;

	for (i = 0; i < sizeof(record_kinds) / sizeof(record_kinds[0]); i++)
		for (at = 0; at < iommuser_graph_count(&handover->graph, record_kinds[i].record);
		     at++)
			add_record(side, record_kinds[i].record, record_kinds[i].kind, at);
}

/* In the layouts of the series, only files tell HWPTs. */
static void collect_file_hwpts(struct diff_side *side)
{
	const struct iommu_files *files = &side->handover->files;
	const struct iommu_file *file;
	char name[DIFF_VALUE_SIZE];
	size_t i, j;

	for (i = 0; i < files->nr; i++) {
		file = &files->items[i];
		for (j = 0; j < file->nr_listed; j++) {
			snprintf(name, sizeof(name), "0x%llx/0x%llx",
				 (unsigned long long)file->file->token,
				 (unsigned long long)file->hwpts[j].token);
			diff_add_object(side, DIFF_HWPT, name, i, j);
		}
	}
}

static void collect_luo(struct diff_side *side)
{
	const struct luo_state *luo = &side->handover->luo;
	const struct luo_session *session;
	char name[DIFF_VALUE_SIZE], escaped[DIFF_VALUE_SIZE - 24];
	size_t i, j;

	for (i = 0; i < luo->nr_sessions; i++) {
		session = &luo->sessions[i];
		escape_text(session->name, sizeof(session->name), escaped, sizeof(escaped));
		diff_add_object(side, DIFF_SESSION, escaped, i, 0);
		for (j = 0; j < session->nr_files; j++) {
			snprintf(name, sizeof(name), "%s/0x%llx", escaped,
				 (unsigned long long)session->files[j].token);
			diff_add_object(side, DIFF_FILE, name, i, j);
		}
	}
	for (i = 0; i < luo->nr_flbs; i++) {
		escape_text(luo->flbs[i].name, sizeof(luo->flbs[i].name), escaped, sizeof(escaped));
		diff_add_object(side, DIFF_FLB, escaped, i, 0);
	}
}

/* A handover without LUO's sub-tree is known to have no sessions. */
static bool luo_is_absent(const struct handover *handover)
{
	return handover->has_kho && !handover->has_luo && !handover->has_flb &&
	       !kho_find_subtree(&handover->kho, "LUO");
}

/* What the next kernel has reused is not there to be read. */
static bool luo_is_unread(const struct handover *handover)
{
	return handover->has_kho && !handover->map_gone && kho_find_subtree(&handover->kho, "LUO");
}

static void learn_luo(struct diff_side *side)
{
	const struct handover *handover = side->handover;

	if (!handover->has_luo) {
		if (luo_is_absent(handover))
			return;
		side->unread |= luo_is_unread(handover);
		side->unknown[DIFF_SESSION] = "holds no LUO state";
		side->unknown[DIFF_FILE] = "holds no LUO state";
		side->unknown[DIFF_FLB] = "holds no LUO state";
		return;
	}
	side->unread |= !handover->luo.sessions_complete || !handover->luo.flbs_complete;
	if (!handover->luo.sessions_complete) {
		side->unknown[DIFF_SESSION] = "lacks a part of LUO's sessions";
		side->unknown[DIFF_FILE] = "lacks a part of LUO's sessions";
	}
	if (!handover->luo.flbs_complete)
		side->unknown[DIFF_FLB] = "lacks a part of LUO's FLBs";
}

static const char *unknown_file_hwpts(const struct handover *handover)
{
	const struct iommu_files *files = &handover->files;
	size_t i;

	if (!handover->has_luo || !handover->luo.sessions_complete)
		return "lacks iommufd files, which tell them";
	for (i = 0; i < files->nr; i++)
		if (files->items[i].is_iommufd && !files->items[i].readable)
			return "lacks iommufd files, which tell them";
	return NULL;
}

static const char *unknown_records(const struct handover *handover, u32 kind)
{
	if (handover->has_iommu) {
		if (handover_lacks(handover, kind))
			return "lacks a part of these records";
		if (handover->root.revision->kinds[kind].size)
			return NULL;
		return kind == IOMMUSER_KIND_HWPT ? unknown_file_hwpts(handover) :
						    "has a layout without such records";
	}
	if (handover->has_flb)
		return "holds IOMMU state that cannot be read";
	if (luo_is_absent(handover) || (handover->has_luo && handover->luo.flbs_complete))
		return NULL;
	return "holds no IOMMU state";
}

static bool records_are_unread(const struct handover *handover)
{
	u32 kind;
	size_t i;

	if (!handover->has_iommu)
		return handover->has_flb;
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		if (handover_lacks(handover, kind))
			return true;
	for (i = 0; i < handover->files.nr; i++)
		if (handover->files.items[i].is_iommufd && !handover->files.items[i].readable)
			return true;
	return false;
}

bool diff_collect(struct diff_side *side)
{
	const struct handover *handover = side->handover;
	size_t i;

	learn_luo(side);
	for (i = 0; i < sizeof(record_kinds) / sizeof(record_kinds[0]); i++) {
		side->unknown[record_kinds[i].kind] =
			unknown_records(handover, record_kinds[i].record);
		side->no_such[record_kinds[i].kind] =
			handover->has_iommu &&
			!handover->root.revision->kinds[record_kinds[i].record].size &&
			record_kinds[i].record != IOMMUSER_KIND_HWPT;
	}
	side->unknown[DIFF_DOMAIN] = unknown_records(handover, IOMMUSER_KIND_DOMAIN);
	side->unread |= records_are_unread(handover);
	diff_add_object(side, DIFF_HANDOVER, "handover", 0, 0);
	if (handover->has_luo)
		collect_luo(side);
	if (handover->has_iommu) {
		collect_records(side);
		if (!handover->root.revision->kinds[IOMMUSER_KIND_HWPT].size)
			collect_file_hwpts(side);
	}
	side->users_lack = side->unknown[DIFF_HWPT] || side->unknown[DIFF_DEVICE] ||
			   (side->unknown[DIFF_ATTACHMENT] && !side->no_such[DIFF_ATTACHMENT]);
	return !side->failed;
}
