// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The known revisions of IOMMU live-update state, as tables. A new revision
 * is a new set of rows here and a header under kho/abi/.
 */
#include <iommuser/records.h>
#include <kho/abi/iommu_series.h>
#include <kho/abi/layout-iommu.h>

#include "internal.h"

/* A field of the same width on the wire as in the named wire struct. */
#define ROW_V(FIELD, wire_type, wire_member, type, member, variant)                     \
	{                                                                               \
		IOMMUSER_FIELD_##FIELD, sizeof(((wire_type *)0)->wire_member), variant, \
			offsetof(wire_type, wire_member), offsetof(type, member)        \
	}
#define ROW(FIELD, wire_type, wire_member, type, member) \
	ROW_V(FIELD, wire_type, wire_member, type, member, 0)
#define ROW_BITMAP(FIELD, wire_type, wire_member, type, member, variant)               \
	{                                                                              \
		IOMMUSER_FIELD_##FIELD, 64, variant, offsetof(wire_type, wire_member), \
			offsetof(type, member)                                         \
	}

#define INTEL IOMMUSER_IOMMU_TYPE_INTEL
#define SMMUV3 IOMMUSER_IOMMU_TYPE_ARM_SMMUV3

/* Compilers would round each table up to 32 bytes. */
#define PACKED_ROWS __attribute__((__aligned__(1)))

#define LAYOUT(layout_rows, wire_type, flags)                              \
	{                                                                  \
		.rows = layout_rows, .nr_rows = ARRAY_LENGTH(layout_rows), \
		.size = sizeof(wire_type), .known_flags = flags            \
	}

/* "iommu-v1" */

#define OBJECT_V1(wire_type, type)                                            \
	ROW(INDEX, wire_type, object.index, type, index),                     \
		ROW(REF_COUNT, wire_type, object.ref_count, type, ref_count), \
		ROW(FLAGS, wire_type, object.flags, type, flags)

static const struct iommuser_field_row iommu_v1_iommu[] PACKED_ROWS = {
	OBJECT_V1(struct iommu_v1_iommu_ser, struct iommuser_iommu),
	ROW(TOKEN, struct iommu_v1_iommu_ser, token, struct iommuser_iommu, token),
	ROW(TYPE, struct iommu_v1_iommu_ser, type, struct iommuser_iommu, type),
	ROW(REGISTERS, struct iommu_v1_iommu_ser, phys_addr, struct iommuser_iommu, registers),
	ROW(ROOT_TABLE, struct iommu_v1_iommu_ser, root_table, struct iommuser_iommu, root_table),
};

static const struct iommuser_field_row iommu_v1_domain[] PACKED_ROWS = {
	OBJECT_V1(struct iommu_v1_domain_ser, struct iommuser_domain),
	ROW(TOP_TABLE, struct iommu_v1_domain_ser, top_table, struct iommuser_domain, top_table),
	ROW(TOP_LEVEL, struct iommu_v1_domain_ser, top_level, struct iommuser_domain, top_level),
	ROW(RESTORED_DOMAIN, struct iommu_v1_domain_ser, restored_domain, struct iommuser_domain,
	    restored_domain),
};

static const struct iommuser_field_row iommu_v1_device[] PACKED_ROWS = {
	OBJECT_V1(struct iommu_v1_device_ser, struct iommuser_device),
	ROW(OWNER_TOKEN, struct iommu_v1_device_ser, token, struct iommuser_device, owner_token),
	ROW(BDF, struct iommu_v1_device_ser, devid, struct iommuser_device, bdf),
	ROW(SEGMENT, struct iommu_v1_device_ser, pci_domain, struct iommuser_device, segment),
	ROW(DID, struct iommu_v1_device_ser, did, struct iommuser_device, did),
	ROW(DOMAIN, struct iommu_v1_device_ser, domain_phys, struct iommuser_device, domain),
	ROW(IOMMU, struct iommu_v1_device_ser, iommu_phys, struct iommuser_device, iommu),
	ROW(TYPE, struct iommu_v1_device_ser, type, struct iommuser_device, type),
	ROW(PASID_DIRECTORY, struct iommu_v1_device_ser, pasid_table, struct iommuser_device,
	    pasid_directory),
	ROW(PASID_ENTRIES, struct iommu_v1_device_ser, max_pasid, struct iommuser_device,
	    pasid_entries),
};

/* "iommu-liveupdate-v1" */

#define OBJECT_LU(wire_type, type)                                    \
	ROW(REF_COUNT, wire_type, object.ref_count, type, ref_count), \
		ROW(FLAGS, wire_type, object.flags, type, flags)

#define LU_INTEL_IOMMU(wire_type)                                                                  \
	ROW_V(RESTORED, wire_type, intel.restored, struct iommuser_iommu, restored, INTEL),        \
		ROW_V(REGISTERS, wire_type, intel.phys_addr, struct iommuser_iommu, registers,     \
		      INTEL),                                                                      \
		ROW_V(ROOT_TABLE, wire_type, intel.root_table, struct iommuser_iommu, root_table,  \
		      INTEL),                                                                      \
		ROW_BITMAP(CONTEXT_TABLES, wire_type, intel.context_tables, struct iommuser_iommu, \
			   context_tables, INTEL)

static const struct iommuser_field_row iommu_liveupdate_v1_domain[] PACKED_ROWS = {
	OBJECT_LU(struct iommu_liveupdate_v1_domain_ser, struct iommuser_domain),
	ROW(TOP_TABLE, struct iommu_liveupdate_v1_domain_ser, top_table, struct iommuser_domain,
	    top_table),
	ROW(TOP_LEVEL, struct iommu_liveupdate_v1_domain_ser, top_level, struct iommuser_domain,
	    top_level),
	ROW(INPUT_WIDTH, struct iommu_liveupdate_v1_domain_ser, vasz, struct iommuser_domain,
	    input_width),
	ROW(SIGN_EXTEND, struct iommu_liveupdate_v1_domain_ser, sign_extend, struct iommuser_domain,
	    sign_extend),
	ROW(RESTORED_DOMAIN, struct iommu_liveupdate_v1_domain_ser, restored_domain,
	    struct iommuser_domain, restored_domain),
};

static const struct iommuser_field_row iommu_liveupdate_56_device[] PACKED_ROWS = {
	OBJECT_LU(struct iommu_liveupdate_56_device_ser, struct iommuser_device),
	ROW(BDF, struct iommu_liveupdate_56_device_ser, devid, struct iommuser_device, bdf),
	ROW(SEGMENT, struct iommu_liveupdate_56_device_ser, segment, struct iommuser_device,
	    segment),
	ROW(DID, struct iommu_liveupdate_56_device_ser, attachment_id, struct iommuser_device, did),
	ROW(DOMAIN, struct iommu_liveupdate_56_device_ser, domain_phys, struct iommuser_device,
	    domain),
	ROW(IOMMU, struct iommu_liveupdate_56_device_ser, iommu_phys, struct iommuser_device,
	    iommu),
	ROW(PASID_DIRECTORY, struct iommu_liveupdate_56_device_ser, pasid_table,
	    struct iommuser_device, pasid_directory),
	ROW(PASID_ENTRIES, struct iommu_liveupdate_56_device_ser, max_pasid, struct iommuser_device,
	    pasid_entries),
};

/* "iommu-liveupdate" */

/* "iommu-liveupdate-v1" has the same record, without the rows of other vendors. */
#define INTEL_ONLY_ROWS 8

static const struct iommuser_field_row iommu_liveupdate_iommu[] PACKED_ROWS = {
	OBJECT_LU(struct iommu_liveupdate_iommu_ser, struct iommuser_iommu),
	ROW(TOKEN, struct iommu_liveupdate_iommu_ser, token, struct iommuser_iommu, token),
	ROW(TYPE, struct iommu_liveupdate_iommu_ser, type, struct iommuser_iommu, type),
	LU_INTEL_IOMMU(struct iommu_liveupdate_iommu_ser),
	ROW_V(REGISTERS, struct iommu_liveupdate_iommu_ser, smmuv3.phys_addr, struct iommuser_iommu,
	      registers, SMMUV3),
	ROW_V(STRTAB_BASE_CFG, struct iommu_liveupdate_iommu_ser, smmuv3.strtab_base_cfg,
	      struct iommuser_iommu, strtab_base_cfg, SMMUV3),
	ROW_V(STRTAB_L1, struct iommu_liveupdate_iommu_ser, smmuv3.l1_strtab, struct iommuser_iommu,
	      strtab_l1, SMMUV3),
	ROW_V(STRTAB_L2, struct iommu_liveupdate_iommu_ser, smmuv3.l2_strtab, struct iommuser_iommu,
	      strtab_l2, SMMUV3),
};

static const struct iommuser_field_row iommu_liveupdate_domain[] PACKED_ROWS = {
	OBJECT_LU(struct iommu_liveupdate_domain_ser, struct iommuser_domain),
	ROW(TOP_TABLE, struct iommu_liveupdate_domain_ser, top_table, struct iommuser_domain,
	    top_table),
	ROW(TOP_LEVEL, struct iommu_liveupdate_domain_ser, top_level, struct iommuser_domain,
	    top_level),
	ROW(INPUT_WIDTH, struct iommu_liveupdate_domain_ser, vasz, struct iommuser_domain,
	    input_width),
	ROW(SIGN_EXTEND, struct iommu_liveupdate_domain_ser, sign_extend, struct iommuser_domain,
	    sign_extend),
	ROW(RESTORED_DOMAIN, struct iommu_liveupdate_domain_ser, restored_domain,
	    struct iommuser_domain, restored_domain),
};

static const struct iommuser_field_row iommu_liveupdate_device[] PACKED_ROWS = {
	OBJECT_LU(struct iommu_liveupdate_device_ser, struct iommuser_device),
	ROW(BDF, struct iommu_liveupdate_device_ser, devid, struct iommuser_device, bdf),
	ROW(SEGMENT, struct iommu_liveupdate_device_ser, segment, struct iommuser_device, segment),
	ROW(OWNER_TOKEN, struct iommu_liveupdate_device_ser, dma_owner_token,
	    struct iommuser_device, owner_token),
	ROW(DID, struct iommu_liveupdate_device_ser, attachment_id, struct iommuser_device, did),
	ROW(DOMAIN, struct iommu_liveupdate_device_ser, domain_phys, struct iommuser_device,
	    domain),
	ROW(IOMMU, struct iommu_liveupdate_device_ser, iommu_phys, struct iommuser_device, iommu),
	ROW_V(RESTORED, struct iommu_liveupdate_device_ser, intel.restored, struct iommuser_device,
	      restored, INTEL),
	ROW_V(PASID_DIRECTORY, struct iommu_liveupdate_device_ser, intel.pasid_table,
	      struct iommuser_device, pasid_directory, INTEL),
	ROW_V(PASID_ENTRIES, struct iommu_liveupdate_device_ser, intel.max_pasid,
	      struct iommuser_device, pasid_entries, INTEL),
	ROW_V(CDTAB_L1, struct iommu_liveupdate_device_ser, smmuv3.l1_cdtab, struct iommuser_device,
	      cdtab_l1, SMMUV3),
	ROW_V(CDTAB_NR_L2, struct iommu_liveupdate_device_ser, smmuv3.nr_l2, struct iommuser_device,
	      cdtab_nr_l2, SMMUV3),
	ROW_V(CDTAB_L2, struct iommu_liveupdate_device_ser, smmuv3.l2_cdtab, struct iommuser_device,
	      cdtab_l2, SMMUV3),
};

/* "iommuser-v1" */

#define RECORD(wire_type, type)                                               \
	ROW(FLAGS, wire_type, record.flags, type, flags),                     \
		ROW(REF_COUNT, wire_type, record.ref_count, type, ref_count), \
		ROW(INDEX, wire_type, record.index, type, index)
#define SAME(FIELD, kind, member) \
	ROW(FIELD, struct iommuser_##kind##_ser, member, struct iommuser_##kind, member)

static const struct iommuser_field_row iommuser_v1_iommu[] PACKED_ROWS = {
	RECORD(struct iommuser_iommu_ser, struct iommuser_iommu),
	SAME(TYPE, iommu, type),
	SAME(SEGMENT, iommu, segment),
	SAME(TOKEN, iommu, token),
	SAME(MODE, iommu, mode),
	SAME(HOST_ADDRESS_WIDTH, iommu, host_address_width),
	SAME(ROOT_TABLE, iommu, root_table),
	SAME(CAP, iommu, cap),
	SAME(ECAP, iommu, ecap),
	SAME(FIRST_DID, iommu, first_did),
	SAME(DID_LIMIT, iommu, did_limit),
	ROW_BITMAP(CONTEXT_TABLES, struct iommuser_iommu_ser, context_tables, struct iommuser_iommu,
		   context_tables, 0),
};

static const struct iommuser_field_row iommuser_v1_domain[] PACKED_ROWS = {
	RECORD(struct iommuser_domain_ser, struct iommuser_domain),
	SAME(STAGE, domain, stage),
	SAME(FORMAT, domain, format),
	SAME(TOP_TABLE, domain, top_table),
	SAME(TOP_LEVEL, domain, top_level),
	SAME(INPUT_WIDTH, domain, input_width),
	SAME(OUTPUT_WIDTH, domain, output_width),
	SAME(FEATURES, domain, features),
	SAME(PAGE_SIZE_BITMAP, domain, page_size_bitmap),
	SAME(NR_TABLE_PAGES, domain, nr_table_pages),
};

static const struct iommuser_field_row iommuser_v1_device[] PACKED_ROWS = {
	RECORD(struct iommuser_device_ser, struct iommuser_device),
	SAME(SEGMENT, device, segment),
	SAME(BDF, device, bdf),
	SAME(OWNER_TOKEN, device, owner_token),
	SAME(IOMMU, device, iommu),
	SAME(GROUP_SIZE, device, group_size),
	SAME(DEVICE_FLAGS, device, device_flags),
	SAME(PASID_DIRECTORY, device, pasid_directory),
	SAME(PASID_ENTRIES, device, pasid_entries),
	SAME(RID_PASID, device, rid_pasid),
};

static const struct iommuser_field_row iommuser_v1_alias[] PACKED_ROWS = {
	RECORD(struct iommuser_alias_ser, struct iommuser_alias),
	SAME(SEGMENT, alias, segment),
	SAME(BDF, alias, bdf),
	SAME(DEVICE, alias, device),
	SAME(TYPE, alias, type),
};

static const struct iommuser_field_row iommuser_v1_attachment[] PACKED_ROWS = {
	RECORD(struct iommuser_attachment_ser, struct iommuser_attachment),
	SAME(DEVICE, attachment, device),
	SAME(DOMAIN, attachment, domain),
	SAME(PASID, attachment, pasid),
	SAME(ATTACHMENT_FLAGS, attachment, attachment_flags),
	SAME(DID, attachment, did),
};

static const struct iommuser_field_row iommuser_v1_hwpt[] PACKED_ROWS = {
	RECORD(struct iommuser_hwpt_ser, struct iommuser_hwpt),
	SAME(IOMMUFD_TOKEN, hwpt, iommufd_token),
	SAME(HWPT_TOKEN, hwpt, hwpt_token),
	SAME(DOMAIN, hwpt, domain),
};

#define SERIES_FLAGS (IOMMUSER_FLAG_DELETED | IOMMUSER_FLAG_INCOMING)

static const struct iommuser_revision revisions[] = {
	{
		.name = IOMMUSER_V1_COMPATIBLE,
		.flb_name = IOMMUSER_V1_COMPATIBLE,
		.properties = IOMMUSER_REVISION_SEALED | IOMMUSER_REVISION_TOTALS |
			      IOMMUSER_REVISION_ATTACHMENTS,
		.root_size = sizeof(struct iommuser_root_ser),
		.arrays_offset = offsetof(struct iommuser_root_ser, arrays),
		.array_stride = sizeof(struct iommuser_array_ser),
		.page_header_size = sizeof(struct iommuser_page_ser),
		.kinds = {
			{ 0 },
			LAYOUT(iommuser_v1_iommu, struct iommuser_iommu_ser, IOMMUSER_FLAG_DELETED),
			LAYOUT(iommuser_v1_domain, struct iommuser_domain_ser,
			       IOMMUSER_FLAG_DELETED),
			LAYOUT(iommuser_v1_device, struct iommuser_device_ser,
			       IOMMUSER_FLAG_DELETED),
			LAYOUT(iommuser_v1_alias, struct iommuser_alias_ser, IOMMUSER_FLAG_DELETED),
			LAYOUT(iommuser_v1_attachment, struct iommuser_attachment_ser,
			       IOMMUSER_FLAG_DELETED),
			LAYOUT(iommuser_v1_hwpt, struct iommuser_hwpt_ser, IOMMUSER_FLAG_DELETED),
		},
	},
	{
		.name = IOMMU_V1_COMPATIBLE,
		.flb_name = IOMMU_V1_COMPATIBLE,
		.properties = IOMMUSER_REVISION_TOTALS | IOMMUSER_REVISION_STALE_DEVICES,
		.root_size = sizeof(struct iommu_v1_root_ser),
		.array_stride = 16,
		.page_header_size = sizeof(struct iommu_page_ser),
		.kinds = {
			{ 0 },
			LAYOUT(iommu_v1_iommu, struct iommu_v1_iommu_ser, SERIES_FLAGS),
			LAYOUT(iommu_v1_domain, struct iommu_v1_domain_ser, SERIES_FLAGS),
			LAYOUT(iommu_v1_device, struct iommu_v1_device_ser, SERIES_FLAGS),
		},
	},
	{
		.name = IOMMU_LIVEUPDATE_V1_COMPATIBLE,
		.flb_name = IOMMU_LIVEUPDATE_V1_COMPATIBLE,
		.root_size = sizeof(struct iommu_liveupdate_v1_root_ser),
		.array_stride = 8,
		.page_header_size = sizeof(struct iommu_page_ser),
		.kinds = {
			{ 0 },
			{ .rows = iommu_liveupdate_iommu,
			  .nr_rows = INTEL_ONLY_ROWS,
			  .size = sizeof(struct iommu_liveupdate_iommu_ser),
			  .known_flags = SERIES_FLAGS },
			LAYOUT(iommu_liveupdate_v1_domain, struct iommu_liveupdate_v1_domain_ser,
			       SERIES_FLAGS),
			LAYOUT(iommu_liveupdate_56_device, struct iommu_liveupdate_56_device_ser,
			       SERIES_FLAGS),
		},
	},
	{
		.name = IOMMU_LIVEUPDATE_COMPATIBLE,
		.flb_name = IOMMU_LIVEUPDATE_COMPATIBLE,
		.version = IOMMU_LIVEUPDATE_VERSION,
		.properties = IOMMUSER_REVISION_VERSION,
		.root_size = sizeof(struct iommu_liveupdate_root_ser),
		.arrays_offset = offsetof(struct iommu_liveupdate_root_ser, iommus),
		.array_stride = 8,
		.page_header_size = sizeof(struct iommu_page_ser),
		.kinds = {
			{ 0 },
			LAYOUT(iommu_liveupdate_iommu, struct iommu_liveupdate_iommu_ser,
			       SERIES_FLAGS),
			LAYOUT(iommu_liveupdate_domain, struct iommu_liveupdate_domain_ser,
			       SERIES_FLAGS),
			LAYOUT(iommu_liveupdate_device, struct iommu_liveupdate_device_ser,
			       SERIES_FLAGS),
		},
	},
	{
		.name = IOMMU_LIVEUPDATE_COMPATIBLE "-56",
		.flb_name = IOMMU_LIVEUPDATE_COMPATIBLE,
		.version = IOMMU_LIVEUPDATE_VERSION,
		.properties = IOMMUSER_REVISION_VERSION,
		.root_size = sizeof(struct iommu_liveupdate_root_ser),
		.arrays_offset = offsetof(struct iommu_liveupdate_root_ser, iommus),
		.array_stride = 8,
		.page_header_size = sizeof(struct iommu_page_ser),
		.kinds = {
			{ 0 },
			LAYOUT(iommu_liveupdate_iommu, struct iommu_liveupdate_iommu_ser,
			       SERIES_FLAGS),
			LAYOUT(iommu_liveupdate_domain, struct iommu_liveupdate_domain_ser,
			       SERIES_FLAGS),
			LAYOUT(iommu_liveupdate_56_device, struct iommu_liveupdate_56_device_ser,
			       SERIES_FLAGS),
		},
	},
};

static bool same_string(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const struct iommuser_revision *iommuser_revision_at(u32 i)
{
	return i < ARRAY_LENGTH(revisions) ? &revisions[i] : NULL;
}

const struct iommuser_revision *iommuser_revision_by_name(const char *name)
{
	u32 i;

	for (i = 0; i < ARRAY_LENGTH(revisions); i++)
		if (same_string(revisions[i].name, name))
			return &revisions[i];
	return NULL;
}
