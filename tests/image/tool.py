# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Builds images with the writer of tests/writer, and runs the tool on them."""

import json
import os
import re
import subprocess

import description as writer_description
import output as writer_output
import write_image
from build import Build
from phys import GRAIN, WriterError

WRITER = os.path.dirname(os.path.abspath(write_image.__file__))
TIMEOUT = 120
HEX = re.compile(r"0x[0-9a-f]+")


class Failure(Exception):
    """The tool did something else than expected."""


def build(name, lines=()):
    try:
        return Build(writer_description.read(os.path.join(WRITER, "clean", name + ".desc"), lines))
    except WriterError as error:
        raise Failure("the writer: %s" % error) from error


class Image:
    """An image file, for a while. It is in memory: thousands of them would keep a disk busy."""

    def __init__(self, built, kind="flat", drops=()):
        self.handle = os.memfd_create("image")
        self.path = "/proc/self/fd/%d" % self.handle
        self.options = ["--page-size", str(built.page_size)] if kind == "flat" else []
        if kind == "flat":
            base = built.description.base
            self.options.append("--flat=0x%x" % base if base else "--flat")
        try:
            writer_output.write(self.path, built, kind, write_image._holes(built, drops, []))
        except WriterError as error:
            os.close(self.handle)
            raise Failure("the writer: %s" % error) from error
        if kind == "flat":
            self._cut(built)

    def _cut(self, built):
        """Leave off the RAM at the end that nothing was written to: the tool would search it."""
        end = (max(built.memory.pieces) + 1) * GRAIN
        end += -end % built.page_size - built.description.base
        os.truncate(self.handle, min(os.fstat(self.handle).st_size, end))

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        os.close(self.handle)

    def run(self, command, *options, accept=(0, 1, 3), timeout=TIMEOUT):
        """(status, output) of the tool."""
        words = [os.environ["IOMMU_KHO_DUMP"], command, *self.options, *options, self.path]
        shown = " ".join(words[1:-1])
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=timeout, check=False, pass_fds=(self.handle,))
        except subprocess.TimeoutExpired as error:
            raise Failure("%s: no end within %d s" % (shown, timeout)) from error
        errors = done.stderr.decode("utf-8", "replace")
        if done.returncode not in accept:
            raise Failure("%s: exit status %d, not %s\n%s" %
                          (shown, done.returncode, " or ".join(map(str, accept)), errors[-2000:]))
        try:
            return done.returncode, done.stdout.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Failure("%s: its output is not UTF-8: %s" % (shown, error)) from error

    def run_json(self, command, *options, **settings):
        status, text = self.run(command, "--json", *options, **settings)
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise Failure("%s --json: %s" % (command, error)) from error
        if status == 3:
            require(set(answer) == {"error", "exit_status"} and answer["error"],
                    "%s --json: no answer, and no reason: %s", command, text[:200])
            return status, None
        return status, answer


def require(condition, text, *values):
    if not condition:
        raise Failure(text % values)


def require_hex(value, what):
    require(isinstance(value, str) and HEX.fullmatch(value), "%s is %r, not 0x and lower-case hex",
            what, value)
