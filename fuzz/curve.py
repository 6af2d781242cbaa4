# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The curve of a run: a CSV with what was reached in how much processor time."""

import csv
import os

COLUMNS = ("cpu_seconds", "executions", "edges", "features", "inputs")
# A row for so much processor time at most.
ROW_SECONDS = 1.0


class Recorder:
    """Processor time, and what was reached in it."""

    def __init__(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.path = path
        self.stream = open(path, "w", encoding="ascii", newline="")
        self.table = csv.writer(self.stream, lineterminator="\n")
        self.table.writerow(COLUMNS)
        self.written = None
        self.at = None

    def add(self, seconds, executions, edges, features, inputs, last=False):
        at = (round(seconds, 2), executions, edges, features, inputs)
        # Nobody has looked at the time yet.
        if not at[0] or at == self.written:
            return
        self.at = at
        if last or not self.written or seconds - self.written[0] >= ROW_SECONDS:
            self.table.writerow("" if value is None else value for value in self.at)
            self.stream.flush()
            self.written = self.at

    def close(self):
        if self.at:
            self.add(*self.at, last=True)
        self.stream.close()
        if not self.at:
            os.unlink(self.path)
