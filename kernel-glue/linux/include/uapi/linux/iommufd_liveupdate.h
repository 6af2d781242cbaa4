/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_IOMMUFD_LIVEUPDATE_H
#define _UAPI_LINUX_IOMMUFD_LIVEUPDATE_H

#include <linux/iommufd.h>

#define IOMMUFD_CMD_HWPT_LIVEUPDATE_MARK 0xc0
#define IOMMUFD_CMD_HWPT_LIVEUPDATE_RESTORE 0xc1
#define IOMMUFD_CMD_DEVICE_LIVEUPDATE_MARK_PASID 0xc2

/**
 * struct iommu_hwpt_liveupdate_mark - ioctl(IOMMU_HWPT_LIVEUPDATE_MARK)
 * @size: sizeof(struct iommu_hwpt_liveupdate_mark)
 * @hwpt_id: A paging HWPT that was allocated by IOMMU_HWPT_ALLOC
 * @hwpt_token: Name of the HWPT in the next kernel, unique in this iommufd
 *
 * Have the HWPT preserved whenever this iommufd is preserved by a live update
 * session. Marking changes nothing by itself; what it asks for is checked when
 * the iommufd is preserved:
 *
 * - Every mapping of the HWPT's IOAS is an IOMMU_IOAS_MAP_FILE of a memfd with
 *   F_SEAL_SEAL, F_SEAL_GROW and F_SEAL_SHRINK that the same session preserved
 *   before.
 * - From then on, until the session is closed, the IOAS can't be changed
 *   and the HWPT can't be destroyed, get or lose a device, or have dirty
 *   tracking switched: EBUSY.
 *
 * A mark can't be taken back. Destroy a marked HWPT rather than keep it for
 * another use.
 *
 * Errors: ENOENT, no such HWPT. EINVAL, not a paging HWPT, one that
 * IOMMU_HWPT_LIVEUPDATE_RESTORE made, or already marked with another token.
 * EADDRINUSE, the token names another HWPT of this iommufd. EOPNOTSUPP, a
 * nesting parent, or the IOMMU driver has no support for live update. EBUSY,
 * the iommufd is preserved.
 */
struct iommu_hwpt_liveupdate_mark {
	__u32 size;
	__u32 hwpt_id;
	__aligned_u64 hwpt_token;
};

#define IOMMU_HWPT_LIVEUPDATE_MARK \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_LIVEUPDATE_MARK)

/**
 * struct iommu_hwpt_liveupdate_restore - ioctl(IOMMU_HWPT_LIVEUPDATE_RESTORE)
 * @size: sizeof(struct iommu_hwpt_liveupdate_restore)
 * @flags: Must be 0
 * @hwpt_token: The token that the HWPT was marked with in the previous kernel
 * @out_hwpt_id: The HWPT
 * @__reserved: Must be 0
 *
 * Get hold of an HWPT that the previous kernel preserved. The iommufd is one
 * that a live update session gave out (LIVEUPDATE_SESSION_RETRIEVE_FD), and
 * every device that was attached to the HWPT is bound to it.
 *
 * The devices keep running on the HWPT's page tables, but are attached to
 * nothing as far as iommufd knows: attach each of them to @out_hwpt_id first,
 * which leaves the hardware alone, and then to another HWPT, which moves it
 * there without a moment in which its DMA fails. Once nothing is attached, the
 * HWPT is destroyed with IOMMU_DESTROY, which frees its page tables.
 *
 * It belongs to no IOAS of userspace, can't be mapped or unmapped, and can't be
 * marked with IOMMU_HWPT_LIVEUPDATE_MARK. Dirty tracking works when the IOMMU
 * has it, though IOMMU_HWPT_GET_DIRTY_BITMAP takes IOVAs that aren't mapped for
 * clean ones.
 *
 * Errors: EOPNOTSUPP, @flags or @__reserved is not 0. EINVAL, the iommufd was
 * not retrieved from a session. ENOENT, no such token, the HWPT was restored
 * and destroyed, or the session is finished. EBUSY, it is restored already:
 * @out_hwpt_id tells as which HWPT, 0 while another call is at it. ENODEV, a
 * device that was attached to it is not bound to this iommufd. ENOMEM. EFAULT.
 * After an error the call can be repeated.
 */
struct iommu_hwpt_liveupdate_restore {
	__u32 size;
	__u32 flags;
	__aligned_u64 hwpt_token;
	__u32 out_hwpt_id;
	__u32 __reserved;
};

#define IOMMU_HWPT_LIVEUPDATE_RESTORE \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_LIVEUPDATE_RESTORE)

/**
 * struct iommu_device_liveupdate_mark_pasid - ioctl(IOMMU_DEVICE_LIVEUPDATE_MARK_PASID)
 * @size: sizeof(struct iommu_device_liveupdate_mark_pasid)
 * @dev_id: A device that is bound to this iommufd
 * @pasid: A PASID of it that is attached (VFIO_DEVICE_ATTACH_PASID)
 * @__reserved: Must be 0
 *
 * Have the attachment of the PASID preserved whenever the device is preserved
 * by a live update session. Marking changes nothing by itself; what it asks for
 * is checked when the device is preserved: a device that has a PASID attached
 * without mark is refused (EOPNOTSUPP), and so is one whose PASID is attached to
 * an HWPT without mark (EINVAL). From then on, until the session is closed, no
 * PASID of the device can be attached, replaced or detached: EBUSY.
 *
 * The mark stays when the PASID is attached to another HWPT instead, and ends
 * when it is detached.
 *
 * In the next kernel, restore the HWPT and attach the PASID to it, which leaves
 * the hardware alone, then to another HWPT, which moves it there without a
 * moment in which its DMA fails. A device has left its restored HWPTs, as its
 * session needs for its end, when all its preserved PASIDs have, too. A PASID
 * that was moved or detached can't go back to a restored HWPT (EINVAL), and
 * those that were never attached again are blocked when the device is detached
 * or closed.
 *
 * Errors: EOPNOTSUPP, @__reserved is not 0, or the IOMMU driver has no support
 * for live update. ENOENT, no such device, or nothing is attached to @pasid.
 * EINVAL, @pasid is 0, which is that of requests without one. EBUSY, the device
 * is preserved.
 */
struct iommu_device_liveupdate_mark_pasid {
	__u32 size;
	__u32 dev_id;
	__u32 pasid;
	__u32 __reserved;
};

#define IOMMU_DEVICE_LIVEUPDATE_MARK_PASID \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_DEVICE_LIVEUPDATE_MARK_PASID)

#endif /* _UAPI_LINUX_IOMMUFD_LIVEUPDATE_H */
