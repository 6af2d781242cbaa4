// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Two page tables in step: ranges that are mapped on one side alone, or to
 * other memory, or with other permissions.
 */
#include <inttypes.h>
#include <stdio.h>

#include "diff-cursor.h"
#include "diff.h"

/* A difference that may go on, and whose it is. */
struct pending {
	struct diff_result *result;
	const char *object;
	struct json_object *also;
	enum diff_change change;
	struct diff_segment before;
	struct diff_segment after;
	bool any;
	u32 noted; /* gaps, of which once is enough: 2 bits a side */
};

static const char *describe_segment(const struct diff_segment *segment, char *text, size_t size)
{
	if (segment->kind == TABLE_INVALID)
		snprintf(text, size, "invalid entry 0x%" PRIx64, segment->phys);
	else
		snprintf(text, size, "0x%" PRIx64 " %s%s%s", segment->phys,
			 segment->permissions & IOMMUSER_PT_READ ? "r" : "",
			 segment->permissions & IOMMUSER_PT_WRITE ? "w" : "",
			 segment->permissions & IOMMUSER_PT_SNOOP ? " snooped" : "");
	return text;
}

static void flush(struct pending *pending)
{
	char before[64], after[64];
	struct diff_entry entry = {
		.kind = DIFF_MAPPING,
		.change = pending->change,
		.object = pending->object,
		.devices = pending->also,
	};
	const struct diff_segment *range = pending->change == DIFF_ADDED ? &pending->after :
									   &pending->before;

	if (!pending->any)
		return;
	entry.iova = range->first;
	entry.last = range->last;
	if (pending->change != DIFF_ADDED)
		entry.before = describe_segment(&pending->before, before, sizeof(before));
	if (pending->change != DIFF_REMOVED)
		entry.after = describe_segment(&pending->after, after, sizeof(after));
	diff_add(pending->result, &entry);
	pending->any = false;
}

/* A range differs; NULL: not mapped there. */
static void differ(struct pending *pending, const struct diff_segment *before,
		   const struct diff_segment *after)
{
	enum diff_change change = !before ? DIFF_ADDED : !after ? DIFF_REMOVED : DIFF_CHANGED;

	if (pending->any && pending->change == change &&
	    (!before || diff_segment_continues(&pending->before, before)) &&
	    (!after || diff_segment_continues(&pending->after, after))) {
		if (before)
			pending->before.last = before->last;
		if (after)
			pending->after.last = after->last;
		return;
	}
	flush(pending);
	pending->any = true;
	pending->change = change;
	if (before)
		pending->before = *before;
	if (after)
		pending->after = *after;
}

static bool note_gap(struct pending *pending, const struct diff_segment *segment,
		     const char *letter)
{
	char text[80];
	u32 bit;

	if (!segment || segment->kind < TABLE_MISSING)
		return false;
	bit = 1U << (2 * (*letter == 'B') + (segment->kind == TABLE_MISSING));
	if (pending->noted & bit)
		return true;
	pending->noted |= bit;
	snprintf(text, sizeof(text), "%s %s", letter,
		 segment->kind == TABLE_MISSING ? "lacks page tables" :
						  "has page tables in a loop, or shared");
	diff_not_compared(pending->result, DIFF_MAPPING, NULL, pending->object, text);
	pending->result->unread = true;
	return true;
}

static bool same_segment(const struct diff_segment *before, const struct diff_segment *after)
{
	return before->kind == after->kind && before->phys == after->phys &&
	       before->permissions == after->permissions;
}

/* Both cover the same range, or one is NULL. */
static void compare_range(struct pending *pending, const struct diff_segment *before,
			  const struct diff_segment *after)
{
	bool gap_before = note_gap(pending, before, "A");
	bool gap_after = note_gap(pending, after, "B");

	if (gap_before || gap_after)
		return;
	if (!before || !after || !same_segment(before, after))
		differ(pending, before, after);
}

/* Cut what ends at @last off the front. Return: false when nothing is left. */
static bool cut(struct diff_segment *segment, u64 last)
{
	if (segment->last == last)
		return false;
	if (segment->kind == TABLE_MAPPED)
		segment->phys += last - segment->first + 1;
	segment->first = last + 1;
	return true;
}

static u64 smaller(u64 a, u64 b)
{
	return a < b ? a : b;
}

void diff_walk(struct diff_result *result, const char *object, struct json_object *also,
	       struct diff_cursor *before, struct diff_cursor *after)
{
	struct pending pending = { .result = result, .object = object, .also = also };
	struct diff_segment left, right, left_part, right_part;
	bool has_left = diff_cursor_next(before, &left);
	bool has_right = diff_cursor_next(after, &right);
	bool takes_left, takes_right;
	u64 last;

	while (has_left || has_right) {
		takes_left = has_left && (!has_right || left.first <= right.first);
		takes_right = has_right && (!has_left || right.first <= left.first);
		if (takes_left && takes_right)
			last = smaller(left.last, right.last);
		else if (takes_left)
			last = has_right ? smaller(left.last, right.first - 1) : left.last;
		else
			last = has_left ? smaller(right.last, left.first - 1) : right.last;
		left_part = left;
		right_part = right;
		left_part.last = last;
		right_part.last = last;
		compare_range(&pending, takes_left ? &left_part : NULL,
			      takes_right ? &right_part : NULL);
		if (takes_left && !cut(&left, last))
			has_left = diff_cursor_next(before, &left);
		if (takes_right && !cut(&right, last))
			has_right = diff_cursor_next(after, &right);
	}
	flush(&pending);
}
