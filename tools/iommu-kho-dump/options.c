// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The command line: getopt_long, and checks of every value.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <iommuser/version.h>

#include "commands.h"
#include "requester.h"

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
};

static const struct option long_options[] = {
	{ "json", no_argument, NULL, OPTION_JSON },
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

static const char usage_text[] =
	"usage: iommu-kho-dump [COMMAND] [OPTIONS] IMAGE\n"
	"\n"
	"Show and verify what a Linux live update hands over: KHO, LUO sessions and\n"
	"files, IOMMU state, and the VT-d tables that devices go on using.\n"
	"\n"
	"Commands\n"
	"  show         a summary, then the records (the default)\n"
	"  verify       check everything; exit 1 when something is wrong\n"
	"  translate BDF IOVA   what a device's DMA address leads to, level by level;\n"
	"               exit 1 when it is not mapped\n"
	"  extract      write the metadata to a portable image (-o FILE.ikho)\n"
	"  stat         count what the handover holds and takes\n"
	"\n"
	"IMAGE is an ELF or kdump-compressed dump (flattened too), a portable image,\n"
	"or, with --flat, raw memory. Its format is found out.\n"
	"\n"
	"Options\n"
	"  --json             one JSON object\n"
	"  --limit N          print at most N findings, or records of a kind\n"
	"  -o, --output FILE  what extract writes\n"
	"  --explain CODE     what a finding means and what to do; needs no image\n"
	"  -h, --help         this text\n"
	"  --version          the version\n"
	"\n"
	"Where to start, when it is not to be found out; --luo, --flb and --vtd-root\n"
	"then show just what hangs on them, without KHO (extract takes all)\n"
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
	"  --page-size SIZE   4K, 16K or 64K\n"
	"  --origin WHEN      when it was taken: at-jump, outgoing (before it), incoming\n"
	"                     (the next kernel's own stream), post-boot, unknown\n"
	"  --post-boot        short for --origin post-boot\n"
	"\n"
	"PHYS is 0x...; exit status: 0 fine (warnings too), 1 verify found errors or\n"
	"lacks metadata, translate found no page; 2 wrong usage; 3 unreadable or no\n"
	"handover; 4 internal error, or the output can't be written.\n";

static enum options_result wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

static enum options_result wrong(const char *format, ...)
{
	va_list arguments;

	fputs("iommu-kho-dump: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("; see --help\n", stderr);
	return OPTIONS_WRONG;
}

/* A whole string as a number in C notation. */
static bool parse_number(const char *text, int base, u64 *value)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, base);
	return !errno && end != text && !*end;
}

static enum options_result parse_address(const char *option, const char *text, u64 *value,
					 bool *given)
{
	if (!parse_number(text, 0, value) || *value >= 1ULL << IOMMUSER_PHYS_BITS)
		return wrong("--%s: '%s' is not a physical address (0x...)", option, text);
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

static enum options_result parse_origin(struct options *options, const char *text)
{
	static const char *const origins[] = { "at-jump", "outgoing", "incoming", "post-boot",
					       "unknown" };
	size_t i;

	for (i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
		if (!strcmp(text, origins[i])) {
			options->origin = origins[i];
			return OPTIONS_RUN;
		}
	}
	return wrong("--origin: '%s' is not at-jump, outgoing, incoming, post-boot or unknown",
		     text);
}

static enum options_result parse_option(struct options *options, int option)
{
	switch (option) {
	case OPTION_JSON:
		options->json = true;
		return OPTIONS_RUN;
	case OPTION_LIST_ROOTS:
		options->list_roots = true;
		return OPTIONS_RUN;
	case OPTION_POST_BOOT:
		options->origin = "post-boot";
		return OPTIONS_RUN;
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
		fputs(usage_text, stdout);
		return OPTIONS_DONE;
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

static enum options_result parse_words(struct options *options)
{
	struct requester requester;

	if (strcmp(options->command, "translate"))
		return OPTIONS_RUN;
	if (!requester_parse(options->words[0], &requester))
		return wrong("'%s' is not a PCI function ([0000:]00:04.0)", options->words[0]);
	if (!parse_number(options->words[1], 0, &options->iova))
		return wrong("'%s' is not an IOVA (0x...)", options->words[1]);
	return OPTIONS_RUN;
}

/* [COMMAND [WORD...]] IMAGE; a file that is called like a command is ./show. */
static enum options_result parse_operands(struct options *options, int count, char **operands)
{
	const struct command *command;
	int i;

	if (options->explain)
		return count ? wrong("--explain takes no image") : OPTIONS_RUN;
	command = count ? command_find(operands[0]) : NULL;
	if (command && command->nr_words && count < command->nr_words + 2)
		return wrong("%s needs %sIMAGE", command->name, command->words);
	if (command) {
		options->command = operands[0];
		for (i = 0; i < command->nr_words; i++)
			options->words[i] = operands[i + 1];
		count -= command->nr_words + 1;
		operands += command->nr_words + 1;
	}
	if (!count)
		return wrong("no image given");
	if (count == 2 && options->source.flat)
		return wrong("'%s' is not a command (a base is --flat=BASE)", operands[0]);
	if (count == 2)
		return wrong("'%s' is not a command", operands[0]);
	if (count > 1)
		return wrong("too many arguments: '%s'", operands[1]);
	options->image = operands[0];
	return parse_words(options);
}

static enum options_result check_combination(const struct options *options)
{
	bool extracts = !strcmp(options->command, "extract");
	bool has_handover = options->has_kho || options->has_luo || options->has_flb;

	if (options->explain)
		return OPTIONS_RUN;
	if (options->has_flb && !options->abi)
		return wrong("--flb needs --abi NAME");
	if (extracts && !options->list_roots && !options->output)
		return wrong("extract needs -o FILE");
	if (!extracts && options->output)
		return wrong("-o goes with extract");
	if (extracts && options->output && (!*options->output || !strcmp(options->output, "-")))
		return wrong("-o: '%s' is not the name of a file", options->output);
	if (!strcmp(options->command, "verify") && options->has_vtd_root && !has_handover)
		return wrong("verify has nothing to check --vtd-root against: show reads it");
	return OPTIONS_RUN;
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
	enum options_result result;
	int option;

	memset(options, 0, sizeof(*options));
	options->command = "show";
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":o:h", long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return refuse_option(option, argv[optind - 1]);
		result = parse_option(options, option);
		if (result != OPTIONS_RUN)
			return result;
	}
	result = parse_operands(options, argc - optind, argv + optind);
	return result == OPTIONS_RUN ? check_combination(options) : result;
}
