/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flattened device trees in an image, and the lists of compatible strings
 * that they and other blobs carry.
 */
#ifndef FDT_BLOB_H
#define FDT_BLOB_H

#include <iommuser/types.h>

#include "source.h"

/**
 * struct fdt_blob - a private copy of a tree that libfdt's full check passed
 * @data: the copy, or NULL
 * @error: what libfdt said when the check failed, a negative number; 0
 */
struct fdt_blob {
	void *data;
	int error;
};

/**
 * fdt_blob_read - copy a tree out of the image and check it
 * @blob: to fill; fdt_blob_free() it whatever the result
 * @size: bytes that may be read; the tree has to fit
 *
 * Return: 0; -IOMMUSER_EUNMAPPED; -IOMMUSER_ECORRUPT; -IOMMUSER_ENOMEM.
 */
int fdt_blob_read(struct fdt_blob *blob, struct source *source, u64 phys, u64 size);
void fdt_blob_free(struct fdt_blob *blob);

/** fdt_blob_used - bytes that the tree really takes, its free space not counted */
u32 fdt_blob_used(const struct fdt_blob *blob);

/**
 * fdt_blob_u64 - a property of 8 bytes in the CPU's byte order
 * @length: set to the property's length, 0 when there is none
 *
 * Return: true when it is there with that length.
 */
bool fdt_blob_u64(const struct fdt_blob *blob, int node, const char *name, u64 *value, u32 *length);

/**
 * fdt_blob_compatible - the node's list of compatible strings
 *
 * Tokens are separated by ';'; cut to @size with its NUL; "" when there is none.
 */
void fdt_blob_compatible(const struct fdt_blob *blob, int node, char *buffer, size_t size);

/** compatible_is - is @token the first one of the list? */
bool compatible_is(const char *list, const char *token);

/**
 * compatible_components_known - is every further token of a known revision?
 * @components: known tokens, ended by NULL; a token that is like one of them
 *	up to its "-v" must be it, others don't matter
 */
bool compatible_components_known(const char *list, const char *const *components);

/** fdt_blob_count - sub-nodes of the root */
size_t fdt_blob_count(const struct fdt_blob *blob);

#endif /* FDT_BLOB_H */
