/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the parts of the verifier share.
 */
#ifndef IOMMUSER_VERIFY_PRIVATE_H
#define IOMMUSER_VERIFY_PRIVATE_H

#include <iommuser/verify.h>

#include "graph-private.h"
#include "internal.h"
#include "report.h"

static inline bool verify_sealed(const struct iommuser_verify *verify)
{
	return verify->root->revision->properties & IOMMUSER_REVISION_SEALED;
}

static inline bool verify_has_attachments(const struct iommuser_verify *verify)
{
	return verify->root->revision->properties & IOMMUSER_REVISION_ATTACHMENTS;
}

static inline bool record_deleted(const union iommuser_record *record)
{
	return record->common.flags & IOMMUSER_FLAG_DELETED;
}

static inline bool chain_broken(const struct iommuser_verify *verify, u32 kind)
{
	return verify->survey->kinds[kind].broken;
}

/* Can a page table of this stage have this top_level? */
static inline bool valid_top_level(u64 stage, u64 top_level)
{
	return top_level >= (stage == IOMMUSER_STAGE_FIRST ? 3 : 2) && top_level <= 4;
}

/*
 * A live record by position, with its index member set to the position.
 * Return: 0; -IOMMUSER_ENOENT for a deleted one; another error when it cannot
 * be read.
 */
int read_live(const struct iommuser_verify *verify, u32 kind, u64 position,
	      union iommuser_record *record);

/* A live device that is not stale either. */
int read_live_device(const struct iommuser_verify *verify, u64 position,
		     union iommuser_record *record);

/* Resolve a reference to a live record, and read it. Return: as read_live(). */
int resolve_live(const struct iommuser_verify *verify, u64 phys, u32 kind, u64 *position,
		 union iommuser_record *record);

/* Shared by the checks of device records and of attachment records. */
void verify_did(struct iommuser_verify *verify, u32 kind, const union iommuser_record *record,
		u64 did, u64 unit, u64 domain);

#endif /* IOMMUSER_VERIFY_PRIVATE_H */
