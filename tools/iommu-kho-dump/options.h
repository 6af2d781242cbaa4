/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command line.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <iommuser/records.h>

#include "source.h"

/* Exit statuses of the tool. */
#define EXIT_OK 0
#define EXIT_FOUND 1
#define EXIT_USAGE 2
#define EXIT_NO_IMAGE 3
#define EXIT_INTERNAL 4

#define OPTIONS_MAX_WORDS 2

struct command;

/** enum output_format - what is written to stdout */
enum output_format {
	FORMAT_TEXT,
	FORMAT_JSON,	   /* one object, indented */
	FORMAT_JSON_LINES, /* one object on one line */
	FORMAT_PROMETHEUS, /* a textfile of node_exporter */
};

/** enum color_choice - --color */
enum color_choice {
	COLOR_AUTO, /* on a terminal, unless NO_COLOR is set */
	COLOR_ALWAYS,
	COLOR_NEVER,
};

/**
 * struct options - what the command line says
 * @command: show when none is given
 * @has_command: one was given
 * @help: --help
 * @words: what stands between the command and the image, NULL where nothing does
 * @image: path of the image; "live" is the running host; NULL for commands without one
 * @other: path of the second image, for commands that take two
 * @images: paths of all images that are to be run through one after the other
 * @nr_images: how many; 0 when there is just @image
 * @output: -o, NULL when not given
 * @kernel: --kernel, NULL when not given
 * @explain: code of --explain, NULL when not given
 * @source: how to read the image
 * @format: what to write to stdout
 * @color: --color
 * @svg: --svg
 * @force: --force
 * @schema: print the JSON Schema of the command's output, and nothing else
 * @list_roots: only list the KHO FDTs found
 * @origin: when the image was taken, as --origin says; NULL when not given
 * @kho: address of --kho
 * @luo: address of --luo
 * @flb: address of --flb
 * @abi: layout of --abi, NULL to find out
 * @vtd_root: address of --vtd-root
 * @vtd_mode: 0 to find out, else IOMMUSER_IOMMU_MODE_*
 * @limit: findings and records to print
 */
struct options {
	const struct command *command;
	const char *words[OPTIONS_MAX_WORDS];
	const char *image;
	const char *other;
	char *const *images;
	int nr_images;
	const char *output;
	const char *kernel;
	const char *explain;
	const char *origin;
	struct source_options source;
	enum output_format format;
	enum color_choice color;
	bool has_command;
	bool help;
	bool svg;
	bool force;
	bool schema;
	bool list_roots;
	bool has_kho;
	bool has_luo;
	bool has_flb;
	bool has_vtd_root;
	bool has_limit;
	u64 kho;
	u64 luo;
	u64 flb;
	u64 vtd_root;
	u32 vtd_mode;
	const struct iommuser_revision *abi;
	u64 limit;
};

/** enum options_result - what to do next */
enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE,  /* --help or --version was answered */
	OPTIONS_WRONG, /* a message was printed */
};

enum options_result options_parse(struct options *options, int argc, char **argv);

/** parse_number - a whole string as a number; base 0 is C notation */
bool parse_number(const char *text, int base, u64 *value);
/** parse_hex_number - an address: 0x..., or 0 alone. Without 0x it may be meant either way */
bool parse_hex_number(const char *text, u64 *value);
/** options_limit - --limit, or @standard when it is not given */
u64 options_limit(const struct options *options, u64 standard);
/** options_json - is JSON of one kind or the other wanted? */
bool options_json(const struct options *options);

#endif /* OPTIONS_H */
