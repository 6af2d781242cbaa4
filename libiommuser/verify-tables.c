// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The checks of area PT: every preserved domain's page table walked once, and
 * what it holds against the domain's record.
 */
#include "verify-private.h"

/* Tables to walk, of all domains, when nothing tells which were walked before. */
#define MAX_BLIND_TABLES (1ULL << 20)

static OWN_FRAME void domain_finding(const struct iommuser_verify *verify,
				     const union iommuser_record *record,
				     enum iommuser_finding_id id, u32 field, u64 found,
				     u64 expected)
{
	report_record(verify->reporter, id, IOMMUSER_KIND_DOMAIN, record, field, found, expected);
}

static void compare_with_record(const struct iommuser_verify *verify,
				const union iommuser_record *record,
				const struct iommuser_pt_counts *counts, bool complete)
{
	const struct iommuser_domain *domain = &record->domain;
	u64 leaves = counts->nr_leaves[0] + counts->nr_leaves[1] + counts->nr_leaves[2];

	if (counts->nr_snooped && counts->nr_snooped != leaves)
		domain_finding(verify, record, IOMMUSER_FINDING_PT_SNOOP, IOMMUSER_FIELD_NONE,
			       counts->nr_snooped, leaves);
	if (!verify_sealed(verify))
		return;
	if ((domain->features & IOMMUSER_FEATURE_FORCE_SNOOP) &&
	    domain->stage == IOMMUSER_STAGE_SECOND && !counts->nr_snooped && leaves)
		domain_finding(verify, record, IOMMUSER_FINDING_PT_SNOOP, IOMMUSER_FIELD_FEATURES,
			       0, leaves);
	if ((domain->features & IOMMUSER_FEATURE_NESTED_PARENT) && counts->nr_read_only)
		domain_finding(verify, record, IOMMUSER_FINDING_PT_READ_ONLY,
			       IOMMUSER_FIELD_FEATURES, counts->nr_read_only, 0);
	if (counts->page_sizes & ~domain->page_size_bitmap)
		domain_finding(verify, record, IOMMUSER_FINDING_PT_PAGE_SIZE,
			       IOMMUSER_FIELD_PAGE_SIZE_BITMAP, counts->page_sizes,
			       domain->page_size_bitmap);
	if (complete && counts->nr_tables != domain->nr_table_pages)
		domain_finding(verify, record, IOMMUSER_FINDING_PT_PAGE_COUNT,
			       IOMMUSER_FIELD_NR_TABLE_PAGES, domain->nr_table_pages,
			       counts->nr_tables);
}

/* Passes findings on as the domain's, and remembers whether a table could not be walked. */
struct watch {
	const struct iommuser_reporter *reporter;
	u64 position;
	bool incomplete;
};

static void watch_report(void *ctx, const struct iommuser_finding *finding)
{
	struct iommuser_finding of_domain = *finding;
	struct watch *watch = ctx;

	of_domain.kind = IOMMUSER_KIND_DOMAIN;
	of_domain.index = watch->position;
	switch (finding->id) {
	case IOMMUSER_FINDING_PT_TOP_TABLE:
	case IOMMUSER_FINDING_PT_UNREADABLE:
	case IOMMUSER_FINDING_PT_REPEATED:
	case IOMMUSER_FINDING_PT_LEAF_LEVEL:
	case IOMMUSER_FINDING_PT_OUTPUT_WIDTH:
	case IOMMUSER_FINDING_PT_RESERVED:
		watch->incomplete = true;
		break;
	default:
		break;
	}
	watch->reporter->report(watch->reporter->ctx, &of_domain);
}

/* Bits of a physical address that every unit can emit, where records say it. */
static u64 narrowest_unit(const struct iommuser_verify *verify)
{
	u64 position = iommuser_graph_count(verify->graph, IOMMUSER_KIND_IOMMU);
	u64 width = IOMMUSER_PHYS_BITS;
	union iommuser_record unit;

	while (position--)
		if (!read_live(verify, IOMMUSER_KIND_IOMMU, position, &unit) &&
		    unit.iommu.host_address_width < width)
			width = unit.iommu.host_address_width;
	return width;
}

static OWN_FRAME int check_domain_tables(struct iommuser_verify *verify, u64 position, u64 width)
{
	struct watch watch = { .reporter = verify->reporter, .position = position };
	const struct iommuser_reporter reporter = { .ctx = &watch, .report = watch_report };
	struct iommuser_pt_table table = { .env = verify->env };
	struct iommuser_pt_counts counts;
	union iommuser_record record;
	int result;

	if (iommuser_graph_state(verify->graph, IOMMUSER_KIND_DOMAIN, position) >= IOMMUSER_LEFT ||
	    read_live(verify, IOMMUSER_KIND_DOMAIN, position, &record))
		return 0;
	table.stage = verify->graph->domain_stages[position];
	table.top_table = record.domain.top_table;
	table.top_level = (u32)record.domain.top_level;
	table.output_width = IOMMUSER_PHYS_BITS;
	if (verify_sealed(verify))
		table.output_width = (u32)(record.domain.output_width < width ?
						   record.domain.output_width :
						   width);
	if (!table.stage || record.domain.top_level > 4)
		return 0; /* no device says which format; reported with the record */
	result = iommuser_pt_walk(&table, verify->set,
				  MAX_BLIND_TABLES - verify->counts.nr_table_pages, verify->visitor,
				  &reporter, &counts);
	if (result == -IOMMUSER_EINVAL)
		return 0; /* impossible level or width, reported with the record or a device */
	verify->counts.nr_table_pages += counts.nr_tables;
	verify->counts.nr_table_entries += counts.nr_entries;
	verify->counts.nr_domains_walked++;
	if (result == -IOMMUSER_ENOSPC) {
		report_unreadable(verify->reporter, IOMMUSER_FINDING_PT_UNREADABLE, NULL,
				  table.top_table);
		watch.incomplete = true;
		result = 0;
	}
	compare_with_record(verify, &record, &counts, !watch.incomplete);
	return result;
}

int iommuser_verify_tables(struct iommuser_verify *verify)
{
	u64 position, count = iommuser_graph_count(verify->graph, IOMMUSER_KIND_DOMAIN);
	u64 width = narrowest_unit(verify);
	int error;

	for (position = 0; position < count; position++) {
		error = check_domain_tables(verify, position, width);
		if (error)
			return error;
	}
	return 0;
}
