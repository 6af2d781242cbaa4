// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A set of addresses: an open hash table that grows with its content.
 */
#include "address-set.h"

#include <stdlib.h>

#include <iommuser/error.h>

#define FIRST_SLOTS 256

void address_set_init(struct address_set *set, u64 max)
{
	*set = (struct address_set){ .max = max };
}

void address_set_free(struct address_set *set)
{
	free(set->slots);
	*set = (struct address_set){ 0 };
}

static u64 *find(u64 *slots, u64 mask, u64 address)
{
	u64 at = (address * 0x9e3779b97f4a7c15ULL) >> 20;

	for (at &= mask; slots[at] && slots[at] != address; at = (at + 1) & mask)
		;
	return &slots[at];
}

static int grow(struct address_set *set)
{
	u64 size = set->slots ? (set->mask + 1) * 2 : FIRST_SLOTS;
	u64 *slots = calloc(size, sizeof(*slots));
	u64 i;

	if (!slots)
		return -IOMMUSER_ENOMEM;
	for (i = 0; set->slots && i <= set->mask; i++)
		if (set->slots[i])
			*find(slots, size - 1, set->slots[i]) = set->slots[i];
	free(set->slots);
	set->slots = slots;
	set->mask = size - 1;
	return 0;
}

int address_set_add(struct address_set *set, u64 address)
{
	u64 *slot;
	int ret;

	if (!set->slots || set->nr * 2 > set->mask) {
		ret = grow(set);
		if (ret)
			return ret;
	}
	slot = find(set->slots, set->mask, address);
	if (*slot)
		return 1;
	if (set->nr >= set->max)
		return -IOMMUSER_ENOSPC;
	*slot = address;
	set->nr++;
	return 0;
}
