/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handovers as JSON objects. Text output is made from the same objects.
 */
#ifndef MODEL_H
#define MODEL_H

#include <json-c/json.h>

#include "handover.h"

/* Small helpers: each adds a member to an object. */
void put_text(struct json_object *object, const char *key, const char *text);
/** put_untrusted - text of an image, escaped */
void put_untrusted(struct json_object *object, const char *key, const char *bytes, size_t size);
void put_hex(struct json_object *object, const char *key, u64 value);
/** put_bdf - "ssss:bb:dd.f" as member "bdf" */
void put_bdf(struct json_object *object, u64 segment, u64 bdf);
void put_number(struct json_object *object, const char *key, u64 value);
void put_flag(struct json_object *object, const char *key, bool value);
void put_null(struct json_object *object, const char *key);

/** model_show - everything that show prints; NULL when memory ran out */
struct json_object *model_show(struct handover *handover);
/** model_verify - status, at most @limit findings, and what was checked */
struct json_object *model_verify(struct handover *handover,
				 const struct iommuser_verify_counts *counts, u64 limit);
/** model_stat - counts and sizes */
struct json_object *model_stat(struct handover *handover,
			       const struct iommuser_verify_counts *counts);
/** model_vtd - a VT-d root table with its context and PASID entries */
struct json_object *model_vtd(const struct iommuser_env *env, const struct handover_vtd *vtd);

#endif /* MODEL_H */
