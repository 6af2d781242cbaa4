/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What must be true of a restore: where each record, page and domain id stands, and
 * what an accepted handover holds, by the target's own means.
 */
#ifndef FUZZ_RESTORE_MODEL_H
#define FUZZ_RESTORE_MODEL_H

#include "handover.h"
#include "host.h"

#define MODEL_USES 4096
/* Kinds of records that have states: from 1 to this. */
#define MODEL_STATEFUL IOMMUSER_KIND_DEVICE

/* Which device uses which unit and domain, by reference, and with which domain id. */
struct use {
	u64 device;
	u64 unit;
	u64 domain;
	u32 did;
	u32 pasid;
	bool has_pasid;
};

/**
 * struct known - the records of a kind
 * @live: those that can be read
 * @states: enum iommuser_state
 */
struct known {
	u64 count;
	bool *live;
	u8 *states;
	union iommuser_record *records;
};

/**
 * struct model - a restore, and what must be true of it
 * @unread: what was validated could not all be read
 * @frames: where each must be
 * @dids: that must be reserved
 * @known: by kind, once the handover is accepted
 * @uses: all that live records tell
 */
struct model {
	struct host *host;
	const struct handover_image *image;
	struct iommuser_restore restore;
	struct iommuser_pageset *set;
	enum iommuser_restore_level level;
	bool unread;
	struct account account;
	void *bytes;
	u64 size;
	bool valid;
	bool advanced;
	bool finished;
	u8 frames[MEMORY_FRAMES];
	struct did dids[HOST_MAX_DIDS];
	u32 nr_dids;
	struct known known[IOMMUSER_NR_KINDS + 1];
	u64 nr_records;
	struct use uses[MODEL_USES];
	u32 nr_uses;
};

/* Of a handover that was just accepted: nothing has been claimed. */
void model_learn(struct model *model);
/* Gives up what the machine and the model had. */
void model_forget(struct model *model);

/* A live record by its position, or the one at an address; NULL when there is none. */
const union iommuser_record *model_record(const struct model *model, u32 kind, u64 position);
const union iommuser_record *model_find(const struct model *model, u32 kind, u64 phys);
enum iommuser_state model_state(const struct model *model, u32 kind, u64 position);

void model_set_frames(struct model *model, const struct pages *pages, enum frame_state state);
void model_turn_frames(struct model *model, enum frame_state from, enum frame_state to);
/* A claim took exactly what hangs on the record, and nothing else. */
void model_take(struct model *model, u32 kind, const union iommuser_record *record);
/* The pages of records and of the root. */
void model_list_record_pages(const struct model *model, struct pages *pages);

/* Everything is where the model has it. */
void model_check(struct model *model);
/* What was validated to @model->level is as that level promises. */
void model_check_accepted(const struct model *model);

#endif /* FUZZ_RESTORE_MODEL_H */
