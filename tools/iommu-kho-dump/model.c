// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Handovers as JSON objects: the summary, KHO, LUO, findings.
 */
#include "model.h"

#include <inttypes.h>
#include <string.h>

#include <iommuser/vtd.h>

#include "explain.h"
#include "fields.h"
#include "model-iommu.h"

const char *const output_origins[] = { "at-jump",   "outgoing", "incoming",
				       "post-boot", "unknown",	NULL };
static const char *const status_names[] = { "ok", "warnings", "errors", "incomplete", NULL };
static const char *const severity_names[] = { "error", "warning", "info", NULL };

static const struct output_field source_fields[] = {
	OUTPUT_FIELD("format", OUTPUT_TEXT, "of the image"),
	OUTPUT_FIELD("page_size", OUTPUT_NUMBER, "bytes"),
	OUTPUT_FIELD("origin", OUTPUT_TEXT, "when it was taken", .values = output_origins),
	OUTPUT_FIELD("kho_fdts_found", OUTPUT_NUMBER, "when they were searched for",
		     .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELDS_END,
};

const struct output_object output_source = {
	.name = "source",
	.what = "the image",
	.fields = source_fields,
};

static const struct output_field subtree_fields[] = {
	OUTPUT_FIELD("name", OUTPUT_TEXT, "of the sub-tree"),
	OUTPUT_FIELD("data", OUTPUT_HEX, "address of its data"),
	OUTPUT_FIELD("size", OUTPUT_NUMBER, "bytes of them, 0 where KHO does not say it"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_subtree = {
	.name = "subtree",
	.what = "a sub-tree of the KHO FDT",
	.fields = subtree_fields,
};

static const struct output_field kho_fields[] = {
	OUTPUT_FIELD("fdt", OUTPUT_HEX, "address of the KHO FDT"),
	OUTPUT_FIELD("compatible", OUTPUT_TEXT, "its revision"),
	OUTPUT_FIELD("memory_map", OUTPUT_HEX, "address of the map of preserved memory"),
	OUTPUT_FIELD("kexec_count", OUTPUT_NUMBER, "how many kexecs there were",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("previous_release", OUTPUT_TEXT, "the Linux that handed over",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("subtrees", OUTPUT_OBJECTS, "its sub-trees", .object = &output_subtree),
	OUTPUT_FIELD("preserved_known", OUTPUT_FLAG, "the map was read to its end"),
	OUTPUT_FIELD("preserved_bytes", OUTPUT_NUMBER, "preserved memory, as far as known"),
	OUTPUT_FIELD("preserved_blocks", OUTPUT_NUMBER, "in how many blocks"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_kho = {
	.name = "kho",
	.what = "Kexec HandOver",
	.fields = kho_fields,
};

static const struct output_field luo_fields[] = {
	OUTPUT_FIELD("state", OUTPUT_HEX, "address of its state"),
	OUTPUT_FIELD("compatible", OUTPUT_TEXT, "its revision"),
	OUTPUT_FIELD("liveupdate_number", OUTPUT_NUMBER, "how many live updates there were"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_luo = {
	.name = "luo",
	.what = "the live update orchestrator",
	.fields = luo_fields,
};

static const struct output_field memfd_fields[] = {
	OUTPUT_FIELD("version", OUTPUT_NUMBER, "of its layout"),
	OUTPUT_FIELD("size", OUTPUT_NUMBER, "bytes"),
	OUTPUT_FIELD("folios", OUTPUT_NUMBER, "how many it has"),
	OUTPUT_FIELD("folio_bytes", OUTPUT_NUMBER,
		     "bytes of them; null: how large they are is not known", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("seals", OUTPUT_HEX, "as fcntl(F_GET_SEALS) tells them"),
	OUTPUT_FIELD("complete", OUTPUT_FLAG, "all of its metadata could be read"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_memfd = {
	.name = "memfd",
	.what = "what is known of a memfd, its contents never",
	.fields = memfd_fields,
};

static const struct output_field file_fields[] = {
	OUTPUT_FIELD("compatible", OUTPUT_TEXT, "its kind and revision"),
	OUTPUT_FIELD("token", OUTPUT_HEX, "what user space calls it"),
	OUTPUT_FIELD("data", OUTPUT_HEX, "address of its data, or what its handler has there"),
	OUTPUT_FIELD("memfd", OUTPUT_OBJECT, "of memfds", .object = &output_memfd,
		     .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_file = {
	.name = "file",
	.what = "a preserved file",
	.fields = file_fields,
};

static const struct output_field session_fields[] = {
	OUTPUT_FIELD("name", OUTPUT_TEXT, "of the session"),
	OUTPUT_FIELD("files", OUTPUT_OBJECTS, "its files", .object = &output_file),
	OUTPUT_FIELD("complete", OUTPUT_FLAG, "all of its metadata could be read"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_session = {
	.name = "session",
	.what = "a session of LUO",
	.fields = session_fields,
};

static const struct output_field flb_fields[] = {
	OUTPUT_FIELD("name", OUTPUT_TEXT, "of the FLB", .heading = "name"),
	OUTPUT_FIELD("data", OUTPUT_HEX, "address of its data", .heading = "data"),
	OUTPUT_FIELD("files", OUTPUT_NUMBER, "how many files it is for", .heading = "files"),
	OUTPUT_FIELDS_END,
};

const struct output_object output_flb = {
	.name = "flb",
	.what = "file-lifecycle-bound data of LUO",
	.fields = flb_fields,
};

/* The IOMMU state, in every answer; without any, only the first two. */
#define FIELDS_ABI                                                                             \
	OUTPUT_FIELD("abi", OUTPUT_TEXT, "layout of the IOMMU state; null: there is none",     \
		     .flags = OUTPUT_NULL),                                                    \
		OUTPUT_FIELD("root", OUTPUT_HEX, "address of its root", .flags = OUTPUT_NULL), \
		OUTPUT_FIELD("abi_chosen_by", OUTPUT_TEXT, "how the layout is known",          \
			     .flags = OUTPUT_OPTIONAL),                                        \
		OUTPUT_FIELD("format_version", OUTPUT_NUMBER, "version in the root",           \
			     .flags = OUTPUT_OPTIONAL),                                        \
		OUTPUT_FIELD("format_minor", OUTPUT_NUMBER,                                    \
			     "minor version in the root, where it has one",                    \
			     .flags = OUTPUT_OPTIONAL),                                        \
		OUTPUT_FIELD("generation", OUTPUT_HEX, "what tells this handover from others", \
			     .flags = OUTPUT_OPTIONAL),                                        \
		OUTPUT_FIELD("kernel_release", OUTPUT_TEXT, "the Linux that wrote it",         \
			     .flags = OUTPUT_OPTIONAL)

static const struct output_field show_fields[] = {
	FIELDS_ABI,
	OUTPUT_FIELD("source", OUTPUT_OBJECT, "the image", .object = &output_source),
	OUTPUT_FIELD("kho", OUTPUT_OBJECT, "null: not read", .object = &output_kho,
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("luo", OUTPUT_OBJECT, "null: not read", .object = &output_luo,
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("sessions", OUTPUT_OBJECTS, "of LUO", .object = &output_session),
	OUTPUT_FIELD("flbs", OUTPUT_OBJECTS, "of LUO", .object = &output_flb),
	OUTPUT_FIELD("iommus", OUTPUT_OBJECTS, "records", .object = &output_iommu),
	OUTPUT_FIELD("domains", OUTPUT_OBJECTS, "records", .object = &output_domain),
	OUTPUT_FIELD("devices", OUTPUT_OBJECTS, "records", .object = &output_device),
	OUTPUT_FIELD("aliases", OUTPUT_OBJECTS, "records, in layouts that have them",
		     .object = &output_alias, .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("attachments", OUTPUT_OBJECTS, "records, in layouts that have them",
		     .object = &output_attachment, .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("hwpts", OUTPUT_OBJECTS, "records, in layouts that have them",
		     .object = &output_hwpt, .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("vtd_roots", OUTPUT_OBJECTS, "VT-d tables read without records",
		     .object = &output_vtd_root),
	OUTPUT_FIELD("notes", OUTPUT_TEXTS, "what could not be read, and why"),
	OUTPUT_FIELDS_END,
};

const struct output_object output_show = {
	.name = "show",
	.what = "what a handover holds",
	.fields = show_fields,
};

static const struct output_field finding_fields[] = {
	OUTPUT_FIELD("code", OUTPUT_TEXT, "--explain tells more of it"),
	OUTPUT_FIELD("severity", OUTPUT_TEXT, "how bad it is", .values = severity_names),
	OUTPUT_FIELD("gap", OUTPUT_FLAG, "a warning that makes the verdict \"incomplete\""),
	OUTPUT_FIELD("phys", OUTPUT_HEX, "address of what it is about"),
	OUTPUT_FIELD("record", OUTPUT_TEXT, "kind[index]; null: it is not about a record",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("field", OUTPUT_TEXT, "of the record", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("found", OUTPUT_HEX, "null: it is not about a value", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("expected", OUTPUT_HEX, "null: there is no value that would be right",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("message", OUTPUT_TEXT, "a sentence"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_finding = {
	.name = "finding",
	.what = "what a check has to say",
	.fields = finding_fields,
};

static const struct output_field checked_fields[] = {
	OUTPUT_FIELD("preserved_pages", OUTPUT_NUMBER, "of 4 KiB"),
	OUTPUT_FIELD("memory_map_nodes", OUTPUT_NUMBER, "of KHO's map of preserved memory"),
	OUTPUT_FIELD("sessions", OUTPUT_NUMBER, "of LUO"),
	OUTPUT_FIELD("files", OUTPUT_NUMBER, "in them"),
	OUTPUT_FIELD("pages", OUTPUT_NUMBER, "of records"),
	OUTPUT_FIELD("records", OUTPUT_NUMBER, "in them"),
	OUTPUT_FIELD("context_entries", OUTPUT_NUMBER, "of VT-d"),
	OUTPUT_FIELD("pasid_entries", OUTPUT_NUMBER, "of VT-d"),
	OUTPUT_FIELD("page_tables", OUTPUT_NUMBER, "of domains"),
	OUTPUT_FIELD("ptes", OUTPUT_NUMBER, "present entries in them"),
	OUTPUT_FIELDS_END,
};

const struct output_object output_checked = {
	.name = "checked",
	.what = "how much was checked",
	.fields = checked_fields,
};

static const struct output_field verify_fields[] = {
	FIELDS_ABI,
	OUTPUT_FIELD("status", OUTPUT_TEXT, "the verdict", .values = status_names),
	OUTPUT_FIELD("errors", OUTPUT_NUMBER, "how many"),
	OUTPUT_FIELD("warnings", OUTPUT_NUMBER, "how many, gaps of the image included"),
	OUTPUT_FIELD("gaps", OUTPUT_NUMBER, "how many of the warnings are gaps of the image"),
	OUTPUT_FIELD("infos", OUTPUT_NUMBER, "how many findings are neither"),
	OUTPUT_FIELD("findings", OUTPUT_OBJECTS, "as many as --limit allows",
		     .object = &output_finding),
	OUTPUT_FIELD("checked", OUTPUT_OBJECT, "counts", .object = &output_checked),
	OUTPUT_FIELD("not_checked", OUTPUT_TEXTS, "what was not, and why"),
	OUTPUT_FIELDS_END,
};

const struct output_object output_verify = {
	.name = "verify",
	.what = "the verdict on a handover, and what it rests on",
	.fields = verify_fields,
};

static const struct output_field array_fields[] = {
	OUTPUT_FIELD("pages", OUTPUT_NUMBER, "of the chain"),
	OUTPUT_FIELD("records", OUTPUT_NUMBER, "in them, deleted ones too"),
	OUTPUT_FIELD("deleted", OUTPUT_NUMBER, "records"),
	OUTPUT_FIELD("record_size", OUTPUT_NUMBER, "bytes"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_array = {
	.name = "array",
	.what = "how much there is of one kind of record",
	.fields = array_fields,
};

#define FIELD_ARRAY(kind)                                                                     \
	OUTPUT_FIELD(kind, OUTPUT_OBJECT, "in layouts that have it", .object = &output_array, \
		     .flags = OUTPUT_OPTIONAL)

static const struct output_field arrays_fields[] = {
	FIELD_ARRAY("iommu"), FIELD_ARRAY("domain"),	 FIELD_ARRAY("device"),
	FIELD_ARRAY("alias"), FIELD_ARRAY("attachment"), FIELD_ARRAY("hwpt"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_arrays = {
	.name = "arrays",
	.what = "how much there is of each kind of record",
	.fields = arrays_fields,
};

static const struct output_field stat_fields[] = {
	FIELDS_ABI,
	OUTPUT_FIELD("source", OUTPUT_OBJECT, "the image", .object = &output_source),
	OUTPUT_FIELD("kho", OUTPUT_OBJECT, "null: not read", .object = &output_kho,
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("luo", OUTPUT_OBJECT, "null: not read", .object = &output_luo,
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("counts", OUTPUT_OBJECT, "of everything", .object = &output_checked),
	OUTPUT_FIELD("arrays", OUTPUT_OBJECT, "of records", .object = &output_arrays),
	OUTPUT_FIELD("image_bytes_read", OUTPUT_NUMBER, "of the file"),
	OUTPUT_FIELDS_END,
};

const struct output_object output_stat = {
	.name = "stat",
	.what = "how much there is of everything",
	.fields = stat_fields,
};

bool model_sessions_to_come(const struct handover *handover)
{
	return !strcmp(handover->origin, "outgoing") && !handover->luo.nr_sessions &&
	       (!handover->has_luo || handover->luo.sessions_complete);
}

const char *model_why_not_read(const struct handover *handover)
{
	const struct source_hints *hints = source_hints(handover->source);

	return hints && hints->has_flb && !hints->has_kho && !hints->has_luo ?
		       "not in this kind of image, which is of the IOMMU state alone" :
		       "not read";
}

/* LUO's part may be missing, or reused by the next kernel. */
bool model_iommu_unread(const struct handover *handover)
{
	if (handover->has_flb || handover->has_iommu)
		return !handover->has_iommu;
	if (handover->map_gone)
		return true;
	return handover->has_kho && kho_find_subtree(&handover->kho, "LUO") &&
	       !(handover->has_luo && handover->luo.flbs_complete);
}

const char *model_no_iommu(const struct handover *handover)
{
	if (!model_iommu_unread(handover))
		return "no IOMMU state handed over";
	return handover->has_flb ? "IOMMU state that cannot be read" :
				   "whether IOMMU state was handed over is not known";
}

bool model_nothing_checked(const struct handover *handover,
			   const struct iommuser_verify_counts *counts)
{
	return !(handover->has_pages && handover->pages.stats.nr_nodes) &&
	       !(handover->has_luo && handover->luo.nr_sessions) && !counts->nr_pages &&
	       !counts->nr_records && !counts->nr_context_entries && !counts->nr_pasid_entries &&
	       !counts->nr_table_pages;
}

const char *model_verdict(const struct handover *handover,
			  const struct iommuser_verify_counts *counts)
{
	if (!report_count(handover->report, IOMMUSER_ERROR) &&
	    model_nothing_checked(handover, counts))
		return "incomplete";
	return report_status(handover->report);
}

static struct json_object *model_source(const struct handover *handover)
{
	struct json_object *object = output_new(&output_source);

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
		item = output_new(&output_subtree);
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
	object = output_new(&output_kho);
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
	put_object(object, "subtrees", model_subtrees(kho));
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
	object = output_new(&output_luo);
	put_hex(object, "state", luo->phys);
	put_untrusted(object, "compatible", luo->compatible, sizeof(luo->compatible));
	put_number(object, "liveupdate_number", luo->liveupdate_num);
	return object;
}

/* How large the folios are is in the memory map alone. */
static struct json_object *model_memfd(const struct memfd *memfd, bool map_known)
{
	struct json_object *object = output_new(&output_memfd);

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
	struct json_object *object = output_new(&output_file);

	put_untrusted(object, "compatible", file->compatible, sizeof(file->compatible));
	put_hex(object, "token", file->token);
	put_hex(object, "data", file->data);
	if (file->memfd)
		put_object(object, "memfd", model_memfd(file->memfd, map_known));
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

		session = output_new(&output_session);
		put_untrusted(session, "name", from->name, sizeof(from->name));
		files = json_object_new_array();
		for (j = 0; j < from->nr_files; j++)
			json_object_array_add(files, model_file(&from->files[j], map_known));
		put_object(session, "files", files);
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
		item = output_new(&output_flb);
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
	struct json_object *object = output_new(&output_show);
	struct json_object *vtd = json_object_new_array();
	u32 i;

	put_abi(object, handover);
	put_object(object, "source", model_source(handover));
	put_object(object, "kho", model_kho(handover));
	put_object(object, "luo", model_luo(handover));
	put_object(object, "sessions", model_sessions(handover));
	put_object(object, "flbs", model_flbs(handover));
	if (!model_records(object, handover)) {
		json_object_put(vtd);
		json_object_put(object);
		return NULL;
	}
	for (i = 0; i < handover->nr_vtd; i++)
		json_object_array_add(vtd, model_vtd(&handover->env, &handover->vtd[i]));
	put_object(object, "vtd_roots", vtd);
	put_object(object, "notes", model_notes(handover));
	return object;
}

/* Is a value of a finding one? 0 is, where it is in its message or about a field. */
static bool has_meaning(const struct iommuser_finding *finding, u64 value, const char *letters)
{
	const char *at = explain_id(finding->id)->message;

	if (value || finding->field)
		return true;
	for (at = strchr(at, '%'); at && at[1]; at = strchr(at + 2, '%'))
		if (strchr(letters, at[1]))
			return true;
	return false;
}

static struct json_object *model_finding(const struct report_entry *entry)
{
	const struct iommuser_finding *finding = &entry->finding;
	struct json_object *object = output_new(&output_finding);
	char text[512], record[64];

	put_text(object, "code", iommuser_finding_code(finding->id));
	put_text(object, "severity", severity_name(finding->severity));
	put_flag(object, "gap", finding->severity == IOMMUSER_INCOMPLETE);
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
	put_hex_or_null(object, "found", has_meaning(finding, finding->found, "fF"),
			finding->found);
	put_hex_or_null(object, "expected", has_meaning(finding, finding->expected, "eE"),
			finding->expected);
	put_text(object, "message", report_message(entry, text, sizeof(text)));
	return object;
}

static struct json_object *model_checked(const struct handover *handover,
					 const struct iommuser_verify_counts *counts)
{
	struct json_object *object = output_new(&output_checked);
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

/* How many devices have an entry in the VT-d tables, as far as they can be read? */
static u64 count_vtd_devices(const struct handover *handover)
{
	struct iommuser_vtd_context context;
	u64 count = 0;
	u32 i, bdf, cursor;
	int more;

	for (i = 0; i < handover->nr_vtd; i++) {
		struct iommuser_vtd_tables tables = { &handover->env, handover->vtd[i].phys,
						      handover->vtd[i].scalable };

		cursor = 0;
		while ((more = iommuser_vtd_next_context(&tables, &cursor, &bdf, &context)))
			count += more > 0;
	}
	return count;
}

static void add_why_no_iommu(struct json_object *array, const struct handover *handover)
{
	u64 devices = count_vtd_devices(handover);
	char text[160];

	if (handover->has_flb)
		snprintf(text, sizeof(text), "IOMMU state: it cannot be read");
	else if (model_iommu_unread(handover))
		snprintf(text, sizeof(text), "IOMMU state: whether there was any is not known");
	else if (model_sessions_to_come(handover))
		snprintf(text, sizeof(text), "IOMMU state: LUO knows none before the reboot call");
	else if (devices && handover->has_kho)
		snprintf(text, sizeof(text),
			 "IOMMU state: none handed over; devices in the VT-d tables (%" PRIu64
			 ") keep no DMA",
			 devices);
	else
		snprintf(text, sizeof(text), "IOMMU state: none handed over");
	json_object_array_add(array, json_object_new_string(text));
}

/* What no image can tell, and what this one does not. */
static struct json_object *model_not_checked(const struct handover *handover)
{
	struct json_object *array = model_notes(handover);
	char text[80];
	u32 i;

	if (!handover->has_kho) {
		snprintf(text, sizeof(text), "KHO: %s", model_why_not_read(handover));
		json_object_array_add(array, json_object_new_string(text));
	}
	if (!handover->has_luo) {
		snprintf(text, sizeof(text), "LUO: %s", model_why_not_read(handover));
		json_object_array_add(array, json_object_new_string(text));
	}
	if (handover->has_luo && model_sessions_to_come(handover))
		json_object_array_add(
			array,
			json_object_new_string("LUO's sessions: written only in the reboot call"));
	if (!handover->has_iommu)
		add_why_no_iommu(array, handover);
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
	struct json_object *object = output_new(&output_verify);
	struct json_object *array = json_object_new_array();
	size_t i;

	put_abi(object, handover);
	put_text(object, "status", model_verdict(handover, counts));
	put_number(object, "errors", report_count(report, IOMMUSER_ERROR));
	put_number(object, "warnings",
		   report_count(report, IOMMUSER_WARNING) +
			   report_count(report, IOMMUSER_INCOMPLETE));
	put_number(object, "gaps", report_count(report, IOMMUSER_INCOMPLETE));
	put_number(object, "infos", report_count(report, IOMMUSER_INFO));
	for (i = 0; i < report_nr_kept(report) && i < limit; i++)
		json_object_array_add(array, model_finding(report_get(report, i)));
	put_object(object, "findings", array);
	put_object(object, "checked", model_checked(handover, counts));
	put_object(object, "not_checked", model_not_checked(handover));
	return object;
}

struct json_object *model_stat(struct handover *handover,
			       const struct iommuser_verify_counts *counts)
{
	struct json_object *object = output_new(&output_stat);
	struct json_object *kinds = output_new(&output_arrays);
	struct json_object *kind_object;
	u32 kind;

	put_abi(object, handover);
	put_object(object, "source", model_source(handover));
	put_object(object, "kho", model_kho(handover));
	put_object(object, "luo", model_luo(handover));
	put_object(object, "counts", model_checked(handover, counts));
	for (kind = 1; handover->has_iommu && kind <= IOMMUSER_NR_KINDS; kind++) {
		const struct iommuser_chain_survey *survey = &handover->survey.kinds[kind];

		if (!handover->root.revision->kinds[kind].size)
			continue;
		kind_object = output_new(&output_array);
		put_number(kind_object, "pages", survey->nr_pages);
		put_number(kind_object, "records", survey->nr_records);
		put_number(kind_object, "deleted", survey->nr_records - survey->nr_live);
		put_number(kind_object, "record_size", survey->record_size);
		put_object(kinds, iommuser_kind_name(kind), kind_object);
	}
	put_object(object, "arrays", kinds);
	put_number(object, "image_bytes_read", source_bytes_read(handover->source));
	return object;
}
