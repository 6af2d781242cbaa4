// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves of an index that is made for up to COUNT keys, for a seed, keys of KEY_BITS free
 * bits, which collide in every way in a table this small, and any positions: a look-up
 * ends and finds the position that its key was put in with first, and nothing for a
 * key that was not put in; a second insertion gives the first position and changes
 * nothing. Checks S1 S3.
 *
 * Sources: index.c
 * Unwind: 6
 * Cases: COUNT=2,SEED=0 COUNT=2,SEED=0x1234567890abcdefULL
 */
#include "index.h"
#include "proof.h"

/* index_entries() of up to 2 keys. */
#define ENTRIES 4
#define KEY_BITS 7
#define HIGH_BITS 0x12300000000ULL

static u64 memory[ENTRIES + ENTRIES / 2];

static u64 any_key(void)
{
	return HIGH_BITS | (nondet_u64() & ((1ULL << KEY_BITS) - 1));
}

int main(void)
{
	struct iommuser_index index = { .keys = memory, .mask = ENTRIES - 1, .seed = SEED };
	u64 keys[COUNT] = { 0 }, positions[COUNT] = { 0 };
	u64 wanted = any_key(), found = 0;
	u32 i, expected;
	int error;

	prove(index_entries(COUNT) == ENTRIES && index_bytes(ENTRIES) == sizeof(memory),
	      "the size that it says");
	for (i = 0; i < COUNT; i++) {
		keys[i] = any_key();
		positions[i] = nondet_u32();
		assume(positions[i] < IOMMUSER_MAX_RECORDS);
		for (expected = 0; expected < i && keys[expected] != keys[i]; expected++)
			;
		prove(index_insert(&index, keys[i], positions[i]) == positions[expected],
		      "the position it stands for");
		if (expected < i)
			reach("a key that is there already");
	}
	for (expected = 0; expected < COUNT && keys[expected] != wanted; expected++)
		;
	error = index_find(&index, wanted, &found);
	if (expected < COUNT) {
		reach("found");
		prove(!error && found == positions[expected], "what was put in first is found");
	} else {
		reach("not found");
		prove(error == -IOMMUSER_ENOENT, "nothing else is found");
	}
	return 0;
}
