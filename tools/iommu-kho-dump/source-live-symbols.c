// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The running kernel's own pointer to the KHO FDT for the next kernel: its
 * address from /proc/kallsyms, what it holds from /proc/kcore.
 */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kho.h"
#include "live.h"
#include "source-private.h"

#define KALLSYMS "/proc/kallsyms"
/* Linux's struct kho_out, whose first member is the pointer. */
#define SYMBOL "kho_out"

/* "ADDRESS TYPE NAME", and a tab and more behind names of modules. */
static bool is_symbol(const char *line, u64 *address)
{
	char *end;

	*address = strtoull(line, &end, 16);
	return end != line && strlen(end) > 3 && !strcmp(end + 3, SYMBOL "\n");
}

/* Return: 0 with the symbol's address; -1 and a line in @log. */
static int find_symbol(u64 *address, struct live_log *log)
{
	int fd = live_open_file(KALLSYMS);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	bool found = false;
	char line[512];

	if (!file) {
		live_missed(log, "%s: %s", KALLSYMS, live_reason(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (!found && fgets(line, sizeof(line), file))
		found = is_symbol(line, address);
	fclose(file);
	if (!found)
		live_missed(log, "%s: it has no %s (CONFIG_KALLSYMS_ALL)", KALLSYMS, SYMBOL);
	else if (!*address)
		live_missed(log, "%s: addresses are hidden: this takes root", KALLSYMS);
	return found && *address ? 0 : -1;
}

/* The segment of kernel memory that has an address, or NULL. */
static const Elf64_Phdr *find_segment(const Elf64_Phdr *segments, u32 nr, u64 address)
{
	for (u32 i = 0; i < nr; i++)
		if (segments[i].p_type == PT_LOAD && address >= segments[i].p_vaddr &&
		    address - segments[i].p_vaddr < segments[i].p_filesz)
			return &segments[i];
	return NULL;
}

/* What does the pointer at a kernel address point to, physically? */
static bool follow(struct source *source, const Elf64_Phdr *segments, u32 nr, u64 address,
		   u64 *phys)
{
	const Elf64_Phdr *segment = find_segment(segments, nr, address);
	u64 pointer, offset;

	if (!segment)
		return false;
	offset = segment->p_offset + (address - segment->p_vaddr);
	if (source_pread(source->fd, &pointer, sizeof(pointer), offset) != sizeof(pointer))
		return false;
	segment = find_segment(segments, nr, pointer);
	if (!segment || segment->p_paddr == UINT64_MAX)
		return false;
	*phys = segment->p_paddr + (pointer - segment->p_vaddr);
	return *phys < SOURCE_PHYS_END;
}

static bool read_pointer(struct source *source, u64 address, u64 *phys)
{
	Elf64_Phdr *segments;
	Elf64_Ehdr header;
	bool found = false;
	size_t length;

	if (source_pread(source->fd, &header, sizeof(header), 0) != sizeof(header) ||
	    !header.e_phnum || header.e_phnum == PN_XNUM || header.e_phentsize != sizeof(*segments))
		return false;
	length = header.e_phnum * sizeof(*segments);
	segments = malloc(length);
	if (segments &&
	    source_pread(source->fd, segments, length, header.e_phoff) == (ssize_t)length)
		found = follow(source, segments, header.e_phnum, address, phys);
	free(segments);
	return found;
}

/* Is it there, and in its own memory map? */
static bool is_live_fdt(struct source *source, u64 phys)
{
	struct kho kho;
	bool good = !kho_open(&kho, source, phys, NULL) &&
		    kho_preserves_page(&kho, source, phys) == KHO_YES;

	kho_close(&kho);
	return good;
}

bool live_find_symbol(struct source *source, struct live_log *log, u64 *phys)
{
	u64 address = 0;

	if (source->ops != &source_elf_ops || find_symbol(&address, log))
		return false;
	if (!read_pointer(source, address, phys) || !is_live_fdt(source, *phys)) {
		live_missed(log, "%s: %s leads to no KHO FDT", KALLSYMS, SYMBOL);
		return false;
	}
	live_used(log, "%s: the KHO FDT for the next kernel is at 0x%llx", KALLSYMS,
		  (unsigned long long)*phys);
	return true;
}
