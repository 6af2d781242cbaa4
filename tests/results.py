#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sum up JUnit and TAP files: name each skipped and failed test, then count.

usage: results.py DIRECTORY
The last line is "N passed, N failed, N skipped". Exit: 0 when at least one test passed and none failed, else 1.
"""
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def last_line(case):
    lines = (case.findtext("system-out") or "").strip().splitlines()
    return lines[-1] if lines else "no reason given"


def junit_results(path):
    """(name, "passed" or "failed" or "skipped", reason) of each test of a JUnit file."""
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{path.stem}/{case.get('name')}"
        if case.find("failure") is not None or case.get("status") == "fail":
            yield name, "failed", None
        elif case.get("status") == "run":
            yield name, "passed", None
            for line in (case.findtext("system-out") or "").splitlines():
                if line.startswith("skipped: "):
                    print(f"skipped in {name}: {line.removeprefix('skipped: ')}")
        else:
            yield name, "skipped", last_line(case)


def tap_results(path):
    """The same of a TAP file; a plan that was not fulfilled is one more failure."""
    planned = seen = 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        plan = re.match(r"1\.\.(\d+)$", line)
        match = re.match(r"(not )?ok \d+ (?:- )?(\S+)(?:.*# SKIP (.*))?", line)
        if plan:
            planned = int(plan[1])
        elif match:
            seen += 1
            status = "failed" if match[1] else "skipped" if match[3] is not None else "passed"
            yield f"{path.stem}/{match[2]}", status, match[3]
    if seen < planned or not seen:
        yield f"{path.stem}/plan of {planned} of which {seen} ran", "failed", None


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {pathlib.Path(sys.argv[0]).name} DIRECTORY")
    count = {"passed": 0, "failed": 0, "skipped": 0}
    readers = {".xml": junit_results, ".tap": tap_results}
    for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        for name, status, reason in readers.get(path.suffix, lambda _: [])(path):
            count[status] += 1
            if status != "passed":
                print(f"{status}: {name}" + (f": {reason}" if reason else ""))
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 0 if count["passed"] and not count["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
