/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rest of iommufd sees of live update: its ioctls, the lifetime of
 * marks, the questions whether an IOAS, an HWPT or an attachment may be
 * changed, and the IOAS of restored HWPTs. Everything is an inline no-op
 * without CONFIG_IOMMU_LIVEUPDATE.
 */
#ifndef __IOMMUFD_LIVEUPDATE_H
#define __IOMMUFD_LIVEUPDATE_H

#include <linux/iommu_liveupdate.h>
#include <linux/iommufd_liveupdate.h>
#include <linux/fs.h>
#include <linux/lockdep.h>
#include <uapi/linux/iommufd_liveupdate.h>

#include "iommufd_private.h"

extern const struct file_operations iommufd_fops;

#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE)

/**
 * iopt_liveupdate_frozen() - do the mappings belong to the next kernel?
 * @iopt: io_pagetable that somebody is about to change
 *
 * Lock: iopt->iova_rwsem, for reading or writing; the answer holds that long.
 * Return: true while a session has the iommufd and a marked HWPT uses @iopt.
 */
static inline bool iopt_liveupdate_frozen(struct io_pagetable *iopt)
{
	lockdep_assert_held(&iopt->iova_rwsem);
	return iopt->liveupdate_frozen;
}

bool iopt_liveupdate_domain_frozen(struct io_pagetable *iopt, struct iommu_domain *domain);

/**
 * iopt_liveupdate_restored() - are there mappings that no area tells about?
 * @iopt: io_pagetable of an HWPT
 *
 * Return: true when it's that of restored HWPTs.
 */
static inline bool iopt_liveupdate_restored(const struct io_pagetable *iopt)
{
	return iopt->liveupdate_restored;
}

int iopt_liveupdate_clear_dirty(struct iommu_domain *domain, struct iommu_dirty_bitmap *dirty);

int iommufd_liveupdate_may_attach(struct iommufd_device *idev,
				  struct iommufd_hw_pagetable *old_hwpt,
				  struct iommufd_hw_pagetable *new_hwpt);

int iommufd_hwpt_liveupdate_mark(struct iommufd_ucmd *ucmd);
int iommufd_hwpt_liveupdate_restore(struct iommufd_ucmd *ucmd);
int iommufd_device_liveupdate_mark_pasid(struct iommufd_ucmd *ucmd);
void iommufd_hwpt_liveupdate_unmark(struct iommufd_hwpt_paging *hwpt_paging);
void iommufd_liveupdate_release(struct iommufd_ctx *ictx);

int iommufd_liveupdate_init(void);
void iommufd_liveupdate_exit(void);

#else

static inline bool iopt_liveupdate_frozen(struct io_pagetable *iopt)
{
	return false;
}

static inline bool iopt_liveupdate_domain_frozen(struct io_pagetable *iopt,
						 struct iommu_domain *domain)
{
	return false;
}

static inline bool iopt_liveupdate_restored(const struct io_pagetable *iopt)
{
	return false;
}

static inline int iopt_liveupdate_clear_dirty(struct iommu_domain *domain,
					      struct iommu_dirty_bitmap *dirty)
{
	return -EOPNOTSUPP;
}

static inline int iommufd_liveupdate_may_attach(struct iommufd_device *idev,
						struct iommufd_hw_pagetable *old_hwpt,
						struct iommufd_hw_pagetable *new_hwpt)
{
	return 0;
}

static inline int iommufd_hwpt_liveupdate_mark(struct iommufd_ucmd *ucmd)
{
	return -ENOIOCTLCMD;
}

static inline int iommufd_hwpt_liveupdate_restore(struct iommufd_ucmd *ucmd)
{
	return -ENOIOCTLCMD;
}

static inline int iommufd_device_liveupdate_mark_pasid(struct iommufd_ucmd *ucmd)
{
	return -ENOIOCTLCMD;
}

static inline void iommufd_hwpt_liveupdate_unmark(struct iommufd_hwpt_paging *hwpt_paging) {}
static inline void iommufd_liveupdate_release(struct iommufd_ctx *ictx) {}
static inline int iommufd_liveupdate_init(void) { return 0; }
static inline void iommufd_liveupdate_exit(void) {}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* __IOMMUFD_LIVEUPDATE_H */
