/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the parts of a graph's making share.
 */
#ifndef GRAPH_MODEL_H
#define GRAPH_MODEL_H

#include "graph.h"

#define GRAPH_ID_SIZE 48
#define GRAPH_NAME_SIZE 320

/* Several edges from one node to another become one. */
struct graph_edge {
	char from[GRAPH_ID_SIZE];
	char to[GRAPH_ID_SIZE];
	char label[40];
	const char *style;
	u64 bytes; /* mapped, of memfds */
	u64 count;
};

/* A device, and where it hangs. */
struct graph_device {
	char domain[GRAPH_ID_SIZE];
	char unit[GRAPH_ID_SIZE];
	char name[48];
	char attachment[40];
	const char *state;
	const char *style;
	u64 errors;
	u64 position; /* of its record; NO_RECORD */
};

#define NO_RECORD (~0ULL)
#define ALONE SIZE_MAX

struct graph_model {
	struct handover *handover;
	u64 bound;
	struct json_object *nodes;
	struct graph_edge *edges;
	size_t nr_edges;
	size_t edge_room;
	struct graph_device *devices;
	size_t nr_devices;
	size_t device_room;
	size_t *file_groups;		    /* by file: the first of its group, or ALONE */
	size_t *first_file;		    /* by session: where its files are in these */
	u32 *errors[IOMMUSER_NR_KINDS + 1]; /* by position */
	char (*device_ids)[GRAPH_ID_SIZE];  /* by position */
	bool failed;
};

u64 graph_record_count(const struct graph_model *model, u32 kind);
/** graph_errors_of - errors that verify has found in a record */
u64 graph_errors_of(const struct graph_model *model, u32 kind, u64 position);

/** graph_add_node - a node without a label; lines may be added to the array that is returned */
struct json_object *graph_add_node(struct graph_model *model, const char *id, const char *kind,
				   const char *style, u64 count, u64 errors);
void graph_add_line(struct json_object *lines, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** graph_add_edge - an edge, to which more may be said; NULL when one of the ids is "" */
struct graph_edge *graph_add_edge(struct graph_model *model, const char *from, const char *to,
				  const char *label);
/** graph_merge_edges - make one of those that are alike */
void graph_merge_edges(struct graph_model *model);
/** graph_more_room - make room for one more item; the items where they are then */
void *graph_more_room(struct graph_model *model, void *items, size_t nr, size_t *room, size_t size);

/** graph_record_id - the node of an iommu, domain or hwpt record */
void graph_record_id(const struct graph_model *model, u32 kind, u64 position, char *id);
/** graph_referred_id - the node that a reference leads to; "" when it leads nowhere */
void graph_referred_id(const struct graph_model *model, u32 kind, u64 phys, char *id);
/** graph_style_of - "live", "deleted" or "left" */
const char *graph_style_of(const struct graph_model *model, u32 kind, u64 position,
			   const union iommuser_record *record);
/** graph_draw_kind - nodes of iommu, domain or hwpt records */
void graph_draw_kind(struct graph_model *model, u32 kind);
/** graph_collect_devices - device records into @devices */
void graph_collect_devices(struct graph_model *model);
/** graph_draw_vtd_roots - nodes of VT-d roots, and what they list into @devices */
void graph_draw_vtd_roots(struct graph_model *model);
/** graph_draw_devices - nodes of @devices, sorted, and of tables that no record names */
void graph_draw_devices(struct graph_model *model);
/** graph_connect_pasids - edges of PASIDs that are attached */
void graph_connect_pasids(struct graph_model *model);

/** graph_group_all_files - to be called before all below; false when memory ran out */
bool graph_group_all_files(struct graph_model *model);
/** graph_draw_sessions - nodes of sessions and files */
void graph_draw_sessions(struct graph_model *model);
/** graph_draw_listed_hwpts - HWPTs that files list, where there are no records of them */
void graph_draw_listed_hwpts(struct graph_model *model);
/** graph_connect_hwpts - edges of hwpt records */
void graph_connect_hwpts(struct graph_model *model);
/** graph_connect_vfio - edges from vfio files to devices */
void graph_connect_vfio(struct graph_model *model);
/** graph_connect_memfds - edges from memfds to the domains that map them */
void graph_connect_memfds(struct graph_model *model);

#endif /* GRAPH_MODEL_H */
