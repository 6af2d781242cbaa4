/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A simulated kernel: pages and what KHO does to them, domain ids, both with an
 * account that every callback is held to, and failures on demand.
 */
#ifndef FUZZ_HOST_H
#define FUZZ_HOST_H

#include "fuzz.h"

#include <iommuser/preserve.h>
#include <iommuser/restore.h>

/* Where 4 KiB of memory stand. */
enum frame_state {
	FRAME_FREE,
	FRAME_LIVE,	 /* a hardware table */
	FRAME_PRESERVED, /* a hardware table, preserved for the next kernel */
	FRAME_RECORDS,	 /* of a page of the writer */
	FRAME_INCOMING,	 /* preserved by the previous kernel */
	FRAME_RESTORED,
	FRAME_RELEASED, /* restored and given up */
};

/* Calls that can be made to fail. */
enum host_call {
	CALL_MAP,
	CALL_ALLOC,
	CALL_PRESERVE,
	CALL_RESTORE,
	CALL_RESERVE,
	NR_HOST_CALLS,
};

#define HOST_MAX_DIDS 1024

struct did {
	u64 token;
	u32 did;
};

/** struct pages - 4 KiB pages in the order in which something was done to them */
struct pages {
	u32 count;
	u64 phys[MEMORY_FRAMES];
};

/**
 * struct host - the kernel
 * @env: how the library reads. During one call of the library, a page that could be
 *	read once can be read again
 * @memory: the bytes
 * @record_pages: the writer's pages, for it
 * @strict: no page has two uses: none is preserved or restored twice, and none that was
 *	released is read
 * @restoring: pages and domain ids may be taken and given back now
 * @states: of frames, enum frame_state
 * @unreadable: frames that map() does not give while they are what they are
 * @dids: those that are reserved
 * @taken: pages that this call of the library preserved or restored
 * @released: pages that it gave back
 * @maps: calls of map() during it
 * @failed: something was refused to it
 */
struct host {
	struct iommuser_env env;
	struct memory *memory;
	struct iommuser_page_ops record_pages;
	struct iommuser_preserve_ops preserve_ops;
	struct iommuser_restore_ops restore_ops;
	bool strict;
	bool restoring;
	u8 states[MEMORY_FRAMES];
	u8 unreadable[MEMORY_FRAMES];
	u64 cursor;
	struct did dids[HOST_MAX_DIDS];
	u32 nr_dids;
	struct pages taken;
	u64 released;
	u64 maps;
	bool failed;
	u32 fail_at[NR_HOST_CALLS];
	u32 calls[NR_HOST_CALLS];
	u8 mapped[MEMORY_FRAMES];
};

/* @memory: just begun. */
void host_begin(struct host *host, struct memory *memory);

/* Have the @nth of these calls fail during the next call of the library, from 1. 0: none. */
void host_arm(struct host *host, enum host_call call, u32 nth);
/* Before and after each call of the library that something is to be known about. */
void host_enter(struct host *host);
void host_leave(struct host *host);

/* The state of the frame at @phys, FRAME_FREE for what is not in memory. */
enum frame_state host_state(const struct host *host, u64 phys);
void host_set_state(struct host *host, u64 phys, u64 length, enum frame_state state);
/* Have a table be unreadable, or readable again. */
void host_hide(struct host *host, u64 phys, bool hide);
/* So many zeroed 4 KiB pages, the first of them aligned to all; 0 when there are none. */
u64 host_alloc(struct host *host, u32 nr_frames, enum frame_state state);

/* Into the next kernel: what is preserved comes in, all else is gone. */
void host_jump(struct host *host);
/* The tables that were restored are in use: they are live. */
void host_adopt(struct host *host);
/* What was released is kept aside, as if it had never been restored. */
void host_take_back(struct host *host);
/* What KHO preserves, and the payload. */
void host_fill_set(const struct host *host, struct iommuser_pageset *set);

#endif /* FUZZ_HOST_H */
