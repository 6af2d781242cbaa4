// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the bounded accessor and the little-endian helpers.
 */
#include "image.h"

#include "internal.h"

static void reads_what_is_there(void **state)
{
	static const u32 shifts[] = { 12, 14, 16 };
	const void *pointer;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		struct image *image = image_new(shifts[i]);
		u64 phys = image_alloc(image);
		u64 size = image_page_size(image);

		image_put(image, phys + size - 8, 8, 0x1122334455667788ULL);
		assert_int_equal(iommuser_access(&image->env, phys, size, size, &pointer), 0);
		assert_int_equal(load_le64((const u8 *)pointer + size - 8), 0x1122334455667788ULL);
		assert_int_equal(iommuser_access(&image->env, phys + size - 1, 1, 1, &pointer), 0);
		assert_int_equal(*(const u8 *)pointer, 0x11);
		image_free(image);
	}
}

static void nothing_crosses_a_page(void **state)
{
	static const u32 shifts[] = { 12, 14, 16 };
	const void *pointer;
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		struct image *image = image_new(shifts[i]);
		u64 phys = image_alloc(image);
		u64 size = image_page_size(image);

		image_alloc(image);
		assert_int_equal(iommuser_access(&image->env, phys + 1, size, 1, &pointer),
				 -IOMMUSER_ECORRUPT);
		assert_int_equal(iommuser_access(&image->env, phys + size - 1, 2, 1, &pointer),
				 -IOMMUSER_ECORRUPT);
		assert_int_equal(iommuser_access(&image->env, phys, ~0ULL, 1, &pointer),
				 -IOMMUSER_ECORRUPT);
		assert_int_equal(iommuser_access(&image->env, phys + 8, ~0ULL - 7, 1, &pointer),
				 -IOMMUSER_ECORRUPT);
		assert_int_equal(image->calls, 0);
		image_free(image);
	}
}

static void impossible_addresses_are_not_asked_for(void **state)
{
	struct image *image = image_new(12);
	u64 phys = image_alloc(image);
	const void *pointer;

	(void)state;
	assert_int_equal(iommuser_access(&image->env, phys + 4, 8, 8, &pointer),
			 -IOMMUSER_ECORRUPT);
	assert_int_equal(iommuser_access(&image->env, 1ULL << 52, 8, 8, &pointer),
			 -IOMMUSER_ECORRUPT);
	assert_int_equal(iommuser_access(&image->env, ~0ULL, 1, 1, &pointer), -IOMMUSER_ECORRUPT);
	assert_int_equal(iommuser_access(&image->env, ~0ULL - 4095, 4096, 4096, &pointer),
			 -IOMMUSER_ECORRUPT);
	assert_int_equal(image->calls, 0);
	assert_int_equal(iommuser_access(&image->env, (1ULL << 52) - 4096, 4096, 4096, &pointer),
			 -IOMMUSER_EUNMAPPED);
	image_page(image, (1ULL << 52) - 4096);
	assert_int_equal(iommuser_access(&image->env, (1ULL << 52) - 4096, 4096, 4096, &pointer),
			 0);
	assert_int_equal(image->calls, 2);
	image_free(image);
}

static void zero_is_found_at_every_length(void **state)
{
	u8 bytes[40];
	u32 offset, length, at;

	(void)state;
	for (offset = 0; offset < 8; offset++) {
		for (length = 0; length < 32; length++) {
			memset(bytes, 0xff, sizeof(bytes));
			memset(bytes + offset, 0, length);
			assert_true(all_zero(bytes + offset, length));
			for (at = 0; at < length; at++) {
				bytes[offset + at] = 0x80;
				assert_false(all_zero(bytes + offset, length));
				bytes[offset + at] = 0;
			}
		}
	}
}

static void numbers_are_little_endian(void **state)
{
	static const u8 bytes[] = { 0xff, 0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8 };
	u8 stored[10];

	(void)state;
	assert_int_equal(load_le16(bytes + 1), 0x9281);
	assert_int_equal(load_le32(bytes + 1), 0xb4a39281);
	assert_int_equal(load_le64(bytes + 1), 0xf8e7d6c5b4a39281ULL);
	memset(stored, 0xee, sizeof(stored));
	store_le(stored + 1, 0xf8e7d6c5b4a39281ULL, 8);
	assert_memory_equal(stored + 1, bytes + 1, 8);
	assert_int_equal(stored[0], 0xee);
	assert_int_equal(stored[9], 0xee);
	store_le(stored, 0x123456789aULL, 2);
	assert_int_equal(stored[0], 0x9a);
	assert_int_equal(stored[1], 0x78);
	assert_int_equal(stored[2], 0x92);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_is_there),
		cmocka_unit_test(nothing_crosses_a_page),
		cmocka_unit_test(impossible_addresses_are_not_asked_for),
		cmocka_unit_test(zero_is_found_at_every_length),
		cmocka_unit_test(numbers_are_little_endian),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
