// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A handover against a kernel: what Linux compares when it boots into one, and
 * what it does where the two differ.
 */
#include "preflight.h"

#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include <kho/abi/iommu_series.h>
#include <kho/abi/iommuser.h>
#include <kho/abi/kexec_metadata.h>
#include <kho/abi/kho.h>
#include <kho/abi/luo.h>

#include "fdt-blob.h"
#include "report.h"

/* Kinds of files and FLBs that are looked at one by one. */
#define MAX_KINDS 256
#define MAX_NAMED_REGIONS 16
#define KHO_FAMILY "kho-v"
#define LUO_FAMILY "luo-v"

static const char machine_consequence[] =
	"Kexec cannot boot it on that machine: nothing is handed over.";
static const char kho_consequence[] =
	"The next kernel boots as if nothing had been handed over. It takes preserved memory, page "
	"tables included, for free, while devices go on using it.";
static const char page_consequence[] =
	"The next kernel misreads KHO's memory map: it reserves other memory than was preserved.";
static const char luo_consequence[] =
	"The next kernel panics early in its boot (\"The incoming tree failed to initialize "
	"properly\"), with liveupdate=off too. Until the reset devices go on with their old tables.";
static const char no_luo_consequence[] =
	"Nobody takes the sessions over: what is in them is lost, and stays reserved until a boot "
	"without a handover.";
static const char handler_consequence[] =
	"Each open of /dev/liveupdate answers EIO until the next boot: no session can be taken over, "
	"not even its memory.";
static const char flb_consequence[] =
	"Nobody in the next kernel asks for it: what its files share is lost, and stays reserved.";
static const char iommu_consequence[] =
	"The next kernel sets its IOMMUs up anew. While translation is off, preserved devices' I/O "
	"addresses are taken for physical ones, and their DMA overwrites what is there; then it "
	"faults.";
static const char layout_consequence[] =
	"The next kernel refuses the IOMMU state: it panics, or blocks every preserved device "
	"(iommu_liveupdate.on_error).";
static const char metadata_consequence[] =
	"The next kernel warns, and counts kexecs anew. Nothing else is lost.";
static const char memblock_consequence[] =
	"Regions of reserve_mem= are allocated anew: what was in them is lost.";
static const char subtree_consequence[] =
	"Nobody in the next kernel asks for it: what it leads to stays reserved, and unused.";
static const char blocks_consequence[] =
	"LUO refuses such a block: the next kernel panics early in its boot when it is of sessions; "
	"when it is of files, each open of /dev/liveupdate fails.";
static const char damage_consequence[] =
	"The next kernel panics, blocks the preserved devices, or goes wrong later.";

/* Names */

static void add_name(void *ctx, const char *text)
{
	struct preflight_names *names = ctx;
	size_t i;

	for (i = 0; i < names->nr; i++)
		if (!strcmp(names->names[i], text))
			return;
	if (names->nr == names->max || strlen(text) >= sizeof(names->names[0])) {
		names->cut = true;
		return;
	}
	memcpy(names->names[names->nr++], text, strlen(text) + 1);
}

static bool has_name(const struct preflight_names *names, const char *text)
{
	size_t i;

	for (i = 0; i < names->nr; i++)
		if (!strcmp(names->names[i], text))
			return true;
	return false;
}

/* Length up to the number of "...-vN"; all of it where there is none. */
static size_t family_length(const char *name)
{
	size_t length = strlen(name), digits = length;

	while (digits && name[digits - 1] >= '0' && name[digits - 1] <= '9')
		digits--;
	if (digits == length || digits < 2 || strncmp(name + digits - 2, "-v", 2))
		return length;
	return digits;
}

/* Other structs can look like handlers; their names are hardly like those. */
static void add_handler(void *ctx, const char *compatible)
{
	if (family_length(compatible) < strlen(compatible) || luo_is_iommu_flb(compatible))
		add_name(ctx, compatible);
}

/* "kho-v3, kho-v4": the names that begin so, sorted as found */
static const char *list_names(const struct preflight_names *names, const char *begin, size_t length,
			      char *buffer, size_t size)
{
	size_t i, used = 0;
	int written;

	buffer[0] = 0;
	for (i = 0; i < names->nr; i++) {
		if (strncmp(names->names[i], begin, length))
			continue;
		written = snprintf(buffer + used, size - used, "%s%s", used ? ", " : "",
				   names->names[i]);
		if (written < 0 || (size_t)written >= size - used)
			break;
		used += (size_t)written;
	}
	return buffer;
}

void preflight_learn(struct preflight_kernel *kernel, const struct kernel_file *file)
{
	size_t i;

	*kernel = (struct preflight_kernel){
		.file = file,
		.kho.max = PREFLIGHT_MAX_NAMES,
		.luo.max = PREFLIGHT_MAX_NAMES,
		.handlers.max = PREFLIGHT_MAX_HANDLERS,
	};
	kernel_find_family(file, KHO_FAMILY, add_name, &kernel->kho);
	kernel_find_family(file, LUO_FAMILY, add_name, &kernel->luo);
	kernel_find_handlers(file, add_handler, &kernel->handlers);
	for (i = 0; i < kernel->handlers.nr && !kernel->iommu; i++)
		if (luo_is_iommu_flb(kernel->handlers.names[i]))
			kernel->iommu = kernel->handlers.names[i];
}

/* Contracts */

static struct preflight_contract *add_contract(struct preflight *preflight, const char *name,
					       const char *image, const char *consequence)
{
	struct preflight_contract *contract;
	size_t room = preflight->room ? 2 * preflight->room : 32;

	if (preflight->nr_contracts == preflight->room) {
		contract = realloc(preflight->contracts, room * sizeof(*contract));
		if (!contract) {
			preflight->no_memory = true;
			return NULL;
		}
		preflight->contracts = contract;
		preflight->room = room;
	}
	contract = &preflight->contracts[preflight->nr_contracts++];
	*contract = (struct preflight_contract){ .name = name,
						 .essential = true,
						 .consequence = consequence };
	escape_text(image, strlen(image), contract->image, sizeof(contract->image));
	return contract;
}

static void say(struct preflight_contract *contract, enum preflight_result result,
		const char *format, ...) __attribute__((format(printf, 3, 4)));

static void say(struct preflight_contract *contract, enum preflight_result result,
		const char *format, ...)
{
	va_list arguments;

	contract->result = result;
	va_start(arguments, format);
	vsnprintf(contract->why, sizeof(contract->why), format, arguments);
	va_end(arguments);
}

static void add_need(struct preflight *preflight, const char *why, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add_need(struct preflight *preflight, const char *why, const char *format, ...)
{
	struct preflight_need *need = &preflight->needs[preflight->nr_needs];
	va_list arguments;

	if (preflight->nr_needs == PREFLIGHT_MAX_NEEDS)
		return;
	preflight->nr_needs++;
	need->why = why;
	va_start(arguments, format);
	vsnprintf(need->option, sizeof(need->option), format, arguments);
	va_end(arguments);
}

/* A string that Linux compares as a whole. */
static void compare_string(struct preflight_contract *contract, const char *image,
			   const struct preflight_names *names, const char *what)
{
	char escaped[160];
	size_t i;

	list_names(names, "", 0, contract->kernel, sizeof(contract->kernel));
	escape_text(image, strlen(image), escaped, sizeof(escaped));
	if (!names->nr) {
		say(contract, PREFLIGHT_MISSING, "it has no %s", what);
		return;
	}
	if (has_name(names, image))
		return;
	if (names->cut) {
		say(contract, PREFLIGHT_UNKNOWN, "it names too many versions of %s", what);
		return;
	}
	/* How lists of several strings are compared is not settled. */
	for (i = 0; i < names->nr; i++) {
		if (strchr(image, ';') && compatible_is(image, names->names[i])) {
			say(contract, PREFLIGHT_UNKNOWN,
			    "the image says \"%s\" of %s: how it is compared differs", escaped,
			    what);
			return;
		}
	}
	say(contract, PREFLIGHT_MISMATCH, "the image has %s, it has %s", escaped, contract->kernel);
}

/* 6.16 and 6.17 wrote smaller bitmaps under the same name; the fix went to stable kernels too. */
static void compare_kho_v1(struct preflight_contract *contract, const struct handover *handover,
			   const struct preflight_kernel *kernel)
{
	const struct kho_map_stats *stats = &handover->pages.stats;
	bool known = handover->has_pages && !stats->bitmap_guessed && stats->bitmap_size;
	bool small = known && stats->bitmap_size == KHO_V1_SMALL_BITMAP_SIZE;
	unsigned long major, minor;
	char *end;

	if (contract->result != PREFLIGHT_OK || handover->kho.revision != KHO_REVISION_V1 ||
	    !handover->kho.map)
		return;
	major = strtoul(kernel->file->release, &end, 10);
	minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
	if (!known)
		say(contract, PREFLIGHT_UNKNOWN,
		    "two layouts of bitmaps go by kho-v1, and it is not known which is which");
	else if (major > 6 || (major == 6 && minor >= 18))
		if (small)
			say(contract, PREFLIGHT_MISMATCH,
			    "the image has kho-v1's first layout of bitmaps, it has the second");
		else
			return;
	else
		say(contract, PREFLIGHT_UNKNOWN,
		    "two layouts of bitmaps go by kho-v1; which one Linux %lu.%lu has depends on its "
		    "fixes",
		    major, minor);
}

/* EM_*, or 0 */
static u32 machine_of_unit(const struct handover *handover, u64 i)
{
	union iommuser_record record;

	if (iommuser_graph_read(&handover->graph, IOMMUSER_KIND_IOMMU, i, &record) ||
	    record.common.flags & IOMMUSER_FLAG_DELETED)
		return 0;
	switch (record.iommu.type) {
	case IOMMUSER_IOMMU_TYPE_INTEL:
		return EM_X86_64;
	case IOMMUSER_IOMMU_TYPE_ARM_SMMUV3:
		return EM_AARCH64;
	default:
		return 0;
	}
}

/* As the image says, or as its IOMMUs tell: EM_*, or 0 where neither does. */
static u32 machine_of(const struct handover *handover)
{
	const struct source_hints *hints = source_hints(handover->source);
	u32 machine = source_machine(handover->source);
	u64 i, nr;

	if (!machine && hints && hints->nr_vtd_roots)
		return EM_X86_64;
	nr = handover->has_iommu ? iommuser_graph_count(&handover->graph, IOMMUSER_KIND_IOMMU) : 0;
	for (i = 0; !machine && i < nr; i++)
		machine = machine_of_unit(handover, i);
	return machine;
}

static const char *name_machine(u32 machine, char *buffer, size_t size)
{
	if (machine == EM_X86_64)
		return "x86_64";
	if (machine == EM_AARCH64)
		return "aarch64";
	snprintf(buffer, size, "ELF machine %u", machine);
	return machine ? buffer : "";
}

static void compare_machine(struct preflight *preflight, const struct handover *handover,
			    const struct preflight_kernel *kernel)
{
	u32 machine = machine_of(handover), of_kernel = kernel->file->elf_machine;
	struct preflight_contract *contract;
	char name[32];

	contract = add_contract(preflight, "machine", name_machine(machine, name, sizeof(name)),
				machine_consequence);
	if (!contract)
		return;
	snprintf(contract->kernel, sizeof(contract->kernel), "%s",
		 name_machine(of_kernel, name, sizeof(name)));
	/* Kexec itself refuses another machine's kernel: not to know it is no reason to doubt. */
	contract->essential = machine;
	if (!machine)
		say(contract, PREFLIGHT_UNKNOWN, "the image does not tell its machine");
	else if (machine != of_kernel)
		say(contract, PREFLIGHT_MISMATCH, "the image is of %s, it is a kernel for %s",
		    contract->image, contract->kernel);
}

/* KHO's memory map does not say in what pages it counts. */
static void compare_page_size(struct preflight *preflight, const struct handover *handover,
			      const struct preflight_kernel *kernel)
{
	u32 shift = source_page_shift(handover->source), of_kernel = kernel->file->page_shift;
	struct preflight_contract *contract;
	char size[32];

	snprintf(size, sizeof(size), "%u KiB", 1U << (shift - 10));
	contract = add_contract(preflight, "page size", size, page_consequence);
	if (!contract)
		return;
	if (of_kernel)
		snprintf(contract->kernel, sizeof(contract->kernel), "%u KiB",
			 1U << (of_kernel - 10));
	if (!of_kernel)
		say(contract, PREFLIGHT_UNKNOWN, "its page size is not known");
	else if (of_kernel != shift)
		say(contract, PREFLIGHT_MISMATCH, "the image is of pages of %s, it has %s", size,
		    contract->kernel);
}

/* The kernel's own stream starts at the IOMMU state. */
static bool is_stream(const struct handover *handover)
{
	return !handover->has_kho && !handover->has_luo && handover->has_flb;
}

static bool is_outgoing(const struct handover *handover)
{
	return !strcmp(handover->origin, "outgoing");
}

static void say_no_kho(struct preflight_contract *contract, const struct handover *handover)
{
	if (is_stream(handover) && is_outgoing(handover))
		say(contract, PREFLIGHT_UNKNOWN,
		    "this kind of image has neither KHO nor LUO (on the host that it was taken "
		    "of, \"preflight live\" reads them too)");
	else if (is_stream(handover))
		say(contract, PREFLIGHT_UNKNOWN, "this kind of image has neither KHO nor LUO");
	else
		say(contract, PREFLIGHT_UNKNOWN, "the image's KHO was not read");
}

static void compare_kho(struct preflight *preflight, const struct handover *handover,
			const struct preflight_kernel *kernel)
{
	const char *image = handover->has_kho ? handover->kho.compatible : "";
	struct preflight_contract *contract =
		add_contract(preflight, "KHO", image, kho_consequence);

	if (!contract)
		return;
	compare_string(contract, image, &kernel->kho, "kexec handover (KHO)");
	if (!handover->has_kho && contract->result != PREFLIGHT_MISSING)
		say_no_kho(contract, handover);
	compare_kho_v1(contract, handover, kernel);
}

static void compare_metadata(struct preflight *preflight, const struct handover *handover,
			     const struct preflight_kernel *kernel)
{
	struct preflight_contract *contract;
	char version[32] = "not readable";

	if (handover->kho.metadata.present)
		snprintf(version, sizeof(version), "version %u", handover->kho.metadata.version);
	contract = add_contract(preflight, "kexec-metadata", version, metadata_consequence);
	if (!contract)
		return;
	contract->essential = false;
	if (!kernel_has_string(kernel->file, KHO_METADATA_SUBTREE))
		say(contract, PREFLIGHT_MISSING, "it does not know %s", KHO_METADATA_SUBTREE);
	else if (handover->kho.metadata.present)
		snprintf(contract->kernel, sizeof(contract->kernel), "version %d",
			 KEXEC_METADATA_VERSION);
	else
		say(contract, PREFLIGHT_UNKNOWN, "what the image has can't be read");
}

static void need_regions(struct preflight *preflight, const struct kho *kho)
{
	static const char why[] = "a region that the image hands over, with the size that it has";
	char name[100];
	size_t i;

	for (i = 0; i < kho->nr_reserved && i < MAX_NAMED_REGIONS; i++) {
		escape_text(kho->reserved[i].name, sizeof(kho->reserved[i].name), name,
			    sizeof(name));
		add_need(preflight, why, "reserve_mem=...:%s", name);
	}
	if (i < kho->nr_reserved)
		add_need(preflight, why, "reserve_mem=... (%zu more)", kho->nr_reserved - i);
}

static void compare_memblock(struct preflight *preflight, const struct handover *handover,
			     const struct preflight_kernel *kernel)
{
	static const struct {
		const char *name;
		const char *compatible;
		const char *family;
	} parts[] = {
		{ "memblock", KHO_MEMBLOCK_V1_COMPATIBLE, "memblock-v" },
		{ "reserve_mem", KHO_RESERVE_MEM_V1_COMPATIBLE, "reserve-mem-v" },
	};
	struct preflight_contract *contract;
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct preflight_names names = { .max = PREFLIGHT_MAX_NAMES };

		contract = add_contract(preflight, parts[i].name, parts[i].compatible,
					memblock_consequence);
		if (!contract)
			return;
		contract->essential = handover->kho.nr_reserved > 0;
		kernel_find_family(kernel->file, parts[i].family, add_name, &names);
		compare_string(contract, parts[i].compatible, &names, parts[i].name);
		if (report_count_id(handover->report, IOMMUSER_FINDING_KHO_SUBTREE_PROPERTY))
			say(contract, PREFLIGHT_UNKNOWN, "what the image has can't be read");
	}
	need_regions(preflight, &handover->kho);
}

/* The others belong to modules and tests; their names are all that is known of them. */
static void compare_subtree(struct preflight *preflight, const struct kho_subtree *subtree,
			    const struct preflight_kernel *kernel)
{
	struct preflight_contract *contract =
		add_contract(preflight, "subtree", subtree->name, subtree_consequence);

	if (!contract)
		return;
	contract->essential = false;
	if (kernel_has_string(kernel->file, subtree->name))
		memcpy(contract->kernel, contract->image, sizeof(contract->kernel));
	else
		say(contract, PREFLIGHT_UNKNOWN, "its owner may be in a module");
}

static void compare_subtrees(struct preflight *preflight, const struct handover *handover,
			     const struct preflight_kernel *kernel)
{
	const struct kho *kho = &handover->kho;
	size_t i;

	for (i = 0; handover->has_kho && i < kho->nr_subtrees && i < MAX_KINDS; i++) {
		if (!strcmp(kho->subtrees[i].name, KHO_METADATA_SUBTREE))
			compare_metadata(preflight, handover, kernel);
		else if (!strcmp(kho->subtrees[i].name, KHO_MEMBLOCK_SUBTREE))
			compare_memblock(preflight, handover, kernel);
		else if (strcmp(kho->subtrees[i].name, KHO_LUO_SUBTREE))
			compare_subtree(preflight, &kho->subtrees[i], kernel);
	}
}

/* LUO */

/* A child of luo-v1 has a version of its own. */
static void compare_luo_child(struct preflight *preflight, const struct fdt_blob *blob,
			      const char *node, const char *family,
			      const struct preflight_kernel *kernel)
{
	struct preflight_names names = { .max = PREFLIGHT_MAX_NAMES };
	struct preflight_contract *contract;
	int offset = fdt_subnode_offset(blob->data, 0, node);
	char compatible[64];

	if (offset < 0)
		return;
	fdt_blob_compatible(blob, offset, compatible, sizeof(compatible));
	contract = add_contract(preflight, node, compatible, luo_consequence);
	if (!contract)
		return;
	kernel_find_family(kernel->file, family, add_name, &names);
	compare_string(contract, compatible, &names, node);
	/* LUO of 6.19 has no FLBs; it does not look for them. */
	if (contract->result == PREFLIGHT_MISSING && !strcmp(node, LUO_V1_FLB_NODE))
		contract->consequence = flb_consequence;
}

static void compare_luo_v1(struct preflight *preflight, const struct handover *handover,
			   const struct preflight_kernel *kernel)
{
	u64 size = handover->luo.size ? handover->luo.size : 1ULL << handover->luo.page_shift;
	struct fdt_blob blob;

	if (fdt_blob_read(&blob, handover->source, handover->luo.phys, size) == 0) {
		compare_luo_child(preflight, &blob, LUO_V1_SESSION_NODE, "luo-session-v", kernel);
		compare_luo_child(preflight, &blob, LUO_V1_FLB_NODE, "luo-flb-v", kernel);
	}
	fdt_blob_free(&blob);
}

/* There is LUO state, readable or not. */
static bool image_has_luo(const struct handover *handover)
{
	return handover->has_luo || handover->luo.compatible[0] ||
	       (handover->has_kho && kho_find_subtree(&handover->kho, KHO_LUO_SUBTREE));
}

static void compare_luo(struct preflight *preflight, const struct handover *handover, bool needed,
			const struct preflight_kernel *kernel)
{
	struct preflight_contract *contract;

	if (!image_has_luo(handover) && !needed)
		return;
	contract = add_contract(preflight, "LUO", handover->luo.compatible,
				kernel->luo.nr ? luo_consequence : no_luo_consequence);
	if (!contract)
		return;
	compare_string(contract, handover->luo.compatible, &kernel->luo,
		       "live update orchestrator (LUO)");
	if (contract->result != PREFLIGHT_MISSING && !image_has_luo(handover))
		say(contract, PREFLIGHT_UNKNOWN,
		    handover->has_kho ? "there is no LUO state in KHO" :
					"the image's LUO state was not read");
	else if (contract->result != PREFLIGHT_MISSING && !handover->luo.compatible[0])
		say(contract, PREFLIGHT_UNKNOWN, "the image's LUO state can't be read");
	else if (contract->result == PREFLIGHT_OK && !handover->has_luo)
		say(contract, PREFLIGHT_UNKNOWN, "what the image's LUO state holds is not known");
	if (contract->result == PREFLIGHT_OK && handover->luo.revision == LUO_REVISION_V1)
		compare_luo_v1(preflight, handover, kernel);
}

/* File handlers and FLBs */

/**
 * struct place - where a handler is built from
 * @begin: of its compatible string, up to the version
 * @option: what decides whether it is a module, NULL when it is built in or not at all
 * @parameter: a string that is there when it is built in; NULL when none is known
 */
static const struct place {
	const char *begin;
	const char *option;
	const char *parameter;
} places[] = {
	{ "memfd-v", NULL, NULL },
	{ "iommuser-iommufd-v", "CONFIG_IOMMUFD", "iommufd.allow_unsafe_interrupts" },
	{ "iommufd-v", "CONFIG_IOMMUFD", "iommufd.allow_unsafe_interrupts" },
	{ "iommuser-vfio-pci-v", "CONFIG_VFIO_PCI", "vfio_pci.ids" },
	{ "vfio-pci-v", "CONFIG_VFIO_PCI", "vfio_pci.ids" },
};

static const struct place *find_place(const char *name)
{
	size_t i, length = family_length(name);

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strlen(places[i].begin) == length && !strncmp(places[i].begin, name, length))
			return &places[i];
	return NULL;
}

/* Another handler from there is built in, or something else is. */
static bool is_built_in(const struct preflight_kernel *kernel, const struct place *place)
{
	const struct place *other;
	size_t i;

	for (i = 0; i < kernel->handlers.nr; i++) {
		other = find_place(kernel->handlers.names[i]);
		if (other && other->option && !strcmp(other->option, place->option))
			return true;
	}
	return kernel_has_string(kernel->file, place->parameter);
}

/* Could a handler be in a module of this kernel? *@certain: the configuration says that it is. */
static bool may_be_module(const struct preflight_kernel *kernel, const char *name, bool *certain)
{
	const struct place *place = find_place(name);

	*certain = false;
	if (kernel_config(kernel->file, "CONFIG_MODULES") == 'n')
		return false;
	if (luo_is_iommu_flb(name) || (place && !place->option))
		return false;
	/* The handlers of files that have an IOMMU behind them come with its FLB. */
	if (place && !kernel->iommu && kernel->file->has_layout)
		return false;
	if (!place)
		return true;
	if (!kernel->file->config)
		return !is_built_in(kernel, place);
	*certain = kernel_config(kernel->file, place->option) == 'm';
	return *certain;
}

/* Nothing that looks like a handler was found: perhaps they look different. */
static bool handlers_unclear(const struct preflight_kernel *kernel, const char *name)
{
	return !kernel->handlers.nr && kernel_has_string(kernel->file, name);
}

static void compare_handler(struct preflight_contract *contract, const char *name,
			    const struct preflight_kernel *kernel)
{
	bool certain;

	list_names(&kernel->handlers, name, family_length(name), contract->kernel,
		   sizeof(contract->kernel));
	if (!kernel->luo.nr)
		say(contract, PREFLIGHT_MISSING, "it has no live update orchestrator (LUO)");
	else if (has_name(&kernel->handlers, name))
		memcpy(contract->kernel, contract->image, sizeof(contract->kernel));
	else if (handlers_unclear(kernel, name))
		say(contract, PREFLIGHT_UNKNOWN, "its file names %s, but not clearly as a handler",
		    contract->image);
	else if (contract->kernel[0])
		say(contract, PREFLIGHT_MISMATCH, "the image has %s, it has %s", contract->image,
		    contract->kernel);
	else if (kernel->handlers.cut)
		say(contract, PREFLIGHT_UNKNOWN, "it has more handlers than were looked at");
	else if (may_be_module(kernel, name, &certain))
		say(contract, PREFLIGHT_UNKNOWN, "%s %s in a module", contract->image,
		    certain ? "is" : "may be");
	else
		say(contract, PREFLIGHT_MISSING, "it has no handler for %s", contract->image);
}

/* One line for each kind of file. */
static void compare_files(struct preflight *preflight, const struct handover *handover,
			  const struct preflight_kernel *kernel)
{
	const char *kinds[MAX_KINDS];
	struct preflight_contract *contract;
	const struct luo_session *session;
	size_t i, j, k, nr = 0;

	for (i = 0; i < handover->luo.nr_sessions; i++) {
		session = &handover->luo.sessions[i];
		for (j = 0; j < session->nr_files && nr < MAX_KINDS; j++) {
			for (k = 0; k < nr; k++)
				if (!strcmp(kinds[k], session->files[j].compatible))
					break;
			if (k < nr)
				continue;
			kinds[nr++] = session->files[j].compatible;
			contract = add_contract(preflight, "file handler", kinds[k],
						handler_consequence);
			if (contract)
				compare_handler(contract, kinds[k], kernel);
		}
	}
	if (nr < MAX_KINDS)
		return;
	contract = add_contract(preflight, "file handler", "other kinds", handler_consequence);
	if (contract)
		say(contract, PREFLIGHT_UNKNOWN, "the image has %d kinds of files or more",
		    MAX_KINDS);
}

/* Only Linux's own note of itself is in KHO. */
static bool is_empty_kho(const struct handover *handover)
{
	const struct kho *kho = &handover->kho;

	return handover->has_kho &&
	       kho->nr_subtrees == !!kho_find_subtree(kho, KHO_METADATA_SUBTREE);
}

/* LUO writes sessions, what is in them and FLBs in the reboot call alone. */
static bool sessions_to_come(const struct handover *handover)
{
	const struct luo_state *luo = &handover->luo;

	if (handover->has_luo && (luo->nr_sessions || luo->nr_flbs || !luo->sessions_complete))
		return false;
	if (is_outgoing(handover))
		return true;
	return !strcmp(handover->origin, "unknown") &&
	       (handover->has_luo || is_empty_kho(handover));
}

static bool has_live_record(const struct handover *handover, u32 kind)
{
	union iommuser_record record;
	u64 i;

	for (i = 0; handover->has_iommu && i < iommuser_graph_count(&handover->graph, kind); i++)
		if (!iommuser_graph_read(&handover->graph, kind, i, &record) &&
		    !(record.common.flags & IOMMUSER_FLAG_DELETED))
			return true;
	return false;
}

static void expect_handler(struct preflight *preflight, const char *name,
			   const struct preflight_kernel *kernel)
{
	struct preflight_contract *contract =
		add_contract(preflight, "file handler", name, handler_consequence);

	if (contract)
		compare_handler(contract, name, kernel);
}

/* Files that will be there because of IOMMU records that are there already. */
static void compare_files_to_come(struct preflight *preflight, const struct handover *handover,
				  const struct preflight_kernel *kernel)
{
	bool devices = has_live_record(handover, IOMMUSER_KIND_DEVICE);
	bool own;

	if (!handover->has_iommu)
		return;
	own = !strcmp(handover->root.revision->flb_name, IOMMUSER_V1_COMPATIBLE);
	if (devices || has_live_record(handover, IOMMUSER_KIND_HWPT))
		expect_handler(preflight,
			       own ? IOMMUSER_IOMMUFD_V1_COMPATIBLE : IOMMU_IOMMUFD_V1_COMPATIBLE,
			       kernel);
	if (devices)
		expect_handler(preflight,
			       own ? IOMMUSER_VFIO_PCI_V1_COMPATIBLE : IOMMU_VFIO_PCI_V1_COMPATIBLE,
			       kernel);
}

static void compare_sessions_to_come(struct preflight *preflight, const struct handover *handover,
				     const struct preflight_kernel *kernel)
{
	struct preflight_contract *contract;

	if (!sessions_to_come(handover))
		return;
	compare_files_to_come(preflight, handover, kernel);
	contract = add_contract(preflight, "LUO sessions", "", handler_consequence);
	if (!contract)
		return;
	preflight->so_far = is_outgoing(handover) && handover->has_iommu;
	contract->essential = !preflight->so_far;
	if (preflight->so_far)
		say(contract, PREFLIGHT_UNKNOWN,
		    "written only in the reboot call: which other kinds of files and FLBs they need "
		    "is not in the image");
	else if (is_outgoing(handover))
		say(contract, PREFLIGHT_UNKNOWN,
		    "LUO's sessions and FLBs are written only in the reboot call: what this host will "
		    "hand over is not in the image");
	else
		say(contract, PREFLIGHT_UNKNOWN,
		    "the image holds no session, and LUO writes them only in the reboot call: it does not "
		    "tell whether it was taken after it (--origin)");
}

/* The kernel has IOMMU live update, but of another kind. */
static void name_other_iommu(struct preflight_contract *contract,
			     const struct preflight_kernel *kernel)
{
	if (contract->result != PREFLIGHT_MISSING || !kernel->iommu)
		return;
	snprintf(contract->kernel, sizeof(contract->kernel), "%s", kernel->iommu);
	say(contract, PREFLIGHT_MISMATCH, "the image has IOMMU state %s, it has %s",
	    contract->image, kernel->iommu);
}

static void compare_flbs(struct preflight *preflight, const struct handover *handover,
			 const struct preflight_kernel *kernel)
{
	struct preflight_contract *contract;
	const char *name;
	size_t i;

	for (i = 0; i < handover->luo.nr_flbs && i < MAX_KINDS; i++) {
		name = handover->luo.flbs[i].name;
		contract =
			add_contract(preflight, "FLB", name,
				     luo_is_iommu_flb(name) ? iommu_consequence : flb_consequence);
		if (!contract)
			return;
		compare_handler(contract, name, kernel);
		if (luo_is_iommu_flb(name))
			name_other_iommu(contract, kernel);
		else
			/* Of the kernel's self-test. */
			contract->essential = strncmp(name, "liveupdate-test-", 16) != 0;
		if (luo_is_iommu_flb(name) && contract->result == PREFLIGHT_MISSING &&
		    kernel->luo.nr)
			say(contract, PREFLIGHT_MISSING, "it has no IOMMU live update");
	}
}

/* IOMMU state */

static bool is_sealed(const struct iommuser_root *root)
{
	return root->revision && root->revision->properties & IOMMUSER_REVISION_SEALED;
}

static u32 revisions_of_name(const char *flb_name)
{
	const struct iommuser_revision *revision;
	u32 i, nr = 0;

	for (i = 0; (revision = iommuser_revision_at(i)); i++)
		nr += !strcmp(revision->flb_name, flb_name);
	return nr;
}

static void describe_layout(const struct handover *handover, char *layout, size_t size)
{
	const struct iommuser_root *root = &handover->root;

	if (!root->revision)
		snprintf(layout, size, "unknown");
	else if (!handover->has_iommu && !root->version)
		snprintf(layout, size, "%s, not readable", root->revision->name);
	else if (is_sealed(root))
		snprintf(layout, size, "%s, format %llu.%llu", root->revision->name,
			 (unsigned long long)root->version, (unsigned long long)root->minor);
	else
		snprintf(layout, size, "%s, version %llu", root->revision->name,
			 (unsigned long long)root->version);
}

static void compare_layout(struct preflight *preflight, const struct handover *handover,
			   const struct preflight_kernel *kernel)
{
	const struct iommuser_root *root = &handover->root;
	struct preflight_contract *contract;
	char layout[96];
	bool has_flb;

	if (!handover->has_flb)
		return;
	has_flb = root->revision && has_name(&kernel->handlers, root->revision->flb_name);
	describe_layout(handover, layout, sizeof(layout));
	contract = add_contract(preflight, "IOMMU layout", layout,
				has_flb ? layout_consequence : iommu_consequence);
	if (!contract)
		return;
	if (kernel->iommu)
		snprintf(contract->kernel, sizeof(contract->kernel), "%s", kernel->iommu);
	if (!kernel->iommu)
		say(contract, PREFLIGHT_MISSING, "it has no IOMMU live update");
	else if (!root->revision || !handover->has_iommu)
		say(contract, PREFLIGHT_UNKNOWN, "the image's IOMMU state can't be read");
	else if (!has_flb)
		say(contract, PREFLIGHT_MISMATCH, "the image has IOMMU state %s, it has %s",
		    root->revision->name, kernel->iommu);
	else if (revisions_of_name(root->revision->flb_name) > 1)
		say(contract, PREFLIGHT_UNKNOWN, "several layouts go by the name %s",
		    root->revision->flb_name);
	else if (is_sealed(root))
		snprintf(contract->kernel, sizeof(contract->kernel), "%s, format %llu",
			 kernel->iommu, (unsigned long long)root->version);
}

/* How the live units of the image run; the next kernel must choose the same. */
static u32 modes_of(const struct handover *handover)
{
	union iommuser_record record;
	u32 modes = 0;
	u64 i;

	for (i = 0;
	     handover->has_iommu && i < iommuser_graph_count(&handover->graph, IOMMUSER_KIND_IOMMU);
	     i++)
		if (!iommuser_graph_read(&handover->graph, IOMMUSER_KIND_IOMMU, i, &record) &&
		    !(record.common.flags & IOMMUSER_FLAG_DELETED) && record.iommu.mode &&
		    record.iommu.mode <= IOMMUSER_IOMMU_MODE_SCALABLE)
			modes |= 1U << record.iommu.mode;
	return modes;
}

static void need_iommu(struct preflight *preflight, const struct handover *handover,
		       const struct preflight_kernel *kernel)
{
	u32 modes = modes_of(handover);

	if (!handover->has_flb)
		return;
	if (kernel_config(kernel->file, "CONFIG_INTEL_IOMMU_DEFAULT_ON") != 'y')
		add_need(preflight, "off unless the kernel's configuration says otherwise",
			 "intel_iommu=on");
	if (modes == 1U << IOMMUSER_IOMMU_MODE_SCALABLE)
		add_need(preflight,
			 "the units run in scalable mode; as the kernel that hands over had it",
			 "intel_iommu=sm_on");
	else if (modes == 1U << IOMMUSER_IOMMU_MODE_LEGACY)
		add_need(preflight,
			 "the units run in legacy mode; not needed where they have no other",
			 "intel_iommu=sm_off");
}

static void need_all(struct preflight *preflight, const struct handover *handover,
		     const struct handover *upper, const struct preflight_kernel *kernel)
{
	if (kernel_config(kernel->file, "CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT") != 'y')
		add_need(preflight, "off unless the kernel's configuration says otherwise",
			 "kho=on");
	if (image_has_luo(upper) || is_stream(handover))
		add_need(preflight, "off without it: handlers then do not register",
			 "liveupdate=on");
	need_iommu(preflight, handover, kernel);
}

/* The image itself */

static u64 count_ids(const struct report *report, const enum iommuser_finding_id *ids, size_t nr)
{
	u64 count = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		count += report_count_id(report, ids[i]);
	return count;
}

static void judge_image(struct preflight *preflight, const struct handover *handover)
{
	/* Linux panics on these when they are of sessions. */
	static const enum iommuser_finding_id blocks[] = {
		IOMMUSER_FINDING_LUO_CHAIN_CYCLE,     IOMMUSER_FINDING_LUO_BLOCK_EMPTY,
		IOMMUSER_FINDING_LUO_BLOCK_COUNT,     IOMMUSER_FINDING_LUO_BLOCK_ADDRESS,
		IOMMUSER_FINDING_LUO_TOO_MANY_BLOCKS,
	};
	/* Not damaged, but foreign to this tool. */
	static const enum iommuser_finding_id foreign[] = {
		IOMMUSER_FINDING_KHO_COMPATIBLE_UNKNOWN,
		IOMMUSER_FINDING_LUO_COMPATIBLE_UNKNOWN,
		IOMMUSER_FINDING_REC_ROOT_UNKNOWN,
	};
	const struct report *report = handover->report;
	const char *status = report_status(report);
	u64 errors = report_count(report, IOMMUSER_ERROR);
	u64 strange = count_ids(report, foreign, sizeof(foreign) / sizeof(foreign[0]));
	u64 bad_blocks = count_ids(report, blocks, sizeof(blocks) / sizeof(blocks[0]));
	struct preflight_contract *contract = add_contract(
		preflight, "verify", status, bad_blocks ? blocks_consequence : damage_consequence);

	if (!contract)
		return;
	if (report_count_id(report, IOMMUSER_FINDING_LUO_BLOCK_EMPTY))
		say(contract, PREFLIGHT_DAMAGED,
		    "the image has an empty block of sessions or files (LUO-06), which LUO refuses");
	else if (bad_blocks)
		say(contract, PREFLIGHT_DAMAGED, "the image's sessions are damaged (see verify)");
	else if (errors > strange)
		say(contract, PREFLIGHT_DAMAGED, "verify finds %llu error%s in the image",
		    (unsigned long long)errors, errors == 1 ? "" : "s");
	else if (strange)
		say(contract, PREFLIGHT_UNKNOWN,
		    "the image holds what this tool does not know (see verify)");
	else if (!strcmp(status, "incomplete"))
		say(contract, PREFLIGHT_UNKNOWN,
		    "the image lacks metadata that the next kernel reads (see verify)");
}

/* A definite no rather than something unknown; of two alike, what comes first in a boot. */
static void decide(struct preflight *preflight)
{
	const struct preflight_contract *contract;
	size_t i;

	for (i = 0; i < preflight->nr_contracts; i++) {
		contract = &preflight->contracts[i];
		if (!contract->essential || contract->result == PREFLIGHT_OK)
			continue;
		if (!preflight->reason || (preflight->accepts == PREFLIGHT_UNKNOWN &&
					   contract->result != PREFLIGHT_UNKNOWN)) {
			preflight->accepts = contract->result;
			preflight->reason = contract->why;
		}
	}
}

bool preflight_compare(struct preflight *preflight, struct handover *handover,
		       const struct handover *beside, const struct preflight_kernel *kernel)
{
	const struct handover *upper = beside ? beside : handover;

	*preflight = (struct preflight){ 0 };
	compare_machine(preflight, handover, kernel);
	compare_kho(preflight, upper, kernel);
	compare_page_size(preflight, handover, kernel);
	compare_subtrees(preflight, upper, kernel);
	compare_luo(preflight, upper, handover->has_flb && is_outgoing(handover), kernel);
	compare_flbs(preflight, handover, kernel);
	compare_layout(preflight, handover, kernel);
	compare_files(preflight, handover, kernel);
	compare_sessions_to_come(preflight, handover, kernel);
	judge_image(preflight, handover);
	need_all(preflight, handover, upper, kernel);
	if (preflight->no_memory)
		return false;
	decide(preflight);
	return true;
}

void preflight_free(struct preflight *preflight)
{
	free(preflight->contracts);
	*preflight = (struct preflight){ 0 };
}
