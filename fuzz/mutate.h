/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Structure-aware mutation of the inputs of fuzz targets, for every engine.
 */
#ifndef MUTATE_H
#define MUTATE_H

#include <stddef.h>

#include <iommuser/types.h>

/**
 * typedef mutate_engine - an engine's own mutation of some bytes
 * @data: changed in place
 * @size: bytes of it
 * @max_size: room
 *
 * Return: the new size, at most @max_size.
 */
typedef size_t (*mutate_engine)(u8 *data, size_t size, size_t max_size);

struct mutate_format;

/**
 * mutate_format - how the inputs of a target are made
 * @target: its name, as in fuzz/corpus/
 *
 * Return: the format, or NULL when nothing is known about that target.
 */
const struct mutate_format *mutate_format(const char *target);

/**
 * mutate - change an input
 * @format: of the target; NULL leaves all to @engine
 * @engine: does part of the work; NULL: none, a simple one takes its place
 * @data: the input, any bytes; changed in place
 * @size: of the input, at most @max_size
 * @max_size: room, at least 1
 * @seed: the same input, engine and seed give the same result
 *
 * Return: the new size, 1 to @max_size.
 */
size_t mutate(const struct mutate_format *format, mutate_engine engine, u8 *data, size_t size,
	      size_t max_size, u32 seed);

/**
 * mutate_cross - make one input of two
 * @format: of the target
 * @one: gives the header and what stays
 * @one_size: bytes of it
 * @other: some of its pages take the place of those of @one
 * @other_size: bytes of it
 * @out: filled
 * @max_size: room there
 * @seed: as for mutate()
 *
 * Return: the size of what was made; 0 when the two do not go together.
 */
size_t mutate_cross(const struct mutate_format *format, const u8 *one, size_t one_size,
		    const u8 *other, size_t other_size, u8 *out, size_t max_size, u32 seed);

/* For tests of the mutator: the operators by number, and how often each had an effect. */
const char *mutate_operator_name(u32 i);
u64 mutate_operator_count(u32 i);

#endif /* MUTATE_H */
