// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The writer of portable images: what it writes reads back, and a failure
 * leaves the earlier file as it was and nothing beside it.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ikho-write.h"
#include "whole-file.h"
#include "image-files.h"

static const struct source_hints hints = {
	.origin = "outgoing",
	.writer = "test",
	.abi = "iommuser-v1",
	.kho = 0x1000,
	.luo = 0x2008,
	.flb = 0,
	.vtd_roots = { { 0x7000, true }, { 0x8000, false } },
	.nr_vtd_roots = 2,
	.has_kho = true,
	.has_luo = true,
	.has_flb = true,
};
static char message[300];

static struct ikho_writer *create(const char *name, u32 page_shift)
{
	message[0] = '\0';
	return ikho_create(test_path(name), page_shift, &hints, message, sizeof(message));
}

static struct source *open_image(const char *name)
{
	struct source_options options = { 0 };
	struct source *source = source_open(test_path(name), &options, message, sizeof(message));

	if (!source)
		fail_msg("refused: %s", message);
	return source;
}

static void finish(struct ikho_writer *writer)
{
	if (ikho_finish(writer, message, sizeof(message)))
		fail_msg("%s", message);
}

static u8 *memory(u64 phys, size_t length)
{
	u8 *bytes = malloc(length);

	assert_non_null(bytes);
	for (size_t i = 0; i < length; i += 4096)
		fill_page(bytes + i, 4096, (phys + i) >> 12);
	return bytes;
}

static void add(struct ikho_writer *writer, u64 phys, size_t length)
{
	u8 *bytes = memory(phys, length);

	assert_int_equal(ikho_add_pages(writer, phys, bytes, length), 0);
	free(bytes);
}

static void assert_memory(struct source *source, u64 phys, size_t length)
{
	u8 *wanted = memory(phys, length), *got = malloc(length);

	assert_non_null(got);
	assert_int_equal(source_read(source, phys, got, length), SOURCE_OK);
	assert_memory_equal(wanted, got, length);
	free(wanted);
	free(got);
}

static void reads_back(void **state)
{
	struct ikho_writer *writer = create("image", 12);
	const struct source_hints *got;
	struct source *source;
	u64 start, end, cursor = 0;

	(void)state;
	assert_non_null(writer);
	add(writer, 0x1000, 0x1000);
	add(writer, 0x2000, 0x1000);
	add(writer, 0x4000, 0x3000);
	add(writer, 0x100000, 0x85000);
	add(writer, 0x185000, 0x1000);
	add(writer, (1ULL << 52) - 4096, 0x1000);
	finish(writer);
	assert_int_equal(count_test_files(), 1);
	source = open_image("image");
	assert_memory(source, 0x1000, 0x2000);
	assert_memory(source, 0x4000, 0x3000);
	assert_memory(source, 0x100000, 0x86000);
	assert_memory(source, (1ULL << 52) - 4096, 0x1000);
	assert_true(source_next_range(source, 0x7000, &start, &end));
	assert_int_equal(start, 0x100000);
	assert_int_equal(end, 0x186000);
	assert_null(source_map(source, 0x3000, 8));
	assert_false(source_has_preserved(source));
	assert_false(source_next_preserved(source, &cursor, &start, &end));
	got = source_hints(source);
	assert_memory_equal(got, &hints, sizeof(hints));
	source_close(source);
}

static void preserved_set(void **state)
{
	struct ikho_writer *writer = create("image", 16);
	u64 cursor = 0, phys, length, nr = 150000;
	struct source *source;

	(void)state;
	assert_non_null(writer);
	ikho_begin_preserved(writer);
	for (u64 i = 0; i < nr; i++) {
		assert_int_equal(ikho_add_preserved(writer, i * 0x5000, 0x1000 * (1 + i % 4)), 0);
		if (i % 50000 == 0)
			add(writer, i * 0x5000, 0x1000);
	}
	finish(writer);
	source = open_image("image");
	assert_int_equal(source_page_shift(source), 16);
	for (u64 i = 0; i < nr; i++) {
		assert_true(source_next_preserved(source, &cursor, &phys, &length));
		assert_int_equal(phys, i * 0x5000);
		assert_int_equal(length, 0x1000 * (1 + i % 4));
	}
	assert_false(source_next_preserved(source, &cursor, &phys, &length));
	assert_memory(source, 50000 * 0x5000, 0x1000);
	source_close(source);
}

static void empty_sets(void **state)
{
	struct ikho_writer *writer = create("image", 14);
	struct source *source;
	u64 phys, length, cursor = 0;

	(void)state;
	assert_non_null(writer);
	ikho_begin_preserved(writer);
	finish(writer);
	source = open_image("image");
	assert_int_equal(source_page_shift(source), 14);
	assert_true(source_has_preserved(source));
	assert_false(source_next_preserved(source, &cursor, &phys, &length));
	assert_false(source_next_range(source, 0, &phys, &length));
	source_close(source);
}

/* Incompressible memory is stored as it is; the same input gives the same file. */
static void stable_output(void **state)
{
	struct blob files[2];
	u8 noise[8192];
	u64 random = 3;

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		noise[i] = (u8)(random >> 56);
	}
	for (int i = 0; i < 2; i++) {
		struct ikho_writer *writer = create("image", 12);

		assert_non_null(writer);
		assert_int_equal(ikho_add_pages(writer, 0, noise, sizeof(noise)), 0);
		finish(writer);
		files[i] = blob_load(test_path("image"));
	}
	assert_int_equal(files[0].size, files[1].size);
	assert_memory_equal(files[0].data, files[1].data, files[0].size);
	assert_true(files[0].size > sizeof(noise));
	assert_true(files[0].size < sizeof(noise) + 1024);
	blob_free(&files[0]);
	blob_free(&files[1]);
}

static void assert_old(void)
{
	struct blob got = blob_load(test_path("image"));

	assert_int_equal(got.size, 3);
	assert_memory_equal(got.data, "old", 3);
	blob_free(&got);
	assert_int_equal(count_test_files(), 1);
}

static void save_old(void)
{
	struct blob old = { 0 };

	blob_append(&old, "old", 3);
	blob_save(&old, test_path("image"), old.size);
	blob_free(&old);
}

static void refused_runs(void **state)
{
	static const u64 cases[][2] = {
		{ 0x9000, 0x1000 },
		{ 0xa000, 0x1000 },
		{ 0, 0x1000 },
		{ 0x20800, 0x1000 },
		{ 0x20000, 0x1800 },
		{ 1ULL << 52, 0x1000 },
		{ (1ULL << 52) - 4096, 0x2000 },
	};
	u8 bytes[0x2000] = { 0 };

	(void)state;
	save_old();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ikho_writer *writer = create("image", 12);

		assert_non_null(writer);
		assert_int_equal(ikho_add_pages(writer, 0x9000, bytes, 0x2000), 0);
		assert_int_equal(ikho_add_pages(writer, cases[i][0], bytes, (size_t)cases[i][1]),
				 -1);
		/* Once wrong, always wrong. */
		assert_int_equal(ikho_add_pages(writer, 0x40000, bytes, 0x1000), -1);
		assert_int_equal(ikho_add_preserved(writer, 0x1000, 0x1000), -1);
		assert_int_equal(ikho_finish(writer, message, sizeof(message)), -1);
		assert_non_null(strstr(message, "cannot be next"));
		assert_old();
	}
}

static void refused_pairs(void **state)
{
	static const u64 cases[][2] = {
		{ 0x1001, 0x1000 },	{ 0x1000, 0x1001 },	{ 0x1000, 0 },
		{ 1ULL << 52, 0x1000 }, { 0x1000, 1ULL << 52 },
	};

	(void)state;
	save_old();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ikho_writer *writer = create("image", 12);

		assert_non_null(writer);
		assert_int_equal(ikho_add_preserved(writer, cases[i][0], cases[i][1]), -1);
		assert_int_equal(ikho_finish(writer, message, sizeof(message)), -1);
		assert_old();
	}
}

/* The disk is full: here, the file may not grow. */
static void full_disk(void **state)
{
	struct rlimit before, small;
	size_t files = count_open_files();

	(void)state;
	save_old();
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t limit = 0; limit < 700; limit += 9) {
		struct ikho_writer *writer;

		small = before;
		small.rlim_cur = limit;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		writer = create("image", 12);
		if (writer) {
			u8 *bytes = memory(0, 0x4000);

			ikho_add_pages(writer, 0, bytes, 0x4000);
			free(bytes);
			ikho_add_preserved(writer, 0, 0x1000);
			assert_int_equal(ikho_finish(writer, message, sizeof(message)), -1);
		}
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		assert_non_null(strstr(message, "cannot write"));
		assert_old();
	}
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(count_open_files(), files);
}

static void abandoned(void **state)
{
	struct ikho_writer *writer;

	(void)state;
	save_old();
	writer = create("image", 12);
	assert_non_null(writer);
	assert_int_equal(count_test_files(), 2);
	add(writer, 0, 0x20000);
	ikho_abandon(writer);
	assert_old();
	/* As a signal handler would. */
	writer = create("image", 12);
	assert_non_null(writer);
	whole_file_remove_pending();
	assert_int_equal(count_test_files(), 1);
	assert_int_equal(ikho_finish(writer, message, sizeof(message)), -1);
	assert_old();
	whole_file_remove_pending();
	assert_old();
}

static void targets(void **state)
{
	struct ikho_writer *writer;
	struct stat st;

	(void)state;
	assert_null(create("", 12));
	assert_non_null(strstr(message, "regular file"));
	assert_null(create("no/such/place", 12));
	assert_true(strlen(message) > 0);
	assert_null(ikho_create("/dev/null", 12, &hints, message, sizeof(message)));
	assert_null(create("image", 13));
	save_old();
	assert_int_equal(symlink(test_path("image"), test_path("link")), 0);
	writer = create("link", 12);
	assert_non_null(writer);
	finish(writer);
	assert_int_equal(lstat(test_path("link"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	source_close(open_image("image"));
	assert_true(whole_file_replaces(test_path("link"), test_path("image")));
	assert_true(whole_file_replaces(test_path("image"), test_path("link")));
	assert_int_equal(unlink(test_path("link")), 0);
	assert_int_equal(count_test_files(), 1);
	assert_false(whole_file_replaces(test_path("link"), test_path("image")));
	assert_false(whole_file_replaces(test_path("image"), test_path("link")));
	assert_false(whole_file_replaces(test_path("image"), "/dev/null"));
}

/* Also when there is no file yet where it leads. */
static void dangling_links(void **state)
{
	struct ikho_writer *writer;
	struct stat st;

	(void)state;
	assert_int_equal(unlink(test_path("image")), 0);
	assert_int_equal(symlink(test_path("second"), test_path("first")), 0);
	assert_int_equal(symlink("image", test_path("second")), 0);
	writer = create("first", 12);
	assert_non_null(writer);
	finish(writer);
	assert_int_equal(lstat(test_path("first"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(lstat(test_path("image"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	source_close(open_image("image"));
	/* In a circle, and to a place that is not there. */
	assert_int_equal(unlink(test_path("second")), 0);
	assert_int_equal(symlink(test_path("first"), test_path("second")), 0);
	assert_null(create("first", 12));
	assert_int_equal(unlink(test_path("second")), 0);
	assert_int_equal(symlink("no/such/place", test_path("second")), 0);
	assert_null(create("first", 12));
	assert_non_null(strstr(message, "directory"));
	assert_int_equal(lstat(test_path("second"), &st), 0);
	assert_int_equal(unlink(test_path("first")), 0);
	assert_int_equal(unlink(test_path("second")), 0);
	assert_int_equal(count_test_files(), 1);
}

static void bad_hints(void **state)
{
	struct source_hints bad = hints;

	(void)state;
	save_old();
	strcpy(bad.writer, "two\nlines");
	assert_null(ikho_create(test_path("image"), 12, &bad, message, sizeof(message)));
	assert_old();
	bad = hints;
	memset(bad.abi, 'a', sizeof(bad.abi));
	assert_null(ikho_create(test_path("image"), 12, &bad, message, sizeof(message)));
	bad = hints;
	bad.nr_vtd_roots = SOURCE_MAX_VTD_ROOTS + 1;
	assert_null(ikho_create(test_path("image"), 12, &bad, message, sizeof(message)));
	bad = hints;
	bad.has_states = true;
	assert_null(ikho_create(test_path("image"), 12, &bad, message, sizeof(message)));
	strcpy(bad.origin, "incoming");
	bad.has_flb = false;
	assert_null(ikho_create(test_path("image"), 12, &bad, message, sizeof(message)));
	assert_old();
}

static const struct source_hints incoming = {
	.origin = "incoming",
	.abi = "iommuser-v1",
	.flb = 0x3000,
	.has_flb = true,
	.has_states = true,
};

static void states(void **test_state)
{
	struct ikho_writer *writer =
		ikho_create(test_path("image"), 12, &incoming, message, sizeof(message));
	struct source *source;
	u32 state;

	(void)test_state;
	assert_non_null(writer);
	assert_int_equal(ikho_add_state(writer, 1, 2), 0);
	for (u64 i = 0; i < 150000; i++)
		assert_int_equal(ikho_add_state(writer, 3, (u32)(i % 7)), 0);
	finish(writer);
	source = open_image("image");
	assert_memory_equal(source_hints(source), &incoming, sizeof(incoming));
	assert_int_equal(source_nr_states(source, 1), 1);
	assert_int_equal(source_nr_states(source, 2), 0);
	assert_int_equal(source_nr_states(source, 3), 150000);
	for (u64 i = 0; i < 150000; i++) {
		assert_int_equal(source_state(source, 3, i, &state), SOURCE_OK);
		assert_int_equal(state, i % 7);
	}
	source_close(source);
}

/* Kinds and states that there are not, kinds out of order, states where none were announced. */
static void refused_states(void **test_state)
{
	static const struct {
		u32 first;
		u32 kind;
		u32 state;
	} wrong[] = {
		{ 1, 0, 2 }, { 1, 4, 2 }, { 3, 2, 2 }, { 2, 1, 2 }, { 1, 3, 7 }, { 1, 3, ~0U }
	};

	(void)test_state;
	save_old();
	for (size_t i = 0; i <= sizeof(wrong) / sizeof(wrong[0]); i++) {
		bool announced = i < sizeof(wrong) / sizeof(wrong[0]);
		struct ikho_writer *writer = ikho_create(test_path("image"), 12,
							 announced ? &incoming : &hints, message,
							 sizeof(message));

		assert_non_null(writer);
		if (announced)
			assert_int_equal(ikho_add_state(writer, wrong[i].first, 2), 0);
		assert_int_equal(ikho_add_state(writer, announced ? wrong[i].kind : 1,
						announced ? wrong[i].state : 2),
				 -1);
		assert_int_equal(ikho_add_state(writer, 3, 2), -1);
		assert_int_equal(ikho_finish(writer, message, sizeof(message)), -1);
		assert_non_null(strstr(message, "cannot be next"));
		assert_old();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back),	cmocka_unit_test(preserved_set),
		cmocka_unit_test(empty_sets),	cmocka_unit_test(stable_output),
		cmocka_unit_test(refused_runs), cmocka_unit_test(refused_pairs),
		cmocka_unit_test(states),	cmocka_unit_test(refused_states),
		cmocka_unit_test(full_disk),	cmocka_unit_test(abandoned),
		cmocka_unit_test(targets),	cmocka_unit_test(dangling_links),
		cmocka_unit_test(bad_hints),
	};

	return cmocka_run_group_tests(tests, test_directory_setup, test_directory_teardown);
}
