/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Wire layout of a KHO block: one page of a linked list of records.
 */
#ifndef KHO_ABI_BLOCK_H
#define KHO_ABI_BLOCK_H

#include <iommuser/types.h>

/* A list that is longer is refused. */
#define KHO_BLOCK_MAX_BLOCKS 10000

/**
 * struct kho_block_ser - start of a page of records
 * @next: physical address of the next block, 0 at the end
 * @count: records in this page, at least one
 *
 * Followed by @count records.
 */
struct kho_block_ser {
	u64 next;
	u64 count;
};

#define KHO_BLOCK_CAPACITY(page_shift, record_size) \
	(((1ULL << (page_shift)) - sizeof(struct kho_block_ser)) / (record_size))

#endif /* KHO_ABI_BLOCK_H */
