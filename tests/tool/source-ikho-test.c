// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The reader of portable images: what it takes, and that it refuses a file
 * that breaks any one rule of the format, naming the place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "image-files.h"
#include "source.h"

#define INFO 1
#define PAGES 2
#define PRESERVED 3
#define STATES 5
#define END 4

static const char info[] =
	"origin=at-jump\nkho=0x1000\nluo=0x2040\nflb=0x3000\nabi=iommu-v1\n"
	"vtd-root=0x5000:scalable\nvtd-root=0xABC000:legacy\nwriter=the t\xc3\xa4st\nfuture=x=y\n";

/* Offsets of the sections of the sample, in order. */
static size_t at[8];
static char message[300];

static void memory(u8 *bytes, u64 phys, size_t length)
{
	for (size_t i = 0; i < length; i += 4096)
		fill_page(bytes + i, 4096, (phys + i) >> 12);
}

static void pair(struct blob *blob, u64 phys, u64 length)
{
	blob_put_le(blob, blob->size, phys, 8);
	blob_put_le(blob, blob->size, length, 8);
}

static struct blob sample_with(const char *text, size_t length, u32 minor)
{
	struct blob blob = ikho_header(minor, 4096);
	struct blob pairs = { 0 };
	u8 pages[8192];

	at[0] = ikho_section(&blob, INFO, 0, 0, 0, text, length);
	memory(pages, 0x8000, 8192);
	at[1] = ikho_section(&blob, PAGES, 1, 1, 0x8000, pages, 8192);
	memory(pages, 0x1000, 4096);
	at[2] = ikho_section(&blob, PAGES, 0, 2, 0x1000, pages, 4096);
	memory(pages, 0x2000, 8192);
	at[3] = ikho_section(&blob, PAGES, 1, 3, 0x2000, pages, 8192);
	pair(&pairs, 0x1000, 0x3000);
	pair(&pairs, 1ULL << 40, 1ULL << 30);
	at[4] = ikho_section(&blob, PRESERVED, 1, 4, 0, pairs.data, 32);
	at[5] = ikho_section(&blob, PRESERVED, 0, 5, 0, pairs.data, 16);
	at[6] = blob.size;
	ikho_end(&blob, 6, 5 * 4096);
	at[7] = blob.size;
	blob_free(&pairs);
	return blob;
}

static struct blob sample(void)
{
	return sample_with(info, sizeof(info) - 1, 0);
}

static struct source *open_size(const struct blob *blob, size_t size)
{
	struct source_options options = { 0 };

	message[0] = '\0';
	blob_save(blob, test_path("image"), size);
	return source_open(test_path("image"), &options, message, sizeof(message));
}

static void assert_opens(struct blob *blob)
{
	struct source *source = open_size(blob, blob->size);

	if (!source)
		fail_msg("refused: %s", message);
	source_close(source);
	blob_free(blob);
}

/* Refused, with this offset in the message. */
static void assert_refused_at(struct blob *blob, size_t offset)
{
	struct source *source = open_size(blob, blob->size);
	char wanted[40];

	assert_null(source);
	snprintf(wanted, sizeof(wanted), "offset %zu:", offset);
	if (!strstr(message, wanted))
		fail_msg("\"%s\" does not name %s", message, wanted);
	assert_null(strchr(message, '\n'));
	blob_free(blob);
}

static void reads_everything(void **state)
{
	struct blob blob = sample();
	struct source *source = open_size(&blob, blob.size);
	u64 phys, length, cursor = 0, start, end;
	const struct source_hints *hints;
	u8 wanted[12288], got[12288];

	(void)state;
	assert_non_null(source);
	assert_string_equal(source_format(source), "portable image");
	assert_int_equal(source_page_shift(source), 12);
	memory(wanted, 0x1000, sizeof(wanted));
	assert_int_equal(source_read(source, 0x1000, got, sizeof(got)), SOURCE_OK);
	assert_memory_equal(wanted, got, sizeof(got));
	assert_int_equal(source_read(source, 0x3000, got, 8192), SOURCE_MISSING);
	memory(wanted, 0x9000, 4096);
	assert_memory_equal(source_map(source, 0x9000, 4096), wanted, 4096);
	assert_null(source_map(source, 0xa000, 8));
	assert_int_equal(source_last_status(source), SOURCE_MISSING);
	assert_null(source_map(source, 0, 8));
	assert_true(source_next_range(source, 0, &start, &end));
	assert_int_equal(start, 0x1000);
	assert_int_equal(end, 0x4000);
	assert_true(source_next_range(source, end, &start, &end));
	assert_int_equal(start, 0x8000);
	assert_int_equal(end, 0xa000);
	assert_false(source_next_range(source, end, &start, &end));
	assert_true(source_has_preserved(source));
	assert_true(source_next_preserved(source, &cursor, &phys, &length));
	assert_int_equal(phys, 0x1000);
	assert_int_equal(length, 0x3000);
	assert_true(source_next_preserved(source, &cursor, &phys, &length));
	assert_int_equal(phys, 1ULL << 40);
	assert_true(source_next_preserved(source, &cursor, &phys, &length));
	assert_int_equal(phys, 0x1000);
	assert_false(source_next_preserved(source, &cursor, &phys, &length));
	hints = source_hints(source);
	assert_non_null(hints);
	assert_string_equal(hints->origin, "at-jump");
	assert_string_equal(hints->abi, "iommu-v1");
	assert_string_equal(hints->writer, "the t\xc3\xa4st");
	assert_true(hints->has_kho && hints->has_luo && hints->has_flb);
	assert_int_equal(hints->kho, 0x1000);
	assert_int_equal(hints->luo, 0x2040);
	assert_int_equal(hints->flb, 0x3000);
	assert_int_equal(hints->nr_vtd_roots, 2);
	assert_int_equal(hints->vtd_roots[0].phys, 0x5000);
	assert_true(hints->vtd_roots[0].scalable);
	assert_int_equal(hints->vtd_roots[1].phys, 0xabc000);
	assert_false(hints->vtd_roots[1].scalable);
	source_close(source);
	blob_free(&blob);
}

static void minimal_files(void **state)
{
	static const u32 sizes[] = { 4096, 16384, 65536 };
	u64 cursor = 0, phys, length, start, end;
	struct source *source;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct blob blob = ikho_header(0, sizes[i]);

		ikho_section(&blob, INFO, i == 2, 0, 0, "a=\n", 3);
		ikho_end(&blob, 1, 0);
		source = open_size(&blob, blob.size);
		assert_non_null(source);
		assert_int_equal(1U << source_page_shift(source), sizes[i]);
		assert_false(source_has_preserved(source));
		assert_false(source_next_preserved(source, &cursor, &phys, &length));
		assert_false(source_next_range(source, 0, &start, &end));
		assert_false(source_hints(source)->has_kho);
		source_close(source);
		blob_free(&blob);
	}
}

static void empty_preserved_set(void **state)
{
	(void)state;
	for (u32 encoding = 0; encoding < 2; encoding++) {
		struct blob blob = ikho_header(0, 4096);
		u64 cursor = 0, phys, length;
		struct source *source;

		ikho_section(&blob, INFO, 0, 0, 0, "a=b\n", 4);
		ikho_section(&blob, PRESERVED, encoding, 1, 0, "", 0);
		ikho_end(&blob, 2, 0);
		source = open_size(&blob, blob.size);
		assert_non_null(source);
		assert_true(source_has_preserved(source));
		assert_false(source_next_preserved(source, &cursor, &phys, &length));
		source_close(source);
		blob_free(&blob);
	}
}

static void newer_minor(void **state)
{
	struct blob blob = ikho_header(7, 4096), old;

	(void)state;
	ikho_section(&blob, INFO, 0, 0, 0, "origin=elsewhere\n", 17);
	ikho_section(&blob, 99, 55, 1, 0, "new", 3);
	ikho_end(&blob, 2, 0);
	old = blob_copy(&blob);
	blob_put(&old, 64 + 40 + 7, "unknown!!", 9);
	blob_put_le(&old, 12, 0, 4);
	ikho_seal_file(&old);
	blob_put(&old, 64 + 40, "origin=unknown\nx", 16);
	ikho_seal(&old, 64, true);
	assert_refused_at(&old, 64 + 40);
	assert_opens(&blob);
}

static void truncated_everywhere(void **state)
{
	struct blob blob = sample();

	(void)state;
	for (size_t size = 8; size < blob.size; size++) {
		assert_null(open_size(&blob, size));
		if (!strstr(message, "truncated") || !strstr(message, "offset"))
			fail_msg("%zu bytes: %s", size, message);
	}
	for (size_t size = 0; size < 8; size++)
		assert_null(open_size(&blob, size));
	blob_free(&blob);
}

static void every_bit(void **state)
{
	struct blob blob = sample();

	(void)state;
	for (size_t bit = 0; bit < blob.size * 8; bit++) {
		struct source *source;

		blob.data[bit / 8] ^= (u8)(1U << (bit % 8));
		source = open_size(&blob, blob.size);
		if (source)
			fail_msg("bit %zu is not noticed", bit);
		if (bit >= 64 && !strstr(message, "offset"))
			fail_msg("bit %zu: %s", bit, message);
		blob.data[bit / 8] ^= (u8)(1U << (bit % 8));
	}
	assert_opens(&blob);
}

/* Change a field of the file header, and seal it again. */
static void bad_header(size_t offset, u64 value, size_t width)
{
	struct blob blob = sample();

	blob_put_le(&blob, offset, value, width);
	ikho_seal_file(&blob);
	assert_refused_at(&blob, offset);
}

static void file_header_rules(void **state)
{
	struct blob blob = sample();

	(void)state;
	bad_header(8, 2, 4);
	bad_header(8, 0, 4);
	bad_header(16, 8192, 4);
	bad_header(16, 0, 4);
	bad_header(20, 1, 1);
	blob_put_le(&blob, 59, 1, 1);
	ikho_seal_file(&blob);
	assert_refused_at(&blob, 20);
	blob = sample();
	blob_put_le(&blob, 60, 0, 4);
	assert_refused_at(&blob, 60);
}

/* Change a field of a section's header, and seal it again. */
static void bad_field(size_t index, size_t field, u64 value, size_t width)
{
	struct blob blob = sample();

	blob_put_le(&blob, at[index] + field, value, width);
	ikho_seal(&blob, at[index], false);
	assert_refused_at(&blob, at[index] + field);
}

/* A section that is whole, but for its type of a wrong length. */
static void odd_length(u32 type, size_t length)
{
	struct blob blob = ikho_header(0, 4096);
	size_t offset;
	u8 raw[6000];

	memset(raw, 0, sizeof(raw));
	ikho_section(&blob, INFO, 0, 0, 0, "a=b\n", 4);
	offset = ikho_section(&blob, type, 0, 1, 0, raw, length);
	assert_refused_at(&blob, offset + 24);
}

static void section_header_rules(void **state)
{
	struct blob blob = sample();

	(void)state;
	blob_put_le(&blob, at[3], 0, 1);
	assert_refused_at(&blob, at[3]);
	blob = sample();
	blob_put_le(&blob, at[3] + 36, 0, 4);
	assert_refused_at(&blob, at[3] + 36);
	blob = sample();
	blob_put_le(&blob, at[3] + 32, 0, 4);
	ikho_seal(&blob, at[3], false);
	assert_refused_at(&blob, at[3] + 40);
	bad_field(1, 4, 5, 4);
	bad_field(1, 4, 0, 4);
	bad_field(1, 4, INFO, 4);
	bad_field(0, 4, PAGES, 4);
	bad_field(1, 8, 2, 4);
	bad_field(1, 12, 2, 4);
	bad_field(2, 12, 1, 4);
	bad_field(0, 16, 4096, 8);
	bad_field(4, 16, 4096, 8);
	bad_field(6, 16, 4096, 8);
	bad_field(1, 24, 0, 4);
	bad_field(1, 24, 1048577, 4);
	odd_length(END, 8);
	odd_length(END, 24);
	odd_length(PAGES, 6000);
	odd_length(PRESERVED, 24);
	bad_field(0, 28, 1, 4);
	bad_field(2, 28, 100, 4);
}

static void page_rules(void **state)
{
	struct blob blob = sample();

	(void)state;
	bad_field(1, 16, 0x8001, 8);
	bad_field(1, 16, 0x8800, 8);
	bad_field(1, 16, (1ULL << 52) - 4096, 8);
	bad_field(1, 16, UINT64_MAX - 4095, 8);
	bad_field(1, 24, 6000, 4);
	/* The second of two sections with the same memory is named. */
	blob_put_le(&blob, at[3] + 16, 0, 8);
	ikho_seal(&blob, at[3], false);
	assert_refused_at(&blob, at[3] + 16);
	blob = sample();
	blob_put_le(&blob, at[2] + 16, 0x9000, 8);
	ikho_seal(&blob, at[2], false);
	assert_refused_at(&blob, at[2] + 16);
}

/* Replace the stored bytes of the compressed section 3; what is behind it moves. */
static void bad_packed(u32 raw_length, const struct blob *stored)
{
	struct blob whole = sample(), blob = { 0 };

	blob_append(&blob, whole.data, at[3] + 40);
	blob_append(&blob, stored->data, stored->size);
	blob_put_le(&blob, at[3] + 24, raw_length, 4);
	blob_put_le(&blob, at[3] + 28, stored->size, 4);
	blob_append(&blob, whole.data + at[4], whole.size - at[4]);
	ikho_seal(&blob, at[3], true);
	assert_refused_at(&blob, at[3] + 40);
	blob_free(&whole);
}

static void zlib_rules(void **state)
{
	struct blob whole = sample(), stored = { 0 };

	(void)state;
	blob_append(&stored, whole.data + at[3] + 40, at[4] - at[3] - 40);
	/* More or less memory than announced. */
	bad_packed(4096, &stored);
	bad_packed(12288, &stored);
	bad_packed(1048576, &stored);
	/* A byte too many, a byte too few, nothing, not zlib. */
	blob_append(&stored, "", 1);
	bad_packed(8192, &stored);
	stored.size -= 2;
	bad_packed(8192, &stored);
	stored.size = 0;
	bad_packed(8192, &stored);
	blob_append(&stored, "this is not compressed", 22);
	bad_packed(8192, &stored);
	blob_free(&stored);
	blob_free(&whole);
}

static void bad_info(const char *text, size_t length)
{
	struct blob blob = sample_with(text, length, 0);

	assert_refused_at(&blob, 64 + 40);
}

#define BAD_INFO(text) bad_info(text, sizeof(text) - 1)

static void info_rules(void **state)
{
	struct blob blob = ikho_header(0, 4096), roots = { 0 };

	(void)state;
	/* None, two, not the first. */
	ikho_end(&blob, 0, 0);
	assert_refused_at(&blob, 64 + 4);
	BAD_INFO("kho=0x1000");
	BAD_INFO("kho\n");
	BAD_INFO("=x\n");
	BAD_INFO("\n");
	BAD_INFO("a=b\n\n");
	BAD_INFO("origin=nowhere\n");
	BAD_INFO("origin=at-jump\norigin=at-jump\n");
	BAD_INFO("kho=1000\n");
	BAD_INFO("kho=0x\n");
	BAD_INFO("kho=0x10g0\n");
	BAD_INFO("kho=0x00000000000001000\n");
	BAD_INFO("kho=0x10000000000000\n");
	BAD_INFO("kho=0x1000\nkho=0x1000\n");
	BAD_INFO("luo=0x1000 \n");
	BAD_INFO("flb=-1\n");
	BAD_INFO("vtd-root=0x1000\n");
	BAD_INFO("vtd-root=0x1000:\n");
	BAD_INFO("vtd-root=0x1000:other\n");
	BAD_INFO("vtd-root=:legacy\n");
	BAD_INFO("abi=a\nabi=b\n");
	BAD_INFO("writer=a\tb\n");
	BAD_INFO("writer=a\0b\n");
	BAD_INFO("writer=a\x7f\n");
	BAD_INFO("writer=\xc2\x85\n");
	BAD_INFO("writer=\xff\n");
	BAD_INFO("writer=\xc3\n");
	BAD_INFO("writer=\xc0\xaf\n");
	BAD_INFO("writer=\xed\xa0\x80\n");
	BAD_INFO("writer=\xf4\x90\x80\x80\n");
	BAD_INFO("future=\x1b\n");
	for (size_t i = 0; i < 65; i++)
		blob_append(&roots, "vtd-root=0x1000:legacy\n", 23);
	bad_info((const char *)roots.data, roots.size);
	roots.size -= 23;
	blob = sample_with((const char *)roots.data, roots.size, 0);
	assert_opens(&blob);
	blob_free(&roots);
}

/* Longer than this reader keeps: cut between characters. */
static void long_text(void **state)
{
	struct source *source;
	struct blob text = { 0 }, blob;

	(void)state;
	blob_append(&text, "writer=", 7);
	for (size_t i = 0; i < 40; i++)
		blob_append(&text, "\xe2\x82\xac", 3);
	blob_append(&text, "\n", 1);
	blob = sample_with((const char *)text.data, text.size, 0);
	source = open_size(&blob, blob.size);
	assert_non_null(source);
	assert_int_equal(strlen(source_hints(source)->writer) % 3, 0);
	assert_true(strlen(source_hints(source)->writer) > 80);
	source_close(source);
	blob_free(&blob);
	blob_free(&text);
}

static void bad_pair(u64 phys, u64 length)
{
	struct blob blob = sample();

	blob_put_le(&blob, at[5] + 40, phys, 8);
	blob_put_le(&blob, at[5] + 48, length, 8);
	ikho_seal(&blob, at[5], true);
	assert_refused_at(&blob, at[5] + 40);
}

static void preserved_rules(void **state)
{
	(void)state;
	bad_pair(0x1001, 4096);
	bad_pair(0x1000, 4097);
	bad_pair(0x1000, 0);
	bad_pair(1ULL << 52, 4096);
	bad_pair((1ULL << 52) - 4096, 8192);
	bad_pair(0x1000, UINT64_MAX - 4095);
}

static void end_rules(void **state)
{
	struct blob blob = sample();

	(void)state;
	blob_put_le(&blob, at[6] + 40, 5, 8);
	ikho_seal(&blob, at[6], true);
	assert_refused_at(&blob, at[6] + 40);
	blob = sample();
	blob_put_le(&blob, at[6] + 48, 4 * 4096, 8);
	ikho_seal(&blob, at[6], true);
	assert_refused_at(&blob, at[6] + 40);
	blob = sample();
	blob_append(&blob, "", 1);
	assert_refused_at(&blob, at[7]);
	blob = sample();
	ikho_end(&blob, 7, 5 * 4096);
	assert_refused_at(&blob, at[7]);
}

/* One image page made of sections of 4 KiB, some of them missing. */
static void large_pages(void **state)
{
	struct blob blob = ikho_header(0, 65536);
	u8 page[65536], wanted[8192];
	struct source *source;

	(void)state;
	memory(page, 0x20000, 65536);
	ikho_section(&blob, INFO, 0, 0, 0, "a=b\n", 4);
	ikho_section(&blob, PAGES, 1, 1, 0x21000, page + 0x1000, 0x1000);
	ikho_section(&blob, PAGES, 1, 2, 0x22000, page + 0x2000, 0x1000);
	ikho_section(&blob, PAGES, 1, 3, 0x24000, page + 0x4000, 0xc000);
	ikho_end(&blob, 4, 0xe000);
	source = open_size(&blob, blob.size);
	assert_non_null(source);
	memcpy(wanted, page + 0x1000, 8192);
	assert_memory_equal(source_map(source, 0x21000, 8192), wanted, 8192);
	assert_null(source_map(source, 0x20000, 65536));
	assert_int_equal(source_last_status(source), SOURCE_MISSING);
	assert_null(source_map(source, 0x22ff8, 16));
	assert_non_null(source_map(source, 0x22ff8, 8));
	assert_memory_equal(source_map(source, 0x2fff8, 8), page + 0xfff8, 8);
	assert_null(source_map(source, 0x2fff8, 9));
	source_close(source);
	blob_free(&blob);
}

/* More sections than stay decoded, in an order that never finds one. */
static void many_sections(void **state)
{
	struct blob blob = ikho_header(0, 4096);
	struct source *source;
	const u8 *bytes;
	u8 page[4096];

	(void)state;
	ikho_section(&blob, INFO, 0, 0, 0, "a=b\n", 4);
	for (u32 i = 0; i < 100; i++) {
		fill_page(page, sizeof(page), 200 - 2 * i);
		ikho_section(&blob, PAGES, 1, i + 1, (200 - 2 * i) << 12, page, 4096);
	}
	ikho_end(&blob, 101, 100 * 4096);
	source = open_size(&blob, blob.size);
	assert_non_null(source);
	for (u64 i = 0; i < 1000; i++) {
		u64 frame = 2 + i * 34 % 200;

		fill_page(page, sizeof(page), frame);
		bytes = source_map(source, frame << 12, 4096);
		assert_non_null(bytes);
		assert_memory_equal(bytes, page, 4096);
		assert_null(source_map(source, (frame + 1) << 12, 4096));
	}
	source_close(source);
	blob_free(&blob);
}

/* The file is altered after it was checked. */
static void changed_later(void **state)
{
	struct blob blob = sample();
	struct source *source = open_size(&blob, blob.size);

	(void)state;
	assert_non_null(source);
	blob.data[at[3] + 45] ^= 1;
	blob_save_over(&blob, test_path("image"), blob.size);
	assert_null(source_map(source, 0x2000, 8));
	assert_int_equal(source_last_status(source), SOURCE_FAILED);
	assert_non_null(strstr(source_error(source), "offset"));
	assert_non_null(source_map(source, 0x1000, 8));
	blob_save_over(&blob, test_path("image"), 100);
	assert_null(source_map(source, 0x8000, 8));
	assert_int_equal(source_last_status(source), SOURCE_FAILED);
	source_close(source);
	blob_free(&blob);
}

/* Where records stand */

#define STATES_INFO "origin=incoming\nflb=0x3000\n"
/* Sections of the states below, and behind them. */
static size_t states_at[5];

static size_t add_states(struct blob *blob, u32 encoding, u32 sequence, u32 kind, u64 first,
			 const u8 *states, size_t nr)
{
	struct blob raw = { 0 };
	size_t offset;

	blob_put_le(&raw, 0, kind, 4);
	blob_put_le(&raw, 4, 0, 4);
	blob_put_le(&raw, 8, first, 8);
	blob_append(&raw, states, nr);
	offset = ikho_section(blob, STATES, encoding, sequence, 0, raw.data, raw.size);
	blob_free(&raw);
	return offset;
}

static const u8 unit_states[] = { 2 };
static const u8 device_states[] = { 0, 1, 2, 3, 4, 5, 6, 3 };

static struct blob states_sample(const char *text, u32 minor)
{
	struct blob blob = ikho_header(minor, 4096);

	ikho_section(&blob, INFO, 0, 0, 0, text, strlen(text));
	states_at[0] = add_states(&blob, 0, 1, 1, 0, unit_states, 1);
	states_at[1] = add_states(&blob, 0, 2, 3, 0, device_states, 5);
	states_at[2] = add_states(&blob, 1, 3, 3, 5, device_states + 5, 1);
	states_at[3] = add_states(&blob, 0, 4, 3, 6, device_states + 6, 2);
	states_at[4] = blob.size;
	ikho_end(&blob, 5, 0);
	return blob;
}

static void states_are_read(void **test_state)
{
	struct blob blob = states_sample(STATES_INFO, 1);
	struct source *source = open_size(&blob, blob.size);
	u32 state;

	(void)test_state;
	assert_non_null(source);
	assert_true(source_hints(source)->has_states);
	assert_int_equal(source_nr_states(source, 0), 0);
	assert_int_equal(source_nr_states(source, 1), 1);
	assert_int_equal(source_nr_states(source, 2), 0);
	assert_int_equal(source_nr_states(source, 3), 8);
	assert_int_equal(source_nr_states(source, 4), 0);
	assert_int_equal(source_nr_states(source, ~0U), 0);
	assert_int_equal(source_state(source, 1, 0, &state), SOURCE_OK);
	assert_int_equal(state, 2);
	for (u64 i = 8; i-- > 0;) {
		assert_int_equal(source_state(source, 3, i, &state), SOURCE_OK);
		assert_int_equal(state, device_states[i]);
	}
	assert_int_equal(source_state(source, 3, 8, &state), SOURCE_FAILED);
	assert_int_equal(source_state(source, 2, 0, &state), SOURCE_FAILED);
	assert_int_equal(source_state(source, 1, ~0ULL, &state), SOURCE_FAILED);
	source_close(source);
	blob_free(&blob);

	blob = sample();
	source = open_size(&blob, blob.size);
	assert_non_null(source);
	assert_false(source_hints(source)->has_states);
	assert_int_equal(source_nr_states(source, 3), 0);
	source_close(source);
	blob_free(&blob);
}

/* Change a field of a STATES section's data, by its number above. */
static void bad_states(u32 number, size_t offset, u64 value, size_t width, size_t wanted)
{
	struct blob blob = states_sample(STATES_INFO, 1);
	size_t section = states_at[number];

	blob_put_le(&blob, section + 40 + offset, value, width);
	ikho_seal(&blob, section, true);
	assert_refused_at(&blob, section + 40 + wanted);
}

static void states_rules(void **state)
{
	static const char *const wrong[] = { "origin=outgoing\nflb=0x3000\n",
					     "origin=incoming\nkho=0x3000\n",
					     "origin=post-boot\nflb=0x3000\n", "flb=0x3000\n" };
	struct blob blob;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		blob = states_sample(wrong[i], 1);
		assert_refused_at(&blob, states_at[0] + 40);
	}
	/* Kinds: known, ascending. */
	bad_states(0, 0, 0, 4, 0);
	bad_states(0, 0, 4, 4, 0);
	bad_states(0, 0, 0x101, 4, 0);
	bad_states(3, 0, 2, 4, 0);
	bad_states(3, 0, 1, 4, 0);
	bad_states(1, 4, 1, 4, 4);
	bad_states(1, 7, 1, 1, 4);
	/* Positions go on from one section to the next. */
	bad_states(0, 8, 1, 8, 8);
	bad_states(1, 8, 1, 8, 8);
	bad_states(3, 8, 5, 8, 8);
	bad_states(3, 8, 7, 8, 8);
	bad_states(3, 8, ~0ULL, 8, 8);
	/* States: known, and possible for the kind. */
	bad_states(1, 16, 7, 1, 0);
	bad_states(3, 17, 255, 1, 0);
	bad_states(0, 16, 3, 1, 0);
	bad_states(0, 16, 4, 1, 0);

	/* At least one state. */
	blob = ikho_header(1, 4096);
	ikho_section(&blob, INFO, 0, 0, 0, STATES_INFO, strlen(STATES_INFO));
	states_at[0] = add_states(&blob, 0, 1, 3, 0, unit_states, 0);
	ikho_end(&blob, 2, 0);
	assert_refused_at(&blob, states_at[0] + 24);

	/* Not known in minor 0; in a newer minor there may be more states. */
	blob = states_sample(STATES_INFO, 0);
	assert_refused_at(&blob, states_at[0] + 4);
	blob = states_sample(STATES_INFO, 2);
	blob.data[states_at[1] + 40 + 16] = 7;
	ikho_seal(&blob, states_at[1], true);
	assert_opens(&blob);
	blob = states_sample(STATES_INFO, 2);
	blob.data[states_at[0] + 40 + 16] = 4;
	ikho_seal(&blob, states_at[0], true);
	assert_refused_at(&blob, states_at[0] + 40);
}

static void every_bit_of_states(void **state)
{
	struct blob blob = states_sample(STATES_INFO, 1);

	(void)state;
	for (size_t bit = 0; bit < blob.size * 8; bit++) {
		blob.data[bit / 8] ^= (u8)(1U << (bit % 8));
		assert_null(open_size(&blob, blob.size));
		blob.data[bit / 8] ^= (u8)(1U << (bit % 8));
	}
	assert_opens(&blob);
}

static bool loses_states(struct blob *blob, size_t size)
{
	struct source_options options = { .force = true };
	char text[300];
	struct source *source;
	bool lost;

	blob_save(blob, test_path("image"), size);
	source = source_open(test_path("image"), &options, text, sizeof(text));
	if (!source)
		fail_msg("%s", text);
	lost = source_states_lost(source);
	assert_true(!lost || !source_hints(source)->has_states);
	source_close(source);
	return lost;
}

static struct blob states_and_memory(const char *text, u32 minor)
{
	struct blob blob = ikho_header(minor, 4096);
	u8 page[4096];

	fill_page(page, sizeof(page), 3);
	ikho_section(&blob, INFO, 0, 0, 0, text, strlen(text));
	states_at[0] = ikho_section(&blob, PAGES, 0, 1, 0x3000, page, sizeof(page));
	states_at[1] = blob.size;
	if (minor)
		add_states(&blob, 0, 2, 1, 0, unit_states, 1);
	states_at[2] = blob.size;
	ikho_end(&blob, minor ? 3 : 2, 4096);
	return blob;
}

/* By force: what said where records stand is gone, which is not the same as that nothing did. */
static void lost_states(void **test_state)
{
	struct blob blob = states_and_memory(STATES_INFO, 1);

	(void)test_state;
	assert_false(loses_states(&blob, blob.size));
	for (size_t size = states_at[1]; size < blob.size; size++)
		assert_true(loses_states(&blob, size));
	for (size_t byte = states_at[1]; byte < states_at[2]; byte++) {
		blob.data[byte] ^= 1;
		assert_true(loses_states(&blob, blob.size));
		blob.data[byte] ^= 1;
	}
	/* The minor says that there are none; but its CRC is wrong. */
	blob_put_le(&blob, 12, 0, 4);
	assert_true(loses_states(&blob, blob.size));
	blob_free(&blob);
	/* There never were any. */
	blob = states_and_memory(STATES_INFO, 0);
	assert_false(loses_states(&blob, blob.size));
	assert_false(loses_states(&blob, states_at[2] + 10));
	blob_free(&blob);
	blob = states_and_memory("origin=at-jump\nflb=0x3000\n", 0);
	blob_put_le(&blob, 12, 1, 4);
	ikho_seal_file(&blob);
	assert_false(loses_states(&blob, states_at[2] + 10));
	blob_free(&blob);
}

/* More sections of states than are kept decoded. */
static void many_sections_of_states(void **test_state)
{
	struct blob blob = ikho_header(1, 4096);
	struct source *source;
	u8 states[3];
	u32 state;

	(void)test_state;
	ikho_section(&blob, INFO, 0, 0, 0, STATES_INFO, strlen(STATES_INFO));
	for (u32 i = 0; i < 100; i++) {
		memset(states, (int)(i % 7), sizeof(states));
		add_states(&blob, i % 2, i + 1, 2, i * 3, states, sizeof(states));
	}
	ikho_end(&blob, 101, 0);
	source = open_size(&blob, blob.size);
	assert_non_null(source);
	assert_int_equal(source_nr_states(source, 2), 300);
	for (u64 i = 0; i < 300; i++) {
		assert_int_equal(source_state(source, 2, i * 7 % 300, &state), SOURCE_OK);
		assert_int_equal(state, i * 7 % 300 / 3 % 7);
	}
	assert_null(source_broken(source));
	blob_save_over(&blob, test_path("image"), 100);
	assert_int_equal(source_state(source, 2, 0, &state), SOURCE_FAILED);
	assert_non_null(source_broken(source));
	source_close(source);
	blob_free(&blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_everything),	cmocka_unit_test(minimal_files),
		cmocka_unit_test(empty_preserved_set),	cmocka_unit_test(newer_minor),
		cmocka_unit_test(truncated_everywhere), cmocka_unit_test(every_bit),
		cmocka_unit_test(file_header_rules),	cmocka_unit_test(section_header_rules),
		cmocka_unit_test(page_rules),		cmocka_unit_test(zlib_rules),
		cmocka_unit_test(info_rules),		cmocka_unit_test(long_text),
		cmocka_unit_test(preserved_rules),	cmocka_unit_test(end_rules),
		cmocka_unit_test(large_pages),		cmocka_unit_test(many_sections),
		cmocka_unit_test(changed_later),	cmocka_unit_test(states_are_read),
		cmocka_unit_test(states_rules),		cmocka_unit_test(every_bit_of_states),
		cmocka_unit_test(lost_states),		cmocka_unit_test(many_sections_of_states),
	};

	return cmocka_run_group_tests(tests, test_directory_setup, test_directory_teardown);
}
