// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of objects for output against their tables of fields, and of the
 * schema made of these.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "commands.h"
#include "output.h"
#include "schema.h"

static const char *const colors[] = { "red", "green", NULL };

static const struct output_field leaf_fields[] = {
	OUTPUT_FIELD("address", OUTPUT_HEX, "where"),
	OUTPUT_FIELDS_END,
};

static const struct output_object leaf = { .name = "leaf",
					   .what = "a leaf",
					   .fields = leaf_fields };

static const struct output_field tree_fields[] = {
	OUTPUT_FIELD("name", OUTPUT_TEXT, "of it"),
	OUTPUT_FIELD("color", OUTPUT_TEXT, "of it", .values = colors, .flags = OUTPUT_NULL),
	OUTPUT_FIELD("height", OUTPUT_NUMBER, "of it", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("alive", OUTPUT_FLAG, "is it?", .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("top", OUTPUT_OBJECT, "of it", .object = &leaf, .flags = OUTPUT_NULL),
	OUTPUT_FIELD("leaves", OUTPUT_OBJECTS, "of it", .object = &leaf),
	OUTPUT_FIELD("words", OUTPUT_TEXTS, "on it"),
	OUTPUT_FIELD("roots", OUTPUT_HEXES, "of it"),
	OUTPUT_FIELDS_END,
};

static const struct output_object tree = { .name = "tree",
					   .what = "a tree",
					   .fields = tree_fields };

static struct json_object *new_leaf(void)
{
	struct json_object *object = output_new(&leaf);

	put_hex(object, "address", 0x1000);
	return object;
}

static struct json_object *array_of(struct json_object *element)
{
	struct json_object *array = json_object_new_array();

	json_object_array_add(array, element);
	return array;
}

static struct json_object *new_tree(void)
{
	struct json_object *object = output_new(&tree);

	put_text(object, "name", "oak");
	put_text(object, "color", "green");
	put_number(object, "height", 1ULL << 63);
	put_flag(object, "alive", true);
	put_object(object, "top", new_leaf());
	put_object(object, "leaves", array_of(new_leaf()));
	put_object(object, "words", array_of(json_object_new_string("keep off")));
	put_object(object, "roots", array_of(json_object_new_string("0x0")));
	return object;
}

/* Replace a member, past the checks; what is then said to be wrong. Takes over the object. */
static const char *wrong_with(struct json_object *object, const char *key,
			      struct json_object *value)
{
	struct output_place where = { NULL, NULL };
	const char *found = "nothing";

	if (key)
		json_object_object_add(object, key, value);
	if (!output_complete(object, &tree, &where))
		found = where.key;
	json_object_put(object);
	return found;
}

static struct json_object *text(const char *string)
{
	return json_object_new_string(string);
}

static void complete_objects_are(void **state)
{
	(void)state;
	assert_string_equal(wrong_with(new_tree(), NULL, NULL), "nothing");
	assert_string_equal(wrong_with(new_tree(), "color", NULL), "nothing");
	assert_string_equal(wrong_with(new_tree(), "height", NULL), "nothing");
	assert_string_equal(wrong_with(new_tree(), "top", NULL), "nothing");
	assert_string_equal(wrong_with(new_tree(), "leaves", json_object_new_array()), "nothing");
}

static void missing_members_are_found(void **state)
{
	static const char *const keys[] = { "name",   "color", "height", "top",
					    "leaves", "words", "roots" };
	struct json_object *object;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		object = new_tree();
		json_object_object_del(object, keys[i]);
		assert_string_equal(wrong_with(object, NULL, NULL), keys[i]);
	}
	object = new_tree();
	json_object_object_del(object, "alive");
	assert_string_equal(wrong_with(object, NULL, NULL), "nothing");
}

static void wrong_members_are_found(void **state)
{
	(void)state;
	assert_string_equal(wrong_with(new_tree(), "name", NULL), "name");
	assert_string_equal(wrong_with(new_tree(), "name", json_object_new_uint64(1)), "name");
	assert_string_equal(wrong_with(new_tree(), "color", text("blue")), "color");
	assert_string_equal(wrong_with(new_tree(), "height", text("1")), "height");
	assert_string_equal(wrong_with(new_tree(), "alive", json_object_new_uint64(1)), "alive");
	assert_string_equal(wrong_with(new_tree(), "alive", NULL), "alive");
	assert_string_equal(wrong_with(new_tree(), "top", new_tree()), "top");
	assert_string_equal(wrong_with(new_tree(), "top", json_object_new_object()), "top");
	assert_string_equal(wrong_with(new_tree(), "leaves", NULL), "leaves");
	assert_string_equal(wrong_with(new_tree(), "leaves", array_of(new_tree())), "leaves");
	assert_string_equal(wrong_with(new_tree(), "leaves", array_of(NULL)), "leaves");
	assert_string_equal(wrong_with(new_tree(), "words", array_of(new_leaf())), "words");
	assert_string_equal(wrong_with(new_tree(), "roots", array_of(text("1000"))), "roots");
	/* In what is in it. */
	assert_string_equal(wrong_with(new_tree(), "top", output_new(&leaf)), "address");
	assert_string_equal(wrong_with(new_tree(), "leaves", array_of(output_new(&leaf))),
			    "address");
}

static void another_kind_is_found(void **state)
{
	struct json_object *object = new_leaf();
	struct output_place where;

	(void)state;
	assert_true(output_complete(object, &leaf, &where));
	assert_false(output_complete(object, &tree, &where));
	json_object_put(object);
}

static void addresses_are_hex(void **state)
{
	static const char *const bad[] = { "",	   "0",	   "0x",   "1000", "0X10",
					   "0x1G", "0xAB", "0x 1", "-0x1" };
	struct json_object *value;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		value = text(bad[i]);
		assert_false(output_fits(&leaf_fields[0], value));
		json_object_put(value);
	}
	value = text("0xfedcba9876543210");
	assert_true(output_fits(&leaf_fields[0], value));
	json_object_put(value);
	assert_false(output_fits(&leaf_fields[0], NULL));
}

static void values_are_written_as_documented(void **state)
{
	static const struct output_field fields[] = {
		OUTPUT_FIELD("bdf", OUTPUT_TEXT, "of a device"),
		OUTPUT_FIELD("name", OUTPUT_TEXT, "escaped"),
		OUTPUT_FIELD("a", OUTPUT_HEX, "or null", .flags = OUTPUT_NULL),
		OUTPUT_FIELD("b", OUTPUT_HEX, "or null", .flags = OUTPUT_NULL),
		OUTPUT_FIELD("c", OUTPUT_NUMBER, "or null", .flags = OUTPUT_NULL),
		OUTPUT_FIELD("d", OUTPUT_NUMBER, "or null", .flags = OUTPUT_NULL),
		OUTPUT_FIELDS_END,
	};
	static const struct output_object kind = { .name = "all", .what = "all", .fields = fields };
	struct json_object *object = output_new(&kind);

	(void)state;
	put_bdf(object, 0x1234, 0xabcd);
	put_untrusted(object, "name", "a\033b\0c", 5);
	put_hex_or_null(object, "a", true, ~0ULL);
	put_hex_or_null(object, "b", false, 1);
	put_number_or_null(object, "c", true, ~0ULL);
	put_number_or_null(object, "d", false, 1);
	assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
			    "{\"bdf\":\"1234:ab:19.5\",\"name\":\"a\\\\x1bb\","
			    "\"a\":\"0xffffffffffffffff\",\"b\":null,"
			    "\"c\":18446744073709551615,\"d\":null}");
	json_object_put(object);
}

static struct json_object *at(struct json_object *object, const char *path)
{
	char copy[160], *rest = copy, *key;

	snprintf(copy, sizeof(copy), "%s", path);
	while (object && (key = strsep(&rest, "/")))
		object = json_object_object_get(object, key);
	return object;
}

static void assert_at(struct json_object *object, const char *path, const char *expected)
{
	const char *found = json_object_to_json_string_ext(
		at(object, path), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	assert_string_equal(found, expected);
}

static void schema_says_what_the_table_says(void **state)
{
	const struct output_object *const roots[] = { &tree, NULL };
	struct json_object *schema = schema_new("trees", roots, leaf_fields);

	(void)state;
	assert_non_null(schema);
	assert_at(schema, "anyOf", "[{\"$ref\":\"#/$defs/tree\"}]");
	/* The members of a line are those of roots alone, and as needed as their table says. */
	assert_at(
		schema, "$defs/tree/required",
		"[\"address\",\"name\",\"color\",\"height\",\"top\",\"leaves\",\"words\",\"roots\"]");
	assert_at(schema, "$defs/leaf/required", "[\"address\"]");
	assert_at(schema, "$defs/leaf/additionalProperties", "false");
	assert_at(schema, "$defs/tree/properties/color",
		  "{\"description\":\"of it\",\"type\":[\"string\",\"null\"],"
		  "\"enum\":[\"red\",\"green\",null]}");
	assert_at(schema, "$defs/tree/properties/height/type", "[\"integer\",\"null\"]");
	assert_at(schema, "$defs/tree/properties/height/minimum", "0");
	assert_at(schema, "$defs/tree/properties/alive/type", "\"boolean\"");
	assert_at(schema, "$defs/tree/properties/top/anyOf",
		  "[{\"$ref\":\"#/$defs/leaf\"},{\"type\":\"null\"}]");
	assert_at(schema, "$defs/tree/properties/leaves/items", "{\"$ref\":\"#/$defs/leaf\"}");
	assert_at(schema, "$defs/tree/properties/words/items", "{\"type\":\"string\"}");
	assert_at(schema, "$defs/tree/properties/roots/items/pattern", "\"^0x[0-9a-f]+$\"");
	json_object_put(schema);
}

static void schema_refuses_two_kinds_of_one_name(void **state)
{
	static const struct output_object other = { .name = "leaf",
						    .what = "a sheet",
						    .fields = tree_fields };
	const struct output_object *const roots[] = { &tree, &other, NULL };

	(void)state;
	assert_null(schema_new("trees", roots, leaf_fields));
}

static void tables_of_commands_are_sound(void **state)
{
	const struct output_field *field;
	size_t i, nr = 0;

	(void)state;
	for (i = 0; command_at(i); i++) {
		if (!command_at(i)->output)
			continue;
		nr++;
		for (field = command_at(i)->output->fields; field->type != OUTPUT_END; field++) {
			assert_ptr_equal(output_find(command_at(i)->output, field->key), field);
			assert_int_equal(!!field->object, field->type == OUTPUT_OBJECT ||
								  field->type == OUTPUT_OBJECTS);
			assert_true(strlen(field->what) > 2);
		}
	}
	assert_true(nr >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(complete_objects_are),
		cmocka_unit_test(missing_members_are_found),
		cmocka_unit_test(wrong_members_are_found),
		cmocka_unit_test(another_kind_is_found),
		cmocka_unit_test(addresses_are_hex),
		cmocka_unit_test(values_are_written_as_documented),
		cmocka_unit_test(schema_says_what_the_table_says),
		cmocka_unit_test(schema_refuses_two_kinds_of_one_name),
		cmocka_unit_test(tables_of_commands_are_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
