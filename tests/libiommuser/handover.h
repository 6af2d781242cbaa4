/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Small handovers in a fake physical memory, of any revision, written from the
 * descriptions of the formats and not from the library's headers.
 */
#ifndef TESTS_HANDOVER_H
#define TESTS_HANDOVER_H

#include "image.h"

#include <iommuser/graph.h>
#include <iommuser/root.h>

#define KIND_IOMMU 1
#define KIND_DOMAIN 2
#define KIND_DEVICE 3
#define KIND_ALIAS 4
#define KIND_ATTACHMENT 5
#define KIND_HWPT 6

/* One chain under construction. */
struct array {
	u32 record_size;
	u64 first;
	u64 last;
	u64 nr_records;
	u64 nr_deleted;
	u64 per_page; /* records before a new page is begun */
};

/* A handover, and what the library made of it. */
struct handover {
	struct image *image;
	const struct iommuser_revision *revision;
	bool sealed;
	u64 root_phys;
	u64 generation;
	struct array arrays[IOMMUSER_NR_KINDS + 1];
	struct findings findings;
	struct iommuser_pageset *set;
	struct iommuser_root root;
	struct iommuser_survey survey;
	struct iommuser_graph graph;
	void *memory;
	u64 size;
};

/* Of the revision with that name. There is no record yet. */
struct handover *handover_new(const char *name, u32 page_shift);
void handover_free(struct handover *handover);

/* A fresh record with ref_count 1 and its index where the revision has one. Return: its address. */
u64 handover_add(struct handover *handover, u32 kind);
/* Write a field of the record at @phys by its name. */
void handover_put(struct handover *handover, u32 kind, u64 phys, enum iommuser_field field,
		  u64 value);
u64 handover_get(struct handover *handover, u32 kind, u64 phys, enum iommuser_field field);
/* Mark a record as deleted, as the revision does it. */
void handover_delete(struct handover *handover, u32 kind, u64 phys);
/* Write the root, and all seals. To be called after the last change. */
void handover_finish(struct handover *handover);
/* Only the seal of one page of records or, at the root's address, of the root. */
void handover_seal(struct handover *handover, u64 page);

/* Preserve all pages, @length bytes at @phys too, and read everything with that set. */
void handover_preserve(struct handover *handover, u64 phys, u64 length);
/* Open and survey; must work. Findings are collected. */
void handover_survey(struct handover *handover);
/* That and build the graph; must work. */
void handover_build(struct handover *handover);

#endif /* TESTS_HANDOVER_H */
