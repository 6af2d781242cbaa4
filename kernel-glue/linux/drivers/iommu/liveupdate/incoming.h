/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The incoming side of iommu_liveupdate: what the files that validate, claim
 * and restore a handover share.
 *
 *   FLB retrieve   the root's address is noted
 *   claim          everything is validated and taken over, or nothing is
 *   IOMMU probe    devices are put on their restored domains, one by one
 *   handover       iommufds claim their devices, take their domains and move
 *                  the devices elsewhere; or are abandoned
 *   FLB finish     the records are freed; domains that were taken live on
 */
#ifndef _IOMMU_LIVEUPDATE_INCOMING_H
#define _IOMMU_LIVEUPDATE_INCOMING_H

#include <linux/iommu_liveupdate.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include <iommuser/restore.h>

struct folio;
struct iommu_group;
struct iommu_incoming;

/**
 * struct iommu_incoming_host - where preserved memory comes from, and groups
 * @preserved_block: kho_preserved_block()
 * @next_preserved: kho_next_preserved()
 * @restore_folio: kho_restore_folio()
 * @nr_pfns: page frames to look at for the set of preserved pages
 * @abandon_group: iommu_group_abandon_restored()
 */
struct iommu_incoming_host {
	int (*preserved_block)(phys_addr_t phys, phys_addr_t *head);
	unsigned long (*next_preserved)(unsigned long pfn, unsigned long end, unsigned int *order);
	struct folio *(*restore_folio)(phys_addr_t phys);
	unsigned long (*nr_pfns)(void);
	void (*abandon_group)(struct iommu_group *group, struct device *dev);
};

extern const struct iommu_incoming_host iommu_incoming_kho;

/**
 * struct iommu_incoming_report - findings while a handover is checked
 * @code: of the first error, "" while there is none
 * @nr_errors: errors found
 * @nr_printed: findings in the log
 * @quiet: leave the log alone (KUnit)
 */
struct iommu_incoming_report {
	char code[12];
	unsigned int nr_errors;
	unsigned int nr_printed;
	bool quiet;
};

/* policy.c */

enum iommu_incoming_on_error {
	IOMMU_INCOMING_PANIC,
	IOMMU_INCOMING_BLOCK,
};

int iommu_incoming_parse_on_error(const char *value, enum iommu_incoming_on_error *on_error);
int iommu_incoming_parse_verify(const char *value, enum iommuser_restore_level *level);
enum iommuser_restore_level iommu_incoming_verify_level(void);
const char *iommu_incoming_verify_name(enum iommuser_restore_level level);
void iommu_incoming_note(void *report, const struct iommuser_finding *finding);
void iommu_incoming_fail(const struct iommu_incoming_report *report, const char *what, int error);
void iommu_incoming_fail_device(struct device *dev, const char *what, int error);

/* incoming-env.c */

/* What a claim is about, as the pages that it takes remember it. */
#define IOMMU_INCOMING_TAG(kind, position) ((position) << 3 | (kind))

/**
 * struct iommu_incoming_pages - preserved pages of tables, taken over or not
 * @host: where they come from
 * @report: told of pages that are refused
 * @taken: page frame number to an entry for each page that left KHO's care
 * @tag: IOMMU_INCOMING_TAG() of the claim that is under way
 * @incoherent: the tables of that claim are read without snooping caches
 * @settled: all claims are done, and pages may be freed by those who hold them
 * @ending: pages are those of records, which are freed
 * @nr_folio_pages: pages of folios that were restored
 * @nr_used: pages among them that a claim holds
 * @last_pfn: page frame that was mapped last, plus one, until @settled
 */
struct iommu_incoming_pages {
	const struct iommu_incoming_host *host;
	struct iommu_incoming_report *report;
	struct xarray taken;
	unsigned long tag;
	bool incoherent;
	bool settled;
	bool ending;
	unsigned long nr_folio_pages;
	unsigned long nr_used;
	unsigned long last_pfn;
};

void iommu_incoming_pages_init(struct iommu_incoming_pages *pages,
			       const struct iommu_incoming_host *host,
			       struct iommu_incoming_report *report);
void iommu_incoming_pages_end(struct iommu_incoming_pages *pages);
const void *iommu_incoming_map(void *ctx, u64 phys, u64 length);
int iommu_incoming_restore_page(void *ctx, u64 phys, u64 length);
void iommu_incoming_release_page(void *ctx, u64 phys, u64 length);
int iommu_incoming_pages_complete(struct iommu_incoming_pages *pages);
void iommu_incoming_pages_free(struct iommu_incoming_pages *pages, unsigned long tag,
			       unsigned long count);
struct iommuser_pageset *iommu_incoming_set_build(const struct iommu_incoming_host *host);
void iommu_incoming_set_free(struct iommuser_pageset *set);

/* incoming.c */

/**
 * struct iommu_incoming_unit - a claimed unit
 * @record: of the handover
 * @live: it is not a deleted record
 * @given: iommu_liveupdate_incoming_unit() gave it out
 */
struct iommu_incoming_unit {
	struct iommuser_iommu record;
	bool live;
	unsigned long given;
};

/**
 * struct iommu_incoming_iommufd - an iommufd of the kernel before
 * @key: physical address of its file data
 * @owner: what it claims groups with now, NULL until it was retrieved
 * @abandoned: nobody will come for what it had
 * @finished: its file data is gone
 */
struct iommu_incoming_iommufd {
	u64 key;
	const void *owner;
	bool abandoned;
	bool finished;
};

/**
 * struct iommu_incoming_domain - a claimed domain
 * @record: of the handover
 * @iommufd: whose HWPT had it, NULL when no HWPT had
 * @hwpt_token: of that HWPT
 * @nr_pages: table pages that were taken over
 * @nr_devices: devices of the handover that have not left it yet, and their PASIDs
 * @domain: made for the first of them, or NULL; another one's while @taken
 * @live: it is not a deleted record
 * @held: @domain holds all its domain ids
 * @taken: an HWPT has it
 * @busy: something was attached to it when its iommufd wanted to finish
 * @gone: it was freed
 * @unused: to be freed when the lock is dropped
 */
struct iommu_incoming_domain {
	struct iommuser_domain record;
	struct iommu_incoming_iommufd *iommufd;
	u64 hwpt_token;
	unsigned long nr_pages;
	unsigned int nr_devices;
	struct iommu_domain *domain;
	bool live;
	bool held;
	bool taken;
	bool busy;
	bool gone;
	struct iommu_domain *unused;
};

/**
 * enum iommu_incoming_state - where a device stands
 * @IOMMU_INCOMING_ABSENT: a deleted record, or none of ours
 * @IOMMU_INCOMING_CLAIMED: its tables are ours, the device was not seen yet
 * @IOMMU_INCOMING_RUNNING: it is on its restored domain
 * @IOMMU_INCOMING_BLOCKED: restoring failed; it is kept off
 * @IOMMU_INCOMING_HANDED_OVER: it is on its restored domain, and its iommufd
 *	has claimed it
 * @IOMMU_INCOMING_LEFT: its iommufd has moved it to another domain
 * @IOMMU_INCOMING_RELEASED: it was removed
 * @IOMMU_INCOMING_ABANDONED: it was stopped and blocked, or never appeared
 *
 * From LEFT on the handover has nothing to do with it any more.
 */
enum iommu_incoming_state {
	IOMMU_INCOMING_ABSENT,
	IOMMU_INCOMING_CLAIMED,
	IOMMU_INCOMING_RUNNING,
	IOMMU_INCOMING_BLOCKED,
	IOMMU_INCOMING_HANDED_OVER,
	IOMMU_INCOMING_LEFT,
	IOMMU_INCOMING_RELEASED,
	IOMMU_INCOMING_ABANDONED,
};

/**
 * struct iommu_incoming_owner - what the owner of a group points to
 * @list: in the list of all owners that a group has; empty for others
 * @incoming: the handover
 * @device: position of the device's record
 */
struct iommu_incoming_owner {
	struct list_head list;
	struct iommu_incoming *incoming;
	u64 device;
};

/**
 * struct iommu_incoming_device - a claimed device
 * @record: of the handover
 * @iommufd: that owned its group
 * @domain: position of its domain
 * @unit: position of its unit
 * @nr_pages: pages of its own tables that were taken over
 * @adopted: the driver has these tables
 * @held: its domain holds its domain id
 * @moved: requests without PASID don't use its restored domain any more
 * @state: see enum iommu_incoming_state; read without lock
 * @dev: the device while it is RUNNING, BLOCKED or HANDED_OVER and there
 * @owner: NULL once it was released
 * @attachments: its PASIDs, in ascending order
 * @nr_attachments: elements
 */
struct iommu_incoming_device {
	struct iommuser_device record;
	struct iommu_incoming_iommufd *iommufd;
	u64 domain;
	u64 unit;
	unsigned long nr_pages;
	unsigned long adopted;
	bool held;
	bool moved;
	enum iommu_incoming_state state;
	struct device *dev;
	struct iommu_incoming_owner *owner;
	struct iommu_incoming_attachment *attachments;
	u64 nr_attachments;
};

/**
 * struct iommu_incoming_attachment - a PASID of a claimed device
 * @device: position of the device
 * @domain: position of its domain
 * @reference: physical address of the domain's record
 * @pasid: the PASID
 * @did: domain id on the device's unit
 * @live: neither a deleted record nor that of requests without PASID
 * @held: its domain holds the domain id
 * @adopted: an iommufd has attached it to its restored HWPT
 * @left: the hardware has no entry that leads from it to its domain; read
 *	without lock
 */
struct iommu_incoming_attachment {
	u64 device;
	u64 domain;
	u64 reference;
	u32 pasid;
	u32 did;
	bool live;
	bool held;
	bool adopted;
	bool left;
};

/**
 * struct iommu_incoming_user - what uses a domain: a device, or a PASID of it
 * @device: the device
 * @domain: position of the domain
 * @did: domain id on the device's unit
 * @held: where it says that the domain holds it
 */
struct iommu_incoming_user {
	struct iommu_incoming_device *device;
	u64 domain;
	u32 did;
	bool *held;
};

/**
 * struct iommu_incoming - a handover
 * @root: address of its root
 * @ops: of the driver that claimed it
 * @env: how the library reads it
 * @restore_ops: what the library does to us
 * @machine: the library's restore
 * @report: what was found
 * @step: what the claim is at, in words
 * @pages: its table pages
 * @set: pages that KHO preserves, NULL unless verify=closure
 * @memory: the library's
 * @units: by position in their chain
 * @domains: likewise
 * @devices: likewise
 * @attachments: live ones first, by device and PASID
 * @iommufds: by ascending key
 * @nr_units: elements
 * @nr_domains: elements
 * @nr_devices: elements
 * @nr_attachments: elements
 * @nr_iommufds: elements
 * @nr_owned: devices whose groups hold an owner of ours
 * @claimed: everything was claimed
 * @finished: the machine is closed
 *
 * Lock: iommu_incoming_lock for state that changes after the claim.
 */
struct iommu_incoming {
	u64 root;
	const struct iommu_liveupdate_ops *ops;
	struct iommuser_env env;
	struct iommuser_restore_ops restore_ops;
	struct iommuser_restore machine;
	struct iommu_incoming_report report;
	const char *step;
	struct iommu_incoming_pages pages;
	struct iommuser_pageset *set;
	void *memory;
	struct iommu_incoming_unit *units;
	struct iommu_incoming_domain *domains;
	struct iommu_incoming_device *devices;
	struct iommu_incoming_attachment *attachments;
	struct iommu_incoming_iommufd *iommufds;
	u64 nr_units;
	u64 nr_domains;
	u64 nr_devices;
	u64 nr_attachments;
	u64 nr_iommufds;
	unsigned int nr_owned;
	bool claimed;
	bool finished;
};

extern struct mutex iommu_incoming_lock;
extern struct iommu_incoming __rcu *iommu_incoming_current;
extern struct iommu_incoming *iommu_incoming_shown;

struct iommu_incoming *iommu_incoming_new(u64 root, const struct iommu_incoming_host *host);
int iommu_incoming_claim(struct iommu_incoming *incoming, const struct iommu_liveupdate_ops *ops,
			 enum iommuser_restore_level level);
int iommu_incoming_end(struct iommu_incoming *incoming);
void iommu_incoming_free(struct iommu_incoming *incoming);
struct iommu_incoming_device *iommu_incoming_find(struct iommu_incoming *incoming, u64 segment,
						  u64 bdf);
struct iommu_incoming_iommufd *iommu_incoming_find_iommufd(struct iommu_incoming *incoming,
							   u64 key);
bool iommu_incoming_unit_once(struct iommu_incoming *incoming, u64 token,
			      struct iommuser_iommu *record);

/* inject.c */

#ifdef CONFIG_IOMMU_LIVEUPDATE_FAULT_INJECTION
bool iommu_incoming_inject(const char *step);
bool iommu_incoming_inject_device(const char *step);
bool iommu_incoming_inject_handover(const char *step);
bool iommu_incoming_inject_again(int error);
#else
static inline bool iommu_incoming_inject(const char *step)
{
	return false;
}

static inline bool iommu_incoming_inject_device(const char *step)
{
	return false;
}

static inline bool iommu_incoming_inject_handover(const char *step)
{
	return false;
}

static inline bool iommu_incoming_inject_again(int error)
{
	return false;
}
#endif

/* For the FLB's retrieve and finish. */
int iommu_liveupdate_retrieve(u64 root, void **object);
void iommu_liveupdate_finish(void *object);

/* restore.c; iommu_incoming_lock is held */

struct iommu_incoming *iommu_incoming_locked(void);
struct iommu_incoming_device *iommu_incoming_find_dev(struct iommu_incoming *incoming,
						      struct device *dev);
void iommu_incoming_advance(struct iommu_incoming *incoming, u32 kind, u64 position,
			    enum iommuser_state state);
void iommu_incoming_own(struct iommu_incoming_device *device);
struct iommu_incoming_device *iommu_incoming_owned_device(const void *owner);
void iommu_incoming_disown(struct iommu_incoming_device *device);
struct iommu_domain *iommu_incoming_domain_get(struct iommu_incoming *incoming,
					       struct iommu_incoming_device *device,
					       struct device *dev);
struct iommu_domain *iommu_incoming_domain_end(struct iommu_incoming *incoming,
					       struct iommu_incoming_domain *entry);
struct iommu_domain *iommu_incoming_leave(struct iommu_incoming *incoming,
					  struct iommu_incoming_device *device,
					  enum iommu_incoming_state state);
struct iommu_domain *iommu_incoming_moved(struct iommu_incoming *incoming,
					  struct iommu_incoming_device *device,
					  const struct iommu_domain *domain);
struct iommu_domain *iommu_incoming_release(struct iommu_incoming_device *device);

struct iommu_domain *iommu_incoming_leave_if_done(struct iommu_incoming *incoming,
						  struct iommu_incoming_device *device);

/* attachments.c; iommu_incoming_lock is held, but for the last one */

static inline u64 iommu_incoming_nr_users(const struct iommu_incoming *incoming)
{
	return incoming->nr_devices + incoming->nr_attachments;
}

bool iommu_incoming_user(struct iommu_incoming *incoming, u64 index,
			 struct iommu_incoming_user *user);
int iommu_incoming_claim_attachment(struct iommu_incoming *incoming,
				    const struct iommuser_attachment *record,
				    struct iommu_incoming_attachment *attachment);
void iommu_incoming_sort_attachments(struct iommu_incoming *incoming);
int iommu_incoming_pasid_domains(struct iommu_incoming *incoming,
				 struct iommu_incoming_device *device,
				 struct iommu_domain *(*get)(struct iommu_incoming *incoming,
							     u64 domain, struct device *dev),
				 struct device *dev);
bool iommu_incoming_pasids_live(const struct iommu_incoming_device *device);
void iommu_incoming_block_pasids(struct iommu_incoming *incoming,
				 struct iommu_incoming_device *device, struct device *dev);
void iommu_incoming_leave_pasids(struct iommu_incoming *incoming,
				 struct iommu_incoming_device *device);
struct iommu_domain *iommu_incoming_next_unused(struct iommu_incoming *incoming);
void iommu_incoming_free_unused(void);

/* handover.c; iommu_incoming_lock is held, but for the last two */

int iommu_incoming_retrieved(struct iommu_incoming *incoming, u64 key, const void *owner);
void iommu_incoming_closed(struct iommu_incoming *incoming, const void *owner);
bool iommu_incoming_hand_over(struct iommu_incoming_device *device, const void *claimant);
void *iommu_incoming_give_back(struct iommu_incoming *incoming,
			       struct iommu_incoming_device *device);
struct iommu_domain *iommu_incoming_take(struct iommu_incoming *incoming, const void *owner,
					 u64 hwpt_token);
bool iommu_incoming_keep(struct iommu_incoming *incoming, struct iommu_domain *domain);
bool iommu_incoming_left(struct iommu_incoming *incoming, u64 key);
bool iommu_incoming_device_left(const struct iommu_incoming_device *device);
void iommu_incoming_abandon(struct iommu_incoming *incoming,
			    struct iommu_incoming_iommufd *iommufd);
void iommu_incoming_abandon_all(struct iommu_incoming *incoming);

#endif /* _IOMMU_LIVEUPDATE_INCOMING_H */
