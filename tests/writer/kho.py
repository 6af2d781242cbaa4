# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""KHO: the memory map of each revision, and the root device tree."""

from fdt import Node, flatten
from phys import WriterError, order_for

CHUNK = "next:0:8 order:8:4 num_elms:12:4"
KEXEC_METADATA = "version:0:4 previous_release:4:s65 kexec_count:69:4"


class Radix:
    """Geometry of the kho-v2 and later tree for one page size."""

    def __init__(self, page_size, depth=None):
        self.page_size = page_size
        self.shift = page_size.bit_length() - 1
        self.table_log2 = self.shift - 3
        self.leaf_log2 = self.shift + 3
        self.order0_bit = 64 - self.shift
        above = self.order0_bit + 1 - self.leaf_log2
        self.depth = depth or 1 + -(-above // self.table_log2)

    def key(self, phys, order):
        return (1 << (self.order0_bit - order)) | (phys >> (self.shift + order))

    def indices(self, key):
        """Table indices from the root down, without the leaf's bit."""
        mask = (1 << self.table_log2) - 1
        return [(key >> (self.leaf_log2 + (level - 1) * self.table_log2)) & mask
                for level in range(self.depth - 1, 0, -1)]

    def leaf_bit(self, key):
        return key & ((1 << self.leaf_log2) - 1)


class Kho:
    """Writes one handover's map and root tree; prefix names its objects."""

    def __init__(self, build, settings, prefix=""):
        self.build = build
        self.settings = settings
        self.prefix = prefix
        self.page_size = build.page_size
        self.fdt = build.allocator.pages(0, preserve=not prefix)
        self.subtrees = []

    def add_subtree(self, name, phys, size):
        self.subtrees.append((name, phys, size))

    def add_kexec_metadata(self, release, count):
        phys = self.build.allocator.pages(0, preserve=not self.prefix)
        obj = self.build.registry.add(self.prefix + "kexec", phys, 73, KEXEC_METADATA)
        obj.fill(version=1, previous_release=release, kexec_count=count)
        self.add_subtree("kexec-metadata", phys, 73)

    def add_memblock(self, regions):
        children = [Node(name, {"compatible": "reserve-mem-v1", "start": start, "size": length})
                    for name, start, length in regions]
        data, layout = flatten(Node("", {"compatible": "memblock-v1"}, children))
        phys = self.build.allocator.pages(0)
        self.build.memory.write(phys, data)
        self.build.registry.add("memblock", phys, len(data), layout)
        self.add_subtree("memblock", phys, self.page_size)

    def finish(self, blocks):
        """Write the map of blocks {phys: order} and the root tree."""
        if self.settings["revision"] == "kho-v1":
            root = self._chunks(blocks)
        else:
            root = self._radix(blocks)
        children = [self._subtree(*entry) for entry in self.subtrees]
        tree = Node("", {"compatible": self.settings["compatible"],
                         "preserved-memory-map": root}, children)
        compact = self.settings["revision"] == "kho-v1"
        data, layout = flatten(tree, None if compact else self.page_size)
        if len(data) > self.page_size:
            raise WriterError("the root device tree doesn't fit in a page")
        self.build.memory.write(self.fdt, data)
        self.build.registry.add(self.prefix + "fdt", self.fdt, self.page_size, layout)

    def _subtree(self, name, phys, size):
        revision = self.settings["revision"]
        if revision == "kho-v1":
            return Node(name, {"fdt": phys})
        properties = {"preserved-data": phys}
        if revision != "kho-v2":
            properties["blob-size"] = size
        return Node(name, properties)

    def _radix(self, blocks):
        radix = Radix(self.page_size, self.settings["depth"])
        tree = {}
        for phys, order in sorted(blocks.items()):
            key = radix.key(phys, order)
            place = tree
            for index in radix.indices(key):
                place = place.setdefault(index, {})
            place[radix.leaf_bit(key)] = True
        self.nodes = self.leaves = 0
        return self._radix_node(tree, radix.depth - 1)

    def _radix_node(self, tree, level):
        phys = self.build.allocator.pages(0, preserve=False)
        name = "%skho.node[%d]" % (self.prefix, self.nodes)
        self.nodes += 1
        if level == 0:
            alias = ["%skho.leaf[%d]" % (self.prefix, self.leaves)]
            self.leaves += 1
            bits = sum(1 << bit for bit in tree)
            self.build.memory.write(phys, bits.to_bytes(self.page_size, "little"))
            self.build.registry.add(name, phys, self.page_size, stride=8, alias=alias)
            return phys
        self.build.registry.add(name, phys, self.page_size, stride=8)
        self.build.memory.write(phys, bytes(self.page_size))
        for index in sorted(tree):
            child = self._radix_node(tree[index], level - 1)
            self.build.memory.put(phys + 8 * index, 8, child)
        return phys

    def _chunks(self, blocks):
        if not blocks:
            return 0
        bits = 8 * self.settings["bitmap"]
        shift = self.page_size.bit_length() - 1
        bitmaps = {}
        for phys, order in blocks.items():
            index, bit = divmod(phys >> (order + shift), bits)
            bitmaps.setdefault((order, index), set()).add(bit)
        per_chunk = (self.page_size - 16) // 16
        groups = []
        for order in sorted({key[0] for key in bitmaps}):
            starts = sorted(index for o, index in bitmaps if o == order)
            groups += [(order, starts[i:i + per_chunk]) for i in range(0, len(starts), per_chunk)]
        self.bitmap_page, self.nr_bitmaps = 0, 0
        pages = [self.build.allocator.pages(0, preserve=False) for _ in groups]
        for i, (order, starts) in enumerate(groups):
            follower = pages[i + 1] if i + 1 < len(pages) else 0
            self._chunk(i, pages[i], follower, order,
                        [(start * bits << (order + shift), bitmaps[order, start])
                         for start in starts])
        return pages[0]

    def _chunk(self, i, phys, follower, order, entries):
        layout = CHUNK + "".join(" phys_start_%d:%d:8 bitmap_%d:%d:8" %
                                 (j, 16 + 16 * j, j, 24 + 16 * j) for j in range(len(entries)))
        self.build.memory.write(phys, bytes(self.page_size))
        obj = self.build.registry.add("%skho.chunk[%d]" % (self.prefix, i), phys,
                                      self.page_size, layout)
        obj.fill(next=follower, order=order, num_elms=len(entries))
        for j, (start, bits) in enumerate(entries):
            self.build.memory.put(phys + 16 + 16 * j, 8, start)
            self.build.memory.put(phys + 24 + 16 * j, 8, self._bitmap(bits))

    def _bitmap(self, bits):
        size = self.settings["bitmap"]
        if self.bitmap_page % self.page_size == 0:
            pages = -(-size // self.page_size)
            self.bitmap_page = self.build.allocator.pages(order_for(pages), preserve=False)
        phys = self.bitmap_page
        self.bitmap_page += size
        value = sum(1 << bit for bit in bits)
        self.build.memory.write(phys, value.to_bytes(size, "little"))
        self.build.registry.add("%skho.bitmap[%d]" % (self.prefix, self.nr_bitmaps), phys, size,
                                stride=8)
        self.nr_bitmaps += 1
        return phys
