// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Not a target of anything: it breaks on purpose, so that a test can see that
 * the commands and the replayer notice and name what breaks a target.
 *
 * Input: "ok" and anything is fine; "no" breaks a property, "on" is a read past
 * the end, which sanitizers see.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static volatile u8 sink;

	if (size < 2)
		return 0;
	require(data[0] != 'n' || data[1] != 'o', "as planned");
	if (data[0] == 'o' && data[1] == 'n')
		sink = data[size];
	(void)sink;
	return 0;
}
