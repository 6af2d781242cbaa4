// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update in the VT-d driver, outgoing side: describes units, domains and
 * devices as the records want them, and keeps what shutdown must know.
 */
#include <linux/pci.h>
#include <linux/slab.h>

#include <iommuser/preserve.h>

#include "liveupdate.h"
#include "pasid.h"

/**
 * intel_liveupdate_unit_in_use() - must a unit not be removed?
 * @iommu: the unit
 *
 * It has preserved devices, or domain ids are held on it: those of devices
 * that are attached, or of a restored domain.
 *
 * Lock: dmar_global_lock.
 */
bool intel_liveupdate_unit_in_use(struct intel_iommu *iommu)
{
	return iommu && (READ_ONCE(iommu->liveupdate) || !ida_is_empty(&iommu->domain_ida));
}

/**
 * intel_liveupdate_describe_unit() - see struct iommu_liveupdate_ops
 * @iommu_dev: the unit
 * @record: to fill in
 *
 * Return: 0; -EOPNOTSUPP when the unit does not translate, or runs on tables
 * copied from a kernel that crashed; -ENODEV without a DMAR table.
 */
int intel_liveupdate_describe_unit(struct iommu_device *iommu_dev, struct iommuser_iommu *record)
{
	struct intel_iommu *iommu = container_of(iommu_dev, struct intel_iommu, iommu);
	int width = intel_liveupdate_host_address_width();

	if (width < 0)
		return width;
	if (!iommu->root_entry || !(iommu->gcmd & DMA_GCMD_TE) || iommu->copied_tables)
		return -EOPNOTSUPP;
	record->type = IOMMUSER_IOMMU_TYPE_INTEL;
	record->segment = iommu->segment;
	record->token = iommu->reg_phys;
	record->mode = intel_liveupdate_mode(iommu);
	record->host_address_width = width;
	record->registers = iommu->reg_phys;
	record->root_table = virt_to_phys(iommu->root_entry);
	record->cap = iommu->cap;
	record->ecap = iommu->ecap;
	record->first_did = IDA_START_DID;
	record->did_limit = cap_ndoms(iommu->cap);
	return 0;
}

static void describe_common(const struct pt_common *common, struct iommuser_domain *record)
{
	record->input_width = common->max_vasz_lg2;
	record->output_width = common->max_oasz_lg2;
	if (common->features & BIT(PT_FEAT_DMA_INCOHERENT))
		record->features |= IOMMUSER_FEATURE_INCOHERENT_WALK;
	if (common->features & BIT(PT_FEAT_SIGN_EXTEND))
		record->features |= IOMMUSER_FEATURE_SIGN_EXTEND;
}

/**
 * intel_liveupdate_describe_domain() - see struct iommu_liveupdate_ops
 * @domain: any
 * @record: to fill in
 *
 * Return: 0; -EOPNOTSUPP for what is not a plain paging domain.
 */
int intel_liveupdate_describe_domain(struct iommu_domain *domain, struct iommuser_domain *record)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct pt_iommu_x86_64_hw_info first;
	struct pt_iommu_vtdss_hw_info second;

	record->features = 0;
	if (domain->ops == &intel_fs_paging_domain_ops) {
		pt_iommu_x86_64_hw_info(&dmar_domain->fspt, &first);
		record->stage = IOMMUSER_STAGE_FIRST;
		record->format = IOMMUSER_FORMAT_VTD_FIRST_STAGE;
		record->top_table = first.gcr3_pt;
		record->top_level = first.levels - 1;
		describe_common(&dmar_domain->fspt.x86_64_pt.common, record);
	} else if (domain->ops == &intel_ss_paging_domain_ops && !dmar_domain->nested_parent) {
		pt_iommu_vtdss_hw_info(&dmar_domain->sspt, &second);
		record->stage = IOMMUSER_STAGE_SECOND;
		record->format = IOMMUSER_FORMAT_VTD_SECOND_STAGE;
		record->top_table = second.ssptptr;
		record->top_level = second.aw + 1;
		describe_common(&dmar_domain->sspt.vtdss_pt.common, record);
	} else {
		return -EOPNOTSUPP;
	}
	if (dmar_domain->force_snooping)
		record->features |= IOMMUSER_FEATURE_FORCE_SNOOP;
	if (domain->dirty_ops)
		record->features |= IOMMUSER_FEATURE_DIRTY_TRACKING;
	return 0;
}

static int refuse_other_requester(struct pci_dev *pdev, u16 alias, void *data)
{
	struct pci_dev *self = data;

	return pdev == self && alias == pci_dev_id(self) ? 0 : -EOPNOTSUPP;
}

static int check_requester(const struct device_domain_info *info)
{
	struct pci_dev *pdev;

	if (!dev_is_pci(info->dev) || dev_is_real_dma_subdevice(info->dev))
		return -EOPNOTSUPP;
	pdev = to_pci_dev(info->dev);
	if (pci_dev_id(pdev) != PCI_DEVID(info->bus, info->devfn) || info->pri_enabled)
		return -EOPNOTSUPP;
	return pci_for_each_dma_alias(pdev, refuse_other_requester, pdev);
}

static int describe_directory(const struct device_domain_info *info,
			      const struct context_entry *context, unsigned int nr_pasids,
			      struct iommuser_device *device)
{
	const struct pasid_table *pasid_table = info->pasid_table;

	if (!pasid_table || (context->lo & VTD_PAGE_MASK) != virt_to_phys(pasid_table->table))
		return -EIO;
	if ((context->lo & CONTEXT_SM_PRE) || intel_liveupdate_count_pasids(info) != nr_pasids)
		return -EOPNOTSUPP;
	device->pasid_directory = virt_to_phys(pasid_table->table);
	device->pasid_entries = get_pasid_dir_size(context) << PASID_PDE_SHIFT;
	return 0;
}

/**
 * intel_liveupdate_describe_device() - see struct iommu_liveupdate_ops
 * @dev: the device
 * @domain: what it is said to be attached to
 * @nr_pasids: how many PASIDs of it are said to be attached
 * @request: to fill in
 *
 * Return: 0; -EINVAL, @domain is not what is attached; -EOPNOTSUPP; -EIO, the
 * hardware's entries are not what the driver made of them.
 */
int intel_liveupdate_describe_device(struct device *dev, struct iommu_domain *domain,
				     unsigned int nr_pasids,
				     struct iommuser_device_request *request)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct iommuser_device *device = &request->device;
	struct context_entry context;
	int ret = check_requester(info);

	if (ret)
		return ret;
	if (!info->domain_attached || info->domain != to_dmar_domain(domain))
		return -EINVAL;
	if (!intel_liveupdate_get_context(info, &context))
		return -EIO;
	device->segment = info->segment;
	device->bdf = PCI_DEVID(info->bus, info->devfn);
	device->device_flags = info->ats_enabled ? IOMMUSER_DEVICE_ATS : 0;
	device->rid_pasid = IOMMU_NO_PASID;
	device->pasid_directory = 0;
	device->pasid_entries = 0;
	request->did = domain_id_iommu(info->domain, info->iommu);
	if (sm_supported(info->iommu))
		return describe_directory(info, &context, nr_pasids, device);
	return nr_pasids ? -EOPNOTSUPP : 0;
}

static void forget_pasids(struct intel_liveupdate *unit, u32 requester)
{
	const unsigned long last = intel_liveupdate_pasid_index(requester + 1, 0) - 1;
	unsigned long index;
	void *entry;

	xa_for_each_range(&unit->pasids, index, entry,
			  intel_liveupdate_pasid_index(requester, 0), last)
		xa_erase(&unit->pasids, index);
}

static int note_pasids(struct intel_liveupdate *unit, u32 requester,
		       const struct iommu_liveupdate_pasid *pasids, unsigned int nr_pasids)
{
	unsigned int i;
	int ret;

	for (i = 0; i < nr_pasids; i++) {
		ret = xa_insert(&unit->pasids,
				intel_liveupdate_pasid_index(requester, pasids[i].pasid),
				xa_mk_value(1), GFP_KERNEL);
		if (ret) {
			forget_pasids(unit, requester);
			return ret;
		}
	}
	return 0;
}

static void free_unit(struct intel_liveupdate *unit)
{
	xa_destroy(&unit->pasids);
	kvfree(unit);
}

/**
 * intel_liveupdate_device_preserved() - see struct iommu_liveupdate_ops
 * @dev: the device
 * @pasids: its preserved PASIDs
 * @nr_pasids: elements of @pasids
 *
 * Return: 0, -EBUSY or -ENOMEM.
 */
int intel_liveupdate_device_preserved(struct device *dev,
				      const struct iommu_liveupdate_pasid *pasids,
				      unsigned int nr_pasids)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	u32 requester = PCI_DEVID(info->bus, info->devfn);
	struct intel_iommu *iommu = info->iommu;
	struct intel_liveupdate *unit = iommu->liveupdate;
	int ret;

	if (!unit) {
		unit = kvzalloc_obj(*unit);
		if (!unit)
			return -ENOMEM;
		xa_init(&unit->pasids);
	}
	if (test_bit(requester, unit->requesters))
		return -EBUSY;
	ret = note_pasids(unit, requester, pasids, nr_pasids);
	if (ret) {
		if (!unit->nr_devices)
			free_unit(unit);
		return ret;
	}
	__set_bit(requester, unit->requesters);
	unit->nr_devices++;
	WRITE_ONCE(iommu->liveupdate, unit);
	return 0;
}

/**
 * intel_liveupdate_device_unpreserved() - see struct iommu_liveupdate_ops
 * @dev: a device for which intel_liveupdate_device_preserved() gave 0
 */
void intel_liveupdate_device_unpreserved(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct intel_liveupdate *unit = iommu->liveupdate;

	if (WARN_ON(!unit || !__test_and_clear_bit(PCI_DEVID(info->bus, info->devfn),
						   unit->requesters)))
		return;
	forget_pasids(unit, PCI_DEVID(info->bus, info->devfn));
	if (--unit->nr_devices)
		return;
	WRITE_ONCE(iommu->liveupdate, NULL);
	free_unit(unit);
}
