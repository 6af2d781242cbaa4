// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Progress on a terminal: one line on stderr, not before a second has passed.
 */
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct timespec started;
static bool shown;

void progress_scan(void *ctx, u64 bytes)
{
	struct timespec now;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!started.tv_sec)
		started = now;
	if (!isatty(STDERR_FILENO) || now.tv_sec - started.tv_sec < 1)
		return;
	fprintf(stderr, "\rsearching for the KHO FDT: %llu MiB", (unsigned long long)(bytes >> 20));
	fflush(stderr);
	shown = true;
}

void progress_done(void)
{
	if (shown)
		fprintf(stderr, "\r%60s\r", "");
	shown = false;
	started.tv_sec = 0;
}
