// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: the tool's reader of KHO's root FDT and of the sub-blobs that
 * Linux puts beside LUO's.
 *
 * Input: options u8 (bits 0-1: page size; bit 2: composed; bit 3: the header of
 * a raw FDT is made right), then
 * - raw: length u16 and as many bytes of the FDT, which lies at MEMORY_BASE;
 * - composed: the root FDT and, for the page behind it, memblock's: properties
 *   of the root, then nodes with theirs (see compose());
 * then edits of the memory.
 *
 * Checks S1 S2 S3 S4 S5 S6 S7 S18 S20: what is accepted is what a reader that
 * knows nothing of libfdt finds, in the same order; what is valid can be so;
 * the FDT is found in memory again, with and without its end; every finding
 * has words that can be shown.
 */
#include <libfdt.h>
#include <string.h>

#include <iommuser/error.h>
#include <kho/abi/kexec_metadata.h>
#include <kho/abi/kho.h>

#include "kho.h"
#include "tool.h"

#define PHYS_END (1ULL << IOMMUSER_PHYS_BITS)
#define MAX_CHILDREN 8192
#define MAX_BLOB (1ULL << 30)

/** struct property - a property found by hand; @value is NULL when there is none */
struct property {
	const u8 *value;
	u32 length;
};

/** struct node - the properties that count, of the root or a child */
struct node {
	const char *name;
	size_t name_length;
	struct property compatible;
	struct property map;
	struct property data;
	struct property fdt;
	struct property size;
};

struct tree {
	struct node root;
	struct node children[MAX_CHILDREN];
	size_t nr_children;
};

static struct tree tree;
static u8 copy[1 << IOMMUSER_MAX_PAGE_SHIFT];

static u32 get_be32(const u8 *at)
{
	return (u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3];
}

static u64 get_u64(struct property property)
{
	u64 value;

	memcpy(&value, property.value, sizeof(value));
	return value;
}

static void put_be32(u8 *at, u32 value)
{
	at[0] = (u8)(value >> 24);
	at[1] = (u8)(value >> 16);
	at[2] = (u8)(value >> 8);
	at[3] = (u8)value;
}

/* The first of a name counts. */
static void take_property(struct node *node, const char *name, struct property property)
{
	const struct {
		const char *name;
		struct property *property;
	} known[] = {
		{ "compatible", &node->compatible },	  { KHO_MEMORY_MAP_PROPERTY, &node->map },
		{ KHO_V2_SUBTREE_PROPERTY, &node->data }, { KHO_V1_SUBTREE_PROPERTY, &node->fdt },
		{ KHO_V3_SIZE_PROPERTY, &node->size },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(name, known[i].name) && !known[i].property->value)
			*known[i].property = property;
}

/*
 * An FDT that libfdt took for sound, by the format's description: tokens of 4
 * bytes; properties of a node stand before its children.
 */
static void read_tree(const u8 *fdt)
{
	const u8 *at = fdt + get_be32(fdt + 8), *names = fdt + get_be32(fdt + 12);
	struct property property;
	struct node *node = NULL;
	int depth = 0;
	u32 token;

	memset(&tree.root, 0, sizeof(tree.root));
	tree.nr_children = 0;
	/* libfdt passes a tree that begins with something else, and then finds nothing in it. */
	if (get_be32(at) != FDT_BEGIN_NODE)
		return;
	while ((token = get_be32(at)) != FDT_END) {
		at += 4;
		if (token == FDT_BEGIN_NODE) {
			depth++;
			node = depth == 1 ? &tree.root : NULL;
			if (depth == 2) {
				require(tree.nr_children < MAX_CHILDREN, "children");
				node = &tree.children[tree.nr_children++];
				memset(node, 0, sizeof(*node));
			}
			if (node) {
				node->name = (const char *)at;
				node->name_length = strlen(node->name);
			}
			at += (strlen((const char *)at) + 4) & ~(size_t)3;
		} else if (token == FDT_END_NODE) {
			depth--;
			node = NULL;
		} else if (token == FDT_PROP) {
			property = (struct property){ at + 8, get_be32(at) };
			if (node)
				take_property(node, (const char *)names + get_be32(at + 4),
					      property);
			at += 8 + ((property.length + 3) & ~3U);
		} else {
			require(token == FDT_NOP, "token %u", token);
		}
	}
}

static void check_compatible(const struct kho *kho)
{
	struct property property = tree.root.compatible;
	char expected[sizeof(kho->compatible)] = "";
	size_t i, length = 0;

	for (i = 0; property.value && i < property.length && i + 1 < sizeof(expected); i++)
		expected[i] = property.value[i] ? (char)property.value[i] : ';';
	for (length = i; length && expected[length - 1] == ';'; length--)
		;
	expected[length] = 0;
	require(!strcmp(kho->compatible, expected), "%s", expected);
	if (kho->revision != KHO_REVISION_UNKNOWN)
		require(!strncmp(expected, "kho-v", 5) &&
				expected[5] == '0' + (char)kho->revision &&
				(!expected[6] || expected[6] == ';'),
			"%s", expected);
}

static void check_map(const struct kho *kho)
{
	u64 page = 1ULL << kho->page_shift, map = 0;
	bool there = tree.root.map.value && tree.root.map.length == sizeof(map);

	if (there)
		map = get_u64(tree.root.map);
	require(kho->has_map == (there && !(map % page) && map < PHYS_END &&
				 (map || kho->revision == KHO_REVISION_V1)),
		"%#llx", (unsigned long long)map);
	require(kho->map == (kho->has_map ? map : 0), "%#llx", (unsigned long long)kho->map);
}

static bool is_u64(struct property property)
{
	return property.value && property.length == sizeof(u64);
}

static void check_subtree(const struct kho *kho, size_t i)
{
	const struct kho_subtree *subtree = &kho->subtrees[i];
	const struct node *node = &tree.children[i];
	bool unknown = kho->revision == KHO_REVISION_UNKNOWN;
	bool has_size = unknown ? node->size.value != NULL : kho->revision >= KHO_REVISION_V3;
	struct property address = kho->revision == KHO_REVISION_V1 ? node->fdt : node->data;
	u64 phys, size = 1ULL << kho->page_shift;
	bool valid;
	size_t j;

	if (unknown && (!address.value || !address.length))
		address = node->fdt;
	require(subtree->has_size == has_size, "%zu", i);
	require(!strncmp(subtree->name, node->name, sizeof(subtree->name) - 1), "%zu", i);
	valid = is_u64(address) && (!has_size || is_u64(node->size));
	if (valid) {
		phys = get_u64(address);
		size = has_size ? get_u64(node->size) : size;
		valid = phys && size && size <= MAX_BLOB && phys < PHYS_END &&
			size <= PHYS_END - phys;
	}
	for (j = 0; valid && j < i && node->name_length < sizeof(subtree->name); j++)
		valid = strncmp(tree.children[j].name, node->name, sizeof(subtree->name) - 1) != 0;
	require(subtree->valid == valid, "%zu", i);
	if (valid)
		require(subtree->phys == phys && subtree->size == size, "%zu", i);
	else
		require(!subtree->phys && !subtree->size, "%zu", i);
}

static void check_metadata(const struct memory *memory, const struct kho *kho)
{
	const struct kho_subtree *subtree = kho_find_subtree(kho, KHO_METADATA_SUBTREE);
	struct kexec_metadata_v1_ser ser;
	bool present;

	present = subtree && subtree->valid && subtree->size >= sizeof(ser) &&
		  image_bytes(memory, subtree->phys, &ser, sizeof(ser)) &&
		  ser.version == KEXEC_METADATA_VERSION &&
		  memchr(ser.previous_release, 0, sizeof(ser.previous_release));
	require(kho->metadata.present == present, "%d", present);
	if (present)
		require(kho->metadata.kexec_count == ser.kexec_count &&
				!strcmp(kho->metadata.previous_release, ser.previous_release),
			"metadata");
}

static void check_reserved(const struct kho *kho)
{
	const struct kho_subtree *subtree = kho_find_subtree(kho, KHO_MEMBLOCK_SUBTREE);
	size_t i;

	require(!kho->nr_reserved || (subtree && subtree->valid), "%zu", kho->nr_reserved);
	for (i = 0; i < kho->nr_reserved; i++)
		require(kho->reserved[i].size && kho->reserved[i].phys < PHYS_END &&
				kho->reserved[i].size <= PHYS_END - kho->reserved[i].phys &&
				memchr(kho->reserved[i].name, 0, sizeof(kho->reserved[i].name)),
			"%zu", i);
}

static void check_accepted(const struct memory *memory, const struct kho *kho)
{
	size_t i;

	require(image_bytes(memory, MEMORY_BASE, copy, 1ULL << kho->page_shift), "no page");
	read_tree(copy);
	check_compatible(kho);
	check_map(kho);
	require(kho->fdt_used <= 1U << kho->page_shift, "%u", kho->fdt_used);
	require(kho->nr_subtrees == tree.nr_children, "%zu, %zu", kho->nr_subtrees,
		tree.nr_children);
	for (i = 0; i < kho->nr_subtrees; i++)
		check_subtree(kho, i);
	check_metadata(memory, kho);
	check_reserved(kho);
}

static u64 sum_of(const struct kho *kho, const struct report *report)
{
	u64 sum = kho->revision * 31 + kho->map + kho->nr_subtrees * 7 + kho->nr_reserved * 3 +
		  kho->fdt_used + report_nr_kept(report) * 1009;
	size_t i;

	for (i = 0; i < kho->nr_subtrees; i++)
		sum = sum * 31 + kho->subtrees[i].phys + kho->subtrees[i].size;
	for (i = 0; i < report_nr_kept(report); i++)
		sum = sum * 31 + report_get(report, i)->finding.id +
		      report_get(report, i)->finding.phys;
	return sum;
}

/* Return: what the reader said; *@sum tells everything it found. */
static int open_once(struct source *source, struct memory *memory, u64 *sum)
{
	struct report *report = report_new();
	struct kho kho;
	int ret;

	require(report, "out of memory");
	memory_restart(memory, 0);
	ret = kho_open(&kho, source, MEMORY_BASE, report);
	require(ret == 0 || ret == -IOMMUSER_EUNMAPPED || ret == -IOMMUSER_ECORRUPT, "%d", ret);
	/* The page, the metadata, memblock's page; all by pages. */
	require(memory->calls <= 8, "%llu calls", (unsigned long long)memory->calls);
	require(!ret || report_nr_bad(report), "refused without a finding");
	require_report(report);
	if (!ret)
		check_accepted(memory, &kho);
	*sum = sum_of(&kho, report);
	kho_close(&kho);
	report_free(report);
	return ret;
}

static void check_candidates(struct source *source, int opened)
{
	struct kho_candidates candidates;
	bool found = false;
	char words[256];
	size_t i;

	require(!kho_find(&candidates, source, NULL, NULL), "kho_find");
	require(candidates.nr <= candidates.nr_found, "%zu", candidates.nr);
	for (i = 0; i < candidates.nr; i++) {
		found |= candidates.items[i].phys == MEMORY_BASE &&
			 candidates.items[i].soundness == KHO_SOUND;
		require(opened || candidates.items[i].phys != MEMORY_BASE ||
				candidates.items[i].soundness != KHO_FDT_DAMAGED,
			"sound and damaged");
		require(!i || candidates.items[i].phys != candidates.items[i - 1].phys, "twice");
		kho_candidate_reason(&candidates.items[i], words, sizeof(words));
		require_text(words, strlen(words), false);
	}
	/* What Linux writes in its first KiB; the search looks no further. */
	if (!opened && found)
		require(candidates.nr_found, "none");
	kho_free_candidates(&candidates);
}

/* Bytes of the FDT that end anywhere, as Linux's file in debugfs gives them. */
static void check_copies(struct source *source, struct memory *memory, u64 length)
{
	u64 page = 1ULL << memory->env.page_shift, phys;
	struct kho kho;
	void *bytes;
	int ret;

	length = length < page ? length : page;
	bytes = malloc(length ? length : 1);
	require(bytes && image_bytes(memory, MEMORY_BASE, bytes, length), "no page");
	ret = kho_open_copy(&kho, memory->env.page_shift, bytes, length);
	require(!ret || ret == -IOMMUSER_ECORRUPT, "%d", ret);
	if (!ret)
		require(kho.has_map && kho.map && !(kho.map & (page - 1)) && kho.map < PHYS_END &&
				kho.revision != KHO_REVISION_UNKNOWN,
			"%#llx", (unsigned long long)kho.map);
	kho_close(&kho);
	ret = kho_locate(source, bytes, length, &phys);
	require(!ret || ret == -IOMMUSER_ECORRUPT || ret == -IOMMUSER_ENOENT ||
			ret == -IOMMUSER_EUNKNOWN,
		"%d", ret);
	if (!ret)
		require(image_bytes(memory, phys, copy, length) && !memcmp(copy, bytes, length),
			"%#llx", (unsigned long long)phys);
	free(bytes);
}

static const char *const property_names[] = {
	"compatible",
	KHO_MEMORY_MAP_PROPERTY,
	KHO_V2_SUBTREE_PROPERTY,
	KHO_V1_SUBTREE_PROPERTY,
	KHO_V3_SIZE_PROPERTY,
	KHO_RESERVE_MEM_START_PROPERTY,
	KHO_RESERVE_MEM_SIZE_PROPERTY,
	"x",
};

static const char *const node_names[] = {
	KHO_LUO_SUBTREE,
	KHO_MEMBLOCK_SUBTREE,
	KHO_METADATA_SUBTREE,
	"a",
	"name-that-is-longer-than-63-characters-and-ends-with-another-letter-a",
	"name-that-is-longer-than-63-characters-and-ends-with-another-letter-b",
	"\033[2J",
	"b",
};

static const char *const strings[] = {
	KHO_V1_COMPATIBLE,
	KHO_V2_COMPATIBLE,
	KHO_V3_COMPATIBLE,
	KHO_V4_COMPATIBLE,
	"kho-v9",
	"kho-v4\0radix-v1",
	"kho-v4\0block-v7",
	KHO_MEMBLOCK_V1_COMPATIBLE,
	KHO_RESERVE_MEM_V1_COMPATIBLE,
	"",
	"kho-v1;\033[31m",
};

static void compose_properties(void *fdt, struct input *input)
{
	u64 nr = input_take(input, 1) % 8, kind, value;
	const char *name, *text;
	u8 raw[32];
	u32 i;

	for (; nr; nr--) {
		name = property_names[input_take(input, 1) % ARRAY_SIZE(property_names)];
		kind = input_take(input, 1);
		if (kind < 32) {
			text = strings[kind % ARRAY_SIZE(strings)];
			fdt_property(fdt, name, text,
				     (int)strlen(text) + 1 +
					     (kind == 5 || kind == 6 ? (int)strlen(text + 7) + 1 :
								       0));
		} else if (kind < 64) {
			value = MEMORY_BASE + input_take(input, 4);
			fdt_property(fdt, name, &value, sizeof(value));
		} else {
			for (i = 0; i < kind % 32; i++)
				raw[i] = (u8)input_take(input, 1);
			fdt_property(fdt, name, raw, (int)(kind % 32));
		}
	}
}

static void compose(u8 *fdt, u64 size, struct input *input)
{
	u64 nr;

	fdt_create(fdt, (int)size);
	fdt_finish_reservemap(fdt);
	fdt_begin_node(fdt, "");
	compose_properties(fdt, input);
	for (nr = input_take(input, 1) % 16; nr; nr--) {
		fdt_begin_node(fdt, node_names[input_take(input, 1) % ARRAY_SIZE(node_names)]);
		compose_properties(fdt, input);
		fdt_end_node(fdt);
	}
	fdt_end_node(fdt);
	fdt_finish(fdt);
}

static void take_raw(u8 *fdt, u64 size, struct input *input, bool right)
{
	u64 length = input_take(input, 2), i;

	if (length > size)
		length = size;
	for (i = 0; i < length && input->left; i++)
		fdt[i] = (u8)input_take(input, 1);
	if (!right)
		return;
	put_be32(fdt, FDT_MAGIC);
	put_be32(fdt + 4, (u32)size);
	put_be32(fdt + 20, 17);
	put_be32(fdt + 24, 16);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	u64 options = input_take(&input, 1), page, length, sum, again;
	struct memory *memory = memory_begin((u32)options & 3);
	struct source *source;
	int ret;

	page = 1ULL << memory->env.page_shift;
	memory_at(memory, MEMORY_BASE);
	if (options & 4) {
		compose(memory_at(memory, MEMORY_BASE), page, &input);
		compose(memory_at(memory, MEMORY_BASE + page), page, &input);
	} else {
		take_raw(memory_at(memory, MEMORY_BASE), page, &input, options & 8);
	}
	length = input.left ? page : page / 2;
	memory_write(memory, &input);
	source = image_begin(memory);
	ret = open_once(source, memory, &sum);
	require(open_once(source, memory, &again) == ret && sum == again, "another result");
	check_candidates(source, ret);
	check_copies(source, memory, length);
	check_copies(source, memory, options * 16);
	image_end(source);
	memory_end(memory);
	return 0;
}
