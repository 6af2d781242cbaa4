/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Wire layout of a preserved vmalloc area.
 *
 *   descriptor -> chunk -> chunk -> ...   each page {next, addresses}
 */
#ifndef KHO_ABI_VMALLOC_H
#define KHO_ABI_VMALLOC_H

#include <iommuser/types.h>

#define KHO_VMALLOC_ALLOC (1U << 0)
#define KHO_VMALLOC_HUGE_VMAP (1U << 1)
#define KHO_VMALLOC_FLAGS (KHO_VMALLOC_ALLOC | KHO_VMALLOC_HUGE_VMAP)

/**
 * struct kho_vmalloc_ser - a virtually contiguous area
 * @first: physical address of the first chunk, 0 for an empty area
 * @total_pages: pages of the area
 * @flags: KHO_VMALLOC_*
 * @order: each address stands for 2^order pages
 */
struct kho_vmalloc_ser {
	u64 first;
	u32 total_pages;
	u16 flags;
	u16 order;
};

/**
 * struct kho_vmalloc_chunk_ser - start of a page of addresses
 * @next: physical address of the next chunk, 0 at the end
 *
 * Followed by physical addresses (u64) up to the first zero or the page's end.
 */
struct kho_vmalloc_chunk_ser {
	u64 next;
};

#define KHO_VMALLOC_CHUNK_CAPACITY(page_shift) \
	(((1ULL << (page_shift)) - sizeof(struct kho_vmalloc_chunk_ser)) / sizeof(u64))

#endif /* KHO_ABI_VMALLOC_H */
