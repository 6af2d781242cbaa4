// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Two sorted lists of objects, side by side.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff-objects.h"

/* Everything that a comparison shares. */
struct diff {
	struct diff_result *result;
	struct diff_side before;
	struct diff_side after;
	struct diff_fields fields_before;
	struct diff_fields fields_after;
};

static const char *reason(const struct diff_side *side, const char *text, char *buffer, size_t size)
{
	snprintf(buffer, size, "%s %s", side->letter, text);
	return buffer;
}

/* An object is on one side alone. */
static void lone_object(struct diff *diff, const struct diff_side *side,
			const struct diff_side *other, const struct diff_object *object,
			enum diff_change change)
{
	const struct diff_entry entry = {
		.kind = object->kind,
		.change = change,
		.object = object->name,
	};
	char text[96];

	if (other->unknown[object->kind])
		diff_not_compared(diff->result, object->kind, NULL, object->name,
				  reason(other, other->unknown[object->kind], text, sizeof(text)));
	else if (object->kind == DIFF_DOMAIN && (side->users_lack || other->users_lack))
		diff_not_compared(diff->result, object->kind, NULL, object->name,
				  reason(side->users_lack ? side : other,
					 "lacks records of who uses them", text, sizeof(text)));
	else
		diff_add(diff->result, &entry);
}

static size_t find_field(const struct diff_fields *fields, const char *name, size_t hint)
{
	size_t i;

	if (hint < fields->nr && !strcmp(fields->items[hint].name, name))
		return hint;
	for (i = 0; i < fields->nr; i++)
		if (!strcmp(fields->items[i].name, name))
			return i;
	return fields->nr;
}

static void note_untold(struct diff *diff, const struct diff_object *object, const char *field,
			const struct diff_side *side)
{
	char text[96];

	diff_not_compared(diff->result, object->kind, field, object->name,
			  reason(side, "does not tell it", text, sizeof(text)));
}

static void compare_fields(struct diff *diff, const struct diff_object *object)
{
	const struct diff_fields *before = &diff->fields_before, *after = &diff->fields_after;
	struct diff_entry entry = {
		.kind = object->kind,
		.change = DIFF_CHANGED,
		.object = object->name,
	};
	size_t i, j;

	for (i = 0; i < before->nr; i++) {
		j = find_field(after, before->items[i].name, i);
		if (j == after->nr) {
			note_untold(diff, object, before->items[i].name, &diff->after);
		} else if (strcmp(before->items[i].value, after->items[j].value)) {
			entry.field = before->items[i].name;
			entry.before = before->items[i].value;
			entry.after = after->items[j].value;
			diff_add(diff->result, &entry);
		}
	}
	for (j = 0; j < after->nr; j++)
		if (find_field(before, after->items[j].name, j) == before->nr)
			note_untold(diff, object, after->items[j].name, &diff->before);
}

static int compare_names(const struct diff_object *left, const struct diff_object *right)
{
	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return strcmp(left->name, right->name);
}

static void compare_objects(struct diff *diff)
{
	const struct diff_side *before = &diff->before, *after = &diff->after;
	const struct diff_object *left, *right;
	size_t i = 0, j = 0;
	int order;

	while (i < before->nr || j < after->nr) {
		left = &before->objects[i];
		right = &after->objects[j];
		order = i == before->nr ? 1 : j == after->nr ? -1 : compare_names(left, right);
		if (order < 0) {
			lone_object(diff, before, after, left, DIFF_REMOVED);
		} else if (order > 0) {
			lone_object(diff, after, before, right, DIFF_ADDED);
		} else {
			diff_describe(before, left, &diff->fields_before);
			diff_describe(after, right, &diff->fields_after);
			compare_fields(diff, left);
		}
		i += order <= 0;
		j += order >= 0;
	}
}

/* Kinds that neither image tells about are worth a word, too. */
static void note_unknown(struct diff *diff)
{
	char text[96];
	int kind;

	for (kind = 0; kind < DIFF_NR_KINDS; kind++) {
		if (!diff->before.unknown[kind] || !diff->after.unknown[kind] ||
		    (diff->before.no_such[kind] && diff->after.no_such[kind]))
			continue;
		diff_not_compared(diff->result, (enum diff_kind)kind, NULL, NULL,
				  reason(&diff->before, diff->before.unknown[kind], text,
					 sizeof(text)));
	}
}

bool diff_handovers(struct diff_result *result, struct handover *before, struct handover *after)
{
	struct diff *diff = calloc(1, sizeof(*diff));
	bool ok;

	if (!diff)
		return false;
	diff->result = result;
	diff->before.letter = "A";
	diff->before.handover = before;
	diff->after.letter = "B";
	diff->after.handover = after;
	ok = diff_collect(&diff->before) && diff_collect(&diff->after) &&
	     diff_match_domains(&diff->before, &diff->after);
	result->unread |= diff->before.unread || diff->after.unread;
	if (ok) {
		diff_sort(&diff->before);
		diff_sort(&diff->after);
		compare_objects(diff);
		note_unknown(diff);
	}
	diff_free_side(&diff->before);
	diff_free_side(&diff->after);
	free(diff);
	return ok;
}
