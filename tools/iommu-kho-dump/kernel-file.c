// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Opening a kernel: what wraps it is taken off, then its sections are read.
 * Offsets and sizes in the file are checked before use.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel-file.h"
#include "little-endian.h"

#define MAX_SECTIONS 4096U
#define MAX_CONFIG (16ULL << 20)
/* A banner with its compiler's version has some 200. */
#define MAX_STRING 1024U

/* x86: Documentation/arch/x86/boot.rst */
#define SETUP_SECTS 0x1f1
#define CODE_SIZE 0x1f4
#define CODE_UNIT 16ULL
#define BOOT_FLAG 0x1fe
#define BOOT_FLAG_VALUE 0xaa55U
#define HEADER_MAGIC 0x202
#define HEADER_VERSION 0x206
#define KERNEL_VERSION 0x20e
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define SETUP_HEADER_END 0x250U
#define PAYLOAD_SINCE 0x208U
#define DEFAULT_SETUP_SECTS 4U
/* arm64: Documentation/arch/arm64/booting.rst */
#define ARM64_FLAGS 24
#define ARM64_MAGIC 56
#define ARM64_HEADER_END 64U
/* The EFI stub that unpacks. */
#define ZBOOT_MAGIC 4
#define ZBOOT_OFFSET 8
#define ZBOOT_SIZE 12
#define ZBOOT_HEADER_END 56U

#define CONFIG_START "IKCFG_ST"
#define CONFIG_END "IKCFG_ED"
#define BANNER "Linux version "

/* Where bytes come from: a file, or memory when @bytes is set. */
struct input {
	int fd;
	const u8 *bytes;
	u64 size;
};

/* Why a file can't be read, in words. */
struct problem {
	char *message;
	size_t size;
};

static enum kernel_result refuse(const struct problem *problem, const char *text)
{
	snprintf(problem->message, problem->size, "%s", text);
	return KERNEL_UNREADABLE;
}

static u16 get16(const u8 *bytes)
{
	return (u16)(bytes[0] | bytes[1] << 8);
}

static bool read_at(const struct input *input, u64 offset, void *buffer, u64 size)
{
	u64 done = 0;
	ssize_t got;

	if (offset > input->size || size > input->size - offset)
		return false;
	if (input->bytes) {
		memcpy(buffer, input->bytes + offset, size);
		return true;
	}
	while (done < size) {
		got = pread(input->fd, (u8 *)buffer + done, size - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (u64)got;
	}
	return true;
}

/* Sections */

static int compare_sections(const void *a, const void *b)
{
	const struct kernel_section *one = a, *other = b;

	if (one->address == other->address)
		return 0;
	return one->address < other->address ? -1 : 1;
}

static enum kernel_result cut_off(const struct problem *problem)
{
	return refuse(problem, "the kernel in it is cut off");
}

/* Return: false where it is cut off. @in_memory: it is a part of the kernel's memory. */
static bool read_section(const struct input *input, u64 offset, struct kernel_section *part,
			 bool *in_memory)
{
	Elf64_Shdr section;

	if (!read_at(input, offset, &section, sizeof(section)))
		return false;
	*in_memory = section.sh_type == SHT_PROGBITS && section.sh_flags & SHF_ALLOC;
	*part = (struct kernel_section){
		.address = section.sh_addr,
		.size = section.sh_size,
		.offset = section.sh_offset,
		/* .data is marked executable as well: code is what cannot be written. */
		.is_code = section.sh_flags & SHF_EXECINSTR && !(section.sh_flags & SHF_WRITE),
	};
	return true;
}

static bool read_segment(const struct input *input, u64 offset, struct kernel_section *part,
			 bool *in_memory)
{
	Elf64_Phdr segment;

	if (!read_at(input, offset, &segment, sizeof(segment)))
		return false;
	*in_memory = segment.p_type == PT_LOAD;
	*part = (struct kernel_section){
		.address = segment.p_vaddr,
		.size = segment.p_filesz,
		.offset = segment.p_offset,
		.is_code = segment.p_flags & PF_X && !(segment.p_flags & PF_W),
	};
	return true;
}

/* A section whose end is beyond the file, or would not fit into an address, is no section. */
static bool is_sound(const struct input *input, const struct kernel_section *part, u64 total)
{
	return part->offset <= input->size && part->size <= input->size - part->offset &&
	       part->size <= ~part->address && part->size <= KERNEL_MAX_SIZE - total;
}

static bool read_table(struct kernel_file *kernel, const struct input *input,
		       const Elf64_Ehdr *header, bool has_sections)
{
	u64 at = has_sections ? header->e_shoff : header->e_phoff;
	u64 step = has_sections ? sizeof(Elf64_Shdr) : sizeof(Elf64_Phdr);
	u32 nr = has_sections ? header->e_shnum : header->e_phnum, i;
	struct kernel_section part;
	bool found, in_memory;
	u64 total = 0;

	for (i = 0; i < nr; i++, at += step) {
		found = has_sections ? read_section(input, at, &part, &in_memory) :
				       read_segment(input, at, &part, &in_memory);
		if (!found || (in_memory && !is_sound(input, &part, total)))
			return false;
		if (!in_memory || !part.size)
			continue;
		total += part.size;
		kernel->sections[kernel->nr_sections++] = part;
	}
	return true;
}

/* What is in memory already is not copied. */
static enum kernel_result read_contents(struct kernel_file *kernel, const struct input *input,
					bool code_too, const struct problem *problem)
{
	struct kernel_section *section = kernel->sections, *end = section + kernel->nr_sections;
	u64 size = 0;
	u8 *at;

	for (; section < end; section++) {
		if (section->is_code && !code_too)
			continue;
		if (input->bytes)
			section->data = input->bytes + section->offset;
		size += section->size;
	}
	if (input->bytes || !size)
		return KERNEL_OK;
	kernel->memory = at = malloc(size);
	if (!at)
		return KERNEL_NO_MEMORY;
	for (section = kernel->sections; section < end; section++) {
		if (section->is_code && !code_too)
			continue;
		if (!read_at(input, section->offset, at, section->size))
			return cut_off(problem);
		section->data = at;
		at += section->size;
	}
	return KERNEL_OK;
}

static enum kernel_result read_elf(struct kernel_file *kernel, const struct input *input,
				   const struct problem *problem)
{
	bool has_sections;
	Elf64_Ehdr header;
	u32 parts;

	if (!read_at(input, 0, &header, sizeof(header)))
		return cut_off(problem);
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
		return refuse(problem,
			      "not a 64-bit little-endian kernel, which kexec handover needs");
	if (header.e_type == ET_CORE)
		return refuse(problem, "a memory dump, not a kernel");
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return refuse(problem, "an ELF file, but not a linked kernel");
	has_sections = header.e_shoff && header.e_shnum;
	parts = has_sections ? header.e_shnum : header.e_phnum;
	if ((has_sections ? header.e_shentsize != sizeof(Elf64_Shdr) :
			    header.e_phentsize != sizeof(Elf64_Phdr)) ||
	    !parts || parts > MAX_SECTIONS)
		return refuse(problem, "the kernel's ELF header is damaged");
	kernel->machine = header.e_machine == EM_X86_64	 ? "x86_64" :
			  header.e_machine == EM_AARCH64 ? "aarch64" :
							   "other";
	kernel->elf_machine = header.e_machine;
	kernel->page_shift = header.e_machine == EM_X86_64 ? 12 : 0;
	kernel->has_layout = true;
	kernel->sections = calloc(parts, sizeof(*kernel->sections));
	if (!kernel->sections)
		return KERNEL_NO_MEMORY;
	if (!read_table(kernel, input, &header, has_sections))
		return cut_off(problem);
	/* Without sections, read-only data may be in one segment with code. */
	return read_contents(kernel, input, !has_sections, problem);
}

/* An arm64 Image is memory as it is; pointers in it are filled in at boot. */
static enum kernel_result read_arm64(struct kernel_file *kernel, const struct input *input)
{
	/* Bits 1 and 2: unknown, 4 KiB, 16 KiB, 64 KiB. */
	static const u32 page_shifts[] = { 0, 12, 14, 16 };

	kernel->machine = "aarch64";
	kernel->elf_machine = EM_AARCH64;
	kernel->page_shift = page_shifts[input->bytes[ARM64_FLAGS] >> 1 & 3];
	kernel->sections = calloc(1, sizeof(*kernel->sections));
	if (!kernel->sections)
		return KERNEL_NO_MEMORY;
	kernel->nr_sections = 1;
	kernel->sections[0] = (struct kernel_section){ .size = input->size,
						       .data = input->bytes,
						       .is_code = true };
	return KERNEL_OK;
}

/* What wraps a kernel */

static bool is_elf(const u8 *bytes, u64 size)
{
	return size >= SELFMAG && !memcmp(bytes, ELFMAG, SELFMAG);
}

static bool is_arm64(const u8 *bytes, u64 size)
{
	return size >= ARM64_HEADER_END && !memcmp(bytes + ARM64_MAGIC, "ARMd", 4);
}

static bool is_bzimage(const u8 *bytes, u64 size)
{
	return size >= SETUP_HEADER_END && get16(bytes + BOOT_FLAG) == BOOT_FLAG_VALUE &&
	       !memcmp(bytes + HEADER_MAGIC, "HdrS", 4);
}

static bool is_zboot(const u8 *bytes, u64 size)
{
	return size >= ZBOOT_HEADER_END && !memcmp(bytes, "MZ", 2) &&
	       !memcmp(bytes + ZBOOT_MAGIC, "zimg", 4);
}

static enum kernel_result read_plain(struct kernel_file *kernel, const struct input *input,
				     const struct problem *problem)
{
	if (is_elf(input->bytes, input->size)) {
		if (!kernel->format)
			kernel->format = "vmlinux";
		return read_elf(kernel, input, problem);
	}
	if (is_arm64(input->bytes, input->size)) {
		if (!kernel->format)
			kernel->format = "arm64 Image";
		return read_arm64(kernel, input);
	}
	return refuse(problem, "what it unpacks to is not a kernel");
}

/*
 * Unpack and read. Where @has_size, Linux's build has put the size that it
 * unpacks to behind the payload; gzip has it as its own last word. @bytes are
 * in kernel->memory, which becomes what they unpack to.
 */
static enum kernel_result read_packed(struct kernel_file *kernel, const u8 *bytes, u64 size,
				      bool has_size, const struct problem *problem)
{
	enum kernel_compression compression = kernel_detect(bytes, size);
	struct kernel_buffer out = { NULL, 0 };
	struct input input = { .fd = -1, .bytes = bytes, .size = size };
	enum kernel_result result;
	size_t used, packed = size;

	kernel->compression = kernel_compression_name(compression);
	if (compression == KERNEL_PLAIN)
		return read_plain(kernel, &input, problem);
	/* Only this tells lz4 where it ends. */
	if (compression != KERNEL_GZIP && has_size)
		packed -= size < 4 ? size : 4;
	result = kernel_decompress(compression, bytes, packed, &used, &out, KERNEL_MAX_SIZE,
				   problem->message, problem->size);
	if (result != KERNEL_OK)
		return result;
	if (has_size && (used != packed || get32(bytes + size - 4) != (u32)out.size))
		result = refuse(problem, "what it unpacks to has not the size that it says");
	else if (!out.size)
		result = refuse(problem, "what it unpacks to is empty");
	/* The packed bytes are not needed any more. */
	free(kernel->memory);
	kernel->memory = out.data;
	if (result != KERNEL_OK)
		return result;
	input.bytes = out.data;
	input.size = out.size;
	return read_plain(kernel, &input, problem);
}

/* The version string of the header, which is there before anything is unpacked. */
static void read_header_release(struct kernel_file *kernel, const u8 *bytes, u64 size)
{
	u64 at = get16(bytes + KERNEL_VERSION) + 0x200ULL, i;

	if (at == 0x200)
		return;
	for (i = 0; i < sizeof(kernel->release) - 1 && at + i < size; i++) {
		if (bytes[at + i] <= ' ')
			break;
		kernel->release[i] = (char)bytes[at + i];
	}
	kernel->release[i] = 0;
}

static enum kernel_result read_bzimage(struct kernel_file *kernel, const u8 *bytes, u64 size,
				       const struct problem *problem)
{
	u32 sectors = bytes[SETUP_SECTS] ? bytes[SETUP_SECTS] : DEFAULT_SETUP_SECTS;
	u64 offset, end, length = get32(bytes + PAYLOAD_LENGTH);

	kernel->format = "bzImage";
	if (get16(bytes + HEADER_VERSION) < PAYLOAD_SINCE)
		return refuse(problem, "a bzImage of before Linux 2.6.26");
	/* What unpacks the payload is behind it; signatures may be behind that. */
	offset = (sectors + 1ULL) * 512;
	end = offset + CODE_UNIT * get32(bytes + CODE_SIZE);
	offset += get32(bytes + PAYLOAD_OFFSET);
	if (end > size || offset > end || length > end - offset)
		return refuse(problem, "a bzImage that is cut off, or whose header is damaged");
	if (length < 4)
		return refuse(problem, "a bzImage without a kernel in it");
	read_header_release(kernel, bytes, size);
	return read_packed(kernel, bytes + offset, length, true, problem);
}

static enum kernel_result read_zboot(struct kernel_file *kernel, const u8 *bytes, u64 size,
				     const struct problem *problem)
{
	u64 offset = get32(bytes + ZBOOT_OFFSET), length = get32(bytes + ZBOOT_SIZE);

	kernel->format = "EFI zboot image";
	if (offset > size || length > size - offset)
		return refuse(problem,
			      "an EFI zboot image that is cut off, or whose header is damaged");
	return read_packed(kernel, bytes + offset, length, false, problem);
}

/* Anything but a vmlinux is small enough to be read as a whole. */
static enum kernel_result read_image(struct kernel_file *kernel, const struct input *input,
				     const struct problem *problem)
{
	u64 size = input->size;
	u8 *bytes;

	if (size > KERNEL_MAX_SIZE)
		return refuse(problem, "too large to be a kernel image");
	kernel->memory = bytes = malloc(size);
	if (!bytes)
		return KERNEL_NO_MEMORY;
	if (!read_at(input, 0, bytes, size))
		return refuse(problem, "it can't be read to its end");
	if (is_bzimage(bytes, size))
		return read_bzimage(kernel, bytes, size, problem);
	if (is_zboot(bytes, size))
		return read_zboot(kernel, bytes, size, problem);
	if (is_arm64(bytes, size) || kernel_detect(bytes, size) != KERNEL_PLAIN)
		return read_packed(kernel, bytes, size, false, problem);
	return refuse(problem, "not a vmlinux or bzImage, nor another kernel image");
}

/* Strings */

static bool is_printable(u8 byte)
{
	return (byte >= ' ' && byte < 0x7f) || (byte >= '\t' && byte <= '\r');
}

/*
 * The next string from *@at on that begins so. It is a string's begin when
 * nothing printable is before it. Return: NULL when there is none.
 */
static const char *next_string(const struct kernel_section *section, u64 *at, const char *begin)
{
	size_t length = strlen(begin), left;
	const u8 *found;

	while (section->data && *at < section->size) {
		found = memmem(section->data + *at, section->size - *at, begin, length);
		if (!found)
			break;
		left = section->size - (size_t)(found - section->data);
		*at = section->size - left + 1;
		if ((found == section->data || !is_printable(found[-1])) &&
		    memchr(found, 0, left < MAX_STRING ? left : MAX_STRING))
			return (const char *)found;
	}
	return NULL;
}

bool kernel_has_string(const struct kernel_file *kernel, const char *text)
{
	const char *found;
	size_t i;
	u64 at;

	for (i = 0; i < kernel->nr_sections; i++)
		for (at = 0; (found = next_string(&kernel->sections[i], &at, text));)
			if (!strcmp(found, text))
				return true;
	return false;
}

/* Digits, then the end or further tokens after ';'. */
static bool is_version(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 4)
		return false;
	text += digits;
	return !*text || (*text == ';' &&
			  strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789;-") == strlen(text));
}

void kernel_find_family(const struct kernel_file *kernel, const char *prefix,
			void (*each)(void *ctx, const char *text), void *ctx)
{
	const char *found;
	size_t i;
	u64 at;

	for (i = 0; i < kernel->nr_sections; i++)
		for (at = 0; (found = next_string(&kernel->sections[i], &at, prefix));)
			if (strlen(found) < 64 && is_version(found + strlen(prefix)))
				each(ctx, found);
}

/* Handlers */

/* The sections are sorted. A kernel's do not overlap. */
static const struct kernel_section *section_at(const struct kernel_file *kernel, u64 address,
					       u64 size)
{
	size_t first = 0, last = kernel->nr_sections, middle;
	const struct kernel_section *section;

	while (first < last) {
		middle = first + (last - first) / 2;
		if (kernel->sections[middle].address <= address)
			first = middle + 1;
		else
			last = middle;
	}
	if (!first)
		return NULL;
	section = &kernel->sections[first - 1];
	address -= section->address;
	return address < section->size && size <= section->size - address ? section : NULL;
}

/* Is there a table of functions? The first of a handler's or FLB's is never left out. */
static bool has_functions(const struct kernel_file *kernel, u64 address)
{
	const struct kernel_section *table = section_at(kernel, address, 8), *code;

	if (!table || !table->data)
		return false;
	code = section_at(kernel, get64(table->data + (address - table->address)), 1);
	return code && code->is_code;
}

/* A name of the kind that live update uses, with zeros behind it. */
static bool is_handler_name(const u8 *field)
{
	size_t length = strnlen((const char *)field, KERNEL_HANDLER_NAME_SIZE), i;

	if (length < 3 || length == KERNEL_HANDLER_NAME_SIZE)
		return false;
	for (i = length; i < KERNEL_HANDLER_NAME_SIZE; i++)
		if (field[i])
			return false;
	return strspn((const char *)field, "abcdefghijklmnopqrstuvwxyz"
					   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == length;
}

void kernel_find_handlers(const struct kernel_file *kernel,
			  void (*each)(void *ctx, const char *compatible), void *ctx)
{
	const u64 bytes = 8 + KERNEL_HANDLER_NAME_SIZE;
	const struct kernel_section *section;
	size_t i;
	u64 at;

	for (i = 0; kernel->has_layout && i < kernel->nr_sections; i++) {
		section = &kernel->sections[i];
		if (!section->data || section->size < bytes)
			continue;
		for (at = -section->address & 7; at <= section->size - bytes; at += 8)
			if (is_handler_name(section->data + at + 8) &&
			    has_functions(kernel, get64(section->data + at)))
				each(ctx, (const char *)section->data + at + 8);
	}
}

/* What the kernel says about itself */

/* "Linux version 7.3.4 (...) ..." */
static bool read_banner(struct kernel_file *kernel)
{
	const char *found;
	size_t i, length;
	u64 at;

	for (i = 0; i < kernel->nr_sections; i++) {
		for (at = 0; (found = next_string(&kernel->sections[i], &at, BANNER));) {
			found += strlen(BANNER);
			length = strcspn(found, " \n");
			if (*found < '0' || *found > '9' || length >= sizeof(kernel->release))
				continue;
			memcpy(kernel->release, found, length);
			kernel->release[length] = 0;
			return true;
		}
	}
	return false;
}

/* A configuration that can't be read is as good as none. */
static enum kernel_result unpack_config(struct kernel_file *kernel, const u8 *bytes, u64 size)
{
	struct kernel_buffer out;
	enum kernel_result result;
	char message[128], *text;
	size_t used;

	result = kernel_decompress(KERNEL_GZIP, bytes, size, &used, &out, MAX_CONFIG, message,
				   sizeof(message));
	if (result != KERNEL_OK)
		return result == KERNEL_NO_MEMORY ? result : KERNEL_OK;
	text = realloc(out.data, out.size + 1);
	if (!text) {
		free(out.data);
		return KERNEL_NO_MEMORY;
	}
	text[out.size] = 0;
	kernel->config = text;
	return KERNEL_OK;
}

static enum kernel_result read_config(struct kernel_file *kernel)
{
	const size_t mark = strlen(CONFIG_START);
	const struct kernel_section *section;
	const u8 *start, *end;
	size_t i, left;

	for (i = 0; i < kernel->nr_sections; i++) {
		section = &kernel->sections[i];
		start = section->data ? memmem(section->data, section->size, CONFIG_START, mark) :
					NULL;
		if (!start)
			continue;
		start += mark;
		left = section->size - (size_t)(start - section->data);
		end = memmem(start, left, CONFIG_END, strlen(CONFIG_END));
		if (end && kernel_detect(start, (size_t)(end - start)) == KERNEL_GZIP)
			return unpack_config(kernel, start, (size_t)(end - start));
	}
	return KERNEL_OK;
}

char kernel_config(const struct kernel_file *kernel, const char *option)
{
	size_t length = strlen(option);
	const char *line = kernel->config;

	if (!line)
		return 0;
	while (line) {
		if (!strncmp(line, option, length) && line[length] == '=')
			return line[length + 1] == 'm' ? 'm' : 'y';
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return 'n';
}

static enum kernel_result read_kernel(struct kernel_file *kernel, const struct input *input,
				      const struct problem *problem)
{
	enum kernel_result result;
	u8 head[SELFMAG];

	if (read_at(input, 0, head, sizeof(head)) && is_elf(head, sizeof(head))) {
		kernel->format = "vmlinux";
		result = read_elf(kernel, input, problem);
	} else {
		result = read_image(kernel, input, problem);
	}
	if (result != KERNEL_OK)
		return result;
	qsort(kernel->sections, kernel->nr_sections, sizeof(*kernel->sections), compare_sections);
	if (!read_banner(kernel))
		return refuse(problem, "no Linux kernel: nothing in it says \"Linux version\"");
	return read_config(kernel);
}

enum kernel_result kernel_open(struct kernel_file *kernel, const char *path, char *message,
			       size_t size)
{
	struct problem problem = { .size = size };
	struct input input = { .fd = -1 };
	enum kernel_result result;
	struct stat status;

	problem.message = message;
	*kernel = (struct kernel_file){ .compression = "none", .machine = "other" };
	input.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (input.fd < 0)
		return refuse(&problem, strerror(errno));
	if (fstat(input.fd, &status))
		result = refuse(&problem, strerror(errno));
	else if (!S_ISREG(status.st_mode))
		result = refuse(&problem, S_ISDIR(status.st_mode) ? "a directory, not a kernel" :
								    "not a regular file");
	else if (!status.st_size)
		result = refuse(&problem, "empty");
	else {
		input.size = (u64)status.st_size;
		result = read_kernel(kernel, &input, &problem);
	}
	close(input.fd);
	return result;
}

void kernel_close(struct kernel_file *kernel)
{
	free(kernel->memory);
	free(kernel->sections);
	free(kernel->config);
	*kernel = (struct kernel_file){ 0 };
}
