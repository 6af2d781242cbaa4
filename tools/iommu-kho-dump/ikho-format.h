/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Numbers of the portable image's format (docs/format.md, section 2), for its
 * reader and its writer.
 */
#ifndef IKHO_FORMAT_H
#define IKHO_FORMAT_H

#define IKHO_MAGIC "IKHO\r\n\x1a\n"
#define IKHO_MAGIC_SIZE 8
#define IKHO_MAJOR 1
/* The greatest minor that is known, and the one that an image has without states. */
#define IKHO_MINOR 1
#define IKHO_MINOR_PLAIN 0

#define IKHO_HEADER_SIZE 64
#define IKHO_HEADER_MAJOR 8
#define IKHO_HEADER_MINOR 12
#define IKHO_HEADER_PAGE_SIZE 16
#define IKHO_HEADER_RESERVED 20
#define IKHO_HEADER_CRC 60

#define IKHO_SECTION_MAGIC "SECT"
#define IKHO_SECTION_MAGIC_SIZE 4
#define IKHO_SECTION_SIZE 40
#define IKHO_SECTION_TYPE 4
#define IKHO_SECTION_ENCODING 8
#define IKHO_SECTION_SEQUENCE 12
#define IKHO_SECTION_PHYS 16
#define IKHO_SECTION_RAW 24
#define IKHO_SECTION_STORED 28
#define IKHO_SECTION_DATA_CRC 32
#define IKHO_SECTION_CRC 36

#define IKHO_INFO 1
#define IKHO_PAGES 2
#define IKHO_PRESERVED 3
#define IKHO_END 4
#define IKHO_STATES 5

#define IKHO_STORED 0
#define IKHO_ZLIB 1

#define IKHO_MAX_RAW 1048576
#define IKHO_PAIR_SIZE 16
#define IKHO_END_SIZE 16
#define IKHO_STATES_HEADER_SIZE 16
#define IKHO_STATES_KIND 0
#define IKHO_STATES_ZERO 4
#define IKHO_STATES_FIRST 8
#define IKHO_UNIT 4096

#endif /* IKHO_FORMAT_H */
