// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices whose DMA crosses a live update, as the PCI core sees them: those
 * that are preserved for the next kernel, and those that still run on the
 * state the previous one handed over. They and the bridges above them stay in
 * D0, are not reset, and keep bus mastering.
 */
#include <linux/iommu_liveupdate.h>
#include <linux/kernel.h>
#include <linux/pci.h>
#include <linux/rwsem.h>

#include "pci.h"

/**
 * pci_liveupdate_device_in_use() - does this function's DMA cross a live update?
 * @dev: any PCI device
 *
 * Return: true while @dev is preserved, or runs on restored state.
 * Context: any.
 */
bool pci_liveupdate_device_in_use(struct pci_dev *dev)
{
	return iommu_liveupdate_device_outgoing(&dev->dev) ||
	       iommu_liveupdate_device_incoming(&dev->dev);
}

/* Buses form a tree of at most 256 levels; the PCI core recurses in the same way. */
static bool bus_in_use(struct pci_bus *bus, struct pci_slot *slot)
{
	struct pci_dev *dev;

	list_for_each_entry(dev, &bus->devices, bus_list) {
		if (slot && dev->slot != slot)
			continue;
		if (pci_liveupdate_device_in_use(dev))
			return true;
		if (dev->subordinate && bus_in_use(dev->subordinate, NULL))
			return true;
	}
	return false;
}

/**
 * pci_liveupdate_bus_in_use() - the same for everything on and below a bus
 * @bus: the bus
 * @slot: only the functions of this slot and what is below them; NULL for all
 *
 * Context: process; takes pci_bus_sem.
 */
bool pci_liveupdate_bus_in_use(struct pci_bus *bus, struct pci_slot *slot)
{
	bool in_use;

	down_read(&pci_bus_sem);
	in_use = bus_in_use(bus, slot);
	up_read(&pci_bus_sem);
	return in_use;
}

/**
 * pci_liveupdate_in_use() - the same for a device and everything below it
 * @dev: any PCI device
 *
 * Context: process when @dev is a bridge, else any.
 */
bool pci_liveupdate_in_use(struct pci_dev *dev)
{
	if (pci_liveupdate_device_in_use(dev))
		return true;
	return dev->subordinate && pci_liveupdate_bus_in_use(dev->subordinate, NULL);
}

/**
 * pci_liveupdate_keep_master() - must disabling a device leave its bus mastering on?
 * @dev: the device that is being disabled
 *
 * Fixups enable and disable devices before the IOMMU core knows which of them
 * were handed over. Until then, any device whose bus mastering this kernel has
 * not switched on itself counts: the shutdown of the previous kernel switched
 * it off everywhere else.
 *
 * Context: process when @dev is a bridge, else any.
 */
bool pci_liveupdate_keep_master(struct pci_dev *dev)
{
	if (system_state < SYSTEM_RUNNING && !dev->is_busmaster &&
	    iommu_liveupdate_keep_bus_numbers())
		return true;
	return pci_liveupdate_in_use(dev);
}

/**
 * pci_liveupdate_keep_bridge_master() - does DMA that crosses a live update pass here?
 * @dev: the device whose bus mastering is being switched off
 *
 * The port driver switches it off in ports that have no service. What a device
 * itself may do is up to its owner, and once the system goes down,
 * iommu_liveupdate_keep_bus_master() decides about bridges too.
 *
 * Return: true for a bridge above a device in use, until the system goes down.
 * Context: process when @dev is a bridge, else any.
 */
bool pci_liveupdate_keep_bridge_master(struct pci_dev *dev)
{
	return dev->subordinate && system_state <= SYSTEM_RUNNING && pci_liveupdate_in_use(dev);
}
