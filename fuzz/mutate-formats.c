// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which target has inputs of which form: the headers, as the targets' comments
 * describe them, and what the memory behind them holds.
 */
#include "mutate-private.h"

#include <string.h>

static const struct mutate_format formats[] = {
	{
		.target = "chain",
		.content = CONTENT_CHAIN,
		.fields = { { ROLE_PAGE_SIZE, 1 },
			    { ROLE_OPTIONS, 1 },
			    { ROLE_HEADER_SIZE, 2 },
			    { ROLE_RECORD_SIZE, 2 },
			    { ROLE_CALL, 2 },
			    { ROLE_FIRST, 4 } },
	},
	{
		.target = "verify",
		.content = CONTENT_HANDOVER,
		.differs = 1 << 4,
		.alternatives_of = ROLE_FRAME,
		.alternatives = 1 << 15,
		.alternatives_count = 0x1f << 10,
		.fields = { { ROLE_PAGE_SIZE, 1 },
			    { ROLE_REVISION, 1 },
			    { ROLE_OPTIONS, 1 },
			    { ROLE_FRAME, 2 },
			    { ROLE_ROOT, 4 },
			    { ROLE_PRESERVED, 0 } },
	},
	{
		.target = "pagetable",
		.content = CONTENT_PAGE_TABLE,
		.differs = 1 << 1,
		.fields = { { ROLE_PAGE_SIZE, 1 },
			    { ROLE_STAGE, 1 },
			    { ROLE_LEVEL, 1 },
			    { ROLE_WIDTH, 1 },
			    { ROLE_OPTIONS, 1 },
			    { ROLE_ROOT, 4 },
			    { ROLE_NUMBER, 8 },
			    { ROLE_PRESERVED, 0 } },
	},
	{
		.target = "records",
		.content = CONTENT_HANDOVER,
		.step_size = 10,
		.fields = { { ROLE_PAGE_SIZE, 1 },
			    { ROLE_REVISION, 1 },
			    { ROLE_OPTIONS, 1 },
			    { ROLE_CALL, 2 },
			    { ROLE_ROOT, 4 },
			    { ROLE_STEPS, 1 } },
	},
	{
		.target = "agree",
		.content = CONTENT_HANDOVER,
		.alternatives_of = ROLE_OPTIONS,
		.alternatives = 1 << 7,
		.alternatives_count = 0x3f << 1,
		.fields = { { ROLE_PAGE_SIZE, 1 }, { ROLE_OPTIONS, 1 }, { ROLE_ROOT, 4 } },
	},
	{
		.target = "agree-series",
		.content = CONTENT_HANDOVER,
		.alternatives_of = ROLE_OPTIONS,
		.alternatives = 1 << 7,
		.alternatives_count = 0x3f << 1,
		.fields = { { ROLE_PAGE_SIZE, 1 },
			    { ROLE_REVISION, 1 },
			    { ROLE_OPTIONS, 1 },
			    { ROLE_ROOT, 4 } },
	},
	{
		.target = "vtd",
		.content = CONTENT_VTD,
		.scalable = 1,
		.fields = { { ROLE_PAGE_SIZE, 1 },
			    { ROLE_OPTIONS, 1 },
			    { ROLE_ROOT, 4 },
			    { ROLE_NUMBER, 2 },
			    { ROLE_NUMBER, 4 },
			    { ROLE_DIRECTORY, 4 },
			    { ROLE_NUMBER, 2 } },
	},
	{
		.target = "restore",
		.content = CONTENT_HANDOVER,
		.relative = true,
		.step_size = 2,
		.fields = { { ROLE_PAGE_SIZE, 1 },
			    { ROLE_BASE, 1 },
			    { ROLE_NUMBER, 1 },
			    { ROLE_OPTIONS, 1 },
			    { ROLE_CALL, 2 },
			    { ROLE_FRAME, 2 },
			    { ROLE_STEPS, 1 } },
	},
	{
		.target = "kho-map",
		.content = CONTENT_LINKS,
		.sizes_in_options = true,
		.fields = { { ROLE_OPTIONS, 1 },
			    { ROLE_FRAME, 2 },
			    { ROLE_FRAME, 2 },
			    { ROLE_NUMBER, 1 },
			    { ROLE_FRAME, 2 },
			    { ROLE_NUMBER, 2 } },
	},
	{
		.target = "luo",
		.content = CONTENT_LINKS,
		.sizes_in_options = true,
		.fields = { { ROLE_OPTIONS, 1 },
			    { ROLE_FRAME, 2 },
			    { ROLE_FIRST, 4 },
			    { ROLE_FIRST, 4 },
			    { ROLE_FRAME, 2 },
			    { ROLE_NUMBER, 2 },
			    { ROLE_FRAME, 2 } },
	},
	{ .target = "kho-fdt", .content = CONTENT_FILE, .change = change_fdt },
	{ .target = "dump", .content = CONTENT_FILE, .change = change_dump },
	{ .target = "ikho", .content = CONTENT_FILE, .change = change_ikho },
};

const struct mutate_format *mutate_format(const char *target)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (!strcmp(formats[i].target, target))
			return &formats[i];
	return NULL;
}
