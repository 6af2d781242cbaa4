// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the preserve machine: live tables in, a sound handover out, and
 * nothing left of what failed or was taken back.
 */
#include "world.h"

#include <string.h>

static const enum world_kind kinds[] = { WORLD_SMALL, WORLD_FULL, WORLD_MANY };
static const u32 shifts[] = { 12, 14, 16 };

static void what_is_preserved_verifies(void **state)
{
	u32 kind, shift;

	(void)state;
	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		for (shift = 0; shift < ARRAY_SIZE(shifts); shift++) {
			struct world *world = world_new(kinds[kind], shifts[shift]);

			world_preserve_all(world);
			world_verify(world, true);
			assert_int_equal(sim_count(world->sim, SIM_PRESERVED), world_tables(world));
			assert_int_equal(sim_count(world->sim, SIM_ALLOCATED), 0);
			world_free(world);
		}
	}
}

static void every_step_verifies(void **state)
{
	struct world *world = world_new(WORLD_MANY, 12);
	u32 i;

	(void)state;
	world_verify(world, false);
	for (i = 0; i < world->nr_domains; i++) {
		assert_int_equal(world_preserve_domain(world, i), 0);
		world_verify(world, false);
	}
	for (i = 0; i < world->nr_devices; i++) {
		assert_int_equal(world_preserve_device(world, i), 0);
		world_verify(world, false);
		if (i >= world->nr_hwpts)
			continue;
		assert_int_equal(world_preserve_hwpt(world, i), 0);
		world_verify(world, false);
	}
	world_verify(world, true);
	world_free(world);
}

static u32 little_endian(const u8 *at)
{
	return at[0] | at[1] << 8 | at[2] << 16 | (u32)at[3] << 24;
}

static u32 written_references(const struct world *world, u64 record)
{
	return little_endian(sim_bytes(world->sim, record) + 4);
}

static void references_are_counted(void **state)
{
	struct world *world = world_new(WORLD_FULL, 12);
	u64 unit, domain, device;

	(void)state;
	world_preserve_all(world);
	/* Three devices in legacy mode, four in scalable mode. */
	assert_int_equal(written_references(world, world->units[0].handle.phys), 3);
	assert_int_equal(written_references(world, world->units[1].handle.phys), 4);
	/* Four devices and two HWPTs; one device and one HWPT twice; one device. */
	assert_int_equal(written_references(world, world->domains[0].handle.phys), 6);
	assert_int_equal(written_references(world, world->domains[1].handle.phys), 2);
	assert_int_equal(written_references(world, world->domains[2].handle.phys), 2);
	assert_int_equal(written_references(world, world->domains[3].handle.phys), 1);
	/* An attachment, and two aliases, or one, or none. */
	assert_int_equal(written_references(world, world->devices[0].handle.device.phys), 1);
	assert_int_equal(written_references(world, world->devices[2].handle.device.phys), 3);
	assert_int_equal(written_references(world, world->devices[4].handle.device.phys), 2);

	unit = world->units[0].handle.phys;
	domain = world->domains[0].handle.phys;
	assert_int_equal(world_unpreserve_hwpt(world, 1), 0);
	assert_int_equal(written_references(world, domain), 5);
	assert_int_equal(world_unpreserve_device(world, 0), 0);
	assert_int_equal(written_references(world, domain), 4);
	assert_int_equal(written_references(world, unit), 2);
	assert_int_equal(world_unpreserve_device(world, 1), 0);
	assert_int_equal(written_references(world, unit), 1);
	device = world->devices[2].handle.device.phys;
	assert_int_equal(written_references(world, device), 3);
	assert_int_equal(world_unpreserve_device(world, 2), 0);
	assert_int_equal(world->units[0].handle.phys, 0);
	assert_int_equal(sim_bytes(world->sim, unit)[0] & 1, 1);
	world_verify(world, false);
	world_free(world);
}

/* Unpreserve everything, in one of several orders, and end the writer. */
static void unpreserve_all(struct world *world, u64 seed, bool verify)
{
	u32 left = world->nr_domains + world->nr_devices + world->nr_hwpts;
	u64 random = seed;
	u32 next = 0;

	while (left) {
		u32 all = world->nr_domains + world->nr_devices + world->nr_hwpts;
		u32 i = seed == 0 ? next++ % all :
			seed == 1 ? all - 1 - next++ % all :
				    (u32)(random_next(&random) % all);
		int error;

		if (i < world->nr_hwpts)
			error = world_unpreserve_hwpt(world, i);
		else if (i < world->nr_hwpts + world->nr_devices)
			error = world_unpreserve_device(world, i - world->nr_hwpts);
		else
			error = world_unpreserve_domain(world,
							i - world->nr_hwpts - world->nr_devices);
		if (error) {
			assert_true(error == -IOMMUSER_EBUSY || error == -IOMMUSER_ENOENT);
			continue;
		}
		left--;
		if (verify)
			world_verify(world, false);
	}
	iommuser_writer_end(&world->writer);
}

static void unpreserving_in_any_order_leaves_nothing(void **state)
{
	u32 kind;
	u64 seed;

	(void)state;
	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		for (seed = 0; seed < 12; seed++) {
			struct world *world = world_new(kinds[kind], shifts[seed % 3]);
			struct sim_snapshot *before;

			iommuser_writer_end(&world->writer);
			before = sim_snapshot(world->sim);
			assert_int_equal(iommuser_writer_start(&world->writer, &world->sim->env,
							       &world->sim->pages, seed, "x"),
					 0);
			world->root = iommuser_writer_root(&world->writer);
			world_preserve_all(world);
			unpreserve_all(world, seed, kinds[kind] != WORLD_MANY || seed < 3);
			assert_true(sim_same(world->sim, before));
			free(before);
			world_free(world);
		}
	}
}

/* What is preserved again after some was unpreserved, into a chain with holes. */
static void preserving_again_works(void **state)
{
	struct world *world = world_new(WORLD_MANY, 12);
	u64 random = 5;
	u32 round, i;

	(void)state;
	world_preserve_all(world);
	for (round = 0; round < 60; round++) {
		i = (u32)(random_next(&random) % world->nr_devices);
		if (world->devices[i].handle.device.phys)
			assert_int_equal(world_unpreserve_device(world, i), 0);
		else
			assert_int_equal(world_preserve_device(world, i), 0);
		i = (u32)(random_next(&random) % world->nr_hwpts);
		if (world->hwpts[i].handle.phys)
			assert_int_equal(world_unpreserve_hwpt(world, i), 0);
		else
			assert_int_equal(world_preserve_hwpt(world, i), 0);
		world_verify(world, false);
	}
	for (i = 0; i < world->nr_devices; i++)
		if (!world->devices[i].handle.device.phys)
			assert_int_equal(world_preserve_device(world, i), 0);
	world_verify(world, true);
	world_free(world);
}

/* Make the k-th callback of an operation fail for every k until it works. Return: how many. */
static u64 fail_every_step(struct world *world, int (*operation)(struct world *world, u32 i), u32 i)
{
	struct sim_snapshot *before = sim_snapshot(world->sim);
	u64 k;

	for (k = 1;; k++) {
		int error;

		sim_fail(world->sim, SIM_FAIL_ANY, k);
		error = operation(world, i);
		if (!sim_failed(world->sim)) {
			assert_int_equal(error, 0);
			break;
		}
		if (error != -IOMMUSER_ENOMEM && error != -IOMMUSER_EREFUSED &&
		    error != -IOMMUSER_EUNMAPPED && error != -IOMMUSER_ECORRUPT)
			fail_msg("step %llu failed and the result is %d", (unsigned long long)k,
				 error);
		sim_assert_sound(world->sim);
		assert_true(sim_same(world->sim, before));
	}
	/* The memory is as before, so one look is enough for all of them. */
	free(before);
	world_verify(world, false);
	return k - 1;
}

static void a_failure_at_any_step_changes_nothing(void **state)
{
	u32 i;
	u64 steps = 0;
	struct world *world = world_new(WORLD_FULL, 12);

	(void)state;
	for (i = 0; i < world->nr_domains; i++)
		steps += fail_every_step(world, world_preserve_domain, i);
	for (i = 0; i < world->nr_devices; i++) {
		/* The first device of a unit brings it along. */
		assert_int_equal(!world->units[world->devices[i].unit].handle.phys,
				 i == 0 || i == 3);
		steps += fail_every_step(world, world_preserve_device, i);
	}
	for (i = 0; i < world->nr_hwpts; i++)
		steps += fail_every_step(world, world_preserve_hwpt, i);
	world_verify(world, true);
	print_message("%llu steps failed one by one\n", (unsigned long long)steps);
	assert_true(steps > 500);
	world_free(world);
}

/* A device whose attachment, and first or second alias, needs a fresh page. */
static void a_failure_at_a_page_boundary_changes_nothing(void **state)
{
	struct world *world = world_new(WORLD_MANY, 12);
	u64 steps = 0;
	u32 i;

	(void)state;
	for (i = 0; i < world->nr_domains; i++)
		assert_int_equal(world_preserve_domain(world, i), 0);
	for (i = 0; i < world->nr_devices; i++)
		if (i < 29 || i > 64)
			assert_int_equal(world_preserve_device(world, i), 0);
	for (i = 29; i <= 64; i++)
		steps += fail_every_step(world, world_preserve_device, i);
	assert_true(steps >= 3); /* pages of devices, attachments and aliases */
	for (i = 0; i < world->nr_hwpts; i++)
		if (fail_every_step(world, world_preserve_hwpt, i))
			steps = 0;
	assert_int_equal(steps, 0); /* some of them needed a page */
	world_verify(world, true);
	world_free(world);
}

/* One device of each unit, then devices whose context tables the driver has made since. */
static void later_context_tables_are_preserved(void **state)
{
	/* On a bus of its own, on another half of one, and where there is a table. */
	static const struct {
		u32 unit;
		u32 bdf;
	} later[] = { { 0, 0xfe00 }, { 1, 0x2880 }, { 0, 0xfe08 } };
	u32 shift, i;

	(void)state;
	for (shift = 0; shift < ARRAY_SIZE(shifts); shift++) {
		struct world *world = world_new(WORLD_FULL, shifts[shift]);
		u64 legacy, scalable, tables;
		u32 before = world->nr_devices;

		for (i = 0; i < world->nr_domains; i++)
			assert_int_equal(world_preserve_domain(world, i), 0);
		assert_int_equal(world_preserve_device(world, 0), 0);
		assert_int_equal(world_preserve_device(world, 3), 0);
		legacy = world->units[0].handle.phys;
		scalable = world->units[1].handle.phys;
		tables = sim_count(world->sim, SIM_PRESERVED);
		for (i = 0; i < ARRAY_SIZE(later); i++) {
			world_add_device(world, later[i].unit, later[i].bdf, 0, 0);
			assert_int_equal(world_preserve_device(world, before + i), 0);
			world_verify(world, false);
		}
		assert_int_equal(world->units[0].handle.phys, legacy);
		assert_int_equal(world->units[1].handle.phys, scalable);
		assert_int_equal(written_references(world, legacy), 3);
		assert_int_equal(written_references(world, scalable), 2);
		/* Two context tables, and a directory with one table of its own. */
		assert_int_equal(sim_count(world->sim, SIM_PRESERVED), tables + 2 + 2);
		for (i = 1; i < before; i++)
			assert_int_equal(world_preserve_device(world, i),
					 i == 3 ? -IOMMUSER_EBUSY : 0);
		for (i = 0; i < world->nr_hwpts; i++)
			assert_int_equal(world_preserve_hwpt(world, i), 0);
		world_verify(world, true);
		world_free(world);
	}
}

/* A context table goes with its unit; one that was not preserved stays as it is. */
static void later_context_tables_go_with_their_unit(void **state)
{
	struct world *world = world_new(WORLD_FULL, 12);
	u32 later = world->nr_devices;
	struct sim_snapshot *before;
	u64 tables;
	u32 unit;

	(void)state;
	assert_int_equal(world_preserve_domain(world, 0), 0);
	for (unit = 0; unit < 2; unit++) {
		u32 first = unit * 3;
		u64 entry = world->units[unit].record.root_table + 0xfe * 16 + unit * 8;
		u8 *root = sim_bytes(world->sim, entry);
		u8 table[8];

		world_add_device(world, unit, 0xfe00 + unit * 0x80, 0, 0);
		/* The table is not there yet when the unit is preserved. */
		before = sim_snapshot(world->sim);
		memcpy(table, root, 8);
		memset(root, 0, 8);
		assert_int_equal(world_preserve_device(world, first), 0);
		memcpy(root, table, 8);
		tables = sim_count(world->sim, SIM_PRESERVED);
		assert_int_equal(world_unpreserve_device(world, first), 0);
		assert_true(sim_same(world->sim, before));

		memset(root, 0, 8);
		assert_int_equal(world_preserve_device(world, first), 0);
		memcpy(root, table, 8);
		assert_int_equal(world_preserve_device(world, later + unit), 0);
		assert_int_equal(world_unpreserve_device(world, later + unit), 0);
		assert_int_equal(sim_count(world->sim, SIM_PRESERVED), tables + 1);
		world_verify(world, false);
		assert_int_equal(world_unpreserve_device(world, first), 0);
		assert_true(sim_same(world->sim, before));
		free(before);
	}
	world_free(world);
}

static void a_failure_with_later_context_tables_changes_nothing(void **state)
{
	struct world *world = world_new(WORLD_FULL, 12);
	u32 later = world->nr_devices;
	u64 steps = 0;

	(void)state;
	assert_int_equal(world_preserve_domain(world, 0), 0);
	assert_int_equal(world_preserve_device(world, 0), 0);
	assert_int_equal(world_preserve_device(world, 3), 0);
	world_add_device(world, 0, 0x0600, 0, 0);
	steps += fail_every_step(world, world_preserve_device, later);
	world_add_device(world, 1, 0x0680, 0, 0);
	steps += fail_every_step(world, world_preserve_device, later + 1);
	/* The last one brings along a table that is not its own. */
	world_add_device(world, 1, 0x0600, 0, 0);
	world_add_device(world, 1, 0xff00, 0, 0);
	steps += fail_every_step(world, world_preserve_device, later + 3);
	assert_true(steps > 1000);
	assert_int_equal(world_preserve_device(world, later + 2), 0);
	world_verify(world, false);
	world_free(world);
}

static void states_are_checked(void **state)
{
	struct world *world = world_new(WORLD_FULL, 12);
	struct iommuser_device_request request;

	(void)state;
	assert_int_equal(world_preserve_device(world, 0), -IOMMUSER_ENOENT);
	assert_int_equal(world_preserve_hwpt(world, 0), -IOMMUSER_ENOENT);
	assert_int_equal(world_unpreserve_device(world, 0), -IOMMUSER_ENOENT);
	assert_int_equal(world_unpreserve_hwpt(world, 0), -IOMMUSER_ENOENT);
	assert_int_equal(world_unpreserve_domain(world, 0), -IOMMUSER_ENOENT);

	assert_int_equal(world_preserve_domain(world, 0), 0);
	assert_int_equal(world_preserve_domain(world, 0), -IOMMUSER_EBUSY);
	request = world->devices[0].request;
	world->devices[0].request.nr_aliases = IOMMUSER_MAX_ALIASES + 1;
	assert_int_equal(world_preserve_device(world, 0), -IOMMUSER_EINVAL);
	world->devices[0].request = request;
	assert_int_equal(world_preserve_device(world, 0), 0);
	assert_int_equal(world_preserve_device(world, 0), -IOMMUSER_EBUSY);
	assert_int_equal(world_preserve_hwpt(world, 0), 0);
	assert_int_equal(world_preserve_hwpt(world, 0), -IOMMUSER_EBUSY);
	assert_int_equal(iommuser_unpreserve_hwpt(&world->preserve, &world->domains[1].handle,
						  &world->hwpts[0].handle),
			 -IOMMUSER_ENOENT);
	assert_int_equal(world_unpreserve_domain(world, 0), -IOMMUSER_EBUSY);
	assert_int_equal(world_unpreserve_device(world, 0), 0);
	assert_int_equal(world_unpreserve_domain(world, 0), -IOMMUSER_EBUSY);
	assert_int_equal(world_unpreserve_hwpt(world, 0), 0);
	world_verify(world, false);
	assert_int_equal(world_unpreserve_domain(world, 0), 0);
	assert_int_equal(world_unpreserve_domain(world, 0), -IOMMUSER_ENOENT);
	assert_int_equal(sim_count(world->sim, SIM_PRESERVED), 0);
	assert_int_equal(sim_count(world->sim, SIM_RECORDS), 1);
	world_free(world);
}

/* A root table that can't be read, and so could not be found again to unpreserve it. */
static void an_unreadable_root_table_is_refused(void **state)
{
	struct world *world = world_new(WORLD_FULL, 12);
	struct iommuser_iommu *unit = &world->units[world->devices[0].unit].record;
	u64 root_table = unit->root_table;
	struct sim_snapshot *before;

	(void)state;
	assert_int_equal(world_preserve_domain(world, world->devices[0].domain), 0);
	before = sim_snapshot(world->sim);
	unit->root_table = 1ULL << 40;
	assert_int_equal(world_preserve_device(world, 0), -IOMMUSER_EUNMAPPED);
	assert_true(sim_same(world->sim, before));
	unit->root_table = root_table + 16;
	assert_int_equal(world_preserve_device(world, 0), -IOMMUSER_ECORRUPT);
	assert_true(sim_same(world->sim, before));
	unit->root_table = root_table;
	assert_int_equal(world_preserve_device(world, 0), 0);
	free(before);
	world_free(world);
}

/* Attachments for PASIDs come after their device and go before it. */
static void pasids_are_preserved(void **state)
{
	struct world *world = world_new(WORLD_FULL, 12);
	struct sim_snapshot *before;
	u64 device;
	u32 i;

	(void)state;
	world_add_pasid(world, 3, 1, 5);
	world_add_pasid(world, 3, 3, 63);
	world_add_pasid(world, 6, 1, 5);
	before = sim_snapshot(world->sim);
	for (i = 0; i < world->nr_pasids; i++)
		assert_int_equal(world_preserve_pasid(world, i), -IOMMUSER_ENOENT);
	for (i = 0; i < world->nr_domains; i++)
		assert_int_equal(i == 1 ? 0 : world_preserve_domain(world, i), 0);
	assert_int_equal(world_preserve_device(world, 3), 0);
	assert_int_equal(world_preserve_pasid(world, 0), -IOMMUSER_ENOENT);
	assert_int_equal(world_preserve_domain(world, 1), 0);
	assert_int_equal(world_preserve_device(world, 6), 0);
	device = world->devices[3].handle.device.phys;
	assert_int_equal(written_references(world, device), 1);
	for (i = 0; i < world->nr_pasids; i++) {
		assert_int_equal(world_unpreserve_pasid(world, i), -IOMMUSER_ENOENT);
		assert_int_equal(world_preserve_pasid(world, i), 0);
		assert_int_equal(world_preserve_pasid(world, i), -IOMMUSER_EBUSY);
	}
	assert_int_equal(written_references(world, device), 3);
	assert_int_equal(written_references(world, world->domains[1].handle.phys), 2);
	assert_int_equal(written_references(world, world->domains[3].handle.phys), 2);
	assert_int_equal(world_unpreserve_device(world, 3), -IOMMUSER_EBUSY);
	assert_int_equal(world_unpreserve_domain(world, 1), -IOMMUSER_EBUSY);
	assert_int_equal(world_unpreserve_pasid(world, 0), 0);
	assert_int_equal(world_unpreserve_device(world, 3), -IOMMUSER_EBUSY);
	assert_int_equal(world_unpreserve_pasid(world, 1), 0);
	assert_int_equal(world_unpreserve_pasid(world, 2), 0);
	assert_int_equal(written_references(world, device), 1);
	assert_int_equal(world_unpreserve_device(world, 3), 0);
	assert_int_equal(world_unpreserve_device(world, 6), 0);
	for (i = 0; i < world->nr_domains; i++)
		assert_int_equal(world_unpreserve_domain(world, i), 0);
	assert_true(sim_same(world->sim, before));
	free(before);

	/* All of it at once leaves nothing unexplained. */
	world_preserve_all(world);
	world_verify(world, true);
	world_free(world);
}

/* The record of one that needs a fresh page. */
static void a_failure_with_a_pasid_changes_nothing(void **state)
{
	struct world *world = world_new(WORLD_FULL, 12);
	u64 steps;

	(void)state;
	while (world->nr_devices < (4096 - 64) / 64)
		world_add_device(world, 0, 0x4000 + world->nr_devices, 0, 0);
	world_preserve_all(world);
	world_add_pasid(world, 6, 1, 5);
	steps = fail_every_step(world, world_preserve_pasid, 0);
	assert_int_equal(steps, 1);
	world_free(world);
}

/* PASIDs that the directory does not cover, or that mean none, and a device without any. */
static void impossible_pasids_are_refused(void **state)
{
	struct world *world = world_new(WORLD_FULL, 12);
	struct iommuser_preserved_attachment handle = { 0 };
	const struct {
		u32 device;
		u64 pasid;
	} wrong[] = { { 3, 0 },	  { 3, world->devices[3].request.device.pasid_entries },
		      { 3, ~0U }, { 3, 5 },
		      { 0, 1 },	  { 0, 0 } };
	u32 i;

	(void)state;
	world_preserve_all(world);
	/* One that its requests without PASID go by. */
	world->devices[3].handle.device.record.device.rid_pasid = 5;
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(iommuser_preserve_attachment(
					 &world->preserve, &world->devices[wrong[i].device].handle,
					 &world->domains[0].handle, (u32)wrong[i].pasid, 9,
					 &handle),
				 -IOMMUSER_EINVAL);
	assert_int_equal(handle.phys, 0);
	world->devices[3].handle.device.record.device.rid_pasid = 0;
	world_verify(world, true);
	world_free(world);
}

/* Domains that must be refused, with nothing left preserved. */
static void bad_tables_are_refused(void **state)
{
	struct world *world = world_new(WORLD_FULL, 12);
	struct world_domain *domain = &world->domains[0];
	struct iommuser_preserved handle;
	struct sim_snapshot *before;
	struct iommuser_domain record;
	u8 *entry = sim_bytes(world->sim, domain->record.top_table);
	u8 saved[8];

	(void)state;
	memset(&handle, 0, sizeof(handle));
	before = sim_snapshot(world->sim);
	assert_int_equal(iommuser_preserve_domain(&world->preserve, &domain->record,
						  domain->nr_tables - 1, &handle),
			 -IOMMUSER_ENOSPC);
	assert_true(sim_same(world->sim, before));
	record = domain->record;
	record.stage = 3;
	assert_int_equal(iommuser_preserve_domain(&world->preserve, &record, 64, &handle),
			 -IOMMUSER_EINVAL);
	record = domain->record;
	record.top_level = 1;
	assert_int_equal(iommuser_preserve_domain(&world->preserve, &record, 64, &handle),
			 -IOMMUSER_EINVAL);
	assert_true(sim_same(world->sim, before));
	free(before);

	/* The second entry leads to a table above the output width. */
	memcpy(saved, entry + 8, 8);
	memset(entry + 8, 0, 8);
	entry[8] = 3;
	entry[8 + 5] = 1;
	before = sim_snapshot(world->sim);
	assert_int_equal(world_preserve_domain(world, 0), -IOMMUSER_ECORRUPT);
	assert_true(sim_same(world->sim, before));
	free(before);

	/* The first entry leads to memory that is not there. */
	memcpy(entry + 8, saved, 8);
	memcpy(saved, entry, 8);
	memset(entry, 0, 8);
	entry[0] = 3;
	entry[4] = 1;
	before = sim_snapshot(world->sim);
	assert_int_equal(world_preserve_domain(world, 0), -IOMMUSER_EUNMAPPED);
	assert_true(sim_same(world->sim, before));
	free(before);
	memcpy(entry, saved, 8);
	assert_int_equal(iommuser_preserve_domain(&world->preserve, &domain->record,
						  domain->nr_tables, &domain->handle),
			 0);
	assert_int_equal(domain->handle.record.domain.nr_table_pages, domain->nr_tables);
	assert_int_equal(domain->handle.record.domain.page_size_bitmap,
			 1ULL << 12 | 1ULL << 21 | 1ULL << 30);
	world_verify(world, false);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_preserved_verifies),
		cmocka_unit_test(every_step_verifies),
		cmocka_unit_test(references_are_counted),
		cmocka_unit_test(unpreserving_in_any_order_leaves_nothing),
		cmocka_unit_test(preserving_again_works),
		cmocka_unit_test(a_failure_at_any_step_changes_nothing),
		cmocka_unit_test(a_failure_at_a_page_boundary_changes_nothing),
		cmocka_unit_test(later_context_tables_are_preserved),
		cmocka_unit_test(later_context_tables_go_with_their_unit),
		cmocka_unit_test(a_failure_with_later_context_tables_changes_nothing),
		cmocka_unit_test(states_are_checked),
		cmocka_unit_test(pasids_are_preserved),
		cmocka_unit_test(a_failure_with_a_pasid_changes_nothing),
		cmocka_unit_test(impossible_pasids_are_refused),
		cmocka_unit_test(an_unreadable_root_table_is_refused),
		cmocka_unit_test(bad_tables_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
