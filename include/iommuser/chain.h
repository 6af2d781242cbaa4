/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Chains of pages of fixed-size records: the arrays of every IOMMU revision,
 * and the kho_block chains that Linux keeps LUO sessions and files in.
 */
#ifndef IOMMUSER_CHAIN_H
#define IOMMUSER_CHAIN_H

#include <iommuser/env.h>
#include <iommuser/finding.h>

/* More pages than any chain may have. */
#define IOMMUSER_MAX_CHAIN_PAGES (1ULL << 20)

/**
 * enum iommuser_empty_policy - where a page without records is allowed
 * @IOMMUSER_EMPTY_NEVER: nowhere, as in kho_block chains and "iommuser-v1"
 * @IOMMUSER_EMPTY_ALONE: as the only page of its chain, as in the series
 */
enum iommuser_empty_policy {
	IOMMUSER_EMPTY_NEVER,
	IOMMUSER_EMPTY_ALONE,
};

/**
 * struct iommuser_chain_shape - the form of a chain
 * @header_size: bytes before the first record, at least 16: a page starts
 *	with next u64, count u64
 * @record_size: bytes per record, at least 1
 * @max_pages: a chain with more pages is corrupt
 * @empty: where a page without records is allowed
 */
struct iommuser_chain_shape {
	u32 header_size;
	u32 record_size;
	u64 max_pages;
	enum iommuser_empty_policy empty;
};

/**
 * struct iommuser_chain_page - one page of a chain
 * @phys: its physical address
 * @number: its position in the chain, from 0
 * @count: records in it
 * @next: address of the next page, not checked yet
 * @bytes: the whole page; valid as long as pointers from the environment are
 */
struct iommuser_chain_page {
	u64 phys;
	u64 number;
	u64 count;
	u64 next;
	const u8 *bytes;
};

/**
 * struct iommuser_chain - an iteration; private but for @problem
 * @env: where pages come from
 * @shape: the form of the chain
 * @next: address of the page to visit next
 * @nr_pages: pages visited
 * @saved: a page visited before, compared with all that follow
 * @until: page count at which @saved moves on
 * @problem: why the iteration failed: id, phys, found and expected
 */
struct iommuser_chain {
	const struct iommuser_env *env;
	struct iommuser_chain_shape shape;
	u64 next;
	u64 nr_pages;
	u64 saved;
	u64 until;
	struct iommuser_finding problem;
};

/**
 * iommuser_chain_capacity - records that fit in one page
 * @env: of the image
 * @shape: of the chain
 */
u64 iommuser_chain_capacity(const struct iommuser_env *env,
			    const struct iommuser_chain_shape *shape);

/**
 * iommuser_chain_start - begin to iterate
 * @chain: to initialise; nothing is allocated, so there is nothing to end
 * @env: where pages come from
 * @shape: copied
 * @first: address of the first page, 0 for an empty chain
 *
 * Return: 0; -IOMMUSER_EINVAL when the shape is impossible.
 */
int iommuser_chain_start(struct iommuser_chain *chain, const struct iommuser_env *env,
			 const struct iommuser_chain_shape *shape, u64 first);

/**
 * iommuser_chain_next - the next page
 * @chain: started
 * @page: filled when the result is 1
 *
 * Takes constant memory and time. A cycle is found at the latest when the
 * iteration has gone three times round it; what was iterated of a chain that
 * ends in an error is not to be trusted.
 *
 * Return: 1 and a page; 0 at the end; -IOMMUSER_ECORRUPT or -IOMMUSER_EUNMAPPED
 * with the reason in @chain->problem. After an error every call fails alike.
 */
int iommuser_chain_next(struct iommuser_chain *chain, struct iommuser_chain_page *page);

/**
 * iommuser_chain_record - the bytes of a record
 * @chain: started
 * @page: from iommuser_chain_next()
 * @i: below @page->count
 */
static inline const void *iommuser_chain_record(const struct iommuser_chain *chain,
						const struct iommuser_chain_page *page, u64 i)
{
	return page->bytes + chain->shape.header_size + i * chain->shape.record_size;
}

/**
 * iommuser_chain_record_phys - the physical address of a record
 * @chain: started
 * @page: from iommuser_chain_next()
 * @i: below @page->count
 */
static inline u64 iommuser_chain_record_phys(const struct iommuser_chain *chain,
					     const struct iommuser_chain_page *page, u64 i)
{
	return page->phys + chain->shape.header_size + i * chain->shape.record_size;
}

#endif /* IOMMUSER_CHAIN_H */
