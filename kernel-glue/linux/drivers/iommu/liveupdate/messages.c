// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library's errors and findings in the kernel's terms.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/errno.h>
#include <linux/printk.h>

#include <iommuser/error.h>

#include "internal.h"

/**
 * iommu_liveupdate_errno() - errno for an error of the library
 * @error: 0 or a negated enum iommuser_error
 *
 * Return: 0 or a negative errno.
 */
int iommu_liveupdate_errno(int error)
{
	switch (-error) {
	case 0:
		return 0;
	case IOMMUSER_EINVAL:
		return -EINVAL;
	case IOMMUSER_EBUSY:
		return -EBUSY;
	case IOMMUSER_ENOENT:
		return -ENOENT;
	case IOMMUSER_ENODEV:
		return -ENODEV;
	case IOMMUSER_ENOMEM:
		return -ENOMEM;
	case IOMMUSER_EUNKNOWN:
		return -EOPNOTSUPP;
	case IOMMUSER_EMISMATCH:
		return -ENODEV;
	default:
		return -EIO;
	}
}

/**
 * iommu_liveupdate_error_name() - what an error of the library means
 * @error: a negated enum iommuser_error
 *
 * Return: words for the log.
 */
const char *iommu_liveupdate_error_name(int error)
{
	switch (-error) {
	case IOMMUSER_EINVAL:
		return "impossible format";
	case IOMMUSER_ENOSPC:
		return "more tables than memory can hold";
	case IOMMUSER_EBUSY:
		return "already done";
	case IOMMUSER_ENOENT:
		return "no such record";
	case IOMMUSER_ENODEV:
		return "a device is not there yet";
	case IOMMUSER_ENOMEM:
		return "out of memory";
	case IOMMUSER_EREFUSED:
		return "a page can't be preserved or restored";
	case IOMMUSER_EUNMAPPED:
		return "a table lies outside of allocated memory";
	case IOMMUSER_ECORRUPT:
		return "tables are not sound";
	case IOMMUSER_EUNKNOWN:
		return "unknown format";
	case IOMMUSER_EMISMATCH:
		return "made for another IOMMU";
	default:
		return "internal error";
	}
}

/**
 * iommu_liveupdate_log_finding() - report() of a reporter that writes to the log
 * @ctx: a struct iommu_liveupdate_log, zeroed before the check
 * @finding: the finding
 *
 * Info goes unlogged, and so does what is beyond the limit.
 */
void iommu_liveupdate_log_finding(void *ctx, const struct iommuser_finding *finding)
{
	struct iommu_liveupdate_log *log = ctx;

	if (finding->severity == IOMMUSER_INFO || log->nr_findings > IOMMU_LIVEUPDATE_LOG_LIMIT)
		return;
	if (log->nr_findings++ == IOMMU_LIVEUPDATE_LOG_LIMIT) {
		pr_warn("further findings are not shown\n");
		return;
	}
	pr_warn("%s at 0x%llx: found 0x%llx, expected 0x%llx\n", iommuser_finding_code(finding->id),
		finding->phys, finding->found, finding->expected);
}
