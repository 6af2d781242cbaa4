// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The restore machine. Each claim takes pages and DIDs in a fixed order, so
 * that taking the same walk again gives back the first n of them.
 */
#include <iommuser/restore.h>
#include <iommuser/verify.h>

#include "graph-private.h"
#include "index.h"
#include "internal.h"
#include "table-walk.h"

/* Bound on the tables of a domain whose record does not count them. */
#define MAX_TABLES (1ULL << 30)

/* Passes findings on and remembers whether one forbids the restore. */
struct gate {
	const struct iommuser_reporter *reporter;
	bool closed;
};

static void gate_report(void *ctx, const struct iommuser_finding *finding)
{
	struct gate *gate = ctx;

	if (finding->severity >= IOMMUSER_INCOMPLETE)
		gate->closed = true;
	if (gate->reporter)
		gate->reporter->report(gate->reporter->ctx, finding);
}

/* A walk that takes pages, or gives back the first @limit of them. */
struct claim {
	struct iommuser_restore *restore;
	u64 done;
	u64 limit;
};

static int take_page(struct table_walk *walk, u64 phys)
{
	struct claim *claim = walk->ctx;
	const struct iommuser_restore_ops *ops = claim->restore->ops;

	if (ops->restore_page(ops->ctx, phys, IOMMUSER_TABLE_SIZE))
		return -IOMMUSER_EREFUSED;
	claim->done++;
	return 0;
}

static int give_page(struct table_walk *walk, u64 phys)
{
	struct claim *claim = walk->ctx;
	const struct iommuser_restore_ops *ops = claim->restore->ops;

	if (claim->done == claim->limit)
		return 1;
	ops->release_page(ops->ctx, phys, IOMMUSER_TABLE_SIZE);
	claim->done++;
	return 0;
}

static int walk_claim(struct claim *claim, u32 kind, const union iommuser_record *record,
		      int (*page)(struct table_walk *walk, u64 phys))
{
	struct table_walk walk = {
		.env = claim->restore->env,
		.page = page,
		.ctx = claim,
		.max_tables = MAX_TABLES,
		.pages_only = true,
	};

	if (kind == IOMMUSER_KIND_IOMMU)
		walk.scalable = graph_unit_mode(&claim->restore->graph, record->common.index) ==
				IOMMUSER_IOMMU_MODE_SCALABLE;
	return walk_tables(&walk, kind, record);
}

static OWN_FRAME void give_back(struct iommuser_restore *restore, u32 kind,
				const union iommuser_record *record, u64 pages)
{
	struct claim claim = { .restore = restore, .limit = pages };

	walk_claim(&claim, kind, record, give_page);
}

static int take_pages(struct iommuser_restore *restore, u32 kind,
		      const union iommuser_record *record)
{
	struct claim claim = { .restore = restore };
	int error = walk_claim(&claim, kind, record, take_page);

	if (error)
		give_back(restore, kind, record, claim.done);
	return error;
}

/* Take the pages of a record that nobody has claimed; it is restored, or as before. */
static OWN_FRAME int claim_pages(struct iommuser_restore *restore, u32 kind, u64 position,
				 const union iommuser_record *record)
{
	int error;

	iommuser_graph_set_state(&restore->graph, kind, position, IOMMUSER_CLAIMED);
	error = take_pages(restore, kind, record);
	iommuser_graph_set_state(&restore->graph, kind, position,
				 error ? IOMMUSER_PRESERVED_STATE : IOMMUSER_RESTORED);
	return error;
}

u64 iommuser_restore_count(const struct iommuser_restore *restore, u32 kind)
{
	if (!restore->valid || !kind || kind > IOMMUSER_NR_KINDS)
		return 0;
	return iommuser_graph_count(&restore->graph, kind);
}

int iommuser_restore_read(const struct iommuser_restore *restore, u32 kind, u64 position,
			  union iommuser_record *record)
{
	const struct iommuser_graph *graph = &restore->graph;
	int error;

	if (!restore->valid)
		return -IOMMUSER_EINVAL;
	error = iommuser_graph_read(graph, kind, position, record);
	if (error)
		return error;
	if (record->common.flags & IOMMUSER_FLAG_DELETED)
		return -IOMMUSER_ENOENT;
	record->common.index = position;
	if (kind == IOMMUSER_KIND_DOMAIN)
		record->domain.stage = graph->domain_stages[position];
	if (kind != IOMMUSER_KIND_DEVICE)
		return 0;
	error = iommuser_graph_device_stale(graph, &record->device);
	if (error)
		return error;
	return iommuser_graph_device_domain(graph, position, &record->device,
					    &record->device.domain, &record->device.did);
}

/* A live record that nobody has claimed. */
static int find_unclaimed(struct iommuser_restore *restore, u32 kind, u64 position,
			  union iommuser_record *record)
{
	int error = iommuser_restore_read(restore, kind, position, record);

	if (!error &&
	    iommuser_graph_state(&restore->graph, kind, position) != IOMMUSER_PRESERVED_STATE)
		return -IOMMUSER_EBUSY;
	return error;
}

int iommuser_restore_open(struct iommuser_restore *restore, const struct iommuser_env *env,
			  const struct iommuser_restore_ops *ops,
			  const struct iommuser_revision *revision, u64 root,
			  struct iommuser_pageset *set, const struct iommuser_reporter *reporter)
{
	struct gate gate = { .reporter = reporter };
	const struct iommuser_reporter watched = { .ctx = &gate, .report = gate_report };
	int error;

	memset(restore, 0, sizeof(*restore));
	restore->env = env;
	restore->ops = ops;
	restore->set = set;
	error = iommuser_root_open(env, revision, root, set, &watched, &restore->root);
	if (!error)
		error = iommuser_survey_root(env, &restore->root, set, &watched, &restore->survey);
	if (!error && gate.closed)
		error = -IOMMUSER_ECORRUPT;
	restore->open = !error;
	return error;
}

u64 iommuser_restore_size(const struct iommuser_restore *restore)
{
	return restore->open ? iommuser_graph_size(&restore->root, &restore->survey) : 0;
}

static int verify_to_level(struct iommuser_restore *restore, enum iommuser_restore_level level,
			   const struct iommuser_reporter *reporter)
{
	struct iommuser_verify verify = {
		.env = restore->env,
		.root = &restore->root,
		.survey = &restore->survey,
		.graph = &restore->graph,
		.set = restore->set,
		.reporter = reporter,
	};

	if (level == IOMMUSER_LEVEL_RECORDS)
		return iommuser_verify_records(&verify);
	return iommuser_verify_all(&verify);
}

int iommuser_restore_validate(struct iommuser_restore *restore, enum iommuser_restore_level level,
			      u64 seed, void *memory, u64 size,
			      const struct iommuser_reporter *reporter)
{
	struct gate gate = { .reporter = reporter };
	const struct iommuser_reporter watched = { .ctx = &gate, .report = gate_report };
	int error;

	if (!restore->open || restore->valid || (u32)level > IOMMUSER_LEVEL_CLOSURE)
		return -IOMMUSER_EINVAL;
	if (level == IOMMUSER_LEVEL_CLOSURE && !restore->set)
		return -IOMMUSER_EINVAL;
	error = iommuser_graph_build(&restore->graph, restore->env, &restore->root,
				     &restore->survey, seed, memory, size);
	if (error == -IOMMUSER_EINVAL || error == -IOMMUSER_ENOSPC)
		return error;
	if (!error)
		error = verify_to_level(restore, level, &watched);
	if (!error && gate.closed)
		error = -IOMMUSER_ECORRUPT;
	restore->open = restore->valid = !error;
	return error;
}

/* Units */

/* Does the unit's record speak of this very unit? */
static bool same_unit(const struct iommuser_restore *restore, const struct iommuser_iommu *iommu,
		      const struct iommuser_unit *unit)
{
	if (!iommuser_revision_has(restore->root.revision, IOMMUSER_KIND_IOMMU, IOMMUSER_FIELD_CAP))
		return true;
	return iommu->mode == unit->mode && iommu->cap == unit->cap && iommu->ecap == unit->ecap &&
	       iommu->host_address_width == unit->host_address_width;
}

/* Kind of the records that say which device uses which domain and DID. */
static OWN_FRAME u32 use_kind(const struct iommuser_restore *restore)
{
	return restore->root.revision->properties & IOMMUSER_REVISION_ATTACHMENTS ?
		       IOMMUSER_KIND_ATTACHMENT :
		       IOMMUSER_KIND_DEVICE;
}

/* What a record of use_kind() says: references, 0 for none, and the rest. */
struct use {
	u64 iommu;
	u64 domain;
	u64 did;
	u64 device;
};

static int read_use(const struct iommuser_restore *restore, u64 position, struct use *use)
{
	union iommuser_record record;
	u32 kind = use_kind(restore);
	int error = iommuser_restore_read(restore, kind, position, &record);

	use->iommu = use->domain = 0;
	use->device = position;
	if (error)
		return error == -IOMMUSER_ENOENT ? 0 : error;
	use->domain = record.device.domain;
	use->did = record.device.did;
	if (kind == IOMMUSER_KIND_ATTACHMENT) {
		use->domain = record.attachment.domain;
		use->did = record.attachment.did;
		error = iommuser_graph_resolve(&restore->graph, record.attachment.device,
					       IOMMUSER_KIND_DEVICE, &use->device);
		if (!error)
			error = iommuser_graph_read(&restore->graph, IOMMUSER_KIND_DEVICE,
						    use->device, &record);
	}
	if (!error)
		use->iommu = record.device.iommu;
	return error;
}

/* The first @limit records of use_kind() whose DIDs are the unit's to hold. */
static OWN_FRAME int walk_dids(struct iommuser_restore *restore, const union iommuser_record *unit,
			       u64 *limit, bool undo)
{
	const struct iommuser_restore_ops *ops = restore->ops;
	struct use use = { 0 };
	u64 position, holder;
	int error;

	for (position = 0; position < *limit; position++) {
		error = read_use(restore, position, &use);
		if (error && !undo) {
			*limit = position;
			return error;
		}
		if (error || use.iommu != unit->common.phys)
			continue;
		/* Several devices may share a domain: only the first one's record holds its DID. */
		if (index_find(&restore->graph.did_holders, did_key(unit->common.index, use.did),
			       &holder) ||
		    holder != position)
			continue;
		if (undo) {
			ops->release_did(ops->ctx, unit->iommu.token, (u32)use.did);
		} else if (ops->reserve_did(ops->ctx, unit->iommu.token, (u32)use.did)) {
			*limit = position;
			return -IOMMUSER_EREFUSED;
		}
	}
	return 0;
}

static int take_dids(struct iommuser_restore *restore, const union iommuser_record *unit)
{
	u64 limit = iommuser_graph_count(&restore->graph, use_kind(restore));
	int error = walk_dids(restore, unit, &limit, false);

	if (error)
		walk_dids(restore, unit, &limit, true);
	return error;
}

static void release_dids(struct iommuser_restore *restore, const union iommuser_record *unit)
{
	u64 limit = iommuser_graph_count(&restore->graph, use_kind(restore));

	walk_dids(restore, unit, &limit, true);
}

int iommuser_restore_claim_iommu(struct iommuser_restore *restore, const struct iommuser_unit *unit,
				 struct iommuser_iommu *iommu)
{
	union iommuser_record record;
	u64 position;
	int error;

	if (!restore->valid)
		return -IOMMUSER_EINVAL;
	if (iommuser_graph_find_iommu(&restore->graph, unit->token, &position))
		return -IOMMUSER_ENOENT;
	error = find_unclaimed(restore, IOMMUSER_KIND_IOMMU, position, &record);
	if (error)
		return error;
	if (record.iommu.type != IOMMUSER_IOMMU_TYPE_INTEL ||
	    !same_unit(restore, &record.iommu, unit))
		return -IOMMUSER_EMISMATCH;
	error = take_dids(restore, &record);
	if (error)
		return error;
	error = claim_pages(restore, IOMMUSER_KIND_IOMMU, position, &record);
	if (error)
		release_dids(restore, &record);
	else
		*iommu = record.iommu;
	return error;
}

/* Domains */

int iommuser_restore_claim_domain(struct iommuser_restore *restore, u64 reference,
				  struct iommuser_domain *domain)
{
	union iommuser_record record;
	u64 position;
	int error;

	if (!restore->valid)
		return -IOMMUSER_EINVAL;
	if (iommuser_graph_resolve(&restore->graph, reference, IOMMUSER_KIND_DOMAIN, &position))
		return -IOMMUSER_ENOENT;
	error = find_unclaimed(restore, IOMMUSER_KIND_DOMAIN, position, &record);
	if (error)
		return error;
	if (!record.domain.stage)
		return -IOMMUSER_EMISMATCH;
	error = claim_pages(restore, IOMMUSER_KIND_DOMAIN, position, &record);
	if (!error)
		*domain = record.domain;
	return error;
}

/* Devices */

static bool unit_claimed(const struct iommuser_restore *restore, u64 reference)
{
	u64 position;

	return !iommuser_graph_resolve(&restore->graph, reference, IOMMUSER_KIND_IOMMU,
				       &position) &&
	       iommuser_graph_state(&restore->graph, IOMMUSER_KIND_IOMMU, position) ==
		       IOMMUSER_RESTORED;
}

int iommuser_restore_claim_device(struct iommuser_restore *restore, u64 segment, u64 bdf,
				  struct iommuser_device *device)
{
	union iommuser_record record;
	u64 position;
	int error;

	if (!restore->valid)
		return -IOMMUSER_EINVAL;
	if (iommuser_graph_find_device(&restore->graph, segment, bdf, &position))
		return -IOMMUSER_ENOENT;
	error = find_unclaimed(restore, IOMMUSER_KIND_DEVICE, position, &record);
	if (error)
		return error;
	if (!unit_claimed(restore, record.device.iommu))
		return -IOMMUSER_EBUSY;
	error = claim_pages(restore, IOMMUSER_KIND_DEVICE, position, &record);
	if (!error)
		*device = record.device;
	return error;
}

/* Handing over */

/* May a record go from one state to the other? */
static bool may_advance(enum iommuser_state from, enum iommuser_state to)
{
	if (to == IOMMUSER_ABANDONED)
		return from < IOMMUSER_LEFT;
	return from == (to == IOMMUSER_HANDED_OVER ? IOMMUSER_RESTORED : IOMMUSER_HANDED_OVER);
}

/* Has each device that uses the unit or domain come as far as @state? 1, 0 or an error. */
static int users_reached(const struct iommuser_restore *restore, u64 reference,
			 enum iommuser_state state)
{
	u64 count = iommuser_graph_count(&restore->graph, use_kind(restore));
	struct use use;
	u64 position;
	int error;

	for (position = 0; position < count; position++) {
		error = read_use(restore, position, &use);
		if (error)
			return error;
		if ((use.iommu == reference || use.domain == reference) &&
		    iommuser_graph_state(&restore->graph, IOMMUSER_KIND_DEVICE, use.device) < state)
			return 0;
	}
	return 1;
}

int iommuser_restore_advance(struct iommuser_restore *restore, u32 kind, u64 position,
			     enum iommuser_state state)
{
	union iommuser_record record;
	int error;

	if (!kind || kind > IOMMUSER_KIND_DEVICE || state < IOMMUSER_RESTORED ||
	    state > IOMMUSER_ABANDONED ||
	    (kind == IOMMUSER_KIND_IOMMU && state != IOMMUSER_ABANDONED))
		return -IOMMUSER_EINVAL;
	error = iommuser_restore_read(restore, kind, position, &record);
	if (error)
		return error;
	if (!may_advance(iommuser_graph_state(&restore->graph, kind, position), state))
		return -IOMMUSER_EBUSY;
	if (kind != IOMMUSER_KIND_DEVICE) {
		error = users_reached(restore, record.common.phys,
				      state == IOMMUSER_ABANDONED ? IOMMUSER_LEFT : state);
		if (error < 0)
			return error;
		if (!error)
			return state == IOMMUSER_HANDED_OVER ? -IOMMUSER_ENODEV : -IOMMUSER_EBUSY;
	}
	restore->advanced = true;
	iommuser_graph_set_state(&restore->graph, kind, position, state);
	return 0;
}

/* The end */

/* Is no live record of the kind in a state before @state? */
static bool all_reached(const struct iommuser_restore *restore, u32 kind, enum iommuser_state state)
{
	u64 count = iommuser_graph_count(&restore->graph, kind);
	union iommuser_record record;
	u64 position;
	int error;

	for (position = 0; position < count; position++) {
		error = iommuser_restore_read(restore, kind, position, &record);
		if (error == -IOMMUSER_ENOENT)
			continue;
		if (error || iommuser_graph_state(&restore->graph, kind, position) < state)
			return false;
	}
	return true;
}

static int drop_page(struct iommuser_restore *restore, u64 phys)
{
	const struct iommuser_restore_ops *ops = restore->ops;
	u64 length = env_page_size(restore->env);

	if (ops->restore_page(ops->ctx, phys, length))
		return -IOMMUSER_EREFUSED;
	ops->release_page(ops->ctx, phys, length);
	return 0;
}

int iommuser_restore_finish(struct iommuser_restore *restore)
{
	const struct iommuser_graph *graph = &restore->graph;
	u64 count, position;
	u32 kind;
	int error;

	if (!restore->valid)
		return -IOMMUSER_EINVAL;
	/* A unit that is RESTORED, a domain that is HANDED_OVER, a device that has LEFT. */
	for (kind = IOMMUSER_KIND_IOMMU; kind <= IOMMUSER_KIND_DEVICE; kind++)
		if (!all_reached(restore, kind, IOMMUSER_RESTORED + kind - IOMMUSER_KIND_IOMMU))
			return -IOMMUSER_EBUSY;
	memset(graph->states, IOMMUSER_FINISHED, graph->first_record[IOMMUSER_NR_KINDS + 1]);
	restore->open = false;
	restore->valid = false;
	count = graph->first_page[IOMMUSER_NR_KINDS + 1];
	for (position = 0; position < count; position++) {
		error = drop_page(restore, graph->pages[position].phys);
		if (error)
			return error;
	}
	return drop_page(restore, restore->root.phys & ~(env_page_size(restore->env) - 1));
}

static OWN_FRAME void abort_kind(struct iommuser_restore *restore, u32 kind)
{
	u64 count = iommuser_graph_count(&restore->graph, kind);
	union iommuser_record record;
	u64 position;

	for (position = 0; position < count; position++) {
		if (iommuser_graph_state(&restore->graph, kind, position) != IOMMUSER_RESTORED ||
		    iommuser_restore_read(restore, kind, position, &record))
			continue;
		if (kind == IOMMUSER_KIND_IOMMU)
			release_dids(restore, &record);
		give_back(restore, kind, &record, ~0ULL);
		iommuser_graph_set_state(&restore->graph, kind, position, IOMMUSER_PRESERVED_STATE);
	}
}

void iommuser_restore_abort(struct iommuser_restore *restore)
{
	if (restore->valid && !restore->advanced) {
		abort_kind(restore, IOMMUSER_KIND_DEVICE);
		abort_kind(restore, IOMMUSER_KIND_DOMAIN);
		abort_kind(restore, IOMMUSER_KIND_IOMMU);
	}
	restore->open = false;
	restore->valid = false;
}
