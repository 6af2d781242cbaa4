// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: root, survey, graph and verifier over a whole handover.
 * Checks S1 S2 S3 S4 S5 S6 S7 S8.
 *
 * Input: page size u8, revision u8, options u8 (bits 0 and 1: IOMMUSER_VERIFY_*,
 * bit 2: domains are used elsewhere, bit 3: seal the pages first, bit 4: the
 * frames that follow differ from those that are there, bits 5 and 6: how far to
 * verify, 0: all, bit 7: without a page set), hidden frame u16 (bit 15:
 * alternatives, bits 10 to 14: how many), root u32 (from MEMORY_BASE), preserved
 * frames (MEMORY_FRAMES bits), memory; the last writes to it are alternatives: each
 * is tried by itself.
 *
 * Properties, with a page set and without one: the work is bounded by memory
 * and records; every record is found again by the address it was read at, and
 * every number in memory that resolves leads to a record at that address; the
 * seed of the hash tables changes no finding; without a page set nothing is
 * said about what is preserved; when a frame that was read is taken away, the
 * handover is not sound. When all of a handover is sound, a plain look at the
 * tables finds each live device led to its domain, and with a page set no page used
 * twice, and each one preserved.
 */
#include "fuzz.h"

#include <string.h>

#include <iommuser/verify.h>
#include <iommuser/vtd.h>

#include "sound.h"

/* Without a set tables are met again and again: then memory ends after so many calls. */
#define BLIND_CALLS (1ULL << 18)
#define MAX_PROBES 1024

struct scene {
	struct memory *memory;
	const struct iommuser_revision *revision;
	u64 root;
	u32 options;
	u32 level;
	u64 hidden;
	bool used_elsewhere;
	u8 bitmap[MEMORY_FRAMES / 8];
};

/* What one pass over the handover came to. */
struct outcome {
	struct account account;
	struct iommuser_verify_counts counts;
	u64 calls;
	int result;
	u8 read[MEMORY_FRAMES];
};

static struct outcome outcomes[2];

/* How far to verify. */
enum {
	ALL,
	RECORDS,
	HARDWARE,
	TABLES
};

static bool used_elsewhere(void *ctx, u64 domain)
{
	(void)ctx;
	return domain % 3;
}

/* Does a reference that resolves lead to a record at that very address? */
UNTRACED static void check_resolved(const struct iommuser_graph *graph, u64 phys, u32 kind)
{
	union iommuser_record record;
	u64 position, at;
	const void *bytes;

	if (iommuser_graph_resolve(graph, phys, kind, &position))
		return;
	require(position < iommuser_graph_count(graph, kind), "%#llx", (unsigned long long)phys);
	require(!iommuser_graph_bytes(graph, kind, position, &bytes, &at), "%#llx",
		(unsigned long long)phys);
	require(at == phys, "%#llx and %#llx", (unsigned long long)at, (unsigned long long)phys);
	require(!iommuser_graph_read(graph, kind, position, &record) && record.common.phys == phys,
		"%#llx and %#llx", (unsigned long long)record.common.phys,
		(unsigned long long)phys);
}

UNTRACED static void check_records(const struct iommuser_graph *graph, bool with_set)
{
	union iommuser_record record;
	u64 position, found;
	u32 kind;

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		for (position = 0; position < iommuser_graph_count(graph, kind); position++) {
			require(!iommuser_graph_read(graph, kind, position, &record),
				"record %llu of kind %u", (unsigned long long)position, kind);
			check_resolved(graph, record.common.phys, kind);
			check_resolved(graph, record.common.phys + 8, kind);
			/* Without a set, one page may be in several chains. */
			if (with_set)
				require(!iommuser_graph_resolve(graph, record.common.phys, kind,
								&found) &&
						found == position,
					"%#llx", (unsigned long long)record.common.phys);
		}
		require(iommuser_graph_read(graph, kind, position, &record) == -IOMMUSER_ENOENT,
			"record %llu of kind %u", (unsigned long long)position, kind);
	}
}

/* Every number in memory is tried as a reference. */
UNTRACED static void check_references(const struct memory *memory,
				      const struct iommuser_graph *graph)
{
	u64 at, value, probes = 0;
	u32 kind;

	for (at = 0; at < MEMORY_SIZE && probes < MAX_PROBES; at += 8) {
		if (!memory->present[at / FRAME_SIZE]) {
			at += FRAME_SIZE - 8;
			continue;
		}
		memcpy(&value, memory->bytes + at, sizeof(value));
		if (!value)
			continue;
		probes++;
		for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
			check_resolved(graph, value, kind);
	}
}

/* The most calls of map() that a pass may make. */
static u64 bound_of(const struct scene *scene, const struct iommuser_survey *survey, bool with_set)
{
	u64 frames = memory_nr_frames(scene->memory);
	u64 units = survey->kinds[IOMMUSER_KIND_IOMMU].nr_records;
	u64 records = 0, once;
	u32 kind;

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		records += survey->kinds[kind].nr_records;
	/* Surveys, the graph, records, page tables, PASID directories and tables. */
	once = 64 * (records + frames + 1) + frames * (1100 + (1 << 15));
	if (!with_set)
		return BLIND_CALLS + once + 64 * records + (1 << 16);
	/* Context tables of every root table, even when they are one and the same. */
	return once + 10 * (u64)IOMMUSER_VTD_NR_REQUESTERS * (units < frames ? units : frames);
}

static int verify_as_far(struct iommuser_verify *job, u32 level)
{
	int error;

	if (level == ALL)
		return iommuser_verify_all(job);
	error = iommuser_verify_records(job);
	if (!error && level >= HARDWARE)
		error = iommuser_verify_vtd(job);
	if (!error && level >= TABLES)
		error = iommuser_verify_tables(job);
	return error;
}

/* By what the tool calls sound: nothing is wrong, and nothing is missing. */
static bool is_sound(const struct outcome *outcome)
{
	return !outcome->result && !outcome->account.severe[IOMMUSER_ERROR] &&
	       !outcome->account.severe[IOMMUSER_INCOMPLETE];
}

/* What the target does by itself is no work of the library. */
struct pause {
	u64 calls;
	u64 budget;
	u8 read[MEMORY_FRAMES];
};

static void pause_begin(struct memory *memory, struct pause *pause)
{
	pause->calls = memory->calls;
	pause->budget = memory->budget;
	memcpy(pause->read, memory->read, sizeof(pause->read));
	memory->budget = 0;
}

static void pause_end(struct memory *memory, const struct pause *pause)
{
	memory->calls = pause->calls;
	memory->budget = pause->budget;
	memcpy(memory->read, pause->read, sizeof(pause->read));
}

static void verify(const struct scene *scene, struct iommuser_verify *job, u64 seed,
		   struct outcome *outcome)
{
	u64 size = iommuser_graph_size(job->root, job->survey);
	bool whole = job->set || scene->memory->calls <= scene->memory->budget;
	void *bytes = calloc(1, size);
	struct pause pause;

	require(size && bytes, "out of memory");
	outcome->result = iommuser_graph_build(job->graph, job->env, job->root, job->survey, seed,
					       bytes, size);
	require(!outcome->result || !whole, "%d", outcome->result);
	if (outcome->result)
		goto out;
	if (!seed) {
		pause_begin(scene->memory, &pause);
		check_records(job->graph, job->set);
		check_references(scene->memory, job->graph);
		pause_end(scene->memory, &pause);
	}
	outcome->result = verify_as_far(job, scene->level);
	require(!outcome->result || !job->set, "%d", outcome->result);
	pause_begin(scene->memory, &pause);
	check_records(job->graph, job->set);
	if (scene->level == ALL && is_sound(outcome))
		sound_check(scene->memory, job->graph, job->set ? scene->bitmap : NULL,
			    job->options);
	pause_end(scene->memory, &pause);
out:
	free(bytes);
}

static void check_blind(const struct account *account)
{
	require(!account->seen[IOMMUSER_FINDING_CLOSURE_ARRAY] &&
			!account->seen[IOMMUSER_FINDING_CLOSURE_VTD_TABLE] &&
			!account->seen[IOMMUSER_FINDING_CLOSURE_PAGE_TABLE] &&
			!account->seen[IOMMUSER_FINDING_CLOSURE_LEAF] &&
			!account->seen[IOMMUSER_FINDING_CLOSURE_METADATA_MAPPED],
		"closure without a page set");
}

static void pass(const struct scene *scene, bool with_set, u64 seed, struct outcome *outcome)
{
	struct memory *memory = scene->memory;
	struct iommuser_root root;
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	struct iommuser_verify job = {
		.env = &memory->env,
		.root = &root,
		.survey = &survey,
		.graph = &graph,
		.reporter = &outcome->account.reporter,
		.used_elsewhere = scene->used_elsewhere ? used_elsewhere : NULL,
		.options = scene->options,
	};

	memory_restart(memory, with_set ? 0 : BLIND_CALLS);
	account_begin(&outcome->account);
	if (with_set) {
		job.set = set_new();
		set_fill(job.set, scene->bitmap);
	}
	outcome->result = iommuser_root_open(&memory->env, scene->revision, scene->root, job.set,
					     job.reporter, &root);
	require(!outcome->result || outcome->account.count, "an error without a finding");
	if (!outcome->result) {
		require(!iommuser_survey_root(&memory->env, &root, job.set, job.reporter, &survey),
			"no survey");
		verify(scene, &job, seed, outcome);
		require(memory->calls <= bound_of(scene, &survey, with_set), "%llu calls",
			(unsigned long long)memory->calls);
	}
	memcpy(outcome->read, memory->read, sizeof(outcome->read));
	outcome->calls = memory->calls;
	outcome->counts = job.counts;
	if (job.set)
		set_free(job.set);
	else
		check_blind(&outcome->account);
}

/* Again, with another seed, and without a frame: if it was not read, all is the same. */
static void both_seeds(const struct scene *scene, bool with_set)
{
	const struct outcome *first = &outcomes[0], *second = &outcomes[1];

	pass(scene, with_set, 0, &outcomes[0]);
	scene->memory->hidden[scene->hidden] = 1;
	pass(scene, with_set, 0xfedcba9876543210ULL, &outcomes[1]);
	scene->memory->hidden[scene->hidden] = 0;
	if (first->read[scene->hidden]) {
		require(!is_sound(second), "%#llx is not there",
			(unsigned long long)(MEMORY_BASE + scene->hidden * FRAME_SIZE));
		return;
	}
	require(first->result == second->result && first->account.sum == second->account.sum &&
			first->calls == second->calls &&
			!memcmp(&first->counts, &second->counts, sizeof(first->counts)),
		"%llu and %llu findings with different seeds",
		(unsigned long long)first->account.count,
		(unsigned long long)second->account.count);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	struct scene scene;
	struct edit edit;
	u32 choice;
	u64 i;

	scene.memory = memory_begin((u32)input_take(&input, 1));
	scene.revision = input_take_revision(&input);
	choice = (u32)input_take(&input, 1);
	scene.options = choice & (IOMMUSER_VERIFY_BEFORE_JUMP | IOMMUSER_VERIFY_AFTER_JUMP);
	scene.used_elsewhere = choice & 4;
	scene.level = choice >> 5 & 3;
	scene.hidden = input_take(&input, 2);
	scene.root = MEMORY_BASE + input_take(&input, 4);
	for (i = 0; i < sizeof(scene.bitmap); i++)
		scene.bitmap[i] = (u8)input_take(&input, 1);
	memory_write_most(scene.memory, &input, scene.hidden >> 15 ? scene.hidden >> 10 & 31 : 0);
	scene.hidden %= MEMORY_FRAMES;
	if (choice & 8)
		memory_seal(scene.memory, scene.root);
	if (choice & 16)
		set_differing(scene.memory, scene.bitmap);
	both_seeds(&scene, !(choice & 128));
	while (memory_edit(scene.memory, &input, &edit)) {
		memory_seal_again(scene.memory);
		both_seeds(&scene, !(choice & 128));
		memory_undo(&edit);
	}
	memory_end(scene.memory);
	return 0;
}
