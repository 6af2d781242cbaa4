#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One handover in every kind of file that memory comes in, whole and damaged."""

import gzip
import json
import os
import re
import shutil
import struct
import subprocess
import zlib

import harness

MIB = 1 << 20
GIB = 1 << 30
DESCRIPTION = harness.clean("iommuser-v1-scalable")
PORTABLE = os.path.join(harness.IMAGES, "legacy-glue-jump.ikho")
INCOMING = os.path.join(harness.IMAGES, "legacy-glue-incoming.ikho")
FORCE = "(--force shows what it still holds)"


def lime(*ranges, version=1):
    """Each (first, last, bytes) behind its header."""
    return b"".join(b"EMiL" + struct.pack("<IQQQ", version, first, last, 0) + data
                    for first, last, data in ranges)


def elf(memory, machine=62, sections=0, info=b"", note=b""):
    """All memory from 0 on, behind notes: VMCOREINFO, and one more of Xen's."""
    notes = b""
    for name, kind, content in ((b"VMCOREINFO\0", 0, info), (b"Xen\0", 0x1000001, note)):
        if content:
            notes += struct.pack("<III", len(name), len(content), kind)
            notes += name + bytes(-len(name) % 4) + content + bytes(-len(content) % 4)
    header = struct.pack("<4sBBB9xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 4, machine, 1, 0, 64,
                         sections, 0, 64, 56, 2, 0, 0, 0)
    programs = struct.pack("<IIQQQQQQ", 4, 0, 4096, 0, 0, len(notes), len(notes), 4)
    programs += struct.pack("<IIQQQQQQ", 1, 4, 8192, 0, 0, len(memory), len(memory), 4096)
    return (header + programs).ljust(4096, b"\0") + notes.ljust(4096, b"\0") + memory


def kdump(memory, bad):
    """kdump-compressed, pages as they are; what is said of the bad ones is nonsense."""
    frames = len(memory) // 4096
    header = bytearray(8192)
    struct.pack_into("<8sI5s", header, 0, b"KDUMP   ", 6, b"Linux")
    header[272:278] = b"x86_64"
    bits = (b"\xff" * (frames // 8) + bytes([(1 << frames % 8) - 1])).ljust(4096, b"\0")
    struct.pack_into("<IIII", header, 428, 4096, 1, 2, frames)
    struct.pack_into("<I", header, 460, 1)
    struct.pack_into("<Q", header, 4096 + 96, frames)
    data = len(header) + 2 * len(bits) + 24 * frames
    descriptors = b"".join(struct.pack("<QIIQ", data + 4096 * frame, 4096, 0x80 * (frame in bad), 0)
                           for frame in range(frames))
    return bytes(header) + bits + bits + descriptors + memory


class Sources(harness.ToolTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        path = "/tmp/iommuser-sources-%d" % os.getpid()
        try:
            harness.write_image(DESCRIPTION, path, form="flat")
            with open(path, "rb") as file:
                cls.memory = file.read()
        finally:
            for name in (path, path + ".symbols"):
                if os.path.exists(name):
                    os.unlink(name)

    def setUp(self):
        super().setUp()
        self.assertEqual(0, len(self.memory) % MIB)
        self.write("flat", self.memory)
        self.expected = self.shown("--flat=0", "flat")
        self.assertEqual(3, len(self.expected["devices"]))

    def shown(self, *arguments):
        shown = self.show(*arguments)
        del shown["source"]
        return shown

    def forced(self, *arguments, losses=1):
        """With --force: what was lost is told on stderr, each in a line; what show says."""
        result = self.tool("show", "--json", "--force", *arguments)
        self.assertEqual(0, result.status, result.err)
        self.assertEqual(losses, result.err.count(": opened by --force: "), result.err)
        self.assertEqual(losses, result.err.count("\n"), result.err)
        return json.loads(result.out)

    def lost_all(self, *arguments):
        """Nothing is left that --force could show."""
        result = self.tool("show", "--force", *arguments)
        self.assertEqual((3, ""), (result.status, result.out), result.err)

    # Raw memory in pieces

    def pieces(self):
        """The memory in a file in another order: half a MiB of something else, high part, low part."""
        self.write("pieces", b"\xff" * (MIB // 2) + self.memory[MIB:] + self.memory[:MIB])
        high = len(self.memory) - MIB
        return ["--map", "0x80000:0x100000:%d" % high,
                "--map", "%d:0:0x100000" % (MIB // 2 + high)]

    def test_map(self):
        self.assertEqual(self.expected, self.shown(*self.pieces(), "pieces"))
        # Page borders of the image need not be those of the pieces.
        odd = b"".join(self.memory[at:at + 4096] + b"x" for at in range(0, 64 << 12, 4096))
        self.write("odd", odd + self.memory[64 << 12:])
        maps = ["--map", "%d:0x40000:%d" % (len(odd), len(self.memory) - (64 << 12))]
        for page in range(32, 64):
            maps += ["--map", "%d:%#x:4096" % (page * 4097, page << 12)]
        self.assertEqual(self.expected, self.shown(*maps, "odd"))

    def test_map_refused(self):
        self.pieces()
        for words, maps in (("two pieces for memory at 0x3000", ("0:0:0x4000", "0x8000:0x3000:0x1000")),
                            ("the file's bytes at offset 8192", ("0:0:0x3000", "0x2000:0x9000:0x1000")),
                            ("two pieces for memory at 0x0", ("0:0:4096", "4096:0:4096")),
                            ("the file ends at", ("0:0:0x10000000000",)),
                            ("the file ends at", ("0x7ffffffffffff000:0:4095",))):
            arguments = [word for text in maps for word in ("--map", text)]
            with self.subTest(maps=maps):
                status = 2 if maps[0].endswith("4095") else 3
                self.refused(status, words if status == 3 else "--map", *arguments, "pieces")

    def test_map_beyond_the_file(self):
        maps = self.pieces()
        size = os.path.getsize(self.path("pieces"))
        os.truncate(self.path("pieces"), size - 4096)
        self.refused(3, FORCE, *maps, "pieces")
        self.assertEqual(self.expected["devices"], self.forced(*maps, "pieces")["devices"])
        self.lost_all("--map", "%d:0:4096" % size, "pieces")

    # RAM of QEMU

    def ram(self, size):
        with open(self.path("ram"), "wb") as file:
            file.truncate(size)
        return "ram"

    def has_page(self, machine, size, phys):
        result = self.tool("--qemu-ram", machine, "--kho", hex(phys), self.ram(size))
        self.assertEqual(3, result.status, result.err)
        self.assertIn("no KHO FDT at", result.err)
        return "the image lacks that page" not in result.err

    def check_split(self, machine, size, low):
        """low bytes from 0 on, the rest from 4 GiB on, and nothing else."""
        high = size - low
        there = {low - 4096, 4 * GIB + high - 4096} if high else {low - 4096}
        for phys in (0, low - 4096, low, 4 * GIB - 4096, 4 * GIB, 4 * GIB + high - 4096,
                     4 * GIB + high):
            expected = phys < low or 4 * GIB <= phys < 4 * GIB + high
            self.assertEqual(expected, self.has_page(machine, size, phys),
                             (machine, hex(size), hex(phys)))
            there.discard(phys)
        self.assertEqual(set(), there)

    def test_qemu_ram(self):
        with open(self.path("ram"), "wb") as file:
            file.write(self.memory)
            file.truncate(4 * GIB)
        # A hole of the file is not searched, so this takes no time.
        self.assertEqual(self.expected, self.shown("--qemu-ram", "q35", "ram"))
        self.refused(3, "multiple of 4096", "--qemu-ram", "pc", self.ram(MIB + 1))
        for machine, size, low in harness.some(
                (("q35", 0xb0000000 - 4096, 0xb0000000 - 4096), ("q35", 0xb0000000, 0x80000000),
                 ("pc", 0xe0000000 - 4096, 0xe0000000 - 4096), ("pc", 0xe0000000, 0xc0000000)), 3):
            self.check_split(machine, size, low)

    def test_qemu_itself(self):
        """The same machines in QEMU, which tells where it has put the file."""
        qemu = shutil.which("qemu-system-x86_64")
        if not qemu:
            self.skipTest("no qemu-system-x86_64")
        for machine, size in harness.some((("q35", 0xb0000000 - MIB), ("q35", 0xb0000000),
                                           ("pc", 0xe0000000 - MIB), ("pc", 0xe0000000),
                                           ("q35", 6 * GIB), ("pc", 256 * MIB)), 3):
            done = subprocess.run(
                [qemu, "-M", machine + ",memory-backend=ram", "-m", "%dM" % (size // MIB), "-S",
                 "-accel", "tcg", "-nodefaults", "-display", "none", "-monitor", "stdio", "-object",
                 "memory-backend-file,id=ram,share=on,size=%d,mem-path=%s" % (size, self.path(self.ram(size)))],
                input=b"info mtree\nquit\n", stdout=subprocess.PIPE, timeout=60, check=True)
            text = done.stdout.decode()
            low = re.search(r"([0-9a-f]{16})-([0-9a-f]{16}) .*: alias ram-below-4g @ram ", text)
            high = re.search(r"([0-9a-f]{16})-([0-9a-f]{16}) .*: alias ram-above-4g @ram ", text)
            self.assertTrue(low, text)
            self.assertEqual(0, int(low[1], 16))
            end = int(low[2], 16) + 1
            self.assertEqual(size - end, int(high[2], 16) + 1 - 4 * GIB if high else 0)
            self.check_split(machine, size, end)

    # LiME

    def split(self):
        """(first, last, bytes) of the memory, cut at 1 MiB."""
        return ((MIB, len(self.memory) - 1, self.memory[MIB:]), (0, MIB - 1, self.memory[:MIB]))

    def test_lime(self):
        self.write("lime", lime(*self.split()))
        self.assertEqual(self.expected, self.shown("lime"))
        self.assertEqual("LiME dump", self.show("lime")["source"]["format"])

    def test_lime_damaged(self):
        high, low = self.split()
        good = lime(high, low)
        second = 32 + len(high[2])
        for words, data, left in harness.some((
                ("version 2: only version 1", lime(high, low, version=2), False),
                ("goes from 0x100000 to 0xfffff", lime((MIB, MIB - 1, b"")), False),
                ("goes from 0x0 to 0xffffffffffffffff", lime((0, (1 << 64) - 1, b"x" * 4096)), False),
                ("goes from", lime(high, (1 << 52, (1 << 52) + 4095, b"x" * 4096)), True),
                ("goes from", lime(high, (5, 4, b"")), True),
                ("ends at offset %d, in a header" % (second + 31), good[:second + 31], True),
                ("ends at offset 31, in a header", good[:31], False),
                ("the file ends after %d" % (len(low[2]) - 1), good[:-1], True),
                ("the file ends after 0", good[:32], False),
                ("begins at offset %d" % second, good[:second] + b"LiME" + good[second + 4:], True),
                ("begins at offset %d" % len(good), good + b"\0" * 32, True),
                ("is there twice", lime(low, high, (MIB - 4096, MIB - 1, b"\xff" * 4096)), True)), 5):
            self.write("lime", data)
            with self.subTest(words=words):
                self.refused(3, words, "show", "lime")
                if "version" not in words:
                    self.refused(3, FORCE, "show", "lime")
                if left:
                    # Without the KHO FDT, which is in low memory; the root is in high memory.
                    arguments = ("--flb", self.expected["root"], "--abi", "iommuser-v1", "lime")
                    self.assertEqual(3, len(self.forced(*arguments)["devices"]))
                else:
                    self.lost_all("lime")

    def test_lime_doubtful(self):
        """Of memory that is there twice, nothing is believed."""
        fdt = int(self.expected["kho"]["fdt"], 16)
        self.write("lime", lime(*self.split(), (fdt, fdt + 4095, b"\0" * 4096)))
        arguments = ("--kho", hex(fdt), "lime")
        self.refused(3, "memory at %#x is there twice" % fdt, *arguments)
        result = self.tool("show", "--force", *arguments)
        self.assertEqual(3, result.status)
        self.assertIn("the image lacks that page", result.err)

    def test_packed(self):
        for data, words in ((gzip.compress(self.memory), "gunzip it first"),
                            (zlib.compress(self.memory), "compressed by zlib"),
                            (b"AVML" + bytes(60), "avml-convert"),
                            (b"\x28\xb5\x2f\xfd" + bytes(60), "unzstd it first"),
                            (b"BZh9" + bytes(60), "bunzip2"), (b"\xfd7zXZ\0" + bytes(60), "unxz")):
            self.write("packed", data)
            self.refused(3, words, "show", "packed")

    # stdin

    def from_pipe(self, data, *arguments):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            try:
                os.write(writer, data[:10])
                with os.fdopen(writer, "wb") as file:
                    file.write(data[10:])
            finally:
                os._exit(0)
        os.close(writer)
        try:
            return self.tool(*arguments, stdin=reader)
        finally:
            os.close(reader)
            os.waitpid(child, 0)

    def test_stdin(self):
        with open(PORTABLE, "rb") as file:
            portable = file.read()
        expected = self.good("show", PORTABLE)
        for result in (self.from_pipe(portable, "show", "-"), self.from_pipe(portable, "-")):
            self.assertEqual((0, expected, ""), (result.status, result.out, result.err))
        with open(PORTABLE, "rb") as file:
            self.assertEqual(expected, self.tool("show", "-", stdin=file).out)
        # A file can be anything, at any position.
        with open(self.path("flat"), "rb") as file:
            file.seek(77)
            result = self.tool("show", "--json", "--flat=0", "-", stdin=file)
        self.assertEqual(self.expected["devices"], json.loads(result.out)["devices"])

    def test_stdin_refused(self):
        self.write("image.elf", self.memory)
        for data, words in ((self.memory, "only a portable image"), (b"", "it is empty"),
                            (b"IKHO", "only a portable image"), (b"IKHO\r\n\x1a\n", "truncated")):
            result = self.from_pipe(data, "show", "-")
            self.assertEqual((3, ""), (result.status, result.out))
            self.assertRegex(result.err, r"\Aiommu-kho-dump: -: [^\n]*" + words + r"[^\n]*\n\Z")
        self.refused(3, "a character device", "show", "-")
        result = self.from_pipe(self.memory, "show", "--flat=0", "-")
        self.assertEqual(3, result.status)
        self.assertIn("only a portable image", result.err)

    # ELF vmcores that crash a library

    def test_odd_elf(self):
        info = b"OSRELEASE=7.3.4\nPAGESIZE=4096\n"
        for arguments in ({"info": info}, {"sections": 1024, "info": info},
                          {"info": b"OSRELEASE=7.3.4\n.=1\n"},
                          {"machine": 243, "info": b"OSRELEASE=7.3.4\n", "note": bytes(24)}):
            self.write("odd.elf", elf(self.memory, **arguments))
            with self.subTest(arguments=arguments):
                self.assertEqual(self.expected, self.shown("odd.elf"))
                self.assertEqual(12, self.show("odd.elf")["source"]["page_size"].bit_length() - 1)

    # Memory that is there and cannot be read is not missing

    def test_read_error(self):
        fdt = int(self.expected["kho"]["fdt"], 16) >> 12
        root = int(self.expected["root"], 16) >> 12
        self.assertLess(len(self.memory), 4096 * 4096 * 8)
        self.write("good.kdump", kdump(self.memory, ()))
        self.assertEqual(self.expected, self.shown("good.kdump"))
        for bad in harness.some((fdt, root), 2):
            self.write("bad.kdump", kdump(self.memory, (bad,)))
            words = "page frame %#x has" % bad
            for command in harness.some((["show"], ["verify"], ["maps"], ["stat"], ["--list-roots"],
                                         ["extract", "-o", "out.ikho"], ["diff", "good.kdump"]), 4):
                with self.subTest(bad=bad, command=command):
                    result = self.tool(*command, "bad.kdump")
                    self.assertEqual(3, result.status, result.err)
                    self.assertIn(words, result.err)
                    self.assertIn(FORCE, result.err)
                    self.assertEqual(1, result.err.count("\n"), result.err)
                    self.assertEqual(["bad.kdump", "flat", "good.kdump"],
                                     sorted(os.listdir(self.dir)))
                    self.read_by_force(words, *command)

    def read_by_force(self, words, *command):
        """The same is told once, and what is left is shown, or not enough is left."""
        result = self.tool(*command, "--force", "bad.kdump")
        self.assertIn(result.status, (0, 1, 3), result.err)
        told = [line for line in result.err.splitlines() if words in line]
        self.assertEqual(1, len(told), result.err)
        self.assertIn(": opened by --force: ", told[0])
        if os.path.exists(self.path("out.ikho")):
            os.unlink(self.path("out.ikho"))

    # Damage that --force passes over

    def test_states_lost(self):
        """Where devices stand was in the image, and is lost: that is not known, rather than that all stay."""
        data, sections = self.sections(INCOMING)
        states = [section for section in sections if section[1] == 5]
        self.assertTrue(states)
        whole = json.loads(self.good("maps", "--json", INCOMING))
        self.assertTrue(whole["devices"])
        for at, _, _ in harness.some(states, 2):
            bad = bytearray(data)
            bad[at + 41] ^= 1
            self.write("bad.ikho", bytes(bad))
            self.refused(3, FORCE, "maps", "bad.ikho")
            result = self.tool("maps", "--json", "--force", "bad.ikho")
            self.assertEqual(1, result.status, result.err)
            maps = json.loads(result.out)
            self.assertIs(False, maps["complete"])
            self.assertEqual(len(whole["devices"]), len(maps["devices"]))
            for device in maps["devices"]:
                self.assertEqual("where the device stands was lost", device["reason"])
                self.assertFalse(device["ranges"])
            self.assertFalse([domain for domain in maps["domains"] if domain["ranges"]])
            shown = self.tool("show", "--force", "bad.ikho")
            self.assertEqual(0, shown.status)
            self.assertIn("where they stand now was lost", " ".join(shown.out.split()))
            self.assertNotIn("DMA through", shown.out)
            # Another image would not tell that they are lost.
            result = self.tool("extract", "--force", "-o", "out.ikho", "bad.ikho")
            self.assertEqual(3, result.status)
            self.assertIn("where its records stand is lost", result.err)
            self.assertFalse(os.path.exists(self.path("out.ikho")))


    def test_cut_elf(self):
        harness.write_image(DESCRIPTION, self.path("image"), "amend memfd m0 fill=x")
        self.cut("image", os.path.getsize(self.path("image")) - MIB)

    def test_cut_flattened(self):
        harness.write_image(DESCRIPTION, self.path("image"))
        with open(self.path("image"), "rb") as file:
            data = file.read()
        head = (b"makedumpfile\0\0\0\0" + struct.pack(">QQ", 1, 1)).ljust(4096, b"\0")
        records = b"".join(struct.pack(">QQ", at, len(data[at:at + MIB])) + data[at:at + MIB]
                           for at in range(0, len(data), MIB))
        whole = head + records + b"\xff" * 16
        self.write("flattened", whole)
        self.assertEqual(self.expected["devices"], self.show("flattened")["devices"])
        self.cut("flattened", len(whole) - MIB, losses=None)

    def cut(self, name, size, losses=1):
        """Behind that size there is nothing that show needs."""
        os.truncate(self.path(name), size)
        self.refused(3, "truncated", "show", name)
        self.refused(3, FORCE, "show", name)
        result = self.tool("show", "--json", "--force", name)
        self.assertEqual(0, result.status, result.err)
        self.assertIn("opened by --force: truncated", result.err)
        if losses:
            self.assertEqual(losses, result.err.count("\n"))
        self.assertEqual(self.expected["devices"], json.loads(result.out)["devices"])

    def test_lost_is_missing(self):
        """What is cut off reads as missing, never as zero: verify says incomplete, not wrong."""
        harness.write_image(DESCRIPTION, self.path("image"))
        root = int(self.expected["root"], 16)
        os.truncate(self.path("image"), 0x10000 + root)
        result = self.tool("verify", "--json", "--force", "image")
        self.assertEqual(1, result.status, result.err)
        report = json.loads(result.out)
        self.assertEqual("incomplete", report["status"])
        self.assertEqual(0, report["errors"])

    def sections(self, path=PORTABLE):
        """(offset, type, stored bytes) of each section of the portable image."""
        with open(path, "rb") as file:
            data = file.read()
        at, found = 64, []
        while at < len(data):
            kind, = struct.unpack_from("<I", data, at + 4)
            stored, = struct.unpack_from("<I", data, at + 28)
            found.append((at, kind, stored))
            at += 40 + stored
        self.assertEqual(len(data), at)
        return data, found

    def test_portable_damaged(self):
        data, sections = self.sections()
        whole = self.show(PORTABLE)
        unread = 0
        self.assertGreater(len(sections), 10)
        for number, (at, kind, stored) in harness.some(enumerate(sections), 6):
            for where, what in ((at + 12, "header"), (at + 40 + stored // 2, "data")):
                bad = bytearray(data)
                bad[where] ^= 0x10
                self.write("bad.ikho", bytes(bad))
                with self.subTest(section=number, kind=kind, what=what):
                    self.refused(3, FORCE, "verify", "bad.ikho")
                    unread += self.never_read(whole, kind == 2 and what == "data")
                    self.check_survivors(whole, kind)
        # Page tables: show has no use for them, and does not read them.
        self.assertGreater(unread, -1 if harness.VALGRIND else 1)

    def never_read(self, whole, memory):
        """show refuses the image as well, unless it is memory that it does not need."""
        if memory and not self.tool("show", "bad.ikho").status:
            self.assertEqual(whole, self.show("bad.ikho"))
            return 1
        self.refused(3, FORCE, "show", "bad.ikho")
        return 0

    def check_survivors(self, whole, kind):
        """A section is lost: what is shown is what was there, or less."""
        result = self.tool("show", "--json", "--force", "bad.ikho")
        self.assertIn("opened by --force: ", result.err)
        # Without INFO nobody says where to start, and KHO's FDT is found by searching.
        self.assertIn(result.status, (0, 1, 3) if kind == 2 else (0,), result.err)
        if result.status == 3:
            return
        shown = json.loads(result.out)
        for key in ("iommus", "domains", "devices"):
            for record in shown[key]:
                self.assertIn(record, whole[key])

    def test_portable_cut(self):
        data, sections = self.sections()
        whole = self.show(PORTABLE)
        for size in [at + more for at, _, _ in harness.some(sections, 12) for more in (0, 39, 41)]:
            self.write("bad.ikho", data[:size])
            with self.subTest(size=size):
                self.refused(3, "truncated", "show", "bad.ikho")
                self.refused(3, FORCE, "show", "bad.ikho")
                result = self.tool("show", "--json", "--force", "bad.ikho")
                self.assertIn(result.status, (0, 1, 3), result.err)
                if result.status != 3:
                    for device in json.loads(result.out)["devices"]:
                        self.assertIn(device, whole["devices"])
        # All but the END section.
        self.write("bad.ikho", data[:sections[-1][0]])
        self.assertEqual(whole["devices"], self.forced("bad.ikho")["devices"])

    def test_preserved_in_doubt(self):
        """A set of preserved pages that may have lost a part is no set at all."""
        data, sections = self.sections()
        at, _, stored = [section for section in sections if section[1] == 3][0]
        bad = bytearray(data)
        bad[at + 40 + stored // 2] ^= 1
        self.write("bad.ikho", bytes(bad))
        report = json.loads(self.tool("verify", "--json", "--force", "bad.ikho").out)
        self.assertEqual([], [finding["code"] for finding in report["findings"]
                              if finding["severity"] == "error"])

    def test_force_on_a_whole_image(self):
        self.assertEqual(self.good("show", PORTABLE), self.good("show", "--force", PORTABLE))


if __name__ == "__main__":
    harness.main()
