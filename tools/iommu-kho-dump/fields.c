// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Names of record fields, kinds and states.
 */
#include "fields.h"

#include <iommuser/graph.h>
#include <iommuser/records.h>

#define FIELD_NAME(symbol, name) [IOMMUSER_FIELD_##symbol] = name,

static const char *const field_names[IOMMUSER_NR_FIELDS] = { [IOMMUSER_FIELD_NONE] = "",
							     IOMMUSER_FIELDS(FIELD_NAME) };

static const char *const kind_names[IOMMUSER_NR_KINDS + 1] = {
	[0] = "",
	[IOMMUSER_KIND_IOMMU] = "iommu",
	[IOMMUSER_KIND_DOMAIN] = "domain",
	[IOMMUSER_KIND_DEVICE] = "device",
	[IOMMUSER_KIND_ALIAS] = "alias",
	[IOMMUSER_KIND_ATTACHMENT] = "attachment",
	[IOMMUSER_KIND_HWPT] = "hwpt",
};

const char *iommuser_field_name(u32 field)
{
	return field < IOMMUSER_NR_FIELDS ? field_names[field] : "";
}

const char *iommuser_kind_name(u32 kind)
{
	return kind <= IOMMUSER_NR_KINDS ? kind_names[kind] : "";
}

const char *iommuser_state_name(u32 state)
{
	static const char *const names[] = {
		[IOMMUSER_PRESERVED_STATE] = "preserved",
		[IOMMUSER_CLAIMED] = "claimed",
		[IOMMUSER_RESTORED] = "restored",
		[IOMMUSER_HANDED_OVER] = "handed-over",
		[IOMMUSER_LEFT] = "left",
		[IOMMUSER_ABANDONED] = "abandoned",
		[IOMMUSER_FINISHED] = "finished",
	};

	return state <= IOMMUSER_FINISHED ? names[state] : "unknown";
}
