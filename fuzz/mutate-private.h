/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the parts of the mutator share: the model of an input, what was found
 * in it, and the source of chance.
 */
#ifndef MUTATE_PRIVATE_H
#define MUTATE_PRIVATE_H

#include "fuzz.h"
#include "handover.h"
#include "mutate.h"

#include <iommuser/records.h>

#define MUTATE_MAX_FIELDS 16
#define MUTATE_BITMAP_SIZE (MEMORY_FRAMES / 8)
#define MUTATE_MAX_STEPS (255 * 16)
#define MUTATE_MAX_PLACES 8192
#define MUTATE_MAX_RECORDS 2048
#define MUTATE_MAX_PAGES 512

/* What a number of a header stands for. */
enum mutate_role {
	ROLE_END,
	ROLE_NUMBER,	/* nothing special */
	ROLE_OPTIONS,	/* bits */
	ROLE_PAGE_SIZE, /* as memory_begin() takes it */
	ROLE_REVISION,	/* number of the revision, modulo their count */
	ROLE_ROOT,	/* offset of the root from MEMORY_BASE */
	ROLE_FIRST,	/* the same of a chain's first page, where 0 is none */
	ROLE_STAGE,
	ROLE_LEVEL,
	ROLE_WIDTH,
	ROLE_HEADER_SIZE, /* of a page of a chain */
	ROLE_RECORD_SIZE,
	ROLE_DIRECTORY, /* offset of a PASID directory from MEMORY_BASE */
	ROLE_BASE,	/* number of the handover that edits are relative to */
	ROLE_FRAME,	/* number of a frame */
	ROLE_CALL,	/* number of a call that fails, or the most of something */
	ROLE_PRESERVED, /* MEMORY_FRAMES bits */
	ROLE_STEPS,	/* number of steps, which follow at once */
};

struct mutate_field {
	u8 role;
	u8 width;
};

/* What lies at the root. */
enum mutate_content {
	CONTENT_HANDOVER,
	CONTENT_PAGE_TABLE,
	CONTENT_CHAIN,
	CONTENT_VTD,
	CONTENT_LINKS, /* pages with addresses of pages in them, whatever they are */
	CONTENT_FILE,  /* no memory: @change does all */
};

struct mutation;

/**
 * struct mutate_format - inputs of one target
 * @target: its name
 * @content: of the memory
 * @relative: edits are to the handover that the target makes
 * @differs: of the options: ROLE_PRESERVED is where it differs from what is there
 * @scalable: of the options: tables are those of scalable mode
 * @step_size: bytes of each step
 * @sizes_in_options: of the options, the lowest two bits tell the page size
 * @alternatives_of: role of a field with a bit @alternatives that says that each
 *	of the last edits is tried by itself; @alternatives_count are the bits of
 *	their number
 * @fields: of the header, in their order
 * @change: of a file: returns its new size, 0 when it is not understood
 */
struct mutate_format {
	const char *target;
	enum mutate_content content;
	bool relative;
	u8 differs;
	u8 scalable;
	u8 step_size;
	bool sizes_in_options;
	u8 alternatives_of;
	u16 alternatives;
	u16 alternatives_count;
	struct mutate_field fields[MUTATE_MAX_FIELDS];
	size_t (*change)(struct mutation *m, u8 *data, size_t size, size_t max_size);
};

/**
 * struct mutate_model - an input taken apart
 * @values: of the header's fields
 * @preserved: one bit a frame that is preserved
 * @steps: bytes before the edits
 * @present: frames that were written to
 * @base: what edits are relative to, NULL for zeros
 * @bytes: of the memory
 */
struct mutate_model {
	const struct mutate_format *format;
	u64 values[MUTATE_MAX_FIELDS];
	u8 preserved[MUTATE_BITMAP_SIZE];
	u8 steps[MUTATE_MAX_STEPS];
	u32 steps_size;
	u8 present[MEMORY_FRAMES];
	const struct handover_image *base;
	u8 bytes[MEMORY_SIZE];
};

/* What a number in memory stands for. */
enum mutate_meaning {
	MEANING_NEXT, /* address of a page of records */
	MEANING_COUNT,
	MEANING_TOTAL,
	MEANING_KIND,
	MEANING_RECORD_SIZE,
	MEANING_SEQUENCE,
	MEANING_GENERATION,
	MEANING_SELF,
	MEANING_MAGIC,
	MEANING_FLAGS,
	MEANING_REF_COUNT,
	MEANING_INDEX,
	MEANING_REFERENCE,
	MEANING_DID,
	MEANING_BDF,
	MEANING_SEGMENT,
	MEANING_TOKEN,
	MEANING_PASID,
	MEANING_TABLE, /* address of a hardware table, nothing else in the number */
	MEANING_SMALL,
	MEANING_ADDRESS_WIDTH,
	MEANING_ENTRIES, /* number of entries of a directory */
	MEANING_BITS,
	MEANING_RESERVED,
	MEANING_ROOT_ENTRY,
	MEANING_CONTEXT_LOW,
	MEANING_CONTEXT_HIGH,
	MEANING_SCALABLE_LOW,
	MEANING_SCALABLE_HIGH,
	MEANING_DIRECTORY_ENTRY,
	MEANING_PASID_LOW,
	MEANING_PASID_HIGH,
	MEANING_PASID_FIRST,
	MEANING_PAGE_ENTRY,
	NR_MEANINGS
};

enum mutate_page_type {
	PAGE_NONE,
	PAGE_ROOT,
	PAGE_RECORDS,
	PAGE_ROOT_TABLE,
	PAGE_CONTEXT_TABLE,
	PAGE_DIRECTORY,
	PAGE_PASID_TABLE,
	PAGE_PAGE_TABLE,
	NR_PAGE_TYPES
};

/** struct mutate_place - a number at offset @at of the memory; @detail: kind, or level */
struct mutate_place {
	u32 at;
	u8 width;
	u8 meaning;
	u8 detail;
};

struct mutate_record {
	u32 at;
	u32 size;
	u8 kind;
	bool deleted;
};

struct mutate_page {
	u32 at;
	u32 size;
	u8 type;
	u8 detail;
};

/** struct mutation - one call of mutate() */
struct mutation {
	u64 chance;
	mutate_engine engine;
	struct mutate_model *model;
	const struct iommuser_revision *revision;
	u32 page_shift;
	bool outside; /* only operators that leave the memory alone */
	bool stale;   /* what follows is no longer what lies in memory */
	u8 seen[MEMORY_FRAMES];
	u32 nr_places;
	u32 nr_records;
	u32 nr_pages;
	struct mutate_place places[MUTATE_MAX_PLACES];
	struct mutate_record records[MUTATE_MAX_RECORDS];
	struct mutate_page pages[MUTATE_MAX_PAGES];
	u32 first_of[NR_MEANINGS]; /* scratch of pick_meaning() */
};

/* Chance (mutate.c) */
u64 chance(struct mutation *m);
/* Below @limit; 0 for a limit of 0. */
u32 below(struct mutation *m, u64 limit);
/* True in one of @of cases. */
bool one_in(struct mutation *m, u32 of);
/* An edge of the range of some width, or any number. */
u64 any_number(struct mutation *m);
/* Little-endian numbers of @width bytes. */
u64 number_at(const u8 *at, u32 width);
void set_number(u8 *at, u64 value, u32 width);
/* Change some of the bytes, not their number, as the engine does. */
void change_bytes(struct mutation *m, u8 *data, size_t size);

/* The model (mutate-model.c) */
bool model_load(struct mutate_model *model, const struct mutate_format *format, const u8 *data,
		size_t size);
/* Return: the size; 0 when it does not fit. */
size_t model_store(const struct mutate_model *model, u8 *data, size_t max_size);
void model_clear(struct mutate_model *model, const struct mutate_format *format);
/* From now on all edits count. Return: how many did not. */
u32 model_take_alternatives(struct mutate_model *model);
/* Start from what edits are relative to. */
void model_use_base(struct mutate_model *model);
u64 model_value(const struct mutate_model *model, enum mutate_role role);
u64 model_root(const struct mutate_model *model);
const struct iommuser_revision *model_revision(const struct mutate_model *model);
bool model_has(const struct mutate_model *model, enum mutate_role role);
void model_set(struct mutate_model *model, enum mutate_role role, u64 value);
u32 model_page_shift(const struct mutate_model *model);
u32 model_page_size(const struct mutate_model *model);
u64 model_get(const struct mutate_model *model, u32 at, u32 width);
void model_put(struct mutate_model *model, u32 at, u32 width, u64 value);
/* Is all of the page with this address there? */
bool model_page_there(const struct mutate_model *model, u64 phys, u32 size);
void model_add_page(struct mutate_model *model, u32 at, u32 size);
/* Offset of a page that nothing uses; MEMORY_SIZE when there is none. */
u32 model_free_page(const struct mutate_model *model, u32 size);
void model_preserve(struct mutate_model *model, u32 at, u32 size, bool preserved);

/* What lies in memory (mutate-survey.c) */
void survey(struct mutation *m);
/* Make the CRCs of root and pages right. */
void seal_all(struct mutation *m);

/* Numbers (mutate-values.c) */
u64 new_value(struct mutation *m, const struct mutate_place *place, u64 old);
/* Addresses of what there is: of any page type with PAGE_NONE, of any kind with 0. */
u64 any_page(struct mutation *m, enum mutate_page_type type);
u64 any_record(struct mutation *m, u32 kind);

/* Pages and records (mutate-pages.c) */
/** struct mutate_operator - @outside: of the memory, which stays as it is */
struct mutate_operator {
	const char *name;
	u32 weight;
	bool outside;
	bool (*change)(struct mutation *m);
};

extern const struct mutate_operator mutate_operators[];
extern const u32 mutate_nr_operators;

/* A sound image from nothing (mutate-generate.c) */
void generate(struct mutation *m);

/* Files (mutate-ikho.c and so on) */
size_t change_dump(struct mutation *m, u8 *data, size_t size, size_t max_size);
size_t change_ikho(struct mutation *m, u8 *data, size_t size, size_t max_size);
size_t change_fdt(struct mutation *m, u8 *data, size_t size, size_t max_size);

#endif /* MUTATE_PRIVATE_H */
