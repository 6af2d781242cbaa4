/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A kernel as a file: what it says about itself, and the strings and live
 * update handlers in its data. Nothing of it is run or trusted.
 */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H

#include <stddef.h>

#include <iommuser/types.h>

/* What a kernel may unpack to, and what is read of one that needs no unpacking. */
#define KERNEL_MAX_SIZE (512ULL << 20)
/* Of the compatible string in a handler, its NUL included. */
#define KERNEL_HANDLER_NAME_SIZE 48

/** enum kernel_result - what became of reading one */
enum kernel_result {
	KERNEL_OK,
	KERNEL_UNREADABLE, /* a message says why */
	KERNEL_NO_MEMORY,
};

/** enum kernel_compression - how a kernel is packed, as told by its first bytes */
enum kernel_compression {
	KERNEL_PLAIN,
	KERNEL_GZIP,
	KERNEL_BZIP2,
	KERNEL_LZMA,
	KERNEL_XZ,
	KERNEL_LZO,
	KERNEL_LZ4,
	KERNEL_ZSTD,
};

/** struct kernel_buffer - bytes in memory; @data is the owner's to free */
struct kernel_buffer {
	u8 *data;
	size_t size;
};

/**
 * struct kernel_section - a part of the kernel's memory
 * @address: where it is linked to
 * @size: bytes
 * @offset: of its bytes in what was read
 * @data: its bytes, in the kernel's @memory; NULL for code that is not searched
 * @is_code: functions may be in it
 */
struct kernel_section {
	u64 address;
	u64 size;
	u64 offset;
	const u8 *data;
	bool is_code;
};

/**
 * struct kernel_file - a kernel, unpacked
 * @format: e.g. "bzImage"
 * @compression: e.g. "xz"; "none"
 * @machine: "x86_64", "aarch64" or "other"
 * @elf_machine: the same, EM_*
 * @page_shift: of its page size; 0 when not known
 * @release: e.g. "7.3.4"; not to be printed unescaped
 * @memory: what @sections point into: the file, what it unpacked to, or parts of it
 * @sections: of its memory
 * @nr_sections: how many
 * @has_layout: sections are known, so that structs with pointers can be told
 *	from bytes that look alike
 * @config: its configuration, when that is built in, NUL-terminated; else NULL
 */
struct kernel_file {
	const char *format;
	const char *compression;
	const char *machine;
	u32 elf_machine;
	u32 page_shift;
	char release[65];
	u8 *memory;
	struct kernel_section *sections;
	size_t nr_sections;
	bool has_layout;
	char *config;
};

/**
 * kernel_open - read a vmlinux, bzImage, EFI zboot image or arm64 Image
 * @kernel: to fill; kernel_close() it whatever the result
 * @path: the file
 * @message: why it can't be read
 * @size: bytes at @message
 */
enum kernel_result kernel_open(struct kernel_file *kernel, const char *path, char *message,
			       size_t size);
void kernel_close(struct kernel_file *kernel);

/** kernel_has_string - is there a string that is this, whole? */
bool kernel_has_string(const struct kernel_file *kernel, const char *text);

/**
 * kernel_find_family - whole strings that are a prefix and a number, and perhaps more after ';'
 * @kernel: open
 * @prefix: e.g. "kho-v"
 * @each: called for each string found, repeated ones too
 */
void kernel_find_family(const struct kernel_file *kernel, const char *prefix,
			void (*each)(void *ctx, const char *text), void *ctx);

/**
 * kernel_find_handlers - the live update handlers and FLBs that are built in
 * @each: called with the compatible string of each
 *
 * Both are structs that begin alike: the address of a table of functions, then
 * the string in 48 bytes. None is found where @kernel->has_layout is false.
 */
void kernel_find_handlers(const struct kernel_file *kernel,
			  void (*each)(void *ctx, const char *compatible), void *ctx);

/**
 * kernel_config - value of an option in the built-in configuration
 * @option: with its CONFIG_
 *
 * Return: 'y', 'm', 'n', or 0 when there is no configuration.
 */
char kernel_config(const struct kernel_file *kernel, const char *option);

/** kernel_detect - how these bytes are packed; KERNEL_PLAIN when they are not */
enum kernel_compression kernel_detect(const u8 *bytes, size_t size);
/** kernel_compression_name - e.g. "gzip" */
const char *kernel_compression_name(enum kernel_compression compression);

/**
 * kernel_decompress - unpack one stream
 * @in: from its first byte
 * @size: bytes of it; what follows its end is not looked at
 * @used: set to what it takes; lz4, which has no end of its own, takes all
 * @out: filled when the result is KERNEL_OK
 * @limit: what it may unpack to
 * @message: why it can't be unpacked
 */
enum kernel_result kernel_decompress(enum kernel_compression compression, const u8 *in, size_t size,
				     size_t *used, struct kernel_buffer *out, size_t limit,
				     char *message, size_t message_size);

#endif /* KERNEL_FILE_H */
