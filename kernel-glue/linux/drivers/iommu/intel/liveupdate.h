/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update in the VT-d driver: what the driver's other files call, and what
 * the liveupdate*.c share.
 */
#ifndef _INTEL_LIVEUPDATE_H
#define _INTEL_LIVEUPDATE_H

#include <linux/iommu_liveupdate.h>

#include "iommu.h"

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
 */
struct intel_liveupdate {
	unsigned int nr_devices;
	DECLARE_BITMAP(requesters, BIT(16));
};

int intel_liveupdate_host_address_width(void);
bool intel_liveupdate_get_context(const struct device_domain_info *info,
				  struct context_entry *copy);
u32 intel_liveupdate_mode(struct intel_iommu *iommu);

int intel_liveupdate_describe_unit(struct iommu_device *iommu, struct iommuser_iommu *record);
int intel_liveupdate_describe_domain(struct iommu_domain *domain, struct iommuser_domain *record);
int intel_liveupdate_describe_device(struct device *dev, struct iommu_domain *domain,
				     struct iommuser_device_request *request);
int intel_liveupdate_device_preserved(struct device *dev);
void intel_liveupdate_device_unpreserved(struct device *dev);

int intel_liveupdate_describe_real_unit(u64 token, struct iommuser_unit *unit);
int intel_liveupdate_reserve_did(u64 token, u32 did);
void intel_liveupdate_release_did(u64 token, u32 did);

struct iommu_domain *intel_liveupdate_restore_domain(struct device *dev,
						     const struct iommuser_domain *record);

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

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* _INTEL_LIVEUPDATE_H */
