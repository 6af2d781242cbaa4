// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: the restore machine on a sound handover of any revision that was
 * tampered with, in a host that keeps an account of pages and domain ids.
 *
 * Input: page size u8, base u8 (of handover.h), level u8, options u8 (bit 0: with a
 * page set, bit 1: seals are made after the edits), the call of map() during
 * validation that fails u16 (0: none), a frame that is not preserved u16 (0: none),
 * number of steps u8, steps of an operation u8 and its argument u8, edits as of
 * memory. Of an operation the lower half says what, the upper one which variant.
 *
 * Checks S1 S2 S4 S6 S7 S8 S9 S10 S11 S12 S13 S14 S15, and S3 S5 for claims and for
 * handovers that are opened again. Each call has exactly the result that a model of
 * the states of all records says, unless something was refused to it; where tables
 * were validated with a page set, it fails for no other reason. What it took is
 * exactly what the target finds in the tables by its own means, children first.
 * After each call all pages and domain ids are where the model has them.
 */
#include "restore-model.h"

#include <string.h>

#define MAX_STEPS 64
/* Walks there and back: a root table, a PASID directory, each table twice, and all records. */
#define MAX_MAPS(model) (2 * (512 + 16384 + 4 * MEMORY_FRAMES) + 16 * (model)->nr_records + 64)

/* Operations of a step. */
enum operation {
	CLAIM_UNIT,
	CLAIM_DOMAIN,
	CLAIM_DEVICE,
	ADVANCE_UNIT,
	ADVANCE_DOMAIN,
	ADVANCE_DEVICE,
	ADVANCE_OTHER,
	ARM,
	FINISH,
	ABORT,
	READ,
	CLAIM_ALL,
	HAND_OVER_ALL,
	LEAVE_ALL,
	ABANDON_ALL,
	VALIDATE_AGAIN,
};

static struct host the_host;
static struct model the_model;

/* Before and after each call. */
static void enter(struct model *model)
{
	host_enter(model->host);
}

static void leave(struct model *model)
{
	host_leave(model->host);
	require(model->host->maps <= MAX_MAPS(model), "%llu calls of map()",
		(unsigned long long)model->host->maps);
}

/* Claims */

static u64 size_of(u32 kind)
{
	return kind == IOMMUSER_KIND_IOMMU  ? sizeof(struct iommuser_iommu) :
	       kind == IOMMUSER_KIND_DOMAIN ? sizeof(struct iommuser_domain) :
					      sizeof(struct iommuser_device);
}

/**
 * struct attempt - to claim something
 * @record: what is to be claimed, NULL when nothing is
 * @expected: what the model says if nothing is refused
 * @claimed: set by the library
 */
struct attempt {
	u32 kind;
	const union iommuser_record *record;
	int expected;
	union iommuser_record claimed;
};

/* Nobody may claim a record twice. */
static void begin_attempt(struct model *model, struct attempt *attempt)
{
	attempt->expected = -IOMMUSER_ENOENT;
	if (attempt->record)
		attempt->expected =
			model_state(model, attempt->kind, attempt->record->common.index) ==
					IOMMUSER_PRESERVED_STATE ?
				0 :
				-IOMMUSER_EBUSY;
}

static void end_attempt(struct model *model, const struct attempt *attempt, int error)
{
	const union iommuser_record *record = attempt->record;
	struct host *host = model->host;

	leave(model);
	require(error == 0 || error == -IOMMUSER_ENOENT || error == -IOMMUSER_EBUSY ||
			error == -IOMMUSER_EMISMATCH || error == -IOMMUSER_EREFUSED ||
			error == -IOMMUSER_ECORRUPT || error == -IOMMUSER_EUNMAPPED ||
			(error == -IOMMUSER_ENOSPC && attempt->kind == IOMMUSER_KIND_DOMAIN &&
			 !model->host->strict),
		"claim: %d", error);
	require(error == attempt->expected || host->failed || (!host->strict && !attempt->expected),
		"claim of kind %u: %d and not %d", attempt->kind, error, attempt->expected);
	require(error != -IOMMUSER_EREFUSED || host->failed, "nothing was refused");
	if (!error) {
		require(record && !memcmp(record, &attempt->claimed, size_of(attempt->kind)),
			"another record of kind %u", attempt->kind);
		model_take(model, attempt->kind, record);
		model->known[attempt->kind].states[record->common.index] = IOMMUSER_RESTORED;
	} else {
		require(host->taken.count == host->released, "%u pages taken, %llu given back",
			host->taken.count, (unsigned long long)host->released);
		host_take_back(host);
	}
	model_check(model);
}

static bool same_unit(const struct model *model, const struct iommuser_iommu *iommu,
		      const struct iommuser_unit *unit)
{
	if (iommu->type != IOMMUSER_IOMMU_TYPE_INTEL)
		return false;
	return !iommuser_revision_has(model->image->revision, IOMMUSER_KIND_IOMMU,
				      IOMMUSER_FIELD_CAP) ||
	       (iommu->cap == unit->cap && iommu->ecap == unit->ecap &&
		iommu->host_address_width == unit->host_address_width && iommu->mode == unit->mode);
}

static void claim_unit(struct model *model, const union iommuser_record *like, u32 variant)
{
	const struct iommuser_unit unit = {
		.token = like->iommu.token ^ (variant == 5) << 20,
		.cap = like->iommu.cap ^ (u64)(variant == 1) << 63,
		.ecap = like->iommu.ecap ^ (variant == 2),
		.host_address_width = like->iommu.host_address_width + (variant == 3),
		.mode = like->iommu.mode ^ 3 * (variant == 4),
	};
	struct attempt attempt = { .kind = IOMMUSER_KIND_IOMMU };
	u64 i;
	int error;

	for (i = 0; i < model->known[IOMMUSER_KIND_IOMMU].count; i++) {
		attempt.record = model_record(model, IOMMUSER_KIND_IOMMU, i);
		if (attempt.record && attempt.record->iommu.token == unit.token)
			break;
		attempt.record = NULL;
	}
	begin_attempt(model, &attempt);
	if (!attempt.expected && !same_unit(model, &attempt.record->iommu, &unit))
		attempt.expected = -IOMMUSER_EMISMATCH;
	enter(model);
	error = iommuser_restore_claim_iommu(&model->restore, &unit, &attempt.claimed.iommu);
	end_attempt(model, &attempt, error);
}

static void claim_domain(struct model *model, const union iommuser_record *like, u32 variant)
{
	u64 reference = like->common.phys + (variant == 1 ? 8 : variant == 2 ? 1ULL << 52 : 0);
	struct attempt attempt = { .kind = IOMMUSER_KIND_DOMAIN };
	int error;

	/* A record, but of another kind. */
	if (variant == 3 && model_record(model, IOMMUSER_KIND_DEVICE, 0))
		reference = model_record(model, IOMMUSER_KIND_DEVICE, 0)->common.phys;
	attempt.record = model_find(model, IOMMUSER_KIND_DOMAIN, reference);
	begin_attempt(model, &attempt);
	if (!attempt.expected && !attempt.record->domain.stage)
		attempt.expected = -IOMMUSER_EMISMATCH;
	enter(model);
	error = iommuser_restore_claim_domain(&model->restore, reference, &attempt.claimed.domain);
	end_attempt(model, &attempt, error);
}

static void claim_device(struct model *model, const union iommuser_record *like, u32 variant)
{
	u64 segment = like->device.segment + (variant == 1 ? 1 : variant == 2 ? 0x10000 : 0);
	u64 bdf = like->device.bdf + (variant == 3 ? 1 : variant == 4 ? 0x10000 : 0);
	struct attempt attempt = { .kind = IOMMUSER_KIND_DEVICE };
	const union iommuser_record *unit;
	u64 i;
	int error;

	for (i = 0; i < model->known[IOMMUSER_KIND_DEVICE].count; i++) {
		attempt.record = model_record(model, IOMMUSER_KIND_DEVICE, i);
		if (attempt.record && attempt.record->device.segment == segment &&
		    attempt.record->device.bdf == bdf)
			break;
		attempt.record = NULL;
	}
	begin_attempt(model, &attempt);
	if (!attempt.expected) {
		unit = model_find(model, IOMMUSER_KIND_IOMMU, attempt.record->device.iommu);
		if (!unit || model_state(model, IOMMUSER_KIND_IOMMU, unit->common.index) !=
				     IOMMUSER_RESTORED)
			attempt.expected = -IOMMUSER_EBUSY;
	}
	enter(model);
	error = iommuser_restore_claim_device(&model->restore, segment, bdf,
					      &attempt.claimed.device);
	end_attempt(model, &attempt, error);
}

/* Going on */

/* Have all devices that use the unit or domain come so far? */
static bool users_reached(const struct model *model, u64 reference, enum iommuser_state state)
{
	u32 i;

	for (i = 0; i < model->nr_uses; i++)
		if ((model->uses[i].unit == reference || model->uses[i].domain == reference) &&
		    model_state(model, IOMMUSER_KIND_DEVICE, model->uses[i].device) < state)
			return false;
	return true;
}

/* What advancing a record of a kind that has states must result in. */
static int expected_advance(const struct model *model, u32 kind, u64 position, u32 state)
{
	const union iommuser_record *record = model_record(model, kind, position);
	enum iommuser_state from;
	bool users;

	if (state < IOMMUSER_RESTORED || state > IOMMUSER_ABANDONED ||
	    (kind == IOMMUSER_KIND_IOMMU && state != IOMMUSER_ABANDONED))
		return -IOMMUSER_EINVAL;
	if (!record)
		return -IOMMUSER_ENOENT;
	from = model_state(model, kind, position);
	users = kind == IOMMUSER_KIND_DEVICE ||
		users_reached(model, record->common.phys,
			      state == IOMMUSER_HANDED_OVER || state == IOMMUSER_RESTORED ?
				      (enum iommuser_state)state :
				      IOMMUSER_LEFT);
	switch (state) {
	case IOMMUSER_HANDED_OVER:
		return from != IOMMUSER_RESTORED ? -IOMMUSER_EBUSY : users ? 0 : -IOMMUSER_ENODEV;
	case IOMMUSER_ABANDONED:
		return from == IOMMUSER_LEFT || from == IOMMUSER_ABANDONED || !users ?
			       -IOMMUSER_EBUSY :
			       0;
	default:
		return from != IOMMUSER_HANDED_OVER || !users ? -IOMMUSER_EBUSY : 0;
	}
}

static void advance(struct model *model, u32 kind, u64 position, u32 state)
{
	bool stateful = kind && kind <= MODEL_STATEFUL;
	int expected = stateful ? expected_advance(model, kind, position, state) : -IOMMUSER_EINVAL;
	int error;

	enter(model);
	error = iommuser_restore_advance(&model->restore, kind, position, state);
	leave(model);
	require(error == expected || (error == -IOMMUSER_EUNMAPPED && model->host->failed),
		"kind %u, record %llu to %u: %d and not %d", kind, (unsigned long long)position,
		state, error, expected);
	require(!model->host->taken.count && !model->host->released, "pages were touched");
	if (!error) {
		model->known[kind].states[position] = (u8)state;
		model->advanced = true;
	}
	model_check(model);
}

static void advance_all(struct model *model, u32 state)
{
	static const u32 kinds[] = { IOMMUSER_KIND_DEVICE, IOMMUSER_KIND_DOMAIN,
				     IOMMUSER_KIND_IOMMU };
	u64 position;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		for (position = 0; position < model->known[kinds[i]].count; position++)
			advance(model, kinds[i], position, state);
}

/* Odd arguments of reading: the first record that is not there, no kind. */
static void read_some(struct model *model, u32 kind, u64 position)
{
	union iommuser_record record;
	bool known = kind && kind <= IOMMUSER_NR_KINDS;
	u64 count = iommuser_restore_count(&model->restore, kind);
	int error;

	require(count == (known ? model->known[kind].count : 0), "%llu records",
		(unsigned long long)count);
	enter(model);
	error = iommuser_restore_read(&model->restore, kind, position, &record);
	leave(model);
	require(error == 0 || error == -IOMMUSER_ENOENT ||
			(error == -IOMMUSER_EUNMAPPED && model->host->failed),
		"read: %d", error);
	require(error || (position < count && record.common.index == position &&
			  !(record.common.flags & IOMMUSER_FLAG_DELETED)),
		"record %llu", (unsigned long long)position);
}

/* The end */

/* A machine that is not valid does nothing. */
static void check_invalid(struct model *model)
{
	struct iommuser_restore *restore = &model->restore;
	struct iommuser_unit unit = { 0 };
	union iommuser_record record;

	model->host->restoring = false;
	require(iommuser_restore_claim_iommu(restore, &unit, &record.iommu) == -IOMMUSER_EINVAL &&
			iommuser_restore_claim_domain(restore, 0, &record.domain) ==
				-IOMMUSER_EINVAL &&
			iommuser_restore_claim_device(restore, 0, 0, &record.device) ==
				-IOMMUSER_EINVAL &&
			iommuser_restore_advance(restore, IOMMUSER_KIND_DEVICE, 0,
						 IOMMUSER_ABANDONED) == -IOMMUSER_EINVAL &&
			iommuser_restore_read(restore, IOMMUSER_KIND_DEVICE, 0, &record) ==
				-IOMMUSER_EINVAL &&
			!iommuser_restore_count(restore, IOMMUSER_KIND_DEVICE) &&
			iommuser_restore_finish(restore) == -IOMMUSER_EINVAL,
		"the machine does something");
}

static void check_closed(struct model *model)
{
	model->valid = false;
	check_invalid(model);
	require(!iommuser_restore_size(&model->restore) &&
			iommuser_restore_validate(&model->restore, model->level, 1, model->bytes,
						  model->size,
						  &model->account.reporter) == -IOMMUSER_EINVAL,
		"the machine is not closed");
	iommuser_restore_abort(&model->restore);
	model_check(model);
}

static void abort_all(struct model *model)
{
	struct host *host = model->host;

	host_leave(host); /* what could be read for a claim can be read now */
	enter(model);
	iommuser_restore_abort(&model->restore);
	leave(model);
	require(!host->taken.count, "%u pages taken", host->taken.count);
	if (!model->advanced) {
		model_turn_frames(model, FRAME_RESTORED, FRAME_INCOMING);
		model->nr_dids = 0;
		host_take_back(host);
	}
	check_closed(model);
}

/* Has every live record gone, so that nothing is in the way of a finish? */
static bool all_gone(const struct model *model)
{
	static const u8 needed[] = {
		[IOMMUSER_KIND_IOMMU] = IOMMUSER_RESTORED,
		[IOMMUSER_KIND_DOMAIN] = IOMMUSER_HANDED_OVER,
		[IOMMUSER_KIND_DEVICE] = IOMMUSER_LEFT,
	};
	u32 kind;
	u64 i;

	for (kind = 1; kind <= MODEL_STATEFUL; kind++)
		for (i = 0; i < model->known[kind].count; i++)
			if (model_record(model, kind, i) &&
			    model_state(model, kind, i) < needed[kind])
				return false;
	return true;
}

static void finish(struct model *model)
{
	struct host *host = model->host;
	bool gone = all_gone(model);
	struct pages pages;
	int error;

	model_list_record_pages(model, &pages);
	enter(model);
	error = iommuser_restore_finish(&model->restore);
	leave(model);
	require(error == (gone ? 0 : -IOMMUSER_EBUSY) ||
			(host->failed && (error == -IOMMUSER_EBUSY || error == -IOMMUSER_EREFUSED)),
		"finish: %d", error);
	require(host->taken.count == host->released && (error || host->taken.count == pages.count),
		"%u pages of records and not %u", host->taken.count, pages.count);
	if (error == -IOMMUSER_EBUSY) {
		require(!host->taken.count, "%u pages taken", host->taken.count);
		model_check(model);
		return;
	}
	if (!error)
		model_set_frames(model, &pages, FRAME_RELEASED);
	else
		model_set_frames(model, &host->taken, FRAME_RELEASED);
	model->finished = true;
	check_closed(model);
}

/* Steps */

/* The variants are of wrong arguments, or of those for no record at all. */
static void claim(struct model *model, u32 kind, u64 position, u32 variant)
{
	static const union iommuser_record none;
	const union iommuser_record *like = model_record(model, kind, position);

	if (!like)
		like = &none;
	if (kind == IOMMUSER_KIND_IOMMU)
		claim_unit(model, like, variant);
	else if (kind == IOMMUSER_KIND_DOMAIN)
		claim_domain(model, like, variant);
	else
		claim_device(model, like, variant);
}

static void claim_all(struct model *model)
{
	u64 position;
	u32 kind;

	for (kind = 1; kind <= MODEL_STATEFUL; kind++)
		for (position = 0; position < model->known[kind].count; position++)
			claim(model, kind, position, 0);
}

/* A position, or the first one behind the last. */
static u64 some_position(const struct model *model, u32 kind, u8 argument)
{
	return argument % (model->known[kind].count + 1);
}

static void take_step(struct model *model, u8 step, u8 argument)
{
	static const enum host_call calls[] = { CALL_MAP, CALL_RESTORE, CALL_RESERVE };
	u32 variant = step >> 4;
	u32 kind;

	switch ((enum operation)(step & 15)) {
	case CLAIM_UNIT:
	case CLAIM_DOMAIN:
	case CLAIM_DEVICE:
		kind = 1 + (step & 15) - CLAIM_UNIT;
		claim(model, kind, some_position(model, kind, argument), variant % 6);
		break;
	case ADVANCE_UNIT:
	case ADVANCE_DOMAIN:
	case ADVANCE_DEVICE:
		kind = 1 + (step & 15) - ADVANCE_UNIT;
		advance(model, kind, some_position(model, kind, argument), variant % 8);
		break;
	case ADVANCE_OTHER:
		advance(model, argument % 2 ? 0 : 4 + argument / 2 % 4, argument / 8, variant % 8);
		break;
	case ARM:
		host_arm(model->host, calls[variant % 3], argument + 256U * (variant / 3));
		break;
	case FINISH:
		finish(model);
		break;
	case ABORT:
		abort_all(model);
		break;
	case READ:
		read_some(model, variant, argument);
		break;
	case CLAIM_ALL:
		claim_all(model);
		break;
	case HAND_OVER_ALL:
		advance_all(model, IOMMUSER_HANDED_OVER);
		break;
	case LEAVE_ALL:
		advance_all(model, IOMMUSER_LEFT);
		break;
	case ABANDON_ALL:
		advance_all(model, IOMMUSER_ABANDONED);
		break;
	case VALIDATE_AGAIN:
		require(iommuser_restore_validate(&model->restore, model->level, 1, model->bytes,
						  model->size, NULL) == -IOMMUSER_EINVAL,
			"validated twice");
		break;
	}
}

/* Opening */

/* Arguments that change nothing. */
static void misuse_validation(struct model *model, u8 *bytes)
{
	struct iommuser_restore *restore = &model->restore;
	const struct iommuser_reporter *reporter = &model->account.reporter;

	check_invalid(model);
	require(iommuser_restore_validate(restore, IOMMUSER_LEVEL_CLOSURE + 1, 1, bytes,
					  model->size, reporter) == -IOMMUSER_EINVAL,
		"a level too deep");
	require(iommuser_restore_validate(restore, IOMMUSER_LEVEL_RECORDS, 1, bytes,
					  model->size - 1, reporter) == -IOMMUSER_ENOSPC,
		"a byte too few");
	require(iommuser_restore_validate(restore, IOMMUSER_LEVEL_RECORDS, 1, bytes + 4,
					  model->size, reporter) == -IOMMUSER_EINVAL,
		"an odd address");
	require(model->set || iommuser_restore_validate(restore, IOMMUSER_LEVEL_CLOSURE, 1, bytes,
							model->size, reporter) == -IOMMUSER_EINVAL,
		"no set");
}

static int open_and_validate(struct model *model)
{
	const struct iommuser_reporter *reporter = &model->account.reporter;
	int error;

	error = iommuser_restore_open(&model->restore, &model->host->env, &model->host->restore_ops,
				      model->image->revision, model->image->root, model->set,
				      reporter);
	require(error == 0 || error == -IOMMUSER_EUNMAPPED || error == -IOMMUSER_ECORRUPT ||
			error == -IOMMUSER_EUNKNOWN,
		"open: %d", error);
	if (error)
		return error;
	model->size = iommuser_restore_size(&model->restore);
	require(model->size, "no size");
	model->bytes = calloc(1, model->size + 8);
	require(model->bytes, "out of memory");
	misuse_validation(model, model->bytes);
	error = iommuser_restore_validate(&model->restore, model->level, model->account.sum | 1,
					  model->bytes, model->size, reporter);
	require(error == 0 || error == -IOMMUSER_ECORRUPT || error == -IOMMUSER_EINVAL ||
			(error == -IOMMUSER_EUNMAPPED && model->host->failed),
		"validate: %d", error);
	return error;
}

/* Open and validate, and learn what there is. */
static void begin(struct model *model, bool with_set, u32 fail_map_at)
{
	struct host *host = model->host;
	int error;

	account_begin(&model->account);
	if (with_set) {
		model->set = set_new();
		host_fill_set(host, model->set);
	}
	host->strict = false;
	host->restoring = false;
	model->advanced = false;
	host_arm(host, CALL_MAP, fail_map_at);
	host_enter(host);
	error = open_and_validate(model);
	host_leave(host);
	require(!error || error == -IOMMUSER_EINVAL || model->account.count || host->failed,
		"%d without a finding", error);
	/* A call of map() that fails but once may leave tables unseen. */
	host->strict = with_set && model->level >= IOMMUSER_LEVEL_TABLES && !host->failed;
	model->valid = !error;
	model->unread = host->failed;
	if (error) {
		abort_all(model);
		return;
	}
	model_learn(model);
	model_check(model);
	if (!host->failed)
		model_check_accepted(model);
	host->restoring = true;
}

static void run(struct model *model, u64 options, u32 fail_map_at, const u8 *steps, u64 nr_steps)
{
	bool with_set = options & 1;
	u64 sum, i;

	begin(model, with_set, fail_map_at);
	sum = model->account.sum;
	for (i = 0; i < nr_steps && !model->finished; i++) {
		if (model->valid) {
			take_step(model, steps[2 * i], steps[2 * i + 1]);
			continue;
		}
		if (model->advanced)
			break;
		/* After an abort the same handover can be opened again, with the same result. */
		model_forget(model);
		begin(model, with_set, 0);
		require(fail_map_at || model->account.sum == sum, "other findings the second time");
		if (!model->valid)
			break;
	}
	if (model->valid)
		abort_all(model);
	model_forget(model);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	u32 choice = (u32)input_take(&input, 1);
	u32 base = (u32)input_take(&input, 1);
	const struct handover_image *image = handover_image(base, choice);
	struct memory *memory = memory_begin(choice);
	struct model *model = &the_model;
	u64 options, lost, nr_steps;
	const u8 *steps;
	u32 fail_map_at;

	memset(model, 0, sizeof(*model));
	model->host = &the_host;
	model->image = image;
	host_begin(&the_host, memory);
	model->level = input_take(&input, 1) % 3;
	options = input_take(&input, 1);
	fail_map_at = (u32)input_take(&input, 2);
	lost = input_take(&input, 2) % MEMORY_FRAMES;
	nr_steps = input_take(&input, 1) % (MAX_STEPS + 1);
	if (nr_steps > input.left / 2)
		nr_steps = input.left / 2;
	steps = input.at;
	input.at += 2 * nr_steps;
	input.left -= 2 * nr_steps;

	handover_load(image, &the_host);
	memory_write(memory, &input);
	if (options & 2)
		memory_seal(memory, image->root);
	if (lost)
		host_set_state(&the_host, MEMORY_BASE + lost * FRAME_SIZE, FRAME_SIZE, FRAME_FREE);
	memcpy(model->frames, the_host.states, sizeof(model->frames));
	memory_restart(memory, 0);
	run(model, options, fail_map_at, steps, nr_steps);
	memory_end(memory);
	return 0;
}
