// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A second reader of "iommuser-v1", made from docs/format.md alone.
 *
 * It is as plain as can be: pages are asked for again whenever they are
 * needed, look-ups go through everything, and the first broken rule ends it.
 */
#include "independent-private.h"

#include <stdlib.h>
#include <string.h>

#define ALIAS 4
#define ATTACHMENT 5
#define HWPT 6

#define ROOT_SIZE 256
#define HEADER_SIZE 64
#define TABLE_SIZE 4096
#define PASIDS (1U << 20)
/* 4 KiB, 2 MiB, 1 GiB. */
#define LEAVES (1ULL << 12 | 1ULL << 21 | 1ULL << 30)

/* Places of those members that something is said about. */
#define IOMMU_TYPE 0
#define IOMMU_SEGMENT 1
#define IOMMU_TOKEN 2
#define IOMMU_MODE 3
#define IOMMU_WIDTH 4
#define IOMMU_ROOT_TABLE 5
#define IOMMU_CAP 6
#define IOMMU_FIRST_DID 8
#define IOMMU_DID_LIMIT 9
#define DOMAIN_STAGE 0
#define DOMAIN_FORMAT 1
#define DOMAIN_TOP_TABLE 2
#define DOMAIN_TOP_LEVEL 3
#define DOMAIN_INPUT 4
#define DOMAIN_OUTPUT 5
#define DOMAIN_FEATURES 6
#define DOMAIN_SIZES 7
#define DOMAIN_PAGES 8
#define DEVICE_SEGMENT 0
#define DEVICE_BDF 1
#define DEVICE_IOMMU 3
#define DEVICE_GROUP 4
#define DEVICE_FLAGS 5
#define DEVICE_DIRECTORY 6
#define DEVICE_PASIDS 7
#define DEVICE_RID_PASID 8
/* An alias begins like a device. */
#define ALIAS_SEGMENT DEVICE_SEGMENT
#define ALIAS_BDF DEVICE_BDF
#define ALIAS_DEVICE 2
#define ALIAS_TYPE 3
#define ATTACHMENT_DEVICE 0
#define ATTACHMENT_DOMAIN 1
#define ATTACHMENT_PASID 2
#define ATTACHMENT_FLAGS 3
#define ATTACHMENT_DID 4
#define HWPT_IOMMUFD 0
#define HWPT_TOKEN 1
#define HWPT_DOMAIN 2

/* Widths of the members, one digit each, from byte 16 on; then zeros to the size. */
static const struct {
	const char *widths;
	uint32_t size;
} forms[INDEPENDENT_KINDS + 1] = {
	[IOMMU] = { "448448884488888888", 192 }, [DOMAIN] = { "448444488", 128 },
	[DEVICE] = { "448844844", 128 },	 [ALIAS] = { "4484", 64 },
	[ATTACHMENT] = { "88444", 64 },		 [HWPT] = { "888", 64 },
};

uint64_t number(const uint8_t *at, uint32_t width)
{
	uint64_t value = 0;

	while (width--)
		value = value << 8 | at[width];
	return value;
}

bool zero(const uint8_t *at, uint64_t length)
{
	return !length || (!*at && !memcmp(at, at + 1, length - 1));
}

/* What happens for every byte need not be traced: it is most of the time that fuzzing takes. */
#ifdef __clang__
#define UNTRACED __attribute__((__no_sanitize__("coverage")))
#else
#define UNTRACED
#endif

/* The remainder of each byte, for the polynomial 0xedb88320. */
static const uint32_t *crc_table(void)
{
	static uint32_t table[256];
	uint32_t i, bit;

	if (table[1])
		return table;
	for (i = 0; i < 256; i++) {
		table[i] = i;
		for (bit = 0; bit < 8; bit++)
			table[i] = table[i] & 1 ? table[i] >> 1 ^ 0xedb88320 : table[i] >> 1;
	}
	return table;
}

UNTRACED static uint32_t crc_on(uint32_t crc, const uint8_t *at, uint64_t length)
{
	const uint32_t *table = crc_table();

	while (length--)
		crc = crc >> 8 ^ table[(crc ^ *at++) & 0xff];
	return crc;
}

/* CRC-32 of a page, the four bytes at @hole taken as zero. */
static uint32_t crc_of(const uint8_t *page, uint64_t length, uint64_t hole)
{
	static const uint8_t four[4];
	uint32_t crc = crc_on(~0U, page, hole);

	crc = crc_on(crc, four, sizeof(four));
	return ~crc_on(crc, page + hole + 4, length - hole - 4);
}

bool refuse(struct independent *reader, const char *rule, uint64_t where)
{
	reader->refused = rule;
	reader->where = where;
	reader->of_tables = false;
	return false;
}

const uint8_t *page_at(const struct independent *reader, uint64_t address)
{
	if (address % reader->page_size || address >= ADDRESSES)
		return NULL;
	return reader->page(reader->ctx, address, reader->page_size);
}

const uint8_t *bytes_at(const struct independent *reader, uint64_t address)
{
	uint64_t offset = address % reader->page_size;
	const uint8_t *page = page_at(reader, address - offset);

	return page ? page + offset : NULL;
}

uint32_t independent_nr_members(uint32_t kind)
{
	return (uint32_t)strlen(forms[kind].widths);
}

static bool read_release(struct independent *reader, const uint8_t *text)
{
	size_t length = strnlen((const char *)text, sizeof(reader->kernel_release));

	if (length == sizeof(reader->kernel_release) ||
	    !zero(text + length, sizeof(reader->kernel_release) - length))
		return refuse(reader, "kernel_release is NUL-padded", reader->root + 176);
	memcpy(reader->kernel_release, text, sizeof(reader->kernel_release));
	return true;
}

static bool read_arrays(struct independent *reader, const uint8_t *page)
{
	uint32_t kind;

	for (kind = 1; kind <= INDEPENDENT_KINDS; kind++) {
		const uint8_t *array = page + 32 + (kind - 1) * 24;
		struct independent_chain *chain = &reader->kinds[kind];

		chain->first_page = number(array, 8);
		chain->nr_records = number(array + 8, 8);
		chain->nr_deleted = number(array + 16, 8);
		if (!chain->first_page != !chain->nr_records)
			return refuse(reader, "first_page is 0 exactly when nr_records is",
				      reader->root + 32 + (kind - 1) * 24);
	}
	return true;
}

static bool read_root(struct independent *reader)
{
	const uint8_t *page = page_at(reader, reader->root);
	uint64_t size;

	if (!page)
		return refuse(reader, "there is a root page", reader->root);
	if (memcmp(page, "IOMMUSER", 8))
		return refuse(reader, "magic", reader->root);
	if (number(page + 8, 2) != 1)
		return refuse(reader, "format_major is 1", reader->root + 8);
	reader->minor = (uint16_t)number(page + 10, 2);
	size = number(page + 12, 4);
	if (size < ROOT_SIZE || size > reader->page_size)
		return refuse(reader, "root_size", reader->root + 12);
	if (!zero(page + size, reader->page_size - size))
		return refuse(reader, "zero behind root_size", reader->root + size);
	if (number(page + 16, 4) != crc_of(page, reader->page_size, 16))
		return refuse(reader, "crc of the root", reader->root + 16);
	if (number(page + 20, 4) != reader->page_size)
		return refuse(reader, "page_size", reader->root + 20);
	if (number(page + 248, 8))
		return refuse(reader, "reserved of the root", reader->root + 248);
	reader->generation = number(page + 24, 8);
	return read_release(reader, page + 176) && read_arrays(reader, page);
}

static void decode(uint32_t kind, const uint8_t *bytes, struct independent_record *record)
{
	const char *width = forms[kind].widths;
	const uint8_t *at = bytes + 16;
	uint32_t i;

	record->flags = (uint32_t)number(bytes, 4);
	record->gone = record->flags & 1;
	record->ref_count = (uint32_t)number(bytes + 4, 4);
	record->index = number(bytes + 8, 8);
	for (i = 0; width[i]; at += width[i++] - '0')
		record->member[i] = number(at, (uint32_t)(width[i] - '0'));
}

struct walk {
	uint32_t kind;
	uint32_t record_size;
	uint64_t nr_pages;
	uint64_t nr_records;
	uint64_t address;
};

/* The header of a page, but for where it leads. */
static bool check_header(struct independent *reader, const struct walk *walk, const uint8_t *page)
{
	uint64_t capacity = (reader->page_size - HEADER_SIZE) / walk->record_size;
	uint64_t count = number(page + 8, 8), end;

	if (count < 1 || count > capacity || (number(page, 8) && count < capacity))
		return refuse(reader, "count", walk->address + 8);
	if (number(page + 16, 4) != walk->kind)
		return refuse(reader, "kind", walk->address + 16);
	if (number(page + 20, 4) != walk->record_size)
		return refuse(reader, "one record_size in a chain", walk->address + 20);
	if (number(page + 24, 8) != walk->nr_pages)
		return refuse(reader, "sequence", walk->address + 24);
	if (number(page + 32, 8) != reader->generation)
		return refuse(reader, "generation", walk->address + 32);
	if (number(page + 40, 8) != walk->address)
		return refuse(reader, "self", walk->address + 40);
	if (number(page + 48, 4) != crc_of(page, reader->page_size, 48))
		return refuse(reader, "crc of a page", walk->address + 48);
	if (!zero(page + 52, 12))
		return refuse(reader, "reserved of a page", walk->address + 52);
	end = HEADER_SIZE + count * walk->record_size;
	if (!zero(page + end, reader->page_size - end))
		return refuse(reader, "zero behind the last record", walk->address + end);
	return true;
}

struct independent_record *more_records(struct independent_chain *chain, uint64_t have,
					uint64_t more)
{
	struct independent_record *records =
		realloc(chain->records, (have + more + 1) * sizeof(*records));

	if (!records)
		abort();
	chain->records = records;
	memset(records + have, 0, more * sizeof(*records));
	return records + have;
}

static void take_records(struct independent *reader, struct walk *walk, const uint8_t *page)
{
	uint64_t count = number(page + 8, 8), i;
	struct independent_record *records =
		more_records(&reader->kinds[walk->kind], walk->nr_records, count);

	for (i = 0; i < count; i++) {
		uint64_t offset = HEADER_SIZE + i * walk->record_size;

		records[i].address = walk->address + offset;
		decode(walk->kind, page + offset, &records[i]);
	}
	walk->nr_records += count;
}

static bool read_page(struct independent *reader, struct walk *walk, uint64_t *next)
{
	const uint8_t *page = page_at(reader, walk->address);

	if (!page)
		return refuse(reader, "every page is there", walk->address);
	if (!walk->nr_pages)
		walk->record_size = (uint32_t)number(page + 20, 4);
	if (walk->record_size < forms[walk->kind].size || walk->record_size % 8)
		return refuse(reader, "record_size", walk->address + 20);
	if (!check_header(reader, walk, page))
		return false;
	take_records(reader, walk, page);
	*next = number(page, 8);
	walk->nr_pages++;
	return true;
}

/* The sequence sees to it that no chain goes in a circle. */
static bool read_chain(struct independent *reader, uint32_t kind)
{
	struct independent_chain *chain = &reader->kinds[kind];
	struct walk walk = { .kind = kind };
	uint64_t next, i, deleted = 0;

	for (walk.address = chain->first_page; walk.address; walk.address = next)
		if (!read_page(reader, &walk, &next))
			return false;
	for (i = 0; i < walk.nr_records; i++)
		deleted += chain->records[i].flags & 1;
	if (walk.nr_records != chain->nr_records || deleted != chain->nr_deleted) {
		chain->nr_records = walk.nr_records;
		return refuse(reader, "nr_records and nr_deleted", reader->root + 32);
	}
	return true;
}

bool independent_read(struct independent *reader)
{
	uint32_t kind;

	if (!read_root(reader))
		return false;
	for (kind = 1; kind <= INDEPENDENT_KINDS; kind++)
		if (!read_chain(reader, kind))
			return false;
	return true;
}

const struct independent_record *record_at(const struct independent *reader, uint32_t kind,
					   uint64_t address)
{
	const struct independent_chain *chain = &reader->kinds[kind];
	uint64_t i;

	for (i = 0; i < chain->nr_records; i++)
		if (chain->records[i].address == address)
			return &chain->records[i];
	return NULL;
}

const struct independent_record *find(const struct independent *reader, uint32_t kind,
				      uint64_t address)
{
	const struct independent_record *record = record_at(reader, kind, address);

	return record && !record->gone ? record : NULL;
}

static bool no_padding(const struct independent *reader, uint32_t kind, uint64_t address)
{
	const uint8_t *bytes = bytes_at(reader, address);
	const char *width;
	uint32_t end = 16;

	for (width = forms[kind].widths; *width; width++)
		end += (uint32_t)(*width - '0');
	return bytes && zero(bytes + end, forms[kind].size - end);
}

/* Every byte but those of flags and index. */
static bool is_blank(const struct independent *reader, uint32_t kind,
		     const struct independent_record *record)
{
	uint32_t i;

	for (i = 0; i < INDEPENDENT_MEMBERS; i++)
		if (record->member[i])
			return false;
	return !record->ref_count && no_padding(reader, kind, record->address);
}

/* What a check says: the rule that is broken. */
struct verdict {
	const char *broken;
	bool of_tables;
};

#define SOUND ((struct verdict){ NULL, false })
#define BROKEN(rule) ((struct verdict){ rule, false })
#define BROKEN_TABLES(rule) ((struct verdict){ rule, true })

static bool table_address(uint64_t address)
{
	return address && !(address % TABLE_SIZE) && address < ADDRESSES;
}

bool between(uint64_t low, uint64_t value, uint64_t high)
{
	return low <= value && value <= high;
}

static uint64_t nr_dids(uint64_t cap)
{
	return (cap & 7) == 7 ? 65536 : 1ULL << (4 + 2 * (cap & 7));
}

static struct verdict check_iommu(const struct independent *reader,
				  const struct independent_record *record)
{
	const uint64_t *member = record->member;

	(void)reader;
	if (member[IOMMU_TYPE] != 1)
		return BROKEN("type of an iommu");
	if (member[IOMMU_SEGMENT] > 0xffff)
		return BROKEN("segment of an iommu");
	if (!between(1, member[IOMMU_MODE], 2))
		return BROKEN("mode");
	if (!between(32, member[IOMMU_WIDTH], 52))
		return BROKEN("host_address_width");
	if (member[IOMMU_FIRST_DID] < 2 || member[IOMMU_DID_LIMIT] <= member[IOMMU_FIRST_DID] ||
	    member[IOMMU_DID_LIMIT] > nr_dids(member[IOMMU_CAP]))
		return BROKEN("first_did and did_limit");
	if (!table_address(member[IOMMU_ROOT_TABLE]))
		return BROKEN_TABLES("root_table");
	return SOUND;
}

static struct verdict check_domain(const struct independent *reader,
				   const struct independent_record *record)
{
	const uint64_t *member = record->member;
	uint64_t level = member[DOMAIN_TOP_LEVEL];

	(void)reader;
	if (!between(1, member[DOMAIN_STAGE], 2))
		return BROKEN("stage");
	if (member[DOMAIN_FORMAT] != member[DOMAIN_STAGE])
		return BROKEN("format");
	if (!between(member[DOMAIN_STAGE] == 1 ? 3 : 2, level, 4))
		return BROKEN("top_level");
	if (!between(13, member[DOMAIN_INPUT], 12 + 9 * (level + 1)))
		return BROKEN("input_width");
	if (!between(32, member[DOMAIN_OUTPUT], 52))
		return BROKEN("output_width");
	if (member[DOMAIN_FEATURES] >> 5)
		return BROKEN("features");
	if (!member[DOMAIN_SIZES] || member[DOMAIN_SIZES] & ~LEAVES)
		return BROKEN("page_size_bitmap");
	if (!between(1, member[DOMAIN_PAGES], ADDRESSES / TABLE_SIZE))
		return BROKEN("nr_table_pages");
	if (!table_address(member[DOMAIN_TOP_TABLE]))
		return BROKEN_TABLES("top_table");
	return SOUND;
}

static bool requester(uint64_t segment, uint64_t bdf)
{
	return segment <= 0xffff && bdf <= 0xffff;
}

static struct verdict check_pasids(const struct independent_record *device, uint64_t mode)
{
	uint64_t directory = device->member[DEVICE_DIRECTORY];
	uint64_t pasids = device->member[DEVICE_PASIDS];

	if (mode == 1 ? directory || pasids : !directory || !pasids)
		return BROKEN("a PASID directory in scalable mode, none in legacy mode");
	if (mode == 1)
		return SOUND;
	if (pasids > PASIDS || pasids % 64)
		return BROKEN("pasid_entries");
	if (pasids < 8192 || pasids & (pasids - 1))
		return BROKEN_TABLES("pasid_entries are a power of two");
	if (!table_address(directory))
		return BROKEN_TABLES("pasid_directory");
	return SOUND;
}

static struct verdict check_device(const struct independent *reader,
				   const struct independent_record *record)
{
	const uint64_t *member = record->member;
	const struct independent_record *iommu = find(reader, IOMMU, member[DEVICE_IOMMU]);

	if (!requester(member[DEVICE_SEGMENT], member[DEVICE_BDF]))
		return BROKEN("requester id of a device");
	if (!iommu)
		return BROKEN("iommu of a device");
	if (member[DEVICE_SEGMENT] != iommu->member[IOMMU_SEGMENT])
		return BROKEN("the devices of a unit are all in one segment");
	if (!member[DEVICE_GROUP])
		return BROKEN("group_size");
	if (member[DEVICE_FLAGS] & ~5ULL)
		return BROKEN("device_flags");
	if (member[DEVICE_RID_PASID] >= PASIDS)
		return BROKEN("rid_pasid");
	return check_pasids(record, iommu->member[IOMMU_MODE]);
}

static struct verdict check_alias(const struct independent *reader,
				  const struct independent_record *record)
{
	if (!requester(record->member[ALIAS_SEGMENT], record->member[ALIAS_BDF]))
		return BROKEN("requester id of an alias");
	if (!find(reader, DEVICE, record->member[ALIAS_DEVICE]))
		return BROKEN("device of an alias");
	if (!between(1, record->member[ALIAS_TYPE], 2))
		return BROKEN("type of an alias");
	return SOUND;
}

static struct verdict check_attachment(const struct independent *reader,
				       const struct independent_record *record)
{
	const uint64_t *member = record->member;
	const struct independent_record *device = find(reader, DEVICE, member[ATTACHMENT_DEVICE]);
	const struct independent_record *iommu;

	if (!device)
		return BROKEN("device of an attachment");
	if (!find(reader, DOMAIN, member[ATTACHMENT_DOMAIN]))
		return BROKEN("domain of an attachment");
	if (member[ATTACHMENT_FLAGS] > 1)
		return BROKEN("attachment_flags");
	if (member[ATTACHMENT_PASID] && !member[ATTACHMENT_FLAGS])
		return BROKEN("pasid without its flag");
	if (member[ATTACHMENT_PASID] >= PASIDS)
		return BROKEN("pasid");
	iommu = find(reader, IOMMU, device->member[DEVICE_IOMMU]);
	if (!iommu || !between(iommu->member[IOMMU_FIRST_DID], member[ATTACHMENT_DID],
			       iommu->member[IOMMU_DID_LIMIT] - 1))
		return BROKEN("did");
	if (member[ATTACHMENT_FLAGS] && member[ATTACHMENT_PASID] >= device->member[DEVICE_PASIDS])
		return BROKEN_TABLES("pasid is below pasid_entries");
	return SOUND;
}

static struct verdict check_hwpt(const struct independent *reader,
				 const struct independent_record *record)
{
	if (!find(reader, DOMAIN, record->member[HWPT_DOMAIN]))
		return BROKEN("domain of a hwpt");
	return SOUND;
}

typedef struct verdict check_function(const struct independent *reader,
				      const struct independent_record *record);

static check_function *const checks[] = {
	[IOMMU] = check_iommu, [DOMAIN] = check_domain,		[DEVICE] = check_device,
	[ALIAS] = check_alias, [ATTACHMENT] = check_attachment, [HWPT] = check_hwpt,
};

static bool check_record(struct independent *reader, uint32_t kind, uint64_t position)
{
	const struct independent_record *record = &reader->kinds[kind].records[position];
	struct verdict verdict;

	if (record->flags & ~1U)
		return refuse(reader, "flags", record->address);
	if (record->index != position)
		return refuse(reader, "index", record->address + 8);
	if (record->flags & 1)
		return is_blank(reader, kind, record) ||
		       refuse(reader, "a deleted record is blank", record->address);
	if (!record->ref_count)
		return refuse(reader, "ref_count is at least 1", record->address + 4);
	if (!no_padding(reader, kind, record->address))
		return refuse(reader, "zero bytes of a record", record->address);
	verdict = checks[kind](reader, record);
	if (verdict.broken)
		refuse(reader, verdict.broken, record->address);
	/* Something else that is wrong would count more: go on. */
	reader->of_tables |= verdict.of_tables;
	return !verdict.broken || verdict.of_tables;
}

/* Of the kinds that can be referred to. */
#define COUNTED DEVICE

uint64_t users(const struct independent *reader, uint32_t kind, uint32_t which, uint64_t value)
{
	const struct independent_chain *chain = &reader->kinds[kind];
	uint64_t count = 0, i;

	for (i = 0; i < chain->nr_records; i++)
		if (!chain->records[i].gone && chain->records[i].member[which] == value)
			count++;
	return count;
}

static uint64_t all_users(const struct independent *reader, uint32_t kind, uint64_t address)
{
	switch (kind) {
	case IOMMU:
		return users(reader, DEVICE, DEVICE_IOMMU, address);
	case DOMAIN:
		return users(reader, ATTACHMENT, ATTACHMENT_DOMAIN, address) +
		       users(reader, HWPT, HWPT_DOMAIN, address);
	default:
		return users(reader, ALIAS, ALIAS_DEVICE, address) +
		       users(reader, ATTACHMENT, ATTACHMENT_DEVICE, address);
	}
}

static bool check_references(struct independent *reader, uint32_t kind)
{
	const struct independent_chain *chain = &reader->kinds[kind];
	uint64_t i, count;

	for (i = 0; i < chain->nr_records; i++) {
		if (chain->records[i].flags & 1)
			continue;
		count = all_users(reader, kind, chain->records[i].address);
		if (kind == DOMAIN && !count)
			return refuse(reader, "a domain is in use", chain->records[i].address);
		if (chain->records[i].ref_count != (count ? count : 1))
			return refuse(reader, "ref_count counts", chain->records[i].address + 4);
	}
	return true;
}

static int compare(const void *left, const void *right)
{
	const struct key *a = left, *b = right;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->second != b->second)
		return a->second < b->second ? -1 : 1;
	return 0;
}

/* Of a kind's records that count; the caller frees them. */
static struct key *keys_of(const struct independent *reader, uint32_t kind, key_function *key_of,
			   uint64_t *count)
{
	const struct independent_chain *chain = &reader->kinds[kind];
	struct key *keys = calloc(chain->nr_records + 1, sizeof(*keys));
	uint64_t i;

	if (!keys)
		abort();
	*count = 0;
	for (i = 0; i < chain->nr_records; i++)
		if (!chain->records[i].gone)
			keys[(*count)++] = key_of(reader, kind, &chain->records[i]);
	qsort(keys, *count, sizeof(*keys), compare);
	return keys;
}

bool check_unique(struct independent *reader, uint32_t kind, key_function *key_of)
{
	uint64_t i, count;
	struct key *keys = keys_of(reader, kind, key_of, &count);
	bool unique = true;

	for (i = 1; i < count && unique; i++)
		if (!compare(&keys[i - 1], &keys[i]))
			unique = refuse(reader, "no two alike", keys[i].address);
	free(keys);
	return unique;
}

bool check_same(struct independent *reader, uint32_t kind, key_function *key_of, const char *rule)
{
	uint64_t i, count;
	struct key *keys = keys_of(reader, kind, key_of, &count);
	bool same = true;

	for (i = 1; i < count; i++)
		if (!compare(&keys[i - 1], &keys[i]) && keys[i - 1].address != keys[i].address)
			same = refuse(reader, rule, keys[i].first);
	free(keys);
	return same;
}

/* What no two live records of a kind may both have. */
static struct key key_of(const struct independent *reader, uint32_t kind,
			 const struct independent_record *record)
{
	const uint64_t *member = record->member;

	(void)reader;
	switch (kind) {
	case IOMMU:
		return (struct key){ member[IOMMU_TOKEN], 0, record->address };
	case DEVICE:
	case ALIAS:
		return (struct key){ member[DEVICE_SEGMENT], member[DEVICE_BDF], record->address };
	case ATTACHMENT:
		return (struct key){ member[ATTACHMENT_DEVICE],
				     member[ATTACHMENT_FLAGS] << 32 | member[ATTACHMENT_PASID],
				     record->address };
	case HWPT:
		return (struct key){ member[HWPT_IOMMUFD], member[HWPT_TOKEN], record->address };
	default:
		return (struct key){ record->address, 0, record->address };
	}
}

static uint64_t unit_of(const struct independent *reader, const struct independent_record *record)
{
	return find(reader, DEVICE, record->member[ATTACHMENT_DEVICE])->member[DEVICE_IOMMU];
}

static struct key did_of(const struct independent *reader, uint32_t kind,
			 const struct independent_record *record)
{
	(void)kind;
	return (struct key){ unit_of(reader, record), record->member[ATTACHMENT_DID],
			     record->member[ATTACHMENT_DOMAIN] };
}

static struct key domain_of(const struct independent *reader, uint32_t kind,
			    const struct independent_record *record)
{
	(void)kind;
	return (struct key){ unit_of(reader, record), record->member[ATTACHMENT_DOMAIN],
			     record->member[ATTACHMENT_DID] };
}

/* One attachment without PASID a device; at most one for each PASID is check_unique(). */
static bool check_attachments(struct independent *reader)
{
	const struct independent_chain *devices = &reader->kinds[DEVICE];
	const struct independent_chain *chain = &reader->kinds[ATTACHMENT];
	uint64_t i, j, plain;

	for (i = 0; i < devices->nr_records; i++) {
		plain = 0;
		for (j = 0; j < chain->nr_records; j++)
			plain += !(chain->records[j].flags & 1) &&
				 chain->records[j].member[ATTACHMENT_DEVICE] ==
					 devices->records[i].address &&
				 !chain->records[j].member[ATTACHMENT_FLAGS];
		if (!(devices->records[i].flags & 1) && plain != 1)
			return refuse(reader, "one attachment without PASID",
				      devices->records[i].address);
	}
	return true;
}

bool independent_check(struct independent *reader)
{
	uint32_t kind;
	uint64_t i;

	for (kind = 1; kind <= INDEPENDENT_KINDS; kind++)
		for (i = 0; i < reader->kinds[kind].nr_records; i++)
			if (!check_record(reader, kind, i))
				return false;
	for (kind = 1; kind <= COUNTED; kind++)
		if (!check_references(reader, kind))
			return false;
	for (kind = 1; kind <= INDEPENDENT_KINDS; kind++)
		if (!check_unique(reader, kind, key_of))
			return false;
	/* On a unit, a domain has one id, and an id one domain. */
	return check_attachments(reader) &&
	       check_same(reader, ATTACHMENT, did_of, "one domain for an id") &&
	       check_same(reader, ATTACHMENT, domain_of, "one id for a domain") && !reader->refused;
}

void independent_end(struct independent *reader)
{
	uint32_t kind;

	for (kind = 1; kind <= INDEPENDENT_KINDS; kind++)
		free(reader->kinds[kind].records);
}
