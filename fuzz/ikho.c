// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: the tool's reader of portable images.
 *
 * Input: options u8 (bit 0: make all checksums right, bit 1: the user states
 * 64 KiB pages), then the file without its first IKHO_MAGIC_SIZE bytes.
 *
 * Properties: a file is refused with a message, or opens and then: ranges
 * ascend, do not touch and consist of whole pages; every page at their ends
 * reads, both ways alike, and only the pages beside them do not; the preserved
 * set is finite and in range; every state of a record that there is can be read; hints are strings. A refused file and an accepted
 * one leave nothing open.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <zlib.h>

#include "ikho-format.h"
#include "source.h"

#define MAX_FILE (1U << 20)
#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)

static u32 get32(const u8 *at)
{
	return at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | (u32)at[3] << 24;
}

static void put32(u8 *at, u32 value)
{
	at[0] = (u8)value;
	at[1] = (u8)(value >> 8);
	at[2] = (u8)(value >> 16);
	at[3] = (u8)(value >> 24);
}

static void seal(u8 *file, size_t size)
{
	size_t at = IKHO_HEADER_SIZE;
	u8 *section;
	u32 stored;

	if (size < IKHO_HEADER_SIZE)
		return;
	put32(file + IKHO_HEADER_CRC, (u32)crc32(0, file, IKHO_HEADER_CRC));
	while (size - at >= IKHO_SECTION_SIZE) {
		section = file + at;
		stored = get32(section + IKHO_SECTION_STORED);
		if (stored > size - at - IKHO_SECTION_SIZE)
			stored = (u32)(size - at - IKHO_SECTION_SIZE);
		put32(section + IKHO_SECTION_DATA_CRC,
		      (u32)crc32(0, section + IKHO_SECTION_SIZE, stored));
		put32(section + IKHO_SECTION_CRC, (u32)crc32(0, section, IKHO_SECTION_CRC));
		at += IKHO_SECTION_SIZE + stored;
	}
}

static void check_page(struct source *source, u64 phys, u64 page)
{
	static u8 copy[1 << IOMMUSER_MAX_PAGE_SHIFT];
	const void *mapped = source_map(source, phys, page);

	/* What was checked when the image was opened can be read. */
	require(mapped, "%#llx: %s", (unsigned long long)phys, source_error(source));
	require(source_read(source, phys, copy, page) == SOURCE_OK, "%#llx: %s",
		(unsigned long long)phys, source_error(source));
	require(!memcmp(copy, mapped, page), "%#llx", (unsigned long long)phys);
}

static void check_ranges(struct source *source)
{
	u64 page = 1ULL << source_page_shift(source);
	u64 from = 0, start, end, before = 0;
	u8 byte;

	while (source_next_range(source, from, &start, &end)) {
		require(start >= from && end > start && end <= PHYS_END, "%#llx to %#llx",
			(unsigned long long)start, (unsigned long long)end);
		require(!(start % page) && !(end % page), "%#llx to %#llx",
			(unsigned long long)start, (unsigned long long)end);
		require(!from || start > before, "%#llx", (unsigned long long)start);
		check_page(source, start, page);
		check_page(source, end - page, page);
		if (end < PHYS_END)
			require(source_read(source, end, &byte, 1) == SOURCE_MISSING, "%#llx",
				(unsigned long long)end);
		before = end;
		from = end;
	}
}

static void check_preserved(struct source *source, size_t size)
{
	u64 cursor = 0, count = 0, phys, length;

	while (source_next_preserved(source, &cursor, &phys, &length)) {
		require(length && phys < PHYS_END && length <= PHYS_END - phys, "%#llx, %#llx",
			(unsigned long long)phys, (unsigned long long)length);
		/* zlib makes at most a thousand bytes of one. */
		require(++count <= 1040 * (u64)size, "%llu", (unsigned long long)count);
	}
	require(!count || source_has_preserved(source), "%llu", (unsigned long long)count);
}

static void check_states(struct source *source, size_t size)
{
	u64 count, told = 0, i;
	u32 kind, state;

	for (kind = 0; kind <= IOMMUSER_NR_KINDS; kind++) {
		count = source_nr_states(source, kind);
		told += count;
		require(told <= 1040 * (u64)size, "%llu", (unsigned long long)told);
		require(!count || (kind && kind <= IOMMUSER_KIND_DEVICE), "kind %u", kind);
		/* All of a few, else some that lie far apart. */
		for (i = 0; i < count; i += count / 1024 + 1)
			require(source_state(source, kind, i, &state) == SOURCE_OK && state <= 255,
				"%llu: %s", (unsigned long long)i, source_error(source));
		require(source_state(source, kind, count, &state) == SOURCE_FAILED, "kind %u",
			kind);
	}
	require((told != 0) == (source_hints(source) && source_hints(source)->has_states), "%llu",
		(unsigned long long)told);
}

static void check_hints(const struct source *source)
{
	const struct source_hints *hints = source_hints(source);

	require(source_format(source)[0], "no format");
	if (!hints)
		return;
	require(memchr(hints->origin, 0, sizeof(hints->origin)) &&
			memchr(hints->writer, 0, sizeof(hints->writer)) &&
			memchr(hints->abi, 0, sizeof(hints->abi)),
		"a hint without an end");
	require(hints->nr_vtd_roots <= SOURCE_MAX_VTD_ROOTS, "%u", hints->nr_vtd_roots);
}

static void check_file(int fd, size_t size, const struct source_options *options)
{
	char path[64], message[256] = "";
	struct source *source;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	source = source_open(path, options, message, sizeof(message));
	if (!source) {
		require(message[0] && memchr(message, 0, sizeof(message)), "no message");
		return;
	}
	check_hints(source);
	check_ranges(source);
	check_preserved(source, size);
	check_states(source, size);
	source_close(source);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 file[MAX_FILE];
	struct input input = { data, size };
	u64 choice = input_take(&input, 1);
	const struct source_options options = {
		.page_shift = choice & 2 ? 16 : 0,
		.force = choice & 4,
	};
	size_t length = IKHO_MAGIC_SIZE + input.left;
	int fd;

	if (length > MAX_FILE)
		return 0;
	memcpy(file, IKHO_MAGIC, IKHO_MAGIC_SIZE);
	memcpy(file + IKHO_MAGIC_SIZE, input.at, input.left);
	if (choice & 1)
		seal(file, length);
	fd = memfd_create("ikho", MFD_CLOEXEC);
	require(fd >= 0, "no memfd");
	require(write(fd, file, length) == (ssize_t)length, "no space");
	check_file(fd, length, &options);
	require(!close(fd), "memfd");
	/* Whatever was opened has been closed: the lowest number is free again. */
	require(dup(STDERR_FILENO) == fd && !close(fd), "a file was left open");
	return 0;
}
