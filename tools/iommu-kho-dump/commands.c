// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The table of commands, and what they share.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

static const struct command *const commands[] = {
	&command_show,	    &command_verify,  &command_translate, &command_extract,
	&command_stat,
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

int print_json(const struct options *options, struct json_object *object)
{
	int flags = options->format == FORMAT_JSON ? JSON_C_TO_STRING_PRETTY :
						     JSON_C_TO_STRING_PLAIN;
	const char *text =
		json_object_to_json_string_ext(object, flags | JSON_C_TO_STRING_NOSLASHESCAPE);
	int status = text && puts(text) >= 0 ? EXIT_OK : EXIT_INTERNAL;

	json_object_put(object);
	return status;
}

void complain(const char *file, const char *message)
{
	char escaped[1024];

	fprintf(stderr, "iommu-kho-dump: %s: %s\n",
		escape_text(file, strlen(file), escaped, sizeof(escaped)), message);
}

int complain_no_memory(void)
{
	fputs("iommu-kho-dump: out of memory\n", stderr);
	return EXIT_INTERNAL;
}

struct source *open_source(const char *path, const struct options *options)
{
	char message[512];
	struct source *source = source_open(path, &options->source, message, sizeof(message));

	if (!source)
		complain(path, message);
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

int open_handover(struct handover *handover, const struct options *options, struct source *source)
{
	char message[256] = "no handover in it";

	switch (handover_open(handover, options, source, message, sizeof(message))) {
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
