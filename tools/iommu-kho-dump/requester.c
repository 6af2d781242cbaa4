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

#include <iommuser/error.h>
#include <iommuser/vtd.h>

#include "fault.h"
#include "pci-name.h"

#define OUTPUT_WIDTH 52
/* Devices to name where another one was asked for. */
#define MAX_NAMED 3

/* What is known of a requester on the way to its tables. */
struct search {
	struct requester *requester;
	struct handover *handover;
	struct iommuser_vtd_tables tables;
	char *message;
	size_t size;
};

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

static bool parse_function(const char *text, struct requester *requester)
{
	const char *first = strchr(text, ':');
	u64 bus, device, function;

	if (first && strchr(first + 1, ':') && !parse_hex(&text, ':', 0xffff, &requester->segment))
		return false;
	if (!parse_hex(&text, ':', 0xff, &bus) || !parse_hex(&text, '.', 0x1f, &device) ||
	    !parse_hex(&text, 0, 7, &function))
		return false;
	requester->bdf = (u32)(bus << 8 | device << 3 | function);
	return true;
}

bool requester_parse(const char *text, struct requester *requester)
{
	const char *plus = strchr(text, '+');
	char function[16];
	u64 pasid;

	memset(requester, 0, sizeof(*requester));
	if (!plus)
		return parse_function(text, requester);
	if ((size_t)(plus - text) >= sizeof(function) || !parse_number(plus + 1, 0, &pasid) ||
	    pasid >= IOMMUSER_VTD_MAX_PASIDS)
		return false;
	snprintf(function, sizeof(function), "%.*s", (int)(plus - text), text);
	requester->pasid = (u32)pasid;
	requester->has_pasid = true;
	return parse_function(function, requester);
}

static bool refuse(const struct search *search, enum requester_status status, u32 fault,
		   const char *why)
{
	search->requester->status = status;
	search->requester->fault = fault;
	snprintf(search->message, search->size, "%s", why);
	return false;
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

/* The domain and domain id that records attach to a device and PASID. */
static bool attached_domain(struct requester *requester, const struct handover *handover,
			    const struct iommuser_device *device, u64 *domain)
{
	union iommuser_record attachment;
	u64 position;

	if (!requester->has_pasid)
		return !iommuser_graph_device_domain(&handover->graph, requester->device, device,
						     domain, &requester->recorded_did);
	if (iommuser_graph_find_attachment(&handover->graph, requester->device, true,
					   requester->pasid, &position) ||
	    iommuser_graph_read(&handover->graph, IOMMUSER_KIND_ATTACHMENT, position, &attachment))
		return false;
	*domain = attachment.attachment.domain;
	requester->recorded_did = attachment.attachment.did;
	return true;
}

static void find_domain(struct requester *requester, const struct handover *handover,
			const struct iommuser_device *device)
{
	u64 domain;

	requester->has_recorded_did = attached_domain(requester, handover, device, &domain);
	requester->has_domain = requester->has_recorded_did &&
				!iommuser_graph_resolve(&handover->graph, domain,
							IOMMUSER_KIND_DOMAIN, &requester->domain);
}

/* Has the kernel of the image taken the device off the tables that were handed over? */
static bool has_left(const struct search *search)
{
	const struct handover *handover = search->handover;

	if (handover->states_lost)
		return !refuse(search, REQUESTER_UNKNOWN, 0, "where the device stands was lost");
	if (!handover->has_states[IOMMUSER_KIND_DEVICE])
		return false;
	switch (iommuser_graph_state(&handover->graph, IOMMUSER_KIND_DEVICE,
				     search->requester->device)) {
	case IOMMUSER_LEFT:
		return !refuse(search, REQUESTER_LEFT, 0,
			       "the device has left its restored tables: "
			       "it runs on a domain of this kernel's own");
	case IOMMUSER_ABANDONED:
		return !refuse(
			search, REQUESTER_LEFT, 0,
			"nobody came for the device: it was stopped, and its DMA is blocked");
	case IOMMUSER_FINISHED:
		return !refuse(search, REQUESTER_LEFT, 0,
			       "the handover has ended: its tables are this kernel's to change");
	default:
		return false;
	}
}

static bool unit_of_record(struct search *search, const struct iommuser_device *device)
{
	const struct iommuser_graph *graph = &search->handover->graph;
	union iommuser_record unit;
	u64 position;

	find_domain(search->requester, search->handover, device);
	if (has_left(search))
		return false;
	if (iommuser_graph_resolve(graph, device->iommu, IOMMUSER_KIND_IOMMU, &position) ||
	    iommuser_graph_read(graph, IOMMUSER_KIND_IOMMU, position, &unit))
		return refuse(search, REQUESTER_UNKNOWN, 0,
			      handover_lacks(search->handover, IOMMUSER_KIND_IOMMU) ?
				      "the record of its IOMMU can't be read" :
				      "the device's record names no IOMMU record");
	if (unit.iommu.type != IOMMUSER_IOMMU_TYPE_INTEL)
		return refuse(search, REQUESTER_UNSUPPORTED, 0, "its IOMMU is not Intel VT-d");
	search->tables.root_table = unit.iommu.root_table;
	search->tables.scalable = unit.iommu.mode ?
					  unit.iommu.mode == IOMMUSER_IOMMU_MODE_SCALABLE :
					  device->pasid_directory != 0;
	return true;
}

static void use_vtd_root(struct search *search, u32 nr)
{
	search->tables.root_table = search->handover->vtd[nr].phys;
	search->tables.scalable = search->handover->vtd[nr].scalable;
}

/* Of several VT-d roots, the first that has an entry for the requester. */
static void choose_vtd_root(struct search *search)
{
	struct iommuser_vtd_context context;
	u32 i;

	for (i = 0; i < search->handover->nr_vtd; i++) {
		use_vtd_root(search, i);
		if (!iommuser_vtd_context(&search->tables, search->requester->bdf, &context) &&
		    context.present)
			return;
	}
	use_vtd_root(search, 0);
}

/* Which devices are there, where the one that was asked for is not? */
static void name_others(const struct handover *handover, char *text, size_t size)
{
	const struct iommuser_graph *graph = &handover->graph;
	union iommuser_record record;
	u64 nr = 0, i;
	int used = 0;

	for (i = 0; i < iommuser_graph_count(graph, IOMMUSER_KIND_DEVICE); i++) {
		if (iommuser_graph_read(graph, IOMMUSER_KIND_DEVICE, i, &record) ||
		    record.common.flags & IOMMUSER_FLAG_DELETED || record.device.bdf > 0xffff ||
		    iommuser_graph_device_stale(graph, &record.device))
			continue;
		if (nr++ < MAX_NAMED && (size_t)used < size)
			used += snprintf(text + used, size - (size_t)used, "%s%s",
					 nr > 1 ? ", " : ". It holds: ",
					 pci_name(record.device.segment, record.device.bdf).text);
	}
	if (!nr)
		snprintf(text, size, ", which holds no device");
	else if (nr > MAX_NAMED && (size_t)used < size)
		snprintf(text + used, size - (size_t)used, " and %llu more",
			 (unsigned long long)(nr - MAX_NAMED));
}

/* No record names it. */
static bool refuse_stranger(const struct search *search)
{
	const struct requester *requester = search->requester;
	size_t used;

	if (handover_lacks(search->handover, IOMMUSER_KIND_DEVICE) ||
	    handover_lacks(search->handover, IOMMUSER_KIND_ALIAS))
		return refuse(search, REQUESTER_UNKNOWN, 0,
			      "no record of that name among those that could be read");
	refuse(search, REQUESTER_ABSENT, 0, "");
	used = (size_t)snprintf(search->message, search->size, "%s is not part of this handover",
				pci_name(requester->segment, requester->bdf).text);
	if (used < search->size)
		name_others(search->handover, search->message + used, search->size - used);
	return false;
}

/* The unit of a requester, by its record or as the command line says. */
static bool find_unit(struct search *search)
{
	struct requester *requester = search->requester;
	struct handover *handover = search->handover;
	union iommuser_record device;

	if (requester->vtd && requester->vtd <= handover->nr_vtd) {
		use_vtd_root(search, requester->vtd - 1);
		return true;
	}
	if (handover->has_iommu && has_record(requester, handover, &device))
		return unit_of_record(search, &device.device);
	if (handover->nr_vtd) {
		choose_vtd_root(search);
		return true;
	}
	if (handover->has_iommu)
		return refuse_stranger(search);
	return refuse(search, REQUESTER_UNKNOWN, 0,
		      handover->has_flb ? "its IOMMU state cannot be read, and no --vtd-root" :
					  "no IOMMU state in it, and no --vtd-root");
}

/* Tables have 3 to 5 levels, those of the first stage 4 or 5. */
static bool use_table(const struct search *search, u32 stage, u64 top_table, u32 top_level,
		      u32 fault)
{
	if (top_level >= IOMMUSER_PT_MAX_LEVELS || top_level < 2)
		return refuse(search, REQUESTER_BLOCKED, fault,
			      "its entry gives no possible number of levels: DMA is blocked");
	search->requester->table.stage = stage;
	search->requester->table.top_table = top_table;
	search->requester->table.top_level = top_level;
	return true;
}

static bool legacy_table(const struct search *search, const struct iommuser_vtd_context *context)
{
	if (search->requester->has_pasid)
		return refuse(search, REQUESTER_BLOCKED, 0,
			      "its IOMMU is in legacy mode, which knows no PASIDs");
	switch (context->translation_type) {
	case IOMMUSER_VTD_TT_PASS_THROUGH:
		return refuse(search, REQUESTER_PASS_THROUGH, 0,
			      "its requests pass through untranslated");
	case IOMMUSER_VTD_TT_TABLE:
	case IOMMUSER_VTD_TT_TABLE_DEVICE_TLB:
		break;
	default:
		return refuse(search, REQUESTER_BLOCKED, FAULT_CONTEXT_INVALID,
			      "its context entry has a reserved translation type: DMA is blocked");
	}
	search->requester->did = context->did;
	return use_table(search, IOMMUSER_STAGE_SECOND, context->table, context->address_width + 1,
			 FAULT_CONTEXT_INVALID);
}

/* That entry is there, but for other requests. */
static bool refuse_rid_pasid(const struct search *search)
{
	const struct requester *requester = search->requester;

	refuse(search, REQUESTER_BLOCKED, FAULT_PASID_DISABLED, "");
	snprintf(search->message, search->size,
		 "its context entry takes no requests with PASID: DMA is blocked "
		 "(requests without PASID use entry %u: ask for %02x:%02x.%x)",
		 requester->pasid, requester->bdf >> 8, requester->bdf >> 3 & 0x1f,
		 requester->bdf & 7);
	return false;
}

static bool read_pasid(const struct search *search, const struct iommuser_vtd_context *context,
		       struct iommuser_vtd_pasid *entry)
{
	const struct requester *requester = search->requester;
	u32 pasid = requester->has_pasid ? requester->pasid : context->rid_pasid;
	struct iommuser_vtd_directory directory;
	u64 table = 0;

	iommuser_vtd_directory_of(search->tables.env, context, &directory);
	if (requester->has_pasid && !context->pasid_enable && pasid == context->rid_pasid)
		return refuse_rid_pasid(search);
	if (requester->has_pasid && !context->pasid_enable)
		return refuse(search, REQUESTER_BLOCKED, FAULT_PASID_DISABLED,
			      "its context entry takes no requests with PASID: DMA is blocked");
	if (pasid >= directory.nr_pasids)
		return refuse(search, REQUESTER_BLOCKED,
			      requester->has_pasid ? FAULT_PASID_TOO_LARGE : FAULT_RID_PASID,
			      "its PASID is beyond its PASID directory: DMA is blocked");
	if (iommuser_vtd_pasid_table(&directory, pasid, &table) ||
	    iommuser_vtd_pasid(&directory, pasid, entry))
		return refuse(search, REQUESTER_MISSING, 0, "its PASID entry can't be read");
	if (!entry->present)
		return refuse(search, REQUESTER_BLOCKED,
			      table ? FAULT_PASID_NOT_PRESENT : FAULT_DIRECTORY_NOT_PRESENT,
			      "its PASID entry is not present: DMA is blocked");
	return true;
}

static bool scalable_table(const struct search *search, const struct iommuser_vtd_context *context)
{
	struct iommuser_vtd_pasid entry;

	if (!read_pasid(search, context, &entry))
		return false;
	search->requester->did = entry.did;
	switch (entry.type) {
	case IOMMUSER_VTD_PGTT_FIRST:
		return use_table(search, IOMMUSER_STAGE_FIRST, entry.first_stage,
				 entry.first_stage_mode + 3, FAULT_PASID_INVALID);
	case IOMMUSER_VTD_PGTT_SECOND:
		return use_table(search, IOMMUSER_STAGE_SECOND, entry.second_stage,
				 entry.address_width + 1, FAULT_PASID_INVALID);
	case IOMMUSER_VTD_PGTT_NESTED:
		return refuse(search, REQUESTER_UNSUPPORTED, 0,
			      "its PASID entry nests two stages, which are not followed");
	case IOMMUSER_VTD_PGTT_PASS_THROUGH:
		return refuse(search, REQUESTER_PASS_THROUGH, 0,
			      "its requests pass through untranslated");
	default:
		return refuse(search, REQUESTER_BLOCKED, FAULT_PASID_INVALID,
			      "its PASID entry is of no known type: DMA is blocked");
	}
}

static u32 fault_without_context(const struct iommuser_vtd_tables *tables,
				 const struct iommuser_vtd_context *context)
{
	if (tables->scalable)
		return context->table_present ? FAULT_SCALABLE_CONTEXT_NOT_PRESENT :
						FAULT_SCALABLE_ROOT_NOT_PRESENT;
	return context->table_present ? FAULT_CONTEXT_NOT_PRESENT : FAULT_ROOT_NOT_PRESENT;
}

static bool find_table(struct search *search)
{
	struct iommuser_vtd_context context;

	if (!find_unit(search))
		return false;
	search->requester->scalable = search->tables.scalable;
	if (iommuser_vtd_context(&search->tables, search->requester->bdf, &context))
		return refuse(search, REQUESTER_MISSING, 0,
			      "its root or context table can't be read");
	if (!context.present)
		return refuse(search, REQUESTER_BLOCKED,
			      fault_without_context(&search->tables, &context),
			      "its context entry is not present: DMA is blocked");
	return search->tables.scalable ? scalable_table(search, &context) :
					 legacy_table(search, &context);
}

bool requester_find(struct requester *requester, struct handover *handover, char *message,
		    size_t size)
{
	struct search search = {
		.requester = requester,
		.handover = handover,
		.tables = { .env = &handover->env },
		.message = message,
		.size = size,
	};

	message[0] = '\0';
	requester->status = REQUESTER_FOUND;
	requester->fault = 0;
	requester->table.env = &handover->env;
	requester->table.output_width = OUTPUT_WIDTH;
	return find_table(&search);
}
