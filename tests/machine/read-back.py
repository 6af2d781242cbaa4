#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Hold what read-back-test wrote against what the independent reader reads.

usage: read-back.py DIRECTORY"""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "writer"))
import read_image  # pylint: disable=wrong-import-position

KINDS = ("iommu", "domain", "device", "alias", "attachment", "hwpt")
NR_IMAGES = 12


def expectation(path):
    """Base and root, and by kind the live records as lists of fields."""
    places = {}
    records = {kind: [] for kind in KINDS}
    for line in path.read_text().splitlines():
        word, *rest = line.split()
        if word in ("base", "root"):
            places[word] = int(rest[0])
        else:
            records[word].append({name: int(value) for name, value in
                                  (field.split("=") for field in rest)})
    return places, records


def differences(name, records, report):
    for kind in KINDS:
        live = [record for record in report[kind + "s"] if not record["deleted"]]
        if len(live) != len(records[kind]):
            yield "%s: %d live %s records, expected %d" % (name, len(live), kind,
                                                           len(records[kind]))
            continue
        for number, (found, expected) in enumerate(zip(live, records[kind])):
            for field, value in expected.items():
                if found[field] != value:
                    yield "%s: %s %d: %s is %d, expected %d" % (name, kind, number, field,
                                                               found[field], value)


def main(arguments):
    directory = pathlib.Path(arguments[0])
    paths = sorted(directory.glob("*.expect"))
    nr_deleted = nr_records = 0
    wrong = []
    for path in paths:
        places, records = expectation(path)
        report = read_image.read(str(path.with_suffix(".flat")), places["base"], places["root"])
        wrong += differences(path.stem, records, report)
        nr_records += sum(len(report[kind + "s"]) for kind in KINDS)
        nr_deleted += sum(record["deleted"] for kind in KINDS for record in report[kind + "s"])
    print("%d images, %d records, %d of them deleted" % (len(paths), nr_records, nr_deleted))
    if len(paths) != NR_IMAGES or not nr_deleted:
        wrong.append("not all images are there")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
