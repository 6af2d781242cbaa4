// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * JSON objects as text for people: tables as wide as what is in them.
 */
#define _GNU_SOURCE
#include "text.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define LINE_WIDTH 79

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* By the locale in use. What is no character takes a column a byte. */
static size_t width_of_characters(const char *text)
{
	size_t width = 0, left = strlen(text), length;
	mbstate_t state = { 0 };
	wchar_t character;
	int columns;

	while (left) {
		length = mbrtowc(&character, text, left, &state);
		columns = 1;
		if (length == 0 || length > left) {
			memset(&state, 0, sizeof(state));
			length = 1;
		} else {
			columns = wcwidth(character);
		}
		width += columns > 0 ? (size_t)columns : 0;
		text += length;
		left -= length;
	}
	return width;
}

size_t text_width(const char *text)
{
	locale_t utf8, before;
	size_t width;

	if (is_ascii(text))
		return strlen(text);
	/* Names are UTF-8 whatever the locale of the caller. */
	utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!utf8)
		return strlen(text);
	before = uselocale(utf8);
	width = width_of_characters(text);
	uselocale(before);
	freelocale(utf8);
	return width;
}

void text_pad(const char *text, size_t width)
{
	size_t columns = text_width(text);

	fputs(text, stdout);
	if (columns < width)
		printf("%*s", (int)(width - columns), "");
}

struct json_object *text_find(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

const char *text_string(struct json_object *object, const char *key)
{
	return json_object_get_string(text_find(object, key));
}

const char *text_member(struct json_object *object, const char *key, char *buffer, size_t size)
{
	struct json_object *member;

	if (!json_object_object_get_ex(object, key, &member) || !member)
		return "-";
	switch (json_object_get_type(member)) {
	case json_type_string:
		return json_object_get_string(member);
	case json_type_boolean:
		return json_object_get_boolean(member) ? "yes" : "no";
	case json_type_array:
		snprintf(buffer, size, "%zu", json_object_array_length(member));
		return buffer;
	default:
		snprintf(buffer, size, "%llu", (unsigned long long)json_object_get_uint64(member));
		return buffer;
	}
}

static size_t row_count(struct json_object *array, u64 limit)
{
	size_t rows = json_object_array_length(array);

	return rows < limit ? rows : limit;
}

static void print_row(struct json_object *row, const struct text_column *columns,
		      const size_t *widths)
{
	char buffer[32];
	size_t i;

	printf("  ");
	for (i = 0; columns[i].key; i++) {
		const char *text = row ? text_member(row, columns[i].key, buffer, sizeof(buffer)) :
					 columns[i].heading;

		text_pad(text, columns[i + 1].key ? widths[i] + 2 : 0);
	}
	putchar('\n');
}

void text_table(const char *heading, struct json_object *array, const struct text_column *columns,
		u64 limit)
{
	size_t rows = row_count(array, limit), widths[TEXT_MAX_COLUMNS], i, j, length;
	char buffer[32];

	if (!json_object_array_length(array))
		return;
	for (i = 0; i < TEXT_MAX_COLUMNS && columns[i].key; i++) {
		widths[i] = text_width(columns[i].heading);
		for (j = 0; j < rows; j++) {
			length = text_width(text_member(json_object_array_get_idx(array, j),
							columns[i].key, buffer, sizeof(buffer)));
			if (length > widths[i])
				widths[i] = length;
		}
	}
	printf("\n%s\n", heading);
	print_row(NULL, columns, widths);
	for (j = 0; j < rows; j++)
		print_row(json_object_array_get_idx(array, j), columns, widths);
	if (rows < json_object_array_length(array))
		printf("  ... and %zu more (--limit)\n", json_object_array_length(array) - rows);
}

static bool any_has(struct json_object *array, const char *key)
{
	size_t i;

	for (i = 0; i < json_object_array_length(array); i++)
		if (json_object_object_get_ex(json_object_array_get_idx(array, i), key, NULL))
			return true;
	return false;
}

void text_columns(const struct output_object *kind, struct json_object *array,
		  struct text_column *columns, size_t size)
{
	const struct output_field *field;
	size_t nr = 0;

	for (field = kind->fields; field->type != OUTPUT_END && nr + 1 < size; field++) {
		if (!field->heading)
			continue;
		if (field->flags & OUTPUT_OPTIONAL && !any_has(array, field->key))
			continue;
		columns[nr++] = (struct text_column){ field->key, field->heading };
	}
	columns[nr] = (struct text_column){ NULL, NULL };
}

void text_objects(const char *heading, struct json_object *array, const struct output_object *kind,
		  u64 limit)
{
	struct text_column columns[TEXT_MAX_COLUMNS + 1];

	text_columns(kind, array, columns, TEXT_MAX_COLUMNS + 1);
	text_table(heading, array, columns, limit);
}

const char *text_size(u64 bytes, char *buffer, size_t size)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" };
	u64 unit = 1;
	size_t i = 0;

	while (i + 1 < sizeof(units) / sizeof(units[0]) && bytes / unit >= 1024) {
		unit *= 1024;
		i++;
	}
	if (bytes % unit)
		snprintf(buffer, size, "%.1f %s", (double)bytes / (double)unit, units[i]);
	else
		snprintf(buffer, size, "%llu %s", (unsigned long long)(bytes / unit), units[i]);
	return buffer;
}

const char *text_plural(u64 count, const char *word, char *buffer, size_t size)
{
	snprintf(buffer, size, "%llu %s%s", (unsigned long long)count, word, count == 1 ? "" : "s");
	return buffer;
}

void text_wrap(const char *text, int indent)
{
	text_labelled("", text, indent);
}

void text_labelled(const char *label, const char *text, int indent)
{
	int column = indent, width;
	size_t length;
	char *word;

	text_pad(label, (size_t)indent);
	while (*text) {
		length = strcspn(text, " ");
		word = strndup(text, length);
		width = word ? (int)text_width(word) : (int)length;
		free(word);
		if (column > indent && column + 1 + width > LINE_WIDTH) {
			printf("\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			putchar(' ');
			column++;
		}
		fwrite(text, 1, length, stdout);
		column += width;
		text += length;
		text += strspn(text, " ");
	}
	putchar('\n');
}
