// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reading LUO's containers: every address is checked here before it is read.
 *
 * Linux 7.3 checks a list of blocks for cycles, for a count of 0 or above the
 * capacity, and for more than 10000 blocks; for the list of sessions each of
 * these ends in a panic of the next kernel (K13, K14). A flat array's count
 * was not checked at all.
 */
#include "luo-reader.h"

#include <stdlib.h>

#include <iommuser/error.h>
#include <kho/abi/block.h>

#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)

bool luo_address_possible(u64 phys, u64 length, u64 align)
{
	return phys && !(phys & (align - 1)) && phys < PHYS_END && length <= PHYS_END - phys;
}

void luo_claim(struct luo_reader *reader, u64 phys, u64 length)
{
	u64 missing = phys;

	if (kho_pages_preserved(reader->pages, phys, length, &missing) == KHO_NO)
		luo_note(reader, IOMMUSER_FINDING_CLOSURE_LUO, missing, phys, length);
	kho_pages_visit(reader->pages, phys, length);
}

bool luo_read(struct luo_reader *reader, u64 phys, void *buffer, size_t length)
{
	if (source_read(reader->source, phys, buffer, length) == SOURCE_OK)
		return true;
	luo_note(reader, IOMMUSER_FINDING_LUO_UNREADABLE, phys, length, 0);
	return false;
}

static int each_record(const struct luo_sequence *sequence, u64 phys, const u8 *records, u64 nr,
		       int (*each)(void *ctx, u64 phys, const void *record), void *ctx)
{
	u64 i, offset;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++) {
		offset = i * sequence->record_size;
		ret = each(ctx, phys + offset, records + offset);
	}
	return ret;
}

/* 1: read the block; 0: the list ends here */
static int check_block(struct luo_reader *reader, struct luo_sequence *sequence, u64 slot, u64 phys,
		       u64 nr_blocks)
{
	int ret;

	if (!phys)
		return 0;
	sequence->complete = false;
	if (!luo_address_possible(phys, luo_page_size(reader), luo_page_size(reader))) {
		luo_note(reader, IOMMUSER_FINDING_LUO_BLOCK_ADDRESS, slot, phys,
			 luo_page_size(reader));
		return 0;
	}
	if (nr_blocks >= KHO_BLOCK_MAX_BLOCKS) {
		luo_note(reader, IOMMUSER_FINDING_LUO_TOO_MANY_BLOCKS, slot, nr_blocks + 1,
			 KHO_BLOCK_MAX_BLOCKS);
		return 0;
	}
	ret = address_set_add(&reader->seen, phys);
	if (ret == -IOMMUSER_ENOMEM)
		return ret;
	if (ret == 1)
		luo_note(reader, IOMMUSER_FINDING_LUO_CHAIN_CYCLE, slot, phys, 0);
	else if (ret)
		luo_note(reader, IOMMUSER_FINDING_LUO_TOO_LARGE, slot, reader->seen.nr,
			 reader->seen.max);
	if (ret)
		return 0;
	luo_claim(reader, phys, luo_page_size(reader));
	return 1;
}

static u64 usable_count(struct luo_reader *reader, struct luo_sequence *sequence, u64 phys,
			u64 count)
{
	u64 capacity = KHO_BLOCK_CAPACITY(reader->page_shift, sequence->record_size);

	if (!count) {
		luo_note(reader, IOMMUSER_FINDING_LUO_BLOCK_EMPTY, phys, 0, 1);
		return 0;
	}
	if (count > capacity) {
		luo_note(reader, IOMMUSER_FINDING_LUO_BLOCK_COUNT, phys, count, capacity);
		return 0;
	}
	return count;
}

static int read_blocks(struct luo_reader *reader, struct luo_sequence *sequence, u8 *page,
		       int (*each)(void *ctx, u64 phys, const void *record), void *ctx)
{
	const struct kho_block_ser *block = (const struct kho_block_ser *)page;
	u64 phys, slot = sequence->slot, nr_blocks, count;
	bool sound = true;
	int ret;

	for (phys = sequence->phys, nr_blocks = 0;; slot = phys, phys = block->next, nr_blocks++) {
		ret = check_block(reader, sequence, slot, phys, nr_blocks);
		if (ret < 0 || (!ret && !sequence->complete))
			return ret;
		if (!ret)
			break;
		if (!luo_read(reader, phys, page, luo_page_size(reader)))
			return 0;
		count = usable_count(reader, sequence, phys, block->count);
		/* An empty block is an error of its own, but it hides no record. */
		sound = sound && (count || !block->count);
		sequence->complete = true;
		sequence->nr_found += count;
		ret = each_record(sequence, phys + sizeof(*block), page + sizeof(*block), count,
				  each, ctx);
		if (ret)
			return ret;
	}
	sequence->complete = sound;
	return 0;
}

static int read_array(struct luo_reader *reader, struct luo_sequence *sequence, u8 *record,
		      int (*each)(void *ctx, u64 phys, const void *record), void *ctx)
{
	u64 i, phys;
	int ret;

	sequence->complete = true;
	for (i = 0; i < sequence->count; i++) {
		phys = sequence->phys + i * sequence->record_size;
		if (!luo_read(reader, phys, record, sequence->record_size)) {
			sequence->complete = false;
			return 0;
		}
		sequence->nr_found++;
		ret = each(ctx, phys, record);
		if (ret)
			return ret;
	}
	return 0;
}

/* 1: read the array; 0: it can't be what it claims to be */
static int check_array(struct luo_reader *reader, const struct luo_sequence *sequence)
{
	u64 length = sequence->capacity * sequence->record_size;
	int ret;

	if (!luo_address_possible(sequence->phys, length, sizeof(u64))) {
		luo_note(reader, IOMMUSER_FINDING_LUO_BLOCK_ADDRESS, sequence->slot, sequence->phys,
			 sizeof(u64));
		return 0;
	}
	ret = address_set_add(&reader->seen, sequence->phys & ~(luo_page_size(reader) - 1));
	if (ret == -IOMMUSER_ENOMEM)
		return ret;
	if (ret) {
		luo_note(reader, IOMMUSER_FINDING_LUO_CHAIN_CYCLE, sequence->slot, sequence->phys,
			 0);
		return 0;
	}
	luo_claim(reader, sequence->phys, length);
	if (sequence->count > sequence->capacity) {
		luo_note(reader, IOMMUSER_FINDING_LUO_BLOCK_COUNT, sequence->phys, sequence->count,
			 sequence->capacity);
		return 0;
	}
	return 1;
}

int luo_read_sequence(struct luo_reader *reader, struct luo_sequence *sequence,
		      int (*each)(void *ctx, u64 phys, const void *record), void *ctx)
{
	u8 *buffer;
	int ret = 1;

	sequence->nr_found = 0;
	sequence->complete = !sequence->phys;
	if (!sequence->phys)
		return 0;
	if (!sequence->in_blocks)
		ret = check_array(reader, sequence);
	if (ret <= 0)
		return ret;
	buffer = malloc(luo_page_size(reader));
	if (!buffer)
		return -IOMMUSER_ENOMEM;
	if (sequence->in_blocks)
		ret = read_blocks(reader, sequence, buffer, each, ctx);
	else
		ret = read_array(reader, sequence, buffer, each, ctx);
	free(buffer);
	return ret;
}
