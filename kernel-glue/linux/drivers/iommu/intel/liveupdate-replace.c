// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update in the VT-d driver: a device moves from or to a restored domain
 * without a moment in which it can't do DMA.
 *
 * Everything that can fail comes first: the new domain's id and cache tags are
 * there before the hardware's entry is touched. The entry then goes from the
 * old domain to the new one in steps of 16 bytes, the unit in which hardware
 * reads entries (VT-d spec 9.3 and 9.6), each step flushed before the next, so
 * that hardware finds either domain whole whenever it looks. Last come the
 * invalidations that VT-d spec 6.5.3.3 asks for after a present entry changed;
 * when they are complete nothing leads to the old domain's tables any more.
 */
#define pr_fmt(fmt)	"DMAR: " fmt

#include <linux/atomic.h>
#include <linux/pci.h>

#include "liveupdate.h"
#include "pasid.h"

#define WORDS_PER_CHUNK		2

#define PASID_PWSNP		BIT_ULL(23)
#define PASID_PGSNP		BIT_ULL(24)

/* ---- What to write, in which order ---- */

static bool is_first_stage(struct pasid_entry *entry)
{
	return pasid_pte_get_pgtt(entry) == PASID_ENTRY_PGTT_FL_ONLY;
}

static bool is_paging(struct pasid_entry *entry)
{
	return pasid_pte_is_present(entry) &&
	       (is_first_stage(entry) || pasid_pte_get_pgtt(entry) == PASID_ENTRY_PGTT_SL_ONLY);
}

static void add_step(struct intel_liveupdate_plan *plan, unsigned int chunk, u64 lo, u64 hi)
{
	struct intel_liveupdate_step *step = &plan->steps[plan->nr_steps++];

	step->chunk = chunk;
	step->lo = lo;
	step->hi = hi;
}

static bool is_first_to_first(struct pasid_entry *old, struct pasid_entry *new)
{
	return is_first_stage(old) && is_first_stage(new);
}

/*
 * The first chunk has everything about a domain but the first-stage pointer,
 * which is in the second one and only matters for a first-stage entry. From
 * one first-stage table to another, the pointer changes under a domain id that
 * nobody else uses: what hardware caches then can't reach devices that stay on
 * the old domain, or are on the new one already. Snooping is on meanwhile when
 * one of the two needs it.
 */
static void add_steps_to_first_stage(struct intel_liveupdate_plan *plan,
				     struct pasid_entry *old, struct pasid_entry *new,
				     u16 transit_did)
{
	const u64 snooping = (old->val[1] | new->val[1]) & (PASID_PWSNP | PASID_PGSNP);

	if (is_first_to_first(old, new))
		add_step(plan, 0, old->val[0], transit_did | snooping);
	add_step(plan, 1, new->val[2], new->val[3]);
	add_step(plan, 0, new->val[0], new->val[1]);
}

static void add_steps_to_second_stage(struct intel_liveupdate_plan *plan,
				      struct pasid_entry *old, struct pasid_entry *new)
{
	add_step(plan, 0, new->val[0], new->val[1]);
	if (new->val[2] != old->val[2] || new->val[3] != old->val[3])
		add_step(plan, 1, new->val[2], new->val[3]);
}

/**
 * intel_liveupdate_plan_replace() - how to turn one PASID entry into another
 * @old: what hardware uses
 * @new: what it is to use
 * @transit_did: domain id that nothing else uses, for between two first-stage
 *	entries
 * @plan: filled
 *
 * Before the first step, between any two and after the last, the entry
 * translates wholly as @old or wholly as @new, and what is cached of the one
 * never has the domain id of the other. See the layout of the entry in VT-d
 * spec 9.6.
 *
 * Return: false when one of them is neither first-stage nor second-stage.
 */
bool intel_liveupdate_plan_replace(struct pasid_entry *old, struct pasid_entry *new,
				   u16 transit_did, struct intel_liveupdate_plan *plan)
{
	plan->nr_steps = 0;
	if (!is_paging(old) || !is_paging(new))
		return false;
	if (is_first_stage(new))
		add_steps_to_first_stage(plan, old, new, transit_did);
	else
		add_steps_to_second_stage(plan, old, new);
	return true;
}

static void add_flush(struct intel_liveupdate_flush *flush, u16 did, bool first_stage)
{
	flush->dids[flush->nr_dids].did = did;
	flush->dids[flush->nr_dids].first_stage = first_stage;
	flush->nr_dids++;
}

/**
 * intel_liveupdate_plan_flush() - whose cached translations are stale after a replace
 * @old: entry that hardware used
 * @new: what it uses now
 * @transit_did: what intel_liveupdate_plan_replace() was given
 * @caching_mode: entries that are not present are cached as well (VT-d spec 6.1)
 * @flush: filled
 *
 * The old domain's always are. Under the new domain's id there can be some in
 * caching mode, from before the domain had it.
 */
void intel_liveupdate_plan_flush(struct pasid_entry *old, struct pasid_entry *new,
				 u16 transit_did, bool caching_mode,
				 struct intel_liveupdate_flush *flush)
{
	flush->nr_dids = 0;
	add_flush(flush, pasid_get_domain_id(old), is_first_stage(old));
	if (is_first_to_first(old, new))
		add_flush(flush, transit_did, true);
	if (caching_mode)
		add_flush(flush, pasid_get_domain_id(new), is_first_stage(new));
}

/**
 * intel_liveupdate_plan_context() - the context entry for another domain, in legacy mode
 * @old: what hardware uses; its translation type stays, and so does ATS
 * @top_table: of the new domain, second-stage
 * @width: its address width, as the entry says it
 * @did: its domain id
 * @new: filled
 *
 * Hardware reads the 16 bytes at once (VT-d spec 9.3), so that's one step.
 *
 * Return: false when @old does not translate by a table.
 */
bool intel_liveupdate_plan_context(const struct context_entry *old, u64 top_table, u8 width,
				   u16 did, struct context_entry *new)
{
	u64 type = old->lo >> 2 & 3;

	context_clear_entry(new);
	if (!(old->lo & 1) || (type != CONTEXT_TT_MULTI_LEVEL && type != CONTEXT_TT_DEV_IOTLB))
		return false;
	context_set_domain_id(new, did);
	context_set_address_root(new, top_table);
	context_set_address_width(new, width);
	context_set_translation_type(new, type);
	context_set_present(new);
	return true;
}

/* ---- Writing entries ---- */

union chunk {
	u128 whole;
	struct {
		u64 lo;
		u64 hi;
	};
};

/* Only locked, aligned accesses of 16 bytes are sure to be seen at once. */
static bool can_write_chunks(void)
{
	if (system_has_cmpxchg128())
		return true;
	pr_warn_once("this CPU can't write 16 bytes at once: DMA can fault while a device leaves its restored domain\n");
	return false;
}

static void write_chunk(struct intel_iommu *iommu, void *to, u64 lo, u64 hi)
{
	union chunk new = { .lo = lo, .hi = hi };
	u128 *target = to;
	u128 old = *target;

	lockdep_assert_held(&iommu->lock);
	/* What the pointers lead to must be there first. */
	dma_wmb();
	while (!try_cmpxchg128(target, &old, new.whole))
		;
	__iommu_flush_cache(iommu, to, sizeof(new));
}

/**
 * struct replacement - a device moves from one domain to another
 * @dev: the device
 * @info: of @dev
 * @iommu: its unit
 * @pasid: what of it moves: a PASID, or requests without
 * @old: what it runs on
 * @new: where it goes
 * @transit: has a domain id for between two first-stage domains, else NULL
 * @old_did: on @iommu
 * @new_did: on @iommu
 * @transit_did: on @iommu, 0 for none
 * @joined: how a PASID is linked into @new
 */
struct replacement {
	struct device *dev;
	struct device_domain_info *info;
	struct intel_iommu *iommu;
	u32 pasid;
	struct dmar_domain *old;
	struct dmar_domain *new;
	struct dmar_domain *transit;
	u16 old_did;
	u16 new_did;
	u16 transit_did;
	struct dev_pasid_info *joined;
};

/* ---- Legacy mode ---- */

typedef int (*requester_call)(struct pci_dev *pdev, u16 requester, void *move);

static int call_for_requesters(struct replacement *move, requester_call call)
{
	if (!dev_is_pci(move->dev))
		return call(NULL, PCI_DEVID(move->info->bus, move->info->devfn), move);
	return pci_for_each_dma_alias(to_pci_dev(move->dev), call, move);
}

static struct context_entry *find_context(const struct replacement *move, u16 requester)
{
	return iommu_context_addr(move->iommu, PCI_BUS_NUM(requester), requester & 0xff, 0);
}

static bool plan_context(const struct replacement *move, const struct context_entry *old,
			 struct context_entry *new)
{
	struct pt_iommu_vtdss_hw_info table;

	pt_iommu_vtdss_hw_info(&move->new->sspt, &table);
	return intel_liveupdate_plan_context(old, table.ssptptr, table.aw, move->new_did, new);
}

/* An alias may have moved with another device of the group already. */
static int check_context(struct pci_dev *pdev, u16 requester, void *data)
{
	struct replacement *move = data;
	struct context_entry *context, new;
	int did;

	guard(spinlock)(&move->iommu->lock);
	context = find_context(move, requester);
	if (!context || !plan_context(move, context, &new))
		return -ENOENT;
	did = context_domain_id(context);
	return did == move->old_did || did == move->new_did ? 0 : -ENOENT;
}

static int write_context(struct pci_dev *pdev, u16 requester, void *data)
{
	struct replacement *move = data;
	struct context_entry *context, new;

	guard(spinlock)(&move->iommu->lock);
	context = find_context(move, requester);
	if (!WARN_ON(!context || !plan_context(move, context, &new)))
		write_chunk(move->iommu, context, new.lo, new.hi);
	return 0;
}

/*
 * VT-d spec 6.5.3.3: the context cache for the requester and the old domain,
 * the IOTLB for the old domain, then the device-TLB.
 */
static int flush_context(struct pci_dev *pdev, u16 requester, void *data)
{
	struct replacement *move = data;

	intel_context_flush_no_pasid(move->info, NULL, move->old_did, requester);
	return 0;
}

static void flush_contexts(struct replacement *move)
{
	struct intel_iommu *iommu = move->iommu;

	iommu_flush_write_buffer(iommu);
	if (cap_caching_mode(iommu->cap))
		iommu->flush.flush_iotlb(iommu, move->new_did, 0, 0, DMA_TLB_DSI_FLUSH);
	call_for_requesters(move, flush_context);
}

/* ---- Scalable mode ---- */

static void make_first_stage(const struct replacement *move, struct pasid_entry *entry)
{
	struct dmar_domain *domain = move->new;
	struct pt_iommu_x86_64_hw_info table;

	pt_iommu_x86_64_hw_info(&domain->fspt, &table);
	pasid_set_flptr(entry, table.gcr3_pt);
	pasid_set_flpm(entry, table.levels - 4);
	if (domain->force_snooping)
		pasid_set_pgsnp(entry);
	pasid_set_address_width(entry, move->iommu->agaw);
	pasid_set_page_snoop(entry, !(domain->fspt.x86_64_pt.common.features &
				      BIT(PT_FEAT_DMA_INCOHERENT)));
	pasid_set_translation_type(entry, PASID_ENTRY_PGTT_FL_ONLY);
}

static void make_second_stage(const struct replacement *move, struct pasid_entry *entry)
{
	struct dmar_domain *domain = move->new;
	struct pt_iommu_vtdss_hw_info table;

	pt_iommu_vtdss_hw_info(&domain->sspt, &table);
	pasid_set_slptr(entry, table.ssptptr);
	pasid_set_address_width(entry, table.aw);
	pasid_set_page_snoop(entry, !(domain->sspt.vtdss_pt.common.features &
				      BIT(PT_FEAT_DMA_INCOHERENT)));
	if (domain->dirty_tracking)
		pasid_set_ssade(entry);
	pasid_set_translation_type(entry, PASID_ENTRY_PGTT_SL_ONLY);
}

static void make_pasid_entry(const struct replacement *move, struct pasid_entry *entry)
{
	pasid_clear_entry(entry);
	pasid_set_domain_id(entry, move->new_did);
	if (intel_domain_is_fs_paging(move->new))
		make_first_stage(move, entry);
	else
		make_second_stage(move, entry);
	pasid_set_present(entry);
}

static bool check_pasid_entry(const struct replacement *move)
{
	struct intel_liveupdate_plan plan;
	struct pasid_entry *entry, new;

	guard(spinlock)(&move->iommu->lock);
	entry = intel_liveupdate_find_pasid_entry(move->info, move->pasid);
	if (!entry || pasid_get_domain_id(entry) != move->old_did)
		return false;
	make_pasid_entry(move, &new);
	return intel_liveupdate_plan_replace(entry, &new, move->transit_did, &plan);
}

static void flush_pasid_cache(const struct replacement *move,
			      const struct intel_liveupdate_flush *flush)
{
	unsigned int i;

	for (i = 0; i < flush->nr_dids; i++)
		qi_flush_pasid_cache(move->iommu, flush->dids[i].did, QI_PC_PASID_SEL,
				     move->pasid);
}

/* Each step but the last is flushed here: no look-up is left that saw what was before. */
static void write_pasid_entry(const struct replacement *move, struct intel_liveupdate_flush *flush)
{
	struct intel_liveupdate_plan plan;
	struct pasid_entry *entry, new;
	unsigned int i;

	guard(spinlock)(&move->iommu->lock);
	entry = intel_liveupdate_find_pasid_entry(move->info, move->pasid);
	make_pasid_entry(move, &new);
	intel_liveupdate_plan_flush(entry, &new, move->transit_did,
				    cap_caching_mode(move->iommu->cap), flush);
	if (WARN_ON(!intel_liveupdate_plan_replace(entry, &new, move->transit_did, &plan)))
		return;
	for (i = 0; i < plan.nr_steps; i++) {
		if (i)
			flush_pasid_cache(move, flush);
		write_chunk(move->iommu, &entry->val[plan.steps[i].chunk * WORDS_PER_CHUNK],
			    plan.steps[i].lo, plan.steps[i].hi);
	}
}

/* The device goes on with DMA, which is why the quirk counts. */
static void flush_device_tlb(const struct replacement *move)
{
	struct device_domain_info *info = move->info;
	const u16 requester = PCI_DEVID(info->bus, info->devfn);
	const unsigned int everything = 64 - VTD_PAGE_SHIFT;

	if (!info->ats_enabled || !pci_device_is_present(to_pci_dev(move->dev)))
		return;
	if (move->pasid == IOMMU_NO_PASID)
		qi_flush_dev_iotlb(move->iommu, requester, info->pfsid, info->ats_qdep, 0,
				   everything);
	else
		qi_flush_dev_iotlb_pasid(move->iommu, requester, info->pfsid, move->pasid,
					 info->ats_qdep, 0, everything);
	quirk_extra_dev_tlb_flush(info, 0, everything, move->pasid, info->ats_qdep);
}

/*
 * VT-d spec 6.5.3.3: the PASID cache for the PASID and domain, the IOTLB for
 * the PASID (first stage) or the domain (second stage), then the device-TLB.
 */
static void flush_pasid_entry(const struct replacement *move,
			      const struct intel_liveupdate_flush *flush)
{
	struct intel_iommu *iommu = move->iommu;
	unsigned int i;

	iommu_flush_write_buffer(iommu);
	flush_pasid_cache(move, flush);
	for (i = 0; i < flush->nr_dids; i++) {
		u16 did = flush->dids[i].did;

		if (flush->dids[i].first_stage)
			qi_flush_piotlb_all(iommu, did, move->pasid);
		else
			iommu->flush.flush_iotlb(iommu, did, 0, 0, DMA_TLB_DSI_FLUSH);
	}
	flush_device_tlb(move);
}

/* ---- Both ---- */

static bool is_live(struct replacement *move)
{
	if (sm_supported(move->iommu))
		return check_pasid_entry(move);
	return !call_for_requesters(move, check_context);
}

/**
 * intel_liveupdate_tag_transit() - have two domains flush the id for between them, too
 * @old: where a device or PASID is
 * @new: where it goes
 * @did: what hardware caches translations of either under meanwhile
 * @dev: the device
 * @pasid: of it
 *
 * When mappings change meanwhile, nothing that is cached leads to their pages
 * after the domain's own flush. The device-TLB is tagged once more, so that it
 * is flushed after the IOTLB that it would be filled from.
 *
 * Return: 0 or -ENOMEM. intel_liveupdate_untag_transit() undoes either.
 */
int intel_liveupdate_tag_transit(struct dmar_domain *old, struct dmar_domain *new, u16 did,
				 struct device *dev, u32 pasid)
{
	int ret = __cache_tag_assign_domain(old, did, dev, pasid);

	return ret ? ret : __cache_tag_assign_domain(new, did, dev, pasid);
}

/**
 * intel_liveupdate_untag_transit() - nothing is cached under the id any more
 * @old: as in intel_liveupdate_tag_transit()
 * @new: as there
 * @did: as there
 * @dev: as there
 * @pasid: as there
 */
void intel_liveupdate_untag_transit(struct dmar_domain *old, struct dmar_domain *new, u16 did,
				    struct device *dev, u32 pasid)
{
	__cache_tag_unassign_domain(old, did, dev, pasid);
	__cache_tag_unassign_domain(new, did, dev, pasid);
}

static void free_transit(struct replacement *move)
{
	if (!move->transit)
		return;
	if (move->transit_did) {
		intel_liveupdate_untag_transit(move->old, move->new, move->transit_did, move->dev,
					       move->pasid);
		domain_detach_iommu(move->transit, move->iommu);
	}
	kfree(move->transit);
}

/* A domain that nothing is ever attached to, for its id. */
static int alloc_transit(struct replacement *move)
{
	int ret;

	if (!intel_domain_is_fs_paging(move->old) || !intel_domain_is_fs_paging(move->new))
		return 0;
	move->transit = kzalloc_obj(*move->transit);
	if (!move->transit)
		return -ENOMEM;
	xa_init(&move->transit->iommu_array);
	ret = domain_attach_iommu(move->transit, move->iommu);
	if (ret)
		return ret;
	move->transit_did = domain_id_iommu(move->transit, move->iommu);
	return intel_liveupdate_tag_transit(move->old, move->new, move->transit_did, move->dev,
					    move->pasid);
}

/* Until it has left the old domain, a PASID is on the lists of both. */
static int join_pasid(struct replacement *move)
{
	move->joined = domain_add_dev_pasid(&move->new->domain, move->dev, move->pasid);
	return PTR_ERR_OR_ZERO(move->joined);
}

static int join_without_pasid(struct replacement *move)
{
	int ret = domain_attach_iommu(move->new, move->iommu);

	if (ret)
		return ret;
	ret = cache_tag_assign_domain(move->new, move->dev, IOMMU_NO_PASID);
	if (ret)
		domain_detach_iommu(move->new, move->iommu);
	return ret;
}

/* A unit has the new domain's id, and its caches are flushed when its tables change. */
static int join(struct replacement *move)
{
	int ret = move->pasid == IOMMU_NO_PASID ? join_without_pasid(move) : join_pasid(move);

	if (ret)
		return ret;
	move->old_did = domain_id_iommu(move->old, move->iommu);
	move->new_did = domain_id_iommu(move->new, move->iommu);
	return 0;
}

static void leave(const struct replacement *move, struct dmar_domain *domain)
{
	if (move->pasid != IOMMU_NO_PASID) {
		domain_remove_dev_pasid(&domain->domain, move->dev, move->pasid);
		return;
	}
	cache_tag_unassign_domain(domain, move->dev, IOMMU_NO_PASID);
	domain_detach_iommu(domain, move->iommu);
}

/*
 * A domain's lock is held while one of its devices gets a setting of the
 * domain, like dirty tracking. So the entry is made and written under the new
 * domain's, and the device counts as the new domain's from then on.
 */
static void write_and_flush(struct replacement *move)
{
	struct device_domain_info *info = move->info;
	bool requests_without = move->pasid == IOMMU_NO_PASID;
	bool scalable = sm_supported(move->iommu);
	struct intel_liveupdate_flush flush;

	scoped_guard(spinlock_irqsave, &move->old->lock) {
		if (requests_without)
			list_del(&info->link);
		intel_liveupdate_begin_leaving(move->old);
	}
	scoped_guard(spinlock_irqsave, &move->new->lock) {
		if (scalable)
			write_pasid_entry(move, &flush);
		else
			call_for_requesters(move, write_context);
		if (requests_without)
			list_add(&info->link, &move->new->devices);
	}
	if (scalable)
		flush_pasid_entry(move, &flush);
	else
		flush_contexts(move);
	if (scalable)
		intel_iommu_drain_pasid_prq(move->dev, move->pasid);
	intel_liveupdate_end_leaving(move->old);
	if (requests_without)
		info->domain = move->new;
}

/* 0, an errno with nothing changed, or -EAGAIN when it's not possible in place. */
static int replace(struct replacement *move)
{
	int ret = join(move);

	if (ret)
		return ret;
	ret = alloc_transit(move);
	if (!ret && !is_live(move))
		ret = -EAGAIN;
	if (!ret)
		write_and_flush(move);
	free_transit(move);
	leave(move, ret ? move->new : move->old);
	/* Its directory has the name of the one that has just gone. */
	if (!ret && move->pasid != IOMMU_NO_PASID)
		intel_iommu_debugfs_create_dev_pasid(move->joined);
	return ret;
}

static int check_and_replace(struct replacement *move)
{
	struct iommu_domain *new = &move->new->domain;
	int ret = paging_domain_compatible(new, move->dev);

	if (ret)
		return ret;
	ret = iopf_for_domain_set(new, move->dev);
	if (ret)
		return ret;
	ret = replace(move);
	iopf_for_domain_remove(ret ? new : &move->old->domain, move->dev);
	return ret;
}

/**
 * intel_liveupdate_replace() - attach a device without a gap, if that is to be done
 * @domain: to attach, first-stage or second-stage
 * @dev: the device
 * @error: set when true is returned: 0, or a negative errno with the device
 *	on its domain as before; -EINVAL when its unit can't do what @domain
 *	was made for
 *
 * It is when the device runs on a restored domain or is to run on one, and
 * hardware has an entry for it that can be rewritten in place.
 *
 * Lock: the mutex of the device's group.
 * Return: false when the device has to be attached in the ordinary way.
 */
bool intel_liveupdate_replace(struct iommu_domain *domain, struct device *dev, int *error)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct replacement move = {
		.dev = dev,
		.info = info,
		.iommu = info->iommu,
		.pasid = IOMMU_NO_PASID,
		.old = info->domain,
		.new = to_dmar_domain(domain),
	};

	if (!move.old || move.old == move.new || dev_is_real_dma_subdevice(dev))
		return false;
	if (!intel_liveupdate_is_restored(move.old) && !intel_liveupdate_is_restored(move.new))
		return false;
	if (!can_write_chunks())
		return false;
	*error = check_and_replace(&move);
	return *error != -EAGAIN;
}

/**
 * intel_liveupdate_replace_pasid() - move a PASID without a gap, if that is to be done
 * @domain: to attach, first-stage or second-stage
 * @dev: the device
 * @pasid: the PASID
 * @old: what is attached, or NULL
 * @error: as of intel_liveupdate_replace()
 *
 * It is when the PASID is on a restored domain, whose entry can be rewritten in
 * place.
 *
 * Lock: the mutex of the device's group.
 * Return: false when it has to be attached in the ordinary way.
 */
bool intel_liveupdate_replace_pasid(struct iommu_domain *domain, struct device *dev, u32 pasid,
				    struct iommu_domain *old, int *error)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct replacement move = {
		.dev = dev,
		.info = info,
		.iommu = info->iommu,
		.pasid = pasid,
		.new = to_dmar_domain(domain),
	};

	if (!old || !intel_liveupdate_is_restored(to_dmar_domain(old)) || !can_write_chunks())
		return false;
	move.old = to_dmar_domain(old);
	*error = check_and_replace(&move);
	return *error != -EAGAIN;
}
