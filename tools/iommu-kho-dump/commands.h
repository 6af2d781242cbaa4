/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The commands, one file each.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <json-c/json_object.h>

#include "handover.h"
#include "options.h"
#include "output.h"

/* Options that only some commands take. */
#define TAKES_OUTPUT 0x1U
#define TAKES_KERNEL 0x2U
#define TAKES_SVG 0x4U
#define TAKES_FORCE 0x8U
#define TAKES_PROMETHEUS 0x10U
#define TAKES_LIMIT 0x20U
/* --kho, --luo, --flb, --abi, --vtd-root, --origin, --post-boot */
#define TAKES_START 0x40U
/* Several images, with --json-lines. */
#define TAKES_IMAGES 0x80U

/**
 * struct command - one command
 * @name: as typed
 * @operands: what it takes, for people: "[BDF] IMAGE"
 * @summary: what it does, in at most 50 characters
 * @help: what COMMAND --help says below that; paragraphs with an empty line between
 * @min_words: how many words stand between its name and the image, at least
 * @max_words: and at most, up to OPTIONS_MAX_WORDS
 * @nr_images: 0, 1 or 2
 * @takes: TAKES_*
 * @output: what it prints as JSON
 * @check: are the words right? If not, @message says why. NULL when there is nothing to check
 * @run: given the (first) image, open; NULL for commands without one. Returns an exit status
 */
struct command {
	const char *name;
	const char *operands;
	const char *summary;
	const char *help;
	int min_words;
	int max_words;
	int nr_images;
	u32 takes;
	const struct output_object *output;
	bool (*check)(const struct options *options, char *message, size_t size);
	int (*run)(const struct options *options, struct source *source);
};

extern const struct command command_diff;
extern const struct command command_capture;
extern const struct command command_extract;
extern const struct command command_graph;
extern const struct command command_maps;
extern const struct command command_preflight;
extern const struct command command_scratch;
extern const struct command command_show;
extern const struct command command_stat;
extern const struct command command_translate;
extern const struct command command_verify;

/** command_at - all commands, in the order of --help; NULL at the end */
const struct command *command_at(size_t i);
/** command_find - NULL when there is no such command */
const struct command *command_find(const char *name);

int list_roots(const struct options *options, struct source *source);
int explain_code(const struct options *options);

/** source_options_of - how to open images, all options taken together */
struct source_options source_options_of(const struct options *options);
/** open_source - source_open() with its failures told to people; NULL then */
struct source *open_source(const char *path, const struct options *options);
/** complain_broken - when an image could not be read, or proved damaged, say so, but not by force; returns whether it did */
bool complain_broken(const struct options *options, const struct source *source);
/**
 * finish_source - close an image when a command has done with it
 * @status: exit status that the command would give
 *
 * Return: that, or EXIT_NO_IMAGE when what it has read is not to be relied on, which people are
 * told now unless they were before; by force they are only told.
 */
int finish_source(const struct options *options, struct source *source, int status);
/** open_handover - handover_open() with its failures told to people; returns an exit status */
int open_handover(struct handover *handover, const struct options *options, struct source *source);

/** verify_handover - handover_verify() with its failures told to people; returns an exit status */
int verify_handover(struct handover *handover, const struct options *options,
		    struct iommuser_verify_counts *counts);

/* What the options --list-roots and --explain print as JSON. */
extern const struct output_object output_roots;
extern const struct output_object output_explanation;

/**
 * print_json - write an object to stdout as the options say, and drop it
 *
 * With --json-lines, members that tell the image and the command come first.
 *
 * Return: EXIT_OK or EXIT_INTERNAL
 */
int print_json(const struct options *options, struct json_object *object);
/** print_line_members - for who writes JSON piece by piece: those members, a comma after each; none without --json-lines */
void print_line_members(const struct options *options);
/** note_answer - something was written for this image, or was to be: print_failure() has nothing to add */
void note_answer(void);
/** print_failure - after a run: when it failed without an answer, say so in JSON, or as a metric */
void print_failure(const struct options *options, int status);
/** print_schema - the JSON Schema of what the command prints, or of all; returns an exit status */
int print_schema(const struct options *options);
/** output_is_input - would -o replace a file that is to be read? If so, people are told */
bool output_is_input(const struct options *options);
/** complain - tell people, on stderr, what is wrong with a file: a line for each line of @message */
void complain(const char *file, const char *message);
/** complain_no_memory - tell people; returns EXIT_INTERNAL */
int complain_no_memory(void);

#endif /* COMMANDS_H */
