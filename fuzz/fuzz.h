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
#include <iommuser/records.h>

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

/* What happens for every byte or frame need not be traced: it is most of the time that fuzzing takes. */
#ifdef __clang__
#define UNTRACED __attribute__((__no_sanitize__("coverage")))
#else
#define UNTRACED
#endif

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/** struct input - what is left of an input; past its end everything is 0 */
struct input {
	const u8 *at;
	size_t left;
};

/* Little-endian, @width bytes. */
u64 input_take(struct input *input, u32 width);
/* Any of all revisions. */
const struct iommuser_revision *input_take_revision(struct input *input);

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
 *	which dies when IOMMUSER_MAP_HELD further calls have been made; with
 *	AddressSanitizer it is an error to read it then
 * @calls: of map()
 * @budget: after so many calls map() gives nothing any more; 0: never
 * @refuse_at: this call of map() fails, counted from 1; 0: none
 * @present: by frame
 * @hidden: by frame: there, but map() does not give it; MEMORY_FORBIDDEN: nobody
 *	may even ask
 * @read: by frame: map() has given some of it since memory_restart()
 * @seals: by frame: where its crc is, as memory_seal() found it, and 1; 0: none
 * @bytes: of all frames
 */
struct memory {
	struct iommuser_env env;
	u64 calls;
	u64 budget;
	u64 refuse_at;
	u8 present[MEMORY_FRAMES];
	u8 hidden[MEMORY_FRAMES];
	u8 read[MEMORY_FRAMES];
	u8 seals[MEMORY_FRAMES];
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
/* All bytes of the image's page at @phys; NULL when it is not there, or not aligned. */
const u8 *memory_page(const struct memory *memory, u64 phys);
/*
 * Seal the root, known by its magic, and every page of records, known by its own
 * address in it: what the checks behind the seals do is reached by any input
 * that asks for this.
 */
void memory_seal(struct memory *memory, u64 root);
/* The same pages once more, whatever they have become. */
void memory_seal_again(struct memory *memory);

/** struct edit - an alternative: what was there before */
struct edit {
	u8 *at;
	u64 length;
	u8 bytes[255];
};

/* Like memory_write(), but leave the last @nr_alternatives writes in @input. */
void memory_write_most(struct memory *memory, struct input *input, u64 nr_alternatives);
/* The next write, to a frame that is there. Return: false at the end. */
bool memory_edit(struct memory *memory, struct input *input, struct edit *edit);
void memory_undo(const struct edit *edit);

/* A set with all planes and room for memory and payload. */
struct iommuser_pageset *set_new(void);
void set_free(struct iommuser_pageset *set);
/* Preserve the frames of MEMORY_FRAMES / 8 bytes of bitmap, and the payload. */
void set_fill(struct iommuser_pageset *set, const u8 *bitmap);
/* From frames whose being preserved differs from their being there, to those preserved. */
void set_differing(const struct memory *memory, u8 *bitmap);

/**
 * struct account - of all findings
 * @reporter: to hand to the library
 * @sum: of every member of every finding, in their order
 * @count: how many
 * @seen: by id
 * @severe: by severity
 * @print: each one
 */
struct account {
	struct iommuser_reporter reporter;
	u64 sum;
	u64 count;
	u64 seen[IOMMUSER_NR_FINDINGS];
	u64 severe[IOMMUSER_ERROR + 1];
	bool print;
};

void account_begin(struct account *account);

#endif /* FUZZ_H */
