// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump: show and verify what a Linux live update hands over.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"

static int run(const struct options *options)
{
	struct source *source = NULL;
	int status;

	if (options->explain)
		return explain_code(options);
	if (options->image) {
		source = open_source(options->image, options);
		if (!source)
			return EXIT_NO_IMAGE;
	}
	status = options->list_roots ? list_roots(options, source) :
				       options->command->run(options, source);
	if (source)
		source_close(source);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	int status = EXIT_OK;

	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_RUN:
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
