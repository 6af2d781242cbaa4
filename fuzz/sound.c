// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A plain look at a handover that was found sound: records by the graph, tables
 * by their bits.
 */
#include "sound.h"

#include <string.h>

#include <iommuser/verify.h>
#include <kho/abi/iommuser.h>

#define ADDRESS 0x000ffffffffff000ULL

struct look {
	const struct memory *memory;
	const struct iommuser_graph *graph;
	const struct iommuser_revision *revision;
	const u8 *bitmap; /* NULL: nobody knows */
	u32 options;
	u8 *stages; /* by domain: the stage that the hardware walks it in, 0: none does */
	u8 used[MEMORY_FRAMES];
};

/* One live device, its unit and where it should be led. */
struct subject {
	union iommuser_record record;
	union iommuser_record unit;
	bool scalable;
};

UNTRACED static u64 word_at(const struct look *look, u64 phys)
{
	u64 page = phys & ~((1ULL << look->memory->env.page_shift) - 1);
	const u8 *bytes = memory_page(look->memory, page);
	u64 word;

	require(bytes, "%#llx is not there", (unsigned long long)phys);
	memcpy(&word, bytes + (phys - page), sizeof(word));
	return word;
}

/* A page is metadata, and nothing else. */
UNTRACED static void use(struct look *look, u64 phys, u64 length)
{
	u64 frame = (phys - MEMORY_BASE) / FRAME_SIZE;
	u64 end = (phys + length - MEMORY_BASE + FRAME_SIZE - 1) / FRAME_SIZE;

	require(phys >= MEMORY_BASE && end <= MEMORY_FRAMES, "%#llx", (unsigned long long)phys);
	if (!look->bitmap)
		return;
	for (; frame < end; frame++) {
		require(look->bitmap[frame / 8] >> (frame % 8) & 1, "%#llx is not preserved",
			(unsigned long long)phys);
		require(!look->used[frame], "%#llx has two uses", (unsigned long long)phys);
		look->used[frame] = 1;
	}
}

/* Memory that a device may write to. */
UNTRACED static void check_leaf(const struct look *look, u64 phys, u64 length)
{
	u64 at;

	if (phys >= PAYLOAD_BASE && phys - PAYLOAD_BASE < PAYLOAD_SIZE &&
	    length <= PAYLOAD_SIZE - (phys - PAYLOAD_BASE))
		return;
	for (at = phys; at < phys + length; at += FRAME_SIZE) {
		u64 frame = (at - MEMORY_BASE) / FRAME_SIZE;

		require(at >= MEMORY_BASE && frame < MEMORY_FRAMES &&
				look->bitmap[frame / 8] >> (frame % 8) & 1,
			"leaf %#llx is not preserved", (unsigned long long)at);
		require(!look->used[frame], "leaf %#llx is metadata", (unsigned long long)at);
	}
}

static bool has(const struct look *look, u32 kind, u32 field)
{
	return iommuser_revision_has(look->revision, kind, field);
}

static bool sealed(const struct look *look)
{
	return look->revision->properties & IOMMUSER_REVISION_SEALED;
}

UNTRACED static bool read_live(const struct look *look, u32 kind, u64 position,
			       union iommuser_record *record)
{
	require(!iommuser_graph_read(look->graph, kind, position, record), "%llu of kind %u",
		(unsigned long long)position, kind);
	if (kind == IOMMUSER_KIND_DEVICE &&
	    iommuser_graph_device_stale(look->graph, &record->device))
		return false;
	return !(record->common.flags & IOMMUSER_FLAG_DELETED);
}

/* Where the live record is that a reference leads to, by a search; the number of them for none. */
UNTRACED static u64 position_of(const struct look *look, u32 kind, u64 phys,
				union iommuser_record *record)
{
	u64 count = iommuser_graph_count(look->graph, kind), position;

	memset(record, 0, sizeof(*record));
	for (position = 0; position < count; position++)
		if (read_live(look, kind, position, record) && record->common.phys == phys)
			break;
	return position;
}

static bool find(const struct look *look, u32 kind, u64 phys, union iommuser_record *record)
{
	return position_of(look, kind, phys, record) < iommuser_graph_count(look->graph, kind);
}

static void use_chains(struct look *look)
{
	const struct iommuser_root *root = look->graph->root;
	u64 size = 1ULL << look->memory->env.page_shift;
	u64 at, count;
	u32 kind;

	/* Where pages are larger, the root of the others may lie in a page of records: no kernel has that. */
	if (sealed(look) || size == FRAME_SIZE)
		use(look, root->phys, sealed(look) ? size : look->revision->root_size);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		count = 0;
		for (at = root->arrays[kind].first_page; at; at = word_at(look, at)) {
			use(look, at, size);
			count += word_at(look, at + 8);
		}
		require(count == iommuser_graph_count(look->graph, kind), "kind %u", kind);
		require(!(look->revision->properties & IOMMUSER_REVISION_TOTALS) ||
				count == root->arrays[kind].nr_records,
			"kind %u", kind);
	}
}

/* The first live device of a unit. */
UNTRACED static bool device_on(const struct look *look, const struct iommuser_iommu *unit,
			       union iommuser_record *record)
{
	u64 position;

	for (position = 0; position < iommuser_graph_count(look->graph, IOMMUSER_KIND_DEVICE);
	     position++)
		if (read_live(look, IOMMUSER_KIND_DEVICE, position, record) &&
		    record->device.iommu == unit->phys)
			return true;
	return false;
}

/* What says in which segment a unit is: its record, or its devices. */
static u64 segment_of(const struct look *look, const struct iommuser_iommu *unit)
{
	union iommuser_record record;

	if (has(look, IOMMUSER_KIND_IOMMU, IOMMUSER_FIELD_SEGMENT))
		return unit->segment;
	return device_on(look, unit, &record) ? record.device.segment : 0;
}

/* Does a requester on a unit belong to a live device, on its own or as an alias? */
UNTRACED static bool requester_known(const struct look *look, u64 segment, u64 bdf, u64 unit)
{
	union iommuser_record record, device;
	u64 position;

	for (position = 0; position < iommuser_graph_count(look->graph, IOMMUSER_KIND_DEVICE);
	     position++)
		if (read_live(look, IOMMUSER_KIND_DEVICE, position, &record) &&
		    record.device.segment == segment && record.device.bdf == bdf &&
		    record.device.iommu == unit)
			return true;
	for (position = 0; position < iommuser_graph_count(look->graph, IOMMUSER_KIND_ALIAS);
	     position++)
		if (read_live(look, IOMMUSER_KIND_ALIAS, position, &record) &&
		    record.alias.segment == segment && record.alias.bdf == bdf &&
		    find(look, IOMMUSER_KIND_DEVICE, record.alias.device, &device) &&
		    device.device.iommu == unit)
			return true;
	return false;
}

UNTRACED static void use_context_table(struct look *look, const struct iommuser_iommu *unit,
				       u64 table, u32 first_bdf, bool scalable)
{
	u64 segment = segment_of(look, unit);
	u32 count = scalable ? 128 : 256, i;

	use(look, table, FRAME_SIZE);
	for (i = 0; i < count && !(look->options & IOMMUSER_VERIFY_NOT_AT_JUMP); i++)
		if (word_at(look, table + i * (FRAME_SIZE / count)) & 1)
			require(requester_known(look, segment, first_bdf + i, unit->phys),
				"requester %#x", first_bdf + i);
}

/* What says that a unit is in scalable mode: its record, or its devices. */
static bool is_scalable(const struct look *look, const struct iommuser_iommu *unit)
{
	union iommuser_record record;

	if (sealed(look))
		return unit->mode == IOMMUSER_IOMMU_MODE_SCALABLE;
	return device_on(look, unit, &record) && record.device.pasid_entries;
}

/* Is the context table of a requester one that is handed over? */
static bool is_marked(const struct look *look, const struct iommuser_iommu *unit, u64 bdf)
{
	u64 half = is_scalable(look, unit) ? bdf >> 7 : bdf >> 8 << 1;

	return !has(look, IOMMUSER_KIND_IOMMU, IOMMUSER_FIELD_CONTEXT_TABLES) ||
	       (unit->context_tables[half / 64] >> (half % 64) & 1);
}

UNTRACED static void use_unit(struct look *look, const struct iommuser_iommu *unit)
{
	bool scalable = is_scalable(look, unit);
	union iommuser_record device;
	u64 position, users = 0, word;
	u32 half;

	use(look, unit->root_table, FRAME_SIZE);
	for (half = 0; half < 512; half++) {
		word = word_at(look, unit->root_table + 8 * half);
		require(scalable || !(half % 2) || !word, "upper half of root entry %u", half / 2);
		if (!(word & 1))
			continue;
		/* Other than at the jump there may be more. */
		if (is_marked(look, unit, half << 7))
			use_context_table(look, unit, word & ADDRESS, half << 7, scalable);
		else
			require(look->options & IOMMUSER_VERIFY_NOT_AT_JUMP,
				"context table %u is not marked", half);
	}
	for (position = 0; position < iommuser_graph_count(look->graph, IOMMUSER_KIND_DEVICE);
	     position++)
		users += read_live(look, IOMMUSER_KIND_DEVICE, position, &device) &&
			 device.device.iommu == unit->phys;
	require(unit->ref_count == (users ? users : 1), "%llu devices", (unsigned long long)users);
}

/* A table of the path that is being looked at. */
struct place {
	u64 table;
	u32 index;
};

static void enter(struct look *look, struct place *place, u64 table, bool leaves)
{
	place->table = table;
	place->index = 0;
	if (!leaves)
		use(look, table, FRAME_SIZE);
}

/* All tables of a domain, once for what they are, and once for the @leaves. Return: how many. */
UNTRACED static u64 look_at_tables(struct look *look, const struct iommuser_domain *domain,
				   u32 stage, bool leaves)
{
	u64 present = stage == IOMMUSER_STAGE_FIRST ? 1 : 3;
	u32 top = (u32)domain->top_level, level = top;
	struct place path[5];
	u64 count = 1, word;

	enter(look, &path[level], domain->top_table, leaves);
	for (;;) {
		if (path[level].index == 512 || (!level && !leaves)) {
			if (level++ == top)
				return count;
			continue;
		}
		word = word_at(look, path[level].table + 8ULL * path[level].index++);
		if (!(word & present))
			continue;
		if (level && !(word & 0x80)) {
			enter(look, &path[--level], word & ADDRESS, leaves);
			count++;
		} else if (leaves) {
			u64 size = FRAME_SIZE << 9 * level;

			check_leaf(look, word & ADDRESS & ~(size - 1), size);
		}
	}
}

/* Where an entry of a device leads, and for which domain id. */
struct lead {
	u64 table;
	u64 levels;
	u64 did;
	bool first;
};

/* However many entries lead to a domain, and whatever its record says: it is of one stage. */
static void learn_stage(const struct look *look, u64 position, u32 stage)
{
	u8 *known = &look->stages[position];

	require(!*known || *known == stage, "domain %llu is of both stages",
		(unsigned long long)position);
	*known = (u8)stage;
}

static void check_lead(const struct look *look, const struct lead *lead, u64 domain_phys, u64 did)
{
	u32 stage = lead->first ? IOMMUSER_STAGE_FIRST : IOMMUSER_STAGE_SECOND;
	union iommuser_record domain;
	u64 position = position_of(look, IOMMUSER_KIND_DOMAIN, domain_phys, &domain);

	require(position < iommuser_graph_count(look->graph, IOMMUSER_KIND_DOMAIN), "%#llx",
		(unsigned long long)domain_phys);
	require(lead->table == domain.domain.top_table && lead->did == did &&
			lead->levels == domain.domain.top_level + 1,
		"%#llx with id %llu: %#llx with id %llu",
		(unsigned long long)domain.domain.top_table, (unsigned long long)did,
		(unsigned long long)lead->table, (unsigned long long)lead->did);
	if (sealed(look))
		require(stage == domain.domain.stage, "%#llx", (unsigned long long)domain_phys);
	learn_stage(look, position, stage);
}

/* Domain and id of a device's requests without PASID, or with one. */
UNTRACED static bool attachment_of(const struct look *look, const struct iommuser_device *device,
				   bool has_pasid, u64 pasid, u64 *domain, u64 *did)
{
	union iommuser_record record;
	u64 position;

	*domain = device->domain;
	*did = device->did;
	if (!(look->revision->properties & IOMMUSER_REVISION_ATTACHMENTS))
		return !has_pasid;
	for (position = 0; position < iommuser_graph_count(look->graph, IOMMUSER_KIND_ATTACHMENT);
	     position++) {
		if (!read_live(look, IOMMUSER_KIND_ATTACHMENT, position, &record) ||
		    record.attachment.device != device->phys || record.attachment.pasid != pasid ||
		    (record.attachment.attachment_flags & 1) != has_pasid)
			continue;
		*domain = record.attachment.domain;
		*did = record.attachment.did;
		return true;
	}
	return false;
}

static void read_pasid(const struct look *look, u64 entry, struct lead *lead)
{
	u64 low = word_at(look, entry), third = word_at(look, entry + 16);

	lead->first = (low >> 6 & 7) == 1;
	require(lead->first || (low >> 6 & 7) == 2, "%#llx", (unsigned long long)entry);
	lead->table = (lead->first ? third : low) & ADDRESS;
	lead->levels = lead->first ? 4 + (third >> 2 & 3) : 2 + (low >> 2 & 7);
	lead->did = word_at(look, entry + 8) & 0xffff;
}

UNTRACED static void check_pasid_table(struct look *look, const struct subject *subject, u64 table,
				       u64 first_pasid)
{
	const struct iommuser_device *device = &subject->record.device;
	u64 pasid, domain, did;
	struct lead lead;

	use(look, table, FRAME_SIZE);
	for (pasid = first_pasid; pasid < first_pasid + 64; pasid++) {
		u64 entry = table + pasid % 64 * 64;
		bool own = pasid == device->rid_pasid;

		if (!(word_at(look, entry) & 1)) {
			require(!own, "requests without PASID");
			continue;
		}
		require(attachment_of(look, device, !own, own ? 0 : pasid, &domain, &did),
			"PASID %llu", (unsigned long long)pasid);
		read_pasid(look, entry, &lead);
		check_lead(look, &lead, domain, did);
	}
}

UNTRACED static void check_directory(struct look *look, const struct subject *subject)
{
	const struct iommuser_device *device = &subject->record.device;
	u64 entries = device->pasid_entries / 64, i, word;
	bool own = false;

	use(look, device->pasid_directory, entries * 8);
	for (i = 0; i < entries; i++) {
		word = word_at(look, device->pasid_directory + 8 * i);
		if (!(word & 1))
			continue;
		check_pasid_table(look, subject, word & ADDRESS, 64 * i);
		own |= i == device->rid_pasid / 64;
	}
	require(own, "requests without PASID");
}

/* The address of a requester's context entry. */
static u64 context_of(const struct look *look, const struct iommuser_iommu *unit, u64 bdf,
		      bool scalable)
{
	u64 root = unit->root_table + 16 * (bdf >> 8), devfn = bdf & 0xff;

	if (scalable)
		root += devfn >= 128 ? 8 : 0;
	require(word_at(look, root) & 1, "requester %#llx", (unsigned long long)bdf);
	return (word_at(look, root) & ADDRESS) + (scalable ? devfn % 128 * 32 : devfn * 16);
}

static void check_device(struct look *look, const struct subject *subject)
{
	const struct iommuser_device *device = &subject->record.device;
	u64 entry = context_of(look, &subject->unit.iommu, device->bdf, subject->scalable);
	u64 low = word_at(look, entry), high = word_at(look, entry + 8), domain, did;
	struct lead lead = { .first = false };

	require(low & 1, "device %#llx", (unsigned long long)device->bdf);
	require(is_marked(look, &subject->unit.iommu, device->bdf),
		"the table of device %#llx is not handed over", (unsigned long long)device->bdf);
	if (subject->scalable) {
		require((low & ADDRESS) == device->pasid_directory &&
				8192ULL << (low >> 9 & 7) == device->pasid_entries &&
				(high & 0xfffff) == device->rid_pasid,
			"device %#llx", (unsigned long long)device->bdf);
		check_directory(look, subject);
		return;
	}
	require((low >> 2 & 3) < 2, "device %#llx", (unsigned long long)device->bdf);
	require(attachment_of(look, device, false, 0, &domain, &did), "device %#llx",
		(unsigned long long)device->bdf);
	lead.table = low & ADDRESS;
	lead.levels = 2 + (high & 7);
	lead.did = high >> 8 & 0xffff;
	check_lead(look, &lead, domain, did);
}

static void check_devices(struct look *look)
{
	struct subject subject;
	u64 position;

	for (position = 0; position < iommuser_graph_count(look->graph, IOMMUSER_KIND_DEVICE);
	     position++) {
		if (!read_live(look, IOMMUSER_KIND_DEVICE, position, &subject.record))
			continue;
		require(find(look, IOMMUSER_KIND_IOMMU, subject.record.device.iommu, &subject.unit),
			"%#llx", (unsigned long long)subject.record.device.iommu);
		require(subject.record.device.segment == segment_of(look, &subject.unit.iommu),
			"segment %#llx", (unsigned long long)subject.record.device.segment);
		if (subject.unit.iommu.type != IOMMUSER_IOMMU_TYPE_INTEL)
			continue;
		subject.scalable = is_scalable(look, &subject.unit.iommu);
		check_device(look, &subject);
	}
}

/* Aliases are requesters, too: their tables are handed over, and say what their device's do. */
UNTRACED static void check_alias(const struct look *look, const struct iommuser_alias *alias)
{
	union iommuser_record device, unit;
	u64 ours, theirs;
	bool scalable;

	require(find(look, IOMMUSER_KIND_DEVICE, alias->device, &device) &&
			find(look, IOMMUSER_KIND_IOMMU, device.device.iommu, &unit),
		"alias %#llx", (unsigned long long)alias->bdf);
	require(is_marked(look, &unit.iommu, alias->bdf),
		"the table of alias %#llx is not handed over", (unsigned long long)alias->bdf);
	scalable = is_scalable(look, &unit.iommu);
	ours = context_of(look, &unit.iommu, alias->bdf, scalable);
	theirs = context_of(look, &unit.iommu, device.device.bdf, scalable);
	require(word_at(look, ours) == word_at(look, theirs) &&
			word_at(look, ours + 8) == word_at(look, theirs + 8),
		"alias %#llx", (unsigned long long)alias->bdf);
}

static void check_aliases(const struct look *look)
{
	u64 count = iommuser_graph_count(look->graph, IOMMUSER_KIND_ALIAS), position;
	union iommuser_record record;

	for (position = 0; position < count; position++)
		if (read_live(look, IOMMUSER_KIND_ALIAS, position, &record))
			check_alias(look, &record.alias);
}

/* The entry of a PASID that is attached is that of no other requests, and there. */
UNTRACED static void check_attachment(const struct look *look,
				      const struct iommuser_attachment *attachment)
{
	union iommuser_record record;
	const struct iommuser_device *device = &record.device;
	u64 table, entry;
	struct lead lead;

	require(find(look, IOMMUSER_KIND_DEVICE, attachment->device, &record), "%#llx",
		(unsigned long long)attachment->device);
	if (!(attachment->attachment_flags & IOMMUSER_ATTACHMENT_HAS_PASID))
		return;
	require(attachment->pasid < device->pasid_entries && attachment->pasid != device->rid_pasid,
		"PASID %llu", (unsigned long long)attachment->pasid);
	table = word_at(look, device->pasid_directory + attachment->pasid / 64 * 8);
	require(table & 1, "PASID %llu", (unsigned long long)attachment->pasid);
	entry = (table & ADDRESS) + attachment->pasid % 64 * 64;
	require(word_at(look, entry) & 1, "PASID %llu", (unsigned long long)attachment->pasid);
	read_pasid(look, entry, &lead);
	check_lead(look, &lead, attachment->domain, attachment->did);
}

static void check_attachments(const struct look *look)
{
	u64 count = iommuser_graph_count(look->graph, IOMMUSER_KIND_ATTACHMENT), position;
	union iommuser_record record;

	for (position = 0; position < count; position++)
		if (read_live(look, IOMMUSER_KIND_ATTACHMENT, position, &record))
			check_attachment(look, &record.attachment);
}

/* Return: false for a domain of which nothing says what stage it is of. */
static bool read_domain(const struct look *look, u64 position, union iommuser_record *record,
			u32 *stage)
{
	if (!read_live(look, IOMMUSER_KIND_DOMAIN, position, record))
		return false;
	*stage = look->stages[position] ? look->stages[position] : (u32)record->domain.stage;
	return *stage;
}

/* Page tables, as the hardware walks them. */
static void check_domains(struct look *look)
{
	u64 count = iommuser_graph_count(look->graph, IOMMUSER_KIND_DOMAIN), position, tables;
	union iommuser_record record;
	const struct iommuser_domain *domain = &record.domain;
	u32 stage;

	for (position = 0; position < count; position++) {
		if (!read_domain(look, position, &record, &stage))
			continue;
		tables = look_at_tables(look, domain, stage, false);
		require(!sealed(look) || tables == domain->nr_table_pages, "%llu of %llu tables",
			(unsigned long long)tables, (unsigned long long)domain->nr_table_pages);
	}
	for (position = 0; look->bitmap && position < count; position++)
		if (read_domain(look, position, &record, &stage))
			look_at_tables(look, domain, stage, true);
}

void sound_check(const struct memory *memory, const struct iommuser_graph *graph, const u8 *bitmap,
		 u32 options)
{
	struct look look = {
		.memory = memory,
		.graph = graph,
		.revision = graph->root->revision,
		.bitmap = bitmap,
		.options = options,
		.stages = calloc(iommuser_graph_count(graph, IOMMUSER_KIND_DOMAIN) + 1, 1),
	};
	union iommuser_record unit;
	u64 position;

	require(look.stages, "out of memory");
	use_chains(&look);
	for (position = 0; position < iommuser_graph_count(graph, IOMMUSER_KIND_IOMMU); position++)
		if (read_live(&look, IOMMUSER_KIND_IOMMU, position, &unit) &&
		    unit.iommu.type == IOMMUSER_IOMMU_TYPE_INTEL)
			use_unit(&look, &unit.iommu);
	check_devices(&look);
	check_aliases(&look);
	check_attachments(&look);
	check_domains(&look);
	free(look.stages);
}
