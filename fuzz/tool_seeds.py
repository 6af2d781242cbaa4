#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Seeds of the targets that test the tool's parts: small inputs, most of them sound.

The layouts are those of the targets' comments. Run alone it writes fuzz/corpus/TARGET for each of them, over
inputs of the same name. Same script, same bytes.
"""

import bz2
import gzip
import lzma
import os
import re
import struct
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "writer"))
sys.dont_write_bytecode = True

import description  # noqa: E402
import output  # noqa: E402
from build import Build  # noqa: E402
from seed_handovers import LEGACY, SCALABLE, SPECIAL  # noqa: E402

# As in fuzz.h: the memory of targets that have one.
BASE, FRAME = 0x10000, 4096
NO_FRAME = 0xffff
SHIFTS = (12, 14, 16)
DEPTHS = {12: 6, 14: 5, 16: 4}
# What the command line is given is raw memory of this size.
RAM = 960 * 1024
FLAT = "--flat=0x%x" % BASE


def edits(offset, data):
    """Writes to memory, at an offset from its base."""
    out = b""
    while data:
        size = min(len(data), 255, FRAME - offset % FRAME)
        out += struct.pack("<HHB", offset // FRAME, offset % FRAME, size) + data[:size]
        offset, data = offset + size, data[size:]
    return out


def runs(*pieces):
    """A sparse file of (offset, bytes)."""
    return b"".join(struct.pack("<IH", at, len(data)) + data for at, data in pieces)


def sparse(data):
    """A file as runs of what is not zero."""
    out = b"".join(runs((found.start(), found.group().rstrip(b"\0")))
                   for found in re.finditer(rb"[^\0](?:\0{0,7}[^\0])*", data))
    return out if data[-1] else out + runs((len(data) - 1, b"\0"))


def pattern(size, start=0):
    return bytes((i * 7 + start) % 251 + 1 for i in range(size))


# KHO's FDT, composed: the numbers of names and strings are those of kho-fdt.c.

COMPATIBLE, MAP, DATA, FDT, SIZE, START, LENGTH = range(7)
LUO, MEMBLOCK, METADATA, NAMED, LONG, LONG_TOO, CONTROLS = range(7)
MEMBLOCK_V1, RESERVE_MEM_V1 = 7, 8


def text(name, which):
    return struct.pack("<BB", name, which)


def address(name, offset):
    return struct.pack("<BBI", name, 40, offset)


def number(name, value):
    return struct.pack("<BBQ", name, 64 + 8, value)


def listed(*items):
    return bytes([len(items)]) + b"".join(items)


def node(name, *properties):
    return bytes([name]) + listed(*properties)


def kho_fdt():
    memblock = (listed(text(COMPATIBLE, MEMBLOCK_V1)) +
                listed(node(NAMED, text(COMPATIBLE, RESERVE_MEM_V1), address(START, 0x100000),
                            number(LENGTH, 0x2000)),
                       node(LUO, text(COMPATIBLE, RESERVE_MEM_V1), address(START, 0x200000),
                            number(LENGTH, 0x1000))))
    metadata = edits(0x4000, struct.pack("<II", 1, 3) + b"7.3.4\0" + bytes(60))
    for version in (1, 2, 3, 4):
        data = FDT if version == 1 else DATA
        size = [number(SIZE, 0x1000)] if version > 2 else []
        root = listed(text(COMPATIBLE, version - 1), address(MAP, 0x2000))
        children = listed(node(LUO, address(data, 0x3000), *size),
                          node(MEMBLOCK, address(data, 0x1000), *size),
                          node(METADATA, address(data, 0x4000), *(size and [number(SIZE, 80)])))
        yield "composed-v%d" % version, bytes([4]) + root + children + memblock + metadata
    yield "odd", (bytes([5]) + listed(text(COMPATIBLE, 6), struct.pack("<BB", MAP, 64 + 4) + b"abcd") +
                  listed(node(LONG, address(DATA, 8)), node(LONG_TOO, address(DATA, 8)),
                         node(CONTROLS), node(LUO), node(LUO)) + listed() + listed())


# KHO's memory map

def radix_words(shift, depth, root, blocks):
    """Offsets and words of a tree whose root is at an offset."""
    words, free = {}, root + (1 << shift)
    for phys, order in blocks:
        key = 1 << (64 - shift - order) | phys >> (shift + order)
        at = root
        for level in range(depth - 1, 0, -1):
            below = shift + 3 + (level - 1) * (shift - 3)
            slot = at + 8 * (key >> below & ((1 << (shift - 3)) - 1))
            if slot not in words:
                words[slot] = BASE + free
                free += 1 << shift
            at = words[slot] - BASE
        bit = key & ((1 << (shift + 3)) - 1)
        words[at + bit // 64 * 8] = words.get(at + bit // 64 * 8, 0) | 1 << bit % 64
    return words


def radix(page, version, blocks, options=0, depth=None, limit=0, scratch=(0, 0), more=b""):
    shift, root = SHIFTS[page], 0x10000
    words = radix_words(shift, depth or DEPTHS[shift], root, blocks)
    return (struct.pack("<BHHBHH", page | (version - 1) << 2 | options, root // FRAME, 0, limit, *scratch) +
            b"".join(edits(at, struct.pack("<Q", word)) for at, word in sorted(words.items())) + more)


def chunks(page, options, *items):
    """Of kho-v1: (offset, next, order, ((start, bitmap, ((word number, word), ...)), ...))."""
    out = struct.pack("<BHHBHH", page | options, items[0][0] // FRAME, 0, 0, 0, 0)
    for offset, following, order, bitmaps in items:
        out += edits(offset, struct.pack("<QII", following and BASE + following, order, len(bitmaps)) +
                     b"".join(struct.pack("<QQ", start, BASE + at) for start, at, _ in bitmaps))
        out += b"".join(edits(at + 8 * i, struct.pack("<Q", word))
                        for _, at, words in bitmaps for i, word in words)
    return out


def kho_map():
    some = ((0x10000, 0), (0x20000, 0), (0x30000, 0), (0x40000, 1), (0x80000, 3), (0x40000000, 9),
            (0x1000000, 0))
    regions = edits(0x200000, struct.pack("<4Q", 0x40000000, 0x4000000, 0x10000, 0x1000))
    for page, shift in enumerate(SHIFTS):
        blocks = [(phys >> (shift + order) << (shift + order), order) for phys, order in some]
        yield "radix-v2-%dk" % (1 << shift >> 10), radix(page, 2, blocks)
        yield "radix-v4-%dk" % (1 << shift >> 10), radix(page, 4, blocks, 32, scratch=(512, 32), more=regions)
    yield "radix-short", radix(1, 2, ((0x10000, 1), (0x20000, 2), (0x40000, 3)), depth=4)
    yield "radix-limit", radix(0, 3, some, limit=5)
    yield "chunks", chunks(0, 0, (0x1000, 0x2000, 0, ((0, 0x3000, ((0, 0xf0001), (70, 5))),
                                                      (0x8000000, 0x4000, ((0, 1),)))),
                           (0x2000, 0, 9, ((0, 0x5000, ((0, 2),)),)))
    small = (0x1000, 0, 0, ((0x1000000, 0x3200, ((0, 0xf0001),)), (0x2000000, 0x3400, ((1, 1),))))
    yield "chunks-small", chunks(0, 0, small)
    yield "chunks-stated", chunks(0, 16, small)
    yield "chunks-cycle", chunks(0, 0, (0x1000, 0x2000, 0, ((0, 0x3000, ((0, 1),)),)),
                                 (0x2000, 0x1000, 0, ((0, 0x4000, ((0, 1),)),)))
    yield "chunks-64k", chunks(2, 0, (0x10000, 0, 1, ((0, 0x20000, ((0, 0xff),)),)))


# LUO

def luo_head(page, revision, options, root=0, sessions=0x10000, flbs=0x20000):
    return struct.pack("<BHIIHHH", page | revision << 2 | options, root, sessions, flbs, 1, 7, NO_FRAME)


def session(name, files, count):
    return name.ljust(64, b"\0") + struct.pack("<QQ", files and BASE + files, count)


def record(name, phys, value):
    """A file (with its token) or an FLB (with its count)."""
    return name.ljust(48, b"\0") + struct.pack("<QQ", phys, value)


def block(following, *records):
    return struct.pack("<QQ", following and BASE + following, len(records)) + b"".join(records)


def memfd(revision, page):
    """A memfd's struct, its list of folios, and two folios; in pieces of memory."""
    head = struct.pack("<QQII" if revision > 3 else "<QQ", *((0, 0x2000, 0, 0) if revision > 3 else (0, 0x2000)))
    folios = struct.pack("<4Q", (BASE + 0x90000) >> SHIFTS[page] | 3 << 52, 0,
                         (BASE + 0xa0000) >> SHIFTS[page], 1)
    yield 0x60000, head + struct.pack("<QQIHH", 2, BASE + 0x70000, 1, 0, 0)
    yield 0x70000, struct.pack("<QQ", 0, BASE + 0x80000)
    yield 0x80000, folios
    yield 0x90000, b"\0"
    yield 0xa0000, b"\0"


def luo_pieces(revision, page):
    files = [record(b"memfd-v2" if revision > 3 else b"memfd-v1", BASE + 0x60000, 1),
             record(b"iommufd-v1", BASE + 0x61000, 2), record(b"vfio-pci-v1", BASE + 0x62000, 3)]
    sessions = [session(b"one", 0x30000, 3), session(b"two", 0, 0)]
    if revision >= 5:
        yield 0x30000, block(0x40000, *files[:2])
        yield 0x40000, block(0, files[2])
    else:
        yield 0x30000, b"".join(files)
    if revision >= 4:
        yield 0x10000, block(0x50000, sessions[0])
        yield 0x50000, block(0, sessions[1])
    else:
        yield 0x10000, struct.pack("<Q", 2) + b"".join(sessions)
    yield 0x20000, struct.pack("<QQ", 1, 1) + record(b"iommu-v1", BASE + 0x61000, 2)
    yield from memfd(revision, page)


def luo():
    for page in (0, 2):
        for revision in (1, 2, 3, 4, 5):
            yield ("v%d-%dk" % (revision, 1 << SHIFTS[page] >> 10),
                   luo_head(page, revision, 32 | 64) +
                   b"".join(edits(at, data) for at, data in luo_pieces(revision, page)))
    yield "raw-v4", luo_head(0, 0, 0, 0, 0, 0) + edits(0, b"luo-v4;block-v1\0" + struct.pack("<QQQ", 9, 0, 0))
    yield "cycle", luo_head(0, 5, 32, flbs=0) + edits(0x10000, block(0x10000, session(b"x", 0x10000, 1)))


# Dumps

AUTO, RAW, PIECES, PC, Q35 = range(5)


def dump_input(file, how=AUTO, base=0, pieces=(), forced=False, is_sparse=False):
    options = how | (32 if forced else 0) | (128 if is_sparse else 0)
    out = struct.pack("<BH", options, base)
    if how == PIECES:
        out += bytes([len(pieces)]) + b"".join(struct.pack("<IIH", *piece) for piece in pieces)
    return out + file


def elf(segments, notes=b""):
    """A core of (physical address, bytes, size in memory)."""
    headers, body = b"", b""
    count = len(segments) + bool(notes)
    start = 64 + 56 * count
    if notes:
        headers += struct.pack("<IIQQQQQQ", 4, 0, start, 0, 0, len(notes), len(notes), 4)
        body += notes
    for phys, data, size in segments:
        headers += struct.pack("<IIQQQQQQ", 1, 4, start + len(body), 0xffff888000000000 + phys, phys,
                               len(data), size, 0)
        body += data
    return (b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56,
                                                      count, 64, 0, 0) + headers + body)


def vmcoreinfo(lines):
    return struct.pack("<III", 11, len(lines), 0) + b"VMCOREINFO\0\0" + lines + bytes(-len(lines) % 4)


def flattened(file, chunk):
    """The last part first."""
    parts = b"".join(struct.pack(">QQ", at, len(file[at:at + chunk])) + file[at:at + chunk]
                     for at in reversed(range(0, len(file), chunk)))
    return b"makedumpfile".ljust(16, b"\0") + struct.pack(">QQ", 1, 1).ljust(4080, b"\0") + parts + b"\xff" * 16


def lime(*ranges):
    return b"".join(b"EMiL" + struct.pack("<IQQQ", 1, phys, phys + len(data) - 1, 0) + data
                    for phys, data in ranges)


def kdump(frames, packed=True):
    """A kdump-compressed file of pages of 4 KiB."""
    header, sub, bitmap = bytearray(FRAME), bytearray(FRAME), bytearray(FRAME)
    most = max(frames) + 1
    header[0:8] = b"KDUMP   "
    header[8:12] = struct.pack("<I", 6)
    header[12:17] = b"Linux"
    header[272:278] = b"x86_64"
    header[428:444] = struct.pack("<4I", FRAME, 1, 2, most)
    header[460:464] = struct.pack("<I", 1)
    sub[96:104] = struct.pack("<Q", most)
    at, descriptors, data = 4 * FRAME + 24 * len(frames), b"", b""
    for frame in frames:
        bitmap[frame // 8] |= 1 << frame % 8
        page = zlib.compress(pattern(FRAME, frame)) if packed else pattern(FRAME, frame)
        descriptors += struct.pack("<QIIQ", at + len(data), len(page), packed, 0)
        data += page
    return bytes(header + sub + bitmap + bitmap) + descriptors + data


def dump():
    core = elf([(0x1000, pattern(4096), 4096), (0x4000, pattern(2048, 3), 8192)],
               vmcoreinfo(b"OSRELEASE=7.3\nPAGESIZE=4096\n"))
    small = elf([(0x1000, pattern(300), 300)])
    twice = lime((0x1000, pattern(512)), (0x1100, pattern(512, 1)), (0x5000, pattern(256, 1)))
    pieces = ((0, 1, 0), (4096, 8, 0))
    yield "elf", dump_input(core)
    yield "elf-cut-forced", dump_input(core[:-700], forced=True)
    yield "elf-overlap", dump_input(elf([(0x1000, pattern(300), 300), (0x1010, pattern(40, 9), 40),
                                         (0x1000, pattern(20, 5), 20)]))
    yield "elf-64k", dump_input(elf([(0x10000, b"a" * 64, 64)], vmcoreinfo(b"PAGESIZE=65536\n")))
    yield "elf-flattened", dump_input(sparse(flattened(small, 200)), is_sparse=True)
    yield "lime", dump_input(lime((0x1000, pattern(512)), (0x3000, pattern(4096, 1))))
    yield "lime-twice-forced", dump_input(twice, forced=True)
    yield "flat", dump_input(pattern(5000), RAW, base=16)
    yield "map", dump_input(pattern(9000), PIECES, pieces=pieces)
    yield "map-forced", dump_input(pattern(6000), PIECES, pieces=pieces, forced=True)
    yield "pc", dump_input(runs((0, b"a"), (8191, b"b")), PC, is_sparse=True)
    yield "q35", dump_input(runs((0, b"a"), (8191, b"b")), Q35, is_sparse=True)
    yield "kdump", dump_input(sparse(kdump((1, 2, 9))), is_sparse=True)
    yield "kdump-plain", dump_input(sparse(kdump((3,), packed=False)), is_sparse=True)
    yield "kdump-flattened", dump_input(sparse(flattened(kdump((1, 4)), 3000)), is_sparse=True)
    yield "other", dump_input(b"not an image of any kind")


# Kernels

ORIGIN = 0xffffffff81000000
PACKED_TEXT = b"some text that is packed, some text that is packed " * 8
# What python does not pack, as the packers' programs do it.
LZO = bytes.fromhex(
    "894c5a4f000d0a1a0a104020a0094001050300000d000000006b01f3e400000000002f2403b3000001980000003c1e"
    "e392410008736f6d6520746578742074686174206973207061636b65642c2036640037600020001cc8000e7420746861"
    "74206973207061636b65642011000000000000")
LZ4 = bytes.fromhex(
    "02214c182e000000ff0b736f6d6520746578742074686174206973207061636b65642c201a00050f1900060f3300ff"
    "3650636b656420")
ZSTD = bytes.fromhex(
    "28b52ffd0458350100d0736f6d6520746578742074686174206973207061636b65642c2003004a56a9c073013638c7"
    "ee0c97df")


def vmlinux(has_sections=True):
    """A kernel with what preflight looks for: strings, handlers, a configuration."""
    config = gzip.compress(b"CONFIG_KEXEC_HANDOVER=y\n# CONFIG_X is not set\n", mtime=0)
    data = b"Linux version 7.3.4 (x@y) (gcc) #1 SMP\n\0kho-v4;radix-v1\0luo-v5\0IKCFG_ST" + config + b"IKCFG_ED"
    data += bytes(-len(data) % 8)
    table = ORIGIN + 0x10000 + len(data)
    data += struct.pack("<QQ", ORIGIN + 8, ORIGIN + 16)
    handlers = b"".join(struct.pack("<Q", table) + name.ljust(48, b"\0") for name in (b"memfd-v2", b"iommuser-v1"))
    # address, bytes, flags of a section and of a segment
    parts = ((ORIGIN, b"\x90" * 64, 6, 5), (ORIGIN + 0x10000, data, 2, 4), (ORIGIN + 0x20000, handlers, 3, 6))
    start, body, sections, segments = 64 + 56 * 3 * (not has_sections), b"", b"", b""
    for at, piece, section, segment in parts:
        sections += struct.pack("<IIQQQQIIQQ", 0, 1, section, at, start + len(body), len(piece), 0, 0, 8, 0)
        segments += struct.pack("<IIQQQQQQ", 1, segment, start + len(body), at, 0, len(piece), len(piece), 0)
        body += piece
    counts = (0, 0, 64 + len(body), 0, 64, 0, 0, 64, 3, 0) if has_sections else (0, 64, 0, 0, 64, 56, 3, 64, 0, 0)
    return (b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, *counts) +
            (b"" if has_sections else segments) + body + (sections if has_sections else b""))


def bzimage(payload):
    setup = bytearray(5 * 512)
    setup[0x1f1] = 4
    setup[0x1f4:0x1f8] = struct.pack("<I", (len(payload) + 15) // 16)
    setup[0x1fe:0x208] = b"\x55\xaa\0\0HdrS\x0f\2"
    setup[0x20e:0x210] = struct.pack("<H", 0x100)
    setup[0x24c:0x250] = struct.pack("<I", len(payload))
    setup[0x300:0x306] = b"7.3.4 "
    return bytes(setup) + payload + bytes(-len(payload) % 16)


def kernel_file():
    kernel = vmlinux()
    arm = bytearray(56) + b"ARMd" + bytes(4) + b"Linux version 6.1.0 x\0kho-v2\0"
    arm[24] = 4
    files = (("vmlinux", 0, kernel), ("vmlinux-segments", 0, vmlinux(False)), ("packed-bzimage", 8, kernel),
             ("packed-zboot", 9, kernel), ("arm64", 0, bytes(arm)), ("packed-arm64-zboot", 9, bytes(arm)),
             ("arm64-gzip", 0, gzip.compress(bytes(arm), mtime=0)),
             ("bzimage-gzip", 0, bzimage(gzip.compress(kernel, mtime=0))),
             ("bzimage-xz", 0, bzimage(lzma.compress(kernel, check=lzma.CHECK_CRC32) +
                                       struct.pack("<I", len(kernel)))))
    streams = (("gzip", gzip.compress(PACKED_TEXT, mtime=0)), ("bzip2", bz2.compress(PACKED_TEXT)),
               ("lzma", lzma.compress(PACKED_TEXT, format=lzma.FORMAT_ALONE, preset=0)),
               ("xz", lzma.compress(PACKED_TEXT, check=lzma.CHECK_CRC32, preset=0)),
               ("lzo", LZO), ("lz4", LZ4), ("zstd", ZSTD))
    for name, mode, data in files:
        yield name, bytes([mode]) + data
    for mode, (name, data) in enumerate(streams, 1):
        yield name, bytes([mode]) + data


# The command line

def flat_memory(abi, body):
    """A handover as raw memory from BASE on."""
    lines = "page-size 4K\nram 0x%x %dK\nabi %s\n%s" % (BASE, RAM // 1024, abi, body)
    with tempfile.NamedTemporaryFile("w", suffix=".desc") as file:
        file.write(lines)
        file.flush()
        built = Build(description.read(file.name, []))
    memory = bytearray(RAM)
    for frame, piece in built.memory.pieces.items():
        memory[frame * FRAME - BASE:frame * FRAME - BASE + len(piece)] = piece
    return bytes(memory).rstrip(b"\0")


def portable(memory):
    """The same as a portable image, not packed."""
    out = output.Portable(FRAME, "stored", minor=0)
    out.section(output.INFO, b"origin=at-jump\nwriter=fuzz\n")
    for at in range(0, len(memory), FRAME):
        if any(memory[at:at + FRAME]):
            out.section(output.PAGES, memory[at:at + FRAME].ljust(FRAME, b"\0"), BASE + at)
    out.end()
    return bytes(out.out)


SEAL_A, SPARSE_A, SPARSE_B = 1, 4, 8


def command(words, a, b=b"", flags=SPARSE_A):
    joined = b"".join(word.encode() + b"\0" for word in words.split())
    return struct.pack("<BH", flags, len(joined)) + joined + struct.pack("<I", len(a)) + a + b


def commands_on(name, memory, lines):
    for verb, words in lines:
        yield name + "-" + verb, command(words.replace("FLAT", FLAT), memory)


def plain_commands():
    """Those that need no image."""
    for name, words in (("explain", "--explain KHO-01 --json"), ("explain-text", "--explain LUO-01"),
                        ("explain-wrong", "--explain X-99"), ("schema", "--schema verify"),
                        ("schema-all", "--schema"), ("help", "--help"), ("help-preflight", "preflight --help"),
                        ("version", "--version"), ("wrong", "verify --limit x a"),
                        ("controls", "show \x1b[31m \x7f"), ("failed-json", "stat --json nothing")):
        yield name, command(words, b"")


def command_line():
    yield from plain_commands()
    legacy, scalable, special = (flat_memory("iommuser-v1", body) for body in (LEGACY, SCALABLE, SPECIAL))
    old = flat_memory("iommu-v1", LEGACY)
    a, b, kernel = sparse(legacy), sparse(scalable), vmlinux()
    yield from commands_on("legacy", a, (
        ("show", "FLAT a"), ("show-json", "show --json FLAT a"), ("verify", "verify FLAT a"),
        ("lines", "verify --json-lines FLAT a a"), ("metrics", "verify --prometheus -o out FLAT a"),
        ("maps", "maps FLAT 00:04.0 a"), ("translate", "translate FLAT 00:04.0 0x1000 a"),
        ("extract", "extract -o o.ikho FLAT a"), ("extract-self", "extract -o a FLAT a"),
        ("graph", "graph FLAT a"), ("scratch", "scratch --json FLAT a"), ("roots", "--list-roots --json FLAT a"),
        ("color", "verify --color=always FLAT a"), ("flb", "FLAT --flb 0x12000 --abi iommuser-v1 a"),
        ("vtd", "FLAT --vtd-root 0x14000:legacy a"), ("64k", "verify --page-size 64K FLAT a"),
        ("luo", "show FLAT --luo 0x11000 --json a"), ("kho", "show FLAT --kho 0x10000 --post-boot a"),
        ("map", "--map 0:0x10000:0x8000 --map 0x8000:0x18000:0x8000 verify a"), ("qemu", "--qemu-ram q35 stat a")))
    yield from commands_on("scalable", b, (
        ("maps", "maps --json FLAT a"), ("stat", "stat --json FLAT a"), ("graph", "graph --json FLAT a"),
        ("diff-self", "diff FLAT a a")))
    yield from commands_on("special", sparse(special), (
        ("show", "show --json FLAT a"), ("verify", "verify --limit 3 FLAT a"), ("maps", "maps FLAT a"),
        ("device", "maps FLAT 00:04.0 a"), ("graph", "graph --limit 1 FLAT a"),
        ("translate", "translate FLAT --json 00:04.0 0x40001000 a"), ("metrics", "verify --prometheus FLAT a")))
    yield from commands_on("old", sparse(old), (("verify", "verify --json FLAT a"), ("show", "show FLAT a")))
    both = SPARSE_A | SPARSE_B
    yield "diff", command("diff --json %s a b" % FLAT, a, b, both)
    yield "diff-old", command("diff %s b a" % FLAT, sparse(old), a, both)
    yield "diff-special", command("diff --json-lines %s a b" % FLAT, sparse(special), a, both)
    yield "extract-over", command("extract -o b %s a" % FLAT, a, runs((0, b"x")), both)
    yield "metrics-failed", command("verify --prometheus -o m b", a, runs((0, b"q")), both)
    yield "preflight", command("preflight --kernel b --json %s a" % FLAT, a, kernel)
    yield "preflight-old", command("preflight --kernel b %s a" % FLAT, sparse(old), sparse(kernel), both)
    yield "preflight-none", command("preflight --kernel b %s a" % FLAT, a)
    yield "ikho", command("verify --json a", sparse(portable(legacy)), flags=SEAL_A | SPARSE_A)
    yield "ikho-show", command("show a", sparse(portable(scalable)), flags=SEAL_A | SPARSE_A)
    yield "ikho-cut", command("extract --force -o x a", sparse(portable(legacy))[:2000], flags=SEAL_A | SPARSE_A)
    yield "elf", command("stat a", elf([(0x1000, pattern(300), 300)]), flags=0)
    yield "kdump", command("--list-roots a", sparse(kdump((1, 2, 9))))


TARGETS = {"kho-fdt": kho_fdt, "kho-map": kho_map, "luo": luo, "dump": dump, "kernel-file": kernel_file,
           "command-line": command_line}


def main():
    for target, seeds in TARGETS.items():
        directory = os.path.join(HERE, "corpus", target)
        os.makedirs(directory, exist_ok=True)
        for name, data in seeds():
            with open(os.path.join(directory, name), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main()
