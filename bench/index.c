// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How the time to survey and index a handover grows with the number of
 * devices: linear is the aim.
 */
#include "bench.h"
#include "image.h"

#include <iommuser/graph.h>
#include <stdio.h>
#include <string.h>

#define SIZES 4
#define SMALLEST 1000
#define GROWTH 10
#define REPETITIONS 9
#define REPETITIONS_QUICK 3
#define DEVICES_PER_DOMAIN 16
#define DEVICES_PER_UNIT 256
#define PLACEHOLDER_TABLE 0x10000000ULL
#define SEED 0x5bd1e9955bd1e995ULL

/* A handover and the memory that its index takes. */
struct sample {
	struct bench_image image;
	struct iommuser_env env;
	struct iommuser_root root;
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	void *memory;
	u64 memory_size;
	u64 nr_devices;
	u32 *requesters; /* segment << 16 | bdf by position */
};

static void fill_device(struct bench_image *image, u64 i, u32 requester)
{
	u64 unit = bench_image_phys(image, IOMMUSER_KIND_IOMMU, i / DEVICES_PER_UNIT);
	u64 domain = bench_image_phys(image, IOMMUSER_KIND_DOMAIN, i / DEVICES_PER_DOMAIN);
	u64 did = 2 + i % DEVICES_PER_UNIT / DEVICES_PER_DOMAIN;

	bench_image_set(image, IOMMUSER_KIND_DEVICE, i, IOMMUSER_FIELD_REF_COUNT, 1);
	bench_image_set(image, IOMMUSER_KIND_DEVICE, i, IOMMUSER_FIELD_INDEX, i);
	bench_image_set(image, IOMMUSER_KIND_DEVICE, i, IOMMUSER_FIELD_SEGMENT, requester >> 16);
	bench_image_set(image, IOMMUSER_KIND_DEVICE, i, IOMMUSER_FIELD_BDF, requester & 0xffff);
	bench_image_set(image, IOMMUSER_KIND_DEVICE, i, IOMMUSER_FIELD_IOMMU, unit);
	bench_image_set(image, IOMMUSER_KIND_DEVICE, i, IOMMUSER_FIELD_DOMAIN, domain);
	bench_image_set(image, IOMMUSER_KIND_DEVICE, i, IOMMUSER_FIELD_DID, did);
	if (!image->chains[IOMMUSER_KIND_ATTACHMENT].size)
		return;
	bench_image_set(image, IOMMUSER_KIND_ATTACHMENT, i, IOMMUSER_FIELD_REF_COUNT, 1);
	bench_image_set(image, IOMMUSER_KIND_ATTACHMENT, i, IOMMUSER_FIELD_INDEX, i);
	bench_image_set(image, IOMMUSER_KIND_ATTACHMENT, i, IOMMUSER_FIELD_DEVICE,
			bench_image_phys(image, IOMMUSER_KIND_DEVICE, i));
	bench_image_set(image, IOMMUSER_KIND_ATTACHMENT, i, IOMMUSER_FIELD_DOMAIN, domain);
	bench_image_set(image, IOMMUSER_KIND_ATTACHMENT, i, IOMMUSER_FIELD_DID, did);
}

static void fill(struct bench_image *image, const u64 *nr_records, const u32 *requesters)
{
	u64 i;

	for (i = 0; i < nr_records[IOMMUSER_KIND_IOMMU]; i++) {
		bench_image_set(image, IOMMUSER_KIND_IOMMU, i, IOMMUSER_FIELD_TYPE,
				IOMMUSER_IOMMU_TYPE_INTEL);
		bench_image_set(image, IOMMUSER_KIND_IOMMU, i, IOMMUSER_FIELD_TOKEN, i);
	}
	for (i = 0; i < nr_records[IOMMUSER_KIND_DOMAIN]; i++)
		bench_image_set(image, IOMMUSER_KIND_DOMAIN, i, IOMMUSER_FIELD_TOP_TABLE,
				PLACEHOLDER_TABLE + i * BENCH_PAGE_SIZE);
	for (i = 0; i < nr_records[IOMMUSER_KIND_DEVICE]; i++)
		fill_device(image, i, requesters[i]);
}

static u32 *ascending(u32 count)
{
	u32 *numbers = bench_memory(count * sizeof(u32));
	u32 i;

	for (i = 0; i < count; i++)
		numbers[i] = i;
	return numbers;
}

static void init(struct sample *sample, const struct iommuser_revision *revision, u64 nr_devices,
		 bool shuffled)
{
	u64 nr_records[IOMMUSER_NR_KINDS + 1] = {
		[IOMMUSER_KIND_IOMMU] = (nr_devices + DEVICES_PER_UNIT - 1) / DEVICES_PER_UNIT,
		[IOMMUSER_KIND_DOMAIN] = (nr_devices + DEVICES_PER_DOMAIN - 1) / DEVICES_PER_DOMAIN,
		[IOMMUSER_KIND_DEVICE] = nr_devices,
		[IOMMUSER_KIND_ATTACHMENT] = nr_devices,
	};

	memset(sample, 0, sizeof(*sample));
	sample->nr_devices = nr_devices;
	bench_image_init(&sample->image, revision, nr_records);
	sample->requesters = shuffled ? bench_shuffle((u32)nr_devices) : ascending((u32)nr_devices);
	fill(&sample->image, nr_records, sample->requesters);
	bench_image_finish(&sample->image);
	sample->env = bench_env(&sample->image.space);
	if (iommuser_root_open(&sample->env, revision, BENCH_IMAGE_BASE, NULL, &bench_no_findings,
			       &sample->root) ||
	    iommuser_survey_root(&sample->env, &sample->root, NULL, &bench_no_findings,
				 &sample->survey))
		bench_fail("no handover");
	sample->memory_size = iommuser_graph_size(&sample->root, &sample->survey);
	sample->memory = bench_memory(sample->memory_size);
}

static void free_sample(struct sample *sample)
{
	bench_memory_free(sample->memory, sample->memory_size);
	bench_memory_free(sample->requesters, sample->nr_devices * sizeof(u32));
	bench_image_free(&sample->image);
}

static void survey(void *ctx)
{
	struct sample *sample = ctx;

	if (iommuser_survey_root(&sample->env, &sample->root, NULL, &bench_no_findings,
				 &sample->survey) ||
	    sample->survey.kinds[IOMMUSER_KIND_DEVICE].nr_live != sample->nr_devices)
		bench_fail("the survey failed");
}

static void clear(void *ctx)
{
	struct sample *sample = ctx;

	memset(sample->memory, 0, sample->memory_size);
}

static void build(void *ctx)
{
	struct sample *sample = ctx;

	if (iommuser_graph_build(&sample->graph, &sample->env, &sample->root, &sample->survey, SEED,
				 sample->memory, sample->memory_size))
		bench_fail("the index was not built");
}

/* Every device must be found, or it was not an index that was built. */
static void check(const struct sample *sample)
{
	u64 position, i;

	for (i = 0; i < sample->nr_devices; i++)
		if (iommuser_graph_find_device(&sample->graph, sample->requesters[i] >> 16,
					       sample->requesters[i] & 0xffff, &position) ||
		    position != i)
			bench_fail("device %llu is not found", (unsigned long long)i);
}

/*
 * Seconds per run, at least as many runs as make up the work of the largest
 * size: a small handover is measured in warm caches, which makes growth look
 * its worst.
 */
static double average(const struct bench_task *task, u64 runs)
{
	double seconds = 0;
	u64 i;

	for (i = 0; i < runs; i++)
		seconds += bench_seconds(task);
	return seconds / (double)runs;
}

struct times {
	double survey[SIZES][REPETITIONS];
	double build[SIZES][REPETITIONS];
	double growth[SIZES][REPETITIONS]; /* of both together, from the size before */
	double build_growth[SIZES][REPETITIONS];
};

static void measure_once(struct sample *samples, struct times *times, u32 repetition)
{
	double total, before = 0;
	u64 runs = 1;
	u32 i;

	for (i = 1; i < SIZES; i++)
		runs *= GROWTH;
	for (i = 0; i < SIZES; i++, runs /= GROWTH) {
		struct bench_task survey_task = { .run = survey, .ctx = &samples[i] };
		struct bench_task build_task = { .prepare = clear,
						 .run = build,
						 .ctx = &samples[i] };

		times->survey[i][repetition] = average(&survey_task, runs);
		times->build[i][repetition] = average(&build_task, runs);
		total = times->survey[i][repetition] + times->build[i][repetition];
		times->growth[i][repetition] = before > 0 ? total / before : 0;
		if (i)
			times->build_growth[i][repetition] =
				times->build[i][repetition] / times->build[i - 1][repetition];
		before = total;
	}
}

static void print(const struct sample *samples, const char *order, struct times *times,
		  u32 repetitions)
{
	u32 i;

	for (i = 0; i < SIZES; i++) {
		printf("| `%s`, BDFs %s | %llu | %.3f ms | %.3f ms | ",
		       samples[i].image.revision->name, order,
		       (unsigned long long)samples[i].nr_devices,
		       bench_median(times->survey[i], repetitions) * 1e3,
		       bench_median(times->build[i], repetitions) * 1e3);
		if (i)
			printf("%.1f | %.1f | ", bench_median(times->growth[i], repetitions),
			       bench_median(times->build_growth[i], repetitions));
		else
			printf("| | ");
		printf("%.1f MiB | %s |\n", (double)samples[i].memory_size / (1 << 20),
		       i ? "≤ 12" : "");
	}
	fflush(stdout);
}

static void measure(const char *name, bool shuffled, u32 repetitions)
{
	const struct iommuser_revision *revision = iommuser_revision_by_name(name);
	static struct sample samples[SIZES];
	static struct times times;
	u64 nr_devices = SMALLEST;
	u32 i;

	if (!revision)
		bench_fail("no revision %s", name);
	for (i = 0; i < SIZES; i++, nr_devices *= GROWTH)
		init(&samples[i], revision, nr_devices, shuffled);
	for (i = 0; i < repetitions; i++)
		measure_once(samples, &times, i);
	for (i = 0; i < SIZES; i++)
		check(&samples[i]);
	print(samples, shuffled ? "in random order" : "ascending", &times, repetitions);
	for (i = 0; i < SIZES; i++)
		free_sample(&samples[i]);
}

int main(int argc, char **argv)
{
	u32 repetitions = REPETITIONS;

	if (argc > 1 && !strcmp(argv[1], "--quick"))
		repetitions = REPETITIONS_QUICK;
	else if (argc > 1)
		bench_fail("usage: bench-index [--quick]");
	measure("iommuser-v1", false, repetitions);
	measure("iommuser-v1", true, repetitions);
	measure("iommu-liveupdate", false, repetitions);
	measure("iommu-liveupdate", true, repetitions);
	return 0;
}
