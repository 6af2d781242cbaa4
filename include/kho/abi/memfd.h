/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Wire layout of a memfd preserved by LUO: the data of a file whose
 * compatible string is one of those below.
 */
#ifndef KHO_ABI_MEMFD_H
#define KHO_ABI_MEMFD_H

#include <iommuser/types.h>
#include <kho/abi/vmalloc.h>

#define MEMFD_V1_COMPATIBLE "memfd-v1"
#define MEMFD_V2_COMPATIBLE "memfd-v2"

/* Seals that memfd-v2 can carry: F_SEAL_SEAL to F_SEAL_EXEC. */
#define MEMFD_V2_SEALS 0x3fU

/**
 * struct memfd_v1_ser - state of a memfd
 * @pos: file position
 * @size: bytes of the file
 * @nr_folios: records in @folios
 * @folios: array of struct memfd_folio_ser
 */
struct memfd_v1_ser {
	u64 pos;
	u64 size;
	u64 nr_folios;
	struct kho_vmalloc_ser folios;
};

/**
 * struct memfd_v2_ser - state of a memfd
 * @pos: file position
 * @size: bytes of the file
 * @seals: the file's seals
 * @flags: zero
 * @nr_folios: records in @folios
 * @folios: array of struct memfd_folio_ser
 */
struct memfd_v2_ser {
	u64 pos;
	u64 size;
	u32 seals;
	u32 flags;
	u64 nr_folios;
	struct kho_vmalloc_ser folios;
};

#define MEMFD_FOLIO_PFN_BITS 52
#define MEMFD_FOLIO_DIRTY (1ULL << 52)
#define MEMFD_FOLIO_UPTODATE (1ULL << 53)

/**
 * struct memfd_folio_ser - one folio of a memfd
 * @pfn_and_flags: page frame number in the low MEMFD_FOLIO_PFN_BITS, 0 for an
 *	entry to skip; MEMFD_FOLIO_* above
 * @index: offset in the file, in pages
 */
struct memfd_folio_ser {
	u64 pfn_and_flags;
	u64 index;
};

#endif /* KHO_ABI_MEMFD_H */
