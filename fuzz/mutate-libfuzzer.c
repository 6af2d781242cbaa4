// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The mutator as libFuzzer calls it, and the replayer for want of an engine.
 * FUZZ_TARGET is the name of the target.
 */
#include "mutate.h"

/* libFuzzer has it, the replayer does not. */
__attribute__((weak)) size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max_size);

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const u8 *one, size_t one_size, const u8 *other, size_t other_size,
				 u8 *out, size_t max_size, unsigned int seed);

static const struct mutate_format *format(void)
{
	static const struct mutate_format *found;
	static int looked;

	if (!looked)
		found = mutate_format(FUZZ_TARGET);
	looked = 1;
	return found;
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	return mutate(format(), LLVMFuzzerMutate, data, size, max_size, seed);
}

size_t LLVMFuzzerCustomCrossOver(const u8 *one, size_t one_size, const u8 *other, size_t other_size,
				 u8 *out, size_t max_size, unsigned int seed)
{
	return mutate_cross(format(), one, one_size, other, other_size, out, max_size, seed);
}
