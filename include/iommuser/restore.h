/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The restore machine: open, validate, claim units, devices and domains, hand
 * them over to those that come back for them, then finish; or abort, as long as
 * nothing was handed over.
 *
 *   iommuser_restore_open()        nothing is touched
 *   iommuser_restore_validate()    nothing is touched
 *   iommuser_restore_claim_iommu() table pages and DIDs taken over
 *   iommuser_restore_claim_domain()
 *   iommuser_restore_claim_device()
 *   iommuser_restore_advance()     handed over, left or abandoned
 *   iommuser_restore_finish()      the records themselves are freed
 *   iommuser_restore_abort()       all that was claimed is given back
 *
 * A record is consumed once: PRESERVED, CLAIMED while a claim is under way,
 * RESTORED after it; devices and domains are then HANDED_OVER and have LEFT in
 * the end, or are ABANDONED at any point before; FINISHED at last. A claim that
 * fails leaves its record PRESERVED and gives back what it had taken.
 *
 * Lock: the caller serialises all calls on one machine.
 */
#ifndef IOMMUSER_RESTORE_H
#define IOMMUSER_RESTORE_H

#include <iommuser/env.h>
#include <iommuser/graph.h>
#include <iommuser/pageset.h>
#include <iommuser/root.h>

/**
 * struct iommuser_restore_ops - what a restore does to its host
 * @ctx: passed back in every call
 * @restore_page: a preserved page becomes an ordinary allocated one.
 *	0, or non-zero to refuse
 * @release_page: give up a page that restore_page() gave. After
 *	iommuser_restore_finish() it is free memory; when a claim is unwound or
 *	aborted, hardware may still walk it: then the host keeps it out of its
 *	allocator, and gives it again to a claim that is tried again
 * @reserve_did: take a domain id out of the allocator of the unit with that
 *	token. 0, or non-zero to refuse, as it must an id that the unit has not:
 *	a revision may not say how many it has
 * @release_did: give it back
 *
 * Pages of hardware tables have 4 KiB; pages of records have the image's page
 * size. @restore_page tells which by @length. A PASID directory is the only
 * table that may have several pages. They are restored one after the other by
 * ascending address, and also released so, once all tables below are: the host
 * may treat the memory as one at the first page and do nothing for the others.
 */
struct iommuser_restore_ops {
	void *ctx;
	int (*restore_page)(void *ctx, u64 phys, u64 length);
	void (*release_page)(void *ctx, u64 phys, u64 length);
	int (*reserve_did)(void *ctx, u64 token, u32 did);
	void (*release_did)(void *ctx, u64 token, u32 did);
};

/**
 * enum iommuser_restore_level - how deep validation goes
 * @IOMMUSER_LEVEL_RECORDS: root, seals, chains and records
 * @IOMMUSER_LEVEL_TABLES: also the root, context, PASID and page tables
 * @IOMMUSER_LEVEL_CLOSURE: also that everything reachable is preserved; needs
 *	a page set
 */
enum iommuser_restore_level {
	IOMMUSER_LEVEL_RECORDS,
	IOMMUSER_LEVEL_TABLES,
	IOMMUSER_LEVEL_CLOSURE,
};

/**
 * struct iommuser_restore - a restore; every member is private
 */
struct iommuser_restore {
	const struct iommuser_env *env;
	const struct iommuser_restore_ops *ops;
	struct iommuser_root root;
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	struct iommuser_pageset *set;
	bool open;
	bool valid;
	bool advanced;
};

/**
 * iommuser_restore_open - read a root and survey its chains
 * @restore: to initialise
 * @env: where pages come from; kept
 * @ops: what a claim does; kept
 * @revision: layout of the handover
 * @root: physical address of the root
 * @set: what is preserved, NULL when unknown; kept
 * @reporter: told of each thing wrong
 *
 * Return: 0; an error of iommuser_root_open(); -IOMMUSER_ECORRUPT when there
 * was any finding of severity IOMMUSER_ERROR or IOMMUSER_INCOMPLETE.
 */
int iommuser_restore_open(struct iommuser_restore *restore, const struct iommuser_env *env,
			  const struct iommuser_restore_ops *ops,
			  const struct iommuser_revision *revision, u64 root,
			  struct iommuser_pageset *set, const struct iommuser_reporter *reporter);

/**
 * iommuser_restore_size - bytes of memory that validation and claims need
 * @restore: open
 */
u64 iommuser_restore_size(const struct iommuser_restore *restore);

/**
 * iommuser_restore_validate - check everything before anything is touched
 * @restore: open
 * @level: how deep
 * @seed: as for iommuser_graph_build()
 * @memory: zeroed, aligned to 8 bytes, the caller's until the machine ends
 * @size: at least iommuser_restore_size()
 * @reporter: told of each thing wrong
 *
 * What was read is marked in the page set, so this can be done only once: a
 * machine that does not pass is closed, to be opened again with a new set.
 *
 * Return: 0; -IOMMUSER_ECORRUPT as for iommuser_restore_open();
 * -IOMMUSER_EINVAL, also for IOMMUSER_LEVEL_CLOSURE without a page set, and
 * -IOMMUSER_ENOSPC, both with nothing done.
 */
int iommuser_restore_validate(struct iommuser_restore *restore, enum iommuser_restore_level level,
			      u64 seed, void *memory, u64 size,
			      const struct iommuser_reporter *reporter);

/**
 * struct iommuser_unit - what the kernel knows of a real unit
 * @token: physical address of its register set
 * @cap: capability register
 * @ecap: extended capability register
 * @host_address_width: bits of a physical address
 * @mode: the mode it is going to work in, IOMMUSER_IOMMU_MODE_*
 */
struct iommuser_unit {
	u64 token;
	u64 cap;
	u64 ecap;
	u64 host_address_width;
	u64 mode;
};

/**
 * iommuser_restore_count - records of a kind, deleted ones included
 * @restore: validated
 * @kind: IOMMUSER_KIND_*
 *
 * Return: how many; 0 when the machine is not validated.
 */
u64 iommuser_restore_count(const struct iommuser_restore *restore, u32 kind);

/**
 * iommuser_restore_read - one record, claimed or not
 * @restore: validated
 * @kind: IOMMUSER_KIND_*
 * @position: from 0, below iommuser_restore_count()
 * @record: filled. A domain comes with its stage, and a device with domain and
 *	did of requests without PASID, also where the revision keeps them elsewhere
 *
 * Return: 0; -IOMMUSER_ENOENT for a record that is deleted, or stale, or not
 * there; -IOMMUSER_EUNMAPPED for one that cannot be read any more;
 * -IOMMUSER_EINVAL when the machine is not validated.
 */
int iommuser_restore_read(const struct iommuser_restore *restore, u32 kind, u64 position,
			  union iommuser_record *record);

/**
 * iommuser_restore_claim_iommu - take over the tables and DIDs of a unit
 * @restore: validated
 * @unit: the real unit; compared with the record where the revision has the
 *	fields
 * @iommu: set to the record
 *
 * Restores the root table and every context table, and reserves each DID that
 * a preserved device of this unit uses, once.
 *
 * Return: 0; -IOMMUSER_ENOENT when nothing of this unit was preserved;
 * -IOMMUSER_EBUSY when it was claimed before; -IOMMUSER_EMISMATCH when the
 * unit is another one now; -IOMMUSER_EREFUSED when a callback refused;
 * -IOMMUSER_ECORRUPT or -IOMMUSER_EUNMAPPED for tables that cannot be read.
 */
int iommuser_restore_claim_iommu(struct iommuser_restore *restore, const struct iommuser_unit *unit,
				 struct iommuser_iommu *iommu);

/**
 * iommuser_restore_claim_domain - take over the page tables of a domain
 * @restore: validated
 * @reference: physical address of the domain record
 * @domain: set to the record; its stage is known also where the record does
 *	not have it
 *
 * Return: as iommuser_restore_claim_iommu(); -IOMMUSER_ENOSPC for a domain with
 * more tables than its record counts, where only records were validated.
 */
int iommuser_restore_claim_domain(struct iommuser_restore *restore, u64 reference,
				  struct iommuser_domain *domain);

/**
 * iommuser_restore_claim_device - take over a device's PASID tables
 * @restore: validated
 * @segment: PCI segment
 * @bdf: bus << 8 | devfn
 * @device: set to the record, with domain and did of requests without PASID
 *	also where the revision keeps them elsewhere
 *
 * The device's unit must have been claimed.
 *
 * Return: as iommuser_restore_claim_iommu(); -IOMMUSER_EBUSY also when the
 * unit has not been claimed.
 */
int iommuser_restore_claim_device(struct iommuser_restore *restore, u64 segment, u64 bdf,
				  struct iommuser_device *device);

/**
 * iommuser_restore_advance - a record goes on to its next state
 * @restore: validated
 * @kind: IOMMUSER_KIND_IOMMU, IOMMUSER_KIND_DOMAIN or IOMMUSER_KIND_DEVICE
 * @position: from 0, below iommuser_restore_count()
 * @state: where to; see enum iommuser_state:
 *
 *   HANDED_OVER  from RESTORED. A domain only when each device attached to it
 *                is handed over already, has left or was abandoned
 *   RESTORED     from HANDED_OVER: that is undone
 *   LEFT         from HANDED_OVER. A domain only when each device attached to
 *                it has left or was abandoned
 *   ABANDONED    from any state but LEFT and ABANDONED, also where it was never
 *                claimed: then its tables stay preserved for good. A domain or
 *                unit only when each device attached to or behind it has left
 *                or was abandoned. The only state a unit can be moved to
 *
 * An attachment for a PASID counts as one without. Nothing is done to hardware
 * and no callback called: it is the host that moves, stops and blocks devices,
 * before it says so here, and that frees the tables, which stay its own, after
 * a domain or device has LEFT or was ABANDONED.
 *
 * Return: 0; -IOMMUSER_EBUSY when the record is not in a state to come from, or
 * a device is not far enough for LEFT or ABANDONED; -IOMMUSER_ENODEV when a
 * device is not far enough for HANDED_OVER; -IOMMUSER_ENOENT for a record that
 * is deleted, or stale, or not there; -IOMMUSER_EUNMAPPED when a record cannot
 * be read; -IOMMUSER_EINVAL for another kind or state, and when not validated.
 * After an error nothing has changed.
 */
int iommuser_restore_advance(struct iommuser_restore *restore, u32 kind, u64 position,
			     enum iommuser_state state);

/**
 * iommuser_restore_finish - end a restore after which nothing is left
 * @restore: validated
 *
 * What was claimed stays with the host, as do domains that were handed over and
 * have not left; the pages of records and the root are restored and released.
 * The machine is closed.
 *
 * Return: 0; -IOMMUSER_EBUSY when, of the live records, a unit is neither
 * RESTORED nor ABANDONED, or a domain neither HANDED_OVER nor LEFT nor ABANDONED,
 * or a device neither LEFT nor ABANDONED; -IOMMUSER_EREFUSED when a page was
 * refused (the pages before it are gone, and the machine is closed);
 * -IOMMUSER_EINVAL when not validated.
 */
int iommuser_restore_finish(struct iommuser_restore *restore);

/**
 * iommuser_restore_abort - give back everything that was claimed
 * @restore: open or validated; closed afterwards
 *
 * The pages of records are not touched: they stay preserved. Nothing is given
 * back once iommuser_restore_advance() has succeeded for any record: others may
 * be using it then.
 */
void iommuser_restore_abort(struct iommuser_restore *restore);

#endif /* IOMMUSER_RESTORE_H */
