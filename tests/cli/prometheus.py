#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""verify --prometheus: sound metrics that agree with --json, on stdout and in a file that is replaced as a whole."""

import glob
import json
import os
import re
import stat
import time
import unittest

import harness

FIXTURES = sorted(glob.glob(os.path.join(harness.IMAGES, "*.ikho")))
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(r"(%s)(?:\{(.*)\})? ([0-9]+)" % NAME)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')


def unescape(text):
    return re.sub(r"\\(.)", lambda match: "\n" if match.group(1) == "n" else match.group(1), text)


def parse(text):
    """The text format of Prometheus: metric -> {labels: value}. What is wrong raises an error."""
    metrics, helped, current = {}, set(), None
    if not text.endswith("\n"):
        raise ValueError("the last line has no end")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            if current in helped or len(line.split(" ")) < 5:
                raise ValueError(line)
            helped.add(current)
            continue
        if line.startswith("# TYPE "):
            if line != "# TYPE %s gauge" % current or current in metrics:
                raise ValueError(line)
            metrics[current] = {}
            continue
        match = SAMPLE.fullmatch(line)
        if not match or match.group(1) != current or current not in metrics:
            raise ValueError(line)
        labels, rest = {}, match.group(2) or ""
        while rest:
            label = LABEL.match(rest)
            if not label or label.group(1) in labels:
                raise ValueError(line)
            labels[label.group(1)] = unescape(label.group(2))
            rest = rest[label.end():]
        key = tuple(sorted(labels.items()))
        if key in metrics[current]:
            raise ValueError("twice: " + line)
        metrics[current][key] = int(match.group(3))
    if not all(metrics.values()):
        raise ValueError("a metric without a sample")
    return metrics


class Parser(unittest.TestCase):
    def test_notices(self):
        head = "# HELP a what it is\n# TYPE a gauge\n"
        self.assertEqual({"a": {(("b", 'c"\\\n'),): 1}}, parse(head + 'a{b="c\\"\\\\\\n"} 1\n'))
        for bad in (head + "a 1", head, head + "b 1\n", "a 1\n", head + 'a{b="c"d} 1\n', head + 'a{b="c} 1\n',
                    head + "a one\n", head + "a 1\na 1\n", head + head + "a 1\n", "# HELP a\n# TYPE a gauge\na 1\n",
                    "# HELP a what it is\n# TYPE b gauge\nb 1\n"):
            self.assertRaises(ValueError, parse, bad)


class Metrics(harness.ToolTest):
    def get(self, metrics, name, **labels):
        return metrics["iommu_kho_dump_" + name].get(tuple(sorted(labels.items())))

    def agree(self, image):
        """Metrics and JSON of one image."""
        before = int(time.time())
        result = self.tool("verify", "--prometheus", image)
        metrics = parse(result.out)
        as_json = self.tool("verify", "--json", "--limit", "100000", image)
        verified = json.loads(as_json.out)
        self.assertEqual(as_json.status, result.status)
        for status in ("ok", "warnings", "errors", "incomplete", "unreadable"):
            self.assertEqual(int(status == verified["status"]),
                             self.get(metrics, "verify_status", image=image, status=status))
        for severity in ("error", "warning", "gap", "info"):
            # A gap is a warning in JSON, and something of its own here.
            gaps = verified["gaps"] if severity == "warning" else 0
            self.assertEqual(verified[severity + "s"] - gaps,
                             self.get(metrics, "verify_findings", image=image, severity=severity))
        self.assertEqual(verified["gaps"], sum(finding["gap"] for finding in verified["findings"]))
        counts = {}
        for finding in verified["findings"]:
            counts[finding["code"]] = counts.get(finding["code"], 0) + 1
        told = {}
        for labels, value in metrics.get("iommu_kho_dump_verify_code_findings", {}).items():
            code = dict(labels)["code"]
            told[code] = told.get(code, 0) + value
        self.assertEqual(counts, told)
        for what, count in verified["checked"].items():
            self.assertEqual(count, self.get(metrics, "verify_checked", image=image, what=what))
        self.assertTrue(before <= self.get(metrics, "verify_timestamp_seconds", image=image) <= time.time() + 1)
        return metrics

    def test_images(self):
        self.assertGreater(len(FIXTURES), 10)
        for image in harness.some(FIXTURES, 6):
            with self.subTest(image=image):
                self.agree(image)

    def test_damaged(self):
        harness.write_image(harness.clean("iommuser-pasids"), self.path("image"), "amend device 00:05.0 did=1")
        metrics = self.agree("image")
        self.assertEqual(1, self.get(metrics, "verify_code_findings", image="image", code="DID-01", severity="error"))
        self.assertEqual(1, self.get(metrics, "handover_liveupdate_number", image="image"))
        self.assertEqual(1, self.get(metrics, "handover_kexec_number", image="image"))

    def test_gaps(self):
        symbols = harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"))
        harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"), drop=[symbols["pt[d0][1]"]])
        metrics = self.agree("image")
        count = self.get(metrics, "verify_findings", image="image", severity="gap")
        self.assertGreater(count, 0)
        self.assertEqual(count, self.get(metrics, "verify_code_findings", image="image", code="PT-02", severity="gap"))

    def test_nothing_checked(self):
        metrics = self.agree(os.path.join(harness.IMAGES, "legacy-postboot.ikho"))
        self.assertEqual({0}, set(metrics["iommu_kho_dump_verify_checked"].values()))

    def test_labels(self):
        """Names of files may hold anything; what a terminal must not see is escaped before it is a label."""
        name = 'a"b\\c\nd'
        harness.write_image(harness.clean("kho-empty"), self.path("image"))
        os.rename(self.path("image"), self.path(name))
        metrics = parse(self.tool("verify", "--prometheus", name).out)
        self.assertEqual(1, self.get(metrics, "verify_status", image=r'a"b\x5cc\x0ad', status="ok"))

    def test_unreadable(self):
        self.write("bad", b"no image")
        for image in ("bad", "missing"):
            result = self.tool("verify", "--prometheus", image)
            self.assertEqual(3, result.status)
            metrics = parse(result.out)
            self.assertEqual(1, self.get(metrics, "verify_status", image=image, status="unreadable"))
            self.assertNotIn("iommu_kho_dump_verify_findings", metrics)

    def test_file(self):
        """-o: readable by node_exporter, replaced as a whole, nothing left beside it."""
        for image, status in ((FIXTURES[0], 0), ("missing", 3)):
            self.write("metrics.prom", b"old")
            os.chmod(self.path("metrics.prom"), 0o600)
            result = self.tool("verify", "--prometheus", "-o", "metrics.prom", image)
            self.assertEqual((status, ""), (result.status, result.out))
            with open(self.path("metrics.prom"), encoding="utf-8") as file:
                metrics = parse(file.read())
            self.assertEqual(1, sum(metrics["iommu_kho_dump_verify_status"].values()))
            self.assertEqual(0o644, stat.S_IMODE(os.stat(self.path("metrics.prom")).st_mode))
            self.assertEqual(["metrics.prom"], os.listdir(self.dir))

    def test_file_that_cannot_be(self):
        self.refused(4, "nowhere/x", "verify", "--prometheus", "-o", "nowhere/x", FIXTURES[0])
        os.mkdir(self.path("directory"))
        self.refused(4, "not a regular file", "verify", "--prometheus", "-o", "directory", FIXTURES[0])


if __name__ == "__main__":
    harness.main()
