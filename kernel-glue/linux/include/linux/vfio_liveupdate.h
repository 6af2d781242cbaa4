/* SPDX-License-Identifier: GPL-2.0-only */
/* What VFIO's core does for drivers that preserve their devices across a live update. */
#ifndef _LINUX_VFIO_LIVEUPDATE_H
#define _LINUX_VFIO_LIVEUPDATE_H

#include <linux/errno.h>
#include <linux/types.h>

struct device;
struct file;
struct vfio_device;
struct vfio_device_file;
struct vfio_device_ops;

#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE)
struct vfio_device *vfio_liveupdate_cdev_device(struct file *file);
bool vfio_liveupdate_cdev_bound(struct file *file);
struct file *vfio_liveupdate_open_cdev(struct device *dev, const struct vfio_device_ops *ops);
bool vfio_liveupdate_busy(struct vfio_device *device);
int vfio_liveupdate_bind_again(struct vfio_device_file *df, int iommufd, u32 __user *out_devid);
#else
static inline bool vfio_liveupdate_busy(struct vfio_device *device) { return false; }
static inline int vfio_liveupdate_bind_again(struct vfio_device_file *df, int iommufd,
					     u32 __user *out_devid)
{
	return -EINVAL;
}
#endif

#endif /* _LINUX_VFIO_LIVEUPDATE_H */
