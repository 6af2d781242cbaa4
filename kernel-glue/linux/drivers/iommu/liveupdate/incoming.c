// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handover that this kernel was given: validated and claimed as a whole,
 * before any IOMMU is touched, then looked up.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/bitops.h>
#include <linux/bsearch.h>
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/ktime.h>
#include <linux/liveupdate.h>
#include <linux/overflow.h>
#include <linux/printk.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string_choices.h>

#include <iommuser/error.h>
#include <iommuser/graph.h>

#include "incoming.h"
#include "internal.h"

/* More memory than any sane handover needs for its index. */
#define MAX_MEMORY SZ_1G

/*
 * Protects what changes after the claim. Order: group->mutex, this, the
 * driver's locks. Never held by iommu_liveupdate_claim(), which runs under the
 * driver's locks.
 */
DEFINE_MUTEX(iommu_incoming_lock);

/* The claimed handover: set once at boot, cleared by finish; readers use RCU. */
struct iommu_incoming __rcu *iommu_incoming_current;

/* What debugfs shows: the handover, even when it could not be claimed. */
struct iommu_incoming *iommu_incoming_shown;

/* What iommu_liveupdate_claim() answered, and whether it was asked. */
static enum iommu_liveupdate_boot boot_answer;
static bool boot_asked;

/* What the library asks of the driver */

static void note_did(struct iommu_incoming *incoming, u64 token, u32 did, int error)
{
	const struct iommuser_finding finding = {
		.id = IOMMUSER_FINDING_DID_COLLISION,
		.severity = IOMMUSER_ERROR,
		.field = IOMMUSER_FIELD_DID,
		.phys = token,
		.found = did,
	};

	if (!incoming->report.quiet)
		pr_err("domain id %u can't be reserved (%d)\n", did, error);
	iommu_incoming_note(&incoming->report, &finding);
}

static int env_reserve_did(void *ctx, u64 token, u32 did)
{
	struct iommu_incoming_pages *pages = ctx;
	struct iommu_incoming *incoming = container_of(pages, struct iommu_incoming, pages);
	int error = iommu_incoming_inject("reserving a domain id") ?
		    -ENOMEM : incoming->ops->reserve_did(token, did);

	if (error)
		note_did(incoming, token, did, error);
	return error;
}

static void env_release_did(void *ctx, u64 token, u32 did)
{
	struct iommu_incoming_pages *pages = ctx;
	struct iommu_incoming *incoming = container_of(pages, struct iommu_incoming, pages);

	incoming->ops->release_did(token, did);
}

/**
 * iommu_incoming_new() - a handover of which nothing is known but its root
 * @root: physical address of the root, not trusted
 * @host: where preserved memory comes from
 *
 * Return: the handover, or NULL.
 */
struct iommu_incoming *iommu_incoming_new(u64 root, const struct iommu_incoming_host *host)
{
	struct iommu_incoming *incoming = kzalloc_obj(*incoming);

	if (!incoming)
		return NULL;
	incoming->root = root;
	iommu_incoming_pages_init(&incoming->pages, host, &incoming->report);
	incoming->env.ctx = &incoming->pages;
	incoming->env.page_shift = PAGE_SHIFT;
	incoming->env.map = iommu_incoming_map;
	incoming->env.crc32 = iommu_liveupdate_crc32;
	incoming->restore_ops.ctx = &incoming->pages;
	incoming->restore_ops.restore_page = iommu_incoming_restore_page;
	incoming->restore_ops.release_page = iommu_incoming_release_page;
	incoming->restore_ops.reserve_did = env_reserve_did;
	incoming->restore_ops.release_did = env_release_did;
	return incoming;
}

static void free_tables(struct iommu_incoming *incoming)
{
	u64 i;

	for (i = 0; i < incoming->nr_devices; i++)
		kfree(incoming->devices[i].owner);
	kvfree(incoming->iommufds);
	kvfree(incoming->attachments);
	kvfree(incoming->devices);
	kvfree(incoming->domains);
	kvfree(incoming->units);
	incoming->iommufds = NULL;
	incoming->attachments = NULL;
	incoming->devices = NULL;
	incoming->domains = NULL;
	incoming->units = NULL;
	incoming->nr_iommufds = 0;
	incoming->nr_attachments = 0;
	incoming->nr_devices = 0;
	incoming->nr_domains = 0;
	incoming->nr_units = 0;
}

static void free_machine(struct iommu_incoming *incoming)
{
	kvfree(incoming->memory);
	incoming->memory = NULL;
	iommu_incoming_set_free(incoming->set);
	incoming->set = NULL;
}

/**
 * iommu_incoming_free() - forget a handover
 * @incoming: nobody looks it up any more; the machine is closed. Pages that
 *	were put aside stay allocated
 */
void iommu_incoming_free(struct iommu_incoming *incoming)
{
	free_tables(incoming);
	free_machine(incoming);
	iommu_incoming_pages_end(&incoming->pages);
	kfree(incoming);
}

/* Opening and validating */

static int build_set(struct iommu_incoming *incoming)
{
	struct iommuser_pageset *set = iommu_incoming_set_build(incoming->pages.host);

	if (IS_ERR(set))
		return PTR_ERR(set);
	incoming->set = set;
	return 0;
}

static int open_and_validate(struct iommu_incoming *incoming, enum iommuser_restore_level level)
{
	const struct iommuser_reporter reporter = {
		.ctx = &incoming->report,
		.report = iommu_incoming_note,
	};
	const struct iommuser_revision *revision = iommuser_revision_by_name("iommuser-v1");
	struct iommuser_restore *machine = &incoming->machine;
	u64 size;
	int error;

	if (WARN_ON_ONCE(!revision))
		return -EOPNOTSUPP;
	if (level == IOMMUSER_LEVEL_CLOSURE) {
		error = build_set(incoming);
		if (error)
			return error;
	}
	error = iommuser_restore_open(machine, &incoming->env, &incoming->restore_ops, revision,
				      incoming->root, incoming->set, &reporter);
	if (error)
		return iommu_liveupdate_errno(error);
	size = iommuser_restore_size(machine);
	if (!size || size > MAX_MEMORY)
		return -E2BIG;
	incoming->memory = kvzalloc(size, GFP_KERNEL);
	if (!incoming->memory || iommu_incoming_inject("memory for the index"))
		return -ENOMEM;
	error = iommuser_restore_validate(machine, level, get_random_u64(), incoming->memory, size,
					  &reporter);
	return error ? iommu_liveupdate_errno(error) : 0;
}

static int alloc_tables(struct iommu_incoming *incoming)
{
	const struct iommuser_restore *machine = &incoming->machine;
	u64 nr_units = iommuser_restore_count(machine, IOMMUSER_KIND_IOMMU);
	u64 nr_domains = iommuser_restore_count(machine, IOMMUSER_KIND_DOMAIN);
	u64 nr_devices = iommuser_restore_count(machine, IOMMUSER_KIND_DEVICE);
	u64 nr_attachments = iommuser_restore_count(machine, IOMMUSER_KIND_ATTACHMENT);
	u64 nr_hwpts = iommuser_restore_count(machine, IOMMUSER_KIND_HWPT);

	incoming->units = kvcalloc(nr_units + 1, sizeof(*incoming->units), GFP_KERNEL);
	incoming->domains = kvcalloc(nr_domains + 1, sizeof(*incoming->domains), GFP_KERNEL);
	incoming->devices = kvcalloc(nr_devices + 1, sizeof(*incoming->devices), GFP_KERNEL);
	incoming->attachments = kvcalloc(nr_attachments + 1, sizeof(*incoming->attachments),
					 GFP_KERNEL);
	incoming->iommufds = kvcalloc(nr_hwpts + nr_devices + 1, sizeof(*incoming->iommufds),
				      GFP_KERNEL);
	if (!incoming->units || !incoming->domains || !incoming->devices ||
	    !incoming->attachments || !incoming->iommufds ||
	    iommu_incoming_inject("memory for the tables"))
		return -ENOMEM;
	incoming->nr_units = nr_units;
	incoming->nr_domains = nr_domains;
	incoming->nr_devices = nr_devices;
	incoming->nr_attachments = nr_attachments;
	return 0;
}

/* Whose all of it was */

static int compare_keys(const void *a, const void *b)
{
	const struct iommu_incoming_iommufd *one = a, *other = b;

	if (one->key == other->key)
		return 0;
	return one->key < other->key ? -1 : 1;
}

/**
 * iommu_incoming_find_iommufd() - the iommufd of a key
 * @incoming: the handover
 * @key: physical address of file data, of an iommufd or not
 *
 * Return: NULL when nothing of the handover has that key.
 */
struct iommu_incoming_iommufd *iommu_incoming_find_iommufd(struct iommu_incoming *incoming,
							   u64 key)
{
	const struct iommu_incoming_iommufd wanted = { .key = key };

	if (!incoming->nr_iommufds)
		return NULL;
	return bsearch(&wanted, incoming->iommufds, incoming->nr_iommufds, sizeof(wanted),
		       compare_keys);
}

/* Append the keys of all records of a kind; there is room for them. */
static int note_keys(struct iommu_incoming *incoming, u32 kind, u64 *nr_keys)
{
	u64 count = iommuser_restore_count(&incoming->machine, kind);
	union iommuser_record record;
	u64 position;
	int error;

	for (position = 0; position < count; position++) {
		error = iommuser_restore_read(&incoming->machine, kind, position, &record);
		if (error == -IOMMUSER_ENOENT)
			continue;
		if (error)
			return iommu_liveupdate_errno(error);
		incoming->iommufds[(*nr_keys)++].key = kind == IOMMUSER_KIND_HWPT ?
				record.hwpt.iommufd_token : record.device.owner_token;
	}
	return 0;
}

static int note_iommufds(struct iommu_incoming *incoming)
{
	struct iommu_incoming_iommufd *iommufds = incoming->iommufds;
	u64 nr_keys = 0, i;
	int error;

	error = note_keys(incoming, IOMMUSER_KIND_HWPT, &nr_keys);
	if (!error)
		error = note_keys(incoming, IOMMUSER_KIND_DEVICE, &nr_keys);
	if (error)
		return error;
	sort(iommufds, nr_keys, sizeof(*iommufds), compare_keys, NULL);
	for (i = 0; i < nr_keys; i++) {
		if (!incoming->nr_iommufds ||
		    iommufds[incoming->nr_iommufds - 1].key != iommufds[i].key)
			iommufds[incoming->nr_iommufds++].key = iommufds[i].key;
	}
	return 0;
}

/* The domain that an HWPT was made of. */
static int note_hwpt(struct iommu_incoming *incoming, u64 position)
{
	struct iommuser_restore *machine = &incoming->machine;
	struct iommu_incoming_domain *to;
	union iommuser_record record;
	u64 domain;
	int error;

	error = iommuser_restore_read(machine, IOMMUSER_KIND_HWPT, position, &record);
	if (error == -IOMMUSER_ENOENT)
		return 0;
	if (!error)
		error = iommuser_graph_resolve(&machine->graph, record.hwpt.domain,
					       IOMMUSER_KIND_DOMAIN, &domain);
	if (error)
		return iommu_liveupdate_errno(error);
	to = &incoming->domains[domain];
	/* This kernel's writer makes one for each. */
	if (!to->live || to->iommufd)
		return -EINVAL;
	to->iommufd = iommu_incoming_find_iommufd(incoming, record.hwpt.iommufd_token);
	to->hwpt_token = record.hwpt.hwpt_token;
	return 0;
}

/* Claiming */

/* Read a record that is to be claimed. 1, or 0 for one to pass over. */
static int read_live(struct iommu_incoming *incoming, u32 kind, u64 position,
		     union iommuser_record *record)
{
	int error = iommuser_restore_read(&incoming->machine, kind, position, record);

	if (error == -IOMMUSER_ENOENT)
		return 0;
	if (error)
		return iommu_liveupdate_errno(error);
	if (iommu_incoming_inject(incoming->step))
		return -ENOMEM;
	incoming->pages.tag = IOMMU_INCOMING_TAG(kind, position);
	incoming->pages.incoherent = false;
	return 1;
}

static void note_field(struct iommu_incoming *incoming, u32 kind, u64 position, u64 phys,
		       enum iommuser_field field, u64 found, u64 expected)
{
	const struct iommuser_finding finding = {
		.id = IOMMUSER_FINDING_REC_VALUE,
		.severity = IOMMUSER_ERROR,
		.kind = kind,
		.field = field,
		.index = position,
		.phys = phys,
		.found = found,
		.expected = expected,
	};

	if (found != expected)
		iommu_incoming_note(&incoming->report, &finding);
}

static void note_unit(struct iommu_incoming *incoming, u64 position,
		      const struct iommuser_iommu *record, const struct iommuser_unit *unit)
{
	const u32 kind = IOMMUSER_KIND_IOMMU;

	note_field(incoming, kind, position, record->phys, IOMMUSER_FIELD_CAP, record->cap,
		   unit->cap);
	note_field(incoming, kind, position, record->phys, IOMMUSER_FIELD_ECAP, record->ecap,
		   unit->ecap);
	note_field(incoming, kind, position, record->phys, IOMMUSER_FIELD_HOST_ADDRESS_WIDTH,
		   record->host_address_width, unit->host_address_width);
	note_field(incoming, kind, position, record->phys, IOMMUSER_FIELD_MODE, record->mode,
		   unit->mode);
}

static int claim_unit(struct iommu_incoming *incoming, u64 position)
{
	struct iommu_incoming_unit *to = &incoming->units[position];
	struct iommuser_unit unit = {};
	union iommuser_record record;
	int live, error;

	live = read_live(incoming, IOMMUSER_KIND_IOMMU, position, &record);
	if (live <= 0)
		return live;
	error = incoming->ops->describe_real_unit(record.iommu.token, &unit);
	if (error) {
		if (!incoming->report.quiet)
			pr_err("the unit at %#llx can't go on (%d)\n", record.iommu.token, error);
		note_field(incoming, IOMMUSER_KIND_IOMMU, position, record.iommu.phys,
			   IOMMUSER_FIELD_TOKEN, record.iommu.token, 0);
		return error;
	}
	unit.token = record.iommu.token;
	error = iommuser_restore_claim_iommu(&incoming->machine, &unit, &to->record);
	if (error == -IOMMUSER_EMISMATCH)
		note_unit(incoming, position, &record.iommu, &unit);
	to->live = !error;
	return error ? iommu_liveupdate_errno(error) : 0;
}

static int claim_domain(struct iommu_incoming *incoming, u64 position)
{
	struct iommu_incoming_domain *to = &incoming->domains[position];
	unsigned long nr_used = incoming->pages.nr_used;
	union iommuser_record record;
	int live, error;

	live = read_live(incoming, IOMMUSER_KIND_DOMAIN, position, &record);
	if (live <= 0)
		return live;
	incoming->pages.incoherent = record.domain.features & IOMMUSER_FEATURE_INCOHERENT_WALK;
	error = iommuser_restore_claim_domain(&incoming->machine, record.common.phys, &to->record);
	to->nr_pages = incoming->pages.nr_used - nr_used;
	to->live = !error;
	return error ? iommu_liveupdate_errno(error) : 0;
}

/* Where a claimed device's record leads to. */
static int link_device(struct iommu_incoming *incoming, struct iommu_incoming_device *device)
{
	const struct iommuser_graph *graph = &incoming->machine.graph;
	struct iommu_incoming_domain *domain;
	int error;

	error = iommuser_graph_resolve(graph, device->record.domain, IOMMUSER_KIND_DOMAIN,
				       &device->domain);
	if (!error)
		error = iommuser_graph_resolve(graph, device->record.iommu, IOMMUSER_KIND_IOMMU,
					       &device->unit);
	if (error)
		return iommu_liveupdate_errno(error);
	domain = &incoming->domains[device->domain];
	device->iommufd = iommu_incoming_find_iommufd(incoming, device->record.owner_token);
	/* Validation has seen to it; what is indexed by them must not depend on that. */
	if (!domain->live || !incoming->units[device->unit].live || !device->iommufd)
		return -EINVAL;
	if (domain->iommufd && domain->iommufd != device->iommufd)
		return -EINVAL;
	domain->nr_devices++;
	return 0;
}

static int claim_device(struct iommu_incoming *incoming, u64 position)
{
	struct iommu_incoming_device *to = &incoming->devices[position];
	unsigned long nr_used = incoming->pages.nr_used;
	union iommuser_record record;
	int live, error;

	live = read_live(incoming, IOMMUSER_KIND_DEVICE, position, &record);
	if (live <= 0)
		return live;
	to->owner = kzalloc_obj(*to->owner);
	if (!to->owner || iommu_incoming_inject("memory for an owner"))
		return -ENOMEM;
	error = iommuser_restore_claim_device(&incoming->machine, record.device.segment,
					      record.device.bdf, &to->record);
	if (error)
		return iommu_liveupdate_errno(error);
	error = link_device(incoming, to);
	if (error)
		return error;
	INIT_LIST_HEAD(&to->owner->list);
	to->owner->incoming = incoming;
	to->owner->device = position;
	to->nr_pages = incoming->pages.nr_used - nr_used;
	to->state = IOMMU_INCOMING_CLAIMED;
	return 0;
}

static int claim_attachment(struct iommu_incoming *incoming, u64 position)
{
	union iommuser_record record;
	int error;

	error = iommuser_restore_read(&incoming->machine, IOMMUSER_KIND_ATTACHMENT, position,
				      &record);
	if (error)
		return error == -IOMMUSER_ENOENT ? 0 : iommu_liveupdate_errno(error);
	return iommu_incoming_claim_attachment(incoming, &record.attachment,
					       &incoming->attachments[position]);
}

static int claim_each(struct iommu_incoming *incoming, u64 count,
		      int (*claim)(struct iommu_incoming *incoming, u64 position))
{
	u64 position;
	int error;

	for (position = 0; position < count; position++) {
		error = claim(incoming, position);
		if (error)
			return error;
	}
	return 0;
}

static int claim_all(struct iommu_incoming *incoming)
{
	int error;

	error = alloc_tables(incoming);
	if (error)
		return error;
	incoming->step = "keys of iommufds";
	error = note_iommufds(incoming);
	if (error)
		return error;
	incoming->step = "claim of a unit";
	error = claim_each(incoming, incoming->nr_units, claim_unit);
	if (error)
		return error;
	incoming->step = "claim of a domain";
	error = claim_each(incoming, incoming->nr_domains, claim_domain);
	if (error)
		return error;
	incoming->step = "HWPTs of domains";
	error = claim_each(incoming,
			   iommuser_restore_count(&incoming->machine, IOMMUSER_KIND_HWPT),
			   note_hwpt);
	if (error)
		return error;
	incoming->step = "claim of a device";
	error = claim_each(incoming, incoming->nr_devices, claim_device);
	if (error)
		return error;
	incoming->step = "PASIDs of devices";
	error = claim_each(incoming, incoming->nr_attachments, claim_attachment);
	if (error)
		return error;
	iommu_incoming_sort_attachments(incoming);
	incoming->step = "claim of all tables";
	if (iommu_incoming_inject(incoming->step))
		return -ENOMEM;
	return iommu_incoming_pages_complete(&incoming->pages);
}

/**
 * iommu_incoming_claim() - validate and claim everything, or nothing
 * @incoming: not claimed
 * @ops: of the driver
 * @level: how deep to validate
 *
 * Lock: nobody else uses @incoming.
 * Return: 0 or a negative errno; then all was given back, and it may be tried
 * again.
 */
int iommu_incoming_claim(struct iommu_incoming *incoming, const struct iommu_liveupdate_ops *ops,
			 enum iommuser_restore_level level)
{
	int error;

	incoming->ops = ops;
	incoming->pages.settled = false;
	incoming->step = "validation";
	error = open_and_validate(incoming, level);
	if (!error)
		error = claim_all(incoming);
	incoming->pages.last_pfn = 0;
	incoming->pages.settled = true;
	if (error) {
		iommuser_restore_abort(&incoming->machine);
		free_tables(incoming);
		free_machine(incoming);
		return error;
	}
	/* Needed for validation alone. */
	iommu_incoming_set_free(incoming->set);
	incoming->set = NULL;
	incoming->machine.set = NULL;
	incoming->claimed = true;
	return 0;
}

/**
 * iommu_incoming_end() - free the records and all that was needed to read them
 * @incoming: nobody looks it up any more; everything of it has left or was
 *	abandoned
 *
 * What was never claimed stays reserved.
 *
 * Return: 0 or a negative errno: then pages of records stay reserved.
 */
int iommu_incoming_end(struct iommu_incoming *incoming)
{
	int error = 0;

	if (incoming->claimed) {
		incoming->pages.ending = true;
		error = iommuser_restore_finish(&incoming->machine);
	}
	incoming->finished = true;
	free_machine(incoming);
	return error ? iommu_liveupdate_errno(error) : 0;
}

/* Finding things */

/**
 * iommu_incoming_find() - the claimed record of a device
 * @incoming: claimed, and not finished
 * @segment: PCI segment
 * @bdf: bus << 8 | devfn
 *
 * Reads the index alone, which doesn't change after the claim.
 *
 * Return: NULL when there is none.
 */
struct iommu_incoming_device *iommu_incoming_find(struct iommu_incoming *incoming, u64 segment,
						  u64 bdf)
{
	u64 position;

	if (iommuser_graph_find_device(&incoming->machine.graph, segment, bdf, &position) ||
	    incoming->devices[position].state == IOMMU_INCOMING_ABSENT)
		return NULL;
	return &incoming->devices[position];
}

/**
 * iommu_incoming_unit_once() - the claimed record of a unit, given out once
 * @incoming: claimed, and not finished
 * @token: physical address of its registers
 * @record: filled
 */
bool iommu_incoming_unit_once(struct iommu_incoming *incoming, u64 token,
			      struct iommuser_iommu *record)
{
	struct iommu_incoming_unit *unit;
	u64 position;

	if (iommuser_graph_find_iommu(&incoming->machine.graph, token, &position))
		return false;
	unit = &incoming->units[position];
	if (!unit->live || test_and_set_bit(0, &unit->given))
		return false;
	*record = unit->record;
	return true;
}

bool iommu_liveupdate_incoming_unit(u64 token, struct iommuser_iommu *record)
{
	struct iommu_incoming *incoming;

	guard(rcu)();
	incoming = rcu_dereference(iommu_incoming_current);
	return incoming && iommu_incoming_unit_once(incoming, token, record);
}

/* The claimed record of a device, in an RCU read-side section. */
static struct iommu_incoming_device *find_current(u32 segment, u32 bdf)
{
	struct iommu_incoming *incoming = rcu_dereference(iommu_incoming_current);

	return incoming ? iommu_incoming_find(incoming, segment, bdf) : NULL;
}

bool iommu_liveupdate_incoming_device(u32 segment, u32 bdf, struct iommuser_device *record)
{
	struct iommu_incoming_device *device;

	guard(rcu)();
	device = find_current(segment, bdf);
	if (!device)
		return false;
	switch (READ_ONCE(device->state)) {
	case IOMMU_INCOMING_CLAIMED:
	case IOMMU_INCOMING_RUNNING:
	case IOMMU_INCOMING_HANDED_OVER:
		*record = device->record;
		return true;
	default:
		return false;
	}
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_incoming_device);

bool iommu_liveupdate_record_left(u32 segment, u32 bdf)
{
	struct iommu_incoming_device *device;

	guard(rcu)();
	device = find_current(segment, bdf);
	return !device || iommu_incoming_device_left(device);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_record_left);

bool iommu_liveupdate_adopt_tables(u32 segment, u32 bdf)
{
	struct iommu_incoming_device *device;

	guard(rcu)();
	device = find_current(segment, bdf);
	return device && READ_ONCE(device->state) == IOMMU_INCOMING_CLAIMED &&
	       !test_and_set_bit(0, &device->adopted);
}

/* Boot */

/**
 * iommu_liveupdate_retrieve() - for the FLB's retrieve
 * @root: the FLB's payload, not trusted
 * @object: set to the FLB's object
 *
 * Nothing is read yet: iommu_liveupdate_claim() does that when the driver is
 * ready for it.
 *
 * Return: 0 or -ENOMEM.
 */
int iommu_liveupdate_retrieve(u64 root, void **object)
{
	struct iommu_incoming *incoming = iommu_incoming_new(root, &iommu_incoming_kho);

	if (!incoming)
		return -ENOMEM;
	*object = incoming;
	return 0;
}

/**
 * iommu_liveupdate_finish() - for the FLB's finish
 * @object: of iommu_liveupdate_retrieve()
 *
 * By now all devices have left their restored domains, or were abandoned; what
 * has not, because no session had its iommufd, is abandoned here. Then the
 * records are freed. Of a handover that was not claimed, everything stays
 * reserved.
 */
void iommu_liveupdate_finish(void *object)
{
	struct iommu_incoming *incoming = object;
	struct iommu_domain *unused;
	bool last;
	int error;

	/* Nothing appears on restored state after this. */
	if (incoming->claimed)
		iommu_incoming_abandon_all(incoming);
	scoped_guard(mutex, &iommu_incoming_lock) {
		rcu_assign_pointer(iommu_incoming_current, NULL);
		iommu_incoming_shown = NULL;
	}
	synchronize_rcu();
	while ((unused = iommu_incoming_next_unused(incoming)))
		iommu_domain_free(unused);
	scoped_guard(mutex, &iommu_incoming_lock) {
		error = iommu_incoming_end(incoming);
		last = !WARN_ON(incoming->nr_owned);
	}
	if (error)
		pr_err("pages of records are lost (%d)\n", error);
	if (last)
		iommu_incoming_free(incoming);
}

/*
 * The handover, or NULL when there is none. The reference is dropped at once:
 * the preserved files hold theirs until they are finished, and it's the last
 * of those that must end the FLB.
 */
static struct iommu_incoming *get_handover(void)
{
	void *object = NULL;
	int error = liveupdate_flb_get_incoming(&iommu_liveupdate_flb, &object);

	if (error == -ENOENT || error == -ENODATA || error == -EOPNOTSUPP)
		return NULL;
	if (error)
		return ERR_PTR(error);
	liveupdate_flb_put_incoming(&iommu_liveupdate_flb);
	return object;
}

/* How long the jump took longer for it; a notice, as it says what devices run on. */
static void note_taken(const struct iommu_incoming *incoming, ktime_t time)
{
	const u64 nr_pages = incoming->pages.nr_used;

	pr_notice("took over %llu unit%s, %llu domain%s, %llu device%s, %llu table page%s in %lld us (verify=%s)\n",
		  incoming->nr_units, str_plural(incoming->nr_units),
		  incoming->nr_domains, str_plural(incoming->nr_domains),
		  incoming->nr_devices, str_plural(incoming->nr_devices),
		  nr_pages, str_plural(nr_pages), ktime_to_us(time),
		  iommu_incoming_verify_name(iommu_incoming_verify_level()));
}

static enum iommu_liveupdate_boot claim_handover(const struct iommu_liveupdate_ops *ops)
{
	struct iommu_incoming *incoming = get_handover();
	ktime_t begin = ktime_get();
	int error;

	if (!incoming)
		return IOMMU_LIVEUPDATE_NONE;
	if (IS_ERR(incoming)) {
		iommu_incoming_fail(NULL, "it can't be retrieved", PTR_ERR(incoming));
		return IOMMU_LIVEUPDATE_BLOCK;
	}
	do {
		error = iommu_incoming_claim(incoming, ops, iommu_incoming_verify_level());
	} while (iommu_incoming_inject_again(error));
	iommu_incoming_shown = incoming;
	if (error) {
		iommu_incoming_fail(&incoming->report, incoming->step, error);
		return IOMMU_LIVEUPDATE_BLOCK;
	}
	note_taken(incoming, ktime_get() - begin);
	rcu_assign_pointer(iommu_incoming_current, incoming);
	return IOMMU_LIVEUPDATE_RESTORE;
}

enum iommu_liveupdate_boot iommu_liveupdate_claim(const struct iommu_liveupdate_ops *ops)
{
	might_sleep();
	if (!boot_asked) {
		boot_asked = true;
		boot_answer = claim_handover(ops);
	}
	return boot_answer;
}

bool iommu_liveupdate_keep_bus_numbers(void)
{
	return get_handover();
}

/*
 * Without an IOMMU driver that asked, nobody keeps the devices of the handover
 * in their place.
 */
static int __init iommu_incoming_check_asked(void)
{
	if (boot_asked || !get_handover())
		return 0;
	boot_asked = true;
	boot_answer = IOMMU_LIVEUPDATE_BLOCK;
	iommu_incoming_fail(NULL, "no IOMMU driver took it over", -ENODEV);
	return 0;
}

/* After the IOMMU drivers, before drivers of devices. */
device_initcall(iommu_incoming_check_asked);
