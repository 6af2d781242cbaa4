/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Preservation of IOMMU state across a live update, as the rest of the kernel
 * sees it. Users: IOMMU drivers (struct iommu_liveupdate_ops and the functions
 * under "For IOMMU drivers"), iommufd, the IOMMU core, PCI and vfio-pci.
 *
 * The records are written and read by libiommuser, whose types appear here
 * only by name.
 */
#ifndef _LINUX_IOMMU_LIVEUPDATE_H
#define _LINUX_IOMMU_LIVEUPDATE_H

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/types.h>

struct device;
struct iommu_device;
struct iommu_domain;
struct iommu_group;
struct iommuser_device_request;
struct iommuser_device;
struct iommuser_domain;
struct iommuser_iommu;
struct iommuser_unit;
struct liveupdate_file_handler;
struct pci_dev;

/**
 * struct iommu_liveupdate_pasid - an attachment of a device by PASID
 * @pasid: not that of requests without one
 * @domain: what is attached
 */
struct iommu_liveupdate_pasid {
	u32 pasid;
	struct iommu_domain *domain;
};

/**
 * struct iommu_liveupdate_ops - what an IOMMU driver does for live update
 * @describe_unit: fill in the record of a unit that is about to be preserved:
 *	type, segment, token, mode, host_address_width, registers, root_table,
 *	cap, ecap, first_did, did_limit
 * @describe_domain: fill in the record of a domain: stage, format, top_table,
 *	top_level, input_width, output_width, features. -EOPNOTSUPP for a
 *	domain that can't be preserved
 * @describe_device: fill in the request for a device that is attached to
 *	@domain without PASID: device.segment, device.bdf, device.device_flags,
 *	device.pasid_directory, device.pasid_entries, device.rid_pasid, did.
 *	-EOPNOTSUPP for a device that can't be preserved (page requests on,
 *	DMA aliases, not just @nr_pasids attachments by PASID)
 * @describe_pasid: that device is attached to @domain by @pasid, too: fill in
 *	its domain id. -EINVAL when it is not, -EOPNOTSUPP
 * @device_preserved: the device's record is written, and those of the PASIDs;
 *	take down what shutdown needs. Shutdown runs with interrupts off and can
 *	neither lock nor allocate, so this does. On failure the records are
 *	taken back
 * @device_unpreserved: the reverse; never fails
 * @describe_real_unit: fill in what the unit whose registers are at @token
 *	really has. -ENOENT when there is no such unit
 * @reserve_did: take a domain id out of that unit's allocator
 * @release_did: give it back
 * @restore_domain: make a domain out of a claimed record for the first of its
 *	devices. Its tables are those of the record, whose pages the core has
 *	already taken over. Attaching it to a device whose hardware entries are
 *	those of the record leaves them alone. It can't be mapped or unmapped.
 *	Freeing it frees its tables, and the domain ids of @hold_did
 * @hold_did: a restored domain has that domain id on the unit whose registers
 *	are at @token, and gives it back when it is freed: called for each device
 *	of its record, present or not, also more than once. 0; -ENOMEM, and
 *	then nothing has changed; -ENOENT, no such unit; -EINVAL, it has another
 *	id there
 * @spend_domain: with @spent, nothing may be attached to a restored domain any
 *	more: that fails with -ENXIO from now on. -EBUSY while a device is
 *	attached to it, then nothing changes. Without @spent, it is undone, which
 *	can't fail. Atomic with regard to attaching
 * @abandon_domain: the same for good, whatever is being tried with the domain
 *	at this moment: each device that was attached to it is blocked. Can't fail
 * @block_pasid: take away the hardware's entry of a PASID that a device had
 *	before the jump, and flush what is cached of it: the domain that it leads
 *	to may be freed after that. Can't fail
 * @clear_entry: a device that was handed over never appeared, or the driver let go
 *	of it, and is given up: its hardware entry is taken away, and what the
 *	caches of the unit whose registers are at @token have of it and of its
 *	domain id is flushed. Its
 *	tables and those of @domain may be freed after that. The device can't
 *	appear meanwhile. Can't fail
 *
 * Lock: @hold_did, @spend_domain, @abandon_domain, @block_pasid and @clear_entry are
 * called with the core's lock for restored state held; the others but @reserve_did,
 * @release_did and @describe_real_unit with the FLB's mutex. All may sleep.
 */
struct iommu_liveupdate_ops {
	int (*describe_unit)(struct iommu_device *iommu, struct iommuser_iommu *record);
	int (*describe_domain)(struct iommu_domain *domain, struct iommuser_domain *record);
	int (*describe_device)(struct device *dev, struct iommu_domain *domain,
			       unsigned int nr_pasids, struct iommuser_device_request *request);
	int (*describe_pasid)(struct device *dev, u32 pasid, struct iommu_domain *domain,
			      u32 *did);
	int (*device_preserved)(struct device *dev, const struct iommu_liveupdate_pasid *pasids,
				unsigned int nr_pasids);
	void (*device_unpreserved)(struct device *dev);
	int (*describe_real_unit)(u64 token, struct iommuser_unit *unit);
	int (*reserve_did)(u64 token, u32 did);
	void (*release_did)(u64 token, u32 did);
	struct iommu_domain *(*restore_domain)(struct device *dev,
					       const struct iommuser_domain *record);
	int (*hold_did)(struct iommu_domain *domain, u64 token, u32 did);
	int (*spend_domain)(struct iommu_domain *domain, bool spent);
	void (*abandon_domain)(struct iommu_domain *domain);
	void (*block_pasid)(struct device *dev, u32 pasid);
	void (*clear_entry)(u64 token, const struct iommuser_device *device,
			    const struct iommuser_domain *domain);
};

#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE)

/* ---- For iommufd ---- */

/**
 * iommu_liveupdate_register() - have the FLB preserved with files of a handler
 * @handler: registered with LUO
 *
 * Return: 0 or a negative errno of liveupdate_register_flb().
 */
int iommu_liveupdate_register(struct liveupdate_file_handler *handler);
void iommu_liveupdate_unregister(struct liveupdate_file_handler *handler);

/**
 * iommu_liveupdate_domain_supported() - can this domain be preserved at all?
 * @domain: a paging domain
 */
bool iommu_liveupdate_domain_supported(struct iommu_domain *domain);

/**
 * iommu_liveupdate_preserve_domain() - preserve a domain with its table pages
 * @domain: of a marked HWPT; its mappings don't change until it's unpreserved
 * @iommufd: physical address of the iommufd's file data, which is a page of its
 *	own while the domain is preserved: a key that no other iommufd has, as LUO
 *	tokens are unique in their session only
 * @hwpt_token: token of the HWPT, unique in its iommufd
 *
 * Return: 0; -EBUSY, preserved already; -EOPNOTSUPP; -ENOMEM; -EIO, its tables
 * are not sound (the finding is in the log).
 */
int iommu_liveupdate_preserve_domain(struct iommu_domain *domain, u64 iommufd,
				     u64 hwpt_token);

/** iommu_liveupdate_unpreserve_domain() - the reverse; no device may be left on it */
void iommu_liveupdate_unpreserve_domain(struct iommu_domain *domain);

/**
 * iommu_liveupdate_preserve_device() - preserve a device and its IOMMU
 * @dev: its group is owned by userspace and has no other device
 * @domain: preserved, and attached to @dev without PASID
 * @iommufd: physical address of the file data of the iommufd that owns the group
 * @pasids: all that is attached to @dev by PASID; domains are preserved, too
 * @nr_pasids: elements of @pasids
 *
 * Return: 0; -EPERM, the group is not owned by userspace; -ENOENT, a domain is
 * not preserved; -EINVAL, a domain is not what's attached; -EBUSY, preserved
 * already; -EOPNOTSUPP: not a PCI device, a VF, a PF with VFs, a group with
 * more than this device, DMA aliases, more PASIDs than those; -ENOMEM; -EIO.
 */
int iommu_liveupdate_preserve_device(struct device *dev, struct iommu_domain *domain, u64 iommufd,
				     const struct iommu_liveupdate_pasid *pasids,
				     unsigned int nr_pasids);
void iommu_liveupdate_unpreserve_device(struct device *dev);

/**
 * iommu_liveupdate_device_reference() - address of a preserved device's record
 * @dev: preserved
 *
 * Return: the physical address, or 0 when @dev is not preserved.
 */
u64 iommu_liveupdate_device_reference(struct device *dev);

/** iommu_liveupdate_root() - address of the outgoing root, 0 when there is none */
u64 iommu_liveupdate_root(void);

/**
 * iommu_liveupdate_iommufd_retrieved() - a DMA owner is an iommufd of the handover
 * @iommufd: physical address of its file data, which stays preserved until
 *	iommu_liveupdate_iommufd_finish()
 * @owner: what it claims the groups of its devices with
 *
 * Groups that were owned by that iommufd before the jump can be claimed by
 * @owner from now on: they stay on their restored domains.
 *
 * Return: 0; -ENOENT, nothing of the handover has that key; -EBUSY, it has an
 * owner already; -EINVAL, @owner is registered with another key; -ENOMEM.
 */
int iommu_liveupdate_iommufd_retrieved(u64 iommufd, void *owner);

/**
 * iommu_liveupdate_iommufd_closed() - a DMA owner goes away
 * @owner: retrieved or not; it owns no group and has no restored domain any more
 */
void iommu_liveupdate_iommufd_closed(void *owner);

/**
 * iommu_liveupdate_iommufd_finish() - file data of an iommufd is about to be freed
 * @iommufd: physical address of the file data
 *
 * Before it is taken out of KHO's care: nobody reads it any more after that.
 */
void iommu_liveupdate_iommufd_finish(u64 iommufd);

/**
 * iommu_liveupdate_take_domain() - a restored domain becomes that of an HWPT
 * @owner: registered by iommu_liveupdate_iommufd_retrieved()
 * @hwpt_token: of the HWPT that had it before the jump
 *
 * The caller frees it with iommu_domain_free(). When devices still run on it
 * then which never left it, it is kept for them and can be taken again.
 *
 * Return: the domain; -ENOENT, there is none, or it was freed, or abandoned;
 * -EBUSY, it is taken; -ENODEV, a device that runs on it is not owned by
 * @owner, or never appeared, or was blocked.
 */
struct iommu_domain *iommu_liveupdate_take_domain(void *owner, u64 hwpt_token);

/**
 * iommu_liveupdate_iommufd_left() - may the session of an iommufd finish?
 * @iommufd: physical address of its file data
 *
 * Return: true when no device of that iommufd runs on, or waits for, or was
 * blocked from its restored domain, and nothing else is attached to one of
 * them: then nothing can be attached to them any more either (-ENXIO).
 * debugfs iommu/liveupdate/state tells why not.
 */
bool iommu_liveupdate_iommufd_left(u64 iommufd);

/**
 * iommu_liveupdate_abandon() - give up what an iommufd had before the jump
 * @iommufd: physical address of its file data
 *
 * Each of its devices that has not left its restored domain loses bus
 * mastering and is blocked; a group that waits for the iommufd becomes free to
 * use. What is still attached to a domain of it is blocked, too, and nothing
 * can be attached to it any more. Can't fail; memory may be freed after it.
 */
void iommu_liveupdate_abandon(u64 iommufd);

/**
 * iommu_liveupdate_record_left() - has a device of the handover left?
 * @segment: PCI segment
 * @bdf: bus << 8 | devfn
 *
 * Return: true when it left its restored domain, was removed or abandoned, and
 * when the handover has no such device.
 */
bool iommu_liveupdate_record_left(u32 segment, u32 bdf);

/* ---- For PCI, vfio-pci and whoever must leave a device alone ---- */

/**
 * iommu_liveupdate_device_outgoing() - is this device preserved for the next kernel?
 * @dev: any device
 *
 * Context: any; a snapshot unless the caller excludes preserve and unpreserve.
 */
bool iommu_liveupdate_device_outgoing(struct device *dev);

/**
 * iommu_liveupdate_domain_outgoing() - is this domain preserved for the next kernel?
 * @domain: any domain
 */
bool iommu_liveupdate_domain_outgoing(struct iommu_domain *domain);

/**
 * iommu_liveupdate_device_incoming() - does this device run on restored state?
 * @dev: any device
 *
 * True from the moment the IOMMU core has put it on its restored domain until
 * it has left that (for another domain, or because it was blocked, removed or
 * abandoned).
 */
bool iommu_liveupdate_device_incoming(struct device *dev);

/**
 * iommu_liveupdate_keep_bus_master() - may shutdown leave a device's DMA on?
 * @pdev: the device, or a bridge above a preserved one
 *
 * True only in a kexec that hands KHO over.
 * Context: device shutdown.
 */
bool iommu_liveupdate_keep_bus_master(struct pci_dev *pdev);

/**
 * iommu_liveupdate_keep_bus_numbers() - must PCI enumeration leave bridges as they are?
 *
 * True in a kernel that was handed IOMMU state.
 * Context: from core_initcall on.
 */
bool iommu_liveupdate_keep_bus_numbers(void);

/**
 * iommu_liveupdate_jumping() - is this the kexec that hands KHO over?
 *
 * Context: any; true only between the reboot call and the jump.
 */
bool iommu_liveupdate_jumping(void);

/* ---- For IOMMU drivers ---- */

/**
 * enum iommu_liveupdate_boot - what a driver does with its units at boot
 * @IOMMU_LIVEUPDATE_NONE: nothing was handed over
 * @IOMMU_LIVEUPDATE_RESTORE: everything was validated and claimed; units with
 *	a record take over their tables
 * @IOMMU_LIVEUPDATE_BLOCK: what was handed over can't be trusted; bus
 *	mastering is off everywhere and each unit gets an empty root table
 */
enum iommu_liveupdate_boot {
	IOMMU_LIVEUPDATE_NONE,
	IOMMU_LIVEUPDATE_RESTORE,
	IOMMU_LIVEUPDATE_BLOCK,
};

/**
 * iommu_liveupdate_claim() - validate and claim everything that was handed over
 * @ops: of the driver whose units the handover describes
 *
 * All or nothing, before any hardware is touched: the handover is validated,
 * every unit is compared with the real one, and the pages and DIDs of all
 * units, domains and devices are taken over. When any of that fails, all is
 * given back, the reason is logged under a finding code, and the policy
 * iommu_liveupdate.on_error= decides: panic, or IOMMU_LIVEUPDATE_BLOCK.
 * Further calls return what the first one did.
 *
 * Context: boot, after PCI enumeration, before the driver touches its units;
 * may sleep.
 */
enum iommu_liveupdate_boot iommu_liveupdate_claim(const struct iommu_liveupdate_ops *ops);

/**
 * iommu_liveupdate_unit_record() - the record of a preserved unit, as written
 * @iommu: the unit
 *
 * Context: any; takes no lock. The caller excludes unpreserve.
 * Return: the record, NULL when the unit is not preserved.
 */
const struct iommuser_iommu *iommu_liveupdate_unit_record(struct iommu_device *iommu);

/**
 * iommu_liveupdate_incoming_unit() - the claimed record of a unit
 * @token: physical address of its registers
 * @record: filled
 *
 * Return: true once per unit; false when there is none, it was given out
 * before, or the state is not IOMMU_LIVEUPDATE_RESTORE.
 */
bool iommu_liveupdate_incoming_unit(u64 token, struct iommuser_iommu *record);

/**
 * iommu_liveupdate_incoming_device() - the claimed record of a device
 * @segment: PCI segment
 * @bdf: bus << 8 | devfn
 * @record: filled; did and domain are those of requests without PASID
 *
 * O(1). Return: true when there is one and the state is
 * IOMMU_LIVEUPDATE_RESTORE.
 */
bool iommu_liveupdate_incoming_device(u32 segment, u32 bdf, struct iommuser_device *record);

/**
 * iommu_liveupdate_adopt_tables() - a driver goes on with a device's own tables
 * @segment: PCI segment
 * @bdf: bus << 8 | devfn
 *
 * From then on the driver frees the PASID directory and tables.
 *
 * Return: true once per device; then the driver may use what
 * iommu_liveupdate_incoming_device() says.
 */
bool iommu_liveupdate_adopt_tables(u32 segment, u32 bdf);

/**
 * iommu_liveupdate_incoming_pasid() - what a PASID of a device was left on
 * @dev: the device
 * @pasid: the PASID
 * @domain: set to the physical address of the domain's record
 * @did: set to its domain id on the device's unit
 *
 * Return: true when there is such an attachment, and it did not end since.
 */
bool iommu_liveupdate_incoming_pasid(struct device *dev, u32 pasid, u64 *domain, u32 *did);

/* ---- For the IOMMU core ---- */

/**
 * iommu_liveupdate_restored_domain() - the domain a new group runs on
 * @dev: device of a group that has no domain yet
 * @alone: it is the only one; a group with more can't run on restored state
 *
 * Return: the restored domain; NULL when @dev has no record (the default
 * domain is to be attached); an ERR_PTR when restoring failed and the policy
 * is to block: @dev's bus mastering is then off, the blocking domain is to be
 * attached, and the group owned all the same.
 *
 * Lock: the group's mutex.
 */
struct iommu_domain *iommu_liveupdate_restored_domain(struct device *dev, bool alone);

/**
 * iommu_liveupdate_attach_failed() - a restored domain can't be attached
 * @dev: iommu_liveupdate_restored_domain() gave a domain for it
 * @error: why
 *
 * Follows the policy; when it returns, go on as with an ERR_PTR above.
 * Lock: the group's mutex.
 */
void iommu_liveupdate_attach_failed(struct device *dev, int error);

/**
 * iommu_liveupdate_owner() - allocated owner of a group on restored state
 * @dev: iommu_liveupdate_restored_domain() gave a domain or an error for it
 *
 * To be called once for a device.
 *
 * Return: what group->owner is to be; it carries the iommufd's key.
 * Lock: the group's mutex.
 */
void *iommu_liveupdate_owner(struct device *dev);

/**
 * iommu_liveupdate_owned() - is that the owner that iommu_liveupdate_owner() gave?
 * @owner: a group's owner, of any kind or NULL
 * @dev: for this device
 *
 * Lock: the group's mutex.
 */
bool iommu_liveupdate_owned(const void *owner, struct device *dev);

/**
 * iommu_liveupdate_release() - a group is taken from an owner of ours
 * @owner: iommu_liveupdate_owned(); freed
 *
 * Its device is on the blocking domain already.
 * Lock: the group's mutex.
 */
void iommu_liveupdate_release(void *owner);

/**
 * iommu_liveupdate_hand_over() - may a group go to the one who claims it?
 * @owner: the group's owner, of any kind
 * @claimant: who claims it
 *
 * Return: true when @owner is one of ours, for the iommufd that @claimant is;
 * then the group is the claimant's, and stays on its restored domain.
 * Lock: the group's mutex.
 */
bool iommu_liveupdate_hand_over(void *owner, void *claimant);

/**
 * iommu_liveupdate_give_back() - undo iommu_liveupdate_hand_over()
 * @dev: a device of a group that its owner releases
 *
 * Return: what group->owner is to be, with owner_cnt 1; NULL when the device
 * does not run on its restored domain, and the default domain is to be attached.
 * Lock: the group's mutex.
 */
void *iommu_liveupdate_give_back(struct device *dev);

/**
 * iommu_liveupdate_must_leave() - must a group leave its domain for good?
 * @dev: its device, or one of them
 * @domain: what the group is attached to
 *
 * Return: true when @dev waits for an iommufd that was abandoned, or @domain
 * was abandoned: bus mastering of @dev is off then, and the blocking domain is
 * to be attached.
 * Lock: the group's mutex.
 */
bool iommu_liveupdate_must_leave(struct device *dev, struct iommu_domain *domain);

/**
 * iommu_liveupdate_domain_restored() - is that a restored domain?
 * @domain: of any kind or NULL
 *
 * Return: true for one whose handover has not been finished.
 */
bool iommu_liveupdate_domain_restored(struct iommu_domain *domain);

/**
 * iommu_liveupdate_domain_abandoned() - is that a restored domain to keep off?
 * @domain: of any kind or NULL
 */
bool iommu_liveupdate_domain_abandoned(struct iommu_domain *domain);

/**
 * iommu_liveupdate_device_moved() - a device was attached to a domain
 * @dev: any device
 * @domain: what it is on now; nothing of what it was on before is in use for
 *	it any more
 *
 * Lock: the group's mutex.
 */
void iommu_liveupdate_device_moved(struct device *dev, struct iommu_domain *domain);

/**
 * iommu_liveupdate_pasid_moved() - a PASID of a device was attached or detached
 * @dev: any device
 * @pasid: the PASID
 * @domain: what it is on now, NULL for nothing; nothing of what it was on
 *	before is in use for it any more
 *
 * Lock: the group's mutex.
 */
void iommu_liveupdate_pasid_moved(struct device *dev, u32 pasid, struct iommu_domain *domain);

/**
 * iommu_liveupdate_block_pasids() - a device is blocked
 * @dev: any device; its PASIDs that were left on restored domains are blocked,
 *	too, unless an iommufd has attached them that was not abandoned
 *
 * Lock: the group's mutex.
 */
void iommu_liveupdate_block_pasids(struct device *dev);

/**
 * iommu_liveupdate_keep_domain() - a domain is about to be freed
 * @domain: any domain
 *
 * Return: true when it must not be: it is a restored one that devices still run
 * on, which were not moved to it by whoever frees it.
 */
bool iommu_liveupdate_keep_domain(struct iommu_domain *domain);

#else

static inline bool iommu_liveupdate_device_outgoing(struct device *dev) { return false; }
static inline bool iommu_liveupdate_domain_outgoing(struct iommu_domain *domain) { return false; }
static inline bool iommu_liveupdate_device_incoming(struct device *dev) { return false; }
static inline bool iommu_liveupdate_keep_bus_master(struct pci_dev *pdev) { return false; }
static inline bool iommu_liveupdate_keep_bus_numbers(void) { return false; }
static inline bool iommu_liveupdate_jumping(void) { return false; }

static inline int iommu_liveupdate_iommufd_retrieved(u64 iommufd, void *owner)
{
	return -ENOENT;
}

static inline void iommu_liveupdate_iommufd_closed(void *owner) { }
static inline void iommu_liveupdate_iommufd_finish(u64 iommufd) { }
static inline struct iommu_domain *iommu_liveupdate_take_domain(void *owner, u64 hwpt_token)
{
	return ERR_PTR(-ENOENT);
}

static inline bool iommu_liveupdate_iommufd_left(u64 iommufd) { return true; }
static inline void iommu_liveupdate_abandon(u64 iommufd) { }
static inline bool iommu_liveupdate_record_left(u32 segment, u32 bdf) { return true; }
static inline bool iommu_liveupdate_domain_restored(struct iommu_domain *domain) { return false; }
static inline bool iommu_liveupdate_domain_abandoned(struct iommu_domain *domain) { return false; }
static inline void iommu_liveupdate_device_moved(struct device *dev, struct iommu_domain *domain)
{
}

static inline void iommu_liveupdate_pasid_moved(struct device *dev, u32 pasid,
						struct iommu_domain *domain)
{
}

static inline bool iommu_liveupdate_keep_domain(struct iommu_domain *domain) { return false; }

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* _LINUX_IOMMU_LIVEUPDATE_H */
