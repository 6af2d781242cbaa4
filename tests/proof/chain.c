// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves of an iteration over a chain, for each page size and every image of up to
 * PAGES pages at any addresses, linked in any way, with any counts: it delivers the
 * pages of the chain in order, each with 1 to capacity records (or empty and alone,
 * where that is allowed), and no more of them than the shape allows; it ends with
 * success exactly at a zero link; it ends within three times the image's pages whatever
 * the shape allows; a cycle is reported as one; an error is one that fits, and is
 * repeated; map() is asked once a page at most. For every shape: see chain-shape.c.
 * Checks S1 S2 S3 S5 S6 S8.
 *
 * Sources: chain.c access.c finding.c
 * Unwind: 11 prefetch_page.0:17
 * Flags: --unsigned-overflow-check --conversion-check
 * Cases: PAGE_SHIFT=12 PAGE_SHIFT=14 PAGE_SHIFT=16
 */
#include <iommuser/chain.h>

#include "internal.h"
#include "proof.h"

#define PAGES 3
#define MOST_STEPS (3 * PAGES)
#define HEADER_SIZE 64
#define RECORD_SIZE 128

static struct iommuser_env env;
static struct {
	u64 phys;
	u64 next;
	u64 count;
	u64 *bytes;
} image[PAGES];
static u32 nr_calls;

static const void *map(void *ctx, u64 phys, u64 length)
{
	u64 size = env_page_size(&env);
	u32 i;

	prove(phys < 1ULL << 52 && phys % size == 0 && length == size,
	      "one whole page is asked for");
	++*(u32 *)ctx;
	for (i = 0; i < PAGES; i++)
		if (image[i].phys == phys)
			return image[i].bytes;
	return NULL;
}

static void make_image(void)
{
	u64 size;
	u32 i, j;

	env.ctx = &nr_calls;
	env.map = map;
	env.page_shift = PAGE_SHIFT;
	size = env_page_size(&env);
	for (i = 0; i < PAGES; i++) {
		image[i].phys = nondet_u64();
		image[i].next = nondet_u64();
		image[i].count = nondet_u64();
		assume(image[i].phys && image[i].phys < 1ULL << 52 && image[i].phys % size == 0);
		for (j = 0; j < i; j++)
			assume(image[i].phys != image[j].phys);
		image[i].bytes = malloc(size);
		image[i].bytes[0] = image[i].next;
		image[i].bytes[1] = image[i].count;
	}
}

/* What the image itself says, read without the library. */
static u32 find_page(u64 phys)
{
	u32 i;

	for (i = 0; i < PAGES; i++)
		if (image[i].phys == phys)
			break;
	return i;
}

static bool count_is_sound(const struct iommuser_chain_shape *shape, u32 page, u64 number)
{
	u64 count = image[page].count;

	if (!count)
		return shape->empty == IOMMUSER_EMPTY_ALONE && !number && !image[page].next;
	return count <= (env_page_size(&env) - shape->header_size) / shape->record_size;
}

static void check_page(const struct iommuser_chain *chain, const struct iommuser_chain_page *page,
		       u64 expected, u64 number)
{
	u32 i = find_page(expected);

	prove(page->phys == expected && i < PAGES, "pages come in the order of their links");
	prove(page->number == number && number < chain->shape.max_pages,
	      "numbered, and not too many");
	prove(page->bytes == (const u8 *)image[i].bytes, "the page's own bytes");
	prove(page->next == image[i].next && page->count == image[i].count, "as the page says");
	prove(count_is_sound(&chain->shape, i, number), "a sound count");
}

/* The iteration has ended before the page at @phys, @number pages from the start. */
static void check_end(const struct iommuser_chain *chain, int result, u64 phys, u64 number,
		      bool cyclic)
{
	u32 i = find_page(phys);
	u32 id = chain->problem.id;

	if (!result) {
		reach("the end of a chain");
		prove(!phys && !cyclic, "success only at a zero link");
		return;
	}
	prove(phys && one_of(result, IOMMUSER_ECORRUPT, IOMMUSER_EUNMAPPED), "documented result");
	prove((result == -IOMMUSER_EUNMAPPED) == (id == IOMMUSER_FINDING_CHAIN_UNREADABLE),
	      "unmapped is told from corrupt");
	switch (id) {
	case IOMMUSER_FINDING_CHAIN_UNREADABLE:
		reach("unreadable");
		prove(i == PAGES, "only what the image lacks is unreadable");
		break;
	case IOMMUSER_FINDING_CHAIN_UNALIGNED:
		reach("unaligned");
		prove(phys % env_page_size(&env) || phys >= 1ULL << 52,
		      "only impossible addresses");
		break;
	case IOMMUSER_FINDING_CHAIN_TOO_LONG:
		reach("too long");
		prove(number >= chain->shape.max_pages, "only what is too long");
		break;
	case IOMMUSER_FINDING_CHAIN_CYCLE:
		reach("a cycle");
		prove(cyclic, "only a cycle is a cycle");
		break;
	case IOMMUSER_FINDING_CHAIN_COUNT_TOO_LARGE:
		reach("a count too large");
		prove(i < PAGES && !count_is_sound(&chain->shape, i, number),
		      "only unsound counts");
		break;
	case IOMMUSER_FINDING_CHAIN_EMPTY_PAGE:
		reach("an empty page");
		prove(i < PAGES && !image[i].count && !count_is_sound(&chain->shape, i, number),
		      "only empty pages");
		break;
	default:
		prove(false, "a problem of a chain");
	}
}

/* Iterate to the end, at the latest the bound. */
static void iterate(struct iommuser_chain *chain, u64 first)
{
	bool seen[PAGES] = { false };
	struct iommuser_chain_page page;
	u64 number, expected = first;
	bool cyclic = false;
	int result;
	u32 i;

	for (number = 0; number <= MOST_STEPS; number++) {
		i = find_page(expected);
		cyclic = cyclic || (i < PAGES && seen[i]);
		result = iommuser_chain_next(chain, &page);
		if (result != 1)
			break;
		check_page(chain, &page, expected, number);
		seen[i] = true;
		expected = page.next;
	}
	prove(number <= MOST_STEPS, "it ends");
	prove(nr_calls <= number + 1, "one call of map() for a page");
	if (number == PAGES && !result)
		reach("every page of the image is in the chain");
	check_end(chain, result, expected, number, cyclic);
	prove(iommuser_chain_next(chain, &page) == result, "a second call ends alike");
	prove(nr_calls <= number + 1, "a second call asks for nothing");
}

int main(void)
{
	struct iommuser_chain_shape shape = {
		.header_size = HEADER_SIZE,
		.record_size = RECORD_SIZE,
		.max_pages = nondet_u64(),
		.empty = nondet_bool() ? IOMMUSER_EMPTY_ALONE : IOMMUSER_EMPTY_NEVER,
	};
	struct iommuser_chain chain;
	u64 first = nondet_u64();

	make_image();
	prove(!iommuser_chain_start(&chain, &env, &shape, first), "a possible shape");
	iterate(&chain, first);
	return 0;
}
