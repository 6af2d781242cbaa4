/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A source of physical memory that is an array of pages in the test, in place
 * of source.c. A pointer from source_map() is freed as soon as the contract
 * allows, so that a sanitizer sees who keeps one for too long.
 */
#ifndef MEMORY_SOURCE_H
#define MEMORY_SOURCE_H

#include "source.h"

struct source *memory_source_new(u32 page_shift);

/** memory_page - the page at an address, zeroed and in the image from now on */
u8 *memory_page(struct source *source, u64 phys);
/** memory_drop - take a page out of the image */
void memory_drop(struct source *source, u64 phys);
void memory_write(struct source *source, u64 phys, const void *bytes, size_t length);
void memory_put64(struct source *source, u64 phys, u64 value);
void memory_put32(struct source *source, u64 phys, u32 value);
u64 memory_get64(struct source *source, u64 phys);
/** memory_carry - a range of the preserved set that the image itself carries; length 0: an empty set */
void memory_carry(struct source *source, u64 phys, u64 length);

#endif /* MEMORY_SOURCE_H */
