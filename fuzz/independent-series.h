/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A second reader of the posted series' layouts, "iommu-v1" and those that
 * came after it. Like the one of independent.h, whose form of a handover it
 * fills, it shares nothing with the library.
 */
#ifndef FUZZ_INDEPENDENT_SERIES_H
#define FUZZ_INDEPENDENT_SERIES_H

#include "independent.h"

/* Of records, in their order; those that a layout lacks are 0. */
enum {
	SERIES_TOKEN,
	SERIES_UNIT_TYPE,
	SERIES_REGISTERS,
	SERIES_ROOT_TABLE,
	SERIES_CONTEXT_TABLES,
	SERIES_UNIT_RESTORED = SERIES_CONTEXT_TABLES + 8,
	SERIES_STRTAB_BASE_CFG,
	SERIES_STRTAB_L1,
	SERIES_STRTAB_L2
};
enum {
	SERIES_TOP_TABLE,
	SERIES_TOP_LEVEL,
	SERIES_INPUT_WIDTH,
	SERIES_SIGN_EXTEND,
	SERIES_RESTORED_DOMAIN
};
enum {
	SERIES_OWNER,
	SERIES_BDF,
	SERIES_SEGMENT,
	SERIES_DID,
	SERIES_DOMAIN,
	SERIES_IOMMU,
	SERIES_DEVICE_TYPE,
	SERIES_DIRECTORY,
	SERIES_PASIDS,
	SERIES_DEVICE_RESTORED,
	SERIES_CDTAB_L1,
	SERIES_CDTAB_NR_L2,
	SERIES_CDTAB_L2
};

/* Root and pages. Wants @page to @root. Return: accepted? false for a layout without a name here. */
bool independent_series_read(struct independent *reader, const char *layout);
/* What records say, alone and to one another. After independent_series_read(), with the same @layout. */
bool independent_series_check(struct independent *reader, const char *layout);

#endif /* FUZZ_INDEPENDENT_SERIES_H */
