#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Started at an address that is given, the tool shows what it shows when it finds the start itself."""

import collections
import json

import harness

RECORDS = ("abi", "root", "iommus", "domains", "devices", "aliases", "attachments", "hwpts")
SESSIONS = ("luo", "sessions", "flbs")


def only(shown, keys):
    return {key: shown[key] for key in keys if key in shown}


class Starts(harness.ToolTest):
    def check_starts(self, symbols):
        """Returns the options that were compared."""
        plain = self.show("image")
        unlike = {"notes": [], "source": {}}
        self.assertEqual({**plain, **unlike}, {**self.show("--kho", symbols["fdt"], "image"), **unlike})
        compared = ["--kho"]
        if plain["abi"]:
            self.assertEqual(plain["root"], symbols["root"])
            shown = self.show("--flb", symbols["root"], "--abi", plain["abi"], "image")
            self.assertEqual(only(plain, RECORDS), only(shown, RECORDS))
            self.assertIsNone(shown["luo"])
            compared.append("--flb")
        if plain["luo"]:
            keys = SESSIONS + RECORDS
            self.forget_folio_sizes(plain)
            self.assertEqual(only(plain, keys), only(self.show("--luo", symbols["luo"], "image"), keys))
            compared.append("--luo")
        return compared

    def forget_folio_sizes(self, shown):
        """They are in the memory map, which is not read from --luo on."""
        for session in shown["sessions"]:
            for file in session["files"]:
                if "memfd" in file:
                    self.assertIsNotNone(file["memfd"]["folio_bytes"])
                    file["memfd"]["folio_bytes"] = None

    def test_same_records(self):
        compared = collections.Counter()
        for description in harness.some(harness.CLEAN, 10):
            symbols = harness.write_image(description, self.path("image"))
            with self.subTest(image=harness.name_of(description)):
                compared.update(self.check_starts(symbols))
        print(", ".join("%s on %d images" % item for item in compared.items()))
        for option in ("--kho", "--luo", "--flb"):
            self.assertGreaterEqual(compared[option], 3, option)

    def test_layouts_of_one_name(self):
        """Device records of 56 and of 72 bytes have gone by one FLB name."""
        for mode in harness.some(("legacy", "scalable"), 2):
            shown = {}
            for abi in ("iommu-liveupdate", "iommu-liveupdate-56"):
                image = abi + "-" + mode
                root = harness.write_image(harness.clean(image), self.path(image))["root"]
                plain = self.show(image)
                self.assertEqual(abi, plain["abi"])
                self.assertIn("fits", plain["abi_chosen_by"])
                for arguments in (["--abi", abi], ["--flb", root, "--abi", abi]):
                    forced = self.show(*arguments, image)
                    self.assertEqual("--abi", forced["abi_chosen_by"])
                    self.assertEqual(only(plain, RECORDS), only(forced, RECORDS))
                shown[abi] = plain["devices"]
                self.check_wrong_layout(image, abi, plain)
            self.assertGreaterEqual(len(shown["iommu-liveupdate"]), 2)
            self.assertEqual(*[[device["bdf"] for device in devices] for devices in shown.values()])

    def check_wrong_layout(self, image, abi, plain):
        other = {"iommu-liveupdate": "iommu-liveupdate-56", "iommu-liveupdate-56": "iommu-liveupdate"}[abi]
        result = self.tool("verify", "--json", "--abi", other, image)
        found = json.loads(result.out)
        self.assertEqual((1, other, "errors"), (result.status, found["abi"], found["status"]))
        result = self.tool("show", "--json", "--abi", other, image)
        self.assertEqual(0, result.status)
        self.assertNotEqual(plain["devices"], json.loads(result.out)["devices"])

    def test_best_fdt_or_another(self):
        harness.write_image(harness.clean("kho-extras"), self.path("image"))
        roots = json.loads(self.good("--list-roots", "--json", "image"))["roots"]
        self.assertGreaterEqual(len(roots), 3)
        self.assertEqual(roots[0]["fdt"], self.show("image")["kho"]["fdt"])
        for root in roots:
            result = self.tool("show", "--json", "--kho", root["fdt"], "image")
            self.assertEqual(0, result.status, result.err)
            self.assertEqual(root["fdt"], json.loads(result.out)["kho"]["fdt"])

    def codes_of_next_kernel(self, *lines):
        harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"), *lines)
        result = self.tool("verify", "--json", "image")
        self.assertEqual((0, ""), (result.status, result.err))
        return {finding["code"] for finding in json.loads(result.out)["findings"]}

    def test_not_taken_over(self):
        """State that lies in a kernel's memory as it was at the jump is named, all other is not."""
        self.assertEqual({"REC-25"}, self.codes_of_next_kernel("next-fdt"))
        for line in harness.some(("fill @luo.flbs 4096 0", "set luo.flb[0].name = \"iommuser-v2\"",
                                  "set luo.flb[0].data = @root + 4096", "set luo.flbs.pgcnt = 2",
                                  "set luo.flbs.count = 64", "flip root 16 0",
                                  "flip page.device[0] 48 0",
                                  "set context[00:1f.0].lo = @root | 1"), 4):
            self.assertEqual(set(), self.codes_of_next_kernel("next-fdt", line), line)

    def test_flat_base(self):
        """The same memory as a raw file that begins at another address."""
        symbols = harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"))
        harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("flat"), form="flat")
        shown, flat = self.show("image"), self.show("--flat", "flat")
        self.assertEqual("raw memory", flat["source"]["format"])
        keys = ("kho",) + SESSIONS + RECORDS
        self.assertEqual(only(shown, keys), only(flat, keys))
        base = 0x100000
        self.assertLessEqual(base, int(symbols["fdt"], 16))
        with open(self.path("flat"), "rb") as file:
            file.seek(base)
            self.write("rest", file.read())
        self.assertEqual(only(shown, keys), only(self.show("--flat=%#x" % base, "rest"), keys))
        # A wrong base is no secret: the FDT is not in its own map any more.
        roots = json.loads(self.good("--list-roots", "--json", "--flat", "rest"))["roots"]
        self.assertNotIn("yes", [found["self_reference"] for found in roots])

    def test_limit(self):
        harness.write_image(harness.clean("iommu-v1-many"), self.path("image"))
        devices = self.show("image")["devices"]
        self.assertGreater(len(devices), 10)
        self.assertEqual(devices, self.show("--limit", "3", "image")["devices"])
        text = self.good("--limit", "3", "image").split("\nDevices\n")[1].split("\n\n")[0].splitlines()
        self.assertEqual(5, len(text), text)
        self.assertIn("... and %d more (--limit)" % (len(devices) - 3), text[4])


if __name__ == "__main__":
    harness.main()
