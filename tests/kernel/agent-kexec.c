// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Commands of the agent for leaving its kernel: kexec with KHO (kexec_file_load), without it
 * (kexec_load, which never hands KHO over), for a crash, and plain reboots.
 */
#include "agent.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096UL
#define BOOT_PARAMETERS "/sys/kernel/boot_params/data"
#define ENTRY_64 0x200
#define SETUP_SECTORS 0x1f1

struct blob {
	unsigned char *bytes;
	size_t size;
};

/* struct kexec_segment, with the address in the next kernel's memory as the number it is. */
struct segment {
	const void *buffer;
	size_t buffer_size;
	uint64_t memory;
	size_t memory_size;
};

_Static_assert(sizeof(struct segment) == sizeof(struct kexec_segment), "as the system call has it");

static int load_blob(const char *path, struct blob *blob)
{
	int fd = open(path, O_RDONLY);
	size_t done = 0;
	struct stat st;
	int err = 0;

	blob->bytes = NULL;
	blob->size = 0;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		err = -errno;
		goto out;
	}
	blob->size = (size_t)st.st_size;
	blob->bytes = malloc(blob->size + 1);
	if (!blob->bytes) {
		err = -ENOMEM;
		goto out;
	}
	while (done < blob->size) {
		ssize_t got = read(fd, blob->bytes + done, blob->size - done);

		if (got <= 0)
			break;
		done += (size_t)got;
	}
	if (done != blob->size) {
		free(blob->bytes);
		blob->bytes = NULL;
		err = -EIO;
	}
out:
	close(fd);
	return err;
}

/* kexec KERNEL INITRD [crash=0|1] -- COMMAND LINE: load by kexec_file_load */
static int run_kexec(struct call *call)
{
	const char *cmdline = call->rest ? call->rest : "";
	uint64_t crash;
	int kernel, initrd, err;

	err = number_option(call, "crash", 0, &crash);
	if (err)
		return err;
	kernel = open(call->words[0], O_RDONLY | O_CLOEXEC);
	if (kernel < 0)
		return -errno;
	initrd = open(call->words[1], O_RDONLY | O_CLOEXEC);
	if (initrd < 0) {
		err = -errno;
		close(kernel);
		return err;
	}
	if (syscall(SYS_kexec_file_load, kernel, initrd, strlen(cmdline) + 1, cmdline,
		    crash ? KEXEC_FILE_ON_CRASH : 0) < 0)
		err = -errno;
	close(kernel);
	close(initrd);
	return err;
}

/* kexec-unload [crash=0|1] */
static int run_kexec_unload(struct call *call)
{
	uint64_t crash;
	int err = number_option(call, "crash", 0, &crash);

	if (err)
		return err;
	if (syscall(SYS_kexec_file_load, -1, -1, 0UL, NULL,
		    KEXEC_FILE_UNLOAD | (crash ? KEXEC_FILE_ON_CRASH : 0)) < 0)
		return -errno;
	return 0;
}

/* The page the next kernel reads first: this kernel's own, with the new kernel's header in it. */
static int make_boot_params(const struct blob *kernel, const struct blob *initrd, uint64_t cmdline,
			    uint64_t ramdisk, struct boot_params *params)
{
	const struct setup_header *header =
		(const struct setup_header *)(kernel->bytes + offsetof(struct boot_params, hdr));
	struct blob own;
	int err;

	if (kernel->size < PAGE || header->header != 0x53726448 ||
	    !(header->xloadflags & XLF_KERNEL_64))
		return -ENOEXEC;
	err = load_blob(BOOT_PARAMETERS, &own);
	if (err)
		return err;
	if (own.size != sizeof(*params)) {
		free(own.bytes);
		return -EPROTO;
	}
	memcpy(params, own.bytes, sizeof(*params));
	free(own.bytes);
	memcpy(&params->hdr, header, sizeof(*header));
	params->hdr.type_of_loader = 0xff;
	params->hdr.setup_data = 0;
	params->hdr.cmd_line_ptr = (uint32_t)cmdline;
	params->hdr.ramdisk_image = (uint32_t)ramdisk;
	params->hdr.ramdisk_size = (uint32_t)initrd->size;
	params->ext_cmd_line_ptr = 0;
	params->ext_ramdisk_image = 0;
	params->ext_ramdisk_size = 0;
	return 0;
}

/* mov $params,%rsi; mov $entry,%rax; jmp *%rax */
static void make_trampoline(unsigned char *code, uint64_t params, uint64_t entry)
{
	memcpy(code, "\x48\xbe", 2);
	memcpy(code + 2, &params, 8);
	memcpy(code + 10, "\x48\xb8", 2);
	memcpy(code + 12, &entry, 8);
	memcpy(code + 20, "\xff\xe0", 2);
}

static size_t page_up(size_t size)
{
	return (size + PAGE - 1) & ~(PAGE - 1);
}

static int load_plain(const struct blob *kernel, const struct blob *initrd, const char *cmdline,
		      uint64_t base)
{
	static unsigned char low[3 * PAGE] __attribute__((aligned(4096)));
	struct boot_params *params = (struct boot_params *)low;
	const size_t length = strlen(cmdline);
	const uint64_t ramdisk = base - page_up(initrd->size) - PAGE;
	const uint64_t at = ramdisk - sizeof(low);
	struct segment segments[3];
	size_t skip;
	int err;

	if (kernel->size < PAGE || length >= PAGE)
		return -ENOEXEC;
	skip = ((kernel->bytes[SETUP_SECTORS] ? kernel->bytes[SETUP_SECTORS] : 4U) + 1) * 512UL;
	if (kernel->size <= skip)
		return -ENOEXEC;
	memset(low, 0, sizeof(low));
	err = make_boot_params(kernel, initrd, at + PAGE, ramdisk, params);
	if (err)
		return err;
	memcpy(low + PAGE, cmdline, length);
	make_trampoline(low + 2 * PAGE, at, base + ENTRY_64);
	segments[0] = (struct segment){ low, sizeof(low), at, sizeof(low) };
	segments[1] =
		(struct segment){ initrd->bytes, initrd->size, ramdisk, page_up(initrd->size) };
	segments[2] = (struct segment){ kernel->bytes + skip, kernel->size - skip, base,
					page_up(params->hdr.init_size) };
	if (syscall(SYS_kexec_load, at + 2 * PAGE, 3UL, segments, KEXEC_ARCH_X86_64) < 0)
		return -errno;
	return 0;
}

/* kexec-plain KERNEL INITRD [base=ADDRESS] -- COMMAND LINE: load by kexec_load, without KHO */
static int run_kexec_plain(struct call *call)
{
	struct blob kernel = { 0 }, initrd = { 0 };
	uint64_t base;
	int err;

	err = number_option(call, "base", 64UL << 20, &base);
	if (err)
		return err;
	err = load_blob(call->words[0], &kernel);
	if (err)
		return err;
	err = load_blob(call->words[1], &initrd);
	if (!err) {
		err = load_plain(&kernel, &initrd, call->rest ? call->rest : "", base);
		free(initrd.bytes);
	}
	free(kernel.bytes);
	return err;
}

/* reboot kexec|restart|poweroff: answers only when it fails */
static int run_reboot(struct call *call)
{
	const char *how = call->words[0];
	int command;

	if (!strcmp(how, "kexec"))
		command = (int)LINUX_REBOOT_CMD_KEXEC;
	else if (!strcmp(how, "restart"))
		command = (int)LINUX_REBOOT_CMD_RESTART;
	else if (!strcmp(how, "poweroff"))
		command = (int)LINUX_REBOOT_CMD_POWER_OFF;
	else
		return refuse(call, EBADMSG, "kexec, restart or poweroff");
	flush_report();
	return reboot(command) < 0 ? -errno : 0;
}

/* crash: panic through sysrq */
static int run_crash(struct call *call)
{
	(void)call;
	flush_report();
	return write_file("/proc/sysrq-trigger", "c", 1);
}

/* clang-format off */
const struct command kexec_commands[] = {
	{ "kexec", 2, run_kexec },
	{ "kexec-plain", 2, run_kexec_plain },
	{ "kexec-unload", 0, run_kexec_unload },
	{ "reboot", 1, run_reboot },
	{ "crash", 0, run_crash },
	{ 0 },
};
/* clang-format on */
