// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The table of commands, and what they share.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

static const struct command commands[] = {
	{ "show", "", 0, command_show },
	{ "verify", "", 0, command_verify },
	{ "translate", "BDF IOVA ", 2, command_translate },
	{ "extract", "", 0, command_extract },
	{ "stat", "", 0, command_stat },
};

const struct command *command_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

int print_json(struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
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
	bool verifies = !strcmp(options->command, "verify");
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
		fputs("iommu-kho-dump: out of memory\n", stderr);
		return EXIT_INTERNAL;
	}
}
