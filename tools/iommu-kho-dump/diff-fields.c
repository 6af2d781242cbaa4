// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the objects of a diff say, field by field, as text. Addresses of records
 * and positions are left out: where a record is makes no difference.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "diff-objects.h"
#include "fields.h"

static char *new_field(struct diff_fields *fields, const char *name)
{
	if (fields->nr == DIFF_MAX_FIELDS)
		return fields->items[DIFF_MAX_FIELDS - 1].value;
	fields->items[fields->nr].name = name;
	fields->items[fields->nr].value[0] = 0;
	return fields->items[fields->nr++].value;
}

static void say_text(struct diff_fields *fields, const char *name, const char *text)
{
	snprintf(new_field(fields, name), DIFF_VALUE_SIZE, "%s", text);
}

static void say_untrusted(struct diff_fields *fields, const char *name, const char *bytes,
			  size_t size)
{
	escape_text(bytes, size, new_field(fields, name), DIFF_VALUE_SIZE);
}

static void say_hex(struct diff_fields *fields, const char *name, u64 value)
{
	snprintf(new_field(fields, name), DIFF_VALUE_SIZE, "0x%" PRIx64, value);
}

static void say_number(struct diff_fields *fields, const char *name, u64 value)
{
	snprintf(new_field(fields, name), DIFF_VALUE_SIZE, "%" PRIu64, value);
}

static void describe_handover(const struct handover *handover, struct diff_fields *fields)
{
	const struct iommuser_root *root = &handover->root;
	const struct kho *kho = &handover->kho;

	if (handover->has_kho) {
		say_untrusted(fields, "kho", kho->compatible, sizeof(kho->compatible));
		say_hex(fields, "fdt", kho->fdt_phys);
	}
	if (handover->has_kho && kho->metadata.present) {
		say_number(fields, "kexec_count", kho->metadata.kexec_count);
		say_untrusted(fields, "previous_release", kho->metadata.previous_release,
			      sizeof(kho->metadata.previous_release));
	}
	if (handover->has_luo) {
		say_untrusted(fields, "luo", handover->luo.compatible,
			      sizeof(handover->luo.compatible));
		say_number(fields, "liveupdate_number", handover->luo.liveupdate_num);
	}
	if (!handover->has_iommu)
		return;
	say_text(fields, "abi", root->revision->name);
	say_hex(fields, "root", handover->flb);
	if (root->revision->properties & IOMMUSER_REVISION_SEALED) {
		say_number(fields, "format_minor", root->minor);
		say_hex(fields, "generation", root->generation);
		say_untrusted(fields, "kernel_release", root->kernel_release,
			      sizeof(root->kernel_release));
	}
}

/* All extents in a few words that differ when any of them does. */
static void say_extents(struct diff_fields *fields, const struct memfd *memfd)
{
	uLong crc = crc32(0, NULL, 0);
	size_t i;

	if (!memfd->nr_extents) {
		say_text(fields, "memory", "none");
		return;
	}
	for (i = 0; i < memfd->nr_extents; i++)
		crc = crc32(crc, (const Bytef *)&memfd->extents[i], sizeof(memfd->extents[i]));
	snprintf(new_field(fields, "memory"), DIFF_VALUE_SIZE,
		 "%zu range%s, the first at 0x%" PRIx64 ", checksum 0x%08lx", memfd->nr_extents,
		 memfd->nr_extents == 1 ? "" : "s", memfd->extents[0].phys, crc);
}

static void describe_memfd(const struct memfd *memfd, bool map_known, struct diff_fields *fields)
{
	say_number(fields, "size", memfd->size);
	say_number(fields, "position", memfd->pos);
	if (memfd->version > 1) {
		say_hex(fields, "seals", memfd->seals);
		say_hex(fields, "flags", memfd->flags);
	}
	say_number(fields, "folio_records", memfd->nr_folios);
	if (!memfd->complete)
		return;
	say_number(fields, "folios", memfd->nr_present);
	if (map_known && memfd->length_from == MEMFD_LENGTH_BLOCK) {
		say_number(fields, "folio_bytes", memfd->folios_bytes);
		say_extents(fields, memfd);
	}
}

static int compare_pointers(const void *a, const void *b)
{
	return (uintptr_t)a < (uintptr_t)b ? -1 : (uintptr_t)a > (uintptr_t)b;
}

/* The files are in the order of LUO's. */
static int compare_files(const void *key, const void *element)
{
	const struct iommu_file *wanted = key, *file = element;
	int order = compare_pointers(wanted->session, file->session);

	return order ? order : compare_pointers(wanted->file, file->file);
}

static void describe_iommu_file(const struct handover *handover, const struct luo_session *session,
				const struct luo_file *file, struct diff_fields *fields)
{
	const struct iommu_file wanted = { .session = session, .file = file };
	const struct iommu_file *found = NULL;

	if (handover->files.nr)
		found = bsearch(&wanted, handover->files.items, handover->files.nr, sizeof(wanted),
				compare_files);
	if (!found || !found->readable)
		return;
	if (found->own_format || !found->is_iommufd)
		say_hex(fields, "iommufd_token", found->iommufd_token);
	if (found->is_iommufd) {
		say_number(fields, "hwpts", found->nr_hwpts);
		return;
	}
	say_number(fields, "segment", found->segment);
	say_hex(fields, "bdf", found->bdf);
}

static void describe_file(const struct handover *handover, const struct diff_object *object,
			  struct diff_fields *fields)
{
	const struct luo_session *session = &handover->luo.sessions[object->position];
	const struct luo_file *file = &session->files[object->minor];

	say_untrusted(fields, "compatible", file->compatible, sizeof(file->compatible));
	say_hex(fields, "data", file->data);
	if (file->memfd)
		describe_memfd(file->memfd, handover->has_pages && handover->pages.complete,
			       fields);
	describe_iommu_file(handover, session, file, fields);
}

/* A reference may lead to a record that the image lacks: then it is not told where. */
static bool is_told(const struct handover *handover, u64 phys, u32 kind)
{
	u64 position;

	return !handover_lacks(handover, kind) ||
	       !iommuser_graph_resolve(&handover->graph, phys, kind, &position);
}

/* A domain has a name when it is live. */
static void say_domain(const struct diff_side *side, struct diff_fields *fields, u64 phys)
{
	u64 position;

	if (!is_told(side->handover, phys, IOMMUSER_KIND_DOMAIN))
		return;
	if (!iommuser_graph_resolve(&side->handover->graph, phys, IOMMUSER_KIND_DOMAIN,
				    &position) &&
	    side->domains[position])
		say_text(fields, "domain", side->domains[position]);
	else
		say_text(fields, "domain", "no live record");
}

static void say_reference(const struct diff_side *side, struct diff_fields *fields,
			  const char *name, u64 phys, u32 kind)
{
	const struct handover *handover = side->handover;
	union iommuser_record record;
	u64 position;

	if (!is_told(handover, phys, kind))
		return;
	if (iommuser_graph_resolve(&handover->graph, phys, kind, &position) ||
	    !diff_live(handover, kind, position, &record))
		say_text(fields, name, "no live record");
	else
		diff_name_record(handover, kind, &record, new_field(fields, name), DIFF_VALUE_SIZE);
}

/* As in iommuser-v1 an address is behind it, only the token is the same in every image. */
static void say_owner(const struct handover *handover, struct diff_fields *fields, u64 iommufd)
{
	u64 token;

	if (iommu_files_token(&handover->files, handover->source, &handover->root, iommufd, &token))
		say_hex(fields, "owner_token", token);
}

/* Nonzero words of an array of them. */
static void say_words(struct diff_fields *fields, const char *name, const u64 *words, size_t nr)
{
	char *value = new_field(fields, name);
	size_t used = 0, i;

	for (i = 0; i < nr && used < DIFF_VALUE_SIZE; i++)
		if (words[i])
			used += (size_t)snprintf(value + used, DIFF_VALUE_SIZE - used,
						 "%s[%zu]=0x%" PRIx64, used ? " " : "", i,
						 words[i]);
	if (!used)
		snprintf(value, DIFF_VALUE_SIZE, "0x0");
}

static const char *name_of_value(u32 field, u64 value)
{
	static const char *const stages[] = { NULL, "first-stage", "second-stage" };
	static const char *const modes[] = { NULL, "legacy", "scalable" };
	static const char *const types[] = { NULL, "intel", "arm-smmu-v3" };

	if (!value || value > 2)
		return NULL;
	if (field == IOMMUSER_FIELD_STAGE)
		return stages[value];
	if (field == IOMMUSER_FIELD_MODE)
		return modes[value];
	return types[value];
}

static bool is_count(u32 field)
{
	static const u8 counts[] = {
		IOMMUSER_FIELD_REF_COUNT,     IOMMUSER_FIELD_SEGMENT,
		IOMMUSER_FIELD_FIRST_DID,     IOMMUSER_FIELD_HOST_ADDRESS_WIDTH,
		IOMMUSER_FIELD_DID_LIMIT,     IOMMUSER_FIELD_RESTORED,
		IOMMUSER_FIELD_FORMAT,	      IOMMUSER_FIELD_TOP_LEVEL,
		IOMMUSER_FIELD_INPUT_WIDTH,   IOMMUSER_FIELD_OUTPUT_WIDTH,
		IOMMUSER_FIELD_SIGN_EXTEND,   IOMMUSER_FIELD_NR_TABLE_PAGES,
		IOMMUSER_FIELD_DID,	      IOMMUSER_FIELD_GROUP_SIZE,
		IOMMUSER_FIELD_PASID_ENTRIES, IOMMUSER_FIELD_RID_PASID,
		IOMMUSER_FIELD_CDTAB_NR_L2,
	};

	return memchr(counts, (int)field, sizeof(counts));
}

/* Positions, what identifies a record, and where the kernel that wrote it kept an object. */
static bool is_left_out(u32 kind, u32 field)
{
	switch (field) {
	case IOMMUSER_FIELD_INDEX:
	case IOMMUSER_FIELD_BDF:
	case IOMMUSER_FIELD_PASID:
	case IOMMUSER_FIELD_TOKEN:
	case IOMMUSER_FIELD_IOMMUFD_TOKEN:
	case IOMMUSER_FIELD_HWPT_TOKEN:
	case IOMMUSER_FIELD_RESTORED_DOMAIN:
		return true;
	case IOMMUSER_FIELD_SEGMENT:
		return kind != IOMMUSER_KIND_IOMMU;
	case IOMMUSER_FIELD_DEVICE:
		return kind == IOMMUSER_KIND_ATTACHMENT;
	default:
		return false;
	}
}

static void say_row(const struct diff_side *side, struct diff_fields *fields,
		    const struct iommuser_field_row *row, u32 kind,
		    const union iommuser_record *record)
{
	const u64 *values = (const u64 *)((const void *)record) + row->memory / sizeof(u64);
	const char *name = iommuser_field_name(row->field);
	const char *word;

	if (row->width > sizeof(u64)) {
		say_words(fields, name, values, row->width / sizeof(u64));
		return;
	}
	switch (row->field) {
	case IOMMUSER_FIELD_DOMAIN:
		say_domain(side, fields, *values);
		return;
	case IOMMUSER_FIELD_IOMMU:
		say_reference(side, fields, name, *values, IOMMUSER_KIND_IOMMU);
		return;
	case IOMMUSER_FIELD_DEVICE:
		say_reference(side, fields, name, *values, IOMMUSER_KIND_DEVICE);
		return;
	case IOMMUSER_FIELD_OWNER_TOKEN:
		say_owner(side->handover, fields, *values);
		return;
	case IOMMUSER_FIELD_STAGE:
	case IOMMUSER_FIELD_MODE:
	case IOMMUSER_FIELD_TYPE:
		word = kind == IOMMUSER_KIND_ALIAS || kind == IOMMUSER_KIND_DEVICE ?
			       NULL :
			       name_of_value(row->field, *values);
		if (word)
			say_text(fields, name, word);
		else
			say_number(fields, name, *values);
		return;
	default:
		if (is_count(row->field))
			say_number(fields, name, *values);
		else
			say_hex(fields, name, *values);
	}
}

/* The type of the unit that a record belongs to. */
static u64 variant_of(const struct handover *handover, u32 kind,
		      const union iommuser_record *record)
{
	union iommuser_record unit;
	u64 position;

	if (kind == IOMMUSER_KIND_IOMMU)
		return record->iommu.type;
	if (kind != IOMMUSER_KIND_DEVICE ||
	    iommuser_graph_resolve(&handover->graph, record->device.iommu, IOMMUSER_KIND_IOMMU,
				   &position) ||
	    iommuser_graph_read(&handover->graph, IOMMUSER_KIND_IOMMU, position, &unit))
		return 0;
	return unit.iommu.type;
}

static void describe_record(const struct diff_side *side, u32 kind, u64 position,
			    struct diff_fields *fields)
{
	const struct handover *handover = side->handover;
	const struct iommuser_record_layout *layout = &handover->root.revision->kinds[kind];
	const struct iommuser_field_row *row;
	union iommuser_record record;
	u64 variant;
	u32 i;

	if (!diff_live(handover, kind, position, &record))
		return;
	variant = variant_of(handover, kind, &record);
	for (i = 0; i < layout->nr_rows; i++) {
		row = &layout->rows[i];
		if ((!row->variant || row->variant == variant) && !is_left_out(kind, row->field))
			say_row(side, fields, row, kind, &record);
	}
	if (kind <= IOMMUSER_KIND_DEVICE && handover->has_states[kind])
		say_text(fields, "state",
			 iommuser_state_name(
				 iommuser_graph_state(&handover->graph, kind, position)));
}

static void describe_hwpt(const struct diff_side *side, const struct diff_object *object,
			  struct diff_fields *fields)
{
	const struct handover *handover = side->handover;

	if (handover->root.revision->kinds[IOMMUSER_KIND_HWPT].size)
		describe_record(side, IOMMUSER_KIND_HWPT, object->position, fields);
	else
		say_domain(side, fields,
			   handover->files.items[object->position].hwpts[object->minor].domain);
}

static void describe_flb(const struct luo_flb *flb, struct diff_fields *fields)
{
	say_hex(fields, "data", flb->data);
	say_number(fields, "files", flb->count);
}

void diff_describe(const struct diff_side *side, const struct diff_object *object,
		   struct diff_fields *fields)
{
	const struct handover *handover = side->handover;

	fields->nr = 0;
	switch (object->kind) {
	case DIFF_HANDOVER:
		describe_handover(handover, fields);
		break;
	case DIFF_SESSION: /* it has a name, and files, which are objects of their own */
		break;
	case DIFF_FILE:
		describe_file(handover, object, fields);
		break;
	case DIFF_FLB:
		describe_flb(&handover->luo.flbs[object->position], fields);
		break;
	case DIFF_IOMMU:
		describe_record(side, IOMMUSER_KIND_IOMMU, object->position, fields);
		break;
	case DIFF_DOMAIN:
		describe_record(side, IOMMUSER_KIND_DOMAIN, object->position, fields);
		break;
	case DIFF_DEVICE:
		describe_record(side, IOMMUSER_KIND_DEVICE, object->position, fields);
		break;
	case DIFF_ALIAS:
		describe_record(side, IOMMUSER_KIND_ALIAS, object->position, fields);
		break;
	case DIFF_ATTACHMENT:
		describe_record(side, IOMMUSER_KIND_ATTACHMENT, object->position, fields);
		break;
	default:
		describe_hwpt(side, object, fields);
		break;
	}
}
