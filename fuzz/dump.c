// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: dumps of memory of every format but the portable image: ELF,
 * kdump-compressed, both flattened too, LiME, raw memory, and what libkdumpfile
 * makes of other files.
 *
 * Input: options u8 (bits 0-2: 0 by content, 1 --flat, 2 --map, 3 and 4
 * --qemu-ram pc and q35; bits 3-4: page size stated, 0 not, 4, 16, 64 KiB; bit
 * 5: by force; bit 6: checked late; bit 7: the file is sparse), base u16 (frame,
 * of --flat), for --map nr u8 (of 8) and as many pieces {offset u32, frame u32,
 * frames u16}, then the file: its bytes, or, sparse, runs {offset u32, length
 * u16, bytes}.
 *
 * Checks S1 S3 S19 S20 S21: memory is there exactly where a reader of the
 * target's own finds it in the file, with these bytes, or it is missing; nothing
 * else is given, least of all zeros; memory is bounded by the file and a
 * constant; the file is not changed, nothing is left open; a refusal has words.
 */
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "ikho-format.h"
#include "tool.h"

#define MAX_FILE (1U << 20)
#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)
#define MAX_PIECES 8192
#define MAX_RANGES 2048
/* Of these the ends are looked at closely. */
#define CLOSELY 64
/* What libkdumpfile keeps of a file with pages of 64 KiB, and what formats keep beside it. */
#define CONSTANT_MEMORY ((size_t)192 << 20)

/** struct piece - memory in the file */
struct piece {
	u64 phys;
	u64 end;
	u64 offset;
	bool doubtful;
};

/** struct record - of a flattened stream: where its bytes belong, where they are */
struct record {
	u64 offset;
	u64 length;
	u64 at;
};

enum kind {
	KIND_NONE,
	KIND_PIECES,
	KIND_KDUMP
};

/**
 * struct naive - the file, read by hand
 * @file: as it is
 * @records: of a flattened stream, the later ones count
 * @pieces: of formats that have them
 * @descriptors, and so on: of a kdump-compressed file
 */
static struct {
	u8 file[MAX_FILE];
	size_t size;
	struct record records[MAX_PIECES];
	size_t nr_records;
	bool flattened;
	struct piece pieces[MAX_PIECES];
	size_t nr_pieces;
	enum kind kind;
	u64 block;
	u64 bitmap;
	u64 descriptors;
	u64 max_frame;
} naive;

UNCOUNTED_BEGIN

static const struct record *record_at(u64 offset)
{
	size_t i;

	for (i = naive.nr_records; i; i--)
		if (offset >= naive.records[i - 1].offset &&
		    offset - naive.records[i - 1].offset < naive.records[i - 1].length)
			return &naive.records[i - 1];
	return NULL;
}

/* A byte of the file, or of what a flattened one is put in order to. */
static bool file_byte(u64 offset, u8 *byte)
{
	const struct record *record;

	*byte = 0;
	if (naive.flattened) {
		record = record_at(offset);
		if (!record)
			return false;
		offset = record->at + (offset - record->offset);
	}
	if (offset >= naive.size)
		return false;
	*byte = naive.file[offset];
	return true;
}

/* Little-endian; what is not there is 0. */
static u64 file_number(u64 offset, u32 width)
{
	u64 value = 0;
	u8 byte;
	u32 i;

	for (i = 0; i < width; i++) {
		file_byte(offset + i, &byte);
		value |= (u64)byte << (8 * i);
	}
	return value;
}

static u64 stream_number(size_t at)
{
	u64 value = 0;
	u32 i;

	for (i = 0; i < 8; i++)
		value = value << 8 | naive.file[at + i];
	return value;
}

/* Records follow a header of 4096 bytes, up to one of ones. */
static void read_stream(void)
{
	size_t at = 4096;
	u64 offset, length;

	naive.nr_records = 0;
	naive.flattened = naive.size >= 16 && !memcmp(naive.file, "makedumpfile\0\0\0", 16);
	while (naive.flattened && at + 16 <= naive.size && naive.nr_records < MAX_PIECES) {
		offset = stream_number(at);
		length = stream_number(at + 8);
		at += 16;
		if (offset > INT64_MAX || !length || length > INT64_MAX - offset)
			return;
		if (length > naive.size - at)
			length = naive.size - at;
		naive.records[naive.nr_records++] = (struct record){ offset, length, at };
		at += length;
	}
}

static void add_piece(u64 phys, u64 length, u64 offset)
{
	/* What is beyond all offsets is in no file. */
	if (!length || phys >= PHYS_END || length > PHYS_END - phys ||
	    offset > UINT64_MAX - length || naive.nr_pieces == MAX_PIECES)
		return;
	naive.pieces[naive.nr_pieces++] = (struct piece){ phys, phys + length, offset, false };
}

/* Where the file ends, or what a flattened one is put in order to. */
static u64 file_end(void)
{
	u64 end = 0;
	size_t i;

	if (!naive.flattened)
		return naive.size;
	for (i = 0; i < naive.nr_records; i++)
		end = larger(end, naive.records[i].offset + naive.records[i].length);
	return end;
}

/* A header that is cut off is none. */
static void read_elf(void)
{
	u64 at = file_number(32, 8), nr = file_number(56, 2), end = file_end(), i, length, phys;

	if (nr == PN_XNUM)
		nr = file_number(file_number(40, 8) + 44, 4);
	for (i = 0; i < nr && i < MAX_FILE / 56 && at <= end && 56 * (i + 1) <= end - at; i++) {
		phys = file_number(at + 56 * i + 24, 8);
		length = file_number(at + 56 * i + 32, 8);
		if (length > file_number(at + 56 * i + 40, 8))
			length = file_number(at + 56 * i + 40, 8);
		if (file_number(at + 56 * i, 4) == PT_LOAD && phys != UINT64_MAX)
			add_piece(phys, length, file_number(at + 56 * i + 8, 8));
	}
}

/* Ranges that share memory are doubtful: which of them is right? */
static void find_doubtful(void)
{
	struct piece *a, *b, *end = naive.pieces + naive.nr_pieces;

	for (a = naive.pieces; a < end; a++)
		for (b = naive.pieces; b < end; b++)
			if (a != b && a->phys < b->end && b->phys < a->end)
				a->doubtful = true;
}

static void read_lime(void)
{
	u64 at, first, last, length;

	for (at = 0; at + 32 <= naive.size; at += 32 + length) {
		first = file_number(at + 8, 8);
		last = file_number(at + 16, 8);
		if (file_number(at, 4) != 0x4c694d45 || file_number(at + 4, 4) != 1 ||
		    first > last || last >= PHYS_END)
			break;
		length = last - first + 1;
		if (length > naive.size - at - 32)
			length = naive.size - at - 32;
		add_piece(first, length, at + 32);
	}
	find_doubtful();
}

static void read_raw(const struct source_options *options)
{
	u64 low = options->qemu_machine && !strcmp(options->qemu_machine, "pc") ? 0xe0000000 :
										  0xb0000000;
	u32 i;

	if (options->flat)
		add_piece(options->flat_base, naive.size, 0);
	if (options->qemu_machine) {
		require(naive.size < low, "a larger file than the target can make");
		add_piece(0, naive.size, 0);
	}
	for (i = 0; i < options->nr_pieces; i++)
		add_piece(options->pieces[i].phys, options->pieces[i].length,
			  options->pieces[i].offset);
}

/* A header block, sub-headers, one or two bitmaps, descriptors in order of the frames. */
static void read_kdump(void)
{
	u64 version = file_number(8, 4), bytes;

	naive.block = file_number(428, 4);
	naive.max_frame = file_number(440, 4);
	if (version >= 6 && file_number(432, 4))
		naive.max_frame = file_number(naive.block + 96, 8);
	naive.bitmap = (1 + file_number(432, 4)) * naive.block;
	bytes = file_number(436, 4) * naive.block;
	naive.descriptors = naive.bitmap + bytes;
	if (naive.max_frame <= bytes * 4)
		naive.bitmap += bytes / 2;
}

static void read_naively(const struct source_options *options, const char *format)
{
	naive.nr_pieces = 0;
	naive.kind = KIND_PIECES;
	naive.flattened = false;
	if (options->flat || options->nr_pieces || options->qemu_machine) {
		read_raw(options);
		return;
	}
	read_stream();
	if (!strncmp(format, "ELF vmcore", 10))
		read_elf();
	else if (!strcmp(format, "LiME dump"))
		read_lime();
	else if (!strncmp(format, "kdump-compressed", 16))
		naive.kind = KIND_KDUMP;
	else
		naive.kind = KIND_NONE;
	if (naive.kind == KIND_KDUMP)
		read_kdump();
}

/* The first piece in order of addresses, then of offsets. */
static bool piece_byte(u64 phys, u8 *byte)
{
	const struct piece *piece, *best = NULL;

	for (piece = naive.pieces; piece < naive.pieces + naive.nr_pieces; piece++) {
		if (phys < piece->phys || phys >= piece->end || piece->doubtful ||
		    !file_byte(piece->offset + (phys - piece->phys), byte))
			continue;
		if (!best || piece->phys < best->phys ||
		    (piece->phys == best->phys && piece->offset < best->offset))
			best = piece;
	}
	return best && file_byte(best->offset + (phys - best->phys), byte);
}

/* Which of two pieces is first is not said where a flattened file has gaps in them. */
static bool some_piece_has(u64 phys, u8 wanted)
{
	const struct piece *piece;
	u8 byte;

	for (piece = naive.pieces; piece < naive.pieces + naive.nr_pieces; piece++)
		if (phys >= piece->phys && phys < piece->end &&
		    file_byte(piece->offset + (phys - piece->phys), &byte) && byte == wanted)
			return true;
	return false;
}

static bool is_right(u64 phys, u8 found, u8 wanted)
{
	return found == wanted || (naive.flattened && some_piece_has(phys, found));
}

static u64 descriptor_of(u64 frame)
{
	u64 at = naive.descriptors, i;

	for (i = 0; i < frame; i++)
		if (file_number(naive.bitmap + i / 8, 1) >> (i % 8) & 1)
			at += 24;
	return at;
}

UNCOUNTED_END

/* Memory that was read: is it what the file has there, where that can be told? */
static void check_kdump_page(u64 phys, const u8 *bytes)
{
	static u8 packed[MAX_FILE], plain[65536];
	u64 block = naive.block, frame, descriptor, offset, length, flags, i;
	uLongf got = sizeof(plain);

	require(block >= FRAME_SIZE && block <= sizeof(plain), "blocks of %llu bytes",
		(unsigned long long)block);
	frame = phys / block;
	require(frame < naive.max_frame &&
			file_number(naive.bitmap + frame / 8, 1) >> (frame % 8) & 1,
		"%#llx is not in the file", (unsigned long long)phys);
	descriptor = descriptor_of(frame);
	offset = file_number(descriptor, 8);
	length = file_number(descriptor + 8, 4);
	flags = file_number(descriptor + 12, 4);
	if (flags & ~1ULL)
		return;
	require(length <= MAX_FILE, "%#llx has %llu bytes", (unsigned long long)phys,
		(unsigned long long)length);
	for (i = 0; i < length; i++)
		require(file_byte(offset + i, &packed[i]), "%#llx: byte %llu is not in the file",
			(unsigned long long)phys, (unsigned long long)i);
	if (flags) {
		require(uncompress(plain, &got, packed, length) == Z_OK && got == block,
			"%#llx cannot be unpacked", (unsigned long long)phys);
	} else {
		require(length == block, "%#llx has %llu bytes", (unsigned long long)phys,
			(unsigned long long)length);
		memcpy(plain, packed, length);
	}
	require(!memcmp(plain + phys % block, bytes, FRAME_SIZE), "%#llx: other bytes",
		(unsigned long long)phys);
}

static void check_bytes(struct source *source, u64 phys, u64 length)
{
	static u8 bytes[FRAME_SIZE];
	enum source_status status = source_read(source, phys, bytes, length);
	bool whole = true;
	u8 byte;
	u64 i;

	require(status == SOURCE_OK || status == SOURCE_MISSING || status == SOURCE_FAILED, "%u",
		(u32)status);
	require(source_last_status(source) == status, "%u", (u32)status);
	if (status == SOURCE_FAILED)
		require(source_error(source)[0] && source_broken(source), "failed without words");
	if (naive.kind == KIND_KDUMP && status == SOURCE_OK && length == FRAME_SIZE)
		check_kdump_page(phys, bytes);
	if (naive.kind != KIND_PIECES)
		return;
	require(status != SOURCE_FAILED, "%#llx: %s", (unsigned long long)phys,
		source_error(source));
	for (i = 0; i < length && whole; i++) {
		whole = piece_byte(phys + i, &byte);
		require(status != SOURCE_OK || (whole && is_right(phys + i, bytes[i], byte)),
			"%#llx is %#x, not %#x", (unsigned long long)(phys + i), bytes[i],
			whole ? byte : 0x100);
	}
	require(status == SOURCE_OK || !whole, "%#llx is missing", (unsigned long long)phys);
}

/* By pointer and by copy, in one and over two pages, beside what is there. */
static void check_around(struct source *source, u64 phys)
{
	u64 page = phys / FRAME_SIZE * FRAME_SIZE;
	const u8 *mapped;
	u8 byte;

	if (page >= PHYS_END)
		return;
	check_bytes(source, page, FRAME_SIZE);
	if (page >= FRAME_SIZE)
		check_bytes(source, page - 9, 18);
	if (phys < PHYS_END) {
		mapped = source_map(source, phys, 1);
		require((source_read(source, phys, &byte, 1) == SOURCE_OK) == (mapped != NULL),
			"%#llx", (unsigned long long)phys);
		require(!mapped || *mapped == byte, "%#llx", (unsigned long long)phys);
	}
}

/* What a range says is there can be read, where the target can tell. */
static void check_there(struct source *source, u64 phys)
{
	u8 bytes[8];

	if (naive.kind == KIND_PIECES)
		require(source_read(source, phys, bytes, sizeof(bytes)) == SOURCE_OK, "%#llx",
			(unsigned long long)phys);
}

static void check_ranges(struct source *source)
{
	u64 page = 1ULL << source_page_shift(source), from = 0, start, end;
	u32 nr = 0;

	while (nr++ < MAX_RANGES && source_next_range(source, from, &start, &end)) {
		require(start >= from && end > start && end <= PHYS_END && !(start % page) &&
				!(end % page),
			"%#llx to %#llx", (unsigned long long)start, (unsigned long long)end);
		check_there(source, start);
		check_there(source, end - sizeof(u64));
		if (nr > CLOSELY) {
			check_bytes(source, start, 8);
		} else {
			check_around(source, start);
			check_around(source, end - page);
			check_around(source, end);
		}
		from = end;
	}
}

static void check_opened(struct source *source, const struct source_options *options)
{
	u32 i, shift = source_page_shift(source);

	require(shift == 12 || shift == 14 || shift == 16, "%u", shift);
	require(!options->page_shift || shift == options->page_shift, "%u", shift);
	require_text(source_format(source), strlen(source_format(source)), false);
	for (i = 0; source_loss(source, i); i++)
		require_text(source_loss(source, i), strlen(source_loss(source, i)), false);
	require(!i || options->force, "%u losses without force", i);
	read_naively(options, source_format(source));
	check_ranges(source);
	for (i = 0; i < naive.nr_pieces && i < CLOSELY; i++) {
		check_around(source, naive.pieces[i].phys);
		check_around(source, naive.pieces[i].end - 1);
		check_around(source, naive.pieces[i].end);
	}
	check_around(source, 0);
	check_around(source, PHYS_END - 1);
}

static void take_options(struct source_options *options, struct input *input, u64 choice)
{
	static const u32 shifts[] = { 0, 12, 14, 16 };
	u64 base = input_take(input, 2) * FRAME_SIZE, how = choice & 7;
	struct source_piece *piece;

	options->page_shift = shifts[choice >> 3 & 3];
	options->force = choice & 32;
	options->lazy = choice & 64;
	options->flat = how == 1;
	options->flat_base = base;
	options->qemu_machine = how == 3 ? "pc" : how == 4 ? "q35" : NULL;
	if (how != 2)
		return;
	for (options->nr_pieces = input_take(input, 1) % 8; options->nr_pieces;) {
		piece = &options->pieces[--options->nr_pieces];
		piece->offset = input_take(input, 4);
		piece->phys = input_take(input, 4) * FRAME_SIZE;
		piece->length = (1 + input_take(input, 2)) * FRAME_SIZE;
	}
}

/* The number of pieces is counted down while they are taken. */
static u32 peek_nr_pieces(const struct input *input, u64 choice)
{
	return (choice & 7) == 2 && input->left > 2 ? input->at[2] % 8 : 0;
}

static void take_file(struct input *input, bool sparse)
{
	u64 offset, length;

	naive.size = 0;
	memset(naive.file, 0, sizeof(naive.file));
	if (!sparse) {
		naive.size = input->left < MAX_FILE ? input->left : MAX_FILE;
		memcpy(naive.file, input->at, naive.size);
		return;
	}
	while (input->left) {
		offset = input_take(input, 4) % MAX_FILE;
		length = input_take(input, 2);
		for (; length && input->left && offset < MAX_FILE; length--, offset++)
			naive.file[offset] = (u8)input_take(input, 1);
		/* What is left out is zero. */
		offset = offset + length < MAX_FILE ? offset + length : MAX_FILE;
		naive.size = larger(naive.size, offset);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	expect_leaks(argc, argv);
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	u64 choice = input_take(&input, 1);
	struct source_options options = { 0 };
	u32 nr_pieces = peek_nr_pieces(&input, choice);
	char message[512] = "";
	struct source *source;
	const char *path;
	int fd;

	take_options(&options, &input, choice);
	options.nr_pieces = nr_pieces;
	take_file(&input, choice & 128);
	/* Portable images have a target of their own. */
	if (naive.size >= IKHO_MAGIC_SIZE && !memcmp(naive.file, IKHO_MAGIC, IKHO_MAGIC_SIZE))
		return 0;
	path = file_of(naive.file, naive.size);
	fd = dup(STDERR_FILENO);
	close(fd);
	setenv("TMPDIR", "/dev/shm", 1);
	limit_memory(CONSTANT_MEMORY + 16 * naive.size);
	source = source_open(path, &options, message, sizeof(message));
	if (source)
		check_opened(source, &options);
	else
		require(message[0], "refused without words");
	require_text(message, strlen(message), false);
	source_close(source);
	limit_memory(0);
	require(dup(STDERR_FILENO) == fd && !close(fd), "a file was left open");
	file_unchanged(naive.file, naive.size);
	return 0;
}
