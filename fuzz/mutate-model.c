// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An input taken apart into header and memory, and put together again from as
 * few edits as describe the memory.
 */
#include "mutate-private.h"

#include <string.h>

/* Bytes that an edit costs: it goes on over fewer equal ones. */
#define EDIT_HEADER 5
#define MAX_EDIT 255

/* Only the target that edits are relative to a handover of has this. */
#pragma weak handover_image

static const u8 zeros[FRAME_SIZE];

/* From which frames are preserved to how the header says it, and back. */
static void turn_preserved(const struct mutate_model *model, u8 *bitmap)
{
	u32 i;

	if (!(model_value(model, ROLE_OPTIONS) & model->format->differs))
		return;
	for (i = 0; i < MEMORY_FRAMES; i++)
		bitmap[i / 8] ^= (u8)(model->present[i] << i % 8);
}

static u64 load(const u8 *at, u32 width)
{
	u64 value = 0;
	u32 i;

	for (i = 0; i < width; i++)
		value |= (u64)at[i] << (8 * i);
	return value;
}

static void store(u8 *at, u64 value, u32 width)
{
	u32 i;

	for (i = 0; i < width; i++)
		at[i] = (u8)(value >> (8 * i));
}

static void clear_memory(struct mutate_model *model)
{
	u32 i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		if (model->present[i])
			memset(model->bytes + i * FRAME_SIZE, 0, FRAME_SIZE);
	memset(model->present, 0, sizeof(model->present));
}

void model_clear(struct mutate_model *model, const struct mutate_format *format)
{
	clear_memory(model);
	memset(model, 0, offsetof(struct mutate_model, bytes));
	model->format = format;
}

u64 model_value(const struct mutate_model *model, enum mutate_role role)
{
	u32 i;

	for (i = 0; model->format->fields[i].role != ROLE_END; i++)
		if (model->format->fields[i].role == role)
			return model->values[i];
	return 0;
}

bool model_has(const struct mutate_model *model, enum mutate_role role)
{
	u32 i;

	for (i = 0; model->format->fields[i].role != ROLE_END; i++)
		if (model->format->fields[i].role == role)
			return true;
	return false;
}

void model_set(struct mutate_model *model, enum mutate_role role, u64 value)
{
	u32 i;

	for (i = 0; model->format->fields[i].role != ROLE_END; i++)
		if (model->format->fields[i].role == role)
			model->values[i] = value;
}

u32 model_page_shift(const struct mutate_model *model)
{
	u64 choice = model->format->sizes_in_options ? model_value(model, ROLE_OPTIONS) & 3 :
						       model_value(model, ROLE_PAGE_SIZE);

	return 12 + (u32)(choice % 3) * 2;
}

u32 model_page_size(const struct mutate_model *model)
{
	return 1U << model_page_shift(model);
}

u64 model_root(const struct mutate_model *model)
{
	return model->base ? model->base->root : MEMORY_BASE + model_value(model, ROLE_ROOT);
}

const struct iommuser_revision *model_revision(const struct mutate_model *model)
{
	u32 count = 1;

	if (model->format->content != CONTENT_HANDOVER)
		return NULL;
	if (model->base)
		return model->base->revision;
	while (iommuser_revision_at(count))
		count++;
	return iommuser_revision_at((u32)(model_value(model, ROLE_REVISION) % count));
}

u64 model_get(const struct mutate_model *model, u32 at, u32 width)
{
	return at <= MEMORY_SIZE - width ? load(model->bytes + at, width) : 0;
}

void model_put(struct mutate_model *model, u32 at, u32 width, u64 value)
{
	if (at > MEMORY_SIZE - width)
		return;
	model_add_page(model, at, width);
	store(model->bytes + at, value, width);
}

bool model_page_there(const struct mutate_model *model, u64 phys, u32 size)
{
	u64 at = phys - MEMORY_BASE;
	u32 i;

	if (phys < MEMORY_BASE || at >= MEMORY_SIZE || at % size || size > MEMORY_SIZE - at)
		return false;
	for (i = 0; i < size / FRAME_SIZE; i++)
		if (!model->present[at / FRAME_SIZE + i])
			return false;
	return true;
}

/* The whole kernel pages, as memory_at() does it. */
void model_add_page(struct mutate_model *model, u32 at, u32 size)
{
	u32 page = model_page_size(model) / FRAME_SIZE;
	u64 first = (at + MEMORY_BASE) / FRAME_SIZE / page * page;
	u64 last = (at + MEMORY_BASE + size - 1) / FRAME_SIZE / page * page + page;

	for (; first < last; first++)
		if (first >= MEMORY_BASE / FRAME_SIZE &&
		    first - MEMORY_BASE / FRAME_SIZE < MEMORY_FRAMES)
			model->present[first - MEMORY_BASE / FRAME_SIZE] = 1;
}

u32 model_free_page(const struct mutate_model *model, u32 size)
{
	u64 at, i;

	for (at = 0; at < MEMORY_SIZE; at += size) {
		for (i = 0; i < size / FRAME_SIZE && !model->present[at / FRAME_SIZE + i]; i++)
			;
		if (i == size / FRAME_SIZE)
			return (u32)at;
	}
	return MEMORY_SIZE;
}

void model_preserve(struct mutate_model *model, u32 at, u32 size, bool preserved)
{
	u64 frame;

	for (frame = at / FRAME_SIZE; frame < (at + (u64)size + FRAME_SIZE - 1) / FRAME_SIZE;
	     frame++) {
		if (frame >= MEMORY_FRAMES)
			return;
		if (preserved)
			model->preserved[frame / 8] |= (u8)(1 << frame % 8);
		else
			model->preserved[frame / 8] &= (u8) ~(1 << frame % 8);
	}
}

void model_use_base(struct mutate_model *model)
{
	u32 i;

	if (!model->format->relative || !handover_image)
		return;
	clear_memory(model);
	model->base = handover_image((u32)model_value(model, ROLE_BASE),
				     (u32)model_value(model, ROLE_PAGE_SIZE));
	for (i = 0; i < MEMORY_FRAMES; i++) {
		if (!model->base->present[i])
			continue;
		model->present[i] = 1;
		memcpy(model->bytes + i * FRAME_SIZE, model->base->bytes + i * FRAME_SIZE,
		       FRAME_SIZE);
		model_preserve(model, i * (u32)FRAME_SIZE, 1, model->base->preserved[i]);
	}
}

static size_t load_steps(struct mutate_model *model, u32 count, const u8 *data, size_t size)
{
	u32 step = model->format->step_size;

	if (count > sizeof(model->steps) / step)
		count = sizeof(model->steps) / step;
	if (count > size / step)
		count = (u32)(size / step);
	model->steps_size = count * step;
	memcpy(model->steps, data, model->steps_size);
	return model->steps_size;
}

/* Return: bytes of the header; 0 when the input is too short. */
static size_t load_header(struct mutate_model *model, const u8 *data, size_t size)
{
	const struct mutate_field *field = model->format->fields;
	size_t at = 0;
	u32 i;

	for (i = 0; field[i].role != ROLE_END; i++) {
		u32 width = field[i].role == ROLE_PRESERVED ? MUTATE_BITMAP_SIZE : field[i].width;

		if (width > size - at)
			return 0;
		if (field[i].role == ROLE_PRESERVED)
			memcpy(model->preserved, data + at, width);
		else
			model->values[i] = load(data + at, width);
		at += width;
		if (field[i].role == ROLE_STEPS)
			at += load_steps(model, (u32)model->values[i], data + at, size - at);
	}
	return at;
}

u32 model_take_alternatives(struct mutate_model *model)
{
	const struct mutate_format *format = model->format;
	u32 value = (u32)model_value(model, format->alternatives_of);
	u32 count = value & format->alternatives_count;

	if (!(value & format->alternatives))
		return 0;
	model_set(model, format->alternatives_of,
		  value & ~((u32)format->alternatives | format->alternatives_count));
	return count / (format->alternatives_count & -format->alternatives_count);
}

/* Bytes that an edit writes, of @size with its header. */
static u32 length_of(const u8 *data, size_t size)
{
	u32 length = data[4], room = (u32)(FRAME_SIZE - load(data + 2, 2) % FRAME_SIZE);

	if (length > room)
		length = room;
	return length < size - EDIT_HEADER ? length : (u32)(size - EDIT_HEADER);
}

static u32 count_edits(const u8 *data, size_t size)
{
	u32 count = 0, length;

	for (; size >= EDIT_HEADER; count++) {
		length = length_of(data, size);
		data += EDIT_HEADER + length;
		size -= EDIT_HEADER + length;
	}
	return count;
}

/* All but the last ones. */
static void load_edits(struct mutate_model *model, const u8 *data, size_t size, u32 alternatives)
{
	u32 count = count_edits(data, size);

	for (; count > alternatives; count--) {
		u32 frame = (u32)load(data, 2) % MEMORY_FRAMES;
		u32 at = frame * (u32)FRAME_SIZE + (u32)load(data + 2, 2) % FRAME_SIZE;
		u32 length = length_of(data, size);

		model_add_page(model, at, 1);
		memcpy(model->bytes + at, data + EDIT_HEADER, length);
		data += EDIT_HEADER + length;
		size -= EDIT_HEADER + length;
	}
}

bool model_load(struct mutate_model *model, const struct mutate_format *format, const u8 *data,
		size_t size)
{
	size_t header;
	u32 alternatives;

	model_clear(model, format);
	header = load_header(model, data, size);
	if (!header)
		return false;
	alternatives = model_take_alternatives(model);
	model_use_base(model);
	load_edits(model, data + header, size - header, alternatives);
	turn_preserved(model, model->preserved);
	return true;
}

static size_t store_header(const struct mutate_model *model, u8 *data, size_t max_size)
{
	const struct mutate_field *field = model->format->fields;
	size_t at = 0;
	u32 i;

	for (i = 0; field[i].role != ROLE_END; i++) {
		u32 width = field[i].role == ROLE_PRESERVED ? MUTATE_BITMAP_SIZE : field[i].width;
		u32 steps = field[i].role == ROLE_STEPS ? model->steps_size : 0;

		if (width + steps > max_size - at)
			return 0;
		store(data + at, model->values[i], width < 8 ? width : 8);
		if (field[i].role == ROLE_PRESERVED) {
			memcpy(data + at, model->preserved, width);
			turn_preserved(model, data + at);
		} else if (field[i].role == ROLE_STEPS) {
			store(data + at, steps / model->format->step_size, width);
			memcpy(data + at + width, model->steps, steps);
		}
		at += width + steps;
	}
	return at;
}

/* What is written so far. */
struct writing {
	u8 *data;
	size_t size;
	size_t max_size;
};

static bool write_edit(struct writing *writing, u32 frame, u32 offset, const u8 *bytes, u32 length)
{
	u8 *to = writing->data + writing->size;

	if (EDIT_HEADER + length > writing->max_size - writing->size)
		return false;
	store(to, frame, 2);
	store(to + 2, offset, 2);
	to[4] = (u8)length;
	memcpy(to + EDIT_HEADER, bytes, length);
	writing->size += EDIT_HEADER + length;
	return true;
}

/* Offset of the first byte from @at on that differs. */
static u32 next_difference(const u8 *bytes, const u8 *base, u32 at)
{
	while (at < FRAME_SIZE && bytes[at] == base[at]) {
		if (at % 8 == 0 && !memcmp(bytes + at, base + at, 8))
			at += 8;
		else
			at++;
	}
	return at;
}

/* Return: false when there is no room; @written says whether anything was. */
static bool write_frame(struct writing *writing, u32 frame, const u8 *bytes, const u8 *base,
			bool *written)
{
	u32 start, end, next;

	if (!memcmp(bytes, base, FRAME_SIZE))
		return true;
	for (start = next_difference(bytes, base, 0); start < FRAME_SIZE; start = next) {
		for (end = start + 1;; end = next + 1) {
			next = next_difference(bytes, base, end);
			if (next >= FRAME_SIZE || next - end >= EDIT_HEADER ||
			    next - start >= MAX_EDIT)
				break;
		}
		if (!write_edit(writing, frame, start, bytes + start, end - start))
			return false;
		*written = true;
	}
	return true;
}

/* One kernel page; one without bytes is there all the same. */
static bool write_page(struct writing *writing, const struct mutate_model *model, u32 frame,
		       u32 nr_frames)
{
	bool written = false, there = false, based = false;
	const u8 *base;
	u32 i;

	for (i = frame; i < frame + nr_frames && i < MEMORY_FRAMES; i++) {
		if (!model->present[i])
			continue;
		there = true;
		based |= model->base && model->base->present[i];
		base = model->base ? model->base->bytes + i * FRAME_SIZE : zeros;
		if (!write_frame(writing, i, model->bytes + i * FRAME_SIZE, base, &written))
			return false;
	}
	return !there || based || written || write_edit(writing, frame, 0, zeros, 0);
}

size_t model_store(const struct mutate_model *model, u8 *data, size_t max_size)
{
	struct writing writing = { data, 0, max_size };
	u32 nr_frames = model_page_size(model) / (u32)FRAME_SIZE;
	u32 frame;

	writing.size = store_header(model, data, max_size);
	if (!writing.size)
		return 0;
	/* MEMORY_BASE is a multiple of every page size. */
	for (frame = 0; frame < MEMORY_FRAMES; frame += nr_frames)
		if (!write_page(&writing, model, frame, nr_frames))
			return 0;
	return writing.size;
}
