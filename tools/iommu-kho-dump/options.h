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

/**
 * struct options - what the command line says
 * @command: "show" when none is given
 * @words: what stands between the command and the image
 * @iova: second word of translate
 * @image: path of the image; NULL for commands without one
 * @output: -o, NULL when not given
 * @explain: code of --explain, NULL when not given
 * @source: how to read the image
 * @json: one JSON object instead of text
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
	const char *command;
	const char *words[OPTIONS_MAX_WORDS];
	const char *image;
	const char *output;
	const char *explain;
	const char *origin;
	struct source_options source;
	bool json;
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
	u64 iova;
};

/** enum options_result - what to do next */
enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE, /* --help or --version was answered */
	OPTIONS_WRONG, /* a message was printed */
};

enum options_result options_parse(struct options *options, int argc, char **argv);

#endif /* OPTIONS_H */
