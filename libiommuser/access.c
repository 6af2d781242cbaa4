// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The bounded accessor: every byte that the library reads from an image is
 * reached through here.
 */
#include "internal.h"

#define CACHE_LINE 64
/* The processor keeps the rest coming by itself. */
#define PREFETCH_BYTES 1024

int iommuser_access(const struct iommuser_env *env, u64 phys, u64 length, u64 align,
		    const void **pointer)
{
	u64 offset = phys & (env_page_size(env) - 1);

	if ((phys & (align - 1)) || phys >= IOMMUSER_PHYS_LIMIT)
		return -IOMMUSER_ECORRUPT;
	if (length > env_page_size(env) - offset)
		return -IOMMUSER_ECORRUPT;
	*pointer = env->map(env->ctx, phys, length);
	return *pointer ? 0 : -IOMMUSER_EUNMAPPED;
}

int access_table(const struct iommuser_env *env, u64 phys, const void **pointer)
{
	return iommuser_access(env, phys, IOMMUSER_TABLE_SIZE, IOMMUSER_TABLE_SIZE, pointer);
}

void prefetch_page(const void *page)
{
	const u8 *bytes = page;
	u32 at;

	for (at = 0; at < PREFETCH_BYTES; at += CACHE_LINE)
		__builtin_prefetch(bytes + at);
}

bool all_zero(const void *data, u64 length)
{
	const u8 *bytes = data;
	u64 any = 0;
	u64 word;

	for (; length >= 8; length -= 8, bytes += 8) {
		memcpy(&word, bytes, 8);
		any |= word;
	}
	while (length--)
		any |= *bytes++;
	return !any;
}

void store_le(void *at, u64 value, u32 width)
{
	u8 *bytes = at;

	for (; width--; value >>= 8)
		*bytes++ = (u8)value;
}
