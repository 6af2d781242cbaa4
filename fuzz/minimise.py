#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Chooses the kept inputs of a fuzz target anew (see fuzz/minimise)."""

import argparse
import hashlib
import heapq
import os
import re
import subprocess
import sys
import tempfile

OWN_NAME = re.compile(r"^[0-9a-f]{40}$")
# libFuzzer numbers features by edge, so many to each: one for every order of magnitude of its count.
FEATURES_PER_EDGE = 8


class Input:
    """An input, wherever it is, and what it reaches."""

    def __init__(self, data):
        self.data = data
        self.digest = hashlib.sha1(data).hexdigest()
        self.kept_as = None
        self.edges = None
        self.features = None

    def named(self):
        return self.kept_as is not None and not OWN_NAME.match(os.path.basename(self.kept_as))


def read_inputs(kept, learned):
    inputs = {}
    for directory in (kept, learned):
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
            path = os.path.join(directory, name)
            if not os.path.isfile(path):
                continue
            with open(path, "rb") as stream:
                each = Input(stream.read())
            each = inputs.setdefault(each.digest, each)
            # Of several names for one thing, that which somebody gave it.
            if directory == kept and not each.named():
                each.kept_as = path
    return [inputs[digest] for digest in sorted(inputs)]


def measure(program, inputs, work):
    """Have libFuzzer run each input by itself, and write down what it reaches."""
    place, control = os.path.join(work, "in"), os.path.join(work, "control")
    for directory in (place, os.path.join(work, "out")):
        os.mkdir(directory)
    for each in inputs:
        with open(os.path.join(place, each.digest), "wb") as stream:
            stream.write(each.data)
    longest = max(len(each.data) for each in inputs)
    with open(os.path.join(work, "log"), "w+", encoding="utf-8", errors="replace") as log:
        status = subprocess.run([program, "-set_cover_merge=1", "-merge_control_file=" + control, "-timeout=25",
                                 "-rss_limit_mb=0", "-max_len=%d" % max(longest, 1),
                                 "-artifact_prefix=%s/" % work, os.path.join(work, "out"), place],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                                check=False).returncode
        if status:
            log.seek(0)
            sys.exit("libFuzzer fails:\n" + "".join(log.readlines()[-20:]))
    with open(control, encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    count = int(lines[0])
    by_digest = {each.digest: each for each in inputs}
    order = [by_digest[os.path.basename(line)] for line in lines[2:2 + count]]
    for line in lines[2 + count:]:
        words = line.split()
        if words[0] == "FT":
            each = order[int(words[1])]
            each.features = {int(word) for word in words[2:]}
            each.edges = {feature // FEATURES_PER_EDGE for feature in each.features}
    # An empty one is not run.
    for each in inputs:
        if not each.data:
            each.features, each.edges = set(), set()
    return [each for each in inputs if each.features is None]


class Choice:
    """A growing choice of inputs, within bounds."""

    def __init__(self, nr_inputs, nr_bytes):
        self.left = [nr_inputs, nr_bytes]
        self.chosen = []
        self.digests = set()

    def fits(self, each):
        return self.left[0] >= 1 and self.left[1] >= len(each.data)

    def take(self, each):
        self.left[0] -= 1
        self.left[1] -= len(each.data)
        self.chosen.append(each)
        self.digests.add(each.digest)

    def cover(self, inputs, reaches):
        """Take in turn what adds most for its size, as long as it adds anything and fits."""
        covered = union(self.chosen, reaches)
        queue = []

        def push(each):
            gain = len(reaches(each) - covered)
            if gain and each.digest not in self.digests:
                heapq.heappush(queue, (-gain / (len(each.data) + 64), each.digest, gain, each))

        for each in inputs:
            push(each)
        while queue:
            each = heapq.heappop(queue)
            # What was taken since may have taken from its worth.
            if len(reaches(each[3]) - covered) != each[2]:
                push(each[3])
            elif self.fits(each[3]):
                self.take(each[3])
                covered |= reaches(each[3])


def union(inputs, reaches):
    reached = set()
    for each in inputs:
        reached |= reaches(each)
    return reached


def edges_of(each):
    return each.edges


def features_of(each):
    return each.features


def describe(when, inputs):
    print("%s: %d inputs, %d bytes: %d edges, %d features" %
          (when, len(inputs), sum(len(each.data) for each in inputs), len(union(inputs, edges_of)),
           len(union(inputs, features_of))))


def write(chosen, dropped, kept):
    os.makedirs(kept, exist_ok=True)
    for each in chosen:
        if each.kept_as is None:
            with open(os.path.join(kept, each.digest), "wb") as stream:
                stream.write(each.data)
    for each in dropped:
        os.unlink(each.kept_as)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("target")
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--bytes", type=int, required=True)
    parser.add_argument("--lose", action="store_true")
    arguments = parser.parse_args()
    kept = os.path.join("fuzz", "corpus", arguments.target)
    inputs = read_inputs(kept, os.path.join(arguments.build, "fuzz", "corpus", arguments.target))
    if not inputs:
        sys.exit("there is no input: fuzz/run makes some")
    with tempfile.TemporaryDirectory() as work:
        program = os.path.join(os.path.abspath(arguments.build), "fuzz-edges", "fuzz", "fuzz-" + arguments.target)
        broken = measure(program, inputs, work)
    if broken:
        for each in broken:
            print("breaks the target: %s" % (each.kept_as or each.digest))
        return 1

    before = [each for each in inputs if each.kept_as]
    reached = union(before, edges_of)
    choice = Choice(arguments.inputs, arguments.bytes)
    for each in before:
        if each.named():
            choice.take(each)
    # First of all what is reached already, then all that was learned.
    choice.cover(inputs, lambda each: each.edges & reached)
    choice.cover(inputs, edges_of)
    choice.cover(inputs, features_of)
    describe("kept and learned", inputs)
    describe("kept before", before)
    describe("kept now", choice.chosen)
    lost = reached - union(choice.chosen, edges_of)
    if min(choice.left) < 0:
        print("the inputs that somebody named are more than %d, or than %d bytes" %
              (arguments.inputs, arguments.bytes))
    if lost:
        print("%d edges that were reached are lost%s" % (len(lost), "" if arguments.lose else ": nothing is changed"))
        if not arguments.lose:
            return 1
    write(choice.chosen, [each for each in before if each.digest not in choice.digests], kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
