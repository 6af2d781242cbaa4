#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Write a large vmcore to measure the tool with: one handover of many devices
that share a domain of 4 KiB mappings, and the memfd behind it.

The dump holds the memory of the host, sparse: pages of the handover lie in
random places of it, all else is holes. The guest's memory lies above and is
not in the dump, as in one that left user pages out. Everything comes from the
writer in tests/writer; what it would take too long for is done in bulk here."""

import argparse
import os
import random
import sys
from array import array

WRITER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "writer")
sys.path.insert(0, WRITER)
sys.dont_write_bytecode = True

import build as writer  # noqa: E402
import description  # noqa: E402
import output  # noqa: E402
from kho import Radix  # noqa: E402
from objects import number  # noqa: E402
from phys import WriterError  # noqa: E402

PAGE = 4096
HUGE_ORDER = 9
HUGE = PAGE << HUGE_ORDER
# Below this: what takes more than a page.
RANDOM_FROM = 64 << 20
# Pages that one leaf of KHO's map tells of.
LEAF_PAGES = 8 * PAGE
DEVICES_PER_UNIT = 256
UPTODATE_DIRTY = 3 << 52


class Guest:
    """Where the guest's memory lies, page frame by page frame."""

    def __init__(self, start, size, scattered):
        shuffled = random.Random(2)
        self.start, self.size, self.scattered = start, size, scattered
        first = start // PAGE
        if scattered:
            self.folios = array("Q", range(first, first + size // PAGE))
        else:
            self.folios = array("Q", range(first, first + size // PAGE, HUGE // PAGE))
        shuffled.shuffle(self.folios)

    def leaf_table(self, index):
        """The words that map 2 MiB."""
        if self.scattered:
            folios = self.folios[512 * index:512 * index + 512]
            return array("Q", [pfn * PAGE | 3 for pfn in folios])
        phys = self.folios[index] * PAGE
        return array("Q", range(phys | 3, (phys | 3) + HUGE, PAGE))

    def records(self):
        """The memfd's record of each folio."""
        step = 1 if self.scattered else HUGE // PAGE
        words = array("Q", bytes(16 * len(self.folios)))
        words[0::2] = array("Q", [pfn | UPTODATE_DIRTY for pfn in self.folios])
        words[1::2] = array("Q", range(0, step * len(self.folios), step))
        return words


class Allocator(writer.Allocator):
    """Single pages in random places."""

    def __init__(self, page_size, ram, preserved):
        super().__init__(page_size, ram, preserved)
        end = max(start + length for start, length in ram)
        frames = range(RANDOM_FROM // PAGE, end // PAGE)
        self.frames = random.Random(1).sample(frames, min(len(frames), 1 << 19))

    def _take(self, size, gap):
        if size != PAGE:
            return super()._take(size, gap)
        if not self.frames:
            raise WriterError("out of RAM: more is needed")
        return self.frames.pop() * PAGE


class Kho(writer.Kho):
    """A map with leaves that are full, each made with its first block alone."""

    def _radix(self, blocks):
        guest = self.build.guest
        if not guest.scattered:
            return super()._radix(blocks)
        full = range(guest.start, guest.start + guest.size, LEAF_PAGES * PAGE)
        root = super()._radix({**blocks, **dict.fromkeys(full, 0)})
        radix = Radix(PAGE)
        for phys in full:
            node = root
            for index in radix.indices(radix.key(phys, 0)):
                node = self.build.memory.get(node + 8 * index, 8)
            self.build.memory.write(node, b"\xff" * PAGE)
        return root


class Memfd(writer.Memfd):
    """The guest's memory."""

    def _allocate(self):
        guest = self.build.guest
        if not guest.scattered:
            for pfn in guest.folios:
                self.build.preserved.add(pfn * PAGE, HUGE_ORDER)

    def _records(self):
        return self.build.guest.records()

    def _vmalloc(self, obj, records):
        data = records.tobytes()
        areas = [self.build.allocator.pages() for _ in range(0, len(data), PAGE)]
        for i, phys in enumerate(areas):
            self.build.memory.write(phys, data[i * PAGE:(i + 1) * PAGE])
        obj.fill(vmalloc_first=self._chunks(areas), vmalloc_total_pages=len(areas),
                 vmalloc_flags=1, vmalloc_order=0, nr_folios=len(records) // 2)


class Build(writer.Build):
    """A description, and the guest's memory mapped from IOVA 0 on."""

    def __init__(self, desc, guest):
        self.guest = guest
        super().__init__(desc)

    def _map(self, label, _iova, length, _settings):
        table = self.domain(label).table
        for index in range(length // HUGE):
            iova = index * HUGE
            for level in range(table.top_level, 0, -1):
                table._link(iova, level)
            self.memory.write(table.entry_address(iova, 0), self.guest.leaf_table(index).tobytes())


def describe(options):
    lines = ["ram 0 %d" % options.ram, "kho kho-v4", "luo luo-v5", "session vm0",
             "file memfd ram0 size=%d" % options.map, "file iommufd io0", "abi iommuser-v1"]
    units = range(-(-options.devices // DEVICES_PER_UNIT))
    lines += ["unit u%d mode=%s segment=0" % (unit, options.mode) for unit in units]
    lines += ["domain d0", "map d0 0 %d memfd=ram0 page=4K" % options.map]
    for unit in units:
        count = min(DEVICES_PER_UNIT, options.devices - unit * DEVICES_PER_UNIT)
        lines.append("devices %d %02x:00.0 unit=u%d domain=d0" % (count, unit, unit))
    desc = description.Description()
    desc.parse(lines, "large")
    return desc


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", help="the file to write")
    parser.add_argument("--scattered", action="store_true",
                        help="folios of 4 KiB in random places (default: of 2 MiB)")
    parser.add_argument("--mode", choices=("legacy", "scalable"), default="scalable")
    parser.add_argument("--devices", type=number, default=4096)
    parser.add_argument("--map", type=number, default=number("64G"),
                        help="what the domain maps: a multiple of 128M")
    parser.add_argument("--ram", type=number, default=number("16G"),
                        help="what the dump holds: a multiple of 128M, 256M at least")
    parser.add_argument("--fdt", metavar="FILE", help="write the address of the KHO FDT here")
    parser.add_argument("--flb", metavar="FILE", help="write the address of the IOMMU root here")
    options = parser.parse_args(arguments)
    unit = LEAF_PAGES * PAGE
    if options.map % unit or not options.map or options.ram % unit or options.ram < 2 * unit:
        parser.error("sizes are multiples of 128M")
    if not 0 < options.devices <= 65536:
        parser.error("1 to 65536 devices")
    return options


def main(arguments):
    options = parse(arguments)
    writer.Allocator, writer.Kho, writer.Memfd = Allocator, Kho, Memfd
    try:
        image = Build(describe(options), Guest(options.ram, options.map, options.scattered))
        output.write(options.out, image, "elf", output.Holes())
        for path, phys in ((options.fdt, image.kho.fdt), (options.flb, image.state_root)):
            if path:
                with open(path, "w", encoding="ascii") as file:
                    file.write("0x%x\n" % phys)
    except (WriterError, OSError) as error:
        print("large-image.py: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
