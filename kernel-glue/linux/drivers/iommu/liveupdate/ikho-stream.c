// SPDX-License-Identifier: GPL-2.0-only
/*
 * The metadata of a handover as a portable image, made while it is read:
 * section 2 of iommuser's docs/format.md, nothing compressed.
 *
 * Where the pages are is listed once, 16 bytes for each run of pages; their
 * bytes pass through one buffer.
 */
#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>
#include <linux/utsname.h>

#include <iommuser/chain.h>
#include <iommuser/error.h>
#include <iommuser/root.h>
#include <kho/abi/iommuser.h>
#include <table-walk.h>

#include "internal.h"

#define FILE_HEADER_SIZE 64
#define SECTION_HEADER_SIZE 40
#define SECTION_MAGIC 0x54434553
#define FORMAT_MAJOR 1
/* The one with states of records; without them it is 0. */
#define FORMAT_MINOR_STATES 1
#define TABLE_SIZE 4096
/* The most that a PASID has bits for. */
#define MAX_PASIDS BIT(20)

enum section_type {
	SECTION_INFO = 1,
	SECTION_PAGES = 2,
	SECTION_END = 4,
	SECTION_STATES = 5,
};

/* Before the states of a section: kind, zero, first record. */
#define STATES_HEADER_SIZE 16

/* Most bytes of pages in a section; the format allows 1 MiB. */
#define MAX_PAGES_LENGTH (16 * TABLE_SIZE)
#define BUFFER_SIZE (FILE_HEADER_SIZE + SECTION_HEADER_SIZE + MAX_PAGES_LENGTH)

/* Consecutive pages of metadata. */
struct page_run {
	u64 phys;
	u64 length;
};

enum stream_stage {
	STAGE_START,
	STAGE_PAGES,
	STAGE_STATES,
	STAGE_DONE,
};

/**
 * struct iommu_ikho_stream - an image being read
 * @lock: protects what follows @origin
 * @origin: as given
 * @runs: what is to be sent
 * @nr_runs: how many runs
 * @max_runs: room for them
 * @nr_tables: pages of tables met so far
 * @stage: what was sent last
 * @run: the run to send from
 * @offset: what of it was sent
 * @nr_records: by kind, how many there are whose state can be told
 * @kind: of the records whose states are sent next
 * @position: of the first of them
 * @sequence: number of the next section
 * @pages_length: sum over the sections of pages
 * @filled: bytes in @buffer
 * @taken: those that were read
 * @buffer: the section being read
 */
struct iommu_ikho_stream {
	struct mutex lock; /* one reader at a time */
	struct iommu_ikho_origin origin;
	struct page_run *runs;
	size_t nr_runs;
	size_t max_runs;
	unsigned long nr_tables;
	enum stream_stage stage;
	size_t run;
	u64 offset;
	u64 nr_records[IOMMUSER_KIND_DEVICE + 1];
	u32 kind;
	u64 position;
	u32 sequence;
	u64 pages_length;
	size_t filled;
	size_t taken;
	u8 buffer[BUFFER_SIZE];
};

/* Which pages there are */

static int grow_runs(struct iommu_ikho_stream *stream)
{
	size_t max_runs = stream->max_runs ? stream->max_runs * 2 : 64;
	struct page_run *runs;

	runs = kvrealloc(stream->runs, max_runs * sizeof(*runs), GFP_KERNEL);
	if (!runs)
		return -ENOMEM;
	stream->runs = runs;
	stream->max_runs = max_runs;
	return 0;
}

static int add_to_stream(struct iommu_ikho_stream *stream, u64 phys, u64 length)
{
	struct page_run *last = stream->nr_runs ? &stream->runs[stream->nr_runs - 1] : NULL;
	int ret;

	if (last && last->phys + last->length == phys) {
		last->length += length;
		return 0;
	}
	if (stream->nr_runs == stream->max_runs) {
		ret = grow_runs(stream);
		if (ret)
			return ret;
	}
	stream->runs[stream->nr_runs++] = (struct page_run){ .phys = phys, .length = length };
	return 0;
}

/* Records that nobody has checked may lead to the same tables over and over. */
static int add_table(struct table_walk *walk, u64 phys)
{
	struct iommu_ikho_stream *stream = walk->ctx;

	cond_resched();
	if (stream->nr_tables++ >= totalram_pages() || fatal_signal_pending(current))
		return -IOMMUSER_ECORRUPT;
	return add_to_stream(stream, phys, TABLE_SIZE) ? -IOMMUSER_ENOMEM : 0;
}

static void ignore_finding(void *ctx, const struct iommuser_finding *finding)
{
}

static const struct iommuser_reporter ignore_findings = {
	.report = ignore_finding,
};

/*
 * The file data of an iommufd, by which records name it: so that the image tells
 * the LUO token. It outlives the records. Only what names this root is such data.
 */
static int add_file_data(struct iommu_ikho_stream *stream, u64 phys)
{
	const struct iommuser_env *env = stream->origin.env;
	const struct iommuser_iommufd_file_ser *file_ser;

	if (!IS_ALIGNED(phys, PAGE_SIZE) || phys >> IOMMUSER_PHYS_BITS)
		return 0;
	file_ser = env->map(env->ctx, phys, sizeof(*file_ser));
	if (!file_ser || file_ser->root != stream->origin.root ||
	    memchr_inv(file_ser->reserved, 0, sizeof(file_ser->reserved)))
		return 0;
	return add_to_stream(stream, phys, PAGE_SIZE);
}

/* A size that hardware can't have is not to be walked. */
static bool has_directory(const struct iommuser_device *device)
{
	return device->pasid_entries <= MAX_PASIDS && is_power_of_2(device->pasid_entries);
}

/* A record's tables, as far as they can be read: an image shows broken ones too. */
static int add_tables_of(struct iommu_ikho_stream *stream, u32 kind,
			 const union iommuser_record *record)
{
	struct table_walk walk = {
		.env = stream->origin.env,
		.page = add_table,
		.ctx = stream,
		.max_tables = totalram_pages(),
		.scalable = kind == IOMMUSER_KIND_IOMMU &&
			    record->iommu.mode == IOMMUSER_IOMMU_MODE_SCALABLE,
	};

	if (kind > IOMMUSER_KIND_DEVICE)
		return 0;
	if (kind == IOMMUSER_KIND_DEVICE && !has_directory(&record->device))
		return 0;
	cond_resched();
	return walk_tables(&walk, kind, record) == -IOMMUSER_ENOMEM ? -ENOMEM : 0;
}

/* What a record leads to. */
static int add_record(struct iommu_ikho_stream *stream, u32 kind,
		      const union iommuser_record *record)
{
	int ret = 0;

	if (record->common.flags & IOMMUSER_FLAG_DELETED)
		return 0;
	if (kind == IOMMUSER_KIND_DEVICE)
		ret = add_file_data(stream, record->device.owner_token);
	else if (kind == IOMMUSER_KIND_HWPT)
		ret = add_file_data(stream, record->hwpt.iommufd_token);
	return ret ?: add_tables_of(stream, kind, record);
}

static int add_chain(struct iommu_ikho_stream *stream, const struct iommuser_root *root, u32 kind,
		     u32 record_size)
{
	struct iommuser_chain chain;
	struct iommuser_chain_page page;
	union iommuser_record record;
	u64 i;
	int ret;

	if (iommuser_chain_of(stream->origin.env, root, kind, record_size, &chain))
		return 0;
	while (iommuser_chain_next(&chain, &page) > 0) {
		ret = add_to_stream(stream, page.phys, PAGE_SIZE);
		for (i = 0; !ret && i < page.count; i++) {
			iommuser_decode(root->revision, kind, IOMMUSER_IOMMU_TYPE_INTEL,
					iommuser_chain_record(&chain, &page, i),
					iommuser_chain_record_phys(&chain, &page, i), &record);
			ret = add_record(stream, kind, &record);
		}
		if (ret)
			return ret;
	}
	return 0;
}

static int add_handover(struct iommu_ikho_stream *stream)
{
	const struct iommuser_revision *revision =
		iommuser_revision_by_name(IOMMUSER_V1_COMPATIBLE);
	const struct iommuser_env *env = stream->origin.env;
	struct iommuser_survey survey;
	struct iommuser_root root;
	u32 kind;
	int ret;

	ret = iommuser_root_open(env, revision, stream->origin.root, NULL, &ignore_findings, &root);
	if (ret == -IOMMUSER_EUNMAPPED)
		return -ENODATA;
	ret = ret ? : iommuser_survey_root(env, &root, NULL, &ignore_findings, &survey);
	if (ret)
		return add_to_stream(stream, stream->origin.root, PAGE_SIZE);
	ret = add_to_stream(stream, stream->origin.root, PAGE_SIZE);
	for (kind = 1; !ret && kind <= IOMMUSER_NR_KINDS; kind++)
		ret = add_chain(stream, &root, kind, survey.kinds[kind].record_size);
	for (kind = IOMMUSER_KIND_IOMMU; kind <= IOMMUSER_KIND_DEVICE; kind++)
		stream->nr_records[kind] = survey.kinds[kind].nr_records;
	return ret;
}

static int compare_runs(const void *a, const void *b)
{
	const struct page_run *one = a, *other = b;

	if (one->phys == other->phys)
		return 0;
	return one->phys < other->phys ? -1 : 1;
}

/* Put the runs in order, and what overlaps or touches into one. */
static void merge_runs(struct iommu_ikho_stream *stream)
{
	struct page_run *last = stream->runs;
	size_t i;

	sort(stream->runs, stream->nr_runs, sizeof(*stream->runs), compare_runs, NULL);
	for (i = 1; i < stream->nr_runs; i++) {
		const struct page_run *run = &stream->runs[i];

		if (run->phys <= last->phys + last->length)
			last->length = max(last->length, run->phys + run->length - last->phys);
		else
			*++last = *run;
	}
	stream->nr_runs = last - stream->runs + 1;
}

/* The bytes of the image */

static u32 crc32_of(const void *data, size_t length)
{
	return iommu_liveupdate_crc32(NULL, 0, data, length);
}

static u8 *start_buffer(struct iommu_ikho_stream *stream)
{
	stream->filled = 0;
	stream->taken = 0;
	return stream->buffer;
}

static void put_file_header(struct iommu_ikho_stream *stream)
{
	static const u8 magic[8] = { 'I', 'K', 'H', 'O', '\r', '\n', 0x1a, '\n' };
	u8 *header = stream->buffer + stream->filled;

	memset(header, 0, FILE_HEADER_SIZE);
	memcpy(header, magic, sizeof(magic));
	put_unaligned_le32(FORMAT_MAJOR, header + 8);
	put_unaligned_le32(stream->origin.state ? FORMAT_MINOR_STATES : 0, header + 12);
	put_unaligned_le32(PAGE_SIZE, header + 16);
	put_unaligned_le32(crc32_of(header, 60), header + 60);
	stream->filled += FILE_HEADER_SIZE;
}

/* The header of a section whose bytes are in the buffer already, behind the header's place. */
static void put_section_header(struct iommu_ikho_stream *stream, enum section_type type, u64 phys,
			       u32 length)
{
	u8 *header = stream->buffer + stream->filled;

	memset(header, 0, SECTION_HEADER_SIZE);
	put_unaligned_le32(SECTION_MAGIC, header);
	put_unaligned_le32(type, header + 4);
	put_unaligned_le32(stream->sequence++, header + 12);
	put_unaligned_le64(phys, header + 16);
	put_unaligned_le32(length, header + 24);
	put_unaligned_le32(length, header + 28);
	put_unaligned_le32(crc32_of(header + SECTION_HEADER_SIZE, length), header + 32);
	put_unaligned_le32(crc32_of(header, 36), header + 36);
	stream->filled += SECTION_HEADER_SIZE + length;
}

static void produce_info(struct iommu_ikho_stream *stream)
{
	int length;

	start_buffer(stream);
	put_file_header(stream);
	length = scnprintf(stream->buffer + stream->filled + SECTION_HEADER_SIZE, MAX_PAGES_LENGTH,
			   "origin=%s\nflb=0x%llx\nabi=%s\nwriter=Linux %s\n",
			   stream->origin.origin, stream->origin.root, IOMMUSER_V1_COMPATIBLE,
			   init_utsname()->release);
	put_section_header(stream, SECTION_INFO, 0, length);
}

static int produce_pages(struct iommu_ikho_stream *stream)
{
	const struct page_run *run = &stream->runs[stream->run];
	u32 length = min_t(u64, run->length - stream->offset, MAX_PAGES_LENGTH);
	u64 phys = run->phys + stream->offset;
	u8 *section = start_buffer(stream);
	int ret;

	ret = stream->origin.copy(stream->origin.ctx, section + SECTION_HEADER_SIZE, phys, length);
	if (ret)
		return ret;
	put_section_header(stream, SECTION_PAGES, phys, length);
	stream->pages_length += length;
	stream->offset += length;
	if (stream->offset == run->length) {
		stream->run++;
		stream->offset = 0;
	}
	return 0;
}

/* Go on to records whose states are still to be sent. Return: false when there are none. */
static bool more_states(struct iommu_ikho_stream *stream)
{
	if (!stream->origin.state)
		return false;
	while (stream->kind <= IOMMUSER_KIND_DEVICE &&
	       stream->position == stream->nr_records[stream->kind]) {
		stream->kind++;
		stream->position = 0;
	}
	return stream->kind <= IOMMUSER_KIND_DEVICE;
}

static int produce_states(struct iommu_ikho_stream *stream)
{
	u32 count = min_t(u64, stream->nr_records[stream->kind] - stream->position,
			  MAX_PAGES_LENGTH - STATES_HEADER_SIZE);
	u8 *section = start_buffer(stream) + SECTION_HEADER_SIZE;
	int state;
	u32 i;

	put_unaligned_le32(stream->kind, section);
	put_unaligned_le32(0, section + 4);
	put_unaligned_le64(stream->position, section + 8);
	for (i = 0; i < count; i++) {
		state = stream->origin.state(stream->origin.ctx, stream->kind,
					     stream->position + i);
		if (state < 0)
			return state;
		section[STATES_HEADER_SIZE + i] = state;
	}
	put_section_header(stream, SECTION_STATES, 0, STATES_HEADER_SIZE + count);
	stream->position += count;
	return 0;
}

static void produce_end(struct iommu_ikho_stream *stream)
{
	u8 *end = start_buffer(stream) + SECTION_HEADER_SIZE;

	put_unaligned_le64(stream->sequence, end);
	put_unaligned_le64(stream->pages_length, end + 8);
	put_section_header(stream, SECTION_END, 0, 16);
}

/* Fill the empty buffer. Nothing is put into it at the end. */
static int produce(struct iommu_ikho_stream *stream)
{
	switch (stream->stage) {
	case STAGE_START:
		merge_runs(stream);
		produce_info(stream);
		stream->stage = STAGE_PAGES;
		return 0;
	case STAGE_PAGES:
		if (stream->run < stream->nr_runs)
			return produce_pages(stream);
		stream->stage = STAGE_STATES;
		fallthrough;
	case STAGE_STATES:
		if (more_states(stream))
			return produce_states(stream);
		produce_end(stream);
		stream->stage = STAGE_DONE;
		return 0;
	default:
		return 0;
	}
}

/**
 * iommu_ikho_open() - list what an image of a handover consists of
 * @origin: copied; what it points to stays until the stream is closed
 *
 * The handover must not change meanwhile. What of it can't be read is left out.
 *
 * Return: the stream or an ERR_PTR: -ENOMEM; -ENODATA when not even the root
 * can be read.
 */
struct iommu_ikho_stream *iommu_ikho_open(const struct iommu_ikho_origin *origin)
{
	struct iommu_ikho_stream *stream = kvzalloc_obj(*stream);
	int ret;

	if (!stream)
		return ERR_PTR(-ENOMEM);
	mutex_init(&stream->lock);
	stream->origin = *origin;
	stream->kind = IOMMUSER_KIND_IOMMU;
	ret = add_handover(stream);
	if (ret) {
		iommu_ikho_close(stream);
		return ERR_PTR(ret);
	}
	return stream;
}

/**
 * iommu_ikho_read() - the next bytes of the image
 * @stream: open
 * @to: where they go
 * @count: room there
 *
 * Return: how many; 0 at the end; -EFAULT; -EINTR; what the copy function says.
 */
ssize_t iommu_ikho_read(struct iommu_ikho_stream *stream, char __user *to, size_t count)
{
	int ret;

	ret = mutex_lock_interruptible(&stream->lock);
	if (ret)
		return ret;
	if (stream->taken == stream->filled) {
		start_buffer(stream);
		ret = produce(stream);
	}
	if (!ret) {
		count = min(count, stream->filled - stream->taken);
		if (copy_to_user(to, stream->buffer + stream->taken, count))
			ret = -EFAULT;
		else
			stream->taken += count;
	}
	mutex_unlock(&stream->lock);
	return ret ? ret : count;
}

/**
 * iommu_ikho_close() - free a stream
 * @stream: open
 */
void iommu_ikho_close(struct iommu_ikho_stream *stream)
{
	kvfree(stream->runs);
	kvfree(stream);
}
