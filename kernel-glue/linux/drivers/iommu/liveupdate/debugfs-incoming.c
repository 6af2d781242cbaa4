// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs iommu/liveupdate/incoming: the handover that this kernel was given,
 * as a portable image, from boot until its FLB is finished (ENODATA after that).
 * Tables of devices and domains that were released are left out; reading fails
 * with ESTALE when that happens after the file was opened.
 *
 * debugfs iommu/liveupdate/state: one line per record, and what keeps the
 * handover from being finished.
 */
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "incoming.h"
#include "internal.h"

/**
 * struct incoming_file - an open file
 * @stream: the image
 * @incoming: what it was listed from; only compared
 */
struct incoming_file {
	struct iommu_ikho_stream *stream;
	struct iommu_incoming *incoming;
};

static int copy_within_page(struct iommu_incoming *incoming, void *to, u64 phys, u32 length)
{
	const void *from = iommu_incoming_map(&incoming->pages, phys, length);

	if (!from || copy_from_kernel_nofault(to, from, length))
		return -ESTALE;
	return 0;
}

static int copy_incoming(void *ctx, void *to, u64 phys, u32 length)
{
	const struct incoming_file *opened = ctx;
	u32 done, part;
	int ret = 0;

	guard(mutex)(&iommu_incoming_lock);
	if (iommu_incoming_shown != opened->incoming)
		return -ESTALE;
	for (done = 0; !ret && done < length; done += part) {
		part = min_t(u32, length - done, PAGE_SIZE - offset_in_page(phys + done));
		ret = copy_within_page(opened->incoming, to + done, phys + done, part);
	}
	return ret;
}

static int start_incoming(struct incoming_file *opened)
{
	struct iommu_ikho_origin origin = {
		.origin = "incoming",
		.copy = copy_incoming,
		.ctx = opened,
	};
	struct iommu_incoming *incoming;

	guard(mutex)(&iommu_incoming_lock);
	incoming = iommu_incoming_shown;
	if (!incoming)
		return -ENODATA;
	opened->incoming = incoming;
	origin.root = incoming->root;
	origin.env = &incoming->env;
	opened->stream = iommu_ikho_open(&origin);
	return PTR_ERR_OR_ZERO(opened->stream);
}

static int incoming_open(struct inode *inode, struct file *file)
{
	struct incoming_file *opened = kzalloc_obj(*opened);
	int ret;

	if (!opened)
		return -ENOMEM;
	ret = start_incoming(opened);
	if (ret) {
		kfree(opened);
		return ret;
	}
	file->private_data = opened;
	return stream_open(inode, file);
}

static ssize_t incoming_read(struct file *file, char __user *to, size_t count, loff_t *pos)
{
	const struct incoming_file *opened = file->private_data;

	return iommu_ikho_read(opened->stream, to, count);
}

static int incoming_release(struct inode *inode, struct file *file)
{
	struct incoming_file *opened = file->private_data;

	iommu_ikho_close(opened->stream);
	kfree(opened);
	return 0;
}

static const struct file_operations incoming_fops = {
	.owner = THIS_MODULE,
	.open = incoming_open,
	.read = incoming_read,
	.release = incoming_release,
};

/* The state of each record */

static const char *device_state(const struct iommu_incoming_device *device)
{
	switch (device->state) {
	case IOMMU_INCOMING_CLAIMED:
		return "claimed, the device did not appear";
	case IOMMU_INCOMING_RUNNING:
		return "restored, waits for its iommufd";
	case IOMMU_INCOMING_BLOCKED:
		return "blocked";
	case IOMMU_INCOMING_RELEASED:
		return "released";
	default:
		return "deleted";
	}
}

static void show_units(struct seq_file *seq, const struct iommu_incoming *incoming)
{
	const struct iommu_incoming_unit *unit;
	u64 i;

	for (i = 0; i < incoming->nr_units; i++) {
		unit = &incoming->units[i];
		if (!unit->live)
			seq_printf(seq, "iommu %llu: deleted\n", i);
		else
			seq_printf(seq, "iommu %llu: registers %#llx: %s\n", i, unit->record.token,
				   unit->given ? "restored" : "claimed, the unit did not appear");
	}
}

static void show_domains(struct seq_file *seq, const struct iommu_incoming *incoming)
{
	const struct iommu_incoming_domain *domain;
	u64 i;

	for (i = 0; i < incoming->nr_domains; i++) {
		domain = &incoming->domains[i];
		if (!domain->live)
			seq_printf(seq, "domain %llu: deleted\n", i);
		else
			seq_printf(seq, "domain %llu: %llu table pages, %u devices: %s\n", i,
				   domain->record.nr_table_pages, domain->nr_devices,
				   domain->domain ? "restored" :
				   domain->nr_devices ? "claimed" : "released");
	}
}

static void show_devices(struct seq_file *seq, const struct iommu_incoming *incoming)
{
	const struct iommu_incoming_device *device;
	u64 i;

	for (i = 0; i < incoming->nr_devices; i++) {
		device = &incoming->devices[i];
		if (device->state == IOMMU_INCOMING_ABSENT)
			seq_printf(seq, "device %llu: deleted\n", i);
		else
			seq_printf(seq,
				   "device %llu: %04llx:%02llx:%02llx.%llx did %llu domain %llu iommufd data %#llx: %s\n",
				   i, device->record.segment, device->record.bdf >> 8,
				   device->record.bdf >> 3 & 0x1f, device->record.bdf & 7,
				   device->record.did, device->domain, device->record.owner_token,
				   device_state(device));
	}
}

static void show_end(struct seq_file *seq, const struct iommu_incoming *incoming)
{
	if (!incoming->claimed)
		seq_printf(seq, "can finish: no, the handover could not be taken over (%s%s%s)\n",
			   incoming->step ?: "nobody asked", incoming->report.code[0] ? ": " : "",
			   incoming->report.code);
	else if (incoming->nr_owned)
		seq_printf(seq, "can finish: no, %u groups wait for their iommufd\n",
			   incoming->nr_owned);
	else
		seq_puts(seq, "can finish: when the files of all sessions can\n");
}

static int state_show(struct seq_file *seq, void *unused)
{
	const struct iommu_incoming *incoming;

	guard(mutex)(&iommu_incoming_lock);
	incoming = iommu_incoming_shown;
	if (!incoming)
		return -ENODATA;
	seq_printf(seq, "root %#llx: %s\n", incoming->root,
		   incoming->claimed ? "taken over" : "preserved");
	show_units(seq, incoming);
	show_domains(seq, incoming);
	show_devices(seq, incoming);
	show_end(seq, incoming);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

static int __init incoming_debugfs_init(void)
{
	debugfs_create_file("incoming", 0400, iommu_liveupdate_debugfs, NULL, &incoming_fops);
	debugfs_create_file("state", 0400, iommu_liveupdate_debugfs, NULL, &state_fops);
	return 0;
}

/* The directory is there since fs_initcall. */
device_initcall(incoming_debugfs_init);
