/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The running host as an image: the kernel's own stream where it has one, else
 * its memory with what it says about where KHO is.
 */
#ifndef LIVE_H
#define LIVE_H

#include <dirent.h>

#include "source.h"

#define LIVE_MAX_LINES 24
/* For tests: a directory that stands in for the root of the file system. */
#define LIVE_ROOT_VARIABLE "IOMMU_KHO_DUMP_SYSROOT"

/**
 * struct live_line - one thing that was tried
 * @used: what it gave was used
 * @text: what it was, and what came of it
 */
struct live_line {
	bool used;
	char text[320];
};

/** struct live_log - everything that was tried, in order */
struct live_log {
	struct live_line lines[LIVE_MAX_LINES];
	u32 nr;
};

/**
 * live_open - open the running host
 * @options: memory wants its memory, even where the kernel has a stream
 * @log: to fill
 * @message: on failure, lines for people, with newlines between
 *
 * Return: the source or NULL.
 */
struct source *live_open(const struct source_options *options, struct live_log *log, char *message,
			 size_t message_size);

/* What follows is between the files of live_open(). */

/** live_used, live_missed - add a line: what was used, what was not to be had and why */
void live_used(struct live_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void live_missed(struct live_log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** live_open_file - open a file of the running host, below the root for tests. Return: as open() */
int live_open_file(const char *path);
/** live_read_file - its first bytes, as a string too. Return: how many (at most size - 1), or -1 and errno */
ssize_t live_read_file(const char *path, void *buffer, size_t size);
/** live_list - names in a directory, in order. Return: how many, with *@names for the caller to free, or -1 */
int live_list(const char *path, struct dirent ***names);
/** live_reason - why such a file could not be opened or read */
const char *live_reason(int error);

/** live_open_memory - /proc/kcore, else /dev/mem. Return: the source, or NULL with lines in @log */
struct source *live_open_memory(const struct source_options *options, struct live_log *log);

/** live_find_kho - fill source->hints with where KHO is, as far as the kernel says */
void live_find_kho(struct source *source, struct live_log *log);

/** live_find_symbol - the KHO FDT for the next kernel, by the kernel's symbols */
bool live_find_symbol(struct source *source, struct live_log *log, u64 *phys);

#endif /* LIVE_H */
