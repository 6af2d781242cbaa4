/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * CRC-32 seals of "iommuser-v1" pages.
 */
#ifndef IOMMUSER_SEAL_H
#define IOMMUSER_SEAL_H

#include <iommuser/env.h>

/**
 * iommuser_seal_compute - CRC-32 of a page with its crc field taken as zero
 * @env: page size and crc32()
 * @page: a whole page
 * @crc_offset: of the 4-byte crc field, a multiple of 4
 */
u32 iommuser_seal_compute(const struct iommuser_env *env, const void *page, u32 crc_offset);

/**
 * iommuser_seal_write - bring the crc field of a page up to date
 * @env: page size and crc32()
 * @page: a whole page
 * @crc_offset: as above
 */
void iommuser_seal_write(const struct iommuser_env *env, void *page, u32 crc_offset);

/**
 * iommuser_seal_read - the crc field of a page
 * @page: a whole page
 * @crc_offset: as above
 */
u32 iommuser_seal_read(const void *page, u32 crc_offset);

#endif /* IOMMUSER_SEAL_H */
