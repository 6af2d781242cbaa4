// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The one decoder: a table of rows and a record's bytes in, the in-memory
 * form out.
 */
#include <iommuser/records.h>

#include "internal.h"

static u64 load_field(const u8 *at, u32 width)
{
	switch (width) {
	case 1:
		return *at;
	case 2:
		return load_le16(at);
	case 4:
		return load_le32(at);
	default:
		return load_le64(at);
	}
}

static const struct iommuser_field_row *find_row(const struct iommuser_record_layout *layout,
						 enum iommuser_field field)
{
	u32 i;

	for (i = 0; i < layout->nr_rows; i++)
		if (layout->rows[i].field == field)
			return &layout->rows[i];
	return NULL;
}

bool iommuser_revision_has(const struct iommuser_revision *revision, u32 kind,
			   enum iommuser_field field)
{
	return kind && kind <= IOMMUSER_NR_KINDS && find_row(&revision->kinds[kind], field);
}

/* A unit says itself what it is; a device's variant is that of its unit. */
static OWN_FRAME u64 record_variant(const struct iommuser_record_layout *layout, u32 kind,
				    u64 variant, const u8 *bytes)
{
	const struct iommuser_field_row *type;

	if (kind != IOMMUSER_KIND_IOMMU)
		return variant;
	type = find_row(layout, IOMMUSER_FIELD_TYPE);
	return type ? load_field(bytes + type->wire, type->width) : 0;
}

void iommuser_decode(const struct iommuser_revision *revision, u32 kind, u64 variant,
		     const void *bytes, u64 phys, union iommuser_record *record)
{
	static const u16 sizes[IOMMUSER_NR_KINDS + 1] = {
		[IOMMUSER_KIND_IOMMU] = sizeof(struct iommuser_iommu),
		[IOMMUSER_KIND_DOMAIN] = sizeof(struct iommuser_domain),
		[IOMMUSER_KIND_DEVICE] = sizeof(struct iommuser_device),
		[IOMMUSER_KIND_ALIAS] = sizeof(struct iommuser_alias),
		[IOMMUSER_KIND_ATTACHMENT] = sizeof(struct iommuser_attachment),
		[IOMMUSER_KIND_HWPT] = sizeof(struct iommuser_hwpt),
	};
	const struct iommuser_record_layout *layout = &revision->kinds[kind];
	const struct iommuser_field_row *row = layout->rows;
	const struct iommuser_field_row *end = row + layout->nr_rows;
	const u8 *wire = bytes;
	u64 *member;
	u32 i;

	variant = record_variant(layout, kind, variant, wire);
	memset(record, 0, sizes[kind]);
	record->common.phys = phys;
	for (; row < end; row++) {
		if (row->variant && row->variant != variant)
			continue;
		member = (u64 *)((u8 *)record + row->memory);
		for (i = 0; i < row->width; i += 8)
			*member++ = load_field(wire + row->wire + i, row->width);
	}
}

void iommuser_encode(const struct iommuser_revision *revision, u32 kind,
		     const union iommuser_record *record, void *bytes)
{
	const struct iommuser_record_layout *layout = &revision->kinds[kind];
	u8 *wire = bytes;
	u32 row_number, i;

	for (row_number = 0; row_number < layout->nr_rows; row_number++) {
		const struct iommuser_field_row *row = &layout->rows[row_number];
		const u64 *member = (const u64 *)((const u8 *)record + row->memory);

		for (i = 0; i < row->width; i += 8)
			store_le(wire + row->wire + i, *member++, row->width < 8 ? row->width : 8);
	}
}

bool iommuser_reserved_is_zero(const struct iommuser_revision *revision, u32 kind, u64 variant,
			       const void *bytes, u64 *offset)
{
	const struct iommuser_record_layout *layout = &revision->kinds[kind];
	const u8 *wire = bytes;
	u32 end = 0;
	u32 i;

	variant = record_variant(layout, kind, variant, wire);
	for (i = 0; i < layout->nr_rows; i++) {
		const struct iommuser_field_row *row = &layout->rows[i];

		if (row->variant && row->variant != variant)
			continue;
		if (row->wire > end && !all_zero(wire + end, row->wire - end))
			goto found;
		end = row->wire + row->width;
	}
	if (all_zero(wire + end, layout->size - end))
		return true;
found:
	if (offset)
		*offset = end;
	return false;
}
