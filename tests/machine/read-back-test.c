// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writes what the preserve machine makes of several worlds to flat images, and
 * beside each what an independent reader should find in it: read-back.py looks.
 *
 * usage: read-back-test DIRECTORY
 */
#include "world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *directory;

static FILE *create(const char *name, const char *ending)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s%s", directory, name, ending);
	file = fopen(path, "wb");
	if (!file)
		fail_msg("cannot create %s", path);
	return file;
}

/* The pages of records where they are, zeroes between them. */
static void write_image(struct world *world, const char *name)
{
	static const u8 zeroes[SIM_TABLE_SIZE];
	FILE *file = create(name, ".flat");
	u64 end = SIM_FRAMES;
	u64 at;

	while (world->sim->states[end - 1] == SIM_FREE)
		end--;
	for (at = IMAGE_FIRST_PHYS / SIM_TABLE_SIZE; at < end; at++) {
		bool records = world->sim->states[at] == SIM_RECORDS;
		const u8 *bytes = records ? sim_bytes(world->sim, at * SIM_TABLE_SIZE) : zeroes;

		assert_int_equal(fwrite(bytes, SIM_TABLE_SIZE, 1, file), 1);
	}
	assert_int_equal(fclose(file), 0);
}

static void expect_unit(FILE *file, const struct world_unit *unit)
{
	const struct iommuser_iommu *record = &unit->record;

	fprintf(file,
		"iommu phys=%" PRIu64 " type=%" PRIu64 " segment=%" PRIu64 " token=%" PRIu64
		" mode=%" PRIu64 " host_address_width=%" PRIu64 " root_table=%" PRIu64
		" cap=%" PRIu64 " ecap=%" PRIu64 " first_did=%" PRIu64 " did_limit=%" PRIu64
		" ref_count=%u\n",
		unit->handle.phys, record->type, record->segment, record->token, record->mode,
		record->host_address_width, record->root_table, record->cap, record->ecap,
		record->first_did, record->did_limit, unit->handle.users);
}

static void expect_domain(FILE *file, const struct world_domain *domain)
{
	const struct iommuser_domain *record = &domain->record;

	fprintf(file,
		"domain phys=%" PRIu64 " stage=%" PRIu64 " format=%" PRIu64 " top_table=%" PRIu64
		" top_level=%" PRIu64 " input_width=%" PRIu64 " output_width=%" PRIu64
		" features=%" PRIu64 " nr_table_pages=%" PRIu64 " ref_count=%u\n",
		domain->handle.phys, record->stage, record->format, record->top_table,
		record->top_level, record->input_width, record->output_width, record->features,
		domain->nr_tables, domain->handle.users);
}

static void expect_device(FILE *file, const struct world *world, const struct world_device *device)
{
	const struct iommuser_device *record = &device->request.device;
	u64 phys = device->handle.device.phys;
	u32 i;

	fprintf(file,
		"device phys=%" PRIu64 " segment=%" PRIu64 " bdf=%" PRIu64 " owner_token=%" PRIu64
		" iommu=%" PRIu64 " group_size=%" PRIu64 " device_flags=%" PRIu64
		" pasid_directory=%" PRIu64 " pasid_entries=%" PRIu64 " rid_pasid=%" PRIu64
		" ref_count=%u\n",
		phys, record->segment, record->bdf, record->owner_token,
		world->units[device->unit].handle.phys, record->group_size, record->device_flags,
		record->pasid_directory, record->pasid_entries, record->rid_pasid,
		1 + device->request.nr_aliases);
	fprintf(file,
		"attachment phys=%" PRIu64 " device=%" PRIu64 " domain=%" PRIu64
		" pasid=0 attachment_flags=0 did=%u ref_count=1\n",
		device->handle.attachment.phys, phys, world->domains[device->domain].handle.phys,
		device->request.did);
	for (i = 0; i < device->request.nr_aliases; i++)
		fprintf(file,
			"alias phys=%" PRIu64 " segment=%u bdf=%u device=%" PRIu64
			" type=%u ref_count=1\n",
			device->handle.aliases[i], device->aliases[i].segment,
			device->aliases[i].bdf, phys, device->aliases[i].type);
}

static void write_expectation(const struct world *world, const char *name)
{
	FILE *file = create(name, ".expect");
	u32 i;

	fprintf(file, "base %" PRIu64 "\nroot %" PRIu64 "\n", (u64)IMAGE_FIRST_PHYS, world->root);
	for (i = 0; i < world->nr_units; i++)
		expect_unit(file, &world->units[i]);
	for (i = 0; i < world->nr_domains; i++)
		expect_domain(file, &world->domains[i]);
	for (i = 0; i < world->nr_devices; i++)
		if (world->devices[i].handle.device.phys)
			expect_device(file, world, &world->devices[i]);
	for (i = 0; i < world->nr_hwpts; i++)
		if (world->hwpts[i].handle.phys)
			fprintf(file,
				"hwpt phys=%" PRIu64 " iommufd_token=%" PRIu64
				" hwpt_token=%" PRIu64 " domain=%" PRIu64 " ref_count=1\n",
				world->hwpts[i].handle.phys, world->hwpts[i].iommufd_token,
				world->hwpts[i].token,
				world->domains[world->hwpts[i].domain].handle.phys);
	assert_int_equal(fclose(file), 0);
}

static void write_world(enum world_kind kind, u32 page_shift, bool holes)
{
	struct world *world = world_new(kind, page_shift);
	char name[64];
	u32 i;

	world_preserve_all(world);
	for (i = 7; holes && i < world->nr_devices; i++)
		if (i % 3)
			assert_int_equal(world_unpreserve_device(world, i), 0);
	for (i = 1; holes && i < world->nr_hwpts; i += 2)
		assert_int_equal(world_unpreserve_hwpt(world, i), 0);
	snprintf(name, sizeof(name), "world-%u-%u%s", (u32)kind, page_shift, holes ? "-holes" : "");
	write_image(world, name);
	write_expectation(world, name);
	world_free(world);
}

static void worlds_are_written(void **state)
{
	static const u32 shifts[] = { 12, 14, 16 };
	u32 kind, i;

	(void)state;
	if (mkdir(directory, 0777) && errno != EEXIST)
		fail_msg("cannot make %s", directory);
	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		for (kind = WORLD_SMALL; kind <= WORLD_MANY; kind++)
			write_world((enum world_kind)kind, shifts[i], false);
		write_world(WORLD_MANY, shifts[i], true);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worlds_are_written),
	};

	if (argc != 2) {
		print_error("usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	directory = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
