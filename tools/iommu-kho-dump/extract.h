/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The metadata of a handover as a portable image, for the commands that write one.
 */
#ifndef EXTRACT_H
#define EXTRACT_H

#include "handover.h"
#include "options.h"
#include "source.h"

/**
 * extract_image - open a handover and write its metadata to options->output
 * @source: where it is
 * @handover: to fill; handover_close() it whatever the result
 * @written: set to the bytes of memory in the image
 *
 * Failures were told to people. Return: an exit status.
 */
int extract_image(const struct options *options, struct source *source, struct handover *handover,
		  u64 *written);

#endif /* EXTRACT_H */
