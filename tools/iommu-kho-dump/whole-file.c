// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Files that appear under their name only when they are complete: a temporary
 * file beside the target, synced and renamed at the end.
 */
#define _GNU_SOURCE
#include "whole-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As many as Linux follows. */
#define MAX_LINKS 40

/* For a signal handler: set before the file exists, cleared after it is gone. */
static char pending[PATH_MAX];
static volatile sig_atomic_t has_pending;

void whole_file_remove_pending(void)
{
	if (has_pending)
		unlink(pending);
}

static void die_of_signal(int number)
{
	whole_file_remove_pending();
	/* SA_RESETHAND is set: this one has its usual effect. */
	raise(number);
}

void whole_file_on_signals(void)
{
	static const int numbers[] = { SIGINT,	SIGTERM, SIGHUP,  SIGQUIT, SIGPIPE,
				       SIGXCPU, SIGXFSZ, SIGALRM, SIGUSR1, SIGUSR2,
				       SIGBUS,	SIGSEGV, SIGABRT, SIGFPE,  SIGILL };
	struct sigaction action = { .sa_handler = die_of_signal, .sa_flags = (int)SA_RESETHAND };
	struct sigaction before;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!sigaction(numbers[i], NULL, &before) && before.sa_handler == SIG_DFL)
			sigaction(numbers[i], &action, NULL);
}

static int __attribute__((format(printf, 3, 4)))
refuse(char *message, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, size, format, arguments);
	va_end(arguments);
	return -1;
}

bool whole_file_replaces(const char *path, const char *input)
{
	struct stat output, read;
	int failed = strcmp(input, "-") ? stat(input, &read) : fstat(STDIN_FILENO, &read);

	return !failed && !stat(path, &output) && read.st_dev == output.st_dev &&
	       read.st_ino == output.st_ino;
}

/* Where a link leads, by one step, in new memory; NULL and errno EINVAL for what is none. */
static char *step(const char *path)
{
	const char *slash = strrchr(path, '/');
	int directory = slash ? (int)(slash - path) + 1 : 0;
	char link[PATH_MAX], *next;
	ssize_t length = readlink(path, link, sizeof(link));

	if (length < 0)
		return NULL;
	if (length && link[0] == '/')
		directory = 0;
	return asprintf(&next, "%.*s%.*s", directory, path, (int)length, link) < 0 ? NULL : next;
}

/* The name at the end of links, of a file that need not be there. NULL and errno on failure. */
static char *follow(const char *path)
{
	char *at = strdup(path), *next = at;
	int steps;

	for (steps = 0; at && steps < MAX_LINKS; steps++) {
		next = step(at);
		if (!next && (errno == EINVAL || errno == ENOENT))
			return at;
		free(at);
		at = next;
	}
	free(at);
	if (next)
		errno = ELOOP;
	return NULL;
}

/* A link is followed, so that it stays one. */
static int find_target(struct whole_file *file, const char *path, char *message, size_t size)
{
	struct stat st;

	if (!stat(path, &st)) {
		if (!S_ISREG(st.st_mode))
			return refuse(message, size, "exists and is not a regular file");
		file->target = realpath(path, NULL);
	} else if (errno == ENOENT) {
		file->target = follow(path);
	}
	if (!file->target)
		return refuse(message, size, "cannot use this name: %s", strerror(errno));
	return 0;
}

static int open_directory(struct whole_file *file, char *message, size_t size)
{
	const char *slash = strrchr(file->target, '/');
	char *name = slash ? strndup(file->target, (size_t)(slash - file->target) + 1) :
			     strdup(".");

	if (!name)
		return refuse(message, size, "out of memory");
	file->directory = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(name);
	if (file->directory < 0)
		return refuse(message, size, "cannot open its directory: %s", strerror(errno));
	return 0;
}

static int open_temporary(struct whole_file *file, char *message, size_t size)
{
	sigset_t all, before;
	int error;

	if (asprintf(&file->temporary, "%s.XXXXXX", file->target) < 0) {
		file->temporary = NULL;
		return refuse(message, size, "out of memory");
	}
	if (strlen(file->temporary) >= sizeof(pending))
		return refuse(message, size, "the name is too long");
	/* No signal may come between the file and the note of its name. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	file->fd = mkostemp(file->temporary, O_CLOEXEC);
	error = errno;
	if (file->fd >= 0) {
		memcpy(pending, file->temporary, strlen(file->temporary) + 1);
		has_pending = 1;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (file->fd < 0)
		return refuse(message, size, "cannot create a file beside it: %s", strerror(error));
	return 0;
}

int whole_file_open(struct whole_file *file, const char *path, char *message, size_t size)
{
	*file = (struct whole_file)WHOLE_FILE_NONE;
	if (find_target(file, path, message, size) || open_directory(file, message, size))
		return -1;
	return open_temporary(file, message, size);
}

int whole_file_write(const struct whole_file *file, const void *bytes, size_t length, char *message,
		     size_t size)
{
	const char *at = bytes;

	while (length) {
		ssize_t done = write(file->fd, at, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return refuse(message, size, "cannot write: %s",
				      done ? strerror(errno) : "nothing written");
		at += done;
		length -= (size_t)done;
	}
	return 0;
}

int whole_file_finish(struct whole_file *file, char *message, size_t size)
{
	int fd = file->fd;

	if (fsync(fd))
		return refuse(message, size, "cannot write to disk: %s", strerror(errno));
	if (rename(file->temporary, file->target))
		return refuse(message, size, "cannot rename: %s", strerror(errno));
	has_pending = 0;
	file->fd = -1;
	close(fd);
	/* Some file systems cannot sync a directory: then there is nothing to be done. */
	if (fsync(file->directory) && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
		return refuse(message, size, "complete, but its directory could not be synced: %s",
			      strerror(errno));
	return 0;
}

void whole_file_close(struct whole_file *file)
{
	if (file->fd >= 0) {
		unlink(file->temporary);
		has_pending = 0;
		close(file->fd);
	}
	if (file->directory >= 0)
		close(file->directory);
	free(file->target);
	free(file->temporary);
	*file = (struct whole_file)WHOLE_FILE_NONE;
}
