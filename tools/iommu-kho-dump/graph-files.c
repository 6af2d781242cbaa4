// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The part of a graph that LUO makes: sessions, files, and what those are used by.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <iommuser/error.h>

#include "graph-model.h"
#include "mapping.h"
#include "progress.h"
#include "text.h"

/* Sessions and files */

static void session_id(const struct graph_model *model, size_t session, char *id)
{
	if (session < model->bound)
		snprintf(id, GRAPH_ID_SIZE, "session%zu", session);
	else
		snprintf(id, GRAPH_ID_SIZE, "sessions");
}

static int compare_kinds(const void *a, const void *b, void *ctx)
{
	const struct luo_session *const *place = ctx;
	const struct luo_session *session = *place;
	const size_t *left = a, *right = b;
	int order = strcmp(session->files[*left].compatible, session->files[*right].compatible);

	return order ? order : *left < *right ? -1 : *left > *right;
}

/* Find out which files are so many of a kind that they share a node: that of the first. */
static bool group_files(const struct graph_model *model, const struct luo_session *session,
			size_t *groups)
{
	size_t *order = calloc(session->nr_files + 1, sizeof(*order));
	size_t from, to, i;

	if (!order)
		return false;
	for (i = 0; i < session->nr_files; i++)
		order[i] = i;
	if (session->nr_files)
		qsort_r(order, session->nr_files, sizeof(*order), compare_kinds, &session);
	for (from = 0; from < session->nr_files; from = to) {
		for (to = from + 1;
		     to < session->nr_files && !strcmp(session->files[order[from]].compatible,
						       session->files[order[to]].compatible);)
			to++;
		for (i = from; i < to; i++)
			groups[order[i]] = to - from > model->bound ? order[from] : ALONE;
	}
	free(order);
	return true;
}

bool graph_group_all_files(struct graph_model *model)
{
	const struct luo_state *luo = &model->handover->luo;
	size_t sessions = model->handover->has_luo ? luo->nr_sessions : 0, total = 0, i;

	model->first_file = calloc(sessions + 1, sizeof(*model->first_file));
	if (!model->first_file)
		return false;
	for (i = 0; i < sessions; i++) {
		model->first_file[i] = total;
		total += luo->sessions[i].nr_files;
	}
	model->file_groups = calloc(total + 1, sizeof(*model->file_groups));
	for (i = 0; i < sessions && model->file_groups; i++)
		if (!group_files(model, &luo->sessions[i],
				 model->file_groups + model->first_file[i]))
			return false;
	return model->file_groups;
}

static size_t group_of(const struct graph_model *model, size_t session, size_t file)
{
	return model->file_groups[model->first_file[session] + file];
}

static void file_id(const struct graph_model *model, size_t session, size_t file, char *id)
{
	size_t group = group_of(model, session, file);

	if (session >= model->bound)
		snprintf(id, GRAPH_ID_SIZE, "sessions");
	else if (group != ALONE)
		snprintf(id, GRAPH_ID_SIZE, "files%zu_%zu", session, group);
	else
		snprintf(id, GRAPH_ID_SIZE, "file%zu_%zu", session, file);
}

static void draw_file(struct graph_model *model, const struct luo_file *file, const char *id)
{
	char compatible[GRAPH_NAME_SIZE], size[32];
	struct json_object *lines =
		graph_add_node(model, id, file->memfd ? "memfd" : "file", "live", 1, 0);

	graph_add_line(lines, "%s",
		       escape_text(file->compatible, sizeof(file->compatible), compatible,
				   sizeof(compatible)));
	graph_add_line(lines, "token 0x%" PRIx64, file->token);
	if (file->memfd)
		graph_add_line(lines, "%s", text_size(file->memfd->size, size, sizeof(size)));
}

static void draw_file_group(struct graph_model *model, const struct luo_session *session,
			    size_t first, const char *id)
{
	const struct luo_file *file = &session->files[first];
	char compatible[GRAPH_NAME_SIZE], text[48], size[32];
	struct json_object *lines;
	u64 count = 0, bytes = 0;
	size_t i;

	for (i = first; i < session->nr_files; i++) {
		if (strcmp(session->files[i].compatible, file->compatible))
			continue;
		count++;
		bytes += session->files[i].memfd ? session->files[i].memfd->size : 0;
	}
	lines = graph_add_node(model, id, file->memfd ? "memfd" : "file", "live", count, 0);
	graph_add_line(lines, "%s", text_plural(count, "file", text, sizeof(text)));
	graph_add_line(lines, "%s",
		       escape_text(file->compatible, sizeof(file->compatible), compatible,
				   sizeof(compatible)));
	if (file->memfd)
		graph_add_line(lines, "%s", text_size(bytes, size, sizeof(size)));
}

static void draw_files(struct graph_model *model, size_t nr)
{
	const struct luo_session *session = &model->handover->luo.sessions[nr];
	char from[GRAPH_ID_SIZE], id[GRAPH_ID_SIZE];
	size_t i, group;

	session_id(model, nr, from);
	for (i = 0; i < session->nr_files; i++) {
		group = group_of(model, nr, i);
		file_id(model, nr, i, id);
		if (group == i)
			draw_file_group(model, session, i, id);
		else if (group == ALONE)
			draw_file(model, &session->files[i], id);
		graph_add_edge(model, from, id, "");
	}
}

void graph_draw_sessions(struct graph_model *model)
{
	const struct luo_state *luo = &model->handover->luo;
	size_t i, count = model->handover->has_luo ? luo->nr_sessions : 0;
	char id[GRAPH_ID_SIZE], name[GRAPH_NAME_SIZE], text[48];
	struct json_object *lines;
	u64 files = 0;

	for (i = 0; i < count && i < model->bound; i++) {
		session_id(model, i, id);
		lines = graph_add_node(model, id, "session", "live", 1, 0);
		graph_add_line(lines, "session");
		graph_add_line(lines, "%s",
			       escape_text(luo->sessions[i].name, sizeof(luo->sessions[i].name),
					   name, sizeof(name)));
		draw_files(model, i);
	}
	for (; i < count; i++)
		files += luo->sessions[i].nr_files;
	if (count <= model->bound)
		return;
	session_id(model, model->bound, id);
	lines = graph_add_node(model, id, "session", "live", count - model->bound, 0);
	graph_add_line(lines, "%s more",
		       text_plural(count - model->bound, "session", text, sizeof(text)));
	graph_add_line(lines, "%s", text_plural(files, "file", text, sizeof(text)));
}

static void id_of_file(const struct graph_model *model, const struct luo_session *session,
		       const struct luo_file *file, char *id)
{
	file_id(model, (size_t)(session - model->handover->luo.sessions),
		(size_t)(file - session->files), id);
}

/* HWPTs that files list, where records don't. */
void graph_draw_listed_hwpts(struct graph_model *model)
{
	const struct iommu_files *files = &model->handover->files;
	char from[GRAPH_ID_SIZE], id[GRAPH_ID_SIZE], domain[GRAPH_ID_SIZE];
	u64 drawn = 0;
	size_t i, j;

	for (i = 0; i < files->nr; i++) {
		for (j = 0; j < files->items[i].nr_listed; j++, drawn++) {
			graph_record_id(model, IOMMUSER_KIND_HWPT, drawn, id);
			graph_referred_id(model, IOMMUSER_KIND_DOMAIN,
					  files->items[i].hwpts[j].domain, domain);
			id_of_file(model, files->items[i].session, files->items[i].file, from);
			graph_add_edge(model, from, id, "");
			graph_add_edge(model, id, domain, "");
			if (drawn < model->bound)
				graph_add_line(graph_add_node(model, id, "hwpt", "live", 1, 0),
					       "HWPT token 0x%" PRIx64,
					       files->items[i].hwpts[j].token);
		}
	}
	if (drawn <= model->bound)
		return;
	graph_record_id(model, IOMMUSER_KIND_HWPT, model->bound, id);
	graph_add_line(graph_add_node(model, id, "hwpt", "live", drawn - model->bound, 0),
		       "%" PRIu64 " more HWPTs", drawn - model->bound);
}

/* The file that a record's name of an iommufd means. */
static void iommufd_id(const struct graph_model *model, u64 iommufd, char *id)
{
	const struct iommu_files *files = &model->handover->files;
	size_t i;

	id[0] = 0;
	for (i = 0; i < files->nr; i++) {
		if (!files->items[i].is_iommufd || files->items[i].file->data != iommufd)
			continue;
		id_of_file(model, files->items[i].session, files->items[i].file, id);
		return;
	}
}

void graph_connect_hwpts(struct graph_model *model)
{
	char from[GRAPH_ID_SIZE], id[GRAPH_ID_SIZE], domain[GRAPH_ID_SIZE];
	union iommuser_record record;
	u64 i;

	for (i = 0; i < graph_record_count(model, IOMMUSER_KIND_HWPT); i++) {
		if (iommuser_graph_read(&model->handover->graph, IOMMUSER_KIND_HWPT, i, &record) ||
		    record.common.flags & IOMMUSER_FLAG_DELETED)
			continue;
		graph_record_id(model, IOMMUSER_KIND_HWPT, i, id);
		graph_referred_id(model, IOMMUSER_KIND_DOMAIN, record.hwpt.domain, domain);
		iommufd_id(model, record.hwpt.iommufd_token, from);
		graph_add_edge(model, from, id, "");
		graph_add_edge(model, id, domain, "");
	}
}

void graph_connect_vfio(struct graph_model *model)
{
	const struct iommu_files *files = &model->handover->files;
	char id[GRAPH_ID_SIZE];
	size_t i;
	u64 device;

	for (i = 0; model->handover->has_iommu && i < files->nr; i++) {
		if (files->items[i].is_iommufd || !files->items[i].readable ||
		    iommuser_graph_find_device(&model->handover->graph, files->items[i].segment,
					       files->items[i].bdf, &device))
			continue;
		id_of_file(model, files->items[i].session, files->items[i].file, id);
		graph_add_edge(model, id, model->device_ids[device], "");
	}
}

/* Memory: which memfds a domain maps. */

/* Edges that may pile up before those that are alike become one. */
#define MANY_EDGES 65536

struct memfd_walk {
	struct graph_model *model;
	const char *domain;
	size_t merge_at;
};

static int note_memfd(void *ctx, const struct mapping_range *range)
{
	struct memfd_walk *walk = ctx;
	struct graph_edge *edge;
	char id[GRAPH_ID_SIZE];

	if (!range->owner.session)
		return 0;
	id_of_file(walk->model, range->owner.session, range->owner.file, id);
	edge = graph_add_edge(walk->model, id, walk->domain, "");
	if (edge)
		edge->bytes = range->length;
	if (walk->model->nr_edges >= walk->merge_at) {
		graph_merge_edges(walk->model);
		walk->merge_at = walk->model->nr_edges + MANY_EDGES;
	}
	return 0;
}

/* In some layouts only the tables of its devices tell what a domain's table is. */
static bool table_of_devices(struct graph_model *model, const char *domain,
			     struct iommuser_pt_table *table)
{
	struct requester requester;
	union iommuser_record record;
	char message[128];
	size_t i;

	for (i = 0; i < model->nr_devices; i++) {
		if (model->devices[i].position == NO_RECORD ||
		    strcmp(model->devices[i].domain, domain) ||
		    strcmp(model->devices[i].style, "live") ||
		    iommuser_graph_read(&model->handover->graph, IOMMUSER_KIND_DEVICE,
					model->devices[i].position, &record))
			continue;
		requester = (struct requester){ .segment = record.device.segment,
						.bdf = (u32)record.device.bdf };
		if (!requester_find(&requester, model->handover, message, sizeof(message)))
			continue;
		*table = requester.table;
		return true;
	}
	return false;
}

static void connect_memfds_of(struct graph_model *model, const struct mapping_memfds *memfds,
			      u64 position)
{
	char message[128], id[GRAPH_ID_SIZE];
	struct memfd_walk walk = { model, id, model->nr_edges + MANY_EDGES };
	const struct mapping_visitor visitor = { .ctx = &walk, .range = note_memfd };
	struct iommuser_pt_table table;
	struct mapping_totals totals;

	graph_record_id(model, IOMMUSER_KIND_DOMAIN, position, id);
	if ((mapping_domain(model->handover, position, &table, message, sizeof(message)) ||
	     table_of_devices(model, id, &table)) &&
	    mapping_walk(&table, memfds, &visitor, &totals) == -IOMMUSER_ENOMEM)
		model->failed = true;
}

void graph_connect_memfds(struct graph_model *model)
{
	struct mapping_memfds memfds;
	union iommuser_record record;
	u64 i;

	if (!model->handover->has_luo)
		return;
	if (!mapping_memfds_init(&memfds, &model->handover->luo))
		model->failed = true;
	model->handover->reads.doing = "reading page tables";
	for (i = 0; !model->failed && i < graph_record_count(model, IOMMUSER_KIND_DOMAIN) &&
		    i < model->bound;
	     i++) {
		if (iommuser_graph_read(&model->handover->graph, IOMMUSER_KIND_DOMAIN, i,
					&record) ||
		    strcmp(graph_style_of(model, IOMMUSER_KIND_DOMAIN, i, &record), "live"))
			continue;
		connect_memfds_of(model, &memfds, i);
		graph_merge_edges(model);
	}
	model->handover->reads.doing = NULL;
	progress_done();
	mapping_memfds_free(&memfds);
}
