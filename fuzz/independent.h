/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A second reader of "iommuser-v1", made from docs/format.md alone. It shares
 * nothing with the library, not even a header: what both read alike can't be a
 * mistake that both inherited.
 */
#ifndef FUZZ_INDEPENDENT_H
#define FUZZ_INDEPENDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEPENDENT_KINDS 6
/* Of the longest record: ten numbers of an iommu record and its bitmap. */
#define INDEPENDENT_MEMBERS 18

/**
 * struct independent_record - one record
 * @address: of its first byte
 * @flags: bit 0: deleted
 * @ref_count: as written
 * @index: as written
 * @gone: it counts for nothing: deleted, or as good as that
 * @member: the fields of its kind, in the order of docs/format.md or of
 *	independent-series.h
 */
struct independent_record {
	uint64_t address;
	uint32_t flags;
	uint32_t ref_count;
	uint64_t index;
	bool gone;
	uint64_t member[INDEPENDENT_MEMBERS];
};

/**
 * struct independent_chain - one kind of record
 * @records: all of them, deleted ones too
 */
struct independent_chain {
	uint64_t first_page;
	uint64_t nr_records;
	uint64_t nr_deleted;
	struct independent_record *records;
};

/**
 * struct independent - a handover
 * @page: gives all bytes of a page, or NULL; asked again, it gives the same
 * @page_size: of the machine
 * @refused: what rule is broken; NULL when none is
 * @of_tables: it is about where and how large hardware tables are: a reader may
 *	find that out when it comes to them
 * @where: address of what breaks it
 */
struct independent {
	const uint8_t *(*page)(void *ctx, uint64_t address, uint64_t length);
	void *ctx;
	uint64_t page_size;
	uint64_t root;
	uint16_t minor;
	uint64_t generation;
	char kernel_release[72];
	struct independent_chain kinds[INDEPENDENT_KINDS + 1];
	const char *refused;
	bool of_tables;
	uint64_t where;
};

/* Root, pages and seals: sections 1.1, 1.2 and 1.5. Wants @page to @root. Return: accepted? */
bool independent_read(struct independent *reader);
/* What records say, alone and to one another: section 1.3. After independent_read(). */
bool independent_check(struct independent *reader);
/* Of members of a kind. */
uint32_t independent_nr_members(uint32_t kind);
/* After either answer. */
void independent_end(struct independent *reader);

#endif /* FUZZ_INDEPENDENT_H */
