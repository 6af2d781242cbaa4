// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: the tool's reader of portable images.
 *
 * Input: options u8 (bit 0: make all checksums right, bit 1: the user states
 * 64 KiB pages, bit 2: by force, bit 3: checked late), then the file without its
 * first IKHO_MAGIC_SIZE bytes.
 *
 * Checks S1 S3 S17 S19 S20 S21: a file is refused with words, or opens and
 * then: ranges ascend, do not touch and consist of whole pages; every page at
 * their ends reads, both ways alike, and the one behind them does not; the
 * preserved set is finite and in range; every state of a record that there is
 * can be read; hints can be shown. What was read, written and read again is the
 * same, and writing that again gives the same bytes. Memory is bounded, the
 * file is not changed, nothing is left open.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <iommuser/graph.h>

#include "ikho-format.h"
#include "ikho-write.h"
#include "tool.h"

#define MAX_FILE (1U << 20)
#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)
/* What is written and read again: images that are not larger. */
#define MAX_COPY (1U << 18)
#define MAX_PAIRS 4096
/* Sections in memory, the cache of pages. */
#define CONSTANT_MEMORY ((size_t)96 << 20)

static char copy_paths[2][64];

static void check_page(struct source *source, u64 phys, u64 page, bool lazy)
{
	static u8 copy[1 << IOMMUSER_MAX_PAGE_SHIFT];
	const void *mapped = source_map(source, phys, page);

	if (!mapped && lazy) {
		require(source_broken(source) && source_last_status(source) == SOURCE_FAILED,
			"%#llx", (unsigned long long)phys);
		require_text(source_broken(source), strlen(source_broken(source)), false);
		return;
	}

	/* What was checked when the image was opened can be read. */
	require(mapped, "%#llx: %s", (unsigned long long)phys, source_error(source));
	require(source_read(source, phys, copy, page) == SOURCE_OK, "%#llx: %s",
		(unsigned long long)phys, source_error(source));
	require(!memcmp(copy, mapped, page), "%#llx", (unsigned long long)phys);
}

static void check_ranges(struct source *source, bool lazy)
{
	u64 page = 1ULL << source_page_shift(source);
	u64 from = 0, start, end, before = 0;
	static u8 next[1 << IOMMUSER_MAX_PAGE_SHIFT];

	while (source_next_range(source, from, &start, &end)) {
		require(start >= from && end > start && end <= PHYS_END, "%#llx to %#llx",
			(unsigned long long)start, (unsigned long long)end);
		require(!(start % page) && !(end % page), "%#llx to %#llx",
			(unsigned long long)start, (unsigned long long)end);
		require(!from || start > before, "%#llx", (unsigned long long)start);
		check_page(source, start, page, lazy);
		check_page(source, end - page, page, lazy);
		/* By force, some of it may be there. */
		if (end < PHYS_END)
			require(source_read(source, end, next, page) == SOURCE_MISSING, "%#llx",
				(unsigned long long)end);
		before = end;
		from = end;
	}
}

static void check_preserved(struct source *source, size_t size)
{
	u64 cursor = 0, count = 0, phys, length;

	while (source_next_preserved(source, &cursor, &phys, &length)) {
		require(length && phys < PHYS_END && length <= PHYS_END - phys, "%#llx, %#llx",
			(unsigned long long)phys, (unsigned long long)length);
		/* zlib makes at most a thousand bytes of one. */
		require(++count <= 1040 * (u64)size, "%llu", (unsigned long long)count);
	}
	require(!count || source_has_preserved(source), "%llu", (unsigned long long)count);
}

static void check_states(struct source *source, size_t size)
{
	u64 count, told = 0, i;
	u32 kind, state;

	for (kind = 0; kind <= IOMMUSER_NR_KINDS; kind++) {
		count = source_nr_states(source, kind);
		told += count;
		require(told <= 1040 * (u64)size, "%llu", (unsigned long long)told);
		require(!count || (kind && kind <= IOMMUSER_KIND_DEVICE), "kind %u", kind);
		/* All of a few, else some that lie far apart. */
		for (i = 0; i < count; i += count / 1024 + 1)
			require(source_state(source, kind, i, &state) == SOURCE_OK && state <= 255,
				"%llu: %s", (unsigned long long)i, source_error(source));
		require(source_state(source, kind, count, &state) == SOURCE_FAILED, "kind %u",
			kind);
	}
	require((told != 0) == (source_hints(source) && source_hints(source)->has_states), "%llu",
		(unsigned long long)told);
}

static void check_hints(const struct source *source)
{
	const struct source_hints *hints = source_hints(source);

	require(source_format(source)[0], "no format");
	if (!hints)
		return;
	require(memchr(hints->origin, 0, sizeof(hints->origin)) &&
			memchr(hints->writer, 0, sizeof(hints->writer)) &&
			memchr(hints->abi, 0, sizeof(hints->abi)),
		"a hint without an end");
	require_text(hints->origin, strlen(hints->origin), false);
	require_text(hints->writer, strlen(hints->writer), false);
	require_text(hints->abi, strlen(hints->abi), false);
	require(hints->nr_vtd_roots <= SOURCE_MAX_VTD_ROOTS, "%u", hints->nr_vtd_roots);
}

/* Return: whether there is little enough, and nothing that only a newer writer knows. */
static bool can_copy(struct source *source)
{
	u64 from = 0, start, end, bytes = 0, pairs = 0, cursor = 0, phys, length, i;
	u32 kind, state;

	while (source_next_range(source, from, &start, &end)) {
		bytes += end - start;
		from = end;
	}
	while (source_next_preserved(source, &cursor, &phys, &length))
		if (++pairs > MAX_PAIRS)
			return false;
	for (kind = 1; kind <= IOMMUSER_KIND_DEVICE; kind++)
		for (i = 0; i < source_nr_states(source, kind); i++)
			if (source_state(source, kind, i, &state) != SOURCE_OK ||
			    state > IOMMUSER_FINISHED)
				return false;
	return bytes <= MAX_COPY;
}

static void copy_pages(struct source *source, struct ikho_writer *writer)
{
	static u8 bytes[MAX_COPY];
	u64 from = 0, start, end;

	while (source_next_range(source, from, &start, &end)) {
		require(source_read(source, start, bytes, end - start) == SOURCE_OK, "%s",
			source_error(source));
		require(!ikho_add_pages(writer, start, bytes, end - start), "%#llx",
			(unsigned long long)start);
		from = end;
	}
}

static void copy_states(struct source *source, struct ikho_writer *writer)
{
	u32 kind, state = 0;
	u64 i;

	for (kind = 1; kind <= IOMMUSER_KIND_DEVICE; kind++)
		for (i = 0; i < source_nr_states(source, kind); i++)
			require(source_state(source, kind, i, &state) == SOURCE_OK &&
					!ikho_add_state(writer, kind, state),
				"state %u of %u", state, kind);
}

static void write_copy(struct source *source, const char *path)
{
	const struct source_hints none = { 0 }, *hints = source_hints(source);
	u64 cursor = 0, phys, length;
	struct ikho_writer *writer;
	char message[256] = "";

	writer = ikho_create(path, source_page_shift(source), hints ? hints : &none, message,
			     sizeof(message));
	require(writer, "%s", message);
	copy_pages(source, writer);
	if (source_has_preserved(source))
		ikho_begin_preserved(writer);
	while (source_next_preserved(source, &cursor, &phys, &length))
		require(!ikho_add_preserved(writer, phys, length), "%#llx, %#llx",
			(unsigned long long)phys, (unsigned long long)length);
	copy_states(source, writer);
	require(!ikho_finish(writer, message, sizeof(message)), "%s", message);
}

static struct source *open_copy(const char *path)
{
	const struct source_options options = { 0 };
	char message[256] = "";
	struct source *source = source_open(path, &options, message, sizeof(message));

	require(source, "%s", message);
	return source;
}

static void compare_pages(struct source *source, struct source *copy)
{
	u64 from = 0, start[2], end[2];
	static u8 bytes[2][MAX_COPY];

	require(source_page_shift(source) == source_page_shift(copy), "pages");
	while (source_next_range(source, from, &start[0], &end[0])) {
		require(source_next_range(copy, from, &start[1], &end[1]) && start[0] == start[1] &&
				end[0] == end[1],
			"%#llx", (unsigned long long)start[0]);
		require(source_read(source, start[0], bytes[0], end[0] - start[0]) == SOURCE_OK &&
				source_read(copy, start[0], bytes[1], end[0] - start[0]) ==
					SOURCE_OK &&
				!memcmp(bytes[0], bytes[1], end[0] - start[0]),
			"%#llx", (unsigned long long)start[0]);
		from = end[0];
	}
	require(!source_next_range(copy, from, &start[1], &end[1]), "%#llx more",
		(unsigned long long)start[1]);
}

static void compare_rest(struct source *source, struct source *copy)
{
	const struct source_hints *a = source_hints(source), *b = source_hints(copy);
	u64 cursor[2] = { 0 }, phys[2], length[2], i;
	u32 kind, state[2];

	require(source_has_preserved(source) == source_has_preserved(copy), "a set");
	while (source_next_preserved(source, &cursor[0], &phys[0], &length[0]))
		require(source_next_preserved(copy, &cursor[1], &phys[1], &length[1]) &&
				phys[0] == phys[1] && length[0] == length[1],
			"%#llx", (unsigned long long)phys[0]);
	require(!source_next_preserved(copy, &cursor[1], &phys[1], &length[1]), "one more");
	for (kind = 1; kind <= IOMMUSER_KIND_DEVICE; kind++) {
		require(source_nr_states(source, kind) == source_nr_states(copy, kind), "%u", kind);
		for (i = 0; i < source_nr_states(source, kind); i++)
			require(source_state(source, kind, i, &state[0]) == SOURCE_OK &&
					source_state(copy, kind, i, &state[1]) == SOURCE_OK &&
					state[0] == state[1],
				"%llu", (unsigned long long)i);
	}
	require(b && (!a || (a->has_kho == b->has_kho && a->has_luo == b->has_luo &&
			     a->has_flb == b->has_flb && a->kho == b->kho && a->luo == b->luo &&
			     a->flb == b->flb && a->nr_vtd_roots == b->nr_vtd_roots &&
			     !strcmp(a->abi, b->abi) && !strcmp(a->writer, b->writer) &&
			     (!a->origin[0] || !strcmp(a->origin, b->origin)))),
		"other hints");
	for (i = 0; a && i < a->nr_vtd_roots; i++)
		require(a->vtd_roots[i].phys == b->vtd_roots[i].phys &&
				a->vtd_roots[i].scalable == b->vtd_roots[i].scalable,
			"%llu", (unsigned long long)i);
}

static void compare_files(void)
{
	FILE *files[] = { fopen(copy_paths[0], "rb"), fopen(copy_paths[1], "rb") };
	int byte;

	require(files[0] && files[1], "no copy");
	do {
		byte = getc(files[0]);
		require(getc(files[1]) == byte, "the second copy differs");
	} while (byte != EOF);
	fclose(files[0]);
	fclose(files[1]);
}

static void check_copies(struct source *source)
{
	struct source *copy;

	if (!copy_paths[0][0]) {
		snprintf(copy_paths[0], sizeof(copy_paths[0]), "/dev/shm/iommuser-fuzz-%d-1",
			 (int)getpid());
		snprintf(copy_paths[1], sizeof(copy_paths[1]), "/dev/shm/iommuser-fuzz-%d-2",
			 (int)getpid());
	}
	write_copy(source, copy_paths[0]);
	copy = open_copy(copy_paths[0]);
	compare_pages(source, copy);
	compare_rest(source, copy);
	write_copy(copy, copy_paths[1]);
	source_close(copy);
	compare_files();
	require(!unlink(copy_paths[0]) && !unlink(copy_paths[1]), "copies");
}

static void check_file(const char *path, size_t size, const struct source_options *options)
{
	char message[256] = "";
	struct source *source;
	u32 i;

	limit_memory(CONSTANT_MEMORY + 8 * size);
	source = source_open(path, options, message, sizeof(message));
	limit_memory(0);
	if (!source) {
		require(message[0] && memchr(message, 0, sizeof(message)), "no message");
		require_text(message, strlen(message), false);
		return;
	}
	for (i = 0; source_loss(source, i); i++)
		require_text(source_loss(source, i), strlen(source_loss(source, i)), false);
	require(!i || options->force, "%u losses without force", i);
	check_hints(source);
	check_ranges(source, options->lazy);
	check_preserved(source, size);
	check_states(source, size);
	if (!options->lazy && can_copy(source))
		check_copies(source);
	source_close(source);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 file[MAX_FILE];
	struct input input = { data, size };
	u64 choice = input_take(&input, 1);
	const struct source_options options = {
		.page_shift = choice & 2 ? 16 : 0,
		.force = choice & 4,
		.lazy = choice & 8 && !(choice & 4),
	};
	size_t length = IKHO_MAGIC_SIZE + input.left;
	const char *path;
	int fd;

	if (length > MAX_FILE)
		return 0;
	memcpy(file, IKHO_MAGIC, IKHO_MAGIC_SIZE);
	memcpy(file + IKHO_MAGIC_SIZE, input.at, input.left);
	if (choice & 1)
		seal_image(file, length);
	path = file_of(file, length);
	fd = dup(STDERR_FILENO);
	close(fd);
	check_file(path, length, &options);
	/* Whatever was opened has been closed: the lowest number is free again. */
	require(dup(STDERR_FILENO) == fd && !close(fd), "a file was left open");
	file_unchanged(file, length);
	return 0;
}
