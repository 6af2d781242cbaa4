// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * LUO's blob: an FDT in luo-v1 and luo-v2, a struct from luo-v3 on.
 *
 * Linux 7.3 panics early in boot when the compatible string is not its own or
 * the blob is too short, whether or not live update is on (K9).
 */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/kho.h>
#include <kho/abi/luo.h>

#include "fdt-blob.h"
#include "luo-reader.h"

#define MAX_COMPATIBLE 64

static const char *const components[] = { KHO_BLOCK_V1_COMPATIBLE, KHO_VMALLOC_V1_COMPATIBLE,
					  KHO_RADIX_V1_COMPATIBLE, NULL };

static enum luo_revision find_revision(const char *compatible, bool is_fdt)
{
	static const char *const revisions[] = {
		[LUO_REVISION_V1] = LUO_V1_COMPATIBLE, [LUO_REVISION_V2] = LUO_V2_COMPATIBLE,
		[LUO_REVISION_V3] = LUO_V3_COMPATIBLE, [LUO_REVISION_V4] = LUO_V4_COMPATIBLE,
		[LUO_REVISION_V5] = LUO_V5_COMPATIBLE,
	};
	enum luo_revision revision;

	for (revision = LUO_REVISION_V1; revision <= LUO_REVISION_V5; revision++)
		if (compatible_is(compatible, revisions[revision]) &&
		    is_fdt == (revision <= LUO_REVISION_V2) &&
		    compatible_components_known(compatible, components))
			return revision;
	return LUO_REVISION_UNKNOWN;
}

static int invalid(struct luo_reader *reader, u64 phys, u64 found, u64 expected, const char *what)
{
	kho_note_name(reader->report, IOMMUSER_FINDING_LUO_STATE_INVALID, phys, found, expected,
		      what, strlen(what));
	return -IOMMUSER_ECORRUPT;
}

static int unknown(struct luo_reader *reader, u64 phys, const struct luo_root *root)
{
	kho_note_name(reader->report, IOMMUSER_FINDING_LUO_COMPATIBLE_UNKNOWN, phys, 0, 0,
		      root->compatible, sizeof(root->compatible));
	return -IOMMUSER_EUNKNOWN;
}

/* A child of a luo-v1 FDT: 1 when it has the address, 0 when there is no such child. */
static int read_v1_child(const struct fdt_blob *blob, const char *name,
			 const char *const *compatibles, const char *const *properties, u64 *phys)
{
	char compatible[MAX_COMPATIBLE];
	bool known = false;
	u32 length;
	int node;

	node = fdt_subnode_offset(blob->data, 0, name);
	if (node < 0)
		return 0;
	fdt_blob_compatible(blob, node, compatible, sizeof(compatible));
	for (; *compatibles; compatibles++)
		known |= compatible_is(compatible, *compatibles);
	if (!known)
		return -IOMMUSER_EUNKNOWN;
	for (; *properties; properties++)
		if (fdt_blob_u64(blob, node, *properties, phys, &length))
			return 1;
	return -IOMMUSER_ECORRUPT;
}

static int read_v1(struct luo_reader *reader, u64 phys, const struct fdt_blob *blob,
		   struct luo_root *root)
{
	static const char *const session_compatibles[] = { LUO_V1_SESSION_V2_COMPATIBLE,
							   LUO_V1_SESSION_V1_COMPATIBLE, NULL };
	static const char *const session_properties[] = { LUO_V1_SESSION_PROPERTY,
							  LUO_V1_SESSION_EARLY_PROPERTY, NULL };
	static const char *const flb_compatibles[] = { LUO_V1_FLB_COMPATIBLE, NULL };
	static const char *const flb_properties[] = { LUO_V1_FLB_PROPERTY, NULL };
	u32 length;
	int ret;

	if (!fdt_blob_u64(blob, 0, LUO_V1_NUMBER_PROPERTY, &root->liveupdate_num, &length))
		return invalid(reader, phys, length, sizeof(u64), LUO_V1_NUMBER_PROPERTY);
	ret = read_v1_child(blob, LUO_V1_SESSION_NODE, session_compatibles, session_properties,
			    &root->sessions_phys);
	if (ret <= 0)
		return invalid(reader, phys, 0, sizeof(u64), LUO_V1_SESSION_NODE);
	/* The first kernels with luo-v1 had no FLBs. */
	ret = read_v1_child(blob, LUO_V1_FLB_NODE, flb_compatibles, flb_properties,
			    &root->flbs_phys);
	if (ret < 0)
		return invalid(reader, phys, 0, sizeof(u64), LUO_V1_FLB_NODE);
	return 0;
}

static void take_state(struct luo_root *root, const struct luo_v2_ser *ser)
{
	root->liveupdate_num = ser->liveupdate_num;
	root->sessions_phys = ser->sessions_pa;
	root->flbs_phys = ser->flbs_pa;
}

static int read_v2(struct luo_reader *reader, u64 phys, const struct fdt_blob *blob,
		   struct luo_root *root)
{
	struct luo_v2_ser ser;
	u64 header;
	u32 length;

	if (!fdt_blob_u64(blob, 0, LUO_V2_HEADER_PROPERTY, &header, &length))
		return invalid(reader, phys, length, sizeof(u64), LUO_V2_HEADER_PROPERTY);
	if (!luo_address_possible(header, sizeof(ser), sizeof(u64)))
		return invalid(reader, phys, header, sizeof(u64), LUO_V2_HEADER_PROPERTY);
	luo_claim(reader, header, sizeof(ser));
	if (!luo_read(reader, header, &ser, sizeof(ser)))
		return -IOMMUSER_EUNMAPPED;
	take_state(root, &ser);
	return 0;
}

static int read_fdt(struct luo_reader *reader, u64 phys, u64 size, struct luo_root *root)
{
	struct fdt_blob blob;
	int ret;

	ret = fdt_blob_read(&blob, reader->source, phys, size);
	if (ret == -IOMMUSER_EUNMAPPED)
		luo_note(reader, IOMMUSER_FINDING_LUO_UNREADABLE, phys, size, 0);
	else if (ret == -IOMMUSER_ECORRUPT)
		ret = invalid(reader, phys, (u64)-blob.error, 0, fdt_strerror(blob.error));
	if (ret)
		goto out;
	fdt_blob_compatible(&blob, 0, root->compatible, sizeof(root->compatible));
	root->revision = find_revision(root->compatible, true);
	if (root->revision == LUO_REVISION_V1)
		ret = read_v1(reader, phys, &blob, root);
	else if (root->revision == LUO_REVISION_V2)
		ret = read_v2(reader, phys, &blob, root);
	else
		ret = unknown(reader, phys, root);
out:
	fdt_blob_free(&blob);
	return ret;
}

/* The string's own length says where the other fields are. */
static int read_struct(struct luo_reader *reader, u64 phys, u64 size, struct luo_root *root)
{
	char compatible[MAX_COMPATIBLE] = "";
	u64 head = size < sizeof(compatible) ? size : sizeof(compatible);
	struct luo_v2_ser ser;
	u64 offset;

	if (!luo_read(reader, phys, compatible, head))
		return -IOMMUSER_EUNMAPPED;
	if (!memchr(compatible, 0, head)) {
		memcpy(root->compatible, compatible, sizeof(root->compatible) - 1);
		return unknown(reader, phys, root);
	}
	memcpy(root->compatible, compatible, sizeof(root->compatible));
	root->revision = find_revision(root->compatible, false);
	if (root->revision == LUO_REVISION_UNKNOWN)
		return unknown(reader, phys, root);
	offset = (strlen(compatible) + 1 + 7) & ~7ULL;
	if (offset + sizeof(ser) > size)
		return invalid(reader, phys, size, offset + sizeof(ser), root->compatible);
	if (!luo_read(reader, phys + offset, &ser, sizeof(ser)))
		return -IOMMUSER_EUNMAPPED;
	take_state(root, &ser);
	return 0;
}

int luo_read_root(struct luo_reader *reader, u64 phys, u64 size, struct luo_root *root)
{
	u64 page_size = luo_page_size(reader);
	u8 magic[4];

	*root = (struct luo_root){ 0 };
	if (!size || size > page_size)
		size = page_size;
	if (!luo_address_possible(phys, size, sizeof(u64))) {
		luo_note(reader, IOMMUSER_FINDING_LUO_BLOCK_ADDRESS, 0, phys, sizeof(u64));
		return -IOMMUSER_ECORRUPT;
	}
	if (size < sizeof(magic))
		return invalid(reader, phys, size, sizeof(struct luo_v3_ser), "");
	/* KHO's readers have said it already if a sub-blob isn't preserved. */
	if (reader->pages && reader->pages->subtrees_checked)
		kho_pages_visit(reader->pages, phys, size);
	else
		luo_claim(reader, phys, size);
	if (!luo_read(reader, phys, magic, sizeof(magic)))
		return -IOMMUSER_EUNMAPPED;
	if (fdt32_ld((const fdt32_t *)magic) == FDT_MAGIC)
		return read_fdt(reader, phys, size, root);
	return read_struct(reader, phys, size, root);
}

bool luo_peek_number(struct source *source, u64 phys, u64 size, u64 *number)
{
	struct luo_reader reader = { .source = source, .page_shift = source_page_shift(source) };
	struct luo_root root;

	if (luo_read_root(&reader, phys, size, &root))
		return false;
	*number = root.liveupdate_num;
	return true;
}
