// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of opening a root: every field of every revision, each rule broken alone.
 */
#include "handover.h"

#include <string.h>

static int open_root(struct handover *handover)
{
	memset(&handover->root, 0xee, sizeof(handover->root));
	return iommuser_root_open(&handover->image->env, handover->revision, handover->root_phys,
				  handover->set, &handover->findings.reporter, &handover->root);
}

static struct handover *sealed_root(u32 page_shift)
{
	struct handover *handover = handover_new("iommuser-v1", page_shift);

	handover_add(handover, KIND_IOMMU);
	handover_delete(handover, KIND_DEVICE, handover_add(handover, KIND_DEVICE));
	handover_add(handover, KIND_DEVICE);
	handover_finish(handover);
	return handover;
}

static void sealed_roots_are_read(void **state)
{
	u32 shift, kind;

	(void)state;
	for (shift = 12; shift <= 16; shift += 2) {
		struct handover *handover = sealed_root(shift);

		handover_preserve(handover, 0, 0);
		assert_int_equal(open_root(handover), 0);
		expect_findings(&handover->findings, "");
		assert_ptr_equal(handover->root.revision, handover->revision);
		assert_int_equal(handover->root.phys, handover->root_phys);
		assert_int_equal(handover->root.version, 1);
		assert_int_equal(handover->root.minor, 0);
		assert_int_equal(handover->root.generation, handover->generation);
		assert_string_equal(handover->root.kernel_release, "7.3.4-test");
		for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
			assert_int_equal(handover->root.arrays[kind].first_page,
					 handover->arrays[kind].first);
			assert_int_equal(handover->root.arrays[kind].nr_records,
					 handover->arrays[kind].nr_records);
			assert_int_equal(handover->root.arrays[kind].nr_deleted,
					 handover->arrays[kind].nr_deleted);
		}
		assert_int_equal(iommuser_pageset_visit(handover->set, IOMMUSER_VISITED,
							handover->root_phys),
				 1);
		handover_free(handover);
	}
}

static void series_roots_are_read(void **state)
{
	static const char *const names[] = { "iommu-v1", "iommu-liveupdate-v1", "iommu-liveupdate",
					     "iommu-liveupdate-56" };
	u32 i, kind;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct handover *handover = handover_new(names[i], 12);

		handover_add(handover, KIND_DOMAIN);
		handover_finish(handover);
		assert_int_equal(open_root(handover), 0);
		expect_findings(&handover->findings, "");
		assert_int_equal(handover->root.version, i >= 2 ? 1 : 0);
		assert_string_equal(handover->root.kernel_release, "");
		for (kind = 1; kind <= 3; kind++) {
			assert_int_equal(handover->root.arrays[kind].first_page,
					 handover->arrays[kind].first);
			assert_int_equal(handover->root.arrays[kind].nr_records,
					 i ? 0 : handover->arrays[kind].nr_records);
		}
		handover_free(handover);
	}
}

/* A sealed root with @width bytes at @offset changed to @value and sealed again. */
static void expect_broken(u32 offset, u32 width, u64 value, int result, u32 field,
			  const char *codes)
{
	struct handover *handover = sealed_root(12);

	image_put(handover->image, handover->root_phys + offset, width, value);
	handover_seal(handover, handover->root_phys);
	assert_int_equal(open_root(handover), result);
	if (field) {
		assert_int_equal(handover->findings.list[0].field, field);
		assert_int_equal(handover->findings.list[0].phys, handover->root_phys);
	}
	expect_findings(&handover->findings, codes);
	handover_free(handover);
}

static void each_rule_alone(void **state)
{
	(void)state;
	expect_broken(0, 1, 'i', -IOMMUSER_EUNKNOWN, IOMMUSER_FIELD_MAGIC, "REC-21");
	expect_broken(8, 2, 2, -IOMMUSER_EUNKNOWN, IOMMUSER_FIELD_VERSION, "REC-21");
	expect_broken(8, 2, 0, -IOMMUSER_EUNKNOWN, IOMMUSER_FIELD_VERSION, "REC-21");
	expect_broken(10, 2, 7, 0, 0, "");
	expect_broken(12, 4, 255, 0, IOMMUSER_FIELD_ROOT_SIZE, "REC-22");
	expect_broken(12, 4, 4097, 0, IOMMUSER_FIELD_ROOT_SIZE, "REC-22");
	expect_broken(12, 4, 0xffffffff, 0, IOMMUSER_FIELD_ROOT_SIZE, "REC-22");
	expect_broken(12, 4, 4096, 0, 0, "");
	expect_broken(20, 4, 16384, 0, IOMMUSER_FIELD_PAGE_SIZE, "REC-22");
	expect_broken(24, 8, 0, 0, 0, "");
	expect_broken(32, 8, 0, 0, IOMMUSER_FIELD_FIRST_PAGE, "REC-22");
	expect_broken(32 + 8, 8, 0, 0, IOMMUSER_FIELD_FIRST_PAGE, "REC-22");
	expect_broken(32 + 24, 8, 0x1000, 0, IOMMUSER_FIELD_FIRST_PAGE, "REC-22");
	expect_broken(32 + 5 * 24, 8, 0x1000, 0, IOMMUSER_FIELD_FIRST_PAGE, "REC-22");
	expect_broken(32 + 16, 8, 2, 0, IOMMUSER_FIELD_NR_DELETED, "REC-22");
	expect_broken(176 + 71, 1, 'x', 0, IOMMUSER_FIELD_KERNEL_RELEASE, "REC-22");
	expect_broken(248, 8, 1ULL << 63, 0, IOMMUSER_FIELD_RESERVED, "REC-22");
	expect_broken(256, 1, 1, 0, 0, "CHAIN-15");
	expect_broken(4095, 1, 1, 0, 0, "CHAIN-15");
}

static void longer_roots_of_newer_minors_are_accepted(void **state)
{
	struct handover *handover = sealed_root(12);
	u64 root = handover->root_phys;

	(void)state;
	image_put(handover->image, root + 10, 2, 1);
	image_put(handover->image, root + 12, 4, 300);
	image_put(handover->image, root + 299, 1, 5);
	handover_seal(handover, root);
	assert_int_equal(open_root(handover), 0);
	assert_int_equal(handover->root.minor, 1);
	expect_findings(&handover->findings, "");
	image_put(handover->image, root + 300, 1, 5);
	handover_seal(handover, root);
	assert_int_equal(open_root(handover), 0);
	expect_findings(&handover->findings, "CHAIN-15");
	handover_free(handover);
}

static void every_byte_is_under_the_seal(void **state)
{
	struct handover *handover = sealed_root(12);
	u32 at;

	(void)state;
	for (at = 8; at < 4096; at++) {
		u64 old = image_get(handover->image, handover->root_phys + at, 1);

		image_put(handover->image, handover->root_phys + at, 1, old ^ 0x40);
		open_root(handover);
		find_finding(&handover->findings, IOMMUSER_FINDING_SEAL_ROOT);
		handover->findings.count = 0;
		image_put(handover->image, handover->root_phys + at, 1, old);
	}
	assert_int_equal(open_root(handover), 0);
	expect_findings(&handover->findings, "");
	handover_free(handover);
}

static void a_release_without_end_is_ended(void **state)
{
	struct handover *handover = sealed_root(12);

	(void)state;
	memset(image_page(handover->image, handover->root_phys) + 176, 'r', 72);
	handover_seal(handover, handover->root_phys);
	assert_int_equal(open_root(handover), 0);
	assert_int_equal(strlen(handover->root.kernel_release), 71);
	expect_findings(&handover->findings, "REC-22");
	handover_free(handover);
}

static void unknown_versions_are_told(void **state)
{
	struct handover *handover = handover_new("iommu-liveupdate", 12);

	(void)state;
	handover_finish(handover);
	image_put(handover->image, handover->root_phys, 8, 2);
	assert_int_equal(open_root(handover), -IOMMUSER_EUNKNOWN);
	assert_int_equal(handover->root.version, 2);
	expect_findings(&handover->findings, "REC-21");
	handover_free(handover);
}

static void series_roots_need_their_chains(void **state)
{
	struct handover *handover = handover_new("iommu-v1", 12);

	(void)state;
	handover_finish(handover);
	image_put(handover->image, handover->root_phys + 16, 8, 0);
	assert_int_equal(open_root(handover), 0);
	expect_findings(&handover->findings, "REC-22");
	handover_free(handover);
}

static void addresses_are_checked(void **state)
{
	struct handover *handover = sealed_root(14);

	(void)state;
	handover->root_phys += 4096;
	assert_int_equal(open_root(handover), -IOMMUSER_ECORRUPT);
	expect_findings(&handover->findings, "REC-22");
	handover->root_phys = 1ULL << 52;
	assert_int_equal(open_root(handover), -IOMMUSER_ECORRUPT);
	expect_findings(&handover->findings, "REC-22");
	assert_int_equal(handover->image->calls, 0);

	handover->root_phys = 0x700000000ULL;
	assert_int_equal(open_root(handover), -IOMMUSER_EUNMAPPED);
	assert_int_equal(handover->findings.list[0].severity, IOMMUSER_INCOMPLETE);
	expect_findings(&handover->findings, "REC-23");
	handover_preserve(handover, 0, 0);
	assert_int_equal(open_root(handover), -IOMMUSER_EUNMAPPED);
	assert_int_equal(handover->findings.list[0].severity, IOMMUSER_ERROR);
	expect_findings(&handover->findings, "REC-23");
	handover_preserve(handover, handover->root_phys, 4096);
	assert_int_equal(open_root(handover), -IOMMUSER_EUNMAPPED);
	assert_int_equal(handover->findings.list[0].severity, IOMMUSER_INCOMPLETE);
	expect_findings(&handover->findings, "REC-23");
	handover_free(handover);
}

static void a_series_root_stays_in_its_page(void **state)
{
	struct handover *handover = handover_new("iommu-v1", 12);
	u64 page = handover->root_phys;

	(void)state;
	handover->root_phys = page + 4096 - 48;
	handover_finish(handover);
	assert_int_equal(open_root(handover), 0);
	expect_findings(&handover->findings, "");
	handover->root_phys = page + 4096 - 40;
	assert_int_equal(open_root(handover), -IOMMUSER_ECORRUPT);
	expect_findings(&handover->findings, "REC-22");
	handover->root_phys = page + 4;
	assert_int_equal(open_root(handover), -IOMMUSER_ECORRUPT);
	expect_findings(&handover->findings, "REC-22");
	handover_free(handover);
}

static void a_root_must_be_preserved_and_alone(void **state)
{
	struct handover *handover = sealed_root(16);

	(void)state;
	handover->set = pageset_new(4, IOMMUSER_NR_PLANES);
	assert_int_equal(iommuser_pageset_add(handover->set, IOMMUSER_PRESERVED,
					      handover->root_phys, 32768),
			 0);
	assert_int_equal(open_root(handover), 0);
	assert_int_equal(handover->findings.list[0].phys, handover->root_phys + 32768);
	expect_findings(&handover->findings, "CLOSURE-01");
	handover_preserve(handover, 0, 0);
	assert_int_equal(iommuser_pageset_visit(handover->set, IOMMUSER_VISITED,
						handover->root_phys + 61440),
			 0);
	assert_int_equal(open_root(handover), 0);
	expect_findings(&handover->findings, "CHAIN-04");
	handover_free(handover);
}

/* A root of the posted series is small, but the page is taken and released as one. */
static void the_page_of_a_series_root_is_preserved_and_alone(void **state)
{
	struct handover *handover = handover_new("iommu-v1", 16);
	u64 page = handover->root_phys;

	(void)state;
	handover->root_phys = page + 8192;
	handover_finish(handover);
	handover->set = pageset_new(4, IOMMUSER_NR_PLANES);
	assert_int_equal(iommuser_pageset_add(handover->set, IOMMUSER_PRESERVED, page, 61440), 0);
	assert_int_equal(open_root(handover), 0);
	assert_int_equal(handover->findings.list[0].phys, page + 61440);
	expect_findings(&handover->findings, "CLOSURE-01");
	handover_preserve(handover, 0, 0);
	assert_int_equal(iommuser_pageset_visit(handover->set, IOMMUSER_VISITED, page), 0);
	assert_int_equal(open_root(handover), 0);
	expect_findings(&handover->findings, "CHAIN-04");
	handover_free(handover);
}

static void environments_are_checked(void **state)
{
	static const u32 bad[] = { 0, 11, 13, 15, 17, 64, ~0U };
	struct handover *handover = sealed_root(12);
	u32 i;

	(void)state;
	handover->image->env.crc32 = NULL;
	assert_int_equal(open_root(handover), -IOMMUSER_EINVAL);
	/* The page sizes are 4, 16 and 64 KiB; there is nothing in between. */
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		handover->image->env.page_shift = bad[i];
		handover->revision = iommuser_revision_by_name("iommu-v1");
		if (open_root(handover) != -IOMMUSER_EINVAL)
			fail_msg("page_shift %u was taken", bad[i]);
	}
	handover->image->env.page_shift = 12;
	handover_free(handover);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sealed_roots_are_read),
		cmocka_unit_test(series_roots_are_read),
		cmocka_unit_test(each_rule_alone),
		cmocka_unit_test(longer_roots_of_newer_minors_are_accepted),
		cmocka_unit_test(every_byte_is_under_the_seal),
		cmocka_unit_test(a_release_without_end_is_ended),
		cmocka_unit_test(unknown_versions_are_told),
		cmocka_unit_test(series_roots_need_their_chains),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(a_series_root_stays_in_its_page),
		cmocka_unit_test(a_root_must_be_preserved_and_alone),
		cmocka_unit_test(the_page_of_a_series_root_is_preserved_and_alone),
		cmocka_unit_test(environments_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
