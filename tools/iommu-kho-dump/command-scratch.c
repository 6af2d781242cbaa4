// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump scratch: the memory that KHO sets apart for the next kernel,
 * how much of all memory that is, and whether anything preserved lies in it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/kho.h>

#include "commands.h"
#include "progress.h"
#include "text.h"

/* Linux aligns the regions to its largest buddy block. */
#define REGION_ORDER 10

static const char *const states[] = { "found", "missing", "not-copied-yet", "not-in-image", NULL };

enum scratch_state {
	SCRATCH_FOUND,
	SCRATCH_MISSING, /* the image lacks the array */
	SCRATCH_PREPARED,
	SCRATCH_NONE,
};

static const struct output_field region_fields[] = {
	OUTPUT_FIELD("phys", OUTPUT_HEX, "where it begins", .heading = "physical"),
	OUTPUT_FIELD("size", OUTPUT_NUMBER, "bytes", .heading = "size"),
	OUTPUT_FIELD("preserved", OUTPUT_NUMBER,
		     "bytes in it that are preserved, and will be overwritten",
		     .flags = OUTPUT_NULL, .heading = "preserved"),
	OUTPUT_FIELD("aligned", OUTPUT_FLAG, "as Linux aligns regions", .heading = "aligned"),
	OUTPUT_FIELD("overlaps_region", OUTPUT_FLAG, "it overlaps another region",
		     .heading = "overlaps a region"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_scratch_region = {
	.name = "scratch_region",
	.what = "memory that the next kernel allocates from until it knows what is preserved",
	.fields = region_fields,
};

static const struct output_field scratch_fields[] = {
	OUTPUT_FIELD("state", OUTPUT_TEXT, "what became of looking for the regions",
		     .values = states),
	OUTPUT_FIELD("reason", OUTPUT_TEXT, "why they are not known", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("array", OUTPUT_HEX, "where the list of regions is", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("size", OUTPUT_NUMBER, "bytes of all regions", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("memory", OUTPUT_NUMBER, "bytes of memory that the image describes",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("per_mille", OUTPUT_NUMBER, "1000 * size / memory, rounded",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("preserved", OUTPUT_NUMBER, "bytes of preserved memory in regions",
		     .flags = OUTPUT_NULL),
	OUTPUT_FIELD("impossible", OUTPUT_NUMBER, "entries of the list that can be no region"),
	OUTPUT_FIELD("regions", OUTPUT_OBJECTS, "in the order of the list",
		     .object = &output_scratch_region),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_scratch = {
	.name = "scratch",
	.what = "KHO's scratch memory",
	.fields = scratch_fields,
};

/**
 * struct scratch - what was found out
 * @state: see enum
 * @reason: in words
 * @array: where the list of regions is
 * @nr_entries: of the list
 * @memory: bytes of memory that the image describes, 0 when it does not tell
 */
struct scratch {
	struct handover *handover;
	enum scratch_state state;
	const char *reason;
	u64 array;
	u64 nr_entries;
	u64 memory;
};

static void load_array(struct scratch *scratch, u64 size)
{
	struct handover *handover = scratch->handover;

	scratch->nr_entries = size / sizeof(struct kho_scratch_ser);
	switch (kho_load_scratch(&handover->kho, handover->source, scratch->array, size,
				 handover->report)) {
	case 0:
		scratch->state = SCRATCH_FOUND;
		return;
	case -IOMMUSER_EUNMAPPED:
		scratch->reason = "the image lacks the list of regions";
		break;
	case -IOMMUSER_ENOMEM:
		scratch->reason = "out of memory";
		break;
	default:
		scratch->reason = "the list of regions can be none";
		break;
	}
	scratch->state = SCRATCH_MISSING;
	handover->kho.nr_scratch = 0;
}

static void show_progress(void *ctx, u64 bytes)
{
	(void)ctx;
	progress_show("searching for the scratch regions", bytes >> 20, "MiB");
}

static void find_regions(struct scratch *scratch)
{
	struct handover *handover = scratch->handover;
	u64 size = 0;

	scratch->state = SCRATCH_NONE;
	scratch->reason = source_hints(handover->source) ?
				  "a portable image does not carry the list of regions" :
				  "the image does not tell where the list of regions is";
	if (!handover->has_kho)
		return;
	switch (kho_find_scratch(&handover->kho, handover->source, &scratch->array, &size,
				 show_progress, NULL)) {
	case KHO_HAND_OFF_DONE:
		load_array(scratch, size);
		break;
	case KHO_HAND_OFF_PREPARED:
		scratch->state = SCRATCH_PREPARED;
		scratch->reason = "the list of regions is copied in the jump, and not there yet";
		break;
	default:
		break;
	}
	progress_done();
}

static u64 overlap(u64 a, u64 a_size, u64 b, u64 b_size)
{
	u64 start = a > b ? a : b;
	u64 end = a + a_size < b + b_size ? a + a_size : b + b_size;

	return end > start ? end - start : 0;
}

static bool preserved_known(const struct scratch *scratch)
{
	return scratch->handover->has_pages && scratch->handover->pages.complete;
}

static u64 preserved_in(const struct scratch *scratch, const struct kho_scratch *region)
{
	const struct iommuser_pageset *set = &scratch->handover->pages.set;
	u64 cursor = 0, phys, length, bytes = 0;

	while (iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_PRESERVED), &cursor, 0, &phys,
				     &length))
		bytes += overlap(region->phys, region->size, phys, length);
	return bytes;
}

static bool overlaps_region(const struct kho *kho, size_t which)
{
	const struct kho_scratch *region = &kho->scratch[which];
	size_t i;

	for (i = 0; i < kho->nr_scratch; i++)
		if (i != which &&
		    overlap(region->phys, region->size, kho->scratch[i].phys, kho->scratch[i].size))
			return true;
	return false;
}

static bool aligned(const struct kho *kho, const struct kho_scratch *region)
{
	return !((region->phys | region->size) & ((1ULL << (kho->page_shift + REGION_ORDER)) - 1));
}

static struct json_object *model_regions(const struct scratch *scratch)
{
	const struct kho *kho = &scratch->handover->kho;
	struct json_object *array = json_object_new_array();
	struct json_object *object;
	bool known = preserved_known(scratch);
	size_t i;

	for (i = 0; i < kho->nr_scratch; i++) {
		object = output_new(&output_scratch_region);
		put_hex(object, "phys", kho->scratch[i].phys);
		put_number(object, "size", kho->scratch[i].size);
		put_number_or_null(object, "preserved", known,
				   known ? preserved_in(scratch, &kho->scratch[i]) : 0);
		put_flag(object, "aligned", aligned(kho, &kho->scratch[i]));
		put_flag(object, "overlaps_region", overlaps_region(kho, i));
		json_object_array_add(array, object);
	}
	return array;
}

static u64 number(struct json_object *object, const char *key)
{
	struct json_object *member = NULL;

	json_object_object_get_ex(object, key, &member);
	return json_object_get_uint64(member);
}

static u64 sum(struct json_object *regions, const char *key)
{
	u64 total = 0;
	size_t i;

	for (i = 0; i < json_object_array_length(regions); i++)
		total += number(json_object_array_get_idx(regions, i), key);
	return total;
}

static u64 per_mille(u64 size, u64 memory)
{
	return (u64)((double)size / (double)memory * 1000 + 0.5);
}

static struct json_object *model_scratch(const struct scratch *scratch)
{
	struct json_object *regions = model_regions(scratch);
	struct json_object *object = output_new(&output_scratch);
	bool found = scratch->state == SCRATCH_FOUND;
	u64 size = sum(regions, "size");

	put_text(object, "state", states[scratch->state]);
	if (found)
		put_null(object, "reason");
	else
		put_text(object, "reason", scratch->reason);
	put_hex_or_null(object, "array", found || scratch->state == SCRATCH_MISSING,
			scratch->array);
	put_number_or_null(object, "size", found, size);
	put_number_or_null(object, "memory", scratch->memory, scratch->memory);
	put_number_or_null(object, "per_mille", found && scratch->memory,
			   scratch->memory ? per_mille(size, scratch->memory) : 0);
	put_number_or_null(object, "preserved", found && preserved_known(scratch),
			   sum(regions, "preserved"));
	put_number(object, "impossible",
		   found ? scratch->nr_entries - scratch->handover->kho.nr_scratch : 0);
	put_object(object, "regions", regions);
	return object;
}

static void print_size(struct json_object *region, const char *key, int width)
{
	struct json_object *member = NULL;
	char text[32];

	json_object_object_get_ex(region, key, &member);
	printf("  %-*s", width, member ? text_size(number(region, key), text, sizeof(text)) : "-");
}

static void print_regions(struct json_object *regions)
{
	struct json_object *region, *flag;
	char phys[32];
	size_t i;

	printf("\nRegions\n  %-18s  %-10s  %s\n", "physical", "size", "preserved in it");
	for (i = 0; i < json_object_array_length(regions); i++) {
		region = json_object_array_get_idx(regions, i);
		printf("  %-18s", text_member(region, "phys", phys, sizeof(phys)));
		print_size(region, "size", 10);
		print_size(region, "preserved", 1);
		json_object_object_get_ex(region, "aligned", &flag);
		if (!json_object_get_boolean(flag))
			printf(", not aligned");
		json_object_object_get_ex(region, "overlaps_region", &flag);
		if (json_object_get_boolean(flag))
			printf(", overlaps another region");
		putchar('\n');
	}
}

static void print_scratch(const struct scratch *scratch, struct json_object *object)
{
	char regions[32], size[32], memory[32], preserved[32];
	struct json_object *array = NULL;
	u64 share = number(object, "per_mille");
	char line[160];

	if (scratch->state != SCRATCH_FOUND) {
		snprintf(line, sizeof(line), "not known: %s.", scratch->reason);
		text_labelled("Scratch", line, 9);
		text_wrap("Where to look: in a dump taken at the jump or later; on the host, in "
			  "scratch_phys and scratch_len of /sys/kernel/debug/kho/out.",
			  9);
		return;
	}
	json_object_object_get_ex(object, "regions", &array);
	printf("Scratch  %s, %s",
	       text_plural(json_object_array_length(array), "region", regions, sizeof(regions)),
	       text_size(number(object, "size"), size, sizeof(size)));
	if (scratch->memory)
		printf(": %" PRIu64 ".%" PRIu64 " %% of the %s in this image", share / 10,
		       share % 10, text_size(scratch->memory, memory, sizeof(memory)));
	putchar('\n');
	if (!preserved_known(scratch))
		puts("         whether preserved memory lies in it is not known");
	else if (number(object, "preserved"))
		printf("         %s of preserved memory lie in it: they will be overwritten\n",
		       text_size(number(object, "preserved"), preserved, sizeof(preserved)));
	else
		puts("         no preserved memory lies in it");
	if (number(object, "impossible"))
		printf("         %" PRIu64 " entries of the list can be no region\n",
		       number(object, "impossible"));
	print_regions(array);
}

static bool something_wrong(struct json_object *object)
{
	struct json_object *regions = NULL, *region;
	size_t i;

	json_object_object_get_ex(object, "regions", &regions);
	for (i = 0; i < json_object_array_length(regions); i++) {
		region = json_object_array_get_idx(regions, i);
		if (!number(region, "aligned") || number(region, "overlaps_region"))
			return true;
	}
	return number(object, "preserved") || number(object, "impossible");
}

static int report_scratch(const struct options *options, const struct scratch *scratch)
{
	struct json_object *object = model_scratch(scratch);
	int status = scratch->state != SCRATCH_FOUND || something_wrong(object) ? EXIT_FOUND :
										  EXIT_OK;

	if (!options_json(options)) {
		print_scratch(scratch, object);
		json_object_put(object);
	} else if (print_json(options, object) != EXIT_OK) {
		return EXIT_INTERNAL;
	}
	return status;
}

static int run_scratch(const struct options *options, struct source *source)
{
	struct handover handover;
	struct scratch scratch = { .handover = &handover };
	int status = open_handover(&handover, options, source);

	if (status == EXIT_OK) {
		find_regions(&scratch);
		scratch.memory = source_memory_size(source);
		status = report_scratch(options, &scratch);
	}
	handover_close(&handover);
	return status;
}

const struct command command_scratch = {
	.name = "scratch",
	.operands = "IMAGE",
	.summary = "memory set apart for the next kernel",
	.help = "KHO sets memory apart in which the next kernel comes up before it knows what is\n"
		"preserved: a region in low memory, one anywhere, one for each NUMA node, sized\n"
		"by kho_scratch= on the command line. Only movable memory is put there meanwhile.\n"
		"Prints the regions, how much of the memory in the image they are, and whether\n"
		"preserved memory lies in them.\n"
		"\n"
		"On x86 the boot loader's list tells where the regions are; it is there from the\n"
		"jump on. Exit 1 when something is wrong, or the image does not tell.\n",
	.nr_images = 1,
	.takes = TAKES_START | TAKES_IMAGES,
	.output = &output_scratch,
	.run = run_scratch,
};
