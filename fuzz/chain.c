// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: chains of pages of records.
 * Checks S1 S2 S3 S4 S5 S6 S8.
 *
 * Input: page size u8, empty policy u8, header size u16, record size u16, most
 * pages u16, first page u32 (from MEMORY_BASE), memory.
 *
 * Properties: the iteration gives exactly the pages that a plain walk with a
 * set of visited pages gives, and ends well if and only if that does; a chain
 * with a cycle ends in an error after at most three times its distinct pages;
 * no page has more records than fit; after the end and after an error every
 * further call gives the same. A shape is refused if and only if it is impossible.
 */
#include "fuzz.h"

#include <string.h>

#include <iommuser/chain.h>

static u64 get(const struct memory *memory, u64 phys)
{
	u64 value;

	memcpy(&value, memory->bytes + (phys - MEMORY_BASE), sizeof(value));
	return value;
}

static bool page_there(const struct memory *memory, u64 phys)
{
	return phys >= MEMORY_BASE && phys - MEMORY_BASE < MEMORY_SIZE &&
	       !(phys & ((1ULL << memory->env.page_shift) - 1)) &&
	       memory->present[(phys - MEMORY_BASE) / FRAME_SIZE];
}

/* Distinct pages of the chain in @pages. Return: does it end well? */
static bool plain_walk(const struct memory *memory, const struct iommuser_chain_shape *shape,
		       u64 at, u64 *pages, u64 *nr_pages)
{
	u64 capacity = ((1ULL << memory->env.page_shift) - shape->header_size) / shape->record_size;
	bool met[MEMORY_FRAMES] = { false };
	u64 count, next;

	for (*nr_pages = 0; at; at = next) {
		if (*nr_pages >= shape->max_pages || !page_there(memory, at) ||
		    met[(at - MEMORY_BASE) / FRAME_SIZE])
			return false;
		next = get(memory, at);
		count = get(memory, at + 8);
		if (count > capacity)
			return false;
		if (!count && (shape->empty == IOMMUSER_EMPTY_NEVER || *nr_pages || next))
			return false;
		met[(at - MEMORY_BASE) / FRAME_SIZE] = true;
		pages[(*nr_pages)++] = at;
	}
	return true;
}

static void check_page(const struct memory *memory, const struct iommuser_chain *chain,
		       const struct iommuser_chain_page *page, u64 number)
{
	u64 size = 1ULL << memory->env.page_shift;
	u64 last;

	require(page->number == number, "%llu", (unsigned long long)page->number);
	require(page->count <= iommuser_chain_capacity(&memory->env, &chain->shape), "%llu",
		(unsigned long long)page->count);
	require(!memcmp(page->bytes, memory->bytes + (page->phys - MEMORY_BASE), size), "%#llx",
		(unsigned long long)page->phys);
	if (!page->count)
		return;
	last = iommuser_chain_record_phys(chain, page, page->count - 1);
	require(last >= page->phys + chain->shape.header_size &&
			last + chain->shape.record_size <= page->phys + size,
		"%#llx", (unsigned long long)last);
	require(!memcmp(iommuser_chain_record(chain, page, page->count - 1),
			memory->bytes + (last - MEMORY_BASE), chain->shape.record_size),
		"%#llx", (unsigned long long)last);
}

static bool possible(const struct memory *memory, const struct iommuser_chain_shape *shape)
{
	u64 size = 1ULL << memory->env.page_shift;

	return shape->header_size >= 16 && shape->record_size &&
	       (u64)shape->header_size + shape->record_size <= size;
}

static void compare(struct memory *memory, const struct iommuser_chain_shape *shape, u64 first)
{
	u64 pages[MEMORY_FRAMES];
	struct iommuser_chain_page page;
	struct iommuser_chain chain;
	u64 nr_pages, number = 0;
	bool sound;
	int result;

	result = iommuser_chain_start(&chain, &memory->env, shape, first);
	require(result == (possible(memory, shape) ? 0 : -IOMMUSER_EINVAL), "%d", result);
	if (result)
		return;
	sound = plain_walk(memory, shape, first, pages, &nr_pages);
	while ((result = iommuser_chain_next(&chain, &page)) == 1) {
		check_page(memory, &chain, &page, number);
		if (number < nr_pages)
			require(page.phys == pages[number], "%#llx", (unsigned long long)page.phys);
		else
			require(!sound, "page %llu", (unsigned long long)number);
		number++;
		require(number <= 3 * nr_pages && number <= shape->max_pages, "%llu of %llu",
			(unsigned long long)number, (unsigned long long)nr_pages);
	}
	require(sound == !result, "%d", result);
	require(number >= nr_pages, "%llu of %llu", (unsigned long long)number,
		(unsigned long long)nr_pages);
	require(memory->calls <= number + 1, "%llu", (unsigned long long)memory->calls);
	require(iommuser_chain_next(&chain, &page) == result, "%d", result);
	require(!result || result == -IOMMUSER_ECORRUPT || result == -IOMMUSER_EUNMAPPED, "%d",
		result);
	if (result)
		require((u32)chain.problem.id < IOMMUSER_NR_FINDINGS &&
				chain.problem.severity >= IOMMUSER_INCOMPLETE,
			"%u", (u32)chain.problem.id);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	struct memory *memory = memory_begin((u32)input_take(&input, 1));
	struct iommuser_chain_shape shape = { 0 };
	u64 first;

	shape.empty = input_take(&input, 1) & 1 ? IOMMUSER_EMPTY_ALONE : IOMMUSER_EMPTY_NEVER;
	shape.header_size = (u32)input_take(&input, 2);
	shape.record_size = (u32)input_take(&input, 2);
	shape.max_pages = input_take(&input, 2);
	first = input_take(&input, 4);
	if (first)
		first += MEMORY_BASE;
	memory_write(memory, &input);
	compare(memory, &shape, first);
	memory_end(memory);
	return 0;
}
