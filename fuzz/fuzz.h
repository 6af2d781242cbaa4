/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the fuzz targets share: reading an input piece by piece, a small
 * physical memory made from it, an account of findings.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <iommuser/env.h>
#include <iommuser/error.h>
#include <iommuser/finding.h>
#include <iommuser/pageset.h>

/* libFuzzer calls this, and so does the replayer. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* A property that must hold for every input. */
#define require(condition, ...)                                                                 \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
			fprintf(stderr, __VA_ARGS__);                                           \
			fputc('\n', stderr);                                                    \
			abort();                                                                \
		}                                                                               \
	} while (0)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/** struct input - what is left of an input; past its end everything is 0 */
struct input {
	const u8 *at;
	size_t left;
};

/* Little-endian, @width bytes. */
u64 input_take(struct input *input, u32 width);

#define FRAME_SIZE 4096ULL
#define MEMORY_BASE 0x10000ULL
#define MEMORY_FRAMES 1024
#define MEMORY_SIZE (MEMORY_FRAMES * FRAME_SIZE)
#define MEMORY_FORBIDDEN 2
/* This is preserved as well, without having bytes, so that leaves can be sound. */
#define PAYLOAD_BASE 0x40000000ULL
#define PAYLOAD_SIZE 0x40000000ULL

/**
 * struct memory - physical memory from MEMORY_BASE on; pages that nothing was
 * written to are not there
 * @env: its map() gives private copies of exactly the bytes asked for, each of
 *	which dies when IOMMUSER_MAP_HELD further calls have been made
 * @calls: of map()
 * @budget: after so many calls map() gives nothing any more; 0: never
 * @refuse_at: this call of map() fails, counted from 1; 0: none
 * @present: by frame
 * @hidden: by frame: there, but map() does not give it; MEMORY_FORBIDDEN: nobody
 *	may even ask
 * @bytes: of all frames
 */
struct memory {
	struct iommuser_env env;
	u64 calls;
	u64 budget;
	u64 refuse_at;
	void *held[IOMMUSER_MAP_HELD + 1];
	u8 present[MEMORY_FRAMES];
	u8 hidden[MEMORY_FRAMES];
	u8 bytes[MEMORY_SIZE];
};

/* The one memory, emptied. @choice: any number, tells the page size. */
struct memory *memory_begin(u32 choice);
/* Count calls of map() from 0 again. */
void memory_restart(struct memory *memory, u64 budget);
void memory_end(struct memory *memory);

/* Make the page with this address present; @phys lies in the memory. */
u8 *memory_at(struct memory *memory, u64 phys);
/* Write what the input says: frame u16, offset u16, length u8, bytes; to its end. */
void memory_write(struct memory *memory, struct input *input);
u64 memory_nr_frames(const struct memory *memory);

/* A set with all planes and room for memory and payload. */
struct iommuser_pageset *set_new(void);
void set_free(struct iommuser_pageset *set);
/* Preserve the frames of MEMORY_FRAMES / 8 bytes of bitmap, and the payload. */
void set_fill(struct iommuser_pageset *set, const u8 *bitmap);

/**
 * struct account - of all findings
 * @reporter: to hand to the library
 * @sum: of every member of every finding, in their order
 * @count: how many
 * @seen: by id
 * @print: each one
 */
struct account {
	struct iommuser_reporter reporter;
	u64 sum;
	u64 count;
	u64 seen[IOMMUSER_NR_FINDINGS];
	bool print;
};

void account_begin(struct account *account);

#endif /* FUZZ_H */
