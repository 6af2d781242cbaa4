#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sums up what llvm-cov exported (see fuzz/coverage): a table by file, a list of what isn't reached, the totals."""

import argparse
import collections
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIBRARY = "libiommuser/"


class Source:
    """A source file: how often each line and each outcome of each condition was met."""

    def __init__(self, name):
        self.name = name
        self.lines = {}
        # By place in the file: how often true, how often false.
        self.branches = collections.defaultdict(lambda: [0, 0])
        with open(os.path.join(ROOT, name), encoding="utf-8") as stream:
            self.text = stream.read().split("\n")

    def count_branch(self, place, branch):
        # The same place again: another program's copy of a function.
        self.branches[place][0] += branch[4]
        self.branches[place][1] += branch[5]

    def line_figures(self):
        return sum(count > 0 for count in self.lines.values()), len(self.lines)

    def branch_figures(self):
        return (sum((true > 0) + (false > 0) for true, false in self.branches.values()),
                2 * len(self.branches))

    def excerpt(self, place):
        first, start, last, end = place[:4]
        lines = [line.expandtabs(1) for line in self.text[first - 1:last]]
        lines[-1] = lines[-1][:end - 1]
        lines[0] = lines[0][start - 1:]
        return " ".join(" ".join(lines).split())

    def uncovered(self):
        for line, count in sorted(self.lines.items()):
            if not count:
                yield "%s:%d: %s" % (self.name, line, self.text[line - 1].strip())
        for place, counts in sorted(self.branches.items()):
            # A condition that isn't reached at all has its line above.
            if self.lines.get(place[0], 1):
                for outcome, count in zip(("true", "false"), counts):
                    if not count:
                        yield "%s:%d: never %s: %s" % (self.name, place[0], outcome, self.excerpt(place))


def read(results):
    sources = {}

    def source(path):
        name = os.path.relpath(path, ROOT)
        if name not in sources:
            sources[name] = Source(name)
        return sources[name]

    current = None
    with open(os.path.join(results, "lines.info"), encoding="utf-8") as stream:
        for line in stream:
            kind, _, rest = line.strip().partition(":")
            if kind == "SF":
                current = source(rest)
            elif kind == "DA":
                number, count = rest.split(",")[:2]
                current.lines[int(number)] = current.lines.get(int(number), 0) + int(count)
    with open(os.path.join(results, "coverage.json"), encoding="utf-8") as stream:
        files = json.load(stream)["data"][0]["files"]
    for each in files:
        current = source(each["filename"])
        for branch in each["branches"]:
            current.count_branch(tuple(branch[:4]), branch)
        for expansion in each["expansions"]:
            for branch in expansion["branches"]:
                current.count_branch(tuple(expansion["source_region"][:4] + branch[:4]), branch)
    return [sources[name] for name in sorted(sources)]


def percent(figures):
    return 100.0 * figures[0] / figures[1] if figures[1] else 100.0


def show(figures):
    return "%5.1f %% %5d of %5d" % (percent(figures), *figures) if figures[1] else ""


def total(sources, figures):
    return [sum(column) for column in zip((0, 0), *(figures(source) for source in sources))]


def print_table(sources):
    width = max(len(source.name) for source in sources)
    print("%-*s  %-23s  %s" % (width, "file", "lines", "branches"))
    for source in sources:
        print("%-*s  %-23s  %s" % (width, source.name, show(source.line_figures()), show(source.branch_figures())))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results")
    parser.add_argument("--lines", type=float, default=0.0, help="the least percentage of lines")
    parser.add_argument("--branches", type=float, default=0.0)
    arguments = parser.parse_args()
    sources = read(arguments.results)
    library = [source for source in sources if source.name.startswith(LIBRARY)]
    if not library:
        sys.exit("there is nothing of " + LIBRARY)
    tool = [source for source in sources if source not in library and source.line_figures()[0]]
    if tool and not arguments.lines:
        print_table(tool)
        print()
    print_table(library)
    uncovered = os.path.join(arguments.results, "uncovered.txt")
    with open(uncovered, "w", encoding="utf-8") as stream:
        for source in library if arguments.lines else library + tool:
            stream.writelines(line + "\n" for line in source.uncovered())
    print("\nnot reached: %s; with counts: %s" % (uncovered, os.path.join(arguments.results, "html", "index.html")))
    lines, branches = total(library, Source.line_figures), total(library, Source.branch_figures)
    print("lines %.1f %%" % percent(lines))
    print("branches %.1f %%" % percent(branches))
    return int(percent(lines) < arguments.lines or percent(branches) < arguments.branches)


if __name__ == "__main__":
    sys.exit(main())
