// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves of the restore machine, by induction over any number of calls: from every
 * state of machine and host that agree with each other, one call of claim_iommu,
 * claim_domain, claim_device, advance, finish or abort leads to such a state again;
 * the state after validation is one. Records, references, page lists, DIDs, what the
 * host refuses and which tables cannot be read are free. Agree means: of a record
 * that was claimed every page is restored and every DID that it holds reserved, of
 * another one none. Then: no page is restored twice, or released that is not restored
 * (S12); no DID is reserved twice (S13); a record goes along the state machine only (S14);
 * a call that fails leaves states, pages and DIDs as they were (S11); after an abort
 * nothing is left with the host unless something was handed over, and the machine is closed
 * (S15); after finish the pages of records are gone and the machine is closed; a closed
 * machine does nothing; each result is a documented one (S6).
 *
 * The graph's look-ups and the walk over tables are replaced by what graph.c and
 * table-walk.c promise: a record has a fixed list of up to MOST_PAGES pages, which the walk
 * meets in one order. Pages have one use, as the verifier found.
 *
 * Sources: restore.c
 * Unwind: 9
 * Cases: ATTACHMENTS=0,CALL=claim_iommu ATTACHMENTS=1,CALL=claim_iommu
 * Cases: ATTACHMENTS=0,CALL=claim_domain ATTACHMENTS=0,CALL=claim_device
 * Cases: ATTACHMENTS=0,CALL=advance ATTACHMENTS=1,CALL=advance
 * Cases: ATTACHMENTS=0,CALL=finish ATTACHMENTS=0,CALL=call_closed
 * Cases: ATTACHMENTS=0,CALL=abort_restore ATTACHMENTS=1,CALL=abort_restore
 */
#include <iommuser/restore.h>
#include <iommuser/verify.h>

#include "graph-private.h"
#include "index.h"
#include "internal.h"
#include "proof.h"
#include "table-walk.h"

/* Records of each kind, and attachments. */
#define MOST 2
#define MOST_PAGES 2
#define KINDS 3
#define METADATA_PAGES 1
#define ROOT_PHYS 0x200000ULL
#define METADATA_PHYS 0x300000ULL
#define USE_KIND (ATTACHMENTS ? IOMMUSER_KIND_ATTACHMENT : IOMMUSER_KIND_DEVICE)

enum page_state {
	PAGE_PRESERVED,
	PAGE_RESTORED,
	PAGE_FREE
};

/* What the image says; free, and never changed. */
static struct {
	bool live;
	u64 nr_pages;	   /* page tables or PASID tables of the record */
	bool broken;	   /* a walk ends in an error behind them */
	u64 token;	   /* of a unit */
	u64 iommu, domain; /* what a device refers to, by position */
	u64 did;
} records[KINDS][MOST];
static struct {
	bool live;
	u64 device, domain, did;
} attachments[MOST];

/* What the host has. */
static struct host {
	u8 pages[KINDS][MOST][MOST_PAGES];
	bool dids[MOST]; /* by the record of USE_KIND that holds it */
	u8 metadata[METADATA_PAGES + 1];
} host;
/* Was the record claimed? The machine forgets it when the record is abandoned. */
static bool claimed[KINDS][MOST];
static u32 nr_calls;

static struct iommuser_revision revision = {
	.properties = ATTACHMENTS ? IOMMUSER_REVISION_ATTACHMENTS : 0,
};
static u8 states[IOMMUSER_NR_KINDS * MOST];
static u32 unit_segments[MOST];
static u8 domain_stages[MOST];
static struct iommuser_graph_page metadata[METADATA_PAGES];
static struct iommuser_restore machine;

/* Addresses of records and pages: any that are distinct. */
static u64 record_phys(u32 kind, u64 position)
{
	return 0x100000 + kind * 0x1000 + position * 0x80;
}

static u64 page_phys(u32 kind, u64 position, u64 i)
{
	return (kind * MOST * MOST_PAGES + position * MOST_PAGES + i) << 12;
}

/* The callbacks. */

static u8 *page_state(u64 phys, u64 length)
{
	u64 number = (phys >> 12) - MOST * MOST_PAGES;

	if (length != 4096 || phys >= ROOT_PHYS) {
		prove(length == 1ULL << machine.env->page_shift,
		      "records have pages of the image's size");
		prove(phys == ROOT_PHYS || phys == METADATA_PHYS, "a page of records, or the root");
		return &host.metadata[phys == ROOT_PHYS];
	}
	prove(number < KINDS * MOST * MOST_PAGES && phys % 4096 == 0, "a page of a record");
	return &host.pages[number / (MOST * MOST_PAGES)][number / MOST_PAGES % MOST]
			  [number % MOST_PAGES];
}

static int restore_page(void *ctx, u64 phys, u64 length)
{
	u8 *state = page_state(phys, length);

	prove(*state == PAGE_PRESERVED, "a page is restored once");
	++*(u32 *)ctx;
	if (nondet_bool())
		return 1;
	*state = PAGE_RESTORED;
	return 0;
}

static void release_page(void *ctx, u64 phys, u64 length)
{
	u8 *state = page_state(phys, length);

	prove(*state == PAGE_RESTORED, "only what was restored is released");
	++*(u32 *)ctx;
	*state = phys >= ROOT_PHYS ? PAGE_FREE : PAGE_PRESERVED;
}

/* What a record of USE_KIND says: does it count, and for which unit and DID? */
static bool get_use(u64 position, u64 *device, u64 *unit, u64 *domain, u64 *did)
{
	*device = ATTACHMENTS ? attachments[position].device : position;
	*unit = records[IOMMUSER_KIND_DEVICE - 1][*device].iommu;
	*did = ATTACHMENTS ? attachments[position].did :
			     records[IOMMUSER_KIND_DEVICE - 1][position].did;
	*domain = ATTACHMENTS ? attachments[position].domain :
				records[IOMMUSER_KIND_DEVICE - 1][position].domain;
	return ATTACHMENTS ? attachments[position].live :
			     records[IOMMUSER_KIND_DEVICE - 1][position].live;
}

/* The first use of a DID of a unit; MOST for none. */
static u64 find_holder(u64 unit, u64 did)
{
	u64 i, device, its_unit, domain, its_did;

	for (i = 0; i < MOST; i++)
		if (get_use(i, &device, &its_unit, &domain, &its_did) && its_unit == unit &&
		    its_did == did)
			break;
	return i;
}

static u64 holder_of(u64 token, u32 did)
{
	u64 unit, holder;

	for (unit = 0; unit < MOST; unit++)
		if (records[0][unit].live && records[0][unit].token == token)
			break;
	prove(unit < MOST, "the token of a unit");
	holder = find_holder(unit, did);
	prove(holder < MOST, "a DID that a device of this very unit uses");
	return holder;
}

static int reserve_did(void *ctx, u64 token, u32 did)
{
	u64 holder = holder_of(token, did);

	prove(!host.dids[holder], "a DID is reserved once");
	++*(u32 *)ctx;
	if (nondet_bool())
		return 1;
	host.dids[holder] = true;
	return 0;
}

static void release_did(void *ctx, u64 token, u32 did)
{
	u64 holder = holder_of(token, did);

	prove(host.dids[holder], "only a DID that was reserved is released");
	++*(u32 *)ctx;
	host.dids[holder] = false;
}

static const struct iommuser_restore_ops ops = {
	.ctx = &nr_calls,
	.restore_page = restore_page,
	.release_page = release_page,
	.reserve_did = reserve_did,
	.release_did = release_did,
};

/* What other files of the library promise. */

u64 iommuser_graph_count(const struct iommuser_graph *graph, u32 kind)
{
	(void)graph;
	if (kind == IOMMUSER_KIND_ATTACHMENT)
		return ATTACHMENTS ? MOST : 0;
	return kind <= KINDS ? MOST : 0;
}

int iommuser_graph_read(const struct iommuser_graph *graph, u32 kind, u64 position,
			union iommuser_record *record)
{
	if (position >= iommuser_graph_count(graph, kind))
		return -IOMMUSER_ENOENT;
	record->common.phys = record_phys(kind, position);
	record->common.index = nondet_u64();
	if (kind == IOMMUSER_KIND_ATTACHMENT) {
		record->common.flags = !attachments[position].live;
		record->attachment.device =
			record_phys(IOMMUSER_KIND_DEVICE, attachments[position].device);
		record->attachment.domain =
			record_phys(IOMMUSER_KIND_DOMAIN, attachments[position].domain);
		record->attachment.did = attachments[position].did;
		return 0;
	}
	record->common.flags = !records[kind - 1][position].live;
	if (kind == IOMMUSER_KIND_IOMMU) {
		record->iommu.token = records[0][position].token;
		record->iommu.type = IOMMUSER_IOMMU_TYPE_INTEL;
	}
	if (kind == IOMMUSER_KIND_DEVICE) {
		record->device.iommu = record_phys(IOMMUSER_KIND_IOMMU, records[2][position].iommu);
		record->device.domain =
			record_phys(IOMMUSER_KIND_DOMAIN, records[2][position].domain);
		record->device.did = records[2][position].did;
	}
	return 0;
}

enum iommuser_state iommuser_graph_state(const struct iommuser_graph *graph, u32 kind, u64 position)
{
	return (enum iommuser_state)graph->states[graph->first_record[kind] + position];
}

int iommuser_graph_resolve(const struct iommuser_graph *graph, u64 phys, u32 kind, u64 *position)
{
	(void)graph;
	for (*position = 0; *position < MOST; ++*position)
		if (record_phys(kind, *position) == phys)
			return 0;
	return -IOMMUSER_ENOENT;
}

int iommuser_graph_find_iommu(const struct iommuser_graph *graph, u64 token, u64 *position)
{
	(void)graph;
	for (*position = 0; *position < MOST; ++*position)
		if (records[0][*position].live && records[0][*position].token == token)
			return 0;
	return -IOMMUSER_ENOENT;
}

int iommuser_graph_find_device(const struct iommuser_graph *graph, u64 segment, u64 bdf,
			       u64 *position)
{
	(void)graph;
	(void)segment;
	*position = bdf;
	return bdf < MOST && records[2][bdf].live ? 0 : -IOMMUSER_ENOENT;
}

int iommuser_graph_device_stale(const struct iommuser_graph *graph,
				const struct iommuser_device *device)
{
	(void)graph;
	(void)device;
	return 0;
}

int iommuser_graph_device_domain(const struct iommuser_graph *graph, u64 position,
				 const struct iommuser_device *device, u64 *domain, u64 *did)
{
	(void)graph;
	(void)position;
	*domain = device->domain;
	*did = device->did;
	return 0;
}

int index_find(const struct iommuser_index *index, u64 key, u64 *position)
{
	prove(index == &machine.graph.did_holders, "the one index that the machine asks");
	*position = find_holder(key >> 32, key & 0xffffffff);
	return *position < MOST ? 0 : -IOMMUSER_ENOENT;
}

bool iommuser_revision_has(const struct iommuser_revision *which, u32 kind,
			   enum iommuser_field field)
{
	(void)which;
	(void)kind;
	(void)field;
	return false;
}

int walk_tables(struct table_walk *walk, u32 kind, const union iommuser_record *record)
{
	u64 position = record->common.index;
	u64 i;
	int result;

	for (i = 0; i < records[kind - 1][position].nr_pages; i++) {
		result = walk->page(walk, page_phys(kind, position, i));
		if (result)
			return result;
	}
	return records[kind - 1][position].broken ? -IOMMUSER_EUNMAPPED : 0;
}

/* Opening and validating: see restore-open.c. */

int iommuser_root_open(const struct iommuser_env *env, const struct iommuser_revision *which,
		       u64 phys, struct iommuser_pageset *set,
		       const struct iommuser_reporter *reporter, struct iommuser_root *root)
{
	(void)env;
	(void)which;
	(void)phys;
	(void)set;
	(void)reporter;
	(void)root;
	return 0;
}

int iommuser_survey_root(const struct iommuser_env *env, const struct iommuser_root *root,
			 struct iommuser_pageset *set, const struct iommuser_reporter *reporter,
			 struct iommuser_survey *survey)
{
	(void)env;
	(void)root;
	(void)set;
	(void)reporter;
	(void)survey;
	return 0;
}

u64 iommuser_graph_size(const struct iommuser_root *root, const struct iommuser_survey *survey)
{
	(void)root;
	(void)survey;
	return 1;
}

int iommuser_graph_build(struct iommuser_graph *graph, const struct iommuser_env *env,
			 const struct iommuser_root *root, const struct iommuser_survey *survey,
			 u64 seed, void *memory, u64 size)
{
	(void)graph;
	(void)env;
	(void)root;
	(void)survey;
	(void)seed;
	(void)memory;
	(void)size;
	return 0;
}

int iommuser_verify_records(struct iommuser_verify *verify)
{
	(void)verify;
	return 0;
}

int iommuser_verify_all(struct iommuser_verify *verify)
{
	(void)verify;
	return 0;
}

/* The induction. */

static const struct iommuser_env env = { .page_shift = 14 };

static void make_image(void)
{
	u64 kind, i;

	for (kind = 0; kind < KINDS; kind++)
		for (i = 0; i < MOST; i++) {
			records[kind][i].live = nondet_bool();
			records[kind][i].broken = nondet_bool();
			records[kind][i].nr_pages = nondet_u64();
			records[kind][i].token = nondet_u64();
			records[kind][i].iommu = nondet_u64();
			records[kind][i].domain = nondet_u64();
			records[kind][i].did = nondet_u32();
			assume(records[kind][i].nr_pages <= MOST_PAGES);
			assume(records[kind][i].iommu < MOST && records[kind][i].domain < MOST);
		}
	for (i = 0; i < MOST; i++) {
		attachments[i].live = nondet_bool();
		attachments[i].device = nondet_u64();
		attachments[i].domain = nondet_u64();
		attachments[i].did = nondet_u32();
		assume(attachments[i].device < MOST && attachments[i].domain < MOST);
		/* What the verifier has found: live records refer to live ones. */
		assume(!attachments[i].live || (records[2][attachments[i].device].live &&
						records[1][attachments[i].domain].live));
		assume(!records[2][i].live || (records[0][records[2][i].iommu].live &&
					       records[1][records[2][i].domain].live));
	}
	assume(records[0][0].token != records[0][1].token);
}

static u8 *state_of(u32 kind, u64 position)
{
	return &states[machine.graph.first_record[kind] + position];
}

/* A state in which the record is not as the last kernel left it, nor abandoned. */
static bool is_taken(u8 state)
{
	return state >= IOMMUSER_RESTORED && state <= IOMMUSER_LEFT;
}

/* Do the host's pages of a record agree with whether it was claimed? */
static bool pages_agree(u32 kind, u64 position)
{
	u64 i;

	for (i = 0; i < MOST_PAGES; i++)
		if (host.pages[kind - 1][position][i] !=
		    (claimed[kind - 1][position] && i < records[kind - 1][position].nr_pages ?
			     PAGE_RESTORED :
			     PAGE_PRESERVED))
			return false;
	return true;
}

static bool record_agrees(u32 kind, u64 position)
{
	u8 state = *state_of(kind, position);
	bool was_claimed = claimed[kind - 1][position];

	if (state == IOMMUSER_CLAIMED || state > IOMMUSER_ABANDONED)
		return false;
	if (kind == IOMMUSER_KIND_IOMMU &&
	    (state == IOMMUSER_HANDED_OVER || state == IOMMUSER_LEFT))
		return false;
	if (!records[kind - 1][position].live && (state || was_claimed))
		return false;
	if (state > IOMMUSER_RESTORED && !machine.advanced)
		return false;
	if (was_claimed && records[kind - 1][position].broken)
		return false;
	if (state != IOMMUSER_ABANDONED && was_claimed != is_taken(state))
		return false;
	return pages_agree(kind, position);
}

static bool did_agrees(u64 use)
{
	u64 device, unit, domain, did;
	bool live = get_use(use, &device, &unit, &domain, &did);

	return host.dids[use] == (live && find_holder(unit, did) == use && claimed[0][unit]);
}

/* Do machine and host agree? */
static bool all_agrees(void)
{
	u64 i;
	u32 kind;

	for (i = 0; i < MOST; i++) {
		if (!did_agrees(i))
			return false;
		for (kind = 1; kind <= KINDS; kind++)
			if (!record_agrees(kind, i))
				return false;
	}
	return true;
}

static void make_machine(void)
{
	u32 kind;

	machine.env = &env;
	machine.ops = &ops;
	machine.root.revision = &revision;
	machine.root.phys = ROOT_PHYS + (ATTACHMENTS ? 0 : 64);
	machine.graph.states = states;
	machine.graph.unit_segments = unit_segments;
	machine.graph.domain_stages = domain_stages;
	domain_stages[0] = nondet_u8();
	domain_stages[1] = nondet_u8();
	machine.graph.pages = metadata;
	metadata[0].phys = METADATA_PHYS;
	for (kind = 1; kind <= IOMMUSER_NR_KINDS + 1; kind++)
		machine.graph.first_record[kind] = (kind - 1) * MOST;
	machine.graph.first_page[IOMMUSER_NR_KINDS + 1] = METADATA_PAGES;
	machine.open = true;
	machine.valid = true;
}

/* Any state that agrees. */
static void make_any_state(void)
{
	u64 kind, i, page;

	machine.advanced = nondet_bool();
	for (i = 0; i < MOST; i++) {
		host.dids[i] = nondet_bool();
		for (kind = 0; kind < KINDS; kind++) {
			*state_of((u32)kind + 1, i) = nondet_u8();
			claimed[kind][i] = nondet_bool();
			for (page = 0; page < MOST_PAGES; page++)
				host.pages[kind][i][page] = nondet_u8();
		}
	}
	assume(all_agrees());
}

static bool nothing_is_left(void)
{
	u64 kind, i, page;

	for (i = 0; i < MOST; i++) {
		if (host.dids[i])
			return false;
		for (kind = 0; kind < KINDS; kind++)
			for (page = 0; page < MOST_PAGES; page++)
				if (host.pages[kind][i][page] != PAGE_PRESERVED)
					return false;
	}
	return true;
}

static struct host host_before;
static u8 states_before[sizeof(states)];

static void remember(void)
{
	u64 i;

	host_before = host;
	for (i = 0; i < KINDS * MOST; i++)
		states_before[i] = states[i];
}

/* Nothing differs from before, but for the state of one record: KINDS * MOST for none. */
static void prove_states_kept(u64 but)
{
	u64 any = nondet_u64();

	if (any < KINDS * MOST && any != but)
		prove(states[any] == states_before[any], "no other record's state changes");
}

static void prove_host_kept(void)
{
	u64 kind = nondet_u64(), i = nondet_u64(), page = nondet_u64();

	assume(kind < KINDS && i < MOST && page < MOST_PAGES);
	prove(host.pages[kind][i][page] == host_before.pages[kind][i][page], "pages are as before");
	prove(host.dids[i] == host_before.dids[i], "DIDs are as before");
	prove(host.metadata[0] == PAGE_PRESERVED && host.metadata[METADATA_PAGES] == PAGE_PRESERVED,
	      "the pages of records are not touched");
}

/* What each claim promises. */
static void check_claim(u32 kind, u64 position, int error)
{
	u64 at = (kind - 1) * MOST + position;

	if (error) {
		prove_states_kept(KINDS * MOST);
		prove_host_kept();
		if (error == -IOMMUSER_EREFUSED && nr_calls > 2)
			reach("a claim is unwound");
		if (error == -IOMMUSER_EUNMAPPED && nr_calls > 2)
			reach("tables cannot be read in the middle of a claim");
	} else {
		prove(position < MOST && records[kind - 1][position].live, "a live record");
		prove(states_before[at] == IOMMUSER_PRESERVED_STATE &&
			      states[at] == IOMMUSER_RESTORED,
		      "from PRESERVED to RESTORED");
		prove_states_kept(at);
		claimed[kind - 1][position] = true;
	}
	prove(!error || error == -IOMMUSER_ENOENT || error == -IOMMUSER_EBUSY ||
		      error == -IOMMUSER_EMISMATCH || error == -IOMMUSER_EREFUSED ||
		      error == -IOMMUSER_ECORRUPT || error == -IOMMUSER_EUNMAPPED,
	      "a documented result of a claim");
}

static void claim_iommu(void)
{
	struct iommuser_unit unit = { .token = nondet_u64() };
	struct iommuser_iommu iommu;
	u64 position;
	int error;

	for (position = 0; position < MOST; position++)
		if (records[0][position].token == unit.token)
			break;
	error = iommuser_restore_claim_iommu(&machine, &unit, &iommu);
	check_claim(IOMMUSER_KIND_IOMMU, position, error);
	if (error)
		return;
	prove(iommu.token == unit.token, "the unit that was asked for");
	if (nr_calls == MOST + MOST_PAGES)
		reach("a unit with its DIDs and pages");
}

static void claim_domain(void)
{
	u64 position = nondet_u64();
	struct iommuser_domain domain;
	int error;

	assume(position <= MOST);
	error = iommuser_restore_claim_domain(&machine, record_phys(IOMMUSER_KIND_DOMAIN, position),
					      &domain);
	check_claim(IOMMUSER_KIND_DOMAIN, position, error);
	if (!error)
		reach("a domain");
}

static void claim_device(void)
{
	u64 position = nondet_u64();
	struct iommuser_device device;
	int error;

	error = iommuser_restore_claim_device(&machine, 0, position, &device);
	check_claim(IOMMUSER_KIND_DEVICE, position, error);
	if (error)
		return;
	prove(*state_of(IOMMUSER_KIND_IOMMU, records[2][position].iommu) == IOMMUSER_RESTORED,
	      "its unit was claimed before");
	reach("a device");
}

/* The device that is behind a use may hold up a domain or unit. */
static bool is_held_up(u32 kind, u64 position, u8 until)
{
	u64 i, device, unit, domain, did;

	for (i = 0; i < MOST; i++)
		if (get_use(i, &device, &unit, &domain, &did) &&
		    (kind == IOMMUSER_KIND_IOMMU ? unit == position : domain == position) &&
		    *state_of(IOMMUSER_KIND_DEVICE, device) < until)
			return true;
	return false;
}

static void check_advance(u32 kind, u64 position, u8 to)
{
	u8 from = states_before[(kind - 1) * MOST + position];

	prove(kind <= KINDS && position < MOST && records[kind - 1][position].live,
	      "a live record");
	prove(*state_of(kind, position) == to, "where it was sent");
	prove_states_kept((kind - 1) * MOST + position);
	prove((to == IOMMUSER_HANDED_OVER && from == IOMMUSER_RESTORED) ||
		      (to == IOMMUSER_RESTORED && from == IOMMUSER_HANDED_OVER) ||
		      (to == IOMMUSER_LEFT && from == IOMMUSER_HANDED_OVER) ||
		      (to == IOMMUSER_ABANDONED && from < IOMMUSER_LEFT),
	      "along the state machine");
	prove(kind != IOMMUSER_KIND_IOMMU || to == IOMMUSER_ABANDONED, "a unit is only abandoned");
	if (kind != IOMMUSER_KIND_DEVICE && to >= IOMMUSER_HANDED_OVER)
		prove(!is_held_up(kind, position, to == IOMMUSER_ABANDONED ? IOMMUSER_LEFT : to),
		      "not before its devices");
	if (to == IOMMUSER_ABANDONED && from == IOMMUSER_PRESERVED_STATE)
		reach("abandoned, never claimed");
	if (to == IOMMUSER_LEFT && kind == IOMMUSER_KIND_DOMAIN)
		reach("a domain leaves");
}

static void advance(void)
{
	u32 kind = nondet_u32();
	u64 position = nondet_u64();
	u32 to = nondet_u32();
	int error;

	error = iommuser_restore_advance(&machine, kind, position, (enum iommuser_state)to);
	prove(!nr_calls, "no callback is called");
	prove_host_kept();
	if (error)
		prove_states_kept(KINDS * MOST);
	else
		check_advance(kind, position, (u8)to);
	prove(!error || error == -IOMMUSER_EBUSY || error == -IOMMUSER_ENODEV ||
		      error == -IOMMUSER_ENOENT || error == -IOMMUSER_EINVAL,
	      "a documented result of advance");
}

/* A closed machine does nothing. */
static void call_closed(void)
{
	struct iommuser_unit unit = { .token = nondet_u64() };
	union iommuser_record record;
	u64 any = nondet_u64();

	machine.open = false;
	machine.valid = false;
	prove(iommuser_restore_claim_iommu(&machine, &unit, &record.iommu) == -IOMMUSER_EINVAL &&
		      iommuser_restore_claim_domain(&machine, any, &record.domain) ==
			      -IOMMUSER_EINVAL &&
		      iommuser_restore_claim_device(&machine, any, any, &record.device) ==
			      -IOMMUSER_EINVAL &&
		      iommuser_restore_finish(&machine) == -IOMMUSER_EINVAL &&
		      iommuser_restore_advance(&machine, IOMMUSER_KIND_DEVICE, any,
					       IOMMUSER_LEFT) == -IOMMUSER_EINVAL &&
		      !iommuser_restore_count(&machine, IOMMUSER_KIND_DEVICE) &&
		      !iommuser_restore_size(&machine),
	      "a closed machine refuses");
	iommuser_restore_abort(&machine);
	prove(!nr_calls, "a closed machine calls nobody");
	prove_states_kept(KINDS * MOST);
	reach("a closed machine");
}

static void finish(void)
{
	u64 kind = nondet_u64(), i = nondet_u64();
	int error = iommuser_restore_finish(&machine);

	assume(kind < KINDS && i < MOST);
	if (error == -IOMMUSER_EBUSY) {
		prove(!nr_calls && machine.open && machine.valid,
		      "refused before anything is done");
		prove_states_kept(KINDS * MOST);
		prove_host_kept();
		return;
	}
	prove(one_of(error, IOMMUSER_EREFUSED, IOMMUSER_EREFUSED), "a documented result of finish");
	prove(!records[kind][i].live || states_before[kind * MOST + i] >= IOMMUSER_RESTORED + kind,
	      "every record has come far enough");
	prove(states[kind * MOST + i] == IOMMUSER_FINISHED, "every record is finished");
	if (!error) {
		reach("a handover has ended");
		prove(host.metadata[0] == PAGE_FREE && host.metadata[METADATA_PAGES] == PAGE_FREE,
		      "the pages of records are free");
	}
	prove(!machine.open && !machine.valid, "closed");
}

static void abort_restore(void)
{
	bool advanced = machine.advanced;

	iommuser_restore_abort(&machine);
	if (advanced) {
		reach("an abort after a hand-over");
		prove(!nr_calls, "nothing is given back once something was handed over");
		prove_states_kept(KINDS * MOST);
		prove_host_kept();
	} else {
		if (nr_calls > MOST * MOST_PAGES)
			reach("an abort of several claims");
		prove(nothing_is_left(), "everything is given back");
	}
	prove(!machine.open && !machine.valid, "closed");
}

int main(void)
{
	make_image();
	make_machine();
	prove(all_agrees(), "after validation they agree");
	make_any_state();
	remember();
	CALL();
	if (!machine.valid)
		return 0;
	prove(machine.open, "the machine goes on");
	prove(all_agrees(), "afterwards they agree again");
	return 0;
}
