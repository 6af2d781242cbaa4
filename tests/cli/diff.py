#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""diff: every image against itself; one thing changed gives exactly that; what is not told is not compared."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import harness
from harness import CLEAN, IMAGES, clean, name_of, some, write_image

SELF = sorted(CLEAN + [os.path.join(IMAGES, name) for name in os.listdir(IMAGES)
                       if name.endswith(".ikho")])
HWPT0 = "hwpt 0x100/0x1"
DEVICE4, DEVICE5, DEVICE6 = "0000:00:04.0", "0000:00:05.0", "0000:00:06.0"

# Description, lines, and all changes: (kind, object, field, before, after). True: any value, but another one.
EDITS = [
    # The handover, and LUO.
    ("iommuser-v1-legacy", ["set root.generation = 99"],
     [("handover", "handover", "generation", True, "0x63")]),
    ("iommuser-v1-legacy", ['set root.kernel_release = "9.9.9"'],
     [("handover", "handover", "kernel_release", "7.3.4", "9.9.9")]),
    ("kho-v4-luo-v5", ["set luo.liveupdate_num = 9"],
     [("handover", "handover", "liveupdate_number", True, "9")]),
    ("kho-v4-luo-v5", ['set kexec.previous_release = "9.9"'],
     [("handover", "handover", "previous_release", True, "9.9")]),
    ("kho-v4-luo-v5", ['set luo.session[0].name = "other"'],
     [("session", "other", None, None, None), ("session", "vm0", None, None, None),
      ("file", "other/*", None, None, None), ("file", "vm0/*", None, None, None)]),
    ("iommuser-v1-legacy", ["set luo.session[0].file[1].token = 0x77"],
     [("file", "vm0/0x2", None, None, None), ("file", "vm0/0x77", None, None, None)]),
    ("iommuser-v1-legacy", ["set ram1.pos = 0x1000"],
     [("file", "vm0/0x2", "position", "0", "4096")]),
    ("iommuser-v1-legacy", ["set ram1.seals = 15"], [("file", "vm0/0x2", "seals", "0x7", "0xf")]),
    ("iommuser-v1-legacy", ["set ram1.size = 0xf000"],
     [("file", "vm0/0x2", "size", "65536", "61440"), ("file", "vm0/0x2", "memory", True, True)]),
    ("iommuser-v1-legacy", ["set memfd[1].folio[3].index = 99"],
     [("file", "vm0/0x2", "memory", True, True)]),
    ("iommuser-v1-legacy", ["set iommufd[0].nr_hwpts = 3"],
     [("file", "vm0/0x100", "hwpts", "2", "3")]),
    ("iommuser-v1-legacy", ["set vfio[1].bdf = 0x30"],
     [("file", "vm0/0x1001", "bdf", "0x28", "0x30")]),
    ("iommuser-v1-legacy", ["set luo.flb[0].count = 7"],
     [("flb", "iommuser-v1", "files", True, "7")]),
    # Units.
    ("iommuser-v1-legacy", ["set iommu[0].cap ^= 0x1"], [("iommu", "0xfed90000", "cap", True, True)]),
    ("iommuser-v1-legacy", ["set iommu[0].ecap ^= 0x1"],
     [("iommu", "0xfed90000", "ecap", True, True)]),
    ("iommuser-v1-legacy", ["set iommu[0].host_address_width = 48"],
     [("iommu", "0xfed90000", "host_address_width", "46", "48")]),
    ("iommuser-v1-legacy", ["set iommu[0].did_limit = 256"],
     [("iommu", "0xfed90000", "did_limit", "65536", "256")]),
    ("iommuser-v1-legacy", ["set iommu[0].first_did = 1"],
     [("iommu", "0xfed90000", "first_did", "2", "1")]),
    ("iommuser-v1-legacy", ["set iommu[0].segment = 1"],
     [("iommu", "0xfed90000", "segment", "0", "1")]),
    ("iommuser-v1-legacy", ["set iommu[0].context_tables_7 = 0x8"],
     [("iommu", "0xfed90000", "context_tables", True, True)]),
    ("iommuser-v1-legacy", ["set iommu[0].token = 0xfed91000"],
     [("iommu", "0xfed90000", None, None, None), ("iommu", "0xfed91000", None, None, None)]
     + [("device", "*", "iommu", "0xfed90000", "0xfed91000")] * 3),
    ("iommu-v1-legacy", ["set iommu[0].ref_count = 9"],
     [("iommu", "0xfed90000", "ref_count", "3", "9")]),
    # Domains: HWPTs name them.
    ("iommuser-v1-legacy", ["set domain[0].top_level = 4"],
     [("domain", HWPT0, "top_level", "3", "4")]),
    ("iommuser-v1-legacy", ["set domain[0].stage = 1"],
     [("domain", HWPT0, "stage", "second-stage", "first-stage")]),
    ("iommuser-v1-legacy", ["set domain[0].input_width = 57"],
     [("domain", HWPT0, "input_width", "48", "57")]),
    ("iommuser-v1-legacy", ["set domain[0].output_width = 52"],
     [("domain", HWPT0, "output_width", "46", "52")]),
    ("iommuser-v1-legacy", ["set domain[0].features ^= 4"],
     [("domain", HWPT0, "features", True, True)]),
    ("iommuser-v1-legacy", ["set domain[0].nr_table_pages += 1"],
     [("domain", HWPT0, "nr_table_pages", True, True)]),
    ("iommuser-v1-legacy", ["set domain[0].page_size_bitmap = 0x1000"],
     [("domain", HWPT0, "page_size_bitmap", True, "0x1000")]),
    ("iommu-liveupdate-v1-scalable", ["set domain[0].vasz = 39"],
     [("domain", HWPT0, "input_width", "48", "39")]),
    # Devices, attachments, HWPTs.
    ("iommuser-v1-legacy", ["set device[1].device_flags ^= 1"],
     [("device", DEVICE5, "device_flags", True, True)]),
    ("iommuser-v1-legacy", ["set device[1].group_size = 2"],
     [("device", DEVICE5, "group_size", "1", "2")]),
    ("iommuser-v1-scalable", ["set device[1].pasid_entries = 64"],
     [("device", DEVICE5, "pasid_entries", "32768", "64")]),
    ("iommuser-v1-scalable", ["set device[1].rid_pasid = 3"],
     [("device", DEVICE5, "rid_pasid", "0", "3")]),
    ("iommuser-v1-scalable", ["set device[1].pasid_directory = 0x7000"],
     [("device", DEVICE5, "pasid_directory", True, "0x7000")]),
    ("iommu-v1-legacy", ["set device[1].did = 9"], [("device", DEVICE5, "did", "2", "9")]),
    ("iommu-liveupdate-56-scalable", ["set device[2].did = 9"],
     [("device", "0000:03:00.0", "did", "3", "9")]),
    ("iommuser-v1-legacy", ["set attachment[1].did = 9"],
     [("attachment", DEVICE5, "did", "2", "9")]),
    ("iommuser-v1-legacy", ["set attachment[1].domain = @domain[1]"],
     [("attachment", DEVICE5, "domain", HWPT0, "hwpt 0x100/0x2")]),
    ("iommu-v1-legacy", ["set device[1].domain = @domain[1]"],
     [("device", DEVICE5, "domain", HWPT0, "hwpt 0x100/0x2")]),
    ("iommuser-v1-legacy", ["set attachment[1].domain = @page.domain[0]"],
     [("attachment", DEVICE5, "domain", HWPT0, "no live record")]),
    ("iommuser-pasids", ["set attachment[3].did = 99"],
     [("attachment", DEVICE4 + " PASID 5", "did", True, "99")]),
    ("iommuser-aliases", ["set alias[0].device = @device[1]"],
     [("alias", "0000:05:00.0", "device", "0000:05:01.0", "0000:06:00.0")]),
    ("iommuser-v1-legacy", ["set hwpt[1].domain = @domain[0]"],
     [("hwpt", "0x100/0x2", "domain", True, True)]),
    ("iommuser-v1-legacy", ["set hwpt[1].hwpt_token = 0x55"],
     [("hwpt", "0x100/0x2", None, None, None), ("hwpt", "0x100/0x55", None, None, None)]),
    ("iommu-v1-legacy", ["set iommufd[0].hwpt[1].token = 0x55"],
     [("hwpt", "0x100/0x2", None, None, None), ("hwpt", "0x100/0x55", None, None, None)]),
    # What the hardware does, whatever the records say.
    ("iommuser-v1-legacy", ["set context[00:05.0].p = 0"],
     [("translation", DEVICE5, "stage", "second-stage", True)]),
    ("iommuser-v1-legacy", ["set context[00:05.0].tt = 2"],
     [("translation", DEVICE5, "stage", "second-stage", True)]),
    ("iommuser-v1-legacy", ["set context[00:05.0].did = 9"],
     [("translation", DEVICE5, "did", "2", "9")]),
    ("iommu-liveupdate-56-scalable", ["set pasid[00:05.0][0].did = 9"],
     [("translation", DEVICE5, "did", "2", "9")]),
    ("iommuser-pasids", ["set pasid[00:04.0][5].did = 9"],
     [("translation", DEVICE4 + " PASID 5", "did", "3", "9")]),
    ("iommuser-pasids", ["set pasid[00:04.0][5].p = 0"],
     [("translation", DEVICE4 + " PASID 5", "stage", "first-stage", True)]),
]

# Description, lines, and the mappings that change: (object, also, iova, last, before, after).
MAPPINGS = [
    ("iommuser-v1-legacy", ["set pte[d0][0x200001000].w = 1"],
     (DEVICE4, [DEVICE5], 0x200001000, 0x200001fff, "* r", "* rw")),
    ("iommuser-v1-legacy", ["set pte[d0][0x200001000].value = 0"],
     (DEVICE4, [DEVICE5], 0x200001000, 0x200001fff, "* r", None)),
    ("iommuser-v1-legacy", ["set pte[d0][0x0].value = 0"],
     (DEVICE4, [DEVICE5], 0x0, 0x1fffff, "* rw", None)),
    ("iommuser-v1-legacy", ["set pte[d0][0x200000000][3].value = 0"],
     (DEVICE4, [DEVICE5], None, None, None, None)),
    ("iommuser-v1-legacy", ["set pt[d0][0:1][7] = 0x1234003"],
     (DEVICE4, [DEVICE5], 0x200007000, 0x200007fff, None, "0x1234000 rw")),
    ("iommuser-v1-legacy", ["set pte[d1][0x40005000].address = 0x1234"],
     ("0000:03:00.0", None, 0x40005000, 0x40005fff, "* rw", "0x1234000 rw")),
    ("iommuser-v1-legacy", ["set pte[d1][0x40005000].snp = 1"],
     ("0000:03:00.0", None, 0x40005000, 0x40005fff, "* rw", "* rw snooped")),
    ("iommuser-v1-legacy", ["set pte[d1][0x40005000].value |= 0x4"],
     None),
    ("iommuser-first-stage", ["set pte[d0][0xffff800000003000].value = 0"],
     (DEVICE4, None, 0xffff800000003000, 0xffff800000003fff, "* rw", None)),
    ("iommuser-pasids", ["set pte[d1][0x3000].value = 0"],
     (DEVICE4 + " PASID 5", [DEVICE5 + " PASID 1048575"], 0x3000, 0x3fff, "* rw", None)),
]


def matches(pattern, value):
    if pattern is True or pattern is None or value is None:
        return pattern is True or pattern == value
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".+"), value) is not None


class Diff(harness.ToolTest):
    def compare(self, first, second, *options):
        """The JSON of a diff; its status has to fit."""
        result = self.tool("diff", "--json", *options, first, second)
        self.assertEqual("", result.err)
        answer = json.loads(result.out)
        self.assertEqual("different" if answer["changes"] else "same" if answer["complete"] else "incomplete",
                         answer["status"])
        self.assertEqual((answer["status"] != "same", len(answer["changes"]) > 0),
                         (result.status == 1, answer["differences"] > 0))
        self.assertEqual(answer["differences"],
                         sum(count[change] for count in answer["counts"]
                             for change in ("added", "removed", "changed")))
        return answer

    clean_images = {}

    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.mkdtemp(prefix="iommuser-cli-")
        cls.addClassCleanup(shutil.rmtree, cls.shared)

    def clean_image(self, name):
        """A clean image, written once."""
        if name not in self.clean_images:
            self.clean_images[name] = os.path.join(self.shared, name)
            write_image(clean(name), self.clean_images[name],
                        form="ikho" if "states" in name else "elf")
        return self.clean_images[name]

    def image(self, name, *lines, **options):
        """An image that lines were added to."""
        write_image(clean(name), self.path("b"), *lines, **options)
        return "b"

    def check_values(self, expected, change):
        before, after = expected[3:]
        self.assertTrue(matches(before, change["before"]) and matches(after, change["after"]),
                        (expected, change))
        if before is not None and after is not None:
            self.assertNotEqual(change["before"], change["after"])

    def test_itself(self):
        """No image differs from itself, nor from itself in another form."""
        for description in some(SELF, 6):
            with self.subTest(name=os.path.basename(description)):
                image = description
                if description.endswith(".desc"):
                    image = self.clean_image(name_of(description))
                answer = self.compare(image, image)
                self.assertEqual(([], 0), (answer["changes"], answer["differences"]))

    def test_forms(self):
        for name in some(["iommuser-v1-scalable", "iommu-v1-legacy", "iommu-liveupdate-56-legacy",
                          "kho-v4-luo-v5"], 2):
            with self.subTest(name=name):
                answer = self.compare(self.clean_image(name), self.image(name, form="ikho"))
                self.assertEqual(([], []), (answer["changes"], answer["not_compared"]))

    def test_edits(self):
        """One thing changed is exactly one change, there and back."""
        for name, lines, expected in some(EDITS, 8):
            with self.subTest(name=name, lines=lines):
                first, second = self.clean_image(name), self.image(name, *lines)
                answer = self.compare(first, second)
                found = answer["changes"]
                kinds = [(change["kind"], change["field"]) for change in found]
                self.assertEqual(sorted({(one[0], one[2]) for one in expected}, key=str),
                                 sorted(set(kinds), key=str), found)
                for one in expected:
                    fitting = [change for change in found
                               if (change["kind"], change["field"]) == (one[0], one[2]) and
                               matches(one[1], change["object"])]
                    self.assertTrue(fitting, (one, found))
                    if one[2]:
                        self.assertEqual({"changed"}, {change["change"] for change in fitting})
                        for change in fitting:
                            self.check_values(one, change)
                if all("*" not in one[1] for one in expected):
                    self.assertEqual(len(expected), len(found), found)
                back = self.compare(second, first)["changes"]
                turned = {"added": "removed", "removed": "added", "changed": "changed"}
                self.assertEqual(sorted(([c["kind"], c["object"], c["field"], turned[c["change"]],
                                          c["after"], c["before"]] for c in found), key=str),
                                 sorted(([c["kind"], c["object"], c["field"], c["change"],
                                          c["before"], c["after"]] for c in back), key=str))

    def test_mappings(self):
        for name, lines, expected in some(MAPPINGS, 4):
            with self.subTest(name=name, lines=lines):
                first, second = self.clean_image(name), self.image(name, *lines)
                found = self.compare(first, second)["changes"]
                self.assertEqual({"mapping"}, {change["kind"] for change in found})
                if not expected:
                    self.assertRegex(found[0]["after"], r"^invalid entry 0x[0-9a-f]+$")
                    continue
                self.assertEqual((expected[0], expected[1]),
                                 (found[0]["object"], found[0].get("also")))
                if expected[2] is None:
                    self.assertEqual({"removed"}, {change["change"] for change in found})
                    continue
                self.assertEqual(1, len(found), found)
                self.assertEqual((hex(expected[2]), hex(expected[3])),
                                 (found[0]["iova"], found[0]["last"]))
                for pattern, key in ((expected[4], "before"), (expected[5], "after")):
                    self.assertTrue(matches(pattern, found[0][key]), (expected, found))

    def describe(self, out, *lines, form="elf"):
        """An image of a whole description."""
        self.write(out + ".desc", ("\n".join(lines) + "\n").encode())
        write_image(self.path(out + ".desc"), self.path(out), form=form)
        return out

    def test_order(self):
        """The order of records, sessions and files is no difference."""
        head = ["ram 0 24M", "kho kho-v4", "luo luo-v5"]
        sessions = [["session vm0", "file memfd ram0 size=64K token=0x1 at=0x800000",
                     "file iommufd io0 token=0x100"],
                    ["session vm1", "file memfd ram1 size=64K token=0x1 at=0x810000",
                     "file iommufd io1 token=0x100"]]
        rest = ["abi iommuser-v1", "unit u0", "domain d0", "domain d1",
                "map d0 0x0 64K phys=0x800000", "map d1 0x0 64K phys=0x810000"]
        devices = ["device 00:04.0 domain=d0 owner=io0 token=0x200 did=2",
                   "device 00:05.0 domain=d1 owner=io1 token=0x200 did=3",
                   "device 01:00.0 domain=d1 owner=io1 token=0x201 did=3"]
        hwpts = ["hwpt d0 token=0x7 iommufd=io0", "hwpt d1 token=0x8 iommufd=io1"]
        first = self.describe("a", *head, *sessions[0], *sessions[1], *rest, *devices, *hwpts)
        second = self.describe("b", *head, *sessions[1], *sessions[0], *rest, *devices[::-1],
                               *hwpts[::-1])
        changes = self.compare(first, second)["changes"]
        # Where the writer puts things follows their order; nothing else may differ.
        self.assertEqual([], [change for change in changes
                              if (change["kind"], change["field"]) != ("file", "data")])
        shown = [self.show(image) for image in (first, second)]
        self.assertNotEqual(*([device["bdf"] for device in one["devices"]] for one in shown))
        self.assertNotEqual(*([session["name"] for session in one["sessions"]] for one in shown))

    def test_domains(self):
        """A domain is the same while its HWPT or its devices are, wherever its tables are."""
        head = ["ram 0 24M", "kho kho-v4", "luo luo-v5", "session vm0", "file memfd ram0 size=64K",
                "file iommufd io0"]
        lines = ["unit u0", "domain %s", "domain %s", "map d0 0x0 64K memfd=ram0",
                 "map d1 0x0 32K memfd=ram0", "device 00:04.0 domain=d0", "device 00:05.0 domain=%s",
                 "device 00:06.0 domain=d1", "device 00:07.0 domain=d0"]
        body = "\n".join(lines)
        named = ["hwpt d0 token=1", "hwpt d1 token=2"]
        for abi, without_files in (("iommuser-v1", False), ("iommu-v1", False), ("iommu-v1", True)):
            roots = []
            for out, domains in (("a", ("d0", "d1", "d0")), ("b", ("d1", "d0", "d1"))):
                self.describe(out, *head, "abi " + abi, body % domains, *named)
                roots.append(self.show(out)["root"])
            self.assertEqual(roots[0], roots[1])
            options = ["--flb", roots[0], "--abi", abi] if without_files else []
            changes = self.compare("a", "b", *options)["changes"]
            domain = {change["object"] for change in changes if change["kind"] == "domain"}
            self.assertEqual({"device 0000:00:04.0", "device 0000:00:06.0"} if without_files else
                             {"hwpt 0x100/0x1", "hwpt 0x100/0x2"}, domain)
            moved = [change for change in changes if change["field"] == "domain"]
            self.assertEqual([DEVICE5], [change["object"] for change in moved], changes)
            self.assertEqual([], [change for change in changes if change["change"] != "changed"
                                  and change["kind"] != "mapping"])
            tables = [change for change in changes if change["field"] == "top_table"]
            self.assertEqual(2, len(tables), changes)
            # What the device could reach shrinks by 32 KiB.
            mappings = [change for change in changes if change["kind"] == "mapping"]
            self.assertEqual([(DEVICE5, "0x8000", "0xffff", "removed")],
                             [(change["object"], change["iova"], change["last"], change["change"])
                              for change in mappings])

    def test_objects(self):
        """Devices, units, sessions that are on one side alone."""
        fewer = self.describe("a", *self.machine())
        more = self.describe("b", *self.machine("device 00:09.0 domain=d0 alias=00:09.1",
                                                "session vm9"))
        changes = self.compare(fewer, more)["changes"]
        added = {(change["kind"], change["object"]) for change in changes
                 if change["change"] == "added"}
        self.assertLessEqual({("device", "0000:00:09.0"), ("attachment", "0000:00:09.0"),
                              ("alias", "0000:00:09.1"), ("session", "vm9")}, added)
        self.assertEqual(set(), {change["object"] for change in changes
                                 if change["change"] == "removed"})
        back = self.compare(more, fewer)["changes"]
        self.assertEqual(added, {(change["kind"], change["object"]) for change in back
                                 if change["change"] == "removed"})

    @staticmethod
    def machine(*lines):
        return ["ram 0 24M", "kho kho-v4", "luo luo-v5", "session vm0", "file memfd ram0 size=64K",
                "abi iommuser-v1", "unit u0", "domain d0", "map d0 0x0 64K memfd=ram0",
                "device 00:04.0 domain=d0", *lines]

    def gaps(self, answer):
        return {(gap["kind"], gap["field"]): (gap["object"], gap["count"], gap["reason"])
                for gap in answer["not_compared"]}

    def test_not_told(self):
        """What one image does not tell is no difference, and is listed."""
        whole = self.clean_image("iommuser-v1-legacy")
        with self.subTest("no sessions"):
            answer = self.compare(whole, self.image("iommuser-v1-legacy", "ikho kho=no",
                                                    form="ikho"))
            gaps = self.gaps(answer)
            self.assertEqual(("same", []), (answer["status"], answer["changes"]))
            self.assertEqual(("vm0", 1, "B holds no LUO state"), gaps["session", None])
            self.assertEqual(6, gaps["file", None][1])
            self.assertEqual(("handover", 1, "B does not tell it"), gaps["handover", "kho"])
            text = " ".join(self.good("diff", whole, "b").split())
            self.assertIn("revision of KHO, address of its FDT, number of kexecs, ", text)
            self.assertNotIn("kexec_count", text)
        with self.subTest("a page of records"):
            symbols = write_image(clean("iommuser-many"), self.path("many"))
            self.drop("iommuser-many", "@page.device[1]", "b")
            answer = self.compare("many", "b")
            lost = self.gaps(answer)["device", None]
            self.assertGreater(lost[1], 10)
            self.assertEqual("B lacks a part of these records", lost[2])
            self.assertFalse(answer["complete"])
            self.assertEqual([], [change for change in answer["changes"]
                                  if change["kind"] == "device" and not change["field"]])
            self.assertIn("page.device[1]", symbols)
        with self.subTest("a page table"):
            self.drop("iommuser-v1-legacy", "@pt[d0][1]", "b")
            for first, second, letter in ((whole, "b", "B"), ("b", whole, "A")):
                answer = self.compare(first, second)
                self.assertEqual(("incomplete", []), (answer["status"], answer["changes"]))
                self.assertIn("no difference in what could be compared; 1 kind of things could not all be\n",
                              self.tool("diff", first, second).out)
                self.assertEqual({("mapping", None): (DEVICE4, 1, letter + " lacks page tables")},
                                 self.gaps(answer))
        with self.subTest("a context table"):
            self.drop("iommuser-v1-legacy", "@ctxtable[0][00]", "b")
            answer = self.compare(whole, "b")
            self.assertEqual(("incomplete", []), (answer["status"], answer["changes"]))
            self.assertEqual((DEVICE4, 2, "B: its root or context table can't be read"),
                             self.gaps(answer)["mapping", None])
        with self.subTest("the root"):
            jump = os.path.join(IMAGES, "legacy-glue-jump.ikho")
            with open(jump, "rb") as file:
                self.write("cut", file.read()[:6000])
            for first, second in ((jump, "cut"), ("cut", jump), ("cut", "cut")):
                result = self.tool("diff", "--force", "--json", first, second)
                self.assertEqual((1, False), (result.status, json.loads(result.out)["complete"]))
        with self.subTest("another layout"):
            answer = self.compare(whole, self.clean_image("iommu-v1-legacy"))
            gaps = self.gaps(answer)
            self.assertEqual((DEVICE4, 3, "B has a layout without such records"),
                             gaps["attachment", None])
            self.assertEqual("B does not tell it", gaps["iommu", "cap"][2])
            self.assertIn(("abi", "iommuser-v1", "iommu-v1"),
                          {(change["field"], change["before"], change["after"])
                           for change in answer["changes"]})
            self.assertNotIn("mapping", {change["kind"] for change in answer["changes"]
                                         if change["change"] != "changed"})

    def test_records_that_lack(self):
        """What a missing page would have told is no difference, whichever side lacks it."""
        whole = self.clean_image("iommuser-pasids")
        lacks = "%s lacks a part of these records"
        wanted = {
            "device": {("device", None): (3, lacks), ("attachment", None): (6, "%s lacks the records of their devices"),
                       ("mapping", None): (0, "%s may have more devices or PASIDs: it lacks their records")},
            "domain": {("domain", None): (3, lacks), ("attachment", "domain"): (6, "%s does not tell it"),
                       ("hwpt", "domain"): (3, "%s does not tell it")},
            "attachment": {("attachment", None): (6, lacks),
                           ("mapping", None): (0, "%s may have more devices or PASIDs: it lacks their records")},
            "hwpt": {("hwpt", None): (3, lacks)},
            "iommu": {("iommu", None): (1, lacks), ("device", "iommu"): (3, "%s does not tell it")},
        }
        for kind, expected in wanted.items():
            self.drop("iommuser-pasids", "@page.%s[0]" % kind, "b")
            for first, second, letter in ((whole, "b", "B"), ("b", whole, "A")):
                with self.subTest(kind=kind, lacking=letter):
                    answer = self.compare(first, second)
                    self.assertEqual(("incomplete", []), (answer["status"], answer["changes"]))
                    gaps = {key: gap[1:] for key, gap in self.gaps(answer).items()}
                    for key, (count, reason) in expected.items():
                        self.assertEqual((count, reason % letter), gaps[key], key)
        # A reference that leads to no record of a list that is whole is one to nowhere, as before.
        edited = self.image("iommuser-v1-legacy", "set attachment[1].domain = @page.domain[0]")
        self.assertEqual(["no live record"], [change["after"] for change in self.compare(
            self.clean_image("iommuser-v1-legacy"), edited)["changes"]])

    def test_names_that_lack(self):
        """An HWPT whose iommufd can't be found would be called otherwise."""
        whole = self.clean_image("iommuser-pasids")
        self.image("iommuser-pasids", drop=["@luo.session[0].file_block[0]", "@iommufd[0]"])
        for first, second, letter in ((whole, "b", "B"), ("b", whole, "A")):
            answer = self.compare(first, second)
            self.assertEqual(("incomplete", []), (answer["status"], answer["changes"]))
            self.assertEqual(("0x100/0x1", 3, letter + " lacks the iommufd files of some"),
                             self.gaps(answer)["hwpt", None])

    def test_domains_of_unknown_users(self):
        """Domains are matched by their users: without those, and with other tables, they are not compared."""
        head = ["ram 0 24M", "kho kho-v4", "luo luo-v5", "session vm0", "file memfd ram0 size=64K",
                "file iommufd io0", "abi iommu-v1", "unit u0"]
        tail = ["domain d0", "map d0 0x0 64K memfd=ram0", "device 00:04.0 domain=d0"]
        tables = []
        for out, lines in (("a", tail), ("b", ["domain x", "map x 0x0 4K memfd=ram0"] + tail)):
            self.describe(out, *head, *lines, "hwpt d0 token=1")
            tables.append(self.show(out)["domains"][-1]["top_table"])
        self.assertNotEqual(*tables)
        write_image(self.path("b.desc"), self.path("b"), drop=["@page.device[0]", "@iommufd[0]"])
        for first, second, letter in (("a", "b", "B"), ("b", "a", "A")):
            answer = self.compare(first, second)
            self.assertEqual([], [change for change in answer["changes"] if change["kind"] == "domain"])
            self.assertEqual(letter + " lacks records of who uses them", self.gaps(answer)["domain", None][2])

    def test_vtd_tables_that_lack(self):
        """A part of the VT-d tables of one side alone can't be read: that is said, whatever else is the same."""
        symbols = write_image(clean("iommuser-pasids"), self.path("a"))
        root = ["--vtd-root", symbols["roottable[0]"] + ":scalable"]
        write_image(clean("iommuser-pasids"), self.path("b"), drop=["@pasidtable[0000:00:04.0][1]"])
        # An entry of the directory that leads out of the image, where the other image has none.
        write_image(clean("iommuser-pasids"), self.path("c"), "poke @pasiddir[0000:00:04.0]+40 u64 0xdead0001")
        for other, named in (("b", "0000:00:04.0 PASID 70"), ("c", None)):
            for first, second, letter in (("a", other, "B"), (other, "a", "A")):
                answer = self.compare(first, second, *root)
                self.assertEqual(("incomplete", []), (answer["status"], answer["changes"]))
                self.assertEqual((named, 1 if named else 0, letter + " lacks VT-d tables"), self.gaps(answer)["translation", None])
        self.assertLessEqual({"A lacks VT-d tables", "B lacks VT-d tables"},
                             {gap["reason"] for gap in self.compare("c", "c", *root)["not_compared"]})

    def drop(self, name, what, out):
        """A clean image without one page."""
        subprocess.run([sys.executable, os.path.join(harness.WRITER, "write_image.py"), clean(name),
                        self.path(out), "--format", "elf", "--drop", what], check=True)

    def test_empty(self):
        """A handover that is known to hold nothing has lost everything."""
        answer = self.compare(self.clean_image("iommuser-v1-legacy"), self.clean_image("kho-empty"))
        removed = {change["kind"] for change in answer["changes"] if change["change"] == "removed"}
        self.assertEqual({"session", "file", "flb", "iommu", "domain", "device", "attachment",
                          "hwpt"}, removed)

    def test_loop(self):
        """Page tables that lead to one another end, and are not compared."""
        loops = ["set pt[d0][3][%d] = @pt.d0.top | 3" % entry for entry in range(3, 512)]
        loops += ["set pt[d0][2][%d] = @pt.d0.top | 3" % entry for entry in range(9, 512)]
        loop = self.image("iommuser-v1-legacy", *loops)
        for first, second, letter in ((loop, self.clean_image("iommuser-v1-legacy"), "A"),
                                      (self.clean_image("iommuser-v1-legacy"), loop, "B")):
            answer = self.compare(first, second, "--limit", "3")
            self.assertEqual((DEVICE4, 1, letter + " has page tables in a loop, or shared"),
                             self.gaps(answer)["mapping", None])

    def test_states(self):
        """Where records stand is a difference; the tables of who has left are not looked at."""
        first = self.image("iommuser-states", form="ikho")
        os.rename(self.path(first), self.path("a"))
        with open(clean("iommuser-states"), encoding="utf-8") as file:
            states = file.read()
        self.assertIn("states device 4 3 0\n", states)
        second = self.describe("b", states.replace("states device 4 3 0\n",
                                                   "states device 4 4 0\n"), form="ikho")
        answer = self.compare("a", second)
        self.assertEqual([("device", DEVICE5, "state", "handed-over", "left")],
                         [(change["kind"], change["object"], change["field"], change["before"],
                           change["after"]) for change in answer["changes"]])
        left = {gap["reason"][0]: gap["count"] for gap in answer["not_compared"]
                if gap["kind"] == "mapping" and "left its restored tables" in gap["reason"]}
        self.assertEqual({"A": 1, "B": 2}, left)

    def test_real(self):
        """The lab's: nothing changes at the jump, then devices leave; other modes are other tables."""
        image = {name: os.path.join(IMAGES, name + ".ikho")
                 for mode in ("legacy", "scalable", "first-stage") for name in
                 (mode + "-glue-jump", mode + "-glue-incoming", mode + "-glue-left")}
        for mode in some(("legacy", "scalable", "first-stage"), 2):
            jump, incoming, left = (image[mode + end] for end in
                                    ("-glue-jump", "-glue-incoming", "-glue-left"))
            answer = self.compare(jump, incoming)
            self.assertEqual([], answer["changes"])
            self.assertIn(("session", None), self.gaps(answer))
            self.assertIn(("device", "state"), self.gaps(answer))
            answer = self.compare(incoming, left)
            self.assertEqual([("domain", "state", "restored", "handed-over"),
                              ("device", "state", "restored", "left")],
                             [(change["kind"], change["field"], change["before"], change["after"])
                              for change in answer["changes"]])
        answer = self.compare(image["legacy-glue-jump"], image["scalable-glue-jump"])
        counts = {count["kind"]: count for count in answer["counts"]}
        self.assertEqual(("legacy", "scalable"),
                         next((change["before"], change["after"]) for change in answer["changes"]
                              if change["field"] == "mode"))
        self.assertEqual(1024, counts["mapping"]["changed"])
        self.assertEqual(100, len(answer["changes"]))

    def test_vtd_roots(self):
        """Without records, the VT-d tables are compared."""
        answer = self.compare(os.path.join(IMAGES, "legacy-jump.ikho"),
                              os.path.join(IMAGES, "legacy-postboot.ikho"), "--limit", "2000")
        counts = {count["kind"]: count for count in answer["counts"]}
        self.assertEqual((5, 1024), (counts["translation"]["changed"],
                                     counts["mapping"]["removed"]))
        symbols = write_image(clean("iommuser-v1-legacy"), self.path("a"))
        root = ["--vtd-root", symbols["roottable[0]"]]
        for line, field, values in (("did = 9", "did", ("2", "9")),
                                    ("aw = 1", "levels", ("4", "3")),
                                    ("p = 0", None, (None, None))):
            self.image("iommuser-v1-legacy", "set context[00:05.0]." + line)
            found = [change for change in self.compare("a", "b", *root)["changes"]
                     if change["kind"] == "translation"]
            self.assertEqual([(DEVICE5, field, *values)],
                             [(change["object"], change["field"], change["before"],
                               change["after"]) for change in found])

    def test_text(self):
        same = "same"
        shutil.copy(self.clean_image("iommuser-v1-legacy"), self.path(same))
        out = self.good("diff", same, same)
        self.assertEqual("no difference", out.splitlines()[0])
        self.assertEqual(3, len(out.splitlines()))
        other = self.image("iommuser-v1-legacy", "set device[1].group_size = 2",
                           "set pte[d0][0x200001000].value = 0", "set domain[0].top_level = 4")
        result = self.tool("diff", same, other)
        self.assertEqual((1, ""), (result.status, result.err))
        self.assertRegex(result.out, r"""\A3 differences
  Domains: 1 changed; Devices: 1 changed; Mappings: 1 only in A
A  same: ELF vmcore, taken: unknown
B  b: ELF vmcore, taken: unknown

Domains
  hwpt 0x100/0x1  top_level: 3 -> 4

Devices
  0000:00:05.0  group_size: 1 -> 2

Mappings
  0000:00:04.0  \(and 1 more\)  0x200001000-0x200001fff: 0x[0-9a-f]+ r -> not mapped
\Z""")
        result = self.tool("diff", "--limit", "1", same, other)
        self.assertIn("\n  ... and 2 more (--limit)\n", result.out)
        self.assertNotIn("Devices\n", result.out)

    def test_hostile(self):
        """Names of an image are escaped."""
        first = self.image("kho-v4-luo-v5", 'set luo.session[0].name = "x[31m"',
                           "poke @luo.session[0].name u8 0x1b")
        result = self.tool("diff", first, self.clean_image("kho-v4-luo-v5"))
        self.assertEqual(1, result.status)
        self.assertNotIn("\x1b", result.out)
        self.assertIn("\\x1b[31m", result.out)

    def test_refused(self):
        good = self.clean_image("iommuser-v1-legacy")
        self.refused(2, "diff needs A B", "diff", good)
        self.refused(3, "missing", "diff", good, "missing")
        self.refused(3, "missing", "diff", "missing", good)
        empty = self.write("empty", b"")
        self.refused(3, "empty", "diff", good, empty)
        symbols = write_image(clean("iommuser-v1-legacy"), self.path("a"))
        out = self.good("diff", "--flb", symbols["root"], "--abi", "iommuser-v1", "a", "a")
        self.assertIn("session: A holds no LUO state", out)


if __name__ == "__main__":
    harness.main()
