/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Live units, domains and devices in a simulated kernel, with the tables that
 * hardware would read, written as the VT-d specification has them; and what of
 * them is preserved.
 */
#ifndef TESTS_MACHINE_WORLD_H
#define TESTS_MACHINE_WORLD_H

#include "sim.h"

#include <iommuser/verify.h>

#define WORLD_MAX_UNITS 4
#define WORLD_MAX_DOMAINS 8
#define WORLD_MAX_DEVICES 80
#define WORLD_MAX_HWPTS 80
#define WORLD_MAX_PASIDS 8
#define WORLD_MAX_TABLES 64

struct world_unit {
	struct iommuser_iommu record;
	bool scalable;
	struct iommuser_preserved handle;
};

struct world_domain {
	struct iommuser_domain record;
	u64 nr_tables;
	struct iommuser_preserved handle;
};

struct world_device {
	u32 unit;
	u32 domain;
	struct iommuser_device_request request;
	struct iommuser_alias_id aliases[IOMMUSER_MAX_ALIASES];
	struct iommuser_preserved_device handle;
};

struct world_pasid {
	u32 device;
	u32 domain;
	u32 pasid;
	u32 did;
	struct iommuser_preserved_attachment handle;
};

struct world_hwpt {
	u32 domain;
	u64 iommufd_token;
	u64 token;
	struct iommuser_preserved handle;
};

/**
 * struct world - the host
 * @sim: its kernel
 * @writer: started
 * @preserve: of that writer
 * @root: the root's address, also after the writer's kernel has ended
 * @payload: bytes of payload in use from SIM_PAYLOAD on
 */
struct world {
	struct sim *sim;
	struct iommuser_writer writer;
	struct iommuser_preserve preserve;
	u64 root;
	u64 payload;
	struct world_unit units[WORLD_MAX_UNITS];
	struct world_domain domains[WORLD_MAX_DOMAINS];
	struct world_device devices[WORLD_MAX_DEVICES];
	struct world_hwpt hwpts[WORLD_MAX_HWPTS];
	struct world_pasid pasids[WORLD_MAX_PASIDS];
	u32 nr_units;
	u32 nr_domains;
	u32 nr_devices;
	u32 nr_hwpts;
	u32 nr_pasids;
};

/* Which of the worlds below. */
enum world_kind {
	/* One unit in legacy mode, one domain, one device. */
	WORLD_SMALL,
	/*
	 * A unit in legacy and one in scalable mode, in different segments; domains of
	 * both stages, one of them on both units, several devices on one domain, aliases,
	 * leaves of every size, a PASID directory of two pages.
	 */
	WORLD_FULL,
	/* WORLD_FULL and so many devices, aliases and HWPTs that chains have several pages. */
	WORLD_MANY,
};

/* Nothing is preserved yet. */
struct world *world_new(enum world_kind kind, u32 page_shift);
void world_free(struct world *world);

/*
 * A further device, and its context table if the unit has none for it yet.
 * @directory_size: PDTS, the PASID directory has 2^(@directory_size + 7) entries.
 */
struct world_device *world_add_device(struct world *world, u32 unit, u32 bdf, u32 domain,
				      u32 directory_size);

/* Attach a device in scalable mode to a domain for a PASID below 64. */
struct world_pasid *world_add_pasid(struct world *world, u32 device, u32 domain, u32 pasid);

int world_preserve_domain(struct world *world, u32 i);
int world_preserve_device(struct world *world, u32 i);
int world_preserve_hwpt(struct world *world, u32 i);
int world_preserve_pasid(struct world *world, u32 i);
int world_unpreserve_domain(struct world *world, u32 i);
int world_unpreserve_device(struct world *world, u32 i);
int world_unpreserve_hwpt(struct world *world, u32 i);
int world_unpreserve_pasid(struct world *world, u32 i);

/* Preserve everything; must work. */
void world_preserve_all(struct world *world);

/* Pages of hardware tables that there are. */
u64 world_tables(const struct world *world);

/* What is preserved or incoming, payload included; free with pageset_free(). */
struct iommuser_pageset *world_set(const struct world *world);

/*
 * Verify what is preserved: there is no finding at all. With @complete, every
 * device is preserved, every domain is used, and what was read or mapped is all
 * that is preserved.
 */
void world_verify(struct world *world, bool complete);

#endif /* TESTS_MACHINE_WORLD_H */
