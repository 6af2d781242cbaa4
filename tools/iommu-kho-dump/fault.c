// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What VT-d hardware reports when it refuses a request.
 */
#include "fault.h"

#include <stddef.h>

#include <iommuser/records.h>

static const struct {
	u32 reason;
	const char *text;
} texts[] = {
	{ FAULT_ROOT_NOT_PRESENT, "root entry not present" },
	{ FAULT_CONTEXT_NOT_PRESENT, "context entry not present" },
	{ FAULT_CONTEXT_INVALID, "context entry invalid" },
	{ FAULT_BEYOND_WIDTH, "address beyond the input width" },
	{ FAULT_WRITE, "no write permission" },
	{ FAULT_READ, "no read permission" },
	{ FAULT_ENTRY_RESERVED, "reserved bits set in a paging entry" },
	{ FAULT_SCALABLE_ROOT_NOT_PRESENT, "root entry not present" },
	{ FAULT_SCALABLE_CONTEXT_NOT_PRESENT, "context entry not present" },
	{ FAULT_PASID_DISABLED, "requests with PASID not enabled" },
	{ FAULT_PASID_TOO_LARGE, "PASID beyond the directory" },
	{ FAULT_RID_PASID, "RID_PASID beyond the directory" },
	{ FAULT_DIRECTORY_NOT_PRESENT, "PASID directory entry not present" },
	{ FAULT_PASID_NOT_PRESENT, "PASID entry not present" },
	{ FAULT_PASID_INVALID, "PASID entry invalid" },
	{ FAULT_FIRST_NOT_PRESENT, "first-stage entry not present" },
	{ FAULT_FIRST_RESERVED, "reserved bits set in a first-stage entry" },
	{ FAULT_SECOND_PERMISSION, "no permission in a second-stage entry" },
	{ FAULT_SECOND_RESERVED, "reserved bits set in a second-stage entry" },
	{ FAULT_NOT_CANONICAL, "address not canonical" },
	{ FAULT_SCALABLE_BEYOND_WIDTH, "address beyond the input width" },
	{ FAULT_FIRST_WRITE, "no write permission" },
};

const char *fault_text(u32 reason)
{
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].reason == reason)
			return texts[i].text;
	return "unknown";
}

static u32 second_stage_fault(bool scalable, int error,
			      const struct iommuser_pt_translation *translation, bool write)
{
	if (error)
		return scalable ? FAULT_SECOND_RESERVED : FAULT_ENTRY_RESERVED;
	if (!translation->nr_steps)
		return scalable ? FAULT_SCALABLE_BEYOND_WIDTH : FAULT_BEYOND_WIDTH;
	if (scalable)
		return FAULT_SECOND_PERMISSION;
	return write ? FAULT_WRITE : FAULT_READ;
}

u32 fault_of_translation(const struct iommuser_pt_table *table, bool scalable, int error,
			 const struct iommuser_pt_translation *translation, bool write)
{
	u32 needed = write ? IOMMUSER_PT_WRITE : IOMMUSER_PT_READ;

	if (translation->mapped && (translation->permissions & needed))
		return 0;
	if (table->stage != IOMMUSER_STAGE_FIRST)
		return second_stage_fault(scalable, error, translation, write);
	if (error)
		return FAULT_FIRST_RESERVED;
	if (!translation->nr_steps)
		return FAULT_NOT_CANONICAL;
	return translation->mapped ? FAULT_FIRST_WRITE : FAULT_FIRST_NOT_PRESENT;
}
