// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The command line: getopt_long, and checks of every value.
 */
#define _GNU_SOURCE
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <iommuser/version.h>

#include "commands.h"

enum {
	OPTION_JSON = 256,
	OPTION_LIST_ROOTS,
	OPTION_EXPLAIN,
	OPTION_FLAT,
	OPTION_PAGE_SIZE,
	OPTION_KHO,
	OPTION_LUO,
	OPTION_FLB,
	OPTION_ABI,
	OPTION_VTD_ROOT,
	OPTION_ORIGIN,
	OPTION_POST_BOOT,
	OPTION_LIMIT,
	OPTION_VERSION,
	OPTION_JSON_LINES,
	OPTION_PROMETHEUS,
	OPTION_COLOR,
	OPTION_KERNEL,
	OPTION_SVG,
	OPTION_FORCE,
	OPTION_MAP,
	OPTION_QEMU_RAM,
	OPTION_SCHEMA,
};

static const struct option long_options[] = {
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "json-lines", no_argument, NULL, OPTION_JSON_LINES },
	{ "prometheus", no_argument, NULL, OPTION_PROMETHEUS },
	{ "color", optional_argument, NULL, OPTION_COLOR },
	{ "kernel", required_argument, NULL, OPTION_KERNEL },
	{ "svg", no_argument, NULL, OPTION_SVG },
	{ "force", no_argument, NULL, OPTION_FORCE },
	{ "map", required_argument, NULL, OPTION_MAP },
	{ "qemu-ram", required_argument, NULL, OPTION_QEMU_RAM },
	{ "schema", no_argument, NULL, OPTION_SCHEMA },
	{ "list-roots", no_argument, NULL, OPTION_LIST_ROOTS },
	{ "explain", required_argument, NULL, OPTION_EXPLAIN },
	{ "flat", optional_argument, NULL, OPTION_FLAT },
	{ "page-size", required_argument, NULL, OPTION_PAGE_SIZE },
	{ "kho", required_argument, NULL, OPTION_KHO },
	{ "luo", required_argument, NULL, OPTION_LUO },
	{ "flb", required_argument, NULL, OPTION_FLB },
	{ "abi", required_argument, NULL, OPTION_ABI },
	{ "vtd-root", required_argument, NULL, OPTION_VTD_ROOT },
	{ "origin", required_argument, NULL, OPTION_ORIGIN },
	{ "post-boot", no_argument, NULL, OPTION_POST_BOOT },
	{ "limit", required_argument, NULL, OPTION_LIMIT },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char usage_head[] =
	"usage: iommu-kho-dump [COMMAND] [OPTIONS] IMAGE\n"
	"\n"
	"Show and verify what a Linux live update hands over: KHO, LUO sessions and\n"
	"files, IOMMU state, and the VT-d tables that devices go on using.\n"
	"\n"
	"Commands (COMMAND --help tells more)\n";

static const char usage_tail[] =
	"\n"
	"IMAGE is an ELF or kdump-compressed dump (flattened too), a portable image\n"
	"(- for stdin), or raw memory with one of the options for it. Its format is\n"
	"found out. live is the running host.\n"
	"\n"
	"Options\n"
	"  --json             one JSON object\n"
	"  --json-lines       the same on one line, for fleets; show, verify, stat and\n"
	"                     scratch then take any number of images\n"
	"  --prometheus       verify: a textfile for node_exporter\n"
	"  --schema           the JSON Schema of what COMMAND --json prints; no image\n"
	"  --limit N          print at most N findings or differences (100), records of\n"
	"                     a kind (1000), or ranges (50, with --json all); graph:\n"
	"                     nodes of a kind (32)\n"
	"  --force            go on where the image is damaged, and show what it holds;\n"
	"                     all commands but scratch\n"
	"  --color[=WHEN]     auto (on a terminal without NO_COLOR), always, never\n"
	"  -o, --output FILE  what extract, capture and verify --prometheus write\n"
	"  --kernel FILE      preflight: the next kernel, vmlinux or bzImage\n"
	"  --svg              graph: a picture, by Graphviz\n"
	"  --explain CODE     what a finding means and what to do; needs no image\n"
	"  -h, --help         this text, or that of a command\n"
	"  --version          the version\n"
	"\n"
	"Where to start, when it is not to be found out; in a dump, --luo, --flb and\n"
	"--vtd-root then show just what hangs on them, without KHO (extract takes all)\n"
	"  --list-roots                all KHO FDTs in the image, the best first\n"
	"  --kho PHYS                  the KHO FDT\n"
	"  --luo PHYS                  the LUO state\n"
	"  --flb PHYS --abi NAME       the root of the IOMMU state and its layout:\n"
	"                              iommuser-v1, iommu-v1, iommu-liveupdate-v1,\n"
	"                              iommu-liveupdate, iommu-liveupdate-56\n"
	"  --abi NAME                  alone: the layout to use for the root found\n"
	"  --vtd-root PHYS[:legacy|:scalable]\n"
	"                              a VT-d root table, with or without records\n"
	"\n"
	"What the image does not say itself\n"
	"  --flat[=BASE]      raw memory; byte 0 is physical BASE (0)\n"
	"  --map OFF:PHYS:LEN raw memory: LEN bytes at OFF in the file are at PHYS;\n"
	"                     once for each piece\n"
	"  --qemu-ram MACHINE raw memory: the RAM of a pc or q35 of QEMU, as a file\n"
	"  --page-size SIZE   4K, 16K or 64K\n"
	"  --origin WHEN      when it was taken: at-jump, outgoing (before it), incoming\n"
	"                     (the next kernel's own stream), post-boot, unknown\n"
	"  --post-boot        short for --origin post-boot\n"
	"\n"
	"PHYS is 0x...; exit status: 0 fine (warnings too), 1 verify found errors or\n"
	"lacks metadata, translate found no page, maps lacks a table or the device,\n"
	"diff found a difference, preflight a reason not to, scratch something wrong,\n"
	"or what was asked can't be told; 2 wrong usage; 3 unreadable or no handover;\n"
	"4 internal error, or the output can't be written.\n";

#define WORDS_WIDTH 26
/* Of what is escaped, per byte: \xNN. */
#define ESCAPED_SIZE 4

static void print_usage(void)
{
	const struct command *command;
	char words[64];
	size_t i;

	fputs(usage_head, stdout);
	for (i = 0; command_at(i); i++) {
		command = command_at(i);
		snprintf(words, sizeof(words), "%s %s", command->name, command->operands);
		/* Words that are too long for their column have a line of their own. */
		if (strlen(words) > WORDS_WIDTH)
			printf("  %s\n  %-*s %s\n", words, WORDS_WIDTH, "", command->summary);
		else
			printf("  %-*s %s\n", WORDS_WIDTH, words, command->summary);
	}
	fputs(usage_tail, stdout);
}

/* What not every command takes. */
static void print_own_options(const struct command *command)
{
	static const struct {
		u32 takes;
		const char *name;
	} own[] = { { TAKES_OUTPUT, "-o" },	{ TAKES_KERNEL, "--kernel" },
		    { TAKES_SVG, "--svg" },	{ TAKES_PROMETHEUS, "--prometheus" },
		    { TAKES_LIMIT, "--limit" }, { TAKES_FORCE, "--force" } };
	const char *before = "Takes ";
	size_t i;

	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (!(command->takes & own[i].takes))
			continue;
		printf("%s%s", before, own[i].name);
		before = ", ";
	}
	puts(*before == ',' ? " and the options that all commands take:" :
			      "Takes the options that all commands take:");
}

static void print_command_usage(const struct command *command)
{
	bool needs_output = command->takes & TAKES_OUTPUT && command != &command_verify;

	printf("usage: iommu-kho-dump %s [OPTIONS]%s%s%s%s\n\n%s\n", command->name,
	       needs_output ? " -o FILE" : "",
	       command->takes & TAKES_KERNEL ? " --kernel FILE" : "", *command->operands ? " " : "",
	       command->operands, command->help);
	print_own_options(command);
	puts("iommu-kho-dump --help lists them.");
}

static enum options_result wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

static enum options_result wrong(const char *format, ...)
{
	char *message = NULL, *escaped = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&message, format, arguments);
	va_end(arguments);
	if (length < 0)
		message = NULL;
	else
		escaped = malloc(ESCAPED_SIZE * (size_t)length + 1);
	fprintf(stderr, "iommu-kho-dump: %s; see --help\n",
		escaped ? escape_text(message, (size_t)length, escaped,
				      ESCAPED_SIZE * (size_t)length + 1) :
			  "wrong usage");
	free(escaped);
	free(message);
	return OPTIONS_WRONG;
}

bool parse_number(const char *text, int base, u64 *value)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, base);
	return !errno && end != text && !*end;
}

bool parse_hex_number(const char *text, u64 *value)
{
	if (strcmp(text, "0") && strncmp(text, "0x", 2) && strncmp(text, "0X", 2))
		return false;
	return parse_number(text, 16, value);
}

static enum options_result parse_address(const char *option, const char *text, u64 *value,
					 bool *given)
{
	if (!parse_hex_number(text, value) || *value >= 1ULL << IOMMUSER_PHYS_BITS)
		return wrong("--%s: '%s' is not a physical address: write addresses as 0x...",
			     option, text);
	*given = true;
	return OPTIONS_RUN;
}

static enum options_result parse_vtd_root(struct options *options, const char *text)
{
	const char *colon = strchr(text, ':');
	char address[32];
	size_t length = colon ? (size_t)(colon - text) : strlen(text);

	if (length >= sizeof(address))
		return wrong("--vtd-root: '%s' is not PHYS[:legacy|:scalable]", text);
	memcpy(address, text, length);
	address[length] = 0;
	options->vtd_mode = 0;
	if (colon && !strcmp(colon, ":legacy"))
		options->vtd_mode = IOMMUSER_IOMMU_MODE_LEGACY;
	else if (colon && !strcmp(colon, ":scalable"))
		options->vtd_mode = IOMMUSER_IOMMU_MODE_SCALABLE;
	else if (colon)
		return wrong("--vtd-root: '%s' is not PHYS[:legacy|:scalable]", text);
	if (parse_address("vtd-root", address, &options->vtd_root, &options->has_vtd_root))
		return OPTIONS_WRONG;
	if (options->vtd_root % 4096)
		return wrong("--vtd-root: %s is not aligned to 4 KiB", address);
	return OPTIONS_RUN;
}

static enum options_result parse_page_size(struct options *options, const char *text)
{
	static const struct {
		const char *text;
		u32 shift;
	} sizes[] = { { "4K", 12 },    { "4096", 12 }, { "16K", 14 },
		      { "16384", 14 }, { "64K", 16 },  { "65536", 16 } };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (!strcmp(text, sizes[i].text)) {
			options->source.page_shift = sizes[i].shift;
			return OPTIONS_RUN;
		}
	}
	return wrong("--page-size: '%s' is not 4K, 16K or 64K", text);
}

static enum options_result set_origin(struct options *options, const char *origin)
{
	if (options->origin && strcmp(options->origin, origin))
		return wrong("--origin: either %s or %s", options->origin, origin);
	options->origin = origin;
	return OPTIONS_RUN;
}

static enum options_result parse_origin(struct options *options, const char *text)
{
	static const char *const origins[] = { "at-jump", "outgoing", "incoming", "post-boot",
					       "unknown" };
	size_t i;

	for (i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
		if (!strcmp(text, origins[i]))
			return set_origin(options, origins[i]);
	}
	return wrong("--origin: '%s' is not at-jump, outgoing, incoming, post-boot or unknown",
		     text);
}

static enum options_result parse_color(struct options *options, const char *text)
{
	if (!text || !strcmp(text, "always"))
		options->color = COLOR_ALWAYS;
	else if (!strcmp(text, "auto"))
		options->color = COLOR_AUTO;
	else if (!strcmp(text, "never"))
		options->color = COLOR_NEVER;
	else
		return wrong("--color: '%s' is not auto, always or never", text);
	return OPTIONS_RUN;
}

/* OFF:PHYS:LEN */
static enum options_result parse_piece(struct options *options, const char *text)
{
	struct source_options *source = &options->source;
	struct source_piece *piece = &source->pieces[source->nr_pieces];
	u64 *const values[] = { &piece->offset, &piece->phys, &piece->length };
	char copy[80], *at = copy, *word;
	size_t i;

	if (source->nr_pieces == SOURCE_MAX_PIECES)
		return wrong("--map: more than %d pieces", SOURCE_MAX_PIECES);
	snprintf(copy, sizeof(copy), "%s", text);
	for (i = 0; i < 3; i++) {
		word = strsep(&at, ":");
		if (!word || !parse_number(word, 0, values[i]))
			return wrong("--map: '%s' is not OFF:PHYS:LEN", text);
		if (i == 1 && !parse_hex_number(word, values[i]))
			return wrong("--map: '%s': write PHYS as 0x...", text);
	}
	if (at || strlen(text) >= sizeof(copy) || !piece->length)
		return wrong("--map: '%s' is not OFF:PHYS:LEN", text);
	if (piece->phys >= 1ULL << IOMMUSER_PHYS_BITS ||
	    piece->length > (1ULL << IOMMUSER_PHYS_BITS) - piece->phys ||
	    piece->offset > INT64_MAX || piece->length > INT64_MAX - piece->offset)
		return wrong("--map: '%s' is out of range", text);
	if ((piece->phys | piece->length) % 4096)
		return wrong("--map: PHYS and LEN of '%s' are not multiples of 4096", text);
	source->nr_pieces++;
	return OPTIONS_RUN;
}

static enum options_result parse_machine(struct options *options, const char *text)
{
	if (strcmp(text, "pc") && strcmp(text, "q35"))
		return wrong("--qemu-ram: '%s' is not pc or q35", text);
	options->source.qemu_machine = text;
	return OPTIONS_RUN;
}

static enum options_result set_format(struct options *options, enum output_format format)
{
	if (options->format != FORMAT_TEXT && options->format != format)
		return wrong("--json, --json-lines and --prometheus exclude each other");
	options->format = format;
	return OPTIONS_RUN;
}

static enum options_result parse_option(struct options *options, int option)
{
	switch (option) {
	case OPTION_JSON:
		return set_format(options, FORMAT_JSON);
	case OPTION_JSON_LINES:
		return set_format(options, FORMAT_JSON_LINES);
	case OPTION_PROMETHEUS:
		return set_format(options, FORMAT_PROMETHEUS);
	case OPTION_COLOR:
		return parse_color(options, optarg);
	case OPTION_KERNEL:
		options->kernel = optarg;
		return OPTIONS_RUN;
	case OPTION_SVG:
		options->svg = true;
		return OPTIONS_RUN;
	case OPTION_FORCE:
		options->force = true;
		return OPTIONS_RUN;
	case OPTION_MAP:
		return parse_piece(options, optarg);
	case OPTION_QEMU_RAM:
		return parse_machine(options, optarg);
	case OPTION_SCHEMA:
		options->schema = true;
		return OPTIONS_RUN;
	case OPTION_LIST_ROOTS:
		options->list_roots = true;
		return OPTIONS_RUN;
	case OPTION_POST_BOOT:
		return set_origin(options, "post-boot");
	case OPTION_ORIGIN:
		return parse_origin(options, optarg);
	case OPTION_EXPLAIN:
		options->explain = optarg;
		return OPTIONS_RUN;
	case 'o':
		options->output = optarg;
		return OPTIONS_RUN;
	case OPTION_FLAT:
		options->source.flat = true;
		if (!optarg)
			return OPTIONS_RUN;
		return parse_address("flat", optarg, &options->source.flat_base,
				     &options->source.flat);
	case OPTION_PAGE_SIZE:
		return parse_page_size(options, optarg);
	case OPTION_KHO:
		return parse_address("kho", optarg, &options->kho, &options->has_kho);
	case OPTION_LUO:
		return parse_address("luo", optarg, &options->luo, &options->has_luo);
	case OPTION_FLB:
		return parse_address("flb", optarg, &options->flb, &options->has_flb);
	case OPTION_VTD_ROOT:
		return parse_vtd_root(options, optarg);
	case OPTION_ABI:
		options->abi = iommuser_revision_by_name(optarg);
		return options->abi ? OPTIONS_RUN :
				      wrong("--abi: '%s' is not a known layout", optarg);
	case OPTION_LIMIT:
		options->has_limit = true;
		if (!parse_number(optarg, 10, &options->limit))
			return wrong("--limit: '%s' is not a number", optarg);
		return OPTIONS_RUN;
	case 'h':
		options->help = true;
		return OPTIONS_RUN;
	case OPTION_VERSION:
		puts("iommu-kho-dump " IOMMUSER_VERSION);
		return OPTIONS_DONE;
	default:
		return OPTIONS_WRONG;
	}
}

static const struct option *find_long_option(int value)
{
	const struct option *option;

	for (option = long_options; option->name; option++)
		if (option->val == value)
			return option;
	return NULL;
}

/* What getopt_long() could make nothing of, in words of our own. */
static enum options_result refuse_option(int why, const char *word)
{
	const struct option *option = optopt ? find_long_option(optopt) : NULL;

	if (why == ':')
		return wrong("'%s' needs a value", word);
	if (option)
		return wrong("--%s takes no value", option->name);
	if (optopt)
		return wrong("unknown option '-%c'", optopt);
	return wrong("unknown option '%s'", word);
}

/* One line for each image tells them apart. */
static bool takes_images(const struct options *options)
{
	return options->command->takes & TAKES_IMAGES && !options->list_roots &&
	       options->format == FORMAT_JSON_LINES;
}

/*
 * How many of @count operands are words before the images? An image may be
 * called like a word: what is left over is told from the number of operands.
 */
static enum options_result take_words(struct options *options, int count, char **operands)
{
	const struct command *command = options->command;
	int words = count - command->nr_images, i;

	if (takes_images(options) && count > 1) {
		options->images = operands;
		options->nr_images = count;
		return OPTIONS_RUN;
	}
	if (words < command->min_words)
		return wrong("%s needs %s", command->name, command->operands);
	if (words > command->max_words && command->nr_images == 1 && !command->max_words)
		return wrong("%s takes one IMAGE%s", command->name,
			     command->takes & TAKES_IMAGES ?
				     " (several with --json-lines); diff compares two" :
				     "");
	if (words > command->max_words)
		return wrong("%s takes %s: too many arguments", command->name,
			     *command->operands ? command->operands : "no image");
	for (i = 0; i < words; i++)
		options->words[i] = operands[i];
	if (command->nr_images > 0)
		options->image = operands[words];
	if (command->nr_images > 1)
		options->other = operands[words + 1];
	return OPTIONS_RUN;
}

static bool file_exists(const char *path)
{
	struct stat status;

	return !lstat(path, &status) || errno != ENOENT;
}

/* "--color never" for "--color=never"; NULL when there is no such mistake. */
static const char *find_color_operand(const struct options *options, int count, char **operands)
{
	static const char *const words[] = { "auto", "always", "never" };
	size_t word;
	int i;

	for (i = 0; options->color == COLOR_ALWAYS && i < count; i++)
		for (word = 0; word < sizeof(words) / sizeof(words[0]); word++)
			if (!strcmp(operands[i], words[word]) && !file_exists(operands[i]))
				return words[word];
	return NULL;
}

/* May people have taken it for a command? */
static bool is_stray_word(const struct options *options, const char *operand)
{
	return !options->list_roots && strcmp(operand, "live") != 0 && operand[0] >= 'a' &&
	       operand[0] <= 'z' && !operand[strspn(operand, "abcdefghijklmnopqrstuvwxyz-")] &&
	       !file_exists(operand);
}

/* An image alone, to be shown. */
static enum options_result take_image(struct options *options, int count, char **operands)
{
	if (!count)
		return wrong("no image given");
	if (count == 2 && options->source.flat)
		return wrong("'%s' is not a command (a base is --flat=BASE)", operands[0]);
	if (count >= 2)
		return wrong("'%s' is not a command", operands[0]);
	if (is_stray_word(options, operands[0]))
		return wrong("'%s' is neither a command nor a file", operands[0]);
	return take_words(options, count, operands);
}

/* [COMMAND [WORD...]] IMAGE; a file that is called like a command is ./show. */
static enum options_result parse_operands(struct options *options, int count, char **operands)
{
	const struct command *command = count ? command_find(operands[0]) : NULL;
	const char *color = find_color_operand(options, count, operands);

	if (color)
		return wrong("'%s' is no image: it is written --color=%s", color, color);
	if (options->explain && count)
		return wrong("--explain takes no %s", command ? "command" : "image");
	if (options->explain)
		return OPTIONS_RUN;
	if (command) {
		options->command = command;
		options->has_command = true;
		count--;
		operands++;
	}
	if (options->help)
		return OPTIONS_RUN;
	if (options->schema)
		return count ? wrong("--schema takes no image") : OPTIONS_RUN;
	return command ? take_words(options, count, operands) :
			 take_image(options, count, operands);
}

/* Options that only some commands take, and how they are written. */
static enum options_result check_taken(const struct options *options)
{
	const struct {
		bool given;
		u32 takes;
		const char *name;
	} given[] = {
		{ options->output, TAKES_OUTPUT, "-o" },
		{ options->kernel, TAKES_KERNEL, "--kernel" },
		{ options->svg, TAKES_SVG, "--svg" },
		{ options->force, TAKES_FORCE, "--force" },
		{ options->format == FORMAT_PROMETHEUS, TAKES_PROMETHEUS, "--prometheus" },
		{ options->has_limit, TAKES_LIMIT, "--limit" },
		{ options->has_kho, TAKES_START, "--kho" },
		{ options->has_luo, TAKES_START, "--luo" },
		{ options->has_flb, TAKES_START, "--flb" },
		{ options->abi, TAKES_START, "--abi" },
		{ options->has_vtd_root, TAKES_START, "--vtd-root" },
		{ options->origin, TAKES_START, "--origin" },
	};
	size_t i;

	for (i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		if (given[i].given && !(options->command->takes & given[i].takes))
			return wrong("%s does not go with %s", given[i].name,
				     options->command->name);
	return OPTIONS_RUN;
}

static enum options_result check_combination(const struct options *options)
{
	int ways =
		options->source.flat + !!options->source.nr_pieces + !!options->source.qemu_machine;
	bool has_handover = options->has_kho || options->has_luo || options->has_flb;
	const struct command *command = options->command;
	char message[160];

	if (options->has_flb && !options->abi)
		return wrong("--flb needs --abi NAME");
	if (ways > 1)
		return wrong("--flat, --map and --qemu-ram exclude each other");
	if (options->list_roots && options->has_command && command != &command_show)
		return wrong("--list-roots is a command of its own");
	if (command == &command_verify && options->output && options->format != FORMAT_PROMETHEUS)
		return wrong("-o goes with verify only when there is --prometheus");
	if (command->takes & TAKES_OUTPUT && command != &command_verify && !options->output)
		return wrong("%s needs -o FILE", command->name);
	if (options->output && (!*options->output || !strcmp(options->output, "-")))
		return wrong("-o: '%s' is not the name of a file", options->output);
	if (command->takes & TAKES_KERNEL && !options->kernel)
		return wrong("%s needs --kernel FILE", command->name);
	if (command == &command_verify && options->has_vtd_root && !has_handover)
		return wrong("verify has nothing to check --vtd-root against: show reads it");
	if (command->check && !command->check(options, message, sizeof(message)))
		return wrong("%s", message);
	return OPTIONS_RUN;
}

static enum options_result answer_help(const struct options *options)
{
	if (options->has_command)
		print_command_usage(options->command);
	else
		print_usage();
	return OPTIONS_DONE;
}

u64 options_limit(const struct options *options, u64 standard)
{
	return options->has_limit ? options->limit : standard;
}

bool options_json(const struct options *options)
{
	return options->format == FORMAT_JSON || options->format == FORMAT_JSON_LINES;
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
	enum options_result result;
	int option;

	memset(options, 0, sizeof(*options));
	options->command = &command_show;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":o:h", long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return refuse_option(option, argv[optind - 1]);
		result = parse_option(options, option);
		if (result != OPTIONS_RUN)
			return result;
	}
	result = parse_operands(options, argc - optind, argv + optind);
	if (result == OPTIONS_RUN && options->help)
		return answer_help(options);
	if (result != OPTIONS_RUN || options->explain || options->schema)
		return result;
	result = check_taken(options);
	return result == OPTIONS_RUN ? check_combination(options) : result;
}
