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

			assert_int_equal(iommuser_restore_finish(&next->machine),
					 left == 1 && !error ? 0 : -IOMMUSER_EBUSY);
			if (done[i] || early) {
				assert_int_equal(error, -IOMMUSER_EBUSY);
				assert_int_equal(next->sim->touched, touched);
				continue;
			}
			assert_int_equal(error, 0);
			done[i] = true;
			left--;
		}
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
		assert_int_equal(iommuser_restore_finish(&next->machine), 0);
		sim_assert_sound(next->sim);
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
	const u64 attachment = world->devices[0].handle.attachment;
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
		cmocka_unit_test(corrupt_records_are_refused),
		cmocka_unit_test(corrupt_tables_are_refused),
		cmocka_unit_test(a_page_that_was_not_preserved_is_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
