// SPDX-License-Identifier: GPL-2.0-only
/* Questions to KHO: what is still preserved, and is this the jump? */

#include <linux/export.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>
#include <linux/pfn.h>
#include "kexec_handover_internal.h"

/*
 * KHO marks the first page of a block in page->private, a word that other
 * owners of a page fill as they like. A mark is believed only on a page that
 * looks as early boot leaves one that was preserved and that nobody has
 * restored: not given to the page allocator (it has the one reference of a
 * fresh struct page, while free pages have none), of no type (slab, page table,
 * free block...), in no address space, and without any flag, hence neither
 * reserved, nor in an LRU list, nor part of a compound page. kho_restore_*()
 * clears the mark, so it doesn't outlive the block.
 */
static bool kho_page_untouched(const struct page *page)
{
	return page_ref_count(page) == 1 && !page_has_type(page) && !page->mapping &&
	       !PageTail(page) && !(page->flags.f & PAGE_FLAGS_CHECK_AT_PREP);
}

/* Is there a block of that order which starts here? */
static bool kho_block_at(unsigned long pfn, unsigned int order)
{
	struct page *page = pfn_to_online_page(pfn);
	unsigned int marked;

	return page && kho_page_mark(page, &marked) && marked == order &&
	       kho_page_untouched(page);
}

/* Does another block start within this one? */
static bool kho_block_is_shared(unsigned long head, unsigned int order)
{
	unsigned long pfn;
	unsigned int marked;

	for (pfn = head + 1; pfn < head + (1UL << order); pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		if (!page || (kho_page_mark(page, &marked) && kho_page_untouched(page)))
			return true;
	}

	return false;
}

/**
 * kho_preserved_block() - find the preserved block that an address lies in
 * @phys: any physical address
 * @head: set to the physical address of the block on success
 *
 * A block is what the previous kernel preserved at once: a folio, or a naturally
 * aligned part of a range of pages. It counts until kho_restore_folio() or
 * kho_restore_pages() takes it over. Addresses that are not RAM, and blocks that
 * overlap, are nobody's: they are not found.
 *
 * Context: any, from core_initcall on (all struct pages are set up by then). The
 * caller makes sure that nobody restores that block meanwhile.
 * Return: the order of the block, or -ENOENT.
 */
int kho_preserved_block(phys_addr_t phys, phys_addr_t *head)
{
	unsigned long pfn = PHYS_PFN(phys), last = max_pfn;
	unsigned int order, found_order = 0;
	unsigned long found = 0;
	bool is_found = false;

	if (!is_kho_boot() || pfn >= last)
		return -ENOENT;

	for (order = 0; order < BITS_PER_LONG && (1UL << order) <= last; order++) {
		unsigned long start = pfn & ~((1UL << order) - 1);

		if (!kho_block_at(start, order))
			continue;
		if (is_found)
			return -ENOENT;
		is_found = true;
		found = start;
		found_order = order;
	}

	if (!is_found || kho_block_is_shared(found, found_order))
		return -ENOENT;

	*head = PFN_PHYS(found);
	return found_order;
}
EXPORT_SYMBOL_GPL(kho_preserved_block);

/**
 * kho_handing_over() - is this the kexec that gives KHO's data to the next kernel?
 *
 * True from the moment kernel_kexec() has started to shut down, which is after
 * LUO froze its files, up to the jump; and only if the loaded image is told
 * where KHO's data is. Not for images of the kexec_load() system call, for crash
 * kernels, with kho=off, or for an ordinary reboot.
 *
 * Context: any, also with interrupts off. Takes no lock: an image can't be
 * replaced after the shutdown has started.
 * Return: true or false.
 */
bool kho_handing_over(void)
{
	const struct kimage *image = READ_ONCE(kexec_image);

	return READ_ONCE(kexec_in_progress) && image && image->kho.fdt && image->kho.scratch;
}
EXPORT_SYMBOL_GPL(kho_handing_over);
