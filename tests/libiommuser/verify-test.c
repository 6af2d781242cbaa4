// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the verifier on small handovers: what the whole-image tests do not
 * reach, such as options, absent page sets, look-ups outside the records, and
 * images made to be slow.
 */
#include "handover.h"

#include <time.h>

#include <iommuser/verify.h>
#include <iommuser/vtd.h>

#include "internal.h"

#define PUT(small, kind, phys, FIELD, value) \
	handover_put((small)->handover, kind, phys, IOMMUSER_FIELD_##FIELD, value)
#define MEMORY 0x80000000ULL
#define MEMORY_SIZE 0x100000ULL
#define DID 7
#define NR_PASIDS 8192U

/* One unit, one domain, one device 0000:01:02.0, sound in every way. */
struct small {
	struct handover *handover;
	struct iommuser_verify verify;
	bool scalable;
	enum iommuser_state domain_state, device_state;
	u64 unit, domain, device, attachment, hwpt;
	u64 root_table, context_table, directory, pasid_table, top_table;
	u64 context; /* the device's context entry */
};

static u64 put_table(struct image *image, u64 at)
{
	u64 table = image_alloc(image);

	image_put(image, at, 8, table | 3);
	return table;
}

static void put_hardware_tables(struct small *small)
{
	struct image *image = small->handover->image;
	u32 i;
	u64 at;

	small->top_table = image_alloc(image);
	at = put_table(image, put_table(image, small->top_table));
	for (i = 0; i < MEMORY_SIZE >> 12; i++)
		image_put(image, at + 8ULL * i, 8, (MEMORY + ((u64)i << 12)) | 3);

	small->root_table = image_alloc(image);
	small->context_table = image_alloc(image);
	image_put(image, small->root_table + 16, 8, small->context_table | 1);
	small->context = small->context_table + 0x10 * (small->scalable ? 32 : 16);
	if (!small->scalable) {
		image_put(image, small->context, 8, small->top_table | 1);
		image_put(image, small->context + 8, 8, DID << 8 | 1);
		return;
	}
	small->directory = image_alloc(image);
	small->pasid_table = image_alloc(image);
	image_put(image, small->context, 8, small->directory | 8 | 1);
	image_put(image, small->directory, 8, small->pasid_table | 1);
	image_put(image, small->pasid_table, 8, small->top_table | 2 << 6 | 1 << 2 | 1);
	image_put(image, small->pasid_table + 8, 8, DID);
}

static void put_sealed_records(struct small *small)
{
	PUT(small, KIND_IOMMU, small->unit, MODE, small->scalable ? 2 : 1);
	PUT(small, KIND_IOMMU, small->unit, HOST_ADDRESS_WIDTH, 46);
	PUT(small, KIND_IOMMU, small->unit, CAP, 2);
	PUT(small, KIND_IOMMU, small->unit, FIRST_DID, 2);
	PUT(small, KIND_IOMMU, small->unit, DID_LIMIT, 256);
	PUT(small, KIND_DOMAIN, small->domain, STAGE, 2);
	PUT(small, KIND_DOMAIN, small->domain, FORMAT, 2);
	PUT(small, KIND_DOMAIN, small->domain, INPUT_WIDTH, 39);
	PUT(small, KIND_DOMAIN, small->domain, OUTPUT_WIDTH, 46);
	PUT(small, KIND_DOMAIN, small->domain, PAGE_SIZE_BITMAP, 1 << 12);
	PUT(small, KIND_DOMAIN, small->domain, NR_TABLE_PAGES, 3);
	PUT(small, KIND_DOMAIN, small->domain, REF_COUNT, 2);
	PUT(small, KIND_DEVICE, small->device, GROUP_SIZE, 1);
	small->attachment = handover_add(small->handover, KIND_ATTACHMENT);
	PUT(small, KIND_ATTACHMENT, small->attachment, DEVICE, small->device);
	PUT(small, KIND_ATTACHMENT, small->attachment, DOMAIN, small->domain);
	PUT(small, KIND_ATTACHMENT, small->attachment, DID, DID);
	small->hwpt = handover_add(small->handover, KIND_HWPT);
	PUT(small, KIND_HWPT, small->hwpt, DOMAIN, small->domain);
}

static struct small *small_new(const char *name, bool scalable)
{
	struct small *small = calloc(1, sizeof(*small));
	struct handover *handover = handover_new(name, 12);

	assert_non_null(small);
	small->handover = handover;
	small->scalable = scalable;
	put_hardware_tables(small);
	small->unit = handover_add(handover, KIND_IOMMU);
	PUT(small, KIND_IOMMU, small->unit, TYPE, 1);
	PUT(small, KIND_IOMMU, small->unit, TOKEN, 0xfed90000);
	PUT(small, KIND_IOMMU, small->unit, ROOT_TABLE, small->root_table);
	if (iommuser_revision_has(handover->revision, KIND_IOMMU, IOMMUSER_FIELD_CONTEXT_TABLES))
		PUT(small, KIND_IOMMU, small->unit, CONTEXT_TABLES, 1 << 2);
	small->domain = handover_add(handover, KIND_DOMAIN);
	PUT(small, KIND_DOMAIN, small->domain, TOP_TABLE, small->top_table);
	PUT(small, KIND_DOMAIN, small->domain, TOP_LEVEL, 2);
	small->device = handover_add(handover, KIND_DEVICE);
	PUT(small, KIND_DEVICE, small->device, BDF, 0x110);
	PUT(small, KIND_DEVICE, small->device, IOMMU, small->unit);
	if (scalable) {
		PUT(small, KIND_DEVICE, small->device, PASID_DIRECTORY, small->directory);
		PUT(small, KIND_DEVICE, small->device, PASID_ENTRIES, NR_PASIDS);
	}
	if (handover->sealed) {
		put_sealed_records(small);
		return small;
	}
	PUT(small, KIND_DEVICE, small->device, DOMAIN, small->domain);
	PUT(small, KIND_DEVICE, small->device, DID, DID);
	if (iommuser_revision_has(handover->revision, KIND_DOMAIN, IOMMUSER_FIELD_INPUT_WIDTH))
		PUT(small, KIND_DOMAIN, small->domain, INPUT_WIDTH, 39);
	return small;
}

static void small_free(struct small *small)
{
	handover_free(small->handover);
	free(small);
}

/* Seal, read and verify everything; with a page set or without. */
static void verify(struct small *small, bool with_set)
{
	struct handover *handover = small->handover;

	handover_finish(handover);
	if (handover->set)
		pageset_free(handover->set);
	handover->set = NULL;
	if (with_set)
		handover_preserve(handover, MEMORY, MEMORY_SIZE);
	handover_build(handover);
	iommuser_graph_set_state(&handover->graph, KIND_DOMAIN, 0, small->domain_state);
	iommuser_graph_set_state(&handover->graph, KIND_DEVICE, 0, small->device_state);
	small->verify.env = &handover->image->env;
	small->verify.root = &handover->root;
	small->verify.survey = &handover->survey;
	small->verify.graph = &handover->graph;
	small->verify.set = handover->set;
	small->verify.reporter = &handover->findings.reporter;
	memset(&small->verify.counts, 0, sizeof(small->verify.counts));
	assert_int_equal(iommuser_verify_all(&small->verify), 0);
}

static void expect(struct small *small, const char *codes)
{
	verify(small, true);
	expect_findings(&small->handover->findings, codes);
}

static const char *const names[] = { "iommuser-v1", "iommu-v1", "iommu-liveupdate-v1",
				     "iommu-liveupdate", "iommu-liveupdate-56" };

static void sound_handovers_have_no_findings(void **state)
{
	u32 i, scalable, with_set;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		for (scalable = 0; scalable < 2; scalable++) {
			for (with_set = 0; with_set < 2; with_set++) {
				struct small *small = small_new(names[i], scalable);
				const struct iommuser_verify_counts *counts = &small->verify.counts;

				verify(small, with_set);
				expect_findings(&small->handover->findings, "");
				assert_int_equal(counts->nr_pages, i ? 4 : 6);
				assert_int_equal(counts->nr_records, i ? 3 : 5);
				assert_int_equal(counts->nr_context_entries, 1);
				assert_int_equal(counts->nr_pasid_entries, scalable);
				assert_int_equal(counts->nr_domains_walked, 1);
				assert_int_equal(counts->nr_table_pages, 3);
				assert_int_equal(counts->nr_table_entries, 3 * 512);
				small_free(small);
			}
		}
	}
}

static void counts_are_added_to(void **state)
{
	struct small *small = small_new("iommuser-v1", false);

	(void)state;
	verify(small, false);
	assert_int_equal(iommuser_verify_tables(&small->verify), 0);
	assert_int_equal(small->verify.counts.nr_domains_walked, 2);
	assert_int_equal(small->verify.counts.nr_table_pages, 6);
	small_free(small);
}

static void strangers_are_cut_off_at_the_jump(void **state)
{
	struct small *small = small_new("iommuser-v1", false);

	(void)state;
	image_put(small->handover->image, small->context + 16, 8, 0x5000 | 1);
	verify(small, true);
	assert_int_equal(small->handover->findings.list[0].found, 0x111);
	assert_int_equal(small->handover->findings.list[0].phys, small->context + 16);
	expect_findings(&small->handover->findings, "VTD-14");
	small->verify.options = IOMMUSER_VERIFY_BEFORE_JUMP;
	expect(small, "");
	/* A bit that is reserved stays reserved. */
	image_put(small->handover->image, small->context + 16, 8, 0x5010 | 1);
	expect(small, "VTD-15");
	small_free(small);
}

/* Another kernel's devices, on the preserved bus and on one of their own. */
static void put_strangers(struct small *small)
{
	struct image *image = small->handover->image;
	u64 table = image_alloc(image);

	image_put(image, small->context + (small->scalable ? 32 : 16), 8, 0x5000 | 1);
	image_put(image, small->root_table + 5 * 16, 8, table | 1);
	image_put(image, table, 8, 0x5000 | 1);
}

static void tables_hold_more_before_and_after_the_jump(void **state)
{
	static const u32 options[] = { IOMMUSER_VERIFY_BEFORE_JUMP, IOMMUSER_VERIFY_AFTER_JUMP };
	u32 scalable, i;

	(void)state;
	for (scalable = 0; scalable < 2; scalable++) {
		struct small *small = small_new("iommuser-v1", scalable);

		put_strangers(small);
		expect(small, "VTD-14 VTD-14 VTD-16");
		for (i = 0; i < ARRAY_SIZE(options); i++) {
			small->verify.options = options[i];
			expect(small, "");
		}
		/* Nor do tables of others have to be preserved, or in the image. */
		image_put(small->handover->image, small->root_table + 6 * 16, 8, 0x70000000 | 1);
		for (i = 0; i < ARRAY_SIZE(options); i++) {
			small->verify.options = options[i];
			expect(small, "");
		}
		/* What was handed over has to be there whenever. */
		PUT(small, KIND_IOMMU, small->unit, CONTEXT_TABLES, 1 << 2 | 1 << 20);
		for (i = 0; i < ARRAY_SIZE(options); i++) {
			small->verify.options = options[i];
			expect(small, "VTD-16");
		}
		small_free(small);
	}
}

static void run_time_marks_are_for_after_the_jump(void **state)
{
	struct small *small = small_new("iommu-liveupdate", true);

	(void)state;
	PUT(small, KIND_IOMMU, small->unit, RESTORED, 1);
	expect(small, "REC-13");
	PUT(small, KIND_DEVICE, small->device, RESTORED, 1);
	expect(small, "REC-13 REC-13");
	PUT(small, KIND_DOMAIN, small->domain, RESTORED_DOMAIN, 0xffff888000000000ULL);
	PUT(small, KIND_DOMAIN, small->domain, FLAGS, IOMMUSER_FLAG_INCOMING);
	expect(small, "REC-12 REC-13 REC-13 REC-13");
	small->verify.options = IOMMUSER_VERIFY_AFTER_JUMP;
	expect(small, "");
	small_free(small);
}

static bool used(void *ctx, u64 domain)
{
	const u64 *phys = ctx;

	return *phys == domain;
}

static void domains_may_be_used_elsewhere(void **state)
{
	struct small *small = small_new("iommu-liveupdate", false);
	u64 other = handover_add(small->handover, KIND_DOMAIN);
	u64 top = image_alloc(small->handover->image);

	(void)state;
	PUT(small, KIND_DOMAIN, other, TOP_TABLE, top);
	PUT(small, KIND_DOMAIN, other, TOP_LEVEL, 2);
	PUT(small, KIND_DOMAIN, other, INPUT_WIDTH, 39);
	expect(small, "REF-02");
	small->verify.used_elsewhere = used;
	small->verify.ctx = &top;
	expect(small, "REF-02");
	small->verify.ctx = &other;
	expect(small, "");
	small_free(small);
}

/* Findings name the record by its position, whatever the record itself says. */
static void findings_name_the_position(void **state)
{
	struct small *small = small_new("iommu-liveupdate", false);
	struct findings *findings = &small->handover->findings;
	u64 other = handover_add(small->handover, KIND_DEVICE);
	u64 by_type, by_range;

	(void)state;
	PUT(small, KIND_DEVICE, other, REF_COUNT, 0);
	PUT(small, KIND_DEVICE, other, SEGMENT, 0x10000);
	PUT(small, KIND_DEVICE, other, BDF, 0x118);
	PUT(small, KIND_DEVICE, other, IOMMU, small->unit);
	PUT(small, KIND_DEVICE, other, DOMAIN, small->domain);
	PUT(small, KIND_DEVICE, other, DID, DID);
	PUT(small, KIND_IOMMU, small->unit, REF_COUNT, 2);
	verify(small, true);
	by_range = find_finding(findings, IOMMUSER_FINDING_REC_ADDRESS_RANGE)->index;
	by_type = find_finding(findings, IOMMUSER_FINDING_REC_REF_COUNT_ZERO)->index;
	small_free(small);
	assert_int_equal(by_range, 1);
	assert_int_equal(by_type, 1);
}

static void a_wrong_index_is_named_by_position(void **state)
{
	struct small *small = small_new("iommuser-v1", false);
	struct iommuser_finding finding;

	(void)state;
	PUT(small, KIND_HWPT, small->hwpt, INDEX, 5);
	verify(small, true);
	finding = *find_finding(&small->handover->findings, IOMMUSER_FINDING_REC_INDEX);
	expect_findings(&small->handover->findings, "REC-03");
	small_free(small);
	assert_int_equal(finding.kind, KIND_HWPT);
	assert_int_equal(finding.found, 5);
	assert_int_equal(finding.expected, 0);
	assert_int_equal(finding.index, 0);
}

static void hardware_entries_must_match(void **state)
{
	struct small *small = small_new("iommuser-v1", true);
	struct image *image = small->handover->image;
	u64 other = image_alloc(image);

	(void)state;
	image_put(image, small->pasid_table + 8, 8, DID + 1);
	expect(small, "DID-05");
	image_put(image, small->pasid_table + 8, 8, DID);
	image_put(image, small->pasid_table, 8, other | 2 << 6 | 1 << 2 | 1);
	expect(small, "VTD-04");
	image_put(image, small->pasid_table, 8, small->top_table | 2 << 6 | 2 << 2 | 1);
	expect(small, "VTD-05");
	image_put(image, small->pasid_table, 8, small->top_table | 4 << 6 | 1 << 2 | 1);
	expect(small, "VTD-12");
	image_put(image, small->pasid_table, 8, small->top_table | 2 << 6 | 1 << 2);
	expect(small, "VTD-11");
	image_put(image, small->pasid_table, 8, small->top_table | 2 << 6 | 1 << 2 | 1);
	image_put(image, small->pasid_table + 64, 8, 1);
	expect(small, "VTD-13");
	image_put(image, small->pasid_table + 64, 8, 0);
	image_put(image, small->context, 8, small->directory | 1 << 4 | 8 | 1);
	expect(small, "VTD-17");
	image_put(image, small->context, 8, small->directory | 1 << 9 | 8 | 1);
	expect(small, "VTD-09");
	image_put(image, small->context, 8, other | 8 | 1);
	expect(small, "VTD-08");
	image_put(image, small->context, 8, small->directory | 8);
	expect(small, "VTD-03");
	image_put(image, small->context, 8, small->directory | 8 | 1);
	image_put(image, small->context + 8, 8, 1);
	expect(small, "VTD-19");
	image_put(image, small->context + 8, 8, 0);
	image_put(image, small->root_table + 24, 8, other | 1);
	expect(small, "VTD-16");
	image_put(image, small->root_table + 24, 8, 0);
	expect(small, "");
	small_free(small);
}

/* A reference that leads nowhere explains the count that is missing at its target. */
static void lost_references_are_named_alone(void **state)
{
	struct small *small = small_new("iommuser-v1", false);

	(void)state;
	PUT(small, KIND_ATTACHMENT, small->attachment, DOMAIN, small->domain + 8);
	expect(small, "REC-08");
	PUT(small, KIND_ATTACHMENT, small->attachment, DOMAIN, small->domain);
	PUT(small, KIND_ATTACHMENT, small->attachment, DEVICE, small->domain);
	expect(small, "REC-09");
	PUT(small, KIND_ATTACHMENT, small->attachment, DEVICE, small->device);
	PUT(small, KIND_HWPT, small->hwpt, DOMAIN, 0);
	expect(small, "REC-08");
	PUT(small, KIND_HWPT, small->hwpt, DOMAIN, small->domain);
	expect(small, "");
	small_free(small);
}

static void a_deleted_domain_is_not_followed(void **state)
{
	struct small *small = small_new("iommu-liveupdate", false);

	(void)state;
	handover_delete(small->handover, KIND_DOMAIN, small->domain);
	expect(small, "REC-10");
	assert_int_equal(small->verify.counts.nr_domains_walked, 0);
	small_free(small);
}

static void what_is_deleted_is_zero_and_counts_no_more(void **state)
{
	struct small *small = small_new("iommuser-v1", false);

	(void)state;
	handover_delete(small->handover, KIND_HWPT, small->hwpt);
	expect(small, "REF-03");
	PUT(small, KIND_DOMAIN, small->domain, REF_COUNT, 1);
	expect(small, "");
	PUT(small, KIND_HWPT, small->hwpt, HWPT_TOKEN, 5);
	expect(small, "REC-19");
	PUT(small, KIND_HWPT, small->hwpt, HWPT_TOKEN, 0);
	handover_delete(small->handover, KIND_ATTACHMENT, small->attachment);
	expect(small, "REF-02 REF-05");
	small_free(small);
}

static void put_did(struct small *small, u64 did)
{
	PUT(small, KIND_ATTACHMENT, small->attachment, DID, did);
	image_put(small->handover->image, small->context + 8, 8, did << 8 | 1);
}

static void domain_ids_are_the_units(void **state)
{
	struct small *small = small_new("iommuser-v1", false);

	(void)state;
	put_did(small, 255);
	expect(small, "");
	put_did(small, 256);
	expect(small, "DID-02");
	PUT(small, KIND_IOMMU, small->unit, FIRST_DID, DID);
	put_did(small, DID);
	expect(small, "");
	put_did(small, DID - 1);
	expect(small, "DID-01");
	small_free(small);
	small = small_new("iommu-liveupdate", false);
	PUT(small, KIND_DEVICE, small->device, DID, 65536);
	expect(small, "DID-02 DID-05");
	small_free(small);
}

/* Another device on the domain of the first, 0000:01:03.0. */
static u64 add_device(struct small *small, u64 did)
{
	u64 device = handover_add(small->handover, KIND_DEVICE);
	u64 context = small->context_table + 0x18 * 16;

	PUT(small, KIND_DEVICE, device, BDF, 0x118);
	PUT(small, KIND_DEVICE, device, IOMMU, small->unit);
	PUT(small, KIND_DEVICE, device, DOMAIN, small->domain);
	PUT(small, KIND_DEVICE, device, DID, did);
	PUT(small, KIND_IOMMU, small->unit, REF_COUNT, 2);
	image_put(small->handover->image, context, 8, small->top_table | 1);
	image_put(small->handover->image, context + 8, 8, did << 8 | 1);
	return device;
}

static void devices_of_a_unit_agree(void **state)
{
	struct small *small = small_new("iommu-liveupdate", false);
	u64 device = add_device(small, DID);
	struct iommuser_finding finding;

	(void)state;
	expect(small, "");
	PUT(small, KIND_DEVICE, device, PASID_DIRECTORY, image_alloc(small->handover->image));
	PUT(small, KIND_DEVICE, device, PASID_ENTRIES, NR_PASIDS);
	expect(small, "REC-15");
	small_free(small);
	small = small_new("iommu-liveupdate", false);
	device = add_device(small, DID);
	image_put(small->handover->image, small->context_table + 0x18 * 16 + 8, 8, 9 << 8 | 1);
	verify(small, true);
	finding = *find_finding(&small->handover->findings, IOMMUSER_FINDING_DID_ENTRY);
	assert_int_equal(finding.index, 1);
	assert_int_equal(finding.phys, device);
	small_free(small);
	small = small_new("iommu-liveupdate", false);
	add_device(small, DID + 1);
	expect(small, "DID-04");
	small_free(small);
}

/* The rest of the devices, and with them of the users, may be in what cannot be reached. */
static void a_broken_chain_explains_what_is_missing(void **state)
{
	struct small *small = small_new("iommu-liveupdate", false);

	(void)state;
	PUT(small, KIND_IOMMU, small->unit, REF_COUNT, 2);
	expect(small, "REF-01");
	image_put(small->handover->image, small->device & ~4095ULL, 8, 0x123);
	expect(small, "CHAIN-01 CHAIN-16");
	small_free(small);
}

static u64 add_unit(struct small *small, u64 token)
{
	u64 unit = handover_add(small->handover, KIND_IOMMU);

	PUT(small, KIND_IOMMU, unit, TYPE, 1);
	PUT(small, KIND_IOMMU, unit, TOKEN, token);
	PUT(small, KIND_IOMMU, unit, ROOT_TABLE, image_alloc(small->handover->image));
	return unit;
}

/* A unit without devices counts as one with one user. */
static void units_have_tokens_of_their_own(void **state)
{
	struct small *small = small_new("iommu-liveupdate", false);
	u64 unit = add_unit(small, 0xfed91000);

	(void)state;
	expect(small, "");
	PUT(small, KIND_IOMMU, unit, TOKEN, 0xfed90000);
	expect(small, "REC-05");
	small_free(small);
}

static void hwpts_are_told_apart_by_both_tokens(void **state)
{
	struct small *small = small_new("iommuser-v1", false);
	u64 hwpt = handover_add(small->handover, KIND_HWPT);

	(void)state;
	PUT(small, KIND_DOMAIN, small->domain, REF_COUNT, 3);
	PUT(small, KIND_HWPT, hwpt, DOMAIN, small->domain);
	PUT(small, KIND_HWPT, hwpt, IOMMUFD_TOKEN, 0x5000);
	expect(small, "");
	PUT(small, KIND_HWPT, hwpt, IOMMUFD_TOKEN, 0);
	expect(small, "REC-18");
	PUT(small, KIND_HWPT, hwpt, HWPT_TOKEN, 1);
	expect(small, "");
	small_free(small);
}

/* What mix64() makes @x of. */
static u64 unmix64(u64 x)
{
	x ^= x >> 32;
	x *= 0xf1de83e19937733dULL;
	return x ^ x >> 32;
}

/* Two hwpts share a key, and the second takes the place of a third that shares its hwpt_token. */
static void hwpts_that_share_a_key_are_told_apart(void **state)
{
	struct small *small = small_new("iommuser-v1", false);
	u64 second = handover_add(small->handover, KIND_HWPT);
	u64 third = handover_add(small->handover, KIND_HWPT);
	u64 seed, key, token;

	(void)state;
	verify(small, false);
	seed = small->handover->graph.hwpts.seed;
	findings_init(&small->handover->findings);
	key = mix64(mix64(0x1000 ^ seed) + 1);
	token = unmix64(key) - mix64(0x2000 ^ seed);
	PUT(small, KIND_DOMAIN, small->domain, REF_COUNT, 4);
	PUT(small, KIND_HWPT, second, DOMAIN, small->domain);
	PUT(small, KIND_HWPT, third, DOMAIN, small->domain);
	PUT(small, KIND_HWPT, small->hwpt, IOMMUFD_TOKEN, 0x1000);
	PUT(small, KIND_HWPT, small->hwpt, HWPT_TOKEN, 1);
	PUT(small, KIND_HWPT, second, IOMMUFD_TOKEN, 0x2000);
	PUT(small, KIND_HWPT, second, HWPT_TOKEN, token);
	PUT(small, KIND_HWPT, third, IOMMUFD_TOKEN, unmix64(unmix64(key + 1) - token) ^ seed);
	PUT(small, KIND_HWPT, third, HWPT_TOKEN, token);
	expect(small, "");
	assert_int_equal(small->handover->graph.hwpts.seed, seed);
	PUT(small, KIND_HWPT, third, IOMMUFD_TOKEN, 0x2000);
	expect(small, "REC-18");
	small_free(small);
}

static void page_tables_are_held_against_their_record(void **state)
{
	struct small *small = small_new("iommuser-v1", false);
	struct image *image = small->handover->image;
	u64 middle = image_get(image, small->top_table, 8);

	(void)state;
	PUT(small, KIND_DOMAIN, small->domain, NR_TABLE_PAGES, 4);
	expect(small, "PT-09");
	PUT(small, KIND_DOMAIN, small->domain, NR_TABLE_PAGES, 2);
	expect(small, "PT-09");
	PUT(small, KIND_DOMAIN, small->domain, NR_TABLE_PAGES, 3);
	PUT(small, KIND_DOMAIN, small->domain, PAGE_SIZE_BITMAP, 1 << 21);
	expect(small, "PT-12");
	PUT(small, KIND_DOMAIN, small->domain, PAGE_SIZE_BITMAP, 1 << 12);
	/* Tables behind an entry that is not followed are not missing. */
	image_put(image, small->top_table, 8, 1ULL << 47 | 3);
	expect(small, "PT-08");
	/* An entry that permits nothing hides what is behind it. */
	image_put(image, small->top_table, 8, middle & ~3ULL);
	expect(small, "PT-07 PT-09");
	image_put(image, small->top_table, 8, middle);
	expect(small, "");
	small_free(small);
}

static void the_narrowest_unit_bounds_addresses(void **state)
{
	struct small *small = small_new("iommuser-v1", false);
	struct image *image = small->handover->image;
	u64 unit = add_unit(small, 0xfed91000);
	u64 middle = image_get(image, small->top_table, 8) & ~4095ULL;
	u64 leaves = image_get(image, middle, 8) & ~4095ULL;

	(void)state;
	PUT(small, KIND_IOMMU, unit, MODE, 1);
	PUT(small, KIND_IOMMU, unit, HOST_ADDRESS_WIDTH, 40);
	PUT(small, KIND_IOMMU, unit, CAP, 2);
	PUT(small, KIND_IOMMU, unit, FIRST_DID, 2);
	PUT(small, KIND_IOMMU, unit, DID_LIMIT, 256);
	expect(small, "");
	image_put(image, leaves, 8, 1ULL << 33 | 3);
	expect(small, "CLOSURE-04");
	PUT(small, KIND_IOMMU, unit, HOST_ADDRESS_WIDTH, 33);
	expect(small, "PT-08");
	small_free(small);
}

static void an_alias_has_the_whole_entry_of_its_device(void **state)
{
	struct small *small = small_new("iommuser-v1", false);
	struct image *image = small->handover->image;
	u64 alias = handover_add(small->handover, KIND_ALIAS);

	(void)state;
	PUT(small, KIND_ALIAS, alias, BDF, 0x111);
	PUT(small, KIND_ALIAS, alias, DEVICE, small->device);
	PUT(small, KIND_ALIAS, alias, TYPE, 1);
	PUT(small, KIND_DEVICE, small->device, REF_COUNT, 2);
	image_put(image, small->context + 16, 8, small->top_table | 1);
	image_put(image, small->context + 24, 8, DID << 8 | 1);
	expect(small, "");
	image_put(image, small->context + 24, 8, (DID + 1) << 8 | 1);
	expect(small, "VTD-18");
	small_free(small);
}

static void pasid_entries_are_held_against_attachments(void **state)
{
	struct small *small = small_new("iommuser-v1", true);
	struct image *image = small->handover->image;
	u64 entry = small->pasid_table + 64 * 5;
	u64 attachment;

	(void)state;
	image_put(image, small->pasid_table + 16, 8, 1 << 12);
	expect(small, "VTD-15"); /* a first-stage table in a second-stage entry */
	image_put(image, small->pasid_table + 16, 8, 0);
	image_put(image, entry + 8, 8, DID);
	expect(small, "VTD-15"); /* not present, and not empty */
	image_put(image, entry + 8, 8, 0);
	attachment = handover_add(small->handover, KIND_ATTACHMENT);
	PUT(small, KIND_ATTACHMENT, attachment, DEVICE, small->device);
	PUT(small, KIND_ATTACHMENT, attachment, DOMAIN, small->domain);
	PUT(small, KIND_ATTACHMENT, attachment, DID, DID);
	PUT(small, KIND_ATTACHMENT, attachment, PASID, 5);
	PUT(small, KIND_ATTACHMENT, attachment, ATTACHMENT_FLAGS, 1);
	PUT(small, KIND_DOMAIN, small->domain, REF_COUNT, 3);
	PUT(small, KIND_DEVICE, small->device, REF_COUNT, 2);
	expect(small, "VTD-11");
	image_put(image, entry, 8, small->top_table | 2 << 6 | 1 << 2 | 1);
	image_put(image, entry + 8, 8, DID);
	expect(small, "");
	/* Without PASIDE, no request with a PASID gets there. */
	image_put(image, small->context, 8, small->directory | 1);
	expect(small, "VTD-11");
	small_free(small);
}

static void only_the_records_directory_is_followed(void **state)
{
	struct small *small = small_new("iommuser-v1", true);

	(void)state;
	PUT(small, KIND_DEVICE, small->device, PASID_DIRECTORY,
	    image_alloc(small->handover->image));
	expect(small, "VTD-08");
	assert_int_equal(small->verify.counts.nr_pasid_entries, 0);
	small_free(small);
}

/* Verify with a record in each state: the findings are there until it has left. */
static void expect_until(struct small *small, const char *codes, enum iommuser_state *state)
{
	for (*state = 0; *state <= IOMMUSER_FINISHED; ++*state) {
		verify(small, false);
		expect_findings(&small->handover->findings, *state < IOMMUSER_LEFT ? codes : "");
	}
	*state = 0;
}

/* What has left translates otherwise, or not at all: its record is checked, its tables are not. */
static void tables_of_what_has_left_are_not_checked(void **state)
{
	u32 scalable;

	(void)state;
	for (scalable = 0; scalable < 2; scalable++) {
		struct small *small = small_new("iommuser-v1", scalable);
		struct image *image = small->handover->image;
		u64 entry = scalable ? small->pasid_table : small->context, alias, attachment;

		image_put(image, entry + 8, 8, scalable ? DID + 1 : (DID + 1) << 8 | 1);
		expect_until(small, "DID-05", &small->device_state);
		image_put(image, entry + 8, 8, scalable ? DID : DID << 8 | 1);

		/* An alias that is not translated as the device is. */
		alias = handover_add(small->handover, KIND_ALIAS);
		PUT(small, KIND_ALIAS, alias, BDF, 0x111);
		PUT(small, KIND_ALIAS, alias, DEVICE, small->device);
		PUT(small, KIND_ALIAS, alias, TYPE, 1);
		PUT(small, KIND_DEVICE, small->device, REF_COUNT, 2);
		expect_until(small, "VTD-18", &small->device_state);
		image_put(image, small->context + (scalable ? 32 : 16), 8,
			  image_get(image, small->context, 8));
		image_put(image, small->context + (scalable ? 40 : 24), 8,
			  image_get(image, small->context + 8, 8));
		expect(small, "");

		/* A PASID without its entry. */
		attachment = handover_add(small->handover, KIND_ATTACHMENT);
		PUT(small, KIND_ATTACHMENT, attachment, DEVICE, small->device);
		PUT(small, KIND_ATTACHMENT, attachment, DOMAIN, small->domain);
		PUT(small, KIND_ATTACHMENT, attachment, DID, DID);
		PUT(small, KIND_ATTACHMENT, attachment, PASID, 5);
		PUT(small, KIND_ATTACHMENT, attachment, ATTACHMENT_FLAGS, 1);
		PUT(small, KIND_DEVICE, small->device, REF_COUNT, 3);
		PUT(small, KIND_DOMAIN, small->domain, REF_COUNT, 3);
		expect_until(small, scalable ? "VTD-11" : "VTD-07", &small->device_state);

		/* Page tables go with the domain, and not with the device. */
		small->device_state = IOMMUSER_LEFT;
		image_put(image, small->top_table + 8, 8, 4 | 3);
		expect_until(small, "PT-04 PT-04", &small->domain_state);
		image_drop(image, small->top_table);
		expect_until(small, "PT-02", &small->domain_state);
		assert_int_equal(small->verify.counts.nr_domains_walked, 0);

		/* The records are still there to be checked. */
		small->domain_state = IOMMUSER_ABANDONED;
		PUT(small, KIND_DEVICE, small->device, GROUP_SIZE, 0);
		expect(small, "REC-16");
		small_free(small);
	}
}

static void tables_that_are_missing_are_incomplete(void **state)
{
	struct small *small = small_new("iommuser-v1", true);

	(void)state;
	handover_finish(small->handover);
	handover_preserve(small->handover, MEMORY, MEMORY_SIZE);
	image_drop(small->handover->image, small->pasid_table);
	handover_build(small->handover);
	small->verify = (struct iommuser_verify){
		.env = &small->handover->image->env,
		.root = &small->handover->root,
		.survey = &small->handover->survey,
		.graph = &small->handover->graph,
		.set = small->handover->set,
		.reporter = &small->handover->findings.reporter,
	};
	assert_int_equal(iommuser_verify_all(&small->verify), 0);
	assert_int_equal(
		find_finding(&small->handover->findings, IOMMUSER_FINDING_VTD_UNREADABLE)->severity,
		IOMMUSER_INCOMPLETE);
	expect_findings(&small->handover->findings, "VTD-20");
	small_free(small);
}

static void metadata_that_is_mapped_is_reported(void **state)
{
	struct small *small = small_new("iommuser-v1", false);

	(void)state;
	/* The last leaf maps the table that it stands in. */
	image_put(small->handover->image, small->root_table + 8, 8, 0);
	image_put(small->handover->image,
		  small->top_table + 2 * 4096 + 8 * ((MEMORY_SIZE >> 12) - 1), 8,
		  (small->top_table + 2 * 4096) | 3);
	verify(small, true);
	assert_int_equal(small->handover->findings.list[0].phys, small->top_table + 2 * 4096);
	expect_findings(&small->handover->findings, "CLOSURE-05");
	small_free(small);
}

/* Tokens chosen so that all pairs have one key, if the key is not seeded, cost no more. */
static u64 calls_for_hwpts(u32 count, bool chosen)
{
	struct small *small = small_new("iommuser-v1", false);
	u64 calls, i;

	for (i = 1; i < count; i++) {
		u64 hwpt = handover_add(small->handover, KIND_HWPT);

		PUT(small, KIND_HWPT, hwpt, IOMMUFD_TOKEN, i);
		PUT(small, KIND_HWPT, hwpt, HWPT_TOKEN, chosen ? 0 - mix64(i) : i);
		PUT(small, KIND_HWPT, hwpt, DOMAIN, small->domain);
	}
	PUT(small, KIND_DOMAIN, small->domain, REF_COUNT, count + 1);
	expect(small, "");
	calls = small->handover->image->calls;
	small_free(small);
	return calls;
}

static void chosen_hwpt_tokens_cost_nothing(void **state)
{
	(void)state;
	assert_true(calls_for_hwpts(800, true) < 3 * calls_for_hwpts(800, false));
}

/*
 * Devices that claim one PASID directory between them are an error already;
 * the directory must not be gone through again for each of them.
 */
static struct small *devices_on_one_directory(u32 devices)
{
	struct small *small = small_new("iommuser-v1", true);
	struct image *image = small->handover->image;
	u32 i;

	for (i = 0; i < NR_PASIDS / 64; i++)
		image_put(image, small->directory + 8ULL * i, 8, small->pasid_table | 1);
	for (i = 1; i < devices; i++) {
		u64 device = handover_add(small->handover, KIND_DEVICE);
		u64 attachment = handover_add(small->handover, KIND_ATTACHMENT);

		PUT(small, KIND_DEVICE, device, BDF, 0x110 + i);
		PUT(small, KIND_DEVICE, device, IOMMU, small->unit);
		PUT(small, KIND_DEVICE, device, GROUP_SIZE, 1);
		PUT(small, KIND_DEVICE, device, PASID_DIRECTORY, small->directory);
		PUT(small, KIND_DEVICE, device, PASID_ENTRIES, NR_PASIDS);
		PUT(small, KIND_ATTACHMENT, attachment, DEVICE, device);
		PUT(small, KIND_ATTACHMENT, attachment, DOMAIN, small->domain);
		PUT(small, KIND_ATTACHMENT, attachment, DID, DID);
		image_put(image, small->context + 32ULL * i, 8, small->directory | 8 | 1);
	}
	return small;
}

static void ignore_finding(void *ctx, const struct iommuser_finding *finding)
{
	u64 *count = ctx;

	assert_non_null(iommuser_finding_code(finding->id));
	++*count;
}

static void shared_directories_are_walked_once(void **state)
{
	const u32 devices[2] = { 1, 33 };
	u64 calls[2], count = 0;
	u32 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct small *small = devices_on_one_directory(devices[i]);
		struct iommuser_reporter *reporter = &small->handover->findings.reporter;

		reporter->ctx = &count;
		reporter->report = ignore_finding;
		verify(small, true);
		calls[i] = small->handover->image->calls;
		small_free(small);
	}
	assert_true(count > 32);
	assert_true(calls[1] < 3 * calls[0]);
}

/* Seconds of processor time that the mapped check takes where no two pages are neighbours. */
static double time_of_mapped(u64 chunks)
{
	struct iommuser_pageset *set = pageset_new(chunks, IOMMUSER_NR_PLANES);
	struct findings *findings = calloc(1, sizeof(*findings));
	clock_t start;
	double seconds;
	u64 i;

	assert_non_null(findings);
	findings_init(findings);
	for (i = 0; i < chunks << 15; i += 2)
		assert_int_equal(iommuser_pageset_visit(set, IOMMUSER_VISITED, i << 12), 0);
	start = clock();
	iommuser_verify_mapped(set, &findings->reporter);
	seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
	expect_findings(findings, "");
	free(findings);
	pageset_free(set);
	return seconds;
}

static void the_mapped_check_is_linear(void **state)
{
	double small = time_of_mapped(2);
	double large = time_of_mapped(16);

	(void)state;
	if (large > 0.2 && large > 30 * small)
		fail_msg("8 times the pages took %.0f times as long", large / small);
}

/* An environment without checks, for many calls; but not for any number of them. */
static const void *cheap_map(void *ctx, u64 phys, u64 length)
{
	struct image *image = ctx;

	assert_true(length <= 4096 - phys % 4096);
	if (++image->calls > 10000000)
		fail_msg("the walk does not end");
	return image_page(image, phys) + phys % 4096;
}

/* Five levels whose entries all lead to one table: the same at every level, or the next one. */
static void expect_bounded_walk(bool loop)
{
	struct small *small = small_new("iommuser-v1", false);
	struct image *image = small->handover->image;
	u64 table = small->top_table;
	u64 next, count = 0;
	u32 i, level;

	for (level = 4; level > 0; level--, table = next) {
		next = loop ? table : image_alloc(image);
		for (i = 0; i < 512; i++)
			image_put(image, table + 8ULL * i, 8, next | 3);
	}
	PUT(small, KIND_DOMAIN, small->domain, TOP_LEVEL, 4);
	PUT(small, KIND_DOMAIN, small->domain, INPUT_WIDTH, 57);
	/* Another domain, on the same tables. */
	table = handover_add(small->handover, KIND_DOMAIN);
	PUT(small, KIND_DOMAIN, table, STAGE, 2);
	PUT(small, KIND_DOMAIN, table, TOP_TABLE, small->top_table);
	PUT(small, KIND_DOMAIN, table, TOP_LEVEL, 4);
	PUT(small, KIND_DOMAIN, table, OUTPUT_WIDTH, 46);
	image_put(image, small->context + 8, 8, DID << 8 | 3);
	image->env.map = cheap_map;
	small->handover->findings.reporter.ctx = &count;
	small->handover->findings.reporter.report = ignore_finding;
	verify(small, false);
	assert_true(count > 0);
	assert_in_range(small->verify.counts.nr_table_pages, loop ? 2 : 1 << 20, 1 << 20);
	small_free(small);
}

/* Without a page set, something else must bound tables that lead to themselves. */
static void a_table_in_itself_ends_without_a_set(void **state)
{
	(void)state;
	expect_bounded_walk(true);
}

static void shared_tables_end_without_a_set(void **state)
{
	(void)state;
	expect_bounded_walk(false);
}

/* The bound is one for all PASID tables of a handover. */
static void shared_pasid_tables_end_without_a_set(void **state)
{
	const u64 directory = 0x50000000, entries = 1 << 14;
	struct small *small = devices_on_one_directory(5);
	struct image *image = small->handover->image;
	u64 count = 0, i;

	(void)state;
	for (i = 0; i < entries; i++)
		image_put(image, directory + 8 * i, 8, small->pasid_table | 1);
	for (i = 0; i < 5; i++) {
		u64 device = small->device + i * small->handover->arrays[KIND_DEVICE].record_size;

		PUT(small, KIND_DEVICE, device, PASID_DIRECTORY, directory);
		PUT(small, KIND_DEVICE, device, PASID_ENTRIES, entries * 64);
		image_put(image, small->context + 32 * i, 8, directory | 7 << 9 | 8 | 1);
	}
	image->env.map = cheap_map;
	small->handover->findings.reporter.ctx = &count;
	small->handover->findings.reporter.report = ignore_finding;
	verify(small, false);
	assert_true(count > 0);
	assert_int_equal(small->verify.counts.nr_pasid_tables, 1 << 16);
	small_free(small);
}

/* Nor does it hide what is behind: a fifth device, one of whose tables lets it go anywhere. */
static void pasid_tables_beyond_the_bound_are_named(void **state)
{
	const u64 directory = 0x50000000, own = 0x51000000, entries = 1 << 14;
	struct small *small = devices_on_one_directory(5);
	struct image *image = small->handover->image;
	u64 empty = image_alloc(image), anywhere = image_alloc(image), i;

	(void)state;
	image_put(image, anywhere, 8, 4 << 6 | 1);
	image_put(image, directory, 8, small->pasid_table | 1);
	for (i = 1; i < entries; i++)
		image_put(image, directory + 8 * i, 8, empty | 1);
	image_put(image, own, 8, anywhere | 1);
	for (i = 0; i < 5; i++) {
		u64 device = small->device + i * small->handover->arrays[KIND_DEVICE].record_size;
		u64 at = i == 4 ? own : directory;

		PUT(small, KIND_DEVICE, device, PASID_DIRECTORY, at);
		PUT(small, KIND_DEVICE, device, PASID_ENTRIES, entries * 64);
		image_put(image, small->context + 32 * i, 8, at | 7 << 9 | 8 | 1);
	}
	PUT(small, KIND_IOMMU, small->unit, REF_COUNT, 5);
	PUT(small, KIND_DOMAIN, small->domain, REF_COUNT, 6);
	image->env.map = cheap_map;
	verify(small, false);
	assert_int_equal(small->verify.counts.nr_pasid_tables, 1 << 16);
	expect_findings(&small->handover->findings, "VTD-20");
	small_free(small);
}

/* A device of a series, on the domain that there is. */
static void add_series_device(struct small *small, u64 unit, u64 segment, u64 bdf)
{
	u64 device = handover_add(small->handover, KIND_DEVICE);

	PUT(small, KIND_DEVICE, device, SEGMENT, segment);
	PUT(small, KIND_DEVICE, device, BDF, bdf);
	PUT(small, KIND_DEVICE, device, IOMMU, unit);
	PUT(small, KIND_DEVICE, device, DOMAIN, small->domain);
	PUT(small, KIND_DEVICE, device, DID, DID);
}

/* A first-stage domain of a series, whose record does not say so, and another device on it. */
static void a_legacy_device_takes_no_first_stage(void **state)
{
	struct small *small = small_new("iommu-v1", true);
	struct image *image = small->handover->image;
	u64 top = image_alloc(image), root = image_alloc(image), context = image_alloc(image);
	u64 unit = add_unit(small, 0xfed91000);

	(void)state;
	add_series_device(small, unit, 1, 0x110);
	image_put(image, top, 8, small->top_table | 3);
	image_put(image, small->pasid_table, 8, 1 << 6 | 1);
	image_put(image, small->pasid_table + 16, 8, top);
	PUT(small, KIND_DOMAIN, small->domain, TOP_TABLE, top);
	PUT(small, KIND_DOMAIN, small->domain, TOP_LEVEL, 3);
	image_put(image, root + 16, 8, context | 1);
	image_put(image, context + 256, 8, top | 1);
	image_put(image, context + 264, 8, DID << 8 | 2);
	PUT(small, KIND_IOMMU, unit, ROOT_TABLE, root);
	expect(small, "VTD-12");
	/* Where it is second stage, they may share it. */
	image_put(image, small->pasid_table, 8, top | 2 << 6 | 2 << 2 | 1);
	image_put(image, small->pasid_table + 16, 8, 0);
	expect(small, "");
	small_free(small);
}

/* Its upper context tables are those of scalable mode, which no device vouches for. */
static void a_unit_without_devices_has_no_upper_tables(void **state)
{
	struct small *small = small_new("iommu-v1", true);
	struct image *image = small->handover->image;
	u64 root = image_alloc(image), context = image_alloc(image);
	u64 unit = add_unit(small, 0xfed91000);

	(void)state;
	PUT(small, KIND_IOMMU, unit, ROOT_TABLE, root);
	expect(small, "");
	image_put(image, root + 24, 8, context | 1);
	expect(small, "VTD-07");
	small_free(small);
}

/* Before and after the jump tables hold more than was handed over, but never less. */
static void a_live_device_needs_its_context_table(void **state)
{
	struct small *small = small_new("iommuser-v1", false);

	(void)state;
	small->verify.options = IOMMUSER_VERIFY_NOT_AT_JUMP;
	PUT(small, KIND_IOMMU, small->unit, CONTEXT_TABLES, 0);
	expect(small, "VTD-16");
	verify(small, false);
	expect_findings(&small->handover->findings, "VTD-16");
	PUT(small, KIND_IOMMU, small->unit, CONTEXT_TABLES, 1 << 2);
	expect(small, "");
	small_free(small);
}

static void devices_of_a_unit_have_one_segment(void **state)
{
	struct small *small = small_new("iommu-v1", false);

	(void)state;
	add_series_device(small, small->unit, 1, 0x110);
	PUT(small, KIND_IOMMU, small->unit, REF_COUNT, 2);
	expect(small, "REC-14");
	small_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_handovers_have_no_findings),
		cmocka_unit_test(counts_are_added_to),
		cmocka_unit_test(strangers_are_cut_off_at_the_jump),
		cmocka_unit_test(tables_hold_more_before_and_after_the_jump),
		cmocka_unit_test(run_time_marks_are_for_after_the_jump),
		cmocka_unit_test(domains_may_be_used_elsewhere),
		cmocka_unit_test(findings_name_the_position),
		cmocka_unit_test(a_wrong_index_is_named_by_position),
		cmocka_unit_test(hardware_entries_must_match),
		cmocka_unit_test(lost_references_are_named_alone),
		cmocka_unit_test(a_deleted_domain_is_not_followed),
		cmocka_unit_test(what_is_deleted_is_zero_and_counts_no_more),
		cmocka_unit_test(domain_ids_are_the_units),
		cmocka_unit_test(devices_of_a_unit_agree),
		cmocka_unit_test(a_broken_chain_explains_what_is_missing),
		cmocka_unit_test(units_have_tokens_of_their_own),
		cmocka_unit_test(hwpts_are_told_apart_by_both_tokens),
		cmocka_unit_test(hwpts_that_share_a_key_are_told_apart),
		cmocka_unit_test(page_tables_are_held_against_their_record),
		cmocka_unit_test(the_narrowest_unit_bounds_addresses),
		cmocka_unit_test(an_alias_has_the_whole_entry_of_its_device),
		cmocka_unit_test(pasid_entries_are_held_against_attachments),
		cmocka_unit_test(only_the_records_directory_is_followed),
		cmocka_unit_test(tables_of_what_has_left_are_not_checked),
		cmocka_unit_test(tables_that_are_missing_are_incomplete),
		cmocka_unit_test(metadata_that_is_mapped_is_reported),
		cmocka_unit_test(chosen_hwpt_tokens_cost_nothing),
		cmocka_unit_test(shared_directories_are_walked_once),
		cmocka_unit_test(the_mapped_check_is_linear),
		cmocka_unit_test(a_table_in_itself_ends_without_a_set),
		cmocka_unit_test(shared_tables_end_without_a_set),
		cmocka_unit_test(shared_pasid_tables_end_without_a_set),
		cmocka_unit_test(pasid_tables_beyond_the_bound_are_named),
		cmocka_unit_test(a_legacy_device_takes_no_first_stage),
		cmocka_unit_test(a_unit_without_devices_has_no_upper_tables),
		cmocka_unit_test(a_live_device_needs_its_context_table),
		cmocka_unit_test(devices_of_a_unit_have_one_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
