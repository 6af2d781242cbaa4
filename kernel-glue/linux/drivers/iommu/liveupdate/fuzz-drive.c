// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes an input of fuzz-input.h apart, puts it into memory, and has a host
 * restore from it, step by step. In the kernel and outside of it.
 */
#include "fuzz-input.h"

#include <iommuser/error.h>
#include <iommuser/graph.h>
#include <iommuser/records.h>

#ifdef __KERNEL__
#include <linux/limits.h>
#include <linux/sprintf.h>
#include <linux/string.h>
#else
#include <limits.h>
#include <stdio.h>
#include <string.h>
#endif

#define CRC_SIZE 4

/* The input */

/* The next @size bytes, padded to 4; NULL when there are less. */
static const void *take(const u8 **at, u64 *left, u64 size)
{
	const void *taken = *at;

	size = (size + 3) & ~3ULL;
	if (size > *left)
		return NULL;
	*at += size;
	*left -= size;
	return taken;
}

static bool blocks_are_sound(const struct iommu_fuzz_input *input)
{
	const struct iommu_fuzz_block *block = input->blocks;
	u32 end = 0, i;

	for (i = 0; i < input->header->nr_blocks; i++, block++) {
		if (block->order > IOMMU_FUZZ_MAX_ORDER || block->frame < end ||
		    block->frame & ((1U << block->order) - 1))
			return false;
		end = block->frame + (1U << block->order);
	}
	return end <= IOMMU_FUZZ_FRAMES;
}

/* Offsets of things of that size, none of which crosses its unit. */
static bool offsets_are_sound(const u32 *offsets, u32 count, u32 size)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (offsets[i] % size || offsets[i] >= IOMMU_FUZZ_WINDOW)
			return false;
	return true;
}

static bool writes_are_sound(const struct iommu_fuzz_input *input, u64 left)
{
	const struct iommu_fuzz_write *write;
	const u8 *at = input->writes;
	u32 i;

	for (i = 0; i < input->header->nr_writes; i++) {
		write = take(&at, &left, sizeof(*write));
		if (!write || write->offset > IOMMU_FUZZ_WINDOW ||
		    write->length > IOMMU_FUZZ_WINDOW - write->offset ||
		    !take(&at, &left, write->length))
			return false;
	}
	return left < 8;
}

/**
 * iommu_fuzz_parse() - find the parts of an input
 * @input: filled
 * @bytes: of the input, aligned to 8 bytes
 * @length: how many there are, of this input and maybe further ones
 *
 * Return: 0 or -IOMMUSER_EINVAL.
 */
int iommu_fuzz_parse(struct iommu_fuzz_input *input, const void *bytes, u64 length)
{
	const struct iommu_fuzz_header *header = bytes;
	const u8 *at = bytes;
	u64 left;

	if (length < sizeof(*header) || header->magic != IOMMU_FUZZ_MAGIC ||
	    header->length > length || header->length % 8)
		return -IOMMUSER_EINVAL;
	left = header->length;
	input->header = take(&at, &left, sizeof(*header));
	if (!input->header)
		return -IOMMUSER_EINVAL;
	input->blocks = take(&at, &left, (u64)header->nr_blocks * sizeof(*input->blocks));
	if (!input->blocks)
		return -IOMMUSER_EINVAL;
	input->relocations = take(&at, &left, (u64)header->nr_relocations * sizeof(u32));
	if (!input->relocations)
		return -IOMMUSER_EINVAL;
	input->seals = take(&at, &left, (u64)header->nr_seals * sizeof(u32));
	if (!input->seals)
		return -IOMMUSER_EINVAL;
	input->steps = take(&at, &left, 2 * (u64)header->nr_steps);
	if (!input->steps)
		return -IOMMUSER_EINVAL;
	input->writes = at;
	if (header->level > IOMMUSER_LEVEL_CLOSURE || !iommuser_revision_at(header->revision) ||
	    !blocks_are_sound(input) ||
	    !offsets_are_sound(input->relocations, header->nr_relocations, sizeof(u64)) ||
	    !offsets_are_sound(input->seals, header->nr_seals, CRC_SIZE) ||
	    !writes_are_sound(input, left))
		return -IOMMUSER_EINVAL;
	return 0;
}

static void seal(u8 *window, u32 offset, const struct iommuser_env *env)
{
	u8 *page = window + (offset & ~(IOMMU_FUZZ_FRAME_SIZE - 1));
	u32 crc;

	memset(window + offset, 0, CRC_SIZE);
	crc = env->crc32(env->ctx, 0, page, IOMMU_FUZZ_FRAME_SIZE);
	memcpy(window + offset, &crc, CRC_SIZE);
}

/**
 * iommu_fuzz_place() - write an input to memory
 * @input: parsed
 * @window: IOMMU_FUZZ_WINDOW zeroed bytes
 * @base: physical address that they have
 * @env: for the CRC
 */
void iommu_fuzz_place(const struct iommu_fuzz_input *input, void *window, u64 base,
		      const struct iommuser_env *env)
{
	const struct iommu_fuzz_write *write;
	const u8 *at = input->writes;
	u64 left = UINT_MAX, word;
	u32 i;

	for (i = 0; i < input->header->nr_writes; i++) {
		write = take(&at, &left, sizeof(*write));
		memcpy((u8 *)window + write->offset, take(&at, &left, write->length),
		       write->length);
	}
	for (i = 0; i < input->header->nr_relocations; i++) {
		memcpy(&word, (u8 *)window + input->relocations[i], sizeof(word));
		word += base;
		memcpy((u8 *)window + input->relocations[i], &word, sizeof(word));
	}
	for (i = 0; i < input->header->nr_seals; i++)
		seal(window, input->seals[i], env);
}

/* The restore */

/* Callbacks that can be made to fail. */
enum callback {
	CALL_MAP,
	CALL_RESTORE,
	CALL_RESERVE,
	NR_CALLBACKS,
};

/**
 * struct job - one machine
 * @header: of the input
 * @host: who restores
 * @outcome: what has come of it
 * @now: the check that is under way
 * @env: the host's, with calls counted and failing
 * @ops: likewise
 * @reporter: takes findings down in @now
 * @restore: the machine
 * @record: what a step is about
 * @claimed: what a claim gave
 * @base: physical address of the window
 * @fail_in: after so many calls each callback fails; 0: not at all
 * @valid: steps can be taken
 * @finished: no more of them
 * @set: of what is preserved, or NULL
 * @memory: of the machine
 */
struct job {
	const struct iommu_fuzz_header *header;
	const struct iommu_fuzz_host *host;
	struct iommu_fuzz_outcome *outcome;
	struct iommu_fuzz_check *now;
	struct iommuser_env env;
	struct iommuser_restore_ops ops;
	struct iommuser_reporter reporter;
	struct iommuser_restore restore;
	union iommuser_record record;
	union iommuser_record claimed;
	u64 base;
	u32 fail_in[NR_CALLBACKS];
	bool valid;
	bool finished;
	struct iommuser_pageset *set;
	void *memory;
};

static void expect_at(struct job *job, bool condition, u32 line)
{
	if (!condition && !job->outcome->broken)
		job->outcome->broken = line;
}

/* A property that holds for every input. */
#define expect(job, condition) expect_at(job, condition, __LINE__)

static void mix(u64 *sum, u64 value)
{
	*sum = (*sum ^ value) * 0x9e3779b97f4a7c15ULL;
	*sum ^= *sum >> 29;
}

/* Nothing fails after something has, so that what failed can be undone. */
static void disarm(struct job *job)
{
	memset(job->fail_in, 0, sizeof(job->fail_in));
}

static bool fails(struct job *job, enum callback callback)
{
	if (!job->fail_in[callback] || --job->fail_in[callback])
		return false;
	disarm(job);
	return true;
}

static const void *job_map(void *ctx, u64 phys, u64 length)
{
	struct job *job = ctx;

	job->now->nr_calls++;
	if (fails(job, CALL_MAP))
		return NULL;
	return job->host->env->map(job->host->env->ctx, phys, length);
}

static u32 job_crc32(void *ctx, u32 crc, const void *data, u64 length)
{
	struct job *job = ctx;

	return job->host->env->crc32(job->host->env->ctx, crc, data, length);
}

static int job_restore_page(void *ctx, u64 phys, u64 length)
{
	struct job *job = ctx;

	if (fails(job, CALL_RESTORE))
		return 1;
	if (!job->host->ops->restore_page(job->host->ops->ctx, phys, length))
		return 0;
	disarm(job);
	return 1;
}

static void job_release_page(void *ctx, u64 phys, u64 length)
{
	struct job *job = ctx;

	job->host->ops->release_page(job->host->ops->ctx, phys, length);
}

static int job_reserve_did(void *ctx, u64 token, u32 did)
{
	struct job *job = ctx;

	if (fails(job, CALL_RESERVE))
		return 1;
	if (!job->host->ops->reserve_did(job->host->ops->ctx, token, did))
		return 0;
	disarm(job);
	return 1;
}

static void job_release_did(void *ctx, u64 token, u32 did)
{
	struct job *job = ctx;

	job->host->ops->release_did(job->host->ops->ctx, token, did);
}

static void job_report(void *ctx, const struct iommuser_finding *finding)
{
	struct job *job = ctx;
	struct iommu_fuzz_check *check = job->now;

	expect(job, iommuser_finding_code(finding->id));
	check->nr_findings++;
	if (finding->severity >= IOMMUSER_INCOMPLETE && !check->nr_errors++)
		check->first = iommuser_finding_code(finding->id);
	mix(&check->sum, finding->id);
	mix(&check->sum, finding->severity);
	mix(&check->sum, finding->kind);
	mix(&check->sum, finding->index);
	mix(&check->sum, finding->field);
	mix(&check->sum, finding->phys);
	mix(&check->sum, finding->found);
	mix(&check->sum, finding->expected);
}

static void begin(struct job *job, struct iommu_fuzz_check *check)
{
	memset(&job->restore, 0, sizeof(job->restore));
	memset(job->fail_in, 0, sizeof(job->fail_in));
	job->now = check;
	job->env = *job->host->env;
	job->env.ctx = job;
	job->env.map = job_map;
	job->env.crc32 = job_crc32;
	job->ops.ctx = job;
	job->ops.restore_page = job_restore_page;
	job->ops.release_page = job_release_page;
	job->ops.reserve_did = job_reserve_did;
	job->ops.release_did = job_release_did;
	job->reporter.ctx = job;
	job->reporter.report = job_report;
}

static void end(struct job *job)
{
	job->host->free(job->memory);
	job->memory = NULL;
	job->host->set_free(job->set);
	job->set = NULL;
}

/* Open and validate; -IOMMUSER_ENOMEM when the host has no memory for that. */
static int validate(struct job *job, enum iommuser_restore_level level, bool with_set)
{
	u64 size;
	int error;

	if (with_set) {
		job->set = job->host->set_new(job->host->ctx);
		if (!job->set)
			return -IOMMUSER_ENOMEM;
	}
	error = iommuser_restore_open(&job->restore, &job->env, &job->ops,
				      iommuser_revision_at(job->header->revision),
				      job->base + job->header->root, job->set, &job->reporter);
	if (error)
		return error;
	size = iommuser_restore_size(&job->restore);
	job->memory = job->host->alloc(size);
	if (!job->memory)
		return -IOMMUSER_ENOMEM;
	return iommuser_restore_validate(&job->restore, level, 1, job->memory, size,
					 &job->reporter);
}

static void check_nothing_held(struct job *job)
{
	expect(job, !job->host->nr_pages(job->host->ctx));
	expect(job, !job->host->nr_dids(job->host->ctx));
}

/* A machine that is closed does nothing. */
static void check_closed(struct job *job)
{
	const struct iommuser_unit unit = { 0 };
	struct iommuser_restore *restore = &job->restore;

	expect(job, iommuser_restore_claim_iommu(restore, &unit, &job->claimed.iommu) ==
			    -IOMMUSER_EINVAL);
	expect(job, iommuser_restore_advance(restore, IOMMUSER_KIND_DEVICE, 0,
					     IOMMUSER_ABANDONED) == -IOMMUSER_EINVAL);
	expect(job, iommuser_restore_finish(restore) == -IOMMUSER_EINVAL);
	iommuser_restore_abort(restore);
}

static void check_level(struct job *job, enum iommuser_restore_level level)
{
	struct iommu_fuzz_check *check = &job->outcome->checks[level];

	begin(job, check);
	check->error = validate(job, level, level == IOMMUSER_LEVEL_CLOSURE);
	expect(job, check->error <= 0 && check->error != -IOMMUSER_EINTERNAL);
	expect(job, check->error != -IOMMUSER_ECORRUPT || check->nr_errors);
	expect(job, check->error || !check->nr_errors);
	check_nothing_held(job);
	iommuser_restore_abort(&job->restore);
	check_nothing_held(job);
	check_closed(job);
	end(job);
}

/* Steps */

static int claim(struct job *job, u32 kind, u64 position)
{
	const union iommuser_record *record = &job->record;
	struct iommuser_unit unit;

	if (iommuser_restore_read(&job->restore, kind, position, &job->record))
		return -IOMMUSER_ENOENT;
	job->host->claiming(job->host->ctx, kind, position);
	switch (kind) {
	case IOMMUSER_KIND_IOMMU:
		unit.token = record->iommu.token;
		unit.cap = record->iommu.cap;
		unit.ecap = record->iommu.ecap;
		unit.host_address_width = record->iommu.host_address_width;
		unit.mode = record->iommu.mode;
		return iommuser_restore_claim_iommu(&job->restore, &unit, &job->claimed.iommu);
	case IOMMUSER_KIND_DOMAIN:
		return iommuser_restore_claim_domain(&job->restore, record->common.phys,
						     &job->claimed.domain);
	default:
		return iommuser_restore_claim_device(&job->restore, record->device.segment,
						     record->device.bdf, &job->claimed.device);
	}
}

static void note(struct job *job, int error)
{
	u64 *trail = &job->outcome->trail;

	expect(job, error <= 0 && error != -IOMMUSER_EINTERNAL);
	if (error)
		job->outcome->nr_refused++;
	else
		job->outcome->nr_done++;
	mix(trail, (u64)(long long)error);
	mix(trail, job->host->nr_pages(job->host->ctx));
	mix(trail, job->host->nr_dids(job->host->ctx));
}

static u64 some_position(const struct job *job, u32 kind, u8 argument)
{
	return argument % (iommuser_restore_count(&job->restore, kind) + 1);
}

static void step_claim(struct job *job, u32 kind, u64 position)
{
	const struct iommu_fuzz_host *host = job->host;
	u64 pages = host->nr_pages(host->ctx), dids = host->nr_dids(host->ctx);
	int error = claim(job, kind, position);

	note(job, error);
	disarm(job);
	if (error) {
		expect(job, host->nr_pages(host->ctx) == pages);
		expect(job, host->nr_dids(host->ctx) == dids);
		return;
	}
	error = claim(job, kind, position);
	expect(job, error == -IOMMUSER_EBUSY || error == -IOMMUSER_ENOENT);
}

static void step_advance(struct job *job, u32 kind, u64 position, u32 state)
{
	const struct iommu_fuzz_host *host = job->host;
	u64 pages = host->nr_pages(host->ctx), dids = host->nr_dids(host->ctx);

	note(job, iommuser_restore_advance(&job->restore, kind, position, state));
	expect(job, host->nr_pages(host->ctx) == pages);
	expect(job, host->nr_dids(host->ctx) == dids);
}

static void claim_all(struct job *job)
{
	u64 position;
	u32 kind;

	for (kind = IOMMUSER_KIND_IOMMU; kind <= IOMMUSER_KIND_DEVICE; kind++)
		for (position = 0; position < iommuser_restore_count(&job->restore, kind);
		     position++)
			step_claim(job, kind, position);
}

/* Devices before domains before units, which is how they can go. */
static void advance_all(struct job *job, u32 state)
{
	u64 position;
	u32 kind;

	for (kind = IOMMUSER_KIND_DEVICE; kind >= IOMMUSER_KIND_IOMMU; kind--)
		for (position = 0; position < iommuser_restore_count(&job->restore, kind);
		     position++)
			step_advance(job, kind, position, state);
}

static void step_finish(struct job *job)
{
	const struct iommu_fuzz_host *host = job->host;
	u64 pages = host->nr_pages(host->ctx), dids = host->nr_dids(host->ctx);
	int error;

	host->ending(host->ctx, true);
	error = iommuser_restore_finish(&job->restore);
	host->ending(host->ctx, false);
	note(job, error);
	expect(job, host->nr_pages(host->ctx) == pages);
	expect(job, host->nr_dids(host->ctx) == dids);
	job->outcome->finish = error;
	if (error == -IOMMUSER_EBUSY)
		return;
	check_closed(job);
	end(job);
	job->outcome->closed = true;
	job->finished = true;
	job->valid = false;
}

/* What was handed over stays, and such a handover cannot be opened again. */
static void step_abort(struct job *job)
{
	bool advanced = job->restore.advanced;

	iommuser_restore_abort(&job->restore);
	if (!advanced)
		check_nothing_held(job);
	check_closed(job);
	end(job);
	job->finished = advanced;
	job->valid = false;
}

static void open_again(struct job *job)
{
	bool with_set = job->header->options & IOMMU_FUZZ_WITH_SET ||
			job->header->level == IOMMUSER_LEVEL_CLOSURE;

	begin(job, &job->outcome->restore);
	job->fail_in[CALL_MAP] = job->outcome->restore.nr_calls ? 0 : job->header->fail_map_at;
	job->now->error = validate(job, job->header->level, with_set);
	expect(job, job->now->error <= 0 && job->now->error != -IOMMUSER_EINTERNAL);
	check_nothing_held(job);
	memset(job->fail_in, 0, sizeof(job->fail_in));
	job->valid = !job->now->error;
	if (!job->valid)
		step_abort(job);
}

static void step_read(struct job *job, u32 kind, u64 position)
{
	note(job, iommuser_restore_read(&job->restore, kind, position, &job->record));
}

static void step_validate(struct job *job)
{
	expect(job, iommuser_restore_validate(&job->restore, job->header->level, 1, job->memory, 0,
					      &job->reporter) == -IOMMUSER_EINVAL);
}

static void step_one(struct job *job, u32 op, u32 variant, u8 argument)
{
	u32 kind = IOMMUSER_KIND_IOMMU + op % 3;

	if (op < IOMMU_FUZZ_ADVANCE)
		step_claim(job, kind, some_position(job, kind, argument));
	else if (op < IOMMU_FUZZ_ADVANCE_OTHER)
		step_advance(job, kind, some_position(job, kind, argument), variant % 8);
	else if (op == IOMMU_FUZZ_ADVANCE_OTHER)
		step_advance(job, argument % 2 ? 0 : 4 + argument / 2 % 4, argument / 8,
			     variant % 8);
	else if (op == IOMMU_FUZZ_FINISH)
		step_finish(job);
	else if (op == IOMMU_FUZZ_ABORT)
		step_abort(job);
	else if (op == IOMMU_FUZZ_READ)
		step_read(job, variant % 8, argument);
	else if (op == IOMMU_FUZZ_CLAIM_ALL)
		claim_all(job);
	else if (op == IOMMU_FUZZ_HAND_OVER_ALL)
		advance_all(job, IOMMUSER_HANDED_OVER);
	else if (op == IOMMU_FUZZ_LEAVE_ALL)
		advance_all(job, IOMMUSER_LEFT);
	else if (op == IOMMU_FUZZ_ABANDON_ALL)
		advance_all(job, IOMMUSER_ABANDONED);
	else
		step_validate(job);
}

static void take_step(struct job *job, u8 step, u8 argument)
{
	u32 op = step % 16, variant = step / 16;

	if (op == IOMMU_FUZZ_ARM) {
		job->fail_in[variant % NR_CALLBACKS] = argument + 256U * (variant / NR_CALLBACKS);
		return;
	}
	step_one(job, op, variant, argument);
	disarm(job);
}

static void restore(struct job *job, const u8 *steps)
{
	u32 i;

	open_again(job);
	for (i = 0; i < job->header->nr_steps && !job->finished; i++) {
		if (job->valid)
			take_step(job, steps[2 * i], steps[2 * i + 1]);
		else
			open_again(job);
	}
	job->outcome->nr_pages = job->host->nr_pages(job->host->ctx);
	job->outcome->nr_dids = job->host->nr_dids(job->host->ctx);
	if (job->valid)
		step_abort(job);
}

/**
 * iommu_fuzz_drive() - restore from an input, and look at what happens
 * @input: parsed and placed
 * @host: who restores; nothing is in use
 * @base: physical address of the window
 * @outcome: filled
 *
 * Return: 0 or -IOMMUSER_ENOMEM.
 */
int iommu_fuzz_drive(const struct iommu_fuzz_input *input, const struct iommu_fuzz_host *host,
		     u64 base, struct iommu_fuzz_outcome *outcome)
{
	struct job *job = host->alloc(sizeof(*job));
	u32 level;

	memset(outcome, 0, sizeof(*outcome));
	if (!job)
		return -IOMMUSER_ENOMEM;
	job->header = input->header;
	job->host = host;
	job->outcome = outcome;
	job->base = base;
	for (level = 0; level < IOMMU_FUZZ_NR_LEVELS; level++)
		check_level(job, level);
	restore(job, input->steps);
	host->free(job);
	return 0;
}

static int print_check(const struct iommu_fuzz_check *check, const char *name, char *to,
		       u32 size)
{
	return snprintf(to, size,
			"%s error=%d findings=%u errors=%u first=%s sum=%llx calls=%llu\n", name,
			check->error, check->nr_findings, check->nr_errors,
			check->first ? check->first : "none", (unsigned long long)check->sum,
			(unsigned long long)check->nr_calls);
}

/**
 * iommu_fuzz_print() - an outcome as text
 * @outcome: of iommu_fuzz_drive()
 * @to: where to
 * @size: 1024 is enough
 *
 * Return: its length.
 */
int iommu_fuzz_print(const struct iommu_fuzz_outcome *outcome, char *to, u32 size)
{
	static const char * const names[] = { "seal", "tables", "closure" };
	u32 used = 0, level;

	for (level = 0; level < IOMMU_FUZZ_NR_LEVELS; level++)
		used += print_check(&outcome->checks[level], names[level], to + used, size - used);
	used += print_check(&outcome->restore, "restore", to + used, size - used);
	used += snprintf(to + used, size - used, "steps done=%u refused=%u trail=%llx finish=%d",
			 outcome->nr_done, outcome->nr_refused, (unsigned long long)outcome->trail,
			 outcome->finish);
	used += snprintf(to + used, size - used, " closed=%d pages=%llu dids=%llu broken=%u\n",
			 outcome->closed, (unsigned long long)outcome->nr_pages,
			 (unsigned long long)outcome->nr_dids, outcome->broken);
	return used;
}
