// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Small handovers in memory for tests. The arithmetic of the radix tree is
 * written out here once more, from its description.
 */
#include "kho-image.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_PAGE 0x10000000ULL

void image_init(struct image *image, u32 page_shift, u32 version)
{
	static const char *const compatible[] = { "", "kho-v1", "kho-v2", "kho-v3", "kho-v4" };
	static const u32 depth[] = { [12] = 6, [14] = 5, [16] = 4 };

	memset(image, 0, sizeof(*image));
	image->source = memory_source_new(page_shift);
	image->report = report_new();
	assert_non_null(image->report);
	image->page_shift = page_shift;
	image->page_size = 1ULL << page_shift;
	image->compatible = compatible[version];
	image->compatible_length = (int)strlen(image->compatible) + 1;
	image->version = version;
	image->depth = depth[page_shift];
	image->next = FIRST_PAGE;
	image->fdt = image_page(image);
	image->map = image_page(image);
	image->map_length = 8;
	if (version > 1)
		image_preserve(image, image->fdt, 0);
}

void image_free(struct image *image)
{
	if (image->has_pages)
		kho_free_pages(&image->pages);
	if (image->is_open)
		kho_close(&image->kho);
	report_free(image->report);
	source_close(image->source);
}

u64 image_page(struct image *image)
{
	u64 phys = image->next;

	image->next += image->page_size;
	memory_page(image->source, phys);
	return phys;
}

u64 image_preserved_page(struct image *image)
{
	u64 phys = image_page(image);

	image_preserve(image, phys, 0);
	return phys;
}

u64 image_key(const struct image *image, u64 phys, u32 order)
{
	return 1ULL << (64 - image->page_shift - order) | phys >> (image->page_shift + order);
}

/* The address of the table entry for @key at @level, or of the leaf's word at level 0. */
static u64 place(struct image *image, u64 key, u32 level, bool create)
{
	u32 leaf_bits = image->page_shift + 3, table_bits = image->page_shift - 3;
	u64 node = image->map, slot, child;
	u32 at;

	for (at = image->depth - 1; at >= 1; at--) {
		slot = node +
		       (key >> (leaf_bits + (at - 1) * table_bits) & ((1ULL << table_bits) - 1)) *
			       8;
		if (at == level)
			return slot;
		child = memory_get64(image->source, slot);
		if (!child) {
			assert_true(create);
			child = image_page(image);
			memory_put64(image->source, slot, child);
		}
		node = child;
	}
	return node + (key & ((1ULL << leaf_bits) - 1)) / 64 * 8;
}

u64 image_slot(struct image *image, u64 key, u32 level)
{
	return place(image, key, level, false);
}

void image_set_key(struct image *image, u64 key)
{
	u64 word = place(image, key, 0, true);

	memory_put64(image->source, word, memory_get64(image->source, word) | 1ULL << (key % 64));
}

void image_preserve(struct image *image, u64 phys, u32 order)
{
	image_set_key(image, image_key(image, phys, order));
}

void image_add_subtree(struct image *image, const char *name, u64 phys, u64 size)
{
	assert_true(image->nr_subtrees < IMAGE_MAX_SUBTREES);
	image->subtrees[image->nr_subtrees++] = (struct image_subtree){ name, phys, size, 8, 8 };
}

static void write_subtree(void *fdt, const struct image *image, const struct image_subtree *subtree)
{
	u64 value[2] = { subtree->phys, 0 };

	assert_int_equal(fdt_begin_node(fdt, subtree->name), 0);
	if (subtree->phys_length)
		assert_int_equal(fdt_property(fdt, image->version == 1 ? "fdt" : "preserved-data",
					      value, subtree->phys_length),
				 0);
	value[0] = subtree->size;
	if (image->version >= 3 && subtree->size_length)
		assert_int_equal(fdt_property(fdt, "blob-size", value, subtree->size_length), 0);
	assert_int_equal(fdt_end_node(fdt), 0);
}

void image_write_fdt(struct image *image)
{
	u8 *fdt = memory_page(image->source, image->fdt);
	u64 map[2] = { image->map, 0 };
	size_t i;

	assert_int_equal(fdt_create(fdt, (int)image->page_size), 0);
	assert_int_equal(fdt_finish_reservemap(fdt), 0);
	assert_int_equal(fdt_begin_node(fdt, ""), 0);
	if (image->compatible_length)
		assert_int_equal(fdt_property(fdt, "compatible", image->compatible,
					      image->compatible_length),
				 0);
	if (image->map_length)
		assert_int_equal(fdt_property(fdt, "preserved-memory-map", map, image->map_length),
				 0);
	for (i = 0; i < image->nr_subtrees; i++)
		write_subtree(fdt, image, &image->subtrees[i]);
	assert_int_equal(fdt_end_node(fdt), 0);
	assert_int_equal(fdt_finish(fdt), 0);
}

int image_open(struct image *image)
{
	int ret;

	image_write_fdt(image);
	ret = kho_open(&image->kho, image->source, image->fdt, image->report);
	image->is_open = true;
	if (ret)
		return ret;
	ret = kho_build_pageset(&image->pages, &image->kho, image->source, image->report);
	image->has_pages = !ret;
	return ret;
}

void check_findings(struct image *image, enum iommuser_finding_id id, size_t count,
		    const char *file, int line)
{
	const struct report_entry *entry;
	size_t i, other = 0;

	for (i = 0; i < report_nr_kept(image->report); i++) {
		entry = report_get(image->report, i);
		if (entry->finding.id != id) {
			other++;
			print_error("unexpected %s phys 0x%llx found 0x%llx expected 0x%llx %s\n",
				    iommuser_finding_code(entry->finding.id),
				    (unsigned long long)entry->finding.phys,
				    (unsigned long long)entry->finding.found,
				    (unsigned long long)entry->finding.expected, entry->detail);
		}
	}
	if (other || (id < IOMMUSER_NR_FINDINGS && report_count_id(image->report, id) != count)) {
		print_error("%zu of another code; of the one wanted %llu\n", other,
			    id < IOMMUSER_NR_FINDINGS ?
				    (unsigned long long)report_count_id(image->report, id) :
				    0);
		_fail(file, line);
	}
}
