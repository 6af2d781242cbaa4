// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * New values for a number, by what it means: mostly such as a check looks
 * for, seldom any.
 */
#include "mutate-private.h"

#include <kho/abi/iommuser.h>

#define ADDRESS 0x000ffffffffff000ULL
#define PHYS_END (1ULL << 52)
#define LARGE (1ULL << 7)

typedef u64 (*value_maker)(struct mutation *m, const struct mutate_place *place, u64 old);

/* Of @count numbers one. */
#define ONE_OF(m, ...) \
	((const u64[]){ __VA_ARGS__ }[below(m, sizeof((const u64[]){ __VA_ARGS__ }) / sizeof(u64))])

u64 any_page(struct mutation *m, enum mutate_page_type type)
{
	u32 start = below(m, m->nr_pages), i;

	for (i = 0; i < m->nr_pages; i++) {
		const struct mutate_page *page = &m->pages[(start + i) % m->nr_pages];

		if (type == PAGE_NONE || page->type == type)
			return MEMORY_BASE + page->at;
	}
	return MEMORY_BASE + below(m, MEMORY_FRAMES) * FRAME_SIZE;
}

u64 any_record(struct mutation *m, u32 kind)
{
	u32 start = below(m, m->nr_records), i;

	for (i = 0; i < m->nr_records; i++) {
		const struct mutate_record *record = &m->records[(start + i) % m->nr_records];

		if (!kind || record->kind == kind)
			return MEMORY_BASE + record->at;
	}
	return any_page(m, PAGE_RECORDS);
}

/* The value of another place with this meaning. */
static u64 value_elsewhere(struct mutation *m, const struct mutate_place *place, u64 old)
{
	u32 start = below(m, m->nr_places), i;

	for (i = 0; i < m->nr_places; i++) {
		const struct mutate_place *other = &m->places[(start + i) % m->nr_places];

		if (other != place && other->meaning == place->meaning)
			return model_get(m->model, other->at, other->width);
	}
	return old;
}

static u64 flip(struct mutation *m, u64 old, u32 bits)
{
	return old ^ 1ULL << below(m, bits);
}

static u64 near(struct mutation *m, u64 old)
{
	return old + ONE_OF(m, 1, -1, 2, -2, 8, -8);
}

/* Anything but a page of the sort that is wanted. */
static u64 bad_page(struct mutation *m, u64 old)
{
	switch (below(m, 9)) {
	case 0:
		return 0;
	case 1:
		return old + ONE_OF(m, 1, 8, 64, 0x800);
	case 2:
		return old + FRAME_SIZE;
	case 3: /* missing */
		return MEMORY_BASE + model_free_page(m->model, 1U << m->page_shift);
	case 4:
		return MEMORY_BASE - FRAME_SIZE;
	case 5:
		return MEMORY_BASE + MEMORY_SIZE;
	case 6:
		return ONE_OF(m, PHYS_END, PHYS_END - FRAME_SIZE, 1ULL << 63, ~0ULL, ~0ULL << 12);
	case 7:
		return PAYLOAD_BASE + below(m, 512) * FRAME_SIZE;
	default:
		return any_page(m, PAGE_NONE);
	}
}

static u64 next_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	switch (below(m, 6)) {
	case 0: /* itself, or a page before it */
		return MEMORY_BASE + (place->at >> m->page_shift << m->page_shift);
	case 1:
	case 2:
		return any_page(m, PAGE_RECORDS);
	case 3:
		return value_elsewhere(m, place, old);
	case 4:
		return 0;
	default:
		return bad_page(m, old);
	}
}

static u64 count_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	u64 header = m->revision ? m->revision->page_header_size : 16;
	u64 size = m->revision && place->detail ? m->revision->kinds[place->detail].size : 0;
	u64 capacity;

	/* How many bitmaps, sessions or files fit a page of 4 KiB, and one more. */
	if (m->model->format->content == CONTENT_LINKS && one_in(m, 2))
		return ONE_OF(m, 51, 52, 63, 64, 255, 256, old | 255ULL << 32, old + (1ULL << 32));
	if (!m->revision) {
		header = model_value(m->model, ROLE_HEADER_SIZE);
		size = model_value(m->model, ROLE_RECORD_SIZE);
	} else if (m->revision->properties & IOMMUSER_REVISION_SEALED) {
		size = model_get(m->model, place->at + 12, 4);
	}
	capacity = ((1ULL << m->page_shift) - header) / (size ? size : 8);
	return ONE_OF(m, old + 1, old - 1, 0, 1, capacity, capacity + 1, capacity - 1, 1ULL << 32,
		      1ULL << 63, ~0ULL, ~0ULL / (size ? size : 8) + 1);
}

static u64 total_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	(void)place;
	return ONE_OF(m, old + 1, old - 1, 0, 1, old * 2, 1ULL << 20, 1ULL << 32, 1ULL << 63,
		      ~0ULL);
}

static u64 kind_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	return one_in(m, 3) ? value_elsewhere(m, place, old) : below(m, IOMMUSER_NR_KINDS + 3);
}

static u64 record_size_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	u64 page = 1ULL << m->page_shift;

	(void)place;
	return ONE_OF(m, old + 8, old - 8, old + 1, old + 4, 0, 8, 16, old * 2, 64, 128, 192,
		      page - 64, page - 56, page, page + 8, 1ULL << 31, 0xfffffff8, 0xffffffff);
}

static u64 sequence_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	if (one_in(m, 3))
		return value_elsewhere(m, place, old);
	return ONE_OF(m, old + 1, old - 1, 0, 1, 1ULL << 32, ~0ULL);
}

static u64 self_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	(void)place;
	return one_in(m, 2) ? any_page(m, PAGE_RECORDS) : bad_page(m, old);
}

static u64 magic_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	(void)place;
	return one_in(m, 2) ? flip(m, old, 64) : IOMMUSER_MAGIC;
}

static u64 flags_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	return one_in(m, 4) ? flip(m, old, 8 * place->width) : old ^ ONE_OF(m, 1, 2, 3, 4);
}

static u64 reference_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	switch (below(m, 9)) {
	case 0:
	case 1:
	case 2:
		return any_record(m, place->detail);
	case 3:
		return any_record(m, 0);
	case 4: /* between two records, or in the header of a page */
		return old + ONE_OF(m, 8, 16, 1, -8, 32, 64, -64, 128, -128);
	case 5:
		return value_elsewhere(m, place, old);
	case 6: /* the record it is in, or nearly */
		return MEMORY_BASE + (place->at & ~31U);
	default:
		return bad_page(m, old);
	}
}

static u64 did_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	if (one_in(m, 2))
		return value_elsewhere(m, place, old);
	return ONE_OF(m, 0, 1, 2, old + 1, old - 1, 15, 16, 65535, 65536, 65537, 1ULL << 31, ~0ULL);
}

static u64 bdf_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	if (one_in(m, 2))
		return value_elsewhere(m, place, old);
	return ONE_OF(m, 0, old + 1, old + 8, old ^ 0x80, old + 256, 65535, 65536, ~0ULL);
}

static u64 segment_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	if (one_in(m, 2))
		return value_elsewhere(m, place, old);
	return ONE_OF(m, 0, 1, old + 1, 65535, 65536, ~0ULL);
}

static u64 token_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	return one_in(m, 2) ? value_elsewhere(m, place, old) :
			      ONE_OF(m, 0, 1, old + 1, ~0ULL, 0xfed90000, 0xfed91000);
}

static u64 pasid_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	if (one_in(m, 3))
		return value_elsewhere(m, place, old);
	return ONE_OF(m, 0, 1, old + 1, old - 1, 63, 64, 8191, 8192, 0xfffff, 0x100000, ~0ULL);
}

static u64 table_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	switch (below(m, 5)) {
	case 0:
		return value_elsewhere(m, place, old);
	case 1:
		return any_page(m, PAGE_PAGE_TABLE);
	case 2:
		return any_page(m, PAGE_ROOT_TABLE + below(m, 5));
	default:
		return bad_page(m, old);
	}
}

static u64 small_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	(void)place;
	return one_in(m, 3) ? old + ONE_OF(m, 1, -1) : below(m, 9);
}

static u64 width_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	(void)place;
	return ONE_OF(m, old + 1, old - 1, 0, 11, 12, 31, 32, 39, 48, 52, 53, 57, 64, 255);
}

static u64 entries_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	(void)place;
	return ONE_OF(m, old * 2, old / 2, old + 1, old - 1, 0, 1, 64, 4096, 8192, 16384, 32768,
		      65536, 1U << 20, 1U << 21, 1ULL << 32);
}

static u64 bits_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	if (one_in(m, 4))
		return value_elsewhere(m, place, old);
	if (one_in(m, 4))
		return any_number(m);
	return flip(m, old, one_in(m, 2) ? 8 : 8 * place->width);
}

static u64 reserved_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	return flip(m, one_in(m, 4) ? 0 : old, 8 * place->width);
}

/* An entry with flags in its low bits: the address alone, or the flags alone. */
static u64 entry_value(struct mutation *m, u64 old, u64 flags, enum mutate_page_type wanted)
{
	u64 low = old & ~ADDRESS;

	switch (below(m, 8)) {
	case 0:
		return old ^ 1;
	case 1:
		return 0;
	case 2:
		return flip(m, old, 12);
	case 3:
		return flip(m, old, 64);
	case 4:
		return (old & ADDRESS) | flags;
	case 5:
		return (bad_page(m, old & ADDRESS) & ADDRESS) | low | flags;
	case 6:
		return any_page(m, PAGE_NONE) | low | flags;
	default:
		return any_page(m, wanted) | low | flags;
	}
}

static u64 root_entry_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	return one_in(m, 5) ? value_elsewhere(m, place, old) :
			      entry_value(m, old, 1, PAGE_CONTEXT_TABLE);
}

/* Replace the field of @width bits at @low. */
static u64 with_field(u64 old, u32 low, u32 width, u64 value)
{
	u64 mask = ((1ULL << width) - 1) << low;

	return (old & ~mask) | (value << low & mask);
}

static u64 context_low_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	if (one_in(m, 4))
		return with_field(old, 2, 2, below(m, 4));
	return one_in(m, 4) ? value_elsewhere(m, place, old) :
			      entry_value(m, old, 1, PAGE_PAGE_TABLE);
}

static u64 context_high_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	switch (below(m, 4)) {
	case 0:
		return with_field(old, 0, 3, below(m, 8));
	case 1:
		return with_field(old, 8, 16, ONE_OF(m, 0, 1, (old >> 8) + 1, 0xffff));
	case 2:
		return value_elsewhere(m, place, old);
	default:
		return flip(m, old, 64);
	}
}

static u64 scalable_low_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	if (one_in(m, 4))
		return with_field(old, 9, 3, below(m, 8));
	if (one_in(m, 3)) /* DTE, PASIDE, PRE */
		return old ^ ONE_OF(m, 4, 8, 16);
	return one_in(m, 4) ? value_elsewhere(m, place, old) :
			      entry_value(m, old, 1, PAGE_DIRECTORY);
}

static u64 scalable_high_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	(void)place;
	return one_in(m, 2) ? with_field(old, 0, 20, pasid_value(m, place, old & 0xfffff)) :
			      flip(m, old, 64);
}

static u64 directory_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	return one_in(m, 4) ? value_elsewhere(m, place, old) :
			      entry_value(m, old, 1, PAGE_PASID_TABLE);
}

static u64 pasid_low_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	switch (below(m, 5)) {
	case 0:
		return with_field(old, 6, 3, below(m, 6));
	case 1:
		return with_field(old, 2, 3, below(m, 8));
	case 2:
		return value_elsewhere(m, place, old);
	default:
		return entry_value(m, old, 1, PAGE_PAGE_TABLE);
	}
}

static u64 pasid_high_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	if (one_in(m, 3))
		return value_elsewhere(m, place, old);
	return one_in(m, 2) ? with_field(old, 0, 16, ONE_OF(m, 0, 1, old + 1, 0xffff)) :
			      flip(m, old, 64);
}

static u64 pasid_first_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	if (one_in(m, 3))
		return with_field(old, 2, 2, below(m, 4));
	return one_in(m, 3) ? value_elsewhere(m, place, old) :
			      entry_value(m, old, 0, PAGE_PAGE_TABLE);
}

/* A leaf of the level, as its alignment wants it or nearly. */
static u64 leaf(struct mutation *m, u32 level, u64 old)
{
	u64 size = FRAME_SIZE << 9 * (level < 4 ? level : 4);
	u64 phys = PAYLOAD_BASE + below(m, 4) * (level < 3 ? size : 0);

	if (one_in(m, 4))
		phys += FRAME_SIZE << below(m, 18);
	return phys | ONE_OF(m, old & 0xfff, 1, 2, 3, 0x67, 0x803) | (level ? LARGE : 0);
}

static u64 page_entry_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	switch (below(m, 8)) {
	case 0:
		return leaf(m, place->detail, old);
	case 1:
		return old ^ LARGE;
	case 2: /* the table itself */
		return MEMORY_BASE + (place->at & ~0xfffU) + 3;
	case 3:
		return value_elsewhere(m, place, old);
	case 4: /* metadata is mapped */
		return any_page(m, PAGE_NONE) | 3 | (place->detail ? LARGE : 0);
	case 5:
		return any_page(m, PAGE_PAGE_TABLE) | 3;
	default:
		return entry_value(m, old, 3, PAGE_PAGE_TABLE);
	}
}

static const value_maker makers[NR_MEANINGS] = {
	[MEANING_NEXT] = next_value,
	[MEANING_COUNT] = count_value,
	[MEANING_TOTAL] = total_value,
	[MEANING_KIND] = kind_value,
	[MEANING_RECORD_SIZE] = record_size_value,
	[MEANING_SEQUENCE] = sequence_value,
	[MEANING_GENERATION] = sequence_value,
	[MEANING_SELF] = self_value,
	[MEANING_MAGIC] = magic_value,
	[MEANING_FLAGS] = flags_value,
	[MEANING_REF_COUNT] = total_value,
	[MEANING_INDEX] = sequence_value,
	[MEANING_REFERENCE] = reference_value,
	[MEANING_DID] = did_value,
	[MEANING_BDF] = bdf_value,
	[MEANING_SEGMENT] = segment_value,
	[MEANING_TOKEN] = token_value,
	[MEANING_PASID] = pasid_value,
	[MEANING_TABLE] = table_value,
	[MEANING_SMALL] = small_value,
	[MEANING_ADDRESS_WIDTH] = width_value,
	[MEANING_ENTRIES] = entries_value,
	[MEANING_BITS] = bits_value,
	[MEANING_RESERVED] = reserved_value,
	[MEANING_ROOT_ENTRY] = root_entry_value,
	[MEANING_CONTEXT_LOW] = context_low_value,
	[MEANING_CONTEXT_HIGH] = context_high_value,
	[MEANING_SCALABLE_LOW] = scalable_low_value,
	[MEANING_SCALABLE_HIGH] = scalable_high_value,
	[MEANING_DIRECTORY_ENTRY] = directory_value,
	[MEANING_PASID_LOW] = pasid_low_value,
	[MEANING_PASID_HIGH] = pasid_high_value,
	[MEANING_PASID_FIRST] = pasid_first_value,
	[MEANING_PAGE_ENTRY] = page_entry_value,
};

u64 new_value(struct mutation *m, const struct mutate_place *place, u64 old)
{
	if (one_in(m, 24))
		return one_in(m, 2) ? any_number(m) : near(m, old);
	return makers[place->meaning](m, place, old);
}
