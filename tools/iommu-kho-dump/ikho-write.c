// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writing portable images (docs/format.md, section 2).
 */
#define _GNU_SOURCE
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <iommuser/graph.h>

#include "ikho-format.h"
#include "ikho-write.h"
#include "whole-file.h"

/* Small enough that a reader who wants one page decodes little; large enough to compress well. */
#define SECTION_BYTES 65536
#define PRESERVED_BYTES IKHO_MAX_RAW
/* Page tables get no smaller with more, and take twice the time. */
#define COMPRESSION_LEVEL 4
#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)

/**
 * struct ikho_writer - an image on its way
 * @file: written to
 * @error: the first thing that went wrong, or ""
 * @nr_sections: written so far
 * @pages_length: bytes of memory in them
 * @phys: address of the run in @run
 * @run_length: bytes in it
 * @next_phys: lowest address that may come next
 * @run: memory that is not written yet
 * @preserved: pairs that are not written yet, or NULL
 * @preserved_length: bytes of them
 * @preserved_written: a PRESERVED section was written
 * @states: a section of states that is not written yet
 * @states_length: bytes of it, 0 for none
 * @states_kind: of the records in it, or of those before
 * @nr_states: of that kind, before this section
 * @has_states: there may be states
 * @packed: room for a compressed section
 */
struct ikho_writer {
	struct whole_file file;
	char error[256];
	u32 nr_sections;
	u64 pages_length;
	u64 phys;
	size_t run_length;
	u64 next_phys;
	u8 *run;
	u8 *preserved;
	size_t preserved_length;
	bool preserved_written;
	u8 states[SECTION_BYTES];
	size_t states_length;
	u32 states_kind;
	u64 nr_states;
	bool has_states;
	u8 *packed;
	uLong packed_size;
};

static int __attribute__((format(printf, 2, 3)))
refuse(struct ikho_writer *writer, const char *format, ...)
{
	va_list arguments;

	if (!writer->error[0]) {
		va_start(arguments, format);
		vsnprintf(writer->error, sizeof(writer->error), format, arguments);
		va_end(arguments);
	}
	return -1;
}

static void put32(u8 *to, u32 value)
{
	value = htole32(value);
	memcpy(to, &value, sizeof(value));
}

static void put64(u8 *to, u64 value)
{
	value = htole64(value);
	memcpy(to, &value, sizeof(value));
}

static int write_all(struct ikho_writer *writer, const u8 *bytes, size_t length)
{
	return whole_file_write(&writer->file, bytes, length, writer->error, sizeof(writer->error));
}

static int write_header(struct ikho_writer *writer, u32 page_shift)
{
	u8 header[IKHO_HEADER_SIZE] = { 0 };

	memcpy(header, IKHO_MAGIC, IKHO_MAGIC_SIZE);
	put32(header + IKHO_HEADER_MAJOR, IKHO_MAJOR);
	put32(header + IKHO_HEADER_MINOR, writer->has_states ? IKHO_MINOR : IKHO_MINOR_PLAIN);
	put32(header + IKHO_HEADER_PAGE_SIZE, 1U << page_shift);
	put32(header + IKHO_HEADER_CRC, (u32)crc32(0, header, IKHO_HEADER_CRC));
	return write_all(writer, header, sizeof(header));
}

/* Compressed when that is shorter. */
static int write_section(struct ikho_writer *writer, u32 type, u64 phys, const u8 *raw,
			 size_t length)
{
	uLongf packed = writer->packed_size;
	u8 header[IKHO_SECTION_SIZE];
	const u8 *stored = raw;
	size_t stored_length = length;
	u32 encoding = IKHO_STORED;

	if (writer->error[0])
		return -1;
	if (writer->nr_sections == UINT32_MAX)
		return refuse(writer, "too many sections");
	if (compress2(writer->packed, &packed, raw, length, COMPRESSION_LEVEL) != Z_OK)
		return refuse(writer, "cannot compress");
	if (packed < length) {
		stored = writer->packed;
		stored_length = packed;
		encoding = IKHO_ZLIB;
	}
	memcpy(header, IKHO_SECTION_MAGIC, IKHO_SECTION_MAGIC_SIZE);
	put32(header + IKHO_SECTION_TYPE, type);
	put32(header + IKHO_SECTION_ENCODING, encoding);
	put32(header + IKHO_SECTION_SEQUENCE, writer->nr_sections);
	put64(header + IKHO_SECTION_PHYS, phys);
	put32(header + IKHO_SECTION_RAW, (u32)length);
	put32(header + IKHO_SECTION_STORED, (u32)stored_length);
	put32(header + IKHO_SECTION_DATA_CRC,
	      stored_length ? (u32)crc32(0, stored, (uInt)stored_length) : 0);
	put32(header + IKHO_SECTION_CRC, (u32)crc32(0, header, IKHO_SECTION_CRC));
	if (write_all(writer, header, sizeof(header)) || write_all(writer, stored, stored_length))
		return -1;
	writer->nr_sections++;
	return 0;
}

static bool clean_text(const char *text, size_t size)
{
	size_t length = strnlen(text, size);

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			return false;
	return length < size;
}

static int write_info(struct ikho_writer *writer, const struct source_hints *hints)
{
	char *text;
	size_t length;
	FILE *out;
	int ret;

	if (!clean_text(hints->origin, sizeof(hints->origin)) ||
	    !clean_text(hints->abi, sizeof(hints->abi)) ||
	    !clean_text(hints->writer, sizeof(hints->writer)) ||
	    hints->nr_vtd_roots > SOURCE_MAX_VTD_ROOTS ||
	    (hints->has_states && (strcmp(hints->origin, "incoming") || !hints->has_flb)))
		return refuse(writer, "the hints cannot be written");
	out = open_memstream(&text, &length);
	if (!out)
		return refuse(writer, "out of memory");
	fprintf(out, "origin=%s\n", hints->origin[0] ? hints->origin : "unknown");
	if (hints->has_kho)
		fprintf(out, "kho=0x%llx\n", (unsigned long long)hints->kho);
	if (hints->has_luo)
		fprintf(out, "luo=0x%llx\n", (unsigned long long)hints->luo);
	if (hints->has_flb)
		fprintf(out, "flb=0x%llx\n", (unsigned long long)hints->flb);
	if (hints->abi[0])
		fprintf(out, "abi=%s\n", hints->abi);
	for (u32 i = 0; i < hints->nr_vtd_roots; i++)
		fprintf(out, "vtd-root=0x%llx:%s\n", (unsigned long long)hints->vtd_roots[i].phys,
			hints->vtd_roots[i].scalable ? "scalable" : "legacy");
	if (hints->writer[0])
		fprintf(out, "writer=%s\n", hints->writer);
	if (fclose(out))
		return refuse(writer, "out of memory");
	ret = write_section(writer, IKHO_INFO, 0, (const u8 *)text, length);
	free(text);
	return ret;
}

static int allocate(struct ikho_writer *writer)
{
	writer->packed_size = compressBound(PRESERVED_BYTES);
	writer->packed = malloc(writer->packed_size);
	writer->run = malloc(SECTION_BYTES);
	if (!writer->packed || !writer->run)
		return refuse(writer, "out of memory");
	return 0;
}

void ikho_abandon(struct ikho_writer *writer)
{
	if (!writer)
		return;
	whole_file_close(&writer->file);
	free(writer->run);
	free(writer->preserved);
	free(writer->packed);
	free(writer);
}

struct ikho_writer *ikho_create(const char *path, u32 page_shift, const struct source_hints *hints,
				char *message, size_t message_size)
{
	struct ikho_writer *writer = calloc(1, sizeof(*writer));

	if (!writer) {
		snprintf(message, message_size, "out of memory");
		return NULL;
	}
	writer->file = (struct whole_file)WHOLE_FILE_NONE;
	writer->has_states = hints->has_states;
	if (page_shift != 12 && page_shift != 14 && page_shift != 16)
		refuse(writer, "pages of 2^%u bytes are not supported", page_shift);
	else if (!allocate(writer) &&
		 !whole_file_open(&writer->file, path, writer->error, sizeof(writer->error)) &&
		 !write_header(writer, page_shift) && !write_info(writer, hints))
		return writer;
	snprintf(message, message_size, "%s", writer->error);
	ikho_abandon(writer);
	return NULL;
}

static int flush_run(struct ikho_writer *writer)
{
	if (!writer->run_length)
		return 0;
	if (write_section(writer, IKHO_PAGES, writer->phys, writer->run, writer->run_length))
		return -1;
	writer->pages_length += writer->run_length;
	writer->run_length = 0;
	return 0;
}

/* Sections end at multiples of their size, so that no large page is cut. */
static int add_part(struct ikho_writer *writer, u64 phys, const u8 *data, size_t *length)
{
	size_t room = SECTION_BYTES - (size_t)(phys % SECTION_BYTES);

	if (writer->run_length && writer->phys + writer->run_length != phys && flush_run(writer))
		return -1;
	if (!writer->run_length)
		writer->phys = phys;
	if (*length > room)
		*length = room;
	memcpy(writer->run + writer->run_length, data, *length);
	writer->run_length += *length;
	return *length == room ? flush_run(writer) : 0;
}

int ikho_add_pages(struct ikho_writer *writer, u64 phys, const void *data, size_t length)
{
	const u8 *from = data;

	if (writer->error[0])
		return -1;
	if (phys % IKHO_UNIT || length % IKHO_UNIT || phys >= PHYS_END ||
	    length > PHYS_END - phys || phys < writer->next_phys)
		return refuse(writer, "memory of %zu bytes at 0x%llx cannot be next", length,
			      (unsigned long long)phys);
	writer->next_phys = phys + length;
	while (length) {
		size_t part = length;

		if (add_part(writer, phys, from, &part))
			return -1;
		from += part;
		phys += part;
		length -= part;
	}
	return 0;
}

static int flush_preserved(struct ikho_writer *writer)
{
	if (!writer->preserved || (writer->preserved_written && !writer->preserved_length))
		return 0;
	if (write_section(writer, IKHO_PRESERVED, 0, writer->preserved, writer->preserved_length))
		return -1;
	writer->preserved_written = true;
	writer->preserved_length = 0;
	return 0;
}

void ikho_begin_preserved(struct ikho_writer *writer)
{
	if (writer->preserved)
		return;
	writer->preserved = malloc(PRESERVED_BYTES);
	if (!writer->preserved)
		refuse(writer, "out of memory");
}

int ikho_add_preserved(struct ikho_writer *writer, u64 phys, u64 length)
{
	ikho_begin_preserved(writer);
	if (writer->error[0])
		return -1;
	if (phys % IKHO_UNIT || length % IKHO_UNIT || !length || phys >= PHYS_END ||
	    length > PHYS_END - phys)
		return refuse(writer, "0x%llx preserved bytes at 0x%llx cannot be",
			      (unsigned long long)length, (unsigned long long)phys);
	put64(writer->preserved + writer->preserved_length, phys);
	put64(writer->preserved + writer->preserved_length + 8, length);
	writer->preserved_length += IKHO_PAIR_SIZE;
	return writer->preserved_length == PRESERVED_BYTES ? flush_preserved(writer) : 0;
}

static int flush_states(struct ikho_writer *writer)
{
	size_t length = writer->states_length;

	if (!length)
		return 0;
	put32(writer->states + IKHO_STATES_KIND, writer->states_kind);
	put32(writer->states + IKHO_STATES_ZERO, 0);
	put64(writer->states + IKHO_STATES_FIRST, writer->nr_states);
	if (write_section(writer, IKHO_STATES, 0, writer->states, length))
		return -1;
	writer->nr_states += length - IKHO_STATES_HEADER_SIZE;
	writer->states_length = 0;
	return 0;
}

int ikho_add_state(struct ikho_writer *writer, u32 kind, u32 state)
{
	if (writer->error[0])
		return -1;
	if (!writer->has_states || kind < IOMMUSER_KIND_IOMMU || kind > IOMMUSER_KIND_DEVICE ||
	    kind < writer->states_kind || state > IOMMUSER_FINISHED)
		return refuse(writer, "state %u of a record of kind %u cannot be next", state,
			      kind);
	if (kind != writer->states_kind) {
		if (flush_states(writer))
			return -1;
		writer->states_kind = kind;
		writer->nr_states = 0;
	}
	if (!writer->states_length)
		writer->states_length = IKHO_STATES_HEADER_SIZE;
	writer->states[writer->states_length++] = (u8)state;
	return writer->states_length == sizeof(writer->states) ? flush_states(writer) : 0;
}

static int write_end(struct ikho_writer *writer)
{
	u8 raw[IKHO_END_SIZE];

	put64(raw, writer->nr_sections);
	put64(raw + 8, writer->pages_length);
	return write_section(writer, IKHO_END, 0, raw, sizeof(raw));
}

int ikho_finish(struct ikho_writer *writer, char *message, size_t message_size)
{
	if (!writer->error[0] && !flush_run(writer) && !flush_preserved(writer) &&
	    !flush_states(writer) && !write_end(writer) &&
	    !whole_file_finish(&writer->file, writer->error, sizeof(writer->error))) {
		ikho_abandon(writer);
		return 0;
	}
	snprintf(message, message_size, "%s", writer->error);
	ikho_abandon(writer);
	return -1;
}
