// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The table of commands, and what they share.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include <iommuser/error.h>

#include "whole-file.h"

static const struct command *const commands[] = {
	&command_show,	  &command_verify,  &command_maps,	&command_translate,
	&command_scratch, &command_extract, &command_capture,	&command_stat,
	&command_diff,	  &command_graph,   &command_preflight,
};

const struct command *command_at(size_t i)
{
	return i < sizeof(commands) / sizeof(commands[0]) ? commands[i] : NULL;
}

const struct command *command_find(const char *name)
{
	size_t i;

	for (i = 0; command_at(i); i++)
		if (!strcmp(command_at(i)->name, name))
			return command_at(i);
	return NULL;
}

struct source_options source_options_of(const struct options *options)
{
	struct source_options source = options->source;

	source.force = options->force;
	/* Other commands read it all in any case. */
	source.lazy = options->command == &command_show;
	/* The kernel's own stream of a running host has neither KHO nor LUO. */
	source.memory = options->list_roots || options->has_kho || options->has_luo;
	return source;
}

static bool replaces(const struct options *options, const char *input, const char *what)
{
	char message[64];

	if (!input || !whole_file_replaces(options->output, input))
		return false;
	snprintf(message, sizeof(message), "is the %s itself: -o must name another file", what);
	complain(options->output, message);
	return true;
}

static bool replaces_image(const struct options *options, const char *image)
{
	/* No file, but the running host. */
	return image && strcmp(image, SOURCE_LIVE) && replaces(options, image, "image");
}

bool output_is_input(const struct options *options)
{
	bool found = replaces_image(options, options->image) ||
		     replaces_image(options, options->other) ||
		     replaces(options, options->kernel, "kernel");
	int i;

	for (i = 0; i < options->nr_images && !found; i++)
		found = replaces_image(options, options->images[i]);
	return found;
}

struct source *open_source(const char *path, const struct options *options)
{
	const struct source_options how = source_options_of(options);
	char message[2048], line[320];
	struct source *source = source_open(path, &how, message, sizeof(message));
	u32 i;

	if (!source) {
		complain(path, message);
		return NULL;
	}
	for (i = 0; source_loss(source, i); i++) {
		snprintf(line, sizeof(line), "opened by --force: %s", source_loss(source, i));
		complain(path, line);
	}
	return source;
}

/* Are there no records at all at --flb, and errors instead? */
static bool flb_is_wrong(const struct handover *handover)
{
	u64 records = 0;
	u32 kind;

	if (!handover->has_iommu)
		return true;
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		records += handover->survey.kinds[kind].nr_records;
	return !records && report_count(handover->report, IOMMUSER_ERROR);
}

/*
 * Does an address of the command line lead to nothing? For verify, a damaged
 * structure is a finding; a VT-d root has no findings.
 */
static bool start_is_wrong(struct handover *handover, const struct options *options, char *message,
			   size_t size)
{
	bool verifies = options->command == &command_verify;
	u8 entry[16];

	if (options->has_vtd_root &&
	    source_read(handover->source, options->vtd_root, entry, sizeof(entry)) != SOURCE_OK)
		snprintf(message, size, "no VT-d root table at 0x%llx: the image lacks that page",
			 (unsigned long long)options->vtd_root);
	else if (options->has_luo && !handover->has_luo && !verifies)
		snprintf(message, size, "no LUO state at 0x%llx (verify tells why)",
			 (unsigned long long)options->luo);
	else if (options->has_flb && flb_is_wrong(handover) && !verifies)
		snprintf(message, size, "no IOMMU state of layout %s at 0x%llx (verify tells why)",
			 options->abi->name, (unsigned long long)options->flb);
	else
		return false;
	return true;
}

bool complain_broken(const struct options *options, const struct source *source)
{
	char message[512];

	if (options->force || !source_broken(source))
		return false;
	snprintf(message, sizeof(message), "%s (--force shows what it still holds)",
		 source_broken(source));
	complain(options->image, message);
	return true;
}

int finish_source(const struct options *options, struct source *source, int status)
{
	char message[512];

	if (options->force && source_broken(source)) {
		snprintf(message, sizeof(message), "opened by --force: %s", source_broken(source));
		complain(options->image, message);
	}
	if (status <= EXIT_FOUND && complain_broken(options, source))
		status = EXIT_NO_IMAGE;
	source_close(source);
	return status;
}

int open_handover(struct handover *handover, const struct options *options, struct source *source)
{
	char message[256] = "no handover in it";
	enum handover_result result =
		handover_open(handover, options, source, message, sizeof(message));

	if (result != HANDOVER_NO_MEMORY && complain_broken(options, source))
		return EXIT_NO_IMAGE;
	switch (result) {
	case HANDOVER_OK:
		if (!start_is_wrong(handover, options, message, sizeof(message)))
			return EXIT_OK;
		complain(options->image, message);
		return EXIT_NO_IMAGE;
	case HANDOVER_NONE:
		complain(options->image, message);
		return EXIT_NO_IMAGE;
	default:
		return complain_no_memory();
	}
}

int verify_handover(struct handover *handover, const struct options *options,
		    struct iommuser_verify_counts *counts)
{
	int error = handover_verify(handover, counts);

	if (error != -IOMMUSER_ENOMEM && complain_broken(options, handover->source))
		return EXIT_NO_IMAGE;
	switch (error) {
	case 0:
		return EXIT_OK;
	case -IOMMUSER_ENOMEM:
		return complain_no_memory();
	default:
		complain(options->image, "changed while it was read");
		return EXIT_INTERNAL;
	}
}
