/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Little-endian numbers in file formats, at any alignment.
 */
#ifndef LITTLE_ENDIAN_H
#define LITTLE_ENDIAN_H

#include <endian.h>
#include <string.h>

#include <iommuser/types.h>

static inline u32 get32(const u8 *bytes)
{
	u32 value;

	memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static inline u64 get64(const u8 *bytes)
{
	u64 value;

	memcpy(&value, bytes, sizeof(value));
	return le64toh(value);
}

#endif /* LITTLE_ENDIAN_H */
