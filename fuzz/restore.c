// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: the restore machine on a small handover that was tampered with,
 * in a host that keeps an account of pages and domain ids.
 *
 * Input: page size u8, level u8, options u8 (bit 0: with a page set, bit 1:
 * seals are made right after the edits, bit 2: claim everything in the end, hand
 * it over and finish, bit 3: abandon it instead), the call of map(), restore_page() and reserve_did() that fails (u16
 * each, 0: none), a frame that was not preserved (u16, 0: none), number of
 * steps u8, steps u8 each, edits as of memory.
 *
 * Properties: only what was restored is released, only what was reserved is
 * given back, no domain id is reserved twice; a claim that fails leaves as many
 * pages and ids taken as before; after an abort none are, unless something was
 * handed over; after a finish the pages of records are gone. A record goes only
 * where iommuser_restore_advance() says, and takes nothing along; a domain is
 * handed over, left or abandoned, a unit abandoned, only when its devices are far
 * enough; a finish works exactly when all have gone. Where tables were validated with a page set and
 * all of them could be read, no page is restored twice or without being
 * preserved, and none is read after its release. Validation touches nothing. A
 * machine that is closed does nothing.
 */
#include "fuzz.h"

#include <string.h>

#include <iommuser/preserve.h>
#include <iommuser/restore.h>
#include <iommuser/seal.h>

#define TABLE_SIZE FRAME_SIZE
#define MAX_DIDS 4096
#define PT_LEAF 0x3ULL
#define CAP 0x00d2008c40660406ULL
#define ECAP 0x0000000000f050daULL

enum frame_state {
	FRAME_NONE,
	FRAME_PRESERVED,
	FRAME_RESTORED,
	FRAME_RELEASED,
};

struct did {
	u64 token;
	u32 did;
};

/**
 * struct host - the next kernel
 * @strict: the library knows that no page has two uses
 * @claiming: pages may be restored and released now
 * @advanced: something was handed over or abandoned
 */
struct host {
	struct memory *memory;
	struct iommuser_restore_ops ops;
	struct account account;
	u8 frames[MEMORY_FRAMES];
	u64 nr_restored;
	struct did dids[MAX_DIDS];
	u64 nr_dids;
	u64 restores;
	u64 fail_restore_at;
	u64 reserves;
	u64 fail_did_at;
	bool strict;
	bool claiming;
	bool advanced;
};

static struct host the_host;

/* The host */

static u8 *frame_at(struct host *host, u64 phys)
{
	require(phys >= MEMORY_BASE && phys - MEMORY_BASE < MEMORY_SIZE, "%#llx",
		(unsigned long long)phys);
	return &host->frames[(phys - MEMORY_BASE) / FRAME_SIZE];
}

static void set_frame(struct host *host, u64 phys, enum frame_state state)
{
	u8 *frame = frame_at(host, phys);
	u8 *hidden = &host->memory->hidden[frame - host->frames];

	*frame = (u8)state;
	if (state == FRAME_NONE)
		*hidden = 1;
	else if (state == FRAME_RELEASED)
		*hidden = host->strict ? MEMORY_FORBIDDEN : 1;
	else
		*hidden = 0;
}

static void check_length(const struct host *host, u64 phys, u64 length)
{
	require(host->claiming, "%#llx", (unsigned long long)phys);
	require(length == TABLE_SIZE || length == 1ULL << host->memory->env.page_shift, "%llu",
		(unsigned long long)length);
	require(!(phys % length), "%#llx", (unsigned long long)phys);
}

static int restore_page(void *ctx, u64 phys, u64 length)
{
	struct host *host = ctx;
	u64 at;

	check_length(host, phys, length);
	if (++host->restores == host->fail_restore_at)
		return 1;
	for (at = phys; at < phys + length; at += FRAME_SIZE) {
		bool preserved = at >= MEMORY_BASE && at - MEMORY_BASE < MEMORY_SIZE &&
				 *frame_at(host, at) == FRAME_PRESERVED;

		require(preserved || !host->strict, "%#llx is restored", (unsigned long long)at);
		if (!preserved)
			return 1;
	}
	for (at = phys; at < phys + length; at += FRAME_SIZE)
		set_frame(host, at, FRAME_RESTORED);
	host->nr_restored += length / FRAME_SIZE;
	return 0;
}

static void release_page(void *ctx, u64 phys, u64 length)
{
	struct host *host = ctx;
	u64 at;

	check_length(host, phys, length);
	for (at = phys; at < phys + length; at += FRAME_SIZE) {
		require(*frame_at(host, at) == FRAME_RESTORED, "%#llx is released in state %u",
			(unsigned long long)at, *frame_at(host, at));
		set_frame(host, at, FRAME_RELEASED);
	}
	host->nr_restored -= length / FRAME_SIZE;
}

static struct did *find_did(struct host *host, u64 token, u32 did)
{
	u64 i;

	for (i = 0; i < host->nr_dids; i++)
		if (host->dids[i].token == token && host->dids[i].did == did)
			return &host->dids[i];
	return NULL;
}

static int reserve_did(void *ctx, u64 token, u32 did)
{
	struct host *host = ctx;

	require(host->claiming && did < 65536, "domain id %u", did);
	require(!find_did(host, token, did), "domain id %u twice", did);
	if (++host->reserves == host->fail_did_at || host->nr_dids == MAX_DIDS)
		return 1;
	host->dids[host->nr_dids++] = (struct did){ token, did };
	return 0;
}

static void release_did(void *ctx, u64 token, u32 did)
{
	struct host *host = ctx;
	struct did *found = find_did(host, token, did);

	require(host->claiming && found, "domain id %u", did);
	*found = host->dids[--host->nr_dids];
}

/* What a claim that failed has given back is as it was before. */
static void take_back(struct host *host)
{
	u64 i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		if (host->frames[i] == FRAME_RELEASED)
			set_frame(host, MEMORY_BASE + i * FRAME_SIZE, FRAME_PRESERVED);
}

/* The handover that is tampered with */

struct handover {
	struct host *host;
	struct iommuser_page_ops pages;
	struct iommuser_preserve_ops ops;
	struct iommuser_writer writer;
	struct iommuser_preserve preserve;
	struct iommuser_preserved units[2];
	struct iommuser_preserved domains[2];
	struct iommuser_preserved_device devices[3];
	struct iommuser_preserved hwpt;
	u64 cursor;
	u64 record_pages[16];
	u32 nr_record_pages;
};

static struct handover the_handover;

static u64 alloc(struct handover *handover, u64 length)
{
	u64 phys = (handover->cursor + length - 1) / length * length;
	u64 at;

	for (at = phys; at < phys + length; at += FRAME_SIZE)
		memory_at(handover->host->memory, at);
	handover->cursor = phys + length;
	return phys;
}

static void *alloc_page(void *ctx, u64 *phys)
{
	struct handover *handover = ctx;
	u64 length = 1ULL << handover->host->memory->env.page_shift;
	u64 at;

	*phys = alloc(handover, length);
	for (at = *phys; at < *phys + length; at += FRAME_SIZE)
		*frame_at(handover->host, at) = FRAME_PRESERVED;
	require(handover->nr_record_pages < ARRAY_SIZE(handover->record_pages), "too many pages");
	handover->record_pages[handover->nr_record_pages++] = *phys;
	return memory_at(handover->host->memory, *phys);
}

static void free_page(void *ctx, u64 phys)
{
	(void)ctx;
	require(false, "%#llx: nothing is taken out", (unsigned long long)phys);
}

static void *find_page(void *ctx, u64 phys)
{
	struct handover *handover = ctx;

	return memory_at(handover->host->memory, phys);
}

static int preserve_page(void *ctx, u64 phys)
{
	struct handover *handover = ctx;

	require(*frame_at(handover->host, phys) == FRAME_NONE, "%#llx is preserved twice",
		(unsigned long long)phys);
	*frame_at(handover->host, phys) = FRAME_PRESERVED;
	return 0;
}

static void unpreserve_page(void *ctx, u64 phys)
{
	free_page(ctx, phys);
}

static void put(struct handover *handover, u64 phys, u64 value)
{
	u8 *at = memory_at(handover->host->memory, phys);
	u32 i;

	for (i = 0; i < 8; i++)
		at[i] = (u8)(value >> (8 * i));
}

/* A page table of @top_level + 1 levels with a few leaves at IOVA 0. */
static u64 make_table(struct handover *handover, u32 top_level)
{
	u64 top = alloc(handover, TABLE_SIZE);
	u64 table = top, below;
	u32 level, i;

	for (level = top_level; level; level--) {
		below = alloc(handover, TABLE_SIZE);
		put(handover, table, below | PT_LEAF);
		table = below;
	}
	for (i = 0; i < 4; i++)
		put(handover, table + i * 8, (PAYLOAD_BASE + i * FRAME_SIZE) | PT_LEAF);
	return top;
}

static void add_domain(struct handover *handover, u32 i, u32 stage, u32 top_level)
{
	const struct iommuser_domain domain = {
		.stage = stage,
		.format = stage,
		.top_table = make_table(handover, top_level),
		.top_level = top_level,
		.input_width = 12 + 9 * (top_level + 1),
		.output_width = 39,
	};

	require(!iommuser_preserve_domain(&handover->preserve, &domain, 64, &handover->domains[i]),
		"domain %u", i);
}

static u64 top_of(const struct handover *handover, u32 domain)
{
	return handover->domains[domain].record.domain.top_table;
}

/* Units: 0 in legacy mode, 1 in scalable mode; each has a context table for bus 0. */
static u64 add_unit(struct handover *handover, u32 i, struct iommuser_iommu *unit)
{
	u64 context = alloc(handover, TABLE_SIZE);

	*unit = (struct iommuser_iommu){
		.type = IOMMUSER_IOMMU_TYPE_INTEL,
		.segment = i,
		.token = 0xfed90000 + i * 0x1000,
		.mode = i ? IOMMUSER_IOMMU_MODE_SCALABLE : IOMMUSER_IOMMU_MODE_LEGACY,
		.host_address_width = 39,
		.root_table = alloc(handover, TABLE_SIZE),
		.cap = CAP,
		.ecap = ECAP,
		.first_did = 2,
		.did_limit = 65536,
		.context_tables = { 1 },
	};
	put(handover, unit->root_table, context | 1);
	return context;
}

static void add_device(struct handover *handover, u32 i, const struct iommuser_iommu *unit,
		       u32 domain, struct iommuser_device_request *request)
{
	request->device.segment = unit->segment;
	request->device.group_size = 1;
	request->device.owner_token = 1;
	require(!iommuser_preserve_device(&handover->preserve, request, unit,
					  &handover->units[unit->segment],
					  &handover->domains[domain], &handover->devices[i]),
		"device %u", i);
}

static void add_legacy(struct handover *handover)
{
	static const struct iommuser_alias_id alias = { 0, 0x30, IOMMUSER_ALIAS_DMA };
	struct iommuser_device_request request = { .did = 2 };
	struct iommuser_iommu unit;
	u64 context = add_unit(handover, 0, &unit);
	u32 bdf;

	for (bdf = 0x20; bdf <= 0x30; bdf += 8) {
		put(handover, context + bdf * 16, top_of(handover, 0) | 1);
		put(handover, context + bdf * 16 + 8, 1 | 2 << 8);
	}
	request.device.bdf = 0x20;
	add_device(handover, 0, &unit, 0, &request);
	request.device.bdf = 0x28;
	request.aliases = &alias;
	request.nr_aliases = 1;
	add_device(handover, 1, &unit, 0, &request);
}

static void add_scalable(struct handover *handover)
{
	struct iommuser_device_request request = { .did = 3, .device = { .bdf = 0x40 } };
	u64 directory = alloc(handover, TABLE_SIZE);
	u64 table = alloc(handover, TABLE_SIZE);
	struct iommuser_iommu unit;
	u64 context = add_unit(handover, 1, &unit);

	put(handover, context + 0x40 * 32, directory | 1);
	put(handover, directory, table | 1);
	put(handover, table, 1 | IOMMUSER_STAGE_FIRST << 6);
	put(handover, table + 8, request.did);
	put(handover, table + 16, top_of(handover, 1));
	request.device.pasid_directory = directory;
	request.device.pasid_entries = 64 << 7;
	add_device(handover, 2, &unit, 1, &request);
}

static void build(struct handover *handover, struct host *host)
{
	memset(handover, 0, sizeof(*handover));
	handover->host = host;
	handover->cursor = MEMORY_BASE;
	handover->pages = (struct iommuser_page_ops){
		.ctx = handover, .alloc = alloc_page, .free = free_page, .find = find_page
	};
	handover->ops = (struct iommuser_preserve_ops){ .ctx = handover,
							.preserve_page = preserve_page,
							.unpreserve_page = unpreserve_page };
	handover->preserve = (struct iommuser_preserve){ .writer = &handover->writer,
							 .tables = &host->memory->env,
							 .ops = &handover->ops };
	require(!iommuser_writer_start(&handover->writer, &host->memory->env, &handover->pages,
				       0x1122334455667788, "7.3.0-fuzz"),
		"no writer");
	add_domain(handover, 0, IOMMUSER_STAGE_SECOND, 2);
	add_domain(handover, 1, IOMMUSER_STAGE_FIRST, 3);
	add_legacy(handover);
	add_scalable(handover);
	require(!iommuser_preserve_hwpt(&handover->preserve, &handover->domains[0], 1, 7,
					&handover->hwpt),
		"no HWPT");
}

/* The handover, which is always the same for a page size, is made once. */
static void get_handover(struct handover *handover, struct host *host)
{
	static struct {
		bool made;
		struct handover handover;
		u8 frames[MEMORY_FRAMES];
		u8 present[MEMORY_FRAMES];
		u8 bytes[MEMORY_SIZE];
	} copies[3], *copy;
	struct memory *memory = host->memory;
	u64 size;

	copy = &copies[(memory->env.page_shift - IOMMUSER_MIN_PAGE_SHIFT) / 2];
	if (!copy->made) {
		build(handover, host);
		copy->handover = *handover;
		memcpy(copy->frames, host->frames, sizeof(copy->frames));
		memcpy(copy->present, memory->present, sizeof(copy->present));
		memcpy(copy->bytes, memory->bytes, sizeof(copy->bytes));
		copy->made = true;
		return;
	}
	*handover = copy->handover;
	size = handover->cursor - MEMORY_BASE;
	memcpy(host->frames, copy->frames, sizeof(copy->frames));
	memcpy(memory->present, copy->present, sizeof(copy->present));
	memcpy(memory->bytes, copy->bytes, size);
}

static void seal(struct handover *handover)
{
	struct memory *memory = handover->host->memory;
	u32 i;

	for (i = 0; i < handover->nr_record_pages; i++)
		iommuser_seal_write(&memory->env, memory_at(memory, handover->record_pages[i]),
				    i ? offsetof(struct iommuser_page_ser, crc) :
					offsetof(struct iommuser_root_ser, crc));
}

/* The restore */

struct job {
	struct host *host;
	struct handover *handover;
	struct iommuser_restore restore;
	struct iommuser_pageset *set;
	void *bytes;
};

/* A record of a kind, by any number. */
static bool pick(const struct job *job, u32 kind, u64 number, union iommuser_record *record)
{
	u64 count = iommuser_graph_count(&job->restore.graph, kind);

	return count && !iommuser_graph_read(&job->restore.graph, kind, number % count, record);
}

static int claim(struct job *job, u32 kind, u64 number)
{
	union iommuser_record record, claimed;
	struct iommuser_unit unit;

	if (!pick(job, kind, number, &record))
		return -IOMMUSER_ENOENT;
	switch (kind) {
	case IOMMUSER_KIND_IOMMU:
		unit.token = record.iommu.token;
		unit.cap = record.iommu.cap;
		unit.ecap = record.iommu.ecap;
		unit.host_address_width = record.iommu.host_address_width;
		unit.mode = record.iommu.mode;
		return iommuser_restore_claim_iommu(&job->restore, &unit, &claimed.iommu);
	case IOMMUSER_KIND_DOMAIN:
		return iommuser_restore_claim_domain(&job->restore, record.common.phys,
						     &claimed.domain);
	default:
		return iommuser_restore_claim_device(&job->restore, record.device.segment,
						     record.device.bdf, &claimed.device);
	}
}

static int checked_claim(struct job *job, u32 kind, u64 number)
{
	struct host *host = job->host;
	u64 restored = host->nr_restored, dids = host->nr_dids;
	int error = claim(job, kind, number);

	require(error <= 0 && error != -IOMMUSER_EINTERNAL, "%d", error);
	if (error) {
		require(host->nr_restored == restored && host->nr_dids == dids,
			"a claim failed: %llu pages, %llu domain ids left",
			(unsigned long long)(host->nr_restored - restored),
			(unsigned long long)(host->nr_dids - dids));
		take_back(host);
	} else {
		error = claim(job, kind, number);
		require(error == -IOMMUSER_EBUSY || error == -IOMMUSER_ENOENT, "claimed twice: %d",
			error);
		error = 0;
	}
	return error;
}

/* Going on */

static enum iommuser_state state_of(const struct job *job, u32 kind, u64 position)
{
	return iommuser_graph_state(&job->restore.graph, kind, position);
}

/* Of the live devices with an attachment to the domain, or behind the unit: the least state. */
static enum iommuser_state least_user(const struct job *job, u64 reference)
{
	const struct iommuser_graph *graph = &job->restore.graph;
	u64 count = iommuser_graph_count(graph, IOMMUSER_KIND_ATTACHMENT), i, device;
	enum iommuser_state least = IOMMUSER_FINISHED;
	union iommuser_record use, record;

	for (i = 0; i < count; i++) {
		if (iommuser_graph_read(graph, IOMMUSER_KIND_ATTACHMENT, i, &use) ||
		    (use.common.flags & IOMMUSER_FLAG_DELETED) ||
		    iommuser_graph_resolve(graph, use.attachment.device, IOMMUSER_KIND_DEVICE,
					   &device) ||
		    iommuser_graph_read(graph, IOMMUSER_KIND_DEVICE, device, &record))
			continue;
		if ((use.attachment.domain == reference || record.device.iommu == reference) &&
		    state_of(job, IOMMUSER_KIND_DEVICE, device) < least)
			least = state_of(job, IOMMUSER_KIND_DEVICE, device);
	}
	return least;
}

/* May a record with users that far go from one state to the other? */
static bool follows(u32 kind, enum iommuser_state from, enum iommuser_state to,
		    enum iommuser_state users)
{
	switch (to) {
	case IOMMUSER_RESTORED:
		return kind != IOMMUSER_KIND_IOMMU && from == IOMMUSER_HANDED_OVER;
	case IOMMUSER_HANDED_OVER:
		return kind != IOMMUSER_KIND_IOMMU && from == IOMMUSER_RESTORED &&
		       users >= IOMMUSER_HANDED_OVER;
	case IOMMUSER_LEFT:
		return kind != IOMMUSER_KIND_IOMMU && from == IOMMUSER_HANDED_OVER &&
		       users >= IOMMUSER_LEFT;
	case IOMMUSER_ABANDONED:
		return from != IOMMUSER_LEFT && from != IOMMUSER_ABANDONED &&
		       users >= IOMMUSER_LEFT;
	default:
		return false;
	}
}

static void checked_advance(struct job *job, u32 kind, u64 number, u32 state)
{
	u64 count = iommuser_graph_count(&job->restore.graph, kind);
	u64 position = number % (count + 1); /* also the one behind the last */
	struct host *host = job->host;
	u64 restored = host->nr_restored, dids = host->nr_dids, restores = host->restores;
	enum iommuser_state from = position < count ? state_of(job, kind, position) : 0;
	enum iommuser_state users = IOMMUSER_FINISHED;
	union iommuser_record record;
	int error;

	if (kind != IOMMUSER_KIND_DEVICE &&
	    !iommuser_graph_read(&job->restore.graph, kind, position, &record))
		users = least_user(job, record.common.phys);
	error = iommuser_restore_advance(&job->restore, kind, position, state);
	require(error == 0 || error == -IOMMUSER_EBUSY || error == -IOMMUSER_ENODEV ||
			error == -IOMMUSER_ENOENT || error == -IOMMUSER_EINVAL ||
			(error == -IOMMUSER_EUNMAPPED && !host->strict),
		"%d", error);
	require(host->nr_restored == restored && host->nr_dids == dids &&
			host->restores == restores,
		"pages or domain ids were touched");
	require(position < count || error == -IOMMUSER_ENOENT || error == -IOMMUSER_EINVAL,
		"no record, but %d", error);
	if (position == count)
		return;
	require(state_of(job, kind, position) == (error ? from : state), "%d -> %u: %d", (int)from,
		state, state_of(job, kind, position));
	if (error == 0 || error == -IOMMUSER_EBUSY || error == -IOMMUSER_ENODEV)
		require(follows(kind, from, state, users) == !error,
			"kind %u, %d -> %u with users at %d: %d", kind, (int)from, state,
			(int)users, error);
	require(error != -IOMMUSER_ENODEV || state == IOMMUSER_HANDED_OVER, "%u", state);
	if (error)
		return;
	host->advanced = true;
	require(iommuser_restore_advance(&job->restore, kind, position, state) == -IOMMUSER_EBUSY,
		"twice to %u", state);
}

static void advance_all(struct job *job, bool abandon)
{
	static const struct {
		u32 kind;
		enum iommuser_state state;
	} steps[] = {
		{ IOMMUSER_KIND_DEVICE, IOMMUSER_HANDED_OVER },
		{ IOMMUSER_KIND_DOMAIN, IOMMUSER_HANDED_OVER },
		{ IOMMUSER_KIND_DEVICE, IOMMUSER_LEFT },
		{ IOMMUSER_KIND_DEVICE, IOMMUSER_ABANDONED },
		{ IOMMUSER_KIND_DOMAIN, IOMMUSER_ABANDONED },
	};
	u64 position;
	u32 i;

	for (i = abandon ? 3 : 0; i < ARRAY_SIZE(steps); i++)
		for (position = 0;
		     position < iommuser_graph_count(&job->restore.graph, steps[i].kind);
		     position++)
			checked_advance(job, steps[i].kind, position, steps[i].state);
}

/* Has every live record gone, so that nothing is in the way of a finish? */
static bool all_gone(const struct job *job)
{
	static const enum iommuser_state needed[] = {
		[IOMMUSER_KIND_IOMMU] = IOMMUSER_RESTORED,
		[IOMMUSER_KIND_DOMAIN] = IOMMUSER_HANDED_OVER,
		[IOMMUSER_KIND_DEVICE] = IOMMUSER_LEFT,
	};
	union iommuser_record record;
	u64 i;
	u32 kind;

	for (kind = IOMMUSER_KIND_IOMMU; kind <= IOMMUSER_KIND_DEVICE; kind++)
		for (i = 0; i < iommuser_graph_count(&job->restore.graph, kind); i++)
			if (iommuser_graph_read(&job->restore.graph, kind, i, &record) ||
			    (!(record.common.flags & IOMMUSER_FLAG_DELETED) &&
			     state_of(job, kind, i) < needed[kind]))
				return false;
	return true;
}

static void check_closed(struct job *job)
{
	struct host *host = job->host;
	struct iommuser_unit unit = { 0 };
	union iommuser_record record;

	host->claiming = false;
	require(iommuser_restore_claim_iommu(&job->restore, &unit, &record.iommu) ==
				-IOMMUSER_EINVAL &&
			iommuser_restore_advance(&job->restore, IOMMUSER_KIND_DEVICE, 0,
						 IOMMUSER_ABANDONED) == -IOMMUSER_EINVAL &&
			iommuser_restore_finish(&job->restore) == -IOMMUSER_EINVAL,
		"the machine is not closed");
	iommuser_restore_abort(&job->restore);
}

static void abort_all(struct job *job)
{
	struct host *host = job->host;
	u64 restored = host->advanced ? host->nr_restored : 0;
	u64 dids = host->advanced ? host->nr_dids : 0;

	iommuser_restore_abort(&job->restore);
	require(host->nr_restored == restored && host->nr_dids == dids,
		"%llu pages, %llu domain ids left", (unsigned long long)host->nr_restored,
		(unsigned long long)host->nr_dids);
}

/* Return: is the machine closed? */
static bool finish(struct job *job)
{
	struct host *host = job->host;
	u64 restored = host->nr_restored, dids = host->nr_dids;
	bool gone = all_gone(job);
	int error = iommuser_restore_finish(&job->restore);

	require((error == -IOMMUSER_EBUSY) == !gone, "%d", error);
	require(!error || error == -IOMMUSER_EBUSY || error == -IOMMUSER_EREFUSED, "%d", error);
	require(host->nr_restored == restored && host->nr_dids == dids,
		"finish: %llu pages, %llu domain ids more",
		(unsigned long long)(host->nr_restored - restored),
		(unsigned long long)(host->nr_dids - dids));
	if (!error)
		require(*frame_at(host, job->restore.root.phys) == FRAME_RELEASED,
			"the root is still there");
	return error != -IOMMUSER_EBUSY;
}

static void claim_all(struct job *job)
{
	static const u32 kinds[] = { IOMMUSER_KIND_DOMAIN, IOMMUSER_KIND_IOMMU,
				     IOMMUSER_KIND_DEVICE };
	u64 position;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		for (position = 0; position < iommuser_graph_count(&job->restore.graph, kinds[i]);
		     position++)
			checked_claim(job, kinds[i], position);
}

/*
 * The steps that the input asks for, by the lowest three bits: an even number is
 * a claim, an odd one an advance, of a unit, domain or device; 6 finishes, 7
 * aborts. Of an advance the next three bits say where to. Return: is the machine
 * closed?
 */
static bool take_steps(struct job *job, const u8 *steps, u64 nr_steps)
{
	u64 i;

	for (i = 0; i < nr_steps; i++) {
		switch (steps[i] % 8) {
		case 1:
		case 3:
		case 5:
			checked_advance(job, IOMMUSER_KIND_IOMMU + steps[i] % 8 / 2, steps[i] / 64,
					IOMMUSER_CLAIMED + steps[i] / 8 % 8);
			break;
		case 6:
			if (finish(job))
				return true;
			break;
		case 7:
			abort_all(job);
			return true;
		default:
			checked_claim(job, IOMMUSER_KIND_IOMMU + steps[i] % 8 / 2, steps[i] / 8);
		}
	}
	return false;
}

static int prepare(struct job *job, enum iommuser_restore_level level)
{
	struct host *host = job->host;
	u64 size;
	int error;

	error = iommuser_restore_open(&job->restore, &host->memory->env, &host->ops,
				      iommuser_revision_by_name(IOMMUSER_V1_COMPATIBLE),
				      iommuser_writer_root(&job->handover->writer), job->set,
				      &host->account.reporter);
	if (error)
		return error;
	size = iommuser_restore_size(&job->restore);
	job->bytes = calloc(1, size);
	require(size && job->bytes, "%llu bytes", (unsigned long long)size);
	return iommuser_restore_validate(&job->restore, level, 1, job->bytes, size,
					 &host->account.reporter);
}

static void run(struct job *job, enum iommuser_restore_level level, u64 options, const u8 *steps,
		u64 nr_steps)
{
	struct host *host = job->host;
	int error = prepare(job, level);

	require(!error || error == -IOMMUSER_EINVAL || host->account.count ||
			host->memory->refuse_at,
		"%d without a finding", error);
	/* A call of map() that fails but once may leave tables unseen. */
	host->strict = job->set && level >= IOMMUSER_LEVEL_TABLES && !host->memory->refuse_at;
	host->memory->refuse_at = 0;
	if (error) {
		abort_all(job);
		check_closed(job);
		return;
	}
	host->claiming = true;
	if (!take_steps(job, steps, nr_steps)) {
		if (options & 4) {
			claim_all(job);
			advance_all(job, options & 8);
		}
		if (!(options & 4) || !finish(job))
			abort_all(job);
	}
	check_closed(job);
}

static void make_set(struct job *job)
{
	u8 bitmap[MEMORY_FRAMES / 8] = { 0 };
	u32 i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		if (job->host->frames[i] == FRAME_PRESERVED)
			bitmap[i / 8] |= (u8)(1 << i % 8);
	job->set = set_new();
	set_fill(job->set, bitmap);
}

static void begin_host(struct host *host, struct memory *memory)
{
	memset(host, 0, sizeof(*host));
	host->memory = memory;
	host->ops = (struct iommuser_restore_ops){
		.ctx = host,
		.restore_page = restore_page,
		.release_page = release_page,
		.reserve_did = reserve_did,
		.release_did = release_did,
	};
	account_begin(&host->account);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	struct memory *memory = memory_begin((u32)input_take(&input, 1));
	enum iommuser_restore_level level = input_take(&input, 1) % 3;
	u64 options = input_take(&input, 1);
	u64 fail_map_at = input_take(&input, 2);
	struct host *host = &the_host;
	struct job job = { .host = host, .handover = &the_handover };
	u64 lost, nr_steps, i;
	const u8 *steps;

	begin_host(host, memory);
	host->fail_restore_at = input_take(&input, 2);
	host->fail_did_at = input_take(&input, 2);
	lost = input_take(&input, 2) % MEMORY_FRAMES;
	nr_steps = input_take(&input, 1);
	if (nr_steps > input.left)
		nr_steps = input.left;
	steps = input.at;
	input.at += nr_steps;
	input.left -= nr_steps;

	get_handover(&the_handover, host);
	memory_write(memory, &input);
	if (options & 2)
		seal(&the_handover);
	if (lost)
		host->frames[lost] = FRAME_NONE;
	for (i = 0; i < MEMORY_FRAMES; i++)
		set_frame(host, MEMORY_BASE + i * FRAME_SIZE, host->frames[i]);
	if (options & 1)
		make_set(&job);
	memory_restart(memory, 0);
	memory->refuse_at = fail_map_at;
	run(&job, level, options, steps, nr_steps);
	free(job.bytes);
	if (job.set)
		set_free(job.set);
	memory_end(memory);
	return 0;
}
