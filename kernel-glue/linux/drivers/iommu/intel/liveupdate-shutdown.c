// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update in the VT-d driver, the jump: a unit with preserved devices
 * goes on translating for them, and for nobody else.
 *
 * Everything here runs with interrupts off and all other CPUs stopped, maybe
 * in the middle of anything but a section with interrupts off: it takes no
 * lock but raw ones, and allocates nothing.
 */
#include <linux/io.h>

#include <iommuser/records.h>

#include "liveupdate.h"
#include "pasid.h"

/**
 * intel_liveupdate_unit_stays_on() - does a unit translate through the jump?
 * @iommu: the unit
 *
 * Context: shutdown.
 */
bool intel_liveupdate_unit_stays_on(struct intel_iommu *iommu)
{
	return iommu_liveupdate_jumping() && iommu->liveupdate && iommu->liveupdate->nr_devices;
}

/* Zero a stretch of a table, the quadwords with the present bits first. */
static void clear_entry(struct intel_iommu *iommu, void *entry, size_t size)
{
	u64 *qword = entry;
	size_t i;

	for (i = 0; i < size / sizeof(*qword); i++) {
		WRITE_ONCE(qword[i], 0);
		if (!i)
			dma_wmb();
	}
	__iommu_flush_cache(iommu, entry, size);
}

static bool pasid_preserved(struct intel_iommu *iommu, u32 requester, u32 pasid)
{
	return pasid == IOMMU_NO_PASID ||
	       xa_load(&iommu->liveupdate->pasids, intel_liveupdate_pasid_index(requester, pasid));
}

static void clear_other_pasids(struct intel_iommu *iommu, u32 requester,
			       const struct context_entry *context)
{
	struct pasid_dir_entry *directory = phys_to_virt(context->lo & VTD_PAGE_MASK);
	u32 nr_pasids = get_pasid_dir_size(context) << PASID_PDE_SHIFT;
	struct pasid_entry *entries;
	u32 pasid;

	for (pasid = 0; pasid < nr_pasids; pasid++) {
		entries = get_pasid_table_from_pde(&directory[pasid >> PASID_PDE_SHIFT]);
		if (!entries)
			pasid |= PASID_PTE_MASK;
		else if (!pasid_preserved(iommu, requester, pasid))
			clear_entry(iommu, &entries[pasid & PASID_PTE_MASK], sizeof(*entries));
	}
}

/* What one word of the root table leads to: some devices of one bus. */
struct context_table {
	struct intel_iommu *iommu;
	u64 *root;
	u32 first; /* requester id of the first entry */
	u32 nr;
	u32 stride; /* from one entry to the next, in struct context_entry */
};

static void clear_context_table(const struct context_table *table)
{
	struct context_entry *context = phys_to_virt(*table->root & VTD_PAGE_MASK);
	u32 i;

	for (i = 0; i < table->nr; i++, context += table->stride) {
		if (!test_bit(table->first + i, table->iommu->liveupdate->requesters))
			clear_entry(table->iommu, context, table->stride * sizeof(*context));
		else if (sm_supported(table->iommu))
			clear_other_pasids(table->iommu, table->first + i, context);
	}
}

/* Was this table preserved with its unit? Only then the next kernel has it. */
static bool table_preserved(const struct context_table *table)
{
	const struct iommuser_iommu *record = iommu_liveupdate_unit_record(&table->iommu->iommu);
	u32 bit = table->first >> 7;

	return record && record->context_tables[bit / 64] >> (bit % 64) & 1;
}

static void clear_tables(struct intel_iommu *iommu)
{
	u32 nr_words = sm_supported(iommu) ? 2 : 1;
	struct context_table table = {
		.iommu = iommu,
		.nr = 256 / nr_words,
		.stride = nr_words,
	};
	u32 bus, word;

	for (bus = 0; bus < 256; bus++) {
		for (word = 0; word < nr_words; word++) {
			table.root = word ? &iommu->root_entry[bus].hi : &iommu->root_entry[bus].lo;
			table.first = bus << 8 | word << 7;
			if (!(*table.root & 1))
				continue;
			if (table_preserved(&table))
				clear_context_table(&table);
			else
				clear_entry(iommu, table.root, sizeof(*table.root));
		}
	}
}

static void flush_everything(struct intel_iommu *iommu)
{
	iommu_flush_write_buffer(iommu);
	iommu->flush.flush_context(iommu, 0, 0, 0, DMA_CCMD_GLOBAL_INVL);
	if (sm_supported(iommu))
		qi_flush_pasid_cache(iommu, 0, QI_PC_GLOBAL, 0);
	iommu->flush.flush_iotlb(iommu, 0, 0, 0, DMA_TLB_GLOBAL_FLUSH);
}

/* No message of this unit's own may reach the next kernel before it expects them. */
static void mask_events(struct intel_iommu *iommu)
{
	writel(DMA_FECTL_IM, iommu->reg + DMAR_FECTL_REG);
	if (!ecap_prs(iommu->ecap))
		return;
	writel(DMA_FECTL_IM, iommu->reg + DMAR_PECTL_REG);
	writeq(0, iommu->reg + DMAR_PQH_REG);
	writeq(0, iommu->reg + DMAR_PQT_REG);
	writeq(0, iommu->reg + DMAR_PQA_REG);
}

/**
 * intel_liveupdate_clear_unpreserved() - have a unit translate for preserved devices only
 * @iommu: intel_liveupdate_unit_stays_on() is true for it
 *
 * After this every other requester id has no context entry, and preserved
 * devices have no PASID entries but those that were preserved.
 *
 * Context: shutdown.
 */
void intel_liveupdate_clear_unpreserved(struct intel_iommu *iommu)
{
	clear_tables(iommu);
	flush_everything(iommu);
	mask_events(iommu);
}
