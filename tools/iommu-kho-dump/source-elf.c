// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ELF vmcores. libkdumpfile gives zeros for memory around and behind segments
 * and behind the end of the file, so segments are read here: what no segment
 * holds is missing.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "source-private.h"

#define MAX_SEGMENTS (1U << 20)
#define MAX_NOTES (64ULL << 20)
/* A flattened stream can cut segments into parts. */
#define MAX_RANGES (1U << 22)

static bool elf_probe(const u8 *head, size_t length)
{
	return length >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG);
}

static int check_header(struct source *source, const Elf64_Ehdr *header)
{
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
		return source_refuse(source, "an ELF file, but not of a 64-bit little-endian machine");
	if (header->e_type != ET_CORE)
		return source_refuse(source, "an ELF file of type %u, not a memory dump", header->e_type);
	if (header->e_phentsize != sizeof(Elf64_Phdr))
		return source_refuse(source, "damaged ELF header: program headers of %u bytes", header->e_phentsize);
	return 0;
}

/* More than 65534 segments: section 0 holds the number. */
static int count_segments(struct source *source, const Elf64_Ehdr *header, u32 *nr)
{
	Elf64_Shdr section;

	*nr = header->e_phnum;
	if (header->e_phnum == PN_XNUM) {
		if (!header->e_shoff)
			return source_refuse(source, "damaged ELF header: no section with the number of segments");
		if (source_file_read(source, &section, sizeof(section), header->e_shoff, "section header"))
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
static int add_segment(struct source *source, const Elf64_Phdr *segment, u64 length, size_t *allocated)
{
	u64 start = segment->p_offset, end = segment->p_offset + length;

	if (!source->flattened)
		return source_add_range(source, allocated, segment->p_paddr, segment->p_paddr + length, start);
	for (size_t i = source_find_extent(source, start); i < source->nr_extents; i++) {
		u64 low = source->extents[i].start > start ? source->extents[i].start : start;
		u64 high = source->extents[i].end < end ? source->extents[i].end : end;

		if (low >= high)
			break;
		if (source->nr_ranges == MAX_RANGES)
			return source_refuse(source, "the flattened stream cuts memory into more than %u parts",
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
		return source_lose(source, "damaged: segment %u has 0x%llx bytes at physical address 0x%llx", i,
				   (unsigned long long)length, (unsigned long long)segment->p_paddr);
	if (bytes_in_file(source, segment->p_offset, length) < length) {
		if (source_lose(source, "truncated: segment %u, for memory at 0x%llx, ends at offset %llu, the file at %llu",
				i, (unsigned long long)segment->p_paddr,
				(unsigned long long)(segment->p_offset + length),
				(unsigned long long)source->file_size))
			return -1;
		length = bytes_in_file(source, segment->p_offset, length);
	}
	return length ? add_segment(source, segment, length, allocated) : 0;
}

static int check_notes(struct source *source, const Elf64_Phdr *segment, u64 *total)
{
	if (segment->p_filesz > MAX_NOTES - *total)
		return source_lose(source, "damaged: more than %llu bytes of ELF notes", MAX_NOTES);
	*total += segment->p_filesz;
	if (bytes_in_file(source, segment->p_offset, segment->p_filesz) < segment->p_filesz)
		return source_lose(source, "truncated: the notes end at offset %llu, the file at %llu",
				   (unsigned long long)(segment->p_offset + segment->p_filesz),
				   (unsigned long long)source->file_size);
	return 0;
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
		return source_refuse(source, "the core dump of a process, not of a machine's memory");
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
static int read_program_headers(struct source *source, const Elf64_Ehdr *header, Elf64_Phdr *segments, u32 nr)
{
	u64 length = nr * sizeof(*segments), present = bytes_in_file(source, header->e_phoff, length);

	present -= present % sizeof(*segments);
	if (present < length &&
	    source_lose(source, "truncated: the file ends at offset %llu, inside the program headers",
			(unsigned long long)source->file_size))
		return -1;
	if (present && source_file_read(source, segments, present, header->e_phoff, "program headers"))
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

	if (source_file_read(source, &header, sizeof(header), 0, "ELF header") || check_header(source, &header) ||
	    count_segments(source, &header, &nr))
		return -1;
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
	struct library_facts facts = { 0 };

	(void)options;
	if (read_segments(source))
		return -1;
	/* Of the running kernel more is known than the library can find out. */
	if ((source->file_size != UINT64_MAX || !source->page_shift) && source_library_facts(source, &facts) &&
	    !source->nr_losses)
		return -1;
	make_disjoint(source);
	if (!source->page_shift)
		source->page_shift = facts.page_shift ? facts.page_shift : IOMMUSER_MIN_PAGE_SHIFT;
	snprintf(source->format, sizeof(source->format), "ELF vmcore");
	return 0;
}

const struct source_ops source_elf_ops = {
	.probe = elf_probe,
	.open = elf_open,
	.read = source_read_ranges,
	.wrapped = true,
};
