// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The pages of hardware tables that hang on a record, children first.
 */
#include "table-walk.h"

#include <iommuser/vtd.h>

#include "internal.h"

static bool skipped(const struct table_walk *walk, const struct iommuser_iommu *iommu, u32 bit)
{
	bool recorded = iommu->context_tables[bit / 64] >> (bit % 64) & 1;

	return walk->skip == (recorded ? SKIP_RECORDED : SKIP_OTHERS);
}

static int walk_unit(struct table_walk *walk, const struct iommuser_iommu *iommu)
{
	const struct iommuser_vtd_tables tables = {
		.env = walk->env,
		.root_table = iommu->root_table,
		.scalable = walk->scalable,
	};
	struct iommuser_vtd_root_entry entry;
	u64 table;
	int error;
	u32 bit;

	for (bit = 0; bit < 2 * IOMMUSER_VTD_NR_BUSES; bit += walk->scalable ? 1 : 2) {
		error = iommuser_vtd_root_entry(&tables, bit / 2, &entry);
		if (error)
			return error;
		if (skipped(walk, iommu, bit) ||
		    !iommuser_vtd_context_table(&tables, &entry, bit % 2 * 128, &table))
			continue;
		error = walk->page(walk, table);
		if (error)
			return error;
		walk->met[bit / 64] |= 1ULL << (bit % 64);
	}
	return walk->skip == SKIP_RECORDED ? 0 : walk->page(walk, iommu->root_table);
}

/* Remembers a finding that makes the tables unusable. */
static void note_finding(void *ctx, const struct iommuser_finding *finding)
{
	struct table_walk *walk = ctx;

	if (finding->severity >= IOMMUSER_INCOMPLETE)
		walk->error = finding->severity == IOMMUSER_ERROR ? -IOMMUSER_ECORRUPT :
								    -IOMMUSER_EUNMAPPED;
}

static int leave_table(void *ctx, u64 phys, u32 level)
{
	struct table_walk *walk = ctx;

	(void)level;
	return walk->error ? walk->error : walk->page(walk, phys);
}

static int walk_domain(struct table_walk *walk, const struct iommuser_domain *domain)
{
	const struct iommuser_reporter reporter = { .ctx = walk, .report = note_finding };
	const struct iommuser_pt_visitor visitor = { .ctx = walk, .leave = leave_table };
	const struct iommuser_pt_table table = {
		.env = walk->env,
		.stage = (u32)domain->stage,
		.top_table = domain->top_table,
		.top_level = (u32)domain->top_level,
		.output_width = domain->output_width ? (u32)domain->output_width :
						       IOMMUSER_PHYS_BITS,
		.pages_only = walk->pages_only,
	};
	u64 most = walk->max_tables;
	int error;

	if (domain->nr_table_pages && domain->nr_table_pages < most)
		most = domain->nr_table_pages;
	error = iommuser_pt_walk(&table, NULL, most, &visitor, &reporter, &walk->counts);
	return error ? error : walk->error;
}

static int walk_device(struct table_walk *walk, const struct iommuser_device *device)
{
	const struct iommuser_vtd_directory directory = {
		.env = walk->env,
		.phys = device->pasid_directory,
		.nr_pasids = (u32)device->pasid_entries,
	};
	u64 bytes = directory.nr_pasids / IOMMUSER_VTD_PASIDS_PER_TABLE * 8;
	u64 table, at;
	u32 pasid;
	int error;

	if (!directory.phys)
		return 0;
	for (pasid = 0; pasid < directory.nr_pasids; pasid += IOMMUSER_VTD_PASIDS_PER_TABLE) {
		error = iommuser_vtd_pasid_table(&directory, pasid, &table);
		if (error)
			return error;
		if (!table)
			continue;
		error = walk->page(walk, table);
		if (error)
			return error;
	}
	for (at = 0; at < bytes; at += IOMMUSER_TABLE_SIZE) {
		error = walk->page(walk, directory.phys + at);
		if (error)
			return error;
	}
	return 0;
}

int walk_tables(struct table_walk *walk, u32 kind, const union iommuser_record *record)
{
	switch (kind) {
	case IOMMUSER_KIND_IOMMU:
		return walk_unit(walk, &record->iommu);
	case IOMMUSER_KIND_DOMAIN:
		return walk_domain(walk, &record->domain);
	case IOMMUSER_KIND_DEVICE:
		return walk_device(walk, &record->device);
	default:
		return -IOMMUSER_EINTERNAL;
	}
}
