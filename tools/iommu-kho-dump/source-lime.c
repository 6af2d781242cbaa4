// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * LiME dumps, version 1, as LiME, AVML and others write them: each range of
 * memory behind a header of 32 bytes. And what is recognized only to be named.
 */
#include <string.h>

#include "little-endian.h"
#include "source-private.h"

#define LIME_MAGIC "EMiL"
#define LIME_MAGIC_SIZE 4
#define LIME_VERSION 1
#define LIME_HEADER_SIZE 32
#define LIME_FIRST 8
#define LIME_LAST 16
#define MAX_RANGES (1U << 20)

static bool lime_probe(const u8 *head, size_t length)
{
	return length >= LIME_MAGIC_SIZE && !memcmp(head, LIME_MAGIC, LIME_MAGIC_SIZE);
}

/* Return: 0; -1 when no range begins there, after source_lose() or source_refuse(). */
static int check_header(struct source *source, const u8 *header, u64 at)
{
	u64 first = get64(header + LIME_FIRST), last = get64(header + LIME_LAST);
	u32 version = get32(header + 4);

	if (!at && version != LIME_VERSION)
		return source_refuse(source, "a LiME dump of version %u: only version %u is known",
				     version, LIME_VERSION);
	if (source->nr_ranges == MAX_RANGES)
		return source_refuse(source, "a LiME dump of more than %u ranges", MAX_RANGES);
	if (lime_probe(header, LIME_HEADER_SIZE) && version == LIME_VERSION && first <= last &&
	    last < SOURCE_PHYS_END)
		return 0;
	if (!lime_probe(header, LIME_HEADER_SIZE) || version != LIME_VERSION)
		source_lose(source, "damaged: no range of the LiME dump begins at offset %llu",
			    (unsigned long long)at);
	else
		source_lose(source,
			    "damaged: the LiME range at offset %llu goes from 0x%llx to 0x%llx",
			    (unsigned long long)at, (unsigned long long)first,
			    (unsigned long long)last);
	return -1;
}

/* Return: 1 with *@at behind the range, 0 when nothing can be read behind it, -1 when the dump was refused. */
static int take_range(struct source *source, size_t *allocated, u64 *at)
{
	u64 left = source->file_size - *at, first, length;
	u8 header[LIME_HEADER_SIZE];

	if (left < sizeof(header))
		return source_lose(source,
				   "truncated: the LiME dump ends at offset %llu, in a header",
				   (unsigned long long)source->file_size);
	if (source_file_read(source, header, sizeof(header), *at, "LiME header"))
		return -1;
	if (check_header(source, header, *at))
		return source->nr_losses ? 0 : -1;
	first = get64(header + LIME_FIRST);
	length = get64(header + LIME_LAST) - first + 1;
	left -= sizeof(header);
	*at += sizeof(header);
	if (length > left) {
		if (source_lose(
			    source,
			    "truncated: the LiME range at 0x%llx has %llu bytes, the file ends after %llu",
			    (unsigned long long)first, (unsigned long long)length,
			    (unsigned long long)left))
			return -1;
		length = left;
	}
	if (length && source_add_range(source, allocated, first, first + length, *at))
		return -1;
	*at += length;
	return 1;
}

static int lime_open(struct source *source, const struct source_options *options)
{
	size_t allocated = 0;
	int ret = 1;
	u64 at = 0;

	(void)options;
	snprintf(source->format, sizeof(source->format), "LiME dump");
	if (source->file_size == UINT64_MAX)
		return source_refuse(source, "a LiME dump cannot be read from this file system");
	while (ret > 0 && at < source->file_size)
		ret = take_range(source, &allocated, &at);
	if (ret < 0)
		return -1;
	if (!source->nr_ranges)
		return source_refuse(source, "a LiME dump without any memory in it");
	if (!source->page_shift)
		source->page_shift = IOMMUSER_MIN_PAGE_SHIFT;
	return source_sort_ranges(source);
}

const struct source_ops source_lime_ops = {
	.probe = lime_probe,
	.open = lime_open,
	.read = source_read_ranges,
};

/* Files that have to be unpacked first. */
static const struct packed {
	const char *name;
	const char *tool;
	size_t length;
	u8 magic[6];
} packers[] = {
	{ "an AVML dump, compressed", "avml-convert makes a LiME dump of it", 4, "AVML" },
	{ "compressed by gzip", "gunzip it first", 3, { 0x1f, 0x8b, 8 } },
	{ "compressed by zstd", "unzstd it first", 4, { 0x28, 0xb5, 0x2f, 0xfd } },
	{ "compressed by xz", "unxz it first", 6, { 0xfd, '7', 'z', 'X', 'Z', 0 } },
	{ "compressed by lz4", "unlz4 it first", 4, { 4, 0x22, 0x4d, 0x18 } },
	{ "compressed by bzip2", "bunzip2 it first", 3, "BZh" },
	{ "compressed by zlib, as LiME does on request", "unpack it first", 2, { 0x78, 0x9c } },
	{ "compressed by zlib, as LiME does on request", "unpack it first", 2, { 0x78, 0x01 } },
	{ "compressed by zlib, as LiME does on request", "unpack it first", 2, { 0x78, 0xda } },
};

static const struct packed *find_packer(const u8 *head, size_t length)
{
	for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++)
		if (length >= packers[i].length &&
		    !memcmp(head, packers[i].magic, packers[i].length))
			return &packers[i];
	return NULL;
}

static bool packed_probe(const u8 *head, size_t length)
{
	return find_packer(head, length);
}

static int packed_open(struct source *source, const struct source_options *options)
{
	const struct packed *packer;
	u8 head[sizeof(packer->magic)] = { 0 };
	ssize_t got = source_pread(source->fd, head, sizeof(head), 0);

	(void)options;
	packer = got > 0 ? find_packer(head, (size_t)got) : NULL;
	if (!packer)
		return source_refuse(source, "changed while it was opened");
	return source_refuse(source, "%s: %s", packer->name, packer->tool);
}

const struct source_ops source_packed_ops = {
	.probe = packed_probe,
	.open = packed_open,
	.wrapped = true,
};

static bool other_probe(const u8 *head, size_t length)
{
	(void)head;
	(void)length;
	return true;
}

/* Nothing that only libkdumpfile knows ever held a handover, and it is not made for hostile files. */
static int other_open(struct source *source, const struct source_options *options)
{
	(void)options;
	return source_refuse(
		source,
		"not a memory image of a known format (raw memory needs --flat, --map or --qemu-ram)");
}

const struct source_ops source_other_ops = {
	.probe = other_probe,
	.open = other_open,
	.wrapped = true,
};
