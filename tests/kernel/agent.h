/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the parts of the agent share: named objects, the words of a command, its one-line reply.
 * README.md lists the commands.
 */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_LINE_MAX (256U << 10)
#define AGENT_REPLY_MAX (4U << 20)
#define AGENT_WORDS 32
#define AGENT_OBJECTS 512
#define AGENT_NAME_MAX 40

/**
 * struct object - something the host gave a name to
 * @name: the name, empty for a free slot
 * @fd: file descriptor, or -1
 * @map: where it is mapped, or NULL
 * @size: length of the mapping in bytes
 */
struct object {
	char name[AGENT_NAME_MAX];
	int fd;
	void *map;
	size_t size;
};

/**
 * struct call - one command and its reply
 * @words: the positional words after the command's name
 * @count: number of @words
 * @options: the KEY=VALUE words
 * @option_count: number of @options
 * @rest: what follows " -- " on the line, verbatim, or NULL
 * @reply: text of the reply after "ok" or "err NAME"
 * @length: bytes used in @reply
 */
struct call {
	char *words[AGENT_WORDS];
	unsigned int count;
	char *options[AGENT_WORDS];
	unsigned int option_count;
	char *rest;
	char *reply;
	size_t length;
};

/**
 * struct command - one command of the agent
 * @name: first word of the line
 * @arguments: how many positional words it needs at least
 * @run: the work; 0 or a negative errno value
 */
struct command {
	const char *name;
	unsigned int arguments;
	int (*run)(struct call *call);
};

extern const struct command memory_commands[];
extern const struct command iommufd_commands[];
extern const struct command pci_commands[];
extern const struct command luo_commands[];
extern const struct command kexec_commands[];
extern const struct command file_commands[];
extern const struct command process_commands[];
extern const struct command storm_commands[];
extern const struct command fuzz_commands[];

void reply(struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reply_hex(struct call *call, const void *bytes, size_t length);
int refuse(struct call *call, int error, const char *why);

bool parse_number(const char *text, uint64_t *value);
int number_at(struct call *call, unsigned int index, uint64_t *value);
int number_option(struct call *call, const char *key, uint64_t fallback, uint64_t *value);
const char *text_option(struct call *call, const char *key);
int parse_hex(struct call *call, const char *text, unsigned char **bytes, size_t *length);

int object_at(struct call *call, unsigned int index, struct object **object);
int mapped_object_at(struct call *call, unsigned int index, struct object **object);
int new_object(struct call *call, const char *name, int fd, struct object **object);
void free_object(struct object *object);
int map_object(struct object *object, size_t size, int64_t offset);

int write_file(const char *path, const void *bytes, size_t length);
void flush_report(void);

int forward_command(const char *name, const char *command, char *answer, size_t room,
		    size_t *length);
void become_copy(struct call *call, int commands, int answers) __attribute__((noreturn));

#endif /* AGENT_H */
