// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Intel VT-d root, context and PASID tables, decoded entry by entry.
 */
#include <iommuser/vtd.h>

#include "internal.h"

#define ROOT_ENTRY_SIZE 16
#define LEGACY_ENTRY_SIZE 16
#define SCALABLE_ENTRY_SIZE 32
#define DEVFNS_PER_SCALABLE_TABLE 128
#define DIRECTORY_ENTRY_SIZE 8
#define PASID_ENTRY_SIZE 64
#define PRESENT 1ULL

/* Bits of context entries that must be zero (9.3, 9.4). */
#define LEGACY_LOW_RESERVED 0x0000000000000ff0ULL
#define LEGACY_HIGH_RESERVED 0xffffffffff000080ULL
#define SCALABLE_LOW_RESERVED 0x00000000000001e0ULL
#define SCALABLE_HIGH_RESERVED 0xffffffffffe00000ULL
/* Present, fault processing disable. */
#define DIRECTORY_LOW_KNOWN 3ULL

static u32 field(u64 word, u32 low_bit, u32 width)
{
	return (u32)(word >> low_bit) & ((1U << width) - 1);
}

int iommuser_vtd_root_entry(const struct iommuser_vtd_tables *tables, u32 bus,
			    struct iommuser_vtd_root_entry *entry)
{
	const void *bytes;
	int error;

	if (bus >= IOMMUSER_VTD_NR_BUSES)
		return -IOMMUSER_EINVAL;
	if (tables->root_table % IOMMUSER_TABLE_SIZE)
		return -IOMMUSER_ECORRUPT;
	error = iommuser_access(tables->env, tables->root_table + bus * ROOT_ENTRY_SIZE,
				ROOT_ENTRY_SIZE, ROOT_ENTRY_SIZE, &bytes);
	if (error)
		return error;
	entry->low = load_le64(bytes);
	entry->high = load_le64((const u8 *)bytes + 8);
	return 0;
}

bool iommuser_vtd_context_table(const struct iommuser_vtd_tables *tables,
				const struct iommuser_vtd_root_entry *entry, u32 devfn, u64 *phys)
{
	u64 word = entry->low;

	if (tables->scalable && devfn >= DEVFNS_PER_SCALABLE_TABLE)
		word = entry->high;
	if (!(word & PRESENT))
		return false;
	*phys = word & ~(u64)(IOMMUSER_TABLE_SIZE - 1);
	return true;
}

static void decode_legacy(struct iommuser_vtd_context *context)
{
	context->translation_type = field(context->low, 2, 2);
	context->address_width = field(context->high, 0, 3);
	context->did = field(context->high, 8, 16);
	context->reserved = (context->low & LEGACY_LOW_RESERVED) |
			    (context->high & LEGACY_HIGH_RESERVED);
}

static void decode_scalable(struct iommuser_vtd_context *context, const u8 *bytes)
{
	context->device_tlb = field(context->low, 2, 1);
	context->pasid_enable = field(context->low, 3, 1);
	context->page_request_enable = field(context->low, 4, 1);
	context->directory_size = field(context->low, 9, 3);
	context->rid_pasid = field(context->high, 0, 20);
	context->reserved = (context->low & SCALABLE_LOW_RESERVED) |
			    (context->high & SCALABLE_HIGH_RESERVED) | load_le64(bytes + 16) |
			    load_le64(bytes + 24);
}

static int read_context(const struct iommuser_vtd_tables *tables, u64 table, u32 devfn,
			struct iommuser_vtd_context *context)
{
	u32 size = tables->scalable ? SCALABLE_ENTRY_SIZE : LEGACY_ENTRY_SIZE;
	u32 slot = tables->scalable ? devfn % DEVFNS_PER_SCALABLE_TABLE : devfn;
	const void *bytes;
	int error;

	context->table_present = true;
	error = iommuser_access(tables->env, table + slot * size, size, size, &bytes);
	if (error)
		return error;
	context->phys = table + slot * size;
	context->low = load_le64(bytes);
	context->high = load_le64((const u8 *)bytes + 8);
	context->present = context->low & PRESENT;
	context->table = context->low & ~(u64)(IOMMUSER_TABLE_SIZE - 1);
	if (tables->scalable)
		decode_scalable(context, bytes);
	else
		decode_legacy(context);
	return 0;
}

int iommuser_vtd_context(const struct iommuser_vtd_tables *tables, u32 bdf,
			 struct iommuser_vtd_context *context)
{
	struct iommuser_vtd_root_entry entry;
	u64 table;
	int error;

	memset(context, 0, sizeof(*context));
	if (bdf >= IOMMUSER_VTD_NR_REQUESTERS)
		return -IOMMUSER_EINVAL;
	error = iommuser_vtd_root_entry(tables, bdf >> 8, &entry);
	if (error)
		return error;
	if (!iommuser_vtd_context_table(tables, &entry, bdf & 0xff, &table))
		return 0;
	return read_context(tables, table, bdf & 0xff, context);
}

int iommuser_vtd_next_context(const struct iommuser_vtd_tables *tables, u32 *cursor, u32 *bdf,
			      struct iommuser_vtd_context *context)
{
	u32 last = (tables->scalable ? DEVFNS_PER_SCALABLE_TABLE : 256) - 1;
	int error;

	while (*cursor < IOMMUSER_VTD_NR_REQUESTERS) {
		*bdf = *cursor;
		error = iommuser_vtd_context(tables, *bdf, context);
		/* Without a root table there is nothing more, without another none of its entries. */
		if (error && !context->table_present)
			last = IOMMUSER_VTD_NR_REQUESTERS - 1;
		*cursor = (error || !context->table_present ? *bdf | last : *bdf) + 1;
		if (error)
			return error;
		if (context->present)
			return 1;
	}
	return 0;
}

void iommuser_vtd_directory_of(const struct iommuser_env *env,
			       const struct iommuser_vtd_context *context,
			       struct iommuser_vtd_directory *directory)
{
	directory->env = env;
	directory->phys = context->table;
	directory->nr_pasids =
		(1U << (context->directory_size + 7)) * IOMMUSER_VTD_PASIDS_PER_TABLE;
}

int iommuser_vtd_pasid_table(const struct iommuser_vtd_directory *directory, u32 pasid, u64 *phys)
{
	u64 slot = pasid / IOMMUSER_VTD_PASIDS_PER_TABLE;
	const void *bytes;
	u64 word;
	int error;

	*phys = 0;
	if (pasid >= directory->nr_pasids)
		return -IOMMUSER_EINVAL;
	if (directory->phys % IOMMUSER_TABLE_SIZE || directory->phys >= IOMMUSER_PHYS_LIMIT)
		return -IOMMUSER_ECORRUPT;
	error = iommuser_access(directory->env, directory->phys + slot * DIRECTORY_ENTRY_SIZE,
				DIRECTORY_ENTRY_SIZE, DIRECTORY_ENTRY_SIZE, &bytes);
	if (error)
		return error;
	word = load_le64(bytes);
	if (!(word & PRESENT))
		return 0;
	/* Reserved bits that are set stay, so that it is not the address of a table. */
	*phys = word & ~DIRECTORY_LOW_KNOWN;
	return *phys && !(*phys % IOMMUSER_TABLE_SIZE) ? 0 : -IOMMUSER_ECORRUPT;
}

static int read_pasid(const struct iommuser_env *env, u64 phys, struct iommuser_vtd_pasid *entry)
{
	const void *pointer;
	const u8 *bytes;
	int error;
	u32 i;

	error = iommuser_access(env, phys, PASID_ENTRY_SIZE, PASID_ENTRY_SIZE, &pointer);
	if (error)
		return error;
	bytes = pointer;
	entry->phys = phys;
	for (i = 0; i < ARRAY_LENGTH(entry->qw); i++)
		entry->qw[i] = load_le64(bytes + 8 * i);
	for (; i < PASID_ENTRY_SIZE / 8; i++)
		entry->reserved |= load_le64(bytes + 8 * i);
	entry->present = entry->qw[0] & PRESENT;
	entry->address_width = field(entry->qw[0], 2, 3);
	entry->type = field(entry->qw[0], 6, 3);
	entry->second_stage = entry->qw[0] & ~(u64)(IOMMUSER_TABLE_SIZE - 1);
	entry->did = field(entry->qw[1], 0, 16);
	entry->first_stage_mode = field(entry->qw[2], 2, 2);
	entry->first_stage = entry->qw[2] & ~(u64)(IOMMUSER_TABLE_SIZE - 1);
	return 0;
}

int iommuser_vtd_pasid(const struct iommuser_vtd_directory *directory, u32 pasid,
		       struct iommuser_vtd_pasid *entry)
{
	u64 table;
	int error;

	memset(entry, 0, sizeof(*entry));
	error = iommuser_vtd_pasid_table(directory, pasid, &table);
	if (error || !table)
		return error;
	return read_pasid(directory->env,
			  table + pasid % IOMMUSER_VTD_PASIDS_PER_TABLE * PASID_ENTRY_SIZE, entry);
}

int iommuser_vtd_next_pasid(const struct iommuser_vtd_directory *directory, u32 *cursor, u32 *pasid,
			    struct iommuser_vtd_pasid *entry)
{
	int error;

	while (*cursor < directory->nr_pasids) {
		*pasid = *cursor;
		error = iommuser_vtd_pasid(directory, *pasid, entry);
		/* Without a table, or one that can be read, go on behind it. */
		*cursor = error || !entry->phys ?
				  (*pasid | (IOMMUSER_VTD_PASIDS_PER_TABLE - 1)) + 1 :
				  *pasid + 1;
		if (error)
			return error;
		if (entry->present)
			return 1;
	}
	return 0;
}

u32 iommuser_vtd_nr_dids(u64 cap)
{
	u32 nd = field(cap, 0, 3);

	return nd > 6 ? 65536 : 1U << (4 + 2 * nd);
}
