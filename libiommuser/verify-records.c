// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The checks of areas REC, REF and DID: every record on its own, and against
 * the records it refers to.
 */
#include "index.h"
#include "verify-private.h"

#include <iommuser/vtd.h>

#define KNOWN_FEATURES 0x1fULL
#define KNOWN_DEVICE_FLAGS \
	((u64)(IOMMUSER_DEVICE_ATS | IOMMUSER_DEVICE_PRE | IOMMUSER_DEVICE_RESET_WORKS))
#define LEAF_SIZES (1ULL << 12 | 1ULL << 21 | 1ULL << 30)

/* One record under examination. */
struct record_check {
	struct iommuser_verify *verify;
	const union iommuser_record *record;
	u64 position;
	u32 kind;
};

static OWN_FRAME void bad(const struct record_check *check, enum iommuser_finding_id id, u32 field,
			  u64 found, u64 expected)
{
	report_record(check->verify->reporter, id, check->kind, check->record, field, found,
		      expected);
}

static OWN_FRAME bool has(const struct record_check *check, enum iommuser_field field)
{
	return iommuser_revision_has(check->verify->root->revision, check->kind, field);
}

static OWN_FRAME void expect_range(const struct record_check *check, enum iommuser_finding_id id,
				   u32 field, u64 found, u64 low, u64 high)
{
	if (found < low)
		bad(check, id, field, found, low);
	else if (found > high)
		bad(check, id, field, found, high);
}

static void check_requester(const struct record_check *check, u64 segment, u64 bdf)
{
	expect_range(check, IOMMUSER_FINDING_REC_ADDRESS_RANGE, IOMMUSER_FIELD_SEGMENT, segment, 0,
		     MAX_SEGMENT);
	expect_range(check, IOMMUSER_FINDING_REC_ADDRESS_RANGE, IOMMUSER_FIELD_BDF, bdf, 0,
		     MAX_BDF);
}

/*
 * Follow a reference and count it at its target.
 * Return: true when it points at a live record.
 */
static bool check_reference(const struct record_check *check, u32 field, u64 phys, u32 kind,
			    enum iommuser_finding_id id, u64 *position)
{
	struct iommuser_verify *verify = check->verify;
	union iommuser_record target;
	int error;

	error = iommuser_graph_resolve(verify->graph, phys, kind, position);
	if (error && chain_broken(verify, kind))
		return false; /* the target may be in the part that cannot be reached */
	if (!error && !resolve_live(verify, phys, kind, position, &target)) {
		++*graph_references(verify->graph, kind, *position);
		return true;
	}
	bad(check, error ? id : IOMMUSER_FINDING_REC_DELETED_REFERENCE, field, phys, 0);
	verify->graph->unresolved[kind]++;
	return false;
}

void verify_did(struct iommuser_verify *verify, u32 kind, const union iommuser_record *record,
		u64 did, u64 unit, u64 domain)
{
	struct record_check check = { .verify = verify, .record = record, .kind = kind };
	u64 first = IOMMUSER_FIRST_DID, limit = IOMMUSER_MAX_DIDS;
	union iommuser_record iommu;
	u64 other;

	if (read_live(verify, IOMMUSER_KIND_IOMMU, unit, &iommu) ||
	    iommu.iommu.type != IOMMUSER_IOMMU_TYPE_INTEL)
		return;
	if (verify_sealed(verify)) {
		first = iommu.iommu.first_did < first ? first : iommu.iommu.first_did;
		limit = iommu.iommu.did_limit > limit ? limit : iommu.iommu.did_limit;
	}
	if (did < first)
		bad(&check, IOMMUSER_FINDING_DID_RESERVED, IOMMUSER_FIELD_DID, did, first);
	else if (did >= limit)
		bad(&check, IOMMUSER_FINDING_DID_LIMIT, IOMMUSER_FIELD_DID, did, limit - 1);
	index_insert(&verify->graph->did_holders, did_key(unit, did), record->common.index);
	other = index_insert(&verify->graph->dids, did_key(unit, did), domain);
	if (other != domain)
		bad(&check, IOMMUSER_FINDING_DID_COLLISION, IOMMUSER_FIELD_DID, did, other);
	other = index_insert(&verify->graph->domain_dids, unit << 32 | domain, did & 0x7fffffff);
	if (other != (did & 0x7fffffff))
		bad(&check, IOMMUSER_FINDING_DID_SPLIT, IOMMUSER_FIELD_DID, did, other);
}

/* Everything that holds for a record of any kind. Return: false for a deleted one. */
static bool check_common(const struct record_check *check, const void *bytes, u64 variant,
			 u64 index)
{
	struct iommuser_verify *verify = check->verify;
	const struct iommuser_revision *revision = verify->root->revision;
	const struct iommuser_record_layout *layout = &revision->kinds[check->kind];
	const union iommuser_record *record = check->record;
	u64 offset;

	if (record->common.flags & ~(u64)layout->known_flags)
		bad(check, IOMMUSER_FINDING_REC_FLAGS, IOMMUSER_FIELD_FLAGS, record->common.flags,
		    layout->known_flags);
	if (has(check, IOMMUSER_FIELD_INDEX) && index != check->position)
		bad(check, IOMMUSER_FINDING_REC_INDEX, IOMMUSER_FIELD_INDEX, index,
		    check->position);
	if (record_deleted(record)) {
		if (verify_sealed(verify) &&
		    (record->common.ref_count ||
		     !all_zero((const u8 *)bytes + sizeof(struct iommuser_record_ser),
			       layout->size - sizeof(struct iommuser_record_ser))))
			bad(check, IOMMUSER_FINDING_REC_DELETED_NOT_ZERO, IOMMUSER_FIELD_NONE, 1,
			    0);
		return false;
	}
	if ((record->common.flags & IOMMUSER_FLAG_INCOMING) &&
	    !(verify->options & IOMMUSER_VERIFY_AFTER_JUMP))
		bad(check, IOMMUSER_FINDING_REC_RUNTIME_FLAG, IOMMUSER_FIELD_FLAGS,
		    record->common.flags, 0);
	if (!record->common.ref_count)
		bad(check, IOMMUSER_FINDING_REC_REF_COUNT_ZERO, IOMMUSER_FIELD_REF_COUNT, 0, 1);
	if (!iommuser_reserved_is_zero(revision, check->kind, variant, bytes, &offset))
		bad(check, IOMMUSER_FINDING_REC_RESERVED, IOMMUSER_FIELD_RESERVED, offset, 0);
	return true;
}

static OWN_FRAME void check_restored(const struct record_check *check, u64 restored)
{
	if (restored && !(check->verify->options & IOMMUSER_VERIFY_AFTER_JUMP))
		bad(check, IOMMUSER_FINDING_REC_RUNTIME_FLAG, IOMMUSER_FIELD_RESTORED, restored, 0);
}

static void check_sealed_iommu(const struct record_check *check)
{
	const struct iommuser_iommu *iommu = &check->record->iommu;
	u32 *unit = &check->verify->graph->unit_segments[check->position];
	u64 most = iommuser_vtd_nr_dids(iommu->cap);

	expect_range(check, IOMMUSER_FINDING_REC_ADDRESS_RANGE, IOMMUSER_FIELD_SEGMENT,
		     iommu->segment, 0, MAX_SEGMENT);
	expect_range(check, IOMMUSER_FINDING_REC_MODE, IOMMUSER_FIELD_MODE, iommu->mode,
		     IOMMUSER_IOMMU_MODE_LEGACY, IOMMUSER_IOMMU_MODE_SCALABLE);
	expect_range(check, IOMMUSER_FINDING_REC_VALUE, IOMMUSER_FIELD_HOST_ADDRESS_WIDTH,
		     iommu->host_address_width, 32, IOMMUSER_PHYS_BITS);
	expect_range(check, IOMMUSER_FINDING_REC_VALUE, IOMMUSER_FIELD_FIRST_DID, iommu->first_did,
		     IOMMUSER_FIRST_DID, most - 1);
	expect_range(check, IOMMUSER_FINDING_REC_VALUE, IOMMUSER_FIELD_DID_LIMIT, iommu->did_limit,
		     iommu->first_did + 1, most);
	*unit = (u32)(iommu->segment & UNIT_SEGMENT) | (u32)(iommu->mode & 3) << UNIT_MODE_SHIFT |
		UNIT_KNOWN;
}

static OWN_FRAME void check_iommu(const struct record_check *check)
{
	const struct iommuser_iommu *iommu = &check->record->iommu;
	bool smmu = has(check, IOMMUSER_FIELD_STRTAB_L1) &&
		    iommu->type == IOMMUSER_IOMMU_TYPE_ARM_SMMUV3;
	u64 first;

	if (iommu->type != IOMMUSER_IOMMU_TYPE_INTEL && !smmu)
		bad(check, IOMMUSER_FINDING_REC_TYPE, IOMMUSER_FIELD_TYPE, iommu->type,
		    IOMMUSER_IOMMU_TYPE_INTEL);
	if (!iommuser_graph_find_iommu(check->verify->graph, iommu->token, &first) &&
	    first != check->position)
		bad(check, IOMMUSER_FINDING_REC_DUPLICATE_TOKEN, IOMMUSER_FIELD_TOKEN, iommu->token,
		    first);
	check_restored(check, iommu->restored);
	if (verify_sealed(check->verify))
		check_sealed_iommu(check);
}

static void check_sealed_domain(const struct record_check *check)
{
	const struct iommuser_domain *domain = &check->record->domain;

	expect_range(check, IOMMUSER_FINDING_REC_TYPE, IOMMUSER_FIELD_STAGE, domain->stage,
		     IOMMUSER_STAGE_FIRST, IOMMUSER_STAGE_SECOND);
	if (domain->format != domain->stage)
		bad(check, IOMMUSER_FINDING_REC_TYPE, IOMMUSER_FIELD_FORMAT, domain->format,
		    domain->stage);
	expect_range(check, IOMMUSER_FINDING_REC_VALUE, IOMMUSER_FIELD_OUTPUT_WIDTH,
		     domain->output_width, 32, IOMMUSER_PHYS_BITS);
	if (domain->features & ~KNOWN_FEATURES)
		bad(check, IOMMUSER_FINDING_REC_FLAGS, IOMMUSER_FIELD_FEATURES, domain->features,
		    KNOWN_FEATURES);
	if (!domain->page_size_bitmap || (domain->page_size_bitmap & ~LEAF_SIZES))
		bad(check, IOMMUSER_FINDING_REC_VALUE, IOMMUSER_FIELD_PAGE_SIZE_BITMAP,
		    domain->page_size_bitmap, LEAF_SIZES);
	expect_range(check, IOMMUSER_FINDING_REC_VALUE, IOMMUSER_FIELD_NR_TABLE_PAGES,
		     domain->nr_table_pages, 1, 1ULL << (IOMMUSER_PHYS_BITS - 12));
	if (domain->stage == IOMMUSER_STAGE_FIRST || domain->stage == IOMMUSER_STAGE_SECOND)
		check->verify->graph->domain_stages[check->position] = (u8)domain->stage;
}

static OWN_FRAME void check_domain(const struct record_check *check)
{
	const struct iommuser_domain *domain = &check->record->domain;
	u64 widest = 12 + 9 * (domain->top_level + 1);

	if (!valid_top_level(domain->stage, domain->top_level))
		bad(check, IOMMUSER_FINDING_REC_LEVEL, IOMMUSER_FIELD_TOP_LEVEL, domain->top_level,
		    domain->top_level > 4		  ? 4 :
		    domain->stage == IOMMUSER_STAGE_FIRST ? 3 :
							    2);
	else if (has(check, IOMMUSER_FIELD_INPUT_WIDTH))
		expect_range(check, IOMMUSER_FINDING_REC_VALUE, IOMMUSER_FIELD_INPUT_WIDTH,
			     domain->input_width, 13, widest);
	if (domain->sign_extend > 1)
		bad(check, IOMMUSER_FINDING_REC_VALUE, IOMMUSER_FIELD_SIGN_EXTEND,
		    domain->sign_extend, 1);
	if (domain->restored_domain && !(check->verify->options & IOMMUSER_VERIFY_AFTER_JUMP))
		bad(check, IOMMUSER_FINDING_REC_RUNTIME_POINTER, IOMMUSER_FIELD_RESTORED_DOMAIN,
		    domain->restored_domain, 0);
	if (verify_sealed(check->verify))
		check_sealed_domain(check);
}

/* A unit works in one mode; where records do not say which, devices do. */
static void learn_mode(const struct record_check *check, u64 unit_position)
{
	const struct iommuser_device *device = &check->record->device;
	u32 *unit = &check->verify->graph->unit_segments[unit_position];
	u32 mode = device->pasid_directory || device->pasid_entries ? IOMMUSER_IOMMU_MODE_SCALABLE :
								      IOMMUSER_IOMMU_MODE_LEGACY;
	u32 known = (*unit & UNIT_MODE) >> UNIT_MODE_SHIFT;

	if (known && known != mode)
		bad(check, IOMMUSER_FINDING_REC_MODE, IOMMUSER_FIELD_PASID_DIRECTORY,
		    device->pasid_directory, known);
	if ((*unit & UNIT_KNOWN) && (*unit & UNIT_SEGMENT) != device->segment)
		bad(check, IOMMUSER_FINDING_REC_ADDRESS_RANGE, IOMMUSER_FIELD_SEGMENT,
		    device->segment, *unit & UNIT_SEGMENT);
	if (!(*unit & UNIT_KNOWN))
		*unit = (u32)(device->segment & UNIT_SEGMENT) | mode << UNIT_MODE_SHIFT |
			UNIT_KNOWN;
}

static void check_pasids(const struct record_check *check)
{
	const struct iommuser_device *device = &check->record->device;
	u64 entries = device->pasid_entries;

	if (!device->pasid_directory != !entries)
		bad(check, IOMMUSER_FINDING_REC_MODE, IOMMUSER_FIELD_PASID_ENTRIES, entries, 0);
	else if (entries && (entries % IOMMUSER_VTD_PASIDS_PER_TABLE || entries > MAX_PASID + 1ULL))
		bad(check, IOMMUSER_FINDING_REC_VALUE, IOMMUSER_FIELD_PASID_ENTRIES, entries,
		    MAX_PASID + 1ULL);
	expect_range(check, IOMMUSER_FINDING_REC_VALUE, IOMMUSER_FIELD_RID_PASID, device->rid_pasid,
		     0, MAX_PASID);
}

static void check_sealed_device(const struct record_check *check)
{
	const struct iommuser_device *device = &check->record->device;

	if (device->device_flags & ~KNOWN_DEVICE_FLAGS)
		bad(check, IOMMUSER_FINDING_REC_FLAGS, IOMMUSER_FIELD_DEVICE_FLAGS,
		    device->device_flags, KNOWN_DEVICE_FLAGS);
	if (device->device_flags & IOMMUSER_DEVICE_PRE)
		bad(check, IOMMUSER_FINDING_REC_PRE, IOMMUSER_FIELD_DEVICE_FLAGS,
		    device->device_flags, 0);
	if (!device->group_size)
		bad(check, IOMMUSER_FINDING_REC_VALUE, IOMMUSER_FIELD_GROUP_SIZE, 0, 1);
}

static OWN_FRAME void check_device(const struct record_check *check)
{
	struct iommuser_verify *verify = check->verify;
	const struct iommuser_device *device = &check->record->device;
	u64 first, unit, domain;
	bool unit_found, stale;

	check_requester(check, device->segment, device->bdf);
	stale = iommuser_graph_device_stale(verify->graph, device) == -IOMMUSER_ENOENT;
	if (!iommuser_graph_find_device(verify->graph, device->segment, device->bdf, &first) &&
	    first != check->position)
		bad(check, IOMMUSER_FINDING_REC_DUPLICATE_BDF, IOMMUSER_FIELD_BDF, device->bdf,
		    first);
	if (stale) {
		bad(check, IOMMUSER_FINDING_REC_STALE_DEVICE, IOMMUSER_FIELD_DOMAIN, device->domain,
		    0);
		return;
	}
	check_restored(check, device->restored);
	if (has(check, IOMMUSER_FIELD_TYPE) && device->type > IOMMUSER_IOMMU_TYPE_INTEL)
		bad(check, IOMMUSER_FINDING_REC_TYPE, IOMMUSER_FIELD_TYPE, device->type, 0);
	check_pasids(check);
	if (verify_sealed(verify))
		check_sealed_device(check);
	unit_found = check_reference(check, IOMMUSER_FIELD_IOMMU, device->iommu,
				     IOMMUSER_KIND_IOMMU, IOMMUSER_FINDING_REC_IOMMU_REFERENCE,
				     &unit);
	if (unit_found)
		learn_mode(check, unit);
	if (verify_has_attachments(verify))
		return;
	if (check_reference(check, IOMMUSER_FIELD_DOMAIN, device->domain, IOMMUSER_KIND_DOMAIN,
			    IOMMUSER_FINDING_REC_DOMAIN_REFERENCE, &domain) &&
	    unit_found)
		verify_did(verify, check->kind, check->record, device->did, unit, domain);
}

static OWN_FRAME void check_alias(const struct record_check *check)
{
	const struct iommuser_alias *alias = &check->record->alias;
	u64 other, device;

	check_requester(check, alias->segment, alias->bdf);
	expect_range(check, IOMMUSER_FINDING_REC_TYPE, IOMMUSER_FIELD_TYPE, alias->type,
		     IOMMUSER_ALIAS_DMA, IOMMUSER_ALIAS_REAL_DMA_PARENT);
	if (!iommuser_graph_find_alias(check->verify->graph, alias->segment, alias->bdf, &other) &&
	    other != check->position)
		bad(check, IOMMUSER_FINDING_REC_DUPLICATE, IOMMUSER_FIELD_BDF, alias->bdf, other);
	check_reference(check, IOMMUSER_FIELD_DEVICE, alias->device, IOMMUSER_KIND_DEVICE,
			IOMMUSER_FINDING_REC_DEVICE_REFERENCE, &device);
}

/* The unit of the device record at @position. */
static bool unit_of_device(const struct iommuser_verify *verify, u64 position, u64 *unit)
{
	union iommuser_record device;

	return !read_live_device(verify, position, &device) &&
	       !resolve_live(verify, device.device.iommu, IOMMUSER_KIND_IOMMU, unit, &device);
}

static OWN_FRAME void check_attachment(const struct record_check *check)
{
	struct iommuser_verify *verify = check->verify;
	const struct iommuser_attachment *attachment = &check->record->attachment;
	u64 flags = attachment->attachment_flags;
	u64 device, domain, other, unit;
	bool has_pasid = flags & IOMMUSER_ATTACHMENT_HAS_PASID;
	bool found;

	if (flags & ~(u64)IOMMUSER_ATTACHMENT_HAS_PASID)
		bad(check, IOMMUSER_FINDING_REC_FLAGS, IOMMUSER_FIELD_ATTACHMENT_FLAGS, flags,
		    IOMMUSER_ATTACHMENT_HAS_PASID);
	expect_range(check, IOMMUSER_FINDING_REC_VALUE, IOMMUSER_FIELD_PASID, attachment->pasid, 0,
		     has_pasid ? MAX_PASID : 0);
	found = check_reference(check, IOMMUSER_FIELD_DEVICE, attachment->device,
				IOMMUSER_KIND_DEVICE, IOMMUSER_FINDING_REC_DEVICE_REFERENCE,
				&device);
	if (found &&
	    !iommuser_graph_find_attachment(verify->graph, device, has_pasid, attachment->pasid,
					    &other) &&
	    other != check->position)
		bad(check, IOMMUSER_FINDING_REC_DUPLICATE, IOMMUSER_FIELD_PASID, attachment->pasid,
		    other);
	if (check_reference(check, IOMMUSER_FIELD_DOMAIN, attachment->domain, IOMMUSER_KIND_DOMAIN,
			    IOMMUSER_FINDING_REC_DOMAIN_REFERENCE, &domain) &&
	    found && unit_of_device(verify, device, &unit))
		verify_did(verify, check->kind, check->record, attachment->did, unit, domain);
}

static OWN_FRAME void check_hwpt(const struct record_check *check)
{
	const struct iommuser_hwpt *hwpt = &check->record->hwpt;
	u64 key = mix64(mix64(hwpt->iommufd_token ^ check->verify->graph->hwpts.seed) +
			hwpt->hwpt_token);
	union iommuser_record other;
	u64 position, domain;

	/* Two different pairs of tokens may share a key: go on to the next one then. */
	for (;; key++) {
		position = index_insert(&check->verify->graph->hwpts, key, check->position);
		if (position == check->position ||
		    iommuser_graph_read(check->verify->graph, check->kind, position, &other))
			break;
		if (other.hwpt.iommufd_token == hwpt->iommufd_token &&
		    other.hwpt.hwpt_token == hwpt->hwpt_token) {
			bad(check, IOMMUSER_FINDING_REC_DUPLICATE, IOMMUSER_FIELD_HWPT_TOKEN,
			    hwpt->hwpt_token, position);
			break;
		}
	}
	check_reference(check, IOMMUSER_FIELD_DOMAIN, hwpt->domain, IOMMUSER_KIND_DOMAIN,
			IOMMUSER_FINDING_REC_DOMAIN_REFERENCE, &domain);
}

static OWN_FRAME void check_kind(const struct record_check *check)
{
	switch (check->kind) {
	case IOMMUSER_KIND_IOMMU:
		check_iommu(check);
		break;
	case IOMMUSER_KIND_DOMAIN:
		check_domain(check);
		break;
	case IOMMUSER_KIND_DEVICE:
		check_device(check);
		break;
	case IOMMUSER_KIND_ALIAS:
		check_alias(check);
		break;
	case IOMMUSER_KIND_ATTACHMENT:
		check_attachment(check);
		break;
	default:
		check_hwpt(check);
		break;
	}
}

static OWN_FRAME int check_record(struct iommuser_verify *verify, u32 kind, u64 position)
{
	union iommuser_record record;
	struct record_check check = {
		.verify = verify,
		.record = &record,
		.position = position,
		.kind = kind,
	};
	u64 variant = IOMMUSER_IOMMU_TYPE_INTEL;
	const void *bytes;
	u64 phys, index;
	int error;

	error = iommuser_graph_read(verify->graph, kind, position, &record);
	if (!error)
		error = iommuser_graph_bytes(verify->graph, kind, position, &bytes, &phys);
	if (error)
		return error;
	if (kind == IOMMUSER_KIND_DEVICE && verify->graph->device_variants)
		variant = graph_unit_type(verify->graph, &record.device);
	verify->counts.nr_records++;
	index = record.common.index;
	record.common.index = position;
	if (check_common(&check, bytes, variant, index))
		check_kind(&check);
	return 0;
}

static OWN_FRAME void check_counts(const struct record_check *check, u64 counted)
{
	u32 kind = check->kind;
	enum iommuser_finding_id id =
		kind == IOMMUSER_KIND_IOMMU  ? IOMMUSER_FINDING_REF_IOMMU_COUNT :
		kind == IOMMUSER_KIND_DOMAIN ? IOMMUSER_FINDING_REF_DOMAIN_COUNT :
					       IOMMUSER_FINDING_REF_DEVICE_COUNT;
	u64 expected = counted ? counted : 1;
	u64 ref_count = check->record->common.ref_count;

	/* What is missing may be the references that could not be followed. */
	if (ref_count && ref_count != expected &&
	    ref_count - counted > check->verify->graph->unresolved[kind])
		bad(check, id, IOMMUSER_FIELD_REF_COUNT, ref_count, expected);
}

static void check_references_to(struct iommuser_verify *verify, u32 kind, u64 position)
{
	union iommuser_record record;
	struct record_check check = { verify, &record, position, kind };
	u64 counted = *graph_references(verify->graph, kind, position);
	bool all_known = !verify->graph->unresolved[kind];
	u64 attachment;

	if (kind == IOMMUSER_KIND_DEVICE ? read_live_device(verify, position, &record) :
					   read_live(verify, kind, position, &record))
		return;
	if (kind == IOMMUSER_KIND_DOMAIN && !counted && all_known &&
	    !(verify->used_elsewhere && verify->used_elsewhere(verify->ctx, record.common.phys)))
		bad(&check, IOMMUSER_FINDING_REF_DOMAIN_UNUSED, IOMMUSER_FIELD_NONE, 0, 1);
	if (kind == IOMMUSER_KIND_DEVICE && verify_has_attachments(verify) && all_known &&
	    iommuser_graph_find_attachment(verify->graph, position, false, 0, &attachment))
		bad(&check, IOMMUSER_FINDING_REF_ATTACHMENT, IOMMUSER_FIELD_NONE, 0, 1);
	if (kind == IOMMUSER_KIND_IOMMU || verify_has_attachments(verify))
		check_counts(&check, counted);
}

/* Could every reference to records of @kind be followed? */
static OWN_FRAME bool referrers_complete(const struct iommuser_verify *verify, u32 kind)
{
	if (kind == IOMMUSER_KIND_IOMMU)
		return !chain_broken(verify, IOMMUSER_KIND_DEVICE);
	if (kind == IOMMUSER_KIND_DEVICE)
		return !chain_broken(verify, IOMMUSER_KIND_ALIAS) &&
		       !chain_broken(verify, IOMMUSER_KIND_ATTACHMENT);
	return !chain_broken(verify, IOMMUSER_KIND_DEVICE) &&
	       !chain_broken(verify, IOMMUSER_KIND_ATTACHMENT) &&
	       !chain_broken(verify, IOMMUSER_KIND_HWPT);
}

int iommuser_verify_records(struct iommuser_verify *verify)
{
	u64 position, count;
	u32 kind;
	int error;

	verify->counts.nr_pages++;
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		verify->counts.nr_pages += verify->survey->kinds[kind].nr_pages;
		count = iommuser_graph_count(verify->graph, kind);
		for (position = 0; position < count; position++) {
			error = check_record(verify, kind, position);
			if (error)
				return error;
		}
	}
	for (kind = IOMMUSER_KIND_IOMMU; kind <= IOMMUSER_KIND_DEVICE; kind++) {
		if (!referrers_complete(verify, kind))
			continue;
		count = iommuser_graph_count(verify->graph, kind);
		for (position = 0; position < count; position++)
			check_references_to(verify, kind, position);
	}
	return 0;
}
