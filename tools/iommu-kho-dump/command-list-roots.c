// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump --list-roots: every KHO FDT in the image, and why it is where
 * it is in the list.
 */
#include <stdio.h>

#include "commands.h"
#include "model.h"
#include "progress.h"
#include "text.h"

#define DEFAULT_LIMIT 100

static const char *const answers[] = {
	[KHO_NO] = "no",
	[KHO_YES] = "yes",
	[KHO_UNKNOWN] = "unknown",
	NULL,
};

static const struct output_field candidate_fields[] = {
	OUTPUT_FIELD("fdt", OUTPUT_HEX, "its address"),
	OUTPUT_FIELD("compatible", OUTPUT_TEXT, "its revision"),
	OUTPUT_FIELD("self_reference", OUTPUT_TEXT, "is it in the memory map that it refers to?",
		     .values = answers),
	OUTPUT_FIELD("kexec_count", OUTPUT_NUMBER, "how many kexecs there were",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("liveupdate_number", OUTPUT_NUMBER, "how many live updates there were",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("reason", OUTPUT_TEXT, "why it is where it is in the list"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_candidate = {
	.name = "candidate",
	.what = "a KHO FDT",
	.fields = candidate_fields,
};

static const struct output_field roots_fields[] = {
	OUTPUT_FIELD("roots", OUTPUT_OBJECTS, "the best first", .object = &output_candidate),
	OUTPUT_FIELD("found", OUTPUT_NUMBER, "how many there are, beyond those listed too"),
	OUTPUT_FIELDS_END,
};

const struct output_object output_roots = {
	.name = "list_roots",
	.what = "all KHO FDTs in an image",
	.fields = roots_fields,
};

static struct json_object *model_root(const struct kho_candidate *candidate)
{
	struct json_object *object = output_new(&output_candidate);
	char reason[256];

	put_hex(object, "fdt", candidate->phys);
	put_untrusted(object, "compatible", candidate->compatible, sizeof(candidate->compatible));
	put_text(object, "self_reference", answers[candidate->self_reference]);
	put_number_or_null(object, "kexec_count", candidate->has_kexec_count,
			   candidate->kexec_count);
	put_number_or_null(object, "liveupdate_number", candidate->has_liveupdate_num,
			   candidate->liveupdate_num);
	put_text(object, "reason", kho_candidate_reason(candidate, reason, sizeof(reason)));
	return object;
}

static void print_roots(struct json_object *array, u64 limit)
{
	size_t i;

	if (json_object_array_length(array))
		puts("KHO FDTs, the best first");
	for (i = 0; i < json_object_array_length(array) && i < limit; i++) {
		struct json_object *root = json_object_array_get_idx(array, i);
		char fdt[32], compatible[32], reason[32];

		printf("\n  %s  %s\n", text_member(root, "fdt", fdt, sizeof(fdt)),
		       text_member(root, "compatible", compatible, sizeof(compatible)));
		text_wrap(text_member(root, "reason", reason, sizeof(reason)), 4);
	}
	if (i < json_object_array_length(array))
		printf("\n  ... and %zu more (--limit)\n", json_object_array_length(array) - i);
}

int list_roots(const struct options *options, struct source *source)
{
	struct json_object *object = output_new(&output_roots);
	struct json_object *array = json_object_new_array();
	struct kho_candidates candidates;
	int status = EXIT_OK;
	size_t i;

	if (kho_find(&candidates, source, progress_scan, NULL)) {
		json_object_put(array);
		json_object_put(object);
		return complain_no_memory();
	}
	progress_done();
	for (i = 0; i < candidates.nr; i++)
		json_object_array_add(array, model_root(&candidates.items[i]));
	put_object(object, "roots", array);
	put_number(object, "found", candidates.nr_found);
	if (!candidates.nr) {
		if (!complain_broken(options, source))
			complain(options->image, "no KHO FDT in it");
		status = EXIT_NO_IMAGE;
	}
	if (options_json(options)) {
		if (print_json(options, object) != EXIT_OK)
			status = EXIT_INTERNAL;
	} else {
		print_roots(array, options_limit(options, DEFAULT_LIMIT));
		json_object_put(object);
	}
	kho_free_candidates(&candidates);
	return status;
}
