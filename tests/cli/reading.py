#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How much of an image the tool reads: little, when it is told where to start. And the image of bench/large.py."""

import json
import os
import subprocess
import sys

import harness

LARGE = os.path.join(os.path.dirname(harness.HERE), os.pardir, "bench", "large-image.py")
MIB = 1 << 20
RAM = 32 * MIB
# All that the handover has here: records, tables, the memory map, and a few pages beside each.
LITTLE = MIB


class Reading(harness.ToolTest):
    def bytes_read(self, *arguments):
        """What the process read: while it has ended and nobody has waited for it, the kernel tells."""
        process = subprocess.Popen([harness.TOOL, *arguments], cwd=self.dir, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with open("/proc/%d/io" % process.pid, encoding="ascii") as file:
            read = int(dict(line.split(": ") for line in file)["rchar"])
        self.assertEqual(0, process.wait(harness.SECONDS), arguments)
        return read

    def beyond_start(self, *arguments):
        """The same without the libraries, and without what valgrind reads."""
        return self.bytes_read(*arguments) - self.bytes_read("--version")

    def image(self):
        """An image of 32 MiB with holes, and one without; where their handover begins."""
        symbols = harness.write_image(harness.clean("iommuser-v1-scalable"), self.path("sparse"))
        with open(self.path("sparse"), "rb") as file:
            self.write("dense", file.read())
        self.assertGreater(os.path.getsize(self.path("dense")), RAM)
        return [["--kho", symbols["fdt"]], ["--luo", symbols["luo"]],
                ["--flb", symbols["root"], "--abi", "iommuser-v1"],
                ["--vtd-root", symbols["roottable[0]"] + ":scalable"]]

    def large(self, *words):
        subprocess.run([sys.executable, LARGE, self.path("large"), "--ram", "256M", *words],
                       check=True)

    def test_start_given(self):
        starts = self.image()
        # The count sees what is read: with nothing given the memory is searched.
        self.assertGreater(self.beyond_start("show", "dense"), RAM // 2)
        for start in starts:
            with self.subTest(start=start):
                self.assertLess(self.beyond_start("show", *start, "dense"), LITTLE)
        for words in (["verify"], ["stat"], ["translate", "00:04.0", "0x1000"]):
            with self.subTest(command=words[0]):
                self.assertLess(self.beyond_start(*words, *starts[0], "dense"), LITTLE)

    def test_holes(self):
        self.image()
        if os.stat(self.path("sparse")).st_blocks * 512 > RAM // 2:
            self.skipTest("no holes in files here")
        for command in ("show", "verify"):
            # Beside the handover there are 4 MiB of payload to search.
            self.assertLess(self.beyond_start(command, "sparse"), RAM // 2, command)

    def test_portable(self):
        """Of a portable image `show` reads what it shows, and no page tables."""
        self.large("--map", "1G", "--devices", "2")
        self.good("extract", "-o", "out.ikho", "large")
        size = os.path.getsize(self.path("out.ikho"))
        self.assertGreater(size, MIB // 4)
        self.assertLess(self.beyond_start("show", "out.ikho"), size // 4)
        self.assertGreater(self.beyond_start("verify", "out.ikho"), size)

    def test_large_image(self):
        """The generator's images are sound, and hold what was asked for."""
        devices, tables = 260, 128
        for words in harness.some([["--mode", mode, *folios] for mode in ("scalable", "legacy")
                                   for folios in ([], ["--scattered"])], 3):
            with self.subTest(words=words):
                self.large("--map", "256M", "--devices", str(devices), *words)
                result = json.loads(self.good("verify", "--json", "large"))
                self.assertEqual(("ok", []), (result["status"], result["findings"]))
                self.assertEqual(devices, result["checked"]["context_entries"])
                # The upper levels have four entries more: one a table below the top.
                self.assertEqual(tables + 3, result["checked"]["page_tables"])
                shown = self.show("large")
                memfd = next(f["memfd"] for f in shown["sessions"][0]["files"] if "memfd" in f)
                self.assertEqual((tables * 2 * MIB, tables * (512 if "--scattered" in words else 1)),
                                 (memfd["folio_bytes"], memfd["folios"]))
                self.assertEqual(2, len(shown["iommus"]))


if __name__ == "__main__":
    harness.main()
