// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Collecting differences: all are counted, so many as wanted are kept.
 */
#include <stdio.h>
#include <string.h>

#include "diff.h"
#include "text.h"

static const struct {
	const char *name;
	const char *heading;
} kinds[DIFF_NR_KINDS] = {
	[DIFF_HANDOVER] = { "handover", "Handover" },
	[DIFF_SESSION] = { "session", "Sessions" },
	[DIFF_FILE] = { "file", "Files" },
	[DIFF_FLB] = { "flb", "FLBs" },
	[DIFF_IOMMU] = { "iommu", "IOMMUs" },
	[DIFF_DOMAIN] = { "domain", "Domains" },
	[DIFF_DEVICE] = { "device", "Devices" },
	[DIFF_ALIAS] = { "alias", "Aliases" },
	[DIFF_ATTACHMENT] = { "attachment", "Attachments" },
	[DIFF_HWPT] = { "hwpt", "HWPTs" },
	[DIFF_TRANSLATION] = { "translation", "Translations" },
	[DIFF_MAPPING] = { "mapping", "Mappings" },
};

static const char *const change_names[] = {
	[DIFF_ADDED] = "added",
	[DIFF_REMOVED] = "removed",
	[DIFF_CHANGED] = "changed",
	[DIFF_NR_CHANGES] = NULL,
};

static const char *const kind_names[] = { "handover",	 "session", "file",  "flb",	   "iommu",
					  "domain",	 "device",  "alias", "attachment", "hwpt",
					  "translation", "mapping", NULL };
static const char *const status_names[] = { "same", "different", "incomplete", NULL };

static const struct output_field image_fields[] = {
	OUTPUT_FIELD("path", OUTPUT_TEXT, "as on the command line"),
	OUTPUT_FIELD("format", OUTPUT_TEXT, "format of the image"),
	OUTPUT_FIELD("origin", OUTPUT_TEXT, "when it was taken"),
	OUTPUT_FIELDS_END,
};

static const struct output_object image_output = {
	.name = "compared_image",
	.what = "one of the two images",
	.fields = image_fields,
};

static const struct output_field count_fields[] = {
	OUTPUT_FIELD("kind", OUTPUT_TEXT, "kind of object", .values = kind_names),
	OUTPUT_FIELD("added", OUTPUT_NUMBER, "only in B"),
	OUTPUT_FIELD("removed", OUTPUT_NUMBER, "only in A"),
	OUTPUT_FIELD("changed", OUTPUT_NUMBER, "fields, or ranges of IOVAs, that are not the same"),
	OUTPUT_FIELDS_END,
};

static const struct output_object count_output = {
	.name = "change_count",
	.what = "differences of one kind, those beyond --limit included",
	.fields = count_fields,
};

static const struct output_field change_fields[] = {
	OUTPUT_FIELD("kind", OUTPUT_TEXT, "kind of object", .values = kind_names),
	OUTPUT_FIELD("object", OUTPUT_TEXT, "what identifies it, in both images"),
	OUTPUT_FIELD("field", OUTPUT_TEXT, "what of it; null for the whole object and for mappings",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("change", OUTPUT_TEXT, "from A to B", .values = change_names),
	OUTPUT_FIELD("before", OUTPUT_TEXT, "value in A", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("after", OUTPUT_TEXT, "value in B", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("iova", OUTPUT_HEX, "mapping: first IOVA", .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("last", OUTPUT_HEX, "mapping: last IOVA", .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("also", OUTPUT_TEXTS, "mapping: further requesters with the same page tables",
		     .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELDS_END,
};

static const struct output_object change_output = {
	.name = "change",
	.what = "one difference",
	.fields = change_fields,
};

static const struct output_field not_compared_fields[] = {
	OUTPUT_FIELD("kind", OUTPUT_TEXT, "kind of object", .values = kind_names),
	OUTPUT_FIELD("field", OUTPUT_TEXT, "what of them; null for whole objects",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("object", OUTPUT_TEXT, "the first one; null when there is none",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("count", OUTPUT_NUMBER, "how many objects"),
	OUTPUT_FIELD("reason", OUTPUT_TEXT, "why"),
	OUTPUT_FIELDS_END,
};

static const struct output_object not_compared_output = {
	.name = "not_compared",
	.what = "what an image does not tell, so that it is no difference",
	.fields = not_compared_fields,
};

static const struct output_field diff_fields[] = {
	OUTPUT_FIELD("status", OUTPUT_TEXT,
		     "\"same\": no difference; \"incomplete\": none in what could be read",
		     .values = status_names),
	OUTPUT_FIELD("complete", OUTPUT_FLAG,
		     "all was compared but what images of these kinds do not tell"),
	OUTPUT_FIELD("a", OUTPUT_OBJECT, "the first image", .object = &image_output),
	OUTPUT_FIELD("b", OUTPUT_OBJECT, "the second image", .object = &image_output),
	OUTPUT_FIELD("differences", OUTPUT_NUMBER, "how many, those beyond --limit included"),
	OUTPUT_FIELD("counts", OUTPUT_OBJECTS, "by kind; kinds without any are left out",
		     .object = &count_output),
	OUTPUT_FIELD("changes", OUTPUT_OBJECTS, "the differences, at most --limit of them",
		     .object = &change_output),
	OUTPUT_FIELD("not_compared", OUTPUT_OBJECTS, "what could not be compared",
		     .object = &not_compared_output),
	OUTPUT_FIELDS_END,
};

const struct output_object diff_output = {
	.name = "diff",
	.what = "what differs between two handovers",
	.fields = diff_fields,
};

const char *diff_kind_name(enum diff_kind kind)
{
	return kinds[kind].name;
}

const char *diff_kind_heading(enum diff_kind kind)
{
	return kinds[kind].heading;
}

void diff_result_init(struct diff_result *result, u64 limit)
{
	memset(result, 0, sizeof(*result));
	result->limit = limit;
	result->changes = json_object_new_array();
	result->not_compared = json_object_new_array();
}

void diff_result_free(struct diff_result *result)
{
	json_object_put(result->changes);
	json_object_put(result->not_compared);
	memset(result, 0, sizeof(*result));
}

static void put_text_or_null(struct json_object *object, const char *key, const char *text)
{
	if (text)
		put_text(object, key, text);
	else
		put_null(object, key);
}

void diff_add(struct diff_result *result, const struct diff_entry *entry)
{
	struct json_object *object;

	result->counts[entry->kind][entry->change]++;
	result->nr_changes++;
	if (result->nr_changes > result->limit)
		return;
	object = output_new(&change_output);
	put_text(object, "kind", kinds[entry->kind].name);
	put_text(object, "object", entry->object);
	put_text_or_null(object, "field", entry->field);
	put_text(object, "change", change_names[entry->change]);
	put_text_or_null(object, "before", entry->before);
	put_text_or_null(object, "after", entry->after);
	if (entry->kind == DIFF_MAPPING) {
		put_hex(object, "iova", entry->iova);
		put_hex(object, "last", entry->last);
		if (entry->devices)
			put_object(object, "also", json_object_get(entry->devices));
	}
	json_object_array_add(result->changes, object);
}

static const char *text_or_empty(struct json_object *object, const char *key)
{
	const char *text = text_string(object, key);

	return text ? text : "";
}

/* The entry of the same kind, field and reason. */
static struct json_object *find_not_compared(const struct diff_result *result, const char *kind,
					     const char *what, const char *reason)
{
	struct json_object *object;
	size_t i;

	for (i = json_object_array_length(result->not_compared); i-- > 0;) {
		object = json_object_array_get_idx(result->not_compared, i);
		if (!strcmp(text_or_empty(object, "kind"), kind) &&
		    !strcmp(text_or_empty(object, "field"), what ? what : "") &&
		    !strcmp(text_or_empty(object, "reason"), reason))
			return object;
	}
	return NULL;
}

bool diff_is_noted(const struct diff_result *result, enum diff_kind kind, const char *what,
		   const char *reason)
{
	return find_not_compared(result, kinds[kind].name, what, reason);
}

void diff_not_compared(struct diff_result *result, enum diff_kind kind, const char *what,
		       const char *object, const char *reason)
{
	struct json_object *entry = find_not_compared(result, kinds[kind].name, what, reason);
	struct json_object *count;

	if (entry) {
		json_object_object_get_ex(entry, "count", &count);
		if (object)
			json_object_int_inc(count, 1);
		return;
	}
	entry = output_new(&not_compared_output);
	put_text(entry, "kind", kinds[kind].name);
	put_text_or_null(entry, "field", what);
	put_text_or_null(entry, "object", object);
	put_number(entry, "count", object ? 1 : 0);
	put_text(entry, "reason", reason);
	json_object_array_add(result->not_compared, entry);
}

/* There is an entry before it of the same kind. */
static bool is_repeated(struct json_object *array, size_t at)
{
	const char *kind = text_or_empty(json_object_array_get_idx(array, at), "kind");
	size_t i;

	for (i = 0; i < at; i++)
		if (!strcmp(text_or_empty(json_object_array_get_idx(array, i), "kind"), kind))
			return true;
	return false;
}

size_t diff_not_compared_kinds(struct json_object *not_compared)
{
	size_t nr = 0, i;

	for (i = 0; i < json_object_array_length(not_compared); i++)
		nr += !is_repeated(not_compared, i);
	return nr;
}

static struct json_object *model_image(const struct handover *handover, const char *path)
{
	struct json_object *object = output_new(&image_output);

	put_untrusted(object, "path", path, strlen(path));
	put_text(object, "format", source_format(handover->source));
	put_text(object, "origin", handover->origin);
	return object;
}

static struct json_object *model_counts(const struct diff_result *result)
{
	struct json_object *array = json_object_new_array();
	struct json_object *object;
	const u64 *counts;
	int kind;

	for (kind = 0; kind < DIFF_NR_KINDS; kind++) {
		counts = result->counts[kind];
		if (!counts[DIFF_ADDED] && !counts[DIFF_REMOVED] && !counts[DIFF_CHANGED])
			continue;
		object = output_new(&count_output);
		put_text(object, "kind", kinds[kind].name);
		put_number(object, "added", counts[DIFF_ADDED]);
		put_number(object, "removed", counts[DIFF_REMOVED]);
		put_number(object, "changed", counts[DIFF_CHANGED]);
		json_object_array_add(array, object);
	}
	return array;
}

struct json_object *diff_model(struct diff_result *result, const struct diff_image *before,
			       const struct diff_image *after)
{
	struct json_object *object = output_new(&diff_output);

	put_text(object, "status",
		 result->nr_changes ? "different" :
		 result->unread	    ? "incomplete" :
				      "same");
	put_flag(object, "complete", !result->unread);
	put_object(object, "a", model_image(before->handover, before->path));
	put_object(object, "b", model_image(after->handover, after->path));
	put_number(object, "differences", result->nr_changes);
	put_object(object, "counts", model_counts(result));
	put_object(object, "changes", result->changes);
	put_object(object, "not_compared", result->not_compared);
	result->changes = NULL;
	result->not_compared = NULL;
	return object;
}
