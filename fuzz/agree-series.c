// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: the library against a second reader of the posted series' revisions
 * (independent-series.h). Checks S1 S2 S6 S18.
 *
 * Input: page size u8, revision u8 ("iommuser-v1" is left to the target "agree"),
 * options u8 (bit 7: alternatives, bits 1 to 6: how many), root u32 (from
 * MEMORY_BASE), memory, all of it preserved; the last writes to it are
 * alternatives: each is tried by itself.
 *
 * Properties: both take the same for a sound handover, or neither does - root
 * and chains first, then records. Of chains that both take, every field of
 * every record and of the root is the same, and each record is found at its
 * address.
 */
#include <string.h>

#include "agreement.h"
#include "independent-series.h"

#define AT AGREEMENT_AT

static const agreement_places places = {
	[IOMMUSER_KIND_IOMMU] = { AT(iommu, token), AT(iommu, type), AT(iommu, registers),
				  AT(iommu, root_table), AT(iommu, context_tables[0]),
				  AT(iommu, context_tables[1]), AT(iommu, context_tables[2]),
				  AT(iommu, context_tables[3]), AT(iommu, context_tables[4]),
				  AT(iommu, context_tables[5]), AT(iommu, context_tables[6]),
				  AT(iommu, context_tables[7]), AT(iommu, restored),
				  AT(iommu, strtab_base_cfg), AT(iommu, strtab_l1),
				  AT(iommu, strtab_l2) },
	[IOMMUSER_KIND_DOMAIN] = { AT(domain, top_table), AT(domain, top_level),
				   AT(domain, input_width), AT(domain, sign_extend),
				   AT(domain, restored_domain) },
	[IOMMUSER_KIND_DEVICE] = { AT(device, owner_token), AT(device, bdf), AT(device, segment),
				   AT(device, did), AT(device, domain), AT(device, iommu),
				   AT(device, type), AT(device, pasid_directory),
				   AT(device, pasid_entries), AT(device, restored),
				   AT(device, cdtab_l1), AT(device, cdtab_nr_l2),
				   AT(device, cdtab_l2) },
};

static void compare_root(const struct iommuser_root *ours, const struct independent *theirs)
{
	bool counted = ours->revision->properties & IOMMUSER_REVISION_TOTALS;
	u32 kind;

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		require(ours->arrays[kind].nr_records ==
				(counted ? theirs->kinds[kind].nr_records : 0),
			"kind %u", kind);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	struct memory *memory = memory_begin((u32)input_take(&input, 1));
	const struct agreement agreement = {
		.revision = input_take_revision(&input),
		.places = &places,
		.read = independent_series_read,
		.check = independent_series_check,
		.compare_root = compare_root,
	};

	if (strcmp(agreement.revision->name, "iommuser-v1"))
		agreement_try(&agreement, memory, &input);
	memory_end(memory);
	return 0;
}
