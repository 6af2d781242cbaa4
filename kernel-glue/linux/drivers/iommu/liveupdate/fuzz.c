// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs iommu/liveupdate/fuzz, for tests alone: an input of fuzz-input.h that
 * is written to it is put into fresh pages, which are marked as KHO marks what
 * was preserved; then this kernel restores from them, with everything real but
 * units, devices and hardware. What came of it can be read. Once the library's
 * machine is driven step by step, once the core takes over as at boot, hands
 * over or abandons, and finishes.
 *
 * KHO must have booted this kernel, or it does not look at marks. Handovers of
 * the machine itself are not touched.
 */
#define pr_fmt(fmt) "iommu: liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/kexec_handover.h>
#include <linux/kexec_handover_query.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "../iommu-priv.h"
#include "fuzz-input.h"
#include "incoming.h"
#include "internal.h"

#define WINDOW_ORDER (ilog2(IOMMU_FUZZ_FRAMES))
#define MAX_LENGTH SZ_8M
#define TEXT_SIZE 2048
/* How KHO marks the first page of a block, in page->private, above its order. */
#define KHO_MARK (0x4b484f50UL << 32)
#define PAYLOAD_PFN PHYS_PFN(IOMMU_FUZZ_PAYLOAD)
#define PAYLOAD_END PHYS_PFN(IOMMU_FUZZ_PAYLOAD + IOMMU_FUZZ_PAYLOAD_SIZE)

static_assert(IOMMU_FUZZ_FRAME_SIZE == PAGE_SIZE);

/* A unit that domain ids can be reserved on, with an allocator like the driver's. */
struct fuzz_unit {
	u64 token;
	struct ida dids;
	bool used;
};

/**
 * struct fuzz_did - a domain id that is reserved
 * @list: in the world's dids
 * @unit: where
 * @did: which
 * @holder: the restored domain that has it, or NULL
 */
struct fuzz_did {
	struct list_head list;
	struct fuzz_unit *unit;
	u32 did;
	struct iommu_domain *holder;
};

/* A restored domain, and which one of the handover. */
struct fuzz_domain {
	struct iommu_domain domain;
	u64 position;
};

/**
 * struct fuzz_world - what an input lives in
 * @window: its pages
 * @base: physical address of the first
 * @restored: frames that left KHO's care
 * @counted: who restored a folio is not the last to hold it, so that what
 *	becomes of it can be seen; else it is freed in earnest
 * @incoming: the handover
 * @units: as many as were heard of
 * @dids: that are reserved
 * @nr_dids: how many
 * @broken: line of this file with the first thing that went wrong, or 0
 */
struct fuzz_world {
	struct page *window;
	u64 base;
	DECLARE_BITMAP(restored, IOMMU_FUZZ_FRAMES);
	bool counted;
	struct iommu_incoming *incoming;
	struct fuzz_unit units[IOMMU_FUZZ_MAX_UNITS];
	struct list_head dids;
	u64 nr_dids;
	u32 broken;
};

/* One input at a time; for callbacks that get no context, too. */
static DEFINE_MUTEX(fuzz_lock);
static struct fuzz_world *the_world;
static char fuzz_text[TEXT_SIZE];
static struct device *fuzz_device;

#define expect(condition)                                        \
	do {                                                     \
		if (!(condition) && !the_world->broken)          \
			the_world->broken = __LINE__;            \
	} while (0)

/* Preserved memory */

static unsigned long window_pfn(void)
{
	return PHYS_PFN(the_world->base);
}

static unsigned long window_end(void)
{
	return window_pfn() + IOMMU_FUZZ_FRAMES;
}

/* Nothing else of the machine counts, but its preserved blocks are not disturbed. */
static unsigned long next_preserved(unsigned long pfn, unsigned long end, unsigned int *order)
{
	unsigned long stop = min(end, window_end());
	unsigned long found = max(pfn, window_pfn());

	if (found < stop) {
		found = kho_next_preserved(found, stop, order);
		if (found < stop)
			return found;
	}
	*order = MAX_PAGE_ORDER;
	found = max(ALIGN(pfn, 1UL << MAX_PAGE_ORDER), PAYLOAD_PFN);
	return found < PAYLOAD_END ? min(found, end) : end;
}

static unsigned long nr_pfns(void)
{
	return PAYLOAD_END;
}

static bool in_window(phys_addr_t phys)
{
	return phys >= the_world->base && phys - the_world->base < IOMMU_FUZZ_WINDOW;
}

static int preserved_block(phys_addr_t phys, phys_addr_t *head)
{
	return in_window(phys) ? kho_preserved_block(phys, head) : -ENOENT;
}

static struct folio *restore_folio(phys_addr_t phys)
{
	struct folio *folio = kho_restore_folio(phys);
	unsigned long nr_pages;

	if (!folio)
		return NULL;
	nr_pages = folio_nr_pages(folio);
	/* They came from the page allocator. */
	adjust_managed_page_count(&folio->page, -nr_pages);
	bitmap_set(the_world->restored, folio_pfn(folio) - window_pfn(), nr_pages);
	if (the_world->counted)
		folio_get(folio);
	return folio;
}

static void abandon_group(struct iommu_group *group, struct device *dev)
{
	/* Devices of this machine; the handover's have left before. */
}

static const struct iommu_incoming_host fuzz_host = {
	.preserved_block = preserved_block,
	.next_preserved = next_preserved,
	.restore_folio = restore_folio,
	.nr_pfns = nr_pfns,
	.abandon_group = abandon_group,
};

/* Units and domain ids */

static struct fuzz_unit *find_unit(u64 token)
{
	struct fuzz_unit *unit;

	for (unit = the_world->units; unit < the_world->units + IOMMU_FUZZ_MAX_UNITS; unit++) {
		if (!unit->used) {
			unit->used = true;
			unit->token = token;
			ida_init(&unit->dids);
		}
		if (unit->token == token)
			return unit;
	}
	return NULL;
}

static struct fuzz_did *find_did(u64 token, u32 did)
{
	struct fuzz_did *each;

	list_for_each_entry(each, &the_world->dids, list)
		if (each->unit->token == token && each->did == did)
			return each;
	return NULL;
}

static int reserve_did(u64 token, u32 did)
{
	struct fuzz_unit *unit = find_unit(token);
	struct fuzz_did *reserved;
	int error;

	expect(!find_did(token, did));
	if (!unit)
		return -ENOSPC;
	reserved = kzalloc_obj(*reserved);
	if (!reserved)
		return -ENOMEM;
	error = ida_alloc_range(&unit->dids, did, did, GFP_KERNEL);
	if (error < 0) {
		kfree(reserved);
		return error;
	}
	reserved->unit = unit;
	reserved->did = did;
	list_add(&reserved->list, &the_world->dids);
	the_world->nr_dids++;
	return 0;
}

static void free_did(struct fuzz_did *reserved)
{
	ida_free(&reserved->unit->dids, reserved->did);
	list_del(&reserved->list);
	kfree(reserved);
	the_world->nr_dids--;
}

static void release_did(u64 token, u32 did)
{
	struct fuzz_did *reserved = find_did(token, did);

	expect(reserved && !reserved->holder);
	if (reserved)
		free_did(reserved);
}

/* What the records say is what there is. */
static int describe_real_unit(u64 token, struct iommuser_unit *unit)
{
	union iommuser_record record;
	u64 position;

	if (iommuser_graph_find_iommu(&the_world->incoming->machine.graph, token, &position) ||
	    iommuser_restore_read(&the_world->incoming->machine, IOMMUSER_KIND_IOMMU, position,
				  &record))
		return -ENOENT;
	unit->token = token;
	unit->cap = record.iommu.cap;
	unit->ecap = record.iommu.ecap;
	unit->host_address_width = record.iommu.host_address_width;
	unit->mode = record.iommu.mode;
	return 0;
}

/* Restored domains */

static void domain_free(struct iommu_domain *domain)
{
	struct fuzz_domain *freed = container_of(domain, struct fuzz_domain, domain);
	struct iommu_incoming *incoming = the_world->incoming;
	struct fuzz_did *each, *next;

	list_for_each_entry_safe(each, next, &the_world->dids, list)
		if (each->holder == domain)
			free_did(each);
	iommu_incoming_pages_free(&incoming->pages,
				  IOMMU_INCOMING_TAG(IOMMUSER_KIND_DOMAIN, freed->position),
				  incoming->domains[freed->position].nr_pages);
	kfree(freed);
}

static const struct iommu_domain_ops fuzz_domain_ops = {
	.free = domain_free,
};

static struct iommu_domain *restore_domain(struct device *dev,
					   const struct iommuser_domain *record)
{
	const struct iommu_incoming_domain *entry =
		container_of(record, struct iommu_incoming_domain, record);
	struct fuzz_domain *domain = kzalloc_obj(*domain);

	if (!domain)
		return ERR_PTR(-ENOMEM);
	domain->domain.ops = &fuzz_domain_ops;
	domain->position = entry - the_world->incoming->domains;
	return &domain->domain;
}

static int hold_did(struct iommu_domain *domain, u64 token, u32 did)
{
	struct fuzz_did *reserved = find_did(token, did);

	expect(reserved && (!reserved->holder || reserved->holder == domain));
	if (!reserved)
		return -EINVAL;
	reserved->holder = domain;
	return 0;
}

static int spend_domain(struct iommu_domain *domain, bool spent)
{
	return 0;
}

static void abandon_domain(struct iommu_domain *domain)
{
}

static void block_pasid(struct device *dev, u32 pasid)
{
}

static void clear_entry(u64 token, const struct iommuser_device *device,
			const struct iommuser_domain *domain)
{
	/* Nothing that the entry leads to was freed before. */
	expect(iommu_incoming_map(&the_world->incoming->pages, domain->top_table, PAGE_SIZE));
}

static const struct iommu_liveupdate_ops fuzz_driver = {
	.describe_real_unit = describe_real_unit,
	.reserve_did = reserve_did,
	.release_did = release_did,
	.restore_domain = restore_domain,
	.hold_did = hold_did,
	.spend_domain = spend_domain,
	.abandon_domain = abandon_domain,
	.block_pasid = block_pasid,
	.clear_entry = clear_entry,
};

/* A world */

static void mark_blocks(const struct iommu_fuzz_input *input)
{
	const struct iommu_fuzz_block *block = input->blocks;
	phys_addr_t head;
	u32 i;

	for (i = 0; i < input->header->nr_blocks; i++, block++) {
		set_page_private(the_world->window + block->frame, KHO_MARK | block->order);
		expect(kho_preserved_block(the_world->base + block->frame * PAGE_SIZE, &head) ==
		       block->order);
	}
}

static int world_begin(const struct iommu_fuzz_input *input, u64 root, bool counted)
{
	struct fuzz_world *world = the_world;

	memset(world, 0, sizeof(*world));
	INIT_LIST_HEAD(&world->dids);
	world->counted = counted;
	/* Movable: what is freed of it is not taken for slabs, which would stay. */
	world->window = alloc_pages(GFP_KERNEL | __GFP_MOVABLE | __GFP_ZERO | __GFP_RETRY_MAYFAIL,
				    WINDOW_ORDER);
	if (!world->window)
		return -ENOMEM;
	split_page(world->window, WINDOW_ORDER);
	world->base = page_to_phys(world->window);
	world->incoming = iommu_incoming_new(world->base + root, &fuzz_host);
	if (!world->incoming) {
		for (unsigned int i = 0; i < IOMMU_FUZZ_FRAMES; i++)
			__free_page(world->window + i);
		return -ENOMEM;
	}
	world->incoming->report.quiet = true;
	iommu_fuzz_place(input, page_address(world->window), world->base,
			 &world->incoming->env);
	mark_blocks(input);
	return 0;
}

/* Tables that are nobody's, or stay with units, which are not there. */
static void free_taken(struct iommu_incoming_pages *pages)
{
	unsigned long pfn, next = 0;
	struct folio *folio;
	void *entry;

	xa_for_each(&pages->taken, pfn, entry) {
		if (pfn < next)
			continue;
		folio = page_folio(pfn_to_page(pfn));
		expect(pfn == folio_pfn(folio));
		next = pfn + folio_nr_pages(folio);
		if (the_world->counted)
			expect(folio_ref_count(folio) == 2);
		iommu_liveupdate_account_pages(folio, -folio_nr_pages(folio));
		folio_put(folio);
	}
}

/* With counted pages, whatever was restored must have been freed by now. */
static void free_window(void)
{
	struct page *page = the_world->window;
	struct folio *folio;
	unsigned int i;

	for (i = 0; i < IOMMU_FUZZ_FRAMES; i++, page++) {
		if (!test_bit(i, the_world->restored)) {
			expect(page_ref_count(page) == 1);
			set_page_private(page, 0);
			__free_page(page);
		} else if (the_world->counted) {
			folio = page_folio(page);
			i += folio_nr_pages(folio) - 1;
			page += folio_nr_pages(folio) - 1;
			expect(folio_ref_count(folio) == 1);
			folio_put(folio);
		}
	}
}

static void world_end(void)
{
	struct fuzz_did *each, *next;

	free_taken(&the_world->incoming->pages);
	iommu_incoming_free(the_world->incoming);
	the_world->incoming = NULL;
	free_window();
	list_for_each_entry_safe(each, next, &the_world->dids, list)
		free_did(each);
}

/* Step by step: the host of iommu_fuzz_drive() */

static void *fuzz_alloc(u64 size)
{
	return size && size <= SZ_1G ? kvzalloc(size, GFP_KERNEL) : NULL;
}

static void fuzz_free(void *memory)
{
	kvfree(memory);
}

static struct iommuser_pageset *fuzz_set_new(void *ctx)
{
	struct iommuser_pageset *set = iommu_incoming_set_build(&fuzz_host);

	return IS_ERR(set) ? NULL : set;
}

static void fuzz_claiming(void *ctx, u32 kind, u64 position)
{
	the_world->incoming->pages.tag = IOMMU_INCOMING_TAG(kind, position);
}

static void fuzz_ending(void *ctx, bool ending)
{
	the_world->incoming->pages.ending = ending;
	the_world->incoming->pages.last_pfn = 0;
}

static void fuzz_release_page(void *ctx, u64 phys, u64 length)
{
	iommu_incoming_release_page(ctx, phys, length);
	the_world->incoming->pages.last_pfn = 0;
}

static u64 fuzz_nr_pages(void *ctx)
{
	return the_world->incoming->pages.nr_used;
}

static u64 fuzz_nr_dids(void *ctx)
{
	return the_world->nr_dids;
}

static int drive(const struct iommu_fuzz_input *input, struct iommu_fuzz_outcome *outcome)
{
	struct iommuser_restore_ops ops = the_world->incoming->restore_ops;
	const struct iommu_fuzz_host host = {
		.env = &the_world->incoming->env,
		.ops = &ops,
		.alloc = fuzz_alloc,
		.free = fuzz_free,
		.set_new = fuzz_set_new,
		.set_free = iommu_incoming_set_free,
		.claiming = fuzz_claiming,
		.ending = fuzz_ending,
		.nr_pages = fuzz_nr_pages,
		.nr_dids = fuzz_nr_dids,
	};

	the_world->incoming->ops = &fuzz_driver;
	ops.release_page = fuzz_release_page;
	return iommu_fuzz_drive(input, &host, the_world->base, outcome);
}

/* How large a set is, which depends on the memory of the machine. */
static int count_chunks(u64 *chunks)
{
	struct iommuser_pageset *set = fuzz_set_new(NULL);

	if (!set)
		return -ENOMEM;
	*chunks = set->max_chunks;
	iommu_incoming_set_free(set);
	return 0;
}

static int run_steps(const struct iommu_fuzz_input *input)
{
	struct iommu_fuzz_outcome outcome;
	u64 chunks = 0, base;
	int error, used;

	error = world_begin(input, input->header->root, false);
	if (error)
		return error;
	base = the_world->base;
	error = count_chunks(&chunks);
	if (!error)
		error = drive(input, &outcome);
	world_end();
	if (error)
		return -ENOMEM;
	used = scnprintf(fuzz_text, TEXT_SIZE, "library base=%llx chunks=%llu broken=%u\n", base,
			 chunks, the_world->broken);
	iommu_fuzz_print(&outcome, fuzz_text + used, TEXT_SIZE - used);
	return 0;
}

/* As a whole: what the core does at boot and after it */

static const struct iommu_ops fuzz_iommu_ops = {};

/* What it takes to be the domain that a device was moved to. */
static const struct iommu_domain elsewhere;

static void expect_nothing_held(const struct iommu_incoming *incoming)
{
	expect(!the_world->nr_dids);
	expect(!incoming->pages.nr_used);
	expect(!incoming->claimed && !incoming->memory && !incoming->set && !incoming->devices);
}

/*
 * A device is found, and put on its domain; then its iommufd comes. False: there
 * was no memory for that.
 */
static bool appear(struct iommu_incoming *incoming, struct iommu_incoming_device *device)
{
	struct iommu_domain *domain;

	guard(mutex)(&iommu_incoming_lock);
	domain = iommu_incoming_domain_get(incoming, device, fuzz_device);
	if (IS_ERR(domain)) {
		expect(PTR_ERR(domain) == -ENOMEM);
		return false;
	}
	device->adopted = 1;
	device->state = IOMMU_INCOMING_RUNNING;
	device->dev = fuzz_device;
	iommu_incoming_own(device);
	expect(iommu_incoming_hand_over(device, device->iommufd));
	return true;
}

/* With all devices there, it can be had; but one that none uses was not made. */
static void take_domain(struct iommu_incoming *incoming, struct iommu_incoming_domain *entry,
			bool complete)
{
	struct iommu_domain *domain;

	guard(mutex)(&iommu_incoming_lock);
	domain = iommu_incoming_take(incoming, entry->iommufd, entry->hwpt_token);
	if (IS_ERR(domain))
		expect(!complete || !entry->domain);
	else
		expect(domain == entry->domain);
}

/* A device, and its PASIDs, are moved to another domain, and its tables are the driver's. */
static void move_away(struct iommu_incoming *incoming, struct iommu_incoming_device *device)
{
	u64 position = device - incoming->devices;
	struct iommu_domain *unused;

	scoped_guard(mutex, &iommu_incoming_lock) {
		iommu_incoming_block_pasids(incoming, device, fuzz_device);
		unused = iommu_incoming_moved(incoming, device, &elsewhere);
		expect(device->state == IOMMU_INCOMING_LEFT);
	}
	if (unused)
		iommu_domain_free(unused);
	iommu_incoming_pages_free(&incoming->pages,
				  IOMMU_INCOMING_TAG(IOMMUSER_KIND_DEVICE, position),
				  device->nr_pages);
}

/* As the iommufd does when its HWPT is destroyed. */
static void give_up_domain(struct iommu_incoming *incoming, struct iommu_incoming_domain *entry)
{
	struct iommu_domain *domain = entry->domain;

	/* It is kept when devices never came for it. */
	scoped_guard(mutex, &iommu_incoming_lock) {
		if (!entry->taken || iommu_incoming_keep(incoming, domain))
			return;
	}
	domain_free(domain);
}

static void free_unused(struct iommu_incoming *incoming)
{
	struct iommu_domain *unused;

	while ((unused = iommu_incoming_next_unused(incoming)))
		iommu_domain_free(unused);
}

static void hand_over(struct iommu_incoming *incoming)
{
	struct iommu_incoming_iommufd *iommufd;
	bool complete = true;
	u64 i;

	for (i = 0; i < incoming->nr_iommufds; i++) {
		iommufd = &incoming->iommufds[i];
		scoped_guard(mutex, &iommu_incoming_lock)
			expect(!iommu_incoming_retrieved(incoming, iommufd->key, iommufd));
	}
	for (i = 0; i < incoming->nr_devices; i++)
		if (incoming->devices[i].state == IOMMU_INCOMING_CLAIMED)
			complete &= appear(incoming, &incoming->devices[i]);
	for (i = 0; i < incoming->nr_domains; i++)
		if (incoming->domains[i].live && incoming->domains[i].iommufd)
			take_domain(incoming, &incoming->domains[i], complete);
	for (i = 0; i < incoming->nr_devices; i++)
		if (incoming->devices[i].state == IOMMU_INCOMING_HANDED_OVER)
			move_away(incoming, &incoming->devices[i]);
	free_unused(incoming);
	for (i = 0; complete && i < incoming->nr_iommufds; i++)
		scoped_guard(mutex, &iommu_incoming_lock)
			expect(iommu_incoming_left(incoming, incoming->iommufds[i].key));
	for (i = 0; i < incoming->nr_domains; i++)
		give_up_domain(incoming, &incoming->domains[i]);
}

/* The list of its pages, as debugfs "incoming" makes it. */
static int list_pages(struct iommu_incoming *incoming)
{
	const struct iommu_ikho_origin origin = {
		.origin = "incoming",
		.root = incoming->root,
		.env = &incoming->env,
	};
	struct iommu_ikho_stream *stream = iommu_ikho_open(&origin);

	if (IS_ERR(stream))
		return PTR_ERR(stream);
	iommu_ikho_close(stream);
	return 0;
}

static int finish(struct iommu_incoming *incoming)
{
	int error;

	iommu_incoming_abandon_all(incoming);
	free_unused(incoming);
	expect(!the_world->nr_dids);
	scoped_guard(mutex, &iommu_incoming_lock)
		error = iommu_incoming_end(incoming);
	expect(!incoming->nr_owned);
	return error;
}

static int run_core(const struct iommu_fuzz_input *input)
{
	bool abandon = input->header->options & IOMMU_FUZZ_ABANDON;
	struct iommu_incoming *incoming;
	int claimed, stream, ended = 0;
	int error, used;
	u64 base;

	error = world_begin(input, input->header->root, true);
	if (error)
		return error;
	base = the_world->base;
	incoming = the_world->incoming;
	claimed = iommu_incoming_claim(incoming, &fuzz_driver, input->header->level);
	if (claimed)
		expect_nothing_held(incoming);
	stream = list_pages(incoming);
	if (!claimed) {
		if (!abandon)
			hand_over(incoming);
		ended = finish(incoming);
	}
	used = strlen(fuzz_text);
	used += scnprintf(fuzz_text + used, TEXT_SIZE - used,
			  "core base=%llx error=%d step=\"%s\" first=%s errors=%u stream=%d",
			  base, claimed, incoming->step, incoming->report.code[0] ?
			  incoming->report.code : "none", incoming->report.nr_errors, stream);
	used += scnprintf(fuzz_text + used, TEXT_SIZE - used, " abandoned=%d finish=%d",
			  abandon, ended);
	world_end();
	scnprintf(fuzz_text + used, TEXT_SIZE - used, " broken=%u\n", the_world->broken);
	return 0;
}

/* debugfs */

static int run(const void *bytes, size_t length)
{
	struct iommu_fuzz_input input;
	int error;

	if (!is_kho_boot())
		return -EOPNOTSUPP;
	if (iommu_fuzz_parse(&input, bytes, length))
		return -EINVAL;
	error = run_steps(&input);
	return error ?: run_core(&input);
}

static ssize_t fuzz_write(struct file *file, const char __user *from, size_t count, loff_t *pos)
{
	void *bytes;
	int error;

	if (!count || count > MAX_LENGTH)
		return -EINVAL;
	bytes = vmemdup_user(from, count);
	if (IS_ERR(bytes))
		return PTR_ERR(bytes);
	scoped_guard(mutex, &fuzz_lock) {
		fuzz_text[0] = 0;
		error = run(bytes, count);
	}
	kvfree(bytes);
	return error ?: count;
}

static ssize_t fuzz_read(struct file *file, char __user *to, size_t count, loff_t *pos)
{
	guard(mutex)(&fuzz_lock);
	return simple_read_from_buffer(to, count, pos, fuzz_text, strlen(fuzz_text));
}

static const struct file_operations fuzz_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = fuzz_write,
	.read = fuzz_read,
	.llseek = default_llseek,
};

static int __init fuzz_init(void)
{
	static struct iommu_device iommu = { .ops = &fuzz_iommu_ops };
	static struct dev_iommu param = { .iommu_dev = &iommu };
	static struct fuzz_world world;

	fuzz_device = root_device_register("iommu-liveupdate-fuzz");
	if (IS_ERR(fuzz_device))
		return PTR_ERR(fuzz_device);
	fuzz_device->iommu = &param;
	the_world = &world;
	debugfs_create_file("fuzz", 0600, iommu_liveupdate_debugfs, NULL, &fuzz_fops);
	return 0;
}

/* The directory is there since fs_initcall. */
device_initcall(fuzz_init);
