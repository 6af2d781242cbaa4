// SPDX-License-Identifier: GPL-2.0-only
/*
 * After a live update: an iommufd is retrieved from its session, its HWPTs are
 * restored by their tokens, and the session is finished or abandoned.
 *
 * What retrieving an iommufd is refused for:
 *
 *	EINVAL	its file data is not in preserved memory, or not that of this file
 *	ENOENT	no device or HWPT of the handover is this iommufd's: it was
 *		refused at boot, or everything was abandoned
 *	EAGAIN	no memory, or no more files; the only one that LUO does not
 *		remember
 *
 * Restoring an HWPT: see the uAPI header. Which device may be bound, whose
 * restored domain may be taken, and when the session may finish is decided in
 * the core, which knows the iommufd by the address of its file data.
 *
 * A restored HWPT has a domain that can't be mapped, and no IOAS of userspace.
 * All of an iommufd share one that nobody can name, so that whatever looks at
 * the IOAS of an HWPT finds one: reserved IOVAs of attached devices go there.
 *
 * Lock: none but those of the core, and what object allocation takes.
 */
#define pr_fmt(fmt) "iommufd: " fmt

#include <kunit/visibility.h>
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/kexec_handover.h>
#include <linux/kexec_handover_query.h>
#include <linux/liveupdate.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <kho/abi/iommuser.h>

#include "iommufd_private.h"
#include "liveupdate.h"
#include "liveupdate-state.h"

/* ---- The iommufd ---- */

VISIBLE_IF_KUNIT struct iommufd_ioas *iommufd_liveupdate_alloc_restored_ioas(void)
{
	struct iommufd_ioas *ioas;

	ioas = kzalloc_obj(*ioas, GFP_KERNEL_ACCOUNT);
	if (!ioas)
		return NULL;
	ioas->obj.type = IOMMUFD_OBJ_IOAS;
	/* Never in an xarray: this one is that of struct iommufd_liveupdate */
	refcount_set(&ioas->obj.users, 1);
	refcount_set(&ioas->obj.wait_cnt, 1);
	iopt_init_table(&ioas->iopt);
	ioas->iopt.iova_alignment = PAGE_SIZE;
	ioas->iopt.liveupdate_frozen = true;
	ioas->iopt.liveupdate_restored = true;
	INIT_LIST_HEAD(&ioas->hwpt_list);
	mutex_init(&ioas->mutex);
	return ioas;
}

/**
 * iommufd_liveupdate_free_restored_ioas() - an iommufd is closed
 * @state: of an iommufd, retrieved or not, that has no objects any more
 */
void iommufd_liveupdate_free_restored_ioas(struct iommufd_liveupdate *state)
{
	struct iommufd_ioas *ioas = state->restored_ioas;

	if (!ioas)
		return;
	state->restored_ioas = NULL;
	WARN_ON(refcount_read(&ioas->obj.users) != 1);
	iommufd_ioas_destroy(&ioas->obj);
	kfree(ioas);
}

/* Until it is open, closing it must not look for an iommufd_ctx. */
static const struct file_operations unopened_fops = {
	.owner = THIS_MODULE,
};

/* A file like one opened from /dev/iommu. */
VISIBLE_IF_KUNIT struct file *iommufd_liveupdate_open(void)
{
	struct file *file;
	int rc;

	file = anon_inode_getfile("[iommufd]", &unopened_fops, NULL, O_RDWR);
	if (IS_ERR(file))
		return file;
	rc = iommufd_fops.open(file_inode(file), file);
	if (rc) {
		fput(file);
		return ERR_PTR(rc);
	}
	/* Same owner, so the file's reference to the module stays good */
	file->f_op = &iommufd_fops;
	return file;
}

static int own_restored_state(struct iommufd_ctx *ictx, u64 key)
{
	struct iommufd_liveupdate *state = iommufd_liveupdate_state(ictx);

	if (IS_ERR(state))
		return PTR_ERR(state);
	state->restored_ioas = iommufd_liveupdate_alloc_restored_ioas();
	if (!state->restored_ioas)
		return -ENOMEM;
	return iommu_liveupdate_iommufd_retrieved(key, ictx);
}

VISIBLE_IF_KUNIT struct file *iommufd_liveupdate_open_retrieved(u64 key)
{
	struct file *file = iommufd_liveupdate_open();
	int rc;

	if (IS_ERR(file))
		return file;
	rc = own_restored_state(file->private_data, key);
	if (!rc)
		return file;
	fput(file);
	return ERR_PTR(rc);
}

/**
 * iommufd_ctx_liveupdate_retrieved() - did a session give out this iommufd?
 * @ictx: any; the caller has a reference
 *
 * Return: true also after the session is finished.
 */
bool iommufd_ctx_liveupdate_retrieved(struct iommufd_ctx *ictx)
{
	/* Pairs with iommufd_liveupdate_state() */
	struct iommufd_liveupdate *state = smp_load_acquire(&ictx->liveupdate);

	return state && state->restored_ioas;
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_liveupdate_retrieved, "IOMMUFD");

/* ---- LUO's callbacks; the session's mutex is held ---- */

/* Is the file data a page that KHO still preserves, and that of this file? */
static bool file_data_is_sound(const struct liveupdate_file_op_args *args)
{
	const struct iommuser_iommufd_file_ser *file_ser;

	file_ser = kho_preserved_page(args->serialized_data);
	return file_ser && file_ser->iommufd_token == args->token && file_ser->nr_hwpts &&
	       !memchr_inv(file_ser->reserved, 0, sizeof(file_ser->reserved));
}

/**
 * iommufd_luo_retrieve() - make a file for a preserved iommufd
 * @args: see struct liveupdate_file_ops
 *
 * Return: 0, or a negative errno as the top of this file says.
 */
int iommufd_luo_retrieve(struct liveupdate_file_op_args *args)
{
	struct file *file = ERR_PTR(-EINVAL);

	if (file_data_is_sound(args))
		file = iommufd_liveupdate_open_retrieved(args->serialized_data);
	if (IS_ERR(file)) {
		pr_warn("live update: iommufd %#llx is not retrieved: %pe\n", args->token, file);
		if (file == ERR_PTR(-ENOMEM) || file == ERR_PTR(-ENFILE))
			return -EAGAIN;
		return PTR_ERR(file);
	}
	args->file = file;
	return 0;
}

/**
 * iommufd_luo_can_finish() - has everything left what was handed over?
 * @args: see struct liveupdate_file_ops; retrieved or not
 *
 * Return: true, and from then on nothing can be attached to a restored HWPT.
 */
bool iommufd_luo_can_finish(struct liveupdate_file_op_args *args)
{
	return iommu_liveupdate_iommufd_left(args->serialized_data);
}

/**
 * iommufd_luo_abandon() - nobody will take the devices over
 * @args: see struct liveupdate_file_ops; retrieved or not
 */
void iommufd_luo_abandon(struct liveupdate_file_op_args *args)
{
	iommu_liveupdate_abandon(args->serialized_data);
}

/**
 * iommufd_luo_finish() - the iommufd becomes like any other
 * @args: see struct liveupdate_file_ops; retrieved or not
 */
void iommufd_luo_finish(struct liveupdate_file_op_args *args)
{
	/* Something else's memory must not be freed */
	if (!file_data_is_sound(args)) {
		pr_warn("live update: file data of iommufd %#llx is bad, and left alone\n",
			args->token);
		return;
	}
	iommu_liveupdate_iommufd_finish(args->serialized_data);
	kho_restore_free(phys_to_virt(args->serialized_data));
}

/* ---- HWPTs ---- */

/**
 * struct iommufd_restored_hwpt - what every paging HWPT with the restored IOAS is
 * @hwpt_paging: the HWPT
 * @token: its name
 */
struct iommufd_restored_hwpt {
	struct iommufd_hwpt_paging hwpt_paging;
	u64 token;
};

/* An HWPT without domain, not published. */
static struct iommufd_hwpt_paging *alloc_restored_hwpt(struct iommufd_ctx *ictx,
						       struct iommufd_ioas *ioas, u64 token)
{
	struct iommufd_hwpt_paging *hwpt_paging;
	struct iommufd_restored_hwpt *restored;

	restored = __iommufd_object_alloc(ictx, restored, IOMMUFD_OBJ_HWPT_PAGING,
					  hwpt_paging.common.obj);
	if (IS_ERR(restored))
		return ERR_CAST(restored);
	restored->token = token;
	hwpt_paging = &restored->hwpt_paging;
	/* Whatever was attached to it before can be again. */
	hwpt_paging->common.pasid_compat = true;
	INIT_LIST_HEAD(&hwpt_paging->hwpt_item);
	refcount_inc(&ioas->obj.users);
	hwpt_paging->ioas = ioas;
	return hwpt_paging;
}

/* Its id; 0 when there is none (yet). */
static u32 find_restored_hwpt(struct iommufd_ctx *ictx, struct iommufd_ioas *ioas, u64 token)
{
	struct iommufd_hwpt_paging *hwpt_paging;
	struct iommufd_object *obj;
	unsigned long index;
	u32 id = 0;

	xa_lock(&ictx->objects);
	xa_for_each(&ictx->objects, index, obj) {
		hwpt_paging = container_of(obj, struct iommufd_hwpt_paging, common.obj);
		if (obj->type != IOMMUFD_OBJ_HWPT_PAGING || hwpt_paging->ioas != ioas)
			continue;
		if (container_of(hwpt_paging, struct iommufd_restored_hwpt,
				 hwpt_paging)->token == token) {
			id = obj->id;
			break;
		}
	}
	xa_unlock(&ictx->objects);
	return id;
}

/* The reverse; its domain was given back, if it ever had one. */
static void abort_restored_hwpt(struct iommufd_ctx *ictx, struct iommufd_hwpt_paging *hwpt_paging)
{
	refcount_dec(&hwpt_paging->ioas->obj.users);
	iommufd_object_abort(ictx, &hwpt_paging->common.obj);
}

static int take_domain(struct iommufd_ctx *ictx, struct iommufd_hw_pagetable *hwpt, u64 token)
{
	struct iommu_domain *domain = iommu_liveupdate_take_domain(ictx, token);

	if (IS_ERR(domain))
		return PTR_ERR(domain);
	domain->iommufd_hwpt = hwpt;
	domain->cookie_type = IOMMU_COOKIE_IOMMUFD;
	hwpt->domain = domain;
	return 0;
}

/**
 * iommufd_hwpt_liveupdate_restore() - ioctl(IOMMU_HWPT_LIVEUPDATE_RESTORE)
 * @ucmd: its command is a struct iommu_hwpt_liveupdate_restore
 *
 * Return: 0 or what the uAPI header says.
 */
int iommufd_hwpt_liveupdate_restore(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_liveupdate_restore *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt_paging;
	struct iommufd_liveupdate *state;
	int rc;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;

	/* Pairs with iommufd_liveupdate_state() */
	state = smp_load_acquire(&ucmd->ictx->liveupdate);
	if (!state || !state->restored_ioas)
		return -EINVAL;

	hwpt_paging = alloc_restored_hwpt(ucmd->ictx, state->restored_ioas, cmd->hwpt_token);
	if (IS_ERR(hwpt_paging))
		return PTR_ERR(hwpt_paging);
	rc = take_domain(ucmd->ictx, &hwpt_paging->common, cmd->hwpt_token);
	if (rc)
		goto err_abort;

	cmd->out_hwpt_id = hwpt_paging->common.obj.id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_give_back;
	iommufd_object_finalize(ucmd->ictx, &hwpt_paging->common.obj);
	return 0;

err_give_back:
	/* The core keeps it as long as a device runs on it. */
	iommu_domain_free(hwpt_paging->common.domain);
err_abort:
	abort_restored_hwpt(ucmd->ictx, hwpt_paging);
	if (rc == -EBUSY) {
		cmd->out_hwpt_id = find_restored_hwpt(ucmd->ictx, state->restored_ioas,
						      cmd->hwpt_token);
		if (iommufd_ucmd_respond(ucmd, sizeof(*cmd)))
			rc = -EFAULT;
	}
	return rc;
}

/**
 * iopt_liveupdate_clear_dirty() - clear the dirty bits of a restored domain
 * @domain: supports dirty tracking; not mapped or unmapped meanwhile
 * @dirty: without a bitmap
 *
 * It has no areas to go through, so this goes through its tables.
 *
 * Return: 0 or a negative errno of the driver.
 */
int iopt_liveupdate_clear_dirty(struct iommu_domain *domain, struct iommu_dirty_bitmap *dirty)
{
	unsigned long start = domain->geometry.aperture_start;
	unsigned long length = domain->geometry.aperture_end - start + 1;

	/* All 64 bits have no length: the last page is left out */
	if (!length)
		length = PAGE_MASK;
	return domain->dirty_ops->read_and_clear_dirty(domain, start, length, 0, dirty);
}
