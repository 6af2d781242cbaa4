// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the mutator itself: what it makes from nothing is sound, what it
 * changes is found, by every check there is; seals are right; and no input
 * breaks it or makes it forget its limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <zlib.h>

#include <iommuser/verify.h>

#include "mutate-private.h"

#define MAX_SIZE 16384
#define SOUND_SEEDS 500
#define FINDING_SEEDS 100000
#define OPERATOR_SEEDS 3000
#define GARBAGE_SEEDS 2000

static const char *const targets[] = { "chain",	       "verify", "pagetable", "records", "agree",
				       "agree-series", "vtd",	 "restore",   "kho-map", "luo",
				       "kho-fdt",      "ikho",	 "dump" };

static struct mutation the_mutation;
static struct mutate_model the_model;
static struct account the_account;

/* The handover as the model has it, checked. */

static int open_and_verify(struct iommuser_verify *job, struct iommuser_root *root,
			   struct iommuser_survey *survey_result, struct iommuser_graph *graph)
{
	void *bytes;
	u64 size;
	int error;

	error = iommuser_root_open(job->env, model_revision(&the_model), model_root(&the_model),
				   job->set, job->reporter, root);
	if (error)
		return error;
	assert_false(iommuser_survey_root(job->env, root, job->set, job->reporter, survey_result));
	size = iommuser_graph_size(root, survey_result);
	bytes = calloc(1, size);
	assert_non_null(bytes);
	assert_false(iommuser_graph_build(graph, job->env, root, survey_result, 1, bytes, size));
	assert_false(iommuser_verify_all(job));
	free(bytes);
	return 0;
}

static void verify_model(void)
{
	struct memory *memory = memory_begin((model_page_shift(&the_model) - 12) / 2);
	struct iommuser_root root;
	struct iommuser_survey survey_result;
	struct iommuser_graph graph;
	struct iommuser_verify job = {
		.env = &memory->env,
		.root = &root,
		.survey = &survey_result,
		.graph = &graph,
		.reporter = &the_account.reporter,
		.set = set_new(),
	};
	u32 i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		if (the_model.present[i])
			memcpy(memory_at(memory, MEMORY_BASE + i * FRAME_SIZE),
			       the_model.bytes + i * FRAME_SIZE, FRAME_SIZE);
	set_fill(job.set, the_model.preserved);
	open_and_verify(&job, &root, &survey_result, &graph);
	set_free(job.set);
	memory_end(memory);
}

static void make(const struct mutate_format *format, u32 seed)
{
	model_clear(&the_model, format);
	the_mutation.model = &the_model;
	the_mutation.chance = seed;
	generate(&the_mutation);
}

static u64 errors_of(const struct account *account)
{
	u64 count = 0;
	u32 id;

	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++)
		count += account->seen[id];
	return count;
}

/* In the layouts of the posted series, domains with other stages are a warning at most. */
static void test_what_is_generated_is_sound(void **state)
{
	u32 seed, per_revision[8] = { 0 };

	(void)state;
	for (seed = 0; seed < SOUND_SEEDS; seed++) {
		make(mutate_format("verify"), seed);
		account_begin(&the_account);
		verify_model();
		if (errors_of(&the_account)) {
			u32 id;

			for (id = 0; id < IOMMUSER_NR_FINDINGS; id++)
				if (the_account.seen[id])
					print_error("seed %u, %s: %s\n", seed,
						    model_revision(&the_model)->name,
						    iommuser_finding_code(id));
			fail();
		}
		per_revision[model_value(&the_model, ROLE_REVISION) % 5]++;
	}
	for (seed = 0; seed < 5; seed++)
		assert_true(per_revision[seed]);
}

static void test_the_model_comes_back(void **state)
{
	static u8 data[MAX_SIZE], again[MAX_SIZE];
	size_t size;
	u32 i, seed;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(targets); i++) {
		const struct mutate_format *format = mutate_format(targets[i]);

		assert_non_null(format);
		if (format->content == CONTENT_FILE)
			continue;
		for (seed = 0; seed < 50; seed++) {
			make(format, seed);
			size = model_store(&the_model, data, sizeof(data));
			assert_true(size);
			assert_true(model_load(&the_model, format, data, size));
			assert_int_equal(model_store(&the_model, again, sizeof(again)), size);
			assert_memory_equal(data, again, size);
		}
	}
}

static bool seals_are_right(void)
{
	u32 i, offset;
	u8 *page;
	u64 crc;

	survey(&the_mutation);
	for (i = 0; i < the_mutation.nr_pages; i++) {
		if (the_mutation.pages[i].type > PAGE_RECORDS)
			continue;
		offset = the_mutation.pages[i].type == PAGE_ROOT ?
				 offsetof(struct iommuser_root_ser, crc) :
				 offsetof(struct iommuser_page_ser, crc);
		page = the_model.bytes + the_mutation.pages[i].at;
		crc = model_get(&the_model, the_mutation.pages[i].at + offset, 4);
		memset(page + offset, 0, 4);
		if (crc32(0, page, 1U << the_mutation.page_shift) != crc)
			return false;
	}
	return true;
}

static void test_most_results_are_sealed(void **state)
{
	const struct mutate_format *format = mutate_format("verify");
	static u8 data[MAX_SIZE];
	u32 seed, right = 0, wrong = 0;
	size_t size = 0;

	(void)state;
	for (seed = 1; seed <= 1000; seed++) {
		size = mutate(format, NULL, data, seed % 10 ? size : 0, sizeof(data), seed);
		if (!model_load(&the_model, format, data, size) ||
		    model_value(&the_model, ROLE_REVISION) % 5)
			continue;
		if (seals_are_right())
			right++;
		else
			wrong++;
	}
	assert_true(right > 4 * wrong);
	assert_true(wrong);
}

/*
 * Reported by the tool, or about states and files, which are not in this
 * memory; or for more records than fit there.
 */
static bool not_of_records(u32 id)
{
	static const char *const others[] = { "KHO",	    "LUO",	  "CHAIN-05",  "REC-25",
					      "REC-26",	    "REC-27",	  "REF-06",    "REF-07",
					      "REF-08",	    "REF-09",	  "REF-10",    "REF-11",
					      "REF-12",	    "REF-13",	  "REF-14",    "REF-15",
					      "CLOSURE-06", "CLOSURE-07", "CLOSURE-08" };
	const char *code = iommuser_finding_code(id);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (!strncmp(code, others[i], strlen(others[i])))
			return true;
	return false;
}

static u32 nr_missing(bool say)
{
	u32 id, missing = 0;

	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		if (!iommuser_finding_code(id) || not_of_records(id) || the_account.seen[id])
			continue;
		missing++;
		if (say)
			print_error("%s is never found\n", iommuser_finding_code(id));
	}
	return missing;
}

static void test_every_check_is_reached(void **state)
{
	const struct mutate_format *format = mutate_format("verify");
	static u8 data[MAX_SIZE];
	size_t size = 0;
	u32 seed;

	(void)state;
	account_begin(&the_account);
	for (seed = 1; seed <= FINDING_SEEDS && nr_missing(false); seed++) {
		size = mutate(format, NULL, data, seed % 4 ? size : 0, sizeof(data), seed);
		if (model_load(&the_model, format, data, size))
			verify_model();
	}
	assert_int_equal(nr_missing(true), 0);
	print_message("every check after %u mutations\n", seed);
}

static void test_every_operator_works(void **state)
{
	static u8 data[MAX_SIZE];
	u32 i, seed, missing = 0;
	size_t size;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(targets); i++)
		for (seed = 0, size = 0; seed < OPERATOR_SEEDS / ARRAY_SIZE(targets); seed++)
			size = mutate(mutate_format(targets[i]), NULL, data, size, sizeof(data),
				      seed);
	for (i = 0; mutate_operator_name(i); i++) {
		if (mutate_operator_count(i))
			continue;
		print_error("%s has had no effect\n", mutate_operator_name(i));
		missing++;
	}
	assert_true(i);
	assert_int_equal(missing, 0);
}

static void test_a_seed_gives_one_result(void **state)
{
	static u8 first[MAX_SIZE], second[MAX_SIZE];
	size_t first_size, second_size;
	u32 i, seed;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(targets); i++) {
		const struct mutate_format *format = mutate_format(targets[i]);

		for (seed = 0; seed < 60; seed++) {
			first_size = mutate(format, NULL, first, 0, MAX_SIZE, seed);
			first_size = mutate(format, NULL, first, first_size, MAX_SIZE, ~seed);
			/* Something else in between must not count. */
			mutate(format, NULL, second, 0, MAX_SIZE, seed + 1);
			second_size = mutate(format, NULL, second, 0, MAX_SIZE, seed);
			second_size = mutate(format, NULL, second, second_size, MAX_SIZE, ~seed);
			assert_int_equal(first_size, second_size);
			assert_memory_equal(first, second, first_size);
		}
	}
}

/* Of exactly that size, for sanitizers. */
static void mutate_exactly(const struct mutate_format *format, const u8 *data, size_t size,
			   size_t max_size, u32 seed)
{
	u8 *copy = malloc(max_size);
	size_t result;

	assert_non_null(copy);
	memcpy(copy, data, size);
	result = mutate(format, NULL, copy, size, max_size, seed);
	assert_in_range(result, 1, max_size);
	free(copy);
}

static void test_any_input_is_taken(void **state)
{
	static u8 data[MAX_SIZE], other[MAX_SIZE], out[MAX_SIZE];
	u64 random = 1;
	size_t size, max_size, other_size = 0;
	u32 i, seed;

	(void)state;
	for (seed = 0; seed < GARBAGE_SEEDS; seed++) {
		const struct mutate_format *format =
			mutate_format(targets[seed % ARRAY_SIZE(targets)]);

		max_size = 1 + seed * 7919 % (seed % 3 ? 600 : MAX_SIZE);
		size = seed * 31 % (max_size + 1);
		for (i = 0; i < size; i++) {
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			data[i] = (u8)(random >> 56);
		}
		/* Half of them are sound in part. */
		if (seed % 2) {
			size = mutate(format, NULL, data, 0, max_size, seed);
			for (i = 0; i < 4; i++)
				data[(random >> 8 * i) % size] ^= (u8)(random >> 40);
		}
		mutate_exactly(format, data, size, max_size, seed);
		assert_true(mutate_cross(format, data, size, other, other_size, out, max_size,
					 seed) <= max_size);
		memcpy(other, data, size);
		other_size = size;
	}
}

static size_t greedy_engine(u8 *data, size_t size, size_t max_size)
{
	memset(data, 0xff, max_size);
	return size ? max_size : 0;
}

static void test_what_is_unknown_is_left_to_the_engine(void **state)
{
	u8 data[32] = { 0 };

	(void)state;
	assert_null(mutate_format("no such target"));
	assert_int_equal(mutate(NULL, greedy_engine, data, 1, sizeof(data), 1), sizeof(data));
	assert_int_equal(data[31], 0xff);
	/* An engine that makes nothing is helped. */
	assert_int_equal(mutate(NULL, greedy_engine, data, 0, sizeof(data), 1), 1);
}

static void test_pages_are_crossed(void **state)
{
	const struct mutate_format *format = mutate_format("verify");
	static u8 one[MAX_SIZE], other[MAX_SIZE], out[MAX_SIZE];
	size_t one_size, other_size, size;
	u32 seed, new_ones = 0;

	(void)state;
	for (seed = 0; seed < 100; seed++) {
		one_size = mutate(format, NULL, one, 0, MAX_SIZE, seed);
		other_size = mutate(format, NULL, other, 0, MAX_SIZE, seed + 1000);
		size = mutate_cross(format, one, one_size, other, other_size, out, MAX_SIZE, seed);
		new_ones += size && (size != one_size || memcmp(one, out, size));
	}
	assert_true(new_ones > 20);
}

/* As in mutate-afl.c. */
void *afl_custom_init(void *afl, unsigned int seed);
void afl_custom_deinit(void *data);
size_t afl_custom_fuzz(void *data, u8 *input, size_t size, u8 **out, const u8 *other,
		       size_t other_size, size_t max_size);

static void test_afl_gets_its_inputs(void **state)
{
	const struct mutate_format *format = mutate_format("verify");
	static u8 input[MAX_SIZE], other[MAX_SIZE];
	u32 i, understood = 0;
	size_t size, made;
	void *shim;
	u8 *out;

	(void)state;
	unsetenv("FUZZ_TARGET");
	assert_null(afl_custom_init(NULL, 1));
	setenv("FUZZ_TARGET", "verify", 1);
	shim = afl_custom_init(NULL, 1);
	assert_non_null(shim);
	size = mutate(format, NULL, input, 0, sizeof(input), 1);
	made = mutate(format, NULL, other, 0, sizeof(other), 2);
	for (i = 0; i < 300; i++) {
		size_t result = afl_custom_fuzz(shim, input, size, &out, other, made, MAX_SIZE);

		assert_in_range(result, 1, MAX_SIZE);
		understood += model_load(&the_model, format, out, result);
	}
	assert_true(understood > 200);
	/* What is larger than it may be stays as it is. */
	assert_int_equal(afl_custom_fuzz(shim, input, size, &out, NULL, 0, size - 1), size);
	assert_ptr_equal(out, input);
	afl_custom_deinit(shim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_generated_is_sound),
		cmocka_unit_test(test_the_model_comes_back),
		cmocka_unit_test(test_most_results_are_sealed),
		cmocka_unit_test(test_every_check_is_reached),
		cmocka_unit_test(test_every_operator_works),
		cmocka_unit_test(test_a_seed_gives_one_result),
		cmocka_unit_test(test_any_input_is_taken),
		cmocka_unit_test(test_what_is_unknown_is_left_to_the_engine),
		cmocka_unit_test(test_pages_are_crossed),
		cmocka_unit_test(test_afl_gets_its_inputs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
