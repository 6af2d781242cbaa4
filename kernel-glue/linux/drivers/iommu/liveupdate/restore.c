// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices on restored state: their domains, and the owners that keep everybody
 * else off their groups.
 *
 * A domain is made for the first of its devices that the IOMMU core finds. It
 * lives until every device that the handover has on it has left it, and the
 * HWPT that it was given to, if any, is destroyed: until then the hardware may
 * walk its tables.
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

/**
 * iommu_incoming_find_dev() - the claimed record of a device
 * @incoming: claimed and not finished, or NULL
 * @dev: of any kind
 *
 * Return: NULL when there is none.
 */
struct iommu_incoming_device *iommu_incoming_find_dev(struct iommu_incoming *incoming,
						      struct device *dev)
{
	struct pci_dev *pdev;

	if (!incoming || !dev_is_pci(dev))
		return NULL;
	pdev = to_pci_dev(dev);
	return iommu_incoming_find(incoming, pci_domain_nr(pdev->bus), pci_dev_id(pdev));
}

/** iommu_incoming_locked() - the claimed handover, or NULL */
struct iommu_incoming *iommu_incoming_locked(void)
{
	return rcu_dereference_protected(iommu_incoming_current,
					 lockdep_is_held(&iommu_incoming_lock));
}

/**
 * iommu_incoming_advance() - tell the library how far a record has come
 * @incoming: claimed
 * @kind: of the record
 * @position: of the record
 * @state: what it is in now
 */
void iommu_incoming_advance(struct iommu_incoming *incoming, u32 kind, u64 position,
			    enum iommuser_state state)
{
	lockdep_assert_held(&iommu_incoming_lock);
	if (!incoming->finished)
		WARN_ON_ONCE(iommuser_restore_advance(&incoming->machine, kind, position, state));
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

static u64 position_of(const struct iommu_incoming *incoming,
		       const struct iommu_incoming_device *device)
{
	return device - incoming->devices;
}

static int make_domain(struct iommu_incoming *incoming, struct iommu_incoming_domain *entry,
		       struct device *dev)
{
	struct iommu_domain *domain;

	if (iommu_incoming_inject_device("making a domain"))
		return -ENOMEM;
	domain = incoming->ops->restore_domain(dev, &entry->record);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	if (WARN_ON_ONCE(!domain || !domain->ops || !domain->ops->free))
		return -EINVAL;
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	domain->owner = dev_iommu_ops(dev);
	entry->domain = domain;
	return 0;
}

/* Have a domain hold its id for all devices: those that are absent have entries, too. */
static int hold_dids(struct iommu_incoming *incoming, u64 position)
{
	struct iommu_incoming_domain *entry = &incoming->domains[position];
	struct iommu_incoming_user user;
	u64 token;
	u64 i;
	int error;

	for (i = 0; i < iommu_incoming_nr_users(incoming); i++) {
		if (!iommu_incoming_user(incoming, i, &user) || user.domain != position)
			continue;
		if (iommu_incoming_inject_device("holding a domain id"))
			return -ENOMEM;
		token = incoming->units[user.device->unit].record.token;
		error = incoming->ops->hold_did(entry->domain, token, user.did);
		if (error)
			return error;
		*user.held = true;
	}
	entry->held = true;
	return 0;
}

static struct iommu_domain *get_domain(struct iommu_incoming *incoming, u64 position,
				       struct device *dev)
{
	struct iommu_incoming_domain *entry = &incoming->domains[position];
	int error;

	lockdep_assert_held(&iommu_incoming_lock);
	if (!entry->domain) {
		error = make_domain(incoming, entry, dev);
		if (error)
			return ERR_PTR(error);
	}
	if (!entry->held) {
		/* It is kept all the same: there are entries that lead to its tables. */
		error = hold_dids(incoming, position);
		if (error)
			return ERR_PTR(error);
	}
	return entry->domain;
}

/**
 * iommu_incoming_domain_get() - the domain of a device, made if need be
 * @incoming: the handover
 * @device: claimed
 * @dev: the device itself
 *
 * So are those of its PASIDs.
 *
 * Return: the domain, which the handover keeps, or an ERR_PTR.
 */
struct iommu_domain *iommu_incoming_domain_get(struct iommu_incoming *incoming,
					       struct iommu_incoming_device *device,
					       struct device *dev)
{
	int error = iommu_incoming_pasid_domains(incoming, device, get_domain, dev);

	return error ? ERR_PTR(error) : get_domain(incoming, device->domain, dev);
}

/* Has another user of the same domain and unit settled what becomes of their id? */
static bool did_is_settled(struct iommu_incoming *incoming, u64 index,
			   const struct iommu_incoming_user *user)
{
	struct iommu_incoming_user other;
	u64 i;

	for (i = 0; i < iommu_incoming_nr_users(incoming); i++) {
		if (iommu_incoming_user(incoming, i, &other) && other.domain == user->domain &&
		    other.device->unit == user->device->unit && (*other.held || i < index))
			return true;
	}
	return false;
}

/* Give back those of a domain's ids that it never came to hold. */
static void release_dids(struct iommu_incoming *incoming, u64 domain)
{
	struct iommu_incoming_user user;
	u64 i;

	for (i = 0; i < iommu_incoming_nr_users(incoming); i++) {
		if (!iommu_incoming_user(incoming, i, &user) || user.domain != domain ||
		    did_is_settled(incoming, i, &user))
			continue;
		incoming->ops->release_did(incoming->units[user.device->unit].record.token,
					   user.did);
	}
}

/**
 * iommu_incoming_domain_end() - nothing leads to a domain any more
 * @incoming: the handover
 * @entry: live and not taken; each of its devices has left it
 *
 * Return: what is to be freed by iommu_domain_free() when the lock is dropped,
 * or NULL.
 */
struct iommu_domain *iommu_incoming_domain_end(struct iommu_incoming *incoming,
					       struct iommu_incoming_domain *entry)
{
	u64 position = entry - incoming->domains;
	struct iommu_domain *domain = entry->domain;
	unsigned long tag = IOMMU_INCOMING_TAG(IOMMUSER_KIND_DOMAIN, position);

	lockdep_assert_held(&iommu_incoming_lock);
	if (!domain)
		iommu_incoming_pages_free(&incoming->pages, tag, entry->nr_pages);
	if (!entry->held)
		release_dids(incoming, position);
	iommu_incoming_advance(incoming, IOMMUSER_KIND_DOMAIN, position, IOMMUSER_ABANDONED);
	entry->domain = NULL;
	entry->gone = true;
	return domain;
}

/**
 * iommu_incoming_disown() - a group doesn't hold the owner of a device any more
 * @device: of iommu_incoming_owned_device(). Its owner is freed
 */
void iommu_incoming_disown(struct iommu_incoming_device *device)
{
	struct iommu_incoming_owner *owner = device->owner;

	lockdep_assert_held(&iommu_incoming_lock);
	device->owner = NULL;
	owner->incoming->nr_owned--;
	list_del(&owner->list);
	kfree(owner);
}

static const char *how_it_left(enum iommu_incoming_state state)
{
	switch (state) {
	case IOMMU_INCOMING_LEFT:
		return "has left its restored domain";
	case IOMMU_INCOMING_RELEASED:
		return "is released from its restored domain";
	default:
		return "was abandoned: it is stopped and blocked";
	}
}

/**
 * iommu_incoming_leave() - a device is done with its restored domain
 * @incoming: the handover
 * @device: claimed; no entry of the hardware leads to its tables or those of
 *	its domain for it
 * @state: IOMMU_INCOMING_LEFT, IOMMU_INCOMING_RELEASED or IOMMU_INCOMING_ABANDONED
 *
 * A group may hold its owner, still.
 *
 * Return: as iommu_incoming_domain_end().
 */
struct iommu_domain *iommu_incoming_leave(struct iommu_incoming *incoming,
					  struct iommu_incoming_device *device,
					  enum iommu_incoming_state state)
{
	struct iommu_incoming_domain *entry = &incoming->domains[device->domain];
	u64 position = position_of(incoming, device);
	unsigned long tag = IOMMU_INCOMING_TAG(IOMMUSER_KIND_DEVICE, position);

	lockdep_assert_held(&iommu_incoming_lock);
	if (device->dev)
		dev_info(device->dev, "%s\n", how_it_left(state));
	if (!device->dev && !device->adopted)
		iommu_incoming_pages_free(&incoming->pages, tag, device->nr_pages);
	device->dev = NULL;
	WRITE_ONCE(device->state, state);
	iommu_incoming_advance(incoming, IOMMUSER_KIND_DEVICE, position,
			       state == IOMMU_INCOMING_LEFT ? IOMMUSER_LEFT : IOMMUSER_ABANDONED);
	iommu_incoming_leave_pasids(incoming, device);
	if (WARN_ON_ONCE(!entry->nr_devices) || --entry->nr_devices || entry->taken)
		return NULL;
	return iommu_incoming_domain_end(incoming, entry);
}

/**
 * iommu_incoming_moved() - a device is on a domain
 * @incoming: the handover
 * @device: claimed
 * @domain: the domain; only compared
 *
 * Return: as iommu_incoming_domain_end().
 */
struct iommu_domain *iommu_incoming_moved(struct iommu_incoming *incoming,
					  struct iommu_incoming_device *device,
					  const struct iommu_domain *domain)
{
	lockdep_assert_held(&iommu_incoming_lock);
	device->moved = incoming->domains[device->domain].domain != domain;
	return iommu_incoming_leave_if_done(incoming, device);
}

/**
 * iommu_incoming_leave_if_done() - something of a device has moved
 * @incoming: the handover
 * @device: claimed
 *
 * Return: as iommu_incoming_domain_end().
 */
struct iommu_domain *iommu_incoming_leave_if_done(struct iommu_incoming *incoming,
						  struct iommu_incoming_device *device)
{
	enum iommu_incoming_state state = IOMMU_INCOMING_LEFT;

	lockdep_assert_held(&iommu_incoming_lock);
	if (device->state != IOMMU_INCOMING_RUNNING && device->state != IOMMU_INCOMING_HANDED_OVER)
		return NULL;
	if (!device->moved || iommu_incoming_pasids_live(device))
		return NULL;
	if (device->iommufd->abandoned)
		state = IOMMU_INCOMING_ABANDONED;
	else if (device->state == IOMMU_INCOMING_RUNNING)
		state = IOMMU_INCOMING_RELEASED;
	return iommu_incoming_leave(incoming, device, state);
}

/**
 * iommu_incoming_release() - a group is taken from the owner of a device
 * @device: of iommu_incoming_owned_device(); blocked already. Its owner is freed
 *
 * Return: as iommu_incoming_domain_end().
 */
struct iommu_domain *iommu_incoming_release(struct iommu_incoming_device *device)
{
	struct iommu_incoming *incoming = device->owner->incoming;
	enum iommu_incoming_state state = device->iommufd->abandoned ?
					  IOMMU_INCOMING_ABANDONED : IOMMU_INCOMING_RELEASED;

	iommu_incoming_disown(device);
	if (device->state != IOMMU_INCOMING_BLOCKED)
		return NULL;
	return iommu_incoming_leave(incoming, device, state);
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

/* One that appears while it is abandoned is no failure. */
static void block(struct iommu_incoming_device *device, struct device *dev, const char *what,
		  int error)
{
	WRITE_ONCE(device->state, IOMMU_INCOMING_BLOCKED);
	if (device->iommufd->abandoned)
		pci_clear_master(to_pci_dev(dev));
	else
		iommu_incoming_fail_device(dev, what, error);
}

struct iommu_domain *iommu_liveupdate_restored_domain(struct device *dev, bool alone)
{
	struct iommu_incoming_device *device;
	struct iommu_incoming *incoming;
	struct iommu_domain *domain;

	guard(mutex)(&iommu_incoming_lock);
	incoming = iommu_incoming_locked();
	device = iommu_incoming_find_dev(incoming, dev);
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
	device = iommu_incoming_find_dev(iommu_incoming_locked(), dev);
	if (WARN_ON_ONCE(!device || (device->state != IOMMU_INCOMING_RUNNING &&
				     device->state != IOMMU_INCOMING_BLOCKED)))
		return NULL;
	device->dev = dev;
	iommu_incoming_own(device);
	return device->owner;
}

void iommu_liveupdate_attach_failed(struct device *dev, int error)
{
	struct iommu_incoming_device *device;

	guard(mutex)(&iommu_incoming_lock);
	device = iommu_incoming_find_dev(iommu_incoming_locked(), dev);
	if (!WARN_ON_ONCE(!device))
		block(device, dev, "attaching its domain", error);
}

bool iommu_liveupdate_owned(const void *owner, struct device *dev)
{
	struct iommu_incoming_device *device;

	guard(mutex)(&iommu_incoming_lock);
	device = iommu_incoming_owned_device(owner);
	return device && device->dev == dev;
}

void iommu_liveupdate_release(void *owner)
{
	struct iommu_incoming_device *device;
	struct iommu_domain *unused = NULL;

	scoped_guard(mutex, &iommu_incoming_lock) {
		device = iommu_incoming_owned_device(owner);
		if (!WARN_ON_ONCE(!device))
			unused = iommu_incoming_release(device);
	}
	if (unused)
		iommu_domain_free(unused);
	iommu_incoming_free_unused();
}

void iommu_liveupdate_device_moved(struct device *dev, struct iommu_domain *domain)
{
	struct iommu_incoming_device *device;
	struct iommu_domain *unused = NULL;
	struct iommu_incoming *incoming;

	if (!rcu_access_pointer(iommu_incoming_current))
		return;
	scoped_guard(mutex, &iommu_incoming_lock) {
		incoming = iommu_incoming_locked();
		device = iommu_incoming_find_dev(incoming, dev);
		/* Its owner, whose DMA its PASIDs do, is done with it. */
		if (device && domain->type != IOMMU_DOMAIN_UNMANAGED &&
		    domain->type != IOMMU_DOMAIN_NESTED && !iommu_incoming_device_left(device))
			iommu_incoming_block_pasids(incoming, device, dev);
		if (device)
			unused = iommu_incoming_moved(incoming, device, domain);
	}
	if (unused)
		iommu_domain_free(unused);
	iommu_incoming_free_unused();
}

bool iommu_liveupdate_device_incoming(struct device *dev)
{
	struct iommu_incoming_device *device;
	enum iommu_incoming_state state;

	guard(rcu)();
	device = iommu_incoming_find_dev(rcu_dereference(iommu_incoming_current), dev);
	if (!device)
		return false;
	state = READ_ONCE(device->state);
	return state == IOMMU_INCOMING_RUNNING || state == IOMMU_INCOMING_HANDED_OVER;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_device_incoming);

/*
 * A device that is not there can't do DMA: its hardware entry, its domain's
 * tables and its record stay as they are. If it appears later, it gets them as
 * at boot, and its group is owned from its first moment. One that is there was
 * not taken by the IOMMU driver, and would go on with DMA for nobody.
 */
static void __init name_missing(const struct iommuser_device *record)
{
	struct pci_dev *pdev = pci_get_domain_bus_and_slot(record->segment, record->bdf >> 8,
							   record->bdf & 0xff);

	if (pdev)
		iommu_incoming_fail_device(&pdev->dev, "probing it", -ENODEV);
	else
		pr_warn("%04llx:%02llx:%02llx.%llx was handed over but is not there; it gets its restored domain if it appears\n",
			record->segment, record->bdf >> 8, record->bdf >> 3 & 0x1f,
			record->bdf & 7);
	pci_dev_put(pdev);
}

static int __init iommu_incoming_name_missing(void)
{
	struct iommu_incoming *incoming;
	u64 i;

	/* None is just about to be probed. */
	pci_lock_rescan_remove();
	scoped_guard(mutex, &iommu_incoming_lock) {
		incoming = iommu_incoming_locked();
		for (i = 0; incoming && i < incoming->nr_devices; i++)
			if (incoming->devices[i].state == IOMMU_INCOMING_CLAIMED)
				name_missing(&incoming->devices[i].record);
	}
	pci_unlock_rescan_remove();
	return 0;
}
late_initcall(iommu_incoming_name_missing);
