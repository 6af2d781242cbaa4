// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Progress on a terminal: one line on stderr, not before a second has passed,
 * and ten times a second at most.
 */
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define MILLISECONDS(time) ((time).tv_sec * 1000LL + (time).tv_nsec / 1000000)
#define WAIT_MS 1000
#define EVERY_MS 100
/* Reads between two looks at the clock, less one: a power of two, less one. */
#define READS_MASK 1023

static long long started;
static long long last;
static bool shown;

void progress_show(const char *doing, u64 done, const char *unit)
{
	struct timespec time;
	long long now;

	clock_gettime(CLOCK_MONOTONIC, &time);
	now = MILLISECONDS(time);
	if (!started)
		started = now;
	if (now - started < WAIT_MS || now - last < EVERY_MS || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%s: %llu %s ", doing, (unsigned long long)done, unit);
	fflush(stderr);
	last = now;
	shown = true;
}

void progress_scan(void *ctx, u64 bytes)
{
	(void)ctx;
	progress_show("searching for the KHO FDT", bytes >> 20, "MiB");
}

void progress_done(void)
{
	if (shown)
		fprintf(stderr, "\r%78s\r", "");
	shown = false;
	started = 0;
}

static const void *map(void *ctx, u64 phys, u64 len)
{
	struct progress_reads *reads = ctx;

	if (!(reads->nr_reads++ & READS_MASK) && reads->doing)
		progress_show(reads->doing, reads->nr_reads, "tables and pages read");
	return reads->env.map(reads->env.ctx, phys, len);
}

static u32 checksum(void *ctx, u32 crc, const void *data, u64 len)
{
	struct progress_reads *reads = ctx;

	return reads->env.crc32(reads->env.ctx, crc, data, len);
}

struct iommuser_env progress_env(struct progress_reads *reads, const struct iommuser_env *env)
{
	*reads = (struct progress_reads){ .env = *env };
	return (struct iommuser_env){
		.ctx = reads,
		.page_shift = env->page_shift,
		.map = map,
		.crc32 = checksum,
	};
}
