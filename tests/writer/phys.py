# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sparse physical memory, the page allocator and the preserved set."""

GRAIN = 4096


class WriterError(Exception):
    """The description asks for something that can't be written."""


def align_up(value, unit):
    return (value + unit - 1) // unit * unit


def order_for(nr_pages):
    return max(nr_pages - 1, 0).bit_length()


class Memory:
    """Physical memory, kept as the 4 KiB pieces that were written."""

    def __init__(self):
        self.pieces = {}

    def write(self, phys, data):
        done = 0
        while done < len(data):
            frame, start = divmod(phys + done, GRAIN)
            piece = self.pieces.get(frame)
            if piece is None:
                piece = self.pieces[frame] = bytearray(GRAIN)
            part = data[done:done + GRAIN - start]
            piece[start:start + len(part)] = part
            done += len(part)

    def read(self, phys, length):
        out = bytearray()
        while len(out) < length:
            frame, start = divmod(phys + len(out), GRAIN)
            piece = self.pieces.get(frame)
            want = min(length - len(out), GRAIN - start)
            out += piece[start:start + want] if piece else bytes(want)
        return bytes(out)

    def put(self, phys, width, value, order="little"):
        self.write(phys, (value & ((1 << (8 * width)) - 1)).to_bytes(width, order))

    def get(self, phys, width, order="little"):
        return int.from_bytes(self.read(phys, width), order)


class Preserved:
    """Blocks of 2^order pages that KHO preserves."""

    def __init__(self, page_size):
        self.page_size = page_size
        self.blocks = {}

    def length(self, phys):
        return self.page_size << self.blocks[phys]

    def find(self, phys):
        """First address of the block that holds phys, or None."""
        page = phys // self.page_size * self.page_size
        for order in range(64):
            head = page & ~((self.page_size << order) - 1)
            if head in self.blocks and head + self.length(head) > phys:
                return head
            if head == 0:
                return None
        return None

    def add(self, phys, order):
        if phys % (self.page_size << order):
            raise WriterError("preserve 0x%x: not aligned to order %d" % (phys, order))
        self.blocks[phys] = order

    def add_missing(self, start, length):
        """Preserve the pages of a range that no block holds yet."""
        page = start // self.page_size * self.page_size
        end = align_up(start + length, self.page_size)
        while page < end:
            head = self.find(page)
            if head is not None:
                page = head + self.length(head)
                continue
            stop = page
            while stop < end and self.find(stop) is None:
                stop += self.page_size
            self._add_blocks(page, stop)
            page = stop

    def _add_blocks(self, page, stop):
        while page < stop:
            order = 0
            while True:
                size = self.page_size << (order + 1)
                if page % size or page + size > stop:
                    break
                order += 1
            self.blocks[page] = order
            page += self.page_size << order

    def remove(self, phys):
        head = self.find(phys)
        if head is None:
            raise WriterError("unpreserve 0x%x: not preserved" % phys)
        del self.blocks[head]

    def ranges(self):
        """Merged (start, length) pairs in address order."""
        out = []
        for start in sorted(self.blocks):
            length = self.length(start)
            if out and out[-1][0] + out[-1][1] >= start:
                end = max(out[-1][0] + out[-1][1], start + length)
                out[-1] = (out[-1][0], end - out[-1][0])
            else:
                out.append((start, length))
        return out


class Allocator:
    """Hands out pages of RAM with small gaps, the same ones every time."""

    LOWEST = 0x100000

    def __init__(self, page_size, ram, preserved):
        self.page_size = page_size
        self.ram = sorted(ram)
        self.preserved = preserved
        self.reserved = []
        self.metadata = []
        self.state = 12345
        self.cursor = 0
        self.split_page = None

    def reserve(self, start, length):
        if length:
            self.reserved.append((start, start + length))

    def _gap(self):
        self.state = (self.state * 1103515245 + 12345) & 0x7fffffff
        return (0, 0, 1, 0, 2, 0, 1, 3)[(self.state >> 16) & 7]

    def _fits(self, start, size):
        """None when [start, start + size) is free, else where to go on."""
        for low, high in self.reserved:
            if start < high and low < start + size:
                return high
        return None

    def _take(self, size, gap):
        start = self.cursor + gap * self.page_size
        for low, length in self.ram:
            start = align_up(max(start, low, self.LOWEST if low == 0 else low), size)
            while start + size <= low + length:
                after = self._fits(start, size)
                if after is None:
                    self.cursor = start + size
                    return start
                start = align_up(after, size)
        raise WriterError("out of RAM: describe more")

    def pages(self, order=0, preserve=True, payload=False):
        """2^order pages; metadata unless payload; preserved as one block."""
        size = self.page_size << order
        phys = self._take(size, 0 if payload else self._gap())
        if preserve:
            self.preserved.add(phys, order)
        if not payload:
            self.metadata.append((phys, size))
        return phys

    def table(self, size=GRAIN, packed=False, preserve=True):
        """A hardware table: 4 KiB or more, in its own kernel page unless packed."""
        if not packed or size != GRAIN or self.page_size == GRAIN:
            return self.pages(order_for(align_up(size, self.page_size) // self.page_size),
                              preserve)
        if self.split_page is None or self.split_page % self.page_size == 0:
            self.split_page = self.pages(0, preserve)
        phys = self.split_page
        self.split_page += GRAIN
        return phys
