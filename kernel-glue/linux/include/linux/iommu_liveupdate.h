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
 *	DMA aliases, other PASID attachments)
 * @device_preserved: the device's record is written; take down what shutdown
 *	needs. Shutdown runs with interrupts off and can neither lock nor
 *	allocate, so this does. On failure the record is taken back
 * @device_unpreserved: the reverse; never fails
 * @describe_real_unit: fill in what the unit whose registers are at @token
 *	really has. -ENOENT when there is no such unit
 * @reserve_did: take a domain id out of that unit's allocator
 * @release_did: give it back
 * @restore_domain: make a domain out of a claimed record for the first of its
 *	devices. Its tables are those of the record, whose pages the core has
 *	already taken over. The domain can be attached only to devices whose
 *	record says so; attaching leaves the hardware's entries alone. It
 *	can't be mapped or unmapped
 *
 * Lock: all but @reserve_did, @release_did and @describe_real_unit are called
 * with the FLB's mutex held; all may sleep.
 */
struct iommu_liveupdate_ops {
	int (*describe_unit)(struct iommu_device *iommu, struct iommuser_iommu *record);
	int (*describe_domain)(struct iommu_domain *domain, struct iommuser_domain *record);
	int (*describe_device)(struct device *dev, struct iommu_domain *domain,
			       struct iommuser_device_request *request);
	int (*device_preserved)(struct device *dev);
	void (*device_unpreserved)(struct device *dev);
	int (*describe_real_unit)(u64 token, struct iommuser_unit *unit);
	int (*reserve_did)(u64 token, u32 did);
	void (*release_did)(u64 token, u32 did);
	struct iommu_domain *(*restore_domain)(struct device *dev,
					       const struct iommuser_domain *record);
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
 *
 * Return: 0; -EPERM, the group is not owned by userspace; -ENOENT, @domain is
 * not preserved; -EINVAL, @domain is not what's attached; -EBUSY, preserved
 * already; -EOPNOTSUPP: not a PCI device, a VF, a PF with VFs, a group with
 * more than this device, DMA aliases, PASID attachments; -ENOMEM; -EIO.
 */
int iommu_liveupdate_preserve_device(struct device *dev, struct iommu_domain *domain,
				     u64 iommufd);
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
 * True from the moment the IOMMU core has found its record until its session
 * is finished, or the device is removed.
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
 * iommu_liveupdate_owned() - is that an owner that iommu_liveupdate_owner() gave?
 * @owner: the group's owner, of any kind or NULL
 *
 * Lock: the group's mutex.
 */
bool iommu_liveupdate_owned(const void *owner);

/**
 * iommu_liveupdate_release_device() - a device on restored state goes away
 * @dev: its group's mutex is held, and its restored domain is detached
 * @owner: the group's owner
 *
 * Return: true when @owner was an owner of ours: it is freed, and the caller
 * resets the group's owner and owner_cnt. The restored domain is freed when
 * all its devices were found and released.
 */
bool iommu_liveupdate_release_device(struct device *dev, void *owner);

#else

static inline bool iommu_liveupdate_device_outgoing(struct device *dev) { return false; }
static inline bool iommu_liveupdate_domain_outgoing(struct iommu_domain *domain) { return false; }
static inline bool iommu_liveupdate_device_incoming(struct device *dev) { return false; }
static inline bool iommu_liveupdate_keep_bus_master(struct pci_dev *pdev) { return false; }
static inline bool iommu_liveupdate_keep_bus_numbers(void) { return false; }
static inline bool iommu_liveupdate_jumping(void) { return false; }
static inline struct iommu_domain *iommu_liveupdate_restored_domain(struct device *dev,
								    bool alone)
{
	return NULL;
}

static inline void iommu_liveupdate_attach_failed(struct device *dev, int error) { }
static inline void *iommu_liveupdate_owner(struct device *dev) { return NULL; }
static inline bool iommu_liveupdate_owned(const void *owner) { return false; }
static inline bool iommu_liveupdate_release_device(struct device *dev, void *owner)
{
	return false;
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* _LINUX_IOMMU_LIVEUPDATE_H */
