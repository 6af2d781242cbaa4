#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""graph: sound DOT whatever an image says, who uses what, groups, and pictures by Graphviz."""

import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree

import harness
from harness import CLEAN, IMAGES, clean, name_of, some, write_image

DOT = shutil.which("dot")
LINE = re.compile(r"""\t(rankdir=LR
    |charset="UTF-8"
    |label="(?:[^"\\\n]|\\["\\])*"
    |(?:node|edge)\ \[[a-zA-Z0-9=", ]*\]
    |[a-z0-9_]+\ \[label="(?:[^"\\\n]|\\["\\n])*",\ style="filled(?:,dashed)?",
     \ fillcolor="\#[0-9a-f]{6}"(?:,\ peripheries=2)?
     (?:,\ color="\#c00000",\ fontcolor="\#c00000",\ penwidth=2)?\]
    |[a-z0-9_]+\ ->\ [a-z0-9_]+\ \[(?:label="(?:[^"\\\n]|\\["\\])*",\ )?style=(?:solid|dashed)\]);""",
                  re.VERBOSE)


def parse(text):
    """Nodes and edges of DOT as Graphviz reads it."""
    done = subprocess.run([DOT, "-Tdot_json"], input=text.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode or done.stderr:
        raise AssertionError((done.stderr.decode(), text))
    graph = json.loads(done.stdout)
    return graph.get("objects", []), graph.get("edges", [])


class Graph(harness.ToolTest):
    def image(self, name, *lines, **options):
        write_image(clean(name), self.path("a"), *lines, **options)
        return "a"

    def describe(self, *lines, form="elf"):
        self.write("a.desc", ("\n".join(lines) + "\n").encode())
        write_image(self.path("a.desc"), self.path("a"), form=form)
        return "a"

    def graph(self, *arguments):
        """JSON and DOT of an image, which have to say the same."""
        answer = json.loads(self.good("graph", "--json", *arguments))
        text = self.good("graph", *arguments)
        self.check_lines(text)
        ids = [node["id"] for node in answer["nodes"]]
        self.assertEqual(len(ids), len(set(ids)))
        for edge in answer["edges"]:
            self.assertIn(edge["from"], ids)
            self.assertIn(edge["to"], ids)
        if DOT:
            objects, edges = parse(text)
            self.assertEqual(sorted(ids), sorted(one["name"] for one in objects))
            self.assertEqual(len(answer["edges"]), len(edges))
        return answer, text

    def check_lines(self, text):
        lines = text.splitlines()
        self.assertEqual(("digraph handover {", "}"), (lines[0], lines[-1]))
        for line in lines[1:-1]:
            self.assertRegex(line, LINE)
            self.assertTrue(LINE.fullmatch(line), line)

    def nodes(self, answer, kind):
        return [node for node in answer["nodes"] if node["kind"] == kind]

    def test_every_image(self):
        """Every layout gives sound DOT, with all records, twice the same."""
        images = CLEAN + [os.path.join(IMAGES, name) for name in sorted(os.listdir(IMAGES))
                          if name.endswith(".ikho")]
        for description in some(images, 8):
            with self.subTest(name=os.path.basename(description)):
                image = description
                if description.endswith(".desc"):
                    image = self.image(name_of(description),
                                       form="ikho" if "states" in description else "elf")
                answer, text = self.graph(image, "--limit", "2000")
                self.assertEqual(text, self.tool("graph", "--limit", "2000", image).out)
                shown = json.loads(self.tool("show", "--json", image).out)
                for kind, records in (("session", "sessions"), ("iommu", "iommus"),
                                      ("domain", "domains"), ("device", "devices")):
                    if not shown["vtd_roots"]:
                        self.assertEqual(len(shown[records]), len(self.nodes(answer, kind)))
                files = sum(len(session["files"]) for session in shown["sessions"])
                self.assertEqual(files, len(self.nodes(answer, "file")) +
                                 len(self.nodes(answer, "memfd")))

    def edges_of(self, answer):
        """By the first line of labels."""
        names = {node["id"]: " ".join(node["label"][:2]) for node in answer["nodes"]}
        return {(names[edge["from"]], edge["label"], names[edge["to"]])
                for edge in answer["edges"]}

    def test_edges(self):
        """Who uses what, in our layout and in one of the series."""
        for name, compatible in (("iommuser-v1-scalable", ("iommuser-iommufd-v1",
                                                           "iommuser-vfio-pci-v1")),
                                 ("iommu-v1-legacy", ("iommufd-v1", "vfio-pci-v1"))):
            answer, _ = self.graph(self.image(name))
            edges = self.edges_of(answer)
            hwpts = [" ".join(node["label"][:2]) for node in self.nodes(answer, "hwpt")]
            domains = [" ".join(node["label"][:2]) for node in self.nodes(answer, "domain")]
            units = [" ".join(node["label"][:2]) for node in self.nodes(answer, "iommu")]
            memfd = "memfd-v2 token 0x1"
            self.assertEqual((2, 2, 1), (len(hwpts), len(domains), len(units)))
            self.assertLessEqual({
                ("session vm0", None, memfd), ("session vm0", None, compatible[0] + " token 0x100"),
                (compatible[0] + " token 0x100", None, hwpts[0]), (hwpts[0], None, domains[0]),
                (hwpts[1], None, domains[1]), (domains[0], "DID 2", "0000:00:04.0"),
                (domains[0], "DID 2", "0000:00:05.0"), (domains[1], "DID 3", "0000:03:00.0"),
                (compatible[1] + " token 0x1000", None, "0000:00:04.0"),
                ("0000:00:04.0", None, units[0]), (memfd, "4 MiB", domains[0]),
                (memfd, "2 MiB", domains[1]), ("memfd-v2 token 0x2", "64 KiB", domains[0]),
            }, edges)

    def test_pasids(self):
        answer, _ = self.graph(self.image("iommuser-pasids"))
        labels = {edge[1] for edge in self.edges_of(answer)}
        self.assertLessEqual({"PASID 5, DID 3", "PASID 70, DID 4", "PASID 1048575, DID 3"}, labels)

    def test_vtd_roots(self):
        answer, _ = self.graph(os.path.join(IMAGES, "scalable-jump.ikho"))
        self.assertEqual((3, 5, 1), tuple(len(self.nodes(answer, kind))
                                          for kind in ("domain", "device", "iommu")))

    def test_missing(self):
        """What the picture lacks is in its title."""
        whole, _ = self.graph(self.image("iommuser-pasids"))
        self.assertNotIn("missing", whole["title"])
        for pages, words in ((["@page.device[0]"], "device records"),
                             (["@page.attachment[0]", "@page.domain[0]"], "domain records, attachment records"),
                             (["@luo.session_block[0]"], "sessions"),
                             (["@luo.session[0].file_block[0]"], "sessions"),
                             (["@luo.flbs"], "FLBs"), (["@luo"], "LUO state"),
                             (["@root"], "IOMMU state")):
            with self.subTest(pages=pages):
                answer, text = self.graph(self.image("iommuser-pasids", drop=pages))
                title = answer["title"]
                self.assertEqual("; missing from the image: " + words, title[title.index(";"):])
                self.assertIn('label="' + title + '"', text)

    def test_styles(self):
        """Deleted records and devices that left are dashed, with their edges; errors are red."""
        answer, text = self.graph(self.image("iommu-v1-deleted"))
        styles = {node["label"][0]: node["style"] for node in answer["nodes"]}
        self.assertEqual("deleted", styles["0000:00:05.0, deleted"])
        self.assertEqual("live", styles["0000:00:04.0"])
        self.assertEqual(2, len(re.findall(r"filled,dashed", text)))
        self.assertEqual(2, len(re.findall(r"style=dashed\]", text)))
        answer, text = self.graph(os.path.join(IMAGES, "legacy-glue-left.ikho"))
        self.assertEqual(["left"], [node["style"] for node in self.nodes(answer, "device")])
        self.assertEqual(1, len(re.findall(r"filled,dashed", text)))
        _, text = self.graph(self.image("iommuser-v1-legacy"))
        self.assertNotIn("c00000", text)
        answer, text = self.graph(self.image("iommuser-v1-legacy", "set device[1].flags |= 0x80"))
        self.assertEqual([0, 1, 0], [node["errors"] for node in self.nodes(answer, "device")])
        self.assertRegex(text, r'label="0000:00:05.0\\n1 error \(verify\)".*color="#c00000"')

    def test_tombstones(self):
        """Of deleted records of our layout nothing is shown but that they are there."""
        answer, _ = self.graph(self.image("iommuser-tombstones"))
        deleted = [node for node in answer["nodes"] if node["style"] == "deleted"]
        self.assertTrue(deleted)
        self.assertTrue(all(len(node["label"]) == 1 for node in deleted), deleted)

    def many(self, *lines):
        return self.describe("ram 0 64M", "kho kho-v4", "luo luo-v5", "session vm0",
                             "file memfd ram0 size=64K", "abi iommuser-v1", "unit u0", "domain d0",
                             "domain d1", "map d0 0x0 64K memfd=ram0", *lines)

    def test_groups(self):
        """What is too much for a picture is one node; --limit sets the bound."""
        image = self.many("devices 256 01:00.0 domain=d0", "devices 32 02:00.0 domain=d1")
        answer, text = self.graph(image)
        devices = self.nodes(answer, "device")
        self.assertEqual([1] * 32 + [256], sorted(node["count"] for node in devices))
        self.assertIn(["256 devices", "0000:01:00.0 to", "0000:01:1f.7"],
                      [node["label"] for node in devices])
        self.assertIn("peripheries=2", text)
        # So are the vfio files.
        self.assertIn(["288 files", "iommuser-vfio-pci-v1"],
                      [node["label"] for node in self.nodes(answer, "file")])
        group = next(node["id"] for node in devices if node["count"] == 256)
        self.assertEqual({256}, {edge["count"] for edge in answer["edges"]
                                 if group in (edge["from"], edge["to"])})
        self.assertLess(len(text), 20000)
        for limit, nodes in (("31", [32, 256]), ("256", [1] * 288), ("0", [288])):
            answer, _ = self.graph(image, "--limit", limit)
            self.assertEqual(nodes, sorted(node["count"] for node in self.nodes(answer, "device")))

    def test_many(self):
        """Sessions, domains and HWPTs beyond the bound."""
        lines = ["domain x%d" % i for i in range(40)]
        lines += ["device 03:%02x.%d domain=x%d" % (i >> 3, i & 7, i) for i in range(40)]
        lines += ["session s%d" % i for i in range(40)]
        answer, _ = self.graph(self.many(*lines))
        for kind in ("session", "domain", "hwpt"):
            self.assertEqual([1] * 32 + [9 if kind == "session" else 10],
                             sorted(node["count"] for node in self.nodes(answer, kind)), kind)
        self.assertEqual(40, sum(node["count"] for node in self.nodes(answer, "device")))

    def hostile(self):
        """An image whose session is called '"];x[\\N&lt;' and so on."""
        name = b'"];evil[label="\\N\\"\n&lt;&\x1b\xff\\'
        pokes = ["poke @luo.session[0].name+%d u8 %d" % (at, byte) for at, byte in enumerate(name)]
        return self.image("kho-v4-luo-v5", 'set luo.session[0].name = "%s"' % ("x" * len(name)),
                          *pokes)

    def test_hostile(self):
        """Nothing that an image says breaks out of a label."""
        image = self.hostile()
        result = self.tool("graph", image)
        self.check_lines(result.out)
        self.assertIn(r'label="session\n\"];evil[label=\"\\x5cN\\x5c\"\\x0a&amp;lt;&amp;\\x1b\\xff\\x5c"',
                      result.out)
        if not DOT:
            self.skipTest("dot is not installed")
        objects, _ = parse(result.out)
        self.assertNotIn("evil", [one["name"] for one in objects])
        picture = self.tool("graph", "--svg", image).out
        texts = [one.text for one in xml.etree.ElementTree.fromstring(picture).iter(
            "{http://www.w3.org/2000/svg}text")]
        self.assertIn(r'"];evil[label="\x5cN\x5c"\x0a&lt;&\x1b\xff\x5c', texts)

    @harness.unittest.skipUnless(DOT, "dot is not installed")
    def test_svg(self):
        for image in (os.path.join(IMAGES, "scalable-glue-jump.ikho"), self.image("kho-empty")):
            tree = xml.etree.ElementTree.fromstring(self.good("graph", "--svg", image))
            self.assertEqual("{http://www.w3.org/2000/svg}svg", tree.tag)
        answer = self.good("graph", "--svg", os.path.join(IMAGES, "scalable-glue-jump.ikho"))
        self.assertIn(">0000:00:04.0</text>", answer)

    def program(self, text):
        """An environment with a dot of our own."""
        os.mkdir(self.path("bin"))
        self.write("bin/dot", ("#!/bin/sh\n" + text).encode())
        os.chmod(self.path("bin/dot"), 0o755)
        return dict(os.environ, PATH=self.path("bin") + ":" + os.environ["PATH"])

    @harness.unittest.skipIf(harness.VALGRIND, "valgrind is a program, too")
    def test_no_dot(self):
        self.refused(4, "graphviz", "graph", "--svg", self.image("kho-empty"),
                     env=dict(os.environ, PATH=self.dir))

    def test_dot_fails(self):
        """Half a picture is none."""
        self.refused(4, "dot failed with status 3", "graph", "--svg", self.image("kho-empty"),
                     env=self.program("echo '<svg>'\nexit 3\n"))

    def test_dot_dies(self):
        self.refused(4, "dot was ended by signal 9", "graph", "--svg", self.image("kho-empty"),
                     env=self.program("echo '<svg>'\nkill -9 $$\n"))

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            for options in ([], ["--svg"]) if DOT else ([],):
                result = self.tool("graph", *options, self.image("kho-empty"), stdout=full)
                self.assertEqual(4, result.status)

    def test_refused(self):
        self.refused(2, "exclude", "graph", "--svg", "--json", "x")
        self.refused(3, "missing", "graph", "missing")


if __name__ == "__main__":
    harness.main()
