/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * JSON objects as text for people.
 */
#ifndef TEXT_H
#define TEXT_H

#include <json-c/json.h>

#include <iommuser/types.h>

/** struct text_column - one column of a table: a member of each object, and its heading; key NULL ends */
struct text_column {
	const char *key;
	const char *heading;
};

/** text_table - print an array of objects under a heading; nothing when it is empty; at most @limit rows */
void text_table(const char *heading, struct json_object *array, const struct text_column *columns,
		u64 limit);
/** text_member - a member as text: numbers, strings, "-" for null or absent; in @buffer where needed */
const char *text_member(struct json_object *object, const char *key, char *buffer, size_t size);
/** text_size - bytes for people: "4 MiB" where exact, else "4.1 MiB" */
const char *text_size(u64 bytes, char *buffer, size_t size);
/** text_plural - "1 file", "2 files" */
const char *text_plural(u64 count, const char *word, char *buffer, size_t size);
/** text_wrap - print words at @indent, wrapped at 79 columns */
void text_wrap(const char *text, int indent);
/** text_labelled - the same with a label before the first line, in the room of the indent */
void text_labelled(const char *label, const char *text, int indent);

#endif /* TEXT_H */
