/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the second readers share with one another, and with nothing else:
 * numbers, records by their address, keys that no two of them may have.
 */
#ifndef FUZZ_INDEPENDENT_PRIVATE_H
#define FUZZ_INDEPENDENT_PRIVATE_H

#include "independent.h"

/* Kinds of records that both have. */
#define IOMMU 1
#define DOMAIN 2
#define DEVICE 3

#define ADDRESSES (1ULL << 52)

/* Little-endian, @width bytes. */
uint64_t number(const uint8_t *at, uint32_t width);
bool zero(const uint8_t *at, uint64_t length);
/* Always false: the caller's answer. */
bool refuse(struct independent *reader, const char *rule, uint64_t where);
bool between(uint64_t low, uint64_t value, uint64_t high);

/* All of the page at @address; NULL when there is none, or no page begins there. */
const uint8_t *page_at(const struct independent *reader, uint64_t address);
/* What @address and the bytes behind it in its page hold. */
const uint8_t *bytes_at(const struct independent *reader, uint64_t address);

/* Room for @more records behind the first @have, all zero. */
struct independent_record *more_records(struct independent_chain *chain, uint64_t have,
					uint64_t more);
/* The record of a kind at an address. */
const struct independent_record *record_at(const struct independent *reader, uint32_t kind,
					   uint64_t address);
/* The same, NULL when it does not count. */
const struct independent_record *find(const struct independent *reader, uint32_t kind,
				      uint64_t address);
/* How many records of @kind that count have @value as the member @which. */
uint64_t users(const struct independent *reader, uint32_t kind, uint32_t which, uint64_t value);

/** struct key - two numbers, and whose they are or what they stand for */
struct key {
	uint64_t first;
	uint64_t second;
	uint64_t address;
};

typedef struct key key_function(const struct independent *reader, uint32_t kind,
				const struct independent_record *record);

/* No two records of a kind that count have the same key. */
bool check_unique(struct independent *reader, uint32_t kind, key_function *key_of);
/* Where two have the same key, both mean the same address. */
bool check_same(struct independent *reader, uint32_t kind, key_function *key_of, const char *rule);

#endif /* FUZZ_INDEPENDENT_PRIVATE_H */
