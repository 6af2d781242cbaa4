// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves for each page size: exactly impossible shapes of a chain are refused, out of
 * all; with the shapes of every revision and of LUO's lists, and with the smallest and the
 * largest record, each record of a page that is delivered lies within the page,
 * behind its header. Checks S1 S2 S6.
 *
 * Sources: chain.c access.c finding.c revisions.c
 * Unwind: 9 prefetch_page.0:17
 * Flags: --unsigned-overflow-check --conversion-check
 * Cases: PAGE_SHIFT=12 PAGE_SHIFT=14 PAGE_SHIFT=16
 */
#include <iommuser/chain.h>
#include <iommuser/records.h>
#include <kho/abi/block.h>
#include <kho/abi/luo.h>

#include "internal.h"
#include "proof.h"

#define PAGE_SIZE (1U << PAGE_SHIFT)
#define NR_REVISIONS 5

static u64 image[PAGE_SIZE / 8];
static u64 phys;

static const void *map(void *ctx, u64 at, u64 length)
{
	(void)ctx;
	prove(at == phys && length == PAGE_SIZE && at % PAGE_SIZE == 0,
	      "one whole page is asked for");
	return image;
}

static void check_record(const struct iommuser_chain *chain, const struct iommuser_chain_page *page,
			 u64 i)
{
	const u8 *record = iommuser_chain_record(chain, page, i);
	u64 offset = (u64)(record - page->bytes);

	if (i)
		reach("a record that is not the first");
	prove(offset >= chain->shape.header_size && offset + chain->shape.record_size <= PAGE_SIZE,
	      "each record is within the page");
	prove(iommuser_chain_record_phys(chain, page, i) == phys + offset,
	      "a record's address is that of its bytes");
}

static void check_refusal(void)
{
	const struct iommuser_env env = { .page_shift = PAGE_SHIFT, .map = map };
	struct iommuser_chain_shape shape = {
		.header_size = nondet_u32(),
		.record_size = nondet_u32(),
		.max_pages = nondet_u64(),
	};
	bool possible = shape.header_size >= 16 && shape.record_size &&
			(u64)shape.header_size + shape.record_size <= PAGE_SIZE;
	struct iommuser_chain chain;
	int result = iommuser_chain_start(&chain, &env, &shape, phys);

	prove(result == (possible ? 0 : -IOMMUSER_EINVAL), "exactly impossible shapes are refused");
	if (result)
		reach("an impossible shape");
}

static void check_shape(u32 header_size, u32 record_size)
{
	const struct iommuser_env env = { .page_shift = PAGE_SHIFT, .map = map };
	const struct iommuser_chain_shape shape = {
		.header_size = header_size,
		.record_size = record_size,
		.max_pages = 1,
		.empty = nondet_bool() ? IOMMUSER_EMPTY_ALONE : IOMMUSER_EMPTY_NEVER,
	};
	struct iommuser_chain_page page;
	struct iommuser_chain chain;
	u64 i = nondet_u64();

	prove(!iommuser_chain_start(&chain, &env, &shape, phys), "a possible shape");
	if (iommuser_chain_next(&chain, &page) == 1 && i < page.count)
		check_record(&chain, &page, i);
}

int main(void)
{
	u32 i, kind;

	phys = nondet_u64();
	image[0] = nondet_u64();
	image[1] = nondet_u64();
	check_refusal();
	for (i = 0; i < NR_REVISIONS; i++) {
		const struct iommuser_revision *revision = iommuser_revision_at(i);

		for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
			if (revision->kinds[kind].size)
				check_shape(revision->page_header_size, revision->kinds[kind].size);
	}
	prove(!iommuser_revision_at(NR_REVISIONS), "there are no more revisions");
	check_shape(sizeof(struct kho_block_ser), sizeof(struct luo_session_ser));
	check_shape(sizeof(struct kho_block_ser), sizeof(struct luo_file_ser));
	check_shape(16, 1);
	check_shape(16, PAGE_SIZE - 16);
	return 0;
}
