# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the tests of the command line share: running the tool, and images of the writer."""

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
IMAGES = os.path.join(os.path.dirname(HERE), "images")
WRITER = os.path.join(os.path.dirname(HERE), "writer")
CLEAN = sorted(glob.glob(os.path.join(WRITER, "clean", "*.desc")))
TOOL = os.environ.get("IOMMU_KHO_DUMP", "")
# tests/valgrind.sh stands in for the tool: it is slower by far.
VALGRIND = "IOMMU_KHO_DUMP_PROGRAM" in os.environ
SECONDS = 60 if VALGRIND else 5


class Result:
    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err


def run(*arguments, cwd=None, **options):
    """Run the tool; a run that takes too long is an error."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    done = subprocess.run([TOOL, *arguments], stderr=subprocess.PIPE, cwd=cwd, timeout=SECONDS,
                          check=False, **options)
    return Result(done.returncode, (done.stdout or b"").decode(), done.stderr.decode())


def write_image(description, path, *lines, form="elf", drop=()):
    """Have the writer make an image, without the pages to drop. Returns its symbols: name -> address as text."""
    symbols = path + ".symbols"
    command = [sys.executable, os.path.join(WRITER, "write_image.py"), description, path,
               "--format", form, "--symbols", symbols]
    for line in lines:
        command += ["--set", line]
    for page in drop:
        command += ["--drop", page]
    subprocess.run(command, check=True)
    with open(symbols, encoding="utf-8") as file:
        return json.load(file)


def some(cases, step):
    """All cases, or under valgrind every step-th."""
    return list(cases)[::step if VALGRIND else 1]


def clean(name):
    return os.path.join(WRITER, "clean", name + ".desc")


def name_of(description):
    return os.path.basename(description)[:-len(".desc")]


class ToolTest(unittest.TestCase):
    """A test with a directory of its own, which is where the tool runs."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="iommuser-cli-")
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return name

    def tool(self, *arguments, **options):
        return run(*arguments, cwd=self.dir, **options)

    def good(self, *arguments):
        """A run that has to succeed without a word on stderr. Returns stdout."""
        result = self.tool(*arguments)
        self.assertEqual((0, ""), (result.status, result.err), arguments)
        return result.out

    def show(self, *arguments):
        return json.loads(self.good("show", "--json", *arguments))

    def refused(self, status, words, *arguments, **options):
        """One line on stderr that holds the words, nothing on stdout."""
        result = self.tool(*arguments, **options)
        self.assertEqual(status, result.status, (arguments, result.err))
        self.assertEqual("", result.out, arguments)
        self.assertRegex(result.err, r"\Aiommu-kho-dump: [^\n]{10,}\n\Z", arguments)
        self.assertIn(words, result.err, arguments)


def main():
    if not os.access(TOOL, os.X_OK):
        sys.exit("IOMMU_KHO_DUMP must name the tool")
    started = time.monotonic()
    program = unittest.main(exit=False)
    if not program.result.testsRun:
        sys.exit("no test was run")
    for test, reason in program.result.skipped:
        print("skipped: %s: %s" % (test.id(), reason))
    print("%.1f s" % (time.monotonic() - started))
    sys.exit(not program.result.wasSuccessful())
