/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The layout of KHO's and LUO's wire structs, pinned: every size, every
 * offset, records per page.
 */
#ifndef KHO_ABI_LAYOUT_KHO_LUO_H
#define KHO_ABI_LAYOUT_KHO_LUO_H

#include <kho/abi/block.h>
#include <kho/abi/kexec_metadata.h>
#include <kho/abi/kho.h>
#include <kho/abi/luo.h>
#include <kho/abi/memfd.h>
#include <kho/abi/vmalloc.h>

#define KHO_LAYOUT_SIZE(type, size) static_assert(sizeof(type) == (size), "size of " #type)
#define KHO_LAYOUT_OFFSET(type, field, offset) \
	static_assert(offsetof(type, field) == (offset), "offset of " #field " in " #type)
#define KHO_LAYOUT_VALUE(expression, value) static_assert((expression) == (value), #expression)

KHO_LAYOUT_SIZE(struct kho_v1_chunk_ser, 16);
KHO_LAYOUT_OFFSET(struct kho_v1_chunk_ser, next, 0);
KHO_LAYOUT_OFFSET(struct kho_v1_chunk_ser, order, 8);
KHO_LAYOUT_OFFSET(struct kho_v1_chunk_ser, num_elms, 12);

KHO_LAYOUT_SIZE(struct kho_v1_bitmap_ser, 16);
KHO_LAYOUT_OFFSET(struct kho_v1_bitmap_ser, phys_start, 0);
KHO_LAYOUT_OFFSET(struct kho_v1_bitmap_ser, bitmap, 8);

KHO_LAYOUT_SIZE(struct kho_scratch_ser, 16);
KHO_LAYOUT_OFFSET(struct kho_scratch_ser, addr, 0);
KHO_LAYOUT_OFFSET(struct kho_scratch_ser, size, 8);

KHO_LAYOUT_SIZE(struct kho_setup_data_ser, 48);
KHO_LAYOUT_OFFSET(struct kho_setup_data_ser, next, 0);
KHO_LAYOUT_OFFSET(struct kho_setup_data_ser, type, 8);
KHO_LAYOUT_OFFSET(struct kho_setup_data_ser, len, 12);
KHO_LAYOUT_OFFSET(struct kho_setup_data_ser, fdt_addr, 16);
KHO_LAYOUT_OFFSET(struct kho_setup_data_ser, fdt_size, 24);
KHO_LAYOUT_OFFSET(struct kho_setup_data_ser, scratch_addr, 32);
KHO_LAYOUT_OFFSET(struct kho_setup_data_ser, scratch_size, 40);

KHO_LAYOUT_SIZE(struct kexec_metadata_v1_ser, 73);
KHO_LAYOUT_OFFSET(struct kexec_metadata_v1_ser, version, 0);
KHO_LAYOUT_OFFSET(struct kexec_metadata_v1_ser, previous_release, 4);
KHO_LAYOUT_OFFSET(struct kexec_metadata_v1_ser, kexec_count, 69);

KHO_LAYOUT_SIZE(struct kho_vmalloc_ser, 16);
KHO_LAYOUT_OFFSET(struct kho_vmalloc_ser, first, 0);
KHO_LAYOUT_OFFSET(struct kho_vmalloc_ser, total_pages, 8);
KHO_LAYOUT_OFFSET(struct kho_vmalloc_ser, flags, 12);
KHO_LAYOUT_OFFSET(struct kho_vmalloc_ser, order, 14);

KHO_LAYOUT_SIZE(struct kho_vmalloc_chunk_ser, 8);
KHO_LAYOUT_OFFSET(struct kho_vmalloc_chunk_ser, next, 0);

KHO_LAYOUT_SIZE(struct kho_block_ser, 16);
KHO_LAYOUT_OFFSET(struct kho_block_ser, next, 0);
KHO_LAYOUT_OFFSET(struct kho_block_ser, count, 8);

KHO_LAYOUT_SIZE(struct luo_v2_ser, 24);
KHO_LAYOUT_OFFSET(struct luo_v2_ser, liveupdate_num, 0);
KHO_LAYOUT_OFFSET(struct luo_v2_ser, sessions_pa, 8);
KHO_LAYOUT_OFFSET(struct luo_v2_ser, flbs_pa, 16);

KHO_LAYOUT_SIZE(struct luo_v3_ser, 32);
KHO_LAYOUT_OFFSET(struct luo_v3_ser, compatible, 0);
KHO_LAYOUT_OFFSET(struct luo_v3_ser, state.liveupdate_num, 8);
KHO_LAYOUT_OFFSET(struct luo_v3_ser, state.sessions_pa, 16);
KHO_LAYOUT_OFFSET(struct luo_v3_ser, state.flbs_pa, 24);

KHO_LAYOUT_SIZE(struct luo_v1_session_header_ser, 8);
KHO_LAYOUT_OFFSET(struct luo_v1_session_header_ser, count, 0);

KHO_LAYOUT_SIZE(struct luo_session_ser, 80);
KHO_LAYOUT_OFFSET(struct luo_session_ser, name, 0);
KHO_LAYOUT_OFFSET(struct luo_session_ser, files, 64);
KHO_LAYOUT_OFFSET(struct luo_session_ser, count, 72);

KHO_LAYOUT_SIZE(struct luo_file_ser, 64);
KHO_LAYOUT_OFFSET(struct luo_file_ser, compatible, 0);
KHO_LAYOUT_OFFSET(struct luo_file_ser, data, 48);
KHO_LAYOUT_OFFSET(struct luo_file_ser, token, 56);

KHO_LAYOUT_SIZE(struct luo_flb_header_ser, 16);
KHO_LAYOUT_OFFSET(struct luo_flb_header_ser, pgcnt, 0);
KHO_LAYOUT_OFFSET(struct luo_flb_header_ser, count, 8);

KHO_LAYOUT_SIZE(struct luo_flb_ser, 64);
KHO_LAYOUT_OFFSET(struct luo_flb_ser, name, 0);
KHO_LAYOUT_OFFSET(struct luo_flb_ser, data, 48);
KHO_LAYOUT_OFFSET(struct luo_flb_ser, count, 56);

KHO_LAYOUT_SIZE(struct memfd_v1_ser, 40);
KHO_LAYOUT_OFFSET(struct memfd_v1_ser, pos, 0);
KHO_LAYOUT_OFFSET(struct memfd_v1_ser, size, 8);
KHO_LAYOUT_OFFSET(struct memfd_v1_ser, nr_folios, 16);
KHO_LAYOUT_OFFSET(struct memfd_v1_ser, folios, 24);

KHO_LAYOUT_SIZE(struct memfd_v2_ser, 48);
KHO_LAYOUT_OFFSET(struct memfd_v2_ser, pos, 0);
KHO_LAYOUT_OFFSET(struct memfd_v2_ser, size, 8);
KHO_LAYOUT_OFFSET(struct memfd_v2_ser, seals, 16);
KHO_LAYOUT_OFFSET(struct memfd_v2_ser, flags, 20);
KHO_LAYOUT_OFFSET(struct memfd_v2_ser, nr_folios, 24);
KHO_LAYOUT_OFFSET(struct memfd_v2_ser, folios, 32);

KHO_LAYOUT_SIZE(struct memfd_folio_ser, 16);
KHO_LAYOUT_OFFSET(struct memfd_folio_ser, pfn_and_flags, 0);
KHO_LAYOUT_OFFSET(struct memfd_folio_ser, index, 8);

KHO_LAYOUT_VALUE(KHO_V1_CHUNK_CAPACITY(12), 255);
KHO_LAYOUT_VALUE(KHO_V1_CHUNK_CAPACITY(14), 1023);
KHO_LAYOUT_VALUE(KHO_V1_CHUNK_CAPACITY(16), 4095);
KHO_LAYOUT_VALUE(KHO_VMALLOC_CHUNK_CAPACITY(12), 511);
KHO_LAYOUT_VALUE(KHO_BLOCK_CAPACITY(12, sizeof(struct luo_session_ser)), 51);
KHO_LAYOUT_VALUE(KHO_BLOCK_CAPACITY(12, sizeof(struct luo_file_ser)), 63);
KHO_LAYOUT_VALUE(LUO_V1_SESSION_CAPACITY(12), 819);
KHO_LAYOUT_VALUE(LUO_V1_FILE_CAPACITY(12), 128);
KHO_LAYOUT_VALUE(LUO_FLB_CAPACITY(12), 63);
KHO_LAYOUT_VALUE(KHO_RADIX_ORDER_0_BIT(12), 52);
KHO_LAYOUT_VALUE(KHO_RADIX_ORDER_0_BIT(14), 50);
KHO_LAYOUT_VALUE(KHO_RADIX_ORDER_0_BIT(16), 48);
KHO_LAYOUT_VALUE(KHO_RADIX_TABLE_BITS(12), 9);
KHO_LAYOUT_VALUE(KHO_RADIX_TABLE_BITS(14), 11);
KHO_LAYOUT_VALUE(KHO_RADIX_TABLE_BITS(16), 13);
KHO_LAYOUT_VALUE(KHO_RADIX_LEAF_BITS(12), 15);
KHO_LAYOUT_VALUE(KHO_RADIX_LEAF_BITS(14), 17);
KHO_LAYOUT_VALUE(KHO_RADIX_LEAF_BITS(16), 19);
KHO_LAYOUT_VALUE(KHO_RADIX_DEPTH(12), 6);
KHO_LAYOUT_VALUE(KHO_RADIX_DEPTH(14), 5);
KHO_LAYOUT_VALUE(KHO_RADIX_DEPTH(16), 4);
KHO_LAYOUT_VALUE(4096 / sizeof(struct memfd_folio_ser), 256);

#undef KHO_LAYOUT_SIZE
#undef KHO_LAYOUT_OFFSET
#undef KHO_LAYOUT_VALUE

#endif /* KHO_ABI_LAYOUT_KHO_LUO_H */
