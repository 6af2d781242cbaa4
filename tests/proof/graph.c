// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proves of the graph's look-ups by position and by reference, on a graph of up to
 * PAGES pages among FRAMES page frames, with any counts, as indexing leaves it, regular or not:
 * a record's address leads back to its position and kind, and to no other kind; only
 * addresses of records are resolved; a position that is not below the count is refused;
 * map() is asked for exactly a record, within its page. Checks S1 S2 S5 S6.
 *
 * Sources: graph.c index.c access.c
 * Unwind: 9
 */
#include <iommuser/graph.h>

#include "graph-private.h"
#include "index.h"
#include "internal.h"
#include "proof.h"

#define PAGES 2
#define FRAMES 16
#define HEADER_SIZE 64
#define RECORD_SIZE 128
#define CAPACITY ((4096 - HEADER_SIZE) / RECORD_SIZE)
/* index_entries() of 2 pages. */
#define ENTRIES 4
#define KIND IOMMUSER_KIND_DOMAIN

static struct iommuser_graph graph;
static struct iommuser_survey survey;
static struct iommuser_graph_page pages[PAGES];
static u64 index_memory[ENTRIES + ENTRIES / 2];
static u64 asked;
static u8 record[RECORD_SIZE];

static const void *map(void *ctx, u64 phys, u64 length)
{
	(void)ctx;
	prove(length == RECORD_SIZE && phys < 1ULL << 52, "one record");
	prove(phys % 4096 >= HEADER_SIZE && phys % 4096 <= 4096 - RECORD_SIZE, "within its page");
	asked = phys;
	return nondet_bool() ? record : NULL;
}

static void make_graph(u64 nr_pages)
{
	u64 first = 0;
	u64 at;

	survey.kinds[KIND].record_size = RECORD_SIZE;
	survey.kinds[KIND].irregular = nondet_bool();
	graph.survey = &survey;
	graph.pages = pages;
	graph.page_index.keys = index_memory;
	graph.page_index.mask = ENTRIES - 1;
	for (at = 0; at < nr_pages; at++) {
		pages[at].phys = nondet_u64();
		pages[at].count = nondet_u32();
		pages[at].kind = KIND;
		pages[at].first = first;
		assume(pages[at].phys % 4096 == 0 && pages[at].phys < FRAMES * 4096);
		assume(!at || pages[at].phys != pages[0].phys);
		assume(pages[at].count && pages[at].count <= CAPACITY);
		/* index_pages() refuses other chains that were surveyed as regular. */
		assume(survey.kinds[KIND].irregular || at + 1 == nr_pages ||
		       pages[at].count == CAPACITY);
		first += pages[at].count;
		index_insert(&graph.page_index, pages[at].phys >> 12, at);
	}
	/* Nothing of the first kind, then all, then nothing. */
	for (at = KIND + 1; at < ARRAY_SIZE(graph.first_page); at++) {
		graph.first_page[at] = nr_pages;
		graph.first_record[at] = first;
	}
}

static void check_position(u64 position)
{
	const void *bytes = NULL;
	u64 back = 0, phys = 0;
	int error = iommuser_graph_bytes(&graph, KIND, position, &bytes, &phys);

	prove(error == -IOMMUSER_ENOENT ? position >= iommuser_graph_count(&graph, KIND) :
					  one_of(error, IOMMUSER_EUNMAPPED, IOMMUSER_EUNMAPPED),
	      "exactly positions that are not there are refused");
	if (error == -IOMMUSER_ENOENT)
		return;
	prove(phys == asked, "the address of what is given");
	prove(!iommuser_graph_resolve(&graph, phys, KIND, &back) && back == position,
	      "a record's address leads back to its position");
	prove(iommuser_graph_resolve(&graph, phys, IOMMUSER_KIND_DEVICE, &back) == -IOMMUSER_ENOENT,
	      "and to no other kind");
	if (position >= pages[0].count)
		reach("a record of the second page");
	if (survey.kinds[KIND].irregular && position > pages[0].count)
		reach("in a chain with pages that are not full");
}

static void check_reference(u64 phys, u64 nr_pages)
{
	u64 position = 0, page, at;
	int error = iommuser_graph_resolve(&graph, phys, KIND, &position);

	for (page = 0; page < nr_pages; page++)
		if (phys - phys % 4096 == pages[page].phys)
			break;
	at = phys % 4096 - HEADER_SIZE;
	if (page < nr_pages && phys % 4096 >= HEADER_SIZE && at % RECORD_SIZE == 0 &&
	    at / RECORD_SIZE < pages[page].count) {
		prove(!error && position == pages[page].first + at / RECORD_SIZE,
		      "a record is found");
	} else {
		prove(error == -IOMMUSER_ENOENT, "what is no record's address is refused");
		reach("a reference to nothing");
	}
}

int main(void)
{
	const struct iommuser_env env = { .page_shift = 12, .map = map };
	struct iommuser_revision revision = { .page_header_size = HEADER_SIZE };
	struct iommuser_root root = { .revision = &revision };
	u64 nr_pages = nondet_u64(), any;

	assume(nr_pages >= 1 && nr_pages <= PAGES);
	graph.env = &env;
	graph.root = &root;
	make_graph(nr_pages);
	check_position(nondet_u64());
	any = nondet_u64();
	assume(any < FRAMES * 4096);
	check_reference(any, nr_pages);
	prove(iommuser_graph_resolve(&graph, any, 0, &any) == -IOMMUSER_ENOENT &&
		      iommuser_graph_bytes(&graph, IOMMUSER_NR_KINDS + 1, nondet_u64(),
					   (const void **)&root.revision, &any) == -IOMMUSER_ENOENT,
	      "kinds that do not exist are refused");
	return 0;
}
