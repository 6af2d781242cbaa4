/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the benchmarks share: interleaved measurement, simulated physical
 * memory, random order, rows of the result table.
 */
#ifndef BENCH_H
#define BENCH_H

#include <iommuser/env.h>
#include <iommuser/finding.h>

#define BENCH_PAGE_SIZE 4096ULL
#define BENCH_MAX_TASKS 8
#define BENCH_MAX_REPETITIONS 64

/**
 * struct bench_task - something to measure
 * @name: first column of its row
 * @prepare: called before each run and not timed; may be NULL
 * @run: what is timed
 * @ctx: passed to both
 */
struct bench_task {
	const char *name;
	void (*prepare)(void *ctx);
	void (*run)(void *ctx);
	void *ctx;
};

/**
 * struct bench_result - medians over all repetitions
 * @seconds: processor time of a run
 * @reference_seconds: processor time of the reference, near those runs
 * @ratio: reference's time divided by the task's
 */
struct bench_result {
	double seconds;
	double reference_seconds;
	double ratio;
};

/**
 * bench_compare - measure tasks against a reference
 * @reference: runs before and after each run of each task; a run is compared
 *	with the mean of the two, so that a slow moment of the machine touches both
 * @tasks: what to measure
 * @nr_tasks: at most BENCH_MAX_TASKS
 * @repetitions: runs of each task, at most BENCH_MAX_REPETITIONS
 * @results: one per task
 */
void bench_compare(const struct bench_task *reference, const struct bench_task *tasks, u32 nr_tasks,
		   u32 repetitions, struct bench_result *results);

/** bench_seconds - processor time of one run */
double bench_seconds(const struct bench_task *task);

/** bench_median - of @count values, which are sorted */
double bench_median(double *values, u32 count);

/** bench_row - print a row of the table: bandwidths of a task and of its reference */
void bench_row(const char *name, u64 bytes, const struct bench_result *result, const char *target);

/** bench_memory - zeroed memory in huge pages where there are any; the program ends without */
void *bench_memory(u64 size);

/** bench_memory_free - give @size bytes back */
void bench_memory_free(void *memory, u64 size);

/** bench_fail - say why and end the program */
void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/** bench_random - the next number of a generator; @state must not be 0 */
u64 bench_random(u64 *state);

/** bench_shuffle - the numbers below @count in random order */
u32 *bench_shuffle(u32 count);

/**
 * struct bench_space - simulated physical memory, mapped as a kernel maps its own
 * @bytes: the memory
 * @base: physical address of its first byte
 * @size: bytes
 */
struct bench_space {
	u8 *bytes;
	u64 base;
	u64 size;
};

/** bench_space_init - pages of zeroes at @base */
void bench_space_init(struct bench_space *space, u64 base, u64 nr_pages);

/** bench_env - an environment that reads @space, with zlib's CRC-32 */
struct iommuser_env bench_env(struct bench_space *space);

/**
 * struct bench_pages - pages to read one after the other, a word at a time
 * @space: where they are
 * @order: their numbers in @space
 * @count: how many
 */
struct bench_pages {
	const struct bench_space *space;
	const u32 *order;
	u64 count;
};

/** bench_read_pages - the reference: the sum of all words; @ctx is struct bench_pages */
void bench_read_pages(void *ctx);

/** bench_no_findings - a reporter for images without faults; a finding ends the program */
extern const struct iommuser_reporter bench_no_findings;

/* Results that are otherwise unused go here, so that they are computed. */
extern volatile u64 bench_sink;

#endif /* BENCH_H */
