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

/*
 * VT-d spec 6.5.3.3: after a context entry became not present the context
 * cache is flushed, the PASID cache, then the IOTLB. In scalable mode PASIDs can
 * have any domain ids, so all are flushed. No device-TLB: either the device is
 * not there, or its ATS was switched off when it was found.
 */
static void flush_cleared(struct intel_iommu *iommu, u16 requester, u16 did)
{
	iommu_flush_write_buffer(iommu);
	iommu->flush.flush_context(iommu, did, requester, DMA_CCMD_MASK_NOBIT,
				   DMA_CCMD_DEVICE_INVL);
	if (sm_supported(iommu)) {
		qi_flush_pasid_cache(iommu, 0, QI_PC_GLOBAL, 0);
		iommu->flush.flush_iotlb(iommu, 0, 0, 0, DMA_TLB_GLOBAL_FLUSH);
	} else {
		iommu->flush.flush_iotlb(iommu, did, 0, 0, DMA_TLB_DSI_FLUSH);
	}
}

/* Somebody else may have taken the entry away: what is cached of it goes all the same. */
static void clear_entry(struct intel_iommu *iommu, u16 requester, u16 did)
{
	struct context_entry *context;

	scoped_guard(spinlock, &iommu->lock) {
		context = iommu_context_addr(iommu, PCI_BUS_NUM(requester), requester & 0xff, 0);
		if (context) {
			context_clear_present(context);
			__iommu_flush_cache(iommu, context, sizeof(*context));
		}
	}
	flush_cleared(iommu, requester, did);
	if (!context)
		return;
	guard(spinlock)(&iommu->lock);
	context_clear_entry(context);
	__iommu_flush_cache(iommu, context, sizeof(*context));
}

/* Has the driver got the device by now? */
static bool is_found(const struct iommuser_device *record)
{
	struct pci_dev *pdev = pci_get_domain_bus_and_slot(record->segment,
							   PCI_BUS_NUM(record->bdf),
							   record->bdf & 0xff);
	bool found = pdev && device_iommu_mapped(&pdev->dev);

	pci_dev_put(pdev);
	return found;
}

/**
 * intel_liveupdate_clear_entry() - see struct iommu_liveupdate_ops
 * @token: physical address of the registers of its unit
 * @device: record of a device that the driver has not got, or got again without
 *	its record: then the entry is the driver's own, and is left alone
 * @domain: record of its domain
 */
void intel_liveupdate_clear_entry(u64 token, const struct iommuser_device *device,
				  const struct iommuser_domain *domain)
{
	struct intel_iommu *iommu = find_unit(token);

	if (WARN_ON(!iommu || !intel_liveupdate_adopted(iommu)))
		return;
	if (is_found(device))
		flush_cleared(iommu, device->bdf, device->did);
	else
		clear_entry(iommu, device->bdf, device->did);
}

/* Is a context entry, in scalable mode, as the record says? */
static bool leads_to_directory(struct context_entry *context, const struct iommuser_device *record)
{
	return (context->lo & VTD_PAGE_MASK) == record->pasid_directory &&
	       get_pasid_dir_size(context) << PASID_PDE_SHIFT == record->pasid_entries;
}

/**
 * intel_liveupdate_adopt_pasid_table() - go on with the PASID directory of a device
 * @info: the device, which is being found
 * @pasid_table: filled when there is one
 *
 * When the device has an entry that can't be trusted, it loses that, and with
 * it all its translations: its restored domain won't attach.
 *
 * Return: true when @pasid_table is what the hardware uses; else it has no
 * entry for the device.
 */
bool intel_liveupdate_adopt_pasid_table(struct device_domain_info *info,
					struct pasid_table *pasid_table)
{
	const u16 requester = PCI_DEVID(info->bus, info->devfn);
	struct iommuser_device record;
	struct context_entry context;

	if (!get_record(info, &record) || !intel_liveupdate_get_context(info, &context))
		return false;
	if (!leads_to_directory(&context, &record) ||
	    !iommu_liveupdate_adopt_tables(info->segment, requester)) {
		clear_entry(info->iommu, requester, record.did);
		info->domain_attached = false;
		return false;
	}
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
 * @spent: nothing may be attached any more; under dmar.lock
 * @nr_moving: devices that are being attached, or moved away while hardware may
 *	still use its tables; under dmar.lock
 */
struct restored_domain {
	struct dmar_domain dmar;
	u64 reference;
	u64 top_table;
	u32 top_level;
	bool first_stage;
	bool spent;
	unsigned int nr_moving;
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

/* The entry of a PASID, NULL when the context entry isn't as it should be. */
static struct pasid_entry *get_pasid_entry(const struct device_domain_info *info, u32 pasid)
{
	const struct pasid_table *pasid_table = info->pasid_table;
	struct context_entry context;
	struct pasid_entry *entry;

	if (!intel_liveupdate_get_context(info, &context) ||
	    (context.lo & VTD_PAGE_MASK) != virt_to_phys(pasid_table->table) ||
	    get_pasid_dir_size(&context) << PASID_PDE_SHIFT != pasid_table->max_pasid ||
	    !!(context.lo & CONTEXT_SM_DTE) != info->ats_supported ||
	    (context.lo & CONTEXT_SM_PRE) || (context.hi & GENMASK_ULL(19, 0)) != IOMMU_NO_PASID)
		return NULL;
	entry = intel_liveupdate_find_pasid_entry(info, pasid);
	return entry && pasid_pte_is_present(entry) ? entry : NULL;
}

static bool scalable_entry_matches(const struct device_domain_info *info,
				   const struct restored_domain *restored, u32 pasid, u32 did)
{
	struct pasid_entry *entry = get_pasid_entry(info, pasid);

	return entry && intel_liveupdate_pasid_entry_leads(entry, restored->first_stage,
							   restored->top_table,
							   restored->top_level, did);
}

/**
 * intel_liveupdate_hold_did() - see struct iommu_liveupdate_ops
 * @domain: restored
 * @token: physical address of the registers of a unit
 * @did: its domain id there, which was taken out of the allocator when the
 *	handover was claimed
 *
 * The domain holds it until it is freed: hardware may have entries with this
 * id for devices that are yet to come.
 *
 * Return: 0, also when it holds it already; -ENOENT, no such unit; -EINVAL, it
 * has another id there; -ENOMEM.
 */
int intel_liveupdate_hold_did(struct iommu_domain *domain, u64 token, u32 did)
{
	struct dmar_domain *dmar = to_dmar_domain(domain);
	struct intel_iommu *iommu = find_unit(token);
	struct iommu_domain_info *held;
	int ret;

	if (!iommu)
		return -ENOENT;
	guard(mutex)(&iommu->did_lock);
	held = xa_load(&dmar->iommu_array, iommu->seq_id);
	if (held)
		return held->did == did ? 0 : -EINVAL;
	held = kzalloc_obj(*held);
	if (!held)
		return -ENOMEM;
	held->refcnt = 1;
	held->did = did;
	held->iommu = iommu;
	ret = xa_err(xa_store(&dmar->iommu_array, iommu->seq_id, held, GFP_KERNEL));
	if (ret)
		kfree(held);
	return ret;
}

/* A device joins those with which the domain holds its id on their unit. */
static int share_did(struct dmar_domain *domain, struct intel_iommu *iommu, u16 did)
{
	struct iommu_domain_info *held;

	guard(mutex)(&iommu->did_lock);
	held = xa_load(&domain->iommu_array, iommu->seq_id);
	if (!held || held->did != did)
		return -EINVAL;
	held->refcnt++;
	return 0;
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
	int ret = share_did(domain, info->iommu, did);

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

/* Hardware may be setting dirty bits already, as it was told by the kernel before. */
static void adopt_dirty_tracking(struct dmar_domain *domain, const struct device_domain_info *info,
				 u32 pasid)
{
	struct pasid_entry *entry = NULL;

	if (sm_supported(info->iommu))
		entry = get_pasid_entry(info, pasid);
	if (entry && domain->domain.dirty_ops && pasid_get_ssade(entry))
		domain->dirty_tracking = true;
}

/* Put a device that has just been found on its domain, which hardware has it on already. */
static int adopt_device(struct restored_domain *restored, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct iommuser_device record;
	bool matches;

	if (!get_record(info, &record) || record.domain != restored->reference)
		return -EINVAL;
	if (info->domain)
		return -EBUSY;
	matches = sm_supported(info->iommu) ?
			  scalable_entry_matches(info, restored, IOMMU_NO_PASID, record.did) :
			  legacy_entry_matches(info, restored, record.did);
	if (!info->domain_attached || !matches) {
		dev_err(dev, "its hardware entries are not those of its preserved domain\n");
		return -EINVAL;
	}
	adopt_dirty_tracking(&restored->dmar, info, IOMMU_NO_PASID);
	return adopt_attachment(&restored->dmar, info, record.did);
}

static bool begin_attaching(struct restored_domain *restored)
{
	guard(spinlock_irqsave)(&restored->dmar.lock);
	if (restored->spent)
		return false;
	restored->nr_moving++;
	return true;
}

static void end_attaching(struct restored_domain *restored)
{
	guard(spinlock_irqsave)(&restored->dmar.lock);
	restored->nr_moving--;
}

/**
 * intel_liveupdate_begin_leaving() - a device is no longer on a domain's list
 * @domain: restored or not
 *
 * Its entry leads there, still: until intel_liveupdate_end_leaving() the domain
 * can't be spent.
 *
 * Lock: @domain's.
 */
void intel_liveupdate_begin_leaving(struct dmar_domain *domain)
{
	lockdep_assert_held(&domain->lock);
	if (intel_liveupdate_is_restored(domain))
		to_restored(&domain->domain)->nr_moving++;
}

/**
 * intel_liveupdate_end_leaving() - nothing of a device leads to a domain, caches neither
 * @domain: of intel_liveupdate_begin_leaving()
 */
void intel_liveupdate_end_leaving(struct dmar_domain *domain)
{
	if (intel_liveupdate_is_restored(domain))
		end_attaching(to_restored(&domain->domain));
}

static int restored_attach_dev(struct iommu_domain *domain, struct device *dev,
			       struct iommu_domain *old)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct restored_domain *restored = to_restored(domain);
	int ret;

	/* Its first domain */
	if (!old)
		return adopt_device(restored, dev);
	if (info->domain == &restored->dmar)
		return 0;
	/* No other is found when the domain is abandoned. */
	if (!dev_is_pci(dev))
		return -EINVAL;
	if (!begin_attaching(restored))
		return -ENXIO;
	ret = intel_ss_paging_domain_ops.attach_dev(domain, dev, old);
	end_attaching(restored);
	return ret;
}

static int note_pasid(struct restored_domain *restored, struct device *dev, u32 pasid)
{
	struct dev_pasid_info *dev_pasid;

	dev_pasid = domain_add_dev_pasid(&restored->dmar.domain, dev, pasid);
	if (IS_ERR(dev_pasid))
		return PTR_ERR(dev_pasid);
	intel_iommu_debugfs_create_dev_pasid(dev_pasid);
	return 0;
}

/* Note that a PASID of a device is on the domain that hardware has it on already. */
static int adopt_pasid(struct restored_domain *restored, struct device *dev, u32 pasid, u32 did)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);

	if (!scalable_entry_matches(info, restored, pasid, did)) {
		dev_err(dev, "the entry of PASID %u is not that of its preserved domain\n", pasid);
		return -EINVAL;
	}
	adopt_dirty_tracking(&restored->dmar, info, pasid);
	return note_pasid(restored, dev, pasid);
}

/*
 * A PASID that was moved elsewhere has left for good. What comes from a blocking
 * domain after a reset was abandoned before it, and gets no entry.
 */
static int restored_set_dev_pasid(struct iommu_domain *domain, struct device *dev, ioasid_t pasid,
				  struct iommu_domain *old)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct restored_domain *restored = to_restored(domain);
	u64 reference;
	u32 did;
	int ret;

	if (!pasid_supported(info->iommu) || dev_is_real_dma_subdevice(dev))
		return -EOPNOTSUPP;
	if (old && old->type == IOMMU_DOMAIN_BLOCKED)
		return note_pasid(restored, dev, pasid);
	if (old || !iommu_liveupdate_incoming_pasid(dev, pasid, &reference, &did) ||
	    reference != restored->reference)
		return -EINVAL;
	if (!begin_attaching(restored))
		return -ENXIO;
	ret = adopt_pasid(restored, dev, pasid, did);
	end_attaching(restored);
	return ret;
}

/* PASIDs of abandoned devices stay on the list until they are detached, without an entry. */
static bool has_live_pasid(struct dmar_domain *domain)
{
	struct dev_pasid_info *dev_pasid;
	struct pasid_entry *entry;

	lockdep_assert_held(&domain->lock);
	list_for_each_entry(dev_pasid, &domain->dev_pasids, link_domain) {
		entry = intel_liveupdate_find_pasid_entry(dev_iommu_priv_get(dev_pasid->dev),
							  dev_pasid->pasid);
		if (entry && pasid_pte_is_present(entry))
			return true;
	}
	return false;
}

/**
 * intel_liveupdate_spend_domain() - see struct iommu_liveupdate_ops
 * @domain: restored
 * @spent: nothing may be attached to it any more, or it may again
 *
 * Return: 0, or -EBUSY when a device is attached to it.
 */
int intel_liveupdate_spend_domain(struct iommu_domain *domain, bool spent)
{
	struct restored_domain *restored = to_restored(domain);

	guard(spinlock_irqsave)(&restored->dmar.lock);
	if (spent && (restored->nr_moving || !list_empty(&restored->dmar.devices) ||
		      has_live_pasid(&restored->dmar)))
		return -EBUSY;
	restored->spent = spent;
	return 0;
}

/**
 * intel_liveupdate_abandon_domain() - see struct iommu_liveupdate_ops
 * @domain: restored
 */
void intel_liveupdate_abandon_domain(struct iommu_domain *domain)
{
	struct restored_domain *restored = to_restored(domain);

	guard(spinlock_irqsave)(&restored->dmar.lock);
	WARN_ON(!list_empty(&restored->dmar.devices) || has_live_pasid(&restored->dmar));
	restored->spent = true;
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

	if (WARN_ON(!list_empty(&restored->dmar.devices) ||
		    !list_empty(&restored->dmar.dev_pasids)))
		return;
	release_dids(&restored->dmar);
	pt_iommu_deinit(&restored->dmar.iommu);
	kfree(restored->dmar.qi_batch);
	kfree(restored);
}

/* Nothing can be done about entries that are there already. */
static bool restored_enforce_cache_coherency(struct iommu_domain *domain)
{
	return to_dmar_domain(domain)->force_snooping;
}

static void restored_flush_iotlb_all(struct iommu_domain *domain)
{
	cache_tag_flush_all(to_dmar_domain(domain));
}

static void restored_iotlb_sync(struct iommu_domain *domain, struct iommu_iotlb_gather *gather)
{
	cache_tag_flush_range(to_dmar_domain(domain), gather->start, gather->end, 0);
}

const struct iommu_domain_ops intel_restored_domain_ops[2] = {
	[false] = {
		IOMMU_PT_DOMAIN_OPS(vtdss),
		.attach_dev = restored_attach_dev,
		.set_dev_pasid = restored_set_dev_pasid,
		.flush_iotlb_all = restored_flush_iotlb_all,
		.iotlb_sync = restored_iotlb_sync,
		.enforce_cache_coherency = restored_enforce_cache_coherency,
		.free = restored_free,
	},
	[true] = {
		IOMMU_PT_DOMAIN_OPS(x86_64),
		.attach_dev = restored_attach_dev,
		.set_dev_pasid = restored_set_dev_pasid,
		.flush_iotlb_all = restored_flush_iotlb_all,
		.iotlb_sync = restored_iotlb_sync,
		.enforce_cache_coherency = restored_enforce_cache_coherency,
		.free = restored_free,
	},
};

static int set_dirty_tracking(struct dmar_domain *domain, bool enable)
{
	struct device_domain_info *info;
	struct dev_pasid_info *dev_pasid;
	int ret;

	lockdep_assert_held(&domain->lock);
	list_for_each_entry(info, &domain->devices, link) {
		ret = intel_pasid_setup_dirty_tracking(info->iommu, info->dev, IOMMU_NO_PASID,
						       enable);
		if (ret)
			return ret;
	}
	list_for_each_entry(dev_pasid, &domain->dev_pasids, link_domain) {
		info = dev_iommu_priv_get(dev_pasid->dev);
		ret = intel_pasid_setup_dirty_tracking(info->iommu, info->dev, dev_pasid->pasid,
						       enable);
		if (ret)
			return ret;
	}
	domain->dirty_tracking = enable;
	return 0;
}

static int restored_set_dirty_tracking(struct iommu_domain *domain, bool enable)
{
	struct dmar_domain *dmar = to_dmar_domain(domain);
	int ret;

	guard(spinlock_irqsave)(&dmar->lock);
	ret = set_dirty_tracking(dmar, enable);
	if (ret)
		set_dirty_tracking(dmar, dmar->dirty_tracking);
	return ret;
}

static const struct iommu_dirty_ops restored_dirty_ops = {
	IOMMU_PT_DIRTY_OPS(vtdss),
	.set_dirty_tracking = restored_set_dirty_tracking,
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
	/* It has no mappings to come, so every unit can have it as far as that goes. */
	dmar->iotlb_sync_map = true;
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

static int adopt_first_stage(struct dmar_domain *dmar, const struct iommuser_domain *record,
			     const struct intel_iommu *iommu)
{
	const struct pt_iommu_x86_64_cfg cfg = {
		.common = common_config(record),
		.top_level = record->top_level,
	};
	int ret = pt_iommu_x86_64_init(&dmar->fspt, &cfg, GFP_KERNEL);

	if (ret)
		return ret;
	pt_iommu_adopt_top(&dmar->iommu, &dmar->fspt.x86_64_pt.common, record->top_table);
	if (!cap_fl1gp_support(iommu->cap))
		dmar->domain.pgsize_bitmap &= ~(u64)SZ_1G;
	return 0;
}

static int adopt_second_stage(struct dmar_domain *dmar, const struct iommuser_domain *record,
			      const struct intel_iommu *iommu)
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
	if (!(cap_super_page_val(iommu->cap) & BIT(0)))
		dmar->domain.pgsize_bitmap &= ~(u64)SZ_2M;
	if (!(cap_super_page_val(iommu->cap) & BIT(1)))
		dmar->domain.pgsize_bitmap &= ~(u64)SZ_1G;
	if ((record->features & IOMMUSER_FEATURE_DIRTY_TRACKING) && ssads_supported(iommu))
		dmar->domain.dirty_ops = &restored_dirty_ops;
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
	const struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct restored_domain *restored;
	int ret;

	if (!record_fits(record))
		return ERR_PTR(-EINVAL);
	restored = alloc_restored(dev, record);
	if (!restored)
		return ERR_PTR(-ENOMEM);
	ret = restored->first_stage ? adopt_first_stage(&restored->dmar, record, info->iommu) :
				      adopt_second_stage(&restored->dmar, record, info->iommu);
	if (ret) {
		kfree(restored);
		return ERR_PTR(ret);
	}
	/* Else the IOMMU core would map and unmap without asking our ops. */
	restored->dmar.domain.is_iommupt = false;
	restored->dmar.domain.ops = &intel_restored_domain_ops[restored->first_stage];
	restored->dmar.domain.type = IOMMU_DOMAIN_UNMANAGED;
	restored->dmar.domain.owner = &intel_iommu_ops;
	return &restored->dmar.domain;
}
