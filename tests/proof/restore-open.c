// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves of opening and validating, with root, survey, graph and checks that may
 * say anything and report any finding: the machine is valid exactly after both have
 * succeeded, and they succeed only when there was no finding of severity "error" or
 * "incomplete"; a machine that did not pass is closed and can't be validated again,
 * unless the caller's memory was at fault; it can't be validated twice; no
 * page is restored and no DID reserved by any of it (S10); every finding is passed on;
 * before validation every claim is refused (S14). Checks S6 S8 S10 S14.
 *
 * Sources: restore.c finding.c
 * Unwind: 3
 */
#include <iommuser/restore.h>
#include <iommuser/verify.h>

#include "graph-private.h"
#include "index.h"
#include "internal.h"
#include "proof.h"
#include "table-walk.h"

static struct iommuser_restore machine;
static u32 nr_reported, nr_passed_on;
static bool fatal;

/* No callback may be called. */

static int restore_page(void *ctx, u64 phys, u64 length)
{
	(void)ctx;
	(void)phys;
	(void)length;
	prove(false, "no page is restored");
	return 0;
}

static void release_page(void *ctx, u64 phys, u64 length)
{
	(void)ctx;
	(void)phys;
	(void)length;
	prove(false, "no page is released");
}

static int reserve_did(void *ctx, u64 token, u32 did)
{
	(void)ctx;
	(void)token;
	(void)did;
	prove(false, "no DID is reserved");
	return 0;
}

static void release_did(void *ctx, u64 token, u32 did)
{
	(void)ctx;
	(void)token;
	(void)did;
	prove(false, "no DID is released");
}

static const struct iommuser_restore_ops ops = {
	.restore_page = restore_page,
	.release_page = release_page,
	.reserve_did = reserve_did,
	.release_did = release_did,
};

static void count_finding(void *ctx, const struct iommuser_finding *finding)
{
	(void)ctx;
	(void)finding;
	nr_passed_on++;
}

/* One or no finding of any severity, and any of these results. */
static int any_check(const struct iommuser_reporter *reporter, int first, int second, int third)
{
	struct iommuser_finding finding = { .id = IOMMUSER_FINDING_CHAIN_CYCLE };
	u32 severity = nondet_u32();
	u32 choice = nondet_u32();

	if (nondet_bool()) {
		assume(severity <= IOMMUSER_ERROR);
		finding.severity = (enum iommuser_severity)severity;
		if (severity >= IOMMUSER_INCOMPLETE)
			fatal = true;
		nr_reported++;
		reporter->report(reporter->ctx, &finding);
	}
	return choice == 0 ? 0 : choice == 1 ? -first : choice == 2 ? -second : -third;
}

int iommuser_root_open(const struct iommuser_env *env, const struct iommuser_revision *which,
		       u64 phys, struct iommuser_pageset *set,
		       const struct iommuser_reporter *reporter, struct iommuser_root *root)
{
	(void)env;
	(void)which;
	(void)phys;
	(void)set;
	(void)root;
	return any_check(reporter, IOMMUSER_EUNMAPPED, IOMMUSER_ECORRUPT, IOMMUSER_EUNKNOWN);
}

int iommuser_survey_root(const struct iommuser_env *env, const struct iommuser_root *root,
			 struct iommuser_pageset *set, const struct iommuser_reporter *reporter,
			 struct iommuser_survey *survey)
{
	(void)env;
	(void)root;
	(void)set;
	(void)survey;
	return any_check(reporter, IOMMUSER_EINVAL, IOMMUSER_EINVAL, IOMMUSER_EINVAL);
}

u64 iommuser_graph_size(const struct iommuser_root *root, const struct iommuser_survey *survey)
{
	(void)root;
	(void)survey;
	return 64;
}

int iommuser_graph_build(struct iommuser_graph *graph, const struct iommuser_env *env,
			 const struct iommuser_root *root, const struct iommuser_survey *survey,
			 u64 seed, void *memory, u64 size)
{
	u32 choice = nondet_u32();

	(void)graph;
	(void)env;
	(void)root;
	(void)survey;
	(void)seed;
	(void)memory;
	(void)size;
	switch (choice) {
	case 0:
		return -IOMMUSER_EINVAL;
	case 1:
		return -IOMMUSER_ENOSPC;
	case 2:
		return -IOMMUSER_ECORRUPT;
	case 3:
		return -IOMMUSER_EUNMAPPED;
	default:
		return 0;
	}
}

int iommuser_verify_records(struct iommuser_verify *verify)
{
	return any_check(verify->reporter, IOMMUSER_EUNMAPPED, IOMMUSER_ECORRUPT,
			 IOMMUSER_EUNMAPPED);
}

int iommuser_verify_all(struct iommuser_verify *verify)
{
	return any_check(verify->reporter, IOMMUSER_EUNMAPPED, IOMMUSER_ECORRUPT, IOMMUSER_EINVAL);
}

/* Nobody gets as far as these. */

u64 iommuser_graph_count(const struct iommuser_graph *graph, u32 kind)
{
	(void)graph;
	(void)kind;
	prove(false, "the graph is not asked");
	return 0;
}

int iommuser_graph_read(const struct iommuser_graph *graph, u32 kind, u64 position,
			union iommuser_record *record)
{
	(void)graph;
	(void)kind;
	(void)position;
	(void)record;
	prove(false, "the graph is not asked");
	return -IOMMUSER_ENOENT;
}

enum iommuser_state iommuser_graph_state(const struct iommuser_graph *graph, u32 kind, u64 position)
{
	(void)graph;
	(void)kind;
	(void)position;
	prove(false, "the graph is not asked");
	return IOMMUSER_PRESERVED_STATE;
}

int iommuser_graph_resolve(const struct iommuser_graph *graph, u64 phys, u32 kind, u64 *position)
{
	(void)graph;
	(void)phys;
	(void)kind;
	(void)position;
	prove(false, "the graph is not asked");
	return -IOMMUSER_ENOENT;
}

int iommuser_graph_find_iommu(const struct iommuser_graph *graph, u64 token, u64 *position)
{
	(void)graph;
	(void)token;
	(void)position;
	prove(false, "the graph is not asked");
	return -IOMMUSER_ENOENT;
}

int iommuser_graph_find_device(const struct iommuser_graph *graph, u64 segment, u64 bdf,
			       u64 *position)
{
	(void)graph;
	(void)segment;
	(void)bdf;
	(void)position;
	prove(false, "the graph is not asked");
	return -IOMMUSER_ENOENT;
}

int iommuser_graph_device_stale(const struct iommuser_graph *graph,
				const struct iommuser_device *device)
{
	(void)graph;
	(void)device;
	prove(false, "the graph is not asked");
	return 0;
}

int iommuser_graph_device_domain(const struct iommuser_graph *graph, u64 position,
				 const struct iommuser_device *device, u64 *domain, u64 *did)
{
	(void)graph;
	(void)position;
	(void)device;
	(void)domain;
	(void)did;
	prove(false, "the graph is not asked");
	return -IOMMUSER_ENOENT;
}

int index_find(const struct iommuser_index *index, u64 key, u64 *position)
{
	(void)index;
	(void)key;
	(void)position;
	prove(false, "the graph is not asked");
	return -IOMMUSER_ENOENT;
}

bool iommuser_revision_has(const struct iommuser_revision *which, u32 kind,
			   enum iommuser_field field)
{
	(void)which;
	(void)kind;
	(void)field;
	return true;
}

int walk_tables(struct table_walk *walk, u32 kind, const union iommuser_record *record)
{
	(void)walk;
	(void)kind;
	(void)record;
	prove(false, "no table is walked");
	return 0;
}

static void prove_claims_refused(void)
{
	struct iommuser_unit unit = { .token = nondet_u64() };
	union iommuser_record record;
	u64 any = nondet_u64();

	prove(iommuser_restore_claim_iommu(&machine, &unit, &record.iommu) == -IOMMUSER_EINVAL &&
		      iommuser_restore_claim_domain(&machine, any, &record.domain) ==
			      -IOMMUSER_EINVAL &&
		      iommuser_restore_claim_device(&machine, any, any, &record.device) ==
			      -IOMMUSER_EINVAL &&
		      iommuser_restore_advance(&machine, IOMMUSER_KIND_DOMAIN, any,
					       IOMMUSER_ABANDONED) == -IOMMUSER_EINVAL &&
		      iommuser_restore_finish(&machine) == -IOMMUSER_EINVAL &&
		      !iommuser_restore_count(&machine, IOMMUSER_KIND_DOMAIN),
	      "nothing goes before validation");
}

static int validate(void)
{
	static u64 memory[8];
	const struct iommuser_reporter reporter = { .report = count_finding };
	u32 level = nondet_u32();
	bool closure = level == IOMMUSER_LEVEL_CLOSURE;
	int error = iommuser_restore_validate(&machine, (enum iommuser_restore_level)level,
					      nondet_u64(), memory, sizeof(memory),
					      nondet_bool() ? &reporter : NULL);

	if (level > IOMMUSER_LEVEL_CLOSURE || (closure && !machine.set))
		prove(error == -IOMMUSER_EINVAL, "an impossible level");
	return error;
}

int main(void)
{
	const struct iommuser_env env = { .page_shift = any_page_shift() };
	const struct iommuser_reporter reporter = { .report = count_finding };
	struct iommuser_revision revision;
	struct iommuser_pageset set;
	int error;

	error = iommuser_restore_open(&machine, &env, &ops, &revision, nondet_u64(),
				      nondet_bool() ? &set : NULL, &reporter);
	prove(nr_passed_on == nr_reported, "every finding is passed on");
	prove(machine.open == !error && !machine.valid, "open exactly after success");
	prove(error || !fatal, "no success with a fatal finding");
	prove(!machine.open == !iommuser_restore_size(&machine),
	      "memory is needed by an open machine");
	prove_claims_refused();
	error = validate();
	prove(machine.valid == !error, "valid exactly after success");
	prove(!error || error == -IOMMUSER_EINVAL || error == -IOMMUSER_ENOSPC ||
		      error == -IOMMUSER_ECORRUPT || error == -IOMMUSER_EUNMAPPED,
	      "documented result");
	prove(error || !fatal, "not valid with a fatal finding");
	if (!error) {
		reach("valid");
		prove(machine.open && validate() == -IOMMUSER_EINVAL, "validated once");
		return 0;
	}
	if (fatal)
		reach("a fatal finding");
	if (error == -IOMMUSER_ENOSPC)
		prove(machine.open, "the caller may try again with more memory");
	if (error == -IOMMUSER_ECORRUPT || error == -IOMMUSER_EUNMAPPED)
		prove(!machine.open && validate() == -IOMMUSER_EINVAL, "closed for good");
	prove_claims_refused();
	iommuser_restore_abort(&machine);
	prove(!machine.open, "closed");
	return 0;
}
