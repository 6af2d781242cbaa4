/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Verdicts as metrics: a textfile for node_exporter.
 */
#ifndef PROMETHEUS_H
#define PROMETHEUS_H

#include <stdio.h>

#include "handover.h"

/**
 * struct prometheus - what the metrics are about
 * @image: label of all of them
 * @status: the verdict, or "unreadable"
 * @time: when, in seconds of Unix time
 * @handover: NULL when there was none
 * @checked: what model_verify() says was checked; NULL when there was no handover
 */
struct prometheus {
	const char *image;
	const char *status;
	u64 time;
	const struct handover *handover;
	struct json_object *checked;
};

/** prometheus_print - write the metrics in Prometheus' text format */
void prometheus_print(FILE *out, const struct prometheus *metrics);
/**
 * prometheus_write - the same to stdout, or to the file of -o, which is replaced as a whole
 *
 * Return: EXIT_OK, or EXIT_INTERNAL, with a message for people
 */
int prometheus_write(const struct options *options, const struct prometheus *metrics);
/** prometheus_failure - write that there is nothing to verify in an image; returns an exit status as above */
int prometheus_failure(const struct options *options);

#endif /* PROMETHEUS_H */
