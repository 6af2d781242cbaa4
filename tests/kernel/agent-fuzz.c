// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Commands of the agent that have the kernel restore from made-up handovers. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FUZZ_FILE "/sys/kernel/debug/iommu/liveupdate/fuzz"
/* An input begins with its magic and its length, four bytes each. */
#define INPUT_LENGTH_AT 4
#define INPUT_HEADER 8

struct sample {
	unsigned char *bytes;
	size_t length;
};

static int open_sample(const char *path, struct sample *sample)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		err = -errno;
	if (!err) {
		sample->length = (size_t)status.st_size;
		sample->bytes = mmap(NULL, sample->length, PROT_READ, MAP_PRIVATE, fd, 0);
		if (sample->bytes == MAP_FAILED)
			err = -errno;
	}
	close(fd);
	return err;
}

/* The input at an offset; NULL when there is none. */
static const unsigned char *input_at(const struct sample *sample, size_t at, size_t *length)
{
	uint32_t size;

	if (at >= sample->length || sample->length - at < INPUT_HEADER)
		return NULL;
	memcpy(&size, sample->bytes + at + INPUT_LENGTH_AT, sizeof(size));
	*length = size;
	return size >= INPUT_HEADER && size <= sample->length - at ? sample->bytes + at : NULL;
}

/* What the kernel says of the input before, on one line: newlines become semicolons. */
static int reply_text(struct call *call, int fd)
{
	char text[4096], *at;
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

	if (got < 0)
		return -errno;
	text[got] = 0;
	for (at = text; *at; at++)
		if (*at == '\n')
			*at = ';';
	reply(call, "%s|", text);
	return 0;
}

static int feed(struct call *call, const unsigned char *input, size_t length)
{
	int fd = open(FUZZ_FILE, O_RDWR | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	if (write(fd, input, length) == (ssize_t)length)
		err = reply_text(call, fd);
	else
		err = -errno;
	close(fd);
	return err;
}

/* fuzz SAMPLE FIRST COUNT: texts, each with a "|" behind it; fewer at the sample's end */
static int run_fuzz(struct call *call)
{
	struct sample sample = { NULL, 0 };
	uint64_t first, count, i;
	size_t at = 0, length;
	int err = number_at(call, 1, &first);

	if (!err)
		err = number_at(call, 2, &count);
	if (!err)
		err = open_sample(call->words[0], &sample);
	if (err)
		return err;
	reply(call, " ");
	for (i = 0; !err && i < first + count && input_at(&sample, at, &length); i++) {
		if (i >= first)
			err = feed(call, sample.bytes + at, length);
		at += length;
	}
	munmap(sample.bytes, sample.length);
	return err;
}

/* clang-format off */
const struct command fuzz_commands[] = {
	{ "fuzz", 3, run_fuzz },
	{ 0 },
};
/* clang-format on */
