// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The model of a restore. Records are those that the machine gives after its
 * validation; tables are read by hardware.c, sealed pages by independent.c.
 */
#include "restore-model.h"

#include <string.h>

#include "hardware.h"
#include "independent.h"

static bool has_attachments(const struct model *model)
{
	return model->image->revision->properties & IOMMUSER_REVISION_ATTACHMENTS;
}

const union iommuser_record *model_record(const struct model *model, u32 kind, u64 position)
{
	const struct known *known = &model->known[kind];

	return position < known->count && known->live[position] ? &known->records[position] : NULL;
}

enum iommuser_state model_state(const struct model *model, u32 kind, u64 position)
{
	return (enum iommuser_state)model->known[kind].states[position];
}

const union iommuser_record *model_find(const struct model *model, u32 kind, u64 phys)
{
	const union iommuser_record *record;
	u64 i;

	for (i = 0; i < model->known[kind].count; i++) {
		record = model_record(model, kind, i);
		if (record && record->common.phys == phys)
			return record;
	}
	return NULL;
}

static void note_use(struct model *model, u32 kind, u64 position)
{
	const union iommuser_record *record = model_record(model, kind, position);
	struct use *use = &model->uses[model->nr_uses];

	if (model->nr_uses == MODEL_USES || !record)
		return;
	use->pasid = 0;
	use->has_pasid = false;
	use->domain = record->device.domain;
	use->did = (u32)record->device.did;
	if (kind == IOMMUSER_KIND_ATTACHMENT) {
		use->has_pasid = record->attachment.attachment_flags &
				 IOMMUSER_ATTACHMENT_HAS_PASID;
		use->pasid = (u32)record->attachment.pasid;
		use->domain = record->attachment.domain;
		use->did = (u32)record->attachment.did;
		record = model_find(model, IOMMUSER_KIND_DEVICE, record->attachment.device);
		require(record, "attachment %llu of no device", (unsigned long long)position);
	}
	use->device = record->common.index;
	use->unit = record->device.iommu;
	model->nr_uses++;
}

static void learn(struct model *model, u32 kind)
{
	struct known *known = &model->known[kind];
	u64 i;

	known->count = iommuser_restore_count(&model->restore, kind);
	known->live = calloc(known->count + 1, sizeof(*known->live));
	known->states = calloc(known->count + 1, sizeof(*known->states));
	known->records = calloc(known->count + 1, sizeof(*known->records));
	require(known->live && known->states && known->records, "out of memory");
	for (i = 0; i < known->count; i++)
		known->live[i] =
			!iommuser_restore_read(&model->restore, kind, i, &known->records[i]);
	model->nr_records += known->count;
}

void model_learn(struct model *model)
{
	u32 used = has_attachments(model) ? IOMMUSER_KIND_ATTACHMENT : IOMMUSER_KIND_DEVICE;
	u32 kind;
	u64 i;

	model->nr_records = 0;
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		learn(model, kind);
	model->nr_uses = 0;
	for (i = 0; i < model->known[used].count; i++)
		note_use(model, used, i);
}

void model_forget(struct model *model)
{
	u32 kind;

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		free(model->known[kind].live);
		free(model->known[kind].states);
		free(model->known[kind].records);
	}
	memset(model->known, 0, sizeof(model->known));
	if (model->set)
		set_free(model->set);
	model->set = NULL;
	free(model->bytes);
	model->bytes = NULL;
}

static void check_did(const struct host *host, const struct did *did)
{
	u32 i;

	for (i = 0; i < host->nr_dids; i++)
		if (host->dids[i].token == did->token && host->dids[i].did == did->did)
			return;
	require(false, "domain id %u is not reserved", did->did);
}

static void check_states(const struct model *model, u32 kind)
{
	u64 i;

	for (i = 0; i < model->known[kind].count; i++)
		require(iommuser_graph_state(&model->restore.graph, kind, i) ==
				model_state(model, kind, i),
			"record %llu of kind %u is in state %u and not %u", (unsigned long long)i,
			kind, (u32)iommuser_graph_state(&model->restore.graph, kind, i),
			(u32)model_state(model, kind, i));
}

void model_check(struct model *model)
{
	const struct host *host = model->host;
	u32 i;

	for (i = 0; memcmp(host->states, model->frames, sizeof(model->frames)); i++)
		require(host->states[i] == model->frames[i], "frame %u is in state %u and not %u",
			i, host->states[i], model->frames[i]);
	require(host->nr_dids == model->nr_dids, "%u domain ids and not %u", host->nr_dids,
		model->nr_dids);
	for (i = 0; i < model->nr_dids; i++)
		check_did(host, &model->dids[i]);
	for (i = 1; model->valid && i <= MODEL_STATEFUL; i++)
		check_states(model, i);
}

void model_set_frames(struct model *model, const struct pages *pages, enum frame_state state)
{
	u32 i;

	for (i = 0; i < pages->count; i++)
		model->frames[(pages->phys[i] - MEMORY_BASE) / FRAME_SIZE] = (u8)state;
}

void model_turn_frames(struct model *model, enum frame_state from, enum frame_state to)
{
	u32 i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		if (model->frames[i] == from)
			model->frames[i] = (u8)to;
}

/* By the target's own means */

static bool is_scalable(const struct model *model, const struct iommuser_iommu *unit)
{
	const union iommuser_record *record;
	u64 i;

	if (unit->mode)
		return unit->mode == IOMMUSER_IOMMU_MODE_SCALABLE;
	for (i = 0; i < model->known[IOMMUSER_KIND_DEVICE].count; i++) {
		record = model_record(model, IOMMUSER_KIND_DEVICE, i);
		if (record && record->device.iommu == unit->phys)
			return record->device.pasid_directory;
	}
	return false;
}

/* The entry that requests of a device meet, with a PASID or without one. Return: false: none. */
static bool translation_of(const struct model *model, const struct use *use,
			   struct translation *translation)
{
	const union iommuser_record *unit = model_find(model, IOMMUSER_KIND_IOMMU, use->unit);
	const union iommuser_record *device =
		model_record(model, IOMMUSER_KIND_DEVICE, use->device);
	bool scalable = is_scalable(model, &unit->iommu);
	const struct memory *memory = model->host->memory;
	u64 entry;

	entry = context_entry(memory, unit->iommu.root_table, scalable, (u32)device->device.bdf);
	if (!scalable)
		return entry && !use->has_pasid && legacy_translation(memory, entry, translation);
	if ((word_at(memory, entry) & ~0xfffULL) != device->device.pasid_directory)
		return false;
	entry = pasid_entry(memory, device->device.pasid_directory,
			    use->has_pasid ? use->pasid : (u32)device->device.rid_pasid);
	return entry && pasid_translation(memory, entry, translation);
}

static bool is_translated(const struct model *model, const struct use *use)
{
	const union iommuser_record *unit = model_find(model, IOMMUSER_KIND_IOMMU, use->unit);

	return unit && unit->iommu.type == IOMMUSER_IOMMU_TYPE_INTEL;
}

/* A unit walks tables as what its entries call them, whatever a record says. */
static u32 stage_of(const struct model *model, const struct iommuser_domain *domain)
{
	struct translation translation;
	u32 i;

	if (model->level == IOMMUSER_LEVEL_RECORDS || model->unread)
		return (u32)domain->stage;
	for (i = 0; i < model->nr_uses; i++)
		if (model->uses[i].domain == domain->phys &&
		    is_translated(model, &model->uses[i]) &&
		    translation_of(model, &model->uses[i], &translation))
			return translation.stage;
	return (u32)domain->stage;
}

static bool list_record(const struct model *model, u32 kind, const union iommuser_record *record,
			struct pages *pages)
{
	const struct memory *memory = model->host->memory;
	struct stage stage;

	if (kind == IOMMUSER_KIND_IOMMU)
		return list_unit(memory, record->iommu.root_table,
				 is_scalable(model, &record->iommu), pages);
	if (kind == IOMMUSER_KIND_DOMAIN) {
		stage = (struct stage){ stage_of(model, &record->domain), record->domain.top_table,
					(u32)record->domain.top_level };
		return list_domain(memory, &stage, pages);
	}
	return list_device(memory, record->device.pasid_directory, record->device.pasid_entries,
			   pages);
}

static void note_frames(struct pages *pages, u64 phys, u64 length)
{
	u64 at;

	for (at = phys & ~(length - 1); at < (phys & ~(length - 1)) + length; at += FRAME_SIZE)
		if (pages->count < MEMORY_FRAMES)
			pages->phys[pages->count++] = at;
}

void model_list_record_pages(const struct model *model, struct pages *pages)
{
	const struct iommuser_revision *revision = model->image->revision;
	const struct memory *memory = model->host->memory;
	u64 size = 1ULL << memory->env.page_shift;
	u32 kind, hops;
	u64 page;

	pages->count = 0;
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		if (!revision->kinds[kind].size)
			continue;
		page = word_at(memory, model->image->root + revision->arrays_offset +
					       (kind - 1) * revision->array_stride);
		for (hops = 0; page && hops < MEMORY_FRAMES; hops++) {
			note_frames(pages, page, size);
			page = word_at(memory, page);
		}
	}
	note_frames(pages, model->image->root, size);
}

/* No page has two uses, and each is preserved. */
static void claim_for_one(const struct model *model, const struct pages *pages, u8 *used)
{
	u32 i;

	for (i = 0; i < pages->count; i++) {
		require(host_state(model->host, pages->phys[i]) == FRAME_INCOMING,
			"%#llx is not preserved", (unsigned long long)pages->phys[i]);
		require(!used[(pages->phys[i] - MEMORY_BASE) / FRAME_SIZE]++, "%#llx has two uses",
			(unsigned long long)pages->phys[i]);
	}
}

/* A device goes with its unit. */
static bool is_restorable(const struct model *model, u32 kind, const union iommuser_record *record)
{
	if (kind == IOMMUSER_KIND_DOMAIN)
		return record->domain.stage;
	if (kind == IOMMUSER_KIND_DEVICE)
		record = model_find(model, IOMMUSER_KIND_IOMMU, record->device.iommu);
	return record && record->iommu.type == IOMMUSER_IOMMU_TYPE_INTEL;
}

static void check_pages(const struct model *model)
{
	u8 used[MEMORY_FRAMES] = { 0 };
	const union iommuser_record *record;
	struct pages pages;
	u32 kind;
	u64 i;

	model_list_record_pages(model, &pages);
	claim_for_one(model, &pages, used);
	for (kind = 1; kind <= MODEL_STATEFUL; kind++)
		for (i = 0; i < model->known[kind].count; i++) {
			record = model_record(model, kind, i);
			if (!record || !is_restorable(model, kind, record))
				continue;
			require(list_record(model, kind, record, &pages),
				"record %llu of kind %u has no sound tables", (unsigned long long)i,
				kind);
			claim_for_one(model, &pages, used);
		}
}

/* The hardware's tables lead each device to the domain of its record. */
static void check_translation(const struct model *model, const struct use *use)
{
	const union iommuser_record *unit = model_find(model, IOMMUSER_KIND_IOMMU, use->unit);
	const union iommuser_record *domain = model_find(model, IOMMUSER_KIND_DOMAIN, use->domain);
	const union iommuser_record *device =
		model_record(model, IOMMUSER_KIND_DEVICE, use->device);
	struct translation translation;

	require(unit && domain && device, "device %llu", (unsigned long long)use->device);
	if (!is_translated(model, use))
		return;
	require(translation_of(model, use, &translation) &&
			translation.top_table == domain->domain.top_table &&
			translation.stage == domain->domain.stage &&
			translation.levels == domain->domain.top_level + 1 &&
			translation.did == use->did,
		"device %llu is not led to its domain", (unsigned long long)use->device);
	require(!use->has_pasid || use->pasid != device->device.rid_pasid,
		"device %llu: PASID %u is that of requests without one",
		(unsigned long long)use->device, use->pasid);
}

/* The upper halves of the root entries mean nothing but in scalable mode. */
static void check_root_entries(const struct model *model, const struct iommuser_iommu *unit)
{
	u64 at;

	if (unit->type != IOMMUSER_IOMMU_TYPE_INTEL || is_scalable(model, unit))
		return;
	for (at = unit->root_table + 8; at < unit->root_table + FRAME_SIZE; at += 16)
		require(!word_at(model->host->memory, at), "root entry at %#llx",
			(unsigned long long)at);
}

static void check_hardware(const struct model *model)
{
	const union iommuser_record *unit;
	u64 position;
	u32 i;

	for (i = 0; i < model->nr_uses; i++)
		check_translation(model, &model->uses[i]);
	for (position = 0; position < model->known[IOMMUSER_KIND_IOMMU].count; position++) {
		unit = model_record(model, IOMMUSER_KIND_IOMMU, position);
		if (unit)
			check_root_entries(model, &unit->iommu);
	}
}

/* That of its record, or where records do not say it, of its first device. */
static u64 segment_of(const struct model *model, const struct iommuser_iommu *unit)
{
	const union iommuser_record *record;
	u64 i;

	if (iommuser_revision_has(model->image->revision, IOMMUSER_KIND_IOMMU,
				  IOMMUSER_FIELD_SEGMENT))
		return unit->segment;
	for (i = 0; i < model->known[IOMMUSER_KIND_DEVICE].count; i++) {
		record = model_record(model, IOMMUSER_KIND_DEVICE, i);
		if (record && record->device.iommu == unit->phys)
			return record->device.segment;
	}
	return 0;
}

static void check_segments(const struct model *model)
{
	const union iommuser_record *device, *unit;
	u64 i;

	for (i = 0; i < model->known[IOMMUSER_KIND_DEVICE].count; i++) {
		device = model_record(model, IOMMUSER_KIND_DEVICE, i);
		if (!device)
			continue;
		unit = model_find(model, IOMMUSER_KIND_IOMMU, device->device.iommu);
		require(unit && segment_of(model, &unit->iommu) == device->device.segment,
			"device %llu is in another segment", (unsigned long long)i);
	}
}

static const uint8_t *page_of(void *ctx, uint64_t address, uint64_t length)
{
	(void)length;
	return memory_page(ctx, address);
}

/* Sealed pages that are accepted are so by the independent reader as well. */
static void check_seals(const struct model *model)
{
	struct independent reader = { .page = page_of,
				      .ctx = model->host->memory,
				      .page_size = 1ULL << model->host->env.page_shift,
				      .root = model->image->root };

	require(independent_read(&reader), "%s at %#llx",
		reader.refused ? reader.refused : "refused", (unsigned long long)reader.where);
	independent_end(&reader);
}

void model_check_accepted(const struct model *model)
{
	if (model->image->revision->properties & IOMMUSER_REVISION_SEALED)
		check_seals(model);
	check_segments(model);
	if (model->level == IOMMUSER_LEVEL_RECORDS)
		return;
	check_hardware(model);
	if (model->host->strict)
		check_pages(model);
}

/* What a claim takes */

static void expect_dids(struct model *model, const struct iommuser_iommu *unit)
{
	u32 i, k;

	for (i = 0; i < model->nr_uses; i++) {
		if (model->uses[i].unit != unit->phys)
			continue;
		for (k = 0; k < model->nr_dids; k++)
			if (model->dids[k].token == unit->token &&
			    model->dids[k].did == model->uses[i].did)
				break;
		require(model->uses[i].did >= (unit->first_did ? unit->first_did : 2) &&
				model->uses[i].did < (unit->did_limit ? unit->did_limit : 65536),
			"domain id %u", model->uses[i].did);
		require(model->nr_dids < HOST_MAX_DIDS, "too many domain ids");
		if (k == model->nr_dids)
			model->dids[model->nr_dids++] =
				(struct did){ unit->token, model->uses[i].did };
	}
}

void model_take(struct model *model, u32 kind, const union iommuser_record *record)
{
	const struct host *host = model->host;
	struct pages pages;

	require(list_record(model, kind, record, &pages), "kind %u is claimed", kind);
	require(pages.count == host->taken.count && !host->released &&
			!memcmp(pages.phys, host->taken.phys, pages.count * sizeof(*pages.phys)),
		"kind %u: %u pages and not %u, or others", kind, host->taken.count, pages.count);
	model_set_frames(model, &pages, FRAME_RESTORED);
	if (kind == IOMMUSER_KIND_IOMMU)
		expect_dids(model, &record->iommu);
}
