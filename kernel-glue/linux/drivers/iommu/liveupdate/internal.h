/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the IOMMU live-update core share: the outgoing side's
 * state, the library's environment in this kernel, the image stream and the
 * log. The incoming side's own declarations are in incoming.h.
 */
#ifndef DRIVERS_IOMMU_LIVEUPDATE_INTERNAL_H
#define DRIVERS_IOMMU_LIVEUPDATE_INTERNAL_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include <iommuser/env.h>
#include <iommuser/finding.h>
#include <iommuser/preserve.h>
#include <iommuser/records.h>
#include <iommuser/writer.h>

struct dentry;
struct device;
struct iommu_device;
struct iommu_domain;
struct liveupdate_flb;

/* ---- flb.c ---- */

extern struct liveupdate_flb iommu_liveupdate_flb;

/* ---- outgoing.c ---- */

/**
 * struct iommu_liveupdate_unit - an IOMMU while it is preserved
 * @preserved: its record
 * @iommu: the IOMMU, whose liveupdate member points here
 * @nr_devices: preserved devices behind it; the last one takes it down
 */
struct iommu_liveupdate_unit {
	struct iommuser_preserved preserved;
	struct iommu_device *iommu;
	unsigned int nr_devices;
};

/**
 * struct iommu_liveupdate_domain - a domain while it is preserved
 * @list: in the handover's domains
 * @domain: the domain, whose liveupdate member points here
 * @preserved: its record
 * @hwpt: the record of its HWPT
 */
struct iommu_liveupdate_domain {
	struct list_head list;
	struct iommu_domain *domain;
	struct iommuser_preserved preserved;
	struct iommuser_preserved hwpt;
};

/**
 * struct iommu_liveupdate_attachment - a PASID of a device while that is preserved
 * @domain: what it is attached to
 * @preserved: its record
 */
struct iommu_liveupdate_attachment {
	struct iommu_liveupdate_domain *domain;
	struct iommuser_preserved_attachment preserved;
};

/**
 * struct iommu_liveupdate_device - a device while it is preserved
 * @list: in the handover's devices
 * @dev: the device, whose dev->iommu->liveupdate points here from before its
 *	record is written until after it is gone
 * @unit: its IOMMU
 * @domain: what it is attached to
 * @preserved: its record
 * @nr_attachments: elements of @attachments
 * @attachments: its PASIDs
 */
struct iommu_liveupdate_device {
	struct list_head list;
	struct device *dev;
	struct iommu_liveupdate_unit *unit;
	struct iommu_liveupdate_domain *domain;
	struct iommuser_preserved_device preserved;
	unsigned int nr_attachments;
	struct iommu_liveupdate_attachment attachments[] __counted_by(nr_attachments);
};

/**
 * struct iommu_liveupdate_handover - the handover to the next kernel
 * @writer: its records
 * @preserve: the library's machine on top of @writer
 * @domains: every struct iommu_liveupdate_domain
 * @devices: every struct iommu_liveupdate_device
 * @serial: differs from that of any handover or content before it
 */
struct iommu_liveupdate_handover {
	struct iommuser_writer writer;
	struct iommuser_preserve preserve;
	struct list_head domains;
	struct list_head devices;
	u64 serial;
};

/*
 * Protects the outgoing handover and everything that hangs on it: "the FLB's
 * mutex". Order: LUO session mutex, iommufd's locks, this, group->mutex, KHO's.
 */
extern struct mutex iommu_liveupdate_lock;

/* The outgoing handover, NULL when nothing is preserved; iommu_liveupdate_lock held. */
struct iommu_liveupdate_handover *iommu_liveupdate_outgoing(void);

int iommu_liveupdate_outgoing_start(u64 *root);
void iommu_liveupdate_outgoing_end(void);

/* ---- kho-env.c ---- */

u32 iommu_liveupdate_crc32(void *ctx, u32 crc, const void *data, u64 len);

/* Reads any page that this kernel has allocated. */
extern const struct iommuser_env iommu_liveupdate_own_memory;
/* Pages that the next kernel gets. */
extern const struct iommuser_page_ops iommu_liveupdate_page_ops;

/**
 * struct iommu_liveupdate_pages - context of the ops that preserve tables
 * @folio: the folio preserved last, so that its further pages are known
 * @error: what the refusal reported last was about
 */
struct iommu_liveupdate_pages {
	struct folio *folio;
	int error;
};

extern struct iommu_liveupdate_pages iommu_liveupdate_pages;
/* Preserves pages of hardware tables; iommu_liveupdate_lock held. */
extern const struct iommuser_preserve_ops iommu_liveupdate_preserve_ops;

void iommu_liveupdate_account_pages(struct folio *folio, long nr_pages);

/* ---- messages.c ---- */

int iommu_liveupdate_errno(int error);
const char *iommu_liveupdate_error_name(int error);
void iommu_liveupdate_log_finding(void *ctx, const struct iommuser_finding *finding);

/* How many findings of one check go to the log. */
#define IOMMU_LIVEUPDATE_LOG_LIMIT 8

/**
 * struct iommu_liveupdate_log - context of iommu_liveupdate_log_finding()
 * @nr_findings: in the log
 */
struct iommu_liveupdate_log {
	unsigned int nr_findings;
};

/* ---- ikho-stream.c ---- */

struct iommu_ikho_stream;

/*
 * Copy @length bytes of metadata at @phys, which lie in memory that was added
 * to the stream. -ESTALE when they can't be had any more.
 */
typedef int (*iommu_ikho_copy_fn)(void *ctx, void *to, u64 phys, u32 length);

/* Where the record of @kind at @position stands; see struct iommu_ikho_origin. */
typedef int (*iommu_ikho_state_fn)(void *ctx, u32 kind, u64 position);

/**
 * struct iommu_ikho_origin - what a stream says about itself
 * @origin: "outgoing" or "incoming"
 * @root: physical address of the handover's root
 * @env: how the handover is read while its pages are listed
 * @copy: how pages are read afterwards, called without any lock held
 * @state: where a unit, domain or device stands: enum iommuser_state, 0 for a
 *	deleted record; -ESTALE as for @copy, and called likewise. NULL when
 *	the image does not tell
 * @ctx: for both
 */
struct iommu_ikho_origin {
	const char *origin;
	u64 root;
	const struct iommuser_env *env;
	iommu_ikho_copy_fn copy;
	iommu_ikho_state_fn state;
	void *ctx;
};

struct iommu_ikho_stream *iommu_ikho_open(const struct iommu_ikho_origin *origin);
ssize_t iommu_ikho_read(struct iommu_ikho_stream *stream, char __user *to, size_t count);
void iommu_ikho_close(struct iommu_ikho_stream *stream);

/* ---- debugfs-outgoing.c ---- */

#ifdef CONFIG_IOMMU_DEBUGFS
/* Directory iommu/liveupdate in debugfs, there from fs_initcall on. */
extern struct dentry *iommu_liveupdate_debugfs;
#endif

#endif /* DRIVERS_IOMMU_LIVEUPDATE_INTERNAL_H */
