// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A second reader of the posted series' layouts, as plain as that of "iommuser-v1":
 * the first broken rule ends it. Codes of findings stand where the layouts leave
 * a rule open, and docs/findings.md lays it down.
 */
#include "independent-series.h"

#include <stdlib.h>
#include <string.h>

#include "independent-private.h"

#define HEADER_SIZE 16
#define TABLE_SIZE 4096
#define PASIDS (1U << 20)
#define INTEL 1
#define SMMUV3 2
#define DELETED 1
#define INCOMING 2
#define LAST_KIND DEVICE

/* Places in front of those of the members. */
enum {
	INDEX = INDEPENDENT_MEMBERS,
	REF_COUNT,
	FLAGS
};

/* Where a number is; @width over 8: so many bytes of numbers of 8. @vendor: of the unit, 0: any. */
struct field {
	uint8_t place;
	uint8_t offset;
	uint8_t width;
	uint8_t vendor;
};

#define FIELD(place, offset, width)     \
	{                               \
		place, offset, width, 0 \
	}
#define FIELD_OF(vendor, place, offset, width) \
	{                                      \
		place, offset, width, vendor   \
	}

#define V1_HEADER FIELD(INDEX, 0, 4), FIELD(REF_COUNT, 4, 4), FIELD(FLAGS, 8, 1)
#define LATER_HEADER FIELD(REF_COUNT, 0, 4), FIELD(FLAGS, 4, 4)
#define MOST_FIELDS 16

struct form {
	uint32_t size;
	struct field fields[MOST_FIELDS]; /* those with width 0 are none */
};

static const struct form v1_iommu = {
	37,
	{ V1_HEADER, FIELD(SERIES_TOKEN, 9, 8), FIELD(SERIES_UNIT_TYPE, 17, 4),
	  FIELD(SERIES_REGISTERS, 21, 8), FIELD(SERIES_ROOT_TABLE, 29, 8) },
};
static const struct form v1_domain = {
	33,
	{ V1_HEADER, FIELD(SERIES_TOP_TABLE, 9, 8), FIELD(SERIES_TOP_LEVEL, 17, 8),
	  FIELD(SERIES_RESTORED_DOMAIN, 25, 8) },
};
static const struct form v1_device = {
	65,
	{ V1_HEADER, FIELD(SERIES_OWNER, 9, 8), FIELD(SERIES_BDF, 17, 4),
	  FIELD(SERIES_SEGMENT, 21, 4), FIELD(SERIES_DID, 25, 4), FIELD(SERIES_DOMAIN, 29, 8),
	  FIELD(SERIES_IOMMU, 37, 8), FIELD(SERIES_DEVICE_TYPE, 45, 4),
	  FIELD(SERIES_DIRECTORY, 49, 8), FIELD(SERIES_PASIDS, 57, 8) },
};

#define INTEL_IOMMU                                                \
	FIELD(SERIES_TOKEN, 8, 8), FIELD(SERIES_UNIT_TYPE, 16, 8), \
		FIELD_OF(INTEL, SERIES_UNIT_RESTORED, 24, 1),      \
		FIELD_OF(INTEL, SERIES_REGISTERS, 32, 8),          \
		FIELD_OF(INTEL, SERIES_ROOT_TABLE, 40, 8),         \
		FIELD_OF(INTEL, SERIES_CONTEXT_TABLES, 48, 64)

#define LATER_DOMAIN                                                   \
	FIELD(SERIES_TOP_TABLE, 8, 8), FIELD(SERIES_TOP_LEVEL, 16, 8), \
		FIELD(SERIES_INPUT_WIDTH, 24, 4), FIELD(SERIES_SIGN_EXTEND, 28, 1)

static const struct form second_iommu = { 112, { LATER_HEADER, INTEL_IOMMU } };
static const struct form second_domain = {
	37,
	{ LATER_HEADER, LATER_DOMAIN, FIELD(SERIES_RESTORED_DOMAIN, 29, 8) },
};
static const struct form device_56 = {
	56,
	{ LATER_HEADER, FIELD(SERIES_BDF, 8, 4), FIELD(SERIES_SEGMENT, 12, 4),
	  FIELD(SERIES_DID, 16, 8), FIELD(SERIES_DOMAIN, 24, 8), FIELD(SERIES_IOMMU, 32, 8),
	  FIELD(SERIES_DIRECTORY, 40, 8), FIELD(SERIES_PASIDS, 48, 8) },
};

static const struct form late_iommu = {
	112,
	{ LATER_HEADER, INTEL_IOMMU, FIELD_OF(SMMUV3, SERIES_REGISTERS, 24, 8),
	  FIELD_OF(SMMUV3, SERIES_STRTAB_BASE_CFG, 32, 8),
	  FIELD_OF(SMMUV3, SERIES_STRTAB_L1, 40, 8), FIELD_OF(SMMUV3, SERIES_STRTAB_L2, 48, 8) },
};
static const struct form late_domain = {
	40,
	{ LATER_HEADER, LATER_DOMAIN, FIELD(SERIES_RESTORED_DOMAIN, 32, 8) },
};
static const struct form late_device = {
	72,
	{ LATER_HEADER, FIELD(SERIES_BDF, 8, 4), FIELD(SERIES_SEGMENT, 12, 4),
	  FIELD(SERIES_OWNER, 16, 8), FIELD(SERIES_DID, 24, 8), FIELD(SERIES_DOMAIN, 32, 8),
	  FIELD(SERIES_IOMMU, 40, 8), FIELD_OF(INTEL, SERIES_DEVICE_RESTORED, 48, 1),
	  FIELD_OF(INTEL, SERIES_DIRECTORY, 56, 8), FIELD_OF(INTEL, SERIES_PASIDS, 64, 8),
	  FIELD_OF(SMMUV3, SERIES_CDTAB_L1, 48, 8), FIELD_OF(SMMUV3, SERIES_CDTAB_NR_L2, 56, 4),
	  FIELD_OF(SMMUV3, SERIES_CDTAB_L2, 64, 8) },
};

/**
 * struct layout - all that differs
 * @first: the root says how many records there are, records have an index, and
 *	stale devices are not marked
 * @version: the root begins with 1
 */
static const struct layout {
	const char *name;
	bool first;
	bool version;
	const struct form *forms[LAST_KIND + 1];
} layouts[] = {
	{ "iommu-v1", true, false, { NULL, &v1_iommu, &v1_domain, &v1_device } },
	{ "iommu-liveupdate-v1", false, false, { NULL, &second_iommu, &second_domain, &device_56 } },
	{ "iommu-liveupdate", false, true, { NULL, &late_iommu, &late_domain, &late_device } },
	{ "iommu-liveupdate-56", false, true, { NULL, &late_iommu, &late_domain, &device_56 } },
};

static const struct layout *layout_of(const char *name)
{
	uint32_t i;

	for (i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (!strcmp(layouts[i].name, name))
			return &layouts[i];
	return NULL;
}

/* Pages that were met: the root's and those of all chains. */
struct walk {
	const struct layout *layout;
	uint32_t kind;
	uint64_t *met;
	uint64_t nr_met;
	uint64_t nr_records;
	uint64_t next;
};

static bool meet(struct walk *walk, uint64_t page)
{
	uint64_t i;

	for (i = 0; i < walk->nr_met; i++)
		if (walk->met[i] == page)
			return false;
	walk->met = realloc(walk->met, (walk->nr_met + 1) * sizeof(*walk->met));
	if (!walk->met)
		abort();
	walk->met[walk->nr_met++] = page;
	return true;
}

static bool read_root(struct independent *reader, struct walk *walk)
{
	const struct layout *layout = walk->layout;
	uint64_t offset = reader->root % reader->page_size;
	uint64_t stride = layout->first ? 16 : 8, at = layout->version ? 8 : 0;
	const uint8_t *root = bytes_at(reader, reader->root);
	uint32_t kind;

	if (!root || offset % 8 || offset + at + LAST_KIND * stride > reader->page_size)
		return refuse(reader, "there is a root", reader->root);
	meet(walk, reader->root - offset);
	if (layout->version && number(root, 8) != 1)
		return refuse(reader, "version", reader->root);
	for (kind = 1; kind <= LAST_KIND; kind++, at += stride) {
		struct independent_chain *chain = &reader->kinds[kind];

		chain->first_page = number(root + at, 8);
		chain->nr_records = layout->first ? number(root + at + 8, 8) : 0;
		/* Even without a record there is a page. */
		if (!chain->first_page)
			return refuse(reader, "three chains", reader->root + at);
	}
	return true;
}

static void take(struct independent_record *record, const uint8_t *bytes, const struct field *field)
{
	uint64_t value = number(bytes + field->offset, field->width > 8 ? 8 : field->width);
	uint32_t i;

	switch (field->place) {
	case INDEX:
		record->index = value;
		break;
	case REF_COUNT:
		record->ref_count = (uint32_t)value;
		break;
	case FLAGS:
		record->flags = (uint32_t)value;
		break;
	default:
		record->member[field->place] = value;
		for (i = 8; i < field->width; i += 8)
			record->member[field->place + i / 8] = number(bytes + field->offset + i, 8);
	}
}

static void take_all(struct independent_record *record, const uint8_t *bytes,
		     const struct form *form, uint64_t vendor)
{
	uint32_t i;

	for (i = 0; i < MOST_FIELDS; i++)
		if (form->fields[i].width && form->fields[i].vendor == vendor)
			take(record, bytes, &form->fields[i]);
}

/* Whose record it is: a unit says so itself, a device is what its unit is. */
static uint64_t vendor_of(const struct independent *reader, uint32_t kind,
			  const struct independent_record *record)
{
	const struct independent_record *unit = kind == IOMMU ? record : NULL;

	if (kind == DEVICE)
		unit = record_at(reader, IOMMU, record->member[SERIES_IOMMU]);
	return unit ? unit->member[SERIES_UNIT_TYPE] : INTEL;
}

static void decode(const struct independent *reader, const struct walk *walk, const uint8_t *bytes,
		   struct independent_record *record)
{
	const struct form *form = walk->layout->forms[walk->kind];

	take_all(record, bytes, form, 0);
	take_all(record, bytes, form, vendor_of(reader, walk->kind, record));
	record->gone = record->flags & DELETED;
}

static bool read_page(struct independent *reader, struct walk *walk)
{
	uint64_t address = walk->next;
	uint32_t size = walk->layout->forms[walk->kind]->size;
	uint64_t capacity = (reader->page_size - HEADER_SIZE) / size, count, i;
	const uint8_t *page = page_at(reader, address);
	struct independent_record *records;

	if (!page)
		return refuse(reader, "every page is there", address);
	if (!meet(walk, address))
		return refuse(reader, "no page twice", address);
	walk->next = number(page, 8);
	count = number(page + 8, 8);
	if (count > capacity || (!count && (walk->nr_records || walk->next)))
		return refuse(reader, "count", address + 8);
	/* CHAIN-15. */
	if (!zero(page + HEADER_SIZE + count * size,
		  reader->page_size - HEADER_SIZE - count * size))
		return refuse(reader, "zero behind the last record", address);
	records = more_records(&reader->kinds[walk->kind], walk->nr_records, count);
	for (i = 0; i < count; i++) {
		records[i].address = address + HEADER_SIZE + i * size;
		decode(reader, walk, page + HEADER_SIZE + i * size, &records[i]);
	}
	walk->nr_records += count;
	return true;
}

static bool read_chain(struct independent *reader, struct walk *walk)
{
	struct independent_chain *chain = &reader->kinds[walk->kind];
	uint64_t said = chain->nr_records;

	walk->nr_records = 0;
	walk->next = chain->first_page;
	while (walk->next)
		if (!read_page(reader, walk))
			return false;
	chain->nr_records = walk->nr_records;
	if (walk->layout->first && said != walk->nr_records)
		return refuse(reader, "number of records", reader->root);
	return true;
}

bool independent_series_read(struct independent *reader, const char *layout)
{
	struct walk walk = { .layout = layout_of(layout) };
	bool accepted = walk.layout && read_root(reader, &walk);

	for (walk.kind = 1; walk.kind <= LAST_KIND && accepted; walk.kind++)
		accepted = read_chain(reader, &walk);
	free(walk.met);
	return accepted || (!reader->refused && refuse(reader, "a layout", 0));
}

/* Only its domain tells that a device was unpreserved. */
static void mark_stale(struct independent *reader)
{
	struct independent_chain *devices = &reader->kinds[DEVICE];
	const struct independent_record *domain;
	uint64_t i;

	for (i = 0; i < devices->nr_records; i++) {
		domain = record_at(reader, DOMAIN, devices->records[i].member[SERIES_DOMAIN]);
		if (domain && domain->gone)
			devices->records[i].gone = true;
	}
}

/* Are all bytes zero that no field has? */
static bool no_padding(const struct independent *reader, const struct form *form, uint64_t vendor,
		       uint64_t address)
{
	const uint8_t *bytes = bytes_at(reader, address);
	uint32_t at, i;

	for (at = 0; bytes && at < form->size; at++) {
		bool taken = false;

		for (i = 0; i < MOST_FIELDS; i++)
			taken |= (!form->fields[i].vendor || form->fields[i].vendor == vendor) &&
				 at - form->fields[i].offset < form->fields[i].width;
		if (!taken && bytes[at])
			return false;
	}
	return bytes;
}

static const char *check_iommu(const struct independent *reader, const struct layout *layout,
			       const struct independent_record *record)
{
	const uint64_t *member = record->member;
	uint64_t last = layout->forms[IOMMU] == &late_iommu ? SMMUV3 : INTEL;

	(void)reader;
	if (!between(INTEL, member[SERIES_UNIT_TYPE], last))
		return "type of an iommu";
	if (member[SERIES_UNIT_RESTORED])
		return "nothing is restored";
	return NULL;
}

static const char *check_domain(const struct independent *reader, const struct layout *layout,
				const struct independent_record *record)
{
	const uint64_t *member = record->member;

	(void)reader;
	if (!between(2, member[SERIES_TOP_LEVEL], 4))
		return "top_level";
	/* REC-16: what so many levels translate, and more than an offset in a page. */
	if (!layout->first &&
	    !between(13, member[SERIES_INPUT_WIDTH], 12 + 9 * (member[SERIES_TOP_LEVEL] + 1)))
		return "vasz";
	if (member[SERIES_SIGN_EXTEND] > 1)
		return "sign_extend";
	return NULL;
}

static const char *check_pasids(const struct independent_record *device)
{
	uint64_t directory = device->member[SERIES_DIRECTORY];
	uint64_t pasids = device->member[SERIES_PASIDS];

	if (!directory != !pasids)
		return "a PASID directory in scalable mode, none in legacy mode";
	if (pasids > PASIDS || pasids % 64)
		return "max_pasid";
	return NULL;
}

static const char *check_device(const struct independent *reader, const struct layout *layout,
				const struct independent_record *record)
{
	const uint64_t *member = record->member;
	const struct independent_record *unit = find(reader, IOMMU, member[SERIES_IOMMU]);

	(void)layout;
	if (!unit)
		return "iommu of a device";
	if (!find(reader, DOMAIN, member[SERIES_DOMAIN]))
		return "domain of a device";
	if (vendor_of(reader, DEVICE, record) == INTEL && !between(2, member[SERIES_DID], 0xffff))
		return "did";
	/* REC-01: that of its unit does no harm either. */
	if (member[SERIES_DEVICE_TYPE] > INTEL)
		return "type of a device";
	if (member[SERIES_DEVICE_RESTORED])
		return "nothing is restored";
	return check_pasids(record);
}

typedef const char *check_function(const struct independent *reader, const struct layout *layout,
				   const struct independent_record *record);

static check_function *const checks[] = {
	[IOMMU] = check_iommu,
	[DOMAIN] = check_domain,
	[DEVICE] = check_device,
};

static bool check_record(struct independent *reader, const struct layout *layout, uint32_t kind,
			 uint64_t position)
{
	const struct independent_record *record = &reader->kinds[kind].records[position];
	const char *broken;

	if (record->flags & ~(uint32_t)(DELETED | INCOMING))
		return refuse(reader, "flags", record->address);
	if (layout->first && record->index != position)
		return refuse(reader, "index", record->address);
	if (record->flags & DELETED)
		return true;
	if (record->flags & INCOMING)
		return refuse(reader, "nothing is incoming", record->address);
	if (!record->ref_count)
		return refuse(reader, "ref_count is at least 1", record->address);
	if (!no_padding(reader, layout->forms[kind], vendor_of(reader, kind, record),
			record->address))
		return refuse(reader, "zero bytes of a record", record->address);
	/* Of a stale one too. */
	if (kind == DEVICE &&
	    (record->member[SERIES_SEGMENT] > 0xffff || record->member[SERIES_BDF] > 0xffff))
		return refuse(reader, "requester id", record->address);
	broken = record->gone ? NULL : checks[kind](reader, layout, record);
	return !broken || refuse(reader, broken, record->address);
}

static bool check_references(struct independent *reader)
{
	const struct independent_chain *units = &reader->kinds[IOMMU];
	const struct independent_chain *domains = &reader->kinds[DOMAIN];
	uint64_t i, count;

	for (i = 0; i < units->nr_records; i++) {
		count = users(reader, DEVICE, SERIES_IOMMU, units->records[i].address);
		if (!units->records[i].gone && units->records[i].ref_count != (count ? count : 1))
			return refuse(reader, "ref_count counts", units->records[i].address);
	}
	for (i = 0; i < domains->nr_records; i++)
		if (!domains->records[i].gone &&
		    !users(reader, DEVICE, SERIES_DOMAIN, domains->records[i].address))
			return refuse(reader, "a domain is in use", domains->records[i].address);
	return true;
}

/* What no two may both have. */
static struct key identity(const struct independent *reader, uint32_t kind,
			   const struct independent_record *record)
{
	const uint64_t *member = record->member;

	(void)reader;
	if (kind == IOMMU)
		return (struct key){ member[SERIES_TOKEN], 0, record->address };
	return (struct key){ member[SERIES_SEGMENT], member[SERIES_BDF], record->address };
}

/* Domain ids are those of VT-d: a device of another unit has none that it could share. */
static struct key on_unit(const struct independent *reader, const struct independent_record *device,
			  uint32_t from, uint32_t to)
{
	if (vendor_of(reader, DEVICE, device) != INTEL)
		return (struct key){ device->address, 0, 0 };
	return (struct key){ device->member[SERIES_IOMMU], device->member[from],
			     device->member[to] };
}

static struct key did_of(const struct independent *reader, uint32_t kind,
			 const struct independent_record *record)
{
	(void)kind;
	return on_unit(reader, record, SERIES_DID, SERIES_DOMAIN);
}

static struct key domain_of(const struct independent *reader, uint32_t kind,
			    const struct independent_record *record)
{
	(void)kind;
	return on_unit(reader, record, SERIES_DOMAIN, SERIES_DID);
}

static struct key mode_of(const struct independent *reader, uint32_t kind,
			  const struct independent_record *record)
{
	(void)reader;
	(void)kind;
	return (struct key){ record->member[SERIES_IOMMU], 0, !record->member[SERIES_PASIDS] };
}

static struct key segment_of(const struct independent *reader, uint32_t kind,
			     const struct independent_record *record)
{
	(void)reader;
	(void)kind;
	return (struct key){ record->member[SERIES_IOMMU], 0, record->member[SERIES_SEGMENT] };
}

/* The first match is taken, stale or not: no stale device may be like one that is not. */
static bool check_stale(struct independent *reader)
{
	const struct independent_chain *devices = &reader->kinds[DEVICE];
	uint64_t i, j;

	for (i = 0; i < devices->nr_records; i++) {
		const struct independent_record *stale = &devices->records[i];

		for (j = 0; j < devices->nr_records && stale->gone && !(stale->flags & DELETED);
		     j++) {
			const struct independent_record *other = &devices->records[j];

			if (!other->gone &&
			    other->member[SERIES_BDF] == stale->member[SERIES_BDF] &&
			    other->member[SERIES_SEGMENT] == stale->member[SERIES_SEGMENT])
				return refuse(reader, "two of a device", stale->address);
		}
	}
	return true;
}

bool independent_series_check(struct independent *reader, const char *layout)
{
	const struct layout *found = layout_of(layout);
	uint32_t kind;
	uint64_t i;

	if (!found)
		return refuse(reader, "a layout", 0);
	if (found->first)
		mark_stale(reader);
	for (kind = 1; kind <= LAST_KIND; kind++)
		for (i = 0; i < reader->kinds[kind].nr_records; i++)
			if (!check_record(reader, found, kind, i))
				return false;
	return check_references(reader) && check_unique(reader, IOMMU, identity) &&
	       check_unique(reader, DEVICE, identity) && check_stale(reader) &&
	       check_same(reader, DEVICE, mode_of, "one mode for a unit") &&
	       check_same(reader, DEVICE, segment_of, "one segment for a unit") &&
	       check_same(reader, DEVICE, did_of, "one domain for an id") &&
	       check_same(reader, DEVICE, domain_of, "one id for a domain");
}
