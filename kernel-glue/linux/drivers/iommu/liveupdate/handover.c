// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of restored state: an iommufd claims its devices, takes its
 * domains and moves the devices elsewhere; or nobody comes, and it is abandoned.
 *
 * Lock order: iommu_probe_device_lock, group->mutex, iommu_incoming_lock, the
 * driver's locks. Domains are freed without iommu_incoming_lock.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>

#include "../iommu-priv.h"
#include "incoming.h"
#include "internal.h"

static struct iommu_incoming_iommufd *find_owner(struct iommu_incoming *incoming,
						 const void *owner)
{
	u64 i;

	for (i = 0; i < incoming->nr_iommufds; i++)
		if (incoming->iommufds[i].owner == owner)
			return &incoming->iommufds[i];
	return NULL;
}

/* The entry of a restored domain that was made, whoever has it. */
static struct iommu_incoming_domain *find_domain(struct iommu_incoming *incoming,
						 const struct iommu_domain *domain)
{
	u64 i;

	for (i = 0; domain && incoming && i < incoming->nr_domains; i++)
		if (incoming->domains[i].domain == domain)
			return &incoming->domains[i];
	return NULL;
}

static bool may_come_back(const struct iommu_incoming_iommufd *iommufd)
{
	return !iommufd->abandoned && !iommufd->finished;
}

/* Who comes */

/**
 * iommu_incoming_retrieved() - see iommu_liveupdate_iommufd_retrieved()
 * @incoming: claimed
 * @key: of the iommufd
 * @owner: what it claims groups with
 */
int iommu_incoming_retrieved(struct iommu_incoming *incoming, u64 key, const void *owner)
{
	struct iommu_incoming_iommufd *iommufd = iommu_incoming_find_iommufd(incoming, key);
	struct iommu_incoming_iommufd *other = find_owner(incoming, owner);

	lockdep_assert_held(&iommu_incoming_lock);
	if (WARN_ON_ONCE(!owner))
		return -EINVAL;
	if (!iommufd || !may_come_back(iommufd))
		return -ENOENT;
	if (other && other != iommufd)
		return -EINVAL;
	if (iommufd->owner)
		return -EBUSY;
	if (iommu_incoming_inject_handover("noting an iommufd"))
		return -ENOMEM;
	iommufd->owner = owner;
	return 0;
}

int iommu_liveupdate_iommufd_retrieved(u64 iommufd, void *owner)
{
	struct iommu_incoming *incoming;

	guard(mutex)(&iommu_incoming_lock);
	incoming = iommu_incoming_locked();
	return incoming ? iommu_incoming_retrieved(incoming, iommufd, owner) : -ENOENT;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_iommufd_retrieved);

/**
 * iommu_incoming_closed() - see iommu_liveupdate_iommufd_closed()
 * @incoming: claimed
 * @owner: not found any more; something else may get its address
 */
void iommu_incoming_closed(struct iommu_incoming *incoming, const void *owner)
{
	struct iommu_incoming_iommufd *iommufd = owner ? find_owner(incoming, owner) : NULL;

	lockdep_assert_held(&iommu_incoming_lock);
	if (iommufd)
		iommufd->owner = NULL;
}

void iommu_liveupdate_iommufd_closed(void *owner)
{
	struct iommu_incoming *incoming;

	guard(mutex)(&iommu_incoming_lock);
	incoming = iommu_incoming_locked();
	if (incoming)
		iommu_incoming_closed(incoming, owner);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_iommufd_closed);

/* Streams read under the lock, and look at this before. */
void iommu_liveupdate_iommufd_finish(u64 iommufd)
{
	struct iommu_incoming_iommufd *found = NULL;

	guard(mutex)(&iommu_incoming_lock);
	if (iommu_incoming_shown)
		found = iommu_incoming_find_iommufd(iommu_incoming_shown, iommufd);
	if (found)
		found->finished = true;
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_iommufd_finish);

/* Groups */

/**
 * iommu_incoming_hand_over() - see iommu_liveupdate_hand_over()
 * @device: whose group has an owner of ours
 * @claimant: who claims it
 */
bool iommu_incoming_hand_over(struct iommu_incoming_device *device, const void *claimant)
{
	struct iommu_incoming_owner *owner = device->owner;

	lockdep_assert_held(&iommu_incoming_lock);
	if (device->state != IOMMU_INCOMING_RUNNING || !claimant ||
	    device->iommufd->owner != claimant || !may_come_back(device->iommufd))
		return false;
	WRITE_ONCE(device->state, IOMMU_INCOMING_HANDED_OVER);
	iommu_incoming_advance(owner->incoming, IOMMUSER_KIND_DEVICE, owner->device,
			       IOMMUSER_HANDED_OVER);
	owner->incoming->nr_owned--;
	list_del_init(&owner->list);
	return true;
}

bool iommu_liveupdate_hand_over(void *owner, void *claimant)
{
	struct iommu_incoming_device *device;

	if (!rcu_access_pointer(iommu_incoming_current))
		return false;
	guard(mutex)(&iommu_incoming_lock);
	device = iommu_incoming_owned_device(owner);
	return device && iommu_incoming_hand_over(device, claimant);
}

/**
 * iommu_incoming_give_back() - see iommu_liveupdate_give_back()
 * @incoming: the handover
 * @device: of it
 */
void *iommu_incoming_give_back(struct iommu_incoming *incoming,
			       struct iommu_incoming_device *device)
{
	lockdep_assert_held(&iommu_incoming_lock);
	if (device->state != IOMMU_INCOMING_HANDED_OVER || device->iommufd->abandoned ||
	    device->moved)
		return NULL;
	WRITE_ONCE(device->state, IOMMU_INCOMING_RUNNING);
	iommu_incoming_advance(incoming, IOMMUSER_KIND_DEVICE, device->owner->device,
			       IOMMUSER_RESTORED);
	iommu_incoming_own(device);
	return device->owner;
}

void *iommu_liveupdate_give_back(struct device *dev)
{
	struct iommu_incoming_device *device;
	struct iommu_incoming *incoming;

	if (!rcu_access_pointer(iommu_incoming_current))
		return NULL;
	guard(mutex)(&iommu_incoming_lock);
	incoming = iommu_incoming_locked();
	device = iommu_incoming_find_dev(incoming, dev);
	return device ? iommu_incoming_give_back(incoming, device) : NULL;
}

/* Domains */

static struct iommu_incoming_domain *find_hwpt(struct iommu_incoming *incoming,
					       const struct iommu_incoming_iommufd *iommufd,
					       u64 hwpt_token)
{
	struct iommu_incoming_domain *entry;
	u64 i;

	for (i = 0; i < incoming->nr_domains; i++) {
		entry = &incoming->domains[i];
		if (entry->live && !entry->gone && entry->iommufd == iommufd &&
		    entry->hwpt_token == hwpt_token)
			return entry;
	}
	return NULL;
}

/* Has every device of a domain come, if only to leave it? */
static bool devices_came(struct iommu_incoming *incoming, u64 domain)
{
	struct iommu_incoming_user user;
	u64 i;

	for (i = 0; i < iommu_incoming_nr_users(incoming); i++) {
		if (iommu_incoming_user(incoming, i, &user) && user.domain == domain &&
		    user.device->state < IOMMU_INCOMING_HANDED_OVER)
			return false;
	}
	return true;
}

/**
 * iommu_incoming_take() - see iommu_liveupdate_take_domain()
 * @incoming: claimed
 * @owner: of the iommufd
 * @hwpt_token: of the HWPT
 */
struct iommu_domain *iommu_incoming_take(struct iommu_incoming *incoming, const void *owner,
					 u64 hwpt_token)
{
	struct iommu_incoming_iommufd *iommufd = owner ? find_owner(incoming, owner) : NULL;
	struct iommu_incoming_domain *entry;
	u64 position;
	int error;

	lockdep_assert_held(&iommu_incoming_lock);
	if (!iommufd || !may_come_back(iommufd))
		return ERR_PTR(-ENOENT);
	entry = find_hwpt(incoming, iommufd, hwpt_token);
	if (!entry)
		return ERR_PTR(-ENOENT);
	position = entry - incoming->domains;
	if (entry->taken)
		return ERR_PTR(-EBUSY);
	if (!entry->domain || !devices_came(incoming, position))
		return ERR_PTR(-ENODEV);
	if (iommu_incoming_inject_handover("taking a domain"))
		return ERR_PTR(-ENOMEM);
	error = iommuser_restore_advance(&incoming->machine, IOMMUSER_KIND_DOMAIN, position,
					 IOMMUSER_HANDED_OVER);
	if (error)
		return ERR_PTR(iommu_liveupdate_errno(error));
	entry->taken = true;
	return entry->domain;
}

struct iommu_domain *iommu_liveupdate_take_domain(void *owner, u64 hwpt_token)
{
	struct iommu_incoming *incoming;

	guard(mutex)(&iommu_incoming_lock);
	incoming = iommu_incoming_locked();
	return incoming ? iommu_incoming_take(incoming, owner, hwpt_token) : ERR_PTR(-ENOENT);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_take_domain);

/**
 * iommu_incoming_keep() - see iommu_liveupdate_keep_domain()
 * @incoming: claimed
 * @domain: any
 */
bool iommu_incoming_keep(struct iommu_incoming *incoming, struct iommu_domain *domain)
{
	struct iommu_incoming_domain *entry = find_domain(incoming, domain);
	u64 position;

	lockdep_assert_held(&iommu_incoming_lock);
	if (!entry || WARN_ON_ONCE(!entry->taken))
		return entry;
	position = entry - incoming->domains;
	entry->taken = false;
	if (entry->nr_devices) {
		domain->cookie_type = IOMMU_COOKIE_NONE;
		domain->iova_cookie = NULL;
		iommu_incoming_advance(incoming, IOMMUSER_KIND_DOMAIN, position,
				       IOMMUSER_RESTORED);
		return true;
	}
	if (!entry->iommufd->abandoned)
		iommu_incoming_advance(incoming, IOMMUSER_KIND_DOMAIN, position, IOMMUSER_LEFT);
	entry->domain = NULL;
	entry->gone = true;
	return false;
}

bool iommu_liveupdate_keep_domain(struct iommu_domain *domain)
{
	struct iommu_incoming *incoming;

	if (!domain || !rcu_access_pointer(iommu_incoming_current))
		return false;
	guard(mutex)(&iommu_incoming_lock);
	incoming = iommu_incoming_locked();
	return incoming && iommu_incoming_keep(incoming, domain);
}

bool iommu_liveupdate_domain_restored(struct iommu_domain *domain)
{
	if (!domain || !rcu_access_pointer(iommu_incoming_current))
		return false;
	guard(mutex)(&iommu_incoming_lock);
	return find_domain(iommu_incoming_locked(), domain);
}

static bool is_abandoned(const struct iommu_incoming_domain *entry)
{
	return entry && entry->iommufd && entry->iommufd->abandoned;
}

bool iommu_liveupdate_domain_abandoned(struct iommu_domain *domain)
{
	if (!domain || !rcu_access_pointer(iommu_incoming_current))
		return false;
	guard(mutex)(&iommu_incoming_lock);
	return is_abandoned(find_domain(iommu_incoming_locked(), domain));
}

/* The end of a session */

/**
 * iommu_incoming_device_left() - is a device done with the handover?
 * @device: of it
 *
 * Context: any; the state is read without lock.
 */
bool iommu_incoming_device_left(const struct iommu_incoming_device *device)
{
	enum iommu_incoming_state state = READ_ONCE(device->state);

	return state == IOMMU_INCOMING_ABSENT || state >= IOMMU_INCOMING_LEFT;
}

/* Those of an iommufd's domains that exist, or all of them undone again. */
static bool spend_domains(struct iommu_incoming *incoming,
			  const struct iommu_incoming_iommufd *iommufd)
{
	struct iommu_incoming_domain *entry;
	u64 i;

	for (i = 0; i < incoming->nr_domains; i++) {
		entry = &incoming->domains[i];
		if (entry->iommufd != iommufd || !entry->domain)
			continue;
		entry->busy = incoming->ops->spend_domain(entry->domain, true);
		if (entry->busy)
			goto err_undo;
	}
	return true;

err_undo:
	while (i--) {
		entry = &incoming->domains[i];
		if (entry->iommufd == iommufd && entry->domain)
			incoming->ops->spend_domain(entry->domain, false);
	}
	return false;
}

/* Does a device of an iommufd wait for it, or for anybody? */
static bool is_left_over(const struct iommu_incoming *incoming,
			 const struct iommu_incoming_iommufd *iommufd)
{
	u64 i;

	for (i = 0; i < incoming->nr_devices; i++)
		if (incoming->devices[i].iommufd == iommufd &&
		    !iommu_incoming_device_left(&incoming->devices[i]))
			return true;
	return false;
}

/**
 * iommu_incoming_left() - see iommu_liveupdate_iommufd_left()
 * @incoming: claimed
 * @key: of the iommufd
 */
bool iommu_incoming_left(struct iommu_incoming *incoming, u64 key)
{
	struct iommu_incoming_iommufd *iommufd = iommu_incoming_find_iommufd(incoming, key);

	lockdep_assert_held(&iommu_incoming_lock);
	if (!iommufd)
		return true;
	if (is_left_over(incoming, iommufd))
		return false;
	return iommufd->abandoned || spend_domains(incoming, iommufd);
}

bool iommu_liveupdate_iommufd_left(u64 iommufd)
{
	struct iommu_incoming *incoming;

	guard(mutex)(&iommu_incoming_lock);
	incoming = iommu_incoming_locked();
	return !incoming || iommu_incoming_left(incoming, iommufd);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_iommufd_left);

/* Nobody comes */

bool iommu_liveupdate_must_leave(struct device *dev, struct iommu_domain *domain)
{
	struct iommu_incoming_device *device;
	struct iommu_incoming *incoming;
	bool leave;

	guard(mutex)(&iommu_incoming_lock);
	incoming = iommu_incoming_locked();
	device = iommu_incoming_find_dev(incoming, dev);
	leave = device && device->iommufd && device->iommufd->abandoned &&
		!iommu_incoming_device_left(device);
	leave = leave || is_abandoned(find_domain(incoming, domain));
	if (leave && dev_is_pci(dev))
		pci_clear_master(to_pci_dev(dev));
	return leave;
}

/* A device that the driver doesn't have: what is there of it is the hardware's. */
static struct iommu_domain *abandon_absent(struct iommu_incoming *incoming,
					   struct iommu_incoming_device *device)
{
	pr_notice("device %04llx:%02llx:%02llx.%llx was abandoned, it %s\n",
		  device->record.segment, device->record.bdf >> 8,
		  device->record.bdf >> 3 & 0x1f, device->record.bdf & 7,
		  device->state == IOMMU_INCOMING_BLOCKED ? "is blocked" : "never appeared");
	incoming->ops->clear_entry(incoming->units[device->unit].record.token, &device->record,
				   &incoming->domains[device->domain].record);
	return iommu_incoming_leave(incoming, device, IOMMU_INCOMING_ABANDONED);
}

/*
 * No device appears meanwhile. One that was kept out of a group with others is
 * BLOCKED, and not known any more.
 */
static void abandon_device(struct iommu_incoming *incoming, struct iommu_incoming_device *device)
{
	struct iommu_domain *unused = NULL;
	struct iommu_group *group = NULL;
	struct device *dev = NULL;

	scoped_guard(mutex, &iommu_incoming_lock) {
		if (device->state == IOMMU_INCOMING_CLAIMED ||
		    (device->state == IOMMU_INCOMING_BLOCKED && !device->dev)) {
			unused = abandon_absent(incoming, device);
		} else if (!iommu_incoming_device_left(device) && !WARN_ON(!device->dev)) {
			/* It has its group until iommu_liveupdate_release(). */
			dev = get_device(device->dev);
			group = iommu_group_get(dev);
		}
	}
	if (unused)
		iommu_domain_free(unused);
	iommu_incoming_free_unused();
	if (dev)
		incoming->pages.host->abandon_group(group, dev);
	iommu_group_put(group);
	put_device(dev);
	WARN_ON(!iommu_incoming_device_left(device));
}

/* What was moved to an abandoned domain, by whoever had that as an HWPT. */
static void abandon_others(struct iommu_incoming *incoming)
{
	struct pci_dev *pdev = NULL;
	struct iommu_group *group;

	for_each_pci_dev(pdev) {
		group = iommu_group_get(&pdev->dev);
		if (!group)
			continue;
		incoming->pages.host->abandon_group(group, &pdev->dev);
		iommu_group_put(group);
	}
}

/* All devices are off a domain: end it, or have the one who took it do so. */
static struct iommu_domain *abandon_domain(struct iommu_incoming *incoming,
					   struct iommu_incoming_domain *entry)
{
	if (!entry->live || entry->gone)
		return NULL;
	if (entry->taken)
		incoming->ops->abandon_domain(entry->domain);
	if (WARN_ON(entry->nr_devices))
		return NULL;
	if (!entry->taken)
		return iommu_incoming_domain_end(incoming, entry);
	iommu_incoming_advance(incoming, IOMMUSER_KIND_DOMAIN, entry - incoming->domains,
			       IOMMUSER_ABANDONED);
	return NULL;
}

/**
 * iommu_incoming_abandon() - see iommu_liveupdate_abandon()
 * @incoming: claimed; its FLB is not finished meanwhile
 * @iommufd: of the handover, not abandoned yet
 */
void iommu_incoming_abandon(struct iommu_incoming *incoming,
			    struct iommu_incoming_iommufd *iommufd)
{
	struct iommu_domain *unused;
	bool taken = false;
	u64 i;

	scoped_guard(mutex, &iommu_incoming_lock) {
		/* From here on nothing can be claimed, taken or attached. */
		WRITE_ONCE(iommufd->abandoned, true);
		for (i = 0; i < incoming->nr_domains; i++)
			if (incoming->domains[i].iommufd == iommufd)
				taken |= incoming->domains[i].taken;
	}
	scoped_guard(mutex, &iommu_probe_device_lock)
		for (i = 0; i < incoming->nr_devices; i++)
			if (incoming->devices[i].iommufd == iommufd)
				abandon_device(incoming, &incoming->devices[i]);
	if (taken)
		abandon_others(incoming);
	for (i = 0; i < incoming->nr_domains; i++) {
		if (incoming->domains[i].iommufd != iommufd)
			continue;
		scoped_guard(mutex, &iommu_incoming_lock)
			unused = abandon_domain(incoming, &incoming->domains[i]);
		if (unused)
			iommu_domain_free(unused);
	}
}

void iommu_liveupdate_abandon(u64 iommufd)
{
	struct iommu_incoming_iommufd *found = NULL;
	struct iommu_incoming *incoming;

	scoped_guard(mutex, &iommu_incoming_lock) {
		incoming = iommu_incoming_locked();
		if (incoming)
			found = iommu_incoming_find_iommufd(incoming, iommufd);
	}
	/* The iommufd's file keeps the FLB from being finished. */
	if (found && !found->abandoned)
		iommu_incoming_abandon(incoming, found);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_abandon);

/**
 * iommu_incoming_abandon_all() - abandon what nobody has abandoned or finished
 * @incoming: claimed; nobody else uses it
 *
 * Ends also the domains that had no devices, and those that no HWPT had.
 */
void iommu_incoming_abandon_all(struct iommu_incoming *incoming)
{
	struct iommu_incoming_domain *entry;
	struct iommu_domain *unused;
	u64 i;

	for (i = 0; i < incoming->nr_iommufds; i++)
		if (is_left_over(incoming, &incoming->iommufds[i])) {
			pr_warn("the iommufd with the data at %#llx is abandoned\n",
				incoming->iommufds[i].key);
			iommu_incoming_abandon(incoming, &incoming->iommufds[i]);
		}
	for (i = 0; i < incoming->nr_domains; i++) {
		entry = &incoming->domains[i];
		unused = NULL;
		scoped_guard(mutex, &iommu_incoming_lock)
			if (!entry->taken)
				unused = abandon_domain(incoming, entry);
		if (unused)
			iommu_domain_free(unused);
	}
}
