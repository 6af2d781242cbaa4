// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Handovers with one thing changed, for every such thing: each bit of each page
 * of records, and each word of it replaced by 0, by ~0, by the address of what
 * it is in, by the address of another record. Hardware tables are sampled. No
 * reading may crash, hang or change anything; what is found is counted by field.
 * In a sealed revision, everything must be.
 *
 * usage: exhaustive as-is|resealed DIRECTORY NAME...   (files by detection.py)
 * resealed: with the CRC of the changed page made right again. prints: a line for
 * each image, then a line for each field.
 */
#include "places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iommuser/seal.h>
#include <kho/abi/iommuser.h>

#define SEED 0x1234567ULL
/* One in so many. */
#define RATE_AGAIN 64
#define RATE_PRESENT 1
#define RATE_ABSENT 64

#define MAX_VALUES 6
#define ADDRESS_MASK 0x000ffffffffff000ULL

/* What a run is about. */
struct run {
	struct handover *handover;
	struct places *places;
	bool resealed;
	bool all_must_be_found;
	u64 random;
};

/* A word of a page. */
struct word {
	u64 phys;
	u8 *bytes;
	const u16 *rows; /* of its 64 bits */
	enum page_kind kind;
	bool present; /* of an entry that is */
	u64 page;
};

static void store(u8 *at, u64 value)
{
	u32 i;

	for (i = 0; i < 8; i++)
		at[i] = (u8)(value >> (8 * i));
}

static bool one_in(struct run *run, u64 rate)
{
	run->random ^= run->random << 13;
	run->random ^= run->random >> 7;
	run->random ^= run->random << 17;
	return run->random % rate == 0;
}

static void reseal(const struct run *run, const struct word *word)
{
	iommuser_seal_write(&run->handover->env, handover_at(run->handover, word->page),
			    word->kind == PAGE_ROOT ? offsetof(struct iommuser_root_ser, crc) :
						      offsetof(struct iommuser_page_ser, crc));
}

static bool is_crc(u16 row)
{
	return strcmp(rows[row - 1].field, "crc") == 0;
}

/* Count a change of @bits for each field that has one of them. */
static void count(const struct word *word, u64 bits, bool single, const struct tally *result)
{
	static u64 counted[MAX_ROWS + 1]; /* by row, the change that was counted last */
	static u64 change;
	u32 bit;

	change++;
	for (bit = 0; bit < 64; bit++) {
		u16 row = word->rows[bit];
		struct tally *tally;

		if (!(bits >> bit & 1) || !row || counted[row] == change)
			continue;
		counted[row] = change;
		tally = single ? &rows[row - 1].bits : &rows[row - 1].words;
		tally->tried += result->tried;
		tally->records += result->records;
		tally->everything += result->everything;
	}
}

static void read_changed(struct run *run, const struct word *word, struct tally *result)
{
	result->tried = 1;
	if (word->kind != PAGE_TABLE)
		result->records = handover_refused(run->handover, RECORDS);
	if (result->records && !one_in(run, RATE_AGAIN)) {
		result->everything = 1;
		return;
	}
	result->everything = handover_refused(run->handover, EVERYTHING);
	if (result->everything < result->records)
		die("%#llx: full verification does not find what record checks find",
		    (unsigned long long)word->phys);
}

static void try_change(struct run *run, const struct word *word, u64 value, bool single)
{
	u64 before = load_word(word->bytes);
	struct tally result = { 0 };

	if (word->kind == PAGE_TABLE && !one_in(run, word->present ? RATE_PRESENT : RATE_ABSENT))
		return;
	store(word->bytes, value);
	if (run->resealed)
		reseal(run, word);
	read_changed(run, word, &result);
	if (run->all_must_be_found && word->kind != PAGE_TABLE && !result.records)
		die("%#llx: %#llx in place of %#llx is not found", (unsigned long long)word->phys,
		    (unsigned long long)value, (unsigned long long)before);
	store(word->bytes, before);
	if (run->resealed)
		reseal(run, word);
	count(word, before ^ value, single, &result);
}

/* The address of another record: if @value is one, the next, else any but @own. */
static u64 other_record(const struct places *places, u64 value, u64 own, u64 choice)
{
	u64 nr = places->nr_records, other = 0, i;

	for (i = 0; i < nr && places->records[i] != value; i++)
		;
	if (i == nr)
		i = choice;
	/* @own is at most one of them. */
	for (choice = 1; choice <= 2 && nr; choice++) {
		other = places->records[(i + choice) % nr];
		if (other != own && other != value)
			break;
	}
	return other;
}

static void add_value(u64 *values, u32 *nr_values, u64 before, u64 value)
{
	u32 i;

	for (i = 0; i < *nr_values; i++)
		if (values[i] == value)
			return;
	if (value != before)
		values[(*nr_values)++] = value;
}

static u32 list_values(const struct run *run, const struct word *word, u64 values[MAX_VALUES])
{
	const struct places *places = run->places;
	u64 offset = word->phys - word->page;
	u64 own = places->own[word->phys >> run->handover->env.page_shift][offset / 8];
	u64 before = load_word(word->bytes);
	u32 nr_values = 0;

	add_value(values, &nr_values, before, 0);
	add_value(values, &nr_values, before, ~0ULL);
	add_value(values, &nr_values, before, own);
	add_value(values, &nr_values, before, other_record(places, before, own, offset / 8));
	if (word->kind == PAGE_TABLE) {
		u64 table = places->tables[offset / 8 % places->nr_tables];

		/* An entry leads there, when its low bits stay. */
		add_value(values, &nr_values, before, own | (before & ~ADDRESS_MASK));
		add_value(values, &nr_values, before, table | (before & ~ADDRESS_MASK));
	}
	return nr_values;
}

/* Which bits of the word are of a field that may be changed. */
static u64 bits_to_change(const struct run *run, const struct word *word)
{
	u64 bits = 0;
	u32 bit;

	for (bit = 0; bit < 64; bit++)
		if (word->rows[bit] && !(run->resealed && is_crc(word->rows[bit])))
			bits |= 1ULL << bit;
	return bits;
}

static void try_word(struct run *run, const struct word *word)
{
	u64 bits = bits_to_change(run, word);
	u64 before = load_word(word->bytes);
	u64 values[MAX_VALUES];
	u32 nr_values, i;

	for (i = 0; i < 64; i++)
		if (bits >> i & 1)
			try_change(run, word, before ^ 1ULL << i, true);
	nr_values = list_values(run, word, values);
	for (i = 0; i < nr_values; i++)
		if ((before ^ values[i]) & bits)
			try_change(run, word, (values[i] & bits) | (before & ~bits), false);
}

static void try_page(struct run *run, u64 number)
{
	struct handover *handover = run->handover;
	struct word word = {
		.page = number << handover->env.page_shift,
		.kind = run->places->kinds[number],
	};
	u64 at;

	for (at = 0; at < handover_page_size(handover); at += 8) {
		word.phys = word.page + at;
		word.bytes = handover->pages[number] + at;
		word.rows = run->places->rows[number] + 8 * at;
		word.present = *word.rows && strcmp(rows[*word.rows - 1].field, "not present") != 0;
		try_word(run, &word);
	}
}

static u64 try_pages(struct run *run)
{
	u64 pages = 0, number;

	for (number = 0; number < MAX_PAGES; number++) {
		enum page_kind kind = run->places->kinds[number];

		if (kind == PAGE_OTHER || (run->resealed && kind == PAGE_TABLE))
			continue;
		try_page(run, number);
		pages++;
	}
	return pages;
}

static void try_handover(const char *directory, const char *name, bool resealed)
{
	struct run run = { .resealed = resealed, .random = SEED };
	u64 pages;

	run.handover = handover_load(directory, name);
	run.all_must_be_found = !resealed &&
				(run.handover->revision->properties & IOMMUSER_REVISION_SEALED);
	if (handover_refused(run.handover, EVERYTHING))
		die("%s is not sound", name);
	run.places = places_find(run.handover);
	pages = try_pages(&run);
	if (!handover_unchanged(run.handover))
		die("%s: a reading changed it", name);
	if (handover_refused(run.handover, EVERYTHING))
		die("%s: sound before, not now", name);
	printf("image\t%s\t%llu\t%llu\t%llu\t%llu\t%llu\n", name,
	       (unsigned long long)handover_page_size(run.handover), (unsigned long long)pages,
	       (unsigned long long)run.places->nr_records,
	       (unsigned long long)run.handover->readings,
	       (unsigned long long)run.handover->most_calls);
	fflush(stdout);
	places_free(run.places);
	handover_free(run.handover);
}

static void print_tally(const struct tally *tally)
{
	printf("\t%llu\t%llu\t%llu", (unsigned long long)tally->tried,
	       (unsigned long long)tally->records, (unsigned long long)tally->everything);
}

int main(int argc, char **argv)
{
	bool resealed;
	int i;

	if (argc < 4 || (strcmp(argv[1], "as-is") != 0 && strcmp(argv[1], "resealed") != 0)) {
		fprintf(stderr, "usage: %s as-is|resealed DIRECTORY NAME...\n", argv[0]);
		return 2;
	}
	resealed = strcmp(argv[1], "resealed") == 0;
	for (i = 3; i < argc; i++)
		try_handover(argv[2], argv[i], resealed);
	for (i = 0; i < (int)nr_rows; i++) {
		if (!rows[i].bits.tried && !rows[i].words.tried)
			continue;
		printf("field\t%s\t%s", rows[i].object, rows[i].field);
		print_tally(&rows[i].bits);
		print_tally(&rows[i].words);
		putchar('\n');
	}
	return 0;
}
