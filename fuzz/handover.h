/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sound handovers to be tampered with: of every revision, of small and of larger
 * worlds. Each is made once for a page size.
 */
#ifndef FUZZ_HANDOVER_H
#define FUZZ_HANDOVER_H

#include "host.h"

#define HANDOVER_BASES 9

/**
 * struct handover_image - a handover, as the next kernel finds it
 * @bytes: MEMORY_SIZE of them
 * @present: by frame
 * @preserved: by frame
 * @root: its address
 * @revision: its layout
 */
struct handover_image {
	const u8 *bytes;
	const u8 *present;
	const u8 *preserved;
	u64 root;
	const struct iommuser_revision *revision;
};

/*
 * @base: any number, tells which. @choice: of the page size, as for memory_begin(),
 * which this calls the first time.
 */
const struct handover_image *handover_image(u32 base, u32 choice);

/* Put the image into the memory of @host, which has just begun, as incoming. */
void handover_load(const struct handover_image *image, struct host *host);

#endif /* FUZZ_HANDOVER_H */
