// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The table of commands, and what they share.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

static const struct command commands[] = {
	{ "show", command_show },
	{ "verify", command_verify },
	{ "extract", command_extract },
	{ "stat", command_stat },
};

const struct command *command_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

int print_json(struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	int status = text && puts(text) >= 0 ? EXIT_OK : EXIT_INTERNAL;

	json_object_put(object);
	return status;
}

int open_handover(struct handover *handover, const struct options *options, struct source *source)
{
	char message[256] = "no handover in it";

	switch (handover_open(handover, options, source, message, sizeof(message))) {
	case HANDOVER_OK:
		return EXIT_OK;
	case HANDOVER_NONE:
		fprintf(stderr, "iommu-kho-dump: %s: %s\n", options->image, message);
		return EXIT_NO_IMAGE;
	default:
		fputs("iommu-kho-dump: out of memory\n", stderr);
		return EXIT_INTERNAL;
	}
}
