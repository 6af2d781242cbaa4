// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update of attachments by PASID: marks on them, and what a device has
 * attached when it is preserved.
 *
 * A mark is one of the xarray of a group's attachments: it stays while the PASID
 * is attached, if to another HWPT, and goes with it.
 *
 * Lock: iommufd_group::lock.
 */
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "../iommu-priv.h"
#include "iommufd_private.h"
#include "liveupdate.h"
#include "liveupdate-state.h"

#define PASID_MARK XA_MARK_1

static struct iommu_domain *pasid_domain(struct iommufd_device *idev, u32 pasid)
{
	struct iommu_attach_handle *handle;

	if (!idev->igroup->group)
		return NULL;
	handle = iommu_attach_handle_get(idev->igroup->group, pasid, 0);
	return IS_ERR(handle) ? NULL : handle->domain;
}

static int mark_pasid(struct iommufd_device *idev, u32 pasid)
{
	struct xarray *attachments = &idev->igroup->pasid_attach;
	struct iommu_domain *domain;

	guard(mutex)(&idev->igroup->lock);
	if (!xa_load(attachments, pasid))
		return -ENOENT;
	domain = pasid_domain(idev, pasid);
	if (!domain || !iommu_liveupdate_domain_supported(domain))
		return -EOPNOTSUPP;
	if (iommu_liveupdate_device_outgoing(idev->dev))
		return -EBUSY;
	xa_set_mark(attachments, pasid, PASID_MARK);
	return 0;
}

/**
 * iommufd_device_liveupdate_mark_pasid() - ioctl(IOMMU_DEVICE_LIVEUPDATE_MARK_PASID)
 * @ucmd: its command is a struct iommu_device_liveupdate_mark_pasid
 *
 * Return: 0 or what the uAPI header says.
 */
int iommufd_device_liveupdate_mark_pasid(struct iommufd_ucmd *ucmd)
{
	struct iommu_device_liveupdate_mark_pasid *cmd = ucmd->cmd;
	struct iommufd_device *idev;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->pasid == IOMMU_NO_PASID)
		return -EINVAL;
	idev = iommufd_get_device(ucmd, cmd->dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	rc = mark_pasid(idev, cmd->pasid);
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return rc;
}

static unsigned int count_pasids(struct iommufd_device *idev)
{
	unsigned long pasid = IOMMU_NO_PASID;
	unsigned int count = 0;

	while (xa_find_after(&idev->igroup->pasid_attach, &pasid, ULONG_MAX, XA_PRESENT))
		count++;
	return count;
}

/**
 * iommufd_device_liveupdate_pasids() - what is attached to a device by PASID
 * @idev: the device
 * @nr_pasids: set to the number of elements
 *
 * Lock: iommufd_group::lock
 * Return: the attachments, to be freed with kvfree(); -EOPNOTSUPP, one is not
 * marked; -ENOMEM.
 */
struct iommu_liveupdate_pasid *iommufd_device_liveupdate_pasids(struct iommufd_device *idev,
								unsigned int *nr_pasids)
{
	struct iommu_liveupdate_pasid *pasids, *next;
	unsigned long pasid = IOMMU_NO_PASID;

	lockdep_assert_held(&idev->igroup->lock);

	*nr_pasids = count_pasids(idev);
	pasids = kvcalloc(*nr_pasids + 1, sizeof(*pasids), GFP_KERNEL);
	if (!pasids)
		return ERR_PTR(-ENOMEM);
	next = pasids;
	while (xa_find_after(&idev->igroup->pasid_attach, &pasid, ULONG_MAX, XA_PRESENT)) {
		next->pasid = pasid;
		next->domain = pasid_domain(idev, pasid);
		if (!next->domain || !xa_get_mark(&idev->igroup->pasid_attach, pasid, PASID_MARK)) {
			kvfree(pasids);
			return ERR_PTR(-EOPNOTSUPP);
		}
		next++;
	}
	return pasids;
}

/**
 * iommufd_device_liveupdate_pasids_outgoing() - is a PASID on a preserved HWPT?
 * @idev: the device
 *
 * Lock: iommufd_group::lock
 */
bool iommufd_device_liveupdate_pasids_outgoing(struct iommufd_device *idev)
{
	unsigned long pasid = IOMMU_NO_PASID;
	struct iommu_domain *domain;

	lockdep_assert_held(&idev->igroup->lock);

	while (xa_find_after(&idev->igroup->pasid_attach, &pasid, ULONG_MAX, XA_PRESENT)) {
		domain = pasid_domain(idev, pasid);
		if (domain && iommu_liveupdate_domain_outgoing(domain))
			return true;
	}
	return false;
}
