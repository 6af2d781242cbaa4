// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update in the VT-d driver, incoming side: units, PASID directories and
 * domains go on with what the kernel before left in memory.
 */
#define pr_fmt(fmt)	"DMAR: " fmt

#include <linux/crash_dump.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include <iommuser/records.h>
#include <iommuser/restore.h>

#include "../generic_pt/adopt.h"
#include "liveupdate.h"
#include "pasid.h"

/* ---- Units ---- */

/* Does the driver run units at all? Known from intel_liveupdate_claim() on. */
static bool units_run __ro_after_init;

/* The unit whose registers are there, if the driver is to run it. */
static struct intel_iommu *find_unit(u64 token)
{
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;

	if (!units_run)
		return NULL;
	guard(rcu)();
	for_each_active_iommu(iommu, drhd) {
		if (iommu && iommu->reg_phys == token)
			return iommu;
	}
	return NULL;
}

static bool is_translating(struct intel_iommu *iommu)
{
	return readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_TES;
}

/* Only a unit that does not translate can be switched to the other mode. */
static bool has_our_mode(struct intel_iommu *iommu)
{
	bool scalable = readq(iommu->reg + DMAR_RTADDR_REG) & DMA_RTADDR_SMT;

	return scalable == !!sm_supported(iommu);
}

/**
 * intel_liveupdate_describe_real_unit() - see struct iommu_liveupdate_ops
 * @token: physical address of the unit's registers
 * @unit: to fill in
 *
 * Return: 0; -ENOENT, no such unit or not one to run; -ENXIO, it does not
 * translate; -EMEDIUMTYPE, it translates in another mode than this kernel
 * would use; -ENODEV without a DMAR table.
 */
int intel_liveupdate_describe_real_unit(u64 token, struct iommuser_unit *unit)
{
	int width = intel_liveupdate_host_address_width();
	struct intel_iommu *iommu = find_unit(token);

	if (!iommu)
		return -ENOENT;
	if (width < 0)
		return width;
	if (!is_translating(iommu)) {
		pr_err("%s: preserved, but translation is off\n", iommu->name);
		return -ENXIO;
	}
	if (!has_our_mode(iommu)) {
		pr_err("%s: preserved in %s mode, which this kernel does not use\n", iommu->name,
		       sm_supported(iommu) ? "legacy" : "scalable");
		return -EMEDIUMTYPE;
	}
	unit->token = token;
	unit->mode = intel_liveupdate_mode(iommu);
	unit->cap = iommu->cap;
	unit->ecap = iommu->ecap;
	unit->host_address_width = width;
	return 0;
}

/**
 * intel_liveupdate_reserve_did() - see struct iommu_liveupdate_ops
 * @token: physical address of the unit's registers
 * @did: domain id
 *
 * Return: 0; -ENOENT, no such unit; -ERANGE, not an id that a domain can have
 * there; -ENOSPC, taken; -ENOMEM.
 */
int intel_liveupdate_reserve_did(u64 token, u32 did)
{
	struct intel_iommu *iommu = find_unit(token);
	int ret;

	if (!iommu)
		return -ENOENT;
	if (did < IDA_START_DID || did >= cap_ndoms(iommu->cap))
		return -ERANGE;
	guard(mutex)(&iommu->did_lock);
	ret = ida_alloc_range(&iommu->domain_ida, did, did, GFP_KERNEL);
	return ret < 0 ? ret : 0;
}

/**
 * intel_liveupdate_release_did() - see struct iommu_liveupdate_ops
 * @token: physical address of the unit's registers
 * @did: domain id that intel_liveupdate_reserve_did() gave
 */
void intel_liveupdate_release_did(u64 token, u32 did)
{
	struct intel_iommu *iommu = find_unit(token);

	if (WARN_ON(!iommu))
		return;
	guard(mutex)(&iommu->did_lock);
	ida_free(&iommu->domain_ida, did);
}

/**
 * intel_liveupdate_claim() - have the handover claimed before a unit is touched
 * @will_run: the driver is going to run the units; else none can match its
 *	record, and the policy decides what becomes of the handover
 *
 * A kernel that saves the memory of a crashed one was handed nothing.
 *
 * Context: boot, dmar_global_lock held.
 */
void __init intel_liveupdate_claim(bool will_run)
{
	units_run = will_run;
	if (!is_kdump_kernel())
		iommu_liveupdate_claim(&intel_liveupdate_ops);
}

/* Have a unit go on with the root table that the kernel before gave it. */
static bool __init adopt_root(struct intel_iommu *iommu)
{
	struct iommuser_iommu record;

	if (!iommu_liveupdate_incoming_unit(iommu->reg_phys, &record))
		return false;
	iommu->root_entry = phys_to_virt(record.root_table);
	iommu->flags |= VTD_FLAG_ROOT_ADOPTED;
	pr_info("%s: continues with the tables of the kernel before\n", iommu->name);
	return true;
}

/**
 * intel_liveupdate_take_over() - does a unit go on translating while it is set up?
 * @iommu: a unit to run; intel_liveupdate_claim() was called
 *
 * A unit with a record gets its root table back. When the handover can't be
 * trusted, a unit that translates goes straight over to an empty root table,
 * unless the modes differ: then it is switched off like any other, with bus
 * mastering off already.
 *
 * Return: true when translation must not be switched off.
 * Context: boot.
 */
bool __init intel_liveupdate_take_over(struct intel_iommu *iommu)
{
	if (is_kdump_kernel())
		return false;
	switch (iommu_liveupdate_claim(&intel_liveupdate_ops)) {
	case IOMMU_LIVEUPDATE_RESTORE:
		return adopt_root(iommu);
	case IOMMU_LIVEUPDATE_BLOCK:
		return is_translating(iommu) && has_our_mode(iommu);
	case IOMMU_LIVEUPDATE_NONE:
		break;
	}
	return false;
}

/* ---- Devices ---- */

/* The claimed record of a device that nobody has attached to anything else since. */
static bool get_record(const struct device_domain_info *info, struct iommuser_device *record)
{
	return intel_liveupdate_adopted(info->iommu) &&
	       iommu_liveupdate_incoming_device(info->segment, PCI_DEVID(info->bus, info->devfn),
						record);
}

/**
 * intel_liveupdate_entry_live() - has hardware an entry for a device from before the jump?
 * @info: the device, whose requester id and unit are set
 *
 * Such a device counts as attached, to no domain that is known: so that
 * whatever it is attached to next, the entry is torn down first. Only the
 * restored domain takes the entry as it is.
 */
bool intel_liveupdate_entry_live(struct device_domain_info *info)
{
	struct iommuser_device record;
	struct context_entry context;

	return get_record(info, &record) && intel_liveupdate_get_context(info, &context);
}

/**
 * intel_liveupdate_adopt_pasid_table() - go on with the PASID directory of a device
 * @info: the device
 * @pasid_table: filled when there is one
 *
 * Return: true when @pasid_table is what the hardware uses.
 */
bool intel_liveupdate_adopt_pasid_table(struct device_domain_info *info,
					struct pasid_table *pasid_table)
{
	struct iommuser_device record;
	struct context_entry context;

	if (!get_record(info, &record) || !intel_liveupdate_get_context(info, &context))
		return false;
	if ((context.lo & VTD_PAGE_MASK) != record.pasid_directory ||
	    get_pasid_dir_size(&context) << PASID_PDE_SHIFT != record.pasid_entries)
		return false;
	pasid_table->table = phys_to_virt(record.pasid_directory);
	pasid_table->max_pasid = record.pasid_entries;
	return true;
}

/* ---- Domains ---- */

/**
 * struct restored_domain - a domain that devices were attached to before the jump
 * @dmar: first, because the driver goes from its address to a struct dmar_domain
 * @reference: physical address of its record
 * @top_table: physical address of its top table
 * @top_level: level of that
 * @first_stage: it is a first-stage table
 */
struct restored_domain {
	struct dmar_domain dmar;
	u64 reference;
	u64 top_table;
	u32 top_level;
	bool first_stage;
};

static_assert(offsetof(struct restored_domain, dmar) == 0);

static struct restored_domain *to_restored(struct iommu_domain *domain)
{
	return container_of(to_dmar_domain(domain), struct restored_domain, dmar);
}

static bool legacy_entry_matches(const struct device_domain_info *info,
				 const struct restored_domain *restored, u32 did)
{
	u64 type = info->ats_supported ? CONTEXT_TT_DEV_IOTLB : CONTEXT_TT_MULTI_LEVEL;
	struct context_entry context;

	return intel_liveupdate_get_context(info, &context) && !restored->first_stage &&
	       (context.lo & VTD_PAGE_MASK) == restored->top_table &&
	       (context.lo >> 2 & 3) == type &&
	       (context.hi & 7) == restored->top_level - 1 &&
	       context_domain_id(&context) == did;
}

/* The PASID entry of requests without PASID, NULL when the context entry isn't as it should be. */
static struct pasid_entry *get_pasid_entry(const struct device_domain_info *info)
{
	const struct pasid_table *pasid_table = info->pasid_table;
	struct context_entry context;
	struct pasid_entry *entries;

	if (!intel_liveupdate_get_context(info, &context) ||
	    (context.lo & VTD_PAGE_MASK) != virt_to_phys(pasid_table->table) ||
	    get_pasid_dir_size(&context) << PASID_PDE_SHIFT != pasid_table->max_pasid ||
	    !!(context.lo & CONTEXT_SM_DTE) != info->ats_supported ||
	    (context.lo & CONTEXT_SM_PRE) || (context.hi & GENMASK_ULL(19, 0)) != IOMMU_NO_PASID)
		return NULL;
	entries = get_pasid_table_from_pde(pasid_table->table);
	return entries && pasid_pte_is_present(entries) ? entries : NULL;
}

static bool scalable_entry_matches(const struct device_domain_info *info,
				   const struct restored_domain *restored, u32 did)
{
	struct pasid_entry *entry = get_pasid_entry(info);

	if (!entry || pasid_get_domain_id(entry) != did)
		return false;
	if (restored->first_stage)
		return pasid_pte_get_pgtt(entry) == PASID_ENTRY_PGTT_FL_ONLY &&
		       (entry->val[2] & VTD_PAGE_MASK) == restored->top_table &&
		       (entry->val[2] >> 2 & 3) == restored->top_level - 3;
	return pasid_pte_get_pgtt(entry) == PASID_ENTRY_PGTT_SL_ONLY &&
	       (entry->val[0] & VTD_PAGE_MASK) == restored->top_table &&
	       (entry->val[0] >> 2 & 7) == restored->top_level - 1;
}

/*
 * Have the domain hold its id on a unit, which was taken out of the allocator
 * when the handover was claimed. The domain itself holds it too until it is
 * freed: there may be entries with this id for devices that are yet to come.
 */
static int hold_did(struct dmar_domain *domain, struct intel_iommu *iommu, u16 did)
{
	struct iommu_domain_info *held;
	int ret;

	guard(mutex)(&iommu->did_lock);
	held = xa_load(&domain->iommu_array, iommu->seq_id);
	if (held) {
		if (held->did != did)
			return -EINVAL;
		held->refcnt++;
		return 0;
	}
	held = kzalloc_obj(*held);
	if (!held)
		return -ENOMEM;
	held->refcnt = 2;
	held->did = did;
	held->iommu = iommu;
	ret = xa_err(xa_store(&domain->iommu_array, iommu->seq_id, held, GFP_KERNEL));
	if (ret)
		kfree(held);
	return ret;
}

static void link_device(struct dmar_domain *domain, struct device_domain_info *info)
{
	guard(spinlock_irqsave)(&domain->lock);
	info->domain = domain;
	list_add(&info->link, &domain->devices);
}

static void unlink_device(struct dmar_domain *domain, struct device_domain_info *info)
{
	guard(spinlock_irqsave)(&domain->lock);
	list_del(&info->link);
	info->domain = NULL;
}

/* Take note of an attachment that hardware already has. */
static int adopt_attachment(struct dmar_domain *domain, struct device_domain_info *info, u16 did)
{
	int ret = hold_did(domain, info->iommu, did);

	if (ret)
		return ret;
	link_device(domain, info);
	/* The entry has page requests off: the device must not send any. */
	info->pri_supported = 0;
	/* In scalable mode this is for when the device's probing ends. */
	if (!sm_supported(info->iommu))
		iommu_enable_pci_ats(info);
	ret = cache_tag_assign_domain(domain, info->dev, IOMMU_NO_PASID);
	if (!ret)
		return 0;
	unlink_device(domain, info);
	domain_detach_iommu(domain, info->iommu);
	return ret;
}

static int restored_attach_dev(struct iommu_domain *domain, struct device *dev,
			       struct iommu_domain *old)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct restored_domain *restored = to_restored(domain);
	struct iommuser_device record;
	bool matches;

	if (!get_record(info, &record) || record.domain != restored->reference)
		return -EINVAL;
	if (info->domain)
		return info->domain == &restored->dmar ? 0 : -EBUSY;
	matches = sm_supported(info->iommu) ?
			  scalable_entry_matches(info, restored, record.did) :
			  legacy_entry_matches(info, restored, record.did);
	if (!info->domain_attached || !matches) {
		dev_err(dev, "its hardware entries are not those of its preserved domain\n");
		return -EINVAL;
	}
	return adopt_attachment(&restored->dmar, info, record.did);
}

static void release_dids(struct dmar_domain *domain)
{
	struct iommu_domain_info *held;
	unsigned long index;

	xa_for_each(&domain->iommu_array, index, held)
		domain_detach_iommu(domain, held->iommu);
	xa_destroy(&domain->iommu_array);
}

static void restored_free(struct iommu_domain *domain)
{
	struct restored_domain *restored = to_restored(domain);

	if (WARN_ON(!list_empty(&restored->dmar.devices)))
		return;
	release_dids(&restored->dmar);
	pt_iommu_deinit(&restored->dmar.iommu);
	kfree(restored->dmar.qi_batch);
	kfree(restored);
}

static const struct iommu_domain_ops restored_first_stage_ops = {
	IOMMU_PT_DOMAIN_OPS(x86_64),
	.attach_dev = restored_attach_dev,
	.free = restored_free,
};

static const struct iommu_domain_ops restored_second_stage_ops = {
	IOMMU_PT_DOMAIN_OPS(vtdss),
	.attach_dev = restored_attach_dev,
	.free = restored_free,
};

static struct restored_domain *alloc_restored(struct device *dev,
					      const struct iommuser_domain *record)
{
	struct restored_domain *restored = kzalloc_obj(*restored);
	struct dmar_domain *dmar;

	if (!restored)
		return NULL;
	restored->reference = record->phys;
	restored->top_table = record->top_table;
	restored->top_level = record->top_level;
	restored->first_stage = record->stage == IOMMUSER_STAGE_FIRST;
	dmar = &restored->dmar;
	INIT_LIST_HEAD(&dmar->devices);
	INIT_LIST_HEAD(&dmar->dev_pasids);
	INIT_LIST_HEAD(&dmar->cache_tags);
	INIT_LIST_HEAD(&dmar->s1_domains);
	spin_lock_init(&dmar->lock);
	spin_lock_init(&dmar->cache_lock);
	spin_lock_init(&dmar->s1_lock);
	xa_init(&dmar->iommu_array);
	dmar->force_snooping = !!(record->features & IOMMUSER_FEATURE_FORCE_SNOOP);
	dmar->iommu.iommu_device = dev;
	dmar->iommu.nid = dev_to_node(dev);
	return restored;
}

static struct pt_iommu_cfg common_config(const struct iommuser_domain *record)
{
	struct pt_iommu_cfg cfg = {
		.features = BIT(PT_FEAT_FLUSH_RANGE),
		.hw_max_vasz_lg2 = record->input_width,
		.hw_max_oasz_lg2 = record->output_width,
	};

	if (record->features & IOMMUSER_FEATURE_INCOHERENT_WALK)
		cfg.features |= BIT(PT_FEAT_DMA_INCOHERENT);
	if (record->features & IOMMUSER_FEATURE_SIGN_EXTEND)
		cfg.features |= BIT(PT_FEAT_SIGN_EXTEND);
	return cfg;
}

static int adopt_first_stage(struct dmar_domain *dmar, const struct iommuser_domain *record)
{
	const struct pt_iommu_x86_64_cfg cfg = {
		.common = common_config(record),
		.top_level = record->top_level,
	};
	int ret = pt_iommu_x86_64_init(&dmar->fspt, &cfg, GFP_KERNEL);

	if (ret)
		return ret;
	pt_iommu_adopt_top(&dmar->iommu, &dmar->fspt.x86_64_pt.common, record->top_table);
	dmar->domain.ops = &restored_first_stage_ops;
	return 0;
}

static int adopt_second_stage(struct dmar_domain *dmar, const struct iommuser_domain *record)
{
	const struct pt_iommu_vtdss_cfg cfg = {
		.common = common_config(record),
		.top_level = record->top_level,
	};
	int ret = pt_iommu_vtdss_init(&dmar->sspt, &cfg, GFP_KERNEL);

	if (ret)
		return ret;
	if (dmar->force_snooping)
		dmar->sspt.vtdss_pt.common.features |= BIT(PT_FEAT_VTDSS_FORCE_COHERENCE);
	pt_iommu_adopt_top(&dmar->iommu, &dmar->sspt.vtdss_pt.common, record->top_table);
	dmar->domain.ops = &restored_second_stage_ops;
	return 0;
}

/* Are the record's numbers such that the page-table code can work with them? */
static bool record_fits(const struct iommuser_domain *record)
{
	bool first = record->stage == IOMMUSER_STAGE_FIRST;

	if (!first && record->stage != IOMMUSER_STAGE_SECOND)
		return false;
	return record->top_level >= (first ? 3 : 2) && record->top_level <= 4 &&
	       record->input_width <= 57 && record->output_width <= 52 &&
	       !(record->features & IOMMUSER_FEATURE_NESTED_PARENT);
}

/**
 * intel_liveupdate_restore_domain() - see struct iommu_liveupdate_ops
 * @dev: the first device of the domain
 * @record: the domain's, claimed
 *
 * Return: the domain, -EINVAL for a record that this driver can't have
 * written, -EOPNOTSUPP for features that the page-table code lacks, or
 * -ENOMEM. On failure the tables are as before.
 */
struct iommu_domain *intel_liveupdate_restore_domain(struct device *dev,
						     const struct iommuser_domain *record)
{
	struct restored_domain *restored;
	int ret;

	if (!record_fits(record))
		return ERR_PTR(-EINVAL);
	restored = alloc_restored(dev, record);
	if (!restored)
		return ERR_PTR(-ENOMEM);
	ret = restored->first_stage ? adopt_first_stage(&restored->dmar, record) :
				      adopt_second_stage(&restored->dmar, record);
	if (ret) {
		kfree(restored);
		return ERR_PTR(ret);
	}
	/* Else the IOMMU core would map and unmap without asking our ops. */
	restored->dmar.domain.is_iommupt = false;
	restored->dmar.domain.type = IOMMU_DOMAIN_UNMANAGED;
	restored->dmar.domain.owner = &intel_iommu_ops;
	return &restored->dmar.domain;
}
