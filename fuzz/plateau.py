#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tells what fuzzing reached, and when, from its curves (see fuzz/plateau)."""

import csv
import os
import re
import sys

sys.dont_write_bytecode = True

from curve import COLUMNS  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = os.path.join(HERE, "curves")
# A row is kept for this many times the time of the one before.
STEP = 1.08
NAME = re.compile(r"(?P<target>[a-z0-9-]+)-(?P<engine>libfuzzer|afl)-(?P<empty>empty-)?(?P<when>\d{8}-\d{6})(-\d+)?\.csv")
# Those that matter most.
FIRST = ("restore", "verify")


class Bad(Exception):
    """A file is not a curve."""


class Curve:
    """What one run reached."""

    def __init__(self, path):
        match = NAME.fullmatch(os.path.basename(path))
        if not match:
            raise Bad("%s: it has no name that fuzz/run gives" % path)
        self.target, self.engine, self.when = match["target"], match["engine"], match["when"]
        self.from_nothing = bool(match["empty"])
        try:
            with open(path, encoding="ascii", newline="") as stream:
                rows = list(csv.reader(stream))
            if tuple(rows[0]) != COLUMNS:
                raise Bad("%s: its columns are not those of a curve" % path)
            self.rows = [tuple(float(word) if word else None for word in row) for row in rows[1:]]
        except (OSError, ValueError, IndexError) as error:
            raise Bad("%s: %s" % (path, error)) from error
        if not self.rows or any(len(row) != len(COLUMNS) for row in self.rows):
            raise Bad("%s: a row is missing, or not whole" % path)

    def seconds(self):
        return self.rows[-1][0]

    def at(self, share, column):
        """What was reached in this share of the time."""
        reached = [row for row in self.rows if row[0] <= share * self.seconds()] or self.rows[:1]
        return reached[-1][COLUMNS.index(column)]

    def name(self):
        return "%s-%s-%s%s.csv" % (self.target, self.engine, "empty-" if self.from_nothing else "", self.when)

    def keep(self):
        os.makedirs(KEPT, exist_ok=True)
        last = None
        with open(os.path.join(KEPT, self.name()), "w", encoding="ascii", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(COLUMNS)
            for row in self.rows:
                if last is None or row[0] >= STEP * last or row is self.rows[-1]:
                    table.writerow(["" if value is None else "%g" % round(value, 2) if i == 0 else "%d" % value
                                    for i, value in enumerate(row)])
                    last = max(row[0], 0.01)


def number(value):
    return "" if value is None else "{:,}".format(int(value)).replace(",", " ")


def show(curves):
    print("| target | engine | seconds | executions | edges: 1 % of the time | 10 % | 50 % | all | features: 50 % | all |")
    print("| --- | --- " + "| ---: " * 8 + "|")
    for curve in sorted(curves, key=lambda each: (each.target, each.engine, each.when)):
        cells = [number(curve.seconds()), number(curve.at(1, "executions"))]
        cells += [number(curve.at(share, "edges")) for share in (0.01, 0.1, 0.5, 1)]
        cells += [number(curve.at(share, "features")) for share in (0.5, 1)]
        print("| `%s`%s | %s | %s |" % (curve.target, "" if curve.from_nothing else ", from kept inputs",
                                        {"libfuzzer": "libFuzzer", "afl": "AFL++"}[curve.engine], " | ".join(cells)))
    hours = sum(curve.seconds() for curve in curves) / 3600
    most = sum(curve.seconds() for curve in curves if curve.target in FIRST) / 3600
    print("\n%d curves, %.2f hours of processor time, %.2f of them on %s" % (len(curves), hours, most, " and ".join(FIRST)))


def main(words):
    keep = words[:1] == ["--keep"]
    paths = words[1:] if keep else words
    if not paths and os.path.isdir(KEPT):
        paths = [os.path.join(KEPT, name) for name in sorted(os.listdir(KEPT))]
    curves = []
    for path in paths:
        try:
            curves.append(Curve(path))
        except Bad as error:
            print("plateau: %s" % error, file=sys.stderr)
    if not curves:
        print("plateau: there is no curve", file=sys.stderr)
        return 1
    if keep:
        for curve in curves:
            curve.keep()
    show(curves)
    return int(len(curves) != len(paths))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
