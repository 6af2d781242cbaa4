// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update of vfio-pci devices: the LUO file handler "iommuser-vfio-pci-v1".
 *
 * Preserving the cdev file of a device that is bound to an iommufd preserves
 * the device's place in its IOMMU. Until the session is closed the device
 * stays in D0, is not reset, keeps its attachment, and gets no VFs. LUO's
 * reference to the file keeps the device open.
 *
 * In the next kernel the device goes on with its DMA on restored state, and is
 * neither reset nor put to sleep until it has left that. Retrieving gives a
 * cdev file; the device can be bound, through that or any other cdev file, to
 * the retrieved iommufd that it was preserved with, and opening it leaves its
 * DMA alone. Closing it stops it, as it always does.
 *
 * Locks, outermost first: LUO session, device lock (tried only: whoever waits
 * for the last user of a device holds it), device set, memory_lock. The last
 * one is not held while iommufd is called, which may fault in user memory.
 */
#define pr_fmt(fmt) "vfio-pci: " fmt

#include <linux/device.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/io.h>
#include <linux/iommu_liveupdate.h>
#include <linux/iommufd_liveupdate.h>
#include <linux/kexec_handover.h>
#include <linux/kexec_handover_query.h>
#include <linux/liveupdate.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/string.h>
#include <linux/vfio_liveupdate.h>
#include <linux/vfio_pci_core.h>

#include <iommuser/records.h>
#include <kho/abi/iommuser.h>

#include "vfio_pci_liveupdate.h"

#define KNOWN_FLAGS (IOMMUSER_DEVICE_ATS | IOMMUSER_DEVICE_RESET_WORKS)

static const struct vfio_device_ops *vfio_pci_device_ops;

static struct vfio_pci_core_device *file_vdev(struct file *file)
{
	struct vfio_device *device = vfio_liveupdate_cdev_device(file);

	if (!device || device->ops != vfio_pci_device_ops)
		return NULL;
	return container_of(device, struct vfio_pci_core_device, vdev);
}

static bool vfio_pci_liveupdate_can_preserve(struct liveupdate_file_handler *handler,
					     struct file *file)
{
	return file_vdev(file);
}

/*
 * Devices that the next kernel could not leave alone, and those whose requests
 * are not theirs alone. Enabling VFs needs the device lock, which is held.
 */
static bool supported(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;

	/* PCI fixups stop every USB controller at boot. */
	if (pdev->class >> 8 == PCI_CLASS_SERIAL_USB)
		return false;
	return !pdev->is_virtfn && !pci_num_vf(pdev) && !vdev->sriov_active;
}

/* From here until release_power() the device stays in D0. */
static int hold_power(struct vfio_pci_core_device *vdev)
{
	int ret = 0;

	down_write(&vdev->memory_lock);
	if (vdev->pm_runtime_engaged || vdev->pdev->current_state != PCI_D0)
		ret = -EBUSY;
	else
		vdev->liveupdate = true;
	up_write(&vdev->memory_lock);
	return ret;
}

static void release_power(struct vfio_pci_core_device *vdev)
{
	down_write(&vdev->memory_lock);
	vdev->liveupdate = false;
	up_write(&vdev->memory_lock);
}

static int fill_record(struct vfio_pci_core_device *vdev, u64 iommufd_token,
		       struct iommuser_vfio_pci_file_ser *record)
{
	struct pci_dev *pdev = vdev->pdev;

	record->segment = pci_domain_nr(pdev->bus);
	record->bdf = pci_dev_id(pdev);
	record->iommufd_token = iommufd_token;
	record->device = iommu_liveupdate_device_reference(&pdev->dev);
	record->device_flags = vdev->reset_works ? IOMMUSER_DEVICE_RESET_WORKS : 0;
	return WARN_ON(!record->device) ? -EIO : 0;
}

static int preserve_device(struct vfio_pci_core_device *vdev,
			   struct liveupdate_file_op_args *args,
			   struct iommuser_vfio_pci_file_ser *record)
{
	struct iommufd_device *idev = vdev->vdev.iommufd_device;
	u64 iommufd_token;
	int ret;

	lockdep_assert_held(&vdev->vdev.dev_set->lock);

	if (!vfio_liveupdate_cdev_bound(args->file))
		return -EINVAL;
	if (!supported(vdev))
		return -EOPNOTSUPP;

	ret = hold_power(vdev);
	if (ret)
		return ret;
	ret = iommufd_device_liveupdate_preserve(idev, args->session, &iommufd_token);
	if (ret)
		goto err_release_power;
	ret = fill_record(vdev, iommufd_token, record);
	if (ret)
		goto err_unpreserve;
	return 0;

err_unpreserve:
	iommufd_device_liveupdate_unpreserve(idev);
err_release_power:
	release_power(vdev);
	return ret;
}

static int vfio_pci_liveupdate_preserve(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_core_device *vdev = file_vdev(args->file);
	struct iommuser_vfio_pci_file_ser *record;
	int ret;

	/* Keeps out sriov_numvfs, and fails once the device is being removed. */
	if (!device_trylock(&vdev->pdev->dev))
		return -EBUSY;

	record = kho_alloc_preserve(sizeof(*record));
	if (IS_ERR(record)) {
		ret = PTR_ERR(record);
		goto out_unlock;
	}

	mutex_lock(&vdev->vdev.dev_set->lock);
	ret = preserve_device(vdev, args, record);
	mutex_unlock(&vdev->vdev.dev_set->lock);
	if (ret) {
		kho_unpreserve_free(record);
		goto out_unlock;
	}
	args->private_data = record;
	args->serialized_data = virt_to_phys(record);

out_unlock:
	device_unlock(&vdev->pdev->dev);
	return ret;
}

static void vfio_pci_liveupdate_unpreserve(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_core_device *vdev = file_vdev(args->file);

	mutex_lock(&vdev->vdev.dev_set->lock);
	iommufd_device_liveupdate_unpreserve(vdev->vdev.iommufd_device);
	release_power(vdev);
	mutex_unlock(&vdev->vdev.dev_set->lock);
	kho_unpreserve_free(args->private_data);
}

/*
 * A removal waits for the file, which LUO holds: the record would be handed
 * over for a device that is about to go, and the reboot would wait for the
 * device lock. Without it the live update is called off.
 */
static int vfio_pci_liveupdate_freeze(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_core_device *vdev = file_vdev(args->file);

	if (!device_is_registered(&vdev->vdev.device) || !pci_device_is_present(vdev->pdev)) {
		pci_err(vdev->pdev, "preserved for a live update, but removed\n");
		return -ENODEV;
	}
	return 0;
}

static bool record_is_sound(const struct iommuser_vfio_pci_file_ser *record)
{
	return record->segment <= INT_MAX && record->bdf <= U16_MAX && record->device &&
	       !(record->device_flags & ~KNOWN_FLAGS) &&
	       !memchr_inv(record->reserved, 0, sizeof(record->reserved));
}

/*
 * Does the file say the same as the state the device really runs on? That names
 * its iommufd by the address of its file data, which holds the token.
 */
static bool record_is_true(const struct iommuser_vfio_pci_file_ser *record)
{
	const struct iommuser_iommufd_file_ser *iommufd;
	struct iommuser_device device;

	if (!iommu_liveupdate_incoming_device(record->segment, record->bdf, &device) ||
	    device.phys != record->device)
		return false;
	iommufd = kho_preserved_page(device.owner_token);
	return iommufd && iommufd->iommufd_token == record->iommufd_token;
}

static struct file *open_cdev(struct pci_dev *pdev, const struct iommuser_vfio_pci_file_ser *record)
{
	struct vfio_pci_core_device *vdev;
	struct file *file;

	file = vfio_liveupdate_open_cdev(&pdev->dev, vfio_pci_device_ops);
	if (IS_ERR(file))
		return file;
	vdev = file_vdev(file);
	mutex_lock(&vdev->vdev.dev_set->lock);
	vdev->liveupdate_no_reset = !(record->device_flags & IOMMUSER_DEVICE_RESET_WORKS);
	mutex_unlock(&vdev->vdev.dev_set->lock);
	return file;
}

static struct file *open_incoming(const struct iommuser_vfio_pci_file_ser *record)
{
	struct file *file = ERR_PTR(-EINVAL);
	struct pci_dev *pdev;

	pdev = pci_get_domain_bus_and_slot(record->segment, PCI_BUS_NUM(record->bdf),
					   record->bdf & 0xff);
	if (!pdev)
		return ERR_PTR(-ENODEV);
	if (!iommu_liveupdate_device_incoming(&pdev->dev))
		file = ERR_PTR(-ENODATA);
	else if (record_is_true(record))
		file = open_cdev(pdev, record);
	pci_dev_put(pdev);
	return file;
}

/*
 * LUO remembers the error of a failed retrieve, all but -EAGAIN: that is what
 * a device gives which is not bound to vfio-pci yet, or for want of memory.
 */
static int vfio_pci_liveupdate_retrieve(struct liveupdate_file_op_args *args)
{
	const struct iommuser_vfio_pci_file_ser *record = kho_preserved_page(args->serialized_data);
	struct file *file = ERR_PTR(-EINVAL);

	if (record && record_is_sound(record))
		file = open_incoming(record);
	if (IS_ERR(file)) {
		pr_warn("live update: file %#llx is not retrieved: %pe\n", args->token, file);
		if (file == ERR_PTR(-ENOMEM) || file == ERR_PTR(-ENFILE))
			return -EAGAIN;
		return PTR_ERR(file);
	}
	args->file = file;
	return 0;
}

/*
 * While the device runs on restored state, the session is the only thing that
 * knows whose DMA it is. Retrieved or not: the device may have been bound
 * through another cdev file, or given up. Where the record doesn't tell which
 * device it is, there is still the iommufd's file to keep the session.
 */
static bool vfio_pci_liveupdate_can_finish(struct liveupdate_file_op_args *args)
{
	const struct iommuser_vfio_pci_file_ser *record = kho_preserved_page(args->serialized_data);

	return !record || !record_is_sound(record) ||
	       iommu_liveupdate_record_left(record->segment, record->bdf);
}

static void vfio_pci_liveupdate_finish(struct liveupdate_file_op_args *args)
{
	const struct iommuser_vfio_pci_file_ser *record = kho_preserved_page(args->serialized_data);

	/* Else it may be something else's memory. */
	if (record && record_is_sound(record))
		kho_restore_free(phys_to_virt(args->serialized_data));
}

static const struct liveupdate_file_ops vfio_pci_liveupdate_ops = {
	.can_preserve = vfio_pci_liveupdate_can_preserve,
	.preserve = vfio_pci_liveupdate_preserve,
	.unpreserve = vfio_pci_liveupdate_unpreserve,
	.freeze = vfio_pci_liveupdate_freeze,
	.retrieve = vfio_pci_liveupdate_retrieve,
	.can_finish = vfio_pci_liveupdate_can_finish,
	.finish = vfio_pci_liveupdate_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler vfio_pci_liveupdate_handler = {
	.ops = &vfio_pci_liveupdate_ops,
	.compatible = IOMMUSER_VFIO_PCI_V1_COMPATIBLE,
};

static bool handler_is_registered;

/**
 * vfio_pci_liveupdate_init() - make vfio-pci's files known to LUO
 * @ops: what tells vfio-pci's devices from those of other VFIO drivers
 *
 * Without LUO, or when it fails, vfio-pci works as ever and its files can't be
 * preserved.
 */
void vfio_pci_liveupdate_init(const struct vfio_device_ops *ops)
{
	int ret;

	vfio_pci_device_ops = ops;
	ret = liveupdate_register_file_handler(&vfio_pci_liveupdate_handler);
	if (ret && ret != -EOPNOTSUPP)
		pr_warn("no live update of devices: %pe\n", ERR_PTR(ret));
	handler_is_registered = !ret;
}

/**
 * vfio_pci_liveupdate_exit() - take vfio-pci's files away from LUO
 *
 * No session has such files: each holds a reference to the module.
 */
void vfio_pci_liveupdate_exit(void)
{
	if (handler_is_registered)
		liveupdate_unregister_file_handler(&vfio_pci_liveupdate_handler);
}

MODULE_IMPORT_NS("IOMMUFD");
