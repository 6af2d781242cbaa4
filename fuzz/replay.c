// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Runs a fuzz target on files, without libFuzzer and with any compiler: each
 * argument is a file, or a directory of files. One that does not exist is
 * passed over, but no file at all is a failure.
 */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

static u64 nr_files;

static int run_file(const char *path)
{
	struct stat status;
	FILE *file = fopen(path, "rb");
	u8 *data = NULL;
	int error = 1;

	if (!file || fstat(fileno(file), &status)) {
		perror(path);
		goto out;
	}
	/* Exactly as large as the input, for sanitizers. */
	data = malloc(status.st_size ? (size_t)status.st_size : 1);
	if (!data || fread(data, 1, (size_t)status.st_size, file) != (size_t)status.st_size) {
		fprintf(stderr, "%s: cannot be read\n", path);
		goto out;
	}
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, (size_t)status.st_size);
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
	char name[4096];
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
	return error;
}

int main(int argc, char **argv)
{
	struct stat status;
	int error = 0;
	int i;

	for (i = 1; i < argc; i++) {
		if (stat(argv[i], &status))
			fprintf(stderr, "%s: there is none\n", argv[i]);
		else if (S_ISDIR(status.st_mode))
			error |= run_directory(argv[i]);
		else
			error |= run_file(argv[i]);
	}
	if (!nr_files) {
		fprintf(stderr, "usage: %s FILE-OR-DIRECTORY...; there is no input\n", argv[0]);
		error = 1;
	}
	return error;
}
