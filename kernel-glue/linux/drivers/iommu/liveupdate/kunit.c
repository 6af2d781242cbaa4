// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite "iommu-liveupdate": handovers made by the library's own writer in
 * ordinary pages, taken over by this kernel's glue through a host and a driver
 * that the tests provide.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include <iommuser/error.h>
#include <iommuser/preserve.h>
#include <iommuser/writer.h>
#include <kho/abi/iommuser.h>

#include "../iommu-pages.h"
#include "../iommu-priv.h"
#include "incoming.h"
#include "internal.h"

#define LEGACY_TOKEN 0xfed90000ULL
#define SCALABLE_TOKEN 0xfed91000ULL
/* 65536 domain ids, and bits that say nothing here. */
#define TEST_CAP 0x00d2008c40660406ULL
#define TEST_ECAP 0x0000000000f050daULL
#define TEST_WIDTH 39
#define TEST_DID 7
#define LEGACY_BDF 0x0020
#define SECOND_BDF 0x0028
#define SCALABLE_BDF 0x0030
#define IOMMUFD_DATA 0x100000
#define HWPT_TOKEN 3
/* PDTS of a directory of two pages. */
#define DIRECTORY_SIZE 3
#define MAX_PAGES 64
#define NO_FAILURE UINT_MAX

/* A run of pages that a test allocated. */
struct world_pages {
	struct page *page;
	unsigned int order;
};

/**
 * struct world - memory, units and devices before and after a jump
 * @test: whose world it is
 * @pages: everything allocated
 * @nr_pages: elements of @pages
 * @preserved: first page frame to order of each preserved block
 * @writer: makes the records
 * @preserve: on top of @writer
 * @own: how live tables are read
 * @page_ops: where records go
 * @preserve_ops: how tables are preserved
 * @domain: second-stage, of all devices
 * @hwpt: of @domain
 * @legacy: unit of two devices
 * @scalable: unit of the third
 * @devices: the three
 * @payload: page that is mapped
 * @leaf_table: lowest table
 * @directory: of the device in scalable mode
 * @tables: page tables, from the top
 * @root: of the handover
 * @incoming: the handover in the next kernel
 * @fail_at: number of the call that fails, NO_FAILURE for none
 * @nr_calls: calls so far
 * @nr_dids: reserved
 * @cap: what the real units have
 * @nr_domains_freed: restored domains that were freed
 * @nr_held: calls to hold a domain id
 * @nr_cleared: hardware entries that were cleared
 * @busy: something is attached to restored domains
 * @spent: nothing can be attached to restored domains
 */
struct world {
	struct kunit *test;
	struct world_pages pages[MAX_PAGES];
	unsigned int nr_pages;
	struct xarray preserved;
	struct iommuser_writer writer;
	struct iommuser_preserve preserve;
	struct iommuser_env own;
	struct iommuser_page_ops page_ops;
	struct iommuser_preserve_ops preserve_ops;
	struct iommuser_preserved domain;
	struct iommuser_preserved hwpt;
	struct iommuser_preserved legacy;
	struct iommuser_preserved scalable;
	struct iommuser_preserved_device devices[3];
	u64 payload;
	u64 leaf_table;
	u64 directory;
	u64 tables[3];
	u64 root;
	struct iommu_incoming *incoming;
	unsigned int fail_at;
	unsigned int nr_calls;
	int nr_dids;
	u64 cap;
	unsigned int nr_domains_freed;
	unsigned int nr_held;
	unsigned int nr_cleared;
	bool busy;
	bool spent;
};

/* What the callbacks that get no context work on; one test runs at a time. */
static struct world *the_world;

/* Memory */

static u64 world_alloc(struct world *world, unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_COMP, order);

	KUNIT_ASSERT_NOT_NULL(world->test, page);
	KUNIT_ASSERT_LT(world->test, world->nr_pages, MAX_PAGES);
	world->pages[world->nr_pages++] = (struct world_pages) { page, order };
	return page_to_phys(page);
}

static void put(u64 phys, u64 value)
{
	*(u64 *)phys_to_virt(phys) = value;
}

static void mark_preserved(struct world *world, u64 phys, unsigned int order)
{
	KUNIT_ASSERT_FALSE(world->test,
			   xa_is_err(xa_store(&world->preserved, PHYS_PFN(phys), xa_mk_value(order),
					      GFP_KERNEL)));
}

static const void *own_map(void *ctx, u64 phys, u64 length)
{
	struct world *world = ctx;
	unsigned int i;

	for (i = 0; i < world->nr_pages; i++)
		if (phys - page_to_phys(world->pages[i].page) < PAGE_SIZE << world->pages[i].order)
			return phys_to_virt(phys);
	return NULL;
}

static void *record_page_alloc(void *ctx, u64 *phys)
{
	struct world *world = ctx;

	*phys = world_alloc(world, 0);
	mark_preserved(world, *phys, 0);
	return phys_to_virt(*phys);
}

static void record_page_free(void *ctx, u64 phys)
{
	struct world *world = ctx;

	xa_erase(&world->preserved, PHYS_PFN(phys));
}

static void *record_page_find(void *ctx, u64 phys)
{
	return phys_to_virt(phys);
}

static int table_preserve(void *ctx, u64 phys)
{
	struct folio *folio = page_folio(phys_to_page(phys));

	if (phys == PFN_PHYS(folio_pfn(folio)))
		mark_preserved(ctx, phys, folio_order(folio));
	return 0;
}

static void table_unpreserve(void *ctx, u64 phys)
{
	record_page_free(ctx, phys);
}

/* The host of the next kernel */

static bool call_fails(void)
{
	return the_world->nr_calls++ == the_world->fail_at;
}

static int fake_preserved_block(phys_addr_t phys, phys_addr_t *head)
{
	unsigned long pfn = PHYS_PFN(phys);
	unsigned int order;

	for (order = 0; order <= MAX_PAGE_ORDER; order++) {
		if (xa_load(&the_world->preserved, pfn & ~(BIT(order) - 1)) != xa_mk_value(order))
			continue;
		*head = PFN_PHYS(pfn & ~(BIT(order) - 1));
		return order;
	}
	return -ENOENT;
}

static unsigned long fake_next_preserved(unsigned long pfn, unsigned long end,
					 unsigned int *order)
{
	unsigned long at = pfn;
	void *entry;

	if (pfn >= end)
		return end;
	entry = xa_find(&the_world->preserved, &at, end - 1, XA_PRESENT);
	if (!entry)
		return end;
	*order = xa_to_value(entry);
	return at;
}

static struct folio *fake_restore_folio(phys_addr_t phys)
{
	struct folio *folio;

	if (call_fails() || !xa_erase(&the_world->preserved, PHYS_PFN(phys)))
		return NULL;
	folio = page_folio(phys_to_page(phys));
	folio_get(folio);
	return folio;
}

static unsigned long fake_nr_pfns(void)
{
	unsigned long end = 0;
	unsigned int i;

	for (i = 0; i < the_world->nr_pages; i++)
		end = max(end, page_to_pfn(the_world->pages[i].page) +
			       BIT(the_world->pages[i].order));
	return end;
}

static struct iommu_incoming_device *device_of(struct iommu_incoming *incoming,
					       struct device *dev)
{
	u64 i;

	for (i = 0; i < incoming->nr_devices; i++)
		if (incoming->devices[i].dev == dev)
			return &incoming->devices[i];
	return NULL;
}

/* What it takes to be the domain that a device was moved to. */
static const struct iommu_domain elsewhere;

/* Have a device leave, as the core does when it attaches another domain. */
static void move_away(struct world *world, u64 i)
{
	struct iommu_domain *unused;

	scoped_guard(mutex, &iommu_incoming_lock)
		unused = iommu_incoming_moved(world->incoming, &world->incoming->devices[i],
					      &elsewhere);
	if (unused)
		iommu_domain_free(unused);
}

/* Take the group of a device from its owner, whose device is blocked. */
static void release_group(struct world *world, u64 i)
{
	struct iommu_domain *unused;

	scoped_guard(mutex, &iommu_incoming_lock)
		unused = iommu_incoming_release(&world->incoming->devices[i]);
	if (unused)
		iommu_domain_free(unused);
}

static void fake_abandon_group(struct iommu_group *group, struct device *dev)
{
	struct iommu_incoming_device *device = device_of(the_world->incoming, dev);
	bool owned;
	u64 i;

	/* Devices of the machine that the test runs on. */
	if (!device)
		return;
	KUNIT_EXPECT_TRUE(the_world->test, device->iommufd->abandoned);
	i = device - the_world->incoming->devices;
	scoped_guard(mutex, &iommu_incoming_lock)
		owned = iommu_incoming_owned_device(device->owner);
	move_away(the_world, i);
	if (owned)
		release_group(the_world, i);
}

static const struct iommu_incoming_host fake_host = {
	.preserved_block = fake_preserved_block,
	.next_preserved = fake_next_preserved,
	.restore_folio = fake_restore_folio,
	.nr_pfns = fake_nr_pfns,
	.abandon_group = fake_abandon_group,
};

/* The driver of the next kernel */

static int fake_describe_real_unit(u64 token, struct iommuser_unit *unit)
{
	if (call_fails())
		return -ENOENT;
	unit->token = token;
	unit->cap = the_world->cap;
	unit->ecap = TEST_ECAP;
	unit->host_address_width = TEST_WIDTH;
	unit->mode = token == SCALABLE_TOKEN ? IOMMUSER_IOMMU_MODE_SCALABLE :
					       IOMMUSER_IOMMU_MODE_LEGACY;
	return 0;
}

static int fake_reserve_did(u64 token, u32 did)
{
	if (call_fails())
		return -ENOSPC;
	the_world->nr_dids++;
	return 0;
}

static void fake_release_did(u64 token, u32 did)
{
	the_world->nr_dids--;
}

/* Free a table that left KHO's care. */
static void free_table(u64 phys)
{
	iommu_free_pages(phys_to_virt(phys));
}

static void fake_domain_free(struct iommu_domain *domain)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(the_world->tables); i++)
		free_table(the_world->tables[i]);
	the_world->nr_domains_freed++;
	kfree(domain);
}

static const struct iommu_domain_ops fake_domain_ops = {
	.free = fake_domain_free,
};

static struct iommu_domain *fake_restore_domain(struct device *dev,
						const struct iommuser_domain *record)
{
	struct iommu_domain *domain;

	if (call_fails())
		return ERR_PTR(-ENOMEM);
	domain = kzalloc_obj(*domain);
	if (domain)
		domain->ops = &fake_domain_ops;
	return domain;
}

static int fake_hold_did(struct iommu_domain *domain, u64 token, u32 did)
{
	if (call_fails())
		return -ENOMEM;
	the_world->nr_held++;
	return 0;
}

static int fake_spend_domain(struct iommu_domain *domain, bool spent)
{
	if (spent && the_world->busy)
		return -EBUSY;
	the_world->spent = spent;
	return 0;
}

static void fake_abandon_domain(struct iommu_domain *domain)
{
	the_world->spent = true;
}

static void fake_clear_entry(u64 token, const struct iommuser_device *device,
			     const struct iommuser_domain *domain)
{
	KUNIT_EXPECT_EQ(the_world->test, TEST_DID, device->did);
	KUNIT_EXPECT_EQ(the_world->test, the_world->tables[0], domain->top_table);
	KUNIT_EXPECT_EQ(the_world->test, token,
			device->bdf == SCALABLE_BDF ? SCALABLE_TOKEN : LEGACY_TOKEN);
	/* Nothing that the entry leads to was freed before. */
	KUNIT_EXPECT_EQ(the_world->test, 2, page_count(phys_to_page(the_world->tables[0])));
	the_world->nr_cleared++;
}

static const struct iommu_liveupdate_ops fake_driver = {
	.describe_real_unit = fake_describe_real_unit,
	.reserve_did = fake_reserve_did,
	.release_did = fake_release_did,
	.restore_domain = fake_restore_domain,
	.hold_did = fake_hold_did,
	.spend_domain = fake_spend_domain,
	.abandon_domain = fake_abandon_domain,
	.clear_entry = fake_clear_entry,
};

/* The kernel before */

static struct iommuser_iommu unit_record(struct world *world, bool scalable)
{
	return (struct iommuser_iommu) {
		.type = IOMMUSER_IOMMU_TYPE_INTEL,
		.token = scalable ? SCALABLE_TOKEN : LEGACY_TOKEN,
		.mode = scalable ? IOMMUSER_IOMMU_MODE_SCALABLE : IOMMUSER_IOMMU_MODE_LEGACY,
		.host_address_width = TEST_WIDTH,
		.root_table = world_alloc(world, 0),
		.cap = TEST_CAP,
		.ecap = TEST_ECAP,
		.first_did = 2,
		.did_limit = 65536,
	};
}

/* A table of three levels that maps one page at 0. */
static void make_domain(struct world *world, unsigned int leaf_order)
{
	struct iommuser_domain record = {
		.stage = IOMMUSER_STAGE_SECOND,
		.format = IOMMUSER_FORMAT_VTD_SECOND_STAGE,
		.top_level = 2,
		.input_width = 39,
		.output_width = TEST_WIDTH,
	};
	u64 middle = world_alloc(world, 0);

	record.top_table = world_alloc(world, 0);
	world->leaf_table = world_alloc(world, leaf_order);
	world->tables[0] = record.top_table;
	world->tables[1] = middle;
	world->tables[2] = world->leaf_table;
	world->payload = world_alloc(world, 0);
	mark_preserved(world, world->payload, 0);
	put(record.top_table, middle | 3);
	put(middle, world->leaf_table | 3);
	put(world->leaf_table, world->payload | 3);
	KUNIT_ASSERT_EQ(world->test, 0,
			iommuser_preserve_domain(&world->preserve, &record, MAX_PAGES,
						 &world->domain));
	KUNIT_ASSERT_EQ(world->test, 0,
			iommuser_preserve_hwpt(&world->preserve, &world->domain, IOMMUFD_DATA,
					       HWPT_TOKEN, &world->hwpt));
}

static void make_device(struct world *world, unsigned int i, u32 bdf,
			const struct iommuser_iommu *unit, struct iommuser_preserved *handle,
			u64 pasid_directory)
{
	const struct iommuser_device_request request = {
		.device = {
			.bdf = bdf,
			.owner_token = IOMMUFD_DATA,
			.group_size = 1,
			.pasid_directory = pasid_directory,
			.pasid_entries = pasid_directory ? 64 << (DIRECTORY_SIZE + 7) : 0,
		},
		.did = TEST_DID,
	};

	KUNIT_ASSERT_EQ(world->test, 0,
			iommuser_preserve_device(&world->preserve, &request, unit, handle,
						 &world->domain, &world->devices[i]));
}

static void make_legacy_unit(struct world *world)
{
	struct iommuser_iommu unit = unit_record(world, false);
	u64 context = world_alloc(world, 0);
	u64 top = world->domain.record.domain.top_table;

	put(unit.root_table, context | 1);
	unit.context_tables[0] = 1;
	put(context + LEGACY_BDF * 16, top | 1);
	put(context + LEGACY_BDF * 16 + 8, 1 | TEST_DID << 8);
	put(context + SECOND_BDF * 16, top | 1);
	put(context + SECOND_BDF * 16 + 8, 1 | TEST_DID << 8);
	make_device(world, 0, LEGACY_BDF, &unit, &world->legacy, 0);
	make_device(world, 1, SECOND_BDF, &unit, &world->legacy, 0);
}

static void make_scalable_unit(struct world *world)
{
	struct iommuser_iommu unit = unit_record(world, true);
	u64 context = world_alloc(world, 0);
	u64 directory = world_alloc(world, 1);
	u64 table = world_alloc(world, 0);

	world->directory = directory;
	put(unit.root_table, context | 1);
	unit.context_tables[0] = 1;
	put(context + SCALABLE_BDF * 32, directory | 1 | DIRECTORY_SIZE << 9);
	put(directory, table | 1);
	put(table, world->domain.record.domain.top_table | 1 | 2 << 6 | 1 << 2);
	put(table + 8, TEST_DID);
	make_device(world, 2, SCALABLE_BDF, &unit, &world->scalable, directory);
}

static struct world *world_new(struct kunit *test, unsigned int leaf_order)
{
	struct world *world = kunit_kzalloc(test, sizeof(*world), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, world);
	the_world = world;
	world->test = test;
	xa_init(&world->preserved);
	world->cap = TEST_CAP;
	world->fail_at = NO_FAILURE;
	world->own = iommu_liveupdate_own_memory;
	world->own.ctx = world;
	world->own.map = own_map;
	world->page_ops = (struct iommuser_page_ops) {
		.ctx = world,
		.alloc = record_page_alloc,
		.free = record_page_free,
		.find = record_page_find,
	};
	world->preserve_ops = (struct iommuser_preserve_ops) {
		.ctx = world,
		.preserve_page = table_preserve,
		.unpreserve_page = table_unpreserve,
	};
	world->preserve.writer = &world->writer;
	world->preserve.tables = &world->own;
	world->preserve.ops = &world->preserve_ops;
	KUNIT_ASSERT_EQ(test, 0,
			iommuser_writer_start(&world->writer, &world->own, &world->page_ops, 1,
					      "kunit"));
	world->root = iommuser_writer_root(&world->writer);
	make_domain(world, leaf_order);
	make_legacy_unit(world);
	make_scalable_unit(world);
	return world;
}

static void world_jump(struct world *world)
{
	world->incoming = iommu_incoming_new(world->root, &fake_host);
	KUNIT_ASSERT_NOT_NULL(world->test, world->incoming);
	world->incoming->report.quiet = true;
}

static int world_claim(struct world *world, enum iommuser_restore_level level)
{
	world->nr_calls = 0;
	memset(&world->incoming->report, 0, sizeof(world->incoming->report));
	world->incoming->report.quiet = true;
	return iommu_incoming_claim(world->incoming, &fake_driver, level);
}

/* Pages that left KHO's care become the test's again, and uncounted. */
static void drop_tables(struct world *world)
{
	struct folio *folio;
	unsigned long pfn;
	void *entry;

	xa_for_each(&world->incoming->pages.taken, pfn, entry) {
		/* Freed by who had it. */
		if (!iommu_incoming_map(&world->incoming->pages, PFN_PHYS(pfn), 1))
			continue;
		folio = page_folio(pfn_to_page(pfn));
		iommu_liveupdate_account_pages(folio, -1);
		if (pfn == folio_pfn(folio))
			folio_put(folio);
	}
}

/* @incoming was freed, or is freed here; every page has one reference left. */
static void world_free(struct world *world)
{
	unsigned int i;

	if (world->incoming) {
		drop_tables(world);
		iommu_incoming_free(world->incoming);
	}
	for (i = 0; i < world->nr_pages; i++) {
		KUNIT_EXPECT_EQ(world->test, 1, page_count(world->pages[i].page));
		__free_pages(world->pages[i].page, world->pages[i].order);
	}
	xa_destroy(&world->preserved);
	the_world = NULL;
	kunit_kfree(world->test, world);
}

static void expect_nothing_held(struct world *world)
{
	struct iommu_incoming *incoming = world->incoming;
	unsigned long pfn;
	void *entry;

	KUNIT_EXPECT_EQ(world->test, 0, world->nr_dids);
	KUNIT_EXPECT_EQ(world->test, 0, incoming->pages.nr_used);
	KUNIT_EXPECT_FALSE(world->test, incoming->claimed);
	KUNIT_EXPECT_NULL(world->test, incoming->memory);
	KUNIT_EXPECT_NULL(world->test, incoming->set);
	KUNIT_EXPECT_NULL(world->test, incoming->devices);
	/* Put aside: out of KHO's care, allocated, and not free. */
	xa_for_each(&incoming->pages.taken, pfn, entry)
		KUNIT_EXPECT_EQ(world->test, 2,
				folio_ref_count(page_folio(pfn_to_page(pfn))));
}

/* Tests */

static void test_crc(struct kunit *test)
{
	const char *text = "123456789";
	u32 crc = iommu_liveupdate_crc32(NULL, 0, text, 9);

	KUNIT_EXPECT_EQ(test, 0xcbf43926, crc);
	KUNIT_EXPECT_EQ(test, 0, iommu_liveupdate_crc32(NULL, 0, text, 0));
	crc = iommu_liveupdate_crc32(NULL, 0, text, 4);
	KUNIT_EXPECT_EQ(test, 0xcbf43926, iommu_liveupdate_crc32(NULL, crc, text + 4, 5));
}

static void test_parameters(struct kunit *test)
{
	enum iommu_incoming_on_error on_error = IOMMU_INCOMING_BLOCK;
	enum iommuser_restore_level level = IOMMUSER_LEVEL_CLOSURE;

	KUNIT_EXPECT_EQ(test, 0, iommu_incoming_parse_on_error("panic", &on_error));
	KUNIT_EXPECT_EQ(test, IOMMU_INCOMING_PANIC, on_error);
	KUNIT_EXPECT_EQ(test, 0, iommu_incoming_parse_on_error("block", &on_error));
	KUNIT_EXPECT_EQ(test, IOMMU_INCOMING_BLOCK, on_error);
	KUNIT_EXPECT_EQ(test, -EINVAL, iommu_incoming_parse_on_error("panic ", &on_error));
	KUNIT_EXPECT_EQ(test, -EINVAL, iommu_incoming_parse_on_error("", &on_error));
	KUNIT_EXPECT_EQ(test, -EINVAL, iommu_incoming_parse_on_error(NULL, &on_error));
	KUNIT_EXPECT_EQ(test, IOMMU_INCOMING_BLOCK, on_error);

	KUNIT_EXPECT_EQ(test, 0, iommu_incoming_parse_verify("seal", &level));
	KUNIT_EXPECT_EQ(test, IOMMUSER_LEVEL_RECORDS, level);
	KUNIT_EXPECT_EQ(test, 0, iommu_incoming_parse_verify("tables", &level));
	KUNIT_EXPECT_EQ(test, IOMMUSER_LEVEL_TABLES, level);
	KUNIT_EXPECT_EQ(test, 0, iommu_incoming_parse_verify("closure", &level));
	KUNIT_EXPECT_EQ(test, IOMMUSER_LEVEL_CLOSURE, level);
	KUNIT_EXPECT_EQ(test, -EINVAL, iommu_incoming_parse_verify("Closure", &level));
	KUNIT_EXPECT_EQ(test, -EINVAL, iommu_incoming_parse_verify(NULL, &level));
	KUNIT_EXPECT_EQ(test, IOMMUSER_LEVEL_CLOSURE, level);
}

static void test_map(struct kunit *test)
{
	struct world *world = world_new(test, 0);
	u64 stranger = world_alloc(world, 0);
	struct iommu_incoming_pages *pages;

	world_jump(world);
	pages = &world->incoming->pages;
	KUNIT_EXPECT_PTR_EQ(test, phys_to_virt(world->root + 8),
			    iommu_incoming_map(pages, world->root + 8, PAGE_SIZE - 8));
	KUNIT_EXPECT_NULL(test, iommu_incoming_map(pages, world->root + 8, PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, iommu_incoming_map(pages, stranger, 8));
	KUNIT_EXPECT_NULL(test, iommu_incoming_map(pages, BIT_ULL(IOMMUSER_PHYS_BITS), 8));
	KUNIT_EXPECT_NULL(test, iommu_incoming_map(pages, ~7ULL, 8));
	KUNIT_EXPECT_NULL(test, iommu_incoming_map(pages, world->root, ~0ULL));

	pages->tag = IOMMU_INCOMING_TAG(IOMMUSER_KIND_DOMAIN, 0);
	pages->incoherent = true;
	KUNIT_EXPECT_NE(test, 0, iommu_incoming_restore_page(pages, stranger, PAGE_SIZE));
	KUNIT_EXPECT_NE(test, 0, iommu_incoming_restore_page(pages, world->leaf_table, 512));
	KUNIT_EXPECT_EQ(test, 0, iommu_incoming_restore_page(pages, world->leaf_table, PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, virt_to_ioptdesc(phys_to_virt(world->leaf_table))->incoherent);
	KUNIT_EXPECT_NE(test, 0, iommu_incoming_restore_page(pages, world->leaf_table, PAGE_SIZE));
	KUNIT_EXPECT_NOT_NULL(test, iommu_incoming_map(pages, world->leaf_table, 8));
	iommu_incoming_release_page(pages, world->leaf_table, PAGE_SIZE);
	KUNIT_EXPECT_NOT_NULL(test, iommu_incoming_map(pages, world->leaf_table, 8));
	world_free(world);
}

static void expect_claimed(struct world *world)
{
	struct iommu_incoming *incoming = world->incoming;
	struct iommu_incoming_device *device;
	struct iommuser_iommu unit;
	struct kunit *test = world->test;

	KUNIT_EXPECT_EQ(test, 2, world->nr_dids);
	KUNIT_EXPECT_EQ(test, 10, incoming->pages.nr_used);
	KUNIT_EXPECT_EQ(test, 2, incoming->nr_units);
	KUNIT_EXPECT_EQ(test, 1, incoming->nr_domains);
	KUNIT_EXPECT_EQ(test, 3, incoming->nr_devices);
	KUNIT_EXPECT_EQ(test, 3, incoming->domains[0].nr_devices);

	device = iommu_incoming_find(incoming, 0, SCALABLE_BDF);
	KUNIT_ASSERT_NOT_NULL(test, device);
	KUNIT_EXPECT_EQ(test, TEST_DID, device->record.did);
	KUNIT_EXPECT_EQ(test, 1, device->unit);
	KUNIT_EXPECT_EQ(test, IOMMUFD_DATA, device->iommufd->key);
	KUNIT_EXPECT_NULL(test, iommu_incoming_find(incoming, 0, SCALABLE_BDF + 1));
	KUNIT_EXPECT_NULL(test, iommu_incoming_find(incoming, 1, SCALABLE_BDF));

	KUNIT_EXPECT_TRUE(test, iommu_incoming_unit_once(incoming, SCALABLE_TOKEN, &unit));
	KUNIT_EXPECT_EQ(test, SCALABLE_TOKEN, unit.token);
	KUNIT_EXPECT_FALSE(test, iommu_incoming_unit_once(incoming, SCALABLE_TOKEN, &unit));
	KUNIT_EXPECT_TRUE(test, iommu_incoming_unit_once(incoming, LEGACY_TOKEN, &unit));
	KUNIT_EXPECT_FALSE(test, iommu_incoming_unit_once(incoming, LEGACY_TOKEN + 1, &unit));
}

/* Nobody comes: of all that was preserved, only the mapped page still is. */
static void world_end(struct world *world)
{
	unsigned long pfn;
	void *entry;

	if (world->incoming->claimed)
		iommu_incoming_abandon_all(world->incoming);
	KUNIT_EXPECT_EQ(world->test, 0, iommu_incoming_end(world->incoming));
	if (world->incoming->claimed)
		xa_for_each(&world->preserved, pfn, entry)
			KUNIT_EXPECT_EQ(world->test, PHYS_PFN(world->payload), pfn);
	world_free(world);
}

static void test_claim(struct kunit *test)
{
	enum iommuser_restore_level level;
	struct world *world;

	for (level = IOMMUSER_LEVEL_RECORDS; level <= IOMMUSER_LEVEL_CLOSURE; level++) {
		world = world_new(test, 0);
		world_jump(world);
		KUNIT_EXPECT_EQ(test, 0, world_claim(world, level));
		KUNIT_EXPECT_STREQ(test, "", world->incoming->report.code);
		if (world->incoming->claimed)
			expect_claimed(world);
		world_end(world);
	}
}

/* Each call that can fail does, once; nothing is held then, and a retry works. */
static void test_claim_fails(struct kunit *test)
{
	unsigned int nr_calls = UINT_MAX, i;
	struct world *world;

	for (i = 0; i < nr_calls; i++) {
		world = world_new(test, 0);
		world_jump(world);
		if (!i) {
			KUNIT_ASSERT_EQ(test, 0, world_claim(world, IOMMUSER_LEVEL_TABLES));
			nr_calls = world->nr_calls;
			/* Units, DIDs and folios. */
			KUNIT_ASSERT_EQ(test, 2 + 2 + 9, nr_calls);
			world_free(world);
			world = world_new(test, 0);
			world_jump(world);
		}
		world->fail_at = i;
		KUNIT_EXPECT_NE(test, 0, world_claim(world, IOMMUSER_LEVEL_TABLES));
		KUNIT_EXPECT_STRNEQ(test, "", world->incoming->report.code);
		expect_nothing_held(world);
		world->fail_at = NO_FAILURE;
		KUNIT_EXPECT_EQ(test, 0, world_claim(world, IOMMUSER_LEVEL_TABLES));
		if (world->incoming->claimed)
			expect_claimed(world);
		world_end(world);
	}
}

static void expect_refused(struct world *world, enum iommuser_restore_level level, const char *code)
{
	world_jump(world);
	KUNIT_EXPECT_NE(world->test, 0, world_claim(world, level));
	KUNIT_EXPECT_STREQ(world->test, code, world->incoming->report.code);
	expect_nothing_held(world);
	KUNIT_EXPECT_EQ(world->test, 0, iommu_incoming_end(world->incoming));
	world_free(world);
}

static void test_bad_handovers(struct kunit *test)
{
	struct world *world;

	/* Another unit. */
	world = world_new(test, 0);
	world->cap ^= 1;
	expect_refused(world, IOMMUSER_LEVEL_TABLES, "REC-16");

	/* A byte flipped in a record page. */
	world = world_new(test, 0);
	*(u8 *)phys_to_virt(world->domain.phys + 24) ^= 1;
	expect_refused(world, IOMMUSER_LEVEL_RECORDS, "SEAL-02");

	/* A root that was not preserved. */
	world = world_new(test, 0);
	xa_erase(&world->preserved, PHYS_PFN(world->root));
	expect_refused(world, IOMMUSER_LEVEL_RECORDS, "REC-23");

	/* A table that was not preserved. */
	world = world_new(test, 0);
	xa_erase(&world->preserved, PHYS_PFN(world->leaf_table));
	expect_refused(world, IOMMUSER_LEVEL_TABLES, "PT-02");

	/* A page that is mapped but was not preserved. */
	world = world_new(test, 0);
	xa_erase(&world->preserved, PHYS_PFN(world->payload));
	expect_refused(world, IOMMUSER_LEVEL_CLOSURE, "CLOSURE-04");
}

/* A table that is but a part of a preserved block would take the rest with it. */
static void test_part_of_block(struct kunit *test)
{
	struct world *world = world_new(test, 1);

	expect_refused(world, IOMMUSER_LEVEL_TABLES, "CLOSURE-02");
}

static const struct iommu_ops fake_iommu_ops = {};

static struct device *fake_device(struct kunit *test, const char *name)
{
	struct device *dev = kunit_device_register(test, name);
	struct iommu_device *iommu = kunit_kzalloc(test, sizeof(*iommu), GFP_KERNEL);
	struct dev_iommu *param = kunit_kzalloc(test, sizeof(*param), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_ASSERT_NOT_NULL(test, iommu);
	KUNIT_ASSERT_NOT_NULL(test, param);
	iommu->ops = &fake_iommu_ops;
	param->iommu_dev = iommu;
	dev->iommu = param;
	return dev;
}

static struct world *claimed_world(struct kunit *test)
{
	struct world *world = world_new(test, 0);

	world_jump(world);
	KUNIT_ASSERT_EQ(test, 0, world_claim(world, IOMMUSER_LEVEL_TABLES));
	return world;
}

/* A device is found, and put on its domain. */
static void appear(struct world *world, u64 i, struct device *dev)
{
	struct iommu_incoming_device *device = &world->incoming->devices[i];

	guard(mutex)(&iommu_incoming_lock);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(world->test,
				     iommu_incoming_domain_get(world->incoming, device, dev));
	device->adopted = 1;
	device->state = IOMMU_INCOMING_RUNNING;
	device->dev = dev;
	iommu_incoming_own(device);
}

/* The driver of the device in scalable mode is gone, and so are its tables. */
static void free_device_tables(struct world *world)
{
	u64 table = *(u64 *)phys_to_virt(world->directory) & PAGE_MASK;

	free_table(table);
	free_table(world->directory);
}

/* All three devices are there. */
static struct world *running_world(struct kunit *test, struct device *devs[3])
{
	static const char * const names[3] = { "liveupdate0", "liveupdate1", "liveupdate2" };
	struct world *world = claimed_world(test);
	u64 i;

	for (i = 0; i < 3; i++) {
		devs[i] = fake_device(test, names[i]);
		appear(world, i, devs[i]);
	}
	return world;
}

static void forget_devices(struct device *devs[3])
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		devs[i]->iommu = NULL;
}

static bool hand_over(struct world *world, u64 i, const void *claimant)
{
	guard(mutex)(&iommu_incoming_lock);
	return iommu_incoming_hand_over(&world->incoming->devices[i], claimant);
}

static bool give_back(struct world *world, u64 i)
{
	struct iommu_incoming_device *device = &world->incoming->devices[i];

	guard(mutex)(&iommu_incoming_lock);
	return iommu_incoming_give_back(world->incoming, device);
}

static int take(struct world *world, const void *owner, u64 hwpt_token)
{
	guard(mutex)(&iommu_incoming_lock);
	return PTR_ERR_OR_ZERO(iommu_incoming_take(world->incoming, owner, hwpt_token));
}

static bool left(struct world *world)
{
	guard(mutex)(&iommu_incoming_lock);
	return iommu_incoming_left(world->incoming, IOMMUFD_DATA);
}

static int retrieved(struct world *world, u64 key, const void *owner)
{
	guard(mutex)(&iommu_incoming_lock);
	return iommu_incoming_retrieved(world->incoming, key, owner);
}

/* As iommu_domain_free() of the one who took the domain. False: it was kept. */
static bool free_taken(struct world *world)
{
	struct iommu_domain *domain = world->incoming->domains[0].domain;

	scoped_guard(mutex, &iommu_incoming_lock)
		if (iommu_incoming_keep(world->incoming, domain))
			return false;
	fake_domain_free(domain);
	return true;
}

/* The domain lives until the last of its devices is gone. */
static void test_owners(struct kunit *test)
{
	struct device *dev = fake_device(test, "liveupdate");
	struct world *world = claimed_world(test);
	struct iommu_incoming *incoming = world->incoming;
	struct iommu_domain *domain;
	u64 i;

	mutex_lock(&iommu_incoming_lock);
	world->fail_at = world->nr_calls;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			PTR_ERR_OR_ZERO(iommu_incoming_domain_get(incoming, &incoming->devices[0],
								  dev)));
	KUNIT_EXPECT_NULL(test, incoming->domains[0].domain);
	/* The second of three ids can't be held: the domain is kept, but not given. */
	world->fail_at = world->nr_calls + 2;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			PTR_ERR_OR_ZERO(iommu_incoming_domain_get(incoming, &incoming->devices[0],
								  dev)));
	KUNIT_EXPECT_NOT_NULL(test, incoming->domains[0].domain);
	world->fail_at = NO_FAILURE;
	domain = iommu_incoming_domain_get(incoming, &incoming->devices[0], dev);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, domain);
	KUNIT_EXPECT_EQ(test, IOMMU_DOMAIN_UNMANAGED, domain->type);
	KUNIT_EXPECT_PTR_EQ(test, &fake_iommu_ops, domain->owner);
	KUNIT_EXPECT_EQ(test, 4, world->nr_held);
	KUNIT_EXPECT_NULL(test, iommu_incoming_owned_device(NULL));
	KUNIT_EXPECT_NULL(test, iommu_incoming_owned_device(world));
	KUNIT_EXPECT_NULL(test, iommu_incoming_owned_device(incoming->devices[0].owner));
	mutex_unlock(&iommu_incoming_lock);

	for (i = 0; i < 3; i++) {
		appear(world, i, dev);
		KUNIT_EXPECT_PTR_EQ(test, domain, incoming->domains[0].domain);
	}
	KUNIT_EXPECT_EQ(test, 3, incoming->nr_owned);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, 0, world->nr_domains_freed);
		move_away(world, i);
		KUNIT_EXPECT_EQ(test, IOMMU_INCOMING_RELEASED, incoming->devices[i].state);
		release_group(world, i);
		KUNIT_EXPECT_NULL(test, incoming->devices[i].owner);
	}
	KUNIT_EXPECT_EQ(test, 1, world->nr_domains_freed);
	KUNIT_EXPECT_EQ(test, 0, incoming->nr_owned);
	KUNIT_EXPECT_NULL(test, iommu_incoming_map(&incoming->pages, world->leaf_table, 8));
	free_device_tables(world);
	dev->iommu = NULL;
	world_end(world);
}

/* The whole circle: claim, take, move, finish. */
static void test_hand_over(struct kunit *test)
{
	struct device *devs[3];
	struct world *world = running_world(test, devs);
	const void *owner = &world->root;
	u64 i;

	KUNIT_EXPECT_EQ(test, -ENOENT, take(world, owner, HWPT_TOKEN));
	KUNIT_EXPECT_EQ(test, -ENOENT, retrieved(world, IOMMUFD_DATA + PAGE_SIZE, owner));
	KUNIT_EXPECT_EQ(test, 0, retrieved(world, IOMMUFD_DATA, owner));
	KUNIT_EXPECT_EQ(test, -EBUSY, retrieved(world, IOMMUFD_DATA, owner));
	KUNIT_EXPECT_FALSE(test, hand_over(world, 0, world));
	KUNIT_EXPECT_FALSE(test, hand_over(world, 0, NULL));
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, -ENODEV, take(world, owner, HWPT_TOKEN));
		KUNIT_EXPECT_TRUE(test, hand_over(world, i, owner));
		KUNIT_EXPECT_FALSE(test, hand_over(world, i, owner));
	}
	KUNIT_EXPECT_EQ(test, 0, world->incoming->nr_owned);
	/* Opening the last one failed. */
	KUNIT_EXPECT_TRUE(test, give_back(world, 2));
	KUNIT_EXPECT_FALSE(test, give_back(world, 2));
	KUNIT_EXPECT_EQ(test, 1, world->incoming->nr_owned);
	KUNIT_EXPECT_EQ(test, -ENODEV, take(world, owner, HWPT_TOKEN));
	KUNIT_EXPECT_TRUE(test, hand_over(world, 2, owner));

	KUNIT_EXPECT_EQ(test, -ENOENT, take(world, owner, HWPT_TOKEN + 1));
	KUNIT_EXPECT_EQ(test, -ENOENT, take(world, world, HWPT_TOKEN));
	KUNIT_EXPECT_EQ(test, 0, take(world, owner, HWPT_TOKEN));
	KUNIT_EXPECT_EQ(test, -EBUSY, take(world, owner, HWPT_TOKEN));
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_FALSE(test, left(world));
		move_away(world, i);
		KUNIT_EXPECT_EQ(test, IOMMU_INCOMING_LEFT, world->incoming->devices[i].state);
		KUNIT_EXPECT_FALSE(test, give_back(world, i));
	}
	/* One went back to it. */
	world->busy = true;
	KUNIT_EXPECT_FALSE(test, left(world));
	KUNIT_EXPECT_TRUE(test, world->incoming->domains[0].busy);
	world->busy = false;
	KUNIT_EXPECT_TRUE(test, left(world));
	KUNIT_EXPECT_TRUE(test, world->spent);
	KUNIT_EXPECT_EQ(test, 0, world->nr_domains_freed);
	KUNIT_EXPECT_TRUE(test, free_taken(world));
	KUNIT_EXPECT_EQ(test, -ENOENT, take(world, owner, HWPT_TOKEN));
	KUNIT_EXPECT_NULL(test,
			  iommu_incoming_map(&world->incoming->pages, world->leaf_table, 8));
	KUNIT_EXPECT_EQ(test, 0, world->nr_cleared);
	free_device_tables(world);
	forget_devices(devs);
	world_end(world);
}

/* A domain that was taken lives on when the handover has ended. */
static void test_finish_before_free(struct kunit *test)
{
	struct device *devs[3];
	struct world *world = running_world(test, devs);
	struct iommu_domain *domain = world->incoming->domains[0].domain;
	unsigned long pfn;
	void *entry;
	u64 i;

	KUNIT_EXPECT_EQ(test, 0, retrieved(world, IOMMUFD_DATA, world));
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_TRUE(test, hand_over(world, i, world));
	KUNIT_EXPECT_EQ(test, 0, take(world, world, HWPT_TOKEN));
	for (i = 0; i < 3; i++)
		move_away(world, i);
	KUNIT_EXPECT_TRUE(test, left(world));
	iommu_incoming_abandon_all(world->incoming);
	KUNIT_EXPECT_FALSE(test, world->incoming->iommufds[0].abandoned);
	KUNIT_EXPECT_EQ(test, 0, iommu_incoming_end(world->incoming));
	xa_for_each(&world->preserved, pfn, entry)
		KUNIT_EXPECT_EQ(test, PHYS_PFN(world->payload), pfn);
	KUNIT_EXPECT_EQ(test, 0, world->nr_domains_freed);
	KUNIT_EXPECT_EQ(test, 2, page_count(phys_to_page(world->leaf_table)));
	/* The domain's tables are the domain's: the handover forgets them. */
	for (i = 0; i < 3; i++)
		xa_erase(&world->incoming->pages.taken, PHYS_PFN(world->tables[i]));
	fake_domain_free(domain);
	free_device_tables(world);
	forget_devices(devs);
	world_free(world);
}

/* A handover that has not ended is refused to, and nothing is freed. */
static void test_finish_too_early(struct kunit *test)
{
	struct device *dev = fake_device(test, "liveupdate");
	struct world *world = claimed_world(test);

	appear(world, 0, dev);
	KUNIT_EXPECT_FALSE(test, left(world));
	KUNIT_EXPECT_EQ(test, -IOMMUSER_EBUSY,
			iommuser_restore_finish(&world->incoming->machine));
	KUNIT_EXPECT_NOT_NULL(test, xa_load(&world->preserved, PHYS_PFN(world->root)));
	KUNIT_EXPECT_EQ(test, IOMMUSER_RESTORED,
			iommuser_graph_state(&world->incoming->machine.graph, IOMMUSER_KIND_DEVICE,
					     0));
	iommu_incoming_abandon_all(world->incoming);
	KUNIT_EXPECT_TRUE(test, left(world));
	dev->iommu = NULL;
	world_end(world);
}

/* Freed by its HWPT while a device that never left runs on it: it is kept. */
static void test_domain_kept(struct kunit *test)
{
	struct device *devs[3];
	struct world *world = running_world(test, devs);
	u64 i;

	KUNIT_EXPECT_EQ(test, 0, retrieved(world, IOMMUFD_DATA, world));
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_TRUE(test, hand_over(world, i, world));
	KUNIT_EXPECT_EQ(test, 0, take(world, world, HWPT_TOKEN));
	move_away(world, 0);
	move_away(world, 1);
	KUNIT_EXPECT_FALSE(test, free_taken(world));
	KUNIT_EXPECT_EQ(test, 0, take(world, world, HWPT_TOKEN));
	KUNIT_EXPECT_FALSE(test, free_taken(world));
	KUNIT_EXPECT_EQ(test, 0, world->nr_domains_freed);
	/* Nobody has it: it goes with the last device. */
	move_away(world, 2);
	KUNIT_EXPECT_EQ(test, 1, world->nr_domains_freed);
	KUNIT_EXPECT_EQ(test, -ENOENT, take(world, world, HWPT_TOKEN));
	free_device_tables(world);
	forget_devices(devs);
	world_end(world);
}

/* One device is removed: the others go on. The iommufd is closed: nobody is it. */
static void test_removed_and_closed(struct kunit *test)
{
	struct device *devs[3];
	struct world *world = running_world(test, devs);

	move_away(world, 1);
	release_group(world, 1);
	KUNIT_EXPECT_EQ(test, 0, retrieved(world, IOMMUFD_DATA, world));
	KUNIT_EXPECT_TRUE(test, hand_over(world, 0, world));
	scoped_guard(mutex, &iommu_incoming_lock)
		iommu_incoming_closed(world->incoming, world);
	KUNIT_EXPECT_FALSE(test, hand_over(world, 2, world));
	KUNIT_EXPECT_EQ(test, -ENOENT, take(world, world, HWPT_TOKEN));
	KUNIT_EXPECT_EQ(test, 0, retrieved(world, IOMMUFD_DATA, devs));
	KUNIT_EXPECT_FALSE(test, hand_over(world, 2, world));
	KUNIT_EXPECT_TRUE(test, hand_over(world, 2, devs));
	KUNIT_EXPECT_EQ(test, 0, take(world, devs, HWPT_TOKEN));
	move_away(world, 0);
	move_away(world, 2);
	KUNIT_EXPECT_TRUE(test, free_taken(world));
	free_device_tables(world);
	forget_devices(devs);
	world_end(world);
}

static void expect_abandoned(struct world *world)
{
	struct iommu_incoming *incoming = world->incoming;
	struct kunit *test = world->test;
	u64 i;

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, IOMMU_INCOMING_ABANDONED, incoming->devices[i].state);
		KUNIT_EXPECT_EQ(test, IOMMUSER_ABANDONED,
				iommuser_graph_state(&incoming->machine.graph,
						     IOMMUSER_KIND_DEVICE, i));
	}
	KUNIT_EXPECT_EQ(test, IOMMUSER_ABANDONED,
			iommuser_graph_state(&incoming->machine.graph, IOMMUSER_KIND_DOMAIN, 0));
	KUNIT_EXPECT_EQ(test, 0, incoming->nr_owned);
	KUNIT_EXPECT_TRUE(test, left(world));
	KUNIT_EXPECT_EQ(test, -ENOENT, retrieved(world, IOMMUFD_DATA, &world->own));
}

/* No device is there: entries are cleared, tables and ids given back. */
static void test_abandon_absent(struct kunit *test)
{
	struct world *world = claimed_world(test);
	unsigned int i;

	KUNIT_EXPECT_FALSE(test, left(world));
	iommu_incoming_abandon(world->incoming, &world->incoming->iommufds[0]);
	expect_abandoned(world);
	KUNIT_EXPECT_EQ(test, 3, world->nr_cleared);
	KUNIT_EXPECT_EQ(test, 0, world->nr_dids);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, 1, page_count(phys_to_page(world->tables[i])));
	KUNIT_EXPECT_EQ(test, 1, page_count(phys_to_page(world->directory)));
	world_end(world);
}

/* One runs, one was kept out of its group, one is not there. */
static void test_abandon_mixed(struct kunit *test)
{
	struct device *dev = fake_device(test, "liveupdate");
	struct world *world = claimed_world(test);

	appear(world, 0, dev);
	world->incoming->devices[1].state = IOMMU_INCOMING_BLOCKED;
	iommu_incoming_abandon(world->incoming, &world->incoming->iommufds[0]);
	expect_abandoned(world);
	KUNIT_EXPECT_EQ(test, 2, world->nr_cleared);
	KUNIT_EXPECT_EQ(test, 1, world->nr_domains_freed);
	/* The domain held all of them. */
	KUNIT_EXPECT_EQ(test, 2, world->nr_dids);
	KUNIT_EXPECT_EQ(test, 1, page_count(phys_to_page(world->directory)));
	dev->iommu = NULL;
	world_end(world);
}

/* The iommufd has come, and its HWPT outlives the handover. */
static void test_abandon_taken(struct kunit *test)
{
	struct device *devs[3];
	struct world *world = running_world(test, devs);
	struct iommu_domain *domain = world->incoming->domains[0].domain;
	u64 i;

	KUNIT_EXPECT_EQ(test, 0, retrieved(world, IOMMUFD_DATA, world));
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_TRUE(test, hand_over(world, i, world));
	KUNIT_EXPECT_EQ(test, 0, take(world, world, HWPT_TOKEN));
	KUNIT_EXPECT_TRUE(test, give_back(world, 1));
	/* Something is just being tried with the domain. */
	world->busy = true;
	iommu_incoming_abandon(world->incoming, &world->incoming->iommufds[0]);
	expect_abandoned(world);
	KUNIT_EXPECT_TRUE(test, world->spent);
	KUNIT_EXPECT_EQ(test, 0, world->nr_domains_freed);
	KUNIT_EXPECT_PTR_EQ(test, domain, world->incoming->domains[0].domain);
	KUNIT_EXPECT_EQ(test, -ENOENT, take(world, world, HWPT_TOKEN));
	KUNIT_EXPECT_TRUE(test, free_taken(world));
	free_device_tables(world);
	forget_devices(devs);
	world_end(world);
}

/* Each device gets its PASIDs, whatever the order of the records. */
static void test_attachments(struct kunit *test)
{
	struct iommu_incoming *incoming = kunit_kzalloc(test, sizeof(*incoming), GFP_KERNEL);
	struct iommu_incoming_attachment attachments[] = {
		{ .live = true, .device = 2, .pasid = 9 },
		{ .live = false },
		{ .live = true, .device = 0, .pasid = 7 },
		{ .live = true, .device = 2, .pasid = 3 },
	};
	struct iommu_incoming_device devices[3] = {};

	KUNIT_ASSERT_NOT_NULL(test, incoming);
	incoming->attachments = attachments;
	incoming->nr_attachments = ARRAY_SIZE(attachments);
	incoming->devices = devices;
	incoming->nr_devices = ARRAY_SIZE(devices);
	iommu_incoming_sort_attachments(incoming);
	KUNIT_ASSERT_EQ(test, 1, devices[0].nr_attachments);
	KUNIT_EXPECT_EQ(test, 7, devices[0].attachments[0].pasid);
	KUNIT_EXPECT_EQ(test, 0, devices[1].nr_attachments);
	KUNIT_ASSERT_EQ(test, 2, devices[2].nr_attachments);
	KUNIT_EXPECT_EQ(test, 3, devices[2].attachments[0].pasid);
	KUNIT_EXPECT_EQ(test, 9, devices[2].attachments[1].pasid);
	KUNIT_EXPECT_TRUE(test, iommu_incoming_pasids_live(&devices[0]));
	KUNIT_EXPECT_FALSE(test, iommu_incoming_pasids_live(&devices[1]));
	devices[0].attachments[0].left = true;
	KUNIT_EXPECT_FALSE(test, iommu_incoming_pasids_live(&devices[0]));
}

/* Streams don't read the data of an iommufd that was freed. */
static void test_file_data(struct kunit *test)
{
	struct world *world = claimed_world(test);
	struct iommu_incoming_pages *pages = &world->incoming->pages;

	mark_preserved(world, IOMMUFD_DATA, 0);
	KUNIT_EXPECT_NOT_NULL(test, iommu_incoming_map(pages, IOMMUFD_DATA, 8));
	world->incoming->iommufds[0].finished = true;
	KUNIT_EXPECT_NULL(test, iommu_incoming_map(pages, IOMMUFD_DATA, 8));
	KUNIT_EXPECT_EQ(test, -ENOENT, retrieved(world, IOMMUFD_DATA, world));
	xa_erase(&world->preserved, PHYS_PFN(IOMMUFD_DATA));
	KUNIT_EXPECT_NOT_NULL(test, iommu_incoming_map(pages, world->leaf_table, 8));
	world_end(world);
}

/* What was preserved and taken back leaves the root page alone. */
static void test_unpreserve(struct kunit *test)
{
	struct world *world = world_new(test, 0);
	struct iommuser_preserve *preserve = &world->preserve;
	unsigned long pfn;
	unsigned int i;
	void *entry;

	KUNIT_EXPECT_EQ(test, -IOMMUSER_EBUSY,
			iommuser_unpreserve_domain(preserve, &world->domain));
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, 0, iommuser_unpreserve_device(preserve, &world->devices[i]));
	KUNIT_EXPECT_EQ(test, 0,
			iommuser_unpreserve_hwpt(preserve, &world->domain, &world->hwpt));
	KUNIT_EXPECT_EQ(test, 0, iommuser_unpreserve_domain(preserve, &world->domain));
	xa_erase(&world->preserved, PHYS_PFN(world->payload));
	xa_for_each(&world->preserved, pfn, entry)
		KUNIT_EXPECT_EQ(test, PHYS_PFN(world->root), pfn);
	world_free(world);
}

/* As on a machine where memory follows wherever one reads on. */
static const void *map_anything(void *ctx, u64 phys, u64 length)
{
	const void *own = own_map(ctx, phys, length);

	return own ? own : page_address(ZERO_PAGE(0));
}

/* A record of a handover that was refused: the walk ends, though the count of PASIDs wraps. */
static void test_stream_of_refused(struct kunit *test)
{
	struct world *world = world_new(test, 0);
	struct iommuser_env env = world->own;
	const struct iommu_ikho_origin origin = {
		.origin = "incoming",
		.root = world->root,
		.env = &env,
	};
	struct iommuser_device_ser *device = phys_to_virt(world->devices[2].device.phys);
	struct iommu_ikho_stream *stream;

	env.map = map_anything;
	KUNIT_ASSERT_NE(test, 0, device->pasid_entries);
	device->pasid_entries = U32_MAX;
	stream = iommu_ikho_open(&origin);
	KUNIT_EXPECT_FALSE(test, IS_ERR(stream));
	if (!IS_ERR(stream))
		iommu_ikho_close(stream);
	world_free(world);
}

static struct kunit_case iommu_liveupdate_cases[] = {
	KUNIT_CASE(test_crc),
	KUNIT_CASE(test_parameters),
	KUNIT_CASE(test_map),
	KUNIT_CASE(test_claim),
	KUNIT_CASE(test_claim_fails),
	KUNIT_CASE(test_bad_handovers),
	KUNIT_CASE(test_part_of_block),
	KUNIT_CASE(test_owners),
	KUNIT_CASE(test_hand_over),
	KUNIT_CASE(test_finish_before_free),
	KUNIT_CASE(test_finish_too_early),
	KUNIT_CASE(test_domain_kept),
	KUNIT_CASE(test_removed_and_closed),
	KUNIT_CASE(test_abandon_absent),
	KUNIT_CASE(test_abandon_mixed),
	KUNIT_CASE(test_abandon_taken),
	KUNIT_CASE(test_attachments),
	KUNIT_CASE(test_file_data),
	KUNIT_CASE(test_unpreserve),
	KUNIT_CASE(test_stream_of_refused),
	{}
};

static struct kunit_suite iommu_liveupdate_suite = {
	.name = "iommu-liveupdate",
	.test_cases = iommu_liveupdate_cases,
};

kunit_test_suite(iommu_liveupdate_suite);
