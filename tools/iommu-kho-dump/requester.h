/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a requester id to the page table that the hardware walks for it.
 */
#ifndef REQUESTER_H
#define REQUESTER_H

#include <iommuser/pagetable.h>

#include "handover.h"

/**
 * struct requester - a PCI function as VT-d sees it
 * @segment: PCI segment
 * @bdf: bus << 8 | devfn
 * @table: what its requests without PASID are translated with
 * @device: index of its device record; only with @has_device
 * @domain: index of its domain record; only with @has_domain
 */
struct requester {
	u64 segment;
	u32 bdf;
	struct iommuser_pt_table table;
	u64 device;
	u64 domain;
	bool has_device;
	bool has_domain;
};

/** requester_parse - "[ssss:]bb:dd.f"; false when it is not that */
bool requester_parse(const char *text, struct requester *requester);

/**
 * requester_find - follow the hardware's tables for a requester
 * @requester: segment and bdf are given; the rest is filled
 * @handover: open. Its records tell the unit; without records, the first VT-d
 *	root that the handover was given
 * @message: why there is no table
 */
bool requester_find(struct requester *requester, struct handover *handover, char *message,
		    size_t size);

#endif /* REQUESTER_H */
