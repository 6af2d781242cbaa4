// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Small image files for the tests of the sources, built byte by byte.
 */
#include <dirent.h>
#include <elf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "image-files.h"

static char directory[PATH_MAX];

static void die(const char *what)
{
	perror(what);
	exit(99);
}

void blob_put(struct blob *blob, size_t offset, const void *bytes, size_t length)
{
	if (offset + length > blob->size) {
		blob->data = realloc(blob->data, offset + length);
		if (!blob->data)
			die("realloc");
		memset(blob->data + blob->size, 0, offset + length - blob->size);
		blob->size = offset + length;
	}
	if (length)
		memcpy(blob->data + offset, bytes, length);
}

void blob_append(struct blob *blob, const void *bytes, size_t length)
{
	blob_put(blob, blob->size, bytes, length);
}

void blob_put_le(struct blob *blob, size_t offset, u64 value, size_t width)
{
	u8 bytes[8];

	for (size_t i = 0; i < width; i++)
		bytes[i] = (u8)(value >> (8 * i));
	blob_put(blob, offset, bytes, width);
}

static void blob_append_be64(struct blob *blob, u64 value)
{
	u8 bytes[8];

	for (size_t i = 0; i < 8; i++)
		bytes[i] = (u8)(value >> (56 - 8 * i));
	blob_append(blob, bytes, sizeof(bytes));
}

u64 blob_get_le(const struct blob *blob, size_t offset, size_t width)
{
	u64 value = 0;

	for (size_t i = 0; i < width; i++)
		value |= (u64)blob->data[offset + i] << (8 * i);
	return value;
}

struct blob blob_copy(const struct blob *blob)
{
	struct blob copy = { 0 };

	blob_append(&copy, blob->data, blob->size);
	return copy;
}

void blob_free(struct blob *blob)
{
	free(blob->data);
	blob->data = NULL;
	blob->size = 0;
}

/* A file that is emptied and written anew, some file systems bring to the disk at once. */
void blob_save(const struct blob *blob, const char *path, size_t size)
{
	unlink(path);
	blob_save_over(blob, path, size);
}

void blob_save_over(const struct blob *blob, const char *path, size_t size)
{
	FILE *file = fopen(path, "wb");

	if (!file || (size && fwrite(blob->data, 1, size, file) != size) || fclose(file))
		die(path);
}

struct blob blob_load(const char *path)
{
	struct blob blob = { 0 };
	u8 buffer[4096];
	size_t got;
	FILE *file = fopen(path, "rb");

	if (!file)
		die(path);
	while ((got = fread(buffer, 1, sizeof(buffer), file)) > 0)
		blob_append(&blob, buffer, got);
	if (ferror(file))
		die(path);
	fclose(file);
	return blob;
}

void fill_page(u8 *page, size_t size, u64 number)
{
	u64 state = number * 0x9e3779b97f4a7c15ULL + 1;

	for (size_t i = 0; i < size; i++) {
		if (i % 64 == 0)
			state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		page[i] = (u8)(state >> 56) | 1;
	}
	for (size_t i = 0; i < 8 && i < size; i++)
		page[i] = (u8)(number >> (8 * i)) ^ 0xa5;
}

static void fill_memory(u8 *bytes, u64 phys, u64 length)
{
	u8 page[4096];

	while (length) {
		u64 in_page = phys & 4095;
		u64 part = 4096 - in_page < length ? 4096 - in_page : length;

		fill_page(page, sizeof(page), phys >> 12);
		memcpy(bytes, page + in_page, part);
		bytes += part;
		phys += part;
		length -= part;
	}
}

struct blob build_elf(u32 machine, const struct elf_segment *segments, size_t nr,
		      bool extended_count)
{
	struct blob blob = { 0 };
	Elf64_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = (Elf64_Half)machine,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = extended_count ? PN_XNUM : (Elf64_Half)nr,
		.e_shentsize = sizeof(Elf64_Shdr),
	};
	Elf64_Shdr section = { .sh_info = (Elf64_Word)nr };
	u64 offset = sizeof(header) + nr * sizeof(Elf64_Phdr);

	if (extended_count) {
		header.e_shoff = offset;
		header.e_shnum = 1;
	}
	blob_append(&blob, &header, sizeof(header));
	offset = (offset + sizeof(section) + 4095) & ~4095ULL;
	for (size_t i = 0; i < nr; i++) {
		Elf64_Phdr program = {
			.p_type = PT_LOAD,
			.p_flags = PF_R,
			.p_offset = offset,
			.p_vaddr = 0xffff888000000000ULL + segments[i].phys,
			.p_paddr = segments[i].phys,
			.p_filesz = segments[i].filesz,
			.p_memsz = segments[i].memsz,
		};

		blob_append(&blob, &program, sizeof(program));
		offset += segments[i].filesz;
	}
	if (extended_count)
		blob_append(&blob, &section, sizeof(section));
	for (size_t i = 0; i < nr; i++) {
		u8 *bytes = malloc(segments[i].filesz + 1);
		u64 start = blob_get_le(&blob, sizeof(header) + i * sizeof(Elf64_Phdr) + 8, 8);

		if (!bytes)
			die("malloc");
		fill_memory(bytes, segments[i].phys, segments[i].filesz);
		blob_put(&blob, start, bytes, segments[i].filesz);
		free(bytes);
	}
	return blob;
}

static void kdump_headers(struct blob *blob, const struct kdump_shape *shape, u64 bitmap_blocks)
{
	const char *name = shape->machine == MACHINE_AARCH64 ? "aarch64" : "x86_64";

	blob_append(blob, "KDUMP   ", 8);
	blob_put_le(blob, 8, 6, 4);
	blob_put(blob, 12, "Linux", 5);
	blob_put(blob, 12 + 4 * 65, name, strlen(name));
	blob_put_le(blob, 428, shape->page_size, 4);
	blob_put_le(blob, 432, 1, 4);
	blob_put_le(blob, 436, bitmap_blocks, 4);
	blob_put_le(blob, 440, shape->max_frame, 4);
	blob_put_le(blob, 460, 1, 4);
	/* Sub-header: only max_mapnr_64 matters here. */
	blob_put_le(blob, shape->page_size + 96, shape->max_frame, 8);
	blob_put_le(blob, 2 * (size_t)shape->page_size - 1, 0, 1);
}

struct blob build_kdump(const struct kdump_shape *shape)
{
	size_t page_size = shape->page_size;
	u64 bitmap_bytes = (shape->max_frame + 7) / 8;
	u64 half_blocks = (bitmap_bytes + page_size - 1) / page_size;
	size_t bitmaps = 2 * page_size;
	size_t descriptors = bitmaps + 2 * half_blocks * page_size;
	size_t zero_at = descriptors + shape->nr_frames * 24;
	u8 *page = calloc(1, page_size);
	u8 *packed = malloc(compressBound(page_size));
	struct blob blob = { 0 };

	if (!page || !packed)
		die("malloc");
	kdump_headers(&blob, shape, 2 * half_blocks);
	blob_put_le(&blob, descriptors - 1, 0, 1);
	blob_put(&blob, zero_at, page, page_size);
	for (size_t i = 0; i < shape->nr_frames; i++) {
		u64 frame = shape->frames[i] & ~ZERO_FRAME;
		size_t at = descriptors + i * 24;
		uLongf length = page_size;
		bool zero = shape->frames[i] & ZERO_FRAME;

		blob.data[bitmaps + frame / 8] |= 1 << (frame % 8);
		blob.data[bitmaps + half_blocks * page_size + frame / 8] |= 1 << (frame % 8);
		fill_page(page, page_size, frame);
		if (shape->compress && !zero) {
			length = compressBound(page_size);
			if (compress(packed, &length, page, page_size) != Z_OK)
				die("compress");
		}
		blob_put_le(&blob, at, zero ? zero_at : blob.size, 8);
		blob_put_le(&blob, at + 8, length, 4);
		blob_put_le(&blob, at + 12, shape->compress && !zero, 4);
		if (!zero)
			blob_append(&blob, shape->compress ? packed : page, length);
	}
	free(page);
	free(packed);
	return blob;
}

static void flat_record(struct blob *out, const struct blob *file, size_t offset, size_t chunk)
{
	size_t length = file->size - offset < chunk ? file->size - offset : chunk;

	blob_append_be64(out, offset);
	blob_append_be64(out, length);
	blob_append(out, file->data + offset, length);
}

struct blob build_flattened(const struct blob *file, size_t chunk, bool shuffle)
{
	size_t nr = (file->size + chunk - 1) / chunk;
	struct blob out = { 0 };

	blob_append(&out, "makedumpfile\0\0\0\0", 16);
	blob_append_be64(&out, 1);
	blob_append_be64(&out, 1);
	blob_put_le(&out, 4095, 0, 1);
	for (size_t i = 0; i < nr; i++)
		flat_record(&out, file, (shuffle ? nr - 1 - i : i) * chunk, chunk);
	blob_append_be64(&out, ~0ULL);
	blob_append_be64(&out, ~0ULL);
	return out;
}

void ikho_seal_file(struct blob *blob)
{
	blob_put_le(blob, 60, crc32(0, blob->data, 60), 4);
}

struct blob ikho_header(u32 minor, u32 page_size)
{
	struct blob blob = { 0 };

	blob_append(&blob, "IKHO\r\n\x1a\n", 8);
	blob_put_le(&blob, 8, 1, 4);
	blob_put_le(&blob, 12, minor, 4);
	blob_put_le(&blob, 16, page_size, 4);
	blob_put_le(&blob, 60, 0, 4);
	ikho_seal_file(&blob);
	return blob;
}

void ikho_seal(struct blob *blob, size_t offset, bool data)
{
	u32 stored = (u32)blob_get_le(blob, offset + 28, 4);

	if (data)
		blob_put_le(blob, offset + 32, crc32(0, blob->data + offset + 40, stored), 4);
	blob_put_le(blob, offset + 36, crc32(0, blob->data + offset, 36), 4);
}

size_t ikho_section(struct blob *blob, u32 type, u32 encoding, u32 sequence, u64 phys,
		    const void *raw, size_t raw_length)
{
	size_t offset = blob->size;
	uLongf length = compressBound(raw_length);
	u8 *packed = malloc(length);

	if (!packed || compress(packed, &length, raw, raw_length) != Z_OK)
		die("compress");
	blob_append(blob, "SECT", 4);
	blob_put_le(blob, offset + 4, type, 4);
	blob_put_le(blob, offset + 8, encoding, 4);
	blob_put_le(blob, offset + 12, sequence, 4);
	blob_put_le(blob, offset + 16, phys, 8);
	blob_put_le(blob, offset + 24, raw_length, 4);
	blob_put_le(blob, offset + 28, encoding ? length : raw_length, 4);
	blob_put_le(blob, offset + 32, 0, 8);
	blob_append(blob, encoding ? packed : raw, encoding ? length : raw_length);
	free(packed);
	ikho_seal(blob, offset, true);
	return offset;
}

void ikho_end(struct blob *blob, u32 sequence, u64 pages_length)
{
	struct blob raw = { 0 };

	blob_put_le(&raw, 0, sequence, 8);
	blob_put_le(&raw, 8, pages_length, 8);
	ikho_section(blob, 4, 0, sequence, 0, raw.data, raw.size);
	blob_free(&raw);
}

void test_directory_create(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(directory, sizeof(directory), "%s/iommuser-test-XXXXXX",
		 base && *base ? base : "/tmp");
	if (!mkdtemp(directory))
		die(directory);
}

static size_t for_each_entry(const char *path, bool remove_it)
{
	char name[2 * PATH_MAX];
	struct dirent *entry;
	size_t count = 0;
	DIR *dir = opendir(path);

	if (!dir)
		die(path);
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		count++;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (remove_it && remove(name))
			die(name);
	}
	closedir(dir);
	return count;
}

void test_directory_remove(void)
{
	for_each_entry(directory, true);
	if (rmdir(directory))
		die(directory);
}

int test_directory_setup(void **state)
{
	(void)state;
	test_directory_create();
	return 0;
}

int test_directory_teardown(void **state)
{
	(void)state;
	test_directory_remove();
	return 0;
}

size_t count_test_files(void)
{
	return for_each_entry(directory, false);
}

size_t count_open_files(void)
{
	return for_each_entry("/proc/self/fd", false);
}

const char *test_path(const char *name)
{
	static char paths[8][2 * PATH_MAX];
	static unsigned int turn;
	char *path = paths[turn++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}
