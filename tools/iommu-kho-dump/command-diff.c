// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump diff A B: what changed between two handovers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "color.h"
#include "commands.h"
#include "diff.h"
#include "text.h"

#define DEFAULT_LIMIT 100
/* Wider names of objects are not lined up. */
#define MAX_WIDTH 40
#define LINE_WIDTH 79

static size_t append(char *line, size_t size, size_t used, const char *before, const char *heading,
		     const char *text)
{
	if (used >= size)
		return used;
	return used + (size_t)snprintf(line + used, size - used, "%s%s%s", before, heading, text);
}

/* "Devices: 1 changed; Mappings: 2 added, 1 removed" */
static void list_counts(const struct diff_result *result, char *line, size_t size)
{
	static const char *const words[] = { "only in B", "only in A", "changed" };
	size_t used = 0;
	char text[64];
	bool any;
	int kind, change;

	line[0] = 0;
	for (kind = 0; kind < DIFF_NR_KINDS; kind++) {
		any = false;
		for (change = DIFF_NR_CHANGES - 1; change >= 0; change--) {
			if (!result->counts[kind][change])
				continue;
			snprintf(text, sizeof(text), "%" PRIu64 " %s", result->counts[kind][change],
				 words[change]);
			if (any)
				used = append(line, size, used, ", ", "", text);
			else
				used = append(line, size, used, used ? "; " : "",
					      diff_kind_heading((enum diff_kind)kind), ": ");
			if (!any)
				used = append(line, size, used, "", "", text);
			any = true;
		}
	}
}

static void print_verdict(const struct diff_result *result, struct json_object *object)
{
	const char *word = result->nr_changes || result->unread ? "warnings" : "ok";
	struct json_object *not_compared = text_find(object, "not_compared");
	char line[1024], kinds[32] = "";

	text_plural(result->nr_changes, "difference", line, sizeof(line));
	text_plural(diff_not_compared_kinds(not_compared), "kind", kinds, sizeof(kinds));
	printf("%s%s", color_on(word), result->nr_changes ? line : "no difference");
	if (result->unread)
		printf(" in what could be compared; %s of things could not all be", kinds);
	else if (!result->nr_changes && json_object_array_length(not_compared))
		fputs(" in what both images tell", stdout);
	puts(color_off(word));
	if (!result->nr_changes)
		return;
	list_counts(result, line, sizeof(line));
	text_wrap(line, 2);
}

static void print_image(const char *letter, struct json_object *image)
{
	char line[1024];

	snprintf(line, sizeof(line), "%s: %s, taken: %s", text_string(image, "path"),
		 text_string(image, "format"), text_string(image, "origin"));
	text_labelled(letter, line, 3);
}

static bool same_kind(struct json_object *changes, size_t i, size_t j)
{
	return !strcmp(text_string(json_object_array_get_idx(changes, i), "kind"),
		       text_string(json_object_array_get_idx(changes, j), "kind"));
}

/* The widest object of the changes from @first on that are of one kind. */
static int width_of_group(struct json_object *changes, size_t first)
{
	size_t width = 0, length, i;

	for (i = first; i < json_object_array_length(changes) && same_kind(changes, first, i);
	     i++) {
		length = strlen(text_string(json_object_array_get_idx(changes, i), "object"));
		if (length > width && length <= MAX_WIDTH)
			width = length;
	}
	return (int)width;
}

static void print_heading(const char *kind_name)
{
	int kind = 0;

	while (kind + 1 < DIFF_NR_KINDS && strcmp(diff_kind_name((enum diff_kind)kind), kind_name))
		kind++;
	printf("\n%s\n", diff_kind_heading((enum diff_kind)kind));
}

static bool is_handover(struct json_object *entry)
{
	return !strcmp(text_string(entry, "kind"), diff_kind_name(DIFF_HANDOVER));
}

/* "state: restored -> left", on one line where it has room, else on three. */
static void print_values(const char *start, const char *what, const char *before, const char *after)
{
	char line[1024];

	snprintf(line, sizeof(line), "%s%s: %s -> %s", start, what, before, after);
	if (strlen(line) <= LINE_WIDTH) {
		puts(line);
		return;
	}
	printf("%s%s:\n", start, what);
	text_wrap(before, 4);
	snprintf(line, sizeof(line), "-> %s", after);
	text_wrap(line, 4);
}

static void print_change(struct json_object *change, int width)
{
	const char *before = text_string(change, "before"), *after = text_string(change, "after");
	const char *field = text_string(change, "field");
	struct json_object *also = text_find(change, "also");
	char start[512] = "  ", what[96];
	size_t used = 2;

	if (!is_handover(change))
		used += (size_t)snprintf(start + used, sizeof(start) - used, "%-*s  ", width,
					 text_string(change, "object"));
	if (text_find(change, "iova")) {
		if (also)
			snprintf(start + used, sizeof(start) - used, "(and %zu more)  ",
				 json_object_array_length(also));
		snprintf(what, sizeof(what), "%s-%s", text_string(change, "iova"),
			 text_string(change, "last"));
		print_values(start, what, before ? before : "not mapped",
			     after ? after : "not mapped");
	} else if (field) {
		print_values(start, field, before, after);
	} else {
		printf("%sonly in %s\n", start,
		       !strcmp(text_string(change, "change"), "added") ? "B" : "A");
	}
}

static void print_changes(const struct diff_result *result, struct json_object *changes)
{
	size_t nr = json_object_array_length(changes), i;
	int width = 0;

	for (i = 0; i < nr; i++) {
		if (!i || !same_kind(changes, i - 1, i)) {
			print_heading(text_string(json_object_array_get_idx(changes, i), "kind"));
			width = width_of_group(changes, i);
		}
		print_change(json_object_array_get_idx(changes, i), width);
	}
	if (nr < result->nr_changes)
		printf("%s... and %" PRIu64 " more (--limit)\n", nr ? "  " : "",
		       result->nr_changes - nr);
}

static bool same_member(struct json_object *left, struct json_object *right, const char *key)
{
	return json_object_equal(text_find(left, key), text_find(right, key));
}

/* Are these two fields of the same objects? */
static bool same_objects(struct json_object *left, struct json_object *right)
{
	return same_member(left, right, "kind") && same_member(left, right, "object") &&
	       same_member(left, right, "count") && same_member(left, right, "reason") &&
	       text_find(left, "field") && text_find(right, "field");
}

/* Of the handover, what there is a plainer word for than the key. */
static const char *field_words(const char *field)
{
	static const struct {
		const char *field;
		const char *words;
	} table[] = {
		{ "kho", "revision of KHO" },
		{ "fdt", "address of its FDT" },
		{ "kexec_count", "number of kexecs" },
		{ "previous_release", "the Linux that handed over" },
		{ "luo", "revision of LUO" },
		{ "liveupdate_number", "number of live updates" },
		{ "abi", "layout of the IOMMU state" },
		{ "root", "address of its root" },
		{ "format_minor", "its minor version" },
		{ "generation", "its generation" },
		{ "kernel_release", "the Linux that wrote it" },
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(field, table[i].field))
			return table[i].words;
	return field;
}

/* "state, did of device 0000:00:04.0 and 2 more: A does not tell it". Return: the next entry. */
static size_t print_gap(struct json_object *array, size_t i)
{
	struct json_object *entry = json_object_array_get_idx(array, i);
	const char *object = is_handover(entry) ? NULL : text_string(entry, "object");
	u64 count = json_object_get_uint64(text_find(entry, "count"));
	char line[2048], more[48] = "";
	const char *field;
	size_t used = 0;

	line[0] = 0;
	do {
		field = text_string(json_object_array_get_idx(array, i), "field");
		if (field)
			used = append(line, sizeof(line), used, used ? ", " : "",
				      is_handover(entry) ? field_words(field) : field, "");
		i++;
	} while (i < json_object_array_length(array) &&
		 same_objects(entry, json_object_array_get_idx(array, i)));
	if (count > 1)
		snprintf(more, sizeof(more), " and %" PRIu64 " more", count - 1);
	if (!is_handover(entry))
		used = append(line, sizeof(line), used, used ? " of " : "",
			      text_string(entry, "kind"), object ? " " : "");
	used = append(line, sizeof(line), used, object ? object : "", more, ": ");
	append(line, sizeof(line), used, text_string(entry, "reason"), "", "");
	text_wrap(line, 2);
	return i;
}

static void print_not_compared(struct json_object *array)
{
	size_t i = 0;

	if (json_object_array_length(array))
		puts("\nNot compared");
	while (i < json_object_array_length(array))
		i = print_gap(array, i);
}

static void print_diff(const struct diff_result *result, struct json_object *object)
{
	print_verdict(result, object);
	print_image("A", text_find(object, "a"));
	print_image("B", text_find(object, "b"));
	print_changes(result, text_find(object, "changes"));
	print_not_compared(text_find(object, "not_compared"));
}

static int report_diff(const struct options *options, struct diff_result *result,
		       struct handover *before, struct handover *after)
{
	const struct diff_image left = { options->image, before };
	const struct diff_image right = { options->other, after };
	struct json_object *object = diff_model(result, &left, &right);
	int status = result->nr_changes || result->unread ? EXIT_FOUND : EXIT_OK;

	if (options_json(options)) {
		if (print_json(options, object) != EXIT_OK)
			status = EXIT_INTERNAL;
		return status;
	}
	print_diff(result, object);
	json_object_put(object);
	return status;
}

static int compare(const struct options *options, struct handover *before, struct handover *after)
{
	struct diff_result result;
	int status;

	diff_result_init(&result, options_limit(options, DEFAULT_LIMIT));
	if (!diff_handovers(&result, before, after) || !diff_mappings(&result, before, after))
		status = complain_no_memory();
	else
		status = report_diff(options, &result, before, after);
	diff_result_free(&result);
	return status;
}

static int run_diff(const struct options *options, struct source *source)
{
	struct options second = *options;
	struct handover before, after;
	struct source *other;
	int status;

	second.image = options->other;
	other = open_source(second.image, &second);
	if (!other)
		return EXIT_NO_IMAGE;
	status = open_handover(&before, options, source);
	if (status == EXIT_OK) {
		status = open_handover(&after, &second, other);
		if (status == EXIT_OK)
			status = compare(options, &before, &after);
		handover_close(&after);
	}
	handover_close(&before);
	return finish_source(&second, other, status);
}

const struct command command_diff = {
	.name = "diff",
	.operands = "A B",
	.summary = "what changed from one handover to another",
	.help = "Compares sessions, files, FLBs, IOMMUs, domains, devices, attachments and HWPTs\n"
		"by what identifies them (a domain by who uses it), then what each device can\n"
		"reach by DMA. What one of the images does not tell is listed, and is no\n"
		"difference. Exit 1 when something differs, or could not be read.\n"
		"\n"
		"--kho, --luo, --flb, --abi, --vtd-root, --origin and options for the format\n"
		"apply to both images.\n",
	.nr_images = 2,
	.takes = TAKES_START | TAKES_LIMIT | TAKES_FORCE,
	.output = &diff_output,
	.run = run_diff,
};
