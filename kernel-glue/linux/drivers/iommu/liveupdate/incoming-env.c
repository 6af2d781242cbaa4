// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preserved memory as libiommuser sees it: what it may read, and how pages of
 * tables leave KHO's care.
 */
#include <linux/align.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kexec_handover_query.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include <iommuser/error.h>

#include "../iommu-pages.h"
#include "../iommu-group.h"
#include "../iommu-priv.h"
#include "incoming.h"
#include "internal.h"

static unsigned long all_pfns(void)
{
	return max_pfn;
}

const struct iommu_incoming_host iommu_incoming_kho = {
	.preserved_block = kho_preserved_block,
	.next_preserved = kho_next_preserved,
	.restore_folio = kho_restore_folio,
	.nr_pfns = all_pfns,
	.abandon_group = iommu_group_abandon_restored,
};

/*
 * Entries of iommu_incoming_pages.taken: the tag of the claim that holds the
 * page, or ASIDE. A page that is put aside is out of KHO's care and in nobody's
 * use: hardware may still walk it, so it is never freed.
 */
#define ASIDE 0

void iommu_incoming_pages_init(struct iommu_incoming_pages *pages,
			       const struct iommu_incoming_host *host,
			       struct iommu_incoming_report *report)
{
	memset(pages, 0, sizeof(*pages));
	pages->host = host;
	pages->report = report;
	xa_init(&pages->taken);
}

void iommu_incoming_pages_end(struct iommu_incoming_pages *pages)
{
	xa_destroy(&pages->taken);
}

/* File data of an iommufd that has finished: free memory, or soon to be. */
static bool page_is_gone(struct iommu_incoming_pages *pages, unsigned long pfn)
{
	struct iommu_incoming *incoming = container_of(pages, struct iommu_incoming, pages);
	const struct iommu_incoming_iommufd *iommufd =
		iommu_incoming_find_iommufd(incoming, PFN_PHYS(pfn));

	return iommufd && iommufd->finished;
}

/* A page that a device or domain had which is done with the handover: freed, or soon to be. */
static bool claim_is_gone(struct iommu_incoming_pages *pages, unsigned long tag)
{
	struct iommu_incoming *incoming = container_of(pages, struct iommu_incoming, pages);
	u64 position = tag >> 3;

	if (!pages->settled)
		return false;
	if ((tag & 7) == IOMMUSER_KIND_DEVICE && position < incoming->nr_devices)
		return iommu_incoming_device_left(&incoming->devices[position]);
	return (tag & 7) == IOMMUSER_KIND_DOMAIN && position < incoming->nr_domains &&
	       incoming->domains[position].gone;
}

static bool page_is_ours(struct iommu_incoming_pages *pages, unsigned long pfn)
{
	phys_addr_t head;
	void *entry;
	bool ours;

	/* Tables are read entry by entry. */
	if (pfn + 1 == pages->last_pfn)
		return true;
	entry = xa_load(&pages->taken, pfn);
	if (entry)
		ours = !claim_is_gone(pages, xa_to_value(entry));
	else
		ours = !page_is_gone(pages, pfn) &&
		       pages->host->preserved_block(PFN_PHYS(pfn), &head) >= 0;
	if (ours && !pages->settled)
		pages->last_pfn = pfn + 1;
	return ours;
}

/**
 * iommu_incoming_map() - the library's map(): pages preserved or taken over
 * @ctx: struct iommu_incoming_pages
 * @phys: start
 * @length: bytes, within one page
 *
 * Return: a pointer, or NULL for memory that was not handed over.
 */
const void *iommu_incoming_map(void *ctx, u64 phys, u64 length)
{
	if (phys >> IOMMUSER_PHYS_BITS || length > PAGE_SIZE ||
	    offset_in_page(phys) + length > PAGE_SIZE)
		return NULL;
	if (!page_is_ours(ctx, PHYS_PFN(phys)))
		return NULL;
	return phys_to_virt(phys);
}

static void refuse(struct iommu_incoming_pages *pages, u64 phys, u64 found)
{
	const struct iommuser_finding finding = {
		.id = pages->ending ? IOMMUSER_FINDING_CLOSURE_ARRAY :
		      (pages->tag & 7) == IOMMUSER_KIND_DOMAIN ?
				      IOMMUSER_FINDING_CLOSURE_PAGE_TABLE :
				      IOMMUSER_FINDING_CLOSURE_VTD_TABLE,
		.severity = IOMMUSER_ERROR,
		.phys = phys,
		.found = found,
		.expected = phys,
	};

	iommu_incoming_note(pages->report, &finding);
}

/* Enter every page of a block, or none. */
static int enter_block(struct iommu_incoming_pages *pages, unsigned long pfn,
		       unsigned long nr_pages)
{
	unsigned long i;
	int error;

	for (i = 0; i < nr_pages; i++) {
		error = xa_insert(&pages->taken, pfn + i, xa_mk_value(ASIDE), GFP_KERNEL);
		if (error)
			goto err_erase;
	}
	return 0;

err_erase:
	while (i--)
		xa_erase(&pages->taken, pfn + i);
	return error;
}

/* Restore the block that starts with this page; its pages are aside then. */
static int restore_block(struct iommu_incoming_pages *pages, u64 phys)
{
	unsigned long pfn = PHYS_PFN(phys);
	struct folio *folio;
	phys_addr_t head;
	int order, error;

	order = pages->host->preserved_block(phys, &head);
	if (order < 0)
		return order;
	/* Tables of several pages are claimed from their first page on. */
	if (head != phys || order > MAX_PAGE_ORDER)
		return -EINVAL;
	error = enter_block(pages, pfn, 1UL << order);
	if (error)
		return error;
	folio = pages->host->restore_folio(phys);
	if (!folio) {
		for (unsigned long i = 0; i < 1UL << order; i++)
			xa_erase(&pages->taken, pfn + i);
		return -ENOENT;
	}
	iommu_liveupdate_account_pages(folio, folio_nr_pages(folio));
	pages->nr_folio_pages += folio_nr_pages(folio);
	return 0;
}

static int restore_table(struct iommu_incoming_pages *pages, u64 phys)
{
	unsigned long pfn = PHYS_PFN(phys);
	void *entry = xa_load(&pages->taken, pfn);
	int error;

	if (!entry) {
		error = restore_block(pages, phys);
		if (error)
			return error;
	} else if (entry != xa_mk_value(ASIDE)) {
		return -EBUSY;
	}
	entry = xa_store(&pages->taken, pfn, xa_mk_value(pages->tag), GFP_KERNEL);
	if (xa_is_err(entry))
		return xa_err(entry);
	folio_ioptdesc(page_folio(pfn_to_page(pfn)))->incoherent = pages->incoherent;
	pages->nr_used++;
	return 0;
}

static int restore_record_page(struct iommu_incoming_pages *pages, u64 phys)
{
	phys_addr_t head;

	if (pages->host->preserved_block(phys, &head) || head != phys)
		return -ENOENT;
	return pages->host->restore_folio(phys) ? 0 : -ENOENT;
}

/**
 * iommu_incoming_restore_page() - the library's restore_page()
 * @ctx: struct iommu_incoming_pages
 * @phys: of the page
 * @length: of a hardware table or of a page of records
 *
 * A folio of several pages is restored with its first page; the others are its
 * then. iommu_incoming_pages_complete() tells whether all were claimed.
 *
 * Return: 0 or a negative errno.
 */
int iommu_incoming_restore_page(void *ctx, u64 phys, u64 length)
{
	struct iommu_incoming_pages *pages = ctx;
	int error;

	if (length != PAGE_SIZE || !IS_ALIGNED(phys, PAGE_SIZE) || phys >> IOMMUSER_PHYS_BITS)
		error = -EINVAL;
	else if (pages->ending)
		error = restore_record_page(pages, phys);
	else if (iommu_incoming_inject("taking over a table"))
		error = -ENOMEM;
	else
		error = restore_table(pages, phys);
	if (error)
		refuse(pages, phys, 0);
	return error;
}

/**
 * iommu_incoming_release_page() - the library's release_page()
 * @ctx: struct iommu_incoming_pages
 * @phys: of the page
 * @length: as above
 *
 * Pages of records become free memory. Tables of a claim that is undone stay
 * allocated, and accounted, for ever: devices may still run on them. A claim
 * that is tried again gets them again.
 */
void iommu_incoming_release_page(void *ctx, u64 phys, u64 length)
{
	struct iommu_incoming_pages *pages = ctx;
	unsigned long pfn = PHYS_PFN(phys);

	if (pages->ending) {
		folio_put(page_folio(pfn_to_page(pfn)));
		return;
	}
	/* Replaces an entry, so it allocates nothing. */
	xa_store(&pages->taken, pfn, xa_mk_value(ASIDE), GFP_KERNEL);
	pages->nr_used--;
}

/**
 * iommu_incoming_pages_complete() - does every page of every folio have its use?
 * @pages: after all claims
 *
 * Return: 0; -EINVAL when a table was claimed that is part of another block,
 * and that was reported.
 */
int iommu_incoming_pages_complete(struct iommu_incoming_pages *pages)
{
	unsigned long pfn;
	void *entry;

	if (pages->nr_used == pages->nr_folio_pages)
		return 0;
	xa_for_each(&pages->taken, pfn, entry) {
		if (entry != xa_mk_value(ASIDE))
			continue;
		refuse(pages, PFN_PHYS(pfn), pages->nr_folio_pages);
		break;
	}
	return -EINVAL;
}

/* Does a claim hold all pages of a block? */
static bool holds_block(struct iommu_incoming_pages *pages, unsigned long tag, struct folio *folio)
{
	unsigned long pfn = folio_pfn(folio);

	for (unsigned long i = 0; i < folio_nr_pages(folio); i++)
		if (xa_load(&pages->taken, pfn + i) != xa_mk_value(tag))
			return false;
	return true;
}

/**
 * iommu_incoming_pages_free() - free the pages of a claim
 * @pages: where they are
 * @tag: of the claim
 * @count: how many it has
 *
 * No hardware walks them any more.
 */
void iommu_incoming_pages_free(struct iommu_incoming_pages *pages, unsigned long tag,
			       unsigned long count)
{
	struct folio *folio;
	unsigned long pfn;
	void *entry;

	if (!count)
		return;
	/* A block that is not this claim's as a whole stays allocated. */
	xa_for_each(&pages->taken, pfn, entry) {
		cond_resched();
		folio = page_folio(pfn_to_page(pfn));
		if (entry == xa_mk_value(tag) && pfn == folio_pfn(folio) &&
		    holds_block(pages, tag, folio)) {
			for (unsigned long i = folio_nr_pages(folio); i--;)
				xa_erase(&pages->taken, pfn + i);
			count -= folio_nr_pages(folio);
			iommu_free_pages(folio_address(folio));
			if (!count)
				return;
		}
	}
}

/* The set of preserved pages, for verify=closure */

#define CHUNK_PFNS (1UL << (IOMMUSER_CHUNK_SHIFT - PAGE_SHIFT))

static bool chunk_has_memory(unsigned long first, unsigned long end)
{
	unsigned long step = min(CHUNK_PFNS, PAGES_PER_SECTION);
	unsigned long pfn;

	for (pfn = first; pfn < end && pfn < first + CHUNK_PFNS; pfn += step)
		if (pfn_to_online_page(pfn))
			return true;
	return false;
}

static int add_block(struct iommuser_pageset *set, unsigned long pfn, int order)
{
	return iommuser_pageset_add(set, IOMMUSER_PRESERVED, PFN_PHYS(pfn),
				    1ULL << (order + PAGE_SHIFT));
}

static int fill_set(struct iommuser_pageset *set, const struct iommu_incoming_host *host,
		    unsigned long end)
{
	unsigned long pfn = 0, stop = 0;
	unsigned int order;

	while (pfn < end) {
		/* A block may reach beyond the chunk that it starts in. */
		if (pfn >= stop) {
			cond_resched();
			stop = min(ALIGN(pfn + 1, CHUNK_PFNS), end);
		}
		pfn = host->next_preserved(pfn, stop, &order);
		if (pfn >= stop)
			continue;
		if (add_block(set, pfn, order))
			return -ENOSPC;
		pfn += 1UL << order;
	}
	return 0;
}

static u64 count_chunks(unsigned long end)
{
	unsigned long first;
	u64 count = 0;

	for (first = 0; first < end; first += CHUNK_PFNS)
		count += chunk_has_memory(first, end);
	return count;
}

/**
 * iommu_incoming_set_build() - list everything that KHO still preserves
 * @host: where from
 *
 * Looks at every page frame of the machine.
 *
 * Return: the set, or an ERR_PTR. iommu_incoming_set_free() frees it.
 */
struct iommuser_pageset *iommu_incoming_set_build(const struct iommu_incoming_host *host)
{
	unsigned long end = host->nr_pfns();
	u64 chunks = max(count_chunks(end), 1);
	u64 size = iommuser_pageset_size(chunks, IOMMUSER_NR_PLANES);
	struct iommuser_pageset *set;
	int error = -E2BIG;

	if (!size || size > SZ_1G)
		return ERR_PTR(-E2BIG);
	set = kvzalloc(ALIGN(sizeof(*set), 8) + size, GFP_KERNEL);
	if (!set)
		return ERR_PTR(-ENOMEM);
	if (!iommuser_pageset_init(set, (u8 *)set + ALIGN(sizeof(*set), 8), size, chunks,
				   IOMMUSER_NR_PLANES))
		error = fill_set(set, host, end);
	if (error) {
		kvfree(set);
		return ERR_PTR(error);
	}
	return set;
}

void iommu_incoming_set_free(struct iommuser_pageset *set)
{
	kvfree(set);
}
