// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the survey: the counts, and each rule for pages broken alone.
 */
#include "handover.h"

/* A sealed handover with three pages of devices, the middle of the last one deleted. */
static struct handover *three_pages(u32 page_shift, u64 *pages)
{
	struct handover *handover = handover_new("iommuser-v1", page_shift);
	u64 count = 2 * handover->arrays[KIND_DEVICE].per_page + 3;
	u64 i, record;

	for (i = 0; i < count; i++) {
		record = handover_add(handover, KIND_DEVICE);
		if (i + 2 == count)
			handover_delete(handover, KIND_DEVICE, record);
	}
	pages[0] = handover->arrays[KIND_DEVICE].first;
	pages[1] = image_get(handover->image, pages[0], 8);
	pages[2] = image_get(handover->image, pages[1], 8);
	assert_int_equal(pages[2], handover->arrays[KIND_DEVICE].last);
	handover_finish(handover);
	return handover;
}

static void sound_chains_are_counted(void **state)
{
	u64 pages[3];
	u32 shift;

	(void)state;
	for (shift = 12; shift <= 16; shift += 2) {
		struct handover *handover = three_pages(shift, pages);
		const struct iommuser_chain_survey *device = &handover->survey.kinds[KIND_DEVICE];
		u32 kind;

		handover_preserve(handover, 0, 0);
		handover_survey(handover);
		expect_findings(&handover->findings, "");
		assert_int_equal(device->nr_pages, 3);
		assert_int_equal(device->nr_records, handover->arrays[KIND_DEVICE].nr_records);
		assert_int_equal(device->nr_live, device->nr_records - 1);
		assert_int_equal(device->record_size, 128);
		assert_false(device->broken);
		assert_false(device->irregular);
		for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
			if (kind != KIND_DEVICE)
				assert_int_equal(handover->survey.kinds[kind].nr_pages, 0);
		for (kind = 0; kind < 3; kind++)
			assert_true(iommuser_pageset_contains(
				handover->set, IOMMUSER_VISITED, pages[kind],
				image_page_size(handover->image), NULL));
		handover_free(handover);
	}
}

/* Change @width bytes at @offset of page @page, seal it again, and survey. */
static struct handover *broken(u32 page, u32 offset, u32 width, u64 value)
{
	u64 pages[3];
	struct handover *handover = three_pages(12, pages);

	image_put(handover->image, pages[page] + offset, width, value);
	handover_seal(handover, pages[page]);
	handover_preserve(handover, 0, 0);
	handover_survey(handover);
	return handover;
}

static void expect_broken(u32 page, u32 offset, u32 width, u64 value, u64 nr_pages,
			  const char *codes)
{
	struct handover *handover = broken(page, offset, width, value);

	expect_findings(&handover->findings, codes);
	assert_int_equal(handover->survey.kinds[KIND_DEVICE].nr_pages, nr_pages);
	assert_int_equal(handover->survey.kinds[KIND_DEVICE].broken, nr_pages != 3);
	handover_free(handover);
}

static void each_rule_alone(void **state)
{
	(void)state;
	expect_broken(1, 0, 8, 0x10000001, 2, "CHAIN-01");
	expect_broken(1, 0, 8, 0x500000000ULL, 2, "CHAIN-02");
	expect_broken(1, 8, 8, 32, 1, "CHAIN-06");
	expect_broken(1, 8, 8, ~0ULL, 1, "CHAIN-06");
	expect_broken(0, 8, 8, 0, 0, "CHAIN-07");
	expect_broken(1, 16, 4, 2, 3, "CHAIN-09");
	expect_broken(1, 20, 4, 136, 3, "CHAIN-10");
	expect_broken(2, 24, 8, 1, 3, "CHAIN-11");
	expect_broken(2, 32, 8, 0, 3, "CHAIN-12");
	expect_broken(0, 40, 8, 0, 3, "CHAIN-13");
	expect_broken(0, 52, 1, 1, 3, "CHAIN-14");
	expect_broken(0, 63, 1, 0x80, 3, "CHAIN-14");
	expect_broken(2, 4095, 1, 1, 3, "CHAIN-15");
	expect_broken(2, 64 + 3 * 128, 1, 1, 3, "CHAIN-15");
}

static void seals_of_pages_are_checked(void **state)
{
	struct handover *handover = broken(1, 0, 0, 0);
	u64 page = image_get(handover->image, handover->arrays[KIND_DEVICE].first, 8);

	(void)state;
	expect_findings(&handover->findings, "");
	image_put(handover->image, page + 100, 1, image_get(handover->image, page + 100, 1) ^ 1);
	handover_preserve(handover, 0, 0);
	handover_survey(handover);
	assert_int_equal(handover->findings.list[0].phys, page);
	expect_findings(&handover->findings, "SEAL-02");
	handover_free(handover);
}

static void totals_are_checked(void **state)
{
	u64 pages[3];
	struct handover *handover = three_pages(12, pages);
	u64 at = handover->root_phys + 32 + 2 * 24;

	(void)state;
	image_put(handover->image, at + 8, 8, 66);
	handover_seal(handover, handover->root_phys);
	handover_survey(handover);
	assert_int_equal(handover->findings.list[0].field, IOMMUSER_FIELD_NR_RECORDS);
	assert_int_equal(handover->findings.list[0].found, 66);
	assert_int_equal(handover->findings.list[0].expected, 65);
	expect_findings(&handover->findings, "CHAIN-08");
	image_put(handover->image, at + 8, 8, 65);
	image_put(handover->image, at + 16, 8, 0);
	handover_seal(handover, handover->root_phys);
	handover_survey(handover);
	assert_int_equal(handover->findings.list[0].field, IOMMUSER_FIELD_NR_DELETED);
	expect_findings(&handover->findings, "CHAIN-08");
	handover_free(handover);

	handover = handover_new("iommu-v1", 12);
	handover_add(handover, KIND_DOMAIN);
	handover->arrays[KIND_DOMAIN].nr_records = 2;
	handover_finish(handover);
	handover_survey(handover);
	expect_findings(&handover->findings, "CHAIN-08");
	handover_free(handover);
}

static void partial_pages_are_irregular(void **state)
{
	static const char *const names[] = { "iommuser-v1", "iommu-v1", "iommu-liveupdate" };
	u32 i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct handover *handover = handover_new(names[i], 12);

		handover->arrays[KIND_DEVICE].per_page = 5;
		for (k = 0; k < 12; k++)
			handover_add(handover, KIND_DEVICE);
		handover_finish(handover);
		handover_survey(handover);
		assert_int_equal(handover->findings.count, 2);
		assert_int_equal(handover->findings.list[0].severity,
				 i ? IOMMUSER_WARNING : IOMMUSER_ERROR);
		assert_int_equal(handover->findings.list[0].found, 5);
		expect_findings(&handover->findings, "CHAIN-16 CHAIN-16");
		assert_true(handover->survey.kinds[KIND_DEVICE].irregular);
		assert_int_equal(handover->survey.kinds[KIND_DEVICE].nr_records, 12);
		handover_free(handover);
	}
}

static void longer_records_are_read(void **state)
{
	struct handover *handover = handover_new("iommuser-v1", 12);
	u32 i;

	(void)state;
	handover->arrays[KIND_ALIAS].record_size = 72;
	handover->arrays[KIND_ALIAS].per_page = (4096 - 64) / 72;
	for (i = 0; i < 60; i++)
		image_put(handover->image, handover_add(handover, KIND_ALIAS) + 64, 8, ~0ULL);
	handover_finish(handover);
	handover_survey(handover);
	expect_findings(&handover->findings, "");
	assert_int_equal(handover->survey.kinds[KIND_ALIAS].record_size, 72);
	assert_int_equal(handover->survey.kinds[KIND_ALIAS].nr_pages, 2);
	handover_free(handover);
}

static void impossible_record_sizes_are_not_used(void **state)
{
	static const u32 bad[] = { 0, 8, 120, 129, 132, 4033, 4040, 0x80000000, 0xffffffff };
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct handover *handover = broken(0, 20, 4, bad[i]);

		expect_findings(&handover->findings, "CHAIN-10");
		assert_int_equal(handover->survey.kinds[KIND_DEVICE].record_size, 128);
		assert_int_equal(handover->survey.kinds[KIND_DEVICE].nr_pages, 3);
		handover_free(handover);
	}
}

static void pages_of_chains_are_not_shared(void **state)
{
	struct handover *handover = handover_new("iommu-liveupdate", 12);

	(void)state;
	handover_add(handover, KIND_IOMMU);
	handover->arrays[KIND_DEVICE].first = handover->arrays[KIND_IOMMU].first;
	handover_finish(handover);
	handover_preserve(handover, 0, 0);
	handover_survey(handover);
	find_finding(&handover->findings, IOMMUSER_FINDING_CHAIN_SHARED_PAGE);
	expect_findings(&handover->findings, "CHAIN-04");
	assert_true(handover->survey.kinds[KIND_DEVICE].broken);
	assert_int_equal(handover->survey.kinds[KIND_DEVICE].nr_records, 0);

	/* The root's own page is no page of records either. */
	handover->arrays[KIND_DEVICE].first = handover->root_phys;
	handover_finish(handover);
	handover_preserve(handover, 0, 0);
	handover_survey(handover);
	find_finding(&handover->findings, IOMMUSER_FINDING_CHAIN_COUNT_TOO_LARGE);
	handover_free(handover);
}

static void cycles_are_told_from_sharing(void **state)
{
	u32 target;

	(void)state;
	for (target = 0; target < 3; target++) {
		u64 pages[3];
		struct handover *handover = three_pages(12, pages);

		/* The last page must be full to lead on. */
		while (image_get(handover->image, pages[2] + 8, 8) < 31)
			handover_add(handover, KIND_DEVICE);
		handover_finish(handover);
		image_put(handover->image, pages[2], 8, pages[target]);
		handover_seal(handover, pages[2]);

		handover_preserve(handover, 0, 0);
		handover_survey(handover);
		assert_int_equal(handover->findings.list[0].phys, pages[target]);
		expect_findings(&handover->findings, "CHAIN-03");
		assert_int_equal(handover->survey.kinds[KIND_DEVICE].nr_pages, 3);
		assert_int_equal(handover->survey.kinds[KIND_DEVICE].nr_records, 93);

		/* Without a set it is found, too, only later. */
		pageset_free(handover->set);
		handover->set = NULL;
		handover_survey(handover);
		find_finding(&handover->findings, IOMMUSER_FINDING_CHAIN_CYCLE);
		assert_true(handover->survey.kinds[KIND_DEVICE].broken);
		handover_free(handover);
	}
}

static void arrays_must_be_preserved(void **state)
{
	u64 pages[3];
	struct handover *handover = three_pages(14, pages);

	(void)state;
	handover->set = pageset_new(4, IOMMUSER_NR_PLANES);
	assert_int_equal(iommuser_pageset_add(handover->set, IOMMUSER_PRESERVED,
					      handover->root_phys, 16384),
			 0);
	assert_int_equal(iommuser_pageset_add(handover->set, IOMMUSER_PRESERVED, pages[0],
					      16384 + 16384 + 12288),
			 0);
	handover_survey(handover);
	assert_int_equal(handover->findings.list[0].phys, pages[2] + 12288);
	expect_findings(&handover->findings, "CLOSURE-01");
	assert_int_equal(handover->survey.kinds[KIND_DEVICE].nr_pages, 3);
	handover_free(handover);
}

static void absent_pages_are_incomplete(void **state)
{
	u64 pages[3];
	struct handover *handover = three_pages(12, pages);

	(void)state;
	handover_preserve(handover, 0, 0);
	image_drop(handover->image, pages[1]);
	handover_survey(handover);
	assert_int_equal(handover->findings.list[0].severity, IOMMUSER_INCOMPLETE);
	assert_int_equal(handover->findings.list[0].phys, pages[1]);
	expect_findings(&handover->findings, "CHAIN-02");
	assert_int_equal(handover->survey.kinds[KIND_DEVICE].nr_pages, 1);
	handover_free(handover);
}

static void arguments_are_checked(void **state)
{
	u64 pages[3];
	struct handover *handover = three_pages(12, pages);
	struct iommuser_root closed = { 0 };
	struct iommuser_chain chain;

	(void)state;
	handover_survey(handover);
	assert_int_equal(iommuser_survey_root(&handover->image->env, &closed, NULL,
					      &handover->findings.reporter, &handover->survey),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_chain_of(&handover->image->env, &handover->root, 0, 64, &chain),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_chain_of(&handover->image->env, &handover->root, 7, 64, &chain),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_chain_of(&handover->image->env, &handover->root, KIND_DEVICE, 120,
					   &chain),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_chain_of(&handover->image->env, &handover->root, KIND_DEVICE,
					   4096, &chain),
			 -IOMMUSER_EINVAL);
	handover_free(handover);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_chains_are_counted),
		cmocka_unit_test(each_rule_alone),
		cmocka_unit_test(seals_of_pages_are_checked),
		cmocka_unit_test(totals_are_checked),
		cmocka_unit_test(partial_pages_are_irregular),
		cmocka_unit_test(longer_records_are_read),
		cmocka_unit_test(impossible_record_sizes_are_not_used),
		cmocka_unit_test(pages_of_chains_are_not_shared),
		cmocka_unit_test(cycles_are_told_from_sharing),
		cmocka_unit_test(arrays_must_be_preserved),
		cmocka_unit_test(absent_pages_are_incomplete),
		cmocka_unit_test(arguments_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
