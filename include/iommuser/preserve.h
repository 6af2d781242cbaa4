/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The preserve machine: puts units, domains, devices and HWPTs into a
 * handover that a writer builds, and takes them out again. Each call either
 * does everything or changes nothing.
 */
#ifndef IOMMUSER_PRESERVE_H
#define IOMMUSER_PRESERVE_H

#include <iommuser/env.h>
#include <iommuser/records.h>
#include <iommuser/writer.h>

/**
 * struct iommuser_preserve_ops - what preserving does to its host
 * @ctx: passed back in every call
 * @preserve_page: have a 4 KiB page of a hardware table preserved. 0, or
 *	non-zero to refuse
 * @unpreserve_page: take that back; never fails
 *
 * A PASID directory is the only table that may have several pages. Both calls
 * are made for each of them, by ascending address, so the host may treat the
 * memory that it allocated as one at the first page and do nothing for the
 * others. After a refusal, only pages that were preserved are taken back.
 */
struct iommuser_preserve_ops {
	void *ctx;
	int (*preserve_page)(void *ctx, u64 phys);
	void (*unpreserve_page)(void *ctx, u64 phys);
};

/**
 * struct iommuser_preserve - a handover in the making
 * @writer: started; the caller ends it
 * @tables: how the live hardware tables are read
 * @ops: how their pages are preserved
 *
 * Lock: the caller serialises all calls that share a writer, and keeps the
 * tables of what is preserved from changing.
 */
struct iommuser_preserve {
	struct iommuser_writer *writer;
	const struct iommuser_env *tables;
	const struct iommuser_preserve_ops *ops;
};

/**
 * struct iommuser_preserved - the caller's handle of a preserved object
 * @phys: address of its record, 0 when it is not preserved; private
 * @users: live records that refer to it; private
 * @record: the record as written; private
 *
 * Zeroed before first use; owned by the caller.
 */
struct iommuser_preserved {
	u64 phys;
	u32 users;
	union iommuser_record record;
};

/**
 * iommuser_preserve_domain - preserve a domain and all its table pages
 * @preserve: where to
 * @domain: the record's fields; nr_table_pages and page_size_bitmap are set here
 * @max_tables: more table pages than the domain has
 * @handle: not preserved yet
 *
 * Return: 0; -IOMMUSER_EBUSY when @handle is preserved; -IOMMUSER_EINVAL for
 * an impossible format; -IOMMUSER_ECORRUPT for tables with a PT finding of
 * severity IOMMUSER_ERROR; -IOMMUSER_EUNMAPPED; -IOMMUSER_EREFUSED;
 * -IOMMUSER_ENOMEM; -IOMMUSER_ENOSPC for more than @max_tables tables.
 */
int iommuser_preserve_domain(struct iommuser_preserve *preserve,
			     const struct iommuser_domain *domain, u64 max_tables,
			     struct iommuser_preserved *handle);

/**
 * iommuser_unpreserve_domain - the reverse
 * Return: 0; -IOMMUSER_ENOENT when not preserved; -IOMMUSER_EBUSY while a
 * device or HWPT refers to it.
 */
int iommuser_unpreserve_domain(struct iommuser_preserve *preserve,
			       struct iommuser_preserved *handle);

/**
 * iommuser_preserve_hwpt - record an HWPT of a preserved domain
 * @preserve: where to
 * @domain: preserved
 * @iommufd_token: names its iommufd: an opaque key that no other iommufd of the
 *	handover has. By docs/format.md the physical address of the data of the
 *	iommufd's file
 * @hwpt_token: its own token, unique in its iommufd
 * @handle: not preserved yet
 *
 * Return: 0; -IOMMUSER_ENOENT when @domain is not preserved; -IOMMUSER_EBUSY;
 * -IOMMUSER_ENOMEM.
 */
int iommuser_preserve_hwpt(struct iommuser_preserve *preserve, struct iommuser_preserved *domain,
			   u64 iommufd_token, u64 hwpt_token, struct iommuser_preserved *handle);

/** iommuser_unpreserve_hwpt - the reverse. Return: 0 or -IOMMUSER_ENOENT. */
int iommuser_unpreserve_hwpt(struct iommuser_preserve *preserve, struct iommuser_preserved *domain,
			     struct iommuser_preserved *handle);

/**
 * struct iommuser_alias_id - a further requester id of a device
 * @segment: PCI segment
 * @bdf: bus << 8 | devfn
 * @type: IOMMUSER_ALIAS_*
 */
struct iommuser_alias_id {
	u32 segment;
	u32 bdf;
	u32 type;
};

#define IOMMUSER_MAX_ALIASES 8

/**
 * struct iommuser_preserved_attachment - the caller's handle of an attachment
 * @phys: address of its record, 0 when it is not preserved; private
 * @device: its device; private
 * @domain: its domain; private
 *
 * Zeroed before first use; owned by the caller.
 */
struct iommuser_preserved_attachment {
	u64 phys;
	struct iommuser_preserved *device;
	struct iommuser_preserved *domain;
};

/**
 * struct iommuser_preserved_device - the caller's handle of a preserved device
 * @device: the device record
 * @attachment: of requests without a PASID
 * @aliases: addresses of its alias records
 * @nr_aliases: how many
 * @unit: its unit
 */
struct iommuser_preserved_device {
	struct iommuser_preserved device;
	struct iommuser_preserved_attachment attachment;
	u64 aliases[IOMMUSER_MAX_ALIASES];
	u32 nr_aliases;
	struct iommuser_preserved *unit;
};

/**
 * struct iommuser_device_request - a device to preserve
 * @device: the record's fields; the reference to the unit is set here
 * @did: domain id of the domain on the device's unit
 * @aliases: further requester ids
 * @nr_aliases: at most IOMMUSER_MAX_ALIASES
 */
struct iommuser_device_request {
	struct iommuser_device device;
	u32 did;
	const struct iommuser_alias_id *aliases;
	u32 nr_aliases;
};

/**
 * iommuser_preserve_device - preserve a device, and its unit with the first one
 * @preserve: where to
 * @request: the device
 * @iommu: fields of the unit's record; used when @unit is not preserved yet.
 *	context_tables is set here
 * @unit: handle of the unit, shared by all its devices
 * @domain: handle of the domain, preserved
 * @handle: not preserved yet
 *
 * The unit's root table and present context tables, and the device's PASID
 * directory and tables are preserved with their records. A unit is preserved
 * with its first device and unpreserved with its last. Context tables that it
 * got meanwhile are preserved with the next device and added to its record;
 * they stay there when that device is unpreserved, until the unit is.
 *
 * Return: 0; -IOMMUSER_ENOENT when @domain is not preserved; -IOMMUSER_EBUSY;
 * -IOMMUSER_EINVAL; -IOMMUSER_ECORRUPT; -IOMMUSER_EUNMAPPED;
 * -IOMMUSER_EREFUSED; -IOMMUSER_ENOMEM. After an error nothing has changed.
 */
int iommuser_preserve_device(struct iommuser_preserve *preserve,
			     const struct iommuser_device_request *request,
			     const struct iommuser_iommu *iommu, struct iommuser_preserved *unit,
			     struct iommuser_preserved *domain,
			     struct iommuser_preserved_device *handle);

/**
 * iommuser_unpreserve_device - the reverse
 * Return: 0; -IOMMUSER_ENOENT; -IOMMUSER_EBUSY while an attachment for a PASID
 * is preserved.
 */
int iommuser_unpreserve_device(struct iommuser_preserve *preserve,
			       struct iommuser_preserved_device *handle);

/**
 * iommuser_preserve_attachment - preserve the attachment of a device for a PASID
 * @preserve: where to
 * @device: handle of the device, preserved when the PASID's entry was there
 *	already: its table was preserved with the device
 * @domain: handle of the domain, preserved
 * @pasid: above 0, below the record's pasid_entries, and not its rid_pasid; once
 *	for a device
 * @did: domain id of the domain on the device's unit
 * @handle: not preserved yet
 *
 * Return: 0; -IOMMUSER_ENOENT when @device or @domain is not preserved;
 * -IOMMUSER_EBUSY; -IOMMUSER_EINVAL for another @pasid; -IOMMUSER_ENOMEM. After
 * an error nothing has changed.
 */
int iommuser_preserve_attachment(struct iommuser_preserve *preserve,
				 struct iommuser_preserved_device *device,
				 struct iommuser_preserved *domain, u32 pasid, u32 did,
				 struct iommuser_preserved_attachment *handle);

/** iommuser_unpreserve_attachment - the reverse. Return: 0 or -IOMMUSER_ENOENT. */
int iommuser_unpreserve_attachment(struct iommuser_preserve *preserve,
				   struct iommuser_preserved_attachment *handle);

#endif /* IOMMUSER_PRESERVE_H */
