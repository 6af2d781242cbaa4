/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update in the VT-d driver: how iommu.h tells restored domains, and what
 * cache.c has for their replacement. It includes this after struct dmar_domain.
 */
#ifndef _INTEL_LIVEUPDATE_DOMAIN_H
#define _INTEL_LIVEUPDATE_DOMAIN_H

int __cache_tag_assign_domain(struct dmar_domain *domain, u16 did, struct device *dev,
			      ioasid_t pasid);
void __cache_tag_unassign_domain(struct dmar_domain *domain, u16 did, struct device *dev,
				 ioasid_t pasid);

#ifdef CONFIG_IOMMU_LIVEUPDATE

/* By whether they are of the first stage. */
extern const struct iommu_domain_ops intel_restored_domain_ops[2];

/* Is that a domain from before the jump, and of that stage? */
static inline bool intel_domain_is_restored(const struct dmar_domain *domain, bool first_stage)
{
	return domain->domain.ops == &intel_restored_domain_ops[first_stage];
}

#else

static inline bool intel_domain_is_restored(const struct dmar_domain *domain, bool first_stage)
{
	return false;
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* _INTEL_LIVEUPDATE_DOMAIN_H */
