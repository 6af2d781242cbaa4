/* SPDX-License-Identifier: GPL-2.0-only */
/* vfio-pci and its core in a live update. */
#ifndef VFIO_PCI_LIVEUPDATE_H
#define VFIO_PCI_LIVEUPDATE_H

#include <linux/iommu_liveupdate.h>
#include <linux/pci.h>
#include <linux/vfio_pci_core.h>

#include "vfio_pci_priv.h"

struct vfio_device_ops;

/**
 * vfio_pci_liveupdate_in_use() - does the device's DMA cross a live update?
 * @vdev: any device
 *
 * It stays in D0 then, and has no VFs.
 *
 * Lock: none; whoever excludes preserving it holds memory_lock. That it runs
 * on restored state may end at any time.
 */
static inline bool vfio_pci_liveupdate_in_use(struct vfio_pci_core_device *vdev)
{
	return vdev->liveupdate || iommu_liveupdate_device_incoming(&vdev->pdev->dev);
}

#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE)
int vfio_pci_liveupdate_config_init(struct vfio_pci_core_device *vdev, bool restored);
void vfio_pci_liveupdate_init(const struct vfio_device_ops *ops);
void vfio_pci_liveupdate_exit(void);
#else
static inline int vfio_pci_liveupdate_config_init(struct vfio_pci_core_device *vdev, bool restored)
{
	return vfio_config_init(vdev);
}

static inline void vfio_pci_liveupdate_init(const struct vfio_device_ops *ops) {}
static inline void vfio_pci_liveupdate_exit(void) {}
#endif

#endif /* VFIO_PCI_LIVEUPDATE_H */
