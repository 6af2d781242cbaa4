/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Wire layout of KHO, Linux's kexec handover: the names in its root FDT, the
 * memory map of every revision, the hand-off to the next kernel.
 *
 *   root FDT (one page)
 *     compatible = "kho-vN"
 *     preserved-memory-map = <physical address>
 *        kho-v1:     -> chunk -> chunk -> ...   each with bitmaps
 *        kho-v2..v4: -> radix tree of pages; the lowest level are bitmaps
 *     LUO { preserved-data = <physical address>; blob-size = <bytes>; }
 *     ...
 * All numbers have the byte order of the CPU, inside FDT properties too.
 */
#ifndef KHO_ABI_KHO_H
#define KHO_ABI_KHO_H

#include <iommuser/types.h>

#define KHO_V1_COMPATIBLE "kho-v1"
#define KHO_V2_COMPATIBLE "kho-v2"
#define KHO_V3_COMPATIBLE "kho-v3"
#define KHO_V4_COMPATIBLE "kho-v4"
/* Components that a composite string may name after the first token. */
#define KHO_RADIX_V1_COMPATIBLE "radix-v1"
#define KHO_VMALLOC_V1_COMPATIBLE "vmalloc-v1"
#define KHO_BLOCK_V1_COMPATIBLE "block-v1"

/* Properties of the root node: a u64, the address of the memory map. */
#define KHO_MEMORY_MAP_PROPERTY "preserved-memory-map"
/* Properties of the sub-nodes: the address (v1, then v2 on), the size (v3 on). */
#define KHO_V1_SUBTREE_PROPERTY "fdt"
#define KHO_V2_SUBTREE_PROPERTY "preserved-data"
#define KHO_V3_SIZE_PROPERTY "blob-size"

/* Names of sub-nodes. */
#define KHO_LUO_SUBTREE "LUO"
#define KHO_MEMBLOCK_SUBTREE "memblock"
#define KHO_METADATA_SUBTREE "kexec-metadata"

/* The memblock sub-blob is an FDT; its children are named regions. */
#define KHO_MEMBLOCK_V1_COMPATIBLE "memblock-v1"
#define KHO_RESERVE_MEM_V1_COMPATIBLE "reserve-mem-v1"
#define KHO_RESERVE_MEM_START_PROPERTY "start"
#define KHO_RESERVE_MEM_SIZE_PROPERTY "size"

/* Bytes of a bitmap: early kho-v1, later kho-v1 (whose string is the same). */
#define KHO_V1_SMALL_BITMAP_SIZE 512
#define KHO_V1_BITMAP_SIZE(page_shift) (1ULL << (page_shift))

/**
 * struct kho_v1_chunk_ser - start of a page of the kho-v1 memory map
 * @next: physical address of the next chunk, 0 at the end
 * @order: log2 of the pages that one bit of this chunk's bitmaps stands for
 * @num_elms: bitmaps described in this page
 *
 * Followed by @num_elms of struct kho_v1_bitmap_ser.
 */
struct kho_v1_chunk_ser {
	u64 next;
	u32 order;
	u32 num_elms;
};

/**
 * struct kho_v1_bitmap_ser - one bitmap of the kho-v1 memory map
 * @phys_start: physical address that bit 0 stands for, a multiple of what
 *	the whole bitmap covers
 * @bitmap: physical address of the bitmap
 */
struct kho_v1_bitmap_ser {
	u64 phys_start;
	u64 bitmap;
};

#define KHO_V1_CHUNK_CAPACITY(page_shift) \
	(((1ULL << (page_shift)) - sizeof(struct kho_v1_chunk_ser)) / sizeof(struct kho_v1_bitmap_ser))

/*
 * kho-v2 to kho-v4: a block of 2^order pages at address pa is the key
 *	(1 << (64 - page_shift - order)) | (pa >> (page_shift + order))
 * Its low KHO_RADIX_LEAF_BITS select a bit in a leaf, each further group of
 * KHO_RADIX_TABLE_BITS an entry of a table; KHO_RADIX_DEPTH counts both.
 */
#define KHO_RADIX_ORDER_0_BIT(page_shift) (64 - (page_shift))
#define KHO_RADIX_TABLE_BITS(page_shift) ((page_shift) - 3)
#define KHO_RADIX_LEAF_BITS(page_shift) ((page_shift) + 3)
#define KHO_RADIX_DEPTH(page_shift) ((page_shift) == 12 ? 6 : (page_shift) == 14 ? 5 : 4)
/* With 16 KiB pages kho-v2 and early kho-v3 were one level short. */
#define KHO_RADIX_SHORT_DEPTH 4
#define KHO_RADIX_MAX_DEPTH 6

/**
 * struct kho_scratch_ser - one scratch region: memory the next kernel boots in
 * @addr: physical address
 * @size: bytes
 */
struct kho_scratch_ser {
	u64 addr;
	u64 size;
};

#define KHO_SETUP_DATA_TYPE 10

/**
 * struct kho_setup_data_ser - x86: node of the boot loader's list for a kernel
 * @next: physical address of the next node, 0 at the end
 * @type: KHO_SETUP_DATA_TYPE
 * @len: bytes after this field, 32
 * @fdt_addr: physical address of the root FDT
 * @fdt_size: the page size
 * @scratch_addr: physical address of an array of struct kho_scratch_ser
 * @scratch_size: bytes of that array
 */
struct kho_setup_data_ser {
	u64 next;
	u32 type;
	u32 len;
	u64 fdt_addr;
	u64 fdt_size;
	u64 scratch_addr;
	u64 scratch_size;
};

#endif /* KHO_ABI_KHO_H */
