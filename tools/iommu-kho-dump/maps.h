/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All mappings of a handover: each page table is looked at once, and short ones
 * are remembered, so that devices that share one cost nothing more.
 */
#ifndef MAPS_H
#define MAPS_H

#include "mapping.h"

/**
 * struct maps_table - what a page table maps
 * @table: which
 * @totals: of its walk
 * @last_iova: of the last range
 * @highest_phys: of all ranges
 * @highest_token: of the memfds of all ranges
 * @highest_offset: of all ranges in their memfds
 * @user: the first entry that was asked for with it
 */
struct maps_table {
	struct iommuser_pt_table table;
	struct mapping_totals totals;
	u64 last_iova;
	u64 highest_phys;
	u64 highest_token;
	u64 highest_offset;
	size_t user;
	struct mapping_range *ranges; /* NULL: too many to keep; private */
};

/**
 * struct maps_entry - a device, one of its PASIDs, or a domain that no device uses
 * @requester: found; for a domain only @requester.domain and has_domain
 * @is_domain: which
 * @has_hwpt: an HWPT of an iommufd holds the domain
 * @hwpt: its token
 * @table: what it maps; NULL when it has no page table
 * @message: why not
 */
struct maps_entry {
	struct requester requester;
	bool is_domain;
	bool has_hwpt;
	u64 hwpt;
	struct maps_table *table;
	char message[160];
};

/** struct maps_hwpt - an HWPT of a domain, private */
struct maps_hwpt {
	u64 domain;
	u64 token;
};

/**
 * struct maps - everything that is mapped
 * @nr_devices: entries of devices and PASIDs; they come first
 * @nr_entries: all entries
 * @totals: of all page tables, each once
 * @nr_tables: page tables, those that several devices share once
 * @owners_known: the image tells what all memfds hold
 * @complete: nothing is missing or strange
 * @missing: what may have told of more than is listed, for people; "" when nothing did
 * @absent: the device that was asked for is no part of the handover
 */
struct maps {
	struct handover *handover;
	struct mapping_memfds memfds;
	struct mapping_targets targets;
	struct maps_table **tables; /* hash table, private */
	size_t nr_slots;
	struct maps_hwpt *hwpts; /* sorted, private */
	size_t nr_hwpts;
	u64 *domains; /* that no device uses, private */
	size_t nr_devices;
	size_t nr_entries;
	struct mapping_totals totals;
	size_t nr_tables;
	u64 nr_kept;
	bool owners_known;
	bool complete;
	bool absent;
	char missing[160];
};

/**
 * maps_init - look at all page tables
 * @only: the device to look at, all its PASIDs included unless it has one;
 *	NULL for all devices and domains
 *
 * Return: false when memory ran out. maps_free() it in any case.
 */
bool maps_init(struct maps *maps, struct handover *handover, const struct requester *only);
void maps_free(struct maps *maps);

/** maps_entry - the i-th of maps->nr_entries */
void maps_entry(struct maps *maps, size_t i, struct maps_entry *entry);

/** maps_walk - go through what a table maps; as mapping_walk() */
int maps_walk(struct maps *maps, const struct maps_table *table,
	      const struct mapping_visitor *visitor);

#endif /* MAPS_H */
