/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A handover as nodes and edges: sessions, files, HWPTs, domains, devices,
 * IOMMUs, and who uses what.
 */
#ifndef GRAPH_H
#define GRAPH_H

#include <stdio.h>

#include <json-c/json.h>

#include "handover.h"
#include "output.h"

extern const struct output_object graph_output;

/**
 * graph_model - nodes and edges
 * @handover: open, and verified when nodes are to show errors
 * @bound: how many of a kind are drawn, each on its own: devices of one domain
 *	and IOMMU, files of one kind in a session; the rest is one node
 *
 * Return: NULL when memory ran out.
 */
struct json_object *graph_model(struct handover *handover, u64 bound);

/** graph_print - as Graphviz DOT */
void graph_print(FILE *file, struct json_object *graph);

/**
 * graph_print_svg - as SVG, by Graphviz; nothing is printed unless all of it can be
 * @message: on failure, why
 */
bool graph_print_svg(struct json_object *graph, char *message, size_t size);

#endif /* GRAPH_H */
