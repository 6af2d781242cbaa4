/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Groups of devices, for iommu.c, whose types these are, and for live update.
 */
#ifndef _IOMMU_GROUP_H
#define _IOMMU_GROUP_H

#include <linux/iommu_liveupdate.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/xarray.h>

struct iommu_group {
	struct kobject kobj;
	struct kobject *devices_kobj;
	struct list_head devices;
	struct xarray pasid_array;
	struct mutex mutex; /* protects what a group is attached to, and whose it is */
	void *iommu_data;
	void (*iommu_data_release)(void *iommu_data);
	char *name;
	int id;
	struct iommu_domain *default_domain;
	struct iommu_domain *blocking_domain;
	struct iommu_domain *domain;
	struct list_head entry;
	unsigned int owner_cnt;
	/*
	 * Number of devices in the group undergoing or awaiting recovery.
	 * If non-zero, concurrent domain attachments are rejected.
	 */
	unsigned int recovery_cnt;
	void *owner;
};

struct group_device {
	struct list_head list;
	struct device *dev;
	char *name;
	/*
	 * Device is blocked for a pending recovery while its group->domain is
	 * retained. This can happen when:
	 *  - Device is undergoing a reset
	 */
	bool blocked;
	unsigned int reset_depth;
};

/* Iterate over each struct group_device in a struct iommu_group */
#define for_each_group_device(group, pos) \
	list_for_each_entry(pos, &(group)->devices, list)

int __iommu_group_alloc_blocking_domain(struct iommu_group *group);
int __iommu_group_set_domain(struct iommu_group *group, struct iommu_domain *new_domain);
void __iommu_group_set_domain_nofail(struct iommu_group *group, struct iommu_domain *new_domain);

#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE)
bool iommu_group_set_restored(struct iommu_group *group);
int iommu_group_may_join(struct iommu_group *group, struct device *dev);
void iommu_group_release_restored(struct iommu_group *group, struct device *dev);
void iommu_group_abandon_restored(struct iommu_group *group, struct device *dev);
bool iommu_group_hand_over(struct iommu_group *group, void *owner);
bool iommu_group_give_back(struct iommu_group *group);
#else

static inline bool iommu_group_set_restored(struct iommu_group *group) { return false; }
static inline void iommu_group_release_restored(struct iommu_group *group, struct device *dev) { }
static inline int iommu_group_may_join(struct iommu_group *group, struct device *dev)
{
	return 0;
}

static inline bool iommu_group_hand_over(struct iommu_group *group, void *owner) { return false; }
static inline bool iommu_group_give_back(struct iommu_group *group) { return false; }

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* _IOMMU_GROUP_H */
