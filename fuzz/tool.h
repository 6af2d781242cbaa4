/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the fuzz targets of the tool's parts share: text that people may be
 * shown, findings with their words, files without a disk, a bound on memory,
 * and an image (struct source) over the memory of fuzz.h.
 */
#ifndef FUZZ_TOOL_H
#define FUZZ_TOOL_H

#include "fuzz.h"

#include "report.h"
#include "source.h"

/* What a target does itself is no news to a fuzzer: code between the two is not counted. */
#ifdef __clang__
#define UNCOUNTED_BEGIN \
	_Pragma("clang attribute push(__attribute__((no_sanitize(\"coverage\"))), apply_to = function)")
#define UNCOUNTED_END _Pragma("clang attribute pop")
#else
#define UNCOUNTED_BEGIN
#define UNCOUNTED_END
#endif

static inline u64 larger(u64 a, u64 b)
{
	return a > b ? a : b;
}

/* S20: valid UTF-8 without control characters, but for the ends of lines and tabs at
 * their start when @lines. */
void require_text(const char *bytes, size_t size, bool lines);
/* S20 for every finding; and what is counted is what is kept. */
void require_report(const struct report *report);
/* Findings that are more than a piece of information. */
u64 report_nr_bad(const struct report *report);

/* A file in memory, always the same one, with these bytes and holes where they are zero; its path. */
const char *file_of(const void *bytes, size_t size);
/* S21: it still has exactly these bytes. */
void file_unchanged(const void *bytes, size_t size);

/* Make all checksums of a portable image right. */
void seal_image(u8 *file, size_t size);

/* Where a sanitizer counts: from now on no more than @bytes may be allocated at a time. 0: no bound. */
void limit_memory(size_t bytes);

/*
 * For targets that open files with libkdumpfile, whose contexts are never given
 * back (see source-kdump.c): libFuzzer is told not to look for leaks.
 */
void expect_leaks(int *argc, char ***argv);

/*
 * An image over @memory, in place of the tool's source.c; memory_end() before
 * the next one. Its pages are those that are there when it is begun.
 */
struct source *image_begin(struct memory *memory);
/* It carries a preserved set as well: all that is there, but not the frame @lost. */
void image_carry(struct source *source, u64 lost);
/* S4: nothing was written. */
void image_end(struct source *source);
/* Numbers in it that are not zero: what walks are bounded by. */
u64 image_nr_words(const struct source *source);
/* For independent readers; false when it is not all there. */
bool image_holds(const struct memory *memory, u64 phys, u64 length);
bool image_u64(const struct memory *memory, u64 phys, u64 *value);
bool image_bytes(const struct memory *memory, u64 phys, void *to, u64 length);

#endif /* FUZZ_TOOL_H */
