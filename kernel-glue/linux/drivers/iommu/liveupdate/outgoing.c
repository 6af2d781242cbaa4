// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preserving domains, devices and their IOMMUs for the next kernel, and taking
 * that back.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/iommu_liveupdate.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/utsname.h>

#include <iommuser/error.h>
#include <iommuser/pagetable.h>

#include "../iommu-priv.h"
#include "internal.h"

/* Protects the handover and all handles; see internal.h for its place among locks. */
DEFINE_MUTEX(iommu_liveupdate_lock);

static struct iommu_liveupdate_handover *outgoing;
static u64 last_serial;

/**
 * iommu_liveupdate_outgoing() - the handover to the next kernel
 *
 * Return: the handover, or NULL when nothing is preserved.
 *
 * Taking a reference on LUO's FLB would do as well, but a reference that is
 * held while LUO serialises is handed over as if it were a file's.
 */
struct iommu_liveupdate_handover *iommu_liveupdate_outgoing(void)
{
	lockdep_assert_held(&iommu_liveupdate_lock);
	return outgoing;
}

/* Has to be called after each change. */
static void note_change(struct iommu_liveupdate_handover *handover)
{
	lockdep_assert_held(&iommu_liveupdate_lock);
	handover->serial = ++last_serial;
}

/* errno for what the preserve machine returned. */
static int preserve_errno(int error)
{
	if (error == -IOMMUSER_EREFUSED)
		return iommu_liveupdate_pages.error;
	return iommu_liveupdate_errno(error);
}

static const struct iommu_liveupdate_ops *domain_liveupdate_ops(struct iommu_domain *domain)
{
	if (!(domain->type & __IOMMU_DOMAIN_PAGING) || !domain->owner)
		return NULL;
	return domain->owner->liveupdate_ops;
}

/* Domains */

static bool format_fits_stage(const struct iommuser_domain *record)
{
	switch (record->stage) {
	case IOMMUSER_STAGE_FIRST:
		return record->format == IOMMUSER_FORMAT_VTD_FIRST_STAGE;
	case IOMMUSER_STAGE_SECOND:
		return record->format == IOMMUSER_FORMAT_VTD_SECOND_STAGE;
	default:
		return false;
	}
}

static int describe_domain(struct iommu_domain *domain, struct iommuser_domain *record)
{
	const struct iommu_liveupdate_ops *ops = domain_liveupdate_ops(domain);
	int ret;

	lockdep_assert_held(&iommu_liveupdate_lock);

	memset(record, 0, sizeof(*record));
	if (!ops)
		return -EOPNOTSUPP;
	ret = ops->describe_domain(domain, record);
	if (ret)
		return ret;
	return format_fits_stage(record) ? 0 : -EOPNOTSUPP;
}

bool iommu_liveupdate_domain_supported(struct iommu_domain *domain)
{
	struct iommuser_domain record;

	guard(mutex)(&iommu_liveupdate_lock);
	return !describe_domain(domain, &record);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_domain_supported);

/* Log what is wrong with tables that the preserve machine did not accept. */
static void log_domain_findings(const struct iommuser_domain *record)
{
	struct iommu_liveupdate_log log = {};
	const struct iommuser_reporter reporter = {
		.ctx = &log,
		.report = iommu_liveupdate_log_finding,
	};
	const struct iommuser_pt_table table = {
		.env = &iommu_liveupdate_own_memory,
		.stage = record->stage,
		.top_table = record->top_table,
		.top_level = record->top_level,
		.output_width = record->output_width,
	};
	struct iommuser_pt_counts counts;

	iommuser_pt_walk(&table, NULL, totalram_pages(), NULL, &reporter, &counts);
}

static int write_domain(struct iommu_liveupdate_handover *handover,
			const struct iommuser_domain *record, u64 iommufd, u64 hwpt_token,
			struct iommu_liveupdate_domain *preserved)
{
	struct iommuser_preserve *preserve = &handover->preserve;
	int error;

	lockdep_assert_held(&iommu_liveupdate_lock);

	error = iommuser_preserve_domain(preserve, record, totalram_pages(),
					 &preserved->preserved);
	if (error) {
		pr_warn("a domain can't be preserved: %s\n", iommu_liveupdate_error_name(error));
		if (error == -IOMMUSER_ECORRUPT || error == -IOMMUSER_EUNMAPPED)
			log_domain_findings(record);
		return preserve_errno(error);
	}
	error = iommuser_preserve_hwpt(preserve, &preserved->preserved, iommufd, hwpt_token,
				       &preserved->hwpt);
	if (error)
		WARN_ON(iommuser_unpreserve_domain(preserve, &preserved->preserved));
	return preserve_errno(error);
}

int iommu_liveupdate_preserve_domain(struct iommu_domain *domain, u64 iommufd,
				     u64 hwpt_token)
{
	struct iommu_liveupdate_domain *preserved;
	struct iommuser_domain record;
	int ret;

	guard(mutex)(&iommu_liveupdate_lock);
	if (!outgoing)
		return -ENOENT;
	if (domain->liveupdate)
		return -EBUSY;
	ret = describe_domain(domain, &record);
	if (ret)
		return ret;
	preserved = kzalloc_obj(*preserved);
	if (!preserved)
		return -ENOMEM;
	preserved->domain = domain;
	ret = write_domain(outgoing, &record, iommufd, hwpt_token, preserved);
	if (ret) {
		kfree(preserved);
		return ret;
	}
	list_add_tail(&preserved->list, &outgoing->domains);
	WRITE_ONCE(domain->liveupdate, preserved);
	note_change(outgoing);
	return 0;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_preserve_domain);

static void drop_device(struct iommu_liveupdate_handover *handover,
			struct iommu_liveupdate_device *device);

static bool uses_domain(const struct iommu_liveupdate_device *device,
			const struct iommu_liveupdate_domain *domain)
{
	unsigned int i;

	for (i = 0; i < device->nr_attachments; i++)
		if (device->attachments[i].domain == domain)
			return true;
	return device->domain == domain;
}

static void drop_domain(struct iommu_liveupdate_handover *handover,
			struct iommu_liveupdate_domain *preserved)
{
	struct iommu_liveupdate_device *device, *next;

	lockdep_assert_held(&iommu_liveupdate_lock);

	/* A device must not be handed over without its domain. */
	list_for_each_entry_safe(device, next, &handover->devices, list) {
		if (WARN_ON_ONCE(uses_domain(device, preserved)))
			drop_device(handover, device);
	}
	WARN_ON(iommuser_unpreserve_hwpt(&handover->preserve, &preserved->preserved,
					 &preserved->hwpt));
	WARN_ON(iommuser_unpreserve_domain(&handover->preserve, &preserved->preserved));
	WRITE_ONCE(preserved->domain->liveupdate, NULL);
	list_del(&preserved->list);
	kfree(preserved);
	note_change(handover);
}

void iommu_liveupdate_unpreserve_domain(struct iommu_domain *domain)
{
	guard(mutex)(&iommu_liveupdate_lock);
	if (outgoing && domain->liveupdate)
		drop_domain(outgoing, domain->liveupdate);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_unpreserve_domain);

/* Devices and their IOMMUs */

static int differs_from_alias(struct pci_dev *pdev, u16 alias, void *id)
{
	return alias != *(u16 *)id;
}

/* Does the device have one requester id, and is it its own for good? */
static bool pci_device_supported(struct pci_dev *pdev)
{
	u16 id = pci_dev_id(pdev);

	if (pdev->is_virtfn || pci_num_vf(pdev) || pci_real_dma_dev(pdev) != pdev)
		return false;
	return !pci_for_each_dma_alias(pdev, differs_from_alias, &id);
}

/* Do unit, domain and device agree on the mode that they are in? */
static bool modes_agree(const struct iommuser_iommu *iommu, const struct iommuser_domain *domain,
			const struct iommuser_device_request *request)
{
	const struct iommuser_device *device = &request->device;

	if (device->segment != iommu->segment)
		return false;
	if (request->did < iommu->first_did || request->did >= iommu->did_limit)
		return false;
	switch (iommu->mode) {
	case IOMMUSER_IOMMU_MODE_LEGACY:
		return domain->stage == IOMMUSER_STAGE_SECOND && !device->pasid_directory &&
		       !device->pasid_entries;
	case IOMMUSER_IOMMU_MODE_SCALABLE:
		return device->pasid_directory && device->pasid_entries;
	default:
		return false;
	}
}

/* The last PASIDs first. */
static void drop_attachments(struct iommu_liveupdate_handover *handover,
			     struct iommu_liveupdate_device *device, unsigned int nr_written)
{
	while (nr_written--)
		WARN_ON(iommuser_unpreserve_attachment(&handover->preserve,
						       &device->attachments[nr_written].preserved));
}

static int write_attachment(struct iommu_liveupdate_handover *handover,
			    struct iommu_liveupdate_device *device,
			    const struct iommu_liveupdate_pasid *pasid,
			    struct iommu_liveupdate_attachment *attachment)
{
	const struct iommu_liveupdate_ops *ops = dev_iommu_ops(device->dev)->liveupdate_ops;
	u32 did;
	int error, ret;

	ret = ops->describe_pasid(device->dev, pasid->pasid, pasid->domain, &did);
	if (ret)
		return ret;
	attachment->domain = pasid->domain->liveupdate;
	error = iommuser_preserve_attachment(&handover->preserve, &device->preserved,
					     &attachment->domain->preserved, pasid->pasid, did,
					     &attachment->preserved);
	if (error)
		pr_warn("%s: PASID %u can't be preserved: %s\n", dev_name(device->dev),
			pasid->pasid, iommu_liveupdate_error_name(error));
	return preserve_errno(error);
}

static int write_attachments(struct iommu_liveupdate_handover *handover,
			     struct iommu_liveupdate_device *device,
			     const struct iommu_liveupdate_pasid *pasids)
{
	unsigned int i;
	int ret;

	lockdep_assert_held(&iommu_liveupdate_lock);

	for (i = 0; i < device->nr_attachments; i++) {
		ret = write_attachment(handover, device, &pasids[i], &device->attachments[i]);
		if (ret) {
			drop_attachments(handover, device, i);
			return ret;
		}
	}
	return 0;
}

static int write_device(struct iommu_liveupdate_handover *handover,
			struct iommu_liveupdate_device *device, u64 iommufd,
			const struct iommu_liveupdate_pasid *pasids)
{
	const struct iommu_liveupdate_ops *ops = dev_iommu_ops(device->dev)->liveupdate_ops;
	struct iommu_liveupdate_domain *domain = device->domain;
	struct iommuser_device_request request = {};
	struct iommuser_iommu unit = {};
	int error, ret;

	lockdep_assert_held(&iommu_liveupdate_lock);

	ret = ops->describe_unit(device->unit->iommu, &unit);
	if (ret)
		return ret;
	ret = ops->describe_device(device->dev, domain->domain, device->nr_attachments, &request);
	if (ret)
		return ret;
	request.device.owner_token = iommufd;
	request.device.group_size = 1;
	if (!modes_agree(&unit, &domain->preserved.record.domain, &request))
		return -EOPNOTSUPP;

	error = iommuser_preserve_device(&handover->preserve, &request, &unit,
					 &device->unit->preserved, &domain->preserved,
					 &device->preserved);
	if (error) {
		pr_warn("%s can't be preserved: %s\n", dev_name(device->dev),
			iommu_liveupdate_error_name(error));
		return preserve_errno(error);
	}
	WRITE_ONCE(device->unit->iommu->liveupdate, device->unit);
	ret = write_attachments(handover, device, pasids);
	if (ret)
		goto err_device;
	ret = ops->device_preserved(device->dev, pasids, device->nr_attachments);
	if (ret)
		goto err_attachments;
	return 0;

err_attachments:
	drop_attachments(handover, device, device->nr_attachments);
err_device:
	WARN_ON(iommuser_unpreserve_device(&handover->preserve, &device->preserved));
	return ret;
}

/* The unit's handle, made for its first device. */
static struct iommu_liveupdate_unit *get_unit(struct iommu_device *iommu)
{
	struct iommu_liveupdate_unit *unit = iommu->liveupdate;

	lockdep_assert_held(&iommu_liveupdate_lock);

	if (!unit) {
		unit = kzalloc_obj(*unit);
		if (!unit)
			return NULL;
		unit->iommu = iommu;
	}
	unit->nr_devices++;
	return unit;
}

static void put_unit(struct iommu_liveupdate_unit *unit)
{
	lockdep_assert_held(&iommu_liveupdate_lock);

	if (--unit->nr_devices)
		return;
	WRITE_ONCE(unit->iommu->liveupdate, NULL);
	kfree(unit);
}

const struct iommuser_iommu *iommu_liveupdate_unit_record(struct iommu_device *iommu)
{
	const struct iommu_liveupdate_unit *unit = READ_ONCE(iommu->liveupdate);

	return unit && unit->preserved.phys ? &unit->preserved.record.iommu : NULL;
}

static int preserve_device(struct iommu_liveupdate_handover *handover,
			   struct iommu_liveupdate_device *device, u64 iommufd,
			   const struct iommu_liveupdate_pasid *pasids)
{
	struct device *dev = device->dev;
	int ret;

	lockdep_assert_held(&iommu_liveupdate_lock);

	device->unit = get_unit(dev->iommu->iommu_dev);
	if (!device->unit)
		return -ENOMEM;
	/* First, so that no reset or PASID attachment can come in between. */
	ret = iommu_group_set_liveupdate(dev, device->domain->domain, pasids,
					 device->nr_attachments, device);
	if (ret)
		goto put_unit;
	ret = write_device(handover, device, iommufd, pasids);
	if (ret)
		goto clear_device;
	list_add_tail(&device->list, &handover->devices);
	note_change(handover);
	return 0;

clear_device:
	WRITE_ONCE(dev->iommu->liveupdate, NULL);
put_unit:
	put_unit(device->unit);
	return ret;
}

static void drop_device(struct iommu_liveupdate_handover *handover,
			struct iommu_liveupdate_device *device)
{
	struct device *dev = device->dev;

	lockdep_assert_held(&iommu_liveupdate_lock);

	dev_iommu_ops(dev)->liveupdate_ops->device_unpreserved(dev);
	drop_attachments(handover, device, device->nr_attachments);
	WARN_ON(iommuser_unpreserve_device(&handover->preserve, &device->preserved));
	WRITE_ONCE(dev->iommu->liveupdate, NULL);
	put_unit(device->unit);
	list_del(&device->list);
	kvfree(device);
	note_change(handover);
}

static bool all_preserved(const struct iommu_liveupdate_pasid *pasids, unsigned int nr_pasids)
{
	unsigned int i;

	for (i = 0; i < nr_pasids; i++)
		if (!pasids[i].domain->liveupdate)
			return false;
	return true;
}

int iommu_liveupdate_preserve_device(struct device *dev, struct iommu_domain *domain, u64 iommufd,
				     const struct iommu_liveupdate_pasid *pasids,
				     unsigned int nr_pasids)
{
	struct iommu_liveupdate_device *device;
	int ret;

	if (!dev_is_pci(dev) || !dev->iommu_group || !dev->iommu || !dev->iommu->iommu_dev)
		return -EOPNOTSUPP;
	if (!dev_iommu_ops(dev)->liveupdate_ops || !pci_device_supported(to_pci_dev(dev)))
		return -EOPNOTSUPP;

	guard(mutex)(&iommu_liveupdate_lock);
	if (!outgoing || !domain->liveupdate || !all_preserved(pasids, nr_pasids))
		return -ENOENT;
	device = kvzalloc_flex(*device, attachments, nr_pasids);
	if (!device)
		return -ENOMEM;
	device->nr_attachments = nr_pasids;
	device->dev = dev;
	device->domain = domain->liveupdate;
	ret = preserve_device(outgoing, device, iommufd, pasids);
	if (ret)
		kvfree(device);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_preserve_device);

/* The handle of a preserved device, NULL when it is not preserved. */
static struct iommu_liveupdate_device *device_handle(struct device *dev)
{
	lockdep_assert_held(&iommu_liveupdate_lock);
	return outgoing && dev->iommu ? dev->iommu->liveupdate : NULL;
}

void iommu_liveupdate_unpreserve_device(struct device *dev)
{
	struct iommu_liveupdate_device *device;

	guard(mutex)(&iommu_liveupdate_lock);
	device = device_handle(dev);
	if (device)
		drop_device(outgoing, device);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_unpreserve_device);

u64 iommu_liveupdate_device_reference(struct device *dev)
{
	struct iommu_liveupdate_device *device;

	guard(mutex)(&iommu_liveupdate_lock);
	device = device_handle(dev);
	return device ? device->preserved.device.phys : 0;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_device_reference);

/* The handover as a whole */

u64 iommu_liveupdate_root(void)
{
	guard(mutex)(&iommu_liveupdate_lock);
	return outgoing ? iommuser_writer_root(&outgoing->writer) : 0;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_root);

/**
 * iommu_liveupdate_outgoing_start() - begin an empty handover
 * @root: set to the physical address of its root
 *
 * Return: 0; -EBUSY, there is one; -ENOMEM.
 */
int iommu_liveupdate_outgoing_start(u64 *root)
{
	struct iommu_liveupdate_handover *handover;
	int error;

	guard(mutex)(&iommu_liveupdate_lock);
	if (WARN_ON(outgoing))
		return -EBUSY;
	handover = kzalloc_obj(*handover);
	if (!handover)
		return -ENOMEM;
	INIT_LIST_HEAD(&handover->domains);
	INIT_LIST_HEAD(&handover->devices);
	error = iommuser_writer_start(&handover->writer, &iommu_liveupdate_own_memory,
				      &iommu_liveupdate_page_ops, get_random_u64(),
				      init_utsname()->release);
	if (error) {
		kfree(handover);
		return iommu_liveupdate_errno(error);
	}
	handover->preserve.writer = &handover->writer;
	handover->preserve.tables = &iommu_liveupdate_own_memory;
	handover->preserve.ops = &iommu_liveupdate_preserve_ops;
	note_change(handover);
	*root = iommuser_writer_root(&handover->writer);
	outgoing = handover;
	return 0;
}

/**
 * iommu_liveupdate_outgoing_end() - give the handover up
 *
 * Whatever is still preserved is not any more afterwards.
 */
void iommu_liveupdate_outgoing_end(void)
{
	struct iommu_liveupdate_domain *domain, *next;

	guard(mutex)(&iommu_liveupdate_lock);
	if (WARN_ON(!outgoing))
		return;
	/* A domain takes its devices with it. */
	list_for_each_entry_safe(domain, next, &outgoing->domains, list) {
		WARN_ON_ONCE(1);
		drop_domain(outgoing, domain);
	}
	iommuser_writer_end(&outgoing->writer);
	kfree(outgoing);
	outgoing = NULL;
	iommu_liveupdate_pages.folio = NULL;
}
