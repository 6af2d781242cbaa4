# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""VT-d root, context and PASID tables of both modes."""

import re

from objects import Object, fields
from pagetable import ENTRY
from phys import WriterError

ROOT = fields("lo:0:8 hi:8:8 p:0:8/0.1 up:8:8/0.1")
LEGACY = fields("lo:0:8 hi:8:8 p:0:8/0.1 fpd:0:8/1.1 tt:0:8/2.2 top:0:8/12.52 aw:8:8/0.3 "
                "did:8:8/8.16")
SCALABLE = fields("lo:0:8 hi:8:8 qw2:16:8 qw3:24:8 p:0:8/0.1 fpd:0:8/1.1 dte:0:8/2.1 "
                  "paside:0:8/3.1 pre:0:8/4.1 pdts:0:8/9.3 dir:0:8/12.52 rid_pasid:8:8/0.20")
PASID = fields("qw0:0:8 qw1:8:8 qw2:16:8 qw3:24:8 qw4:32:8 qw5:40:8 qw6:48:8 qw7:56:8 "
               "p:0:8/0.1 fpd:0:8/1.1 aw:0:8/2.3 pgtt:0:8/6.3 ssade:0:8/9.1 ssptptr:0:8/12.52 "
               "did:8:8/0.16 pwsnp:8:8/23.1 pgsnp:8:8/24.1 sre:16:8/0.1 fspm:16:8/2.2 "
               "wpe:16:8/4.1 eafe:16:8/7.1 fsptptr:16:8/12.52")
DIRECTORY = fields("value:0:8 p:0:8/0.1 fpd:0:8/1.1 table:0:8/12.52")
ECAP_SMPWCS = 1 << 48


def parse_bdf(text):
    """(segment, bdf) of "[ssss:]bb:dd.f"."""
    match = re.fullmatch(r"(?:([0-9a-f]{4}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])", text)
    if not match or int(match.group(3), 16) > 31:
        raise WriterError("'%s' is not a PCI address" % text)
    return (int(match.group(1) or "0", 16),
            int(match.group(2), 16) << 8 | int(match.group(3), 16) << 3 | int(match.group(4)))


def bdf_text(segment, bdf):
    return "%04x:%02x:%02x.%d" % (segment, bdf >> 8, (bdf >> 3) & 31, bdf & 7)


class PasidDirectory:
    def __init__(self, build, name, entries, packed):
        if entries < 128 or entries & (entries - 1) or entries > 1 << 20:
            raise WriterError("%s: pasid-entries: a power of two, 128 to 1M" % name)
        self.build = build
        self.name = name
        self.entries = entries
        self.packed = packed
        self.tables = {}
        size = max(entries // 8, 4096)
        self.phys = build.allocator.table(size, packed)
        build.memory.write(self.phys, bytes(size))
        build.registry.add("pasiddir[%s]" % name, self.phys, entries // 8, stride=8,
                           entry=DIRECTORY)

    @property
    def pdts(self):
        return (self.entries // 64).bit_length() - 8

    def entry(self, pasid):
        """Address of a PASID's entry, its table made when missing."""
        if pasid >= self.entries:
            raise WriterError("%s: PASID %d is beyond the directory" % (self.name, pasid))
        index = pasid >> 6
        if index not in self.tables:
            table = self.build.allocator.table(packed=self.packed)
            self.build.memory.write(table, bytes(4096))
            self.build.memory.put(self.phys + 8 * index, 8, table | 1)
            self.build.registry.add("pasidtable[%s][%d]" % (self.name, index), table, 4096,
                                    stride=64, entry=PASID)
            self.tables[index] = table
        return self.tables[index] + 64 * (pasid & 63)


class Unit:
    """One remapping unit's tables."""

    def __init__(self, build, index, settings):
        self.build = build
        self.index = index
        self.settings = settings
        self.scalable = settings["mode"] == "scalable"
        self.segment = settings["segment"]
        self.packed = build.packed
        self.contexts = {}
        self.dids = {}
        self.live = True
        self.root = build.allocator.table(packed=self.packed)
        build.memory.write(self.root, bytes(4096))
        build.registry.add("roottable[%d]" % index, self.root, 4096, stride=16, entry=ROOT)

    def did(self, label):
        if label not in self.dids:
            self.dids[label] = self.settings["first-did"] + len(self.dids)
        return self.dids[label]

    def half(self, bdf):
        return (bdf >> 7) & 1 if self.scalable else 0

    def table(self, bus, half):
        key = (bus, half)
        if key not in self.contexts:
            phys = self.build.allocator.table(packed=self.packed)
            self.build.memory.write(phys, bytes(4096))
            self.build.memory.put(self.root + 16 * bus + 8 * half, 8, phys | 1)
            name = "ctxtable[%d][%02x%s]" % (self.index, bus,
                                             ".%d" % half if self.scalable else "")
            self.build.registry.add(name, phys, 4096, stride=32 if self.scalable else 16,
                                    entry=SCALABLE if self.scalable else LEGACY)
            self.contexts[key] = phys
        return self.contexts[key]

    def entry_address(self, bdf):
        table = self.contexts.get((bdf >> 8, self.half(bdf)))
        if table is None:
            return None
        if self.scalable:
            return table + 32 * (bdf & 127)
        return table + 16 * (bdf & 255)

    def make_entry(self, bdf):
        self.table(bdf >> 8, self.half(bdf))
        return self.entry_address(bdf)

    def legacy_entry(self, bdf, table, did, ats):
        if table.stage != "second":
            raise WriterError("legacy mode has second-stage domains only")
        at = self.make_entry(bdf)
        self.build.memory.put(at, 8, table.top | 1 | (1 << 2 if ats else 0))
        self.build.memory.put(at + 8, 8, did << 8 | (table.top_level - 1))

    def scalable_entry(self, bdf, directory, ats, paside):
        at = self.make_entry(bdf)
        low = directory.phys | directory.pdts << 9 | (8 if paside else 0) | (4 if ats else 0) | 1
        self.build.memory.put(at, 8, low)

    def pasid_entry(self, directory, pasid, domain, did):
        at = directory.entry(pasid)
        table = domain.table
        snoop = 1 << 23 if self.settings["ecap"] & ECAP_SMPWCS else 0
        if table.stage == "second":
            dirty = 1 << 9 if domain.features & 8 else 0
            width = (table.top_level - 1) << 2
            self.build.memory.put(at, 8, table.top | dirty | 2 << 6 | width | 1)
            self.build.memory.put(at + 8, 8, did | snoop)
            return
        page_snoop = 1 << 24 if table.snoop else 0
        self.build.memory.put(at, 8, 1 << 6 | self.settings["agaw"] << 2 | 1)
        self.build.memory.put(at + 8, 8, did | snoop | page_snoop)
        self.build.memory.put(at + 16, 8, table.top | (4 if table.top_level == 4 else 0))

    def context_bitmap(self):
        bits = 0
        for bus, half in self.contexts:
            bits |= 1 << (bus * 2 + half)
        return bits


def find_entries(build):
    """Finders of context[[uN/]BDF], pasid[BDF][PASID], pte[DOMAIN][IOVA][LEVEL], pt[domainN]."""

    def context(name):
        match = re.fullmatch(r"context\[(?:u(\d+)/)?([0-9a-f:.]+)\]", name)
        if not match:
            return None
        segment, bdf = parse_bdf(match.group(2))
        for unit in build.units:
            if match.group(1) is not None and unit.index != int(match.group(1)):
                continue
            at = unit.entry_address(bdf) if unit.segment == segment else None
            if at is not None:
                size = 32 if unit.scalable else 16
                return Object(build.memory, name, at, size, SCALABLE if unit.scalable else LEGACY)
        raise WriterError("%s: no context table for it" % name)

    def pasid(name):
        match = re.fullmatch(r"pasid\[([0-9a-f:.]+)\]\[(\w+)\]", name)
        if not match:
            return None
        directory = build.directories.get(parse_bdf(match.group(1)))
        value = int(match.group(2), 0)
        if directory is None or value >> 6 not in directory.tables:
            raise WriterError("%s: no PASID table for it" % name)
        at = directory.tables[value >> 6] + 64 * (value & 63)
        return Object(build.memory, name, at, 64, PASID)

    def entry(name):
        match = re.fullmatch(r"pte\[(\w+)\]\[(\w+)\](?:\[(\d+)\])?", name)
        if not match:
            return None
        table = build.tables.get(match.group(1))
        if table is None:
            raise WriterError("%s: no such page table" % name)
        iova = int(match.group(2), 0)
        level = int(match.group(3)) if match.group(3) else table.leaf_level(iova)
        at = table.entry_address(iova, level) if level is not None else None
        if at is None:
            raise WriterError("%s: not mapped" % name)
        return Object(build.memory, name, at, 8, ENTRY)

    def table(name):
        match = re.fullmatch(r"pt\[domain(\d+)\](\[[0-9:]+\])", name)
        if not match or int(match.group(1)) >= len(build.domains):
            return None
        domain = build.domains[int(match.group(1))]
        if "domain" + match.group(1) == domain.label:
            return None
        return build.registry.find("pt[%s]%s" % (domain.label, match.group(2)))

    return [context, pasid, entry, table]
