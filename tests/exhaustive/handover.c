// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A handover in memory that is read again and again.
 */
#include "handover.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

/* No reading may ask for more pieces than this: far more than any has to. */
#define MAX_CALLS (1ULL << 22)
#define GRAPH_BYTES (1ULL << 20)
/* Of 128 MiB: the image, and wherever a changed address leads. */
#define SET_CHUNKS 4
#define FRAME_SIZE 4096ULL

void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static const void *map(void *ctx, u64 phys, u64 length)
{
	struct handover *handover = ctx;
	u64 offset = phys & (handover_page_size(handover) - 1);
	const u8 *page;

	if (++handover->calls > MAX_CALLS)
		die("%llu calls of map() in one reading", (unsigned long long)MAX_CALLS);
	if (phys >= 1ULL << IOMMUSER_PHYS_BITS || !length ||
	    length > handover_page_size(handover) - offset)
		die("map() is asked for %llu bytes at %#llx", (unsigned long long)length,
		    (unsigned long long)phys);
	page = phys < MEMORY_END ? handover->pages[phys >> handover->env.page_shift] : NULL;
	return page ? page + offset : NULL;
}

static u32 sum(void *ctx, u32 crc, const void *data, u64 length)
{
	(void)ctx;
	return (u32)crc32(crc, data, (uInt)length);
}

static void *allocate(u64 size)
{
	void *memory = calloc(1, size);

	if (!memory)
		die("out of memory");
	return memory;
}

static void new_set(struct handover *handover)
{
	handover->set_size = iommuser_pageset_size(SET_CHUNKS, IOMMUSER_NR_PLANES);
	handover->set_bytes = allocate(handover->set_size);
	handover->fresh_bytes = allocate(handover->set_size);
	if (iommuser_pageset_init(&handover->set, handover->set_bytes, handover->set_size,
				  SET_CHUNKS, IOMMUSER_NR_PLANES))
		die("a set cannot be made");
}

static FILE *open_file(const char *directory, const char *name, const char *ending)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.%s", directory, name, ending);
	file = fopen(path, "rb");
	if (!file)
		die("cannot open %s", path);
	return file;
}

static void load_frame(struct handover *handover, u64 phys, FILE *pages)
{
	u64 number = phys >> handover->env.page_shift;

	if (phys >= MEMORY_END)
		die("%#llx: beyond the memory", (unsigned long long)phys);
	if (!handover->pages[number]) {
		handover->pages[number] = allocate(handover_page_size(handover));
		handover->before[number] = allocate(handover_page_size(handover));
	}
	if (fread(handover_at(handover, phys), FRAME_SIZE, 1, pages) != 1)
		die("%#llx: too few pages", (unsigned long long)phys);
}

static void read_line(struct handover *handover, const char *line, FILE *pages)
{
	const char *rest = strchr(line, ' ');
	size_t word = rest ? (size_t)(rest - line) : 0;
	char *end = NULL;
	u64 value;

	value = rest ? strtoull(rest, &end, 0) : 0;
	if (word == 9 && memcmp(line, "page-size", word) == 0)
		handover->env.page_shift = (u32)__builtin_ctzll(value | 1ULL << 63);
	else if (word == 3 && memcmp(line, "abi", word) == 0)
		handover->revision = iommuser_revision_by_name(rest + 1);
	else if (word == 4 && memcmp(line, "root", word) == 0)
		handover->root = value;
	else if (word == 4 && memcmp(line, "page", word) == 0)
		load_frame(handover, value, pages);
	else if (word != 9 || memcmp(line, "preserved", word) != 0 ||
		 iommuser_pageset_add(&handover->set, IOMMUSER_PRESERVED, value,
				      strtoull(end, NULL, 0)))
		die("cannot use: %s", line);
}

struct handover *handover_load(const char *directory, const char *name)
{
	struct handover *handover = allocate(sizeof(*handover));
	FILE *text = open_file(directory, name, "text");
	FILE *pages = open_file(directory, name, "pages");
	char line[256];
	u64 i;

	handover->env.ctx = handover;
	handover->env.map = map;
	handover->env.crc32 = sum;
	new_set(handover);
	while (fgets(line, sizeof(line), text)) {
		line[strcspn(line, "\n")] = '\0';
		read_line(handover, line, pages);
	}
	fclose(text);
	fclose(pages);
	if (!handover->revision || !handover->env.page_shift)
		die("%s: no revision or page size", name);
	for (i = 0; i < MAX_PAGES; i++)
		if (handover->pages[i])
			memcpy(handover->before[i], handover->pages[i],
			       handover_page_size(handover));
	handover->fresh_set = handover->set;
	memcpy(handover->fresh_bytes, handover->set_bytes, handover->set_size);
	handover->graph_bytes = allocate(GRAPH_BYTES);
	return handover;
}

void handover_free(struct handover *handover)
{
	u64 i;

	for (i = 0; i < MAX_PAGES; i++) {
		free(handover->pages[i]);
		free(handover->before[i]);
	}
	free(handover->graph_bytes);
	free(handover->set_bytes);
	free(handover->fresh_bytes);
	free(handover);
}

u8 *handover_at(const struct handover *handover, u64 phys)
{
	u64 number = phys >> handover->env.page_shift;

	if (phys >= MEMORY_END || !handover->pages[number])
		die("%#llx is not in the image", (unsigned long long)phys);
	return handover->pages[number] + (phys & (handover_page_size(handover) - 1));
}

static void note(void *ctx, const struct iommuser_finding *finding)
{
	bool *refused = ctx;

	if (!iommuser_finding_code(finding->id) || (u32)finding->severity > IOMMUSER_ERROR)
		die("finding %u has no code or severity", (u32)finding->id);
	if (finding->severity >= IOMMUSER_INCOMPLETE)
		*refused = true;
}

static void build_graph(struct handover *handover)
{
	u64 size = iommuser_graph_size(&handover->parsed, &handover->survey);
	int error;

	if (!size || size > GRAPH_BYTES)
		die("the graph takes %llu bytes", (unsigned long long)size);
	memset(handover->graph_bytes, 0, size);
	error = iommuser_graph_build(&handover->graph, &handover->env, &handover->parsed,
				     &handover->survey, 1, handover->graph_bytes, size);
	if (error)
		die("what was surveyed cannot be indexed: %d", error);
}

static void verify(struct handover *handover, enum depth depth,
		   const struct iommuser_reporter *reporter)
{
	struct iommuser_verify verify = {
		.env = &handover->env,
		.root = &handover->parsed,
		.survey = &handover->survey,
		.graph = &handover->graph,
		.set = &handover->set,
		.reporter = reporter,
	};
	int error = depth == RECORDS ? iommuser_verify_records(&verify) :
				       iommuser_verify_all(&verify);

	if (error)
		die("the verifier ends with %d", error);
}

bool handover_refused(struct handover *handover, enum depth depth)
{
	bool refused = false;
	const struct iommuser_reporter reporter = { .ctx = &refused, .report = note };
	int error;

	handover->set = handover->fresh_set;
	memcpy(handover->set_bytes, handover->fresh_bytes, handover->set_size);
	handover->calls = 0;
	handover->readings++;
	error = iommuser_root_open(&handover->env, handover->revision, handover->root,
				   &handover->set, &reporter, &handover->parsed);
	if (error) {
		if (!refused)
			die("the root is refused without a finding: %d", error);
		return true;
	}
	if (iommuser_survey_root(&handover->env, &handover->parsed, &handover->set, &reporter,
				 &handover->survey))
		die("no survey");
	build_graph(handover);
	verify(handover, depth, &reporter);
	if (handover->calls > handover->most_calls)
		handover->most_calls = handover->calls;
	return refused;
}

bool handover_unchanged(const struct handover *handover)
{
	u64 i;

	for (i = 0; i < MAX_PAGES; i++)
		if (handover->pages[i] && memcmp(handover->pages[i], handover->before[i],
						 handover_page_size(handover)) != 0)
			return false;
	return true;
}

u64 load_word(const u8 *at)
{
	u64 value = 0;
	u32 i;

	for (i = 0; i < 8; i++)
		value |= (u64)at[i] << (8 * i);
	return value;
}
