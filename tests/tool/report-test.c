// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of collected findings: escaping, status, bounds, messages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <iommuser/records.h>
#include <kho/abi/iommuser.h>

#include "report.h"

static const char *escaped(const char *bytes, size_t size)
{
	static char buffer[256];

	return escape_text(bytes, size, buffer, sizeof(buffer));
}

#define assert_escaped(bytes, expected) \
	assert_string_equal(escaped(bytes, sizeof(bytes) - 1), expected)

static void printable_text_stays(void **state)
{
	(void)state;
	assert_escaped("", "");
	assert_escaped("plain \"name\" 'x' %s ~", "plain \"name\" 'x' %s ~");
	assert_escaped("\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9");
	assert_escaped("\xe2\x82\xac", "\xe2\x82\xac");
	assert_escaped("\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7");
	assert_escaped("\xed\x9f\xbf\xef\xbf\xbd", "\xed\x9f\xbf\xef\xbf\xbd");
}

static void controls_are_escaped(void **state)
{
	(void)state;
	assert_escaped("\x1b[31mred\x07", "\\x1b[31mred\\x07");
	assert_escaped("a\nb\tc\r\x7f", "a\\x0ab\\x09c\\x0d\\x7f");
	assert_escaped("C1 \xc2\x9b", "C1 \\xc2\\x9b");
	assert_escaped("a\\x41", "a\\x5cx41");
}

static void what_hides_or_reorders_is_escaped(void **state)
{
	(void)state;
	/* NOLINTNEXTLINE(misc-misleading-bidirectional): this is what must be escaped */
	assert_escaped("\xe2\x80\xae", "\\xe2\\x80\\xae");
	assert_escaped("\xe2\x80\x8b", "\\xe2\\x80\\x8b");
	assert_escaped("\xe2\x80\xa8", "\\xe2\\x80\\xa8");
	/* Isolates; characters without width or ink; variation selectors. */
	assert_escaped("\xe2\x81\xa6\xe2\x81\xa9", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9");
	assert_escaped("\xe1\x85\x9f\xe3\x85\xa4", "\\xe1\\x85\\x9f\\xe3\\x85\\xa4");
	assert_escaped("\xcd\x8f\xd8\x9c", "\\xcd\\x8f\\xd8\\x9c");
	assert_escaped("\xef\xb8\x8f", "\\xef\\xb8\\x8f");
	assert_escaped("\xef\xbb\xbf", "\\xef\\xbb\\xbf");
	assert_escaped("\xef\xbf\xbf", "\\xef\\xbf\\xbf");
	assert_escaped("\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81");
}

static void broken_utf8_is_escaped(void **state)
{
	(void)state;
	assert_escaped("\x80", "\\x80");
	assert_escaped("\xff\xfe", "\\xff\\xfe");
	assert_escaped("\xc3", "\\xc3");
	assert_escaped("\xc3(", "\\xc3(");
	assert_escaped("\xe2\x82", "\\xe2\\x82");
	assert_escaped("\xe2\x82\xc3\xa9", "\\xe2\\x82\xc3\xa9");
	/* Overlong forms, surrogates, beyond the last character. */
	assert_escaped("\xc0\xaf", "\\xc0\\xaf");
	assert_escaped("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	assert_escaped("\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf");
	assert_escaped("\xed\xa0\x80", "\\xed\\xa0\\x80");
	assert_escaped("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	assert_escaped("\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80");
}

static void text_ends_at_a_nul_or_at_its_size(void **state)
{
	static const char unterminated[] = { 'a', 'b', 'c', 'd' };

	(void)state;
	assert_string_equal(escaped("ab\0cd", 5), "ab");
	assert_string_equal(escaped(unterminated, 4), "abcd");
	assert_string_equal(escaped(unterminated, 2), "ab");
	assert_string_equal(escaped("\xe2\x82\xac", 2), "\\xe2\\x82");
	assert_string_equal(escaped("ab", 0), "");
}

static void nothing_is_cut_in_two(void **state)
{
	char buffer[8];

	(void)state;
	memset(buffer, '#', sizeof(buffer));
	assert_string_equal(escape_text("abcdefghij", 10, buffer, 4), "abc");
	assert_int_equal(buffer[4], '#');
	assert_string_equal(escape_text("ab\x01", 3, buffer, 6), "ab");
	assert_string_equal(escape_text("ab\x01", 3, buffer, 7), "ab\\x01");
	assert_string_equal(escape_text("ab\xe2\x82\xac", 5, buffer, 5), "ab");
	assert_string_equal(escape_text("ab\xe2\x82\xac", 5, buffer, 6), "ab\xe2\x82\xac");
	/* Once something was left out, nothing follows. */
	assert_string_equal(escape_text("a\xe2\x82\xac"
					"b",
					5, buffer, 4),
			    "a");
	assert_string_equal(escape_text("abc", 3, buffer, 1), "");
	assert_string_equal(escape_text("abc", 3, buffer, 0), "");
}

static void status_follows_the_worst_finding(void **state)
{
	struct report *report = report_new();

	(void)state;
	assert_non_null(report);
	assert_string_equal(report_status(report), "ok");
	report_add(report, IOMMUSER_FINDING_LUO_HANDLER_UNKNOWN, 0, 0, 0, "vfio-x", 6);
	assert_string_equal(report_status(report), "ok");
	report_add(report, IOMMUSER_FINDING_KHO_FDT_NEARLY_FULL, 0, 0, 0, NULL, 0);
	assert_string_equal(report_status(report), "warnings");
	report_add(report, IOMMUSER_FINDING_LUO_UNREADABLE, 0, 0, 0, NULL, 0);
	assert_string_equal(report_status(report), "incomplete");
	report_add(report, IOMMUSER_FINDING_KHO_FDT_UNSOUND, 0, 0, 0, NULL, 0);
	assert_string_equal(report_status(report), "errors");
	report_add(report, IOMMUSER_FINDING_LUO_UNREADABLE, 0, 0, 0, NULL, 0);
	assert_string_equal(report_status(report), "errors");
	assert_int_equal(report_count(report, IOMMUSER_INFO), 1);
	assert_int_equal(report_count(report, IOMMUSER_WARNING), 1);
	assert_int_equal(report_count(report, IOMMUSER_INCOMPLETE), 2);
	assert_int_equal(report_count(report, IOMMUSER_ERROR), 1);
	assert_int_equal(report_count_id(report, IOMMUSER_FINDING_LUO_UNREADABLE), 2);
	assert_int_equal(report_count_id(report, IOMMUSER_FINDING_SEAL_ROOT), 0);
	assert_int_equal(
		report_count_both(report, IOMMUSER_FINDING_LUO_UNREADABLE, IOMMUSER_INCOMPLETE), 2);
	assert_int_equal(report_count_both(report, IOMMUSER_FINDING_LUO_UNREADABLE, IOMMUSER_ERROR),
			 0);
	report_free(report);
	report_free(NULL);
}

static void severities_have_names(void **state)
{
	(void)state;
	assert_string_equal(severity_name(IOMMUSER_ERROR), "error");
	assert_string_equal(severity_name(IOMMUSER_INCOMPLETE), "warning");
	assert_string_equal(severity_name(IOMMUSER_WARNING), "warning");
	assert_string_equal(severity_name(IOMMUSER_INFO), "info");
}

static void gaps_are_told_from_warnings(void **state)
{
	unsigned int id, gaps = 0;
	const char *words, *word;
	size_t length;

	(void)state;
	assert_string_equal(severity_word(IOMMUSER_ERROR), "error");
	assert_string_equal(severity_word(IOMMUSER_INCOMPLETE), "gap");
	assert_string_equal(severity_word(IOMMUSER_WARNING), "warning");
	assert_string_equal(severity_word(IOMMUSER_INFO), "info");
	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		words = severity_words((enum iommuser_finding_id)id);
		word = severity_word(iommuser_finding_severity((enum iommuser_finding_id)id));
		length = strlen(word);
		gaps += strstr(words, "INCOMPLETE") != NULL;
		assert_int_equal(strncmp(words, word, length), 0);
		assert_true(words[length] == '\0' || words[length] == ':' || words[length] == ';');
	}
	assert_true(gaps > 5);
	assert_string_equal(severity_words(IOMMUSER_FINDING_LUO_UNREADABLE),
			    "gap: makes the verdict INCOMPLETE");
	assert_string_equal(severity_words(IOMMUSER_FINDING_KHO_NOT_SELF_REFERENT),
			    "error; a warning in an image taken after boot");
}

static void a_finding_keeps_its_own_severity(void **state)
{
	const struct iommuser_finding finding = {
		.id = IOMMUSER_FINDING_CHAIN_UNREADABLE,
		.severity = IOMMUSER_INCOMPLETE,
		.kind = IOMMUSER_KIND_DEVICE,
		.index = 3,
		.phys = 0x1000,
	};
	struct report *report = report_new();
	struct iommuser_reporter reporter = report_reporter(report);
	const struct report_entry *entry;

	(void)state;
	reporter.report(reporter.ctx, &finding);
	assert_int_equal(report_nr_kept(report), 1);
	assert_string_equal(report_status(report), "incomplete");
	entry = report_get(report, 0);
	assert_non_null(entry);
	assert_memory_equal(&entry->finding, &finding, sizeof(finding));
	assert_string_equal(entry->detail, "");
	assert_null(report_get(report, 1));
	report_free(report);
}

static void the_number_kept_is_bounded_the_counts_are_not(void **state)
{
	const u64 total = 100003;
	struct report *report = report_new();
	const struct report_entry *last;
	u64 i;

	(void)state;
	for (i = 0; i < total; i++)
		report_add(report, IOMMUSER_FINDING_KHO_BLOCKS_OVERLAP, i, 0, 0, NULL, 0);
	assert_int_equal(report_nr_kept(report), 100000);
	assert_int_equal(report_count(report, IOMMUSER_ERROR), total);
	assert_int_equal(report_count_id(report, IOMMUSER_FINDING_KHO_BLOCKS_OVERLAP), total);
	last = report_get(report, 99999);
	assert_non_null(last);
	assert_int_equal(last->finding.phys, 99999);
	assert_null(report_get(report, 100000));
	report_free(report);
}

static void details_are_escaped_and_cut(void **state)
{
	struct report *report = report_new();
	char name[200];

	(void)state;
	memset(name, '\x1b', sizeof(name));
	report_add(report, IOMMUSER_FINDING_LUO_SESSION_NAME, 0, 0, 0, name, sizeof(name));
	report_add(report, IOMMUSER_FINDING_LUO_SESSION_NAME, 0, 0, 0, "vm\x07-1\0rest", 10);
	assert_int_equal(strlen(report_get(report, 0)->detail), 116);
	assert_string_equal(report_get(report, 0)->detail + 112, "\\x1b");
	assert_string_equal(report_get(report, 1)->detail, "vm\\x07-1");
	report_free(report);
}

static void records_have_names(void **state)
{
	struct iommuser_finding finding = { .kind = IOMMUSER_KIND_DEVICE, .index = 3 };
	char buffer[40];

	(void)state;
	assert_string_equal(report_record_name(&finding, buffer, sizeof(buffer)), "device[3]");
	finding.kind = IOMMUSER_KIND_HWPT;
	finding.index = UINT64_MAX;
	assert_string_equal(report_record_name(&finding, buffer, sizeof(buffer)),
			    "hwpt[18446744073709551615]");
	assert_string_equal(report_record_name(&finding, buffer, 5), "hwpt");
	finding.kind = 0;
	assert_string_equal(report_record_name(&finding, buffer, sizeof(buffer)), "");
	finding.kind = 99;
	finding.index = 1;
	assert_string_equal(report_record_name(&finding, buffer, sizeof(buffer)), "record[1]");
	assert_string_equal(report_record_name(&finding, buffer, 0), "");
}

static const char *message_of(const struct report_entry *entry)
{
	static char buffer[512];

	return report_message(entry, buffer, sizeof(buffer));
}

static void messages_carry_the_values(void **state)
{
	struct report_entry entry = {
		.finding = {
			.id = IOMMUSER_FINDING_DID_ENTRY,
			.kind = IOMMUSER_KIND_DEVICE,
			.index = 7,
			.found = 12,
			.expected = 34,
		},
		.detail = "vm-1",
	};

	(void)state;
	assert_non_null(strstr(message_of(&entry), "device[7]"));
	assert_non_null(strstr(message_of(&entry), "12"));
	assert_non_null(strstr(message_of(&entry), "34"));
	entry.finding.id = IOMMUSER_FINDING_SEAL_ROOT;
	assert_non_null(strstr(message_of(&entry), "0xc"));
	assert_non_null(strstr(message_of(&entry), "0x22"));
	entry.finding.id = IOMMUSER_FINDING_LUO_SESSION_DUPLICATE;
	assert_non_null(strstr(message_of(&entry), "vm-1"));
	entry.finding.id = IOMMUSER_FINDING_REC_VALUE;
	entry.finding.field = IOMMUSER_FIELD_TOP_LEVEL;
	assert_non_null(strstr(message_of(&entry), "top_level"));
}

static void messages_need_no_record_field_or_detail(void **state)
{
	struct report_entry entry = { .finding = { .id = IOMMUSER_FINDING_REC_VALUE } };

	(void)state;
	assert_non_null(strstr(message_of(&entry), "the record"));
	assert_non_null(strstr(message_of(&entry), "a field"));
	entry.finding.id = IOMMUSER_FINDING_LUO_SESSION_DUPLICATE;
	assert_non_null(strstr(message_of(&entry), "\"?\""));
}

static void every_message_is_filled_in(void **state)
{
	struct report_entry entry = {
		.finding = { .kind = IOMMUSER_KIND_DOMAIN, .index = 1, .found = 2, .expected = 3 },
		.detail = "detail",
	};
	unsigned int id;

	(void)state;
	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		const char *message;

		entry.finding.id = (enum iommuser_finding_id)id;
		message = message_of(&entry);
		assert_true(strlen(message) > 10);
		assert_true(strlen(message) < 200);
		assert_null(strchr(message, '%'));
	}
	assert_true(id > 0);
}

static void messages_are_cut_between_characters(void **state)
{
	struct report_entry entry = {
		.finding = { .id = IOMMUSER_FINDING_LUO_SESSION_DUPLICATE },
		.detail = "\xe2\x82\xac\xe2\x82\xac",
	};
	char whole[128], cut[128];
	size_t size, length, end;

	(void)state;
	report_message(&entry, whole, sizeof(whole));
	length = strlen(whole);
	assert_non_null(strstr(whole, entry.detail));
	for (size = 1; size <= length; size++) {
		memset(cut, '#', sizeof(cut));
		report_message(&entry, cut, size);
		end = strlen(cut);
		assert_true(end < size);
		assert_memory_equal(cut, whole, end);
		/* What follows the cut starts a character. */
		assert_int_not_equal(whole[end] & 0xc0, 0x80);
		assert_int_equal(cut[size], '#');
	}
	assert_string_equal(report_message(&entry, cut, 0), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printable_text_stays),
		cmocka_unit_test(controls_are_escaped),
		cmocka_unit_test(what_hides_or_reorders_is_escaped),
		cmocka_unit_test(broken_utf8_is_escaped),
		cmocka_unit_test(text_ends_at_a_nul_or_at_its_size),
		cmocka_unit_test(nothing_is_cut_in_two),
		cmocka_unit_test(status_follows_the_worst_finding),
		cmocka_unit_test(severities_have_names),
		cmocka_unit_test(gaps_are_told_from_warnings),
		cmocka_unit_test(a_finding_keeps_its_own_severity),
		cmocka_unit_test(the_number_kept_is_bounded_the_counts_are_not),
		cmocka_unit_test(details_are_escaped_and_cut),
		cmocka_unit_test(records_have_names),
		cmocka_unit_test(messages_carry_the_values),
		cmocka_unit_test(messages_need_no_record_field_or_detail),
		cmocka_unit_test(every_message_is_filled_in),
		cmocka_unit_test(messages_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
