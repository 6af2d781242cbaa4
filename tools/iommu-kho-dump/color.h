/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Colour: of verdicts and severities, and of nothing else.
 */
#ifndef COLOR_H
#define COLOR_H

#include "options.h"

/** color_init - is stdout to be coloured? Never before this was called */
void color_init(enum color_choice choice);
/**
 * color_on - what starts the colour of a verdict or a severity
 * @word: "ok", "warnings", "errors", "incomplete", "error", "warning"; others have none
 *
 * Return: what to print before the word; "" without colour.
 */
const char *color_on(const char *word);
/** color_off - what ends it: to be printed after each color_on() */
const char *color_off(const char *word);

#endif /* COLOR_H */
