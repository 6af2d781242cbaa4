// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The simulated kernel finds every misuse that the other tests rely on it to
 * find.
 */
#include "sim.h"

#define TOKEN 0xfed90000ULL

static void expect_misuse(struct sim *sim)
{
	assert_int_equal(sim->misuses, 1);
	sim->misuses = 0;
}

static struct sim *start(void)
{
	struct sim *sim = sim_new(12);

	sim->quiet = true;
	return sim;
}

static void finds_misused_preservation(void **state)
{
	struct sim *sim = start();
	const struct iommuser_preserve_ops *ops = &sim->preserve_ops;
	u64 page = sim_alloc(sim, 1);

	(void)state;
	ops->unpreserve_page(ops->ctx, page);
	expect_misuse(sim);
	assert_int_equal(ops->preserve_page(ops->ctx, page), 0);
	sim_assert_sound(sim);
	assert_int_not_equal(ops->preserve_page(ops->ctx, page), 0);
	expect_misuse(sim);
	ops->unpreserve_page(ops->ctx, page);
	sim_assert_sound(sim);
	ops->unpreserve_page(ops->ctx, page);
	expect_misuse(sim);
	assert_int_not_equal(ops->preserve_page(ops->ctx, page + 4096), 0);
	expect_misuse(sim);
	sim_free(sim);
}

static void finds_misused_restoration(void **state)
{
	struct sim *sim = start();
	const struct iommuser_restore_ops *ops = &sim->restore_ops;
	u64 kept = sim_alloc(sim, 1), lost = sim_alloc(sim, 1);

	(void)state;
	sim->preserve_ops.preserve_page(sim, kept);
	sim_kexec(sim);
	assert_null(sim->env.map(sim, lost, 8));
	assert_non_null(sim->env.map(sim, kept, 8));
	assert_int_not_equal(ops->restore_page(ops->ctx, lost, 4096), 0);
	expect_misuse(sim);
	ops->release_page(ops->ctx, kept, 4096);
	expect_misuse(sim);
	assert_int_equal(ops->restore_page(ops->ctx, kept, 4096), 0);
	sim_assert_sound(sim);
	assert_int_not_equal(ops->restore_page(ops->ctx, kept, 4096), 0);
	expect_misuse(sim);
	assert_non_null(sim->env.map(sim, kept, 8));
	ops->release_page(ops->ctx, kept, 4096);
	sim_assert_sound(sim);
	ops->release_page(ops->ctx, kept, 4096);
	expect_misuse(sim);
	assert_null(sim->env.map(sim, kept, 8));
	expect_misuse(sim);
	sim_free(sim);
}

static void finds_misused_domain_ids(void **state)
{
	struct sim *sim = start();
	const struct iommuser_restore_ops *ops = &sim->restore_ops;

	(void)state;
	sim_add_unit(sim, TOKEN);
	assert_int_equal(ops->reserve_did(ops->ctx, TOKEN, 5), 0);
	sim_assert_sound(sim);
	assert_int_not_equal(ops->reserve_did(ops->ctx, TOKEN, 5), 0);
	expect_misuse(sim);
	assert_int_not_equal(ops->reserve_did(ops->ctx, TOKEN + 1, 6), 0);
	expect_misuse(sim);
	ops->release_did(ops->ctx, TOKEN, 6);
	expect_misuse(sim);
	ops->release_did(ops->ctx, TOKEN, 5);
	sim_assert_sound(sim);
	assert_int_equal(sim->dids, 0);
	sim_free(sim);
}

static void finds_misused_records(void **state)
{
	struct sim *sim = start();
	u64 phys = 0;

	(void)state;
	assert_non_null(sim->pages.alloc(sim, &phys));
	sim->pages.free(sim, phys);
	sim_assert_sound(sim);
	sim->pages.free(sim, phys);
	expect_misuse(sim);
	sim_free(sim);
}

static void fails_one_call_and_sees_changes(void **state)
{
	struct sim *sim = start();
	u64 a = sim_alloc(sim, 1), b = sim_alloc(sim, 1);
	struct sim_snapshot *snapshot = sim_snapshot(sim);

	(void)state;
	sim_fail(sim, SIM_FAIL_ANY, 2);
	assert_int_equal(sim->preserve_ops.preserve_page(sim, a), 0);
	assert_int_not_equal(sim->preserve_ops.preserve_page(sim, b), 0);
	assert_int_equal(sim->preserve_ops.preserve_page(sim, b), 0);
	assert_true(sim_failed(sim));
	sim_assert_sound(sim);
	assert_false(sim_same(sim, snapshot));
	sim->preserve_ops.unpreserve_page(sim, a);
	sim->preserve_ops.unpreserve_page(sim, b);
	assert_true(sim_same(sim, snapshot));
	sim_bytes(sim, b)[17] ^= 1;
	assert_false(sim_same(sim, snapshot));
	free(snapshot);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_misused_preservation),
		cmocka_unit_test(finds_misused_restoration),
		cmocka_unit_test(finds_misused_domain_ids),
		cmocka_unit_test(finds_misused_records),
		cmocka_unit_test(fails_one_call_and_sees_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
