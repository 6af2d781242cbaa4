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
	char size[32];
	u32 i;

	if (options_json(options)) {
		object = output_new(&output_extract);
		put_untrusted(object, "output", options->output, strlen(options->output));
		put_number(object, "bytes_of_memory", written);
		put_text(object, "origin", handover->origin);
		put_number(object, "gaps", gaps);
		return print_json(options, object);
	}
	printf("%s: %s of metadata\n", options->output, text_size(written, size, sizeof(size)));
	for (i = 0; i < handover->nr_notes; i++)
		text_wrap(handover->notes[i], 2);
	if (gaps)
		printf("  the image lacks metadata in %llu places: see verify\n",
		       (unsigned long long)gaps);
	return EXIT_OK;
}

/* Would the image be replaced by what is taken from it? */
static bool output_is_image(const struct options *options)
{
	struct stat image, output;

	return !stat(options->image, &image) && !stat(options->output, &output) &&
	       image.st_dev == output.st_dev && image.st_ino == output.st_ino;
}

static int run_extract(const struct options *options, struct source *source)
{
	struct handover handover;
	u64 written = 0;
	int status;

	if (output_is_image(options)) {
		complain(options->output, "is the image itself: -o must name another file");
		return EXIT_USAGE;
	}
	status = extract_image(options, source, &handover, &written);
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
