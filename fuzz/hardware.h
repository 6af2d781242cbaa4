/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * VT-d tables in the simulated kernel, by the fuzz targets' own means: written,
 * looked up, and their pages listed, without the library.
 */
#ifndef FUZZ_HARDWARE_H
#define FUZZ_HARDWARE_H

#include "host.h"

/* Eight bytes of memory; 0 where there is none. */
u64 word_at(const struct memory *memory, u64 phys);
void put_word(struct memory *memory, u64 phys, u64 value);

/* What the tables of a domain hang on. */
struct stage {
	u32 stage; /* IOMMUSER_STAGE_* */
	u64 top_table;
	u32 top_level;
};

/* Map @count leaves of @level at @iova to payload from @phys on, making tables as needed. */
void map_leaves(struct host *host, const struct stage *stage, u64 iova, u32 level, u32 count,
		u64 phys);

/* The address of a requester's context entry, 0 when there is no table for it. */
u64 context_entry(const struct memory *memory, u64 root_table, bool scalable, u32 bdf);
/* The address of the root entry that leads to it. */
u64 root_entry(u64 root_table, bool scalable, u32 bdf);
/* The bit of a requester's context table in a unit's record. */
u32 context_bit(bool scalable, u32 bdf);

/* The address of a PASID's entry, 0 when there is no table for it. */
u64 pasid_entry(const struct memory *memory, u64 directory, u32 pasid);
void put_pasid_entry(struct memory *memory, u64 at, const struct stage *stage, u32 did);

/* What requests of a device meet: its tables, as the unit walks them, and the domain id. */
struct translation {
	u64 top_table;
	u32 stage; /* IOMMUSER_STAGE_*, 0: none */
	u32 levels;
	u32 did;
};

/* Of a context entry in legacy mode, or of a PASID entry. Return: false when not present. */
bool legacy_translation(const struct memory *memory, u64 entry, struct translation *translation);
bool pasid_translation(const struct memory *memory, u64 entry, struct translation *translation);

/*
 * The pages that hang on a record, each after those that are found through it.
 * Return: false when there is no such order, because one is met twice or is not in
 * memory.
 */
bool list_unit(const struct memory *memory, u64 root_table, bool scalable, struct pages *pages);
bool list_domain(const struct memory *memory, const struct stage *stage, struct pages *pages);
bool list_device(const struct memory *memory, u64 directory, u64 nr_pasids, struct pages *pages);

#endif /* FUZZ_HARDWARE_H */
