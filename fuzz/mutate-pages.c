// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The operators: changes of one number, of records, of pages, of the header.
 * Each one says whether it found something to change.
 */
#include "mutate-private.h"

#include <string.h>

#include <kho/abi/iommuser.h>

#define MAX_CHANGED_BYTES 64

static u32 page_size(const struct mutation *m)
{
	return 1U << m->page_shift;
}

static bool is_sealed(const struct mutation *m)
{
	return m->revision && (m->revision->properties & IOMMUSER_REVISION_SEALED);
}

static bool put_new_value(struct mutation *m, const struct mutate_place *place)
{
	u64 old = model_get(m->model, place->at, place->width);

	model_put(m->model, place->at, place->width, new_value(m, place, old));
	if (place->meaning == MEANING_NEXT || place->meaning == MEANING_TABLE)
		m->stale = true;
	return model_get(m->model, place->at, place->width) != old;
}

/* One number, whichever: hardware tables have most of them. */
static bool change_number(struct mutation *m)
{
	return m->nr_places && put_new_value(m, &m->places[below(m, m->nr_places)]);
}

/* One number of a meaning, so that each meaning gets its share. */
static bool change_meaning(struct mutation *m)
{
	u32 meaning = below(m, NR_MEANINGS), tries, start, i;

	for (tries = 0; m->nr_places && tries < NR_MEANINGS; tries++) {
		start = below(m, m->nr_places);
		for (i = 0; i < m->nr_places; i++) {
			const struct mutate_place *place = &m->places[(start + i) % m->nr_places];

			if (place->meaning == meaning)
				return put_new_value(m, place);
		}
		meaning = (meaning + 1) % NR_MEANINGS;
	}
	return false;
}

/* Two numbers of one meaning change places. */
static bool swap_numbers(struct mutation *m)
{
	const struct mutate_place *one, *two;
	u64 first, second;
	u32 i;

	if (!m->nr_places)
		return false;
	one = &m->places[below(m, m->nr_places)];
	for (i = 0; i < 32; i++) {
		two = &m->places[below(m, m->nr_places)];
		first = model_get(m->model, one->at, one->width);
		second = model_get(m->model, two->at, two->width);
		if (two->meaning != one->meaning || two->width != one->width || first == second)
			continue;
		model_put(m->model, one->at, one->width, second);
		model_put(m->model, two->at, two->width, first);
		m->stale = true;
		return true;
	}
	return false;
}

/* Records */

static const struct mutate_record *pick_record(struct mutation *m)
{
	return m->nr_records ? &m->records[below(m, m->nr_records)] : NULL;
}

/* Another record of that kind. */
static const struct mutate_record *pick_sibling(struct mutation *m,
						const struct mutate_record *record)
{
	u32 start = below(m, m->nr_records), i;

	for (i = 0; record && i < m->nr_records; i++) {
		const struct mutate_record *other = &m->records[(start + i) % m->nr_records];

		if (other != record && other->kind == record->kind && other->size == record->size)
			return other;
	}
	return NULL;
}

static bool record_fits(const struct mutate_record *record)
{
	return record->at <= MEMORY_SIZE && record->size <= MEMORY_SIZE - record->at;
}

static bool duplicate_record(struct mutation *m)
{
	const struct mutate_record *from = pick_record(m), *to = pick_sibling(m, from);
	u32 keep;

	if (!to || !record_fits(from) || !record_fits(to))
		return false;
	/* With its index or with that of its new place. */
	keep = is_sealed(m) && one_in(m, 2) ? sizeof(struct iommuser_record_ser) : 0;
	memcpy(m->model->bytes + to->at + keep, m->model->bytes + from->at + keep,
	       from->size - keep);
	m->stale = true;
	return true;
}

static bool swap_records(struct mutation *m)
{
	const struct mutate_record *one = pick_record(m), *two = pick_sibling(m, one);
	u32 i;

	if (!two || !record_fits(one) || !record_fits(two))
		return false;
	for (i = 0; i < one->size; i++) {
		u8 byte = m->model->bytes[one->at + i];

		m->model->bytes[one->at + i] = m->model->bytes[two->at + i];
		m->model->bytes[two->at + i] = byte;
	}
	m->stale = true;
	return true;
}

/* Where the root keeps the numbers of a kind. */
static u32 array_of(const struct mutation *m, u32 kind)
{
	return (u32)(model_root(m->model) - MEMORY_BASE) + m->revision->arrays_offset +
	       (kind - 1) * m->revision->array_stride;
}

static void add_to_total(struct mutation *m, u32 kind, u32 offset, u64 by)
{
	u32 at = array_of(m, kind) + offset;

	if (m->revision->array_stride >= offset + 8)
		model_put(m->model, at, 8, model_get(m->model, at, 8) + by);
}

/* By the rules, or with something left in it, or without counting it. */
static bool tombstone_record(struct mutation *m)
{
	const struct mutate_record *record = pick_record(m);
	u64 index;

	if (!record || record->deleted || !record_fits(record) || !m->revision)
		return false;
	if (!is_sealed(m)) {
		/* The flags stand at 8 behind a 32-bit index, or at 4. */
		u32 offset =
			m->revision->kinds[record->kind].rows[0].field == IOMMUSER_FIELD_INDEX ? 8 :
												 4;

		m->model->bytes[record->at + offset] |= IOMMUSER_FLAG_DELETED;
		m->stale = true;
		return true;
	}
	index = model_get(m->model, record->at + offsetof(struct iommuser_record_ser, index), 8);
	if (!one_in(m, 4))
		memset(m->model->bytes + record->at, 0, record->size);
	model_put(m->model, record->at, 4, IOMMUSER_RECORD_DELETED);
	model_put(m->model, record->at + offsetof(struct iommuser_record_ser, index), 8, index);
	if (!one_in(m, 4))
		add_to_total(m, record->kind, offsetof(struct iommuser_array_ser, nr_deleted), 1);
	m->stale = true;
	return true;
}

/* The last page of a chain of that kind, NULL without any. */
static const struct mutate_page *last_page(const struct mutation *m, u32 kind)
{
	const struct mutate_page *found = NULL;
	u32 i;

	for (i = 0; i < m->nr_pages; i++)
		if (m->pages[i].type == PAGE_RECORDS && m->pages[i].detail == kind)
			found = &m->pages[i];
	return found;
}

static u32 record_size_of(const struct mutation *m, u32 page, u32 kind)
{
	u64 size = is_sealed(m) ? model_get(m->model, page + 20, 4) : 0;

	return size && size < page_size(m) ? (u32)size : m->revision->kinds[kind].size;
}

/* A copy of some record of the kind, or what lies there, becomes the last one. */
static bool append_record(struct mutation *m)
{
	const struct mutate_record *from = pick_record(m);
	const struct mutate_page *page = from ? last_page(m, from->kind) : NULL;
	u64 count, end;
	u32 size, at;

	if (!page || !m->revision || !record_fits(from))
		return false;
	size = record_size_of(m, page->at, from->kind);
	count = model_get(m->model, page->at + 8, 8);
	end = m->revision->page_header_size + (count + 1) * size;
	if (count > page_size(m) || end > page_size(m) || from->size > size)
		return false;
	at = page->at + (u32)end - size;
	memcpy(m->model->bytes + at, m->model->bytes + from->at, from->size);
	if (is_sealed(m))
		model_put(m->model, at + offsetof(struct iommuser_record_ser, index), 8,
			  model_get(m->model, array_of(m, from->kind) + 8, 8));
	model_put(m->model, page->at + 8, 8, count + 1);
	if (!one_in(m, 4))
		add_to_total(m, from->kind, 8, 1);
	m->stale = true;
	return true;
}

static bool remove_record(struct mutation *m)
{
	const struct mutate_record *record = pick_record(m);
	const struct mutate_page *page = record ? last_page(m, record->kind) : NULL;
	u64 count;
	u32 size;

	if (!page || !m->revision)
		return false;
	count = model_get(m->model, page->at + 8, 8);
	size = record_size_of(m, page->at, record->kind);
	if (count < 2 || count > page_size(m) ||
	    m->revision->page_header_size + count * size > page_size(m))
		return false;
	memset(m->model->bytes + page->at + m->revision->page_header_size + (count - 1) * size, 0,
	       size);
	model_put(m->model, page->at + 8, 8, count - 1);
	if (!one_in(m, 4))
		add_to_total(m, record->kind, 8, -1ULL);
	m->stale = true;
	return true;
}

/* Bytes of a record, as the engine likes. */
static bool change_record(struct mutation *m)
{
	const struct mutate_record *record = pick_record(m);
	u32 offset, length;

	if (!record || !record_fits(record))
		return false;
	offset = below(m, record->size);
	length = 1 + below(m, record->size - offset < MAX_CHANGED_BYTES ? record->size - offset :
									  MAX_CHANGED_BYTES);
	change_bytes(m, m->model->bytes + record->at + offset, length);
	m->stale = true;
	return true;
}

/* Pages */

static const struct mutate_page *pick_page(struct mutation *m)
{
	return m->nr_pages ? &m->pages[below(m, m->nr_pages)] : NULL;
}

/* Bytes anywhere in a page, also where nothing is known to lie. */
static bool change_page(struct mutation *m)
{
	const struct mutate_page *page = pick_page(m);
	u32 at, length;

	if (!page)
		return false;
	at = page->at + below(m, one_in(m, 2) ? 256 : page->size);
	length = 1 + below(m, MAX_CHANGED_BYTES);
	if (length > page->at + page->size - at)
		length = page->at + page->size - at;
	change_bytes(m, m->model->bytes + at, length);
	m->stale = true;
	return true;
}

/* The page is missing; with larger pages all of the kernel's page is. */
static bool drop_page(struct mutation *m)
{
	const struct mutate_page *page = pick_page(m);
	u32 at, i;

	if (!page)
		return false;
	at = page->at >> m->page_shift << m->page_shift;
	if (m->model->base && m->model->base->present[at / FRAME_SIZE]) {
		model_set(m->model, ROLE_FRAME, at / FRAME_SIZE);
		return true;
	}
	memset(m->model->bytes + at, 0, page_size(m));
	for (i = 0; i < page_size(m) / FRAME_SIZE; i++)
		m->model->present[at / FRAME_SIZE + i] = 0;
	if (one_in(m, 4))
		model_preserve(m->model, at, page_size(m), false);
	m->stale = true;
	return true;
}

/* One page becomes as another; with its own address in it, or not. */
static bool copy_page(struct mutation *m)
{
	const struct mutate_page *from = pick_page(m), *to = pick_page(m);

	if (!from || from == to || from->size != to->size)
		return false;
	memcpy(m->model->bytes + to->at, m->model->bytes + from->at, from->size);
	if (is_sealed(m) && from->type == PAGE_RECORDS && one_in(m, 2))
		model_put(m->model, to->at + offsetof(struct iommuser_page_ser, self), 8,
			  MEMORY_BASE + to->at);
	m->stale = true;
	return true;
}

/* A copy of a page of records becomes the next one of its chain. */
static bool append_page(struct mutation *m)
{
	const struct mutate_page *page = pick_page(m);
	u32 at, size;

	if (!page || page->type != PAGE_RECORDS)
		return false;
	size = page->size;
	at = model_free_page(m->model, size);
	if (at == MEMORY_SIZE)
		return false;
	memcpy(m->model->bytes + at, m->model->bytes + page->at, size);
	model_add_page(m->model, at, size);
	model_preserve(m->model, at, size, !one_in(m, 8));
	model_put(m->model, page->at, 8, MEMORY_BASE + at);
	if (is_sealed(m)) {
		model_put(m->model, at + offsetof(struct iommuser_page_ser, self), 8,
			  MEMORY_BASE + at);
		model_put(m->model, at + offsetof(struct iommuser_page_ser, sequence), 8,
			  model_get(m->model,
				    page->at + offsetof(struct iommuser_page_ser, sequence), 8) +
				  1);
		if (!one_in(m, 4) && page->detail)
			add_to_total(m, page->detail, 8, model_get(m->model, at + 8, 8));
	}
	m->stale = true;
	return true;
}

/* Something in the page table leads to a new table, or to a copy of another one. */
static bool grow_tables(struct mutation *m)
{
	const struct mutate_page *page = pick_page(m), *other = pick_page(m);
	u32 at, entry;

	if (!page || page->type < PAGE_ROOT_TABLE)
		return false;
	at = model_free_page(m->model, page_size(m));
	if (at == MEMORY_SIZE)
		return false;
	model_add_page(m->model, at, (u32)FRAME_SIZE);
	if (other->type >= PAGE_ROOT_TABLE)
		memcpy(m->model->bytes + at, m->model->bytes + other->at, FRAME_SIZE);
	model_preserve(m->model, at, page_size(m), !one_in(m, 8));
	entry = page->at + below(m, FRAME_SIZE / 8) * 8;
	model_put(m->model, entry, 8, (MEMORY_BASE + at) | (page->type == PAGE_PAGE_TABLE ? 3 : 1));
	m->stale = true;
	return true;
}

static bool preserve_page(struct mutation *m)
{
	const struct mutate_page *page = pick_page(m);
	u32 size;

	if (!page || !model_has(m->model, ROLE_PRESERVED))
		return false;
	size = one_in(m, 2) ? (u32)FRAME_SIZE : page->size;
	model_preserve(
		m->model, page->at, size,
		!(m->model->preserved[page->at / FRAME_SIZE / 8] >> page->at / FRAME_SIZE % 8 & 1));
	return true;
}

/* The header */

static u64 new_header_value(struct mutation *m, const struct mutate_field *field, u64 old)
{
	u32 bits = 8 * field->width;

	switch (field->role) {
	case ROLE_PAGE_SIZE:
	case ROLE_REVISION:
		return below(m, 8);
	case ROLE_OPTIONS:
		return old ^ 1ULL << below(m, bits);
	case ROLE_ROOT:
	case ROLE_FIRST:
	case ROLE_DIRECTORY:
		if (one_in(m, 4))
			return old + 8 * below(m, 9);
		return any_page(m, one_in(m, 2) ? PAGE_NONE : PAGE_ROOT) - MEMORY_BASE;
	case ROLE_STAGE:
	case ROLE_LEVEL:
		return below(m, 8);
	case ROLE_WIDTH:
		return one_in(m, 2) ? below(m, 64) : 39;
	case ROLE_HEADER_SIZE:
		return 8ULL << below(m, 8);
	case ROLE_RECORD_SIZE:
		return one_in(m, 2) ? 8ULL << below(m, 10) : old + 8;
	case ROLE_FRAME:
		return one_in(m, 4) ? 0 : (any_page(m, PAGE_NONE) - MEMORY_BASE) / FRAME_SIZE;
	case ROLE_BASE:
		return below(m, HANDOVER_BASES);
	case ROLE_CALL:
		return one_in(m, 4) ? 0 : below(m, 1U << below(m, bits + 1));
	default:
		if (one_in(m, 2))
			return old ^ 1ULL << below(m, bits);
		return one_in(m, 2) ? any_number(m) : below(m, 70);
	}
}

static bool change_header(struct mutation *m)
{
	const struct mutate_field *fields = m->model->format->fields;
	u64 old, value;
	u32 count = 0, i;

	while (fields[count].role != ROLE_END)
		count++;
	i = below(m, count);
	if (!count || fields[i].role == ROLE_STEPS || fields[i].role == ROLE_PRESERVED)
		return false;
	old = m->model->values[i];
	value = new_header_value(m, &fields[i], old);
	if (fields[i].width < 8)
		value &= (1ULL << 8 * fields[i].width) - 1;
	m->model->values[i] = value;
	m->stale = true;
	/* Edits of one handover are of no use in another one. */
	if (m->model->base && (fields[i].role == ROLE_BASE || fields[i].role == ROLE_PAGE_SIZE))
		model_use_base(m->model);
	return value != old;
}

/* Steps */

static bool change_steps(struct mutation *m)
{
	struct mutate_model *model = m->model;
	u32 size = model->format->step_size;

	if (!model->steps_size)
		return false;
	change_bytes(m, model->steps + below(m, model->steps_size / size) * size, size);
	return true;
}

/* Some steps are taken once more, here or there. */
static bool repeat_steps(struct mutation *m)
{
	struct mutate_model *model = m->model;
	u32 size = model->format->step_size, most, from, to, length;

	if (!model->steps_size)
		return false;
	from = below(m, model->steps_size / size) * size;
	to = below(m, model->steps_size / size + 1) * size;
	length = (1 + below(m, (model->steps_size - from) / size)) * size;
	most = (255 * size < sizeof(model->steps) ? 255 * size : (u32)sizeof(model->steps));
	if (length > most - model->steps_size)
		return false;
	/* Within one array: first the room, then the copy, which may have moved. */
	memmove(model->steps + to + length, model->steps + to, model->steps_size - to);
	if (from + length <= to)
		memmove(model->steps + to, model->steps + from, length);
	else
		memmove(model->steps + to, model->steps + from + length, length);
	model->steps_size += length;
	return true;
}

/* Most of what a step is about is one of the first of its sort. */
static void make_step(struct mutation *m, u8 *step, u32 size)
{
	u32 i;

	step[0] = (u8)chance(m);
	for (i = 1; i < size; i++)
		step[i] = (u8)(one_in(m, 4) ? chance(m) : size > 2 ? 0 : below(m, 6));
	/* A number that may be an address. */
	if (size > 8 && m->nr_records && one_in(m, 2)) {
		u64 value = any_record(m, 0);

		for (i = 0; i < 8; i++)
			step[size - 8 + i] = (u8)(value >> 8 * i);
	}
}

static bool add_steps(struct mutation *m)
{
	struct mutate_model *model = m->model;
	u32 size = model->format->step_size, count = one_in(m, 2) ? 1 : 1 + below(m, 8), at, i;

	if (!model_has(model, ROLE_STEPS) || model->steps_size / size + count > 255)
		return false;
	at = below(m, model->steps_size / size + 1) * size;
	if (one_in(m, 2)) /* most often they go on */
		at = model->steps_size;
	memmove(model->steps + at + count * size, model->steps + at, model->steps_size - at);
	for (i = 0; i < count; i++)
		make_step(m, model->steps + at + i * size, size);
	model->steps_size += count * size;
	return true;
}

static bool drop_steps(struct mutation *m)
{
	struct mutate_model *model = m->model;
	u32 size = model->format->step_size, from, length;

	if (!model->steps_size)
		return false;
	from = below(m, model->steps_size / size) * size;
	length = (1 + below(m, (model->steps_size - from) / size)) * size;
	if (one_in(m, 2))
		length = size;
	memmove(model->steps + from, model->steps + from + length,
		model->steps_size - from - length);
	model->steps_size -= length;
	return true;
}

const struct mutate_operator mutate_operators[] = {
	{ "change-number", 6, false, change_number },
	{ "change-meaning", 20, false, change_meaning },
	{ "swap-numbers", 2, false, swap_numbers },
	{ "duplicate-record", 2, false, duplicate_record },
	{ "swap-records", 1, false, swap_records },
	{ "tombstone-record", 2, false, tombstone_record },
	{ "append-record", 2, false, append_record },
	{ "remove-record", 2, false, remove_record },
	{ "change-record", 2, false, change_record },
	{ "change-page", 2, false, change_page },
	{ "drop-page", 1, false, drop_page },
	{ "copy-page", 1, false, copy_page },
	{ "append-page", 1, false, append_page },
	{ "grow-tables", 2, false, grow_tables },
	{ "preserve-page", 1, false, preserve_page },
	{ "change-header", 3, true, change_header },
	{ "change-steps", 4, true, change_steps },
	{ "repeat-steps", 3, true, repeat_steps },
	{ "add-steps", 6, true, add_steps },
	{ "drop-steps", 2, true, drop_steps },
};

const u32 mutate_nr_operators = ARRAY_SIZE(mutate_operators);
