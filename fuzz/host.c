// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The simulated kernel of the state-machine targets. A callback that no right
 * caller makes breaks the run (S10 S12 S13); one that the input wants refused, or
 * that asks for what is not there, is refused.
 */
#include "host.h"

#include <string.h>

static bool in_memory(u64 phys)
{
	return phys >= MEMORY_BASE && phys - MEMORY_BASE < MEMORY_SIZE;
}

static u64 frame_of(u64 phys)
{
	return (phys - MEMORY_BASE) / FRAME_SIZE;
}

static u64 page_size(const struct host *host)
{
	return 1ULL << host->env.page_shift;
}

/* Does this call fail? Nothing fails twice, so that what failed can be undone. */
static bool fails(struct host *host, enum host_call call)
{
	if (host->failed || ++host->calls[call] != host->fail_at[call])
		return false;
	host->failed = true;
	return true;
}

static bool refuse(struct host *host)
{
	host->failed = true;
	return false;
}

enum frame_state host_state(const struct host *host, u64 phys)
{
	return in_memory(phys) ? host->states[frame_of(phys)] : FRAME_FREE;
}

static bool all_in(const struct host *host, u64 phys, u64 length, enum frame_state state)
{
	u64 at;

	for (at = phys; at - phys < length; at += FRAME_SIZE)
		if (!in_memory(at) || host->states[frame_of(at)] != state)
			return false;
	return true;
}

void host_set_state(struct host *host, u64 phys, u64 length, enum frame_state state)
{
	u64 at, frame;

	for (at = phys; at - phys < length; at += FRAME_SIZE) {
		require(in_memory(at), "%#llx", (unsigned long long)at);
		frame = frame_of(at);
		host->states[frame] = (u8)state;
		if (state == FRAME_FREE)
			host->unreadable[frame] = 0;
		host->memory->hidden[frame] = state == FRAME_FREE || host->unreadable[frame];
		if (state == FRAME_RELEASED && host->strict)
			host->memory->hidden[frame] = MEMORY_FORBIDDEN;
	}
}

void host_hide(struct host *host, u64 phys, bool hide)
{
	host->unreadable[frame_of(phys)] = hide;
	host_set_state(host, phys, FRAME_SIZE, host_state(host, phys));
}

/* Reading */

/* What was preserved was read then, and env.h has it that it can be read again. */
static bool given_before(const struct host *host, u64 frame)
{
	return host->mapped[frame] || host->states[frame] == FRAME_PRESERVED;
}

static const void *map(void *ctx, u64 phys, u64 length)
{
	struct host *host = ctx;
	u64 frame = in_memory(phys) ? frame_of(phys) : 0;

	host->maps++;
	if ((!in_memory(phys) || !given_before(host, frame)) && fails(host, CALL_MAP))
		return NULL;
	if (in_memory(phys))
		host->mapped[frame] = 1;
	return host->memory->env.map(host->memory->env.ctx, phys, length);
}

static u32 sum(void *ctx, u32 crc, const void *data, u64 length)
{
	struct host *host = ctx;

	return host->memory->env.crc32(host->memory->env.ctx, crc, data, length);
}

/* Allocation: next fit, so that what was freed is not used again soon. */

u64 host_alloc(struct host *host, u32 nr_frames, enum frame_state state)
{
	u64 length = nr_frames * FRAME_SIZE;
	u64 tries, at;

	for (tries = MEMORY_SIZE / length; tries; tries--) {
		at = (host->cursor + length - 1) / length * length;
		if (at + length > MEMORY_BASE + MEMORY_SIZE)
			at = (MEMORY_BASE + length - 1) / length * length;
		host->cursor = at + length;
		if (!all_in(host, at, length, FRAME_FREE))
			continue;
		host_set_state(host, at, length, state);
		for (length = 0; length < nr_frames * FRAME_SIZE; length += FRAME_SIZE)
			memset(memory_at(host->memory, at + length), 0, FRAME_SIZE);
		return at;
	}
	return 0;
}

static void *alloc_records(void *ctx, u64 *phys)
{
	struct host *host = ctx;

	if (fails(host, CALL_ALLOC))
		return NULL;
	*phys = host_alloc(host, (u32)(page_size(host) / FRAME_SIZE), FRAME_RECORDS);
	if (!*phys) {
		refuse(host);
		return NULL;
	}
	return memory_at(host->memory, *phys);
}

static void check_records(const struct host *host, u64 phys)
{
	require(!(phys % page_size(host)) && all_in(host, phys, page_size(host), FRAME_RECORDS),
		"%#llx is no page of records", (unsigned long long)phys);
}

static void free_records(void *ctx, u64 phys)
{
	struct host *host = ctx;

	check_records(host, phys);
	memset(memory_at(host->memory, phys), 0xa5, page_size(host));
	host_set_state(host, phys, page_size(host), FRAME_FREE);
}

static void *find_records(void *ctx, u64 phys)
{
	struct host *host = ctx;

	check_records(host, phys);
	return memory_at(host->memory, phys);
}

/* The old kernel */

static void note(struct pages *pages, u64 phys)
{
	require(pages->count < ARRAY_SIZE(pages->phys), "%u pages", pages->count);
	pages->phys[pages->count++] = phys;
}

static int preserve_page(void *ctx, u64 phys)
{
	struct host *host = ctx;

	if (fails(host, CALL_PRESERVE))
		return 1;
	if (phys % FRAME_SIZE || !all_in(host, phys, FRAME_SIZE, FRAME_LIVE)) {
		require(!host->strict, "%#llx is preserved in state %u", (unsigned long long)phys,
			(u32)host_state(host, phys));
		refuse(host);
		return 1;
	}
	host_set_state(host, phys, FRAME_SIZE, FRAME_PRESERVED);
	note(&host->taken, phys);
	return 0;
}

static void unpreserve_page(void *ctx, u64 phys)
{
	struct host *host = ctx;

	require(!(phys % FRAME_SIZE) && all_in(host, phys, FRAME_SIZE, FRAME_PRESERVED),
		"%#llx is unpreserved in state %u", (unsigned long long)phys,
		(u32)host_state(host, phys));
	host_set_state(host, phys, FRAME_SIZE, FRAME_LIVE);
	host->released++;
}

/* The new kernel */

static void check_length(const struct host *host, u64 phys, u64 length)
{
	require(host->restoring, "%#llx", (unsigned long long)phys);
	require(length == FRAME_SIZE || length == page_size(host), "%llu",
		(unsigned long long)length);
	require(!(phys % length), "%#llx", (unsigned long long)phys);
}

static int restore_page(void *ctx, u64 phys, u64 length)
{
	struct host *host = ctx;
	u64 at;

	check_length(host, phys, length);
	if (fails(host, CALL_RESTORE))
		return 1;
	if (!all_in(host, phys, length, FRAME_INCOMING)) {
		require(!host->strict, "%#llx is restored in state %u", (unsigned long long)phys,
			(u32)host_state(host, phys));
		refuse(host);
		return 1;
	}
	host_set_state(host, phys, length, FRAME_RESTORED);
	for (at = phys; at < phys + length; at += FRAME_SIZE)
		note(&host->taken, at);
	return 0;
}

static void release_page(void *ctx, u64 phys, u64 length)
{
	struct host *host = ctx;

	check_length(host, phys, length);
	require(all_in(host, phys, length, FRAME_RESTORED), "%#llx is released in state %u",
		(unsigned long long)phys, (u32)host_state(host, phys));
	host_set_state(host, phys, length, FRAME_RELEASED);
	host->released += length / FRAME_SIZE;
}

static struct did *find_did(struct host *host, u64 token, u32 did)
{
	u32 i;

	for (i = 0; i < host->nr_dids; i++)
		if (host->dids[i].token == token && host->dids[i].did == did)
			return &host->dids[i];
	return NULL;
}

static int reserve_did(void *ctx, u64 token, u32 did)
{
	struct host *host = ctx;

	require(host->restoring && did < 65536, "domain id %u", did);
	require(!find_did(host, token, did), "domain id %u twice", did);
	if (fails(host, CALL_RESERVE))
		return 1;
	if (host->nr_dids == HOST_MAX_DIDS) {
		refuse(host);
		return 1;
	}
	host->dids[host->nr_dids++] = (struct did){ token, did };
	return 0;
}

static void release_did(void *ctx, u64 token, u32 did)
{
	struct host *host = ctx;
	struct did *found = find_did(host, token, did);

	require(host->restoring && found, "domain id %u", did);
	*found = host->dids[--host->nr_dids];
}

void host_begin(struct host *host, struct memory *memory)
{
	memset(host, 0, sizeof(*host));
	host->memory = memory;
	host->cursor = MEMORY_BASE;
	host->env = (struct iommuser_env){
		.ctx = host, .page_shift = memory->env.page_shift, .map = map, .crc32 = sum
	};
	host->record_pages = (struct iommuser_page_ops){
		.ctx = host, .alloc = alloc_records, .free = free_records, .find = find_records
	};
	host->preserve_ops = (struct iommuser_preserve_ops){ .ctx = host,
							     .preserve_page = preserve_page,
							     .unpreserve_page = unpreserve_page };
	host->restore_ops = (struct iommuser_restore_ops){
		.ctx = host,
		.restore_page = restore_page,
		.release_page = release_page,
		.reserve_did = reserve_did,
		.release_did = release_did,
	};
}

void host_arm(struct host *host, enum host_call call, u32 nth)
{
	host->fail_at[call] = nth;
}

void host_enter(struct host *host)
{
	host->taken.count = 0;
	host->released = 0;
	host->maps = 0;
	host->failed = false;
	memset(host->calls, 0, sizeof(host->calls));
	memset(host->mapped, 0, sizeof(host->mapped));
}

void host_leave(struct host *host)
{
	memset(host->fail_at, 0, sizeof(host->fail_at));
}

void host_jump(struct host *host)
{
	u64 i;

	for (i = 0; i < MEMORY_FRAMES; i++) {
		bool preserved = host->states[i] == FRAME_PRESERVED ||
				 host->states[i] == FRAME_RECORDS;

		if (!preserved && host->states[i] != FRAME_FREE)
			memset(host->memory->bytes + i * FRAME_SIZE, 0xa5, FRAME_SIZE);
		host_set_state(host, MEMORY_BASE + i * FRAME_SIZE, FRAME_SIZE,
			       preserved ? FRAME_INCOMING : FRAME_FREE);
	}
}

static void turn(struct host *host, enum frame_state from, enum frame_state to)
{
	u64 i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		if (host->states[i] == from)
			host_set_state(host, MEMORY_BASE + i * FRAME_SIZE, FRAME_SIZE, to);
}

void host_adopt(struct host *host)
{
	turn(host, FRAME_RESTORED, FRAME_LIVE);
	turn(host, FRAME_RELEASED, FRAME_FREE);
}

void host_take_back(struct host *host)
{
	turn(host, FRAME_RELEASED, FRAME_INCOMING);
}

void host_fill_set(const struct host *host, struct iommuser_pageset *set)
{
	u8 bitmap[MEMORY_FRAMES / 8] = { 0 };
	u32 i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		if (host->states[i] == FRAME_PRESERVED || host->states[i] == FRAME_RECORDS ||
		    host->states[i] == FRAME_INCOMING)
			bitmap[i / 8] |= (u8)(1 << i % 8);
	set_fill(set, bitmap);
}
