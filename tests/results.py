#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sum up JUnit files: name each skipped and failed test, then count.

usage: results.py DIRECTORY
The last line is "N passed, N failed, N skipped". Exit: 0 when at least one test passed and none failed, else 1.
"""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def last_line(case):
    lines = (case.findtext("system-out") or "").strip().splitlines()
    return lines[-1] if lines else "no reason given"


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {pathlib.Path(sys.argv[0]).name} DIRECTORY")
    passed = failed = skipped = 0
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name = f"{path.stem}/{case.get('name')}"
            if case.find("failure") is not None or case.get("status") == "fail":
                failed += 1
                print(f"failed: {name}")
            elif case.get("status") == "run":
                passed += 1
                for line in (case.findtext("system-out") or "").splitlines():
                    if line.startswith("skipped: "):
                        print(f"skipped in {name}: {line.removeprefix('skipped: ')}")
            else:
                skipped += 1
                print(f"skipped: {name}: {last_line(case)}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
