// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs iommu/liveupdate/incoming: the handover that this kernel was given,
 * as a portable image, from boot until its FLB is finished (ENODATA after that).
 * Tables of devices and domains that were released are left out; reading fails
 * with ESTALE when that happens after the file was opened.
 *
 * debugfs iommu/liveupdate/state: one line per record, and what keeps each
 * iommufd's session from being finished (ENODATA after that, too).
 *
 * debugfs iommu/liveupdate/preserved: how much KHO still keeps of what the
 * kernel before preserved, at any time.
 */
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kexec_handover_query.h>
#include <linux/memblock.h>
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

static int state_of(void *ctx, u32 kind, u64 position)
{
	const struct incoming_file *opened = ctx;
	const struct iommu_incoming *incoming;

	guard(mutex)(&iommu_incoming_lock);
	incoming = iommu_incoming_shown;
	if (incoming != opened->incoming)
		return -ESTALE;
	if (!incoming->claimed)
		return IOMMUSER_PRESERVED_STATE;
	return iommuser_graph_state(&incoming->machine.graph, kind, position);
}

static int start_incoming(struct incoming_file *opened)
{
	struct iommu_ikho_origin origin = {
		.origin = "incoming",
		.copy = copy_incoming,
		.state = state_of,
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
	case IOMMU_INCOMING_HANDED_OVER:
		return "handed over, still on its restored domain";
	case IOMMU_INCOMING_LEFT:
		return "left";
	case IOMMU_INCOMING_RELEASED:
		return "released";
	case IOMMU_INCOMING_ABANDONED:
		return "abandoned";
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

static const char *domain_state(const struct iommu_incoming_domain *domain)
{
	if (!domain->live)
		return "deleted";
	if (domain->gone)
		return "released";
	if (domain->taken)
		return "handed over to an HWPT";
	return domain->domain ? "restored" : "claimed";
}

static void show_domains(struct seq_file *seq, const struct iommu_incoming *incoming)
{
	const struct iommu_incoming_domain *domain;
	u64 i;

	for (i = 0; i < incoming->nr_domains; i++) {
		domain = &incoming->domains[i];
		if (domain->live)
			seq_printf(seq, "domain %llu: %lu table pages, %u devices: %s\n", i,
				   domain->nr_pages, domain->nr_devices, domain_state(domain));
		else
			seq_printf(seq, "domain %llu: deleted\n", i);
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

/* What keeps devices of an iommufd from having left, by their state. */
static const struct {
	enum iommu_incoming_state state;
	const char *what;
} left_over[] = {
	{ IOMMU_INCOMING_CLAIMED, "did not appear" },
	{ IOMMU_INCOMING_RUNNING, "waiting to be claimed" },
	{ IOMMU_INCOMING_HANDED_OVER, "still on a restored domain" },
	{ IOMMU_INCOMING_BLOCKED, "blocked" },
};

static unsigned int count_devices(const struct iommu_incoming *incoming,
				  const struct iommu_incoming_iommufd *iommufd,
				  enum iommu_incoming_state state)
{
	unsigned int count = 0;
	u64 i;

	for (i = 0; i < incoming->nr_devices; i++)
		count += incoming->devices[i].iommufd == iommufd &&
			 incoming->devices[i].state == state;
	return count;
}

static const char *iommufd_state(const struct iommu_incoming_iommufd *iommufd)
{
	if (iommufd->abandoned)
		return "abandoned";
	if (iommufd->finished)
		return "finished";
	return iommufd->owner ? "retrieved" : "not retrieved";
}

/* Why can't its session finish? */
static void show_iommufd(struct seq_file *seq, const struct iommu_incoming *incoming,
			 const struct iommu_incoming_iommufd *iommufd)
{
	const char *separator = ", can finish: no, ";
	unsigned int count;
	u64 i;

	seq_printf(seq, "iommufd data %#llx: %s", iommufd->key, iommufd_state(iommufd));
	for (i = 0; i < ARRAY_SIZE(left_over); i++) {
		count = count_devices(incoming, iommufd, left_over[i].state);
		if (!count)
			continue;
		seq_printf(seq, "%s%u devices: %s", separator, count, left_over[i].what);
		separator = ", ";
	}
	for (i = 0; i < incoming->nr_domains; i++) {
		if (incoming->domains[i].iommufd != iommufd || !incoming->domains[i].busy)
			continue;
		seq_printf(seq, "%sdomain %llu: a device was on it again", separator, i);
		separator = ", ";
	}
	seq_putc(seq, '\n');
}

static void show_end(struct seq_file *seq, const struct iommu_incoming *incoming)
{
	unsigned int waiting = 0;
	u64 i;

	if (!incoming->claimed) {
		seq_printf(seq, "can finish: no, the handover could not be taken over (%s%s%s)\n",
			   incoming->step ?: "nobody asked", incoming->report.code[0] ? ": " : "",
			   incoming->report.code);
		return;
	}
	for (i = 0; i < incoming->nr_iommufds; i++)
		show_iommufd(seq, incoming, &incoming->iommufds[i]);
	for (i = 0; i < incoming->nr_devices; i++)
		waiting += !iommu_incoming_device_left(&incoming->devices[i]);
	if (waiting)
		seq_printf(seq, "can finish: no, %u devices have not left their restored domains\n",
			   waiting);
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

static int preserved_show(struct seq_file *seq, void *unused)
{
	unsigned long nr_blocks = 0, nr_pages = 0, pfn;
	unsigned int order;

	for (pfn = kho_next_preserved(0, max_pfn, &order); pfn < max_pfn;
	     pfn = kho_next_preserved(pfn + (1UL << order), max_pfn, &order)) {
		nr_blocks++;
		nr_pages += 1UL << order;
		cond_resched();
	}
	seq_printf(seq, "%lu blocks\n%lu pages\n", nr_blocks, nr_pages);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(preserved);

static int __init incoming_debugfs_init(void)
{
	debugfs_create_file("preserved", 0400, iommu_liveupdate_debugfs, NULL, &preserved_fops);
	debugfs_create_file("incoming", 0400, iommu_liveupdate_debugfs, NULL, &incoming_fops);
	debugfs_create_file("state", 0400, iommu_liveupdate_debugfs, NULL, &state_fops);
	return 0;
}

/* The directory is there since fs_initcall. */
device_initcall(incoming_debugfs_init);
