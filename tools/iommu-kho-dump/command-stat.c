// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump stat: how much there is of everything.
 */
#include <stdio.h>

#include "commands.h"
#include "model.h"

/* Nested objects as "outer.inner  value" lines: greppable. */
static void print_flat(const char *prefix, struct json_object *object)
{
	char name[128];

	json_object_object_foreach(object, key, value) {
		snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] ? "." : "", key);
		if (json_object_is_type(value, json_type_object))
			print_flat(name, value);
		else if (!json_object_is_type(value, json_type_array))
			printf("%-32s %s\n", name, value ? json_object_get_string(value) : "-");
	}
}

int command_stat(const struct options *options, struct source *source)
{
	struct iommuser_verify_counts counts = { 0 };
	struct handover handover;
	struct json_object *object;
	int status = open_handover(&handover, options, source);

	if (status == EXIT_OK && handover_verify(&handover, &counts)) {
		fputs("iommu-kho-dump: the image changed while it was read\n", stderr);
		status = EXIT_INTERNAL;
	}
	if (status == EXIT_OK) {
		object = model_stat(&handover, &counts);
		if (options->json) {
			status = print_json(object);
		} else {
			print_flat("", object);
			json_object_put(object);
		}
	}
	handover_close(&handover);
	return status;
}
