/* SPDX-License-Identifier: GPL-2.0-only */
/* What the PCI core must not do to a device whose DMA crosses a live update. */
#ifndef DRIVERS_PCI_LIVEUPDATE_H
#define DRIVERS_PCI_LIVEUPDATE_H

#include <linux/iommu_liveupdate.h>

struct pci_bus;
struct pci_dev;
struct pci_slot;

#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE)
bool pci_liveupdate_device_in_use(struct pci_dev *dev);
bool pci_liveupdate_in_use(struct pci_dev *dev);
bool pci_liveupdate_bus_in_use(struct pci_bus *bus, struct pci_slot *slot);
bool pci_liveupdate_keep_master(struct pci_dev *dev);
bool pci_liveupdate_keep_bridge_master(struct pci_dev *dev);
#else
static inline bool pci_liveupdate_device_in_use(struct pci_dev *dev) { return false; }
static inline bool pci_liveupdate_in_use(struct pci_dev *dev) { return false; }
static inline bool pci_liveupdate_bus_in_use(struct pci_bus *bus, struct pci_slot *slot)
{
	return false;
}

static inline bool pci_liveupdate_keep_master(struct pci_dev *dev) { return false; }
static inline bool pci_liveupdate_keep_bridge_master(struct pci_dev *dev) { return false; }
#endif

#endif /* DRIVERS_PCI_LIVEUPDATE_H */
