// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Chains of pages of records: bounded iteration with cycle detection.
 */
#include <iommuser/chain.h>

#include "internal.h"

#define MIN_HEADER_SIZE 16
#define NEXT_OFFSET 0
#define COUNT_OFFSET 8

u64 iommuser_chain_capacity(const struct iommuser_env *env,
			    const struct iommuser_chain_shape *shape)
{
	return (env_page_size(env) - shape->header_size) / shape->record_size;
}

int iommuser_chain_start(struct iommuser_chain *chain, const struct iommuser_env *env,
			 const struct iommuser_chain_shape *shape, u64 first)
{
	if (!valid_page_shift(env->page_shift))
		return -IOMMUSER_EINVAL;
	if (shape->header_size < MIN_HEADER_SIZE || shape->header_size >= env_page_size(env))
		return -IOMMUSER_EINVAL;
	if (!shape->record_size || shape->record_size > env_page_size(env) - shape->header_size)
		return -IOMMUSER_EINVAL;

	memset(chain, 0, sizeof(*chain));
	chain->env = env;
	chain->shape = *shape;
	chain->next = first;
	chain->until = 1;
	return 0;
}

/* Remember the failure, so that later calls repeat it. */
static OWN_FRAME int fail(struct iommuser_chain *chain, int error, enum iommuser_finding_id id,
			  u64 phys, u64 found, u64 expected)
{
	chain->problem.id = id;
	chain->problem.severity = iommuser_finding_severity(id);
	chain->problem.phys = phys;
	chain->problem.found = found;
	chain->problem.expected = expected;
	chain->until = 0;
	return error;
}

/* Brent's method: compare with a saved page that moves on at powers of two. */
static bool seen_before(struct iommuser_chain *chain, u64 phys)
{
	if (chain->nr_pages && phys == chain->saved)
		return true;
	if (chain->nr_pages + 1 == chain->until) {
		chain->saved = phys;
		chain->until *= 2;
	}
	return false;
}

static int check_count(struct iommuser_chain *chain, const struct iommuser_chain_page *page)
{
	u64 capacity = iommuser_chain_capacity(chain->env, &chain->shape);

	if (page->count > capacity)
		return fail(chain, -IOMMUSER_ECORRUPT, IOMMUSER_FINDING_CHAIN_COUNT_TOO_LARGE,
			    page->phys, page->count, capacity);
	if (page->count)
		return 0;
	if (chain->shape.empty == IOMMUSER_EMPTY_ALONE && !page->number && !page->next)
		return 0;
	return fail(chain, -IOMMUSER_ECORRUPT, IOMMUSER_FINDING_CHAIN_EMPTY_PAGE, page->phys, 0, 1);
}

int iommuser_chain_next(struct iommuser_chain *chain, struct iommuser_chain_page *page)
{
	u64 size = env_page_size(chain->env);
	u64 phys = chain->next;
	const void *bytes;
	int error;

	if (!chain->until)
		return chain->problem.id == IOMMUSER_FINDING_CHAIN_UNREADABLE ?
			       -IOMMUSER_EUNMAPPED :
			       -IOMMUSER_ECORRUPT;
	if (!phys)
		return 0;
	if (chain->nr_pages >= chain->shape.max_pages)
		return fail(chain, -IOMMUSER_ECORRUPT, IOMMUSER_FINDING_CHAIN_TOO_LONG, phys,
			    chain->nr_pages + 1, chain->shape.max_pages);
	if (seen_before(chain, phys))
		return fail(chain, -IOMMUSER_ECORRUPT, IOMMUSER_FINDING_CHAIN_CYCLE, phys, phys, 0);
	error = iommuser_access(chain->env, phys, size, size, &bytes);
	if (error == -IOMMUSER_ECORRUPT)
		return fail(chain, error, IOMMUSER_FINDING_CHAIN_UNALIGNED, phys, phys, size);
	if (error)
		return fail(chain, error, IOMMUSER_FINDING_CHAIN_UNREADABLE, phys, phys, 0);

	prefetch_page(bytes);
	page->phys = phys;
	page->number = chain->nr_pages;
	page->bytes = bytes;
	page->next = load_le64(page->bytes + NEXT_OFFSET);
	page->count = load_le64(page->bytes + COUNT_OFFSET);
	error = check_count(chain, page);
	if (error)
		return error;
	chain->nr_pages++;
	chain->next = page->next;
	return 1;
}
