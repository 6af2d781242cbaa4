// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Commands of the agent for memory: memfds, anonymous memory, their contents and addresses. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define GUEST_SEALS (F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

static uint64_t pattern_word(uint64_t seed, uint64_t index)
{
	return (index + 1) * 0x9e3779b97f4a7c15ULL + seed * 0xd1342543de82ef95ULL;
}

/* memfd NAME SIZE [sealed=0|1] [huge=0|1]: sealed as a guest's memory is (grow, shrink, seal) */
static int run_memfd(struct call *call)
{
	uint64_t size, sealed, huge;
	struct object *object;
	int fd, err;

	if ((err = number_at(call, 1, &size)) ||
	    (err = number_option(call, "sealed", 1, &sealed)) ||
	    (err = number_option(call, "huge", 0, &huge)))
		return err;
	fd = memfd_create(call->words[0],
			  MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB : 0));
	if (fd < 0)
		return -errno;
	err = new_object(call, call->words[0], fd, &object);
	if (err)
		return err;
	if (ftruncate(fd, (off_t)size) < 0)
		err = -errno;
	if (!err)
		err = map_object(object, size, 0);
	if (!err && sealed && fcntl(fd, F_ADD_SEALS, GUEST_SEALS) < 0)
		err = -errno;
	if (err)
		free_object(object);
	return err;
}

/* anon NAME SIZE */
static int run_anon(struct call *call)
{
	struct object *object;
	uint64_t size;
	void *map;
	int err = number_at(call, 1, &size);

	if (err)
		return err;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	err = new_object(call, call->words[0], -1, &object);
	if (err) {
		munmap(map, size);
		return err;
	}
	object->map = map;
	object->size = size;
	return 0;
}

/* mmap NAME [SIZE] [off=N]: map an object that has a descriptor, by default all of the file */
static int run_mmap(struct call *call)
{
	struct object *object;
	uint64_t size, offset;
	struct stat st;
	int err = object_at(call, 0, &object);

	if (err)
		return err;
	if (fstat(object->fd, &st) < 0)
		return -errno;
	size = (uint64_t)st.st_size;
	if ((call->count > 1 && (err = number_at(call, 1, &size))) ||
	    (err = number_option(call, "off", 0, &offset)))
		return err;
	if (object->map)
		return refuse(call, EBADMSG, "already mapped");
	return map_object(object, size, (int64_t)offset);
}

/* size NAME: of the file */
static int run_size(struct call *call)
{
	struct object *object;
	struct stat st;
	int err = object_at(call, 0, &object);

	if (err)
		return err;
	if (fstat(object->fd, &st) < 0)
		return -errno;
	reply(call, " %lld", (long long)st.st_size);
	return 0;
}

/* truncate NAME SIZE */
static int run_truncate(struct call *call)
{
	struct object *object;
	uint64_t size;
	int err;

	if ((err = object_at(call, 0, &object)) || (err = number_at(call, 1, &size)))
		return err;
	return ftruncate(object->fd, (off_t)size) < 0 ? -errno : 0;
}

/* seals NAME [ADD]: add seals, print all */
static int run_seals(struct call *call)
{
	struct object *object;
	uint64_t add;
	int seals, err = object_at(call, 0, &object);

	if (err)
		return err;
	if (call->count > 1) {
		err = number_at(call, 1, &add);
		if (err)
			return err;
		if (fcntl(object->fd, F_ADD_SEALS, (int)add) < 0)
			return -errno;
	}
	seals = fcntl(object->fd, F_GET_SEALS);
	if (seals < 0)
		return -errno;
	reply(call, " 0x%x", (unsigned int)seals);
	return 0;
}

static int get_range(struct call *call, struct object *object, uint64_t *offset, uint64_t *length)
{
	int err = number_option(call, "off", 0, offset);

	if (!err)
		err = number_option(call, "len", object->size - *offset, length);
	if (err)
		return err;
	if (*offset > object->size || *length > object->size - *offset || (*offset | *length) % 8)
		return refuse(call, EBADMSG, "range outside the object, or not a multiple of 8");
	return 0;
}

/* fill NAME SEED [off=N] [len=N]: word i of the object gets a value made of SEED and i */
static int run_fill(struct call *call)
{
	uint64_t seed, offset, length, i;
	struct object *object;
	uint64_t *word;
	int err;

	if ((err = mapped_object_at(call, 0, &object)) || (err = number_at(call, 1, &seed)) ||
	    (err = get_range(call, object, &offset, &length)))
		return err;
	word = object->map;
	for (i = offset / 8; i < (offset + length) / 8; i++)
		word[i] = pattern_word(seed, i);
	return 0;
}

/*
 * check NAME SEED [off=N] [len=N] [from=N]: number of words that differ from what fill put there;
 * with from=, from what fill put at that offset (after a copy from there to off)
 */
static int run_check(struct call *call)
{
	uint64_t seed, offset, length, from, i, different = 0;
	struct object *object;
	const uint64_t *word;
	int err;

	if ((err = mapped_object_at(call, 0, &object)) || (err = number_at(call, 1, &seed)) ||
	    (err = get_range(call, object, &offset, &length)) ||
	    (err = number_option(call, "from", offset, &from)))
		return err;
	word = object->map;
	for (i = 0; i < length / 8; i++)
		different += word[offset / 8 + i] != pattern_word(seed, from / 8 + i);
	reply(call, " %llu", (unsigned long long)different);
	return 0;
}

static int inside(struct call *call, struct object *object, uint64_t offset, uint64_t length)
{
	if (offset > object->size || length > object->size - offset)
		return refuse(call, EBADMSG, "range outside the object");
	return 0;
}

/* peek NAME OFFSET LENGTH */
static int run_peek(struct call *call)
{
	struct object *object;
	uint64_t offset, length;
	int err;

	if ((err = mapped_object_at(call, 0, &object)) || (err = number_at(call, 1, &offset)) ||
	    (err = number_at(call, 2, &length)) || (err = inside(call, object, offset, length)))
		return err;
	reply_hex(call, (const char *)object->map + offset, length);
	return 0;
}

/* poke NAME OFFSET HEX */
static int run_poke(struct call *call)
{
	struct object *object;
	unsigned char *bytes;
	uint64_t offset;
	size_t length;
	int err;

	if ((err = mapped_object_at(call, 0, &object)) || (err = number_at(call, 1, &offset)) ||
	    (err = parse_hex(call, call->words[2], &bytes, &length)))
		return err;
	err = inside(call, object, offset, length);
	if (!err)
		memcpy((char *)object->map + offset, bytes, length);
	free(bytes);
	return err;
}

/* pages NAME OFFSET COUNT: physical addresses of pages that are in memory, 0 for others */
static int run_pages(struct call *call)
{
	struct object *object;
	uint64_t offset, count, i, entry;
	int fd, err;

	if ((err = mapped_object_at(call, 0, &object)) || (err = number_at(call, 1, &offset)) ||
	    (err = number_at(call, 2, &count)) ||
	    (err = inside(call, object, offset, count * 4096)))
		return err;
	fd = open("/proc/self/pagemap", O_RDONLY);
	if (fd < 0)
		return -errno;
	for (i = 0; i < count && !err; i++) {
		uint64_t at = (uint64_t)(uintptr_t)object->map + offset + i * 4096;

		if (pread(fd, &entry, sizeof(entry), (off_t)(at / 4096 * 8)) != sizeof(entry))
			err = -EIO;
		else
			reply(call, " 0x%llx",
			      (unsigned long long)(entry >> 63 ? (entry << 9 >> 9) * 4096 : 0));
	}
	close(fd);
	return err;
}

static int copy_file(int from, int to, uint64_t *size)
{
	char buffer[65536];
	ssize_t got;

	while ((got = read(from, buffer, sizeof(buffer))) > 0) {
		if (write(to, buffer, (size_t)got) != got)
			return -EIO;
		*size += (uint64_t)got;
	}
	return got < 0 ? -errno : 0;
}

/* load NAME PATH: a file's contents as memory; their length. The host reads it there, which is quicker */
static int run_load(struct call *call)
{
	struct object *object;
	uint64_t size = 0;
	int from, fd, err;

	from = open(call->words[1], O_RDONLY);
	if (from < 0)
		return -errno;
	fd = memfd_create(call->words[0], MFD_CLOEXEC);
	err = fd < 0 ? -errno : copy_file(from, fd, &size);
	close(from);
	if (fd < 0)
		return err;
	if (!err)
		err = new_object(call, call->words[0], fd, &object);
	else
		close(fd);
	if (err)
		return err;
	if (size)
		err = map_object(object, (size + 4095) & ~4095ULL, 0);
	if (err)
		free_object(object);
	else
		reply(call, " %llu", (unsigned long long)size);
	return err;
}

/* punch NAME OFFSET LENGTH: make a hole in a memfd */
static int run_punch(struct call *call)
{
	struct object *object;
	uint64_t offset, length;
	int err;

	if ((err = object_at(call, 0, &object)) || (err = number_at(call, 1, &offset)) ||
	    (err = number_at(call, 2, &length)))
		return err;
	return fallocate(object->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			 (off_t)length) < 0 ?
		       -errno :
		       0;
}

/* mmio-read NAME OFFSET WIDTH: of a mapped BAR, WIDTH 1, 2, 4 or 8 bytes */
static int run_mmio_read(struct call *call)
{
	struct object *object;
	uint64_t offset, width, value;
	volatile char *at;
	int err;

	if ((err = mapped_object_at(call, 0, &object)) || (err = number_at(call, 1, &offset)) ||
	    (err = number_at(call, 2, &width)) || (err = inside(call, object, offset, width)))
		return err;
	at = (volatile char *)object->map + offset;
	switch (width) {
	case 1:
		value = *(volatile uint8_t *)at;
		break;
	case 2:
		value = *(volatile uint16_t *)at;
		break;
	case 4:
		value = *(volatile uint32_t *)at;
		break;
	case 8:
		value = *(volatile uint64_t *)at;
		break;
	default:
		return refuse(call, EBADMSG, "no such width");
	}
	reply(call, " 0x%llx", (unsigned long long)value);
	return 0;
}

/* mmio-write NAME OFFSET WIDTH VALUE */
static int run_mmio_write(struct call *call)
{
	struct object *object;
	uint64_t offset, width, value;
	volatile char *at;
	int err;

	if ((err = mapped_object_at(call, 0, &object)) || (err = number_at(call, 1, &offset)) ||
	    (err = number_at(call, 2, &width)) || (err = number_at(call, 3, &value)) ||
	    (err = inside(call, object, offset, width)))
		return err;
	at = (volatile char *)object->map + offset;
	switch (width) {
	case 1:
		*(volatile uint8_t *)at = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)at = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)at = (uint32_t)value;
		break;
	case 8:
		*(volatile uint64_t *)at = value;
		break;
	default:
		return refuse(call, EBADMSG, "no such width");
	}
	return 0;
}

/* clang-format off */
const struct command memory_commands[] = {
	{ "memfd", 2, run_memfd },
	{ "anon", 2, run_anon },
	{ "mmap", 1, run_mmap },
	{ "size", 1, run_size },
	{ "truncate", 2, run_truncate },
	{ "seals", 1, run_seals },
	{ "fill", 2, run_fill },
	{ "check", 2, run_check },
	{ "peek", 3, run_peek },
	{ "poke", 3, run_poke },
	{ "pages", 3, run_pages },
	{ "load", 2, run_load },
	{ "punch", 3, run_punch },
	{ "mmio-read", 3, run_mmio_read },
	{ "mmio-write", 4, run_mmio_write },
	{ 0 },
};
/* clang-format on */
