/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What differs between two handovers, "A" and "B". Objects are matched by what
 * identifies them, never by their position.
 */
#ifndef DIFF_H
#define DIFF_H

#include <json-c/json.h>

#include "handover.h"
#include "output.h"

/** enum diff_kind - kinds of objects, in the order of the output */
enum diff_kind {
	DIFF_HANDOVER, /* what there is one of */
	DIFF_SESSION,
	DIFF_FILE,
	DIFF_FLB,
	DIFF_IOMMU,
	DIFF_DOMAIN,
	DIFF_DEVICE,
	DIFF_ALIAS,
	DIFF_ATTACHMENT,
	DIFF_HWPT,
	DIFF_TRANSLATION, /* the page table that the hardware walks for a requester */
	DIFF_MAPPING,
	DIFF_NR_KINDS,
};

/** enum diff_change - what became of an object, a field or a mapping from A to B */
enum diff_change {
	DIFF_ADDED,
	DIFF_REMOVED,
	DIFF_CHANGED,
	DIFF_NR_CHANGES,
};

#define DIFF_VALUE_SIZE 320

/**
 * struct diff_entry - one difference
 * @kind: of the object
 * @change: what became of it
 * @object: its name, safe to print
 * @field: NULL when it is about the whole object, or about a mapping
 * @before: value in A; NULL when there is none
 * @after: value in B; NULL when there is none
 * @iova: of a mapping
 * @last: of a mapping: its last byte
 * @devices: of a mapping: array of the further requesters that have it too, or NULL
 */
struct diff_entry {
	enum diff_kind kind;
	enum diff_change change;
	const char *object;
	const char *field;
	const char *before;
	const char *after;
	u64 iova;
	u64 last;
	struct json_object *devices;
};

/**
 * struct diff_result - differences, as they are found; private but for @counts
 * @limit: the most to keep
 * @counts: of all, kept or not
 * @changes: array of those kept
 * @not_compared: array of what could not be compared
 * @unread: some of that because an image could not be read, not because of what it is an image of
 */
struct diff_result {
	u64 limit;
	u64 counts[DIFF_NR_KINDS][DIFF_NR_CHANGES];
	struct json_object *changes;
	struct json_object *not_compared;
	u64 nr_changes;
	bool unread;
};

/** diff_kind_name - as in JSON, e.g. "flb" */
const char *diff_kind_name(enum diff_kind kind);
/** diff_kind_heading - for people, e.g. "FLBs" */
const char *diff_kind_heading(enum diff_kind kind);

void diff_result_init(struct diff_result *result, u64 limit);
void diff_result_free(struct diff_result *result);
/** diff_add - count a difference, and keep it if there is room */
void diff_add(struct diff_result *result, const struct diff_entry *entry);
/**
 * diff_not_compared - what could not be compared, and why
 * @what: e.g. "state"; NULL when it is whole objects
 * @object: one of them, for people; those of the same kind, @what and @reason
 *	are counted together. NULL when it is no object's
 * @reason: a literal, or one of few texts
 */
void diff_not_compared(struct diff_result *result, enum diff_kind kind, const char *what,
		       const char *object, const char *reason);
/** diff_is_noted - has diff_not_compared() been told of such? */
bool diff_is_noted(const struct diff_result *result, enum diff_kind kind, const char *what,
		   const char *reason);
/** diff_not_compared_kinds - how many kinds of objects could not all be compared? */
size_t diff_not_compared_kinds(struct json_object *not_compared);
/** struct diff_image - an image of the command line and the handover in it */
struct diff_image {
	const char *path;
	struct handover *handover;
};

/** diff_model - the result as JSON; the result is empty then */
struct json_object *diff_model(struct diff_result *result, const struct diff_image *before,
			       const struct diff_image *after);
extern const struct output_object diff_output;

/**
 * diff_handovers - compare two handovers
 * @before: A, open
 * @after: B, open
 *
 * Return: false when memory ran out.
 */
bool diff_handovers(struct diff_result *result, struct handover *before, struct handover *after);

/**
 * diff_mappings - compare what devices can reach by DMA, both tables in step
 *
 * Return: false when memory ran out.
 */
bool diff_mappings(struct diff_result *result, struct handover *before, struct handover *after);

#endif /* DIFF_H */
