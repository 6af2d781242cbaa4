// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Memory of the running host: /proc/kcore, else /dev/mem.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live.h"
#include "source-private.h"

#define KCORE "/proc/kcore"
#define DEVMEM "/dev/mem"
#define IOMEM "/proc/iomem"
#define SYSTEM_RAM " : System RAM"
/* Below it, a kernel that gives out no RAM gives zeros instead of an error. */
#define FIRST_MEGABYTE (1ULL << 20)

static struct source *start(const struct source_options *options, const char *path, int fd,
			    struct live_log *log)
{
	char message[64] = "";
	struct source *source = source_new(options, message, sizeof(message));
	long page = sysconf(_SC_PAGESIZE);

	if (!source) {
		close(fd);
		live_missed(log, "%s: %s", path, message);
		return NULL;
	}
	source->fd = fd;
	if (!source->page_shift && page > 0)
		source->page_shift = (u32)__builtin_ctzl((unsigned long)page);
	return source;
}

static struct source *try_kcore(const struct source_options *options, struct live_log *log)
{
	int fd = live_open_file(KCORE);
	struct source *source;

	if (fd < 0) {
		live_missed(log, "%s: %s", KCORE, live_reason(errno));
		return NULL;
	}
	source = start(options, KCORE, fd, log);
	if (!source)
		return NULL;
	if (!source_find_size(source) && !source_begin(source, options)) {
		snprintf(source->format, sizeof(source->format), "running host, %s", KCORE);
		live_used(log, "%s: memory, read while the host runs", KCORE);
		return source;
	}
	live_missed(log, "%s: %s", KCORE, source->error);
	source_close(source);
	return NULL;
}

/* What the kernel refuses to give is missing, not damaged. */
static enum source_status devmem_read(struct source *source, u64 phys, void *buffer, size_t length)
{
	u8 *to = buffer;

	while (length) {
		size_t i = source_find_range(source, phys), part = length;
		ssize_t got;

		if (i == source->nr_ranges || source->ranges[i].start > phys)
			return SOURCE_MISSING;
		if (part > source->ranges[i].end - phys)
			part = (size_t)(source->ranges[i].end - phys);
		got = source_pread(source->fd, to, part, phys);
		if (got < 0 && errno != EPERM && errno != EACCES && errno != EFAULT)
			return source_fail(source, "cannot read memory at 0x%llx: %s",
					   (unsigned long long)phys, strerror(errno));
		if (got < 0 || (size_t)got < part)
			return SOURCE_MISSING;
		to += part;
		phys += part;
		length -= part;
	}
	return SOURCE_OK;
}

static const struct source_ops devmem_ops = {
	.read = devmem_read,
};

/* "START-END : System RAM", END inclusive; the lines of parts are indented. */
static bool is_ram(const char *line, u64 *first, u64 *last)
{
	char *end;

	if (line[0] == ' ')
		return false;
	*first = strtoull(line, &end, 16);
	if (*end != '-')
		return false;
	*last = strtoull(end + 1, &end, 16);
	return !strncmp(end, SYSTEM_RAM, strlen(SYSTEM_RAM)) && *first < *last &&
	       *last < SOURCE_PHYS_END;
}

static int read_iomem(struct source *source)
{
	int fd = live_open_file(IOMEM);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	size_t allocated = 0;
	u64 first, last;
	char line[256];
	int ret = 0;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return source_refuse(source, "%s: %s", IOMEM, live_reason(errno));
	}
	while (!ret && fgets(line, sizeof(line), file)) {
		if (!is_ram(line, &first, &last) || last < FIRST_MEGABYTE)
			continue;
		if (first < FIRST_MEGABYTE)
			first = FIRST_MEGABYTE;
		ret = source_add_range(source, &allocated, first, last + 1, 0);
	}
	fclose(file);
	if (!ret && !source->nr_ranges)
		ret = source_refuse(source, "%s tells no addresses of RAM: this takes root", IOMEM);
	return ret;
}

/* Does the kernel give out RAM at all? */
static int probe_ram(struct source *source)
{
	u8 byte;

	if (source_pread(source->fd, &byte, 1, source->ranges[0].start) == 1)
		return 0;
	if (errno != EPERM && errno != EACCES)
		return source_refuse(source, "cannot read RAM: %s", strerror(errno));
	return source_refuse(source,
			     "the kernel gives out no RAM (CONFIG_STRICT_DEVMEM, or lockdown)");
}

static struct source *try_devmem(const struct source_options *options, struct live_log *log)
{
	int fd = live_open_file(DEVMEM);
	struct source *source;

	if (fd < 0) {
		live_missed(log, "%s: %s", DEVMEM, live_reason(errno));
		return NULL;
	}
	source = start(options, DEVMEM, fd, log);
	if (!source)
		return NULL;
	source->file_size = UINT64_MAX;
	source->ops = &devmem_ops;
	snprintf(source->format, sizeof(source->format), "running host, %s", DEVMEM);
	if (!read_iomem(source) && !source_sort_ranges(source) && !probe_ram(source) &&
	    !page_cache_init(&source->cache, source->page_shift)) {
		live_used(log, "%s: memory, read while the host runs", DEVMEM);
		return source;
	}
	live_missed(log, "%s: %s", DEVMEM, source->error);
	source_close(source);
	return NULL;
}

struct source *live_open_memory(const struct source_options *options, struct live_log *log)
{
	struct source *source = try_kcore(options, log);

	return source ? source : try_devmem(options, log);
}
