// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the reader of VT-d root, context and PASID tables.
 */
#include "image.h"

#include <iommuser/vtd.h>

static struct iommuser_vtd_tables tables_new(struct image *image, bool scalable)
{
	return (struct iommuser_vtd_tables){
		.env = &image->env,
		.root_table = image_alloc(image),
		.scalable = scalable,
	};
}

/* Address of the context entry of a requester; makes its table. */
static u64 entry_of(struct image *image, const struct iommuser_vtd_tables *tables, u32 bdf)
{
	u64 at = tables->root_table + (bdf >> 8) * 16;
	u32 devfn = bdf & 0xff;
	u64 word;

	if (tables->scalable && devfn >= 128)
		at += 8;
	word = image_get(image, at, 8);
	if (!word) {
		word = image_alloc(image) | 1;
		image_put(image, at, 8, word);
	}
	return (word & ~0xfffULL) + (tables->scalable ? devfn % 128 * 32 : devfn * 16);
}

static void legacy_entries_are_decoded(void **state)
{
	struct image *image = image_new(12);
	struct iommuser_vtd_tables tables = tables_new(image, false);
	u64 at = entry_of(image, &tables, 0x12ff);
	struct iommuser_vtd_context context;

	(void)state;
	image_put(image, at, 8, 0x000fedcba9876005ULL | 2);
	image_put(image, at + 8, 8, 0xbeef7a);
	assert_int_equal(iommuser_vtd_context(&tables, 0x12ff, &context), 0);
	assert_int_equal(context.phys, at);
	assert_int_equal(context.low, 0x000fedcba9876007ULL);
	assert_int_equal(context.high, 0xbeef7a);
	assert_true(context.present);
	assert_int_equal(context.table, 0x000fedcba9876000ULL);
	assert_int_equal(context.translation_type, IOMMUSER_VTD_TT_TABLE_DEVICE_TLB);
	assert_int_equal(context.address_width, 2);
	assert_int_equal(context.did, 0xbeef);
	assert_int_equal(context.reserved, 0);
	assert_int_equal(iommuser_vtd_context(&tables, 0x12fe, &context), 0);
	assert_false(context.present);
	assert_int_equal(context.phys, at - 16);
	assert_int_equal(iommuser_vtd_context(&tables, 0x13ff, &context), 0);
	assert_false(context.present);
	assert_int_equal(context.phys, 0);
	image_free(image);
}

static void scalable_entries_are_decoded(void **state)
{
	static const u32 devfns[] = { 0, 127, 128, 255 };
	struct image *image = image_new(12);
	struct iommuser_vtd_tables tables = tables_new(image, true);
	struct iommuser_vtd_context context;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(devfns); i++) {
		u64 at = entry_of(image, &tables, 0xff00 | devfns[i]);

		image_put(image, at, 8, 0x1234567000ULL | 5 << 9 | 0x1d);
		image_put(image, at + 8, 8, 0x1abcde + devfns[i]);
		assert_int_equal(iommuser_vtd_context(&tables, 0xff00 | devfns[i], &context), 0);
		assert_int_equal(context.phys, at);
		assert_true(context.present);
		assert_true(context.device_tlb);
		assert_true(context.pasid_enable);
		assert_true(context.page_request_enable);
		assert_int_equal(context.directory_size, 5);
		assert_int_equal(context.table, 0x1234567000ULL);
		assert_int_equal(context.rid_pasid, 0xabcde + devfns[i]);
		assert_int_equal(context.reserved, 0);
	}
	assert_int_not_equal(image_get(image, tables.root_table + 0xff0, 8),
			     image_get(image, tables.root_table + 0xff8, 8));
	/* Each flag on its own. */
	image_put(image, entry_of(image, &tables, 0xff00), 8, 1);
	assert_int_equal(iommuser_vtd_context(&tables, 0xff00, &context), 0);
	assert_false(context.device_tlb || context.pasid_enable || context.page_request_enable);
	image_put(image, entry_of(image, &tables, 0xff00), 8, 1 << 4 | 1);
	assert_int_equal(iommuser_vtd_context(&tables, 0xff00, &context), 0);
	assert_false(context.device_tlb || context.pasid_enable);
	assert_true(context.page_request_enable);
	image_free(image);
}

static void reserved_bits_are_seen(void **state)
{
	static const u64 legal[2][4] = {
		{ 0xfffffffffffff00fULL, 0xffff7fULL, 0, 0 },
		{ 0xfffffffffffffe1fULL, 0x1fffffULL, 0, 0 },
	};
	struct iommuser_vtd_context context;
	u32 scalable, bit;

	(void)state;
	for (scalable = 0; scalable < 2; scalable++) {
		struct image *image = image_new(12);
		struct iommuser_vtd_tables tables = tables_new(image, scalable);
		u64 at = entry_of(image, &tables, 8);
		u32 bits = scalable ? 256 : 128;

		image_put(image, at + 8, 8, legal[scalable][1]);
		for (bit = 1; bit < bits; bit++) {
			u64 word = legal[scalable][bit / 64] | 1ULL << (bit % 64);
			bool allowed = legal[scalable][bit / 64] >> (bit % 64) & 1;

			image_put(image, at + bit / 64 * 8, 8, word);
			assert_int_equal(iommuser_vtd_context(&tables, 8, &context), 0);
			assert_int_equal(!context.reserved, allowed);
			image_put(image, at + bit / 64 * 8, 8, legal[scalable][bit / 64]);
		}
		image_free(image);
	}
}

static void the_high_half_is_for_scalable_mode_alone(void **state)
{
	struct image *image = image_new(12);
	struct iommuser_vtd_tables tables = tables_new(image, false);
	struct iommuser_vtd_root_entry entry = { .low = 0x5001, .high = 0x6fff };
	u64 phys = 77;

	(void)state;
	assert_true(iommuser_vtd_context_table(&tables, &entry, 255, &phys));
	assert_int_equal(phys, 0x5000);
	tables.scalable = true;
	assert_true(iommuser_vtd_context_table(&tables, &entry, 127, &phys));
	assert_int_equal(phys, 0x5000);
	assert_true(iommuser_vtd_context_table(&tables, &entry, 128, &phys));
	assert_int_equal(phys, 0x6000);
	entry.high = 0x6ffe;
	assert_false(iommuser_vtd_context_table(&tables, &entry, 128, &phys));
	entry.low = 0;
	assert_false(iommuser_vtd_context_table(&tables, &entry, 0, &phys));
	image_free(image);
}

static void arguments_and_addresses_are_checked(void **state)
{
	struct image *image = image_new(12);
	struct iommuser_vtd_tables tables = tables_new(image, false);
	struct iommuser_vtd_root_entry entry;
	struct iommuser_vtd_context context;
	u64 root = tables.root_table;

	(void)state;
	assert_int_equal(iommuser_vtd_root_entry(&tables, 256, &entry), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_vtd_root_entry(&tables, ~0U, &entry), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_vtd_context(&tables, 65536, &context), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_vtd_context(&tables, ~0U, &context), -IOMMUSER_EINVAL);
	tables.root_table = root + 16;
	assert_int_equal(iommuser_vtd_root_entry(&tables, 0, &entry), -IOMMUSER_ECORRUPT);
	tables.root_table = ~0xfffULL;
	assert_int_equal(iommuser_vtd_root_entry(&tables, 255, &entry), -IOMMUSER_ECORRUPT);
	tables.root_table = 1ULL << 52;
	assert_int_equal(iommuser_vtd_context(&tables, 0, &context), -IOMMUSER_ECORRUPT);
	tables.root_table = root + 4096;
	assert_int_equal(iommuser_vtd_context(&tables, 0, &context), -IOMMUSER_EUNMAPPED);
	tables.root_table = root;
	image_put(image, root, 8, 0x7001);
	assert_int_equal(iommuser_vtd_context(&tables, 5, &context), -IOMMUSER_EUNMAPPED);
	image_put(image, root, 8, 1ULL << 52 | 1);
	assert_int_equal(iommuser_vtd_context(&tables, 5, &context), -IOMMUSER_ECORRUPT);
	image_put(image, root, 8, ~0ULL);
	assert_int_equal(iommuser_vtd_context(&tables, 5, &context), -IOMMUSER_ECORRUPT);
	image_free(image);
}

static void iteration_meets_every_present_entry(void **state)
{
	static const u32 bdfs[] = { 0, 0x7f, 0x80, 0xff, 0x100, 0x1234, 0xff00, 0xffff };
	struct iommuser_vtd_context context;
	u32 scalable, shift, i;

	(void)state;
	for (scalable = 0; scalable < 2; scalable++) {
		for (shift = 12; shift <= 16; shift += 2) {
			struct image *image = image_new(shift);
			struct iommuser_vtd_tables tables = tables_new(image, scalable);
			u32 cursor = 0, bdf = 0;

			for (i = 0; i < ARRAY_SIZE(bdfs); i++)
				image_put(image, entry_of(image, &tables, bdfs[i]), 8,
					  (u64)i << 12 | 1);
			image_put(image, entry_of(image, &tables, 0x1235), 8, 0xff000);
			for (i = 0; i < ARRAY_SIZE(bdfs); i++) {
				assert_int_equal(iommuser_vtd_next_context(&tables, &cursor, &bdf,
									   &context),
						 1);
				assert_int_equal(bdf, bdfs[i]);
				assert_int_equal(context.table, i << 12);
			}
			assert_int_equal(
				iommuser_vtd_next_context(&tables, &cursor, &bdf, &context), 0);
			assert_int_equal(
				iommuser_vtd_next_context(&tables, &cursor, &bdf, &context), 0);
			image_free(image);
		}
	}
}

static void iteration_goes_on_behind_a_bad_table(void **state)
{
	struct image *image = image_new(12);
	struct iommuser_vtd_tables tables = tables_new(image, true);
	struct iommuser_vtd_context context;
	u32 cursor = 0, bdf;

	(void)state;
	image_put(image, entry_of(image, &tables, 0x110), 8, 1);
	image_put(image, entry_of(image, &tables, 0x190), 8, 1);
	image_put(image, entry_of(image, &tables, 0x210), 8, 1);
	image_put(image, tables.root_table, 8, 1ULL << 60 | 1); /* corrupt: bus 0 low */
	image_drop(image, entry_of(image, &tables, 0x110));	/* unreadable: bus 1 low */

	assert_int_equal(iommuser_vtd_next_context(&tables, &cursor, &bdf, &context),
			 -IOMMUSER_ECORRUPT);
	assert_int_equal(bdf, 0);
	assert_int_equal(iommuser_vtd_next_context(&tables, &cursor, &bdf, &context),
			 -IOMMUSER_EUNMAPPED);
	assert_int_equal(bdf, 0x100);
	assert_int_equal(iommuser_vtd_next_context(&tables, &cursor, &bdf, &context), 1);
	assert_int_equal(bdf, 0x190);
	assert_int_equal(iommuser_vtd_next_context(&tables, &cursor, &bdf, &context), 1);
	assert_int_equal(bdf, 0x210);
	assert_int_equal(iommuser_vtd_next_context(&tables, &cursor, &bdf, &context), 0);

	image_drop(image, tables.root_table);
	cursor = 0;
	assert_int_equal(iommuser_vtd_next_context(&tables, &cursor, &bdf, &context),
			 -IOMMUSER_EUNMAPPED);
	assert_int_equal(bdf, 0);
	assert_int_equal(iommuser_vtd_next_context(&tables, &cursor, &bdf, &context), 0);
	cursor = ~0U;
	assert_int_equal(iommuser_vtd_next_context(&tables, &cursor, &bdf, &context), 0);
	image_free(image);
}

static void a_directory_is_sized_by_its_context_entry(void **state)
{
	static const struct iommuser_env env;
	struct iommuser_vtd_directory directory;
	struct iommuser_vtd_context context = { .table = 0x9000 };

	(void)state;
	for (; context.directory_size < 8; context.directory_size++) {
		iommuser_vtd_directory_of(&env, &context, &directory);
		assert_ptr_equal(directory.env, &env);
		assert_int_equal(directory.phys, 0x9000);
		assert_int_equal(directory.nr_pasids, 8192U << context.directory_size);
	}
	assert_int_equal(directory.nr_pasids, IOMMUSER_VTD_MAX_PASIDS);
}

/* A directory of @pages pages in a row. */
static struct iommuser_vtd_directory directory_new(struct image *image, u32 pages)
{
	struct iommuser_vtd_directory directory = {
		.env = &image->env,
		.phys = image_alloc(image),
		.nr_pasids = pages * 512 * 64,
	};

	while (--pages)
		image_alloc(image);
	return directory;
}

/* Address of the entry of a PASID; makes its table. */
static u64 pasid_entry(struct image *image, const struct iommuser_vtd_directory *directory,
		       u32 pasid)
{
	u64 at = directory->phys + pasid / 64 * 8;
	u64 word = image_get(image, at, 8);

	if (!word) {
		word = image_alloc(image) | 1;
		image_put(image, at, 8, word);
	}
	return (word & ~0xfffULL) + pasid % 64 * 64;
}

static void pasid_entries_are_decoded(void **state)
{
	struct image *image = image_new(12);
	struct iommuser_vtd_directory directory = directory_new(image, 32);
	struct iommuser_vtd_pasid entry;
	u32 pasid = 0xfffff;
	u64 at = pasid_entry(image, &directory, pasid);
	u32 i;

	(void)state;
	image_put(image, at, 8, 0x000abcdef0123000ULL | 2 << 6 | 3 << 2 | 1);
	image_put(image, at + 8, 8, 0xffffffffffff1234ULL);
	image_put(image, at + 16, 8, 0x000fedcba9876000ULL | 1 << 2);
	assert_int_equal(iommuser_vtd_pasid(&directory, pasid, &entry), 0);
	assert_int_equal(entry.phys, at);
	assert_true(entry.present);
	assert_int_equal(entry.type, IOMMUSER_VTD_PGTT_SECOND);
	assert_int_equal(entry.address_width, 3);
	assert_int_equal(entry.second_stage, 0x000abcdef0123000ULL);
	assert_int_equal(entry.did, 0x1234);
	assert_int_equal(entry.first_stage_mode, 1);
	assert_int_equal(entry.first_stage, 0x000fedcba9876000ULL);
	assert_int_equal(entry.qw[1], 0xffffffffffff1234ULL);
	assert_int_equal(entry.reserved, 0);
	for (i = 3; i < 8; i++) {
		image_put(image, at + 8ULL * i, 8, 1ULL << 63);
		assert_int_equal(iommuser_vtd_pasid(&directory, pasid, &entry), 0);
		assert_int_not_equal(entry.reserved, 0);
		image_put(image, at + 8ULL * i, 8, 0);
	}
	assert_int_equal(iommuser_vtd_pasid(&directory, 5, &entry), 0);
	assert_false(entry.present);
	assert_int_equal(entry.phys, 0);
	image_free(image);
}

static void pasid_arguments_and_addresses_are_checked(void **state)
{
	struct image *image = image_new(12);
	struct iommuser_vtd_directory directory = directory_new(image, 1);
	struct iommuser_vtd_pasid entry;
	u64 phys;
	u32 bit;

	(void)state;
	assert_int_equal(iommuser_vtd_pasid(&directory, directory.nr_pasids, &entry),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_vtd_pasid_table(&directory, ~0U, &phys), -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_vtd_pasid_table(&directory, 63, &phys), 0);
	assert_int_equal(phys, 0);
	image_put(image, directory.phys, 8, 0xab000 | 3);
	assert_int_equal(iommuser_vtd_pasid_table(&directory, 63, &phys), 0);
	assert_int_equal(phys, 0xab000);
	assert_int_equal(iommuser_vtd_pasid(&directory, 63, &entry), -IOMMUSER_EUNMAPPED);
	for (bit = 2; bit < 12; bit++) {
		image_put(image, directory.phys, 8, 0xab000 | 1 << bit | 1);
		assert_int_equal(iommuser_vtd_pasid_table(&directory, 63, &phys),
				 -IOMMUSER_ECORRUPT);
		assert_int_equal(phys, 0xab000 | 1 << bit);
	}
	image_put(image, directory.phys, 8, ~0ULL);
	assert_int_equal(iommuser_vtd_pasid(&directory, 63, &entry), -IOMMUSER_ECORRUPT);
	directory.phys += 8;
	assert_int_equal(iommuser_vtd_pasid(&directory, 0, &entry), -IOMMUSER_ECORRUPT);
	image_free(image);
}

/* The last entries of a directory at the top of the address space are not those of page 0. */
static void a_directory_does_not_wrap_around(void **state)
{
	struct image *image = image_new(12);
	struct iommuser_vtd_directory directory = {
		.env = &image->env,
		.phys = ~0xfffULL,
		.nr_pasids = IOMMUSER_VTD_MAX_PASIDS,
	};
	struct iommuser_vtd_pasid entry;
	u32 pasid = 512 * 64;
	int result;

	(void)state;
	image_put(image, 0, 8, 0x3001);
	image_put(image, 0x3000, 8, 1);
	result = iommuser_vtd_pasid(&directory, pasid, &entry);
	image_free(image);
	assert_int_equal(result, -IOMMUSER_ECORRUPT);
}

static void pasids_of_a_long_directory_are_met(void **state)
{
	static const u32 pasids[] = { 0, 63, 64, 32767, 32768, 100000, 131071 };
	struct image *image = image_new(12);
	struct iommuser_vtd_directory directory = directory_new(image, 4);
	struct iommuser_vtd_pasid entry;
	u32 cursor = 0, pasid, i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(pasids); i++) {
		u64 at = pasid_entry(image, &directory, pasids[i]);

		image_put(image, at, 8, 1);
		image_put(image, at + 8, 8, i);
	}
	for (i = 0; i < ARRAY_SIZE(pasids); i++) {
		assert_int_equal(iommuser_vtd_next_pasid(&directory, &cursor, &pasid, &entry), 1);
		assert_int_equal(pasid, pasids[i]);
		assert_int_equal(entry.did, i);
	}
	assert_int_equal(iommuser_vtd_next_pasid(&directory, &cursor, &pasid, &entry), 0);
	image_free(image);
}

static void pasid_iteration_goes_on_behind_errors(void **state)
{
	struct image *image = image_new(12);
	struct iommuser_vtd_directory directory = directory_new(image, 2);
	struct iommuser_vtd_pasid entry;
	u32 cursor = 0, pasid, errors = 0;
	int more;

	(void)state;
	image_put(image, pasid_entry(image, &directory, 200), 8, 1);
	image_put(image, directory.phys, 8, ~0ULL);
	image_put(image, directory.phys + 8, 8, 0x5001);
	image_drop(image, directory.phys + 4096);

	assert_int_equal(iommuser_vtd_next_pasid(&directory, &cursor, &pasid, &entry),
			 -IOMMUSER_ECORRUPT);
	assert_int_equal(pasid, 0);
	assert_int_equal(iommuser_vtd_next_pasid(&directory, &cursor, &pasid, &entry),
			 -IOMMUSER_EUNMAPPED);
	assert_int_equal(pasid, 64);
	assert_int_equal(iommuser_vtd_next_pasid(&directory, &cursor, &pasid, &entry), 1);
	assert_int_equal(pasid, 200);
	while ((more = iommuser_vtd_next_pasid(&directory, &cursor, &pasid, &entry))) {
		assert_int_equal(more, -IOMMUSER_EUNMAPPED);
		assert_true(pasid >= 32768);
		assert_true(++errors <= 512);
	}
	assert_true(errors > 0);
	image_free(image);
}

static void domain_ids_are_counted(void **state)
{
	static const u32 expected[] = { 16, 64, 256, 1024, 4096, 16384, 65536, 65536 };
	u64 nd;

	(void)state;
	for (nd = 0; nd < 8; nd++) {
		assert_int_equal(iommuser_vtd_nr_dids(nd), expected[nd]);
		assert_int_equal(iommuser_vtd_nr_dids(~7ULL | nd), expected[nd]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(legacy_entries_are_decoded),
		cmocka_unit_test(scalable_entries_are_decoded),
		cmocka_unit_test(reserved_bits_are_seen),
		cmocka_unit_test(the_high_half_is_for_scalable_mode_alone),
		cmocka_unit_test(arguments_and_addresses_are_checked),
		cmocka_unit_test(iteration_meets_every_present_entry),
		cmocka_unit_test(iteration_goes_on_behind_a_bad_table),
		cmocka_unit_test(a_directory_is_sized_by_its_context_entry),
		cmocka_unit_test(pasid_entries_are_decoded),
		cmocka_unit_test(pasid_arguments_and_addresses_are_checked),
		cmocka_unit_test(a_directory_does_not_wrap_around),
		cmocka_unit_test(pasids_of_a_long_directory_are_met),
		cmocka_unit_test(pasid_iteration_goes_on_behind_errors),
		cmocka_unit_test(domain_ids_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
