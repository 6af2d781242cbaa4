# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Real images for targets with a memory: the frames that the root leads to, moved to where that memory is.

Addresses of these frames are rewritten wherever they stand, with the flags beside them; what is preserved and no
metadata becomes payload. Of a table with many leaves some are left.
"""

import os
import re
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "writer"))

import read_image  # noqa: E402

IMAGES = os.path.join(HERE, "..", "tests", "images")
BASE, FRAME = 0x10000, 4096
PAYLOAD, PAYLOAD_SIZE = 0x40000000, 0x40000000
ADDRESS = 0x000ffffffffff000
MOST_FRAMES = 256
MOST_LEAVES = 12
# Layouts whose fields stand at odd offsets.
PACKED = ("iommu-v1", "iommu-liveupdate-v1")


class Image:
    """A handover in few frames: abi, root and pieces, by frame number, as they lie in the memory.

    Without IOMMU state (abi is None) there is but a unit, in that mode, and root is its root table.
    """

    def __init__(self, name):
        with open(os.path.join(IMAGES, name + ".ikho"), "rb") as file:
            portable = read_image.Portable(file.read())
        self.abi = portable.info.get("abi")
        self.step = 1 if self.abi in PACKED else 8
        self._pages = portable.pages
        self._preserved = sorted(portable.preserved or [])
        unit, _, self.mode = portable.info.get("vtd-root", [""])[0].partition(":")
        root = int(portable.info["flb"] if self.abi else unit, 0)
        order = self._reachable(root & ADDRESS)
        self._slots = {phys: BASE + i * FRAME for i, phys in enumerate(sorted(order))}
        self.root = self._slots[root & ADDRESS] + root % FRAME
        self.pieces = {slot // FRAME: self._moved(phys) for phys, slot in self._slots.items()}

    def _words(self, data):
        for at in range(0, FRAME - 7, self.step):
            yield at, struct.unpack_from("<Q", data, at)[0]

    def _reachable(self, root):
        found, left = {root}, [root]
        while left:
            for _, value in self._words(self._pages[left.pop(0)]):
                phys = value & ADDRESS
                if phys and phys in self._pages and phys not in found and len(found) < MOST_FRAMES:
                    found.add(phys)
                    left.append(phys)
        return found

    def _is_preserved(self, phys):
        return any(start <= phys < start + length for start, length in self._preserved)

    def _moved(self, phys):
        data = bytearray(self._pages[phys])
        leaves, free = 0, 0
        for at, value in self._words(self._pages[phys]):
            target = value & ADDRESS
            if at < free or not target:
                continue
            if target in self._slots:
                value = value & ~ADDRESS | self._slots[target]
            elif value & 3 and self._is_preserved(target):
                leaves += 1
                value = value & ~ADDRESS | PAYLOAD | target % PAYLOAD_SIZE if leaves <= MOST_LEAVES else 0
            else:
                continue
            struct.pack_into("<Q", data, at, value)
            free = at + 8
        return bytes(data)


def images():
    """(name, image) of the images that were taken at the jump, in order."""
    for name in sorted(os.listdir(IMAGES)):
        match = re.fullmatch(r"(.*-jump)\.ikho", name)
        if match:
            yield match.group(1), Image(match.group(1))


def portable_files():
    """(name, bytes) of real portable images that are small."""
    for name in sorted(os.listdir(IMAGES)):
        path = os.path.join(IMAGES, name)
        if name.endswith(".ikho") and os.path.getsize(path) < 8192:
            with open(path, "rb") as file:
                yield name[:-len(".ikho")], file.read()
