#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Write the images that series-test restores, and what is to be claimed from each.

usage: make-images.py DIRECTORY

For each description: NAME.flat, and NAME.claims with one line per live object."""

import json
import pathlib
import subprocess
import sys

WRITER = pathlib.Path(__file__).resolve().parent.parent / "writer"
sys.dont_write_bytecode = True
sys.path.insert(0, str(WRITER))
import read_image  # pylint: disable=wrong-import-position

NAMES = ("iommu-v1-legacy", "iommu-v1-scalable", "iommu-v1-deleted", "iommu-v1-many",
         "iommu-liveupdate-legacy", "iommu-liveupdate-scalable", "iommu-liveupdate-deleted",
         "iommu-liveupdate-first-stage", "iommu-liveupdate-56-legacy",
         "iommu-liveupdate-v1-scalable", "iommuser-two-units", "iommuser-aliases",
         "iommuser-two-sessions", "iommuser-pasids", "iommuser-tombstones", "iommuser-16k", "iommuser-newer-minor")
PAGE_SHIFTS = {"4K": 12, "16K": 14, "64K": 16}


def page_shift(description):
    for line in description.read_text().splitlines():
        words = line.split()
        if words[:1] == ["page-size"]:
            return PAGE_SHIFTS[words[1]]
    return 12


def requester(text):
    segment, bus, rest = text.split(":")
    slot, function = rest.split(".")
    return int(segment, 16), int(bus, 16) << 8 | int(slot, 16) << 3 | int(function, 16)


def dids(image, expected):
    """Pairs of a unit's token and a domain id that must be reserved on it."""
    if expected["abi"] != "iommuser-v1":
        return {(expected["iommus"][device["iommu"]]["token"], device["did"])
                for device in expected["devices"] if device["live"]}
    report = read_image.read(image)
    units = {unit["phys"]: hex(unit["token"])
             for unit in report["iommus"] if not unit["deleted"]}
    devices = {device["phys"]: units[device["iommu"]]
               for device in report["devices"] if not device["deleted"]}
    return {(devices[attachment["device"]], attachment["did"])
            for attachment in report["attachments"] if not attachment["deleted"]}


def attached(image, expected, symbols):
    """Triples of the address of a domain, and the segment and bdf of a live device that uses it."""
    devices = {device["index"]: requester(device["bdf"])
               for device in expected["devices"] if device["live"]}
    if expected["abi"] != "iommuser-v1":
        return {(int(symbols["domain[%d]" % device["domain"]], 16),) + devices[device["index"]]
                for device in expected["devices"] if device["live"]}
    report = read_image.read(image)
    by_address = {device["phys"]: (device["segment"], device["bdf"])
                  for device in report["devices"] if not device["deleted"]}
    return {(attachment["domain"],) + by_address[attachment["device"]]
            for attachment in report["attachments"] if not attachment["deleted"]}


def registers(image, expected, token):
    """CAP, ECAP, width and mode of a unit; 0 where the revision does not have them."""
    if expected["abi"] == "iommuser-v1":
        for unit in read_image.read(image)["iommus"]:
            if not unit["deleted"] and hex(unit["token"]) == token:
                return unit["cap"], unit["ecap"], unit["host_address_width"], unit["mode"]
    return 0, 0, 0, 0


def claims(image, expected, symbols, shift):
    yield "image %d %s" % (shift, expected["root"])
    yield "abi " + expected["abi"]
    for start, length in expected["preserved"]:
        yield "preserved %s %s" % (start, length)
    for unit in expected["iommus"]:
        if not unit["deleted"]:
            yield "unit %s %d %d %d %d" % ((unit["token"],) +
                                        registers(image, expected, unit["token"]))
    for domain in expected["domains"]:
        yield "%s %s" % ("gone-domain" if domain["deleted"] else "domain",
                         symbols["domain[%d]" % domain["index"]])
    for device in expected["devices"]:
        segment, bdf = requester(device["bdf"])
        if device["live"]:
            yield "device %d %d %d" % (segment, bdf, device["did"])
        elif not any(other["live"] and other["bdf"] == device["bdf"]
                     for other in expected["devices"]):
            yield "gone-device %d %d" % (segment, bdf)
    for token, did in sorted(dids(image, expected)):
        yield "did %s %d" % (token, did)
    for triple in sorted(attached(image, expected, symbols)):
        yield "attached 0x%x %d %d" % triple


def make(directory, name):
    description = WRITER / "clean" / (name + ".desc")
    image = directory / (name + ".flat")
    files = [directory / (name + ending) for ending in (".symbols", ".expect")]
    subprocess.run([sys.executable, WRITER / "write_image.py", description, image, "--format",
                    "flat", "--symbols", files[0], "--expect", files[1]], check=True)
    symbols, expected = (json.loads(file.read_text()) for file in files)
    lines = list(claims(image, expected, symbols, page_shift(description)))
    for kind in ("unit ", "domain ", "device ", "did ", "attached ", "preserved "):
        if not any(line.startswith(kind) for line in lines):
            sys.exit("%s: no live %sin it" % (name, kind))
    (directory / (name + ".claims")).write_text("\n".join(lines) + "\n")


def main(arguments):
    directory = pathlib.Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        make(directory, name)
    (directory / "list").write_text("".join(name + "\n" for name in NAMES))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
