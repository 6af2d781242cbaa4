// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What lies in a memory: pages, records, hardware tables and the numbers in
 * them, each with its meaning. Nothing is met twice, whatever the links say.
 */
#include "mutate-private.h"

#include <string.h>

#include <zlib.h>

#include <kho/abi/iommu_series.h>
#include <kho/abi/iommuser.h>

#define ADDRESS 0x000ffffffffff000ULL
#define TABLE_SIZE 4096
#define LARGE (1ULL << 7)
/* Entries that are 0: so many of a table are places. */
#define EMPTY_ENTRIES 3

/* What each field is about. Those that are not here are any bits. */
static const u8 meanings[IOMMUSER_NR_FIELDS] = {
	[IOMMUSER_FIELD_FLAGS] = MEANING_FLAGS,
	[IOMMUSER_FIELD_REF_COUNT] = MEANING_REF_COUNT,
	[IOMMUSER_FIELD_INDEX] = MEANING_INDEX,
	[IOMMUSER_FIELD_TYPE] = MEANING_SMALL,
	[IOMMUSER_FIELD_SEGMENT] = MEANING_SEGMENT,
	[IOMMUSER_FIELD_BDF] = MEANING_BDF,
	[IOMMUSER_FIELD_TOKEN] = MEANING_TOKEN,
	[IOMMUSER_FIELD_MODE] = MEANING_SMALL,
	[IOMMUSER_FIELD_HOST_ADDRESS_WIDTH] = MEANING_ADDRESS_WIDTH,
	[IOMMUSER_FIELD_REGISTERS] = MEANING_TOKEN,
	[IOMMUSER_FIELD_ROOT_TABLE] = MEANING_TABLE,
	[IOMMUSER_FIELD_CAP] = MEANING_BITS,
	[IOMMUSER_FIELD_ECAP] = MEANING_BITS,
	[IOMMUSER_FIELD_FIRST_DID] = MEANING_DID,
	[IOMMUSER_FIELD_DID_LIMIT] = MEANING_DID,
	[IOMMUSER_FIELD_CONTEXT_TABLES] = MEANING_BITS,
	[IOMMUSER_FIELD_RESTORED] = MEANING_SMALL,
	[IOMMUSER_FIELD_STAGE] = MEANING_SMALL,
	[IOMMUSER_FIELD_FORMAT] = MEANING_SMALL,
	[IOMMUSER_FIELD_TOP_TABLE] = MEANING_TABLE,
	[IOMMUSER_FIELD_TOP_LEVEL] = MEANING_SMALL,
	[IOMMUSER_FIELD_INPUT_WIDTH] = MEANING_ADDRESS_WIDTH,
	[IOMMUSER_FIELD_OUTPUT_WIDTH] = MEANING_ADDRESS_WIDTH,
	[IOMMUSER_FIELD_FEATURES] = MEANING_BITS,
	[IOMMUSER_FIELD_SIGN_EXTEND] = MEANING_SMALL,
	[IOMMUSER_FIELD_PAGE_SIZE_BITMAP] = MEANING_BITS,
	[IOMMUSER_FIELD_NR_TABLE_PAGES] = MEANING_TOTAL,
	[IOMMUSER_FIELD_RESTORED_DOMAIN] = MEANING_BITS,
	[IOMMUSER_FIELD_OWNER_TOKEN] = MEANING_TOKEN,
	[IOMMUSER_FIELD_IOMMU] = MEANING_REFERENCE,
	[IOMMUSER_FIELD_DOMAIN] = MEANING_REFERENCE,
	[IOMMUSER_FIELD_DEVICE] = MEANING_REFERENCE,
	[IOMMUSER_FIELD_DID] = MEANING_DID,
	[IOMMUSER_FIELD_GROUP_SIZE] = MEANING_TOTAL,
	[IOMMUSER_FIELD_DEVICE_FLAGS] = MEANING_BITS,
	[IOMMUSER_FIELD_PASID_DIRECTORY] = MEANING_TABLE,
	[IOMMUSER_FIELD_PASID_ENTRIES] = MEANING_ENTRIES,
	[IOMMUSER_FIELD_RID_PASID] = MEANING_PASID,
	[IOMMUSER_FIELD_PASID] = MEANING_PASID,
	[IOMMUSER_FIELD_ATTACHMENT_FLAGS] = MEANING_BITS,
	[IOMMUSER_FIELD_IOMMUFD_TOKEN] = MEANING_TOKEN,
	[IOMMUSER_FIELD_HWPT_TOKEN] = MEANING_TOKEN,
	[IOMMUSER_FIELD_STRTAB_BASE_CFG] = MEANING_BITS,
	[IOMMUSER_FIELD_STRTAB_L1] = MEANING_BITS,
	[IOMMUSER_FIELD_STRTAB_L2] = MEANING_TABLE,
	[IOMMUSER_FIELD_CDTAB_L1] = MEANING_BITS,
	[IOMMUSER_FIELD_CDTAB_NR_L2] = MEANING_SMALL,
	[IOMMUSER_FIELD_CDTAB_L2] = MEANING_TABLE,
};

static const u8 referred[IOMMUSER_NR_FIELDS] = {
	[IOMMUSER_FIELD_IOMMU] = IOMMUSER_KIND_IOMMU,
	[IOMMUSER_FIELD_DOMAIN] = IOMMUSER_KIND_DOMAIN,
	[IOMMUSER_FIELD_DEVICE] = IOMMUSER_KIND_DEVICE,
};

static bool sealed(const struct mutation *m)
{
	return m->revision && (m->revision->properties & IOMMUSER_REVISION_SEALED);
}

static void add_place(struct mutation *m, u32 at, u32 width, enum mutate_meaning meaning,
		      u32 detail)
{
	if (m->nr_places < MUTATE_MAX_PLACES && at <= MEMORY_SIZE - width)
		m->places[m->nr_places++] =
			(struct mutate_place){ at, (u8)width, (u8)meaning, (u8)detail };
}

/* Return: true when all of the page is there and was not met before. */
static bool add_page(struct mutation *m, u64 phys, u32 size, enum mutate_page_type type, u32 detail)
{
	u32 at = (u32)(phys - MEMORY_BASE);
	u32 i;

	if (!model_page_there(m->model, phys, size) || m->seen[at / FRAME_SIZE] ||
	    m->nr_pages == MUTATE_MAX_PAGES)
		return false;
	for (i = 0; i < size / FRAME_SIZE; i++)
		m->seen[at / FRAME_SIZE + i] = 1;
	m->pages[m->nr_pages++] = (struct mutate_page){ at, size, (u8)type, (u8)detail };
	return true;
}

/* Hardware tables: one that is met is a page, and its entries are looked at in its turn. */

static void meet_table(struct mutation *m, u64 phys, enum mutate_page_type type, u32 detail)
{
	add_page(m, phys, TABLE_SIZE, type, detail);
}

/* May an entry be a place? Of those that are 0 only some are. */
static bool worth_a_place(u64 entry, u32 *empty)
{
	return entry || (*empty)++ < EMPTY_ENTRIES;
}

static void scan_page_table(struct mutation *m, u32 at, u32 level)
{
	u32 empty = 0, i;

	for (i = 0; i < TABLE_SIZE / 8; i++) {
		u64 entry = model_get(m->model, at + i * 8, 8);

		/* Empty ones here and there. */
		if (!entry && (i + at / TABLE_SIZE * 37) % 128)
			continue;
		if (!worth_a_place(entry, &empty))
			continue;
		add_place(m, at + i * 8, 8, MEANING_PAGE_ENTRY, level);
		if ((entry & 3) && level && !(entry & LARGE))
			meet_table(m, entry & ADDRESS, PAGE_PAGE_TABLE, level - 1);
	}
}

static void scan_pasid_table(struct mutation *m, u32 at)
{
	u32 empty = 0, i, word;

	for (i = 0; i < TABLE_SIZE / 64; i++, at += 64) {
		u64 low = model_get(m->model, at, 8);
		u64 first = model_get(m->model, at + 16, 8);

		if (!worth_a_place(low, &empty))
			continue;
		add_place(m, at, 8, MEANING_PASID_LOW, 0);
		add_place(m, at + 8, 8, MEANING_PASID_HIGH, 0);
		add_place(m, at + 16, 8, MEANING_PASID_FIRST, 0);
		for (word = 3; word < 8; word += 2)
			add_place(m, at + word * 8, 8, MEANING_RESERVED, 0);
		if (low & 1) {
			meet_table(m, low & ADDRESS, PAGE_PAGE_TABLE, (low >> 2 & 7) + 1);
			meet_table(m, first & ADDRESS, PAGE_PAGE_TABLE, first & 4 ? 4 : 3);
		}
	}
}

static void scan_directory(struct mutation *m, u32 at)
{
	u32 empty = 0, i;

	for (i = 0; i < TABLE_SIZE / 8; i++) {
		u64 entry = model_get(m->model, at + i * 8, 8);

		if (!worth_a_place(entry, &empty))
			continue;
		add_place(m, at + i * 8, 8, MEANING_DIRECTORY_ENTRY, 0);
		if (entry & 1)
			meet_table(m, entry & ADDRESS, PAGE_PASID_TABLE, 0);
	}
}

static void scan_context_table(struct mutation *m, u32 at, bool scalable)
{
	u32 size = scalable ? 32 : 16, empty = 0, i;

	for (i = 0; i < TABLE_SIZE / size; i++, at += size) {
		u64 low = model_get(m->model, at, 8);
		u64 high = model_get(m->model, at + 8, 8);

		if (i % 16 != 5 && !low && !high)
			continue;
		if (!worth_a_place(low | high, &empty))
			continue;
		add_place(m, at, 8, scalable ? MEANING_SCALABLE_LOW : MEANING_CONTEXT_LOW, 0);
		add_place(m, at + 8, 8, scalable ? MEANING_SCALABLE_HIGH : MEANING_CONTEXT_HIGH, 0);
		if (scalable)
			add_place(m, at + 16, 8, MEANING_RESERVED, 0);
		if ((low & 1) && scalable)
			meet_table(m, low & ADDRESS, PAGE_DIRECTORY, 0);
		else if (low & 1)
			meet_table(m, low & ADDRESS, PAGE_PAGE_TABLE, (high & 7) + 1);
	}
}

static void scan_root_table(struct mutation *m, u32 at, bool scalable)
{
	u32 empty = 0, i;

	for (i = 0; i < TABLE_SIZE / 8; i++) {
		u64 entry = model_get(m->model, at + i * 8, 8);

		if (!worth_a_place(entry, &empty))
			continue;
		add_place(m, at + i * 8, 8, MEANING_ROOT_ENTRY, 0);
		if (entry & 1)
			meet_table(m, entry & ADDRESS, PAGE_CONTEXT_TABLE, scalable);
	}
}

/* Those that are met on the way come behind, and get their turn as well. */
static void scan_tables(struct mutation *m)
{
	u32 i;

	for (i = 0; i < m->nr_pages; i++) {
		const struct mutate_page page = m->pages[i];

		if (page.type == PAGE_ROOT_TABLE)
			scan_root_table(m, page.at, page.detail);
		else if (page.type == PAGE_CONTEXT_TABLE)
			scan_context_table(m, page.at, page.detail);
		else if (page.type == PAGE_DIRECTORY)
			scan_directory(m, page.at);
		else if (page.type == PAGE_PASID_TABLE)
			scan_pasid_table(m, page.at);
		else if (page.type == PAGE_PAGE_TABLE)
			scan_page_table(m, page.at, page.detail);
	}
}

/* Records */

static void add_record(struct mutation *m, u32 at, u32 kind, u32 size)
{
	const struct iommuser_record_layout *layout = &m->revision->kinds[kind];
	union iommuser_record record;
	u32 i, word;

	if (m->nr_records == MUTATE_MAX_RECORDS || at + layout->size > MEMORY_SIZE)
		return;
	iommuser_decode(m->revision, kind, IOMMUSER_IOMMU_TYPE_INTEL, m->model->bytes + at,
			MEMORY_BASE + at, &record);
	m->records[m->nr_records++] =
		(struct mutate_record){ at, size, (u8)kind,
					record.common.flags & IOMMUSER_FLAG_DELETED };
	for (i = 0; i < layout->nr_rows; i++) {
		const struct iommuser_field_row *row = &layout->rows[i];
		u32 meaning = meanings[row->field];

		if (row->width <= 8)
			add_place(m, at + row->wire, row->width, meaning, referred[row->field]);
		for (word = 0; row->width > 8 && word < row->width / 8u; word += 3)
			add_place(m, at + row->wire + word * 8, 8, meaning, 0);
	}
	add_place(m, at + layout->size - 8, 8, MEANING_RESERVED, kind);
}

static void add_page_header(struct mutation *m, u32 at, u32 kind)
{
	add_place(m, at, 8, MEANING_NEXT, kind);
	add_place(m, at + 8, 8, MEANING_COUNT, kind);
	if (!sealed(m))
		return;
	add_place(m, at + offsetof(struct iommuser_page_ser, kind), 4, MEANING_KIND, kind);
	add_place(m, at + offsetof(struct iommuser_page_ser, record_size), 4, MEANING_RECORD_SIZE,
		  kind);
	add_place(m, at + offsetof(struct iommuser_page_ser, sequence), 8, MEANING_SEQUENCE, kind);
	add_place(m, at + offsetof(struct iommuser_page_ser, generation), 8, MEANING_GENERATION,
		  kind);
	add_place(m, at + offsetof(struct iommuser_page_ser, self), 8, MEANING_SELF, kind);
	add_place(m, at + offsetof(struct iommuser_page_ser, reserved), 4, MEANING_RESERVED, kind);
	add_place(m, at + (1U << m->page_shift) - 8, 8, MEANING_RESERVED, kind);
}

static void walk_chain(struct mutation *m, u64 phys, u32 kind)
{
	u32 page = 1U << m->page_shift;

	while (add_page(m, phys, page, PAGE_RECORDS, kind)) {
		u32 at = (u32)(phys - MEMORY_BASE);
		u32 size = m->revision->kinds[kind].size;
		u64 count = model_get(m->model, at + 8, 8), i;

		if (sealed(m) && model_get(m->model, at + 20, 4) > size)
			size = (u32)model_get(m->model, at + 20, 4);
		if (size > page - m->revision->page_header_size)
			size = m->revision->kinds[kind].size;
		add_page_header(m, at, kind);
		for (i = 0; i < count && i < (page - m->revision->page_header_size) / size; i++)
			add_record(m, at + m->revision->page_header_size + (u32)i * size, kind,
				   size);
		phys = model_get(m->model, at, 8);
	}
}

static void add_root(struct mutation *m, u32 at)
{
	if (sealed(m)) {
		add_place(m, at, 8, MEANING_MAGIC, 0);
		add_place(m, at + offsetof(struct iommuser_root_ser, format_major), 2,
			  MEANING_SMALL, 0);
		add_place(m, at + offsetof(struct iommuser_root_ser, format_minor), 2,
			  MEANING_SMALL, 0);
		add_place(m, at + offsetof(struct iommuser_root_ser, root_size), 4,
			  MEANING_RECORD_SIZE, 0);
		add_place(m, at + offsetof(struct iommuser_root_ser, page_size), 4, MEANING_ENTRIES,
			  0);
		add_place(m, at + offsetof(struct iommuser_root_ser, generation), 8,
			  MEANING_GENERATION, 0);
		add_place(m, at + offsetof(struct iommuser_root_ser, kernel_release) + 64, 8,
			  MEANING_BITS, 0);
		add_place(m, at + offsetof(struct iommuser_root_ser, reserved), 8, MEANING_RESERVED,
			  0);
		add_place(m, at + sizeof(struct iommuser_root_ser), 8, MEANING_RESERVED, 0);
	} else if (m->revision->properties & IOMMUSER_REVISION_VERSION) {
		add_place(m, at, 8, MEANING_SMALL, 0);
	}
}

static void walk_records(struct mutation *m)
{
	u64 root = model_root(m->model);
	u32 at = (u32)(root - MEMORY_BASE), array, kind;

	if (!add_page(m, root & ~((1ULL << m->page_shift) - 1), 1U << m->page_shift, PAGE_ROOT, 0))
		return;
	add_root(m, at);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		if (!m->revision->kinds[kind].size)
			continue;
		array = at + m->revision->arrays_offset + (kind - 1) * m->revision->array_stride;
		add_place(m, array, 8, MEANING_NEXT, kind);
		if (m->revision->array_stride >= 16)
			add_place(m, array + 8, 8, MEANING_TOTAL, kind);
		if (m->revision->array_stride >= 24)
			add_place(m, array + 16, 8, MEANING_TOTAL, kind);
		walk_chain(m, model_get(m->model, array, 8), kind);
	}
}

/* Layouts without a mode: a device with a PASID directory tells. */
static bool seems_scalable(const struct mutation *m)
{
	union iommuser_record record;
	u32 i;

	for (i = 0; i < m->nr_records; i++) {
		if (m->records[i].kind != IOMMUSER_KIND_DEVICE)
			continue;
		iommuser_decode(m->revision, IOMMUSER_KIND_DEVICE, IOMMUSER_IOMMU_TYPE_INTEL,
				m->model->bytes + m->records[i].at, 0, &record);
		if (record.device.pasid_directory)
			return true;
	}
	return false;
}

static void meet_tables_of_records(struct mutation *m)
{
	union iommuser_record record;
	u32 i, mode = seems_scalable(m) ? IOMMUSER_IOMMU_MODE_SCALABLE : IOMMUSER_IOMMU_MODE_LEGACY;

	for (i = 0; i < m->nr_records; i++) {
		u32 kind = m->records[i].kind;

		if (kind > IOMMUSER_KIND_DEVICE || m->records[i].deleted)
			continue;
		iommuser_decode(m->revision, kind, IOMMUSER_IOMMU_TYPE_INTEL,
				m->model->bytes + m->records[i].at, 0, &record);
		if (kind == IOMMUSER_KIND_IOMMU)
			meet_table(m, record.iommu.root_table, PAGE_ROOT_TABLE,
				   (sealed(m) ? record.iommu.mode : mode) ==
					   IOMMUSER_IOMMU_MODE_SCALABLE);
		else if (kind == IOMMUSER_KIND_DOMAIN && record.domain.top_level < 8)
			meet_table(m, record.domain.top_table, PAGE_PAGE_TABLE,
				   (u32)record.domain.top_level);
		else if (kind == IOMMUSER_KIND_DEVICE)
			meet_table(m, record.device.pasid_directory, PAGE_DIRECTORY, 0);
	}
}

/* Other memories */

static void walk_plain_chain(struct mutation *m)
{
	u64 phys = MEMORY_BASE + model_value(m->model, ROLE_FIRST);
	u32 at;

	while (add_page(m, phys, 1U << m->page_shift, PAGE_RECORDS, 0)) {
		at = (u32)(phys - MEMORY_BASE);
		add_place(m, at, 8, MEANING_NEXT, 0);
		add_place(m, at + 8, 8, MEANING_COUNT, 0);
		phys = model_get(m->model, at, 8);
	}
}

/* Every number that is an address of a page there is leads somewhere. */
static void find_links(struct mutation *m)
{
	u32 frame, offset, at;

	for (frame = 0; frame < MEMORY_FRAMES; frame++) {
		if (!m->model->present[frame] ||
		    !add_page(m, MEMORY_BASE + frame * FRAME_SIZE, FRAME_SIZE, PAGE_RECORDS, 0))
			continue;
		for (offset = 0; offset < FRAME_SIZE; offset += 8) {
			at = frame * (u32)FRAME_SIZE + offset;
			if (model_page_there(m->model, model_get(m->model, at, 8) & ~0xfffULL,
					     (u32)FRAME_SIZE))
				add_place(m, at, 8, MEANING_NEXT, 0);
			else if (model_get(m->model, at, 8) || !offset)
				/* Behind the address of the next page there is often a count. */
				add_place(m, at, 8, offset == 8 ? MEANING_COUNT : MEANING_BITS, 0);
		}
	}
}

void survey(struct mutation *m)
{
	const struct mutate_model *model = m->model;

	m->revision = model_revision(model);
	m->page_shift = model_page_shift(model);
	m->nr_places = 0;
	m->nr_records = 0;
	m->nr_pages = 0;
	m->stale = false;
	memset(m->seen, 0, sizeof(m->seen));
	switch (model->format->content) {
	case CONTENT_HANDOVER:
		walk_records(m);
		meet_tables_of_records(m);
		break;
	case CONTENT_PAGE_TABLE:
		meet_table(m, MEMORY_BASE + model_value(model, ROLE_ROOT), PAGE_PAGE_TABLE,
			   (u32)(model_value(model, ROLE_LEVEL) % 8));
		break;
	case CONTENT_CHAIN:
		walk_plain_chain(m);
		break;
	case CONTENT_VTD:
		meet_table(m, MEMORY_BASE + model_value(model, ROLE_ROOT), PAGE_ROOT_TABLE,
			   !!(model_value(model, ROLE_OPTIONS) & model->format->scalable));
		meet_table(m, MEMORY_BASE + model_value(model, ROLE_DIRECTORY), PAGE_DIRECTORY, 0);
		break;
	default:
		find_links(m);
	}
	scan_tables(m);
}

static void seal_page(struct mutation *m, u32 at, u32 offset)
{
	u8 *page = m->model->bytes + at;

	memset(page + offset, 0, 4);
	model_put(m->model, at + offset, 4, crc32(0, page, 1U << m->page_shift));
}

void seal_all(struct mutation *m)
{
	u32 i;

	if (m->stale)
		survey(m);
	if (!sealed(m))
		return;
	for (i = 0; i < m->nr_pages; i++) {
		if (m->pages[i].type == PAGE_RECORDS)
			seal_page(m, m->pages[i].at, offsetof(struct iommuser_page_ser, crc));
		else if (m->pages[i].type == PAGE_ROOT)
			seal_page(m, m->pages[i].at, offsetof(struct iommuser_root_ser, crc));
	}
}
