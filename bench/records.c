// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How fast device records of each revision are iterated, with and without
 * decoding them, against reading their pages word by word in the same order.
 */
#include "bench.h"
#include "image.h"

#include <stdio.h>
#include <string.h>

#define REPETITIONS 9

/* One way to go through the records of an image. */
struct pass {
	const struct bench_image *image;
	struct iommuser_env env;
	struct iommuser_chain_shape shape;
};

static void start(const struct pass *pass, struct iommuser_chain *chain)
{
	const struct bench_chain *devices = &pass->image->chains[IOMMUSER_KIND_DEVICE];
	u64 first =
		pass->image->space.base + pass->image->slots[devices->first_slot] * BENCH_PAGE_SIZE;

	if (iommuser_chain_start(chain, &pass->env, &pass->shape, first))
		bench_fail("no chain");
}

static void finish(const struct pass *pass, int end, u64 nr_records)
{
	if (end || nr_records != pass->image->chains[IOMMUSER_KIND_DEVICE].nr_records)
		bench_fail("the chain ended with %d after %llu records", end,
			   (unsigned long long)nr_records);
}

/* Look at one word of each record, as whoever searches for one does. */
static void iterate(void *ctx)
{
	const struct pass *pass = ctx;
	struct iommuser_chain_page page;
	struct iommuser_chain chain;
	u64 i, word, sum = 0, count = 0;
	int more;

	start(pass, &chain);
	while ((more = iommuser_chain_next(&chain, &page)) == 1) {
		for (i = 0; i < page.count; i++) {
			memcpy(&word, iommuser_chain_record(&chain, &page, i), sizeof(word));
			sum += word;
		}
		count += page.count;
	}
	bench_sink = sum;
	finish(pass, more, count);
}

static void decode(void *ctx)
{
	const struct pass *pass = ctx;
	struct iommuser_chain_page page;
	union iommuser_record record;
	struct iommuser_chain chain;
	u64 i, sum = 0, count = 0;
	int more;

	start(pass, &chain);
	while ((more = iommuser_chain_next(&chain, &page)) == 1) {
		for (i = 0; i < page.count; i++) {
			iommuser_decode(pass->image->revision, IOMMUSER_KIND_DEVICE,
					IOMMUSER_IOMMU_TYPE_INTEL,
					iommuser_chain_record(&chain, &page, i),
					iommuser_chain_record_phys(&chain, &page, i), &record);
			sum += record.device.bdf + record.device.did;
		}
		count += page.count;
	}
	bench_sink = sum;
	finish(pass, more, count);
}

static void fill(struct bench_image *image)
{
	u64 count = image->chains[IOMMUSER_KIND_DEVICE].nr_records;
	u64 i;

	for (i = 0; i < count; i++) {
		bench_image_set(image, IOMMUSER_KIND_DEVICE, i, IOMMUSER_FIELD_REF_COUNT, 1);
		bench_image_set(image, IOMMUSER_KIND_DEVICE, i, IOMMUSER_FIELD_BDF, i & 0xffff);
		bench_image_set(image, IOMMUSER_KIND_DEVICE, i, IOMMUSER_FIELD_SEGMENT, i >> 16);
		bench_image_set(image, IOMMUSER_KIND_DEVICE, i, IOMMUSER_FIELD_DID, 2 + i % 1000);
	}
}

static void compare(struct bench_image *image)
{
	const struct iommuser_revision *revision = image->revision;
	const struct bench_chain *devices = &image->chains[IOMMUSER_KIND_DEVICE];
	struct bench_pages pages = {
		.space = &image->space,
		.order = image->slots + devices->first_slot,
		.count = devices->nr_pages,
	};
	struct pass pass = {
		.image = image,
		.env = bench_env(&image->space),
		.shape = {
			.header_size = revision->page_header_size,
			.record_size = (u32)devices->size,
			.max_pages = IOMMUSER_MAX_CHAIN_PAGES,
		},
	};
	const struct bench_task reference = { .run = bench_read_pages, .ctx = &pages };
	const struct bench_task tasks[] = {
		{ .name = "iterate", .run = iterate, .ctx = &pass },
		{ .name = "iterate and decode", .run = decode, .ctx = &pass },
	};
	struct bench_result results[2];
	char name[128];
	u32 i;

	bench_compare(&reference, tasks, 2, REPETITIONS, results);
	for (i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s devices of `%s`, %llu bytes each", tasks[i].name,
			 revision->name, (unsigned long long)devices->size);
		bench_row(name, pages.count * BENCH_PAGE_SIZE, &results[i], "≥ 0.5");
	}
}

static void measure(const struct iommuser_revision *revision, u64 bytes)
{
	u64 size = revision->kinds[IOMMUSER_KIND_DEVICE].size;
	u64 capacity = (BENCH_PAGE_SIZE - revision->page_header_size) / size;
	const u64 nr_records[IOMMUSER_NR_KINDS + 1] = {
		[IOMMUSER_KIND_DEVICE] = bytes / BENCH_PAGE_SIZE * capacity,
	};
	struct bench_image image;

	bench_image_init(&image, revision, nr_records);
	fill(&image);
	bench_image_finish(&image);
	compare(&image);
	bench_image_free(&image);
}

int main(int argc, char **argv)
{
	const struct iommuser_revision *revision;
	u64 bytes = 512ULL << 20;
	u32 i;

	if (argc > 1 && !strcmp(argv[1], "--quick"))
		bytes = 256ULL << 20;
	else if (argc > 1)
		bench_fail("usage: bench-records [--quick]");
	for (i = 0; (revision = iommuser_revision_at(i)); i++)
		measure(revision, bytes);
	return 0;
}
