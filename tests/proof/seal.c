// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves of seals, for each page size and every place of the crc field: the sum is
 * taken over every byte of the page once, in order, with the field as four zero bytes,
 * and over nothing else. Of a page of 64 bytes, which stands for the larger ones: sealing
 * changes the four bytes of the field alone, and the seal that is read is what was
 * written. What a sum finds is the host's crc32() to say. Checks S1 S9.
 *
 * Sources: seal.c access.c
 * Unwind: 5
 * Cases: PAGE_SHIFT=6 PAGE_SHIFT=12 PAGE_SHIFT=14 PAGE_SHIFT=16
 */
#include <iommuser/seal.h>

#include "internal.h"
#include "proof.h"

#define PAGE_SIZE (1U << PAGE_SHIFT)
#define CRC_SIZE 4

static u8 page[PAGE_SIZE];
static u32 crc_offset;
/* How far the sum has come, and what it is. */
static u64 covered;
static u32 sum;

static u32 crc32(void *ctx, u32 crc, const void *data, u64 length)
{
	const u8 *bytes = data;

	(void)ctx;
	prove(crc == sum, "each part goes on from the last");
	prove(length <= PAGE_SIZE - covered, "no more than a page");
	if (covered == crc_offset && length == CRC_SIZE) {
		prove(__CPROVER_POINTER_OBJECT(bytes) != __CPROVER_POINTER_OBJECT(page),
		      "not the field itself");
#if PAGE_SHIFT == 6
		prove(!load_le32(bytes), "the field counts as zero");
#endif
		reach("the field");
	} else {
		prove(bytes == page + covered, "the page's own bytes, in order");
		prove(covered + length <= crc_offset || covered >= crc_offset + CRC_SIZE,
		      "the field itself is left out");
	}
	covered += length;
	sum = nondet_u32();
	return sum;
}

#if PAGE_SHIFT == 6
static void check_write(const struct iommuser_env *env)
{
	u32 any = nondet_u32();
	u8 before;

	assume(any < PAGE_SIZE && any - crc_offset >= CRC_SIZE);
	before = page[any] = nondet_u8();
	covered = 0;
	sum = 0;
	iommuser_seal_write(env, page, crc_offset);
	prove(covered == PAGE_SIZE && iommuser_seal_read(page, crc_offset) == sum,
	      "the seal is the sum");
	prove(page[any] == before, "nothing but the field is written");
	reach("a page was sealed");
}
#endif

int main(void)
{
	const struct iommuser_env env = { .page_shift = PAGE_SHIFT, .crc32 = crc32 };

	crc_offset = nondet_u32();
	assume(crc_offset % 4 == 0 && crc_offset <= PAGE_SIZE - CRC_SIZE);
	prove(iommuser_seal_compute(&env, page, crc_offset) == sum && covered == PAGE_SIZE,
	      "the whole page, once");
#if PAGE_SHIFT == 6
	check_write(&env);
#endif
	return 0;
}
