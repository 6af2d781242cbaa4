// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: root, survey, records, seals and every look-up of the graph.
 * Checks S1 S2 S3 S4 S5 S6 S9 S17.
 *
 * Input: page size u8, revision u8, options u8 (bit 0: with a page set, in which
 * all that is there is preserved, bit 1: seal the pages first, bit 2: what the
 * probes change, they change before the graph is built), refuse u16 (which call
 * of map() fails once the graph is being built, 0: none), root u32 (from
 * MEMORY_BASE), probes u8 and for each what u8, kind u8, value u64; memory.
 *
 * Properties: the survey counts what a plain walk counts; each look-up finds
 * what a search through all records finds; decoding gives what the rows say,
 * and encoding that gives the same bytes; in a sealed page every changed byte is
 * noticed. When memory fails or changes meanwhile, each call still gives a
 * documented error, and nothing is touched that must not be.
 */
#include "fuzz.h"

#include <string.h>

#include <iommuser/graph.h>
#include <iommuser/seal.h>

#define MAX_PLACES 256
#define MAX_PROBES 32
#define MAX_RECORD 256

struct probe {
	u32 what;
	u32 kind;
	u64 value;
};

/* One record, as the plain walk met it. */
struct place {
	u64 phys;
	u64 position;
	u32 kind;
	const u8 *bytes;
	union iommuser_record record;
};

struct scene {
	struct memory *memory;
	const struct iommuser_revision *revision;
	struct iommuser_pageset *set;
	u64 root_phys;
	u32 options;
	u32 refuse;
	struct account account;
	struct iommuser_root root;
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	struct probe probes[MAX_PROBES];
	u32 nr_probes;
	/* Of the plain walk: */
	bool used[MEMORY_FRAMES];
	bool met_again; /* some page is in two chains, or twice in one */
	struct place places[MAX_PLACES];
	u64 nr_places;
	u64 nr_records;
};

static struct scene the_scene;

#define WITH_SET 1
#define SEAL_FIRST 2
#define CHANGE_EARLY 4

static u64 load(const u8 *at, u32 width)
{
	u64 value = 0;

	while (width--)
		value = value << 8 | at[width];
	return value;
}

/* Records are zeroed before they are filled, so that nothing is left open between their members. */
static bool same_bytes(const void *ours, const void *theirs, size_t size)
{
	return !memcmp(ours, theirs, size);
}

static bool sealed(const struct scene *scene)
{
	return scene->revision->properties & IOMMUSER_REVISION_SEALED;
}

static u64 page_size(const struct scene *scene)
{
	return 1ULL << scene->memory->env.page_shift;
}

static u64 frame_of(u64 phys)
{
	return (phys - MEMORY_BASE) / FRAME_SIZE;
}

/* A field by its rows: those of @variant, and those that all variants have. */
static bool in_variant(const struct iommuser_field_row *row, u64 variant)
{
	return !row->variant || row->variant == variant;
}

static u64 variant_of(const struct scene *scene, u32 kind, const u8 *bytes)
{
	const struct iommuser_record_layout *layout = &scene->revision->kinds[kind];
	u32 i;

	for (i = 0; i < layout->nr_rows && kind == IOMMUSER_KIND_IOMMU; i++)
		if (layout->rows[i].field == IOMMUSER_FIELD_TYPE)
			return load(bytes + layout->rows[i].wire, layout->rows[i].width);
	return IOMMUSER_IOMMU_TYPE_INTEL;
}

static bool deleted(const struct scene *scene, u32 kind, const u8 *bytes)
{
	const struct iommuser_record_layout *layout = &scene->revision->kinds[kind];
	u32 i;

	for (i = 0; layout->rows[i].field != IOMMUSER_FIELD_FLAGS; i++)
		;
	return bytes[layout->rows[i].wire] & IOMMUSER_FLAG_DELETED;
}

static void take_place(struct scene *scene, u32 kind, u64 position, u64 phys, const u8 *bytes)
{
	struct place *place;

	scene->nr_records++;
	if (scene->nr_places == MAX_PLACES)
		return;
	place = &scene->places[scene->nr_places++];
	place->phys = phys;
	place->position = position;
	place->kind = kind;
	place->bytes = bytes;
}

static u32 stated_size(const struct scene *scene, u32 kind)
{
	u32 known = scene->revision->kinds[kind].size, size;
	const u8 *page = memory_page(scene->memory, scene->root.arrays[kind].first_page);

	if (!sealed(scene) || !page)
		return known;
	size = (u32)load(page + offsetof(struct iommuser_page_ser, record_size), 4);
	if (size < known || size % 8 || size > page_size(scene) - sizeof(struct iommuser_page_ser))
		return known;
	return size;
}

/* Return: whether the chain goes on. */
static bool walk_page(struct scene *scene, u32 kind, struct iommuser_chain_survey *survey, u64 at,
		      u64 *next)
{
	u64 header = scene->revision->page_header_size;
	u64 capacity = (page_size(scene) - header) / survey->record_size;
	const u8 *page = memory_page(scene->memory, at);
	u64 count, i;

	survey->broken = true;
	if (!page)
		return false;
	*next = load(page, 8);
	count = load(page + 8, 8);
	if (count > capacity || (!count && (sealed(scene) || survey->nr_pages || *next)))
		return false;
	if (scene->used[frame_of(at)]) {
		scene->met_again = true;
		return false;
	}
	for (i = 0; i < page_size(scene); i += FRAME_SIZE)
		scene->used[frame_of(at + i)] = true;
	survey->broken = false;
	survey->irregular |= *next && count != capacity;
	survey->nr_pages++;
	for (i = 0; i < count; i++) {
		const u8 *bytes = page + header + i * survey->record_size;

		survey->nr_live += !deleted(scene, kind, bytes);
		take_place(scene, kind, survey->nr_records++, at + header + i * survey->record_size,
			   bytes);
	}
	return true;
}

static void walk_kind(struct scene *scene, u32 kind, struct iommuser_chain_survey *survey)
{
	u64 at = scene->root.arrays[kind].first_page;

	survey->record_size = stated_size(scene, kind);
	survey->broken = !at && (!sealed(scene) || scene->root.arrays[kind].nr_records);
	while (at && walk_page(scene, kind, survey, at, &at))
		;
}

/* The survey against a plain walk. Without a set, pages may be met again: not compared then. */
static void check_survey(struct scene *scene)
{
	struct iommuser_survey mine = { 0 };
	u64 page = scene->root_phys & ~(page_size(scene) - 1);
	u64 at;
	u32 kind;

	for (at = page; at < page + page_size(scene); at += FRAME_SIZE)
		scene->used[frame_of(at)] = true;
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		if (scene->revision->kinds[kind].size)
			walk_kind(scene, kind, &mine.kinds[kind]);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		const struct iommuser_chain_survey *ours = &mine.kinds[kind];
		const struct iommuser_chain_survey *theirs = &scene->survey.kinds[kind];

		if (!scene->set && scene->met_again)
			continue;
		require(ours->nr_pages == theirs->nr_pages &&
				ours->nr_records == theirs->nr_records &&
				ours->nr_live == theirs->nr_live &&
				ours->record_size == theirs->record_size &&
				ours->broken == theirs->broken &&
				ours->irregular == theirs->irregular,
			"kind %u: %llu and %llu records", kind,
			(unsigned long long)ours->nr_records,
			(unsigned long long)theirs->nr_records);
	}
}

/* Every member is that of its row, and every other one 0. */
static void check_decoded(const struct iommuser_record_layout *layout, u64 variant,
			  const struct place *place, const union iommuser_record *record)
{
	union iommuser_record mine;
	const struct iommuser_field_row *row;
	u64 value;
	u32 i;

	memset(&mine, 0, sizeof(mine));
	mine.common.phys = place->phys;
	for (row = layout->rows; row < layout->rows + layout->nr_rows; row++)
		for (i = 0; in_variant(row, variant) && i < row->width; i += 8) {
			value = load(place->bytes + row->wire + i, row->width < 8 ? row->width : 8);
			memcpy((u8 *)&mine + row->memory + i, &value, sizeof(value));
		}
	require(same_bytes(&mine, record, sizeof(mine)), "%#llx", (unsigned long long)place->phys);
}

/* Where the first byte is that no row of the variant covers, and that is not zero. */
static bool plain_reserved_is_zero(const struct iommuser_record_layout *layout, u64 variant,
				   const u8 *bytes, u64 *first)
{
	bool covered[MAX_RECORD] = { false };
	u32 i;
	u64 at;

	for (i = 0; i < layout->nr_rows; i++)
		if (in_variant(&layout->rows[i], variant))
			memset(covered + layout->rows[i].wire, 1, layout->rows[i].width);
	for (at = 0; at < layout->size; at++)
		if (!covered[at] && bytes[at])
			break;
	*first = at;
	return at == layout->size;
}

static bool has_variants(const struct iommuser_record_layout *layout)
{
	u32 i;

	for (i = 0; i < layout->nr_rows; i++)
		if (layout->rows[i].variant)
			return true;
	return false;
}

static void check_encoding(const struct scene *scene, const struct place *place)
{
	const struct iommuser_record_layout *layout = &scene->revision->kinds[place->kind];
	u64 variant = variant_of(scene, place->kind, place->bytes);
	union iommuser_record record, again;
	u8 bytes[MAX_RECORD] = { 0 };
	u64 first, offset = ~0ULL;
	bool zero;

	memset(&record, 0, sizeof(record));
	iommuser_decode(scene->revision, place->kind, variant, place->bytes, place->phys, &record);
	check_decoded(layout, variant, place, &record);
	zero = plain_reserved_is_zero(layout, variant, place->bytes, &first);
	require(zero == iommuser_reserved_is_zero(scene->revision, place->kind, variant,
						  place->bytes, &offset),
		"%#llx", (unsigned long long)place->phys);
	require(zero ? offset == ~0ULL : offset <= first, "%#llx", (unsigned long long)place->phys);
	require(zero == iommuser_reserved_is_zero(scene->revision, place->kind, variant,
						  place->bytes, NULL),
		"%#llx", (unsigned long long)place->phys);
	/* Layouts with variants are read only: their encodings lie over one another. */
	if (has_variants(layout))
		return;
	iommuser_encode(scene->revision, place->kind, &record, bytes);
	require(!zero || !memcmp(bytes, place->bytes, layout->size), "%#llx",
		(unsigned long long)place->phys);
	memset(&again, 0, sizeof(again));
	iommuser_decode(scene->revision, place->kind, variant, bytes, place->phys, &again);
	require(same_bytes(&record, &again, sizeof(record)), "%#llx",
		(unsigned long long)place->phys);
}

/* By position. */
static void check_reading(struct scene *scene, struct place *place)
{
	const struct iommuser_graph *graph = &scene->graph;
	const void *bytes;
	u64 phys;

	require(!iommuser_graph_bytes(graph, place->kind, place->position, &bytes, &phys) &&
			phys == place->phys &&
			!memcmp(bytes, place->bytes, scene->revision->kinds[place->kind].size),
		"%#llx", (unsigned long long)place->phys);
	require(!iommuser_graph_read(graph, place->kind, place->position, &place->record) &&
			place->record.common.phys == place->phys,
		"%#llx", (unsigned long long)place->phys);
	require(iommuser_graph_state(graph, place->kind, place->position) ==
			IOMMUSER_PRESERVED_STATE,
		"%#llx", (unsigned long long)place->phys);
	require(memory_page(scene->memory, place->phys & ~(page_size(scene) - 1)), "%#llx",
		(unsigned long long)place->phys);
}

/* The record that a reference leads to, by a search. */
static const struct place *plain_resolve(const struct scene *scene, u64 phys, u32 kind)
{
	u64 i;

	for (i = 0; i < scene->nr_places; i++)
		if (scene->places[i].phys == phys && scene->places[i].kind == kind)
			return &scene->places[i];
	return NULL;
}

static void check_resolve(const struct scene *scene, u64 phys, u32 kind)
{
	const struct place *place = plain_resolve(scene, phys, kind);
	u64 position;
	int error = iommuser_graph_resolve(&scene->graph, phys, kind, &position);

	require(place ? !error && position == place->position : error == -IOMMUSER_ENOENT, "%#llx",
		(unsigned long long)phys);
}

static bool live(const struct place *place, u32 kind)
{
	return place->kind == kind && !(place->record.common.flags & IOMMUSER_FLAG_DELETED);
}

static bool stale(const struct scene *scene, const struct place *place)
{
	const struct place *domain;

	if (!(scene->revision->properties & IOMMUSER_REVISION_STALE_DEVICES))
		return false;
	domain = plain_resolve(scene, place->record.device.domain, IOMMUSER_KIND_DOMAIN);
	return domain && domain->record.common.flags & IOMMUSER_FLAG_DELETED;
}

static void expect(const struct place *place, int error, u64 position, const char *what)
{
	require(place ? !error && position == place->position : error == -IOMMUSER_ENOENT,
		"%s: %d, %llu", what, error, (unsigned long long)position);
}

static void check_token(const struct scene *scene, u64 token)
{
	const struct place *found = NULL;
	u64 i, position = 0;
	int error = iommuser_graph_find_iommu(&scene->graph, token, &position);

	for (i = 0; i < scene->nr_places && !found; i++)
		if (live(&scene->places[i], IOMMUSER_KIND_IOMMU) &&
		    scene->places[i].record.iommu.token == token)
			found = &scene->places[i];
	expect(found, error, position, "token");
}

static void check_requester(const struct scene *scene, u64 segment, u64 bdf)
{
	const struct place *device = NULL, *alias = NULL;
	bool possible = segment <= 0xffff && bdf <= 0xffff;
	u64 i, position = 0;
	int error;

	for (i = 0; i < scene->nr_places && possible; i++) {
		const struct place *place = &scene->places[i];

		if (!device && live(place, IOMMUSER_KIND_DEVICE) &&
		    place->record.device.segment == segment && place->record.device.bdf == bdf &&
		    !stale(scene, place))
			device = place;
		if (!alias && live(place, IOMMUSER_KIND_ALIAS) &&
		    place->record.alias.segment == segment && place->record.alias.bdf == bdf)
			alias = place;
	}
	error = iommuser_graph_find_device(&scene->graph, segment, bdf, &position);
	expect(device, error, position, "device");
	error = iommuser_graph_find_alias(&scene->graph, segment, bdf, &position);
	expect(alias, error, position, "alias");
}

static const struct place *plain_attachment(const struct scene *scene, u64 device, bool has_pasid,
					    u64 pasid)
{
	const struct place *place, *of;
	u64 i;

	for (i = 0; i < scene->nr_places && pasid < 1 << 20; i++) {
		place = &scene->places[i];
		if (!live(place, IOMMUSER_KIND_ATTACHMENT) ||
		    place->record.attachment.pasid != pasid ||
		    (place->record.attachment.attachment_flags & 1) != has_pasid)
			continue;
		of = plain_resolve(scene, place->record.attachment.device, IOMMUSER_KIND_DEVICE);
		if (of && of->position == device)
			return place;
	}
	return NULL;
}

static void check_attachment(const struct scene *scene, u64 device, bool has_pasid, u64 pasid)
{
	u64 position = 0;
	int error =
		iommuser_graph_find_attachment(&scene->graph, device, has_pasid, pasid, &position);

	expect(plain_attachment(scene, device, has_pasid, pasid), error, position, "attachment");
}

static void check_device(const struct scene *scene, const struct place *place)
{
	const struct iommuser_device *device = &place->record.device;
	u64 domain = 0, did = 0;
	int error =
		iommuser_graph_device_domain(&scene->graph, place->position, device, &domain, &did);

	require(iommuser_graph_device_stale(&scene->graph, device) ==
			(stale(scene, place) ? -IOMMUSER_ENOENT : 0),
		"%#llx", (unsigned long long)place->phys);
	if (scene->revision->properties & IOMMUSER_REVISION_ATTACHMENTS) {
		place = plain_attachment(scene, place->position, false, 0);
		require(place ? !error && domain == place->record.attachment.domain &&
					did == place->record.attachment.did :
				error == -IOMMUSER_ENOENT,
			"%d", error);
	} else {
		require(!error && domain == device->domain && did == device->did, "%d", error);
	}
}

static void check_place(const struct scene *scene, const struct place *place)
{
	const union iommuser_record *record = &place->record;

	check_encoding(scene, place);
	check_resolve(scene, place->phys, place->kind);
	check_resolve(scene, place->phys + 1, place->kind);
	check_resolve(scene, place->phys, place->kind % IOMMUSER_NR_KINDS + 1);
	switch (place->kind) {
	case IOMMUSER_KIND_IOMMU:
		check_token(scene, record->iommu.token);
		break;
	case IOMMUSER_KIND_DEVICE:
		check_requester(scene, record->device.segment, record->device.bdf);
		check_device(scene, place);
		break;
	case IOMMUSER_KIND_ALIAS:
		check_requester(scene, record->alias.segment, record->alias.bdf);
		break;
	case IOMMUSER_KIND_ATTACHMENT:
		check_attachment(scene, place->position, record->attachment.attachment_flags & 1,
				 record->attachment.pasid);
		break;
	default:
		break;
	}
}

static void check_probe(const struct scene *scene, const struct probe *probe)
{
	union iommuser_record record;
	const void *bytes;
	u64 phys;

	switch (probe->what % 6) {
	case 0:
		check_resolve(scene, probe->value, probe->kind);
		break;
	case 1:
		check_token(scene, probe->value);
		break;
	case 2:
		check_requester(scene, probe->value >> 32, (u32)probe->value);
		break;
	case 3:
		check_attachment(scene, probe->value >> 32 & 0x7fffffff, probe->kind & 1,
				 (u32)probe->value);
		break;
	case 4:
		if (!probe->kind || probe->kind > IOMMUSER_NR_KINDS ||
		    probe->value >= iommuser_graph_count(&scene->graph, probe->kind))
			require(iommuser_graph_read(&scene->graph, probe->kind, probe->value,
						    &record) == -IOMMUSER_ENOENT &&
					iommuser_graph_bytes(&scene->graph, probe->kind,
							     probe->value, &bytes,
							     &phys) == -IOMMUSER_ENOENT,
				"kind %u", probe->kind);
		break;
	default:
		break;
	}
}

/* Everything as it is found, against searches. */
static void check_graph(struct scene *scene)
{
	u64 i;
	u32 kind;

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		require(iommuser_graph_count(&scene->graph, kind) ==
				scene->survey.kinds[kind].nr_records,
			"kind %u", kind);
	/* Pages in several chains, and very many records, are left to the target "verify". */
	if (scene->met_again || scene->nr_records > MAX_PLACES)
		return;
	for (i = 0; i < scene->nr_places; i++)
		check_reading(scene, &scene->places[i]);
	for (i = 0; i < scene->nr_places; i++)
		check_place(scene, &scene->places[i]);
	for (i = 0; i < scene->nr_probes; i++)
		check_probe(scene, &scene->probes[i]);
}

static bool documented(int error)
{
	return !error || error == -IOMMUSER_ENOENT || error == -IOMMUSER_EUNMAPPED;
}

/* Memory has changed, or fails: whatever is found, no call does anything that it must not. */
static void use_graph(struct scene *scene)
{
	union iommuser_record record;
	u64 position, other, did;
	u32 kind;

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		for (position = 0;
		     position < iommuser_graph_count(&scene->graph, kind) && position < MAX_PLACES;
		     position++) {
			int error = iommuser_graph_read(&scene->graph, kind, position, &record);

			require(documented(error) && error != -IOMMUSER_ENOENT, "%d", error);
			if (error || kind != IOMMUSER_KIND_DEVICE)
				continue;
			error = iommuser_graph_device_stale(&scene->graph, &record.device);
			require(documented(error), "%d", error);
			error = iommuser_graph_device_domain(&scene->graph, position,
							     &record.device, &other, &did);
			require(documented(error), "%d", error);
		}
}

static void change_memory(struct scene *scene)
{
	u32 i;

	for (i = 0; i < scene->nr_probes; i++) {
		const struct probe *probe = &scene->probes[i];
		u64 at = probe->value % MEMORY_SIZE;

		if (probe->what % 6 == 5 && scene->memory->present[at / FRAME_SIZE])
			scene->memory->bytes[at] ^= (u8)probe->kind;
	}
}

static void check_build(struct scene *scene)
{
	u64 size = iommuser_graph_size(&scene->root, &scene->survey);
	void *bytes = calloc(1, size);
	u64 seed = scene->probes[0].value;
	int error;

	require(size && bytes, "out of memory");
	require(iommuser_graph_build(&scene->graph, &scene->memory->env, &scene->root,
				     &scene->survey, seed, NULL, size) == -IOMMUSER_EINVAL &&
			iommuser_graph_build(&scene->graph, &scene->memory->env, &scene->root,
					     &scene->survey, seed, (u8 *)bytes + 4,
					     size) == -IOMMUSER_EINVAL &&
			iommuser_graph_build(&scene->graph, &scene->memory->env, &scene->root,
					     &scene->survey, seed, bytes,
					     size - 1) == -IOMMUSER_ENOSPC,
		"bad memory");
	memory_restart(scene->memory, 0);
	scene->memory->refuse_at = scene->refuse;
	if (scene->options & CHANGE_EARLY)
		change_memory(scene);
	error = iommuser_graph_build(&scene->graph, &scene->memory->env, &scene->root,
				     &scene->survey, seed, bytes, size);
	if (scene->refuse || scene->options & CHANGE_EARLY) {
		require(!error || error == -IOMMUSER_EUNMAPPED || error == -IOMMUSER_ECORRUPT, "%d",
			error);
	} else {
		require(!error, "%d", error);
		check_graph(scene);
		change_memory(scene);
	}
	if (!error)
		use_graph(scene);
	free(bytes);
}

static bool open_and_survey(struct scene *scene)
{
	int error;

	account_begin(&scene->account);
	memory_restart(scene->memory, 0);
	error = iommuser_root_open(&scene->memory->env, scene->revision, scene->root_phys,
				   scene->set, &scene->account.reporter, &scene->root);
	require(!error || error == -IOMMUSER_EUNMAPPED || error == -IOMMUSER_ECORRUPT ||
			error == -IOMMUSER_EUNKNOWN,
		"%d", error);
	require(!error || scene->account.count, "an error without a finding");
	require(scene->memory->calls <= 1, "%llu", (unsigned long long)scene->memory->calls);
	if (error)
		return false;
	require(!iommuser_survey_root(&scene->memory->env, &scene->root, scene->set,
				      &scene->account.reporter, &scene->survey),
		"no survey");
	return true;
}

/* S9: each page of a sound handover, with one byte changed. */
static void check_changes(struct scene *scene)
{
	u64 page, at;
	u32 i;

	for (i = 0; i < scene->nr_probes && i < 4; i++) {
		page = scene->root_phys;
		if (scene->nr_places)
			page = scene->places[scene->probes[i].kind % scene->nr_places].phys &
			       ~(page_size(scene) - 1);
		at = page - MEMORY_BASE + scene->probes[i].value % page_size(scene);
		scene->memory->bytes[at] ^= (u8)(scene->probes[i].what | 1);
		require(!open_and_survey(scene) || scene->account.severe[IOMMUSER_ERROR], "%#llx",
			(unsigned long long)(MEMORY_BASE + at));
		scene->memory->bytes[at] ^= (u8)(scene->probes[i].what | 1);
	}
}

static void check_seals(const struct scene *scene)
{
	u32 offset = offsetof(struct iommuser_page_ser, crc);
	u64 size = page_size(scene);
	u8 *copy = malloc(size);
	u64 i;

	require(copy, "out of memory");
	for (i = 0; i < scene->nr_places; i += 16) {
		const u8 *page = memory_page(scene->memory, scene->places[i].phys & ~(size - 1));
		u32 computed = iommuser_seal_compute(&scene->memory->env, page, offset);

		memcpy(copy, page, size);
		iommuser_seal_write(&scene->memory->env, copy, offset);
		require(iommuser_seal_read(copy, offset) == computed, "%#x", computed);
		require(iommuser_seal_compute(&scene->memory->env, copy, offset) == computed, "%#x",
			computed);
		memset(copy + offset, 0, 4);
		require(scene->memory->env.crc32(NULL, 0, copy, size) == computed, "%#x", computed);
	}
	free(copy);
}

static void check(struct scene *scene)
{
	u64 sum, calls;

	if (!open_and_survey(scene))
		return;
	sum = scene->account.sum;
	calls = scene->memory->calls;
	check_survey(scene);
	if (!scene->set) {
		require(open_and_survey(scene) && scene->account.sum == sum &&
				scene->memory->calls == calls,
			"not the same twice");
		if (sealed(scene) && !scene->account.count)
			check_changes(scene);
		open_and_survey(scene);
	}
	if (sealed(scene))
		check_seals(scene);
	check_build(scene);
}

static void check_revisions(const struct scene *scene)
{
	const struct iommuser_revision *revision = scene->revision;
	u32 kind, field, i;

	require(iommuser_revision_by_name(revision->name) == revision, "%s", revision->name);
	require(!iommuser_revision_by_name("") && !iommuser_revision_by_name("iommuser-v"),
		"a prefix");
	for (kind = 0; kind <= IOMMUSER_NR_KINDS + 1; kind++)
		for (field = 0; field < IOMMUSER_NR_FIELDS; field++) {
			bool has = false;

			for (i = 0;
			     kind && kind <= IOMMUSER_NR_KINDS && i < revision->kinds[kind].nr_rows;
			     i++)
				has |= revision->kinds[kind].rows[i].field == field;
			require(iommuser_revision_has(revision, kind, field) == has, "%u of %u",
				field, kind);
		}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	struct scene *scene = &the_scene;
	u8 bitmap[MEMORY_FRAMES / 8] = { 0 };
	u64 nr_probes, i;

	memset(scene, 0, offsetof(struct scene, places));
	scene->nr_places = 0;
	scene->nr_records = 0;
	scene->memory = memory_begin((u32)input_take(&input, 1));
	scene->revision = input_take_revision(&input);
	scene->options = (u32)input_take(&input, 1);
	scene->refuse = (u32)input_take(&input, 2);
	scene->root_phys = MEMORY_BASE + input_take(&input, 4);
	nr_probes = input_take(&input, 1);
	for (i = 0; i < nr_probes; i++) {
		struct probe probe = { .what = (u32)input_take(&input, 1) };

		probe.kind = (u32)input_take(&input, 1);
		probe.value = input_take(&input, 8);
		if (scene->nr_probes < MAX_PROBES)
			scene->probes[scene->nr_probes++] = probe;
	}
	memory_write(scene->memory, &input);
	if (scene->options & SEAL_FIRST)
		memory_seal(scene->memory, scene->root_phys);
	if (scene->options & WITH_SET) {
		scene->set = set_new();
		set_differing(scene->memory, bitmap);
		set_fill(scene->set, bitmap);
	}
	check_revisions(scene);
	check(scene);
	if (scene->set)
		set_free(scene->set);
	memory_end(scene->memory);
	return 0;
}
