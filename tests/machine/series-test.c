// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Images of every revision, by the independent writer, through the restore
 * machine: claims, failures, abort and finish.
 *
 * usage: series-test DIRECTORY   (that make-images.py has filled)
 */
#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_LINES 1024

enum verb {
	UNIT,
	DOMAIN,
	DEVICE,
	DID,
	ATTACHED,
	GONE_DOMAIN,
	GONE_DEVICE,
	NR_VERBS
};

static const char *const verbs[] = { "unit",	 "domain",	"device",     "did",
				     "attached", "gone-domain", "gone-device" };

/* One object of an image: up to four numbers. */
struct object {
	enum verb verb;
	u64 values[5];
};

struct handover {
	struct sim *sim;
	char path[4096];
	const struct iommuser_revision *revision;
	u64 root;
	struct object objects[MAX_LINES];
	u32 nr_objects;
	u32 nr_claims;
	struct iommuser_restore machine;
	struct iommuser_pageset *set;
	void *memory;
	struct findings findings;
};

static const char *directory;

static FILE *open_file(struct handover *handover, const char *name, const char *ending)
{
	FILE *file;

	snprintf(handover->path, sizeof(handover->path), "%s/%s%s", directory, name, ending);
	file = fopen(handover->path, "rb");
	if (!file)
		fail_msg("cannot open %s", handover->path);
	return file;
}

static void load_range(struct handover *handover, FILE *image, u64 phys, u64 length)
{
	u64 at;

	sim_incoming(handover->sim, phys, length);
	assert_int_equal(fseek(image, (long)phys, SEEK_SET), 0);
	for (at = 0; at < length; at += SIM_TABLE_SIZE)
		assert_int_equal(
			fread(sim_bytes(handover->sim, phys + at), SIM_TABLE_SIZE, 1, image), 1);
}

/* The numbers behind the first word of a line. Return: how many. */
static u32 read_numbers(const char *line, u64 values[5])
{
	char *end;
	u32 count;

	line = strchr(line, ' ');
	assert_non_null(line);
	for (count = 0; count < 5; count++, line = end) {
		errno = 0;
		values[count] = strtoull(line, &end, 0);
		if (end == line)
			break;
		assert_int_equal(errno, 0);
	}
	return count;
}

static bool is_about(const char *line, const char *word)
{
	size_t length = strlen(word);

	return strncmp(line, word, length) == 0 && line[length] == ' ';
}

static void read_object(struct handover *handover, const char *line)
{
	struct object *object = &handover->objects[handover->nr_objects];
	u32 verb = 0;

	assert_true(handover->nr_objects < MAX_LINES);
	while (verb < NR_VERBS && !is_about(line, verbs[verb]))
		verb++;
	assert_true(verb < NR_VERBS);
	object->verb = (enum verb)verb;
	assert_true(read_numbers(line, object->values) >= 1);
	if (object->verb == UNIT)
		sim_add_unit(handover->sim, object->values[0]);
	handover->nr_claims += object->verb <= DEVICE;
	handover->nr_objects++;
}

static struct handover *load(const char *name)
{
	struct handover *handover = calloc(1, sizeof(*handover));
	char line[256];
	FILE *claims, *image;
	u64 values[5] = { 0 };

	assert_non_null(handover);
	claims = open_file(handover, name, ".claims");
	image = open_file(handover, name, ".flat");
	assert_non_null(fgets(line, sizeof(line), claims));
	assert_true(is_about(line, "image"));
	assert_int_equal(read_numbers(line, values), 2);
	handover->sim = sim_new((u32)values[0]);
	handover->root = values[1];
	assert_non_null(fgets(line, sizeof(line), claims));
	assert_true(is_about(line, "abi"));
	line[strcspn(line, "\n")] = '\0';
	handover->revision = iommuser_revision_by_name(line + strlen("abi "));
	assert_non_null(handover->revision);
	while (fgets(line, sizeof(line), claims)) {
		if (is_about(line, "preserved")) {
			assert_int_equal(read_numbers(line, values), 2);
			load_range(handover, image, values[0], values[1]);
		} else {
			read_object(handover, line);
		}
	}
	fclose(claims);
	fclose(image);
	findings_init(&handover->findings);
	return handover;
}

static void close_machine(struct handover *handover)
{
	free(handover->memory);
	handover->memory = NULL;
	if (handover->set)
		pageset_free(handover->set);
	handover->set = NULL;
}

static void unload(struct handover *handover)
{
	close_machine(handover);
	sim_assert_sound(handover->sim);
	sim_free(handover->sim);
	free(handover);
}

/* Errors are none; of series images there may be warnings. */
static void ready(struct handover *handover, enum iommuser_restore_level level)
{
	u64 size;
	u32 i;

	handover->sim->touched = 0;
	if (level == IOMMUSER_LEVEL_CLOSURE) {
		handover->set = pageset_new(64, IOMMUSER_NR_PLANES);
		sim_fill_set(handover->sim, handover->set);
	}
	assert_int_equal(iommuser_restore_open(&handover->machine, &handover->sim->env,
					       &handover->sim->restore_ops, handover->revision,
					       handover->root, handover->set,
					       &handover->findings.reporter),
			 0);
	size = iommuser_restore_size(&handover->machine);
	handover->memory = calloc(1, size);
	assert_non_null(handover->memory);
	if (iommuser_restore_validate(&handover->machine, level, 99, handover->memory, size,
				      &handover->findings.reporter)) {
		print_error("%s is refused\n", handover->path);
		expect_findings(&handover->findings, "");
		fail();
	}
	for (i = 0; i < handover->findings.count; i++)
		assert_true(handover->findings.list[i].severity <= IOMMUSER_WARNING);
	handover->findings.count = 0;
	assert_int_equal(handover->sim->touched, 0);
}

static int claim(struct handover *handover, const struct object *object)
{
	const u64 *values = object->values;
	const struct iommuser_unit unit = {
		.token = values[0],
		.cap = values[1],
		.ecap = values[2],
		.host_address_width = values[3],
		.mode = values[4],
	};
	struct iommuser_iommu iommu;
	struct iommuser_domain domain;
	struct iommuser_device device;
	int error;

	switch (object->verb) {
	case UNIT:
		error = iommuser_restore_claim_iommu(&handover->machine, &unit, &iommu);
		if (!error)
			assert_int_equal(iommu.token, values[0]);
		return error;
	case DOMAIN:
	case GONE_DOMAIN:
		error = iommuser_restore_claim_domain(&handover->machine, values[0], &domain);
		if (!error) {
			assert_int_equal(domain.phys, values[0]);
			assert_in_range(domain.stage, 1, 2);
		}
		return error;
	default:
		error = iommuser_restore_claim_device(&handover->machine, values[0], values[1],
						      &device);
		if (!error && object->verb == DEVICE) {
			assert_int_equal(device.bdf, values[1]);
			assert_int_equal(device.did, values[2]);
		}
		return error;
	}
}

static bool to_be_claimed(const struct object *object)
{
	return object->verb <= DEVICE;
}

static void check_dids(const struct handover *handover)
{
	u64 expected = 0;
	u32 i;

	for (i = 0; i < handover->nr_objects; i++) {
		const struct object *object = &handover->objects[i];

		if (object->verb != DID)
			continue;
		assert_true(
			sim_did_reserved(handover->sim, object->values[0], (u32)object->values[1]));
		expected++;
	}
	assert_true(expected > 0);
	assert_int_equal(handover->sim->dids, expected);
}

static enum iommuser_state state_of(const struct handover *handover, u32 kind, u64 position)
{
	return iommuser_graph_state(&handover->machine.graph, kind, position);
}

/* The position of an object's record. */
static u64 position_of(const struct handover *handover, const struct object *object)
{
	const struct iommuser_graph *graph = &handover->machine.graph;
	const u64 *values = object->values;
	u64 position;

	assert_int_equal(object->verb == DOMAIN ?
				 iommuser_graph_resolve(graph, values[0], IOMMUSER_KIND_DOMAIN,
							&position) :
				 iommuser_graph_find_device(graph, values[0], values[1], &position),
			 0);
	return position;
}

static int advance(struct handover *handover, const struct object *object,
		   enum iommuser_state state)
{
	return iommuser_restore_advance(&handover->machine,
					object->verb == DOMAIN ? IOMMUSER_KIND_DOMAIN :
								 IOMMUSER_KIND_DEVICE,
					position_of(handover, object), state);
}

/* Have all devices that use the domain, for a PASID or without one, come as far as @state? */
static bool users_reached(const struct handover *handover, const struct object *domain,
			  enum iommuser_state state)
{
	u32 i;

	for (i = 0; i < handover->nr_objects; i++) {
		const struct object *use = &handover->objects[i];
		u64 device;

		if (use->verb != ATTACHED || use->values[0] != domain->values[0])
			continue;
		assert_int_equal(iommuser_graph_find_device(&handover->machine.graph,
							    use->values[1], use->values[2],
							    &device),
				 0);
		if (state_of(handover, IOMMUSER_KIND_DEVICE, device) < state)
			return false;
	}
	return true;
}

/* Every domain that has not gone there and may, goes to @state. Return: how many may not yet. */
static u32 advance_domains(struct handover *handover, enum iommuser_state state, int early)
{
	u32 waiting = 0, i;

	for (i = 0; i < handover->nr_objects; i++) {
		const struct object *domain = &handover->objects[i];
		bool may;

		if (domain->verb != DOMAIN || state_of(handover, IOMMUSER_KIND_DOMAIN,
						       position_of(handover, domain)) == state)
			continue;
		may = users_reached(handover, domain, state);
		assert_int_equal(advance(handover, domain, state), may ? 0 : early);
		waiting += !may;
	}
	return waiting;
}

/* Device by device; each domain follows as soon as all its devices have gone ahead. */
static void hand_over(struct handover *handover, enum iommuser_state state, int early)
{
	u32 waiting = advance_domains(handover, state, early), i;

	assert_true(waiting > 0);
	for (i = 0; i < handover->nr_objects; i++) {
		if (handover->objects[i].verb != DEVICE)
			continue;
		assert_int_equal(iommuser_restore_finish(&handover->machine), -IOMMUSER_EBUSY);
		assert_int_equal(advance(handover, &handover->objects[i], state), 0);
		waiting = advance_domains(handover, state, early);
	}
	assert_int_equal(waiting, 0);
}

static void take_over(struct handover *handover, enum iommuser_restore_level level)
{
	u64 kept;
	u32 i;

	ready(handover, level);
	for (i = 0; i < handover->nr_objects; i++) {
		const struct object *object = &handover->objects[i];

		if (to_be_claimed(object)) {
			assert_int_equal(iommuser_restore_finish(&handover->machine),
					 -IOMMUSER_EBUSY);
			assert_int_equal(claim(handover, object), 0);
			assert_int_equal(claim(handover, object), -IOMMUSER_EBUSY);
		} else if (object->verb >= GONE_DOMAIN) {
			assert_int_equal(claim(handover, object), -IOMMUSER_ENOENT);
		}
	}
	check_dids(handover);
	kept = sim_count(handover->sim, SIM_RESTORED);
	assert_true(kept > 0);
	hand_over(handover, IOMMUSER_HANDED_OVER, -IOMMUSER_ENODEV);
	hand_over(handover, IOMMUSER_LEFT, -IOMMUSER_EBUSY);
	assert_int_equal(iommuser_restore_finish(&handover->machine), 0);
	assert_int_equal(sim_count(handover->sim, SIM_RESTORED), kept);
	assert_true(sim_count(handover->sim, SIM_RELEASED) >= 4); /* a page a kind, the root */
	check_dids(handover);
}

static void abort_after(struct handover *handover, u32 stop, const struct sim_snapshot *before)
{
	u32 i;

	ready(handover, IOMMUSER_LEVEL_TABLES);
	for (i = 0; i < stop; i++)
		if (to_be_claimed(&handover->objects[i]))
			assert_int_equal(claim(handover, &handover->objects[i]), 0);
	iommuser_restore_abort(&handover->machine);
	assert_int_equal(sim_count(handover->sim, SIM_RESTORED), 0);
	sim_assert_sound(handover->sim);
	sim_take_back(handover->sim);
	assert_true(sim_same(handover->sim, before));
	close_machine(handover);
}

/* Only what a claim takes is made to fail here; reading is, in restore-test. */
static u64 fail_every_step(struct handover *handover)
{
	u64 steps = 0, k;
	u32 i;

	ready(handover, IOMMUSER_LEVEL_TABLES);
	for (i = 0; i < handover->nr_objects; i++) {
		struct sim_snapshot *before;

		if (!to_be_claimed(&handover->objects[i]))
			continue;
		before = sim_snapshot(handover->sim);
		for (k = 1;; k++, steps++) {
			int error;

			sim_fail(handover->sim, SIM_FAIL_RESTORE | SIM_FAIL_DID, k);
			error = claim(handover, &handover->objects[i]);
			if (!sim_failed(handover->sim)) {
				assert_int_equal(error, 0);
				break;
			}
			assert_int_equal(error, -IOMMUSER_EREFUSED);
			sim_take_back(handover->sim);
			assert_true(sim_same(handover->sim, before));
		}
		free(before);
	}
	check_dids(handover);
	iommuser_restore_abort(&handover->machine);
	sim_take_back(handover->sim);
	close_machine(handover);
	return steps;
}

static void try_image(const char *name)
{
	struct handover *handover = load(name);
	struct sim_snapshot *before = sim_snapshot(handover->sim);
	u32 stride = handover->nr_objects / 16 + 1;
	u64 steps;
	u32 stop;

	for (stop = 0; stop <= handover->nr_objects; stop += stride)
		abort_after(handover, stop, before);
	steps = fail_every_step(handover);
	assert_true(steps > 0);
	assert_true(sim_same(handover->sim, before));
	take_over(handover, IOMMUSER_LEVEL_CLOSURE);
	print_message("%s: %u claims, %llu failures\n", name, handover->nr_claims,
		      (unsigned long long)steps);
	free(before);
	unload(handover);
}

static void every_image_is_restored(void **state)
{
	char path[4096], name[128];
	u32 count = 0;
	FILE *list;

	(void)state;
	snprintf(path, sizeof(path), "%s/list", directory);
	list = fopen(path, "r");
	if (!list)
		fail_msg("cannot open %s", path);
	for (; fscanf(list, "%127s", name) == 1; count++)
		try_image(name);
	fclose(list);
	assert_true(count > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_image_is_restored),
	};

	if (argc != 2) {
		print_error("usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	directory = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
