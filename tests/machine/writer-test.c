// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the writer: whatever is written is sealed after every call, and is
 * read back as it was.
 */
#include "sim.h"

#include <string.h>
#include <zlib.h>

#include <iommuser/root.h>
#include <iommuser/writer.h>

#define MAX_RECORDS 1200
#define GENERATION 0x1122334455667788ULL
#define ROOT_CRC 16
#define PAGE_CRC 48
#define HEADER_SIZE 64

static const u32 shifts[] = { 12, 14, 16 };
static const u32 sizes[] = { 0, 192, 128, 128, 64, 64, 64 };

/* What was written, by position. */
struct line {
	union iommuser_record record;
	u64 phys;
	u32 references;
	bool deleted;
};

struct model {
	struct sim *sim;
	struct iommuser_writer writer;
	struct line lines[IOMMUSER_NR_KINDS + 1][MAX_RECORDS];
	u64 count[IOMMUSER_NR_KINDS + 1];
	u64 random;
};

static struct model *start(u32 page_shift, u64 seed)
{
	struct model *model = calloc(1, sizeof(*model));

	assert_non_null(model);
	model->sim = sim_new(page_shift);
	model->random = seed;
	assert_int_equal(iommuser_writer_start(&model->writer, &model->sim->env, &model->sim->pages,
					       GENERATION, "7.3.0"),
			 0);
	return model;
}

/* Nothing must be left but what was there before the writer. */
static void end(struct model *model)
{
	iommuser_writer_end(&model->writer);
	assert_int_equal(sim_count(model->sim, SIM_FREE), SIM_FRAMES);
	sim_assert_sound(model->sim);
	sim_free(model->sim);
	free(model);
}

static u64 capacity(const struct model *model, u32 kind)
{
	return (image_page_size(model->sim->image) - HEADER_SIZE) / sizes[kind];
}

static u64 little_endian(const u8 *at, u32 width)
{
	u64 value = 0;
	u32 i;

	for (i = 0; i < width; i++)
		value |= (u64)at[i] << (8 * i);
	return value;
}

static bool is_sealed(const struct model *model, u64 phys, u32 offset)
{
	static const u8 zero[4];
	u64 size = image_page_size(model->sim->image);
	const u8 *page = sim_bytes(model->sim, phys);
	uLong crc = crc32(0, page, offset);

	crc = crc32(crc, zero, sizeof(zero));
	crc = crc32(crc, page + offset + 4, (uInt)(size - offset - 4));
	return little_endian(page + offset, 4) == crc;
}

/* Every page the writer holds carries its seal. Return: how many. */
static u64 check_seals(const struct model *model)
{
	u64 size = image_page_size(model->sim->image);
	u64 root = iommuser_writer_root(&model->writer);
	u64 pages = 0;
	u64 phys;

	for (phys = IMAGE_FIRST_PHYS; phys < SIM_END; phys += size) {
		if (model->sim->states[phys / SIM_TABLE_SIZE] != SIM_RECORDS)
			continue;
		pages++;
		assert_true(is_sealed(model, phys, phys == root ? ROOT_CRC : PAGE_CRC));
	}
	return pages;
}

static void compare(const struct line *line, u32 kind, u64 position,
		    const union iommuser_record *read)
{
	union iommuser_record expected = line->record;

	if (line->deleted)
		memset(&expected, 0, sizeof(expected));
	expected.common.phys = line->phys;
	expected.common.flags = line->deleted ? 1 : 0;
	expected.common.ref_count = line->deleted ? 0 : line->references;
	expected.common.index = position;
	/* Records are u64 members throughout: there is no padding. */
	if (memcmp((const u8 *)&expected, (const u8 *)read, sizeof(expected)) != 0)
		fail_msg("record %llu of kind %u is not what was written",
			 (unsigned long long)position, kind);
}

static void check_kind(const struct model *model, const struct iommuser_root *root, u32 kind)
{
	u64 position = 0, deleted = 0, i;
	struct iommuser_chain chain;
	struct iommuser_chain_page page;
	union iommuser_record read;

	assert_int_equal(iommuser_chain_of(&model->sim->env, root, kind, sizes[kind], &chain), 0);
	while (iommuser_chain_next(&chain, &page) == 1) {
		for (i = 0; i < page.count; i++, position++) {
			assert_true(position < model->count[kind]);
			memset(&read, 0, sizeof(read));
			iommuser_decode(root->revision, kind, 1,
					iommuser_chain_record(&chain, &page, i),
					iommuser_chain_record_phys(&chain, &page, i), &read);
			compare(&model->lines[kind][position], kind, position, &read);
			deleted += model->lines[kind][position].deleted;
		}
	}
	assert_int_equal(position, model->count[kind]);
	assert_int_equal(root->arrays[kind].nr_records, position);
	assert_int_equal(root->arrays[kind].nr_deleted, deleted);
}

/* The library's reader has nothing to find, and every record is as it should be. */
static void check(const struct model *model)
{
	static struct findings findings;
	struct iommuser_survey survey;
	struct iommuser_root root;
	u64 pages = 1;
	u32 kind;

	findings_init(&findings);
	assert_int_equal(iommuser_root_open(&model->sim->env, iommuser_revision_at(0),
					    iommuser_writer_root(&model->writer), NULL,
					    &findings.reporter, &root),
			 0);
	assert_int_equal(iommuser_survey_root(&model->sim->env, &root, NULL, &findings.reporter,
					      &survey),
			 0);
	expect_findings(&findings, "");
	assert_int_equal(root.generation, GENERATION);
	assert_string_equal(root.kernel_release, "7.3.0");
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		check_kind(model, &root, kind);
		pages += (model->count[kind] + capacity(model, kind) - 1) / capacity(model, kind);
	}
	assert_int_equal(check_seals(model), pages);
}

/* Every field of the kind gets a value that fits its width. */
static void randomise(struct model *model, u32 kind, union iommuser_record *record)
{
	const struct iommuser_record_layout *layout = &iommuser_revision_at(0)->kinds[kind];
	u32 i, at;

	memset(record, 0, sizeof(*record));
	for (i = 0; i < layout->nr_rows; i++) {
		const struct iommuser_field_row *row = &layout->rows[i];

		for (at = 0; at < row->width; at += 8) {
			u64 value = random_next(&model->random);

			if (row->width < 8)
				value &= (1ULL << (8 * row->width)) - 1;
			memcpy((u8 *)record + row->memory + at, &value, 8);
		}
	}
}

static int try_add(struct model *model, u32 kind)
{
	struct line *line = &model->lines[kind][model->count[kind]];
	int error;

	assert_true(model->count[kind] < MAX_RECORDS);
	memset(line, 0, sizeof(*line));
	randomise(model, kind, &line->record);
	line->references = 1;
	error = iommuser_writer_add(&model->writer, kind, &line->record, &line->phys);
	if (!error)
		model->count[kind]++;
	return error;
}

static void add(struct model *model, u32 kind)
{
	assert_int_equal(try_add(model, kind), 0);
}

static void take_out(struct model *model, u32 kind, u64 position)
{
	struct line *lines = model->lines[kind];

	assert_false(lines[position].deleted);
	iommuser_writer_remove(&model->writer, lines[position].phys);
	lines[position].deleted = true;
	while (model->count[kind] && lines[model->count[kind] - 1].deleted)
		model->count[kind]--;
}

static void refer(struct model *model, u32 kind, u64 position, u32 count)
{
	struct line *line = &model->lines[kind][position];

	randomise(model, kind, &line->record);
	iommuser_writer_update(&model->writer, line->phys, &line->record, count);
	line->references = count ? count : 1;
}

static void an_empty_handover_is_sound(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		struct model *model = start(shifts[i], 1);

		check(model);
		end(model);
	}
}

/* Chains of a little more than two pages of every kind, checked at every step near a page's end. */
static void chains_are_read_back(void **state)
{
	u32 i, kind;
	u64 n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		struct model *model = start(shifts[i], i);

		for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
			u64 full = capacity(model, kind);
			u64 most = shifts[i] == 16 ? full + 2 : 2 * full + 2;

			for (n = 0; n < most; n++) {
				add(model, kind);
				if (shifts[i] == 12 || (n + 1) % full < 2)
					check(model);
			}
		}
		check(model);
		end(model);
	}
}

static void references_are_written(void **state)
{
	struct model *model = start(12, 3);
	u32 kind;
	u64 n;

	(void)state;
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		for (n = 0; n < 70; n++)
			add(model, kind);
		refer(model, kind, 0, 7);
		check(model);
		refer(model, kind, 69, 0xffffffff);
		check(model);
		refer(model, kind, 0, 0);
		check(model);
	}
	end(model);
}

enum order {
	LAST_FIRST,
	FIRST_FIRST,
	RANDOM_FIRST,
	NR_ORDERS
};

static u64 pick(struct model *model, u32 kind, enum order order)
{
	u64 at = order == LAST_FIRST  ? model->count[kind] - 1 :
		 order == FIRST_FIRST ? 0 :
					random_next(&model->random) % model->count[kind];

	while (model->lines[kind][at].deleted)
		at = (at + 1) % model->count[kind];
	return at;
}

static void records_go_in_any_order(void **state)
{
	enum order order;
	u32 kind, i, seed;
	u64 n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		for (order = LAST_FIRST; order < NR_ORDERS; order++) {
			for (seed = 0; seed < (order == RANDOM_FIRST ? 4U : 1U); seed++) {
				struct model *model = start(shifts[i], 77 + seed);

				for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
					for (n = 0; n < 150; n++)
						add(model, kind);
					while (model->count[kind]) {
						take_out(model, kind, pick(model, kind, order));
						check(model);
					}
				}
				/* Nothing but the root is left. */
				assert_int_equal(check_seals(model), 1);
				end(model);
			}
		}
	}
}

static void records_come_and_go(void **state)
{
	u64 seed, step;

	(void)state;
	for (seed = 0; seed < 6; seed++) {
		struct model *model = start(shifts[seed % 3], 100 + seed);

		for (step = 0; step < 1500; step++) {
			u32 kind = 1 + (u32)(random_next(&model->random) % IOMMUSER_NR_KINDS);
			u64 what = random_next(&model->random) % 8;
			/* Grow for some time, then shrink. */
			bool grow = step % 600 < 400;

			if (!model->count[kind] || what < (grow ? 5 : 2))
				add(model, kind);
			else if (what == 7)
				refer(model, kind, pick(model, kind, RANDOM_FIRST),
				      (u32)random_next(&model->random) % 9);
			else
				take_out(model, kind, pick(model, kind, RANDOM_FIRST));
			if (step % 3 == 0)
				check(model);
		}
		check(model);
		end(model);
	}
}

static void a_failed_allocation_changes_nothing(void **state)
{
	struct iommuser_writer writer;
	struct sim_snapshot *before;
	struct model *model;
	u64 n, failures = 0;
	u32 kind;

	(void)state;
	model = start(12, 9);
	sim_fail(model->sim, SIM_FAIL_ALLOC, 1);
	assert_int_equal(iommuser_writer_start(&writer, &model->sim->env, &model->sim->pages, 1,
					       "x"),
			 -IOMMUSER_ENOMEM);
	assert_int_equal(check_seals(model), 1);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		for (n = 0; n < 2 * capacity(model, kind) + 1; n++) {
			before = sim_snapshot(model->sim);
			sim_fail(model->sim, SIM_FAIL_ALLOC, 1);
			if (try_add(model, kind)) {
				assert_true(sim_failed(model->sim));
				assert_true(sim_same(model->sim, before));
				check(model);
				failures++;
				add(model, kind);
			}
			assert_false(sim_failed(model->sim));
			free(before);
		}
		check(model);
	}
	assert_int_equal(failures, 3 * IOMMUSER_NR_KINDS);
	end(model);
}

static void arguments_are_checked(void **state)
{
	static const char longest[] = "12345678901234567890123456789012345678901234567890"
				      "123456789012345678901";
	static const char too_long[] = "12345678901234567890123456789012345678901234567890"
				       "1234567890123456789012";
	struct model *model = start(12, 9);
	struct iommuser_writer writer;
	struct iommuser_env env = model->sim->env;
	union iommuser_record record;
	u64 phys;

	(void)state;
	memset(&record, 0, sizeof(record));
	assert_int_equal(iommuser_writer_add(&model->writer, 0, &record, &phys), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_writer_add(&model->writer, IOMMUSER_NR_KINDS + 1, &record, &phys),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_writer_start(&writer, &env, &model->sim->pages, 1, too_long),
			 -IOMMUSER_EINVAL);
	env.crc32 = NULL;
	assert_int_equal(iommuser_writer_start(&writer, &env, &model->sim->pages, 1, "x"),
			 -IOMMUSER_EINVAL);
	env = model->sim->env;
	env.page_shift = 11;
	assert_int_equal(iommuser_writer_start(&writer, &env, &model->sim->pages, 1, "x"),
			 -IOMMUSER_EINVAL);
	env.page_shift = 17;
	assert_int_equal(iommuser_writer_start(&writer, &env, &model->sim->pages, 1, "x"),
			 -IOMMUSER_EINVAL);
	assert_int_equal(strlen(longest), 71);
	assert_int_equal(iommuser_writer_start(&writer, &model->sim->env, &model->sim->pages, 1,
					       longest),
			 0);
	assert_string_equal(sim_bytes(model->sim, iommuser_writer_root(&writer)) + 176, longest);
	iommuser_writer_end(&writer);
	check(model);
	end(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_handover_is_sound),
		cmocka_unit_test(chains_are_read_back),
		cmocka_unit_test(references_are_written),
		cmocka_unit_test(records_go_in_any_order),
		cmocka_unit_test(records_come_and_go),
		cmocka_unit_test(a_failed_allocation_changes_nothing),
		cmocka_unit_test(arguments_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
