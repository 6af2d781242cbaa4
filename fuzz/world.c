// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The worlds, as rows: a row makes something, or something more of what the row
 * before it made.
 */
#include "world.h"

#include <string.h>

#define PRESENT 1ULL
/* Requests with a PASID are translated. */
#define PASIDE 8ULL
/* 65536 domain ids, and bits that say nothing here. */
#define CAP 0x00d2008c40660406ULL
#define ECAP 0x0000000000f050daULL
#define FIRST_DID 2
#define DID_LIMIT 65536
#define OWNER 0x100

enum row_kind {
	ROW_UNIT,
	ROW_DOMAIN,
	ROW_MAP,
	ROW_DEVICE,
	ROW_ALIAS,
	ROW_PASID,
	ROW_HWPT,
	ROW_DEVICES,
};

struct row {
	u64 a;
	enum row_kind kind;
	u32 b, c, d;
};

#define ROW(row_kind, w, x, y, z)                                              \
	{                                                                      \
		.kind = ROW_##row_kind, .a = (w), .b = (x), .c = (y), .d = (z) \
	}
#define UNIT(scalable, segment) ROW(UNIT, scalable, segment, 0, 0)
#define DOMAIN(stage, top_level) ROW(DOMAIN, stage, top_level, 0, 0)
/* Of the last domain, an IOVA in pages. */
#define MAP(page, level, count) ROW(MAP, page, level, count, 0)
#define DEVICE(unit, bdf, domain, pdts) ROW(DEVICE, unit, bdf, domain, pdts)
/* Of the last device. */
#define ALIAS(bdf, type) ROW(ALIAS, bdf, type, 0, 0)
#define PASID(pasid, domain) ROW(PASID, pasid, domain, 0, 0)
#define HWPT(domain, iommufd_token, token) ROW(HWPT, domain, iommufd_token, token, 0)
/* So many devices from a bdf on, each with two aliases and two HWPTs. */
#define DEVICES(unit, bdf, domain, count) ROW(DEVICES, unit, bdf, domain, count)

static const struct row small_rows[] = {
	UNIT(0, 0),
	DOMAIN(IOMMUSER_STAGE_SECOND, 2),
	MAP(1, 0, 1),
	DEVICE(0, 0x20, 0, 0),
};

static const struct row plain_rows[] = {
	UNIT(0, 0),
	UNIT(1, 1),
	DOMAIN(IOMMUSER_STAGE_SECOND, 2),
	MAP(0, 0, 4),
	DOMAIN(IOMMUSER_STAGE_SECOND, 3),
	MAP(0x200, 1, 2),
	DOMAIN(IOMMUSER_STAGE_FIRST, 3),
	MAP(0xffff800000000, 0, 2),
	DEVICE(0, 0x20, 0, 0),
	DEVICE(0, 0x28, 0, 0),
	DEVICE(0, 0x0100, 1, 0),
	DEVICE(1, 0x40, 1, 0),
	DEVICE(1, 0xf8, 2, 3),
};

static const struct row full_rows[] = {
	UNIT(0, 0),
	UNIT(1, 1),
	DOMAIN(IOMMUSER_STAGE_SECOND, 3),
	MAP(0, 0, 16),
	MAP(0x200, 1, 3),
	MAP(0x40000, 2, 1),
	MAP(0x8000000, 0, 4),
	DOMAIN(IOMMUSER_STAGE_FIRST, 3),
	MAP(0xffff800000000, 0, 5),
	MAP(1, 0, 2),
	DOMAIN(IOMMUSER_STAGE_SECOND, 2),
	MAP(0x10, 0, 600),
	DOMAIN(IOMMUSER_STAGE_FIRST, 4),
	DEVICE(0, 0x20, 0, 0),
	DEVICE(0, 0x28, 0, 0),
	DEVICE(0, 0x0300, 2, 0),
	ALIAS(0x0208, IOMMUSER_ALIAS_DMA),
	ALIAS(0x0210, IOMMUSER_ALIAS_REAL_DMA_PARENT),
	DEVICE(1, 0x20, 0, 0),
	PASID(5, 1),
	PASID(130, 3),
	DEVICE(1, 0xf8, 1, 3),
	ALIAS(0xff80, IOMMUSER_ALIAS_DMA),
	PASID(63, 0),
	DEVICE(1, 0x21, 0, 0),
	HWPT(0, OWNER, 1),
	HWPT(0, OWNER, 2),
	HWPT(2, OWNER + 1, 1),
	HWPT(1, OWNER, 0xffffffff),
};

static const struct row many_rows[] = {
	UNIT(0, 0),
	UNIT(1, 0),
	DOMAIN(IOMMUSER_STAGE_SECOND, 2),
	MAP(0, 0, 1),
	DOMAIN(IOMMUSER_STAGE_SECOND, 2),
	DEVICE(1, 0x20, 1, 0),
	PASID(1, 0),
	DEVICES(0, 0x4000, 0, 34),
	DEVICES(0, 0x4040, 1, 4),
};

static const struct {
	const struct row *rows;
	u32 nr_rows;
} worlds[NR_WORLDS] = {
	[WORLD_SMALL] = { small_rows, ARRAY_SIZE(small_rows) },
	[WORLD_PLAIN] = { plain_rows, ARRAY_SIZE(plain_rows) },
	[WORLD_FULL] = { full_rows, ARRAY_SIZE(full_rows) },
	[WORLD_MANY] = { many_rows, ARRAY_SIZE(many_rows) },
};

static u64 new_table(struct world *world, u32 nr_frames)
{
	u64 table = host_alloc(world->host, nr_frames, FRAME_LIVE);

	require(table, "no memory for tables");
	return table;
}

/* Units */

static void add_unit(struct world *world, bool scalable, u32 segment)
{
	struct world_unit *unit = &world->units[world->nr_units];

	unit->there = true;
	unit->scalable = scalable;
	unit->record = (struct iommuser_iommu){
		.type = IOMMUSER_IOMMU_TYPE_INTEL,
		.segment = segment,
		.token = 0xfed90000 + world->nr_units * 0x1000,
		.mode = scalable ? IOMMUSER_IOMMU_MODE_SCALABLE : IOMMUSER_IOMMU_MODE_LEGACY,
		.host_address_width = 39,
		.root_table = new_table(world, 1),
		.cap = CAP,
		.ecap = ECAP,
		.first_did = FIRST_DID,
		.did_limit = DID_LIMIT,
	};
	world->nr_units++;
}

void world_add_context_table(struct world *world, u32 unit, u32 bdf)
{
	const struct world_unit *of = &world->units[unit];
	u64 entry = root_entry(of->record.root_table, of->scalable, bdf);
	u64 table;

	if (word_at(world->host->memory, entry))
		return;
	table = host_alloc(world->host, 1, FRAME_LIVE);
	if (table)
		put_word(world->host->memory, entry, table | PRESENT);
}

/* Domains */

static void add_domain(struct world *world, u32 stage, u32 top_level)
{
	struct world_domain *domain = &world->domains[world->nr_domains++];

	domain->there = true;
	domain->stage = (struct stage){ stage, new_table(world, 1), top_level };
	domain->record = (struct iommuser_domain){
		.stage = stage,
		.format = stage,
		.top_table = domain->stage.top_table,
		.top_level = top_level,
		.input_width = 12 + 9 * (top_level + 1),
		.output_width = 39,
		.features = stage == IOMMUSER_STAGE_FIRST ? IOMMUSER_FEATURE_SIGN_EXTEND : 0,
	};
}

static void map_payload(struct world *world, u64 page, u32 level, u32 count)
{
	u64 size = FRAME_SIZE << (9 * level);

	u64 phys = (PAYLOAD_BASE + world->payload + size - 1) / size * size;

	/* A leaf as large as all payload maps it a second time. */
	if (phys + count * size > PAYLOAD_BASE + PAYLOAD_SIZE)
		phys = PAYLOAD_BASE;
	else
		world->payload = phys + count * size - PAYLOAD_BASE;
	map_leaves(world->host, &world->domains[world->nr_domains - 1].stage, page * FRAME_SIZE,
		   level, count, phys);
}

/* Devices */

/* Domain ids differ from unit to unit, and mean different domains on each. */
static u32 did_of(u32 unit, u32 domain)
{
	return FIRST_DID + (unit ? WORLD_DOMAINS - 1 - domain : domain);
}

static void attach(struct world *world, u64 directory, u32 pasid, u32 domain, u32 did)
{
	struct memory *memory = world->host->memory;
	u64 entry = directory + pasid / 64 * 8;

	if (!word_at(memory, entry))
		put_word(memory, entry, new_table(world, 1) | PRESENT);
	put_pasid_entry(memory, pasid_entry(memory, directory, pasid),
			&world->domains[domain].stage, did);
}

static void put_context(struct world *world, const struct world_device *device, u32 bdf, u32 pdts)
{
	const struct world_unit *unit = &world->units[device->unit];
	const struct stage *stage = &world->domains[device->domain].stage;
	struct memory *memory = world->host->memory;
	u64 entry;

	world_add_context_table(world, device->unit, bdf);
	entry = context_entry(memory, unit->record.root_table, unit->scalable, bdf);
	if (unit->scalable) {
		put_word(memory, entry,
			 device->request.device.pasid_directory | PRESENT | PASIDE | pdts << 9);
	} else {
		put_word(memory, entry, stage->top_table | PRESENT);
		put_word(memory, entry + 8, (stage->top_level - 1) | device->request.did << 8);
	}
}

static void add_device(struct world *world, u32 unit, u32 bdf, u32 domain, u32 pdts)
{
	struct world_device *device = &world->devices[world->nr_devices++];
	u64 bytes = 8ULL << (pdts + 7);

	device->there = true;
	device->unit = unit;
	device->domain = domain;
	device->request.did = did_of(unit, domain);
	device->request.aliases = device->aliases;
	device->request.device = (struct iommuser_device){
		.segment = world->units[unit].record.segment,
		.bdf = bdf,
		.owner_token = OWNER,
		.group_size = 1,
		.device_flags = IOMMUSER_DEVICE_RESET_WORKS,
	};
	if (world->units[unit].scalable) {
		device->request.device.pasid_entries = 64 << (pdts + 7);
		device->request.device.pasid_directory =
			new_table(world, (u32)((bytes + FRAME_SIZE - 1) / FRAME_SIZE));
		attach(world, device->request.device.pasid_directory, 0, domain,
		       device->request.did);
	}
	put_context(world, device, bdf, pdts);
}

static void add_alias(struct world *world, u32 bdf, u32 type)
{
	struct world_device *device = &world->devices[world->nr_devices - 1];
	u64 root = world->units[device->unit].record.root_table;
	bool scalable = world->units[device->unit].scalable;
	const struct memory *memory = world->host->memory;
	u32 pdts = (u32)word_at(memory, context_entry(memory, root, scalable,
						      (u32)device->request.device.bdf)) >>
			   9 &
		   7;

	device->aliases[device->request.nr_aliases++] = (struct iommuser_alias_id){
		.segment = (u32)device->request.device.segment, .bdf = bdf, .type = type
	};
	put_context(world, device, bdf, scalable ? pdts : 0);
}

static void add_pasid(struct world *world, u32 pasid, u32 domain)
{
	u32 device = world->nr_devices - 1;
	u32 did = did_of(world->devices[device].unit, domain);

	attach(world, world->devices[device].request.device.pasid_directory, pasid, domain, did);
	world->pasids[world->nr_pasids++] = (struct world_pasid){
		.device = device, .domain = domain, .pasid = pasid, .did = did, .there = true
	};
}

static void add_hwpt(struct world *world, u32 domain, u64 iommufd_token, u64 token)
{
	world->hwpts[world->nr_hwpts++] = (struct world_hwpt){
		.domain = domain, .iommufd_token = iommufd_token, .token = token, .there = true
	};
}

static void add_row(struct world *world, const struct row *row)
{
	u32 i;

	switch (row->kind) {
	case ROW_UNIT:
		add_unit(world, row->a, row->b);
		break;
	case ROW_DOMAIN:
		add_domain(world, (u32)row->a, row->b);
		break;
	case ROW_MAP:
		map_payload(world, row->a, row->b, row->c);
		break;
	case ROW_DEVICE:
		add_device(world, (u32)row->a, row->b, row->c, row->d);
		break;
	case ROW_ALIAS:
		add_alias(world, (u32)row->a, row->b);
		break;
	case ROW_PASID:
		add_pasid(world, (u32)row->a, row->b);
		break;
	case ROW_HWPT:
		add_hwpt(world, (u32)row->a, row->b, row->c);
		break;
	case ROW_DEVICES:
		for (i = 0; i < row->d; i++) {
			add_device(world, (u32)row->a, row->b + i, row->c, 0);
			add_alias(world, row->b + i + 0x1000, IOMMUSER_ALIAS_DMA);
			add_alias(world, row->b + i + 0x2000, IOMMUSER_ALIAS_DMA);
			add_hwpt(world, row->c, OWNER, row->b + i);
			add_hwpt(world, row->c, OWNER + 1, row->b + i);
		}
		break;
	}
}

void world_begin(struct world *world, struct host *host, enum world_kind kind)
{
	u32 i;

	memset(world, 0, sizeof(*world));
	world->host = host;
	world->preserve = (struct iommuser_preserve){ .writer = &world->writer,
						      .tables = &host->env,
						      .ops = &host->preserve_ops };
	for (i = 0; i < worlds[kind].nr_rows; i++)
		add_row(world, &worlds[kind].rows[i]);
}

int world_start_writer(struct world *world, u64 generation)
{
	return iommuser_writer_start(&world->writer, &world->host->env, &world->host->record_pages,
				     generation, "7.3.0-fuzz");
}

/* Preserving */

int world_preserve_domain(struct world *world, u32 i)
{
	struct world_domain *domain = &world->domains[i];

	return iommuser_preserve_domain(&world->preserve, &domain->record, MEMORY_FRAMES,
					&domain->handle);
}

int world_unpreserve_domain(struct world *world, u32 i)
{
	return iommuser_unpreserve_domain(&world->preserve, &world->domains[i].handle);
}

int world_preserve_device(struct world *world, u32 i)
{
	struct world_device *device = &world->devices[i];
	struct world_unit *unit = &world->units[device->unit];

	return iommuser_preserve_device(&world->preserve, &device->request, &unit->record,
					&unit->handle, &world->domains[device->domain].handle,
					&device->handle);
}

int world_unpreserve_device(struct world *world, u32 i)
{
	return iommuser_unpreserve_device(&world->preserve, &world->devices[i].handle);
}

int world_preserve_pasid(struct world *world, u32 i)
{
	struct world_pasid *pasid = &world->pasids[i];

	return iommuser_preserve_attachment(&world->preserve, &world->devices[pasid->device].handle,
					    &world->domains[pasid->domain].handle, pasid->pasid,
					    pasid->did, &pasid->handle);
}

int world_unpreserve_pasid(struct world *world, u32 i)
{
	return iommuser_unpreserve_attachment(&world->preserve, &world->pasids[i].handle);
}

int world_preserve_hwpt(struct world *world, u32 i)
{
	struct world_hwpt *hwpt = &world->hwpts[i];

	return iommuser_preserve_hwpt(&world->preserve, &world->domains[hwpt->domain].handle,
				      hwpt->iommufd_token, hwpt->token, &hwpt->handle);
}

int world_unpreserve_hwpt(struct world *world, u32 i)
{
	return iommuser_unpreserve_hwpt(&world->preserve,
					&world->domains[world->hwpts[i].domain].handle,
					&world->hwpts[i].handle);
}

void world_preserve_all(struct world *world)
{
	u32 i;

	for (i = 0; i < world->nr_domains; i++)
		require(!world_preserve_domain(world, i), "domain %u", i);
	for (i = 0; i < world->nr_devices; i++)
		require(!world_preserve_device(world, i), "device %u", i);
	for (i = 0; i < world->nr_pasids; i++)
		require(!world_preserve_pasid(world, i), "PASID %u", i);
	for (i = 0; i < world->nr_hwpts; i++)
		require(!world_preserve_hwpt(world, i), "HWPT %u", i);
}
