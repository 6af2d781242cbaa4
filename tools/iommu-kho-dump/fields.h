/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of record fields, kinds and states, for people and JSON.
 */
#ifndef FIELDS_H
#define FIELDS_H

#include <iommuser/types.h>

/** iommuser_field_name - e.g. "top_table"; "" for 0 and for numbers out of range */
const char *iommuser_field_name(u32 field);
/** iommuser_kind_name - e.g. "device"; "" for 0 and for numbers out of range */
const char *iommuser_kind_name(u32 kind);
/** iommuser_state_name - e.g. "handed-over"; "unknown" for numbers out of range */
const char *iommuser_state_name(u32 state);

#endif /* FIELDS_H */
