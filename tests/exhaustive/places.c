// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which field each bit belongs to: root, pages of records, records.
 */
#include "places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kho/abi/iommuser.h>

struct row rows[MAX_ROWS];
u32 nr_rows;

/* Bytes of a structure. */
struct span {
	const char *name;
	u32 offset;
	u32 width;
};

#define SPAN(type, member)                                                   \
	{                                                                    \
#member, offsetof(type, member), sizeof(((type *)0)->member) \
	}

static const struct span sealed_root[] = {
	SPAN(struct iommuser_root_ser, magic),
	SPAN(struct iommuser_root_ser, format_major),
	SPAN(struct iommuser_root_ser, format_minor),
	SPAN(struct iommuser_root_ser, root_size),
	SPAN(struct iommuser_root_ser, crc),
	SPAN(struct iommuser_root_ser, page_size),
	SPAN(struct iommuser_root_ser, generation),
	SPAN(struct iommuser_root_ser, kernel_release),
	SPAN(struct iommuser_root_ser, reserved),
};

static const struct span array_spans[] = {
	{ "first_page", 0, 8 },
	{ "nr_records", 8, 8 },
	{ "nr_deleted", 16, 8 },
};

static const struct span page_header[] = {
	SPAN(struct iommuser_page_ser, next),	  SPAN(struct iommuser_page_ser, count),
	SPAN(struct iommuser_page_ser, kind),	  SPAN(struct iommuser_page_ser, record_size),
	SPAN(struct iommuser_page_ser, sequence), SPAN(struct iommuser_page_ser, generation),
	SPAN(struct iommuser_page_ser, self),	  SPAN(struct iommuser_page_ser, crc),
	SPAN(struct iommuser_page_ser, reserved),
};

#define FIELD_NAME(symbol, name) [IOMMUSER_FIELD_##symbol] = name,

static const char *const field_names[IOMMUSER_NR_FIELDS] = { IOMMUSER_FIELDS(FIELD_NAME) };

static const char *const kind_names[IOMMUSER_NR_KINDS + 1] = {
	[IOMMUSER_KIND_IOMMU] = "iommu",	   [IOMMUSER_KIND_DOMAIN] = "domain",
	[IOMMUSER_KIND_DEVICE] = "device",	   [IOMMUSER_KIND_ALIAS] = "alias",
	[IOMMUSER_KIND_ATTACHMENT] = "attachment", [IOMMUSER_KIND_HWPT] = "hwpt",
};

static u16 row_of(const char *object, const char *field)
{
	struct row *row = rows;

	while (row < rows + nr_rows && (strcmp(row->object, object) || strcmp(row->field, field)))
		row++;
	if (row == rows + nr_rows) {
		if (nr_rows == MAX_ROWS)
			die("too many fields");
		snprintf(row->object, sizeof(row->object), "%s", object);
		snprintf(row->field, sizeof(row->field), "%s", field);
		nr_rows++;
	}
	return (u16)(row - rows + 1);
}

static u64 page_number(const struct places *places, u64 phys)
{
	return phys >> places->handover->env.page_shift;
}

static u64 page_offset(const struct places *places, u64 phys)
{
	return phys & (handover_page_size(places->handover) - 1);
}

void places_page(struct places *places, u64 phys, enum page_kind kind)
{
	u64 number = page_number(places, phys);
	u64 size = handover_page_size(places->handover);

	handover_at(places->handover, phys);
	if (places->rows[number] && (kind != PAGE_TABLE || places->kinds[number] != PAGE_TABLE))
		die("%#llx is met twice", (unsigned long long)phys);
	places->kinds[number] = kind;
	if (places->rows[number])
		return;
	places->rows[number] = calloc(8 * size, sizeof(*places->rows[number]));
	places->own[number] = calloc(size / 8, sizeof(*places->own[number]));
	if (!places->rows[number] || !places->own[number])
		die("out of memory");
}

void places_label(struct places *places, u64 phys, u64 first, u64 count, const char *object,
		  const char *field)
{
	u16 *bits = places->rows[page_number(places, phys)] + 8 * page_offset(places, phys) + first;
	u16 row = row_of(object, field);

	for (; count--; bits++)
		if (!*bits)
			*bits = row;
}

void places_own(struct places *places, u64 phys, u64 length)
{
	u64 *own = places->own[page_number(places, phys)];
	u64 offset = page_offset(places, phys);
	u64 i;

	/* A word across two records belongs to the one that it starts in. */
	for (i = (offset + 7) / 8; i < (offset + length + 7) / 8; i++)
		own[i] = phys;
}

static void label_bytes(struct places *places, u64 phys, u64 offset, u64 length, const char *object,
			const char *field)
{
	places_label(places, phys, 8 * offset, 8 * length, object, field);
}

static void label_spans(struct places *places, u64 phys, const struct span *spans, size_t count,
			const char *object)
{
	for (; count--; spans++)
		label_bytes(places, phys, spans->offset, spans->width, object, spans->name);
}

static void label_root(struct places *places, const struct handover *handover)
{
	const struct iommuser_revision *revision = handover->revision;
	u64 size = handover_page_size(handover);
	u64 page = handover->root & ~(size - 1);
	u32 kind;

	places_page(places, page, PAGE_ROOT);
	places_own(places, page, size);
	places_own(places, handover->root, revision->root_size);
	if (revision->properties & IOMMUSER_REVISION_SEALED)
		label_spans(places, page, sealed_root, ARRAY_SIZE(sealed_root), "root");
	if (revision->properties & IOMMUSER_REVISION_VERSION)
		label_bytes(places, handover->root, 0, 8, "root", "version");
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		if (revision->kinds[kind].size)
			label_spans(places,
				    handover->root + revision->arrays_offset +
					    (u64)(kind - 1) * revision->array_stride,
				    array_spans, revision->array_stride / 8, "root");
	label_bytes(places, page, 0, size, "root", "rest of the page");
}

static void label_fields(struct places *places, const struct iommuser_record_layout *layout,
			 u64 phys, const char *object)
{
	u32 i;

	for (i = 0; i < layout->nr_rows; i++) {
		const struct iommuser_field_row *row = &layout->rows[i];

		if (!row->variant || row->variant == IOMMUSER_IOMMU_TYPE_INTEL)
			label_bytes(places, phys, row->wire, row->width, object,
				    field_names[row->field]);
	}
	label_bytes(places, phys, 0, layout->size, object, "reserved");
}

static void label_record(struct places *places, const struct handover *handover, u32 kind,
			 u64 position)
{
	const struct iommuser_chain_survey *survey = &handover->survey.kinds[kind];
	union iommuser_record record;
	const char *fate = "";
	char object[48];

	if (iommuser_graph_read(&handover->graph, kind, position, &record))
		die("a record cannot be read");
	if (places->nr_records == ARRAY_SIZE(places->records))
		die("too many records");
	places->records[places->nr_records++] = record.common.phys;
	if (record.common.flags & IOMMUSER_FLAG_DELETED)
		fate = ", deleted";
	else if (kind == IOMMUSER_KIND_DEVICE &&
		 iommuser_graph_device_stale(&handover->graph, &record.device))
		fate = ", stale";
	snprintf(object, sizeof(object), "%s%s", kind_names[kind], fate);
	label_fields(places, &handover->revision->kinds[kind], record.common.phys, object);
	label_bytes(places, record.common.phys, 0, survey->record_size, object,
		    "beyond what minor 0 has");
	places_own(places, record.common.phys, survey->record_size);
}

static void label_chain(struct places *places, const struct handover *handover, u32 kind)
{
	u64 size = handover_page_size(handover);
	struct iommuser_chain_page page;
	struct iommuser_chain chain;
	u64 position = 0, i;

	if (iommuser_chain_of(&handover->env, &handover->parsed, kind,
			      handover->survey.kinds[kind].record_size, &chain))
		die("no chain of kind %u", kind);
	while (iommuser_chain_next(&chain, &page) == 1) {
		places_page(places, page.phys, PAGE_CHAIN);
		places_own(places, page.phys, size);
		label_spans(places, page.phys, page_header,
			    handover->revision->page_header_size ==
					    sizeof(struct iommuser_page_ser) ?
				    ARRAY_SIZE(page_header) :
				    2,
			    "page header");
		for (i = 0; i < page.count; i++)
			label_record(places, handover, kind, position++);
		label_bytes(places, page.phys, 0, size, "page", "after the records");
	}
	if (position != iommuser_graph_count(&handover->graph, kind))
		die("kind %u: %llu records", kind, (unsigned long long)position);
}

struct places *places_find(struct handover *handover)
{
	struct places *places = calloc(1, sizeof(*places));
	u32 kind;

	if (!places)
		die("out of memory");
	places->handover = handover;
	label_root(places, handover);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		if (handover->revision->kinds[kind].size)
			label_chain(places, handover, kind);
	places_find_tables(places, handover);
	if (!places->nr_records || !places->nr_tables)
		die("no records or tables");
	return places;
}

void places_free(struct places *places)
{
	u64 i;

	for (i = 0; i < MAX_PAGES; i++) {
		free(places->rows[i]);
		free(places->own[i]);
	}
	free(places);
}
