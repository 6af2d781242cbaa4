// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests that every finding code has words, and that these are well formed.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "explain.h"

static const char *code_of(unsigned int id)
{
	return iommuser_finding_code((enum iommuser_finding_id)id);
}

static const struct explanation *words_of(unsigned int id)
{
	return explain_id((enum iommuser_finding_id)id);
}

static void require(bool condition, unsigned int id, const char *what)
{
	if (!condition)
		fail_msg("%s: %s", code_of(id), what);
}

/* AREA-NN: capitals, then two digits that are not 00. */
static bool is_well_formed(const char *code)
{
	size_t area = strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	const char *number = code + area + 1;

	return area > 0 && code[area] == '-' && strlen(number) == 2 &&
	       strspn(number, "0123456789") == 2 && strcmp(number, "00") != 0;
}

static void codes_are_well_formed(void **state)
{
	unsigned int id;

	(void)state;
	assert_true(IOMMUSER_NR_FINDINGS > 0);
	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		assert_non_null(code_of(id));
		require(is_well_formed(code_of(id)), id, "is not AREA-NN");
	}
}

static void codes_are_unique(void **state)
{
	unsigned int id, other;

	(void)state;
	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		for (other = 0; other < id; other++)
			require(strcmp(code_of(id), code_of(other)) != 0, id, "is used twice");
	}
}

static void every_code_has_words(void **state)
{
	unsigned int id;

	(void)state;
	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		const struct explanation *words = words_of(id);

		require(words->message && strlen(words->message) > 10, id, "no message");
		require(words->meaning && strlen(words->meaning) > 40, id, "no meaning");
		require(words->action && strlen(words->action) > 20, id, "no action");
	}
}

static void no_two_codes_have_the_same_words(void **state)
{
	unsigned int id, other;

	(void)state;
	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		for (other = 0; other < id; other++) {
			require(strcmp(words_of(id)->message, words_of(other)->message) != 0, id,
				"message of another code");
			require(strcmp(words_of(id)->meaning, words_of(other)->meaning) != 0, id,
				"meaning of another code");
		}
	}
}

/* Whole sentences, with single blanks between words. */
static void require_prose(unsigned int id, const char *text)
{
	size_t length = strlen(text), i;

	require(isalpha((unsigned char)text[0]), id, "does not start with a word");
	require(text[length - 1] == '.', id, "does not end a sentence");
	require(!strstr(text, "  "), id, "two blanks");
	for (i = 0; i < length; i++) {
		require((unsigned char)text[i] >= ' ' && (unsigned char)text[i] < 0x7f, id,
			"not plain ASCII");
		/* A dot may stand inside a word: 7.3, a parameter's name. */
		if (strchr(".;:", text[i]) && i + 1 < length)
			require(text[i + 1] == ' ' || text[i + 1] == '\"' ||
					isalnum((unsigned char)text[i + 1]),
				id, "no blank after a stop");
		if (text[i] == '.' && i + 1 < length && isupper((unsigned char)text[i + 1]))
			require(false, id, "two sentences run together");
	}
}

static void texts_are_prose(void **state)
{
	unsigned int id;

	(void)state;
	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		require_prose(id, words_of(id)->meaning);
		require_prose(id, words_of(id)->action);
	}
}

static void messages_use_known_placeholders(void **state)
{
	unsigned int id;

	(void)state;
	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		const char *message = words_of(id)->message, *percent;

		require(message[strlen(message) - 1] != '.', id, "a message has no full stop");
		for (percent = strchr(message, '%'); percent; percent = strchr(percent + 2, '%'))
			require(percent[1] != '\0' && strchr("feFErnd%", percent[1]), id,
				"unknown placeholder");
	}
}

static void errors_tell_not_to_go_on(void **state)
{
	static const char *const ways_out[] = { "Do not kexec", "do not kexec" };
	unsigned int id, way;
	bool told;

	(void)state;
	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		if (iommuser_finding_severity((enum iommuser_finding_id)id) != IOMMUSER_ERROR)
			continue;
		told = false;
		for (way = 0; way < sizeof(ways_out) / sizeof(ways_out[0]); way++)
			told = told || strstr(words_of(id)->action, ways_out[way]);
		require(told, id, "an error whose action does not say what to do about the kexec");
	}
}

/* What can be met when it is too late has words for that, and these are not those of a choice. */
static void errors_tell_what_to_do_afterwards(void **state)
{
	unsigned int id, told = 0;

	(void)state;
	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		const char *afterwards = explain_afterwards((enum iommuser_finding_id)id);
		bool is_error = iommuser_finding_severity((enum iommuser_finding_id)id) ==
				IOMMUSER_ERROR;

		if (!is_error || id == IOMMUSER_FINDING_REC_STATE ||
		    id == IOMMUSER_FINDING_REC_STATE_COUNT) {
			require(!afterwards, id,
				"words for afterwards where nothing is to be done");
			continue;
		}
		require(afterwards, id, "an error without words for afterwards");
		require_prose(id, afterwards);
		require(!strcasestr(afterwards, "do not kexec"), id, "too late for that");
		told++;
	}
	assert_true(told > 100);
}

static void afterwards_goes_by_what_the_next_kernel_does(void **state)
{
	const char *kho = explain_afterwards(IOMMUSER_FINDING_KHO_FDT_UNSOUND);
	const char *luo = explain_afterwards(IOMMUSER_FINDING_LUO_STATE_INVALID);
	const char *seal = explain_afterwards(IOMMUSER_FINDING_SEAL_ROOT);

	(void)state;
	assert_non_null(strstr(kho, "as if there were no handover"));
	assert_non_null(strstr(luo, "/dev/liveupdate"));
	assert_string_equal(explain_afterwards(IOMMUSER_FINDING_CLOSURE_LUO), luo);
	assert_non_null(strstr(seal, "on_error=block"));
	assert_string_equal(explain_afterwards(IOMMUSER_FINDING_PT_RESERVED), seal);
	assert_non_null(
		strstr(explain_afterwards(IOMMUSER_FINDING_CLOSURE_LEAF), "verify=closure"));
	assert_non_null(strstr(explain_afterwards(IOMMUSER_FINDING_REF_FILE_DEVICE), "abandons"));
	assert_non_null(strstr(explain_afterwards(IOMMUSER_FINDING_REC_VALUE), "intel_iommu="));
	assert_non_null(strstr(explain_afterwards(IOMMUSER_FINDING_DID_COLLISION), "taken the ID"));
}

static void codes_are_found_as_typed(void **state)
{
	unsigned int id;

	(void)state;
	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++)
		assert_int_equal(explain_find(code_of(id)), id);
	assert_int_equal(explain_find("did-03"), IOMMUSER_FINDING_DID_COLLISION);
	assert_int_equal(explain_find("Did-03"), IOMMUSER_FINDING_DID_COLLISION);
	assert_int_equal(explain_find(""), IOMMUSER_NR_FINDINGS);
	assert_int_equal(explain_find("DID"), IOMMUSER_NR_FINDINGS);
	assert_int_equal(explain_find("DID-3"), IOMMUSER_NR_FINDINGS);
	assert_int_equal(explain_find("DID-033"), IOMMUSER_NR_FINDINGS);
	assert_int_equal(explain_find("DID-99"), IOMMUSER_NR_FINDINGS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_well_formed),
		cmocka_unit_test(codes_are_unique),
		cmocka_unit_test(every_code_has_words),
		cmocka_unit_test(no_two_codes_have_the_same_words),
		cmocka_unit_test(texts_are_prose),
		cmocka_unit_test(messages_use_known_placeholders),
		cmocka_unit_test(errors_tell_not_to_go_on),
		cmocka_unit_test(errors_tell_what_to_do_afterwards),
		cmocka_unit_test(afterwards_goes_by_what_the_next_kernel_does),
		cmocka_unit_test(codes_are_found_as_typed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
