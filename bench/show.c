// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What `iommu-kho-dump show` is measured against: libkdumpfile reading every
 * page that a dump holds, once, in ascending order.
 *
 * usage: bench-show DUMP
 */
#include "bench.h"

#include <fcntl.h>
#include <libkdumpfile/kdumpfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PAGE_SIZE 65536

static void expect_ok(kdump_ctx_t *context, kdump_status status, const char *what)
{
	if (status != KDUMP_OK)
		bench_fail("%s: %s", what, kdump_get_err(context));
}

/* Read the pages [first, last] that the dump's map says are there. */
static u64 read_run(kdump_ctx_t *context, kdump_num_t page_size, u64 first, u64 last)
{
	static u64 page[MAX_PAGE_SIZE / sizeof(u64)];
	u64 number, sum = 0;
	size_t length, i;

	for (number = first; number <= last; number++) {
		length = page_size;
		expect_ok(context,
			  kdump_read(context, KDUMP_MACHPHYSADDR, number * page_size, page,
				     &length),
			  "read");
		for (i = 0; i < page_size / sizeof(u64); i++)
			sum += page[i];
	}
	bench_sink += sum;
	return last - first + 1;
}

static u64 read_all(kdump_ctx_t *context, kdump_bmp_t *map, kdump_num_t page_size)
{
	kdump_addr_t first, last = 0;
	u64 count = 0;

	for (first = 0; kdump_bmp_find_set(map, &first) == KDUMP_OK; first = last) {
		last = first;
		expect_ok(context, kdump_bmp_find_clear(map, &last), "page map");
		count += read_run(context, page_size, first, last - 1);
	}
	return count;
}

int main(int argc, char **argv)
{
	kdump_ctx_t *context = kdump_new();
	kdump_attr_t map = { .type = KDUMP_BITMAP };
	kdump_num_t page_size;
	u64 count;
	int fd;

	if (argc != 2)
		bench_fail("usage: bench-show DUMP");
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || !context)
		bench_fail("cannot open %s", argv[1]);
	expect_ok(context, kdump_open_fd(context, fd), argv[1]);
	expect_ok(context, kdump_get_number_attr(context, KDUMP_ATTR_PAGE_SIZE, &page_size),
		  "page size");
	if (page_size < BENCH_PAGE_SIZE || page_size > MAX_PAGE_SIZE)
		bench_fail("page size %llu", (unsigned long long)page_size);
	expect_ok(context, kdump_get_typed_attr(context, KDUMP_ATTR_FILE_PAGEMAP, &map),
		  "page map");
	count = read_all(context, map.val.bitmap, page_size);
	if (!count)
		bench_fail("%s holds no pages", argv[1]);
	printf("%llu\n", (unsigned long long)count);
	/* libkdumpfile 0.5.1 may crash when it frees such a context; the process ends anyway. */
	close(fd);
	return 0;
}
