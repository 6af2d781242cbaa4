// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One mutation: the input is taken apart, operators change what it describes,
 * seals are made right again - mostly - and it is put together. What cannot be
 * taken apart, and now and then anything, is left to the engine, or made anew.
 */
#include "mutate-private.h"

#include <string.h>

#define MAX_CHANGES 6

static struct mutation the_mutation;
static struct mutate_model the_model;
static struct mutate_model the_other;
static u64 *counts;

/* splitmix64 */
u64 chance(struct mutation *m)
{
	u64 x = m->chance += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

u32 below(struct mutation *m, u64 limit)
{
	return limit ? (u32)(chance(m) % limit) : 0;
}

bool one_in(struct mutation *m, u32 of)
{
	return !below(m, of);
}

u64 any_number(struct mutation *m)
{
	u64 edge = 1ULL << below(m, 64);

	switch (below(m, 4)) {
	case 0:
		return edge;
	case 1:
		return edge - 1;
	case 2:
		return -edge;
	default:
		return chance(m) >> below(m, 64);
	}
}

u64 number_at(const u8 *at, u32 width)
{
	u64 value = 0;

	while (width--)
		value = value << 8 | at[width];
	return value;
}

void set_number(u8 *at, u64 value, u32 width)
{
	u32 i;

	for (i = 0; i < width; i++)
		at[i] = (u8)(value >> 8 * i);
}

/* Without an engine: bits, bytes, numbers, and runs that are moved. */
static size_t change_plainly(struct mutation *m, u8 *data, size_t size, size_t max_size)
{
	u32 changes = 1 + below(m, 4), at, from, length, i;
	u64 number;

	if (!size) {
		data[0] = (u8)chance(m);
		return 1;
	}
	while (changes--) {
		at = below(m, size);
		from = below(m, size);
		length = 1 + below(m, size - (at > from ? at : from));
		number = any_number(m);
		switch (below(m, 6)) {
		case 0:
			data[at] ^= (u8)(1 << below(m, 8));
			break;
		case 1:
			data[at] = (u8)chance(m);
			break;
		case 2:
			for (i = 0; i < 8 && at + i < size; i++)
				data[at + i] = (u8)(number >> 8 * i);
			break;
		case 3:
			memmove(data + at, data + from, length);
			break;
		case 4:
			if (length > max_size - size)
				break;
			memmove(data + at + length, data + at, size - at);
			size += length;
			break;
		default:
			if (length >= size)
				break;
			memmove(data + at, data + at + length, size - at - length);
			size -= length;
		}
	}
	return size;
}

static size_t change_by_engine(struct mutation *m, u8 *data, size_t size, size_t max_size)
{
	size_t result = m->engine ? m->engine(data, size, max_size) : 0;

	return result ? result : change_plainly(m, data, size, max_size);
}

void change_bytes(struct mutation *m, u8 *data, size_t size)
{
	u8 copy[256];
	size_t count = size < sizeof(copy) ? size : sizeof(copy);

	if (!size)
		return;
	memcpy(copy, data, count);
	if (change_by_engine(m, copy, count, count) <= count)
		memcpy(data, copy, count);
}

const char *mutate_operator_name(u32 i)
{
	return i < mutate_nr_operators ? mutate_operators[i].name : NULL;
}

u64 mutate_operator_count(u32 i)
{
	return counts && i < mutate_nr_operators ? counts[i] : 0;
}

static u32 weight_of(const struct mutation *m, u32 i)
{
	return m->outside && !mutate_operators[i].outside ? 0 : mutate_operators[i].weight;
}

static bool apply_some_operator(struct mutation *m)
{
	u32 total = 0, i, choice;

	for (i = 0; i < mutate_nr_operators; i++)
		total += weight_of(m, i);
	choice = below(m, total);
	for (i = 0; choice >= weight_of(m, i); i++)
		choice -= weight_of(m, i);
	if (!mutate_operators[i].change(m))
		return false;
	counts[i]++;
	return true;
}

static void change_model(struct mutation *m)
{
	u32 changes = 1, done, tries;

	while (changes < MAX_CHANGES && one_in(m, 2))
		changes++;
	/* A handover that is refused at once takes no steps. */
	m->outside = model_has(m->model, ROLE_STEPS) &&
		     !one_in(m, m->model->format->relative ? 4 : 2);
	for (done = 0, tries = 0; done < changes && tries < 8 * MAX_CHANGES; tries++) {
		if (m->stale)
			survey(m);
		done += apply_some_operator(m);
	}
}

static void begin(struct mutation *m, mutate_engine engine, u32 seed)
{
	static u64 the_counts[64];

	counts = the_counts;
	m->chance = seed;
	chance(m);
	m->engine = engine;
	m->model = &the_model;
	m->stale = true;
}

/* Return: the new size, or 0 when the input is to be left to the engine. */
static size_t change_memory(struct mutation *m, const struct mutate_format *format, u8 *data,
			    size_t size, size_t max_size)
{
	bool understood = model_load(m->model, format, data, size);

	if (understood)
		survey(m);
	/* Without anything to change there is nothing to lose. */
	if (!understood || one_in(m, m->nr_pages ? 100 : 2))
		generate(m);
	if (understood || !one_in(m, 4))
		change_model(m);
	if (!one_in(m, 12))
		seal_all(m);
	return model_store(m->model, data, max_size);
}

static size_t change_input(struct mutation *m, const struct mutate_format *format, u8 *data,
			   size_t size, size_t max_size)
{
	if (!format)
		return 0;
	if (format->content == CONTENT_FILE)
		return one_in(m, 4) ? 0 : format->change(m, data, size, max_size);
	return one_in(m, 16) ? 0 : change_memory(m, format, data, size, max_size);
}

size_t mutate(const struct mutate_format *format, mutate_engine engine, u8 *data, size_t size,
	      size_t max_size, u32 seed)
{
	struct mutation *m = &the_mutation;
	size_t result;

	begin(m, engine, seed);
	result = change_input(m, format, data, size, max_size);
	return result ? result : change_by_engine(m, data, size, max_size);
}

size_t mutate_cross(const struct mutate_format *format, const u8 *one, size_t one_size,
		    const u8 *other, size_t other_size, u8 *out, size_t max_size, u32 seed)
{
	struct mutation *m = &the_mutation;
	u32 step, i;

	begin(m, NULL, seed);
	if (!format || format->content == CONTENT_FILE ||
	    !model_load(&the_model, format, one, one_size) ||
	    !model_load(&the_other, format, other, other_size) ||
	    the_model.base != the_other.base ||
	    model_page_size(&the_model) != model_page_size(&the_other))
		return 0;
	step = model_page_size(&the_model) / (u32)FRAME_SIZE;
	for (i = 0; i < MEMORY_FRAMES; i += step) {
		if (!the_other.present[i] || one_in(m, 2))
			continue;
		memcpy(the_model.bytes + i * FRAME_SIZE, the_other.bytes + i * FRAME_SIZE,
		       step * FRAME_SIZE);
		model_add_page(&the_model, i * (u32)FRAME_SIZE, 1);
	}
	if (!one_in(m, 12))
		seal_all(m);
	return model_store(&the_model, out, max_size);
}
