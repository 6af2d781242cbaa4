// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A small sound memory from nothing but chance: units, domains, devices and
 * what hangs on them, in any revision, with their hardware tables.
 */
#include "mutate-private.h"

#include <string.h>

#include <kho/abi/iommuser.h>

#define MAX_OF_A_KIND 24
#define TABLE_SIZE 4096
#define LARGE (1ULL << 7)
#define ADDRESS 0x000ffffffffff000ULL
/* ND 6: 65536 domain ids. */
#define CAP 0x00d2008c40660406ULL
#define ECAP 0x0000000000f050daULL
#define ADDRESS_WIDTH 46
#define PASID_ENTRIES 8192
#define GENERATION 0x1122334455667788ULL
/* What stands before the 6 arrays of the root. */
#define NR_ARRAYS IOMMUSER_NR_KINDS

/** struct plan - the records, before they are written */
struct plan {
	struct mutation *m;
	u32 cursor;
	bool scalable; /* of the layouts that don't tell: all units are */
	u32 nr[IOMMUSER_NR_KINDS + 1];
	u32 record_size[IOMMUSER_NR_KINDS + 1];
	u64 first_page[IOMMUSER_NR_KINDS + 1];
	u64 at[IOMMUSER_NR_KINDS + 1][MAX_OF_A_KIND];
	u32 users[IOMMUSER_NR_KINDS + 1][MAX_OF_A_KIND];
	union iommuser_record records[IOMMUSER_NR_KINDS + 1][MAX_OF_A_KIND];
};

static bool plan_sealed(const struct plan *plan)
{
	return plan->m->revision->properties & IOMMUSER_REVISION_SEALED;
}

static u64 allocate(struct plan *plan, u32 size)
{
	u32 at = (plan->cursor + size - 1) / size * size;

	model_add_page(plan->m->model, at, size);
	plan->cursor = at + size;
	return MEMORY_BASE + at;
}

static u64 get(const struct plan *plan, u64 phys)
{
	return model_get(plan->m->model, (u32)(phys - MEMORY_BASE), 8);
}

static void put(struct plan *plan, u64 phys, u64 value)
{
	model_put(plan->m->model, (u32)(phys - MEMORY_BASE), 8, value);
}

/* Page tables */

static u64 flags_of(const struct iommuser_domain *domain, bool read_only)
{
	u64 snoop = domain->features & IOMMUSER_FEATURE_FORCE_SNOOP ? 1 << 11 : 0;

	if (domain->stage == IOMMUSER_STAGE_FIRST)
		return read_only ? 0x65 : 0x67;
	return (read_only ? 1 : 3) | snoop;
}

static void map_leaf(struct plan *plan, struct iommuser_domain *domain, u64 iova, u32 leaf_level,
		     u64 flags)
{
	u64 table = domain->top_table, entry, size = FRAME_SIZE << 9 * leaf_level;
	u32 level;

	for (level = (u32)domain->top_level; level > leaf_level; level--) {
		u64 at = table + (iova >> (12 + 9 * level) & 511) * 8;

		entry = get(plan, at);
		if (entry & LARGE)
			return;
		if (!entry) {
			entry = allocate(plan, TABLE_SIZE) | (flags & 0x25) | 2;
			put(plan, at, entry);
			domain->nr_table_pages++;
		}
		table = entry & ADDRESS;
	}
	table += (iova >> (12 + 9 * level) & 511) * 8;
	if (get(plan, table))
		return;
	put(plan, table,
	    (PAYLOAD_BASE + (iova & (PAYLOAD_SIZE - 1) & ~(size - 1))) | flags |
		    (leaf_level ? LARGE : 0));
	domain->page_size_bitmap |= size;
}

static void make_page_table(struct plan *plan, struct iommuser_domain *domain)
{
	struct mutation *m = plan->m;
	u32 runs = 1 + below(m, 3);
	bool nested = domain->features & IOMMUSER_FEATURE_NESTED_PARENT;
	u64 flags = flags_of(domain, !nested && one_in(m, 4));

	domain->top_table = allocate(plan, TABLE_SIZE);
	domain->nr_table_pages = 1;
	while (runs--) {
		u32 level = one_in(m, 3) ? 1 + below(m, 2) : 0;
		u64 iova = (u64)below(m, 4) << 12 | (u64)below(m, 3) << 21 |
			   (u64)below(m, 2) << 30 | (u64)below(m, 2) << 38;
		u32 leaves = 1 + below(m, 4);

		for (iova >>= 12 + 9 * level; leaves--; iova++)
			map_leaf(plan, domain, iova << (12 + 9 * level), level, flags);
	}
}

/* Records */

static union iommuser_record *add(struct plan *plan, u32 kind)
{
	u32 i = plan->nr[kind];

	if (i == MAX_OF_A_KIND || !plan->m->revision->kinds[kind].size)
		return NULL;
	plan->nr[kind]++;
	plan->records[kind][i].common.index = i;
	plan->records[kind][i].common.ref_count = 1;
	return &plan->records[kind][i];
}

/* Of a kind that there is; @wanted tells which ones will do. */
static u32 pick(struct plan *plan, u32 kind, bool (*wanted)(const union iommuser_record *record))
{
	u32 start = below(plan->m, plan->nr[kind]), i;

	for (i = 0; i < plan->nr[kind]; i++) {
		u32 at = (start + i) % plan->nr[kind];

		if (!plan->records[kind][at].common.flags && wanted(&plan->records[kind][at]))
			return at;
	}
	return 0;
}

static bool is_live(const union iommuser_record *record)
{
	return !record->common.flags;
}

static bool is_second_stage(const union iommuser_record *record)
{
	return record->domain.stage == IOMMUSER_STAGE_SECOND;
}

static void add_deleted(struct plan *plan, u32 kind)
{
	union iommuser_record *record = one_in(plan->m, 6) ? add(plan, kind) : NULL;

	if (!record)
		return;
	record->common.flags = IOMMUSER_FLAG_DELETED;
	record->common.ref_count = 0;
}

static void add_units(struct plan *plan)
{
	u32 count = 1 + below(plan->m, 2), i;
	u32 mode = 1 + below(plan->m, 2);

	plan->scalable = mode == IOMMUSER_IOMMU_MODE_SCALABLE;
	for (i = 0; i < count; i++) {
		union iommuser_record *record;

		add_deleted(plan, IOMMUSER_KIND_IOMMU);
		record = add(plan, IOMMUSER_KIND_IOMMU);
		record->iommu.type = IOMMUSER_IOMMU_TYPE_INTEL;
		record->iommu.segment = i;
		record->iommu.token = 0xfed90000 + 0x1000 * i;
		record->iommu.registers = record->iommu.token;
		record->iommu.mode = plan_sealed(plan) && i ? 3 - mode : mode;
		record->iommu.host_address_width = ADDRESS_WIDTH;
		record->iommu.root_table = allocate(plan, TABLE_SIZE);
		record->iommu.cap = CAP;
		record->iommu.ecap = ECAP;
		record->iommu.first_did = 2;
		record->iommu.did_limit = 65536;
	}
}

/* Not the first domain, nor any that must serve a unit in legacy mode. */
static bool may_be_first_stage(const struct plan *plan)
{
	if (plan_sealed(plan))
		return plan->nr[IOMMUSER_KIND_DOMAIN];
	return plan->scalable;
}

static void add_domains(struct plan *plan)
{
	u32 count = 1 + below(plan->m, 3), i;

	for (i = 0; i < count; i++) {
		union iommuser_record *record;
		bool first = one_in(plan->m, 2) && may_be_first_stage(plan);

		add_deleted(plan, IOMMUSER_KIND_DOMAIN);
		record = add(plan, IOMMUSER_KIND_DOMAIN);
		record->domain.stage = first ? IOMMUSER_STAGE_FIRST : IOMMUSER_STAGE_SECOND;
		record->domain.format = record->domain.stage;
		record->domain.top_level = 3;
		if (one_in(plan->m, 3))
			record->domain.top_level = first ? 4 : 2 + 2 * below(plan->m, 2);
		record->domain.input_width = 12 + 9 * (record->domain.top_level + 1);
		record->domain.output_width = ADDRESS_WIDTH;
		record->domain.features = first ? IOMMUSER_FEATURE_SIGN_EXTEND : 0;
		if (!first && one_in(plan->m, 4))
			record->domain.features |= IOMMUSER_FEATURE_FORCE_SNOOP;
		if (!first && one_in(plan->m, 4))
			record->domain.features |= IOMMUSER_FEATURE_NESTED_PARENT;
		record->domain.sign_extend = first;
		make_page_table(plan, &record->domain);
	}
}

static u64 context_entry(struct plan *plan, struct iommuser_iommu *unit, u32 bdf)
{
	bool scalable = unit->mode == IOMMUSER_IOMMU_MODE_SCALABLE;
	u32 slot = bdf >> 8 << 1 | (scalable && (bdf & 0x80));
	u64 root = unit->root_table + slot * 8;

	if (!get(plan, root)) {
		put(plan, root, allocate(plan, TABLE_SIZE) | 1);
		unit->context_tables[slot / 64] |= 1ULL << slot % 64;
	}
	if (scalable)
		return (get(plan, root) & ADDRESS) + (bdf & 0x7f) * 32;
	return (get(plan, root) & ADDRESS) + (bdf & 0xff) * 16;
}

static void pasid_entry(struct plan *plan, u64 directory, u32 pasid,
			const struct iommuser_domain *domain, u64 did)
{
	u64 slot = directory + pasid / 64 * 8, at;

	if (!get(plan, slot))
		put(plan, slot, allocate(plan, TABLE_SIZE) | 1);
	at = (get(plan, slot) & ADDRESS) + pasid % 64 * 64;
	put(plan, at + 8, did);
	if (domain->stage == IOMMUSER_STAGE_SECOND) {
		put(plan, at, domain->top_table | 2 << 6 | (domain->top_level - 1) << 2 | 1);
	} else {
		put(plan, at, 1 << 6 | 2 << 2 | 1);
		put(plan, at + 16, domain->top_table | (domain->top_level == 4 ? 4 : 0));
	}
}

/* Positions stand for references until records have their places. */
static void add_attachment(struct plan *plan, u32 device, u32 domain, u32 pasid, u64 did)
{
	union iommuser_record *record;

	add_deleted(plan, IOMMUSER_KIND_ATTACHMENT);
	record = add(plan, IOMMUSER_KIND_ATTACHMENT);
	if (!record)
		return;
	record->attachment.device = device;
	record->attachment.domain = domain;
	record->attachment.pasid = pasid;
	record->attachment.attachment_flags = pasid ? IOMMUSER_ATTACHMENT_HAS_PASID : 0;
	record->attachment.did = did;
}

static void attach_legacy(struct plan *plan, struct iommuser_iommu *unit,
			  const struct iommuser_device *device,
			  const struct iommuser_domain *domain)
{
	u64 at = context_entry(plan, unit, (u32)device->bdf);

	put(plan, at, domain->top_table | 1 | (device->device_flags & IOMMUSER_DEVICE_ATS) << 2);
	put(plan, at + 8, device->did << 8 | (domain->top_level - 1));
}

static void attach_scalable(struct plan *plan, struct iommuser_iommu *unit,
			    struct iommuser_device *device, const struct iommuser_domain *domain)
{
	u64 at = context_entry(plan, unit, (u32)device->bdf);

	device->pasid_directory = allocate(plan, TABLE_SIZE);
	device->pasid_entries = PASID_ENTRIES;
	put(plan, at,
	    device->pasid_directory | 8 | 1 | (device->device_flags & IOMMUSER_DEVICE_ATS) << 2);
	pasid_entry(plan, device->pasid_directory, 0, domain, device->did);
}

static void add_alias(struct plan *plan, struct iommuser_iommu *unit,
		      const struct iommuser_device *device, u32 position)
{
	union iommuser_record *record;
	u64 from, to;
	u32 i;

	add_deleted(plan, IOMMUSER_KIND_ALIAS);
	record = add(plan, IOMMUSER_KIND_ALIAS);
	if (!record)
		return;
	record->alias.segment = device->segment;
	record->alias.bdf = device->bdf + 1;
	record->alias.device = position;
	record->alias.type = 1 + below(plan->m, 2);
	from = context_entry(plan, unit, (u32)device->bdf);
	to = context_entry(plan, unit, (u32)record->alias.bdf);
	for (i = 0; i < (unit->mode == IOMMUSER_IOMMU_MODE_SCALABLE ? 32 : 16); i += 8)
		put(plan, to + i, get(plan, from + i));
}

/* The live domains in turn. */
static u32 live_domain(const struct plan *plan, u32 number)
{
	u32 last = 0, count = 0, i;

	for (i = 0; i < plan->nr[IOMMUSER_KIND_DOMAIN]; i++)
		count += is_live(&plan->records[IOMMUSER_KIND_DOMAIN][i]);
	for (i = 0; i < plan->nr[IOMMUSER_KIND_DOMAIN] && count; i++) {
		if (!is_live(&plan->records[IOMMUSER_KIND_DOMAIN][i]))
			continue;
		last = i;
		if (number-- % count == 0)
			break;
	}
	return last;
}

static void add_device(struct plan *plan, u32 number)
{
	struct mutation *m = plan->m;
	u32 unit = pick(plan, IOMMUSER_KIND_IOMMU, is_live), domain, other, position;
	struct iommuser_iommu *iommu = &plan->records[IOMMUSER_KIND_IOMMU][unit].iommu;
	bool scalable = iommu->mode == IOMMUSER_IOMMU_MODE_SCALABLE;
	const struct iommuser_domain *domains;
	union iommuser_record *record;

	domain = pick(plan, IOMMUSER_KIND_DOMAIN, scalable ? is_live : is_second_stage);
	if (!plan_sealed(plan))
		domain = live_domain(plan, number);
	add_deleted(plan, IOMMUSER_KIND_DEVICE);
	position = plan->nr[IOMMUSER_KIND_DEVICE];
	record = add(plan, IOMMUSER_KIND_DEVICE);
	if (!record)
		return;
	record->device.segment = iommu->segment;
	record->device.bdf =
		0x20 + 8 * number + (one_in(m, 4) ? 0x80 : 0) + (one_in(m, 6) ? 0x100 : 0);
	record->device.owner_token = MEMORY_BASE;
	record->device.iommu = unit;
	record->device.domain = domain;
	record->device.did = 2 + domain;
	record->device.group_size = 1;
	record->device.device_flags = (one_in(m, 3) ? IOMMUSER_DEVICE_ATS : 0) |
				      IOMMUSER_DEVICE_RESET_WORKS;
	domains = &plan->records[IOMMUSER_KIND_DOMAIN][domain].domain;
	add_attachment(plan, position, domain, 0, record->device.did);
	if (!scalable) {
		attach_legacy(plan, iommu, &record->device, domains);
	} else {
		attach_scalable(plan, iommu, &record->device, domains);
		if (plan_sealed(plan) && one_in(m, 3)) {
			u32 pasid = 1 + below(m, 150);

			other = pick(plan, IOMMUSER_KIND_DOMAIN, is_live);
			pasid_entry(plan, record->device.pasid_directory, pasid,
				    &plan->records[IOMMUSER_KIND_DOMAIN][other].domain, 2 + other);
			add_attachment(plan, position, other, pasid, 2 + other);
		}
	}
	if (one_in(m, 4))
		add_alias(plan, iommu, &record->device, position);
}

static void add_hwpt(struct plan *plan, u32 domain)
{
	union iommuser_record *record;
	u32 token = plan->nr[IOMMUSER_KIND_HWPT];

	add_deleted(plan, IOMMUSER_KIND_HWPT);
	record = add(plan, IOMMUSER_KIND_HWPT);
	if (!record)
		return;
	record->hwpt.iommufd_token = MEMORY_BASE;
	record->hwpt.hwpt_token = token;
	record->hwpt.domain = domain;
}

static bool is_attached(const struct plan *plan, u32 domain)
{
	u32 i;

	for (i = 0; i < plan->nr[IOMMUSER_KIND_ATTACHMENT]; i++)
		if (!plan->records[IOMMUSER_KIND_ATTACHMENT][i].common.flags &&
		    plan->records[IOMMUSER_KIND_ATTACHMENT][i].attachment.domain == domain)
			return true;
	return false;
}

/* Every live domain is in use: by a device, else by an HWPT. */
static void add_hwpts(struct plan *plan)
{
	u32 i;

	for (i = 0; i < plan->nr[IOMMUSER_KIND_DOMAIN]; i++)
		if (is_live(&plan->records[IOMMUSER_KIND_DOMAIN][i]) &&
		    (!is_attached(plan, i) || one_in(plan->m, 2)))
			add_hwpt(plan, i);
}

/* Places */

/* Some chains have few records in a page, so that they go over more than one. */
static void place_chain(struct plan *plan, u32 kind)
{
	const struct iommuser_revision *revision = plan->m->revision;
	u32 page = 1U << plan->m->page_shift, room = page - revision->page_header_size;
	u32 size = revision->kinds[kind].size, i, per_page;
	u64 phys = 0, next;

	if (!size || (!plan->nr[kind] && plan_sealed(plan)))
		return;
	if (plan_sealed(plan) && one_in(plan->m, 5))
		size = room / (1 + below(plan->m, 2)) & ~7U;
	per_page = room / size;
	plan->record_size[kind] = size;
	for (i = 0; i < plan->nr[kind] || !i; i++) {
		if (i % per_page == 0) {
			next = allocate(plan, page);
			if (phys)
				put(plan, phys, next);
			else
				plan->first_page[kind] = next;
			phys = next;
		}
		plan->at[kind][i] = phys + revision->page_header_size + i % per_page * size;
	}
}

/* From positions to addresses; what refers to a record counts there. */
static void resolve(struct plan *plan, u64 *reference, u32 kind, u32 users)
{
	u32 position = (u32)*reference;

	plan->users[kind][position] += users;
	*reference = plan->at[kind][position];
}

static void resolve_record(struct plan *plan, u32 kind, union iommuser_record *record)
{
	switch (kind) {
	case IOMMUSER_KIND_DEVICE:
		resolve(plan, &record->device.iommu, IOMMUSER_KIND_IOMMU, 1);
		/* In iommuser-v1 that is the attachment's business. */
		resolve(plan, &record->device.domain, IOMMUSER_KIND_DOMAIN, !plan_sealed(plan));
		break;
	case IOMMUSER_KIND_ALIAS:
		resolve(plan, &record->alias.device, IOMMUSER_KIND_DEVICE, 1);
		break;
	case IOMMUSER_KIND_ATTACHMENT:
		resolve(plan, &record->attachment.device, IOMMUSER_KIND_DEVICE, 1);
		resolve(plan, &record->attachment.domain, IOMMUSER_KIND_DOMAIN, 1);
		break;
	case IOMMUSER_KIND_HWPT:
		resolve(plan, &record->hwpt.domain, IOMMUSER_KIND_DOMAIN, 1);
		break;
	default:
		break;
	}
}

static void resolve_all(struct plan *plan)
{
	u32 kind, i;

	for (kind = IOMMUSER_NR_KINDS; kind; kind--) {
		for (i = 0; i < plan->nr[kind]; i++) {
			union iommuser_record *record = &plan->records[kind][i];

			if (record->common.flags)
				continue;
			resolve_record(plan, kind, record);
			if (plan->users[kind][i])
				record->common.ref_count = plan->users[kind][i];
		}
	}
}

static void write_page_header(struct plan *plan, u32 kind, u64 phys, u32 number, u32 count)
{
	struct mutate_model *model = plan->m->model;
	u32 at = (u32)(phys - MEMORY_BASE);

	put(plan, phys + 8, count);
	if (!plan_sealed(plan))
		return;
	model_put(model, at + offsetof(struct iommuser_page_ser, kind), 4, kind);
	model_put(model, at + offsetof(struct iommuser_page_ser, record_size), 4,
		  plan->record_size[kind]);
	model_put(model, at + offsetof(struct iommuser_page_ser, sequence), 8, number);
	model_put(model, at + offsetof(struct iommuser_page_ser, generation), 8, GENERATION);
	model_put(model, at + offsetof(struct iommuser_page_ser, self), 8, phys);
}

/* Not iommuser_encode(): of fields that share their place, only those of VT-d. */
static void encode(struct plan *plan, u32 kind, const union iommuser_record *record, u32 at)
{
	const struct iommuser_record_layout *layout = &plan->m->revision->kinds[kind];
	u32 i, word;

	for (i = 0; i < layout->nr_rows; i++) {
		const struct iommuser_field_row *row = &layout->rows[i];
		u64 members[8];
		u32 size = row->width > 8 ? row->width : 8;

		if ((row->variant && row->variant != IOMMUSER_IOMMU_TYPE_INTEL) ||
		    size > sizeof(members))
			continue;
		memcpy(members, (const u8 *)record + row->memory, size);
		for (word = 0; word < size / 8; word++)
			model_put(plan->m->model, at + row->wire + word * 8,
				  row->width < 8 ? row->width : 8, members[word]);
	}
}

static void write_chain(struct plan *plan, u32 kind)
{
	const struct iommuser_revision *revision = plan->m->revision;
	u32 i, room = (1U << plan->m->page_shift) - revision->page_header_size, per_page;
	u64 page = plan->first_page[kind];

	if (!page)
		return;
	per_page = room / plan->record_size[kind];
	for (i = 0; i < plan->nr[kind]; i++)
		encode(plan, kind, &plan->records[kind][i], (u32)(plan->at[kind][i] - MEMORY_BASE));
	for (i = 0; page; i++, page = get(plan, page))
		write_page_header(plan, kind, page, i,
				  plan->nr[kind] - i * per_page < per_page ?
					  plan->nr[kind] - i * per_page :
					  per_page);
}

static void write_root(struct plan *plan, u64 root)
{
	static const u8 release[] = "7.3.0-fuzz";
	const struct iommuser_revision *revision = plan->m->revision;
	struct mutate_model *model = plan->m->model;
	u32 at = (u32)(root - MEMORY_BASE), kind, i;

	if (plan_sealed(plan)) {
		put(plan, root, IOMMUSER_MAGIC);
		model_put(model, at + offsetof(struct iommuser_root_ser, format_major), 2,
			  IOMMUSER_FORMAT_MAJOR);
		model_put(model, at + offsetof(struct iommuser_root_ser, root_size), 4,
			  sizeof(struct iommuser_root_ser));
		model_put(model, at + offsetof(struct iommuser_root_ser, page_size), 4,
			  1U << plan->m->page_shift);
		model_put(model, at + offsetof(struct iommuser_root_ser, generation), 8,
			  GENERATION);
		memcpy(model->bytes + at + offsetof(struct iommuser_root_ser, kernel_release),
		       release, sizeof(release));
	} else if (revision->properties & IOMMUSER_REVISION_VERSION) {
		put(plan, root, revision->version);
	}
	for (kind = 1; kind <= NR_ARRAYS; kind++) {
		u64 array = root + revision->arrays_offset + (kind - 1) * revision->array_stride;
		u64 deleted = 0;

		if (!revision->kinds[kind].size)
			continue;
		for (i = 0; i < plan->nr[kind]; i++)
			deleted += plan->records[kind][i].common.flags & IOMMUSER_FLAG_DELETED;
		put(plan, array, plan->first_page[kind]);
		if (revision->array_stride >= 16)
			put(plan, array + 8, plan->nr[kind]);
		if (revision->array_stride >= 24)
			put(plan, array + 16, deleted);
	}
}

static void generate_handover(struct plan *plan)
{
	u64 root = allocate(plan, 1U << plan->m->page_shift);
	u32 count = 1 + below(plan->m, 4), kind, i;

	add_units(plan);
	add_domains(plan);
	/* In the other layouts only devices use domains. */
	if (!plan_sealed(plan) && count < plan->nr[IOMMUSER_KIND_DOMAIN])
		count = plan->nr[IOMMUSER_KIND_DOMAIN];
	for (i = 0; i < count; i++)
		add_device(plan, i);
	add_hwpts(plan);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		place_chain(plan, kind);
	resolve_all(plan);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		write_chain(plan, kind);
	write_root(plan, root);
	model_set(plan->m->model, ROLE_ROOT, root - MEMORY_BASE);
}

/* Other memories */

static void generate_page_table(struct plan *plan)
{
	struct iommuser_domain domain = { .stage = 1 + below(plan->m, 2) };

	domain.top_level = domain.stage == IOMMUSER_STAGE_FIRST ? 3 + below(plan->m, 2) :
								  2 + below(plan->m, 3);
	make_page_table(plan, &domain);
	model_set(plan->m->model, ROLE_ROOT, domain.top_table - MEMORY_BASE);
	model_set(plan->m->model, ROLE_STAGE, domain.stage);
	model_set(plan->m->model, ROLE_LEVEL, domain.top_level);
	model_set(plan->m->model, ROLE_WIDTH, ADDRESS_WIDTH);
}

static void generate_chain(struct plan *plan)
{
	static const u32 sizes[] = { 37, 64, 128, 192 };
	struct mutate_model *model = plan->m->model;
	u32 page = 1U << plan->m->page_shift, pages = 1 + below(plan->m, 5);
	u32 header = one_in(plan->m, 2) ? 16 : 64, record = sizes[below(plan->m, 4)];
	u64 phys = allocate(plan, page);

	model_set(model, ROLE_HEADER_SIZE, header);
	model_set(model, ROLE_RECORD_SIZE, record);
	model_set(model, ROLE_CALL, 100); /* the most pages */
	model_set(model, ROLE_FIRST, phys - MEMORY_BASE);
	while (pages--) {
		u64 next = pages ? allocate(plan, page) : 0;

		put(plan, phys, next);
		put(plan, phys + 8, (page - header) / record);
		phys = next;
	}
}

/* One unit with all that a unit can lead to. */
static void generate_vtd(struct plan *plan)
{
	struct mutate_model *model = plan->m->model;
	struct iommuser_domain domain = { .stage = IOMMUSER_STAGE_SECOND, .top_level = 2 };
	struct iommuser_device device = { .bdf = 8 * below(plan->m, 40), .did = 2 };
	struct iommuser_iommu unit = { .mode = 1 + below(plan->m, 2) };

	unit.root_table = allocate(plan, TABLE_SIZE);
	domain.top_table = allocate(plan, TABLE_SIZE);
	if (unit.mode == IOMMUSER_IOMMU_MODE_SCALABLE) {
		attach_scalable(plan, &unit, &device, &domain);
		model_set(model, ROLE_OPTIONS, model->format->scalable);
		model_set(model, ROLE_DIRECTORY, device.pasid_directory - MEMORY_BASE);
	} else {
		attach_legacy(plan, &unit, &device, &domain);
		model_set(model, ROLE_DIRECTORY, domain.top_table - MEMORY_BASE);
	}
	model_set(model, ROLE_ROOT, unit.root_table - MEMORY_BASE);
}

static void generate_links(struct plan *plan)
{
	u32 pages = 1 + below(plan->m, 6), i;
	u64 first = allocate(plan, 1U << plan->m->page_shift);

	for (i = 1; i < pages; i++)
		allocate(plan, 1U << plan->m->page_shift);
	for (i = 0; i < pages; i++)
		put(plan, first + ((u64)i << plan->m->page_shift),
		    i + 1 < pages ? first + ((u64)(i + 1) << plan->m->page_shift) : 0);
}

static void choose_header(struct mutation *m)
{
	struct mutate_model *model = m->model;
	u32 i;

	for (i = 0; model->format->fields[i].role != ROLE_END; i++)
		if (model->format->fields[i].role == ROLE_OPTIONS ||
		    model->format->fields[i].role == ROLE_NUMBER)
			model->values[i] = one_in(m, 2) ? 0 : below(m, 256);
	model_set(model, ROLE_PAGE_SIZE, one_in(m, 4) ? 1 + below(m, 2) : 0);
	model_set(model, ROLE_REVISION, one_in(m, 2) ? below(m, 6) : 0);
	model_set(model, ROLE_BASE, below(m, HANDOVER_BASES));
	model_take_alternatives(model);
}

void generate(struct mutation *m)
{
	struct mutate_model *model = m->model;
	static struct plan plan;
	u32 i;

	model_clear(model, model->format);
	choose_header(m);
	model_use_base(model);
	/* Sets revision and page size. */
	survey(m);
	if (model->base)
		return;
	memset(&plan, 0, sizeof(plan));
	plan.m = m;
	switch (model->format->content) {
	case CONTENT_HANDOVER:
		generate_handover(&plan);
		break;
	case CONTENT_PAGE_TABLE:
		generate_page_table(&plan);
		break;
	case CONTENT_CHAIN:
		generate_chain(&plan);
		break;
	case CONTENT_VTD:
		generate_vtd(&plan);
		break;
	default:
		generate_links(&plan);
	}
	for (i = 0; i < MEMORY_FRAMES; i++)
		model_preserve(model, i * (u32)FRAME_SIZE, 1, model->present[i]);
	survey(m);
	seal_all(m);
}
