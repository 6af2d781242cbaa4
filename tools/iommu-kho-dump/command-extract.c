// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump extract: the pages of metadata, and nothing else, into a
 * portable image.
 */
#include <stdio.h>
#include <string.h>

#include <sys/stat.h>

#include "commands.h"
#include "extract.h"
#include "model.h"
#include "text.h"

static const struct output_field extract_fields[] = {
	OUTPUT_FIELD("output", OUTPUT_TEXT, "the file that was written"),
	OUTPUT_FIELD("file_bytes", OUTPUT_NUMBER, "of that file"),
	OUTPUT_FIELD("bytes_of_memory", OUTPUT_NUMBER, "in it, before compression"),
	OUTPUT_FIELD("origin", OUTPUT_TEXT, "when the image was taken", .values = output_origins),
	OUTPUT_FIELD("gaps", OUTPUT_NUMBER, "places where metadata are not in the image"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_extract = {
	.name = "extract",
	.what = "what was extracted",
	.fields = extract_fields,
};

static int print_result(const struct options *options, const struct handover *handover, u64 written,
			const struct report *report)
{
	u64 gaps = report_count(report, IOMMUSER_INCOMPLETE);
	struct json_object *object;
	char size[32], file_size[32], output[4096];
	struct stat file = { .st_size = 0 };
	u32 i;

	if (stat(options->output, &file)) {
		complain(options->output, "is gone again");
		return EXIT_INTERNAL;
	}

	if (options_json(options)) {
		object = output_new(&output_extract);
		put_untrusted(object, "output", options->output, strlen(options->output));
		put_number(object, "file_bytes", (u64)file.st_size);
		put_number(object, "bytes_of_memory", written);
		put_text(object, "origin", handover->origin);
		put_number(object, "gaps", gaps);
		return print_json(options, object);
	}
	printf("%s: %s (%s of metadata)\n",
	       escape_text(options->output, strlen(options->output), output, sizeof(output)),
	       text_size((u64)file.st_size, file_size, sizeof(file_size)),
	       text_size(written, size, sizeof(size)));
	for (i = 0; i < handover->nr_notes; i++)
		text_wrap(handover->notes[i], 2);
	if (gaps)
		printf("  the image lacks metadata in %llu places: see verify\n",
		       (unsigned long long)gaps);
	return EXIT_OK;
}

static int run_extract(const struct options *options, struct source *source)
{
	struct handover handover;
	u64 written = 0;
	int status = extract_image(options, source, &handover, &written);

	if (status == EXIT_OK)
		status = print_result(options, &handover, written, handover.report);
	handover_close(&handover);
	return status;
}

const struct command command_extract = {
	.name = "extract",
	.operands = "IMAGE",
	.summary = "write the metadata to a portable image (-o FILE)",
	.help = "Writes what verify reads - the memory map of KHO, sessions, records, tables -\n"
		"to a compressed file with checksums. No guest memory, no contents of memfds.\n",
	.nr_images = 1,
	.takes = TAKES_OUTPUT | TAKES_START | TAKES_FORCE,
	.output = &output_extract,
	.run = run_extract,
};
