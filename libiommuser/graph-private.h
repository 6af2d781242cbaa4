/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the verifier and the restore machine use of the graph's inside.
 */
#ifndef IOMMUSER_GRAPH_PRIVATE_H
#define IOMMUSER_GRAPH_PRIVATE_H

#include <iommuser/graph.h>

#define MAX_SEGMENT 0xffff
#define MAX_BDF 0xffff
#define MAX_PASID 0xfffff

/* Key of a requester in the device and alias indexes. */
u64 requester_key(u64 segment, u64 bdf);

/* The type of the unit that a device record refers to, IOMMUSER_IOMMU_TYPE_*. */
u64 graph_unit_type(const struct iommuser_graph *graph, const struct iommuser_device *device);

/* Key of a domain id of a unit in the DID indexes. */
static inline u64 did_key(u64 unit, u64 did)
{
	return unit << 32 | (did & 0xffffffff);
}

/* The count of live records that refer to an iommu, domain or device record. */
static inline u32 *graph_references(struct iommuser_graph *graph, u32 kind, u64 position)
{
	return &graph->references[graph->first_record[kind] + position];
}

/* What the verifier learns about a unit, packed into iommuser_graph.unit_segments. */
#define UNIT_SEGMENT 0xffffU
#define UNIT_MODE_SHIFT 16
#define UNIT_MODE (3U << UNIT_MODE_SHIFT)
#define UNIT_KNOWN (1U << 18)

/* The mode of a unit, IOMMUSER_IOMMU_MODE_*: of its record, or learnt from its devices. */
static inline u32 graph_unit_mode(const struct iommuser_graph *graph, u64 position)
{
	return (graph->unit_segments[position] & UNIT_MODE) >> UNIT_MODE_SHIFT;
}

#endif /* IOMMUSER_GRAPH_PRIVATE_H */
