// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sources: raw memory, ELF vmcores, kdump-compressed files, what is no image
 * at all, the cache and the recorder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "image-files.h"
#include "page-cache.h"
#include "source.h"

static char message[300];

static struct source *open_image(const char *name)
{
	struct source_options options = { 0 };

	message[0] = '\0';
	return source_open(test_path(name), &options, message, sizeof(message));
}

static struct source *open_saved(const struct blob *blob, size_t size)
{
	blob_save(blob, test_path("image"), size);
	return open_image("image");
}

static void write_at(const char *path, long offset, const void *bytes, size_t length)
{
	FILE *file = fopen(path, "r+b");

	assert_non_null(file);
	assert_int_equal(fseek(file, offset, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static void assert_one_line(void)
{
	assert_true(strlen(message) > 0);
	assert_null(strchr(message, '\n'));
}

static void assert_refused(const char *path, const char *word)
{
	struct source_options options = { 0 };
	struct source *source;

	message[0] = '\0';
	source = source_open(path, &options, message, sizeof(message));
	assert_null(source);
	assert_one_line();
	if (!strstr(message, word))
		fail_msg("\"%s\" does not say \"%s\"", message, word);
}

static void assert_page(struct source *source, u64 phys)
{
	u8 wanted[4096], got[4096];

	fill_page(wanted, sizeof(wanted), phys >> 12);
	assert_int_equal(source_read(source, phys, got, sizeof(got)), SOURCE_OK);
	assert_memory_equal(wanted, got, sizeof(got));
	memset(got, 0, sizeof(got));
	memcpy(got, source_map(source, phys, 4096), 4096);
	assert_memory_equal(wanted, got, sizeof(got));
}

static void assert_missing(struct source *source, u64 phys, size_t length)
{
	u8 *buffer = malloc(length);

	assert_non_null(buffer);
	assert_int_equal(source_read(source, phys, buffer, length), SOURCE_MISSING);
	free(buffer);
	if ((phys & 4095) + length <= 4096) {
		assert_null(source_map(source, phys, length));
		assert_int_equal(source_last_status(source), SOURCE_MISSING);
	}
}

static void assert_ranges(struct source *source, const u64 *edges, size_t nr)
{
	u64 from = 0, start, end;

	for (size_t i = 0; i < nr; i += 2) {
		assert_true(source_next_range(source, from, &start, &end));
		assert_int_equal(start, edges[i]);
		assert_int_equal(end, edges[i + 1]);
		from = end;
	}
	assert_false(source_next_range(source, from, &start, &end));
}

static const struct elf_segment segments[] = {
	{ 0x1000, 0x3000, 0x5000 }, { 0x100000, 0x1800, 0x1800 }, { 0x200000, 0, 0x1000 },
	{ 0x101800, 0x800, 0x800 }, { 0x300800, 0x2000, 0x2000 },
};
#define NR_SEGMENTS (sizeof(segments) / sizeof(segments[0]))

static void check_elf(struct source *source)
{
	static const u64 edges[] = { 0x1000, 0x4000, 0x100000, 0x102000, 0x301000, 0x302000 };
	u8 wanted[4096];

	assert_non_null(source);
	assert_int_equal(source_page_shift(source), 12);
	assert_null(source_hints(source));
	assert_false(source_has_preserved(source));
	assert_page(source, 0x1000);
	assert_page(source, 0x3000);
	assert_page(source, 0x101000);
	/* Around the segments, and the part that is in memory but not in the file. */
	assert_missing(source, 0, 4096);
	assert_missing(source, 0xff8, 8);
	assert_missing(source, 0xff8, 16);
	assert_missing(source, 0x4000, 4096);
	assert_missing(source, 0x5ff8, 8);
	assert_missing(source, 0x200000, 8);
	assert_missing(source, 0x3000, 0x1001);
	assert_missing(source, 1ULL << 40, 8);
	assert_missing(source, 1ULL << 60, 8);
	assert_missing(source, UINT64_MAX - 4, 8);
	/* The known part of a page that is known in part. */
	assert_missing(source, 0x300000, 4096);
	assert_missing(source, 0x3007ff, 8);
	fill_page(wanted, sizeof(wanted), 0x300);
	assert_memory_equal(source_map(source, 0x300800, 0x800), wanted + 0x800, 0x800);
	fill_page(wanted, sizeof(wanted), 0x302);
	assert_memory_equal(source_map(source, 0x302000, 0x800), wanted, 0x800);
	assert_missing(source, 0x302000, 0x801);
	assert_ranges(source, edges, 6);
}

static void elf_segments(void **state)
{
	struct blob elf = build_elf(MACHINE_X86_64, segments, NR_SEGMENTS, false);
	struct source *source = open_saved(&elf, elf.size);

	(void)state;
	check_elf(source);
	assert_string_equal(source_format(source), "ELF vmcore");
	source_close(source);
	blob_free(&elf);
}

static void elf_flattened(void **state)
{
	struct blob elf = build_elf(MACHINE_AARCH64, segments, NR_SEGMENTS, true);
	struct blob flat = build_flattened(&elf, 1000, true);
	struct source *source = open_saved(&flat, flat.size);

	(void)state;
	check_elf(source);
	assert_string_equal(source_format(source), "ELF vmcore, flattened");
	source_close(source);
	blob_free(&elf);
	blob_free(&flat);
}

static void elf_truncated(void **state)
{
	struct blob elf = build_elf(MACHINE_X86_64, segments, NR_SEGMENTS, true);

	(void)state;
	for (size_t size = 4; size < elf.size; size += size < 600 ? 1 : 511) {
		assert_null(open_saved(&elf, size));
		assert_non_null(strstr(message, "truncated"));
		assert_one_line();
	}
	assert_null(open_saved(&elf, elf.size - 1));
	blob_free(&elf);
}

static void elf_damaged(void **state)
{
	static const struct {
		size_t offset;
		u64 value;
		size_t width;
		const char *word;
	} cases[] = {
		{ 4, 1, 1, "64-bit" },
		{ 5, 2, 1, "little-endian" },
		{ 16, 2, 2, "not a memory dump" },
		{ 54, 32, 2, "program headers" },
		{ 56, 0, 2, "without segments" },
		{ 32, 1ULL << 40, 8, "truncated" },
		{ 32, UINT64_MAX, 8, "truncated" },
		{ 64 + 24, 1ULL << 52, 8, "damaged" },
		{ 64 + 24, UINT64_MAX - 0x1000, 8, "damaged" },
		{ 64 + 8, UINT64_MAX - 0x100, 8, "bytes from offset 18446744073709551359 on" },
	};
	struct blob elf = build_elf(MACHINE_X86_64, segments, NR_SEGMENTS, false);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct blob bad = blob_copy(&elf);

		blob_put_le(&bad, cases[i].offset, cases[i].value, cases[i].width);
		blob_save(&bad, test_path("image"), bad.size);
		assert_refused(test_path("image"), cases[i].word);
		blob_free(&bad);
	}
	blob_free(&elf);
}

static void elf_of_process(void **state)
{
	static const struct elf_segment process[] = { { 0, 0x1000, 0x1000 },
						      { 0, 0x1000, 0x1000 } };
	struct blob elf = build_elf(MACHINE_X86_64, process, 2, false);

	(void)state;
	blob_save(&elf, test_path("image"), elf.size);
	assert_refused(test_path("image"), "process");
	blob_free(&elf);
}

/* The parts that two segments share are read from the first. */
static void elf_overlap(void **state)
{
	static const struct elf_segment twice[] = { { 0x3000, 0x3000, 0x3000 },
						    { 0x1000, 0x3000, 0x9000 },
						    { 0x2000, 0x1000, 0x1000 } };
	static const u64 edges[] = { 0x1000, 0x6000 };
	struct blob elf = build_elf(MACHINE_X86_64, twice, 3, false);
	struct source *source = open_saved(&elf, elf.size);

	(void)state;
	assert_non_null(source);
	for (u64 phys = 0x1000; phys < 0x6000; phys += 0x1000)
		assert_page(source, phys);
	assert_missing(source, 0x6000, 8);
	assert_ranges(source, edges, 2);
	source_close(source);
	blob_free(&elf);
}

/* The second of two program headers is for notes, at the end of the file. */
static struct blob elf_with_notes(u32 machine, const void *notes, size_t length)
{
	static const struct elf_segment two[] = { { 0x10000, 0x10000, 0x10000 },
						  { 0x40000, 0x1000, 0x1000 } };
	struct blob elf = build_elf(machine, two, 2, false);
	size_t program = 64 + 56;

	blob_put_le(&elf, program, 4, 4);
	blob_put_le(&elf, program + 8, elf.size, 8);
	blob_put_le(&elf, program + 24, 0, 8);
	blob_put_le(&elf, program + 32, length, 8);
	blob_put_le(&elf, program + 40, length, 8);
	blob_append(&elf, notes, length);
	return elf;
}

static void add_note(struct blob *notes, const char *name, u32 type, const void *content,
		     size_t length)
{
	size_t start = notes->size, name_size = strlen(name) + 1;

	blob_put_le(notes, start, name_size, 4);
	blob_put_le(notes, start + 4, length, 4);
	blob_put_le(notes, start + 8, type, 4);
	blob_put(notes, start + 12, name, name_size);
	start += 12 + (name_size + 3) / 4 * 4;
	blob_put(notes, start, content, length);
	if (length % 4)
		blob_put(notes, start + length, "\0\0\0", 4 - length % 4);
}

static struct blob elf_with_info(u32 machine, const char *text)
{
	struct blob notes = { 0 }, elf;

	add_note(&notes, "CORE", 1, "\1\2\3\4\5", 5);
	add_note(&notes, "VMCOREINFO", 0, text, strlen(text));
	elf = elf_with_notes(machine, notes.data, notes.size);
	blob_free(&notes);
	return elf;
}

static void check_page_shift(struct blob elf, u32 wanted)
{
	struct source *source = open_saved(&elf, elf.size);

	if (!source)
		fail_msg("%s", message);
	assert_int_equal(source_page_shift(source), wanted);
	assert_page(source, 0x11000);
	source_close(source);
	blob_free(&elf);
}

static void elf_page_size(void **state)
{
	struct source_options options = { .page_shift = 16 };
	struct blob elf = elf_with_info(MACHINE_AARCH64, "PAGESIZE=16384\n");
	struct source *source;

	(void)state;
	blob_save(&elf, test_path("image"), elf.size);
	source = source_open(test_path("image"), &options, message, sizeof(message));
	assert_non_null(source);
	/* What the user says comes first. */
	assert_int_equal(source_page_shift(source), 16);
	source_close(source);
	blob_free(&elf);
	check_page_shift(
		elf_with_info(MACHINE_X86_64, "OSRELEASE=6.19\nPAGESIZE=4096\nSYMBOL(a)=1\n"), 12);
	check_page_shift(elf_with_info(MACHINE_AARCH64, "OSRELEASE=6.19\nPAGESIZE=16384\n"), 14);
	check_page_shift(elf_with_info(MACHINE_AARCH64, "PAGESIZE=65536"), 16);
	check_page_shift(elf_with_info(MACHINE_AARCH64, "PAGESIZE=65536\nPAGESIZE=4096\n"), 16);
	/* Nothing is said, or of something else. */
	check_page_shift(
		elf_with_info(MACHINE_AARCH64, "XPAGESIZE=65536\nPAGESIZE=\nPAGESIZE\n\n\n"), 12);
	check_page_shift(elf_with_info(MACHINE_AARCH64, ""), 12);
}

static void elf_wrong_page_size(void **state)
{
	static const struct {
		const char *line;
		const char *word;
	} cases[] = {
		{ "PAGESIZE=8192\n", "pages of 8192 bytes" },
		{ "PAGESIZE=0\n", "pages of 0 bytes" },
		{ "PAGESIZE=4294971392\n", "not supported" },
		{ "PAGESIZE=18446744073709555712\n", "PAGESIZE" },
		{ "PAGESIZE=-4096\n", "PAGESIZE" },
		{ "PAGESIZE=4096x\n", "PAGESIZE" },
		{ "PAGESIZE=0x1000\n", "PAGESIZE" },
		{ "PAGESIZE= 4096\n", "PAGESIZE" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct blob elf = elf_with_info(MACHINE_AARCH64, cases[i].line);

		blob_save(&elf, test_path("image"), elf.size);
		assert_refused(test_path("image"), cases[i].word);
		blob_free(&elf);
	}
}

/* Notes and headers that have crashed a library that reads them. */
static void elf_odd_notes(void **state)
{
	static const char *const lines[] = { ".=1\n",
					     "OSRELEASE=1\n.=1\n",
					     "a..b=1\n",
					     "a.=1\n",
					     "=\n",
					     "..=\n",
					     "a=1\na.b=2\na.b.c=3\n",
					     "SYMBOL()=\nSIZE(.)=x\n",
					     "\n=\n.\n" };
	static const u32 machines[] = { 0,   3,	    8, 21, 22, 40, MACHINE_X86_64, MACHINE_AARCH64,
					243, 0xffff };
	struct blob notes = { 0 }, elf;
	u8 crash_info[24] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		check_page_shift(elf_with_info(MACHINE_X86_64, lines[i]), 12);
	add_note(&notes, "VMCOREINFO", 0, "OSRELEASE=1\n", 12);
	add_note(&notes, "Xen", 0x1000001, crash_info, sizeof(crash_info));
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
		check_page_shift(elf_with_notes(machines[i], notes.data, notes.size), 12);
	elf = elf_with_notes(MACHINE_X86_64, notes.data, notes.size);
	/* Section headers that the file does not have. */
	blob_put_le(&elf, 40, 1024, 8);
	check_page_shift(elf, 12);
	elf = elf_with_notes(MACHINE_X86_64, notes.data, notes.size);
	blob_put_le(&elf, 40, ~0ULL, 8);
	blob_put_le(&elf, 58, 0xffff, 2);
	blob_put_le(&elf, 60, 0xffff, 2);
	blob_put_le(&elf, 62, 0xfffe, 2);
	check_page_shift(elf, 12);
	/* Notes cut anywhere, or longer than there is room for. */
	for (size_t length = 0; length < notes.size; length++)
		check_page_shift(elf_with_notes(MACHINE_X86_64, notes.data, length), 12);
	for (size_t field = 0; field < 8; field += 4) {
		for (u32 length = UINT32_MAX; length > UINT32_MAX - 8; length--) {
			struct blob bad = blob_copy(&notes);

			blob_put_le(&bad, field, length, 4);
			check_page_shift(elf_with_notes(MACHINE_X86_64, bad.data, bad.size), 12);
			blob_free(&bad);
		}
	}
	blob_free(&notes);
}

static void elf_machine(void **state)
{
	struct blob files[] = { elf_with_info(MACHINE_X86_64, ""),
				elf_with_info(MACHINE_AARCH64, "") };
	static const u32 wanted[] = { MACHINE_X86_64, MACHINE_AARCH64 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct source *source = open_saved(&files[i], files[i].size);

		assert_non_null(source);
		assert_int_equal(source_machine(source), wanted[i]);
		source_close(source);
		blob_free(&files[i]);
	}
}

/* A file that is cut while it is read does not lack memory: nothing that it says counts. */
static void elf_shrinks(void **state)
{
	struct blob elf = build_elf(MACHINE_X86_64, segments, NR_SEGMENTS, false);
	u8 small[8], page[4096];

	(void)state;
	for (u32 how = 0; how < 4; how++) {
		struct source *source = open_saved(&elf, elf.size);
		struct iommuser_env env;

		assert_non_null(source);
		env = source_env(source);
		assert_missing(source, 0x4000, 8);
		assert_page(source, 0x101000);
		assert_null(source_broken(source));
		assert_int_equal(truncate(test_path("image"), 4096), 0);
		if (how == 0)
			assert_int_equal(source_read(source, 0x1000, page, sizeof(page)),
					 SOURCE_FAILED);
		else if (how == 1)
			assert_int_equal(source_read(source, 0x1000, small, sizeof(small)),
					 SOURCE_FAILED);
		else if (how == 2)
			assert_null(source_map(source, 0x1000, 8));
		else
			assert_null(env.map(env.ctx, 0x1000, 4096));
		assert_int_equal(source_last_status(source), SOURCE_FAILED);
		assert_non_null(source_broken(source));
		assert_non_null(strstr(source_broken(source), "0x1000"));
		/* The first one is told. */
		assert_int_equal(source_read(source, 0x3000, page, sizeof(page)), SOURCE_FAILED);
		assert_non_null(strstr(source_broken(source), "0x1000"));
		source_close(source);
	}
	blob_free(&elf);
}

static const u64 frames[] = { 1, 2, 3 | ZERO_FRAME, 5, 100, 101, 40000 };
#define NR_FRAMES (sizeof(frames) / sizeof(frames[0]))

static struct blob small_kdump(bool compress)
{
	struct kdump_shape shape = {
		.machine = MACHINE_X86_64,
		.page_size = 4096,
		.max_frame = 40001,
		.frames = frames,
		.nr_frames = NR_FRAMES,
		.compress = compress,
	};

	return build_kdump(&shape);
}

static void check_kdump(struct source *source)
{
	static const u64 edges[] = { 0x1000,  0x4000,  0x5000,	  0x6000,
				     0x64000, 0x66000, 0x9c40000, 0x9c41000 };
	u8 zero[4096] = { 0 }, got[4096];

	assert_non_null(source);
	assert_int_equal(source_page_shift(source), 12);
	assert_page(source, 0x1000);
	assert_page(source, 0x2000);
	assert_page(source, 0x5000);
	assert_page(source, 0x65000);
	assert_page(source, 0x9c40000);
	assert_int_equal(source_read(source, 0x3000, got, 4096), SOURCE_OK);
	assert_memory_equal(got, zero, 4096);
	assert_missing(source, 0, 8);
	assert_missing(source, 0x4000, 4096);
	assert_missing(source, 0x3000, 8192);
	assert_missing(source, 0x9c41000, 8);
	assert_missing(source, 1ULL << 51, 8);
	assert_ranges(source, edges, 8);
}

/* Memory from the middle of a page on, whose first bytes are a hole in the file. */
static void elf_hole_before_data(void **state)
{
	struct elf_segment segment = { 0x1100, 0x2080, 0x2080 };
	struct blob blob = build_elf(MACHINE_X86_64, &segment, 1, false);
	u64 start = 0, end = 0;
	struct source *source;
	u8 byte;

	(void)state;
	/* The segment's offset: the hole ends at 0x2000, the memory at 0x4000. */
	blob_put_le(&blob, 64 + 8, 0x1f80, 8);
	blob_save(&blob, test_path("image"), 64 + 56);
	assert_int_equal(truncate(test_path("image"), 0x4000), 0);
	write_at(test_path("image"), 0x2000, blob.data, 0x2000);
	source = open_image("image");
	assert_non_null(source);
	assert_true(source_next_range(source, 0, &start, &end));
	assert_int_equal(start, 0x2000);
	assert_int_equal(end, 0x3000);
	assert_int_equal(source_read(source, start, &byte, 1), SOURCE_OK);
	assert_false(source_next_range(source, end, &start, &end));
	source_close(source);
	blob_free(&blob);
}

static void kdump_pages(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct blob kdump = small_kdump(i);
		struct source *source = open_saved(&kdump, kdump.size);

		check_kdump(source);
		assert_string_equal(source_format(source), "kdump-compressed");
		source_close(source);
		blob_free(&kdump);
	}
}

static void kdump_flattened(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct blob kdump = small_kdump(true);
		struct blob flat = build_flattened(&kdump, 3000, i);
		struct source *source = open_saved(&flat, flat.size);

		check_kdump(source);
		assert_string_equal(source_format(source), "kdump-compressed, flattened");
		source_close(source);
		blob_free(&kdump);
		blob_free(&flat);
	}
}

/* The user's page size against that of the dump: what is missing stays so. */
static void kdump_larger_pages(void **state)
{
	struct source_options options = { .page_shift = 16 };
	struct blob kdump = small_kdump(true);
	struct source *source;
	u64 start, end;
	u8 page[4096];

	(void)state;
	blob_save(&kdump, test_path("image"), kdump.size);
	source = source_open(test_path("image"), &options, message, sizeof(message));
	assert_non_null(source);
	assert_int_equal(source_page_shift(source), 16);
	fill_page(page, sizeof(page), 2);
	assert_memory_equal(source_map(source, 0x2000, 4096), page, 4096);
	assert_non_null(source_map(source, 0x1000, 0x3000));
	assert_null(source_map(source, 0x1000, 0x4000));
	assert_int_equal(source_last_status(source), SOURCE_MISSING);
	assert_null(source_map(source, 0x4000, 8));
	assert_false(source_next_range(source, 0, &start, &end));
	source_close(source);
	blob_free(&kdump);
}

static void kdump_truncated(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct blob kdump = small_kdump(i);

		for (size_t size = 8; size < kdump.size; size += size % 4096 < 520 ? 1 : 97) {
			assert_null(open_saved(&kdump, size));
			assert_one_line();
		}
		assert_null(open_saved(&kdump, kdump.size - 1));
		blob_free(&kdump);
	}
}

/* libkdumpfile 0.5.1 would write beyond its buffer. */
static void kdump_data_longer_than_a_page(void **state)
{
	static const u32 lengths[] = { 4097, 8192, 38453, 65536 };
	struct blob kdump = small_kdump(true);
	size_t descriptors = 2 * 4096 + 2 * 2 * 4096;
	struct source *source;
	u8 page[4096];

	(void)state;
	blob_put_le(&kdump, kdump.size + 131072, 0, 8);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		blob_put_le(&kdump, descriptors + 24 + 8, lengths[i], 4);
		source = open_saved(&kdump, kdump.size);
		assert_non_null(source);
		assert_int_equal(source_read(source, 0x2000, page, 4096), SOURCE_FAILED);
		assert_non_null(strstr(source_error(source), "damaged"));
		assert_int_equal(source_read(source, 0x1000, page, 4096), SOURCE_OK);
		source_close(source);
	}
	blob_free(&kdump);
}

/* A descriptor that is wrong spoils its page only, and never gives zeros. */
static void kdump_bad_descriptor(void **state)
{
	static const struct {
		size_t field;
		u64 value;
		size_t width;
	} cases[] = {
		{ 0, 1ULL << 40, 8 }, { 0, 0, 8 },     { 0, UINT64_MAX, 8 }, { 8, 0, 4 },
		{ 8, UINT32_MAX, 4 }, { 12, 0x80, 4 }, { 12, 3, 4 },	     { 8, 100, 4 },
	};
	struct blob kdump = small_kdump(false);
	size_t descriptors = 2 * 4096 + 2 * 2 * 4096;
	u8 page[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct blob bad = blob_copy(&kdump);
		struct source *source;

		blob_put_le(&bad, descriptors + 24 + cases[i].field, cases[i].value,
			    cases[i].width);
		source = open_saved(&bad, bad.size);
		if (source) {
			assert_null(source_broken(source));
			assert_int_equal(source_read(source, 0x2000, page, 4096), SOURCE_FAILED);
			assert_true(strlen(source_error(source)) > 0);
			assert_string_equal(source_broken(source), source_error(source));
			assert_null(source_map(source, 0x2000, 8));
			assert_int_equal(source_last_status(source), SOURCE_FAILED);
			assert_page(source, 0x1000);
			assert_page(source, 0x5000);
			source_close(source);
		} else {
			assert_one_line();
		}
		blob_free(&bad);
	}
	blob_free(&kdump);
}

static void kdump_bad_header(void **state)
{
	static const struct {
		size_t offset;
		u64 value;
		size_t width;
		const char *word;
	} cases[] = {
		{ 428, 0, 4, "header" },
		{ 428, 4095, 4, "header" },
		{ 428, 1 << 20, 4, "header" },
		{ 432, UINT32_MAX, 4, "header" },
		{ 432, 0, 4, "without a sub-header" },
		{ 436, UINT32_MAX, 4, "truncated" },
		{ 436, 0, 4, "bitmap" },
		{ 4096 + 96, 1ULL << 40, 8, "bitmap" },
		/* Then libkdumpfile would say how many frames there are, which nothing here was made for. */
		{ 4096 + 96, 0, 8, "without any memory" },
		{ 4096 + 12, 1, 4, "split" },
		{ 4096 + 40, 1ULL << 50, 8, "VMCOREINFO" },
		{ 4096 + 56, 1 << 20, 8, "notes" },
	};
	struct blob kdump = small_kdump(false);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct blob bad = blob_copy(&kdump);

		blob_put_le(&bad, cases[i].offset, cases[i].value, cases[i].width);
		blob_save(&bad, test_path("image"), bad.size);
		assert_refused(test_path("image"), cases[i].word);
		blob_free(&bad);
	}
	blob_free(&kdump);
}

/* libkdumpfile 0.5.1 dies of such a line, in VMCOREINFO itself up to version 3 and in notes from 4 on. */
static void kdump_line_with_a_dot(void **state)
{
	static const struct {
		const char *name; /* of a note, or NULL */
		const char *text;
		bool opens;
	} cases[] = {
		{ NULL, ".=1\n", false },
		{ NULL, "a=1\n.b=2\n", false },
		{ NULL, "a.b=.\nc=.d\n", true },
		{ "VMCOREINFO", ".=1\n", false },
		{ "VMCOREINFO", "a=1\n.", false },
		{ "VMCOREINFO_XEN", ".=1\n", false },
		{ "VMCOREINFO", "OFFSET(a.b)=.1\n", true },
		{ "VMCOREINFO", "", true },
		{ "CORE", "\n.=1\n", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct blob kdump = small_kdump(false), notes = { 0 };
		struct source *source;

		/* Behind one that is of no interest. */
		add_note(&notes, "CORE", 1, "\n.\n", 3);
		add_note(&notes, cases[i].name ? cases[i].name : "CORE", 0, cases[i].text,
			 strlen(cases[i].text));
		if (!cases[i].name) {
			blob_put_le(&kdump, 8, 3, 4);
			blob_put_le(&kdump, 4096 + 32, kdump.size, 8);
			blob_put_le(&kdump, 4096 + 40, strlen(cases[i].text), 8);
			blob_append(&kdump, cases[i].text, strlen(cases[i].text));
		} else {
			blob_put_le(&kdump, 4096 + 48, kdump.size, 8);
			blob_put_le(&kdump, 4096 + 56, notes.size, 8);
			blob_append(&kdump, notes.data, notes.size);
		}
		source = open_saved(&kdump, kdump.size);
		if (!cases[i].opens && (source || !strstr(message, "begins with a dot")))
			fail_msg("case %zu: \"%s\"", i, message);
		if (cases[i].opens && !source)
			fail_msg("case %zu: %s", i, message);
		source_close(source);
		blob_free(&notes);
		blob_free(&kdump);
	}
}

static struct source *open_flat(const char *path, u64 base, u32 page_shift)
{
	struct source_options options = { .flat = true,
					  .flat_base = base,
					  .page_shift = page_shift };

	return source_open(path, &options, message, sizeof(message));
}

static void save_flat(u64 first_page, size_t nr, size_t extra)
{
	struct blob blob = { 0 };
	u8 page[4096];

	for (size_t i = 0; i < nr; i++) {
		fill_page(page, sizeof(page), first_page + i);
		blob_append(&blob, page, sizeof(page));
	}
	fill_page(page, sizeof(page), first_page + nr);
	blob_append(&blob, page, extra);
	blob_save(&blob, test_path("flat"), blob.size);
	blob_free(&blob);
}

static void flat_file(void **state)
{
	static const u64 edges[] = { 0x100000, 0x103000 };
	struct source *source;
	u8 page[4096];

	(void)state;
	save_flat(0x100, 3, 100);
	source = open_flat(test_path("flat"), 0x100000, 0);
	assert_non_null(source);
	assert_string_equal(source_format(source), "raw memory");
	assert_page(source, 0x100000);
	assert_page(source, 0x102000);
	assert_missing(source, 0xfffff, 1);
	assert_missing(source, 0x103000, 4096);
	assert_missing(source, 0x103000, 101);
	fill_page(page, sizeof(page), 0x103);
	assert_memory_equal(source_map(source, 0x103000, 100), page, 100);
	assert_ranges(source, edges, 2);
	assert_int_equal(source_bytes_read(source), 4 * 4096 + 100);
	source_close(source);
}

/* Cut while it is open: what it had is neither there nor missing, and nobody dies of it. */
static void raw_file_cut(void **state)
{
	const struct source_options ways[] = {
		{ .flat = true },
		{ .qemu_machine = "q35" },
		{ .nr_pieces = 2, .pieces = { { 0, 0, 0x2000 }, { 0x2000, 0x2000, 0x6000 } } },
	};
	u8 buffer[0x8000];

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct source *source;

		save_flat(0, 8, 0);
		source = source_open(test_path("flat"), &ways[i], message, sizeof(message));
		assert_non_null(source);
		assert_page(source, 0x7000);
		assert_int_equal(truncate(test_path("flat"), 0x1800), 0);
		assert_page(source, 0);
		assert_int_equal(source_read(source, 0x3000, buffer, 4096), SOURCE_FAILED);
		assert_int_equal(source_read(source, 0, buffer, sizeof(buffer)), SOURCE_FAILED);
		assert_non_null(strstr(source_error(source), "ends at offset 6144"));
		assert_null(source_map(source, 0x1800, 8));
		assert_int_equal(source_last_status(source), SOURCE_FAILED);
		assert_int_equal(source_read(source, 0x17fc, buffer, 8), SOURCE_FAILED);
		assert_int_equal(source_read(source, 0x17f8, buffer, 8), SOURCE_OK);
		assert_int_equal(source_read(source, 0x8000, buffer, 8), SOURCE_MISSING);
		assert_non_null(source_broken(source));
		assert_true(source_next_range(source, 0x4000, &(u64){ 0 }, &(u64){ 0 }));
		source_close(source);
	}
}

static void flat_options(void **state)
{
	(void)state;
	save_flat(0, 1, 0);
	assert_null(open_flat(test_path("flat"), 0x100, 0));
	assert_null(open_flat(test_path("flat"), 1ULL << 52, 0));
	assert_null(open_flat(test_path("flat"), (1ULL << 52) - 4096 + 1, 0));
	assert_null(open_flat(test_path("flat"), 0, 13));
	assert_one_line();
	assert_null(open_flat("/dev/zero", 0, 0));
	assert_null(open_flat("/proc/self/maps", 0, 0));
	source_close(open_flat(test_path("flat"), (1ULL << 52) - 4096, 16));
}

static void no_image(void **state)
{
	struct blob blob = { 0 };
	u8 page[4096] = { 0 };

	(void)state;
	blob_save(&blob, test_path("empty"), 0);
	assert_refused(test_path("empty"), "empty");
	blob_append(&blob, "Dear reader,\nthis is no image.\n", 31);
	blob_save(&blob, test_path("text"), blob.size);
	assert_refused(test_path("text"), "known format");
	blob_save(&blob, test_path("short"), 1);
	assert_refused(test_path("short"), "");
	for (size_t i = 0; i < 16; i++)
		blob_append(&blob, page, sizeof(page));
	blob_put(&blob, 0, page, 31);
	blob_save(&blob, test_path("zeros"), blob.size);
	assert_refused(test_path("zeros"), "--flat");
	save_flat(0, 64, 0);
	assert_refused(test_path("flat"), "--flat");
	assert_refused("/dev/zero", "character device");
	assert_refused("/dev/null", "character device");
	assert_refused(test_path(""), "directory");
	assert_refused(test_path("nothing"), "cannot open");
	assert_refused("/proc/self/maps", "");
	assert_int_equal(mkfifo(test_path("fifo"), 0600), 0);
	assert_refused(test_path("fifo"), "pipe");
	blob_free(&blob);
}

static void unreadable(void **state)
{
	(void)state;
	save_flat(0, 1, 0);
	assert_int_equal(chmod(test_path("flat"), 0), 0);
	/* The superuser reads everything: be someone else meanwhile. */
	if (!geteuid()) {
		assert_int_equal(chmod(test_path(""), 0711), 0);
		assert_int_equal(seteuid(65534), 0);
		assert_refused(test_path("flat"), "cannot open");
		assert_int_equal(seteuid(0), 0);
	} else {
		assert_refused(test_path("flat"), "cannot open");
	}
	assert_int_equal(chmod(test_path("flat"), 0600), 0);
}

/* An ELF file is not mapped, so it goes through the cache, and needs more pages than that holds. */
static void cache_eviction(void **state)
{
	u32 nr = 3 * (PAGE_CACHE_BYTES >> 12) / 2;
	const struct elf_segment segment = { 0, (u64)nr << 12, (u64)nr << 12 };
	struct blob elf = build_elf(MACHINE_X86_64, &segment, 1, false);
	const u8 *held[IOMMUSER_MAP_HELD + 1] = { NULL };
	u64 pages[IOMMUSER_MAP_HELD + 1];
	struct source *source = open_saved(&elf, elf.size);
	u8 wanted[4096], small[64];
	u64 random = 1;

	(void)state;
	assert_non_null(source);
	for (u32 i = 0; i < 4 * nr; i++) {
		u32 turn = i % (IOMMUSER_MAP_HELD + 1);

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		pages[turn] = (i < 2 * nr ? i : random >> 33) % nr;
		held[turn] = source_map(source, pages[turn] << 12, 4096);
		assert_non_null(held[turn]);
		/* Reading in between must not take pages away either. */
		if (i % 1000 == 0)
			for (u32 j = 0; j < nr; j++)
				assert_int_equal(source_read(source, (u64)j << 12, small,
							     sizeof(small)),
						 SOURCE_OK);
		for (u32 j = 0; j <= IOMMUSER_MAP_HELD && i >= IOMMUSER_MAP_HELD && i % 7 == 0;
		     j++) {
			fill_page(wanted, sizeof(wanted), pages[j]);
			assert_memory_equal(held[j], wanted, sizeof(wanted));
		}
	}
	source_close(source);
	blob_free(&elf);
}

static void cache_slots(void **state)
{
	struct page_cache cache;
	struct page_slot *first, *other;
	u32 nr = PAGE_CACHE_BYTES >> 16;

	(void)state;
	assert_int_equal(page_cache_init(&cache, 16), 0);
	page_cache_tick(&cache);
	first = page_cache_take(&cache, 0);
	first->valid = 0xffff;
	page_cache_hold(&cache, first);
	for (u64 i = 1; i < 4 * nr; i++)
		assert_ptr_not_equal(page_cache_take(&cache, i << 16), first);
	assert_ptr_equal(page_cache_take(&cache, 0), first);
	assert_int_equal(first->valid, 0xffff);
	for (u32 i = 0; i <= IOMMUSER_MAP_HELD; i++)
		page_cache_tick(&cache);
	for (u64 i = 1; i <= nr; i++)
		page_cache_take(&cache, i << 16);
	assert_int_equal(page_cache_take(&cache, 0)->valid, 0);
	/* What was dropped goes first. */
	other = page_cache_take(&cache, 77ULL << 32);
	page_cache_drop(&cache, other);
	assert_ptr_equal(page_cache_take(&cache, 78ULL << 32), other);
	page_cache_free(&cache);
}

struct record {
	u64 pages[8];
	size_t nr;
};

static void record_page(void *ctx, u64 page)
{
	struct record *record = ctx;

	assert_true(record->nr < 8);
	record->pages[record->nr++] = page;
}

static void recorder(void **state)
{
	struct blob elf = build_elf(MACHINE_X86_64, segments, NR_SEGMENTS, false);
	struct source *source = open_saved(&elf, elf.size);
	struct record record = { .nr = 0 };
	u8 buffer[0x3000];

	(void)state;
	assert_non_null(source);
	source_set_recorder(source, record_page, &record);
	assert_non_null(source_map(source, 0x1008, 8));
	assert_non_null(source_map(source, 0x1010, 8));
	assert_int_equal(source_read(source, 0x1ffc, buffer, 8), SOURCE_OK);
	assert_int_equal(source_read(source, 0x1000, buffer, 0x3000), SOURCE_OK);
	assert_int_equal(record.nr, 7);
	assert_int_equal(record.pages[0], 0x1000);
	assert_int_equal(record.pages[1], 0x1000);
	assert_int_equal(record.pages[2], 0x1000);
	assert_int_equal(record.pages[3], 0x2000);
	assert_int_equal(record.pages[4], 0x1000);
	assert_int_equal(record.pages[6], 0x3000);
	/* What is missing was not read. */
	assert_null(source_map(source, 0x4000, 8));
	assert_int_equal(record.nr, 7);
	source_set_recorder(source, NULL, NULL);
	assert_non_null(source_map(source, 0x1008, 8));
	assert_int_equal(record.nr, 7);
	source_close(source);
	blob_free(&elf);
}

static void environment(void **state)
{
	struct iommuser_env env;
	struct source *source;
	u8 page[4096];

	(void)state;
	save_flat(0, 2, 0);
	source = open_flat(test_path("flat"), 0, 0);
	assert_non_null(source);
	env = source_env(source);
	assert_int_equal(env.page_shift, 12);
	fill_page(page, sizeof(page), 1);
	assert_memory_equal(env.map(env.ctx, 0x1000, 4096), page, 4096);
	assert_null(env.map(env.ctx, 0x800, 4096));
	assert_null(env.map(env.ctx, 0x800, 0));
	assert_null(env.map(env.ctx, 0x800, UINT64_MAX));
	assert_int_equal(env.crc32(env.ctx, 0, "123456789", 9), 0xcbf43926);
	assert_int_equal(env.crc32(env.ctx, env.crc32(env.ctx, 0, "1234", 4), "56789", 5),
			 0xcbf43926);
	assert_int_equal(env.crc32(env.ctx, 77, page, 0), 77);
	assert_int_equal(env.crc32(env.ctx, 77, NULL, 0), 77);
	source_close(source);
}

/* Bytes changed at random: any result but a crash, a hang or a leak. */
static void altered_files(void **state)
{
	struct blob files[3] = {
		build_elf(MACHINE_X86_64, segments, NR_SEGMENTS, true),
		small_kdump(true),
	};
	size_t opened = 0, before = count_open_files();
	u64 random = 7;
	u8 page[4096];

	(void)state;
	files[2] = build_flattened(&files[1], 1500, false);
	for (u32 i = 0; i < 1500; i++) {
		struct blob bad = blob_copy(&files[i % 3]);
		struct source *source;

		for (u32 j = 0; j < 1 + i % 5; j++) {
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			bad.data[(random >> 33) % (j % 2 ? bad.size : 600)] = (u8)(random >> 20);
		}
		source = open_saved(&bad, bad.size);
		for (u64 frame = 0; source && frame < 256; frame++)
			source_read(source, frame << 12, page, sizeof(page));
		opened += source != NULL;
		source_close(source);
		blob_free(&bad);
	}
	assert_true(opened > 0);
	assert_int_equal(count_open_files(), before);
	for (size_t i = 0; i < 3; i++)
		blob_free(&files[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elf_segments),
		cmocka_unit_test(elf_flattened),
		cmocka_unit_test(elf_truncated),
		cmocka_unit_test(elf_damaged),
		cmocka_unit_test(elf_of_process),
		cmocka_unit_test(elf_overlap),
		cmocka_unit_test(elf_page_size),
		cmocka_unit_test(elf_wrong_page_size),
		cmocka_unit_test(elf_odd_notes),
		cmocka_unit_test(elf_machine),
		cmocka_unit_test(elf_shrinks),
		cmocka_unit_test(kdump_pages),
		cmocka_unit_test(kdump_flattened),
		cmocka_unit_test(kdump_larger_pages),
		cmocka_unit_test(kdump_truncated),
		cmocka_unit_test(kdump_data_longer_than_a_page),
		cmocka_unit_test(kdump_bad_descriptor),
		cmocka_unit_test(kdump_bad_header),
		cmocka_unit_test(kdump_line_with_a_dot),
		cmocka_unit_test(flat_file),
		cmocka_unit_test(raw_file_cut),
		cmocka_unit_test(flat_options),
		cmocka_unit_test(no_image),
		cmocka_unit_test(unreadable),
		cmocka_unit_test(cache_eviction),
		cmocka_unit_test(cache_slots),
		cmocka_unit_test(recorder),
		cmocka_unit_test(environment),
		cmocka_unit_test(altered_files),
		cmocka_unit_test(elf_hole_before_data),
	};

	return cmocka_run_group_tests(tests, test_directory_setup, test_directory_teardown);
}
