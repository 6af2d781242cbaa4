// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump translate BDF IOVA: the walk that the hardware does for one
 * address, level by level, and what is behind it.
 */
#include <inttypes.h>
#include <stdio.h>

#include <iommuser/error.h>

#include "commands.h"
#include "fault.h"
#include "mapping.h"
#include "text.h"

static const char *const formats[] = { "first-stage", "second-stage", NULL };
static const char *const accesses[] = { "none", "r", "w", "rw", NULL };
static const char *const access_words[] = { "no access", "read only", "write only",
					    "read and write" };
static const char *const outcomes[] = {
	[REQUESTER_FOUND] = "not-mapped",
	[REQUESTER_UNKNOWN] = "unknown",
	[REQUESTER_BLOCKED] = "blocked",
	[REQUESTER_PASS_THROUGH] = "pass-through",
	[REQUESTER_LEFT] = "left",
	[REQUESTER_MISSING] = "missing",
	[REQUESTER_UNSUPPORTED] = "unsupported",
	[REQUESTER_ABSENT] = "not-handed-over",
	"mapped",
	NULL,
};
#define OUTCOME_MAPPED (REQUESTER_ABSENT + 1)

static const struct output_field level_fields[] = {
	OUTPUT_FIELD("level", OUTPUT_NUMBER, "0 for entries of 4 KiB", .heading = "level"),
	OUTPUT_FIELD("table", OUTPUT_HEX, "where the table is", .heading = "table"),
	OUTPUT_FIELD("index", OUTPUT_NUMBER, "which entry of it", .heading = "index"),
	OUTPUT_FIELD("entry", OUTPUT_HEX, "its value", .heading = "entry"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_level = {
	.name = "level",
	.what = "one step of the hardware's walk",
	.fields = level_fields,
};

static const struct output_field translate_fields[] = {
	OUTPUT_FIELD("bdf", OUTPUT_TEXT, "PCI function, ssss:bb:dd.f"),
	OUTPUT_FIELD("pasid", OUTPUT_NUMBER, "PASID; null for requests without one",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("iova", OUTPUT_HEX, "address that the device uses"),
	OUTPUT_FIELD("outcome", OUTPUT_TEXT, "what becomes of a request", .values = outcomes),
	OUTPUT_FIELD("phys", OUTPUT_HEX, "where it leads", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("access", OUTPUT_TEXT, "what the device may do there", .flags = OUTPUT_NULL,
		     .values = accesses),
	OUTPUT_FIELD("snoop", OUTPUT_FLAG, "accesses are forced to snoop caches",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("page_size", OUTPUT_NUMBER, "bytes that the last entry maps",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("memfd", OUTPUT_HEX, "token of the memfd that holds the memory",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("offset", OUTPUT_HEX, "where in that memfd", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("session", OUTPUT_TEXT, "LUO session of that memfd", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("reason", OUTPUT_TEXT, "why it leads nowhere", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("read_fault", OUTPUT_HEX, "fault reason of a read; null when it goes through",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("write_fault", OUTPUT_HEX, "fault reason of a write", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("format", OUTPUT_TEXT, "of the page table", .flags = OUTPUT_NULL,
		     .values = formats),
	OUTPUT_FIELD("top_table", OUTPUT_HEX, "where the page table is", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("domain", OUTPUT_NUMBER, "index of its domain record", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("levels", OUTPUT_OBJECTS, "the entries read, from the top",
		     .object = &output_level),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_translate = {
	.name = "translate",
	.what = "what a DMA address leads to",
	.fields = translate_fields,
};

/**
 * struct answer - what becomes of a request
 * @outcome: index into @outcomes
 * @message: why it leads nowhere
 * @read_fault: fault reason of a read, 0 for none
 * @write_fault: of a write
 */
struct answer {
	struct requester requester;
	u64 iova;
	u32 outcome;
	char message[160];
	u32 read_fault;
	u32 write_fault;
	struct iommuser_pt_translation translation;
	struct mapping_owner owner;
};

static const char *why_not(int error)
{
	switch (error) {
	case 0:
		return "not mapped";
	case -IOMMUSER_EUNMAPPED:
		return "the image lacks the next table";
	default:
		return "no hardware would follow the last entry";
	}
}

static void translate(struct answer *answer, struct handover *handover)
{
	struct iommuser_pt_translation *translation = &answer->translation;
	struct requester *requester = &answer->requester;
	bool found = requester_find(requester, handover, answer->message, sizeof(answer->message));
	int error;

	answer->outcome = requester->status;
	answer->read_fault = requester->fault;
	answer->write_fault = requester->fault;
	if (!found)
		return;
	error = iommuser_pt_translate(&requester->table, answer->iova, translation);
	if (error == -IOMMUSER_EUNMAPPED) {
		answer->outcome = REQUESTER_MISSING;
	} else {
		answer->read_fault = fault_of_translation(&requester->table, requester->scalable,
							  error, translation, false);
		answer->write_fault = fault_of_translation(&requester->table, requester->scalable,
							   error, translation, true);
	}
	if (!error && translation->mapped) {
		answer->outcome = OUTCOME_MAPPED;
		answer->owner = mapping_find_owner(handover->has_luo ? &handover->luo : NULL,
						   translation->phys);
		return;
	}
	snprintf(answer->message, sizeof(answer->message), "%s", why_not(error));
}

static struct json_object *model_levels(const struct iommuser_pt_translation *translation)
{
	struct json_object *array = json_object_new_array();
	struct json_object *level;
	u32 i;

	for (i = 0; i < translation->nr_steps; i++) {
		level = output_new(&output_level);
		put_number(level, "level", translation->steps[i].level);
		put_hex(level, "table", translation->steps[i].table);
		put_number(level, "index", translation->steps[i].index);
		put_hex(level, "entry", translation->steps[i].entry);
		json_object_array_add(array, level);
	}
	return array;
}

static void put_result(struct json_object *object, const struct answer *answer)
{
	const struct iommuser_pt_translation *translation = &answer->translation;
	const struct mapping_owner *owner = &answer->owner;

	if (answer->outcome != OUTCOME_MAPPED) {
		put_null(object, "phys");
		put_null(object, "access");
		put_null(object, "snoop");
		put_null(object, "page_size");
	} else {
		put_hex(object, "phys", translation->phys);
		put_text(
			object, "access",
			accesses[translation->permissions & (IOMMUSER_PT_READ | IOMMUSER_PT_WRITE)]);
		put_flag(object, "snoop", translation->permissions & IOMMUSER_PT_SNOOP);
		put_number(object, "page_size",
			   4096ULL << (9 * translation->steps[translation->nr_steps - 1].level));
	}
	put_hex_or_null(object, "memfd", owner->file, owner->file ? owner->file->token : 0);
	put_hex_or_null(object, "offset", owner->file, owner->offset);
	if (owner->session)
		put_untrusted(object, "session", owner->session->name,
			      sizeof(owner->session->name));
	else
		put_null(object, "session");
}

static struct json_object *model_translate(const struct answer *answer)
{
	const struct requester *requester = &answer->requester;
	struct json_object *object = output_new(&output_translate);

	put_bdf(object, requester->segment, requester->bdf);
	put_number_or_null(object, "pasid", requester->has_pasid, requester->pasid);
	put_hex(object, "iova", answer->iova);
	put_text(object, "outcome", outcomes[answer->outcome]);
	put_result(object, answer);
	if (answer->outcome == OUTCOME_MAPPED)
		put_null(object, "reason");
	else
		put_text(object, "reason", answer->message);
	put_hex_or_null(object, "read_fault", answer->read_fault, answer->read_fault);
	put_hex_or_null(object, "write_fault", answer->write_fault, answer->write_fault);
	if (requester->status == REQUESTER_FOUND)
		put_text(object, "format", formats[requester->table.stage != IOMMUSER_STAGE_FIRST]);
	else
		put_null(object, "format");
	put_hex_or_null(object, "top_table", requester->status == REQUESTER_FOUND,
			requester->table.top_table);
	put_number_or_null(object, "domain", requester->has_domain, requester->domain);
	put_object(object, "levels", model_levels(&answer->translation));
	return object;
}

static void print_fault(const char *request, u32 fault)
{
	if (fault)
		printf("  a %s is refused: fault reason 0x%02x, %s\n", request, fault,
		       fault_text(fault));
}

static void print_refusal(const struct answer *answer, char *line, size_t size, size_t used)
{
	/* That message names the device itself. */
	if (answer->requester.status == REQUESTER_ABSENT)
		snprintf(line, size, "%s", answer->message);
	else
		snprintf(line + used, size - used, ": %s", answer->message);
	text_wrap(line, 0);
}

static void print_translate(const struct answer *answer, struct json_object *object)
{
	const struct iommuser_pt_translation *translation = &answer->translation;
	char bdf[32], text[32], size[32], token[32], offset[32];
	struct json_object *levels = NULL;
	char line[320];
	int used;

	used = snprintf(line, sizeof(line), "%s", text_member(object, "bdf", bdf, sizeof(bdf)));
	if (answer->requester.has_pasid)
		used += snprintf(line + used, sizeof(line) - (size_t)used, " PASID %u",
				 answer->requester.pasid);
	used += snprintf(line + used, sizeof(line) - (size_t)used, " 0x%" PRIx64, answer->iova);
	if (answer->outcome == OUTCOME_MAPPED)
		printf("%s -> 0x%" PRIx64 "\n  %s, a page of %s\n", line, translation->phys,
		       access_words[translation->permissions &
				    (IOMMUSER_PT_READ | IOMMUSER_PT_WRITE)],
		       text_size(
			       4096ULL << (9 * translation->steps[translation->nr_steps - 1].level),
			       size, sizeof(size)));
	else
		print_refusal(answer, line, sizeof(line), (size_t)used);
	if (answer->read_fault == answer->write_fault) {
		print_fault("request", answer->read_fault);
	} else {
		print_fault("read", answer->read_fault);
		print_fault("write", answer->write_fault);
	}
	if (answer->owner.file)
		printf("  memfd %s of session %s, offset %s\n",
		       text_member(object, "memfd", token, sizeof(token)),
		       text_member(object, "session", text, sizeof(text)),
		       text_member(object, "offset", offset, sizeof(offset)));
	if (answer->requester.status == REQUESTER_FOUND && answer->requester.has_domain)
		printf("  %s, domain %" PRIu64 "\n",
		       text_member(object, "format", text, sizeof(text)), answer->requester.domain);
	else if (answer->requester.status == REQUESTER_FOUND)
		printf("  %s\n", text_member(object, "format", text, sizeof(text)));
	json_object_object_get_ex(object, "levels", &levels);
	text_objects("Levels", levels, &output_level, IOMMUSER_PT_MAX_LEVELS);
}

static int print_answer(const struct options *options, const struct answer *answer)
{
	struct json_object *object = model_translate(answer);

	if (!options_json(options)) {
		print_translate(answer, object);
		json_object_put(object);
	} else if (print_json(options, object) != EXIT_OK) {
		return EXIT_INTERNAL;
	}
	return answer->outcome == OUTCOME_MAPPED ? EXIT_OK : EXIT_FOUND;
}

static int run_translate(const struct options *options, struct source *source)
{
	struct answer answer = { .iova = 0 };
	struct handover handover;
	int status = open_handover(&handover, options, source);

	if (status == EXIT_OK) {
		requester_parse(options->words[0], &answer.requester);
		parse_hex_number(options->words[1], &answer.iova);
		translate(&answer, &handover);
		status = print_answer(options, &answer);
	}
	handover_close(&handover);
	return status;
}

static bool check_translate(const struct options *options, char *message, size_t size)
{
	struct requester requester;
	u64 iova;

	if (!requester_parse(options->words[0], &requester))
		snprintf(message, size, "'%s' is not a PCI function ([0000:]00:04.0[+PASID])",
			 options->words[0]);
	else if (!parse_hex_number(options->words[1], &iova))
		snprintf(message, size, "'%s' is not an IOVA: write addresses as 0x...",
			 options->words[1]);
	else
		return true;
	return false;
}

const struct command command_translate = {
	.name = "translate",
	.operands = "BDF[+PASID] IOVA IMAGE",
	.summary = "what a DMA address leads to, level by level",
	.help = "Does the walk that the IOMMU does for one address of a device, prints the entry\n"
		"of each level, and what owns the memory there; where it leads nowhere, the fault\n"
		"that the hardware reports. 00:04.0+5 is a request of that device with PASID 5.\n"
		"Exit 1 when the address is not mapped.\n",
	.min_words = 2,
	.max_words = 2,
	.nr_images = 1,
	.takes = TAKES_START | TAKES_FORCE,
	.output = &output_translate,
	.check = check_translate,
	.run = run_translate,
};
