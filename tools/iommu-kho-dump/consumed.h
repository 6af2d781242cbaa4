/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a kernel that came up from a handover did not take over.
 */
#ifndef CONSUMED_H
#define CONSUMED_H

#include "handover.h"

/**
 * consumed_report - search memory for IOMMU state that was handed over and not taken over
 * @handover: open, of a kernel that was handed over to; its report gets finding REC-25
 */
void consumed_report(struct handover *handover);

#endif /* CONSUMED_H */
