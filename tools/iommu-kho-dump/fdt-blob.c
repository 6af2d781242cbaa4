// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Flattened device trees in an image.
 */
#include "fdt-blob.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include <iommuser/error.h>

/* What Linux writes. */
#define LEAST_VERSION 17

/*
 * The version comes first: libfdt 1.6.1's full check follows a NULL pointer
 * in a tree that claims a version before 16.
 */
static int check(const struct fdt_blob *blob, size_t size)
{
	if (fdt_magic(blob->data) != FDT_MAGIC)
		return -FDT_ERR_BADMAGIC;
	if (fdt_version(blob->data) < LEAST_VERSION)
		return -FDT_ERR_BADVERSION;
	return fdt_check_full(blob->data, size);
}

int fdt_blob_read(struct fdt_blob *blob, struct source *source, u64 phys, u64 size)
{
	*blob = (struct fdt_blob){ 0 };
	if (size < sizeof(struct fdt_header) || size > 1ULL << IOMMUSER_MAX_PAGE_SHIFT)
		return -IOMMUSER_ECORRUPT;
	blob->data = malloc(size);
	if (!blob->data)
		return -IOMMUSER_ENOMEM;
	if (source_read(source, phys, blob->data, size) != SOURCE_OK)
		return -IOMMUSER_EUNMAPPED;
	blob->error = check(blob, size);
	return blob->error ? -IOMMUSER_ECORRUPT : 0;
}

void fdt_blob_free(struct fdt_blob *blob)
{
	free(blob->data);
	blob->data = NULL;
}

u32 fdt_blob_used(const struct fdt_blob *blob)
{
	u32 structs = fdt_off_dt_struct(blob->data) + fdt_size_dt_struct(blob->data);
	u32 strings = fdt_off_dt_strings(blob->data) + fdt_size_dt_strings(blob->data);

	return structs > strings ? structs : strings;
}

bool fdt_blob_u64(const struct fdt_blob *blob, int node, const char *name, u64 *value, u32 *length)
{
	const void *data;
	int size = 0;

	data = fdt_getprop(blob->data, node, name, &size);
	*length = data && size > 0 ? (u32)size : 0;
	if (*length != sizeof(*value))
		return false;
	memcpy(value, data, sizeof(*value));
	return true;
}

void fdt_blob_compatible(const struct fdt_blob *blob, int node, char *buffer, size_t size)
{
	const char *list;
	int length = 0;
	size_t i;

	list = fdt_getprop(blob->data, node, "compatible", &length);
	for (i = 0; list && length > 0 && i < (size_t)length && i + 1 < size; i++)
		buffer[i] = list[i] ? list[i] : ';';
	/* The NUL at the list's end separates nothing. */
	while (i && buffer[i - 1] == ';')
		i--;
	buffer[i] = '\0';
}

bool compatible_is(const char *list, const char *token)
{
	size_t length = strlen(token);

	return !strncmp(list, token, length) && (!list[length] || list[length] == ';');
}

static bool component_known(const char *token, const char *const *components)
{
	const char *version;
	size_t length;

	for (; *components; components++) {
		version = strstr(*components, "-v");
		length = (size_t)(version - *components) + 2;
		if (!strncmp(token, *components, length) && !compatible_is(token, *components))
			return false;
	}
	return true;
}

bool compatible_components_known(const char *list, const char *const *components)
{
	const char *token;

	for (token = strchr(list, ';'); token; token = strchr(token, ';'))
		if (!component_known(++token, components))
			return false;
	return true;
}

size_t fdt_blob_count(const struct fdt_blob *blob)
{
	size_t nr = 0;
	int node;

	for (node = fdt_first_subnode(blob->data, 0); node >= 0;
	     node = fdt_next_subnode(blob->data, node))
		nr++;
	return nr;
}
