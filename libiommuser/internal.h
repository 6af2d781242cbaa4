/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the library's own files share: the bounded accessor, little-endian
 * loads and stores, and the four memory functions it asks of its host.
 */
#ifndef IOMMUSER_INTERNAL_H
#define IOMMUSER_INTERNAL_H

#include <iommuser/env.h>
#include <iommuser/error.h>
#include <iommuser/finding.h>
#include <iommuser/types.h>

#ifdef __KERNEL__
#include <linux/string.h>
#else
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
#endif

#define IOMMUSER_PHYS_LIMIT (1ULL << IOMMUSER_PHYS_BITS)
/* Hardware tables are 4 KiB whatever the kernel's page size. */
#define IOMMUSER_TABLE_SHIFT 12
#define IOMMUSER_TABLE_SIZE 4096
#define IOMMUSER_ADDRESS_MASK 0x000ffffffffff000ULL

/* Never inlined: keeps a caller's stack frame, or the library, small. */
#define OWN_FRAME __attribute__((__noinline__))

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static inline u64 env_page_size(const struct iommuser_env *env)
{
	return 1ULL << env->page_shift;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FROM_LE(bits, value) (value)
#else
#define FROM_LE(bits, value) __builtin_bswap##bits(value)
#endif

static inline __attribute__((__always_inline__)) u16 load_le16(const void *at)
{
	u16 value;

	__builtin_memcpy(&value, at, sizeof(value));
	return FROM_LE(16, value);
}

static inline __attribute__((__always_inline__)) u32 load_le32(const void *at)
{
	u32 value;

	__builtin_memcpy(&value, at, sizeof(value));
	return FROM_LE(32, value);
}

static inline __attribute__((__always_inline__)) u64 load_le64(const void *at)
{
	u64 value;

	__builtin_memcpy(&value, at, sizeof(value));
	return FROM_LE(64, value);
}

/* The lowest @width bytes of @value. */
void store_le(void *at, u64 value, u32 width);

/* Spreads a key over all bits of a hash. */
static inline u64 mix64(u64 x)
{
	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 32;
}

/* Page sizes that a kernel can have: 4, 16 and 64 KiB. */
static inline bool valid_page_shift(u32 shift)
{
	return shift >= IOMMUSER_MIN_PAGE_SHIFT && shift <= IOMMUSER_MAX_PAGE_SHIFT && !(shift & 1);
}

/*
 * The one accessor: a pointer to @length bytes at @phys, which must be a
 * multiple of @align (a power of two) and lie within one page of the image.
 * Return: 0; -IOMMUSER_ECORRUPT when the address itself is impossible;
 * -IOMMUSER_EUNMAPPED when the environment has no such bytes.
 */
int iommuser_access(const struct iommuser_env *env, u64 phys, u64 length, u64 align,
		    const void **pointer);

/* The same for a whole hardware table. */
int access_table(const struct iommuser_env *env, u64 phys, const void **pointer);

/* Ask the processor for the start of a page that will be read soon, in ascending order. */
void prefetch_page(const void *page);

/* Is every byte of [data, data + length) zero? */
bool all_zero(const void *data, u64 length);

#endif /* IOMMUSER_INTERNAL_H */
