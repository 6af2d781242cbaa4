/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a driver that owns iommufd devices asks of iommufd when it preserves
 * one of them for a live update. Exported in namespace IOMMUFD.
 */
#ifndef _LINUX_IOMMUFD_LIVEUPDATE_H
#define _LINUX_IOMMUFD_LIVEUPDATE_H

#include <linux/errno.h>
#include <linux/types.h>

struct iommufd_ctx;
struct iommufd_device;
struct liveupdate_session;

#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE)
int iommufd_device_liveupdate_preserve(struct iommufd_device *idev,
				       struct liveupdate_session *session,
				       u64 *iommufd_token);
void iommufd_device_liveupdate_unpreserve(struct iommufd_device *idev);
bool iommufd_device_liveupdate_busy(struct iommufd_device *idev);
bool iommufd_ctx_liveupdate_retrieved(struct iommufd_ctx *ictx);
#else
static inline int iommufd_device_liveupdate_preserve(struct iommufd_device *idev,
						     struct liveupdate_session *session,
						     u64 *iommufd_token)
{
	return -EOPNOTSUPP;
}

static inline void iommufd_device_liveupdate_unpreserve(struct iommufd_device *idev) {}

static inline bool iommufd_device_liveupdate_busy(struct iommufd_device *idev)
{
	return false;
}

static inline bool iommufd_ctx_liveupdate_retrieved(struct iommufd_ctx *ictx)
{
	return false;
}
#endif

#endif /* _LINUX_IOMMUFD_LIVEUPDATE_H */
