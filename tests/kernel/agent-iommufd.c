// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Commands of the agent for iommufd: IOAS, mappings, HWPTs, dirty tracking, the mark of an HWPT. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/iommufd_liveupdate.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int control(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

/* iommufd NAME */
static int run_iommufd(struct call *call)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : new_object(call, call->words[0], fd, NULL);
}

/* ioas IOMMUFD: the new IOAS's id */
static int run_ioas(struct call *call)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct object *iommufd;
	int err = object_at(call, 0, &iommufd);

	if (!err)
		err = control(iommufd->fd, IOMMU_IOAS_ALLOC, &alloc);
	if (!err)
		reply(call, " %u", alloc.out_ioas_id);
	return err;
}

static int map_flags(struct call *call, uint64_t *iova, uint32_t *flags)
{
	uint64_t writeable;
	int err = number_option(call, "writeable", 1, &writeable);

	if (!err)
		err = number_option(call, "iova", 0, iova);
	*flags = IOMMU_IOAS_MAP_READABLE;
	if (text_option(call, "iova"))
		*flags |= IOMMU_IOAS_MAP_FIXED_IOVA;
	if (writeable)
		*flags |= IOMMU_IOAS_MAP_WRITEABLE;
	return err;
}

/* map-file IOMMUFD IOAS FILE LENGTH [off=N] [iova=N] [writeable=0|1]: the IOVA */
static int run_map_file(struct call *call)
{
	struct iommu_ioas_map_file map = { .size = sizeof(map) };
	uint64_t ioas, length, offset, iova;
	struct object *iommufd, *file;
	int err;

	if ((err = object_at(call, 0, &iommufd)) || (err = number_at(call, 1, &ioas)) ||
	    (err = object_at(call, 2, &file)) || (err = number_at(call, 3, &length)) ||
	    (err = number_option(call, "off", 0, &offset)) ||
	    (err = map_flags(call, &iova, &map.flags)))
		return err;
	map.ioas_id = (uint32_t)ioas;
	map.fd = file->fd;
	map.start = offset;
	map.length = length;
	map.iova = iova;
	err = control(iommufd->fd, IOMMU_IOAS_MAP_FILE, &map);
	if (!err)
		reply(call, " 0x%llx", (unsigned long long)map.iova);
	return err;
}

/* map IOMMUFD IOAS MEMORY LENGTH [off=N] [iova=N] [writeable=0|1]: by address; the IOVA */
static int run_map(struct call *call)
{
	struct iommu_ioas_map map = { .size = sizeof(map) };
	uint64_t ioas, length, offset, iova;
	struct object *iommufd, *memory;
	int err;

	if ((err = object_at(call, 0, &iommufd)) || (err = number_at(call, 1, &ioas)) ||
	    (err = mapped_object_at(call, 2, &memory)) || (err = number_at(call, 3, &length)) ||
	    (err = number_option(call, "off", 0, &offset)) ||
	    (err = map_flags(call, &iova, &map.flags)))
		return err;
	map.ioas_id = (uint32_t)ioas;
	map.user_va = (uint64_t)(uintptr_t)memory->map + offset;
	map.length = length;
	map.iova = iova;
	err = control(iommufd->fd, IOMMU_IOAS_MAP, &map);
	if (!err)
		reply(call, " 0x%llx", (unsigned long long)map.iova);
	return err;
}

/* unmap IOMMUFD IOAS IOVA LENGTH: bytes unmapped */
static int run_unmap(struct call *call)
{
	struct iommu_ioas_unmap unmap = { .size = sizeof(unmap) };
	uint64_t ioas, iova, length;
	struct object *iommufd;
	int err;

	if ((err = object_at(call, 0, &iommufd)) || (err = number_at(call, 1, &ioas)) ||
	    (err = number_at(call, 2, &iova)) || (err = number_at(call, 3, &length)))
		return err;
	unmap.ioas_id = (uint32_t)ioas;
	unmap.iova = iova;
	unmap.length = length;
	err = control(iommufd->fd, IOMMU_IOAS_UNMAP, &unmap);
	if (!err)
		reply(call, " 0x%llx", (unsigned long long)unmap.length);
	return err;
}

/* copy IOMMUFD FROM_IOAS TO_IOAS IOVA LENGTH: the IOVA in the second IOAS */
static int run_copy(struct call *call)
{
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE,
	};
	uint64_t from, to, iova, length;
	struct object *iommufd;
	int err;

	if ((err = object_at(call, 0, &iommufd)) || (err = number_at(call, 1, &from)) ||
	    (err = number_at(call, 2, &to)) || (err = number_at(call, 3, &iova)) ||
	    (err = number_at(call, 4, &length)))
		return err;
	copy.src_ioas_id = (uint32_t)from;
	copy.dst_ioas_id = (uint32_t)to;
	copy.src_iova = iova;
	copy.length = length;
	err = control(iommufd->fd, IOMMU_IOAS_COPY, &copy);
	if (!err)
		reply(call, " 0x%llx", (unsigned long long)copy.dst_iova);
	return err;
}

/* fault-queue IOMMUFD FILE: the queue's id; what arrives in it is read from FILE */
static int run_fault_queue(struct call *call)
{
	struct iommu_fault_alloc alloc = { .size = sizeof(alloc) };
	struct object *iommufd;
	int err = object_at(call, 0, &iommufd);

	if (!err)
		err = control(iommufd->fd, IOMMU_FAULT_QUEUE_ALLOC, &alloc);
	if (!err)
		err = new_object(call, call->words[1], (int)alloc.out_fault_fd, NULL);
	if (!err)
		reply(call, " %u", alloc.out_fault_id);
	return err;
}

/* hwpt IOMMUFD DEVICE PARENT [nest=1] [dirty=1] [pasid=1] [fault=QUEUE] [s1=PGTBL [width=48]]: its id */
static int run_hwpt(struct call *call)
{
	struct iommu_hwpt_alloc alloc = { .size = sizeof(alloc) };
	struct iommu_hwpt_vtd_s1 stage1 = { 0 };
	uint64_t device, parent, nest, dirty, pasid, fault, width, table;
	struct object *iommufd;
	int err;

	if ((err = object_at(call, 0, &iommufd)) || (err = number_at(call, 1, &device)) ||
	    (err = number_at(call, 2, &parent)) || (err = number_option(call, "nest", 0, &nest)) ||
	    (err = number_option(call, "dirty", 0, &dirty)) ||
	    (err = number_option(call, "pasid", 0, &pasid)) ||
	    (err = number_option(call, "fault", 0, &fault)) ||
	    (err = number_option(call, "s1", 0, &table)) ||
	    (err = number_option(call, "width", 48, &width)))
		return err;
	alloc.dev_id = (uint32_t)device;
	alloc.pt_id = (uint32_t)parent;
	alloc.flags = (nest ? IOMMU_HWPT_ALLOC_NEST_PARENT : 0) |
		      (dirty ? IOMMU_HWPT_ALLOC_DIRTY_TRACKING : 0) |
		      (pasid ? IOMMU_HWPT_ALLOC_PASID : 0) |
		      (fault ? IOMMU_HWPT_FAULT_ID_VALID : 0);
	alloc.fault_id = (uint32_t)fault;
	if (text_option(call, "s1")) {
		stage1.pgtbl_addr = table;
		stage1.addr_width = (uint32_t)width;
		alloc.data_type = IOMMU_HWPT_DATA_VTD_S1;
		alloc.data_len = sizeof(stage1);
		alloc.data_uptr = (uint64_t)(uintptr_t)&stage1;
	}
	err = control(iommufd->fd, IOMMU_HWPT_ALLOC, &alloc);
	if (!err)
		reply(call, " %u", alloc.out_hwpt_id);
	return err;
}

/* destroy IOMMUFD ID */
static int run_destroy(struct call *call)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy) };
	struct object *iommufd;
	uint64_t id;
	int err;

	if ((err = object_at(call, 0, &iommufd)) || (err = number_at(call, 1, &id)))
		return err;
	destroy.id = (uint32_t)id;
	return control(iommufd->fd, IOMMU_DESTROY, &destroy);
}

/* dirty-tracking IOMMUFD HWPT 0|1 */
static int run_dirty_tracking(struct call *call)
{
	struct iommu_hwpt_set_dirty_tracking set = { .size = sizeof(set) };
	struct object *iommufd;
	uint64_t hwpt, enable;
	int err;

	if ((err = object_at(call, 0, &iommufd)) || (err = number_at(call, 1, &hwpt)) ||
	    (err = number_at(call, 2, &enable)))
		return err;
	set.hwpt_id = (uint32_t)hwpt;
	set.flags = enable ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0;
	return control(iommufd->fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &set);
}

/* dirty-bitmap IOMMUFD HWPT IOVA LENGTH [page=4096] [keep=0|1]: the bitmap, bit 0 first */
static int run_dirty_bitmap(struct call *call)
{
	struct iommu_hwpt_get_dirty_bitmap get = { .size = sizeof(get) };
	uint64_t hwpt, iova, length, page, keep;
	struct object *iommufd;
	unsigned char *bitmap;
	size_t bytes;
	int err;

	if ((err = object_at(call, 0, &iommufd)) || (err = number_at(call, 1, &hwpt)) ||
	    (err = number_at(call, 2, &iova)) || (err = number_at(call, 3, &length)) ||
	    (err = number_option(call, "page", 4096, &page)) ||
	    (err = number_option(call, "keep", 0, &keep)))
		return err;
	bytes = page ? (size_t)(length / page / 64 + 1) * 8 : 8;
	bitmap = calloc(1, bytes);
	if (!bitmap)
		return -ENOMEM;
	get.hwpt_id = (uint32_t)hwpt;
	get.flags = keep ? IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR : 0;
	get.iova = iova;
	get.length = length;
	get.page_size = page;
	get.data = (uint64_t)(uintptr_t)bitmap;
	err = control(iommufd->fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get);
	if (!err)
		reply_hex(call, bitmap, bytes);
	free(bitmap);
	return err;
}

/* hw-info IOMMUFD DEVICE: type, capability register, extended one, log2 of the PASID limit */
static int run_hw_info(struct call *call)
{
	struct iommu_hw_info_vtd vtd = { 0 };
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.data_len = sizeof(vtd),
		.data_uptr = (uint64_t)(uintptr_t)&vtd,
	};
	struct object *iommufd;
	uint64_t device;
	int err;

	if ((err = object_at(call, 0, &iommufd)) || (err = number_at(call, 1, &device)))
		return err;
	info.dev_id = (uint32_t)device;
	err = control(iommufd->fd, IOMMU_GET_HW_INFO, &info);
	if (!err)
		reply(call, " %u 0x%llx 0x%llx %u", info.out_data_type,
		      (unsigned long long)vtd.cap_reg, (unsigned long long)vtd.ecap_reg,
		      info.out_max_pasid_log2);
	return err;
}

/* mark IOMMUFD HWPT TOKEN [size=N]: for a live update */
static int run_mark(struct call *call)
{
	struct {
		struct iommu_hwpt_liveupdate_mark mark;
		uint64_t tail;
	} argument = { 0 };
	struct object *iommufd;
	uint64_t hwpt, token, size;
	int err;

	if ((err = object_at(call, 0, &iommufd)) || (err = number_at(call, 1, &hwpt)) ||
	    (err = number_at(call, 2, &token)) ||
	    (err = number_option(call, "size", sizeof(argument.mark), &size)) ||
	    (err = number_option(call, "tail", 0, &argument.tail)))
		return err;
	argument.mark.size = (uint32_t)size;
	argument.mark.hwpt_id = (uint32_t)hwpt;
	argument.mark.hwpt_token = token;
	return control(iommufd->fd, IOMMU_HWPT_LIVEUPDATE_MARK, &argument);
}

/* mark-pasid IOMMUFD DEVICE PASID [reserved=N]: the attachment of a PASID, likewise */
static int run_mark_pasid(struct call *call)
{
	struct iommu_device_liveupdate_mark_pasid mark = { .size = sizeof(mark) };
	uint64_t device, pasid, reserved;
	struct object *iommufd;
	int err;

	if ((err = object_at(call, 0, &iommufd)) || (err = number_at(call, 1, &device)) ||
	    (err = number_at(call, 2, &pasid)) ||
	    (err = number_option(call, "reserved", 0, &reserved)))
		return err;
	mark.dev_id = (uint32_t)device;
	mark.pasid = (uint32_t)pasid;
	mark.__reserved = (uint32_t)reserved;
	return control(iommufd->fd, IOMMU_DEVICE_LIVEUPDATE_MARK_PASID, &mark);
}

/*
 * hwpt-restore IOMMUFD TOKEN [flags=N] [reserved=N] [size=N] [tail=N]: the id of a preserved HWPT,
 * also beside EBUSY
 */
static int run_hwpt_restore(struct call *call)
{
	struct {
		struct iommu_hwpt_liveupdate_restore restore;
		uint64_t tail;
	} argument = { 0 };
	uint64_t token, flags, reserved, size;
	struct object *iommufd;
	int err;

	if ((err = object_at(call, 0, &iommufd)) || (err = number_at(call, 1, &token)) ||
	    (err = number_option(call, "flags", 0, &flags)) ||
	    (err = number_option(call, "reserved", 0, &reserved)) ||
	    (err = number_option(call, "size", sizeof(argument.restore), &size)) ||
	    (err = number_option(call, "tail", 0, &argument.tail)))
		return err;
	argument.restore.size = (uint32_t)size;
	argument.restore.flags = (uint32_t)flags;
	argument.restore.hwpt_token = token;
	argument.restore.__reserved = (uint32_t)reserved;
	err = control(iommufd->fd, IOMMU_HWPT_LIVEUPDATE_RESTORE, &argument);
	if (!err || err == -EBUSY)
		reply(call, " %u", argument.restore.out_hwpt_id);
	return err;
}

/* clang-format off */
const struct command iommufd_commands[] = {
	{ "iommufd", 1, run_iommufd },
	{ "ioas", 1, run_ioas },
	{ "map-file", 4, run_map_file },
	{ "map", 4, run_map },
	{ "unmap", 4, run_unmap },
	{ "copy", 5, run_copy },
	{ "fault-queue", 2, run_fault_queue },
	{ "hwpt", 3, run_hwpt },
	{ "destroy", 2, run_destroy },
	{ "dirty-tracking", 3, run_dirty_tracking },
	{ "dirty-bitmap", 4, run_dirty_bitmap },
	{ "hw-info", 2, run_hw_info },
	{ "mark", 3, run_mark },
	{ "mark-pasid", 3, run_mark_pasid },
	{ "hwpt-restore", 2, run_hwpt_restore },
	{ 0 },
};
/* clang-format on */
