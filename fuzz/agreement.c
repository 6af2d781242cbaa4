// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The library against a second reader: both take a handover, and read the same
 * in it, or neither does.
 */
#include "agreement.h"

#include <string.h>

#include <iommuser/verify.h>

/* The library's reading of a handover. */
struct reading {
	struct account account;
	struct iommuser_root root;
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	struct iommuser_verify job;
	struct iommuser_pageset *set;
	void *bytes;
};

static struct reading the_reading;

static bool sound(const struct account *account)
{
	return !account->severe[IOMMUSER_INCOMPLETE] && !account->severe[IOMMUSER_ERROR];
}

/* All that is there: with a set the library knows a page that it has met before. */
static struct iommuser_pageset *preserved(const struct memory *memory)
{
	struct iommuser_pageset *set = set_new();
	u8 bitmap[MEMORY_FRAMES / 8] = { 0 };

	set_differing(memory, bitmap);
	set_fill(set, bitmap);
	return set;
}

static bool open_chains(const struct iommuser_revision *revision, struct memory *memory, u64 root)
{
	struct reading *reading = &the_reading;

	account_begin(&reading->account);
	reading->set = preserved(memory);
	reading->bytes = NULL;
	if (iommuser_root_open(&memory->env, revision, root, reading->set,
			       &reading->account.reporter, &reading->root))
		return false;
	require(!iommuser_survey_root(&memory->env, &reading->root, reading->set,
				      &reading->account.reporter, &reading->survey),
		"no survey");
	return sound(&reading->account);
}

static bool check_records(struct memory *memory)
{
	struct reading *reading = &the_reading;
	u64 size = iommuser_graph_size(&reading->root, &reading->survey);

	reading->job = (struct iommuser_verify){
		.env = &memory->env,
		.root = &reading->root,
		.survey = &reading->survey,
		.graph = &reading->graph,
		.set = reading->set,
		.reporter = &reading->account.reporter,
	};
	reading->bytes = calloc(1, size);
	require(reading->bytes, "out of memory");
	require(!iommuser_graph_build(&reading->graph, &memory->env, &reading->root,
				      &reading->survey, size, reading->bytes, size),
		"no graph");
	require(!iommuser_verify_records(&reading->job), "not verified");
	return sound(&reading->account);
}

/* The tables, too. */
static bool check_tables(void)
{
	struct reading *reading = &the_reading;

	require(!iommuser_verify_vtd(&reading->job) && !iommuser_verify_tables(&reading->job),
		"not verified");
	return sound(&reading->account);
}

static void compare_record(const size_t *places, u32 kind, u64 position,
			   const struct independent_record *theirs)
{
	const struct iommuser_graph *graph = &the_reading.graph;
	union iommuser_record ours;
	u64 found;
	u32 i;

	require(!iommuser_graph_read(graph, kind, position, &ours), "record %llu of kind %u",
		(unsigned long long)position, kind);
	require(ours.common.phys == theirs->address && ours.common.flags == theirs->flags &&
			ours.common.ref_count == theirs->ref_count &&
			ours.common.index == theirs->index,
		"record %llu of kind %u", (unsigned long long)position, kind);
	for (i = 0; places[i]; i++) {
		u64 member;

		memcpy(&member, (const u8 *)&ours + places[i], sizeof(member));
		require(member == theirs->member[i], "record %llu of kind %u, member %u",
			(unsigned long long)position, kind, i);
	}
	require(!iommuser_graph_resolve(graph, theirs->address, kind, &found) && found == position,
		"%#llx", (unsigned long long)theirs->address);
}

static void compare(const struct agreement *agreement, const struct independent *theirs)
{
	const struct iommuser_root *ours = &the_reading.root;
	u64 position;
	u32 kind;

	require(ours->phys == theirs->root, "%#llx", (unsigned long long)ours->phys);
	agreement->compare_root(ours, theirs);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		const struct independent_chain *chain = &theirs->kinds[kind];

		require(ours->arrays[kind].first_page == chain->first_page &&
				iommuser_graph_count(&the_reading.graph, kind) == chain->nr_records,
			"kind %u", kind);
		for (position = 0; position < chain->nr_records; position++)
			compare_record((*agreement->places)[kind], kind, position,
				       &chain->records[position]);
	}
}

static const u8 *page(void *ctx, u64 address, u64 length)
{
	(void)length;
	return memory_page(ctx, address);
}

static void read_both(const struct agreement *agreement, struct memory *memory, u64 root)
{
	const char *layout = agreement->revision->name;
	struct independent theirs = {
		.page = page,
		.ctx = memory,
		.page_size = 1ULL << memory->env.page_shift,
		.root = root,
	};
	bool chains = open_chains(agreement->revision, memory, root), records;

	require(chains == agreement->read(&theirs, layout),
		"the library says %s; the second reader: %s", chains ? "sound" : "broken",
		theirs.refused ? theirs.refused : "sound");
	if (chains) {
		records = check_records(memory);
		compare(agreement, &theirs);
		agreement->check(&theirs, layout);
		require(records == (!theirs.refused || theirs.of_tables),
			"the library says %s; the second reader at %#llx: %s",
			records ? "sound" : "broken", (unsigned long long)theirs.where,
			theirs.refused ? theirs.refused : "sound");
		if (records && theirs.refused)
			require(!check_tables(), "the second reader at %#llx: %s",
				(unsigned long long)theirs.where, theirs.refused);
	}
	independent_end(&theirs);
	set_free(the_reading.set);
	free(the_reading.bytes);
}

void agreement_try(const struct agreement *agreement, struct memory *memory, struct input *input)
{
	u64 options = input_take(input, 1);
	u64 root = MEMORY_BASE + input_take(input, 4);
	struct edit edit;

	memory_write_most(memory, input, options & 0x80 ? options >> 1 & 63 : 0);
	if (options & 1)
		memory_seal(memory, root);
	read_both(agreement, memory, root);
	while (memory_edit(memory, input, &edit)) {
		memory_seal_again(memory);
		read_both(agreement, memory, root);
		memory_undo(&edit);
	}
}
