/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Gives a page table that was just initialised the tables that another kernel
 * left behind.
 */
#ifndef __GENERIC_PT_ADOPT_H
#define __GENERIC_PT_ADOPT_H

#include <linux/generic_pt/common.h>
#include <linux/generic_pt/iommu.h>
#include <linux/io.h>

/**
 * pt_iommu_adopt_top() - swap the empty top table for one that has mappings
 * @iommu_table: initialised with the format, the features, the top level and
 *	the widths of the tables behind @top, and empty; no hardware knows it
 * @common: the format's part of @iommu_table
 * @top: physical address of a top table. It and the tables below it came from
 *	iommu_alloc_pages_node_sz() or were made to look so; from now on they
 *	are freed by pt_iommu_deinit()
 */
static inline void pt_iommu_adopt_top(struct pt_iommu *iommu_table, struct pt_common *common,
				      phys_addr_t top)
{
	uintptr_t level = READ_ONCE(common->top_of_table) & PT_TOP_LEVEL_MASK;

	iommu_table->ops->deinit(iommu_table);
	WRITE_ONCE(common->top_of_table, (uintptr_t)phys_to_virt(top) | level);
}

#endif /* __GENERIC_PT_ADOPT_H */
