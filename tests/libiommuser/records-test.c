// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the record tables and the decoder: every field of every revision at
 * the offset that its description gives, none of it taken from the wire headers.
 */
#include "image.h"

#include <string.h>

#include <iommuser/records.h>

#define MAX_RECORD 192
#define PHYS 0x1234567000ULL

/* Where a field is expected. */
struct place {
	enum iommuser_field field;
	u32 offset;
	u32 width;
	size_t memory;
	u32 count;
};

/* One kind of record, as one variant of unit has it. */
struct layout {
	const char *revision;
	u32 kind;
	u32 variant;
	u32 size;
	u32 flags;
	u32 type_at; /* of an iommu record, where @variant must stand */
	u32 type_width;
	struct place places[20];
};

#define AT(FIELD, offset, width, type, member)                                                     \
	{                                                                                          \
		IOMMUSER_FIELD_##FIELD, offset, width, offsetof(struct iommuser_##type, member), 1 \
	}
#define BITMAP(offset)                                                     \
	{                                                                  \
		IOMMUSER_FIELD_CONTEXT_TABLES, offset, 8,                  \
			offsetof(struct iommuser_iommu, context_tables), 8 \
	}
#define OBJECT_V1(type)                                                     \
	AT(INDEX, 0, 4, type, index), AT(REF_COUNT, 4, 4, type, ref_count), \
		AT(FLAGS, 8, 1, type, flags)
#define OBJECT_LU(type) AT(REF_COUNT, 0, 4, type, ref_count), AT(FLAGS, 4, 4, type, flags)
#define RECORD(type)                                                        \
	AT(FLAGS, 0, 4, type, flags), AT(REF_COUNT, 4, 4, type, ref_count), \
		AT(INDEX, 8, 8, type, index)

#define LU_IOMMU_INTEL(revision_name)                                                \
	{                                                                            \
		revision_name, 1, 1, 112, 3, 16, 8,                                  \
		{                                                                    \
			OBJECT_LU(iommu), AT(TOKEN, 8, 8, iommu, token),             \
				AT(TYPE, 16, 8, iommu, type),                        \
				AT(RESTORED, 24, 1, iommu, restored),                \
				AT(REGISTERS, 32, 8, iommu, registers),              \
				AT(ROOT_TABLE, 40, 8, iommu, root_table), BITMAP(48) \
		}                                                                    \
	}
#define LU_IOMMU_SMMUV3(revision_name)                                              \
	{                                                                           \
		revision_name, 1, 2, 112, 3, 16, 8,                                 \
		{                                                                   \
			OBJECT_LU(iommu), AT(TOKEN, 8, 8, iommu, token),            \
				AT(TYPE, 16, 8, iommu, type),                       \
				AT(REGISTERS, 24, 8, iommu, registers),             \
				AT(STRTAB_BASE_CFG, 32, 8, iommu, strtab_base_cfg), \
				AT(STRTAB_L1, 40, 8, iommu, strtab_l1),             \
				AT(STRTAB_L2, 48, 8, iommu, strtab_l2)              \
		}                                                                   \
	}
#define LU_DOMAIN(revision_name)                                                    \
	{                                                                           \
		revision_name, 2, 1, 40, 3, 0, 0,                                   \
		{                                                                   \
			OBJECT_LU(domain), AT(TOP_TABLE, 8, 8, domain, top_table),  \
				AT(TOP_LEVEL, 16, 8, domain, top_level),            \
				AT(INPUT_WIDTH, 24, 4, domain, input_width),        \
				AT(SIGN_EXTEND, 28, 1, domain, sign_extend),        \
				AT(RESTORED_DOMAIN, 32, 8, domain, restored_domain) \
		}                                                                   \
	}
#define LU_DEVICE_56(revision_name, unit_type)                                                    \
	{                                                                                         \
		revision_name, 3, unit_type, 56, 3, 0, 0,                                         \
		{                                                                                 \
			OBJECT_LU(device), AT(BDF, 8, 4, device, bdf),                            \
				AT(SEGMENT, 12, 4, device, segment), AT(DID, 16, 8, device, did), \
				AT(DOMAIN, 24, 8, device, domain),                                \
				AT(IOMMU, 32, 8, device, iommu),                                  \
				AT(PASID_DIRECTORY, 40, 8, device, pasid_directory),              \
				AT(PASID_ENTRIES, 48, 8, device, pasid_entries)                   \
		}                                                                                 \
	}
#define LU_DEVICE_COMMON                                                                    \
	OBJECT_LU(device), AT(BDF, 8, 4, device, bdf), AT(SEGMENT, 12, 4, device, segment), \
		AT(OWNER_TOKEN, 16, 8, device, owner_token), AT(DID, 24, 8, device, did),   \
		AT(DOMAIN, 32, 8, device, domain), AT(IOMMU, 40, 8, device, iommu)

/* clang-format off */
static const struct layout layouts[] = {
	{ "iommu-v1", 1, 1, 37, 3, 17, 4, {
		OBJECT_V1(iommu), AT(TOKEN, 9, 8, iommu, token), AT(TYPE, 17, 4, iommu, type),
		AT(REGISTERS, 21, 8, iommu, registers), AT(ROOT_TABLE, 29, 8, iommu, root_table) } },
	{ "iommu-v1", 2, 1, 33, 3, 0, 0, {
		OBJECT_V1(domain), AT(TOP_TABLE, 9, 8, domain, top_table),
		AT(TOP_LEVEL, 17, 8, domain, top_level),
		AT(RESTORED_DOMAIN, 25, 8, domain, restored_domain) } },
	{ "iommu-v1", 3, 1, 65, 3, 0, 0, {
		OBJECT_V1(device), AT(OWNER_TOKEN, 9, 8, device, owner_token),
		AT(BDF, 17, 4, device, bdf), AT(SEGMENT, 21, 4, device, segment),
		AT(DID, 25, 4, device, did), AT(DOMAIN, 29, 8, device, domain),
		AT(IOMMU, 37, 8, device, iommu), AT(TYPE, 45, 4, device, type),
		AT(PASID_DIRECTORY, 49, 8, device, pasid_directory),
		AT(PASID_ENTRIES, 57, 8, device, pasid_entries) } },

	LU_IOMMU_INTEL("iommu-liveupdate-v1"),
	{ "iommu-liveupdate-v1", 2, 1, 37, 3, 0, 0, {
		OBJECT_LU(domain), AT(TOP_TABLE, 8, 8, domain, top_table),
		AT(TOP_LEVEL, 16, 8, domain, top_level), AT(INPUT_WIDTH, 24, 4, domain, input_width),
		AT(SIGN_EXTEND, 28, 1, domain, sign_extend),
		AT(RESTORED_DOMAIN, 29, 8, domain, restored_domain) } },
	LU_DEVICE_56("iommu-liveupdate-v1", 1),

	LU_IOMMU_INTEL("iommu-liveupdate"),
	LU_IOMMU_SMMUV3("iommu-liveupdate"),
	LU_DOMAIN("iommu-liveupdate"),
	{ "iommu-liveupdate", 3, 1, 72, 3, 0, 0, {
		LU_DEVICE_COMMON, AT(RESTORED, 48, 1, device, restored),
		AT(PASID_DIRECTORY, 56, 8, device, pasid_directory),
		AT(PASID_ENTRIES, 64, 8, device, pasid_entries) } },
	{ "iommu-liveupdate", 3, 2, 72, 3, 0, 0, {
		LU_DEVICE_COMMON, AT(CDTAB_L1, 48, 8, device, cdtab_l1),
		AT(CDTAB_NR_L2, 56, 4, device, cdtab_nr_l2), AT(CDTAB_L2, 64, 8, device, cdtab_l2) } },

	LU_IOMMU_INTEL("iommu-liveupdate-56"),
	LU_IOMMU_SMMUV3("iommu-liveupdate-56"),
	LU_DOMAIN("iommu-liveupdate-56"),
	LU_DEVICE_56("iommu-liveupdate-56", 1),
	LU_DEVICE_56("iommu-liveupdate-56", 2),

	{ "iommuser-v1", 1, 1, 192, 1, 16, 4, {
		RECORD(iommu), AT(TYPE, 16, 4, iommu, type), AT(SEGMENT, 20, 4, iommu, segment),
		AT(TOKEN, 24, 8, iommu, token), AT(MODE, 32, 4, iommu, mode),
		AT(HOST_ADDRESS_WIDTH, 36, 4, iommu, host_address_width),
		AT(ROOT_TABLE, 40, 8, iommu, root_table), AT(CAP, 48, 8, iommu, cap),
		AT(ECAP, 56, 8, iommu, ecap), AT(FIRST_DID, 64, 4, iommu, first_did),
		AT(DID_LIMIT, 68, 4, iommu, did_limit), BITMAP(72) } },
	{ "iommuser-v1", 2, 1, 128, 1, 0, 0, {
		RECORD(domain), AT(STAGE, 16, 4, domain, stage), AT(FORMAT, 20, 4, domain, format),
		AT(TOP_TABLE, 24, 8, domain, top_table), AT(TOP_LEVEL, 32, 4, domain, top_level),
		AT(INPUT_WIDTH, 36, 4, domain, input_width),
		AT(OUTPUT_WIDTH, 40, 4, domain, output_width),
		AT(FEATURES, 44, 4, domain, features),
		AT(PAGE_SIZE_BITMAP, 48, 8, domain, page_size_bitmap),
		AT(NR_TABLE_PAGES, 56, 8, domain, nr_table_pages) } },
	{ "iommuser-v1", 3, 1, 128, 1, 0, 0, {
		RECORD(device), AT(SEGMENT, 16, 4, device, segment), AT(BDF, 20, 4, device, bdf),
		AT(OWNER_TOKEN, 24, 8, device, owner_token), AT(IOMMU, 32, 8, device, iommu),
		AT(GROUP_SIZE, 40, 4, device, group_size),
		AT(DEVICE_FLAGS, 44, 4, device, device_flags),
		AT(PASID_DIRECTORY, 48, 8, device, pasid_directory),
		AT(PASID_ENTRIES, 56, 4, device, pasid_entries),
		AT(RID_PASID, 60, 4, device, rid_pasid) } },
	{ "iommuser-v1", 4, 1, 64, 1, 0, 0, {
		RECORD(alias), AT(SEGMENT, 16, 4, alias, segment), AT(BDF, 20, 4, alias, bdf),
		AT(DEVICE, 24, 8, alias, device), AT(TYPE, 32, 4, alias, type) } },
	{ "iommuser-v1", 5, 1, 64, 1, 0, 0, {
		RECORD(attachment), AT(DEVICE, 16, 8, attachment, device),
		AT(DOMAIN, 24, 8, attachment, domain), AT(PASID, 32, 4, attachment, pasid),
		AT(ATTACHMENT_FLAGS, 36, 4, attachment, attachment_flags),
		AT(DID, 40, 4, attachment, did) } },
	{ "iommuser-v1", 6, 1, 64, 1, 0, 0, {
		RECORD(hwpt), AT(IOMMUFD_TOKEN, 16, 8, hwpt, iommufd_token),
		AT(HWPT_TOKEN, 24, 8, hwpt, hwpt_token), AT(DOMAIN, 32, 8, hwpt, domain) } },
};
/* clang-format on */

#define NR_LAYOUTS (ARRAY_SIZE(layouts))
#define NR_PLACES (sizeof(layouts[0].places) / sizeof(layouts[0].places[0]))

static const size_t sizes[] = {
	0,
	sizeof(struct iommuser_iommu),
	sizeof(struct iommuser_domain),
	sizeof(struct iommuser_device),
	sizeof(struct iommuser_alias),
	sizeof(struct iommuser_attachment),
	sizeof(struct iommuser_hwpt),
};

static const struct iommuser_revision *revision_of(const struct layout *layout)
{
	const struct iommuser_revision *revision = iommuser_revision_by_name(layout->revision);

	assert_non_null(revision);
	return revision;
}

static u64 load(const u8 *at, u32 width)
{
	u64 value = 0;
	u32 i;

	for (i = 0; i < width; i++)
		value |= (u64)at[i] << (8 * i);
	return value;
}

static void store(u8 *at, u32 width, u64 value)
{
	u32 i;

	for (i = 0; i < width; i++)
		at[i] = (u8)(value >> (8 * i));
}

/* Does a byte of the record belong to a field? */
static bool is_field(const struct layout *layout, u32 offset)
{
	u32 i;

	for (i = 0; i < NR_PLACES && layout->places[i].width; i++)
		if (offset >= layout->places[i].offset &&
		    offset < layout->places[i].offset +
				     layout->places[i].width * layout->places[i].count)
			return true;
	return false;
}

static void sizes_and_flags_are_right(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < NR_LAYOUTS; i++) {
		const struct iommuser_revision *revision = revision_of(&layouts[i]);

		assert_int_equal(revision->kinds[layouts[i].kind].size, layouts[i].size);
		assert_int_equal(revision->kinds[layouts[i].kind].known_flags, layouts[i].flags);
	}
}

static void exactly_these_fields_are_there(void **state)
{
	u32 i, field, k, other;

	(void)state;
	for (i = 0; i < NR_LAYOUTS; i++) {
		const struct iommuser_revision *revision = revision_of(&layouts[i]);

		for (field = 1; field < IOMMUSER_NR_FIELDS; field++) {
			bool expected = false;

			/* A field is there when any variant has it. */
			for (other = 0; other < NR_LAYOUTS; other++)
				for (k = 0; k < NR_PLACES && layouts[other].places[k].width; k++)
					expected |= layouts[other].kind == layouts[i].kind &&
						    revision_of(&layouts[other]) == revision &&
						    layouts[other].places[k].field == field;
			assert_int_equal(iommuser_revision_has(revision, layouts[i].kind,
							       (enum iommuser_field)field),
					 expected);
		}
	}
}

static void kinds_that_are_not_there_have_no_fields(void **state)
{
	const struct iommuser_revision *revision = iommuser_revision_by_name("iommu-v1");
	u32 kind;

	(void)state;
	for (kind = 4; kind <= 6; kind++) {
		assert_int_equal(revision->kinds[kind].size, 0);
		assert_false(iommuser_revision_has(revision, kind, IOMMUSER_FIELD_FLAGS));
	}
	assert_false(iommuser_revision_has(revision, 0, IOMMUSER_FIELD_FLAGS));
	assert_false(iommuser_revision_has(revision, 7, IOMMUSER_FIELD_FLAGS));
	assert_false(iommuser_revision_has(revision, ~0U, IOMMUSER_FIELD_FLAGS));
}

/* Bytes that are different everywhere: every field must come from its place. */
static void fields_are_decoded_from_their_places(void **state)
{
	union iommuser_record record;
	u8 bytes[MAX_RECORD];
	u32 i, k, at, round;

	(void)state;
	for (round = 0; round < 4; round++) {
		for (i = 0; i < NR_LAYOUTS; i++) {
			const struct layout *layout = &layouts[i];

			for (at = 0; at < MAX_RECORD; at++)
				bytes[at] = (u8)((at + 1) * (2 * round + 1) ^ 0x80);
			if (layout->type_width)
				store(bytes + layout->type_at, layout->type_width, layout->variant);
			memset(&record, 0xa5, sizeof(record));
			iommuser_decode(revision_of(layout), layout->kind, layout->variant, bytes,
					PHYS, &record);
			assert_int_equal(record.common.phys, PHYS);
			for (k = 0; k < NR_PLACES && layout->places[k].width; k++) {
				const struct place *place = &layout->places[k];
				const u64 *member =
					(const u64 *)(const void *)((u8 *)&record + place->memory);

				for (at = 0; at < place->count; at++)
					assert_int_equal(member[at],
							 load(bytes + place->offset + 8 * at,
							      place->width));
			}
		}
	}
}

/* All bytes set: what no field fills must be zero, and nothing beyond be written. */
static void other_members_are_zero(void **state)
{
	union iommuser_record record;
	u8 expected[sizeof(record)];
	u8 bytes[MAX_RECORD];
	u32 i, k;

	(void)state;
	for (i = 0; i < NR_LAYOUTS; i++) {
		const struct layout *layout = &layouts[i];

		memset(bytes, 0xff, sizeof(bytes));
		memset(&record, 0xa5, sizeof(record));
		memset(expected, 0xa5, sizeof(expected));
		memset(expected, 0, sizes[layout->kind]);
		memset(expected, 0xff, 8);
		for (k = 0; k < NR_PLACES && layout->places[k].width; k++)
			memset(expected + layout->places[k].memory, 0,
			       8ULL * layout->places[k].count);
		for (k = 0; k < NR_PLACES && layout->places[k].width; k++) {
			u32 width = layout->places[k].width;
			u32 element;

			for (element = 0; element < layout->places[k].count; element++)
				memset(expected + layout->places[k].memory + 8ULL * element, 0xff,
				       width);
		}
		if (layout->type_width) {
			store(bytes + layout->type_at, layout->type_width, layout->variant);
			store(expected + offsetof(struct iommuser_iommu, type), 8, layout->variant);
		}
		iommuser_decode(revision_of(layout), layout->kind, layout->variant, bytes, ~0ULL,
				&record);
		assert_memory_equal(&record, expected, sizeof(record));
	}
}

static void every_reserved_byte_is_checked(void **state)
{
	u8 bytes[MAX_RECORD + 8];
	u32 i, at;
	u64 offset;

	(void)state;
	for (i = 0; i < NR_LAYOUTS; i++) {
		const struct layout *layout = &layouts[i];
		const struct iommuser_revision *revision = revision_of(layout);

		for (at = 0; at < sizeof(bytes); at++)
			bytes[at] = at < layout->size && !is_field(layout, at) ? 0 : 0xff;
		if (layout->type_width)
			store(bytes + layout->type_at, layout->type_width, layout->variant);
		offset = 999;
		assert_true(iommuser_reserved_is_zero(revision, layout->kind, layout->variant,
						      bytes, &offset));
		assert_int_equal(offset, 999);
		for (at = 0; at < layout->size; at++) {
			u32 start = at;

			if (is_field(layout, at))
				continue;
			while (start && !is_field(layout, start - 1))
				start--;
			bytes[at] = 0x10;
			assert_false(iommuser_reserved_is_zero(revision, layout->kind,
							       layout->variant, bytes, &offset));
			assert_int_equal(offset, start);
			assert_false(iommuser_reserved_is_zero(revision, layout->kind,
							       layout->variant, bytes, NULL));
			bytes[at] = 0;
		}
	}
}

/* Rows must lie inside their records and not overlap: the decoder relies on it. */
static bool has_variants(const struct iommuser_record_layout *layout)
{
	u32 i;

	for (i = 0; i < layout->nr_rows; i++)
		if (layout->rows[i].variant)
			return true;
	return false;
}

/* All bits of all members set: every byte of each field is written, and no other one. */
static void values_are_cut_to_their_fields(void **state)
{
	union iommuser_record record;
	u8 bytes[MAX_RECORD];
	u32 i, at, tried = 0;

	(void)state;
	memset(&record, 0xff, sizeof(record));
	for (i = 0; i < NR_LAYOUTS; i++) {
		const struct layout *layout = &layouts[i];

		if (has_variants(&revision_of(layout)->kinds[layout->kind]))
			continue;
		memset(bytes, 0, sizeof(bytes));
		iommuser_encode(revision_of(layout), layout->kind, &record, bytes);
		for (at = 0; at < MAX_RECORD; at++)
			assert_int_equal(bytes[at], is_field(layout, at) ? 0xff : 0);
		tried++;
	}
	assert_true(tried >= 6);
}

static void rows_are_sound(void **state)
{
	const struct iommuser_revision *revision;
	u32 i, kind, k, variant;

	(void)state;
	for (i = 0; (revision = iommuser_revision_at(i)); i++) {
		for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
			const struct iommuser_record_layout *layout = &revision->kinds[kind];

			for (variant = 0; variant < 4; variant++) {
				u32 end = 0;

				for (k = 0; k < layout->nr_rows; k++) {
					const struct iommuser_field_row *row = &layout->rows[k];

					if (row->variant && row->variant != variant)
						continue;
					assert_true(row->wire >= end);
					end = row->wire + row->width;
					assert_true(end <= layout->size);
					assert_int_equal(row->memory % 8, 0);
					assert_true(row->width <= 8 || row->width % 8 == 0);
					assert_true(row->memory + (row->width + 7ULL) / 8 * 8 <=
						    sizes[kind]);
					assert_true(row->field && row->field < IOMMUSER_NR_FIELDS);
				}
			}
		}
	}
	assert_int_equal(i, 5);
}

static void revisions_are_found_by_name(void **state)
{
	static const struct {
		const char *name, *flb_name;
		u32 properties, root_size, arrays_offset, stride, header;
	} expected[] = {
		{ "iommuser-v1", "iommuser-v1",
		  IOMMUSER_REVISION_SEALED | IOMMUSER_REVISION_TOTALS |
			  IOMMUSER_REVISION_ATTACHMENTS,
		  256, 32, 24, 64 },
		{ "iommu-v1", "iommu-v1",
		  IOMMUSER_REVISION_TOTALS | IOMMUSER_REVISION_STALE_DEVICES, 48, 0, 16, 16 },
		{ "iommu-liveupdate-v1", "iommu-liveupdate-v1", 0, 24, 0, 8, 16 },
		{ "iommu-liveupdate", "iommu-liveupdate", IOMMUSER_REVISION_VERSION, 32, 8, 8, 16 },
		{ "iommu-liveupdate-56", "iommu-liveupdate", IOMMUSER_REVISION_VERSION, 32, 8, 8,
		  16 },
	};
	static const char *const wrong[] = { "",
					     "iommu",
					     "iommu-v",
					     "iommu-v11",
					     "iommuser-v1 ",
					     "IOMMU-V1",
					     "iommu-liveupdate-57" };
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct iommuser_revision *revision =
			iommuser_revision_by_name(expected[i].name);

		assert_non_null(revision);
		assert_string_equal(revision->flb_name, expected[i].flb_name);
		assert_int_equal(revision->properties, expected[i].properties);
		assert_int_equal(revision->root_size, expected[i].root_size);
		assert_int_equal(revision->arrays_offset, expected[i].arrays_offset);
		assert_int_equal(revision->array_stride, expected[i].stride);
		assert_int_equal(revision->page_header_size, expected[i].header);
		assert_int_equal(revision->version,
				 expected[i].properties & IOMMUSER_REVISION_VERSION ? 1 : 0);
	}
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_null(iommuser_revision_by_name(wrong[i]));
	assert_null(iommuser_revision_at(5));
	assert_null(iommuser_revision_at(~0U));
}

/* A record of a unit that nobody knows: only what all units share is a field. */
static void unknown_types_have_only_common_fields(void **state)
{
	const struct iommuser_revision *revision = iommuser_revision_by_name("iommu-liveupdate");
	union iommuser_record record;
	u8 bytes[112] = { 0 };
	u64 offset;

	(void)state;
	memset(bytes, 0xff, 16);
	store(bytes + 16, 8, 0x100000001ULL);
	assert_true(iommuser_reserved_is_zero(revision, 1, 1, bytes, NULL));
	bytes[40] = 1;
	assert_false(iommuser_reserved_is_zero(revision, 1, 1, bytes, &offset));
	assert_int_equal(offset, 24);
	iommuser_decode(revision, 1, 1, bytes, 0, &record);
	assert_int_equal(record.iommu.type, 0x100000001ULL);
	assert_int_equal(record.iommu.root_table, 0);
	assert_int_equal(record.iommu.strtab_l1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_and_flags_are_right),
		cmocka_unit_test(exactly_these_fields_are_there),
		cmocka_unit_test(kinds_that_are_not_there_have_no_fields),
		cmocka_unit_test(fields_are_decoded_from_their_places),
		cmocka_unit_test(other_members_are_zero),
		cmocka_unit_test(every_reserved_byte_is_checked),
		cmocka_unit_test(values_are_cut_to_their_fields),
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(revisions_are_found_by_name),
		cmocka_unit_test(unknown_types_have_only_common_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
