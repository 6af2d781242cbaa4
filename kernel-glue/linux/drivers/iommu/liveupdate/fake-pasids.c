// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachments by PASID without a device that has PASIDs:
 *
 *   iommu_liveupdate.fake_pasids=0000:00:06.0
 *
 * written at runtime has the IOMMU core and the driver take that device for one
 * that has. Its PASIDs can be attached then, and hardware gets their entries; no
 * DMA is ever done with one.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/iommu.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "../iommu-group.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iommu_liveupdate."

/* What a PASID directory of one page covers, which every device has, whatever its unit supports. */
#define NR_PASIDS BIT(15)

static int give_pasids(struct device *dev)
{
	struct iommu_group *group = iommu_group_get(dev);

	if (!group)
		return -ENODEV;
	scoped_guard(mutex, &group->mutex) {
		dev->iommu->max_pasids = NR_PASIDS;
		dev_info(dev, "taken for a device with PASIDs, as requested\n");
	}
	iommu_group_put(group);
	return 0;
}

static int fake_pasids_set(const char *value, const struct kernel_param *param)
{
	struct pci_dev *pdev = NULL;
	int ret = -ENODEV;

	for_each_pci_dev(pdev) {
		if (sysfs_streq(value, pci_name(pdev))) {
			ret = give_pasids(&pdev->dev);
			pci_dev_put(pdev);
			break;
		}
	}
	return ret;
}

static const struct kernel_param_ops fake_pasids_ops = {
	.set = fake_pasids_set,
};
module_param_cb(fake_pasids, &fake_pasids_ops, NULL, 0200);
