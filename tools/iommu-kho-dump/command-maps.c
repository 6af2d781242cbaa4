// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump maps [BDF]: what devices can reach by DMA. There may be more
 * ranges than fit into memory, so they are printed as they are found.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "maps.h"
#include "model.h"
#include "pci-name.h"
#include "report.h"
#include "text.h"

#define DEFAULT_LIMIT 50

static const char *const formats[] = { "first-stage", "second-stage", NULL };
static const char *const accesses[] = { "none", "r", "w", "rw", NULL };
static const char *const json_accesses[] = { "\"none\"", "\"r\"", "\"w\"", "\"rw\"" };
static const char *const reasons[] = { "the image lacks the table", "the table was met before",
				       "no hardware would follow the entry", NULL };

static const struct output_field range_fields[] = {
	OUTPUT_FIELD("iova", OUTPUT_HEX, "address that the device uses", .heading = "IOVA"),
	OUTPUT_FIELD("phys", OUTPUT_HEX, "physical address of that memory", .heading = "physical"),
	OUTPUT_FIELD("length", OUTPUT_NUMBER, "bytes", .heading = "size"),
	OUTPUT_FIELD("access", OUTPUT_TEXT, "what the device may do there", .heading = "access",
		     .values = accesses),
	OUTPUT_FIELD("snoop", OUTPUT_FLAG, "accesses are forced to snoop caches"),
	OUTPUT_FIELD("page_sizes", OUTPUT_HEX, "bit n: leaf entries of 2^n bytes map it"),
	OUTPUT_FIELD("memfd", OUTPUT_HEX, "token of the memfd that holds the memory",
		     .flags = OUTPUT_NULL, .heading = "memfd"),
	OUTPUT_FIELD("offset", OUTPUT_HEX, "where in that memfd", .flags = OUTPUT_NULL,
		     .heading = "offset"),
	OUTPUT_FIELD("session", OUTPUT_TEXT, "LUO session of that memfd", .flags = OUTPUT_NULL,
		     .heading = "session"),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_range = {
	.name = "mapped_range",
	.what = "IOVAs that map memory: address, memory, permissions and file offset go on within",
	.fields = range_fields,
};

static const struct output_field gap_fields[] = {
	OUTPUT_FIELD("iova", OUTPUT_HEX, "first address", .heading = "IOVA"),
	OUTPUT_FIELD("length", OUTPUT_NUMBER, "bytes", .heading = "size"),
	OUTPUT_FIELD("phys", OUTPUT_HEX, "of the (first) table or entry", .heading = "physical"),
	OUTPUT_FIELD("reason", OUTPUT_TEXT, "why", .heading = "why", .values = reasons),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_gap = {
	.name = "mapped_gap",
	.what = "IOVAs of which it is not known what they map",
	.fields = gap_fields,
};

#define MAPPED_FIELDS                                                                              \
	OUTPUT_FIELD("domain", OUTPUT_NUMBER, "index of its domain record", .flags = OUTPUT_NULL), \
		OUTPUT_FIELD("format", OUTPUT_TEXT, "of the page table", .flags = OUTPUT_NULL,     \
			     .values = formats),                                                   \
		OUTPUT_FIELD("top_table", OUTPUT_HEX, "where the page table is",                   \
			     .flags = OUTPUT_NULL),                                                \
		OUTPUT_FIELD("reason", OUTPUT_TEXT, "why there is no page table",                  \
			     .flags = OUTPUT_NULL),                                                \
		OUTPUT_FIELD("range_count", OUTPUT_NUMBER, "ranges; --limit may print less"),      \
		OUTPUT_FIELD("mapped", OUTPUT_NUMBER, "bytes of all ranges"),                      \
		OUTPUT_FIELD("in_memfds", OUTPUT_NUMBER, "bytes of them that memfds hold"),        \
		OUTPUT_FIELD("gap_count", OUTPUT_NUMBER, "gaps; --limit may print less"),          \
		OUTPUT_FIELD("ranges", OUTPUT_OBJECTS, "what is mapped", .object = &output_range), \
		OUTPUT_FIELD("gaps", OUTPUT_OBJECTS, "where that is not known",                    \
			     .object = &output_gap),                                               \
		OUTPUT_FIELDS_END

static const struct output_field device_fields[] = {
	OUTPUT_FIELD("bdf", OUTPUT_TEXT, "PCI function, ssss:bb:dd.f"),
	OUTPUT_FIELD("pasid", OUTPUT_NUMBER, "PASID; null for requests without one",
		     .flags = OUTPUT_NULL),
	MAPPED_FIELDS,
};

static const struct output_object output_mapped_device = {
	.name = "mapped_device",
	.what = "what a device reaches with requests of one PASID, or without one",
	.fields = device_fields,
};

static const struct output_field domain_fields[] = {
	OUTPUT_FIELD("hwpt_token", OUTPUT_HEX, "of the HWPT that holds it", .flags = OUTPUT_NULL),
	MAPPED_FIELDS,
};

static const struct output_object output_mapped_domain = {
	.name = "mapped_domain",
	.what = "what a domain maps that no device uses",
	.fields = domain_fields,
};

static const struct output_field maps_fields[] = {
	OUTPUT_FIELD("complete", OUTPUT_FLAG, "no table or record was missing or strange"),
	OUTPUT_FIELD("missing", OUTPUT_TEXT,
		     "records and tables that may have told of more than is listed",
		     .flags = OUTPUT_OPTIONAL),
	OUTPUT_FIELD("owners_known", OUTPUT_FLAG, "the image tells what all memfds hold"),
	OUTPUT_FIELD("page_tables", OUTPUT_NUMBER, "page tables, shared ones once"),
	OUTPUT_FIELD("range_count", OUTPUT_NUMBER, "ranges of all page tables"),
	OUTPUT_FIELD("mapped", OUTPUT_NUMBER, "bytes that all page tables map"),
	OUTPUT_FIELD("in_memfds", OUTPUT_NUMBER, "bytes of them that memfds hold"),
	OUTPUT_FIELD("gap_count", OUTPUT_NUMBER, "gaps of all page tables"),
	OUTPUT_FIELD("devices", OUTPUT_OBJECTS, "live devices, each followed by its PASIDs",
		     .object = &output_mapped_device),
	OUTPUT_FIELD("domains", OUTPUT_OBJECTS, "domains that no device uses",
		     .object = &output_mapped_domain),
	OUTPUT_FIELDS_END,
};

static const struct output_object output_maps = {
	.name = "maps",
	.what = "what devices can reach by DMA",
	.fields = maps_fields,
};

/* The objects, without their arrays; ranges are written without an object in between */

static struct json_object *model_gap(const struct mapping_gap *gap)
{
	struct json_object *object = output_new(&output_gap);

	put_hex(object, "iova", gap->iova);
	put_number(object, "length", gap->length);
	put_hex(object, "phys", gap->phys);
	put_text(object, "reason", mapping_gap_text(gap->reason));
	return object;
}

static void put_totals(struct json_object *object, const struct mapping_totals *totals)
{
	put_number(object, "range_count", totals->nr_ranges);
	put_number(object, "mapped", totals->mapped);
	put_number(object, "in_memfds", totals->in_memfds);
	put_number(object, "gap_count", totals->nr_gaps);
}

static struct json_object *model_entry(const struct maps_entry *entry)
{
	static const struct mapping_totals nothing;
	const struct maps_table *table = entry->table;
	struct json_object *object;

	object = output_new(entry->is_domain ? &output_mapped_domain : &output_mapped_device);
	if (entry->is_domain) {
		put_hex_or_null(object, "hwpt_token", entry->has_hwpt, entry->hwpt);
	} else {
		put_bdf(object, entry->requester.segment, entry->requester.bdf);
		put_number_or_null(object, "pasid", entry->requester.has_pasid,
				   entry->requester.pasid);
	}
	put_number_or_null(object, "domain", entry->requester.has_domain, entry->requester.domain);
	if (table) {
		put_text(object, "format", formats[table->table.stage != IOMMUSER_STAGE_FIRST]);
		put_hex(object, "top_table", table->table.top_table);
		put_null(object, "reason");
	} else {
		put_null(object, "format");
		put_null(object, "top_table");
		put_text(object, "reason", entry->message);
	}
	put_totals(object, table ? &table->totals : &nothing);
	return object;
}

static struct json_object *model_maps(const struct maps *maps)
{
	struct json_object *object = output_new(&output_maps);

	put_flag(object, "complete", maps->complete);
	if (maps->missing[0])
		put_text(object, "missing", maps->missing);
	put_flag(object, "owners_known", maps->owners_known);
	put_number(object, "page_tables", maps->nr_tables);
	put_totals(object, &maps->totals);
	return object;
}

/* JSON, piece by piece */

struct printer {
	const struct options *options;
	struct maps *maps;
	const struct luo_session *session; /* whose name is in @session_text and @session_json */
	char session_text[256];
	char session_json[512];
	bool lines; /* on one line */
	u64 limit;
	u64 nr;				/* printed of the array at hand */
	const struct maps_table *table; /* at hand */
};

/* How much to go in, unless all is on one line. */
static void print_break(const struct printer *printer, int indent)
{
	if (!printer->lines)
		printf("\n%*s", indent, "");
}

/* An object; without its end when arrays are to follow. Takes over the reference. */
static void print_object(const struct printer *printer, struct json_object *object, bool ends)
{
	int flags = printer->lines ? JSON_C_TO_STRING_PLAIN : JSON_C_TO_STRING_SPACED;
	const char *text =
		json_object_to_json_string_ext(object, flags | JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t length = text ? strlen(text) : 0;

	if (!ends)
		while (length && strchr(" }", text[length - 1]))
			length--;
	putchar('{');
	if (output_kind(object) == &output_maps)
		print_line_members(printer->options);
	if (length)
		fwrite(text + 1, 1, length - 1, stdout);
	json_object_put(object);
}

static void print_element(struct printer *printer, struct json_object *object, int indent,
			  bool ends)
{
	if (printer->nr++)
		putchar(',');
	print_break(printer, indent);
	print_object(printer, object, ends);
}

/* Names are escaped once, not for each of their ranges. */
static void use_session(struct printer *printer, const struct luo_session *session)
{
	struct json_object *name;

	if (session == printer->session)
		return;
	printer->session = session;
	escape_text(session->name, sizeof(session->name), printer->session_text,
		    sizeof(printer->session_text));
	name = json_object_new_string(printer->session_text);
	snprintf(printer->session_json, sizeof(printer->session_json), "%s",
		 json_object_to_json_string_ext(name, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(name);
}

static const char *access_of(const struct mapping_range *range)
{
	return accesses[range->permissions & (IOMMUSER_PT_READ | IOMMUSER_PT_WRITE)];
}

/* One member, by its line in the table. */
static void print_member(const struct printer *printer, const struct output_field *field, u64 value,
			 const char *text)
{
	const char *gap = printer->lines ? "" : " ";

	printf("%s%s\"%s\":%s", field == range_fields ? "{" : ",", gap, field->key, gap);
	switch (field->type) {
	case OUTPUT_HEX:
		printf("\"0x%" PRIx64 "\"", value);
		break;
	case OUTPUT_NUMBER:
		printf("%" PRIu64, value);
		break;
	default:
		fputs(text, stdout);
		break;
	}
}

/* As print_object() would, at a tenth of the time: there may be millions. */
static void print_members(const struct printer *printer, const struct mapping_range *range)
{
	const struct {
		u64 value;
		const char *text;
	} members[] = {
		{ range->iova, NULL },
		{ range->phys, NULL },
		{ range->length, NULL },
		{ 0, json_accesses[range->permissions & (IOMMUSER_PT_READ | IOMMUSER_PT_WRITE)] },
		{ 0, range->permissions & IOMMUSER_PT_SNOOP ? "true" : "false" },
		{ range->page_sizes, NULL },
		{ range->owner.file ? range->owner.file->token : 0, NULL },
		{ range->owner.offset, NULL },
		{ 0, printer->session_json },
	};
	const struct output_field *field = range_fields;
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++, field++) {
		if ((field->flags & OUTPUT_NULL) && !range->owner.file)
			printf(printer->lines ? ",\"%s\":null" : ", \"%s\": null", field->key);
		else
			print_member(printer, field, members[i].value, members[i].text);
	}
	fputs(printer->lines ? "}" : " }", stdout);
}

static int print_range(void *ctx, const struct mapping_range *range)
{
	struct printer *printer = ctx;

	if (printer->nr >= printer->limit || ferror(stdout))
		return 1;
	if (printer->nr++)
		putchar(',');
	print_break(printer, 6);
	if (range->owner.session)
		use_session(printer, range->owner.session);
	print_members(printer, range);
	return 0;
}

static int print_gap(void *ctx, const struct mapping_gap *gap)
{
	struct printer *printer = ctx;

	if (printer->nr >= printer->limit || ferror(stdout))
		return 1;
	print_element(printer, model_gap(gap), 6, true);
	return 0;
}

static void print_array_start(struct printer *printer, const char *key)
{
	printf(",%s\"%s\":%s[", printer->lines ? "" : " ", key, printer->lines ? "" : " ");
	printer->nr = 0;
}

static void print_entry(struct printer *printer, size_t i, size_t first)
{
	const struct mapping_visitor ranges = { printer, print_range, NULL };
	const struct mapping_visitor gaps = { printer, NULL, print_gap };
	struct maps_entry entry;

	maps_entry(printer->maps, i, &entry);
	printer->nr = i - first;
	print_element(printer, model_entry(&entry), 2, false);
	print_array_start(printer, "ranges");
	if (entry.table)
		maps_walk(printer->maps, entry.table, &ranges);
	putchar(']');
	print_array_start(printer, "gaps");
	if (entry.table && entry.table->totals.nr_gaps)
		maps_walk(printer->maps, entry.table, &gaps);
	printf("]%s}", printer->lines ? "" : " ");
}

static void print_json_maps(struct printer *printer)
{
	struct maps *maps = printer->maps;
	size_t i;

	print_object(printer, model_maps(maps), false);
	print_array_start(printer, "devices");
	for (i = 0; i < maps->nr_devices; i++)
		print_entry(printer, i, 0);
	putchar(']');
	print_array_start(printer, "domains");
	for (; i < maps->nr_entries; i++)
		print_entry(printer, i, maps->nr_devices);
	printf("]%s}\n", printer->lines ? "" : " ");
}

/* Text */

static const char *heading(const char *key)
{
	return output_find(&output_range, key)->heading;
}

static void name_entry(const struct maps_entry *entry, char *name, size_t size)
{
	int used;

	if (entry->is_domain) {
		used = snprintf(name, size, "domain %llu",
				(unsigned long long)entry->requester.domain);
		if (entry->has_hwpt)
			snprintf(name + used, size - (size_t)used, " (HWPT 0x%llx)",
				 (unsigned long long)entry->hwpt);
		return;
	}
	used = snprintf(name, size, "%s",
			pci_name(entry->requester.segment, entry->requester.bdf).text);
	if (entry->requester.has_pasid)
		snprintf(name + used, size - (size_t)used, " PASID %u", entry->requester.pasid);
}

static const char *hex_text(u64 value, char *buffer, size_t size)
{
	snprintf(buffer, size, "0x%" PRIx64, value);
	return buffer;
}

/* At least as wide as the heading. */
static int hex_width(u64 value, const char *key)
{
	int width = snprintf(NULL, 0, "0x%llx", (unsigned long long)value);
	int least = (int)strlen(heading(key));

	return width < least ? least : width;
}

static void text_heading(const struct maps_table *table)
{
	printf("  %-*s  %-*s  %-10s  %s", hex_width(table->last_iova, "iova"), heading("iova"),
	       hex_width(table->highest_phys, "phys"), heading("phys"), heading("length"),
	       heading("access"));
	if (table->totals.in_memfds)
		printf("  %-*s  %-*s  %s", hex_width(table->highest_token, "memfd"),
		       heading("memfd"), hex_width(table->highest_offset, "offset"),
		       heading("offset"), heading("session"));
	putchar('\n');
}

static int text_range(void *ctx, const struct mapping_range *range)
{
	struct printer *printer = ctx;
	const struct maps_table *table = printer->table;
	char text[32], size[32];

	if (printer->nr >= printer->limit || ferror(stdout))
		return 1;
	if (!printer->nr++)
		text_heading(table);
	printf("  %-*s", hex_width(table->last_iova, "iova"),
	       hex_text(range->iova, text, sizeof(text)));
	printf("  %-*s  %-10s", hex_width(table->highest_phys, "phys"),
	       hex_text(range->phys, text, sizeof(text)),
	       text_size(range->length, size, sizeof(size)));
	printf("  %-*s", range->owner.file ? (int)strlen(heading("access")) : 0, access_of(range));
	if (range->owner.file) {
		use_session(printer, range->owner.session);
		printf("  %-*s", hex_width(table->highest_token, "memfd"),
		       hex_text(range->owner.file->token, text, sizeof(text)));
		printf("  %-*s", hex_width(table->highest_offset, "offset"),
		       hex_text(range->owner.offset, text, sizeof(text)));
		printf("  %s", printer->session_text);
	}
	putchar('\n');
	return 0;
}

static int text_gap(void *ctx, const struct mapping_gap *gap)
{
	struct printer *printer = ctx;
	char size[32];

	if (printer->nr >= printer->limit || ferror(stdout))
		return 1;
	printer->nr++;
	printf("  0x%llx, %s: not known: %s at 0x%llx\n", (unsigned long long)gap->iova,
	       text_size(gap->length, size, sizeof(size)), mapping_gap_text(gap->reason),
	       (unsigned long long)gap->phys);
	return 0;
}

static void text_rest(const struct printer *printer, u64 nr)
{
	if (nr > printer->limit)
		printf("  ... and %llu more (--limit)\n",
		       (unsigned long long)(nr - printer->limit));
}

static void text_table_of(struct printer *printer, const struct maps_table *table)
{
	const struct mapping_visitor ranges = { printer, text_range, NULL };
	const struct mapping_visitor gaps = { printer, NULL, text_gap };

	printer->table = table;
	printer->nr = 0;
	maps_walk(printer->maps, table, &ranges);
	text_rest(printer, table->totals.nr_ranges);
	printer->nr = 0;
	if (table->totals.nr_gaps)
		maps_walk(printer->maps, table, &gaps);
	text_rest(printer, table->totals.nr_gaps);
}

static void text_entry(struct printer *printer, size_t i)
{
	char name[64], count[32], size[32];
	struct maps_entry entry, first;

	maps_entry(printer->maps, i, &entry);
	name_entry(&entry, name, sizeof(name));
	printf("\n%s", name);
	if (!entry.table) {
		putchar('\n');
		text_wrap(entry.message, 2);
		return;
	}
	printf("  %s", formats[entry.table->table.stage != IOMMUSER_STAGE_FIRST]);
	if (entry.requester.has_domain && !entry.is_domain)
		printf(", domain %llu", (unsigned long long)entry.requester.domain);
	printf(": %s, %s",
	       text_plural(entry.table->totals.nr_ranges, "range", count, sizeof(count)),
	       text_size(entry.table->totals.mapped, size, sizeof(size)));
	putchar('\n');
	if (entry.table->user == i) {
		text_table_of(printer, entry.table);
		return;
	}
	maps_entry(printer->maps, entry.table->user, &first);
	name_entry(&first, name, sizeof(name));
	printf("  the same page table as %s\n", name);
}

static void text_owners(const struct maps *maps)
{
	u64 other = maps->totals.mapped - maps->totals.in_memfds;
	char size[32];

	if (!maps->totals.mapped)
		return;
	if (!other)
		puts("         all of it is memory of memfds");
	else if (!maps->handover->has_luo)
		puts("         which memfds hold it is not known: LUO not read");
	else
		printf("         %s of it in no memfd%s\n", text_size(other, size, sizeof(size)),
		       maps->owners_known ? "" : " (what memfds hold is not known in full)");
}

static void text_counts(const struct printer *printer)
{
	const struct maps *maps = printer->maps;
	bool may_lack = maps->targets.incomplete || maps->targets.lacks_records;
	char devices[32], pasids[32];
	size_t nr_pasids = 0, i;

	for (i = 0; i < maps->targets.nr; i++)
		nr_pasids += maps->targets.items[i].has_pasid;
	printf("%s%s", may_lack && !printer->options->words[0] ? "at least " : "",
	       text_plural(maps->nr_devices - nr_pasids, "device", devices, sizeof(devices)));
	if (nr_pasids)
		printf(", %s", text_plural(nr_pasids, "PASID", pasids, sizeof(pasids)));
}

/* The answer to a question about a device that is no part of the handover. */
static void text_stranger(struct maps *maps)
{
	struct maps_entry entry;

	maps_entry(maps, 0, &entry);
	text_labelled("Maps", entry.message, 9);
}

static void text_missing(const struct maps *maps)
{
	char line[224];

	if (!maps->missing[0])
		return;
	snprintf(line, sizeof(line), "missing from the image: %s", maps->missing);
	text_wrap(line, 9);
}

static void print_text_maps(struct printer *printer)
{
	struct maps *maps = printer->maps;
	char text[32], tables[32], ranges[32], size[32];
	size_t i;

	if (!maps->nr_entries && maps->missing[0]) {
		puts("Maps     nothing that could be read");
		text_missing(maps);
		return;
	}
	if (!maps->nr_entries) {
		printf("Maps     %s\n", maps->handover->has_iommu ?
						"no device, so nothing is mapped" :
						model_no_iommu(maps->handover));
		return;
	}
	if (maps->absent) {
		text_stranger(maps);
		return;
	}
	printf("Maps     ");
	text_counts(printer);
	printf(", %s: %s, %s\n", text_plural(maps->nr_tables, "page table", tables, sizeof(tables)),
	       text_plural(maps->totals.nr_ranges, "range", ranges, sizeof(ranges)),
	       text_size(maps->totals.mapped, size, sizeof(size)));
	text_owners(maps);
	if (maps->nr_entries > maps->nr_devices)
		printf("         %s %s, at the end\n",
		       text_plural(maps->nr_entries - maps->nr_devices, "domain", text,
				   sizeof(text)),
		       maps->targets.lacks_records ? "whose users are not known" :
						     "that no device uses");
	text_missing(maps);
	if (!maps->complete && !maps->missing[0])
		puts("         not everything could be read: see below");
	for (i = 0; i < maps->nr_entries; i++)
		text_entry(printer, i);
}

static int print_maps(const struct options *options, struct maps *maps)
{
	struct printer printer = {
		.options = options,
		.maps = maps,
		.lines = options->format == FORMAT_JSON_LINES,
	};

	if (options_json(options)) {
		printer.limit = options_limit(options, UINT64_MAX);
		print_json_maps(&printer);
	} else {
		printer.limit = options_limit(options, DEFAULT_LIMIT);
		print_text_maps(&printer);
	}
	return maps->complete && !maps->absent ? EXIT_OK : EXIT_FOUND;
}

static int run_maps(const struct options *options, struct source *source)
{
	struct requester only;
	struct handover handover;
	struct maps maps;
	int status = open_handover(&handover, options, source);

	if (status == EXIT_OK) {
		if (options->words[0])
			requester_parse(options->words[0], &only);
		if (maps_init(&maps, &handover, options->words[0] ? &only : NULL))
			status = print_maps(options, &maps);
		else
			status = complain_no_memory();
		maps_free(&maps);
	}
	handover_close(&handover);
	return status;
}

static bool check_maps(const struct options *options, char *message, size_t size)
{
	struct requester requester;

	if (!options->words[0] || requester_parse(options->words[0], &requester))
		return true;
	snprintf(message, size, "'%s' is not a PCI function ([0000:]00:04.0[+PASID])",
		 options->words[0]);
	return false;
}

const struct command command_maps = {
	.name = "maps",
	.operands = "[BDF[+PASID]] IMAGE",
	.summary = "what devices can reach by DMA",
	.help = "Follows the page tables that the IOMMU uses for each device, and prints which\n"
		"addresses map which memory, and the memfd that holds it. 00:04.0 asks for one\n"
		"device and its PASIDs, 00:04.0+5 for its PASID 5 alone.\n"
		"Exit 1 when tables or records are missing from the image, which is said, or BDF\n"
		"is no part of the handover.\n"
		"A table that is met twice is followed once, so that the list ends.\n"
		"\n"
		"--limit is the number of ranges of each device to print: 50, with --json all.\n",
	.max_words = 1,
	.nr_images = 1,
	.takes = TAKES_START | TAKES_LIMIT | TAKES_FORCE,
	.output = &output_maps,
	.check = check_maps,
	.run = run_maps,
};
