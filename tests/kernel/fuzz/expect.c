// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Says what the kernel must make of inputs that it was given, by doing the same
 * with the library outside of it: with pages that have what KHO and the glue do
 * to them, and nothing else of theirs.
 *
 * usage: expect SAMPLE
 * Standard input has a line "INDEX BASE CHUNKS CORE-BASE" for each input of
 * SAMPLE that is to be looked at, in ascending order: where its window was, how
 * many chunks a set had there, and where the window was the second time.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <iommuser/error.h>

#include "../../../kernel-glue/linux/drivers/iommu/liveupdate/fuzz-input.h"

#define MAX_DIDS 4096
#define TEXT_SIZE 2048

/* Where a frame stands. */
enum use {
	USE_NONE,
	USE_ASIDE,
	USE_CLAIMED,
};

struct did {
	u64 token;
	u32 did;
};

/**
 * struct world - the next kernel's memory
 * @orders: of preserved blocks by their first frame, plus one
 * @uses: of frames that left KHO's care
 * @tokens: of units that domain ids were reserved on
 * @ending: pages that are restored are those of records
 */
struct world {
	u8 *window;
	u64 base;
	u64 chunks;
	u8 orders[IOMMU_FUZZ_FRAMES];
	u8 uses[IOMMU_FUZZ_FRAMES];
	u64 nr_pages;
	u64 tokens[IOMMU_FUZZ_MAX_UNITS];
	u32 nr_tokens;
	struct did dids[MAX_DIDS];
	u64 nr_dids;
	bool ending;
};

static struct world the_world;

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("expect: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* Memory */

/* The first frame of the preserved block that a frame is in, or -1. */
static int block_of(const struct world *world, u64 frame)
{
	u64 head;

	for (head = frame; head + (1 << IOMMU_FUZZ_MAX_ORDER) > frame; head--) {
		if (world->orders[head] && frame - head < 1ULL << (world->orders[head] - 1))
			return (int)head;
		if (!head)
			break;
	}
	return -1;
}

static bool in_window(const struct world *world, u64 phys)
{
	return phys >= world->base && phys - world->base < IOMMU_FUZZ_WINDOW;
}

static u64 frame_of(const struct world *world, u64 phys)
{
	return (phys - world->base) / IOMMU_FUZZ_FRAME_SIZE;
}

static const void *map(void *ctx, u64 phys, u64 length)
{
	const struct world *world = ctx;
	u64 frame;

	if (!length || length > IOMMU_FUZZ_FRAME_SIZE - phys % IOMMU_FUZZ_FRAME_SIZE ||
	    phys >> IOMMUSER_PHYS_BITS)
		die("map: %#llx, %llu bytes", (unsigned long long)phys, (unsigned long long)length);
	if (!in_window(world, phys))
		return NULL;
	frame = frame_of(world, phys);
	if (world->uses[frame] == USE_NONE && block_of(world, frame) < 0)
		return NULL;
	return world->window + (phys - world->base);
}

static u32 sum(void *ctx, u32 crc, const void *data, u64 length)
{
	(void)ctx;
	return (u32)crc32(crc, data, (uInt)length);
}

static int restore_records(struct world *world, u64 frame)
{
	if (world->orders[frame] != 1)
		return 1;
	world->orders[frame] = 0;
	return 0;
}

/* A block is restored with its first page; the others can be claimed then. */
static int restore_table(struct world *world, u64 frame)
{
	u32 count, i;

	if (world->uses[frame] == USE_CLAIMED)
		return 1;
	if (world->uses[frame] == USE_NONE) {
		if (block_of(world, frame) != (int)frame)
			return 1;
		count = 1U << (world->orders[frame] - 1);
		world->orders[frame] = 0;
		for (i = 0; i < count; i++)
			world->uses[frame + i] = USE_ASIDE;
	}
	world->uses[frame] = USE_CLAIMED;
	world->nr_pages++;
	return 0;
}

static int restore_page(void *ctx, u64 phys, u64 length)
{
	struct world *world = ctx;

	if (length != IOMMU_FUZZ_FRAME_SIZE || phys % length)
		die("restore: %#llx, %llu bytes", (unsigned long long)phys,
		    (unsigned long long)length);
	if (!in_window(world, phys))
		return 1;
	return world->ending ? restore_records(world, frame_of(world, phys)) :
			       restore_table(world, frame_of(world, phys));
}

static void release_page(void *ctx, u64 phys, u64 length)
{
	struct world *world = ctx;

	(void)length;
	if (world->ending)
		return;
	if (!in_window(world, phys) || world->uses[frame_of(world, phys)] != USE_CLAIMED)
		die("release: %#llx", (unsigned long long)phys);
	world->uses[frame_of(world, phys)] = USE_ASIDE;
	world->nr_pages--;
}

/* Domain ids */

static bool has_unit(struct world *world, u64 token)
{
	u32 i;

	for (i = 0; i < world->nr_tokens; i++)
		if (world->tokens[i] == token)
			return true;
	if (world->nr_tokens == IOMMU_FUZZ_MAX_UNITS)
		return false;
	world->tokens[world->nr_tokens++] = token;
	return true;
}

static struct did *find_did(struct world *world, u64 token, u32 did)
{
	u64 i;

	for (i = 0; i < world->nr_dids; i++)
		if (world->dids[i].token == token && world->dids[i].did == did)
			return &world->dids[i];
	return NULL;
}

static int reserve_did(void *ctx, u64 token, u32 did)
{
	struct world *world = ctx;

	if (find_did(world, token, did))
		die("domain id %u is reserved twice", did);
	if (!has_unit(world, token))
		return 1;
	if (world->nr_dids == MAX_DIDS)
		die("more than %u domain ids", MAX_DIDS);
	world->dids[world->nr_dids++] = (struct did){ token, did };
	return 0;
}

static void release_did(void *ctx, u64 token, u32 did)
{
	struct world *world = ctx;
	struct did *found = find_did(world, token, did);

	if (!found)
		die("domain id %u is released", did);
	*found = world->dids[--world->nr_dids];
}

/* The host */

static void *allocate(u64 size)
{
	return size ? calloc(1, size) : NULL;
}

static struct iommuser_pageset *set_new(void *ctx)
{
	struct world *world = ctx;
	u64 size = iommuser_pageset_size(world->chunks, IOMMUSER_NR_PLANES);
	struct iommuser_pageset *set = malloc(sizeof(*set));
	void *bytes = calloc(1, size);
	u32 i;
	int error;

	if (!set || !bytes)
		die("out of memory");
	error = iommuser_pageset_init(set, bytes, size, world->chunks, IOMMUSER_NR_PLANES);
	for (i = 0; i < IOMMU_FUZZ_FRAMES && !error; i++)
		if (world->orders[i])
			error = iommuser_pageset_add(set, IOMMUSER_PRESERVED,
						     world->base + (u64)i * IOMMU_FUZZ_FRAME_SIZE,
						     (u64)IOMMU_FUZZ_FRAME_SIZE
							     << (world->orders[i] - 1));
	if (!error)
		error = iommuser_pageset_add(set, IOMMUSER_PRESERVED, IOMMU_FUZZ_PAYLOAD,
					     IOMMU_FUZZ_PAYLOAD_SIZE);
	if (error)
		die("a set of %llu chunks: %d", (unsigned long long)world->chunks, error);
	return set;
}

static void set_free(struct iommuser_pageset *set)
{
	if (set)
		free(set->directory);
	free(set);
}

static void claiming(void *ctx, u32 kind, u64 position)
{
	(void)ctx;
	(void)kind;
	(void)position;
}

static void ending(void *ctx, bool now)
{
	((struct world *)ctx)->ending = now;
}

static u64 nr_pages(void *ctx)
{
	return ((const struct world *)ctx)->nr_pages;
}

static u64 nr_dids(void *ctx)
{
	return ((const struct world *)ctx)->nr_dids;
}

static const struct iommuser_env env = {
	.ctx = &the_world,
	.page_shift = 12,
	.map = map,
	.crc32 = sum,
};
static const struct iommuser_restore_ops ops = {
	.ctx = &the_world,
	.restore_page = restore_page,
	.release_page = release_page,
	.reserve_did = reserve_did,
	.release_did = release_did,
};

static const struct iommu_fuzz_host host = {
	.ctx = &the_world,
	.env = &env,
	.ops = &ops,
	.alloc = allocate,
	.free = free,
	.set_new = set_new,
	.set_free = set_free,
	.claiming = claiming,
	.ending = ending,
	.nr_pages = nr_pages,
	.nr_dids = nr_dids,
};

static void begin(struct world *world, const struct iommu_fuzz_input *input, u64 base, u64 chunks)
{
	u8 *window = world->window ? world->window : malloc(IOMMU_FUZZ_WINDOW);
	u32 i;

	if (!window)
		die("out of memory");
	memset(world, 0, sizeof(*world));
	memset(window, 0, IOMMU_FUZZ_WINDOW);
	world->window = window;
	world->base = base;
	world->chunks = chunks;
	iommu_fuzz_place(input, window, base, &env);
	for (i = 0; i < input->header->nr_blocks; i++)
		world->orders[input->blocks[i].frame] = (u8)(input->blocks[i].order + 1);
}

/* What the core's claim comes to, as far as that is the library's doing */

/**
 * struct verdict - findings that keep a handover from being used
 * @count: how many
 * @first: code of the first
 */
struct verdict {
	u32 count;
	const char *first;
};

static void report(void *ctx, const struct iommuser_finding *finding)
{
	struct verdict *verdict = ctx;

	if (getenv("EXPECT_FINDINGS"))
		fprintf(stderr, "%s kind %u index %llu field %u at %#llx: %#llx, expected %#llx\n",
			iommuser_finding_code(finding->id), finding->kind,
			(unsigned long long)finding->index, finding->field,
			(unsigned long long)finding->phys, (unsigned long long)finding->found,
			(unsigned long long)finding->expected);
	if (finding->severity >= IOMMUSER_INCOMPLETE && !verdict->count++)
		verdict->first = iommuser_finding_code(finding->id);
}

static int claim(struct iommuser_restore *restore, u32 kind, u64 position)
{
	union iommuser_record record, claimed;
	struct iommuser_unit unit;
	int error = iommuser_restore_read(restore, kind, position, &record);

	if (error)
		return error == -IOMMUSER_ENOENT ? 0 : error;
	if (kind == IOMMUSER_KIND_DOMAIN)
		return iommuser_restore_claim_domain(restore, record.common.phys, &claimed.domain);
	if (kind == IOMMUSER_KIND_DEVICE)
		return iommuser_restore_claim_device(restore, record.device.segment,
						     record.device.bdf, &claimed.device);
	unit = (struct iommuser_unit){ record.iommu.token, record.iommu.cap, record.iommu.ecap,
				       record.iommu.host_address_width, record.iommu.mode };
	return iommuser_restore_claim_iommu(restore, &unit, &claimed.iommu);
}

static int validate(struct iommuser_restore *restore, u32 level, u64 root, struct verdict *verdict,
		    void **memory, struct iommuser_pageset **set)
{
	const struct iommuser_reporter reporter = { verdict, report };
	u64 size;
	int error;

	if (level == IOMMUSER_LEVEL_CLOSURE)
		*set = set_new(&the_world);
	error = iommuser_restore_open(restore, &env, &ops, iommuser_revision_by_name("iommuser-v1"),
				      root, *set, &reporter);
	if (error)
		return error;
	size = iommuser_restore_size(restore);
	*memory = allocate(size);
	if (!*memory)
		die("%llu bytes", (unsigned long long)size);
	return iommuser_restore_validate(restore, level, 1, *memory, size, &reporter);
}

/* Prints the error and findings of validation, and the error of the first claim that fails. */
static void predict(const struct iommu_fuzz_input *input)
{
	struct verdict verdict = { 0, "none" };
	struct iommuser_pageset *set = NULL;
	struct iommuser_restore restore;
	int error, claimed = 0;
	void *memory = NULL;
	u64 position;
	u32 kind;

	memset(&restore, 0, sizeof(restore));
	error = validate(&restore, input->header->level, the_world.base + input->header->root,
			 &verdict, &memory, &set);
	for (kind = IOMMUSER_KIND_IOMMU; kind <= IOMMUSER_KIND_DEVICE && !error; kind++)
		for (position = 0; position < iommuser_restore_count(&restore, kind) && !claimed;
		     position++)
			claimed = claim(&restore, kind, position);
	printf("core valid=%d first=%s errors=%u claims=%d\n", error, verdict.first, verdict.count,
	       claimed);
	iommuser_restore_abort(&restore);
	free(memory);
	set_free(set);
}

/* The sample */

static u8 *read_all(const char *path, u64 *length)
{
	FILE *file = fopen(path, "rb");
	long size;
	u8 *bytes;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0)
		die("%s can't be read", path);
	rewind(file);
	bytes = malloc((size_t)size + 1);
	if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size)
		die("%s can't be read", path);
	fclose(file);
	*length = (u64)size;
	return bytes;
}

static void run(const struct iommu_fuzz_input *input, u64 base, u64 chunks, u64 core_base)
{
	struct iommu_fuzz_outcome outcome;
	char text[TEXT_SIZE];

	begin(&the_world, input, base, chunks);
	if (iommu_fuzz_drive(input, &host, base, &outcome))
		die("out of memory");
	iommu_fuzz_print(&outcome, text, sizeof(text));
	fputs(text, stdout);
	begin(&the_world, input, core_base, chunks);
	predict(input);
}

int main(int argc, char **argv)
{
	unsigned long long index, base, chunks, core_base;
	struct iommu_fuzz_input input;
	u64 length, at = 0, now = 0;
	u8 *bytes;

	if (argc != 2) {
		fprintf(stderr, "usage: %s SAMPLE\n", argv[0]);
		return 2;
	}
	bytes = read_all(argv[1], &length);
	while (scanf("%llu %llx %llu %llx", &index, &base, &chunks, &core_base) == 4) {
		for (;; now++) {
			if (iommu_fuzz_parse(&input, bytes + at, length - at))
				die("input %llu is not sound", (unsigned long long)now);
			if (now == index)
				break;
			at += input.header->length;
		}
		run(&input, base, chunks, core_base);
	}
	free(bytes);
	free(the_world.window);
	return 0;
}
