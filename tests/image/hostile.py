# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Random damage in the metadata of clean images: an answer each time, never a crash or a hang."""

import random

from bad import check_verify, show_shape
from tool import Failure, Image, build

IMAGES = ("iommuser-v1-scalable", "iommuser-v1-legacy", "iommu-v1-legacy",
          "iommu-liveupdate-scalable", "iommu-liveupdate-v1-legacy", "iommuser-aliases",
          "iommuser-pasids", "iommuser-first-stage", "kho-v1b-iommu-v1", "kho-v1a-luo-v1",
          "kho-v3-luo-v2", "kho-extras", "luo-v4-many-sessions", "memfd-shapes", "iommuser-16k")
TIMEOUT = 10
BATCH = 25
SMALL = (0, 1, 2, 3, 63, 64, 255, 4095, 4096, 65535, 1 << 31, 1 << 51, 1 << 52, 1 << 63, (1 << 64) - 1)


class Batch:
    """Some damaged copies of one image."""

    def __init__(self, name, seed, count):
        self.name = name
        self.seed = seed
        self.count = count

    def __str__(self):
        return "hostile %s, seed %d, %d times" % (self.name, self.seed, self.count)


def batches(seed, count):
    out = []
    while count > 0:
        number = len(out)
        out.append(Batch(IMAGES[number % len(IMAGES)], seed * 1000003 + number, min(count, BATCH)))
        count -= BATCH
    return out


class Damage:
    """Changes to a file that can be taken back."""

    def __init__(self, file, pages, base, rng):
        self.file = file
        self.pages = pages
        self.base = base
        self.rng = rng
        self.undo = []

    def _write(self, phys, data):
        self.file.seek(phys - self.base)
        self.undo.append((phys, self.file.read(len(data))))
        self.file.seek(phys - self.base)
        self.file.write(data)

    def _read(self, phys, length):
        self.file.seek(phys - self.base)
        return self.file.read(length)

    def _place(self):
        """An address in some page of metadata, more often where something is."""
        start, length = self.rng.choice(self.pages)
        data = self._read(start, length)
        used = [i for i in range(0, length, 8) if any(data[i:i + 8])]
        if used and self.rng.random() < 0.8:
            return start + self.rng.choice(used)
        return start + self.rng.randrange(0, length, 8)

    def _word(self):
        choice = self.rng.randrange(4)
        if choice == 0:
            return self.rng.choice(SMALL)
        if choice == 1:
            return self.rng.getrandbits(64)
        address = self.rng.choice(self.pages)[0]
        return address + (0 if choice == 2 else self.rng.choice((1, 3, 8, 16, 64, 0x83, 0x403)))

    def one(self):
        at = self._place()
        choice = self.rng.randrange(4)
        if choice == 0:
            at += self.rng.randrange(8)
            self._write(at, bytes([self._read(at, 1)[0] ^ 1 << self.rng.randrange(8)]))
        elif choice == 1:
            self._write(at + self.rng.randrange(8), bytes([self.rng.choice((0, 1, 0x7f, 0xff))]))
        elif choice == 2:
            self._write(at, self._word().to_bytes(8, "little"))
        else:
            self._write(at, self._read(self._place(), 8))

    def repair(self):
        for phys, data in reversed(self.undo):
            self.file.seek(phys - self.base)
            self.file.write(data)
        self.undo = []


def check(batch):
    rng = random.Random(batch.seed)
    built = build(batch.name)
    with Image(built) as image, open(image.path, "r+b", buffering=0) as file:
        damage = Damage(file, sorted(built.allocator.metadata), built.description.base, rng)
        for number in range(batch.count):
            for _ in range(rng.choice((1, 1, 2, 4, 8))):
                damage.one()
            changes = ["0x%x" % phys for phys, _data in damage.undo]
            try:
                run(image, number)
            except Failure as failure:
                raise Failure("%s\nimage %d, changed at %s" %
                              (failure, number, ", ".join(changes))) from failure
            damage.repair()


def run(image, number):
    status, report = image.run_json("verify", "--limit", "1000000", timeout=TIMEOUT)
    if report is not None:
        check_verify(report, status)
    if number % 5 == 0:
        show_shape(*image.run_json("show", timeout=TIMEOUT))
        image.run("show", timeout=TIMEOUT)
