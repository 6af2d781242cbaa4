// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A source of physical memory for tests.
 */
#include "memory-source.h"

#include <stdlib.h>
#include <string.h>

struct page {
	u64 phys;
	u8 *bytes;
};

struct range {
	u64 phys;
	u64 length;
};

struct source {
	u32 page_shift;
	struct page *pages; /* ascending */
	size_t nr_pages;
	struct range *carried;
	size_t nr_carried;
	bool has_carried;
	void *held[IOMMUSER_MAP_HELD + 1];
	size_t next_held;
	enum source_status last;
	u64 bytes_read;
};

static void *checked(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

struct source *memory_source_new(u32 page_shift)
{
	struct source *source = checked(calloc(1, sizeof(*source)));

	source->page_shift = page_shift;
	return source;
}

void source_close(struct source *source)
{
	size_t i;

	for (i = 0; i < source->nr_pages; i++)
		free(source->pages[i].bytes);
	for (i = 0; i < sizeof(source->held) / sizeof(*source->held); i++)
		free(source->held[i]);
	free(source->pages);
	free(source->carried);
	free(source);
}

static u64 page_start(const struct source *source, u64 phys)
{
	return phys & ~((1ULL << source->page_shift) - 1);
}

/* Index of the page, or of the first one above. */
static size_t find(const struct source *source, u64 phys)
{
	size_t low = 0, high = source->nr_pages, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (source->pages[middle].phys < page_start(source, phys))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool present(const struct source *source, size_t at, u64 phys)
{
	return at < source->nr_pages && source->pages[at].phys == page_start(source, phys);
}

u8 *memory_page(struct source *source, u64 phys)
{
	size_t at = find(source, phys);

	if (!present(source, at, phys)) {
		source->pages = checked(
			realloc(source->pages, (source->nr_pages + 1) * sizeof(*source->pages)));
		memmove(&source->pages[at + 1], &source->pages[at],
			(source->nr_pages - at) * sizeof(*source->pages));
		source->nr_pages++;
		source->pages[at].phys = page_start(source, phys);
		source->pages[at].bytes = checked(calloc(1, 1ULL << source->page_shift));
	}
	return source->pages[at].bytes;
}

void memory_drop(struct source *source, u64 phys)
{
	size_t at = find(source, phys);

	if (!present(source, at, phys))
		return;
	free(source->pages[at].bytes);
	source->nr_pages--;
	memmove(&source->pages[at], &source->pages[at + 1],
		(source->nr_pages - at) * sizeof(*source->pages));
}

void memory_write(struct source *source, u64 phys, const void *bytes, size_t length)
{
	const u8 *from = bytes;
	u64 offset;

	for (; length; length--, phys++) {
		offset = phys - page_start(source, phys);
		memory_page(source, phys)[offset] = *from++;
	}
}

void memory_put64(struct source *source, u64 phys, u64 value)
{
	memory_write(source, phys, &value, sizeof(value));
}

void memory_put32(struct source *source, u64 phys, u32 value)
{
	memory_write(source, phys, &value, sizeof(value));
}

u64 memory_get64(struct source *source, u64 phys)
{
	u64 value = 0;

	if (source_read(source, phys, &value, sizeof(value)) != SOURCE_OK)
		abort();
	return value;
}

void memory_carry(struct source *source, u64 phys, u64 length)
{
	source->has_carried = true;
	if (!length)
		return;
	source->carried = checked(
		realloc(source->carried, (source->nr_carried + 1) * sizeof(*source->carried)));
	source->carried[source->nr_carried++] = (struct range){ phys, length };
}

u32 source_page_shift(const struct source *source)
{
	return source->page_shift;
}

enum source_status source_read(struct source *source, u64 phys, void *buffer, size_t length)
{
	u64 page_size = 1ULL << source->page_shift, offset, part;
	u8 *to = buffer;
	size_t at;

	for (; length; length -= part, phys += part, to += part) {
		at = find(source, phys);
		source->last = present(source, at, phys) ? SOURCE_OK : SOURCE_MISSING;
		if (source->last != SOURCE_OK)
			return source->last;
		offset = phys & (page_size - 1);
		part = page_size - offset < length ? page_size - offset : length;
		memcpy(to, source->pages[at].bytes + offset, part);
		source->bytes_read += part;
	}
	return SOURCE_OK;
}

const void *source_map(struct source *source, u64 phys, u64 length)
{
	void **held = &source->held[source->next_held];

	if (!length || page_start(source, phys) != page_start(source, phys + length - 1))
		abort();
	free(*held);
	*held = checked(malloc(length));
	if (source_read(source, phys, *held, length) != SOURCE_OK)
		return NULL;
	source->next_held =
		(source->next_held + 1) % (sizeof(source->held) / sizeof(*source->held));
	return *held;
}

bool source_next_range(struct source *source, u64 from, u64 *start, u64 *end)
{
	u64 page_size = 1ULL << source->page_shift;
	size_t at = find(source, from + page_size - 1);

	if (at == source->nr_pages)
		return false;
	*start = source->pages[at].phys;
	*end = *start;
	for (; at < source->nr_pages && source->pages[at].phys == *end; at++)
		*end += page_size;
	return true;
}

bool source_has_preserved(const struct source *source)
{
	return source->has_carried;
}

bool source_next_preserved(struct source *source, u64 *cursor, u64 *phys, u64 *length)
{
	if (*cursor >= source->nr_carried)
		return false;
	*phys = source->carried[*cursor].phys;
	*length = source->carried[*cursor].length;
	(*cursor)++;
	return true;
}

u64 source_bytes_read(const struct source *source)
{
	return source->bytes_read;
}
