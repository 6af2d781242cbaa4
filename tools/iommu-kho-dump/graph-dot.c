// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A graph as Graphviz DOT, and by Graphviz as SVG.
 */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/wait.h>

#include "graph.h"
#include "text.h"

/*
 * Inside a quoted string of DOT. Graphviz takes a backslash for the start of an
 * escape and an ampersand for that of an entity.
 */
static void print_escaped(FILE *file, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(file, "\\%c", *text);
		else if (*text == '&')
			fputs("&amp;", file);
		else
			fputc(*text, file);
	}
}

static void print_label(FILE *file, struct json_object *node)
{
	struct json_object *lines = text_find(node, "label");
	int errors = json_object_get_int(text_find(node, "errors"));
	size_t i;

	fputs("label=\"", file);
	for (i = 0; i < json_object_array_length(lines); i++) {
		if (i)
			fputs("\\n", file);
		print_escaped(file, json_object_get_string(json_object_array_get_idx(lines, i)));
	}
	if (errors)
		fprintf(file, "\\n%d error%s (verify)", errors, errors == 1 ? "" : "s");
	fputc('"', file);
}

static const char *color_of(const char *kind)
{
	static const struct {
		const char *kind;
		const char *color;
	} colors[] = { { "session", "#e8e8e8" }, { "memfd", "#fff3c4" },  { "file", "#f7f7f7" },
		       { "hwpt", "#dcebff" },	 { "domain", "#cfe8cf" }, { "device", "#ffffff" } };
	size_t i;

	for (i = 0; i < sizeof(colors) / sizeof(colors[0]); i++)
		if (!strcmp(colors[i].kind, kind))
			return colors[i].color;
	return "#e6dcf5";
}

static void print_node(FILE *file, struct json_object *node)
{
	bool live = !strcmp(text_string(node, "style"), "live");
	bool many = json_object_get_uint64(text_find(node, "count")) > 1;

	fprintf(file, "\t%s [", text_string(node, "id"));
	print_label(file, node);
	fprintf(file, ", style=\"filled%s\", fillcolor=\"%s\"", live ? "" : ",dashed",
		live ? color_of(text_string(node, "kind")) : "#ffffff");
	if (many)
		fputs(", peripheries=2", file);
	if (json_object_get_int(text_find(node, "errors")))
		fputs(", color=\"#c00000\", fontcolor=\"#c00000\", penwidth=2", file);
	fputs("];\n", file);
}

static void print_edge(FILE *file, struct json_object *edge)
{
	const char *label = text_string(edge, "label");
	u64 count = json_object_get_uint64(text_find(edge, "count"));

	fprintf(file, "\t%s -> %s [", text_string(edge, "from"), text_string(edge, "to"));
	if (label) {
		fputs("label=\"", file);
		print_escaped(file, label);
		fputs("\", ", file);
	} else if (count > 1) {
		fprintf(file, "label=\"%llu\", ", (unsigned long long)count);
	}
	fprintf(file, "style=%s];\n",
		strcmp(text_string(edge, "style"), "live") ? "dashed" : "solid");
}

void graph_print(FILE *file, struct json_object *graph)
{
	struct json_object *nodes = text_find(graph, "nodes"), *edges = text_find(graph, "edges");
	size_t i;

	fputs("digraph handover {\n"
	      "\trankdir=LR;\n"
	      "\tcharset=\"UTF-8\";\n"
	      "\tlabel=\"",
	      file);
	print_escaped(file, text_string(graph, "title"));
	fputs("\";\n"
	      "\tnode [shape=box, fontname=\"Helvetica\", fontsize=10];\n"
	      "\tedge [fontname=\"Helvetica\", fontsize=9];\n",
	      file);
	for (i = 0; i < json_object_array_length(nodes); i++)
		print_node(file, json_object_array_get_idx(nodes, i));
	for (i = 0; i < json_object_array_length(edges); i++)
		print_edge(file, json_object_array_get_idx(edges, i));
	fputs("}\n", file);
}

/* Run dot from one file to another. */
static int spawn_dot(FILE *in, FILE *out, pid_t *pid)
{
	char program[] = "dot", format[] = "-Tsvg";
	char *const arguments[] = { program, format, NULL };
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawn_file_actions_adddup2(&actions, fileno(in), STDIN_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, fileno(out), STDOUT_FILENO);
	if (!error)
		error = posix_spawnp(pid, program, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static bool run_dot(FILE *in, FILE *out, char *message, size_t size)
{
	int error, status = -1;
	pid_t pid;

	error = spawn_dot(in, out, &pid);
	if (error == ENOENT) {
		snprintf(message, size,
			 "--svg needs dot, which is not installed (Debian: graphviz)");
		return false;
	}
	if (error) {
		snprintf(message, size, "dot cannot be run: %s", strerror(error));
		return false;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	snprintf(message, size,
		 WIFEXITED(status) ? "dot failed with status %d" : "dot was ended by signal %d",
		 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return false;
}

static bool copy_out(FILE *file)
{
	char buffer[16384];
	size_t length;

	rewind(file);
	while ((length = fread(buffer, 1, sizeof(buffer), file)))
		if (fwrite(buffer, 1, length, stdout) != length)
			return false;
	return !ferror(file);
}

bool graph_print_svg(struct json_object *graph, char *message, size_t size)
{
	FILE *in = tmpfile(), *out = tmpfile();
	bool ok = in && out;

	if (ok)
		graph_print(in, graph);
	if (!ok || fflush(in) || ferror(in) || fseek(in, 0, SEEK_SET)) {
		snprintf(message, size, "no temporary file can be written");
		ok = false;
	}
	ok = ok && run_dot(in, out, message, size);
	if (ok && !copy_out(out)) {
		snprintf(message, size, "the picture cannot be written");
		ok = false;
	}
	if (in)
		fclose(in);
	if (out)
		fclose(out);
	return ok;
}
