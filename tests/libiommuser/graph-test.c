// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the graph: positions, references and look-ups over every shape of
 * chains, and images that are no longer what was surveyed.
 */
#include "handover.h"

#include "graph-private.h"
#define PUT(handover, kind, phys, FIELD, value) \
	handover_put(handover, kind, phys, IOMMUSER_FIELD_##FIELD, value)

/* Records of one kind at every position, found by position and by reference. */
static void expect_all(struct handover *handover, u32 kind, const u64 *records, u64 count)
{
	union iommuser_record record;
	const void *bytes;
	u64 position, phys, i;
	u32 other;

	assert_int_equal(iommuser_graph_count(&handover->graph, kind), count);
	for (i = 0; i < count; i++) {
		assert_int_equal(iommuser_graph_read(&handover->graph, kind, i, &record), 0);
		assert_int_equal(record.common.phys, records[i]);
		assert_int_equal(iommuser_graph_bytes(&handover->graph, kind, i, &bytes, &phys), 0);
		assert_int_equal(phys, records[i]);
		assert_int_equal(
			iommuser_graph_resolve(&handover->graph, records[i], kind, &position), 0);
		assert_int_equal(position, i);
		for (other = 1; other <= IOMMUSER_NR_KINDS; other++)
			if (other != kind)
				assert_int_equal(iommuser_graph_resolve(&handover->graph,
									records[i], other,
									&position),
						 -IOMMUSER_ENOENT);
		assert_int_equal(iommuser_graph_resolve(&handover->graph, records[i] + 1, kind,
							&position),
				 -IOMMUSER_ENOENT);
	}
	assert_int_equal(iommuser_graph_read(&handover->graph, kind, count, &record),
			 -IOMMUSER_ENOENT);
	assert_int_equal(iommuser_graph_read(&handover->graph, kind, ~0ULL, &record),
			 -IOMMUSER_ENOENT);
}

static void positions_and_references_agree(void **state)
{
	static const char *const names[] = { "iommuser-v1", "iommu-v1", "iommu-liveupdate-v1",
					     "iommu-liveupdate", "iommu-liveupdate-56" };
	static const u64 per_page[] = { 0, 1, 7 }; /* 0: full pages */
	u64 records[500];
	u32 i, k, shift, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		for (k = 0; k < ARRAY_SIZE(per_page); k++) {
			for (shift = 12; shift <= 16; shift += 2) {
				struct handover *handover = handover_new(names[i], shift);

				if (per_page[k])
					handover->arrays[KIND_DOMAIN].per_page = per_page[k];
				handover_add(handover, KIND_IOMMU);
				for (n = 0; n < ARRAY_SIZE(records); n++)
					records[n] = handover_add(handover, KIND_DOMAIN);
				handover_finish(handover);
				handover_build(handover);
				expect_all(handover, KIND_DOMAIN, records, ARRAY_SIZE(records));
				handover_free(handover);
			}
		}
	}
}

/* Partial pages of changing fill: bisection must find the right one. */
static void irregular_pages_are_bisected(void **state)
{
	struct handover *handover = handover_new("iommu-liveupdate", 12);
	u64 records[400];
	u64 random = 8;
	u32 n;

	(void)state;
	for (n = 0; n < ARRAY_SIZE(records); n++) {
		if (n % 3 == 0)
			handover->arrays[KIND_DEVICE].per_page = 1 + random_next(&random) % 56;
		records[n] = handover_add(handover, KIND_DEVICE);
		PUT(handover, KIND_DEVICE, records[n], BDF, n);
	}
	handover_finish(handover);
	handover_build(handover);
	assert_true(handover->survey.kinds[KIND_DEVICE].irregular);
	expect_all(handover, KIND_DEVICE, records, ARRAY_SIZE(records));
	handover_free(handover);
}

static void an_empty_handover_has_nothing(void **state)
{
	static const char *const names[] = { "iommuser-v1", "iommu-v1" };
	union iommuser_record record;
	u64 position;
	u32 i, kind;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct handover *handover = handover_new(names[i], 12);

		handover_finish(handover);
		handover_build(handover);
		expect_findings(&handover->findings, "");
		for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
			assert_int_equal(iommuser_graph_count(&handover->graph, kind), 0);
			assert_int_equal(iommuser_graph_read(&handover->graph, kind, 0, &record),
					 -IOMMUSER_ENOENT);
		}
		assert_int_equal(iommuser_graph_read(&handover->graph, 0, 0, &record),
				 -IOMMUSER_ENOENT);
		assert_int_equal(iommuser_graph_read(&handover->graph, 7, 0, &record),
				 -IOMMUSER_ENOENT);
		assert_int_equal(iommuser_graph_resolve(&handover->graph, 0, KIND_DEVICE,
							&position),
				 -IOMMUSER_ENOENT);
		assert_int_equal(iommuser_graph_resolve(&handover->graph, 0, 0, &position),
				 -IOMMUSER_ENOENT);
		assert_int_equal(iommuser_graph_find_iommu(&handover->graph, 0, &position),
				 -IOMMUSER_ENOENT);
		assert_int_equal(iommuser_graph_find_device(&handover->graph, 0, 0, &position),
				 -IOMMUSER_ENOENT);
		handover_free(handover);
	}
}

static void references_beside_records_lead_nowhere(void **state)
{
	struct handover *handover = handover_new("iommuser-v1", 12);
	u64 device = handover_add(handover, KIND_DEVICE);
	u64 page = device & ~4095ULL;
	u64 position, at;

	(void)state;
	handover_add(handover, KIND_DEVICE);
	handover_finish(handover);
	handover_build(handover);
	for (at = page - 8; at < page + 4104; at++) {
		int error = iommuser_graph_resolve(&handover->graph, at, KIND_DEVICE, &position);

		if (at == device || at == device + 128)
			assert_int_equal(error, 0);
		else
			assert_int_equal(error, -IOMMUSER_ENOENT);
	}
	assert_int_equal(iommuser_graph_resolve(&handover->graph, ~0ULL, KIND_DEVICE, &position),
			 -IOMMUSER_ENOENT);
	assert_int_equal(iommuser_graph_resolve(&handover->graph, device | 1ULL << 63, KIND_DEVICE,
						&position),
			 -IOMMUSER_ENOENT);
	handover_free(handover);
}

static void look_ups_find_the_first_live_record(void **state)
{
	struct handover *handover = handover_new("iommuser-v1", 12);
	u64 record, position, i;

	(void)state;
	for (i = 0; i < 3; i++) {
		record = handover_add(handover, KIND_IOMMU);
		PUT(handover, KIND_IOMMU, record, TOKEN, 0xfed90000);
		if (!i)
			handover_delete(handover, KIND_IOMMU, record);
		record = handover_add(handover, KIND_DEVICE);
		PUT(handover, KIND_DEVICE, record, SEGMENT, 3);
		PUT(handover, KIND_DEVICE, record, BDF, 0x1208);
		if (!i)
			handover_delete(handover, KIND_DEVICE, record);
		record = handover_add(handover, KIND_ALIAS);
		PUT(handover, KIND_ALIAS, record, SEGMENT, 3);
		PUT(handover, KIND_ALIAS, record, BDF, 0x1200);
		if (!i)
			handover_delete(handover, KIND_ALIAS, record);
	}
	handover_finish(handover);
	handover_build(handover);
	assert_int_equal(iommuser_graph_find_iommu(&handover->graph, 0xfed90000, &position), 0);
	assert_int_equal(position, 1);
	assert_int_equal(iommuser_graph_find_iommu(&handover->graph, 0, &position),
			 -IOMMUSER_ENOENT);
	assert_int_equal(iommuser_graph_find_device(&handover->graph, 3, 0x1208, &position), 0);
	assert_int_equal(position, 1);
	assert_int_equal(iommuser_graph_find_device(&handover->graph, 0, 0, &position),
			 -IOMMUSER_ENOENT);
	assert_int_equal(iommuser_graph_find_device(&handover->graph, 2, 0x1208, &position),
			 -IOMMUSER_ENOENT);
	assert_int_equal(iommuser_graph_find_alias(&handover->graph, 3, 0x1200, &position), 0);
	assert_int_equal(position, 1);
	assert_int_equal(iommuser_graph_find_alias(&handover->graph, 3, 0x1208, &position),
			 -IOMMUSER_ENOENT);
	handover_free(handover);
}

static void segments_are_kept_apart(void **state)
{
	struct handover *handover = handover_new("iommuser-v1", 12);
	u64 position, segment, slot, record;

	(void)state;
	for (segment = 0; segment < 4; segment++) {
		for (slot = 0; slot < 4; slot++) {
			record = handover_add(handover, KIND_DEVICE);
			PUT(handover, KIND_DEVICE, record, SEGMENT, segment << 4);
			PUT(handover, KIND_DEVICE, record, BDF, 0x20 + (slot << 12));
		}
	}
	handover_finish(handover);
	handover_build(handover);
	for (segment = 0; segment < 4; segment++) {
		for (slot = 0; slot < 4; slot++) {
			assert_int_equal(iommuser_graph_find_device(&handover->graph, segment << 4,
								    0x20 + (slot << 12), &position),
					 0);
			assert_int_equal(position, segment * 4 + slot);
		}
	}
	handover_free(handover);
}

/* A requester id has 16 bits, a PASID 20: what is beyond is nobody's. */
static void what_is_out_of_range_is_not_found(void **state)
{
	struct handover *handover = handover_new("iommuser-v1", 12);
	u64 device = handover_add(handover, KIND_DEVICE);
	u64 attachment = handover_add(handover, KIND_ATTACHMENT);
	u64 position;
	int by_bdf, by_pasid, by_segment;

	(void)state;
	PUT(handover, KIND_DEVICE, device, BDF, 8);
	PUT(handover, KIND_ATTACHMENT, attachment, DEVICE, device);
	PUT(handover, KIND_ATTACHMENT, attachment, ATTACHMENT_FLAGS, 1);
	PUT(handover, KIND_ATTACHMENT, attachment, PASID, 5);
	handover_finish(handover);
	handover_build(handover);
	by_segment = iommuser_graph_find_device(&handover->graph, 1ULL << 48, 8, &position);
	by_bdf = iommuser_graph_find_device(&handover->graph, 0, 0x10008, &position);
	by_pasid = iommuser_graph_find_attachment(&handover->graph, 0, true, 0x100005, &position);
	handover_free(handover);
	assert_int_equal(by_bdf, -IOMMUSER_ENOENT);
	assert_int_equal(by_pasid, -IOMMUSER_ENOENT);
	assert_int_equal(by_segment, -IOMMUSER_ENOENT);
}

static void attachments_are_found_by_device_and_pasid(void **state)
{
	struct handover *handover = handover_new("iommuser-v1", 12);
	union iommuser_record record;
	u64 devices[2], position, domain, did;
	u32 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		devices[i] = handover_add(handover, KIND_DEVICE);
		PUT(handover, KIND_DEVICE, devices[i], BDF, i);
	}
	for (i = 0; i < 6; i++) {
		u64 attachment = handover_add(handover, KIND_ATTACHMENT);

		PUT(handover, KIND_ATTACHMENT, attachment, DEVICE, devices[i & 1]);
		PUT(handover, KIND_ATTACHMENT, attachment, ATTACHMENT_FLAGS, i >= 2);
		PUT(handover, KIND_ATTACHMENT, attachment, PASID, i >= 4 ? 0xfffff : 0);
		PUT(handover, KIND_ATTACHMENT, attachment, DOMAIN, 0x1000 * i);
		PUT(handover, KIND_ATTACHMENT, attachment, DID, 10 + i);
	}
	handover_add(handover, KIND_ATTACHMENT); /* of no device */
	handover_finish(handover);
	handover_build(handover);
	for (i = 0; i < 6; i++) {
		assert_int_equal(iommuser_graph_find_attachment(&handover->graph, i & 1, i >= 2,
								i >= 4 ? 0xfffff : 0, &position),
				 0);
		assert_int_equal(position, i);
	}
	assert_int_equal(iommuser_graph_find_attachment(&handover->graph, 0, true, 1, &position),
			 -IOMMUSER_ENOENT);
	assert_int_equal(iommuser_graph_find_attachment(&handover->graph, 2, false, 0, &position),
			 -IOMMUSER_ENOENT);
	assert_int_equal(iommuser_graph_read(&handover->graph, KIND_DEVICE, 1, &record), 0);
	assert_int_equal(iommuser_graph_device_domain(&handover->graph, 1, &record.device, &domain,
						      &did),
			 0);
	assert_int_equal(domain, 0x1000);
	assert_int_equal(did, 11);
	handover_free(handover);
}

static void a_device_without_attachment_has_no_domain(void **state)
{
	struct handover *handover = handover_new("iommuser-v1", 12);
	union iommuser_record record;
	u64 domain, did;

	(void)state;
	handover_add(handover, KIND_DEVICE);
	handover_finish(handover);
	handover_build(handover);
	assert_int_equal(iommuser_graph_read(&handover->graph, KIND_DEVICE, 0, &record), 0);
	assert_int_equal(iommuser_graph_device_domain(&handover->graph, 0, &record.device, &domain,
						      &did),
			 -IOMMUSER_ENOENT);
	handover_free(handover);
}

static void stale_devices_are_passed_over(void **state)
{
	static const char *const names[] = { "iommu-v1", "iommu-liveupdate" };
	u32 i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct handover *handover = handover_new(names[i], 12);
		u64 gone = handover_add(handover, KIND_DOMAIN);
		u64 live = handover_add(handover, KIND_DOMAIN);
		union iommuser_record record;
		u64 position;

		handover_delete(handover, KIND_DOMAIN, gone);
		for (k = 0; k < 2; k++) {
			u64 device = handover_add(handover, KIND_DEVICE);

			PUT(handover, KIND_DEVICE, device, BDF, 0x100);
			PUT(handover, KIND_DEVICE, device, DOMAIN, k ? live : gone);
		}
		handover_finish(handover);
		handover_build(handover);
		assert_int_equal(iommuser_graph_find_device(&handover->graph, 0, 0x100, &position),
				 0);
		assert_int_equal(position, i ? 0 : 1);
		assert_int_equal(iommuser_graph_read(&handover->graph, KIND_DEVICE, 0, &record), 0);
		assert_int_equal(iommuser_graph_device_stale(&handover->graph, &record.device),
				 i ? 0 : -IOMMUSER_ENOENT);
		assert_int_equal(iommuser_graph_read(&handover->graph, KIND_DEVICE, 1, &record), 0);
		assert_int_equal(iommuser_graph_device_stale(&handover->graph, &record.device), 0);
		record.device.domain += 1; /* a reference to nothing is not stale */
		assert_int_equal(iommuser_graph_device_stale(&handover->graph, &record.device), 0);
		record.device.domain -= 1;
		image_drop(handover->image, handover->arrays[KIND_DOMAIN].first);
		assert_int_equal(iommuser_graph_device_stale(&handover->graph, &record.device),
				 i ? 0 : -IOMMUSER_EUNMAPPED);
		handover_free(handover);
	}
}

/* Whether bytes are VT-d's or SMMUv3's is decided by the unit. */
static void devices_are_decoded_as_their_unit_says(void **state)
{
	struct handover *handover = handover_new("iommu-liveupdate", 12);
	union iommuser_record record;
	u64 units[2], device;
	u32 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		units[i] = handover_add(handover, KIND_IOMMU);
		PUT(handover, KIND_IOMMU, units[i], TYPE, 1 + i);
		PUT(handover, KIND_IOMMU, units[i], TOKEN, i);
	}
	for (i = 0; i < 3; i++) {
		device = handover_add(handover, KIND_DEVICE);
		PUT(handover, KIND_DEVICE, device, IOMMU, i < 2 ? units[i] : 0);
		PUT(handover, KIND_DEVICE, device, CDTAB_L1, 0x111111);
		PUT(handover, KIND_DEVICE, device, CDTAB_NR_L2, 0x2222);
		PUT(handover, KIND_DEVICE, device, CDTAB_L2, 0x333333);
	}
	handover_finish(handover);
	handover_build(handover);
	for (i = 0; i < 3; i++) {
		assert_int_equal(iommuser_graph_read(&handover->graph, KIND_DEVICE, i, &record), 0);
		assert_int_equal(record.device.cdtab_l1, i == 1 ? 0x111111 : 0);
		assert_int_equal(record.device.cdtab_nr_l2, i == 1 ? 0x2222 : 0);
		assert_int_equal(record.device.cdtab_l2, i == 1 ? 0x333333 : 0);
		assert_int_equal(record.device.restored, i == 1 ? 0 : 0x11);
		assert_int_equal(record.device.pasid_directory, i == 1 ? 0 : 0x2222);
		assert_int_equal(record.device.pasid_entries, i == 1 ? 0 : 0x333333);
	}
	handover_free(handover);
}

static void memory_is_checked(void **state)
{
	struct handover *handover = handover_new("iommuser-v1", 12);
	struct iommuser_survey survey;
	struct iommuser_root closed = { 0 };
	const struct iommuser_env *env = &handover->image->env;
	struct iommuser_graph graph;
	u64 *memory;
	u64 size;
	u32 i;

	(void)state;
	for (i = 0; i < 100; i++)
		handover_add(handover, 1 + i % IOMMUSER_NR_KINDS);
	handover_finish(handover);
	handover_survey(handover);
	size = iommuser_graph_size(&handover->root, &handover->survey);
	assert_true(size > 0);
	memory = calloc(1, size + 8);
	assert_non_null(memory);
	assert_int_equal(iommuser_graph_build(&graph, env, &handover->root, &handover->survey, 1,
					      memory, size - 1),
			 -IOMMUSER_ENOSPC);
	assert_int_equal(iommuser_graph_build(&graph, env, &handover->root, &handover->survey, 1,
					      memory, 0),
			 -IOMMUSER_ENOSPC);
	assert_int_equal(iommuser_graph_build(&graph, env, &handover->root, &handover->survey, 1,
					      NULL, size),
			 -IOMMUSER_EINVAL);
	assert_int_equal(iommuser_graph_build(&graph, env, &handover->root, &handover->survey, 1,
					      (u8 *)memory + 4, size),
			 -IOMMUSER_EINVAL);
	free(memory);
	assert_int_equal(iommuser_graph_size(&closed, &handover->survey), 0);
	survey = handover->survey;
	survey.kinds[KIND_HWPT].nr_records = IOMMUSER_MAX_RECORDS;
	assert_int_equal(iommuser_graph_size(&handover->root, &survey), 0);
	survey.kinds[KIND_HWPT].nr_records = ~0ULL;
	assert_int_equal(iommuser_graph_size(&handover->root, &survey), 0);
	handover_free(handover);
}

/* The size that is asked for is enough, and none of it is written beyond (ASan watches). */
static void look_ups_do_not_depend_on_the_seed(void **state)
{
	static const u64 seeds[] = { 0, 1, 0x5eed, ~0ULL };
	struct handover *handover = handover_new("iommuser-v1", 12);
	u64 position, i;
	u32 s;

	(void)state;
	for (i = 0; i < 1000; i++) {
		u64 device = handover_add(handover, KIND_DEVICE);

		PUT(handover, KIND_DEVICE, device, BDF, i * 64 & 0xffff);
		PUT(handover, KIND_DEVICE, device, SEGMENT, i * 64 >> 16);
	}
	handover_finish(handover);
	handover_survey(handover);
	for (s = 0; s < ARRAY_SIZE(seeds); s++) {
		u64 size = iommuser_graph_size(&handover->root, &handover->survey);
		void *memory = calloc(1, size);
		struct iommuser_graph graph;

		assert_non_null(memory);
		assert_int_equal(iommuser_graph_build(&graph, &handover->image->env,
						      &handover->root, &handover->survey, seeds[s],
						      memory, size),
				 0);
		for (i = 0; i < 1000; i++) {
			assert_int_equal(iommuser_graph_find_device(&graph, i * 64 >> 16,
								    i * 64 & 0xffff, &position),
					 0);
			assert_int_equal(position, i);
		}
		free(memory);
	}
	handover_free(handover);
}

static void states_are_kept_apart(void **state)
{
	struct handover *handover = handover_new("iommuser-v1", 12);
	u32 kind, round;
	u64 i;

	(void)state;
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		for (i = 0; i < 7 + kind; i++)
			handover_add(handover, kind);
	handover_finish(handover);
	handover_build(handover);
	for (round = 0; round < 5; round++) {
		for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
			for (i = 0; i < 7 + kind; i++)
				iommuser_graph_set_state(
					&handover->graph, kind, i,
					(enum iommuser_state)((kind * i + round) % 7));
		for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
			for (i = 0; i < 7 + kind; i++)
				assert_int_equal(iommuser_graph_state(&handover->graph, kind, i),
						 (kind * i + round) % 7);
	}
	handover_free(handover);
}

static int rebuild(struct handover *handover)
{
	struct iommuser_graph graph;
	void *memory = calloc(1, handover->size);
	int result;

	assert_non_null(memory);
	result = iommuser_graph_build(&graph, &handover->image->env, &handover->root,
				      &handover->survey, 1, memory, handover->size);
	free(memory);
	return result;
}

static void a_changed_image_is_refused(void **state)
{
	struct handover *handover = handover_new("iommuser-v1", 12);
	u64 first, second;
	u32 i;

	(void)state;
	for (i = 0; i < 40; i++)
		PUT(handover, KIND_DEVICE, handover_add(handover, KIND_DEVICE), BDF, i);
	handover_finish(handover);
	handover_build(handover);
	first = handover->arrays[KIND_DEVICE].first;
	second = handover->arrays[KIND_DEVICE].last;

	image_put(handover->image, second + 8, 8, 8); /* was 9 */
	assert_int_equal(rebuild(handover), -IOMMUSER_ECORRUPT);
	image_put(handover->image, second + 8, 8, 10);
	assert_int_equal(rebuild(handover), -IOMMUSER_ECORRUPT);
	image_put(handover->image, second + 8, 8, 9);
	image_put(handover->image, first, 8, 0);
	assert_int_equal(rebuild(handover), -IOMMUSER_ECORRUPT);
	image_put(handover->image, first, 8, 0x700000001ULL);
	assert_int_equal(rebuild(handover), -IOMMUSER_ECORRUPT);
	image_put(handover->image, first, 8, second);
	assert_int_equal(rebuild(handover), 0);
	image_drop(handover->image, second);
	i = (u32)-rebuild(handover);
	assert_true(i == IOMMUSER_ECORRUPT || i == IOMMUSER_EUNMAPPED);
	handover_free(handover);
}

/*
 * The same total, spread otherwise over the pages: were it taken, positions
 * would be divided by the wrong number of records in a page.
 */
static void a_changed_spread_is_refused(void **state)
{
	struct handover *handover = handover_new("iommuser-v1", 12);
	int result;
	u32 i;

	(void)state;
	for (i = 0; i < 31 + 9; i++)
		PUT(handover, KIND_DEVICE, handover_add(handover, KIND_DEVICE), BDF, i);
	handover_finish(handover);
	handover_build(handover);
	image_put(handover->image, handover->arrays[KIND_DEVICE].first + 8, 8, 9);
	image_put(handover->image, handover->arrays[KIND_DEVICE].last + 8, 8, 31);
	result = rebuild(handover);
	handover_free(handover);
	assert_int_equal(result, -IOMMUSER_ECORRUPT);
}

static void reading_a_dropped_page_says_so(void **state)
{
	struct handover *handover = handover_new("iommuser-v1", 12);
	union iommuser_record record;

	(void)state;
	handover_add(handover, KIND_DEVICE);
	handover_finish(handover);
	handover_build(handover);
	image_drop(handover->image, handover->arrays[KIND_DEVICE].first);
	assert_int_equal(iommuser_graph_read(&handover->graph, KIND_DEVICE, 0, &record),
			 -IOMMUSER_EUNMAPPED);
	handover_free(handover);
}

/* Building touches each page a bounded number of times, whatever its records say. */
static void building_is_linear(void **state)
{
	u64 calls[2], position;
	u32 i, n;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct handover *handover = handover_new("iommu-v1", 12);
		u64 domain = handover_add(handover, KIND_DOMAIN);
		u32 count = 1000U << (2 * i);

		for (n = 0; n < count; n++) {
			u64 device = handover_add(handover, KIND_DEVICE);

			PUT(handover, KIND_DEVICE, device, DOMAIN, domain);
			PUT(handover, KIND_DEVICE, device, BDF, n);
		}
		handover_finish(handover);
		handover_build(handover);
		calls[i] = handover->image->calls;
		for (n = 0; n < count; n++) {
			assert_int_equal(
				iommuser_graph_find_device(&handover->graph, 0, n, &position), 0);
			assert_int_equal(position, n);
		}
		handover_free(handover);
	}
	assert_true(calls[1] < 5 * calls[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(positions_and_references_agree),
		cmocka_unit_test(irregular_pages_are_bisected),
		cmocka_unit_test(an_empty_handover_has_nothing),
		cmocka_unit_test(references_beside_records_lead_nowhere),
		cmocka_unit_test(look_ups_find_the_first_live_record),
		cmocka_unit_test(segments_are_kept_apart),
		cmocka_unit_test(what_is_out_of_range_is_not_found),
		cmocka_unit_test(attachments_are_found_by_device_and_pasid),
		cmocka_unit_test(a_device_without_attachment_has_no_domain),
		cmocka_unit_test(stale_devices_are_passed_over),
		cmocka_unit_test(devices_are_decoded_as_their_unit_says),
		cmocka_unit_test(memory_is_checked),
		cmocka_unit_test(look_ups_do_not_depend_on_the_seed),
		cmocka_unit_test(states_are_kept_apart),
		cmocka_unit_test(a_changed_image_is_refused),
		cmocka_unit_test(a_changed_spread_is_refused),
		cmocka_unit_test(reading_a_dropped_page_says_so),
		cmocka_unit_test(building_is_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
