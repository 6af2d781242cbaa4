#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Scratch regions: found, measured, and held against what is preserved and against each other."""

import json
import os

import harness

CLEAN = harness.clean("kho-hand-off")
MIB = 1 << 20


class Scratch(harness.ToolTest):
    def scratch(self, *lines, status=0, form="elf", options=(), drop=()):
        """Writes an image and returns what the tool says of it, as JSON and as text."""
        self.symbols = harness.write_image(CLEAN, self.path("image"), *lines, form=form, drop=drop)
        result = self.tool("scratch", "--json", *options, "image")
        text = self.tool("scratch", *options, "image")
        self.assertEqual((status, status, ""), (result.status, text.status, result.err))
        self.assertLess(max(map(len, text.out.splitlines())), 80)
        return json.loads(result.out), text.out

    def test_found(self):
        shown, text = self.scratch()
        self.assertEqual(("found", None, 12 * MIB, 32 * MIB, 375, 0, 0), tuple(shown[key] for key in (
            "state", "reason", "size", "memory", "per_mille", "preserved", "impossible")))
        self.assertEqual([{"phys": "0x800000", "size": 4 * MIB, "preserved": 0, "aligned": True,
                           "overlaps_region": False},
                          {"phys": "0x1000000", "size": 8 * MIB, "preserved": 0, "aligned": True,
                           "overlaps_region": False}], shown["regions"])
        self.assertIn("2 regions, 12 MiB: 37.5 % of the 32 MiB", text.splitlines()[0])
        self.assertIn("no preserved memory lies in it", text)

    def test_raw_memory(self):
        shown, _ = self.scratch(form="flat", options=["--flat"])
        self.assertEqual((12 * MIB, 32 * MIB), (shown["size"], shown["memory"]))

    def test_given_fdt(self):
        """The search for the hand-off does not depend on how the FDT was found."""
        _, text = self.scratch()
        self.assertEqual(text, self.good("scratch", "--kho", self.symbols["fdt"], "image"))

    def test_preserved_memory(self):
        shown, text = self.scratch("preserve 0x900000 order=1", "preserve 0x17ff000 order=0", status=1)
        self.assertEqual((12288, [8192, 4096]),
                         (shown["preserved"], [region["preserved"] for region in shown["regions"]]))
        self.assertIn("12 KiB of preserved memory lie in it", text)
        # One page before and behind the regions.
        shown, _ = self.scratch("preserve 0x7ff000 order=0", "preserve 0xc00000 order=0")
        self.assertEqual(0, shown["preserved"])

    def test_regions(self):
        cases = {
            "u64 0x801000": ("aligned", [False, True], "not aligned"),
            "u64 0x1400000": ("overlaps_region", [True, True], "overlaps another region"),
        }
        for value, (key, flags, words) in cases.items():
            with self.subTest(value=value):
                array, _ = self.scratch()
                shown, text = self.scratch("poke %s %s" % (array["array"], value), status=1)
                self.assertEqual(flags, [region[key] for region in shown["regions"]])
                self.assertIn(words, text)

    def test_impossible_region(self):
        array, _ = self.scratch()
        shown, text = self.scratch("poke %s u64 0xfffffffffff00000" % array["array"], status=1)
        self.assertEqual((1, 1), (shown["impossible"], len(shown["regions"])))
        self.assertIn("can be no region", text)

    def test_not_there(self):
        array, _ = self.scratch()
        shown, text = self.scratch(status=1, drop=[array["array"]])
        self.assertEqual(("missing", array["array"], None, []),
                         tuple(shown[key] for key in ("state", "array", "size", "regions")))
        self.assertIn("not known: the image lacks the list of regions", text)

    def test_not_told(self):
        harness.write_image(harness.clean("kho-v4-luo-v5"), self.path("image"))
        result = self.tool("scratch", "image")
        self.assertEqual(1, result.status)
        self.assertIn("does not tell where", result.out)
        self.assertIn("in a dump taken at the jump or later; on the host, in scratch_phys and scratch_len of "
                      "/sys/kernel/debug/kho/out.", " ".join(result.out.split()))
        self.assertLess(max(map(len, result.out.splitlines())), 80)
        portable = os.path.join(harness.IMAGES, "legacy-jump.ikho")
        shown = json.loads(self.tool("scratch", "--json", portable).out)
        self.assertEqual(("not-in-image", None, None), tuple(shown[key] for key in ("state", "size", "memory")))
        self.assertIn("a portable image does not carry", shown["reason"])

    def test_what_is_preserved_is_not_known(self):
        harness.write_image(CLEAN, self.path("whole"))
        root = self.show("whole")["kho"]["memory_map"]
        shown, text = self.scratch(drop=[root])
        self.assertEqual((None, [None, None], 12 * MIB), (
            shown["preserved"], [region["preserved"] for region in shown["regions"]], shown["size"]))
        self.assertIn("whether preserved memory lies in it is not known", text)


if __name__ == "__main__":
    harness.main()
