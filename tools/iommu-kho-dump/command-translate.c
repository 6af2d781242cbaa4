// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump translate BDF IOVA: the walk that the hardware does for one
 * address, level by level, and what is behind it.
 */
#include <stdio.h>

#include <iommuser/error.h>

#include "commands.h"
#include "model.h"
#include "requester.h"
#include "text.h"

/* The memfd that holds a physical address. */
static bool find_memfd(const struct luo_state *luo, u64 phys, const struct luo_session **session,
		       const struct luo_file **file, u64 *offset)
{
	const struct memfd_extent *extent;
	size_t i, j, k;

	for (i = 0; i < luo->nr_sessions; i++) {
		*session = &luo->sessions[i];
		for (j = 0; j < (*session)->nr_files; j++) {
			*file = &(*session)->files[j];
			for (k = 0; (*file)->memfd && k < (*file)->memfd->nr_extents; k++) {
				extent = &(*file)->memfd->extents[k];
				if (phys < extent->phys || phys - extent->phys >= extent->length)
					continue;
				*offset = extent->offset + (phys - extent->phys);
				return true;
			}
		}
	}
	return false;
}

static void put_memfd(struct json_object *object, const struct handover *handover, u64 phys)
{
	const struct luo_session *session;
	const struct luo_file *file;
	u64 offset;

	if (!handover->has_luo || !find_memfd(&handover->luo, phys, &session, &file, &offset))
		return;
	put_untrusted(object, "session", session->name, sizeof(session->name));
	put_hex(object, "memfd", file->token);
	put_hex(object, "offset", offset);
}

static void put_permissions(struct json_object *object, u32 permissions)
{
	put_flag(object, "read", permissions & IOMMUSER_PT_READ);
	put_flag(object, "write", permissions & IOMMUSER_PT_WRITE);
}

static struct json_object *model_levels(const struct iommuser_pt_translation *translation)
{
	struct json_object *array = json_object_new_array();
	struct json_object *level;
	u32 i;

	for (i = 0; i < translation->nr_steps; i++) {
		level = json_object_new_object();
		put_number(level, "level", translation->steps[i].level);
		put_hex(level, "table", translation->steps[i].table);
		put_number(level, "index", translation->steps[i].index);
		put_hex(level, "entry", translation->steps[i].entry);
		json_object_array_add(array, level);
	}
	return array;
}

static const char *why_not(int error)
{
	switch (error) {
	case 0:
		return "not mapped";
	case -IOMMUSER_EUNMAPPED:
		return "the image lacks the next table";
	default:
		return "no hardware would follow the last entry";
	}
}

static struct json_object *model_translate(struct handover *handover, struct requester *requester,
					   u64 iova, bool *mapped)
{
	struct json_object *object = json_object_new_object();
	struct iommuser_pt_translation translation = { .nr_steps = 0 };
	char message[128] = "";
	int error;

	put_bdf(object, requester->segment, requester->bdf);
	put_hex(object, "iova", iova);
	if (requester_find(requester, handover, message, sizeof(message))) {
		error = iommuser_pt_translate(&requester->table, iova, &translation);
		if (error || !translation.mapped)
			snprintf(message, sizeof(message), "%s", why_not(error));
		put_text(object, "format",
			 requester->table.stage == IOMMUSER_STAGE_FIRST ? "first-stage" :
									  "second-stage");
		put_hex(object, "top_table", requester->table.top_table);
	}
	if (requester->has_domain)
		put_number(object, "domain", requester->domain);
	*mapped = !message[0];
	if (*mapped) {
		put_hex(object, "phys", translation.phys);
		put_permissions(object, translation.permissions);
		put_memfd(object, handover, translation.phys);
	} else {
		put_null(object, "phys");
		put_text(object, "reason", message);
	}
	json_object_object_add(object, "levels", model_levels(&translation));
	return object;
}

static void print_translate(struct json_object *object, bool mapped)
{
	static const struct text_column columns[] = {
		{ "level", "level" }, { "table", "table" }, { "index", "index" },
		{ "entry", "entry" }, { NULL, NULL },
	};
	struct json_object *levels = NULL;
	char bdf[32], iova[32], phys[32], text[32], token[32], offset[32];

	if (mapped)
		printf("%s %s -> %s\n", text_member(object, "bdf", bdf, sizeof(bdf)),
		       text_member(object, "iova", iova, sizeof(iova)),
		       text_member(object, "phys", phys, sizeof(phys)));
	else
		printf("%s %s: %s\n", text_member(object, "bdf", bdf, sizeof(bdf)),
		       text_member(object, "iova", iova, sizeof(iova)),
		       text_member(object, "reason", text, sizeof(text)));
	if (json_object_object_get_ex(object, "memfd", NULL))
		printf("  memfd %s of session %s, offset %s\n",
		       text_member(object, "memfd", token, sizeof(token)),
		       text_member(object, "session", text, sizeof(text)),
		       text_member(object, "offset", offset, sizeof(offset)));
	if (json_object_object_get_ex(object, "format", NULL))
		printf("  %s, domain %s\n", text_member(object, "format", text, sizeof(text)),
		       text_member(object, "domain", token, sizeof(token)));
	json_object_object_get_ex(object, "levels", &levels);
	text_table("Levels", levels, columns, IOMMUSER_PT_MAX_LEVELS);
}

static int run_translate(const struct options *options, struct source *source)
{
	struct requester requester;
	struct handover handover;
	struct json_object *object;
	bool mapped = false;
	u64 iova = 0;
	int status = open_handover(&handover, options, source);

	if (status == EXIT_OK) {
		requester_parse(options->words[0], &requester);
		parse_number(options->words[1], 0, &iova);
		object = model_translate(&handover, &requester, iova, &mapped);
		status = mapped ? EXIT_OK : EXIT_FOUND;
		if (options_json(options)) {
			if (print_json(options, object) != EXIT_OK)
				status = EXIT_INTERNAL;
		} else {
			print_translate(object, mapped);
			json_object_put(object);
		}
	}
	handover_close(&handover);
	return status;
}

static bool check_translate(const struct options *options, char *message, size_t size)
{
	struct requester requester;
	u64 iova;

	if (!requester_parse(options->words[0], &requester))
		snprintf(message, size, "'%s' is not a PCI function ([0000:]00:04.0)",
			 options->words[0]);
	else if (!parse_number(options->words[1], 0, &iova))
		snprintf(message, size, "'%s' is not an IOVA (0x...)", options->words[1]);
	else
		return true;
	return false;
}

const struct command command_translate = {
	.name = "translate",
	.operands = "BDF IOVA IMAGE",
	.summary = "what a DMA address leads to, level by level",
	.help = "Does the walk that the IOMMU does for one address of a device, prints the entry\n"
		"of each level, and what owns the memory there. Exit 1 when it is not mapped.\n",
	.min_words = 2,
	.max_words = 2,
	.nr_images = 1,
	.takes = TAKES_START,
	.check = check_translate,
	.run = run_translate,
};
