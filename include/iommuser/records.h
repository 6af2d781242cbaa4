/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records of preserved IOMMU state: one in-memory form for all revisions, and
 * the tables that say where each revision keeps each field.
 */
#ifndef IOMMUSER_RECORDS_H
#define IOMMUSER_RECORDS_H

#include <iommuser/types.h>
#include <kho/abi/iommuser.h>

/* X(symbol, name): every field that a record, page header or root can have. */
#define IOMMUSER_FIELDS(X)                          \
	X(FLAGS, "flags")                           \
	X(REF_COUNT, "ref_count")                   \
	X(INDEX, "index")                           \
	X(TYPE, "type")                             \
	X(SEGMENT, "segment")                       \
	X(BDF, "bdf")                               \
	X(TOKEN, "token")                           \
	X(MODE, "mode")                             \
	X(HOST_ADDRESS_WIDTH, "host_address_width") \
	X(REGISTERS, "phys_addr")                   \
	X(ROOT_TABLE, "root_table")                 \
	X(CAP, "cap")                               \
	X(ECAP, "ecap")                             \
	X(FIRST_DID, "first_did")                   \
	X(DID_LIMIT, "did_limit")                   \
	X(CONTEXT_TABLES, "context_tables")         \
	X(RESTORED, "restored")                     \
	X(STAGE, "stage")                           \
	X(FORMAT, "format")                         \
	X(TOP_TABLE, "top_table")                   \
	X(TOP_LEVEL, "top_level")                   \
	X(INPUT_WIDTH, "input_width")               \
	X(OUTPUT_WIDTH, "output_width")             \
	X(FEATURES, "features")                     \
	X(SIGN_EXTEND, "sign_extend")               \
	X(PAGE_SIZE_BITMAP, "page_size_bitmap")     \
	X(NR_TABLE_PAGES, "nr_table_pages")         \
	X(RESTORED_DOMAIN, "restored_domain")       \
	X(OWNER_TOKEN, "owner_token")               \
	X(IOMMU, "iommu")                           \
	X(DOMAIN, "domain")                         \
	X(DEVICE, "device")                         \
	X(DID, "did")                               \
	X(GROUP_SIZE, "group_size")                 \
	X(DEVICE_FLAGS, "device_flags")             \
	X(PASID_DIRECTORY, "pasid_directory")       \
	X(PASID_ENTRIES, "pasid_entries")           \
	X(RID_PASID, "rid_pasid")                   \
	X(PASID, "pasid")                           \
	X(ATTACHMENT_FLAGS, "attachment_flags")     \
	X(IOMMUFD_TOKEN, "iommufd_token")           \
	X(HWPT_TOKEN, "hwpt_token")                 \
	X(STRTAB_BASE_CFG, "strtab_base_cfg")       \
	X(STRTAB_L1, "strtab_l1")                   \
	X(STRTAB_L2, "strtab_l2")                   \
	X(CDTAB_L1, "cdtab_l1")                     \
	X(CDTAB_NR_L2, "cdtab_nr_l2")               \
	X(CDTAB_L2, "cdtab_l2")                     \
	X(RESERVED, "reserved")                     \
	X(MAGIC, "magic")                           \
	X(VERSION, "version")                       \
	X(ROOT_SIZE, "root_size")                   \
	X(PAGE_SIZE, "page_size")                   \
	X(FIRST_PAGE, "first_page")                 \
	X(NR_RECORDS, "nr_records")                 \
	X(NR_DELETED, "nr_deleted")                 \
	X(KERNEL_RELEASE, "kernel_release")         \
	X(GENERATION, "generation")                 \
	X(CRC, "crc")

#define IOMMUSER_FIELD_ENUM(symbol, name) IOMMUSER_FIELD_##symbol,

/** enum iommuser_field - names a field in tables and findings; 0 is none */
enum iommuser_field {
	IOMMUSER_FIELD_NONE,
	IOMMUSER_FIELDS(IOMMUSER_FIELD_ENUM) IOMMUSER_NR_FIELDS
};

/* Bits of the flags member of every in-memory record. */
#define IOMMUSER_FLAG_DELETED (1U << 0)
#define IOMMUSER_FLAG_INCOMING (1U << 1)

/* Values of iommuser_iommu.type beyond IOMMUSER_IOMMU_TYPE_INTEL. */
#define IOMMUSER_IOMMU_TYPE_ARM_SMMUV3 2

/*
 * In-memory records. Every member is a u64, so that one decoder fills them
 * all; a member that a revision does not have is 0 (iommuser_revision_has()
 * tells the difference). Meanings are those of the fields of the same name in
 * kho/abi/iommuser.h. owner_token and iommufd_token are only compared: keys
 * that name an iommufd ("iommuser-v1"), or its LUO token (elsewhere).
 */

/** struct iommuser_iommu - in-memory form of an iommu record */
struct iommuser_iommu {
	u64 phys;
	u64 flags, ref_count, index;
	u64 type, segment, token, mode, host_address_width;
	u64 registers, root_table, cap, ecap, first_did, did_limit;
	u64 context_tables[8];
	u64 restored;
	u64 strtab_base_cfg, strtab_l1, strtab_l2;
};

/** struct iommuser_domain - in-memory form of a domain record */
struct iommuser_domain {
	u64 phys;
	u64 flags, ref_count, index;
	u64 stage, format, top_table, top_level, input_width, output_width;
	u64 features, sign_extend, page_size_bitmap, nr_table_pages;
	u64 restored_domain;
};

/**
 * struct iommuser_device - in-memory form of a device record
 *
 * @domain and @did are the record's own in the revisions that keep them there;
 * "iommuser-v1" has attachment records instead.
 */
struct iommuser_device {
	u64 phys;
	u64 flags, ref_count, index;
	u64 segment, bdf, owner_token, iommu, domain, did, type;
	u64 group_size, device_flags, pasid_directory, pasid_entries, rid_pasid;
	u64 restored;
	u64 cdtab_l1, cdtab_nr_l2, cdtab_l2;
};

/** struct iommuser_alias - in-memory form of an alias record */
struct iommuser_alias {
	u64 phys;
	u64 flags, ref_count, index;
	u64 segment, bdf, device, type;
};

/** struct iommuser_attachment - in-memory form of an attachment record */
struct iommuser_attachment {
	u64 phys;
	u64 flags, ref_count, index;
	u64 device, domain, pasid, attachment_flags, did;
};

/** struct iommuser_hwpt - in-memory form of an hwpt record */
struct iommuser_hwpt {
	u64 phys;
	u64 flags, ref_count, index;
	u64 iommufd_token, hwpt_token, domain;
};

/** union iommuser_record - any in-memory record; the first four members are common */
union iommuser_record {
	struct {
		u64 phys;
		u64 flags, ref_count, index;
	} common;
	struct iommuser_iommu iommu;
	struct iommuser_domain domain;
	struct iommuser_device device;
	struct iommuser_alias alias;
	struct iommuser_attachment attachment;
	struct iommuser_hwpt hwpt;
};

/**
 * struct iommuser_field_row - where one field is
 * @field: enum iommuser_field
 * @width: bytes on the wire: 1, 2, 4 or 8; more for an array of u64
 * @variant: IOMMU type for which the row holds, 0 for every type
 * @wire: offset in the record
 * @memory: offset in the in-memory form
 */
struct iommuser_field_row {
	u8 field;
	u8 width;
	u8 variant;
	u8 wire;
	u8 memory;
};

/**
 * struct iommuser_record_layout - one kind of record in one revision
 * @rows: its fields by ascending wire offset, those of one variant at a time
 * @nr_rows: rows
 * @size: bytes per record; 0 when the revision has no such kind
 * @known_flags: bits of the flags field that have a meaning
 */
struct iommuser_record_layout {
	const struct iommuser_field_row *rows;
	u16 nr_rows;
	u16 size;
	u32 known_flags;
};

/* Properties of a revision. */
#define IOMMUSER_REVISION_SEALED (1U << 0)	/* root and pages as in docs/format.md */
#define IOMMUSER_REVISION_TOTALS (1U << 1)	/* the root counts the records */
#define IOMMUSER_REVISION_VERSION (1U << 2)	/* the root starts with a version */
#define IOMMUSER_REVISION_ATTACHMENTS (1U << 3) /* domains hang on attachment records */
/* Unpreserving a device leaves its record unmarked. */
#define IOMMUSER_REVISION_STALE_DEVICES (1U << 4)

/**
 * struct iommuser_revision - everything that differs between revisions
 * @name: as the tool's --abi takes it
 * @flb_name: compatible string of the FLB
 * @version: value of the root's version field, with IOMMUSER_REVISION_VERSION
 * @properties: IOMMUSER_REVISION_*
 * @root_size: bytes of the root record
 * @arrays_offset: offset of the first page address in the root
 * @array_stride: bytes from one such address to the next
 * @page_header_size: bytes before the first record of a page
 * @kinds: layouts; element 0 is unused
 */
struct iommuser_revision {
	const char *name;
	const char *flb_name;
	u32 version;
	u16 properties;
	u16 root_size;
	u16 arrays_offset;
	u16 array_stride;
	u16 page_header_size;
	struct iommuser_record_layout kinds[IOMMUSER_NR_KINDS + 1];
};

/**
 * iommuser_revision_at - the known revisions, one by one
 * @i: from 0
 *
 * Return: a revision, or NULL past the last.
 */
const struct iommuser_revision *iommuser_revision_at(u32 i);

/**
 * iommuser_revision_by_name - find a revision by the name that --abi takes
 * @name: NUL-terminated
 *
 * Return: the revision, or NULL.
 */
const struct iommuser_revision *iommuser_revision_by_name(const char *name);

/**
 * iommuser_revision_has - does a kind of record have a field?
 * @revision: which
 * @kind: IOMMUSER_KIND_*
 * @field: which
 */
bool iommuser_revision_has(const struct iommuser_revision *revision, u32 kind,
			   enum iommuser_field field);

/**
 * iommuser_decode - turn a record's bytes into its in-memory form
 * @revision: of the bytes
 * @kind: IOMMUSER_KIND_*
 * @variant: IOMMU type that a device's unit has; ignored for other kinds
 * @bytes: at least the layout's size of them
 * @phys: physical address of the record
 * @record: filled; members without a field become 0
 */
void iommuser_decode(const struct iommuser_revision *revision, u32 kind, u64 variant,
		     const void *bytes, u64 phys, union iommuser_record *record);

/**
 * iommuser_encode - turn an in-memory record into its bytes
 * @revision: to write. Where its layout has variants, whose fields lie over one
 *	another, all of them are written, the last one over the others
 * @kind: IOMMUSER_KIND_*
 * @record: the record; members that the layout has no field for are not
 *	written, values are cut to the width of their field
 * @bytes: zeroed, at least the layout's size; only fields are written
 */
void iommuser_encode(const struct iommuser_revision *revision, u32 kind,
		     const union iommuser_record *record, void *bytes);

/**
 * iommuser_reserved_is_zero - are all bytes zero that belong to no field?
 * @revision: of the bytes
 * @kind: IOMMUSER_KIND_*
 * @variant: as for iommuser_decode()
 * @bytes: the record
 * @offset: when not NULL and the answer is false, start of the range that has
 *	a byte which is not zero
 *
 * What a longer record has beyond the layout's size is not looked at.
 */
bool iommuser_reserved_is_zero(const struct iommuser_revision *revision, u32 kind, u64 variant,
			       const void *bytes, u64 *offset);

#endif /* IOMMUSER_RECORDS_H */
