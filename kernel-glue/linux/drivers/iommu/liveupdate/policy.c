// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens when IOMMU state that was handed over can't be trusted:
 *
 *   iommu_liveupdate.on_error=panic	(default) stop: devices may go on writing
 *					to memory whose owner is not known
 *   iommu_liveupdate.on_error=block	keep all preserved memory reserved, take
 *					bus mastering from every PCI endpoint and
 *					boot with translation that blocks
 *   iommu_liveupdate.verify=seal	check root, seals and records
 *   iommu_liveupdate.verify=tables	(default) and all hardware tables
 *   iommu_liveupdate.verify=closure	and that all of it is preserved
 *
 * The default is the cheapest level that reads every page table: 31 thousand
 * instructions for each of their pages, against 4 with seal. closure takes 54,
 * and 4 million for each GiB of the machine.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/device.h>
#include <linux/moduleparam.h>
#include <linux/panic.h>
#include <linux/pci.h>
#include <linux/printk.h>
#include <linux/string.h>

#include <iommuser/finding.h>

#include "incoming.h"

/* Findings in the log, at most. */
#define MAX_PRINTED 32

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iommu_liveupdate."

static const char * const on_error_names[] = {
	[IOMMU_INCOMING_PANIC] = "panic",
	[IOMMU_INCOMING_BLOCK] = "block",
};

static const char * const verify_names[] = {
	[IOMMUSER_LEVEL_RECORDS] = "seal",
	[IOMMUSER_LEVEL_TABLES] = "tables",
	[IOMMUSER_LEVEL_CLOSURE] = "closure",
};

static enum iommu_incoming_on_error policy_on_error __ro_after_init = IOMMU_INCOMING_PANIC;
static enum iommuser_restore_level policy_verify __ro_after_init = IOMMUSER_LEVEL_TABLES;

/**
 * iommu_incoming_parse_on_error() - the value of iommu_liveupdate.on_error=
 * @value: as given, or NULL
 * @on_error: set on success
 *
 * Return: 0 or -EINVAL.
 */
int iommu_incoming_parse_on_error(const char *value, enum iommu_incoming_on_error *on_error)
{
	int i = value ? match_string(on_error_names, ARRAY_SIZE(on_error_names), value) : -EINVAL;

	if (i < 0)
		return -EINVAL;
	*on_error = i;
	return 0;
}

/**
 * iommu_incoming_parse_verify() - the value of iommu_liveupdate.verify=
 * @value: as given, or NULL
 * @level: set on success
 *
 * Return: 0 or -EINVAL.
 */
int iommu_incoming_parse_verify(const char *value, enum iommuser_restore_level *level)
{
	int i = value ? match_string(verify_names, ARRAY_SIZE(verify_names), value) : -EINVAL;

	if (i < 0)
		return -EINVAL;
	*level = i;
	return 0;
}

static int on_error_set(const char *value, const struct kernel_param *param)
{
	int error = iommu_incoming_parse_on_error(value, &policy_on_error);

	if (error)
		pr_err("on_error=%s is neither panic nor block; it stays %s\n", value ?: "",
		       on_error_names[policy_on_error]);
	return error;
}

static int on_error_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", on_error_names[policy_on_error]);
}

static const struct kernel_param_ops on_error_param = {
	.set = on_error_set,
	.get = on_error_get,
};
module_param_cb(on_error, &on_error_param, NULL, 0444);

static int verify_set(const char *value, const struct kernel_param *param)
{
	int error = iommu_incoming_parse_verify(value, &policy_verify);

	if (error)
		pr_err("verify=%s is none of seal, tables and closure; it stays %s\n", value ?: "",
		       verify_names[policy_verify]);
	return error;
}

static int verify_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", verify_names[policy_verify]);
}

static const struct kernel_param_ops verify_param = {
	.set = verify_set,
	.get = verify_get,
};
module_param_cb(verify, &verify_param, NULL, 0444);

/** iommu_incoming_verify_level() - how deep to validate, as the command line says */
enum iommuser_restore_level iommu_incoming_verify_level(void)
{
	return policy_verify;
}

/**
 * iommu_incoming_verify_name() - what the command line calls a level
 * @level: the level
 */
const char *iommu_incoming_verify_name(enum iommuser_restore_level level)
{
	return verify_names[level];
}

/**
 * iommu_incoming_note() - a reporter of the library
 * @report: struct iommu_incoming_report
 * @finding: what was found
 */
void iommu_incoming_note(void *report, const struct iommuser_finding *finding)
{
	const char *code = iommuser_finding_code(finding->id);
	struct iommu_incoming_report *to = report;

	if (finding->severity == IOMMUSER_INFO)
		return;
	if (finding->severity != IOMMUSER_WARNING && !to->nr_errors++)
		strscpy(to->code, code ?: "?");
	if (to->quiet || to->nr_printed > MAX_PRINTED)
		return;
	if (to->nr_printed++ == MAX_PRINTED)
		pr_warn("there is more that is wrong, not shown\n");
	else if (finding->severity == IOMMUSER_WARNING)
		pr_warn("%s at %#llx: found %#llx, expected %#llx\n", code, finding->phys,
			finding->found, finding->expected);
	else
		pr_err("%s at %#llx: found %#llx, expected %#llx\n", code, finding->phys,
		       finding->found, finding->expected);
}

/* Devices that appear later start with bus mastering off anyway. */
static void stop_all_endpoints(void)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev)
		if (pdev->hdr_type == PCI_HEADER_TYPE_NORMAL)
			pci_clear_master(pdev);
}

/**
 * iommu_incoming_fail() - the handover as a whole can't be used
 * @report: with the code of the first error
 * @what: was being done
 * @error: negative errno
 *
 * Returns only with iommu_liveupdate.on_error=block, when every endpoint that
 * is there has lost bus mastering.
 */
void iommu_incoming_fail(const struct iommu_incoming_report *report, const char *what, int error)
{
	const char *code = report && report->code[0] ? report->code : "no finding";

	if (policy_on_error == IOMMU_INCOMING_PANIC)
		panic("iommu: liveupdate: the handover can't be used: %s: %s (%d)\n", code, what,
		      error);
	pr_crit("the handover can't be used: %s: %s (%d)\n", code, what, error);
	pr_crit("all PCI endpoints are stopped, preserved memory stays reserved\n");
	stop_all_endpoints();
}

/**
 * iommu_incoming_fail_device() - one device can't be put on its restored domain
 * @dev: the device
 * @what: was being done
 * @error: negative errno
 *
 * Returns only with iommu_liveupdate.on_error=block, when @dev has lost bus
 * mastering.
 */
void iommu_incoming_fail_device(struct device *dev, const char *what, int error)
{
	if (policy_on_error == IOMMU_INCOMING_PANIC)
		panic("iommu: liveupdate: %s can't be restored: %s (%d)\n", dev_name(dev), what,
		      error);
	dev_crit(dev, "can't be restored after live update: %s (%d); it is blocked\n", what,
		 error);
	if (dev_is_pci(dev))
		pci_clear_master(to_pci_dev(dev));
}
