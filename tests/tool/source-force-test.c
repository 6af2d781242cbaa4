// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Damaged files by force, and raw memory in pieces: what is left is right, what
 * was lost is missing, and both are said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image-files.h"
#include "source.h"

#define NR_FRAMES 0x310

static const struct elf_segment segments[] = {
	{ 0x1000, 0x3000, 0x3000 },
	{ 0x100000, 0x2000, 0x2000 },
	{ 0x300000, 0x4000, 0x4000 },
};
static const u64 frames[] = { 1, 2, 3, 0x100, 0x101, 0x300, 0x301, 0x302, 0x303 };
#define NR_DUMPED (sizeof(frames) / sizeof(frames[0]))
static char message[400];

static struct source *open_cut(const struct blob *blob, size_t size, bool force)
{
	const struct source_options options = { .force = force };

	message[0] = '\0';
	blob_save(blob, test_path("image"), size);
	return source_open(test_path("image"), &options, message, sizeof(message));
}

/* Every page is what it was, or missing. Return: how many are there. */
static size_t count_pages(struct source *source)
{
	u8 wanted[4096], got[4096];
	size_t nr = 0;

	for (u64 frame = 0; frame < NR_FRAMES; frame++) {
		enum source_status status = source_read(source, frame << 12, got, sizeof(got));

		if (status == SOURCE_OK) {
			fill_page(wanted, sizeof(wanted), frame);
			assert_memory_equal(wanted, got, sizeof(got));
			nr++;
		} else {
			assert_int_equal(status, SOURCE_MISSING);
			assert_null(source_map(source, frame << 12, 4096));
		}
	}
	return nr;
}

static size_t count_losses(const struct source *source)
{
	u32 nr = 0;

	while (source_loss(source, nr)) {
		assert_true(*source_loss(source, nr));
		assert_null(strchr(source_loss(source, nr), '\n'));
		nr++;
	}
	return nr;
}

/*
 * Cut at every length: refused, with the way on in the message; by force, all that reads is right,
 * and a longer file holds no less.
 */
static void check_cuts(const struct blob *whole, size_t step)
{
	size_t before = 0, opened = 0, most = 0, open_files = count_open_files();
	struct source *source;

	for (size_t size = 16; size < whole->size; size += step) {
		source = open_cut(whole, size, false);
		if (source) {
			/* What was cut off says nothing. */
			assert_int_equal(count_losses(source), 0);
			assert_int_equal(count_pages(source), NR_DUMPED);
			source_close(source);
			continue;
		}
		assert_non_null(strstr(message, "truncated"));
		assert_null(strchr(message, '\n'));
		source = open_cut(whole, size, true);
		if (!source) {
			assert_int_equal(before, 0);
			assert_true(*message);
			assert_null(strstr(message, "--force"));
			continue;
		}
		opened++;
		assert_true(count_losses(source) > 0);
		most = count_pages(source);
		assert_true(most >= before);
		before = most;
		source_close(source);
	}
	assert_true(opened > 0);
	assert_in_range(most, NR_DUMPED - 2, NR_DUMPED);
	source = open_cut(whole, whole->size, true);
	assert_non_null(source);
	assert_int_equal(count_losses(source), 0);
	assert_int_equal(count_pages(source), NR_DUMPED);
	source_close(source);
	assert_int_equal(count_open_files(), open_files);
}

static struct blob small_kdump(bool compress)
{
	const struct kdump_shape shape = {
		.machine = MACHINE_X86_64,
		.page_size = 4096,
		.max_frame = NR_FRAMES,
		.frames = frames,
		.nr_frames = NR_DUMPED,
		.compress = compress,
	};

	return build_kdump(&shape);
}

static void append_page(struct blob *blob, u64 frame)
{
	u8 page[4096];

	fill_page(page, sizeof(page), frame);
	blob_append(blob, page, sizeof(page));
}

static struct blob small_lime(void)
{
	struct blob blob = { 0 };

	for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
		u64 first = segments[i].phys, last = first + segments[i].filesz - 1;
		size_t at = blob.size;

		blob_append(&blob, "EMiL", 4);
		blob_put_le(&blob, at + 4, 1, 4);
		blob_put_le(&blob, at + 8, first, 8);
		blob_put_le(&blob, at + 16, last, 8);
		blob_put_le(&blob, at + 24, 0, 8);
		for (u64 frame = first >> 12; frame <= last >> 12; frame++)
			append_page(&blob, frame);
	}
	return blob;
}

static struct blob small_ikho(void)
{
	struct blob blob = ikho_header(0, 4096), pages;
	u32 sequence = 0;

	ikho_section(&blob, 1, 0, sequence++, 0, "origin=at-jump\n", 15);
	for (size_t i = 0; i < NR_DUMPED; i++) {
		pages = (struct blob){ 0 };
		append_page(&pages, frames[i]);
		ikho_section(&blob, 2, i % 2, sequence++, frames[i] << 12, pages.data, pages.size);
		blob_free(&pages);
	}
	ikho_end(&blob, sequence, NR_DUMPED * 4096);
	return blob;
}

static void cut_elf(void **state)
{
	struct blob blob = build_elf(MACHINE_X86_64, segments, 3, false);

	(void)state;
	check_cuts(&blob, 97);
	blob_free(&blob);
}

static void cut_kdump(void **state)
{
	struct blob plain = small_kdump(false), packed = small_kdump(true);

	(void)state;
	check_cuts(&plain, 499);
	check_cuts(&packed, 199);
	blob_free(&plain);
	blob_free(&packed);
}

static void cut_flattened(void **state)
{
	struct blob elf = build_elf(MACHINE_X86_64, segments, 3, false), kdump = small_kdump(true);
	struct blob flat_elf = build_flattened(&elf, 1000, false);
	struct blob flat_kdump = build_flattened(&kdump, 700, false);

	(void)state;
	check_cuts(&flat_elf, 293);
	check_cuts(&flat_kdump, 293);
	blob_free(&elf);
	blob_free(&kdump);
	blob_free(&flat_elf);
	blob_free(&flat_kdump);
}

static void cut_lime(void **state)
{
	struct blob blob = small_lime();

	(void)state;
	check_cuts(&blob, 61);
	blob_free(&blob);
}

static void cut_ikho(void **state)
{
	struct blob blob = small_ikho();

	(void)state;
	check_cuts(&blob, 37);
	blob_free(&blob);
}

/* One byte changed anywhere: at most the section it is in is lost, and what follows is found again. */
static void changed_ikho(void **state)
{
	struct blob whole = small_ikho();

	(void)state;
	for (size_t at = 64; at < whole.size; at += 5) {
		struct blob bad = blob_copy(&whole);
		struct source *source;

		bad.data[at] ^= 0x21;
		assert_null(open_cut(&bad, bad.size, false));
		assert_non_null(strstr(message, "--force"));
		source = open_cut(&bad, bad.size, true);
		assert_non_null(source);
		assert_in_range(count_losses(source), 1, 3);
		assert_in_range(count_pages(source), NR_DUMPED - 1, NR_DUMPED);
		source_close(source);
		blob_free(&bad);
	}
	blob_free(&whole);
}

/* A section that is gone without a trace, and one that is there twice. */
static void sections_out_of_order(void **state)
{
	struct blob whole = small_ikho(), bad = ikho_header(0, 4096);
	size_t first = 64 + 40 + 15, second = first + 40 + 4096;
	struct source *source;

	(void)state;
	blob_append(&bad, whole.data + 64, first - 64);
	blob_append(&bad, whole.data + second, whole.size - second);
	assert_null(open_cut(&bad, bad.size, false));
	source = open_cut(&bad, bad.size, true);
	assert_int_equal(count_losses(source), 1);
	assert_int_equal(count_pages(source), NR_DUMPED - 1);
	source_close(source);
	blob_free(&bad);

	bad = ikho_header(0, 4096);
	blob_append(&bad, whole.data + 64, second - 64);
	blob_append(&bad, whole.data + first, whole.size - first);
	source = open_cut(&bad, bad.size, true);
	assert_int_equal(count_losses(source), 1);
	assert_int_equal(count_pages(source), NR_DUMPED);
	source_close(source);
	blob_free(&bad);
	blob_free(&whole);
}

/* More is lost than anybody wants to read. */
static void many_losses(void **state)
{
	struct blob blob = small_ikho();
	struct source *source;
	u32 nr = 0;

	(void)state;
	for (size_t at = 64 + 40 + 15 + 40; at + 40 < blob.size;
	     at += 40 + blob_get_le(&blob, at - 12, 4))
		blob.data[at] ^= 1;
	source = open_cut(&blob, blob.size, true);
	assert_null(source);
	assert_non_null(strstr(message, "no memory is left"));
	blob_free(&blob);

	blob = ikho_header(0, 4096);
	ikho_section(&blob, 1, 0, 0, 0, "origin=at-jump\n", 15);
	for (; nr < 20; nr++) {
		u8 page[4096] = { 0 };
		size_t at = ikho_section(&blob, 2, 0, nr + 1, (u64)nr << 12, page, sizeof(page));

		if (nr)
			blob.data[at + 40] ^= 1;
	}
	source = open_cut(&blob, blob.size, true);
	assert_non_null(source);
	assert_int_equal(count_losses(source), 9);
	/* Nineteen sections in all. */
	assert_string_equal(source_loss(source, 8), "and 11 more places like these");
	source_close(source);
	blob_free(&blob);
}

/* Bytes changed at random, opened by force: any result but a crash, a hang or a leak. */
static void altered_files(void **state)
{
	struct blob files[] = {
		build_elf(MACHINE_X86_64, segments, 3, true),
		small_kdump(true),
		{ 0 },
		small_lime(),
		small_ikho(),
	};
	size_t opened = 0, before = count_open_files();
	u64 random = 11;
	u8 page[4096];

	(void)state;
	files[2] = build_flattened(&files[1], 1500, false);
	for (u32 i = 0; i < 1500; i++) {
		struct blob bad = blob_copy(&files[i % 5]);
		struct source *source;

		for (u32 j = 0; j < 1 + i % 7; j++) {
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			bad.data[(random >> 33) % (j % 2 ? bad.size : 600)] = (u8)(random >> 20);
		}
		source = open_cut(&bad, bad.size - (i % 3 ? 0 : (random >> 40) % bad.size), true);
		for (u64 frame = 0; source && frame < NR_FRAMES; frame++)
			source_read(source, frame << 12, page, sizeof(page));
		opened += source != NULL;
		source_close(source);
		blob_free(&bad);
	}
	assert_true(opened > 300);
	assert_int_equal(count_open_files(), before);
	for (size_t i = 0; i < 5; i++)
		blob_free(&files[i]);
}

static struct source *open_pieces(const struct source_piece *pieces, u32 nr, u32 page_shift,
				  bool force)
{
	struct source_options options = { .nr_pieces = nr,
					  .page_shift = page_shift,
					  .force = force };

	message[0] = '\0';
	memcpy(options.pieces, pieces, nr * sizeof(*pieces));
	return source_open(test_path("raw"), &options, message, sizeof(message));
}

/* A file of six pages, 0x10 to 0x15, behind some bytes. */
static void save_raw(size_t before)
{
	struct blob blob = { 0 };

	blob_put(&blob, 0, "unaligned", before);
	for (u64 frame = 0x10; frame < 0x16; frame++)
		append_page(&blob, frame);
	blob_save(&blob, test_path("raw"), blob.size);
	blob_free(&blob);
}

static void check_page(struct source *source, u64 phys, u64 frame)
{
	u8 wanted[4096], got[4096];

	fill_page(wanted, sizeof(wanted), frame);
	assert_int_equal(source_read(source, phys, got, sizeof(got)), SOURCE_OK);
	assert_memory_equal(got, wanted, sizeof(got));
	assert_memory_equal(source_map(source, phys, 4096), wanted, 4096);
	assert_memory_equal(source_map(source, phys + 8, 64), wanted + 8, 64);
}

static void pieces_of_a_file(void **state)
{
	(void)state;
	for (size_t before = 0; before < 9; before += before ? 3 : 5) {
		const struct source_piece pieces[] = {
			{ before + 0x3000, 0x8000, 0x2000 },
			{ before, 0xa000, 0x1000 },
			{ before + 0x1000, 1ULL << 40, 0x2000 },
		};
		u64 start, end, both[2];
		struct source *source;

		save_raw(before);
		source = open_pieces(pieces, 3, 0, false);
		assert_non_null(source);
		assert_string_equal(source_format(source), "raw memory");
		check_page(source, 0x8000, 0x13);
		check_page(source, 0x9000, 0x14);
		check_page(source, 0xa000, 0x10);
		check_page(source, 1ULL << 40, 0x11);
		check_page(source, (1ULL << 40) + 0x1000, 0x12);
		assert_int_equal(source_read(source, 0xaff8, both, 16), SOURCE_MISSING);
		assert_null(source_map(source, 0x7ff8, 8));
		assert_null(source_map(source, 0xb000, 8));
		assert_int_equal(source_last_status(source), SOURCE_MISSING);
		assert_true(source_next_range(source, 0, &start, &end));
		assert_int_equal(start, 0x8000);
		assert_int_equal(end, 0xb000);
		assert_true(source_next_range(source, end, &start, &end));
		assert_int_equal(start, 1ULL << 40);
		assert_int_equal(end, (1ULL << 40) + 0x2000);
		assert_false(source_next_range(source, end, &start, &end));
		source_close(source);
	}
}

/* A page of 16 KiB that lies in two pieces. */
static void pieces_within_a_page(void **state)
{
	static const struct source_piece pieces[] = { { 0x2000, 0x8000, 0x2000 },
						      { 0, 0xa000, 0x2000 } };
	u8 wanted[8192];
	struct source *source;

	(void)state;
	save_raw(0);
	source = open_pieces(pieces, 2, 14, false);
	assert_non_null(source);
	fill_page(wanted, 4096, 0x13);
	fill_page(wanted + 4096, 4096, 0x10);
	assert_memory_equal(source_map(source, 0x9000, 8192), wanted, 8192);
	assert_non_null(source_map(source, 0x8000, 0x4000));
	source_close(source);
}

static void pieces_refused(void **state)
{
	static const struct {
		struct source_piece pieces[2];
		const char *word;
		bool forced;
	} cases[] = {
		{ { { 0, 0, 0x2000 }, { 0x2000, 0x1000, 0x1000 } },
		  "two pieces for memory at 0x1000",
		  false },
		{ { { 0, 0, 0x2000 }, { 0x1000, 0x8000, 0x1000 } },
		  "the file's bytes at offset 4096",
		  false },
		{ { { 0, 0, 0x1000 }, { 0x5000, 0x8000, 0x2000 } },
		  "has 8192 bytes from offset 20480 on, the file ends at 24576",
		  true },
		{ { { 0, 0, 0x1000 }, { 0x6000, 0x8000, 0x1000 } }, "from offset 24576 on", true },
		{ { { 0, 0, 0x1000 }, { 1ULL << 62, 0x8000, 0x1000 } },
		  "from offset 4611686018427387904 on",
		  true },
	};

	(void)state;
	save_raw(0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct source *source = open_pieces(cases[i].pieces, 2, 0, false);

		assert_null(source);
		if (!strstr(message, cases[i].word))
			fail_msg("\"%s\" does not say \"%s\"", message, cases[i].word);
		source = open_pieces(cases[i].pieces, 2, 0, true);
		assert_int_equal(!!source, cases[i].forced);
		if (source) {
			assert_int_equal(count_losses(source), 1);
			check_page(source, 0, 0x10);
			assert_null(source_map(source, 0x9000, 8));
		}
		source_close(source);
	}
	assert_null(open_pieces(&cases[3].pieces[1], 1, 0, true));
	assert_non_null(strstr(message, "nothing of any piece"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_elf),
		cmocka_unit_test(cut_kdump),
		cmocka_unit_test(cut_flattened),
		cmocka_unit_test(cut_lime),
		cmocka_unit_test(cut_ikho),
		cmocka_unit_test(changed_ikho),
		cmocka_unit_test(sections_out_of_order),
		cmocka_unit_test(many_losses),
		cmocka_unit_test(altered_files),
		cmocka_unit_test(pieces_of_a_file),
		cmocka_unit_test(pieces_within_a_page),
		cmocka_unit_test(pieces_refused),
	};

	return cmocka_run_group_tests(tests, test_directory_setup, test_directory_teardown);
}
