// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The physical memory of the fuzz targets, which holds the library to the
 * contract of struct iommuser_env, and their account of findings.
 */
#include "fuzz.h"

#include <string.h>

#include <sanitizer/asan_interface.h>
#include <zlib.h>

#include <kho/abi/iommuser.h>

/* After so many calls, pointers are those of the memory itself: much faster. */
#define MAX_COPIES 20000
/* Of 128 MiB; memory and payload, and some that tables point to. */
#define SET_CHUNKS 24

/* Copies that live or have died not long ago, each with some bytes behind it that are never read. */
#define NR_COPIES (4 * IOMMUSER_MAP_HELD)
#define MAX_COPY (1 << IOMMUSER_MAX_PAGE_SHIFT)
#define COPY_STRIDE (MAX_COPY + 64)

static struct memory the_memory;

static struct {
	u8 bytes[NR_COPIES][COPY_STRIDE];
	u64 length[NR_COPIES];
	u64 made;
} copies;

u64 input_take(struct input *input, u32 width)
{
	u64 value = 0;
	u32 i;

	for (i = 0; i < width && input->left; i++, input->left--)
		value |= (u64)*input->at++ << (8 * i);
	return value;
}

const struct iommuser_revision *input_take_revision(struct input *input)
{
	u64 choice = input_take(input, 1);
	u32 count = 0;

	while (iommuser_revision_at(count))
		count++;
	require(count, "no revisions");
	return iommuser_revision_at((u32)choice % count);
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

UNTRACED static bool readable(struct memory *memory, u64 phys, u64 length)
{
	u64 frame;

	if (!in_memory(phys, length))
		return false;
	for (frame = frame_of(phys); frame <= frame_of(phys + length - 1); frame++) {
		require(memory->hidden[frame] != MEMORY_FORBIDDEN, "%#llx is read",
			(unsigned long long)phys);
		if (!memory->present[frame] || memory->hidden[frame])
			return false;
		memory->read[frame] = 1;
	}
	return true;
}

static void kill_copy(u64 number)
{
	ASAN_POISON_MEMORY_REGION(copies.bytes[number], copies.length[number]);
	copies.length[number] = 0;
}

/* The copy that was made IOMMUSER_MAP_HELD calls before this one dies. */
static const void *copy_of(const struct memory *memory, u64 phys, u64 length)
{
	u64 number = copies.made++ % NR_COPIES;

	kill_copy((number + NR_COPIES - IOMMUSER_MAP_HELD - 1) % NR_COPIES);
	if (!length)
		return NULL;
	ASAN_UNPOISON_MEMORY_REGION(copies.bytes[number], length);
	copies.length[number] = length;
	return memcpy(copies.bytes[number], memory->bytes + (phys - MEMORY_BASE), length);
}

static const void *map(void *ctx, u64 phys, u64 length)
{
	struct memory *memory = ctx;
	u64 page = 1ULL << memory->env.page_shift;
	bool refused;

	require(length && length <= page - (phys & (page - 1)), "map: %#llx, %llu bytes",
		(unsigned long long)phys, (unsigned long long)length);
	require(phys < 1ULL << IOMMUSER_PHYS_BITS, "map: %#llx", (unsigned long long)phys);
	memory->calls++;
	refused = memory->calls == memory->refuse_at ||
		  (memory->budget && memory->calls > memory->budget) ||
		  !readable(memory, phys, length);
	if (memory->calls > MAX_COPIES)
		return refused ? NULL : memory->bytes + (phys - MEMORY_BASE);
	return copy_of(memory, phys, refused ? 0 : length);
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
	/* All of it, once; after that, what lives is what is not poisoned. */
	if (!memory->env.map)
		ASAN_POISON_MEMORY_REGION(&copies.bytes, sizeof(copies.bytes));
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
	memset(memory->read, 0, sizeof(memory->read));
}

UNTRACED void memory_end(struct memory *memory)
{
	u64 i;

	for (i = 0; i < NR_COPIES; i++)
		kill_copy(i);
	for (i = 0; i < MEMORY_FRAMES; i++)
		if (memory->present[i])
			memset(memory->bytes + i * FRAME_SIZE, 0, FRAME_SIZE);
	memset(memory->present, 0, sizeof(memory->present));
	memset(memory->hidden, 0, sizeof(memory->hidden));
	memset(memory->seals, 0, sizeof(memory->seals));
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

const u8 *memory_page(const struct memory *memory, u64 phys)
{
	u64 size = 1ULL << memory->env.page_shift;

	if (phys & (size - 1) || !in_memory(phys, size) || !memory->present[frame_of(phys)] ||
	    memory->hidden[frame_of(phys)])
		return NULL;
	return memory->bytes + (phys - MEMORY_BASE);
}

static void seal(struct memory *memory, u64 phys, u64 offset)
{
	u8 *page = memory->bytes + (phys - MEMORY_BASE);
	u32 crc;

	memset(page + offset, 0, sizeof(crc));
	crc = sum(NULL, 0, page, 1ULL << memory->env.page_shift);
	memcpy(page + offset, &crc, sizeof(crc));
}

UNTRACED void memory_seal(struct memory *memory, u64 root)
{
	u64 size = 1ULL << memory->env.page_shift;
	u64 phys, magic, self;
	const u8 *page;

	memset(memory->seals, 0, sizeof(memory->seals));
	for (phys = MEMORY_BASE; phys < MEMORY_BASE + MEMORY_SIZE; phys += size) {
		page = memory_page(memory, phys);
		if (!page)
			continue;
		memcpy(&magic, page, sizeof(magic));
		memcpy(&self, page + offsetof(struct iommuser_page_ser, self), sizeof(self));
		if (phys == root && magic == IOMMUSER_MAGIC)
			memory->seals[frame_of(phys)] = offsetof(struct iommuser_root_ser, crc) + 1;
		else if (phys == self)
			memory->seals[frame_of(phys)] = offsetof(struct iommuser_page_ser, crc) + 1;
	}
	memory_seal_again(memory);
}

UNTRACED void memory_seal_again(struct memory *memory)
{
	u64 frame;

	for (frame = 0; frame < MEMORY_FRAMES; frame++)
		if (memory->seals[frame])
			seal(memory, MEMORY_BASE + frame * FRAME_SIZE, memory->seals[frame] - 1);
}

/* Go on behind a write. */
static void pass_over(struct input *input)
{
	u64 length;

	input_take(input, 4);
	length = input_take(input, 1);
	if (length > input->left)
		length = input->left;
	input->at += length;
	input->left -= length;
}

void memory_write_most(struct memory *memory, struct input *input, u64 nr_alternatives)
{
	struct input all = *input, most = *input;
	u64 count = 0;

	while (all.left) {
		pass_over(&all);
		count++;
	}
	for (; count > nr_alternatives; count--)
		pass_over(input);
	most.left -= input->left;
	memory_write(memory, &most);
}

bool memory_edit(struct memory *memory, struct input *input, struct edit *edit)
{
	u64 frame, offset, i;

	if (!input->left)
		return false;
	frame = input_take(input, 2) % MEMORY_FRAMES;
	offset = input_take(input, 2) % FRAME_SIZE;
	edit->length = input_take(input, 1);
	if (edit->length > FRAME_SIZE - offset)
		edit->length = FRAME_SIZE - offset;
	edit->at = memory->bytes + frame * FRAME_SIZE + offset;
	memcpy(edit->bytes, edit->at, edit->length);
	for (i = 0; i < edit->length && input->left; i++) {
		u8 byte = (u8)input_take(input, 1);

		if (memory->present[frame])
			edit->at[i] = byte;
	}
	return true;
}

void memory_undo(const struct edit *edit)
{
	memcpy(edit->at, edit->bytes, edit->length);
}

UNTRACED u64 memory_nr_frames(const struct memory *memory)
{
	u64 count = 0, i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		count += memory->present[i];
	return count;
}

/* One after the other in the same place, which saves most of the time that a set takes. */
static bool set_in_use;

struct iommuser_pageset *set_new(void)
{
	static void *bytes;
	u64 size = iommuser_pageset_size(SET_CHUNKS, IOMMUSER_NR_PLANES);
	struct iommuser_pageset *set = malloc(sizeof(*set));

	require(!set_in_use, "two sets");
	set_in_use = true;
	if (!bytes)
		bytes = malloc(size);
	require(set && bytes, "out of memory");
	memset(bytes, 0, size);
	require(!iommuser_pageset_init(set, bytes, size, SET_CHUNKS, IOMMUSER_NR_PLANES),
		"a set cannot be made");
	return set;
}

void set_free(struct iommuser_pageset *set)
{
	set_in_use = false;
	free(set);
}

UNTRACED void set_fill(struct iommuser_pageset *set, const u8 *bitmap)
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

UNTRACED void set_differing(const struct memory *memory, u8 *bitmap)
{
	u64 i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		if (memory->present[i])
			bitmap[i / 8] ^= (u8)(1 << i % 8);
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
	account->severe[finding->severity]++;
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
