/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IOMMU records as JSON objects.
 */
#ifndef MODEL_IOMMU_H
#define MODEL_IOMMU_H

#include "model.h"

/** model_records - add iommus, domains, devices, aliases, attachments and hwpts; false when memory ran out */
bool model_records(struct json_object *object, struct handover *handover);

#endif /* MODEL_IOMMU_H */
