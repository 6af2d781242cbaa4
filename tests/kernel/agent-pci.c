// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Commands of the agent for PCI devices: drivers, config space, vfio's cdev, QEMU's edu device. */
#include "agent.h"
#include "edu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICES "/sys/bus/pci/devices/"

static int device_file(struct call *call, const char *bdf, const char *name, char *path)
{
	if (strchr(bdf, '/') || snprintf(path, PATH_MAX, DEVICES "%s/%s", bdf, name) >= PATH_MAX)
		return refuse(call, EBADMSG, "malformed device address");
	return 0;
}

/* driver BDF: the driver's name, or "none" */
static int run_driver(struct call *call)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;
	int err = device_file(call, call->words[0], "driver", path);

	if (err)
		return err;
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0 && errno != ENOENT)
		return -errno;
	target[length < 0 ? 0 : length] = 0;
	reply(call, " %s", length < 0 ? "none" : strrchr(target, '/') + 1);
	return 0;
}

/* unbind BDF: from whatever driver it has */
static int run_unbind(struct call *call)
{
	char path[PATH_MAX];
	int err = device_file(call, call->words[0], "driver/unbind", path);

	return err ? err : write_file(path, call->words[0], strlen(call->words[0]));
}

/* override BDF [DRIVER]: which driver may bind; any when none is named */
static int run_override(struct call *call)
{
	const char *driver = call->count > 1 ? call->words[1] : "\n";
	char path[PATH_MAX];
	int err = device_file(call, call->words[0], "driver_override", path);

	return err ? err : write_file(path, driver, strlen(driver));
}

/* bind-driver BDF DRIVER: override and the driver's own bind file, whose error is the answer */
static int run_bind_driver(struct call *call)
{
	char path[PATH_MAX];
	int err = run_override(call);

	if (err)
		return err;
	if (strchr(call->words[1], '/'))
		return refuse(call, EBADMSG, "malformed driver name");
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/bind", call->words[1]);
	return write_file(path, call->words[0], strlen(call->words[0]));
}

/* cdev NAME BDF: open vfio's character device */
static int run_cdev(struct call *call)
{
	char path[PATH_MAX], node[sizeof("/dev/vfio/devices/") + NAME_MAX] = "";
	struct dirent *entry;
	int fd, err;
	DIR *dir;

	err = device_file(call, call->words[1], "vfio-dev", path);
	if (err)
		return err;
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, "vfio", 4))
			snprintf(node, sizeof(node), "/dev/vfio/devices/%s", entry->d_name);
	closedir(dir);
	if (!node[0])
		return -ENODEV;
	fd = open(node, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : new_object(call, call->words[0], fd, NULL);
}

/* bind CDEV IOMMUFD: the device's id in the iommufd */
static int run_bind(struct call *call)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct object *cdev, *iommufd;
	int err;

	if ((err = object_at(call, 0, &cdev)) || (err = object_at(call, 1, &iommufd)))
		return err;
	bind.iommufd = iommufd->fd;
	if (ioctl(cdev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind) < 0)
		return -errno;
	reply(call, " %u", bind.out_devid);
	return 0;
}

/* attach CDEV ID [pasid=N]: to an IOAS or HWPT; replaces an earlier one; the HWPT or IOAS used */
static int run_attach(struct call *call)
{
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	struct object *cdev;
	uint64_t id, pasid;
	int err;

	if ((err = object_at(call, 0, &cdev)) || (err = number_at(call, 1, &id)) ||
	    (err = number_option(call, "pasid", 0, &pasid)))
		return err;
	attach.pt_id = (uint32_t)id;
	attach.pasid = (uint32_t)pasid;
	if (text_option(call, "pasid"))
		attach.flags = VFIO_DEVICE_ATTACH_PASID;
	if (ioctl(cdev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) < 0)
		return -errno;
	reply(call, " %u", attach.pt_id);
	return 0;
}

/* detach CDEV [pasid=N] */
static int run_detach(struct call *call)
{
	struct vfio_device_detach_iommufd_pt detach = { .argsz = sizeof(detach) };
	struct object *cdev;
	uint64_t pasid;
	int err;

	if ((err = object_at(call, 0, &cdev)) || (err = number_option(call, "pasid", 0, &pasid)))
		return err;
	detach.pasid = (uint32_t)pasid;
	if (text_option(call, "pasid"))
		detach.flags = VFIO_DEVICE_DETACH_PASID;
	return ioctl(cdev->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach) < 0 ? -errno : 0;
}

/* reset CDEV */
static int run_reset(struct call *call)
{
	struct object *cdev;
	int err = object_at(call, 0, &cdev);

	if (err)
		return err;
	return ioctl(cdev->fd, VFIO_DEVICE_RESET) < 0 ? -errno : 0;
}

/* device-info CDEV: flags, number of regions, of interrupts */
static int run_device_info(struct call *call)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct object *cdev;
	int err = object_at(call, 0, &cdev);

	if (err)
		return err;
	if (ioctl(cdev->fd, VFIO_DEVICE_GET_INFO, &info) < 0)
		return -errno;
	reply(call, " 0x%x %u %u", info.flags, info.num_regions, info.num_irqs);
	return 0;
}

static int region(int cdev, unsigned int index, struct vfio_region_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	info->index = index;
	return ioctl(cdev, VFIO_DEVICE_GET_REGION_INFO, info) < 0 ? -errno : 0;
}

/* bar NAME CDEV INDEX: map a BAR through vfio */
static int run_bar(struct call *call)
{
	struct vfio_region_info info;
	struct object *cdev, *bar;
	uint64_t index;
	int fd, err;

	if ((err = object_at(call, 1, &cdev)) || (err = number_at(call, 2, &index)) ||
	    (err = region(cdev->fd, (unsigned int)index, &info)))
		return err;
	fd = fcntl(cdev->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	err = new_object(call, call->words[0], fd, &bar);
	if (err)
		return err;
	err = map_object(bar, info.size, (int64_t)info.offset);
	if (err) {
		free_object(bar);
		return err;
	}
	close(bar->fd);
	bar->fd = -1;
	return 0;
}

/* resource NAME BDF INDEX: map a BAR through sysfs, with no driver in the way */
static int run_resource(struct call *call)
{
	char path[PATH_MAX], file[32];
	struct object *bar;
	uint64_t index;
	struct stat st;
	int fd, err;

	if ((err = number_at(call, 2, &index)))
		return err;
	snprintf(file, sizeof(file), "resource%u", (unsigned int)index);
	err = device_file(call, call->words[1], file, path);
	if (err)
		return err;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = new_object(call, call->words[0], fd, &bar);
	if (err)
		return err;
	if (fstat(fd, &st) < 0)
		err = -errno;
	if (!err)
		err = map_object(bar, (size_t)st.st_size, 0);
	if (err)
		free_object(bar);
	return err;
}

static int access_bytes(struct call *call, int fd, off_t at, uint64_t width, uint64_t *value,
			bool store)
{
	ssize_t done;

	if (width != 1 && width != 2 && width != 4)
		return refuse(call, EBADMSG, "no such width");
	done = store ? pwrite(fd, value, width, at) : pread(fd, value, width, at);
	if (done < 0)
		return -errno;
	if ((uint64_t)done != width)
		return -EIO;
	if (!store)
		reply(call, " 0x%llx", (unsigned long long)*value);
	return 0;
}

static int config_access(struct call *call, bool store)
{
	uint64_t offset, width, value = 0;
	char path[PATH_MAX];
	int fd, err;

	if ((err = number_at(call, 1, &offset)) || (err = number_at(call, 2, &width)) ||
	    (store && (err = number_at(call, 3, &value))) ||
	    (err = device_file(call, call->words[0], "config", path)))
		return err;
	fd = open(path, store ? O_RDWR : O_RDONLY);
	if (fd < 0)
		return -errno;
	err = access_bytes(call, fd, (off_t)offset, width, &value, store);
	close(fd);
	return err;
}

/* config-read BDF OFFSET WIDTH: through sysfs */
static int run_config_read(struct call *call)
{
	return config_access(call, false);
}

/* config-write BDF OFFSET WIDTH VALUE */
static int run_config_write(struct call *call)
{
	return config_access(call, true);
}

static int cdev_config_access(struct call *call, bool store)
{
	uint64_t offset, width, value = 0;
	struct vfio_region_info info;
	struct object *cdev;
	int err;

	if ((err = object_at(call, 0, &cdev)) || (err = number_at(call, 1, &offset)) ||
	    (err = number_at(call, 2, &width)) || (store && (err = number_at(call, 3, &value))) ||
	    (err = region(cdev->fd, VFIO_PCI_CONFIG_REGION_INDEX, &info)))
		return err;
	return access_bytes(call, cdev->fd, (off_t)(info.offset + offset), width, &value, store);
}

/* cdev-config-read CDEV OFFSET WIDTH: through vfio */
static int run_cdev_config_read(struct call *call)
{
	return cdev_config_access(call, false);
}

/* cdev-config-write CDEV OFFSET WIDTH VALUE */
static int run_cdev_config_write(struct call *call)
{
	return cdev_config_access(call, true);
}

/* dmabuf NAME CDEV INDEX OFFSET LENGTH: a dma-buf of a part of a BAR */
static int run_dmabuf(struct call *call)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf get;
		struct vfio_region_dma_range range;
	} argument;
	uint64_t index, offset, length;
	struct object *cdev;
	int fd, err;

	if ((err = object_at(call, 1, &cdev)) || (err = number_at(call, 2, &index)) ||
	    (err = number_at(call, 3, &offset)) || (err = number_at(call, 4, &length)))
		return err;
	memset(&argument, 0, sizeof(argument));
	argument.feature.argsz = sizeof(argument);
	argument.feature.flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF;
	argument.get.region_index = (uint32_t)index;
	argument.get.open_flags = O_RDWR | O_CLOEXEC;
	argument.get.nr_ranges = 1;
	argument.range.offset = offset;
	argument.range.length = length;
	fd = ioctl(cdev->fd, VFIO_DEVICE_FEATURE, &argument);
	if (fd < 0)
		return errno == ENOTTY ? -EOPNOTSUPP : -errno;
	return new_object(call, call->words[0], fd, NULL);
}

/*
 * edu-dma BAR to-ram|from-ram IOVA LENGTH [buffer=OFFSET] [wait=0|1]: one transfer between memory
 * and the device's buffer. It happens 100 ms of virtual time after this command started it.
 */
static int run_edu_dma(struct call *call)
{
	uint64_t iova, length, buffer, wait, waited;
	volatile uint64_t *command;
	struct object *bar;
	bool to_ram;
	char *base;
	int err;

	if ((err = mapped_object_at(call, 0, &bar)) || (err = number_at(call, 2, &iova)) ||
	    (err = number_at(call, 3, &length)) ||
	    (err = number_option(call, "buffer", 0, &buffer)) ||
	    (err = number_option(call, "wait", 1, &wait)))
		return err;
	to_ram = !strcmp(call->words[1], "to-ram");
	if (!to_ram && strcmp(call->words[1], "from-ram") != 0)
		return refuse(call, EBADMSG, "to-ram or from-ram");
	base = bar->map;
	if ((*(volatile uint32_t *)(base + EDU_IDENTITY) & 0xff) != 0xed)
		return refuse(call, ENODEV, "the BAR isn't an edu device's, or is switched off");
	buffer += EDU_BUFFER;
	*(volatile uint64_t *)(base + EDU_DMA_SOURCE) = to_ram ? buffer : iova;
	*(volatile uint64_t *)(base + EDU_DMA_TARGET) = to_ram ? iova : buffer;
	*(volatile uint64_t *)(base + EDU_DMA_COUNT) = length;
	command = (volatile uint64_t *)(base + EDU_DMA_COMMAND);
	*command = EDU_DMA_START | (to_ram ? EDU_DMA_TO_RAM : 0);
	for (waited = 0; wait && *command & EDU_DMA_START; waited++) {
		if (waited == EDU_BUSY_MS)
			return -ETIMEDOUT;
		usleep(1000);
	}
	return 0;
}

/* clang-format off */
const struct command pci_commands[] = {
	{ "driver", 1, run_driver },
	{ "unbind", 1, run_unbind },
	{ "override", 1, run_override },
	{ "bind-driver", 2, run_bind_driver },
	{ "cdev", 2, run_cdev },
	{ "bind", 2, run_bind },
	{ "attach", 2, run_attach },
	{ "detach", 1, run_detach },
	{ "reset", 1, run_reset },
	{ "device-info", 1, run_device_info },
	{ "bar", 3, run_bar },
	{ "resource", 3, run_resource },
	{ "config-read", 3, run_config_read },
	{ "config-write", 4, run_config_write },
	{ "cdev-config-read", 3, run_cdev_config_read },
	{ "cdev-config-write", 4, run_cdev_config_write },
	{ "dmabuf", 5, run_dmabuf },
	{ "edu-dma", 4, run_edu_dma },
	{ 0 },
};
/* clang-format on */
