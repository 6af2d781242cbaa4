/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading KHO out of an image: the root FDT, the memory map, what Linux
 * itself puts beside them, and finding the root FDT where nobody says where.
 *
 * What Linux 7.3 does with it, and hence why a check is here: it compares the
 * compatible string and, when that differs, boots as if there were no
 * handover, while devices go on writing (K10); it takes the memory map as it
 * is, unchecked, and reserves what it says; it fetches a sub-blob only when
 * its address and size are there (K6), and panics when that blob was LUO's.
 */
#ifndef KHO_H
#define KHO_H

#include <iommuser/pageset.h>
#include <iommuser/types.h>

#include "block-map.h"
#include "report.h"
#include "source.h"

/* Blocks beyond are findings, not memory. */
#define KHO_MAX_BLOCK_SHIFT 40
/* 128 MiB each, so 32 TiB preserved; struct kho has its own limit. */
#define KHO_DEFAULT_MAX_CHUNKS (1ULL << 18)
/* Pages of a memory map that a walk reads. */
#define KHO_DEFAULT_MAX_NODES (1ULL << 20)
#define KHO_MAX_SCRATCH 4096

enum kho_revision {
	KHO_REVISION_UNKNOWN,
	KHO_REVISION_V1,
	KHO_REVISION_V2,
	KHO_REVISION_V3,
	KHO_REVISION_V4,
};

/** enum kho_answer - what is missing from an image is not known */
enum kho_answer {
	KHO_NO,
	KHO_YES,
	KHO_UNKNOWN,
};

/**
 * struct kho_subtree - one sub-node of the root FDT
 * @name: as in the image, cut, NUL-terminated; not to be printed unescaped
 * @phys: where the blob is
 * @size: its bytes; a page where the revision doesn't record it
 * @has_size: the revision records the size
 * @valid: the properties were there and make sense; otherwise @phys and @size
 *	are zero
 */
struct kho_subtree {
	char name[64];
	u64 phys;
	u64 size;
	bool has_size;
	bool valid;
};

/** struct kho_reserved - a named region of the memblock sub-blob */
struct kho_reserved {
	char name[64];
	u64 phys;
	u64 size;
};

/** struct kho_metadata - the kexec-metadata sub-blob; @previous_release is not to be printed unescaped */
struct kho_metadata {
	bool present;
	u32 version;
	u32 kexec_count;
	char previous_release[66];
};

/** struct kho_scratch - one scratch region */
struct kho_scratch {
	u64 phys;
	u64 size;
};

/**
 * struct kho - a root FDT, parsed
 * @fdt_phys: where it is
 * @page_shift: of the source
 * @revision: by the first token of @compatible
 * @compatible: the whole string, tokens separated by ';', cut; not to be
 *	printed unescaped
 * @map: address of the memory map's root; 0 in kho-v1: nothing is preserved
 * @has_map: @map can be followed
 * @fdt_used: bytes of the page that the FDT takes
 * @subtrees: the sub-nodes, in their order
 * @nr_subtrees: how many
 * @metadata: if there is any
 * @reserved: named regions of reserve_mem
 * @nr_reserved: how many
 * @scratch: scratch regions, when kho_load_scratch() read them
 * @nr_scratch: how many
 * @v1_bitmap_size: for the caller to set after kho_open(): bytes of a kho-v1
 *	bitmap, 0 to find out
 * @max_chunks: for the caller to set: limit on preserved memory
 * @max_nodes: for the caller to set: limit on pages of the memory map
 * @memory_end: for the caller to lower, when it knows where memory ends
 */
struct kho {
	u64 fdt_phys;
	u32 page_shift;
	enum kho_revision revision;
	char compatible[64];
	u64 map;
	bool has_map;
	u32 fdt_used;
	struct kho_subtree *subtrees;
	size_t nr_subtrees;
	struct kho_metadata metadata;
	struct kho_reserved *reserved;
	size_t nr_reserved;
	struct kho_scratch *scratch;
	size_t nr_scratch;
	u64 v1_bitmap_size;
	u64 max_chunks;
	u64 max_nodes;
	u64 memory_end;
};

/**
 * kho_open - read and check a root FDT
 * @kho: to fill; kho_close() it whatever the result
 * @source: the image
 * @fdt_phys: where the FDT is
 * @report: findings KHO-01 to 03, 04 (address alone), 10, 11, 14, 17, 20, or NULL
 *
 * Return: 0, with findings or without, an unknown revision included;
 * -IOMMUSER_EUNMAPPED when the page is not in the image; -IOMMUSER_ECORRUPT
 * when it holds no FDT; -IOMMUSER_ENOMEM.
 */
int kho_open(struct kho *kho, struct source *source, u64 fdt_phys, struct report *report);
void kho_close(struct kho *kho);

/** kho_find_subtree - the first sub-node of that name, as Linux takes it, or NULL */
const struct kho_subtree *kho_find_subtree(const struct kho *kho, const char *name);

/* For kho_open(): the sub-blobs that Linux itself writes. */
int kho_read_metadata(struct kho *kho, struct source *source, struct report *report);
int kho_read_memblock(struct kho *kho, struct source *source, struct report *report);

/**
 * struct kho_run - blocks of the memory map that follow one another
 * @phys: the first block
 * @order: log2 of a block's pages
 * @nr: blocks
 */
struct kho_run {
	u64 phys;
	u32 order;
	u64 nr;
};

/**
 * struct kho_map_stats - what a walk of the memory map came across
 * @nr_nodes: radix nodes, or chunks and bitmaps
 * @nr_blocks: preserved blocks
 * @depth: levels of the radix tree, its leaves included; 0 for kho-v1
 * @bitmap_size: bytes of a kho-v1 bitmap; 0 otherwise
 * @bitmap_guessed: nothing in the image proves @bitmap_size
 * @complete: every part was read; otherwise what is not in the map may still
 *	be preserved
 */
struct kho_map_stats {
	u64 nr_nodes;
	u64 nr_blocks;
	u32 depth;
	u64 bitmap_size;
	bool bitmap_guessed;
	bool complete;
};

/**
 * kho_walk_map - go through the memory map
 * @kho: from kho_open()
 * @source: the image
 * @report: findings KHO-04 to 07, 09, 10, 15, 18, 19, 21, or NULL
 * @run: called for each run of blocks; a negative result stops the walk
 * @ctx: passed to @run
 * @stats: filled
 *
 * Return: 0; what @run returned; -IOMMUSER_EUNKNOWN when the revision's map is
 * not known; -IOMMUSER_ENOMEM.
 */
int kho_walk_map(const struct kho *kho, struct source *source, struct report *report,
		 int (*run)(void *ctx, const struct kho_run *run), void *ctx,
		 struct kho_map_stats *stats);

/**
 * kho_preserves_page - is a page of the image's size preserved as a block of its own?
 *
 * For kho-v2 and later this reads one path of the tree. The root FDT's page is
 * always such a block; copies of it elsewhere are not.
 */
enum kho_answer kho_preserves_page(const struct kho *kho, struct source *source, u64 phys);

/**
 * struct kho_pages - what is preserved
 * @set: its pages, three planes; with room for some thousand chunks more
 * @memory: of @set
 * @size: bytes at @memory
 * @page_shift: of the source; @set itself has pages of 4 KiB
 * @blocks: where blocks begin
 * @has_blocks: @blocks is known
 * @complete: a page that is not in @set is not preserved; otherwise that is
 *	not known, and nothing may be said about such a page
 * @subtrees_checked: KHO-12 was reported for sub-blobs outside the set
 * @nr_pages: pages of 4 KiB
 * @stats: of the walk; zero when the image carries the set itself
 */
struct kho_pages {
	struct iommuser_pageset set;
	void *memory;
	size_t size;
	u32 page_shift;
	struct block_map blocks;
	bool has_blocks;
	bool complete;
	bool subtrees_checked;
	u64 nr_pages;
	struct kho_map_stats stats;
};

/**
 * kho_build_pageset - find out what is preserved
 * @pages: to fill; kho_free_pages() it when the result is 0
 * @kho: from kho_open(); NULL when only a portable image's own set is wanted
 * @source: the image
 * @report: what kho_walk_map() finds, KHO-08, KHO-12, KHO-13, or NULL
 *
 * A set that a portable image carries is taken as it is; its memory map is
 * then only checked, and only when its root is there. The FDT and the
 * sub-blobs are put into the visited plane, reserve_mem into the mapped one.
 *
 * Return: 0; -IOMMUSER_ENOENT when there is nothing to build it from;
 * -IOMMUSER_ENOMEM.
 */
int kho_build_pageset(struct kho_pages *pages, const struct kho *kho, struct source *source,
		      struct report *report);
void kho_free_pages(struct kho_pages *pages);

/** kho_pages_preserved - are all these bytes preserved? If not, @missing is the first page that isn't; both may be NULL */
enum kho_answer kho_pages_preserved(struct kho_pages *pages, u64 phys, u64 length, u64 *missing);

/**
 * kho_pages_visit - put the image's pages that metadata lies in into the visited plane
 *
 * Only those that are preserved; @pages may be NULL.
 */
void kho_pages_visit(struct kho_pages *pages, u64 phys, u64 length);

/** kho_pages_block - bytes of the preserved block that begins at @phys; 0: none does, or not known */
u64 kho_pages_block(struct kho_pages *pages, u64 phys);

/**
 * kho_load_scratch - read and check the array of scratch regions
 * @kho: from kho_open(); @kho->scratch is filled
 * @source: the image
 * @phys: where the array is
 * @size: bytes of the array
 * @report: findings KHO-10, KHO-16, or NULL
 *
 * To be called before the map is walked, which then reports what overlaps.
 *
 * Return: 0; -IOMMUSER_EINVAL for a size or address that is not possible;
 * -IOMMUSER_EUNMAPPED; -IOMMUSER_ENOMEM.
 */
int kho_load_scratch(struct kho *kho, struct source *source, u64 phys, u64 size,
		     struct report *report);

/** enum kho_hand_off - how far x86's hand-off of an FDT has come */
enum kho_hand_off {
	KHO_HAND_OFF_NONE,
	KHO_HAND_OFF_PREPARED, /* in a kexec image: what it points to is copied in the jump */
	KHO_HAND_OFF_DONE,
};

/**
 * kho_find_scratch - search memory for the x86 hand-off that names this FDT
 * @phys: where the array of scratch regions is, when the hand-off is done
 * @size: its bytes
 * @progress: called now and then with the bytes searched, or NULL
 *
 * This reads the whole image.
 */
enum kho_hand_off kho_find_scratch(const struct kho *kho, struct source *source, u64 *phys,
				   u64 *size, void (*progress)(void *ctx, u64 bytes), void *ctx);

/**
 * kho_locate - find the page of a root FDT of which only the bytes are known
 * @source: the image
 * @fdt: its bytes, aligned to 8
 * @size: how many are known: the end may be missing
 * @phys: set to its address
 *
 * The page is one that the FDT's own memory map preserves: only such pages are
 * looked at.
 *
 * Return: 0; -IOMMUSER_ENOENT when no page of the image is it; -IOMMUSER_ECORRUPT
 * when it is no such FDT.
 */
int kho_locate(struct source *source, const void *fdt, size_t size, u64 *phys);

/**
 * kho_open_copy - read the revision and the map's address of an FDT that is not in the image
 * @fdt: its bytes, aligned to 8
 * @size: how many are known: the end may be missing
 *
 * Return: 0 or -IOMMUSER_ECORRUPT.
 */
int kho_open_copy(struct kho *kho, u32 page_shift, const void *fdt, size_t size);

/** enum kho_soundness - whether a candidate can be a handover at all */
enum kho_soundness {
	KHO_SOUND,
	KHO_FDT_DAMAGED,
	KHO_FDT_FOREIGN,
};

/**
 * struct kho_candidate - a page that looks like a root FDT
 * @phys: where
 * @compatible: as in struct kho
 * @soundness: KHO_FDT_FOREIGN when it is sound, but of no known revision
 * @self_reference: its own page is in its own memory map
 * @has_kexec_count: there is kexec-metadata
 * @kexec_count: from it
 * @has_liveupdate_num: there is a LUO
 * @liveupdate_num: from it
 */
struct kho_candidate {
	u64 phys;
	char compatible[64];
	enum kho_soundness soundness;
	enum kho_answer self_reference;
	bool has_kexec_count;
	u32 kexec_count;
	bool has_liveupdate_num;
	u64 liveupdate_num;
};

/**
 * struct kho_candidates - all of them, the best first
 * @items: sorted: sound ones, those that refer to themselves (yes, unknown,
 *	no), kexec_count and liveupdate_num descending, address ascending
 * @nr: how many are in @items
 * @nr_found: how many there were; more than @nr when memory is full of them
 */
struct kho_candidates {
	struct kho_candidate *items;
	size_t nr;
	u64 nr_found;
};

/**
 * kho_find - search memory for root FDTs
 * @candidates: to fill; kho_free_candidates() it when the result is 0
 * @source: the image
 * @progress: called now and then with the bytes searched, or NULL
 * @ctx: passed to @progress
 *
 * Return: 0, even when there is none; -IOMMUSER_ENOMEM.
 */
int kho_find(struct kho_candidates *candidates, struct source *source,
	     void (*progress)(void *ctx, u64 bytes), void *ctx);
void kho_free_candidates(struct kho_candidates *candidates);

/** kho_candidate_reason - why it is where it is in the list, in words */
const char *kho_candidate_reason(const struct kho_candidate *candidate, char *buffer, size_t size);

/** kho_note - report_add(), unless @report is NULL */
static inline void kho_note(struct report *report, enum iommuser_finding_id id, u64 phys, u64 found,
			    u64 expected)
{
	if (report)
		report_add(report, id, phys, found, expected, NULL, 0);
}

static inline void kho_note_name(struct report *report, enum iommuser_finding_id id, u64 phys,
				 u64 found, u64 expected, const char *name, size_t size)
{
	if (report)
		report_add(report, id, phys, found, expected, name, size);
}

#endif /* KHO_H */
