/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a requester id to the page table that the hardware walks for it.
 */
#ifndef REQUESTER_H
#define REQUESTER_H

#include <iommuser/pagetable.h>

#include "handover.h"

/** enum requester_status - what became of looking for a requester's page table */
enum requester_status {
	REQUESTER_FOUND,
	REQUESTER_UNKNOWN,	/* nothing in the image names it */
	REQUESTER_BLOCKED,	/* the hardware refuses its requests */
	REQUESTER_PASS_THROUGH, /* the hardware does not translate them */
	REQUESTER_LEFT,		/* the device has left the tables of the handover */
	REQUESTER_MISSING,	/* the image lacks a table */
	REQUESTER_UNSUPPORTED,	/* tables that this tool does not read */
	REQUESTER_ABSENT,	/* no device of the handover */
};

/**
 * struct requester - a PCI function as VT-d sees it
 * @segment: PCI segment
 * @bdf: bus << 8 | devfn
 * @pasid: PASID of the requests that are meant; only with @has_pasid
 * @vtd: 1 + number of the VT-d root to follow; 0 to find out
 * @status: filled by requester_find(), as all below
 * @fault: fault reason (VT-d, 7.1.3) of the hardware that blocks it, 0 for none
 * @scalable: the unit is in scalable mode
 * @table: what those requests are translated with
 * @did: domain id that the hardware tags them with; with REQUESTER_FOUND
 * @recorded_did: the one that records tell; only with @has_recorded_did
 * @device: index of its device record; only with @has_device
 * @domain: index of its domain record; only with @has_domain
 */
struct requester {
	u64 segment;
	u32 bdf;
	u32 pasid;
	u32 vtd;
	enum requester_status status;
	u32 fault;
	struct iommuser_pt_table table;
	u32 did;
	u64 recorded_did;
	u64 device;
	u64 domain;
	bool has_pasid;
	bool scalable;
	bool has_recorded_did;
	bool has_device;
	bool has_domain;
};

/** requester_parse - "[ssss:]bb:dd.f[+PASID]"; false when it is not that */
bool requester_parse(const char *text, struct requester *requester);

/**
 * requester_find - follow the hardware's tables for a requester
 * @requester: segment, bdf, PASID and VT-d root are given; the rest is filled
 * @handover: open. Its records tell the unit; without records, a VT-d root that
 *	the handover was given
 * @message: why there is no table
 *
 * Return: true when the status is REQUESTER_FOUND.
 */
bool requester_find(struct requester *requester, struct handover *handover, char *message,
		    size_t size);

#endif /* REQUESTER_H */
