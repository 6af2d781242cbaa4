# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reads the table of bad images, bad.txt; its head documents the lines."""

import itertools
import os
import re
import shlex

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "bad.txt")
FINDINGS = os.path.join(HERE, "..", "..", "include", "iommuser", "finding.h")
CODE = re.compile(r"[A-Z]+-\d\d")
STATUS = {"ERROR": "errors", "INCOMPLETE": "incomplete", "WARNING": "warnings", "INFO": "ok"}


class TableError(Exception):
    """bad.txt or finding.h is not as it should be."""


class Case:
    """One bad image."""

    def __init__(self, lineno, code, description, status):
        self.lineno = lineno
        self.code = code
        self.description = description
        self.status = status
        self.lines = []
        self.drops = []
        self.format = "flat"
        self.options = []
        self.shown = True
        self.also = set()

    @property
    def name(self):
        return "bad.txt:%d %s %s" % (self.lineno, self.code, self.description)

    def segment(self, text):
        word, _space, rest = text.partition(" ")
        if word == "drop":
            self.drops.append(rest)
            self.format = "elf" if self.format == "flat" else self.format
        elif word == "as":
            self.format = rest
        elif word == "tool":
            self.options += shlex.split(rest)
        elif text == "verify only":
            self.shown = False
        elif word == "status":
            self.status = rest
        elif word == "also":
            codes, _because, reason = rest.partition(" because ")
            if not reason:
                raise TableError("also CODE... because REASON")
            self.also |= set(codes.split())
        else:
            self.lines.append(text)


def expand(text):
    """All of "a-{b,c}": "a-b" and "a-c"."""
    parts = [part.split(",") if i % 2 else [part]
             for i, part in enumerate(re.split(r"\{([^}]*)\}", text))]
    return ["".join(words) for words in itertools.product(*parts)]


def read_findings():
    """Default severity of each code of finding.h."""
    with open(FINDINGS, encoding="utf-8") as file:
        found = re.findall(r'X\(\w+, "([A-Z]+-\d\d)", (\w+)\)', file.read())
    codes = dict(found)
    if not codes or len(codes) != len(found) or not set(codes.values()) <= set(STATUS):
        raise TableError("finding.h: no codes, or one twice, or an unknown severity")
    return codes


def _cases(lineno, line, codes):
    head, *segments = [part.strip() for part in line.split(" ; ")]
    code, descriptions, *first = head.split(None, 2)
    if code not in codes:
        raise TableError("'%s' is not a code of finding.h" % code)
    for description in expand(descriptions):
        case = Case(lineno, code, description, STATUS[codes[code]])
        for segment in first + segments:
            case.segment(segment)
        yield case


def _elsewhere(line):
    """The code of a line that names another test; that test must name the code's symbol."""
    match = re.fullmatch(r"(\S+) - elsewhere (\S+) because .+", line)
    with open(FINDINGS, encoding="utf-8") as file:
        symbols = dict(re.findall(r'X\((\w+), "([A-Z]+-\d\d)"', file.read()))
    wanted = [symbol for symbol, code in symbols.items() if match and code == match.group(1)]
    if not wanted:
        raise TableError("CODE - elsewhere FILE because REASON")
    with open(os.path.join(HERE, "..", "..", match.group(2)), encoding="utf-8") as file:
        if not re.search(r"IOMMUSER_FINDING_%s\b" % wanted[0], file.read()):
            raise TableError("%s says nothing of %s" % (match.group(2), wanted[0]))
    return match.group(1)


def read_table():
    """All cases of bad.txt; every code has one at least."""
    codes = read_findings()
    cases, elsewhere = [], set()
    with open(TABLE, encoding="utf-8") as file:
        for lineno, line in enumerate(file, 1):
            line = line.split(" # ")[0].strip()
            if not line or line.startswith("#"):
                continue
            try:
                if line.split()[1:3] == ["-", "elsewhere"]:
                    elsewhere.add(_elsewhere(line))
                else:
                    cases += _cases(lineno, line, codes)
            except (TableError, ValueError, OSError) as error:
                raise TableError("bad.txt:%d: %s" % (lineno, error)) from error
    missing = sorted(set(codes) - {case.code for case in cases} - elsewhere)
    if missing or not cases:
        raise TableError("bad.txt: no line for " + ", ".join(missing))
    return cases
