/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update in the VT-d driver: what the driver's other files call, and what
 * the liveupdate*.c share.
 */
#ifndef _INTEL_LIVEUPDATE_H
#define _INTEL_LIVEUPDATE_H

#include <linux/iommu_liveupdate.h>

#include "iommu.h"

struct pasid_entry;
struct pasid_table;

#ifdef CONFIG_IOMMU_LIVEUPDATE

extern const struct iommu_liveupdate_ops intel_liveupdate_ops;

/* For the driver's other files: preserving, and what it forbids. */

bool intel_liveupdate_unit_in_use(struct intel_iommu *iommu);

/* A unit that has a root table was not removed: adding it again must leave it alone. */
static inline bool intel_liveupdate_unit_running(struct intel_iommu *iommu)
{
	return iommu->root_entry;
}

/* Shutdown */

bool intel_liveupdate_unit_stays_on(struct intel_iommu *iommu);
void intel_liveupdate_clear_unpreserved(struct intel_iommu *iommu);

/* Boot */

void intel_liveupdate_claim(bool will_run);
bool intel_liveupdate_take_over(struct intel_iommu *iommu);
bool intel_liveupdate_entry_live(struct device_domain_info *info);
bool intel_liveupdate_adopt_pasid_table(struct device_domain_info *info,
					struct pasid_table *pasid_table);

/* Attaching */

bool intel_liveupdate_replace(struct iommu_domain *domain, struct device *dev, int *error);
bool intel_liveupdate_replace_pasid(struct iommu_domain *domain, struct device *dev, u32 pasid,
				    struct iommu_domain *old, int *error);

/* Was the unit's root table that of the kernel before? */
static inline bool intel_liveupdate_adopted(struct intel_iommu *iommu)
{
	return iommu->flags & VTD_FLAG_ROOT_ADOPTED;
}

/* Among the liveupdate*.c: the operations, by the file that has them. */

/* Bits of the low quadword of a context entry in scalable mode. */
#define CONTEXT_SM_DTE		BIT_ULL(2)
#define CONTEXT_SM_PRE		BIT_ULL(4)

/**
 * struct intel_liveupdate - what shutdown must know of a unit
 * @nr_devices: preserved devices
 * @requesters: their requester ids, one bit for each of bus << 8 | devfn
 * @pasids: an entry for each of their preserved PASIDs, by
 *	intel_liveupdate_pasid_index(). Shutdown may come in the middle of a
 *	change, which is no more to an xarray than to have another reader
 */
struct intel_liveupdate {
	unsigned int nr_devices;
	DECLARE_BITMAP(requesters, BIT(16));
	struct xarray pasids;
};

static inline unsigned long intel_liveupdate_pasid_index(u32 requester, u32 pasid)
{
	return (unsigned long)requester << 20 | pasid;
}

int intel_liveupdate_host_address_width(void);
bool intel_liveupdate_get_context(const struct device_domain_info *info,
				  struct context_entry *copy);
u32 intel_liveupdate_mode(struct intel_iommu *iommu);

int intel_liveupdate_describe_unit(struct iommu_device *iommu, struct iommuser_iommu *record);
int intel_liveupdate_describe_domain(struct iommu_domain *domain, struct iommuser_domain *record);
int intel_liveupdate_describe_device(struct device *dev, struct iommu_domain *domain,
				     unsigned int nr_pasids,
				     struct iommuser_device_request *request);
int intel_liveupdate_describe_pasid(struct device *dev, u32 pasid, struct iommu_domain *domain,
				    u32 *did);
unsigned int intel_liveupdate_count_pasids(const struct device_domain_info *info);
int intel_liveupdate_device_preserved(struct device *dev,
				      const struct iommu_liveupdate_pasid *pasids,
				      unsigned int nr_pasids);
void intel_liveupdate_device_unpreserved(struct device *dev);

int intel_liveupdate_describe_real_unit(u64 token, struct iommuser_unit *unit);
int intel_liveupdate_reserve_did(u64 token, u32 did);
void intel_liveupdate_release_did(u64 token, u32 did);

int intel_liveupdate_hold_did(struct iommu_domain *domain, u64 token, u32 did);
void intel_liveupdate_block_pasid(struct device *dev, u32 pasid);
void intel_liveupdate_clear_entry(u64 token, const struct iommuser_device *device,
				  const struct iommuser_domain *domain);

struct iommu_domain *intel_liveupdate_restore_domain(struct device *dev,
						     const struct iommuser_domain *record);
int intel_liveupdate_spend_domain(struct iommu_domain *domain, bool spent);
void intel_liveupdate_abandon_domain(struct iommu_domain *domain);
void intel_liveupdate_begin_leaving(struct dmar_domain *domain);
void intel_liveupdate_end_leaving(struct dmar_domain *domain);

static inline bool intel_liveupdate_is_restored(const struct dmar_domain *domain)
{
	return intel_domain_is_restored(domain, true) || intel_domain_is_restored(domain, false);
}

struct pasid_entry *intel_liveupdate_find_pasid_entry(const struct device_domain_info *info,
						      u32 pasid);
bool intel_liveupdate_pasid_entry_leads(struct pasid_entry *entry, bool first_stage, u64 top_table,
					u32 top_level, u32 did);

/* What liveupdate-replace.c decides before it does it. */

/**
 * struct intel_liveupdate_step - one write to an entry
 * @chunk: which 16 bytes of it
 * @lo: first quadword
 * @hi: second quadword
 */
struct intel_liveupdate_step {
	unsigned int chunk;
	u64 lo;
	u64 hi;
};

/**
 * struct intel_liveupdate_plan - how to get from one PASID entry to another
 * @nr_steps: elements of @steps
 * @steps: in this order, with the PASID cache flushed between them
 */
struct intel_liveupdate_plan {
	unsigned int nr_steps;
	struct intel_liveupdate_step steps[3];
};

/**
 * struct intel_liveupdate_flush - whose translations to flush
 * @nr_dids: elements of @dids
 * @dids: domain ids, and whether to flush first-stage translations or others
 */
struct intel_liveupdate_flush {
	unsigned int nr_dids;
	struct {
		u16 did;
		bool first_stage;
	} dids[3];
};

bool intel_liveupdate_plan_replace(struct pasid_entry *old, struct pasid_entry *new,
				   u16 transit_did, struct intel_liveupdate_plan *plan);
void intel_liveupdate_plan_flush(struct pasid_entry *old, struct pasid_entry *new,
				 u16 transit_did, bool caching_mode,
				 struct intel_liveupdate_flush *flush);
int intel_liveupdate_tag_transit(struct dmar_domain *old, struct dmar_domain *new, u16 did,
				 struct device *dev, u32 pasid);
void intel_liveupdate_untag_transit(struct dmar_domain *old, struct dmar_domain *new, u16 did,
				    struct device *dev, u32 pasid);
bool intel_liveupdate_plan_context(const struct context_entry *old, u64 top_table, u8 width,
				   u16 did, struct context_entry *new);

#else

static inline bool intel_liveupdate_unit_in_use(struct intel_iommu *iommu) { return false; }
static inline bool intel_liveupdate_unit_running(struct intel_iommu *iommu) { return false; }
static inline bool intel_liveupdate_unit_stays_on(struct intel_iommu *iommu) { return false; }
static inline void intel_liveupdate_clear_unpreserved(struct intel_iommu *iommu) {}
static inline void intel_liveupdate_claim(bool will_run) {}
static inline bool intel_liveupdate_take_over(struct intel_iommu *iommu) { return false; }
static inline bool intel_liveupdate_entry_live(struct device_domain_info *info) { return false; }
static inline bool intel_liveupdate_adopted(struct intel_iommu *iommu) { return false; }

static inline bool intel_liveupdate_adopt_pasid_table(struct device_domain_info *info,
						      struct pasid_table *pasid_table)
{
	return false;
}

static inline bool intel_liveupdate_replace(struct iommu_domain *domain, struct device *dev,
					    int *error)
{
	return false;
}

static inline bool intel_liveupdate_replace_pasid(struct iommu_domain *domain, struct device *dev,
						  u32 pasid, struct iommu_domain *old, int *error)
{
	return false;
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* _INTEL_LIVEUPDATE_H */
