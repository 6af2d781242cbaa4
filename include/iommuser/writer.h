/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The writer of "iommuser-v1": a root and chains of records, sealed after
 * every change.
 */
#ifndef IOMMUSER_WRITER_H
#define IOMMUSER_WRITER_H

#include <iommuser/env.h>
#include <iommuser/records.h>

/**
 * struct iommuser_writer - a handover being written; every member is private
 *
 * Lock: the caller serialises all calls on one writer.
 */
struct iommuser_writer {
	const struct iommuser_env *env;
	const struct iommuser_page_ops *pages;
	u64 root;
	u64 generation;
	u64 tails[IOMMUSER_NR_KINDS + 1];
};

/**
 * iommuser_writer_start - make an empty handover
 * @writer: to initialise
 * @env: page size and crc32(); map() is not used
 * @pages: where pages come from
 * @generation: repeated in every page
 * @kernel_release: NUL-terminated, at most 71 bytes
 *
 * Context: whatever @pages->alloc needs.
 *
 * Return: 0; -IOMMUSER_EINVAL; -IOMMUSER_ENOMEM.
 */
int iommuser_writer_start(struct iommuser_writer *writer, const struct iommuser_env *env,
			  const struct iommuser_page_ops *pages, u64 generation,
			  const char *kernel_release);

/** iommuser_writer_root - physical address of the root page, the FLB's payload */
u64 iommuser_writer_root(const struct iommuser_writer *writer);

/**
 * iommuser_writer_add - append a record
 * @writer: started
 * @kind: IOMMUSER_KIND_*
 * @record: its fields; phys, flags, ref_count and index are the writer's to set
 * @phys: set to the record's address
 *
 * Return: 0; -IOMMUSER_EINVAL; -IOMMUSER_ENOMEM, and then nothing has changed.
 */
int iommuser_writer_add(struct iommuser_writer *writer, u32 kind,
			const union iommuser_record *record, u64 *phys);

/**
 * iommuser_writer_update - write a record again
 * @writer: started
 * @phys: address that iommuser_writer_add() gave, of a record still there
 * @record: its fields, as for iommuser_writer_add()
 * @references: live records that refer to it; 0 is written as 1
 */
void iommuser_writer_update(struct iommuser_writer *writer, u64 phys,
			    const union iommuser_record *record, u32 references);

/**
 * iommuser_writer_remove - take a record out
 * @writer: started
 * @phys: address that iommuser_writer_add() gave, of a record still there
 *
 * Records at the end of a chain disappear, with their pages; others stay as
 * deleted ones.
 */
void iommuser_writer_remove(struct iommuser_writer *writer, u64 phys);

/**
 * iommuser_writer_end - free every page
 * @writer: started; not usable afterwards
 */
void iommuser_writer_end(struct iommuser_writer *writer);

#endif /* IOMMUSER_WRITER_H */
