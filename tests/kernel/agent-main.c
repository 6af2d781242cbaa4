// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Init of both kernels of a kernel scenario. It takes commands, one a line, from the second serial
 * port and answers each with one line: "ok VALUE..." or "err ERRNONAME text". A line "hello" says
 * that it is ready, so the host sees when the next kernel's agent has taken over.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#define COMMAND_PORT "/dev/ttyS1"

static struct object objects[AGENT_OBJECTS];
static int port = -1;

static const struct command *const tables[] = {
	memory_commands, iommufd_commands, pci_commands,   luo_commands,  kexec_commands,
	file_commands,	 process_commands, storm_commands, fuzz_commands,
};

void reply(struct call *call, const char *format, ...)
{
	size_t room = AGENT_REPLY_MAX - call->length;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(call->reply + call->length, room, format, args);
	va_end(args);
	if (length > 0)
		call->length += (size_t)length < room ? (size_t)length : room - 1;
}

void reply_hex(struct call *call, const void *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *byte = bytes;
	size_t i;

	reply(call, " %zu ", length);
	for (i = 0; i < length && call->length + 3 < AGENT_REPLY_MAX; i++) {
		call->reply[call->length++] = digits[byte[i] >> 4];
		call->reply[call->length++] = digits[byte[i] & 15];
	}
	call->reply[call->length] = 0;
}

int refuse(struct call *call, int error, const char *why)
{
	reply(call, " %s", why);
	return -error;
}

bool parse_number(const char *text, uint64_t *value)
{
	static const char units[] = "KMG";
	const char *unit;
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	if (errno || end == text || *text == '-')
		return false;
	if (!*end)
		return true;
	unit = strchr(units, *end);
	if (!unit || end[1])
		return false;
	*value <<= 10 * (unit - units + 1);
	return true;
}

int number_at(struct call *call, unsigned int index, uint64_t *value)
{
	if (index >= call->count || !parse_number(call->words[index], value))
		return refuse(call, EBADMSG, "a number is missing or malformed");
	return 0;
}

const char *text_option(struct call *call, const char *key)
{
	size_t length = strlen(key);
	unsigned int i;

	for (i = 0; i < call->option_count; i++)
		if (!strncmp(call->options[i], key, length) && call->options[i][length] == '=')
			return call->options[i] + length + 1;
	return NULL;
}

int number_option(struct call *call, const char *key, uint64_t fallback, uint64_t *value)
{
	const char *text = text_option(call, key);

	*value = fallback;
	if (text && !parse_number(text, value))
		return refuse(call, EBADMSG, key);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* The bytes are the caller's to free. */
int parse_hex(struct call *call, const char *text, unsigned char **bytes, size_t *length)
{
	size_t i, count = strlen(text) / 2;
	unsigned char *out = malloc(count + 1);

	if (!out)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0) {
			free(out);
			return refuse(call, EBADMSG, "malformed hex digits");
		}
		out[i] = (unsigned char)(high << 4 | low);
	}
	*bytes = out;
	*length = count;
	return 0;
}

static struct object *find_object(const char *name)
{
	unsigned int i;

	for (i = 0; i < AGENT_OBJECTS; i++)
		if (objects[i].name[0] && !strcmp(objects[i].name, name))
			return &objects[i];
	return NULL;
}

int object_at(struct call *call, unsigned int index, struct object **object)
{
	*object = index < call->count ? find_object(call->words[index]) : NULL;
	return *object ? 0 : refuse(call, EBADMSG, "no object of that name");
}

int mapped_object_at(struct call *call, unsigned int index, struct object **object)
{
	int err = object_at(call, index, object);

	if (err)
		return err;
	return (*object)->map ? 0 : refuse(call, EBADMSG, "the object isn't mapped");
}

/* Takes @fd over, also when it fails. */
int new_object(struct call *call, const char *name, int fd, struct object **object)
{
	struct object *slot = NULL;
	unsigned int i;

	for (i = 0; i < AGENT_OBJECTS && !slot; i++)
		if (!objects[i].name[0])
			slot = &objects[i];
	if (!slot || find_object(name) || strlen(name) >= AGENT_NAME_MAX) {
		if (fd >= 0)
			close(fd);
		return refuse(call, EBADMSG, "name taken or too long, or too many objects");
	}
	memset(slot, 0, sizeof(*slot));
	memcpy(slot->name, name, strlen(name));
	slot->fd = fd;
	if (object)
		*object = slot;
	return 0;
}

void free_object(struct object *object)
{
	if (object->map)
		munmap(object->map, object->size);
	if (object->fd >= 0)
		close(object->fd);
	memset(object, 0, sizeof(*object));
	object->fd = -1;
}

int map_object(struct object *object, size_t size, int64_t offset)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, object->fd, offset);

	if (map == MAP_FAILED && errno == EPERM)
		map = mmap(NULL, size, PROT_READ, MAP_SHARED, object->fd, offset);
	if (map == MAP_FAILED)
		return -errno;
	object->map = map;
	object->size = size;
	return 0;
}

static void write_port(const char *bytes, size_t count)
{
	while (count) {
		ssize_t put = write(port, bytes, count);

		if (put <= 0)
			return;
		bytes += put;
		count -= (size_t)put;
	}
}

void flush_report(void)
{
	tcdrain(port);
}

/* "--" ends the words; what follows it is kept as it is. */
static char *split_words(struct call *call, char *line)
{
	char *name, *word, *save = NULL;
	char *rest = strstr(line, " -- ");

	if (rest) {
		*rest = 0;
		call->rest = rest + 4;
	}
	name = strtok_r(line, " ", &save);
	while (name && (word = strtok_r(NULL, " ", &save))) {
		bool option = strchr(word, '=') && word[0] != '/';

		if (option && call->option_count < AGENT_WORDS)
			call->options[call->option_count++] = word;
		else if (!option && call->count < AGENT_WORDS)
			call->words[call->count++] = word;
	}
	return name;
}

static const struct command *find_command(const char *name)
{
	const struct command *command;
	unsigned int i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (command = tables[i]; command->name; command++)
			if (!strcmp(command->name, name))
				return command;
	return NULL;
}

/*
 * failnth=N on any command: its Nth allocation fails (a kernel with fault injection). The reply
 * ends in "failnth=LEFT", 0 when it came to that.
 */
static int run_command(const struct command *command, struct call *call)
{
	const char *wish = text_option(call, "failnth");
	char left[32] = "";
	int fd, err;

	if (!wish)
		return command->run(call);
	fd = open("/proc/self/fail-nth", O_RDWR);
	if (fd < 0)
		return refuse(call, EBADMSG, "the kernel has no fault injection");
	if (write(fd, wish, strlen(wish)) < 0) {
		close(fd);
		return refuse(call, EBADMSG, "malformed failnth");
	}
	err = command->run(call);
	if (pread(fd, left, sizeof(left) - 1, 0) < 0 || pwrite(fd, "0", 1, 0) < 0)
		err = refuse(call, EBADMSG, "fail-nth can't be read back");
	close(fd);
	left[strcspn(left, "\n")] = 0;
	reply(call, " failnth=%s", left);
	return err;
}

static void write_error(int err)
{
	const char *error = strerrorname_np(err);

	write_port("err ", 4);
	write_port(error ? error : "EUNKNOWN", error ? strlen(error) : 8);
}

/* in NAME COMMAND...: have a copy of ours (fork NAME) carry out a command */
static void execute_elsewhere(char *words, char *text)
{
	char *command = strchr(words, ' ');
	size_t length;
	int err = -EBADMSG;

	if (command) {
		*command++ = 0;
		err = forward_command(words, command, text, AGENT_REPLY_MAX, &length);
	}
	if (err)
		write_error(-err);
	else
		write_port(text, length);
	write_port("\n", 1);
}

static void execute(char *line, char *text)
{
	struct call call = { .reply = text };
	const struct command *command;
	char *name;
	int err;

	text[0] = 0;
	if (!strncmp(line, "in ", 3)) {
		execute_elsewhere(line + 3, text);
		return;
	}
	name = split_words(&call, line);
	command = name ? find_command(name) : NULL;
	if (!command)
		err = refuse(&call, ENOSYS, "the agent has no such command");
	else if (call.count < command->arguments)
		err = refuse(&call, EBADMSG, "too few arguments");
	else
		err = run_command(command, &call);
	if (err)
		write_error(-err);
	else
		write_port("ok", 2);
	write_port(call.reply, call.length);
	write_port("\n", 1);
}

static void __attribute__((noreturn)) serve(int commands)
{
	static char line[AGENT_LINE_MAX], text[AGENT_REPLY_MAX];
	size_t used = 0;

	for (;;) {
		ssize_t got = read(commands, line + used, 1);

		if (!got && getpid() != 1)
			_exit(0);
		if (got <= 0)
			continue;
		if (line[used] != '\n') {
			used += used < AGENT_LINE_MAX - 1;
			continue;
		}
		line[used] = 0;
		used = 0;
		execute(line, text);
	}
}

static bool is_kept(const struct call *call, const struct object *object)
{
	unsigned int i;

	for (i = 1; i < call->count; i++)
		if (!strcmp(call->words[i], object->name))
			return true;
	return false;
}

/* A child that was just forked goes on with nothing open but what "fork" names. */
void become_copy(struct call *call, int commands, int answers)
{
	unsigned int i;

	for (i = 0; i < AGENT_OBJECTS; i++)
		if (objects[i].name[0] && !is_kept(call, &objects[i]))
			free_object(&objects[i]);
	close(port);
	port = answers;
	serve(commands);
}

static void mount_all(void)
{
	static const struct {
		const char *type;
		const char *path;
	} mounts[] = {
		{ "proc", "/proc" },	{ "sysfs", "/sys" },
		{ "devtmpfs", "/dev" }, { "debugfs", "/sys/kernel/debug" },
		{ "tmpfs", "/tmp" },
	};
	size_t i;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		if (mkdir(mounts[i].path, 0755) < 0 && errno != EEXIST)
			printf("agent: mkdir %s: %s\n", mounts[i].path, strerror(errno));
		if (mount(mounts[i].type, mounts[i].path, mounts[i].type, 0, NULL) < 0)
			printf("agent: mount %s: %s\n", mounts[i].path, strerror(errno));
	}
}

static void open_port(void)
{
	struct termios settings;

	port = open(COMMAND_PORT, O_RDWR | O_NOCTTY);
	if (port < 0 || tcgetattr(port, &settings) < 0) {
		printf("agent: no commands from " COMMAND_PORT ": %s\n", strerror(errno));
		return;
	}
	cfmakeraw(&settings);
	cfsetspeed(&settings, B115200);
	settings.c_cflag |= CLOCAL;
	if (tcsetattr(port, TCSANOW, &settings) < 0)
		printf("agent: cannot set up " COMMAND_PORT ": %s\n", strerror(errno));
}

int main(void)
{
	struct utsname name;
	char hello[128];
	int length;

	setvbuf(stdout, NULL, _IONBF, 0);
	signal(SIGPIPE, SIG_IGN);
	mount_all();
	open_port();
	uname(&name);
	length = snprintf(hello, sizeof(hello), "\nhello %s\n", name.release);
	write_port(hello, (size_t)length);
	serve(port);
}
