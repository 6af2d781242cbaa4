// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The account of a handover in the making, and its audit: nothing in it comes
 * from the library.
 */
#include "ledger.h"

#include <string.h>

#include <kho/abi/iommuser.h>

#include "independent.h"

void ledger_begin(struct ledger *ledger, const struct world *world, u64 generation)
{
	memset(ledger, 0, sizeof(*ledger));
	ledger->world = world;
	ledger->generation = generation;
	ledger_find_tables(ledger);
}

void ledger_find_tables(struct ledger *ledger)
{
	const u8 *states = ledger->world->host->states;
	u32 i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		ledger->tables[i] = states[i] == FRAME_LIVE || states[i] == FRAME_PRESERVED;
}

/* Records */

/* The position of a live record; the count of all when there is none. */
static u32 find_slot(const struct ledger_chain *chain, u32 object, u32 part)
{
	u32 i;

	for (i = 0; i < chain->count; i++)
		if (chain->slots[i].live && chain->slots[i].object == object &&
		    chain->slots[i].part == part)
			break;
	return i;
}

bool ledger_has(const struct ledger *ledger, u32 kind, u32 object, u32 part)
{
	const struct ledger_chain *chain = &ledger->chains[kind];

	return find_slot(chain, object, part) < chain->count;
}

void ledger_add(struct ledger *ledger, u32 kind, u32 object, u32 part)
{
	struct ledger_chain *chain = &ledger->chains[kind];

	require(chain->count < LEDGER_SLOTS, "too many records");
	chain->slots[chain->count++] = (struct ledger_slot){ true, object, part };
}

/* Deleted records stay, except at the end of a chain. */
void ledger_remove(struct ledger *ledger, u32 kind, u32 object, u32 part)
{
	struct ledger_chain *chain = &ledger->chains[kind];
	u32 i = find_slot(chain, object, part);

	require(i < chain->count, "no record of kind %u, object %u", kind, object);
	chain->slots[i].live = false;
	while (chain->count && !chain->slots[chain->count - 1].live)
		chain->count--;
}

/* Pages */

static u8 owner_of(u32 kind, u32 object)
{
	static const u8 first[] = {
		[IOMMUSER_KIND_IOMMU] = 1,
		[IOMMUSER_KIND_DOMAIN] = 1 + WORLD_UNITS,
		[IOMMUSER_KIND_DEVICE] = 1 + WORLD_UNITS + WORLD_DOMAINS,
	};

	return (u8)(first[kind] + object);
}

void ledger_own(struct ledger *ledger, u32 kind, u32 object, const struct pages *pages)
{
	u32 i;

	for (i = 0; i < pages->count; i++)
		ledger->owners[(pages->phys[i] - MEMORY_BASE) / FRAME_SIZE] =
			owner_of(kind, object);
}

void ledger_disown(struct ledger *ledger, u32 kind, u32 object)
{
	u32 i;

	for (i = 0; i < MEMORY_FRAMES; i++)
		if (ledger->owners[i] == owner_of(kind, object))
			ledger->owners[i] = 0;
}

void ledger_check_pages(const struct ledger *ledger)
{
	const u8 *states = ledger->world->host->states;
	u32 i;

	for (i = 0; i < MEMORY_FRAMES; i++) {
		if (ledger->owners[i])
			require(states[i] == FRAME_PRESERVED,
				"frame %u of object %u is in state %u", i, ledger->owners[i],
				states[i]);
		else if (ledger->tables[i])
			require(states[i] == FRAME_LIVE, "frame %u, of none, is in state %u", i,
				states[i]);
		else
			require(states[i] == FRAME_FREE || states[i] == FRAME_RECORDS,
				"frame %u is in state %u", i, states[i]);
	}
}

/* The audit */

struct audit {
	const struct ledger *ledger;
	struct independent reader;
};

static u64 address_of(const struct audit *audit, u32 kind, u32 object, u32 part)
{
	const struct ledger_chain *chain = &audit->ledger->chains[kind];
	u32 i = find_slot(chain, object, part);

	require(i < chain->count && audit->reader.kinds[kind].records,
		"kind %u, object %u is referred to", kind, object);
	return audit->reader.kinds[kind].records[i].address;
}

static u32 count_slots(const struct audit *audit, u32 kind,
		       bool (*counts)(const struct world *world, const struct ledger_slot *slot,
				      u32 object),
		       u32 object)
{
	const struct ledger_chain *chain = &audit->ledger->chains[kind];
	u32 i, count = 0;

	for (i = 0; i < chain->count; i++)
		count += chain->slots[i].live &&
			 counts(audit->ledger->world, &chain->slots[i], object);
	return count;
}

static bool device_is_on(const struct world *world, const struct ledger_slot *slot, u32 unit)
{
	return world->devices[slot->object].unit == unit;
}

static bool alias_is_of(const struct world *world, const struct ledger_slot *slot, u32 device)
{
	(void)world;
	return slot->object == device;
}

static bool attachment_is_of(const struct world *world, const struct ledger_slot *slot, u32 device)
{
	return device == (slot->part ? world->pasids[slot->object].device : slot->object);
}

static bool attachment_is_to(const struct world *world, const struct ledger_slot *slot, u32 domain)
{
	return domain == (slot->part ? world->pasids[slot->object].domain :
				       world->devices[slot->object].domain);
}

static bool hwpt_is_of(const struct world *world, const struct ledger_slot *slot, u32 domain)
{
	return world->hwpts[slot->object].domain == domain;
}

static u32 references_to(const struct audit *audit, u32 kind, u32 object)
{
	u32 count = 1;

	if (kind == IOMMUSER_KIND_IOMMU)
		count = count_slots(audit, IOMMUSER_KIND_DEVICE, device_is_on, object);
	else if (kind == IOMMUSER_KIND_DOMAIN)
		count = count_slots(audit, IOMMUSER_KIND_ATTACHMENT, attachment_is_to, object) +
			count_slots(audit, IOMMUSER_KIND_HWPT, hwpt_is_of, object);
	else if (kind == IOMMUSER_KIND_DEVICE)
		count = count_slots(audit, IOMMUSER_KIND_ATTACHMENT, attachment_is_of, object) +
			count_slots(audit, IOMMUSER_KIND_ALIAS, alias_is_of, object);
	return count ? count : 1;
}

static void unit_members(const struct audit *audit, u32 object, u64 *members)
{
	const struct iommuser_iommu *unit = &audit->ledger->world->units[object].record;
	const u64 values[] = { unit->type,
			       unit->segment,
			       unit->token,
			       unit->mode,
			       unit->host_address_width,
			       unit->root_table,
			       unit->cap,
			       unit->ecap,
			       unit->first_did,
			       unit->did_limit };

	memcpy(members, values, sizeof(values));
	memcpy(members + ARRAY_SIZE(values), audit->ledger->context_tables[object],
	       sizeof(audit->ledger->context_tables[object]));
}

/* The page sizes, which are not known here, are as @found. */
static void domain_members(const struct audit *audit, u32 object, u64 found, u64 *members)
{
	const struct iommuser_domain *domain = &audit->ledger->world->domains[object].record;
	const u64 values[] = { domain->stage,
			       domain->format,
			       domain->top_table,
			       domain->top_level,
			       domain->input_width,
			       domain->output_width,
			       domain->features,
			       found,
			       audit->ledger->table_pages[object] };

	memcpy(members, values, sizeof(values));
}

static void device_members(const struct audit *audit, u32 object, u64 *members)
{
	const struct world_device *of = &audit->ledger->world->devices[object];
	const struct iommuser_device *device = &of->request.device;
	const u64 values[] = {
		device->segment,	 device->bdf,
		device->owner_token,	 address_of(audit, IOMMUSER_KIND_IOMMU, of->unit, 0),
		device->group_size,	 device->device_flags,
		device->pasid_directory, device->pasid_entries,
		device->rid_pasid
	};

	memcpy(members, values, sizeof(values));
}

static void alias_members(const struct audit *audit, const struct ledger_slot *slot, u64 *members)
{
	const struct iommuser_alias_id *alias =
		&audit->ledger->world->devices[slot->object].aliases[slot->part];

	members[0] = alias->segment;
	members[1] = alias->bdf;
	members[2] = address_of(audit, IOMMUSER_KIND_DEVICE, slot->object, 0);
	members[3] = alias->type;
}

static void own_attachment_members(const struct audit *audit, u32 object, u64 *members)
{
	const struct world_device *device = &audit->ledger->world->devices[object];

	members[0] = address_of(audit, IOMMUSER_KIND_DEVICE, object, 0);
	members[1] = address_of(audit, IOMMUSER_KIND_DOMAIN, device->domain, 0);
	members[4] = device->request.did;
}

static void pasid_attachment_members(const struct audit *audit, u32 object, u64 *members)
{
	const struct world_pasid *pasid = &audit->ledger->world->pasids[object];

	members[0] = address_of(audit, IOMMUSER_KIND_DEVICE, pasid->device, 0);
	members[1] = address_of(audit, IOMMUSER_KIND_DOMAIN, pasid->domain, 0);
	members[2] = pasid->pasid;
	members[3] = IOMMUSER_ATTACHMENT_HAS_PASID;
	members[4] = pasid->did;
}

static void hwpt_members(const struct audit *audit, u32 object, u64 *members)
{
	const struct world_hwpt *hwpt = &audit->ledger->world->hwpts[object];

	members[0] = hwpt->iommufd_token;
	members[1] = hwpt->token;
	members[2] = address_of(audit, IOMMUSER_KIND_DOMAIN, hwpt->domain, 0);
}

static void expect_members(const struct audit *audit, u32 kind, const struct ledger_slot *slot,
			   const struct independent_record *found, u64 *members)
{
	switch (kind) {
	case IOMMUSER_KIND_IOMMU:
		unit_members(audit, slot->object, members);
		break;
	case IOMMUSER_KIND_DOMAIN:
		domain_members(audit, slot->object, found->member[7], members);
		break;
	case IOMMUSER_KIND_DEVICE:
		device_members(audit, slot->object, members);
		break;
	case IOMMUSER_KIND_ALIAS:
		alias_members(audit, slot, members);
		break;
	case IOMMUSER_KIND_ATTACHMENT:
		if (slot->part == LEDGER_PASID)
			pasid_attachment_members(audit, slot->object, members);
		else
			own_attachment_members(audit, slot->object, members);
		break;
	default:
		hwpt_members(audit, slot->object, members);
		break;
	}
}

static void check_record(const struct audit *audit, u32 kind, u32 i)
{
	const struct ledger_slot *slot = &audit->ledger->chains[kind].slots[i];
	const struct independent_record *found = &audit->reader.kinds[kind].records[i];
	u64 members[INDEPENDENT_MEMBERS] = { 0 };
	u32 references = 0, k;

	require(found, "no records of kind %u", kind);
	if (slot->live) {
		expect_members(audit, kind, slot, found, members);
		references = references_to(audit, kind, slot->object);
	}
	require(found->flags == !slot->live && found->index == i && found->ref_count == references,
		"kind %u, record %u: flags %#x, index %llu, %u references and not %u", kind, i,
		found->flags, (unsigned long long)found->index, found->ref_count, references);
	for (k = 0; k < independent_nr_members(kind); k++)
		require(found->member[k] == members[k],
			"kind %u, record %u, member %u: %#llx and not %#llx", kind, i, k,
			(unsigned long long)found->member[k], (unsigned long long)members[k]);
}

static const uint8_t *page_of(void *ctx, uint64_t address, uint64_t length)
{
	(void)length;
	return memory_page(ctx, address);
}

/* Pages that a chain of so many records has. */
static u64 pages_of(const struct audit *audit, u32 kind)
{
	static const u32 sizes[] = { 0, 192, 128, 128, 64, 64, 64 };
	u64 capacity = (audit->reader.page_size - 64) / sizes[kind];

	return (audit->ledger->chains[kind].count + capacity - 1) / capacity;
}

static void check_record_pages(const struct audit *audit)
{
	const u8 *states = audit->ledger->world->host->states;
	u64 pages = 1, frames = 0;
	u32 i;

	for (i = 1; i <= IOMMUSER_NR_KINDS; i++)
		pages += pages_of(audit, i);
	for (i = 0; i < MEMORY_FRAMES; i++)
		frames += states[i] == FRAME_RECORDS;
	require(frames * FRAME_SIZE == pages * audit->reader.page_size,
		"%llu frames of records and not %llu pages", (unsigned long long)frames,
		(unsigned long long)pages);
}

void ledger_check_records(const struct ledger *ledger)
{
	struct host *host = ledger->world->host;
	struct audit audit = {
		.ledger = ledger,
		.reader = { .page = page_of,
			    .ctx = host->memory,
			    .page_size = 1ULL << host->env.page_shift,
			    .root = iommuser_writer_root(&ledger->world->writer) },
	};
	u32 kind, i;

	require(independent_read(&audit.reader), "%s at %#llx",
		audit.reader.refused ? audit.reader.refused : "refused",
		(unsigned long long)audit.reader.where);
	require(audit.reader.generation == ledger->generation, "generation %#llx",
		(unsigned long long)audit.reader.generation);
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		require(audit.reader.kinds[kind].nr_records == ledger->chains[kind].count,
			"kind %u: %llu records and not %u", kind,
			(unsigned long long)audit.reader.kinds[kind].nr_records,
			ledger->chains[kind].count);
		for (i = 0; i < ledger->chains[kind].count; i++)
			check_record(&audit, kind, i);
	}
	check_record_pages(&audit);
	independent_end(&audit.reader);
}
