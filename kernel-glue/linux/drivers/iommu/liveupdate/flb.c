// SPDX-License-Identifier: GPL-2.0-only
/*
 * The FLB "iommuser-v1": the IOMMU state that all preserved iommufds share.
 */
#include <linux/export.h>
#include <linux/iommu_liveupdate.h>
#include <linux/liveupdate.h>
#include <linux/module.h>

#include "incoming.h"
#include "internal.h"

static int flb_preserve(struct liveupdate_flb_op_args *args)
{
	u64 root;
	int ret;

	ret = iommu_liveupdate_outgoing_start(&root);
	if (ret)
		return ret;
	args->data = root;
	/* LUO asks for an object; ours is found through iommu_liveupdate_outgoing(). */
	args->obj = args->flb;
	return 0;
}

static void flb_unpreserve(struct liveupdate_flb_op_args *args)
{
	iommu_liveupdate_outgoing_end();
}

static int flb_retrieve(struct liveupdate_flb_op_args *args)
{
	return iommu_liveupdate_retrieve(args->data, &args->obj);
}

static void flb_finish(struct liveupdate_flb_op_args *args)
{
	iommu_liveupdate_finish(args->obj);
}

static const struct liveupdate_flb_ops flb_ops = {
	.preserve = flb_preserve,
	.unpreserve = flb_unpreserve,
	.retrieve = flb_retrieve,
	.finish = flb_finish,
	.owner = THIS_MODULE,
};

struct liveupdate_flb iommu_liveupdate_flb = {
	.ops = &flb_ops,
	.compatible = IOMMUSER_V1_COMPATIBLE,
};

int iommu_liveupdate_register(struct liveupdate_file_handler *handler)
{
	return liveupdate_register_flb(handler, &iommu_liveupdate_flb);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_register);

void iommu_liveupdate_unregister(struct liveupdate_file_handler *handler)
{
	liveupdate_unregister_flb(handler, &iommu_liveupdate_flb);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_unregister);
