/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Collecting findings and giving them words.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdio.h>

#include <iommuser/finding.h>

struct report;

/** struct report_entry - a finding and, for some codes, a string out of the image (already escaped), or "" */
struct report_entry {
	struct iommuser_finding finding;
	char detail[120];
};

struct report *report_new(void);
void report_free(struct report *report);

/**
 * report_add - collect a finding of default severity, with a string of the image
 * @detail: untrusted bytes (escaped and cut here), or NULL
 * @detail_size: how many bytes may be read at @detail; they end at a NUL
 */
void report_add(struct report *report, enum iommuser_finding_id id, u64 phys, u64 found,
		u64 expected, const char *detail, size_t detail_size);
/** report_finding - collect a finding as it is (also the library's reporter callback) */
void report_finding(void *report, const struct iommuser_finding *finding);
struct iommuser_reporter report_reporter(struct report *report);

/* Findings are kept up to a bound (100000); the counts go on beyond it. */
size_t report_nr_kept(const struct report *report);
const struct report_entry *report_get(const struct report *report, size_t i);
u64 report_count(const struct report *report, enum iommuser_severity severity);
u64 report_count_id(const struct report *report, enum iommuser_finding_id id);
/** report_count_both - findings of one code that are of one severity */
u64 report_count_both(const struct report *report, enum iommuser_finding_id id,
		      enum iommuser_severity severity);

/** report_status - "ok", "warnings", "errors" or "incomplete" (errors outrank incomplete, that outranks warnings) */
const char *report_status(const struct report *report);
/** severity_name - "error", "warning" (also for incomplete) or "info" */
const char *severity_name(enum iommuser_severity severity);
/** severity_word - the same for people, who are told gaps from warnings: "error", "gap", "warning" or "info" */
const char *severity_word(enum iommuser_severity severity);
/** severity_words - how bad findings of a code are: its severity_word(), what it leads to, and when it is another */
const char *severity_words(enum iommuser_finding_id id);
/** report_message - one sentence with the values of the finding, in a buffer of the caller */
const char *report_message(const struct report_entry *entry, char *buffer, size_t size);
/** report_record_name - e.g. "device[3]", or "" when the finding is no record's */
const char *report_record_name(const struct iommuser_finding *finding, char *buffer, size_t size);

/**
 * escape_text - make bytes of an image safe to print
 *
 * Printable UTF-8 stays, everything else (controls, quotes' backslash, broken
 * UTF-8) becomes \xNN; stops at a NUL or after @size bytes.
 */
const char *escape_text(const char *bytes, size_t size, char *buffer, size_t buffer_size);

#endif /* REPORT_H */
