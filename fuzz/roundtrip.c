// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: what is written is what is read, and is written again alike.
 * Checks S1 S2 S6 S16 S17 S18.
 *
 * Input: page size u8, revision u8, failing u16 (bits 0 to 14: which allocation of
 * a page fails, from 1, 0: none; bit 15: and all that follow), generation u64,
 * release u8 and so many bytes; then steps to the end: what u8, number u8,
 * length u8 and so many bytes, the members of a record from its flags on.
 *
 * Properties, with the writer of "iommuser-v1": a model of the chains, kept up
 * with every step, is what the library and the second reader (independent.h)
 * read; a call that fails changes no byte; reading and writing again gives the
 * same records, and the same bytes from then on; every page is freed once. With
 * the encoder, in the other revisions: records encoded are records decoded, and
 * encoding those gives the same bytes.
 */
#include "fuzz.h"

#include <string.h>

#include <iommuser/graph.h>
#include <iommuser/writer.h>

#include "independent.h"

#define MAX_ENTRIES 512
#define MAX_RECORD 256

struct entry {
	bool live;
	u32 references;
	u64 phys;
	union iommuser_record record;
};

/* The chains as they should be. */
struct model {
	struct entry entries[IOMMUSER_NR_KINDS + 1][MAX_ENTRIES];
	u64 count[IOMMUSER_NR_KINDS + 1];
};

struct scene {
	struct memory *memory;
	const struct iommuser_revision *revision;
	struct iommuser_page_ops ops;
	struct iommuser_writer writer;
	struct account account;
	struct iommuser_root root;
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	void *graph_bytes;
	u64 nr_pages; /* handed out and not given back */
	u64 nr_asked;
	u64 fail_at;
	bool fail_on;
	u64 generation;
	char release[256];
};

static struct scene the_scene;
static struct model the_model;

static u64 page_size(const struct scene *scene)
{
	return 1ULL << scene->memory->env.page_shift;
}

/* The lowest page that is free: who asks for the same pages gets the same addresses. */
UNTRACED static void *alloc_page(void *ctx, u64 *phys)
{
	struct scene *scene = ctx;
	u64 at;

	scene->nr_asked++;
	if (scene->fail_at && (scene->nr_asked == scene->fail_at ||
			       (scene->fail_on && scene->nr_asked > scene->fail_at)))
		return NULL;
	for (at = MEMORY_BASE; memory_page(scene->memory, at); at += page_size(scene))
		;
	if (at >= MEMORY_BASE + MEMORY_SIZE)
		return NULL;
	scene->nr_pages++;
	*phys = at;
	return memory_at(scene->memory, at);
}

static void free_page(void *ctx, u64 phys)
{
	struct scene *scene = ctx;
	u64 size = page_size(scene);

	require(memory_page(scene->memory, phys), "%#llx is freed", (unsigned long long)phys);
	memset(memory_at(scene->memory, phys), 0, size);
	memset(scene->memory->present + (phys - MEMORY_BASE) / FRAME_SIZE, 0, size / FRAME_SIZE);
	scene->nr_pages--;
}

static void *find_page(void *ctx, u64 phys)
{
	struct scene *scene = ctx;

	require(memory_page(scene->memory, phys), "%#llx is used", (unsigned long long)phys);
	return memory_at(scene->memory, phys);
}

/* All pages, one after the other, each behind its address. */
UNTRACED static u8 *snapshot(const struct scene *scene, u64 *length)
{
	u64 size = page_size(scene), phys;
	u8 *bytes = malloc(scene->nr_pages * (size + sizeof(phys)) + 1);

	require(bytes, "out of memory");
	*length = 0;
	for (phys = MEMORY_BASE; phys < MEMORY_BASE + MEMORY_SIZE; phys += size) {
		if (!memory_page(scene->memory, phys))
			continue;
		memcpy(bytes + *length, &phys, sizeof(phys));
		memcpy(bytes + *length + sizeof(phys), memory_page(scene->memory, phys), size);
		*length += sizeof(phys) + size;
	}
	return bytes;
}

static bool same_as(const struct scene *scene, const u8 *before, u64 length)
{
	u64 now_length;
	u8 *now = snapshot(scene, &now_length);
	bool same = now_length == length && !memcmp(now, before, length);

	free(now);
	return same;
}

/* A member, cut to the width of its field; the number of fields is the result. */
static u32 member_of(const struct iommuser_record_layout *layout,
		     const union iommuser_record *record, u32 row_number, u32 word, u64 *value)
{
	const struct iommuser_field_row *row = &layout->rows[row_number];

	memcpy(value, (const u8 *)record + row->memory + 8 * word, sizeof(*value));
	if (row->width < 8)
		*value &= (1ULL << 8 * row->width) - 1;
	return row->width <= 8 ? 1 : row->width / 8;
}

static void check_members(const struct scene *scene, u32 kind, const union iommuser_record *given,
			  const union iommuser_record *read, u32 first_row)
{
	const struct iommuser_record_layout *layout = &scene->revision->kinds[kind];
	u64 expected, found;
	u32 row, word, words;

	for (row = first_row; row < layout->nr_rows; row++)
		for (word = 0, words = 1; word < words; word++) {
			words = member_of(layout, given, row, word, &expected);
			member_of(layout, read, row, word, &found);
			require(found == expected, "kind %u row %u: %#llx and %#llx", kind, row,
				(unsigned long long)found, (unsigned long long)expected);
		}
}

static void check_entry(const struct scene *scene, u32 kind, u64 position, struct entry *entry)
{
	static const union iommuser_record blank;
	union iommuser_record read;
	u64 found;

	memset(&read, 0, sizeof(read));
	require(!iommuser_graph_read(&scene->graph, kind, position, &read), "%llu of kind %u",
		(unsigned long long)position, kind);
	require(read.common.index == position && read.common.phys == entry->phys &&
			read.common.flags == (entry->live ? 0 : IOMMUSER_FLAG_DELETED) &&
			read.common.ref_count == (entry->live ? entry->references : 0),
		"%llu of kind %u", (unsigned long long)position, kind);
	require(!iommuser_graph_resolve(&scene->graph, entry->phys, kind, &found) &&
			found == position,
		"%#llx", (unsigned long long)entry->phys);
	/* Flags, count and index are the first three rows. */
	check_members(scene, kind, entry->live ? &entry->record : &blank, &read, 3);
	entry->record = read;
}

/* Read the handover and hold it against the model, which gets what was read. */
static void check_model(struct scene *scene, u64 root)
{
	u64 position, size;
	u32 kind;

	account_begin(&scene->account);
	memory_restart(scene->memory, 0);
	require(!iommuser_root_open(&scene->memory->env, scene->revision, root, NULL,
				    &scene->account.reporter, &scene->root) &&
			!iommuser_survey_root(&scene->memory->env, &scene->root, NULL,
					      &scene->account.reporter, &scene->survey),
		"not readable");
	require(!scene->account.count, "%llu findings", (unsigned long long)scene->account.count);
	size = iommuser_graph_size(&scene->root, &scene->survey);
	scene->graph_bytes = calloc(1, size);
	require(size && scene->graph_bytes, "out of memory");
	require(!iommuser_graph_build(&scene->graph, &scene->memory->env, &scene->root,
				      &scene->survey, 1, scene->graph_bytes, size),
		"no graph");
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		require(iommuser_graph_count(&scene->graph, kind) == the_model.count[kind],
			"kind %u", kind);
		for (position = 0; position < the_model.count[kind]; position++)
			check_entry(scene, kind, position, &the_model.entries[kind][position]);
	}
	free(scene->graph_bytes);
}

static const u8 *page(void *ctx, u64 address, u64 length)
{
	(void)length;
	return memory_page(ctx, address);
}

/* The second reader counts the same records, and finds root and seals sound. */
static void check_second(struct scene *scene)
{
	struct independent reader = {
		.page = page,
		.ctx = scene->memory,
		.page_size = page_size(scene),
		.root = iommuser_writer_root(&scene->writer),
	};
	u64 position;
	u32 kind;

	require(independent_read(&reader), "%s", reader.refused);
	require(reader.generation == scene->generation &&
			!strcmp(reader.kernel_release, scene->release),
		"root");
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		require(reader.kinds[kind].nr_records == the_model.count[kind], "kind %u", kind);
		for (position = 0; position < the_model.count[kind]; position++)
			require(reader.kinds[kind].records[position].address ==
					the_model.entries[kind][position].phys,
				"%llu of kind %u", (unsigned long long)position, kind);
	}
	independent_end(&reader);
}

/* What add() and update() write of it. */
static void take_record(struct input *input, union iommuser_record *record)
{
	u64 length = input_take(input, 1);
	u8 *to = (u8 *)record + sizeof(record->common.phys);
	u64 i, byte;

	memset(record, 0, sizeof(*record));
	for (i = 0; i < length && input->left; i++) {
		byte = input_take(input, 1);
		if (i < sizeof(*record) - sizeof(record->common.phys))
			to[i] = (u8)byte;
	}
}

static bool next_fails(const struct scene *scene)
{
	return scene->fail_at && (scene->nr_asked + 1 == scene->fail_at ||
				  (scene->fail_on && scene->nr_asked >= scene->fail_at));
}

static void add(struct scene *scene, u32 kind, const union iommuser_record *record)
{
	bool may_fail = next_fails(scene) || !kind || kind > IOMMUSER_NR_KINDS;
	u8 *before = NULL;
	struct entry *entry;
	u64 phys, length;
	int error;

	if (kind && kind <= IOMMUSER_NR_KINDS && the_model.count[kind] == MAX_ENTRIES)
		return;
	if (may_fail)
		before = snapshot(scene, &length);
	error = iommuser_writer_add(&scene->writer, kind, record, &phys);
	if (error) {
		require(error == (kind && kind <= IOMMUSER_NR_KINDS ? -IOMMUSER_ENOMEM :
								      -IOMMUSER_EINVAL),
			"%d", error);
		require(!before || same_as(scene, before, length), "kind %u", kind);
		goto out;
	}
	require(kind && kind <= IOMMUSER_NR_KINDS, "kind %u", kind);
	entry = &the_model.entries[kind][the_model.count[kind]++];
	*entry = (struct entry){ .live = true, .references = 1, .phys = phys, .record = *record };
out:
	free(before);
}

/* The record that a step is about, if there is one that is live. */
static struct entry *pick(u32 kind, u64 number)
{
	struct entry *entry;

	if (!the_model.count[kind])
		return NULL;
	entry = &the_model.entries[kind][number % the_model.count[kind]];
	return entry->live ? entry : NULL;
}

static void remove_entry(struct scene *scene, u32 kind, struct entry *entry)
{
	u64 *count = &the_model.count[kind];

	iommuser_writer_remove(&scene->writer, entry->phys);
	entry->live = false;
	while (*count && !the_model.entries[kind][*count - 1].live)
		--*count;
}

static void update(struct scene *scene, struct entry *entry, const union iommuser_record *record,
		   u32 references)
{
	iommuser_writer_update(&scene->writer, entry->phys, record, references);
	entry->record = *record;
	entry->references = references ? references : 1;
}

static void step(struct scene *scene, struct input *input)
{
	u32 what = (u32)input_take(input, 1);
	u32 number = (u32)input_take(input, 1);
	u32 kind = what / 8 % (IOMMUSER_NR_KINDS + 2);
	union iommuser_record record;
	struct entry *entry = NULL;
	u32 times;

	take_record(input, &record);
	if (what % 8 >= 4 && kind && kind <= IOMMUSER_NR_KINDS)
		entry = pick(kind, number);
	switch (what % 8) {
	case 4:
		if (entry)
			update(scene, entry, &record, number);
		break;
	case 5:
		if (entry)
			remove_entry(scene, kind, entry);
		break;
	case 6:
		check_model(scene, iommuser_writer_root(&scene->writer));
		break;
	case 3:
		/* So that a chain has several pages. */
		for (times = number % 64; times; times--)
			add(scene, kind, &record);
		break;
	default:
		add(scene, kind, &record);
		break;
	}
}

/* Write the model from its beginning. */
static void write_again(struct scene *scene)
{
	u64 position;
	u32 kind;

	require(!iommuser_writer_start(&scene->writer, &scene->memory->env, &scene->ops,
				       scene->generation, scene->release),
		"not started");
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		for (position = 0; position < the_model.count[kind]; position++) {
			struct entry *entry = &the_model.entries[kind][position];

			require(!iommuser_writer_add(&scene->writer, kind, &entry->record,
						     &entry->phys),
				"kind %u", kind);
			if (entry->live && entry->references != 1)
				iommuser_writer_update(&scene->writer, entry->phys, &entry->record,
						       entry->references);
		}
		for (position = 0; position < the_model.count[kind]; position++)
			if (!the_model.entries[kind][position].live)
				iommuser_writer_remove(&scene->writer,
						       the_model.entries[kind][position].phys);
	}
}

static void end(struct scene *scene)
{
	iommuser_writer_end(&scene->writer);
	require(!scene->nr_pages, "%llu pages are left", (unsigned long long)scene->nr_pages);
}

static void with_writer(struct scene *scene, struct input *input)
{
	int error = iommuser_writer_start(&scene->writer, &scene->memory->env, &scene->ops,
					  scene->generation, scene->release);
	u8 *bytes;
	u64 length;

	if (error) {
		require(error == (strlen(scene->release) > 71 ? -IOMMUSER_EINVAL :
								-IOMMUSER_ENOMEM) &&
				!scene->nr_pages,
			"%d", error);
		return;
	}
	while (input->left)
		step(scene, input);
	check_model(scene, iommuser_writer_root(&scene->writer));
	check_second(scene);
	end(scene);

	scene->fail_at = 0;
	write_again(scene);
	check_model(scene, iommuser_writer_root(&scene->writer));
	bytes = snapshot(scene, &length);
	end(scene);
	write_again(scene);
	require(same_as(scene, bytes, length), "not written alike");
	free(bytes);
	end(scene);
}

/* Fields of different types of unit may lie over one another: those are read only. */
static bool can_encode(const struct iommuser_record_layout *layout)
{
	u32 i;

	for (i = 1; i < layout->nr_rows; i++)
		if (layout->rows[i].wire < layout->rows[i - 1].wire + layout->rows[i - 1].width)
			return false;
	return layout->nr_rows;
}

static void encode_once(const struct scene *scene, u32 kind, union iommuser_record *record)
{
	const struct iommuser_record_layout *layout = &scene->revision->kinds[kind];
	u8 bytes[MAX_RECORD] = { 0 }, again[MAX_RECORD] = { 0 };
	union iommuser_record read;
	u64 offset;

	memset(&read, 0, sizeof(read));
	if (kind == IOMMUSER_KIND_IOMMU)
		record->iommu.type = IOMMUSER_IOMMU_TYPE_INTEL;
	iommuser_encode(scene->revision, kind, record, bytes);
	require(iommuser_reserved_is_zero(scene->revision, kind, IOMMUSER_IOMMU_TYPE_INTEL, bytes,
					  &offset),
		"kind %u at %llu", kind, (unsigned long long)offset);
	iommuser_decode(scene->revision, kind, IOMMUSER_IOMMU_TYPE_INTEL, bytes, MEMORY_BASE,
			&read);
	check_members(scene, kind, record, &read, 0);
	require(read.common.phys == MEMORY_BASE, "%#llx", (unsigned long long)read.common.phys);
	iommuser_encode(scene->revision, kind, &read, again);
	require(!memcmp(bytes, again, layout->size), "kind %u", kind);
}

static void with_encoder(struct scene *scene, struct input *input)
{
	union iommuser_record record;
	u32 kind;

	while (input->left) {
		kind = (u32)input_take(input, 1) / 8 % IOMMUSER_NR_KINDS + 1;
		input_take(input, 1);
		take_record(input, &record);
		if (can_encode(&scene->revision->kinds[kind]))
			encode_once(scene, kind, &record);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	struct scene *scene = &the_scene;
	u64 failing, length, i;

	memset(scene, 0, sizeof(*scene));
	memset(the_model.count, 0, sizeof(the_model.count));
	scene->memory = memory_begin((u32)input_take(&input, 1));
	scene->revision = input_take_revision(&input);
	scene->ops = (struct iommuser_page_ops){
		.ctx = scene, .alloc = alloc_page, .free = free_page, .find = find_page
	};
	failing = input_take(&input, 2);
	scene->fail_at = failing & 0x7fff;
	scene->fail_on = failing >> 15;
	scene->generation = input_take(&input, 8);
	length = input_take(&input, 1);
	for (i = 0; i < length; i++)
		scene->release[i] = (char)input_take(&input, 1);
	if (scene->revision->properties & IOMMUSER_REVISION_SEALED)
		with_writer(scene, &input);
	else
		with_encoder(scene, &input);
	memory_end(scene->memory);
	return 0;
}
