#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Tiny kernels: ELF files that hold what preflight looks for and nothing that runs, packed like Linux.

usage: tiny_kernel.py OUT [HANDLER...]     a bzImage with these handlers; all of this project's when none is given
"""

import gzip
import struct
import subprocess
import sys

# As Linux's own build calls them.
PACKERS = {"gzip": ["gzip", "-n", "-f", "-9"], "bzip2": ["bzip2", "-9"], "lzma": ["lzma", "-9"],
           "xz": ["xz", "--check=crc32", "--x86", "--lzma2=,dict=1MiB"], "lzo": ["lzop", "-9"],
           "lz4": ["lz4", "-l", "-9", "-"], "zstd": ["zstd", "-19", "-q"]}

TEXT, RODATA, DATA = 0xffffffff81000000, 0xffffffff81400000, 0xffffffff81600000
STRINGS = ["kho-v4", "luo-v5", "kexec-metadata", "memblock-v1", "reserve-mem-v1"]
HANDLERS = ["memfd-v2", "iommuser-iommufd-v1", "iommuser-v1", "iommuser-vfio-pci-v1"]
UNPACKER, TRAILER = b"\xf4" * 99, b"trailing junk"
BANNER = "Linux version 7.3.9-tiny (who@where) (some compiler) #1 SMP\n"


def words(strings):
    return b"".join(text.encode() + b"\0" for text in strings)


def handler(name, operations=RODATA):
    """A file handler or FLB: the address of its functions, its name, then what is private to LUO."""
    return struct.pack("<Q", operations) + name.encode().ljust(48, b"\0") + bytes(32)


def configuration(lines):
    packed = gzip.compress("\n".join(lines).encode() + b"\n", mtime=0)
    return b"IKCFG_ST" + packed + b"IKCFG_ED"


def vmlinux(strings=STRINGS, handlers=HANDLERS, banner=BANNER, more=b"", data=b"", with_sections=True,
            **changes):
    """An ELF file with code, read-only data (first the table of functions), and writable data."""
    rodata = struct.pack("<QQ", TEXT, TEXT + 16) + b"\1\0016some message with kho-v9 in it\0"
    rodata += words(strings) + b"\0" + words([banner]) + more
    data = b"".join(map(handler, handlers)) + data
    # type, flags, address, contents: .text, .rodata, .data (which Linux marks executable)
    parts = [(1, 6, TEXT, b"\x90" * 4096), (1, 2, RODATA, rodata), (1, 7, DATA, data)]
    header = {"type": 2, "machine": 62, "ident": b"\x7fELF\2\1\1", **changes}
    offset, body, sections, segments = 4096, b"", bytes(64), b""
    for kind, flags, address, contents in parts:
        sections += struct.pack("<IIQQQQIIQQ", 0, kind, flags, address, offset + len(body), len(contents),
                                0, 0, 16, 0)
        # Write, allocate, execute are other bits there.
        access = 4 | (flags & 1) << 1 | (flags & 4) >> 2
        segments += struct.pack("<IIQQQQQQ", 1, access, offset + len(body), address, address, len(contents),
                                len(contents), 4096)
        body += contents.ljust(-(-len(contents) // 64) * 64, b"\0")
    table = offset + len(body) if with_sections else 0
    elf = header["ident"].ljust(16, b"\0")
    elf += struct.pack("<HHIQQQIHHHHHH", header["type"], header["machine"], 1, TEXT, 64, table, 0, 64, 56,
                       len(parts), 64, 4 if with_sections else 0, 0)
    return (elf + segments).ljust(offset, b"\0") + body + (sections if with_sections else b"")


def pack(packer, data):
    return subprocess.run(PACKERS[packer], input=data, stdout=subprocess.PIPE, check=True).stdout


def payload(packer, data):
    """What Linux's build puts into a bzImage: the size behind it, where the format has none at its end."""
    packed = pack(packer, data)
    return packed if packer == "gzip" else packed + struct.pack("<I", len(data))


def bzimage(contents, version="7.3.9-tiny (who@where) #1 SMP", setup_sectors=3, **changes):
    """Setup code, then what runs: something, the payload, and what unpacks it. Signatures may follow."""
    code = bytes(0x2c0) + contents + UNPACKER
    code = code.ljust(-(-len(code) // 16) * 16, b"\0")
    field = {"offset": 0x2c0, "length": len(contents), "protocol": 0x20f, "magic": b"HdrS", "flag": 0xaa55,
             "code": len(code) // 16, **changes}
    image = bytearray((setup_sectors + 1) * 512) + code
    image[0x1f1] = setup_sectors
    struct.pack_into("<I", image, 0x1f4, field["code"])
    struct.pack_into("<H", image, 0x1fe, field["flag"])
    image[0x202:0x206] = field["magic"]
    struct.pack_into("<H", image, 0x206, field["protocol"])
    struct.pack_into("<H", image, 0x20e, 0x300 - 0x200)
    image[0x300:0x300 + len(version)] = version.encode()
    struct.pack_into("<II", image, 0x248, field["offset"], field["length"])
    return bytes(image) + TRAILER


def arm64(strings=STRINGS, flags=2 << 0):
    header = bytearray(64)
    struct.pack_into("<Q", header, 24, flags)
    header[56:60] = b"ARM\x64"
    return bytes(header) + b"\0" + words(strings) + words([BANNER])


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__.strip())
    with open(sys.argv[1], "wb") as file:
        file.write(bzimage(payload("gzip", vmlinux(handlers=sys.argv[2:] or HANDLERS))))


if __name__ == "__main__":
    main()
