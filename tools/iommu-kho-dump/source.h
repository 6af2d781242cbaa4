/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where physical memory comes from: a vmcore, a raw file, a portable image, the
 * running host.
 * Everything above reads through source_map() and never sees the format.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdio.h>

#include <iommuser/env.h>
#include <iommuser/records.h>
#include <iommuser/types.h>

struct source;

/**
 * enum source_status - result of a read
 * @SOURCE_OK: all bytes were read
 * @SOURCE_MISSING: the image does not hold (all of) these bytes; they are
 *	unknown, not zero
 * @SOURCE_FAILED: the image is damaged there; source_error() says how
 */
enum source_status {
	SOURCE_OK,
	SOURCE_MISSING,
	SOURCE_FAILED,
};

#define SOURCE_MAX_PIECES 64
#define SOURCE_LIVE "live"

/**
 * struct source_piece - memory that is one run of bytes in a raw file
 * @offset: where in the file
 * @phys: physical address of its first byte
 * @length: bytes
 */
struct source_piece {
	u64 offset;
	u64 phys;
	u64 length;
};

/**
 * struct source_options - what the command line says about the image
 * @flat: the file is raw memory
 * @flat_base: physical address of its first byte
 * @pieces: --map: the file is raw memory of these pieces
 * @nr_pieces: how many
 * @qemu_machine: --qemu-ram: the file is the RAM of this machine of QEMU ("pc"
 *	or "q35"); NULL when not given
 * @page_shift: 12, 14 or 16 when the user states it, 0 to take it from the
 *	image (4 KiB where the image does not say)
 * @force: open what is damaged as far as it goes; what was lost is missing
 * @lazy: check memory in a portable image when it is read, not when the image
 *	is opened; see source_broken()
 * @memory: of the running host, its memory is wanted, not the kernel's stream
 */
struct source_options {
	bool flat;
	u64 flat_base;
	struct source_piece pieces[SOURCE_MAX_PIECES];
	u32 nr_pieces;
	const char *qemu_machine;
	u32 page_shift;
	bool force;
	bool lazy;
	bool memory;
};

/**
 * struct source_hints - where a portable image says to start; zero if unknown
 *
 * @has_states: it says where records stand
 */
#define SOURCE_MAX_VTD_ROOTS 64
struct source_hints {
	char origin[16];
	char writer[96];
	char abi[32];
	u64 kho;
	u64 luo;
	u64 flb;
	struct {
		u64 phys;
		bool scalable;
	} vtd_roots[SOURCE_MAX_VTD_ROOTS];
	u32 nr_vtd_roots;
	bool has_kho;
	bool has_luo;
	bool has_flb;
	bool has_states;
};

/**
 * source_open - open an image, its format detected by content
 * @path: the image; "-" is stdin, SOURCE_LIVE the running host
 * @options: from the command line
 * @message: on failure, one line for people (no newline)
 * @message_size: bytes at @message
 *
 * Return: the source, or NULL: unreadable, a directory, empty, /dev/zero, not
 * an image at all, truncated, or damaged (unless forced).
 */
struct source *source_open(const char *path, const struct source_options *options, char *message,
			   size_t message_size);
void source_close(struct source *source);

/** source_loss - of an image opened by force, what it has lost, line by line; NULL at the end */
const char *source_loss(const struct source *source, u32 i);

/**
 * source_broken - what could not be read after the image was opened, or was found damaged
 *
 * What such an image seems to lack may be there: without force, nothing that was read of it is
 * to be relied on. Return: one line for people, or NULL.
 */
const char *source_broken(const struct source *source);

/** source_format - e.g. "ELF vmcore", "kdump-compressed, flattened", "portable image", "raw memory" */
const char *source_format(const struct source *source);
u32 source_page_shift(const struct source *source);
/** source_machine - e_machine of an ELF vmcore (62 is x86-64, 183 is AArch64); 0 when the format does not tell */
u32 source_machine(const struct source *source);
/** source_hints - NULL when the format carries none */
const struct source_hints *source_hints(const struct source *source);

/**
 * source_read - copy bytes; may cross pages
 */
enum source_status source_read(struct source *source, u64 phys, void *buffer, size_t length);

/**
 * source_map - a pointer to bytes within one page of the image
 *
 * Return: a pointer that stays valid for IOMMUSER_MAP_HELD further calls; NULL
 * when the bytes are missing or cannot be read (source_last_status() tells).
 */
const void *source_map(struct source *source, u64 phys, u64 length);
enum source_status source_last_status(const struct source *source);
/** source_error - what failed last, for people; "" when nothing did */
const char *source_error(const struct source *source);

/**
 * source_next_range - memory that the image holds, in ascending order
 * @from: only what is at or above this address
 * @start: start of the range, page aligned, at least @from
 * @end: first byte after it
 *
 * Holes of a sparse file, which read as zero, may be left out.
 *
 * Return: false when there is no more.
 */
bool source_next_range(struct source *source, u64 from, u64 *start, u64 *end);

/**
 * source_memory_size - bytes of memory that the image describes, holes of a sparse file
 *	included
 *
 * Return: 0 when it does not tell, as a portable image and one without the
 * pages that a filter took out.
 */
u64 source_memory_size(const struct source *source);

/**
 * source_next_preserved - the preserved set that a portable image carries
 * @cursor: 0 to start with
 *
 * Return: false when there is no more, or the image carries none
 * (source_has_preserved() tells which), or the file changed underneath (then
 * source_last_status() is SOURCE_FAILED).
 */
bool source_next_preserved(struct source *source, u64 *cursor, u64 *phys, u64 *length);
bool source_has_preserved(const struct source *source);

/**
 * source_nr_states - of how many records of a kind the image says where they stand
 * @kind: IOMMUSER_KIND_*
 *
 * Return: how many; 0 when the image does not say.
 */
u64 source_nr_states(const struct source *source, u32 kind);

/**
 * source_states_lost - did an image that was opened by force say where records stand, and is that lost?
 *
 * Then source_nr_states() is 0 for all kinds.
 */
bool source_states_lost(const struct source *source);

/**
 * source_state - where a record stands
 * @position: below source_nr_states()
 * @state: enum iommuser_state, or a greater number in an image of a newer kind
 *
 * Return: SOURCE_OK, or SOURCE_FAILED when the file changed underneath.
 */
enum source_status source_state(struct source *source, u32 kind, u64 position, u32 *state);

/**
 * source_set_recorder - be told of every page that source_map() and source_read() touch
 * @record: called with the page's address, perhaps often for one page; NULL to stop
 */
void source_set_recorder(struct source *source, void (*record)(void *ctx, u64 page), void *ctx);

/** source_pause_recorder - what is read from now on is not recorded, or is again */
void source_pause_recorder(struct source *source, bool pause);

/** source_bytes_read - bytes of memory read from the file so far */
u64 source_bytes_read(const struct source *source);

/** source_env - the library's view of the source; valid as long as the source */
struct iommuser_env source_env(struct source *source);

#endif /* SOURCE_H */
