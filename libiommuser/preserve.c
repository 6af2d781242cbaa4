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
				 const union iommuser_record *record, u64 max_tables, u64 pages)
{
	struct keep keep = { .ops = preserve->ops, .limit = pages };
	struct table_walk walk = { .page = drop_page, .ctx = &keep, .max_tables = max_tables };

	walk_kept(preserve, &walk, kind, record);
}

static OWN_FRAME int keep_pages(const struct iommuser_preserve *preserve, u32 kind,
				const union iommuser_record *record, u64 max_tables,
				struct iommuser_pt_counts *counts)
{
	struct keep keep = { .ops = preserve->ops };
	struct table_walk walk = { .page = keep_page, .ctx = &keep, .max_tables = max_tables };
	int error = walk_kept(preserve, &walk, kind, record);

	if (error)
		drop_pages(preserve, kind, record, max_tables, keep.done);
	if (counts)
		*counts = walk.counts;
	return error;
}

static void add_user(struct iommuser_preserve *preserve, struct iommuser_preserved *object)
{
	object->users++;
	iommuser_writer_set_references(preserve->writer, object->phys, object->users);
}

static void drop_user(struct iommuser_preserve *preserve, struct iommuser_preserved *object)
{
	object->users--;
	iommuser_writer_set_references(preserve->writer, object->phys, object->users);
}

static OWN_FRAME void forget(struct iommuser_preserved *object)
{
	object->phys = 0;
	object->users = 0;
}

/* Domains */

int iommuser_preserve_domain(struct iommuser_preserve *preserve,
			     const struct iommuser_domain *domain, u64 max_tables,
			     struct iommuser_preserved *handle)
{
	struct iommuser_pt_counts counts;
	int error;

	if (handle->phys)
		return -IOMMUSER_EBUSY;
	handle->users = 0;
	handle->record.domain = *domain;
	handle->record.domain.nr_table_pages = 0;
	error = keep_pages(preserve, IOMMUSER_KIND_DOMAIN, &handle->record, max_tables, &counts);
	if (error)
		return error;
	handle->record.domain.nr_table_pages = counts.nr_tables;
	handle->record.domain.page_size_bitmap = counts.page_sizes ? counts.page_sizes :
								     IOMMUSER_TABLE_SIZE;
	error = iommuser_writer_add(preserve->writer, IOMMUSER_KIND_DOMAIN, &handle->record,
				    &handle->phys);
	if (error) {
		drop_pages(preserve, IOMMUSER_KIND_DOMAIN, &handle->record, max_tables, ~0ULL);
		forget(handle);
	}
	return error;
}

int iommuser_unpreserve_domain(struct iommuser_preserve *preserve,
			       struct iommuser_preserved *handle)
{
	if (!handle->phys)
		return -IOMMUSER_ENOENT;
	if (handle->users)
		return -IOMMUSER_EBUSY;
	iommuser_writer_remove(preserve->writer, handle->phys);
	drop_pages(preserve, IOMMUSER_KIND_DOMAIN, &handle->record,
		   handle->record.domain.nr_table_pages, ~0ULL);
	forget(handle);
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
	error = iommuser_writer_add(preserve->writer, IOMMUSER_KIND_HWPT, &handle->record,
				    &handle->phys);
	if (!error)
		add_user(preserve, domain);
	return error;
}

int iommuser_unpreserve_hwpt(struct iommuser_preserve *preserve, struct iommuser_preserved *domain,
			     struct iommuser_preserved *handle)
{
	if (!handle->phys || handle->record.hwpt.domain != domain->phys)
		return -IOMMUSER_ENOENT;
	iommuser_writer_remove(preserve->writer, handle->phys);
	drop_user(preserve, domain);
	forget(handle);
	return 0;
}

/* Units: preserved with their first device */

static int get_unit(struct iommuser_preserve *preserve, const struct iommuser_iommu *iommu,
		    struct iommuser_preserved *unit)
{
	int error;

	if (unit->phys)
		return 0;
	unit->users = 0;
	unit->record.iommu = *iommu;
	error = keep_pages(preserve, IOMMUSER_KIND_IOMMU, &unit->record, 0, NULL);
	if (error)
		return error;
	error = iommuser_writer_add(preserve->writer, IOMMUSER_KIND_IOMMU, &unit->record,
				    &unit->phys);
	if (error) {
		drop_pages(preserve, IOMMUSER_KIND_IOMMU, &unit->record, 0, ~0ULL);
		forget(unit);
	}
	return error;
}

/* Unpreserve a unit that no device uses. */
static OWN_FRAME void put_unit(struct iommuser_preserve *preserve, struct iommuser_preserved *unit)
{
	if (unit->users)
		return;
	iommuser_writer_remove(preserve->writer, unit->phys);
	drop_pages(preserve, IOMMUSER_KIND_IOMMU, &unit->record, 0, ~0ULL);
	forget(unit);
}

/* Devices */

static int add_attachment(struct iommuser_preserve *preserve,
			  struct iommuser_preserved_device *handle, u32 did)
{
	union iommuser_record record;
	int error;

	memset(&record, 0, sizeof(record));
	record.attachment.device = handle->device.phys;
	record.attachment.domain = handle->domain->phys;
	record.attachment.did = did;
	error = iommuser_writer_add(preserve->writer, IOMMUSER_KIND_ATTACHMENT, &record,
				    &handle->attachment);
	if (error)
		return error;
	add_user(preserve, &handle->device);
	add_user(preserve, handle->domain);
	return 0;
}

static void remove_attachment(struct iommuser_preserve *preserve,
			      struct iommuser_preserved_device *handle)
{
	iommuser_writer_remove(preserve->writer, handle->attachment);
	drop_user(preserve, handle->domain);
	drop_user(preserve, &handle->device);
}

static void remove_aliases(struct iommuser_preserve *preserve,
			   struct iommuser_preserved_device *handle)
{
	while (handle->nr_aliases) {
		iommuser_writer_remove(preserve->writer, handle->aliases[--handle->nr_aliases]);
		drop_user(preserve, &handle->device);
	}
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
		if (error) {
			remove_aliases(preserve, handle);
			return error;
		}
		handle->nr_aliases++;
		add_user(preserve, &handle->device);
	}
	return 0;
}

int iommuser_preserve_device(struct iommuser_preserve *preserve,
			     const struct iommuser_device_request *request,
			     const struct iommuser_iommu *iommu, struct iommuser_preserved *unit,
			     struct iommuser_preserved *domain,
			     struct iommuser_preserved_device *handle)
{
	struct iommuser_device *device = &handle->device.record.device;
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
	handle->domain = domain;
	*device = request->device;
	device->iommu = unit->phys;
	error = keep_pages(preserve, IOMMUSER_KIND_DEVICE, &handle->device.record, 0, NULL);
	if (error)
		goto put_unit;
	error = iommuser_writer_add(preserve->writer, IOMMUSER_KIND_DEVICE, &handle->device.record,
				    &handle->device.phys);
	if (error)
		goto drop_pages;
	add_user(preserve, unit);
	error = add_attachment(preserve, handle, request->did);
	if (error)
		goto remove_device;
	error = add_aliases(preserve, handle, request);
	if (!error)
		return 0;

	remove_attachment(preserve, handle);
remove_device:
	iommuser_writer_remove(preserve->writer, handle->device.phys);
	forget(&handle->device);
	drop_user(preserve, unit);
drop_pages:
	drop_pages(preserve, IOMMUSER_KIND_DEVICE, &handle->device.record, 0, ~0ULL);
put_unit:
	put_unit(preserve, unit);
	return error;
}

int iommuser_unpreserve_device(struct iommuser_preserve *preserve,
			       struct iommuser_preserved_device *handle)
{
	struct iommuser_preserved *unit = handle->unit;

	if (!handle->device.phys)
		return -IOMMUSER_ENOENT;
	remove_aliases(preserve, handle);
	remove_attachment(preserve, handle);
	iommuser_writer_remove(preserve->writer, handle->device.phys);
	forget(&handle->device);
	drop_user(preserve, unit);
	drop_pages(preserve, IOMMUSER_KIND_DEVICE, &handle->device.record, 0, ~0ULL);
	put_unit(preserve, unit);
	return 0;
}
