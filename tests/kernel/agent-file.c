// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Commands of the agent for files of any kind: sysfs, procfs, debugfs, device nodes. */
#include "agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

int write_file(const char *path, const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, bytes, length) != (ssize_t)length)
		err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

#define JOBS 8

struct job {
	char name[AGENT_NAME_MAX];
	char path[PATH_MAX];
	char text[256];
	atomic_int result; /* BUSY, then what write_file() returned */
};

#define BUSY 1

static struct job jobs[JOBS];

static void *run_job(void *argument)
{
	struct job *job = argument;

	atomic_store(&job->result, write_file(job->path, job->text, strlen(job->text)));
	return NULL;
}

/* background NAME PATH -- TEXT: write to a file, which may take long, and answer at once */
static int run_background(struct call *call)
{
	struct job *job = jobs;
	pthread_t thread;
	int err;

	while (job < jobs + JOBS && job->name[0])
		job++;
	if (!call->rest || job == jobs + JOBS || strlen(call->rest) >= sizeof(job->text) ||
	    strlen(call->words[0]) >= sizeof(job->name) ||
	    strlen(call->words[1]) >= sizeof(job->path))
		return refuse(call, EBADMSG, "nothing to write, too much of it, or too many jobs");
	strcpy(job->name, call->words[0]);
	strcpy(job->path, call->words[1]);
	strcpy(job->text, call->rest);
	atomic_store(&job->result, BUSY);
	err = pthread_create(&thread, NULL, run_job, job);
	if (err) {
		job->name[0] = 0;
		return -err;
	}
	pthread_detach(thread);
	return 0;
}

/* background-state NAME: "busy", "done" or the name of its error */
static int run_background_state(struct call *call)
{
	struct job *job = jobs;
	int result;

	while (job < jobs + JOBS && strcmp(job->name, call->words[0]) != 0)
		job++;
	if (job == jobs + JOBS)
		return refuse(call, EBADMSG, "no job of that name");
	result = atomic_load(&job->result);
	if (result == BUSY)
		reply(call, " busy");
	else
		reply(call, " %s", result ? strerrorname_np(-result) : "done");
	return 0;
}

static int run_ping(struct call *call)
{
	struct utsname name;

	uname(&name);
	reply(call, " %s", name.release);
	return 0;
}

/* read PATH [off=N] [len=N] */
static int run_read(struct call *call)
{
	uint64_t offset, limit, used = 0;
	unsigned char *buffer;
	int fd, err;

	err = number_option(call, "off", 0, &offset);
	if (!err)
		err = number_option(call, "len", 1U << 20, &limit);
	if (err)
		return err;
	if (limit > AGENT_REPLY_MAX / 2 - 64)
		return refuse(call, EBADMSG, "len is too large");
	fd = open(call->words[0], O_RDONLY);
	if (fd < 0)
		return -errno;
	buffer = malloc(limit + 1);
	if (buffer && offset && lseek(fd, (off_t)offset, SEEK_SET) < 0)
		err = -errno;
	while (buffer && !err && used < limit) {
		ssize_t got = read(fd, buffer + used, limit - used);

		if (got < 0)
			err = -errno;
		if (got <= 0)
			break;
		used += (uint64_t)got;
	}
	if (buffer && !err)
		reply_hex(call, buffer, used);
	free(buffer);
	close(fd);
	return buffer ? err : -ENOMEM;
}

/* write PATH -- TEXT */
static int run_write(struct call *call)
{
	if (!call->rest)
		return refuse(call, EBADMSG, "nothing to write");
	return write_file(call->words[0], call->rest, strlen(call->rest));
}

/* write-hex PATH HEX */
static int run_write_hex(struct call *call)
{
	unsigned char *bytes;
	size_t length;
	int err = parse_hex(call, call->words[1], &bytes, &length);

	if (err)
		return err;
	err = write_file(call->words[0], bytes, length);
	free(bytes);
	return err;
}

/* ls PATH */
static int run_ls(struct call *call)
{
	struct dirent *entry;
	DIR *dir = opendir(call->words[0]);

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			reply(call, " %s", entry->d_name);
	closedir(dir);
	return 0;
}

/* readlink PATH */
static int run_readlink(struct call *call)
{
	char target[PATH_MAX];
	ssize_t length = readlink(call->words[0], target, sizeof(target) - 1);

	if (length < 0)
		return -errno;
	target[length] = 0;
	reply(call, " %s", target);
	return 0;
}

/* exists PATH: 1 or 0 */
static int run_exists(struct call *call)
{
	reply(call, " %d", access(call->words[0], F_OK) == 0);
	return 0;
}

/* open NAME PATH */
static int run_open(struct call *call)
{
	int fd = open(call->words[1], O_RDWR | O_CLOEXEC);

	if (fd < 0 && (errno == EACCES || errno == EPERM))
		fd = open(call->words[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return new_object(call, call->words[0], fd, NULL);
}

/* dup NAME OLD: a second descriptor of the same file */
static int run_dup(struct call *call)
{
	struct object *old;
	int fd, err = object_at(call, 1, &old);

	if (err)
		return err;
	fd = fcntl(old->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	return new_object(call, call->words[0], fd, NULL);
}

/* close NAME */
static int run_close(struct call *call)
{
	struct object *object;
	int err = object_at(call, 0, &object);

	if (!err)
		free_object(object);
	return err;
}

/* sleep MILLISECONDS */
static int run_sleep(struct call *call)
{
	struct timespec time;
	uint64_t ms;
	int err = number_at(call, 0, &ms);

	if (err)
		return err;
	time.tv_sec = (time_t)(ms / 1000);
	time.tv_nsec = (long)(ms % 1000) * 1000000;
	return nanosleep(&time, NULL) < 0 ? -errno : 0;
}

/* sync: also a system call that the host can put a breakpoint on */
static int run_sync(struct call *call)
{
	(void)call;
	sync();
	return 0;
}

/* log -- TEXT: into the kernel's log */
static int run_log(struct call *call)
{
	if (!call->rest)
		return refuse(call, EBADMSG, "nothing to log");
	return write_file("/dev/kmsg", call->rest, strlen(call->rest));
}

/* clang-format off */
const struct command file_commands[] = {
	{ "ping", 0, run_ping },
	{ "read", 1, run_read },
	{ "write", 1, run_write },
	{ "write-hex", 2, run_write_hex },
	{ "background", 2, run_background },
	{ "background-state", 1, run_background_state },
	{ "ls", 1, run_ls },
	{ "readlink", 1, run_readlink },
	{ "exists", 1, run_exists },
	{ "open", 2, run_open },
	{ "dup", 2, run_dup },
	{ "close", 1, run_close },
	{ "sleep", 1, run_sleep },
	{ "sync", 0, run_sync },
	{ "log", 0, run_log },
	{ 0 },
};
/* clang-format on */
