// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * IOMMU records, and VT-d tables without records, as JSON objects.
 */
#include "model-iommu.h"

#include <stdio.h>
#include <stdlib.h>

#include <iommuser/vtd.h>

#include "fields.h"

/* What the kinds of records have in common. */
#define FIELD_INDEX                                                                            \
	OUTPUT_FIELD("index", OUTPUT_NUMBER, "position in the chain, deleted records counted", \
		     .heading = "#")
#define FIELD_STATE                                                                  \
	OUTPUT_FIELD("state", OUTPUT_TEXT,                                           \
		     "where it stands after the jump; only where the image says it", \
		     .heading = "state", .flags = OUTPUT_OPTIONAL, .values = state_names)
#define FIELDS_COMMON(ref_count_heading)                                         \
	OUTPUT_FIELD("ref_count", OUTPUT_NUMBER, "how many records refer to it", \
		     .heading = (ref_count_heading)),                            \
		OUTPUT_FIELD("phys", OUTPUT_HEX, "address of the record"),       \
		OUTPUT_FIELD("deleted", OUTPUT_FLAG, "it was unpreserved again", \
			     .heading = "deleted"),                              \
		OUTPUT_FIELDS_END
/* Only layouts that record it have it. */
#define FIELD_RECORDED(name, holds, meaning) \
	OUTPUT_FIELD(name, holds, meaning, .flags = OUTPUT_OPTIONAL)

static const char *const state_names[] = { "deleted",	  "preserved", "claimed",   "restored",
					   "handed-over", "left",      "abandoned", "finished",
					   "unknown",	  NULL };
static const char *const unit_type_names[] = { "intel", "arm-smmu-v3", "unknown", NULL };
static const char *const unit_mode_names[] = { "legacy", "scalable", "unknown", NULL };
static const char *const vtd_mode_names[] = { "legacy", "scalable", NULL };
static const char *const format_names[] = { "first-stage", "second-stage", "unknown", NULL };
static const char *const stage_names[] = { "first-stage", "second-stage", NULL };
static const char *const alias_type_names[] = { "dma-alias", "real-dma-parent", NULL };

static const struct output_field iommu_fields[] = {
	FIELD_INDEX,
	OUTPUT_FIELD("type", OUTPUT_TEXT, "whose IOMMU it is", .heading = "type",
		     .values = unit_type_names),
	OUTPUT_FIELD("token", OUTPUT_HEX, "what tells it from others: its register base",
		     .heading = "token"),
	OUTPUT_FIELD("root_table", OUTPUT_HEX, "address of its root table",
		     .heading = "root table"),
	OUTPUT_FIELD("mode", OUTPUT_TEXT, "of its tables", .heading = "mode",
		     .values = unit_mode_names),
	FIELD_RECORDED("segment", OUTPUT_NUMBER, "PCI segment of its devices"),
	FIELD_RECORDED("host_address_width", OUTPUT_NUMBER, "bits of a physical address"),
	FIELD_RECORDED("cap", OUTPUT_HEX, "its capability register"),
	FIELD_RECORDED("ecap", OUTPUT_HEX, "its extended capability register"),
	FIELD_RECORDED("first_did", OUTPUT_NUMBER, "lowest domain ID that may be handed over"),
	FIELD_RECORDED("did_limit", OUTPUT_NUMBER, "one more than the highest domain ID"),
	FIELD_STATE,
	FIELDS_COMMON("devices"),
};

const struct output_object output_iommu = {
	.name = "iommu",
	.what = "a record of an IOMMU",
	.fields = iommu_fields,
};

static const struct output_field domain_fields[] = {
	FIELD_INDEX,
	OUTPUT_FIELD("format", OUTPUT_TEXT, "of its page tables", .heading = "format",
		     .values = format_names),
	OUTPUT_FIELD("top_table", OUTPUT_HEX, "address of its uppermost page table",
		     .heading = "top table"),
	OUTPUT_FIELD("top_level", OUTPUT_NUMBER, "level of that table; 0 is the lowest",
		     .heading = "top level"),
	FIELD_RECORDED("input_width", OUTPUT_NUMBER, "bits of an IOVA"),
	FIELD_RECORDED("output_width", OUTPUT_NUMBER, "bits of a physical address"),
	FIELD_RECORDED("features", OUTPUT_HEX, "what its page tables make use of"),
	FIELD_RECORDED("page_size_bitmap", OUTPUT_HEX, "bit n: pages of 2^n bytes are allowed"),
	FIELD_RECORDED("table_pages", OUTPUT_NUMBER, "how many pages its tables are"),
	FIELD_STATE,
	FIELDS_COMMON(NULL),
};

const struct output_object output_domain = {
	.name = "domain",
	.what = "a record of a domain",
	.fields = domain_fields,
};

static const struct output_field device_fields[] = {
	FIELD_INDEX,
	OUTPUT_FIELD("bdf", OUTPUT_TEXT, "segment:bus:device.function", .heading = "device"),
	OUTPUT_FIELD("domain", OUTPUT_NUMBER,
		     "index of the domain of its requests without PASID; null: there is none",
		     .heading = "domain", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("iommu", OUTPUT_NUMBER, "index of its IOMMU; null: there is none",
		     .heading = "iommu", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("did", OUTPUT_NUMBER, "domain ID in the tables of its IOMMU", .heading = "DID",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("owner_token", OUTPUT_HEX, "LUO token of the iommufd that owns it",
		     .heading = "owner", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("pasid_table", OUTPUT_HEX, "address of its PASID directory, or 0x0",
		     .heading = "PASID table"),
	OUTPUT_FIELD("pasid_entries", OUTPUT_NUMBER, "how many PASIDs that has room for"),
	FIELD_RECORDED("owner", OUTPUT_HEX, "what the record has of its owner"),
	FIELD_RECORDED("rid_pasid", OUTPUT_NUMBER, "PASID of its requests without PASID"),
	FIELD_RECORDED("group_size", OUTPUT_NUMBER, "how many devices its IOMMU group has"),
	FIELD_RECORDED("device_flags", OUTPUT_HEX, "as in its record"),
	OUTPUT_FIELD("stale", OUTPUT_FLAG, "its domain is deleted", .flags = OUTPUT_OPTIONAL),
	FIELD_STATE,
	FIELDS_COMMON(NULL),
};

const struct output_object output_device = {
	.name = "device",
	.what = "a record of a device",
	.fields = device_fields,
};

static const struct output_field alias_fields[] = {
	FIELD_INDEX,
	OUTPUT_FIELD("bdf", OUTPUT_TEXT, "requester ID: segment:bus:device.function",
		     .heading = "requester"),
	OUTPUT_FIELD("device", OUTPUT_NUMBER, "index of the device; null: there is none",
		     .heading = "of device", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("type", OUTPUT_TEXT, "why the device uses this requester ID",
		     .heading = "type", .values = alias_type_names),
	FIELDS_COMMON(NULL),
};

const struct output_object output_alias = {
	.name = "alias",
	.what = "a record of a further requester ID of a device",
	.fields = alias_fields,
};

static const struct output_field attachment_fields[] = {
	FIELD_INDEX,
	OUTPUT_FIELD("device", OUTPUT_NUMBER, "index of the device; null: there is none",
		     .heading = "device", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("domain", OUTPUT_NUMBER, "index of the domain; null: there is none",
		     .heading = "domain", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("pasid", OUTPUT_NUMBER, "null: requests without PASID", .heading = "PASID",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("did", OUTPUT_NUMBER, "domain ID in the tables of the IOMMU",
		     .heading = "DID"),
	FIELDS_COMMON(NULL),
};

const struct output_object output_attachment = {
	.name = "attachment",
	.what = "a record of what a device, or one PASID of it, uses",
	.fields = attachment_fields,
};

static const struct output_field hwpt_fields[] = {
	FIELD_INDEX,
	OUTPUT_FIELD("iommufd_token", OUTPUT_HEX, "LUO token of its iommufd", .heading = "iommufd",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("iommufd", OUTPUT_HEX, "what the record has of its iommufd"),
	OUTPUT_FIELD("hwpt_token", OUTPUT_HEX, "what the VMM calls it", .heading = "HWPT token"),
	OUTPUT_FIELD("domain", OUTPUT_NUMBER, "index of the domain; null: there is none",
		     .heading = "domain", .flags = OUTPUT_NULL),
	FIELDS_COMMON(NULL),
};

const struct output_object output_hwpt = {
	.name = "hwpt",
	.what = "a record of a hardware page table of an iommufd",
	.fields = hwpt_fields,
};

/* VT-d tables as the hardware reads them. */

static const char *const pasid_type_names[] = { "first-stage",	"second-stage", "nested",
						"pass-through", "reserved",	NULL };
static const char *const context_type_names[] = { "translated", "translated, device-TLB",
						  "pass-through", "reserved", NULL };

static const struct output_field pasid_fields[] = {
	OUTPUT_FIELD("pasid", OUTPUT_NUMBER, "the PASID"),
	OUTPUT_FIELD("phys", OUTPUT_HEX, "address of the entry"),
	OUTPUT_FIELD("type", OUTPUT_TEXT, "how it translates", .values = pasid_type_names),
	OUTPUT_FIELD("did", OUTPUT_NUMBER, "domain ID"),
	OUTPUT_FIELD("stage", OUTPUT_TEXT, "of its page tables", .flags = OUTPUT_OPTIONAL,
		     .values = stage_names),
	OUTPUT_FIELD("top_table", OUTPUT_HEX, "address of its uppermost page table",
		     .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("levels", OUTPUT_NUMBER, "of its page tables", .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("entry", OUTPUT_HEXES, "the entry's first three words, lowest first"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_pasid = {
	.name = "pasid",
	.what = "a present entry of a PASID table",
	.fields = pasid_fields,
};

static const struct output_field context_fields[] = {
	OUTPUT_FIELD("bdf", OUTPUT_TEXT, "bus:device.function"),
	OUTPUT_FIELD("root_entry", OUTPUT_TEXT, "high and low word, as in the kernel's debugfs"),
	OUTPUT_FIELD("context_entry", OUTPUT_TEXT, "high and low word, as in the kernel's debugfs"),
	OUTPUT_FIELD("phys", OUTPUT_HEX, "address of the context entry"),
	OUTPUT_FIELD("pasid_directory", OUTPUT_HEX, "scalable mode: its address",
		     .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("pasid_entries", OUTPUT_NUMBER, "scalable mode: PASIDs that it has room for",
		     .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("rid_pasid", OUTPUT_NUMBER,
		     "scalable mode: the PASID of requests without PASID",
		     .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("pasids", OUTPUT_OBJECTS, "scalable mode: its present PASID entries",
		     .object = &output_pasid, .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("unreadable_pasid_tables", OUTPUT_NUMBER,
		     "scalable mode: how many the image lacks", .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("type", OUTPUT_TEXT, "legacy mode: how it translates",
		     .flags = OUTPUT_OPTIONAL, .values = context_type_names),
	OUTPUT_FIELD("did", OUTPUT_NUMBER, "legacy mode: domain ID", .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("stage", OUTPUT_TEXT, "legacy mode: of its page tables",
		     .flags = OUTPUT_OPTIONAL, .values = stage_names),
	OUTPUT_FIELD("top_table", OUTPUT_HEX, "legacy mode: address of its uppermost page table",
		     .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("levels", OUTPUT_NUMBER, "legacy mode: of its page tables",
		     .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_context = {
	.name = "context",
	.what = "a present context entry",
	.fields = context_fields,
};

static const struct output_field vtd_root_fields[] = {
	OUTPUT_FIELD("root_table", OUTPUT_HEX, "its address"),
	OUTPUT_FIELD("mode", OUTPUT_TEXT, "how it was read", .values = vtd_mode_names),
	OUTPUT_FIELD("mode_chosen_by", OUTPUT_TEXT, "how the mode is known"),
	OUTPUT_FIELD("contexts", OUTPUT_OBJECTS, "its present context entries",
		     .object = &output_context),
	OUTPUT_FIELD("unreadable_tables", OUTPUT_NUMBER, "how many tables the image lacks"),
	OUTPUT_FIELDS_END,
};

const struct output_object output_vtd_root = {
	.name = "vtd_root",
	.what = "a VT-d root table, read without records",
	.fields = vtd_root_fields,
};

/* Everything that the records of one handover share. */
struct records_model {
	struct handover *handover;
	const struct iommuser_revision *revision;
	const struct iommuser_graph *graph;
	u8 *modes;  /* of units, where records do not say it */
	u8 *stages; /* of domains, where records do not say it */
};

static bool has_field(const struct records_model *model, u32 kind, enum iommuser_field field)
{
	return iommuser_revision_has(model->revision, kind, field);
}

static void put_reference(const struct records_model *model, struct json_object *object,
			  const char *key, u64 phys, u32 kind)
{
	u64 position;

	if (iommuser_graph_resolve(model->graph, phys, kind, &position))
		put_null(object, key);
	else
		put_number(object, key, position);
}

static const char *unit_type_name(u64 type)
{
	switch (type) {
	case IOMMUSER_IOMMU_TYPE_INTEL:
		return "intel";
	case IOMMUSER_IOMMU_TYPE_ARM_SMMUV3:
		return "arm-smmu-v3";
	default:
		return "unknown";
	}
}

static const char *mode_name(u64 mode)
{
	switch (mode) {
	case IOMMUSER_IOMMU_MODE_LEGACY:
		return "legacy";
	case IOMMUSER_IOMMU_MODE_SCALABLE:
		return "scalable";
	default:
		return "unknown";
	}
}

static void put_iommu(const struct records_model *model, struct json_object *object,
		      const struct iommuser_iommu *iommu, u64 position)
{
	bool own = has_field(model, IOMMUSER_KIND_IOMMU, IOMMUSER_FIELD_MODE);

	put_text(object, "type", unit_type_name(iommu->type));
	put_hex(object, "token", iommu->token);
	put_hex(object, "root_table", iommu->root_table);
	put_text(object, "mode", mode_name(own ? iommu->mode : model->modes[position]));
	if (own) {
		put_number(object, "segment", iommu->segment);
		put_number(object, "host_address_width", iommu->host_address_width);
		put_hex(object, "cap", iommu->cap);
		put_hex(object, "ecap", iommu->ecap);
		put_number(object, "first_did", iommu->first_did);
		put_number(object, "did_limit", iommu->did_limit);
	}
}

static void put_domain(const struct records_model *model, struct json_object *object,
		       const struct iommuser_domain *domain, u64 position)
{
	u64 stage = domain->stage ? domain->stage : model->stages[position];

	put_text(object, "format",
		 stage == IOMMUSER_STAGE_FIRST	? "first-stage" :
		 stage == IOMMUSER_STAGE_SECOND ? "second-stage" :
						  "unknown");
	put_hex(object, "top_table", domain->top_table);
	put_number(object, "top_level", domain->top_level);
	if (has_field(model, IOMMUSER_KIND_DOMAIN, IOMMUSER_FIELD_INPUT_WIDTH))
		put_number(object, "input_width", domain->input_width);
	if (has_field(model, IOMMUSER_KIND_DOMAIN, IOMMUSER_FIELD_FEATURES)) {
		put_number(object, "output_width", domain->output_width);
		put_hex(object, "features", domain->features);
		put_hex(object, "page_size_bitmap", domain->page_size_bitmap);
		put_number(object, "table_pages", domain->nr_table_pages);
	}
}

/* The LUO token of an iommufd, by what a record has of it. */
static void put_token(const struct records_model *model, struct json_object *object,
		      const char *key, u64 iommufd)
{
	struct handover *handover = model->handover;
	u64 token;

	if (iommu_files_token(&handover->files, handover->source, &handover->root, iommufd, &token))
		put_hex(object, key, token);
	else
		put_null(object, key);
}

static void put_device(const struct records_model *model, struct json_object *object,
		       const struct iommuser_device *device, u64 position)
{
	u64 domain, did;

	put_bdf(object, device->segment, device->bdf);
	if (iommuser_graph_device_domain(model->graph, position, device, &domain, &did)) {
		put_null(object, "domain");
		put_reference(model, object, "iommu", device->iommu, IOMMUSER_KIND_IOMMU);
		put_null(object, "did");
	} else {
		put_reference(model, object, "domain", domain, IOMMUSER_KIND_DOMAIN);
		put_reference(model, object, "iommu", device->iommu, IOMMUSER_KIND_IOMMU);
		put_number(object, "did", did);
	}
	if (has_field(model, IOMMUSER_KIND_DEVICE, IOMMUSER_FIELD_OWNER_TOKEN))
		put_token(model, object, "owner_token", device->owner_token);
	else
		put_null(object, "owner_token");
	put_hex(object, "pasid_table", device->pasid_directory);
	put_number(object, "pasid_entries", device->pasid_entries);
	if (has_field(model, IOMMUSER_KIND_DEVICE, IOMMUSER_FIELD_GROUP_SIZE)) {
		put_hex(object, "owner", device->owner_token);
		put_number(object, "rid_pasid", device->rid_pasid);
		put_number(object, "group_size", device->group_size);
		put_hex(object, "device_flags", device->device_flags);
	}
	if (iommuser_graph_device_stale(model->graph, device))
		put_flag(object, "stale", true);
}

static void put_alias(const struct records_model *model, struct json_object *object,
		      const struct iommuser_alias *alias)
{
	put_bdf(object, alias->segment, alias->bdf);
	put_reference(model, object, "device", alias->device, IOMMUSER_KIND_DEVICE);
	put_text(object, "type",
		 alias->type == IOMMUSER_ALIAS_DMA ? "dma-alias" : "real-dma-parent");
}

static void put_attachment(const struct records_model *model, struct json_object *object,
			   const struct iommuser_attachment *attachment)
{
	put_reference(model, object, "device", attachment->device, IOMMUSER_KIND_DEVICE);
	put_reference(model, object, "domain", attachment->domain, IOMMUSER_KIND_DOMAIN);
	if (attachment->attachment_flags & IOMMUSER_ATTACHMENT_HAS_PASID)
		put_number(object, "pasid", attachment->pasid);
	else
		put_null(object, "pasid");
	put_number(object, "did", attachment->did);
}

static void put_hwpt(const struct records_model *model, struct json_object *object,
		     const struct iommuser_hwpt *hwpt)
{
	put_token(model, object, "iommufd_token", hwpt->iommufd_token);
	put_hex(object, "iommufd", hwpt->iommufd_token);
	put_hex(object, "hwpt_token", hwpt->hwpt_token);
	put_reference(model, object, "domain", hwpt->domain, IOMMUSER_KIND_DOMAIN);
}

static void put_record(const struct records_model *model, struct json_object *object, u32 kind,
		       u64 position, const union iommuser_record *record)
{
	switch (kind) {
	case IOMMUSER_KIND_IOMMU:
		put_iommu(model, object, &record->iommu, position);
		break;
	case IOMMUSER_KIND_DOMAIN:
		put_domain(model, object, &record->domain, position);
		break;
	case IOMMUSER_KIND_DEVICE:
		put_device(model, object, &record->device, position);
		break;
	case IOMMUSER_KIND_ALIAS:
		put_alias(model, object, &record->alias);
		break;
	case IOMMUSER_KIND_ATTACHMENT:
		put_attachment(model, object, &record->attachment);
		break;
	default:
		put_hwpt(model, object, &record->hwpt);
		break;
	}
}

/* Where a record of the incoming handover stands, if the image says it. */
static void put_state(const struct records_model *model, struct json_object *object, u32 kind,
		      u64 position, bool deleted)
{
	if (kind > IOMMUSER_KIND_DEVICE || !model->handover->has_states[kind])
		return;
	put_text(object, "state",
		 deleted ? "deleted" :
			   iommuser_state_name(iommuser_graph_state(model->graph, kind, position)));
}

static struct json_object *model_kind(const struct records_model *model, u32 kind)
{
	static const struct output_object *const kinds[IOMMUSER_NR_KINDS + 1] = {
		[IOMMUSER_KIND_IOMMU] = &output_iommu,
		[IOMMUSER_KIND_DOMAIN] = &output_domain,
		[IOMMUSER_KIND_DEVICE] = &output_device,
		[IOMMUSER_KIND_ALIAS] = &output_alias,
		[IOMMUSER_KIND_ATTACHMENT] = &output_attachment,
		[IOMMUSER_KIND_HWPT] = &output_hwpt,
	};
	struct json_object *array = json_object_new_array();
	struct json_object *object;
	union iommuser_record record;
	bool deleted;
	u64 i;

	for (i = 0; model->handover->has_iommu && i < iommuser_graph_count(model->graph, kind);
	     i++) {
		if (iommuser_graph_read(model->graph, kind, i, &record))
			continue;
		object = output_new(kinds[kind]);
		put_number(object, "index", i);
		put_record(model, object, kind, i, &record);
		deleted = record.common.flags & IOMMUSER_FLAG_DELETED;
		put_state(model, object, kind, i, deleted);
		put_number(object, "ref_count", record.common.ref_count);
		put_hex(object, "phys", record.common.phys);
		put_flag(object, "deleted", deleted);
		json_object_array_add(array, object);
	}
	return array;
}

/* The stage that the hardware uses a device's domain with; 0 when the tables do not tell. */
static u32 stage_of_device(const struct records_model *model, const struct iommuser_device *device)
{
	struct iommuser_vtd_tables tables = { &model->handover->env, 0, false };
	struct iommuser_vtd_directory directory;
	struct iommuser_vtd_context context;
	struct iommuser_vtd_pasid entry;
	union iommuser_record unit;
	u64 position;

	if (!device->pasid_directory)
		return IOMMUSER_STAGE_SECOND; /* legacy mode knows no other */
	if (device->bdf > 0xffff ||
	    iommuser_graph_resolve(model->graph, device->iommu, IOMMUSER_KIND_IOMMU, &position) ||
	    iommuser_graph_read(model->graph, IOMMUSER_KIND_IOMMU, position, &unit))
		return 0;
	tables.root_table = unit.iommu.root_table;
	tables.scalable = true;
	if (unit.iommu.type != IOMMUSER_IOMMU_TYPE_INTEL ||
	    iommuser_vtd_context(&tables, (u32)device->bdf, &context) || !context.present)
		return 0;
	iommuser_vtd_directory_of(tables.env, &context, &directory);
	if (context.rid_pasid >= directory.nr_pasids ||
	    iommuser_vtd_pasid(&directory, context.rid_pasid, &entry) || !entry.present)
		return 0;
	if (entry.type == IOMMUSER_VTD_PGTT_FIRST)
		return IOMMUSER_STAGE_FIRST;
	return entry.type == IOMMUSER_VTD_PGTT_SECOND ? IOMMUSER_STAGE_SECOND : 0;
}

/* What the devices tell about their units and domains. */
static void learn_from_device(const struct records_model *model,
			      const struct iommuser_device *device)
{
	u64 unit, domain;

	if (!iommuser_graph_resolve(model->graph, device->iommu, IOMMUSER_KIND_IOMMU, &unit) &&
	    !model->modes[unit])
		model->modes[unit] = device->pasid_directory ? IOMMUSER_IOMMU_MODE_SCALABLE :
							       IOMMUSER_IOMMU_MODE_LEGACY;
	if (device->domain &&
	    !iommuser_graph_resolve(model->graph, device->domain, IOMMUSER_KIND_DOMAIN, &domain) &&
	    !model->stages[domain])
		model->stages[domain] = (u8)stage_of_device(model, device);
}

static void learn(const struct records_model *model)
{
	union iommuser_record record;
	u64 i;

	for (i = 0; i < iommuser_graph_count(model->graph, IOMMUSER_KIND_DEVICE); i++)
		if (!iommuser_graph_read(model->graph, IOMMUSER_KIND_DEVICE, i, &record) &&
		    !(record.common.flags & IOMMUSER_FLAG_DELETED))
			learn_from_device(model, &record.device);
}

bool model_records(struct json_object *object, struct handover *handover)
{
	struct records_model model = { .handover = handover,
				       .revision = handover->root.revision,
				       .graph = &handover->graph };

	model.modes = calloc(iommuser_graph_count(model.graph, IOMMUSER_KIND_IOMMU) + 1, 1);
	model.stages = calloc(iommuser_graph_count(model.graph, IOMMUSER_KIND_DOMAIN) + 1, 1);
	if (!model.modes || !model.stages) {
		free(model.modes);
		free(model.stages);
		return false;
	}
	if (handover->has_iommu)
		learn(&model);
	put_object(object, "iommus", model_kind(&model, IOMMUSER_KIND_IOMMU));
	put_object(object, "domains", model_kind(&model, IOMMUSER_KIND_DOMAIN));
	put_object(object, "devices", model_kind(&model, IOMMUSER_KIND_DEVICE));
	if (model.revision && (model.revision->properties & IOMMUSER_REVISION_ATTACHMENTS)) {
		put_object(object, "aliases", model_kind(&model, IOMMUSER_KIND_ALIAS));
		put_object(object, "attachments", model_kind(&model, IOMMUSER_KIND_ATTACHMENT));
		put_object(object, "hwpts", model_kind(&model, IOMMUSER_KIND_HWPT));
	}
	free(model.modes);
	free(model.stages);
	return true;
}

/* VT-d tables without records */

static void put_second_stage(struct json_object *object, u64 table, u32 address_width)
{
	put_text(object, "stage", "second-stage");
	put_hex(object, "top_table", table);
	put_number(object, "levels", address_width + 2);
}

static struct json_object *model_pasid(u32 pasid, const struct iommuser_vtd_pasid *entry)
{
	static const char *const types[] = { "reserved", "first-stage",	 "second-stage",
					     "nested",	 "pass-through", "reserved",
					     "reserved", "reserved" };
	struct json_object *object = output_new(&output_pasid);
	struct json_object *words = json_object_new_array();
	char text[24];
	u32 i;

	put_number(object, "pasid", pasid);
	put_hex(object, "phys", entry->phys);
	put_text(object, "type", types[entry->type]);
	put_number(object, "did", entry->did);
	if (entry->type == IOMMUSER_VTD_PGTT_FIRST) {
		put_text(object, "stage", "first-stage");
		put_hex(object, "top_table", entry->first_stage);
		put_number(object, "levels", entry->first_stage_mode + 4);
	} else if (entry->type == IOMMUSER_VTD_PGTT_SECOND) {
		put_second_stage(object, entry->second_stage, entry->address_width);
	}
	for (i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "0x%016llx", (unsigned long long)entry->qw[i]);
		json_object_array_add(words, json_object_new_string(text));
	}
	put_object(object, "entry", words);
	return object;
}

static void put_pasids(struct json_object *object, const struct iommuser_env *env,
		       const struct iommuser_vtd_context *context)
{
	struct json_object *array = json_object_new_array();
	struct iommuser_vtd_directory directory;
	struct iommuser_vtd_pasid entry;
	u32 cursor = 0, pasid, missing = 0;
	int more;

	iommuser_vtd_directory_of(env, context, &directory);
	put_hex(object, "pasid_directory", directory.phys);
	put_number(object, "pasid_entries", directory.nr_pasids);
	put_number(object, "rid_pasid", context->rid_pasid);
	while ((more = iommuser_vtd_next_pasid(&directory, &cursor, &pasid, &entry))) {
		if (more < 0)
			missing++;
		else
			json_object_array_add(array, model_pasid(pasid, &entry));
	}
	put_object(object, "pasids", array);
	put_number(object, "unreadable_pasid_tables", missing);
}

static struct json_object *model_context(const struct iommuser_vtd_tables *tables, u32 bdf,
					 const struct iommuser_vtd_context *context)
{
	static const char *const types[] = { "translated", "translated, device-TLB", "pass-through",
					     "reserved" };
	struct iommuser_vtd_root_entry root = { 0, 0 };
	struct json_object *object = output_new(&output_context);
	char text[48];

	iommuser_vtd_root_entry(tables, bdf >> 8, &root);
	snprintf(text, sizeof(text), "%02x:%02x.%x", bdf >> 8, bdf >> 3 & 0x1f, bdf & 7);
	put_text(object, "bdf", text);
	snprintf(text, sizeof(text), "0x%016llx:0x%016llx", (unsigned long long)root.high,
		 (unsigned long long)root.low);
	put_text(object, "root_entry", text);
	snprintf(text, sizeof(text), "0x%016llx:0x%016llx", (unsigned long long)context->high,
		 (unsigned long long)context->low);
	put_text(object, "context_entry", text);
	put_hex(object, "phys", context->phys);
	if (tables->scalable) {
		put_pasids(object, tables->env, context);
		return object;
	}
	put_text(object, "type", types[context->translation_type]);
	put_number(object, "did", context->did);
	if (context->translation_type <= IOMMUSER_VTD_TT_TABLE_DEVICE_TLB)
		put_second_stage(object, context->table, context->address_width);
	return object;
}

struct json_object *model_vtd(const struct iommuser_env *env, const struct handover_vtd *vtd)
{
	const struct iommuser_vtd_tables tables = { env, vtd->phys, vtd->scalable };
	struct json_object *object = output_new(&output_vtd_root);
	struct json_object *array = json_object_new_array();
	struct iommuser_vtd_context context;
	u32 cursor = 0, bdf, missing = 0;
	int more;

	put_hex(object, "root_table", vtd->phys);
	put_text(object, "mode", vtd->scalable ? "scalable" : "legacy");
	put_text(object, "mode_chosen_by", vtd->how);
	while ((more = iommuser_vtd_next_context(&tables, &cursor, &bdf, &context))) {
		if (more < 0)
			missing++;
		else
			json_object_array_add(array, model_context(&tables, bdf, &context));
	}
	put_object(object, "contexts", array);
	put_number(object, "unreadable_tables", missing);
	return object;
}
