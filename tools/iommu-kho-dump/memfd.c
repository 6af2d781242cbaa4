// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Memfds preserved by LUO: their folios, never what is in them.
 */
#include <stdlib.h>
#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/memfd.h>

#include "luo-reader.h"
#include "progress.h"

#define PFN_MASK ((1ULL << MEMFD_FOLIO_PFN_BITS) - 1)
#define FOLIO_FLAGS (MEMFD_FOLIO_DIRTY | MEMFD_FOLIO_UPTODATE)
#define FIRST_ROOM 16
/* How records are read, piece by piece: a divisor of every page size. */
#define BATCH_BYTES 4096

struct folio_walk {
	struct luo_reader *reader;
	struct memfd *memfd;
	size_t room;
	u64 to_read;
	u64 next_index;
	u64 size_pages;
	bool sum_certain;
};

void luo_free_memfd(struct memfd *memfd)
{
	if (!memfd)
		return;
	free(memfd->extents);
	free(memfd);
}

static bool extend_last(struct memfd *memfd, u64 phys, u64 offset, u64 length)
{
	struct memfd_extent *last;

	if (!memfd->nr_extents)
		return false;
	last = &memfd->extents[memfd->nr_extents - 1];
	if (last->phys + last->length != phys || last->offset + last->length != offset)
		return false;
	last->length += length;
	return true;
}

static int add_extent(struct folio_walk *walk, u64 phys, u64 offset, u64 length)
{
	struct memfd *memfd = walk->memfd;
	struct memfd_extent *extents = memfd->extents;

	if (extend_last(memfd, phys, offset, length))
		return 0;
	if (!walk->reader->max_extents) {
		memfd->complete = false;
		return 0;
	}
	walk->reader->max_extents--;
	if (!extents || memfd->nr_extents == walk->room) {
		walk->room = walk->room ? walk->room * 2 : FIRST_ROOM;
		extents = realloc(extents, walk->room * sizeof(*extents));
		if (!extents)
			return -IOMMUSER_ENOMEM;
		memfd->extents = extents;
	}
	extents[memfd->nr_extents++] = (struct memfd_extent){ phys, offset, length };
	return 0;
}

/*
 * K22: the next kernel takes the folio by its first page and needs it to be
 * the head of a preserved block. That block's size is the folio's.
 */
static u64 folio_length(struct folio_walk *walk, u64 record, u64 phys)
{
	struct luo_reader *reader = walk->reader;
	u64 length = kho_pages_block(reader->pages, phys);

	if (length)
		return length;
	walk->sum_certain = false;
	if (reader->pages && reader->pages->has_blocks ?
		    reader->pages->complete :
		    kho_pages_preserved(reader->pages, phys, luo_page_size(reader), NULL) == KHO_NO)
		luo_note(reader, IOMMUSER_FINDING_LUO_FOLIO_NOT_PRESERVED, record, phys, 0);
	return luo_page_size(reader);
}

static void mark_payload(struct luo_reader *reader, u64 record, u64 phys, u64 length)
{
	if (kho_pages_preserved(reader->pages, phys, length, NULL) != KHO_YES)
		return;
	if (iommuser_pageset_contains(&reader->pages->set, IOMMUSER_MAPPED, phys,
				      1ULL << IOMMUSER_MIN_PAGE_SHIFT, NULL))
		luo_note(reader, IOMMUSER_FINDING_LUO_FOLIO_SHARED, record, phys, 0);
	else
		(void)iommuser_pageset_add(&reader->pages->set, IOMMUSER_MAPPED, phys, length);
}

static void check_index(struct folio_walk *walk, u64 record, u64 index, u64 pages)
{
	if (index >= walk->size_pages) {
		luo_note(walk->reader, IOMMUSER_FINDING_LUO_FOLIO_INDEX, record, index,
			 walk->size_pages);
		return;
	}
	if (index < walk->next_index)
		luo_note(walk->reader, IOMMUSER_FINDING_LUO_FOLIO_INDEX, record, index,
			 walk->next_index);
	if (index + pages > walk->next_index)
		walk->next_index = index + pages;
}

static int read_folio(struct folio_walk *walk, u64 record, const struct memfd_folio_ser *ser)
{
	struct luo_reader *reader = walk->reader;
	u64 flags = ser->pfn_and_flags & ~PFN_MASK;
	u64 pfn = ser->pfn_and_flags & PFN_MASK;
	u64 phys, length;

	if (flags & ~FOLIO_FLAGS)
		luo_note(reader, IOMMUSER_FINDING_LUO_MEMFD_FLAGS, record, flags, FOLIO_FLAGS);
	if (!pfn)
		return 0;
	walk->memfd->nr_present++;
	if (pfn >> (IOMMUSER_PHYS_BITS - reader->page_shift)) {
		luo_note(reader, IOMMUSER_FINDING_LUO_FOLIO_NOT_PRESERVED, record, pfn, 0);
		walk->memfd->complete = false;
		return 0;
	}
	phys = pfn << reader->page_shift;
	length = folio_length(walk, record, phys);
	walk->memfd->folios_bytes += length;
	check_index(walk, record, ser->index, length >> reader->page_shift);
	mark_payload(reader, record, phys, length);
	if (ser->index >= walk->size_pages || !reader->keep_extents)
		return 0;
	return add_extent(walk, phys, ser->index << reader->page_shift, length);
}

static int read_batch(struct folio_walk *walk, u64 phys, u64 nr)
{
	struct memfd_folio_ser records[BATCH_BYTES / sizeof(struct memfd_folio_ser)];
	u64 i;
	int ret = 0;

	if (!luo_read(walk->reader, phys, records, nr * sizeof(*records))) {
		walk->memfd->complete = false;
		return 0;
	}
	for (i = 0; i < nr && !ret; i++)
		ret = read_folio(walk, phys + i * sizeof(*records), &records[i]);
	progress_show("reading what is known of a memfd", walk->memfd->nr_present, "folios");
	return ret;
}

static int read_piece(void *ctx, u64 phys, u64 length)
{
	struct folio_walk *walk = ctx;
	u64 at, nr;
	int ret;

	for (at = 0; at < length && walk->to_read; at += BATCH_BYTES) {
		nr = BATCH_BYTES / sizeof(struct memfd_folio_ser);
		if (nr > walk->to_read)
			nr = walk->to_read;
		if (walk->reader->max_bytes < BATCH_BYTES) {
			luo_note(walk->reader, IOMMUSER_FINDING_LUO_TOO_LARGE, phys + at,
				 walk->memfd->nr_folios, 0);
			walk->memfd->complete = false;
			walk->to_read = 0;
			return 0;
		}
		walk->reader->max_bytes -= BATCH_BYTES;
		walk->to_read -= nr;
		ret = read_batch(walk, phys + at, nr);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * K20: Linux doesn't compare the two and reads beyond the area. The area is
 * as large as the records need, rounded up to its order.
 */
static void check_count(struct folio_walk *walk, const struct kho_vmalloc_ser *area)
{
	u64 per_page = luo_page_size(walk->reader) / sizeof(struct memfd_folio_ser);
	u64 room = area->total_pages * per_page;
	u64 nr = walk->memfd->nr_folios, step = 1ULL << area->order;

	walk->to_read = nr < room ? nr : room;
	walk->sum_certain = false;
	if (nr > room)
		luo_note(walk->reader, IOMMUSER_FINDING_LUO_MEMFD_FOLIO_COUNT, walk->memfd->phys,
			 nr, room);
	else if (((nr + per_page - 1) / per_page + step - 1) / step * step != area->total_pages)
		luo_note(walk->reader, IOMMUSER_FINDING_LUO_MEMFD_FOLIO_COUNT, walk->memfd->phys,
			 area->total_pages, (nr + per_page - 1) / per_page);
	else
		walk->sum_certain = true;
}

/*
 * Linux gives every page of the file a folio before it preserves it. When all folios are preserved
 * blocks, whose lengths are known, too small a sum means that some are missing.
 */
static void check_sum(const struct folio_walk *walk)
{
	const struct memfd *memfd = walk->memfd;
	u64 pages = memfd->folios_bytes >> walk->reader->page_shift;

	if (memfd->complete && walk->sum_certain && pages < walk->size_pages)
		luo_note(walk->reader, IOMMUSER_FINDING_LUO_MEMFD_GAP, memfd->phys,
			 memfd->folios_bytes, memfd->size);
}

static int read_folios(struct luo_reader *reader, struct memfd *memfd,
		       const struct kho_vmalloc_ser *area)
{
	struct folio_walk walk = { .reader = reader, .memfd = memfd };
	bool complete;
	int ret;

	walk.size_pages =
		(memfd->size >> reader->page_shift) + !!(memfd->size & (luo_page_size(reader) - 1));
	memfd->length_from = reader->pages && reader->pages->has_blocks ? MEMFD_LENGTH_BLOCK :
									  MEMFD_LENGTH_PAGE;
	if (!luo_vmalloc_valid(reader, area, memfd->phys))
		return 0;
	memfd->complete = true;
	check_count(&walk, area);
	ret = luo_read_vmalloc(reader, area, memfd->phys, read_piece, &walk, &complete);
	memfd->complete &= complete && !walk.to_read;
	if (!ret)
		check_sum(&walk);
	return ret;
}

static bool read_struct(struct luo_reader *reader, struct memfd *memfd,
			struct kho_vmalloc_ser *area)
{
	struct memfd_v1_ser v1;
	struct memfd_v2_ser v2;

	if (memfd->version == 1) {
		if (!luo_read(reader, memfd->phys, &v1, sizeof(v1)))
			return false;
		v2 = (struct memfd_v2_ser){
			.pos = v1.pos,
			.size = v1.size,
			.nr_folios = v1.nr_folios,
			.folios = v1.folios,
		};
	} else if (!luo_read(reader, memfd->phys, &v2, sizeof(v2))) {
		return false;
	}
	memfd->pos = v2.pos;
	memfd->size = v2.size;
	memfd->seals = v2.seals;
	memfd->flags = v2.flags;
	memfd->nr_folios = v2.nr_folios;
	*area = v2.folios;
	return true;
}

int luo_read_memfd(struct luo_reader *reader, struct luo_file *file, u32 version)
{
	u64 size = version == 1 ? sizeof(struct memfd_v1_ser) : sizeof(struct memfd_v2_ser);
	struct kho_vmalloc_ser area;
	struct memfd *memfd;

	if (!luo_address_possible(file->data, size, sizeof(u64))) {
		luo_note(reader, IOMMUSER_FINDING_LUO_BLOCK_ADDRESS, file->phys, file->data,
			 sizeof(u64));
		return 0;
	}
	luo_claim(reader, file->data, size);
	memfd = calloc(1, sizeof(*memfd));
	if (!memfd)
		return -IOMMUSER_ENOMEM;
	memfd->phys = file->data;
	memfd->version = version;
	if (!read_struct(reader, memfd, &area)) {
		free(memfd);
		return 0;
	}
	file->memfd = memfd;
	if (memfd->flags)
		luo_note(reader, IOMMUSER_FINDING_LUO_MEMFD_FLAGS, memfd->phys, memfd->flags, 0);
	if (memfd->seals & ~MEMFD_V2_SEALS)
		luo_note(reader, IOMMUSER_FINDING_LUO_MEMFD_FLAGS, memfd->phys, memfd->seals,
			 MEMFD_V2_SEALS);
	return read_folios(reader, memfd, &area);
}
