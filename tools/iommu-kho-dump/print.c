// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How answers get to stdout, and complaints to stderr.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>
#include <json-c/json_object_iterator.h>

#include "commands.h"
#include "prometheus.h"
#include "schema.h"

#define MAX_ROOTS 32

static bool __attribute__((unused)) is_complete(struct json_object *object)
{
	struct output_place where = { NULL, NULL };
	bool complete = output_complete(object, output_kind(object), &where);

	if (!complete && where.kind)
		fprintf(stderr, "%s.%s is not as its table says\n", where.kind->name, where.key);
	return complete;
}

/* What --json-lines puts before the members of an object. */
static const struct output_field line_fields[] = {
	OUTPUT_FIELD("image", OUTPUT_TEXT, "with --json-lines: its path", .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("other", OUTPUT_TEXT, "with --json-lines: the path of the second image",
		     .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("command", OUTPUT_TEXT, "with --json-lines: what was to be done",
		     .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELDS_END,
};

static const struct output_field failure_fields[] = {
	OUTPUT_FIELD("error", OUTPUT_TEXT, "as said on stderr"),
	OUTPUT_FIELD("exit_status", OUTPUT_NUMBER, "of a run with this image alone"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_failure = {
	.name = "failure",
	.what = "what is printed for an image that there is no answer for",
	.fields = failure_fields,
};

/* Was anything written for this image? And the last that was said about it. */
static bool printed;
static char complaint[2048];

void note_answer(void)
{
	printed = true;
}

static const char *command_name(const struct options *options)
{
	if (options->explain)
		return "explain";
	return options->list_roots ? "list-roots" : options->command->name;
}

static void put_line_members(const struct options *options, struct json_object *object)
{
	char escaped[4096];

	if (options->image)
		put_text(object, "image",
			 escape_text(options->image, strlen(options->image), escaped,
				     sizeof(escaped)));
	if (options->other)
		put_text(object, "other",
			 escape_text(options->other, strlen(options->other), escaped,
				     sizeof(escaped)));
	put_text(object, "command", command_name(options));
}

/* The same object, with the members of a line before its own. */
static struct json_object *line_of(const struct options *options, struct json_object *object)
{
	struct json_object_iterator at, end = json_object_iter_end(object);
	struct json_object *line = json_object_new_object();

	put_line_members(options, line);
	for (at = json_object_iter_begin(object); !json_object_iter_equal(&at, &end);
	     json_object_iter_next(&at))
		json_object_object_add(line, json_object_iter_peek_name(&at),
				       json_object_get(json_object_iter_peek_value(&at)));
	json_object_put(object);
	return line;
}

int print_json(const struct options *options, struct json_object *object)
{
	int flags = options->format == FORMAT_JSON ? JSON_C_TO_STRING_PRETTY :
						     JSON_C_TO_STRING_PLAIN;
	const char *text;
	int status;

	assert(!output_kind(object) || is_complete(object));
	if (options->format == FORMAT_JSON_LINES)
		object = line_of(options, object);
	text = json_object_to_json_string_ext(object, flags | JSON_C_TO_STRING_NOSLASHESCAPE);
	status = text && puts(text) >= 0 ? EXIT_OK : EXIT_INTERNAL;
	note_answer();
	json_object_put(object);
	return status;
}

void print_line_members(const struct options *options)
{
	struct json_object_iterator at, end;
	struct json_object *line;

	note_answer();
	if (options->format != FORMAT_JSON_LINES)
		return;
	line = json_object_new_object();
	put_line_members(options, line);
	end = json_object_iter_end(line);
	for (at = json_object_iter_begin(line); !json_object_iter_equal(&at, &end);
	     json_object_iter_next(&at))
		printf("\"%s\":%s,", json_object_iter_peek_name(&at),
		       json_object_to_json_string_ext(json_object_iter_peek_value(&at),
						      JSON_C_TO_STRING_PLAIN |
							      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(line);
}

void print_failure(const struct options *options, int status)
{
	struct json_object *object;

	if (options_json(options) && status >= EXIT_USAGE && !printed) {
		object = output_new(&output_failure);
		put_text(object, "error", complaint[0] ? complaint : "failed");
		put_number(object, "exit_status", (u64)status);
		print_json(options, object);
	} else if (options->format == FORMAT_PROMETHEUS && status >= EXIT_NO_IMAGE && !printed) {
		prometheus_failure(options);
	}
	printed = false;
	complaint[0] = '\0';
}

int print_schema(const struct options *options)
{
	const struct output_object *roots[MAX_ROOTS + 1] = { NULL };
	struct json_object *schema;
	char title[64] = "iommu-kho-dump";
	size_t i, nr = 0;

	if (options->explain) {
		roots[nr++] = &output_explanation;
	} else if (options->list_roots) {
		roots[nr++] = &output_roots;
	} else if (options->has_command && options->command->output) {
		roots[nr++] = options->command->output;
	} else if (!options->has_command) {
		for (i = 0; command_at(i) && nr < MAX_ROOTS - 3; i++)
			if (command_at(i)->output)
				roots[nr++] = command_at(i)->output;
		roots[nr++] = &output_roots;
		roots[nr++] = &output_explanation;
	} else {
		fprintf(stderr, "iommu-kho-dump: %s prints no JSON\n", options->command->name);
		return EXIT_USAGE;
	}
	roots[nr] = &output_failure;
	if (nr == 1)
		snprintf(title, sizeof(title), "iommu-kho-dump %s", command_name(options));
	schema = schema_new(title, roots, line_fields);
	if (!schema) {
		fputs("iommu-kho-dump: two kinds of output have one name\n", stderr);
		return EXIT_INTERNAL;
	}
	puts(json_object_to_json_string_ext(schema, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(schema);
	return EXIT_OK;
}

void complain(const char *file, const char *message)
{
	size_t used = 0, length;
	char escaped[1024];

	escape_text(file, strlen(file), escaped, sizeof(escaped));
	for (;; message += length + 1) {
		length = strcspn(message, "\n");
		fprintf(stderr, "iommu-kho-dump: %s: %.*s\n", escaped, (int)length, message);
		if (used < sizeof(complaint))
			used += (size_t)snprintf(complaint + used, sizeof(complaint) - used,
						 "%s%.*s", used ? "; " : "", (int)length, message);
		if (!message[length])
			return;
	}
}

int complain_no_memory(void)
{
	snprintf(complaint, sizeof(complaint), "out of memory");
	fputs("iommu-kho-dump: out of memory\n", stderr);
	return EXIT_INTERNAL;
}
