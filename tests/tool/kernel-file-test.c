// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Unpacking kernels: each format whole, cut at every byte, damaged, followed
 * by other bytes, and larger than is allowed. tests/cli/preflight.py has what
 * the ordinary packers make.
 */
#define ZLIB_CONST
#include <bzlib.h>
#include <endian.h>
#include <lz4.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "kernel-file.h"

#define PLAIN_SIZE 6000U
#define ROOM 20000U

/* Half of it can be packed. */
static void fill(u8 *plain)
{
	u32 i, noise = 1;

	for (i = 0; i < PLAIN_SIZE; i++) {
		noise = noise * 1103515245 + 12345;
		plain[i] = i & 1024 ? (u8)(noise >> 16) : (u8)(i >> 7);
	}
}

static size_t pack_gzip(const u8 *plain, u8 *out)
{
	z_stream stream = { .avail_in = PLAIN_SIZE, .avail_out = ROOM };

	stream.next_in = plain;
	stream.next_out = out;
	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	return stream.total_out;
}

static size_t pack_bzip2(const u8 *plain, u8 *out)
{
	unsigned int size = ROOM;
	char copy[PLAIN_SIZE];

	memcpy(copy, plain, PLAIN_SIZE);
	assert_int_equal(BZ2_bzBuffToBuffCompress((char *)out, &size, copy, PLAIN_SIZE, 9, 0, 0),
			 BZ_OK);
	return size;
}

static size_t pack_lzma(const u8 *plain, u8 *out)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_options_lzma options;
	size_t size;

	assert_false(lzma_lzma_preset(&options, 6));
	assert_int_equal(lzma_alone_encoder(&stream, &options), LZMA_OK);
	stream.next_in = plain;
	stream.avail_in = PLAIN_SIZE;
	stream.next_out = out;
	stream.avail_out = ROOM;
	assert_int_equal(lzma_code(&stream, LZMA_FINISH), LZMA_STREAM_END);
	size = stream.total_out;
	lzma_end(&stream);
	return size;
}

static size_t pack_xz(const u8 *plain, u8 *out)
{
	size_t size = 0;

	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, plain, PLAIN_SIZE, out,
						 &size, ROOM),
			 LZMA_OK);
	return size;
}

static void put_be32(u8 **at, u32 value)
{
	value = htobe32(value);
	memcpy(*at, &value, 4);
	*at += 4;
}

/* The header of lzop 1.04, two blocks (the second is not packed), the end. */
static size_t pack_lzo(const u8 *plain, u8 *out)
{
	static const u8 magic[] = { 0x89, 'L', 'Z', 'O', 0, '\r', '\n', 0x1a, '\n' };
	static const u8 versions[] = { 0x10, 0x40, 0x20, 0xa0, 0x09, 0x40, 1, 5 };
	static u8 work[LZO1X_1_MEM_COMPRESS];
	const u32 first = 4000;
	lzo_uint packed = 0;
	u8 *at = out;

	assert_int_equal(lzo_init(), LZO_E_OK);
	memcpy(at, magic, sizeof(magic));
	at += sizeof(magic);
	memcpy(at, versions, sizeof(versions));
	at += sizeof(versions);
	/* Adler-32 of what is unpacked and of what is packed, and an extra field. */
	put_be32(&at, 0x3 | 0x40);
	put_be32(&at, 0100644);
	put_be32(&at, 0);
	put_be32(&at, 0);
	*at++ = 4;
	memcpy(at, "name", 4);
	at += 4;
	put_be32(&at, 0);
	put_be32(&at, 2);
	at += 2;
	put_be32(&at, 0);
	assert_int_equal(lzo1x_1_compress(plain, first, at + 16, &packed, work), LZO_E_OK);
	assert_true(packed < first);
	put_be32(&at, first);
	put_be32(&at, (u32)packed);
	put_be32(&at, 0);
	put_be32(&at, 0);
	at += packed;
	put_be32(&at, PLAIN_SIZE - first);
	put_be32(&at, PLAIN_SIZE - first);
	put_be32(&at, 0);
	memcpy(at, plain + first, PLAIN_SIZE - first);
	at += PLAIN_SIZE - first;
	put_be32(&at, 0);
	return (size_t)(at - out);
}

/* Two blocks, the magic between them. */
static size_t pack_lz4(const u8 *plain, u8 *out)
{
	const u32 magic = htole32(0x184c2102), half = PLAIN_SIZE / 2;
	size_t used = 0;
	u32 packed, i;

	for (i = 0; i < 2; i++) {
		memcpy(out + used, &magic, 4);
		packed = (u32)LZ4_compress_default((const char *)plain + i * half,
						   (char *)out + used + 8, (int)half,
						   (int)(ROOM - used - 8));
		assert_true(packed);
		packed = htole32(packed);
		memcpy(out + used + 4, &packed, 4);
		used += 8 + le32toh(packed);
	}
	return used;
}

static size_t pack_zstd(const u8 *plain, u8 *out)
{
	size_t size = ZSTD_compress(out, ROOM, plain, PLAIN_SIZE, 9);

	assert_false(ZSTD_isError(size));
	return size;
}

static const struct {
	enum kernel_compression compression;
	size_t (*pack)(const u8 *plain, u8 *out);
} formats[] = {
	{ KERNEL_GZIP, pack_gzip }, { KERNEL_BZIP2, pack_bzip2 }, { KERNEL_LZMA, pack_lzma },
	{ KERNEL_XZ, pack_xz },	    { KERNEL_LZO, pack_lzo },	  { KERNEL_LZ4, pack_lz4 },
	{ KERNEL_ZSTD, pack_zstd },
};

#define NR_FORMATS (sizeof(formats) / sizeof(formats[0]))

/* A copy of exactly that size, so that reading behind it is seen. */
static enum kernel_result unpack(size_t format, const u8 *packed, size_t size, size_t limit,
				 size_t *used, struct kernel_buffer *out)
{
	u8 *copy = malloc(size ? size : 1);
	enum kernel_result result;
	char message[128] = "";

	assert_non_null(copy);
	memcpy(copy, packed, size);
	result = kernel_decompress(formats[format].compression, copy, size, used, out, limit,
				   message, sizeof(message));
	assert_int_equal(result == KERNEL_UNREADABLE, message[0] != 0);
	free(copy);
	return result;
}

static void test_whole(void **state)
{
	u8 plain[PLAIN_SIZE], packed[ROOM];
	struct kernel_buffer out;
	size_t i, size, used;

	(void)state;
	fill(plain);
	for (i = 0; i < NR_FORMATS; i++) {
		memset(packed, 0xee, sizeof(packed));
		size = formats[i].pack(plain, packed);
		assert_int_equal(kernel_detect(packed, size), formats[i].compression);
		assert_int_equal(unpack(i, packed, size, 1 << 20, &used, &out), KERNEL_OK);
		assert_int_equal(used, size);
		assert_int_equal(out.size, PLAIN_SIZE);
		assert_memory_equal(out.data, plain, PLAIN_SIZE);
		free(out.data);
	}
}

/* All but lz4 know where they end. */
static void test_followed(void **state)
{
	u8 plain[PLAIN_SIZE], packed[ROOM];
	struct kernel_buffer out;
	enum kernel_result result;
	size_t i, size, used;

	(void)state;
	fill(plain);
	for (i = 0; i < NR_FORMATS; i++) {
		memset(packed, 0xee, sizeof(packed));
		size = formats[i].pack(plain, packed);
		result = unpack(i, packed, size + 100, 1 << 20, &used, &out);
		if (formats[i].compression == KERNEL_LZ4) {
			assert_int_equal(result, KERNEL_UNREADABLE);
			continue;
		}
		assert_int_equal(result, KERNEL_OK);
		assert_int_equal(used, size);
		assert_int_equal(out.size, PLAIN_SIZE);
		free(out.data);
	}
}

/* Where lz4 is cut between two blocks nothing is missing. */
static bool is_lz4_end(size_t format, const u8 *packed, size_t length)
{
	u32 first;

	if (formats[format].compression != KERNEL_LZ4)
		return false;
	memcpy(&first, packed + 4, 4);
	return length == 8 + le32toh(first);
}

/* Each format's packed bytes, one after the other. */
static void for_each_format(void (*check)(size_t format, u8 *packed, size_t size))
{
	u8 plain[PLAIN_SIZE], packed[ROOM];
	size_t i;

	fill(plain);
	for (i = 0; i < NR_FORMATS; i++)
		check(i, packed, formats[i].pack(plain, packed));
}

static void check_unreadable(size_t format, const u8 *packed, size_t size, size_t limit)
{
	struct kernel_buffer out;
	size_t used;

	assert_int_equal(unpack(format, packed, size, limit, &used, &out), KERNEL_UNREADABLE);
}

static void check_cut(size_t format, u8 *packed, size_t size)
{
	size_t length;

	for (length = 0; length < size; length++)
		if (!is_lz4_end(format, packed, length))
			check_unreadable(format, packed, length, 1 << 20);
}

static void test_cut(void **state)
{
	(void)state;
	for_each_format(check_cut);
}

/* Whatever becomes of it, nothing is read or written beyond its bounds. */
static void check_damaged(size_t format, u8 *packed, size_t size)
{
	struct kernel_buffer out;
	size_t used, at, refused = 0;

	for (at = 0; at < size; at += at < 100 ? 1 : 7) {
		packed[at] ^= 0xff;
		if (unpack(format, packed, size, 1 << 20, &used, &out) == KERNEL_OK)
			free(out.data);
		else
			refused++;
		packed[at] ^= 0xff;
	}
	assert_true(refused > 8);
}

static void test_damaged(void **state)
{
	(void)state;
	for_each_format(check_damaged);
}

static void check_limit(size_t format, u8 *packed, size_t size)
{
	struct kernel_buffer out;
	size_t used, limit;

	for (limit = 0; limit < PLAIN_SIZE; limit += limit < 64 ? 1 : 500)
		check_unreadable(format, packed, size, limit);
	/* One byte of room is wanted before a decoder finds out that it is at its end. */
	assert_int_equal(unpack(format, packed, size, PLAIN_SIZE + 1, &used, &out), KERNEL_OK);
	free(out.data);
}

static void test_limit(void **state)
{
	(void)state;
	for_each_format(check_limit);
}

/* Fields of lzop's header and blocks. */
static void test_lzop_fields(void **state)
{
	static const struct {
		size_t at;
		u8 value;
		enum kernel_result result;
	} cases[] = {
		/* the method, with 2 and 3 unpacked alike */
		{ 15, 0, KERNEL_UNREADABLE },
		{ 15, 3, KERNEL_OK },
		{ 15, 4, KERNEL_UNREADABLE },
		/* a filter */
		{ 19, 0x8, KERNEL_UNREADABLE },
		/* a version from before 0.94: the header is shorter */
		{ 9, 0x08, KERNEL_UNREADABLE },
		/* a first block of 4 GiB */
		{ 52, 0xff, KERNEL_UNREADABLE },
		/* packed to more than it holds */
		{ 56, 0xff, KERNEL_UNREADABLE },
	};
	u8 plain[PLAIN_SIZE], packed[ROOM];
	struct kernel_buffer out;
	size_t i, size, used;

	(void)state;
	fill(plain);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size = pack_lzo(plain, packed);
		packed[cases[i].at] = cases[i].value;
		assert_int_equal(unpack(4, packed, size, 1 << 20, &used, &out), cases[i].result);
		if (cases[i].result == KERNEL_OK)
			free(out.data);
	}
}

static void test_detect(void **state)
{
	static const u8 zeros[16];
	size_t i;

	(void)state;
	assert_int_equal(kernel_detect(zeros, sizeof(zeros)), KERNEL_PLAIN);
	assert_int_equal(kernel_detect(zeros, 0), KERNEL_PLAIN);
	assert_int_equal(kernel_detect((const u8 *)"BZ", 2), KERNEL_PLAIN);
	assert_string_equal(kernel_compression_name(KERNEL_PLAIN), "none");
	for (i = 0; i < NR_FORMATS; i++)
		assert_true(strlen(kernel_compression_name(formats[i].compression)) > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),  cmocka_unit_test(test_followed),
		cmocka_unit_test(test_cut),    cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_limit),  cmocka_unit_test(test_lzop_fields),
		cmocka_unit_test(test_detect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
