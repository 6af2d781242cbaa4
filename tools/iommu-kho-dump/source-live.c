// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The running host: which way leads to its handover, and what was in the way of
 * the others.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live.h"
#include "source-private.h"

#define DEBUGFS "/sys/kernel/debug"
#define STREAMS DEBUGFS "/iommu/liveupdate"
#define LOCKDOWN "/sys/kernel/security/lockdown"
/* How often a stream is read again that changed meanwhile. */
#define MAX_ATTEMPTS 3

static void add_line(struct live_log *log, bool used, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

static void add_line(struct live_log *log, bool used, const char *format, va_list arguments)
{
	struct live_line *line = &log->lines[log->nr];

	if (log->nr == LIVE_MAX_LINES)
		return;
	log->nr++;
	line->used = used;
	vsnprintf(line->text, sizeof(line->text), format, arguments);
}

void live_used(struct live_log *log, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_line(log, true, format, arguments);
	va_end(arguments);
}

void live_missed(struct live_log *log, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_line(log, false, format, arguments);
	va_end(arguments);
}

/* Return: false when the name is too long. */
static bool below_root(const char *path, char *buffer, size_t size)
{
	const char *root = secure_getenv(LIVE_ROOT_VARIABLE);

	if (snprintf(buffer, size, "%s%s", root ? root : "", path) < (int)size)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

int live_open_file(const char *path)
{
	char name[4096];

	if (!below_root(path, name, sizeof(name)))
		return -1;
	return open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

ssize_t live_read_file(const char *path, void *buffer, size_t size)
{
	int fd = live_open_file(path), error;
	size_t done = 0;
	ssize_t got = 1;

	if (fd < 0)
		return -1;
	while (got > 0 && done < size - 1) {
		got = read(fd, (char *)buffer + done, size - 1 - done);
		if (got > 0)
			done += (size_t)got;
	}
	error = errno;
	close(fd);
	errno = error;
	((char *)buffer)[done] = '\0';
	return got < 0 ? -1 : (ssize_t)done;
}

static int no_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int live_list(const char *path, struct dirent ***names)
{
	char name[4096];

	if (!below_root(path, name, sizeof(name)))
		return -1;
	return scandir(name, names, no_dots, versionsort);
}

static void free_list(struct dirent **names, int nr)
{
	for (int i = 0; i < nr; i++)
		free(names[i]);
	free(names);
}

/* "none [integrity] confidentiality": the one in brackets holds. */
static bool locked_down(const char **mode)
{
	char text[128];

	if (live_read_file(LOCKDOWN, text, sizeof(text)) < 0)
		return false;
	*mode = strstr(text, "[confidentiality]") ? "confidentiality" :
		strstr(text, "[integrity]")	  ? "integrity" :
						    NULL;
	return *mode;
}

const char *live_reason(int error)
{
	static char reason[128];
	const char *mode;

	if (error == ENOENT || error == ENOTDIR)
		return "there is no such file";
	if (error == ENODATA)
		return "nothing is preserved";
	if (error != EACCES && error != EPERM)
		return strerror(error);
	if (!locked_down(&mode))
		return geteuid() ? "permission denied: this takes root" :
				   "permission denied, even to root (in a container?)";
	snprintf(reason, sizeof(reason), "%skernel lockdown (%s) forbids it",
		 geteuid() ? "permission denied: this takes root, and " : "", mode);
	return reason;
}

/* Why is there nothing of the glue's in debugfs? */
static const char *no_streams(void)
{
	struct dirent **names = NULL;
	int nr = live_list(DEBUGFS, &names);

	free_list(names, nr);
	if (nr < 0)
		return live_reason(errno);
	if (!nr)
		return "debugfs is not mounted (mount -t debugfs debugfs " DEBUGFS ")";
	return "this kernel hands over no IOMMU state, or has no debugfs for it";
}

static struct source *open_stream(const struct source_options *options, const char *which, int fd,
				  struct live_log *log)
{
	char message[64] = "";
	struct source *source = source_new(options, message, sizeof(message));

	if (!source) {
		close(fd);
		live_missed(log, "%s/%s: %s", STREAMS, which, message);
		return NULL;
	}
	source->fd = fd;
	if (!source_find_size(source) && !source_begin(source, options)) {
		snprintf(source->format, sizeof(source->format),
			 "running host, debugfs liveupdate/%s", which);
		return source;
	}
	live_missed(log, "%s/%s: %s", STREAMS, which, source->error);
	source_close(source);
	return NULL;
}

/* A stream is cut short when the handover changes while it is read. */
static struct source *try_stream(const struct source_options *options, const char *which,
				 struct live_log *log)
{
	struct source *source = NULL;
	char path[64];
	u32 lines = log->nr;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", STREAMS, which);
	for (int attempt = 0; !source && attempt < MAX_ATTEMPTS; attempt++) {
		log->nr = lines;
		fd = live_open_file(path);
		if (fd < 0) {
			live_missed(log, "%s: %s", path,
				    errno == ENOENT ? no_streams() : live_reason(errno));
			return NULL;
		}
		source = open_stream(options, which, fd, log);
	}
	if (!source)
		return NULL;
	live_used(log, "%s: the IOMMU state %s, as the kernel gives it itself", path,
		  strcmp(which, "outgoing") ? "that this kernel was given" :
					      "for the next kernel, as it is now");
	live_missed(log, "KHO's memory map and LUO's sessions: not in the kernel's own stream%s",
		    strcmp(which, "outgoing") ? "" :
						"; LUO writes its sessions in the reboot call");
	return source;
}

/* A line for each way that led nowhere, then what comes of it. */
static void summarize(const struct live_log *log, char *message, size_t size)
{
	size_t used = 0;

	for (u32 i = 0; i < log->nr && used < size; i++)
		if (!log->lines[i].used)
			used += (size_t)snprintf(message + used, size - used, "%s\n",
						 log->lines[i].text);
	if (used < size)
		snprintf(message + used, size - used, "nothing of the running host can be read");
}

/* No file of the glue's is there at all: the same is not to be said of each. */
static bool no_stream_at_all(void)
{
	struct dirent **names = NULL;
	int nr = live_list(STREAMS, &names);
	bool absent = nr < 0 && errno == ENOENT;

	free_list(names, nr);
	return absent;
}

static struct source *try_streams(const struct source_options *options, struct live_log *log)
{
	struct source *source;

	if (no_stream_at_all()) {
		live_missed(log, "%s: %s", STREAMS, no_streams());
		return NULL;
	}
	source = try_stream(options, "outgoing", log);
	return source ? source : try_stream(options, "incoming", log);
}

struct source *live_open(const struct source_options *options, struct live_log *log, char *message,
			 size_t message_size)
{
	struct source *source = NULL;

	log->nr = 0;
	if (options->flat || options->nr_pieces || options->qemu_machine) {
		snprintf(
			message, message_size,
			"is the running host, not a file of raw memory (a file of that name is ./%s)",
			SOURCE_LIVE);
		return NULL;
	}
	if (!options->memory)
		source = try_streams(options, log);
	if (source)
		return source;
	source = live_open_memory(options, log);
	if (source)
		live_find_kho(source, log);
	else
		summarize(log, message, message_size);
	return source;
}
