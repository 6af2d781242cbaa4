// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A handover as nodes and edges: their list, and what is drawn in which order.
 */
#include "graph-model.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static const char *const node_kinds[] = { "session", "file",   "memfd", "hwpt",
					  "domain",  "device", "iommu", NULL };
static const char *const node_styles[] = { "live", "deleted", "left", NULL };

static const struct output_field node_fields[] = {
	OUTPUT_FIELD("id", OUTPUT_TEXT, "what edges call it"),
	OUTPUT_FIELD("kind", OUTPUT_TEXT, "what it stands for", .values = node_kinds),
	OUTPUT_FIELD("label", OUTPUT_TEXTS, "lines for people"),
	OUTPUT_FIELD("style", OUTPUT_TEXT, "whether it is in use", .values = node_styles),
	OUTPUT_FIELD("count", OUTPUT_NUMBER, "how many it stands for"),
	OUTPUT_FIELD("errors", OUTPUT_NUMBER, "errors that verify finds in its records"),
	OUTPUT_FIELDS_END,
};

static const struct output_object node_output = {
	.name = "node",
	.what = "an object, or several of one kind",
	.fields = node_fields,
};

static const struct output_field edge_fields[] = {
	OUTPUT_FIELD("from", OUTPUT_TEXT, "id of a node"),
	OUTPUT_FIELD("to", OUTPUT_TEXT, "id of the node that uses it, or is in it"),
	OUTPUT_FIELD("label", OUTPUT_TEXT, "for people", .flags = OUTPUT_NULL),
	OUTPUT_FIELD("style", OUTPUT_TEXT, "whether it is in use", .values = node_styles),
	OUTPUT_FIELD("count", OUTPUT_NUMBER, "how many it stands for"),
	OUTPUT_FIELDS_END,
};

static const struct output_object edge_output = {
	.name = "edge",
	.what = "from what is used to who uses it, from sessions to IOMMUs",
	.fields = edge_fields,
};

static const struct output_field graph_fields[] = {
	OUTPUT_FIELD("title", OUTPUT_TEXT, "what the graph is of"),
	OUTPUT_FIELD("nodes", OUTPUT_OBJECTS, "objects", .object = &node_output),
	OUTPUT_FIELD("edges", OUTPUT_OBJECTS, "who uses what", .object = &edge_output),
	OUTPUT_FIELDS_END,
};

const struct output_object graph_output = {
	.name = "graph",
	.what = "a handover as nodes and edges",
	.fields = graph_fields,
};

u64 graph_record_count(const struct graph_model *model, u32 kind)
{
	return model->handover->has_iommu ? iommuser_graph_count(&model->handover->graph, kind) : 0;
}

u64 graph_errors_of(const struct graph_model *model, u32 kind, u64 position)
{
	return model->errors[kind][position];
}

/* A node with its first line; more may be added to the array that is returned. */
struct json_object *graph_add_node(struct graph_model *model, const char *id, const char *kind,
				   const char *style, u64 count, u64 errors)
{
	struct json_object *node = output_new(&node_output);
	struct json_object *lines = json_object_new_array();

	put_text(node, "id", id);
	put_text(node, "kind", kind);
	put_object(node, "label", lines);
	put_text(node, "style", style);
	put_number(node, "count", count);
	put_number(node, "errors", errors);
	json_object_array_add(model->nodes, node);
	return lines;
}

void graph_add_line(struct json_object *lines, const char *format, ...)
{
	char line[GRAPH_NAME_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	json_object_array_add(lines, json_object_new_string(line));
}

void *graph_more_room(struct graph_model *model, void *items, size_t nr, size_t *room, size_t size)
{
	void *more;

	if (nr < *room)
		return items;
	*room = *room ? *room * 2 : 64;
	more = reallocarray(items, *room, size);
	if (!more) {
		model->failed = true;
		return items;
	}
	return more;
}

/* The edge, to which more may be said; NULL when there is none. */
struct graph_edge *graph_add_edge(struct graph_model *model, const char *from, const char *to,
				  const char *label)
{
	struct graph_edge *edge;

	if (!*from || !*to)
		return NULL;
	model->edges = graph_more_room(model, model->edges, model->nr_edges, &model->edge_room,
				       sizeof(*edge));
	if (model->failed)
		return NULL;
	edge = &model->edges[model->nr_edges++];
	snprintf(edge->from, sizeof(edge->from), "%s", from);
	snprintf(edge->to, sizeof(edge->to), "%s", to);
	snprintf(edge->label, sizeof(edge->label), "%s", label);
	edge->style = "live";
	edge->bytes = 0;
	edge->count = 1;
	return edge;
}

static int compare_edges(const void *a, const void *b)
{
	const struct graph_edge *left = a, *right = b;
	int order = strverscmp(left->from, right->from);

	if (!order)
		order = strverscmp(left->to, right->to);
	if (!order)
		order = strverscmp(left->label, right->label);
	return order ? order : strcmp(left->style, right->style);
}

void graph_merge_edges(struct graph_model *model)
{
	struct graph_edge *edges = model->edges;
	size_t from, to = 0;

	if (model->nr_edges)
		qsort(edges, model->nr_edges, sizeof(*edges), compare_edges);
	for (from = 0; from < model->nr_edges; from++) {
		if (to && !compare_edges(&edges[to - 1], &edges[from])) {
			edges[to - 1].count += edges[from].count;
			edges[to - 1].bytes += edges[from].bytes;
		} else {
			edges[to++] = edges[from];
		}
	}
	model->nr_edges = to;
}

static struct json_object *model_edges(struct graph_model *model)
{
	struct json_object *array = json_object_new_array();
	struct json_object *object;
	const struct graph_edge *edge;
	char size[32], label[48];
	size_t i;

	graph_merge_edges(model);
	for (i = 0; i < model->nr_edges; i++) {
		edge = &model->edges[i];
		object = output_new(&edge_output);
		put_text(object, "from", edge->from);
		put_text(object, "to", edge->to);
		snprintf(label, sizeof(label), "%s",
			 edge->bytes ? text_size(edge->bytes, size, sizeof(size)) : edge->label);
		if (*label)
			put_text(object, "label", label);
		else
			put_null(object, "label");
		put_text(object, "style", edge->style);
		put_number(object, "count", edge->bytes ? 1 : edge->count);
		json_object_array_add(array, object);
	}
	return array;
}

/* Errors that verify reported, by record. */
static bool count_errors(struct graph_model *model)
{
	const struct report *report = model->handover->report;
	const struct iommuser_finding *finding;
	size_t i;
	u32 kind;

	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++) {
		model->errors[kind] = calloc(graph_record_count(model, kind) + 1, sizeof(u32));
		if (!model->errors[kind])
			return false;
	}
	for (i = 0; i < report_nr_kept(report); i++) {
		finding = &report_get(report, i)->finding;
		if (finding->severity == IOMMUSER_ERROR && finding->kind &&
		    finding->kind <= IOMMUSER_NR_KINDS &&
		    finding->index < graph_record_count(model, finding->kind))
			model->errors[finding->kind][finding->index]++;
	}
	return true;
}

static void put_title(struct json_object *object, const struct handover *handover)
{
	char title[GRAPH_NAME_SIZE + 160], kho[80] = "", luo[80] = "", missing[160];

	if (handover->has_kho)
		escape_text(handover->kho.compatible, sizeof(handover->kho.compatible), kho,
			    sizeof(kho));
	if (handover->has_luo)
		escape_text(handover->luo.compatible, sizeof(handover->luo.compatible), luo,
			    sizeof(luo));
	handover_missing(handover, missing, sizeof(missing));
	snprintf(title, sizeof(title), "handover, taken: %s%s%s%s%s%s%s%s%s", handover->origin,
		 *kho ? ", " : "", kho, *luo ? ", " : "", luo, handover->has_iommu ? ", " : "",
		 handover->has_iommu ? handover->root.revision->name : "",
		 *missing ? "; missing from the image: " : "", missing);
	put_text(object, "title", title);
}

static void draw(struct graph_model *model)
{
	graph_draw_sessions(model);
	if (model->handover->has_iommu) {
		graph_collect_devices(model);
		graph_draw_kind(model, IOMMUSER_KIND_HWPT);
		graph_draw_kind(model, IOMMUSER_KIND_DOMAIN);
		if (!model->handover->root.revision->kinds[IOMMUSER_KIND_HWPT].size)
			graph_draw_listed_hwpts(model);
	}
	graph_draw_vtd_roots(model);
	graph_draw_devices(model);
	if (model->handover->has_iommu) {
		graph_draw_kind(model, IOMMUSER_KIND_IOMMU);
		graph_connect_hwpts(model);
		graph_connect_pasids(model);
		graph_connect_vfio(model);
		graph_connect_memfds(model);
	}
}

struct json_object *graph_model(struct handover *handover, u64 bound)
{
	struct graph_model model = { .handover = handover, .bound = bound };
	struct json_object *object = output_new(&graph_output);
	u32 kind;

	model.nodes = json_object_new_array();
	model.device_ids = calloc(graph_record_count(&model, IOMMUSER_KIND_DEVICE) + 1,
				  sizeof(*model.device_ids));
	if (model.device_ids && count_errors(&model) && graph_group_all_files(&model))
		draw(&model);
	else
		model.failed = true;
	put_title(object, handover);
	put_object(object, "nodes", model.nodes);
	put_object(object, "edges", model_edges(&model));
	for (kind = 1; kind <= IOMMUSER_NR_KINDS; kind++)
		free(model.errors[kind]);
	free(model.device_ids);
	free(model.file_groups);
	free(model.first_file);
	free(model.devices);
	free(model.edges);
	if (!model.failed)
		return object;
	json_object_put(object);
	return NULL;
}
