// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite "iommu-liveupdate-iommufd": an iommufd and HWPTs of after a live
 * update, without one.
 */
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/liveupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "iommufd_private.h"
#include "liveupdate.h"
#include "liveupdate-state.h"

#define TEST_TOKEN 7
#define TEST_APERTURE_END (SZ_1G - 1)

/* ---- A domain that notes what it is asked ---- */

struct test_domain {
	struct iommu_domain domain;
	unsigned int nr_reads;
	unsigned long iova;
	size_t size;
	unsigned long flags;
	bool tracking;
	unsigned int nr_reads_when_switched;
	int error;
};

static int test_read_and_clear_dirty(struct iommu_domain *domain, unsigned long iova, size_t size,
				     unsigned long flags, struct iommu_dirty_bitmap *dirty)
{
	struct test_domain *test_domain = container_of(domain, struct test_domain, domain);

	test_domain->nr_reads++;
	test_domain->iova = iova;
	test_domain->size = size;
	test_domain->flags = flags;
	return test_domain->error;
}

static int test_set_dirty_tracking(struct iommu_domain *domain, bool enabled)
{
	struct test_domain *test_domain = container_of(domain, struct test_domain, domain);

	test_domain->tracking = enabled;
	test_domain->nr_reads_when_switched = test_domain->nr_reads;
	return 0;
}

static const struct iommu_dirty_ops test_dirty_ops = {
	.set_dirty_tracking = test_set_dirty_tracking,
	.read_and_clear_dirty = test_read_and_clear_dirty,
};

static const struct iommu_domain_ops test_domain_ops = {};

static void test_domain_init(struct test_domain *test_domain, struct iommufd_hwpt_paging *hwpt)
{
	*test_domain = (struct test_domain){
		.domain = {
			.ops = &test_domain_ops,
			.dirty_ops = &test_dirty_ops,
			.geometry.aperture_end = TEST_APERTURE_END,
			.cookie_type = IOMMU_COOKIE_IOMMUFD,
			.iommufd_hwpt = &hwpt->common,
		},
	};
}

/* ---- The IOAS of restored HWPTs ---- */

static void test_restored_ioas(struct kunit *test)
{
	struct iommufd_ioas *ioas = iommufd_liveupdate_alloc_restored_ioas();
	struct rb_root_cached allowed = RB_ROOT_CACHED;
	struct iommufd_liveupdate state = { .restored_ioas = ioas };
	unsigned long unmapped = 1;
	int owner;

	KUNIT_ASSERT_NOT_NULL(test, ioas);
	KUNIT_EXPECT_EQ(test, -EBUSY, iopt_set_allow_iova(&ioas->iopt, &allowed));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap_iova(&ioas->iopt, 0, SZ_4K, &unmapped));
	KUNIT_EXPECT_EQ(test, 0, unmapped);

	/* What attaching a device does */
	down_write(&ioas->iopt.iova_rwsem);
	KUNIT_EXPECT_EQ(test, 0, iopt_reserve_iova(&ioas->iopt, SZ_1M, SZ_2M - 1, &owner));
	up_write(&ioas->iopt.iova_rwsem);
	KUNIT_EXPECT_FALSE(test, RB_EMPTY_ROOT(&ioas->iopt.reserved_itree.rb_root));
	iopt_remove_reserved_iova(&ioas->iopt, &owner);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&ioas->iopt.reserved_itree.rb_root));

	iommufd_liveupdate_free_restored_ioas(&state);
	KUNIT_EXPECT_NULL(test, state.restored_ioas);
	iommufd_liveupdate_free_restored_ioas(&state);
}

/* No area tells where its mappings are: the domain is asked about all of it. */
static void test_dirty(struct kunit *test)
{
	struct iommu_hwpt_get_dirty_bitmap query = {
		.iova = SZ_2M, .length = SZ_64K, .page_size = SZ_4K,
	};
	struct iommufd_hwpt_paging hwpt = {};
	struct iommufd_liveupdate state = {};
	struct test_domain domain;
	struct io_pagetable *iopt;

	state.restored_ioas = iommufd_liveupdate_alloc_restored_ioas();
	KUNIT_ASSERT_NOT_NULL(test, state.restored_ioas);
	iopt = &state.restored_ioas->iopt;
	test_domain_init(&domain, &hwpt);

	KUNIT_EXPECT_EQ(test, 0, iopt_set_dirty_tracking(iopt, &domain.domain, true));
	KUNIT_EXPECT_TRUE(test, domain.tracking);
	KUNIT_EXPECT_EQ(test, 1, domain.nr_reads_when_switched);
	KUNIT_EXPECT_EQ(test, 0, domain.iova);
	KUNIT_EXPECT_EQ(test, SZ_1G, domain.size);
	KUNIT_EXPECT_EQ(test, 0, domain.flags);

	KUNIT_EXPECT_EQ(test, 0, iopt_read_and_clear_dirty_data(iopt, &domain.domain,
								IOMMU_DIRTY_NO_CLEAR, &query));
	KUNIT_EXPECT_EQ(test, 2, domain.nr_reads);
	KUNIT_EXPECT_EQ(test, SZ_2M, domain.iova);
	KUNIT_EXPECT_EQ(test, SZ_64K, domain.size);
	KUNIT_EXPECT_EQ(test, IOMMU_DIRTY_NO_CLEAR, domain.flags);

	KUNIT_EXPECT_EQ(test, 0, iopt_set_dirty_tracking(iopt, &domain.domain, false));
	KUNIT_EXPECT_FALSE(test, domain.tracking);
	KUNIT_EXPECT_EQ(test, 2, domain.nr_reads);

	/* A clean start that failed is none */
	domain.error = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, iopt_set_dirty_tracking(iopt, &domain.domain, true));
	KUNIT_EXPECT_FALSE(test, domain.tracking);

	query.iova += SZ_1K;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_read_and_clear_dirty_data(iopt, &domain.domain, 0, &query));
	domain.domain.dirty_ops = NULL;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, iopt_set_dirty_tracking(iopt, &domain.domain, true));
	iommufd_liveupdate_free_restored_ioas(&state);
}

static void test_dirty_whole_aperture(struct kunit *test)
{
	struct iommufd_hwpt_paging hwpt = {};
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;
	struct test_domain domain;

	test_domain_init(&domain, &hwpt);
	domain.domain.geometry.aperture_end = ULONG_MAX;
	iommu_dirty_bitmap_init(&dirty, NULL, &gather);
	KUNIT_EXPECT_EQ(test, 0, iopt_liveupdate_clear_dirty(&domain.domain, &dirty));
	KUNIT_EXPECT_EQ(test, 0, domain.iova);
	KUNIT_EXPECT_EQ(test, PAGE_MASK, domain.size);
}

/* ---- The ioctls ---- */

static void test_restore(struct kunit *test, struct iommufd_ctx *ictx, u32 flags, u32 reserved,
			 int expected)
{
	struct iommu_hwpt_liveupdate_restore cmd = {
		.size = sizeof(cmd), .flags = flags, .hwpt_token = TEST_TOKEN,
		.__reserved = reserved,
	};
	struct iommufd_ucmd ucmd = { .ictx = ictx, .user_size = sizeof(cmd), .cmd = &cmd };

	KUNIT_EXPECT_EQ(test, expected, iommufd_hwpt_liveupdate_restore(&ucmd));
	KUNIT_EXPECT_NULL(test, ucmd.new_obj);
	KUNIT_EXPECT_EQ(test, 0, cmd.out_hwpt_id);
	KUNIT_EXPECT_TRUE(test, xa_empty(&ictx->objects));
}

/* An HWPT like a restored one, whose domain is of no use. */
static void test_mark(struct kunit *test, struct iommufd_ctx *ictx, struct iommufd_ioas *ioas)
{
	struct iommu_hwpt_liveupdate_mark cmd = { .size = sizeof(cmd), .hwpt_token = TEST_TOKEN };
	struct iommufd_ucmd ucmd = { .ictx = ictx, .user_size = sizeof(cmd), .cmd = &cmd };
	struct iommufd_hwpt_paging *hwpt;

	hwpt = __iommufd_object_alloc(ictx, hwpt, IOMMUFD_OBJ_HWPT_PAGING, common.obj);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, hwpt);
	INIT_LIST_HEAD(&hwpt->hwpt_item);
	refcount_inc(&ioas->obj.users);
	hwpt->ioas = ioas;
	iommufd_object_finalize(ictx, &hwpt->common.obj);

	cmd.hwpt_id = hwpt->common.obj.id;
	KUNIT_EXPECT_EQ(test, -EINVAL, iommufd_hwpt_liveupdate_mark(&ucmd));
	KUNIT_EXPECT_EQ(test, 0, iommufd_object_remove(ictx, NULL, cmd.hwpt_id, 0));
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&ioas->obj.users));
}

static void test_ioctls(struct kunit *test)
{
	struct file *file = iommufd_liveupdate_open();
	struct iommufd_liveupdate *state;
	struct iommufd_ctx *ictx;

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_EXPECT_PTR_EQ(test, &iommufd_fops, file->f_op);
	ictx = file->private_data;
	KUNIT_EXPECT_PTR_EQ(test, file, ictx->file);

	/* Neither marks nor a handover, then marks, then what a retrieved one has */
	test_restore(test, ictx, 0, 0, -EINVAL);
	state = iommufd_liveupdate_state(ictx);
	KUNIT_EXPECT_FALSE(test, IS_ERR(state));
	if (!IS_ERR(state)) {
		test_restore(test, ictx, 0, 0, -EINVAL);
		state->restored_ioas = iommufd_liveupdate_alloc_restored_ioas();
	}
	if (!IS_ERR(state) && state->restored_ioas) {
		test_restore(test, ictx, 0, 0, -ENOENT);
		test_restore(test, ictx, 1, 0, -EOPNOTSUPP);
		test_restore(test, ictx, 0, 1, -EOPNOTSUPP);
		test_mark(test, ictx, state->restored_ioas);
	}
	fput(file);
	flush_delayed_fput();
}

/* ---- Retrieving ---- */

static void test_retrieve(struct kunit *test)
{
	void *page = (void *)get_zeroed_page(GFP_KERNEL);
	struct liveupdate_file_op_args args = { .token = TEST_TOKEN };
	struct file *file;

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, -EINVAL, iommufd_luo_retrieve(&args));
	args.serialized_data = virt_to_phys(page);
	KUNIT_EXPECT_EQ(test, -EINVAL, iommufd_luo_retrieve(&args));
	args.serialized_data++;
	KUNIT_EXPECT_EQ(test, -EINVAL, iommufd_luo_retrieve(&args));
	args.serialized_data = ~0ULL & PAGE_MASK;
	KUNIT_EXPECT_EQ(test, -EINVAL, iommufd_luo_retrieve(&args));
	KUNIT_EXPECT_NULL(test, args.file);

	/* Nobody's: there is nothing to wait for */
	KUNIT_EXPECT_TRUE(test, iommufd_luo_can_finish(&args));
	iommufd_luo_abandon(&args);
	iommufd_luo_finish(&args);

	file = iommufd_liveupdate_open_retrieved(virt_to_phys(page));
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-ENOENT), file);
	if (!IS_ERR(file))
		fput(file);
	flush_delayed_fput();
	free_page((unsigned long)page);
}

static struct kunit_case iommufd_liveupdate_cases[] = {
	KUNIT_CASE(test_restored_ioas),
	KUNIT_CASE(test_dirty),
	KUNIT_CASE(test_dirty_whole_aperture),
	KUNIT_CASE(test_ioctls),
	KUNIT_CASE(test_retrieve),
	{}
};

static struct kunit_suite iommufd_liveupdate_suite = {
	.name = "iommu-liveupdate-iommufd",
	.test_cases = iommufd_liveupdate_cases,
};

kunit_test_suite(iommufd_liveupdate_suite);
