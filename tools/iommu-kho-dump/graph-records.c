// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The part of a graph that records make: IOMMUs, domains, HWPTs, devices; and VT-d
 * tables that no record names.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "graph-model.h"
#include "mapping.h"
#include "pci-name.h"
#include "text.h"

/* Records: the first ones have a node each, the rest has one. */

static const char *const record_ids[IOMMUSER_NR_KINDS + 1] = {
	[IOMMUSER_KIND_IOMMU] = "iommu",
	[IOMMUSER_KIND_DOMAIN] = "domain",
	[IOMMUSER_KIND_HWPT] = "hwpt",
};

void graph_record_id(const struct graph_model *model, u32 kind, u64 position, char *id)
{
	if (position < model->bound)
		snprintf(id, GRAPH_ID_SIZE, "%s%" PRIu64, record_ids[kind], position);
	else
		snprintf(id, GRAPH_ID_SIZE, "%ss", record_ids[kind]);
}

/* "" when a reference leads nowhere. */
void graph_referred_id(const struct graph_model *model, u32 kind, u64 phys, char *id)
{
	u64 position;

	id[0] = 0;
	if (!iommuser_graph_resolve(&model->handover->graph, phys, kind, &position))
		graph_record_id(model, kind, position, id);
}

const char *graph_style_of(const struct graph_model *model, u32 kind, u64 position,
			   const union iommuser_record *record)
{
	const struct handover *handover = model->handover;

	if (record->common.flags & IOMMUSER_FLAG_DELETED ||
	    (kind == IOMMUSER_KIND_DEVICE &&
	     iommuser_graph_device_stale(&handover->graph, &record->device)))
		return "deleted";
	if (kind <= IOMMUSER_KIND_DEVICE && handover->has_states[kind] &&
	    iommuser_graph_state(&handover->graph, kind, position) >= IOMMUSER_LEFT)
		return "left";
	return "live";
}

static const char *state_of(const struct graph_model *model, u32 kind, u64 position)
{
	return model->handover->has_states[kind] ?
		       iommuser_state_name(
			       iommuser_graph_state(&model->handover->graph, kind, position)) :
		       NULL;
}

/* Of a deleted record of this layout, nothing else means anything. */
static bool is_tombstone(const struct graph_model *model, const union iommuser_record *record)
{
	return record->common.flags & IOMMUSER_FLAG_DELETED &&
	       model->handover->root.revision->properties & IOMMUSER_REVISION_SEALED;
}

static void label_unit(struct json_object *lines, const struct iommuser_iommu *unit)
{
	graph_add_line(lines, "at 0x%" PRIx64, unit->token);
	if (unit->mode == IOMMUSER_IOMMU_MODE_LEGACY || unit->mode == IOMMUSER_IOMMU_MODE_SCALABLE)
		graph_add_line(lines, "%s mode",
			       unit->mode == IOMMUSER_IOMMU_MODE_LEGACY ? "legacy" : "scalable");
}

static void label_domain(struct json_object *lines, const struct iommuser_domain *domain)
{
	if (domain->stage == IOMMUSER_STAGE_FIRST || domain->stage == IOMMUSER_STAGE_SECOND)
		graph_add_line(lines, "%s, %" PRIu64 " levels",
			       domain->stage == IOMMUSER_STAGE_FIRST ? "first-stage" :
								       "second-stage",
			       domain->top_level + 1);
	else
		graph_add_line(lines, "%" PRIu64 " levels", domain->top_level + 1);
	graph_add_line(lines, "top table 0x%" PRIx64, domain->top_table);
}

static void draw_record(struct graph_model *model, u32 kind, u64 position,
			const union iommuser_record *record)
{
	static const char *const names[IOMMUSER_NR_KINDS + 1] = {
		[IOMMUSER_KIND_IOMMU] = "IOMMU",
		[IOMMUSER_KIND_DOMAIN] = "domain",
		[IOMMUSER_KIND_HWPT] = "HWPT",
	};
	const char *style = graph_style_of(model, kind, position, record);
	const char *state = kind <= IOMMUSER_KIND_DEVICE ? state_of(model, kind, position) : NULL;
	struct json_object *lines;
	char id[GRAPH_ID_SIZE];

	graph_record_id(model, kind, position, id);
	lines = graph_add_node(model, id, record_ids[kind], style, 1,
			       graph_errors_of(model, kind, position));
	graph_add_line(lines, "%s %" PRIu64 "%s", names[kind], position,
		       !strcmp(style, "deleted") ? ", deleted" : "");
	if (is_tombstone(model, record))
		return;
	if (kind == IOMMUSER_KIND_IOMMU)
		label_unit(lines, &record->iommu);
	else if (kind == IOMMUSER_KIND_DOMAIN)
		label_domain(lines, &record->domain);
	else
		graph_add_line(lines, "token 0x%" PRIx64, record->hwpt.hwpt_token);
	if (state && strcmp(style, "deleted"))
		graph_add_line(lines, "%s", state);
}

static void draw_rest(struct graph_model *model, u32 kind)
{
	static const char *const words[IOMMUSER_NR_KINDS + 1] = {
		[IOMMUSER_KIND_IOMMU] = "IOMMU",
		[IOMMUSER_KIND_DOMAIN] = "domain",
		[IOMMUSER_KIND_HWPT] = "HWPT",
	};
	u64 count = graph_record_count(model, kind), errors = 0, i;
	char id[GRAPH_ID_SIZE], text[48];

	if (count <= model->bound)
		return;
	for (i = model->bound; i < count; i++)
		errors += graph_errors_of(model, kind, i);
	graph_record_id(model, kind, model->bound, id);
	graph_add_line(graph_add_node(model, id, record_ids[kind], "live", count - model->bound,
				      errors),
		       "%s%s", text_plural(count - model->bound, words[kind], text, sizeof(text)),
		       model->bound ? " more" : "");
}

void graph_draw_kind(struct graph_model *model, u32 kind)
{
	union iommuser_record record;
	u64 i;

	for (i = 0; i < graph_record_count(model, kind) && i < model->bound; i++)
		if (!iommuser_graph_read(&model->handover->graph, kind, i, &record))
			draw_record(model, kind, i, &record);
	draw_rest(model, kind);
}

/* Devices: those of one domain and unit are one node when they are many. */

static struct graph_device *new_device(struct graph_model *model)
{
	model->devices = graph_more_room(model, model->devices, model->nr_devices,
					 &model->device_room, sizeof(*model->devices));
	if (model->failed)
		return NULL;
	memset(&model->devices[model->nr_devices], 0, sizeof(*model->devices));
	return &model->devices[model->nr_devices++];
}

static void collect_device(struct graph_model *model, u64 position,
			   const struct iommuser_device *record, const union iommuser_record *whole)
{
	const struct iommuser_graph *graph = &model->handover->graph;
	struct graph_device *device = new_device(model);
	u64 domain, did;

	if (!device)
		return;
	device->position = position;
	device->style = graph_style_of(model, IOMMUSER_KIND_DEVICE, position, whole);
	device->state = state_of(model, IOMMUSER_KIND_DEVICE, position);
	device->errors = graph_errors_of(model, IOMMUSER_KIND_DEVICE, position);
	if (is_tombstone(model, whole)) {
		snprintf(device->name, sizeof(device->name), "device record %" PRIu64, position);
		return;
	}
	snprintf(device->name, sizeof(device->name), "%s",
		 pci_name(record->segment, record->bdf).text);
	graph_referred_id(model, IOMMUSER_KIND_IOMMU, record->iommu, device->unit);
	if (!iommuser_graph_device_domain(graph, position, record, &domain, &did)) {
		graph_referred_id(model, IOMMUSER_KIND_DOMAIN, domain, device->domain);
		snprintf(device->attachment, sizeof(device->attachment), "DID %" PRIu64, did);
	}
}

void graph_collect_devices(struct graph_model *model)
{
	union iommuser_record record;
	u64 i;

	for (i = 0; i < graph_record_count(model, IOMMUSER_KIND_DEVICE); i++)
		if (!iommuser_graph_read(&model->handover->graph, IOMMUSER_KIND_DEVICE, i, &record))
			collect_device(model, i, &record.device, &record);
}

static int compare_devices(const void *a, const void *b)
{
	const struct graph_device *left = a, *right = b;
	int order = strverscmp(left->domain, right->domain);

	if (!order)
		order = strverscmp(left->unit, right->unit);
	if (!order)
		order = strcmp(left->style, right->style);
	if (!order)
		order = strcmp(left->name, right->name);
	if (order)
		return order;
	return left->position < right->position ? -1 : left->position > right->position;
}

static bool same_place(const struct graph_device *left, const struct graph_device *right)
{
	return !strcmp(left->domain, right->domain) && !strcmp(left->unit, right->unit) &&
	       !strcmp(left->style, right->style);
}

static void remember_device(struct graph_model *model, const struct graph_device *device,
			    const char *id)
{
	if (device->position != NO_RECORD)
		snprintf(model->device_ids[device->position], GRAPH_ID_SIZE, "%s", id);
}

static void connect_device(struct graph_model *model, const struct graph_device *device,
			   const char *id, bool alone)
{
	struct graph_edge *edge;

	edge = graph_add_edge(model, device->domain, id, alone ? device->attachment : "");
	if (edge)
		edge->style = device->style;
	edge = graph_add_edge(model, id, device->unit, "");
	if (edge)
		edge->style = device->style;
	remember_device(model, device, id);
}

static void draw_device(struct graph_model *model, const struct graph_device *device, size_t nr)
{
	struct json_object *lines;
	char id[GRAPH_ID_SIZE];

	snprintf(id, sizeof(id), "device%zu", nr);
	lines = graph_add_node(model, id, "device", device->style, 1, device->errors);
	graph_add_line(lines, "%s%s", device->name,
		       !strcmp(device->style, "deleted") ? ", deleted" : "");
	if (device->state && strcmp(device->style, "deleted"))
		graph_add_line(lines, "%s", device->state);
	connect_device(model, device, id, true);
}

static void draw_device_group(struct graph_model *model, const struct graph_device *devices,
			      size_t count, size_t nr)
{
	struct json_object *lines;
	char id[GRAPH_ID_SIZE], text[48];
	u64 errors = 0;
	size_t i;

	snprintf(id, sizeof(id), "devices%zu", nr);
	for (i = 0; i < count; i++)
		errors += devices[i].errors;
	lines = graph_add_node(model, id, "device", devices->style, count, errors);
	graph_add_line(lines, "%s%s", text_plural(count, "device", text, sizeof(text)),
		       !strcmp(devices->style, "deleted") ? ", deleted" : "");
	graph_add_line(lines, "%s to", devices[0].name);
	graph_add_line(lines, "%s", devices[count - 1].name);
	for (i = 0; i < count; i++)
		connect_device(model, &devices[i], id, false);
}

/* The page tables that devices without records use. */
static void draw_tables(struct graph_model *model)
{
	const struct graph_device *devices = model->devices;
	struct json_object *lines;
	size_t i;

	for (i = 0; i < model->nr_devices; i++) {
		if (strncmp(devices[i].domain, "table", 5) ||
		    (i && !strcmp(devices[i - 1].domain, devices[i].domain)))
			continue;
		lines = graph_add_node(model, devices[i].domain, "domain", "live", 1, 0);
		graph_add_line(lines, "page table");
		graph_add_line(lines, "0x%s", devices[i].domain + 5);
	}
}

void graph_draw_devices(struct graph_model *model)
{
	struct graph_device *devices = model->devices;
	size_t from, to, i;

	if (model->nr_devices)
		qsort(devices, model->nr_devices, sizeof(*devices), compare_devices);
	draw_tables(model);
	for (from = 0; from < model->nr_devices; from = to) {
		for (to = from + 1;
		     to < model->nr_devices && same_place(&devices[from], &devices[to]);)
			to++;
		if (to - from > model->bound) {
			draw_device_group(model, &devices[from], to - from, from);
			continue;
		}
		for (i = from; i < to; i++)
			draw_device(model, &devices[i], i);
	}
}

/* What PASIDs of devices use. */
void graph_connect_pasids(struct graph_model *model)
{
	const struct iommuser_graph *graph = &model->handover->graph;
	union iommuser_record record;
	char domain[GRAPH_ID_SIZE], label[40];
	u64 i, device;

	for (i = 0; i < graph_record_count(model, IOMMUSER_KIND_ATTACHMENT); i++) {
		if (iommuser_graph_read(graph, IOMMUSER_KIND_ATTACHMENT, i, &record) ||
		    record.common.flags & IOMMUSER_FLAG_DELETED ||
		    !(record.attachment.attachment_flags & IOMMUSER_ATTACHMENT_HAS_PASID) ||
		    iommuser_graph_resolve(graph, record.attachment.device, IOMMUSER_KIND_DEVICE,
					   &device))
			continue;
		graph_referred_id(model, IOMMUSER_KIND_DOMAIN, record.attachment.domain, domain);
		snprintf(label, sizeof(label), "PASID %" PRIu64 ", DID %" PRIu64,
			 record.attachment.pasid, record.attachment.did);
		graph_add_edge(model, domain, model->device_ids[device], label);
	}
}

/* VT-d tables that no record names */

static void collect_target(struct graph_model *model, const struct mapping_target *target)
{
	struct requester requester = mapping_target_requester(target);
	struct graph_device *device;
	char message[128];

	if (!target->vtd)
		return;
	device = new_device(model);
	if (!device)
		return;
	device->position = NO_RECORD;
	device->style = "live";
	snprintf(device->name, sizeof(device->name), "%s",
		 pci_name(target->segment, target->bdf).text);
	if (target->has_pasid)
		snprintf(device->attachment, sizeof(device->attachment), "PASID %u", target->pasid);
	snprintf(device->unit, sizeof(device->unit), "vtd%u", target->vtd - 1);
	if (requester_find(&requester, model->handover, message, sizeof(message)))
		snprintf(device->domain, sizeof(device->domain), "table%" PRIx64,
			 requester.table.top_table);
}

void graph_draw_vtd_roots(struct graph_model *model)
{
	const struct handover *handover = model->handover;
	struct mapping_targets targets;
	struct json_object *lines;
	char id[GRAPH_ID_SIZE];
	size_t i;

	if (!mapping_targets_init(&targets, model->handover))
		model->failed = true;
	for (i = 0; i < targets.nr && !model->failed; i++)
		collect_target(model, &targets.items[i]);
	mapping_targets_free(&targets);
	for (i = 0; i < handover->nr_vtd; i++) {
		snprintf(id, sizeof(id), "vtd%zu", i);
		lines = graph_add_node(model, id, "iommu", "live", 1, 0);
		graph_add_line(lines, "VT-d root table");
		graph_add_line(lines, "0x%" PRIx64, handover->vtd[i].phys);
		graph_add_line(lines, "%s mode", handover->vtd[i].scalable ? "scalable" : "legacy");
	}
}
