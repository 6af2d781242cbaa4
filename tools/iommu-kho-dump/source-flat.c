// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Raw memory: byte 0 of the file is a physical address that the user states.
 */
#include "source-private.h"

static int flat_open(struct source *source, const struct source_options *options)
{
	u64 base = options->flat_base;
	size_t allocated = 0;

	if (base % PAGE_CACHE_UNIT)
		return source_refuse(source,
				     "the base 0x%llx of raw memory is not a multiple of 4096",
				     (unsigned long long)base);
	if (base >= SOURCE_PHYS_END || source->file_size > SOURCE_PHYS_END - base)
		return source_refuse(source,
				     "raw memory of %llu bytes at 0x%llx does not fit below 2^%u",
				     (unsigned long long)source->file_size,
				     (unsigned long long)base, IOMMUSER_PHYS_BITS);
	if (source_add_range(source, &allocated, base, base + source->file_size, 0))
		return -1;
	if (!source->page_shift)
		source->page_shift = IOMMUSER_MIN_PAGE_SHIFT;
	return 0;
}

const struct source_ops source_flat_ops = {
	.open = flat_open,
	.read = source_read_ranges,
};
