// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The checks of area VTD: what the hardware's own tables say, held against the
 * records.
 */
#include "verify-private.h"

#include <iommuser/vtd.h>

#define CONTEXT_DEVICE_TLB 0x4ULL
#define ROOT_LOW_RESERVED 0xffeULL
/* PASID tables to look at when nothing tells which were looked at before. */
#define MAX_BLIND_TABLES (1U << 16)

/* One unit under examination. */
struct unit_check {
	struct iommuser_verify *verify;
	struct iommuser_vtd_tables tables;
	const struct iommuser_iommu *iommu;
	const u64 *marked; /* its context tables that are handed over; NULL: all */
	u64 position;
	u32 segment;
	u32 mode; /* 0 when no device tells */
};

/* One device, and the unit it is on. */
struct device_check {
	struct iommuser_verify *verify;
	struct iommuser_vtd_tables tables;
	struct iommuser_vtd_context context;
	union iommuser_record record;
	u64 position;
	u64 domain; /* position of its domain; valid when has_domain */
	u64 top_table;
	u64 top_level;
	u64 did;
	bool has_domain;
	bool rid_found;
};

static OWN_FRAME void unit_finding(const struct unit_check *check, enum iommuser_finding_id id,
				   u64 phys, u64 found, u64 expected)
{
	report_at(check->verify->reporter, id, phys, found, expected);
}

static OWN_FRAME void device_finding(const struct device_check *check, enum iommuser_finding_id id,
				     u64 found, u64 expected)
{
	report_record(check->verify->reporter, id, IOMMUSER_KIND_DEVICE, &check->record,
		      IOMMUSER_FIELD_NONE, found, expected);
}

/*
 * Account for a hardware table at @phys.
 * Return: true when it can be read and was not met before.
 */
static OWN_FRAME bool account_for_table(struct iommuser_verify *verify, u64 phys,
					enum iommuser_finding_id bad_address)
{
	const void *bytes;
	int error;

	error = access_table(verify->env, phys, &bytes);
	if (error == -IOMMUSER_ECORRUPT || !phys) {
		report_at(verify->reporter, bad_address, phys, phys, 0);
		return false;
	}
	if (error) {
		report_unreadable(verify->reporter, IOMMUSER_FINDING_VTD_UNREADABLE, verify->set,
				  phys);
		return false;
	}
	return visit_metadata(verify->reporter, verify->set, IOMMUSER_FINDING_CLOSURE_VTD_TABLE,
			      bad_address, phys, IOMMUSER_TABLE_SIZE);
}

/* Is the domain of the stage that the hardware takes it for? It is where no record tells. */
static OWN_FRAME bool check_stage(const struct device_check *check, u32 stage)
{
	u8 *known = &check->verify->graph->domain_stages[check->domain];

	if (!check->has_domain)
		return true;
	if (!*known)
		*known = (u8)stage;
	if (*known == stage)
		return true;
	/* PGTT numbers the stages as the records do. */
	device_finding(check, IOMMUSER_FINDING_VTD_PASID_TYPE, stage, *known);
	return false;
}

/* What the hardware's entry for the device says, against the domain record. */
static OWN_FRAME void check_translation(const struct device_check *check, u32 stage, u64 width,
					u64 top_table, u64 did)
{
	/* AW counts from 2 levels, which are reserved, FSPM from 4. */
	u64 levels = width + (stage == IOMMUSER_STAGE_FIRST ? 4 : 2);
	u64 expected = check->top_level + 1;

	if (!check->has_domain)
		return;
	/* 3 levels are no level of a first stage, which only the hardware's entry may tell. */
	if (valid_top_level(IOMMUSER_STAGE_SECOND, check->top_level) && levels != expected)
		device_finding(check, IOMMUSER_FINDING_VTD_WIDTH, levels, expected);
	if (top_table != check->top_table)
		device_finding(check, IOMMUSER_FINDING_VTD_TOP_TABLE, top_table, check->top_table);
	if (did != check->did)
		device_finding(check, IOMMUSER_FINDING_DID_ENTRY, did, check->did);
}

static void check_legacy_entry(const struct device_check *check)
{
	const struct iommuser_vtd_context *context = &check->context;

	if (context->translation_type > IOMMUSER_VTD_TT_TABLE_DEVICE_TLB)
		device_finding(check, IOMMUSER_FINDING_VTD_TRANSLATION_TYPE,
			       context->translation_type, IOMMUSER_VTD_TT_TABLE);
	else if (check_stage(check, IOMMUSER_STAGE_SECOND))
		check_translation(check, IOMMUSER_STAGE_SECOND, context->address_width,
				  context->table, context->did);
}

/* The entry of the PASID that the device's attachment is for. */
static void check_pasid_entry(const struct device_check *check,
			      const struct iommuser_vtd_pasid *entry)
{
	bool first = entry->type == IOMMUSER_VTD_PGTT_FIRST;
	u32 stage = first ? IOMMUSER_STAGE_FIRST : IOMMUSER_STAGE_SECOND;
	u64 rest;

	if (!first && entry->type != IOMMUSER_VTD_PGTT_SECOND) {
		device_finding(check, IOMMUSER_FINDING_VTD_PASID_TYPE, entry->type,
			       IOMMUSER_VTD_PGTT_SECOND);
		return;
	}
	if (!check_stage(check, stage))
		return;
	/* The other stage's part of the entry is not in use. */
	rest = entry->reserved | (first ? entry->second_stage : entry->qw[2]);
	if (rest)
		report_at(check->verify->reporter, IOMMUSER_FINDING_VTD_RESERVED, entry->phys, rest,
			  0);
	if (first)
		check_translation(check, stage, entry->first_stage_mode, entry->first_stage,
				  entry->did);
	else
		check_translation(check, stage, entry->address_width, entry->second_stage,
				  entry->did);
}

/* Make @check be about the domain record at @domain. */
static OWN_FRAME void set_domain(struct device_check *check, u64 domain, u64 did)
{
	union iommuser_record record;

	check->has_domain =
		!resolve_live(check->verify, domain, IOMMUSER_KIND_DOMAIN, &check->domain, &record);
	if (!check->has_domain)
		return;
	check->top_table = record.domain.top_table;
	check->top_level = record.domain.top_level;
	check->did = did;
}

/* That of requests without PASID. */
static OWN_FRAME void set_own_domain(struct device_check *check)
{
	u64 domain, did;

	check->has_domain = !iommuser_graph_device_domain(check->verify->graph, check->position,
							  &check->record.device, &domain, &did);
	if (check->has_domain)
		set_domain(check, domain, did);
}

/* Return: false when no attachment explains the entry of @pasid. */
static bool set_pasid_domain(struct device_check *check, u32 pasid)
{
	union iommuser_record record;
	u64 position;

	if (pasid == check->record.device.rid_pasid) {
		set_own_domain(check);
		return true;
	}
	if (!verify_has_attachments(check->verify) ||
	    iommuser_graph_find_attachment(check->verify->graph, check->position, true, pasid,
					   &position) ||
	    read_live(check->verify, IOMMUSER_KIND_ATTACHMENT, position, &record))
		return false;
	set_domain(check, record.attachment.domain, record.attachment.did);
	return true;
}

/* Return: false when the directory cannot be read, or was read for another device. */
static bool account_for_directory(const struct device_check *check,
				  const struct iommuser_vtd_directory *directory)
{
	u64 bytes = directory->nr_pasids / IOMMUSER_VTD_PASIDS_PER_TABLE * 8;
	u64 at;

	for (at = 0; at < bytes; at += IOMMUSER_TABLE_SIZE)
		if (!account_for_table(check->verify, directory->phys + at,
				       IOMMUSER_FINDING_VTD_DIRECTORY))
			return false;
	return true;
}

static OWN_FRAME void check_pasid(struct device_check *check,
				  const struct iommuser_vtd_directory *directory, u32 pasid)
{
	struct iommuser_vtd_pasid entry;
	u64 rest;

	if (iommuser_vtd_pasid(directory, pasid, &entry))
		return;
	if (!entry.present) {
		rest = entry.qw[0] | entry.qw[1] | entry.qw[2] | entry.reserved;
		if (rest && pasid != check->record.device.rid_pasid)
			report_at(check->verify->reporter, IOMMUSER_FINDING_VTD_RESERVED,
				  entry.phys, rest, 0);
		return;
	}
	check->verify->counts.nr_pasid_entries++;
	if (pasid == check->record.device.rid_pasid)
		check->rid_found = true;
	if (set_pasid_domain(check, pasid))
		check_pasid_entry(check, &entry);
	else
		device_finding(check, IOMMUSER_FINDING_VTD_PASID_EXTRA, pasid,
			       check->record.device.rid_pasid);
}

/* The PASID table that begins with @pasid. Return: false when it cannot be looked at. */
static bool check_pasid_table(struct device_check *check,
			      const struct iommuser_vtd_directory *directory, u32 pasid)
{
	u64 table;
	int error;
	u32 i;

	error = iommuser_vtd_pasid_table(directory, pasid, &table);
	if (!error && !table)
		return true;
	/* Without a set, tables that are met again and again are met in vain. */
	if (!check->verify->set && check->verify->counts.nr_pasid_tables >= MAX_BLIND_TABLES) {
		report_unreadable(check->verify->reporter, IOMMUSER_FINDING_VTD_UNREADABLE, NULL,
				  table);
		return false;
	}
	check->verify->counts.nr_pasid_tables++;
	if (!account_for_table(check->verify, table, IOMMUSER_FINDING_VTD_PASID_TABLE))
		return false;
	for (i = 0; i < IOMMUSER_VTD_PASIDS_PER_TABLE; i++)
		check_pasid(check, directory, pasid + i);
	return true;
}

static void check_pasids_of(struct device_check *check,
			    const struct iommuser_vtd_directory *directory)
{
	bool complete = true;
	u32 pasid;

	for (pasid = 0; pasid < directory->nr_pasids; pasid += IOMMUSER_VTD_PASIDS_PER_TABLE)
		if (!check_pasid_table(check, directory, pasid))
			complete = false;
	if (!check->rid_found && complete)
		device_finding(check, IOMMUSER_FINDING_VTD_PASID_ABSENT,
			       check->record.device.rid_pasid, 0);
}

static void check_scalable_entry(struct device_check *check)
{
	const struct iommuser_device *device = &check->record.device;
	const struct iommuser_vtd_context *context = &check->context;
	struct iommuser_vtd_directory directory;

	if (context->page_request_enable)
		device_finding(check, IOMMUSER_FINDING_VTD_PRE, device->bdf, 0);
	if (context->rid_pasid != device->rid_pasid)
		device_finding(check, IOMMUSER_FINDING_VTD_RID_PASID, context->rid_pasid,
			       device->rid_pasid);
	if (context->table != device->pasid_directory) {
		device_finding(check, IOMMUSER_FINDING_VTD_DIRECTORY, context->table,
			       device->pasid_directory);
		return;
	}
	iommuser_vtd_directory_of(check->verify->env, context, &directory);
	if (directory.nr_pasids != device->pasid_entries) {
		device_finding(check, IOMMUSER_FINDING_VTD_DIRECTORY_SIZE, directory.nr_pasids,
			       device->pasid_entries);
		return;
	}
	if (account_for_directory(check, &directory))
		check_pasids_of(check, &directory);
}

/* A live device whose tables are still those that were handed over. */
static int read_attached_device(const struct iommuser_verify *verify, u64 position,
				union iommuser_record *record)
{
	if (iommuser_graph_state(verify->graph, IOMMUSER_KIND_DEVICE, position) >= IOMMUSER_LEFT)
		return -IOMMUSER_ENOENT;
	return read_live_device(verify, position, record);
}

/* Return: false when the unit at reference @iommu cannot be looked at. */
static OWN_FRAME bool find_tables(const struct iommuser_verify *verify, u64 iommu,
				  struct iommuser_vtd_tables *tables)
{
	union iommuser_record unit;
	u64 position;

	if (resolve_live(verify, iommu, IOMMUSER_KIND_IOMMU, &position, &unit) ||
	    unit.iommu.type != IOMMUSER_IOMMU_TYPE_INTEL || !unit.iommu.root_table)
		return false;
	tables->env = verify->env;
	tables->root_table = unit.iommu.root_table;
	tables->scalable = graph_unit_mode(verify->graph, position) == IOMMUSER_IOMMU_MODE_SCALABLE;
	return true;
}

static OWN_FRAME void check_device_tables(struct iommuser_verify *verify, u64 position)
{
	struct device_check check = { .verify = verify, .position = position };
	int error;

	if (read_attached_device(verify, position, &check.record) ||
	    check.record.device.bdf > MAX_BDF ||
	    !find_tables(verify, check.record.device.iommu, &check.tables))
		return;
	error = iommuser_vtd_context(&check.tables, (u32)check.record.device.bdf, &check.context);
	/* An impossible address is reported with the unit's tables. */
	if (error == -IOMMUSER_EUNMAPPED)
		device_finding(&check, IOMMUSER_FINDING_VTD_UNREADABLE, check.tables.root_table, 0);
	if (error)
		return;
	if (!check.context.present) {
		device_finding(&check, IOMMUSER_FINDING_VTD_NO_ENTRY, 0, 1);
		return;
	}
	set_own_domain(&check);
	/* TT of legacy mode and DTE of scalable mode begin at the same bit. */
	if ((check.record.device.device_flags & IOMMUSER_DEVICE_ATS) &&
	    !(check.context.low & CONTEXT_DEVICE_TLB))
		device_finding(&check, IOMMUSER_FINDING_VTD_TRANSLATION_TYPE, 0,
			       IOMMUSER_VTD_TT_TABLE_DEVICE_TLB);
	if (check.tables.scalable)
		check_scalable_entry(&check);
	else
		check_legacy_entry(&check);
}

/* The tables and the requester id of the device record that @device refers to. */
static OWN_FRAME bool tables_of_device(const struct iommuser_verify *verify, u64 device,
				       struct iommuser_vtd_tables *tables, u32 *bdf)
{
	union iommuser_record record;
	u64 position;

	if (iommuser_graph_resolve(verify->graph, device, IOMMUSER_KIND_DEVICE, &position) ||
	    read_attached_device(verify, position, &record) || record.device.bdf > MAX_BDF)
		return false;
	*bdf = (u32)record.device.bdf;
	return find_tables(verify, record.device.iommu, tables);
}

/* An alias must be translated exactly as its device is. */
static OWN_FRAME void check_alias_entry(struct iommuser_verify *verify, u64 position)
{
	struct iommuser_vtd_context context;
	struct iommuser_vtd_tables tables;
	enum iommuser_finding_id id = IOMMUSER_FINDING_VTD_ALIAS;
	union iommuser_record alias;
	u64 low, high;
	u32 bdf;
	int error;

	if (read_live(verify, IOMMUSER_KIND_ALIAS, position, &alias) || alias.alias.bdf > MAX_BDF)
		return;
	if (!tables_of_device(verify, alias.alias.device, &tables, &bdf) ||
	    iommuser_vtd_context(&tables, bdf, &context))
		return;
	low = context.low;
	high = context.high;
	error = iommuser_vtd_context(&tables, (u32)alias.alias.bdf, &context);
	if (error == -IOMMUSER_EUNMAPPED)
		id = IOMMUSER_FINDING_VTD_UNREADABLE;
	else if (error || (context.low == low && context.high == high))
		return;
	report_record(verify->reporter, id, IOMMUSER_KIND_ALIAS, &alias, IOMMUSER_FIELD_NONE,
		      context.low, low);
}

static bool pasid_present(const struct iommuser_verify *verify,
			  const struct iommuser_vtd_context *context, u64 pasid)
{
	struct iommuser_vtd_directory directory;
	struct iommuser_vtd_pasid entry;

	iommuser_vtd_directory_of(verify->env, context, &directory);
	/* The entry of requests without PASID is theirs alone. */
	if (!context->pasid_enable || pasid >= directory.nr_pasids || pasid == context->rid_pasid)
		return false;
	/* A table that cannot be read is reported with the device. */
	return iommuser_vtd_pasid(&directory, (u32)pasid, &entry) || entry.present;
}

/* An attachment of a PASID must have its entry. */
static OWN_FRAME void check_attachment_entry(struct iommuser_verify *verify, u64 position)
{
	struct iommuser_vtd_context context;
	struct iommuser_vtd_tables tables;
	union iommuser_record record;
	u32 bdf;

	if (read_live(verify, IOMMUSER_KIND_ATTACHMENT, position, &record) ||
	    !(record.attachment.attachment_flags & IOMMUSER_ATTACHMENT_HAS_PASID) ||
	    !tables_of_device(verify, record.attachment.device, &tables, &bdf))
		return;
	if (!tables.scalable)
		report_record(verify->reporter, IOMMUSER_FINDING_VTD_MODE, IOMMUSER_KIND_ATTACHMENT,
			      &record, IOMMUSER_FIELD_PASID, record.attachment.pasid, 0);
	else if (!iommuser_vtd_context(&tables, bdf, &context) && context.present &&
		 !pasid_present(verify, &context, record.attachment.pasid))
		report_record(verify->reporter, IOMMUSER_FINDING_VTD_PASID_ABSENT,
			      IOMMUSER_KIND_ATTACHMENT, &record, IOMMUSER_FIELD_PASID,
			      record.attachment.pasid, 0);
}

/* Is the requester a preserved device of this unit, or an alias of one? */
static bool requester_known(const struct unit_check *check, u32 bdf)
{
	struct iommuser_verify *verify = check->verify;
	union iommuser_record record;
	u64 position, unit;

	if (!iommuser_graph_find_device(verify->graph, check->segment, bdf, &position)) {
		if (read_live_device(verify, position, &record))
			return false;
	} else if (!iommuser_graph_find_alias(verify->graph, check->segment, bdf, &position)) {
		if (read_live(verify, IOMMUSER_KIND_ALIAS, position, &record))
			return false;
		/* A reference that does not resolve has been reported with the record. */
		if (resolve_live(verify, record.alias.device, IOMMUSER_KIND_DEVICE, &position,
				 &record) ||
		    read_live_device(verify, position, &record))
			return true;
	} else {
		return false;
	}
	return resolve_live(verify, record.device.iommu, IOMMUSER_KIND_IOMMU, &unit, &record) ||
	       unit == check->position;
}

static bool is_marked(const struct unit_check *check, u32 bit)
{
	return check->marked[bit / 64] >> (bit % 64) & 1;
}

/* Is the table not handed over that the context entry of @bdf is in? */
static bool left_behind(const struct unit_check *check, u32 bdf)
{
	return check->marked &&
	       !is_marked(check, check->tables.scalable ? bdf >> 7 : bdf >> 8 << 1);
}

static OWN_FRAME void check_context_entries(const struct unit_check *check)
{
	struct iommuser_vtd_context context;
	u32 cursor = 0, bdf;
	bool known;
	int more;

	while ((more = iommuser_vtd_next_context(&check->tables, &cursor, &bdf, &context))) {
		if (more < 0)
			continue; /* reported with its table */
		check->verify->counts.nr_context_entries++;
		if (context.reserved && check->mode)
			unit_finding(check, IOMMUSER_FINDING_VTD_RESERVED, context.phys,
				     context.reserved, 0);
		known = requester_known(check, bdf);
		if (known ? !left_behind(check, bdf) :
			    chain_broken(check->verify, IOMMUSER_KIND_DEVICE) ||
				    chain_broken(check->verify, IOMMUSER_KIND_ALIAS) ||
				    (check->verify->options & IOMMUSER_VERIFY_NOT_AT_JUMP))
			continue;
		unit_finding(check,
			     known ? IOMMUSER_FINDING_VTD_BITMAP : IOMMUSER_FINDING_VTD_STRANGER,
			     context.phys, bdf, 0);
	}
}

/* Return: whether the table is one that was handed over. */
static bool check_bitmap(const struct unit_check *check, u32 bit, bool present, u64 phys)
{
	bool marked = is_marked(check, bit);

	if (marked == present)
		return present;
	if (marked || !(check->verify->options & IOMMUSER_VERIFY_NOT_AT_JUMP)) {
		unit_finding(check, IOMMUSER_FINDING_VTD_BITMAP, phys, present, marked);
		return present;
	}
	return false;
}

static void check_context_table(const struct unit_check *check,
				const struct iommuser_vtd_root_entry *entry, u32 bus, u32 half)
{
	u64 phys = check->tables.root_table + bus * 16 + half * 8;
	u64 width = check->iommu->host_address_width;
	u64 word = half ? entry->high : entry->low;
	u64 table = 0;
	bool present;

	present = iommuser_vtd_context_table(&check->tables, entry, half * 128, &table);
	if (check->marked)
		present = check_bitmap(check, bus * 2 + half, present, phys);
	if (!present)
		return;
	if (word & ROOT_LOW_RESERVED)
		unit_finding(check, IOMMUSER_FINDING_VTD_RESERVED, phys, word & ROOT_LOW_RESERVED,
			     0);
	if (width >= IOMMUSER_TABLE_SHIFT && width < IOMMUSER_PHYS_BITS && table >> width)
		unit_finding(check, IOMMUSER_FINDING_VTD_CONTEXT_TABLE, table, table, width);
	else
		account_for_table(check->verify, table, IOMMUSER_FINDING_VTD_CONTEXT_TABLE);
}

static void check_root_table(const struct unit_check *check)
{
	struct iommuser_vtd_root_entry entry;
	u32 bus;

	for (bus = 0; bus < IOMMUSER_VTD_NR_BUSES; bus++) {
		if (iommuser_vtd_root_entry(&check->tables, bus, &entry)) {
			unit_finding(check, IOMMUSER_FINDING_VTD_UNREADABLE,
				     check->tables.root_table, check->tables.root_table, 0);
			return;
		}
		check_context_table(check, &entry, bus, 0);
		if (check->tables.scalable)
			check_context_table(check, &entry, bus, 1);
		else if (entry.high)
			unit_finding(check, IOMMUSER_FINDING_VTD_MODE,
				     check->tables.root_table + bus * 16 + 8, entry.high, 0);
	}
}

static OWN_FRAME void check_unit(struct iommuser_verify *verify, u64 position)
{
	union iommuser_record record;
	struct unit_check check = {
		.verify = verify,
		.iommu = &record.iommu,
		.position = position,
		.segment = verify->graph->unit_segments[position] & UNIT_SEGMENT,
	};

	if (read_live(verify, IOMMUSER_KIND_IOMMU, position, &record))
		return;
	if (record.iommu.type != IOMMUSER_IOMMU_TYPE_INTEL) {
		report_record(verify->reporter, IOMMUSER_FINDING_VTD_UNIT_NOT_CHECKED,
			      IOMMUSER_KIND_IOMMU, &record, IOMMUSER_FIELD_TYPE, record.iommu.type,
			      IOMMUSER_IOMMU_TYPE_INTEL);
		return;
	}
	check.tables.env = verify->env;
	check.tables.root_table = record.iommu.root_table;
	check.mode = graph_unit_mode(verify->graph, position);
	check.tables.scalable = check.mode == IOMMUSER_IOMMU_MODE_SCALABLE;
	if (iommuser_revision_has(verify->root->revision, IOMMUSER_KIND_IOMMU,
				  IOMMUSER_FIELD_CONTEXT_TABLES))
		check.marked = record.iommu.context_tables;
	if (!account_for_table(verify, record.iommu.root_table, IOMMUSER_FINDING_VTD_ROOT_TABLE))
		return;
	check_root_table(&check);
	check_context_entries(&check);
}

int iommuser_verify_vtd(struct iommuser_verify *verify)
{
	static const struct {
		u32 kind;
		void (*check)(struct iommuser_verify *verify, u64 position);
	} checks[] = {
		{ IOMMUSER_KIND_IOMMU, check_unit },
		{ IOMMUSER_KIND_DEVICE, check_device_tables },
		{ IOMMUSER_KIND_ALIAS, check_alias_entry },
		{ IOMMUSER_KIND_ATTACHMENT, check_attachment_entry },
	};
	u64 position, count;
	u32 i;

	for (i = 0; i < ARRAY_LENGTH(checks); i++) {
		count = iommuser_graph_count(verify->graph, checks[i].kind);
		for (position = 0; position < count; position++)
			checks[i].check(verify, position);
	}
	return 0;
}
