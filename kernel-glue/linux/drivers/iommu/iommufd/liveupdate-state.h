/* SPDX-License-Identifier: GPL-2.0-only */
/* What the two halves of live update in iommufd share: before the jump, and after it. */
#ifndef __IOMMUFD_LIVEUPDATE_STATE_H
#define __IOMMUFD_LIVEUPDATE_STATE_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct file;
struct iommufd_ctx;
struct iommufd_device;
struct iommufd_ioas;
struct iommufd_preserved;
struct liveupdate_file_op_args;

/**
 * struct iommufd_liveupdate - what live update keeps for an iommufd
 * @lock: protects @marks, @nr_marks, @preserved and every
 *	iommufd_hwpt_paging::liveupdate_mark
 * @marks: struct iommufd_liveupdate_mark by token
 * @nr_marks: how many they are
 * @preserved: while a session has the iommufd; @marks only loses HWPTs then
 *	that are being destroyed
 * @restored_ioas: what restored HWPTs have for an IOAS: frozen, empty but for
 *	reserved IOVAs, and in no xarray, so that userspace can't reach it. Set
 *	before anybody else has the file; NULL unless a session gave out the
 *	iommufd
 *
 * Exists from the first mark on, or from the start in a retrieved iommufd.
 */
struct iommufd_liveupdate {
	struct mutex lock; /* see above */
	struct xarray marks;
	unsigned int nr_marks;
	struct iommufd_preserved *preserved;
	struct iommufd_ioas *restored_ioas;
};

struct iommufd_liveupdate *iommufd_liveupdate_state(struct iommufd_ctx *ictx);

struct iommu_liveupdate_pasid *iommufd_device_liveupdate_pasids(struct iommufd_device *idev,
								unsigned int *nr_pasids);
bool iommufd_device_liveupdate_pasids_outgoing(struct iommufd_device *idev);

int iommufd_luo_retrieve(struct liveupdate_file_op_args *args);
bool iommufd_luo_can_finish(struct liveupdate_file_op_args *args);
void iommufd_luo_abandon(struct liveupdate_file_op_args *args);
void iommufd_luo_finish(struct liveupdate_file_op_args *args);
void iommufd_liveupdate_free_restored_ioas(struct iommufd_liveupdate *state);

#if IS_ENABLED(CONFIG_KUNIT)
struct iommufd_ioas *iommufd_liveupdate_alloc_restored_ioas(void);
struct file *iommufd_liveupdate_open(void);
struct file *iommufd_liveupdate_open_retrieved(u64 key);
#endif

#endif /* __IOMMUFD_LIVEUPDATE_STATE_H */
