// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Verdicts as metrics: a textfile for node_exporter.
 */
#include "prometheus.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <iommuser/version.h>

#include "commands.h"
#include "model.h"
#include "whole-file.h"

#define PREFIX "iommu_kho_dump_"
/* node_exporter is another user. */
#define FILE_MODE 0644

static void head(FILE *out, const char *name, const char *help)
{
	fprintf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s gauge\n", name, help, name);
}

/* In label values, backslashes, quotes and ends of lines are escaped. */
static void print_label(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '\\' || *value == '"')
			fprintf(out, "\\%c", *value);
		else
			fputc(*value, out);
	}
	fputc('"', out);
}

struct label {
	const char *name;
	const char *value;
};

/* Labels of a sample, and their end. */
#define LABELS(...) ((const struct label[]){ __VA_ARGS__, { NULL, NULL } })

static void sample(FILE *out, const char *name, const struct label *labels, u64 value)
{
	size_t i;

	fprintf(out, PREFIX "%s", name);
	for (i = 0; labels[i].name; i++) {
		fputc(i ? ',' : '{', out);
		print_label(out, labels[i].name, labels[i].value);
	}
	fprintf(out, "} %" PRIu64 "\n", value);
}

static void print_status(FILE *out, const struct prometheus *metrics)
{
	static const char *const all[] = { "ok", "warnings", "incomplete", "errors", "unreadable" };
	size_t i;

	head(out, "verify_status",
	     "Verdict of the last verify: 1 for the one that holds. unreadable: no handover to read.");
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		sample(out, "verify_status",
		       LABELS({ "image", metrics->image }, { "status", all[i] }),
		       !strcmp(all[i], metrics->status));
	head(out, "verify_timestamp_seconds", "When verify ran, in seconds of Unix time.");
	sample(out, "verify_timestamp_seconds", LABELS({ "image", metrics->image }), metrics->time);
}

static void print_severities(FILE *out, const struct prometheus *metrics)
{
	const struct report *report = metrics->handover->report;
	u32 severity;

	head(out, "verify_findings",
	     "How many findings there were; a gap is something that the image lacks.");
	for (severity = IOMMUSER_ERROR + 1; severity-- > IOMMUSER_INFO;)
		sample(out, "verify_findings",
		       LABELS({ "image", metrics->image }, { "severity", severity_word(severity) }),
		       report_count(report, severity));
}

/* Codes that did not come up are left out: there are many. */
static void print_codes(FILE *out, const struct prometheus *metrics)
{
	const struct report *report = metrics->handover->report;
	bool begun = false;
	u32 id, severity;
	u64 count;

	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		for (severity = IOMMUSER_INFO; severity <= IOMMUSER_ERROR; severity++) {
			count = report_count_both(report, id, severity);
			if (!count)
				continue;
			if (!begun)
				head(out, "verify_code_findings",
				     "How many findings of a code there were.");
			begun = true;
			sample(out, "verify_code_findings",
			       LABELS({ "image", metrics->image },
				      { "code", iommuser_finding_code(id) },
				      { "severity", severity_word(severity) }),
			       count);
		}
	}
}

static void print_checked(FILE *out, const struct prometheus *metrics)
{
	const struct output_field *field;
	struct json_object *count;

	head(out, "verify_checked", "How much verify checked.");
	for (field = output_checked.fields; field->type != OUTPUT_END; field++)
		if (json_object_object_get_ex(metrics->checked, field->key, &count))
			sample(out, "verify_checked",
			       LABELS({ "image", metrics->image }, { "what", field->key }),
			       json_object_get_uint64(count));
}

static void print_handover(FILE *out, const struct prometheus *metrics)
{
	const struct handover *handover = metrics->handover;
	const struct iommuser_revision *revision = handover->root.revision;
	char release[256] = "";

	if (handover->has_iommu && revision->properties & IOMMUSER_REVISION_SEALED)
		escape_text(handover->root.kernel_release, sizeof(handover->root.kernel_release),
			    release, sizeof(release));
	head(out, "handover_info", "What was verified; empty labels are not known. Always 1.");
	sample(out, "handover_info",
	       LABELS({ "image", metrics->image }, { "origin", handover->origin },
		      { "abi", handover->has_flb && revision ? revision->name : "" },
		      { "kernel_release", release }),
	       1);
	if (handover->has_luo) {
		head(out, "handover_liveupdate_number", "How many live updates there were.");
		sample(out, "handover_liveupdate_number", LABELS({ "image", metrics->image }),
		       handover->luo.liveupdate_num);
	}
	if (handover->has_kho && handover->kho.metadata.present) {
		head(out, "handover_kexec_number", "How many kexecs there were.");
		sample(out, "handover_kexec_number", LABELS({ "image", metrics->image }),
		       handover->kho.metadata.kexec_count);
	}
}

void prometheus_print(FILE *out, const struct prometheus *metrics)
{
	head(out, "build_info", "The tool that verified. Always 1.");
	sample(out, "build_info", LABELS({ "version", IOMMUSER_VERSION }), 1);
	print_status(out, metrics);
	if (!metrics->handover)
		return;
	print_severities(out, metrics);
	print_codes(out, metrics);
	print_checked(out, metrics);
	print_handover(out, metrics);
}

static int write_file(const char *path, const char *text, size_t length, char *message, size_t size)
{
	struct whole_file file;
	int failed = whole_file_open(&file, path, message, size) ||
		     whole_file_write(&file, text, length, message, size);

	if (!failed && fchmod(file.fd, FILE_MODE)) {
		snprintf(message, size, "cannot make it readable");
		failed = 1;
	}
	if (!failed)
		failed = whole_file_finish(&file, message, size);
	whole_file_close(&file);
	return failed ? -1 : 0;
}

int prometheus_write(const struct options *options, const struct prometheus *metrics)
{
	char *text = NULL, message[256];
	int status = EXIT_OK;
	size_t length;
	FILE *out;

	note_answer();
	if (!options->output) {
		prometheus_print(stdout, metrics);
		return EXIT_OK;
	}
	out = open_memstream(&text, &length);
	if (!out)
		return complain_no_memory();
	prometheus_print(out, metrics);
	if (fclose(out)) {
		status = complain_no_memory();
	} else if (write_file(options->output, text, length, message, sizeof(message))) {
		complain(options->output, message);
		status = EXIT_INTERNAL;
	}
	free(text);
	return status;
}

int prometheus_failure(const struct options *options)
{
	char image[4096];
	const struct prometheus metrics = {
		.image = escape_text(options->image, strlen(options->image), image, sizeof(image)),
		.status = "unreadable",
		.time = (u64)time(NULL),
	};

	return prometheus_write(options, &metrics);
}
