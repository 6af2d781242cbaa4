// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The simulated kernel: every callback of the library, each with the checks
 * that a real kernel would not survive failing.
 */
#include "sim.h"

#include <string.h>
#include <zlib.h>

#define POISON 0xa5

static u64 frame_of(u64 phys)
{
	return phys / SIM_TABLE_SIZE;
}

static void misuse(struct sim *sim, const char *what, u64 at)
{
	sim->misuses++;
	if (!sim->quiet)
		print_error("simulated kernel: %s at %#llx\n", what, (unsigned long long)at);
}

static bool injected(struct sim *sim, u32 kind)
{
	return (sim->fail_kinds & kind) && ++sim->calls == sim->fail_at;
}

/* Are all frames of a range in @state? */
static bool all_in(const struct sim *sim, u64 phys, u64 length, enum sim_state state)
{
	u64 at;

	if (!length || phys % SIM_TABLE_SIZE || length % SIM_TABLE_SIZE || phys >= SIM_END ||
	    length > SIM_END - phys)
		return false;
	for (at = 0; at < length; at += SIM_TABLE_SIZE)
		if (sim->states[frame_of(phys + at)] != state)
			return false;
	return true;
}

/* Is a frame the first of its folio, or the one before it in @state already? */
static bool in_turn(const struct sim *sim, u64 phys, enum sim_state state)
{
	return !sim->tails[frame_of(phys)] || sim->states[frame_of(phys) - 1] == state;
}

static void set_state(struct sim *sim, u64 phys, u64 length, enum sim_state state)
{
	memset(sim->states + frame_of(phys), (int)state, length / SIM_TABLE_SIZE);
}

u8 *sim_bytes(struct sim *sim, u64 phys)
{
	return image_page(sim->image, phys) + (phys & (image_page_size(sim->image) - 1));
}

static const void *map(void *ctx, u64 phys, u64 length)
{
	struct sim *sim = ctx;
	u64 at;

	if (injected(sim, SIM_FAIL_MAP))
		return NULL;
	if (phys >= SIM_END || length > SIM_END - phys)
		return NULL;
	for (at = frame_of(phys); at <= frame_of(phys + length - 1); at++) {
		if (sim->states[at] == SIM_RELEASED)
			misuse(sim, "a page is read after its release", phys);
		if (sim->states[at] == SIM_FREE || sim->states[at] == SIM_RELEASED)
			return NULL;
	}
	if (sim->direct)
		return sim_bytes(sim, phys);
	return sim->image->env.map(sim->image->env.ctx, phys, length);
}

static u32 sum(void *ctx, u32 crc, const void *data, u64 length)
{
	(void)ctx;
	return (u32)crc32(crc, data, (uInt)length);
}

/* Next fit, so that a page that was freed is not used again soon. */
static u64 take(struct sim *sim, u64 length, enum sim_state state)
{
	u64 page = image_page_size(sim->image);
	u64 span = (length + page - 1) / page * page;
	u64 tries;

	for (tries = (SIM_END - IMAGE_FIRST_PHYS) / page; tries; tries--) {
		u64 at = sim->cursor;

		sim->cursor = at + span + page > SIM_END ? IMAGE_FIRST_PHYS : at + page;
		if (!all_in(sim, at, span, SIM_FREE))
			continue;
		sim->cursor = at + span >= SIM_END - span ? IMAGE_FIRST_PHYS : at + span;
		for (span = 0; span < length; span += SIM_TABLE_SIZE)
			memset(sim_bytes(sim, at + span), 0, SIM_TABLE_SIZE);
		set_state(sim, at, length, state);
		return at;
	}
	fail_msg("the simulated memory is full");
	return 0;
}

u64 sim_alloc(struct sim *sim, u64 nr_frames)
{
	u64 phys = take(sim, nr_frames * SIM_TABLE_SIZE, SIM_ALLOCATED);

	memset(sim->tails + frame_of(phys), 1, nr_frames);
	sim->tails[frame_of(phys)] = 0;
	return phys;
}

static void *alloc_records(void *ctx, u64 *phys)
{
	struct sim *sim = ctx;

	if (injected(sim, SIM_FAIL_ALLOC))
		return NULL;
	sim->touched++;
	*phys = take(sim, image_page_size(sim->image), SIM_RECORDS);
	return sim_bytes(sim, *phys);
}

static bool is_records(const struct sim *sim, u64 phys)
{
	u64 page = image_page_size(sim->image);

	return !(phys % page) && all_in(sim, phys, page, SIM_RECORDS);
}

static void free_records(void *ctx, u64 phys)
{
	struct sim *sim = ctx;

	sim->touched++;
	if (!is_records(sim, phys)) {
		misuse(sim, "free of what is no page of records", phys);
		return;
	}
	memset(sim_bytes(sim, phys), POISON, image_page_size(sim->image));
	set_state(sim, phys, image_page_size(sim->image), SIM_FREE);
}

static void *find_records(void *ctx, u64 phys)
{
	struct sim *sim = ctx;

	if (!is_records(sim, phys))
		fail_msg("find() of %#llx, which is no page of records", (unsigned long long)phys);
	return sim_bytes(sim, phys);
}

static int preserve_page(void *ctx, u64 phys)
{
	struct sim *sim = ctx;

	if (injected(sim, SIM_FAIL_PRESERVE))
		return 1;
	sim->touched++;
	if (!all_in(sim, phys, SIM_TABLE_SIZE, SIM_ALLOCATED)) {
		misuse(sim, "preserve of what is preserved already, or not allocated", phys);
		return 1;
	}
	if (!in_turn(sim, phys, SIM_PRESERVED))
		misuse(sim, "preserve of the middle of a folio before its start", phys);
	set_state(sim, phys, SIM_TABLE_SIZE, SIM_PRESERVED);
	return 0;
}

static void unpreserve_page(void *ctx, u64 phys)
{
	struct sim *sim = ctx;

	sim->touched++;
	if (all_in(sim, phys, SIM_TABLE_SIZE, SIM_PRESERVED) && in_turn(sim, phys, SIM_ALLOCATED))
		set_state(sim, phys, SIM_TABLE_SIZE, SIM_ALLOCATED);
	else
		misuse(sim, "unpreserve of what is not preserved, or not its turn", phys);
}

static bool restorable_length(const struct sim *sim, u64 phys, u64 length)
{
	return (length == SIM_TABLE_SIZE || length == image_page_size(sim->image)) &&
	       !(phys % length);
}

static int restore_page(void *ctx, u64 phys, u64 length)
{
	struct sim *sim = ctx;

	if (injected(sim, SIM_FAIL_RESTORE))
		return 1;
	sim->touched++;
	if (!restorable_length(sim, phys, length) || !all_in(sim, phys, length, SIM_INCOMING)) {
		misuse(sim, "restore of what is not preserved", phys);
		return 1;
	}
	if (!in_turn(sim, phys, SIM_RESTORED))
		misuse(sim, "restore of the middle of a folio before its start", phys);
	set_state(sim, phys, length, SIM_RESTORED);
	return 0;
}

static void release_page(void *ctx, u64 phys, u64 length)
{
	struct sim *sim = ctx;

	sim->touched++;
	if (restorable_length(sim, phys, length) && all_in(sim, phys, length, SIM_RESTORED) &&
	    in_turn(sim, phys, SIM_RELEASED))
		set_state(sim, phys, length, SIM_RELEASED);
	else
		misuse(sim, "release of what is not restored, or not its turn", phys);
}

static struct sim_unit *find_unit(const struct sim *sim, u64 token)
{
	u32 i;

	for (i = 0; i < sim->nr_units; i++)
		if (sim->units[i]->token == token)
			return sim->units[i];
	return NULL;
}

static int reserve_did(void *ctx, u64 token, u32 did)
{
	struct sim *sim = ctx;
	struct sim_unit *unit = find_unit(sim, token);

	if (injected(sim, SIM_FAIL_DID))
		return 1;
	sim->touched++;
	if (!unit || did >= SIM_MAX_DIDS || unit->dids[did]) {
		misuse(sim, "reservation of a domain id twice, or of no unit", did);
		return 1;
	}
	unit->dids[did] = 1;
	sim->dids++;
	return 0;
}

static void release_did(void *ctx, u64 token, u32 did)
{
	struct sim *sim = ctx;
	struct sim_unit *unit = find_unit(sim, token);

	sim->touched++;
	if (!unit || did >= SIM_MAX_DIDS || !unit->dids[did]) {
		misuse(sim, "release of a domain id that is not reserved", did);
		return;
	}
	unit->dids[did] = 0;
	sim->dids--;
}

struct sim *sim_new(u32 page_shift)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	assert_non_null(sim);
	sim->image = image_new(page_shift);
	sim->cursor = IMAGE_FIRST_PHYS;
	sim->env = (struct iommuser_env){
		.ctx = sim, .page_shift = page_shift, .map = map, .crc32 = sum
	};
	sim->pages = (struct iommuser_page_ops){
		.ctx = sim, .alloc = alloc_records, .free = free_records, .find = find_records
	};
	sim->preserve_ops = (struct iommuser_preserve_ops){ .ctx = sim,
							    .preserve_page = preserve_page,
							    .unpreserve_page = unpreserve_page };
	sim->restore_ops = (struct iommuser_restore_ops){
		.ctx = sim,
		.restore_page = restore_page,
		.release_page = release_page,
		.reserve_did = reserve_did,
		.release_did = release_did,
	};
	return sim;
}

void sim_free(struct sim *sim)
{
	u32 i;

	for (i = 0; i < sim->nr_units; i++)
		free(sim->units[i]);
	image_free(sim->image);
	free(sim);
}

void sim_add_unit(struct sim *sim, u64 token)
{
	struct sim_unit *unit = calloc(1, sizeof(*unit));

	assert_non_null(unit);
	assert_true(sim->nr_units < SIM_MAX_UNITS);
	assert_null(find_unit(sim, token));
	unit->token = token;
	sim->units[sim->nr_units++] = unit;
}

bool sim_did_reserved(const struct sim *sim, u64 token, u32 did)
{
	const struct sim_unit *unit = find_unit(sim, token);

	assert_non_null(unit);
	return unit->dids[did];
}

void sim_fail(struct sim *sim, u32 kinds, u64 k)
{
	sim->fail_kinds = kinds;
	sim->fail_at = k;
	sim->calls = 0;
}

bool sim_failed(struct sim *sim)
{
	bool failed = sim->fail_at && sim->calls >= sim->fail_at;

	sim_fail(sim, 0, 0);
	return failed;
}

u64 sim_count(const struct sim *sim, enum sim_state state)
{
	u64 count = 0;
	u64 i;

	for (i = 0; i < SIM_FRAMES; i++)
		count += sim->states[i] == state;
	return count;
}

static u32 sum_of_memory(const struct sim *sim)
{
	u32 crc = 0;
	u64 i;

	for (i = 0; i < SIM_FRAMES; i++)
		if (sim->states[i] != SIM_FREE)
			crc = sum(NULL, crc,
				  image_page(sim->image, i * SIM_TABLE_SIZE) +
					  (i * SIM_TABLE_SIZE & (image_page_size(sim->image) - 1)),
				  SIM_TABLE_SIZE);
	return crc;
}

struct sim_snapshot *sim_snapshot(const struct sim *sim)
{
	struct sim_snapshot *snapshot = malloc(sizeof(*snapshot));

	assert_non_null(snapshot);
	memcpy(snapshot->states, sim->states, sizeof(snapshot->states));
	snapshot->sum = sum_of_memory(sim);
	snapshot->dids = sim->dids;
	return snapshot;
}

bool sim_same(const struct sim *sim, const struct sim_snapshot *snapshot)
{
	bool same = true;
	u64 i;

	for (i = 0; i < SIM_FRAMES; i++) {
		if (sim->states[i] == snapshot->states[i])
			continue;
		print_error("page %#llx was in state %u and is in state %u\n",
			    (unsigned long long)(i * SIM_TABLE_SIZE), snapshot->states[i],
			    sim->states[i]);
		same = false;
	}
	if (sim->dids != snapshot->dids) {
		print_error("%llu domain ids were reserved, and %llu are\n",
			    (unsigned long long)snapshot->dids, (unsigned long long)sim->dids);
		same = false;
	}
	if (same && sum_of_memory(sim) != snapshot->sum) {
		print_error("memory has changed\n");
		same = false;
	}
	return same;
}

void sim_kexec(struct sim *sim)
{
	u64 i;

	for (i = 0; i < SIM_FRAMES; i++) {
		if (sim->states[i] == SIM_PRESERVED || sim->states[i] == SIM_RECORDS) {
			sim->states[i] = SIM_INCOMING;
			continue;
		}
		if (sim->states[i] != SIM_FREE)
			memset(sim_bytes(sim, i * SIM_TABLE_SIZE), POISON, SIM_TABLE_SIZE);
		sim->states[i] = SIM_FREE;
	}
	sim->touched = 0;
}

void sim_incoming(struct sim *sim, u64 phys, u64 length)
{
	assert_true(all_in(sim, phys, length, SIM_FREE));
	set_state(sim, phys, length, SIM_INCOMING);
}

void sim_take_back(struct sim *sim)
{
	u64 i;

	for (i = 0; i < SIM_FRAMES; i++)
		if (sim->states[i] == SIM_RELEASED)
			sim->states[i] = SIM_INCOMING;
}

void sim_fill_set(const struct sim *sim, struct iommuser_pageset *set)
{
	u64 i;

	for (i = 0; i < SIM_FRAMES; i++)
		if (sim->states[i] == SIM_PRESERVED || sim->states[i] == SIM_RECORDS ||
		    sim->states[i] == SIM_INCOMING)
			assert_int_equal(iommuser_pageset_add(set, IOMMUSER_PRESERVED,
							      i * SIM_TABLE_SIZE, SIM_TABLE_SIZE),
					 0);
}
