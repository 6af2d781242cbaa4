// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The mutator as AFL++ calls it: one module for all targets. The environment
 * variable FUZZ_TARGET names the target.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mutate.h"

/* Of AFL++'s interface for custom mutators; its own state is opaque. */
void *afl_custom_init(void *afl, unsigned int seed);
void afl_custom_deinit(void *data);
size_t afl_custom_fuzz(void *data, u8 *input, size_t size, u8 **out, const u8 *other,
		       size_t other_size, size_t max_size);

struct shim {
	const struct mutate_format *format;
	u64 state;
	u8 *room;
	size_t room_size;
};

void *afl_custom_init(void *afl, unsigned int seed)
{
	const char *target = getenv("FUZZ_TARGET");
	struct shim *shim = calloc(1, sizeof(*shim));

	(void)afl;
	if (!target || !shim) {
		fprintf(stderr, "FUZZ_TARGET is not set: it names the target\n");
		free(shim);
		return NULL;
	}
	shim->format = mutate_format(target);
	shim->state = seed;
	return shim;
}

void afl_custom_deinit(void *data)
{
	struct shim *shim = data;

	free(shim->room);
	free(shim);
}

static bool make_room(struct shim *shim, size_t size)
{
	u8 *room;

	if (size <= shim->room_size)
		return true;
	room = realloc(shim->room, size);
	if (!room)
		return false;
	shim->room = room;
	shim->room_size = size;
	return true;
}

size_t afl_custom_fuzz(void *data, u8 *input, size_t size, u8 **out, const u8 *other,
		       size_t other_size, size_t max_size)
{
	struct shim *shim = data;
	u32 seed;

	shim->state = shim->state * 6364136223846793005ULL + 1442695040888963407ULL;
	seed = (u32)(shim->state >> 32);
	*out = input;
	if (!max_size || size > max_size || !make_room(shim, max_size))
		return size;
	*out = shim->room;
	if (other && other_size && seed % 16 == 0) {
		size_t crossed = mutate_cross(shim->format, input, size, other, other_size,
					      shim->room, max_size, seed);

		if (crossed)
			return crossed;
	}
	memcpy(shim->room, input, size);
	return mutate(shim->format, NULL, shim->room, size, max_size, seed);
}
