// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One handover: where it starts, what it holds, how each layer was found.
 */
#include "handover.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <sys/random.h>

#include <iommuser/error.h>
#include <iommuser/vtd.h>

#include "commands.h"
#include "consumed.h"
#include "fields.h"
#include "progress.h"

void handover_note(struct handover *handover, const char *format, ...)
{
	va_list arguments;

	if (handover->nr_notes == HANDOVER_MAX_NOTES)
		return;
	va_start(arguments, format);
	vsnprintf(handover->notes[handover->nr_notes++], sizeof(handover->notes[0]), format,
		  arguments);
	va_end(arguments);
}

struct iommuser_pageset *handover_set(struct handover *handover)
{
	return handover->has_pages && handover->pages.complete ? &handover->pages.set : NULL;
}

bool handover_lacks(const struct handover *handover, u32 kind)
{
	return handover->has_iommu && handover->survey.kinds[kind].broken;
}

static void add_missing(char *text, size_t size, const char *what, const char *more)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s%s", used ? ", " : "", what, more);
}

static void add_missing_records(const struct handover *handover, char *text, size_t size)
{
	u32 kind;

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		if (handover_lacks(handover, kind))
			add_missing(text, size, iommuser_kind_name(kind), " records");
}

const char *handover_missing_records(const struct handover *handover, char *text, size_t size)
{
	text[0] = 0;
	add_missing_records(handover, text, size);
	return text;
}

const char *handover_missing(const struct handover *handover, char *text, size_t size)
{
	text[0] = 0;
	/* What the next kernel has reused is not missing from the image. */
	if (!handover->has_luo && handover->has_kho && !handover->map_gone &&
	    kho_find_subtree(&handover->kho, "LUO"))
		add_missing(text, size, "LUO state", "");
	if (handover->has_luo && !handover->luo.sessions_complete)
		add_missing(text, size, "sessions", "");
	if (handover->has_luo && !handover->luo.flbs_complete)
		add_missing(text, size, "FLBs", "");
	if (handover->has_flb && !handover->has_iommu)
		add_missing(text, size, "IOMMU state", "");
	add_missing_records(handover, text, size);
	return text;
}

bool handover_after_jump(const struct handover *handover)
{
	return !strcmp(handover->origin, "post-boot") || !strcmp(handover->origin, "incoming");
}

static const struct source_hints *hints_of(const struct handover *handover)
{
	static const struct source_hints none;
	const struct source_hints *hints = source_hints(handover->source);

	return hints ? hints : &none;
}

/* A portable image that names the IOMMU root and nothing above it holds no KHO. */
static bool starts_at_flb(const struct handover *handover)
{
	const struct source_hints *hints = hints_of(handover);

	return hints->has_flb && !hints->has_kho && !hints->has_luo;
}

/* Is only a part of the handover wanted, so that KHO is not to be searched for? */
static bool wants_kho(const struct handover *handover, const struct options *options)
{
	if (options->has_kho)
		return true;
	if (starts_at_flb(handover))
		return false;
	if (options->list_roots || options->command == &command_extract)
		return true;
	return !options->has_luo && !options->has_flb && !options->has_vtd_root;
}

/* Search for KHO FDTs. What a search reads is no part of the handover: it is not recorded. */
static int search(const struct handover *handover, struct kho_candidates *candidates)
{
	int error;

	source_pause_recorder(handover->source, true);
	error = kho_find(candidates, handover->source, progress_scan, NULL);
	source_pause_recorder(handover->source, false);
	progress_done();
	return error;
}

static bool newer_candidate(const struct kho_candidates *candidates,
			    const struct handover *handover)
{
	size_t i;

	for (i = 0; i < candidates->nr; i++)
		if (candidates->items[i].self_reference == KHO_YES &&
		    candidates->items[i].phys != handover->kho.fdt_phys &&
		    candidates->items[i].kexec_count > handover->kho.metadata.kexec_count)
			return true;
	return false;
}

/*
 * Has the kernel that owns the image reused what this FDT's map was made of?
 * Then the FDT does not refer to itself any more, and there is a newer one.
 */
static bool map_is_gone(const struct handover *handover)
{
	struct kho_candidates candidates;
	bool newer;

	if (kho_preserves_page(&handover->kho, handover->source, handover->kho.fdt_phys) == KHO_YES)
		return false;
	if (!strcmp(handover->origin, "post-boot"))
		return true;
	if (search(handover, &candidates))
		return false;
	newer = newer_candidate(&candidates, handover);
	kho_free_candidates(&candidates);
	return newer;
}

/* Damage is verify's to report; other commands have nothing to show then. */
static bool is_verify(const struct options *options)
{
	return options->command == &command_verify;
}

/*
 * A candidate that was passed over may be the live FDT, damaged: that is not for
 * the tool to decide in silence.
 */
static void report_passed_over(struct handover *handover, const struct kho_candidates *candidates)
{
	struct iommuser_finding finding = { .severity = IOMMUSER_WARNING };
	size_t i;

	for (i = 1; i < candidates->nr; i++) {
		const struct kho_candidate *candidate = &candidates->items[i];

		finding.phys = candidate->phys;
		finding.severity = IOMMUSER_WARNING;
		if (candidate->soundness == KHO_FDT_DAMAGED) {
			finding.id = IOMMUSER_FINDING_KHO_FDT_UNSOUND;
		} else if (candidate->soundness == KHO_FDT_FOREIGN) {
			finding.id = IOMMUSER_FINDING_KHO_COMPATIBLE_UNKNOWN;
		} else if (candidate->self_reference != KHO_YES &&
			   candidate->kexec_count > candidates->items[0].kexec_count) {
			finding.id = IOMMUSER_FINDING_KHO_NOT_SELF_REFERENT;
			finding.severity = IOMMUSER_ERROR;
		} else {
			continue;
		}
		report_finding(handover->report, &finding);
	}
}

/* An older FDT whose map is gone is one that this image's kernel came up with. */
static void note_consumed(struct handover *handover, const struct kho_candidates *candidates)
{
	size_t i;

	for (i = 1; i < candidates->nr; i++) {
		if (candidates->items[0].self_reference != KHO_YES ||
		    candidates->items[i].soundness != KHO_SOUND ||
		    candidates->items[i].self_reference == KHO_YES ||
		    candidates->items[i].kexec_count >= candidates->items[0].kexec_count)
			continue;
		handover->was_handed_over = true;
		handover_note(
			handover,
			"this kernel was itself handed over to, by the FDT at 0x%llx: what is "
			"shown is the next handover in the making",
			(unsigned long long)candidates->items[i].phys);
	}
}

static enum handover_result find_fdt(struct handover *handover, const struct options *options,
				     u64 *phys, char *message, size_t message_size)
{
	const struct source_hints *hints = hints_of(handover);
	struct kho_candidates candidates;
	enum handover_result result = HANDOVER_NONE;

	if (options->has_kho || hints->has_kho) {
		*phys = options->has_kho ? options->kho : hints->kho;
		return HANDOVER_OK;
	}
	if (search(handover, &candidates))
		return HANDOVER_NO_MEMORY;
	if (!candidates.nr) {
		snprintf(message, message_size, "no KHO FDT in it: no handover");
	} else if (candidates.items[0].soundness == KHO_FDT_DAMAGED && !is_verify(options)) {
		snprintf(message, message_size,
			 "the only KHO FDTs in it are damaged (see --list-roots)");
	} else {
		*phys = candidates.items[0].phys;
		result = HANDOVER_OK;
		handover->nr_candidates = candidates.nr_found;
		note_consumed(handover, &candidates);
		report_passed_over(handover, &candidates);
	}
	kho_free_candidates(&candidates);
	return result;
}

/*
 * Where scratch is, is not in the FDT: on x86 a node of the boot loader's list says it. It takes a
 * search, so only verify looks for it, in an image that had to be searched anyway.
 */
static enum handover_result open_scratch(struct handover *handover, const struct options *options)
{
	enum kho_hand_off hand_off;
	u64 phys, size;

	if (!is_verify(options) || options->has_kho || hints_of(handover)->has_kho)
		return HANDOVER_OK;
	source_pause_recorder(handover->source, true);
	hand_off = kho_find_scratch(&handover->kho, handover->source, &phys, &size, progress_scan,
				    NULL);
	source_pause_recorder(handover->source, false);
	progress_done();
	if (hand_off == KHO_HAND_OFF_NONE)
		handover_note(handover, "scratch: the image does not tell where it is");
	else if (hand_off == KHO_HAND_OFF_PREPARED)
		handover_note(handover,
			      "scratch: its array is copied in the jump, and not there yet");
	else if (kho_load_scratch(&handover->kho, handover->source, phys, size, handover->report) ==
		 -IOMMUSER_ENOMEM)
		return HANDOVER_NO_MEMORY;
	return HANDOVER_OK;
}

static enum handover_result open_kho(struct handover *handover, const struct options *options,
				     char *message, size_t message_size)
{
	enum handover_result result;
	u64 phys = 0;
	int error;

	result = find_fdt(handover, options, &phys, message, message_size);
	if (result != HANDOVER_OK)
		return result;
	error = kho_open(&handover->kho, handover->source, phys, handover->report);
	if (error == -IOMMUSER_ENOMEM)
		return HANDOVER_NO_MEMORY;
	if (error == -IOMMUSER_ECORRUPT && is_verify(options) && !options->has_kho) {
		handover_note(handover, "the KHO FDT at 0x%llx is damaged",
			      (unsigned long long)phys);
		return HANDOVER_OK;
	}
	if (error) {
		snprintf(message, message_size, "no KHO FDT at 0x%llx%s", (unsigned long long)phys,
			 error == -IOMMUSER_EUNMAPPED ? ": the image lacks that page" : "");
		return HANDOVER_NONE;
	}
	handover->has_kho = true;
	return open_scratch(handover, options);
}

static enum handover_result open_pages(struct handover *handover)
{
	/* After the next kernel's boot it is to be expected, so no more than a warning. */
	const struct iommuser_finding gone = {
		.id = IOMMUSER_FINDING_KHO_NOT_SELF_REFERENT,
		.severity = IOMMUSER_WARNING,
		.phys = handover->kho.fdt_phys,
	};
	int error;

	if (!source_has_preserved(handover->source) && map_is_gone(handover)) {
		handover->origin = "post-boot";
		handover->map_gone = true;
		handover->was_handed_over = true;
		report_finding(handover->report, &gone);
		handover_note(handover,
			      "the next kernel has booted: this handover's memory map and "
			      "LUO state are gone");
		return HANDOVER_OK;
	}
	error = kho_build_pageset(&handover->pages, &handover->kho, handover->source,
				  handover->report);
	if (error == -IOMMUSER_ENOMEM)
		return HANDOVER_NO_MEMORY;
	if (error == -IOMMUSER_ENOENT)
		handover_note(handover, "no memory map: what is preserved is not known");
	handover->has_pages = !error;
	if (!error && !handover->pages.complete)
		handover_note(handover, "the memory map is incomplete: a page outside it may be "
					"preserved");
	return HANDOVER_OK;
}

/* These say what a memfd has, not where. */
static bool wants_extents(const struct options *options)
{
	return options->command != &command_show && options->command != &command_verify &&
	       options->command != &command_stat;
}

static enum handover_result open_luo(struct handover *handover, const struct options *options,
				     u64 phys, u64 size)
{
	struct kho_pages *pages = handover->has_pages ? &handover->pages : NULL;
	int error = luo_open(&handover->luo, handover->source, phys, size, pages,
			     wants_extents(options), handover->report);

	if (error == -IOMMUSER_ENOMEM)
		return HANDOVER_NO_MEMORY;
	handover->has_luo = !error;
	if (error)
		handover_note(handover, "the LUO state at 0x%llx cannot be read",
			      (unsigned long long)phys);
	return HANDOVER_OK;
}

static enum handover_result find_luo(struct handover *handover, const struct options *options)
{
	const struct source_hints *hints = hints_of(handover);
	const struct kho_subtree *subtree;

	if (options->has_luo)
		return open_luo(handover, options, options->luo, 0);
	if (!handover->has_kho) {
		if (!hints->has_luo || options->has_flb)
			return HANDOVER_OK;
		return open_luo(handover, options, hints->luo, 0);
	}
	if (handover->map_gone)
		return HANDOVER_OK;
	subtree = kho_find_subtree(&handover->kho, "LUO");
	if (!subtree || !subtree->valid)
		return HANDOVER_OK;
	return open_luo(handover, options, subtree->phys, subtree->has_size ? subtree->size : 0);
}

/* Counts the errors that a layout would bring up. */
static void count_errors(void *ctx, const struct iommuser_finding *finding)
{
	u64 *errors = ctx;

	if (finding->severity == IOMMUSER_ERROR)
		++*errors;
}

static u64 random_seed(void)
{
	u64 seed = 0;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
		seed = 0;
	return seed;
}

/* A domain without a device is no sign of a wrong layout: an iommufd file may use it. */
static bool used_somewhere(void *ctx, u64 domain)
{
	(void)ctx;
	(void)domain;
	return true;
}

u64 handover_count_errors(struct handover *handover, const struct iommuser_revision *revision,
			  u64 phys, int (*check)(struct iommuser_verify *verify),
			  struct iommuser_verify_counts *counts)
{
	u64 errors = 0;
	const struct iommuser_reporter reporter = { &errors, count_errors };
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	struct iommuser_root root;
	struct iommuser_verify verify = {
		.env = &handover->env,
		.root = &root,
		.survey = &survey,
		.graph = &graph,
		.reporter = &reporter,
		.used_elsewhere = used_somewhere,
	};
	void *memory;
	u64 size;

	if (iommuser_root_open(&handover->env, revision, phys, NULL, &reporter, &root) ||
	    iommuser_survey_root(&handover->env, &root, NULL, &reporter, &survey))
		return ~0ULL;
	size = iommuser_graph_size(&root, &survey);
	memory = size ? calloc(1, size) : NULL;
	if (!memory)
		return ~0ULL;
	if (iommuser_graph_build(&graph, &handover->env, &root, &survey, random_seed(), memory,
				 size) ||
	    check(&verify))
		errors = ~0ULL;
	free(memory);
	*counts = verify.counts;
	return errors;
}

static u32 count_layouts(const char *flb_name)
{
	const struct iommuser_revision *revision;
	u32 i, nr = 0;

	for (i = 0; (revision = iommuser_revision_at(i)); i++)
		nr += !strcmp(revision->flb_name, flb_name);
	return nr;
}

/* Several layouts have gone by one name: take the one that fits best. */
static const struct iommuser_revision *choose_revision(struct handover *handover, const char *name,
						       u64 phys)
{
	const struct iommuser_revision *best = NULL, *revision;
	bool several = count_layouts(name) > 1;
	struct iommuser_verify_counts counts;
	u64 least = ~0ULL, errors = 0;
	u32 i;

	for (i = 0; (revision = iommuser_revision_at(i)); i++) {
		if (strcmp(revision->flb_name, name))
			continue;
		/* How badly it fits: that takes all records to be read. */
		if (several)
			errors = handover_count_errors(handover, revision, phys,
						       iommuser_verify_records, &counts);
		if (!best || errors < least) {
			best = revision;
			least = errors;
		}
	}
	handover->abi_how = several ? "FLB name, and the layout that fits best" : "FLB name";
	return best;
}

static const struct luo_flb *find_iommu_flb(const struct luo_state *luo)
{
	const struct iommuser_revision *revision;
	const struct luo_flb *flb;
	u32 i;

	for (i = 0; (revision = iommuser_revision_at(i)); i++) {
		flb = luo_find_flb(luo, revision->flb_name);
		if (flb)
			return flb;
	}
	return NULL;
}

/* Find the IOMMU root and its layout. Return: NULL when there is none. */
static const struct iommuser_revision *find_root(struct handover *handover,
						 const struct options *options)
{
	const struct source_hints *hints = hints_of(handover);
	const struct iommuser_revision *revision = options->abi;
	const struct luo_flb *flb = NULL;

	if (handover->has_luo)
		flb = find_iommu_flb(&handover->luo);
	handover->has_flb = true;
	if (options->has_flb) {
		handover->flb = options->flb;
	} else if (flb) {
		handover->flb = flb->data;
		if (!revision)
			return choose_revision(handover, flb->name, flb->data);
	} else if (hints->has_flb && !options->has_luo && !options->has_vtd_root) {
		handover->flb = hints->flb;
		if (!revision && iommuser_revision_by_name(hints->abi)) {
			handover->abi_how = "named by the portable image";
			return iommuser_revision_by_name(hints->abi);
		}
	} else {
		handover->has_flb = false;
		return NULL;
	}
	handover->abi_how = "--abi";
	return revision;
}

static void note_broken_chains(struct handover *handover)
{
	u32 kind;

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		if (handover_lacks(handover, kind))
			handover_note(handover,
				      "the chain of %s records breaks off: only %llu could be read",
				      iommuser_kind_name(kind),
				      (unsigned long long)handover->survey.kinds[kind].nr_records);
}

static void report_state(struct handover *handover, u32 kind, u64 position, u64 phys, u32 state)
{
	const struct iommuser_finding finding = {
		.id = IOMMUSER_FINDING_REC_STATE,
		.severity = iommuser_finding_severity(IOMMUSER_FINDING_REC_STATE),
		.kind = kind,
		.index = position,
		.phys = phys,
		.found = state,
	};

	report_finding(handover->report, &finding);
}

/* Put where the records of a kind stand into the graph, so that the verifier knows it. */
static void read_states(struct handover *handover, u32 kind, u64 count)
{
	union iommuser_record record;
	u32 state;
	u64 i;

	handover->has_states[kind] = true;
	for (i = 0; i < count; i++) {
		if (source_state(handover->source, kind, i, &state) != SOURCE_OK) {
			handover_note(handover, "where records stand cannot be read");
			handover->has_states[kind] = false;
			return;
		}
		iommuser_graph_set_state(&handover->graph, kind, i, (enum iommuser_state)state);
		if (state && !iommuser_graph_read(&handover->graph, kind, i, &record) &&
		    (record.common.flags & IOMMUSER_FLAG_DELETED))
			report_state(handover, kind, i, record.common.phys, state);
	}
}

/* Where records stand is told of one handover only. What cannot be reached cannot be counted. */
static void open_states(struct handover *handover)
{
	u64 told, count;
	u32 kind;

	if (source_states_lost(handover->source)) {
		handover->states_lost = true;
		handover_note(handover,
			      "where its records stand was lost: which devices have left, "
			      "and which mappings are still in use, is not known");
	}
	if (!handover_after_jump(handover) || handover->flb != hints_of(handover)->flb)
		return;
	for (kind = IOMMUSER_KIND_IOMMU; kind <= IOMMUSER_KIND_DEVICE; kind++) {
		told = source_nr_states(handover->source, kind);
		count = iommuser_graph_count(&handover->graph, kind);
		if (!told || handover_lacks(handover, kind))
			continue;
		if (told == count)
			read_states(handover, kind, count);
		else
			report_add(handover->report, IOMMUSER_FINDING_REC_STATE_COUNT,
				   handover->root.arrays[kind].first_page, told, count,
				   iommuser_kind_name(kind), strlen(iommuser_kind_name(kind)));
	}
}

static enum handover_result open_iommu(struct handover *handover, const struct options *options)
{
	const struct iommuser_reporter reporter = report_reporter(handover->report);
	const struct iommuser_revision *revision = find_root(handover, options);
	struct iommuser_pageset *set = handover_set(handover);
	u64 size;

	if (!revision) {
		if (handover->has_flb)
			handover_note(handover, "an IOMMU root at 0x%llx of unknown layout (--abi)",
				      (unsigned long long)handover->flb);
		return HANDOVER_OK;
	}
	handover->root.revision = revision;
	if (iommuser_root_open(&handover->env, revision, handover->flb, set, &reporter,
			       &handover->root) ||
	    iommuser_survey_root(&handover->env, &handover->root, set, &reporter,
				 &handover->survey)) {
		handover_note(handover, "the IOMMU root at 0x%llx cannot be read as %s",
			      (unsigned long long)handover->flb, revision->name);
		return HANDOVER_OK;
	}
	size = iommuser_graph_size(&handover->root, &handover->survey);
	handover->graph_memory = size ? calloc(1, size) : NULL;
	if (!handover->graph_memory)
		return HANDOVER_NO_MEMORY;
	if (iommuser_graph_build(&handover->graph, &handover->env, &handover->root,
				 &handover->survey, random_seed(), handover->graph_memory, size)) {
		handover_note(handover, "the IOMMU records changed while they were read");
		return HANDOVER_OK;
	}
	handover->has_iommu = true;
	note_broken_chains(handover);
	open_states(handover);
	return HANDOVER_OK;
}

/*
 * Legacy or scalable? Only scalable mode uses the high quadwords of root
 * entries; a legacy context entry holds a width there that scalable ones,
 * whose RID_PASID is 0, do not.
 */
static void guess_mode(const struct handover *handover, struct handover_vtd *vtd)
{
	struct iommuser_vtd_tables tables = { &handover->env, vtd->phys, false };
	struct iommuser_vtd_root_entry entry;
	struct iommuser_vtd_context context;
	u32 bus, cursor = 0, bdf;

	vtd->how = "upper context tables are in use";
	for (bus = 0; bus < IOMMUSER_VTD_NR_BUSES; bus++) {
		if (iommuser_vtd_root_entry(&tables, bus, &entry))
			break;
		if (entry.high & 1) {
			vtd->scalable = true;
			return;
		}
	}
	while (iommuser_vtd_next_context(&tables, &cursor, &bdf, &context) == 1) {
		if (context.address_width < 1 || context.address_width > 3 ||
		    context.translation_type == 3) {
			vtd->scalable = true;
			vtd->how = "context entries make no sense as legacy ones";
			return;
		}
	}
	vtd->how = "context entries make sense as legacy ones";
}

static void add_vtd(struct handover *handover, u64 phys, u32 mode, const char *how)
{
	struct handover_vtd *vtd = &handover->vtd[handover->nr_vtd++];

	vtd->phys = phys;
	vtd->how = how;
	vtd->scalable = mode == IOMMUSER_IOMMU_MODE_SCALABLE;
	if (!mode)
		guess_mode(handover, vtd);
}

static void find_vtd(struct handover *handover, const struct options *options)
{
	const struct source_hints *hints = hints_of(handover);
	u32 i;

	if (options->has_vtd_root) {
		add_vtd(handover, options->vtd_root, options->vtd_mode, "--vtd-root");
		return;
	}
	if (options->has_luo || options->has_flb)
		return;
	for (i = 0; i < hints->nr_vtd_roots; i++)
		add_vtd(handover, hints->vtd_roots[i].phys,
			hints->vtd_roots[i].scalable ? IOMMUSER_IOMMU_MODE_SCALABLE :
						       IOMMUSER_IOMMU_MODE_LEGACY,
			"named by the portable image");
}

enum handover_result handover_open(struct handover *handover, const struct options *options,
				   struct source *source, char *message, size_t message_size)
{
	enum handover_result result = HANDOVER_OK;
	struct iommuser_env env;

	memset(handover, 0, sizeof(*handover));
	handover->source = source;
	env = source_env(source);
	handover->env = progress_env(&handover->reads, &env);
	handover->reads.doing = "reading the handover";
	handover->origin = hints_of(handover)->origin[0] ? hints_of(handover)->origin : "unknown";
	if (options->origin)
		handover->origin = options->origin;
	handover->report = report_new();
	if (!handover->report)
		return HANDOVER_NO_MEMORY;
	if (wants_kho(handover, options)) {
		result = open_kho(handover, options, message, message_size);
		if (result == HANDOVER_OK && handover->has_kho)
			result = open_pages(handover);
		/* VT-d tables may be wanted of an image without any handover. */
		if (result == HANDOVER_NONE && options->has_vtd_root)
			result = HANDOVER_OK;
	}
	if (result == HANDOVER_OK)
		result = find_luo(handover, options);
	if (result == HANDOVER_OK)
		result = open_iommu(handover, options);
	if (result == HANDOVER_OK && handover->has_luo &&
	    !iommu_files_read(&handover->files, &handover->luo, source, handover->root.revision,
			      handover->has_pages ? &handover->pages : NULL, handover->report))
		result = HANDOVER_NO_MEMORY;
	if (result == HANDOVER_OK)
		find_vtd(handover, options);
	handover->reads.doing = NULL;
	progress_done();
	return result;
}

void handover_close(struct handover *handover)
{
	iommu_files_free(&handover->files);
	free(handover->graph_memory);
	luo_close(&handover->luo);
	if (handover->has_pages)
		kho_free_pages(&handover->pages);
	kho_close(&handover->kho);
	report_free(handover->report);
}

static bool used_by_file(void *ctx, u64 domain)
{
	return iommu_files_use_domain(ctx, domain);
}

/* Is some 4 KiB of the image's page explained? Then the whole page is. */
static bool page_explained(struct handover *handover, u64 page)
{
	struct iommuser_pageset *set = handover_set(handover);
	u64 size = 1ULL << source_page_shift(handover->source), at;

	for (at = page; at < page + size; at += 4096)
		if (iommuser_pageset_contains(set, IOMMUSER_VISITED, at, 1, NULL) ||
		    iommuser_pageset_contains(set, IOMMUSER_MAPPED, at, 1, NULL))
			return true;
	return false;
}

static void report_unexplained_run(struct handover *handover, u64 phys, u64 length)
{
	u64 size = 1ULL << source_page_shift(handover->source);
	u64 stop, end = phys + length;

	if (size == 4096) {
		report_add(handover->report, IOMMUSER_FINDING_CLOSURE_UNEXPLAINED, phys, length, 0,
			   NULL, 0);
		return;
	}
	for (; phys < end; phys = stop) {
		stop = (phys & ~(size - 1)) + size;
		if (!page_explained(handover, phys & ~(size - 1)))
			report_add(handover->report, IOMMUSER_FINDING_CLOSURE_UNEXPLAINED, phys,
				   (stop < end ? stop : end) - phys, 0, NULL, 0);
	}
}

/* Preserved pages that nothing which was read explains. */
static void report_unexplained(struct handover *handover)
{
	const u32 explained = 1U << IOMMUSER_VISITED | 1U << IOMMUSER_MAPPED;
	struct iommuser_pageset *set = handover_set(handover);
	u64 cursor = 0, phys, length;

	while (set && iommuser_pageset_next(set, IOMMUSER_IN(IOMMUSER_PRESERVED), &cursor,
					    explained, &phys, &length))
		report_unexplained_run(handover, phys, length);
}

/* Which FLBs there are is not known where these were found. */
static bool flbs_unclear(const struct report *report)
{
	return report_count_id(report, IOMMUSER_FINDING_LUO_FLB_PAGE_COUNT) ||
	       report_count_id(report, IOMMUSER_FINDING_LUO_FLB_COUNT) ||
	       report_count_id(report, IOMMUSER_FINDING_LUO_FLB_NAME) ||
	       report_count_id(report, IOMMUSER_FINDING_LUO_FLB_DUPLICATE) ||
	       report_count_id(report, IOMMUSER_FINDING_LUO_UNREADABLE);
}

/* FLBs that look like IOMMU state and are not the one that was read. */
static void report_other_flbs(struct handover *handover)
{
	const struct luo_flb *flb;
	size_t i;

	for (i = 0; i < handover->luo.nr_flbs; i++) {
		flb = &handover->luo.flbs[i];
		if (handover->has_flb && flb->data == handover->flb)
			continue;
		if (luo_is_iommu_flb(flb->name) || !strncmp(flb->name, "iommu", 5))
			report_add(handover->report, IOMMUSER_FINDING_REC_ROOT_UNKNOWN, flb->phys,
				   flb->data, 0, flb->name, sizeof(flb->name));
	}
}

/* Files of an IOMMU's user where there is no IOMMU state. */
static void report_orphan_files(struct handover *handover)
{
	const struct luo_session *session;
	size_t i, j;

	for (i = 0; i < handover->luo.nr_sessions; i++) {
		session = &handover->luo.sessions[i];
		for (j = 0; j < session->nr_files; j++)
			if (iommu_file_known(session->files[j].compatible))
				report_add(handover->report, IOMMUSER_FINDING_REC_ROOT_UNKNOWN,
					   session->files[j].phys, 0, 0,
					   session->files[j].compatible,
					   sizeof(session->files[j].compatible));
	}
}

int handover_verify(struct handover *handover, struct iommuser_verify_counts *counts)
{
	const struct iommuser_reporter reporter = report_reporter(handover->report);
	struct iommuser_verify verify = {
		.env = &handover->env,
		.root = &handover->root,
		.survey = &handover->survey,
		.graph = &handover->graph,
		.set = handover_set(handover),
		.reporter = &reporter,
		.used_elsewhere = used_by_file,
		.ctx = &handover->files,
	};
	int error = 0;

	if (!strcmp(handover->origin, "outgoing"))
		verify.options |= IOMMUSER_VERIFY_BEFORE_JUMP;
	if (handover_after_jump(handover))
		verify.options |= IOMMUSER_VERIFY_AFTER_JUMP;
	if (handover->has_iommu) {
		handover->reads.doing = "verifying";
		error = iommuser_verify_all(&verify);
		handover->reads.doing = NULL;
		progress_done();
		*counts = verify.counts;
		if (handover->has_luo && handover->luo.sessions_complete &&
		    handover->luo.nr_sessions &&
		    !iommu_files_check(&handover->files, &handover->graph, handover->report))
			error = -IOMMUSER_ENOMEM;
		if (!verify.set)
			report_add(handover->report, IOMMUSER_FINDING_CLOSURE_UNKNOWN,
				   handover->root.phys, 0, 0, NULL, 0);
	}
	if (handover->has_luo && handover->has_kho && !flbs_unclear(handover->report)) {
		report_other_flbs(handover);
		if (!handover->has_flb && handover->luo.flbs_complete)
			report_orphan_files(handover);
	}
	/* What an unreadable or unknown part would have explained is not known either. */
	if (!handover->has_flb || handover->has_iommu)
		report_unexplained(handover);
	if (handover->was_handed_over)
		consumed_report(handover);
	return error;
}
