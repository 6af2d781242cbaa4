// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From a requester id to the page table that the hardware walks for it: device
 * or alias record, unit, root table, context entry, PASID entry. What the
 * domain record says is not asked: verify compares the two.
 */
#include "requester.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iommuser/vtd.h>

#define OUTPUT_WIDTH 52

static bool parse_hex(const char **text, char end, unsigned long limit, u64 *value)
{
	char *stop;

	if (!strchr("0123456789abcdefABCDEF", **text) || !**text)
		return false;
	*value = strtoul(*text, &stop, 16);
	if (*stop != end || *value > limit || stop - *text > 4)
		return false;
	*text = end ? stop + 1 : stop;
	return true;
}

bool requester_parse(const char *text, struct requester *requester)
{
	const char *first = strchr(text, ':');
	u64 bus, device, function;

	memset(requester, 0, sizeof(*requester));
	if (first && strchr(first + 1, ':') &&
	    !parse_hex(&text, ':', 0xffff, &requester->segment))
		return false;
	if (!parse_hex(&text, ':', 0xff, &bus) || !parse_hex(&text, '.', 0x1f, &device) ||
	    !parse_hex(&text, 0, 7, &function))
		return false;
	requester->bdf = (u32)(bus << 8 | device << 3 | function);
	return true;
}

static bool has_record(struct requester *requester, const struct handover *handover,
		       union iommuser_record *device)
{
	const struct iommuser_graph *graph = &handover->graph;
	union iommuser_record alias;
	u64 position;

	if (iommuser_graph_find_device(graph, requester->segment, requester->bdf, &position)) {
		if (iommuser_graph_find_alias(graph, requester->segment, requester->bdf,
					      &position) ||
		    iommuser_graph_read(graph, IOMMUSER_KIND_ALIAS, position, &alias) ||
		    iommuser_graph_resolve(graph, alias.alias.device, IOMMUSER_KIND_DEVICE,
					   &position))
			return false;
	}
	if (iommuser_graph_read(graph, IOMMUSER_KIND_DEVICE, position, device))
		return false;
	requester->device = position;
	requester->has_device = true;
	return true;
}

static void find_domain(struct requester *requester, const struct handover *handover,
			const struct iommuser_device *device)
{
	u64 domain, did;

	requester->has_domain =
		!iommuser_graph_device_domain(&handover->graph, requester->device, device, &domain,
					      &did) &&
		!iommuser_graph_resolve(&handover->graph, domain, IOMMUSER_KIND_DOMAIN,
					&requester->domain);
}

/* The unit of a requester, by its record or as the command line says. */
static bool find_unit(struct requester *requester, struct handover *handover,
		      struct iommuser_vtd_tables *tables, char *message, size_t size)
{
	union iommuser_record device, unit;
	u64 position;

	tables->env = &handover->env;
	if (handover->has_iommu && has_record(requester, handover, &device)) {
		find_domain(requester, handover, &device.device);
		if (iommuser_graph_resolve(&handover->graph, device.device.iommu,
					   IOMMUSER_KIND_IOMMU, &position) ||
		    iommuser_graph_read(&handover->graph, IOMMUSER_KIND_IOMMU, position, &unit)) {
			snprintf(message, size, "the device's record names no IOMMU record");
			return false;
		}
		if (unit.iommu.type != IOMMUSER_IOMMU_TYPE_INTEL) {
			snprintf(message, size, "its IOMMU is not Intel VT-d");
			return false;
		}
		tables->root_table = unit.iommu.root_table;
		tables->scalable = unit.iommu.mode ?
					   unit.iommu.mode == IOMMUSER_IOMMU_MODE_SCALABLE :
					   device.device.pasid_directory != 0;
		return true;
	}
	if (handover->nr_vtd) {
		tables->root_table = handover->vtd[0].phys;
		tables->scalable = handover->vtd[0].scalable;
		return true;
	}
	snprintf(message, size, handover->has_iommu ? "no device or alias record of that name" :
						      "no IOMMU state in it, and no --vtd-root");
	return false;
}

static bool legacy_table(struct requester *requester, const struct iommuser_vtd_context *context,
			 char *message, size_t size)
{
	if (context->translation_type == IOMMUSER_VTD_TT_PASS_THROUGH) {
		snprintf(message, size, "its requests pass through untranslated");
		return false;
	}
	requester->table.stage = IOMMUSER_STAGE_SECOND;
	requester->table.top_table = context->table;
	requester->table.top_level = context->address_width + 1;
	return true;
}

static bool scalable_table(struct requester *requester, const struct iommuser_vtd_context *context,
			   const struct iommuser_env *env, char *message, size_t size)
{
	struct iommuser_vtd_directory directory;
	struct iommuser_vtd_pasid entry;

	iommuser_vtd_directory_of(env, context, &directory);
	if (context->rid_pasid >= directory.nr_pasids ||
	    iommuser_vtd_pasid(&directory, context->rid_pasid, &entry)) {
		snprintf(message, size, "its PASID entry can't be read");
		return false;
	}
	if (entry.present && entry.type == IOMMUSER_VTD_PGTT_FIRST) {
		requester->table.stage = IOMMUSER_STAGE_FIRST;
		requester->table.top_table = entry.first_stage;
		requester->table.top_level = entry.first_stage_mode + 3;
		return true;
	}
	if (entry.present && entry.type == IOMMUSER_VTD_PGTT_SECOND) {
		requester->table.stage = IOMMUSER_STAGE_SECOND;
		requester->table.top_table = entry.second_stage;
		requester->table.top_level = entry.address_width + 1;
		return true;
	}
	snprintf(message, size, entry.present ? "its PASID entry is neither first- nor second-stage" :
						"its PASID entry is not present: DMA is blocked");
	return false;
}

bool requester_find(struct requester *requester, struct handover *handover, char *message,
		    size_t size)
{
	struct iommuser_vtd_context context;
	struct iommuser_vtd_tables tables;

	requester->table.env = &handover->env;
	requester->table.output_width = OUTPUT_WIDTH;
	if (!find_unit(requester, handover, &tables, message, size))
		return false;
	if (iommuser_vtd_context(&tables, requester->bdf, &context)) {
		snprintf(message, size, "its root or context table can't be read");
		return false;
	}
	if (!context.present) {
		snprintf(message, size, "its context entry is not present: DMA is blocked");
		return false;
	}
	return tables.scalable ?
		       scalable_table(requester, &context, tables.env, message, size) :
		       legacy_table(requester, &context, message, size);
}
