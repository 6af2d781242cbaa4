/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Wire layouts of the posted, unmerged IOMMU live-update series: "iommu-v1",
 * "iommu-liveupdate-v1" and "iommu-liveupdate". Read only: iommuser's kernel
 * glue never writes them.
 *
 * All three keep a root that leads to chains of pages of records. A page
 * starts with struct iommu_page_ser. The series packs its structs, so fields
 * stand at odd offsets; all are little-endian.
 */
#ifndef KHO_ABI_IOMMU_SERIES_H
#define KHO_ABI_IOMMU_SERIES_H

#include <iommuser/types.h>

#define IOMMU_V1_COMPATIBLE "iommu-v1"
#define IOMMU_LIVEUPDATE_V1_COMPATIBLE "iommu-liveupdate-v1"
#define IOMMU_LIVEUPDATE_COMPATIBLE "iommu-liveupdate"
#define IOMMU_LIVEUPDATE_VERSION 1

#define IOMMU_IOMMUFD_V1_COMPATIBLE "iommufd-v1"
#define IOMMU_VFIO_PCI_V1_COMPATIBLE "vfio-pci-v1"

#define IOMMU_SERIES_PACKED __attribute__((__packed__))

/**
 * struct iommu_page_ser - header of a page of records
 * @next: physical address of the next page, 0 at the end
 * @count: records in this page
 */
struct iommu_page_ser {
	u64 next;
	u64 count;
};

/* Flags of a record, in every revision. */
#define IOMMU_SERIES_DELETED (1U << 0)
#define IOMMU_SERIES_INCOMING (1U << 1)

/* "iommu-v1" */

/**
 * struct iommu_v1_object_ser - start of every record
 * @index: position in the chain, over all pages
 * @ref_count: users; only that of an iommu record is kept up
 * @flags: IOMMU_SERIES_*
 */
struct iommu_v1_object_ser {
	u32 index;
	u32 ref_count;
	u8 flags;
} IOMMU_SERIES_PACKED;

/**
 * struct iommu_v1_root_ser - payload of the FLB
 * @iommus: first page of iommu records
 * @nr_iommus: records, deleted ones included
 * @domains: first page of domain records
 * @nr_domains: records, deleted ones included
 * @devices: first page of device records
 * @nr_devices: records, deleted ones included
 */
struct iommu_v1_root_ser {
	u64 iommus;
	u64 nr_iommus;
	u64 domains;
	u64 nr_domains;
	u64 devices;
	u64 nr_devices;
} IOMMU_SERIES_PACKED;

/**
 * struct iommu_v1_iommu_ser - one unit
 * @object: start of the record
 * @token: register base
 * @type: 1 Intel VT-d
 * @phys_addr: register base
 * @root_table: physical address of the root table
 */
struct iommu_v1_iommu_ser {
	struct iommu_v1_object_ser object;
	u64 token;
	u32 type;
	u64 phys_addr;
	u64 root_table;
} IOMMU_SERIES_PACKED;

/**
 * struct iommu_v1_domain_ser - one domain
 * @object: start of the record
 * @top_table: physical address of the top table
 * @top_level: 2 for 3 levels, 3 for 4, 4 for 5
 * @restored_domain: a kernel pointer at run time
 */
struct iommu_v1_domain_ser {
	struct iommu_v1_object_ser object;
	u64 top_table;
	u64 top_level;
	u64 restored_domain;
} IOMMU_SERIES_PACKED;

/**
 * struct iommu_v1_device_ser - one device
 * @object: start of the record
 * @token: LUO token of the iommufd
 * @devid: bus << 8 | devfn
 * @pci_domain: PCI segment
 * @did: domain id on its unit
 * @domain_phys: physical address of the domain record
 * @iommu_phys: physical address of the iommu record
 * @type: left at 0
 * @pasid_table: PASID directory, 0 in legacy mode
 * @max_pasid: PASIDs that the directory covers, 0 in legacy mode
 */
struct iommu_v1_device_ser {
	struct iommu_v1_object_ser object;
	u64 token;
	u32 devid;
	u32 pci_domain;
	u32 did;
	u64 domain_phys;
	u64 iommu_phys;
	u32 type;
	u64 pasid_table;
	u64 max_pasid;
} IOMMU_SERIES_PACKED;

#define IOMMU_V1_IOMMUFD_MAX_HWPTS 65535

/**
 * struct iommu_v1_hwpt_ser - one HWPT in the data of an iommufd file
 * @token: token of the HWPT
 * @domain_data: physical address of the domain record
 * @reclaimed: used at run time
 */
struct iommu_v1_hwpt_ser {
	u32 token;
	u64 domain_data;
	u8 reclaimed;
} IOMMU_SERIES_PACKED;

/**
 * struct iommu_v1_iommufd_ser - data of an "iommufd-v1" file of "iommu-v1"
 * @nr_hwpts: struct iommu_v1_hwpt_ser that follow
 */
struct iommu_v1_iommufd_ser {
	u32 nr_hwpts;
} IOMMU_SERIES_PACKED;

/**
 * struct iommu_v1_vfio_pci_ser - data of a "vfio-pci-v1" file
 * @bdf: bus << 8 | devfn
 * @segment: PCI segment
 * @reset_works: 1 when the device can be reset
 * @iommufd_token: LUO token of the iommufd, cut to 32 bits
 */
struct iommu_v1_vfio_pci_ser {
	u16 bdf;
	u16 segment;
	u8 reset_works;
	u32 iommufd_token;
} IOMMU_SERIES_PACKED;

/* "iommu-liveupdate-v1" and "iommu-liveupdate" */

/**
 * struct iommu_liveupdate_object_ser - start of every record
 * @ref_count: users; only that of an iommu record is kept up
 * @flags: IOMMU_SERIES_*
 */
struct iommu_liveupdate_object_ser {
	u32 ref_count;
	u32 flags;
};

/**
 * struct iommu_liveupdate_v1_root_ser - payload of the FLB "iommu-liveupdate-v1"
 * @iommus: first page of iommu records
 * @domains: first page of domain records
 * @devices: first page of device records
 */
struct iommu_liveupdate_v1_root_ser {
	u64 iommus;
	u64 domains;
	u64 devices;
};

/**
 * struct iommu_liveupdate_root_ser - payload of the FLB "iommu-liveupdate"
 * @version: IOMMU_LIVEUPDATE_VERSION
 * @iommus: first page of iommu records
 * @domains: first page of domain records
 * @devices: first page of device records
 */
struct iommu_liveupdate_root_ser {
	u64 version;
	u64 iommus;
	u64 domains;
	u64 devices;
};

/**
 * struct iommu_liveupdate_intel_ser - VT-d part of an iommu record
 * @restored: set at run time
 * @padding: zero
 * @phys_addr: register base
 * @root_table: physical address of the root table
 * @context_tables: bitmap; bit bus * 2 + (devfn >> 7) in scalable mode,
 *	bus * 2 in legacy mode
 */
struct iommu_liveupdate_intel_ser {
	u8 restored;
	u8 padding[7];
	u64 phys_addr;
	u64 root_table;
	u64 context_tables[8];
};

/**
 * struct iommu_liveupdate_smmuv3_ser - Arm SMMUv3 part of an iommu record
 * @phys_addr: register base
 * @strtab_base_cfg: register value
 * @l1_strtab: state of the first-level stream table
 * @l2_strtab: physical address of the states of the second-level tables
 * @padding: zero
 */
struct iommu_liveupdate_smmuv3_ser {
	u64 phys_addr;
	u64 strtab_base_cfg;
	u64 l1_strtab;
	u64 l2_strtab;
	u64 padding[7];
};

/**
 * struct iommu_liveupdate_iommu_ser - one unit
 * @object: start of the record
 * @token: register base
 * @type: 1 Intel VT-d, 2 Arm SMMUv3
 * @intel: when @type is 1
 * @smmuv3: when @type is 2
 */
struct iommu_liveupdate_iommu_ser {
	struct iommu_liveupdate_object_ser object;
	u64 token;
	u64 type;
	union {
		struct iommu_liveupdate_intel_ser intel;
		struct iommu_liveupdate_smmuv3_ser smmuv3;
	};
};

/**
 * struct iommu_liveupdate_v1_domain_ser - one domain, in "iommu-liveupdate-v1"
 * @object: start of the record
 * @top_table: physical address of the top table
 * @top_level: 2 for 3 levels, 3 for 4, 4 for 5
 * @vasz: bits of an IOVA
 * @sign_extend: 1 when the upper half is sign-extended
 * @restored_domain: a kernel pointer at run time
 */
struct iommu_liveupdate_v1_domain_ser {
	struct iommu_liveupdate_object_ser object;
	u64 top_table;
	u64 top_level;
	u32 vasz;
	u8 sign_extend;
	u64 restored_domain;
} IOMMU_SERIES_PACKED;

/**
 * struct iommu_liveupdate_domain_ser - one domain, in "iommu-liveupdate"
 * @object: start of the record
 * @top_table: physical address of the top table
 * @top_level: 2 for 3 levels, 3 for 4, 4 for 5
 * @vasz: bits of an IOVA
 * @sign_extend: 1 when the upper half is sign-extended
 * @padding: zero
 * @restored_domain: a kernel pointer at run time
 */
struct iommu_liveupdate_domain_ser {
	struct iommu_liveupdate_object_ser object;
	u64 top_table;
	u64 top_level;
	u32 vasz;
	u8 sign_extend;
	u8 padding[3];
	u64 restored_domain;
};

/**
 * struct iommu_liveupdate_56_device_ser - one device, in "iommu-liveupdate-v1"
 *	and in an early variant of "iommu-liveupdate"
 * @object: start of the record
 * @devid: bus << 8 | devfn
 * @segment: PCI segment
 * @attachment_id: domain id on its unit
 * @domain_phys: physical address of the domain record
 * @iommu_phys: physical address of the iommu record
 * @pasid_table: PASID directory, 0 in legacy mode
 * @max_pasid: PASIDs that the directory covers, 0 in legacy mode
 */
struct iommu_liveupdate_56_device_ser {
	struct iommu_liveupdate_object_ser object;
	u32 devid;
	u32 segment;
	u64 attachment_id;
	u64 domain_phys;
	u64 iommu_phys;
	u64 pasid_table;
	u64 max_pasid;
};

/**
 * struct iommu_liveupdate_intel_device_ser - VT-d part of a device record
 * @restored: set at run time
 * @padding: zero
 * @pasid_table: PASID directory, 0 in legacy mode
 * @max_pasid: PASIDs that the directory covers, 0 in legacy mode
 */
struct iommu_liveupdate_intel_device_ser {
	u8 restored;
	u8 padding[7];
	u64 pasid_table;
	u64 max_pasid;
};

/**
 * struct iommu_liveupdate_smmuv3_device_ser - Arm SMMUv3 part of a device record
 * @l1_cdtab: state of the first-level context descriptor table
 * @nr_l2: second-level tables
 * @padding: zero
 * @l2_cdtab: physical address of their states
 */
struct iommu_liveupdate_smmuv3_device_ser {
	u64 l1_cdtab;
	u32 nr_l2;
	u32 padding;
	u64 l2_cdtab;
};

/**
 * struct iommu_liveupdate_device_ser - one device, in "iommu-liveupdate"
 * @object: start of the record
 * @devid: bus << 8 | devfn
 * @segment: PCI segment
 * @dma_owner_token: LUO token of the iommufd
 * @attachment_id: domain id on its unit
 * @domain_phys: physical address of the domain record
 * @iommu_phys: physical address of the iommu record
 * @intel: when the unit is Intel VT-d
 * @smmuv3: when the unit is Arm SMMUv3
 */
struct iommu_liveupdate_device_ser {
	struct iommu_liveupdate_object_ser object;
	u32 devid;
	u32 segment;
	u64 dma_owner_token;
	u64 attachment_id;
	u64 domain_phys;
	u64 iommu_phys;
	union {
		struct iommu_liveupdate_intel_device_ser intel;
		struct iommu_liveupdate_smmuv3_device_ser smmuv3;
	};
};

/**
 * struct iommu_liveupdate_hwpt_ser - one HWPT in the data of an iommufd file
 * @domain_phys: physical address of the domain record
 * @token: token of the HWPT
 * @reclaimed: used at run time
 * @padding: zero
 */
struct iommu_liveupdate_hwpt_ser {
	u64 domain_phys;
	u64 token;
	u8 reclaimed;
	u8 padding[7];
};

/**
 * struct iommu_liveupdate_iommufd_ser - data of an iommufd file
 * @nr_hwpts: struct iommu_liveupdate_hwpt_ser that follow
 */
struct iommu_liveupdate_iommufd_ser {
	u64 nr_hwpts;
};

#endif /* KHO_ABI_IOMMU_SERIES_H */
