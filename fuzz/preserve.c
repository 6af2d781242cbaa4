// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: the preserve machine and the writer, driven by a program over the
 * objects of a world, through several kernels.
 *
 * Input: page size u8 (mostly the smallest), world u8 (of world.h), how often records are audited u8,
 * order in which all is unpreserved in the end u8 (from 128 on: not at all), a program to the end: operation
 * u8, argument u8, and what the operation takes (see take_step()). Operations
 * preserve and unpreserve one object, have a call fail, change tables that are not
 * preserved, verify, misuse the writer, or jump into the next kernel, with the
 * handover damaged on the way or not: that restores everything, and goes on.
 *
 * Checks S1 S2 S4 S6 S14 S15 S16, and S9 S11 S12 S13 of what it restores. A call has
 * exactly the result that the ledger tells, unless something was refused to it or
 * tables are not as they should be. One that fails changes no page and no record; one
 * that works preserves exactly the pages that the target finds by its own means. The
 * records are those of the ledger for the independent reader; what verifies or is
 * restored has no finding. In the end nothing is left.
 */
#include "ledger.h"

#include <string.h>

#include <iommuser/verify.h>
#include <kho/abi/iommuser.h>

#define MAX_STEPS 64
#define MAX_JUMPS 3
#define MAX_VERIFIES 2
#define GENERATION 0x5566778899aabbccULL

enum operation {
	PRESERVE_DOMAIN,
	PRESERVE_DEVICE,
	PRESERVE_PASID,
	PRESERVE_HWPT,
	UNPRESERVE_DOMAIN,
	UNPRESERVE_DEVICE,
	UNPRESERVE_PASID,
	UNPRESERVE_HWPT,
	ARM,
	ADD_CONTEXT_TABLE,
	WRITE_TABLE,
	HIDE_TABLE,
	VERIFY,
	MISUSE,
	PRESERVE_ALL,
	JUMP,
	NR_OPERATIONS,
};

/**
 * struct run - of the target
 * @audit_every: so many changes the records are audited
 * @armed: a call was asked to fail
 * @may_fail: the call of the library that is under way
 * @expected: what it returns, unless there is a reason to fail
 * @sum: of all records before it
 * @odd: tables were changed so that they may be unsound
 * @over: the program can't go on
 */
struct run {
	struct host *host;
	struct world world;
	struct ledger ledger;
	struct account account;
	u32 audit_every;
	u32 changes;
	u32 jumps;
	u32 verifies;
	bool armed;
	bool may_fail;
	int expected;
	u32 sum;
	bool odd;
	bool over;
};

static struct host the_host;
static struct run the_run;

/* One call of the library */

/* Of all that stands in pages of records. */
static u32 sum_of_records(const struct run *run)
{
	const struct memory *memory = run->host->memory;
	u32 sum = 0, i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		if (run->host->states[i] == FRAME_RECORDS)
			sum = memory->env.crc32(NULL, sum, memory->bytes + i * FRAME_SIZE,
						FRAME_SIZE);
	return sum;
}

/* @expected: what the ledger tells; 0 may still fail for a reason that there is. */
static void enter(struct run *run, int expected)
{
	run->expected = expected;
	run->may_fail = expected || run->armed || run->odd;
	run->armed = false;
	if (run->may_fail)
		run->sum = sum_of_records(run);
	host_enter(run->host);
}

static void check_error(const struct run *run, int error)
{
	const struct host *host = run->host;

	require(error == -IOMMUSER_EBUSY || error == -IOMMUSER_ENOENT ||
			error == -IOMMUSER_EINVAL || error == -IOMMUSER_ENOMEM ||
			error == -IOMMUSER_EREFUSED || error == -IOMMUSER_ECORRUPT ||
			error == -IOMMUSER_EUNMAPPED,
		"%d", error);
	require(error == run->expected || (!run->expected && (host->failed || run->odd)),
		"%d and not %d", error, run->expected);
	require((error != -IOMMUSER_EREFUSED && error != -IOMMUSER_ENOMEM) || host->failed,
		"%d, but nothing was refused", error);
	require(host->taken.count == host->released, "%u pages taken, %llu given back",
		host->taken.count, (unsigned long long)host->released);
	require(!run->may_fail || run->sum == sum_of_records(run), "records have changed");
}

/* Return: did it work? */
static bool leave(struct run *run, int error)
{
	host_leave(run->host);
	require(error || !run->expected, "works, and not %d", run->expected);
	if (error)
		check_error(run, error);
	return !error;
}

/* All is as the ledger has it. */
static void check(struct run *run, bool worked)
{
	ledger_check_pages(&run->ledger);
	if (worked && !(++run->changes % run->audit_every))
		ledger_check_records(&run->ledger);
}

static void expect_taken(const struct run *run, const struct pages *pages)
{
	const struct pages *taken = &run->host->taken;

	require(!run->host->released && taken->count == pages->count &&
			!memcmp(taken->phys, pages->phys, pages->count * sizeof(*pages->phys)),
		"%u pages and not %u, or others", taken->count, pages->count);
}

static bool has(const struct run *run, u32 kind, u32 object)
{
	return ledger_has(&run->ledger, kind, object, 0);
}

/* Domains */

static bool domain_is_used(const struct run *run, u32 i)
{
	const struct world *world = &run->world;
	u32 k;

	for (k = 0; k < world->nr_devices; k++)
		if (world->devices[k].domain == i && has(run, IOMMUSER_KIND_DEVICE, k))
			return true;
	for (k = 0; k < world->nr_pasids; k++)
		if (world->pasids[k].domain == i &&
		    ledger_has(&run->ledger, IOMMUSER_KIND_ATTACHMENT, k, LEDGER_PASID))
			return true;
	for (k = 0; k < world->nr_hwpts; k++)
		if (world->hwpts[k].domain == i && has(run, IOMMUSER_KIND_HWPT, k))
			return true;
	return false;
}

static void preserve_domain(struct run *run, u32 i)
{
	const struct stage *stage = &run->world.domains[i].stage;
	int expected = has(run, IOMMUSER_KIND_DOMAIN, i) ? -IOMMUSER_EBUSY : 0;
	struct pages pages;
	bool listed, worked;

	if (!run->world.domains[i].there)
		return;
	listed = list_domain(run->host->memory, stage, &pages);
	enter(run, expected);
	worked = leave(run, world_preserve_domain(&run->world, i));
	if (worked) {
		require(listed, "domain %u", i);
		expect_taken(run, &pages);
		ledger_add(&run->ledger, IOMMUSER_KIND_DOMAIN, i, 0);
		ledger_own(&run->ledger, IOMMUSER_KIND_DOMAIN, i, &pages);
		run->ledger.table_pages[i] = pages.count;
	}
	check(run, worked);
}

static void unpreserve_domain(struct run *run, u32 i)
{
	int expected = !has(run, IOMMUSER_KIND_DOMAIN, i) ? -IOMMUSER_ENOENT :
		       domain_is_used(run, i)		  ? -IOMMUSER_EBUSY :
							    0;
	bool worked;

	enter(run, expected);
	worked = leave(run, world_unpreserve_domain(&run->world, i));
	require(worked == !expected, "domain %u is not unpreserved", i);
	if (worked) {
		ledger_remove(&run->ledger, IOMMUSER_KIND_DOMAIN, i, 0);
		ledger_disown(&run->ledger, IOMMUSER_KIND_DOMAIN, i);
	}
	check(run, worked);
}

/* Devices and their units */

static bool unit_is_used(const struct run *run, u32 unit)
{
	u32 i;

	for (i = 0; i < run->world.nr_devices; i++)
		if (run->world.devices[i].unit == unit && has(run, IOMMUSER_KIND_DEVICE, i))
			return true;
	return false;
}

/* The root table, unless it is preserved, and the context tables that are not. */
static bool list_new_tables(const struct run *run, u32 i, struct pages *root, struct pages *context)
{
	const struct world_unit *unit = &run->world.units[i];
	const u64 *known = run->ledger.context_tables[i];
	struct pages all;
	u32 bit, at = 0;

	root->count = context->count = 0;
	if (!list_unit(run->host->memory, unit->record.root_table, unit->scalable, &all))
		return false;
	for (bit = 0; bit < 512; bit += unit->scalable ? 1 : 2) {
		if (!(word_at(run->host->memory, unit->record.root_table + bit * 8) & 1))
			continue;
		if (!(known[bit / 64] >> bit % 64 & 1))
			context->phys[context->count++] = all.phys[at];
		at++;
	}
	if (!has(run, IOMMUSER_KIND_IOMMU, i))
		root->phys[root->count++] = unit->record.root_table;
	return true;
}

static void append(struct pages *pages, const struct pages *more)
{
	memcpy(pages->phys + pages->count, more->phys, more->count * sizeof(*more->phys));
	pages->count += more->count;
}

static void note_device(struct run *run, u32 i, const struct pages *root, const struct pages *own,
			const struct pages *context)
{
	const struct world_device *device = &run->world.devices[i];
	const struct world_unit *unit = &run->world.units[device->unit];
	struct ledger *ledger = &run->ledger;
	u32 k;

	if (!has(run, IOMMUSER_KIND_IOMMU, device->unit))
		ledger_add(ledger, IOMMUSER_KIND_IOMMU, device->unit, 0);
	ledger_own(ledger, IOMMUSER_KIND_IOMMU, device->unit, root);
	ledger_own(ledger, IOMMUSER_KIND_IOMMU, device->unit, context);
	for (k = 0; k < 512; k += unit->scalable ? 1 : 2)
		if (word_at(run->host->memory, unit->record.root_table + k * 8) & 1)
			ledger->context_tables[device->unit][k / 64] |= 1ULL << k % 64;
	ledger_add(ledger, IOMMUSER_KIND_DEVICE, i, 0);
	ledger_own(ledger, IOMMUSER_KIND_DEVICE, i, own);
	ledger_add(ledger, IOMMUSER_KIND_ATTACHMENT, i, 0);
	for (k = 0; k < device->request.nr_aliases; k++)
		ledger_add(ledger, IOMMUSER_KIND_ALIAS, i, k);
}

static void preserve_device(struct run *run, u32 i)
{
	const struct world_device *device = &run->world.devices[i];
	const struct iommuser_device *record = &device->request.device;
	int expected = has(run, IOMMUSER_KIND_DEVICE, i)	       ? -IOMMUSER_EBUSY :
		       !has(run, IOMMUSER_KIND_DOMAIN, device->domain) ? -IOMMUSER_ENOENT :
									 0;
	struct pages root, own, context, all = { 0 };
	bool listed, worked;

	if (!device->there)
		return;
	listed = list_new_tables(run, device->unit, &root, &context) &&
		 list_device(run->host->memory, record->pasid_directory, record->pasid_entries,
			     &own);
	enter(run, expected);
	worked = leave(run, world_preserve_device(&run->world, i));
	if (worked) {
		require(listed, "device %u", i);
		append(&all, &root);
		append(&all, &own);
		append(&all, &context);
		expect_taken(run, &all);
		note_device(run, i, &root, &own, &context);
	}
	check(run, worked);
}

static bool has_pasids(const struct run *run, u32 device)
{
	u32 i;

	for (i = 0; i < run->world.nr_pasids; i++)
		if (run->world.pasids[i].device == device &&
		    ledger_has(&run->ledger, IOMMUSER_KIND_ATTACHMENT, i, LEDGER_PASID))
			return true;
	return false;
}

static void unpreserve_device(struct run *run, u32 i)
{
	const struct world_device *device = &run->world.devices[i];
	struct ledger *ledger = &run->ledger;
	int expected = !has(run, IOMMUSER_KIND_DEVICE, i) ? -IOMMUSER_ENOENT :
		       has_pasids(run, i)		  ? -IOMMUSER_EBUSY :
							    0;
	bool worked;
	u32 k;

	enter(run, expected);
	worked = leave(run, world_unpreserve_device(&run->world, i));
	require(worked == !expected, "device %u is not unpreserved", i);
	if (worked) {
		for (k = 0; k < device->request.nr_aliases; k++)
			ledger_remove(ledger, IOMMUSER_KIND_ALIAS, i, k);
		ledger_remove(ledger, IOMMUSER_KIND_ATTACHMENT, i, 0);
		ledger_remove(ledger, IOMMUSER_KIND_DEVICE, i, 0);
		ledger_disown(ledger, IOMMUSER_KIND_DEVICE, i);
		if (!unit_is_used(run, device->unit)) {
			ledger_remove(ledger, IOMMUSER_KIND_IOMMU, device->unit, 0);
			ledger_disown(ledger, IOMMUSER_KIND_IOMMU, device->unit);
			memset(ledger->context_tables[device->unit], 0,
			       sizeof(ledger->context_tables[device->unit]));
		}
	}
	check(run, worked);
}

/* PASIDs and HWPTs */

static bool has_pasid(const struct run *run, u32 i)
{
	return ledger_has(&run->ledger, IOMMUSER_KIND_ATTACHMENT, i, LEDGER_PASID);
}

static void preserve_pasid(struct run *run, u32 i)
{
	const struct world_pasid *pasid = &run->world.pasids[i];
	int expected = has_pasid(run, i) ? -IOMMUSER_EBUSY :
		       !has(run, IOMMUSER_KIND_DEVICE, pasid->device) ||
				       !has(run, IOMMUSER_KIND_DOMAIN, pasid->domain) ?
					   -IOMMUSER_ENOENT :
					   0;
	bool worked;

	if (!pasid->there)
		return;
	enter(run, expected);
	worked = leave(run, world_preserve_pasid(&run->world, i));
	if (worked)
		ledger_add(&run->ledger, IOMMUSER_KIND_ATTACHMENT, i, LEDGER_PASID);
	check(run, worked);
}

static void unpreserve_pasid(struct run *run, u32 i)
{
	int expected = has_pasid(run, i) ? 0 : -IOMMUSER_ENOENT;
	bool worked;

	enter(run, expected);
	worked = leave(run, world_unpreserve_pasid(&run->world, i));
	require(worked == !expected, "PASID %u is not unpreserved", i);
	if (worked)
		ledger_remove(&run->ledger, IOMMUSER_KIND_ATTACHMENT, i, LEDGER_PASID);
	check(run, worked);
}

static void preserve_hwpt(struct run *run, u32 i)
{
	int expected = !has(run, IOMMUSER_KIND_DOMAIN, run->world.hwpts[i].domain) ?
			       -IOMMUSER_ENOENT :
		       has(run, IOMMUSER_KIND_HWPT, i) ? -IOMMUSER_EBUSY :
							 0;
	bool worked;

	if (!run->world.hwpts[i].there)
		return;
	enter(run, expected);
	worked = leave(run, world_preserve_hwpt(&run->world, i));
	if (worked)
		ledger_add(&run->ledger, IOMMUSER_KIND_HWPT, i, 0);
	check(run, worked);
}

static void unpreserve_hwpt(struct run *run, u32 i)
{
	int expected = has(run, IOMMUSER_KIND_HWPT, i) ? 0 : -IOMMUSER_ENOENT;
	bool worked;

	enter(run, expected);
	worked = leave(run, world_unpreserve_hwpt(&run->world, i));
	require(worked == !expected, "HWPT %u is not unpreserved", i);
	if (worked)
		ledger_remove(&run->ledger, IOMMUSER_KIND_HWPT, i, 0);
	check(run, worked);
}

/* Any object of a kind, if there is one. */
static void with_some(struct run *run, void (*operation)(struct run *run, u32 i), u32 count,
		      u32 choice)
{
	if (count)
		operation(run, choice % count);
}

/* All that is not preserved yet. */
static void preserve_all(struct run *run)
{
	u32 i;

	for (i = 0; i < run->world.nr_domains; i++)
		if (!has(run, IOMMUSER_KIND_DOMAIN, i))
			preserve_domain(run, i);
	for (i = 0; i < run->world.nr_devices; i++)
		if (!has(run, IOMMUSER_KIND_DEVICE, i))
			preserve_device(run, i);
	for (i = 0; i < run->world.nr_pasids; i++)
		if (!has_pasid(run, i))
			preserve_pasid(run, i);
	for (i = 0; i < run->world.nr_hwpts; i++)
		if (!has(run, IOMMUSER_KIND_HWPT, i))
			preserve_hwpt(run, i);
}

static bool anything_left(const struct run *run)
{
	u32 kind;

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		if (run->ledger.chains[kind].count)
			return true;
	return false;
}

/* Round and round from anywhere, until nothing is in the way of anything. */
static void unpreserve_all(struct run *run, u32 order)
{
	const struct world *world = &run->world;
	const u32 ends[] = { world->nr_domains, world->nr_devices, world->nr_pasids,
			     world->nr_hwpts };
	u32 all = ends[0] + ends[1] + ends[2] + ends[3];
	u32 i = order;

	while (anything_left(run)) {
		u32 at = (order % 2 ? i : ~i) % all;

		i++;
		if (at < ends[0])
			unpreserve_domain(run, at);
		else if (at - ends[0] < ends[1])
			unpreserve_device(run, at - ends[0]);
		else if (at - ends[0] - ends[1] < ends[2])
			unpreserve_pasid(run, at - ends[0] - ends[1]);
		else
			unpreserve_hwpt(run, at - ends[0] - ends[1] - ends[2]);
	}
}

/* Wrong arguments */

static void misuse_device(struct run *run, u32 i)
{
	struct world_device *device = &run->world.devices[i];
	u32 nr_aliases = device->request.nr_aliases;
	int error;

	device->request.nr_aliases = IOMMUSER_MAX_ALIASES + 1;
	host_enter(run->host);
	error = world_preserve_device(&run->world, i);
	host_leave(run->host);
	device->request.nr_aliases = nr_aliases;
	require(error == -IOMMUSER_EINVAL || error == -IOMMUSER_EBUSY || error == -IOMMUSER_ENOENT,
		"too many aliases: %d", error);
}

static void misuse_pasid(struct run *run, u32 i)
{
	struct world_pasid *pasid = &run->world.pasids[i];
	u32 number = pasid->pasid;
	int error;

	if (has_pasid(run, i) || !has(run, IOMMUSER_KIND_DEVICE, pasid->device) ||
	    !has(run, IOMMUSER_KIND_DOMAIN, pasid->domain))
		return;
	pasid->pasid = number % 2 ?
			       (u32)run->world.devices[pasid->device].request.device.pasid_entries :
			       0;
	host_enter(run->host);
	error = world_preserve_pasid(&run->world, i);
	host_leave(run->host);
	require(error == -IOMMUSER_EINVAL, "PASID %u: %d", pasid->pasid, error);
	pasid->pasid = number;
}

/* An HWPT is of one domain. */
static void misuse_hwpt(struct run *run, u32 i)
{
	struct world *world = &run->world;
	u32 other = (world->hwpts[i].domain + 1) % world->nr_domains;

	if (other == world->hwpts[i].domain)
		return;
	require(iommuser_unpreserve_hwpt(&world->preserve, &world->domains[other].handle,
					 &world->hwpts[i].handle) == -IOMMUSER_ENOENT,
		"HWPT %u is taken from domain %u", i, other);
}

static void misuse_writer(struct run *run)
{
	const char *too_long =
		"a release whose name is so long that it does not fit into a root page of "
		"any size";
	struct iommuser_env env = run->host->env;
	union iommuser_record record = { 0 };
	struct iommuser_writer other;
	u64 phys;

	require(iommuser_writer_add(&run->world.writer, 0, &record, &phys) == -IOMMUSER_EINVAL &&
			iommuser_writer_add(&run->world.writer, IOMMUSER_NR_KINDS + 1, &record,
					    &phys) == -IOMMUSER_EINVAL,
		"a record of no kind");
	require(iommuser_writer_start(&other, &env, &run->host->record_pages, 0, too_long) ==
			-IOMMUSER_EINVAL,
		"a release too long");
	env.page_shift++;
	require(iommuser_writer_start(&other, &env, &run->host->record_pages, 0, "") ==
			-IOMMUSER_EINVAL,
		"pages of 8 KiB");
	env.page_shift--;
	env.crc32 = NULL;
	require(iommuser_writer_start(&other, &env, &run->host->record_pages, 0, "") ==
			-IOMMUSER_EINVAL,
		"no sum");
	host_arm(run->host, CALL_ALLOC, 1);
	host_enter(run->host);
	require(iommuser_writer_start(&other, &run->host->env, &run->host->record_pages, 0, "") ==
			-IOMMUSER_ENOMEM,
		"no page");
	host_leave(run->host);
}

/* Nothing is to fail in what follows. */
static void disarm(struct run *run)
{
	host_leave(run->host);
	run->armed = false;
}

static void misuse(struct run *run, u32 choice)
{
	const struct world *world = &run->world;
	u32 sum = sum_of_records(run);

	disarm(run);
	misuse_writer(run);
	with_some(run, misuse_device, world->nr_devices, choice);
	with_some(run, misuse_pasid, world->nr_pasids, choice);
	with_some(run, misuse_hwpt, world->nr_hwpts, choice);
	require(sum == sum_of_records(run), "records have changed");
	check(run, false);
}

/* Verifying */

static bool perhaps_used(void *ctx, u64 domain)
{
	(void)ctx;
	(void)domain;
	return true;
}

/* Is each PASID that hardware knows of a preserved device preserved? */
static bool pasids_complete(const struct run *run)
{
	u32 i;

	for (i = 0; i < run->world.nr_pasids; i++)
		if (has(run, IOMMUSER_KIND_DEVICE, run->world.pasids[i].device) &&
		    !has_pasid(run, i))
			return false;
	return true;
}

static void verify(struct run *run)
{
	struct iommuser_pageset *set;
	struct iommuser_root root;
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	struct iommuser_verify all = {
		.env = &run->host->env,
		.root = &root,
		.survey = &survey,
		.graph = &graph,
		.reporter = &run->account.reporter,
		.used_elsewhere = perhaps_used,
		.options = IOMMUSER_VERIFY_BEFORE_JUMP,
	};
	void *memory;
	u64 size;

	if (run->verifies++ == MAX_VERIFIES)
		return;
	disarm(run);
	ledger_check_records(&run->ledger);
	account_begin(&run->account);
	all.set = set = set_new();
	host_fill_set(run->host, set);
	host_enter(run->host);
	require(!iommuser_root_open(&run->host->env,
				    iommuser_revision_by_name(IOMMUSER_V1_COMPATIBLE),
				    iommuser_writer_root(&run->world.writer), set,
				    &run->account.reporter, &root) &&
			!iommuser_survey_root(&run->host->env, &root, set, &run->account.reporter,
					      &survey),
		"no handover");
	size = iommuser_graph_size(&root, &survey);
	memory = calloc(1, size);
	require(memory && !iommuser_graph_build(&graph, &run->host->env, &root, &survey, 1, memory,
						size),
		"no graph");
	require(!iommuser_verify_all(&all), "not verified");
	host_leave(run->host);
	require(!run->account.count || run->odd || !pasids_complete(run), "%llu findings",
		(unsigned long long)run->account.count);
	free(memory);
	set_free(set);
}

/* The next kernel */

/* Hardware loses what is not preserved, so that only what is handed over is there. */
static void cut_off_requester(struct run *run, const struct world_unit *unit, u32 bdf)
{
	struct memory *memory = run->host->memory;
	u64 entry = context_entry(memory, unit->record.root_table, unit->scalable, bdf);

	if (!entry || (run->odd && host_state(run->host, entry) == FRAME_FREE))
		return;
	put_word(memory, entry, 0);
	put_word(memory, entry + 8, 0);
}

static void cut_off_device(struct run *run, u32 i)
{
	struct world_device *device = &run->world.devices[i];
	const struct world_unit *unit = &run->world.units[device->unit];
	u32 k;

	if (!has(run, IOMMUSER_KIND_IOMMU, device->unit))
		return;
	cut_off_requester(run, unit, (u32)device->request.device.bdf);
	for (k = 0; k < device->request.nr_aliases; k++)
		cut_off_requester(run, unit, device->aliases[k].bdf);
}

static void cut_off_pasid(struct run *run, u32 i)
{
	const struct world_pasid *pasid = &run->world.pasids[i];
	u64 directory = run->world.devices[pasid->device].request.device.pasid_directory;
	u64 entry = pasid_entry(run->host->memory, directory, pasid->pasid);
	u32 k;

	for (k = 0; entry && host_state(run->host, entry) == FRAME_PRESERVED && k < 24; k += 8)
		put_word(run->host->memory, entry + k, 0);
}

static void cut_off_tables(struct run *run, u32 i)
{
	const u64 *known = run->ledger.context_tables[i];
	u64 root = run->world.units[i].record.root_table;
	u32 bit;

	for (bit = 0; has(run, IOMMUSER_KIND_IOMMU, i) && bit < 512; bit++)
		if (!(known[bit / 64] >> bit % 64 & 1) &&
		    word_at(run->host->memory, root + bit * 8))
			put_word(run->host->memory, root + bit * 8, 0);
}

static void cut_off_others(struct run *run)
{
	const struct world *world = &run->world;
	u32 i;

	for (i = 0; i < world->nr_domains; i++)
		if (has(run, IOMMUSER_KIND_DOMAIN, i) && !domain_is_used(run, i))
			unpreserve_domain(run, i);
	for (i = 0; i < world->nr_devices; i++)
		if (!has(run, IOMMUSER_KIND_DEVICE, i))
			cut_off_device(run, i);
	for (i = 0; i < world->nr_pasids; i++)
		if (has(run, IOMMUSER_KIND_DEVICE, world->pasids[i].device) && !has_pasid(run, i))
			cut_off_pasid(run, i);
	for (i = 0; i < world->nr_units; i++)
		cut_off_tables(run, i);
}

/* A restore under way. */
struct incoming {
	struct run *run;
	struct iommuser_restore restore;
	struct iommuser_pageset *set;
	void *bytes;
};

static int open_incoming(struct incoming *incoming, u64 root)
{
	struct run *run = incoming->run;
	struct host *host = run->host;
	u64 size;
	int error;

	account_begin(&run->account);
	incoming->set = set_new();
	incoming->bytes = NULL;
	host_fill_set(host, incoming->set);
	host_enter(run->host);
	error = iommuser_restore_open(&incoming->restore, &host->env, &host->restore_ops,
				      iommuser_revision_by_name(IOMMUSER_V1_COMPATIBLE), root,
				      incoming->set, &run->account.reporter);
	if (error)
		return error;
	size = iommuser_restore_size(&incoming->restore);
	incoming->bytes = calloc(1, size);
	require(incoming->bytes, "out of memory");
	return iommuser_restore_validate(&incoming->restore, IOMMUSER_LEVEL_CLOSURE, 1,
					 incoming->bytes, size, &run->account.reporter);
}

static void close_incoming(struct incoming *incoming)
{
	iommuser_restore_abort(&incoming->restore);
	set_free(incoming->set);
	free(incoming->bytes);
}

static int claim(struct incoming *incoming, u32 kind, const union iommuser_record *record)
{
	struct iommuser_restore *restore = &incoming->restore;
	union iommuser_record claimed;
	const struct iommuser_unit unit = {
		.token = record->iommu.token,
		.cap = record->iommu.cap,
		.ecap = record->iommu.ecap,
		.host_address_width = record->iommu.host_address_width,
		.mode = record->iommu.mode,
	};

	if (kind == IOMMUSER_KIND_IOMMU)
		return iommuser_restore_claim_iommu(restore, &unit, &claimed.iommu);
	if (kind == IOMMUSER_KIND_DOMAIN)
		return iommuser_restore_claim_domain(restore, record->common.phys, &claimed.domain);
	return iommuser_restore_claim_device(restore, record->device.segment, record->device.bdf,
					     &claimed.device);
}

/* Claim everything, also when a claim failed the first time, and let go of it. */
static void take_over(struct incoming *incoming, u32 fail_at)
{
	static const u8 ways[][2] = {
		{ IOMMUSER_KIND_DEVICE, IOMMUSER_HANDED_OVER },
		{ IOMMUSER_KIND_DOMAIN, IOMMUSER_HANDED_OVER },
		{ IOMMUSER_KIND_DEVICE, IOMMUSER_LEFT },
		{ IOMMUSER_KIND_DOMAIN, IOMMUSER_LEFT },
	};
	struct host *host = incoming->run->host;
	union iommuser_record record;
	u32 kind, way;
	u64 i;

	for (kind = 1; kind <= IOMMUSER_KIND_DEVICE; kind++)
		for (i = 0; i < iommuser_restore_count(&incoming->restore, kind); i++) {
			if (iommuser_restore_read(&incoming->restore, kind, i, &record))
				continue;
			host_arm(host, (i + fail_at) % 2 ? CALL_RESTORE : CALL_MAP, fail_at);
			host_enter(host);
			if (claim(incoming, kind, &record)) {
				require(host->failed && host->taken.count == host->released,
					"kind %u is not claimed", kind);
				host_leave(host);
				host_take_back(host);
				host_enter(host);
				require(!claim(incoming, kind, &record), "kind %u", kind);
			}
			host_leave(host);
		}
	for (way = 0; way < ARRAY_SIZE(ways); way++)
		for (i = 0; i < iommuser_restore_count(&incoming->restore, ways[way][0]); i++) {
			int error = iommuser_restore_advance(&incoming->restore, ways[way][0], i,
							     ways[way][1]);

			require(!error || error == -IOMMUSER_ENOENT, "advance: %d", error);
		}
}

/* What came over is all that there is. */
static void forget_others(struct run *run)
{
	struct world *world = &run->world;
	u32 i;

	for (i = 0; i < world->nr_units; i++) {
		world->units[i].there = has(run, IOMMUSER_KIND_IOMMU, i);
		memset(&world->units[i].handle, 0, sizeof(world->units[i].handle));
	}
	for (i = 0; i < world->nr_domains; i++) {
		world->domains[i].there = has(run, IOMMUSER_KIND_DOMAIN, i);
		memset(&world->domains[i].handle, 0, sizeof(world->domains[i].handle));
	}
	for (i = 0; i < world->nr_devices; i++) {
		world->devices[i].there = has(run, IOMMUSER_KIND_DEVICE, i);
		memset(&world->devices[i].handle, 0, sizeof(world->devices[i].handle));
	}
	for (i = 0; i < world->nr_pasids; i++) {
		world->pasids[i].there = has_pasid(run, i);
		memset(&world->pasids[i].handle, 0, sizeof(world->pasids[i].handle));
	}
	for (i = 0; i < world->nr_hwpts; i++) {
		world->hwpts[i].there = has(run, IOMMUSER_KIND_HWPT, i);
		memset(&world->hwpts[i].handle, 0, sizeof(world->hwpts[i].handle));
	}
}

/* Any byte of the pages of records. */
static u8 *some_record_byte(struct run *run, u32 choice)
{
	const u8 *states = run->host->states;
	u32 left = choice / FRAME_SIZE;
	u32 i;

	for (i = 0;; i = (i + 1) % MEMORY_FRAMES)
		if (states[i] == FRAME_RECORDS && !left--)
			return memory_at(run->host->memory, MEMORY_BASE + i * FRAME_SIZE) +
			       choice % FRAME_SIZE;
}

/* A damaged byte is found before anything is touched. */
static void try_damaged(struct run *run, u64 root, u8 *at, u8 flip)
{
	struct incoming incoming = { .run = run };

	*at ^= flip;
	require(open_incoming(&incoming, root), "damage is not found");
	close_incoming(&incoming);
	*at ^= flip;
}

/* Domain ids that the preserved attachments use. */
static u32 count_dids(const struct run *run)
{
	const struct world *world = &run->world;
	bool used[WORLD_UNITS][2 * WORLD_DOMAINS] = { 0 };
	u32 i, count = 0;

	for (i = 0; i < world->nr_devices; i++)
		if (has(run, IOMMUSER_KIND_DEVICE, i))
			used[world->devices[i].unit][world->devices[i].request.did] = true;
	for (i = 0; i < world->nr_pasids; i++)
		if (has_pasid(run, i))
			used[world->devices[world->pasids[i].device].unit][world->pasids[i].did] =
				true;
	for (i = 0; i < sizeof(used); i++)
		count += used[i / (2 * WORLD_DOMAINS)][i % (2 * WORLD_DOMAINS)];
	return count;
}

/* Return: does life go on? */
static bool restore_all(struct run *run, u64 root, u32 fail_at)
{
	struct incoming incoming = { .run = run };
	int error = open_incoming(&incoming, root);

	require((!error && !run->account.count) || run->odd, "%d, %llu findings", error,
		(unsigned long long)run->account.count);
	if (!error) {
		run->host->strict = true;
		run->host->restoring = true;
		take_over(&incoming, fail_at);
		host_enter(run->host);
		error = iommuser_restore_finish(&incoming.restore);
		require(!error, "finish: %d", error);
		run->host->strict = false;
		run->host->restoring = false;
	}
	close_incoming(&incoming);
	return !error;
}

static void jump(struct run *run, u32 fail_at, u32 damage, u8 flip)
{
	u64 root = iommuser_writer_root(&run->world.writer);
	struct host *host = run->host;
	u8 *damaged;
	int error;
	u32 i;

	if (run->jumps++ == MAX_JUMPS)
		return;
	disarm(run);
	cut_off_others(run);
	ledger_check_records(&run->ledger);
	damaged = some_record_byte(run, damage);
	host_jump(host);
	if (flip)
		try_damaged(run, root, damaged, flip);
	if (!restore_all(run, root, fail_at)) {
		run->over = true;
		return;
	}
	require(host->nr_dids == count_dids(run), "%u domain ids", host->nr_dids);
	host->nr_dids = 0;
	host_adopt(host);
	for (i = 0; i < MEMORY_FRAMES; i++)
		require(host->states[i] == (run->ledger.owners[i] ? FRAME_LIVE : FRAME_FREE),
			"frame %u of object %u is in state %u", i, run->ledger.owners[i],
			host->states[i]);
	forget_others(run);
	host_enter(host);
	error = world_start_writer(&run->world, GENERATION + run->jumps);
	require(!error || (error == -IOMMUSER_ENOMEM && host->failed), "no writer: %d", error);
	run->over = error;
	ledger_begin(&run->ledger, &run->world, GENERATION + run->jumps);
}

/* Changes of tables that are not preserved. */

static void add_context_table(struct run *run, u32 unit, u32 bus)
{
	if (!run->world.units[unit].there)
		return;
	world_add_context_table(&run->world, unit, bus << 8 | (bus & 0x80));
	ledger_find_tables(&run->ledger);
}

static bool may_change(const struct run *run, u64 phys)
{
	return host_state(run->host, phys) == FRAME_LIVE;
}

static void write_table(struct run *run, u64 frame, u64 offset, u64 value)
{
	u64 phys = MEMORY_BASE + frame % MEMORY_FRAMES * FRAME_SIZE;

	if (!may_change(run, phys))
		return;
	put_word(run->host->memory, phys + offset % FRAME_SIZE / 8 * 8, value);
	run->odd = true;
}

static void hide_table(struct run *run, u64 frame, bool hide)
{
	u64 phys = MEMORY_BASE + frame % MEMORY_FRAMES * FRAME_SIZE;

	if (!may_change(run, phys))
		return;
	host_hide(run->host, phys, hide);
	run->odd = true;
}

/* An operation, its argument, and what else it takes. */
static void take_step(struct run *run, struct input *input)
{
	static const enum host_call calls[] = { CALL_MAP, CALL_ALLOC, CALL_PRESERVE };
	const struct world *world = &run->world;
	enum operation operation = input_take(input, 1) % NR_OPERATIONS;
	u32 argument = (u32)input_take(input, 1);
	u64 frame, more;

	switch (operation) {
	case PRESERVE_DOMAIN:
		with_some(run, preserve_domain, world->nr_domains, argument);
		break;
	case PRESERVE_DEVICE:
		with_some(run, preserve_device, world->nr_devices, argument);
		break;
	case PRESERVE_PASID:
		with_some(run, preserve_pasid, world->nr_pasids, argument);
		break;
	case PRESERVE_HWPT:
		with_some(run, preserve_hwpt, world->nr_hwpts, argument);
		break;
	case UNPRESERVE_DOMAIN:
		with_some(run, unpreserve_domain, world->nr_domains, argument);
		break;
	case UNPRESERVE_DEVICE:
		with_some(run, unpreserve_device, world->nr_devices, argument);
		break;
	case UNPRESERVE_PASID:
		with_some(run, unpreserve_pasid, world->nr_pasids, argument);
		break;
	case UNPRESERVE_HWPT:
		with_some(run, unpreserve_hwpt, world->nr_hwpts, argument);
		break;
	case ARM: /* after so many calls u16 */
		host_arm(run->host, calls[argument % 3], (u32)input_take(input, 2));
		run->armed = true;
		break;
	case ADD_CONTEXT_TABLE: /* bus u8 */
		more = input_take(input, 1);
		if (world->nr_units)
			add_context_table(run, argument % world->nr_units, (u32)more);
		break;
	case WRITE_TABLE: /* frame u8 and the argument, offset u16, value u64 */
		frame = input_take(input, 1) << 8 | argument;
		more = input_take(input, 2);
		write_table(run, frame, more, input_take(input, 8));
		break;
	case HIDE_TABLE: /* frame u8 and the argument */
		more = input_take(input, 1);
		hide_table(run, (more & 3) << 8 | argument, !(more & 0x80));
		break;
	case VERIFY:
		verify(run);
		break;
	case MISUSE:
		misuse(run, argument);
		break;
	case PRESERVE_ALL:
		preserve_all(run);
		break;
	case JUMP: /* the byte damaged u16, how u8 */
		more = input_take(input, 2);
		jump(run, argument, (u32)more, (u8)input_take(input, 1));
		break;
	case NR_OPERATIONS:
		break;
	}
}

/* @order: in which all is unpreserved; from 128 on the writer ends before that. */
static void end(struct run *run, u32 order)
{
	u32 i;

	ledger_check_records(&run->ledger);
	if (order < 128)
		unpreserve_all(run, order);
	iommuser_writer_end(&run->world.writer);
	ledger_check_pages(&run->ledger);
	for (i = 0; i < MEMORY_FRAMES; i++)
		require(run->host->states[i] != FRAME_RECORDS, "frame %u is left", i);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	/* Sums of large pages take long. */
	static const u8 choices[] = { 0, 0, 0, 0, 0, 0, 1, 2 };
	struct memory *memory = memory_begin(choices[input_take(&input, 1) % sizeof(choices)]);
	enum world_kind kind = input_take(&input, 1) % NR_WORLDS;
	struct run *run = &the_run;
	u32 steps, order;

	if (kind == WORLD_MANY && memory->env.page_shift > IOMMUSER_MIN_PAGE_SHIFT)
		kind = WORLD_FULL;
	memset(run, 0, sizeof(*run));
	run->host = &the_host;
	run->audit_every = 2 + (u32)input_take(&input, 1) % 32;
	order = (u32)input_take(&input, 1);
	host_begin(&the_host, memory);
	world_begin(&run->world, &the_host, kind);
	require(!world_start_writer(&run->world, GENERATION), "no writer");
	ledger_begin(&run->ledger, &run->world, GENERATION);
	for (steps = 0; input.left && steps < MAX_STEPS && !run->over; steps++)
		take_step(run, &input);
	disarm(run);
	if (!run->over)
		end(run, order);
	memory_end(memory);
	return 0;
}
