// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The verifier as a whole, and what its parts share.
 */
#include "verify-private.h"

int read_live(const struct iommuser_verify *verify, u32 kind, u64 position,
	      union iommuser_record *record)
{
	int error = iommuser_graph_read(verify->graph, kind, position, record);

	if (error)
		return error;
	record->common.index = position;
	return record_deleted(record) ? -IOMMUSER_ENOENT : 0;
}

int read_live_device(const struct iommuser_verify *verify, u64 position,
		     union iommuser_record *record)
{
	int error = read_live(verify, IOMMUSER_KIND_DEVICE, position, record);

	if (error)
		return error;
	return iommuser_graph_device_stale(verify->graph, &record->device);
}

int resolve_live(const struct iommuser_verify *verify, u64 phys, u32 kind, u64 *position,
		 union iommuser_record *record)
{
	int error = iommuser_graph_resolve(verify->graph, phys, kind, position);

	return error ? error : read_live(verify, kind, *position, record);
}

void iommuser_verify_mapped(const struct iommuser_pageset *set,
			    const struct iommuser_reporter *reporter)
{
	const u32 both = IOMMUSER_IN(IOMMUSER_VISITED) | IOMMUSER_IN(IOMMUSER_MAPPED);
	u64 phys, length, cursor = 0;

	while (iommuser_pageset_next(set, both, &cursor, 0, &phys, &length))
		report_at(reporter, IOMMUSER_FINDING_CLOSURE_METADATA_MAPPED, phys, phys, 0);
}

int iommuser_verify_all(struct iommuser_verify *verify)
{
	int error;

	error = iommuser_verify_records(verify);
	if (!error)
		error = iommuser_verify_vtd(verify);
	if (!error)
		error = iommuser_verify_tables(verify);
	if (!error && verify->set)
		iommuser_verify_mapped(verify->set, verify->reporter);
	return error;
}
