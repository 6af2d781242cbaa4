/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files that appear under their name only when they are complete and on disk.
 */
#ifndef WHOLE_FILE_H
#define WHOLE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct whole_file - a file on its way, one at a time; WHOLE_FILE_NONE before
 * @fd: to write to, or -1
 * @directory: open, to be synced
 * @target: what the file will be called
 * @temporary: what it is called now
 */
struct whole_file {
	int fd;
	int directory;
	char *target;
	char *temporary;
};

#define WHOLE_FILE_NONE                   \
	{                                 \
		.fd = -1, .directory = -1 \
	}

/**
 * whole_file_open - start a file beside @path, readable by its owner only
 * @message: on failure, why
 *
 * An existing @path is replaced only by whole_file_finish(), and only if it is a regular file. A link stays one, also
 * when there is no file yet where it leads.
 *
 * Return: 0, or -1; whole_file_close() it in any case.
 */
int whole_file_open(struct whole_file *file, const char *path, char *message, size_t size);
/**
 * whole_file_replaces - would a file at @path take the place of one that is to be read?
 * @input: its path; "-" is stdin
 */
bool whole_file_replaces(const char *path, const char *input);
/** whole_file_write - all of it. Return: 0, or -1 and @message */
int whole_file_write(const struct whole_file *file, const void *bytes, size_t length, char *message,
		     size_t size);
/**
 * whole_file_finish - sync and rename
 *
 * Return: 0, or -1 and @message; then an earlier file is untouched, except when only the directory could not be
 * synced, which @message says.
 */
int whole_file_finish(struct whole_file *file, char *message, size_t size);
/** whole_file_close - remove what was not finished, and free everything */
void whole_file_close(struct whole_file *file);
/** whole_file_on_signals - signals that end the tool remove what was not finished; signals that are ignored stay so */
void whole_file_on_signals(void);
/** whole_file_remove_pending - remove the file on its way, if any; a signal handler may call it */
void whole_file_remove_pending(void);

#endif /* WHOLE_FILE_H */
