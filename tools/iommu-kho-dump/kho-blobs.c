// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The sub-blobs that Linux's core writes beside LUO's: kexec-metadata and
 * memblock. Which is which is told by the name alone (K5).
 */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/kexec_metadata.h>
#include <kho/abi/kho.h>

#include "fdt-blob.h"
#include "kho.h"

#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)

int kho_read_metadata(struct kho *kho, struct source *source, struct report *report)
{
	const struct kho_subtree *subtree = kho_find_subtree(kho, KHO_METADATA_SUBTREE);
	struct kho_metadata *metadata = &kho->metadata;
	struct kexec_metadata_v1_ser ser;
	u64 found, expected;

	if (!subtree || !subtree->valid)
		return 0;
	if (subtree->size < sizeof(ser)) {
		kho_note(report, IOMMUSER_FINDING_KHO_METADATA_INVALID, subtree->phys,
			 subtree->size, sizeof(ser));
		return 0;
	}
	if (source_read(source, subtree->phys, &ser, sizeof(ser)) != SOURCE_OK) {
		kho_note_name(report, IOMMUSER_FINDING_KHO_SUBTREE_UNREADABLE, subtree->phys,
			      subtree->size, 0, subtree->name, sizeof(subtree->name));
		return 0;
	}
	if (ser.version != KEXEC_METADATA_VERSION ||
	    !memchr(ser.previous_release, 0, sizeof(ser.previous_release))) {
		found = ser.version != KEXEC_METADATA_VERSION ? ser.version :
								sizeof(ser.previous_release);
		expected = ser.version != KEXEC_METADATA_VERSION ? KEXEC_METADATA_VERSION :
								   sizeof(ser.previous_release) - 1;
		kho_note(report, IOMMUSER_FINDING_KHO_METADATA_INVALID, subtree->phys, found,
			 expected);
		return 0;
	}
	metadata->present = true;
	metadata->version = ser.version;
	metadata->kexec_count = ser.kexec_count;
	memcpy(metadata->previous_release, ser.previous_release, sizeof(ser.previous_release));
	return 0;
}

static bool region_valid(const struct fdt_blob *blob, int node, struct kho_reserved *region)
{
	u32 length;

	if (fdt_node_check_compatible(blob->data, node, KHO_RESERVE_MEM_V1_COMPATIBLE) ||
	    !fdt_blob_u64(blob, node, KHO_RESERVE_MEM_START_PROPERTY, &region->phys, &length) ||
	    !fdt_blob_u64(blob, node, KHO_RESERVE_MEM_SIZE_PROPERTY, &region->size, &length))
		return false;
	return region->size && region->size <= 1ULL << KHO_MAX_BLOCK_SHIFT &&
	       region->phys < PHYS_END && region->phys <= PHYS_END - region->size;
}

static int read_regions(struct kho *kho, const struct kho_subtree *subtree,
			const struct fdt_blob *blob, struct report *report)
{
	struct kho_reserved *region;
	const char *name;
	size_t nr = fdt_blob_count(blob);
	int node;

	if (!nr)
		return 0;
	kho->reserved = calloc(nr, sizeof(*kho->reserved));
	if (!kho->reserved)
		return -IOMMUSER_ENOMEM;
	for (node = fdt_first_subnode(blob->data, 0); node >= 0;
	     node = fdt_next_subnode(blob->data, node)) {
		region = &kho->reserved[kho->nr_reserved];
		name = fdt_get_name(blob->data, node, NULL);
		if (name)
			strncat(region->name, name, sizeof(region->name) - 1);
		if (region_valid(blob, node, region)) {
			kho->nr_reserved++;
			continue;
		}
		kho_note_name(report, IOMMUSER_FINDING_KHO_SUBTREE_PROPERTY, subtree->phys,
			      region->phys, region->size, region->name, sizeof(region->name));
		*region = (struct kho_reserved){ 0 };
	}
	return 0;
}

int kho_read_memblock(struct kho *kho, struct source *source, struct report *report)
{
	const struct kho_subtree *subtree = kho_find_subtree(kho, KHO_MEMBLOCK_SUBTREE);
	u64 page_size = 1ULL << kho->page_shift;
	struct fdt_blob blob;
	int ret;

	if (!subtree || !subtree->valid)
		return 0;
	ret = fdt_blob_read(&blob, source, subtree->phys,
			    subtree->size < page_size ? subtree->size : page_size);
	if (ret == -IOMMUSER_EUNMAPPED) {
		kho_note_name(report, IOMMUSER_FINDING_KHO_SUBTREE_UNREADABLE, subtree->phys,
			      subtree->size, 0, subtree->name, sizeof(subtree->name));
		ret = 0;
	} else if (ret == -IOMMUSER_ECORRUPT ||
		   (!ret && fdt_node_check_compatible(blob.data, 0, KHO_MEMBLOCK_V1_COMPATIBLE))) {
		kho_note_name(report, IOMMUSER_FINDING_KHO_SUBTREE_PROPERTY, subtree->phys,
			      (u64)-blob.error, 0, subtree->name, sizeof(subtree->name));
		ret = 0;
	} else if (!ret) {
		ret = read_regions(kho, subtree, &blob, report);
	}
	fdt_blob_free(&blob);
	return ret;
}
