// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups on restored state: what live update does with struct iommu_group.
 */
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/iommu_liveupdate.h>
#include <linux/list.h>

#include "../iommu-group.h"
#include "../iommu-priv.h"

/**
 * iommu_group_set_restored() - put a new group on what its device was left on
 * @group: has no domain yet
 *
 * It is owned then, so that nothing else can have it. If that fails it is
 * blocked, and owned as well.
 *
 * Return: false when it must be given a domain.
 */
bool iommu_group_set_restored(struct iommu_group *group)
{
	struct iommu_domain *domain = NULL, *each;
	struct group_device *gdev;
	struct device *dev;
	int ret;

	lockdep_assert_held(&group->mutex);
	for_each_group_device(group, gdev) {
		each = iommu_liveupdate_restored_domain(gdev->dev,
							list_is_singular(&group->devices));
		if (domain || !each)
			continue;
		dev = gdev->dev;
		domain = each;
	}
	if (!domain)
		return false;
	/* Whoever it is handed over to must be able to detach. */
	ret = __iommu_group_alloc_blocking_domain(group);
	if (IS_ERR(domain)) {
		ret = PTR_ERR(domain);
	} else {
		ret = ret ?: __iommu_group_set_domain(group, domain);
		if (ret)
			iommu_liveupdate_attach_failed(dev, ret);
	}
	if (ret && !WARN_ON(!group->blocking_domain))
		__iommu_group_set_domain_nofail(group, group->blocking_domain);
	group->owner = iommu_liveupdate_owner(dev);
	group->owner_cnt = 1;
	return group->domain;
}

/* Block a group, and take it from whom live update keeps it for because of a device. */
static bool iommu_group_take_restored(struct iommu_group *group, struct device *dev)
{
	void *owner = group->owner;

	lockdep_assert_held(&group->mutex);
	if (!iommu_liveupdate_owned(owner, dev))
		return false;
	__iommu_group_set_domain_nofail(group, group->blocking_domain);
	group->owner = NULL;
	group->owner_cnt = 0;
	iommu_liveupdate_release(owner);
	return true;
}

/**
 * iommu_group_release_restored() - a device of a group goes away
 * @group: the group
 * @dev: the device
 *
 * It must not reach what the default domain maps while it does.
 */
void iommu_group_release_restored(struct iommu_group *group, struct device *dev)
{
	if (!iommu_group_take_restored(group, dev))
		return;
	if (list_is_singular(&group->devices))
		group->domain = group->default_domain;
	else
		__iommu_group_set_domain_nofail(group, group->default_domain);
}

/**
 * iommu_group_abandon_restored() - Have a group leave abandoned state for good
 * @group: The group
 * @dev: Its device, or one of them
 *
 * A group that waits for its iommufd becomes free to use; one that was claimed
 * stays with its owner, blocked.
 */
void iommu_group_abandon_restored(struct iommu_group *group, struct device *dev)
{
	guard(mutex)(&group->mutex);
	if (!iommu_liveupdate_must_leave(dev, group->domain))
		return;
	if (iommu_group_take_restored(group, dev))
		__iommu_group_set_domain_nofail(group, group->default_domain);
	else
		__iommu_group_set_domain_nofail(group, group->blocking_domain);
	iommu_liveupdate_block_pasids(dev);
}

/**
 * iommu_group_may_join() - may a device join a group that has a domain?
 * @group: the group
 * @dev: the device
 *
 * It can't stay on a restored domain of its own, nor share the group's.
 */
int iommu_group_may_join(struct iommu_group *group, struct device *dev)
{
	lockdep_assert_held(&group->mutex);
	if (iommu_liveupdate_domain_restored(group->domain))
		return -EBUSY;
	return PTR_ERR_OR_ZERO(iommu_liveupdate_restored_domain(dev, false));
}

/**
 * iommu_group_hand_over() - claim a group for the iommufd that it is kept for
 * @group: owned
 * @owner: who claims it
 *
 * Return: true when it is @owner's now, on its restored domain.
 */
bool iommu_group_hand_over(struct iommu_group *group, void *owner)
{
	lockdep_assert_held(&group->mutex);
	if (!iommu_liveupdate_hand_over(group->owner, owner))
		return false;
	group->owner = owner;
	return true;
}

/**
 * iommu_group_give_back() - the reverse, when the owner releases it
 * @group: owned, with owner_cnt 1
 *
 * Return: true when the group runs on its restored domain, still, and is kept.
 */
bool iommu_group_give_back(struct iommu_group *group)
{
	struct group_device *gdev;
	void *owner;

	lockdep_assert_held(&group->mutex);
	for_each_group_device(group, gdev) {
		owner = iommu_liveupdate_give_back(gdev->dev);
		if (owner) {
			group->owner = owner;
			return true;
		}
	}
	return false;
}

/* Is that all that is attached by PASID? */
static int check_pasids(struct iommu_group *group, const struct iommu_liveupdate_pasid *pasids,
			unsigned int nr_pasids)
{
	unsigned long pasid = IOMMU_NO_PASID;
	struct iommu_attach_handle *handle;
	unsigned int i, count = 0;

	while (xa_find_after(&group->pasid_array, &pasid, ULONG_MAX, XA_PRESENT))
		count++;
	if (count != nr_pasids)
		return -EOPNOTSUPP;
	for (i = 0; i < nr_pasids; i++) {
		handle = iommu_attach_handle_get(group, pasids[i].pasid, 0);
		if (IS_ERR(handle) || handle->domain != pasids[i].domain)
			return -EINVAL;
	}
	return 0;
}

/**
 * iommu_group_set_liveupdate() - Mark the only device of a group as preserved
 * @dev: The device; its DMA is owned by userspace
 * @domain: What it is attached to without PASID
 * @pasids: What it is attached to by PASID
 * @nr_pasids: Elements of @pasids
 * @liveupdate: What dev->iommu->liveupdate is to be
 *
 * Return: 0; -EPERM, -EINVAL, -EBUSY or -EOPNOTSUPP when it isn't so.
 */
int iommu_group_set_liveupdate(struct device *dev, struct iommu_domain *domain,
			       const struct iommu_liveupdate_pasid *pasids,
			       unsigned int nr_pasids, struct iommu_liveupdate_device *liveupdate)
{
	struct iommu_group *group = dev->iommu_group;
	int ret;

	guard(mutex)(&group->mutex);
	if (!group->owner_cnt || !group->owner)
		return -EPERM;
	if (group->domain != domain)
		return -EINVAL;
	if (dev->iommu->liveupdate || group->recovery_cnt)
		return -EBUSY;
	if (!list_is_singular(&group->devices))
		return -EOPNOTSUPP;
	ret = check_pasids(group, pasids, nr_pasids);
	if (ret)
		return ret;
	WRITE_ONCE(dev->iommu->liveupdate, liveupdate);
	return 0;
}
