/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Small image files for the tests of the sources, built byte by byte:
 * ELF vmcores, kdump-compressed files, flattened streams, portable images.
 */
#ifndef IMAGE_FILES_H
#define IMAGE_FILES_H

#include <stddef.h>

#include <iommuser/types.h>

#define MACHINE_X86_64 62
#define MACHINE_AARCH64 183

/** struct blob - bytes that grow; a zeroed one is empty */
struct blob {
	u8 *data;
	size_t size;
};

void blob_append(struct blob *blob, const void *bytes, size_t length);
/** blob_put - overwrite or grow, the gap is zero */
void blob_put(struct blob *blob, size_t offset, const void *bytes, size_t length);
void blob_put_le(struct blob *blob, size_t offset, u64 value, size_t width);
u64 blob_get_le(const struct blob *blob, size_t offset, size_t width);
struct blob blob_copy(const struct blob *blob);
void blob_free(struct blob *blob);
/** blob_save - write to a new file, cut to @size bytes, in place of any of that name */
void blob_save(const struct blob *blob, const char *path, size_t size);
/** blob_save_over - the same, but into the file that is there, which somebody may have open */
void blob_save_over(const struct blob *blob, const char *path, size_t size);
struct blob blob_load(const char *path);

/** fill_page - bytes that tell one page from another, none of them zero */
void fill_page(u8 *page, size_t size, u64 number);

/** struct elf_segment - one PT_LOAD; @filesz bytes of fill_page() content per 4 KiB, numbered by address */
struct elf_segment {
	u64 phys;
	u64 filesz;
	u64 memsz;
};
struct blob build_elf(u32 machine, const struct elf_segment *segments, size_t nr,
		      bool extended_count);

/** struct kdump_shape - a kdump-compressed file of pages numbered by frame */
struct kdump_shape {
	u32 machine;
	u32 page_size;
	u64 max_frame;
	const u64 *frames; /* ascending; a frame with bit 63 set is a zero page */
	size_t nr_frames;
	bool compress;
};
#define ZERO_FRAME (1ULL << 63)
struct blob build_kdump(const struct kdump_shape *shape);

/** build_flattened - wrap a file into records of @chunk bytes, the first ones last when @shuffle */
struct blob build_flattened(const struct blob *file, size_t chunk, bool shuffle);

/* Portable images, section by section. */
struct blob ikho_header(u32 minor, u32 page_size);
/** ikho_section - append a section and fix both CRCs; @encoding 1 compresses */
size_t ikho_section(struct blob *blob, u32 type, u32 encoding, u32 sequence, u64 phys,
		    const void *raw, size_t raw_length);
/** ikho_seal - recompute header CRC (and, with @data, the data CRC) of the section at @offset */
void ikho_seal(struct blob *blob, size_t offset, bool data);
void ikho_seal_file(struct blob *blob);
void ikho_end(struct blob *blob, u32 sequence, u64 pages_length);

/* A directory of the test's own; both exit the process on failure. */
void test_directory_create(void);
void test_directory_remove(void);
/* The same as set-up and tear-down of a group of tests. */
int test_directory_setup(void **state);
int test_directory_teardown(void **state);
/** test_path - a name in it, valid until the eighth call after */
const char *test_path(const char *name);
/** count_open_files - file descriptors of this process */
size_t count_open_files(void);
/** count_test_files - entries of the directory */
size_t count_test_files(void);

#endif /* IMAGE_FILES_H */
