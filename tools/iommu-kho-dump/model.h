/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handovers as JSON objects. Text output is made from the same objects.
 */
#ifndef MODEL_H
#define MODEL_H

#include <json-c/json.h>

#include "handover.h"
#include "output.h"

/* The tables of fields of what the functions below make. */
extern const struct output_object output_show;
extern const struct output_object output_verify;
extern const struct output_object output_stat;
extern const struct output_object output_source;
extern const struct output_object output_flb;
extern const struct output_object output_checked;

/* When an image was taken. */
extern const char *const output_origins[];

/** model_sessions_to_come - is it of a host that runs, so that LUO has not written its sessions yet? */
bool model_sessions_to_come(const struct handover *handover);
/** model_why_not_read - why KHO or LUO, when it is not known, is not */
const char *model_why_not_read(const struct handover *handover);
/** model_iommu_unread - is there, or may there be, IOMMU state that was handed over and could not be read? */
bool model_iommu_unread(const struct handover *handover);
/** model_no_iommu - what to say where there are no records of IOMMU state */
const char *model_no_iommu(const struct handover *handover);
/** model_nothing_checked - did verify find nothing that it could check? */
bool model_nothing_checked(const struct handover *handover,
			   const struct iommuser_verify_counts *counts);
/** model_verdict - report_status(), but never better than "incomplete" when nothing was checked */
const char *model_verdict(const struct handover *handover,
			  const struct iommuser_verify_counts *counts);
/** model_show - everything that show prints; NULL when memory ran out */
struct json_object *model_show(struct handover *handover);
/** model_verify - status, at most @limit findings, and what was checked */
struct json_object *model_verify(struct handover *handover,
				 const struct iommuser_verify_counts *counts, u64 limit);
/** model_stat - counts and sizes */
struct json_object *model_stat(struct handover *handover,
			       const struct iommuser_verify_counts *counts);
/** model_vtd - a VT-d root table with its context and PASID entries */
struct json_object *model_vtd(const struct iommuser_env *env, const struct handover_vtd *vtd);

#endif /* MODEL_H */
