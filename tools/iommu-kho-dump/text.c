// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * JSON objects as text for people: tables as wide as what is in them.
 */
#include "text.h"

#include <stdio.h>
#include <string.h>

#define MAX_COLUMNS 12
#define LINE_WIDTH 79

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

		if (columns[i + 1].key)
			printf("%-*s  ", (int)widths[i], text);
		else
			printf("%s", text);
	}
	putchar('\n');
}

void text_table(const char *heading, struct json_object *array, const struct text_column *columns,
		u64 limit)
{
	size_t rows = row_count(array, limit), widths[MAX_COLUMNS], i, j, length;
	char buffer[32];

	if (!json_object_array_length(array))
		return;
	for (i = 0; i < MAX_COLUMNS && columns[i].key; i++) {
		widths[i] = strlen(columns[i].heading);
		for (j = 0; j < rows; j++) {
			length = strlen(text_member(json_object_array_get_idx(array, j),
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
	int column = indent;
	size_t length;

	printf("%-*s", indent, label);
	while (*text) {
		length = strcspn(text, " ");
		if (column > indent && column + 1 + (int)length > LINE_WIDTH) {
			printf("\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			putchar(' ');
			column++;
		}
		fwrite(text, 1, length, stdout);
		column += (int)length;
		text += length;
		text += strspn(text, " ");
	}
	putchar('\n');
}
