// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The writer of "iommuser-v1". Every change seals the page, then the root.
 */
#include <iommuser/seal.h>
#include <iommuser/writer.h>

#include "internal.h"

#define ROOT_OFFSET(member) offsetof(struct iommuser_root_ser, member)
#define PAGE_OFFSET(member) offsetof(struct iommuser_page_ser, member)
#define RECORD_OFFSET(member) offsetof(struct iommuser_record_ser, member)
#define ARRAY_OFFSET(member) offsetof(struct iommuser_array_ser, member)
#define MAX_RELEASE (sizeof(((struct iommuser_root_ser *)0)->kernel_release) - 1)

/* Our own revision is the first of the table. */
static OWN_FRAME const struct iommuser_revision *format(void)
{
	return iommuser_revision_at(0);
}

static OWN_FRAME u8 *page_at(const struct iommuser_writer *writer, u64 phys)
{
	return writer->pages->find(writer->pages->ctx, phys);
}

static OWN_FRAME void seal_page(const struct iommuser_writer *writer, u8 *page)
{
	iommuser_seal_write(writer->env, page, PAGE_OFFSET(crc));
}

static OWN_FRAME void seal_root(const struct iommuser_writer *writer)
{
	iommuser_seal_write(writer->env, page_at(writer, writer->root), ROOT_OFFSET(crc));
}

static u64 capacity(const struct iommuser_writer *writer, u32 kind)
{
	return (env_page_size(writer->env) - sizeof(struct iommuser_page_ser)) /
	       format()->kinds[kind].size;
}

/* A member of the root's description of a chain, by ARRAY_OFFSET(). */
static OWN_FRAME u8 *in_array(const struct iommuser_writer *writer, u32 kind, u32 offset)
{
	return page_at(writer, writer->root) + ROOT_OFFSET(arrays) +
	       (kind - 1) * sizeof(struct iommuser_array_ser) + offset;
}

static OWN_FRAME void array_add(const struct iommuser_writer *writer, u32 kind, u32 offset,
				u64 more)
{
	u8 *at = in_array(writer, kind, offset);

	store_le(at, load_le64(at) + more, 8);
}

/* Have @phys follow @before in a chain, or begin it when @before is 0. */
static OWN_FRAME void link_page(const struct iommuser_writer *writer, u32 kind, u64 before,
				u64 phys)
{
	u8 *page;

	if (!before) {
		store_le(in_array(writer, kind, ARRAY_OFFSET(first_page)), phys, 8);
		return;
	}
	page = page_at(writer, before);
	store_le(page + PAGE_OFFSET(next), phys, 8);
	seal_page(writer, page);
}

static u32 release_length(const char *release)
{
	u32 length = 0;

	while (length <= MAX_RELEASE && release[length])
		length++;
	return length;
}

int iommuser_writer_start(struct iommuser_writer *writer, const struct iommuser_env *env,
			  const struct iommuser_page_ops *pages, u64 generation,
			  const char *kernel_release)
{
	u32 length = release_length(kernel_release);
	u8 *root;

	if (!valid_page_shift(env->page_shift))
		return -IOMMUSER_EINVAL;
	if (!env->crc32 || length > MAX_RELEASE)
		return -IOMMUSER_EINVAL;
	memset(writer, 0, sizeof(*writer));
	writer->env = env;
	writer->pages = pages;
	writer->generation = generation;
	root = pages->alloc(pages->ctx, &writer->root);
	if (!root)
		return -IOMMUSER_ENOMEM;
	store_le(root + ROOT_OFFSET(magic), IOMMUSER_MAGIC, 8);
	store_le(root + ROOT_OFFSET(format_major), IOMMUSER_FORMAT_MAJOR, 2);
	store_le(root + ROOT_OFFSET(format_minor), IOMMUSER_FORMAT_MINOR, 2);
	store_le(root + ROOT_OFFSET(root_size), sizeof(struct iommuser_root_ser), 4);
	store_le(root + ROOT_OFFSET(page_size), env_page_size(env), 4);
	store_le(root + ROOT_OFFSET(generation), generation, 8);
	memcpy(root + ROOT_OFFSET(kernel_release), kernel_release, length);
	seal_root(writer);
	return 0;
}

u64 iommuser_writer_root(const struct iommuser_writer *writer)
{
	return writer->root;
}

/* A new, empty page that will follow the chain's last one. Nothing points to it yet. */
static u8 *new_page(const struct iommuser_writer *writer, u32 kind, u64 sequence, u64 *phys)
{
	u8 *page = writer->pages->alloc(writer->pages->ctx, phys);

	if (!page)
		return NULL;
	store_le(page + PAGE_OFFSET(kind), kind, 4);
	store_le(page + PAGE_OFFSET(record_size), format()->kinds[kind].size, 4);
	store_le(page + PAGE_OFFSET(sequence), sequence, 8);
	store_le(page + PAGE_OFFSET(generation), writer->generation, 8);
	store_le(page + PAGE_OFFSET(self), *phys, 8);
	return page;
}

static OWN_FRAME void write_record(u32 kind, u8 *at, const union iommuser_record *record, u64 index,
				   u32 references)
{
	iommuser_encode(format(), kind, record, at);
	store_le(at + RECORD_OFFSET(flags), 0, 4);
	store_le(at + RECORD_OFFSET(ref_count), references ? references : 1, 4);
	store_le(at + RECORD_OFFSET(index), index, 8);
}

/* Put a record behind the last one of @page. */
static u64 append_to(const struct iommuser_writer *writer, u8 *page, u32 kind, u64 index,
		     const union iommuser_record *record)
{
	u64 count = load_le64(page + PAGE_OFFSET(count));
	u64 offset = sizeof(struct iommuser_page_ser) + count * format()->kinds[kind].size;

	write_record(kind, page + offset, record, index, 1);
	store_le(page + PAGE_OFFSET(count), count + 1, 8);
	seal_page(writer, page);
	return offset;
}

int iommuser_writer_add(struct iommuser_writer *writer, u32 kind,
			const union iommuser_record *record, u64 *phys)
{
	u64 index, tail, at, sequence = 0;
	u8 *page = NULL;

	if (!kind || kind > IOMMUSER_NR_KINDS)
		return -IOMMUSER_EINVAL;
	index = load_le64(in_array(writer, kind, ARRAY_OFFSET(nr_records)));
	tail = at = writer->tails[kind];
	if (tail) {
		page = page_at(writer, tail);
		sequence = load_le64(page + PAGE_OFFSET(sequence)) + 1;
	}
	if (!tail || load_le64(page + PAGE_OFFSET(count)) == capacity(writer, kind)) {
		page = new_page(writer, kind, sequence, &at);
		if (!page)
			return -IOMMUSER_ENOMEM;
	}
	*phys = at + append_to(writer, page, kind, index, record);
	if (at != tail) {
		link_page(writer, kind, tail, at);
		writer->tails[kind] = at;
	}
	array_add(writer, kind, ARRAY_OFFSET(nr_records), 1);
	seal_root(writer);
	return 0;
}

void iommuser_writer_update(struct iommuser_writer *writer, u64 phys,
			    const union iommuser_record *record, u32 references)
{
	u64 offset = phys & (env_page_size(writer->env) - 1);
	u8 *page = page_at(writer, phys - offset);
	u8 *at = page + offset;

	write_record(load_le32(page + PAGE_OFFSET(kind)), at, record,
		     load_le64(at + RECORD_OFFSET(index)), references);
	seal_page(writer, page);
	seal_root(writer);
}

/* The page before @phys in its chain, 0 for the first. */
static u64 page_before(const struct iommuser_writer *writer, u32 kind, u64 phys)
{
	u64 at = load_le64(in_array(writer, kind, ARRAY_OFFSET(first_page)));
	u64 before = 0;

	while (at != phys) {
		before = at;
		at = load_le64(page_at(writer, at) + PAGE_OFFSET(next));
	}
	return before;
}

static void drop_tail_page(struct iommuser_writer *writer, u32 kind)
{
	u64 phys = writer->tails[kind];
	u64 before = page_before(writer, kind, phys);

	link_page(writer, kind, before, 0);
	writer->tails[kind] = before;
	writer->pages->free(writer->pages->ctx, phys);
}

/* Take deleted records off the end of a chain. */
static void trim(struct iommuser_writer *writer, u32 kind)
{
	u32 size = format()->kinds[kind].size;
	u64 count;
	u8 *page, *last;

	while (writer->tails[kind]) {
		page = page_at(writer, writer->tails[kind]);
		count = load_le64(page + PAGE_OFFSET(count));
		last = page + sizeof(struct iommuser_page_ser) + (count - 1) * size;
		if (!(load_le32(last + RECORD_OFFSET(flags)) & IOMMUSER_RECORD_DELETED))
			return;
		memset(last, 0, size);
		store_le(page + PAGE_OFFSET(count), count - 1, 8);
		seal_page(writer, page);
		array_add(writer, kind, ARRAY_OFFSET(nr_records), -1ULL);
		array_add(writer, kind, ARRAY_OFFSET(nr_deleted), -1ULL);
		if (count == 1)
			drop_tail_page(writer, kind);
	}
}

void iommuser_writer_remove(struct iommuser_writer *writer, u64 phys)
{
	u64 offset = phys & (env_page_size(writer->env) - 1);
	u8 *page = page_at(writer, phys - offset);
	u8 *record = page + offset;
	u32 kind = load_le32(page + PAGE_OFFSET(kind));
	u64 index = load_le64(record + RECORD_OFFSET(index));

	memset(record, 0, format()->kinds[kind].size);
	store_le(record + RECORD_OFFSET(flags), IOMMUSER_RECORD_DELETED, 4);
	store_le(record + RECORD_OFFSET(index), index, 8);
	seal_page(writer, page);
	array_add(writer, kind, ARRAY_OFFSET(nr_deleted), 1);
	trim(writer, kind);
	seal_root(writer);
}

void iommuser_writer_end(struct iommuser_writer *writer)
{
	u64 at, next;
	u32 kind;

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		at = load_le64(in_array(writer, kind, ARRAY_OFFSET(first_page)));
		for (; at; at = next) {
			next = load_le64(page_at(writer, at) + PAGE_OFFSET(next));
			writer->pages->free(writer->pages->ctx, at);
		}
	}
	writer->pages->free(writer->pages->ctx, writer->root);
	memset(writer, 0, sizeof(*writer));
}
