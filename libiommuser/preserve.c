// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The preserve machine: pages first, then records, and the way back in
 * reverse.
 */
#include <iommuser/preserve.h>

#include "internal.h"
#include "table-walk.h"

/* A walk that preserves pages, or unpreserves the first @limit of them. */
struct keep {
	const struct iommuser_preserve_ops *ops;
	u64 done;
	u64 limit;
};

static int keep_page(struct table_walk *walk, u64 phys)
{
	struct keep *keep = walk->ctx;

	if (keep->ops->preserve_page(keep->ops->ctx, phys))
		return -IOMMUSER_EREFUSED;
	keep->done++;
	return 0;
}

static int drop_page(struct table_walk *walk, u64 phys)
{
	struct keep *keep = walk->ctx;

	if (keep->done == keep->limit)
		return 1;
	keep->ops->unpreserve_page(keep->ops->ctx, phys);
	keep->done++;
	return 0;
}

static OWN_FRAME int walk_kept(const struct iommuser_preserve *preserve, struct table_walk *walk,
			       u32 kind, const union iommuser_record *record)
{
	walk->env = preserve->tables;
	walk->scalable = kind == IOMMUSER_KIND_IOMMU &&
			 record->iommu.mode == IOMMUSER_IOMMU_MODE_SCALABLE;
	return walk_tables(walk, kind, record);
}

static OWN_FRAME void drop_pages(const struct iommuser_preserve *preserve, u32 kind,
				 const union iommuser_record *record,
				 enum context_tables_skipped skip, u64 pages)
{
	struct keep keep = { .ops = preserve->ops, .limit = pages };
	struct table_walk walk = {
		.page = drop_page, .ctx = &keep, .max_tables = ~0ULL, .skip = skip
	};

	walk_kept(preserve, &walk, kind, record);
}

/* Unpreserve all that hangs on a record. */
static OWN_FRAME void drop_all(const struct iommuser_preserve *preserve, u32 kind,
			       const struct iommuser_preserved *object)
{
	drop_pages(preserve, kind, &object->record, SKIP_OTHERS, ~0ULL);
}

/*
 * Preserve what hangs on an object, of a unit the context tables that are not
 * preserved yet, and put into its record what was found.
 */
static OWN_FRAME int keep_pages(const struct iommuser_preserve *preserve, u32 kind,
				struct iommuser_preserved *object, u64 max_tables)
{
	struct keep keep = { .ops = preserve->ops };
	struct table_walk walk = {
		.page = keep_page, .ctx = &keep, .max_tables = max_tables, .skip = SKIP_RECORDED
	};
	int error = walk_kept(preserve, &walk, kind, &object->record);
	u32 i;

	if (error) {
		drop_pages(preserve, kind, &object->record, SKIP_RECORDED, keep.done);
		return error;
	}
	if (kind == IOMMUSER_KIND_DOMAIN) {
		object->record.domain.nr_table_pages = walk.counts.nr_tables;
		object->record.domain.page_size_bitmap =
			walk.counts.page_sizes ? walk.counts.page_sizes : IOMMUSER_TABLE_SIZE;
	}
	if (kind == IOMMUSER_KIND_IOMMU)
		for (i = 0; i < ARRAY_LENGTH(walk.met); i++)
			object->record.iommu.context_tables[i] |= walk.met[i];
	return 0;
}

static OWN_FRAME void set_users(struct iommuser_preserve *preserve,
				struct iommuser_preserved *object, u32 users)
{
	object->users = users;
	iommuser_writer_update(preserve->writer, object->phys, &object->record, users);
}

static void add_user(struct iommuser_preserve *preserve, struct iommuser_preserved *object)
{
	set_users(preserve, object, object->users + 1);
}

static void drop_user(struct iommuser_preserve *preserve, struct iommuser_preserved *object)
{
	set_users(preserve, object, object->users - 1);
}

/* Take out an object's record, and unpreserve all that hangs on it. */
static OWN_FRAME void remove_object(struct iommuser_preserve *preserve, u32 kind,
				    struct iommuser_preserved *object)
{
	iommuser_writer_remove(preserve->writer, object->phys);
	drop_all(preserve, kind, object);
	object->phys = 0;
}

/* Write the record of an object whose pages are preserved. */
static OWN_FRAME int add_object(struct iommuser_preserve *preserve, u32 kind,
				struct iommuser_preserved *object)
{
	int error = iommuser_writer_add(preserve->writer, kind, &object->record, &object->phys);

	object->users = 0;
	if (error) {
		object->phys = 0;
		drop_all(preserve, kind, object);
	}
	return error;
}

/* Domains */

int iommuser_preserve_domain(struct iommuser_preserve *preserve,
			     const struct iommuser_domain *domain, u64 max_tables,
			     struct iommuser_preserved *handle)
{
	int error;

	if (handle->phys)
		return -IOMMUSER_EBUSY;
	handle->record.domain = *domain;
	handle->record.domain.nr_table_pages = 0;
	error = keep_pages(preserve, IOMMUSER_KIND_DOMAIN, handle, max_tables);
	return error ? error : add_object(preserve, IOMMUSER_KIND_DOMAIN, handle);
}

int iommuser_unpreserve_domain(struct iommuser_preserve *preserve,
			       struct iommuser_preserved *handle)
{
	if (!handle->phys)
		return -IOMMUSER_ENOENT;
	if (handle->users)
		return -IOMMUSER_EBUSY;
	remove_object(preserve, IOMMUSER_KIND_DOMAIN, handle);
	return 0;
}

/* HWPTs */

int iommuser_preserve_hwpt(struct iommuser_preserve *preserve, struct iommuser_preserved *domain,
			   u64 iommufd_token, u64 hwpt_token, struct iommuser_preserved *handle)
{
	int error;

	if (!domain->phys)
		return -IOMMUSER_ENOENT;
	if (handle->phys)
		return -IOMMUSER_EBUSY;
	memset(handle, 0, sizeof(*handle));
	handle->record.hwpt.iommufd_token = iommufd_token;
	handle->record.hwpt.hwpt_token = hwpt_token;
	handle->record.hwpt.domain = domain->phys;
	error = add_object(preserve, IOMMUSER_KIND_HWPT, handle);
	if (!error)
		add_user(preserve, domain);
	return error;
}

int iommuser_unpreserve_hwpt(struct iommuser_preserve *preserve, struct iommuser_preserved *domain,
			     struct iommuser_preserved *handle)
{
	if (!handle->phys || handle->record.hwpt.domain != domain->phys)
		return -IOMMUSER_ENOENT;
	remove_object(preserve, IOMMUSER_KIND_HWPT, handle);
	drop_user(preserve, domain);
	return 0;
}

/*
 * Units: preserved with their first device. Context tables are added when the
 * device that may have brought them along is.
 */

static int get_unit(struct iommuser_preserve *preserve, const struct iommuser_iommu *iommu,
		    struct iommuser_preserved *unit)
{
	const void *root_table;
	int error;

	if (unit->phys)
		return 0;
	/* Without it there would be no way back to its page. */
	error = access_table(preserve->tables, iommu->root_table, &root_table);
	if (error)
		return error;
	unit->record.iommu = *iommu;
	memset(unit->record.iommu.context_tables, 0, sizeof(iommu->context_tables));
	if (preserve->ops->preserve_page(preserve->ops->ctx, iommu->root_table))
		return -IOMMUSER_EREFUSED;
	return add_object(preserve, IOMMUSER_KIND_IOMMU, unit);
}

/* For one more device, preserve the unit's context tables that are not preserved yet. */
static int extend_unit(struct iommuser_preserve *preserve, struct iommuser_preserved *unit)
{
	int error = keep_pages(preserve, IOMMUSER_KIND_IOMMU, unit, 0);

	if (!error)
		add_user(preserve, unit);
	return error;
}

/* Unpreserve a unit that no device uses. */
static OWN_FRAME void put_unit(struct iommuser_preserve *preserve, struct iommuser_preserved *unit)
{
	if (!unit->users)
		remove_object(preserve, IOMMUSER_KIND_IOMMU, unit);
}

/* Devices */

/* @pasid: 0 for requests without one */
static OWN_FRAME int add_attachment(struct iommuser_preserve *preserve,
				    struct iommuser_preserved_attachment *handle, u32 pasid,
				    u32 did)
{
	union iommuser_record record;
	int error;

	memset(&record, 0, sizeof(record));
	record.attachment.device = handle->device->phys;
	record.attachment.domain = handle->domain->phys;
	record.attachment.pasid = pasid;
	record.attachment.attachment_flags = pasid ? IOMMUSER_ATTACHMENT_HAS_PASID : 0;
	record.attachment.did = did;
	error = iommuser_writer_add(preserve->writer, IOMMUSER_KIND_ATTACHMENT, &record,
				    &handle->phys);
	if (error)
		return error;
	add_user(preserve, handle->device);
	add_user(preserve, handle->domain);
	return 0;
}

int iommuser_preserve_attachment(struct iommuser_preserve *preserve,
				 struct iommuser_preserved_device *device,
				 struct iommuser_preserved *domain, u32 pasid, u32 did,
				 struct iommuser_preserved_attachment *handle)
{
	if (handle->phys)
		return -IOMMUSER_EBUSY;
	if (!device->device.phys || !domain->phys)
		return -IOMMUSER_ENOENT;
	if (!pasid || pasid >= device->device.record.device.pasid_entries ||
	    pasid == device->device.record.device.rid_pasid)
		return -IOMMUSER_EINVAL;
	handle->device = &device->device;
	handle->domain = domain;
	return add_attachment(preserve, handle, pasid, did);
}

int iommuser_unpreserve_attachment(struct iommuser_preserve *preserve,
				   struct iommuser_preserved_attachment *handle)
{
	if (!handle->phys)
		return -IOMMUSER_ENOENT;
	iommuser_writer_remove(preserve->writer, handle->phys);
	drop_user(preserve, handle->domain);
	drop_user(preserve, handle->device);
	handle->phys = 0;
	return 0;
}

static void remove_aliases(struct iommuser_preserve *preserve,
			   struct iommuser_preserved_device *handle)
{
	while (handle->nr_aliases)
		iommuser_writer_remove(preserve->writer, handle->aliases[--handle->nr_aliases]);
}

static int add_aliases(struct iommuser_preserve *preserve, struct iommuser_preserved_device *handle,
		       const struct iommuser_device_request *request)
{
	union iommuser_record record;
	int error;
	u32 i;

	for (i = 0; i < request->nr_aliases; i++) {
		memset(&record, 0, sizeof(record));
		record.alias.segment = request->aliases[i].segment;
		record.alias.bdf = request->aliases[i].bdf;
		record.alias.type = request->aliases[i].type;
		record.alias.device = handle->device.phys;
		error = iommuser_writer_add(preserve->writer, IOMMUSER_KIND_ALIAS, &record,
					    &handle->aliases[i]);
		if (error)
			return error;
		handle->nr_aliases++;
		add_user(preserve, &handle->device);
	}
	return 0;
}

/* Take out the device's records. */
static OWN_FRAME void remove_device(struct iommuser_preserve *preserve,
				    struct iommuser_preserved_device *handle)
{
	remove_aliases(preserve, handle);
	iommuser_unpreserve_attachment(preserve, &handle->attachment);
	remove_object(preserve, IOMMUSER_KIND_DEVICE, &handle->device);
}

/* Put in the device's records, all of them or none. */
static int add_device(struct iommuser_preserve *preserve, struct iommuser_preserved_device *handle,
		      const struct iommuser_device_request *request)
{
	int error;

	error = keep_pages(preserve, IOMMUSER_KIND_DEVICE, &handle->device, 0);
	if (error)
		return error;
	error = add_object(preserve, IOMMUSER_KIND_DEVICE, &handle->device);
	if (error)
		return error;
	error = add_attachment(preserve, &handle->attachment, 0, request->did);
	if (!error)
		error = add_aliases(preserve, handle, request);
	if (!error)
		error = extend_unit(preserve, handle->unit);
	if (error)
		remove_device(preserve, handle);
	return error;
}

int iommuser_preserve_device(struct iommuser_preserve *preserve,
			     const struct iommuser_device_request *request,
			     const struct iommuser_iommu *iommu, struct iommuser_preserved *unit,
			     struct iommuser_preserved *domain,
			     struct iommuser_preserved_device *handle)
{
	int error;

	if (handle->device.phys)
		return -IOMMUSER_EBUSY;
	if (!domain->phys)
		return -IOMMUSER_ENOENT;
	if (request->nr_aliases > IOMMUSER_MAX_ALIASES)
		return -IOMMUSER_EINVAL;
	error = get_unit(preserve, iommu, unit);
	if (error)
		return error;
	memset(handle, 0, sizeof(*handle));
	handle->unit = unit;
	handle->attachment.device = &handle->device;
	handle->attachment.domain = domain;
	handle->device.record.device = request->device;
	handle->device.record.device.iommu = unit->phys;
	error = add_device(preserve, handle, request);
	if (error)
		put_unit(preserve, unit);
	return error;
}

int iommuser_unpreserve_device(struct iommuser_preserve *preserve,
			       struct iommuser_preserved_device *handle)
{
	struct iommuser_preserved *unit = handle->unit;

	if (!handle->device.phys)
		return -IOMMUSER_ENOENT;
	/* Its aliases, and the attachment without a PASID. */
	if (handle->device.users != handle->nr_aliases + 1)
		return -IOMMUSER_EBUSY;
	remove_device(preserve, handle);
	drop_user(preserve, unit);
	put_unit(preserve, unit);
	return 0;
}
