// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Dumps: the numbers of their headers are found and changed, and what is no
 * dump is replaced by a small one of some format, so that what is behind the
 * headers is reached from nothing.
 *
 * Input: as dump.c has it.
 */
#include "mutate-private.h"

#include <elf.h>
#include <string.h>

#include <zlib.h>

#define ROOM (256U << 10)
#define MAX_NUMBERS 1024
#define MAX_ENTRIES 128
#define PAGE 4096U
#define PIECE_SIZE 10
#define MAX_HEAD (4 + 7 * PIECE_SIZE)
/* Of the options. */
#define HOW 7
#define HOW_PIECES 2
#define NR_HOWS 5
#define SPARSE 128
/* Zeros of this many bytes end a run of a sparse file. */
#define GAP 8
#define RUN_HEADER 6
#define LIME_MAGIC 0x4c694d45U
#define LIME_HEADER 32
#define STREAM_HEADER 4096
#define RECORD_HEADER 16
#define DESCRIPTOR 24

struct number {
	u32 at;
	u8 width;
};

/** struct entry - one of several that are alike */
struct entry {
	u32 at;
	u32 size;
};

/**
 * struct dump - an input taken apart
 * @head: the options and what is before the file
 * @bytes: of the file; of a flattened one, put in order
 * @numbers: in the file, that mean something
 */
struct dump {
	u8 head[MAX_HEAD];
	u32 head_size;
	bool flattened;
	u32 size;
	u32 nr_numbers;
	u32 nr_entries;
	struct number numbers[MAX_NUMBERS];
	struct entry entries[MAX_ENTRIES];
	u8 bytes[ROOM];
};

static struct dump the_dump;

/* Loading */

static u64 big_number(const u8 *at)
{
	u64 value = 0;
	u32 i;

	for (i = 0; i < 8; i++)
		value = value << 8 | at[i];
	return value;
}

static void put_big(u8 *at, u64 value)
{
	u32 i;

	for (i = 0; i < 8; i++)
		at[i] = (u8)(value >> (56 - 8 * i));
}

/* Return: false when there is no room. */
static bool write_file(struct dump *dump, u64 at, const u8 *bytes, u64 size)
{
	if (at > ROOM || size > ROOM - at)
		return false;
	memcpy(dump->bytes + at, bytes, size);
	if (dump->size < at + size)
		dump->size = (u32)(at + size);
	return true;
}

static bool load_runs(struct dump *dump, const u8 *data, size_t size)
{
	u64 length;

	while (size >= RUN_HEADER) {
		length = number_at(data + 4, 2);
		if (length > size - RUN_HEADER)
			length = size - RUN_HEADER;
		if (!write_file(dump, number_at(data, 4), data + RUN_HEADER, length))
			return false;
		data += RUN_HEADER + length;
		size -= RUN_HEADER + length;
	}
	return true;
}

/* Put a flattened file in order. */
static void unflatten(struct dump *dump)
{
	static u8 stream[ROOM];
	u32 at = STREAM_HEADER, size = dump->size;
	u64 length;

	if (size < STREAM_HEADER || memcmp(dump->bytes, "makedumpfile", 13))
		return;
	memcpy(stream, dump->bytes, size);
	memset(dump->bytes, 0, size);
	dump->size = 0;
	dump->flattened = true;
	while (size - at >= RECORD_HEADER) {
		length = big_number(stream + at + 8);
		if (length > size - at - RECORD_HEADER)
			return;
		write_file(dump, big_number(stream + at), stream + at + RECORD_HEADER, length);
		at += RECORD_HEADER + (u32)length;
	}
}

static bool load_dump(struct dump *dump, const u8 *data, size_t size)
{
	bool loaded;

	memset(dump->bytes, 0, sizeof(dump->bytes));
	dump->size = 0;
	dump->flattened = false;
	dump->head_size = 3;
	if (size < 4)
		return false;
	if ((data[0] & HOW) == HOW_PIECES)
		dump->head_size += 1 + data[3] % 8 * PIECE_SIZE;
	if (size < dump->head_size)
		return false;
	memcpy(dump->head, data, dump->head_size);
	data += dump->head_size;
	size -= dump->head_size;
	loaded = dump->head[0] & SPARSE ? load_runs(dump, data, size) :
					  write_file(dump, 0, data, size);
	unflatten(dump);
	return loaded && dump->size;
}

/* What means something */

static void note_number(struct dump *dump, u64 at, u32 width)
{
	if (at <= ROOM - width && dump->nr_numbers < MAX_NUMBERS)
		dump->numbers[dump->nr_numbers++] = (struct number){ (u32)at, (u8)width };
}

/* Numbers that follow one another; @widths ends with 0. */
static void note_numbers(struct dump *dump, u64 at, const char *widths)
{
	for (; *widths; at += (u32)(*widths++ - '0'))
		note_number(dump, at, (u32)(*widths - '0'));
}

/* Return: false when there are enough of them. */
static bool note_entry(struct dump *dump, u64 at, u32 size, const char *widths)
{
	if (at > ROOM - size || dump->nr_entries == MAX_ENTRIES)
		return false;
	dump->entries[dump->nr_entries++] = (struct entry){ (u32)at, size };
	note_numbers(dump, at, widths);
	return true;
}

static u64 file_number(const struct dump *dump, u64 at, u32 width)
{
	return at <= ROOM - width ? number_at(dump->bytes + at, width) : 0;
}

static void survey_elf(struct dump *dump)
{
	u64 at = file_number(dump, 32, 8), nr = file_number(dump, 56, 2), i, note;

	note_numbers(dump, 4, "111");
	note_numbers(dump, 16, "2248884222222");
	note_number(dump, file_number(dump, 40, 8) + 44, 4);
	for (i = 0; i < nr && note_entry(dump, at + 56 * i, 56, "44888888"); i++) {
		note = file_number(dump, at + 56 * i + 8, 8);
		if (file_number(dump, at + 56 * i, 4) == PT_NOTE)
			note_numbers(dump, note, "444");
	}
}

static void survey_lime(struct dump *dump)
{
	u64 at = 0, length;

	while (at < dump->size && note_entry(dump, at, LIME_HEADER, "44888")) {
		length = file_number(dump, at + 16, 8) - file_number(dump, at + 8, 8) + 1;
		if (length > ROOM)
			return;
		at += LIME_HEADER + length;
	}
}

static void survey_kdump(struct dump *dump)
{
	u64 block = file_number(dump, 428, 4), bitmap, descriptors, frames = 0, i;

	note_number(dump, 8, 4);
	note_numbers(dump, 424, "4444444444");
	if (!block || block > ROOM)
		return;
	note_numbers(dump, block, "8448888888888888");
	bitmap = (1 + file_number(dump, 432, 4)) * block;
	descriptors = bitmap + file_number(dump, 436, 4) * block;
	if (descriptors > ROOM)
		return;
	for (i = bitmap; i < bitmap + block && i < ROOM; i++)
		frames += (u32)__builtin_popcount(dump->bytes[i]);
	note_numbers(dump, bitmap, "81");
	note_numbers(dump, bitmap + block, "81");
	for (i = 0; i < frames; i++)
		if (!note_entry(dump, descriptors + DESCRIPTOR * i, DESCRIPTOR, "8448"))
			return;
}

/* Return: is it a file of a format that is known here? */
static bool survey_dump(struct dump *dump)
{
	dump->nr_numbers = 0;
	dump->nr_entries = 0;
	if (!memcmp(dump->bytes, ELFMAG, SELFMAG))
		survey_elf(dump);
	else if (file_number(dump, 0, 4) == LIME_MAGIC)
		survey_lime(dump);
	else if (!memcmp(dump->bytes, "KDUMP   ", 8))
		survey_kdump(dump);
	return dump->nr_numbers;
}

/* A small dump from nothing */

static void fill(struct mutation *m, u8 *page)
{
	memset(page, 1 + (int)below(m, 255), PAGE);
}

static void generate_elf(struct mutation *m, struct dump *dump)
{
	static const char lines[] = "OSRELEASE=7.3\nPAGESIZE=4096\n";
	u32 nr = 1 + below(m, 4), at = 64 + 56 * (nr + 1), i;
	u8 page[PAGE], *header = dump->bytes + 64, *note = dump->bytes + at;

	memcpy(dump->bytes, ELFMAG "\2\1\1", 7);
	set_number(dump->bytes + 16, ET_CORE, 2);
	set_number(dump->bytes + 18, one_in(m, 4) ? EM_AARCH64 : EM_X86_64, 2);
	set_number(dump->bytes + 20, 1, 4);
	set_number(dump->bytes + 32, 64, 8);
	set_number(dump->bytes + 52, 64, 2);
	set_number(dump->bytes + 54, 56, 2);
	set_number(dump->bytes + 56, nr + 1, 2);
	set_number(header, PT_NOTE, 4);
	set_number(header + 8, at, 8);
	set_number(header + 32, 24 + sizeof(lines), 8);
	set_number(note, 11, 4);
	set_number(note + 4, sizeof(lines) - 1, 4);
	memcpy(note + 12, "VMCOREINFO\0", 12);
	memcpy(note + 24, lines, sizeof(lines));
	at += 64;
	for (i = 0; i < nr; i++, at += PAGE) {
		header += 56;
		fill(m, page);
		set_number(header, PT_LOAD, 4);
		set_number(header + 8, at, 8);
		set_number(header + 24, PAGE * (1 + i + below(m, 3)), 8);
		set_number(header + 32, PAGE, 8);
		set_number(header + 40, PAGE, 8);
		write_file(dump, at, page, PAGE);
	}
}

static void generate_lime(struct mutation *m, struct dump *dump)
{
	u32 nr = 1 + below(m, 4), at = 0, i, length;
	u8 header[LIME_HEADER] = { 0 }, page[PAGE];

	for (i = 0; i < nr; i++, at += LIME_HEADER + length) {
		length = one_in(m, 3) ? 1 + below(m, PAGE) : PAGE;
		fill(m, page);
		set_number(header, LIME_MAGIC, 4);
		set_number(header + 4, 1, 4);
		set_number(header + 8, PAGE * 2 * (i + 1), 8);
		set_number(header + 16, PAGE * 2 * (i + 1) + length - 1, 8);
		write_file(dump, at, header, sizeof(header));
		write_file(dump, at + LIME_HEADER, page, length);
	}
}

static void generate_kdump(struct mutation *m, struct dump *dump)
{
	u32 nr = 1 + below(m, 4), packed = below(m, 2), i, frame = 0, at = 4 * PAGE;
	u32 data = at + DESCRIPTOR * nr;
	u8 page[PAGE], out[2 * PAGE];
	uLongf length;

	memcpy(dump->bytes, "KDUMP   ", 8);
	set_number(dump->bytes + 8, 1 + below(m, 6), 4);
	memcpy(dump->bytes + 12, "Linux", 6);
	memcpy(dump->bytes + 272, "x86_64", 7);
	set_number(dump->bytes + 428, PAGE, 4);
	set_number(dump->bytes + 432, 1, 4);
	set_number(dump->bytes + 436, 2, 4);
	set_number(dump->bytes + 440, 64, 4);
	set_number(dump->bytes + 460, 1, 4);
	set_number(dump->bytes + PAGE + 96, 64, 8);
	for (i = 0; i < nr; i++, at += DESCRIPTOR, data += (u32)length) {
		frame += 1 + below(m, 8);
		dump->bytes[2 * PAGE + frame / 8] |= (u8)(1 << frame % 8);
		dump->bytes[3 * PAGE + frame / 8] |= (u8)(1 << frame % 8);
		fill(m, page);
		length = sizeof(out);
		if (packed)
			compress2(out, &length, page, PAGE, 1);
		else
			length = PAGE;
		set_number(dump->bytes + at, data, 8);
		set_number(dump->bytes + at + 8, length, 4);
		set_number(dump->bytes + at + 12, packed, 4);
		write_file(dump, data, packed ? out : page, length);
	}
}

static void generate_dump(struct mutation *m, struct dump *dump)
{
	static void (*const generators[])(struct mutation * m, struct dump * dump) = {
		generate_elf,
		generate_lime,
		generate_kdump,
	};

	memset(dump->bytes, 0, sizeof(dump->bytes));
	memset(dump->head, 0, sizeof(dump->head));
	dump->size = 0;
	dump->head_size = 3;
	dump->flattened = one_in(m, 4);
	generators[below(m, ARRAY_SIZE(generators))](m, dump);
	survey_dump(dump);
}

/* Operators */

static u64 new_number(struct mutation *m, const struct dump *dump, u64 old)
{
	const struct number *other = &dump->numbers[below(m, dump->nr_numbers)];

	switch (below(m, 7)) {
	case 0:
		return number_at(dump->bytes + other->at, other->width);
	case 1:
		return old + 1 - 2 * (u64)below(m, 2);
	case 2:
		return old + PAGE - 2 * PAGE * (u64)below(m, 2);
	case 3:
		return below(m, 8);
	case 4:
		return dump->size + below(m, 3) - 1;
	case 5:
		return (1ULL << 52) - PAGE * below(m, 3);
	default:
		return any_number(m);
	}
}

static void change_number(struct mutation *m, struct dump *dump)
{
	const struct number *number = &dump->numbers[below(m, dump->nr_numbers)];
	u8 *at = dump->bytes + number->at;

	if (dump->nr_numbers)
		set_number(at, new_number(m, dump, number_at(at, number->width)), number->width);
}

/* An entry becomes another, or two change places. */
static void copy_entry(struct mutation *m, struct dump *dump)
{
	const struct entry *to = &dump->entries[below(m, dump->nr_entries)];
	const struct entry *from = &dump->entries[below(m, dump->nr_entries)];
	u8 saved[64];

	if (!dump->nr_entries || to->size > sizeof(saved))
		return;
	memcpy(saved, dump->bytes + to->at, to->size);
	memmove(dump->bytes + to->at, dump->bytes + from->at, to->size);
	if (one_in(m, 2))
		memcpy(dump->bytes + from->at, saved, from->size);
}

static void change_content(struct mutation *m, struct dump *dump)
{
	u32 at = below(m, dump->size), length = 1 + below(m, 64);

	change_bytes(m, dump->bytes + at, length < dump->size - at ? length : dump->size - at);
}

static void change_size(struct mutation *m, struct dump *dump)
{
	u32 size = one_in(m, 2) ? below(m, dump->size) : dump->size + below(m, 2 * PAGE);

	if (!size || size > ROOM)
		return;
	/* What is behind the end is zero. */
	if (size < dump->size)
		memset(dump->bytes + size, 0, dump->size - size);
	dump->size = size;
}

static void change_head(struct mutation *m, struct dump *dump)
{
	u32 how = one_in(m, 4) ? below(m, NR_HOWS) : 0, i;

	switch (below(m, 4)) {
	case 0:
		dump->head[0] ^= (u8)(8 << below(m, 4));
		break;
	case 1:
		dump->flattened = !dump->flattened;
		break;
	case 2:
		dump->head[1] = (u8)below(m, 32);
		break;
	default:
		dump->head[0] = (u8)((dump->head[0] & ~HOW) | how);
		dump->head_size = 3;
		if (how != HOW_PIECES)
			return;
		dump->head[3] = (u8)(1 + below(m, 3));
		dump->head_size += 1 + dump->head[3] * PIECE_SIZE;
		for (i = 4; i < dump->head_size; i += PIECE_SIZE) {
			set_number(dump->head + i, below(m, 3) * PAGE, 4);
			set_number(dump->head + i + 4, below(m, 8), 4);
			set_number(dump->head + i + 8, below(m, 3), 2);
		}
	}
}

/* Storing */

struct writing {
	u8 *data;
	size_t size;
	size_t max_size;
};

static bool put_run(struct writing *writing, u32 at, const u8 *bytes, u32 size)
{
	if (writing->max_size - writing->size < RUN_HEADER + (size_t)size)
		return false;
	set_number(writing->data + writing->size, at, 4);
	set_number(writing->data + writing->size + 4, size, 2);
	memcpy(writing->data + writing->size + RUN_HEADER, bytes, size);
	writing->size += RUN_HEADER + size;
	return true;
}

static u32 count_zeros(const u8 *bytes, u32 size)
{
	u32 i = 0;

	while (i < size && !bytes[i])
		i++;
	return i;
}

/* Bytes up to @GAP zeros, or the end. */
static u32 run_length(const u8 *bytes, u32 size)
{
	u32 i = 0, zeros;

	while (i < size && i < UINT16_MAX - GAP) {
		zeros = count_zeros(bytes + i, size - i);
		if (zeros >= GAP || zeros == size - i)
			break;
		i += zeros + 1;
	}
	return i;
}

static bool put_runs(struct writing *writing, const u8 *bytes, u32 size)
{
	u32 at = 0, length;

	while (at < size) {
		at += count_zeros(bytes + at, size - at);
		length = run_length(bytes + at, size - at);
		if (length && !put_run(writing, at, bytes + at, length))
			return false;
		at += length;
	}
	/* The last byte tells the size. */
	return !size || bytes[size - 1] || put_run(writing, size - 1, bytes + size - 1, 1);
}

/* In pieces, the last one first. Return: its size, 0 when there is no room. */
static u32 flatten(struct mutation *m, const struct dump *dump, u8 *stream)
{
	u32 piece = 1 + dump->size / (1 + below(m, 4)), at = STREAM_HEADER, length;
	u32 from = (dump->size - 1) / piece * piece;

	memset(stream, 0, ROOM);
	memcpy(stream, "makedumpfile", 12);
	put_big(stream + 16, 1);
	put_big(stream + 24, 1);
	for (;; from -= piece) {
		length = dump->size - from < piece ? dump->size - from : piece;
		if (length + 2 * RECORD_HEADER > ROOM - at)
			return 0;
		put_big(stream + at, from);
		put_big(stream + at + 8, length);
		memcpy(stream + at + RECORD_HEADER, dump->bytes + from, length);
		at += RECORD_HEADER + length;
		if (!from)
			break;
	}
	memset(stream + at, 0xff, RECORD_HEADER);
	at += RECORD_HEADER;
	if (one_in(m, 8))
		put_big(stream + STREAM_HEADER + 8 * below(m, 2), any_number(m));
	return at;
}

static size_t store_dump(struct mutation *m, struct dump *dump, u8 *data, size_t max_size)
{
	static u8 stream[ROOM];
	struct writing writing = { data, dump->head_size, max_size };
	const u8 *bytes = dump->bytes;
	u32 size = dump->size;

	if (dump->flattened) {
		bytes = stream;
		size = flatten(m, dump, stream);
	}
	if (!size || max_size < dump->head_size)
		return 0;
	dump->head[0] |= SPARSE;
	memcpy(data, dump->head, dump->head_size);
	return put_runs(&writing, bytes, size) ? writing.size : 0;
}

size_t change_dump(struct mutation *m, u8 *data, size_t size, size_t max_size)
{
	static void (*const operators[])(struct mutation * m, struct dump * dump) = {
		change_number,	change_number, change_number, copy_entry,
		change_content, change_size,   change_head,
	};
	struct dump *dump = &the_dump;
	u32 changes = 1 + below(m, 3);

	if (!load_dump(dump, data, size) || (!survey_dump(dump) && one_in(m, 2)) ||
	    one_in(m, 100)) {
		generate_dump(m, dump);
		changes -= one_in(m, 2);
	}
	while (changes--)
		operators[below(m, ARRAY_SIZE(operators))](m, dump);
	return store_dump(m, dump, data, max_size);
}
