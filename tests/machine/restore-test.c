// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the restore machine: what one simulated kernel preserved, taken
 * over by the next one.
 */
#include "world.h"

#include <string.h>
#include <zlib.h>

static const enum world_kind kinds[] = { WORLD_SMALL, WORLD_FULL, WORLD_MANY };
static const u32 shifts[] = { 12, 14, 16 };

/* The next kernel. */
struct next {
	struct world *world;
	struct sim *sim;
	struct iommuser_restore machine;
	struct iommuser_pageset *set;
	void *memory;
	u64 size;
	struct findings findings;
	struct sim_snapshot *arrival;
};

/* Preserve a world and jump. */
static struct next *jump(struct world *world)
{
	struct next *next = calloc(1, sizeof(*next));

	assert_non_null(next);
	next->world = world;
	next->sim = world->sim;
	sim_kexec(world->sim);
	next->arrival = sim_snapshot(world->sim);
	findings_init(&next->findings);
	return next;
}

static struct next *arrive(enum world_kind kind, u32 page_shift)
{
	struct world *world = world_new(kind, page_shift);

	world_preserve_all(world);
	return jump(world);
}

static void close_machine(struct next *next)
{
	free(next->memory);
	next->memory = NULL;
	if (next->set)
		pageset_free(next->set);
	next->set = NULL;
}

static void leave(struct next *next)
{
	close_machine(next);
	free(next->arrival);
	world_free(next->world);
	free(next);
}

static int open_machine(struct next *next, enum iommuser_restore_level level)
{
	next->set = level == IOMMUSER_LEVEL_CLOSURE ? world_set(next->world) : NULL;
	return iommuser_restore_open(&next->machine, &next->sim->env, &next->sim->restore_ops,
				     iommuser_revision_at(0), next->world->root, next->set,
				     &next->findings.reporter);
}

static int validate(struct next *next, enum iommuser_restore_level level)
{
	next->size = iommuser_restore_size(&next->machine);
	if (!next->size)
		abort();
	next->memory = calloc(1, next->size);
	assert_non_null(next->memory);
	return iommuser_restore_validate(&next->machine, level, 42, next->memory, next->size,
					 &next->findings.reporter);
}

/* Both must work, find nothing and touch nothing. */
static void ready(struct next *next, enum iommuser_restore_level level)
{
	assert_int_equal(open_machine(next, level), 0);
	assert_int_equal(validate(next, level), 0);
	expect_findings(&next->findings, "");
	assert_int_equal(next->sim->touched, 0);
}

/* Claims are numbered: units, domains, then devices. */
static u32 nr_claims(const struct next *next)
{
	return next->world->nr_units + next->world->nr_domains + next->world->nr_devices;
}

static void expect_iommu(const struct world_unit *unit, const struct iommuser_iommu *iommu)
{
	assert_int_equal(iommu->phys, unit->handle.phys);
	assert_int_equal(iommu->token, unit->record.token);
	assert_int_equal(iommu->mode, unit->record.mode);
	assert_int_equal(iommu->segment, unit->record.segment);
	assert_int_equal(iommu->root_table, unit->record.root_table);
	assert_memory_equal(iommu->context_tables, unit->record.context_tables,
			    sizeof(iommu->context_tables));
}

static int claim_unit(struct next *next, u32 i)
{
	const struct world_unit *unit = &next->world->units[i];
	const struct iommuser_unit real = {
		.token = unit->record.token,
		.cap = unit->record.cap,
		.ecap = unit->record.ecap,
		.host_address_width = unit->record.host_address_width,
		.mode = unit->record.mode,
	};
	struct iommuser_iommu iommu;
	int error = iommuser_restore_claim_iommu(&next->machine, &real, &iommu);

	if (!error)
		expect_iommu(unit, &iommu);
	return error;
}

static int claim_domain(struct next *next, u32 i)
{
	const struct world_domain *domain = &next->world->domains[i];
	struct iommuser_domain read;
	int error = iommuser_restore_claim_domain(&next->machine, domain->handle.phys, &read);

	if (error)
		return error;
	assert_int_equal(read.phys, domain->handle.phys);
	assert_int_equal(read.stage, domain->record.stage);
	assert_int_equal(read.top_table, domain->record.top_table);
	assert_int_equal(read.top_level, domain->record.top_level);
	assert_int_equal(read.nr_table_pages, domain->nr_tables);
	return 0;
}

static int claim_device(struct next *next, u32 i)
{
	const struct world_device *device = &next->world->devices[i];
	const struct iommuser_device *record = &device->request.device;
	struct iommuser_device read;
	int error =
		iommuser_restore_claim_device(&next->machine, record->segment, record->bdf, &read);

	if (error)
		return error;
	assert_int_equal(read.phys, device->handle.device.phys);
	assert_int_equal(read.bdf, record->bdf);
	assert_int_equal(read.owner_token, record->owner_token);
	assert_int_equal(read.iommu, next->world->units[device->unit].handle.phys);
	assert_int_equal(read.domain, next->world->domains[device->domain].handle.phys);
	assert_int_equal(read.did, device->request.did);
	assert_int_equal(read.pasid_directory, record->pasid_directory);
	return 0;
}

static int claim(struct next *next, u32 i)
{
	const struct world *world = next->world;

	if (i < world->nr_units)
		return claim_unit(next, i);
	i -= world->nr_units;
	if (i < world->nr_domains)
		return claim_domain(next, i);
	return claim_device(next, i - world->nr_domains);
}

static void claim_all(struct next *next)
{
	u32 i;

	for (i = 0; i < nr_claims(next); i++)
		assert_int_equal(claim(next, i), 0);
}

static int advance(struct next *next, u32 kind, u64 position, u32 state)
{
	return iommuser_restore_advance(&next->machine, kind, position, (enum iommuser_state)state);
}

/* Every live record of a kind goes on to @state. */
static void advance_all(struct next *next, u32 kind, enum iommuser_state state)
{
	u64 count = iommuser_restore_count(&next->machine, kind);
	union iommuser_record record;
	u64 i, live = 0;

	for (i = 0; i < count; i++) {
		if (iommuser_restore_read(&next->machine, kind, i, &record))
			continue;
		assert_int_equal(advance(next, kind, i, state), 0);
		live++;
	}
	assert_true(live > 0);
}

/* Everyone comes back: devices move to new domains, HWPTs keep the restored ones. */
static void hand_over_all(struct next *next)
{
	u64 touched = next->sim->touched;

	advance_all(next, IOMMUSER_KIND_DEVICE, IOMMUSER_HANDED_OVER);
	advance_all(next, IOMMUSER_KIND_DOMAIN, IOMMUSER_HANDED_OVER);
	advance_all(next, IOMMUSER_KIND_DEVICE, IOMMUSER_LEFT);
	assert_int_equal(next->sim->touched, touched);
}

/* Nobody comes back. */
static void abandon_all(struct next *next)
{
	u64 touched = next->sim->touched;

	advance_all(next, IOMMUSER_KIND_DEVICE, IOMMUSER_ABANDONED);
	advance_all(next, IOMMUSER_KIND_DOMAIN, IOMMUSER_ABANDONED);
	assert_int_equal(next->sim->touched, touched);
}

/* Each domain id that a device uses is reserved on that device's unit, and no other. */
static void check_dids(const struct next *next)
{
	const struct world *world = next->world;
	u64 expected = 0;
	u32 i, j;

	for (i = 0; i < world->nr_devices; i++) {
		const struct world_device *device = &world->devices[i];
		u64 token = world->units[device->unit].record.token;

		assert_true(sim_did_reserved(next->sim, token, device->request.did));
		for (j = 0; j < i; j++)
			if (world->devices[j].unit == device->unit &&
			    world->devices[j].domain == device->domain)
				break;
		expected += j == i;
	}
	assert_int_equal(next->sim->dids, expected);
}

static u64 restored(const struct next *next)
{
	return sim_count(next->sim, SIM_RESTORED);
}

/* All that was taken has been given up, and all else is as it came. */
static void expect_nothing_taken(struct next *next)
{
	sim_assert_sound(next->sim);
	assert_int_equal(restored(next), 0);
	assert_int_equal(next->sim->dids, 0);
	sim_take_back(next->sim);
	assert_true(sim_same(next->sim, next->arrival));
}

static void expect_closed(struct next *next)
{
	struct iommuser_iommu iommu;
	struct iommuser_domain domain;
	struct iommuser_device device;
	const struct iommuser_unit unit = { .token = next->world->units[0].record.token };
	u64 touched = next->sim->touched;

	assert_int_equal(iommuser_restore_claim_iommu(&next->machine, &unit, &iommu),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_restore_claim_domain(
				 &next->machine, next->world->domains[0].handle.phys, &domain),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_restore_claim_device(&next->machine, 0, 0x20, &device),
			 -IOMMUSER_EINVAL);
	assert_int_equal(advance(next, IOMMUSER_KIND_DEVICE, 0, IOMMUSER_ABANDONED),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_restore_finish(&next->machine), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_restore_size(&next->machine), 0);
	iommuser_restore_abort(&next->machine);
	assert_int_equal(next->sim->touched, touched);
}

static void everything_is_taken_over(void **state)
{
	u32 kind, shift, level;

	(void)state;
	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		for (shift = 0; shift < ARRAY_SIZE(shifts); shift++) {
			for (level = IOMMUSER_LEVEL_RECORDS; level <= IOMMUSER_LEVEL_CLOSURE;
			     level++) {
				struct next *next = arrive(kinds[kind], shifts[shift]);
				u64 tables = world_tables(next->world);

				ready(next, (enum iommuser_restore_level)level);
				claim_all(next);
				check_dids(next);
				assert_int_equal(restored(next), tables);
				if (shift % 2)
					abandon_all(next);
				else
					hand_over_all(next);
				assert_int_equal(iommuser_restore_finish(&next->machine), 0);
				/* Tables stay, records are gone, nothing is left over. */
				assert_int_equal(restored(next), tables);
				assert_int_equal(sim_count(next->sim, SIM_INCOMING), 0);
				check_dids(next);
				expect_closed(next);
				leave(next);
			}
		}
	}
}

/* Any order is right as long as a device comes after its unit. */
static void claims_come_in_any_order(void **state)
{
	u64 seed;

	(void)state;
	for (seed = 0; seed < 20; seed++) {
		struct next *next = arrive(WORLD_FULL, 12);
		const struct world *world = next->world;
		u32 total = nr_claims(next), left = total;
		bool done[WORLD_MAX_UNITS + WORLD_MAX_DOMAINS + WORLD_MAX_DEVICES] = { false };
		u64 random = seed;

		ready(next, IOMMUSER_LEVEL_TABLES);
		while (left) {
			u32 i = (u32)(random_next(&random) % total);
			u64 touched = next->sim->touched;
			u32 first_device = world->nr_units + world->nr_domains;
			bool early = i >= first_device &&
				     !done[world->devices[i - first_device].unit];
			int error = claim(next, i);

			assert_int_equal(iommuser_restore_finish(&next->machine), -IOMMUSER_EBUSY);
			if (done[i] || early) {
				assert_int_equal(error, -IOMMUSER_EBUSY);
				assert_int_equal(next->sim->touched, touched);
				continue;
			}
			assert_int_equal(error, 0);
			done[i] = true;
			left--;
		}
		hand_over_all(next);
		assert_int_equal(iommuser_restore_finish(&next->machine), 0);
		sim_assert_sound(next->sim);
		leave(next);
	}
}

static void what_is_not_there_is_not_found(void **state)
{
	struct next *next = arrive(WORLD_FULL, 12);
	struct world *world = next->world;
	const u64 references[] = {
		0,
		~0ULL,
		world->root,
		world->domains[0].handle.phys + 8,
		world->domains[0].handle.phys - 128,
		world->domains[world->nr_domains - 1].handle.phys + 128,
		world->devices[0].handle.device.phys,
		world->units[0].handle.phys,
		world->domains[0].record.top_table,
	};
	static const u64 requesters[][2] = {
		{ 0, 0x21 },	   { 1, 0x28 },	   { 2, 0x20 },	    { 0, 0x208 },
		{ 0x10000, 0x20 }, { 0, 0x10020 }, { ~0ULL, 0x20 }, { 0, ~0ULL },
	};
	struct iommuser_unit unit = { .token = world->units[0].record.token + 0x1000000 };
	struct iommuser_iommu iommu;
	struct iommuser_domain domain;
	struct iommuser_device device;
	u32 i;

	(void)state;
	ready(next, IOMMUSER_LEVEL_RECORDS);
	assert_int_equal(iommuser_restore_claim_iommu(&next->machine, &unit, &iommu),
			 -IOMMUSER_ENOENT);
	unit.token = 0;
	assert_int_equal(iommuser_restore_claim_iommu(&next->machine, &unit, &iommu),
			 -IOMMUSER_ENOENT);
	for (i = 0; i < ARRAY_SIZE(references); i++)
		assert_int_equal(iommuser_restore_claim_domain(&next->machine, references[i],
							       &domain),
				 -IOMMUSER_ENOENT);
	for (i = 0; i < ARRAY_SIZE(requesters); i++)
		assert_int_equal(iommuser_restore_claim_device(&next->machine, requesters[i][0],
							       requesters[i][1], &device),
				 -IOMMUSER_ENOENT);
	assert_int_equal(next->sim->touched, 0);
	claim_all(next);
	leave(next);
}

/* Records that were taken out before the jump, so that holes are left. */
static void deleted_records_are_not_found(void **state)
{
	struct world *world = world_new(WORLD_FULL, 12);
	struct next *next;
	struct iommuser_domain domain;
	struct iommuser_device device;
	u64 reference;
	u32 i;

	(void)state;
	world_preserve_all(world);
	/* The first device and HWPT of the narrow domain, and that domain: none is the last. */
	reference = world->domains[2].handle.phys;
	assert_int_equal(world_unpreserve_device(world, 2), 0);
	assert_int_equal(world_unpreserve_hwpt(world, 2), 0);
	assert_int_equal(world_unpreserve_domain(world, 2), 0);
	/* The kernel before the jump cuts the device and its aliases off. */
	memset(sim_bytes(world->sim, world->units[0].record.root_table) + 2 * 16, 0, 2 * 16);
	world->units[0].handle.record.iommu.context_tables[0] &= ~(5ULL << 4);
	next = jump(world);
	ready(next, IOMMUSER_LEVEL_RECORDS);
	assert_int_equal(iommuser_restore_claim_domain(&next->machine, reference, &domain),
			 -IOMMUSER_ENOENT);
	for (i = 0; i < world->nr_units; i++)
		assert_int_equal(claim_unit(next, i), 0);
	assert_int_equal(iommuser_restore_claim_device(&next->machine, 0, 0x300, &device),
			 -IOMMUSER_ENOENT);
	for (i = 0; i < world->nr_domains; i++)
		assert_int_equal(i == 2 ? 0 : claim_domain(next, i), 0);
	for (i = 0; i < world->nr_devices; i++)
		assert_int_equal(i == 2 ? 0 : claim_device(next, i), 0);
	assert_int_equal(advance(next, IOMMUSER_KIND_DOMAIN, 2, IOMMUSER_ABANDONED),
			 -IOMMUSER_ENOENT);
	assert_int_equal(advance(next, IOMMUSER_KIND_DEVICE, 2, IOMMUSER_ABANDONED),
			 -IOMMUSER_ENOENT);
	hand_over_all(next);
	assert_int_equal(iommuser_graph_state(&next->machine.graph, IOMMUSER_KIND_DEVICE, 2),
			 IOMMUSER_PRESERVED_STATE);
	assert_int_equal(iommuser_restore_finish(&next->machine), 0);
	sim_assert_sound(next->sim);
	leave(next);
}

static void another_unit_is_refused(void **state)
{
	struct next *next = arrive(WORLD_FULL, 12);
	const struct iommuser_iommu *record = &next->world->units[1].record;
	const struct iommuser_unit right = {
		.token = record->token,
		.cap = record->cap,
		.ecap = record->ecap,
		.host_address_width = record->host_address_width,
		.mode = record->mode,
	};
	struct iommuser_unit wrong[6] = { right, right, right, right, right, right };
	struct iommuser_iommu iommu;
	u32 i;

	(void)state;
	wrong[0].cap ^= 1ULL << 63;
	wrong[1].ecap ^= 1;
	wrong[2].host_address_width++;
	wrong[3].token = next->world->units[0].record.token;
	wrong[3].cap++;
	wrong[4].mode = IOMMUSER_IOMMU_MODE_LEGACY;
	wrong[5].mode = 0;
	ready(next, IOMMUSER_LEVEL_TABLES);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(iommuser_restore_claim_iommu(&next->machine, &wrong[i], &iommu),
				 -IOMMUSER_EMISMATCH);
	assert_int_equal(next->sim->touched, 0);
	claim_all(next);
	check_dids(next);
	leave(next);
}

static void calls_in_the_wrong_state_are_refused(void **state)
{
	struct next *next = arrive(WORLD_FULL, 12);

	(void)state;
	assert_int_equal(open_machine(next, IOMMUSER_LEVEL_RECORDS), 0);
	assert_int_equal(claim(next, 0), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_restore_finish(&next->machine), -IOMMUSER_EINVAL);
	assert_int_equal(validate(next, IOMMUSER_LEVEL_CLOSURE), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_restore_validate(&next->machine, IOMMUSER_LEVEL_TABLES, 1,
						   next->memory, next->size - 8,
						   &next->findings.reporter),
			 -IOMMUSER_ENOSPC);
	assert_int_equal(claim(next, 0), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_restore_validate(&next->machine, (enum iommuser_restore_level)3,
						   1, next->memory, next->size,
						   &next->findings.reporter),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_restore_validate(&next->machine, IOMMUSER_LEVEL_TABLES, 1,
						   next->memory, next->size,
						   &next->findings.reporter),
			 0);
	assert_int_equal(iommuser_restore_validate(&next->machine, IOMMUSER_LEVEL_TABLES, 1,
						   next->memory, next->size,
						   &next->findings.reporter),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_restore_finish(&next->machine), -IOMMUSER_EBUSY);
	assert_int_equal(next->sim->touched, 0);
	iommuser_restore_abort(&next->machine);
	expect_closed(next);
	assert_int_equal(next->sim->touched, 0);
	close_machine(next);

	/* Aborted before it was validated. */
	assert_int_equal(open_machine(next, IOMMUSER_LEVEL_RECORDS), 0);
	iommuser_restore_abort(&next->machine);
	expect_closed(next);
	leave(next);
}

/* It has left its marks in the page set: a second look would meet them. */
static void a_validation_that_fails_closes_the_machine(void **state)
{
	struct next *next = arrive(WORLD_FULL, 12);
	u8 *entry = sim_bytes(next->sim, next->world->units[0].record.root_table);
	u32 i;

	(void)state;
	entry[1] ^= 1; /* reserved */
	assert_int_equal(open_machine(next, IOMMUSER_LEVEL_CLOSURE), 0);
	assert_int_equal(validate(next, IOMMUSER_LEVEL_CLOSURE), -IOMMUSER_ECORRUPT);
	expect_findings(&next->findings, "VTD-15");
	entry[1] ^= 1;
	for (i = IOMMUSER_LEVEL_RECORDS; i <= IOMMUSER_LEVEL_CLOSURE; i++) {
		memset(next->memory, 0, next->size);
		assert_int_equal(iommuser_restore_validate(
					 &next->machine, (enum iommuser_restore_level)i, 42,
					 next->memory, next->size, &next->findings.reporter),
				 -IOMMUSER_EINVAL);
	}
	expect_closed(next);
	close_machine(next);

	findings_init(&next->findings);
	ready(next, IOMMUSER_LEVEL_CLOSURE);
	claim_all(next);
	check_dids(next);
	hand_over_all(next);
	assert_int_equal(iommuser_restore_finish(&next->machine), 0);
	leave(next);
}

/* Every record can be read by its position, before and after it is claimed. */
static void records_are_read_by_position(void **state)
{
	struct world *world = world_new(WORLD_FULL, 12);
	static const u64 counts[] = { 0, 2, 4, 7, 3, 7, 4, 0 };
	union iommuser_record record;
	struct next *next;
	u32 kind, round, i;

	(void)state;
	world_preserve_all(world);
	assert_int_equal(world_unpreserve_hwpt(world, 2), 0);
	next = jump(world);
	assert_int_equal(open_machine(next, IOMMUSER_LEVEL_RECORDS), 0);
	assert_int_equal(iommuser_restore_count(&next->machine, IOMMUSER_KIND_DEVICE), 0);
	assert_int_equal(iommuser_restore_read(&next->machine, IOMMUSER_KIND_DEVICE, 0, &record),
			 -IOMMUSER_EINVAL);
	assert_int_equal(validate(next, IOMMUSER_LEVEL_RECORDS), 0);
	for (round = 0; round < 2; round++) {
		for (kind = 0; kind < ARRAY_SIZE(counts); kind++) {
			assert_int_equal(iommuser_restore_count(&next->machine, kind),
					 counts[kind]);
			assert_int_equal(iommuser_restore_read(&next->machine, kind, counts[kind],
							       &record),
					 -IOMMUSER_ENOENT);
			for (i = 0; i < counts[kind]; i++) {
				bool deleted = kind == IOMMUSER_KIND_HWPT && i == 2;

				assert_int_equal(iommuser_restore_read(&next->machine, kind, i,
								       &record),
						 deleted ? -IOMMUSER_ENOENT : 0);
				assert_int_equal(record.common.index, i);
			}
		}
		for (i = 0; i < world->nr_domains; i++) {
			assert_int_equal(iommuser_restore_read(&next->machine, IOMMUSER_KIND_DOMAIN,
							       i, &record),
					 0);
			assert_int_equal(record.common.phys, world->domains[i].handle.phys);
			assert_int_equal(record.domain.stage, world->domains[i].record.stage);
		}
		for (i = 0; i < world->nr_devices; i++) {
			const struct world_device *device = &world->devices[i];

			assert_int_equal(iommuser_restore_read(&next->machine, IOMMUSER_KIND_DEVICE,
							       i, &record),
					 0);
			assert_int_equal(record.device.bdf, device->request.device.bdf);
			assert_int_equal(record.device.did, device->request.did);
			assert_int_equal(record.device.domain,
					 world->domains[device->domain].handle.phys);
		}
		if (!round)
			claim_all(next);
	}
	hand_over_all(next);
	assert_int_equal(iommuser_restore_finish(&next->machine), 0);
	assert_int_equal(iommuser_restore_count(&next->machine, IOMMUSER_KIND_DEVICE), 0);
	assert_int_equal(iommuser_restore_read(&next->machine, IOMMUSER_KIND_DEVICE, 0, &record),
			 -IOMMUSER_EINVAL);
	leave(next);
}

/*
 * Make the k-th callback of every claim fail, for every k. Released pages are not
 * mapped until the claim is over; then a host that set them aside has them back.
 */
static void a_claim_that_fails_takes_nothing(void **state)
{
	u64 k, steps = 0;
	u32 shift, i;

	(void)state;
	for (shift = 0; shift < 2; shift++) {
		struct next *next = arrive(WORLD_FULL, shifts[shift]);

		ready(next, IOMMUSER_LEVEL_TABLES);
		for (i = 0; i < nr_claims(next); i++) {
			struct sim_snapshot *before = sim_snapshot(next->sim);

			for (k = 1;; k++, steps++) {
				int error;

				sim_fail(next->sim, SIM_FAIL_ANY, k);
				error = claim(next, i);
				if (!sim_failed(next->sim)) {
					assert_int_equal(error, 0);
					break;
				}
				if (error != -IOMMUSER_EREFUSED && error != -IOMMUSER_EUNMAPPED)
					fail_msg(
						"claim %u, callback %llu failed and the result is %d",
						i, (unsigned long long)k, error);
				sim_assert_sound(next->sim);
				sim_take_back(next->sim);
				assert_true(sim_same(next->sim, before));
			}
			free(before);
		}
		check_dids(next);
		assert_int_equal(restored(next), world_tables(next->world));
		hand_over_all(next);
		assert_int_equal(iommuser_restore_finish(&next->machine), 0);
		leave(next);
	}
	print_message("%llu steps failed one by one\n", (unsigned long long)steps);
	assert_true(steps > 500);
}

static void finish_stops_at_a_page_that_is_refused(void **state)
{
	u64 k;

	(void)state;
	for (k = 1;; k++) {
		struct next *next = arrive(WORLD_FULL, 12);
		u64 incoming;
		int error;

		ready(next, IOMMUSER_LEVEL_RECORDS);
		claim_all(next);
		hand_over_all(next);
		incoming = sim_count(next->sim, SIM_INCOMING);
		sim_fail(next->sim, SIM_FAIL_RESTORE, k);
		error = iommuser_restore_finish(&next->machine);
		assert_int_equal(error, k <= incoming ? -IOMMUSER_EREFUSED : 0);
		assert_int_equal(sim_failed(next->sim), k <= incoming);
		assert_int_equal(sim_count(next->sim, SIM_INCOMING),
				 k <= incoming ? incoming - (k - 1) : 0);
		expect_closed(next);
		sim_assert_sound(next->sim);
		leave(next);
		if (k > incoming)
			break;
	}
	assert_int_equal(k, 8); /* a page for each kind, and the root */
}

static void abort_gives_everything_back(void **state)
{
	u32 kind, level, stop, i;

	(void)state;
	for (kind = 0; kind < 2; kind++) {
		struct next *next = arrive(kinds[kind], 12);

		for (stop = 0; stop <= nr_claims(next); stop++) {
			level = stop % 3;
			next->sim->touched = 0;
			ready(next, (enum iommuser_restore_level)level);
			for (i = 0; i < stop; i++)
				assert_int_equal(claim(next, i), 0);
			assert_int_equal(stop > 0, restored(next) > 0);
			iommuser_restore_abort(&next->machine);
			expect_nothing_taken(next);
			expect_closed(next);
			close_machine(next);
		}
		leave(next);
	}
}

/* After a failure in the middle, too: what the failed claim took has been given back already. */
static void abort_after_a_failure_gives_the_rest_back(void **state)
{
	struct next *next = arrive(WORLD_FULL, 12);
	u32 i, j;

	(void)state;
	for (i = 0; i < nr_claims(next); i++) {
		next->sim->touched = 0;
		ready(next, IOMMUSER_LEVEL_RECORDS);
		for (j = 0; j < i; j++)
			assert_int_equal(claim(next, j), 0);
		sim_fail(next->sim, SIM_FAIL_RESTORE | SIM_FAIL_DID, 2);
		claim(next, i);
		sim_failed(next->sim);
		iommuser_restore_abort(&next->machine);
		expect_nothing_taken(next);
		close_machine(next);
	}
	leave(next);
}

static void finish_wants_every_claim(void **state)
{
	u32 missing, i;
	u64 touched;

	(void)state;
	for (missing = 0; missing < 13; missing++) {
		struct next *next = arrive(WORLD_FULL, 12);
		const struct world *world = next->world;
		u32 first_device = world->nr_units + world->nr_domains;

		assert_int_equal(nr_claims(next), 13);
		ready(next, IOMMUSER_LEVEL_RECORDS);
		for (i = 0; i < nr_claims(next); i++) {
			if (i == missing)
				continue;
			assert_int_equal(claim(next, i),
					 i >= first_device &&
							 world->devices[i - first_device].unit ==
								 missing ?
						 -IOMMUSER_EBUSY :
						 0);
		}
		touched = next->sim->touched;
		assert_int_equal(iommuser_restore_finish(&next->machine), -IOMMUSER_EBUSY);
		assert_int_equal(next->sim->touched, touched);
		for (i = 0; i < nr_claims(next); i++)
			claim(next, i);
		hand_over_all(next);
		assert_int_equal(iommuser_restore_finish(&next->machine), 0);
		sim_assert_sound(next->sim);
		leave(next);
	}
}

/* Handing over */

#define NR_STATES (IOMMUSER_FINISHED + 1)

static enum iommuser_state state_of(const struct next *next, u32 kind, u64 position)
{
	return iommuser_graph_state(&next->machine.graph, kind, position);
}

static void advance_device(struct next *next, u32 state)
{
	assert_int_equal(advance(next, IOMMUSER_KIND_DEVICE, 0, state), 0);
	assert_int_equal(state_of(next, IOMMUSER_KIND_DEVICE, 0), state);
}

/* Bring the only device to a state; the unit is claimed for it. */
static void bring_device(struct next *next, u32 state)
{
	if (state_of(next, IOMMUSER_KIND_DEVICE, 0) == state)
		return;
	if (state_of(next, IOMMUSER_KIND_DEVICE, 0) == IOMMUSER_PRESERVED_STATE) {
		assert_int_equal(claim_unit(next, 0), 0);
		assert_int_equal(claim_device(next, 0), 0);
	}
	if (state == IOMMUSER_LEFT && state_of(next, IOMMUSER_KIND_DEVICE, 0) == IOMMUSER_RESTORED)
		advance_device(next, IOMMUSER_HANDED_OVER);
	if (state_of(next, IOMMUSER_KIND_DEVICE, 0) != state)
		advance_device(next, state);
}

/* Bring the only domain and the only device to these states, if that can be. */
static bool bring_both(struct next *next, u32 domain, u32 device)
{
	bool device_gone = device == IOMMUSER_LEFT || device == IOMMUSER_ABANDONED;

	if (domain == IOMMUSER_CLAIMED || device == IOMMUSER_CLAIMED ||
	    domain == IOMMUSER_FINISHED || device == IOMMUSER_FINISHED)
		return false;
	if (domain >= IOMMUSER_LEFT && !device_gone)
		return false;
	if (domain == IOMMUSER_HANDED_OVER && device == IOMMUSER_PRESERVED_STATE)
		return false;
	if (domain >= IOMMUSER_RESTORED)
		assert_int_equal(claim_domain(next, 0), 0);
	if (domain == IOMMUSER_HANDED_OVER || domain == IOMMUSER_LEFT) {
		bring_device(next, IOMMUSER_HANDED_OVER);
		assert_int_equal(advance(next, IOMMUSER_KIND_DOMAIN, 0, IOMMUSER_HANDED_OVER), 0);
	}
	bring_device(next, device);
	if (domain >= IOMMUSER_LEFT)
		assert_int_equal(advance(next, IOMMUSER_KIND_DOMAIN, 0, domain), 0);
	assert_int_equal(state_of(next, IOMMUSER_KIND_DOMAIN, 0), domain);
	assert_int_equal(state_of(next, IOMMUSER_KIND_DEVICE, 0), device);
	return true;
}

/* Whether a record may go from one state to the other, whatever others do. */
static bool follows(u32 from, u32 to)
{
	static const bool table[NR_STATES][NR_STATES] = {
		[IOMMUSER_PRESERVED_STATE][IOMMUSER_ABANDONED] = true,
		[IOMMUSER_RESTORED][IOMMUSER_HANDED_OVER] = true,
		[IOMMUSER_RESTORED][IOMMUSER_ABANDONED] = true,
		[IOMMUSER_HANDED_OVER][IOMMUSER_RESTORED] = true,
		[IOMMUSER_HANDED_OVER][IOMMUSER_LEFT] = true,
		[IOMMUSER_HANDED_OVER][IOMMUSER_ABANDONED] = true,
	};

	return table[from][to];
}

/* What advance() must say when a record and the only device are in these states. */
static int advance_result(u32 kind, u32 from, u32 to, u32 device)
{
	bool device_gone = device == IOMMUSER_LEFT || device == IOMMUSER_ABANDONED;

	if (to != IOMMUSER_ABANDONED &&
	    (kind == IOMMUSER_KIND_IOMMU ||
	     (to != IOMMUSER_RESTORED && to != IOMMUSER_HANDED_OVER && to != IOMMUSER_LEFT)))
		return -IOMMUSER_EINVAL;
	if (!follows(from, to))
		return -IOMMUSER_EBUSY;
	if (kind == IOMMUSER_KIND_DEVICE)
		return 0;
	if (to == IOMMUSER_HANDED_OVER && device != IOMMUSER_HANDED_OVER && !device_gone)
		return -IOMMUSER_ENODEV;
	if (to >= IOMMUSER_LEFT && !device_gone)
		return -IOMMUSER_EBUSY;
	return 0;
}

/* Every state of a domain and its device, and every state that a record could go to. */
static void records_go_from_state_to_state(void **state)
{
	u32 domain, device, kind, to, tried = 0, gone = 0;

	(void)state;
	for (domain = 0; domain < NR_STATES; domain++) {
		for (device = 0; device < NR_STATES; device++) {
			for (kind = IOMMUSER_KIND_IOMMU; kind <= IOMMUSER_KIND_DEVICE; kind++) {
				for (to = 0; to <= NR_STATES; to++) {
					struct next *next = arrive(WORLD_SMALL, 12);
					u32 from;
					u64 touched;
					int error;

					ready(next, IOMMUSER_LEVEL_RECORDS);
					if (!bring_both(next, domain, device)) {
						leave(next);
						continue;
					}
					from = state_of(next, kind, 0);
					touched = next->sim->touched;
					error = advance(next, kind, 0, to);
					assert_int_equal(error,
							 advance_result(kind, from, to, device));
					assert_int_equal(state_of(next, kind, 0),
							 error ? from : to);
					assert_int_equal(next->sim->touched, touched);
					sim_assert_sound(next->sim);
					tried++;
					gone += !error;
					leave(next);
				}
			}
		}
	}
	print_message("%u steps tried, %u taken\n", tried, gone);
	assert_true(tried > 300 && gone > 30);
}

/* Two devices on one domain: it follows when both have gone ahead, in either order. */
static void a_domain_waits_for_all_its_devices(void **state)
{
	static const u32 steps[] = { IOMMUSER_HANDED_OVER, IOMMUSER_LEFT };
	u32 first, step;

	(void)state;
	for (first = 0; first < 2; first++) {
		struct next *next = arrive(WORLD_FULL, 12);
		const struct world *world = next->world;
		u32 pair[2], found = 0, domain, i;

		for (domain = 0; found < 2; domain++) {
			assert_true(domain < world->nr_domains);
			for (i = 0, found = 0; i < world->nr_devices && found < 2; i++)
				if (world->devices[i].domain == domain)
					pair[found++] = i;
		}
		domain--;
		ready(next, IOMMUSER_LEVEL_RECORDS);
		claim_all(next);
		/* Others on that domain are out of the way. */
		for (i = 0; i < world->nr_devices; i++)
			if (i != pair[0] && i != pair[1])
				assert_int_equal(advance(next, IOMMUSER_KIND_DEVICE, i,
							 IOMMUSER_ABANDONED),
						 0);
		for (step = 0; step < ARRAY_SIZE(steps); step++) {
			int early = step ? -IOMMUSER_EBUSY : -IOMMUSER_ENODEV;

			for (i = 0; i < 2; i++) {
				assert_int_equal(advance(next, IOMMUSER_KIND_DOMAIN, domain,
							 steps[step]),
						 early);
				assert_int_equal(advance(next, IOMMUSER_KIND_DEVICE,
							 pair[i ^ first], steps[step]),
						 0);
			}
			assert_int_equal(advance(next, IOMMUSER_KIND_DOMAIN, domain, steps[step]),
					 0);
			assert_int_equal(advance(next, IOMMUSER_KIND_DOMAIN, domain, steps[step]),
					 -IOMMUSER_EBUSY);
		}
		leave(next);
	}
}

/* A domain that a device uses for a PASID waits for it, too; its DID is reserved with the unit. */
static void attachments_for_pasids_count(void **state)
{
	struct world *world = world_new(WORLD_FULL, 12);
	union iommuser_record record;
	struct next *next;
	u64 i, pasids = 0;

	(void)state;
	world_add_pasid(world, 6, 1, 5);
	world_add_pasid(world, 6, 2, 7); /* a domain that no other device of this unit is on */
	world_preserve_all(world);
	next = jump(world);
	ready(next, IOMMUSER_LEVEL_CLOSURE);
	claim_all(next);
	assert_true(
		sim_did_reserved(next->sim, world->units[1].record.token, world->pasids[1].did));
	for (i = 0; i < iommuser_restore_count(&next->machine, IOMMUSER_KIND_ATTACHMENT); i++) {
		assert_int_equal(iommuser_restore_read(&next->machine, IOMMUSER_KIND_ATTACHMENT, i,
						       &record),
				 0);
		pasids += record.attachment.attachment_flags & IOMMUSER_ATTACHMENT_HAS_PASID;
	}
	assert_int_equal(pasids, 2);
	for (i = 0; i < 6; i++)
		assert_int_equal(advance(next, IOMMUSER_KIND_DEVICE, i, IOMMUSER_HANDED_OVER), 0);
	assert_int_equal(advance(next, IOMMUSER_KIND_DOMAIN, 0, IOMMUSER_HANDED_OVER), 0);
	for (i = 1; i < 4; i++)
		assert_int_equal(advance(next, IOMMUSER_KIND_DOMAIN, i, IOMMUSER_HANDED_OVER),
				 -IOMMUSER_ENODEV);
	assert_int_equal(advance(next, IOMMUSER_KIND_DEVICE, 6, IOMMUSER_HANDED_OVER), 0);
	for (i = 1; i < 4; i++)
		assert_int_equal(advance(next, IOMMUSER_KIND_DOMAIN, i, IOMMUSER_HANDED_OVER), 0);
	advance_all(next, IOMMUSER_KIND_DEVICE, IOMMUSER_LEFT);
	assert_int_equal(iommuser_restore_finish(&next->machine), 0);
	leave(next);
}

/* A claim is for what was preserved, not for what has gone on. */
static void what_went_on_is_not_claimed_again(void **state)
{
	struct next *next = arrive(WORLD_SMALL, 12);
	u64 touched;
	u32 i;

	(void)state;
	ready(next, IOMMUSER_LEVEL_RECORDS);
	advance_all(next, IOMMUSER_KIND_DEVICE, IOMMUSER_ABANDONED);
	advance_all(next, IOMMUSER_KIND_DOMAIN, IOMMUSER_ABANDONED);
	advance_all(next, IOMMUSER_KIND_IOMMU, IOMMUSER_ABANDONED);
	touched = next->sim->touched;
	for (i = 0; i < nr_claims(next); i++)
		assert_int_equal(claim(next, i), -IOMMUSER_EBUSY);
	assert_int_equal(next->sim->touched, touched);
	assert_int_equal(restored(next), 0);
	/* Their tables stay preserved, the records do not. */
	assert_int_equal(iommuser_restore_finish(&next->machine), 0);
	assert_int_equal(sim_count(next->sim, SIM_INCOMING), world_tables(next->world));
	expect_closed(next);
	leave(next);
}

static void wrong_records_do_not_advance(void **state)
{
	struct next *next = arrive(WORLD_FULL, 12);
	static const u32 wrong_kinds[] = { 0,
					   IOMMUSER_KIND_ALIAS,
					   IOMMUSER_KIND_ATTACHMENT,
					   IOMMUSER_KIND_HWPT,
					   IOMMUSER_NR_KINDS + 1,
					   ~0U };
	u32 kind, i;

	(void)state;
	assert_int_equal(open_machine(next, IOMMUSER_LEVEL_RECORDS), 0);
	assert_int_equal(advance(next, IOMMUSER_KIND_DEVICE, 0, IOMMUSER_ABANDONED),
			 -IOMMUSER_EINVAL);
	assert_int_equal(validate(next, IOMMUSER_LEVEL_RECORDS), 0);
	claim_all(next);
	for (i = 0; i < ARRAY_SIZE(wrong_kinds); i++)
		assert_int_equal(advance(next, wrong_kinds[i], 0, IOMMUSER_ABANDONED),
				 -IOMMUSER_EINVAL);
	for (kind = IOMMUSER_KIND_IOMMU; kind <= IOMMUSER_KIND_DEVICE; kind++) {
		u64 count = iommuser_restore_count(&next->machine, kind);

		assert_int_equal(advance(next, kind, count, IOMMUSER_ABANDONED), -IOMMUSER_ENOENT);
		assert_int_equal(advance(next, kind, ~0ULL, IOMMUSER_ABANDONED), -IOMMUSER_ENOENT);
	}
	hand_over_all(next);
	assert_int_equal(iommuser_restore_finish(&next->machine), 0);
	assert_int_equal(advance(next, IOMMUSER_KIND_DEVICE, 0, IOMMUSER_ABANDONED),
			 -IOMMUSER_EINVAL);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		for (i = 0; i < iommuser_graph_count(&next->machine.graph, kind); i++)
			assert_int_equal(state_of(next, kind, i), IOMMUSER_FINISHED);
	leave(next);
}

/* Each record that has to be read for a step is unreadable once: nothing changes then. */
static void a_step_that_cannot_read_changes_nothing(void **state)
{
	static const struct {
		u32 kind;
		enum iommuser_state state;
	} steps[] = {
		{ IOMMUSER_KIND_DEVICE, IOMMUSER_HANDED_OVER },
		{ IOMMUSER_KIND_DOMAIN, IOMMUSER_HANDED_OVER },
		{ IOMMUSER_KIND_DEVICE, IOMMUSER_LEFT },
		{ IOMMUSER_KIND_DOMAIN, IOMMUSER_LEFT },
	};
	struct next *next = arrive(WORLD_FULL, 12);
	u64 failures = 0, k;
	u32 step, i;

	(void)state;
	ready(next, IOMMUSER_LEVEL_RECORDS);
	claim_all(next);
	for (step = 0; step < ARRAY_SIZE(steps); step++) {
		u32 kind = steps[step].kind;

		for (i = 0; i < iommuser_restore_count(&next->machine, kind); i++) {
			enum iommuser_state before = state_of(next, kind, i);

			for (k = 1;; k++, failures++) {
				int error;

				sim_fail(next->sim, SIM_FAIL_MAP, k);
				error = advance(next, kind, i, steps[step].state);
				if (!sim_failed(next->sim)) {
					assert_int_equal(error, 0);
					break;
				}
				assert_int_equal(error, -IOMMUSER_EUNMAPPED);
				assert_int_equal(state_of(next, kind, i), before);
			}
		}
	}
	assert_true(failures > 100);
	assert_int_equal(iommuser_restore_finish(&next->machine), 0);
	leave(next);
}

/* One device after the other leaves, one is abandoned: the last one opens the way. */
static void finish_wants_every_device_gone(void **state)
{
	u32 abandoned, i;

	(void)state;
	for (abandoned = 0; abandoned < 7; abandoned++) {
		struct next *next = arrive(WORLD_FULL, 12);
		const struct world *world = next->world;

		assert_int_equal(world->nr_devices, 7);
		ready(next, IOMMUSER_LEVEL_RECORDS);
		claim_all(next);
		advance_all(next, IOMMUSER_KIND_DEVICE, IOMMUSER_HANDED_OVER);
		for (i = 0; i < world->nr_domains; i++) {
			assert_int_equal(iommuser_restore_finish(&next->machine), -IOMMUSER_EBUSY);
			assert_int_equal(
				advance(next, IOMMUSER_KIND_DOMAIN, i, IOMMUSER_HANDED_OVER), 0);
		}
		for (i = 0; i < world->nr_devices; i++) {
			assert_int_equal(iommuser_restore_finish(&next->machine), -IOMMUSER_EBUSY);
			assert_int_equal(advance(next, IOMMUSER_KIND_DEVICE, i,
						 i == abandoned ? IOMMUSER_ABANDONED :
								  IOMMUSER_LEFT),
					 0);
		}
		assert_int_equal(iommuser_restore_finish(&next->machine), 0);
		assert_int_equal(restored(next), world_tables(world));
		assert_int_equal(sim_count(next->sim, SIM_INCOMING), 0);
		check_dids(next);
		sim_assert_sound(next->sim);
		leave(next);
	}
}

/* A domain that nobody took is not forgotten. */
static void finish_wants_every_domain_gone(void **state)
{
	u32 missing, i;

	(void)state;
	for (missing = 0; missing < 4; missing++) {
		struct next *next = arrive(WORLD_FULL, 12);

		ready(next, IOMMUSER_LEVEL_RECORDS);
		claim_all(next);
		advance_all(next, IOMMUSER_KIND_DEVICE, IOMMUSER_HANDED_OVER);
		advance_all(next, IOMMUSER_KIND_DEVICE, IOMMUSER_LEFT);
		assert_int_equal(next->world->nr_domains, 4);
		for (i = 0; i < 4; i++)
			if (i != missing)
				assert_int_equal(advance(next, IOMMUSER_KIND_DOMAIN, i,
							 IOMMUSER_ABANDONED),
						 0);
		assert_int_equal(iommuser_restore_finish(&next->machine), -IOMMUSER_EBUSY);
		assert_int_equal(advance(next, IOMMUSER_KIND_DOMAIN, missing, IOMMUSER_ABANDONED),
				 0);
		assert_int_equal(iommuser_restore_finish(&next->machine), 0);
		leave(next);
	}
}

/* What others may use by now is not given back; a step that was refused does not count. */
static void abort_gives_nothing_back_that_was_handed_over(void **state)
{
	static const enum iommuser_state states[] = { IOMMUSER_HANDED_OVER, IOMMUSER_ABANDONED };
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		struct next *next = arrive(WORLD_FULL, 12);
		u64 touched;

		ready(next, IOMMUSER_LEVEL_RECORDS);
		claim_all(next);
		assert_int_equal(advance(next, IOMMUSER_KIND_DEVICE, 6, states[i]), 0);
		touched = next->sim->touched;
		iommuser_restore_abort(&next->machine);
		assert_int_equal(next->sim->touched, touched);
		assert_int_equal(restored(next), world_tables(next->world));
		check_dids(next);
		expect_closed(next);
		close_machine(next);
		sim_assert_sound(next->sim);
		leave(next);

		next = arrive(WORLD_FULL, 12);
		ready(next, IOMMUSER_LEVEL_RECORDS);
		claim_all(next);
		assert_int_not_equal(advance(next, IOMMUSER_KIND_DOMAIN, 0, states[i]), 0);
		iommuser_restore_abort(&next->machine);
		expect_nothing_taken(next);
		leave(next);
	}
}

/* Bring the seal of the page at @phys up to date. */
static void reseal(struct sim *sim, u64 phys, bool root)
{
	u8 *page = sim_bytes(sim, phys);
	u8 *crc = page + (root ? 16 : 48);
	uLong sum;
	u32 i;

	memset(crc, 0, 4);
	sum = crc32(0, page, (uInt)image_page_size(sim->image));
	for (i = 0; i < 4; i++)
		crc[i] = (u8)(sum >> (8 * i));
}

/* Open and validate refuse, and touch nothing. Return: whether open did. */
static bool refuse(struct next *next, enum iommuser_restore_level level)
{
	int error = open_machine(next, level);
	bool at_open = error;

	if (!error)
		error = validate(next, level);
	if (error != -IOMMUSER_ECORRUPT && error != -IOMMUSER_EUNKNOWN &&
	    error != -IOMMUSER_EUNMAPPED)
		fail_msg("a corrupt image is taken at level %d, the result is %d", (int)level,
			 error);
	assert_int_equal(next->sim->touched, 0);
	assert_int_equal(claim(next, 0), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_restore_finish(&next->machine), -IOMMUSER_EINVAL);
	iommuser_restore_abort(&next->machine);
	assert_int_equal(next->sim->touched, 0);
	assert_true(next->findings.count > 0);
	next->findings.count = 0;
	close_machine(next);
	return at_open;
}

struct corruption {
	u64 record;
	u32 offset;
	u8 change;
	enum iommuser_restore_level level; /* that finds it */
};

static void corrupt_records_are_refused(void **state)
{
	struct next *next = arrive(WORLD_FULL, 12);
	const struct world *world = next->world;
	const u64 unit = world->units[0].handle.phys;
	const u64 domain = world->domains[0].handle.phys;
	const u64 device = world->devices[0].handle.device.phys;
	const u64 attachment = world->devices[0].handle.attachment.phys;
	const u64 alias = world->devices[2].handle.aliases[0];
	const u64 hwpt = world->hwpts[0].handle.phys;
	const struct corruption list[] = {
		/* flags, ref_count, index of each kind */
		{ unit, 0, 2, 0 },
		{ unit, 4, 1, 0 },
		{ unit, 8, 1, 0 },
		{ domain, 0, 1, 0 },
		{ domain, 4, 3, 0 },
		{ device, 12, 4, 0 },
		{ alias, 1, 8, 0 },
		{ attachment, 8, 9, 0 },
		{ hwpt, 9, 1, 0 },
		/* unit: type, mode, width, first DID, limit, reserved */
		{ unit, 16, 2, 0 },
		{ unit, 32, 2, 0 },
		{ unit, 36, 64, 0 },
		{ unit, 64, 2, 0 },
		{ unit, 70, 1, 0 },
		{ unit, 140, 1, 0 },
		/* domain: stage, format, level, widths, bitmap, reserved */
		{ domain, 16, 2, 0 },
		{ domain, 20, 1, 0 },
		{ domain, 32, 4, 0 },
		{ domain, 36, 64, 0 },
		{ domain, 48, 1, 0 },
		{ domain, 127, 128, 0 },
		/* device: bdf, unit, group size, PRE, directory, reserved */
		{ device, 22, 1, 0 },
		{ device, 32, 8, 0 },
		{ device, 40, 1, 0 },
		{ device, 44, 2, 0 },
		{ device, 49, 16, 0 },
		{ device, 64, 1, 0 },
		/* references, types, DIDs and PASIDs */
		{ alias, 24, 64, 0 },
		{ alias, 32, 4, 0 },
		{ attachment, 16, 128, 0 },
		{ attachment, 24, 1, 0 },
		{ attachment, 32, 1, 0 },
		{ attachment, 36, 2, 0 },
		{ attachment, 40, 3, 0 },
		{ attachment, 42, 1, 0 },
		{ hwpt, 33, 1, 0 },
		{ hwpt, 63, 1, 0 },
		{ hwpt, 24, 3, 0 },
		/* what only the tables tell */
		{ unit, 41, 16, 1 },
		{ unit, 72, 1, 1 },
		{ unit, 75, 1, 1 },
		{ domain, 25, 16, 1 },
		{ domain, 56, 1, 1 },
		{ domain, 50, 32, 1 },
		{ device, 20, 1, 1 },
		{ alias, 20, 1, 1 },
		{ attachment, 40, 64, 1 },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(list); i++) {
		u64 page = list[i].record & ~0xfffULL;
		u8 *byte = sim_bytes(next->sim, list[i].record + list[i].offset);

		*byte ^= list[i].change;
		/* Every level and its seal. */
		assert_true(refuse(next, IOMMUSER_LEVEL_RECORDS));
		reseal(next->sim, page, false);
		if (list[i].level == IOMMUSER_LEVEL_RECORDS)
			refuse(next, IOMMUSER_LEVEL_RECORDS);
		refuse(next, IOMMUSER_LEVEL_TABLES);
		refuse(next, IOMMUSER_LEVEL_CLOSURE);
		*byte ^= list[i].change;
		reseal(next->sim, page, false);
	}
	assert_true(sim_same(next->sim, next->arrival));
	ready(next, IOMMUSER_LEVEL_CLOSURE);
	leave(next);
}

/* Nobody has looked at the tables before: the record's count bounds the walk. */
static void more_tables_than_recorded_are_not_taken(void **state)
{
	struct next *next = arrive(WORLD_FULL, 12);
	const struct world_domain *domain = &next->world->domains[0];
	u8 *record = sim_bytes(next->sim, domain->handle.phys);

	(void)state;
	assert_in_range(domain->nr_tables, 2, 255);
	record[56]--;
	reseal(next->sim, domain->handle.phys & ~0xfffULL, false);
	free(next->arrival);
	next->arrival = sim_snapshot(next->sim);
	ready(next, IOMMUSER_LEVEL_RECORDS);
	assert_int_equal(claim_domain(next, 0), -IOMMUSER_ENOSPC);
	expect_nothing_taken(next);
	assert_int_equal(claim_domain(next, 1), 0);
	iommuser_restore_abort(&next->machine);
	expect_nothing_taken(next);
	leave(next);
}

static void corrupt_tables_are_refused(void **state)
{
	struct next *next = arrive(WORLD_FULL, 12);
	const struct world *world = next->world;
	const u64 legacy = world->units[0].record.root_table;
	const u64 scalable = world->units[1].record.root_table;
	const u64 domain = world->domains[0].record.top_table;
	const u64 directory = world->devices[4].request.device.pasid_directory;
	const u64 pasids = directory - SIM_TABLE_SIZE; /* see make_directory() */
	const struct corruption list[] = {
		/* root tables: present, reserved, high quadword, address */
		{ legacy, 0, 1, 1 },
		{ legacy, 0, 2, 1 },
		{ legacy, 8, 1, 1 },
		{ legacy, 2, 255, 1 },
		{ legacy, 16 * 200, 1, 1 },
		{ scalable, 1, 4, 1 },
		{ scalable, 16 * 3 + 8, 1, 1 },
		/* page table: reserved bit, address, empty entry */
		{ domain, 0, 4, 1 },
		{ domain, 4, 255, 1 },
		{ domain, 8 * 7, 3, 1 },
		/* PASID directory: present, address; PASID table: present, type, domain id */
		{ directory, 0, 1, 1 },
		{ directory, 2, 128, 1 },
		{ directory, 8 * 9, 1, 1 },
		{ pasids, 0, 1, 1 },
		{ pasids, 0, 64, 1 },
		{ pasids, 8, 1, 1 },
		{ pasids, 64 * 9, 1, 1 },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(list); i++) {
		u8 *byte = sim_bytes(next->sim, list[i].record + list[i].offset);

		*byte ^= list[i].change;
		assert_false(refuse(next, IOMMUSER_LEVEL_TABLES));
		assert_false(refuse(next, IOMMUSER_LEVEL_CLOSURE));
		*byte ^= list[i].change;
	}
	assert_true(sim_same(next->sim, next->arrival));
	ready(next, IOMMUSER_LEVEL_CLOSURE);
	leave(next);
}

/* Every single page that the handover needs is missed when it is not preserved. */
static void a_page_that_was_not_preserved_is_missed(void **state)
{
	struct next *next = arrive(WORLD_FULL, 12);
	u64 pages = 0;
	u64 frame;

	(void)state;
	for (frame = 0; frame < SIM_FRAMES; frame++) {
		if (next->sim->states[frame] != SIM_INCOMING)
			continue;
		next->sim->states[frame] = SIM_FREE;
		refuse(next, IOMMUSER_LEVEL_TABLES);
		refuse(next, IOMMUSER_LEVEL_CLOSURE);
		next->sim->states[frame] = SIM_INCOMING;
		pages++;
	}
	assert_int_equal(pages, world_tables(next->world) + 7);
	next->world->payload -= SIM_TABLE_SIZE;
	assert_false(refuse(next, IOMMUSER_LEVEL_CLOSURE));
	leave(next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_taken_over),
		cmocka_unit_test(claims_come_in_any_order),
		cmocka_unit_test(what_is_not_there_is_not_found),
		cmocka_unit_test(deleted_records_are_not_found),
		cmocka_unit_test(another_unit_is_refused),
		cmocka_unit_test(calls_in_the_wrong_state_are_refused),
		cmocka_unit_test(a_validation_that_fails_closes_the_machine),
		cmocka_unit_test(records_are_read_by_position),
		cmocka_unit_test(a_claim_that_fails_takes_nothing),
		cmocka_unit_test(finish_stops_at_a_page_that_is_refused),
		cmocka_unit_test(abort_gives_everything_back),
		cmocka_unit_test(abort_after_a_failure_gives_the_rest_back),
		cmocka_unit_test(finish_wants_every_claim),
		cmocka_unit_test(records_go_from_state_to_state),
		cmocka_unit_test(a_domain_waits_for_all_its_devices),
		cmocka_unit_test(attachments_for_pasids_count),
		cmocka_unit_test(what_went_on_is_not_claimed_again),
		cmocka_unit_test(wrong_records_do_not_advance),
		cmocka_unit_test(a_step_that_cannot_read_changes_nothing),
		cmocka_unit_test(finish_wants_every_device_gone),
		cmocka_unit_test(finish_wants_every_domain_gone),
		cmocka_unit_test(abort_gives_nothing_back_that_was_handed_over),
		cmocka_unit_test(corrupt_records_are_refused),
		cmocka_unit_test(more_tables_than_recorded_are_not_taken),
		cmocka_unit_test(corrupt_tables_are_refused),
		cmocka_unit_test(a_page_that_was_not_preserved_is_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
