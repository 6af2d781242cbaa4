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

static struct json_object *model_root(const struct kho_candidate *candidate)
{
	static const char *const answers[] = {
		[KHO_NO] = "no",
		[KHO_YES] = "yes",
		[KHO_UNKNOWN] = "unknown",
	};
	struct json_object *object = json_object_new_object();
	char reason[256];

	put_hex(object, "fdt", candidate->phys);
	put_untrusted(object, "compatible", candidate->compatible, sizeof(candidate->compatible));
	put_text(object, "self_reference", answers[candidate->self_reference]);
	if (candidate->has_kexec_count)
		put_number(object, "kexec_count", candidate->kexec_count);
	else
		put_null(object, "kexec_count");
	if (candidate->has_liveupdate_num)
		put_number(object, "liveupdate_number", candidate->liveupdate_num);
	else
		put_null(object, "liveupdate_number");
	put_text(object, "reason", kho_candidate_reason(candidate, reason, sizeof(reason)));
	return object;
}

static void print_roots(struct json_object *array)
{
	size_t i;

	if (json_object_array_length(array))
		puts("KHO FDTs, the best first");
	for (i = 0; i < json_object_array_length(array); i++) {
		struct json_object *root = json_object_array_get_idx(array, i);
		char fdt[32], compatible[32], reason[32];

		printf("\n  %s  %s\n", text_member(root, "fdt", fdt, sizeof(fdt)),
		       text_member(root, "compatible", compatible, sizeof(compatible)));
		text_wrap(text_member(root, "reason", reason, sizeof(reason)), 4);
	}
}

int list_roots(const struct options *options, struct source *source)
{
	struct json_object *object = json_object_new_object();
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
	json_object_object_add(object, "roots", array);
	put_number(object, "found", candidates.nr_found);
	if (!candidates.nr) {
		complain(options->image, "no KHO FDT in it");
		status = EXIT_NO_IMAGE;
	}
	if (options_json(options)) {
		if (print_json(options, object) != EXIT_OK)
			status = EXIT_INTERNAL;
	} else {
		print_roots(array);
		json_object_put(object);
	}
	kho_free_candidates(&candidates);
	return status;
}
