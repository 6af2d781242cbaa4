// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library's environment on the outgoing side: this kernel's own memory,
 * pages that KHO preserves, and hardware tables that it is told to preserve.
 */
#include <linux/crc32.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/vmstat.h>

#include "internal.h"

/**
 * iommu_liveupdate_crc32() - CRC-32 as the library wants it
 * @ctx: unused
 * @crc: what to go on from, 0 at the start
 * @data: bytes
 * @len: how many
 *
 * Return: what zlib's crc32() returns.
 */
u32 iommu_liveupdate_crc32(void *ctx, u32 crc, const void *data, u64 len)
{
	return ~crc32_le(~crc, data, len);
}

/* The folio of an allocated page, NULL for anything else. */
static struct folio *allocated_folio(u64 phys)
{
	struct page *page = pfn_to_online_page(PHYS_PFN(phys));
	struct folio *folio;

	if (!page || PageReserved(page))
		return NULL;
	folio = page_folio(page);
	if (!folio_ref_count(folio) || folio_test_slab(folio))
		return NULL;
	return folio;
}

static const void *map_own(void *ctx, u64 phys, u64 len)
{
	return allocated_folio(phys) ? phys_to_virt(phys) : NULL;
}

const struct iommuser_env iommu_liveupdate_own_memory = {
	.page_shift = PAGE_SHIFT,
	.map = map_own,
	.crc32 = iommu_liveupdate_crc32,
};

static void *alloc_page_to_preserve(void *ctx, u64 *phys)
{
	void *page = kho_alloc_preserve(PAGE_SIZE);

	if (IS_ERR(page))
		return NULL;
	*phys = virt_to_phys(page);
	return page;
}

static void free_preserved_page(void *ctx, u64 phys)
{
	kho_unpreserve_free(phys_to_virt(phys));
}

static void *find_preserved_page(void *ctx, u64 phys)
{
	return phys_to_virt(phys);
}

const struct iommuser_page_ops iommu_liveupdate_page_ops = {
	.alloc = alloc_page_to_preserve,
	.free = free_preserved_page,
	.find = find_preserved_page,
};

/*
 * A table that is larger than a page is one folio. Its pages come in order, and
 * the first one stands for all.
 */
static int preserve_table(void *ctx, u64 phys)
{
	struct iommu_liveupdate_pages *pages = ctx;
	struct folio *folio = allocated_folio(phys);

	lockdep_assert_held(&iommu_liveupdate_lock);

	pages->error = -EIO;
	if (!folio)
		return pages->error;
	if (phys != PFN_PHYS(folio_pfn(folio)))
		return folio == pages->folio ? 0 : pages->error;
	pages->error = kho_preserve_folio(folio);
	if (!pages->error)
		pages->folio = folio;
	return pages->error;
}

static void unpreserve_table(void *ctx, u64 phys)
{
	struct folio *folio = page_folio(pfn_to_page(PHYS_PFN(phys)));

	lockdep_assert_held(&iommu_liveupdate_lock);

	if (phys == PFN_PHYS(folio_pfn(folio)))
		kho_unpreserve_folio(folio);
}

struct iommu_liveupdate_pages iommu_liveupdate_pages;

const struct iommuser_preserve_ops iommu_liveupdate_preserve_ops = {
	.ctx = &iommu_liveupdate_pages,
	.preserve_page = preserve_table,
	.unpreserve_page = unpreserve_table,
};

/**
 * iommu_liveupdate_account_pages() - count table pages as iommu-pages does
 * @folio: that the table is
 * @nr_pages: its pages when it is taken over, their negative when it is given up
 *
 * Context: any.
 */
void iommu_liveupdate_account_pages(struct folio *folio, long nr_pages)
{
	mod_node_page_state(folio_pgdat(folio), NR_IOMMU_PAGES, nr_pages);
	lruvec_stat_mod_folio(folio, NR_SECONDARY_PAGETABLE, nr_pages);
}
