// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Portable images (docs/format.md, section 2). Everything is checked when the
 * file is opened; after that, sections are decoded when they are needed.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <iommuser/graph.h>

#include "ikho-format.h"
#include "little-endian.h"
#include "source-private.h"

#define CHUNK_SIZE 65536
/* Sections that are kept decoded. */
#define NR_KEPT 16

/**
 * struct section - a section's header
 * @offset: of the header in the file
 */
struct section {
	u64 offset;
	u32 type;
	u32 encoding;
	u32 sequence;
	u64 phys;
	u32 raw_length;
	u32 stored_length;
	u32 data_crc;
};

/* One of several sections that go on from one another: where it is, and how many elements come before it. */
struct part {
	u64 offset;
	u64 first;
};

struct parts {
	struct part *list;
	size_t nr;
	size_t allocated;
};

/* A section that is kept decoded; no data: a free place. */
struct kept {
	u64 offset;
	u64 used;
	u8 *data;
	u32 length;
};

/**
 * struct ikho_state - an open portable image
 * @nr_sections: sections before the one that is read
 * @doubtful: by force: a section was lost that may have been of any type
 * @header_lost: by force: what the file's header says may be wrong
 */
struct ikho_state {
	u32 minor;
	bool doubtful;
	bool header_lost;
	u64 nr_sections;
	u64 pages_length;
	size_t allocated;
	struct parts pairs;
	u64 nr_pairs;
	struct parts states[IOMMUSER_KIND_DEVICE + 1];
	u32 states_kind; /* of the last section of states */
	struct kept kept[NR_KEPT];
	u64 clock;
	u8 *raw;
	u8 *chunk;
	bool finished;
};

#define damaged(source, offset, format, ...)                                   \
	refuse_damaged(source, "damaged portable image, offset %llu: " format, \
		       (unsigned long long)(offset), ##__VA_ARGS__)

/* Damage that can be passed over by force. */
#define refuse_damaged(source, ...) ((source)->damaged = true, source_refuse(source, __VA_ARGS__))

static bool all_zero(const u8 *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i])
			return false;
	return true;
}

static bool ikho_probe(const u8 *head, size_t length)
{
	return length >= IKHO_MAGIC_SIZE && !memcmp(head, IKHO_MAGIC, IKHO_MAGIC_SIZE);
}

static int read_file_header(struct source *source, struct ikho_state *state)
{
	u8 header[IKHO_HEADER_SIZE];
	u32 page_size;

	if (source_file_read(source, header, sizeof(header), 0, "file header"))
		return -1;
	state->header_lost = get32(header + IKHO_HEADER_CRC) != crc32(0, header, IKHO_HEADER_CRC);
	if (state->header_lost &&
	    source_lose(source, "damaged portable image, offset %u: wrong CRC of the file header",
			IKHO_HEADER_CRC))
		return -1;
	if (get32(header + IKHO_HEADER_MAJOR) != IKHO_MAJOR)
		return source_refuse(
			source, "a portable image of format %u, offset %u: only format %u is known",
			get32(header + IKHO_HEADER_MAJOR), IKHO_HEADER_MAJOR, IKHO_MAJOR);
	state->minor = get32(header + IKHO_HEADER_MINOR);
	page_size = get32(header + IKHO_HEADER_PAGE_SIZE);
	if (page_size != 4096 && page_size != 16384 && page_size != 65536)
		return source_refuse(source, "damaged portable image, offset %u: pages of %u bytes",
				     IKHO_HEADER_PAGE_SIZE, page_size);
	if (!all_zero(header + IKHO_HEADER_RESERVED, IKHO_HEADER_CRC - IKHO_HEADER_RESERVED) &&
	    source_lose(source, "damaged portable image, offset %u: reserved bytes are not zero",
			IKHO_HEADER_RESERVED))
		return -1;
	if (source->page_shift && 1U << source->page_shift != page_size)
		return source_refuse(
			source,
			"this portable image has pages of %u bytes, not of what --page-size says",
			page_size);
	source->page_shift = (u32)__builtin_ctz(page_size);
	return 0;
}

static int read_section_header(struct source *source, u64 offset, struct section *section)
{
	u8 header[IKHO_SECTION_SIZE];

	/* Is the file cut there? */
	if (source->file_size - offset < sizeof(header))
		source->damaged = true;
	if (source_file_read(source, header, sizeof(header), offset, "section header"))
		return -1;
	if (memcmp(header, IKHO_SECTION_MAGIC, IKHO_SECTION_MAGIC_SIZE))
		return damaged(source, offset, "no section begins here");
	if (get32(header + IKHO_SECTION_CRC) != crc32(0, header, IKHO_SECTION_CRC))
		return damaged(source, offset + IKHO_SECTION_CRC,
			       "wrong CRC of the section header");
	section->offset = offset;
	section->type = get32(header + IKHO_SECTION_TYPE);
	section->encoding = get32(header + IKHO_SECTION_ENCODING);
	section->sequence = get32(header + IKHO_SECTION_SEQUENCE);
	section->phys = get64(header + IKHO_SECTION_PHYS);
	section->raw_length = get32(header + IKHO_SECTION_RAW);
	section->stored_length = get32(header + IKHO_SECTION_STORED);
	section->data_crc = get32(header + IKHO_SECTION_DATA_CRC);
	return 0;
}

/* Sections of a type that this reader does not know only need to be whole. */
static bool known_type(const struct section *section)
{
	return section->type >= IKHO_INFO && section->type <= IKHO_STATES;
}

static int check_known(struct source *source, const struct section *section)
{
	u64 at = section->offset;

	if (section->encoding != IKHO_STORED && section->encoding != IKHO_ZLIB)
		return damaged(source, at + IKHO_SECTION_ENCODING, "unknown encoding %u",
			       section->encoding);
	if (section->phys && section->type != IKHO_PAGES)
		return damaged(source, at + IKHO_SECTION_PHYS,
			       "an address where there should be none");
	if (section->raw_length > IKHO_MAX_RAW ||
	    (!section->raw_length && section->type != IKHO_PRESERVED))
		return damaged(source, at + IKHO_SECTION_RAW, "a section of %u bytes",
			       section->raw_length);
	if (section->encoding == IKHO_STORED && section->stored_length != section->raw_length)
		return damaged(source, at + IKHO_SECTION_STORED,
			       "%u bytes stored as they are, in %u", section->raw_length,
			       section->stored_length);
	return 0;
}

static int check_type(struct source *source, const struct section *section)
{
	u64 at = section->offset;
	u32 unit = section->type == IKHO_PAGES	   ? IKHO_UNIT :
		   section->type == IKHO_PRESERVED ? IKHO_PAIR_SIZE :
						     1;

	if (section->raw_length % unit)
		return damaged(source, at + IKHO_SECTION_RAW, "%u bytes are not a multiple of %u",
			       section->raw_length, unit);
	if (section->type == IKHO_END && section->raw_length != IKHO_END_SIZE)
		return damaged(source, at + IKHO_SECTION_RAW, "an END section of %u bytes",
			       section->raw_length);
	if (section->type == IKHO_STATES && section->raw_length <= IKHO_STATES_HEADER_SIZE)
		return damaged(source, at + IKHO_SECTION_RAW, "a STATES section of %u bytes",
			       section->raw_length);
	if (section->type == IKHO_PAGES &&
	    (section->phys % IKHO_UNIT || section->phys > SOURCE_PHYS_END - section->raw_length))
		return damaged(source, at + IKHO_SECTION_PHYS,
			       "pages at the impossible address 0x%llx",
			       (unsigned long long)section->phys);
	return 0;
}

static int check_section(struct source *source, const struct ikho_state *state,
			 const struct section *section)
{
	u64 at = section->offset;

	if (section->sequence != state->nr_sections)
		return damaged(source, at + IKHO_SECTION_SEQUENCE,
			       "section %u where number %llu should be", section->sequence,
			       (unsigned long long)state->nr_sections);
	if (section->type == IKHO_INFO ? state->nr_sections : !state->nr_sections)
		return damaged(source, at + IKHO_SECTION_TYPE,
			       "the one INFO section must come first");
	if ((!known_type(section) && !(state->minor > IKHO_MINOR && section->type)) ||
	    (section->type == IKHO_STATES && state->minor == IKHO_MINOR_PLAIN))
		return damaged(source, at + IKHO_SECTION_TYPE, "unknown section type %u",
			       section->type);
	if (known_type(section) && (check_known(source, section) || check_type(source, section)))
		return -1;
	if (section->stored_length > source->file_size - at - IKHO_SECTION_SIZE)
		return refuse_damaged(
			source,
			"truncated: the section at offset %llu has %u bytes, the file ends at %llu",
			(unsigned long long)at, section->stored_length,
			(unsigned long long)source->file_size);
	return 0;
}

/**
 * struct decoder - one section on its way from the file
 * @out: where decoded bytes go, with one byte to spare; NULL when they are not wanted
 * @produced: bytes decoded
 * @status: of inflate()
 */
struct decoder {
	z_stream zlib;
	u8 *out;
	u32 produced;
	int status;
};

static void decode_chunk(struct decoder *decoder, const struct section *section, u8 *chunk,
			 u32 length)
{
	if (!decoder->out)
		return;
	if (section->encoding == IKHO_STORED) {
		memcpy(decoder->out + decoder->produced, chunk, length);
		decoder->produced += length;
		return;
	}
	/* Bytes behind the end of the stream, or more of them than announced, show in the result. */
	decoder->zlib.next_in = chunk;
	decoder->zlib.avail_in = length;
	if (decoder->status == Z_OK)
		decoder->status = inflate(&decoder->zlib, Z_NO_FLUSH);
	if (decoder->zlib.avail_in && (decoder->status == Z_OK || decoder->status == Z_STREAM_END))
		decoder->status = Z_DATA_ERROR;
	decoder->produced = (u32)decoder->zlib.total_out;
}

static int check_decoded(struct source *source, const struct section *section,
			 const struct decoder *decoder)
{
	u64 data = section->offset + IKHO_SECTION_SIZE;

	if (!decoder->out)
		return 0;
	if (section->encoding == IKHO_ZLIB && decoder->status != Z_STREAM_END)
		return damaged(source, data,
			       "the compressed bytes are not %u bytes in one zlib stream",
			       section->raw_length);
	if (decoder->produced != section->raw_length)
		return damaged(source, data, "decoded to %u bytes, not %u", decoder->produced,
			       section->raw_length);
	return 0;
}

static int decode_stored(struct source *source, const struct section *section,
			 struct decoder *decoder)
{
	struct ikho_state *state = source->state;
	u64 data = section->offset + IKHO_SECTION_SIZE;
	u32 left = section->stored_length;
	u32 crc = 0;

	while (left) {
		u32 part = left < CHUNK_SIZE ? left : CHUNK_SIZE;

		if (source_file_read(source, state->chunk, part,
				     data + (section->stored_length - left), "section"))
			return -1;
		crc = (u32)crc32(crc, state->chunk, part);
		decode_chunk(decoder, section, state->chunk, part);
		left -= part;
	}
	if (crc != section->data_crc)
		return damaged(source, data, "wrong CRC of the section's data");
	return check_decoded(source, section, decoder);
}

/* Check the data and, unless @out is NULL, decode it; @out has room for one byte more than raw_length. */
static int decode(struct source *source, const struct section *section, u8 *out)
{
	struct decoder decoder = { .out = out, .status = Z_OK };
	int ret;

	if (!out || section->encoding == IKHO_STORED)
		return decode_stored(source, section, &decoder);
	decoder.zlib.next_out = out;
	decoder.zlib.avail_out = section->raw_length + 1;
	if (inflateInit(&decoder.zlib) != Z_OK)
		return source_refuse(source, "out of memory");
	ret = decode_stored(source, section, &decoder);
	inflateEnd(&decoder.zlib);
	return ret;
}

/* Length of the well-formed UTF-8 sequence at @text that is no control character, or 0. */
static size_t printable(const u8 *text, size_t length)
{
	size_t more = text[0] < 0x80 ? 0 : text[0] < 0xe0 ? 1 : text[0] < 0xf0 ? 2 : 3;
	static const u32 smallest[] = { 0x20, 0xa0, 0x800, 0x10000 };
	u32 code = text[0];

	if ((text[0] >= 0x80 && text[0] < 0xc2) || text[0] > 0xf4 || more >= length)
		return 0;
	if (more)
		code &= 0x3fU >> more;
	for (size_t i = 1; i <= more; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (code < smallest[more] || code == 127 || (code >= 0xd800 && code < 0xe000) ||
	    code > 0x10ffff)
		return 0;
	return more + 1;
}

/* Cut to what fits, at the start of a character. */
static void copy_text(char *to, size_t size, const u8 *text, size_t length)
{
	if (length >= size) {
		length = size - 1;
		while (length && (text[length] & 0xc0) == 0x80)
			length--;
	}
	memcpy(to, text, length);
	to[length] = '\0';
}

static bool is_text(const u8 *text, size_t length, const char *wanted)
{
	return length == strlen(wanted) && !memcmp(text, wanted, length);
}

static bool parse_address(const u8 *text, size_t length, u64 *address)
{
	u64 value = 0;

	if (length < 3 || length > 18 || text[0] != '0' || text[1] != 'x')
		return false;
	for (size_t i = 2; i < length; i++) {
		u8 c = text[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (u64)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value << 4 | (u64)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*address = value;
	return value < SOURCE_PHYS_END;
}

static bool take_origin(struct source_hints *hints, const u8 *value, size_t length, bool newer)
{
	static const char *const known[] = { "at-jump", "outgoing", "incoming", "post-boot",
					     "unknown" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (is_text(value, length, known[i])) {
			copy_text(hints->origin, sizeof(hints->origin), value, length);
			return true;
		}
	}
	snprintf(hints->origin, sizeof(hints->origin), "unknown");
	return newer;
}

static bool take_vtd_root(struct source_hints *hints, const u8 *value, size_t length)
{
	const u8 *colon = memchr(value, ':', length);
	size_t address = colon ? (size_t)(colon - value) : 0;
	u32 i = hints->nr_vtd_roots;

	if (!colon || i == SOURCE_MAX_VTD_ROOTS ||
	    !parse_address(value, address, &hints->vtd_roots[i].phys))
		return false;
	hints->vtd_roots[i].scalable = is_text(colon + 1, length - address - 1, "scalable");
	if (!hints->vtd_roots[i].scalable && !is_text(colon + 1, length - address - 1, "legacy"))
		return false;
	hints->nr_vtd_roots++;
	return true;
}

static bool take_address(const u8 *value, size_t length, u64 *address, bool *has)
{
	if (*has)
		return false;
	*has = true;
	return parse_address(value, length, address);
}

static bool take_name(const u8 *value, size_t length, char *to, size_t size)
{
	if (to[0])
		return false;
	copy_text(to, size, value, length);
	return true;
}

static bool take_line(struct source_hints *hints, const u8 *line, size_t length, bool newer)
{
	const u8 *equals = memchr(line, '=', length);
	size_t key, rest;
	const u8 *value;

	if (!equals || equals == line)
		return false;
	for (size_t i = 0, step; i < length; i += step) {
		step = printable(line + i, length - i);
		if (!step)
			return false;
	}
	key = (size_t)(equals - line);
	value = equals + 1;
	rest = length - key - 1;
	if (is_text(line, key, "origin"))
		return !hints->origin[0] && take_origin(hints, value, rest, newer);
	if (is_text(line, key, "kho"))
		return take_address(value, rest, &hints->kho, &hints->has_kho);
	if (is_text(line, key, "luo"))
		return take_address(value, rest, &hints->luo, &hints->has_luo);
	if (is_text(line, key, "flb"))
		return take_address(value, rest, &hints->flb, &hints->has_flb);
	if (is_text(line, key, "abi"))
		return take_name(value, rest, hints->abi, sizeof(hints->abi));
	if (is_text(line, key, "writer"))
		return take_name(value, rest, hints->writer, sizeof(hints->writer));
	if (is_text(line, key, "vtd-root"))
		return take_vtd_root(hints, value, rest);
	return true;
}

static int take_info(struct source *source, const struct ikho_state *state,
		     const struct section *section)
{
	const u8 *line = state->raw, *end = line + section->raw_length;

	for (u32 number = 1; line < end; number++) {
		const u8 *newline = memchr(line, '\n', (size_t)(end - line));

		if (!newline || !take_line(&source->hints, line, (size_t)(newline - line),
					   state->minor > IKHO_MINOR))
			return damaged(source, section->offset + IKHO_SECTION_SIZE,
				       "line %u of INFO is wrong", number);
		line = newline + 1;
	}
	source->has_hints = true;
	return 0;
}

static int add_part(struct source *source, struct parts *parts, u64 offset, u64 first)
{
	struct part *list = parts->list;

	if (parts->nr == parts->allocated) {
		size_t more = parts->allocated ? parts->allocated * 2 : 16;

		list = reallocarray(list, more, sizeof(*list));
		if (!list)
			return source_refuse(source, "out of memory");
		parts->list = list;
		parts->allocated = more;
	}
	list[parts->nr].offset = offset;
	list[parts->nr++].first = first;
	return 0;
}

/* The part that has an element; there is one. */
static const struct part *find_part(const struct parts *parts, u64 element)
{
	size_t low = 0, high = parts->nr;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (parts->list[middle].first <= element)
			low = middle;
		else
			high = middle;
	}
	return &parts->list[low];
}

static int take_pairs(struct source *source, struct ikho_state *state,
		      const struct section *section)
{
	for (u32 i = 0; i < section->raw_length; i += IKHO_PAIR_SIZE) {
		u64 phys = get64(state->raw + i), length = get64(state->raw + i + 8);

		if (phys % IKHO_UNIT || length % IKHO_UNIT || !length || phys >= SOURCE_PHYS_END ||
		    length > SOURCE_PHYS_END - phys)
			return damaged(source, section->offset + IKHO_SECTION_SIZE,
				       "pair %u of PRESERVED: 0x%llx bytes at 0x%llx",
				       i / IKHO_PAIR_SIZE, (unsigned long long)length,
				       (unsigned long long)phys);
	}
	source->has_preserved = true;
	if (!section->raw_length)
		return 0;
	if (add_part(source, &state->pairs, section->offset, state->nr_pairs))
		return -1;
	state->nr_pairs += section->raw_length / IKHO_PAIR_SIZE;
	return 0;
}

/* Can a record of this kind be in that state? An image of a newer minor may know more states. */
static bool possible_state(const struct ikho_state *state, u32 kind, u32 value)
{
	if (value > IOMMUSER_FINISHED)
		return state->minor > IKHO_MINOR;
	return kind != IOMMUSER_KIND_IOMMU ||
	       (value != IOMMUSER_HANDED_OVER && value != IOMMUSER_LEFT);
}

static int check_states_header(struct source *source, const struct ikho_state *state, u64 data)
{
	u32 kind = get32(state->raw + IKHO_STATES_KIND);
	u64 first = get64(state->raw + IKHO_STATES_FIRST);

	if (!source->hints.has_flb || strcmp(source->hints.origin, "incoming"))
		return damaged(source, data,
			       "states of records, but no incoming handover that is named");
	if (kind < IOMMUSER_KIND_IOMMU || kind > IOMMUSER_KIND_DEVICE)
		return damaged(source, data + IKHO_STATES_KIND, "states of records of kind %u",
			       kind);
	if (kind < state->states_kind)
		return damaged(source, data + IKHO_STATES_KIND,
			       "states of records of kind %u after those of kind %u", kind,
			       state->states_kind);
	if (get32(state->raw + IKHO_STATES_ZERO))
		return damaged(source, data + IKHO_STATES_ZERO, "reserved bytes are not zero");
	if (first != source->nr_states[kind])
		return damaged(source, data + IKHO_STATES_FIRST,
			       "states from record %llu on, where %llu were told",
			       (unsigned long long)first,
			       (unsigned long long)source->nr_states[kind]);
	return 0;
}

static int take_states(struct source *source, struct ikho_state *state,
		       const struct section *section)
{
	u64 data = section->offset + IKHO_SECTION_SIZE;
	u32 kind;

	if (check_states_header(source, state, data))
		return -1;
	kind = get32(state->raw + IKHO_STATES_KIND);
	for (u32 i = IKHO_STATES_HEADER_SIZE; i < section->raw_length; i++)
		if (!possible_state(state, kind, state->raw[i]))
			return damaged(source, data, "state %u of record %llu of kind %u",
				       state->raw[i],
				       (unsigned long long)(source->nr_states[kind] + i -
							    IKHO_STATES_HEADER_SIZE),
				       kind);
	if (add_part(source, &state->states[kind], section->offset, source->nr_states[kind]))
		return -1;
	state->states_kind = kind;
	source->hints.has_states = true;
	source->nr_states[kind] += section->raw_length - IKHO_STATES_HEADER_SIZE;
	return 0;
}

static int take_end(struct source *source, struct ikho_state *state, const struct section *section)
{
	u64 data = section->offset + IKHO_SECTION_SIZE;
	u64 end = data + section->stored_length;

	if (get64(state->raw) != state->nr_sections)
		return damaged(source, data, "END counts %llu sections, there are %llu",
			       (unsigned long long)get64(state->raw),
			       (unsigned long long)state->nr_sections);
	if (get64(state->raw + 8) != state->pages_length && !source->nr_losses)
		return damaged(source, data, "END counts %llu bytes of memory, there are %llu",
			       (unsigned long long)get64(state->raw + 8),
			       (unsigned long long)state->pages_length);
	if (end != source->file_size)
		return damaged(source, end, "%llu bytes follow the END section",
			       (unsigned long long)(source->file_size - end));
	state->finished = true;
	return 0;
}

static int take_section(struct source *source, struct ikho_state *state,
			const struct section *section)
{
	bool later = source->lazy && section->type == IKHO_PAGES;

	if (!later && decode(source, section, known_type(section) ? state->raw : NULL))
		return -1;
	switch (section->type) {
	case IKHO_INFO:
		return take_info(source, state, section);
	case IKHO_PAGES:
		state->pages_length += section->raw_length;
		return source_add_range(source, &state->allocated, section->phys,
					section->phys + section->raw_length, section->offset);
	case IKHO_PRESERVED:
		return take_pairs(source, state, section);
	case IKHO_END:
		return take_end(source, state, section);
	case IKHO_STATES:
		return take_states(source, state, section);
	default:
		return 0;
	}
}

static int by_start(const void *a, const void *b)
{
	const struct source_range *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->offset < y->offset ? -1 : 1;
}

static int check_overlap(struct source *source)
{
	struct source_range *ranges = source->ranges;

	if (!ranges || source->force)
		return source_sort_ranges(source);
	qsort(ranges, source->nr_ranges, sizeof(*ranges), by_start);
	for (size_t i = 1; i < source->nr_ranges; i++) {
		u64 before = ranges[i - 1].offset, after = ranges[i].offset;

		if (ranges[i].start < ranges[i - 1].end)
			return damaged(source,
				       (before > after ? before : after) + IKHO_SECTION_PHYS,
				       "memory at 0x%llx is there twice",
				       (unsigned long long)ranges[i].start);
	}
	return 0;
}

/* By force: the next section whose header is whole, from @offset on. Return: false when there is none. */
static bool find_section(struct source *source, struct ikho_state *state, u64 *offset)
{
	const u8 *at, *found;
	struct section section;
	ssize_t got;
	size_t left;

	while ((got = source_pread(source->fd, state->chunk, CHUNK_SIZE, *offset)) >=
	       IKHO_SECTION_SIZE) {
		left = (size_t)got;
		for (at = state->chunk;
		     (found = memmem(at, left, IKHO_SECTION_MAGIC, IKHO_SECTION_MAGIC_SIZE));
		     at = found + 1) {
			u64 there = *offset + (u64)(found - state->chunk);

			if (!read_section_header(source, there, &section)) {
				*offset = there;
				return true;
			}
			left = (size_t)got - (size_t)(found + 1 - state->chunk);
		}
		/* A magic may lie across the border of two chunks. */
		*offset += (u64)got - (IKHO_SECTION_MAGIC_SIZE - 1);
	}
	return false;
}

/* What is behind a section that is damaged: the next one if its header is whole, else one that has to be found. */
static bool skip_section(struct source *source, struct ikho_state *state, u64 *offset)
{
	struct section section;

	if (!read_section_header(source, *offset, &section) &&
	    section.stored_length <= source->file_size - *offset - IKHO_SECTION_SIZE) {
		/* Sections before it are gone, and it is whole itself? */
		if (section.sequence > state->nr_sections) {
			state->doubtful = true;
			state->nr_sections = section.sequence;
			return true;
		}
		state->doubtful |= section.type != IKHO_PAGES;
		state->nr_sections = (u64)section.sequence + 1;
		*offset += IKHO_SECTION_SIZE + section.stored_length;
		return *offset < source->file_size;
	}
	state->doubtful = true;
	++*offset;
	if (!find_section(source, state, offset) || read_section_header(source, *offset, &section))
		return false;
	state->nr_sections = section.sequence;
	return true;
}

/* Was there anything that told where records stand? Only an incoming handover has that. */
static bool may_have_states(const struct source *source, const struct ikho_state *state)
{
	const char *origin = source->hints.origin;

	return (state->minor != IKHO_MINOR_PLAIN || state->header_lost) &&
	       (!origin[0] || !strcmp(origin, "incoming"));
}

/* Which pages are preserved, and where records stand, is known in whole or not at all. */
static void drop_incomplete(struct source *source, struct ikho_state *state)
{
	if (!state->doubtful)
		return;
	source->states_lost = may_have_states(source, state);
	source->has_preserved = false;
	source->hints.has_states = false;
	memset(source->nr_states, 0, sizeof(source->nr_states));
}

static int read_section(struct source *source, struct ikho_state *state, u64 *offset)
{
	struct section section;

	if (*offset == source->file_size)
		return refuse_damaged(
			source,
			"truncated: the portable image ends at offset %llu, without an END section",
			(unsigned long long)*offset);
	if (read_section_header(source, *offset, &section) ||
	    check_section(source, state, &section) || take_section(source, state, &section))
		return -1;
	state->nr_sections++;
	*offset += IKHO_SECTION_SIZE + section.stored_length;
	return 0;
}

static int read_sections(struct source *source, struct ikho_state *state)
{
	u64 offset = IKHO_HEADER_SIZE;
	char why[sizeof(source->error)];

	while (!state->finished) {
		if (!read_section(source, state, &offset))
			continue;
		if (!source->force)
			return -1;
		snprintf(why, sizeof(why), "%s", source->error);
		source_lose(source, "%s", why);
		if (!skip_section(source, state, &offset))
			break;
	}
	state->doubtful |= !state->finished;
	drop_incomplete(source, state);
	if (!source->nr_ranges && source->nr_losses)
		return source_refuse(source, "a portable image of which no memory is left");
	return check_overlap(source);
}

static int ikho_open(struct source *source, const struct source_options *options)
{
	struct ikho_state *state = calloc(1, sizeof(*state));

	(void)options;
	if (!state)
		return source_refuse(source, "out of memory");
	source->state = state;
	snprintf(source->format, sizeof(source->format), "portable image");
	state->raw = calloc(1, IKHO_MAX_RAW + 1);
	state->chunk = malloc(CHUNK_SIZE);
	if (!state->raw || !state->chunk)
		return source_refuse(source, "out of memory");
	if (source->file_size == UINT64_MAX)
		return source_refuse(source,
				     "a portable image cannot be read from this file system");
	if (read_file_header(source, state))
		return -1;
	return read_sections(source, state);
}

static void ikho_close(struct source *source)
{
	struct ikho_state *state = source->state;

	if (!state)
		return;
	for (size_t i = 0; i < NR_KEPT; i++)
		free(state->kept[i].data);
	free(state->pairs.list);
	for (size_t kind = 0; kind <= IOMMUSER_KIND_DEVICE; kind++)
		free(state->states[kind].list);
	free(state->raw);
	free(state->chunk);
	free(state);
	source->state = NULL;
}

static struct kept *find_kept(struct ikho_state *state, u64 offset)
{
	struct kept *oldest = &state->kept[0];

	for (size_t i = 0; i < NR_KEPT; i++) {
		struct kept *kept = &state->kept[i];

		if (kept->data && kept->offset == offset)
			return kept;
		if (!kept->data || (oldest->data && kept->used < oldest->used))
			oldest = kept;
	}
	free(oldest->data);
	oldest->data = NULL;
	return oldest;
}

/* The decoded bytes of a section, or NULL when the file is no longer what was checked. */
static const struct kept *get_section(struct source *source, u64 offset)
{
	struct ikho_state *state = source->state;
	struct kept *kept = find_kept(state, offset);
	struct section section;
	u8 *data;

	kept->used = ++state->clock;
	if (kept->data)
		return kept;
	if (read_section_header(source, offset, &section) || check_known(source, &section))
		return NULL;
	data = malloc((size_t)section.raw_length + 1);
	if (!data) {
		source_note(source, "out of memory");
		return NULL;
	}
	if (decode(source, &section, data)) {
		free(data);
		return NULL;
	}
	kept->offset = offset;
	kept->data = data;
	kept->length = section.raw_length;
	return kept;
}

static enum source_status ikho_read(struct source *source, u64 phys, void *buffer, size_t length)
{
	u8 *to = buffer;

	while (length) {
		size_t i = source_find_range(source, phys);
		const struct source_range *range;
		const struct kept *kept;
		size_t part = length;

		if (i == source->nr_ranges || source->ranges[i].start > phys)
			return SOURCE_MISSING;
		range = &source->ranges[i];
		if (part > range->end - phys)
			part = (size_t)(range->end - phys);
		kept = get_section(source, range->offset);
		if (!kept)
			return SOURCE_FAILED;
		if (kept->length != range->end - range->start)
			return source_fail(source, "the portable image changed while it was read");
		memcpy(to, kept->data + (phys - range->start), part);
		to += part;
		phys += part;
		length -= part;
	}
	return SOURCE_OK;
}

static bool ikho_next_preserved(struct source *source, u64 *cursor, u64 *phys, u64 *length)
{
	struct ikho_state *state = source->state;
	const struct part *part;
	const struct kept *kept;
	u64 at;

	source->status = SOURCE_OK;
	if (*cursor >= state->nr_pairs)
		return false;
	part = find_part(&state->pairs, *cursor);
	at = (*cursor - part->first) * IKHO_PAIR_SIZE;
	kept = get_section(source, part->offset);
	if (!kept || at + IKHO_PAIR_SIZE > kept->length) {
		if (kept)
			source_note(source, "the portable image changed while it was read");
		source->status = SOURCE_FAILED;
		return false;
	}
	*phys = get64(kept->data + at);
	*length = get64(kept->data + at + 8);
	++*cursor;
	return true;
}

static enum source_status ikho_record_state(struct source *source, u32 kind, u64 position,
					    u32 *value)
{
	struct ikho_state *state = source->state;
	const struct part *part = find_part(&state->states[kind], position);
	const struct kept *kept = get_section(source, part->offset);
	u64 at = position - part->first + IKHO_STATES_HEADER_SIZE;

	if (!kept)
		return SOURCE_FAILED;
	if (at >= kept->length)
		return source_fail(source, "the portable image changed while it was read");
	*value = kept->data[at];
	return SOURCE_OK;
}

const struct source_ops source_ikho_ops = {
	.probe = ikho_probe,
	.open = ikho_open,
	.read = ikho_read,
	.next_preserved = ikho_next_preserved,
	.state = ikho_record_state,
	.close = ikho_close,
};
