// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices on restored state: their domains, and the owners that keep everybody
 * else off their groups.
 *
 * A domain is made for the first of its devices that the IOMMU core finds. It
 * is freed when every device that the handover has on it was found and released
 * again: until then the hardware may walk its tables.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/pci.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "../iommu-priv.h"
#include "incoming.h"
#include "internal.h"

/* Owners that groups have; a group's owner is ours if, and only if, it's here. */
static LIST_HEAD(owners);

static struct iommu_incoming_device *find_device(struct iommu_incoming *incoming,
						 struct device *dev)
{
	struct pci_dev *pdev;

	if (!incoming || !dev_is_pci(dev))
		return NULL;
	pdev = to_pci_dev(dev);
	return iommu_incoming_find(incoming, pci_domain_nr(pdev->bus), pci_dev_id(pdev));
}

static struct iommu_incoming *current_locked(void)
{
	return rcu_dereference_protected(iommu_incoming_current,
					 lockdep_is_held(&iommu_incoming_lock));
}

/**
 * iommu_incoming_own() - a group is about to hold the owner of a device
 * @device: claimed
 */
void iommu_incoming_own(struct iommu_incoming_device *device)
{
	lockdep_assert_held(&iommu_incoming_lock);
	list_add_tail(&device->owner->list, &owners);
	device->owner->incoming->nr_owned++;
}

/**
 * iommu_incoming_owned_device() - the device whose group has an owner
 * @owner: of any group; only compared
 *
 * Return: NULL when @owner is none of ours.
 */
struct iommu_incoming_device *iommu_incoming_owned_device(const void *owner)
{
	struct iommu_incoming_owner *each;

	lockdep_assert_held(&iommu_incoming_lock);
	list_for_each_entry(each, &owners, list)
		if (each == owner)
			return &each->incoming->devices[each->device];
	return NULL;
}

/**
 * iommu_incoming_domain_get() - the domain of a device, made if need be
 * @incoming: the handover
 * @device: claimed
 * @dev: the device itself
 *
 * Return: the domain, which the handover keeps, or an ERR_PTR.
 */
struct iommu_domain *iommu_incoming_domain_get(struct iommu_incoming *incoming,
					       struct iommu_incoming_device *device,
					       struct device *dev)
{
	struct iommu_incoming_domain *entry = &incoming->domains[device->domain];
	struct iommu_domain *domain;

	lockdep_assert_held(&iommu_incoming_lock);
	if (entry->domain)
		return entry->domain;
	if (iommu_incoming_inject_device("making a domain"))
		return ERR_PTR(-ENOMEM);
	domain = incoming->ops->restore_domain(dev, &entry->record);
	if (IS_ERR(domain))
		return domain;
	if (WARN_ON_ONCE(!domain || !domain->ops || !domain->ops->free))
		return ERR_PTR(-EINVAL);
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	domain->owner = dev_iommu_ops(dev);
	entry->domain = domain;
	return domain;
}

static void domain_put(struct iommu_incoming *incoming, u64 position)
{
	struct iommu_incoming_domain *entry = &incoming->domains[position];

	if (WARN_ON_ONCE(!entry->nr_devices) || --entry->nr_devices)
		return;
	iommu_incoming_pages_forget(&incoming->pages,
				    IOMMU_INCOMING_TAG(IOMMUSER_KIND_DOMAIN, position));
	if (entry->domain)
		iommu_domain_free(entry->domain);
	entry->domain = NULL;
}

/**
 * iommu_incoming_disown() - the device of an owner is gone
 * @device: of iommu_incoming_owned_device(); nothing of it is attached any
 *	more. Its owner is freed, and the handover with the last one
 *	when it is finished
 */
void iommu_incoming_disown(struct iommu_incoming_device *device)
{
	struct iommu_incoming_owner *owner = device->owner;
	struct iommu_incoming *incoming = owner->incoming;

	lockdep_assert_held(&iommu_incoming_lock);
	WRITE_ONCE(device->state, IOMMU_INCOMING_RELEASED);
	device->owner = NULL;
	list_del(&owner->list);
	iommu_incoming_pages_forget(&incoming->pages,
				    IOMMU_INCOMING_TAG(IOMMUSER_KIND_DEVICE, owner->device));
	kfree(owner);
	domain_put(incoming, device->domain);
	if (!--incoming->nr_owned && incoming->finished)
		iommu_incoming_free(incoming);
}

/* Is the device behind the unit that its record says? */
static int check_unit(struct iommu_incoming *incoming, struct iommu_incoming_device *device,
		      struct device *dev)
{
	struct iommuser_iommu unit = {};
	int error = incoming->ops->describe_unit(dev->iommu->iommu_dev, &unit);

	if (error)
		return error;
	return unit.token == incoming->units[device->unit].record.token ? 0 : -EXDEV;
}

static struct iommu_domain *restore(struct iommu_incoming *incoming,
				    struct iommu_incoming_device *device, struct device *dev,
				    bool alone)
{
	int error;

	if (dev_iommu_ops(dev)->liveupdate_ops != incoming->ops)
		return ERR_PTR(-EXDEV);
	if (!alone)
		return ERR_PTR(-EBUSY);
	error = check_unit(incoming, device, dev);
	if (error)
		return ERR_PTR(error);
	return iommu_incoming_domain_get(incoming, device, dev);
}

static void block(struct iommu_incoming_device *device, struct device *dev, const char *what,
		  int error)
{
	WRITE_ONCE(device->state, IOMMU_INCOMING_BLOCKED);
	iommu_incoming_fail_device(dev, what, error);
}

struct iommu_domain *iommu_liveupdate_restored_domain(struct device *dev, bool alone)
{
	struct iommu_incoming_device *device;
	struct iommu_incoming *incoming;
	struct iommu_domain *domain;

	guard(mutex)(&iommu_incoming_lock);
	incoming = current_locked();
	device = find_device(incoming, dev);
	if (!device || device->state != IOMMU_INCOMING_CLAIMED)
		return NULL;
	domain = restore(incoming, device, dev, alone);
	if (IS_ERR(domain))
		block(device, dev, alone ? "its domain" : "its group has other devices",
		      PTR_ERR(domain));
	else
		WRITE_ONCE(device->state, IOMMU_INCOMING_RUNNING);
	return domain;
}

void *iommu_liveupdate_owner(struct device *dev)
{
	struct iommu_incoming_device *device;

	guard(mutex)(&iommu_incoming_lock);
	device = find_device(current_locked(), dev);
	if (WARN_ON_ONCE(!device || (device->state != IOMMU_INCOMING_RUNNING &&
				     device->state != IOMMU_INCOMING_BLOCKED)))
		return NULL;
	iommu_incoming_own(device);
	return device->owner;
}

void iommu_liveupdate_attach_failed(struct device *dev, int error)
{
	struct iommu_incoming_device *device;

	guard(mutex)(&iommu_incoming_lock);
	device = find_device(current_locked(), dev);
	if (!WARN_ON_ONCE(!device))
		block(device, dev, "attaching its domain", error);
}

bool iommu_liveupdate_owned(const void *owner)
{
	guard(mutex)(&iommu_incoming_lock);
	return iommu_incoming_owned_device(owner);
}

bool iommu_liveupdate_release_device(struct device *dev, void *owner)
{
	struct iommu_incoming_device *device;

	guard(mutex)(&iommu_incoming_lock);
	device = iommu_incoming_owned_device(owner);
	if (!device)
		return false;
	if (device->state == IOMMU_INCOMING_RUNNING)
		dev_info(dev, "is released from its restored domain\n");
	iommu_incoming_disown(device);
	return true;
}

bool iommu_liveupdate_device_incoming(struct device *dev)
{
	struct iommu_incoming_device *device;

	guard(rcu)();
	device = find_device(rcu_dereference(iommu_incoming_current), dev);
	return device && READ_ONCE(device->state) == IOMMU_INCOMING_RUNNING;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_device_incoming);

/*
 * A device that is not there can't do DMA: its hardware entry, its domain's
 * tables and its record stay as they are. If it appears later, it gets them as
 * at boot, and its group is owned from its first moment.
 */
static int __init iommu_incoming_name_missing(void)
{
	struct iommu_incoming_device *device;
	struct iommu_incoming *incoming;
	u64 i;

	guard(mutex)(&iommu_incoming_lock);
	incoming = current_locked();
	for (i = 0; incoming && i < incoming->nr_devices; i++) {
		device = &incoming->devices[i];
		if (device->state == IOMMU_INCOMING_CLAIMED)
			pr_warn("%04llx:%02llx:%02llx.%llx was handed over but is not there; it gets its restored domain if it appears\n",
				device->record.segment, device->record.bdf >> 8,
				device->record.bdf >> 3 & 0x1f, device->record.bdf & 7);
	}
	return 0;
}
late_initcall(iommu_incoming_name_missing);
