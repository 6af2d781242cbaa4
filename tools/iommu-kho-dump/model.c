// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Handovers as JSON objects: the summary, KHO, LUO, findings.
 */
#include "model.h"

#include <inttypes.h>
#include <string.h>

#include "fields.h"
#include "model-iommu.h"

static struct json_object *model_source(const struct handover *handover)
{
	struct json_object *object = json_object_new_object();

	put_text(object, "format", source_format(handover->source));
	put_number(object, "page_size", 1ULL << source_page_shift(handover->source));
	put_text(object, "origin", handover->origin);
	if (handover->nr_candidates)
		put_number(object, "kho_fdts_found", handover->nr_candidates);
	return object;
}

static struct json_object *model_subtrees(const struct kho *kho)
{
	struct json_object *array = json_object_new_array();
	struct json_object *item;
	size_t i;

	for (i = 0; i < kho->nr_subtrees; i++) {
		item = json_object_new_object();
		put_untrusted(item, "name", kho->subtrees[i].name, sizeof(kho->subtrees[i].name));
		put_hex(item, "data", kho->subtrees[i].phys);
		put_number(item, "size", kho->subtrees[i].size);
		json_object_array_add(array, item);
	}
	return array;
}

static struct json_object *model_kho(const struct handover *handover)
{
	const struct kho *kho = &handover->kho;
	struct json_object *object;

	if (!handover->has_kho)
		return NULL;
	object = json_object_new_object();
	put_hex(object, "fdt", kho->fdt_phys);
	put_untrusted(object, "compatible", kho->compatible, sizeof(kho->compatible));
	put_hex(object, "memory_map", kho->map);
	if (kho->metadata.present) {
		put_number(object, "kexec_count", kho->metadata.kexec_count);
		put_untrusted(object, "previous_release", kho->metadata.previous_release,
			      sizeof(kho->metadata.previous_release));
	} else {
		put_null(object, "kexec_count");
		put_null(object, "previous_release");
	}
	json_object_object_add(object, "subtrees", model_subtrees(kho));
	put_flag(object, "preserved_known", handover->has_pages && handover->pages.complete);
	put_number(object, "preserved_bytes",
		   handover->has_pages ? handover->pages.nr_pages * 4096 : 0);
	put_number(object, "preserved_blocks",
		   handover->has_pages ? handover->pages.stats.nr_blocks : 0);
	return object;
}

static struct json_object *model_luo(const struct handover *handover)
{
	const struct luo_state *luo = &handover->luo;
	struct json_object *object;

	if (!handover->has_luo)
		return NULL;
	object = json_object_new_object();
	put_hex(object, "state", luo->phys);
	put_untrusted(object, "compatible", luo->compatible, sizeof(luo->compatible));
	put_number(object, "liveupdate_number", luo->liveupdate_num);
	return object;
}

/* How large the folios are is in the memory map alone. */
static struct json_object *model_memfd(const struct memfd *memfd, bool map_known)
{
	struct json_object *object = json_object_new_object();

	put_number(object, "version", memfd->version);
	put_number(object, "size", memfd->size);
	put_number(object, "folios", memfd->nr_present);
	if (map_known)
		put_number(object, "folio_bytes", memfd->folios_bytes);
	else
		put_null(object, "folio_bytes");
	put_hex(object, "seals", memfd->seals);
	put_flag(object, "complete", memfd->complete);
	return object;
}

static struct json_object *model_file(const struct luo_file *file, bool map_known)
{
	struct json_object *object = json_object_new_object();

	put_untrusted(object, "compatible", file->compatible, sizeof(file->compatible));
	put_hex(object, "token", file->token);
	put_hex(object, "data", file->data);
	if (file->memfd)
		json_object_object_add(object, "memfd", model_memfd(file->memfd, map_known));
	return object;
}

static struct json_object *model_sessions(const struct handover *handover)
{
	bool map_known = handover->has_pages && handover->pages.complete;
	struct json_object *array = json_object_new_array();
	struct json_object *session, *files;
	size_t i, j;

	for (i = 0; handover->has_luo && i < handover->luo.nr_sessions; i++) {
		const struct luo_session *from = &handover->luo.sessions[i];

		session = json_object_new_object();
		put_untrusted(session, "name", from->name, sizeof(from->name));
		files = json_object_new_array();
		for (j = 0; j < from->nr_files; j++)
			json_object_array_add(files, model_file(&from->files[j], map_known));
		json_object_object_add(session, "files", files);
		put_flag(session, "complete", from->complete);
		json_object_array_add(array, session);
	}
	return array;
}

static struct json_object *model_flbs(const struct handover *handover)
{
	struct json_object *array = json_object_new_array();
	struct json_object *item;
	size_t i;

	for (i = 0; handover->has_luo && i < handover->luo.nr_flbs; i++) {
		item = json_object_new_object();
		put_untrusted(item, "name", handover->luo.flbs[i].name,
			      sizeof(handover->luo.flbs[i].name));
		put_hex(item, "data", handover->luo.flbs[i].data);
		put_number(item, "files", handover->luo.flbs[i].count);
		json_object_array_add(array, item);
	}
	return array;
}

static struct json_object *model_notes(const struct handover *handover)
{
	struct json_object *array = json_object_new_array();
	u32 i;

	for (i = 0; i < handover->nr_notes; i++)
		json_object_array_add(array, json_object_new_string(handover->notes[i]));
	return array;
}

static void put_abi(struct json_object *object, const struct handover *handover)
{
	const struct iommuser_root *root = &handover->root;

	if (!handover->has_flb || !root->revision) {
		put_null(object, "abi");
		put_null(object, "root");
		return;
	}
	put_text(object, "abi", root->revision->name);
	put_hex(object, "root", handover->flb);
	put_text(object, "abi_chosen_by", handover->abi_how);
	put_number(object, "format_version", root->version);
	if (root->revision->properties & IOMMUSER_REVISION_SEALED) {
		put_number(object, "format_minor", root->minor);
		put_hex(object, "generation", root->generation);
		put_untrusted(object, "kernel_release", root->kernel_release,
			      sizeof(root->kernel_release));
	}
}

struct json_object *model_show(struct handover *handover)
{
	struct json_object *object = json_object_new_object();
	struct json_object *vtd = json_object_new_array();
	u32 i;

	put_abi(object, handover);
	json_object_object_add(object, "source", model_source(handover));
	json_object_object_add(object, "kho", model_kho(handover));
	json_object_object_add(object, "luo", model_luo(handover));
	json_object_object_add(object, "sessions", model_sessions(handover));
	json_object_object_add(object, "flbs", model_flbs(handover));
	if (!model_records(object, handover)) {
		json_object_put(vtd);
		json_object_put(object);
		return NULL;
	}
	for (i = 0; i < handover->nr_vtd; i++)
		json_object_array_add(vtd, model_vtd(&handover->env, &handover->vtd[i]));
	json_object_object_add(object, "vtd_roots", vtd);
	json_object_object_add(object, "notes", model_notes(handover));
	return object;
}

static struct json_object *model_finding(const struct report_entry *entry)
{
	const struct iommuser_finding *finding = &entry->finding;
	struct json_object *object = json_object_new_object();
	char text[512], record[64];

	put_text(object, "code", iommuser_finding_code(finding->id));
	put_text(object, "severity", severity_name(finding->severity));
	put_hex(object, "phys", finding->phys);
	report_record_name(finding, record, sizeof(record));
	if (record[0])
		put_text(object, "record", record);
	else
		put_null(object, "record");
	if (finding->field)
		put_text(object, "field", iommuser_field_name(finding->field));
	else
		put_null(object, "field");
	put_hex(object, "found", finding->found);
	put_hex(object, "expected", finding->expected);
	put_text(object, "message", report_message(entry, text, sizeof(text)));
	return object;
}

static struct json_object *model_checked(const struct handover *handover,
					 const struct iommuser_verify_counts *counts)
{
	struct json_object *object = json_object_new_object();
	u64 files = 0;
	size_t i;

	for (i = 0; handover->has_luo && i < handover->luo.nr_sessions; i++)
		files += handover->luo.sessions[i].nr_files;
	put_number(object, "preserved_pages", handover->has_pages ? handover->pages.nr_pages : 0);
	put_number(object, "memory_map_nodes",
		   handover->has_pages ? handover->pages.stats.nr_nodes : 0);
	put_number(object, "sessions", handover->has_luo ? handover->luo.nr_sessions : 0);
	put_number(object, "files", files);
	put_number(object, "pages", counts->nr_pages);
	put_number(object, "records", counts->nr_records);
	put_number(object, "context_entries", counts->nr_context_entries);
	put_number(object, "pasid_entries", counts->nr_pasid_entries);
	put_number(object, "page_tables", counts->nr_table_pages);
	put_number(object, "ptes", counts->nr_table_entries);
	return object;
}

/* What no image can tell, and what this one does not. */
static struct json_object *model_not_checked(const struct handover *handover)
{
	struct json_object *array = model_notes(handover);
	char text[80];
	u32 i;

	if (!handover->has_kho)
		json_object_array_add(array, json_object_new_string("KHO: not read"));
	if (!handover->has_luo)
		json_object_array_add(array, json_object_new_string("LUO: not read"));
	if (!handover->has_iommu)
		json_object_array_add(array, json_object_new_string("IOMMU state: none read"));
	else
		json_object_array_add(
			array, json_object_new_string(
				       "interrupt remapping entries: not part of a handover"));
	for (i = 0; i < handover->nr_vtd; i++) {
		snprintf(text, sizeof(text),
			 "VT-d tables at 0x%" PRIx64 ": no records to check them against",
			 handover->vtd[i].phys);
		json_object_array_add(array, json_object_new_string(text));
	}
	if (handover->has_kho && !(handover->has_pages && handover->pages.complete))
		json_object_array_add(
			array, json_object_new_string("closure: what is preserved is not known"));
	return array;
}

struct json_object *model_verify(struct handover *handover,
				 const struct iommuser_verify_counts *counts, u64 limit)
{
	const struct report *report = handover->report;
	struct json_object *object = json_object_new_object();
	struct json_object *array = json_object_new_array();
	size_t i;

	put_abi(object, handover);
	put_text(object, "status", report_status(report));
	put_number(object, "errors", report_count(report, IOMMUSER_ERROR));
	put_number(object, "warnings",
		   report_count(report, IOMMUSER_WARNING) +
			   report_count(report, IOMMUSER_INCOMPLETE));
	put_number(object, "infos", report_count(report, IOMMUSER_INFO));
	for (i = 0; i < report_nr_kept(report) && i < limit; i++)
		json_object_array_add(array, model_finding(report_get(report, i)));
	json_object_object_add(object, "findings", array);
	json_object_object_add(object, "checked", model_checked(handover, counts));
	json_object_object_add(object, "not_checked", model_not_checked(handover));
	return object;
}

struct json_object *model_stat(struct handover *handover,
			       const struct iommuser_verify_counts *counts)
{
	struct json_object *object = json_object_new_object();
	struct json_object *kinds = json_object_new_object();
	struct json_object *kind_object;
	u32 kind;

	put_abi(object, handover);
	json_object_object_add(object, "source", model_source(handover));
	json_object_object_add(object, "kho", model_kho(handover));
	json_object_object_add(object, "luo", model_luo(handover));
	json_object_object_add(object, "counts", model_checked(handover, counts));
	for (kind = 1; handover->has_iommu && kind <= IOMMUSER_NR_KINDS; kind++) {
		const struct iommuser_chain_survey *survey = &handover->survey.kinds[kind];

		if (!handover->root.revision->kinds[kind].size)
			continue;
		kind_object = json_object_new_object();
		put_number(kind_object, "pages", survey->nr_pages);
		put_number(kind_object, "records", survey->nr_records);
		put_number(kind_object, "deleted", survey->nr_records - survey->nr_live);
		put_number(kind_object, "record_size", survey->record_size);
		json_object_object_add(kinds, iommuser_kind_name(kind), kind_object);
	}
	json_object_object_add(object, "arrays", kinds);
	put_number(object, "image_bytes_read", source_bytes_read(handover->source));
	return object;
}
