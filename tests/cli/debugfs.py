#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""VT-d tables as the tool shows them against those the captured kernel printed itself."""

import json
import os
import re

import harness

LINE = re.compile(r"^(?P<bdf>[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\s+(?P<root>0x[0-9a-f]{16}:0x[0-9a-f]{16})\s+"
                  r"(?P<context>0x[0-9a-f]{16}:0x[0-9a-f]{16})\s+(?P<pasid>-?\d+)\s+"
                  r"(?P<words>0x[0-9a-f]{16}:0x[0-9a-f]{16}:0x[0-9a-f]{16})\s*$")
NO_PASID = ("-1", ":".join(["0x%016x" % 0] * 3))
# image, mode, what the kernel printed, the prefix of its lines in capture.env
CAPTURES = [
    ("legacy-jump", "legacy", "legacy-dmar.txt", "LEGACY"),
    ("legacy-postboot", "legacy", "legacy-postboot-dmar.txt", "LEGACY_POSTBOOT"),
    ("scalable-jump", "scalable", "scalable-dmar.txt", "SCALABLE"),
    ("scalable-postboot", "scalable", "scalable-postboot-dmar.txt", "SCALABLE_POSTBOOT"),
]
# Live updates that carried a device: their fixtures' prefix, the mode of the unit. The kernel with
# the glue printed -dmar.txt before the jump, -incoming-dmar.txt when it gave out the stream, and
# the same -domain.txt at both moments.
GLUE = [("legacy-glue", "legacy"), ("scalable-glue", "scalable"), ("first-stage-glue", "scalable")]
PRESERVED = "00:04.0"


def read_text(name):
    with open(os.path.join(harness.IMAGES, name), encoding="utf-8") as file:
        return file.read()


def kernel_tables(name):
    """The root table's address, and the set of entries, of a dmar_translation_struct."""
    root, entries = None, set()
    for line in read_text(name).splitlines():
        address = re.search(r"Root Table Address: (0x[0-9a-f]+)", line)
        match = LINE.match(line)
        if address:
            root = address[1]
        elif match:
            entries.add(match.group("bdf", "root", "context", "pasid", "words"))
        elif line and not line.startswith("B.D.F"):
            raise ValueError("%s: not understood: %s" % (name, line))
    return root, entries


def of_device(entries, bdf):
    return {entry for entry in entries if entry[0] == bdf}


def shown_tables(table):
    entries = set()
    for context in table["contexts"]:
        pasids = [(str(p["pasid"]), ":".join(reversed(p["entry"]))) for p in context.get("pasids", [])]
        for pasid in pasids if table["mode"] == "scalable" else [NO_PASID]:
            entries.add((context["bdf"], context["root_entry"], context["context_entry"], *pasid))
    return entries


class Debugfs(harness.ToolTest):
    def setUp(self):
        super().setUp()
        self.captured = dict(line.split("=", 1) for name in ("capture.env", "glue.env")
                             for line in read_text(name).split())

    def table(self, image, option):
        tables = self.show("--vtd-root", option, os.path.join(harness.IMAGES, image + ".ikho"))["vtd_roots"]
        self.assertEqual(1, len(tables))
        self.assertEqual(0, tables[0]["unreadable_tables"])
        return tables[0]

    def test_entries(self):
        for image, mode, text, prefix in CAPTURES:
            root, entries = kernel_tables(text)
            with self.subTest(image=image):
                self.assertGreaterEqual(len(entries), 2)
                self.assertEqual(root, self.captured[prefix + "_VTD_ROOT"])
                table = self.table(image, root + ":" + mode)
                self.assertEqual((root, mode), (table["root_table"], table["mode"]))
                self.assertEqual(entries, shown_tables(table))
                print("%s: %d entries as the kernel printed them" % (image, len(entries)))

    def test_mode_is_found(self):
        for image, mode, text, _ in CAPTURES:
            root, entries = kernel_tables(text)
            with self.subTest(image=image):
                table = self.table(image, root)
                self.assertEqual(mode, table["mode"])
                self.assertNotEqual("--vtd-root", table["mode_chosen_by"])
                self.assertEqual(entries, shown_tables(table))

    def test_mode_is_obeyed(self):
        for image, mode, text, _ in CAPTURES:
            other = {"legacy": "scalable", "scalable": "legacy"}[mode]
            root, entries = kernel_tables(text)
            with self.subTest(image=image):
                result = self.tool("--json", "--vtd-root", root + ":" + other,
                                   os.path.join(harness.IMAGES, image + ".ikho"))
                self.assertEqual(0, result.status)
                table = json.loads(result.out)["vtd_roots"][0]
                self.assertEqual(other, table["mode"])
                self.assertNotEqual(entries, shown_tables(table))

    def test_translate(self):
        for mode in ("legacy", "scalable"):
            image = os.path.join(harness.IMAGES, mode + "-jump.ikho")
            text = read_text(mode + "-domain.txt")
            self.assertIn("Device 0000:%s " % PRESERVED, text)
            pages = re.findall(r"^0x([0-9a-f]{13}) \|\s+(.*)$", text, re.MULTILINE)
            self.assertGreaterEqual(len(pages), 32)
            with self.subTest(image=image):
                for page, entries in harness.some(pages, 8):
                    self.check_walk(image, page, entries, "0x1234")
                after = (int(pages[0][0], 16) << 12) + (4 << 20)  # the memfd's size
                self.assertEqual(1, self.tool("translate", PRESERVED, hex(after), image).status)

    def test_jump_keeps_the_preserved(self):
        """At the jump the preserved device has the entry that it had; the others have none."""
        for name, mode in GLUE:
            root, entries = kernel_tables(name + "-dmar.txt")
            with self.subTest(name=name):
                kept = of_device(entries, PRESERVED)
                self.assertEqual(1, len(kept))
                self.assertGreaterEqual(len(entries), 4)
                self.assertEqual(root, self.captured[name.upper().replace("-", "_") + "_VTD_ROOT"])
                table = self.table(name + "-jump", root)
                self.assertEqual((root, mode), (table["root_table"], table["mode"]))
                self.assertEqual(kept, shown_tables(table))

    def test_next_kernel_keeps_the_preserved(self):
        """The next kernel's stream has every device's context entry, and its own devices' tables."""
        for name, mode in GLUE:
            before = kernel_tables(name + "-dmar.txt")
            root, entries = kernel_tables(name + "-incoming-dmar.txt")
            with self.subTest(name=name):
                kept = of_device(entries, PRESERVED)
                self.assertEqual((before[0], of_device(before[1], PRESERVED)), (root, kept))
                # PASID directories that this kernel gave its devices are no part of the handover.
                others = {entry[0] for entry in entries} - {PRESERVED}
                self.assertGreaterEqual(len(others), 3)
                table = self.table(name + "-incoming", root)
                self.assertEqual((root, mode), (table["root_table"], table["mode"]))
                self.assertEqual({entry[:3] for entry in entries},
                                 {(context["bdf"], context["root_entry"], context["context_entry"])
                                  for context in table["contexts"]})
                self.assertEqual(entries if mode == "legacy" else kept, shown_tables(table))

    def check_walk(self, image, page, entries, memfd):
        iova = int(page, 16) << 12 | 0x123
        result = json.loads(self.good("translate", "--json", PRESERVED, hex(iova), image))
        walked = [int(entry, 16) for entry in entries.split() if int(entry, 16)]
        self.assertEqual(walked, [int(level["entry"], 16) for level in result["levels"]])
        self.assertEqual(hex(walked[-1] & 0xffffffffff000 | 0x123), result["phys"])
        self.assertEqual((hex(iova), memfd), (result["iova"], result.get("memfd")))

    def test_translate_across_the_jump(self):
        """Before, at and after the jump the device's addresses lead through the same entries."""
        for name, _ in GLUE:
            text = read_text(name + "-domain.txt")
            self.assertIn("Device 0000:%s " % PRESERVED, text)
            pages = re.findall(r"^0x([0-9a-f]{13}) \|\s+(.*)$", text, re.MULTILINE)
            self.assertGreaterEqual(len(pages), 64)
            self.assertGreaterEqual(len({entries.split()[-2] for _, entries in pages}), 2, "leaf tables")
            for moment, memfd in (("jump", "0x1234"), ("incoming", None)):
                image = os.path.join(harness.IMAGES, "%s-%s.ikho" % (name, moment))
                with self.subTest(image=image):
                    for page, entries in harness.some(pages, 16):
                        self.check_walk(image, page, entries, memfd)
                    after = (int(pages[0][0], 16) << 12) + (4 << 20)  # the memfd's size
                    self.assertEqual(1, self.tool("translate", PRESERVED, hex(after), image).status)

    def test_fdt(self):
        for mode in ("legacy", "scalable"):
            address = self.captured[mode.upper() + "_KHO_FDT"]
            for moment in ("jump", "postboot"):
                image = os.path.join(harness.IMAGES, "%s-%s.ikho" % (mode, moment))
                with self.subTest(image=image):
                    self.assertEqual(address, self.show(image)["kho"]["fdt"])
                    roots = json.loads(self.good("--list-roots", "--json", image))["roots"]
                    self.assertEqual(address, roots[0]["fdt"])


if __name__ == "__main__":
    harness.main()
