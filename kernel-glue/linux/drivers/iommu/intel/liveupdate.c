// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update in the VT-d driver: the operations that the IOMMU live-update
 * core calls, gathered from the files that have them.
 */
#include <linux/acpi.h>

#include <kho/abi/iommuser.h>

#include "liveupdate.h"

/**
 * intel_liveupdate_host_address_width() - bits of a physical address in DMA
 *
 * What the firmware says, so that both kernels of a live update agree.
 *
 * Return: the width, or -ENODEV when there is no DMAR table.
 */
int intel_liveupdate_host_address_width(void)
{
	struct acpi_table_header *table;
	int width;

	if (ACPI_FAILURE(acpi_get_table(ACPI_SIG_DMAR, 0, &table)))
		return -ENODEV;
	width = container_of(table, struct acpi_table_dmar, header)->width + 1;
	acpi_put_table(table);
	return width;
}

/**
 * intel_liveupdate_mode() - the mode that this kernel runs a unit in
 * @iommu: the unit
 *
 * Return: IOMMUSER_IOMMU_MODE_*.
 */
u32 intel_liveupdate_mode(struct intel_iommu *iommu)
{
	return sm_supported(iommu) ? IOMMUSER_IOMMU_MODE_SCALABLE : IOMMUSER_IOMMU_MODE_LEGACY;
}

const struct iommu_liveupdate_ops intel_liveupdate_ops = {
	.describe_unit = intel_liveupdate_describe_unit,
	.describe_domain = intel_liveupdate_describe_domain,
	.describe_device = intel_liveupdate_describe_device,
	.describe_pasid = intel_liveupdate_describe_pasid,
	.device_preserved = intel_liveupdate_device_preserved,
	.device_unpreserved = intel_liveupdate_device_unpreserved,
	.describe_real_unit = intel_liveupdate_describe_real_unit,
	.reserve_did = intel_liveupdate_reserve_did,
	.release_did = intel_liveupdate_release_did,
	.restore_domain = intel_liveupdate_restore_domain,
	.hold_did = intel_liveupdate_hold_did,
	.block_pasid = intel_liveupdate_block_pasid,
	.clear_entry = intel_liveupdate_clear_entry,
	.spend_domain = intel_liveupdate_spend_domain,
	.abandon_domain = intel_liveupdate_abandon_domain,
};

/**
 * intel_liveupdate_get_context() - copy the context entry of a device
 * @info: the device
 * @copy: filled when there is one
 *
 * Return: true when the device has a present context entry.
 */
bool intel_liveupdate_get_context(const struct device_domain_info *info,
				  struct context_entry *copy)
{
	struct intel_iommu *iommu = info->iommu;
	struct context_entry *context;

	guard(spinlock)(&iommu->lock);
	context = iommu_context_addr(iommu, info->bus, info->devfn, 0);
	if (!context || !context_present(context))
		return false;
	*copy = *context;
	return true;
}
