# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The image as a file: flat, ELF core, or portable image (.ikho)."""

import struct
import zlib

from phys import GRAIN, WriterError, align_up

INFO, PAGES, PRESERVED, END, STATES = 1, 2, 3, 4, 5
PAIRS_PER_SECTION = 65536


class Holes:
    """The parts of physical memory that the dump lacks."""

    def __init__(self):
        self.frames = set()
        self.tails = set()

    def add(self, phys, length, tail=False):
        frames = set(range(phys // GRAIN, (phys + length + GRAIN - 1) // GRAIN))
        self.frames |= frames
        if tail:
            self.tails |= frames

    def kept(self, start, length):
        """Runs (start, length, bytes missing after it) of what stays of a range."""
        runs = []
        end = start + length
        at = start
        while at < end:
            stop = at
            while stop < end and stop // GRAIN not in self.frames:
                stop = min(end, (stop // GRAIN + 1) * GRAIN)
            after = stop
            while after < end and after // GRAIN in self.frames:
                after = min(end, (after // GRAIN + 1) * GRAIN)
            tail = 0
            while stop + tail < after and (stop + tail) // GRAIN in self.tails:
                tail += GRAIN
            if stop > at or tail:
                runs.append((at, stop - at, tail))
            at = after
        return runs


def _sparse(file, at, memory, start, length):
    """Write the pieces of a physical range at a file offset."""
    for frame, piece in sorted(memory.pieces.items()):
        phys = frame * GRAIN
        if start <= phys < start + length:
            file.seek(at + phys - start)
            file.write(piece[:min(GRAIN, start + length - phys)])


def flat(file, build, holes):
    if holes.frames:
        raise WriterError("a flat image can't lack pages: use --format elf or ikho")
    base = build.description.base
    end = max(start + length for start, length in build.description.ram)
    for phys in (frame * GRAIN for frame in build.memory.pieces):
        if not base <= phys < end:
            raise WriterError("0x%x was written but isn't in the image" % phys)
    _sparse(file, 0, build.memory, base, end - base)
    file.truncate(end - base)


def _notes(page_size):
    text = ("OSRELEASE=7.3.4\nPAGESIZE=%d\n" % page_size).encode()
    name = b"VMCOREINFO\0"
    return (struct.pack("<III", len(name), len(text), 0) + name.ljust(align_up(len(name), 4), b"\0")
            + text.ljust(align_up(len(text), 4), b"\0"))


def elf(file, build, holes):
    runs = [run for start, length in sorted(build.description.ram)
            for run in holes.kept(start, length)]
    notes = _notes(build.page_size)
    headers = 64 + 56 * (1 + len(runs))
    data = align_up(headers + len(notes), 65536)
    machine = 62 if build.page_size == 4096 else 183
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    out = ident + struct.pack("<HHIQQQIHHHHHH", 4, machine, 1, 0, 64, 0, 0, 64, 56,
                              1 + len(runs), 0, 0, 0)
    out += struct.pack("<IIQQQQQQ", 4, 0, headers, 0, 0, len(notes), len(notes), 0)
    at = data
    for start, length, tail in runs:
        out += struct.pack("<IIQQQQQQ", 1, 7, at, 0, start, length, length + tail, 0)
        at += length
    file.write(out + notes)
    at = data
    for start, length, _tail in runs:
        _sparse(file, at, build.memory, start, length)
        at += length
    file.truncate(at)


class Portable:
    """Writes the sections of a portable image."""

    def __init__(self, page_size, encoding, minor=0):
        if encoding not in ("stored", "zlib"):
            raise WriterError("ikho encoding= is stored or zlib")
        self.compress = encoding == "zlib"
        self.sequence = 0
        self.raw_pages = 0
        head = b"IKHO\r\n\x1a\n" + struct.pack("<III", 1, minor, page_size) + bytes(40)
        self.out = bytearray(head + struct.pack("<I", zlib.crc32(head)))

    def section(self, kind, raw, phys=0, compress=None):
        compress = self.compress if compress is None else compress
        stored = zlib.compress(raw, 9) if compress else raw
        head = struct.pack("<4sIIIQIII", b"SECT", kind, int(compress), self.sequence, phys,
                           len(raw), len(stored), zlib.crc32(stored))
        self.out += head + struct.pack("<I", zlib.crc32(head)) + stored
        self.sequence += 1
        if kind == PAGES:
            self.raw_pages += len(raw)

    def end(self):
        self.section(END, struct.pack("<QQ", self.sequence, self.raw_pages), compress=False)


def _info(build, settings):
    lines = ["origin=" + settings["origin"]]
    if settings["kho"]:
        lines.append("kho=0x%x" % build.kho.fdt)
    if build.luo is not None and settings["kho"]:
        lines.append("luo=0x%x" % build.luo)
    if build.state and settings["flb"]:
        lines += ["flb=0x%x" % build.state_root, "abi=" + build.description.abi]
    if settings["vtd-root"]:
        lines += ["vtd-root=0x%x:%s" % (unit.root, unit.settings["mode"]) for unit in build.units]
    lines.append("writer=tests/writer")
    return "".join(line + "\n" for line in lines).encode()


def _metadata_runs(build):
    runs = []
    for start, length in sorted(build.allocator.metadata):
        if runs and runs[-1][0] + runs[-1][1] == start:
            runs[-1] = (runs[-1][0], runs[-1][1] + length)
        else:
            runs.append((start, length))
    return runs


def portable(file, build, holes):
    settings = build.description.ikho
    states = build.description.states
    out = Portable(build.page_size, settings["encoding"], minor=1 if states else 0)
    out.section(INFO, _info(build, settings))
    for start, length in _metadata_runs(build):
        for begin, size, _tail in holes.kept(start, length):
            for at in range(begin, begin + size, settings["section"]):
                part = min(settings["section"], begin + size - at)
                out.section(PAGES, build.memory.read(at, part), at)
    if settings["preserved"]:
        ranges = build.preserved.ranges()
        for i in range(0, max(len(ranges), 1), PAIRS_PER_SECTION):
            out.section(PRESERVED, b"".join(struct.pack("<QQ", *pair)
                                            for pair in ranges[i:i + PAIRS_PER_SECTION]))
    told = {}
    for kind, values in states:
        out.section(STATES, struct.pack("<IIQ", kind, 0, told.get(kind, 0)) + bytes(values))
        told[kind] = told.get(kind, 0) + len(values)
    out.end()
    file.write(out.out)


FORMATS = {"flat": flat, "elf": elf, "ikho": portable}


def write(path, build, kind, holes):
    with open(path, "wb") as file:
        FORMATS[kind](file, build, holes)
    if build.edits.has_file_edits():
        with open(path, "rb") as file:
            data = build.edits.file(file.read())
        with open(path, "wb") as file:
            file.write(data)
