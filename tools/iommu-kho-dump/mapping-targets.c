// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Everything that has a page table of its own: devices, and their PASIDs.
 */
#include <stdlib.h>
#include <string.h>

#include <iommuser/vtd.h>

#include "mapping.h"

static bool add_target(struct mapping_targets *targets, size_t *allocated,
		       const struct mapping_target *target)
{
	struct mapping_target *items = targets->items;

	if (targets->nr == *allocated) {
		*allocated = *allocated ? *allocated * 2 : 64;
		items = reallocarray(items, *allocated, sizeof(*items));
		if (!items)
			return false;
		targets->items = items;
	}
	items[targets->nr++] = *target;
	return true;
}

static bool device_lives(const struct iommuser_graph *graph, u64 position,
			 union iommuser_record *record)
{
	return !iommuser_graph_read(graph, IOMMUSER_KIND_DEVICE, position, record) &&
	       !(record->common.flags & IOMMUSER_FLAG_DELETED) && record->device.bdf <= 0xffff &&
	       !iommuser_graph_device_stale(graph, &record->device);
}

static bool add_devices(struct mapping_targets *targets, size_t *allocated,
			const struct iommuser_graph *graph)
{
	struct mapping_target target = { 0 };
	union iommuser_record record;

	for (; target.device < iommuser_graph_count(graph, IOMMUSER_KIND_DEVICE); target.device++) {
		if (!device_lives(graph, target.device, &record))
			continue;
		target.segment = (u32)record.device.segment;
		target.bdf = (u32)record.device.bdf;
		if (!add_target(targets, allocated, &target))
			return false;
	}
	return true;
}

static bool add_pasids(struct mapping_targets *targets, size_t *allocated,
		       const struct iommuser_graph *graph)
{
	struct mapping_target target = { .has_pasid = true };
	union iommuser_record record, device;
	u64 i;

	for (i = 0; i < iommuser_graph_count(graph, IOMMUSER_KIND_ATTACHMENT); i++) {
		if (iommuser_graph_read(graph, IOMMUSER_KIND_ATTACHMENT, i, &record) ||
		    (record.common.flags & IOMMUSER_FLAG_DELETED) ||
		    !(record.attachment.attachment_flags & IOMMUSER_ATTACHMENT_HAS_PASID) ||
		    iommuser_graph_resolve(graph, record.attachment.device, IOMMUSER_KIND_DEVICE,
					   &target.device) ||
		    !device_lives(graph, target.device, &device))
			continue;
		target.segment = (u32)device.device.segment;
		target.bdf = (u32)device.device.bdf;
		target.pasid = (u32)record.attachment.pasid;
		if (!add_target(targets, allocated, &target))
			return false;
	}
	return true;
}

static int compare_targets(const void *a, const void *b)
{
	const struct mapping_target *left = a, *right = b;

	if (left->device != right->device)
		return left->device < right->device ? -1 : 1;
	if (left->has_pasid != right->has_pasid)
		return left->has_pasid ? 1 : -1;
	return left->pasid < right->pasid ? -1 : left->pasid > right->pasid;
}

static bool has_record(const struct handover *handover, u32 bdf)
{
	u64 position;

	return handover->has_iommu &&
	       (!iommuser_graph_find_device(&handover->graph, 0, bdf, &position) ||
		!iommuser_graph_find_alias(&handover->graph, 0, bdf, &position));
}

static bool add_listed_pasids(struct mapping_targets *targets, size_t *allocated,
			      const struct iommuser_vtd_context *context,
			      const struct iommuser_env *env, struct mapping_target target)
{
	struct iommuser_vtd_directory directory;
	struct iommuser_vtd_pasid entry;
	u32 cursor = 0;
	int more;

	iommuser_vtd_directory_of(env, context, &directory);
	target.has_pasid = true;
	while ((more = iommuser_vtd_next_pasid(&directory, &cursor, &target.pasid, &entry))) {
		if (more < 0)
			targets->incomplete = true;
		else if (target.pasid != context->rid_pasid &&
			 !add_target(targets, allocated, &target))
			return false;
	}
	return true;
}

/* What a VT-d root lists and no record names. */
static bool add_listed(struct mapping_targets *targets, size_t *allocated,
		       const struct handover *handover, u32 nr)
{
	struct iommuser_vtd_tables tables = { &handover->env, handover->vtd[nr].phys,
					      handover->vtd[nr].scalable };
	struct mapping_target target = { .vtd = nr + 1 };
	struct iommuser_vtd_context context;
	u32 cursor = 0;
	int more;

	while ((more = iommuser_vtd_next_context(&tables, &cursor, &target.bdf, &context))) {
		if (more < 0)
			targets->incomplete = true;
		else if (!has_record(handover, target.bdf) &&
			 (!add_target(targets, allocated, &target) ||
			  (tables.scalable &&
			   !add_listed_pasids(targets, allocated, &context, tables.env, target))))
			return false;
	}
	return true;
}

bool mapping_targets_init(struct mapping_targets *targets, struct handover *handover)
{
	size_t allocated = 0;
	u32 i;

	memset(targets, 0, sizeof(*targets));
	targets->lacks_records = handover_lacks(handover, IOMMUSER_KIND_DEVICE) ||
				 handover_lacks(handover, IOMMUSER_KIND_ATTACHMENT);
	if (handover->has_iommu && (!add_devices(targets, &allocated, &handover->graph) ||
				    !add_pasids(targets, &allocated, &handover->graph)))
		return false;
	if (targets->nr)
		qsort(targets->items, targets->nr, sizeof(*targets->items), compare_targets);
	for (i = 0; i < handover->nr_vtd; i++)
		if (!add_listed(targets, &allocated, handover, i))
			return false;
	return true;
}

void mapping_targets_free(struct mapping_targets *targets)
{
	free(targets->items);
	memset(targets, 0, sizeof(*targets));
}

struct requester mapping_target_requester(const struct mapping_target *target)
{
	return (struct requester){
		.segment = target->segment,
		.bdf = target->bdf,
		.pasid = target->pasid,
		.has_pasid = target->has_pasid,
		.vtd = target->vtd,
	};
}
