#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""From a text description to the bytes of a whole physical-memory image."""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import description  # noqa: E402
import expect  # noqa: E402
import output  # noqa: E402
from build import Build  # noqa: E402
from objects import evaluate  # noqa: E402
from phys import WriterError  # noqa: E402


def _holes(build, drops, tails):
    holes = output.Holes()
    for words, tail in ((drops, False), (tails, True)):
        for word in words:
            place, length = word, build.page_size
            head, _colon, last = word.rpartition(":")
            if head and "[" not in last and "]" not in last:
                place, length = head, evaluate(last, build.registry)
            holes.add(evaluate(place, build.registry), length, tail)
    return holes


def _parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("desc", help="the description")
    parser.add_argument("out", help="the file to write")
    parser.add_argument("--set", action="append", default=[], metavar="LINE",
                        help="one more line for the description, whole ('set …', 'map …')")
    parser.add_argument("--format", choices=sorted(output.FORMATS), default="flat")
    parser.add_argument("--drop", action="append", default=[], metavar="PHYS[:LEN]",
                        help="leave these pages out of the dump (elf, ikho)")
    parser.add_argument("--drop-tail", action="append", default=[], metavar="PHYS[:LEN]",
                        help="the same, but inside the memory size of an ELF segment")
    parser.add_argument("--symbols", metavar="FILE", help="addresses of all objects, as JSON")
    parser.add_argument("--expect", metavar="FILE", help="what a reader should find, as JSON")
    return parser.parse_args(arguments)


def _dump(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.write("\n")


def main(arguments):
    options = _parse(arguments)
    try:
        build = Build(description.read(options.desc, options.set))
        output.write(options.out, build, options.format,
                     _holes(build, options.drop, options.drop_tail))
    except (WriterError, OSError) as error:
        print("write_image.py: %s" % error, file=sys.stderr)
        return 1
    if options.symbols:
        _dump(options.symbols, build.registry.symbols())
    if options.expect:
        _dump(options.expect, expect.expectation(build))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
