/* SPDX-License-Identifier: GPL-2.0-only */
/* vfio-pci's files in a live update. */
#ifndef VFIO_PCI_LIVEUPDATE_H
#define VFIO_PCI_LIVEUPDATE_H

struct vfio_device_ops;

#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE)
void vfio_pci_liveupdate_init(const struct vfio_device_ops *ops);
void vfio_pci_liveupdate_exit(void);
#else
static inline void vfio_pci_liveupdate_init(const struct vfio_device_ops *ops) {}
static inline void vfio_pci_liveupdate_exit(void) {}
#endif

#endif /* VFIO_PCI_LIVEUPDATE_H */
