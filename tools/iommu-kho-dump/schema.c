// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The JSON Schema of what commands print, from their tables of fields.
 */
#include "schema.h"

#include <stdio.h>
#include <string.h>

#define MAX_KINDS 256

/* All kinds that the roots lead to; the roots come first. */
struct kinds {
	const struct output_object *items[MAX_KINDS];
	size_t nr;
	size_t nr_roots;
};

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static bool add_kind(struct kinds *kinds, const struct output_object *kind)
{
	size_t i;

	for (i = 0; i < kinds->nr; i++) {
		if (kinds->items[i] == kind)
			return true;
		if (!strcmp(kinds->items[i]->name, kind->name))
			return false;
	}
	if (kinds->nr == MAX_KINDS)
		return false;
	kinds->items[kinds->nr++] = kind;
	return true;
}

static bool find_kinds(struct kinds *kinds, const struct output_object *const *roots)
{
	const struct output_field *field;
	size_t i;

	for (i = 0; roots[i]; i++)
		if (!add_kind(kinds, roots[i]))
			return false;
	kinds->nr_roots = kinds->nr;
	for (i = 0; i < kinds->nr; i++)
		for (field = kinds->items[i]->fields; field->type != OUTPUT_END; field++)
			if (field->object && !add_kind(kinds, field->object))
				return false;
	return true;
}

static void add_reference(struct json_object *object, const struct output_object *kind)
{
	char text[80];

	snprintf(text, sizeof(text), "#/$defs/%s", kind->name);
	add_text(object, "$ref", text);
}

static struct json_object *reference(const struct output_object *kind)
{
	struct json_object *object = json_object_new_object();

	add_reference(object, kind);
	return object;
}

static void add_hex(struct json_object *object)
{
	add_text(object, "pattern", "^0x[0-9a-f]+$");
}

/* "string", or "string" and null. */
static void add_type(struct json_object *object, const char *type, bool or_null)
{
	struct json_object *types;

	if (!or_null) {
		add_text(object, "type", type);
		return;
	}
	types = json_object_new_array();
	json_object_array_add(types, json_object_new_string(type));
	json_object_array_add(types, json_object_new_string("null"));
	json_object_object_add(object, "type", types);
}

static void add_values(struct json_object *object, const char *const *values, bool or_null)
{
	struct json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; values[i]; i++)
		json_object_array_add(array, json_object_new_string(values[i]));
	if (or_null)
		json_object_array_add(array, NULL);
	json_object_object_add(object, "enum", array);
}

static void add_reference_or_null(struct json_object *object, const struct output_object *kind)
{
	struct json_object *choices = json_object_new_array();
	struct json_object *null = json_object_new_object();

	add_text(null, "type", "null");
	json_object_array_add(choices, reference(kind));
	json_object_array_add(choices, null);
	json_object_object_add(object, "anyOf", choices);
}

static void add_items(struct json_object *object, const struct output_field *field)
{
	struct json_object *items;

	add_type(object, "array", field->flags & OUTPUT_NULL);
	if (field->type == OUTPUT_OBJECTS) {
		items = reference(field->object);
	} else {
		items = json_object_new_object();
		add_text(items, "type", "string");
		if (field->type == OUTPUT_HEXES)
			add_hex(items);
	}
	json_object_object_add(object, "items", items);
}

static struct json_object *schema_of_field(const struct output_field *field)
{
	struct json_object *object = json_object_new_object();
	bool or_null = field->flags & OUTPUT_NULL;

	add_text(object, "description", field->what);
	switch (field->type) {
	case OUTPUT_TEXT:
		add_type(object, "string", or_null);
		if (field->values)
			add_values(object, field->values, or_null);
		break;
	case OUTPUT_HEX:
		add_type(object, "string", or_null);
		add_hex(object);
		break;
	case OUTPUT_NUMBER:
		add_type(object, "integer", or_null);
		json_object_object_add(object, "minimum", json_object_new_int(0));
		break;
	case OUTPUT_FLAG:
		add_type(object, "boolean", or_null);
		break;
	case OUTPUT_OBJECT:
		if (or_null)
			add_reference_or_null(object, field->object);
		else
			add_reference(object, field->object);
		break;
	default:
		add_items(object, field);
		break;
	}
	return object;
}

static void add_fields(struct json_object *properties, struct json_object *required,
		       const struct output_field *field)
{
	for (; field->type != OUTPUT_END; field++) {
		json_object_object_add(properties, field->key, schema_of_field(field));
		if (!(field->flags & OUTPUT_OPTIONAL))
			json_object_array_add(required, json_object_new_string(field->key));
	}
}

static struct json_object *schema_of_kind(const struct output_object *kind,
					  const struct output_field *line)
{
	struct json_object *object = json_object_new_object();
	struct json_object *properties = json_object_new_object();
	struct json_object *required = json_object_new_array();

	add_text(object, "description", kind->what);
	add_text(object, "type", "object");
	if (line)
		add_fields(properties, required, line);
	add_fields(properties, required, kind->fields);
	json_object_object_add(object, "properties", properties);
	json_object_object_add(object, "required", required);
	json_object_object_add(object, "additionalProperties", json_object_new_boolean(false));
	return object;
}

struct json_object *schema_new(const char *title, const struct output_object *const *roots,
			       const struct output_field *line)
{
	struct json_object *object, *choices, *definitions;
	struct kinds kinds = { .nr = 0 };
	size_t i;

	if (!find_kinds(&kinds, roots))
		return NULL;
	object = json_object_new_object();
	choices = json_object_new_array();
	definitions = json_object_new_object();
	add_text(object, "$schema", "https://json-schema.org/draft/2020-12/schema");
	add_text(object, "title", title);
	for (i = 0; i < kinds.nr; i++) {
		if (i < kinds.nr_roots)
			json_object_array_add(choices, reference(kinds.items[i]));
		json_object_object_add(definitions, kinds.items[i]->name,
				       schema_of_kind(kinds.items[i],
						      i < kinds.nr_roots ? line : NULL));
	}
	json_object_object_add(object, "anyOf", choices);
	json_object_object_add(object, "$defs", definitions);
	return object;
}
