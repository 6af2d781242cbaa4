/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Progress on a terminal, for what takes more than a second.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <iommuser/types.h>

/** progress_scan - callback of a scan: @bytes were searched so far */
void progress_scan(void *ctx, u64 bytes);
/** progress_done - wipe the line, if there is one */
void progress_done(void);

#endif /* PROGRESS_H */
