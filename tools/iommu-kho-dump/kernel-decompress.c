// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Unpacking what Linux's own build packs kernels with. Linux's lz4 is the
 * legacy frame; its lzo is the file format of lzop.
 */
/* next_in of zlib is const then. */
#define ZLIB_CONST
#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "kernel-file.h"
#include "little-endian.h"

#define FIRST_ROOM (16ULL << 20)
/* For the dictionary of xz, lzma and zstd; Linux's own build asks for up to 128 MiB. */
#define MAX_WINDOW_LOG 27
#define MAX_WINDOW_MEMORY (256ULL << 20)
#define LZ4_BLOCK (8ULL << 20)
#define LZ4_MAGIC 0x184c2102U
/* lzop makes blocks of 256 KiB, and reads up to this. */
#define LZO_MAX_BLOCK (64ULL << 20)
#define LZO_MAGIC_SIZE 9

/* What has been unpacked, and the room for it. */
struct sink {
	u8 *data;
	size_t size;
	size_t room;
	size_t limit;
};

/* The packed bytes that are left. */
struct feed {
	const u8 *at;
	size_t left;
};

/* What a step of a decoder says, beside errors of enum kernel_result. */
enum step {
	STEP_MORE,
	STEP_END,
	STEP_CUT, /* the input ends in the middle */
	STEP_DAMAGED,
	STEP_TOO_LARGE,
	STEP_NO_MEMORY,
};

static const struct {
	const char *name;
	u8 size;
	u8 magic[LZO_MAGIC_SIZE];
} packings[] = {
	[KERNEL_PLAIN] = { "none", 0, { 0 } },
	[KERNEL_GZIP] = { "gzip", 3, { 0x1f, 0x8b, 8 } },
	[KERNEL_BZIP2] = { "bzip2", 3, { 'B', 'Z', 'h' } },
	[KERNEL_LZMA] = { "lzma", 3, { 0x5d, 0, 0 } },
	[KERNEL_XZ] = { "xz", 6, { 0xfd, '7', 'z', 'X', 'Z', 0 } },
	[KERNEL_LZO] = { "lzo", 9, { 0x89, 'L', 'Z', 'O', 0, '\r', '\n', 0x1a, '\n' } },
	[KERNEL_LZ4] = { "lz4", 4, { 2, 0x21, 0x4c, 0x18 } },
	[KERNEL_ZSTD] = { "zstd", 4, { 0x28, 0xb5, 0x2f, 0xfd } },
};

enum kernel_compression kernel_detect(const u8 *bytes, size_t size)
{
	enum kernel_compression i;

	for (i = KERNEL_GZIP; i <= KERNEL_ZSTD; i++)
		if (size >= packings[i].size && !memcmp(bytes, packings[i].magic, packings[i].size))
			return i;
	return KERNEL_PLAIN;
}

const char *kernel_compression_name(enum kernel_compression compression)
{
	return packings[compression].name;
}

/* Make room for at least @more bytes, more than 0. */
static enum step sink_room(struct sink *sink, size_t more)
{
	size_t room = sink->room ? sink->room : FIRST_ROOM;
	u8 *data;

	if (more > sink->limit - sink->size)
		return STEP_TOO_LARGE;
	if (more <= sink->room - sink->size)
		return STEP_MORE;
	while (room - sink->size < more || room == sink->room)
		room *= 2;
	if (room > sink->limit)
		room = sink->limit;
	data = realloc(sink->data, room);
	if (!data)
		return STEP_NO_MEMORY;
	sink->data = data;
	sink->room = room;
	return STEP_MORE;
}

/* Take a big-endian number of up to 4 bytes. */
static bool take_be(struct feed *feed, size_t bytes, u32 *value)
{
	if (feed->left < bytes)
		return false;
	for (*value = 0; bytes; bytes--, feed->left--)
		*value = *value << 8 | *feed->at++;
	return true;
}

static bool skip(struct feed *feed, size_t bytes)
{
	if (feed->left < bytes)
		return false;
	feed->at += bytes;
	feed->left -= bytes;
	return true;
}

/* What a streaming decoder did in a step; one that neither read nor wrote waits for input that is not there. */
static enum step progress(struct feed *feed, struct sink *sink, size_t read, size_t written)
{
	skip(feed, read);
	sink->size += written;
	return read || written ? STEP_MORE : STEP_CUT;
}

static enum step step_gzip(z_stream *stream, struct feed *feed, struct sink *sink)
{
	uInt in = feed->left < UINT32_MAX ? (uInt)feed->left : UINT32_MAX;
	uInt out = (uInt)(sink->room - sink->size);
	enum step step;
	int ret;

	stream->next_in = feed->at;
	stream->avail_in = in;
	stream->next_out = sink->data + sink->size;
	stream->avail_out = out;
	ret = inflate(stream, Z_NO_FLUSH);
	step = progress(feed, sink, in - stream->avail_in, out - stream->avail_out);
	if (ret == Z_STREAM_END)
		return STEP_END;
	if (ret == Z_MEM_ERROR)
		return STEP_NO_MEMORY;
	return ret == Z_OK || ret == Z_BUF_ERROR ? step : STEP_DAMAGED;
}

static enum step unpack_gzip(struct feed *feed, struct sink *sink)
{
	z_stream stream = { 0 };
	enum step step;

	/* 16: the format of gzip alone */
	if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
		return STEP_NO_MEMORY;
	do {
		step = sink_room(sink, 1);
		if (step == STEP_MORE)
			step = step_gzip(&stream, feed, sink);
	} while (step == STEP_MORE);
	inflateEnd(&stream);
	return step;
}

static enum step step_bzip2(bz_stream *stream, struct feed *feed, struct sink *sink)
{
	unsigned int in = feed->left < UINT32_MAX ? (unsigned int)feed->left : UINT32_MAX;
	unsigned int out = (unsigned int)(sink->room - sink->size);
	enum step step;
	int ret;

	/* It only reads there, but does not say so. */
	memcpy(&stream->next_in, &feed->at, sizeof(feed->at));
	stream->avail_in = in;
	stream->next_out = (char *)sink->data + sink->size;
	stream->avail_out = out;
	ret = BZ2_bzDecompress(stream);
	step = progress(feed, sink, in - stream->avail_in, out - stream->avail_out);
	if (ret == BZ_STREAM_END)
		return STEP_END;
	if (ret == BZ_MEM_ERROR)
		return STEP_NO_MEMORY;
	return ret == BZ_OK ? step : STEP_DAMAGED;
}

static enum step unpack_bzip2(struct feed *feed, struct sink *sink)
{
	bz_stream stream = { 0 };
	enum step step;

	if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK)
		return STEP_NO_MEMORY;
	do {
		step = sink_room(sink, 1);
		if (step == STEP_MORE)
			step = step_bzip2(&stream, feed, sink);
	} while (step == STEP_MORE);
	BZ2_bzDecompressEnd(&stream);
	return step;
}

static enum step step_lzma(lzma_stream *stream, struct feed *feed, struct sink *sink)
{
	size_t in = feed->left, out = sink->room - sink->size;
	enum step step;
	lzma_ret ret;

	stream->next_in = feed->at;
	stream->avail_in = in;
	stream->next_out = sink->data + sink->size;
	stream->avail_out = out;
	ret = lzma_code(stream, LZMA_RUN);
	step = progress(feed, sink, in - stream->avail_in, out - stream->avail_out);
	switch (ret) {
	case LZMA_OK:
	case LZMA_BUF_ERROR:
		return step;
	case LZMA_STREAM_END:
		return STEP_END;
	case LZMA_MEM_ERROR:
		return STEP_NO_MEMORY;
	case LZMA_MEMLIMIT_ERROR:
		return STEP_TOO_LARGE;
	default:
		return STEP_DAMAGED;
	}
}

/* xz, or the older format of lzma. */
static enum step unpack_lzma(struct feed *feed, struct sink *sink, bool is_xz)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	enum step step;
	lzma_ret ret;

	ret = is_xz ? lzma_stream_decoder(&stream, MAX_WINDOW_MEMORY, 0) :
		      lzma_alone_decoder(&stream, MAX_WINDOW_MEMORY);
	if (ret != LZMA_OK)
		return STEP_NO_MEMORY;
	do {
		step = sink_room(sink, 1);
		if (step == STEP_MORE)
			step = step_lzma(&stream, feed, sink);
	} while (step == STEP_MORE);
	lzma_end(&stream);
	return step;
}

static enum step step_zstd(ZSTD_DCtx *context, struct feed *feed, struct sink *sink)
{
	ZSTD_inBuffer in = { feed->at, feed->left, 0 };
	ZSTD_outBuffer out = { sink->data + sink->size, sink->room - sink->size, 0 };
	size_t ret = ZSTD_decompressStream(context, &out, &in);
	enum step step = progress(feed, sink, in.pos, out.pos);

	if (ZSTD_isError(ret))
		return STEP_DAMAGED;
	return ret ? step : STEP_END;
}

static enum step unpack_zstd(struct feed *feed, struct sink *sink)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();
	enum step step;

	if (!context)
		return STEP_NO_MEMORY;
	ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, MAX_WINDOW_LOG);
	do {
		step = sink_room(sink, 1);
		if (step == STEP_MORE)
			step = step_zstd(context, feed, sink);
	} while (step == STEP_MORE);
	ZSTD_freeDCtx(context);
	return step;
}

/* A block of the legacy frame is its packed size, then that. */
static enum step step_lz4(struct feed *feed, struct sink *sink)
{
	size_t room;
	u32 packed;
	int got;

	if (feed->left < sizeof(packed))
		return STEP_CUT;
	packed = get32(feed->at);
	skip(feed, sizeof(packed));
	/* Frames follow one another where the packer was given several files. */
	if (packed == LZ4_MAGIC)
		return feed->left ? STEP_MORE : STEP_CUT;
	if (packed > (u32)LZ4_compressBound((int)LZ4_BLOCK))
		return STEP_DAMAGED;
	if (packed > feed->left)
		return STEP_CUT;
	room = sink->room - sink->size < LZ4_BLOCK ? sink->room - sink->size : LZ4_BLOCK;
	got = LZ4_decompress_safe((const char *)feed->at, (char *)sink->data + sink->size,
				  (int)packed, (int)room);
	if (got < 0)
		return sink->room == sink->limit && room < LZ4_BLOCK ? STEP_TOO_LARGE :
								       STEP_DAMAGED;
	skip(feed, packed);
	sink->size += (size_t)got;
	return feed->left ? STEP_MORE : STEP_END;
}

static enum step unpack_lz4(struct feed *feed, struct sink *sink)
{
	enum step step;
	size_t left;

	if (!skip(feed, sizeof(u32)))
		return STEP_CUT;
	do {
		left = sink->limit - sink->size;
		step = sink_room(sink, left && left < LZ4_BLOCK ? left : LZ4_BLOCK);
		if (step == STEP_MORE)
			step = step_lz4(feed, sink);
	} while (step == STEP_MORE);
	return step;
}

/* Flags in the header of lzop. */
#define LZOP_ADLER32_PLAIN 0x1U
#define LZOP_ADLER32_PACKED 0x2U
#define LZOP_EXTRA_FIELD 0x40U
#define LZOP_CRC32_PLAIN 0x100U
#define LZOP_CRC32_PACKED 0x200U
#define LZOP_FILTER 0x800U
/* From this version on the header says more. */
#define LZOP_VERSION_0_94 0x940U

static enum step lzop_header(struct feed *feed, u32 *flags)
{
	u32 version, method, name, extra, unused;
	bool newer;

	if (!skip(feed, LZO_MAGIC_SIZE) || !take_be(feed, 2, &version))
		return STEP_CUT;
	newer = version >= LZOP_VERSION_0_94;
	/* version of the library, version needed */
	if (!skip(feed, newer ? 4 : 2) || !take_be(feed, 1, &method) || !skip(feed, newer) ||
	    !take_be(feed, 4, flags))
		return STEP_CUT;
	/* The methods differ in how they pack. Filters change what is unpacked; Linux knows none. */
	if (method < 1 || method > 3 || *flags & LZOP_FILTER)
		return STEP_DAMAGED;
	/* mode, time; name; checksum of the header */
	if (!skip(feed, newer ? 12 : 8) || !take_be(feed, 1, &name) || !skip(feed, name) ||
	    !take_be(feed, 4, &unused))
		return STEP_CUT;
	if (*flags & LZOP_EXTRA_FIELD &&
	    (!take_be(feed, 4, &extra) || !skip(feed, extra) || !take_be(feed, 4, &unused)))
		return STEP_CUT;
	return STEP_MORE;
}

static size_t checksum_bytes(u32 flags, u32 first, u32 second)
{
	return 4 * ((size_t) !!(flags & first) + !!(flags & second));
}

/* A block is its size, its packed size, checksums of both, and its bytes; it is not packed when that gains nothing. */
static enum step step_lzo(struct feed *feed, struct sink *sink, u32 flags)
{
	size_t checksums = checksum_bytes(flags, LZOP_ADLER32_PLAIN, LZOP_CRC32_PLAIN);
	lzo_uint got;
	u32 plain, packed;
	enum step step;

	if (!take_be(feed, 4, &plain))
		return STEP_CUT;
	if (!plain)
		return STEP_END;
	if (!take_be(feed, 4, &packed))
		return STEP_CUT;
	if (plain > LZO_MAX_BLOCK || !packed || packed > plain)
		return STEP_DAMAGED;
	if (packed < plain)
		checksums += checksum_bytes(flags, LZOP_ADLER32_PACKED, LZOP_CRC32_PACKED);
	if (!skip(feed, checksums) || feed->left < packed)
		return STEP_CUT;
	step = sink_room(sink, plain);
	if (step != STEP_MORE)
		return step;
	got = plain;
	if (packed == plain)
		memcpy(sink->data + sink->size, feed->at, plain);
	else if (lzo1x_decompress_safe(feed->at, packed, sink->data + sink->size, &got, NULL) !=
			 LZO_E_OK ||
		 got != plain)
		return STEP_DAMAGED;
	skip(feed, packed);
	sink->size += plain;
	return STEP_MORE;
}

static enum step unpack_lzo(struct feed *feed, struct sink *sink)
{
	enum step step;
	u32 flags;

	if (lzo_init() != LZO_E_OK)
		return STEP_DAMAGED;
	step = lzop_header(feed, &flags);
	while (step == STEP_MORE)
		step = step_lzo(feed, sink, flags);
	return step;
}

static enum step unpack(enum kernel_compression compression, struct feed *feed, struct sink *sink)
{
	switch (compression) {
	case KERNEL_GZIP:
		return unpack_gzip(feed, sink);
	case KERNEL_BZIP2:
		return unpack_bzip2(feed, sink);
	case KERNEL_LZMA:
		return unpack_lzma(feed, sink, false);
	case KERNEL_XZ:
		return unpack_lzma(feed, sink, true);
	case KERNEL_LZO:
		return unpack_lzo(feed, sink);
	case KERNEL_LZ4:
		return unpack_lz4(feed, sink);
	case KERNEL_ZSTD:
		return unpack_zstd(feed, sink);
	default:
		return STEP_DAMAGED;
	}
}

enum kernel_result kernel_decompress(enum kernel_compression compression, const u8 *in, size_t size,
				     size_t *used, struct kernel_buffer *out, size_t limit,
				     char *message, size_t message_size)
{
	const char *name = kernel_compression_name(compression);
	struct feed feed = { in, size };
	struct sink sink = { .limit = limit };

	switch (unpack(compression, &feed, &sink)) {
	case STEP_END:
		*used = size - feed.left;
		*out = (struct kernel_buffer){ sink.data, sink.size };
		return KERNEL_OK;
	case STEP_CUT:
		snprintf(message, message_size, "the kernel packed by %s in it is cut off", name);
		break;
	case STEP_TOO_LARGE:
		snprintf(message, message_size,
			 "the kernel packed by %s in it is larger than %zu MiB", name, limit >> 20);
		break;
	case STEP_NO_MEMORY:
		free(sink.data);
		return KERNEL_NO_MEMORY;
	default:
		snprintf(message, message_size, "the kernel packed by %s in it is damaged", name);
		break;
	}
	free(sink.data);
	return KERNEL_UNREADABLE;
}
