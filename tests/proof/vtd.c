// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves of the decoders of VT-d entries, for tables anywhere with any bytes, which may
 * even change from one call of map() to the next, and with any page missing: at most
 * two calls of map(), each below 2^52 and for exactly the entry that the hardware reads;
 * results are documented ones; fields are within the widths that the hardware gives
 * them; a table's address is a multiple of 4096; an iteration goes forward and says
 * 1 only with an entry that is present. Checks S1 S2 S3 S6 S8.
 *
 * Sources: vtd.c access.c
 * Unwind: 9
 * Cases: CHECK=check_context,SCALABLE=0 CHECK=check_context,SCALABLE=1
 * Cases: CHECK=check_next_context,SCALABLE=0 CHECK=check_next_context,SCALABLE=1
 * Cases: CHECK=check_pasid,SCALABLE=1 CHECK=check_next_pasid,SCALABLE=1
 */
#include <iommuser/vtd.h>

#include "internal.h"
#include "proof.h"

/* Entries from the end from which an iteration starts at the earliest. */
#define LAST 3

static u32 nr_calls;
/* What was asked for, and the first answer. */
static u64 asked[2];
static u64 *answer;

static const void *map(void *ctx, u64 phys, u64 length)
{
	u64 *bytes;

	(void)ctx;
	prove(phys < 1ULL << 52 && phys % 4096 + length <= 4096, "within a table, below 2^52");
	prove(length == 8 || length == 16 || length == 32 || length == 64, "one entry");
	prove(!(phys & (length - 1)), "aligned to the entry's size");
	if (nr_calls < ARRAY_SIZE(asked))
		asked[nr_calls] = phys;
	bytes = nondet_bool() ? malloc(length) : NULL;
	if (!nr_calls++)
		answer = bytes;
	return bytes;
}

static struct iommuser_env env = { .map = map };

static bool is_documented(int result)
{
	return !result || result == -IOMMUSER_EINVAL || result == -IOMMUSER_ECORRUPT ||
	       result == -IOMMUSER_EUNMAPPED;
}

static void check_context(void)
{
	const struct iommuser_vtd_tables tables = {
		.env = &env,
		.root_table = nondet_u64(),
		.scalable = SCALABLE,
	};
	struct iommuser_vtd_context context;
	u32 bdf = nondet_u32();
	int result = iommuser_vtd_context(&tables, bdf, &context);

	prove(is_documented(result), "documented result");
	prove((result == -IOMMUSER_EINVAL) == (bdf >= 65536), "exactly a wrong requester");
	prove(nr_calls <= 2, "two calls of map() at most");
	prove(context.translation_type < 4 && context.address_width < 8 && context.did < 65536,
	      "fields of legacy mode");
	prove(context.directory_size < 8 && context.rid_pasid < 1U << 20,
	      "fields of scalable mode");
	prove(context.table % 4096 == 0, "a table");
	prove(!context.present || context.table_present, "present only with a table of contexts");
	prove(!SCALABLE || (!context.translation_type && !context.did),
	      "no fields of legacy mode in scalable mode");
	if (nr_calls)
		prove(asked[0] == tables.root_table + (bdf >> 8) * 16, "the root entry of the bus");
	if (nr_calls == 2) {
		/* In scalable mode each half of a bus has its own table. */
		u64 word = answer[SCALABLE && bdf & 0x80 ? 1 : 0];
		u32 slot = SCALABLE ? bdf & 0x7f : bdf & 0xff;

		prove(word & 1, "a table that is present");
		prove(asked[1] == (word & ~0xfffULL) + slot * (SCALABLE ? 32 : 16),
		      "the requester's entry of it");
	}
	if (!result && context.present)
		reach("a context entry");
	if (result == -IOMMUSER_EUNMAPPED && context.table_present)
		reach("a context table is missing");
}

/* Of an iteration, the last requesters. */
static void check_next_context(void)
{
	const struct iommuser_vtd_tables tables = {
		.env = &env,
		.root_table = nondet_u64(),
		.scalable = SCALABLE,
	};
	struct iommuser_vtd_context context;
	u32 before = nondet_u32(), cursor = before, bdf;
	int result;

	assume(cursor >= 65536 - LAST);
	result = iommuser_vtd_next_context(&tables, &cursor, &bdf, &context);
	prove(result == 1 || is_documented(result), "documented result");
	prove(cursor >= before && (cursor > before || !result), "an iteration goes forward");
	prove(result != 1 || (context.present && bdf >= before && bdf < cursor), "1 with an entry");
	prove(result || cursor >= 65536, "0 at the end only");
	if (result == 1)
		reach("an entry");
	if (!result && before < 65536)
		reach("the end");
}

/* Any directory that a context entry names. */
static void make_directory(struct iommuser_vtd_directory *directory)
{
	struct iommuser_vtd_context context;

	context.directory_size = nondet_u32();
	context.table = nondet_u64();
	assume(context.directory_size < 8);
	iommuser_vtd_directory_of(&env, &context, directory);
	prove(directory->nr_pasids <= IOMMUSER_VTD_MAX_PASIDS && directory->nr_pasids >= 8192 &&
		      !(directory->nr_pasids & (directory->nr_pasids - 1)),
	      "a directory covers a power of two of PASIDs");
}

static void check_pasid(void)
{
	struct iommuser_vtd_directory directory;
	struct iommuser_vtd_pasid entry;
	u32 pasid = nondet_u32();
	int result;

	make_directory(&directory);
	result = iommuser_vtd_pasid(&directory, pasid, &entry);
	prove(is_documented(result), "documented result");
	prove((result == -IOMMUSER_EINVAL) == (pasid >= directory.nr_pasids),
	      "exactly a wrong PASID");
	prove(nr_calls <= 2, "two calls of map() at most");
	prove(entry.did < 65536 && entry.type < 8 && entry.address_width < 8 &&
		      entry.first_stage_mode < 4,
	      "fields of a PASID entry");
	prove(entry.first_stage % 4096 == 0 && entry.second_stage % 4096 == 0, "tables");
	if (nr_calls)
		prove(asked[0] == directory.phys + pasid / 64 * 8, "the directory's entry");
	if (nr_calls == 2)
		prove(answer[0] & 1 && asked[1] == (answer[0] & ~0xfffULL) + pasid % 64 * 64,
		      "the PASID's entry of a table that is present");
	if (!result && entry.present)
		reach("a PASID entry");
}

static void check_next_pasid(void)
{
	struct iommuser_vtd_directory directory;
	struct iommuser_vtd_pasid entry;
	u32 before = nondet_u32(), cursor = before, pasid;
	int result;

	make_directory(&directory);
	assume(cursor >= directory.nr_pasids - LAST);
	result = iommuser_vtd_next_pasid(&directory, &cursor, &pasid, &entry);
	prove(result == 1 || is_documented(result), "documented result");
	prove(cursor >= before && (cursor > before || !result), "an iteration goes forward");
	prove(result != 1 || (entry.present && pasid >= before && pasid < cursor),
	      "1 with an entry");
	prove(result || cursor >= directory.nr_pasids, "0 at the end only");
	if (result == 1)
		reach("an entry");
	if (!result && before < directory.nr_pasids)
		reach("the end");
}

int main(void)
{
	env.page_shift = any_page_shift();
	CHECK();
	prove(iommuser_vtd_nr_dids(nondet_u64()) <= 65536, "no more DIDs than 16 bits");
	return 0;
}
