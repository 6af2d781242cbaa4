// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump preflight: will this kernel accept the handover?
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "color.h"
#include "commands.h"
#include "live.h"
#include "preflight.h"
#include "text.h"

static const char *const answers[] = { "yes", "yes-so-far", "no", "unknown", NULL };
static const char *const machines[] = { "x86_64", "aarch64", "other", NULL };
static const char *const results[] = { "ok", "unknown", "mismatch", "missing", "damaged", NULL };

static const struct output_field kernel_fields[] = {
	OUTPUT_FIELD("release", OUTPUT_TEXT, "what uname -r will say"),
	OUTPUT_FIELD("format", OUTPUT_TEXT, "of the file"),
	OUTPUT_FIELD("compression", OUTPUT_TEXT, "how the kernel in it is packed, or none"),
	OUTPUT_FIELD("machine", OUTPUT_TEXT, "what it runs on", .values = machines),
	OUTPUT_FIELD("kho", OUTPUT_TEXTS, "compatible strings of KHO that it has"),
	OUTPUT_FIELD("luo", OUTPUT_TEXTS, "compatible strings of LUO that it has"),
	OUTPUT_FIELD("handlers", OUTPUT_TEXTS, "file handlers and FLBs that are built in"),
	OUTPUT_FIELD("iommu_live_update", OUTPUT_TEXT,
		     "FLB of its IOMMU live update; null when it has none", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("configuration", OUTPUT_FLAG,
		     "its configuration is in the file, and was used"),
	OUTPUT_FIELDS_END,
};

static const struct output_object kernel_object = {
	.name = "preflight_kernel",
	.what = "the kernel that is going to boot",
	.fields = kernel_fields,
};

static const struct output_field contract_fields[] = {
	OUTPUT_FIELD("name", OUTPUT_TEXT, "what both kernels must agree on", .heading = "contract"),
	OUTPUT_FIELD("result", OUTPUT_TEXT, "whether they agree", .heading = "result",
		     .values = results),
	OUTPUT_FIELD("image", OUTPUT_TEXT, "what the image has", .heading = "image",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("kernel", OUTPUT_TEXT, "what the kernel has of the kind", .heading = "kernel",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("essential", OUTPUT_FLAG, "the handover is of no use without"),
	OUTPUT_FIELD("why", OUTPUT_TEXT, "why the result is not ok", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("consequence", OUTPUT_TEXT, "what happens where they do not agree"),
	OUTPUT_FIELDS_END,
};

static const struct output_object contract_object = {
	.name = "preflight_contract",
	.what = "one thing that both kernels must agree on",
	.fields = contract_fields,
};

static const struct output_field need_fields[] = {
	OUTPUT_FIELD("option", OUTPUT_TEXT, "as on a kernel's command line"),
	OUTPUT_FIELD("why", OUTPUT_TEXT, "what it is for"),
	OUTPUT_FIELDS_END,
};

static const struct output_object need_object = {
	.name = "preflight_need",
	.what = "what the next kernel's command line has to say",
	.fields = need_fields,
};

static const struct output_field preflight_fields[] = {
	OUTPUT_FIELD("accepts", OUTPUT_TEXT,
		     "will this kernel accept this handover? yes-so-far: what the image of a host "
		     "that runs holds; LUO's sessions are not in it yet",
		     .values = answers),
	OUTPUT_FIELD("reason", OUTPUT_TEXT, "the first reason why not", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("kernel", OUTPUT_OBJECT, "the kernel", .object = &kernel_object),
	OUTPUT_FIELD("contracts", OUTPUT_OBJECTS, "in the order in which a boot meets them",
		     .object = &contract_object),
	OUTPUT_FIELD("needs", OUTPUT_OBJECTS, "what no file tells: the next kernel's command line",
		     .object = &need_object),
	OUTPUT_FIELD("notes", OUTPUT_TEXTS, "what could not be read, and why"),
	OUTPUT_FIELDS_END,
};

static const struct output_object preflight_object = {
	.name = "preflight",
	.what = "whether a kernel will accept a handover",
	.fields = preflight_fields,
};

static struct json_object *model_names(const struct preflight_names *names)
{
	struct json_object *array = json_object_new_array();
	char escaped[256];
	size_t i;

	for (i = 0; i < names->nr; i++)
		json_object_array_add(array, json_object_new_string(escape_text(
						     names->names[i], sizeof(names->names[i]),
						     escaped, sizeof(escaped))));
	return array;
}

static struct json_object *model_kernel(const struct preflight_kernel *kernel)
{
	const struct kernel_file *file = kernel->file;
	struct json_object *object = output_new(&kernel_object);

	put_untrusted(object, "release", file->release, sizeof(file->release));
	put_text(object, "format", file->format);
	put_text(object, "compression", file->compression);
	put_text(object, "machine", file->machine);
	put_object(object, "kho", model_names(&kernel->kho));
	put_object(object, "luo", model_names(&kernel->luo));
	put_object(object, "handlers", model_names(&kernel->handlers));
	if (kernel->iommu)
		put_text(object, "iommu_live_update", kernel->iommu);
	else
		put_null(object, "iommu_live_update");
	put_flag(object, "configuration", file->config);
	return object;
}

static void put_text_or_null(struct json_object *object, const char *key, const char *text)
{
	if (text && *text)
		put_text(object, key, text);
	else
		put_null(object, key);
}

static struct json_object *model_contracts(const struct preflight *preflight)
{
	struct json_object *array = json_object_new_array(), *object;
	const struct preflight_contract *contract;
	size_t i;

	for (i = 0; i < preflight->nr_contracts; i++) {
		contract = &preflight->contracts[i];
		object = output_new(&contract_object);
		put_text(object, "name", contract->name);
		put_text(object, "result", results[contract->result]);
		put_text_or_null(object, "image", contract->image);
		put_text_or_null(object, "kernel", contract->kernel);
		put_flag(object, "essential", contract->essential);
		put_text_or_null(object, "why", contract->why);
		put_text(object, "consequence", contract->consequence);
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *model_needs(const struct preflight *preflight)
{
	struct json_object *array = json_object_new_array(), *object;
	size_t i;

	for (i = 0; i < preflight->nr_needs; i++) {
		object = output_new(&need_object);
		put_text(object, "option", preflight->needs[i].option);
		put_text(object, "why", preflight->needs[i].why);
		json_object_array_add(array, object);
	}
	return array;
}

/**
 * struct memory_beside - memory of the running host, beside the kernel's own stream
 * @source: the memory, or NULL
 * @handover: what is in it
 * @open: @handover is to be closed
 * @used: KHO and LUO are taken from it
 * @log: how it was looked for
 */
struct memory_beside {
	struct source *source;
	struct handover handover;
	bool open;
	bool used;
	struct live_log log;
};

static void add_note(struct json_object *notes, const char *text)
{
	json_object_array_add(notes, json_object_new_string(text));
}

static struct json_object *model_notes(const struct handover *handover,
				       const struct memory_beside *beside)
{
	struct json_object *array = json_object_new_array();
	u32 i;

	if (handover_after_jump(handover))
		json_object_array_add(
			array, json_object_new_string(
				       "the image shows a handover that a kernel has taken over "
				       "already, as this kernel would find it"));
	if (beside->used)
		add_note(array, "KHO and LUO were read in the running host's memory");
	else if (beside->log.nr)
		add_note(array, "KHO and LUO are not to be had of memory either:");
	for (i = 0; !beside->used && i < beside->log.nr; i++)
		if (!beside->log.lines[i].used)
			add_note(array, beside->log.lines[i].text);
	for (i = 0; i < handover->nr_notes; i++)
		json_object_array_add(array, json_object_new_string(handover->notes[i]));
	return array;
}

static const char *answer(const struct preflight *preflight)
{
	if (preflight->accepts == PREFLIGHT_OK)
		return preflight->so_far ? "yes-so-far" : "yes";
	return preflight->accepts == PREFLIGHT_UNKNOWN ? "unknown" : "no";
}

static struct json_object *model_preflight(const struct preflight *preflight,
					   const struct preflight_kernel *kernel,
					   const struct handover *handover,
					   const struct memory_beside *beside)
{
	struct json_object *object = output_new(&preflight_object);

	put_text(object, "accepts", answer(preflight));
	put_text_or_null(object, "reason", preflight->reason);
	put_object(object, "kernel", model_kernel(kernel));
	put_object(object, "contracts", model_contracts(preflight));
	put_object(object, "needs", model_needs(preflight));
	put_object(object, "notes", model_notes(handover, beside));
	return object;
}

/* Text */

static void print_verdict(const struct preflight *preflight, struct json_object *kernel)
{
	const char *color = preflight->accepts == PREFLIGHT_OK	    ? "ok" :
			    preflight->accepts == PREFLIGHT_UNKNOWN ? "warning" :
								      "error";
	char line[512], buffer[32];
	const char *release = text_member(kernel, "release", buffer, sizeof(buffer));

	if (preflight->accepts == PREFLIGHT_OK && preflight->so_far)
		snprintf(line, sizeof(line),
			 "Linux %s accepts what the image holds; LUO's sessions are not in it yet",
			 release);
	else if (preflight->accepts == PREFLIGHT_OK)
		snprintf(line, sizeof(line), "Linux %s accepts this handover", release);
	else if (preflight->accepts == PREFLIGHT_UNKNOWN)
		snprintf(line, sizeof(line),
			 "It is not known whether Linux %s accepts this handover: %s", release,
			 preflight->reason);
	else
		snprintf(line, sizeof(line), "Linux %s does not accept this handover: %s", release,
			 preflight->reason);
	fputs(color_on(color), stdout);
	text_wrap(line, 0);
	fputs(color_off(color), stdout);
}

static void print_kernel(const struct preflight_kernel *kernel)
{
	const struct kernel_file *file = kernel->file;
	char line[512];

	snprintf(line, sizeof(line), "%s%s%s, for %s; %s; %s; %s%s", file->format,
		 strcmp(file->compression, "none") != 0 ? " packed by " : "",
		 strcmp(file->compression, "none") != 0 ? file->compression : "", file->machine,
		 kernel->kho.nr ? "kexec handover (KHO)" : "no kexec handover (KHO)",
		 kernel->luo.nr ? "live update (LUO)" : "no live update (LUO)",
		 kernel->iommu ? "IOMMU live update " : "no IOMMU live update",
		 kernel->iommu ? kernel->iommu : "");
	puts("\nKernel");
	text_wrap(line, 2);
}

/* After this the next kernel reads no more of the handover, or does not run. */
static bool ends_all(const struct preflight_contract *contract)
{
	return contract->result > PREFLIGHT_UNKNOWN &&
	       (!strcmp(contract->name, "machine") || !strcmp(contract->name, "KHO") ||
		!strcmp(contract->name, "LUO"));
}

/* What is only unknown need not happen. */
static const char *condition_of(const struct preflight_contract *contract)
{
	if (!strcmp(contract->name, "verify"))
		return "something is wrong there";
	return !strcmp(contract->name, "LUO sessions") ? "it lacks a handler" : "they differ";
}

/* What happens is said once for contracts in a row of which it is the same. */
static bool same_consequence(const struct preflight_contract *contract,
			     const struct preflight_contract *next)
{
	return next->consequence == contract->consequence &&
	       (contract->result != PREFLIGHT_UNKNOWN ||
		condition_of(next) == condition_of(contract));
}

static void print_consequence(const struct preflight_contract *contract)
{
	const char *text = contract->consequence;
	char line[512];

	if (contract->result != PREFLIGHT_UNKNOWN)
		snprintf(line, sizeof(line), "%s", text);
	else
		snprintf(line, sizeof(line), "If %s: %c%s", condition_of(contract),
			 islower((unsigned char)text[1]) ? tolower((unsigned char)text[0]) :
							   text[0],
			 text + 1);
	text_wrap(line, 4);
}

/* One line and what follows from it, for each contract that is not known, or is known not to be kept. */
static void print_some(const struct preflight *preflight, bool unknown, const char *heading)
{
	const struct preflight_contract *contract, *previous = NULL;
	char line[512];
	size_t i;

	for (i = 0; i < preflight->nr_contracts; i++) {
		contract = &preflight->contracts[i];
		if (contract->result == PREFLIGHT_OK ||
		    (contract->result == PREFLIGHT_UNKNOWN) != unknown)
			continue;
		if (!previous)
			printf("\n%s\n", heading);
		else if (!same_consequence(previous, contract))
			print_consequence(previous);
		previous = contract;
		snprintf(line, sizeof(line), "%s%s%s: %s.", contract->name,
			 *contract->image ? " " : "", contract->image, contract->why);
		text_wrap(line, 2);
		if (ends_all(contract))
			break;
	}
	if (previous)
		print_consequence(previous);
}

static bool all_ends(const struct preflight *preflight)
{
	size_t i;

	for (i = 0; i < preflight->nr_contracts; i++)
		if (ends_all(&preflight->contracts[i]))
			return true;
	return false;
}

static void print_differences(const struct preflight *preflight)
{
	print_some(preflight, false, "What is not ok, and what happens then");
	if (!all_ends(preflight))
		print_some(preflight, true, "What could not be told");
}

static void print_needs(const struct preflight *preflight)
{
	char line[400];
	size_t i;

	/* Nothing helps a kernel that does not accept. */
	if (preflight->accepts > PREFLIGHT_UNKNOWN || !preflight->nr_needs)
		return;
	puts("\nNeeded on its command line, which no file tells");
	for (i = 0; i < preflight->nr_needs; i++) {
		snprintf(line, sizeof(line), "%s: %s", preflight->needs[i].option,
			 preflight->needs[i].why);
		text_wrap(line, 2);
	}
}

static void print_preflight(const struct preflight *preflight,
			    const struct preflight_kernel *kernel, struct json_object *object)
{
	struct json_object *member = NULL;
	size_t i;

	json_object_object_get_ex(object, "kernel", &member);
	print_verdict(preflight, member);
	print_kernel(kernel);
	json_object_object_get_ex(object, "contracts", &member);
	text_objects("Contracts", member, &contract_object, ~0ULL);
	print_differences(preflight);
	print_needs(preflight);
	json_object_object_get_ex(object, "notes", &member);
	if (json_object_array_length(member))
		puts("\nNotes");
	for (i = 0; i < json_object_array_length(member); i++)
		text_wrap(json_object_get_string(json_object_array_get_idx(member, i)), 2);
}

/* What can be said is said; returns an exit status. */
static int tell(const struct options *options, const struct preflight *preflight,
		const struct preflight_kernel *kernel, const struct handover *handover,
		const struct memory_beside *beside)
{
	struct json_object *object = model_preflight(preflight, kernel, handover, beside);
	int status = preflight->accepts == PREFLIGHT_OK ? EXIT_OK : EXIT_FOUND;

	if (options_json(options))
		return print_json(options, object) == EXIT_OK ? status : EXIT_INTERNAL;
	print_preflight(preflight, kernel, object);
	json_object_put(object);
	return status;
}

/*
 * The kernel's stream has neither KHO nor LUO. What the running kernel has of them is in its
 * memory, where the kernel says so: it is not searched. Return: false when memory ran out.
 */
static bool open_beside(struct memory_beside *beside, const struct options *options,
			const struct handover *handover)
{
	struct source_options how = source_options_of(options);
	const struct source_hints *hints;
	enum handover_result result;
	char message[2048];

	if (strcmp(options->image, SOURCE_LIVE) != 0 || handover->has_kho || handover->has_luo ||
	    strcmp(handover->origin, "outgoing") != 0)
		return true;
	how.memory = true;
	beside->source = live_open(&how, &beside->log, message, sizeof(message));
	hints = beside->source ? source_hints(beside->source) : NULL;
	if (hints && hints->has_kho && !strcmp(hints->origin, "outgoing")) {
		beside->open = true;
		result = handover_open(&beside->handover, options, beside->source, message,
				       sizeof(message));
		if (result == HANDOVER_NO_MEMORY)
			return false;
	}
	beside->used = beside->open && beside->handover.has_kho;
	return true;
}

static void close_beside(struct memory_beside *beside)
{
	if (beside->open)
		handover_close(&beside->handover);
	if (beside->source)
		source_close(beside->source);
}

static int compare(const struct options *options, const struct kernel_file *file,
		   struct source *source)
{
	struct iommuser_verify_counts counts = { 0 };
	struct memory_beside beside = { 0 };
	const struct handover *upper = NULL;
	struct preflight_kernel kernel;
	struct preflight preflight = { 0 };
	struct handover handover;
	int status = open_handover(&handover, options, source);

	if (status == EXIT_OK)
		status = verify_handover(&handover, options, &counts);
	if (status == EXIT_OK && !open_beside(&beside, options, &handover))
		status = complain_no_memory();
	if (status == EXIT_OK) {
		preflight_learn(&kernel, file);
		upper = beside.used ? &beside.handover : NULL;
		if (preflight_compare(&preflight, &handover, upper, &kernel))
			status = tell(options, &preflight, &kernel, &handover, &beside);
		else
			status = complain_no_memory();
	}
	preflight_free(&preflight);
	close_beside(&beside);
	handover_close(&handover);
	return status;
}

static int run_preflight(const struct options *options, struct source *source)
{
	struct kernel_file file;
	char message[256];
	int status = EXIT_NO_IMAGE;

	switch (kernel_open(&file, options->kernel, message, sizeof(message))) {
	case KERNEL_OK:
		status = compare(options, &file, source);
		break;
	case KERNEL_UNREADABLE:
		complain(options->kernel, message);
		break;
	default:
		status = complain_no_memory();
		break;
	}
	kernel_close(&file);
	return status;
}

const struct command command_preflight = {
	.name = "preflight",
	.operands = "IMAGE",
	.summary = "will a kernel accept it? exit 1 when not",
	.help = "Holds the handover in IMAGE against the kernel in --kernel FILE: a vmlinux, a\n"
		"bzImage (vmlinuz), an EFI zboot image or an arm64 Image, packed in any way that\n"
		"Linux's build knows. The verdict comes first; then one line for each contract\n"
		"that both kernels must keep, what happens where they differ, and what the next\n"
		"kernel's command line has to say, as no file tells that.\n"
		"\n"
		"Contracts are told by strings and structs in the kernel's data. A file handler\n"
		"that is not built in may be in a module, which FILE does not show: the answer\n"
		"is then \"unknown\", unless the kernel's configuration is in it.\n"
		"\n"
		"LUO writes sessions only in the reboot call. Of a host that runs the answer is\n"
		"\"yes-so-far\" at best: its IOMMU state and all else that is there yet is\n"
		"accepted, and the handlers of the files that the IOMMU state is of are there.\n"
		"\"preflight live\" reads KHO and LUO in memory (/proc/kcore), as the kernel's own\n"
		"stream of IOMMU state has neither.\n"
		"\n"
		"Exit status: 0 accepts (so far), 1 does not or it is not known, 3 FILE or IMAGE\n"
		"can't be read.\n",
	.nr_images = 1,
	.takes = TAKES_START | TAKES_KERNEL | TAKES_FORCE,
	.output = &preflight_object,
	.run = run_preflight,
};
