// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which field each bit belongs to: VT-d root, context and PASID tables, page tables.
 */
#include "places.h"

#include <iommuser/vtd.h>

#include "graph-private.h"

#define TABLE_SIZE 4096ULL

/* Bits of an entry, the last one included. */
struct bits {
	const char *name;
	u16 first;
	u16 last;
};

/* One kind of table. Bits that no field claims are "other bits". */
struct table_kind {
	const char *entry;
	u32 entry_size;
	u64 present;
	const struct bits *fields;
	u32 nr_fields;
};

static const struct bits root_entry[] = {
	{ "present", 0, 0 },
	{ "address", 12, 63 },
};

static const struct bits legacy_context[] = {
	{ "present", 0, 0 },   { "FPD", 1, 1 },	 { "TT", 2, 3 },
	{ "address", 12, 63 }, { "AW", 64, 66 }, { "DID", 72, 87 },
};

static const struct bits scalable_context[] = {
	{ "present", 0, 0 }, { "FPD", 1, 1 },	{ "DTE", 2, 2 },       { "PASIDE", 3, 3 },
	{ "PRE", 4, 4 },     { "PDTS", 9, 11 }, { "address", 12, 63 }, { "RID_PASID", 64, 83 },
};

static const struct bits directory_entry[] = {
	{ "present", 0, 0 },
	{ "FPD", 1, 1 },
	{ "address", 12, 63 },
};

static const struct bits pasid_entry[] = {
	{ "present", 0, 0 },
	{ "FPD", 1, 1 },
	{ "AW", 2, 4 },
	{ "PGTT", 6, 8 },
	{ "address, second stage", 12, 63 },
	{ "DID", 64, 79 },
	{ "FSPM", 130, 131 },
	{ "address, first stage", 140, 191 },
};

static const struct bits second_stage[] = {
	{ "read, write", 0, 1 },
	{ "page size", 7, 7 },
	{ "snoop", 11, 11 },
	{ "address", 12, 51 },
};

static const struct bits first_stage[] = {
	{ "present", 0, 0 },
	{ "write", 1, 1 },
	{ "page size", 7, 7 },
	{ "address", 12, 51 },
};

#define KIND(name, size, bits, fields)                        \
	{                                                     \
		name, size, bits, fields, ARRAY_SIZE(fields), \
	}

static const struct table_kind legacy_root_table = KIND("root entry, legacy", 16, 1, root_entry);
/* Each half is an entry of its own. */
static const struct table_kind scalable_root_table = KIND("root entry, scalable", 8, 1, root_entry);
static const struct table_kind legacy_context_table =
	KIND("context entry, legacy", 16, 1, legacy_context);
static const struct table_kind scalable_context_table =
	KIND("context entry, scalable", 32, 1, scalable_context);
static const struct table_kind directory = KIND("PASID directory entry", 8, 1, directory_entry);
static const struct table_kind pasid_table = KIND("PASID entry", 64, 1, pasid_entry);
static const struct table_kind second_stage_table = KIND("second-stage entry", 8, 3, second_stage);
static const struct table_kind first_stage_table = KIND("first-stage entry", 8, 1, first_stage);

static void label_entry(struct places *places, const struct table_kind *kind, u64 phys)
{
	u32 i;

	if (!(load_word(handover_at(places->handover, phys)) & kind->present)) {
		places_label(places, phys, 0, 8ULL * kind->entry_size, kind->entry, "not present");
		return;
	}
	for (i = 0; i < kind->nr_fields; i++)
		places_label(places, phys, kind->fields[i].first,
			     kind->fields[i].last - kind->fields[i].first + 1U, kind->entry,
			     kind->fields[i].name);
	places_label(places, phys, 0, 8ULL * kind->entry_size, kind->entry, "other bits");
}

/* Return: false when the table was met before. */
static bool label_table(struct places *places, const struct table_kind *kind, u64 phys, u64 size)
{
	u64 at, i;

	for (i = 0; i < places->nr_tables; i++)
		if (places->tables[i] == phys)
			return false;
	if (places->nr_tables == ARRAY_SIZE(places->tables))
		die("too many tables");
	places->tables[places->nr_tables++] = phys;
	for (at = phys; at < phys + size; at += TABLE_SIZE)
		places_page(places, at, PAGE_TABLE);
	for (at = phys; at < phys + size; at += kind->entry_size)
		label_entry(places, kind, at);
	for (at = phys; at < phys + size; at += TABLE_SIZE)
		places_own(places, at, TABLE_SIZE);
	return true;
}

static void find_pasid_tables(struct places *places, const struct iommuser_vtd_tables *unit,
			      const struct iommuser_vtd_context *context)
{
	struct iommuser_vtd_directory of;
	u64 table;
	u32 pasid;

	iommuser_vtd_directory_of(unit->env, context, &of);
	if (!label_table(places, &directory, of.phys,
			 of.nr_pasids / IOMMUSER_VTD_PASIDS_PER_TABLE * 8))
		return;
	for (pasid = 0; pasid < of.nr_pasids; pasid += IOMMUSER_VTD_PASIDS_PER_TABLE) {
		if (iommuser_vtd_pasid_table(&of, pasid, &table))
			die("a PASID table cannot be read");
		if (table)
			label_table(places, &pasid_table, table, TABLE_SIZE);
	}
}

static void find_context_tables(struct places *places, const struct iommuser_vtd_tables *unit)
{
	struct iommuser_vtd_root_entry entry;
	u64 table;
	u32 bus, devfn;

	for (bus = 0; bus < IOMMUSER_VTD_NR_BUSES; bus++) {
		if (iommuser_vtd_root_entry(unit, bus, &entry))
			die("a root table cannot be read");
		for (devfn = 0; devfn < 256; devfn += unit->scalable ? 128 : 256)
			if (iommuser_vtd_context_table(unit, &entry, devfn, &table))
				label_table(places,
					    unit->scalable ? &scalable_context_table :
							     &legacy_context_table,
					    table, TABLE_SIZE);
	}
}

static void find_unit_tables(struct places *places, const struct handover *handover, u64 position)
{
	struct iommuser_vtd_context context;
	union iommuser_record record;
	struct iommuser_vtd_tables unit;
	u32 cursor = 0, bdf;
	int more;

	if (iommuser_graph_read(&handover->graph, IOMMUSER_KIND_IOMMU, position, &record))
		die("a unit cannot be read");
	if (record.common.flags & IOMMUSER_FLAG_DELETED)
		return;
	unit.env = &handover->env;
	unit.root_table = record.iommu.root_table;
	unit.scalable = graph_unit_mode(&handover->graph, position) == IOMMUSER_IOMMU_MODE_SCALABLE;
	label_table(places, unit.scalable ? &scalable_root_table : &legacy_root_table,
		    unit.root_table, TABLE_SIZE);
	find_context_tables(places, &unit);
	while ((more = iommuser_vtd_next_context(&unit, &cursor, &bdf, &context)) > 0)
		if (unit.scalable)
			find_pasid_tables(places, &unit, &context);
	if (more)
		die("a context table cannot be read");
}

/* For a visitor, which may not use the environment. */
struct page_tables {
	u64 phys[512];
	u64 count;
};

static int note_table(void *ctx, u64 phys, u32 level)
{
	struct page_tables *tables = ctx;

	(void)level;
	if (tables->count == ARRAY_SIZE(tables->phys))
		die("too many page tables");
	tables->phys[tables->count++] = phys;
	return 0;
}

static void ignore(void *ctx, const struct iommuser_finding *finding)
{
	(void)ctx;
	(void)finding;
}

static void find_page_tables(struct places *places, const struct handover *handover, u64 position)
{
	static struct page_tables tables;
	const struct iommuser_pt_visitor visitor = { .ctx = &tables, .table = note_table };
	const struct iommuser_reporter quiet = { .report = ignore };
	struct iommuser_pt_table table = { .env = &handover->env, .output_width = 52 };
	struct iommuser_pt_counts counts;
	union iommuser_record record;
	u64 i;

	if (iommuser_graph_read(&handover->graph, IOMMUSER_KIND_DOMAIN, position, &record))
		die("a domain cannot be read");
	if (record.common.flags & IOMMUSER_FLAG_DELETED)
		return;
	table.stage = handover->graph.domain_stages[position];
	table.top_table = record.domain.top_table;
	table.top_level = (u32)record.domain.top_level;
	tables.count = 0;
	if (iommuser_pt_walk(&table, NULL, ARRAY_SIZE(tables.phys), &visitor, &quiet, &counts))
		die("page tables cannot be walked");
	for (i = 0; i < tables.count; i++)
		label_table(places,
			    table.stage == IOMMUSER_STAGE_FIRST ? &first_stage_table :
								  &second_stage_table,
			    tables.phys[i], TABLE_SIZE);
}

void places_find_tables(struct places *places, const struct handover *handover)
{
	u64 i;

	for (i = 0; i < iommuser_graph_count(&handover->graph, IOMMUSER_KIND_IOMMU); i++)
		find_unit_tables(places, handover, i);
	for (i = 0; i < iommuser_graph_count(&handover->graph, IOMMUSER_KIND_DOMAIN); i++)
		find_page_tables(places, handover, i);
}
