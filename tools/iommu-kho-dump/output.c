// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Objects for output, held against their tables of fields.
 */
#include "output.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pci-name.h"
#include "report.h"

#define MAX_DEPTH 8

struct json_object *output_new(const struct output_object *kind)
{
	struct json_object *object = json_object_new_object();
	/* json-c keeps a pointer that it may write through; it never does. */
	const union {
		const struct output_object *kind;
		void *data;
	} both = { .kind = kind };

	json_object_set_userdata(object, both.data, NULL);
	return object;
}

const struct output_object *output_kind(struct json_object *object)
{
	return json_object_get_userdata(object);
}

const struct output_field *output_find(const struct output_object *kind, const char *key)
{
	const struct output_field *field;

	for (field = kind->fields; field->type != OUTPUT_END; field++)
		if (!strcmp(field->key, key))
			return field;
	return NULL;
}

static bool is_value(const struct output_field *field, const char *text)
{
	size_t i;

	for (i = 0; field->values && field->values[i]; i++)
		if (!strcmp(field->values[i], text))
			return true;
	return !field->values;
}

static bool is_hex(struct json_object *value)
{
	const char *text = json_object_get_string(value);

	return json_object_is_type(value, json_type_string) && !strncmp(text, "0x", 2) &&
	       strlen(text) > 2 && strspn(text + 2, "0123456789abcdef") == strlen(text + 2);
}

bool output_fits(const struct output_field *field, struct json_object *value)
{
	if (!value)
		return field->flags & OUTPUT_NULL;
	switch (field->type) {
	case OUTPUT_TEXT:
		return json_object_is_type(value, json_type_string) &&
		       is_value(field, json_object_get_string(value));
	case OUTPUT_HEX:
		return is_hex(value);
	case OUTPUT_NUMBER:
		return json_object_is_type(value, json_type_int);
	case OUTPUT_FLAG:
		return json_object_is_type(value, json_type_boolean);
	case OUTPUT_OBJECT:
		return json_object_is_type(value, json_type_object) &&
		       output_kind(value) == field->object;
	default:
		return json_object_is_type(value, json_type_array);
	}
}

/* An object on the way down: the member to look at next, and how many of its objects are done. */
struct level {
	struct json_object *object;
	const struct output_object *kind;
	const struct output_field *field;
	size_t nr_done;
};

static bool elements_fit(const struct output_field *field, struct json_object *array)
{
	struct json_object *element;
	size_t i;

	for (i = 0; i < json_object_array_length(array); i++) {
		element = json_object_array_get_idx(array, i);
		if (field->type == OUTPUT_HEXES && !is_hex(element))
			return false;
		if (field->type == OUTPUT_TEXTS && !json_object_is_type(element, json_type_string))
			return false;
		if (field->type == OUTPUT_OBJECTS &&
		    (!json_object_is_type(element, json_type_object) ||
		     output_kind(element) != field->object))
			return false;
	}
	return true;
}

/* Is the member as its table says? What is in it is not looked at, except for its kind. */
static bool member_fits(const struct level *level, struct json_object **value)
{
	const struct output_field *field = level->field;

	*value = NULL;
	if (!json_object_object_get_ex(level->object, field->key, value))
		return field->flags & OUTPUT_OPTIONAL;
	if (!output_fits(field, *value))
		return false;
	return !json_object_is_type(*value, json_type_array) || elements_fit(field, *value);
}

/* The next object within a member; NULL when there is none left. */
static struct json_object *next_inside(struct level *level, struct json_object *value)
{
	if (level->field->type == OUTPUT_OBJECT)
		return level->nr_done++ ? NULL : value;
	if (level->field->type == OUTPUT_OBJECTS && value &&
	    level->nr_done < json_object_array_length(value))
		return json_object_array_get_idx(value, level->nr_done++);
	return NULL;
}

bool output_complete(struct json_object *object, const struct output_object *kind,
		     struct output_place *where)
{
	struct level levels[MAX_DEPTH] = { { object, kind, kind->fields, 0 } }, *level = levels;
	struct json_object *value, *inside;

	for (;;) {
		if (level->field->type == OUTPUT_END) {
			if (level == levels)
				return output_kind(object) == kind;
			level--;
			continue;
		}
		*where = (struct output_place){ level->kind, level->field->key };
		if (!level->nr_done && !member_fits(level, &value))
			return false;
		json_object_object_get_ex(level->object, level->field->key, &value);
		inside = next_inside(level, value);
		if (!inside) {
			level->field++;
			level->nr_done = 0;
			continue;
		}
		if (level - levels + 1 == MAX_DEPTH)
			return false;
		level[1] = (struct level){ inside, level->field->object,
					   level->field->object->fields, 0 };
		level++;
	}
}

/* For assert(): may the object take this member? Objects without a kind take anything. */
static bool __attribute__((unused))
takes(struct json_object *object, const char *key, struct json_object *value)
{
	const struct output_object *kind = output_kind(object);
	const struct output_field *field = kind ? output_find(kind, key) : NULL;

	if (!kind || (field && output_fits(field, value)))
		return true;
	fprintf(stderr, "%s.%s is not as its table says\n", kind->name, key);
	return false;
}

void put_object(struct json_object *object, const char *key, struct json_object *value)
{
	assert(takes(object, key, value));
	json_object_object_add(object, key, value);
}

void put_text(struct json_object *object, const char *key, const char *text)
{
	put_object(object, key, json_object_new_string(text));
}

void put_untrusted(struct json_object *object, const char *key, const char *bytes, size_t size)
{
	char escaped[512];

	put_text(object, key, escape_text(bytes, size, escaped, sizeof(escaped)));
}

void put_bdf(struct json_object *object, u64 segment, u64 bdf)
{
	put_text(object, "bdf", pci_name(segment, bdf).text);
}

void put_hex(struct json_object *object, const char *key, u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	put_text(object, key, text);
}

void put_hex_or_null(struct json_object *object, const char *key, bool known, u64 value)
{
	if (known)
		put_hex(object, key, value);
	else
		put_null(object, key);
}

void put_number(struct json_object *object, const char *key, u64 value)
{
	put_object(object, key, json_object_new_uint64(value));
}

void put_number_or_null(struct json_object *object, const char *key, bool known, u64 value)
{
	if (known)
		put_number(object, key, value);
	else
		put_null(object, key);
}

void put_flag(struct json_object *object, const char *key, bool value)
{
	put_object(object, key, json_object_new_boolean(value));
}

void put_null(struct json_object *object, const char *key)
{
	put_object(object, key, NULL);
}
