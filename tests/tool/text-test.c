// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of text for people: tables, widths, wrapping, colour.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "color.h"
#include "text.h"

static char printed[4096];
static int saved = -1;
static FILE *file;

static void capture(void)
{
	file = tmpfile();
	assert_non_null(file);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
}

static const char *captured(void)
{
	size_t length;

	fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	rewind(file);
	length = fread(printed, 1, sizeof(printed) - 1, file);
	printed[length] = '\0';
	fclose(file);
	return printed;
}

static const struct output_field fields[] = {
	OUTPUT_FIELD("name", OUTPUT_TEXT, "of it", .heading = "name"),
	OUTPUT_FIELD("hidden", OUTPUT_NUMBER, "without a column"),
	OUTPUT_FIELD("phys", OUTPUT_HEX, "of it", .heading = "address", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("state", OUTPUT_TEXT, "of it", .heading = "state", .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("live", OUTPUT_FLAG, "is it?", .heading = "live"),
	OUTPUT_FIELDS_END,
};

static const struct output_object kind = { .name = "thing", .what = "a thing", .fields = fields };

static struct json_object *thing(const char *name, u64 phys, bool live)
{
	struct json_object *object = output_new(&kind);

	put_text(object, "name", name);
	put_number(object, "hidden", 1);
	put_hex_or_null(object, "phys", phys != 0, phys);
	put_flag(object, "live", live);
	return object;
}

static struct json_object *things(void)
{
	struct json_object *array = json_object_new_array();

	json_object_array_add(array, thing("a", 0x1000, true));
	json_object_array_add(array, thing("b\xc3\xa9\xc3\xa9", 0, false));
	json_object_array_add(array, thing("\xe6\x9d\xb1\xe4\xba\xac", 0x20, false));
	return array;
}

static void columns_are_the_fields_with_a_heading(void **state)
{
	struct json_object *array = things();

	(void)state;
	capture();
	text_objects("Things", array, &kind, 10);
	assert_string_equal(captured(), "\nThings\n"
					"  name  address  live\n"
					"  a     0x1000   yes\n"
					"  b\xc3\xa9\xc3\xa9   -        no\n"
					"  \xe6\x9d\xb1\xe4\xba\xac  0x20     no\n");
	json_object_put(array);
}

static void optional_members_have_a_column_where_one_has_them(void **state)
{
	struct json_object *array = things();

	(void)state;
	put_text(json_object_array_get_idx(array, 2), "state", "left");
	capture();
	text_objects("Things", array, &kind, 10);
	assert_string_equal(captured(), "\nThings\n"
					"  name  address  state  live\n"
					"  a     0x1000   -      yes\n"
					"  b\xc3\xa9\xc3\xa9   -        -      no\n"
					"  \xe6\x9d\xb1\xe4\xba\xac  0x20     left   no\n");
	json_object_put(array);
}

static void limits_are_told(void **state)
{
	struct json_object *array = things(), *none = json_object_new_array();

	(void)state;
	capture();
	text_objects("Things", array, &kind, 1);
	assert_string_equal(captured(), "\nThings\n"
					"  name  address  live\n"
					"  a     0x1000   yes\n"
					"  ... and 2 more (--limit)\n");
	capture();
	text_objects("Things", none, &kind, 10);
	assert_string_equal(captured(), "");
	json_object_put(array);
	json_object_put(none);
}

static void widths_are_columns(void **state)
{
	(void)state;
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("plain"), 5);
	assert_int_equal(text_width("\xc3\xa9t\xc3\xa9"), 3);
	/* Wide characters, and a combining one. */
	assert_int_equal(text_width("\xe6\x9d\xb1\xe4\xba\xac"), 4);
	assert_int_equal(text_width("e\xcc\x81"), 1);
	/* What is no UTF-8 takes a column a byte. */
	assert_int_equal(text_width("a\xff\xc3"), 3);
	capture();
	text_pad("\xc3\xa9", 4);
	text_pad("long", 2);
	assert_string_equal(captured(), "\xc3\xa9   long");
}

static void lines_are_wrapped_at_79_columns(void **state)
{
	char line[200], expected[300];
	size_t i, used = 0;

	(void)state;
	for (i = 0; i < 20; i++)
		used += (size_t)snprintf(line + used, sizeof(line) - used, "%s\xc3\xa9xyz",
					 i ? " " : "");
	capture();
	text_labelled("Note", line, 9);
	captured();
	/* 14 words of 4 columns and the spaces between are 69 columns, after an indent of 9. */
	snprintf(expected, sizeof(expected), "Note     %.*s\n         %s\n", 14 * 6 - 1, line,
		 line + 14 * 6);
	assert_string_equal(printed, expected);
}

static void numbers_are_for_people(void **state)
{
	char buffer[32];

	(void)state;
	assert_string_equal(text_size(0, buffer, sizeof(buffer)), "0 bytes");
	assert_string_equal(text_size(1023, buffer, sizeof(buffer)), "1023 bytes");
	assert_string_equal(text_size(4096, buffer, sizeof(buffer)), "4 KiB");
	assert_string_equal(text_size(4304896, buffer, sizeof(buffer)), "4.1 MiB");
	assert_string_equal(text_size(~0ULL, buffer, sizeof(buffer)), "16384.0 PiB");
	assert_string_equal(text_plural(0, "file", buffer, sizeof(buffer)), "0 files");
	assert_string_equal(text_plural(1, "file", buffer, sizeof(buffer)), "1 file");
	assert_string_equal(text_plural(2, "file", buffer, sizeof(buffer)), "2 files");
}

static void members_are_found_or_not(void **state)
{
	struct json_object *object = thing("a", 0, true);

	(void)state;
	assert_string_equal(text_string(object, "name"), "a");
	assert_int_equal(json_object_get_uint64(text_find(object, "hidden")), 1);
	/* Null, and absent. */
	assert_null(text_find(object, "phys"));
	assert_null(text_find(object, "state"));
	assert_null(text_string(object, "state"));
	assert_null(text_find(NULL, "name"));
	json_object_put(object);
}

static void color_is_of_verdicts_alone(void **state)
{
	(void)state;
	color_init(COLOR_NEVER);
	assert_string_equal(color_on("error"), "");
	assert_string_equal(color_off("error"), "");
	color_init(COLOR_ALWAYS);
	assert_string_equal(color_on("error"), "\033[1;31m");
	assert_string_equal(color_off("error"), "\033[0m");
	assert_string_equal(color_on("ok"), "\033[1;32m");
	assert_string_equal(color_on("info"), "");
	assert_string_equal(color_off("info"), "");
	/* A file is no terminal. */
	capture();
	color_init(COLOR_AUTO);
	captured();
	assert_string_equal(color_on("error"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_the_fields_with_a_heading),
		cmocka_unit_test(optional_members_have_a_column_where_one_has_them),
		cmocka_unit_test(limits_are_told),
		cmocka_unit_test(widths_are_columns),
		cmocka_unit_test(lines_are_wrapped_at_79_columns),
		cmocka_unit_test(numbers_are_for_people),
		cmocka_unit_test(members_are_found_or_not),
		cmocka_unit_test(color_is_of_verdicts_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
