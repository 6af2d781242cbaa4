#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Writes the seed corpora fuzz/corpus/TARGET: small sound inputs. Same script, same bytes."""

import os
import struct
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "writer"))
sys.dont_write_bytecode = True

import description  # noqa: E402
import output  # noqa: E402
from build import Build  # noqa: E402

# As in fuzz.h and in the comments of the targets.
BASE, FRAMES, FRAME = 0x10000, 1024, 4096
PAYLOAD = 0x40000000
SHIFTS = {4096: 0, 16384: 1, 65536: 2}
REVISIONS = ("iommuser-v1", "iommu-v1", "iommu-liveupdate-v1", "iommu-liveupdate",
             "iommu-liveupdate-56")
METADATA = ("root", "page.", "roottable", "ctxtable", "pasiddir", "pasidtable", "pt")

LEGACY = """
unit u0 mode=legacy
domain d0 levels=3
domain d1 levels=4
map d0 0x1000 16K phys=0x40000000
map d0 0x5000 4K phys=0x40100000
map d1 0x200000 2M phys=0x40200000
device 00:04.0 domain=d0
device 00:05.0 domain=d1
"""
SCALABLE = """
unit u0 mode=scalable
domain d0 levels=4
domain d1 levels=4 stage=first
map d0 0x0 32K phys=0x40000000
map d1 0x7f0000000000 12K phys=0x41000000
device 00:04.0 domain=d0 pasid-entries=8192
device 00:15.0 domain=d1 pasid-entries=8192
"""
SPECIAL = """
unit u0 mode=scalable
unit u1 mode=legacy segment=1
domain d0
domain d1 stage=first levels=5
domain gone deleted
map d0 0x40000000 1G phys=0x40000000
map d1 0x1000 4K phys=0x60000000 perm=r
device 00:04.0 domain=d0 unit=u0 pasid-entries=8192 pasid=5:d1 alias=00:14.0
device 0001:00:05.0 domain=d0 unit=u1
device 00:06.0 domain=gone unit=u0 deleted
"""


def build(abi, body, page_size=4096):
    lines = ["page-size %dK" % (page_size // 1024), "ram 0x%x 4M" % BASE, "abi " + abi]
    if page_size > 4096:
        lines.append("pack-tables")
    with tempfile.NamedTemporaryFile("w", suffix=".desc") as file:
        file.write("\n".join(lines) + body)
        file.flush()
        return Build(description.read(file.name, []))


def frames_of(built):
    """The 4 KiB frames of the IOMMU state, without KHO and LUO."""
    frames = set()
    for name, thing in built.registry.objects.items():
        if name.startswith(METADATA) and thing.size:
            frames |= set(range(thing.phys // FRAME, (thing.phys + thing.size - 1) // FRAME + 1))
    return sorted(frame for frame in frames if BASE // FRAME <= frame < BASE // FRAME + FRAMES)


def write(frame, offset, data):
    """Writes to memory, at most 255 bytes each."""
    return b"".join(struct.pack("<HHB", frame - BASE // FRAME, offset + i, len(data[i:i + 255])) +
                    data[i:i + 255] for i in range(0, len(data), 255))


def memory(pieces):
    """The bytes of frames as writes of what is not zero; each frame is there at least."""
    out = b""
    for frame, data in sorted(pieces.items()):
        words = [at for at in range(0, FRAME, 8) if any(data[at:at + 8])]
        start = None
        out += b"" if words else struct.pack("<HHB", frame - BASE // FRAME, 0, 0)
        for at in words:
            if start is None:
                start = at
            if at + 8 not in words and at + 16 not in words and at + 24 not in words:
                out += write(frame, start, bytes(data[start:at + 8]))
                start = None
    return out


def bitmap(frames):
    out = bytearray(FRAMES // 8)
    for frame in frames:
        out[(frame - BASE // FRAME) // 8] |= 1 << (frame - BASE // FRAME) % 8
    return bytes(out)


def pieces_of(built):
    return {frame: built.memory.read(frame * FRAME, FRAME) for frame in frames_of(built)}


def verify_seed(abi, body, page_size=4096, options=0):
    built = build(abi, body, page_size)
    pieces = pieces_of(built)
    return (struct.pack("<BBBI", SHIFTS[page_size], REVISIONS.index(abi), options,
                        built.state_root - BASE) + bitmap(pieces) + memory(pieces))


def verify():
    yield "legacy", verify_seed("iommuser-v1", LEGACY)
    yield "scalable", verify_seed("iommuser-v1", SCALABLE)
    yield "special", verify_seed("iommuser-v1", SPECIAL, options=4)
    yield "pages-64k", verify_seed("iommuser-v1", LEGACY, 65536)
    for abi in REVISIONS[1:]:
        yield abi, verify_seed(abi, SCALABLE if abi.endswith("56") else LEGACY)


def pagetable_seed(body, label, stage, options):
    built = build("iommuser-v1", body)
    names = ("pt[%s]" % label, "pt.%s." % label)
    frames = {thing.phys // FRAME for name, thing in built.registry.objects.items()
              if name.startswith(names)}
    pieces = {frame: built.memory.read(frame * FRAME, FRAME) for frame in frames}
    domain = next(domain for domain in built.domains if domain.label == label)
    return (struct.pack("<BBBBBI", 0, stage, domain.top_level, domain.output_width, options,
                        domain.top - BASE) + bitmap(pieces) + memory(pieces))


def pagetable():
    yield "second-3", pagetable_seed(LEGACY, "d0", 2, 1)
    yield "second-4-large", pagetable_seed(LEGACY, "d1", 2, 1)
    yield "second-blind", pagetable_seed(SCALABLE, "d0", 2, 0)
    yield "first-4", pagetable_seed(SCALABLE, "d1", 1, 1)
    yield "first-5-read-only", pagetable_seed(SPECIAL, "d1", 1, 0)


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


def restore_seed(shift, level, options, steps, fail=(0, 0, 0), lost=0, edits=b""):
    return (struct.pack("<BBBHHHHB", shift, level, options, *fail, lost, len(steps)) +
            bytes(steps) + edits)


ABANDONED = 5


def advance(kind, number, state):
    """A step: of a unit (0), domain (1) or device (2) to a state."""
    return 2 * kind + 1 | state - 1 << 3 | number << 6


def restore():
    some = (2, 0, 8, 4, 12, 10)
    claimed = (20,)
    yield "finish", restore_seed(0, 2, 5, ())
    yield "finish-64k", restore_seed(2, 2, 5, (6,))
    yield "abort", restore_seed(1, 1, 1, some + (7,))
    yield "records-only", restore_seed(0, 0, 4, some)
    yield "refused-page", restore_seed(0, 2, 5, some, fail=(0, 5, 0))
    yield "refused-did", restore_seed(0, 2, 5, some, fail=(0, 0, 2))
    yield "unreadable", restore_seed(0, 2, 5, some, fail=(30, 0, 0))
    yield "abandon", restore_seed(0, 2, 13, ())
    yield "no-claims", restore_seed(0, 0, 9, tuple(advance(kind, number, ABANDONED)
                                                   for kind in (2, 1, 0) for number in range(4)) + (6,))
    yield "hand-over", restore_seed(0, 2, 1, some + claimed + tuple(
        advance(*step) for step in ((2, 0, 3), (1, 0, 3), (2, 1, 3), (1, 0, 3), (2, 0, 2), (2, 0, 3), (2, 0, 4),
                                    (1, 0, 4), (2, 1, 4), (1, 0, 4), (2, 2, 5), (1, 1, 5), (0, 1, 5))) + (6,))
    yield "abort-late", restore_seed(0, 2, 1, some + claimed + (advance(2, 1, ABANDONED), 7))
    yield "edited", restore_seed(0, 2, 7, some, edits=write(BASE // FRAME + 4, 0x80, b"\2"))


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
    yield "states", ikho_seed([], None, "stored", 1, ((1, 0, (2,)), (2, 0, (3, 4)), (3, 0, (2, 0)), (3, 2, (5, 6))))
    yield "states-packed", ikho_seed([], None, "zlib", 0, ((3, 0, (2,) * 4000), (3, 4000, (4,))))


def main():
    for target in (chain, ikho, pagetable, restore, verify):
        directory = os.path.join(HERE, "corpus", target.__name__)
        os.makedirs(directory, exist_ok=True)
        for name in os.listdir(directory):
            os.remove(os.path.join(directory, name))
        for name, data in target():
            with open(os.path.join(directory, name), "wb") as file:
                file.write(data)


main()
