// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves of the decoder and encoder, for each revision, each kind of record, each
 * variant and any bytes, in objects of exactly the record's size: they touch nothing
 * else; every member is below 2^(8 * width) of its field. Except in revisions with records
 * of two variants, which nobody writes: what is decoded and encoded is the record again in
 * every byte that belongs to a field, and 0 in the others, so that encode, decode,
 * encode is a fixed point. Except for units where there are variants: reserved_is_zero()
 * says true exactly when the others are 0 already. Which bytes are which field of
 * "iommuser-v1": see records-v1.c. Checks S1 S17.
 *
 * Sources: records.c revisions.c access.c
 * Unwind: 30 check_kind.0:194 check_encoding.0:194 check_encoding.1:194 check_reserved.0:194 find_fields.0:194 find_fields.1:66 find_fields.2:66
 * Flags: --max-field-sensitivity-array-size 256
 * Cases: REVISION=0,VARIANT=1 REVISION=1,VARIANT=1 REVISION=2,VARIANT=1
 * Cases: REVISION=3,VARIANT=1 REVISION=3,VARIANT=2 REVISION=3,VARIANT=3 REVISION=4,VARIANT=1
 */
#include <iommuser/records.h>

#include "internal.h"
#include "proof.h"

#define LARGEST 192
/* The rows of both variants are written, so these revisions can't be encoded; nobody does. */
#define TWO_VARIANTS (REVISION > 2)
/* What is reserved in a unit's record depends on its own bytes: too much for one formula. */
#define UNIT_VARIANTS (REVISION > 1)

static const struct iommuser_revision *revision;

/* Which bytes of a record are part of a field. */
static bool belongs[LARGEST];

static void find_fields(u32 kind)
{
	const struct iommuser_record_layout *layout = &revision->kinds[kind];
	const struct iommuser_field_row *row = layout->rows;
	u32 i, at;

	for (at = 0; at < LARGEST; at++)
		belongs[at] = false;
	for (i = 0; i < layout->nr_rows; i++, row++)
		for (at = 0; (!row->variant || row->variant == VARIANT) && at < row->width; at++)
			belongs[row->wire + at] = true;
}

static void check_members(u32 kind, const union iommuser_record *record)
{
	const struct iommuser_record_layout *layout = &revision->kinds[kind];
	const struct iommuser_field_row *row = layout->rows;
	const u64 *members = (const u64 *)record;
	u32 i;

	for (i = 0; i < layout->nr_rows; i++, row++) {
		prove(row->memory % 8 == 0 && row->memory >= 8, "a member, and not the address");
		if (row->width < 8)
			prove(members[row->memory / 8] < 1ULL << (8 * row->width),
			      "a member is no wider than its field");
	}
}

static void check_encoding(u32 kind, const u8 *bytes, const union iommuser_record *record)
{
	u32 size = revision->kinds[kind].size, at;
	u8 *again = malloc(size);

	for (at = 0; at < size; at++)
		again[at] = 0;
	iommuser_encode(revision, kind, record, again);
	for (at = 0; at < size; at++)
		prove(again[at] == (belongs[at] ? bytes[at] : 0),
		      "encoding gives the fields' bytes back, and writes nothing else");
}

static void check_reserved(u32 kind, const u8 *bytes)
{
	u32 size = revision->kinds[kind].size, at;
	bool clean = true;
	u64 dirty = ~0ULL;

	for (at = 0; at < size; at++)
		clean = clean && (belongs[at] || !bytes[at]);
	prove(iommuser_reserved_is_zero(revision, kind, VARIANT, bytes, &dirty) == clean,
	      "reserved bytes are found");
	if (clean)
		reach("a record without anything reserved");
	else
		prove(dirty < size && !belongs[dirty], "and where they are is said");
}

static void check_kind(u32 kind)
{
	u32 size = revision->kinds[kind].size, at;
	u8 *bytes = malloc(size);
	union iommuser_record record;

	prove(size <= LARGEST, "no record is larger");
	find_fields(kind);
	for (at = 0; at < size; at++)
		bytes[at] = nondet_u8();
	iommuser_decode(revision, kind, VARIANT, bytes, 0x1234, &record);
	/* A unit says itself which variant it is. */
	assume(kind != IOMMUSER_KIND_IOMMU || record.iommu.type == VARIANT);
	prove(record.common.phys == 0x1234, "the address that was given");
	check_members(kind, &record);
	reach("a record");
	if (!TWO_VARIANTS)
		check_encoding(kind, bytes, &record);
	if (kind != IOMMUSER_KIND_IOMMU || !UNIT_VARIANTS)
		check_reserved(kind, bytes);
}

int main(void)
{
	u32 kind;

	revision = iommuser_revision_at(REVISION);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		if (revision->kinds[kind].size)
			check_kind(kind);
	return 0;
}
