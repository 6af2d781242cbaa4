// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves that the decoder takes each field of an "iommuser-v1" record from where the
 * wire structs have it, whose layout is pinned by static asserts. Checks S1.
 *
 * Sources: records.c revisions.c access.c
 * Unwind: 20
 */
#include <iommuser/records.h>

#include "internal.h"
#include "proof.h"

struct iommuser_iommu_ser nondet_iommu(void);
struct iommuser_domain_ser nondet_domain(void);
struct iommuser_device_ser nondet_device(void);
struct iommuser_alias_ser nondet_alias(void);
struct iommuser_attachment_ser nondet_attachment(void);
struct iommuser_hwpt_ser nondet_hwpt(void);

static const struct iommuser_revision *revision;
static union iommuser_record record;

#define SAME(kind, member) prove(record.kind.member == wire.member, "the field at its place")
#define SAME_START(kind)                                                                         \
	do {                                                                                     \
		prove(record.kind.flags == wire.record.flags, "flags at their place");           \
		prove(record.kind.ref_count == wire.record.ref_count, "ref_count at its place"); \
		prove(record.kind.index == wire.record.index, "index at its place");             \
	} while (0)

static void check_iommu(void)
{
	const struct iommuser_iommu_ser wire = nondet_iommu();
	u32 i;

	iommuser_decode(revision, IOMMUSER_KIND_IOMMU, nondet_u64(), &wire, 0, &record);
	SAME_START(iommu);
	SAME(iommu, type);
	SAME(iommu, segment);
	SAME(iommu, token);
	SAME(iommu, mode);
	SAME(iommu, host_address_width);
	SAME(iommu, root_table);
	SAME(iommu, cap);
	SAME(iommu, ecap);
	SAME(iommu, first_did);
	SAME(iommu, did_limit);
	for (i = 0; i < 8; i++)
		SAME(iommu, context_tables[i]);
	reach("a unit");
}

static void check_domain(void)
{
	const struct iommuser_domain_ser wire = nondet_domain();

	iommuser_decode(revision, IOMMUSER_KIND_DOMAIN, nondet_u64(), &wire, 0, &record);
	SAME_START(domain);
	SAME(domain, stage);
	SAME(domain, format);
	SAME(domain, top_table);
	SAME(domain, top_level);
	SAME(domain, input_width);
	SAME(domain, output_width);
	SAME(domain, features);
	SAME(domain, page_size_bitmap);
	SAME(domain, nr_table_pages);
	prove(!record.domain.sign_extend && !record.domain.restored_domain,
	      "members without a field are 0");
}

static void check_device(void)
{
	const struct iommuser_device_ser wire = nondet_device();

	iommuser_decode(revision, IOMMUSER_KIND_DEVICE, nondet_u64(), &wire, 0, &record);
	SAME_START(device);
	SAME(device, segment);
	SAME(device, bdf);
	SAME(device, owner_token);
	SAME(device, iommu);
	SAME(device, group_size);
	SAME(device, device_flags);
	SAME(device, pasid_directory);
	SAME(device, pasid_entries);
	SAME(device, rid_pasid);
	prove(!record.device.domain && !record.device.did && !record.device.type,
	      "members without a field are 0");
}

static void check_alias(void)
{
	const struct iommuser_alias_ser wire = nondet_alias();

	iommuser_decode(revision, IOMMUSER_KIND_ALIAS, nondet_u64(), &wire, 0, &record);
	SAME_START(alias);
	SAME(alias, segment);
	SAME(alias, bdf);
	SAME(alias, device);
	SAME(alias, type);
}

static void check_attachment(void)
{
	const struct iommuser_attachment_ser wire = nondet_attachment();

	iommuser_decode(revision, IOMMUSER_KIND_ATTACHMENT, nondet_u64(), &wire, 0, &record);
	SAME_START(attachment);
	SAME(attachment, device);
	SAME(attachment, domain);
	SAME(attachment, pasid);
	SAME(attachment, attachment_flags);
	SAME(attachment, did);
}

static void check_hwpt(void)
{
	const struct iommuser_hwpt_ser wire = nondet_hwpt();

	iommuser_decode(revision, IOMMUSER_KIND_HWPT, nondet_u64(), &wire, 0, &record);
	SAME_START(hwpt);
	SAME(hwpt, iommufd_token);
	SAME(hwpt, hwpt_token);
	SAME(hwpt, domain);
}

int main(void)
{
	revision = iommuser_revision_by_name(IOMMUSER_V1_COMPATIBLE);
	prove(revision != NULL, "the revision is known");
	check_iommu();
	check_domain();
	check_device();
	check_alias();
	check_attachment();
	check_hwpt();
	return 0;
}
