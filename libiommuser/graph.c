// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The graph: one pass over all arrays, and constant-time look-ups after it.
 */
#include <iommuser/graph.h>

#include "graph-private.h"
#include "index.h"
#include "internal.h"

#define QUEUE_LENGTH 8
/* Indexing a record maps at most three others. */
#define REMAP_INTERVAL (IOMMUSER_MAP_HELD / 4)

/* Hands out parts of the caller's memory; with no memory it only counts. */
struct arena {
	u8 *memory;
	u64 used;
};

static void *take(struct arena *arena, u64 bytes)
{
	u64 at = arena->used;

	arena->used += (bytes + 7) & ~7ULL;
	return arena->memory ? arena->memory + at : NULL;
}

static void take_index(struct arena *arena, struct iommuser_index *index, u64 count, u64 seed)
{
	u64 entries = index_entries(count);

	index->keys = take(arena, index_bytes(entries));
	index->mask = entries - 1;
	index->seed = seed;
}

static u64 surveyed(const struct iommuser_survey *survey, u32 kind)
{
	return survey->kinds[kind].nr_records;
}

/* Lay out all arrays and tables; the same for counting and for building. */
static void lay_out(struct iommuser_graph *graph, const struct iommuser_survey *survey, u64 seed,
		    struct arena *arena)
{
	u64 attached =
		surveyed(survey, IOMMUSER_KIND_DEVICE) + surveyed(survey, IOMMUSER_KIND_ATTACHMENT);
	u64 nr_pages = 0, nr_records = 0;
	u32 kind;

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		graph->first_page[kind] = nr_pages;
		graph->first_record[kind] = nr_records;
		nr_pages += survey->kinds[kind].nr_pages;
		nr_records += surveyed(survey, kind);
	}
	graph->first_page[kind] = nr_pages;
	graph->first_record[kind] = nr_records;

	graph->pages = take(arena, nr_pages * sizeof(*graph->pages));
	take_index(arena, &graph->page_index, nr_pages, seed);
	take_index(arena, &graph->tokens, surveyed(survey, IOMMUSER_KIND_IOMMU), seed);
	take_index(arena, &graph->devices, surveyed(survey, IOMMUSER_KIND_DEVICE), seed);
	take_index(arena, &graph->aliases, surveyed(survey, IOMMUSER_KIND_ALIAS), seed);
	take_index(arena, &graph->attachments, surveyed(survey, IOMMUSER_KIND_ATTACHMENT), seed);
	take_index(arena, &graph->hwpts, surveyed(survey, IOMMUSER_KIND_HWPT), seed);
	take_index(arena, &graph->dids, attached, seed);
	take_index(arena, &graph->domain_dids, attached, seed);
	take_index(arena, &graph->did_holders, attached, seed);
	graph->references = take(arena, graph->first_record[IOMMUSER_KIND_ALIAS] * sizeof(u32));
	graph->unit_segments = take(arena, surveyed(survey, IOMMUSER_KIND_IOMMU) * sizeof(u32));
	graph->domain_stages = take(arena, surveyed(survey, IOMMUSER_KIND_DOMAIN));
	graph->states = take(arena, nr_records);
}

u64 iommuser_graph_size(const struct iommuser_root *root, const struct iommuser_survey *survey)
{
	struct iommuser_graph graph;
	struct arena arena = { NULL, 0 };
	u32 kind;

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		if (surveyed(survey, kind) >= IOMMUSER_MAX_RECORDS)
			return 0;
	if (!root->revision)
		return 0;
	lay_out(&graph, survey, 0, &arena);
	return arena.used;
}

static bool has_device_variants(const struct iommuser_revision *revision)
{
	const struct iommuser_record_layout *layout = &revision->kinds[IOMMUSER_KIND_DEVICE];
	u32 i;

	for (i = 0; i < layout->nr_rows; i++)
		if (layout->rows[i].variant)
			return true;
	return false;
}

static int index_pages(struct iommuser_graph *graph, u32 kind)
{
	u64 at = graph->first_page[kind];
	struct iommuser_chain_page page;
	struct iommuser_chain chain;
	u64 first = 0;
	int error;

	error = iommuser_chain_of(graph->env, graph->root, kind,
				  graph->survey->kinds[kind].record_size, &chain);
	if (error)
		return error;
	for (; at < graph->first_page[kind + 1]; at++) {
		if (iommuser_chain_next(&chain, &page) != 1)
			return -IOMMUSER_ECORRUPT;
		/* Positions are found by division only where all pages are full. */
		if (!graph->survey->kinds[kind].irregular && at + 1 < graph->first_page[kind + 1] &&
		    page.count != iommuser_chain_capacity(graph->env, &chain.shape))
			return -IOMMUSER_ECORRUPT;
		graph->pages[at].phys = page.phys;
		graph->pages[at].first = first;
		graph->pages[at].count = (u32)page.count;
		graph->pages[at].kind = kind;
		first += page.count;
		index_insert(&graph->page_index, page.phys >> graph->env->page_shift, at);
	}
	return first == iommuser_graph_count(graph, kind) ? 0 : -IOMMUSER_ECORRUPT;
}

u64 iommuser_graph_count(const struct iommuser_graph *graph, u32 kind)
{
	return graph->first_record[kind + 1] - graph->first_record[kind];
}

/* The page that holds a record: by division, or by bisection where pages are not full. */
static const struct iommuser_graph_page *page_of(const struct iommuser_graph *graph, u32 kind,
						 u64 position)
{
	const struct iommuser_graph_page *pages = graph->pages + graph->first_page[kind];
	u64 low = 0, high = graph->first_page[kind + 1] - graph->first_page[kind];

	if (!graph->survey->kinds[kind].irregular)
		return &pages[position / pages[0].count];
	while (high - low > 1) {
		u64 middle = low + (high - low) / 2;

		if (pages[middle].first <= position)
			low = middle;
		else
			high = middle;
	}
	return &pages[low];
}

int iommuser_graph_bytes(const struct iommuser_graph *graph, u32 kind, u64 position,
			 const void **bytes, u64 *phys)
{
	const struct iommuser_graph_page *page;
	u64 size;

	if (!kind || kind > IOMMUSER_NR_KINDS || position >= iommuser_graph_count(graph, kind))
		return -IOMMUSER_ENOENT;
	page = page_of(graph, kind, position);
	size = graph->survey->kinds[kind].record_size;
	*phys = page->phys + graph->root->revision->page_header_size +
		(position - page->first) * size;
	return iommuser_access(graph->env, *phys, size, 1, bytes);
}

/* The type of the unit that a device record refers to. */
OWN_FRAME u64 graph_unit_type(const struct iommuser_graph *graph,
			      const struct iommuser_device *device)
{
	union iommuser_record unit;
	const void *bytes;
	u64 position, phys;

	if (iommuser_graph_resolve(graph, device->iommu, IOMMUSER_KIND_IOMMU, &position) ||
	    iommuser_graph_bytes(graph, IOMMUSER_KIND_IOMMU, position, &bytes, &phys))
		return IOMMUSER_IOMMU_TYPE_INTEL;
	iommuser_decode(graph->root->revision, IOMMUSER_KIND_IOMMU, 0, bytes, phys, &unit);
	return unit.iommu.type;
}

int iommuser_graph_read(const struct iommuser_graph *graph, u32 kind, u64 position,
			union iommuser_record *record)
{
	const struct iommuser_revision *revision = graph->root->revision;
	u64 variant = IOMMUSER_IOMMU_TYPE_INTEL;
	const void *bytes;
	u64 phys;
	int error;

	error = iommuser_graph_bytes(graph, kind, position, &bytes, &phys);
	if (error)
		return error;
	iommuser_decode(revision, kind, variant, bytes, phys, record);
	if (kind == IOMMUSER_KIND_DEVICE && graph->device_variants) {
		variant = graph_unit_type(graph, &record->device);
		if (variant != IOMMUSER_IOMMU_TYPE_INTEL)
			iommuser_decode(revision, kind, variant, bytes, phys, record);
	}
	return 0;
}

int iommuser_graph_resolve(const struct iommuser_graph *graph, u64 phys, u32 kind, u64 *position)
{
	u64 header = graph->root->revision->page_header_size;
	u64 base = phys & ~(env_page_size(graph->env) - 1);
	const struct iommuser_graph_page *page;
	u64 offset, size, at;

	if (!kind || kind > IOMMUSER_NR_KINDS ||
	    index_find(&graph->page_index, phys >> graph->env->page_shift, &at))
		return -IOMMUSER_ENOENT;
	page = &graph->pages[at];
	offset = phys - base;
	size = graph->survey->kinds[kind].record_size;
	if (page->kind != kind || offset < header || (offset - header) % size ||
	    (offset - header) / size >= page->count)
		return -IOMMUSER_ENOENT;
	*position = page->first + (offset - header) / size;
	return 0;
}

u64 requester_key(u64 segment, u64 bdf)
{
	return segment << 32 | bdf;
}

static u64 attachment_key(u64 device, bool has_pasid, u64 pasid)
{
	return ((u64)has_pasid << 32 | pasid) << 31 | device;
}

int iommuser_graph_find_iommu(const struct iommuser_graph *graph, u64 token, u64 *position)
{
	return index_find(&graph->tokens, token, position);
}

static OWN_FRAME int find_requester(const struct iommuser_index *index, u64 segment, u64 bdf,
				    u64 *position)
{
	if (segment > MAX_SEGMENT || bdf > MAX_BDF)
		return -IOMMUSER_ENOENT;
	return index_find(index, requester_key(segment, bdf), position);
}

int iommuser_graph_find_device(const struct iommuser_graph *graph, u64 segment, u64 bdf,
			       u64 *position)
{
	return find_requester(&graph->devices, segment, bdf, position);
}

int iommuser_graph_find_alias(const struct iommuser_graph *graph, u64 segment, u64 bdf,
			      u64 *position)
{
	return find_requester(&graph->aliases, segment, bdf, position);
}

int iommuser_graph_find_attachment(const struct iommuser_graph *graph, u64 device, bool has_pasid,
				   u64 pasid, u64 *position)
{
	if (pasid > MAX_PASID)
		return -IOMMUSER_ENOENT;
	return index_find(&graph->attachments, attachment_key(device, has_pasid, pasid), position);
}

int iommuser_graph_device_domain(const struct iommuser_graph *graph, u64 position,
				 const struct iommuser_device *device, u64 *domain, u64 *did)
{
	union iommuser_record attachment;
	u64 at;
	int error;

	if (!(graph->root->revision->properties & IOMMUSER_REVISION_ATTACHMENTS)) {
		*domain = device->domain;
		*did = device->did;
		return 0;
	}
	error = iommuser_graph_find_attachment(graph, position, false, 0, &at);
	if (error)
		return error;
	error = iommuser_graph_read(graph, IOMMUSER_KIND_ATTACHMENT, at, &attachment);
	if (error)
		return error;
	*domain = attachment.attachment.domain;
	*did = attachment.attachment.did;
	return 0;
}

int iommuser_graph_device_stale(const struct iommuser_graph *graph,
				const struct iommuser_device *device)
{
	union iommuser_record domain;
	u64 position;
	int error;

	if (!(graph->root->revision->properties & IOMMUSER_REVISION_STALE_DEVICES) ||
	    iommuser_graph_resolve(graph, device->domain, IOMMUSER_KIND_DOMAIN, &position))
		return 0;
	error = iommuser_graph_read(graph, IOMMUSER_KIND_DOMAIN, position, &domain);
	if (error)
		return error;
	return domain.common.flags & IOMMUSER_FLAG_DELETED ? -IOMMUSER_ENOENT : 0;
}

/* Insertions wait here until what they need has been fetched; zeroed at the start. */
struct insert_queue {
	struct {
		struct iommuser_index *index;
		u64 key;
		u64 position;
	} entries[QUEUE_LENGTH];
	u32 next;
};

/* Carry out the insertion that has waited longest, and let another one wait; NULL for none. */
static void insert_later(struct insert_queue *queue, struct iommuser_index *index, u64 key,
			 u64 position)
{
	u32 at = queue->next++ % QUEUE_LENGTH;

	if (queue->entries[at].index)
		index_insert(queue->entries[at].index, queue->entries[at].key,
			     queue->entries[at].position);
	queue->entries[at].index = index;
	queue->entries[at].key = key;
	queue->entries[at].position = position;
	if (index)
		index_prefetch(index, key);
}

static void index_record(struct iommuser_graph *graph, struct insert_queue *queue, u32 kind,
			 u64 position, const union iommuser_record *record)
{
	u64 device;

	switch (kind) {
	case IOMMUSER_KIND_IOMMU:
		insert_later(queue, &graph->tokens, record->iommu.token, position);
		break;
	case IOMMUSER_KIND_DEVICE:
		if (iommuser_graph_device_stale(graph, &record->device) != -IOMMUSER_ENOENT)
			insert_later(queue, &graph->devices,
				     requester_key(record->device.segment, record->device.bdf),
				     position);
		break;
	case IOMMUSER_KIND_ALIAS:
		insert_later(queue, &graph->aliases,
			     requester_key(record->alias.segment, record->alias.bdf), position);
		break;
	case IOMMUSER_KIND_ATTACHMENT:
		if (iommuser_graph_resolve(graph, record->attachment.device, IOMMUSER_KIND_DEVICE,
					   &device))
			break;
		insert_later(queue, &graph->attachments,
			     attachment_key(device,
					    record->attachment.attachment_flags &
						    IOMMUSER_ATTACHMENT_HAS_PASID,
					    record->attachment.pasid),
			     position);
		break;
	default:
		break;
	}
}

static OWN_FRAME int index_page(struct iommuser_graph *graph, struct insert_queue *queue,
				const struct iommuser_graph_page *page)
{
	const struct iommuser_revision *revision = graph->root->revision;
	u64 size = graph->survey->kinds[page->kind].record_size;
	union iommuser_record record;
	const void *pointer;
	const u8 *bytes = NULL;
	int error;
	u64 i;

	for (i = 0; i < page->count; i++) {
		if (!(i % REMAP_INTERVAL)) {
			error = iommuser_access(graph->env, page->phys, env_page_size(graph->env),
						env_page_size(graph->env), &pointer);
			if (error)
				return error;
			bytes = (const u8 *)pointer + revision->page_header_size;
		}
		iommuser_decode(revision, page->kind, IOMMUSER_IOMMU_TYPE_INTEL, bytes + i * size,
				page->phys + revision->page_header_size + i * size, &record);
		if (!(record.common.flags & IOMMUSER_FLAG_DELETED))
			index_record(graph, queue, page->kind, page->first + i, &record);
	}
	return 0;
}

int iommuser_graph_build(struct iommuser_graph *graph, const struct iommuser_env *env,
			 const struct iommuser_root *root, const struct iommuser_survey *survey,
			 u64 seed, void *memory, u64 size)
{
	struct insert_queue queue = { .next = 0 };
	struct arena arena = { memory, 0 };
	u64 need = iommuser_graph_size(root, survey);
	u64 at;
	int error;
	u32 kind;

	if (!need || !memory || ((uintptr_t)memory & 7))
		return -IOMMUSER_EINVAL;
	if (size < need)
		return -IOMMUSER_ENOSPC;
	memset(graph, 0, sizeof(*graph));
	graph->env = env;
	graph->root = root;
	graph->survey = survey;
	graph->device_variants = has_device_variants(root->revision);
	lay_out(graph, survey, seed, &arena);

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		if (!survey->kinds[kind].nr_pages)
			continue;
		error = index_pages(graph, kind);
		if (error)
			return error;
	}
	for (at = 0; at < graph->first_page[IOMMUSER_NR_KINDS + 1]; at++) {
		error = index_page(graph, &queue, &graph->pages[at]);
		if (error)
			return error;
	}
	for (at = 0; at < QUEUE_LENGTH; at++)
		insert_later(&queue, NULL, 0, 0);
	return 0;
}

enum iommuser_state iommuser_graph_state(const struct iommuser_graph *graph, u32 kind, u64 position)
{
	return (enum iommuser_state)graph->states[graph->first_record[kind] + position];
}
