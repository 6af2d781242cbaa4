// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * LUO's sessions, files and FLBs, of any revision, in one form.
 */
#include "luo.h"

#include <stdlib.h>
#include <string.h>

#include <iommuser/error.h>
#include <iommuser/records.h>
#include <kho/abi/iommuser.h>
#include <kho/abi/layout-kho-luo.h>
#include <kho/abi/memfd.h>

#include "luo-reader.h"

#define MAX_SEEN (1ULL << 21)
#define MAX_RECORDS (1ULL << 20)
#define MAX_FOLIO_BYTES (1ULL << 32)
#define MAX_EXTENTS (1ULL << 24)
#define FIRST_ROOM 16

struct collector {
	struct luo_reader *reader;
	struct luo_state *luo;
	struct luo_session *session;
	size_t room;
};

/* A string that fills its field has no end; Linux would read on. */
static bool text_valid(const char *text, size_t size)
{
	return text[0] && memchr(text, 0, size);
}

/* One more element in an array that doubles; the memory is what the records take at least. */
static void *make_room(void *array, size_t nr, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : FIRST_ROOM;
	void *new;

	if (nr < *room)
		return array;
	new = realloc(array, wanted * size);
	if (new)
		*room = wanted;
	return new;
}

static int count_record(struct luo_reader *reader, u64 phys)
{
	if (reader->max_records) {
		reader->max_records--;
		return 0;
	}
	luo_note(reader, IOMMUSER_FINDING_LUO_TOO_LARGE, phys, MAX_RECORDS, MAX_RECORDS);
	return -IOMMUSER_ENOSPC;
}

static int add_session(void *ctx, u64 phys, const void *record)
{
	struct collector *collector = ctx;
	const struct luo_session_ser *ser = record;
	struct luo_state *luo = collector->luo;
	struct luo_session *sessions;
	int ret;

	ret = count_record(collector->reader, phys);
	if (ret)
		return ret;
	sessions = make_room(luo->sessions, luo->nr_sessions, &collector->room, sizeof(*sessions));
	if (!sessions)
		return -IOMMUSER_ENOMEM;
	luo->sessions = sessions;
	sessions += luo->nr_sessions++;
	*sessions =
		(struct luo_session){ .phys = phys, .files_phys = ser->files, .count = ser->count };
	memcpy(sessions->name, ser->name, sizeof(ser->name));
	if (!text_valid(ser->name, sizeof(ser->name)))
		kho_note_name(collector->reader->report, IOMMUSER_FINDING_LUO_SESSION_NAME, phys, 0,
			      0, ser->name, sizeof(ser->name));
	return 0;
}

static int add_file(void *ctx, u64 phys, const void *record)
{
	struct collector *collector = ctx;
	const struct luo_file_ser *ser = record;
	struct luo_session *session = collector->session;
	struct luo_file *files;
	int ret;

	ret = count_record(collector->reader, phys);
	if (ret)
		return ret;
	files = make_room(session->files, session->nr_files, &collector->room, sizeof(*files));
	if (!files)
		return -IOMMUSER_ENOMEM;
	session->files = files;
	files += session->nr_files++;
	*files = (struct luo_file){ .phys = phys, .data = ser->data, .token = ser->token };
	memcpy(files->compatible, ser->compatible, sizeof(ser->compatible));
	if (!text_valid(ser->compatible, sizeof(ser->compatible)))
		kho_note_name(collector->reader->report, IOMMUSER_FINDING_LUO_FILE_COMPATIBLE, phys,
			      0, 0, ser->compatible, sizeof(ser->compatible));
	return 0;
}

static int add_flb(void *ctx, u64 phys, const void *record)
{
	struct collector *collector = ctx;
	const struct luo_flb_ser *ser = record;
	struct luo_state *luo = collector->luo;
	struct luo_flb *flbs;

	flbs = make_room(luo->flbs, luo->nr_flbs, &collector->room, sizeof(*flbs));
	if (!flbs)
		return -IOMMUSER_ENOMEM;
	luo->flbs = flbs;
	flbs += luo->nr_flbs++;
	*flbs = (struct luo_flb){ .phys = phys, .data = ser->data, .count = ser->count };
	memcpy(flbs->name, ser->name, sizeof(ser->name));
	if (!text_valid(ser->name, sizeof(ser->name)))
		kho_note_name(collector->reader->report, IOMMUSER_FINDING_LUO_FLB_NAME, phys, 0, 0,
			      ser->name, sizeof(ser->name));
	return 0;
}

/* Everything read so far stays; what would not fit has been reported. */
static int finish_sequence(struct luo_sequence *sequence, int ret)
{
	if (ret != -IOMMUSER_ENOSPC)
		return ret;
	sequence->complete = false;
	return 0;
}

static int read_sessions(struct luo_reader *reader, struct luo_state *luo)
{
	struct collector collector = { .reader = reader, .luo = luo };
	struct luo_sequence sequence = {
		.slot = luo->phys,
		.phys = luo->sessions_phys,
		.in_blocks = luo->revision >= LUO_REVISION_V4,
		.record_size = sizeof(struct luo_session_ser),
		.capacity = LUO_V1_SESSION_CAPACITY(reader->page_shift),
	};
	struct luo_v1_session_header_ser header;
	int ret;

	if (!sequence.in_blocks && sequence.phys) {
		luo->sessions_complete = false;
		if (!luo_address_possible(sequence.phys, sizeof(header), luo_page_size(reader))) {
			luo_note(reader, IOMMUSER_FINDING_LUO_BLOCK_ADDRESS, luo->phys,
				 sequence.phys, luo_page_size(reader));
			return 0;
		}
		if (!luo_read(reader, sequence.phys, &header, sizeof(header)))
			return 0;
		sequence.phys += sizeof(header);
		sequence.count = header.count;
	}
	ret = luo_read_sequence(reader, &sequence, add_session, &collector);
	ret = finish_sequence(&sequence, ret);
	luo->sessions_complete = sequence.complete;
	return ret;
}

static int read_files(struct luo_reader *reader, struct luo_state *luo, struct luo_session *session)
{
	struct collector collector = { .reader = reader, .luo = luo, .session = session };
	struct luo_sequence sequence = {
		.slot = session->phys,
		.phys = session->files_phys,
		.in_blocks = luo->revision >= LUO_REVISION_V5,
		.record_size = sizeof(struct luo_file_ser),
		.count = session->count,
		.capacity = LUO_V1_FILE_CAPACITY(reader->page_shift),
	};
	int ret;

	if (!sequence.in_blocks && sequence.phys && (sequence.phys & (luo_page_size(reader) - 1))) {
		luo_note(reader, IOMMUSER_FINDING_LUO_BLOCK_ADDRESS, session->phys, sequence.phys,
			 luo_page_size(reader));
		return 0;
	}
	ret = luo_read_sequence(reader, &sequence, add_file, &collector);
	ret = finish_sequence(&sequence, ret);
	/* K12: the next kernel counts, too, and gives up on the session. */
	if (sequence.complete && sequence.nr_found != session->count) {
		luo_note(reader, IOMMUSER_FINDING_LUO_COUNT_MISMATCH, session->phys,
			 sequence.nr_found, session->count);
		sequence.complete = false;
	}
	session->complete = sequence.complete;
	return ret;
}

static int read_all_files(struct luo_reader *reader, struct luo_state *luo)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < luo->nr_sessions && !ret; i++) {
		ret = read_files(reader, luo, &luo->sessions[i]);
		luo->sessions_complete &= luo->sessions[i].complete;
	}
	return ret;
}

static int read_flbs(struct luo_reader *reader, struct luo_state *luo)
{
	struct collector collector = { .reader = reader, .luo = luo };
	struct luo_sequence sequence = {
		.slot = luo->phys,
		.record_size = sizeof(struct luo_flb_ser),
		.capacity = LUO_FLB_CAPACITY(reader->page_shift),
	};
	struct luo_flb_header_ser header;
	u64 phys = luo->flbs_phys;
	int ret;

	luo->flbs_complete = !phys;
	if (!phys)
		return 0;
	if (!luo_address_possible(phys, luo_page_size(reader), luo_page_size(reader))) {
		luo_note(reader, IOMMUSER_FINDING_LUO_BLOCK_ADDRESS, luo->phys, phys,
			 luo_page_size(reader));
		return 0;
	}
	if (!luo_read(reader, phys, &header, sizeof(header)))
		return 0;
	if (header.pgcnt != LUO_FLB_PAGES)
		luo_note(reader, IOMMUSER_FINDING_LUO_FLB_PAGE_COUNT, phys, header.pgcnt,
			 LUO_FLB_PAGES);
	/* K15: Linux doesn't check the count and reads past the page. */
	if (header.count > sequence.capacity) {
		luo_note(reader, IOMMUSER_FINDING_LUO_FLB_COUNT, phys, header.count,
			 sequence.capacity);
		luo_claim(reader, phys, luo_page_size(reader));
		return 0;
	}
	sequence.phys = phys + sizeof(header);
	sequence.count = header.count;
	ret = luo_read_sequence(reader, &sequence, add_flb, &collector);
	luo->flbs_complete = sequence.complete;
	return ret;
}

bool luo_is_iommu_flb(const char *name)
{
	const struct iommuser_revision *revision;
	u32 i;

	for (i = 0; (revision = iommuser_revision_at(i)); i++)
		if (!strcmp(revision->flb_name, name))
			return true;
	return false;
}

/* Ours hangs on the iommufd's file handler, which alone knows when it is needed. */
static bool users_known(const char *flb)
{
	return !strcmp(flb, IOMMUSER_V1_COMPATIBLE);
}

static bool may_use(const char *compatible, const char *flb)
{
	if (users_known(flb))
		return !strcmp(compatible, IOMMUSER_IOMMUFD_V1_COMPATIBLE);
	return !luo_is_iommu_flb(flb) || strstr(compatible, "iommufd-") ||
	       strstr(compatible, "vfio-");
}

/* Which files need another FLB than IOMMU state's is not known: any may. */
static u64 count_users(const struct luo_state *luo, const char *flb)
{
	size_t i, j;
	u64 nr = 0;

	for (i = 0; i < luo->nr_sessions; i++)
		for (j = 0; j < luo->sessions[i].nr_files; j++)
			if (may_use(luo->sessions[i].files[j].compatible, flb))
				nr++;
	return nr;
}

/* K16: with a wrong count the state is freed too early, or never. */
static bool users_wrong(const struct luo_state *luo, const struct luo_flb *flb, u64 users)
{
	if (!luo->sessions_complete)
		return !flb->count;
	return !flb->count || flb->count > users || (users_known(flb->name) && flb->count < users);
}

static void check_flb_users(struct luo_reader *reader, const struct luo_state *luo)
{
	const struct luo_flb *flb;
	u64 users;
	size_t i;

	for (i = 0; i < luo->nr_flbs; i++) {
		flb = &luo->flbs[i];
		users = luo->sessions_complete ? count_users(luo, flb->name) : 1;
		if (users_wrong(luo, flb, users))
			kho_note_name(reader->report, IOMMUSER_FINDING_LUO_FLB_USERS, flb->phys,
				      flb->count, users, flb->name, sizeof(flb->name));
	}
}

static int read_memfds(struct luo_reader *reader, struct luo_state *luo)
{
	struct luo_file *file;
	size_t i, j;
	int ret = 0;

	for (i = 0; i < luo->nr_sessions; i++) {
		for (j = 0; j < luo->sessions[i].nr_files && !ret; j++) {
			file = &luo->sessions[i].files[j];
			if (file->is_duplicate)
				continue;
			if (!strcmp(file->compatible, MEMFD_V1_COMPATIBLE))
				ret = luo_read_memfd(reader, file, 1);
			else if (!strcmp(file->compatible, MEMFD_V2_COMPATIBLE))
				ret = luo_read_memfd(reader, file, 2);
		}
	}
	return ret;
}

static int read_state(struct luo_reader *reader, struct luo_state *luo)
{
	int ret;

	ret = read_sessions(reader, luo);
	if (!ret)
		ret = read_all_files(reader, luo);
	if (!ret)
		ret = read_flbs(reader, luo);
	if (!ret)
		ret = luo_check_duplicates(reader, luo);
	if (ret)
		return ret;
	check_flb_users(reader, luo);
	return read_memfds(reader, luo);
}

int luo_open(struct luo_state *luo, struct source *source, u64 phys, u64 size,
	     struct kho_pages *pages, bool keep_extents, struct report *report)
{
	struct luo_reader reader = {
		.source = source,
		.page_shift = source_page_shift(source),
		.pages = pages,
		.report = report,
		.max_records = MAX_RECORDS,
		.max_bytes = MAX_FOLIO_BYTES,
		.max_extents = MAX_EXTENTS,
		.keep_extents = keep_extents,
	};
	struct luo_root root;
	int ret;

	*luo = (struct luo_state){ .phys = phys, .size = size, .page_shift = reader.page_shift };
	ret = luo_read_root(&reader, phys, size, &root);
	memcpy(luo->compatible, root.compatible, sizeof(luo->compatible));
	if (ret)
		return ret;
	luo->revision = root.revision;
	luo->liveupdate_num = root.liveupdate_num;
	luo->sessions_phys = root.sessions_phys;
	luo->flbs_phys = root.flbs_phys;
	address_set_init(&reader.seen, MAX_SEEN);
	ret = read_state(&reader, luo);
	address_set_free(&reader.seen);
	return ret;
}

void luo_close(struct luo_state *luo)
{
	size_t i, j;

	for (i = 0; i < luo->nr_sessions; i++) {
		for (j = 0; j < luo->sessions[i].nr_files; j++)
			luo_free_memfd(luo->sessions[i].files[j].memfd);
		free(luo->sessions[i].files);
	}
	free(luo->sessions);
	free(luo->flbs);
	*luo = (struct luo_state){ 0 };
}

const struct luo_flb *luo_find_flb(const struct luo_state *luo, const char *name)
{
	size_t i;

	for (i = 0; i < luo->nr_flbs; i++)
		if (!strcmp(luo->flbs[i].name, name))
			return &luo->flbs[i];
	return NULL;
}
