/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The graph: an index over all records of a handover. After one pass over the
 * arrays, a record is found by position, by reference, by token or by
 * (segment, bdf) in constant time.
 */
#ifndef IOMMUSER_GRAPH_H
#define IOMMUSER_GRAPH_H

#include <iommuser/env.h>
#include <iommuser/records.h>
#include <iommuser/root.h>

/* More records than any kind may have. */
#define IOMMUSER_MAX_RECORDS (1ULL << 31)

/* A hash table from u64 keys to positions; private. */
struct iommuser_index {
	u64 *keys; /* followed by as many u32 values: position + 1, 0 if free */
	u64 mask;
	u64 seed;
};

/* One page of records; private. */
struct iommuser_graph_page {
	u64 phys;
	u64 first;
	u32 count;
	u32 kind;
};

/**
 * enum iommuser_state - where a record stands during a restore
 * @IOMMUSER_PRESERVED_STATE: as the previous kernel left it
 * @IOMMUSER_CLAIMED: a claim is under way
 * @IOMMUSER_RESTORED: claimed successfully
 * @IOMMUSER_HANDED_OVER: a device: its iommufd owns it, and it still runs on
 *	its restored domain. A domain: the HWPT that was made of it owns it
 * @IOMMUSER_LEFT: a device: it runs on a domain of this kernel's own. A domain:
 *	its HWPT was destroyed
 * @IOMMUSER_ABANDONED: nobody came for it. A device is stopped and blocked; no
 *	device uses an abandoned domain or unit
 * @IOMMUSER_FINISHED: the handover has ended
 *
 * The order counts: a record never goes back, but for what
 * iommuser_restore_advance() says. The numbers are part of the portable image.
 */
enum iommuser_state {
	IOMMUSER_PRESERVED_STATE,
	IOMMUSER_CLAIMED,
	IOMMUSER_RESTORED,
	IOMMUSER_HANDED_OVER,
	IOMMUSER_LEFT,
	IOMMUSER_ABANDONED,
	IOMMUSER_FINISHED,
};

/**
 * struct iommuser_graph - the index; every member is private
 */
struct iommuser_graph {
	const struct iommuser_env *env;
	const struct iommuser_root *root;
	const struct iommuser_survey *survey;
	struct iommuser_graph_page *pages;
	u64 first_page[IOMMUSER_NR_KINDS + 2];
	u64 first_record[IOMMUSER_NR_KINDS + 2];
	struct iommuser_index page_index;
	struct iommuser_index tokens;
	struct iommuser_index devices;
	struct iommuser_index aliases;
	struct iommuser_index attachments;
	struct iommuser_index hwpts;
	struct iommuser_index dids;
	struct iommuser_index domain_dids;
	struct iommuser_index did_holders;
	u32 *references;
	u32 *unit_segments;
	u8 *domain_stages;
	u8 *states;
	u32 unresolved[IOMMUSER_NR_KINDS + 1];
	bool device_variants;
};

/**
 * iommuser_graph_size - bytes of memory that the graph needs
 * @root: opened
 * @survey: of that root
 *
 * Return: the size for iommuser_graph_build(); 0 when there are more records
 * than IOMMUSER_MAX_RECORDS.
 */
u64 iommuser_graph_size(const struct iommuser_root *root, const struct iommuser_survey *survey);

/**
 * iommuser_graph_build - index all records
 * @graph: to initialise
 * @env: where pages come from; kept, as are @root and @survey
 * @root: opened
 * @survey: of that root; only what it found sound is indexed
 * @seed: any number that whoever wrote the image could not foresee, so that
 *	keys cannot be chosen to collide
 * @memory: zeroed, aligned to 8 bytes, owned by the caller for the graph's life
 * @size: bytes at @memory
 *
 * Return: 0; -IOMMUSER_EINVAL; -IOMMUSER_ENOSPC when @size is too small;
 * -IOMMUSER_ECORRUPT or -IOMMUSER_EUNMAPPED when the image is no longer what
 * was surveyed.
 */
int iommuser_graph_build(struct iommuser_graph *graph, const struct iommuser_env *env,
			 const struct iommuser_root *root, const struct iommuser_survey *survey,
			 u64 seed, void *memory, u64 size);

/**
 * iommuser_graph_count - records of a kind, deleted ones included
 * @graph: built
 * @kind: IOMMUSER_KIND_*
 */
u64 iommuser_graph_count(const struct iommuser_graph *graph, u32 kind);

/**
 * iommuser_graph_read - a record by position
 * @graph: built
 * @kind: IOMMUSER_KIND_*
 * @position: below iommuser_graph_count()
 * @record: filled; its index member is what the record itself says
 *
 * Return: 0; -IOMMUSER_ENOENT; -IOMMUSER_EUNMAPPED.
 */
int iommuser_graph_read(const struct iommuser_graph *graph, u32 kind, u64 position,
			union iommuser_record *record);

/**
 * iommuser_graph_bytes - the bytes of a record, by position
 * @graph: built
 * @kind: IOMMUSER_KIND_*
 * @position: below iommuser_graph_count()
 * @bytes: set
 * @phys: set to the record's address
 *
 * Return: as iommuser_graph_read().
 */
int iommuser_graph_bytes(const struct iommuser_graph *graph, u32 kind, u64 position,
			 const void **bytes, u64 *phys);

/**
 * iommuser_graph_resolve - the record that a reference points to
 * @graph: built
 * @phys: the reference
 * @kind: IOMMUSER_KIND_* that is expected
 * @position: set
 *
 * Return: 0; -IOMMUSER_ENOENT when @phys is not the address of a record of
 * that kind. A deleted record is found, too.
 */
int iommuser_graph_resolve(const struct iommuser_graph *graph, u64 phys, u32 kind, u64 *position);

/**
 * iommuser_graph_find_iommu - the first live iommu record with a token
 * Return: 0 and @position, or -IOMMUSER_ENOENT.
 */
int iommuser_graph_find_iommu(const struct iommuser_graph *graph, u64 token, u64 *position);

/**
 * iommuser_graph_find_device - the first live device record of a requester
 * Return: 0 and @position, or -IOMMUSER_ENOENT.
 */
int iommuser_graph_find_device(const struct iommuser_graph *graph, u64 segment, u64 bdf,
			       u64 *position);

/**
 * iommuser_graph_find_alias - the first live alias record of a requester
 * Return: 0 and @position, or -IOMMUSER_ENOENT.
 */
int iommuser_graph_find_alias(const struct iommuser_graph *graph, u64 segment, u64 bdf,
			      u64 *position);

/**
 * iommuser_graph_find_attachment - the attachment record of a device and PASID
 * @graph: built
 * @device: position of the device record
 * @has_pasid: whether a PASID is meant, or requests without one
 * @pasid: the PASID
 * @position: set
 *
 * Return: 0, or -IOMMUSER_ENOENT.
 */
int iommuser_graph_find_attachment(const struct iommuser_graph *graph, u64 device, bool has_pasid,
				   u64 pasid, u64 *position);

/**
 * iommuser_graph_device_domain - the domain of a device's requests without PASID
 * @graph: built
 * @position: of the device record
 * @device: the record
 * @domain: reference to the domain record
 * @did: domain id
 *
 * Return: 0; -IOMMUSER_ENOENT when the device has no such attachment; an error
 * of iommuser_graph_read() when its record cannot be read any more.
 */
int iommuser_graph_device_domain(const struct iommuser_graph *graph, u64 position,
				 const struct iommuser_device *device, u64 *domain, u64 *did);

/**
 * iommuser_graph_device_stale - was the device unpreserved without being marked?
 * @graph: built
 * @device: the record
 *
 * Return: 0 when it was not; -IOMMUSER_ENOENT when it was, which is only in
 * revisions with IOMMUSER_REVISION_STALE_DEVICES: the device's domain is
 * deleted; an error of iommuser_graph_read() when the domain's record cannot be
 * read any more.
 */
int iommuser_graph_device_stale(const struct iommuser_graph *graph,
				const struct iommuser_device *device);

/**
 * iommuser_graph_state - where a record stands
 * @graph: built; its memory is enough, also after a restore machine has ended
 * @kind: IOMMUSER_KIND_*
 * @position: below iommuser_graph_count()
 *
 * Return: see enum iommuser_state. A deleted record stays PRESERVED until the end.
 */
enum iommuser_state iommuser_graph_state(const struct iommuser_graph *graph, u32 kind,
					 u64 position);

/**
 * iommuser_graph_set_state - for who has records without a restore machine
 * @graph: built, and not a restore machine's
 * @kind: IOMMUSER_KIND_*
 * @position: below iommuser_graph_count()
 * @state: where another kernel's machine has the record. The verifier passes over
 *	tables of domains and devices from IOMMUSER_LEFT on: they are freed, or
 *	lead elsewhere
 */
static inline void iommuser_graph_set_state(struct iommuser_graph *graph, u32 kind, u64 position,
					    enum iommuser_state state)
{
	graph->states[graph->first_record[kind] + position] = (u8)state;
}

#endif /* IOMMUSER_GRAPH_H */
