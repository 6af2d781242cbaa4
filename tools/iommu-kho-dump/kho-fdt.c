// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * KHO's root FDT: the revision, the memory map's address, the sub-blobs.
 */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/kho.h>

#include "fdt-blob.h"
#include "kho.h"

#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)
/* A sub-blob of Linux is a few pages; this is more than any buddy block. */
#define MAX_SUBTREE_SIZE (1ULL << 30)

static enum kho_revision find_revision(const char *compatible)
{
	static const char *const components[] = { KHO_RADIX_V1_COMPATIBLE,
						  KHO_VMALLOC_V1_COMPATIBLE,
						  KHO_BLOCK_V1_COMPATIBLE, NULL };
	static const char *const revisions[] = {
		[KHO_REVISION_V1] = KHO_V1_COMPATIBLE,
		[KHO_REVISION_V2] = KHO_V2_COMPATIBLE,
		[KHO_REVISION_V3] = KHO_V3_COMPATIBLE,
		[KHO_REVISION_V4] = KHO_V4_COMPATIBLE,
	};
	enum kho_revision revision;

	for (revision = KHO_REVISION_V1; revision <= KHO_REVISION_V4; revision++)
		if (compatible_is(compatible, revisions[revision]))
			return compatible_components_known(compatible, components) ?
				       revision :
				       KHO_REVISION_UNKNOWN;
	return KHO_REVISION_UNKNOWN;
}

static void read_compatible(struct kho *kho, const struct fdt_blob *blob, struct report *report)
{
	fdt_blob_compatible(blob, 0, kho->compatible, sizeof(kho->compatible));
	kho->revision = find_revision(kho->compatible);
	/* K10: the next kernel would boot as if nothing had been handed over. */
	if (kho->revision == KHO_REVISION_UNKNOWN)
		kho_note_name(report, IOMMUSER_FINDING_KHO_COMPATIBLE_UNKNOWN, kho->fdt_phys, 0, 0,
			      kho->compatible, sizeof(kho->compatible));
}

static void read_map_property(struct kho *kho, const struct fdt_blob *blob, struct report *report)
{
	u64 page_mask = (1ULL << kho->page_shift) - 1;
	u64 map;
	u32 length;

	if (!fdt_blob_u64(blob, 0, KHO_MEMORY_MAP_PROPERTY, &map, &length)) {
		kho_note(report, IOMMUSER_FINDING_KHO_MAP_PROPERTY, kho->fdt_phys, length,
			 sizeof(map));
		return;
	}
	/* Before it is finalized, a kho-v1 handover has no map: 0 preserves nothing. */
	if ((!map && kho->revision != KHO_REVISION_V1) || (map & page_mask) || map >= PHYS_END) {
		kho_note(report, IOMMUSER_FINDING_KHO_MAP_ROOT, kho->fdt_phys, map, 0);
		return;
	}
	kho->map = map;
	kho->has_map = true;
}

static bool read_address(const struct kho *kho, const struct fdt_blob *blob, int node, u64 *phys,
			 u32 *length)
{
	u32 ignored;

	if (kho->revision == KHO_REVISION_V1)
		return fdt_blob_u64(blob, node, KHO_V1_SUBTREE_PROPERTY, phys, length);
	if (fdt_blob_u64(blob, node, KHO_V2_SUBTREE_PROPERTY, phys, length))
		return true;
	/* Of a revision that isn't known, show what can be shown. */
	return kho->revision == KHO_REVISION_UNKNOWN && !*length &&
	       fdt_blob_u64(blob, node, KHO_V1_SUBTREE_PROPERTY, phys, &ignored);
}

static bool has_size(const struct kho *kho, const struct fdt_blob *blob, int node)
{
	if (kho->revision == KHO_REVISION_UNKNOWN)
		return fdt_getprop(blob->data, node, KHO_V3_SIZE_PROPERTY, NULL);
	return kho->revision >= KHO_REVISION_V3;
}

static bool range_possible(u64 phys, u64 size)
{
	return phys && size && size <= MAX_SUBTREE_SIZE && phys < PHYS_END &&
	       phys <= PHYS_END - size;
}

static void read_subtree(struct kho *kho, const struct fdt_blob *blob, int node,
			 struct report *report)
{
	struct kho_subtree *subtree = &kho->subtrees[kho->nr_subtrees];
	const struct kho_subtree *first;
	const char *name;
	u64 phys = 0, size = 1ULL << kho->page_shift;
	u64 found = 0, expected = sizeof(u64);
	int name_length = 0;
	u32 length;

	name = fdt_get_name(blob->data, node, &name_length);
	if (name)
		strncat(subtree->name, name, sizeof(subtree->name) - 1);
	subtree->has_size = has_size(kho, blob, node);

	/* K6: Linux gives up on a blob whose address or size isn't 8 bytes or is 0. */
	subtree->valid = read_address(kho, blob, node, &phys, &length);
	if (subtree->valid && subtree->has_size)
		subtree->valid = fdt_blob_u64(blob, node, KHO_V3_SIZE_PROPERTY, &size, &length);
	found = length;
	if (subtree->valid && !range_possible(phys, size)) {
		subtree->valid = false;
		found = phys;
		expected = 0;
	}
	/* Linux would take the first of that name. (A name that was cut says nothing.) */
	first = kho_find_subtree(kho, subtree->name);
	if (subtree->valid && first && (size_t)name_length < sizeof(subtree->name)) {
		subtree->valid = false;
		found = phys;
		expected = first->phys;
	}
	if (subtree->valid) {
		subtree->phys = phys;
		subtree->size = size;
	} else {
		kho_note_name(report, IOMMUSER_FINDING_KHO_SUBTREE_PROPERTY, kho->fdt_phys, found,
			      expected, subtree->name, sizeof(subtree->name));
	}
	kho->nr_subtrees++;
}

static int read_subtrees(struct kho *kho, const struct fdt_blob *blob, struct report *report)
{
	size_t nr = fdt_blob_count(blob);
	int node;

	if (!nr)
		return 0;
	kho->subtrees = calloc(nr, sizeof(*kho->subtrees));
	if (!kho->subtrees)
		return -IOMMUSER_ENOMEM;
	for (node = fdt_first_subnode(blob->data, 0); node >= 0;
	     node = fdt_next_subnode(blob->data, node))
		read_subtree(kho, blob, node, report);
	return 0;
}

static void check_space(struct kho *kho, const struct fdt_blob *blob, struct report *report)
{
	u32 page_size = 1U << kho->page_shift;

	/* K8: a sub-node that doesn't fit any more is silently left out. */
	kho->fdt_used = fdt_blob_used(blob);
	if (kho->fdt_used > page_size / 4 * 3)
		kho_note(report, IOMMUSER_FINDING_KHO_FDT_NEARLY_FULL, kho->fdt_phys, kho->fdt_used,
			 page_size);
}

static int parse(struct kho *kho, const struct fdt_blob *blob, struct source *source,
		 struct report *report)
{
	int ret;

	read_compatible(kho, blob, report);
	read_map_property(kho, blob, report);
	check_space(kho, blob, report);
	ret = read_subtrees(kho, blob, report);
	if (!ret)
		ret = kho_read_metadata(kho, source, report);
	if (!ret)
		ret = kho_read_memblock(kho, source, report);
	return ret;
}

static struct kho new_kho(u64 fdt_phys, u32 page_shift)
{
	return (struct kho){
		.fdt_phys = fdt_phys,
		.page_shift = page_shift,
		.max_chunks = KHO_DEFAULT_MAX_CHUNKS,
		.max_nodes = KHO_DEFAULT_MAX_NODES,
		.memory_end = PHYS_END,
	};
}

/* A property of the root, from bytes that may end anywhere. Return: false when the next token is none. */
static bool next_property(const u8 *fdt, size_t size, size_t *at, const u8 **value, u32 *length)
{
	struct fdt_property property;

	while (*at + sizeof(fdt32_t) <= size &&
	       fdt32_ld((const fdt32_t *)(const void *)(fdt + *at)) == FDT_NOP)
		*at += sizeof(fdt32_t);
	if (*at + sizeof(property) > size)
		return false;
	memcpy(&property, fdt + *at, sizeof(property));
	*length = fdt32_to_cpu(property.len);
	*at += sizeof(property);
	if (fdt32_to_cpu(property.tag) != FDT_PROP || *length > size - *at)
		return false;
	*value = fdt + *at;
	*at += (*length + 3) & ~(size_t)3;
	return true;
}

static void take_compatible(struct kho *kho, const u8 *value, u32 length)
{
	memcpy(kho->compatible, value, length);
	for (u32 i = 0; i + 1 < length; i++)
		if (!kho->compatible[i])
			kho->compatible[i] = ';';
	kho->revision = find_revision(kho->compatible);
}

/*
 * Linux cuts its file in debugfs at the length that the FDT had when the file was made. What is
 * gone then are names, so properties are told by what is in them: the root has two, the revision
 * and the map's address.
 */
int kho_open_copy(struct kho *kho, u32 page_shift, const void *fdt, size_t size)
{
	u64 page_mask = (1ULL << page_shift) - 1;
	const u8 *value;
	u32 length;
	size_t at;

	*kho = new_kho(0, page_shift);
	if (size < sizeof(struct fdt_header) || fdt_magic(fdt) != FDT_MAGIC)
		return -IOMMUSER_ECORRUPT;
	/* Behind FDT_BEGIN_NODE and the root's empty name. */
	at = (size_t)fdt_off_dt_struct(fdt) + 2 * sizeof(fdt32_t);
	if (at % sizeof(fdt32_t))
		return -IOMMUSER_ECORRUPT;
	while (next_property(fdt, size, &at, &value, &length)) {
		if (length == sizeof(kho->map) && !kho->has_map) {
			memcpy(&kho->map, value, length);
			kho->has_map = kho->map && !(kho->map & page_mask) && kho->map < PHYS_END;
		} else if (length > 5 && length <= sizeof(kho->compatible) && !value[length - 1] &&
			   !memcmp(value, "kho-v", 5)) {
			take_compatible(kho, value, length);
		}
	}
	return kho->has_map && kho->revision != KHO_REVISION_UNKNOWN ? 0 : -IOMMUSER_ECORRUPT;
}

int kho_open(struct kho *kho, struct source *source, u64 fdt_phys, struct report *report)
{
	struct fdt_blob blob;
	u64 page_size;
	int ret;

	*kho = new_kho(fdt_phys, source_page_shift(source));
	page_size = 1ULL << kho->page_shift;
	if ((fdt_phys & (page_size - 1)) || fdt_phys >= PHYS_END) {
		kho_note(report, IOMMUSER_FINDING_KHO_FDT_UNSOUND, fdt_phys, 0, page_size);
		return -IOMMUSER_ECORRUPT;
	}
	ret = fdt_blob_read(&blob, source, fdt_phys, page_size);
	if (ret == -IOMMUSER_EUNMAPPED)
		kho_note(report, IOMMUSER_FINDING_KHO_NODE_UNREADABLE, fdt_phys, 0, 0);
	if (ret == -IOMMUSER_ECORRUPT)
		kho_note_name(report, IOMMUSER_FINDING_KHO_FDT_UNSOUND, fdt_phys, (u64)-blob.error,
			      0, fdt_strerror(blob.error), strlen(fdt_strerror(blob.error)));
	if (!ret)
		ret = parse(kho, &blob, source, report);
	fdt_blob_free(&blob);
	return ret;
}

void kho_close(struct kho *kho)
{
	free(kho->subtrees);
	free(kho->reserved);
	free(kho->scratch);
	*kho = (struct kho){ 0 };
}

const struct kho_subtree *kho_find_subtree(const struct kho *kho, const char *name)
{
	size_t i;

	for (i = 0; i < kho->nr_subtrees; i++)
		if (!strcmp(kho->subtrees[i].name, name))
			return &kho->subtrees[i];
	return NULL;
}
