// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The physical memory of the fuzz targets, which holds the library to the
 * contract of struct iommuser_env, and their account of findings.
 */
#include "fuzz.h"

#include <string.h>

#include <zlib.h>

/* After so many calls, pointers are those of the memory itself: much faster. */
#define MAX_COPIES 20000
/* Of 128 MiB; memory and payload, and some that tables point to. */
#define SET_CHUNKS 24

static struct memory the_memory;

u64 input_take(struct input *input, u32 width)
{
	u64 value = 0;
	u32 i;

	for (i = 0; i < width && input->left; i++, input->left--)
		value |= (u64)*input->at++ << (8 * i);
	return value;
}

static bool in_memory(u64 phys, u64 length)
{
	return phys >= MEMORY_BASE && phys - MEMORY_BASE < MEMORY_SIZE &&
	       length <= MEMORY_SIZE - (phys - MEMORY_BASE);
}

static u64 frame_of(u64 phys)
{
	return (phys - MEMORY_BASE) / FRAME_SIZE;
}

static bool readable(const struct memory *memory, u64 phys, u64 length)
{
	u64 frame;

	if (!in_memory(phys, length))
		return false;
	for (frame = frame_of(phys); frame <= frame_of(phys + length - 1); frame++) {
		require(memory->hidden[frame] != MEMORY_FORBIDDEN, "%#llx is read",
			(unsigned long long)phys);
		if (!memory->present[frame] || memory->hidden[frame])
			return false;
	}
	return true;
}

static const void *map(void *ctx, u64 phys, u64 length)
{
	struct memory *memory = ctx;
	u64 page = 1ULL << memory->env.page_shift;
	void **slot = &memory->held[memory->calls++ % ARRAY_SIZE(memory->held)];

	require(length && length <= page - (phys & (page - 1)), "map: %#llx, %llu bytes",
		(unsigned long long)phys, (unsigned long long)length);
	require(phys < 1ULL << IOMMUSER_PHYS_BITS, "map: %#llx", (unsigned long long)phys);
	free(*slot);
	*slot = NULL;
	if (memory->calls == memory->refuse_at ||
	    (memory->budget && memory->calls > memory->budget))
		return NULL;
	if (!readable(memory, phys, length))
		return NULL;
	if (memory->calls > MAX_COPIES)
		return memory->bytes + (phys - MEMORY_BASE);
	*slot = malloc(length);
	require(*slot, "out of memory");
	return memcpy(*slot, memory->bytes + (phys - MEMORY_BASE), length);
}

static u32 sum(void *ctx, u32 crc, const void *data, u64 length)
{
	(void)ctx;
	return (u32)crc32(crc, data, (uInt)length);
}

struct memory *memory_begin(u32 choice)
{
	struct memory *memory = &the_memory;

	memory_end(memory);
	memory->env = (struct iommuser_env){
		.ctx = memory,
		.page_shift = IOMMUSER_MIN_PAGE_SHIFT + choice % 3 * 2,
		.map = map,
		.crc32 = sum,
	};
	memory_restart(memory, 0);
	return memory;
}

void memory_restart(struct memory *memory, u64 budget)
{
	memory->calls = 0;
	memory->refuse_at = 0;
	memory->budget = budget;
}

void memory_end(struct memory *memory)
{
	u64 i;

	for (i = 0; i < ARRAY_SIZE(memory->held); i++) {
		free(memory->held[i]);
		memory->held[i] = NULL;
	}
	for (i = 0; i < MEMORY_FRAMES; i++)
		if (memory->present[i])
			memset(memory->bytes + i * FRAME_SIZE, 0, FRAME_SIZE);
	memset(memory->present, 0, sizeof(memory->present));
	memset(memory->hidden, 0, sizeof(memory->hidden));
}

u8 *memory_at(struct memory *memory, u64 phys)
{
	u64 page = 1ULL << memory->env.page_shift;

	require(in_memory(phys, 1), "%#llx", (unsigned long long)phys);
	memset(memory->present + frame_of(phys & ~(page - 1)), 1, page / FRAME_SIZE);
	return memory->bytes + (phys - MEMORY_BASE);
}

void memory_write(struct memory *memory, struct input *input)
{
	while (input->left) {
		u64 frame = input_take(input, 2) % MEMORY_FRAMES;
		u64 offset = input_take(input, 2) % FRAME_SIZE;
		u64 length = input_take(input, 1);
		u8 *to = memory_at(memory, MEMORY_BASE + frame * FRAME_SIZE) + offset;

		if (length > FRAME_SIZE - offset)
			length = FRAME_SIZE - offset;
		for (; length && input->left; length--)
			*to++ = (u8)input_take(input, 1);
	}
}

u64 memory_nr_frames(const struct memory *memory)
{
	u64 count = 0, i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		count += memory->present[i];
	return count;
}

struct iommuser_pageset *set_new(void)
{
	u64 size = iommuser_pageset_size(SET_CHUNKS, IOMMUSER_NR_PLANES);
	struct iommuser_pageset *set = malloc(sizeof(*set));
	void *bytes = calloc(1, size);

	require(set && bytes, "out of memory");
	require(!iommuser_pageset_init(set, bytes, size, SET_CHUNKS, IOMMUSER_NR_PLANES),
		"a set cannot be made");
	return set;
}

void set_free(struct iommuser_pageset *set)
{
	free(set->directory);
	free(set);
}

void set_fill(struct iommuser_pageset *set, const u8 *bitmap)
{
	u64 i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		if (bitmap[i / 8] >> (i % 8) & 1)
			require(!iommuser_pageset_add(set, IOMMUSER_PRESERVED,
						      MEMORY_BASE + i * FRAME_SIZE, FRAME_SIZE),
				"frame %llu", (unsigned long long)i);
	require(!iommuser_pageset_add(set, IOMMUSER_PRESERVED, PAYLOAD_BASE, PAYLOAD_SIZE),
		"payload");
}

static void mix(struct account *account, u64 value)
{
	account->sum = (account->sum ^ value) * 0x9e3779b97f4a7c15ULL;
	account->sum ^= account->sum >> 29;
}

/* With FUZZ_FINDINGS in the environment. */
static void print_finding(const struct iommuser_finding *finding)
{
	fprintf(stderr, "%s kind %u index %llu field %u phys %#llx found %#llx expected %#llx\n",
		iommuser_finding_code(finding->id), finding->kind,
		(unsigned long long)finding->index, finding->field,
		(unsigned long long)finding->phys, (unsigned long long)finding->found,
		(unsigned long long)finding->expected);
}

static void report(void *ctx, const struct iommuser_finding *finding)
{
	struct account *account = ctx;

	require((u32)finding->id < IOMMUSER_NR_FINDINGS && iommuser_finding_code(finding->id),
		"finding %u", (u32)finding->id);
	require((u32)finding->severity <= IOMMUSER_ERROR, "severity %u", (u32)finding->severity);
	if (account->print)
		print_finding(finding);
	account->count++;
	account->seen[finding->id]++;
	mix(account, finding->id);
	mix(account, finding->severity);
	mix(account, finding->kind);
	mix(account, finding->index);
	mix(account, finding->field);
	mix(account, finding->phys);
	mix(account, finding->found);
	mix(account, finding->expected);
}

void account_begin(struct account *account)
{
	memset(account, 0, sizeof(*account));
	account->reporter.ctx = account;
	account->reporter.report = report;
	account->print = getenv("FUZZ_FINDINGS");
}
