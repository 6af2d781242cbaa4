// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: the library against a second reader of "iommuser-v1" (independent.h).
 * Checks S1 S2 S6 S18.
 *
 * Input: page size u8, options u8 (bit 0: seal the pages first, bit 7: alternatives,
 * bits 1 to 6: how many), root u32 (from MEMORY_BASE), memory; the last writes to it
 * are alternatives: each is tried by itself.
 *
 * Properties: both take the same for a sound handover, or neither does - root,
 * seals and chains first, then records; what the second reader refuses because
 * of where tables are, the library refuses when it comes to the tables. Of what
 * both take, every field of every record and of the root is the same.
 */
#include "fuzz.h"

#include <string.h>

#include <iommuser/graph.h>
#include <iommuser/verify.h>

#include "independent.h"

#define AT(kind, member) offsetof(struct iommuser_##kind, member)

/* Where the library has the members of the second reader's records. */
static const size_t places[IOMMUSER_NR_KINDS + 1][INDEPENDENT_MEMBERS] = {
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

/* The library's reading of a handover. */
struct reading {
	struct account account;
	struct iommuser_root root;
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	struct iommuser_verify job;
	void *bytes;
};

static struct reading the_reading;

static bool sound(const struct account *account)
{
	return !account->severe[IOMMUSER_INCOMPLETE] && !account->severe[IOMMUSER_ERROR];
}

static bool open_chains(struct memory *memory, u64 root)
{
	struct reading *reading = &the_reading;
	const struct iommuser_revision *revision = iommuser_revision_by_name("iommuser-v1");

	account_begin(&reading->account);
	reading->bytes = NULL;
	if (iommuser_root_open(&memory->env, revision, root, NULL, &reading->account.reporter,
			       &reading->root))
		return false;
	require(!iommuser_survey_root(&memory->env, &reading->root, NULL,
				      &reading->account.reporter, &reading->survey),
		"no survey");
	return sound(&reading->account);
}

static bool check_records(struct memory *memory)
{
	struct reading *reading = &the_reading;
	u64 size = iommuser_graph_size(&reading->root, &reading->survey);

	reading->job = (struct iommuser_verify){
		.env = &memory->env,
		.root = &reading->root,
		.survey = &reading->survey,
		.graph = &reading->graph,
		.reporter = &reading->account.reporter,
	};
	reading->bytes = calloc(1, size);
	require(reading->bytes, "out of memory");
	require(!iommuser_graph_build(&reading->graph, &memory->env, &reading->root,
				      &reading->survey, size, reading->bytes, size),
		"no graph");
	require(!iommuser_verify_records(&reading->job), "not verified");
	return sound(&reading->account);
}

/* The tables, too: with a set, which bounds the walks. */
static bool check_tables(const struct memory *memory)
{
	struct reading *reading = &the_reading;
	u8 bitmap[MEMORY_FRAMES / 8] = { 0 };

	reading->job.set = set_new();
	set_differing(memory, bitmap);
	set_fill(reading->job.set, bitmap);
	require(!iommuser_verify_vtd(&reading->job) && !iommuser_verify_tables(&reading->job),
		"not verified");
	set_free(reading->job.set);
	return sound(&reading->account);
}

static void compare_record(u32 kind, u64 position, const struct independent_record *theirs)
{
	const struct iommuser_graph *graph = &the_reading.graph;
	union iommuser_record ours;
	u64 found;
	u32 i;

	require(!iommuser_graph_read(graph, kind, position, &ours), "record %llu of kind %u",
		(unsigned long long)position, kind);
	require(ours.common.phys == theirs->address && ours.common.flags == theirs->flags &&
			ours.common.ref_count == theirs->ref_count &&
			ours.common.index == theirs->index,
		"record %llu of kind %u", (unsigned long long)position, kind);
	for (i = 0; i < independent_nr_members(kind); i++) {
		u64 member;

		memcpy(&member, (const u8 *)&ours + places[kind][i], sizeof(member));
		require(member == theirs->member[i], "record %llu of kind %u, member %u",
			(unsigned long long)position, kind, i);
	}
	require(!iommuser_graph_resolve(graph, theirs->address, kind, &found) && found == position,
		"%#llx", (unsigned long long)theirs->address);
}

static void compare(const struct independent *theirs)
{
	const struct iommuser_root *ours = &the_reading.root;
	u64 position;
	u32 kind;

	require(ours->phys == theirs->root && ours->minor == theirs->minor &&
			ours->generation == theirs->generation &&
			!strcmp(ours->kernel_release, theirs->kernel_release),
		"%#llx", (unsigned long long)ours->phys);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		const struct independent_chain *chain = &theirs->kinds[kind];

		require(ours->arrays[kind].first_page == chain->first_page &&
				ours->arrays[kind].nr_records == chain->nr_records &&
				ours->arrays[kind].nr_deleted == chain->nr_deleted &&
				iommuser_graph_count(&the_reading.graph, kind) == chain->nr_records,
			"kind %u", kind);
		for (position = 0; position < chain->nr_records; position++)
			compare_record(kind, position, &chain->records[position]);
	}
}

static const u8 *page(void *ctx, u64 address, u64 length)
{
	(void)length;
	return memory_page(ctx, address);
}

static void read_both(struct memory *memory, u64 root)
{
	struct independent theirs = {
		.page = page,
		.ctx = memory,
		.page_size = 1ULL << memory->env.page_shift,
		.root = root,
	};
	bool chains = open_chains(memory, root), records;

	require(chains == independent_read(&theirs), "the library says %s; the second reader: %s",
		chains ? "sound" : "broken", theirs.refused ? theirs.refused : "sound");
	if (chains) {
		records = check_records(memory);
		compare(&theirs);
		independent_check(&theirs);
		require(records == (!theirs.refused || theirs.of_tables),
			"the library says %s; the second reader at %#llx: %s",
			records ? "sound" : "broken", (unsigned long long)theirs.where,
			theirs.refused ? theirs.refused : "sound");
		if (records && theirs.refused)
			require(!check_tables(memory), "the second reader at %#llx: %s",
				(unsigned long long)theirs.where, theirs.refused);
	}
	independent_end(&theirs);
	free(the_reading.bytes);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	struct memory *memory = memory_begin((u32)input_take(&input, 1));
	u64 options = input_take(&input, 1);
	u64 root = MEMORY_BASE + input_take(&input, 4);
	struct edit edit;

	memory_write_most(memory, &input, options & 0x80 ? options >> 1 & 63 : 0);
	if (options & 1)
		memory_seal(memory, root);
	read_both(memory, root);
	while (memory_edit(memory, &input, &edit)) {
		memory_seal_again(memory);
		read_both(memory, root);
		memory_undo(&edit);
	}
	memory_end(memory);
	return 0;
}
