// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The pages of metadata, and nothing else, into a portable image. Which pages
 * these are is what reading and verifying the handover touches: memfd contents
 * and guest memory are never among them.
 */
#include "extract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iommuser/vtd.h>

#include "commands.h"
#include "ikho-write.h"
#include "progress.h"

/* Pages written between two looks at the clock. */
#define PAGES_PER_LOOK 64

/* The pages that were touched. */
struct page_list {
	u64 *pages;
	size_t nr;
	size_t room;
	u64 last;
	bool failed;
};

static void record_page(void *ctx, u64 page)
{
	struct page_list *list = ctx;
	u64 *more;

	if (list->failed || (list->nr && page == list->last))
		return;
	if (list->nr == list->room) {
		list->room = list->room ? list->room * 2 : 1024;
		more = reallocarray(list->pages, list->room, sizeof(*more));
		if (!more) {
			list->failed = true;
			return;
		}
		list->pages = more;
	}
	list->pages[list->nr++] = page;
	list->last = page;
}

static int compare_pages(const void *a, const void *b)
{
	const u64 *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static void sort_pages(struct page_list *list)
{
	size_t from, to = 0;

	if (list->nr)
		qsort(list->pages, list->nr, sizeof(*list->pages), compare_pages);
	for (from = 0; from < list->nr; from++)
		if (!to || list->pages[to - 1] != list->pages[from])
			list->pages[to++] = list->pages[from];
	list->nr = to;
}

static void ignore_finding(void *ctx, const struct iommuser_finding *finding)
{
	(void)ctx;
	(void)finding;
}

/* What may be touched of tables that no record and no memory map vouches for. */
struct budget {
	u64 tables;
	u64 pasids;
	u64 contexts;
};

/* Walk a page table only to touch its pages. */
static void touch_tables(struct handover *handover, struct budget *budget, u32 stage, u64 top_table,
			 u32 levels)
{
	const struct iommuser_reporter reporter = { NULL, ignore_finding };
	const struct iommuser_pt_table table = {
		.env = &handover->env,
		.stage = stage,
		.top_table = top_table,
		.top_level = levels - 1,
		.output_width = IOMMUSER_PHYS_BITS,
	};
	struct iommuser_pt_counts counts;

	iommuser_pt_walk(&table, NULL, budget->tables, NULL, &reporter, &counts);
	budget->tables -= counts.nr_tables;
}

static void touch_pasids(struct handover *handover, struct budget *budget,
			 const struct iommuser_vtd_context *context)
{
	struct iommuser_vtd_directory directory;
	struct iommuser_vtd_pasid entry;
	u32 cursor = 0, pasid;
	int more;

	iommuser_vtd_directory_of(&handover->env, context, &directory);
	while (budget->pasids &&
	       (more = iommuser_vtd_next_pasid(&directory, &cursor, &pasid, &entry))) {
		budget->pasids--;
		if (more == 1 && entry.type == IOMMUSER_VTD_PGTT_FIRST)
			touch_tables(handover, budget, IOMMUSER_STAGE_FIRST, entry.first_stage,
				     entry.first_stage_mode + 4);
		else if (more == 1 && entry.type == IOMMUSER_VTD_PGTT_SECOND)
			touch_tables(handover, budget, IOMMUSER_STAGE_SECOND, entry.second_stage,
				     entry.address_width + 2);
	}
}

/* VT-d tables that are wanted without records: everything below the root. */
static void touch_vtd(struct handover *handover, struct budget *budget,
		      const struct handover_vtd *vtd)
{
	const struct iommuser_vtd_tables tables = { &handover->env, vtd->phys, vtd->scalable };
	struct iommuser_vtd_context context;
	u32 cursor = 0, bdf;
	int more;

	while (budget->contexts &&
	       (more = iommuser_vtd_next_context(&tables, &cursor, &bdf, &context))) {
		budget->contexts--;
		if (more < 0)
			continue;
		if (vtd->scalable)
			touch_pasids(handover, budget, &context);
		else if (context.translation_type <= IOMMUSER_VTD_TT_TABLE_DEVICE_TLB)
			touch_tables(handover, budget, IOMMUSER_STAGE_SECOND, context.table,
				     context.address_width + 2);
	}
}

static void touch_iommufds_of(struct handover *handover, u32 kind)
{
	union iommuser_record record;
	u64 i, iommufd, token;

	for (i = 0; i < iommuser_graph_count(&handover->graph, kind); i++) {
		if (iommuser_graph_read(&handover->graph, kind, i, &record) ||
		    record.common.flags & IOMMUSER_FLAG_DELETED)
			continue;
		iommufd = kind == IOMMUSER_KIND_HWPT ? record.hwpt.iommufd_token :
						       record.device.owner_token;
		iommu_files_token(&handover->files, handover->source, &handover->root, iommufd,
				  &token);
	}
}

/* File data of iommufds that no session leads to, as in an image without LUO. */
static void touch_iommufds(struct handover *handover)
{
	if (!handover->has_iommu)
		return;
	touch_iommufds_of(handover, IOMMUSER_KIND_DEVICE);
	touch_iommufds_of(handover, IOMMUSER_KIND_HWPT);
}

static bool has_states(const struct handover *handover)
{
	u32 kind;

	for (kind = IOMMUSER_KIND_IOMMU; kind <= IOMMUSER_KIND_DEVICE; kind++)
		if (handover->has_states[kind])
			return true;
	return false;
}

static struct source_hints make_hints(const struct handover *handover, const char *command)
{
	struct source_hints hints = { 0 };
	u32 i;

	snprintf(hints.origin, sizeof(hints.origin), "%s", handover->origin);
	snprintf(hints.writer, sizeof(hints.writer), "iommu-kho-dump %s", command);
	hints.has_kho = handover->has_kho;
	hints.kho = handover->kho.fdt_phys;
	hints.has_luo = handover->has_luo;
	hints.luo = handover->luo.phys;
	hints.has_flb = handover->has_flb;
	hints.flb = handover->flb;
	if (handover->root.revision)
		snprintf(hints.abi, sizeof(hints.abi), "%s", handover->root.revision->name);
	for (i = 0; i < handover->nr_vtd; i++) {
		hints.vtd_roots[i].phys = handover->vtd[i].phys;
		hints.vtd_roots[i].scalable = handover->vtd[i].scalable;
	}
	hints.nr_vtd_roots = handover->nr_vtd;
	hints.has_states = has_states(handover) && !strcmp(handover->origin, "incoming");
	return hints;
}

static int write_preserved(struct handover *handover, struct ikho_writer *writer)
{
	struct iommuser_pageset *set = handover_set(handover);
	u64 cursor = 0, phys, length;

	if (!set)
		return 0;
	ikho_begin_preserved(writer);
	while (iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_PRESERVED), &cursor, 0, &phys,
				     &length))
		if (ikho_add_preserved(writer, phys, length))
			return -1;
	return 0;
}

/* Only states that are known, of every record of a kind. */
static bool states_known(const struct handover *handover, u32 kind)
{
	u64 i;

	for (i = 0; i < iommuser_graph_count(&handover->graph, kind); i++)
		if (iommuser_graph_state(&handover->graph, kind, i) > IOMMUSER_FINISHED)
			return false;
	return handover->has_states[kind];
}

/* A failure shows when the image is finished. */
static void write_states(const struct handover *handover, struct ikho_writer *writer)
{
	u32 kind;
	u64 i;

	for (kind = IOMMUSER_KIND_IOMMU; kind <= IOMMUSER_KIND_DEVICE; kind++) {
		if (!states_known(handover, kind))
			continue;
		for (i = 0; i < iommuser_graph_count(&handover->graph, kind); i++)
			if (ikho_add_state(writer, kind,
					   iommuser_graph_state(&handover->graph, kind, i)))
				return;
	}
}

static bool in_memfd(const struct memfd *memfd, u64 at)
{
	size_t i;

	for (i = 0; memfd && i < memfd->nr_extents; i++)
		if (at >= memfd->extents[i].phys &&
		    at - memfd->extents[i].phys < memfd->extents[i].length)
			return true;
	return false;
}

/*
 * Payload is never written, even where damage made the tool read it as metadata:
 * what is mapped for DMA or in a memfd wins. Memfds are marked as mapped where
 * there is a set to mark them in.
 */
static bool is_payload(struct handover *handover, u64 at)
{
	size_t i, j;

	if (handover->has_pages)
		return iommuser_pageset_contains(&handover->pages.set, IOMMUSER_MAPPED, at, 1,
						 NULL);
	for (i = 0; handover->has_luo && i < handover->luo.nr_sessions; i++)
		for (j = 0; j < handover->luo.sessions[i].nr_files; j++)
			if (in_memfd(handover->luo.sessions[i].files[j].memfd, at))
				return true;
	return false;
}

/* The part of a page that the image holds: 4 KiB at a time. */
static int write_page(struct handover *handover, struct ikho_writer *writer, u64 page, u64 *written)
{
	u64 size = 1ULL << source_page_shift(handover->source);
	u8 bytes[4096];
	u64 at;

	for (at = page; at < page + size; at += sizeof(bytes)) {
		if (is_payload(handover, at) ||
		    source_read(handover->source, at, bytes, sizeof(bytes)) != SOURCE_OK)
			continue;
		if (ikho_add_pages(writer, at, bytes, sizeof(bytes)))
			return -1;
		*written += sizeof(bytes);
	}
	return 0;
}

static int write_image(struct handover *handover, const struct options *options,
		       const struct page_list *list, u64 *written)
{
	const struct source_hints hints = make_hints(handover, options->command->name);
	struct ikho_writer *writer;
	char message[256];
	int failed;
	size_t i;

	if (handover->states_lost) {
		complain(options->image, "where its records stand is lost: a portable image of it "
					 "would pass off devices that have left as handed over");
		return EXIT_NO_IMAGE;
	}
	writer = ikho_create(options->output, source_page_shift(handover->source), &hints, message,
			     sizeof(message));
	if (!writer) {
		complain(options->output, message);
		return EXIT_INTERNAL;
	}
	failed = write_preserved(handover, writer);
	for (i = 0; i < list->nr && !failed; i++) {
		failed = write_page(handover, writer, list->pages[i], written);
		if (!(i % PAGES_PER_LOOK))
			progress_show("writing", *written >> 20, "MiB");
	}
	progress_done();
	if (!failed && hints.has_states)
		write_states(handover, writer);
	/* Of an image that can't be read, a part is not to be taken for all of it. */
	if (complain_broken(options, handover->source)) {
		ikho_abandon(writer);
		return EXIT_NO_IMAGE;
	}
	if (ikho_finish(writer, message, sizeof(message))) {
		complain(options->output, message);
		return EXIT_INTERNAL;
	}
	return EXIT_OK;
}

/* Read everything that belongs to the handover, so that its pages are recorded. */
static int touch_all(const struct options *options, struct handover *handover)
{
	struct iommuser_verify_counts counts = { 0 };
	/* 256 MiB of page tables, and more devices and PASIDs than hosts have. */
	struct budget budget = { .tables = 1U << 16, .pasids = 1U << 16, .contexts = 1U << 12 };
	int status;
	u32 i;

	status = verify_handover(handover, options, &counts);
	if (status != EXIT_OK)
		return status;
	for (i = 0; i < handover->nr_vtd; i++)
		touch_vtd(handover, &budget, &handover->vtd[i]);
	if (!budget.tables || !budget.pasids || !budget.contexts)
		handover_note(
			handover,
			"too many VT-d tables that no record vouches for: not all were taken");
	touch_iommufds(handover);
	return EXIT_OK;
}

int extract_image(const struct options *options, struct source *source, struct handover *handover,
		  u64 *written)
{
	struct page_list list = { 0 };
	int status;

	source_set_recorder(source, record_page, &list);
	status = open_handover(handover, options, source);
	if (status == EXIT_OK)
		status = touch_all(options, handover);
	source_set_recorder(source, NULL, NULL);
	sort_pages(&list);
	if (list.failed)
		status = complain_no_memory();
	if (status == EXIT_OK)
		status = write_image(handover, options, &list, written);
	free(list.pages);
	return status;
}
