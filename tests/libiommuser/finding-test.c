// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the default severities: every code is an error, but for these.
 */
#include "image.h"

#include <string.h>

static const struct {
	const char *code;
	enum iommuser_severity severity;
} others[] = {
	{ "KHO-10", IOMMUSER_INCOMPLETE }, { "KHO-20", IOMMUSER_INCOMPLETE },
	{ "KHO-21", IOMMUSER_INCOMPLETE }, { "LUO-26", IOMMUSER_INCOMPLETE },
	{ "LUO-28", IOMMUSER_INCOMPLETE }, { "REF-13", IOMMUSER_INCOMPLETE },
	{ "VTD-20", IOMMUSER_INCOMPLETE }, { "KHO-14", IOMMUSER_WARNING },
	{ "KHO-16", IOMMUSER_WARNING },	   { "KHO-17", IOMMUSER_WARNING },
	{ "LUO-29", IOMMUSER_WARNING },	   { "REC-12", IOMMUSER_WARNING },
	{ "REC-24", IOMMUSER_WARNING },	   { "REC-25", IOMMUSER_WARNING },
	{ "PT-07", IOMMUSER_WARNING },	   { "PT-10", IOMMUSER_WARNING },
	{ "PT-11", IOMMUSER_WARNING },	   { "KHO-18", IOMMUSER_INFO },
	{ "LUO-24", IOMMUSER_INFO },	   { "VTD-21", IOMMUSER_INFO },
	{ "CLOSURE-06", IOMMUSER_INFO },   { "CLOSURE-08", IOMMUSER_INFO },
};

static enum iommuser_severity expected(const char *code)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(others[i].code, code))
			return others[i].severity;
	return IOMMUSER_ERROR;
}

static void every_code_has_its_severity(void **state)
{
	u32 id, count = 0;

	(void)state;
	for (id = 0; id < IOMMUSER_NR_FINDINGS; id++) {
		const char *code = iommuser_finding_code(id);

		assert_non_null(code);
		assert_int_equal(iommuser_finding_severity(id), expected(code));
		count += expected(code) != IOMMUSER_ERROR;
	}
	assert_int_equal(count, ARRAY_SIZE(others));
	assert_null(iommuser_finding_code(IOMMUSER_NR_FINDINGS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_its_severity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
