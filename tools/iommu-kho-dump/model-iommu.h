/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IOMMU records as JSON objects.
 */
#ifndef MODEL_IOMMU_H
#define MODEL_IOMMU_H

#include "model.h"

/* The tables of fields of records, and of VT-d root tables without records. */
extern const struct output_object output_iommu;
extern const struct output_object output_domain;
extern const struct output_object output_device;
extern const struct output_object output_alias;
extern const struct output_object output_attachment;
extern const struct output_object output_hwpt;
extern const struct output_object output_vtd_root;

/** model_records - add iommus, domains, devices, aliases, attachments and hwpts; false when memory ran out */
bool model_records(struct json_object *object, struct handover *handover);

#endif /* MODEL_IOMMU_H */
