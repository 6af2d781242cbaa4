// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ELF vmcores, read without libkdumpfile: it gives zeros for memory around and
 * behind segments and behind the end of the file, and version 0.5.1 crashes on
 * notes and headers that are damaged. What no segment holds is missing.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "source-private.h"

#define MAX_SEGMENTS (1U << 20)
#define MAX_NOTES (64ULL << 20)
/* A flattened stream can cut segments into parts. */
#define MAX_RANGES (1U << 22)
#define VMCOREINFO "VMCOREINFO"
#define PAGE_SIZE_KEY "PAGESIZE="

static bool elf_probe(const u8 *head, size_t length)
{
	return length >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG);
}

static int check_header(struct source *source, const Elf64_Ehdr *header)
{
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
		return source_refuse(source,
				     "an ELF file, but not of a 64-bit little-endian machine");
	if (header->e_type != ET_CORE)
		return source_refuse(source, "an ELF file of type %u, not a memory dump",
				     header->e_type);
	if (header->e_phentsize != sizeof(Elf64_Phdr))
		return source_refuse(source, "damaged ELF header: program headers of %u bytes",
				     header->e_phentsize);
	return 0;
}

/* More than 65534 segments: section 0 holds the number. */
static int count_segments(struct source *source, const Elf64_Ehdr *header, u32 *nr)
{
	Elf64_Shdr section;

	*nr = header->e_phnum;
	if (header->e_phnum == PN_XNUM) {
		if (!header->e_shoff)
			return source_refuse(
				source,
				"damaged ELF header: no section with the number of segments");
		if (source_file_read(source, &section, sizeof(section), header->e_shoff,
				     "section header"))
			return -1;
		*nr = section.sh_info;
	}
	if (!*nr)
		return source_refuse(source, "an ELF file without segments, not a memory dump");
	if (*nr > MAX_SEGMENTS)
		return source_refuse(source, "damaged ELF header: %u segments", *nr);
	return 0;
}

/* How many of these bytes are in the file? */
static u64 bytes_in_file(const struct source *source, u64 offset, u64 length)
{
	u64 left = offset < source->file_size ? source->file_size - offset : 0;

	return length < left ? length : left;
}

/* The parts of a segment that are in the file: all of it, but for a flattened stream that leaves gaps. */
static int add_segment(struct source *source, const Elf64_Phdr *segment, u64 length,
		       size_t *allocated)
{
	u64 start = segment->p_offset, end = segment->p_offset + length;

	if (!source->flattened)
		return source_add_range(source, allocated, segment->p_paddr,
					segment->p_paddr + length, start);
	for (size_t i = source_find_extent(source, start); i < source->nr_extents; i++) {
		u64 low = source->extents[i].start > start ? source->extents[i].start : start;
		u64 high = source->extents[i].end < end ? source->extents[i].end : end;

		if (low >= high)
			break;
		if (source->nr_ranges == MAX_RANGES)
			return source_refuse(
				source, "the flattened stream cuts memory into more than %u parts",
				MAX_RANGES);
		if (source_add_range(source, allocated, segment->p_paddr + (low - start),
				     segment->p_paddr + (high - start), low))
			return -1;
	}
	return 0;
}

static int take_load(struct source *source, u32 i, const Elf64_Phdr *segment, size_t *allocated)
{
	u64 length = segment->p_filesz < segment->p_memsz ? segment->p_filesz : segment->p_memsz;

	/* /proc/kcore marks what is not the direct map by this address. */
	if (segment->p_paddr == UINT64_MAX || !length)
		return 0;
	if (segment->p_paddr >= SOURCE_PHYS_END || length > SOURCE_PHYS_END - segment->p_paddr)
		return source_lose(
			source, "damaged: segment %u has 0x%llx bytes at physical address 0x%llx",
			i, (unsigned long long)length, (unsigned long long)segment->p_paddr);
	if (bytes_in_file(source, segment->p_offset, length) < length) {
		if (source_lose(
			    source,
			    "truncated: segment %u, for memory at 0x%llx, has %llu bytes from offset %llu on, the file ends at %llu",
			    i, (unsigned long long)segment->p_paddr, (unsigned long long)length,
			    (unsigned long long)segment->p_offset,
			    (unsigned long long)source->file_size))
			return -1;
		length = bytes_in_file(source, segment->p_offset, length);
	}
	return length ? add_segment(source, segment, length, allocated) : 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool page_shift_of(u64 size, u32 *shift)
{
	*shift = size == 4096 ? 12 : size == 16384 ? 14 : size == 65536 ? 16 : 0;
	return *shift != 0;
}

/* A line of VMCOREINFO that is "PAGESIZE=" and a number. */
static int take_page_size(struct source *source, const char *digits, const char *end)
{
	u64 size = 0;

	while (digits < end && is_digit(*digits) && size <= UINT32_MAX)
		size = size * 10 + (u64)(*digits++ - '0');
	if (digits < end)
		return source_lose(source,
				   "damaged: the PAGESIZE of VMCOREINFO is no number of bytes");
	if (!page_shift_of(size, &source->page_shift))
		return source_refuse(
			source,
			"the dump of a machine with pages of %llu bytes, which is not supported",
			(unsigned long long)size);
	return 0;
}

static int take_vmcoreinfo(struct source *source, const char *text, size_t length)
{
	const char *end = text + strnlen(text, length), *line_end;
	const size_t key = strlen(PAGE_SIZE_KEY);

	for (; text < end && !source->page_shift; text = line_end + (line_end < end)) {
		line_end = memchr(text, '\n', (size_t)(end - text));
		if (!line_end)
			line_end = end;
		if ((size_t)(line_end - text) > key && !memcmp(text, PAGE_SIZE_KEY, key) &&
		    take_page_size(source, text + key, line_end))
			return -1;
	}
	return 0;
}

static size_t padded(u32 length)
{
	return ((size_t)length + 3) & ~(size_t)3;
}

bool source_next_note(const char **notes, size_t *length, struct elf_note *note)
{
	Elf64_Nhdr header;
	size_t whole;

	if (*length < sizeof(header))
		return false;
	memcpy(&header, *notes, sizeof(header));
	if (sizeof(header) + padded(header.n_namesz) + header.n_descsz > *length)
		return false;
	note->name = *notes + sizeof(header);
	note->name_length = header.n_namesz;
	note->content = note->name + padded(header.n_namesz);
	note->length = header.n_descsz;
	whole = sizeof(header) + padded(header.n_namesz) + padded(header.n_descsz);
	/* The last one may lack its padding. */
	if (whole > *length)
		whole = *length;
	*notes += whole;
	*length -= whole;
	return true;
}

static int search_notes(struct source *source, const char *notes, size_t length)
{
	struct elf_note note;

	while (!source->page_shift && source_next_note(&notes, &length, &note))
		if (note.name_length == sizeof(VMCOREINFO) &&
		    !memcmp(note.name, VMCOREINFO, sizeof(VMCOREINFO)) &&
		    take_vmcoreinfo(source, note.content, note.length))
			return -1;
	return 0;
}

/* The page size of the dump, unless the user has stated it or an earlier note. */
static int read_notes(struct source *source, const Elf64_Phdr *segment)
{
	size_t length = (size_t)bytes_in_file(source, segment->p_offset, segment->p_filesz);
	char *notes;
	int ret;

	if (source->page_shift || !length)
		return 0;
	if (!source_file_covers(source, segment->p_offset, length))
		return source_lose(source, "damaged: the flattened stream lacks the notes");
	notes = malloc(length);
	if (!notes)
		return source_refuse(source, "out of memory for %zu bytes of ELF notes", length);
	ret = source_file_read(source, notes, length, segment->p_offset, "ELF notes");
	if (!ret)
		ret = search_notes(source, notes, length);
	free(notes);
	return ret;
}

static int check_notes(struct source *source, const Elf64_Phdr *segment, u64 *total)
{
	if (segment->p_filesz > MAX_NOTES - *total)
		return source_lose(source, "damaged: more than %llu bytes of ELF notes", MAX_NOTES);
	*total += segment->p_filesz;
	if (bytes_in_file(source, segment->p_offset, segment->p_filesz) < segment->p_filesz &&
	    source_lose(source, "truncated: the notes end at offset %llu, the file at %llu",
			(unsigned long long)(segment->p_offset + segment->p_filesz),
			(unsigned long long)source->file_size))
		return -1;
	return read_notes(source, segment);
}

static int take_segments(struct source *source, const Elf64_Phdr *segments, u32 nr)
{
	u32 loads = 0, at_zero = 0;
	size_t allocated = 0;
	u64 notes = 0;

	for (u32 i = 0; i < nr; i++) {
		if (segments[i].p_type == PT_NOTE && check_notes(source, &segments[i], &notes))
			return -1;
		if (segments[i].p_type != PT_LOAD)
			continue;
		loads++;
		at_zero += !segments[i].p_paddr;
		if (take_load(source, i, &segments[i], &allocated))
			return -1;
	}
	if (loads > 1 && at_zero == loads)
		return source_refuse(source,
				     "the core dump of a process, not of a machine's memory");
	if (!source->nr_ranges)
		return source_refuse(source, "an ELF file without any memory in it");
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct source_range *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* /proc/kcore shows the kernel's text twice: the first in order counts. */
static void make_disjoint(struct source *source)
{
	struct source_range *ranges = source->ranges;
	size_t kept = 0;
	u64 done = 0;

	qsort(ranges, source->nr_ranges, sizeof(*ranges), by_start);
	for (size_t i = 0; i < source->nr_ranges; i++) {
		struct source_range range = ranges[i];

		if (range.end <= done)
			continue;
		if (range.start < done) {
			range.offset += done - range.start;
			range.start = done;
		}
		done = range.end;
		ranges[kept++] = range;
	}
	source->nr_ranges = kept;
}

/* The program headers; those that the file does not have any more are all zero, and so no segments. */
static int read_program_headers(struct source *source, const Elf64_Ehdr *header,
				Elf64_Phdr *segments, u32 nr)
{
	u64 length = nr * sizeof(*segments),
	    present = bytes_in_file(source, header->e_phoff, length);

	present -= present % sizeof(*segments);
	if (present < length &&
	    source_lose(source,
			"truncated: the file ends at offset %llu, inside the program headers",
			(unsigned long long)source->file_size))
		return -1;
	if (present &&
	    source_file_read(source, segments, present, header->e_phoff, "program headers"))
		return -1;
	if (source_file_covers(source, header->e_phoff, present))
		return 0;
	return source_lose(source, "damaged: the flattened stream lacks the program headers");
}

static int read_segments(struct source *source)
{
	Elf64_Phdr *segments;
	Elf64_Ehdr header;
	u32 nr;
	int ret;

	if (source_file_read(source, &header, sizeof(header), 0, "ELF header") ||
	    check_header(source, &header) || count_segments(source, &header, &nr))
		return -1;
	source->machine = header.e_machine;
	segments = calloc(nr, sizeof(*segments));
	if (!segments)
		return source_refuse(source, "out of memory for %u segments", nr);
	ret = read_program_headers(source, &header, segments, nr);
	if (!ret)
		ret = take_segments(source, segments, nr);
	free(segments);
	return ret;
}

static int elf_open(struct source *source, const struct source_options *options)
{
	(void)options;
	if (read_segments(source))
		return -1;
	make_disjoint(source);
	if (!source->page_shift)
		source->page_shift = IOMMUSER_MIN_PAGE_SHIFT;
	snprintf(source->format, sizeof(source->format), "ELF vmcore");
	return 0;
}

const struct source_ops source_elf_ops = {
	.probe = elf_probe,
	.open = elf_open,
	.read = source_read_ranges,
	.wrapped = true,
};
