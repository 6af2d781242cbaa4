/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Intel VT-d root, context and PASID tables, read only.
 *
 * Source: Intel Virtualization Technology for Directed I/O, Architecture
 * Specification, chapter 9 "Translation Structure Formats". All tables are
 * 4 KiB pages whatever the kernel's page size.
 */
#ifndef IOMMUSER_VTD_H
#define IOMMUSER_VTD_H

#include <iommuser/env.h>
#include <iommuser/types.h>

#define IOMMUSER_VTD_NR_BUSES 256
#define IOMMUSER_VTD_NR_REQUESTERS 65536
#define IOMMUSER_VTD_MAX_PASIDS (1U << 20)
#define IOMMUSER_VTD_PASIDS_PER_TABLE 64

/* Translation types of a legacy context entry (9.3). */
#define IOMMUSER_VTD_TT_TABLE 0
#define IOMMUSER_VTD_TT_TABLE_DEVICE_TLB 1
#define IOMMUSER_VTD_TT_PASS_THROUGH 2

/* Translation types (PGTT) of a PASID entry (9.6). */
#define IOMMUSER_VTD_PGTT_FIRST 1
#define IOMMUSER_VTD_PGTT_SECOND 2
#define IOMMUSER_VTD_PGTT_NESTED 3
#define IOMMUSER_VTD_PGTT_PASS_THROUGH 4

/**
 * struct iommuser_vtd_tables - where a unit's tables are
 * @env: where pages come from
 * @root_table: physical address of the root table, 4 KiB aligned
 * @scalable: scalable mode; else legacy mode
 */
struct iommuser_vtd_tables {
	const struct iommuser_env *env;
	u64 root_table;
	bool scalable;
};

/**
 * struct iommuser_vtd_root_entry - one bus (9.1, 9.2)
 * @low: low quadword: context table, in scalable mode that of devfn 0 to 127
 * @high: high quadword: in scalable mode the table of devfn 128 to 255
 */
struct iommuser_vtd_root_entry {
	u64 low;
	u64 high;
};

/**
 * struct iommuser_vtd_context - a decoded context entry (9.3, 9.4)
 * @phys: physical address of the entry where @table_present, else 0
 * @low: low quadword
 * @high: next quadword
 * @table_present: there is a table for it, readable or not
 * @present: the entry is present
 * @reserved: bits that must be zero and are not, of either quadword
 * @table: second-stage top table, in scalable mode the PASID directory
 * @translation_type: IOMMUSER_VTD_TT_*, legacy mode
 * @address_width: AW field: levels minus 2, legacy mode
 * @did: domain id, legacy mode
 * @device_tlb: DTE, scalable mode
 * @pasid_enable: PASIDE, scalable mode
 * @page_request_enable: PRE, scalable mode
 * @directory_size: PDTS, scalable mode: the directory has 2^(PDTS + 7) entries
 * @rid_pasid: PASID of requests without one, scalable mode
 */
struct iommuser_vtd_context {
	u64 phys;
	u64 low;
	u64 high;
	bool table_present;
	bool present;
	u64 reserved;
	u64 table;
	u32 translation_type;
	u32 address_width;
	u32 did;
	bool device_tlb;
	bool pasid_enable;
	bool page_request_enable;
	u32 directory_size;
	u32 rid_pasid;
};

/**
 * struct iommuser_vtd_pasid - a decoded PASID entry (9.6)
 * @phys: physical address of the entry, 0 when there is no table for it
 * @qw: the first three quadwords
 * @present: the entry is present
 * @reserved: non-zero when one of the last five quadwords is not zero
 * @type: PGTT, IOMMUSER_VTD_PGTT_*
 * @address_width: AW field: second-stage levels minus 2
 * @second_stage: second-stage top table
 * @did: domain id
 * @first_stage_mode: FSPM: 0 for 4 levels, 1 for 5
 * @first_stage: first-stage top table
 */
struct iommuser_vtd_pasid {
	u64 phys;
	u64 qw[3];
	bool present;
	u64 reserved;
	u32 type;
	u32 address_width;
	u64 second_stage;
	u32 did;
	u32 first_stage_mode;
	u64 first_stage;
};

/**
 * iommuser_vtd_root_entry - read the entry of a bus
 * @tables: the unit
 * @bus: below IOMMUSER_VTD_NR_BUSES
 * @entry: filled
 *
 * Return: 0; -IOMMUSER_EINVAL; -IOMMUSER_ECORRUPT for an impossible root table
 * address; -IOMMUSER_EUNMAPPED when the image does not hold it.
 */
int iommuser_vtd_root_entry(const struct iommuser_vtd_tables *tables, u32 bus,
			    struct iommuser_vtd_root_entry *entry);

/**
 * iommuser_vtd_context_table - the context table that an entry points to
 * @tables: the unit
 * @entry: of the bus
 * @devfn: below 256
 * @phys: set to the table's address when it is present
 *
 * Return: true when there is a context table for @devfn.
 */
bool iommuser_vtd_context_table(const struct iommuser_vtd_tables *tables,
				const struct iommuser_vtd_root_entry *entry, u32 devfn, u64 *phys);

/**
 * iommuser_vtd_context - the context entry of a requester
 * @tables: the unit
 * @bdf: bus << 8 | devfn, below IOMMUSER_VTD_NR_REQUESTERS
 * @context: filled; not present when there is no context table
 *
 * Return: as iommuser_vtd_root_entry(), for the root and the context table.
 */
int iommuser_vtd_context(const struct iommuser_vtd_tables *tables, u32 bdf,
			 struct iommuser_vtd_context *context);

/**
 * iommuser_vtd_next_context - iterate over present context entries
 * @tables: the unit
 * @cursor: 0 to start with; the requester to look at next
 * @bdf: the requester found, or on an error the first one of the table
 *	that cannot be read
 * @context: its entry
 *
 * Return: 1 and an entry; 0 at the end; an error as for
 * iommuser_vtd_context(), after which the iteration may go on behind the
 * table that failed.
 */
int iommuser_vtd_next_context(const struct iommuser_vtd_tables *tables, u32 *cursor, u32 *bdf,
			      struct iommuser_vtd_context *context);

/**
 * struct iommuser_vtd_directory - a PASID directory
 * @env: where pages come from
 * @phys: physical address of the directory
 * @nr_pasids: PASIDs that it covers, a multiple of 64, at most 2^20
 */
struct iommuser_vtd_directory {
	const struct iommuser_env *env;
	u64 phys;
	u32 nr_pasids;
};

/**
 * iommuser_vtd_directory_of - the directory that a scalable context entry names
 * @env: where pages come from
 * @context: present, of scalable mode
 * @directory: filled
 */
void iommuser_vtd_directory_of(const struct iommuser_env *env,
			       const struct iommuser_vtd_context *context,
			       struct iommuser_vtd_directory *directory);

/**
 * iommuser_vtd_pasid_table - the PASID table that covers a PASID
 * @directory: the directory
 * @pasid: below @directory->nr_pasids
 * @phys: set to the table's address, 0 when there is none; with
 *	-IOMMUSER_ECORRUPT what is in its place, reserved bits included
 *
 * Return: 0 or an error as for iommuser_vtd_root_entry(); -IOMMUSER_ECORRUPT
 * also for an entry that is present and has reserved bits (VT-d spec, scalable-
 * mode PASID directory entry: 11:2), or no address.
 */
int iommuser_vtd_pasid_table(const struct iommuser_vtd_directory *directory, u32 pasid, u64 *phys);

/**
 * iommuser_vtd_pasid - the entry of a PASID
 * @directory: the directory
 * @pasid: below @directory->nr_pasids
 * @entry: filled; not present when there is no table
 *
 * Return: 0 or an error as for iommuser_vtd_root_entry().
 */
int iommuser_vtd_pasid(const struct iommuser_vtd_directory *directory, u32 pasid,
		       struct iommuser_vtd_pasid *entry);

/**
 * iommuser_vtd_next_pasid - iterate over present PASID entries
 * @directory: the directory
 * @cursor: 0 to start with; the PASID to look at next
 * @pasid: the PASID found, or on an error the first one of the table that
 *	cannot be read
 * @entry: its entry
 *
 * Return: 1 and an entry; 0 at the end; an error, after which the iteration
 * may go on.
 */
int iommuser_vtd_next_pasid(const struct iommuser_vtd_directory *directory, u32 *cursor, u32 *pasid,
			    struct iommuser_vtd_pasid *entry);

/**
 * iommuser_vtd_nr_dids - domain ids that a unit supports
 * @cap: its capability register (11.4.2, ND in bits 2:0)
 *
 * Return: 2^(4 + 2 * ND); 65536 for the value that is reserved.
 */
u32 iommuser_vtd_nr_dids(u64 cap);

#endif /* IOMMUSER_VTD_H */
