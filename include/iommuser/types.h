/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fixed-width integer names and byte-order helpers, the same in the kernel,
 * in the tools and freestanding.
 */
#ifndef IOMMUSER_TYPES_H
#define IOMMUSER_TYPES_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/stddef.h>
#include <linux/build_bug.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define static_assert _Static_assert
#endif

#endif /* IOMMUSER_TYPES_H */
