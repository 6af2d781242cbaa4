#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What maps and translate say, held against the kernel's own list and against a walk of the image's bytes."""

import json
import os
import re
import subprocess
import sys
import unittest

import harness

PAGE = 4096
DEVICE = "0000:00:04.0"
ADDRESS = 0x000ffffffffff000
LARGE = 1 << 7
# Linux lists every leaf. Of its list, tests/images has the first 40 lines, or each 16th with the glue.
KERNEL_LISTS = [
    ("legacy-jump", "legacy-domain.txt", "LEGACY_DOMAIN_ENTRIES", slice(40)),
    ("scalable-jump", "scalable-domain.txt", "SCALABLE_DOMAIN_ENTRIES", slice(40)),
] + [(mode + "-glue-" + moment, mode + "-glue-domain.txt", None, slice(None, None, 16))
     for mode in ("legacy", "scalable", "first-stage") for moment in ("jump", "incoming")]
LEAF = re.compile(r"0x([0-9a-f]{13}) \|((?:\s+0x[0-9a-f]{16})+)")
TABLE_OF = re.compile(r"Device ([0-9a-f:.]+) (?:with pasid ([0-9a-f]+) )?@(0x[0-9a-f]+)")


def image(name):
    return os.path.join(harness.IMAGES, name + ".ikho")


def access(entry):
    """Linux gives first-stage and second-stage entries the same two bits, but for reading."""
    return "rw" if entry & 2 else "r"


def kernel_list(name):
    """A domain_translation_struct: the top table, and the leaves as [(iova, phys, size, access)]."""
    top, leaves = None, []
    with open(os.path.join(harness.IMAGES, name), encoding="ascii") as file:
        for line in file.read().splitlines():
            table, leaf = TABLE_OF.fullmatch(line.strip()), LEAF.fullmatch(line.strip())
            if table:
                if (table[1], int(table[2] or "0", 16), top) != (DEVICE, 0, None):
                    raise ValueError("%s: another device: %s" % (name, line))
                top = table[3]
            elif leaf:
                entries = [int(word, 16) for word in leaf[2].split()]
                size = PAGE << 9 * (5 - len(entries))
                leaves.append((int(leaf[1], 16) * PAGE, entries[-1] & ADDRESS & -size, size,
                               access(entries[-1])))
            elif line and not line.startswith("IOVA_PFN"):
                raise ValueError("%s: not understood: %s" % (name, line))
    if len(leaves) < 40 or top is None:
        raise ValueError("%s: no list of a page table" % name)
    return top, leaves


def pages(ranges):
    """Ranges as single pages: iova -> (phys, access, memfd, offset)."""
    found = {}
    for item in ranges:
        iova, phys = int(item["iova"], 16), int(item["phys"], 16)
        for at in range(0, item["length"], PAGE):
            if iova + at in found:
                raise ValueError("0x%x is listed twice" % (iova + at))
            found[iova + at] = (phys + at, item["access"], item["memfd"],
                                None if item["offset"] is None else int(item["offset"], 16) + at)
    return found


def follows(one, other):
    """Should the two have been one range?"""
    def end(key):
        return int(one[key], 16) + one["length"]

    if end("iova") != int(other["iova"], 16) or end("phys") != int(other["phys"], 16):
        return False
    if [one[k] for k in ("access", "snoop", "memfd", "session")] != \
            [other[k] for k in ("access", "snoop", "memfd", "session")]:
        return False
    return one["offset"] is None or end("offset") == int(other["offset"], 16)


class Walker:
    """An independent walk of page tables in a flat image."""

    def __init__(self, path, base=0):
        self.base = base
        with open(path, "rb") as file:
            self.memory = file.read()

    def entries(self, table):
        for index in range(512):
            at = table - self.base + 8 * index
            entry = int.from_bytes(self.memory[at:at + 8], "little")
            if entry:
                yield index, entry

    def walk(self, table, level, first_stage, prefix=0, top=None):
        """Yields (iova, phys, size, permission bits), permissions of all levels together."""
        top = level if top is None else top
        for index, entry in self.entries(table):
            iova, size = prefix | index << (12 + 9 * level), PAGE << 9 * level
            if level and not entry & LARGE:
                for at, phys, length, bits in self.walk(entry & ADDRESS, level - 1, first_stage, iova, top):
                    yield at, phys, length, bits & entry
            else:
                bit = 12 + 9 * (top + 1)
                if first_stage and iova >> (bit - 1):
                    iova |= (1 << 64) - (1 << bit)
                yield iova, entry & ADDRESS & -size, size, entry & 3

    def pages(self, table, level, first_stage):
        names = {1: "r", 2: "w", 3: "rw"}
        return {iova + at: (phys + at, names[bits])
                for iova, phys, size, bits in self.walk(table, level, first_stage)
                for at in range(0, size, PAGE)}


class Kernel(harness.ToolTest):
    """The kernel printed the list of debugfs just before the image was taken."""

    def maps(self, *arguments):
        return json.loads(self.good("maps", "--json", *arguments))

    def count(self, key):
        with open(os.path.join(harness.IMAGES, "capture.env"), encoding="ascii") as file:
            return int(dict(line.split("=", 1) for line in file.read().split())[key])

    def test_every_leaf(self):
        for name, text, key, part in harness.some(KERNEL_LISTS, 3):
            with self.subTest(image=name):
                top, listed = kernel_list(text)
                shown = self.maps(image(name))
                device, = [item for item in shown["devices"] if item["bdf"] == DEVICE]
                self.assertTrue(shown["complete"])
                self.assertEqual((top, [], None), (device["top_table"], device["gaps"], device["pasid"]))
                self.assertEqual(text.startswith("first"), device["format"] == "first-stage")
                found = pages(device["ranges"])
                # Every leaf is a page here, so that what was left out of the list can be told.
                self.assertEqual({PAGE}, {size for _, _, size, _ in listed})
                self.assertEqual(listed, [(iova, *found[iova][:1], PAGE, found[iova][1])
                                          for iova in sorted(found)[part]])
                self.assertEqual(len(found), self.count(key) if key else 16 * len(listed))
                self.assertEqual(len(found) * PAGE, device["mapped"])
                self.check_memfd(name, device, found)
                print("%s: %d pages, %d of the kernel's list" % (name, len(found), len(listed)))

    def check_memfd(self, name, device, found):
        """The memfd is mapped whole, from its start on; the next kernel's stream has no LUO."""
        first = min(found)
        owners = {(memfd, None if memfd is None else iova - first - offset)
                  for iova, (_, _, memfd, offset) in found.items()}
        sessions = {item["session"] for item in device["ranges"]}
        if name.endswith("incoming"):
            self.assertEqual(({(None, None)}, {None}), (owners, sessions))
        else:
            self.assertEqual(({("0x1234", 0)}, {"vm-1"}), (owners, sessions))

    def test_translate_agrees(self):
        """Both ends of each range, and what is beside the first and the last."""
        for name, _, _, _ in harness.some(KERNEL_LISTS[2:], 4):
            ranges = self.maps(DEVICE, image(name))["devices"][0]["ranges"]
            start, end = int(ranges[0]["iova"], 16), int(ranges[-1]["iova"], 16) + ranges[-1]["length"]
            with self.subTest(image=name):
                for item in harness.some(ranges[::32] + ranges[-1:], 16):
                    for offset in (0, item["length"] - 1):
                        self.check_translation(name, item, offset)
                for iova in (start - 1, end):
                    result = self.tool("translate", "--json", DEVICE, hex(iova), image(name))
                    answer = json.loads(result.out)
                    self.assertEqual((1, "not-mapped", None),
                                     (result.status, answer["outcome"], answer["phys"]))

    def check_translation(self, name, item, offset):
        iova = hex(int(item["iova"], 16) + offset)
        answer = json.loads(self.good("translate", "--json", DEVICE, iova, image(name)))
        self.assertEqual((hex(int(item["phys"], 16) + offset), item["access"], item["memfd"]),
                         (answer["phys"], answer["access"], answer["memfd"]))
        if item["offset"]:
            self.assertEqual(hex(int(item["offset"], 16) + offset), answer["offset"])

    def test_left(self):
        """The device has left its restored tables: both commands say so, and show no other's."""
        for mode in harness.some(("legacy", "scalable", "first-stage"), 3):
            name = mode + "-glue-left"
            with self.subTest(image=name):
                shown = self.maps(image(name))
                device, = shown["devices"]
                self.assertEqual((DEVICE, 0, [], None, 0), tuple(device[k] for k in (
                    "bdf", "range_count", "ranges", "top_table", "domain")))
                self.assertIn("has left its restored tables", device["reason"])
                # Its HWPT lives on, and maps what it did.
                domain, = shown["domains"]
                top, listed = kernel_list(mode + "-glue-domain.txt")
                self.assertEqual((top, 0, "0x4857505400000001"),
                                 (domain["top_table"], domain["domain"], domain["hwpt_token"]))
                self.assertEqual([leaf[:2] for leaf in listed],
                                 [(iova, page[0]) for iova, page in sorted(pages(domain["ranges"]).items())[::16]])
                text = self.good("maps", image(name))
                self.assertIn("has left its restored tables", text)
                for arguments in ((), ("--json",)):
                    result = self.tool("translate", *arguments, DEVICE, "0x1000003000", image(name))
                    self.assertEqual(1, result.status)
                    self.assertRegex(result.out, "has left its restored\\s+tables")
                self.assertEqual("left", json.loads(result.out)["outcome"])


class Writer(harness.ToolTest):
    """Images of every layout from the independent writer, in which every byte is known."""

    def write_image(self, description, *lines):
        return harness.write_image(description, self.path("image"), *lines, form="flat")

    def maps(self, *arguments, status=0):
        result = self.tool("maps", "--json", "--flat", *arguments, "image")
        self.assertEqual((status, ""), (result.status, result.err), arguments)
        return json.loads(result.out)

    def check_entry(self, entry, walker, top, level):
        """Returns how many pages the entry lists, as an independent walk finds them."""
        if not entry["top_table"]:
            return 0
        self.assertEqual(top, entry["top_table"])
        found = pages(entry["ranges"])
        walked = walker.pages(int(top, 16), level, entry["format"] == "first-stage")
        self.assertEqual(walked, {iova: value[:2] for iova, value in found.items()})
        self.assertEqual(len(found) * PAGE, entry["mapped"])
        self.assertEqual(entry["range_count"], len(entry["ranges"]))
        self.assertEqual([], [pair for pair in zip(entry["ranges"], entry["ranges"][1:])
                              if follows(*pair)])
        return len(found)

    def check_image(self, shown, maps, base):
        """All live devices and PASIDs are there, in order. Returns (entries, PASIDs, pages)."""
        walker, domains, nr_pages = Walker(self.path("image"), base), shown["domains"], 0
        wanted = [(device["bdf"], None, device["domain"]) for device in shown["devices"]
                  if not device["deleted"] and not device.get("stale")]
        for attachment in shown.get("attachments", []):
            if attachment["pasid"] is not None and not attachment["deleted"]:
                wanted.append((shown["devices"][attachment["device"]]["bdf"], attachment["pasid"],
                               attachment["domain"]))
        entries = [(entry["bdf"], entry["pasid"], entry["domain"]) for entry in maps["devices"]]
        self.assertCountEqual(wanted, entries)
        self.assertEqual([bdf for bdf, pasid, _ in wanted if pasid is None],
                         [bdf for bdf, pasid, _ in entries if pasid is None])
        for entry in maps["devices"]:
            domain = domains[entry["domain"]]
            nr_pages += self.check_entry(entry, walker, domain["top_table"], domain["top_level"])
        return len(entries), sum(pasid is not None for _, pasid, _ in entries), nr_pages

    def check_owners(self, maps, expected, tokens):
        """Each page lies in the memfd of the description, at the offset of the description."""
        by_bdf = {item["bdf"]: item["leaves"] for item in expected["maps"]}
        compared = 0
        for entry in maps["devices"]:
            if entry["pasid"] is not None or not entry["top_table"]:
                continue
            found = pages(entry["ranges"])
            for leaf in by_bdf[entry["bdf"]]:
                for at in range(0, leaf["length"], PAGE):
                    iova = int(leaf["iova"], 16) + at
                    phys, _, memfd, offset = found.pop(iova)
                    self.assertEqual(int(leaf["phys"], 16) + at, phys)
                    self.assertEqual((tokens.get(leaf["memfd"]),
                                      None if leaf["memfd"] is None else leaf["offset"] + at),
                                     (memfd, offset), hex(iova))
                    compared += 1
            self.assertEqual({}, found)
        return compared

    def test_all_layouts(self):
        layouts, entries, pasids, nr_pages, owned = set(), 0, 0, 0, 0
        for description in harness.some(harness.CLEAN, 12):
            with self.subTest(image=harness.name_of(description)):
                settings = self.settings(description)
                if "abi" not in settings:
                    continue
                expected = self.write_with_expectation(description)
                base = settings.get("base", "0")
                how = ["--flat=" + base, "--page-size", settings.get("page-size", "4K")]
                shown = json.loads(self.tool("show", "--json", *how, "image").out)
                maps = self.maps(*how)
                self.assertTrue(maps["complete"])
                counts = self.check_image(shown, maps, int(base, 0))
                entries, pasids, nr_pages = entries + counts[0], pasids + counts[1], nr_pages + counts[2]
                owned += self.check_owners(maps, expected, self.tokens(description, expected))
                layouts.add(shown["abi"])
        print("%d devices and PASIDs (%d), %d pages, %d with their memfd, in layouts %s" % (
            entries, pasids, nr_pages, owned, " ".join(sorted(layouts))))
        self.assertGreaterEqual(nr_pages, 100)
        self.assertGreaterEqual(owned, 100)
        if not harness.VALGRIND:
            self.assertEqual(5, len(layouts))
            self.assertGreaterEqual(pasids, 4)

    def write_with_expectation(self, description):
        subprocess.run([sys.executable, os.path.join(harness.WRITER, "write_image.py"), description,
                        self.path("image"), "--format", "flat", "--expect", self.path("expected")], check=True)
        with open(self.path("expected"), encoding="utf-8") as file:
            return json.load(file)

    def settings(self, description):
        with open(description, encoding="utf-8") as file:
            return dict(re.findall(r"^(page-size|base|abi) (\S+)", file.read(), re.MULTILINE))

    def tokens(self, description, expected):
        """LUO tokens of the memfds of a description, by label: both are in the order of the lines."""
        labels = []
        with open(description, encoding="utf-8") as file:
            for line in file:
                words = line.split("#")[0].split()
                if words[:2] == ["file", "memfd"]:
                    labels.append(words[2])
                elif words[:1] == ["files"] and words[2] == "memfd":
                    labels += ["%s%d" % (words[3], i) for i in range(int(words[1], 0))]
        tokens = [file["token"] for session in expected["sessions"] for file in session["files"]
                  if file["compatible"].startswith("memfd")]
        self.assertEqual(len(labels), len(tokens), description)
        return dict(zip(labels, tokens))

    def test_one_device(self):
        self.write_image(harness.clean("iommuser-pasids"))
        every = self.maps()["devices"]
        self.assertEqual(6, len(every))
        self.assertEqual(every[:3], self.maps("00:04.0")["devices"])
        self.assertEqual(every[1:2], self.maps("0000:00:04.0+5")["devices"])
        self.assertEqual(every[1:2], self.maps("0000:00:04.0+0x5")["devices"])
        self.assertEqual([(5, "first-stage")], [(e["pasid"], e["format"]) for e in every[1:2]])
        for name in ("00:09.0", "0001:00:04.0"):
            shown = self.maps(name, status=1)
            device, = shown["devices"]
            self.assertEqual((True, 0, device["bdf"] + " is not part of this handover. "
                              "It holds: 0000:00:04.0, 0000:00:05.0, 0000:00:06.0"),
                             (shown["complete"], device["range_count"], device["reason"]))
            text = self.tool("maps", "--flat", name, "image")
            self.assertEqual((1, "Maps " + device["reason"]), (text.status, " ".join(text.out.split())))
            answer = self.tool("translate", "--flat", "--json", name, "0x1000", "image")
            self.assertEqual((1, "not-handed-over"), (answer.status, json.loads(answer.out)["outcome"]))
        blocked, = self.maps("00:04.0+6")["devices"]
        self.assertIn("is not present", blocked["reason"])
        for word in ("4", "00:04", "00:04.0+", "00:04.0+x", "00:04.0+0x100000", "00:20.0", "00:04.8"):
            self.refused(2, "is not a PCI function", "maps", "--flat", word, "image")

    def test_numbers(self):
        """Without 0x an address may be meant either way."""
        self.write_image(harness.clean("iommuser-pasids"))
        for word in ("1000003000", "010", "0x", "0b1", "0x1 ", "0x10000000000000000"):
            self.refused(2, "write addresses as 0x...", "translate", "--flat", "00:04.0", word, "image")
        for option in harness.some(("--kho", "--luo", "--vtd-root", "--flat"), 3):
            self.refused(2, "'706000' is not a physical address: write addresses as 0x...",
                         "show", option + "=706000", "image")
        self.refused(2, "write PHYS as 0x...", "show", "--map", "0:4096:4096", "image")
        for word in ("0", "0X0"):
            self.assertIn("0000:00:04.0 0x0", self.tool("translate", "--flat", "00:04.0", word, "image").out)

    def test_requests_without_pasid(self):
        """Their entry is in the PASID table, but not for requests with that PASID."""
        shown = self.tool("maps", "00:04.0+0", image("scalable-glue-jump"))
        self.assertIn("(requests without PASID use entry 0: ask for 00:04.0)", " ".join(shown.out.split()))
        shown = self.tool("maps", "00:04.0+1", image("scalable-glue-jump"))
        self.assertNotIn("ask for", shown.out)

    def test_no_domain(self):
        """Where no record names a domain, none is printed."""
        text = self.good("translate", "00:04.0", "0x1000003000", image("legacy-jump"))
        self.assertIn("\n  second-stage\n", text)
        self.assertIn("\n  second-stage, domain 0\n",
                      self.good("translate", "00:04.0", self.first_iova("legacy-glue-jump"), image("legacy-glue-jump")))

    def first_iova(self, name):
        return json.loads(self.good("maps", "--json", image(name)))["devices"][0]["ranges"][0]["iova"]

    def test_unreadable_state(self):
        """All commands say the same of state that is there and cannot be read."""
        with open(image("legacy-glue-jump"), "rb") as file:
            self.write("cut", file.read()[:6000])
        shown = self.tool("maps", "--force", "cut")
        self.assertEqual((1, "Maps     IOMMU state that cannot be read\n"), (shown.status, shown.out))
        self.assertFalse(json.loads(self.tool("maps", "--json", "--force", "cut").out)["complete"])
        shown = self.tool("translate", "--force", "00:04.0", "0x1000", "cut")
        self.assertEqual(1, shown.status)
        self.assertIn("its IOMMU state cannot be read", shown.out)
        shown = self.tool("verify", "--force", "cut")
        self.assertEqual(1, shown.status)
        self.assertIn("IOMMU state: it cannot be read", shown.out)
        shown = self.tool("show", "--force", "cut")
        self.assertIn("IOMMU state that cannot be read.", " ".join(shown.out.split()))
        self.assertRegex(shown.out, r"IOMMU    iommuser-v1, root at 0x[0-9a-f]+: cannot be read\n")
        # None was handed over at all.
        self.assertIn("no IOMMU state.", " ".join(self.good("show", image("legacy-jump")).split()))

    def test_alias(self):
        self.write_image(harness.clean("iommuser-aliases"))
        device, = self.maps("05:01.0")["devices"]
        alias, = self.maps("05:00.0")["devices"]
        self.assertGreater(device["range_count"], 0)
        self.assertEqual({**device, "bdf": "0000:05:00.0"}, alias)

    def test_domain_without_device(self):
        """An HWPT that was marked, and that no device is attached to any more."""
        self.write_image(harness.clean("iommuser-v1-scalable"), "domain spare",
                         "map spare 0x10000 64K memfd=ram0")
        maps = self.maps()
        domain, = maps["domains"]
        shown = self.show("--flat", "image")
        hwpt, = [item for item in shown["hwpts"] if item["domain"] == domain["domain"]]
        record = shown["domains"][domain["domain"]]
        self.assertEqual((hwpt["hwpt_token"], record["top_table"]), (domain["hwpt_token"], domain["top_table"]))
        self.assertEqual(16, self.check_entry(domain, Walker(self.path("image")), record["top_table"],
                                              record["top_level"]))
        self.assertNotIn(domain["domain"], [device["domain"] for device in maps["devices"]])
        self.assertIn("1 domain that no device uses", self.good("maps", "--flat", "image"))
        self.write_image(harness.clean("iommuser-v1-scalable"))
        self.assertEqual([], self.maps()["domains"])

    def test_missing_table(self):
        """What a missing table would map is a gap; the rest is still there."""
        description, lines = harness.clean("iommuser-v1-legacy"), ["map d0 0x8000000 64K phys=0x200000"]
        harness.write_image(description, self.path("whole"), *lines)
        harness.write_image(description, self.path("image"), *lines, drop=["@pt[d0][0:0]"])
        whole = json.loads(self.good("maps", "--json", "00:04.0", "whole"))["devices"][0]
        result = self.tool("maps", "--json", "00:04.0", "image")
        shown = json.loads(result.out)
        device, = shown["devices"]
        self.assertEqual((1, False), (result.status, shown["complete"]))
        gap, = device["gaps"]
        self.assertEqual((2 << 20, "the image lacks the table"), (gap["length"], gap["reason"]))
        start = int(gap["iova"], 16)
        rest = {iova: value for iova, value in pages(whole["ranges"]).items()
                if not start <= iova < start + gap["length"]}
        self.assertGreater(len(whole["ranges"]), len(device["ranges"]))
        self.assertEqual(rest, pages(device["ranges"]))
        self.assertTrue(rest)
        answer = json.loads(self.tool("translate", "--json", "00:04.0", gap["iova"], "image").out)
        self.assertEqual(("missing", None, None),
                         (answer["outcome"], answer["read_fault"], answer["write_fault"]))
        text = self.tool("maps", "00:04.0", "image")
        self.assertEqual(1, text.status)
        self.assertIn("the image lacks the table at " + gap["phys"], text.out)
        self.assertIn("not everything could be read", text.out)

    def drop(self, what, name="iommuser-pasids"):
        """A clean image without the page of something."""
        harness.write_image(harness.clean(name), self.path("image"), drop=[what])

    def text_of(self, *arguments, status=1):
        result = self.tool(*arguments, "image")
        self.assertEqual((status, ""), (result.status, result.err), arguments)
        return " ".join(result.out.split())

    def incomplete(self, *arguments):
        """What maps lists of an image that lacks something, which both forms have to say."""
        shown = json.loads(self.tool("maps", "--json", *arguments, "image").out)
        self.assertFalse(shown["complete"])
        return shown, self.text_of("maps", *arguments)

    def test_missing_records(self):
        """A device, PASID or domain whose record is missing is not taken for one that is not there."""
        harness.write_image(harness.clean("iommuser-pasids"), self.path("image"))
        whole = json.loads(self.good("maps", "--json", "image"))
        self.assertNotIn("missing", whole)
        for kind, devices, domains in (("device", 0, 3), ("attachment", 3, 3), ("domain", 6, 0),
                                       ("hwpt", 6, 0), ("iommu", 6, 0)):
            with self.subTest(kind=kind):
                self.drop("@page.%s[0]" % kind)
                shown, text = self.incomplete()
                self.assertEqual((kind + " records", devices, domains),
                                 (shown["missing"], len(shown["devices"]), len(shown["domains"])))
                self.assertIn("missing from the image: %s records" % kind, text)
                self.assertEqual(kind == "device", "Maps at least 0 devices," in text)
                self.assertNotIn("no device", text)
                self.assertEqual(domains > 0, "3 domains whose users are not known" in text)
        self.drop("@page.alias[0]", "iommuser-aliases")
        self.assertEqual("alias records", self.incomplete()[0]["missing"])

    def test_missing_records_of_one(self):
        """Of one device, what others have does not matter."""
        for kind, complete in (("device", False), ("attachment", False), ("domain", False), ("hwpt", True)):
            with self.subTest(kind=kind):
                self.drop("@page.%s[0]" % kind)
                result = self.tool("maps", "--json", "00:04.0", "image")
                self.assertEqual((0 if complete else 1, complete),
                                 (result.status, json.loads(result.out)["complete"]))

    def test_missing_records_alone(self):
        """With nothing to list, it is still not said that there is no device."""
        harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"),
                            drop=["@page.device[0]", "@page.domain[0]"])
        shown, text = self.incomplete()
        self.assertEqual(("domain records, device records", [], []),
                         (shown["missing"], shown["devices"], shown["domains"]))
        self.assertEqual("Maps nothing that could be read missing from the image: "
                         "domain records, device records", text)

    def test_missing_luo(self):
        """Whether there is IOMMU state is not known without LUO, or its FLBs."""
        for page in ("@luo", "@luo.flbs"):
            with self.subTest(page=page):
                self.drop(page)
                self.assertIn("whether IOMMU state was handed over is not known", self.incomplete()[1])

    def test_missing_context_table(self):
        """Of a unit without records, a part of the tables."""
        description = harness.clean("iommuser-v1-legacy")
        symbols = harness.write_image(description, self.path("whole"))
        root = ["--vtd-root", symbols["roottable[0]"] + ":legacy"]
        self.assertTrue(json.loads(self.good("maps", "--json", *root, "whole"))["complete"])
        harness.write_image(description, self.path("image"), drop=["@ctxtable[0][00]"])
        shown, text = self.incomplete(*root)
        self.assertEqual("context or PASID tables", shown["missing"])
        self.assertIn("Maps at least ", text)

    def test_show_counts(self):
        """The first sentence of show gives no number as a fact that it can't know."""
        harness.write_image(harness.clean("iommuser-pasids"), self.path("image"))
        self.assertNotIn("at least", self.text_of("show", status=0))
        for page, words in (("@page.device[0]", "at least 0 devices that keep their DMA through 3 domains of 1 IOMMU."),
                            ("@page.domain[0]", "3 devices that keep their DMA through at least 0 domains of 1"),
                            ("@page.iommu[0]", "through 3 domains of at least 0 IOMMUs."),
                            ("@luo.session[0].file_block[0]", "at least 1 session with at least 0 files, "),
                            ("@luo.session_block[0]", "A handover: sessions that cannot be read, 3 devices")):
            with self.subTest(page=page):
                self.drop(page)
                self.assertIn(words, self.text_of("show", status=0))
        self.drop("@page.device[0]")
        self.assertIn(": 1 unit, 3 domains, at least 0 devices", self.text_of("show", status=0))
        # Nor is such a handover an empty one.
        self.drop("@luo.session_block[0]", "kho-v4-luo-v5")
        text = self.text_of("show", status=0)
        self.assertNotIn("mpty handover", text)
        self.assertIn("A handover: sessions that cannot be read, no IOMMU state.", text)

    def test_missing_root_table(self):
        description = harness.clean("iommuser-v1-legacy")
        harness.write_image(description, self.path("whole"))
        root = self.show("whole")["iommus"][0]["root_table"]
        harness.write_image(description, self.path("image"), drop=[root])
        result = self.tool("maps", "--json", "image")
        self.assertEqual(1, result.status)
        devices = json.loads(result.out)["devices"]
        self.assertEqual([("its root or context table can't be read", 0)] * 3,
                         [(device["reason"], device["range_count"]) for device in devices])

    def test_formats(self):
        self.write_image(harness.clean("iommuser-second-stage"))
        maps = self.maps()
        lines = self.good("maps", "--json-lines", "--flat", "image")
        self.assertEqual(1, lines.count("\n"))
        self.assertEqual({"image": "image", "command": "maps", **maps}, json.loads(lines))
        limited = self.maps("--limit", "1")
        for device, whole in zip(limited["devices"], maps["devices"]):
            self.assertEqual(whole["ranges"][:1], device["ranges"])
            self.assertEqual({**whole, "ranges": 0}, {**device, "ranges": 0})
        self.assertTrue(any(device["range_count"] > 1 for device in maps["devices"]))
        text = self.good("maps", "--limit", "1", "--flat", "image")
        self.assertIn("... and 1 more (--limit)", text)
        self.assertEqual(max(map(len, text.splitlines())), min(79, max(map(len, text.splitlines()))))
        for device in maps["devices"]:
            self.assertIn(device["ranges"][0]["iova"], text)

    def test_vtd_root(self):
        """Without records, what the unit's tables list."""
        description = harness.clean("iommuser-v1-legacy")
        self.write_image(description)
        with_records = self.maps()["devices"]
        root = self.show("--flat", "image")["iommus"][0]["root_table"]
        bare = self.maps("--vtd-root", root + ":legacy")["devices"]
        def ranges(devices):
            return {device["bdf"]: [(r["iova"], r["phys"], r["length"]) for r in device["ranges"]]
                    for device in devices}
        found = ranges(bare)
        self.assertEqual(ranges(with_records), {bdf: found[bdf] for bdf in ranges(with_records)})

    def test_no_iommu_state(self):
        harness.write_image(harness.clean("kho-v4-luo-v5"), self.path("image"))
        self.assertIn("no IOMMU state", self.good("maps", "image"))
        self.assertEqual([], json.loads(self.good("maps", "--json", "image"))["devices"])


class Many(harness.ToolTest):
    """More ranges than the tool remembers, in raw memory with nothing but a unit's tables."""

    ROOT, CONTEXT, TOP, MIDDLE, LEAVES = 0x1000, 0x2000, 0x3000, 0x4000, 0x8000

    def write_tables(self, nr_tables):
        """Two devices on one page table, in which no page's memory follows the one before."""
        memory = bytearray(self.LEAVES + nr_tables * PAGE)

        def put(at, value):
            memory[at:at + 8] = value.to_bytes(8, "little")

        put(self.ROOT, self.CONTEXT | 1)
        for devfn in (0x20, 0x28):
            put(self.CONTEXT + 16 * devfn, self.TOP | 1)
            put(self.CONTEXT + 16 * devfn + 8, 0x301)
        for i in range(-(-nr_tables // 512)):
            put(self.TOP + 8 * i, self.MIDDLE + PAGE * i | 3)
        for i in range(nr_tables):
            put(self.MIDDLE + 8 * i, self.LEAVES + PAGE * i | 3)
            for j in range(512):
                put(self.LEAVES + PAGE * i + 8 * j, self.phys(512 * i + j) | 3)
        self.write("image", memory)

    def phys(self, page):
        return 0x1000000000 + 2 * PAGE * page

    def command(self, *arguments):
        return ["maps", "--json", "--flat", "--vtd-root", "%#x:legacy" % self.ROOT, *arguments, "image"]

    def test_all_are_there(self):
        nr_tables = 34  # 17408 ranges
        self.write_tables(nr_tables)
        shown = json.loads(self.good(*self.command()))
        expected = {PAGE * i: (self.phys(i), "rw", None, None) for i in range(512 * nr_tables)}
        self.assertEqual(["0000:00:04.0", "0000:00:05.0"], [device["bdf"] for device in shown["devices"]])
        for device in shown["devices"]:
            self.assertEqual(len(expected), device["range_count"])
            self.assertEqual(expected, pages(device["ranges"]))
        self.assertEqual((1, len(expected)), (shown["page_tables"], shown["range_count"]))

    def peak(self):
        """KiB of memory that a run takes."""
        with subprocess.Popen([harness.TOOL, *self.command("00:04.0")], cwd=self.dir,
                              stdout=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(0, process.returncode)
        return usage.ru_maxrss

    @unittest.skipIf(harness.VALGRIND, "valgrind's own memory grows")
    def test_memory_does_not_grow(self):
        self.write_tables(16)
        few = self.peak()
        self.write_tables(512)
        many = self.peak()
        # Of the image itself 2 MiB more are read; 253952 more ranges of 100 bytes would be 24 MiB.
        print("peak memory: %d KiB with 8192 ranges, %d KiB with 262144" % (few, many))
        self.assertLess(many, few + 16 * 1024)


class Translate(harness.ToolTest):
    """Where an address leads nowhere, the fault that the hardware reports."""

    def answer(self, *arguments):
        result = self.tool("translate", "--json", *arguments, "image")
        answer = json.loads(result.out)
        self.assertEqual(result.status, 0 if answer["outcome"] == "mapped" else 1, arguments)
        return answer

    def check_faults(self, read, write, *arguments):
        answer = self.answer(*arguments)
        self.assertEqual((read, write), (answer["read_fault"], answer["write_fault"]), arguments)
        return answer

    def test_second_stage(self):
        harness.write_image(harness.clean("iommuser-second-stage"), self.path("image"))
        self.assertEqual(4096, self.check_faults(None, "0x79", "00:05.0", "0xfffffffff000")["page_size"])
        self.check_faults("0x79", None, "00:05.0", "0x1000000000")
        self.check_faults("0x79", "0x79", "00:05.0", "0x1000001000")
        self.check_faults("0x83", "0x83", "00:04.0", "0x8000000000")
        self.assertEqual(2 << 20, self.check_faults(None, None, "00:04.0", "0x200000")["page_size"])
        self.assertTrue(self.answer("00:04.0", "0x0")["snoop"])
        self.assertFalse(self.answer("00:05.0", "0x0")["snoop"])
        text = self.good("translate", "00:05.0", "0xfffffffff000", "image")
        self.assertIn("read only, a page of 4 KiB", text)
        self.assertIn("a write is refused: fault reason 0x79", text)
        self.assertNotIn("a read is refused", text)

    def test_first_stage(self):
        harness.write_image(harness.clean("iommuser-first-stage"), self.path("image"))
        self.check_faults(None, "0x85", "00:04.0", "0x40000000")
        self.check_faults("0x71", "0x71", "00:04.0", "0x80000000")
        self.check_faults("0x80", "0x80", "00:04.0", "0x800000000000")
        self.assertEqual("mapped", self.answer("00:04.0", "0xffff800000000000")["outcome"])

    def test_legacy(self):
        harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"))
        self.check_faults("0x6", "0x5", "00:04.0", "0x7000000000")
        self.check_faults("0x4", "0x4", "00:04.0", "0xffffffffffffffff")
        self.assertEqual("blocked", self.check_faults(None, None, "00:04.0+1", "0x0")["outcome"])

    def test_reserved_bits(self):
        for name, device, fault in (("iommuser-v1-legacy", "00:04.0", "0xc"),
                                    ("iommuser-v1-scalable", "00:04.0", "0x7a")):
            with self.subTest(image=name):
                symbols = harness.write_image(harness.clean(name), self.path("image"))
                iova = json.loads(self.good("maps", "--json", device, "image"))["devices"][0]["ranges"][0]["iova"]
                level = self.answer(device, iova)["levels"][-1]
                at = int(level["table"], 16) + 8 * level["index"]
                self.assertIn(hex(at & -PAGE), symbols.values())
                harness.write_image(harness.clean(name), self.path("image"),
                                    "poke 0x%x u64 0x%x" % (at, int(level["entry"], 16) | 1 << 62))
                self.assertEqual("not-mapped", self.check_faults(fault, fault, device, iova)["outcome"])
                result = self.tool("maps", "--json", device, "image")
                gap, = json.loads(result.out)["devices"][0]["gaps"]
                self.assertEqual((1, iova, "no hardware would follow the entry", hex(at)),
                                 (result.status, gap["iova"], gap["reason"], gap["phys"]))

    def test_impossible_levels(self):
        for name, edit, fault in (("iommuser-v1-legacy", "set context[00:04.0].aw = 6", "0x3"),
                                  ("iommuser-v1-scalable", "set pasid[00:04.0][0].aw = 6", "0x5b")):
            with self.subTest(image=name):
                harness.write_image(harness.clean(name), self.path("image"), edit)
                answer = self.check_faults(fault, fault, "00:04.0", "0x0")
                self.assertEqual(("blocked", None), (answer["outcome"], answer["format"]))
                self.assertIn("no possible number of levels", self.good("maps", "00:04.0", "image"))

    def test_pasids(self):
        harness.write_image(harness.clean("iommuser-pasids"), self.path("image"))
        self.assertEqual((5, "first-stage"), tuple(self.answer("00:04.0+5", "0x0")[k] for k in ("pasid", "format")))
        self.assertEqual(None, self.answer("00:04.0", "0x0")["pasid"])
        self.check_faults("0x59", "0x59", "00:04.0+6", "0x0")
        self.check_faults("0x46", "0x46", "00:04.0+0xfffff", "0x0")
        self.check_faults("0x51", "0x51", "00:04.0+8191", "0x0")
        self.check_faults("0x45", "0x45", "00:06.0+1", "0x0")
        self.assertIn("00:04.0 PASID 5 0x0 -> ", self.good("translate", "00:04.0+5", "0x0", "image"))


if __name__ == "__main__":
    harness.main()
