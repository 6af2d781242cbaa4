/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A handover in memory that is read again and again, each time with one thing
 * changed in it.
 */
#ifndef EXHAUSTIVE_HANDOVER_H
#define EXHAUSTIVE_HANDOVER_H

#include <iommuser/env.h>
#include <iommuser/graph.h>
#include <iommuser/pageset.h>
#include <iommuser/verify.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* No image has a page beyond. */
#define MEMORY_END (64ULL << 20)
#define MAX_PAGES (MEMORY_END >> IOMMUSER_MIN_PAGE_SHIFT)

/** enum depth - how much of a handover is read */
enum depth {
	/* Seals, chains and records: no hardware table. */
	RECORDS,
	/* The tables, too. */
	EVERYTHING,
};

/**
 * struct handover - an image, and what reading it takes
 * @env: to hand to the library; counts calls of map() and ends the program
 *	after too many of them
 * @revision: of the records
 * @root: physical address of the root
 * @calls: of map() in this reading
 * @most_calls: in any reading
 * @readings: how many there were
 * @pages: by number, NULL where the image has none
 * @before: their bytes as they were loaded
 *
 * The other members are private, but after a reading @parsed, @survey and
 * @graph may be looked at.
 */
struct handover {
	struct iommuser_env env;
	const struct iommuser_revision *revision;
	u64 root;
	u64 calls;
	u64 most_calls;
	u64 readings;
	u8 *pages[MAX_PAGES];
	u8 *before[MAX_PAGES];
	struct iommuser_root parsed;
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	void *graph_bytes;
	struct iommuser_pageset set;
	struct iommuser_pageset fresh_set;
	u8 *set_bytes;
	u8 *fresh_bytes;
	u64 set_size;
};

/* Say why and end with status 1. */
__attribute__((__noreturn__, __format__(__printf__, 1, 2))) void die(const char *format, ...);

/* DIRECTORY/NAME.text and DIRECTORY/NAME.pages, as detection.py writes them. */
struct handover *handover_load(const char *directory, const char *name);
void handover_free(struct handover *handover);

/* The byte at @phys, which lies in the image. */
u8 *handover_at(const struct handover *handover, u64 phys);

static inline u64 handover_page_size(const struct handover *handover)
{
	return 1ULL << handover->env.page_shift;
}

/* Read it. Return: whether there is anything that forbids a restore. */
bool handover_refused(struct handover *handover, enum depth depth);

/* Does every page hold what it held when it was loaded? */
bool handover_unchanged(const struct handover *handover);

/* The little-endian word there. */
u64 load_word(const u8 *at);

#endif /* EXHAUSTIVE_HANDOVER_H */
