// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Scratch: the memory in which the next kernel comes up before it knows what
 * is preserved. Its addresses are not in the FDT; they are handed over beside it.
 */
#include <stdlib.h>

#include <iommuser/error.h>
#include <kho/abi/kho.h>

#include "kho.h"

#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)
/* Linux aligns the regions to its largest buddy block. */
#define REGION_ORDER 10
#define PROGRESS_STEP (1ULL << 26)

/* K26: not aligned, empty, out of range, or over another region. */
static bool region_valid(const struct kho *kho, const struct kho_scratch *region)
{
	u64 align = 1ULL << (kho->page_shift + REGION_ORDER);
	size_t i;

	if (!region->size || region->phys >= PHYS_END || region->size > PHYS_END - region->phys)
		return false;
	if ((region->phys | region->size) & (align - 1))
		return false;
	for (i = 0; i < kho->nr_scratch; i++)
		if (region->phys < kho->scratch[i].phys + kho->scratch[i].size &&
		    kho->scratch[i].phys < region->phys + region->size)
			return false;
	return true;
}

static bool region_possible(const struct kho_scratch *region)
{
	return region->size && region->phys < PHYS_END && region->size <= PHYS_END - region->phys;
}

static void add_region(struct kho *kho, u64 at, const struct kho_scratch_ser *ser, struct report *report)
{
	struct kho_scratch region = { ser->addr, ser->size };

	if (!region_valid(kho, &region))
		kho_note(report, IOMMUSER_FINDING_KHO_SCRATCH_INVALID, at, region.phys, region.size);
	if (region_possible(&region))
		kho->scratch[kho->nr_scratch++] = region;
}

/* The hand-off names where kexec will copy the array to: before the jump nothing is there. */
static bool is_zero(struct source *source, u64 phys, u64 size)
{
	struct kho_scratch_ser ser;
	u64 at;

	for (at = phys; at < phys + size; at += sizeof(ser))
		if (source_read(source, at, &ser, sizeof(ser)) != SOURCE_OK || ser.addr || ser.size)
			return false;
	return true;
}

int kho_load_scratch(struct kho *kho, struct source *source, u64 phys, u64 size, struct report *report)
{
	struct kho_scratch_ser ser;
	u64 nr = size / sizeof(ser), i;

	if (!nr || size % sizeof(ser) || nr > KHO_MAX_SCRATCH || phys >= PHYS_END - size || (phys & 7))
		return -IOMMUSER_EINVAL;
	free(kho->scratch);
	kho->nr_scratch = 0;
	kho->scratch = NULL;
	if (is_zero(source, phys, size))
		return -IOMMUSER_ENOENT;
	kho->scratch = calloc(nr, sizeof(*kho->scratch));
	if (!kho->scratch)
		return -IOMMUSER_ENOMEM;
	for (i = 0; i < nr; i++) {
		u64 at = phys + i * sizeof(ser);

		if (source_read(source, at, &ser, sizeof(ser)) != SOURCE_OK) {
			kho_note(report, IOMMUSER_FINDING_KHO_NODE_UNREADABLE, at, 0, 0);
			return -IOMMUSER_EUNMAPPED;
		}
		add_region(kho, at, &ser, report);
	}
	return 0;
}

static bool hand_off_matches(const struct kho *kho, const struct kho_setup_data_ser *node)
{
	return node->fdt_addr == kho->fdt_phys && node->fdt_size == 1ULL << kho->page_shift &&
	       node->scratch_size &&
	       node->scratch_size <= KHO_MAX_SCRATCH * sizeof(struct kho_scratch_ser) &&
	       !(node->scratch_size % sizeof(struct kho_scratch_ser)) && !(node->scratch_addr & 7) &&
	       node->scratch_addr < PHYS_END - node->scratch_size;
}

/* The list's nodes are aligned to 8 bytes; they may cross a page. */
static bool search_page(const struct kho *kho, struct source *source, u64 start, u64 *phys, u64 *size)
{
	const u64 head = offsetof(struct kho_setup_data_ser, type);
	const u64 body = sizeof(struct kho_setup_data_ser) - offsetof(struct kho_setup_data_ser, fdt_addr);
	u64 page_size = 1ULL << kho->page_shift, at;
	struct kho_setup_data_ser node;
	const u64 *words;

	words = source_map(source, start, page_size);
	for (at = 0; words && at < page_size; at += sizeof(u64)) {
		if (words[at / sizeof(u64)] != (body << 32 | KHO_SETUP_DATA_TYPE) || start + at < head)
			continue;
		if (source_read(source, start + at - head, &node, sizeof(node)) == SOURCE_OK &&
		    hand_off_matches(kho, &node)) {
			*phys = node.scratch_addr;
			*size = node.scratch_size;
			return true;
		}
		/* Reading may have moved what was mapped. */
		words = source_map(source, start, page_size);
	}
	return false;
}

bool kho_find_scratch(const struct kho *kho, struct source *source, u64 *phys, u64 *size,
		      void (*progress)(void *ctx, u64 bytes), void *ctx)
{
	u64 page_size = 1ULL << kho->page_shift;
	u64 from = 0, start, end, bytes = 0;

	for (; source_next_range(source, from, &start, &end) && end > start; from = end) {
		for (; end - start >= page_size; start += page_size, bytes += page_size) {
			if (progress && !(bytes % PROGRESS_STEP))
				progress(ctx, bytes);
			if (search_page(kho, source, start, phys, size))
				return true;
		}
	}
	return false;
}
