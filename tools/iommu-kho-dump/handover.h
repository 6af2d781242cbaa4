/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Everything that an image tells about one handover: KHO, LUO, the IOMMU
 * state, and how each was found.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <iommuser/verify.h>

#include "iommu-files.h"
#include "kho.h"
#include "luo.h"
#include "options.h"
#include "progress.h"
#include "report.h"
#include "source.h"

#define HANDOVER_MAX_NOTES 16

/**
 * struct handover_vtd - a VT-d root table to show without records
 * @phys: where
 * @scalable: its mode
 * @how: how the mode is known
 */
struct handover_vtd {
	u64 phys;
	bool scalable;
	const char *how;
};

/**
 * struct handover - one handover, opened
 * @source: the image
 * @env: the library's view of it
 * @reads: what @env shows as progress, while it says what for
 * @report: what reading it found
 * @origin: when the image was taken: "at-jump", "outgoing", "incoming",
 *	"post-boot" or "unknown"
 * @nr_candidates: KHO FDTs found, when they were searched for
 * @kho: the KHO FDT
 * @map_gone: the next kernel has reused what the FDT leads to
 * @was_handed_over: the kernel of the image came up from a handover; @kho may
 *	be that or the next one
 * @pages: what is preserved
 * @luo: LUO's state
 * @flb: address of the IOMMU root
 * @root: the IOMMU root, opened
 * @survey: of its chains
 * @graph: index over its records
 * @graph_memory: of the graph
 * @abi_how: how the layout of the IOMMU state was chosen
 * @files: what iommufd and vfio files say
 * @has_states: by kind: the image says where its records stand, and the graph has it
 * @states_lost: it said so, and that is lost: what is in use is not known
 * @vtd: VT-d root tables to show
 * @notes: what could not be read, and why, for people
 */
struct handover {
	struct source *source;
	struct iommuser_env env;
	struct progress_reads reads;
	struct report *report;
	const char *origin;
	u64 nr_candidates;
	struct kho kho;
	struct kho_pages pages;
	struct luo_state luo;
	u64 flb;
	struct iommuser_root root;
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	void *graph_memory;
	const char *abi_how;
	struct iommu_files files;
	bool has_states[IOMMUSER_KIND_DEVICE + 1];
	bool states_lost;
	struct handover_vtd vtd[SOURCE_MAX_VTD_ROOTS];
	u32 nr_vtd;
	char notes[HANDOVER_MAX_NOTES][160];
	u32 nr_notes;
	bool has_kho;
	bool map_gone;
	bool was_handed_over;
	bool has_pages;
	bool has_luo;
	bool has_flb;
	bool has_iommu;
};

/** enum handover_result - what became of handover_open() */
enum handover_result {
	HANDOVER_OK,
	HANDOVER_NONE, /* the image holds none */
	HANDOVER_NO_MEMORY,
};

/**
 * handover_open - find and read a handover
 * @handover: to fill; handover_close() it whatever the result
 * @options: where to start, when they say so
 * @source: the image
 * @message: why there is none
 */
enum handover_result handover_open(struct handover *handover, const struct options *options,
				   struct source *source, char *message, size_t message_size);
void handover_close(struct handover *handover);

/** handover_set - the preserved set, or NULL when it is not known */
struct iommuser_pageset *handover_set(struct handover *handover);

/** handover_lacks - do records of a kind lack, as their chain breaks off? */
bool handover_lacks(const struct handover *handover, u32 kind);

/**
 * handover_missing - what the image lacks of LUO and of the IOMMU state
 *
 * Return: @text, "sessions, device records" or alike; "" when nothing does.
 */
const char *handover_missing(const struct handover *handover, char *text, size_t size);

/** handover_missing_records - the same of records alone */
const char *handover_missing_records(const struct handover *handover, char *text, size_t size);

/** handover_after_jump - does the image show the next kernel? */
bool handover_after_jump(const struct handover *handover);

/**
 * handover_verify - run every check of the library on the IOMMU state, and the
 *	checks of LUO's files against it
 * @handover: open; its report is added to
 * @counts: what was checked
 *
 * Return: 0, or a negative error of the library.
 */
int handover_verify(struct handover *handover, struct iommuser_verify_counts *counts);

/**
 * handover_count_errors - how many errors would state of one layout bring up?
 * @phys: its root
 * @check: iommuser_verify_records() or another of its kind
 * @counts: what was checked
 *
 * No finding is reported, and domains without a user are no error.
 *
 * Return: how many; ~0 when it can't be read.
 */
u64 handover_count_errors(struct handover *handover, const struct iommuser_revision *revision,
			  u64 phys, int (*check)(struct iommuser_verify *verify),
			  struct iommuser_verify_counts *counts);

/** handover_note - remember what could not be read */
void handover_note(struct handover *handover, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* HANDOVER_H */
