// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Raw memory in several pieces: the user says which bytes of the file are which
 * memory, or that the file is the RAM of a machine of QEMU, which splits it.
 */
#include <stdlib.h>
#include <string.h>

#include "source-private.h"

#define HIGH_MEMORY (1ULL << 32)

/**
 * struct machine - where a machine of QEMU has its RAM
 * @name: of the machine
 * @threshold: with this much RAM and more, only @low is below 4 GiB; with less, all of it
 * @low: bytes below 4 GiB, then
 */
static const struct machine {
	const char *name;
	u64 threshold;
	u64 low;
} machines[] = {
	{ "pc", 0xe0000000, 0xc0000000 },
	{ "q35", 0xb0000000, 0x80000000 },
};

static int add_piece(struct source *source, size_t *allocated, const struct source_piece *piece)
{
	u64 size = source->file_size, length = piece->length;

	if (piece->offset >= size || length > size - piece->offset) {
		if (source_lose(
			    source,
			    "--map: the piece for 0x%llx has %llu bytes from offset %llu on, the file ends at %llu",
			    (unsigned long long)piece->phys, (unsigned long long)length,
			    (unsigned long long)piece->offset, (unsigned long long)size))
			return -1;
		length = piece->offset < size ? size - piece->offset : 0;
	}
	if (!length)
		return 0;
	return source_add_range(source, allocated, piece->phys, piece->phys + length,
				piece->offset);
}

static int by_offset(const void *a, const void *b)
{
	const struct source_piece *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int by_phys(const void *a, const void *b)
{
	const struct source_piece *x = a, *y = b;

	return x->phys < y->phys ? -1 : x->phys > y->phys;
}

/* No byte of memory comes from two places, and no byte of the file is in two: that is a slip of the user's. */
static int check_pieces(struct source *source, const struct source_options *options)
{
	struct source_piece pieces[SOURCE_MAX_PIECES];
	u32 nr = options->nr_pieces;

	memcpy(pieces, options->pieces, nr * sizeof(*pieces));
	qsort(pieces, nr, sizeof(*pieces), by_phys);
	for (u32 i = 1; i < nr; i++)
		if (pieces[i].phys - pieces[i - 1].phys < pieces[i - 1].length)
			return source_refuse(source, "--map: two pieces for memory at 0x%llx",
					     (unsigned long long)pieces[i].phys);
	qsort(pieces, nr, sizeof(*pieces), by_offset);
	for (u32 i = 1; i < nr; i++)
		if (pieces[i].offset - pieces[i - 1].offset < pieces[i - 1].length)
			return source_refuse(
				source, "--map: two pieces use the file's bytes at offset %llu",
				(unsigned long long)pieces[i].offset);
	return 0;
}

static int add_machine(struct source *source, size_t *allocated, const char *name)
{
	const struct machine *machine = &machines[0];
	u64 size = source->file_size, low;

	while (strcmp(machine->name, name))
		machine++;
	if (size % PAGE_CACHE_UNIT)
		return source_refuse(source,
				     "%llu bytes are not the RAM of a machine: no multiple of 4096",
				     (unsigned long long)size);
	if (size > SOURCE_PHYS_END - HIGH_MEMORY)
		return source_refuse(source, "%llu bytes of RAM do not fit below 2^%u",
				     (unsigned long long)size, IOMMUSER_PHYS_BITS);
	low = size < machine->threshold ? size : machine->low;
	if (source_add_range(source, allocated, 0, low, 0))
		return -1;
	if (low == size)
		return 0;
	return source_add_range(source, allocated, HIGH_MEMORY, HIGH_MEMORY + (size - low), low);
}

static int pieces_open(struct source *source, const struct source_options *options)
{
	size_t allocated = 0;

	if (options->qemu_machine) {
		if (add_machine(source, &allocated, options->qemu_machine))
			return -1;
	} else if (check_pieces(source, options)) {
		return -1;
	}
	for (u32 i = 0; i < options->nr_pieces; i++)
		if (add_piece(source, &allocated, &options->pieces[i]))
			return -1;
	if (!source->nr_ranges)
		return source_refuse(source, "--map: nothing of any piece is in the file");
	if (source_sort_ranges(source))
		return -1;
	if (!source->page_shift)
		source->page_shift = IOMMUSER_MIN_PAGE_SHIFT;
	return 0;
}

const struct source_ops source_pieces_ops = {
	.open = pieces_open,
	.read = source_read_ranges,
};
