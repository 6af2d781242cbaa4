// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the benchmarks share.
 */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <zlib.h>

#define HUGE_PAGE (2ULL << 20)

volatile u64 bench_sink;

void bench_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("bench: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* Processor time of this thread: what other processes do costs cache and bandwidth, not more. */
static double now(void)
{
	struct timespec time;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time))
		bench_fail("no clock");
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

double bench_seconds(const struct bench_task *task)
{
	double start;

	if (task->prepare)
		task->prepare(task->ctx);
	start = now();
	task->run(task->ctx);
	return now() - start;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *values, u32 count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* What was measured of one task. */
struct samples {
	double seconds[BENCH_MAX_REPETITIONS];
	double reference_seconds[BENCH_MAX_REPETITIONS];
	double ratios[BENCH_MAX_REPETITIONS];
};

void bench_compare(const struct bench_task *reference, const struct bench_task *tasks, u32 nr_tasks,
		   u32 repetitions, struct bench_result *results)
{
	static struct samples samples[BENCH_MAX_TASKS];
	double before, after, seconds;
	u32 i, task;

	if (!repetitions || nr_tasks > BENCH_MAX_TASKS || repetitions > BENCH_MAX_REPETITIONS)
		bench_fail("cannot measure %u tasks %u times", nr_tasks, repetitions);
	before = bench_seconds(reference);
	for (i = 0; i < repetitions; i++) {
		for (task = 0; task < nr_tasks; task++) {
			seconds = bench_seconds(&tasks[task]);
			after = bench_seconds(reference);
			samples[task].seconds[i] = seconds;
			samples[task].reference_seconds[i] = (before + after) / 2;
			samples[task].ratios[i] = (before + after) / 2 / seconds;
			before = after;
		}
	}
	for (task = 0; task < nr_tasks; task++) {
		results[task].seconds = bench_median(samples[task].seconds, repetitions);
		results[task].reference_seconds =
			bench_median(samples[task].reference_seconds, repetitions);
		results[task].ratio = bench_median(samples[task].ratios, repetitions);
	}
}

void bench_row(const char *name, u64 bytes, const struct bench_result *result, const char *target)
{
	printf("| %s | %.2f GB/s | %.2f GB/s | %.2f | %s |\n", name,
	       (double)bytes / result->seconds / 1e9,
	       (double)bytes / result->reference_seconds / 1e9, result->ratio, target);
	fflush(stdout);
}

void *bench_memory(u64 size)
{
	u64 length = (size + 2 * HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	u8 *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		bench_fail("no %llu bytes of memory", (unsigned long long)size);
	memory += -(uintptr_t)memory & (HUGE_PAGE - 1);
	/* Only a wish: a kernel without huge pages measures with small ones. */
	(void)madvise(memory, length - HUGE_PAGE, MADV_HUGEPAGE);
	return memory;
}

void bench_memory_free(void *memory, u64 size)
{
	munmap(memory, (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
}

u64 bench_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

u32 *bench_shuffle(u32 count)
{
	u32 *numbers = bench_memory(count * sizeof(u32));
	u64 state = 0x9e3779b97f4a7c15ULL;
	u32 i, other, number;

	for (i = 0; i < count; i++) {
		other = (u32)(bench_random(&state) % (i + 1));
		number = numbers[other];
		numbers[other] = i;
		if (other != i)
			numbers[i] = number;
	}
	return numbers;
}

void bench_space_init(struct bench_space *space, u64 base, u64 nr_pages)
{
	space->base = base;
	space->size = nr_pages * BENCH_PAGE_SIZE;
	space->bytes = bench_memory(space->size);
}

static const void *map(void *ctx, u64 phys, u64 length)
{
	const struct bench_space *space = ctx;
	u64 offset = phys - space->base;

	if (offset >= space->size || length > space->size - offset)
		return NULL;
	return space->bytes + offset;
}

static u32 zlib_crc32(void *ctx, u32 crc, const void *data, u64 length)
{
	(void)ctx;
	return (u32)crc32_z(crc, data, length);
}

struct iommuser_env bench_env(struct bench_space *space)
{
	struct iommuser_env env = {
		.ctx = space,
		.page_shift = IOMMUSER_MIN_PAGE_SHIFT,
		.map = map,
		.crc32 = zlib_crc32,
	};

	return env;
}

void bench_read_pages(void *ctx)
{
	const struct bench_pages *pages = ctx;
	u64 sum = 0;
	u64 i;
	u32 word;

	for (i = 0; i < pages->count; i++) {
		const u64 *words =
			(const void *)(pages->space->bytes + pages->order[i] * BENCH_PAGE_SIZE);

		for (word = 0; word < BENCH_PAGE_SIZE / sizeof(u64); word++)
			sum += words[word];
	}
	bench_sink = sum;
}

static void report(void *ctx, const struct iommuser_finding *finding)
{
	(void)ctx;
	bench_fail("finding %s at %#llx", iommuser_finding_code(finding->id),
		   (unsigned long long)finding->phys);
}

const struct iommuser_reporter bench_no_findings = { NULL, report };
