// SPDX-License-Identifier: GPL-2.0-only
/*
 * PASIDs of claimed devices: each has a domain that hardware goes on using, like
 * the requests without PASID.
 *
 * A PASID is adopted when its iommufd attaches it to its restored HWPT again,
 * and has left when it is moved elsewhere or detached after that, for good: it
 * can't come back. PASIDs that nobody adopted are blocked when their device
 * stops doing DMA for its owner. A device has left when all of it has.
 *
 * Lock: iommu_incoming_lock.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/bsearch.h>
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/rcupdate.h>
#include <linux/sort.h>

#include <iommuser/graph.h>

#include "incoming.h"
#include "internal.h"

/**
 * iommu_incoming_user() - what uses a domain of the handover
 * @incoming: claimed, or being claimed
 * @index: below iommu_incoming_nr_users()
 * @user: filled
 *
 * First come requests without PASID of all devices, then all PASIDs.
 *
 * Return: false for a deleted record.
 */
bool iommu_incoming_user(struct iommu_incoming *incoming, u64 index,
			 struct iommu_incoming_user *user)
{
	struct iommu_incoming_attachment *attachment;
	struct iommu_incoming_device *device;

	if (index < incoming->nr_devices) {
		device = &incoming->devices[index];
		user->device = device;
		user->domain = device->domain;
		user->did = device->record.did;
		user->held = &device->held;
		return device->state != IOMMU_INCOMING_ABSENT;
	}
	attachment = &incoming->attachments[index - incoming->nr_devices];
	user->device = &incoming->devices[attachment->device];
	user->domain = attachment->domain;
	user->did = attachment->did;
	user->held = &attachment->held;
	return attachment->live;
}

/**
 * iommu_incoming_claim_attachment() - take note of a PASID of a claimed device
 * @incoming: whose devices and domains are claimed
 * @record: of an attachment
 * @attachment: filled when it is one of a PASID
 *
 * Return: 0; -EINVAL, the record can't be this kernel's.
 */
int iommu_incoming_claim_attachment(struct iommu_incoming *incoming,
				    const struct iommuser_attachment *record,
				    struct iommu_incoming_attachment *attachment)
{
	const struct iommuser_graph *graph = &incoming->machine.graph;
	const struct iommu_incoming_device *device;
	struct iommu_incoming_domain *domain;
	int error;

	if (!(record->attachment_flags & IOMMUSER_ATTACHMENT_HAS_PASID))
		return 0;
	error = iommuser_graph_resolve(graph, record->device, IOMMUSER_KIND_DEVICE,
				       &attachment->device);
	if (!error)
		error = iommuser_graph_resolve(graph, record->domain, IOMMUSER_KIND_DOMAIN,
					       &attachment->domain);
	if (error)
		return iommu_liveupdate_errno(error);
	device = &incoming->devices[attachment->device];
	domain = &incoming->domains[attachment->domain];
	if (device->state != IOMMU_INCOMING_CLAIMED || !domain->live ||
	    (domain->iommufd && domain->iommufd != device->iommufd))
		return -EINVAL;
	attachment->reference = record->domain;
	attachment->pasid = record->pasid;
	attachment->did = record->did;
	attachment->live = true;
	domain->nr_devices++;
	return 0;
}

/* Live ones first, by device and PASID. */
static int compare_attachments(const void *a, const void *b)
{
	const struct iommu_incoming_attachment *one = a, *other = b;

	if (one->live != other->live)
		return one->live ? -1 : 1;
	if (one->device != other->device)
		return cmp_int(one->device, other->device);
	return cmp_int(one->pasid, other->pasid);
}

/**
 * iommu_incoming_sort_attachments() - give each device its PASIDs
 * @incoming: whose attachments are all claimed
 */
void iommu_incoming_sort_attachments(struct iommu_incoming *incoming)
{
	struct iommu_incoming_attachment *attachments = incoming->attachments;
	struct iommu_incoming_device *device;
	u64 i;

	sort(attachments, incoming->nr_attachments, sizeof(*attachments), compare_attachments,
	     NULL);
	for (i = 0; i < incoming->nr_attachments && attachments[i].live; i++) {
		device = &incoming->devices[attachments[i].device];
		if (!device->nr_attachments++)
			device->attachments = &attachments[i];
	}
}

static struct iommu_incoming_attachment *find_attachment(const struct iommu_incoming *incoming,
							 const struct iommu_incoming_device *device,
							 u32 pasid)
{
	const struct iommu_incoming_attachment wanted = {
		.live = true,
		.device = device - incoming->devices,
		.pasid = pasid,
	};

	if (!device->nr_attachments)
		return NULL;
	return bsearch(&wanted, device->attachments, device->nr_attachments, sizeof(wanted),
		       compare_attachments);
}

/**
 * iommu_incoming_pasid_domains() - have the domains of a device's PASIDs made
 * @incoming: claimed
 * @device: of it
 * @get: makes the domain at a position
 * @dev: for @get
 *
 * Return: 0 or a negative errno of @get.
 */
int iommu_incoming_pasid_domains(struct iommu_incoming *incoming,
				 struct iommu_incoming_device *device,
				 struct iommu_domain *(*get)(struct iommu_incoming *incoming,
							     u64 domain, struct device *dev),
				 struct device *dev)
{
	struct iommu_domain *domain;
	u64 i;

	for (i = 0; i < device->nr_attachments; i++) {
		domain = get(incoming, device->attachments[i].domain, dev);
		if (IS_ERR(domain))
			return PTR_ERR(domain);
	}
	return 0;
}

/**
 * iommu_incoming_pasids_live() - does a PASID of a device still use its restored domain?
 * @device: claimed
 */
bool iommu_incoming_pasids_live(const struct iommu_incoming_device *device)
{
	u64 i;

	for (i = 0; i < device->nr_attachments; i++)
		if (!device->attachments[i].left)
			return true;
	return false;
}

/**
 * iommu_incoming_block_pasids() - a device stops doing DMA for its owner
 * @incoming: claimed
 * @device: of it
 * @dev: the device
 *
 * Those that an iommufd has attached are its own to detach, unless it was abandoned.
 *
 * Lock: the mutex of the device's group, too.
 */
void iommu_incoming_block_pasids(struct iommu_incoming *incoming,
				 struct iommu_incoming_device *device, struct device *dev)
{
	struct iommu_incoming_attachment *attachment;
	u64 i;

	lockdep_assert_held(&iommu_incoming_lock);
	for (i = 0; i < device->nr_attachments; i++) {
		attachment = &device->attachments[i];
		if (attachment->left || (attachment->adopted && !device->iommufd->abandoned))
			continue;
		incoming->ops->block_pasid(dev, attachment->pasid);
		WRITE_ONCE(attachment->left, true);
	}
}

/**
 * iommu_incoming_leave_pasids() - a device has left, or is gone
 * @incoming: claimed
 * @device: of it; no entry of the hardware leads from it to tables of a domain
 *
 * Domains that nothing leads to any more wait for iommu_incoming_free_unused().
 */
void iommu_incoming_leave_pasids(struct iommu_incoming *incoming,
				 struct iommu_incoming_device *device)
{
	struct iommu_incoming_domain *entry;
	u64 i;

	lockdep_assert_held(&iommu_incoming_lock);
	for (i = 0; i < device->nr_attachments; i++) {
		WRITE_ONCE(device->attachments[i].left, true);
		entry = &incoming->domains[device->attachments[i].domain];
		if (WARN_ON_ONCE(!entry->nr_devices) || --entry->nr_devices || entry->taken)
			continue;
		entry->unused = iommu_incoming_domain_end(incoming, entry);
	}
}

/**
 * iommu_incoming_next_unused() - take a domain that is to be freed
 * @incoming: the handover
 *
 * Return: what is to be freed by iommu_domain_free() when the lock is dropped,
 * or NULL.
 */
struct iommu_domain *iommu_incoming_next_unused(struct iommu_incoming *incoming)
{
	struct iommu_domain *unused;
	u64 i;

	for (i = 0; incoming->nr_attachments && i < incoming->nr_domains; i++) {
		unused = incoming->domains[i].unused;
		incoming->domains[i].unused = NULL;
		if (unused)
			return unused;
	}
	return NULL;
}

/** iommu_incoming_free_unused() - free what iommu_incoming_leave_pasids() left behind */
void iommu_incoming_free_unused(void)
{
	struct iommu_incoming *incoming;
	struct iommu_domain *unused;

	do {
		unused = NULL;
		scoped_guard(mutex, &iommu_incoming_lock) {
			incoming = iommu_incoming_locked();
			if (incoming)
				unused = iommu_incoming_next_unused(incoming);
		}
		if (unused)
			iommu_domain_free(unused);
	} while (unused);
}

static struct iommu_domain *pasid_moved(struct device *dev, u32 pasid,
					const struct iommu_domain *domain)
{
	struct iommu_incoming *incoming = iommu_incoming_locked();
	struct iommu_incoming_device *device = iommu_incoming_find_dev(incoming, dev);
	struct iommu_incoming_attachment *attachment;

	if (!device || iommu_incoming_device_left(device))
		return NULL;
	attachment = find_attachment(incoming, device, pasid);
	if (!attachment || attachment->left)
		return NULL;
	if (domain && domain == incoming->domains[attachment->domain].domain)
		attachment->adopted = true;
	else
		WRITE_ONCE(attachment->left, true);
	return iommu_incoming_leave_if_done(incoming, device);
}

void iommu_liveupdate_pasid_moved(struct device *dev, u32 pasid, struct iommu_domain *domain)
{
	struct iommu_domain *unused;

	if (!rcu_access_pointer(iommu_incoming_current))
		return;
	scoped_guard(mutex, &iommu_incoming_lock)
		unused = pasid_moved(dev, pasid, domain);
	if (unused)
		iommu_domain_free(unused);
	iommu_incoming_free_unused();
}

void iommu_liveupdate_block_pasids(struct device *dev)
{
	struct iommu_incoming_device *device;
	struct iommu_domain *unused = NULL;
	struct iommu_incoming *incoming;

	scoped_guard(mutex, &iommu_incoming_lock) {
		incoming = iommu_incoming_locked();
		device = iommu_incoming_find_dev(incoming, dev);
		if (!device || iommu_incoming_device_left(device))
			return;
		iommu_incoming_block_pasids(incoming, device, dev);
		unused = iommu_incoming_leave_if_done(incoming, device);
	}
	if (unused)
		iommu_domain_free(unused);
	iommu_incoming_free_unused();
}

bool iommu_liveupdate_incoming_pasid(struct device *dev, u32 pasid, u64 *domain, u32 *did)
{
	struct iommu_incoming_attachment *attachment;
	struct iommu_incoming_device *device;
	struct iommu_incoming *incoming;

	guard(rcu)();
	incoming = rcu_dereference(iommu_incoming_current);
	device = iommu_incoming_find_dev(incoming, dev);
	if (!device || iommu_incoming_device_left(device) ||
	    READ_ONCE(device->iommufd->abandoned))
		return false;
	attachment = find_attachment(incoming, device, pasid);
	if (!attachment || READ_ONCE(attachment->left))
		return false;
	*domain = attachment->reference;
	*did = attachment->did;
	return true;
}
