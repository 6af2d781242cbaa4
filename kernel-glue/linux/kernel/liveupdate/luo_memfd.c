// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of retrieved memfds that devices still write to.
 *
 * Once retrieved, a memfd's folios are ordinary memory: a hole can be punched,
 * compaction and reclaim move pages, and when retrieving fails half-way, what
 * was not put into the file is freed. A device on restored IOMMU state knows
 * nothing of that, it writes to the pages it was given before the kexec. So in
 * a kernel that was handed IOMMU state each folio has one more reference, from
 * the moment it leaves KHO's care until its session finishes: no device is on
 * restored state of this session any more then. Nobody else gets the page,
 * whatever becomes of the file.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cleanup.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/iommu_liveupdate.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/memfd.h>
#include <linux/list.h>
#include <linux/liveupdate.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/pfn.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

/**
 * struct memfd_hold - references to the folios of one memfd
 * @list: in the list of all
 * @session: the file's session
 * @token: of the file, unique in @session
 * @folios: what the previous kernel wrote; entries without pfn are not held
 * @nr_folios: entries in @folios
 */
struct memfd_hold {
	struct list_head list;
	struct liveupdate_session *session;
	u64 token;
	struct memfd_luo_folio_ser *folios;
	u64 nr_folios;
};

static LIST_HEAD(memfd_holds);
static DEFINE_MUTEX(memfd_holds_lock);

static void memfd_luo_put_folios(const struct memfd_luo_folio_ser *folios, u64 nr_folios)
{
	u64 i;

	for (i = 0; i < nr_folios; i++) {
		if (folios[i].pfn)
			folio_put(pfn_folio(folios[i].pfn));
		cond_resched();
	}
}

static void memfd_luo_get_folios(const struct memfd_luo_folio_ser *folios, u64 nr_folios)
{
	u64 i;

	for (i = 0; i < nr_folios; i++) {
		if (folios[i].pfn)
			folio_get(pfn_folio(folios[i].pfn));
		cond_resched();
	}
}

/* Folios that KHO doesn't know, or that come twice, are taken off the list. */
static int memfd_luo_restore_folios(struct memfd_luo_folio_ser *folios, u64 nr_folios)
{
	int err = 0;
	u64 i;

	for (i = 0; i < nr_folios; i++) {
		cond_resched();
		if (!folios[i].pfn || kho_restore_folio(PFN_PHYS(folios[i].pfn)))
			continue;
		pr_err("memfd: no folio was preserved at %#llx\n",
		       (unsigned long long)PFN_PHYS(folios[i].pfn));
		folios[i].pfn = 0;
		err = -EIO;
	}

	return err;
}

static void memfd_luo_hold_add(const struct liveupdate_file_op_args *args,
			       struct memfd_luo_folio_ser *folios, u64 nr_folios)
{
	/* There is no way back any more: the folios can't go back to KHO. */
	struct memfd_hold *hold = kzalloc_obj(*hold, GFP_KERNEL | __GFP_NOFAIL);

	hold->session = args->session;
	hold->token = args->token;
	hold->folios = folios;
	hold->nr_folios = nr_folios;

	guard(mutex)(&memfd_holds_lock);
	list_add(&hold->list, &memfd_holds);
}

static struct memfd_hold *memfd_luo_hold_remove(const struct liveupdate_file_op_args *args)
{
	struct memfd_hold *hold;

	guard(mutex)(&memfd_holds_lock);
	list_for_each_entry(hold, &memfd_holds, list) {
		if (hold->session == args->session && hold->token == args->token) {
			list_del(&hold->list);
			return hold;
		}
	}

	return NULL;
}

/**
 * memfd_luo_hold() - take the folios of a memfd over from KHO and put them into the file
 * @args: of the retrieve operation
 * @file: the new memfd, which has its size but no folios yet
 * @ser: what the previous kernel wrote
 * @folios: @ser's folios, of kho_restore_vmalloc(); taken over
 * @retrieve: puts them into @file. It gets each folio by memfd_luo_held_folio(),
 *	with a reference that it has to put, on failure too
 *
 * In a kernel that was handed IOMMU state the folios don't move, and are not
 * freed, before memfd_luo_release(), whether this succeeds or not.
 *
 * Lock: the session's mutex. Context: process, may sleep.
 * Return: what @retrieve returned, or -EIO when KHO doesn't have them all.
 */
int memfd_luo_hold(struct liveupdate_file_op_args *args, struct file *file,
		   const struct memfd_luo_ser *ser, struct memfd_luo_folio_ser *folios,
		   int (*retrieve)(struct file *file, struct memfd_luo_folio_ser *folios,
				   u64 nr_folios))
{
	bool hold = iommu_liveupdate_keep_bus_numbers();
	u64 nr_folios = ser->nr_folios;
	int err;

	err = memfd_luo_restore_folios(folios, nr_folios);
	if (hold) {
		memfd_luo_get_folios(folios, nr_folios);
		/* The references would stop reclaim too, after it has tried for long. */
		mapping_set_unevictable(file->f_mapping);
		memfd_luo_hold_add(args, folios, nr_folios);
	}

	if (err)
		memfd_luo_put_folios(folios, nr_folios);
	else
		err = retrieve(file, folios, nr_folios);
	if (!hold)
		vfree(folios);

	return err;
}

/**
 * memfd_luo_held_folio() - a folio that memfd_luo_hold() took over
 * @phys: its physical address
 *
 * Return: the folio.
 */
struct folio *memfd_luo_held_folio(phys_addr_t phys)
{
	return pfn_folio(PHYS_PFN(phys));
}

/**
 * memfd_luo_release() - a memfd's session finishes
 * @args: of the finish operation; @file is NULL unless retrieving has succeeded
 *
 * Its folios are ordinary memory from now on.
 *
 * Lock: the session's mutex. Context: process, may sleep.
 */
void memfd_luo_release(struct liveupdate_file_op_args *args)
{
	struct memfd_hold *hold = memfd_luo_hold_remove(args);

	if (!hold)
		return;

	if (args->file) {
		mapping_clear_unevictable(args->file->f_mapping);
		shmem_unlock_mapping(args->file->f_mapping);
	}
	memfd_luo_put_folios(hold->folios, hold->nr_folios);
	vfree(hold->folios);
	kfree(hold);
}
