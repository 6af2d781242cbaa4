# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""LUO state of each revision, memfd records and KHO's vmalloc descriptors."""

import bisect

from fdt import Node, flatten
from objects import fields
from phys import WriterError, align_up, order_for

SESSION = "name:0:s64 files:64:8 count:72:8"
FILE = "compatible:0:s48 data:48:8 token:56:8"
FLB = "name:0:s48 data:48:8 count:56:8"
BLOCK = "next:0:8 count:8:8"
VMALLOC = "vmalloc_first:%d:8 vmalloc_total_pages:%d:4 vmalloc_flags:%d:2 vmalloc_order:%d:2"
MEMFD = {
    "memfd-v1": (40, "pos:0:8 size:8:8 nr_folios:16:8 ", 24),
    "memfd-v2": (48, "pos:0:8 size:8:8 seals:16:4 flags:20:4 nr_folios:24:8 ", 32),
}
FOLIO = fields("word:0:8 pfn:0:8/0.52 flags:0:8/52.12 index:8:8")


class Luo:
    def __init__(self, build, settings):
        self.build = build
        self.revision = settings["revision"]
        self.settings = settings
        self.number = int(self.revision[len("luo-v"):])

    # Sequences of records: kho_blocks, or one flat array.

    def _blocks(self, base, item, size, layout, records):
        """Records in kho_blocks named base[i]; address of the first block."""
        capacity = (self.build.page_size - 16) // size
        groups = [records[i:i + capacity] for i in range(0, len(records), capacity)]
        if self.settings["trailing-block"] and base == "luo.session_block":
            groups.append([])
        pages = [self.build.allocator.pages() for _ in groups]
        for i, group in enumerate(groups):
            block = self.build.registry.add("%s[%d]" % (base, i), pages[i],
                                            self.build.page_size, BLOCK)
            block.fill(next=pages[i + 1] if i + 1 < len(pages) else 0, count=len(group))
            for j, values in enumerate(group):
                self._record(item % (i * capacity + j), pages[i] + 16 + j * size, size, layout,
                             values)
        if base.endswith("file_block") and len(records) % capacity == 0:
            self._copies(pages[-1], groups[-1])
        return pages[0] if pages else 0

    def _copies(self, last, group):
        """The last block of files again and again, each time with other tokens."""
        memory = self.build.memory
        heads = [memory.read(last + 16 + 64 * i, 56) for i in range(len(group))]
        token = max(values["token"] for values in group)
        for _ in range(self.settings["block-copies"]):
            page = self.build.allocator.pages()
            memory.put(last, 8, page)
            memory.write(page, bytes(8) + memory.read(last + 8, 8) + b"".join(
                head + (token + i).to_bytes(8, "little") for i, head in enumerate(heads, 1)))
            token += len(heads)
            last = page

    def _count(self, files):
        """What a session says of its files, copies of blocks included."""
        capacity = (self.build.page_size - 16) // 64
        copied = self.number >= 5 and files and len(files) % capacity == 0
        return len(files) + (self.settings["block-copies"] * capacity if copied else 0)

    def _flat(self, item, phys, start, limit, size, layout, records):
        if start + len(records) * size > limit:
            raise WriterError("%s: %d records don't fit" % (item, len(records)))
        for j, values in enumerate(records):
            self._record(item % j, phys + start + j * size, size, layout, values)

    def _record(self, name, phys, size, layout, values):
        self.build.registry.add(name, phys, size, layout).fill(**values)

    # The parts.

    def _files(self, number, files):
        item = "luo.session[%d].file[%%d]" % number
        records = [{"compatible": f["compatible"], "data": f["data"], "token": f["token"]}
                   for f in files]
        if not records:
            return 0
        if self.number >= 5:
            return self._blocks("luo.session[%d].file_block" % number, item, 64, FILE, records)
        phys = self.build.allocator.pages(1)
        self._flat(item, phys, 0, 2 * self.build.page_size, 64, FILE, records)
        self.build.registry.add("luo.session[%d].files" % number, phys, 2 * self.build.page_size)
        return phys

    def _sessions(self, sessions):
        records = [{"name": s["name"], "files": self._files(i, s["files"]),
                    "count": self._count(s["files"])} for i, s in enumerate(sessions)]
        if self.number >= 4:
            return self._blocks("luo.session_block", "luo.session[%d]", 80, SESSION, records)
        size = 16 * self.build.page_size
        phys = self.build.allocator.pages(4)
        obj = self.build.registry.add("luo.sessions", phys, size, "count:0:8")
        obj.fill(count=len(records))
        self._flat("luo.session[%d]", phys, 8, size, 80, SESSION, records)
        return phys

    def _flbs(self, flbs):
        page_size = self.build.page_size
        phys = self.build.allocator.pages()
        obj = self.build.registry.add("luo.flbs", phys, page_size, "pgcnt:0:8 count:8:8")
        obj.fill(pgcnt=1, count=len(flbs))
        self._flat("luo.flb[%d]", phys, 16, page_size, 64, FLB, flbs)
        return phys

    def write(self, sessions, flbs):
        """(address, size) of the LUO blob."""
        has_flb = self.settings["flb"]
        if flbs and not has_flb:
            raise WriterError("FLBs are described but the LUO has none")
        sessions_phys = self._sessions(sessions)
        flbs_phys = self._flbs(flbs) if has_flb else 0
        if self.number == 1:
            return self._v1(sessions_phys, flbs_phys)
        if self.number == 2:
            return self._v2(sessions_phys, flbs_phys)
        return self._struct(sessions_phys, flbs_phys)

    def _tree(self, node):
        phys = self.build.allocator.pages()
        data, layout = flatten(node)
        self.build.memory.write(phys, data)
        self.build.registry.add("luo", phys, self.build.page_size, layout)
        return phys, self.build.page_size

    def _v1(self, sessions_phys, flbs_phys):
        children = [Node("luo-session", {"compatible": self.settings["session-compatible"],
                                         "luo-session-header": sessions_phys})]
        if flbs_phys:
            children.append(Node("luo-flb", {"compatible": "luo-flb-v1",
                                             "luo-flb-header": flbs_phys}))
        return self._tree(Node("", {"compatible": self.settings["compatible"],
                                    "liveupdate-number": self.settings["number"]}, children))

    def _v2(self, sessions_phys, flbs_phys):
        phys = self.build.allocator.pages()
        obj = self.build.registry.add("luo.header", phys, 24,
                                      "liveupdate_num:0:8 sessions_pa:8:8 flbs_pa:16:8")
        obj.fill(liveupdate_num=self.settings["number"], sessions_pa=sessions_phys,
                 flbs_pa=flbs_phys)
        return self._tree(Node("", {"compatible": self.settings["compatible"],
                                    "luo-abi-header": phys}))

    def _struct(self, sessions_phys, flbs_phys):
        text = self.settings["compatible"]
        width = align_up(len(text) + 1, 8)
        phys = self.build.allocator.pages()
        obj = self.build.registry.add(
            "luo", phys, width + 24, "compatible:0:s%d liveupdate_num:%d:8 sessions_pa:%d:8 "
            "flbs_pa:%d:8" % (width, width, width + 8, width + 16))
        obj.fill(compatible=text, liveupdate_num=self.settings["number"],
                 sessions_pa=sessions_phys, flbs_pa=flbs_phys)
        return phys, width + 24


class Memfd:
    """A memfd: its folios, its record, and where each offset lies."""

    def __init__(self, build, index, settings):
        self.build = build
        self.settings = settings
        self.label = settings["label"]
        self.name = "memfd[%d]" % index
        self.size = settings["size"]
        self.page_size = build.page_size
        self.folios = []
        self._allocate()
        self.runs = self._merge()

    def _allocate(self):
        order = self.settings["order"]
        pages = -(-self.size // self.page_size)
        starts = range(0, pages, 1 << order)
        fixed = self.settings["at"]
        for number, start in enumerate(starts):
            if number in self.settings["hole"]:
                continue
            if fixed is not None:
                phys = fixed + start * self.page_size
                self.build.preserved.add(phys, order)
            else:
                phys = self.build.allocator.pages(order, payload=True)
            self.folios.append((start, phys))
            name = "%s.page[%d]" % (self.name, number)
            size = self.page_size << order
            self.build.registry.add(name, phys, size, stride=8,
                                    alias=["%s.page[%d]" % (self.label, number)])
            if self.settings["fill"]:
                self._fill(start, phys, size)

    def _fill(self, start, phys, size):
        for piece in range(0, size, 4096):
            text = "%s %s %d\n" % (self.settings["fill"], self.label,
                                   start * self.page_size + piece)
            self.build.memory.write(phys + piece, text.encode())

    def _merge(self):
        """Runs (offset, phys, length) that are contiguous in both."""
        size = self.page_size << self.settings["order"]
        runs = []
        for start, phys in self.folios:
            offset = start * self.page_size
            if runs:
                begin, first, length = runs[-1]
                if begin + length == offset and first + length == phys:
                    runs[-1] = (begin, first, length + size)
                    continue
            runs.append((offset, phys, size))
        return runs

    def locate(self, offset):
        """{phys, run, source} of a byte offset."""
        at = bisect.bisect_right(self.runs, (offset, 1 << 64, 0)) - 1
        if at >= 0:
            begin, phys, length = self.runs[at]
            if offset < begin + length:
                return {"phys": phys + offset - begin, "run": begin + length - offset,
                        "source": (self.label, offset)}
        raise WriterError("%s has nothing at offset 0x%x" % (self.label, offset))

    def write(self):
        """Write the record; its address."""
        version = self.settings["version"]
        size, head, at = MEMFD[version]
        layout = head + VMALLOC % (at, at + 8, at + 12, at + 14)
        phys = self.build.allocator.pages()
        obj = self.build.registry.add(self.name, phys, size, layout, alias=[self.label])
        records = self._records()
        obj.fill(pos=self.settings["pos"], size=self.size, nr_folios=len(records))
        obj.fill_known({"seals": self.settings["seals"]})
        if records:
            self._vmalloc(obj, records)
        return phys

    def _records(self):
        flags = self.settings["folio-flags"] << 52
        shift = self.page_size.bit_length() - 1
        records = [(phys >> shift | flags, start) for start, phys in self.folios]
        for index in self.settings["skipped"]:
            records.append((0, index))
        return sorted(records, key=lambda record: record[1])

    def _vmalloc(self, obj, records):
        order = self.settings["vmalloc-order"]
        step = self.page_size << order
        areas = [self.build.allocator.pages(order)
                 for _ in range(-(-len(records) * 16 // step))]
        for i, (word, index) in enumerate(records):
            at = areas[i * 16 // step] + i * 16 % step
            entry = self.build.registry.add("%s.folio[%d]" % (self.name, i), at, 16, FOLIO)
            entry.fill(word=word, index=index)
        obj.fill(vmalloc_first=self._chunks(areas), vmalloc_total_pages=len(areas) << order,
                 vmalloc_flags=3 if order else 1, vmalloc_order=order)

    def _chunks(self, areas):
        capacity = min(self.settings["chunk-entries"] or self.page_size, self.page_size // 8 - 1)
        groups = [areas[i:i + capacity] for i in range(0, len(areas), capacity)]
        if self.settings["trailing-chunk"]:
            groups.append([])
        pages = [self.build.allocator.pages() for _ in groups]
        for i, group in enumerate(groups):
            chunk = self.build.registry.add("%s.chunk[%d]" % (self.name, i), pages[i],
                                            self.page_size, "next:0:8", stride=8)
            chunk.fill(next=pages[i + 1] if i + 1 < len(pages) else 0)
            for j, area in enumerate(group):
                self.build.memory.put(pages[i] + 8 + 8 * j, 8, area)
        return pages[0]
