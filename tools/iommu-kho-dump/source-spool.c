// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Images that can only be read once, from front to end: stdin, files of
 * debugfs. And the temporary files that they become.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ikho-format.h"
#include "source-private.h"

#define BUFFER_SIZE 65536
/* Portable images are some kilobytes; one with a TiB in pages of 4 KiB, some 100 MiB. */
#define MAX_SPOOL (4ULL << 30)

static int open_temporary(const char *directory)
{
	char name[4096];
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	if (snprintf(name, sizeof(name), "%s/iommu-kho-dump-XXXXXX", directory) >=
	    (int)sizeof(name))
		return -1;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

int source_temporary(const char **directory)
{
	const char *const places[] = { getenv("TMPDIR"), "/var/tmp", "/tmp" };
	int fd;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!places[i] || !*places[i])
			continue;
		*directory = places[i];
		fd = open_temporary(places[i]);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* As read(), but waits, even when somebody made the file one that does not. */
static ssize_t read_waiting(int fd, u8 *buffer, size_t length)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	ssize_t got = -1;

	while (got < 0) {
		got = read(fd, buffer, length);
		if (got < 0 && errno == EAGAIN)
			poll(&wait, 1, -1);
		else if (got < 0 && errno != EINTR)
			return -1;
	}
	return got;
}

/* Fill the buffer, unless the file ends before. Return: bytes, or -1 after source_refuse(). */
static ssize_t fill_buffer(struct source *source, int in, u8 *buffer)
{
	size_t filled = 0;
	ssize_t got = 1;

	while (got && filled < BUFFER_SIZE) {
		got = read_waiting(in, buffer + filled, BUFFER_SIZE - filled);
		if (got < 0)
			return source_refuse(source, "cannot read: %s", strerror(errno));
		filled += (size_t)got;
	}
	return (ssize_t)filled;
}

static int write_out(struct source *source, int out, const u8 *bytes, size_t length)
{
	while (length) {
		ssize_t done = write(out, bytes, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return source_refuse(
				source,
				"cannot keep it in a temporary file (TMPDIR names a place): %s",
				done ? strerror(errno) : "nothing written");
		bytes += done;
		length -= (size_t)done;
	}
	return 0;
}

static int copy_through(struct source *source, int in, int out, u8 *buffer, u64 *copied)
{
	ssize_t got = fill_buffer(source, in, buffer);

	if (got == 0)
		return source_refuse(source, "nothing came: it is empty");
	if (got > 0 &&
	    ((size_t)got < IKHO_MAGIC_SIZE || memcmp(buffer, IKHO_MAGIC, IKHO_MAGIC_SIZE)))
		return source_refuse(source, "only a portable image can be read from a pipe: "
					     "write this to a file, and give its name");
	while (got > 0) {
		if (*copied + (size_t)got > MAX_SPOOL)
			return source_refuse(
				source,
				"more than %llu bytes: write it to a file, and give its name",
				MAX_SPOOL);
		if (write_out(source, out, buffer, (size_t)got))
			return -1;
		*copied += (size_t)got;
		got = fill_buffer(source, in, buffer);
	}
	return got < 0 ? -1 : 0;
}

int source_spool(struct source *source, int in)
{
	const char *directory;
	u8 *buffer = malloc(BUFFER_SIZE);
	u64 copied = 0;
	int out, ret;

	if (!buffer)
		return source_refuse(source, "out of memory");
	out = source_temporary(&directory);
	if (out < 0)
		out = memfd_create("iommu-kho-dump", MFD_CLOEXEC);
	if (out < 0)
		ret = source_refuse(source, "cannot create a temporary file: %s", strerror(errno));
	else
		ret = copy_through(source, in, out, buffer, &copied);
	free(buffer);
	if (ret) {
		if (out >= 0)
			close(out);
		return -1;
	}
	if (source->fd >= 0)
		close(source->fd);
	source->fd = out;
	source->file_size = copied;
	return 0;
}

int source_open_stdin(struct source *source)
{
	static bool used;
	struct stat st;

	if (used)
		return source_refuse(source, "stdin was read already");
	used = true;
	if (fstat(STDIN_FILENO, &st))
		return source_refuse(source, "cannot look at stdin: %s", strerror(errno));
	if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
		return source_spool(source, STDIN_FILENO);
	source->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (source->fd < 0)
		return source_refuse(source, "cannot read stdin: %s", strerror(errno));
	return source_find_size(source);
}
