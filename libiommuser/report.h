/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How the checks report, and how they account for the pages they read.
 */
#ifndef IOMMUSER_REPORT_H
#define IOMMUSER_REPORT_H

#include <iommuser/finding.h>
#include <iommuser/pageset.h>
#include <iommuser/records.h>

/* A finding that concerns no record. */
void report_at(const struct iommuser_reporter *reporter, enum iommuser_finding_id id, u64 phys,
	       u64 found, u64 expected);

/* A finding about a field of something that is not a record. */
void report_field(const struct iommuser_reporter *reporter, enum iommuser_finding_id id, u64 phys,
		  u32 field, u64 found, u64 expected);

/* A finding about a field of a record. */
void report_record(const struct iommuser_reporter *reporter, enum iommuser_finding_id id, u32 kind,
		   const union iommuser_record *record, u32 field, u64 found, u64 expected);

/*
 * A page that is not in the image. When it was preserved, or when nobody knows
 * what was, the image is incomplete; else the address is wrong.
 */
void report_unreadable(const struct iommuser_reporter *reporter, enum iommuser_finding_id id,
		       struct iommuser_pageset *set, u64 phys);

/*
 * Account for @length bytes of metadata that were read: they must be preserved
 * (else @closure) and must not have been read as something else before (else
 * @repeated). Without a set there is nothing to compare with.
 * Return: true when the pages were not visited before.
 */
bool visit_metadata(const struct iommuser_reporter *reporter, struct iommuser_pageset *set,
		    enum iommuser_finding_id closure, enum iommuser_finding_id repeated, u64 phys,
		    u64 length);

#endif /* IOMMUSER_REPORT_H */
