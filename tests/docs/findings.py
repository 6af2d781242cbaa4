#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""docs/findings.md says what --explain says.

usage: findings.py [--rewrite] PROGRAM    the program that writes the page (tests/docs/findings-page of a build)
exit: 0 as it should be (or rewritten), 1 not, 2 wrong usage
"""

import difflib
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs", "findings.md")


def plain(text):
    return " ".join(text.replace("\\", "").split())


def told(code):
    done = subprocess.run([os.environ["IOMMU_KHO_DUMP"], "--explain", code, "--json"], stdout=subprocess.PIPE,
                          timeout=60, check=True)
    return json.loads(done.stdout)


def wrong_sections(page):
    """Codes of which the tool says something else than the page."""
    sections = dict(re.findall(r"^### ([A-Z]+-\d+)\n(.*?)(?=^##|\Z)", page, re.S | re.M))
    areas = dict(re.findall(r"^## ([A-Z]+): .*?\n(.*?)(?=^### )", page, re.S | re.M))
    if len(sections) < 100:
        return ["only %d codes" % len(sections)]
    wrong = []
    for code, text in sections.items():
        words = told(code)
        section = plain(text)
        afterwards = words.get("afterwards")
        if not plain(text).startswith("**%s**: " % plain(words["severity_text"])):
            wrong.append(code + " (severity)")
        elif not all(plain(words[key]) in section for key in ("meaning", "action")):
            wrong.append(code)
        elif afterwards and plain(afterwards) not in section and (
                "Once the kexec" in section or plain(afterwards) not in plain(areas[code.split("-")[0]])):
            wrong.append(code + " (afterwards)")
    return wrong


def main():
    rewrite = sys.argv[1:2] == ["--rewrite"]
    arguments = sys.argv[2:] if rewrite else sys.argv[1:]
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    wanted = subprocess.run(arguments, stdout=subprocess.PIPE, check=True).stdout.decode()
    if rewrite:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(wanted)
        return 0
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    if page != wanted:
        sys.stdout.writelines(difflib.unified_diff(page.splitlines(True), wanted.splitlines(True),
                                                   "docs/findings.md", "as it should be", n=1))
        print("docs/findings.md is stale: tests/docs/findings.py --rewrite " + arguments[0])
        return 1
    wrong = wrong_sections(page)
    if wrong:
        print("--explain says something else:", ", ".join(wrong))
        return 1
    print("%d codes" % len(re.findall(r"^### ", page, re.M)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
