// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump capture: the handover of the running host into a portable
 * image, and line by line what it was taken from and what was not to be had.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "extract.h"
#include "live.h"
#include "model.h"
#include "text.h"

static const struct output_field capture_fields[] = {
	OUTPUT_FIELD("output", OUTPUT_TEXT, "the portable image that was written"),
	OUTPUT_FIELD("bytes_of_memory", OUTPUT_NUMBER, "bytes of memory in it"),
	OUTPUT_FIELD("origin", OUTPUT_TEXT, "when it was taken, as in docs/format.md"),
	OUTPUT_FIELD("gaps", OUTPUT_NUMBER, "places where metadata was not to be had"),
	OUTPUT_FIELD("source", OUTPUT_TEXT, "what it was taken from"),
	OUTPUT_FIELD("used", OUTPUT_TEXTS, "what was used of the running host"),
	OUTPUT_FIELD("not_available", OUTPUT_TEXTS, "what was not to be had, and why"),
	OUTPUT_FIELD("notes", OUTPUT_TEXTS, "what reading the handover brought up"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_capture = {
	.name = "capture",
	.what = "a portable image of the running host's handover",
	.fields = capture_fields,
};

static struct json_object *lines_of(const struct live_log *log, bool used)
{
	struct json_object *lines = json_object_new_array();
	u32 i;

	for (i = 0; i < log->nr; i++)
		if (log->lines[i].used == used)
			json_object_array_add(lines, json_object_new_string(log->lines[i].text));
	return lines;
}

/* A host that runs: no memory has them before the reboot call. */
static bool misses_sessions(const struct handover *handover)
{
	return handover->has_kho && model_sessions_to_come(handover);
}

static struct json_object *missed_of(const struct live_log *log, const struct handover *handover)
{
	struct json_object *lines = lines_of(log, false);

	if (misses_sessions(handover))
		json_object_array_add(lines, json_object_new_string(
						     "LUO's sessions and FLBs: written only in the "
						     "reboot call"));
	return lines;
}

static struct json_object *notes_of(const struct handover *handover)
{
	struct json_object *notes = json_object_new_array();
	u32 i;

	for (i = 0; i < handover->nr_notes; i++)
		json_object_array_add(notes, json_object_new_string(handover->notes[i]));
	return notes;
}

static struct json_object *make_result(const struct options *options,
				       const struct handover *handover, const struct live_log *log,
				       u64 written)
{
	struct json_object *object = output_new(&output_capture);

	put_untrusted(object, "output", options->output, strlen(options->output));
	put_number(object, "bytes_of_memory", written);
	put_text(object, "origin", handover->origin);
	put_number(object, "gaps", report_count(handover->report, IOMMUSER_INCOMPLETE));
	put_text(object, "source", source_format(handover->source));
	put_object(object, "used", lines_of(log, true));
	put_object(object, "not_available", missed_of(log, handover));
	put_object(object, "notes", notes_of(handover));
	return object;
}

static void print_lines(struct json_object *object, const char *key, const char *heading)
{
	struct json_object *lines;
	size_t i;

	if (!json_object_object_get_ex(object, key, &lines) || !json_object_array_length(lines))
		return;
	printf("\n%s\n", heading);
	for (i = 0; i < json_object_array_length(lines); i++)
		text_wrap(json_object_get_string(json_object_array_get_idx(lines, i)), 2);
}

static void print_text(const struct options *options, struct json_object *object,
		       const struct handover *handover, u64 written)
{
	u64 gaps = report_count(handover->report, IOMMUSER_INCOMPLETE);
	char size[32], output[4096];

	printf("%s: %s of metadata, taken: %s\n",
	       escape_text(options->output, strlen(options->output), output, sizeof(output)),
	       text_size(written, size, sizeof(size)), handover->origin);
	if (gaps)
		printf("  metadata was not to be had in %llu places: see verify\n",
		       (unsigned long long)gaps);
	print_lines(object, "used", "Used");
	print_lines(object, "not_available", "Not to be had");
	print_lines(object, "notes", "Notes");
}

static int print_result(const struct options *options, const struct handover *handover,
			const struct live_log *log, u64 written)
{
	struct json_object *object = make_result(options, handover, log, written);

	if (options_json(options))
		return print_json(options, object);
	print_text(options, object, handover, written);
	json_object_put(object);
	return EXIT_OK;
}

/* When nothing could be taken, each line is one for people. */
static void complain_log(const struct live_log *log)
{
	u32 i;

	for (i = 0; i < log->nr; i++)
		complain(SOURCE_LIVE, log->lines[i].text);
}

static int run_capture(const struct options *options, struct source *unused)
{
	const struct source_options how = source_options_of(options);
	struct options live = *options;
	struct live_log log = { 0 };
	struct handover handover;
	char message[2048];
	struct source *source;
	u64 written = 0;
	int status;

	(void)unused;
	live.image = SOURCE_LIVE;
	source = live_open(&how, &log, message, sizeof(message));
	if (!source) {
		complain(SOURCE_LIVE, message);
		return EXIT_NO_IMAGE;
	}
	status = extract_image(&live, source, &handover, &written);
	if (status == EXIT_OK)
		status = print_result(&live, &handover, &log, written);
	else
		complain_log(&log);
	handover_close(&handover);
	return finish_source(&live, source, status);
}

const struct command command_capture = {
	.name = "capture",
	.operands = "",
	.summary = "take the running host's handover (-o FILE)",
	.help = "Writes the metadata of the handover that this host is preparing, or was given,\n"
		"to a portable image: from the kernel's own stream in debugfs where it has one,\n"
		"else out of memory (/proc/kcore, else /dev/mem). Says what it used, and what it\n"
		"could not get and why. No guest memory, no contents of memfds. Takes root.\n",
	.takes = TAKES_OUTPUT | TAKES_START | TAKES_FORCE,
	.output = &output_capture,
	.run = run_capture,
};
