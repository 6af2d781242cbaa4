// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Init of both kernels of the lab's live update. The first kernel's run gives the QEMU "edu" device
 * to vfio, lets it write into a sealed memfd through VT-d, preserves that memfd in a session and
 * jumps; the second kernel's run gets the memfd back and compares every byte.
 *
 * The report goes to the second serial port, away from the kernels' messages. Files of debugfs are
 * copied into it between "BEGIN name" and "END name"; the last line is "RESULT pass" or
 * "RESULT fail: reason".
 */
#include <asm/setup_data.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/reboot.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "../kernel/edu.h"

#define REPORT_PORT "/dev/ttyS1"
#define EDU_BDF "0000:00:04.0"
#define EDU_SYSFS "/sys/bus/pci/devices/" EDU_BDF
#define VTD_DEBUGFS "/sys/kernel/debug/iommu/intel"
#define STAGE2_OPTION "lab.stage=2"

#define SESSION_NAME "vm-1"
#define MEMFD_TOKEN 0x1234

/*
 * The IOVA is above 4 GiB and not aligned to a superpage; the target of the DMA straddles the border
 * of two leaf tables.
 */
#define MEMORY_SIZE (4UL << 20)
#define MEMORY_IOVA 0x1000003000UL
#define DMA_SOURCE 0UL
#define DMA_TARGET 0x1fcf80UL
#define DMA_LENGTH 256UL

static int report_fd = STDOUT_FILENO;

static void __attribute__((format(printf, 1, 2))) report(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vdprintf(report_fd, format, args);
	va_end(args);
}

static void __attribute__((noreturn)) leave(void)
{
	tcdrain(report_fd);
	reboot(LINUX_REBOOT_CMD_RESTART);
	for (;;)
		pause();
}

static void __attribute__((noreturn)) fail(const char *what)
{
	report("RESULT fail: %s: %s\n", what, strerror(errno));
	leave();
}

static void __attribute__((noreturn)) fail_plain(const char *what)
{
	report("RESULT fail: %s\n", what);
	leave();
}

static long checked(long value, const char *what)
{
	if (value < 0)
		fail(what);
	report("ok %s\n", what);
	return value;
}

#define CHECKED(call) checked((long)(call), #call)

static void *map_memory(int fd, size_t size, int protection, off_t offset)
{
	void *address = mmap(NULL, size, protection, MAP_SHARED, fd, offset);

	if (address == MAP_FAILED)
		fail("mmap");
	return address;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail(path);
	close(fd);
}

static size_t read_some(const char *path, void *buffer, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t done = 0;
	ssize_t got;

	if (fd < 0)
		fail(path);
	while ((got = read(fd, (char *)buffer + done, size - done)) > 0)
		done += (size_t)got;
	if (got < 0)
		fail(path);
	close(fd);
	return done;
}

static void report_bytes(const char *bytes, size_t count)
{
	while (count) {
		ssize_t put = write(report_fd, bytes, count);

		if (put <= 0)
			leave();
		bytes += put;
		count -= (size_t)put;
	}
}

static void report_file(const char *name, const char *path)
{
	char buffer[4096];
	int fd = open(path, O_RDONLY);
	ssize_t got;

	if (fd < 0)
		fail(path);
	report("BEGIN %s\n", name);
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		report_bytes(buffer, (size_t)got);
	if (got < 0)
		fail(path);
	close(fd);
	report("END %s\n", name);
}

static void open_report(void)
{
	struct termios settings;
	int fd = open(REPORT_PORT, O_RDWR | O_NOCTTY);

	if (fd < 0 || tcgetattr(fd, &settings) < 0) {
		printf("lab: no report on " REPORT_PORT ": %s\n", strerror(errno));
		leave();
	}
	cfmakeraw(&settings);
	cfsetspeed(&settings, B115200);
	settings.c_cflag |= CLOCAL;
	if (tcsetattr(fd, TCSANOW, &settings) < 0) {
		printf("lab: cannot set up " REPORT_PORT ": %s\n", strerror(errno));
		leave();
	}
	report_fd = fd;
}

static void mount_all(void)
{
	static const struct {
		const char *type;
		const char *path;
	} mounts[] = {
		{ "proc", "/proc" },
		{ "sysfs", "/sys" },
		{ "devtmpfs", "/dev" },
		{ "debugfs", "/sys/kernel/debug" },
	};
	size_t i;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		if (mkdir(mounts[i].path, 0755) < 0 && errno != EEXIST)
			printf("lab: mkdir %s: %s\n", mounts[i].path, strerror(errno));
		if (mount(mounts[i].type, mounts[i].path, mounts[i].type, 0, NULL) < 0)
			printf("lab: mount %s: %s\n", mounts[i].path, strerror(errno));
	}
}

static uint64_t pattern_word(size_t index)
{
	return ((uint64_t)index + 1) * 0x9e3779b97f4a7c15ULL;
}

static void fill_pattern(uint64_t *words)
{
	size_t i;

	for (i = 0; i < MEMORY_SIZE / sizeof(*words); i++)
		words[i] = pattern_word(i);
}

/* Words that differ from the pattern with the DMA's source copied over its target. */
static size_t count_differences(const uint64_t *words)
{
	size_t i, different = 0;

	for (i = 0; i < MEMORY_SIZE / sizeof(*words); i++) {
		size_t from = i;

		if (i - DMA_TARGET / sizeof(*words) < DMA_LENGTH / sizeof(*words))
			from = i - (DMA_TARGET - DMA_SOURCE) / sizeof(*words);
		different += words[i] != pattern_word(from);
	}
	return different;
}

static int open_vfio_device(void)
{
	char path[sizeof("/dev/vfio/devices/") + NAME_MAX];
	struct dirent *entry;
	int fd = -1;
	DIR *dir;

	write_text(EDU_SYSFS "/driver_override", "vfio-pci");
	write_text("/sys/bus/pci/drivers_probe", EDU_BDF);
	dir = opendir(EDU_SYSFS "/vfio-dev");
	if (!dir)
		fail(EDU_SYSFS "/vfio-dev");
	while (fd < 0 && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4) != 0)
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
		fd = open(path, O_RDWR);
		if (fd < 0)
			fail(path);
	}
	closedir(dir);
	if (fd < 0)
		fail_plain("no vfio character device");
	return fd;
}

static void map_for_dma(int cdev, int iommufd, int memfd)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_hwpt_alloc hwpt = { .size = sizeof(hwpt) };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.fd = memfd,
		.length = MEMORY_SIZE,
		.iova = MEMORY_IOVA,
	};

	CHECKED(ioctl(cdev, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	CHECKED(ioctl(iommufd, IOMMU_IOAS_ALLOC, &ioas));
	hwpt.dev_id = bind.out_devid;
	hwpt.pt_id = ioas.out_ioas_id;
	CHECKED(ioctl(iommufd, IOMMU_HWPT_ALLOC, &hwpt));
	attach.pt_id = hwpt.out_hwpt_id;
	CHECKED(ioctl(cdev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach));
	map.ioas_id = ioas.out_ioas_id;
	CHECKED(ioctl(iommufd, IOMMU_IOAS_MAP_FILE, &map));
}

static void enable_bus_master(int cdev)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	const off_t command_offset = 4;
	uint16_t command;

	CHECKED(ioctl(cdev, VFIO_DEVICE_GET_REGION_INFO, &config));
	if (pread(cdev, &command, sizeof(command), (off_t)config.offset + command_offset) !=
	    sizeof(command))
		fail("reading the PCI command register");
	command |= 0x6; /* memory space, bus master */
	if (pwrite(cdev, &command, sizeof(command), (off_t)config.offset + command_offset) !=
	    sizeof(command))
		fail("writing the PCI command register");
}

static volatile char *map_registers(int cdev)
{
	struct vfio_region_info bar = {
		.argsz = sizeof(bar),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	volatile char *registers;

	CHECKED(ioctl(cdev, VFIO_DEVICE_GET_REGION_INFO, &bar));
	registers = map_memory(cdev, bar.size, PROT_READ | PROT_WRITE, (off_t)bar.offset);
	if ((*(volatile uint32_t *)(registers + EDU_IDENTITY) & 0xff) != 0xed)
		fail_plain("the device is not an edu");
	return registers;
}

static volatile uint64_t *edu_register(volatile char *registers, unsigned int offset)
{
	return (volatile uint64_t *)(registers + offset);
}

static void edu_dma(volatile char *registers, uint64_t source, uint64_t target, uint64_t command)
{
	volatile uint64_t *status = edu_register(registers, EDU_DMA_COMMAND);
	unsigned int waited;

	*edu_register(registers, EDU_DMA_SOURCE) = source;
	*edu_register(registers, EDU_DMA_TARGET) = target;
	*edu_register(registers, EDU_DMA_COUNT) = DMA_LENGTH;
	*status = EDU_DMA_START | command;
	for (waited = 0; *status & EDU_DMA_START; waited++) {
		if (waited == EDU_BUSY_MS)
			fail_plain("the edu device does not finish its DMA");
		usleep(1000);
	}
}

static void preserve_memfd(int liveupdate, int memfd)
{
	struct liveupdate_ioctl_create_session session = {
		.size = sizeof(session),
		.name = SESSION_NAME,
	};
	struct liveupdate_session_preserve_fd preserve = {
		.size = sizeof(preserve),
		.fd = memfd,
		.token = MEMFD_TOKEN,
	};

	CHECKED(ioctl(liveupdate, LIVEUPDATE_IOCTL_CREATE_SESSION, &session));
	CHECKED(ioctl(session.fd, LIVEUPDATE_SESSION_PRESERVE_FD, &preserve));
}

static void load_next_kernel(const char *cmdline)
{
	char next[4096];
	int kernel, initrd, length;

	length = snprintf(next, sizeof(next), "%s %s", cmdline, STAGE2_OPTION);
	if (length < 0 || (size_t)length >= sizeof(next))
		fail_plain("the kernel command line is too long");
	kernel = (int)CHECKED(open("/kernel", O_RDONLY));
	initrd = (int)CHECKED(open("/initrd2", O_RDONLY));
	CHECKED(syscall(SYS_kexec_file_load, kernel, initrd, (size_t)length + 1, next, 0));
	close(kernel);
	close(initrd);
}

static void first_kernel(int liveupdate, const char *cmdline)
{
	volatile char *registers;
	int cdev, iommufd, memfd;
	uint64_t *memory;

	cdev = open_vfio_device();
	iommufd = (int)CHECKED(open("/dev/iommu", O_RDWR));
	memfd = (int)CHECKED(memfd_create("guest", MFD_ALLOW_SEALING));
	CHECKED(ftruncate(memfd, MEMORY_SIZE));
	memory = map_memory(memfd, MEMORY_SIZE, PROT_READ | PROT_WRITE, 0);
	fill_pattern(memory);
	CHECKED(fcntl(memfd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL));

	map_for_dma(cdev, iommufd, memfd);
	enable_bus_master(cdev);
	registers = map_registers(cdev);
	edu_dma(registers, MEMORY_IOVA + DMA_SOURCE, EDU_BUFFER, 0);
	edu_dma(registers, EDU_BUFFER, MEMORY_IOVA + DMA_TARGET, EDU_DMA_TO_RAM);
	if (count_differences(memory))
		fail_plain("the DMA did not arrive in the first kernel");
	report("ok DMA through VT-d\n");

	preserve_memfd(liveupdate, memfd);
	load_next_kernel(cmdline);
	report_file("regset", VTD_DEBUGFS "/iommu_regset");
	report_file("domain", VTD_DEBUGFS "/" EDU_BDF "/domain_translation_struct");
	report_file("dmar", VTD_DEBUGFS "/dmar_translation_struct");
	report("JUMP\n");
	tcdrain(report_fd);
	reboot(LINUX_REBOOT_CMD_KEXEC);
	fail("reboot(LINUX_REBOOT_CMD_KEXEC)");
}

static bool report_setup_data(unsigned int index)
{
	char path[64], type[16] = "";
	struct kho_data kho;

	snprintf(path, sizeof(path), "/sys/kernel/boot_params/setup_data/%u/type", index);
	if (access(path, R_OK) < 0)
		return false;
	read_some(path, type, sizeof(type) - 1);
	if (strtoul(type, NULL, 0) != SETUP_KEXEC_KHO)
		return true;
	snprintf(path, sizeof(path), "/sys/kernel/boot_params/setup_data/%u/data", index);
	if (read_some(path, &kho, sizeof(kho)) != sizeof(kho))
		fail_plain("the KHO entry of setup_data is short");
	report("KHO fdt=0x%llx scratch=0x%llx scratch_size=0x%llx\n",
	       (unsigned long long)kho.fdt_addr, (unsigned long long)kho.scratch_addr,
	       (unsigned long long)kho.scratch_size);
	return true;
}

static void second_kernel(int liveupdate)
{
	struct liveupdate_ioctl_retrieve_session session = {
		.size = sizeof(session),
		.name = SESSION_NAME,
	};
	struct liveupdate_session_retrieve_fd retrieve = {
		.size = sizeof(retrieve),
		.token = MEMFD_TOKEN,
	};
	struct liveupdate_session_finish finish = { .size = sizeof(finish) };
	unsigned int index = 0;
	size_t different;

	while (report_setup_data(index))
		index++;
	CHECKED(ioctl(liveupdate, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &session));
	report_file("postboot-regset", VTD_DEBUGFS "/iommu_regset");
	report_file("postboot-dmar", VTD_DEBUGFS "/dmar_translation_struct");
	report("SNAPSHOT\n");
	tcdrain(report_fd);
	sync(); /* the host waits for this system call with a breakpoint */

	CHECKED(ioctl(session.fd, LIVEUPDATE_SESSION_RETRIEVE_FD, &retrieve));
	different = count_differences(map_memory(retrieve.fd, MEMORY_SIZE, PROT_READ, 0));
	report("words that differ: %zu of %zu\n", different, MEMORY_SIZE / sizeof(uint64_t));
	if (different)
		fail_plain("the memfd changed on its way");
	CHECKED(ioctl(session.fd, LIVEUPDATE_SESSION_FINISH, &finish));
	report("RESULT pass\n");
	leave();
}

int main(void)
{
	char cmdline[2048] = "";
	int liveupdate;

	setvbuf(stdout, NULL, _IONBF, 0);
	mount_all();
	open_report();
	read_some("/proc/cmdline", cmdline, sizeof(cmdline) - 1);
	cmdline[strcspn(cmdline, "\n")] = 0;
	liveupdate = (int)CHECKED(open("/dev/liveupdate", O_RDWR));
	if (strstr(cmdline, STAGE2_OPTION))
		second_kernel(liveupdate);
	else
		first_kernel(liveupdate, cmdline);
	return 0;
}
