// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump verify: every check, and the verdict first.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "color.h"
#include "commands.h"
#include "fields.h"
#include "model.h"
#include "prometheus.h"
#include "text.h"

#define DEFAULT_LIMIT 100

/**
 * struct verdict - what verify comes to
 * @status: "ok", "warnings", "errors" or "incomplete"
 * @nothing: there was nothing that could be checked
 */
struct verdict {
	const char *status;
	bool nothing;
};

/* "2 errors, 6 gaps, 1 warning"; without the word for what there is none of, but for @least. */
static void list_counts(const struct report *report, enum iommuser_severity least, char *line,
			size_t size)
{
	char text[32];
	size_t used = 0;
	u32 severity;
	u64 count;

	line[0] = '\0';
	for (severity = IOMMUSER_ERROR; severity >= IOMMUSER_WARNING && used < size; severity--) {
		count = report_count(report, severity);
		if (count || severity == least)
			used += (size_t)snprintf(line + used, size - used, "%s%s", used ? ", " : "",
						 text_plural(count, severity_word(severity), text,
							     sizeof(text)));
	}
}

static void print_verdict(const struct report *report, const struct verdict *verdict)
{
	const char *status = verdict->status;
	char counts[128];

	fputs(color_on(status), stdout);
	if (!strcmp(status, "ok")) {
		printf("OK%s: nothing wrong found\n", color_off(status));
	} else if (!strcmp(status, "incomplete")) {
		list_counts(report, verdict->nothing ? IOMMUSER_WARNING : IOMMUSER_INCOMPLETE,
			    counts, sizeof(counts));
		printf("INCOMPLETE%s: %s (%s)\n", color_off(status),
		       verdict->nothing ? "nothing could be checked" :
					  "the image lacks metadata that is needed",
		       counts);
	} else if (!strcmp(status, "warnings")) {
		list_counts(report, IOMMUSER_WARNING, counts, sizeof(counts));
		printf("WARNINGS%s: %s, no error\n", color_off(status), counts);
	} else {
		list_counts(report, IOMMUSER_WARNING, counts, sizeof(counts));
		printf("ERRORS%s: %s\n", color_off(status), counts);
	}
}

static void print_finding(const struct report_entry *entry)
{
	const char *severity = severity_name(entry->finding.severity);
	const char *word = severity_word(entry->finding.severity);
	char text[512], record[64];

	report_record_name(&entry->finding, record, sizeof(record));
	printf("\n%s %s%s%s at 0x%llx", iommuser_finding_code(entry->finding.id),
	       color_on(severity), word, color_off(severity),
	       (unsigned long long)entry->finding.phys);
	if (record[0])
		printf(", %s", record);
	if (entry->finding.field)
		printf(".%s", iommuser_field_name(entry->finding.field));
	putchar('\n');
	text_wrap(report_message(entry, text, sizeof(text)), 2);
}

/* What there is none of is left out. */
static void print_checked(struct json_object *checked)
{
	static const struct {
		const char *key;
		const char *one;
		const char *many;
	} words[] = {
		{ "preserved_pages", "preserved page", "preserved pages" },
		{ "memory_map_nodes", "node of the memory map", "nodes of the memory map" },
		{ "sessions", "session", "sessions" },
		{ "files", "file", "files" },
		{ "pages", "page of records", "pages of records" },
		{ "records", "record", "records" },
		{ "context_entries", "context entry", "context entries" },
		{ "pasid_entries", "PASID entry", "PASID entries" },
		{ "page_tables", "page table", "page tables" },
		{ "ptes", "PTE", "PTEs" },
	};
	char line[600] = "nothing";
	struct json_object *value;
	size_t i, used = 0;
	u64 count;

	for (i = 0; i < sizeof(words) / sizeof(words[0]) && used < sizeof(line); i++) {
		json_object_object_get_ex(checked, words[i].key, &value);
		count = json_object_get_uint64(value);
		if (count)
			used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%llu %s",
						 used ? ", " : "", (unsigned long long)count,
						 count == 1 ? words[i].one : words[i].many);
	}
	puts("\nChecked");
	text_wrap(line, 2);
}

static void print_verify(const struct report *report, const struct verdict *verdict,
			 struct json_object *object, u64 limit)
{
	struct json_object *not_checked = NULL, *checked = NULL;
	size_t i, kept = report_nr_kept(report);

	print_verdict(report, verdict);
	for (i = 0; i < kept && i < limit; i++)
		print_finding(report_get(report, i));
	if (i < kept)
		printf("\n... and %zu more (--limit)\n", kept - i);
	json_object_object_get_ex(object, "checked", &checked);
	json_object_object_get_ex(object, "not_checked", &not_checked);
	print_checked(checked);
	if (json_object_array_length(not_checked))
		puts("\nNot checked");
	for (i = 0; i < json_object_array_length(not_checked); i++)
		text_wrap(json_object_get_string(json_object_array_get_idx(not_checked, i)), 2);
	if (kept)
		puts("\niommu-kho-dump --explain CODE tells what a finding means and what to do.");
}

static int verdict_status(const struct verdict *verdict)
{
	return !strcmp(verdict->status, "errors") || !strcmp(verdict->status, "incomplete") ?
		       EXIT_FOUND :
		       EXIT_OK;
}

static int write_metrics(const struct options *options, const struct handover *handover,
			 const struct verdict *verdict, struct json_object *object)
{
	char image[4096];
	struct prometheus metrics = {
		.image = escape_text(options->image, strlen(options->image), image, sizeof(image)),
		.status = verdict->status,
		.time = (u64)time(NULL),
		.handover = handover,
	};

	json_object_object_get_ex(object, "checked", &metrics.checked);
	return prometheus_write(options, &metrics);
}

/* Takes over the object. */
static int answer(const struct options *options, const struct handover *handover,
		  const struct verdict *verdict, struct json_object *object, u64 limit)
{
	int status = EXIT_OK;

	if (options_json(options))
		return print_json(options, object);
	if (options->format == FORMAT_PROMETHEUS)
		status = write_metrics(options, handover, verdict, object);
	else
		print_verify(handover->report, verdict, object, limit);
	json_object_put(object);
	return status;
}

static int run_verify(const struct options *options, struct source *source)
{
	struct iommuser_verify_counts counts = { 0 };
	struct handover handover;
	struct verdict verdict;
	struct json_object *object;
	u64 limit = options_limit(options, DEFAULT_LIMIT);
	int status = open_handover(&handover, options, source);

	if (status == EXIT_OK)
		status = verify_handover(&handover, options, &counts);
	if (status == EXIT_OK) {
		object = model_verify(&handover, &counts, limit);
		verdict.status = model_verdict(&handover, &counts);
		verdict.nothing = model_nothing_checked(&handover, &counts);
		status = verdict_status(&verdict);
		if (answer(options, &handover, &verdict, object, limit) != EXIT_OK)
			status = EXIT_INTERNAL;
	}
	handover_close(&handover);
	return status;
}

const struct command command_verify = {
	.name = "verify",
	.operands = "IMAGE",
	.summary = "check everything; exit 1 when something is wrong",
	.help = "Says OK, WARNINGS, INCOMPLETE or ERRORS, then each finding with its code, place,\n"
		"and what was found and expected; then what was checked, and what was not.\n"
		"--explain CODE tells what to do about a finding.\n"
		"\n"
		"With --json-lines, any number of images, one line each; one that cannot be read\n"
		"has a line with \"error\". With --prometheus, metrics for node_exporter, on stdout\n"
		"or in the file of -o.\n",
	.nr_images = 1,
	.takes = TAKES_START | TAKES_LIMIT | TAKES_FORCE | TAKES_PROMETHEUS | TAKES_OUTPUT |
		 TAKES_IMAGES,
	.output = &output_verify,
	.run = run_verify,
};
