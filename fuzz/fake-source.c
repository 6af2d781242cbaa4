// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An image over the memory of the fuzz targets, in place of source.c: whoever
 * links this links no format.
 */
#include <string.h>

#include <zlib.h>

#include "tool.h"

struct source {
	struct memory *memory;
	u64 read;
	u64 lost;
	bool carries;
	u32 sum;
};

static struct source the_image;

UNCOUNTED_BEGIN

static u64 page_size_of(const struct source *source)
{
	return 1ULL << source->memory->env.page_shift;
}

static u32 sum_of(const struct memory *memory)
{
	u32 sum = 0;
	u64 i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		if (memory->present[i])
			sum = (u32)crc32(sum, memory->bytes + i * FRAME_SIZE, FRAME_SIZE);
	return sum;
}

struct source *image_begin(struct memory *memory)
{
	the_image = (struct source){ .memory = memory, .sum = sum_of(memory) };
	memory_restart(memory, 0);
	return &the_image;
}

void image_carry(struct source *source, u64 lost)
{
	source->carries = true;
	source->lost = lost;
}

void image_end(struct source *source)
{
	require(sum_of(source->memory) == source->sum, "the image was changed");
}

u64 image_nr_words(const struct source *source)
{
	const struct memory *memory = source->memory;
	u64 frame, at, word, nr = 0;

	for (frame = 0; frame < MEMORY_FRAMES; frame++) {
		for (at = 0; memory->present[frame] && at < FRAME_SIZE; at += sizeof(word)) {
			memcpy(&word, memory->bytes + frame * FRAME_SIZE + at, sizeof(word));
			nr += !!word;
		}
	}
	return nr;
}

bool image_holds(const struct memory *memory, u64 phys, u64 length)
{
	u64 frame;

	if (phys < MEMORY_BASE || phys - MEMORY_BASE > MEMORY_SIZE ||
	    length > MEMORY_SIZE - (phys - MEMORY_BASE))
		return false;
	phys -= MEMORY_BASE;
	for (frame = phys / FRAME_SIZE; frame * FRAME_SIZE < phys + length; frame++)
		if (!memory->present[frame])
			return false;
	return true;
}

bool image_bytes(const struct memory *memory, u64 phys, void *to, u64 length)
{
	if (!image_holds(memory, phys, length))
		return false;
	memcpy(to, memory->bytes + (phys - MEMORY_BASE), length);
	return true;
}

bool image_u64(const struct memory *memory, u64 phys, u64 *value)
{
	return image_bytes(memory, phys, value, sizeof(*value));
}

/* What follows is source.h's. */

void source_close(struct source *source)
{
	(void)source;
}

u32 source_page_shift(const struct source *source)
{
	return source->memory->env.page_shift;
}

const void *source_map(struct source *source, u64 phys, u64 length)
{
	struct iommuser_env *env = &source->memory->env;

	if (phys >= 1ULL << IOMMUSER_PHYS_BITS)
		return NULL;
	return env->map(env->ctx, phys, length);
}

enum source_status source_read(struct source *source, u64 phys, void *buffer, size_t length)
{
	u64 size = page_size_of(source), part;
	const void *from;
	u8 *to = buffer;

	require(!length || buffer, "no buffer");
	for (; length; length -= part, phys += part, to += part) {
		part = size - (phys & (size - 1));
		if (part > length)
			part = length;
		from = source_map(source, phys, part);
		if (!from)
			return SOURCE_MISSING;
		memcpy(to, from, part);
		source->read += part;
	}
	return SOURCE_OK;
}

bool source_next_range(struct source *source, u64 from, u64 *start, u64 *end)
{
	const struct memory *memory = source->memory;
	u64 size = page_size_of(source);
	u64 frame =
		from > MEMORY_BASE ? (from - MEMORY_BASE + size - 1) / size * size / FRAME_SIZE : 0;

	while (frame < MEMORY_FRAMES && !memory->present[frame])
		frame++;
	if (frame >= MEMORY_FRAMES)
		return false;
	*start = MEMORY_BASE + frame * FRAME_SIZE;
	while (frame < MEMORY_FRAMES && memory->present[frame])
		frame++;
	*end = MEMORY_BASE + frame * FRAME_SIZE;
	return true;
}

bool source_has_preserved(const struct source *source)
{
	return source->carries;
}

bool source_next_preserved(struct source *source, u64 *cursor, u64 *phys, u64 *length)
{
	u64 frame = *cursor;

	while (frame < MEMORY_FRAMES && (!source->memory->present[frame] || frame == source->lost))
		frame++;
	*cursor = frame + 1;
	*phys = MEMORY_BASE + frame * FRAME_SIZE;
	*length = FRAME_SIZE;
	return source->carries && frame < MEMORY_FRAMES;
}

u64 source_bytes_read(const struct source *source)
{
	return source->read;
}

UNCOUNTED_END
