// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Flattened device trees: nodes and properties are moved as wholes, and the
 * sizes in the header follow.
 *
 * Input: options u8; unless bit 2 is set, length u16 and as many bytes of a
 * tree; whatever comes behind it stays.
 */
#include "mutate-private.h"

#include <string.h>

#define FDT_HEADER 40
#define FDT_MAGIC 0xd00dfeedU
#define BEGIN_NODE 1U
#define END_NODE 2U
#define PROPERTY 3U
#define NOP 4U
#define END 9U
#define MAX_TOKENS 256
#define MAX_TREE 8192
/* Of the properties that are made. */
#define MAX_VALUE 64
#define COMPOSED 4

/** struct tree - the two blocks of a tree, and where the tokens are */
struct tree {
	u8 structure[MAX_TREE];
	u32 structure_size;
	u8 strings[MAX_TREE];
	u32 strings_size;
	u32 at[MAX_TOKENS];
	u32 nr_tokens;
};

static struct tree the_tree;

static u32 get_be32(const u8 *at)
{
	return (u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3];
}

static void put_be32(u8 *at, u32 value)
{
	at[0] = (u8)(value >> 24);
	at[1] = (u8)(value >> 16);
	at[2] = (u8)(value >> 8);
	at[3] = (u8)value;
}

/* Where each token is, up to the first thing that is none. */
static void find_tokens(struct tree *tree)
{
	u32 at = 0, token, size;

	for (tree->nr_tokens = 0; tree->nr_tokens < MAX_TOKENS; at += size) {
		if (at > tree->structure_size || tree->structure_size - at < 4)
			break;
		token = get_be32(tree->structure + at);
		size = 4;
		if (token == BEGIN_NODE) {
			while (at + size < tree->structure_size && tree->structure[at + size])
				size++;
			size = (size + 4) & ~3U;
		} else if (token == PROPERTY) {
			if (tree->structure_size - at < 12)
				break;
			size = get_be32(tree->structure + at + 4);
			if (size > tree->structure_size - at)
				break;
			size = 12 + ((size + 3) & ~3U);
		} else if (token != END_NODE && token != NOP && token != END) {
			break;
		}
		tree->at[tree->nr_tokens++] = at;
	}
}

static bool take_block(u8 *to, u32 *size, const u8 *fdt, u32 length, u32 offset, u32 wanted)
{
	if (offset > length)
		return false;
	*size = wanted < length - offset ? wanted : length - offset;
	if (*size > MAX_TREE)
		return false;
	memcpy(to, fdt + offset, *size);
	return true;
}

static bool load_tree(struct tree *tree, const u8 *fdt, u32 length)
{
	if (length < FDT_HEADER || get_be32(fdt) != FDT_MAGIC ||
	    !take_block(tree->structure, &tree->structure_size, fdt, length, get_be32(fdt + 8),
			get_be32(fdt + 36)) ||
	    !take_block(tree->strings, &tree->strings_size, fdt, length, get_be32(fdt + 12),
			get_be32(fdt + 32)))
		return false;
	find_tokens(tree);
	return tree->nr_tokens > 0;
}

static void add_token(struct tree *tree, u32 token, const void *bytes, u32 size)
{
	u8 *to = tree->structure + tree->structure_size;
	u32 padded = (size + 3) & ~3U;

	if (4 + padded > MAX_TREE - tree->structure_size)
		return;
	put_be32(to, token);
	memset(to + 4, 0, padded);
	memcpy(to + 4, bytes, size);
	tree->structure_size += 4 + padded;
}

static void add_property(struct tree *tree, const char *name, const void *value, u32 size)
{
	u8 bytes[8 + MAX_VALUE];
	u32 length = (u32)strlen(name) + 1;

	if (size > MAX_VALUE || length > MAX_TREE - tree->strings_size)
		return;
	put_be32(bytes, size);
	put_be32(bytes + 4, tree->strings_size);
	memcpy(bytes + 8, value, size);
	memcpy(tree->strings + tree->strings_size, name, length);
	tree->strings_size += length;
	add_token(tree, PROPERTY, bytes, 8 + size);
}

static void generate_tree(struct mutation *m, struct tree *tree)
{
	static const char *const names[] = { "LUO", "memblock", "kexec-metadata", "other" };
	static const char *const revisions[] = { "kho-v1", "kho-v2", "kho-v3", "kho-v4" };
	const char *revision = revisions[below(m, ARRAY_SIZE(revisions))];
	u64 address = MEMORY_BASE + FRAME_SIZE * below(m, 4), size = 64;
	u32 nodes = below(m, 4), i;

	memset(tree, 0, offsetof(struct tree, at));
	add_token(tree, BEGIN_NODE, "", 1);
	add_property(tree, "compatible", revision, (u32)strlen(revision) + 1);
	add_property(tree, "preserved-memory-map", &address, 8);
	for (i = 0; i < nodes; i++) {
		const char *name = names[below(m, ARRAY_SIZE(names))];

		add_token(tree, BEGIN_NODE, name, (u32)strlen(name) + 1);
		add_property(tree, one_in(m, 3) ? "fdt" : "preserved-data", &address, 8);
		if (one_in(m, 2))
			add_property(tree, "blob-size", &size, 8);
		add_token(tree, END_NODE, "", 0);
	}
	add_token(tree, END_NODE, "", 0);
	add_token(tree, END, "", 0);
	find_tokens(tree);
}

/* Where token @i ends. */
static u32 end_of(const struct tree *tree, u32 i)
{
	return i + 1 < tree->nr_tokens ? tree->at[i + 1] : tree->structure_size;
}

static void insert(struct tree *tree, u32 at, const u8 *bytes, u32 size)
{
	if (size > MAX_TREE - tree->structure_size)
		return;
	memmove(tree->structure + at + size, tree->structure + at, tree->structure_size - at);
	memcpy(tree->structure + at, bytes, size);
	tree->structure_size += size;
}

/* Some tokens go elsewhere, or are there twice, or no more. */
static void move_tokens(struct mutation *m, struct tree *tree)
{
	static u8 run[MAX_TREE];
	u32 first = below(m, tree->nr_tokens), last = first + below(m, one_in(m, 2) ? 1 : 4);
	u32 from, size;

	if (last >= tree->nr_tokens)
		last = first;
	from = tree->at[first];
	if (end_of(tree, last) > tree->structure_size || end_of(tree, last) < from)
		return;
	size = end_of(tree, last) - from;
	memcpy(run, tree->structure + from, size);
	if (!one_in(m, 3)) {
		memmove(tree->structure + from, tree->structure + from + size,
			tree->structure_size - from - size);
		tree->structure_size -= size;
		find_tokens(tree);
	}
	if (!one_in(m, 3) && tree->nr_tokens)
		insert(tree, tree->at[below(m, tree->nr_tokens)], run, size);
}

/* Length or name of a property, or another token. */
static void change_token(struct mutation *m, struct tree *tree)
{
	static const u8 tokens[] = { BEGIN_NODE, END_NODE, PROPERTY, NOP, END, 0, 5 };
	u32 i = below(m, tree->nr_tokens), old;
	u8 *at = tree->structure + tree->at[i];

	if (get_be32(at) == PROPERTY && tree->structure_size - tree->at[i] >= 12 && !one_in(m, 4)) {
		at += one_in(m, 2) ? 4 : 8;
		old = get_be32(at);
		put_be32(at, one_in(m, 2) ? old + 1 - 2 * below(m, 2) :
			     one_in(m, 2) ? below(m, tree->strings_size + 2) :
					    (u32)any_number(m));
	} else {
		put_be32(at, tokens[below(m, sizeof(tokens))]);
	}
}

static void change_value(struct mutation *m, struct tree *tree)
{
	u32 i = below(m, tree->nr_tokens), end = end_of(tree, i), start = tree->at[i] + 4;

	if (get_be32(tree->structure + tree->at[i]) == PROPERTY)
		start += 8;
	if (start >= end || end > tree->structure_size)
		change_bytes(m, tree->strings, tree->strings_size);
	else
		change_bytes(m, tree->structure + start, end - start);
}

/* Return: the size of the tree; 0 when it does not fit. */
static u32 write_tree(struct mutation *m, const struct tree *tree, u8 *fdt, size_t room)
{
	u32 structure = FDT_HEADER + 16, strings = structure + tree->structure_size;
	u32 total = strings + tree->strings_size;
	const u32 header[] = { FDT_MAGIC,
			       total,
			       structure,
			       strings,
			       FDT_HEADER,
			       17,
			       16,
			       0,
			       tree->strings_size,
			       tree->structure_size };
	u32 i;

	if (total > room || total > 0xffff)
		return 0;
	memset(fdt, 0, structure);
	for (i = 0; i < ARRAY_SIZE(header); i++)
		put_be32(fdt + 4 * i, header[i]);
	memcpy(fdt + structure, tree->structure, tree->structure_size);
	memcpy(fdt + strings, tree->strings, tree->strings_size);
	if (one_in(m, 6)) {
		i = below(m, ARRAY_SIZE(header));
		put_be32(fdt + 4 * i,
			 one_in(m, 2) ? (u32)any_number(m) : header[i] + 4 - 8 * below(m, 2));
	}
	return total;
}

size_t change_fdt(struct mutation *m, u8 *data, size_t size, size_t max_size)
{
	static void (*const operators[])(struct mutation * m,
					 struct tree * tree) = { move_tokens, change_token,
								 change_value, change_value };
	struct tree *tree = &the_tree;
	u32 changes = 1 + below(m, 3), length, made;
	static u8 rest[MAX_TREE];
	size_t rest_size = 0;
	bool raw = size > 3 && !(data[0] & COMPOSED);

	if (!raw && size > 3 && !one_in(m, 50))
		return 0;
	length = raw ? (data[1] | (u32)data[2] << 8) : 0;
	if (length > size - 3 && raw)
		length = (u32)size - 3;
	if (raw && size - 3 - length <= sizeof(rest)) {
		rest_size = size - 3 - length;
		memcpy(rest, data + 3 + length, rest_size);
	}
	if (!raw || !load_tree(tree, data + 3, length))
		generate_tree(m, tree);
	while (changes-- && tree->nr_tokens) {
		operators[below(m, ARRAY_SIZE(operators))](m, tree);
		find_tokens(tree);
	}
	if (max_size < 3 + rest_size)
		return 0;
	made = write_tree(m, tree, data + 3, max_size - 3 - rest_size);
	if (!made)
		return 0;
	data[0] = raw ? data[0] : (u8)below(m, 4);
	data[1] = (u8)made;
	data[2] = (u8)(made >> 8);
	memcpy(data + 3 + made, rest, rest_size);
	return 3 + made + rest_size;
}
