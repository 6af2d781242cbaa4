// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Kdump-compressed dumps, read with libkdumpfile, which is given no file of
 * another format. It takes bytes behind the end of a file for zeros (and maps
 * the file, which is worse), so the bitmap and each page's descriptor are
 * checked here before a page is read.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <libkdumpfile/kdumpfile.h>

#include "little-endian.h"
#include "source-private.h"

/* Fields of the file header of a 64-bit machine, and of the sub-header. */
#define HEADER_SIZE 464
#define HEADER_VERSION 8
#define HEADER_BLOCK_SIZE 428
#define HEADER_SUB_BLOCKS 432
#define HEADER_BITMAP_BLOCKS 436
#define HEADER_MAX_FRAME 440
#define SUB_SIZE 104
#define SUB_SPLIT 12
#define SUB_VMCOREINFO 32
#define SUB_NOTES 48
#define SUB_ERASEINFO 64
#define SUB_MAX_FRAME 96
#define VERSION_SPLIT 2
#define VERSION_VMCOREINFO 3
#define VERSION_NOTES 4
#define VERSION_ERASEINFO 5
#define VERSION_WIDE 6

#define MIN_BLOCK 4096
#define MAX_BLOCK 65536
#define MAX_SUB_BLOCKS 4096
#define MAX_FRAMES (1ULL << 34)
#define MAX_EXTRA (64ULL << 20)
#define DESCRIPTOR_SIZE 24
#define COMPRESSION_FLAGS 0x27
/* How the names of such notes begin. */
#define VMCOREINFO "VMCOREINFO"
/* The number of dumped pages before each run of this many frames is kept. */
#define RUN_FRAMES 4096
#define RUN_BYTES (RUN_FRAMES / 8)
#define RUNS_PER_READ 128
/* How far from the end the check for truncation looks for a page that is not zero. */
#define TAIL_BATCH 512
#define TAIL_BATCHES 128

/**
 * struct kdump_state - a dump open in libkdumpfile
 * @context: its context
 * @space: address space that it reads
 * @pages: bitmap of the pages that the file holds, or NULL
 * @max_frame: frames from here on do not exist
 * @shift: log2 of the library's page size
 * @ranks: dumped pages before each run of frames
 * @nr_dumped: dumped pages
 * @version: of the header
 * @block: block size, which is the page size
 * @bitmap: offset of the bitmap of dumped pages
 * @descriptors: offset of the page descriptors
 * @data: offset of the pages' data
 */
struct kdump_state {
	kdump_ctx_t *context;
	kdump_addrspace_t space;
	kdump_bmp_t *pages;
	u64 max_frame;
	u32 shift;
	u64 *ranks;
	u64 nr_dumped;
	u32 version;
	u64 block;
	u64 bitmap;
	u64 descriptors;
	u64 data;
};

static const char *library_error(kdump_ctx_t *context, kdump_status status)
{
	const char *text = kdump_get_err(context);

	return text && *text ? text : kdump_strerror(status);
}

static u32 shift_of(u64 size)
{
	return size && !(size & (size - 1)) ? (u32)__builtin_ctzll(size) : 0;
}

static kdump_ctx_t **retired;
static size_t nr_retired;

/*
 * kdump_free() of libkdumpfile 0.5.1 uses memory that it has freed before,
 * when the file was (or seemed) kdump-compressed. A program opens one or two
 * such files, so their contexts are kept until it ends.
 */
static void retire(kdump_ctx_t *context)
{
	kdump_ctx_t **more = reallocarray(retired, nr_retired + 1, sizeof(kdump_ctx_t *));

	if (!more)
		return;
	retired = more;
	retired[nr_retired++] = context;
}

static kdump_ctx_t *open_library(struct source *source)
{
	kdump_ctx_t *context = kdump_new();
	kdump_status status;

	if (!context) {
		source_note(source, "out of memory");
		return NULL;
	}
	/* A mapping would crash on a file that someone cuts meanwhile; where this is not known, nothing is lost. */
	kdump_set_number_attr(context, KDUMP_ATTR_FILE_MMAP_POLICY, KDUMP_MMAP_NEVER);
	kdump_clear_err(context);
	status = kdump_open_fd(context, source->fd);
	if (status == KDUMP_OK)
		return context;
	source_note(source, "libkdumpfile: %s", library_error(context, status));
	retire(context);
	return NULL;
}

/* log2 of the library's page size; 0: it does not know. Return: 0, or -1 after source_refuse() */
static int find_shift(struct source *source, kdump_ctx_t *context, u32 *shift)
{
	kdump_num_t number;

	*shift = 0;
	if (kdump_get_number_attr(context, KDUMP_ATTR_BYTE_ORDER, &number) == KDUMP_OK &&
	    number != KDUMP_LITTLE_ENDIAN)
		return source_refuse(source,
				     "the dump of a big-endian machine, which is not supported");
	if (kdump_get_number_attr(context, KDUMP_ATTR_PAGE_SIZE, &number) == KDUMP_OK)
		*shift = shift_of(number);
	if (*shift && !source->page_shift && *shift != 12 && *shift != 14 && *shift != 16)
		return source_refuse(
			source,
			"the dump of a machine with pages of %llu bytes, which is not supported",
			(unsigned long long)number);
	return 0;
}

static kdump_bmp_t *get_bitmap(kdump_ctx_t *context, const char *key)
{
	kdump_attr_t attribute = { .type = KDUMP_BITMAP };

	if (kdump_get_typed_attr(context, key, &attribute) != KDUMP_OK)
		return NULL;
	kdump_bmp_incref(attribute.val.bitmap);
	return attribute.val.bitmap;
}

static int open_state(struct source *source, struct kdump_state *state)
{
	u32 shift;

	state->space = KDUMP_MACHPHYSADDR;
	state->context = open_library(source);
	if (!state->context || find_shift(source, state->context, &shift))
		return -1;
	state->pages = get_bitmap(state->context, KDUMP_ATTR_FILE_PAGEMAP);
	if (!state->pages)
		state->pages = get_bitmap(state->context, KDUMP_ATTR_MEMORY_PAGEMAP);
	state->shift = shift ? shift : IOMMUSER_MIN_PAGE_SHIFT;
	if (!source->page_shift)
		source->page_shift = state->shift;
	kdump_clear_err(state->context);
	return 0;
}

static bool kdump_probe(const u8 *head, size_t length)
{
	return length >= 8 && (!memcmp(head, "KDUMP   ", 8) || !memcmp(head, "DISKDUMP", 8));
}

static int check_extra(struct source *source, const u8 *field, const char *what)
{
	u64 offset = get64(field), length = get64(field + 8);

	if (length > MAX_EXTRA)
		return source_refuse(source, "damaged: %llu bytes of %s",
				     (unsigned long long)length, what);
	if (!length || source_file_covers(source, offset, length))
		return 0;
	return source_lose(
		source,
		"truncated: %llu bytes of %s are from offset %llu on, the file ends at %llu",
		(unsigned long long)length, what, (unsigned long long)offset,
		(unsigned long long)source->file_size);
}

/* A line that begins with a dot crashes libkdumpfile 0.5.1; no kernel writes one. */
static int check_lines(struct source *source, const char *text, size_t length)
{
	if (!length || (text[0] != '.' && !memmem(text, length, "\n.", 2)))
		return 0;
	return source_refuse(source, "damaged: a line of VMCOREINFO begins with a dot");
}

static int check_notes(struct source *source, const char *notes, size_t length)
{
	struct elf_note note;

	while (source_next_note(&notes, &length, &note))
		if (note.name_length >= strlen(VMCOREINFO) &&
		    !memcmp(note.name, VMCOREINFO, strlen(VMCOREINFO)) &&
		    check_lines(source, note.content, note.length))
			return -1;
	return 0;
}

/* What the library makes of text in the file, as far as the file has it. */
static int check_text(struct source *source, const u8 *field,
		      int (*check)(struct source *source, const char *text, size_t length))
{
	u64 offset = get64(field),
	    left = offset < source->file_size ? source->file_size - offset : 0;
	size_t length = (size_t)(get64(field + 8) < left ? get64(field + 8) : left);
	char *text;
	int ret;

	if (!length)
		return 0;
	text = malloc(length);
	if (!text)
		return source_refuse(source, "out of memory for %zu bytes of notes", length);
	ret = source_file_read(source, text, length, offset, "notes");
	if (!ret)
		ret = check(source, text, length);
	free(text);
	return ret;
}

static int read_sub_header(struct source *source, struct kdump_state *state, u32 blocks)
{
	u8 sub[SUB_SIZE] = { 0 };

	if (state->version < VERSION_SPLIT)
		return 0;
	/* The library would read one all the same. */
	if (!blocks)
		return source_refuse(source, "damaged: a kdump of version %u without a sub-header",
				     state->version);
	if (source_file_read(source, sub, sizeof(sub), state->block, "kdump sub-header"))
		return -1;
	if (get32(sub + SUB_SPLIT))
		return source_refuse(
			source,
			"one part of a split dump (makedumpfile --reassemble joins the parts)");
	if (state->version >= VERSION_WIDE)
		state->max_frame = get64(sub + SUB_MAX_FRAME);
	if (state->version >= VERSION_VMCOREINFO &&
	    (check_extra(source, sub + SUB_VMCOREINFO, "VMCOREINFO lines") ||
	     check_text(source, sub + SUB_VMCOREINFO, check_lines)))
		return -1;
	if (state->version >= VERSION_NOTES && (check_extra(source, sub + SUB_NOTES, "ELF notes") ||
						check_text(source, sub + SUB_NOTES, check_notes)))
		return -1;
	if (state->version >= VERSION_ERASEINFO &&
	    check_extra(source, sub + SUB_ERASEINFO, "erase lines"))
		return -1;
	return 0;
}

/* Two bitmaps, the second of which counts; or one, when there is no room for two. */
static int read_header(struct source *source, struct kdump_state *state)
{
	u64 bitmap_bytes, sub_blocks;
	u8 header[HEADER_SIZE];

	if (source_file_read(source, header, sizeof(header), 0, "kdump header"))
		return -1;
	state->version = get32(header + HEADER_VERSION);
	state->block = get32(header + HEADER_BLOCK_SIZE);
	sub_blocks = get32(header + HEADER_SUB_BLOCKS);
	state->max_frame = get32(header + HEADER_MAX_FRAME);
	bitmap_bytes = get32(header + HEADER_BITMAP_BLOCKS) * state->block;
	if (!shift_of(state->block) || state->block < MIN_BLOCK || state->block > MAX_BLOCK ||
	    sub_blocks > MAX_SUB_BLOCKS)
		return source_refuse(
			source,
			"a kdump header that is damaged or not of a 64-bit little-endian machine");
	if (read_sub_header(source, state, (u32)sub_blocks))
		return -1;
	if (!state->max_frame)
		return source_refuse(source, "a kdump-compressed file without any memory in it");
	if (state->max_frame > MAX_FRAMES || state->max_frame > bitmap_bytes * 8)
		return source_refuse(source, "damaged: a bitmap of %llu bytes for %llu pages",
				     (unsigned long long)bitmap_bytes,
				     (unsigned long long)state->max_frame);
	state->bitmap = (1 + sub_blocks) * state->block;
	state->descriptors = state->bitmap + bitmap_bytes;
	if (!source_file_covers(source, state->bitmap, bitmap_bytes))
		return source_refuse(source,
				     "truncated: the bitmap ends at offset %llu, the file at %llu",
				     (unsigned long long)state->descriptors,
				     (unsigned long long)source->file_size);
	if (state->max_frame <= bitmap_bytes * 4)
		state->bitmap += bitmap_bytes / 2;
	return 0;
}

static u64 count_bits(const u8 *bits, u64 nr)
{
	u64 count = 0;

	for (u64 i = 0; i < nr / 8; i++)
		count += (u64)__builtin_popcount(bits[i]);
	if (nr % 8)
		count += (u64)__builtin_popcount(bits[nr / 8] & ((1U << (nr % 8)) - 1));
	return count;
}

static int count_pages(struct source *source, struct kdump_state *state)
{
	u64 nr_runs = (state->max_frame + RUN_FRAMES - 1) / RUN_FRAMES;
	u8 *bits = malloc(RUNS_PER_READ * RUN_BYTES);
	int ret = 0;

	state->ranks = calloc(nr_runs + 1, sizeof(*state->ranks));
	if (!bits || !state->ranks)
		ret = source_refuse(source, "out of memory for the bitmap");
	for (u64 run = 0; !ret && run < nr_runs; run++) {
		u64 first = run * RUN_FRAMES;
		u64 nr = state->max_frame - first < RUN_FRAMES ? state->max_frame - first :
								 RUN_FRAMES;

		if (run % RUNS_PER_READ == 0) {
			u64 left = (state->max_frame - first + 7) / 8;
			size_t length = left < RUNS_PER_READ * RUN_BYTES ?
						(size_t)left :
						RUNS_PER_READ * RUN_BYTES;

			ret = source_file_read(source, bits, length, state->bitmap + first / 8,
					       "bitmap");
		}
		state->ranks[run] = state->nr_dumped;
		if (!ret)
			state->nr_dumped += count_bits(bits + run % RUNS_PER_READ * RUN_BYTES, nr);
	}
	free(bits);
	state->data = state->descriptors + state->nr_dumped * DESCRIPTOR_SIZE;
	return ret;
}

static bool descriptor_inside(const struct source *source, const struct kdump_state *state,
			      const u8 *descriptor)
{
	u64 offset = get64(descriptor);

	return offset >= state->data && offset <= source->file_size &&
	       get32(descriptor + 8) <= source->file_size - offset;
}

/* Pages are written in order, zero pages share the first data: the last other page must end inside the file. */
static int check_tail(struct source *source, const struct kdump_state *state)
{
	u8 descriptors[TAIL_BATCH * DESCRIPTOR_SIZE];
	u64 end = state->nr_dumped;
	bool found = false;

	for (u32 batch = 0; end && !found && batch < TAIL_BATCHES; batch++) {
		u64 start = end > TAIL_BATCH ? end - TAIL_BATCH : 0;

		if (state->descriptors + end * DESCRIPTOR_SIZE > source->file_size)
			return source_lose(
				source,
				"truncated: the file ends at offset %llu, inside the page descriptors",
				(unsigned long long)source->file_size);
		if (source_file_read(source, descriptors, (size_t)(end - start) * DESCRIPTOR_SIZE,
				     state->descriptors + start * DESCRIPTOR_SIZE,
				     "page descriptors"))
			return -1;
		for (u64 i = end - start; i-- > 0;) {
			const u8 *descriptor = descriptors + i * DESCRIPTOR_SIZE;

			if (!descriptor_inside(source, state, descriptor))
				return source_lose(
					source,
					"truncated or damaged: page %llu of %llu is at offset %llu, "
					"the file ends at %llu",
					(unsigned long long)(start + i),
					(unsigned long long)state->nr_dumped,
					(unsigned long long)get64(descriptor),
					(unsigned long long)source->file_size);
			found |= get64(descriptor) != state->data;
		}
		end = start;
	}
	return 0;
}

static int check_layout(struct source *source, struct kdump_state *state)
{
	u64 in_order;

	if (read_header(source, state) || count_pages(source, state) || check_tail(source, state))
		return -1;
	in_order = source->file_size > state->bitmap ? source->file_size - state->bitmap : 0;
	if (!source_file_covers(source, state->bitmap, in_order))
		return source_lose(
			source,
			"damaged: the flattened stream leaves a gap behind offset %llu of the dump",
			(unsigned long long)state->bitmap);
	return 0;
}

static int kdump_open(struct source *source, const struct source_options *options)
{
	struct kdump_state *state = calloc(1, sizeof(*state));

	(void)options;
	if (!state)
		return source_refuse(source, "out of memory");
	source->state = state;
	snprintf(source->format, sizeof(source->format), "kdump-compressed");
	if (check_layout(source, state) || open_state(source, state))
		return -1;
	if (1ULL << state->shift != state->block)
		return source_refuse(
			source,
			"damaged: blocks of %llu bytes in the dump of a machine with other pages",
			(unsigned long long)state->block);
	return 0;
}

static void kdump_close(struct source *source)
{
	struct kdump_state *state = source->state;

	if (!state)
		return;
	if (state->pages)
		kdump_bmp_decref(state->pages);
	if (state->context)
		retire(state->context);
	free(state->ranks);
	free(state);
	source->state = NULL;
}

/* Is the frame in the dump, and is what its descriptor says inside the file? */
static enum source_status check_frame(struct source *source, const struct kdump_state *state,
				      u64 frame)
{
	u64 in_run = frame % RUN_FRAMES, bytes = in_run / 8 + 1, index;
	u8 bits[RUN_BYTES], descriptor[DESCRIPTOR_SIZE];
	u32 flags, length;

	if (source_file_read(source, bits, (size_t)bytes, state->bitmap + (frame - in_run) / 8,
			     "bitmap"))
		return SOURCE_FAILED;
	if (!(bits[in_run / 8] & 1U << (in_run % 8)))
		return SOURCE_MISSING;
	index = state->ranks[frame / RUN_FRAMES] + count_bits(bits, in_run);
	if (source_file_read(source, descriptor, sizeof(descriptor),
			     state->descriptors + index * DESCRIPTOR_SIZE, "page descriptors"))
		return SOURCE_FAILED;
	length = get32(descriptor + 8);
	flags = get32(descriptor + 12);
	if (!length || length > state->block || !descriptor_inside(source, state, descriptor) ||
	    (flags & ~COMPRESSION_FLAGS) || (flags & (flags - 1)) ||
	    (!flags && length != state->block) ||
	    (source->nr_losses && !source_file_covers(source, get64(descriptor), length)))
		return source_fail(
			source,
			"damaged: page frame 0x%llx has %u bytes at offset %llu, flags 0x%x",
			(unsigned long long)frame, length, (unsigned long long)get64(descriptor),
			flags);
	return SOURCE_OK;
}

static kdump_status library_read(struct kdump_state *state, u64 phys, void *buffer, size_t length)
{
	size_t got = length;
	kdump_status status = kdump_read(state->context, state->space, phys, buffer, &got);

	if (status == KDUMP_OK && got != length)
		return KDUMP_ERR_EOF;
	return status;
}

/* Formats that do not know machine addresses know kernel-physical ones. */
static kdump_status read_either(struct kdump_state *state, u64 phys, void *buffer, size_t length)
{
	kdump_status status = library_read(state, phys, buffer, length);

	if (state->space != KDUMP_MACHPHYSADDR ||
	    (status != KDUMP_ERR_ADDRXLAT && status != KDUMP_ERR_NOTIMPL &&
	     status != KDUMP_ERR_NOKEY))
		return status;
	state->space = KDUMP_KPHYSADDR;
	status = library_read(state, phys, buffer, length);
	if (status != KDUMP_OK && status != KDUMP_ERR_NODATA)
		state->space = KDUMP_MACHPHYSADDR;
	return status;
}

static enum source_status read_frame(struct source *source, struct kdump_state *state, u64 phys,
				     void *buffer, size_t length)
{
	enum source_status checked;
	kdump_status status;

	if (phys >> state->shift >= state->max_frame)
		return SOURCE_MISSING;
	checked = check_frame(source, state, phys >> state->shift);
	if (checked != SOURCE_OK)
		return checked;
	status = read_either(state, phys, buffer, length);
	if (status == KDUMP_OK)
		return SOURCE_OK;
	return source_fail(source, "libkdumpfile cannot read memory at 0x%llx: %s",
			   (unsigned long long)phys, library_error(state->context, status));
}

static enum source_status kdump_read_memory(struct source *source, u64 phys, void *buffer,
					    size_t length)
{
	struct kdump_state *state = source->state;
	u64 size = 1ULL << state->shift;
	u8 *to = buffer;

	while (length) {
		u64 left = size - (phys & (size - 1));
		size_t part = length < left ? length : (size_t)left;
		enum source_status status = read_frame(source, state, phys, to, part);

		/* What a dump that was opened by force has lost. */
		if (status == SOURCE_FAILED && source->nr_losses)
			return SOURCE_MISSING;
		if (status != SOURCE_OK)
			return status;
		to += part;
		phys += part;
		length -= part;
	}
	return SOURCE_OK;
}

static bool next_run(struct kdump_state *state, u64 from, u64 *start, u64 *end)
{
	kdump_addr_t first = from >> state->shift, last;
	u64 limit = state->max_frame;

	if (limit > SOURCE_PHYS_END >> state->shift)
		limit = SOURCE_PHYS_END >> state->shift;
	if (state->pages && kdump_bmp_find_set(state->pages, &first) != KDUMP_OK)
		return false;
	if (first >= limit)
		return false;
	last = first;
	if (!state->pages || kdump_bmp_find_clear(state->pages, &last) != KDUMP_OK || last > limit)
		last = limit;
	*start = first << state->shift;
	*end = last << state->shift;
	if (*start < from)
		*start = from;
	return true;
}

/* Whole pages of the image, even when the user says that its pages are larger than those of the dump. */
static bool kdump_next_range(struct source *source, u64 from, u64 *start, u64 *end)
{
	u64 size = 1ULL << source->page_shift;
	u64 low, high;

	while (next_run(source->state, from, &low, &high)) {
		from = high;
		low = (low + size - 1) & ~(size - 1);
		high &= ~(size - 1);
		if (low < high) {
			*start = low;
			*end = high;
			return true;
		}
	}
	return false;
}

const struct source_ops source_kdump_ops = {
	.probe = kdump_probe,
	.open = kdump_open,
	.read = kdump_read_memory,
	.next_range = kdump_next_range,
	.close = kdump_close,
	.wrapped = true,
};
