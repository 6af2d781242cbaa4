// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of VFIO devices in a live update: to tell which device a cdev file
 * belongs to, to make such a file in the next kernel, where no process opens
 * the cdev's inode, and to go on with one that another process had.
 */
#include <linux/anon_inodes.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/iommufd_liveupdate.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>
#include <linux/vfio_liveupdate.h>

#include "vfio.h"

/**
 * vfio_liveupdate_cdev_device() - the device behind a file
 * @file: any file
 *
 * Return: the device, when @file is an opened VFIO device cdev. NULL for every
 * other file, also for a device file that a group gave out.
 */
struct vfio_device *vfio_liveupdate_cdev_device(struct file *file)
{
	struct vfio_device_file *df;

	if (file->f_op != &vfio_device_fops)
		return NULL;
	df = file->private_data;
	return df->group ? NULL : df->device;
}
EXPORT_SYMBOL_GPL(vfio_liveupdate_cdev_device);

/**
 * vfio_liveupdate_cdev_bound() - is it this file through which the device is bound?
 * @file: vfio_liveupdate_cdev_device() gave a device for it
 *
 * A cdev can be opened more than once, but only one of the files can bind the
 * device to an iommufd.
 *
 * Lock: the device set's lock.
 */
bool vfio_liveupdate_cdev_bound(struct file *file)
{
	struct vfio_device_file *df = file->private_data;

	lockdep_assert_held(&df->device->dev_set->lock);
	return df->access_granted && df->device->iommufd_device;
}
EXPORT_SYMBOL_GPL(vfio_liveupdate_cdev_bound);

static int match_vfio_device(struct device *child, const void *unused)
{
	return child->class == &vfio_device_class;
}

/* The registered VFIO device of @dev, with a registration reference. */
static struct vfio_device *get_registered(struct device *dev, const struct vfio_device_ops *ops)
{
	struct vfio_device *device;
	struct device *child;

	child = device_find_child(dev, NULL, match_vfio_device);
	if (!child)
		return NULL;
	device = container_of(child, struct vfio_device, device);
	/* From here on the registration keeps the device. */
	if (device->ops != ops || !vfio_device_try_get_registration(device))
		device = NULL;
	put_device(child);
	return device;
}

/**
 * vfio_liveupdate_open_cdev() - open a device as if through its cdev
 * @dev: parent of the VFIO device
 * @ops: the VFIO device must have these
 *
 * Like a freshly opened cdev, the file does nothing until the device is bound
 * to an iommufd through it. Its release drops the registration reference.
 *
 * Return: the file; -EAGAIN, no VFIO device with @ops is registered for @dev
 * (yet); -ENOMEM; -ENFILE.
 */
struct file *vfio_liveupdate_open_cdev(struct device *dev, const struct vfio_device_ops *ops)
{
	struct vfio_device_file *df;
	struct vfio_device *device;
	struct file *file;

	device = get_registered(dev, ops);
	if (!device)
		return ERR_PTR(-EAGAIN);

	df = vfio_allocate_device_file(device);
	if (IS_ERR(df)) {
		file = ERR_CAST(df);
		goto err_put_registration;
	}
	file = anon_inode_getfile_fmode("[vfio-cdev]", &vfio_device_fops, df, O_RDWR,
					FMODE_PREAD | FMODE_PWRITE);
	if (IS_ERR(file))
		goto err_free_df;

	/* So that revoking access finds the mappings made through this file too. */
	file->f_mapping = device->inode->i_mapping;
	return file;

err_free_df:
	kfree(df);
err_put_registration:
	vfio_device_put_registration(device);
	return file;
}
EXPORT_SYMBOL_GPL(vfio_liveupdate_open_cdev);

/**
 * vfio_liveupdate_busy() - must the device's attachments stay as they are?
 * @device: opened
 *
 * Return: true while the device, or the HWPT it is attached to, is preserved.
 *
 * Lock: the device set's lock.
 */
bool vfio_liveupdate_busy(struct vfio_device *device)
{
	lockdep_assert_held(&device->dev_set->lock);
	return device->iommufd_device &&
	       iommufd_device_liveupdate_busy(device->iommufd_device);
}

/**
 * vfio_liveupdate_bind_again() - bind a device through a file that has bound it
 * @df: access was granted
 * @iommufd: file descriptor
 * @out_devid: where userspace wants the device's id
 *
 * The session keeps retrieved files open. So a process that goes on where
 * another one died gets a file that may have been bound already, and asks for
 * an id that only the other one knew.
 *
 * Return: 0 when @iommufd is the retrieved one that the device is bound to;
 * -EINVAL, as ever; -EFAULT.
 *
 * Lock: the device set's lock.
 */
int vfio_liveupdate_bind_again(struct vfio_device_file *df, int iommufd, u32 __user *out_devid)
{
	struct iommufd_ctx *ictx;
	int ret = -EINVAL;

	lockdep_assert_held(&df->device->dev_set->lock);

	ictx = iommufd_ctx_from_fd(iommufd);
	if (IS_ERR(ictx))
		return -EINVAL;
	if (ictx == df->iommufd && iommufd_ctx_liveupdate_retrieved(ictx))
		ret = put_user(df->devid, out_devid);
	iommufd_ctx_put(ictx);
	return ret;
}
