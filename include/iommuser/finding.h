/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Findings: what a check can say about an image, each under a stable code.
 * The explanations for people live in the tools.
 */
#ifndef IOMMUSER_FINDING_H
#define IOMMUSER_FINDING_H

#include <iommuser/types.h>

/**
 * enum iommuser_severity - how bad a finding is
 * @IOMMUSER_INFO: worth knowing, nothing is wrong
 * @IOMMUSER_WARNING: unusual; a live update would still work
 * @IOMMUSER_INCOMPLETE: could not be checked, because the image lacks a page
 * @IOMMUSER_ERROR: a live update from this image would fail or corrupt
 */
enum iommuser_severity {
	IOMMUSER_INFO,
	IOMMUSER_WARNING,
	IOMMUSER_INCOMPLETE,
	IOMMUSER_ERROR,
};

/*
 * X(symbol, code, default severity). KHO and LUO codes are reported by the
 * tools, which own those containers; all others by the library.
 * Codes are never renumbered or reused.
 */
#define IOMMUSER_FINDINGS(X) \
	X(KHO_FDT_UNSOUND, "KHO-01", ERROR) \
	X(KHO_COMPATIBLE_UNKNOWN, "KHO-02", ERROR) \
	X(KHO_MAP_PROPERTY, "KHO-03", ERROR) \
	X(KHO_MAP_ROOT, "KHO-04", ERROR) \
	X(KHO_NODE_ADDRESS, "KHO-05", ERROR) \
	X(KHO_NODE_REPEATED, "KHO-06", ERROR) \
	X(KHO_KEY_INVALID, "KHO-07", ERROR) \
	X(KHO_BLOCKS_OVERLAP, "KHO-08", ERROR) \
	X(KHO_CHUNK_INVALID, "KHO-09", ERROR) \
	X(KHO_NODE_UNREADABLE, "KHO-10", INCOMPLETE) \
	X(KHO_SUBTREE_PROPERTY, "KHO-11", ERROR) \
	X(KHO_SUBTREE_NOT_PRESERVED, "KHO-12", ERROR) \
	X(KHO_NOT_SELF_REFERENT, "KHO-13", ERROR) \
	X(KHO_FDT_NEARLY_FULL, "KHO-14", WARNING) \
	X(KHO_SCRATCH_OVERLAP, "KHO-15", ERROR) \
	X(KHO_SCRATCH_INVALID, "KHO-16", WARNING) \
	X(KHO_METADATA_INVALID, "KHO-17", WARNING) \
	X(KHO_BITMAP_SIZE_GUESSED, "KHO-18", INFO) \
	X(KHO_BLOCK_OUTSIDE_RAM, "KHO-19", ERROR) \
	X(KHO_SUBTREE_UNREADABLE, "KHO-20", INCOMPLETE) \
	X(KHO_MAP_TOO_LARGE, "KHO-21", INCOMPLETE) \
	X(LUO_COMPATIBLE_UNKNOWN, "LUO-01", ERROR) \
	X(LUO_STATE_INVALID, "LUO-02", ERROR) \
	X(LUO_SESSION_NAME, "LUO-03", ERROR) \
	X(LUO_SESSION_DUPLICATE, "LUO-04", ERROR) \
	X(LUO_CHAIN_CYCLE, "LUO-05", ERROR) \
	X(LUO_BLOCK_EMPTY, "LUO-06", ERROR) \
	X(LUO_BLOCK_COUNT, "LUO-07", ERROR) \
	X(LUO_BLOCK_ADDRESS, "LUO-08", ERROR) \
	X(LUO_TOO_MANY_BLOCKS, "LUO-09", ERROR) \
	X(LUO_COUNT_MISMATCH, "LUO-10", ERROR) \
	X(LUO_FILE_COMPATIBLE, "LUO-11", ERROR) \
	X(LUO_TOKEN_DUPLICATE, "LUO-12", ERROR) \
	X(LUO_DATA_DUPLICATE, "LUO-13", ERROR) \
	X(LUO_FLB_PAGE_COUNT, "LUO-14", ERROR) \
	X(LUO_FLB_COUNT, "LUO-15", ERROR) \
	X(LUO_FLB_NAME, "LUO-16", ERROR) \
	X(LUO_FLB_USERS, "LUO-17", ERROR) \
	X(LUO_MEMFD_FOLIO_COUNT, "LUO-18", ERROR) \
	X(LUO_VMALLOC_INVALID, "LUO-19", ERROR) \
	X(LUO_VMALLOC_CHUNKS, "LUO-20", ERROR) \
	X(LUO_FOLIO_NOT_PRESERVED, "LUO-21", ERROR) \
	X(LUO_FOLIO_INDEX, "LUO-22", ERROR) \
	X(LUO_MEMFD_FLAGS, "LUO-23", ERROR) \
	X(LUO_HANDLER_UNKNOWN, "LUO-24", INFO) \
	X(LUO_FOLIO_SHARED, "LUO-25", ERROR) \
	X(LUO_UNREADABLE, "LUO-26", INCOMPLETE) \
	X(LUO_FLB_DUPLICATE, "LUO-27", ERROR) \
	X(LUO_TOO_LARGE, "LUO-28", INCOMPLETE) \
	X(LUO_MEMFD_GAP, "LUO-29", WARNING) \
	X(CHAIN_UNALIGNED, "CHAIN-01", ERROR) \
	X(CHAIN_UNREADABLE, "CHAIN-02", ERROR) \
	X(CHAIN_CYCLE, "CHAIN-03", ERROR) \
	X(CHAIN_SHARED_PAGE, "CHAIN-04", ERROR) \
	X(CHAIN_TOO_LONG, "CHAIN-05", ERROR) \
	X(CHAIN_COUNT_TOO_LARGE, "CHAIN-06", ERROR) \
	X(CHAIN_EMPTY_PAGE, "CHAIN-07", ERROR) \
	X(CHAIN_TOTAL, "CHAIN-08", ERROR) \
	X(CHAIN_KIND, "CHAIN-09", ERROR) \
	X(CHAIN_RECORD_SIZE, "CHAIN-10", ERROR) \
	X(CHAIN_SEQUENCE, "CHAIN-11", ERROR) \
	X(CHAIN_GENERATION, "CHAIN-12", ERROR) \
	X(CHAIN_SELF, "CHAIN-13", ERROR) \
	X(CHAIN_RESERVED, "CHAIN-14", ERROR) \
	X(CHAIN_TAIL, "CHAIN-15", ERROR) \
	X(CHAIN_PARTIAL_PAGE, "CHAIN-16", ERROR) \
	X(REC_TYPE, "REC-01", ERROR) \
	X(REC_FLAGS, "REC-02", ERROR) \
	X(REC_INDEX, "REC-03", ERROR) \
	X(REC_REF_COUNT_ZERO, "REC-04", ERROR) \
	X(REC_DUPLICATE_TOKEN, "REC-05", ERROR) \
	X(REC_DUPLICATE_BDF, "REC-06", ERROR) \
	X(REC_IOMMU_REFERENCE, "REC-07", ERROR) \
	X(REC_DOMAIN_REFERENCE, "REC-08", ERROR) \
	X(REC_DEVICE_REFERENCE, "REC-09", ERROR) \
	X(REC_DELETED_REFERENCE, "REC-10", ERROR) \
	X(REC_RESERVED, "REC-11", ERROR) \
	X(REC_RUNTIME_POINTER, "REC-12", WARNING) \
	X(REC_RUNTIME_FLAG, "REC-13", ERROR) \
	X(REC_ADDRESS_RANGE, "REC-14", ERROR) \
	X(REC_MODE, "REC-15", ERROR) \
	X(REC_VALUE, "REC-16", ERROR) \
	X(REC_PRE, "REC-17", ERROR) \
	X(REC_DUPLICATE, "REC-18", ERROR) \
	X(REC_DELETED_NOT_ZERO, "REC-19", ERROR) \
	X(REC_LEVEL, "REC-20", ERROR) \
	X(REC_ROOT_UNKNOWN, "REC-21", ERROR) \
	X(REC_ROOT_FIELD, "REC-22", ERROR) \
	X(REC_ROOT_UNREADABLE, "REC-23", ERROR) \
	X(REC_STALE_DEVICE, "REC-24", WARNING) \
	X(REC_NOT_TAKEN_OVER, "REC-25", WARNING) \
	X(REC_STATE_COUNT, "REC-26", ERROR) \
	X(REC_STATE, "REC-27", ERROR) \
	X(REF_IOMMU_COUNT, "REF-01", ERROR) \
	X(REF_DOMAIN_UNUSED, "REF-02", ERROR) \
	X(REF_DOMAIN_COUNT, "REF-03", ERROR) \
	X(REF_DEVICE_COUNT, "REF-04", ERROR) \
	X(REF_ATTACHMENT, "REF-05", ERROR) \
	X(REF_HWPT_TOKEN, "REF-06", ERROR) \
	X(REF_FILE_DOMAIN, "REF-07", ERROR) \
	X(REF_FILE_DEVICE, "REF-08", ERROR) \
	X(REF_OWNER_TOKEN, "REF-09", ERROR) \
	X(REF_DEVICE_FILE, "REF-10", ERROR) \
	X(REF_FILE_HWPTS, "REF-11", ERROR) \
	X(REF_FILE_TOKEN, "REF-12", ERROR) \
	X(REF_FILE_UNREADABLE, "REF-13", INCOMPLETE) \
	X(REF_FILE_INVALID, "REF-14", ERROR) \
	X(REF_OWNER_DOMAIN, "REF-15", ERROR) \
	X(DID_RESERVED, "DID-01", ERROR) \
	X(DID_LIMIT, "DID-02", ERROR) \
	X(DID_COLLISION, "DID-03", ERROR) \
	X(DID_SPLIT, "DID-04", ERROR) \
	X(DID_ENTRY, "DID-05", ERROR) \
	X(VTD_ROOT_TABLE, "VTD-01", ERROR) \
	X(VTD_CONTEXT_TABLE, "VTD-02", ERROR) \
	X(VTD_NO_ENTRY, "VTD-03", ERROR) \
	X(VTD_TOP_TABLE, "VTD-04", ERROR) \
	X(VTD_WIDTH, "VTD-05", ERROR) \
	X(VTD_TRANSLATION_TYPE, "VTD-06", ERROR) \
	X(VTD_MODE, "VTD-07", ERROR) \
	X(VTD_DIRECTORY, "VTD-08", ERROR) \
	X(VTD_DIRECTORY_SIZE, "VTD-09", ERROR) \
	X(VTD_PASID_TABLE, "VTD-10", ERROR) \
	X(VTD_PASID_ABSENT, "VTD-11", ERROR) \
	X(VTD_PASID_TYPE, "VTD-12", ERROR) \
	X(VTD_PASID_EXTRA, "VTD-13", ERROR) \
	X(VTD_STRANGER, "VTD-14", ERROR) \
	X(VTD_RESERVED, "VTD-15", ERROR) \
	X(VTD_BITMAP, "VTD-16", ERROR) \
	X(VTD_PRE, "VTD-17", ERROR) \
	X(VTD_ALIAS, "VTD-18", ERROR) \
	X(VTD_RID_PASID, "VTD-19", ERROR) \
	X(VTD_UNREADABLE, "VTD-20", INCOMPLETE) \
	X(VTD_UNIT_NOT_CHECKED, "VTD-21", INFO) \
	X(PT_TOP_TABLE, "PT-01", ERROR) \
	X(PT_UNREADABLE, "PT-02", ERROR) \
	X(PT_REPEATED, "PT-03", ERROR) \
	X(PT_RESERVED, "PT-04", ERROR) \
	X(PT_LEAF_LEVEL, "PT-05", ERROR) \
	X(PT_LEAF_ALIGNMENT, "PT-06", ERROR) \
	X(PT_NO_PERMISSION, "PT-07", WARNING) \
	X(PT_OUTPUT_WIDTH, "PT-08", ERROR) \
	X(PT_PAGE_COUNT, "PT-09", ERROR) \
	X(PT_SNOOP, "PT-10", WARNING) \
	X(PT_READ_ONLY, "PT-11", WARNING) \
	X(PT_PAGE_SIZE, "PT-12", ERROR) \
	X(CLOSURE_ARRAY, "CLOSURE-01", ERROR) \
	X(CLOSURE_VTD_TABLE, "CLOSURE-02", ERROR) \
	X(CLOSURE_PAGE_TABLE, "CLOSURE-03", ERROR) \
	X(CLOSURE_LEAF, "CLOSURE-04", ERROR) \
	X(CLOSURE_METADATA_MAPPED, "CLOSURE-05", ERROR) \
	X(CLOSURE_UNEXPLAINED, "CLOSURE-06", INFO) \
	X(CLOSURE_LUO, "CLOSURE-07", ERROR) \
	X(CLOSURE_UNKNOWN, "CLOSURE-08", INFO) \
	X(SEAL_ROOT, "SEAL-01", ERROR) \
	X(SEAL_PAGE, "SEAL-02", ERROR)

#define IOMMUSER_FINDING_ENUM(symbol, code, severity) IOMMUSER_FINDING_##symbol,

/** enum iommuser_finding_id - one number per code, in no stable order */
enum iommuser_finding_id {
	IOMMUSER_FINDINGS(IOMMUSER_FINDING_ENUM)
	IOMMUSER_NR_FINDINGS
};

/**
 * struct iommuser_finding - one finding
 * @id: which
 * @severity: how bad here; often the default of the code
 * @kind: IOMMUSER_KIND_* of the record concerned, 0 when it is no record's
 * @index: position of that record in its chain, when @kind is not 0
 * @field: enum iommuser_field of the field concerned, 0 when none
 * @phys: physical address of the page, record or table entry concerned
 * @found: the value found, as its code explains
 * @expected: the value, or the limit, that was expected
 */
struct iommuser_finding {
	enum iommuser_finding_id id;
	enum iommuser_severity severity;
	u32 kind;
	u32 field;
	u64 index;
	u64 phys;
	u64 found;
	u64 expected;
};

/**
 * struct iommuser_reporter - where findings go
 * @ctx: passed back
 * @report: called once per finding, in the order found
 */
struct iommuser_reporter {
	void *ctx;
	void (*report)(void *ctx, const struct iommuser_finding *finding);
};

#define IOMMUSER_FINDING_CODE(symbol, code, severity) [IOMMUSER_FINDING_##symbol] = code,

/**
 * iommuser_finding_code - the stable code of a finding
 * @id: which
 *
 * In the header, so that only hosts that print codes carry the table.
 *
 * Return: a string like "CHAIN-01"; NULL when @id is out of range.
 */
static inline const char *iommuser_finding_code(enum iommuser_finding_id id)
{
	static const char codes[IOMMUSER_NR_FINDINGS][12] = {
		IOMMUSER_FINDINGS(IOMMUSER_FINDING_CODE)
	};

	return (u32)id < IOMMUSER_NR_FINDINGS ? codes[id] : NULL;
}

/**
 * iommuser_finding_severity - the default severity of a finding
 * @id: which; must be below IOMMUSER_NR_FINDINGS
 */
enum iommuser_severity iommuser_finding_severity(enum iommuser_finding_id id);

#endif /* IOMMUSER_FINDING_H */
