// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves of a page set of one chunk, after a range of up to MOST_PAGES pages was added and a
 * page visited, among the first WORDS words of CHUNKS chunks, across the borders of words:
 * it says that a range is contained exactly when each of its pages is one of these,
 * and names the first that is missing; visiting says whether the page was there;
 * another plane stays empty; what needs another chunk finds no room and changes
 * nothing; ranges that end beyond 2^52 are refused. Of the layout, for up to two chunks:
 * iommuser_pageset_init() takes exactly the memory that iommuser_pageset_size() asks for,
 * for each number of planes. Checks S1 S3 S6.
 *
 * Sources: pageset.c
 * Unwind: 5
 * Cases: CHECK=check_layout CHECK=check_contents CHECK=check_refusal
 */
#include <iommuser/pageset.h>

#include "internal.h"
#include "proof.h"

#define CHUNKS 4
#define WORDS 3
#define MOST_PAGES 3
#define MOST_LAID_OUT 2
/* Directory entries of a set of 1 or 2 chunks. */
#define ENTRIES 16

static struct iommuser_chunk directory[ENTRIES];
static u64 chunks[1];
/* Only these may be touched. */
static u64 preserved[WORDS], visited[WORDS];

/* As iommuser_pageset_init() leaves it, but each array an object of its own. */
static void make_set(struct iommuser_pageset *set)
{
	set->directory = directory;
	set->mask = ENTRIES - 1;
	set->seed = 0x7654;
	set->chunks = chunks;
	set->planes[IOMMUSER_PRESERVED] = preserved;
	set->planes[IOMMUSER_VISITED] = visited;
	set->max_chunks = 1;
}

/* A range of pages among those that have a bit here. */
static void any_range(u64 *phys, u64 *length)
{
	u64 chunk = nondet_u64(), offset = nondet_u64();

	*length = nondet_u64();
	assume(chunk < CHUNKS && *length <= MOST_PAGES * 4096);
	assume(offset < WORDS * 64 * 4096 && *length <= WORDS * 64 * 4096 - offset);
	*phys = (chunk << IOMMUSER_CHUNK_SHIFT) + offset;
}

/* Is the page of @at one of those of [phys, phys + length)? */
static bool touches(u64 phys, u64 length, u64 at)
{
	return length && at >> 12 >= phys >> 12 && at >> 12 <= (phys + length - 1) >> 12;
}

static void check_contents(void)
{
	u64 phys, length, page, asked, asked_length, missing = 0, at = nondet_u64();
	struct iommuser_pageset set = { 0 };
	int error;

	any_range(&phys, &length);
	any_range(&page, &asked_length);
	any_range(&asked, &asked_length);
	make_set(&set);
	prove(!iommuser_pageset_add(&set, IOMMUSER_PRESERVED, phys, length), "there is room");
	error = iommuser_pageset_visit(&set, IOMMUSER_PRESERVED, page);
	if (error == -IOMMUSER_ENOSPC) {
		reach("no room for another chunk");
		prove(length && page >> 27 != phys >> 27, "no room only for another chunk");
		page = phys;
	} else {
		prove(error == (touches(phys, length, page) ? 1 : 0),
		      "a visit says what was there");
	}
	prove(set.nr_chunks == 1, "one chunk");
	if (iommuser_pageset_contains(&set, IOMMUSER_PRESERVED, asked, asked_length, &missing)) {
		if (touches(asked, asked_length, at))
			prove(touches(phys, length, at) || at >> 12 == page >> 12,
			      "only what was added is contained");
		if (asked_length > 8192 && asked >> 18 != (asked + asked_length) >> 18)
			reach("pages of two words");
	} else {
		reach("a page is missing");
		prove(touches(asked, asked_length, missing) && !touches(phys, length, missing) &&
			      missing >> 12 != page >> 12,
		      "a page that is missing is not there");
		if (touches(asked, asked_length, at) && at >> 12 < missing >> 12)
			prove(touches(phys, length, at) || at >> 12 == page >> 12,
			      "it is the first");
	}
	prove(!iommuser_pageset_contains(&set, IOMMUSER_VISITED, asked, 1, NULL),
	      "another plane stays empty");
}

static void check_refusal(void)
{
	u64 phys = nondet_u64(), length = nondet_u64();
	u32 plane = nondet_u32();
	struct iommuser_pageset set = { 0 };
	int error;

	make_set(&set);
	/* Else it is not refused. */
	assume(plane > IOMMUSER_VISITED || phys >= 1ULL << 52 || length > (1ULL << 52) - phys);
	error = iommuser_pageset_add(&set, (enum iommuser_plane)plane, phys, length);
	prove(error == -IOMMUSER_EINVAL, "impossible ranges and planes are refused");
	prove(!set.nr_chunks, "and nothing is added");
	prove(!length == iommuser_pageset_contains(&set, (enum iommuser_plane)plane, phys, length,
						   NULL),
	      "nor contained");
	reach("refused");
}

static void check_layout(void)
{
	static u64 memory[ENTRIES * 2 +
			  MOST_LAID_OUT * (1 + IOMMUSER_NR_PLANES * IOMMUSER_CHUNK_WORDS)];
	u64 size = nondet_u64(), chunks_wanted = nondet_u64(), need;
	struct iommuser_pageset set;
	u32 planes = nondet_u32(), i;
	u64 *end = (u64 *)memory;
	int error;

	assume(chunks_wanted <= MOST_LAID_OUT && size <= sizeof(memory));
	need = iommuser_pageset_size(chunks_wanted, planes);
	prove(!need == (!chunks_wanted || !planes || planes > IOMMUSER_NR_PLANES), "a size");
	error = iommuser_pageset_init(&set, memory, size, chunks_wanted, planes);
	prove(error == (!need	    ? -IOMMUSER_EINVAL :
			size < need ? -IOMMUSER_ENOSPC :
				      0),
	      "too little memory is refused");
	if (error)
		return;
	reach("a set");
	end += (set.mask + 1) * 2;
	prove(set.directory == (void *)memory && set.chunks == end,
	      "the directory, then the chunks");
	end += chunks_wanted;
	for (i = 0; i < IOMMUSER_NR_PLANES; i++) {
		prove(set.planes[i] == (i < planes ? end : NULL),
		      "then the planes that were asked for");
		if (i < planes)
			end += chunks_wanted * IOMMUSER_CHUNK_WORDS;
	}
	prove((u64)((u8 *)end - (u8 *)memory) == need, "all of the memory that it asks for");
}

int main(void)
{
	CHECK();
	return 0;
}
