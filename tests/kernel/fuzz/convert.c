// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Turns inputs of the fuzz targets "restore" and "verify" into those that the
 * kernel's debugfs file takes: memory that does not depend on where it lies.
 *
 * usage: convert OUT TARGET:FILE...
 * OUT gets all inputs one after the other; the name of each that was taken goes
 * to standard output, in the same order.
 */
#include <stdio.h>
#include <string.h>

#include <zlib.h>

#include <kho/abi/iommuser.h>

#include "../../../fuzz/handover.h"
#include "../../../kernel-glue/linux/drivers/iommu/liveupdate/fuzz-input.h"

#define MAX_FILE (1 << 20)
#define ADDRESS_MASK 0x000ffffffffff000ULL
/* A run of zeros that long is left out. */
#define GAP 16

static_assert(IOMMU_FUZZ_FRAMES == MEMORY_FRAMES, "the window is the memory");
static_assert(IOMMU_FUZZ_FRAME_SIZE == FRAME_SIZE, "of the same frames");
static_assert(IOMMU_FUZZ_PAYLOAD_SIZE == PAYLOAD_SIZE, "and as much payload");

/**
 * struct scene - what an input comes to
 * @preserved: by frame
 * @paired: frames two by two, where both were preserved
 */
struct scene {
	struct iommu_fuzz_header header;
	u8 bytes[MEMORY_SIZE];
	u8 preserved[MEMORY_FRAMES];
	u8 steps[512];
	bool paired;
};

/** struct output - an input for the kernel, as it grows */
struct output {
	u8 bytes[16U << 20];
	u32 used;
};

static struct scene the_scene;
static struct output the_output;

static void append(struct output *output, const void *bytes, size_t length)
{
	size_t padded = (length + 3) & ~(size_t)3;

	require(padded <= sizeof(output->bytes) - output->used, "an input of %u bytes",
		output->used);
	memcpy(output->bytes + output->used, bytes, length);
	memset(output->bytes + output->used + length, 0, padded - length);
	output->used += (u32)padded;
}

/* What an input means */

static u32 revision_index(const struct iommuser_revision *revision)
{
	u32 i = 0;

	while (iommuser_revision_at(i) != revision)
		require(iommuser_revision_at(i++), "a revision that is not listed");
	return i;
}

static void take_memory(struct scene *scene, const struct memory *memory, u64 root)
{
	scene->header.root = root - MEMORY_BASE;
	memcpy(scene->bytes, memory->bytes, sizeof(scene->bytes));
}

/* Header: see fuzz/restore.c. */
static void read_restore(struct scene *scene, struct input *input)
{
	const struct handover_image *image;
	struct memory *memory;
	u64 options, lost, i;

	input_take(input, 1);
	image = handover_image((u32)input_take(input, 1), 0);
	memory = memory_begin(0);
	memcpy(memory->bytes, image->bytes, MEMORY_SIZE);
	memcpy(memory->present, image->present, MEMORY_FRAMES);
	for (i = 0; i < MEMORY_FRAMES; i++)
		scene->preserved[i] = image->preserved[i] != 0;
	scene->header.revision = (u8)revision_index(image->revision);
	scene->header.level = (u8)(input_take(input, 1) % IOMMU_FUZZ_NR_LEVELS);
	options = input_take(input, 1);
	scene->header.options = options & 1 ? IOMMU_FUZZ_WITH_SET : 0;
	scene->header.fail_map_at = (u16)input_take(input, 2);
	lost = input_take(input, 2) % MEMORY_FRAMES;
	scene->header.nr_steps = (u8)(input_take(input, 1) % 65);
	for (i = 0; i < 2U * scene->header.nr_steps; i++) {
		if (!input->left)
			break;
		scene->steps[i] = (u8)input_take(input, 1);
	}
	scene->header.nr_steps = (u8)(i / 2);
	memory_write(memory, input);
	if (options & 2)
		memory_seal(memory, image->root);
	if (lost)
		scene->preserved[lost] = 0;
	take_memory(scene, memory, image->root);
	memory_end(memory);
}

/* Steps for an input that has none: everything is claimed, gone on and finished. */
static void add_steps(struct scene *scene)
{
	static const u8 steps[] = {
		IOMMU_FUZZ_CLAIM_ALL,	0, IOMMU_FUZZ_HAND_OVER_ALL, 0, IOMMU_FUZZ_LEAVE_ALL, 0,
		IOMMU_FUZZ_ABANDON_ALL, 0, IOMMU_FUZZ_FINISH,	     0,
	};

	memcpy(scene->steps, steps, sizeof(steps));
	scene->header.nr_steps = sizeof(steps) / 2;
}

/* Of the writes that are alternatives, one at most is made. */
static void take_alternative(struct memory *memory, struct input *input, u32 which)
{
	struct edit edit;

	while (memory_edit(memory, input, &edit) && which--)
		memory_undo(&edit);
}

/* Header: see fuzz/verify.c. @hash chooses what that leaves open. */
static void read_verify(struct scene *scene, struct input *input, u32 hash)
{
	/* As many as there are before the end of the list. */
	u32 nr_revisions = revision_index(NULL);
	u64 options, hidden, root, i;
	u8 bitmap[MEMORY_FRAMES / 8];
	struct memory *memory;

	require(nr_revisions, "no revisions");
	input_take(input, 1);
	memory = memory_begin(0);
	scene->header.revision = (u8)(input_take(input, 1) % nr_revisions);
	scene->header.level = (u8)(hash % IOMMU_FUZZ_NR_LEVELS);
	options = input_take(input, 1);
	hidden = input_take(input, 2);
	root = MEMORY_BASE + input_take(input, 4);
	for (i = 0; i < sizeof(bitmap); i++)
		bitmap[i] = (u8)input_take(input, 1);
	memory_write_most(memory, input, hidden >> 15 ? hidden >> 10 & 31 : 0);
	if (options & 16)
		set_differing(memory, bitmap);
	take_alternative(memory, input, hash % 4);
	if (options & 8)
		memory_seal(memory, root);
	for (i = 0; i < MEMORY_FRAMES; i++)
		scene->preserved[i] = bitmap[i / 8] >> i % 8 & 1;
	add_steps(scene);
	take_memory(scene, memory, root);
	memory_end(memory);
}

/* What it is for the kernel */

static void put_blocks(struct output *output, struct scene *scene)
{
	struct iommu_fuzz_block block;
	u16 i;

	for (i = 0; i < MEMORY_FRAMES; i++) {
		if (!scene->preserved[i])
			continue;
		block.frame = i;
		block.order = scene->paired && i % 2 == 0 && scene->preserved[i + 1];
		append(output, &block, sizeof(block));
		scene->header.nr_blocks++;
		i = (u16)(i + block.order);
	}
}

/* Where records of "iommuser-v1" have addresses, by kind: a bit for each word. */
static const u32 address_words[IOMMUSER_NR_KINDS + 1] = {
	[IOMMUSER_KIND_IOMMU] = 1 << 5,
	[IOMMUSER_KIND_DOMAIN] = 1 << 3,
	[IOMMUSER_KIND_DEVICE] = 1 << 4 | 1 << 6,
	[IOMMUSER_KIND_ALIAS] = 1 << 3,
	[IOMMUSER_KIND_ATTACHMENT] = 1 << 2 | 1 << 3,
	[IOMMUSER_KIND_HWPT] = 1 << 4,
};

/* May there be an address in that word of a page of records? Counts look like some. */
static bool has_address(const struct iommuser_page_ser *page, u32 offset)
{
	u32 word;

	if (offset < sizeof(*page))
		return offset == offsetof(struct iommuser_page_ser, next) ||
		       offset == offsetof(struct iommuser_page_ser, self);
	if (!page->record_size || page->record_size % sizeof(u64) || page->kind > IOMMUSER_NR_KINDS)
		return true;
	word = (offset - (u32)sizeof(*page)) % page->record_size / (u32)sizeof(u64);
	return word < 32 && address_words[page->kind] >> word & 1;
}

/* An entry of a page table, which permits something, leads there. */
static bool is_leaf(u64 word)
{
	u64 address = word & ADDRESS_MASK;

	return word & 3 && address >= PAYLOAD_BASE && address - PAYLOAD_BASE < PAYLOAD_SIZE;
}

/* Addresses in memory move with it, those of the payload for good. */
static void put_relocations(struct output *output, struct scene *scene)
{
	struct iommuser_page_ser page = { 0 };
	u64 word, address;
	u32 at;

	for (at = 0; at < MEMORY_SIZE; at += sizeof(word)) {
		if (at % FRAME_SIZE == 0)
			memcpy(&page, scene->bytes + at, sizeof(page));
		if (page.self == MEMORY_BASE + at / FRAME_SIZE * FRAME_SIZE &&
		    !has_address(&page, at % FRAME_SIZE))
			continue;
		memcpy(&word, scene->bytes + at, sizeof(word));
		address = word & ADDRESS_MASK;
		if (address >= MEMORY_BASE && address - MEMORY_BASE < MEMORY_SIZE) {
			word -= MEMORY_BASE;
			append(output, &at, sizeof(at));
			scene->header.nr_relocations++;
		} else if (is_leaf(word)) {
			word += IOMMU_FUZZ_PAYLOAD - PAYLOAD_BASE;
		}
		memcpy(scene->bytes + at, &word, sizeof(word));
	}
}

static bool is_sealed(const u8 *page, u32 offset)
{
	u8 copy[FRAME_SIZE];
	u32 crc;

	memcpy(&crc, page + offset, sizeof(crc));
	memcpy(copy, page, sizeof(copy));
	memset(copy + offset, 0, sizeof(crc));
	return (u32)crc32(0, copy, sizeof(copy)) == crc;
}

/* Before anything is moved: seals that are right stay right. */
static u32 find_seals(const struct scene *scene, u32 *seals)
{
	static const u32 offsets[] = { offsetof(struct iommuser_root_ser, crc),
				       offsetof(struct iommuser_page_ser, crc) };
	u32 count = 0, frame;

	for (frame = 0; frame < MEMORY_FRAMES; frame++) {
		u32 at = frame * (u32)FRAME_SIZE;
		u32 which = scene->header.root != at;

		if (is_sealed(scene->bytes + at, offsets[which]))
			seals[count++] = at + offsets[which];
	}
	return count;
}

static u32 end_of_run(const struct scene *scene, u32 from)
{
	u32 at, zeros = 0;

	for (at = from; at < MEMORY_SIZE && zeros < GAP; at++)
		zeros = scene->bytes[at] ? 0 : zeros + 1;
	return at - zeros;
}

static void put_writes(struct output *output, struct scene *scene)
{
	struct iommu_fuzz_write write;
	u32 at;

	for (at = 0; at < MEMORY_SIZE; at++) {
		if (!scene->bytes[at])
			continue;
		write.offset = at;
		write.length = end_of_run(scene, at) - at;
		append(output, &write, sizeof(write));
		append(output, scene->bytes + at, write.length);
		scene->header.nr_writes++;
		at += write.length;
	}
}

static void put(struct output *output, struct scene *scene)
{
	static u32 seals[MEMORY_FRAMES];

	output->used = 0;
	scene->header.magic = IOMMU_FUZZ_MAGIC;
	append(output, &scene->header, sizeof(scene->header));
	put_blocks(output, scene);
	scene->header.nr_seals = find_seals(scene, seals);
	put_relocations(output, scene);
	append(output, seals, scene->header.nr_seals * sizeof(*seals));
	append(output, scene->steps, 2U * scene->header.nr_steps);
	put_writes(output, scene);
	append(output, "\0\0\0", output->used % 8);
	scene->header.length = output->used;
	memcpy(output->bytes, &scene->header, sizeof(scene->header));
}

static int convert(const char *target, const char *path, FILE *to)
{
	static u8 bytes[MAX_FILE];
	struct input input = { bytes, 0 };
	struct scene *scene = &the_scene;
	FILE *file = fopen(path, "rb");
	u32 hash;

	if (!file) {
		perror(path);
		return 1;
	}
	input.left = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	memset(scene, 0, sizeof(*scene));
	/* What the input does not say is chosen by it all the same. */
	hash = (u32)crc32(0, bytes, (uInt)input.left);
	scene->paired = hash % 4 == 0;
	if (!strcmp(target, "restore"))
		read_restore(scene, &input);
	else
		read_verify(scene, &input, hash / 8);
	if (hash / 4 % 2)
		scene->header.options |= IOMMU_FUZZ_ABANDON;
	put(&the_output, scene);
	if (fwrite(the_output.bytes, 1, the_output.used, to) != the_output.used) {
		perror("write");
		return 1;
	}
	printf("%s:%s\n", target, path);
	return 0;
}

int main(int argc, char **argv)
{
	int error = 0, i;
	char *colon;
	FILE *to;

	if (argc < 3) {
		fprintf(stderr, "usage: %s OUT TARGET:FILE...\n", argv[0]);
		return 2;
	}
	to = fopen(argv[1], "wb");
	if (!to) {
		perror(argv[1]);
		return 1;
	}
	for (i = 2; i < argc && !error; i++) {
		colon = strchr(argv[i], ':');
		if (!colon)
			return 2;
		*colon = 0;
		error = convert(argv[i], colon + 1, to);
	}
	return fclose(to) || error;
}
