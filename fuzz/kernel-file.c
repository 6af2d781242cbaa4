// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: preflight's reader of a kernel as a file.
 *
 * Input: mode u8, then bytes: 0 the file; 1 to 7 a stream packed as enum
 * kernel_compression says; 8 and 9 a kernel that the target packs with gzip
 * and puts into a bzImage or an EFI zboot image.
 *
 * Checks S1 S3 S5 S18 S19 S20 S21: what is refused has words; sections lie in
 * memory and are in order; names that are found are names; a packed kernel and
 * the same one as it is say the same; what is unpacked stays below its limit,
 * and memory below a constant; the file is not changed, nothing is left open.
 */
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "kernel-file.h"
#include "tool.h"

#define MODE_FILE 0
#define MODE_BZIMAGE 8
#define MODE_ZBOOT 9
#define NR_MODES 10
#define MAX_FILE (1U << 20)
#define LIMIT ((size_t)1 << 20)
/* Twice what a kernel may unpack to, as memory grows by copying, and the packers' own. */
#define MOST_MEMORY ((size_t)KERNEL_MAX_SIZE * 2 + ((size_t)320 << 20))
#define SETUP_SIZE (5 * 512)
#define ZBOOT_HEADER 64

/** struct facts - what is compared; names are summed up */
struct facts {
	enum kernel_result result;
	char release[65];
	u32 elf_machine;
	u32 page_shift;
	size_t nr_sections;
	u64 bytes;
	u64 names;
	char config;
};

static u8 wrapped[MAX_FILE + 4096];

static void put32(u8 *at, u32 value)
{
	at[0] = (u8)value;
	at[1] = (u8)(value >> 8);
	at[2] = (u8)(value >> 16);
	at[3] = (u8)(value >> 24);
}

static u64 sum_of(u64 sum, const void *bytes, size_t size)
{
	return sum * 31 + crc32(0, bytes, (uInt)size);
}

static void take_family(void *ctx, const char *text)
{
	struct facts *facts = ctx;

	require(!strncmp(text, "kho-v", 5) && text[5] >= '0' && text[5] <= '9' && strlen(text) < 64,
		"%.64s", text);
	require_text(text, strlen(text), false);
	facts->names = sum_of(facts->names, text, strlen(text));
}

static void take_handler(void *ctx, const char *compatible)
{
	struct facts *facts = ctx;
	size_t length = strnlen(compatible, KERNEL_HANDLER_NAME_SIZE);

	require(length > 2 && length < KERNEL_HANDLER_NAME_SIZE, "%zu", length);
	require_text(compatible, length, false);
	facts->names = sum_of(facts->names, compatible, length);
}

static void check_kernel(const struct kernel_file *kernel, struct facts *facts)
{
	const struct kernel_section *section;
	u64 total = 0;
	size_t i;

	require(kernel->format && kernel->compression && kernel->machine, "no words");
	require(memchr(kernel->release, 0, sizeof(kernel->release)) && kernel->release[0],
		"no release");
	for (i = 0; i < kernel->nr_sections; i++) {
		section = &kernel->sections[i];
		require(section->size <= ~section->address, "%zu", i);
		require(!i || section[-1].address <= section->address, "%zu", i);
		/* Reads all of it. */
		if (section->data)
			facts->bytes = sum_of(facts->bytes, section->data, section->size);
		total += section->size;
	}
	require(total <= KERNEL_MAX_SIZE, "%llu", (unsigned long long)total);
	facts->nr_sections = kernel->nr_sections;
	facts->elf_machine = kernel->elf_machine;
	facts->page_shift = kernel->page_shift;
	memcpy(facts->release, kernel->release, sizeof(facts->release));
	kernel_find_family(kernel, "kho-v", take_family, facts);
	kernel_find_handlers(kernel, take_handler, facts);
	facts->names = facts->names * 2 + kernel_has_string(kernel, "luo-v5");
	facts->config = kernel_config(kernel, "CONFIG_KEXEC_HANDOVER");
	require(!facts->config == !kernel->config, "%c", facts->config);
	require(!facts->config || strchr("ymn", facts->config), "%c", facts->config);
}

static bool is_plain(const struct kernel_file *kernel)
{
	return !strcmp(kernel->compression, "none") &&
	       (!strcmp(kernel->format, "vmlinux") || !strcmp(kernel->format, "arm64 Image"));
}

/* Return: whether it is a kernel that nothing is wrapped around. */
static bool open_kernel(const void *bytes, size_t size, struct facts *facts)
{
	const char *path = file_of(bytes, size);
	char message[256] = "";
	struct kernel_file kernel;
	bool plain = false;
	int fd = dup(STDERR_FILENO);

	close(fd);
	memset(facts, 0, sizeof(*facts));
	limit_memory(MOST_MEMORY);
	facts->result = kernel_open(&kernel, path, message, sizeof(message));
	limit_memory(0);
	require(facts->result == KERNEL_OK || facts->result == KERNEL_UNREADABLE, "%u",
		(u32)facts->result);
	if (facts->result == KERNEL_OK) {
		check_kernel(&kernel, facts);
		plain = is_plain(&kernel);
	} else {
		require(message[0], "refused without words");
		require_text(message, strlen(message), false);
	}
	kernel_close(&kernel);
	require(dup(STDERR_FILENO) == fd && !close(fd), "a file was left open");
	file_unchanged(bytes, size);
	return plain;
}

static size_t pack(u8 *to, size_t room, const u8 *bytes, size_t size)
{
	z_stream stream = { 0 };
	u8 *copy = malloc(size ? size : 1);

	require(copy, "out of memory");
	memcpy(copy, bytes, size);
	require(deflateInit2(&stream, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
	stream.next_in = copy;
	stream.avail_in = (uInt)size;
	stream.next_out = to;
	stream.avail_out = (uInt)room;
	require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "no room");
	deflateEnd(&stream);
	free(copy);
	return room - stream.avail_out;
}

/* As boot loaders find a kernel: setup, then the code that unpacks, with the payload in it. */
static size_t make_bzimage(const u8 *bytes, size_t size)
{
	size_t packed = pack(wrapped + SETUP_SIZE, sizeof(wrapped) - SETUP_SIZE - 16, bytes, size);

	memset(wrapped, 0, SETUP_SIZE);
	wrapped[0x1f1] = 4;
	put32(wrapped + 0x1f4, (u32)(packed + 15) / 16);
	wrapped[0x1fe] = 0x55;
	wrapped[0x1ff] = 0xaa;
	memcpy(wrapped + 0x202, "HdrS", 4);
	wrapped[0x206] = 15;
	wrapped[0x207] = 2;
	put32(wrapped + 0x24c, (u32)packed);
	memset(wrapped + SETUP_SIZE + packed, 0, 16);
	return SETUP_SIZE + (packed + 15) / 16 * 16;
}

static size_t make_zboot(const u8 *bytes, size_t size)
{
	size_t packed = pack(wrapped + ZBOOT_HEADER, sizeof(wrapped) - ZBOOT_HEADER, bytes, size);

	memset(wrapped, 0, ZBOOT_HEADER);
	memcpy(wrapped, "MZ", 2);
	memcpy(wrapped + 4, "zimg", 4);
	put32(wrapped + 8, ZBOOT_HEADER);
	put32(wrapped + 12, (u32)packed);
	return ZBOOT_HEADER + packed;
}

static void check_wrapped(const u8 *bytes, size_t size, u64 mode)
{
	struct facts plain, packed;
	size_t length;

	if (!size || !open_kernel(bytes, size, &plain))
		return;
	length = mode == MODE_BZIMAGE ? make_bzimage(bytes, size) : make_zboot(bytes, size);
	open_kernel(wrapped, length, &packed);
	require(packed.result == KERNEL_OK, "packed, it is no kernel");
	require(!strcmp(plain.release, packed.release) && plain.elf_machine == packed.elf_machine &&
			plain.page_shift == packed.page_shift &&
			plain.nr_sections == packed.nr_sections && plain.bytes == packed.bytes &&
			plain.names == packed.names && plain.config == packed.config,
		"packed, it says something else");
}

static void check_stream(const u8 *bytes, size_t size, enum kernel_compression compression)
{
	struct kernel_buffer out = { 0 }, again = { 0 };
	char message[256] = "";
	enum kernel_result result;
	size_t used = 0, used_again = 0;

	limit_memory(LIMIT + ((size_t)512 << 20));
	result = kernel_decompress(compression, bytes, size, &used, &out, LIMIT, message,
				   sizeof(message));
	require(result == KERNEL_OK || result == KERNEL_UNREADABLE, "%u", (u32)result);
	require(result == KERNEL_OK || message[0], "refused without words");
	require(kernel_decompress(compression, bytes, size, &used_again, &again, LIMIT, message,
				  sizeof(message)) == result,
		"another result");
	limit_memory(0);
	if (result == KERNEL_OK) {
		require(out.size <= LIMIT && used <= size, "%zu of %zu to %zu", used, size,
			out.size);
		require(again.size == out.size && used_again == used &&
				(!out.size || !memcmp(again.data, out.data, out.size)),
			"another result");
	}
	free(out.data);
	free(again.data);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	u64 mode = input_take(&input, 1) % NR_MODES;
	struct facts facts;

	if (input.left > MAX_FILE)
		return 0;
	if (mode == MODE_FILE)
		open_kernel(input.at, input.left, &facts);
	else if (mode < MODE_BZIMAGE)
		check_stream(input.at, input.left, (enum kernel_compression)mode);
	else
		check_wrapped(input.at, input.left, mode);
	return 0;
}
