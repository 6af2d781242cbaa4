/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * JSON objects as text for people.
 */
#ifndef TEXT_H
#define TEXT_H

#include <json-c/json.h>

#include <iommuser/types.h>

#include "output.h"

#define TEXT_MAX_COLUMNS 16

/** struct text_column - one column of a table: a member of each object, and its heading; key NULL ends */
struct text_column {
	const char *key;
	const char *heading;
};

/** text_table - print an array of objects under a heading; nothing when it is empty; at most @limit rows */
void text_table(const char *heading, struct json_object *array, const struct text_column *columns,
		u64 limit);
/** text_columns - the columns of a table of objects: members with a heading, except optional ones that no object has */
void text_columns(const struct output_object *kind, struct json_object *array,
		  struct text_column *columns, size_t size);
/** text_objects - the same with the members that have a heading in the table of fields */
void text_objects(const char *heading, struct json_object *array, const struct output_object *kind,
		  u64 limit);
/** text_find - a member; NULL when it is null or absent */
struct json_object *text_find(struct json_object *object, const char *key);
/** text_string - a member that is a string; NULL when it is null or absent */
const char *text_string(struct json_object *object, const char *key);
/** text_member - a member as text: numbers, strings, "-" for null or absent; in @buffer where needed */
const char *text_member(struct json_object *object, const char *key, char *buffer, size_t size);
/** text_width - how many columns of a terminal UTF-8 takes */
size_t text_width(const char *text);
/** text_pad - print text, and spaces up to a width */
void text_pad(const char *text, size_t width);
/** text_size - bytes for people: "4 MiB" where exact, else "4.1 MiB" */
const char *text_size(u64 bytes, char *buffer, size_t size);
/** text_plural - "1 file", "2 files" */
const char *text_plural(u64 count, const char *word, char *buffer, size_t size);
/** text_wrap - print words at @indent, wrapped at 79 columns */
void text_wrap(const char *text, int indent);
/** text_labelled - the same with a label before the first line, in the room of the indent */
void text_labelled(const char *label, const char *text, int indent);

#endif /* TEXT_H */
