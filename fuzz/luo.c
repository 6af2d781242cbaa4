// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: LUO's containers of every revision: sessions, files, FLBs, and
 * what memfd files hold.
 *
 * Input: options u8 (bits 0-1: page size; bits 2-4: luo-v1 to luo-v5, else the
 * blob is what the edits say; bit 5: with a set of what is preserved, which is
 * all that is there but a frame; bit 6: extents are kept), root u16 (frame of
 * the blob), sessions u32, flbs u32 (offsets from MEMORY_BASE; 0: none),
 * header u16 (frame of luo-v2's struct), number u16, lost u16 (that frame),
 * then edits of the memory.
 *
 * Checks S1 S2 S3 S4 S5 S6 S7 S8 S18 S20: each record is what memory has
 * there; what is called complete is what readers of the target's own find, in
 * order, and as many as is said; what is called incomplete has a finding;
 * names end; the extents of a memfd are as long as its folios.
 */
#include <libfdt.h>
#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/block.h>
#include <kho/abi/luo.h>
#include <kho/abi/memfd.h>

#include "luo.h"
#include "tool.h"

#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)
#define MAX_RECORDS 65536
/* Records that luo_open() keeps, batches of folios, pages of lists: its own limits. */
#define MAX_CALLS ((1ULL << 20) * 4)

/** struct list - addresses of records, read by hand */
struct list {
	u64 items[MAX_RECORDS];
	size_t nr;
	bool complete;
};

static struct list list;

UNCOUNTED_BEGIN

static void add_record(u64 phys)
{
	require(list.nr < MAX_RECORDS, "too many records");
	list.items[list.nr++] = phys;
}

/* Blocks of one page, up to one that was there before. */
static void read_blocks(const struct memory *memory, u64 phys, u64 record_size)
{
	u64 page = 1ULL << memory->env.page_shift, next, count, frame, i;
	bool seen[MEMORY_FRAMES] = { false };
	bool sound = true;

	list.nr = 0;
	list.complete = false;
	for (; phys; phys = next) {
		if (phys % page || !image_holds(memory, phys, page))
			return;
		frame = (phys - MEMORY_BASE) / FRAME_SIZE % MEMORY_FRAMES;
		if (seen[frame])
			return;
		seen[frame] = true;
		image_u64(memory, phys, &next);
		image_u64(memory, phys + 8, &count);
		/* What is said of this block is wrong, the next ones may be right. */
		sound &= count <= (page - 16) / record_size;
		for (i = 0; i < count && count <= (page - 16) / record_size; i++)
			add_record(phys + 16 + i * record_size);
	}
	list.complete = sound;
}

static void read_array(const struct memory *memory, u64 phys, u64 record_size, u64 count, u64 most)
{
	u64 i;

	list.nr = 0;
	list.complete = count <= most;
	for (i = 0; list.complete && i < count; i++) {
		list.complete = image_holds(memory, phys + i * record_size, record_size);
		if (list.complete)
			add_record(phys + i * record_size);
	}
}

static void read_sessions(const struct memory *memory, const struct luo_state *luo)
{
	u64 count = 0, size = sizeof(struct luo_session_ser);

	if (luo->revision >= LUO_REVISION_V4 || !luo->sessions_phys) {
		read_blocks(memory, luo->sessions_phys, size);
		return;
	}
	list.complete = false;
	list.nr = 0;
	if (!(luo->sessions_phys % (1ULL << memory->env.page_shift)) &&
	    image_u64(memory, luo->sessions_phys, &count))
		read_array(memory, luo->sessions_phys + sizeof(count), size, count,
			   (((u64)LUO_V1_SESSION_PAGES << memory->env.page_shift) - 8) / size);
}

static void read_files(const struct memory *memory, const struct luo_state *luo,
		       const struct luo_session *session)
{
	u64 size = sizeof(struct luo_file_ser);

	if (luo->revision >= LUO_REVISION_V5 || !session->files_phys)
		read_blocks(memory, session->files_phys, size);
	else
		read_array(memory, session->files_phys, size, session->count,
			   ((u64)LUO_V1_FILE_PAGES << memory->env.page_shift) / size);
}

static void read_flbs(const struct memory *memory, const struct luo_state *luo)
{
	u64 page = 1ULL << memory->env.page_shift, count = 0, size = sizeof(struct luo_flb_ser);

	list.nr = 0;
	list.complete = !luo->flbs_phys;
	if (luo->flbs_phys && image_u64(memory, luo->flbs_phys + 8, &count))
		read_array(memory, luo->flbs_phys + 16, size, count, (page - 16) / size);
}

UNCOUNTED_END

static void check_session(const struct memory *memory, const struct luo_state *luo,
			  const struct luo_session *session)
{
	struct luo_session_ser ser;
	struct luo_file_ser file;
	size_t i;

	require(image_bytes(memory, session->phys, &ser, sizeof(ser)), "no session");
	require(!memcmp(session->name, ser.name, sizeof(ser.name)) &&
			!session->name[sizeof(ser.name)] && session->files_phys == ser.files &&
			session->count == ser.count,
		"%#llx", (unsigned long long)session->phys);
	for (i = 0; i < session->nr_files; i++) {
		require(image_bytes(memory, session->files[i].phys, &file, sizeof(file)),
			"no file");
		require(!memcmp(session->files[i].compatible, file.compatible,
				sizeof(file.compatible)) &&
				!session->files[i].compatible[sizeof(file.compatible)] &&
				session->files[i].data == file.data &&
				session->files[i].token == file.token,
			"%zu", i);
	}
	read_files(memory, luo, session);
	if (session->complete)
		require(list.complete && list.nr == session->nr_files &&
				session->nr_files == session->count,
			"%zu files, not %zu", session->nr_files, list.nr);
	require(session->nr_files <= list.nr, "%zu files of %zu", session->nr_files, list.nr);
	for (i = 0; i < session->nr_files; i++)
		require(session->files[i].phys == list.items[i], "file %zu", i);
}

static void check_sessions(const struct memory *memory, const struct luo_state *luo)
{
	bool complete = true;
	size_t i;

	read_sessions(memory, luo);
	require(luo->nr_sessions <= list.nr, "%zu sessions of %zu", luo->nr_sessions, list.nr);
	if (luo->sessions_complete)
		require(list.complete && list.nr == luo->nr_sessions, "%zu sessions, not %zu",
			luo->nr_sessions, list.nr);
	for (i = 0; i < luo->nr_sessions; i++)
		require(luo->sessions[i].phys == list.items[i], "session %zu", i);
	for (i = 0; i < luo->nr_sessions; i++) {
		check_session(memory, luo, &luo->sessions[i]);
		complete &= luo->sessions[i].complete;
	}
	require(complete || !luo->sessions_complete, "a session is incomplete, all are complete");
}

static void check_flbs(const struct memory *memory, const struct luo_state *luo)
{
	struct luo_flb_ser ser;
	size_t i;

	read_flbs(memory, luo);
	if (luo->flbs_complete)
		require(list.complete && list.nr == luo->nr_flbs, "%zu FLBs, not %zu", luo->nr_flbs,
			list.nr);
	require(luo->nr_flbs <= list.nr, "%zu FLBs of %zu", luo->nr_flbs, list.nr);
	for (i = 0; i < luo->nr_flbs; i++) {
		require(luo->flbs[i].phys == list.items[i] &&
				image_bytes(memory, luo->flbs[i].phys, &ser, sizeof(ser)),
			"FLB %zu", i);
		require(!memcmp(luo->flbs[i].name, ser.name, sizeof(ser.name)) &&
				!luo->flbs[i].name[sizeof(ser.name)] &&
				luo->flbs[i].data == ser.data && luo->flbs[i].count == ser.count,
			"FLB %zu", i);
		require(luo_find_flb(luo, luo->flbs[i].name), "FLB %zu", i);
	}
}

static void check_memfd(const struct memory *memory, const struct luo_file *file, bool extents)
{
	const struct memfd *memfd = file->memfd;
	u64 page = 1ULL << memory->env.page_shift, bytes = 0, value;
	size_t i;

	require(memfd->phys == file->data && (memfd->version == 1 || memfd->version == 2), "memfd");
	require(image_u64(memory, memfd->phys, &value) && value == memfd->pos &&
			image_u64(memory, memfd->phys + 8, &value) && value == memfd->size,
		"%#llx", (unsigned long long)memfd->phys);
	require(memfd->nr_present <= memfd->nr_folios || !memfd->complete, "%llu folios",
		(unsigned long long)memfd->nr_present);
	require(memfd->folios_bytes >= memfd->nr_present * page || !memfd->complete, "%llu bytes",
		(unsigned long long)memfd->folios_bytes);
	require(extents || !memfd->nr_extents, "extents");
	for (i = 0; i < memfd->nr_extents; i++) {
		const struct memfd_extent *extent = &memfd->extents[i];

		require(extent->length && !(extent->length % page) && !(extent->phys % page) &&
				extent->phys < PHYS_END && extent->offset < memfd->size,
			"extent %zu", i);
		require(!i || extent[-1].phys + extent[-1].length != extent->phys ||
				extent[-1].offset + extent[-1].length != extent->offset,
			"extent %zu goes on", i);
		bytes += extent->length;
	}
	require(bytes <= memfd->folios_bytes, "%llu bytes", (unsigned long long)bytes);
}

static void check_memfds(const struct memory *memory, const struct luo_state *luo, bool extents)
{
	const struct luo_file *file;
	size_t i, j;

	for (i = 0; i < luo->nr_sessions; i++) {
		for (j = 0; j < luo->sessions[i].nr_files; j++) {
			file = &luo->sessions[i].files[j];
			require(!file->memfd || (!strncmp(file->compatible, "memfd-v", 7) &&
						 !file->is_duplicate),
				"%s", file->compatible);
			if (file->memfd)
				check_memfd(memory, file, extents);
		}
	}
}

static u64 sum_of(const struct luo_state *luo, const struct report *report)
{
	u64 sum = luo->revision + luo->nr_sessions * 31 + luo->nr_flbs * 1009 + luo->liveupdate_num;
	const struct luo_file *file;
	size_t i, j;

	for (i = 0; i < luo->nr_sessions; i++) {
		sum = sum * 31 + luo->sessions[i].nr_files + luo->sessions[i].complete;
		for (j = 0; j < luo->sessions[i].nr_files; j++) {
			file = &luo->sessions[i].files[j];
			sum = sum * 31 + file->is_duplicate +
			      (file->memfd ? file->memfd->folios_bytes + file->memfd->complete : 7);
		}
	}
	for (i = 0; i < report_nr_kept(report); i++)
		sum = sum * 31 + report_get(report, i)->finding.id +
		      report_get(report, i)->finding.phys;
	return sum;
}

static void check_state(const struct memory *memory, const struct luo_state *luo,
			const struct report *report, bool extents)
{
	require(luo->revision != LUO_REVISION_UNKNOWN, "a revision");
	require((luo->sessions_complete && luo->flbs_complete) || report_nr_bad(report),
		"incomplete without a finding");
	check_sessions(memory, luo);
	check_flbs(memory, luo);
	check_memfds(memory, luo, extents);
}

static u64 open_once(struct source *source, struct memory *memory, u64 root, u64 options)
{
	struct report *report = report_new();
	struct kho_pages pages;
	struct luo_state luo;
	u64 sum, number;
	int ret;

	require(report, "out of memory");
	if (options & 32)
		require(!kho_build_pageset(&pages, NULL, source, NULL), "no set");
	memory_restart(memory, 0);
	ret = luo_open(&luo, source, root, options & 128 ? FRAME_SIZE : 0,
		       options & 32 ? &pages : NULL, options & 64, report);
	require(!ret || ret == -IOMMUSER_EUNMAPPED || ret == -IOMMUSER_ECORRUPT ||
			ret == -IOMMUSER_EUNKNOWN,
		"%d", ret);
	require(!ret || report_nr_bad(report), "refused without a finding");
	require(memory->calls <= MAX_CALLS, "%llu calls", (unsigned long long)memory->calls);
	require_report(report);
	if (!ret)
		check_state(memory, &luo, report, options & 64);
	require(luo_peek_number(source, root, 0, &number) == !ret || options & 128, "peek");
	require(ret || number == luo.liveupdate_num, "%llu", (unsigned long long)number);
	sum = sum_of(&luo, report) + (u64)-ret;
	luo_close(&luo);
	if (options & 32)
		kho_free_pages(&pages);
	report_free(report);
	return sum;
}

static void put_node(void *fdt, const char *name, const char *compatible, const char *property,
		     u64 phys)
{
	if (!phys)
		return;
	fdt_begin_node(fdt, name);
	fdt_property_string(fdt, "compatible", compatible);
	fdt_property(fdt, property, &phys, sizeof(phys));
	fdt_end_node(fdt);
}

static void write_v1(u8 *fdt, u64 page, const struct luo_v2_ser *state)
{
	fdt_create(fdt, (int)page);
	fdt_finish_reservemap(fdt);
	fdt_begin_node(fdt, "");
	fdt_property_string(fdt, "compatible", LUO_V1_COMPATIBLE);
	fdt_property(fdt, LUO_V1_NUMBER_PROPERTY, &state->liveupdate_num, sizeof(u64));
	put_node(fdt, LUO_V1_SESSION_NODE, LUO_V1_SESSION_V2_COMPATIBLE, LUO_V1_SESSION_PROPERTY,
		 state->sessions_pa);
	put_node(fdt, LUO_V1_FLB_NODE, LUO_V1_FLB_COMPATIBLE, LUO_V1_FLB_PROPERTY, state->flbs_pa);
	fdt_end_node(fdt);
	fdt_finish(fdt);
}

static void write_v2(u8 *fdt, u64 page, u64 header)
{
	fdt_create(fdt, (int)page);
	fdt_finish_reservemap(fdt);
	fdt_begin_node(fdt, "");
	fdt_property_string(fdt, "compatible", LUO_V2_COMPATIBLE);
	fdt_property(fdt, LUO_V2_HEADER_PROPERTY, &header, sizeof(header));
	fdt_end_node(fdt);
	fdt_finish(fdt);
}

/* The blob as Linux of that revision writes it. */
static void write_root(struct memory *memory, u64 revision, u64 root, u64 header,
		       const struct luo_v2_ser *state)
{
	struct luo_v3_ser ser = { .compatible = "luo-v0", .state = *state };
	u64 page = 1ULL << memory->env.page_shift;

	if (revision == 1) {
		write_v1(memory_at(memory, root), page, state);
	} else if (revision == 2) {
		write_v2(memory_at(memory, root), page, header);
		memcpy(memory_at(memory, header), state, sizeof(*state));
	} else {
		ser.compatible[5] = (char)('0' + revision);
		memcpy(memory_at(memory, root), &ser, sizeof(ser));
	}
}

static u64 take_address(struct input *input)
{
	u64 offset = input_take(input, 4);

	return offset ? MEMORY_BASE + offset : 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	u64 options = input_take(&input, 1), revision = options >> 2 & 7, page, root, header, lost,
	    sum;
	struct memory *memory = memory_begin((u32)options & 3);
	struct luo_v2_ser state;
	struct source *source;

	page = 1ULL << memory->env.page_shift;
	root = MEMORY_BASE + input_take(&input, 2) % MEMORY_FRAMES * FRAME_SIZE / page * page;
	state.sessions_pa = take_address(&input);
	state.flbs_pa = take_address(&input);
	header = MEMORY_BASE + input_take(&input, 2) % MEMORY_FRAMES * FRAME_SIZE;
	state.liveupdate_num = input_take(&input, 2);
	lost = input_take(&input, 2);
	if (revision >= 1 && revision <= 5)
		write_root(memory, revision, root, header, &state);
	memory_write(memory, &input);
	source = image_begin(memory);
	image_carry(source, lost);
	sum = open_once(source, memory, root, options);
	require(open_once(source, memory, root, options) == sum, "another result");
	image_end(source);
	memory_end(memory);
	return 0;
}
