// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Live tables, written from the VT-d specification (9.1 to 9.8), and preserved.
 */
#include "world.h"

#include <string.h>

#define PRESENT 1ULL
#define PASID_ENABLE (1ULL << 3) /* of a scalable context entry */
#define LEGACY_TOKEN 0xfed90000ULL
#define SCALABLE_TOKEN 0xfed91000ULL
/* 65536 domain ids (ND = 6), and bits that say nothing here. */
#define CAP 0x00d2008c40660406ULL
#define ECAP 0x0000000000f050daULL

static void put(struct sim *sim, u64 phys, u64 value)
{
	u8 *at = sim_bytes(sim, phys);
	u32 i;

	for (i = 0; i < 8; i++)
		at[i] = (u8)(value >> (8 * i));
}

static u64 get(struct sim *sim, u64 phys)
{
	const u8 *at = sim_bytes(sim, phys);
	u64 value = 0;
	u32 i;

	for (i = 0; i < 8; i++)
		value |= (u64)at[i] << (8 * i);
	return value;
}

/* Units */

static u32 add_unit(struct world *world, u64 token, u32 segment, bool scalable)
{
	struct world_unit *unit = &world->units[world->nr_units];

	unit->scalable = scalable;
	unit->record = (struct iommuser_iommu){
		.type = IOMMUSER_IOMMU_TYPE_INTEL,
		.segment = segment,
		.token = token,
		.mode = scalable ? IOMMUSER_IOMMU_MODE_SCALABLE : IOMMUSER_IOMMU_MODE_LEGACY,
		.host_address_width = 39,
		.root_table = sim_alloc(world->sim, 1),
		.cap = CAP,
		.ecap = ECAP,
		.first_did = 2,
		.did_limit = 65536,
	};
	sim_add_unit(world->sim, token);
	return world->nr_units++;
}

/* Address of the context entry of a requester; its table is made if there is none. */
static u64 context_entry(struct world *world, u32 number, u32 bdf)
{
	struct world_unit *unit = &world->units[number];
	u32 half = unit->scalable ? bdf >> 7 & 1 : 0;
	u64 entry = unit->record.root_table + (bdf >> 8) * 16 + half * 8;
	u32 bit = (bdf >> 8) * 2 + half;

	if (!(get(world->sim, entry) & PRESENT))
		put(world->sim, entry, sim_alloc(world->sim, 1) | PRESENT);
	unit->record.context_tables[bit / 64] |= 1ULL << (bit % 64);
	return (get(world->sim, entry) & ~PRESENT) +
	       (unit->scalable ? (bdf & 0x7f) * 32 : (bdf & 0xff) * 16);
}

/* Domains */

static u64 alloc_table(struct world *world, struct world_domain *domain)
{
	domain->nr_tables++;
	return sim_alloc(world->sim, 1);
}

static u32 add_domain(struct world *world, u32 stage, u32 top_level)
{
	struct world_domain *domain = &world->domains[world->nr_domains];

	domain->record = (struct iommuser_domain){
		.stage = stage,
		.format = stage,
		.top_table = alloc_table(world, domain),
		.top_level = top_level,
		.input_width = 12 + 9 * (top_level + 1),
		.output_width = 39,
		.features = stage == IOMMUSER_STAGE_FIRST ? IOMMUSER_FEATURE_SIGN_EXTEND : 0,
	};
	return world->nr_domains++;
}

/* Map @count leaves of @level at @iova to fresh payload. */
static void map_payload(struct world *world, u32 number, u64 iova, u32 level, u32 count)
{
	struct world_domain *domain = &world->domains[number];
	bool first = domain->record.stage == IOMMUSER_STAGE_FIRST;
	u64 size = SIM_TABLE_SIZE << (9 * level);

	world->payload = (world->payload + size - 1) / size * size;
	for (; count; count--, iova += size, world->payload += size) {
		u64 table = domain->record.top_table;
		u32 at = (u32)domain->record.top_level;
		u64 entry;

		for (;; at--) {
			entry = table + (iova >> (12 + 9 * at) & 511) * 8;
			if (at == level)
				break;
			if (!get(world->sim, entry))
				put(world->sim, entry, alloc_table(world, domain) | 3);
			table = get(world->sim, entry) & ~0xfffULL;
		}
		put(world->sim, entry,
		    (SIM_PAYLOAD + world->payload) | (level ? 0x80 : 0) | (first ? 0x63 : 3));
	}
}

/* Devices */

static void write_pasid_entry(struct world *world, u64 at, const struct iommuser_domain *domain,
			      u32 did)
{
	if (domain->stage == IOMMUSER_STAGE_SECOND) {
		put(world->sim, at,
		    domain->top_table | PRESENT | 2 << 6 | (domain->top_level - 1) << 2);
		put(world->sim, at + 8, did);
		return;
	}
	put(world->sim, at, PRESENT | 1 << 6);
	put(world->sim, at + 8, did);
	put(world->sim, at + 16, domain->top_table | (domain->top_level - 3) << 2);
}

/* @size: PDTS, the directory has 2^(@size + 7) entries. */
static void make_directory(struct world *world, struct world_device *device, u32 size)
{
	u64 bytes = 8ULL << (size + 7);
	u64 table = sim_alloc(world->sim, 1);
	u64 directory = sim_alloc(world->sim, (bytes + SIM_TABLE_SIZE - 1) / SIM_TABLE_SIZE);

	put(world->sim, directory, table | PRESENT);
	write_pasid_entry(world, table, &world->domains[device->domain].record,
			  device->request.did);
	device->request.device.pasid_directory = directory;
	device->request.device.pasid_entries = 64 << (size + 7);
}

static void write_context(struct world *world, const struct world_device *device, u32 bdf, u32 size)
{
	const struct iommuser_domain *domain = &world->domains[device->domain].record;
	u64 entry = context_entry(world, device->unit, bdf);

	assert_int_equal(get(world->sim, entry), 0);
	if (world->units[device->unit].scalable) {
		put(world->sim, entry,
		    device->request.device.pasid_directory | PASID_ENABLE | (u64)size << 9 |
			    PRESENT);
	} else {
		put(world->sim, entry, domain->top_table | PRESENT);
		put(world->sim, entry + 8, (domain->top_level - 1) | (u64)device->request.did << 8);
	}
}

/* Domain ids differ from unit to unit, and mean different domains on each. */
static u32 did_of(u32 unit, u32 domain)
{
	return unit ? 2 + WORLD_MAX_DOMAINS - 1 - domain : 2 + domain;
}

struct world_device *world_add_device(struct world *world, u32 unit, u32 bdf, u32 domain,
				      u32 directory_size)
{
	struct world_device *device = &world->devices[world->nr_devices++];

	device->unit = unit;
	device->domain = domain;
	device->request.did = did_of(unit, domain);
	device->request.aliases = device->aliases;
	device->request.device = (struct iommuser_device){
		.segment = world->units[unit].record.segment,
		.bdf = bdf,
		.owner_token = 0x100,
		.group_size = 1,
		.device_flags = IOMMUSER_DEVICE_RESET_WORKS,
	};
	if (world->units[unit].scalable)
		make_directory(world, device, directory_size);
	write_context(world, device, bdf, directory_size);
	return device;
}

struct world_pasid *world_add_pasid(struct world *world, u32 device, u32 domain, u32 pasid)
{
	struct world_pasid *added = &world->pasids[world->nr_pasids++];
	u64 directory = world->devices[device].request.device.pasid_directory;
	u64 table = get(world->sim, directory) & ~0xfffULL;

	added->device = device;
	added->domain = domain;
	added->pasid = pasid;
	added->did = did_of(world->devices[device].unit, domain);
	write_pasid_entry(world, table + 64ULL * pasid, &world->domains[domain].record, added->did);
	return added;
}

static void add_alias(struct world *world, struct world_device *device, u32 bdf, u32 type,
		      u32 directory_size)
{
	device->aliases[device->request.nr_aliases++] = (struct iommuser_alias_id){
		.segment = (u32)device->request.device.segment, .bdf = bdf, .type = type
	};
	write_context(world, device, bdf, directory_size);
}

static void add_hwpt(struct world *world, u32 domain, u64 iommufd_token, u64 token)
{
	world->hwpts[world->nr_hwpts++] = (struct world_hwpt){ .domain = domain,
							       .iommufd_token = iommufd_token,
							       .token = token };
}

static void build_full(struct world *world, bool many)
{
	u32 legacy = add_unit(world, LEGACY_TOKEN, 0, false);
	u32 scalable = add_unit(world, SCALABLE_TOKEN, 1, true);
	u32 both = add_domain(world, IOMMUSER_STAGE_SECOND, 3);
	u32 first = add_domain(world, IOMMUSER_STAGE_FIRST, 3);
	u32 narrow = add_domain(world, IOMMUSER_STAGE_SECOND, 2);
	u32 empty = add_domain(world, IOMMUSER_STAGE_SECOND, 3);
	struct world_device *device;
	u32 i;

	map_payload(world, both, 0, 0, 16);
	map_payload(world, both, 0x200000, 1, 3);
	map_payload(world, both, 0x40000000, 2, 1);
	map_payload(world, both, 0x8000000000, 0, 4);
	map_payload(world, first, 0xffff800000000000, 0, 5);
	map_payload(world, first, 0x1000, 0, 2);
	map_payload(world, narrow, 0x10000, 0, 600);

	world_add_device(world, legacy, 0x0020, both, 0);
	world_add_device(world, legacy, 0x0028, both, 0);
	device = world_add_device(world, legacy, 0x0300, narrow, 0);
	add_alias(world, device, 0x0208, IOMMUSER_ALIAS_DMA, 0);
	add_alias(world, device, 0x0210, IOMMUSER_ALIAS_REAL_DMA_PARENT, 0);
	world_add_device(world, scalable, 0x0020, both, 2);
	device = world_add_device(world, scalable, 0x00f8, first, 3);
	add_alias(world, device, 0xff80, IOMMUSER_ALIAS_DMA, 3);
	world_add_device(world, scalable, 0x0021, both, 0);
	world_add_device(world, scalable, 0x0022, empty, 0);
	add_hwpt(world, both, 0x100, 1);
	add_hwpt(world, both, 0x100, 2);
	add_hwpt(world, narrow, 0x101, 1);
	add_hwpt(world, first, 0x100, 0xffffffffffffffff);
	for (i = 0; many && i < 65; i++) {
		device = world_add_device(world, legacy, 0x4000 + i, i % 2 ? both : narrow, 0);
		add_alias(world, device, 0x5000 + i, IOMMUSER_ALIAS_DMA, 0);
		add_hwpt(world, narrow, 0x200, i);
	}
}

static void build_small(struct world *world)
{
	u32 unit = add_unit(world, LEGACY_TOKEN, 0, false);
	u32 domain = add_domain(world, IOMMUSER_STAGE_SECOND, 2);

	map_payload(world, domain, 0x1000, 0, 1);
	world_add_device(world, unit, 0x0020, domain, 0);
}

struct world *world_new(enum world_kind kind, u32 page_shift)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->sim = sim_new(page_shift);
	if (kind == WORLD_SMALL)
		build_small(world);
	else
		build_full(world, kind == WORLD_MANY);
	assert_int_equal(iommuser_writer_start(&world->writer, &world->sim->env, &world->sim->pages,
					       0x1122334455667788, "7.3.0-simulated"),
			 0);
	world->root = iommuser_writer_root(&world->writer);
	world->preserve = (struct iommuser_preserve){
		.writer = &world->writer,
		.tables = &world->sim->env,
		.ops = &world->sim->preserve_ops,
	};
	return world;
}

void world_free(struct world *world)
{
	sim_assert_sound(world->sim);
	sim_free(world->sim);
	free(world);
}

int world_preserve_domain(struct world *world, u32 i)
{
	struct world_domain *domain = &world->domains[i];

	return iommuser_preserve_domain(&world->preserve, &domain->record, WORLD_MAX_TABLES,
					&domain->handle);
}

int world_preserve_device(struct world *world, u32 i)
{
	struct world_device *device = &world->devices[i];
	struct world_unit *unit = &world->units[device->unit];

	return iommuser_preserve_device(&world->preserve, &device->request, &unit->record,
					&unit->handle, &world->domains[device->domain].handle,
					&device->handle);
}

int world_preserve_hwpt(struct world *world, u32 i)
{
	struct world_hwpt *hwpt = &world->hwpts[i];

	return iommuser_preserve_hwpt(&world->preserve, &world->domains[hwpt->domain].handle,
				      hwpt->iommufd_token, hwpt->token, &hwpt->handle);
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

int world_unpreserve_domain(struct world *world, u32 i)
{
	return iommuser_unpreserve_domain(&world->preserve, &world->domains[i].handle);
}

int world_unpreserve_device(struct world *world, u32 i)
{
	return iommuser_unpreserve_device(&world->preserve, &world->devices[i].handle);
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
		assert_int_equal(world_preserve_domain(world, i), 0);
	for (i = 0; i < world->nr_devices; i++)
		assert_int_equal(world_preserve_device(world, i), 0);
	for (i = 0; i < world->nr_hwpts; i++)
		assert_int_equal(world_preserve_hwpt(world, i), 0);
	for (i = 0; i < world->nr_pasids; i++)
		assert_int_equal(world_preserve_pasid(world, i), 0);
}

u64 world_tables(const struct world *world)
{
	u64 count = 0;
	u32 i, bit;

	for (i = 0; i < world->nr_units; i++) {
		count++;
		for (bit = 0; bit < 512; bit++)
			count += world->units[i].record.context_tables[bit / 64] >> (bit % 64) & 1;
	}
	for (i = 0; i < world->nr_domains; i++)
		count += world->domains[i].nr_tables;
	for (i = 0; i < world->nr_devices; i++) {
		u64 bytes = world->devices[i].request.device.pasid_entries / 64 * 8;

		if (bytes)
			count += 1 + (bytes + SIM_TABLE_SIZE - 1) / SIM_TABLE_SIZE;
	}
	return count;
}

struct iommuser_pageset *world_set(const struct world *world)
{
	struct iommuser_pageset *set = pageset_new(64, IOMMUSER_NR_PLANES);

	sim_fill_set(world->sim, set);
	if (world->payload)
		assert_int_equal(iommuser_pageset_add(set, IOMMUSER_PRESERVED, SIM_PAYLOAD,
						      world->payload),
				 0);
	return set;
}

static bool perhaps_used(void *ctx, u64 domain)
{
	(void)ctx;
	(void)domain;
	return true;
}

/* Record and table pages that nothing leads to. */
static void expect_all_explained(const struct iommuser_pageset *set)
{
	u64 cursor = 0;
	u64 phys, length;

	while (iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_PRESERVED), &cursor,
				     IOMMUSER_IN(IOMMUSER_VISITED) | IOMMUSER_IN(IOMMUSER_MAPPED),
				     &phys, &length))
		if (phys < SIM_PAYLOAD)
			fail_msg("%#llx is preserved and nothing leads to it",
				 (unsigned long long)phys);
}

void world_verify(struct world *world, bool complete)
{
	static struct findings findings;
	struct iommuser_pageset *set = world_set(world);
	struct iommuser_root root;
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	struct iommuser_verify verify = {
		.env = &world->sim->env,
		.root = &root,
		.survey = &survey,
		.graph = &graph,
		.set = set,
		.reporter = &findings.reporter,
		.used_elsewhere = complete ? NULL : perhaps_used,
		.options = complete ? 0 : IOMMUSER_VERIFY_BEFORE_JUMP,
	};
	u64 size;
	void *memory;

	findings_init(&findings);
	assert_int_equal(iommuser_root_open(&world->sim->env, iommuser_revision_at(0), world->root,
					    set, &findings.reporter, &root),
			 0);
	assert_int_equal(
		iommuser_survey_root(&world->sim->env, &root, set, &findings.reporter, &survey), 0);
	size = iommuser_graph_size(&root, &survey);
	memory = calloc(1, size);
	assert_non_null(memory);
	assert_int_equal(
		iommuser_graph_build(&graph, &world->sim->env, &root, &survey, 1, memory, size), 0);
	assert_int_equal(iommuser_verify_all(&verify), 0);
	expect_findings(&findings, "");
	if (complete)
		expect_all_explained(set);
	free(memory);
	pageset_free(set);
}
