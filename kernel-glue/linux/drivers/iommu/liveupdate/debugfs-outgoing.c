// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs iommu/liveupdate/outgoing: the handover to the next kernel, as it is
 * at the moment, as a portable image.
 *
 * Opening it fails with ENODATA when nothing is preserved. Reading goes on
 * from where it was, and fails with ESTALE once something was preserved or
 * unpreserved after the file was opened.
 */
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * struct outgoing_file - an open file
 * @stream: the image
 * @serial: of the handover that the image was listed from
 */
struct outgoing_file {
	struct iommu_ikho_stream *stream;
	u64 serial;
};

/* While nothing changes, what was listed is there and stays there. */
static int copy_outgoing(void *ctx, void *to, u64 phys, u32 length)
{
	const struct outgoing_file *opened = ctx;
	const struct iommu_liveupdate_handover *handover;

	guard(mutex)(&iommu_liveupdate_lock);
	handover = iommu_liveupdate_outgoing();
	if (!handover || handover->serial != opened->serial)
		return -ESTALE;
	memcpy(to, phys_to_virt(phys), length);
	return 0;
}

static int start_outgoing(struct outgoing_file *opened)
{
	struct iommu_ikho_origin origin = {
		.origin = "outgoing",
		.env = &iommu_liveupdate_own_memory,
		.copy = copy_outgoing,
		.ctx = opened,
	};
	const struct iommu_liveupdate_handover *handover;

	guard(mutex)(&iommu_liveupdate_lock);
	handover = iommu_liveupdate_outgoing();
	if (!handover)
		return -ENODATA;
	opened->serial = handover->serial;
	origin.root = iommuser_writer_root(&handover->writer);
	opened->stream = iommu_ikho_open(&origin);
	return PTR_ERR_OR_ZERO(opened->stream);
}

static int outgoing_open(struct inode *inode, struct file *file)
{
	struct outgoing_file *opened = kzalloc_obj(*opened);
	int ret;

	if (!opened)
		return -ENOMEM;
	ret = start_outgoing(opened);
	if (ret) {
		kfree(opened);
		return ret;
	}
	file->private_data = opened;
	return stream_open(inode, file);
}

static ssize_t outgoing_read(struct file *file, char __user *to, size_t count, loff_t *pos)
{
	const struct outgoing_file *opened = file->private_data;

	return iommu_ikho_read(opened->stream, to, count);
}

static int outgoing_release(struct inode *inode, struct file *file)
{
	struct outgoing_file *opened = file->private_data;

	iommu_ikho_close(opened->stream);
	kfree(opened);
	return 0;
}

static const struct file_operations outgoing_fops = {
	.owner = THIS_MODULE,
	.open = outgoing_open,
	.read = outgoing_read,
	.release = outgoing_release,
};

struct dentry *iommu_liveupdate_debugfs;

static int __init outgoing_debugfs_init(void)
{
	iommu_liveupdate_debugfs = debugfs_create_dir("liveupdate", iommu_debugfs_dir);
	debugfs_create_file("outgoing", 0400, iommu_liveupdate_debugfs, NULL, &outgoing_fops);
	return 0;
}
fs_initcall(outgoing_debugfs_init);
