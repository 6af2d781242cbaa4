// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * VT-d tables from the specification (9.1 to 9.8), a second time: plain code on
 * plain memory, which the library's own is held against.
 */
#include "hardware.h"

#include <endian.h>
#include <string.h>

#include <kho/abi/iommuser.h>

#define ENTRIES 512
#define MAX_LEVELS 5
#define PRESENT 1ULL
#define LARGE 0x80ULL
#define TABLE_OF(word) ((word) & ~0xfffULL)
#define ADDRESS_OF(word) ((word)&0x000ffffffffff000ULL)
#define PASIDS_PER_TABLE 64

u64 word_at(const struct memory *memory, u64 phys)
{
	u64 value;

	if (phys < MEMORY_BASE || phys - MEMORY_BASE > MEMORY_SIZE - 8)
		return 0;
	memcpy(&value, memory->bytes + (phys - MEMORY_BASE), 8);
	return le64toh(value);
}

void put_word(struct memory *memory, u64 phys, u64 value)
{
	value = htole64(value);
	memcpy(memory_at(memory, phys), &value, 8);
}

/* Page tables */

static bool leads_on(const struct stage *stage, u64 entry, u32 level)
{
	u64 present = stage->stage == IOMMUSER_STAGE_FIRST ? 1 : 3;

	return level && (entry & present) && !(entry & LARGE);
}

void map_leaves(struct host *host, const struct stage *stage, u64 iova, u32 level, u32 count,
		u64 phys)
{
	u64 flags = (level ? LARGE : 0) | (stage->stage == IOMMUSER_STAGE_FIRST ? 0x63 : 3);
	u64 size = FRAME_SIZE << (9 * level);
	u64 table, at;
	u32 below;

	for (; count; count--, iova += size, phys += size) {
		table = stage->top_table;
		for (below = stage->top_level;; below--) {
			at = table + (iova >> (12 + 9 * below) & 511) * 8;
			if (below == level)
				break;
			if (!word_at(host->memory, at))
				put_word(host->memory, at, host_alloc(host, 1, FRAME_LIVE) | 3);
			table = ADDRESS_OF(word_at(host->memory, at));
		}
		put_word(host->memory, at, phys | flags);
	}
}

/* Root and context tables */

u64 root_entry(u64 root_table, bool scalable, u32 bdf)
{
	return root_table + (bdf >> 8) * 16 + (scalable && (bdf & 0x80) ? 8 : 0);
}

u64 context_entry(const struct memory *memory, u64 root_table, bool scalable, u32 bdf)
{
	u64 entry = word_at(memory, root_entry(root_table, scalable, bdf));

	if (!(entry & PRESENT))
		return 0;
	return TABLE_OF(entry) + (scalable ? (bdf & 0x7f) * 32 : (bdf & 0xff) * 16);
}

u32 context_bit(bool scalable, u32 bdf)
{
	return (bdf >> 8) * 2 + (scalable && (bdf & 0x80));
}

bool legacy_translation(const struct memory *memory, u64 entry, struct translation *translation)
{
	u64 low = word_at(memory, entry), high = word_at(memory, entry + 8);

	translation->top_table = TABLE_OF(low);
	translation->stage = IOMMUSER_STAGE_SECOND;
	translation->levels = 2 + (high & 7);
	translation->did = high >> 8 & 0xffff;
	return low & PRESENT;
}

/* PASID tables */

u64 pasid_entry(const struct memory *memory, u64 directory, u32 pasid)
{
	u64 entry = word_at(memory, directory + pasid / PASIDS_PER_TABLE * 8);

	if (!(entry & PRESENT))
		return 0;
	return TABLE_OF(entry) + pasid % PASIDS_PER_TABLE * 64;
}

void put_pasid_entry(struct memory *memory, u64 at, const struct stage *stage, u32 did)
{
	bool first = stage->stage == IOMMUSER_STAGE_FIRST;

	put_word(memory, at,
		 first ? PRESENT | 1 << 6 :
			 stage->top_table | PRESENT | 2 << 6 | (stage->top_level - 1) << 2);
	put_word(memory, at + 8, did);
	put_word(memory, at + 16, first ? stage->top_table | (stage->top_level - 3) << 2 : 0);
}

bool pasid_translation(const struct memory *memory, u64 entry, struct translation *translation)
{
	u64 low = word_at(memory, entry), third = word_at(memory, entry + 16);
	bool first = (low >> 6 & 7) == 1, second = (low >> 6 & 7) == 2;

	translation->top_table = TABLE_OF(first ? third : low);
	translation->stage = first ? IOMMUSER_STAGE_FIRST : second ? IOMMUSER_STAGE_SECOND : 0;
	translation->levels = first ? 4 + (third >> 2 & 3) : 2 + (low >> 2 & 7);
	translation->did = word_at(memory, entry + 8) & 0xffff;
	return low & PRESENT;
}

/* Lists */

static bool add(struct pages *pages, u8 *met, u64 phys)
{
	u64 frame = (phys - MEMORY_BASE) / FRAME_SIZE;

	if (phys < MEMORY_BASE || phys - MEMORY_BASE >= MEMORY_SIZE || met[frame]++)
		return false;
	pages->phys[pages->count++] = phys;
	return true;
}

bool list_unit(const struct memory *memory, u64 root_table, bool scalable, struct pages *pages)
{
	u8 met[MEMORY_FRAMES] = { 0 };
	u64 entry;
	u32 i;

	pages->count = 0;
	for (i = 0; i < ENTRIES; i += scalable ? 1 : 2) {
		entry = word_at(memory, root_table + i * 8);
		if ((entry & PRESENT) && !add(pages, met, TABLE_OF(entry)))
			return false;
	}
	return add(pages, met, root_table);
}

/* The table that an entry from @index on leads to; 0 when none does. */
static u64 next_table(const struct memory *memory, const struct stage *stage, u64 table, u32 level,
		      u32 *index)
{
	u64 entry;

	while (level && *index < ENTRIES) {
		entry = word_at(memory, table + (*index)++ * 8);
		if (leads_on(stage, entry, level))
			return ADDRESS_OF(entry);
	}
	return 0;
}

static bool is_new(const u8 *met, u64 table)
{
	return table >= MEMORY_BASE && table - MEMORY_BASE < MEMORY_SIZE &&
	       !met[(table - MEMORY_BASE) / FRAME_SIZE];
}

bool list_domain(const struct memory *memory, const struct stage *stage, struct pages *pages)
{
	u64 tables[MAX_LEVELS] = { 0 };
	u32 index[MAX_LEVELS] = { 0 };
	u8 met[MEMORY_FRAMES] = { 0 };
	u32 level = stage->top_level;
	u64 below;

	pages->count = 0;
	if (level >= MAX_LEVELS || !is_new(met, stage->top_table))
		return false;
	tables[level] = stage->top_table;
	for (;;) {
		below = next_table(memory, stage, tables[level], level, &index[level]);
		if (below) {
			/* Below a table that is met twice there is nothing new. */
			if (!is_new(met, below))
				return false;
			tables[--level] = below;
			index[level] = 0;
			continue;
		}
		if (!add(pages, met, tables[level]))
			return false;
		if (level++ == stage->top_level)
			return true;
	}
}

bool list_device(const struct memory *memory, u64 directory, u64 nr_pasids, struct pages *pages)
{
	u64 entries = nr_pasids / PASIDS_PER_TABLE;
	u8 met[MEMORY_FRAMES] = { 0 };
	u64 i, entry;

	pages->count = 0;
	if (!directory)
		return true;
	for (i = 0; i < entries; i++) {
		entry = word_at(memory, directory + i * 8);
		if ((entry & PRESENT) && !add(pages, met, TABLE_OF(entry)))
			return false;
	}
	for (i = 0; i * FRAME_SIZE < entries * 8; i++)
		if (!add(pages, met, directory + i * FRAME_SIZE))
			return false;
	return true;
}
