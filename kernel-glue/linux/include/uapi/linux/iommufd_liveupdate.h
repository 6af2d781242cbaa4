/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_IOMMUFD_LIVEUPDATE_H
#define _UAPI_LINUX_IOMMUFD_LIVEUPDATE_H

#include <linux/iommufd.h>

#define IOMMUFD_CMD_HWPT_LIVEUPDATE_MARK 0xc0

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
 * Errors: ENOENT, no such HWPT. EINVAL, not a paging HWPT, or already marked
 * with another token. EADDRINUSE, the token names another HWPT of this
 * iommufd. EOPNOTSUPP, a nesting parent, or the IOMMU driver has no support
 * for live update. EBUSY, the iommufd is preserved.
 */
struct iommu_hwpt_liveupdate_mark {
	__u32 size;
	__u32 hwpt_id;
	__aligned_u64 hwpt_token;
};

#define IOMMU_HWPT_LIVEUPDATE_MARK \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_LIVEUPDATE_MARK)

#endif /* _UAPI_LINUX_IOMMUFD_LIVEUPDATE_H */
