// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Colour: on a terminal that can show it, where nobody objects.
 */
#include "color.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool wanted;

static bool terminal_has_color(void)
{
	const char *terminal = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && terminal && strcmp(terminal, "dumb") &&
	       !(no_color && *no_color);
}

void color_init(enum color_choice choice)
{
	wanted = choice == COLOR_ALWAYS || (choice == COLOR_AUTO && terminal_has_color());
}

const char *color_on(const char *word)
{
	static const struct {
		const char *word;
		const char *start;
	} colors[] = {
		{ "ok", "\033[1;32m" },	     { "warnings", "\033[1;33m" },
		{ "warning", "\033[1;33m" }, { "errors", "\033[1;31m" },
		{ "error", "\033[1;31m" },   { "incomplete", "\033[1;33m" },
	};
	size_t i;

	for (i = 0; wanted && i < sizeof(colors) / sizeof(colors[0]); i++)
		if (!strcmp(word, colors[i].word))
			return colors[i].start;
	return "";
}

const char *color_off(const char *word)
{
	return *color_on(word) ? "\033[0m" : "";
}
