/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the proofs share: free choices, what is to be proved, what must be
 * reachable, and an image whose bytes are free. CBMC reads this; no compiler does.
 */
#ifndef PROOF_H
#define PROOF_H

#include <iommuser/env.h>
#include <iommuser/error.h>
#include <iommuser/types.h>

/* Any value at all. */
bool nondet_bool(void);
u8 nondet_u8(void);
u32 nondet_u32(void);
u64 nondet_u64(void);

void *malloc(size_t size);
void free(void *pointer);

#define assume(condition) __CPROVER_assume(condition)
#define prove(condition, text) __CPROVER_assert(condition, text)
/* CBMC must find a way here: run.sh fails when it does not. */
#define reach(text) __CPROVER_assert(0, "reached: " text)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* 12, 14 or 16 */
static inline u32 any_page_shift(void)
{
	u32 shift = nondet_u32();

	assume(shift == 12 || shift == 14 || shift == 16);
	return shift;
}

/* A result that a function documents: 0, or one of these. */
static inline bool one_of(int result, int first, int second)
{
	return !result || result == -first || result == -second;
}

#endif /* PROOF_H */
