// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * CRC-32 seals: the field that holds the sum counts as zero.
 */
#include <iommuser/seal.h>

#include "internal.h"

#define CRC_SIZE 4

u32 iommuser_seal_compute(const struct iommuser_env *env, const void *page, u32 crc_offset)
{
	static const u8 zero[CRC_SIZE];
	u32 after = crc_offset + CRC_SIZE;
	u32 crc = 0;

	crc = env->crc32(env->ctx, crc, page, crc_offset);
	crc = env->crc32(env->ctx, crc, zero, CRC_SIZE);
	return env->crc32(env->ctx, crc, (const u8 *)page + after, env_page_size(env) - after);
}

void iommuser_seal_write(const struct iommuser_env *env, void *page, u32 crc_offset)
{
	store_le((u8 *)page + crc_offset, iommuser_seal_compute(env, page, crc_offset), CRC_SIZE);
}

u32 iommuser_seal_read(const void *page, u32 crc_offset)
{
	return load_le32((const u8 *)page + crc_offset);
}
