/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A simulated kernel: physical pages and what KHO does to them, domain ids of
 * each unit, an account of both, and failures on demand.
 */
#ifndef TESTS_MACHINE_SIM_H
#define TESTS_MACHINE_SIM_H

#include "../libiommuser/image.h"

#include <iommuser/preserve.h>
#include <iommuser/restore.h>

#define SIM_TABLE_SIZE 4096ULL
/* Memory ends here; what lies above is payload, which has no bytes. */
#define SIM_END 0x20000000ULL
#define SIM_FRAMES (SIM_END / SIM_TABLE_SIZE)
#define SIM_PAYLOAD 0x40000000ULL
#define SIM_MAX_UNITS 32
#define SIM_MAX_DIDS 65536

/* Where 4 KiB of memory stand. */
enum sim_state {
	SIM_FREE,
	SIM_ALLOCATED,
	SIM_PRESERVED, /* allocated, and preserved for the next kernel */
	SIM_RECORDS,   /* of the writer: preserved as long as it is allocated */
	SIM_INCOMING,  /* preserved by the previous kernel */
	SIM_RESTORED,
	SIM_RELEASED, /* restored and given up: nobody may read it again */
	SIM_NR_STATES,
};

/* Callbacks that may be made to fail, as a mask. */
#define SIM_FAIL_MAP (1U << 0)
#define SIM_FAIL_ALLOC (1U << 1)
#define SIM_FAIL_PRESERVE (1U << 2)
#define SIM_FAIL_RESTORE (1U << 3)
#define SIM_FAIL_DID (1U << 4)
#define SIM_FAIL_ANY 0x1fU

struct sim_unit {
	u64 token;
	u8 dids[SIM_MAX_DIDS];
};

/**
 * struct sim - the kernel
 * @env: how the library reads; free and released pages are not mapped
 * @pages: for a writer
 * @preserve_ops: for a preserve machine
 * @restore_ops: for a restore machine
 * @image: the bytes
 * @direct: env.map() gives the memory itself and not copies: faster
 * @misuses: callbacks that no right caller makes; each is printed
 * @quiet: they are not printed
 * @touched: calls that change anything, made by the library
 * @dids: domain ids that are reserved
 * @states: by frame
 * @tails: by frame: it is of a folio, and not its first one
 */
struct sim {
	struct iommuser_env env;
	struct iommuser_page_ops pages;
	struct iommuser_preserve_ops preserve_ops;
	struct iommuser_restore_ops restore_ops;
	struct image *image;
	bool direct;
	bool quiet;
	u32 misuses;
	u64 touched;
	u64 dids;
	u64 cursor;
	u32 fail_kinds;
	u64 fail_at;
	u64 calls;
	u32 nr_units;
	struct sim_unit *units[SIM_MAX_UNITS];
	u8 states[SIM_FRAMES];
	u8 tails[SIM_FRAMES];
};

struct sim *sim_new(u32 page_shift);
void sim_free(struct sim *sim);

/* Units whose domain ids may be reserved. */
void sim_add_unit(struct sim *sim, u64 token);
bool sim_did_reserved(const struct sim *sim, u64 token, u32 did);

/*
 * Allocate @nr_frames * 4 KiB of zeroed memory, at the start of a page: one folio,
 * whose frames must be preserved, unpreserved, restored and released one by one,
 * each after the one before it.
 */
u64 sim_alloc(struct sim *sim, u64 nr_frames);
/* The memory at @phys. */
u8 *sim_bytes(struct sim *sim, u64 phys);

/* The @k-th call of callbacks of those @kinds, from 1, will fail; once. 0: none. */
void sim_fail(struct sim *sim, u32 kinds, u64 k);
/* Has that call been made? No call fails after this. */
bool sim_failed(struct sim *sim);

/* Frames in a state. */
u64 sim_count(const struct sim *sim, enum sim_state state);

/* No callback was misused. */
#define sim_assert_sound(sim) assert_int_equal((sim)->misuses, 0)

/* All states, and a sum of all memory in use. */
struct sim_snapshot {
	u8 states[SIM_FRAMES];
	u32 sum;
	u64 dids;
};

struct sim_snapshot *sim_snapshot(const struct sim *sim);
/* Is everything as it was then? Prints what is not. */
bool sim_same(const struct sim *sim, const struct sim_snapshot *snapshot);

/*
 * Into the next kernel: what is preserved is incoming, all else is free and
 * overwritten.
 */
void sim_kexec(struct sim *sim);
/* Frames of @length bytes at @phys are incoming, their bytes as they are. */
void sim_incoming(struct sim *sim, u64 phys, u64 length);
/* A host that kept released pages aside makes them incoming again. */
void sim_take_back(struct sim *sim);
/* Put all that is preserved or incoming into a set. */
void sim_fill_set(const struct sim *sim, struct iommuser_pageset *set);

#endif /* TESTS_MACHINE_SIM_H */
