/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The commands, one file each.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <json-c/json_object.h>

#include "handover.h"
#include "options.h"

/**
 * struct command - one command
 * @name: as typed
 * @words: what it takes between its name and the image, for people
 * @nr_words: how many words that is, at most OPTIONS_MAX_WORDS
 * @run: given an image that is open; returns an exit status
 */
struct command {
	const char *name;
	const char *words;
	int nr_words;
	int (*run)(const struct options *options, struct source *source);
};

/** command_find - NULL when there is no such command */
const struct command *command_find(const char *name);

int command_show(const struct options *options, struct source *source);
int command_verify(const struct options *options, struct source *source);
int command_extract(const struct options *options, struct source *source);
int command_translate(const struct options *options, struct source *source);
int command_stat(const struct options *options, struct source *source);
int command_list_roots(const struct options *options, struct source *source);
int command_explain(const struct options *options);

/** print_json - write an object and a newline to stdout, and drop it; returns EXIT_OK or EXIT_INTERNAL */
int print_json(struct json_object *object);

/** complain - tell people, on stderr, what is wrong with a file */
void complain(const char *file, const char *message);

/** open_handover - handover_open() with its failures told to people; returns an exit status */
int open_handover(struct handover *handover, const struct options *options, struct source *source);

#endif /* COMMANDS_H */
