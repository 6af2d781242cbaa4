// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump stat: how much there is of everything.
 */
#include <stdio.h>

#include <json-c/json_object_iterator.h>

#include "commands.h"
#include "model.h"

#define MAX_DEPTH 4

/* One object on the way down: what is left of it, and its name. */
struct level {
	struct json_object_iterator at;
	struct json_object_iterator end;
	char name[64];
};

static void enter(struct level *level, struct json_object *object, const char *name)
{
	level->at = json_object_iter_begin(object);
	level->end = json_object_iter_end(object);
	snprintf(level->name, sizeof(level->name), "%.62s%s", name, name[0] ? "." : "");
}

/* Nested objects as "outer.inner  value" lines: greppable. */
static void print_flat(struct json_object *object)
{
	struct level levels[MAX_DEPTH];
	struct json_object *value;
	size_t depth = 0;
	char name[160];

	enter(&levels[0], object, "");
	for (;;) {
		struct level *level = &levels[depth];
		const char *key;

		if (json_object_iter_equal(&level->at, &level->end)) {
			if (!depth--)
				return;
			continue;
		}
		key = json_object_iter_peek_name(&level->at);
		value = json_object_iter_peek_value(&level->at);
		json_object_iter_next(&level->at);
		snprintf(name, sizeof(name), "%s%s", level->name, key);
		if (json_object_is_type(value, json_type_object) && depth + 1 < MAX_DEPTH)
			enter(&levels[++depth], value, name);
		else if (!json_object_is_type(value, json_type_array))
			printf("%-32s %s\n", name, value ? json_object_get_string(value) : "-");
	}
}

static int run_stat(const struct options *options, struct source *source)
{
	struct iommuser_verify_counts counts = { 0 };
	struct handover handover;
	struct json_object *object;
	int status = open_handover(&handover, options, source);

	if (status == EXIT_OK)
		status = verify_handover(&handover, options, &counts);
	if (status == EXIT_OK) {
		object = model_stat(&handover, &counts);
		if (options_json(options)) {
			status = print_json(options, object);
		} else {
			print_flat(object);
			json_object_put(object);
		}
	}
	handover_close(&handover);
	return status;
}

const struct command command_stat = {
	.name = "stat",
	.operands = "IMAGE",
	.summary = "count what the handover holds and takes",
	.help = "Prints how many pages, sessions, records, tables and entries there are, one\n"
		"name and number a line.\n",
	.nr_images = 1,
	.takes = TAKES_START | TAKES_FORCE | TAKES_IMAGES,
	.output = &output_stat,
	.run = run_stat,
};
