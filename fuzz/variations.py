# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Inputs that try one change after the other on a sound handover: each field of its root, pages and
records, each word of its tables, set to values that mean something nearby. For targets whose last
writes to memory may be alternatives (agree, agree-series, verify)."""

import struct

BASE, FRAME = 0x10000, 4096
# Offset and width of what docs/format.md lays down.
ROOT = [(0, 8), (8, 2), (10, 2), (12, 4), (16, 4), (20, 4), (24, 8)] + [(at, 8) for at in range(32, 176, 8)] + [
    (176, 8), (240, 8), (247, 1), (248, 8), (256, 8), (4088, 8)]
HEADER = [(0, 8), (8, 8), (16, 4), (20, 4), (24, 8), (32, 8), (40, 8), (48, 4), (52, 4), (56, 4), (60, 4), (4088, 8)]
START = [(0, 4), (4, 4), (8, 8)]
RECORDS = {
    1: [(16, 4), (20, 4), (24, 8), (32, 4), (36, 4), (40, 8), (48, 8), (56, 8), (64, 4), (68, 4), (72, 8), (128, 8),
        (136, 8), (184, 8)],
    2: [(16, 4), (20, 4), (24, 8), (32, 4), (36, 4), (40, 4), (44, 4), (48, 8), (56, 8), (64, 8), (120, 8)],
    3: [(16, 4), (20, 4), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 4), (60, 4), (64, 8), (120, 8)],
    4: [(16, 4), (20, 4), (24, 8), (32, 4), (36, 4), (56, 8)],
    5: [(16, 8), (24, 8), (32, 4), (36, 4), (40, 4), (44, 4), (56, 8)],
    6: [(16, 8), (24, 8), (32, 8), (40, 8), (56, 8)],
}


def number(data, at, width):
    return int.from_bytes(data[at:at + width], "little")


def sealed_fields(pieces, root):
    """(frame, offset, width) of each field; the addresses of all records."""
    frame = root // FRAME
    fields = [(frame, at, width) for at, width in ROOT]
    addresses = []
    for kind in RECORDS:
        page = number(pieces[frame], 32 + (kind - 1) * 24, 8)
        while page:
            data = pieces[page // FRAME]
            fields += [(page // FRAME, at, width) for at, width in HEADER]
            for i in range(number(data, 8, 8)):
                at = 64 + i * number(data, 20, 4)
                addresses.append(page + at)
                fields += [(page // FRAME, at + offset, width) for offset, width in START + RECORDS[kind]]
            page = number(data, 0, 8)
    return fields, addresses


def small_of(small, at):
    """A third of the numbers that there are: which, depends on the field."""
    return set(sorted(small)[at // 4 % 3::3])


def sealed(pieces, root):
    """Writes to a handover of "iommuser-v1" with pages of 4 KiB: (frame, offset, bytes)."""
    fields, addresses = sealed_fields(pieces, root)
    small = {number(pieces[frame], at, width) for frame, at, width in fields}
    small = {value for value in small if value < 1 << 21}
    for frame, at, width in fields:
        value = number(pieces[frame], at, width)
        others = {0, value + 1, value - 1, value ^ 0x1000, (1 << 8 * width) - 1}
        if width == 4:
            others |= {1, 2, 3, 31, 53, 1 << 16, 1 << 20} | small_of(small, at)
        if width == 8:
            others |= set(addresses[at % 3::3]) | {value + 8, 1 << 41}
        for other in sorted(others - {value}):
            if 0 <= other < 1 << 8 * width:
                yield frame, at, other.to_bytes(width, "little")


def words(pieces, frames, addresses):
    """Writes to tables: bits and addresses of each word that is not 0, and what is beside it."""
    for frame in frames:
        data = pieces[frame]
        for at in range(0, FRAME, 8):
            value = number(data, at, 8)
            if not value:
                continue
            for bit in list(range(14)) + [20, 30, 40, 51, 52, 62, 63]:
                yield frame, at, (value ^ 1 << bit).to_bytes(8, "little")
            for address in addresses:
                yield frame, at, (value & 0xfff | address).to_bytes(8, "little")
            for size in (8, 16, 32, 64):
                if at + 2 * size <= FRAME and not any(data[at + size:at + 2 * size]):
                    yield frame, at + size, data[at:at + size]
            yield frame, at, bytes(8)


def octets(pieces, frames):
    """Writes to records of any layout, byte by byte."""
    for frame in frames:
        for at, value in enumerate(pieces[frame]):
            for other in {value ^ 1, value ^ 2, value ^ 0x80, 0} - {value} if value else ():
                yield frame, at, bytes([other])


def flags(pieces, root):
    """Writes to the small fields of records of "iommuser-v1": their lowest bits."""
    for frame, at, width in sealed_fields(pieces, root)[0]:
        for bit in (0, 1, 2, 4) if width == 4 and at >= 64 else ():
            yield frame, at, (number(pieces[frame], at, width) ^ 1 << bit).to_bytes(width, "little")


def links(pages):
    """Each page of records followed by each."""
    for frame in pages:
        for other in pages:
            yield frame, 0, struct.pack("<Q", other * FRAME)


def packed(alternatives, most):
    """So many at a time, as writes to memory."""
    group = []
    for frame, offset, data in alternatives:
        group.append(struct.pack("<HHB", frame - BASE // FRAME, offset, len(data)) + data)
        if len(group) == most:
            yield group
            group = []
    if group:
        yield group


def groups(name, handover, alternatives, most, header):
    """Inputs of so many alternatives at a time; the header's argument is their number."""
    for i, group in enumerate(packed(alternatives, most)):
        yield "%s-%02d" % (name, i), header(len(group)) + handover.edits() + b"".join(group)


def unsealed(pieces, root):
    """Writes that a seal must notice, and some strings that fill their field."""
    for frame in sealed_pages(pieces, root):
        for at in list(range(0, 256, 9)) + [16, 48, 300, 1000, 4095]:
            yield frame, at, bytes([pieces[frame][at] ^ 1 << at % 8])
    yield root // FRAME, 176, b"r" * 72
    yield root // FRAME, 176, b"r" * 71


def sealed_pages(pieces, root):
    return sorted({frame for frame, _, _ in sealed_fields(pieces, root)[0]})


def agree(name, handover):
    """Of a handover of "iommuser-v1": handover.pieces by frame, .root from BASE, .shift, .edits()."""
    def header(seal):
        return lambda count: struct.pack("<BBI", handover.shift, 0x80 | seal | count << 1, handover.root)

    changes = list(unsealed(handover.pieces, BASE + handover.root))
    for seal in (0, 1):
        yield from groups("%s-seal-%d" % (name, seal), handover, changes, 63, header(seal))
    yield from groups(name, handover, sealed(handover.pieces, BASE + handover.root), 63, header(1))


def series_header(handover, nr_alternatives):
    options = 0x80 | nr_alternatives << 1 if nr_alternatives else 0
    return struct.pack("<BBBI", handover.shift, handover.revision, options, handover.root)


def series(name, handover):
    """Of a handover of the posted series' layouts, of root and records alone."""
    frames = sorted(handover.pieces)
    changes = list(octets(handover.pieces, frames)) + list(links(frames))
    changes += [(frame, at, bytes([1])) for frame in frames for at, value in enumerate(handover.pieces[frame][:208])
                if not value]
    return series_groups(name, handover, changes)


def series_groups(name, handover, changes):
    return groups(name, handover, changes, 63, lambda count: series_header(handover, count))


def verify(name, handover, changes, options=0x18):
    """Of any handover; the frame that is hidden is none of it."""
    return groups(name, handover, changes, 31, lambda count: struct.pack(
        "<BBBHI", handover.shift, handover.revision, options, 0x8000 | count << 10 | 1000, handover.root) + bytes(128))


def lost(name, handover, blind):
    """Each frame not preserved, or hidden from the second pass."""
    for frame in sorted(handover.pieces):
        bit = frame - BASE // FRAME
        differing = bytearray(128)
        if not blind:
            differing[bit // 8] |= 1 << bit % 8
        yield "%s-lost-%d-%d" % (name, blind, bit), (
            struct.pack("<BBBHI", handover.shift, handover.revision, 0x98 if blind else 0x18, bit if blind else 1000,
                        handover.root) + bytes(differing) + handover.edits())


def probes_of(handover):
    """What the target "records" is to ask for, and to change."""
    fields, addresses = sealed_fields(handover.pieces, BASE + handover.root)
    values = addresses + [number(handover.pieces[frame], at, width) for frame, at, width in fields[::5]]
    for i in range(32):
        value = values[i * 37 % len(values)]
        yield struct.pack("<BBQ", i, i * 29 & 0xff if i % 6 == 5 else i % 8, value >> i % 3)


def records(name, handover):
    """Of a handover of "iommuser-v1": map() fails in different calls, memory changes before and after."""
    probes = b"".join(probes_of(handover))
    for i, refuse in enumerate((0, 0, 0, 0, 1, 2, 3, 5, 8, 12, 17, 23, 30, 40)):
        options = 2 | i & 1 | (4 if i == 3 else 0)
        yield "%s-%02d" % (name, i), (
            struct.pack("<BBBHIB", handover.shift, handover.revision, options, refuse, handover.root,
                        len(probes) // 10) + probes + handover.edits())


def step(what, kind, number, members=b""):
    return bytes([what | kind << 3, number, len(members)]) + members


def roundtrip():
    """Programs of the writer; records of all revisions with the largest numbers in every field."""
    largest = b"\xff" * 255
    some = bytes(range(1, 200))
    add, many, update, remove, check = 0, 3, 4, 5, 6
    each = b"".join(step(add, kind, 0, largest) for kind in range(8))
    pages = b"".join(step(many, kind, 63, some) for kind in range(1, 7))
    holes = b"".join(step(remove, kind, at) for kind in range(1, 7) for at in (0, 3, 40, 62, 61, 60))
    programs = {
        "each": each + step(check, 0, 0),
        "pages": pages + step(check, 0, 0) + holes + step(check, 0, 0) + each,
        "updates": each + b"".join(step(update, kind, n, some) for kind in range(1, 7) for n in (0, 1, 255)),
        "emptied": pages + b"".join(step(remove, 1, at) for at in range(62, -1, -1)) + step(add, 1, 0, some),
    }
    for name, program in programs.items():
        for shift in range(3):
            for fail in (0, 1, 2, 5, 0x8007):
                yield "%s-%d-%x" % (name, shift, fail), (
                    struct.pack("<BBHQB", shift, 0, fail, 1 << 63 | 5, 8) + b"release\0" + program)
    for length in (71, 72):
        yield "release-%d" % length, struct.pack("<BBHQB", 0, 0, 0, 0, length) + b"r" * length + each
    for revision in range(1, 5):
        yield "encoder-%d" % revision, struct.pack("<BBHQB", 0, revision, 0, 0, 0) + each + pages
