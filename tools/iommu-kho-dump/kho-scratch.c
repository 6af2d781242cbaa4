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
#define MAX_NODES 16
#define MAX_LISTS 64
#define MAX_STEPS 64
/* The protocol between x86 boot loaders and Linux. */
#define BOOT_PARAMS_MAGIC 0x202
#define BOOT_PARAMS_HDRS 0x53726448 /* "HdrS" */
#define BOOT_PARAMS_SETUP_DATA 0x250
#define MAX_PARAMS_SIZE (1ULL << 20)

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

static void add_region(struct kho *kho, u64 at, const struct kho_scratch_ser *ser,
		       struct report *report)
{
	struct kho_scratch region = { ser->addr, ser->size };

	if (!region_valid(kho, &region))
		kho_note(report, IOMMUSER_FINDING_KHO_SCRATCH_INVALID, at, region.phys,
			 region.size);
	if (region_possible(&region))
		kho->scratch[kho->nr_scratch++] = region;
}

int kho_load_scratch(struct kho *kho, struct source *source, u64 phys, u64 size,
		     struct report *report)
{
	struct kho_scratch_ser ser;
	u64 nr = size / sizeof(ser), i;

	if (!nr || size % sizeof(ser) || nr > KHO_MAX_SCRATCH || phys >= PHYS_END - size ||
	    (phys & 7))
		return -IOMMUSER_EINVAL;
	free(kho->scratch);
	kho->nr_scratch = 0;
	kho->scratch = NULL;
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
	       !(node->scratch_size % sizeof(struct kho_scratch_ser)) &&
	       !(node->scratch_addr & 7) && node->scratch_addr < PHYS_END - node->scratch_size;
}

/*
 * Where a hand-off was found, and where lists of the boot loader begin. The list is at the same
 * time part of a kexec image that waits to be copied: there its pages lie anywhere, and what it
 * points to is not there yet.
 */
struct search {
	const struct kho *kho;
	struct source *source;
	struct kho_setup_data_ser nodes[MAX_NODES];
	u64 node_phys[MAX_NODES];
	u32 nr_nodes;
	u64 params[MAX_LISTS];
	u64 first[MAX_LISTS];
	u32 nr_lists;
};

static void found_node(struct search *search, u64 phys)
{
	struct kho_setup_data_ser *node = &search->nodes[search->nr_nodes];

	if (search->nr_nodes == MAX_NODES ||
	    source_read(search->source, phys, node, sizeof(*node)) != SOURCE_OK ||
	    !hand_off_matches(search->kho, node))
		return;
	search->node_phys[search->nr_nodes++] = phys;
}

static void found_params(struct search *search, u64 phys)
{
	u64 *first = &search->first[search->nr_lists];

	if (search->nr_lists == MAX_LISTS ||
	    source_read(search->source, phys + BOOT_PARAMS_SETUP_DATA, first, sizeof(*first)) !=
		    SOURCE_OK ||
	    !*first)
		return;
	search->params[search->nr_lists++] = phys;
}

static bool is_params(u64 at, u64 word)
{
	return !((at - BOOT_PARAMS_MAGIC) & 15) && (u32)word == BOOT_PARAMS_HDRS &&
	       at >= BOOT_PARAMS_MAGIC;
}

/* The list's nodes are aligned to 8 bytes, boot parameters to 16; both may cross a page. */
static void search_page(struct search *search, u64 start)
{
	const u64 head = offsetof(struct kho_setup_data_ser, type);
	const u64 body =
		sizeof(struct kho_setup_data_ser) - offsetof(struct kho_setup_data_ser, fdt_addr);
	u64 page_size = 1ULL << search->kho->page_shift, at;
	const u64 *words;

	words = source_map(search->source, start, page_size);
	for (at = 0; words && at < page_size; at += sizeof(u64)) {
		u64 word = words[at / sizeof(u64)];

		if (word == (body << 32 | KHO_SETUP_DATA_TYPE) && start + at >= head)
			found_node(search, start + at - head);
		else if (is_params(start + at + 2, word >> 16))
			found_params(search, start + at + 2 - BOOT_PARAMS_MAGIC);
		else
			continue;
		/* Reading may have moved what was mapped. */
		words = source_map(search->source, start, page_size);
	}
}

static bool list_has(const struct search *search, u64 node, u64 phys)
{
	u32 steps;

	for (steps = 0; node && steps < MAX_STEPS; steps++) {
		if (node == phys)
			return true;
		if (source_read(search->source, node, &node, sizeof(node)) != SOURCE_OK)
			return false;
	}
	return false;
}

/*
 * Is the node where a list says it is? kexec puts the parameters at the start of a page and the
 * nodes behind them, a kernel that has come up has a copy of the parameters among its variables.
 * A page of a kexec image that lies where it belongs by chance proves nothing of the others.
 */
static bool in_place(const struct search *search, u64 phys)
{
	u64 page_mask = (1ULL << search->kho->page_shift) - 1, distance;
	u32 i;

	for (i = 0; i < search->nr_lists; i++) {
		distance = phys - search->params[i];
		if (!(search->params[i] & page_mask) && distance >= MAX_PARAMS_SIZE)
			continue;
		if (list_has(search, search->first[i], phys))
			return true;
	}
	return false;
}

enum kho_hand_off kho_find_scratch(const struct kho *kho, struct source *source, u64 *phys,
				   u64 *size, void (*progress)(void *ctx, u64 bytes), void *ctx)
{
	u64 page_size = 1ULL << kho->page_shift;
	u64 from = 0, start, end, bytes = 0;
	struct search search = { .kho = kho, .source = source };
	u32 i;

	for (; source_next_range(source, from, &start, &end) && end > start; from = end) {
		for (; end - start >= page_size; start += page_size, bytes += page_size) {
			if (progress && !(bytes % PROGRESS_STEP))
				progress(ctx, bytes);
			search_page(&search, start);
		}
	}
	for (i = 0; i < search.nr_nodes; i++) {
		if (!in_place(&search, search.node_phys[i]))
			continue;
		*phys = search.nodes[i].scratch_addr;
		*size = search.nodes[i].scratch_size;
		return KHO_HAND_OFF_DONE;
	}
	return search.nr_nodes ? KHO_HAND_OFF_PREPARED : KHO_HAND_OFF_NONE;
}
