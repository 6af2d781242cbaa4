// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Objects for output, held against their tables of fields.
 */
#include "output.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "report.h"

struct json_object *output_new(const struct output_object *kind)
{
	struct json_object *object = json_object_new_object();

	json_object_set_userdata(object, (void *)(uintptr_t)kind, NULL);
	return object;
}

void put_object(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

void put_text(struct json_object *object, const char *key, const char *text)
{
	put_object(object, key, json_object_new_string(text));
}

void put_untrusted(struct json_object *object, const char *key, const char *bytes, size_t size)
{
	char escaped[512];

	put_text(object, key, escape_text(bytes, size, escaped, sizeof(escaped)));
}

void put_bdf(struct json_object *object, u64 segment, u64 bdf)
{
	char text[32];

	snprintf(text, sizeof(text), "%04x:%02x:%02x.%x", (unsigned int)(segment & 0xffff),
		 (unsigned int)(bdf >> 8 & 0xff), (unsigned int)(bdf >> 3 & 0x1f),
		 (unsigned int)(bdf & 7));
	put_text(object, "bdf", text);
}

void put_hex(struct json_object *object, const char *key, u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	put_text(object, key, text);
}

void put_number(struct json_object *object, const char *key, u64 value)
{
	put_object(object, key, json_object_new_uint64(value));
}

void put_flag(struct json_object *object, const char *key, bool value)
{
	put_object(object, key, json_object_new_boolean(value));
}

void put_null(struct json_object *object, const char *key)
{
	put_object(object, key, NULL);
}
