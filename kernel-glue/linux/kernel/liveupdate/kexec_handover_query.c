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

/* Is there a block which starts here? */
static bool kho_block_at(unsigned long pfn, unsigned int *order)
{
	struct page *page = pfn_to_online_page(pfn);

	return page && kho_page_mark(page, order) && kho_page_untouched(page);
}

/*
 * The first page from @pfn on, below @end, that a block starts with; @end when
 * there is none. Every page of the machine may come through here.
 */
static unsigned long kho_next_block(unsigned long pfn, unsigned long end, unsigned int *order)
{
	const struct page *page;
	unsigned long stop;

	for (; pfn < end; pfn = stop) {
		stop = min(ALIGN(pfn + 1, PAGES_PER_SUBSECTION), end);
		/* Either all pages of a subsection are there, or none. */
		if (!pfn_to_online_page(pfn))
			continue;
		for (page = pfn_to_page(pfn); pfn < stop; pfn++, page++)
			if (kho_page_mark(page, order) && kho_block_at(pfn, order))
				return pfn;
	}

	return end;
}

/* Does another block start within this one, or does it leave memory? */
static bool kho_block_is_shared(unsigned long head, unsigned int order)
{
	unsigned long pfn, end = head + (1UL << order);
	unsigned int other;

	for (pfn = head; pfn < end; pfn = ALIGN(pfn + 1, PAGES_PER_SUBSECTION))
		if (!pfn_to_online_page(pfn))
			return true;

	return kho_next_block(head + 1, end, &other) < end;
}

/* Can a block of that order start at @pfn in a machine of @last page frames? */
static bool kho_order_fits(unsigned long pfn, unsigned int order, unsigned long last)
{
	return order < BITS_PER_LONG && (1UL << order) <= last && IS_ALIGNED(pfn, 1UL << order);
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
	unsigned long pfn = PHYS_PFN(phys), start = pfn, last = max_pfn;
	unsigned int order, found_order = 0;
	unsigned long found = 0;
	bool is_found = false;

	if (!is_kho_boot() || pfn >= last)
		return -ENOENT;

	/* A block that holds @pfn starts where some of its low bits are clear. */
	for (;; start &= start - 1) {
		if (kho_block_at(start, &order) && kho_order_fits(start, order, last) &&
		    pfn - start < 1UL << order) {
			if (is_found)
				return -ENOENT;
			is_found = true;
			found = start;
			found_order = order;
		}
		if (!start)
			break;
	}

	if (!is_found || kho_block_is_shared(found, found_order))
		return -ENOENT;

	*head = PFN_PHYS(found);
	return found_order;
}
EXPORT_SYMBOL_GPL(kho_preserved_block);

/**
 * kho_preserved_page() - find a page that was preserved by itself
 * @phys: what the previous kernel says is its address; not trusted
 *
 * Context: as kho_preserved_block().
 * Return: the page, or NULL when @phys is not the start of one.
 */
void *kho_preserved_page(phys_addr_t phys)
{
	phys_addr_t head;

	if (!phys || !PAGE_ALIGNED(phys) || kho_preserved_block(phys, &head) != 0 || head != phys)
		return NULL;
	return phys_to_virt(phys);
}
EXPORT_SYMBOL_GPL(kho_preserved_page);

/**
 * kho_next_preserved() - find the next preserved block
 * @pfn: page frame to start from, the first of a block or of none
 * @end: page frame to stop at
 * @order: set to the order of the block
 *
 * Goes through all page frames in ascending order, much faster than asking
 * kho_preserved_block() about each. What a block is, and when it counts, is the
 * same.
 *
 * Context: as kho_preserved_block().
 * Return: the first page frame of the block, or @end when there is none.
 */
unsigned long kho_next_preserved(unsigned long pfn, unsigned long end, unsigned int *order)
{
	unsigned long last = max_pfn, stop = min(end, last);

	if (!is_kho_boot())
		return end;

	while ((pfn = kho_next_block(pfn, stop, order)) < stop) {
		if (!kho_order_fits(pfn, *order, last)) {
			pfn++;
			continue;
		}
		if (!kho_block_is_shared(pfn, *order))
			return pfn;
		/* Blocks nest when they overlap. */
		pfn += 1UL << *order;
	}

	return end;
}
EXPORT_SYMBOL_GPL(kho_next_preserved);

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
