/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The objects of one side of a diff, sorted by name, and their fields as text.
 */
#ifndef DIFF_OBJECTS_H
#define DIFF_OBJECTS_H

#include "diff.h"

#define DIFF_MAX_FIELDS 32

/**
 * struct diff_object - one object
 * @kind: what it is
 * @name: what identifies it, safe to print
 * @position: of its record, session or FLB
 * @minor: of its file, or of its HWPT in the file
 */
struct diff_object {
	enum diff_kind kind;
	char *name;
	size_t position;
	size_t minor;
};

/**
 * struct diff_side - one of the two handovers
 * @letter: "A" or "B"
 * @handover: open
 * @objects: sorted by kind and name
 * @nr: how many
 * @unknown: by kind: why objects may be missing; NULL when all are known
 * @unread: there are objects, or may be, that could not be read
 * @users_lack: what tells who uses domains is not all there
 * @no_such: by kind: unknown because the layout has no such records
 * @domains: names of domain records, by position; NULL for those without
 * @failed: memory ran out
 */
struct diff_side {
	const char *letter;
	struct handover *handover;
	struct diff_object *objects;
	size_t nr;
	size_t room;
	const char *unknown[DIFF_NR_KINDS];
	bool no_such[DIFF_NR_KINDS];
	bool unread;
	bool users_lack;
	char **domains;
	bool failed;
};

/** struct diff_fields - what an object says; a field that is not known is left out */
struct diff_fields {
	size_t nr;
	struct {
		const char *name;
		char value[DIFF_VALUE_SIZE];
	} items[DIFF_MAX_FIELDS];
};

/** diff_collect - all objects but domains, unsorted; false when memory ran out */
bool diff_collect(struct diff_side *side);
/** diff_add_object - one more; @name is copied */
void diff_add_object(struct diff_side *side, enum diff_kind kind, const char *name, size_t position,
		     size_t minor);
void diff_sort(struct diff_side *side);
void diff_free_side(struct diff_side *side);
/** diff_describe - the fields of an object */
void diff_describe(const struct diff_side *side, const struct diff_object *object,
		   struct diff_fields *fields);

/** diff_live - a record that is neither deleted nor stale */
bool diff_live(const struct handover *handover, u32 kind, u64 position,
	       union iommuser_record *record);
/** diff_name_record - what identifies an alias, attachment, device, unit or hwpt record; false: not known */
bool diff_name_record(const struct handover *handover, u32 kind,
		      const union iommuser_record *record, char *name, size_t size);

/**
 * diff_match_domains - name the domains of both sides, one name for those that
 *	are the same, and add them as objects
 *
 * Domains are the same that most of their HWPTs and devices have in common;
 * without any, those of the same top table.
 *
 * Return: false when memory ran out.
 */
bool diff_match_domains(struct diff_side *before, struct diff_side *after);

#endif /* DIFF_OBJECTS_H */
