#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Proves the writer against the second reader, and both against known values."""

import glob
import io
import os
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import description  # noqa: E402
import output  # noqa: E402
import read_image  # noqa: E402
from build import Build  # noqa: E402
from iommuser_v1 import KINDS  # noqa: E402
from kho import Radix  # noqa: E402
from objects import evaluate  # noqa: E402
from phys import WriterError  # noqa: E402

CLEAN = sorted(glob.glob(os.path.join(HERE, "clean", "*.desc")) +
               glob.glob(os.path.join(HERE, "large", "*.desc")))
SMALL = os.path.join(HERE, "clean", "iommuser-v1-legacy.desc")


def build(path, *lines):
    return Build(description.read(path, lines))


def portable(image):
    file = io.BytesIO()
    output.portable(file, image, output.Holes())
    return file.getvalue()


class View:
    """The writer's memory as an image for the reader."""

    def __init__(self, image):
        self.memory = image.memory
        self.info = {"flb": "0x%x" % image.state_root, "abi": "iommuser-v1"}

    def read(self, phys, length):
        return self.memory.read(phys, length)


def read_back(image):
    view = View(image)
    return read_image.Handover(view, read_image.find_root(view, None)).report()


def radix_blocks(image, phys, level, radix, key=0):
    """Blocks (address, order) of a tree, decoded from its pages."""
    page = image.memory.read(phys, image.page_size)
    if level == 0:
        bits = int.from_bytes(page, "little")
        found = []
        while bits:
            bit = (bits & -bits).bit_length() - 1
            bits &= bits - 1
            whole = key << radix.leaf_log2 | bit
            order = radix.order0_bit - (whole.bit_length() - 1)
            base = whole ^ 1 << (whole.bit_length() - 1)
            found.append((base << (radix.shift + order), order))
        return found
    return [block for index, child in enumerate(struct.unpack("<%dQ" % (len(page) // 8), page))
            if child
            for block in radix_blocks(image, child, level - 1, radix,
                                      key << radix.table_log2 | index)]


def chunk_blocks(image, phys):
    found = []
    size = image.kho_settings["bitmap"]
    while phys:
        follower, order, count = struct.unpack("<QII", image.memory.read(phys, 16))
        for i in range(count):
            start, bitmap = struct.unpack("<QQ", image.memory.read(phys + 16 + 16 * i, 16))
            bits = int.from_bytes(image.memory.read(bitmap, size), "little")
            found += [(start + bit * (image.page_size << order), order)
                      for bit in range(8 * size) if bits >> bit & 1]
        phys = follower
    return found


class KnownValues(unittest.TestCase):
    def test_radix_examples(self):
        radix = Radix(4096)
        key = radix.key(0x100000000, 0)
        self.assertEqual(key, 0x10000000100000)
        self.assertEqual(radix.indices(key), [2, 0, 0, 0, 32])
        self.assertEqual(radix.leaf_bit(key), 0)
        key = radix.key(0x100000000, 9)
        self.assertEqual(key, 0x80000000800)
        self.assertEqual(radix.indices(key), [0, 2, 0, 0, 0])
        self.assertEqual(radix.leaf_bit(key), 2048)

    def test_radix_depths(self):
        self.assertEqual([Radix(size).depth for size in (4096, 16384, 65536)], [6, 5, 4])
        self.assertEqual([Radix(size).order0_bit for size in (4096, 16384, 65536)], [52, 50, 48])

    def test_capacities(self):
        image = build(os.path.join(HERE, "clean", "iommu-v1-many.desc"))
        self.assertEqual([image.state.iommus.capacity, image.state.domains.capacity,
                          image.state.devices.capacity], [110, 123, 62])
        image = build(os.path.join(HERE, "clean", "iommu-liveupdate-v1-legacy.desc"))
        self.assertEqual([image.state.iommus.capacity, image.state.domains.capacity,
                          image.state.devices.capacity], [36, 110, 72])
        image = build(os.path.join(HERE, "clean", "iommu-liveupdate-legacy.desc"))
        self.assertEqual(image.state.devices.capacity, 56)

    def test_expressions(self):
        registry = build(SMALL).registry
        self.assertEqual(evaluate("2M + 0x10 | 1", registry), 0x200011)
        self.assertEqual(evaluate('"a#" * 3', registry), "a#a#a#")
        self.assertEqual(evaluate("@device[1] - @device[0]", registry), 128)
        self.assertEqual(evaluate("$root.format_major << 4", registry), 16)
        with self.assertRaises(WriterError):
            evaluate("__import__(0)", registry)


class CleanDescriptions(unittest.TestCase):
    def test_there_are_some(self):
        self.assertGreaterEqual(len(CLEAN), 40)
        ours = [path for path in CLEAN if description.read(path).abi == "iommuser-v1"]
        self.assertGreaterEqual(len(ours), 10)
        described = {(read.kho["revision"], read.kho["bitmap"])
                     for read in map(description.read, CLEAN)}
        self.assertLessEqual({("kho-v1", "512"), ("kho-v1", "page"), ("kho-v2", "page"),
                              ("kho-v3", "page"), ("kho-v4", "page")}, described)
        states = {(read.abi, unit["mode"]) for read in map(description.read, CLEAN)
                  for unit in read.units.values()}
        self.assertLessEqual({(abi, mode) for abi in description.ABIS
                              for mode in ("legacy", "scalable")}, states)

    def test_deterministic(self):
        self.assertTrue(CLEAN)
        for path in CLEAN:
            with self.subTest(os.path.basename(path)):
                first, second = build(path), build(path)
                self.assertEqual(first.memory.pieces, second.memory.pieces)
                self.assertEqual(portable(first), portable(second))

    def test_memory_map(self):
        self.assertTrue(CLEAN)
        for path in CLEAN:
            with self.subTest(os.path.basename(path)):
                image = build(path)
                root = image.registry.value("fdt.preserved_memory_map")
                if image.kho_settings["revision"] == "kho-v1":
                    blocks = chunk_blocks(image, root)
                else:
                    radix = Radix(image.page_size)
                    blocks = radix_blocks(image, root, radix.depth - 1, radix)
                self.assertEqual(sorted(blocks), sorted(image.preserved.blocks.items()))
                self.assertIsNotNone(image.preserved.find(image.kho.fdt))
                self.check_blocks(image)

    def check_blocks(self, image):
        """No block overlaps another, a scratch region, or leaves RAM."""
        end = 0
        for start in sorted(image.preserved.blocks):
            length = image.preserved.length(start)
            self.assertGreaterEqual(start, end)
            end = start + length
            self.assertTrue(any(low <= start and end <= low + size
                                for low, size in image.description.ram))
            for low, size in image.description.scratch:
                self.assertTrue(end <= low or low + size <= start)

    def test_mapped_and_reachable_pages_are_preserved(self):
        leaves = 0
        for path in CLEAN:
            image = build(path)
            for table in set(image.tables.values()):
                pages = [leaf[2] for leaf in table.leaves] + list(table.tables.values())
                leaves += len(table.leaves)
                for phys in pages:
                    self.assertIsNotNone(image.preserved.find(phys), path)
        self.assertGreater(leaves, 1000)


class ReadBack(unittest.TestCase):
    def check_records(self, image, report):
        total = 0
        for kind in KINDS:
            records = image.state.chains[kind].records
            self.assertEqual(len(report[kind + "s"]), len(records))
            for obj, record in zip(records, report[kind + "s"]):
                self.assertEqual(record.pop("phys"), obj.phys)
                deleted = record.pop("deleted")
                self.assertEqual(deleted, bool(obj.get("flags")))
                for i, word in enumerate(record.pop("context_tables", [])):
                    self.assertEqual(word, obj.get("context_tables_%d" % i))
                for name, value in record.items():
                    self.assertEqual(value, obj.get(name), "%s.%s" % (obj.name, name))
                    total += 1
        return total

    def file_data(self, image, iommufd):
        phys = image.registry.address("iommufd[%d]" % image.iommufds.index(iommufd))
        self.assertEqual(image.registry.value("iommufd[%d].iommufd_token" %
                                              image.iommufds.index(iommufd)), iommufd["token"])
        return phys

    def check_model(self, image, report):
        """The reader's records say what the description says."""
        devices = [d for d in report["devices"] if not d["deleted"]]
        described = [d for d in image.devices if d.live]
        self.assertEqual([(d["segment"], d["bdf"], d["owner_token"], d["pasid_directory"])
                          for d in devices],
                         [(d.segment, d.bdf, self.file_data(image, d.iommufd), d.directory_phys)
                          for d in described])
        domains = {d["phys"]: d["index"] for d in report["domains"]}
        index_of = {d["phys"]: d["index"] for d in report["devices"]}
        plain = {index_of[a["device"]]: (domains[a["domain"]], a["did"])
                 for a in report["attachments"] if not a["deleted"] and not a["attachment_flags"]}
        self.assertEqual(plain, {d.index: (d.domain.index, d.did) for d in described})
        self.assertEqual([(d["top_table"], d["top_level"], d["stage"]) for d in report["domains"]
                          if not d["deleted"]],
                         [(d.top, d.settings["levels"] - 1, 1 if d.stage == "first" else 2)
                          for d in image.domains if not d.deleted])
        self.assertEqual([(h["iommufd_token"], h["hwpt_token"]) for h in report["hwpts"]
                          if not h["deleted"]],
                         [(self.file_data(image, h.iommufd), h.token) for h in image.hwpts
                          if not h.deleted])

    def test_every_description(self):
        compared = 0
        for path in CLEAN:
            if description.read(path).abi != "iommuser-v1":
                continue
            with self.subTest(os.path.basename(path)):
                image = build(path)
                self.check_model(image, read_back(image))
                compared += self.check_records(image, read_back(image))
                container = read_image.Portable(portable(image))
                self.assertEqual(container.preserved, image.preserved.ranges())
                root = read_image.find_root(container, None)
                compared += self.check_records(image,
                                               read_image.Handover(container, root).report())
        self.assertGreater(compared, 5000)

    def test_newer_minor(self):
        path = os.path.join(HERE, "clean", "iommuser-newer-minor.desc")
        self.assertEqual(read_back(build(path))["root"]["format_minor"], 3)


class Edits(unittest.TestCase):
    BAD = (
        "set root.magic = 0", "set root.format_major = 2", "set root.page_size = 8192",
        "set root.device_nr_records += 1", "set root.device_nr_deleted = 1",
        "set root.alias_first_page = @page.device[0]", "set root.reserved = 1",
        'set root.kernel_release = "x" * 72', "set page.device[0].next = @page.domain[0]",
        "set page.device[0].next = @page.device[0]", "set page.device[0].count = 500",
        "set page.device[0].count = 0", "set page.iommu[0].kind = 2",
        "set page.iommu[0].record_size = 184", "set page.hwpt[0].sequence = 1",
        "set page.hwpt[0].generation = 9", "set page.hwpt[0].self = 0",
        "set page.hwpt[0].reserved = 1", "poke @page.hwpt[0]+4095 u8 1",
        "set device[1].index = 0", "set device[1].flags = 2", "set device[1].iommu = @domain[0]",
        "set device[1].iommu += 8", "set device[1].ref_count = 0", "set device[1].zero = 1",
        "set device[1].device_flags |= 2", "set domain[0].ref_count += 1",
        "set domain[0].stage = 1", "set domain[0].top_level = 5", "set domain[0].features = 32",
        "set attachment[0].did = 1", "set attachment[0].did = 65536",
        "set attachment[0].pasid = 3", "set attachment[1].device = @device[0]",
        "set hwpt[0].domain = 0", "set iommu[0].type = 2", "set iommu[0].mode = 0",
        "delete device[0]", "delete domain[1]", "poke-sealed page.iommu[0] 48 u32 0",
        "flip root 300 1", "flip device[2] 20 0",
    )

    def test_reader_refuses(self):
        for line in self.BAD:
            with self.subTest(line), self.assertRaises(read_image.Broken):
                read_back(build(SMALL, line))

    def test_flips(self):
        image = build(SMALL)
        read_back(image)
        pages = [image.state.root] + [p for c in image.state.chains.values() for p in c.pages]
        self.assertEqual(len(pages), 6)
        for obj in pages:
            for byte in range(0, 4096):
                phys, mask = obj.phys + byte, 1 << byte % 8
                old = image.memory.get(phys, 1)
                image.memory.put(phys, 1, old ^ mask)
                with self.assertRaises(read_image.Broken, msg="%s byte %d" % (obj.name, byte)):
                    read_back(image)
                image.memory.put(phys, 1, old)
        read_back(image)

    def test_hardware_tables(self):
        image = build(os.path.join(HERE, "clean", "iommuser-pasids.desc"),
                      "set context[00:04.0].lo |= 0x10", "set pasid[00:04.0][5].did = 9",
                      "set pte[d0][0x1000].value = 0", "set pt[domain0][0][2] = @pt.domain0.top|3")
        self.assertEqual(image.registry.value("context[00:04.0].pre"), 1)
        self.assertEqual(image.registry.value("pasid[00:04.0][5].qw1") & 0xffff, 9)
        table = image.registry.address("pt[d0][0:0]")
        self.assertEqual(image.memory.get(table + 8, 8), 0)
        self.assertEqual(image.memory.get(table + 16, 8),
                         image.registry.address("pt[d0][3]") | 3)

    def test_preserve(self):
        clean = build(SMALL)
        image = build(SMALL, "unpreserve @pt.d0.top", "preserve 0x1e00000 order=9")
        top = image.registry.address("pt.d0.top")
        self.assertIsNotNone(clean.preserved.find(top))
        self.assertIsNone(image.preserved.find(top))
        self.assertEqual(image.preserved.find(0x1e01000), 0x1e00000)

    def test_wrong_lines_are_refused(self):
        for line in ("set device[9].bdf = 1", "set device[0].no = 1", "set root.crc = 1",
                     "unpreserve 0x1000", "map d0 0x0 4K memfd=ram0", "device 00:00.0 domain=no",
                     "set context[40:00.0].lo = 1", "nonsense", "delete root",
                     "set root.page_size = 1 << 40", "map d1 0x8000000000 4K memfd=ram0"):
            with self.subTest(line), self.assertRaises(WriterError):
                build(SMALL, line)


class Portables(unittest.TestCase):
    def test_damage_is_refused(self):
        data = portable(build(SMALL, "ikho section=0x4000"))
        read_image.Portable(data)
        for byte in range(len(data)):
            changed = bytearray(data)
            changed[byte] ^= 1 << byte % 8
            with self.assertRaises(read_image.Broken, msg="byte %d" % byte):
                read_image.Portable(bytes(changed))

    def test_states(self):
        lines = ("ikho origin=incoming", "states iommu 2", "states domain 3", "states domain 4")
        self.assertEqual({1: [2], 2: [3, 4]}, read_image.Portable(portable(build(SMALL, *lines))).states)
        for wrong in (("states iommu 3",), ("states 4 1",), ("states device 7",), ("states device 2", "states iommu 2"),
                      ("states device 2", "ikho origin=outgoing"), ("states device 2", "ikho flb=no")):
            with self.subTest(wrong), self.assertRaises(read_image.Broken):
                read_image.Portable(portable(build(SMALL, "ikho origin=incoming", *wrong)))

    def test_truncation_is_refused(self):
        data = portable(build(SMALL))
        for length in range(len(data)):
            with self.assertRaises(read_image.Broken, msg="length %d" % length):
                read_image.Portable(data[:length])
        with self.assertRaises(read_image.Broken):
            read_image.Portable(data + b"\0")

    def test_holds_no_payload(self):
        image = build(SMALL, "ikho encoding=stored", "amend memfd ram0 fill=SECRETWORD")
        self.assertIn(b"SECRETWORD", b"".join(bytes(p) for p in image.memory.pieces.values()))
        self.assertNotIn(b"SECRETWORD", portable(image))


class CommandLine(unittest.TestCase):
    def run_tool(self, name, *arguments):
        return subprocess.run([sys.executable, os.path.join(HERE, name), *arguments],
                              capture_output=True, text=True, check=False)

    def test_formats_and_drops(self):
        with tempfile.TemporaryDirectory() as directory:
            for kind in ("flat", "ikho"):
                path = os.path.join(directory, kind)
                done = self.run_tool("write_image.py", SMALL, path, "--format", kind)
                self.assertEqual(done.returncode, 0, done.stderr)
                done = self.run_tool("read_image.py", path)
                self.assertEqual(done.returncode, 0, done.stderr)
            done = self.run_tool("write_image.py", SMALL, path, "--format", "ikho",
                                 "--drop", "@page.device[0]")
            self.assertEqual(done.returncode, 0, done.stderr)
            done = self.run_tool("read_image.py", path)
            self.assertEqual(done.returncode, 1)
            self.assertIn("not in the image", done.stderr)
            done = self.run_tool("write_image.py", SMALL, path, "--drop", "0x100000")
            self.assertEqual(done.returncode, 1)

    def test_elf_segments(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "elf")
            done = self.run_tool("write_image.py", SMALL, path, "--format", "elf",
                                 "--drop", "@root", "--drop-tail", "@page.domain[0]:8192")
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(path, "rb") as file:
                data = file.read()
            image = build(SMALL)
            count = struct.unpack_from("<H", data, 56)[0]
            heads = [struct.unpack_from("<IIQQQQQQ", data, 64 + 56 * i) for i in range(count)]
            loads = [head for head in heads if head[0] == 1]
            self.assertEqual(sum(head[5] for head in loads), (32 << 20) - 3 * 4096)
            self.assertEqual(sum(head[6] for head in loads), (32 << 20) - 4096)
            missing = [image.state_root, image.registry.address("page.domain[0]")]
            for _type, _flags, offset, _virtual, phys, size, _memory, _align in loads:
                self.assertFalse(any(phys <= m < phys + size for m in missing))
                self.assertTrue(data[offset:offset + size] == image.memory.read(phys, size))


if __name__ == "__main__":
    unittest.main()
