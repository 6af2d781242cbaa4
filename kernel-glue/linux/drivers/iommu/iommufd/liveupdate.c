// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preserving an iommufd across a live update: marks on HWPTs, the LUO file
 * handler that hands marked HWPTs to the next kernel and freezes their IOASes
 * meanwhile, and the preservation of single devices on behalf of vfio. What
 * comes after the jump is in liveupdate-incoming.c.
 *
 * What preserving an iommufd is refused for:
 *
 *	EINVAL		no HWPT is marked; a mapping is of anonymous memory
 *	EPERM		a mapped memfd lacks F_SEAL_SEAL, _GROW or _SHRINK
 *	ENOENT		a mapped memfd is not preserved in the same session: it has
 *			to be the open file that was mapped, and preserved before
 *	ESTALE		a mapped page is not in the memfd any more (a hole was
 *			punched after mapping), so it would not be preserved
 *	EOPNOTSUPP	a mapping of a dma-buf or of a file that LUO can't preserve
 *			(hugetlbfs); an HWPT with a fault queue; an IOAS that is
 *			also that of the VFIO container; noiommu; a domain that
 *			its driver can't preserve
 *	EBUSY		a mapping is just being made or removed
 *	EINTR		killed while checking
 *	ENOMEM, EIO	see iommu_liveupdate_preserve_domain()
 *
 * and a device:
 *
 *	ENOENT		its iommufd is not preserved in the same session
 *	EINVAL		not attached, or an HWPT that it or a PASID of it is
 *			attached to is not marked
 *	EOPNOTSUPP	noiommu, nested, or a PASID is attached and not marked
 *	others		see iommu_liveupdate_preserve_device()
 *
 * Not restricted: an iommufd_access (mdev) may go on to pin pages of a frozen
 * IOAS, HWPTs that aren't marked may come and go, and IOMMU_IOAS_COPY may read
 * from it. None of them touches the tables of a preserved domain.
 *
 * Locks, outermost first: session (LUO), iommufd_group::lock,
 * iommufd_liveupdate::lock, io_pagetable::iova_rwsem, then those of the IOMMU
 * core. None is taken while an xarray is locked.
 */
#define pr_fmt(fmt) "iommufd: " fmt

#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/kexec_handover.h>
#include <linux/liveupdate.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include <kho/abi/iommuser.h>

#include "../iommu-priv.h"
#include "io_pagetable.h"
#include "iommufd_private.h"
#include "liveupdate.h"
#include "liveupdate-state.h"

/* Tokens are indices of an xarray. */
static_assert(sizeof(unsigned long) == sizeof(u64));
static_assert(sizeof(struct iommuser_iommufd_file_ser) <= PAGE_SIZE);

/**
 * struct iommufd_liveupdate_mark - an HWPT is to be preserved
 * @state: of its iommufd
 * @hwpt_paging: the HWPT, whose liveupdate_mark member points here
 * @token: its name in the next kernel
 */
struct iommufd_liveupdate_mark {
	struct iommufd_liveupdate *state;
	struct iommufd_hwpt_paging *hwpt_paging;
	u64 token;
};

/**
 * struct iommufd_preserved_hwpt - one HWPT of a preserved iommufd
 * @hwpt_paging: a user of it, so that it can't be destroyed
 * @token: of its mark
 */
struct iommufd_preserved_hwpt {
	struct iommufd_hwpt_paging *hwpt_paging;
	u64 token;
};

/**
 * struct iommufd_preserved - a preserved iommufd
 * @state: its marks, which can't be added to meanwhile
 * @file_ser: the record for the next kernel, in a page of its own
 * @nr_hwpts: entries of @hwpts
 * @hwpts: the marked HWPTs
 *
 * Private data of the file in its session; changed under the session's mutex.
 */
struct iommufd_preserved {
	struct iommufd_liveupdate *state;
	struct iommuser_iommufd_file_ser *file_ser;
	unsigned int nr_hwpts;
	struct iommufd_preserved_hwpt hwpts[] __counted_by(nr_hwpts);
};

/* ---- Marks ---- */

/**
 * iommufd_liveupdate_state() - what live update keeps for an iommufd
 * @ictx: the iommufd
 *
 * Return: its state, which is allocated if need be; -ENOMEM.
 */
struct iommufd_liveupdate *iommufd_liveupdate_state(struct iommufd_ctx *ictx)
{
	struct iommufd_liveupdate *state, *other;

	/* Pairs with the cmpxchg() below */
	state = smp_load_acquire(&ictx->liveupdate);
	if (state)
		return state;

	state = kzalloc_obj(*state, GFP_KERNEL_ACCOUNT);
	if (!state)
		return ERR_PTR(-ENOMEM);
	mutex_init(&state->lock);
	xa_init_flags(&state->marks, XA_FLAGS_ACCOUNT);

	other = cmpxchg(&ictx->liveupdate, NULL, state);
	if (!other)
		return state;
	mutex_destroy(&state->lock);
	kfree(state);
	return other;
}

/* Lock: state->lock */
static int iommufd_liveupdate_add_mark(struct iommufd_liveupdate *state,
				       struct iommufd_hwpt_paging *hwpt_paging, u64 token)
{
	struct iommufd_liveupdate_mark *mark = hwpt_paging->liveupdate_mark;
	int rc;

	lockdep_assert_held(&state->lock);

	if (state->preserved)
		return -EBUSY;
	if (mark)
		return mark->token == token ? 0 : -EINVAL;

	mark = kzalloc_obj(*mark, GFP_KERNEL_ACCOUNT);
	if (!mark)
		return -ENOMEM;
	mark->state = state;
	mark->hwpt_paging = hwpt_paging;
	mark->token = token;

	rc = xa_insert(&state->marks, token, mark, GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(mark);
		return rc == -EBUSY ? -EADDRINUSE : rc;
	}
	state->nr_marks++;
	/* Pairs with iommufd_hwpt_liveupdate_marked() */
	smp_store_release(&hwpt_paging->liveupdate_mark, mark);
	return 0;
}

static int iommufd_hwpt_liveupdate_may_mark(struct iommufd_hwpt_paging *hwpt_paging)
{
	if (hwpt_paging->auto_domain || hwpt_paging->ioas->iopt.liveupdate_restored)
		return -EINVAL;
	if (hwpt_paging->nest_parent ||
	    !iommu_liveupdate_domain_supported(hwpt_paging->common.domain))
		return -EOPNOTSUPP;
	return 0;
}

/**
 * iommufd_hwpt_liveupdate_mark() - ioctl(IOMMU_HWPT_LIVEUPDATE_MARK)
 * @ucmd: its command is a struct iommu_hwpt_liveupdate_mark
 *
 * Lock: none; takes iommufd_liveupdate::lock.
 * Return: 0 or what the uAPI header says.
 */
int iommufd_hwpt_liveupdate_mark(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_liveupdate_mark *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt_paging;
	struct iommufd_liveupdate *state;
	struct iommufd_object *obj;
	int rc;

	obj = iommufd_get_object(ucmd->ictx, cmd->hwpt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	if (obj->type != IOMMUFD_OBJ_HWPT_PAGING) {
		rc = -EINVAL;
		goto out_put;
	}

	hwpt_paging = container_of(obj, struct iommufd_hwpt_paging, common.obj);
	rc = iommufd_hwpt_liveupdate_may_mark(hwpt_paging);
	if (rc)
		goto out_put;

	state = iommufd_liveupdate_state(ucmd->ictx);
	if (IS_ERR(state)) {
		rc = PTR_ERR(state);
		goto out_put;
	}

	scoped_guard(mutex, &state->lock)
		rc = iommufd_liveupdate_add_mark(state, hwpt_paging, cmd->hwpt_token);
out_put:
	iommufd_put_object(ucmd->ictx, obj);
	return rc;
}

/**
 * iommufd_hwpt_liveupdate_unmark() - an HWPT goes away, and so does its mark
 * @hwpt_paging: nobody uses it, so it isn't preserved and can't be marked
 *
 * Lock: takes iommufd_liveupdate::lock, unless the HWPT was never marked (as
 * when its allocation is aborted under the IOAS's mutex).
 */
void iommufd_hwpt_liveupdate_unmark(struct iommufd_hwpt_paging *hwpt_paging)
{
	struct iommufd_liveupdate_mark *mark = hwpt_paging->liveupdate_mark;
	struct iommufd_liveupdate *state;

	if (!mark)
		return;

	state = mark->state;
	scoped_guard(mutex, &state->lock) {
		xa_erase(&state->marks, mark->token);
		state->nr_marks--;
		hwpt_paging->liveupdate_mark = NULL;
	}
	kfree(mark);
}

/**
 * iommufd_liveupdate_release() - an iommufd is closed
 * @ictx: the last file reference is gone, and with it every object
 *
 * Lock: none is needed.
 */
void iommufd_liveupdate_release(struct iommufd_ctx *ictx)
{
	struct iommufd_liveupdate *state = ictx->liveupdate;

	if (!state)
		return;
	WARN_ON(state->preserved || state->nr_marks);
	iommu_liveupdate_iommufd_closed(ictx);
	iommufd_liveupdate_free_restored_ioas(state);
	xa_destroy(&state->marks);
	mutex_destroy(&state->lock);
	kfree(state);
}

/* ---- What may be changed meanwhile ---- */

/* The answer is final once the IOAS is frozen: marks are added before. */
static bool iommufd_hwpt_liveupdate_marked(struct iommufd_hwpt_paging *hwpt_paging)
{
	/* Pairs with iommufd_liveupdate_add_mark() */
	return smp_load_acquire(&hwpt_paging->liveupdate_mark);
}

/**
 * iopt_liveupdate_domain_frozen() - do these tables belong to the next kernel?
 * @iopt: its io_pagetable
 * @domain: of an HWPT that the caller keeps from being destroyed
 *
 * Lock: iopt->iova_rwsem, for reading or writing; the answer holds that long.
 * Return: true while @iopt is frozen and the HWPT is marked.
 */
bool iopt_liveupdate_domain_frozen(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	return iopt_liveupdate_frozen(iopt) &&
	       iommufd_hwpt_liveupdate_marked(to_hwpt_paging(domain->iommufd_hwpt));
}

/**
 * iommufd_liveupdate_may_attach() - may a device or PASID get another HWPT?
 * @idev: the device
 * @old_hwpt: what it has now, or NULL
 * @new_hwpt: what it is to get
 *
 * An attach that gets its answer just before @new_hwpt is preserved is like one
 * that was made before.
 *
 * Lock: iommufd_group::lock.
 * Return: 0; -EBUSY, the device or one of the HWPTs is preserved.
 */
int iommufd_liveupdate_may_attach(struct iommufd_device *idev,
				  struct iommufd_hw_pagetable *old_hwpt,
				  struct iommufd_hw_pagetable *new_hwpt)
{
	lockdep_assert_held(&idev->igroup->lock);

	if (iommu_liveupdate_device_outgoing(idev->dev) ||
	    iommu_liveupdate_domain_outgoing(new_hwpt->domain) ||
	    (old_hwpt && iommu_liveupdate_domain_outgoing(old_hwpt->domain)))
		return -EBUSY;
	return 0;
}

/* ---- Checking and freezing an IOAS ---- */

static int iopt_liveupdate_check_file(struct liveupdate_session *session, struct file *file)
{
	const unsigned int seals = F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK;
	u64 token;

	if (!shmem_file(file))
		return -EOPNOTSUPP;
	/* With F_SEAL_SEAL there is nothing left to race with */
	if ((READ_ONCE(SHMEM_I(file_inode(file))->seals) & seals) != seals)
		return -EPERM;
	return liveupdate_get_token_outgoing(session, file, &token);
}

/*
 * Compare what @domain has at @iova with the file's folio at @index. A pinned
 * folio is neither split nor merged, so its ends tell about all of it.
 *
 * Return: how many pages were compared, at most @nr_pages; -ESTALE.
 */
static long iopt_liveupdate_check_folio(struct iommu_domain *domain, unsigned long iova,
					struct address_space *mapping, pgoff_t index,
					unsigned long nr_pages)
{
	struct folio *folio;
	phys_addr_t phys;
	size_t last;

	folio = filemap_get_folio(mapping, index);
	if (IS_ERR(folio))
		return -ESTALE;

	phys = page_to_phys(folio_file_page(folio, index));
	nr_pages = min(nr_pages, folio_next_index(folio) - index);
	folio_put(folio);

	last = (nr_pages - 1) << PAGE_SHIFT;
	if (iommu_iova_to_phys(domain, iova) != phys ||
	    (last && iommu_iova_to_phys(domain, iova + last) != phys + last))
		return -ESTALE;
	return nr_pages;
}

/*
 * The pages were pinned when they were mapped, and LUO preserves those that
 * are in the memfd now. They are the same ones unless a hole was punched in
 * between; from here on the preserved memfd can't be punched.
 */
static int iopt_liveupdate_check_pages(struct iopt_area *area, struct iommu_domain *domain)
{
	struct address_space *mapping = area->pages->file->f_mapping;
	pgoff_t index = (area->pages->start >> PAGE_SHIFT) + iopt_area_index(area);
	unsigned long nr_pages = iopt_area_length(area) >> PAGE_SHIFT;
	unsigned long iova = iopt_area_iova(area);

	/* No IOAS with a domain has IOVAs aligned to less than that */
	if (WARN_ON_ONCE(area->page_offset || !PAGE_ALIGNED(iopt_area_length(area))))
		return -EOPNOTSUPP;

	while (nr_pages) {
		long n = iopt_liveupdate_check_folio(domain, iova, mapping, index, nr_pages);

		if (n < 0)
			return n;
		iova += (unsigned long)n << PAGE_SHIFT;
		index += n;
		nr_pages -= n;

		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int iopt_liveupdate_check_area(struct iopt_area *area)
{
	lockdep_assert_held_write(&area->iopt->iova_rwsem);

	/* Whoever makes or removes the mapping isn't done, or has given up */
	if (!area->pages || area->prevent_access)
		return -EBUSY;

	switch (area->pages->type) {
	case IOPT_ADDRESS_FILE:
		return 0;
	case IOPT_ADDRESS_USER:
		return -EINVAL;
	case IOPT_ADDRESS_DMABUF:
		break;
	}
	return -EOPNOTSUPP;
}

/* Lock: takes iova_rwsem, which makes "all mappings are fit" and "frozen" one step. */
static int iopt_liveupdate_freeze(struct io_pagetable *iopt)
{
	struct iopt_area *area;
	int rc;

	guard(rwsem_write)(&iopt->iova_rwsem);
	for (area = iopt_area_iter_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX)) {
		rc = iopt_liveupdate_check_area(area);
		if (rc)
			return rc;
	}
	iopt->liveupdate_frozen = true;
	return 0;
}

static void iopt_liveupdate_thaw(struct io_pagetable *iopt)
{
	guard(rwsem_write)(&iopt->iova_rwsem);
	iopt->liveupdate_frozen = false;
}

/* Lock: session mutex; takes iova_rwsem for reading. @iopt is frozen. */
static int iopt_liveupdate_check_frozen(struct io_pagetable *iopt, struct iommu_domain *domain,
					struct liveupdate_session *session)
{
	struct file *checked = NULL;
	struct iopt_area *area;
	int rc;

	guard(rwsem_read)(&iopt->iova_rwsem);
	for (area = iopt_area_iter_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX)) {
		struct file *file = area->pages->file;

		if (file != checked) {
			rc = iopt_liveupdate_check_file(session, file);
			if (rc)
				return rc;
			checked = file;
		}
		rc = iopt_liveupdate_check_pages(area, domain);
		if (rc)
			return rc;
	}
	return 0;
}

/* ---- Preserving an iommufd ---- */

/*
 * Take every marked HWPT, leaving out those that are being destroyed. From
 * here on no mark is added.
 *
 * Lock: state->lock; a session's mutex, so that the iommufd isn't preserved.
 */
static struct iommufd_preserved *iommufd_liveupdate_take(struct iommufd_liveupdate *state)
{
	struct iommufd_preserved *preserved;
	struct iommufd_liveupdate_mark *mark;
	struct iommufd_preserved_hwpt *hwpt;
	unsigned int nr_hwpts = 0;
	unsigned long token;

	lockdep_assert_held(&state->lock);

	preserved = kvzalloc_flex(*preserved, hwpts, state->nr_marks);
	if (!preserved)
		return ERR_PTR(-ENOMEM);

	preserved->state = state;
	preserved->nr_hwpts = state->nr_marks;
	xa_for_each(&state->marks, token, mark) {
		if (!refcount_inc_not_zero(&mark->hwpt_paging->common.obj.users))
			continue;
		hwpt = &preserved->hwpts[nr_hwpts++];
		hwpt->hwpt_paging = mark->hwpt_paging;
		hwpt->token = mark->token;
	}
	preserved->nr_hwpts = nr_hwpts;
	if (!nr_hwpts) {
		kvfree(preserved);
		return ERR_PTR(-EINVAL);
	}
	state->preserved = preserved;
	return preserved;
}

/* Lock: takes state->lock */
static void iommufd_liveupdate_give_back(struct iommufd_preserved *preserved)
{
	struct iommufd_liveupdate *state = preserved->state;
	unsigned int i;

	scoped_guard(mutex, &state->lock) {
		for (i = 0; i < preserved->nr_hwpts; i++)
			refcount_dec(&preserved->hwpts[i].hwpt_paging->common.obj.users);
		state->preserved = NULL;
	}
	kvfree(preserved);
}

static int iommufd_liveupdate_check_hwpt(struct iommufd_ctx *ictx,
					 struct iommufd_hwpt_paging *hwpt_paging)
{
	if (READ_ONCE(ictx->no_iommu_mode) || READ_ONCE(ictx->vfio_ioas) == hwpt_paging->ioas)
		return -EOPNOTSUPP;
	if (hwpt_paging->common.fault)
		return -EOPNOTSUPP;
	return 0;
}

static void iommufd_liveupdate_thaw_all(struct iommufd_preserved *preserved)
{
	unsigned int i;

	for (i = 0; i < preserved->nr_hwpts; i++)
		iopt_liveupdate_thaw(&preserved->hwpts[i].hwpt_paging->ioas->iopt);
}

/* Lock: session mutex */
static int iommufd_liveupdate_freeze_all(struct iommufd_preserved *preserved,
					 struct iommufd_ctx *ictx,
					 struct liveupdate_session *session)
{
	unsigned int i;
	int rc;

	for (i = 0; i < preserved->nr_hwpts; i++) {
		struct iommufd_hwpt_paging *hwpt_paging = preserved->hwpts[i].hwpt_paging;
		struct io_pagetable *iopt = &hwpt_paging->ioas->iopt;

		rc = iommufd_liveupdate_check_hwpt(ictx, hwpt_paging);
		if (rc)
			goto err_thaw;

		/* Only this function sets it, and only for HWPTs before this one */
		if (data_race(iopt->liveupdate_frozen))
			continue;
		rc = iopt_liveupdate_freeze(iopt);
		if (rc)
			goto err_thaw;
		rc = iopt_liveupdate_check_frozen(iopt, hwpt_paging->common.domain, session);
		if (rc)
			goto err_thaw;
	}
	return 0;

err_thaw:
	iommufd_liveupdate_thaw_all(preserved);
	return rc;
}

/* The first @nr_hwpts ones, in reverse. Lock: session mutex */
static void iommufd_liveupdate_unpreserve_domains(struct iommufd_preserved *preserved,
						  unsigned int nr_hwpts)
{
	while (nr_hwpts--) {
		struct iommufd_hwpt_paging *hwpt_paging = preserved->hwpts[nr_hwpts].hwpt_paging;

		iommu_liveupdate_unpreserve_domain(hwpt_paging->common.domain);
	}
}

/* What records call the iommufd: tokens are unique in their session only. */
static u64 iommufd_liveupdate_key(const struct iommufd_preserved *preserved)
{
	return virt_to_phys(preserved->file_ser);
}

/* Lock: session mutex; all IOASes are frozen */
static int iommufd_liveupdate_preserve_domains(struct iommufd_preserved *preserved)
{
	u64 iommufd = iommufd_liveupdate_key(preserved);
	unsigned int i;
	int rc;

	for (i = 0; i < preserved->nr_hwpts; i++) {
		struct iommufd_preserved_hwpt *hwpt = &preserved->hwpts[i];

		rc = iommu_liveupdate_preserve_domain(hwpt->hwpt_paging->common.domain,
						      iommufd, hwpt->token);
		if (rc) {
			iommufd_liveupdate_unpreserve_domains(preserved, i);
			return rc;
		}
	}
	return 0;
}

static struct iommuser_iommufd_file_ser *
iommufd_liveupdate_file_ser(struct iommufd_preserved *preserved, u64 iommufd_token)
{
	struct iommuser_iommufd_file_ser *file_ser;
	u64 root = iommu_liveupdate_root();

	/* The FLB is preserved before the first of its files */
	if (WARN_ON(!root))
		return ERR_PTR(-EIO);

	file_ser = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(file_ser))
		return file_ser;
	file_ser->iommufd_token = iommufd_token;
	file_ser->nr_hwpts = preserved->nr_hwpts;
	file_ser->root = root;
	return file_ser;
}

/* Lock: session mutex */
static int iommufd_liveupdate_preserve_ctx(struct iommufd_ctx *ictx,
					   struct liveupdate_file_op_args *args)
{
	struct iommufd_liveupdate *state;
	struct iommufd_preserved *preserved;
	int rc;

	/* Pairs with iommufd_liveupdate_state() */
	state = smp_load_acquire(&ictx->liveupdate);
	if (!state)
		return -EINVAL;

	scoped_guard(mutex, &state->lock)
		preserved = iommufd_liveupdate_take(state);
	if (IS_ERR(preserved))
		return PTR_ERR(preserved);

	rc = iommufd_liveupdate_freeze_all(preserved, ictx, args->session);
	if (rc)
		goto err_give_back;

	preserved->file_ser = iommufd_liveupdate_file_ser(preserved, args->token);
	if (IS_ERR(preserved->file_ser)) {
		rc = PTR_ERR(preserved->file_ser);
		goto err_thaw;
	}

	rc = iommufd_liveupdate_preserve_domains(preserved);
	if (rc)
		goto err_free_ser;

	args->serialized_data = iommufd_liveupdate_key(preserved);
	args->private_data = preserved;
	return 0;

err_free_ser:
	kho_unpreserve_free(preserved->file_ser);
err_thaw:
	iommufd_liveupdate_thaw_all(preserved);
err_give_back:
	iommufd_liveupdate_give_back(preserved);
	return rc;
}

/* ---- LUO file handler; LUO holds the session's mutex in all but can_preserve ---- */

static bool iommufd_luo_can_preserve(struct liveupdate_file_handler *handler, struct file *file)
{
	struct iommufd_ctx *ictx = iommufd_ctx_from_file(file);

	if (IS_ERR(ictx))
		return false;
	iommufd_ctx_put(ictx);
	return true;
}

static int iommufd_luo_preserve(struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx = iommufd_ctx_from_file(args->file);
	int rc;

	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	rc = iommufd_liveupdate_preserve_ctx(ictx, args);
	iommufd_ctx_put(ictx);
	return rc;
}

static void iommufd_luo_unpreserve(struct liveupdate_file_op_args *args)
{
	struct iommufd_preserved *preserved = args->private_data;

	iommufd_liveupdate_unpreserve_domains(preserved, preserved->nr_hwpts);
	kho_unpreserve_free(preserved->file_ser);
	iommufd_liveupdate_thaw_all(preserved);
	iommufd_liveupdate_give_back(preserved);
}

static const struct liveupdate_file_ops iommufd_luo_ops = {
	.can_preserve = iommufd_luo_can_preserve,
	.preserve = iommufd_luo_preserve,
	.unpreserve = iommufd_luo_unpreserve,
	.retrieve = iommufd_luo_retrieve,
	.can_finish = iommufd_luo_can_finish,
	.abandon = iommufd_luo_abandon,
	.finish = iommufd_luo_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler iommufd_luo_handler = {
	.ops = &iommufd_luo_ops,
	.compatible = IOMMUSER_IOMMUFD_V1_COMPATIBLE,
};

static bool iommufd_luo_registered;

/**
 * iommufd_liveupdate_init() - tell LUO about iommufds
 *
 * Comes before /dev/iommu exists, and at boot when iommufd is built in: LUO
 * needs the handler when /dev/liveupdate is opened for the first time.
 *
 * Return: 0, also without LUO; or a negative errno.
 */
int iommufd_liveupdate_init(void)
{
	int rc;

	rc = liveupdate_register_file_handler(&iommufd_luo_handler);
	if (rc == -EOPNOTSUPP)
		return 0;
	if (rc)
		return rc;

	rc = iommu_liveupdate_register(&iommufd_luo_handler);
	if (rc) {
		liveupdate_unregister_file_handler(&iommufd_luo_handler);
		return rc;
	}
	iommufd_luo_registered = true;
	return 0;
}

/** iommufd_liveupdate_exit() - the reverse; no iommufd is left */
void iommufd_liveupdate_exit(void)
{
	if (!iommufd_luo_registered)
		return;
	iommu_liveupdate_unregister(&iommufd_luo_handler);
	liveupdate_unregister_file_handler(&iommufd_luo_handler);
	iommufd_luo_registered = false;
}

/* ---- Preserving a device, for vfio ---- */

/* Lock: iommufd_group::lock. The domain of requests without PASID. */
static struct iommu_domain *iommufd_device_liveupdate_domain(struct iommufd_device *idev)
{
	struct iommu_attach_handle *handle;

	lockdep_assert_held(&idev->igroup->lock);

	if (!idev->igroup->group)
		return ERR_PTR(-EOPNOTSUPP);
	handle = iommu_attach_handle_get(idev->igroup->group, IOMMU_NO_PASID, 0);
	if (IS_ERR(handle))
		return ERR_PTR(-EINVAL);
	return handle->domain;
}

/*
 * Lock: mutex of the session that has @ictx, which keeps it preserved.
 * Return: 0 and its key in records; -EIO, a bug.
 */
static int iommufd_liveupdate_preserved_key(struct iommufd_ctx *ictx, u64 *iommufd)
{
	/* Pairs with iommufd_liveupdate_state() */
	struct iommufd_liveupdate *state = smp_load_acquire(&ictx->liveupdate);

	if (WARN_ON(!state))
		return -EIO;
	guard(mutex)(&state->lock);
	if (WARN_ON(!state->preserved))
		return -EIO;
	*iommufd = iommufd_liveupdate_key(state->preserved);
	return 0;
}

static int iommufd_device_liveupdate_check(struct iommufd_device *idev,
					   struct iommu_domain *domain)
{
	struct iommufd_hw_pagetable *hwpt = domain->iommufd_hwpt;

	lockdep_assert_held(&idev->igroup->lock);

	if (!hwpt_is_paging(hwpt))
		return -EOPNOTSUPP;
	if (!iommufd_hwpt_liveupdate_marked(to_hwpt_paging(hwpt)))
		return -EINVAL;
	return 0;
}

/* Lock: iommufd_group::lock */
static int iommufd_device_liveupdate_preserve_all(struct iommufd_device *idev,
						  struct iommu_domain *domain, u64 iommufd)
{
	struct iommu_liveupdate_pasid *pasids;
	unsigned int nr_pasids, i;
	int rc;

	pasids = iommufd_device_liveupdate_pasids(idev, &nr_pasids);
	if (IS_ERR(pasids))
		return PTR_ERR(pasids);
	rc = iommufd_device_liveupdate_check(idev, domain);
	for (i = 0; !rc && i < nr_pasids; i++)
		rc = iommufd_device_liveupdate_check(idev, pasids[i].domain);
	if (!rc)
		rc = iommu_liveupdate_preserve_device(idev->dev, domain, iommufd, pasids,
						      nr_pasids);
	kvfree(pasids);
	return rc;
}

/**
 * iommufd_device_liveupdate_preserve() - preserve a device's translation
 * @idev: the device; stays bound until it is unpreserved
 * @session: that is to preserve it
 * @iommufd_token: set to the LUO token of the iommufd that @idev is bound to
 *
 * From success on, the device's attachments can't be changed, with PASID or
 * without.
 *
 * Lock: @session's mutex. Takes iommufd_group::lock, so that nobody attaches
 * or detaches meanwhile.
 * Return: 0 or a negative errno, see the table at the top of this file.
 */
int iommufd_device_liveupdate_preserve(struct iommufd_device *idev,
				       struct liveupdate_session *session,
				       u64 *iommufd_token)
{
	struct iommu_domain *domain;
	u64 token, iommufd;
	int rc;

	/* While the session's mutex is held, the iommufd stays preserved */
	rc = liveupdate_get_token_outgoing(session, idev->ictx->file, &token);
	if (rc)
		return rc;
	rc = iommufd_liveupdate_preserved_key(idev->ictx, &iommufd);
	if (rc)
		return rc;

	guard(mutex)(&idev->igroup->lock);
	domain = iommufd_device_liveupdate_domain(idev);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	rc = iommufd_device_liveupdate_preserve_all(idev, domain, iommufd);
	if (rc)
		return rc;
	*iommufd_token = token;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_liveupdate_preserve, "IOMMUFD");

/**
 * iommufd_device_liveupdate_unpreserve() - the reverse; can't fail
 * @idev: preserved by iommufd_device_liveupdate_preserve()
 *
 * Lock: mutex of the same session. Takes iommufd_group::lock.
 */
void iommufd_device_liveupdate_unpreserve(struct iommufd_device *idev)
{
	guard(mutex)(&idev->igroup->lock);
	iommu_liveupdate_unpreserve_device(idev->dev);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_liveupdate_unpreserve, "IOMMUFD");

/**
 * iommufd_device_liveupdate_busy() - must a device stay attached?
 * @idev: the device
 *
 * For a detach that userspace asks for. A snapshot, except that true stays
 * true while the caller keeps the session from being closed.
 *
 * Lock: takes iommufd_group::lock.
 * Return: true when the device, or an HWPT that it or a PASID of it is attached
 * to, is preserved.
 */
bool iommufd_device_liveupdate_busy(struct iommufd_device *idev)
{
	struct iommu_domain *domain;

	guard(mutex)(&idev->igroup->lock);
	if (iommu_liveupdate_device_outgoing(idev->dev))
		return true;
	domain = iommufd_device_liveupdate_domain(idev);
	if (!IS_ERR(domain) && iommu_liveupdate_domain_outgoing(domain))
		return true;
	return iommufd_device_liveupdate_pasids_outgoing(idev);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_liveupdate_busy, "IOMMUFD");
