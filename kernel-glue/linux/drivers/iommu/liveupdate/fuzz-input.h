/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handovers to try the restore path with, in a form that does not depend on
 * where they are put, and what came of one. fuzz-drive.c, which goes with this,
 * is compiled into the kernel and into the program of the tests that says what
 * is to be expected, so both do the same.
 */
#ifndef DRIVERS_IOMMU_LIVEUPDATE_FUZZ_INPUT_H
#define DRIVERS_IOMMU_LIVEUPDATE_FUZZ_INPUT_H

#include <iommuser/env.h>
#include <iommuser/finding.h>
#include <iommuser/pageset.h>
#include <iommuser/restore.h>

#define IOMMU_FUZZ_MAGIC 0x5a5a5546U
/* A handover lies in so many frames of 4 KiB, in a row and aligned to their size. */
#define IOMMU_FUZZ_FRAMES 1024
#define IOMMU_FUZZ_FRAME_SIZE 4096U
#define IOMMU_FUZZ_WINDOW (IOMMU_FUZZ_FRAMES * IOMMU_FUZZ_FRAME_SIZE)
/* What is mapped for devices: preserved, in no memory that there is. */
#define IOMMU_FUZZ_PAYLOAD 0x4000000000ULL
#define IOMMU_FUZZ_PAYLOAD_SIZE 0x40000000ULL
#define IOMMU_FUZZ_MAX_ORDER 4
/* Units that domain ids can be reserved on. */
#define IOMMU_FUZZ_MAX_UNITS 8

/* With a page set, whatever the level. */
#define IOMMU_FUZZ_WITH_SET 1
/* The core abandons everything, instead of handing it over. */
#define IOMMU_FUZZ_ABANDON 2

/**
 * enum iommu_fuzz_op - what a step does: the lower half of its first byte
 * @IOMMU_FUZZ_CLAIM: of this and the next two: claim a unit, domain or device
 * @IOMMU_FUZZ_ADVANCE: likewise, let one go on to the state that the upper half says
 * @IOMMU_FUZZ_ADVANCE_OTHER: one of another kind
 * @IOMMU_FUZZ_ARM: the upper half says which callback, and the second byte which
 *	call of it, is to fail during the next step
 * @IOMMU_FUZZ_FINISH: finish
 * @IOMMU_FUZZ_ABORT: abort; with the next step the handover is opened again
 * @IOMMU_FUZZ_READ: read a record
 * @IOMMU_FUZZ_CLAIM_ALL: claim each
 * @IOMMU_FUZZ_HAND_OVER_ALL: hand each over
 * @IOMMU_FUZZ_LEAVE_ALL: let each leave
 * @IOMMU_FUZZ_ABANDON_ALL: abandon each
 * @IOMMU_FUZZ_VALIDATE: validate once more
 *
 * The second byte is the position, also the one behind the last.
 */
enum iommu_fuzz_op {
	IOMMU_FUZZ_CLAIM = 0,
	IOMMU_FUZZ_ADVANCE = 3,
	IOMMU_FUZZ_ADVANCE_OTHER = 6,
	IOMMU_FUZZ_ARM,
	IOMMU_FUZZ_FINISH,
	IOMMU_FUZZ_ABORT,
	IOMMU_FUZZ_READ,
	IOMMU_FUZZ_CLAIM_ALL,
	IOMMU_FUZZ_HAND_OVER_ALL,
	IOMMU_FUZZ_LEAVE_ALL,
	IOMMU_FUZZ_ABANDON_ALL,
	IOMMU_FUZZ_VALIDATE,
};

/**
 * struct iommu_fuzz_header - start of an input; all numbers are little-endian
 * @magic: IOMMU_FUZZ_MAGIC
 * @length: of the input in bytes, a multiple of 8
 * @root: of the handover, counted from the window's start; maybe outside of it
 * @nr_blocks: preserved blocks
 * @nr_relocations: words that the window's start is added to
 * @nr_seals: pages whose CRC is made right after that
 * @nr_writes: pieces of the window that are not zero
 * @fail_map_at: this call of map() fails while the handover whose steps are
 *	taken is validated, counted from 1; 0: none
 * @revision: for iommuser_revision_at()
 * @level: enum iommuser_restore_level
 * @options: IOMMU_FUZZ_WITH_SET, IOMMU_FUZZ_ABANDON
 * @nr_steps: of two bytes each
 * @reserved: 0
 *
 * Then come, each padded to 4 bytes: blocks, relocations (u32, offset of the
 * word), seals (u32, offset of the CRC), steps, writes (struct iommu_fuzz_write,
 * bytes).
 */
struct iommu_fuzz_header {
	u32 magic;
	u32 length;
	u64 root;
	u32 nr_blocks;
	u32 nr_relocations;
	u32 nr_seals;
	u32 nr_writes;
	u16 fail_map_at;
	u8 revision;
	u8 level;
	u8 options;
	u8 nr_steps;
	u16 reserved;
};

/**
 * struct iommu_fuzz_block - frames that were preserved at once
 * @frame: the first, a multiple of 1 << @order; blocks ascend
 * @order: how many there are
 */
struct iommu_fuzz_block {
	u16 frame;
	u16 order;
};

/**
 * struct iommu_fuzz_write - bytes that follow
 * @offset: in the window
 * @length: how many, before the padding
 */
struct iommu_fuzz_write {
	u32 offset;
	u32 length;
};

/**
 * struct iommu_fuzz_input - where the parts of a sound input are
 * @header: its start
 * @blocks: as many as the header says
 * @relocations: likewise
 * @seals: likewise
 * @steps: likewise, two bytes each
 * @writes: the first; the others follow
 */
struct iommu_fuzz_input {
	const struct iommu_fuzz_header *header;
	const struct iommu_fuzz_block *blocks;
	const u32 *relocations;
	const u32 *seals;
	const u8 *steps;
	const u8 *writes;
};

/**
 * struct iommu_fuzz_host - who restores
 * @ctx: passed back
 * @env: how the handover is read
 * @ops: as for a restore
 * @alloc: zeroed memory, or NULL
 * @free: also of NULL
 * @set_new: a set of all blocks and the payload, or NULL
 * @set_free: also of NULL
 * @claiming: what restore_page() is called for from now on
 * @ending: from now on it is called for pages of records, or no more
 * @nr_pages: that are in use
 * @nr_dids: that are reserved
 */
struct iommu_fuzz_host {
	void *ctx;
	const struct iommuser_env *env;
	const struct iommuser_restore_ops *ops;
	void *(*alloc)(u64 size);
	void (*free)(void *memory);
	struct iommuser_pageset *(*set_new)(void *ctx);
	void (*set_free)(struct iommuser_pageset *set);
	void (*claiming)(void *ctx, u32 kind, u64 position);
	void (*ending)(void *ctx, bool ending);
	u64 (*nr_pages)(void *ctx);
	u64 (*nr_dids)(void *ctx);
};

/**
 * struct iommu_fuzz_check - what opening and validating came to
 * @error: of the first that failed
 * @nr_findings: of all severities
 * @nr_errors: that keep a handover from being used
 * @first: of the first of those, NULL while there is none
 * @sum: of every member of every finding, in their order
 * @nr_calls: of map()
 */
struct iommu_fuzz_check {
	int error;
	u32 nr_findings;
	u32 nr_errors;
	const char *first;
	u64 sum;
	u64 nr_calls;
};

#define IOMMU_FUZZ_NR_LEVELS (IOMMUSER_LEVEL_CLOSURE + 1)

/**
 * struct iommu_fuzz_outcome - what came of an input
 * @checks: by level, each in a machine of its own
 * @restore: of the machine that steps were taken in
 * @nr_done: steps that succeeded
 * @nr_refused: steps that did not
 * @trail: sum of what each step returned and left in use
 * @finish: what the last attempt to finish returned, 0 when there was none
 * @closed: it was finished, rather than aborted in the end
 * @nr_pages: in use in the end
 * @nr_dids: reserved in the end
 * @broken: line of fuzz-drive.c with the first property that did not hold, or 0
 */
struct iommu_fuzz_outcome {
	struct iommu_fuzz_check checks[IOMMU_FUZZ_NR_LEVELS];
	struct iommu_fuzz_check restore;
	u32 nr_done;
	u32 nr_refused;
	u64 trail;
	int finish;
	bool closed;
	u64 nr_pages;
	u64 nr_dids;
	u32 broken;
};

int iommu_fuzz_parse(struct iommu_fuzz_input *input, const void *bytes, u64 length);
void iommu_fuzz_place(const struct iommu_fuzz_input *input, void *window, u64 base,
		      const struct iommuser_env *env);
int iommu_fuzz_drive(const struct iommu_fuzz_input *input, const struct iommu_fuzz_host *host,
		     u64 base, struct iommu_fuzz_outcome *outcome);
int iommu_fuzz_print(const struct iommu_fuzz_outcome *outcome, char *to, u32 size);

#endif /* DRIVERS_IOMMU_LIVEUPDATE_FUZZ_INPUT_H */
