/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What commands print: objects whose members one table of fields describes.
 * JSON, its schema and the tables for people are made from that table.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <json-c/json.h>

#include <iommuser/types.h>

/** enum output_type - what a member holds */
enum output_type {
	OUTPUT_END, /* ends a table */
	OUTPUT_TEXT,
	OUTPUT_HEX, /* "0x..." */
	OUTPUT_NUMBER,
	OUTPUT_FLAG,
	OUTPUT_OBJECT,
	OUTPUT_OBJECTS, /* an array of them */
	OUTPUT_TEXTS,
	OUTPUT_HEXES,
};

/* The member may be null. */
#define OUTPUT_NULL 1U
/* The member may be left out. */
#define OUTPUT_OPTIONAL 2U

/**
 * struct output_field - a member of an object
 * @key: its name in JSON
 * @type: what it holds
 * @flags: OUTPUT_NULL, OUTPUT_OPTIONAL
 * @what: its meaning, one line for the schema
 * @heading: of its column in a table for people; NULL when it has none
 * @object: what is in OUTPUT_OBJECT and OUTPUT_OBJECTS
 * @values: all texts that it can hold, NULL at the end; NULL when it is free
 */
struct output_field {
	const char *key;
	enum output_type type;
	unsigned int flags;
	const char *what;
	const char *heading;
	const struct output_object *object;
	const char *const *values;
};

/**
 * struct output_object - a kind of object
 * @name: e.g. "device"; two kinds of one name do not exist
 * @what: its meaning, one line for the schema
 * @fields: its members, in the order of JSON; OUTPUT_END at the end
 */
struct output_object {
	const char *name;
	const char *what;
	const struct output_field *fields;
};

/** struct output_place - a member of a kind */
struct output_place {
	const struct output_object *kind;
	const char *key;
};

/* A line of a table; what follows names further members: .heading = "token", .flags = OUTPUT_NULL */
#define OUTPUT_FIELD(name, holds, meaning, ...)                                \
	{                                                                      \
		.key = (name), .type = (holds), .what = (meaning), __VA_ARGS__ \
	}
#define OUTPUT_FIELDS_END          \
	{                          \
		.type = OUTPUT_END \
	}

/**
 * output_new - an empty object of a kind
 *
 * The functions below then take only members that its table has, with the type
 * that it has there; anything else is an internal error.
 */
struct json_object *output_new(const struct output_object *kind);
/** output_kind - what output_new() was told; NULL for other objects */
const struct output_object *output_kind(struct json_object *object);

/** output_find - a member of a kind, or NULL */
const struct output_field *output_find(const struct output_object *kind, const char *key);
/** output_fits - may a member hold this? Objects in arrays are left to output_complete() */
bool output_fits(const struct output_field *field, struct json_object *value);
/**
 * output_complete - has an object of a kind every member that it must have, as have all in it?
 * @where: set to the kind and the key of the first that is wrong, if any
 */
bool output_complete(struct json_object *object, const struct output_object *kind,
		     struct output_place *where);

/* Each adds a member to an object. */
void put_text(struct json_object *object, const char *key, const char *text);
/** put_untrusted - text of an image, escaped */
void put_untrusted(struct json_object *object, const char *key, const char *bytes, size_t size);
void put_hex(struct json_object *object, const char *key, u64 value);
/** put_hex_or_null - null when it is not @known */
void put_hex_or_null(struct json_object *object, const char *key, bool known, u64 value);
/** put_bdf - "ssss:bb:dd.f" as member "bdf" */
void put_bdf(struct json_object *object, u64 segment, u64 bdf);
void put_number(struct json_object *object, const char *key, u64 value);
/** put_number_or_null - null when it is not @known */
void put_number_or_null(struct json_object *object, const char *key, bool known, u64 value);
void put_flag(struct json_object *object, const char *key, bool value);
void put_null(struct json_object *object, const char *key);
/** put_object - an object or an array; takes over the caller's reference */
void put_object(struct json_object *object, const char *key, struct json_object *value);

#endif /* OUTPUT_H */
