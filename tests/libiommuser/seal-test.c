// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the seals, against zlib's CRC-32 of the whole page.
 */
#include "image.h"

#include <string.h>
#include <zlib.h>

#include <iommuser/seal.h>

/* The definition, as docs/format.md has it. */
static u32 naive_seal(const u8 *page, u64 size, u32 offset)
{
	static u8 copy[65536];

	assert_true(size <= sizeof(copy));
	memcpy(copy, page, size);
	memset(copy + offset, 0, 4);
	return (u32)crc32(0, copy, (uInt)size);
}

static void seals_are_the_crc_of_the_page(void **state)
{
	static const u32 shifts[] = { 12, 14, 16 };
	u64 random = 1;
	u32 i, round;
	u64 at;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		struct image *image = image_new(shifts[i]);
		u64 size = image_page_size(image);
		u8 *page = image_page(image, image_alloc(image));

		for (round = 0; round < 20; round++) {
			const u32 offsets[] = { 0, 16, 48,
						(u32)(random_next(&random) % (size / 4)) * 4,
						(u32)size - 4 };
			u32 offset = offsets[round % ARRAY_SIZE(offsets)];
			u32 expected;

			for (at = 0; at < size; at++)
				page[at] = (u8)random_next(&random);
			expected = naive_seal(page, size, offset);
			assert_int_equal(iommuser_seal_compute(&image->env, page, offset),
					 expected);
			iommuser_seal_write(&image->env, page, offset);
			assert_int_equal(iommuser_seal_read(page, offset), expected);
			assert_int_equal(iommuser_seal_compute(&image->env, page, offset),
					 expected);
		}
		image_free(image);
	}
}

static void every_other_byte_matters(void **state)
{
	struct image *image = image_new(12);
	u8 *page = image_page(image, image_alloc(image));
	u32 at, seal;

	(void)state;
	iommuser_seal_write(&image->env, page, 48);
	seal = iommuser_seal_read(page, 48);
	for (at = 0; at < 4096; at++) {
		page[at] ^= 1;
		if (at < 48 || at >= 52)
			assert_int_not_equal(iommuser_seal_compute(&image->env, page, 48), seal);
		else
			assert_int_equal(iommuser_seal_compute(&image->env, page, 48), seal);
		page[at] ^= 1;
	}
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seals_are_the_crc_of_the_page),
		cmocka_unit_test(every_other_byte_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
