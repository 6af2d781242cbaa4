#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The files that -o names: never one that is read, whole or not at all, and what is said about them."""

import json
import os
import shutil
import signal
import subprocess
import time
import unittest

import harness
import live

PORTABLE = os.path.join(harness.IMAGES, "legacy-glue-jump.ikho")
COMMANDS = (["extract"], ["verify", "--prometheus"])
INPUT = "is the image itself: -o must name another file"
ESCAPES = "a\033[31mb\u202ec"
ESCAPED = "a\\x1b[31mb\\xe2\\x80\\xaec"


class Inputs(harness.ToolTest):
    """The output is never a file that the answer comes from."""

    def setUp(self):
        super().setUp()
        shutil.copy(PORTABLE, self.path("image"))
        self.write("text", b"no image\n")
        os.mkdir(self.path("there"))
        os.symlink("image", self.path("link"))
        os.symlink("../link", self.path("there/link"))
        os.link(self.path("image"), self.path("hard"))
        self.before = self.contents()

    def contents(self):
        found = {}
        for directory, _, names in os.walk(self.dir):
            for name in names:
                path = os.path.join(directory, name)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, self.dir)] = (os.path.islink(path), file.read())
        return found

    def check_refused(self, *arguments, **options):
        self.refused(2, INPUT, *arguments, **options)
        self.assertEqual(self.before, self.contents(), arguments)

    def test_image(self):
        names = ("image", "./image", "link", "there/link", "hard", self.path("image"))
        for command in COMMANDS:
            for output in names:
                for image in harness.some(("image", "link", "hard"), 3):
                    with self.subTest(command=command, image=image, output=output):
                        self.check_refused(*command, image, "-o", output)

    def test_no_image(self):
        """A file that is none is not replaced by the metric that says so."""
        for command in COMMANDS:
            self.check_refused(*command, "text", "-o", "text")
            self.check_refused(*command, "--flat", "text", "-o", "./text")

    def test_stdin(self):
        for command in COMMANDS:
            for name, image in (("image", "-"), ("hard", "-"), ("image", "/dev/stdin")):
                with open(self.path("image"), "rb") as stdin:
                    self.check_refused(*command, image, "-o", name, stdin=stdin)

    def test_failure_as_json(self):
        result = self.tool("extract", "--json", "image", "-o", "link")
        self.assertEqual(2, result.status)
        failure = json.loads(result.out)
        self.assertEqual((INPUT, 2), (failure["error"], failure["exit_status"]))
        self.assertEqual(self.before, self.contents())

    def test_others(self):
        """Any other file may be replaced."""
        for command in COMMANDS:
            with open(self.path("image"), "rb") as stdin:
                for image in ("image", "-"):
                    self.assertEqual(0, self.tool(*command, image, "-o", "text", stdin=stdin).status)
        after = self.contents()
        self.assertNotEqual(self.before.pop("text"), after.pop("text"))
        self.assertEqual(self.before, after)
        # A file that is called "-" is not stdin, nor one that is called "live" the running host.
        shutil.copy(PORTABLE, self.path("-"))
        with open(self.path("image"), "rb") as stdin:
            self.assertEqual(0, self.tool("extract", "-", "-o", "./-", stdin=stdin).status)
        self.refused(2, INPUT, "extract", "./-", "-o", "./-")
        os.symlink("image", self.path("live"))
        os.mkdir(self.path("empty"))
        result = self.tool("extract", "live", "-o", "live", env={**os.environ, "IOMMU_KHO_DUMP_SYSROOT": "empty"})
        self.assertNotIn(INPUT, result.err)
        self.assertEqual(3, result.status)


class Links(harness.ToolTest):
    """A link stays one, and what it names is written, there already or not."""

    def written(self, target, output):
        for command in COMMANDS:
            before = os.readlink(self.path(output))
            self.assertFalse(os.path.exists(self.path(target)))
            # Twice: the second time it is there.
            for _ in range(2):
                result = self.tool(*command, PORTABLE, "-o", output)
                self.assertEqual((0, ""), (result.status, result.err))
                self.assertTrue(os.path.islink(self.path(output)))
                self.assertEqual(before, os.readlink(self.path(output)))
                self.assertFalse(os.path.islink(self.path(target)))
                self.assertGreater(os.path.getsize(self.path(target)), 1000)
            os.unlink(self.path(target))

    def test_dangling(self):
        for name in ("a", "a/b"):
            os.mkdir(self.path(name))
        for target, link, text in (("new", "first", "new"), ("a/new", "second", "a/new"),
                                   ("new", "a/third", "../new"), ("a/b/new", "fourth", self.path("a/b/new")),
                                   ("new", "fifth", "a/third"), ("a/new", "a/b/sixth", "../../second")):
            os.symlink(text, self.path(link))
            with self.subTest(link=link):
                self.written(target, link)

    def test_nowhere(self):
        os.symlink("missing/new", self.path("nowhere"))
        os.symlink("round", self.path("round"))
        os.symlink("missing/", self.path("slash"))
        before = sorted(os.listdir(self.dir))
        for name in ("nowhere", "round", "slash"):
            for command in COMMANDS:
                with self.subTest(name=name):
                    self.refused(4, "", *command, PORTABLE, "-o", name)
                    self.assertTrue(os.path.islink(self.path(name)))
                    self.assertEqual(before, sorted(os.listdir(self.dir)))


@unittest.skipIf(harness.VALGRIND, "valgrind's stand-in dies of no signal")
class Signals(harness.ToolTest):
    NUMBERS = (signal.SIGBUS, signal.SIGSEGV, signal.SIGABRT, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2,
               signal.SIGQUIT, signal.SIGXCPU)

    def test_in_the_middle(self):
        """Whatever ends the run while the temporary file is there, it is removed."""
        harness.write_image(harness.clean("iommuser-many"), self.path("large"))
        os.mkdir(self.path("out"))
        for number in self.NUMBERS:
            died = False
            for _ in range(100):
                with subprocess.Popen([harness.TOOL, "extract", "-o", "out/image", "large"], cwd=self.dir,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
                    while not os.listdir(self.path("out")) and process.poll() is None:
                        pass
                    process.send_signal(number)
                    _, err = process.communicate(timeout=harness.SECONDS)
                left = os.listdir(self.path("out"))
                if process.returncode:
                    died = True
                    break
                self.assertEqual((["image"], b""), (left, err))
                os.unlink(self.path("out/image"))
            self.assertTrue(died, "each of 100 runs was too fast for signal %d" % number)
            # Sanitizers print a report for some of them, and exit.
            if b"Sanitizer" in err:
                for name in left:
                    os.unlink(self.path("out/" + name))
                continue
            self.assertEqual(([], -number), (left, process.returncode))


class Shrinking(harness.ToolTest):
    """A file of raw memory that somebody cuts while it is read: an error, and no crash."""

    def cut(self, way, delay):
        shutil.copy(self.path("whole"), self.path("cut"))
        with subprocess.Popen([harness.TOOL, "extract", *way, "cut", "-o", "out"], cwd=self.dir,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            time.sleep(delay)
            os.truncate(self.path("cut"), 4096)
            _, err = process.communicate(timeout=harness.SECONDS)
        self.assertIn(process.returncode, (0, 3), (way, delay, err))
        self.assertEqual([], [name for name in os.listdir(self.dir) if name.startswith("out.")])
        # All of it or nothing: what is cut off is neither missing nor zero.
        with open(self.path("out"), "rb") as file:
            self.assertEqual(self.whole if process.returncode == 0 else b"before", file.read())
        self.write("out", b"before")
        return process.returncode

    def test_cut_in_the_middle(self):
        harness.write_image(harness.clean("iommuser-many"), self.path("whole"), form="flat")
        size = os.path.getsize(self.path("whole"))
        self.good("extract", "--flat", "whole", "-o", "out")
        with open(self.path("out"), "rb") as file:
            self.whole = file.read()
        self.write("out", b"before")
        failed = 0
        for way in (["--flat"], ["--qemu-ram", "pc"], ["--map", "0:0:%d" % size]):
            for delay in harness.some(range(1, 40, 3), 13):
                failed += self.cut(way, delay / 1000) != 0
        self.assertGreater(failed, 0)


class Said(harness.ToolTest):
    """What people typed does not act on their terminal either."""

    def printed(self, result):
        self.assertNotIn("\033", result.out + result.err)
        self.assertNotIn("\u202e", result.out + result.err)
        self.assertIn(ESCAPED, result.out + result.err)

    def test_output(self):
        result = self.tool("extract", PORTABLE, "-o", ESCAPES)
        self.assertEqual((0, ""), (result.status, result.err))
        self.printed(result)
        self.assertEqual(ESCAPED, json.loads(self.good("extract", "--json", PORTABLE, "-o", ESCAPES))["output"])
        self.printed(self.tool("extract", PORTABLE, "-o", "missing/" + ESCAPES))

    def test_capture(self):
        directory = self.path(os.path.join("root", live.STREAMS))
        os.makedirs(directory)
        shutil.copy(live.STREAM, os.path.join(directory, "incoming"))
        environment = {**os.environ, "IOMMU_KHO_DUMP_SYSROOT": self.path("root")}
        result = self.tool("capture", "-o", ESCAPES, env=environment)
        self.assertEqual((0, ""), (result.status, result.err))
        self.printed(result)
        result = self.tool("capture", "--json", "-o", ESCAPES, env=environment)
        self.assertEqual(ESCAPED, json.loads(result.out)["output"])

    def test_wrong_usage(self):
        for arguments in harness.some((
                ["--" + ESCAPES], ["--color=" + ESCAPES, "x"], ["--limit", ESCAPES, "x"], ["--map", ESCAPES, "x"],
                ["--flat=" + ESCAPES, "x"], [ESCAPES, "x"], ["--origin", ESCAPES, "x"], ["--abi", ESCAPES, "x"],
                ["--vtd-root", ESCAPES, "x"], ["maps", ESCAPES, "x"], ["translate", ESCAPES, "0x0", "x"],
                ["translate", "00:05.0", ESCAPES, "x"], ["--qemu-ram", ESCAPES, "x"], ["--explain", ESCAPES]), 5):
            with self.subTest(arguments=arguments):
                result = self.tool(*arguments)
                self.assertEqual((2, ""), (result.status, result.out))
                self.printed(result)
                self.assertEqual(1, result.err.count("\n"))

    def test_long(self):
        """Said whole, however long."""
        result = self.tool("--limit", "x" * 20000 + "\033", "image")
        self.assertEqual(2, result.status)
        self.assertIn("x" * 20000 + "\\x1b' is not a number; see --help\n", result.err)

    def test_others(self):
        for arguments in (["show", ESCAPES], ["diff", PORTABLE, ESCAPES],
                          ["preflight", PORTABLE, "--kernel", ESCAPES]):
            result = self.tool(*arguments)
            self.assertEqual(3, result.status)
            self.printed(result)


if __name__ == "__main__":
    harness.main()
