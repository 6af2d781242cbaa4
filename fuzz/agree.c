// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: the library against a second reader of "iommuser-v1" (independent.h).
 * Checks S1 S2 S6 S18.
 *
 * Input: page size u8, options u8 (bit 0: seal the pages first, bit 7: alternatives,
 * bits 1 to 6: how many), root u32 (from MEMORY_BASE), memory, all of it preserved;
 * the last writes to it are alternatives: each is tried by itself.
 *
 * Properties: both take the same for a sound handover, or neither does - root,
 * seals and chains first, then records; what the second reader refuses because
 * of where tables are, the library refuses when it comes to the tables. Of what
 * both take, every field of every record and of the root is the same.
 */
#include <string.h>

#include "agreement.h"

#define AT AGREEMENT_AT

static const agreement_places places = {
	[IOMMUSER_KIND_IOMMU] = { AT(iommu, type), AT(iommu, segment), AT(iommu, token),
				  AT(iommu, mode), AT(iommu, host_address_width),
				  AT(iommu, root_table), AT(iommu, cap), AT(iommu, ecap),
				  AT(iommu, first_did), AT(iommu, did_limit),
				  AT(iommu, context_tables[0]), AT(iommu, context_tables[1]),
				  AT(iommu, context_tables[2]), AT(iommu, context_tables[3]),
				  AT(iommu, context_tables[4]), AT(iommu, context_tables[5]),
				  AT(iommu, context_tables[6]), AT(iommu, context_tables[7]) },
	[IOMMUSER_KIND_DOMAIN] = { AT(domain, stage), AT(domain, format), AT(domain, top_table),
				   AT(domain, top_level), AT(domain, input_width),
				   AT(domain, output_width), AT(domain, features),
				   AT(domain, page_size_bitmap), AT(domain, nr_table_pages) },
	[IOMMUSER_KIND_DEVICE] = { AT(device, segment), AT(device, bdf), AT(device, owner_token),
				   AT(device, iommu), AT(device, group_size),
				   AT(device, device_flags), AT(device, pasid_directory),
				   AT(device, pasid_entries), AT(device, rid_pasid) },
	[IOMMUSER_KIND_ALIAS] = { AT(alias, segment), AT(alias, bdf), AT(alias, device),
				  AT(alias, type) },
	[IOMMUSER_KIND_ATTACHMENT] = { AT(attachment, device), AT(attachment, domain),
				       AT(attachment, pasid), AT(attachment, attachment_flags),
				       AT(attachment, did) },
	[IOMMUSER_KIND_HWPT] = { AT(hwpt, iommufd_token), AT(hwpt, hwpt_token), AT(hwpt, domain) },
};

static void compare_root(const struct iommuser_root *ours, const struct independent *theirs)
{
	u32 kind;

	require(ours->minor == theirs->minor && ours->generation == theirs->generation &&
			!strcmp(ours->kernel_release, theirs->kernel_release),
		"%#llx", (unsigned long long)ours->phys);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		require(ours->arrays[kind].nr_records == theirs->kinds[kind].nr_records &&
				ours->arrays[kind].nr_deleted == theirs->kinds[kind].nr_deleted,
			"kind %u", kind);
}

/* There is but one layout. */
static bool read_chains(struct independent *reader, const char *layout)
{
	(void)layout;
	return independent_read(reader);
}

static bool check_records(struct independent *reader, const char *layout)
{
	(void)layout;
	return independent_check(reader);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	struct memory *memory = memory_begin((u32)input_take(&input, 1));
	const struct agreement agreement = {
		.revision = iommuser_revision_by_name("iommuser-v1"),
		.places = &places,
		.read = read_chains,
		.check = check_records,
		.compare_root = compare_root,
	};

	agreement_try(&agreement, memory, &input);
	memory_end(memory);
	return 0;
}
