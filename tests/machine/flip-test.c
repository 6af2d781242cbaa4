// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Single bits of the pages of records that the preserve machine wrote, flipped
 * one by one: each flip is found (tests/exhaustive tries them all). And flips
 * under a fresh seal: whatever the restore machine makes of them, it never
 * misuses its host.
 */
#include "world.h"

#include <string.h>
#include <time.h>
#include <zlib.h>

#define SAMPLES 6000
#define RESEALED_SAMPLES 15000

static const struct {
	enum world_kind kind;
	u32 page_shift;
	u64 pages;
} handovers[] = {
	{ WORLD_SMALL, 12, 5 },
	{ WORLD_FULL, 12, 7 },
	{ WORLD_MANY, 12, 12 },
	{ WORLD_SMALL, 14, 5 },
};

/* Only errors count. */
struct tally {
	struct iommuser_reporter reporter;
	u32 errors;
};

static void count_errors(void *ctx, const struct iommuser_finding *finding)
{
	struct tally *tally = ctx;

	assert_non_null(iommuser_finding_code(finding->id));
	tally->errors += finding->severity == IOMMUSER_ERROR;
}

static void tally_init(struct tally *tally)
{
	tally->errors = 0;
	tally->reporter.ctx = tally;
	tally->reporter.report = count_errors;
}

/* One reading of a handover; memory is used again and again. */
struct reading {
	struct world *world;
	void *memory;
	u64 size;
};

/* Does open, survey or verify find an error? */
static bool finds_error(struct reading *reading)
{
	const struct iommuser_env *env = &reading->world->sim->env;
	struct tally tally;
	struct iommuser_root root;
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	struct iommuser_verify verify = {
		.env = env,
		.root = &root,
		.survey = &survey,
		.graph = &graph,
		.reporter = &tally.reporter,
	};
	u64 size;

	tally_init(&tally);
	if (iommuser_root_open(env, iommuser_revision_at(0), reading->world->root, NULL,
			       &tally.reporter, &root) ||
	    tally.errors)
		return tally.errors > 0;
	assert_int_equal(iommuser_survey_root(env, &root, NULL, &tally.reporter, &survey), 0);
	if (tally.errors)
		return true;
	size = iommuser_graph_size(&root, &survey);
	assert_true(size > 0 && size <= reading->size);
	memset(reading->memory, 0, size);
	assert_int_equal(
		iommuser_graph_build(&graph, env, &root, &survey, 1, reading->memory, size), 0);
	assert_int_equal(iommuser_verify_all(&verify), 0);
	/* cppcheck-suppress knownConditionTrueFalse ; counted behind a pointer */
	return tally.errors > 0;
}

/* The pages of records of a world, the root among them. */
static u64 list_pages(const struct world *world, u64 *pages, u64 most)
{
	u64 size = image_page_size(world->sim->image);
	u64 count = 0;
	u64 phys;

	for (phys = IMAGE_FIRST_PHYS; phys < SIM_END; phys += size) {
		if (world->sim->states[phys / SIM_TABLE_SIZE] != SIM_RECORDS)
			continue;
		assert_true(count < most);
		pages[count++] = phys;
	}
	if (!count)
		abort();
	return count;
}

static void flip_and_read(struct reading *reading, u64 page, u64 bit)
{
	u8 *byte = sim_bytes(reading->world->sim, page) + bit / 8;

	*byte ^= (u8)(1 << bit % 8);
	if (!finds_error(reading))
		fail_msg("bit %llu of page %#llx is flipped and nothing is found",
			 (unsigned long long)bit, (unsigned long long)page);
	*byte ^= (u8)(1 << bit % 8);
}

static u64 flip_some(struct reading *reading, const u64 *pages, u64 nr_pages, u64 bits)
{
	u64 random = 1, n;

	for (n = 0; n < SAMPLES; n++) {
		u64 page = pages[random_next(&random) % nr_pages];
		/* Half of them where the header and the first records are. */
		u64 range = n % 2 ? bits : 8 * 512;

		flip_and_read(reading, page, random_next(&random) % range);
	}
	return SAMPLES;
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static void every_flip_is_found(void **state)
{
	u64 pages[16];
	u64 total = 0;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(handovers); i++) {
		struct world *world = world_new(handovers[i].kind, handovers[i].page_shift);
		struct reading reading = { .world = world, .size = 1 << 20 };
		u64 bits = 8ULL << handovers[i].page_shift;
		struct sim_snapshot *before;
		struct timespec start;
		u64 flips, nr_pages;

		world_preserve_all(world);
		world_verify(world, true);
		world->sim->direct = true;
		reading.memory = malloc(reading.size);
		assert_non_null(reading.memory);
		nr_pages = list_pages(world, pages, ARRAY_SIZE(pages));
		assert_int_equal(nr_pages, handovers[i].pages);
		assert_false(finds_error(&reading));
		before = sim_snapshot(world->sim);
		clock_gettime(CLOCK_MONOTONIC, &start);
		flips = flip_some(&reading, pages, nr_pages, bits);
		print_message("%llu flips in %llu pages of %llu bytes: all found, %.1f s\n",
			      (unsigned long long)flips, (unsigned long long)nr_pages,
			      (unsigned long long)bits / 8, seconds_since(&start));
		assert_true(sim_same(world->sim, before));
		assert_false(finds_error(&reading));
		total += flips;
		free(before);
		free(reading.memory);
		world_free(world);
	}
	print_message("%llu flips, every one of them found\n", (unsigned long long)total);
	assert_true(total >= ARRAY_SIZE(handovers) * SAMPLES);
}

static void reseal(struct sim *sim, u64 page, bool root)
{
	u8 *bytes = sim_bytes(sim, page);
	u8 *crc = bytes + (root ? 16 : 48);
	uLong sum;
	u32 i;

	memset(crc, 0, 4);
	sum = crc32(0, bytes, (uInt)image_page_size(sim->image));
	for (i = 0; i < 4; i++)
		crc[i] = (u8)(sum >> (8 * i));
}

static void claim_what_can_be(struct world *world, struct iommuser_restore *machine)
{
	struct iommuser_iommu iommu;
	struct iommuser_domain domain;
	struct iommuser_device device;
	u32 i;

	for (i = 0; i < world->nr_units; i++) {
		const struct iommuser_iommu *record = &world->units[i].record;
		const struct iommuser_unit unit = {
			.token = record->token,
			.cap = record->cap,
			.ecap = record->ecap,
			.host_address_width = record->host_address_width,
			.mode = record->mode,
		};

		iommuser_restore_claim_iommu(machine, &unit, &iommu);
	}
	for (i = 0; i < world->nr_domains; i++)
		iommuser_restore_claim_domain(machine, world->domains[i].handle.phys, &domain);
	for (i = 0; i < world->nr_devices; i++)
		iommuser_restore_claim_device(machine, world->devices[i].request.device.segment,
					      world->devices[i].request.device.bdf, &device);
}

/* Return: whether the image was taken for sound. */
static bool restore_and_abort(struct reading *reading, const struct sim_snapshot *before)
{
	struct sim *sim = reading->world->sim;
	struct tally tally;
	struct iommuser_restore machine;
	u64 size;
	int error;

	tally_init(&tally);
	sim->touched = 0;
	error = iommuser_restore_open(&machine, &sim->env, &sim->restore_ops,
				      iommuser_revision_at(0), reading->world->root, NULL,
				      &tally.reporter);
	if (!error) {
		size = iommuser_restore_size(&machine);
		assert_true(size > 0 && size <= reading->size);
		memset(reading->memory, 0, size);
		error = iommuser_restore_validate(&machine, IOMMUSER_LEVEL_TABLES, 1,
						  reading->memory, size, &tally.reporter);
	}
	assert_int_equal(sim->touched, 0);
	if (error)
		return false;
	assert_int_equal(tally.errors, 0);
	claim_what_can_be(reading->world, &machine);
	iommuser_restore_abort(&machine);
	sim_assert_sound(sim);
	sim_take_back(sim);
	assert_memory_equal(sim->states, before->states, sizeof(sim->states));
	assert_int_equal(sim->dids, 0);
	return true;
}

static void flips_under_a_fresh_seal_do_no_harm(void **state)
{
	struct world *world = world_new(WORLD_FULL, 12);
	struct reading reading = { .world = world, .size = 1 << 20 };
	struct sim_snapshot *before;
	u64 pages[16], nr_pages, random = 7, n, taken = 0;

	(void)state;
	world_preserve_all(world);
	nr_pages = list_pages(world, pages, ARRAY_SIZE(pages));
	sim_kexec(world->sim);
	world->sim->direct = true;
	reading.memory = malloc(reading.size);
	assert_non_null(reading.memory);
	before = sim_snapshot(world->sim);
	assert_true(restore_and_abort(&reading, before));
	for (n = 0; n < RESEALED_SAMPLES; n++) {
		u64 page = pages[random_next(&random) % nr_pages];
		u64 bit = random_next(&random) % (8 * 512);
		u8 *byte = sim_bytes(world->sim, page) + bit / 8;

		*byte ^= (u8)(1 << bit % 8);
		reseal(world->sim, page, page == world->root);
		taken += restore_and_abort(&reading, before);
		*byte ^= (u8)(1 << bit % 8);
		reseal(world->sim, page, page == world->root);
	}
	assert_true(sim_same(world->sim, before));
	print_message("%u flips under a fresh seal, %llu taken for sound, none did harm\n",
		      RESEALED_SAMPLES, (unsigned long long)taken);
	assert_true(taken < RESEALED_SAMPLES);
	free(before);
	free(reading.memory);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_flip_is_found),
		cmocka_unit_test(flips_under_a_fresh_seal_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
