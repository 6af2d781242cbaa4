// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump: show and verify what a Linux live update hands over.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"

static int run_on_image(const struct options *options)
{
	char message[512];
	struct source *source;
	int status;

	source = source_open(options->image, &options->source, message, sizeof(message));
	if (!source) {
		complain(options->image, message);
		return EXIT_NO_IMAGE;
	}
	if (options->list_roots)
		status = command_list_roots(options, source);
	else
		status = command_find(options->command)->run(options, source);
	source_close(source);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	int status = EXIT_OK;

	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_RUN:
		status = options.explain ? command_explain(&options) : run_on_image(&options);
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
