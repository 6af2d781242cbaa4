/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * "iommuser-v1": the wire layout that iommuser's own kernel glue writes.
 *
 * DRAFT until the kernel glue has used it in earnest; docs/format.md is the
 * specification. Every field is little-endian and naturally aligned, every
 * address physical, every reserved byte zero.
 *
 *   root page (struct iommuser_root_ser, sealed)
 *     arrays[IOMMUSER_KIND_IOMMU - 1]      -> page -> page -> ...
 *     arrays[IOMMUSER_KIND_DOMAIN - 1]     -> page -> ...
 *     ...                                     each page:
 *                                               struct iommuser_page_ser
 *                                               record, record, ...
 *                                               zero tail
 *   References between records are physical addresses of records.
 */
#ifndef KHO_ABI_IOMMUSER_H
#define KHO_ABI_IOMMUSER_H

#include <iommuser/types.h>

/* Name of the FLB whose data is the physical address of the root page. */
#define IOMMUSER_V1_COMPATIBLE "iommuser-v1"
/* Compatible strings of our files in a LUO session. */
#define IOMMUSER_IOMMUFD_V1_COMPATIBLE "iommuser-iommufd-v1"
#define IOMMUSER_VFIO_PCI_V1_COMPATIBLE "iommuser-vfio-pci-v1"

/* The bytes "IOMMUSER" read as a little-endian number. */
#define IOMMUSER_MAGIC 0x524553554d4d4f49ULL
#define IOMMUSER_FORMAT_MAJOR 1
#define IOMMUSER_FORMAT_MINOR 0

/* Record kinds; also the order of iommuser_root_ser.arrays, minus one. */
#define IOMMUSER_KIND_IOMMU 1
#define IOMMUSER_KIND_DOMAIN 2
#define IOMMUSER_KIND_DEVICE 3
#define IOMMUSER_KIND_ALIAS 4
#define IOMMUSER_KIND_ATTACHMENT 5
#define IOMMUSER_KIND_HWPT 6
#define IOMMUSER_NR_KINDS 6

/**
 * struct iommuser_array_ser - one chain of record pages, as the root sees it
 * @first_page: physical address of the first page, 0 when there is none
 * @nr_records: records in the whole chain, deleted ones included
 * @nr_deleted: deleted records among them
 */
struct iommuser_array_ser {
	u64 first_page;
	u64 nr_records;
	u64 nr_deleted;
};

/**
 * struct iommuser_root_ser - start of the root page
 * @magic: IOMMUSER_MAGIC
 * @format_major: a reader refuses a major it does not know
 * @format_minor: a reader skips what a newer minor appended
 * @root_size: bytes of the root page that are in use; the rest is zero
 * @crc: CRC-32 of the whole root page with this field taken as zero
 * @page_size: bytes of every page of the handover (4096, 16384 or 65536)
 * @generation: chosen by the writer, the same in every page header
 * @arrays: one chain per record kind
 * @kernel_release: the writer's release, NUL-padded
 * @reserved: zero
 */
struct iommuser_root_ser {
	u64 magic;
	u16 format_major;
	u16 format_minor;
	u32 root_size;
	u32 crc;
	u32 page_size;
	u64 generation;
	struct iommuser_array_ser arrays[IOMMUSER_NR_KINDS];
	u8 kernel_release[72];
	u64 reserved;
};

/**
 * struct iommuser_page_ser - header of a page of records
 * @next: physical address of the next page of the chain, 0 at its end
 * @count: records in this page, at least one, deleted ones included
 * @kind: IOMMUSER_KIND_* of every record in the page
 * @record_size: bytes per record, a multiple of 8
 * @sequence: position of the page in its chain, from 0
 * @generation: that of the root
 * @self: physical address of this page
 * @crc: CRC-32 of the whole page with this field taken as zero
 * @reserved: zero
 */
struct iommuser_page_ser {
	u64 next;
	u64 count;
	u32 kind;
	u32 record_size;
	u64 sequence;
	u64 generation;
	u64 self;
	u32 crc;
	u32 reserved[3];
};

/* A deleted record: every other field is meaningless and ignored. */
#define IOMMUSER_RECORD_DELETED (1U << 0)

/**
 * struct iommuser_record_ser - start of every record
 * @flags: IOMMUSER_RECORD_*
 * @ref_count: live records that refer to this one, at least 1; for kinds
 *	that nothing refers to, 1
 * @index: position in the chain, from 0, deleted records counted
 */
struct iommuser_record_ser {
	u32 flags;
	u32 ref_count;
	u64 index;
};

#define IOMMUSER_IOMMU_TYPE_INTEL 1
#define IOMMUSER_IOMMU_MODE_LEGACY 1
#define IOMMUSER_IOMMU_MODE_SCALABLE 2

/**
 * struct iommuser_iommu_ser - one preserved IOMMU
 * @record: ref_count counts the live device records
 * @type: IOMMUSER_IOMMU_TYPE_*
 * @segment: PCI segment of the unit
 * @token: physical address of the register set
 * @mode: IOMMUSER_IOMMU_MODE_*
 * @host_address_width: bits of a physical address that the unit can emit
 * @root_table: physical address of the root table
 * @cap: capability register
 * @ecap: extended capability register
 * @first_did: lowest domain id that a preserved domain may have
 * @did_limit: domain ids are below this number
 * @context_tables: bitmap of present context tables; bit bus * 2 + (devfn >> 7)
 *	in scalable mode, bus * 2 in legacy mode
 * @reserved: zero
 */
struct iommuser_iommu_ser {
	struct iommuser_record_ser record;
	u32 type;
	u32 segment;
	u64 token;
	u32 mode;
	u32 host_address_width;
	u64 root_table;
	u64 cap;
	u64 ecap;
	u32 first_did;
	u32 did_limit;
	u64 context_tables[8];
	u64 reserved[7];
};

#define IOMMUSER_STAGE_FIRST 1
#define IOMMUSER_STAGE_SECOND 2

#define IOMMUSER_FORMAT_VTD_FIRST_STAGE 1
#define IOMMUSER_FORMAT_VTD_SECOND_STAGE 2

#define IOMMUSER_FEATURE_INCOHERENT_WALK (1U << 0)
#define IOMMUSER_FEATURE_SIGN_EXTEND (1U << 1)
#define IOMMUSER_FEATURE_FORCE_SNOOP (1U << 2)
#define IOMMUSER_FEATURE_DIRTY_TRACKING (1U << 3)
#define IOMMUSER_FEATURE_NESTED_PARENT (1U << 4)

/**
 * struct iommuser_domain_ser - one preserved paging domain
 * @record: ref_count counts live attachment and hwpt records
 * @stage: IOMMUSER_STAGE_*
 * @format: IOMMUSER_FORMAT_*
 * @top_table: physical address of the top table
 * @top_level: level of the top table, 0 being the level of 4 KiB entries
 * @input_width: bits of an IOVA
 * @output_width: bits of a physical address in the tables
 * @features: IOMMUSER_FEATURE_*
 * @page_size_bitmap: leaf sizes in use, bit n for 2^n bytes
 * @nr_table_pages: table pages, the top included
 * @reserved: zero
 */
struct iommuser_domain_ser {
	struct iommuser_record_ser record;
	u32 stage;
	u32 format;
	u64 top_table;
	u32 top_level;
	u32 input_width;
	u32 output_width;
	u32 features;
	u64 page_size_bitmap;
	u64 nr_table_pages;
	u64 reserved[8];
};

#define IOMMUSER_DEVICE_ATS (1U << 0)
#define IOMMUSER_DEVICE_PRE (1U << 1)
#define IOMMUSER_DEVICE_RESET_WORKS (1U << 2)

/**
 * struct iommuser_device_ser - one preserved PCI device
 * @record: ref_count counts live alias and attachment records
 * @segment: PCI segment
 * @bdf: bus << 8 | devfn
 * @owner_token: the iommufd that owns the device's DMA, named by the physical
 *	address of its struct iommuser_iommufd_file_ser
 * @iommu: physical address of the iommu record
 * @group_size: devices in the IOMMU group
 * @device_flags: IOMMUSER_DEVICE_*; IOMMUSER_DEVICE_PRE is never set
 * @pasid_directory: physical address, 0 in legacy mode
 * @pasid_entries: PASIDs that the directory covers (its entries times 64),
 *	0 in legacy mode
 * @rid_pasid: PASID of requests without one
 * @reserved: zero
 */
struct iommuser_device_ser {
	struct iommuser_record_ser record;
	u32 segment;
	u32 bdf;
	u64 owner_token;
	u64 iommu;
	u32 group_size;
	u32 device_flags;
	u64 pasid_directory;
	u32 pasid_entries;
	u32 rid_pasid;
	u64 reserved[8];
};

#define IOMMUSER_ALIAS_DMA 1
#define IOMMUSER_ALIAS_REAL_DMA_PARENT 2

/**
 * struct iommuser_alias_ser - a further requester id that a device uses
 * @record: common start
 * @segment: PCI segment of the requester id
 * @bdf: bus << 8 | devfn of the requester id
 * @device: physical address of the device record
 * @type: IOMMUSER_ALIAS_*
 * @reserved: zero
 */
struct iommuser_alias_ser {
	struct iommuser_record_ser record;
	u32 segment;
	u32 bdf;
	u64 device;
	u32 type;
	u32 reserved[7];
};

/* The attachment is that of one PASID; without it, that of plain requests. */
#define IOMMUSER_ATTACHMENT_HAS_PASID (1U << 0)

/**
 * struct iommuser_attachment_ser - which domain a device's requests use
 * @record: common start
 * @device: physical address of the device record
 * @domain: physical address of the domain record
 * @pasid: the PASID; 0 without IOMMUSER_ATTACHMENT_HAS_PASID
 * @attachment_flags: IOMMUSER_ATTACHMENT_*
 * @did: domain id of the domain on the device's IOMMU
 * @reserved: zero
 */
struct iommuser_attachment_ser {
	struct iommuser_record_ser record;
	u64 device;
	u64 domain;
	u32 pasid;
	u32 attachment_flags;
	u32 did;
	u32 reserved[5];
};

/**
 * struct iommuser_hwpt_ser - an iommufd HWPT and the domain behind it
 * @record: common start
 * @iommufd_token: its iommufd, named like the owner of a device: LUO tokens are
 *	unique in their session only
 * @hwpt_token: token that userspace marked the HWPT with, unique in its iommufd
 * @domain: physical address of the domain record
 * @reserved: zero
 */
struct iommuser_hwpt_ser {
	struct iommuser_record_ser record;
	u64 iommufd_token;
	u64 hwpt_token;
	u64 domain;
	u64 reserved[3];
};

/**
 * struct iommuser_iommufd_file_ser - data of an "iommuser-iommufd-v1" file
 * @iommufd_token: LUO token of this file
 * @nr_hwpts: live hwpt records that name this structure
 * @root: physical address of the root page
 * @reserved: zero
 */
struct iommuser_iommufd_file_ser {
	u64 iommufd_token;
	u64 nr_hwpts;
	u64 root;
	u64 reserved[5];
};

/**
 * struct iommuser_vfio_pci_file_ser - data of an "iommuser-vfio-pci-v1" file
 * @segment: PCI segment
 * @bdf: bus << 8 | devfn
 * @iommufd_token: LUO token of the iommufd the device is bound to, in the same
 *	session
 * @device: physical address of the device record
 * @device_flags: IOMMUSER_DEVICE_*
 * @reserved: zero
 */
struct iommuser_vfio_pci_file_ser {
	u32 segment;
	u32 bdf;
	u64 iommufd_token;
	u64 device;
	u32 device_flags;
	u32 reserved[9];
};

#endif /* KHO_ABI_IOMMUSER_H */
