#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What extract writes: all of the metadata, nothing of the payload, and never half a file."""

import json
import os
import re
import sys

import harness

sys.path.insert(0, harness.WRITER)
import read_image  # noqa: E402  (the second reader of portable images)

FILL = "payload-Of-A-Guest"


def memfds(description):
    """Labels of the memfds of a description that hold something; of a series, the first one."""
    labels = []
    with open(description, encoding="utf-8") as file:
        for line in file:
            found = re.match(r"(file|files \d+) memfd (\S+) .*size=(\S+)", line)
            if found and found[3] != "0" and "fill=" not in line:
                labels.append(found[2] + ("0" if found[1] != "file" else ""))
    return labels


class Extract(harness.ToolTest):
    def comparable(self, image):
        shown = self.show(image)
        self.assertTrue(shown.pop("source")["format"])
        shown.pop("notes")
        return shown

    def check_payload(self):
        with open(self.path("image"), "rb") as file:
            self.assertIn(FILL.encode(), file.read())
        with open(self.path("out.ikho"), "rb") as file:
            data = file.read()
        pages = read_image.Portable(data).pages
        self.assertGreaterEqual(len(pages), 2)
        self.assertNotIn(FILL.encode(), data)
        for phys, page in pages.items():
            self.assertNotIn(FILL.encode(), page, hex(phys))
            self.assertNotIn(FILL.encode()[5:], page, hex(phys))

    def test_clean_images(self):
        checked = with_payload = 0
        for description in harness.some(harness.CLEAN, 10):
            labels = memfds(description)
            lines = ["amend memfd %s fill=%s" % (label, FILL) for label in labels]
            harness.write_image(description, self.path("image"), *lines)
            with self.subTest(image=harness.name_of(description)):
                said = self.good("extract", "-o", "out.ikho", "image")
                self.assertRegex(said, r"\Aout\.ikho: [0-9.]+ (bytes|[KM]iB) \([0-9.]+ [KM]iB of metadata\)\n")
                size = os.path.getsize(self.path("out.ikho"))
                again = json.loads(self.good("extract", "--json", "-o", "out.ikho", "image"))
                self.assertEqual(size, again["file_bytes"])
                self.assertEqual(self.comparable("image"), self.comparable("out.ikho"))
                before, after = (json.loads(self.good("verify", "--json", image))
                                 for image in ("image", "out.ikho"))
                self.assertEqual(0, after["errors"])
                for key in ("status", "findings", "checked"):
                    self.assertEqual(before[key], after[key])
                checked += 1
                if labels:
                    self.check_payload()
                    with_payload += 1
        print("%d images, %d of them with payload" % (checked, with_payload))
        self.assertGreaterEqual(checked, 5)
        self.assertGreaterEqual(with_payload, 3)

    def test_states(self):
        """Where records of an incoming handover stand is taken along, if it is told of all."""
        states = {"iommu": [2], "domain": [3, 4], "device": [4, 3, 5]}
        lines = ["ikho origin=incoming kho=no preserved=no"]
        lines += ["states %s %s" % (kind, " ".join(map(str, told))) for kind, told in states.items()]
        for extra, wanted in (([], states), (["states device 2"], {**states, "device": None})):
            harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"), *lines, *extra, form="ikho")
            self.good("extract", "-o", "out.ikho", "image")
            if not extra:
                self.assertEqual(self.comparable("image"), self.comparable("out.ikho"))
            found = read_image.read(self.path("out.ikho"))["states"]
            self.assertEqual({kind: told for kind, told in wanted.items() if told}, found)
        self.good("extract", "-o", "out.ikho", "--post-boot", "image")
        self.assertEqual({}, read_image.read(self.path("out.ikho"))["states"])

    def test_no_payload_of_damaged(self):
        """Damage that leads a reader into guest memory does not bring that memory into the extract."""
        inside = "@memfd[0].page[0]"
        damages = ["set domain[1].top_level = 3", "set pte[d0][0x0].ps = 0", "set domain[0].top_table = " + inside,
                   "set luo.session[0].files = " + inside, "set luo.flb[0].data = " + inside,
                   "set roottable[0][0].lo = " + inside + " | 1", "set memfd[1].vmalloc_first = " + inside]
        extracted = 0
        for name in harness.some(["iommuser-v1-legacy", "iommu-v1-legacy"], 1):
            labels = memfds(harness.clean(name))
            fills = ["amend memfd %s fill=%s" % (label, FILL) for label in labels]
            self.assertTrue(fills)
            for damage in damages:
                with self.subTest(image=name, damage=damage):
                    harness.write_image(harness.clean(name), self.path("image"), damage, *fills)
                    result = self.tool("extract", "-o", "out.ikho", "image")
                    if result.status == 0:
                        self.check_payload()
                        extracted += 1
        self.assertGreaterEqual(extracted, 5)

    def test_same_checks(self):
        """Verify counts the same of an extract, and finds the same in a bad one."""
        for lines in ([], ["amend device 00:05.0 did=1"]):
            harness.write_image(harness.clean("iommuser-pasids"), self.path("image"), *lines)
            self.good("extract", "-o", "out.ikho", "image")
            found = [json.loads(self.tool("verify", "--json", image).out) for image in ("image", "out.ikho")]
            for key in ("status", "findings", "checked"):
                self.assertEqual(found[0][key], found[1][key])
            self.assertEqual(bool(lines), bool(found[0]["findings"]))

    def test_extract_of_extract(self):
        harness.write_image(harness.clean("iommuser-aliases"), self.path("image"))
        self.good("extract", "-o", "first.ikho", "image")
        self.good("extract", "-o", "second.ikho", "first.ikho")
        with open(self.path("first.ikho"), "rb") as first, open(self.path("second.ikho"), "rb") as second:
            self.assertEqual(first.read(), second.read())

    def owners(self, *arguments):
        shown = json.loads(self.tool("show", "--json", *arguments).out)
        devices = [(device["owner_token"], device["owner"]) for device in shown["devices"]]
        self.assertEqual(devices, [(hwpt["iommufd_token"], hwpt["iommufd"]) for hwpt in shown["hwpts"]])
        return devices

    def test_owners_without_sessions(self):
        """Where no session tells the token of an iommufd, its file's data does; it is extracted, too."""
        description = harness.clean("iommuser-two-sessions")
        damages = {None: True, "set iommufd[1].root += 4096": False, "fill @iommufd[1]+24 1 1": False}
        for damage, known in damages.items():
            with self.subTest(damage):
                lines = [damage] if damage else []
                symbols = harness.write_image(description, self.path("whole"), *lines)
                harness.write_image(description, self.path("bare"), *lines, "ikho kho=no preserved=no", form="ikho")
                start = ["--flb", symbols["root"], "--abi", "iommuser-v1"]
                first, second = symbols["iommufd[0]"], symbols["iommufd[1]"]
                self.assertEqual([("0x100", first), ("0x100", second)], self.owners("whole"))
                wanted = [("0x100", first), ("0x100" if known else None, second)]
                self.assertEqual(wanted, self.owners(*start, "whole"))
                text = self.tool("show", *start, "whole").out
                self.assertEqual(4 if known else 2, len(re.findall(r" 0x100\b", text)), text)
                self.good("extract", "-o", "out.ikho", "bare")
                for image in ("bare", "out.ikho"):
                    self.assertEqual(wanted, self.owners(image))
                with open(self.path("out.ikho"), "rb") as file:
                    pages = read_image.Portable(file.read()).pages
                self.assertEqual([True, known], [int(phys, 16) in pages for phys in (first, second)])

    def test_fixture(self):
        for name in ("legacy-jump", "scalable-jump", "legacy-postboot", "scalable-postboot"):
            image = os.path.join(harness.IMAGES, name + ".ikho")
            self.tool("extract", "-o", "out.ikho", image)
            self.assertEqual(self.comparable(image), self.comparable("out.ikho"))

    def test_json(self):
        harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"))
        said = json.loads(self.good("extract", "--json", "--origin", "at-jump", "-o", "out.ikho", "image"))
        with open(self.path("out.ikho"), "rb") as file:
            image = read_image.Portable(file.read())
        self.assertEqual(said["bytes_of_memory"], image.raw_pages)
        self.assertEqual(("out.ikho", "at-jump"), (said["output"], said["origin"]))
        self.assertEqual("at-jump", image.info["origin"])
        self.assertEqual("at-jump", self.show("out.ikho")["source"]["origin"])

    def keeps(self, name, status, words, *arguments, **options):
        before = os.stat(self.path(name))
        with open(self.path(name), "rb") as file:
            content = file.read()
        self.refused(status, words, "extract", "-o", name, *arguments, **options)
        after = os.stat(self.path(name))
        self.assertEqual((before.st_ino, before.st_size), (after.st_ino, after.st_size))
        with open(self.path(name), "rb") as file:
            self.assertEqual(content, file.read())

    def test_failure_keeps_the_file(self):
        self.write("kept", b"something else")
        self.write("text", b"no image")
        harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"))
        self.keeps("kept", 3, "text: ", "text")
        self.keeps("kept", 3, "no KHO FDT", "--kho", "0x1000", "image")
        self.keeps("image", 2, "is the image itself", "image")
        os.link(self.path("image"), self.path("other-name"))
        self.keeps("other-name", 2, "is the image itself", "image")
        names = set(os.listdir(self.dir))
        if not harness.VALGRIND:
            # No room for even one section: the limit is on the size of files, its signal ignored.
            limited = ["sh", "-c", 'trap "" XFSZ; ulimit -f 1; exec "$@" 2>&1', "sh", harness.TOOL]
            done = harness.subprocess.run([*limited, "extract", "-o", "kept", "image"], cwd=self.dir, check=False,
                                          capture_output=True, timeout=harness.SECONDS)
            self.assertEqual(4, done.returncode, done.stdout)
            self.assertRegex(done.stdout.decode(), r"\Aiommu-kho-dump: kept: [^\n]*\n\Z")
            with open(self.path("kept"), "rb") as file:
                self.assertEqual(b"something else", file.read())
        self.assertEqual(names, set(os.listdir(self.dir)), "a temporary file was left")

    def test_success_replaces_the_file(self):
        self.write("old", b"something else")
        os.symlink("old", self.path("link"))
        harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"))
        self.good("extract", "-o", "link", "image")
        self.assertTrue(os.path.islink(self.path("link")))
        self.assertEqual(self.comparable("image"), self.comparable("old"))

    def test_places_that_cannot_be(self):
        harness.write_image(harness.clean("kho-empty"), self.path("image"))
        os.mkdir(self.path("directory"))
        os.mkfifo(self.path("pipe"))
        for output, words in (("missing/out.ikho", "directory: No such file"), ("directory", "not a regular file"),
                              ("pipe", "not a regular file"), ("/dev/null", "not a regular file"),
                              ("image/out.ikho", "Not a directory")):
            self.refused(4, words, "extract", "-o", output, "image")
            self.refused(4, output + ": ", "extract", "-o", output, "image")


if __name__ == "__main__":
    harness.main()
