// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update in the VT-d driver: PASID entries of devices in scalable mode,
 * that of requests without PASID among them.
 *
 * The PASID capability of a device stays enabled through the jump, as nothing
 * resets it; the next kernel writes the same bits to it again.
 */
#include <iommuser/records.h>

#include "liveupdate.h"
#include "pasid.h"

/**
 * intel_liveupdate_find_pasid_entry() - the entry of a PASID of a device
 * @info: the device
 * @pasid: the PASID
 *
 * Return: NULL when it has none. It may be not present.
 */
struct pasid_entry *intel_liveupdate_find_pasid_entry(const struct device_domain_info *info,
						      u32 pasid)
{
	const struct pasid_table *pasid_table = info->pasid_table;
	struct pasid_dir_entry *directory;
	struct pasid_entry *entries;

	if (!pasid_table || pasid >= pasid_table->max_pasid)
		return NULL;
	directory = pasid_table->table;
	entries = get_pasid_table_from_pde(&directory[pasid >> PASID_PDE_SHIFT]);
	return entries ? &entries[pasid & PASID_PTE_MASK] : NULL;
}

/**
 * intel_liveupdate_pasid_entry_leads() - does an entry lead to certain tables?
 * @entry: of a PASID
 * @first_stage: they are first-stage tables
 * @top_table: physical address of the top one
 * @top_level: level of that
 * @did: domain id
 */
bool intel_liveupdate_pasid_entry_leads(struct pasid_entry *entry, bool first_stage, u64 top_table,
					u32 top_level, u32 did)
{
	if (!pasid_pte_is_present(entry) || pasid_get_domain_id(entry) != did)
		return false;
	if (first_stage)
		return pasid_pte_get_pgtt(entry) == PASID_ENTRY_PGTT_FL_ONLY &&
		       (entry->val[2] & VTD_PAGE_MASK) == top_table &&
		       (entry->val[2] >> 2 & 3) == top_level - 3;
	return pasid_pte_get_pgtt(entry) == PASID_ENTRY_PGTT_SL_ONLY &&
	       (entry->val[0] & VTD_PAGE_MASK) == top_table &&
	       (entry->val[0] >> 2 & 7) == top_level - 1;
}

/**
 * intel_liveupdate_count_pasids() - PASIDs of a device that hardware has entries for
 * @info: the device
 *
 * Return: how many, that of requests without PASID left out.
 */
unsigned int intel_liveupdate_count_pasids(const struct device_domain_info *info)
{
	const struct pasid_table *pasid_table = info->pasid_table;
	struct pasid_entry *entry;
	unsigned int count = 0;
	u32 pasid;

	for (pasid = 0; pasid < pasid_table->max_pasid; pasid++) {
		entry = intel_liveupdate_find_pasid_entry(info, pasid);
		if (!entry)
			pasid |= PASID_PTE_MASK;
		else if (pasid != IOMMU_NO_PASID && pasid_pte_is_present(entry))
			count++;
	}
	return count;
}

/**
 * intel_liveupdate_describe_pasid() - see struct iommu_liveupdate_ops
 * @dev: a device that intel_liveupdate_describe_device() described
 * @pasid: the PASID
 * @domain: what is said to be attached to it
 * @did: set to its domain id
 *
 * Return: 0; -EINVAL, @domain is not what is attached; -EOPNOTSUPP.
 */
int intel_liveupdate_describe_pasid(struct device *dev, u32 pasid, struct iommu_domain *domain,
				    u32 *did)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct iommuser_domain record = {};
	struct pasid_entry *entry;
	int ret;

	if (!sm_supported(info->iommu))
		return -EOPNOTSUPP;
	ret = intel_liveupdate_describe_domain(domain, &record);
	if (ret)
		return ret;
	*did = domain_id_iommu(to_dmar_domain(domain), info->iommu);
	guard(spinlock)(&info->iommu->lock);
	entry = intel_liveupdate_find_pasid_entry(info, pasid);
	if (!entry || !intel_liveupdate_pasid_entry_leads(entry,
							  record.stage == IOMMUSER_STAGE_FIRST,
							  record.top_table, record.top_level, *did))
		return -EINVAL;
	return 0;
}

/**
 * intel_liveupdate_block_pasid() - see struct iommu_liveupdate_ops
 * @dev: the device
 * @pasid: of it; attached to a restored domain, or left on one
 */
void intel_liveupdate_block_pasid(struct device *dev, u32 pasid)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);

	/* Without an entry there is nothing to take away. */
	if (intel_liveupdate_find_pasid_entry(info, pasid))
		intel_pasid_tear_down_entry(info->iommu, dev, pasid, false);
}
