// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves of the loads, stores and comparisons that everything else is made of, in
 * objects of exactly the size that they may touch: all_zero() says true exactly for
 * zeros; store_le() writes the lowest bytes and no others; what the loads give is what
 * was stored. Checks S1 S17.
 *
 * Sources: access.c
 * Unwind: 12
 */
#include "internal.h"
#include "proof.h"

#define MOST 10

static void check_all_zero(void)
{
	u64 length = nondet_u64();
	bool expected = true;
	u8 *bytes;
	u64 i;

	assume(length <= MOST);
	bytes = malloc(length);
	for (i = 0; i < length; i++) {
		bytes[i] = nondet_u8();
		if (bytes[i])
			expected = false;
	}
	prove(all_zero(bytes, length) == expected, "true exactly for zeros");
	if (length == MOST && expected)
		reach("zeros to the end");
	if (length == MOST && !expected)
		reach("not zero");
}

static void check_store(void)
{
	u64 value = nondet_u64();
	u32 width = nondet_u32();
	u8 bytes[8 + 1];
	u8 before[8 + 1];
	u32 i;

	assume(width <= 8);
	for (i = 0; i < ARRAY_SIZE(bytes); i++)
		before[i] = bytes[i] = nondet_u8();
	store_le(bytes, value, width);
	for (i = 0; i < ARRAY_SIZE(bytes); i++)
		prove(bytes[i] == (i < width ? (u8)(value >> (8 * i)) : before[i]),
		      "the lowest bytes, in order, and no others");
	if (width == 2)
		prove(load_le16(bytes) == (u16)value, "16 bits come back");
	if (width == 4)
		prove(load_le32(bytes) == (u32)value, "32 bits come back");
	if (width == 8) {
		reach("8 bytes are stored");
		prove(load_le64(bytes) == value, "64 bits come back");
	}
}

int main(void)
{
	check_all_zero();
	check_store();
	return 0;
}
