// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Collecting findings and giving them words.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "fields.h"
#include "report.h"

#define REPORT_MAX_KEPT 100000
#define NR_SEVERITIES (IOMMUSER_ERROR + 1)

struct report {
	struct report_entry *entries;
	size_t nr_kept;
	size_t capacity;
	u64 by_severity[NR_SEVERITIES];
	u64 by_both[IOMMUSER_NR_FINDINGS][NR_SEVERITIES];
};

/* Text under construction in a buffer of the caller; once full, it takes no more. */
struct text {
	char *buffer;
	size_t size;
	size_t used;
	bool full;
};

static struct text text_start(char *buffer, size_t size)
{
	if (size > 0)
		buffer[0] = '\0';
	return (struct text){ .buffer = buffer, .size = size };
}

/* All of the bytes or none, so that no character and no escape is cut in two. */
static void text_put(struct text *text, const char *bytes, size_t length)
{
	if (text->full || text->size == 0 || length > text->size - text->used - 1) {
		text->full = true;
		return;
	}
	memcpy(text->buffer + text->used, bytes, length);
	text->used += length;
	text->buffer[text->used] = '\0';
}

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* Bytes of the UTF-8 sequence that starts here; 0 when it is not valid. */
static size_t utf8_decode(const char *bytes, size_t size, u32 *character)
{
	static const u32 first_of_length[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *b = (const unsigned char *)bytes;
	size_t length, i;
	u32 value;

	if (b[0] < 0x80) {
		*character = b[0];
		return 1;
	}
	if (b[0] >= 0xc2 && b[0] <= 0xdf)
		length = 2;
	else if ((b[0] & 0xf0) == 0xe0)
		length = 3;
	else if (b[0] >= 0xf0 && b[0] <= 0xf4)
		length = 4;
	else
		return 0;
	if (length > size)
		return 0;

	value = b[0] & (0xffU >> (length + 1));
	for (i = 1; i < length; i++) {
		if (!is_continuation(b[i]))
			return 0;
		value = value << 6 | (b[i] & 0x3f);
	}
	if (value < first_of_length[length] || value > 0x10ffff)
		return 0;
	if (value >= 0xd800 && value <= 0xdfff)
		return 0;
	*character = value;
	return length;
}

/* What a terminal would act upon, hide or reorder rather than show. */
static bool is_printable(u32 character)
{
	static const struct {
		u32 first;
		u32 last;
	} hidden[] = {
		{ 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x00ad, 0x00ad },   { 0x034f, 0x034f },
		{ 0x061c, 0x061c }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 },   { 0x180b, 0x180f },
		{ 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },   { 0x3164, 0x3164 },
		{ 0xe000, 0xf8ff }, { 0xfdd0, 0xfdef }, { 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },
		{ 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0xe0000, 0xe0fff }, { 0xf0000, 0x10ffff },
	};
	size_t i;

	for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (character >= hidden[i].first && character <= hidden[i].last)
			return false;
	}
	return (character & 0xfffe) != 0xfffe;
}

static void put_escaped(struct text *text, const char *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)bytes[i];
		char escape[4] = { '\\', 'x', digits[byte >> 4], digits[byte & 0xf] };

		text_put(text, escape, sizeof(escape));
	}
}

const char *escape_text(const char *bytes, size_t size, char *buffer, size_t buffer_size)
{
	struct text text = text_start(buffer, buffer_size);
	size_t length, at = 0;
	u32 character;

	size = strnlen(bytes, size);
	while (at < size && !text.full) {
		length = utf8_decode(bytes + at, size - at, &character);
		if (length == 0)
			put_escaped(&text, bytes + at, 1);
		else if (character == '\\' || !is_printable(character))
			put_escaped(&text, bytes + at, length);
		else
			text_put(&text, bytes + at, length);
		at += length > 0 ? length : 1;
	}
	return buffer_size > 0 ? buffer : "";
}

struct report *report_new(void)
{
	return calloc(1, sizeof(struct report));
}

void report_free(struct report *report)
{
	if (!report)
		return;
	free(report->entries);
	free(report);
}

/* Room for one more; NULL at the bound, or when there is no memory. */
static struct report_entry *new_entry(struct report *report)
{
	struct report_entry *entries;
	size_t capacity;

	if (report->nr_kept == REPORT_MAX_KEPT)
		return NULL;
	if (report->nr_kept == report->capacity) {
		capacity = report->capacity > 0 ? 2 * report->capacity : 16;
		entries = realloc(report->entries, capacity * sizeof(*entries));
		if (!entries)
			return NULL;
		report->entries = entries;
		report->capacity = capacity;
	}
	return &report->entries[report->nr_kept++];
}

static void keep(struct report *report, const struct iommuser_finding *finding, const char *detail,
		 size_t detail_size)
{
	struct report_entry *entry;

	/* A finding out of range is a bug of ours and never comes from an image. */
	if ((unsigned int)finding->id >= IOMMUSER_NR_FINDINGS ||
	    (unsigned int)finding->severity >= NR_SEVERITIES)
		abort();

	report->by_severity[finding->severity]++;
	report->by_both[finding->id][finding->severity]++;
	entry = new_entry(report);
	if (!entry)
		return;
	entry->finding = *finding;
	escape_text(detail ? detail : "", detail ? detail_size : 0, entry->detail,
		    sizeof(entry->detail));
}

void report_add(struct report *report, enum iommuser_finding_id id, u64 phys, u64 found,
		u64 expected, const char *detail, size_t detail_size)
{
	const struct iommuser_finding finding = {
		.id = id,
		.severity = iommuser_finding_severity(id),
		.phys = phys,
		.found = found,
		.expected = expected,
	};

	keep(report, &finding, detail, detail_size);
}

void report_finding(void *report, const struct iommuser_finding *finding)
{
	keep(report, finding, NULL, 0);
}

struct iommuser_reporter report_reporter(struct report *report)
{
	return (struct iommuser_reporter){ .ctx = report, .report = report_finding };
}

size_t report_nr_kept(const struct report *report)
{
	return report->nr_kept;
}

const struct report_entry *report_get(const struct report *report, size_t i)
{
	return i < report->nr_kept ? &report->entries[i] : NULL;
}

u64 report_count(const struct report *report, enum iommuser_severity severity)
{
	return report->by_severity[severity];
}

u64 report_count_id(const struct report *report, enum iommuser_finding_id id)
{
	u64 count = 0;
	u32 severity;

	for (severity = 0; severity < NR_SEVERITIES; severity++)
		count += report->by_both[id][severity];
	return count;
}

u64 report_count_both(const struct report *report, enum iommuser_finding_id id,
		      enum iommuser_severity severity)
{
	return report->by_both[id][severity];
}

const char *report_status(const struct report *report)
{
	if (report->by_severity[IOMMUSER_ERROR] > 0)
		return "errors";
	if (report->by_severity[IOMMUSER_INCOMPLETE] > 0)
		return "incomplete";
	if (report->by_severity[IOMMUSER_WARNING] > 0)
		return "warnings";
	return "ok";
}

const char *severity_name(enum iommuser_severity severity)
{
	switch (severity) {
	case IOMMUSER_ERROR:
		return "error";
	case IOMMUSER_INCOMPLETE:
	case IOMMUSER_WARNING:
		return "warning";
	case IOMMUSER_INFO:
		break;
	}
	return "info";
}

const char *severity_word(enum iommuser_severity severity)
{
	return severity == IOMMUSER_INCOMPLETE ? "gap" : severity_name(severity);
}

const char *severity_words(enum iommuser_finding_id id)
{
	switch (id) {
	case IOMMUSER_FINDING_KHO_NOT_SELF_REFERENT:
		return "error; a warning in an image taken after boot";
	case IOMMUSER_FINDING_KHO_FDT_UNSOUND:
	case IOMMUSER_FINDING_KHO_COMPATIBLE_UNKNOWN:
		return "error; a warning when another FDT of the image is sound";
	case IOMMUSER_FINDING_CHAIN_PARTIAL_PAGE:
		return "error; a warning in layouts without checksums";
	case IOMMUSER_FINDING_CHAIN_UNREADABLE:
	case IOMMUSER_FINDING_REC_ROOT_UNREADABLE:
	case IOMMUSER_FINDING_PT_UNREADABLE:
		return "error; a gap, which makes the verdict INCOMPLETE, "
		       "when just the image lacks the page";
	case IOMMUSER_FINDING_VTD_UNREADABLE:
		return "gap: makes the verdict INCOMPLETE; an error when the page was not preserved";
	default:
		break;
	}
	return iommuser_finding_severity(id) == IOMMUSER_INCOMPLETE ?
		       "gap: makes the verdict INCOMPLETE" :
		       severity_word(iommuser_finding_severity(id));
}

static const char *or_else(const char *string, const char *otherwise)
{
	return string[0] != '\0' ? string : otherwise;
}

const char *report_record_name(const struct iommuser_finding *finding, char *buffer, size_t size)
{
	if (size == 0)
		return "";
	buffer[0] = '\0';
	if (finding->kind != 0)
		(void)snprintf(buffer, size, "%s[%" PRIu64 "]",
			       or_else(iommuser_kind_name(finding->kind), "record"),
			       finding->index);
	return buffer;
}

/* Characters one by one: the bytes are valid UTF-8, and must stay so when they are cut. */
static void put_characters(struct text *text, const char *bytes, size_t size)
{
	size_t length;
	u32 character;

	while (size > 0 && !text->full) {
		length = utf8_decode(bytes, size, &character);
		if (length == 0)
			length = 1;
		text_put(text, bytes, length);
		bytes += length;
		size -= length;
	}
}

static void put_string(struct text *text, const char *string)
{
	put_characters(text, string, strlen(string));
}

static void put_hex(struct text *text, u64 value)
{
	char number[24];

	(void)snprintf(number, sizeof(number), "0x%" PRIx64, value);
	put_string(text, number);
}

static void put_decimal(struct text *text, u64 value)
{
	char number[24];

	(void)snprintf(number, sizeof(number), "%" PRIu64, value);
	put_string(text, number);
}

static void put_value(struct text *text, char which, const struct report_entry *entry)
{
	const struct iommuser_finding *finding = &entry->finding;
	char record[40];

	switch (which) {
	case 'f':
		put_hex(text, finding->found);
		break;
	case 'F':
		put_decimal(text, finding->found);
		break;
	case 'e':
		put_hex(text, finding->expected);
		break;
	case 'E':
		put_decimal(text, finding->expected);
		break;
	case 'r':
		report_record_name(finding, record, sizeof(record));
		put_string(text, or_else(record, "the record"));
		break;
	case 'n':
		put_string(text, or_else(iommuser_field_name(finding->field), "a field"));
		break;
	case 'd':
		put_string(text, or_else(entry->detail, "?"));
		break;
	default:
		text_put(text, &which, 1);
		break;
	}
}

const char *report_message(const struct report_entry *entry, char *buffer, size_t size)
{
	const char *at = explain_id(entry->finding.id)->message;
	struct text text = text_start(buffer, size);
	size_t plain;

	while (*at != '\0' && !text.full) {
		plain = strcspn(at, "%");
		put_characters(&text, at, plain);
		at += plain;
		if (at[0] == '%' && at[1] != '\0') {
			put_value(&text, at[1], entry);
			at++;
		}
		if (at[0] != '\0')
			at++;
	}
	return size > 0 ? buffer : "";
}
