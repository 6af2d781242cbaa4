/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The JSON Schema of what commands print, from their tables of fields.
 */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "output.h"

/**
 * schema_new - a JSON Schema (2020-12) that any object of some kinds fits
 * @title: of the schema
 * @roots: the kinds, NULL at the end
 * @line: the members that --json-lines adds to them, OUTPUT_END at the end
 *
 * Each kind is under "$defs" by its name.
 *
 * Return: the schema; NULL when two kinds have one name, or there are too many.
 */
struct json_object *schema_new(const char *title, const struct output_object *const *roots,
			       const struct output_field *line);

#endif /* SCHEMA_H */
