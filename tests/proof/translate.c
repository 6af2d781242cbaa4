// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves of the translation of one address, for both stages, each depth and output
 * width, and tables anywhere with any bytes, which may even change from one call of map()
 * to the next, and with any page missing: it ends after a level of tables each; map() is
 * asked for one whole aligned table below 2^52 a step; the result is a documented one;
 * an impossible table is refused before anything is read; an address that is mapped
 * leads below the output width (unless that is less than a leaf has bits), to its own
 * offset in the page, by entries that are present, of which the last alone is a leaf;
 * permissions are no wider than those of any step. Tables have bytes for their first SLOTS
 * entries, and those bits of the address are free that lead to these. Checks S1 S2 S3 S6 S8.
 *
 * Sources: pagetable.c access.c report.c finding.c
 * Unwind: 6
 * Cases: STAGE=1 STAGE=2
 */
#include <iommuser/pagetable.h>
#include <kho/abi/iommuser.h>

#include "internal.h"
#include "proof.h"

#define PRESENT (STAGE == IOMMUSER_STAGE_FIRST ? 1 : 3)

#define SLOTS 4
#define LARGEST_LEAF_SHIFT 30
/* Bits of an address that choose the first entries, and those above all tables. */
#define FREE_BITS \
	(0xfe00000000000fffULL | 3ULL << 12 | 3ULL << 21 | 3ULL << 30 | 3ULL << 39 | 3ULL << 48)

static u32 nr_calls;

static const void *map(void *ctx, u64 phys, u64 length)
{
	(void)ctx;
	prove(phys < 1ULL << 52 && phys % 4096 == 0 && length == 4096, "one table below 2^52");
	nr_calls++;
	return nondet_bool() ? malloc(SLOTS * sizeof(u64)) : NULL;
}

/* Nothing here has a page set. */
bool iommuser_pageset_contains(struct iommuser_pageset *set, enum iommuser_plane plane, u64 phys,
			       u64 length, u64 *first_missing)
{
	(void)set;
	(void)plane;
	(void)phys;
	(void)length;
	(void)first_missing;
	prove(false, "there is no set");
	return false;
}

int iommuser_pageset_visit(struct iommuser_pageset *set, enum iommuser_plane plane, u64 phys)
{
	(void)set;
	(void)plane;
	(void)phys;
	prove(false, "there is no set");
	return 0;
}

int iommuser_pageset_add(struct iommuser_pageset *set, enum iommuser_plane plane, u64 phys,
			 u64 length)
{
	(void)set;
	(void)plane;
	(void)phys;
	(void)length;
	prove(false, "there is no set");
	return 0;
}

static void check_step(const struct iommuser_pt_table *table,
		       const struct iommuser_pt_translation *translation, u32 i)
{
	const struct iommuser_pt_step *step = &translation->steps[i];
	bool last = i + 1 == translation->nr_steps;

	prove(step->index < 512 && step->level == table->top_level - i, "a step down");
	if (!last || translation->mapped)
		prove(step->entry & PRESENT, "by entries that are present");
	if (!last)
		prove(!(step->entry & 1ULL << 7), "only the last is a leaf");
	if (translation->mapped)
		prove(!(translation->permissions & IOMMUSER_PT_WRITE & ~(u32)step->entry),
		      "no permission that a step lacks");
}

int main(void)
{
	struct iommuser_env env = { .page_shift = any_page_shift(), .map = map };
	struct iommuser_pt_table table = {
		.env = &env,
		.stage = STAGE,
		.top_table = nondet_u64(),
		.top_level = nondet_u32(),
		.output_width = nondet_u32(),
	};
	u32 least = STAGE == IOMMUSER_STAGE_FIRST ? 3 : 2;
	struct iommuser_pt_translation translation;
	u64 iova = nondet_u64() & FREE_BITS;
	u32 i = nondet_u32();
	int error = iommuser_pt_translate(&table, iova, &translation);

	prove(!error || error == -IOMMUSER_EINVAL || error == -IOMMUSER_ECORRUPT ||
		      error == -IOMMUSER_EUNMAPPED,
	      "documented result");
	prove((error == -IOMMUSER_EINVAL) == (table.top_level < least || table.top_level > 4 ||
					      table.output_width < 12 || table.output_width > 52),
	      "exactly impossible tables are refused");
	if (error == -IOMMUSER_EINVAL) {
		prove(!nr_calls, "and not read");
		return 0;
	}
	prove(nr_calls <= table.top_level + 1 && translation.nr_steps <= nr_calls,
	      "a call of map() for each level at most");
	if (i < translation.nr_steps)
		check_step(&table, &translation, i);
	prove(!error || !translation.mapped, "mapped only without an error");
	if (translation.mapped) {
		if (translation.nr_steps == table.top_level + 1)
			reach("a leaf of 4 KiB");
		else
			reach("a larger leaf");
		/* The verifier wants 32 bits at least. */
		prove(table.output_width < LARGEST_LEAF_SHIFT ||
			      translation.phys < 1ULL << table.output_width,
		      "below the output width");
		prove(translation.phys % 4096 == iova % 4096, "the same offset in the page");
	} else if (error == -IOMMUSER_ECORRUPT) {
		reach("an entry that no hardware follows");
	}
	return 0;
}
