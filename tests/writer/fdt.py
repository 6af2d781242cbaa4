# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Flattened device trees: writes one and says where each property's value is."""

import struct

from objects import Field, fields

HEADER = ("magic:0:b4 totalsize:4:b4 off_dt_struct:8:b4 off_dt_strings:12:b4 "
          "off_mem_rsvmap:16:b4 version:20:b4 last_comp_version:24:b4 "
          "boot_cpuid_phys:28:b4 size_dt_strings:32:b4 size_dt_struct:36:b4")
RSVMAP = 40
STRUCT = RSVMAP + 16


class Node:
    """properties: name to str, bytes or int (a native u64); children: Nodes."""

    def __init__(self, name, properties, children=()):
        self.name = name
        self.properties = properties
        self.children = list(children)


class _Flat:
    def __init__(self):
        self.struct = bytearray()
        self.strings = bytearray()
        self.offsets = {}
        self.layout = {}

    def cell(self, value):
        self.struct += struct.pack(">I", value)

    def pad(self):
        self.struct += bytes(-len(self.struct) % 4)

    def string(self, name):
        if name not in self.offsets:
            self.offsets[name] = len(self.strings)
            self.strings += name.encode() + b"\0"
        return self.offsets[name]

    def property(self, path, name, value):
        key = (path + name).replace("-", "_")
        if isinstance(value, int):
            data, kind = struct.pack("<Q", value), "u"
        else:
            data = value if isinstance(value, bytes) else value.encode() + b"\0"
            kind = "text"
        self.cell(3)
        self.layout[key + "_length"] = Field(STRUCT + len(self.struct), 4, "be")
        self.cell(len(data))
        self.cell(self.string(name))
        self.layout[key] = Field(STRUCT + len(self.struct), len(data), kind)
        self.struct += data
        self.pad()

    def node(self, node, path):
        self.cell(1)
        self.struct += node.name.encode() + b"\0"
        self.pad()
        for name, value in node.properties.items():
            self.property(path, name, value)
        for child in node.children:
            self.node(child, path + child.name + ".")
        self.cell(2)


def flatten(root, totalsize=None):
    """(bytes, layout): totalsize None means no free space at the end."""
    flat = _Flat()
    flat.node(root, "")
    flat.cell(9)
    strings = STRUCT + len(flat.struct)
    end = strings + len(flat.strings)
    head = struct.pack(">10I", 0xd00dfeed, totalsize or end, STRUCT, strings, RSVMAP, 17, 16, 0,
                       len(flat.strings), len(flat.struct))
    layout = fields(HEADER)
    layout.update(flat.layout)
    return head + bytes(16) + bytes(flat.struct) + bytes(flat.strings), layout
