// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Portable images: sections are taken out of their encoding, changed, and
 * packed and summed again, so that what is behind the checksums is reached.
 *
 * Input: options u8, then the file without its magic.
 */
#include "mutate-private.h"

#include <string.h>

#include <zlib.h>

#include "ikho-format.h"

#define MAX_SECTIONS 24
#define ROOM (256U << 10)
/* The header without its magic. */
#define HEADER_REST (IKHO_HEADER_SIZE - IKHO_MAGIC_SIZE)

/** struct section - with its bytes decoded when @plain; else they are as they were stored */
struct section {
	u8 header[IKHO_SECTION_SIZE];
	const u8 *bytes;
	u32 size;
	bool plain;
};

struct image {
	u8 options;
	u8 header[IKHO_HEADER_SIZE];
	struct section sections[MAX_SECTIONS];
	u32 nr_sections;
	u8 room[ROOM];
	u32 used;
};

static struct image the_image;

static u8 *take_room(struct image *image, u32 size)
{
	u8 *room = image->room + image->used;

	if (size > ROOM - image->used)
		return NULL;
	image->used += size;
	return room;
}

/* Return: false when there is no room. */
static bool decode(struct image *image, struct section *section, const u8 *data, u32 stored)
{
	u64 raw = number_at(section->header + IKHO_SECTION_RAW, 4);
	uLongf length = (uLongf)raw;
	u8 *to;

	section->plain = number_at(section->header + IKHO_SECTION_ENCODING, 4) == IKHO_STORED;
	if (!section->plain && raw && raw <= ROOM - image->used &&
	    uncompress(image->room + image->used, &length, data, stored) == Z_OK) {
		section->bytes = take_room(image, (u32)length);
		section->size = (u32)length;
		section->plain = true;
		return true;
	}
	to = take_room(image, stored);
	if (!to)
		return false;
	memcpy(to, data, stored);
	section->bytes = to;
	section->size = stored;
	return true;
}

static bool load_image(struct image *image, const u8 *data, size_t size)
{
	u64 stored;

	image->nr_sections = 0;
	image->used = 0;
	if (size < 1 + HEADER_REST)
		return false;
	image->options = data[0];
	memcpy(image->header, IKHO_MAGIC, IKHO_MAGIC_SIZE);
	memcpy(image->header + IKHO_MAGIC_SIZE, data + 1, HEADER_REST);
	data += 1 + HEADER_REST;
	size -= 1 + HEADER_REST;
	while (size >= IKHO_SECTION_SIZE && image->nr_sections < MAX_SECTIONS) {
		struct section *section = &image->sections[image->nr_sections];

		memcpy(section->header, data, IKHO_SECTION_SIZE);
		stored = number_at(data + IKHO_SECTION_STORED, 4);
		data += IKHO_SECTION_SIZE;
		size -= IKHO_SECTION_SIZE;
		if (stored > size)
			stored = size;
		if (!decode(image, section, data, (u32)stored))
			return false;
		image->nr_sections++;
		data += stored;
		size -= stored;
	}
	return image->nr_sections > 0;
}

static struct section *add_section(struct image *image, u32 type, const void *bytes, u32 size)
{
	struct section *section = &image->sections[image->nr_sections];
	u8 *room;

	if (image->nr_sections == MAX_SECTIONS)
		return NULL;
	room = take_room(image, size);
	if (!room)
		return NULL;
	memset(section, 0, sizeof(*section));
	memcpy(room, bytes, size);
	memcpy(section->header, IKHO_SECTION_MAGIC, IKHO_SECTION_MAGIC_SIZE);
	set_number(section->header + IKHO_SECTION_TYPE, type, 4);
	set_number(section->header + IKHO_SECTION_RAW, size, 4);
	section->bytes = room;
	section->size = size;
	section->plain = true;
	image->nr_sections++;
	return section;
}

static void generate_image(struct mutation *m, struct image *image)
{
	static const char info[] = "origin=incoming\nkho=0x11000\nluo=0x12000\nflb=0x13000\n"
				   "abi=iommuser-v1\nvtd-root=0x14000:legacy\nwriter=fuzz\n";
	static const u8 page[4096] = { 1 };
	u8 bytes[64] = { 0 };
	struct section *section;
	u32 pages = below(m, 3), i;

	image->options = (u8)below(m, 2);
	image->nr_sections = 0;
	image->used = 0;
	memset(image->header, 0, sizeof(image->header));
	memcpy(image->header, IKHO_MAGIC, IKHO_MAGIC_SIZE);
	set_number(image->header + IKHO_HEADER_MAJOR, IKHO_MAJOR, 4);
	set_number(image->header + IKHO_HEADER_MINOR, IKHO_MINOR, 4);
	set_number(image->header + IKHO_HEADER_PAGE_SIZE, IKHO_UNIT, 4);
	add_section(image, IKHO_INFO, info, sizeof(info) - 1);
	for (i = 0; i < pages; i++) {
		section = add_section(image, IKHO_PAGES, page, sizeof(page));
		set_number(section->header + IKHO_SECTION_PHYS, 0x11000 + 0x1000 * i, 8);
	}
	set_number(bytes, 0x11000, 8);
	set_number(bytes + 8, 0x3000, 8);
	if (one_in(m, 2))
		add_section(image, IKHO_PRESERVED, bytes, IKHO_PAIR_SIZE);
	set_number(bytes, 3, 8);
	set_number(bytes + 8, 0, 8);
	if (one_in(m, 2))
		add_section(image, IKHO_STATES, bytes, IKHO_STATES_HEADER_SIZE + 1 + below(m, 40));
	add_section(image, IKHO_END, bytes, IKHO_END_SIZE);
	for (i = 0; i < image->nr_sections; i++)
		set_number(image->sections[i].header + IKHO_SECTION_ENCODING, below(m, 2), 4);
}

/* Operators */

static void change_section_field(struct mutation *m, struct image *image)
{
	static const u8 fields[][2] = {
		{ IKHO_SECTION_TYPE, 4 },     { IKHO_SECTION_ENCODING, 4 },
		{ IKHO_SECTION_SEQUENCE, 4 }, { IKHO_SECTION_PHYS, 8 },
		{ IKHO_SECTION_PHYS, 8 },     { IKHO_SECTION_RAW, 4 },
		{ IKHO_SECTION_STORED, 4 },   { 0, 4 },
	};
	struct section *section = &image->sections[below(m, image->nr_sections)];
	struct section *other = &image->sections[below(m, image->nr_sections)];
	u32 i = below(m, ARRAY_SIZE(fields)), width = fields[i][1];
	u8 *at = section->header + fields[i][0];

	switch (below(m, 5)) {
	case 0:
		set_number(at, number_at(other->header + fields[i][0], width), width);
		break;
	case 1:
		set_number(at, number_at(at, width) + 1 - 2 * below(m, 2), width);
		break;
	case 2:
		set_number(at, number_at(at, width) + 4096 - 8192 * (u64)below(m, 2), width);
		break;
	case 3:
		set_number(at, below(m, 8), width);
		break;
	default:
		set_number(at, any_number(m), width);
	}
}

static void change_image_header(struct mutation *m, struct image *image)
{
	static const u8 fields[] = { IKHO_HEADER_MAJOR, IKHO_HEADER_MINOR, IKHO_HEADER_PAGE_SIZE,
				     IKHO_HEADER_RESERVED };
	u32 value = one_in(m, 2) ? below(m, 4) : 4096U << below(m, 6);

	if (one_in(m, 3))
		image->options ^= (u8)(1 << below(m, 3));
	else
		set_number(image->header + fields[below(m, ARRAY_SIZE(fields))], value, 4);
}

/* Sections change places, or one goes, or one comes twice. */
static void move_sections(struct mutation *m, struct image *image)
{
	u32 one = below(m, image->nr_sections), two = below(m, image->nr_sections);
	struct section section = image->sections[one];

	switch (below(m, 3)) {
	case 0:
		image->sections[one] = image->sections[two];
		image->sections[two] = section;
		break;
	case 1:
		if (image->nr_sections < 2)
			break;
		memmove(image->sections + one, image->sections + one + 1,
			(image->nr_sections - one - 1) * sizeof(section));
		image->nr_sections--;
		break;
	default:
		if (image->nr_sections == MAX_SECTIONS)
			break;
		memmove(image->sections + two + 1, image->sections + two,
			(image->nr_sections - two) * sizeof(section));
		image->sections[two] = section;
		image->nr_sections++;
	}
}

/* Numbers of 8 bytes: pairs of PRESERVED, the start of STATES, END. */
static void change_number_within(struct mutation *m, u8 *bytes, u32 size)
{
	u8 *at = bytes + below(m, size / 8) * 8;
	const u8 *other = bytes + below(m, size / 8) * 8;

	switch (below(m, 5)) {
	case 0:
		set_number(at, number_at(other, 8), 8);
		break;
	case 1:
		set_number(at, number_at(at, 8) + 1 - 2 * (u64)below(m, 2), 8);
		break;
	case 2:
		set_number(at, number_at(at, 8) + 4096 - 8192 * (u64)below(m, 2), 8);
		break;
	case 3:
		set_number(at, (1ULL << 52) - (u64)below(m, 3) * 4096, 8);
		break;
	default:
		set_number(at, any_number(m), 8);
	}
}

/* What is in a section: in a copy, since two sections may share their bytes. */
static void change_content(struct mutation *m, struct image *image)
{
	struct section *section = &image->sections[below(m, image->nr_sections)];
	u32 size = section->size, room = size + 64, at, length;
	u8 *copy = take_room(image, room);

	if (!copy)
		return;
	memcpy(copy, section->bytes, size);
	memset(copy + size, 0, room - size);
	if (size >= 8 && one_in(m, 3)) {
		change_number_within(m, copy, size);
	} else if (one_in(m, 3)) {
		size = below(m, 3) ? below(m, room + 1) : 0;
	} else {
		at = below(m, size);
		length = 1 + below(m, 64);
		change_bytes(m, copy + at, length < size - at ? length : size - at);
	}
	section->bytes = copy;
	section->size = size;
	if (section->plain)
		set_number(section->header + IKHO_SECTION_RAW, size, 4);
}

/* What follows from the sections: their numbers, and what END counts. */
static void correct(struct image *image)
{
	u64 pages = 0;
	u32 i;
	u8 *end;

	for (i = 0; i < image->nr_sections; i++) {
		struct section *section = &image->sections[i];
		u64 type = number_at(section->header + IKHO_SECTION_TYPE, 4);

		set_number(section->header + IKHO_SECTION_SEQUENCE, i, 4);
		if (type == IKHO_PAGES)
			pages += number_at(section->header + IKHO_SECTION_RAW, 4);
		if (type != IKHO_END || section->size != IKHO_END_SIZE)
			continue;
		end = take_room(image, IKHO_END_SIZE);
		if (!end)
			continue;
		set_number(end, i, 8);
		set_number(end + 8, pages, 8);
		section->bytes = end;
	}
}

struct writing {
	u8 *data;
	size_t size;
	size_t max_size;
};

/* Return: false when there is no room. */
static bool write_section(struct mutation *m, struct writing *writing, struct section *section,
			  bool seal)
{
	u8 *to = writing->data + writing->size, *body = to + IKHO_SECTION_SIZE;
	size_t room = writing->max_size - writing->size;
	uLongf stored = section->size;
	u64 claimed = number_at(section->header + IKHO_SECTION_STORED, 4);
	bool pack = section->plain &&
		    number_at(section->header + IKHO_SECTION_ENCODING, 4) == IKHO_ZLIB;

	if (room < IKHO_SECTION_SIZE)
		return false;
	room -= IKHO_SECTION_SIZE;
	if (pack) {
		stored = (uLongf)room;
		if (compress2(body, &stored, section->bytes, section->size, 1) != Z_OK)
			return false;
	} else {
		if (stored > room)
			return false;
		memcpy(body, section->bytes, stored);
	}
	memcpy(to, section->header, IKHO_SECTION_SIZE);
	if (seal || !one_in(m, 2))
		set_number(to + IKHO_SECTION_STORED, stored, 4);
	else
		set_number(to + IKHO_SECTION_STORED, claimed, 4);
	if (seal) {
		set_number(to + IKHO_SECTION_DATA_CRC, crc32(0, body, (uInt)stored), 4);
		set_number(to + IKHO_SECTION_CRC, crc32(0, to, IKHO_SECTION_CRC), 4);
	}
	writing->size += IKHO_SECTION_SIZE + stored;
	return true;
}

static size_t write_image(struct mutation *m, struct image *image, u8 *data, size_t max_size)
{
	struct writing writing = { data, 1 + HEADER_REST, max_size };
	bool seal = !one_in(m, 10);
	u32 i;

	if (max_size < 1 + HEADER_REST)
		return 0;
	if (seal)
		set_number(image->header + IKHO_HEADER_CRC,
			   crc32(0, image->header, IKHO_HEADER_CRC), 4);
	data[0] = image->options;
	memcpy(data + 1, image->header + IKHO_MAGIC_SIZE, HEADER_REST);
	for (i = 0; i < image->nr_sections; i++)
		if (!write_section(m, &writing, &image->sections[i], seal))
			return 0;
	return writing.size;
}

size_t change_ikho(struct mutation *m, u8 *data, size_t size, size_t max_size)
{
	static void (*const operators[])(struct mutation * m, struct image * image) = {
		change_section_field, change_content, change_content,
		move_sections,	      change_content, change_image_header,
	};
	struct image *image = &the_image;
	u32 changes = 1 + below(m, 3);
	bool corrected = !one_in(m, 3);

	if (!load_image(image, data, size) || one_in(m, 100)) {
		generate_image(m, image);
		if (one_in(m, 2))
			changes = 0;
		corrected = true;
	}
	/* Either numbers are made right before the changes, or after them. */
	if (corrected && one_in(m, 2))
		correct(image);
	while (changes--)
		operators[below(m, ARRAY_SIZE(operators))](m, image);
	if (corrected)
		correct(image);
	return write_image(m, image, data, max_size);
}
