// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump show: a summary, then the records.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "model-iommu.h"
#include "text.h"

#define DEFAULT_LIMIT 1000

static u64 number(struct json_object *object, const char *key)
{
	return json_object_get_uint64(text_find(object, key));
}

static size_t length(struct json_object *object, const char *key)
{
	struct json_object *array = text_find(object, key);

	return array ? json_object_array_length(array) : 0;
}

static void print_kho(const struct handover *handover, struct json_object *kho)
{
	char buffer[32], size[32], blocks[32];

	if (!kho) {
		printf("KHO      %s\n", model_why_not_read(handover));
		return;
	}
	printf("KHO      %s, FDT at %s", text_member(kho, "compatible", buffer, sizeof(buffer)),
	       text_member(kho, "fdt", buffer, sizeof(buffer)));
	if (text_find(kho, "kexec_count"))
		printf(", kexec no. %s", text_member(kho, "kexec_count", buffer, sizeof(buffer)));
	putchar('\n');
	if (text_find(kho, "previous_release"))
		printf("         handed over by Linux %s\n",
		       text_member(kho, "previous_release", buffer, sizeof(buffer)));
	if (!json_object_get_boolean(text_find(kho, "preserved_known")))
		puts("         what is preserved is not known");
	else
		printf("         preserves %s in %s\n",
		       text_size(number(kho, "preserved_bytes"), size, sizeof(size)),
		       text_plural(number(kho, "preserved_blocks"), "block", blocks,
				   sizeof(blocks)));
}

/* "2 devices"; "at least 2 devices" where there may be more that could not be read */
static const char *count_of(u64 nr, const char *word, bool lacks, char *text, size_t size)
{
	char plural[40];

	snprintf(text, size, "%s%s", lacks ? "at least " : "",
		 text_plural(nr, word, plural, sizeof(plural)));
	return text;
}

static void print_luo(const struct handover *handover, struct json_object *root)
{
	struct json_object *luo = text_find(root, "luo");
	bool lacks = !handover->luo.sessions_complete;
	char buffer[32], sessions[48], flbs[48];

	if (!luo) {
		printf("LUO      %s\n",
		       handover->has_kho && !kho_find_subtree(&handover->kho, "LUO") ?
			       model_sessions_to_come(handover) ? "none" :
								  "none: an empty handover" :
			       model_why_not_read(handover));
		return;
	}
	printf("LUO      %s, live update no. %llu, ",
	       text_member(luo, "compatible", buffer, sizeof(buffer)),
	       (unsigned long long)number(luo, "liveupdate_number"));
	if (model_sessions_to_come(handover)) {
		printf("sessions: written only\n         in the reboot call, not yet\n");
		return;
	}
	if (!length(root, "sessions"))
		printf(lacks ? "sessions that cannot be read" : "no session (an empty handover)");
	else
		printf("%s", count_of(length(root, "sessions"), "session", lacks, sessions,
				      sizeof(sessions)));
	printf(",%s%s\n", lacks || !handover->luo.flbs_complete ? "\n         " : " ",
	       count_of(length(root, "flbs"), "FLB", !handover->luo.flbs_complete, flbs,
			sizeof(flbs)));
}

static u64 count_live(struct json_object *root, const char *key)
{
	struct json_object *records = text_find(root, key);
	u64 count = 0;
	size_t i;

	for (i = 0; i < length(root, key); i++)
		count += !json_object_get_boolean(
			text_find(json_object_array_get_idx(records, i), "deleted"));
	return count;
}

/* "4 devices (3 deleted)" */
static const char *count_records(struct json_object *root, const char *key, const char *word,
				 bool lacks, char *text, size_t size)
{
	u64 nr = length(root, key), deleted = nr - count_live(root, key);
	char count[48], more[32] = "";

	if (deleted)
		snprintf(more, sizeof(more), " (%llu deleted)", (unsigned long long)deleted);
	snprintf(text, size, "%s%s", count_of(nr, word, lacks, count, sizeof(count)), more);
	return text;
}

static void print_iommu(const struct handover *handover, struct json_object *root)
{
	char buffer[32], address[32], units[80], domains[80], devices[80];
	char counts[256] = "cannot be read", line[400];

	if (!text_find(root, "abi")) {
		printf("IOMMU    %s\n", model_iommu_unread(handover) ?
						model_no_iommu(handover) :
					model_sessions_to_come(handover) ?
						"LUO knows no state before the reboot call" :
						"no state handed over");
		return;
	}
	if (handover->has_iommu)
		snprintf(counts, sizeof(counts), "%s, %s, %s",
			 count_records(root, "iommus", "unit",
				       handover_lacks(handover, IOMMUSER_KIND_IOMMU), units,
				       sizeof(units)),
			 count_records(root, "domains", "domain",
				       handover_lacks(handover, IOMMUSER_KIND_DOMAIN), domains,
				       sizeof(domains)),
			 count_records(root, "devices", "device",
				       handover_lacks(handover, IOMMUSER_KIND_DEVICE), devices,
				       sizeof(devices)));
	snprintf(line, sizeof(line), "%s, root at %s: %s",
		 text_member(root, "abi", buffer, sizeof(buffer)),
		 text_member(root, "root", address, sizeof(address)), counts);
	text_labelled("IOMMU", line, 9);
	if (text_find(root, "kernel_release") &&
	    json_object_get_string_len(text_find(root, "kernel_release")))
		printf("         written by Linux %s\n",
		       text_member(root, "kernel_release", buffer, sizeof(buffer)));
	printf("         layout chosen by: %s\n",
	       text_member(root, "abi_chosen_by", buffer, sizeof(buffer)));
}

static void print_memfd(struct json_object *memfd)
{
	char size[32], folios[32];

	printf("  %s", text_size(number(memfd, "size"), size, sizeof(size)));
	/* What was read of its folios is not all. */
	if (!json_object_get_boolean(text_find(memfd, "complete")))
		printf(" (incomplete)");
	else
		printf(" in %s",
		       text_plural(number(memfd, "folios"), "folio", folios, sizeof(folios)));
}

/* How wide is the widest of the first members? */
static size_t widest(struct json_object *array, const char *key, u64 limit)
{
	size_t width = 0, i, size;
	char buffer[32];

	for (i = 0; i < json_object_array_length(array) && i < limit; i++) {
		size = text_width(text_member(json_object_array_get_idx(array, i), key, buffer,
					      sizeof(buffer)));
		if (size > width)
			width = size;
	}
	return width;
}

static void print_files(struct json_object *files, u64 limit)
{
	static const char *const keys[] = { "token", "compatible", "data" };
	static const char *const words[] = { "    token ", "  ", "  data " };
	size_t widths[3], i, j;
	char buffer[32];

	for (j = 0; j < 3; j++)
		widths[j] = widest(files, keys[j], limit);
	for (i = 0; i < json_object_array_length(files) && i < limit; i++) {
		struct json_object *file = json_object_array_get_idx(files, i);
		struct json_object *memfd = text_find(file, "memfd");

		for (j = 0; j < 3; j++) {
			fputs(words[j], stdout);
			text_pad(text_member(file, keys[j], buffer, sizeof(buffer)),
				 j < 2 || memfd ? widths[j] : 0);
		}
		if (memfd)
			print_memfd(memfd);
		putchar('\n');
	}
	if (i < json_object_array_length(files))
		printf("    ... and %zu more (--limit)\n", json_object_array_length(files) - i);
}

static void print_sessions(struct json_object *root, u64 limit)
{
	struct json_object *sessions = text_find(root, "sessions");
	char name[32];
	size_t i;

	if (length(root, "sessions"))
		puts("\nSessions");
	for (i = 0; i < length(root, "sessions") && i < limit; i++) {
		struct json_object *session = json_object_array_get_idx(sessions, i);

		printf("  %s%s\n", text_member(session, "name", name, sizeof(name)),
		       length(session, "files") ? "" : "  (no files)");
		print_files(text_find(session, "files"), limit);
	}
	if (i < length(root, "sessions"))
		printf("  ... and %zu more (--limit)\n", length(root, "sessions") - i);
}

static void print_pasids(struct json_object *context, u64 limit)
{
	struct json_object *pasids = text_find(context, "pasids");
	char table[32], type[32];
	size_t i, j;

	for (i = 0; i < json_object_array_length(pasids) && i < limit; i++) {
		struct json_object *pasid = json_object_array_get_idx(pasids, i);
		struct json_object *words = text_find(pasid, "entry");

		printf("           PASID %llu  DID %llu  %s",
		       (unsigned long long)number(pasid, "pasid"),
		       (unsigned long long)number(pasid, "did"),
		       text_member(pasid, "type", type, sizeof(type)));
		if (text_find(pasid, "levels"))
			printf(", %llu levels at %s", (unsigned long long)number(pasid, "levels"),
			       text_member(pasid, "top_table", table, sizeof(table)));
		printf("\n             entry   ");
		for (j = json_object_array_length(words); j-- > 0;)
			printf("%s%s", json_object_get_string(json_object_array_get_idx(words, j)),
			       j ? ":" : "\n");
	}
}

static void print_context(struct json_object *context, u64 limit)
{
	char bdf[32], table[32], entry[32];

	printf("  %s", text_member(context, "bdf", bdf, sizeof(bdf)));
	if (text_find(context, "pasids"))
		printf("  PASID directory %s, %llu PASIDs\n",
		       text_member(context, "pasid_directory", table, sizeof(table)),
		       (unsigned long long)number(context, "pasid_entries"));
	else if (text_find(context, "levels"))
		printf("  DID %llu  %s, %llu levels at %s\n",
		       (unsigned long long)number(context, "did"),
		       text_member(context, "stage", table, sizeof(table)),
		       (unsigned long long)number(context, "levels"),
		       text_member(context, "top_table", bdf, sizeof(bdf)));
	else
		printf("  DID %llu  %s\n", (unsigned long long)number(context, "did"),
		       text_member(context, "type", table, sizeof(table)));
	printf("           root    %s\n", text_member(context, "root_entry", entry, sizeof(entry)));
	printf("           context %s\n",
	       text_member(context, "context_entry", entry, sizeof(entry)));
	if (text_find(context, "pasids"))
		print_pasids(context, limit);
}

static void print_vtd(struct json_object *root, u64 limit)
{
	struct json_object *vtd_roots = text_find(root, "vtd_roots");
	char table[32], mode[32], how[32];
	size_t i, j;

	for (i = 0; i < json_object_array_length(vtd_roots); i++) {
		struct json_object *vtd = json_object_array_get_idx(vtd_roots, i);
		struct json_object *contexts = text_find(vtd, "contexts");

		printf("\nVT-d root table at %s, %s mode\n",
		       text_member(vtd, "root_table", table, sizeof(table)),
		       text_member(vtd, "mode", mode, sizeof(mode)));
		printf("  mode chosen by: %s\n",
		       text_member(vtd, "mode_chosen_by", how, sizeof(how)));
		for (j = 0; j < json_object_array_length(contexts) && j < limit; j++)
			print_context(json_object_array_get_idx(contexts, j), limit);
		if (j < json_object_array_length(contexts))
			printf("  ... and %zu more (--limit)\n",
			       json_object_array_length(contexts) - j);
		if (!json_object_array_length(contexts))
			puts("  no present context entry");
		if (number(vtd, "unreadable_tables"))
			printf("  not in the image: %s\n",
			       text_plural(number(vtd, "unreadable_tables"), "table", table,
					   sizeof(table)));
	}
}

/* A deleted record that names no device any more is none of 0000:00:00.0. For text alone. */
static void forget_names_of_deleted(struct json_object *root, const char *key)
{
	struct json_object *records = text_find(root, key), *record;
	size_t i;

	for (i = 0; i < length(root, key); i++) {
		record = json_object_array_get_idx(records, i);
		if (json_object_get_boolean(text_find(record, "deleted")) &&
		    text_find(record, "bdf") &&
		    !strcmp(json_object_get_string(text_find(record, "bdf")), "0000:00:00.0"))
			json_object_object_add(record, "bdf", NULL);
	}
}

/* Where the image says where records stand, that column takes the place of "deleted". */
static void print_records(struct json_object *root, const char *heading, const char *key,
			  const struct output_object *kind, u64 limit)
{
	struct text_column columns[TEXT_MAX_COLUMNS + 1];
	struct json_object *records = text_find(root, key);
	size_t i, nr = 0;

	if (!length(root, key))
		return;
	text_columns(kind, records, columns, TEXT_MAX_COLUMNS + 1);
	for (i = 0; columns[i].key; i++)
		if (strcmp(columns[i].key, "deleted") ||
		    !text_find(json_object_array_get_idx(records, 0), "state"))
			columns[nr++] = columns[i];
	columns[nr].key = NULL;
	text_table(heading, records, columns, limit);
}

static const char *when_taken(const struct handover *handover)
{
	static const char *const phrases[] = {
		", taken at the jump",
		", taken before the jump",
		", as the next kernel has it",
		", taken after the next kernel had booted",
	};
	size_t i;

	for (i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (!strcmp(handover->origin, output_origins[i]))
			return phrases[i];
	return "";
}

static bool sessions_lack(const struct handover *handover)
{
	return handover->has_luo && !handover->luo.sessions_complete;
}

static void describe_sessions(const struct handover *handover, struct json_object *root, char *text,
			      size_t size)
{
	struct json_object *sessions = text_find(root, "sessions");
	char session_text[48], file_text[48];
	bool lacks = sessions_lack(handover);
	u64 files = 0;
	size_t i;

	for (i = 0; i < length(root, "sessions"); i++)
		files += length(json_object_array_get_idx(sessions, i), "files");
	if (!length(root, "sessions")) {
		snprintf(text, size, "%s", lacks ? "sessions that cannot be read, " : "");
		return;
	}
	snprintf(text, size, "%s with %s, ",
		 count_of(length(root, "sessions"), "session", lacks, session_text,
			  sizeof(session_text)),
		 count_of(files, "file", lacks, file_text, sizeof(file_text)));
}

/* After the jump: how many devices stand where, where the image says it. */
static void describe_states(struct json_object *root, char *text, size_t size)
{
	const char *const *states = output_find(&output_device, "state")->values;
	struct json_object *devices = text_find(root, "devices"), *state;
	size_t i, j, used = 0;
	u64 count;

	for (i = 0; states[i] && used < size; i++) {
		for (j = 0, count = 0; j < length(root, "devices"); j++) {
			state = text_find(json_object_array_get_idx(devices, j), "state");
			count += state && !strcmp(json_object_get_string(state), states[i]);
		}
		if (count)
			used += (size_t)snprintf(text + used, size - used, "%s%llu %s",
						 used ? ", " : "", (unsigned long long)count,
						 states[i]);
	}
}

static void describe_iommu(const struct handover *handover, struct json_object *root, char *text,
			   size_t size)
{
	char units[48], domains[48], devices[48], states[160] = "";
	u64 nr_devices = count_live(root, "devices");

	describe_states(root, states, sizeof(states));
	count_of(nr_devices, "device", handover_lacks(handover, IOMMUSER_KIND_DEVICE), devices,
		 sizeof(devices));
	count_of(count_live(root, "domains"), "domain",
		 handover_lacks(handover, IOMMUSER_KIND_DOMAIN), domains, sizeof(domains));
	count_of(count_live(root, "iommus"), "IOMMU", handover_lacks(handover, IOMMUSER_KIND_IOMMU),
		 units, sizeof(units));
	if (!handover->has_flb)
		snprintf(text, size, "%s",
			 model_iommu_unread(handover) ? model_no_iommu(handover) :
							"no IOMMU state");
	else if (!handover->has_iommu)
		snprintf(text, size, "IOMMU state that cannot be read");
	else if (states[0])
		snprintf(text, size, "%s (%s) on %s of %s", devices, states, domains, units);
	else if (handover->states_lost)
		snprintf(text, size, "%s on %s of %s; where they stand now was lost", devices,
			 domains, units);
	else
		snprintf(text, size, "%s that %s DMA through %s of %s", devices,
			 nr_devices == 1 ? "keeps its" : "keep their", domains, units);
}

static void describe_soundness(const struct report *report, char *text, size_t size)
{
	u64 errors = report_count(report, IOMMUSER_ERROR);
	u64 gaps = report_count(report, IOMMUSER_INCOMPLETE);
	char error_text[32], gap_text[32];

	if (errors || gaps)
		snprintf(text, size, "Reading it brought up %s and %s: see verify.",
			 text_plural(errors, "error", error_text, sizeof(error_text)),
			 text_plural(gaps, "gap", gap_text, sizeof(gap_text)));
	else
		snprintf(text, size, "Nothing wrong was met in reading it; verify checks it all.");
}

/* The answer first: what is it, and is it sound? */
static void print_answer(const struct handover *handover, struct json_object *root)
{
	char text[640], sessions[120] = "", iommu[320], sound[120];

	describe_soundness(handover->report, sound, sizeof(sound));
	describe_iommu(handover, root, iommu, sizeof(iommu));
	describe_sessions(handover, root, sessions, sizeof(sessions));
	if (!handover->has_kho && !handover->has_luo && !handover->has_flb)
		snprintf(text, sizeof(text), "VT-d tables, without records of a handover.");
	else if (handover->map_gone && !length(root, "sessions") && !handover->has_flb)
		snprintf(text, sizeof(text),
			 "What is left of a handover%s: too little to tell what it held, or "
			 "whether it was sound.",
			 when_taken(handover));
	else if (handover->has_kho && !length(root, "sessions") && !sessions_lack(handover) &&
		 !handover->has_flb && !model_iommu_unread(handover))
		snprintf(text, sizeof(text), "%s%s: no session%s, no IOMMU state. %s",
			 model_sessions_to_come(handover) ? "A handover in the making" :
							    "An empty handover",
			 when_taken(handover), model_sessions_to_come(handover) ? " yet" : "",
			 sound);
	else
		snprintf(text, sizeof(text), "A handover%s: %s%s. %s", when_taken(handover),
			 sessions, iommu, sound);
	text_wrap(text, 0);
	putchar('\n');
}

static void print_show(struct handover *handover, struct json_object *root, u64 limit)
{
	struct json_object *source = text_find(root, "source");
	char buffer[32], size[32];
	u32 i;

	print_answer(handover, root);
	printf("Image    %s, %s pages, taken: %s\n",
	       text_member(source, "format", buffer, sizeof(buffer)),
	       text_size(number(source, "page_size"), size, sizeof(size)),
	       text_member(source, "origin", buffer, sizeof(buffer)));
	if (handover->nr_candidates > 1)
		printf("         holds %llu KHO FDTs, this is the best (see --list-roots)\n",
		       (unsigned long long)handover->nr_candidates);
	if (handover->has_kho || handover->has_luo || handover->has_flb) {
		print_kho(handover, text_find(root, "kho"));
		print_luo(handover, root);
		print_iommu(handover, root);
	}
	for (i = 0; i < handover->nr_notes; i++)
		text_labelled("Note", handover->notes[i], 9);
	print_sessions(root, limit);
	text_objects("FLBs", text_find(root, "flbs"), &output_flb, limit);
	forget_names_of_deleted(root, "devices");
	forget_names_of_deleted(root, "aliases");
	print_records(root, "IOMMUs", "iommus", &output_iommu, limit);
	print_records(root, "Domains", "domains", &output_domain, limit);
	print_records(root, "Devices", "devices", &output_device, limit);
	if (text_find(root, "hwpts")) {
		text_objects("Aliases", text_find(root, "aliases"), &output_alias, limit);
		text_objects("Attachments", text_find(root, "attachments"), &output_attachment,
			     limit);
		text_objects("HWPTs", text_find(root, "hwpts"), &output_hwpt, limit);
	}
	print_vtd(root, limit);
}

/* Findings on the way are verify's to tell; with JSON, show says so to people only. */
static void hint_at_findings(const struct report *report)
{
	char text[120];

	if (!report_count(report, IOMMUSER_ERROR) && !report_count(report, IOMMUSER_INCOMPLETE))
		return;
	describe_soundness(report, text, sizeof(text));
	fprintf(stderr, "iommu-kho-dump: %s\n", text);
}

static int run_show(const struct options *options, struct source *source)
{
	struct handover handover;
	struct json_object *object;
	int status = open_handover(&handover, options, source);

	if (status == EXIT_OK) {
		object = model_show(&handover);
		if (!object) {
			status = complain_no_memory();
		} else if (options_json(options)) {
			hint_at_findings(handover.report);
			status = print_json(options, object);
		} else {
			print_show(&handover, object, options_limit(options, DEFAULT_LIMIT));
			json_object_put(object);
		}
	}
	if (status == EXIT_OK && handover.has_flb && !handover.has_iommu)
		status = EXIT_FOUND;
	handover_close(&handover);
	return status;
}

const struct command command_show = {
	.name = "show",
	.operands = "IMAGE",
	.summary = "a summary, then the records (the default)",
	.help = "Prints where the handover comes from and what it holds: KHO, LUO sessions and\n"
		"their files, and the records of IOMMUs, domains and devices.\n"
		"\n"
		"With --json-lines, any number of images, one line each; one that cannot be read\n"
		"has a line with \"error\".\n",
	.nr_images = 1,
	.takes = TAKES_START | TAKES_LIMIT | TAKES_FORCE | TAKES_IMAGES,
	.output = &output_show,
	.run = run_show,
};
