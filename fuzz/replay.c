// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Runs a fuzz target on files, without a fuzz engine and with any compiler:
 * each argument is a file or a directory of files. With --mutate each input is
 * also run in a number of mutations, the same ones every time; one that breaks
 * the target is kept.
 */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What grows out of an input is no larger than this, or than the input. */
#define MAX_MUTATED 16384
#define MAX_MUTATIONS 1000000000ULL
/* After so many mutations in a row it begins with the input again. */
#define MAX_DEPTH 4
/* Real time; no input takes a tenth of it. */
#define MAX_SECONDS 120

/* Optional parts of a target, as libFuzzer has them; sanitizers have the last. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size,
						     unsigned int seed);
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

/* For a mutator that leaves something to the engine. */
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max_size);

static u64 nr_files;
static u64 nr_mutations;
static u64 random_state;

/* What is being run, for the handler. */
static struct {
	char keep[PATH_MAX];
	const char *path;
	u64 mutation;
	const u8 *data;
	size_t size;
} current;

static u64 next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max_size)
{
	u64 choice = next_random();
	size_t at = size ? (size_t)(next_random() % size) : 0;
	u8 byte = (u8)next_random();

	if (!size || (choice % 8 == 0 && size < max_size)) {
		if (!max_size)
			return 0;
		memmove(data + at + 1, data + at, size - at);
		data[at] = byte;
		return size + 1;
	}
	if (choice % 8 == 1 && size > 1) {
		memmove(data + at, data + at + 1, size - at - 1);
		return size - 1;
	}
	if (choice % 8 < 5)
		data[at] ^= (u8)(1U << (byte % 8));
	else
		data[at] = byte;
	return size;
}

static void say(const char *text)
{
	ssize_t written = write(STDERR_FILENO, text, strlen(text));

	(void)written;
}

static void say_number(u64 number)
{
	char text[24];
	char *at = text + sizeof(text) - 1;

	*at = 0;
	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	say(at);
}

/* What a signal handler may call, and nothing else. */
static void name_culprit(void)
{
	int fd;

	if (!current.path)
		return;
	say("\nreplay: broken by ");
	say(current.path);
	if (current.mutation) {
		say(", mutation ");
		say_number(current.mutation);
		fd = open(current.keep, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (fd >= 0 && write(fd, current.data, current.size) == (ssize_t)current.size) {
			say(", which is now ");
			say(current.keep);
		}
		if (fd >= 0)
			close(fd);
	}
	say("\n");
	current.path = NULL;
}

static void on_signal(int number)
{
	if (number == SIGALRM)
		say("\nreplay: it takes too long");
	name_culprit();
	signal(number, SIG_DFL);
	raise(number);
}

/* A sanitizer has its own handlers, and says more than ours could. */
static void watch(const char *program)
{
	static const int all[] = { SIGABRT, SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	static u8 stack_bytes[65536];
	const stack_t stack = { .ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes) };
	const struct sigaction action = { .sa_handler = on_signal,
					  .sa_flags = SA_ONSTACK | SA_NODEFER };
	size_t count = __sanitizer_set_death_callback ? 2 : ARRAY_SIZE(all);
	size_t i;
	char *path = realpath(program, NULL);

	/* The whole path: a target may go to another directory. */
	snprintf(current.keep, sizeof(current.keep), "%s.broken", path ? path : program);
	free(path);
	if (sigaltstack(&stack, NULL))
		perror("sigaltstack");
	for (i = 0; i < count; i++)
		if (sigaction(all[i], &action, NULL))
			perror("sigaction");
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(name_culprit);
}

/* In memory exactly as large as the input, for sanitizers. */
static void run(const char *path, u64 mutation, const u8 *data, size_t size)
{
	u8 *copy = malloc(size ? size : 1);

	require(copy, "out of memory");
	memcpy(copy, data, size);
	current.data = copy;
	current.size = size;
	current.mutation = mutation;
	current.path = path;
	alarm(MAX_SECONDS);
	LLVMFuzzerTestOneInput(copy, size);
	alarm(0);
	current.path = NULL;
	free(copy);
}

static u64 number_of(const u8 *data, size_t size)
{
	u64 number = 0xcbf29ce484222325ULL;
	size_t i;

	for (i = 0; i < size; i++)
		number = (number ^ data[i]) * 0x100000001b3ULL;
	return number ? number : 1;
}

static size_t mutated(u8 *data, size_t size, size_t max_size)
{
	if (LLVMFuzzerCustomMutator)
		return LLVMFuzzerCustomMutator(data, size, max_size, (unsigned int)next_random());
	return LLVMFuzzerMutate(data, size, max_size);
}

static void run_mutations(const char *path, const u8 *data, size_t size)
{
	size_t max_size = size > MAX_MUTATED ? size : MAX_MUTATED;
	u8 *grown = malloc(max_size);
	size_t length = size;
	u64 i;

	require(grown, "out of memory");
	random_state = number_of(data, size);
	for (i = 0; i < nr_mutations; i++) {
		if (i % MAX_DEPTH == 0) {
			memcpy(grown, data, size);
			length = size;
		}
		length = mutated(grown, length, max_size);
		require(length <= max_size, "the mutator makes %zu bytes of %zu", length, max_size);
		run(path, i + 1, grown, length);
	}
	free(grown);
}

static int run_file(const char *path)
{
	struct stat status;
	FILE *file = fopen(path, "rb");
	u8 *data = NULL;
	size_t size = 0;
	int error = 1;

	if (!file || fstat(fileno(file), &status)) {
		perror(path);
		goto out;
	}
	size = (size_t)status.st_size;
	data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, file) != size) {
		fprintf(stderr, "%s: cannot be read\n", path);
		goto out;
	}
	printf("%s\n", path);
	fflush(stdout);
	run(path, 0, data, size);
	run_mutations(path, data, size);
	nr_files++;
	error = 0;
out:
	free(data);
	if (file)
		fclose(file);
	return error;
}

static int run_directory(const char *path)
{
	struct dirent **entries;
	char name[PATH_MAX];
	u64 before = nr_files;
	int count = scandir(path, &entries, NULL, alphasort);
	int error = count < 0;
	int i;

	if (error)
		perror(path);
	for (i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.') {
			snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
			error |= run_file(name);
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	if (!error && nr_files == before) {
		fprintf(stderr, "%s: no input in it\n", path);
		error = 1;
	}
	return error;
}

static int run_path(const char *path, bool if_there)
{
	struct stat status;

	if (stat(path, &status)) {
		if (if_there)
			return 0;
		perror(path);
		return 1;
	}
	return S_ISDIR(status.st_mode) ? run_directory(path) : run_file(path);
}

static int usage(const char *program)
{
	fprintf(stderr,
		"usage: %s [--mutate N] PATH...\n"
		"  PATH             a file, or a directory with files in it\n"
		"  --if-there PATH  the same, but it may be missing\n"
		"  --mutate N       run each input in N mutations as well\n",
		program);
	return 2;
}

int main(int argc, char **argv)
{
	const char *program = argv[0];
	bool if_there = false;
	char *end;
	int error = 0;
	int i = 1;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	watch(program);
	if (argc > 2 && !strcmp(argv[1], "--mutate")) {
		nr_mutations = strtoull(argv[2], &end, 10);
		if (argv[2][0] < '0' || argv[2][0] > '9' || *end || nr_mutations > MAX_MUTATIONS)
			return usage(program);
		i = 3;
	}
	if (i == argc)
		return usage(program);
	for (; i < argc; i++) {
		if (!if_there && !strcmp(argv[i], "--if-there")) {
			if_there = true;
			continue;
		}
		if (!if_there && argv[i][0] == '-')
			return usage(program);
		error |= run_path(argv[i], if_there);
		if_there = false;
	}
	if (if_there)
		return usage(program);
	if (!nr_files)
		fprintf(stderr, "%s: no input was run\n", program);
	return error || !nr_files;
}
