# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Chains of pages of fixed-size records."""

from objects import fields


class Chain:
    """Pages page.KIND[i] and records KIND[i], allocated but not filled."""

    def __init__(self, build, kind, header_size, record_size, layout, nr_records, page_layout,
                 empty_page):
        self.build = build
        self.kind = kind
        self.header_size = header_size
        self.record_size = record_size
        self.nr_records = nr_records
        self.capacity = (build.page_size - header_size) // record_size
        limit = build.description.abi_settings["page-records"]
        if limit is not None:
            self.capacity = min(self.capacity, limit)
        nr_pages = -(-nr_records // self.capacity)
        if empty_page:
            nr_pages = max(nr_pages, 1)
        page_fields, record_fields = fields(page_layout), fields(layout)
        self.phys = [build.allocator.pages() for _ in range(nr_pages)]
        self.pages = [build.registry.add("page.%s[%d]" % (kind, i), phys, build.page_size,
                                         page_fields)
                      for i, phys in enumerate(self.phys)]
        self.records = [build.registry.add("%s[%d]" % (kind, i), self.address(i), record_size,
                                           record_fields)
                        for i in range(nr_records)]
        for i, page in enumerate(self.pages):
            build.memory.write(page.phys, bytes(build.page_size))
            page.fill(next=self.phys[i + 1] if i + 1 < nr_pages else 0, count=self.count(i))

    def count(self, page):
        return min(self.capacity, self.nr_records - page * self.capacity)

    def address(self, index):
        page, slot = divmod(index, self.capacity)
        return self.phys[page] + self.header_size + slot * self.record_size

    @property
    def first(self):
        return self.phys[0] if self.phys else 0
