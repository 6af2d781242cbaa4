// SPDX-License-Identifier: GPL-2.0-only
/*
 * What PCI and drivers ask about devices and domains that are preserved, and
 * about the jump to the next kernel.
 */
#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/iommu_liveupdate.h>
#include <linux/kexec_handover.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>

bool iommu_liveupdate_device_outgoing(struct device *dev)
{
	struct dev_iommu *iommu;

	/* The device may just be removed. Pairs with dev_iommu_free(). */
	guard(rcu)();
	iommu = READ_ONCE(dev->iommu);
	return iommu && READ_ONCE(iommu->liveupdate);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_device_outgoing);

bool iommu_liveupdate_domain_outgoing(struct iommu_domain *domain)
{
	return READ_ONCE(domain->liveupdate);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_domain_outgoing);

bool iommu_liveupdate_jumping(void)
{
	return kho_handing_over();
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_jumping);

static int note_outgoing(struct pci_dev *pdev, void *found)
{
	if (!iommu_liveupdate_device_outgoing(&pdev->dev))
		return 0;
	*(bool *)found = true;
	return 1;
}

bool iommu_liveupdate_keep_bus_master(struct pci_dev *pdev)
{
	bool found = false;

	if (!iommu_liveupdate_jumping())
		return false;
	note_outgoing(pdev, &found);
	if (!found && pdev->subordinate)
		pci_walk_bus(pdev->subordinate, note_outgoing, &found);
	return found;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_keep_bus_master);
