// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the fuzz targets of the tool's parts share, but for the image.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <zlib.h>

#include "ikho-format.h"
#include "little-endian.h"

/* Of sanitizers, where there are any. */
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
					      void (*free_hook)(const volatile void *))
	__attribute__((weak));
size_t __sanitizer_get_allocated_size(const volatile void *memory) __attribute__((weak));
/* Of libFuzzer. */
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const u8 *data, size_t size))
	__attribute__((weak));

static size_t allocated, allowed;
static int the_file = -1;

UNCOUNTED_BEGIN

/* Bytes of the character at @bytes; 0 when it is none. */
static size_t character_length(const unsigned char *bytes, size_t size)
{
	static const u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = bytes[0] < 0x80 ? 1 :
			bytes[0] < 0xc2 ? 0 :
			bytes[0] < 0xe0 ? 2 :
			bytes[0] < 0xf0 ? 3 :
			bytes[0] < 0xf5 ? 4 :
					  0;
	u32 value = length > 1 ? bytes[0] & (0x7fU >> length) : bytes[0];
	size_t i;

	if (!length || length > size)
		return 0;
	for (i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (bytes[i] & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	/* C0, DEL, C1; what turns the direction of text. */
	if (value < ' ' || (value >= 0x7f && value < 0xa0) ||
	    (value >= 0x202a && value <= 0x202e) || (value >= 0x2066 && value <= 0x2069))
		return 0;
	return length;
}

void require_text(const char *bytes, size_t size, bool lines)
{
	const unsigned char *at = (const unsigned char *)bytes;
	size_t length, left;
	bool indents = lines;

	for (left = size; left; left -= length, at += length) {
		length = (lines && *at == '\n') || (indents && *at == '\t') ?
				 1 :
				 character_length(at, left);
		indents = lines && (*at == '\n' || (indents && *at == '\t'));
		require(length, "byte 0x%02x at %zu of: %.*s", *at, size - left, (int)size, bytes);
	}
}

void require_report(const struct report *report)
{
	const struct report_entry *entry;
	u64 counted = 0;
	char text[512];
	size_t i;
	u32 id;

	for (i = 0; i < report_nr_kept(report); i++) {
		entry = report_get(report, i);
		report_message(entry, text, sizeof(text));
		require(text[0], "%s without words", iommuser_finding_code(entry->finding.id));
		require_text(text, strlen(text), false);
		require_text(entry->detail, strlen(entry->detail), false);
	}
	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++)
		counted += report_count_id(report, (enum iommuser_finding_id)id);
	require(counted >= report_nr_kept(report), "%llu", (unsigned long long)counted);
	require(!strcmp(report_status(report), "ok") == !report_nr_bad(report), "%s",
		report_status(report));
}

u64 report_nr_bad(const struct report *report)
{
	return report_count(report, IOMMUSER_ERROR) + report_count(report, IOMMUSER_INCOMPLETE) +
	       report_count(report, IOMMUSER_WARNING);
}

static bool is_zero(const u8 *bytes, size_t size)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, size - 1);
}

const char *file_of(const void *bytes, size_t size)
{
	static char path[64];
	size_t at, part;

	if (the_file < 0) {
		the_file = memfd_create("fuzz", MFD_CLOEXEC);
		require(the_file >= 0, "no memfd");
		snprintf(path, sizeof(path), "/proc/self/fd/%d", the_file);
	}
	require(!ftruncate(the_file, 0) && !ftruncate(the_file, (off_t)size), "no space");
	for (at = 0; at < size; at += part) {
		part = size - at < FRAME_SIZE ? size - at : FRAME_SIZE;
		if (!is_zero((const u8 *)bytes + at, part))
			require(pwrite(the_file, (const u8 *)bytes + at, part, (off_t)at) ==
					(ssize_t)part,
				"no space");
	}
	return path;
}

void file_unchanged(const void *bytes, size_t size)
{
	u8 *now = malloc(size + 1);

	require(now, "out of memory");
	require(pread(the_file, now, size + 1, 0) == (ssize_t)size, "another size");
	require(!memcmp(now, bytes, size), "other bytes");
	free(now);
}

void expect_leaks(int *argc, char ***argv)
{
	static char option[] = "-detect_leaks=0";
	char **more;

	if (!LLVMFuzzerRunDriver)
		return;
	more = calloc((size_t)*argc + 2, sizeof(*more));
	require(more, "out of memory");
	memcpy(more, *argv, (size_t)*argc * sizeof(*more));
	more[(*argc)++] = option;
	*argv = more;
}

static void put32(u8 *at, u32 value)
{
	at[0] = (u8)value;
	at[1] = (u8)(value >> 8);
	at[2] = (u8)(value >> 16);
	at[3] = (u8)(value >> 24);
}

void seal_image(u8 *file, size_t size)
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

static void on_malloc(const volatile void *memory, size_t size)
{
	(void)memory;
	if (!allowed)
		return;
	allocated += size;
	if (allocated > allowed) {
		allowed = 0;
		require(false, "%zu bytes allocated, the last %zu at once", allocated, size);
	}
}

static void on_free(const volatile void *memory)
{
	size_t size;

	if (!allowed || !memory)
		return;
	size = __sanitizer_get_allocated_size(memory);
	allocated -= size < allocated ? size : allocated;
}

void limit_memory(size_t bytes)
{
	static bool installed;

	if (!__sanitizer_install_malloc_and_free_hooks || !__sanitizer_get_allocated_size)
		return;
	if (!installed)
		__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
	installed = true;
	allocated = 0;
	allowed = bytes;
}

UNCOUNTED_END
