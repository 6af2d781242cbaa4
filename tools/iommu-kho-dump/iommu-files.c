// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The data of iommufd and vfio files: decoded, and held against the records.
 */
#include "iommu-files.h"

#include <stdlib.h>
#include <string.h>

#include <iommuser/records.h>
#include <kho/abi/iommu_series.h>

/* More HWPTs than an iommufd can have. */
#define MAX_HWPTS 65536
/* More than all iommufds of a host have together. */
#define MAX_HWPTS_IN_ALL (1U << 20)

/* Everything that reading the files shares. */
struct files_reader {
	struct source *source;
	const struct iommuser_revision *revision;
	struct kho_pages *pages;
	struct report *report;
	u64 *hwpts_left;
};

static u64 little_endian(const u8 *bytes, size_t width)
{
	u64 value = 0;

	while (width--)
		value = value << 8 | bytes[width];
	return value;
}

#define WIRE_GET(bytes, type, member) \
	little_endian((bytes) + offsetof(type, member), sizeof(((type *)0)->member))

static bool all_bytes_zero(const u8 *bytes, size_t length)
{
	while (length--)
		if (*bytes++)
			return false;
	return true;
}

/* Copy file data; what is missing, or not preserved, is a finding. */
static bool read_data(const struct files_reader *reader, u64 phys, void *buffer, size_t length)
{
	u64 missing;

	if (source_read(reader->source, phys, buffer, length) != SOURCE_OK) {
		report_add(reader->report, IOMMUSER_FINDING_REF_FILE_UNREADABLE, phys, phys, length,
			   NULL, 0);
		return false;
	}
	if (kho_pages_preserved(reader->pages, phys, length, &missing) == KHO_NO)
		report_add(reader->report, IOMMUSER_FINDING_CLOSURE_LUO, missing, missing, 0, NULL,
			   0);
	kho_pages_visit(reader->pages, phys, length);
	return true;
}

static bool invalid(const struct files_reader *reader, u64 phys, u64 found, u64 expected)
{
	report_add(reader->report, IOMMUSER_FINDING_REF_FILE_INVALID, phys, found, expected, NULL,
		   0);
	return false;
}

static bool read_own_iommufd(const struct files_reader *reader, struct iommu_file *item)
{
	u8 bytes[sizeof(struct iommuser_iommufd_file_ser)];
	const size_t reserved = offsetof(struct iommuser_iommufd_file_ser, reserved);

	if (!read_data(reader, item->file->data, bytes, sizeof(bytes)))
		return false;
	item->own_format = true;
	item->iommufd_token = WIRE_GET(bytes, struct iommuser_iommufd_file_ser, iommufd_token);
	item->token_mask = ~0ULL;
	item->nr_hwpts = WIRE_GET(bytes, struct iommuser_iommufd_file_ser, nr_hwpts);
	item->root = WIRE_GET(bytes, struct iommuser_iommufd_file_ser, root);
	if (!all_bytes_zero(bytes + reserved, sizeof(bytes) - reserved))
		return invalid(reader, item->file->data, 1, 0);
	return true;
}

static bool read_own_vfio(const struct files_reader *reader, struct iommu_file *item)
{
	u8 bytes[sizeof(struct iommuser_vfio_pci_file_ser)];
	const size_t reserved = offsetof(struct iommuser_vfio_pci_file_ser, reserved);

	if (!read_data(reader, item->file->data, bytes, sizeof(bytes)))
		return false;
	item->own_format = true;
	item->segment = WIRE_GET(bytes, struct iommuser_vfio_pci_file_ser, segment);
	item->bdf = WIRE_GET(bytes, struct iommuser_vfio_pci_file_ser, bdf);
	item->iommufd_token = WIRE_GET(bytes, struct iommuser_vfio_pci_file_ser, iommufd_token);
	item->token_mask = ~0ULL;
	item->device = WIRE_GET(bytes, struct iommuser_vfio_pci_file_ser, device);
	if (!all_bytes_zero(bytes + reserved, sizeof(bytes) - reserved))
		return invalid(reader, item->file->data, 1, 0);
	return true;
}

static bool read_series_vfio(const struct files_reader *reader, struct iommu_file *item)
{
	u8 bytes[sizeof(struct iommu_v1_vfio_pci_ser)];
	u64 reset_works;

	if (!read_data(reader, item->file->data, bytes, sizeof(bytes)))
		return false;
	item->bdf = WIRE_GET(bytes, struct iommu_v1_vfio_pci_ser, bdf);
	item->segment = WIRE_GET(bytes, struct iommu_v1_vfio_pci_ser, segment);
	item->iommufd_token = WIRE_GET(bytes, struct iommu_v1_vfio_pci_ser, iommufd_token);
	item->token_mask = 0xffffffff;
	reset_works = WIRE_GET(bytes, struct iommu_v1_vfio_pci_ser, reset_works);
	if (reset_works > 1)
		return invalid(reader, item->file->data, reset_works, 1);
	return true;
}

static void decode_hwpts(struct iommu_file *item, const u8 *bytes, bool first_series)
{
	size_t i;

	for (i = 0; i < item->nr_hwpts; i++) {
		if (first_series) {
			item->hwpts[i].token = WIRE_GET(bytes, struct iommu_v1_hwpt_ser, token);
			item->hwpts[i].domain =
				WIRE_GET(bytes, struct iommu_v1_hwpt_ser, domain_data);
			bytes += sizeof(struct iommu_v1_hwpt_ser);
		} else {
			item->hwpts[i].token =
				WIRE_GET(bytes, struct iommu_liveupdate_hwpt_ser, token);
			item->hwpts[i].domain =
				WIRE_GET(bytes, struct iommu_liveupdate_hwpt_ser, domain_phys);
			bytes += sizeof(struct iommu_liveupdate_hwpt_ser);
		}
	}
	item->nr_listed = item->nr_hwpts;
}

static bool read_series_iommufd(const struct files_reader *reader, struct iommu_file *item)
{
	bool first_series = !strcmp(reader->revision->name, IOMMU_V1_COMPATIBLE);
	size_t width = first_series ? sizeof(u32) : sizeof(u64);
	size_t each = first_series ? sizeof(struct iommu_v1_hwpt_ser) :
				     sizeof(struct iommu_liveupdate_hwpt_ser);
	u8 count[sizeof(u64)];
	u8 *bytes;
	bool ok = true;

	if (!read_data(reader, item->file->data, count, width))
		return false;
	item->nr_hwpts = little_endian(count, width);
	if (item->nr_hwpts > MAX_HWPTS || item->nr_hwpts > *reader->hwpts_left) {
		invalid(reader, item->file->data, item->nr_hwpts, MAX_HWPTS);
		item->nr_hwpts = 0;
		return false;
	}
	*reader->hwpts_left -= item->nr_hwpts;
	if (!item->nr_hwpts)
		return true;
	item->hwpts = calloc(item->nr_hwpts, sizeof(*item->hwpts));
	bytes = malloc(item->nr_hwpts * each);
	if (item->hwpts && bytes)
		ok = read_data(reader, item->file->data + width, bytes, item->nr_hwpts * each);
	if (item->hwpts && bytes && ok)
		decode_hwpts(item, bytes, first_series);
	ok = ok && item->hwpts && bytes;
	free(bytes);
	return ok;
}

/* Which decoder a file's compatible string asks for; NULL for other files. */
static bool (*decoder_of(const char *compatible, bool *is_iommufd))(const struct files_reader *,
								    struct iommu_file *)
{
	static const struct {
		const char *compatible;
		bool is_iommufd;
		bool (*decode)(const struct files_reader *reader, struct iommu_file *item);
	} decoders[] = {
		{ IOMMUSER_IOMMUFD_V1_COMPATIBLE, true, read_own_iommufd },
		{ IOMMUSER_VFIO_PCI_V1_COMPATIBLE, false, read_own_vfio },
		{ IOMMU_IOMMUFD_V1_COMPATIBLE, true, read_series_iommufd },
		{ IOMMU_VFIO_PCI_V1_COMPATIBLE, false, read_series_vfio },
	};
	size_t i;

	for (i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++) {
		if (!strcmp(decoders[i].compatible, compatible)) {
			*is_iommufd = decoders[i].is_iommufd;
			return decoders[i].decode;
		}
	}
	return NULL;
}

static int compare_u64(const void *a, const void *b)
{
	const u64 *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/* All domain records that iommufd files list, sorted for look-ups. */
static bool list_domains(struct iommu_files *files)
{
	size_t total = 0, i, j;

	for (i = 0; i < files->nr; i++)
		total += files->items[i].nr_listed;
	if (!total)
		return true;
	files->domains = calloc(total, sizeof(*files->domains));
	if (!files->domains)
		return false;
	for (i = 0; i < files->nr; i++)
		for (j = 0; j < files->items[i].nr_listed; j++)
			files->domains[files->nr_domains++] = files->items[i].hwpts[j].domain;
	qsort(files->domains, files->nr_domains, sizeof(*files->domains), compare_u64);
	return true;
}

static int compare_names(const void *a, const void *b)
{
	const struct iommu_file_name *left = a, *right = b;

	if (left->name != right->name)
		return left->name < right->name ? -1 : 1;
	return left->item < right->item ? -1 : left->item > right->item;
}

/* The iommufd files in the two orders in which they are looked for. */
static bool sort_iommufds(struct iommu_files *files)
{
	size_t nr = 0, i;

	files->by_data = calloc(files->nr + 1, sizeof(*files->by_data));
	files->by_token = calloc(files->nr + 1, sizeof(*files->by_token));
	if (!files->by_data || !files->by_token)
		return false;
	for (i = 0; i < files->nr; i++) {
		const struct iommu_file *item = &files->items[i];

		if (!item->is_iommufd)
			continue;
		files->by_data[nr] =
			(struct iommu_file_name){ item->file->data, item->session, item };
		files->by_token[nr++] =
			(struct iommu_file_name){ item->file->token, item->session, item };
	}
	files->nr_iommufds = nr;
	qsort(files->by_data, nr, sizeof(*files->by_data), compare_names);
	qsort(files->by_token, nr, sizeof(*files->by_token), compare_names);
	return true;
}

static size_t count_files(const struct luo_state *luo)
{
	size_t total = 0, i;

	for (i = 0; i < luo->nr_sessions; i++)
		total += luo->sessions[i].nr_files;
	return total;
}

bool iommu_files_read(struct iommu_files *files, const struct luo_state *luo, struct source *source,
		      const struct iommuser_revision *revision, struct kho_pages *pages,
		      struct report *report)
{
	u64 hwpts_left = MAX_HWPTS_IN_ALL;
	const struct files_reader reader = { source, revision, pages, report, &hwpts_left };
	bool (*decode)(const struct files_reader *, struct iommu_file *);
	size_t total = count_files(luo), i, j;

	memset(files, 0, sizeof(*files));
	if (!total)
		return true;
	files->items = calloc(total, sizeof(*files->items));
	if (!files->items)
		return false;
	for (i = 0; i < luo->nr_sessions; i++) {
		for (j = 0; j < luo->sessions[i].nr_files; j++) {
			const struct luo_file *file = &luo->sessions[i].files[j];
			struct iommu_file *item = &files->items[files->nr];

			decode = decoder_of(file->compatible, &item->is_iommufd);
			if (!decode || file->is_duplicate)
				continue;
			if (decode == read_series_iommufd && !revision)
				continue; /* two layouts have this name: which one is not known */
			item->session = &luo->sessions[i];
			item->file = file;
			item->readable = decode(&reader, item);
			files->nr++;
		}
	}
	return list_domains(files) && sort_iommufds(files);
}

bool iommu_file_known(const char *compatible)
{
	bool is_iommufd;

	return decoder_of(compatible, &is_iommufd);
}

void iommu_files_free(struct iommu_files *files)
{
	size_t i;

	free(files->domains);
	free(files->by_data);
	free(files->by_token);
	for (i = 0; i < files->nr; i++)
		free(files->items[i].hwpts);
	free(files->items);
	memset(files, 0, sizeof(*files));
}

bool iommu_files_use_domain(const struct iommu_files *files, u64 domain)
{
	return files->nr_domains && bsearch(&domain, files->domains, files->nr_domains,
					    sizeof(*files->domains), compare_u64);
}

/*
 * Records of "iommuser-v1" name an iommufd by the address of its file data:
 * tokens are unique in their session only. The other layouts have the token.
 */
static bool named_by_data(const struct iommuser_root *root)
{
	return !strcmp(root->revision->name, IOMMUSER_V1_COMPATIBLE);
}

/* What records call this iommufd. */
static u64 name_of(const struct iommuser_root *root, const struct iommu_file *item)
{
	return named_by_data(root) ? item->file->data : item->file->token;
}

/* The first place among sorted names that is not before this one; items of that name go on from it. */
static size_t find_name(const struct iommu_file_name *names, size_t nr, u64 name,
			const struct luo_session *session)
{
	size_t low = 0, high = nr, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (names[middle].name < name ||
		    (names[middle].name == name && names[middle].session < session))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first iommufd of that name. */
static const struct iommu_file *find_iommufd(const struct iommu_files *files,
					     const struct iommuser_root *root, u64 iommufd)
{
	const struct iommu_file_name *names = named_by_data(root) ? files->by_data :
								    files->by_token;
	size_t i = find_name(names, files->nr_iommufds, iommufd, NULL);

	return i < files->nr_iommufds && names[i].name == iommufd ? names[i].item : NULL;
}

/* File data that no file leads to; what is at the address may be anything. */
static bool read_token(struct source *source, const struct iommuser_root *root, u64 phys,
		       u64 *token)
{
	u8 bytes[sizeof(struct iommuser_iommufd_file_ser)];
	const size_t reserved = offsetof(struct iommuser_iommufd_file_ser, reserved);

	if (phys >> IOMMUSER_PHYS_BITS || phys & ((1ULL << source_page_shift(source)) - 1) ||
	    source_read(source, phys, bytes, sizeof(bytes)) != SOURCE_OK ||
	    WIRE_GET(bytes, struct iommuser_iommufd_file_ser, root) != root->phys ||
	    !all_bytes_zero(bytes + reserved, sizeof(bytes) - reserved))
		return false;
	*token = WIRE_GET(bytes, struct iommuser_iommufd_file_ser, iommufd_token);
	return true;
}

bool iommu_files_token(const struct iommu_files *files, struct source *source,
		       const struct iommuser_root *root, u64 iommufd, u64 *token)
{
	const struct iommu_file *item;
	bool found;

	*token = iommufd;
	if (!named_by_data(root))
		return true;
	item = find_iommufd(files, root, iommufd);
	if (item) {
		*token = item->file->token;
		return true;
	}
	source_pause_recorder(source, true);
	found = read_token(source, root, iommufd, token);
	source_pause_recorder(source, false);
	/* Once more to have it recorded, now that it is known to be metadata. */
	return found && read_token(source, root, iommufd, token);
}

/* Everything that the checks share; the iommufds of the live hwpt records are sorted. */
struct files_check {
	const struct iommu_files *files;
	const struct iommuser_graph *graph;
	struct report *report;
	u64 *hwpt_iommufds;
	size_t nr_hwpt_iommufds;
};

/* Is a part of the records out of reach, so that what is not found may be there? */
static bool incomplete(const struct files_check *check, u32 kind)
{
	return check->graph->survey->kinds[kind].broken;
}

static bool live(const struct files_check *check, u32 kind, u64 position,
		 union iommuser_record *record)
{
	return !iommuser_graph_read(check->graph, kind, position, record) &&
	       !(record->common.flags & IOMMUSER_FLAG_DELETED);
}

static bool live_domain(const struct files_check *check, u64 phys, u64 *position)
{
	union iommuser_record record;

	return !iommuser_graph_resolve(check->graph, phys, IOMMUSER_KIND_DOMAIN, position) &&
	       live(check, IOMMUSER_KIND_DOMAIN, *position, &record);
}

static bool live_device(const struct files_check *check, u64 position,
			union iommuser_record *record)
{
	return live(check, IOMMUSER_KIND_DEVICE, position, record) &&
	       !iommuser_graph_device_stale(check->graph, &record->device);
}

static void add(const struct files_check *check, enum iommuser_finding_id id, u64 phys, u64 found,
		u64 expected)
{
	report_add(check->report, id, phys, found, expected, NULL, 0);
}

static void add_record(const struct files_check *check, enum iommuser_finding_id id, u32 kind,
		       u64 position, const union iommuser_record *record, u64 found)
{
	const struct iommuser_finding finding = {
		.id = id,
		.severity = iommuser_finding_severity(id),
		.kind = kind,
		.index = position,
		.phys = record->common.phys,
		.found = found,
	};

	report_finding(check->report, &finding);
}

static bool list_hwpt_records(struct files_check *check)
{
	u64 records = iommuser_graph_count(check->graph, IOMMUSER_KIND_HWPT), i;
	union iommuser_record record;

	if (!records)
		return true;
	check->hwpt_iommufds = calloc(records, sizeof(*check->hwpt_iommufds));
	if (!check->hwpt_iommufds)
		return false;
	for (i = 0; i < records; i++)
		if (live(check, IOMMUSER_KIND_HWPT, i, &record))
			check->hwpt_iommufds[check->nr_hwpt_iommufds++] = record.hwpt.iommufd_token;
	qsort(check->hwpt_iommufds, check->nr_hwpt_iommufds, sizeof(*check->hwpt_iommufds),
	      compare_u64);
	return true;
}

/* How many live hwpt records name an iommufd below this one, or this one? */
static size_t hwpt_records_below(const struct files_check *check, u64 iommufd, bool or_equal)
{
	size_t low = 0, high = check->nr_hwpt_iommufds, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (check->hwpt_iommufds[middle] < iommufd ||
		    (or_equal && check->hwpt_iommufds[middle] == iommufd))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static u64 hwpt_records_of(const struct files_check *check, u64 iommufd)
{
	return hwpt_records_below(check, iommufd, true) - hwpt_records_below(check, iommufd, false);
}

static void check_iommufd(const struct files_check *check, const struct iommu_file *item)
{
	union iommuser_record record;
	u64 position, count;
	size_t i;

	for (i = 0; i < item->nr_listed && !incomplete(check, IOMMUSER_KIND_DOMAIN); i++)
		if (iommuser_graph_resolve(check->graph, item->hwpts[i].domain,
					   IOMMUSER_KIND_DOMAIN, &position) ||
		    !live(check, IOMMUSER_KIND_DOMAIN, position, &record))
			add(check, IOMMUSER_FINDING_REF_FILE_DOMAIN, item->file->data,
			    item->hwpts[i].domain, 0);
	if (!item->own_format)
		return;
	if (item->iommufd_token != item->file->token)
		add(check, IOMMUSER_FINDING_REF_FILE_TOKEN, item->file->data, item->iommufd_token,
		    item->file->token);
	if (item->root != check->graph->root->phys)
		add(check, IOMMUSER_FINDING_REF_FILE_INVALID, item->file->data, item->root,
		    check->graph->root->phys);
	count = hwpt_records_of(check, name_of(check->graph->root, item));
	if (item->nr_hwpts != count && !incomplete(check, IOMMUSER_KIND_HWPT))
		add(check, IOMMUSER_FINDING_REF_FILE_HWPTS, item->file->data, item->nr_hwpts,
		    count);
}

/*
 * Is there an iommufd of the token that a vfio file has in the file's session?
 * Sessions are in one array, so that files by place are files by session.
 */
static bool iommufd_in_session(const struct iommu_files *files, const struct iommu_file *vfio)
{
	size_t i =
		find_name(files->by_token, files->nr_iommufds, vfio->iommufd_token, vfio->session);

	return i < files->nr_iommufds && files->by_token[i].name == vfio->iommufd_token &&
	       files->by_token[i].session == vfio->session;
}

/* Does a vfio file have the token of the iommufd that owns its device? */
static bool owner_fits(const struct files_check *check, const struct iommu_file *vfio,
		       const struct iommuser_device *device, u64 *expected)
{
	const struct iommuser_root *root = check->graph->root;
	const struct iommu_file *owner;

	if (!named_by_data(root)) {
		*expected = device->owner_token & vfio->token_mask;
		return vfio->iommufd_token == *expected;
	}
	owner = find_iommufd(check->files, root, device->owner_token);
	*expected = owner ? owner->file->token : 0;
	/* An owner that is in no session is found elsewhere. */
	if (!owner)
		return iommufd_in_session(check->files, vfio);
	return vfio->iommufd_token == *expected && vfio->session == owner->session;
}

static void check_vfio(const struct files_check *check, const struct iommu_file *item)
{
	union iommuser_record record;
	u64 position, token;

	if (iommuser_graph_find_device(check->graph, item->segment, item->bdf, &position) ||
	    !live_device(check, position, &record)) {
		if (!incomplete(check, IOMMUSER_KIND_DEVICE))
			add(check, IOMMUSER_FINDING_REF_FILE_DEVICE, item->file->data,
			    item->segment << 16 | item->bdf, 0);
		return;
	}
	if (item->own_format && item->device != record.common.phys)
		add(check, IOMMUSER_FINDING_REF_FILE_DEVICE, item->file->data, item->device,
		    record.common.phys);
	if (iommuser_revision_has(check->graph->root->revision, IOMMUSER_KIND_DEVICE,
				  IOMMUSER_FIELD_OWNER_TOKEN) &&
	    !owner_fits(check, item, &record.device, &token))
		add(check, IOMMUSER_FINDING_REF_FILE_TOKEN, item->file->data, item->iommufd_token,
		    token);
}

/* Requester ids of all vfio files, sorted; NULL when memory ran out. */
static u64 *vfio_requesters(const struct iommu_files *files, size_t *nr)
{
	u64 *ids = calloc(files->nr + 1, sizeof(*ids));
	size_t i;

	*nr = 0;
	for (i = 0; ids && i < files->nr; i++)
		if (!files->items[i].is_iommufd)
			ids[(*nr)++] = files->items[i].segment << 16 | files->items[i].bdf;
	if (ids)
		qsort(ids, *nr, sizeof(*ids), compare_u64);
	return ids;
}

static bool any_unreadable(const struct iommu_files *files)
{
	size_t i;

	for (i = 0; i < files->nr; i++)
		if (!files->items[i].readable)
			return true;
	return false;
}

/* An iommufd as records name it, and a domain that one of its HWPTs has. */
struct owned_domain {
	u64 iommufd;
	u64 domain;
};

static int compare_owned(const void *a, const void *b)
{
	const struct owned_domain *left = a, *right = b;

	if (left->iommufd != right->iommufd)
		return left->iommufd < right->iommufd ? -1 : 1;
	return left->domain < right->domain ? -1 : left->domain > right->domain;
}

/* What every iommufd owns, sorted: by hwpt records, or as files list it. NULL when memory ran out. */
static struct owned_domain *owned_domains(const struct files_check *check, size_t *nr)
{
	u64 records = iommuser_graph_count(check->graph, IOMMUSER_KIND_HWPT), i;
	struct owned_domain *owned;
	union iommuser_record record;
	size_t j;

	*nr = 0;
	owned = calloc(records + check->files->nr_domains + 1, sizeof(*owned));
	if (!owned)
		return NULL;
	for (i = 0; i < records; i++) {
		if (!live(check, IOMMUSER_KIND_HWPT, i, &record))
			continue;
		owned[*nr].iommufd = record.hwpt.iommufd_token;
		owned[(*nr)++].domain = record.hwpt.domain;
	}
	for (i = 0; i < check->files->nr; i++) {
		for (j = 0; j < check->files->items[i].nr_listed; j++) {
			owned[*nr].iommufd = name_of(check->graph->root, &check->files->items[i]);
			owned[(*nr)++].domain = check->files->items[i].hwpts[j].domain;
		}
	}
	qsort(owned, *nr, sizeof(*owned), compare_owned);
	return owned;
}

/* Who owns which domain is not known where these were found. */
static bool ownership_unclear(const struct report *report)
{
	return report_count_id(report, IOMMUSER_FINDING_REF_HWPT_TOKEN) ||
	       report_count_id(report, IOMMUSER_FINDING_REF_FILE_DOMAIN) ||
	       report_count_id(report, IOMMUSER_FINDING_REF_FILE_HWPTS) ||
	       report_count_id(report, IOMMUSER_FINDING_REC_DOMAIN_REFERENCE) ||
	       report_count_id(report, IOMMUSER_FINDING_REC_DELETED_REFERENCE);
}

/*
 * A device may use only domains of the iommufd that owns it, or it reaches the
 * memory of another virtual machine.
 */
static bool check_owners(const struct files_check *check)
{
	struct owned_domain *owned, wanted;
	union iommuser_record record;
	u64 i, did, position;
	size_t nr;

	if (any_unreadable(check->files) || incomplete(check, IOMMUSER_KIND_HWPT) ||
	    incomplete(check, IOMMUSER_KIND_DOMAIN))
		return true;
	owned = owned_domains(check, &nr);
	if (!owned)
		return false;
	for (i = 0; i < iommuser_graph_count(check->graph, IOMMUSER_KIND_DEVICE); i++) {
		if (!live_device(check, i, &record) ||
		    !find_iommufd(check->files, check->graph->root, record.device.owner_token) ||
		    iommuser_graph_device_domain(check->graph, i, &record.device, &wanted.domain,
						 &did))
			continue;
		wanted.iommufd = record.device.owner_token;
		if (!bsearch(&wanted, owned, nr, sizeof(*owned), compare_owned) &&
		    live_domain(check, wanted.domain, &position))
			add_record(check, IOMMUSER_FINDING_REF_OWNER_DOMAIN, IOMMUSER_KIND_DEVICE,
				   i, &record, position);
	}
	free(owned);
	return true;
}

static bool check_devices(const struct files_check *check)
{
	bool has_owner = iommuser_revision_has(check->graph->root->revision, IOMMUSER_KIND_DEVICE,
					       IOMMUSER_FIELD_OWNER_TOKEN);
	bool all_readable = !any_unreadable(check->files);
	union iommuser_record record;
	size_t nr;
	u64 *ids = vfio_requesters(check->files, &nr);
	u64 id, i;

	if (!ids)
		return false;
	for (i = 0; i < iommuser_graph_count(check->graph, IOMMUSER_KIND_DEVICE); i++) {
		if (!live_device(check, i, &record))
			continue;
		id = record.device.segment << 16 | record.device.bdf;
		if (all_readable && !bsearch(&id, ids, nr, sizeof(*ids), compare_u64))
			add_record(check, IOMMUSER_FINDING_REF_DEVICE_FILE, IOMMUSER_KIND_DEVICE, i,
				   &record, record.device.bdf);
		if (has_owner &&
		    !find_iommufd(check->files, check->graph->root, record.device.owner_token))
			add_record(check, IOMMUSER_FINDING_REF_OWNER_TOKEN, IOMMUSER_KIND_DEVICE, i,
				   &record, record.device.owner_token);
	}
	free(ids);
	return true;
}

static void check_hwpt_records(const struct files_check *check)
{
	union iommuser_record record;
	u64 i;

	for (i = 0; i < iommuser_graph_count(check->graph, IOMMUSER_KIND_HWPT); i++)
		if (live(check, IOMMUSER_KIND_HWPT, i, &record) &&
		    !find_iommufd(check->files, check->graph->root, record.hwpt.iommufd_token))
			add_record(check, IOMMUSER_FINDING_REF_HWPT_TOKEN, IOMMUSER_KIND_HWPT, i,
				   &record, record.hwpt.iommufd_token);
}

bool iommu_files_check(const struct iommu_files *files, const struct iommuser_graph *graph,
		       struct report *report)
{
	struct files_check check = { .files = files, .graph = graph, .report = report };
	bool done = list_hwpt_records(&check);
	size_t i;

	for (i = 0; done && i < files->nr; i++) {
		if (!files->items[i].readable)
			continue;
		if (files->items[i].is_iommufd)
			check_iommufd(&check, &files->items[i]);
		else
			check_vfio(&check, &files->items[i]);
	}
	free(check.hwpt_iommufds);
	if (!done || !check_devices(&check))
		return false;
	check_hwpt_records(&check);
	return !iommuser_revision_has(graph->root->revision, IOMMUSER_KIND_DEVICE,
				      IOMMUSER_FIELD_OWNER_TOKEN) ||
	       ownership_unclear(report) || check_owners(&check);
}
