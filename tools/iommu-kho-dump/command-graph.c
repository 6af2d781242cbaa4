// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * iommu-kho-dump graph: a picture of who uses what.
 */
#include <stdio.h>

#include "commands.h"
#include "graph.h"

/* More of a kind in one place are no picture any more. */
#define DEFAULT_BOUND 32

static int print_graph(const struct options *options, struct json_object *graph)
{
	char message[160];
	int status = EXIT_OK;

	if (options_json(options))
		return print_json(options, graph);
	if (!options->svg) {
		graph_print(stdout, graph);
	} else if (!graph_print_svg(graph, message, sizeof(message))) {
		complain(options->image, message);
		status = EXIT_INTERNAL;
	}
	json_object_put(graph);
	return status;
}

static int run_graph(const struct options *options, struct source *source)
{
	struct iommuser_verify_counts counts = { 0 };
	struct handover handover;
	struct json_object *graph;
	int status = open_handover(&handover, options, source);

	if (status == EXIT_OK)
		status = verify_handover(&handover, options, &counts);
	if (status == EXIT_OK) {
		graph = graph_model(&handover, options_limit(options, DEFAULT_BOUND));
		status = graph ? print_graph(options, graph) : complain_no_memory();
	}
	handover_close(&handover);
	return status;
}

static bool check_graph(const struct options *options, char *message, size_t size)
{
	if (!options->svg || !options_json(options))
		return true;
	snprintf(message, size, "--svg and --json exclude each other");
	return false;
}

const struct command command_graph = {
	.name = "graph",
	.operands = "IMAGE",
	.summary = "who uses what, as Graphviz DOT or a picture",
	.help = "Prints sessions, files, HWPTs, domains, devices and IOMMUs with what connects\n"
		"them, in Graphviz's language; with --svg the picture, made by its program dot\n"
		"(Debian: graphviz). Deleted records and devices that have left are dashed, what\n"
		"verify finds errors in is red.\n"
		"\n"
		"More than 32 devices of one domain are one node, as are files of one kind in a\n"
		"session, and what goes beyond 32 sessions, HWPTs, domains or IOMMUs; --limit\n"
		"sets another number.\n",
	.nr_images = 1,
	.takes = TAKES_START | TAKES_LIMIT | TAKES_FORCE | TAKES_SVG,
	.output = &graph_output,
	.check = check_graph,
	.run = run_graph,
};
