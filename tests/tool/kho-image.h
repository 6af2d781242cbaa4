/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Small handovers in memory, built step by step for the tests of the KHO and
 * LUO readers; and what a test says about the findings.
 */
#ifndef KHO_IMAGE_H
#define KHO_IMAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kho.h"
#include "memory-source.h"
#include "report.h"

#define IMAGE_MAX_SUBTREES 8

/** struct image_subtree - a sub-node; the lengths are those of the properties, 0 leaves one out */
struct image_subtree {
	const char *name;
	u64 phys;
	u64 size;
	int phys_length;
	int size_length;
};

/**
 * struct image - a handover being built
 * @compatible: of the root, and its length with all NULs
 * @version: N of kho-vN, which decides the properties and the map
 * @depth: levels of the radix tree
 * @next: next free page
 * @fdt: the root FDT's page
 * @map: the map's root
 * @map_length: length of the map's property
 */
struct image {
	struct source *source;
	struct report *report;
	u32 page_shift;
	u64 page_size;
	const char *compatible;
	int compatible_length;
	u32 version;
	u32 depth;
	u64 next;
	u64 fdt;
	u64 map;
	int map_length;
	struct image_subtree subtrees[IMAGE_MAX_SUBTREES];
	size_t nr_subtrees;
	struct kho kho;
	struct kho_pages pages;
	bool is_open;
	bool has_pages;
};

/** image_init - an image of kho-v@version with a preserved page for the FDT and an empty map */
void image_init(struct image *image, u32 page_shift, u32 version);
void image_free(struct image *image);
/** image_page - a new page, zeroed, not preserved */
u64 image_page(struct image *image);
/** image_preserved_page - a new page, zeroed, preserved */
u64 image_preserved_page(struct image *image);
/** image_preserve - put a block into the radix tree, creating nodes */
void image_preserve(struct image *image, u64 phys, u32 order);
/** image_set_key - put any key into the tree */
void image_set_key(struct image *image, u64 key);
/** image_slot - where the entry is that leads to a key's node below @level; 0: the word in the leaf */
u64 image_slot(struct image *image, u64 key, u32 level);
u64 image_key(const struct image *image, u64 phys, u32 order);
void image_add_subtree(struct image *image, const char *name, u64 phys, u64 size);
/** image_write_fdt - write the root FDT */
void image_write_fdt(struct image *image);
/** image_open - write the FDT, kho_open(), kho_build_pageset(); the result of the last one called */
int image_open(struct image *image);

/** assert_nothing_found - no finding at all */
#define assert_nothing_found(image) \
	check_findings(image, IOMMUSER_NR_FINDINGS, 0, __FILE__, __LINE__)
/** assert_found - findings of this code, @count of them, and no other */
#define assert_found(image, id, count) \
	check_findings(image, IOMMUSER_FINDING_##id, count, __FILE__, __LINE__)
void check_findings(struct image *image, enum iommuser_finding_id id, size_t count,
		    const char *file, int line);

#endif /* KHO_IMAGE_H */
