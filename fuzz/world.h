/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Live units, domains, devices and HWPTs in the simulated kernel, with the tables
 * that hardware would read, and their preserve machine.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include "hardware.h"

#define WORLD_UNITS 4
#define WORLD_DOMAINS 8
#define WORLD_DEVICES 48
#define WORLD_PASIDS 4
#define WORLD_HWPTS 80

/* Every object has a handle of the machine; @there: it is there to be preserved. */

struct world_unit {
	struct iommuser_iommu record;
	bool scalable;
	bool there;
	struct iommuser_preserved handle;
};

struct world_domain {
	struct iommuser_domain record;
	struct stage stage;
	bool there;
	struct iommuser_preserved handle;
};

struct world_device {
	u32 unit;
	u32 domain;
	struct iommuser_device_request request;
	struct iommuser_alias_id aliases[IOMMUSER_MAX_ALIASES];
	bool there;
	struct iommuser_preserved_device handle;
};

struct world_pasid {
	u32 device;
	u32 domain;
	u32 pasid;
	u32 did;
	bool there;
	struct iommuser_preserved_attachment handle;
};

struct world_hwpt {
	u32 domain;
	u64 iommufd_token;
	u64 token;
	bool there;
	struct iommuser_preserved handle;
};

struct world {
	struct host *host;
	struct iommuser_writer writer;
	struct iommuser_preserve preserve;
	u64 payload;
	u32 nr_units;
	u32 nr_domains;
	u32 nr_devices;
	u32 nr_pasids;
	u32 nr_hwpts;
	struct world_unit units[WORLD_UNITS];
	struct world_domain domains[WORLD_DOMAINS];
	struct world_device devices[WORLD_DEVICES];
	struct world_pasid pasids[WORLD_PASIDS];
	struct world_hwpt hwpts[WORLD_HWPTS];
};

/* What there is; made up of rows. */
enum world_kind {
	/* Nothing. */
	WORLD_EMPTY,
	/* A unit in legacy mode, a device, its domain. */
	WORLD_SMALL,
	/*
	 * A unit in legacy and one in scalable mode, in different segments, and no aliases,
	 * PASIDs or HWPTs, which only "iommuser-v1" has.
	 */
	WORLD_PLAIN,
	/*
	 * Also domains of both stages, one of them on both units, two devices on one domain,
	 * aliases, leaves of every size, a PASID directory of two pages, PASIDs, HWPTs.
	 */
	WORLD_FULL,
	/* So many of everything that chains have several pages of 4 KiB. */
	WORLD_MANY,
	NR_WORLDS,
};

/* Nothing is preserved yet, and there is no writer. @host: just begun. */
void world_begin(struct world *world, struct host *host, enum world_kind kind);

/* A writer, to which all calls below preserve. Return: of iommuser_writer_start(). */
int world_start_writer(struct world *world, u64 generation);

/* One call of the library each. */
int world_preserve_domain(struct world *world, u32 i);
int world_unpreserve_domain(struct world *world, u32 i);
int world_preserve_device(struct world *world, u32 i);
int world_unpreserve_device(struct world *world, u32 i);
int world_preserve_pasid(struct world *world, u32 i);
int world_unpreserve_pasid(struct world *world, u32 i);
int world_preserve_hwpt(struct world *world, u32 i);
int world_unpreserve_hwpt(struct world *world, u32 i);

/* A context table for the requester, unless there is one or no memory. */
void world_add_context_table(struct world *world, u32 unit, u32 bdf);

/* Preserve everything; must work. */
void world_preserve_all(struct world *world);

#endif /* FUZZ_WORLD_H */
