// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening a device that still runs on what the kernel before the live update
 * left it with: it is neither reset nor stopped.
 */
#include <linux/compiler.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/vfio_pci_core.h>

#include "vfio_pci_liveupdate.h"
#include "vfio_pci_priv.h"

static void clear_enable(struct pci_dev *pdev, int flags_offset, u16 enable)
{
	u16 flags;

	pci_read_config_word(pdev, flags_offset, &flags);
	if (flags & enable)
		pci_write_config_word(pdev, flags_offset, flags & ~enable);
}

/*
 * The vectors are the last kernel's. Without this, a device that goes on
 * raising interrupts would do so by INTx, for which nobody has a handler yet.
 */
static void disable_interrupts(struct pci_dev *pdev)
{
	pci_intx(pdev, 0);
	if (pdev->msi_cap)
		clear_enable(pdev, pdev->msi_cap + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE);
	if (pdev->msix_cap)
		clear_enable(pdev, pdev->msix_cap + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
}

/* What the device goes back to when it is closed, as far as that is known without a reset. */
static void save_stopped_state(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;

	kfree(vdev->pci_saved_state);
	pci_save_state(pdev);
	pdev->saved_config_space[PCI_COMMAND / 4] &= ~PCI_COMMAND_MASTER;
	vdev->pci_saved_state = pci_store_saved_state(pdev);
}

/**
 * vfio_pci_liveupdate_config_init() - fill the virtual config space of a device
 * @vdev: is being opened
 * @restored: it runs on restored state, and was neither stopped nor reset
 *
 * The virtual config space shows the device as it is: bus mastering on, when
 * it is; BARs as this kernel knows them. INTx looks enabled, as after any other
 * open, but is masked until userspace asks for it; MSI and MSI-X are off.
 *
 * Lock: the device set's lock.
 * Return: 0 or a negative errno of vfio_config_init().
 */
int vfio_pci_liveupdate_config_init(struct vfio_pci_core_device *vdev, bool restored)
{
	struct pci_dev *pdev = vdev->pdev;
	int ret = vfio_config_init(vdev);

	if (!restored)
		return ret;
	disable_interrupts(pdev);
	if (ret)
		return ret;
	save_stopped_state(vdev);
	/* The reset that tells was refused: ask the kernel before, which tried */
	vdev->reset_works = READ_ONCE(pdev->reset_methods[0]) && !vdev->liveupdate_no_reset;
	return 0;
}
