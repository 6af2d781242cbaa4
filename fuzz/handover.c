// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sound handovers: of "iommuser-v1" by the preserve machine, of the posted series
 * by hand, with deleted and stale records, pages that are not full, and a unit of
 * another vendor where the layout has one.
 */
#include "handover.h"

#include <string.h>

#include <kho/abi/iommu_series.h>

#include "world.h"

#define GENERATION 0x1122334455667788ULL
/* Of the world and more, of one kind. */
#define SERIES_RECORDS 8
#define SERIES_KINDS 3

static const struct {
	const char *revision;
	enum world_kind world;
	bool holes;
} bases[HANDOVER_BASES] = {
	{ IOMMUSER_V1_COMPATIBLE, WORLD_FULL, false },
	{ IOMMUSER_V1_COMPATIBLE, WORLD_SMALL, false },
	{ IOMMUSER_V1_COMPATIBLE, WORLD_FULL, true },
	{ IOMMUSER_V1_COMPATIBLE, WORLD_MANY, false },
	{ IOMMU_V1_COMPATIBLE, WORLD_PLAIN, false },
	{ IOMMU_LIVEUPDATE_V1_COMPATIBLE, WORLD_PLAIN, false },
	{ IOMMU_LIVEUPDATE_COMPATIBLE, WORLD_PLAIN, true },
	{ IOMMU_LIVEUPDATE_COMPATIBLE "-56", WORLD_PLAIN, true },
	{ IOMMUSER_V1_COMPATIBLE, WORLD_EMPTY, false },
};

/* A device that is not preserved: its requests are blocked. */
static void cut_off(struct world *world, u32 device)
{
	const struct world_unit *unit = &world->units[world->devices[device].unit];
	u32 bdf = (u32)world->devices[device].request.device.bdf;
	struct memory *memory = world->host->memory;
	u64 entry = context_entry(memory, unit->record.root_table, unit->scalable, bdf);

	put_word(memory, entry, 0);
	put_word(memory, entry + 8, 0);
}

static u64 preserve(struct world *world, bool holes)
{
	require(!world_start_writer(world, GENERATION), "no writer");
	world_preserve_all(world);
	if (holes) {
		require(!world_unpreserve_device(world, 1) && !world_unpreserve_hwpt(world, 1),
			"no holes");
		cut_off(world, 1);
	}
	return iommuser_writer_root(&world->writer);
}

/* The posted series */

struct series {
	struct world *world;
	const struct iommuser_revision *revision;
	bool partial; /* pages hold two records each */
	u32 count[SERIES_KINDS + 1];
	u64 first_page[SERIES_KINDS + 1];
	union iommuser_record records[SERIES_KINDS + 1][SERIES_RECORDS];
};

/* The address of the next record of a kind, for those that refer to it. */
static u64 add_record(struct series *series, u32 kind, const union iommuser_record *record)
{
	struct host *host = series->world->host;
	u32 size = series->revision->kinds[kind].size;
	u32 header = series->revision->page_header_size;
	u32 i = series->count[kind]++;
	u32 in_page = series->partial ? i % 2 : i;
	u64 page = series->first_page[kind], fresh;

	require(i < SERIES_RECORDS, "too many records");
	while (page && word_at(host->memory, page))
		page = word_at(host->memory, page);
	if (!in_page) {
		fresh = host_alloc(host, 1U << (host->env.page_shift - 12), FRAME_RECORDS);
		if (page)
			put_word(host->memory, page, fresh);
		else
			series->first_page[kind] = fresh;
		page = fresh;
	}
	series->records[kind][i] = *record;
	series->records[kind][i].common.index = i;
	series->records[kind][i].common.phys = page + header + in_page * size;
	put_word(host->memory, page + offsetof(struct iommu_page_ser, count), in_page + 1);
	return series->records[kind][i].common.phys;
}

static void add_units(struct series *series)
{
	const struct world *world = series->world;
	union iommuser_record record;
	u32 i, bus;

	for (i = 0; i < world->nr_units; i++) {
		record.iommu = world->units[i].record;
		record.iommu.registers = record.iommu.token;
		for (bus = 0; bus < 512; bus += world->units[i].scalable ? 1 : 2)
			if (word_at(world->host->memory, record.iommu.root_table + bus * 8))
				record.iommu.context_tables[bus / 64] |= 1ULL << bus % 64;
		add_record(series, IOMMUSER_KIND_IOMMU, &record);
	}
}

static void add_domains(struct series *series)
{
	const struct world *world = series->world;
	union iommuser_record record;
	u32 i;

	for (i = 0; i < world->nr_domains; i++) {
		record.domain = world->domains[i].record;
		record.domain.ref_count = 1;
		add_record(series, IOMMUSER_KIND_DOMAIN, &record);
	}
	record.domain.flags = IOMMUSER_FLAG_DELETED;
	add_record(series, IOMMUSER_KIND_DOMAIN, &record);
}

/* The third device is gone: marked as deleted, or it has a domain that is. */
static void add_devices(struct series *series)
{
	const struct world *world = series->world;
	bool stale = series->revision->properties & IOMMUSER_REVISION_STALE_DEVICES;
	union iommuser_record record, *unit;
	u32 i, domain;

	for (i = 0; i < world->nr_devices; i++) {
		unit = &series->records[IOMMUSER_KIND_IOMMU][world->devices[i].unit];
		domain = i == 2 && stale ? world->nr_domains : world->devices[i].domain;
		record.device = world->devices[i].request.device;
		record.device.flags = i == 2 && !stale ? IOMMUSER_FLAG_DELETED : 0;
		record.device.ref_count = 1;
		record.device.iommu = unit->common.phys;
		record.device.domain = series->records[IOMMUSER_KIND_DOMAIN][domain].common.phys;
		record.device.did = world->devices[i].request.did;
		add_record(series, IOMMUSER_KIND_DEVICE, &record);
		unit->iommu.ref_count += i != 2;
	}
	cut_off(series->world, 2);
}

static void add_other_vendor(struct series *series)
{
	const union iommuser_record unit = { .iommu = { .ref_count = 1,
							.type = IOMMUSER_IOMMU_TYPE_ARM_SMMUV3,
							.token = 0x9050000,
							.registers = 0x9050000 } };
	union iommuser_record device = { .device = {
						 .ref_count = 1, .segment = 2, .bdf = 0x0100 } };

	device.device.iommu = add_record(series, IOMMUSER_KIND_IOMMU, &unit);
	device.device.domain = series->records[IOMMUSER_KIND_DOMAIN][0].common.phys;
	add_record(series, IOMMUSER_KIND_DEVICE, &device);
}

/* The rows of one vendor; iommuser_encode() is for layouts without such rows. */
static void write_record(const struct series *series, u32 kind, u64 variant,
			 const union iommuser_record *record)
{
	const struct iommuser_record_layout *layout = &series->revision->kinds[kind];
	u8 *to = memory_at(series->world->host->memory, record->common.phys);
	const struct iommuser_field_row *row;

	for (row = layout->rows; row < layout->rows + layout->nr_rows; row++)
		if (!row->variant || row->variant == variant)
			memcpy(to + row->wire, (const u8 *)record + row->memory, row->width);
}

static u64 variant_of(const struct series *series, u32 kind, u32 i)
{
	const union iommuser_record *units = series->records[IOMMUSER_KIND_IOMMU];
	const union iommuser_record *record = &series->records[kind][i];
	u32 unit = 0;

	if (kind == IOMMUSER_KIND_IOMMU)
		return record->iommu.type;
	while (kind == IOMMUSER_KIND_DEVICE && units[unit].common.phys != record->device.iommu)
		unit++;
	return units[unit].iommu.type;
}

static u64 write_series(struct series *series)
{
	const struct iommuser_revision *revision = series->revision;
	struct memory *memory = series->world->host->memory;
	u64 root = host_alloc(series->world->host, 1U << (series->world->host->env.page_shift - 12),
			      FRAME_RECORDS);
	u32 kind, i;

	if (revision->properties & IOMMUSER_REVISION_VERSION)
		put_word(memory, root, revision->version);
	for (kind = 1; kind <= SERIES_KINDS; kind++) {
		u64 at = root + revision->arrays_offset + (kind - 1) * revision->array_stride;

		put_word(memory, at, series->first_page[kind]);
		if (revision->properties & IOMMUSER_REVISION_TOTALS)
			put_word(memory, at + 8, series->count[kind]);
		for (i = 0; i < series->count[kind]; i++)
			write_record(series, kind, variant_of(series, kind, i),
				     &series->records[kind][i]);
	}
	return root;
}

static u64 make_series(struct world *world, const struct iommuser_revision *revision, bool holes)
{
	struct series series = { .world = world, .revision = revision, .partial = holes };
	u64 i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		if (world->host->states[i] == FRAME_LIVE)
			host_set_state(world->host, MEMORY_BASE + i * FRAME_SIZE, FRAME_SIZE,
				       FRAME_PRESERVED);
	add_units(&series);
	add_domains(&series);
	add_devices(&series);
	if (iommuser_revision_has(revision, IOMMUSER_KIND_DEVICE, IOMMUSER_FIELD_CDTAB_L1))
		add_other_vendor(&series);
	return write_series(&series);
}

/* All of them */

static const struct iommuser_revision *make(u32 base, struct host *host, u64 *root)
{
	const struct iommuser_revision *revision = iommuser_revision_by_name(bases[base].revision);
	static struct world world;

	world_begin(&world, host, bases[base].world);
	*root = revision->properties & IOMMUSER_REVISION_SEALED ?
			preserve(&world, bases[base].holes) :
			make_series(&world, revision, bases[base].holes);
	host_jump(host);
	return revision;
}

const struct handover_image *handover_image(u32 base, u32 choice)
{
	static struct handover_image images[HANDOVER_BASES][3];
	struct handover_image *image = &images[base % HANDOVER_BASES][choice % 3];
	static struct host host;
	struct memory *memory;
	u8 *bytes, *present, *preserved;
	u32 i;

	if (image->bytes)
		return image;
	memory = memory_begin(choice);
	host_begin(&host, memory);
	host.strict = true;
	image->revision = make(base % HANDOVER_BASES, &host, &image->root);
	bytes = calloc(1, MEMORY_SIZE);
	present = calloc(2, MEMORY_FRAMES);
	require(bytes && present, "out of memory");
	preserved = present + MEMORY_FRAMES;
	for (i = 0; i < MEMORY_FRAMES; i++) {
		if (memory->present[i])
			memcpy(bytes + i * FRAME_SIZE, memory->bytes + i * FRAME_SIZE, FRAME_SIZE);
		present[i] = memory->present[i];
		preserved[i] = host.states[i] == FRAME_INCOMING;
	}
	memory_end(memory);
	image->bytes = bytes;
	image->present = present;
	image->preserved = preserved;
	return image;
}

void handover_load(const struct handover_image *image, struct host *host)
{
	u32 i;

	for (i = 0; i < MEMORY_FRAMES; i++) {
		host->memory->present[i] = image->present[i];
		if (image->present[i])
			memcpy(host->memory->bytes + i * FRAME_SIZE, image->bytes + i * FRAME_SIZE,
			       FRAME_SIZE);
		host_set_state(host, MEMORY_BASE + i * FRAME_SIZE, FRAME_SIZE,
			       image->preserved[i] ? FRAME_INCOMING : FRAME_FREE);
	}
}
