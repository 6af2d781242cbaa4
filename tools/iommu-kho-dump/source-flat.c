// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Raw memory: byte 0 of the file is a physical address that the user states.
 */
#include <sys/mman.h>

#include "source-private.h"

static int flat_open(struct source *source, const struct source_options *options)
{
	u64 base = options->flat_base;
	size_t allocated = 0;
	void *mapping;

	if (base % PAGE_CACHE_UNIT)
		return source_refuse(source, "the base 0x%llx of raw memory is not a multiple of 4096",
				     (unsigned long long)base);
	if (base >= SOURCE_PHYS_END || source->file_size > SOURCE_PHYS_END - base)
		return source_refuse(source, "raw memory of %llu bytes at 0x%llx does not fit below 2^%u",
				     (unsigned long long)source->file_size, (unsigned long long)base,
				     IOMMUSER_PHYS_BITS);
	if (source_add_range(source, &allocated, base, base + source->file_size, 0))
		return -1;
	if (!source->page_shift)
		source->page_shift = IOMMUSER_MIN_PAGE_SHIFT;
	if (source->file_size <= SIZE_MAX) {
		mapping = mmap(NULL, (size_t)source->file_size, PROT_READ, MAP_SHARED, source->fd, 0);
		if (mapping != MAP_FAILED)
			source->mapping = mapping;
	}
	return 0;
}

static void flat_close(struct source *source)
{
	union {
		const u8 *in;
		void *out;
	} mapping = {.in = source->mapping};

	if (mapping.out)
		munmap(mapping.out, (size_t)source->file_size);
	source->mapping = NULL;
}

const struct source_ops source_flat_ops = {
	.open = flat_open,
	.read = source_read_ranges,
	.close = flat_close,
};
