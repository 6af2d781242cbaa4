#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Is the published schema that of the tool, and does the JSON of every command fit it, on every image?

usage: schema.py [--rewrite]     with IOMMU_KHO_DUMP naming the tool; --rewrite publishes the schema of this tool
"""

import glob
import json
import os
import re
import shutil
import sys

import harness
import preflight

try:
    import jsonschema
except ImportError:
    sys.exit("schema.py needs jsonschema (Debian: python3-jsonschema)")

ROOT = os.path.dirname(os.path.dirname(harness.HERE))
PUBLISHED = os.path.join(ROOT, "docs", "iommu-kho-dump.schema.json")
FINDINGS = os.path.join(ROOT, "include", "iommuser", "finding.h")
FIXTURES = sorted(glob.glob(os.path.join(harness.IMAGES, "*.ikho")))
# How to run what prints an object of each kind, on any image.
ON_IMAGES = {
    "show": (["show"],),
    "verify": (["verify"], ["verify", "--limit", "1"]),
    "stat": (["stat"],),
    "list_roots": (["--list-roots"],),
    "extract": (["extract", "-o", "out.ikho"],),
    "maps": (["maps"],),
    "translate": (["translate", "00:04.0", "0x1000"], ["translate", "00:05.0", "0x400000"]),
    "scratch": (["scratch"],),
    "graph": (["graph"],),
}
# These are run by tests of their own below.
ELSEWHERE = {"explanation", "failure", "diff", "preflight", "capture"}


class Schema:
    """The schema of all commands, counting what is held against it."""

    def __init__(self, text):
        self.document = json.loads(text)
        self.kinds = self.document["$defs"]
        self.roots = [choice["$ref"].rsplit("/", 1)[1] for choice in self.document["anyOf"]]
        self.seen = dict.fromkeys(self.kinds, 0)
        plain = jsonschema.Draft202012Validator
        plain.check_schema(self.document)

        def counted(validator, reference, instance, schema):
            self.seen[reference.rsplit("/", 1)[1]] += 1
            yield from plain.VALIDATORS["$ref"](validator, reference, instance, schema)

        self.validator = jsonschema.validators.extend(plain, {"$ref": counted})

    def check(self, kind, instance):
        """Hold an object against its kind; what is wrong, in words."""
        schema = {"$ref": "#/$defs/" + kind, "$defs": self.kinds}
        return ["%s at %s: %s" % (kind, error.json_path, error.message)
                for error in self.validator(schema).iter_errors(instance)]


SCHEMA = None


class Published(harness.ToolTest):
    def test_is_that_of_the_tool(self):
        with open(PUBLISHED, encoding="utf-8") as file:
            published = file.read()
        self.assertEqual(published, self.good("--schema"),
                         "docs/iommu-kho-dump.schema.json is stale: tests/cli/schema.py --rewrite")

    def test_of_one_command(self):
        for command in ("show", "verify"):
            one = json.loads(self.good(command, "--schema"))
            self.assertEqual(["#/$defs/" + command, "#/$defs/failure"], [ref["$ref"] for ref in one["anyOf"]])
            for kind, schema in one["$defs"].items():
                self.assertEqual(SCHEMA.kinds[kind], schema)
        self.assertEqual(["#/$defs/list_roots", "#/$defs/failure"],
                         [ref["$ref"] for ref in json.loads(self.good("--list-roots", "--schema"))["anyOf"]])

    def test_every_kind_is_closed(self):
        for kind, schema in SCHEMA.kinds.items():
            self.assertIs(False, schema["additionalProperties"], kind)
            self.assertLessEqual(set(schema["required"]), set(schema["properties"]), kind)
            for key, member in schema["properties"].items():
                self.assertGreater(len(member["description"]), 2, (kind, key))

    def test_notices(self):
        """What is no such object does not fit."""
        shown = json.loads(self.good("show", "--json", FIXTURES[0]))
        self.assertEqual([], SCHEMA.check("show", shown))
        for key, value in (("root", "12"), ("root", "0xG"), ("root", 5), ("sessions", None), ("sessions", [{}]),
                           ("new", 1), ("kho", {}), ("notes", [1]), ("kernel_release", None)):
            self.assertTrue(SCHEMA.check("show", {**shown, key: value}), (key, value))
        del shown["notes"]
        self.assertTrue(SCHEMA.check("show", shown))
        verified = json.loads(self.good("verify", "--json", FIXTURES[0]))
        for key, value in (("status", "fine"), ("errors", -1), ("errors", True), ("errors", 1.5)):
            self.assertTrue(SCHEMA.check("verify", {**verified, key: value}), (key, value))


class Commands(harness.ToolTest):
    def check(self, kind, text, what):
        self.assertEqual([], SCHEMA.check(kind, json.loads(text)), what)

    def run_all(self, image):
        """Every command on an image. Returns how many answers there were."""
        answers = 0
        for kind, commands in ON_IMAGES.items():
            for command in commands:
                result = self.tool(*command, "--json", image)
                self.assertIn(result.status, (0, 1, 3), (command, image, result.err))
                if not result.out:
                    self.assertEqual(3, result.status, (command, image))
                    continue
                self.check(kind, result.out, (command, image))
                answers += 1
        return answers

    def test_known(self):
        """Every kind of answer is held against the schema by some test here."""
        self.assertEqual(set(SCHEMA.roots), set(ON_IMAGES) | ELSEWHERE)

    def test_fixtures(self):
        self.assertGreater(len(FIXTURES), 10)
        for image in harness.some(FIXTURES, 12):
            with self.subTest(image=image):
                self.assertGreaterEqual(self.run_all(image), len(ON_IMAGES) - 1)

    def test_writer(self):
        self.assertGreater(len(harness.CLEAN), 40)
        for description in harness.some(harness.CLEAN, 26):
            with self.subTest(description=description):
                harness.write_image(description, self.path("image"))
                self.assertGreaterEqual(self.run_all("image"), len(ON_IMAGES) - 1)

    def test_damaged(self):
        lines = ("amend device 00:05.0 did=1", "next-fdt", "set context[00:04.0].did = 77")
        for line in harness.some(lines, 3):
            with self.subTest(line=line):
                harness.write_image(harness.clean("iommuser-v1-legacy" if "context" in line else "iommuser-pasids"),
                                    self.path("image"), line)
                self.run_all("image")

    def test_maps(self):
        """A domain that only a HWPT refers to, and page tables that the image lacks."""
        harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"), "domain d9 levels=3",
                            "map d9 0x0 64K memfd=ram1", "hwpt d9 token=9 iommufd=io0", drop=["@pt.domain1.top"])
        self.run_all("image")
        maps = json.loads(self.tool("maps", "--json", "image").out)
        self.assertTrue(maps["domains"])
        self.assertGreater(maps["gap_count"], 0)

    def test_preflight(self):
        kernels = (preflight.vmlinux(), preflight.vmlinux(handlers=[]), preflight.vmlinux(strings=["kho-v1"]))
        for kernel in harness.some(kernels, 3):
            self.write("kernel", kernel)
            for image in harness.some(FIXTURES, 7):
                result = self.tool("preflight", "--json", "--kernel", "kernel", image)
                self.assertIn(result.status, (0, 1), result.err)
                self.check("preflight", result.out, image)

    def test_capture(self):
        """With a directory in the place of the running host."""
        streams = self.path("root/sys/kernel/debug/iommu/liveupdate")
        os.makedirs(streams)
        shutil.copy(os.path.join(harness.IMAGES, "legacy-glue-incoming.ikho"), os.path.join(streams, "incoming"))
        result = self.tool("capture", "--json", "-o", "out.ikho",
                           env=dict(os.environ, IOMMU_KHO_DUMP_SYSROOT=self.path("root")))
        self.assertEqual((0, ""), (result.status, result.err))
        self.check("capture", result.out, "capture")

    def test_vtd(self):
        for name in ("legacy", "scalable"):
            with open(os.path.join(harness.IMAGES, name + "-glue-dmar.txt"), encoding="utf-8") as file:
                root = re.search("Root Table Address: *(0x[0-9a-f]+)", file.read()).group(1)
            image = os.path.join(harness.IMAGES, name + "-glue-jump.ikho")
            shown = self.good("show", "--json", "--vtd-root", root, image)
            self.assertTrue(json.loads(shown)["vtd_roots"][0]["contexts"])
            self.check("show", shown, name)

    def test_explanations(self):
        with open(FINDINGS, encoding="utf-8") as file:
            codes = re.findall(r'X\(\w+, "([A-Z]+-[0-9]+)"', file.read())
        self.assertGreater(len(codes), 100)
        for code in harness.some(codes, 40):
            self.check("explanation", self.good("--explain", code, "--json"), code)

    def test_diff(self):
        """Two images of one host, and of two hosts; by the writer, one thing changed."""
        pairs = list(zip(FIXTURES, FIXTURES[1:]))
        for one, other in harness.some(pairs, 12):
            with self.subTest(one=one, other=other):
                result = self.tool("diff", "--json", one, other)
                self.assertIn(result.status, (0, 1), result.err)
                self.check("diff", result.out, (one, other))
        self.assertGreater(len(pairs), 10)

    def test_lines(self):
        """One line for each image: what --json prints, and before it which image it is of."""
        self.write("bad", b"no image")
        images = [*FIXTURES[:3], "bad", "missing"]
        for command in harness.some(("show", "verify", "stat"), 3):
            result = self.tool(command, "--json-lines", *images)
            self.assertEqual(3, result.status)
            lines = [json.loads(line) for line in result.out.splitlines()]
            self.assertEqual([(image, command) for image in images],
                             [(line["image"], line["command"]) for line in lines])
            for line in lines[:3]:
                self.assertEqual(["image", "command"], list(line)[:2])
                self.assertEqual([], SCHEMA.check(command, line))
                rest = dict(list(line.items())[2:])
                self.assertEqual(json.loads(self.tool(command, "--json", line["image"]).out), rest)
            for line in lines[3:]:
                self.assertEqual([], SCHEMA.check("failure", line))
                self.assertEqual(3, line["exit_status"])
                self.assertIn(line["error"], result.err)
        one = self.good("--list-roots", "--json-lines", FIXTURES[-1]).splitlines()
        self.assertEqual(1, len(one))
        self.check("list_roots", one[0], "--list-roots")
        self.assertEqual("list-roots", json.loads(one[0])["command"])


class Seen(harness.ToolTest):
    """After all others: every kind of object came up."""

    @harness.unittest.skipIf(harness.VALGRIND, "few images are looked at under valgrind")
    def test_z_all_kinds(self):
        self.assertEqual([], [kind for kind, count in SCHEMA.seen.items() if not count])
        self.assertGreater(sum(SCHEMA.seen.values()), 1000)


def start():
    global SCHEMA
    if not os.access(harness.TOOL, os.X_OK):
        sys.exit("IOMMU_KHO_DUMP must name the tool")
    result = harness.run("--schema")
    if result.status:
        sys.exit("--schema: " + result.err)
    if sys.argv[1:] == ["--rewrite"]:
        with open(PUBLISHED, "w", encoding="utf-8") as file:
            file.write(result.out)
        return
    SCHEMA = Schema(result.out)
    harness.main()


if __name__ == "__main__":
    start()
