// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Small handovers, written from the descriptions of the formats.
 */
#include "handover.h"

#include <string.h>
#include <zlib.h>

#define ROOT_CRC 16
#define PAGE_CRC 48

static const u32 sealed_sizes[] = { 0, 192, 128, 128, 64, 64, 64 };

struct handover *handover_new(const char *name, u32 page_shift)
{
	struct handover *handover = calloc(1, sizeof(*handover));
	u32 kind;

	assert_non_null(handover);
	handover->image = image_new(page_shift);
	handover->revision = iommuser_revision_by_name(name);
	assert_non_null(handover->revision);
	handover->sealed = strcmp(name, "iommuser-v1") == 0;
	handover->generation = 0x1122334455667788ULL;
	handover->root_phys = image_alloc(handover->image);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		struct array *array = &handover->arrays[kind];
		u32 header = handover->sealed ? 64 : 16;

		array->record_size = handover->sealed ? sealed_sizes[kind] :
							handover->revision->kinds[kind].size;
		if (!array->record_size)
			continue;
		array->per_page = (image_page_size(handover->image) - header) / array->record_size;
		if (!handover->sealed) /* a series chain has at least one page */
			array->first = array->last = image_alloc(handover->image);
	}
	findings_init(&handover->findings);
	return handover;
}

void handover_free(struct handover *handover)
{
	image_free(handover->image);
	if (handover->set)
		pageset_free(handover->set);
	free(handover->memory);
	free(handover);
}

static void begin_page(struct handover *handover, u32 kind)
{
	struct array *array = &handover->arrays[kind];
	struct image *image = handover->image;
	u64 page = image_alloc(image);
	u64 sequence = 0;

	if (array->last) {
		image_put(image, array->last, 8, page);
		sequence = handover->sealed ? image_get(image, array->last + 24, 8) + 1 : 0;
	} else {
		array->first = page;
	}
	array->last = page;
	if (!handover->sealed)
		return;
	image_put(image, page + 16, 4, kind);
	image_put(image, page + 20, 4, array->record_size);
	image_put(image, page + 24, 8, sequence);
	image_put(image, page + 32, 8, handover->generation);
	image_put(image, page + 40, 8, page);
}

u64 handover_add(struct handover *handover, u32 kind)
{
	struct array *array = &handover->arrays[kind];
	u64 count, phys;

	assert_true(array->record_size > 0);
	if (!array->last || image_get(handover->image, array->last + 8, 8) >= array->per_page)
		begin_page(handover, kind);
	count = image_get(handover->image, array->last + 8, 8);
	phys = array->last + (handover->sealed ? 64 : 16) + count * array->record_size;
	image_put(handover->image, array->last + 8, 8, count + 1);
	handover_put(handover, kind, phys, IOMMUSER_FIELD_REF_COUNT, 1);
	if (iommuser_revision_has(handover->revision, kind, IOMMUSER_FIELD_INDEX))
		handover_put(handover, kind, phys, IOMMUSER_FIELD_INDEX, array->nr_records);
	array->nr_records++;
	return phys;
}

/* Offsets are checked against their description in records-test.c. */
static const struct iommuser_field_row *row_of(const struct handover *handover, u32 kind,
					       enum iommuser_field field)
{
	const struct iommuser_record_layout *layout = &handover->revision->kinds[kind];
	u32 i;

	for (i = 0; i < layout->nr_rows; i++)
		if (layout->rows[i].field == field)
			return &layout->rows[i];
	fail_msg("%s has no field %d in kind %u", handover->revision->name, (int)field, kind);
	return NULL;
}

/* Of an array, the first element is meant. */
static u32 element_width(const struct iommuser_field_row *row)
{
	return row->width < 8 ? row->width : 8;
}

void handover_put(struct handover *handover, u32 kind, u64 phys, enum iommuser_field field,
		  u64 value)
{
	const struct iommuser_field_row *row = row_of(handover, kind, field);

	image_put(handover->image, phys + row->wire, element_width(row), value);
}

u64 handover_get(struct handover *handover, u32 kind, u64 phys, enum iommuser_field field)
{
	const struct iommuser_field_row *row = row_of(handover, kind, field);

	return image_get(handover->image, phys + row->wire, element_width(row));
}

void handover_delete(struct handover *handover, u32 kind, u64 phys)
{
	struct array *array = &handover->arrays[kind];
	u32 at;

	if (handover->sealed)
		for (at = 16; at < array->record_size; at++)
			image_put(handover->image, phys + at, 1, 0);
	handover_put(handover, kind, phys, IOMMUSER_FIELD_REF_COUNT, 0);
	handover_put(handover, kind, phys, IOMMUSER_FIELD_FLAGS, 1);
	array->nr_deleted++;
}

void handover_seal(struct handover *handover, u64 page)
{
	u32 offset = page == handover->root_phys ? ROOT_CRC : PAGE_CRC;

	image_put(handover->image, page + offset, 4, 0);
	image_put(handover->image, page + offset, 4,
		  crc32(0, image_page(handover->image, page),
			(uInt)image_page_size(handover->image)));
}

static void write_sealed_root(struct handover *handover)
{
	struct image *image = handover->image;
	u64 root = handover->root_phys;
	u32 kind;
	u64 page;

	memcpy(image_page(image, root), "IOMMUSER", 8);
	image_put(image, root + 8, 2, 1);
	image_put(image, root + 12, 4, 256);
	image_put(image, root + 20, 4, image_page_size(image));
	image_put(image, root + 24, 8, handover->generation);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		const struct array *array = &handover->arrays[kind];
		u64 at = root + 32 + 24ULL * (kind - 1);

		image_put(image, at, 8, array->first);
		image_put(image, at + 8, 8, array->nr_records);
		image_put(image, at + 16, 8, array->nr_deleted);
		for (page = array->first; page; page = image_get(image, page, 8))
			handover_seal(handover, page);
	}
	memcpy(image_page(image, root) + 176, "7.3.4-test", 10);
	handover_seal(handover, root);
}

void handover_finish(struct handover *handover)
{
	const char *name = handover->revision->name;
	bool first = strcmp(name, "iommu-v1") == 0;
	bool versioned = strcmp(name, "iommu-liveupdate-v1") != 0;
	u64 at = handover->root_phys;
	u32 kind;

	if (handover->sealed) {
		write_sealed_root(handover);
		return;
	}
	if (versioned && !first) {
		image_put(handover->image, at, 8, 1);
		at += 8;
	}
	for (kind = KIND_IOMMU; kind <= KIND_DEVICE; kind++, at += 8) {
		image_put(handover->image, at, 8, handover->arrays[kind].first);
		if (!first)
			continue;
		at += 8;
		image_put(handover->image, at, 8, handover->arrays[kind].nr_records);
	}
}

void handover_preserve(struct handover *handover, u64 phys, u64 length)
{
	if (handover->set)
		pageset_free(handover->set);
	handover->set = pageset_new(64, IOMMUSER_NR_PLANES);
	image_preserve(handover->image, handover->set);
	if (length)
		assert_int_equal(
			iommuser_pageset_add(handover->set, IOMMUSER_PRESERVED, phys, length), 0);
}

void handover_survey(struct handover *handover)
{
	const struct iommuser_env *env = &handover->image->env;

	assert_int_equal(iommuser_root_open(env, handover->revision, handover->root_phys,
					    handover->set, &handover->findings.reporter,
					    &handover->root),
			 0);
	assert_int_equal(iommuser_survey_root(env, &handover->root, handover->set,
					      &handover->findings.reporter, &handover->survey),
			 0);
}

void handover_build(struct handover *handover)
{
	handover_survey(handover);
	free(handover->memory);
	handover->size = iommuser_graph_size(&handover->root, &handover->survey);
	handover->memory = handover->size ? calloc(1, handover->size) : NULL;
	assert_non_null(handover->memory);
	assert_int_equal(iommuser_graph_build(&handover->graph, &handover->image->env,
					      &handover->root, &handover->survey, 0x5eed,
					      handover->memory, handover->size),
			 0);
}
