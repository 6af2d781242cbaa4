#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Writes the seeds among the kept inputs, fuzz/corpus/TARGET: small, mostly sound. Same script, same bytes.

usage: seeds.py [DIRECTORY]
  DIRECTORY  in place of fuzz/corpus

Seeds have names that tell what they are; what an engine found is named by its SHA-1. Named inputs that are not made
here stay, and are told. They come from the independent writer (tests/writer) in every revision and page size, and
from real images (image_seeds.py); vary-* are sound ones with many small changes (variations.py). Those of the tool's
parts are in tool_seeds.py, those of the state machines in machine_seeds.py.
"""

import os
import re
import struct
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "writer"))
sys.dont_write_bytecode = True

import description  # noqa: E402
import image_seeds  # noqa: E402
import machine_seeds  # noqa: E402
import output  # noqa: E402
import tool_seeds  # noqa: E402
import variations  # noqa: E402
from build import Build  # noqa: E402
from seed_handovers import LEGACY, SCALABLE, SPECIAL  # noqa: E402

# As in fuzz.h and in the comments of the targets.
BASE, FRAMES, FRAME = 0x10000, 1024, 4096
PAYLOAD = 0x40000000
SHIFTS = {4096: 0, 16384: 1, 65536: 2}
REVISIONS = ("iommuser-v1", "iommu-v1", "iommu-liveupdate-v1", "iommu-liveupdate",
             "iommu-liveupdate-56")
METADATA = ("root", "page.", "roottable", "ctxtable", "pasiddir", "pasidtable", "pt")
UNIT_TABLES = ("roottable", "ctxtable", "pasiddir", "pasidtable")

# In the layouts of the posted series a device can be stale.
DELETED = """
unit u0 mode=legacy
domain d0 levels=4
domain gone deleted
map d0 0x1000 8K phys=0x40000000
device 00:04.0 domain=d0
device 00:05.0 domain=gone deleted
device 00:06.0 domain=gone stale
"""
# Two units, a domain of several devices and on both units, ids and requesters that occur twice, more than a page.
SHARED = """
unit u0 mode=legacy
unit u1 mode=legacy segment=1
domain d0 levels=4
domain d1 levels=3
map d0 0x1000 8K phys=0x40000000
map d1 0x1000 8K phys=0x40100000
device 00:04.0 domain=d0 unit=u0
device 00:05.0 domain=d0 unit=u0
device 0001:00:04.0 domain=d0 unit=u1
device 0001:00:05.0 domain=d1 unit=u1
"""
BODIES = {"legacy": LEGACY, "scalable": SCALABLE, "special": SPECIAL, "deleted": DELETED}


# What variations are made of: (name, layout, body).
ALL = """
unit u0 mode=legacy
domain d0 levels=3
domain d1 levels=4
hwpt d0
map d0 0x1000 8K phys=0x40000000
map d1 0x200000 2M phys=0x40200000
device 00:04.0 domain=d0 alias=00:14.0
device 00:05.0 domain=d1 alias=00:15.0
"""
VARIED = (("all", "iommuser-v1", ALL), ("special", "iommuser-v1", SPECIAL), ("series", "iommu-v1", DELETED),
          ("lu", "iommu-liveupdate", SCALABLE))


class Handover:
    """IOMMU state in frames: of the writer, or of a real image."""

    def __init__(self, abi, root, pieces, page_size=4096):
        self.abi = abi
        self.shift = SHIFTS[page_size]
        self.root = root - BASE
        self.pieces = pieces

    @property
    def revision(self):
        return REVISIONS.index(self.abi)

    def edits(self):
        return memory(self.pieces)


def build(abi, body, page_size=4096, settings=""):
    lines = ["page-size %dK" % (page_size // 1024), "ram 0x%x 4M" % BASE, "abi " + abi + settings]
    if page_size > 4096:
        lines.append("pack-tables")
    with tempfile.NamedTemporaryFile("w", suffix=".desc") as file:
        file.write("\n".join(lines) + body)
        file.flush()
        return Build(description.read(file.name, []))


def pieces_of(built, prefixes=METADATA):
    """The bytes of 4 KiB frames, by number, without KHO and LUO."""
    frames = set()
    for name, thing in built.registry.objects.items():
        if name.startswith(prefixes) and thing.size:
            frames |= set(range(thing.phys // FRAME, (thing.phys + thing.size - 1) // FRAME + 1))
    return {frame: built.memory.read(frame * FRAME, FRAME) for frame in sorted(frames)
            if BASE // FRAME <= frame < BASE // FRAME + FRAMES}


def handovers():
    """(name, handover): each revision in each page size, then real images."""
    for abi in REVISIONS:
        for body in ("legacy", "scalable", "special" if abi == REVISIONS[0] else "deleted"):
            for page_size in SHIFTS:
                built = build(abi, BODIES[body], page_size)
                yield ("%s-%s-%dk" % (abi, body, page_size // 1024),
                       Handover(abi, built.state_root, pieces_of(built), page_size))
    for name, image in image_seeds.images():
        if image.abi:
            yield "real-" + name, Handover(image.abi, image.root, image.pieces)


def write(frame, offset, data):
    """Writes to memory, at most 255 bytes each."""
    return b"".join(struct.pack("<HHB", frame - BASE // FRAME, offset + i, len(data[i:i + 255])) +
                    data[i:i + 255] for i in range(0, len(data), 255))


def memory(pieces):
    """The bytes of frames as writes of what is not zero; each frame is there at least."""
    out = b""
    for frame, data in sorted(pieces.items()):
        runs = [match.span() for match in re.finditer(rb"[^\0]+(?:\0{1,5}[^\0]+)*", data)]
        out += b"" if runs else struct.pack("<HHB", frame - BASE // FRAME, 0, 0)
        for start, end in runs:
            out += write(frame, start, data[start:end])
    return out


def chain_seed(shift, empty, header, record, most, links, counts):
    page_frames = 1 << 2 * shift
    out = struct.pack("<BBHHHI", shift, empty, header, record, most, links[0] * page_frames * FRAME)
    for page, (following, count) in enumerate(zip(links[1:], counts), 1):
        target = BASE + following * page_frames * FRAME if following else 0
        out += write(BASE // FRAME + page * page_frames, 0, struct.pack("<QQ", target, count))
    return out


def chain():
    """Page numbers: the first one, then what follows page 1, page 2, and so on."""
    yield "three-pages", chain_seed(0, 0, 64, 192, 100, (1, 2, 3, 0), (21, 21, 5))
    yield "cycle", chain_seed(0, 0, 16, 64, 100, (1, 2, 3, 2), (63, 63, 63))
    yield "tail-and-loop", chain_seed(0, 0, 16, 64, 100, (1, 2, 3, 4, 5, 5), (63,) * 5)
    yield "empty-page", chain_seed(0, 1, 16, 64, 1, (1, 0), (0,))
    yield "pages-16k", chain_seed(1, 0, 16, 104, 7, (1, 2, 0), (157, 1))
    yield "pages-64k", chain_seed(2, 0, 64, 8, 2, (2, 0, 1), (8184, 1))
    yield from chain_limits()


def raw_chain_seed(shift, empty, header, record, most, pages):
    """Pages: number: (address of the next one, whatever it is; count)."""
    page_frames = 1 << 2 * shift
    return struct.pack("<BBHHHI", shift, empty, header, record, most, page_frames * FRAME) + b"".join(
        write(BASE // FRAME + number * page_frames, 0, struct.pack("<QQ", *page)) for number, page in pages.items())


def chain_limits():
    """On either side of each limit."""
    for shift in range(3):
        size = FRAME << 2 * shift
        second = BASE + 2 * size
        for header, record in ((64, 192), (16, 37), (16, size - 16)):
            fit = (size - header) // record
            end = "-%d-%d" % (shift, record & 0xff)
            for name, count in (("just-full", fit), ("one-too-many", fit + 1)):
                yield name + end, raw_chain_seed(shift, 0, header, record, 10, {1: (second, fit), 2: (0, count)})
    second, third = BASE + 2 * FRAME, BASE + 3 * FRAME
    three = {1: (second, 21), 2: (third, 21), 3: (0, 1)}
    alone = {1: (0, 1)}
    yield "too-long", raw_chain_seed(0, 0, 64, 192, 2, three)
    yield "just-long-enough", raw_chain_seed(0, 0, 64, 192, 3, three)
    yield "unaligned", raw_chain_seed(0, 0, 64, 192, 3, {1: (second + 8, 21)})
    yield "beyond", raw_chain_seed(0, 0, 64, 192, 3, {1: (1 << 52 | 2 * FRAME, 21)})
    yield "empty-second", raw_chain_seed(0, 1, 64, 192, 3, {1: (second, 21), 2: (0, 0)})
    yield "empty-not-alone", raw_chain_seed(0, 1, 64, 192, 3, {1: (second, 0), 2: (0, 1)})
    yield "header-too-small", raw_chain_seed(0, 1, 15, 192, 3, alone)
    yield "header-too-large", raw_chain_seed(0, 1, 4096, 1, 3, alone)
    yield "record-just-fits", raw_chain_seed(0, 1, 16, 4080, 3, alone)
    yield "record-too-large", raw_chain_seed(0, 1, 16, 4081, 3, alone)
    yield "no-record-size", raw_chain_seed(0, 1, 16, 0, 3, alone)
    yield "missing", raw_chain_seed(0, 1, 16, 8, 3, {1: (second, 1)})


def varied(abi, body):
    """(handover, the numbers of its frames of tables)."""
    built = build(abi, body)
    tables = sorted(pieces_of(built, UNIT_TABLES + ("pt",)))
    return Handover(abi, built.state_root, pieces_of(built)), tables


def vary(seeds):
    return (("vary-" + name, data) for name, data in seeds)


VERIFY_SEAL, VERIFY_DIFFERS, VERIFY_BLIND = 8, 16, 128


def verify():
    """Each one differently: options in turn, and a frame of it that is hidden from the second pass."""
    for i, (name, handover) in enumerate(handovers()):
        options = i % 8 | VERIFY_SEAL | VERIFY_DIFFERS | (VERIFY_BLIND if i % 3 == 2 else 0)
        frames = sorted(handover.pieces)
        hidden = frames[i * 7 % len(frames)] - BASE // FRAME
        yield name, (struct.pack("<BBBHI", handover.shift, handover.revision, options, hidden, handover.root) +
                     bytes(FRAMES // 8) + handover.edits())
    for name, abi, body in VARIED:
        handover, tables = varied(abi, body)
        others = [frame for frame in handover.pieces if frame not in tables]
        addresses = [frame * FRAME for frame in tables[:1] + tables[-2:] + others[:1]]
        root = BASE + handover.root
        changes = list(variations.words(handover.pieces, tables, addresses))
        changes += variations.links([frame for frame in others if frame * FRAME != root])
        if abi != REVISIONS[0]:
            changes += variations.octets(handover.pieces, others)
        else:
            changes += variations.flags(handover.pieces, root)
            yield from vary(variations.lost(name, handover, 0))
            yield from vary(variations.lost(name, handover, 1))
        yield from vary(variations.verify(name, handover, changes))


def records():
    for i, (name, handover) in enumerate(handovers()):
        yield name, struct.pack("<BBBHIB", handover.shift, handover.revision, 2 | i % 2, 0, handover.root,
                                0) + handover.edits()
    for name, abi, body in VARIED[:2]:
        yield from vary(variations.records(name, varied(abi, body)[0]))
    yield "vary-far-requesters", far_requesters()
    for revision in range(1, len(REVISIONS)):
        yield ("vary-root-at-the-end-%d" % revision,
               struct.pack("<BBBHIB", 0, revision, 1, 0, 0xff0, 0) + write(BASE // FRAME, 0xff0, b"\1" + bytes(15)))


def far_requesters():
    """Segments that no requester has, of two devices and an alias."""
    handover, _ = varied(*VARIED[0][1:])
    root = handover.pieces[(BASE + handover.root) // FRAME]
    devices, aliases = (struct.unpack_from("<Q", root, 32 + 24 * kind)[0] for kind in (2, 3))
    return (struct.pack("<BBBHIB", 0, 0, 2, 0, handover.root, 0) + handover.edits() +
            write(devices // FRAME, 64 + 16, struct.pack("<I", 0x10000)) +
            write(devices // FRAME, 64 + 128 + 20, struct.pack("<I", 0x10020)) +
            write(aliases // FRAME, 64 + 16, struct.pack("<I", 0x20000)))


def roundtrip():
    return vary(variations.roundtrip())


def agree():
    for i, (name, handover) in enumerate(handovers()):
        if handover.abi == REVISIONS[0]:
            yield name, struct.pack("<BBI", handover.shift, i % 2, handover.root) + handover.edits()
    for name, abi, body in VARIED[:2]:
        yield from vary(variations.agree(name, varied(abi, body)[0]))


def series_handover(abi, body, page_size=4096, settings=""):
    """Root and records, without the tables."""
    built = build(abi, body, page_size, settings)
    tables = pieces_of(built, UNIT_TABLES)
    pieces = {frame: data for frame, data in pieces_of(built, ("root", "page.")).items() if frame not in tables}
    return Handover(abi, built.state_root, pieces, page_size)


def series_handovers():
    """Each layout of the posted series in each page size, with records in one page and in many."""
    bodies = {"legacy": LEGACY, "scalable": SCALABLE, "deleted": DELETED, "shared": SHARED}
    for abi in REVISIONS[1:]:
        for page_size in SHIFTS:
            end = "-%dk" % (page_size // 1024)
            for body, text in bodies.items():
                yield "%s-%s%s" % (abi, body, end), series_handover(abi, text, page_size)
            yield abi + "-pages" + end, series_handover(abi, SHARED, page_size, " page-records=1")


def smmuv3(abi):
    """A handover whose unit is an Arm SMMUv3, and the writes that make it so."""
    handover = series_handover(abi, LEGACY)
    units, _, devices = struct.unpack_from("<QQQ", handover.pieces[(BASE + handover.root) // FRAME], 8)
    writes = write(units // FRAME, 16 + 16, struct.pack("<12Q", 2, 0xfed90000, 0x10009, 0x21000, 0x22000, *[0] * 7))
    for i in range(2 if abi == "iommu-liveupdate" else 0):
        writes += write(devices // FRAME, 16 + 72 * i + 48, struct.pack("<QQQ", 0x23000 + i, 3, 0x24000))
    return handover, writes


# Of a device record: bytes, and where the domain id, PASID directory and number of PASIDs stand.
SERIES_DEVICES = {"iommu-v1": (65, 25, 49), "iommu-liveupdate-v1": (56, 16, 40), "iommu-liveupdate": (72, 24, 56),
                  "iommu-liveupdate-56": (56, 16, 40)}


def series_limits(abi):
    """Either side of limits, and what takes several fields at once: another mode, a page that is emptied."""
    size, did, directory = SERIES_DEVICES[abi]
    handover = series_handover(abi, SCALABLE)
    first = (BASE + handover.root) // FRAME
    chains = struct.unpack_from("<5Q", handover.pieces[first], 8 * (abi in REVISIONS[3:]))
    domains, devices = (chains[i] // FRAME for i in ((2, 4) if abi == "iommu-v1" else (1, 2)))
    changes = [(devices, 16 + did, struct.pack("<I", value)) for value in (0, 1, 0xffff, 0x10000)]
    changes += [(devices, 16 + directory, struct.pack("<QQ", *pair)) for pair in (
        (0x20000, 32), (0x20000, 64), (0x20000, 1 << 20), (0x20000, (1 << 20) + 64), (0x20000, 0), (0, 64), (0, 0))]
    changes += [(devices, 16 + 45, bytes([value])) for value in (1, 2)]
    changes += [(domains, 16 + 28, bytes([value])) for value in (1, 2)]
    yield from variations.series_groups(abi + "-limits", handover, changes)
    handover = series_handover(abi, SHARED, settings=" page-records=2")
    changes = [(frame, 16 + record * size + directory, struct.pack("<QQ", 0x20000, 0x8000))
               for frame in handover.pieces for record in range(2)]
    changes += [(frame, 8, bytes(8 + 2 * size)) for frame in handover.pieces]
    yield from variations.series_groups(abi + "-together", handover, changes)


def series_roots(abi):
    """The root where it is not aligned, at the end of its page, and beyond that."""
    handover = series_handover(abi, LEGACY)
    size = 48 if abi == "iommu-v1" else 32 if abi in REVISIONS[3:] else 24
    frame = (BASE + handover.root) // FRAME
    root = handover.pieces[frame][:size]
    for name, at in (("unaligned", 4), ("at-the-end", FRAME - size), ("beyond", FRAME - size + 8)):
        moved = Handover(abi, frame * FRAME + at, {**handover.pieces, frame: bytes(FRAME)})
        yield "%s-root-%s" % (abi, name), (variations.series_header(moved, 0) + moved.edits() +
                                           write(frame, at, root[:FRAME - at]))


def agree_series():
    for name, handover in series_handovers():
        yield name, variations.series_header(handover, 0) + handover.edits()
    for abi in REVISIONS[3:]:
        handover, writes = smmuv3(abi)
        yield abi + "-smmuv3", variations.series_header(handover, 0) + handover.edits() + writes
    for abi in REVISIONS[1:]:
        yield from vary(variations.series(abi + "-shared", series_handover(abi, SHARED)))
        yield from vary(series_limits(abi))
        yield from vary(series_roots(abi))
    yield from vary(variations.series("iommu-v1-deleted", series_handover("iommu-v1", DELETED)))


def pagetable_seed(body, label, stage, options):
    built = build(REVISIONS[0], body)
    pieces = pieces_of(built, ("pt[%s]" % label, "pt.%s." % label))
    domain = next(domain for domain in built.domains if domain.label == label)
    return (struct.pack("<BBBBBIQ", 0, stage, domain.top_level, domain.output_width, options,
                        domain.top - BASE, 0x1000) + bytes(FRAMES // 8) + memory(pieces))


def pagetable():
    """Bit 0: with a set; bit 1: of what differs from all that is there; bit 2: pages only; bit 3: ended early."""
    yield "second-3", pagetable_seed(LEGACY, "d0", 2, 3)
    yield "second-4-large", pagetable_seed(LEGACY, "d1", 2, 3)
    yield "second-4-pages", pagetable_seed(SCALABLE, "d0", 2, 7)
    yield "second-4-ended", pagetable_seed(SCALABLE, "d0", 2, 11)
    yield "second-blind", pagetable_seed(SCALABLE, "d0", 2, 2)
    yield "second-4-huge", pagetable_seed(SPECIAL, "d0", 2, 3)
    yield "first-4", pagetable_seed(SCALABLE, "d1", 1, 3)
    yield "first-5-read-only", pagetable_seed(SPECIAL, "d1", 1, 2)
    head = "<BBBBBIQ"
    for top, entry in ((3, 0x83), (4, 0x83), (3, 0x40000083), (4, 0x1083)):
        for stage in (1, 2):
            yield ("vary-leaf-too-high-%d-%x-%d" % (top, entry, stage),
                   struct.pack(head, 0, stage, top, 52, 3, 0x1000, 0x1000) + bytes(FRAMES // 8) +
                   write(BASE // FRAME + 1, 0, struct.pack("<Q", entry)))
    for top in (2, 3, 4):
        yield ("vary-cycle-%d" % top, struct.pack(head, 0, 2, top, 52, 2, 0x1000, 0x1000) + bytes(FRAMES // 8) +
               write(BASE // FRAME + 1, 0, struct.pack("<QQ", 0x11003, 0x12003)) +
               write(BASE // FRAME + 2, 0, struct.pack("<QQ", 0x11003, 0x12003)))


def vtd_seed(pieces, scalable, root, bdf, directory, pasid=0):
    return struct.pack("<BBIHIIH", 0, scalable, root - BASE, bdf, pasid, directory - BASE, 128) + memory(pieces)


def vtd():
    for name, scalable in (("legacy", 0), ("scalable", 1)):
        built = build(REVISIONS[0], BODIES[name])
        first = {prefix: thing.phys for prefix in UNIT_TABLES
                 for key, thing in reversed(built.registry.objects.items()) if key.startswith(prefix)}
        yield name, vtd_seed(pieces_of(built, UNIT_TABLES), scalable, first["roottable"], 0x20,
                             first.get("pasiddir", first["roottable"]))
    yield "vary-table-at-0", vtd_seed({BASE // FRAME + 2: struct.pack("<QQ", 1, 2).ljust(FRAME, b"\0")}, 1,
                                      BASE + 0x1000, 0, BASE + 0x2000, 5)
    for name, image in image_seeds.images():
        if not image.abi:
            yield "real-" + name, vtd_seed(image.pieces, image.mode == "scalable", image.root, 0x20, image.root)


def ikho_seed(pages, preserved, encoding, options, states=()):
    out = output.Portable(4096, encoding, minor=1 if states else 0)
    origin = b"incoming" if states else b"at-jump"
    out.section(output.INFO, b"origin=" + origin + b"\nkho=0x11000\nluo=0x12000\nflb=0x13000\n"
                b"abi=iommuser-v1\nvtd-root=0x14000:legacy\nwriter=fuzz\n")
    for phys, data in pages:
        out.section(output.PAGES, data, phys)
    if preserved is not None:
        out.section(output.PRESERVED, b"".join(struct.pack("<QQ", *pair) for pair in preserved))
    for kind, first, values in states:
        out.section(output.STATES, struct.pack("<IIQ", kind, 0, first) + bytes(values))
    out.end()
    return bytes([options]) + bytes(out.out)[8:]


def ikho():
    page = struct.pack("<QQ", 0x12000, 5).ljust(FRAME, b"\0")
    some = [(0x11000, page), (0x12000, page * 2), (0x80000, page)]
    pairs = [(0x11000, 0x3000), (PAYLOAD, 0x200000)]
    yield "packed", ikho_seed(some, pairs, "zlib", 1)
    yield "sealed", ikho_seed(some, [], "zlib", 0)
    yield "stored", ikho_seed([(0x11000, page)], pairs, "stored", 1)
    yield "no-pages", ikho_seed([], None, "stored", 1)
    yield "states", ikho_seed([], None, "stored", 1, ((1, 0, (2,)), (2, 0, (3, 4)), (3, 0, (2, 0)),
                                                      (3, 2, (5, 6))))
    yield "states-packed", ikho_seed([], None, "zlib", 0, ((3, 0, (2,) * 4000), (3, 4000, (4,))))
    for name, data in image_seeds.portable_files():
        yield "real-" + name, b"\0" + data[8:]


TARGETS = {"chain": chain, "verify": verify, "records": records, "agree": agree, "agree-series": agree_series,
           "pagetable": pagetable, "vtd": vtd, "ikho": ikho, "roundtrip": roundtrip, **machine_seeds.TARGETS,
           **tool_seeds.TARGETS}


def main():
    corpus = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "corpus")
    for target, seeds in TARGETS.items():
        directory = os.path.join(corpus, target)
        os.makedirs(directory, exist_ok=True)
        made = dict(seeds())
        for name in sorted(os.listdir(directory)):
            if name not in made and not re.fullmatch(r"[0-9a-f]{40}", name):
                print("%s: not made here" % os.path.join(directory, name))
        for name, data in made.items():
            with open(os.path.join(directory, name), "wb") as file:
                file.write(data)


main()
