# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Second-stage and first-stage I/O page tables. Level 0 holds 4 KiB entries."""

from objects import fields
from phys import WriterError

ENTRY = fields("value:0:8 r:0:8/0.1 w:0:8/1.1 p:0:8/0.1 ps:0:8/7.1 snp:0:8/11.1 address:0:8/12.40")
SIZES = {0: 1 << 12, 1: 1 << 21, 2: 1 << 30}
PS = 1 << 7
SNP = 1 << 11


def second_stage_leaf(perm, snoop):
    return {"r": 1, "w": 2, "rw": 3}[perm] | (SNP if snoop else 0)


def first_stage_leaf(perm, _snoop):
    if perm == "w":
        raise WriterError("a first-stage mapping can't be write-only")
    return {"r": 0x65, "rw": 0x67}[perm]


class PageTable:
    def __init__(self, build, label, stage, levels, sign_extend, snoop, packed):
        self.build = build
        self.label = label
        self.stage = stage
        self.top_level = levels - 1
        self.sign_extend = sign_extend
        self.snoop = snoop
        self.packed = packed
        self.tables = {}
        self.counts = {}
        self.leaves = []
        self.top = self._table(self.top_level, 0)

    @property
    def width(self):
        return 12 + 9 * (self.top_level + 1)

    def _table(self, level, prefix):
        phys = self.build.allocator.table(packed=self.packed)
        self.build.memory.write(phys, bytes(4096))
        nth = self.counts.get(level, 0)
        self.counts[level] = nth + 1
        alias = []
        if nth == 0:
            alias.append("pt[%s][%d]" % (self.label, level))
        if level == self.top_level:
            alias.append("pt.%s.top" % self.label)
        self.build.registry.add("pt[%s][%d:%d]" % (self.label, level, nth), phys, 4096,
                                stride=8, entry=ENTRY, alias=alias)
        self.tables[level, prefix] = phys
        return phys

    def _check_input(self, iova, length):
        limit = 1 << self.width
        if not self.sign_extend:
            if iova + length <= limit:
                return
        elif iova + length <= limit // 2 or \
                iova >= (1 << 64) - limit // 2 and iova + length <= 1 << 64:
            return
        raise WriterError("%s: IOVA 0x%x is outside %d bits" % (self.label, iova, self.width))

    def _index(self, iova, level):
        return (iova >> (12 + 9 * level)) & 511

    def _prefix(self, iova, level):
        return (iova & ((1 << self.width) - 1)) >> (12 + 9 * (level + 1))

    def entry_address(self, iova, level):
        table = self.tables.get((level, self._prefix(iova, level)))
        return None if table is None else table + 8 * self._index(iova, level)

    def leaf_level(self, iova):
        for start, length, _phys, level, _source in self.leaves:
            if start <= iova < start + length:
                return level
        return None

    def leaf(self, iova, phys, level, perm, source=None):
        """One entry that maps 2^(12 + 9 * level) bytes."""
        size = SIZES.get(level)
        if size is None or level > self.top_level:
            raise WriterError("%s: no leaf at level %d" % (self.label, level))
        if iova % size or phys % size:
            raise WriterError("%s: 0x%x → 0x%x isn't aligned to 0x%x" %
                              (self.label, iova, phys, size))
        self._check_input(iova, size)
        for above in range(self.top_level, level, -1):
            self._link(iova, above)
        at = self.entry_address(iova, level)
        if self.build.memory.get(at, 8):
            raise WriterError("%s: IOVA 0x%x is mapped twice" % (self.label, iova))
        bits = (first_stage_leaf if self.stage == "first" else second_stage_leaf)(perm, self.snoop)
        self.build.memory.put(at, 8, phys | bits | (PS if level else 0))
        self.leaves.append((iova, size, phys, level, source))

    def _link(self, iova, level):
        at = self.entry_address(iova, level)
        entry = self.build.memory.get(at, 8)
        if (level - 1, self._prefix(iova, level - 1)) in self.tables:
            return
        if entry:
            raise WriterError("%s: IOVA 0x%x is under a larger page" % (self.label, iova))
        table = self._table(level - 1, self._prefix(iova, level - 1))
        flags = 0x27 if self.stage == "first" else 0x403
        self.build.memory.put(at, 8, table | flags)

    def map(self, iova, length, source, largest, perm):
        """Map [iova, iova + length); source(offset) gives {phys, run, …}."""
        done = 0
        while done < length:
            piece = source(done)
            run = min(piece["run"], length - done)
            level = max((lv for lv, size in SIZES.items()
                         if size <= min(largest, run) and (iova + done) % size == 0 and
                         piece["phys"] % size == 0 and lv <= self.top_level), default=None)
            if level is None:
                raise WriterError("%s: 0x%x isn't made of whole pages" % (self.label, iova + done))
            self.leaf(iova + done, piece["phys"], level, perm, piece.get("source"))
            done += SIZES[level]

    @property
    def nr_tables(self):
        return len(self.tables)
