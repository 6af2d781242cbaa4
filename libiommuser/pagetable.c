// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * VT-d page tables: one iterative walker that checks, coalesces and reports,
 * and the translation of a single address.
 */
#include <iommuser/pagetable.h>
#include <kho/abi/iommuser.h>

#include "internal.h"
#include "report.h"

#define ENTRIES 512
#define ENTRY_SIZE 8
#define INDEX_BITS 9
#define SIZE_BIT (1ULL << 7)
#define MAX_LEAF_LEVEL 2

/* Second-stage entries (9.8): no present bit, readable or writable is present. */
#define SECOND_READ (1ULL << 0)
#define SECOND_WRITE (1ULL << 1)
#define SECOND_SNOOP (1ULL << 11)
#define SECOND_RESERVED 0x400000000000007cULL
#define SECOND_IGNORED 0xbff0000000000700ULL

/* First-stage entries (9.7). */
#define FIRST_PRESENT (1ULL << 0)
#define FIRST_PAT_LARGE (1ULL << 12)
#define FIRST_IGNORED 0x7ff0000000000a60ULL

/* What differs between the stages. */
struct pt_format {
	u64 present;
	u64 reserved;
	u64 reserved_in_pages; /* the same for entries of 4 KiB */
	u64 ignored;	       /* bits that may differ within a run */
};

static const struct pt_format second_stage = {
	.present = SECOND_READ | SECOND_WRITE,
	.reserved = SECOND_RESERVED,
	.reserved_in_pages = SECOND_RESERVED | SIZE_BIT,
	.ignored = SECOND_IGNORED | (1ULL << 9),
};

static const struct pt_format first_stage = {
	.present = FIRST_PRESENT,
	.reserved = 0,
	.reserved_in_pages = 0,
	.ignored = FIRST_IGNORED,
};

struct pt_walk {
	const struct iommuser_pt_table *table;
	const struct pt_format *format;
	struct iommuser_pageset *set;
	const struct iommuser_pt_visitor *visitor;
	const struct iommuser_reporter *reporter;
	struct iommuser_pt_counts *counts;
	u64 max_tables;
	u64 output_excess;	    /* address bits above the output width */
	struct iommuser_pt_run run; /* the run not reported yet; length 0: none */
	u64 tables[IOMMUSER_PT_MAX_LEVELS];
	u32 index[IOMMUSER_PT_MAX_LEVELS]; /* of the entry to look at next */
};

static u64 level_size(u32 level)
{
	return 1ULL << (IOMMUSER_TABLE_SHIFT + INDEX_BITS * level);
}

static const struct pt_format *format_of(const struct iommuser_pt_table *table)
{
	if (table->output_width < IOMMUSER_TABLE_SHIFT || table->output_width > IOMMUSER_PHYS_BITS)
		return NULL;
	if (table->top_level >= IOMMUSER_PT_MAX_LEVELS)
		return NULL;
	if (table->stage == IOMMUSER_STAGE_SECOND && table->top_level >= 2)
		return &second_stage;
	if (table->stage == IOMMUSER_STAGE_FIRST && table->top_level >= 3)
		return &first_stage;
	return NULL;
}

static OWN_FRAME u64 excess_bits(const struct iommuser_pt_table *table)
{
	return IOMMUSER_ADDRESS_MASK & ~((1ULL << table->output_width) - 1);
}

/*
 * Address of the first byte that entry @index of the innermost table maps. The
 * tables above have moved on to their next entry already.
 */
static u64 iova_at(const struct pt_walk *walk, u32 level, u32 index)
{
	u64 iova = (u64)index << (IOMMUSER_TABLE_SHIFT + INDEX_BITS * level);
	u32 top_bit = IOMMUSER_TABLE_SHIFT + INDEX_BITS * (walk->table->top_level + 1) - 1;
	u32 i;

	for (i = level + 1; i <= walk->table->top_level; i++)
		iova |= (u64)(walk->index[i] - 1) << (IOMMUSER_TABLE_SHIFT + INDEX_BITS * i);
	if (walk->format == &first_stage && (iova >> top_bit))
		iova |= ~((1ULL << top_bit) - 1);
	return iova;
}

/* Of an entry that is present, so that a first-stage one has bit 0: it is readable. */
static u32 permissions_of(const struct pt_format *format, u64 entry)
{
	u32 permissions = (u32)entry & (IOMMUSER_PT_READ | IOMMUSER_PT_WRITE);

	if (format == &second_stage && (entry & SECOND_SNOOP))
		permissions |= IOMMUSER_PT_SNOOP;
	return permissions;
}

static OWN_FRAME void report_entry(const struct pt_walk *walk, enum iommuser_finding_id id,
				   u64 phys, u64 found, u64 expected)
{
	report_at(walk->reporter, id, phys, found, expected);
}

static bool is_leaf(u64 entry, u32 level)
{
	return !level || (entry & SIZE_BIT);
}

/* Bits of a leaf's address field that its size requires to be zero. */
static OWN_FRAME u64 misaligned_bits(const struct pt_format *format, u64 entry, u32 level)
{
	u64 bits = entry & IOMMUSER_ADDRESS_MASK & (level_size(level) - 1);

	if (format == &first_stage)
		bits &= ~FIRST_PAT_LARGE;
	return bits;
}

static u64 leaf_phys(u64 entry, u32 level)
{
	return entry & IOMMUSER_ADDRESS_MASK & ~(level_size(level) - 1);
}

static u64 reserved_bits(const struct pt_format *format, u64 entry, u32 level)
{
	return entry & (level ? format->reserved : format->reserved_in_pages);
}

/* Check an entry that is present. Return: false when it cannot be followed. */
static bool check_entry(const struct pt_walk *walk, u64 phys, u64 entry, u32 level)
{
	u64 reserved = reserved_bits(walk->format, entry, level);

	if (reserved)
		report_entry(walk, IOMMUSER_FINDING_PT_RESERVED, phys, entry, reserved);
	if (level && (entry & SIZE_BIT)) {
		if (level > MAX_LEAF_LEVEL) {
			report_entry(walk, IOMMUSER_FINDING_PT_LEAF_LEVEL, phys, entry, level + 1);
			return false;
		}
		if (misaligned_bits(walk->format, entry, level))
			report_entry(walk, IOMMUSER_FINDING_PT_LEAF_ALIGNMENT, phys, entry,
				     level_size(level));
	}
	if (entry & walk->output_excess) {
		report_entry(walk, IOMMUSER_FINDING_PT_OUTPUT_WIDTH, phys, entry,
			     walk->table->output_width);
		return false;
	}
	return true;
}

static int flush_run(struct pt_walk *walk)
{
	struct iommuser_pt_run *run = &walk->run;
	u64 missing;
	int result = 0;

	if (!run->length)
		return 0;
	if (walk->set) {
		if (!iommuser_pageset_contains(walk->set, IOMMUSER_PRESERVED, run->phys,
					       run->length, &missing))
			report_entry(walk, IOMMUSER_FINDING_CLOSURE_LEAF, missing, missing,
				     run->iova + (missing - run->phys));
		if (walk->set->planes[IOMMUSER_MAPPED])
			iommuser_pageset_add(walk->set, IOMMUSER_MAPPED, run->phys, run->length);
	}
	if (walk->visitor && walk->visitor->run)
		result = walk->visitor->run(walk->visitor->ctx, run);
	run->length = 0;
	return result;
}

static void count_leaves(const struct pt_walk *walk, u32 level, u64 entry, u64 leaves)
{
	struct iommuser_pt_counts *counts = walk->counts;
	u32 permissions = permissions_of(walk->format, entry);

	counts->nr_leaves[level] += leaves;
	counts->mapped += leaves * level_size(level);
	counts->page_sizes |= level_size(level);
	if (permissions & IOMMUSER_PT_SNOOP)
		counts->nr_snooped += leaves;
	if (!(permissions & IOMMUSER_PT_WRITE))
		counts->nr_read_only += leaves;
}

/* Add @leaves equal leaves that start with @entry to the run, or start a new one. */
static int add_leaves(struct pt_walk *walk, u32 level, u32 index, u64 entry, u64 leaves)
{
	struct iommuser_pt_run *run = &walk->run;
	u32 permissions = permissions_of(walk->format, entry);
	u64 phys = leaf_phys(entry, level);
	u64 iova = iova_at(walk, level, index);
	int error;

	count_leaves(walk, level, entry, leaves);
	if (run->length && run->level == level && run->permissions == permissions &&
	    run->iova + run->length == iova && run->phys + run->length == phys) {
		run->length += leaves * level_size(level);
		return 0;
	}
	error = flush_run(walk);
	run->iova = iova;
	run->phys = phys;
	run->length = leaves * level_size(level);
	run->permissions = permissions;
	run->level = level;
	return error;
}

/* Leaves from @index on that continue @entry; the hot loop of every walk. */
static u32 count_continuing(const struct pt_walk *walk, const u8 *entries, u32 index, u64 entry)
{
	u64 room = ((1ULL << walk->table->output_width) - leaf_phys(entry, 0)) >>
		   IOMMUSER_TABLE_SHIFT;
	u32 stop = room < ENTRIES - index ? index + (u32)room : ENTRIES;
	u64 compare = ~walk->format->ignored;
	u32 i;

	for (i = index + 1; i < stop; i++) {
		entry += IOMMUSER_TABLE_SIZE;
		if ((load_le64(entries + i * ENTRY_SIZE) ^ entry) & compare)
			break;
	}
	return i - index;
}

static u32 count_empty(const u8 *entries, u32 index)
{
	u32 i;

	for (i = index; i < ENTRIES; i++)
		if (load_le64(entries + i * ENTRY_SIZE))
			break;
	return i - index;
}

/* Is an entry present that is not empty? */
static bool entry_present(const struct pt_walk *walk, u64 phys, u64 entry)
{
	if (entry & walk->format->present)
		return true;
	report_entry(walk, IOMMUSER_FINDING_PT_NO_PERMISSION, phys, entry, 0);
	return false;
}

/* A whole table of 4 KiB leaves. */
static int scan_leaves(struct pt_walk *walk, const u8 *entries)
{
	u64 table = walk->tables[0];
	u32 index = 0;
	u32 leaves;
	u64 entry;
	int error;

	while (index < ENTRIES) {
		entry = load_le64(entries + index * ENTRY_SIZE);
		if (!entry) {
			index += count_empty(entries, index);
			continue;
		}
		if (!entry_present(walk, table + index * ENTRY_SIZE, entry) ||
		    !check_entry(walk, table + index * ENTRY_SIZE, entry, 0)) {
			index++;
			continue;
		}
		leaves = count_continuing(walk, entries, index, entry);
		error = add_leaves(walk, 0, index, entry, leaves);
		if (error)
			return error;
		index += leaves;
	}
	return 0;
}

/* Is the table one of those that lead to it? */
static bool on_path(const struct pt_walk *walk, u64 phys, u32 level)
{
	while (level++ < walk->table->top_level)
		if (walk->tables[level] == phys)
			return true;
	return false;
}

/*
 * Open the table at @phys as that of @level. @entries becomes NULL when the
 * table is not to be walked.
 * Return: 0, or a result that ends the walk.
 */
static int enter_table(struct pt_walk *walk, u64 phys, u32 level, const u8 **entries)
{
	const void *bytes;
	int seen;

	*entries = NULL;
	if (access_table(walk->table->env, phys, &bytes)) {
		report_unreadable(walk->reporter, IOMMUSER_FINDING_PT_UNREADABLE, walk->set, phys);
		return 0;
	}
	prefetch_page(bytes);
	if (walk->set) {
		seen = iommuser_pageset_visit(walk->set, IOMMUSER_VISITED, phys);
		if (seen == 1)
			report_entry(walk, IOMMUSER_FINDING_PT_REPEATED, phys, phys, 0);
		else if (!iommuser_pageset_contains(walk->set, IOMMUSER_PRESERVED, phys,
						    IOMMUSER_TABLE_SIZE, NULL))
			report_entry(walk, IOMMUSER_FINDING_CLOSURE_PAGE_TABLE, phys, phys, 0);
		if (seen)
			return 0;
	} else if (on_path(walk, phys, level)) {
		report_entry(walk, IOMMUSER_FINDING_PT_REPEATED, phys, phys, 0);
		return 0;
	} else if (walk->counts->nr_tables >= walk->max_tables) {
		return -IOMMUSER_ENOSPC;
	}
	walk->counts->nr_tables++;
	walk->counts->nr_entries += ENTRIES;
	walk->tables[level] = phys;
	walk->index[level] = 0;
	*entries = bytes;
	if (walk->visitor && walk->visitor->table)
		return walk->visitor->table(walk->visitor->ctx, phys, level);
	return 0;
}

/*
 * Look at the next entry of the table of @level; @child is the table that it
 * leads to, 0 when it leads to none.
 * Return: 0, or a result that ends the walk.
 */
static int step_entry(struct pt_walk *walk, const u8 *entries, u32 level, u64 *child)
{
	u32 index = walk->index[level]++;
	u64 entry = load_le64(entries + index * ENTRY_SIZE);
	u64 phys = walk->tables[level] + index * ENTRY_SIZE;

	*child = 0;
	if (!entry_present(walk, phys, entry) || !check_entry(walk, phys, entry, level))
		return 0;
	if (is_leaf(entry, level))
		return add_leaves(walk, level, index, entry, 1);
	*child = entry & IOMMUSER_ADDRESS_MASK;
	if (!*child)
		report_entry(walk, IOMMUSER_FINDING_PT_RESERVED, phys, entry, 0);
	return 0;
}

/* Other pages may have been mapped meanwhile: take a fresh pointer. */
static int reopen_table(const struct pt_walk *walk, u32 level, const u8 **entries)
{
	const void *bytes = NULL;
	int error;

	error = access_table(walk->table->env, walk->tables[level], &bytes);
	*entries = bytes;
	return error;
}

static int leave_table(const struct pt_walk *walk, u32 level)
{
	if (!walk->visitor || !walk->visitor->leave)
		return 0;
	return walk->visitor->leave(walk->visitor->ctx, walk->tables[level], level);
}

static int walk_children(struct pt_walk *walk, const u8 *entries)
{
	u32 level = walk->table->top_level;
	const u8 *below;
	u64 child;
	int result;

	for (;;) {
		walk->index[level] += count_empty(entries, walk->index[level]);
		if (walk->index[level] >= ENTRIES) {
			result = leave_table(walk, level);
			if (result || level == walk->table->top_level)
				return result;
			level++;
			result = reopen_table(walk, level, &entries);
			if (result)
				return result;
			continue;
		}
		result = step_entry(walk, entries, level, &child);
		if (result)
			return result;
		if (!child)
			continue;
		result = enter_table(walk, child, level - 1, &below);
		if (result)
			return result;
		if (below && level > 1) {
			level--;
			entries = below;
			continue;
		}
		if (below && !walk->table->pages_only)
			result = scan_leaves(walk, below);
		if (below && !result)
			result = leave_table(walk, 0);
		if (!result)
			result = reopen_table(walk, level, &entries);
		if (result)
			return result;
	}
}

int iommuser_pt_walk(const struct iommuser_pt_table *table, struct iommuser_pageset *set,
		     u64 max_tables, const struct iommuser_pt_visitor *visitor,
		     const struct iommuser_reporter *reporter, struct iommuser_pt_counts *counts)
{
	struct pt_walk walk = {
		.table = table,
		.format = format_of(table),
		.set = set,
		.visitor = visitor,
		.reporter = reporter,
		.counts = counts,
		.max_tables = max_tables,
	};
	const u8 *entries;
	int result;

	memset(counts, 0, sizeof(*counts));
	if (!walk.format)
		return -IOMMUSER_EINVAL;
	walk.output_excess = excess_bits(table);
	if (table->top_table % IOMMUSER_TABLE_SIZE || table->top_table >= IOMMUSER_PHYS_LIMIT ||
	    !table->top_table) {
		report_entry(&walk, IOMMUSER_FINDING_PT_TOP_TABLE, table->top_table,
			     table->top_table, IOMMUSER_TABLE_SIZE);
		return 0;
	}
	result = enter_table(&walk, table->top_table, table->top_level, &entries);
	if (result || !entries)
		return result;
	result = walk_children(&walk, entries);
	if (result)
		return result;
	return flush_run(&walk);
}

int iommuser_pt_translate(const struct iommuser_pt_table *table, u64 iova,
			  struct iommuser_pt_translation *translation)
{
	const struct pt_format *format = format_of(table);
	u64 phys = table->top_table;
	u32 level = table->top_level;
	u32 permissions = IOMMUSER_PT_READ | IOMMUSER_PT_WRITE | IOMMUSER_PT_SNOOP;
	u32 width = IOMMUSER_TABLE_SHIFT + INDEX_BITS * (table->top_level + 1);
	u64 above, leaf;

	memset(translation, 0, sizeof(*translation));
	if (!format)
		return -IOMMUSER_EINVAL;
	above = iova >> width;
	if (format == &first_stage)
		above = (iova >> (width - 1)) + 1 == 1ULL << (65 - width) ? 0 : iova >> (width - 1);
	if (above)
		return 0;
	for (;;) {
		struct iommuser_pt_step *step = &translation->steps[translation->nr_steps];
		const void *bytes;
		int error;

		step->table = phys;
		step->level = level;
		step->index = (u32)(iova >> (IOMMUSER_TABLE_SHIFT + INDEX_BITS * level)) &
			      (ENTRIES - 1);
		error = access_table(table->env, phys, &bytes);
		if (error)
			return error;
		step->entry = load_le64((const u8 *)bytes + step->index * ENTRY_SIZE);
		translation->nr_steps++;
		if (!(step->entry & format->present))
			return 0;
		permissions &= permissions_of(format, step->entry) |
			       (is_leaf(step->entry, level) ? 0 : IOMMUSER_PT_SNOOP);
		if ((step->entry & excess_bits(table)) || reserved_bits(format, step->entry, level))
			return -IOMMUSER_ECORRUPT;
		if (is_leaf(step->entry, level))
			break;
		phys = step->entry & IOMMUSER_ADDRESS_MASK;
		level--;
	}
	leaf = translation->steps[translation->nr_steps - 1].entry;
	if (level > MAX_LEAF_LEVEL || misaligned_bits(format, leaf, level))
		return -IOMMUSER_ECORRUPT;
	translation->mapped = true;
	translation->phys = leaf_phys(leaf, level) | (iova & (level_size(level) - 1));
	translation->permissions = permissions;
	return 0;
}
