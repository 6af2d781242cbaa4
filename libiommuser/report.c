// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How the checks report, and how they account for the pages they read.
 */
#include "report.h"

#include "internal.h"

void report_at(const struct iommuser_reporter *reporter, enum iommuser_finding_id id, u64 phys,
	       u64 found, u64 expected)
{
	report_field(reporter, id, phys, IOMMUSER_FIELD_NONE, found, expected);
}

void report_field(const struct iommuser_reporter *reporter, enum iommuser_finding_id id, u64 phys,
		  u32 field, u64 found, u64 expected)
{
	struct iommuser_finding finding = {
		.id = id,
		.severity = iommuser_finding_severity(id),
		.field = field,
		.phys = phys,
		.found = found,
		.expected = expected,
	};

	reporter->report(reporter->ctx, &finding);
}

void report_record(const struct iommuser_reporter *reporter, enum iommuser_finding_id id, u32 kind,
		   const union iommuser_record *record, u32 field, u64 found, u64 expected)
{
	struct iommuser_finding finding = {
		.id = id,
		.severity = iommuser_finding_severity(id),
		.kind = kind,
		.index = record->common.index,
		.field = field,
		.phys = record->common.phys,
		.found = found,
		.expected = expected,
	};

	reporter->report(reporter->ctx, &finding);
}

void report_unreadable(const struct iommuser_reporter *reporter, enum iommuser_finding_id id,
		       struct iommuser_pageset *set, u64 phys)
{
	struct iommuser_finding finding = {
		.id = id,
		.severity = IOMMUSER_ERROR,
		.phys = phys,
		.found = phys,
	};

	if (!set || iommuser_pageset_contains(set, IOMMUSER_PRESERVED, phys, 1, NULL))
		finding.severity = IOMMUSER_INCOMPLETE;
	reporter->report(reporter->ctx, &finding);
}

bool visit_metadata(const struct iommuser_reporter *reporter, struct iommuser_pageset *set,
		    enum iommuser_finding_id closure, enum iommuser_finding_id repeated, u64 phys,
		    u64 length)
{
	bool fresh = true;
	u64 missing;
	u64 at;

	if (!set)
		return true;
	if (!iommuser_pageset_contains(set, IOMMUSER_PRESERVED, phys, length, &missing))
		report_at(reporter, closure, missing, missing, 0);
	for (at = phys & ~(u64)(IOMMUSER_TABLE_SIZE - 1); at < phys + length;
	     at += IOMMUSER_TABLE_SIZE)
		if (iommuser_pageset_visit(set, IOMMUSER_VISITED, at) == 1)
			fresh = false;
	if (!fresh)
		report_at(reporter, repeated, phys, phys, 0);
	return fresh;
}
