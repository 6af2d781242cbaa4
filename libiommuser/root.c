// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The root of a handover: magic, version, totals, seal.
 */
#include <iommuser/root.h>
#include <iommuser/seal.h>

#include "internal.h"
#include "report.h"

#define CRC_OFFSET offsetof(struct iommuser_root_ser, crc)

/* Everything that the checks of one root share. */
struct root_check {
	const struct iommuser_env *env;
	const struct iommuser_reporter *reporter;
	struct iommuser_root *root;
	const u8 *bytes;
};

static OWN_FRAME void bad_field(const struct root_check *check, u32 field, u64 found, u64 expected)
{
	report_field(check->reporter, IOMMUSER_FINDING_REC_ROOT_FIELD, check->root->phys, field,
		     found, expected);
}

static int unknown(const struct root_check *check, u32 field, u64 found, u64 expected)
{
	report_field(check->reporter, IOMMUSER_FINDING_REC_ROOT_UNKNOWN, check->root->phys, field,
		     found, expected);
	return -IOMMUSER_EUNKNOWN;
}

#define ROOT_LOAD(check, width, member) \
	load_le##width((check)->bytes + offsetof(struct iommuser_root_ser, member))

static void check_release(const struct root_check *check)
{
	const u8 *release = check->bytes + offsetof(struct iommuser_root_ser, kernel_release);
	u32 length = 0;

	while (length < IOMMUSER_KERNEL_RELEASE_SIZE && release[length])
		length++;
	if (length == IOMMUSER_KERNEL_RELEASE_SIZE ||
	    !all_zero(release + length, IOMMUSER_KERNEL_RELEASE_SIZE - length)) {
		bad_field(check, IOMMUSER_FIELD_KERNEL_RELEASE, length,
			  IOMMUSER_KERNEL_RELEASE_SIZE - 1);
		length = length == IOMMUSER_KERNEL_RELEASE_SIZE ? length - 1 : length;
	}
	memcpy(check->root->kernel_release, release, length);
}

static void check_sealed_fields(const struct root_check *check)
{
	u64 page_size = env_page_size(check->env);
	u32 root_size = ROOT_LOAD(check, 32, root_size);
	u32 used = sizeof(struct iommuser_root_ser);

	if (root_size < used || root_size > page_size)
		bad_field(check, IOMMUSER_FIELD_ROOT_SIZE, root_size, used);
	else
		used = root_size;
	if (ROOT_LOAD(check, 32, page_size) != page_size)
		bad_field(check, IOMMUSER_FIELD_PAGE_SIZE, ROOT_LOAD(check, 32, page_size),
			  page_size);
	if (ROOT_LOAD(check, 64, reserved))
		bad_field(check, IOMMUSER_FIELD_RESERVED, ROOT_LOAD(check, 64, reserved), 0);
	if (!all_zero(check->bytes + used, page_size - used))
		report_at(check->reporter, IOMMUSER_FINDING_CHAIN_TAIL, check->root->phys, 0, 0);
	check_release(check);
}

static int open_sealed(const struct root_check *check)
{
	struct iommuser_root *root = check->root;
	u32 found = iommuser_seal_read(check->bytes, CRC_OFFSET);
	u32 computed;

	if (ROOT_LOAD(check, 64, magic) != IOMMUSER_MAGIC)
		return unknown(check, IOMMUSER_FIELD_MAGIC, ROOT_LOAD(check, 64, magic),
			       IOMMUSER_MAGIC);
	root->version = ROOT_LOAD(check, 16, format_major);
	root->minor = ROOT_LOAD(check, 16, format_minor);
	root->generation = ROOT_LOAD(check, 64, generation);
	computed = iommuser_seal_compute(check->env, check->bytes, CRC_OFFSET);
	if (found != computed)
		report_at(check->reporter, IOMMUSER_FINDING_SEAL_ROOT, root->phys, found, computed);
	if (root->version != IOMMUSER_FORMAT_MAJOR)
		return unknown(check, IOMMUSER_FIELD_VERSION, root->version, IOMMUSER_FORMAT_MAJOR);
	check_sealed_fields(check);
	return 0;
}

static int open_versioned(const struct root_check *check)
{
	check->root->version = load_le64(check->bytes);
	if (check->root->version != check->root->revision->version)
		return unknown(check, IOMMUSER_FIELD_VERSION, check->root->version,
			       check->root->revision->version);
	return 0;
}

static void read_array(const struct root_check *check, u32 kind)
{
	const struct iommuser_revision *revision = check->root->revision;
	const u8 *at = check->bytes + revision->arrays_offset + (kind - 1) * revision->array_stride;
	struct iommuser_array *array = &check->root->arrays[kind];
	bool may_be_absent = revision->properties & IOMMUSER_REVISION_SEALED;

	array->first_page = load_le64(at);
	if (revision->properties & IOMMUSER_REVISION_TOTALS)
		array->nr_records = load_le64(at + 8);
	if (may_be_absent) {
		array->nr_deleted = load_le64(at + 16);
		if (array->nr_deleted > array->nr_records)
			bad_field(check, IOMMUSER_FIELD_NR_DELETED, array->nr_deleted,
				  array->nr_records);
		if (!array->first_page != !array->nr_records)
			bad_field(check, IOMMUSER_FIELD_FIRST_PAGE, array->first_page, 0);
	} else if (!array->first_page) {
		bad_field(check, IOMMUSER_FIELD_FIRST_PAGE, 0, 1);
	}
}

static int access_root(const struct iommuser_env *env, struct iommuser_pageset *set,
		       const struct iommuser_reporter *reporter, struct iommuser_root *root,
		       const void **bytes)
{
	bool sealed = root->revision->properties & IOMMUSER_REVISION_SEALED;
	u64 page = env_page_size(env);
	u64 size = sealed ? page : root->revision->root_size;
	u64 align = sealed ? page : 8;
	int error = iommuser_access(env, root->phys, size, align, bytes);

	if (error == -IOMMUSER_ECORRUPT)
		report_field(reporter, IOMMUSER_FINDING_REC_ROOT_FIELD, root->phys,
			     IOMMUSER_FIELD_FIRST_PAGE, root->phys, align);
	else if (error)
		report_unreadable(reporter, IOMMUSER_FINDING_REC_ROOT_UNREADABLE, set, root->phys);
	else
		visit_metadata(reporter, set, IOMMUSER_FINDING_CLOSURE_ARRAY,
			       IOMMUSER_FINDING_CHAIN_SHARED_PAGE, root->phys & ~(page - 1), page);
	return error;
}

int iommuser_root_open(const struct iommuser_env *env, const struct iommuser_revision *revision,
		       u64 phys, struct iommuser_pageset *set,
		       const struct iommuser_reporter *reporter, struct iommuser_root *root)
{
	struct root_check check = { .env = env, .reporter = reporter, .root = root };
	const void *bytes;
	int error = 0;
	u32 kind;

	if (!valid_page_shift(env->page_shift))
		return -IOMMUSER_EINVAL;
	if ((revision->properties & IOMMUSER_REVISION_SEALED) && !env->crc32)
		return -IOMMUSER_EINVAL;

	memset(root, 0, sizeof(*root));
	root->revision = revision;
	root->phys = phys;
	error = access_root(env, set, reporter, root, &bytes);
	if (error)
		return error;
	check.bytes = bytes;
	if (revision->properties & IOMMUSER_REVISION_SEALED)
		error = open_sealed(&check);
	else if (revision->properties & IOMMUSER_REVISION_VERSION)
		error = open_versioned(&check);
	if (error)
		return error;
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		if (revision->kinds[kind].size)
			read_array(&check, kind);
	return 0;
}
