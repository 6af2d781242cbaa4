// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Flattened dumps: a stream of {offset, size, bytes} records, as makedumpfile
 * and QEMU write them to a pipe. They are put in order in a temporary file
 * without a name, which libraries can then read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source-private.h"

#define SIGNATURE "makedumpfile\0\0\0"
#define SIGNATURE_SIZE 16
#define STREAM_HEADER_SIZE 4096
#define STREAM_TYPE 1
#define STREAM_VERSION 1
#define END_MARK UINT64_MAX
#define BUFFER_SIZE (1U << 20)
/* A dump has a handful: headers, bitmap, descriptors, data. */
#define MAX_EXTENTS 16384

struct stream {
	struct source *source;
	int out;
	const char *directory;
	u64 position;
	u64 buffer_start;
	size_t buffered;
	u8 *buffer;
	struct file_extent *extents;
	size_t nr_extents;
	size_t allocated;
};

static_assert(sizeof(SIGNATURE) == SIGNATURE_SIZE, "signature with its zeros");

bool flattened_probe(const u8 *head, size_t length)
{
	return length >= SIGNATURE_SIZE && !memcmp(head, SIGNATURE, SIGNATURE_SIZE);
}

static u64 big_endian(const u8 *bytes)
{
	u64 value = 0;

	for (size_t i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* At least one byte at the position, and how many there are; NULL after source_refuse(). */
static const u8 *peek(struct stream *stream, size_t *available)
{
	u64 end = stream->buffer_start + stream->buffered;
	ssize_t got;

	if (stream->position >= stream->buffer_start && stream->position < end) {
		*available = (size_t)(end - stream->position);
		return stream->buffer + (stream->position - stream->buffer_start);
	}
	got = source_pread(stream->source->fd, stream->buffer, BUFFER_SIZE, stream->position);
	if (got < 0) {
		source_note(stream->source, "cannot read at offset %llu: %s",
			    (unsigned long long)stream->position, strerror(errno));
		return NULL;
	}
	/* Even by force nothing is left: all that can be had without the rest was asked for. */
	if (!got) {
		stream->source->damaged = true;
		source_note(
			stream->source,
			"truncated: the flattened stream ends at offset %llu, without an end record",
			(unsigned long long)stream->position);
		return NULL;
	}
	stream->buffer_start = stream->position;
	stream->buffered = (size_t)got;
	*available = (size_t)got;
	return stream->buffer;
}

static int read_bytes(struct stream *stream, u8 *to, size_t length)
{
	while (length) {
		size_t available;
		const u8 *from = peek(stream, &available);

		if (!from)
			return -1;
		if (available > length)
			available = length;
		memcpy(to, from, available);
		to += available;
		length -= available;
		stream->position += available;
	}
	return 0;
}

static int write_bytes(struct stream *stream, const u8 *from, size_t length, u64 offset)
{
	while (length) {
		ssize_t done = pwrite(stream->out, from, length, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return source_refuse(
				stream->source,
				"cannot put the flattened dump in order in a temporary file in %s "
				"(TMPDIR names another place): %s",
				stream->directory, done ? strerror(errno) : "nothing written");
		from += done;
		offset += (u64)done;
		length -= (size_t)done;
	}
	return 0;
}

static int copy_bytes(struct stream *stream, u64 offset, u64 length)
{
	while (length) {
		size_t available;
		const u8 *from = peek(stream, &available);

		if (!from)
			return -1;
		if (available > length)
			available = (size_t)length;
		if (write_bytes(stream, from, available, offset))
			return -1;
		offset += available;
		length -= available;
		stream->position += available;
	}
	return 0;
}

/* First extent that ends at or after @offset. */
static size_t find_extent(const struct stream *stream, u64 offset)
{
	size_t low = 0, high = stream->nr_extents;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (stream->extents[middle].end < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int insert_extent(struct stream *stream, size_t at, u64 start, u64 end)
{
	struct file_extent *extents = stream->extents;

	if (stream->nr_extents == MAX_EXTENTS)
		return source_refuse(stream->source,
				     "the flattened stream has more than %u separate parts",
				     MAX_EXTENTS);
	if (stream->nr_extents == stream->allocated) {
		size_t more = stream->allocated ? stream->allocated * 2 : 64;

		extents = reallocarray(extents, more, sizeof(*extents));
		if (!extents)
			return source_refuse(stream->source, "out of memory");
		stream->extents = extents;
		stream->allocated = more;
	}
	memmove(&extents[at + 1], &extents[at], (stream->nr_extents - at) * sizeof(*extents));
	extents[at].start = start;
	extents[at].end = end;
	stream->nr_extents++;
	return 0;
}

static int note_extent(struct stream *stream, u64 start, u64 end)
{
	struct file_extent *extents = stream->extents;
	size_t at = find_extent(stream, start);
	size_t next = at;

	if (at == stream->nr_extents || extents[at].start > end)
		return insert_extent(stream, at, start, end);
	while (next < stream->nr_extents && extents[next].start <= end) {
		if (extents[next].end > end)
			end = extents[next].end;
		next++;
	}
	if (extents[at].start > start)
		extents[at].start = start;
	extents[at].end = end;
	memmove(&extents[at + 1], &extents[next], (stream->nr_extents - next) * sizeof(*extents));
	stream->nr_extents -= next - at - 1;
	return 0;
}

/* Return: 1 for a record that was copied, 0 for the end record, -1 after source_refuse(). */
static int copy_record(struct stream *stream)
{
	u64 at = stream->position;
	u64 offset, length;
	u8 header[16];

	if (stream->source->force && stream->source->file_size - at < sizeof(header))
		return source_lose(
			stream->source,
			"truncated: the flattened stream ends at offset %llu, without an end record",
			(unsigned long long)stream->source->file_size);
	if (read_bytes(stream, header, sizeof(header)))
		return -1;
	offset = big_endian(header);
	length = big_endian(header + 8);
	if (offset == END_MARK && length == END_MARK)
		return 0;
	if (offset > INT64_MAX || !length || length > INT64_MAX - offset)
		return source_lose(
			stream->source,
			"damaged: the record at offset %llu of the flattened stream is for "
			"%lld bytes at %lld",
			(unsigned long long)at, (long long)length, (long long)offset);
	if (length > stream->source->file_size - stream->position) {
		if (source_lose(stream->source,
				"truncated: the record at offset %llu of the flattened stream has "
				"%llu bytes, the file ends at %llu",
				(unsigned long long)at, (unsigned long long)length,
				(unsigned long long)stream->source->file_size))
			return -1;
		length = stream->source->file_size - stream->position;
		if (!length)
			return 0;
	}
	if (note_extent(stream, offset, offset + length) || copy_bytes(stream, offset, length))
		return -1;
	return 1;
}

static int copy_stream(struct stream *stream)
{
	u8 header[STREAM_HEADER_SIZE];
	int ret;

	if (read_bytes(stream, header, sizeof(header)))
		return -1;
	if (big_endian(header + 16) != STREAM_TYPE || big_endian(header + 24) != STREAM_VERSION)
		return source_refuse(stream->source,
				     "a flattened stream of unknown type %llu, version %llu",
				     (unsigned long long)big_endian(header + 16),
				     (unsigned long long)big_endian(header + 24));
	do
		ret = copy_record(stream);
	while (ret > 0);
	if (!ret && !stream->nr_extents)
		ret = source_refuse(stream->source, "the flattened stream is empty");
	return ret;
}

static int find_temporary(struct stream *stream)
{
	stream->out = source_temporary(&stream->directory);
	if (stream->out >= 0)
		return 0;
	return source_refuse(
		stream->source,
		"cannot create a temporary file to put the flattened dump in order: %s",
		strerror(errno));
}

int flattened_rearrange(struct source *source)
{
	struct stream stream = { .source = source, .out = -1 };
	int ret;

	stream.buffer = malloc(BUFFER_SIZE);
	if (!stream.buffer)
		return source_refuse(source, "out of memory");
	ret = find_temporary(&stream);
	if (!ret)
		ret = copy_stream(&stream);
	free(stream.buffer);
	if (ret) {
		free(stream.extents);
		if (stream.out >= 0)
			close(stream.out);
		return -1;
	}
	close(source->fd);
	source->fd = stream.out;
	source->file_size = stream.extents[stream.nr_extents - 1].end;
	source->extents = stream.extents;
	source->nr_extents = stream.nr_extents;
	source->flattened = true;
	return 0;
}
