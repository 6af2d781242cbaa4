/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The library's only door to the outside: callbacks that the kernel, the
 * tools, the fuzzers and the tests each implement in their own way.
 */
#ifndef IOMMUSER_ENV_H
#define IOMMUSER_ENV_H

#include <iommuser/types.h>

/*
 * A pointer from map() stays valid for at least this many further calls of
 * map(), so an environment may serve it from a cache.
 */
#define IOMMUSER_MAP_HELD 16

#define IOMMUSER_MIN_PAGE_SHIFT 12
#define IOMMUSER_MAX_PAGE_SHIFT 16
/* Physical addresses are below 2^52 on every supported machine. */
#define IOMMUSER_PHYS_BITS 52

/**
 * struct iommuser_env - how the library reads an image
 * @ctx: passed back in every call
 * @page_shift: log2 of the image's page size: 12, 14 or 16
 * @map: give a pointer to @len bytes at @phys, or NULL. The library never
 *	asks for a range that crosses a page of the image, checks @phys for
 *	alignment and range before it asks, and never writes through the
 *	pointer. A kernel answers only for pages that were preserved for it.
 *	What it gave once it gives again until the page is released or
 *	unpreserved: a claim that fails is undone, and tables are unpreserved,
 *	by reading them once more.
 * @crc32: CRC-32 (zlib's polynomial and conventions) of @len bytes going on
 *	from @crc, which is 0 at the start. Needed for "iommuser-v1" only.
 *
 * Context: the library calls these in whatever context it was called in and
 * holds no lock of its own.
 */
struct iommuser_env {
	void *ctx;
	u32 page_shift;
	const void *(*map)(void *ctx, u64 phys, u64 len);
	u32 (*crc32)(void *ctx, u32 crc, const void *data, u64 len);
};

/**
 * struct iommuser_page_ops - how the library obtains pages to write to
 * @ctx: passed back in every call
 * @alloc: a zeroed page that will be preserved, its address in @phys;
 *	NULL when there is none
 * @free: give back a page that alloc() returned
 * @find: where a page that alloc() returned is; never fails for such a page
 */
struct iommuser_page_ops {
	void *ctx;
	void *(*alloc)(void *ctx, u64 *phys);
	void (*free)(void *ctx, u64 phys);
	void *(*find)(void *ctx, u64 phys);
};

#endif /* IOMMUSER_ENV_H */
