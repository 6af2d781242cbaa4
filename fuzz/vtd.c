// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: VT-d root, context and PASID tables of both modes.
 * Checks S1 S2 S3 S4 S6.
 *
 * Input: page size u8, options u8 (bit 0: scalable mode), root table u32 (from
 * MEMORY_BASE), requester u16, PASID u32, PASID directory u32 (from MEMORY_BASE),
 * its tables u16, memory.
 *
 * Properties: every entry is decoded as a plain reading of its bits does it, both
 * when it is asked for and when it is come by; an iteration meets exactly the
 * entries that are present, and one error for each table that is not there.
 */
#include "fuzz.h"

#include <string.h>

#include <iommuser/vtd.h>

/* Entries that one input looks at, so that it ends soon. */
#define MAX_MET 70000

struct scene {
	struct memory *memory;
	struct iommuser_vtd_tables tables;
	struct iommuser_vtd_directory directory;
	u32 bdf;
	u32 pasid;
};

/* Bits [low, low + width) of a quadword. */
static u64 bits(u64 word, u32 low, u32 width)
{
	return word >> low & ((1ULL << width) - 1);
}

/* What access to @length bytes at @phys must come to. */
static int plain_read(const struct scene *scene, u64 phys, u32 length, u64 *words)
{
	u64 page = phys & ~((1ULL << scene->memory->env.page_shift) - 1);
	const u8 *bytes = memory_page(scene->memory, page);

	if (phys >= 1ULL << IOMMUSER_PHYS_BITS)
		return -IOMMUSER_ECORRUPT;
	if (!bytes)
		return -IOMMUSER_EUNMAPPED;
	memcpy(words, bytes + (phys - page), length);
	return 0;
}

static int plain_root(const struct scene *scene, u32 bus, u64 *words)
{
	if (scene->tables.root_table % 4096)
		return -IOMMUSER_ECORRUPT;
	return plain_read(scene, scene->tables.root_table + 16ULL * bus, 16, words);
}

/* The context table of a requester: 0 when there is none. */
static int plain_table(const struct scene *scene, u32 bdf, bool *present, u64 *table)
{
	u64 words[2], word;
	int error = plain_root(scene, bdf >> 8, words);

	*present = false;
	if (error)
		return error;
	word = words[scene->tables.scalable && bdf & 0x80 ? 1 : 0];
	*present = word & 1;
	*table = word & ~0xfffULL;
	return 0;
}

static int plain_context(const struct scene *scene, u32 bdf, struct iommuser_vtd_context *context)
{
	bool scalable = scene->tables.scalable;
	u64 words[4] = { 0 }, table;
	int error = plain_table(scene, bdf, &context->table_present, &table);

	if (error || !context->table_present)
		return error;
	table += scalable ? 32 * (bdf & 0x7f) : 16 * (bdf & 0xff);
	error = plain_read(scene, table, scalable ? 32 : 16, words);
	if (error)
		return error;
	context->phys = table;
	context->low = words[0];
	context->high = words[1];
	context->present = bits(words[0], 0, 1);
	context->table = bits(words[0], 12, 52) << 12;
	if (scalable) {
		context->device_tlb = bits(words[0], 2, 1);
		context->pasid_enable = bits(words[0], 3, 1);
		context->page_request_enable = bits(words[0], 4, 1);
		context->directory_size = (u32)bits(words[0], 9, 3);
		context->rid_pasid = (u32)bits(words[1], 0, 20);
		context->reserved = (words[0] & 0x1e0) | (words[1] >> 21 << 21) | words[2] |
				    words[3];
	} else {
		context->translation_type = (u32)bits(words[0], 2, 2);
		context->address_width = (u32)bits(words[1], 0, 3);
		context->did = (u32)bits(words[1], 8, 16);
		context->reserved = (words[0] & 0xff0) | (words[1] >> 24 << 24) | (words[1] & 0x80);
	}
	return 0;
}

static void same_context(const struct iommuser_vtd_context *ours,
			 const struct iommuser_vtd_context *theirs, u32 bdf)
{
	require(ours->phys == theirs->phys && ours->low == theirs->low &&
			ours->high == theirs->high &&
			ours->table_present == theirs->table_present &&
			ours->present == theirs->present && ours->reserved == theirs->reserved &&
			ours->table == theirs->table &&
			ours->translation_type == theirs->translation_type &&
			ours->address_width == theirs->address_width && ours->did == theirs->did,
		"requester %#x", bdf);
	require(ours->device_tlb == theirs->device_tlb &&
			ours->pasid_enable == theirs->pasid_enable &&
			ours->page_request_enable == theirs->page_request_enable &&
			ours->directory_size == theirs->directory_size &&
			ours->rid_pasid == theirs->rid_pasid,
		"requester %#x", bdf);
}

static void check_requester(const struct scene *scene, u32 bdf)
{
	struct iommuser_vtd_context ours = { 0 }, theirs;
	struct iommuser_vtd_root_entry entry;
	u64 words[2] = { 0 }, table = 0, found = 0;
	bool present;
	int error = plain_root(scene, bdf >> 8, words);

	require(iommuser_vtd_root_entry(&scene->tables, bdf >> 8, &entry) == error, "bus %u",
		bdf >> 8);
	if (!error) {
		require(entry.low == words[0] && entry.high == words[1], "bus %u", bdf >> 8);
		plain_table(scene, bdf, &present, &table);
		require(iommuser_vtd_context_table(&scene->tables, &entry, bdf & 0xff, &found) ==
					present &&
				(!present || found == table),
			"requester %#x", bdf);
	}
	error = plain_context(scene, bdf, &ours);
	require(iommuser_vtd_context(&scene->tables, bdf, &theirs) == error, "requester %#x", bdf);
	if (!error)
		same_context(&ours, &theirs, bdf);
}

/* Where the next requester is that the iteration must stop at. */
static int plain_next(const struct scene *scene, u32 *cursor, u32 *bdf,
		      struct iommuser_vtd_context *context)
{
	u32 per_table = scene->tables.scalable ? 128 : 256;
	int error;

	while (*cursor < IOMMUSER_VTD_NR_REQUESTERS) {
		*bdf = *cursor;
		memset(context, 0, sizeof(*context));
		error = plain_context(scene, *bdf, context);
		if (error && !context->table_present)
			*cursor = IOMMUSER_VTD_NR_REQUESTERS;
		else if (error || !context->table_present)
			*cursor = (*bdf / per_table + 1) * per_table;
		else
			++*cursor;
		if (error)
			return error;
		if (context->present)
			return 1;
	}
	return 0;
}

static void check_requesters(const struct scene *scene)
{
	struct iommuser_vtd_context ours, theirs;
	u32 our_cursor = 0, our_bdf = 0, their_cursor = 0, their_bdf = 0;
	u64 calls = scene->memory->calls;
	int more;

	for (;;) {
		more = plain_next(scene, &our_cursor, &our_bdf, &ours);
		require(iommuser_vtd_next_context(&scene->tables, &their_cursor, &their_bdf,
						  &theirs) == more,
			"requester %#x", our_bdf);
		if (!more)
			break;
		require(our_bdf == their_bdf, "requesters %#x and %#x", our_bdf, their_bdf);
		if (more > 0)
			same_context(&ours, &theirs, our_bdf);
	}
	require(scene->memory->calls - calls <= 2 * IOMMUSER_VTD_NR_REQUESTERS, "%llu calls",
		(unsigned long long)(scene->memory->calls - calls));
}

static int plain_pasid_table(const struct scene *scene, u32 pasid, u64 *table)
{
	u64 word = 0;
	int error;

	*table = 0;
	if (scene->directory.phys % 4096 || scene->directory.phys >= 1ULL << IOMMUSER_PHYS_BITS)
		return -IOMMUSER_ECORRUPT;
	error = plain_read(scene, scene->directory.phys + pasid / 64 * 8ULL, 8, &word);
	if (error || !(word & 1))
		return error;
	*table = word & ~0xfffULL;
	return *table && !bits(word, 2, 10) ? 0 : -IOMMUSER_ECORRUPT;
}

static int plain_pasid(const struct scene *scene, u32 pasid, struct iommuser_vtd_pasid *entry)
{
	u64 words[8] = { 0 }, table;
	int error = plain_pasid_table(scene, pasid, &table);

	if (error || !table)
		return error;
	error = plain_read(scene, table + pasid % 64 * 64, 64, words);
	if (error)
		return error;
	entry->phys = table + pasid % 64 * 64;
	memcpy(entry->qw, words, sizeof(entry->qw));
	entry->reserved = words[3] | words[4] | words[5] | words[6] | words[7];
	entry->present = bits(words[0], 0, 1);
	entry->address_width = (u32)bits(words[0], 2, 3);
	entry->type = (u32)bits(words[0], 6, 3);
	entry->second_stage = bits(words[0], 12, 52) << 12;
	entry->did = (u32)bits(words[1], 0, 16);
	entry->first_stage_mode = (u32)bits(words[2], 2, 2);
	entry->first_stage = bits(words[2], 12, 52) << 12;
	return 0;
}

static void same_pasid(const struct iommuser_vtd_pasid *ours,
		       const struct iommuser_vtd_pasid *theirs, u32 pasid)
{
	require(ours->phys == theirs->phys && !memcmp(ours->qw, theirs->qw, sizeof(ours->qw)) &&
			ours->present == theirs->present && ours->reserved == theirs->reserved &&
			ours->type == theirs->type && ours->address_width == theirs->address_width,
		"PASID %u", pasid);
	require(ours->second_stage == theirs->second_stage && ours->did == theirs->did &&
			ours->first_stage_mode == theirs->first_stage_mode &&
			ours->first_stage == theirs->first_stage,
		"PASID %u", pasid);
}

static void check_pasid(const struct scene *scene, u32 pasid)
{
	struct iommuser_vtd_pasid ours = { 0 }, theirs;
	u64 our_table = 0, their_table = 0;
	int error = -IOMMUSER_EINVAL;

	if (pasid < scene->directory.nr_pasids)
		error = plain_pasid_table(scene, pasid, &our_table);
	require(iommuser_vtd_pasid_table(&scene->directory, pasid, &their_table) == error &&
			(error || our_table == their_table),
		"PASID %u", pasid);
	if (!error)
		error = plain_pasid(scene, pasid, &ours);
	require(iommuser_vtd_pasid(&scene->directory, pasid, &theirs) == error, "PASID %u", pasid);
	if (!error)
		same_pasid(&ours, &theirs, pasid);
}

static int plain_next_pasid(const struct scene *scene, u32 *cursor, u32 *pasid,
			    struct iommuser_vtd_pasid *entry)
{
	int error;

	while (*cursor < scene->directory.nr_pasids) {
		*pasid = *cursor;
		memset(entry, 0, sizeof(*entry));
		error = plain_pasid(scene, *pasid, entry);
		*cursor = error || !entry->phys ? (*pasid / 64 + 1) * 64 : *pasid + 1;
		if (error)
			return error;
		if (entry->present)
			return 1;
	}
	return 0;
}

static void check_pasids(const struct scene *scene)
{
	struct iommuser_vtd_pasid ours, theirs;
	u32 our_cursor = 0, our_pasid = 0, their_cursor = 0, their_pasid = 0;
	u64 met = 0;
	int more;

	for (;; met++) {
		more = plain_next_pasid(scene, &our_cursor, &our_pasid, &ours);
		require(iommuser_vtd_next_pasid(&scene->directory, &their_cursor, &their_pasid,
						&theirs) == more,
			"PASID %u", our_pasid);
		if (!more || met == MAX_MET)
			break;
		require(our_pasid == their_pasid, "PASIDs %u and %u", our_pasid, their_pasid);
		if (more > 0)
			same_pasid(&ours, &theirs, our_pasid);
	}
}

/* The directory that the requester's context entry names, and what it has. */
static void check_directory(struct scene *scene)
{
	struct iommuser_vtd_context context;

	if (iommuser_vtd_context(&scene->tables, scene->bdf, &context) || !context.present)
		return;
	iommuser_vtd_directory_of(&scene->memory->env, &context, &scene->directory);
	require(scene->directory.phys == context.table &&
			scene->directory.nr_pasids == 8192U << context.directory_size,
		"%u PASIDs", scene->directory.nr_pasids);
	check_pasid(scene, scene->pasid % IOMMUSER_VTD_MAX_PASIDS);
	check_pasids(scene);
}

static void check_arguments(const struct scene *scene)
{
	struct iommuser_vtd_root_entry entry;
	struct iommuser_vtd_context context;
	u64 calls = scene->memory->calls;

	require(iommuser_vtd_root_entry(&scene->tables, IOMMUSER_VTD_NR_BUSES + scene->bdf,
					&entry) == -IOMMUSER_EINVAL,
		"no such bus");
	require(iommuser_vtd_context(&scene->tables, IOMMUSER_VTD_NR_REQUESTERS + scene->bdf,
				     &context) == -IOMMUSER_EINVAL,
		"no such requester");
	require(scene->memory->calls == calls, "memory was asked for");
	require(iommuser_vtd_nr_dids(scene->pasid) ==
			((scene->pasid & 7) == 7 ? 65536U : 16U << 2 * (scene->pasid & 7)),
		"%#x", scene->pasid);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	struct memory *memory = memory_begin((u32)input_take(&input, 1));
	struct scene scene = {
		.memory = memory,
		.tables = { .env = &memory->env },
		.directory = { .env = &memory->env },
	};

	scene.tables.scalable = input_take(&input, 1) & 1;
	scene.tables.root_table = MEMORY_BASE + input_take(&input, 4);
	scene.bdf = (u32)input_take(&input, 2);
	scene.pasid = (u32)input_take(&input, 4);
	scene.directory.phys = MEMORY_BASE + input_take(&input, 4);
	scene.directory.nr_pasids = (u32)input_take(&input, 2) % 16385 * 64;
	memory_write(memory, &input);
	check_arguments(&scene);
	check_requester(&scene, scene.bdf);
	check_requesters(&scene);
	check_pasid(&scene, scene.pasid);
	check_pasids(&scene);
	if (scene.tables.scalable)
		check_directory(&scene);
	memory_end(memory);
	return 0;
}
