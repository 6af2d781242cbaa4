/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handovers to measure with: roots and chains of records of any revision and
 * any size, written through the library's own tables.
 */
#ifndef BENCH_IMAGE_H
#define BENCH_IMAGE_H

#include "bench.h"

#include <iommuser/records.h>
#include <iommuser/root.h>

#define BENCH_IMAGE_BASE (4ULL << 30)

/**
 * struct bench_chain - the chain of one kind
 * @size: bytes per record, 0 when the revision has no such kind
 * @capacity: records per page
 * @nr_records: records
 * @nr_pages: pages
 * @first_slot: of the image's slots, that of the first page
 */
struct bench_chain {
	u64 size;
	u64 capacity;
	u64 nr_records;
	u64 nr_pages;
	u64 first_slot;
};

/**
 * struct bench_image - a handover
 * @space: its pages; the first one holds the root
 * @revision: of everything in it
 * @chains: by IOMMUSER_KIND_*
 * @slots: numbers of its pages in random order, chain after chain
 * @nr_pages: how many
 */
struct bench_image {
	struct bench_space space;
	const struct iommuser_revision *revision;
	struct bench_chain chains[IOMMUSER_NR_KINDS + 1];
	u32 *slots;
	u64 nr_pages;
};

/**
 * bench_image_init - a handover with empty records
 * @image: to initialise
 * @revision: its layout
 * @nr_records: records by IOMMUSER_KIND_*; kinds that it does not have are left out
 */
void bench_image_init(struct bench_image *image, const struct iommuser_revision *revision,
		      const u64 nr_records[IOMMUSER_NR_KINDS + 1]);

/** bench_image_free - give the memory back */
void bench_image_free(struct bench_image *image);

/** bench_image_phys - the address of a record */
u64 bench_image_phys(const struct bench_image *image, u32 kind, u64 position);

/** bench_image_set - write a field of a record; nothing happens when it has no such field */
void bench_image_set(struct bench_image *image, u32 kind, u64 position, enum iommuser_field field,
		     u64 value);

/** bench_image_finish - write root and page headers, and seal them where the revision does */
void bench_image_finish(struct bench_image *image);

#endif /* BENCH_IMAGE_H */
