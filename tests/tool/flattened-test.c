// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Flattened streams: put in order whatever the order, refused when anything
 * is missing, and no file left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "image-files.h"
#include "source.h"

#define STREAM_HEADER 4096

static const struct elf_segment segments[] = { { 0x1000, 0x4000, 0x4000 },
					       { 0x10000, 0x4000, 0x4000 } };
static char message[300];

static struct source *open_size(const struct blob *blob, size_t size)
{
	struct source_options options = { 0 };

	message[0] = '\0';
	blob_save(blob, test_path("image"), size);
	return source_open(test_path("image"), &options, message, sizeof(message));
}

static void put_be64(struct blob *blob, size_t offset, u64 value)
{
	u64 swapped = __builtin_bswap64(value);

	blob_put_le(blob, offset, swapped, 8);
}

static void record(struct blob *blob, u64 offset, u64 length, const u8 *bytes)
{
	put_be64(blob, blob->size, offset);
	put_be64(blob, blob->size, length);
	if (bytes)
		blob_append(blob, bytes, (size_t)length);
}

static struct blob stream_header(void)
{
	struct blob empty = { 0 };
	struct blob blob = build_flattened(&empty, 1, false);

	blob.size = STREAM_HEADER;
	return blob;
}

static void assert_whole(struct source *source)
{
	u8 wanted[4096], got[4096];

	if (!source)
		fail_msg("refused: %s", message);
	for (u64 frame = 1; frame < 0x14; frame += frame == 4 ? 12 : 1) {
		fill_page(wanted, sizeof(wanted), frame);
		assert_int_equal(source_read(source, frame << 12, got, sizeof(got)), SOURCE_OK);
		assert_memory_equal(wanted, got, sizeof(got));
	}
	source_close(source);
}

static void assert_refused(struct blob *blob, const char *word)
{
	struct source *source = open_size(blob, blob->size);

	assert_null(source);
	if (!strstr(message, word))
		fail_msg("\"%s\" does not say \"%s\"", message, word);
	assert_null(strchr(message, '\n'));
	blob_free(blob);
}

static void any_order(void **state)
{
	static const size_t chunks[] = { 1, 7, 4096, 5000, 1 << 20, 1 << 24 };
	struct blob elf = build_elf(MACHINE_X86_64, segments, 2, false);

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		struct blob flat = build_flattened(&elf, chunks[i / 2], i % 2);

		assert_whole(open_size(&flat, flat.size));
		blob_free(&flat);
	}
	blob_free(&elf);
}

/* Records larger than the buffer, and headers across its end. */
static void large_records(void **state)
{
	const struct elf_segment segment = { 0, 5 << 20, 5 << 20 };
	struct blob elf = build_elf(MACHINE_X86_64, &segment, 1, false);
	u8 wanted[4096];

	(void)state;
	for (size_t chunk = 3 << 20; chunk >= 3 << 10; chunk = chunk / 31 - 5) {
		struct blob flat = build_flattened(&elf, chunk, true);
		struct source *source = open_size(&flat, flat.size);

		assert_non_null(source);
		for (u64 frame = 0; frame < (5 << 20) / 4096; frame++) {
			fill_page(wanted, sizeof(wanted), frame);
			assert_memory_equal(source_map(source, frame << 12, 4096), wanted, 4096);
		}
		source_close(source);
		blob_free(&flat);
	}
	blob_free(&elf);
}

/* makedumpfile writes some headers twice: the last one counts. */
static void rewritten(void **state)
{
	struct blob elf = build_elf(MACHINE_X86_64, segments, 2, false), flat = stream_header();
	u8 junk[300];

	(void)state;
	memset(junk, 0x5a, sizeof(junk));
	record(&flat, 0, sizeof(junk), junk);
	record(&flat, 5000, sizeof(junk), junk);
	record(&flat, 0, elf.size, elf.data);
	record(&flat, 64, 56, elf.data + 64);
	record(&flat, ~0ULL, ~0ULL, NULL);
	assert_whole(open_size(&flat, flat.size));
	blob_free(&flat);
	blob_free(&elf);
}

static void truncated_everywhere(void **state)
{
	static const struct elf_segment small = { 0, 100, 100 };
	struct blob elf = build_elf(MACHINE_X86_64, &small, 1, false);
	struct blob flat = build_flattened(&elf, 900, false);

	(void)state;
	for (size_t size = 16; size < flat.size; size += size < STREAM_HEADER - 20 ? 37 : 1) {
		assert_null(open_size(&flat, size));
		if (!strstr(message, "truncated") || !strstr(message, "offset"))
			fail_msg("%zu bytes: %s", size, message);
	}
	blob_free(&flat);
	blob_free(&elf);
}

static void bad_records(void **state)
{
	static const u64 cases[][2] = {
		{ ~0ULL, 16 },	    { 16, ~0ULL }, { 1ULL << 63, 16 },	      { INT64_MAX, 16 },
		{ 16, 1ULL << 63 }, { 0, 0 },	   { INT64_MAX - 4, 5 + 16 }, { ~0ULL, 0 },
	};
	struct blob blob;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		blob = stream_header();
		record(&blob, cases[i][0], cases[i][1], NULL);
		blob_put_le(&blob, blob.size + 64, 0, 1);
		assert_refused(&blob, "damaged: the record at offset 4096");
	}
	blob = stream_header();
	record(&blob, 0, 1ULL << 40, NULL);
	assert_refused(&blob, "truncated: the record at offset 4096");
	blob = stream_header();
	record(&blob, ~0ULL, ~0ULL, NULL);
	assert_refused(&blob, "empty");
	blob = stream_header();
	put_be64(&blob, 16, 2);
	assert_refused(&blob, "unknown type 2");
	blob = stream_header();
	put_be64(&blob, 24, 9);
	assert_refused(&blob, "version 9");
	/* Far out in the file: refused by the file system or as no image, never filled. */
	blob = stream_header();
	record(&blob, 1ULL << 62, 16, (const u8 *)"0123456789abcdef");
	record(&blob, ~0ULL, ~0ULL, NULL);
	assert_refused(&blob, "");
}

static void scattered(void **state)
{
	struct blob blob = stream_header();

	(void)state;
	for (u64 i = 0; i < 20000; i++)
		record(&blob, (20000 - i) * 2, 1, (const u8 *)"x");
	record(&blob, ~0ULL, ~0ULL, NULL);
	assert_refused(&blob, "separate parts");
}

/* Bytes that no record brings are missing, not zero. */
static void gap_in_elf(void **state)
{
	struct blob elf = build_elf(MACHINE_X86_64, segments, 2, false), flat = stream_header();
	size_t gap = 4096 + 0x1000;
	struct source *source;
	u64 start, end;

	(void)state;
	record(&flat, 0, gap, elf.data);
	record(&flat, gap + 0x1000, elf.size - gap - 0x1000, elf.data + gap + 0x1000);
	record(&flat, ~0ULL, ~0ULL, NULL);
	source = open_size(&flat, flat.size);
	assert_non_null(source);
	assert_non_null(source_map(source, 0x1000, 4096));
	assert_null(source_map(source, 0x2000, 4096));
	assert_int_equal(source_last_status(source), SOURCE_MISSING);
	assert_null(source_map(source, 0x2ff8, 8));
	assert_non_null(source_map(source, 0x3000, 4096));
	assert_true(source_next_range(source, 0, &start, &end));
	assert_int_equal(end, 0x2000);
	assert_true(source_next_range(source, end, &start, &end));
	assert_int_equal(start, 0x3000);
	source_close(source);
	blob_free(&flat);
	flat = stream_header();
	record(&flat, 0, 70, elf.data);
	record(&flat, 4096, elf.size - 4096, elf.data + 4096);
	record(&flat, ~0ULL, ~0ULL, NULL);
	assert_refused(&flat, "program headers");
	blob_free(&elf);
}

static void gap_in_kdump(void **state)
{
	static const u64 frames[] = { 1, 2, 3, 4 };
	const struct kdump_shape shape = {
		.machine = MACHINE_X86_64,
		.page_size = 4096,
		.max_frame = 100,
		.frames = frames,
		.nr_frames = 4,
	};
	struct blob kdump = build_kdump(&shape), flat = stream_header();
	size_t gap = kdump.size - 2 * 4096;

	(void)state;
	record(&flat, 0, gap, kdump.data);
	record(&flat, gap + 4096, 4096, kdump.data + gap + 4096);
	record(&flat, ~0ULL, ~0ULL, NULL);
	assert_refused(&flat, "gap");
	/* Between the headers it does not matter. */
	flat = stream_header();
	record(&flat, 4096, 104, kdump.data + 4096);
	record(&flat, 8192, kdump.size - 8192, kdump.data + 8192);
	record(&flat, 0, 464, kdump.data);
	record(&flat, ~0ULL, ~0ULL, NULL);
	source_close(open_size(&flat, flat.size));
	assert_string_equal(message, "");
	blob_free(&flat);
	blob_free(&kdump);
}

static void nested(void **state)
{
	struct blob elf = build_elf(MACHINE_X86_64, segments, 2, false);
	struct blob flat = build_flattened(&elf, 4096, false);
	struct blob twice = build_flattened(&flat, 4096, false);
	struct blob ikho = ikho_header(0, 4096), wrapped;

	(void)state;
	assert_refused(&twice, "");
	ikho_section(&ikho, 1, 0, 0, 0, "a=b\n", 4);
	ikho_end(&ikho, 1, 0);
	wrapped = build_flattened(&ikho, 4096, false);
	assert_refused(&wrapped, "");
	blob_free(&ikho);
	blob_free(&flat);
	blob_free(&elf);
}

static void nothing_left(void **state)
{
	struct blob elf = build_elf(MACHINE_X86_64, segments, 2, false);
	struct blob flat = build_flattened(&elf, 4096, false);
	const char *before = getenv("TMPDIR");
	char *saved = before ? strdup(before) : NULL;
	size_t files = count_open_files();

	(void)state;
	assert_int_equal(setenv("TMPDIR", test_path(""), 1), 0);
	assert_whole(open_size(&flat, flat.size));
	assert_null(open_size(&flat, flat.size - 1));
	assert_int_equal(count_test_files(), 1);
	/* A directory that is not there: another one is taken. */
	assert_int_equal(setenv("TMPDIR", test_path("nowhere"), 1), 0);
	assert_whole(open_size(&flat, flat.size));
	if (saved)
		setenv("TMPDIR", saved, 1);
	else
		unsetenv("TMPDIR");
	free(saved);
	assert_int_equal(count_open_files(), files);
	blob_free(&flat);
	blob_free(&elf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order),   cmocka_unit_test(large_records),
		cmocka_unit_test(rewritten),   cmocka_unit_test(truncated_everywhere),
		cmocka_unit_test(bad_records), cmocka_unit_test(scattered),
		cmocka_unit_test(gap_in_elf),  cmocka_unit_test(gap_in_kdump),
		cmocka_unit_test(nested),      cmocka_unit_test(nothing_left),
	};

	return cmocka_run_group_tests(tests, test_directory_setup, test_directory_teardown);
}
