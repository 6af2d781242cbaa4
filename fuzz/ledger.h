/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a handover in the making must hold: which records, where in their chains,
 * and which object each preserved page is preserved for.
 */
#ifndef FUZZ_LEDGER_H
#define FUZZ_LEDGER_H

#include "world.h"

/* More records than a chain gets in one run. */
#define LEDGER_SLOTS 512

/* Place of a record: of an object of the world, and which of several. */
struct ledger_slot {
	bool live;
	u32 object;
	u32 part;
};

struct ledger_chain {
	u32 count;
	struct ledger_slot slots[LEDGER_SLOTS];
};

/* Part of the attachment records of world_pasid objects; 0 is a device's own one. */
#define LEDGER_PASID 1

/**
 * struct ledger - the account
 * @chains: by IOMMUSER_KIND_*
 * @owners: of frames, as of ledger_owner(); 0 for none
 * @tables: frames of hardware tables, preserved or not
 * @context_tables: of units, those that are preserved, as in their records
 * @table_pages: of domains
 */
struct ledger {
	const struct world *world;
	u64 generation;
	struct ledger_chain chains[IOMMUSER_NR_KINDS + 1];
	u8 owners[MEMORY_FRAMES];
	u8 tables[MEMORY_FRAMES];
	u64 context_tables[WORLD_UNITS][8];
	u32 table_pages[WORLD_DOMAINS];
};

/* Nothing is preserved. */
void ledger_begin(struct ledger *ledger, const struct world *world, u64 generation);
/* Tables were made. */
void ledger_find_tables(struct ledger *ledger);

bool ledger_has(const struct ledger *ledger, u32 kind, u32 object, u32 part);
void ledger_add(struct ledger *ledger, u32 kind, u32 object, u32 part);
void ledger_remove(struct ledger *ledger, u32 kind, u32 object, u32 part);

/* The pages are preserved for an object of a kind. */
void ledger_own(struct ledger *ledger, u32 kind, u32 object, const struct pages *pages);
/* All of an object's pages are so no more. */
void ledger_disown(struct ledger *ledger, u32 kind, u32 object);

/* Each page is preserved exactly while it is used. */
void ledger_check_pages(const struct ledger *ledger);
/* Records, chains and seals, as the independent reader has them. */
void ledger_check_records(const struct ledger *ledger);

#endif /* FUZZ_LEDGER_H */
