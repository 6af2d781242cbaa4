/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Progress on a terminal, for what takes more than a second.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <iommuser/env.h>

/**
 * progress_show - one line on stderr, if that is a terminal and a second has passed
 * @doing: e.g. "searching for the KHO FDT"
 * @done: how much
 * @unit: of what
 *
 * Cheap enough for every few milliseconds.
 */
void progress_show(const char *doing, u64 done, const char *unit);
/** progress_scan - callback of a scan: @bytes were searched so far */
void progress_scan(void *ctx, u64 bytes);
/** progress_done - wipe the line, if there is one; what comes next starts its second anew */
void progress_done(void);

/**
 * struct progress_reads - an image whose reads show as progress
 * @env: the image
 * @doing: what for; NULL to show nothing
 * @nr_reads: so far
 */
struct progress_reads {
	struct iommuser_env env;
	const char *doing;
	u64 nr_reads;
};

/** progress_env - the same image as @env; @reads must live as long */
struct iommuser_env progress_env(struct progress_reads *reads, const struct iommuser_env *env);

#endif /* PROGRESS_H */
