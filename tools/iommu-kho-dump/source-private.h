/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the formats of images have in common; seen by source*.c only.
 */
#ifndef SOURCE_PRIVATE_H
#define SOURCE_PRIVATE_H

#include <sys/types.h>

#include "page-cache.h"
#include "source.h"

#define SOURCE_PHYS_END (1ULL << IOMMUSER_PHYS_BITS)
#define SOURCE_HEAD_SIZE 4096
#define SOURCE_MAX_LOSSES 8

/**
 * struct source_range - a run of memory that the image holds
 * @start: its address
 * @end: first byte after it
 * @offset: where @start is in the file; a format may give it another meaning
 */
struct source_range {
	u64 start;
	u64 end;
	u64 offset;
};

/** struct file_extent - a part of a rearranged file that was written */
struct file_extent {
	u64 start;
	u64 end;
};

struct source;

/**
 * struct source_ops - one format
 * @probe: does a file that begins with these bytes have this format?
 * @open: set up the source, whose fd, file_size and page_shift (0: not stated by the user) are there; return 0, or
 *	-1 after source_refuse()
 * @read: copy bytes, any number of them, all below SOURCE_PHYS_END
 * @next_range: as source_next_range(); NULL when source->ranges has them all
 * @next_preserved: as source_next_preserved(), or NULL
 * @state: as source_state(), or NULL
 * @close: undo @open, also when that failed half-way; NULL when there is nothing to undo
 * @wrapped: the format may be inside a flattened stream
 */
struct source_ops {
	bool (*probe)(const u8 *head, size_t length);
	int (*open)(struct source *source, const struct source_options *options);
	enum source_status (*read)(struct source *source, u64 phys, void *buffer, size_t length);
	bool (*next_range)(struct source *source, u64 from, u64 *start, u64 *end);
	bool (*next_preserved)(struct source *source, u64 *cursor, u64 *phys, u64 *length);
	enum source_status (*state)(struct source *source, u32 kind, u64 position, u32 *state);
	void (*close)(struct source *source);
	bool wrapped;
};

/**
 * struct source - an open image
 * @ops: its format
 * @state: the format's own
 * @fd: the file, or the temporary file it was rearranged into
 * @file_size: bytes in it; UINT64_MAX for files of /proc, which do not say
 * @extents: of a rearranged file, what was written; ascending, with gaps between
 * @nr_extents: how many; 0 for a file that is used as it is
 * @ranges: memory that the image holds, ascending, disjoint; NULL when only @ops knows
 * @nr_ranges: how many
 * @last_range: where the last look-up ended
 * @nr_states: of how many records of each kind a portable image says where they stand
 * @states_lost: of a portable image opened by force, that it may have said so, and what it said is lost
 * @page_shift: of the image
 * @machine: e_machine of an ELF file, else 0
 * @hints: of a portable image
 * @has_hints: @hints is valid
 * @has_preserved: there is a preserved set, perhaps an empty one
 * @flattened: the file was rearranged
 * @format: for people
 * @cache: pages that source_map() gave out
 * @status: of the last read
 * @error: what failed last
 * @force: go on where the image is damaged
 * @lazy: memory of a portable image is checked when it is read
 * @broken: what failed first of what was read since the image was opened; "" when nothing did
 * @damaged: it was refused for damage that can be passed over by force
 * @losses: what was lost, for people
 * @nr_losses: how many losses, perhaps more than were kept
 * @record: recorder or NULL
 * @record_ctx: for it
 * @record_paused: what is read now is not recorded
 * @bytes_read: so far
 */
struct source {
	const struct source_ops *ops;
	void *state;
	int fd;
	u64 file_size;
	struct file_extent *extents;
	size_t nr_extents;
	struct source_range *ranges;
	size_t nr_ranges;
	size_t last_range;
	u64 nr_states[IOMMUSER_KIND_DEVICE + 1];
	bool states_lost;
	u32 page_shift;
	u32 machine;
	struct source_hints hints;
	bool has_hints;
	bool has_preserved;
	bool flattened;
	char format[64];
	struct page_cache cache;
	enum source_status status;
	char error[256];
	bool force;
	bool lazy;
	bool damaged;
	char broken[256];
	char losses[SOURCE_MAX_LOSSES + 1][256];
	u32 nr_losses;
	void (*record)(void *ctx, u64 page);
	void *record_ctx;
	bool record_paused;
	u64 bytes_read;
};

extern const struct source_ops source_flat_ops;
extern const struct source_ops source_pieces_ops;
extern const struct source_ops source_ikho_ops;
extern const struct source_ops source_lime_ops;
extern const struct source_ops source_packed_ops;
extern const struct source_ops source_elf_ops;
extern const struct source_ops source_kdump_ops;
extern const struct source_ops source_other_ops;

/** source_note - keep one line for people about what is wrong with the image */
void source_note(struct source *source, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** source_refuse - say why the image cannot be opened; gives -1 */
#define source_refuse(source, ...) (source_note(source, __VA_ARGS__), -1)
/** source_fail - say why a read failed; gives SOURCE_FAILED */
#define source_fail(source, ...) (source_note(source, __VA_ARGS__), SOURCE_FAILED)

/**
 * source_lose - the image is damaged here: refuse it, unless the user wants what is left
 *
 * Return: 0 when forced, with the loss remembered; -1 otherwise.
 */
int source_lose(struct source *source, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** source_pread - all @length bytes at @offset of @fd. Return: bytes read (fewer only at the end), or -1 and errno */
ssize_t source_pread(int fd, void *buffer, size_t length, u64 offset);
/** source_file_read - bytes of the file that must be there. Return: 0, or -1 after source_refuse() naming @what */
int source_file_read(struct source *source, void *buffer, size_t length, u64 offset,
		     const char *what);
/** source_find_extent - first extent that ends after @offset, else nr_extents */
size_t source_find_extent(const struct source *source, u64 offset);
/** source_file_covers - does the file have these bytes, and were they written? */
bool source_file_covers(const struct source *source, u64 offset, u64 length);

/** source_add_range - append to the ranges, in any order. Return: 0, or -1 after source_refuse() */
int source_add_range(struct source *source, size_t *allocated, u64 start, u64 end, u64 offset);
/**
 * source_sort_ranges - into ascending order
 *
 * Memory that is there twice is damage; forced, all ranges that share memory are dropped, as which of them is right is
 * not known. Return: 0, or -1 after source_lose().
 */
int source_sort_ranges(struct source *source);
/** source_find_range - the range with @phys in it, else the first one above it, else nr_ranges */
size_t source_find_range(struct source *source, u64 phys);
/** source_read_ranges - read for formats whose ranges say where in the file memory is */
enum source_status source_read_ranges(struct source *source, u64 phys, void *buffer, size_t length);

/** struct elf_note - one of the notes of a dump */
struct elf_note {
	const char *name;
	size_t name_length;
	const char *content;
	size_t length;
};

/**
 * source_next_note - step through bytes that are notes
 * @notes: where; moved behind the note
 * @length: bytes there; as above
 *
 * Return: false at the end, or at a note that is not all there.
 */
bool source_next_note(const char **notes, size_t *length, struct elf_note *note);

/**
 * source_temporary - a temporary file without a name
 * @directory: set to where it is
 *
 * /tmp is often memory, and a dump may be larger than that. Return: the file, or -1 and errno.
 */
int source_temporary(const char **directory);

/**
 * source_spool - make a file of what can only be read once: a pipe, a file of debugfs
 * @in: where to read
 *
 * Only a portable image is taken. Return: 0 with source->fd and file_size set, -1 after source_refuse().
 */
int source_spool(struct source *source, int in);
/** source_open_stdin - as source_spool(), or stdin itself when it is a file. Return: 0, or -1 after source_refuse() */
int source_open_stdin(struct source *source);
/** source_open_file - open source->fd by name and find its size. Return: 0, or -1 after source_refuse() */
int source_open_file(struct source *source, const char *path);
/** source_find_size - of the open file. Return: 0, or -1 after source_refuse() */
int source_find_size(struct source *source);
/** source_new - a source that nothing is open in, or NULL and a message */
struct source *source_new(const struct source_options *options, char *message, size_t message_size);
/** source_begin - detect and open the format of the open file. Return: 0, or -1 after source_refuse() */
int source_begin(struct source *source, const struct source_options *options);

/** flattened_probe - is this the start of a flattened stream of makedumpfile's kind? */
bool flattened_probe(const u8 *head, size_t length);
/**
 * flattened_rearrange - put the source's file in order, into a temporary file without a name, which replaces it
 *
 * Return: 0, or -1 after source_refuse().
 */
int flattened_rearrange(struct source *source);

#endif /* SOURCE_PRIVATE_H */
