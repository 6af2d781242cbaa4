/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What must be so in a handover in which the verifier found nothing wrong,
 * by a plain look at memory (S7).
 */
#ifndef FUZZ_SOUND_H
#define FUZZ_SOUND_H

#include <iommuser/graph.h>

#include "fuzz.h"

/*
 * @bitmap: the frames that are preserved, as for set_fill(); NULL when unknown.
 * @options: IOMMUSER_VERIFY_*. Requires that each entry of a live device, and each
 * attachment, leads to its domain's table in the stage that all of the domain's
 * users walk it in, that units have one segment, and that what is counted is there;
 * with @bitmap also that no page has two uses and that all of it is preserved.
 * Reads records through @graph, and so through map().
 */
void sound_check(const struct memory *memory, const struct iommuser_graph *graph, const u8 *bitmap,
		 u32 options);

#endif /* FUZZ_SOUND_H */
