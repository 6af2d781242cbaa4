// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves of the bounded accessor, for each page size and every address, length
 * and alignment: map() is asked at most once, for exactly what was asked, within one
 * page of the image, below 2^52 and aligned; the result is 0 exactly when there is
 * a pointer. Checks S1 S2 S3 S6.
 *
 * Sources: access.c
 * Unwind: 2
 * Flags: --unsigned-overflow-check --conversion-check
 */
#include "internal.h"
#include "proof.h"

static u32 nr_calls;
static u64 asked_phys, asked_length;
static u8 somewhere;

static const void *map(void *ctx, u64 phys, u64 length)
{
	const struct iommuser_env *env = ctx;
	u64 size = env_page_size(env);

	prove(phys < 1ULL << 52, "map() is asked below 2^52");
	prove(length <= size && phys % size <= size - length, "map() is asked within one page");
	nr_calls++;
	asked_phys = phys;
	asked_length = length;
	return nondet_bool() ? &somewhere : NULL;
}

int main(void)
{
	struct iommuser_env env = { .ctx = &env, .page_shift = any_page_shift(), .map = map };
	u64 phys = nondet_u64(), length = nondet_u64();
	u32 align_shift = nondet_u32();
	const void *pointer = NULL;
	u64 align;
	int error;

	assume(align_shift < 64);
	align = 1ULL << align_shift;
	error = iommuser_access(&env, phys, length, align, &pointer);
	prove(one_of(error, IOMMUSER_ECORRUPT, IOMMUSER_EUNMAPPED), "documented result");
	prove(!error == (pointer != NULL), "0 exactly with a pointer");
	prove(nr_calls == (error != -IOMMUSER_ECORRUPT), "asked once, or found impossible");
	if (nr_calls) {
		reach("map() was asked");
		prove(asked_phys == phys && asked_length == length, "asked for what was asked");
		prove(!(phys % align), "aligned");
	} else {
		reach("impossible");
		prove(phys % align || phys >= 1ULL << 52 ||
			      length > env_page_size(&env) - phys % env_page_size(&env),
		      "only what is impossible is refused");
	}
	if (!error)
		reach("success");
	if (!error && length == env_page_size(&env) && env.page_shift == 16)
		reach("a whole page of 64 KiB");
	return 0;
}
