// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Opening an image, and everything the formats have in common: the cache, the
 * ranges, the recorder and the library's view.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>
#include <zlib.h>

#include "live.h"
#include "source-private.h"

/* In the order in which they are tried; the last one takes everything. */
static const struct source_ops *const formats[] = {
	&source_ikho_ops, &source_elf_ops,    &source_kdump_ops,
	&source_lime_ops, &source_packed_ops, &source_other_ops,
};

/* One line, whatever went into it. */
static void print_line(char *line, size_t size, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

static void print_line(char *line, size_t size, const char *format, va_list arguments)
{
	vsnprintf(line, size, format, arguments);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
}

void source_note(struct source *source, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line(source->error, sizeof(source->error), format, arguments);
	va_end(arguments);
}

int source_lose(struct source *source, const char *format, ...)
{
	u32 i = source->nr_losses < SOURCE_MAX_LOSSES ? source->nr_losses : SOURCE_MAX_LOSSES;
	char *line = source->force ? source->losses[i] : source->error;
	va_list arguments;

	va_start(arguments, format);
	print_line(line, sizeof(source->error), format, arguments);
	va_end(arguments);
	source->damaged = true;
	if (!source->force)
		return -1;
	source->nr_losses++;
	if (source->nr_losses > SOURCE_MAX_LOSSES)
		snprintf(source->losses[SOURCE_MAX_LOSSES], sizeof(source->losses[0]),
			 "and %u more places like these", source->nr_losses - SOURCE_MAX_LOSSES);
	return 0;
}

const char *source_loss(const struct source *source, u32 i)
{
	return i < source->nr_losses && i <= SOURCE_MAX_LOSSES ? source->losses[i] : NULL;
}

ssize_t source_pread(int fd, void *buffer, size_t length, u64 offset)
{
	size_t done = 0;

	if (offset > INT64_MAX - length)
		return 0;
	while (done < length) {
		ssize_t got =
			pread(fd, (char *)buffer + done, length - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

int source_file_read(struct source *source, void *buffer, size_t length, u64 offset,
		     const char *what)
{
	ssize_t got = source_pread(source->fd, buffer, length, offset);

	if (got < 0)
		return source_refuse(source, "cannot read the %s at offset %llu: %s", what,
				     (unsigned long long)offset, strerror(errno));
	if ((size_t)got < length)
		return source_refuse(source,
				     "truncated: the file ends at offset %llu, inside the %s",
				     (unsigned long long)(offset + (size_t)got), what);
	return 0;
}

size_t source_find_extent(const struct source *source, u64 offset)
{
	size_t low = 0, high = source->nr_extents;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (source->extents[middle].end <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool source_file_covers(const struct source *source, u64 offset, u64 length)
{
	size_t i;

	if (offset > source->file_size || length > source->file_size - offset)
		return false;
	if (!source->flattened || !length)
		return true;
	i = source_find_extent(source, offset);
	return i < source->nr_extents && source->extents[i].start <= offset &&
	       length <= source->extents[i].end - offset;
}

int source_add_range(struct source *source, size_t *allocated, u64 start, u64 end, u64 offset)
{
	struct source_range *ranges = source->ranges;

	if (source->nr_ranges == *allocated) {
		size_t more = *allocated ? *allocated * 2 : 64;

		ranges = reallocarray(ranges, more, sizeof(*ranges));
		if (!ranges)
			return source_refuse(source, "out of memory for %zu memory ranges", more);
		source->ranges = ranges;
		*allocated = more;
	}
	ranges[source->nr_ranges].start = start;
	ranges[source->nr_ranges].end = end;
	ranges[source->nr_ranges].offset = offset;
	source->nr_ranges++;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct source_range *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Ranges in order, of which each is kept that shares nothing with the ones before and behind it. */
static void drop_doubtful(struct source *source)
{
	struct source_range *ranges = source->ranges;
	u64 done = 0, reaches;
	size_t kept = 0;

	for (size_t i = 0; i < source->nr_ranges; i++) {
		struct source_range range = ranges[i];

		reaches = done > range.end ? done : range.end;
		if (range.start >= done &&
		    (i + 1 == source->nr_ranges || ranges[i + 1].start >= range.end))
			ranges[kept++] = range;
		done = reaches;
	}
	source->nr_ranges = kept;
}

int source_sort_ranges(struct source *source)
{
	struct source_range *ranges = source->ranges;
	bool twice = false;
	u64 end;

	if (!source->nr_ranges)
		return 0;
	qsort(ranges, source->nr_ranges, sizeof(*ranges), by_start);
	end = ranges[0].end;
	for (size_t i = 1; i < source->nr_ranges; i++) {
		if (ranges[i].start < end &&
		    source_lose(source, "damaged: memory at 0x%llx is there twice",
				(unsigned long long)ranges[i].start))
			return -1;
		twice |= ranges[i].start < end;
		if (ranges[i].end > end)
			end = ranges[i].end;
	}
	if (twice)
		drop_doubtful(source);
	return 0;
}

size_t source_find_range(struct source *source, u64 phys)
{
	size_t low = 0, high = source->nr_ranges;

	if (source->last_range < high && phys >= source->ranges[source->last_range].start &&
	    phys < source->ranges[source->last_range].end)
		return source->last_range;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (source->ranges[middle].end <= phys)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < source->nr_ranges)
		source->last_range = low;
	return low;
}

/* What a kernel refuses to give of its memory is missing, not damaged. */
static bool is_refusal(const struct source *source, int error)
{
	return source->file_size == UINT64_MAX &&
	       (error == EPERM || error == EACCES || error == EFAULT);
}

static enum source_status read_file_memory(struct source *source, u64 phys, void *buffer,
					   size_t length, u64 offset)
{
	ssize_t got;

	got = source_pread(source->fd, buffer, length, offset);
	if (got < 0 && is_refusal(source, errno))
		return SOURCE_MISSING;
	if (got < 0)
		return source_fail(source, "cannot read memory at 0x%llx, file offset %llu: %s",
				   (unsigned long long)phys, (unsigned long long)offset,
				   strerror(errno));
	if ((size_t)got < length)
		return source_fail(source, "the file ends at offset %llu, inside memory at 0x%llx",
				   (unsigned long long)(offset + (size_t)got),
				   (unsigned long long)phys);
	return SOURCE_OK;
}

enum source_status source_read_ranges(struct source *source, u64 phys, void *buffer, size_t length)
{
	u8 *to = buffer;

	while (length) {
		size_t i = source_find_range(source, phys);
		const struct source_range *range;
		enum source_status status;
		size_t part = length;

		if (i == source->nr_ranges || source->ranges[i].start > phys)
			return SOURCE_MISSING;
		range = &source->ranges[i];
		if (part > range->end - phys)
			part = (size_t)(range->end - phys);
		status = read_file_memory(source, phys, to, part,
					  range->offset + (phys - range->start));
		if (status != SOURCE_OK)
			return status;
		to += part;
		phys += part;
		length -= part;
	}
	return SOURCE_OK;
}

static const char *wrong_kind(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a pipe";
	case S_IFCHR:
		return "a character device";
	case S_IFSOCK:
		return "a socket";
	default:
		return NULL;
	}
}

/* Files of sysfs and debugfs do not say how large they are; what they give may be there only once. */
static bool is_pseudo_file(int fd, const struct stat *st)
{
	struct statfs fs;

	return S_ISREG(st->st_mode) && !st->st_size && !fstatfs(fd, &fs) &&
	       (fs.f_type == DEBUGFS_MAGIC || fs.f_type == SYSFS_MAGIC);
}

int source_find_size(struct source *source)
{
	const char *kind;
	struct statfs fs;
	struct stat st;
	off_t end;

	if (fstat(source->fd, &st))
		return source_refuse(source, "cannot look at the file: %s", strerror(errno));
	kind = wrong_kind(st.st_mode);
	if (kind)
		return source_refuse(source, "is %s, not a memory image", kind);
	if (!fstatfs(source->fd, &fs) && fs.f_type == PROC_SUPER_MAGIC) {
		source->file_size = UINT64_MAX;
		return 0;
	}
	source->file_size = (u64)st.st_size;
	if (S_ISBLK(st.st_mode)) {
		end = lseek(source->fd, 0, SEEK_END);
		if (end < 0)
			return source_refuse(source, "cannot find the size of the device: %s",
					     strerror(errno));
		source->file_size = (u64)end;
	}
	if (is_pseudo_file(source->fd, &st))
		return source_spool(source, source->fd);
	if (!source->file_size)
		return source_refuse(source, "the file is empty");
	return 0;
}

/* A pipe without a writer must not block the open, nor a terminal become ours. */
int source_open_file(struct source *source, const char *path)
{
	source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (source->fd < 0)
		return source_refuse(source, "cannot open: %s", strerror(errno));
	return source_find_size(source);
}

static int read_head(struct source *source, u8 *head, size_t *length)
{
	ssize_t got = source_pread(source->fd, head, SOURCE_HEAD_SIZE, 0);

	if (got < 0)
		return source_refuse(source, "cannot read: %s", strerror(errno));
	if (!got)
		return source_refuse(source, "the file is empty");
	*length = (size_t)got;
	return 0;
}

static const struct source_ops *detect(const u8 *head, size_t length, bool wrapped)
{
	size_t i = 0;

	while ((wrapped && !formats[i]->wrapped) || !formats[i]->probe(head, length))
		i++;
	return formats[i];
}

static bool is_raw(const struct source_options *options)
{
	return options->flat || options->nr_pieces || options->qemu_machine;
}

static int open_format(struct source *source, const struct source_options *options)
{
	u8 head[SOURCE_HEAD_SIZE];
	size_t length = 0;

	if (is_raw(options)) {
		if (source->file_size == UINT64_MAX)
			return source_refuse(source, "is not a file of raw memory");
		source->ops = options->flat ? &source_flat_ops : &source_pieces_ops;
		snprintf(source->format, sizeof(source->format), "raw memory");
		return source->ops->open(source, options);
	}
	if (read_head(source, head, &length))
		return -1;
	if (flattened_probe(head, length)) {
		if (flattened_rearrange(source) || read_head(source, head, &length))
			return -1;
	}
	source->ops = detect(head, length, source->flattened);
	return source->ops->open(source, options);
}

int source_begin(struct source *source, const struct source_options *options)
{
	size_t used;

	if (open_format(source, options))
		return -1;
	if (page_cache_init(&source->cache, source->page_shift))
		return source_refuse(source, "out of memory for the page cache");
	used = strlen(source->format);
	if (source->flattened)
		snprintf(source->format + used, sizeof(source->format) - used, ", flattened");
	source->error[0] = '\0';
	return 0;
}

static int open_source(struct source *source, const char *path,
		       const struct source_options *options)
{
	if (options->page_shift && options->page_shift != 12 && options->page_shift != 14 &&
	    options->page_shift != 16)
		return source_refuse(source, "pages of 2^%u bytes are not supported",
				     options->page_shift);
	if (strcmp(path, "-") ? source_open_file(source, path) : source_open_stdin(source))
		return -1;
	return source_begin(source, options);
}

struct source *source_new(const struct source_options *options, char *message, size_t message_size)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source) {
		snprintf(message, message_size, "out of memory");
		return NULL;
	}
	source->fd = -1;
	source->force = options->force;
	/* What was lost has to be known before anything is shown. */
	source->lazy = options->lazy && !options->force;
	source->page_shift = options->page_shift;
	return source;
}

struct source *source_open(const char *path, const struct source_options *options, char *message,
			   size_t message_size)
{
	struct source *source;
	struct live_log log;

	if (!strcmp(path, SOURCE_LIVE))
		return live_open(options, &log, message, message_size);
	source = source_new(options, message, message_size);
	if (!source || !open_source(source, path, options))
		return source;
	snprintf(message, message_size, "%s%s", source->error,
		 source->damaged && !source->force ? " (--force shows what it still holds)" : "");
	source_close(source);
	return NULL;
}

void source_close(struct source *source)
{
	if (!source)
		return;
	if (source->ops && source->ops->close)
		source->ops->close(source);
	page_cache_free(&source->cache);
	free(source->ranges);
	free(source->extents);
	if (source->fd >= 0)
		close(source->fd);
	free(source);
}

const char *source_broken(const struct source *source)
{
	return source->broken[0] ? source->broken : NULL;
}

const char *source_format(const struct source *source)
{
	return source->format;
}

u32 source_page_shift(const struct source *source)
{
	return source->page_shift;
}

u32 source_machine(const struct source *source)
{
	return source->machine;
}

const struct source_hints *source_hints(const struct source *source)
{
	return source->has_hints ? &source->hints : NULL;
}

static bool valid_span(u64 phys, u64 length)
{
	return phys < SOURCE_PHYS_END && length <= SOURCE_PHYS_END - phys;
}

static void record_pages(struct source *source, u64 phys, u64 length)
{
	u64 size = 1ULL << source->page_shift;
	u64 page = phys & ~(size - 1);

	if (!source->record || source->record_paused || !length)
		return;
	for (; page < phys + length; page += size)
		source->record(source->record_ctx, page);
}

/* Make a range within one page valid in its slot, by whole units where the image has them whole. */
static enum source_status fill(struct source *source, struct page_slot *slot, u64 phys, u64 length)
{
	u32 first = (u32)(phys - slot->page) >> PAGE_CACHE_UNIT_SHIFT;
	u32 last = (u32)(phys + length - 1 - slot->page) >> PAGE_CACHE_UNIT_SHIFT;
	u32 mask = (2U << last) - (1U << first);
	u64 start = slot->page + ((u64)first << PAGE_CACHE_UNIT_SHIFT);
	size_t bytes = (size_t)(last - first + 1) << PAGE_CACHE_UNIT_SHIFT;
	enum source_status status;

	if ((slot->valid & mask) == mask)
		return SOURCE_OK;
	status = source->ops->read(source, start, slot->data + (start - slot->page), bytes);
	if (status == SOURCE_OK) {
		slot->valid |= (u16)mask;
		source->bytes_read += bytes;
		return SOURCE_OK;
	}
	if (start == phys && bytes == length)
		return status;
	status = source->ops->read(source, phys, slot->data + (phys - slot->page), (size_t)length);
	if (status == SOURCE_OK)
		source->bytes_read += length;
	return status;
}

/* Bytes that are there and cannot be read are not like bytes that the image lacks. */
static enum source_status settle(struct source *source, enum source_status status)
{
	source->status = status;
	if (status == SOURCE_FAILED && !source->broken[0])
		snprintf(source->broken, sizeof(source->broken), "%s", source->error);
	return status;
}

static const u8 *through_cache(struct source *source, u64 phys, u64 length, bool hold)
{
	u64 page = phys >> source->page_shift << source->page_shift;
	struct page_slot *slot = page_cache_take(&source->cache, page);

	if (settle(source, fill(source, slot, phys, length)) != SOURCE_OK) {
		page_cache_drop(&source->cache, slot);
		return NULL;
	}
	if (hold)
		page_cache_hold(&source->cache, slot);
	return slot->data + (phys - page);
}

const void *source_map(struct source *source, u64 phys, u64 length)
{
	u64 size = 1ULL << source->page_shift;
	const void *bytes;

	page_cache_tick(&source->cache);
	source->status = SOURCE_MISSING;
	if (!length || !valid_span(phys, length) || length > size - (phys & (size - 1)))
		return NULL;
	bytes = through_cache(source, phys, length, true);
	if (bytes)
		record_pages(source, phys, length);
	return bytes;
}

/* Small pieces of a page come again; long runs would only push everything else out of the cache. */
static enum source_status read_small(struct source *source, u64 phys, u8 *to, size_t length)
{
	u64 size = 1ULL << source->page_shift;

	while (length) {
		u64 left = size - (phys & (size - 1));
		size_t part = length < left ? length : (size_t)left;
		const u8 *from = through_cache(source, phys, part, false);

		if (!from)
			return source->status;
		memcpy(to, from, part);
		to += part;
		phys += part;
		length -= part;
	}
	return SOURCE_OK;
}

enum source_status source_read(struct source *source, u64 phys, void *buffer, size_t length)
{
	source->status = SOURCE_OK;
	if (!length)
		return SOURCE_OK;
	if (!valid_span(phys, length)) {
		source->status = SOURCE_MISSING;
	} else if (length < PAGE_CACHE_UNIT) {
		source->status = read_small(source, phys, buffer, length);
	} else {
		settle(source, source->ops->read(source, phys, buffer, length));
		if (source->status == SOURCE_OK)
			source->bytes_read += length;
	}
	if (source->status == SOURCE_OK)
		record_pages(source, phys, length);
	return source->status;
}

enum source_status source_last_status(const struct source *source)
{
	return source->status;
}

const char *source_error(const struct source *source)
{
	return source->error;
}

/*
 * The next part of a range, from *@low on, for which the file holds data. Holes of
 * a sparse file read as zero, and there is nothing to find in them.
 * Return: false when only a hole is left; else @high is the end of the data, at
 * most that of the range.
 */
static bool next_data(const struct source *source, const struct source_range *range, u64 *low,
		      u64 *high)
{
	u64 size = 1ULL << source->page_shift;
	u64 shift = range->start - range->offset;
	off_t data, hole;

	*high = range->end;
	/* Is the offset one of a file, and one that knows of holes? */
	if (source->ops->read != source_read_ranges || source->file_size == UINT64_MAX)
		return true;
	data = lseek(source->fd, (off_t)(*low - shift), SEEK_DATA);
	/* Not a hole, but behind the end of a file that was longer: reading will tell. */
	if (data < 0)
		return errno != ENXIO || lseek(source->fd, (off_t)(*low - shift), SEEK_HOLE) < 0;
	hole = lseek(source->fd, data, SEEK_HOLE);
	if ((u64)data + shift >= range->end)
		return false;
	/* The page with the first data, but no page that begins before the range. */
	if ((((u64)data + shift) & ~(size - 1)) > *low)
		*low = ((u64)data + shift) & ~(size - 1);
	if (hole > data && (((u64)hole + shift + size - 1) & ~(size - 1)) < range->end)
		*high = ((u64)hole + shift + size - 1) & ~(size - 1);
	return true;
}

/* Ranges that touch are one; of that, whole pages of the image. */
bool source_next_range(struct source *source, u64 from, u64 *start, u64 *end)
{
	u64 size = 1ULL << source->page_shift;
	size_t i;

	if (from >= SOURCE_PHYS_END)
		return false;
	from = (from + size - 1) & ~(size - 1);
	if (source->ops->next_range)
		return source->ops->next_range(source, from, start, end);
	i = source_find_range(source, from);
	while (i < source->nr_ranges) {
		u64 low = source->ranges[i].start > from ? source->ranges[i].start : from;
		u64 high;

		if (!next_data(source, &source->ranges[i++], &low, &high))
			continue;
		while (i < source->nr_ranges && source->ranges[i].start == high)
			high = source->ranges[i++].end;
		low = (low + size - 1) & ~(size - 1);
		high &= ~(size - 1);
		if (low < high) {
			*start = low;
			*end = high;
			return true;
		}
	}
	return false;
}

u64 source_memory_size(const struct source *source)
{
	u64 bytes = 0;
	size_t i;

	if (source->has_hints || source->ops->next_range)
		return 0;
	for (i = 0; i < source->nr_ranges; i++)
		bytes += source->ranges[i].end - source->ranges[i].start;
	return bytes;
}

bool source_next_preserved(struct source *source, u64 *cursor, u64 *phys, u64 *length)
{
	bool more = source->has_preserved &&
		    source->ops->next_preserved(source, cursor, phys, length);

	if (source->has_preserved)
		settle(source, source->status);
	return more;
}

bool source_has_preserved(const struct source *source)
{
	return source->has_preserved;
}

u64 source_nr_states(const struct source *source, u32 kind)
{
	return kind <= IOMMUSER_KIND_DEVICE ? source->nr_states[kind] : 0;
}

bool source_states_lost(const struct source *source)
{
	return source->states_lost;
}

enum source_status source_state(struct source *source, u32 kind, u64 position, u32 *state)
{
	if (position >= source_nr_states(source, kind))
		return SOURCE_FAILED;
	return settle(source, source->ops->state(source, kind, position, state));
}

void source_set_recorder(struct source *source, void (*record)(void *ctx, u64 page), void *ctx)
{
	source->record = record;
	source->record_ctx = ctx;
}

void source_pause_recorder(struct source *source, bool pause)
{
	source->record_paused = pause;
}

u64 source_bytes_read(const struct source *source)
{
	return source->bytes_read;
}

static const void *env_map(void *ctx, u64 phys, u64 length)
{
	return source_map(ctx, phys, length);
}

static u32 env_crc32(void *ctx, u32 crc, const void *data, u64 length)
{
	(void)ctx;
	return length ? (u32)crc32_z(crc, data, (z_size_t)length) : crc;
}

struct iommuser_env source_env(struct source *source)
{
	struct iommuser_env env = {
		.ctx = source,
		.page_shift = source->page_shift,
		.map = env_map,
		.crc32 = env_crc32,
	};

	return env;
}
