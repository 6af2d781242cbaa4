// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzz target: the whole tool, from its words to what it prints.
 *
 * Input: flags u8 (bit 0: a's checksums are made right, as of a portable image;
 * bit 1: b's; bit 2: a is sparse; bit 3: b is), words_length u16, the words,
 * each ended by a NUL, a_length u32, a, b. A sparse file consists of runs
 * {offset u32, length u16, bytes}. The tool runs in a directory with the files
 * "a" and "b". Words that lead out of it (a '/', "live", "capture", "-") and
 * pictures by another program end a run before it begins.
 *
 * Checks S1 S5 S6 S20 S21: the exit status is 0 to 3, or 4 when there is a file
 * to write; it fails with words; what it prints has no control characters; its
 * JSON is one object, or one for each image; no file is changed or left behind
 * but the output, which is whole or not there; a second run prints the same.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "commands.h"

/* The tool's own main(), under another name. */
int tool_main(int argc, char **argv);
#define main tool_main
#include "main.c" /* NOLINT(bugprone-suspicious-include) */
#undef main

#define MAX_WORDS 32
#define MAX_FILE (1U << 20)

/** struct file - one that the tool is given */
struct file {
	u8 bytes[MAX_FILE];
	size_t size;
	const char *name;
};

/** struct answer - what came of a run */
struct answer {
	int status;
	char *out;
	size_t out_size;
	char *err;
	size_t err_size;
};

static struct file files[] = { { .name = "a" }, { .name = "b" } };
static char words_bytes[65536];
static int nr_words;
static char *words[MAX_WORDS + 2];
static int here = -1, scratch = -1;
static char scratch_name[] = "/dev/shm/iommuser-fuzz-XXXXXX";

static void remove_entries(void)
{
	struct dirent *entry;
	DIR *directory = fdopendir(openat(scratch, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	require(directory, "no directory");
	while ((entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			require(!unlinkat(scratch, entry->d_name, 0), "%s", entry->d_name);
	closedir(directory);
}

static void remove_scratch(void)
{
	remove_entries();
	rmdir(scratch_name);
}

static void begin_scratch(void)
{
	if (scratch >= 0)
		return;
	require(mkdtemp(scratch_name), "no directory in /dev/shm");
	scratch = open(scratch_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	require(scratch >= 0 && here >= 0, "no directory");
	setenv("TMPDIR", scratch_name, 1);
	setenv("TERM", "dumb", 1);
	atexit(remove_scratch);
}

static void save(const struct file *file)
{
	int fd = openat(scratch, file->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	require(fd >= 0 && write(fd, file->bytes, file->size) == (ssize_t)file->size && !close(fd),
		"%s", file->name);
}

static bool is_unchanged(const struct file *file)
{
	static u8 now[MAX_FILE + 1];
	int fd = openat(scratch, file->name, O_RDONLY | O_CLOEXEC);
	ssize_t got = read(fd, now, sizeof(now));

	close(fd);
	return got == (ssize_t)file->size && !memcmp(now, file->bytes, file->size);
}

static void take_file(struct input *input, struct file *file, u64 length, bool sparse, bool seal)
{
	u64 offset, left, end = input->left > length ? input->left - length : 0;

	file->size = 0;
	memset(file->bytes, 0, sizeof(file->bytes));
	while (input->left > end && !sparse && file->size < MAX_FILE)
		file->bytes[file->size++] = (u8)input_take(input, 1);
	while (input->left > end && sparse) {
		offset = input_take(input, 4) % MAX_FILE;
		for (left = input_take(input, 2); left && input->left > end && offset < MAX_FILE;
		     left--)
			file->bytes[offset++] = (u8)input_take(input, 1);
		offset = offset + left < MAX_FILE ? offset + left : MAX_FILE;
		file->size = larger(file->size, offset);
	}
	if (seal)
		seal_image(file->bytes, file->size);
}

static void take_words(struct input *input)
{
	u64 length = input_take(input, 2), at;

	for (at = 0; at < length && input->left && at < sizeof(words_bytes) - 1; at++)
		words_bytes[at] = (char)input_take(input, 1);
	words_bytes[at] = 0;
	length = at;
	nr_words = 1;
	for (at = 0; at < length && nr_words <= MAX_WORDS; at += strlen(words_bytes + at) + 1)
		words[nr_words++] = words_bytes + at;
}

/* getopt changes the order. */
static char **copy_words(void)
{
	static char name[] = "iommu-kho-dump";
	static char *copies[MAX_WORDS + 2];

	memcpy(copies, words, sizeof(copies));
	copies[0] = name;
	copies[nr_words] = NULL;
	optind = 0;
	return copies;
}

/* The tool is run once in its life: what it remembers of an answer is forgotten. */
static void forget_answers(void)
{
	const struct options none = { 0 };

	print_failure(&none, EXIT_OK);
}

static void run_in_scratch(struct answer *answer, int (*call)(int argc, char **argv))
{
	FILE *out = stdout, *err = stderr;

	*answer = (struct answer){ 0 };
	require(!fchdir(scratch), "chdir");
	stdout = open_memstream(&answer->out, &answer->out_size);
	stderr = open_memstream(&answer->err, &answer->err_size);
	require(stdout && stderr, "out of memory");
	forget_answers();
	answer->status = call(nr_words, copy_words());
	fclose(stdout);
	fclose(stderr);
	stdout = out;
	stderr = err;
	require(!fchdir(here), "chdir");
}

static void free_answer(struct answer *answer)
{
	free(answer->out);
	free(answer->err);
}

static struct options the_options;

static int parse_only(int argc, char **argv)
{
	return options_parse(&the_options, argc, argv);
}

/* The tool reads stdin once in its life. */
static bool is_outside(const char *path)
{
	return path && (!strcmp(path, SOURCE_LIVE) || !strcmp(path, "-"));
}

/* Does it stay in its directory, and is it the tool alone? */
static bool is_confined(const struct options *options)
{
	int i;

	for (i = 0; i < options->nr_images; i++)
		if (is_outside(options->images[i]))
			return false;
	return !is_outside(options->image) && !is_outside(options->other) && !options->svg &&
	       options->command != &command_capture;
}

static bool words_confined(void)
{
	int i;

	for (i = 1; i < nr_words; i++)
		if (strchr(words[i], '/') || strstr(words[i], ".."))
			return false;
	return true;
}

/* Colours are the one kind of control sequence that the tool writes. */
static size_t without_colors(const char *from, size_t size, char *to)
{
	size_t at = 0, length = 0, end;

	while (at < size) {
		end = at + 2;
		if (size - at > 2 && from[at] == '\033' && from[at + 1] == '[') {
			while (end < size &&
			       (from[end] == ';' || (from[end] >= '0' && from[end] <= '9')))
				end++;
			if (end < size && from[end] == 'm') {
				at = end + 1;
				continue;
			}
		}
		to[length++] = from[at++];
	}
	return length;
}

static void check_text(const char *bytes, size_t size, bool colors)
{
	char *plain = malloc(size + 1);
	size_t length = size;

	require(plain, "out of memory");
	if (colors)
		length = without_colors(bytes, size, plain);
	else
		memcpy(plain, bytes, size);
	require_text(plain, length, true);
	free(plain);
}

/* One object, and the end of its line. Return: what is behind it. */
static const char *check_object(const char *text, size_t left)
{
	struct json_tokener *tokener = json_tokener_new_ex(256);
	struct json_object *object;
	size_t end;

	require(tokener, "out of memory");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS |
						JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, text, (int)left);
	require(object && json_object_is_type(object, json_type_object), "no JSON object: %.*s",
		(int)left, text);
	end = json_tokener_get_parse_end(tokener);
	/* It may have been taken as white space. */
	if (end < left && text[end] == '\n')
		end++;
	require(end && text[end - 1] == '\n', "no end of a line behind JSON");
	json_object_put(object);
	json_tokener_free(tokener);
	return text + end;
}

static void check_json(const struct answer *answer, const struct options *options)
{
	const char *at = answer->out, *end = answer->out + answer->out_size;
	int nr = 0, expected = options->nr_images ? options->nr_images : 1;

	while (at < end) {
		if (options->format == FORMAT_JSON_LINES)
			require((size_t)(strchrnul(at, '\n') - at) < (size_t)(end - at), "no line");
		at = check_object(at, (size_t)(end - at));
		nr++;
	}
	require(nr == expected, "%d objects, not %d", nr, expected);
}

/* S21: an output is whole: what wrote it can be read again. */
static void check_output(const struct options *options, const struct answer *answer)
{
	const struct source_options how = { 0 };
	u64 from = 0, start, end;
	char path[256], message[256];
	struct source *source;
	struct stat status;

	snprintf(path, sizeof(path), "%s/%s", scratch_name, options->output);
	if (lstat(path, &status)) {
		require(answer->status >= EXIT_USAGE, "status %d without its output",
			answer->status);
		return;
	}
	if (options->command != &command_extract || answer->status >= EXIT_USAGE)
		return;
	source = source_open(path, &how, message, sizeof(message));
	require(source && !strcmp(source_format(source), "portable image"), "%s", message);
	while (source_next_range(source, from, &start, &end))
		from = end;
	source_close(source);
}

/* May the file have been written? A metric tells of a failure as well. */
static bool may_be_written(const struct options *options, const char *name, int status)
{
	return options->output && !strcmp(options->output, name) &&
	       (status < EXIT_USAGE || options->command == &command_verify);
}

static void check_directory(const struct options *options, const struct answer *answer)
{
	struct dirent *entry;
	DIR *directory = fdopendir(openat(scratch, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	size_t i;

	require(directory, "no directory");
	while ((entry = readdir(directory)))
		require(!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
				!strcmp(entry->d_name, "a") || !strcmp(entry->d_name, "b") ||
				may_be_written(options, entry->d_name, answer->status),
			"%s was left behind", entry->d_name);
	closedir(directory);
	for (i = 0; i < ARRAY_SIZE(files); i++)
		if (!may_be_written(options, files[i].name, answer->status))
			require(is_unchanged(&files[i]), "%s was changed", files[i].name);
	if (options->output && strlen(options->output) < 100)
		check_output(options, answer);
}

static void check_answer(const struct options *options, enum options_result parsed,
			 const struct answer *answer)
{
	bool runs = parsed == OPTIONS_RUN;
	bool writes = runs && options->output;

	require(answer->status >= EXIT_OK &&
			answer->status <= (writes ? EXIT_INTERNAL : EXIT_NO_IMAGE),
		"status %d: %.*s", answer->status, (int)answer->err_size, answer->err);
	require(answer->status < EXIT_USAGE || answer->err_size, "status %d without words",
		answer->status);
	check_text(answer->out, answer->out_size, runs && options->color == COLOR_ALWAYS);
	check_text(answer->err, answer->err_size, false);
	if (parsed == OPTIONS_WRONG)
		require(answer->status == EXIT_USAGE && !answer->out_size, "wrong usage, but %.*s",
			(int)answer->out_size, answer->out);
	if (runs && options_json(options) && !options->schema &&
	    (answer->status != EXIT_USAGE || answer->out_size))
		check_json(answer, options);
}

static void run_all(void)
{
	struct answer first, second;
	struct options options;
	enum options_result parsed;

	run_in_scratch(&first, parse_only);
	options = the_options;
	parsed = (enum options_result)first.status;
	free_answer(&first);
	if (parsed == OPTIONS_RUN && !is_confined(&options))
		return;
	run_in_scratch(&first, tool_main);
	check_answer(&options, parsed, &first);
	if (parsed != OPTIONS_RUN)
		options.output = NULL;
	check_directory(&options, &first);
	/* An output that replaces an input changes what the second run sees; metrics have the time. */
	if (!options.output && options.format != FORMAT_PROMETHEUS) {
		run_in_scratch(&second, tool_main);
		require(first.status == second.status && first.out_size == second.out_size &&
				!memcmp(first.out, second.out, first.out_size) &&
				first.err_size == second.err_size &&
				!memcmp(first.err, second.err, first.err_size),
			"another answer: %d, %d\n%.*s%.*s\nand\n%.*s%.*s", first.status,
			second.status, (int)first.out_size, first.out, (int)first.err_size,
			first.err, (int)second.out_size, second.out, (int)second.err_size,
			second.err);
		free_answer(&second);
	}
	free_answer(&first);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	expect_leaks(argc, argv);
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input input = { data, size };
	u64 flags = input_take(&input, 1), length;
	int fd;

	take_words(&input);
	length = input_take(&input, 4);
	if (!words_confined())
		return 0;
	begin_scratch();
	take_file(&input, &files[0], length, flags & 4, flags & 1);
	take_file(&input, &files[1], input.left, flags & 8, flags & 2);
	save(&files[0]);
	save(&files[1]);
	fd = dup(STDERR_FILENO);
	close(fd);
	run_all();
	require(dup(STDERR_FILENO) == fd && !close(fd), "a file was left open");
	remove_entries();
	return 0;
}
