/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing a portable image (docs/format.md, section 2) to a file that appears
 * under its name only when it is complete.
 */
#ifndef IKHO_WRITE_H
#define IKHO_WRITE_H

#include "source.h"

struct ikho_writer;

/**
 * ikho_create - start an image beside @path (written, fsynced, then renamed)
 * @hints: what the INFO section says
 * @message: on failure, one line for people
 *
 * Return: the writer or NULL. An existing @path is replaced only by ikho_finish(), and only if it is a regular file.
 */
struct ikho_writer *ikho_create(const char *path, u32 page_shift, const struct source_hints *hints,
				char *message, size_t message_size);
/** ikho_add_pages - one run of memory; runs must ascend and not overlap. Return: 0 or -1 (see ikho_finish) */
int ikho_add_pages(struct ikho_writer *writer, u64 phys, const void *data, size_t length);
/** ikho_add_preserved - one run of the preserved set; calling ikho_begin_preserved() makes the set known even if empty */
void ikho_begin_preserved(struct ikho_writer *writer);
int ikho_add_preserved(struct ikho_writer *writer, u64 phys, u64 length);
/**
 * ikho_add_state - where the next record of a kind stands
 * @kind: IOMMUSER_KIND_IOMMU to IOMMUSER_KIND_DEVICE, ascending
 * @state: enum iommuser_state
 *
 * Only when the hints say has_states; the origin must be "incoming" and there must be a FLB.
 */
int ikho_add_state(struct ikho_writer *writer, u32 kind, u32 state);
/**
 * ikho_finish - complete, sync and rename; frees the writer
 *
 * Return: 0, or -1 and @message; then an earlier file is untouched and nothing else is left behind, except when
 * only the directory could not be synced, which @message says.
 */
int ikho_finish(struct ikho_writer *writer, char *message, size_t message_size);
/** ikho_abandon - remove what was written; frees the writer */
void ikho_abandon(struct ikho_writer *writer);

#endif /* IKHO_WRITE_H */
