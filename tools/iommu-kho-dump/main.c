// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump: show and verify what a Linux live update hands over.
 */
#include <stdio.h>
#include <string.h>

#include "color.h"
#include "commands.h"
#include "options.h"
#include "whole-file.h"

static int run_command(const struct options *options)
{
	struct source *source = NULL;
	int status;

	if (options->image) {
		source = open_source(options->image, options);
		if (!source)
			return EXIT_NO_IMAGE;
	}
	status = options->list_roots ? list_roots(options, source) :
				       options->command->run(options, source);
	/* Damage may come to light only when all was read. */
	return source ? finish_source(options, source, status) : status;
}

/* One image after the other. Return: the worst status. */
static int run_images(struct options *options)
{
	int worst = EXIT_OK, status, i;

	for (i = 0; i < options->nr_images; i++) {
		options->image = options->images[i];
		status = run_command(options);
		print_failure(options, status);
		if (fflush(stdout))
			return EXIT_INTERNAL;
		if (status > worst)
			worst = status;
	}
	return worst;
}

static int run(struct options *options)
{
	int status;

	if (options->schema)
		return print_schema(options);
	if (options->explain)
		return explain_code(options);
	if (options->output && output_is_input(options))
		status = EXIT_USAGE;
	else if (options->nr_images)
		return run_images(options);
	else
		status = run_command(options);
	print_failure(options, status);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	int status = EXIT_OK;

	whole_file_on_signals();
	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_RUN:
		color_init(options.color);
		status = run(&options);
		break;
	case OPTIONS_DONE:
		break;
	default:
		return EXIT_USAGE;
	}
	if (fflush(stdout) || ferror(stdout)) {
		fputs("iommu-kho-dump: cannot write the output\n", stderr);
		return EXIT_INTERNAL;
	}
	return status;
}
