// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tests of the hash table from u64 keys to positions.
 */
#include "image.h"

#include "index.h"

static struct iommuser_index *index_new(u64 count, u64 seed)
{
	u64 entries = index_entries(count);
	struct iommuser_index *index = calloc(1, sizeof(*index));

	assert_non_null(index);
	index->keys = calloc(1, index_bytes(entries));
	assert_non_null(index->keys);
	index->mask = entries - 1;
	index->seed = seed;
	return index;
}

static void index_free(struct iommuser_index *index)
{
	free(index->keys);
	free(index);
}

static void tables_are_at_most_half_full(void **state)
{
	u64 count;

	(void)state;
	for (count = 0; count < 5000; count++) {
		u64 entries = index_entries(count);

		assert_true(entries >= 2 * count);
		assert_true(entries > count);
		assert_int_equal(entries & (entries - 1), 0);
		assert_true(entries <= 4 || entries < 4 * count);
	}
	assert_int_equal(index_entries(1ULL << 31), 1ULL << 32);
}

static void an_empty_table_finds_nothing(void **state)
{
	struct iommuser_index *index = index_new(0, 5);
	u64 position = 77;

	(void)state;
	assert_int_equal(index_find(index, 0, &position), -IOMMUSER_ENOENT);
	assert_int_equal(index_find(index, ~0ULL, &position), -IOMMUSER_ENOENT);
	assert_int_equal(position, 77);
	index_free(index);
}

static void the_first_of_a_key_stays(void **state)
{
	struct iommuser_index *index = index_new(4, 9);
	u64 position;

	(void)state;
	assert_int_equal(index_insert(index, 0, 0), 0);
	assert_int_equal(index_insert(index, 0, 3), 0);
	assert_int_equal(index_insert(index, ~0ULL, 0x7fffffff), 0x7fffffff);
	assert_int_equal(index_insert(index, ~0ULL, 1), 0x7fffffff);
	assert_int_equal(index_find(index, 0, &position), 0);
	assert_int_equal(position, 0);
	assert_int_equal(index_find(index, ~0ULL, &position), 0);
	assert_int_equal(position, 0x7fffffff);
	assert_int_equal(index_find(index, 1, &position), -IOMMUSER_ENOENT);
	index_free(index);
}

/* Fill a table to what it was made for, and find everything and nothing else. */
static void try_keys(const u64 *keys, u64 count, u64 seed)
{
	struct iommuser_index *index = index_new(count, seed);
	u64 position, i;

	for (i = 0; i < count; i++) {
		index_prefetch(index, keys[i]);
		assert_int_equal(index_insert(index, keys[i], i), i);
	}
	for (i = 0; i < count; i++) {
		assert_int_equal(index_insert(index, keys[i], count + i), i);
		assert_int_equal(index_find(index, keys[i], &position), 0);
		assert_int_equal(position, i);
		assert_int_equal(index_find(index, ~keys[i] ^ 0x5a5a, &position), -IOMMUSER_ENOENT);
	}
	index_free(index);
}

static void full_tables_hold_everything(void **state)
{
	static const u64 seeds[] = { 0, 1, ~0ULL, 0x123456789abcdefULL };
	u64 keys[4096];
	u64 random = 3;
	u64 i;
	u32 s;

	(void)state;
	for (s = 0; s < ARRAY_SIZE(seeds); s++) {
		for (i = 0; i < ARRAY_SIZE(keys); i++)
			keys[i] = i << (8 * s);
		try_keys(keys, ARRAY_SIZE(keys), seeds[s]);
		for (i = 0; i < ARRAY_SIZE(keys); i++)
			keys[i] = random_next(&random);
		try_keys(keys, ARRAY_SIZE(keys), seeds[s]);
	}
}

/* Steps from where a key belongs to where it is. */
static u64 displacement(const struct iommuser_index *index, u64 key)
{
	u64 at = index_start(index, key);
	u64 steps = 0;

	for (; index->keys[at] != key || !index_values(index)[at]; at = (at + 1) & index->mask)
		steps++;
	return steps;
}

/* Keys that all belong into one place for one seed are scattered by another. */
static void a_seed_defeats_chosen_keys(void **state)
{
	struct iommuser_index *known = index_new(256, 42);
	struct iommuser_index *unknown = index_new(256, 0x8badf00ddeadbeefULL);
	u64 nr_keys = 0, total = 0, key;

	(void)state;
	for (key = 0; nr_keys < 256; key++) {
		if (index_start(known, key) != 7)
			continue;
		index_insert(known, key, nr_keys);
		index_insert(unknown, key, nr_keys++);
	}
	assert_int_equal(displacement(known, known->keys[(7 + 255) & known->mask]), 255);
	for (key = 0; key <= unknown->mask; key++)
		if (index_values(unknown)[key])
			total += displacement(unknown, unknown->keys[key]);
	assert_true(total < 2 * 256);
	index_free(known);
	index_free(unknown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_at_most_half_full),
		cmocka_unit_test(an_empty_table_finds_nothing),
		cmocka_unit_test(the_first_of_a_key_stays),
		cmocka_unit_test(full_tables_hold_everything),
		cmocka_unit_test(a_seed_defeats_chosen_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
