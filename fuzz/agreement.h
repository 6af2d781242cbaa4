/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the targets that hold the library against a second reader share: the
 * library's reading of a handover, and the comparison.
 */
#ifndef FUZZ_AGREEMENT_H
#define FUZZ_AGREEMENT_H

#include "fuzz.h"

#include <iommuser/graph.h>

#include "independent.h"

/* Where the library has the members of a second reader's records; behind the last one 0. */
typedef size_t agreement_places[IOMMUSER_NR_KINDS + 1][INDEPENDENT_MEMBERS + 1];

#define AGREEMENT_AT(kind, member) offsetof(struct iommuser_##kind, member)

/**
 * struct agreement - a revision, and its second reader
 * @revision: as the library knows it
 * @places: by kind
 * @read: root and chains: accepted?
 * @check: what the records say: accepted?
 * @compare_root: when both take the chains
 */
struct agreement {
	const struct iommuser_revision *revision;
	const agreement_places *places;
	bool (*read)(struct independent *reader, const char *layout);
	bool (*check)(struct independent *reader, const char *layout);
	void (*compare_root)(const struct iommuser_root *ours, const struct independent *theirs);
};

/*
 * Read the handover of an input, from its options on: options u8 (bit 0: seal
 * the pages first, bit 7: alternatives, bits 1 to 6: how many), root u32 (from
 * MEMORY_BASE), memory; the last writes to it are alternatives: each is tried by
 * itself.
 */
void agreement_try(const struct agreement *agreement, struct memory *memory, struct input *input);

#endif /* FUZZ_AGREEMENT_H */
