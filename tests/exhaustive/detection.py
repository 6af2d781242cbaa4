#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""docs/detection.md says what share of all changes is found, measured by the program exhaustive.

usage: detection.py [--rewrite] PROGRAM SECTION...    a section is a name of SECTIONS, or all
exit: 0 the page says what was measured (or does now), 1 not, 2 wrong usage
"""

import difflib
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WRITER = ROOT / "tests" / "writer"
sys.dont_write_bytecode = True
sys.path.insert(0, str(WRITER))
import read_image  # pylint: disable=wrong-import-position

PAGE = ROOT / "docs" / "detection.md"
CHAINS = ROOT / "tests" / "exhaustive" / "chains.desc"
SEALED = ("iommuser-tombstones", "iommuser-aliases", "iommuser-two-units", "chains-iommuser-v1")
CAPTURED = ("legacy-glue-jump", "scalable-glue-jump", "first-stage-glue-jump")
# Name: how, and which images: of tests/images, of tests/writer/clean, or the chains of chains.desc.
SECTIONS = {
    "iommuser-v1": ("as-is", SEALED + CAPTURED),
    "iommuser-v1-16k": ("as-is", ("iommuser-16k",)),
    "iommuser-v1-resealed": ("resealed", SEALED + CAPTURED),
    "iommu-v1": ("as-is", ("iommu-v1-legacy", "iommu-v1-scalable", "iommu-v1-deleted", "chains-iommu-v1")),
    "iommu-liveupdate-v1": ("as-is", ("iommu-liveupdate-v1-legacy", "iommu-liveupdate-v1-scalable",
                                      "chains-iommu-liveupdate-v1")),
    "iommu-liveupdate": ("as-is", ("iommu-liveupdate-legacy", "iommu-liveupdate-scalable",
                                   "iommu-liveupdate-first-stage", "iommu-liveupdate-deleted",
                                   "chains-iommu-liveupdate")),
    "iommu-liveupdate-56": ("as-is", ("iommu-liveupdate-56-legacy", "iommu-liveupdate-56-scalable",
                                      "chains-iommu-liveupdate-56")),
}


def unpack(portable, target):
    """A portable image as a file of pages, and a text that says what they are."""
    image = read_image.Portable(portable.read_bytes())
    lines = ["page-size %d" % image.page_size, "abi " + image.info["abi"], "root " + image.info["flb"]]
    lines += ["preserved %#x %#x" % pair for pair in image.preserved]
    lines += ["page %#x" % phys for phys in image.frames()]
    target.with_suffix(".text").write_text("\n".join(lines) + "\n")
    target.with_suffix(".pages").write_bytes(b"".join(image.pages[phys] for phys in image.frames()))


def make_image(directory, name):
    portable = ROOT / "tests" / "images" / (name + ".ikho")
    if not portable.exists():
        portable = directory / (name + ".ikho")
        description, more = WRITER / "clean" / (name + ".desc"), []
        if name.startswith("chains-"):
            description, more = CHAINS, ["--set", "abi " + name[len("chains-"):]]
        subprocess.run([sys.executable, WRITER / "write_image.py", description, portable, "--format", "ikho",
                        *more], check=True)
    unpack(portable, directory / name)


def measure(program, section):
    """What the program prints of a section: images and fields, each a list of lists of words."""
    how, names = SECTIONS[section]
    with tempfile.TemporaryDirectory() as place:
        directory = pathlib.Path(place)
        for name in names:
            make_image(directory, name)
        done = subprocess.run([program, how, directory, *names], stdout=subprocess.PIPE, check=True)
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    images = [row[1:] for row in rows if row[0] == "image"]
    fields = [row[1:3] + [int(word) for word in row[3:]] for row in rows if row[0] == "field"]
    if len(images) != len(names) or not fields:
        raise SystemExit("%s: nothing was measured" % section)
    return images, fields


def share(found, tried):
    """Rounded down, so that only what is always found is said to be."""
    if not tried:
        return "-"
    if found in (0, tried):
        return "all" if found else "none"
    return "%d.%d %%" % divmod(1000 * found // tried, 10)


def table(fields, is_table):
    """Fields of records, or of hardware tables, as Markdown."""
    heads = ["in", "field", "bits", "found", "words", "found"]
    if not is_table:
        heads[3:4] = ["by records", "in all"]
        heads[-1:] = ["by records", "in all"]
    out = ["| %s |" % " | ".join(heads), "|%s" % (" --- |" * len(heads))]
    for where, field, *counts in fields:
        cells = [where, field]
        for tried, records, everything in (counts[:3], counts[3:]):
            cells.append(str(tried))
            if not is_table:
                cells.append(share(records, tried))
            cells.append(share(everything, tried))
        out.append("| %s |" % " | ".join(cells))
    return out


def total(fields, column):
    return sum(row[2 + column] + row[5 + column] for row in fields)


def in_order(fields):
    """The fields of one kind of object together."""
    fields = list(fields)
    names = [row[0] for row in fields]
    return sorted(fields, key=lambda row: names.index(row[0]))


def by_object(fields):
    """A row for each kind of object: for where there is nothing to tell apart."""
    sums = {}
    for where, _field, *counts in fields:
        sums[where] = [a + b for a, b in zip(sums.get(where, [0] * 6), counts)]
    return [[where, "every field", *counts] for where, counts in sums.items()]


def text_of(images, fields):
    tables = in_order(row for row in fields if " entry" in row[0])
    records = in_order(row for row in fields if " entry" not in row[0])
    if total(records, 0) == total(records, 1):
        records = by_object(records)
    out = ["| image | page size | pages | records | readings | most calls of map() |",
           "| --- | --- | --- | --- | --- | --- |"]
    out += ["| %s |" % " | ".join(image) for image in images]
    out += ["", *table(records, False)]
    return out + ["", *table(tables, True)] if tables else out


def replace(page, section, lines):
    """The page with a section's lines between its marks."""
    marks = ["<!-- measured: %s -->" % section, "<!-- end -->"]
    pattern = re.escape(marks[0]) + r"\n.*?" + re.escape(marks[1])
    new, count = re.subn(pattern, lambda _found: "\n".join([marks[0], *lines, marks[1]]), page, flags=re.S)
    if count != 1:
        raise SystemExit("docs/detection.md has no place for %s" % section)
    return new


def main():
    arguments = sys.argv[1:]
    rewrite = arguments[:1] == ["--rewrite"]
    program, *sections = arguments[rewrite:] or [""]
    sections = list(SECTIONS) if sections == ["all"] else sections
    if not sections or not set(sections) <= set(SECTIONS):
        print(__doc__, file=sys.stderr)
        return 2
    page = PAGE.read_text(encoding="utf-8")
    wanted = page
    for section in sections:
        images, fields = measure(program, section)
        wanted = replace(wanted, section, text_of(images, fields))
        print("%s: %d changes in %d fields" % (section, total(fields, 0), len(fields)))
    if rewrite:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    sys.stdout.writelines(difflib.unified_diff(page.splitlines(True), wanted.splitlines(True),
                                               "docs/detection.md", "measured", n=0))
    if page != wanted:
        print("docs/detection.md is stale: tests/exhaustive/detection.py --rewrite PROGRAM all")
    return int(page != wanted)


if __name__ == "__main__":
    sys.exit(main())
