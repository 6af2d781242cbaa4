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
 * @bitmap: the frames that are preserved, as for set_fill(). Requires that each
 * live device's entry leads to its domain's table, that no page has two uses,
 * that all of it is preserved, and that what is counted is there. Reads records
 * through @graph, and so through map().
 */
void sound_check(const struct memory *memory, const struct iommuser_graph *graph, const u8 *bitmap);

#endif /* FUZZ_SOUND_H */
