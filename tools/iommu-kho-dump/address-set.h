/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A set of addresses: which nodes, chunks and blocks a walk has seen. This is
 * what makes every walk over links of an image end.
 */
#ifndef ADDRESS_SET_H
#define ADDRESS_SET_H

#include <iommuser/types.h>

/** struct address_set - a zeroed one is empty and has no room */
struct address_set {
	u64 *slots;
	u64 mask;
	u64 nr;
	u64 max;
};

/** address_set_init - make it empty; it will take @max addresses and no more */
void address_set_init(struct address_set *set, u64 max);
void address_set_free(struct address_set *set);

/**
 * address_set_add - put in an address other than 0
 *
 * Return: 1 if it was there already, 0 if it was not; -IOMMUSER_ENOSPC when
 * the set is full, -IOMMUSER_ENOMEM.
 */
int address_set_add(struct address_set *set, u64 address);

#endif /* ADDRESS_SET_H */
