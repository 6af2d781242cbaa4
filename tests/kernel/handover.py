# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Where the parts of a handover lie at the jump, so that a scenario can forge them.

This reads the stopped kernel's own variables and shares no code with the tool it helps to test.
"""
import struct

from vm import VmError

PAGE = 4096
FDT_BEGIN, FDT_END, FDT_PROPERTY, FDT_NOP, FDT_FINISH = 1, 2, 3, 4, 9

SESSION_SIZE = 80
FILE_SIZE = 64
BLOCK_HEADER = 16
FLB_HEADER = 16
FLB_SIZE = 64
FLB_MAX = (PAGE - FLB_HEADER) // FLB_SIZE


class Handover:
    """The outgoing handover of a guest that stands at machine_kexec (luo-v5, memfd-v2)."""

    def __init__(self, vm):
        self.gdb = vm.gdb
        base = self._virtual_u64(vm.kernels[vm.index - 1].symbol("page_offset_base"))
        self.fdt = self._virtual_u64(vm.kernels[vm.index - 1].symbol("kho_out")) - base
        self.luo = sub_blob(self.gdb.read(self.fdt, PAGE), "LUO")
        if self.gdb.read(self.luo, 8) != b"luo-v5\0\0":
            raise VmError("the LUO state isn't luo-v5")
        self.sessions_block = self.gdb.read_u64(self.luo + 16)
        self.flb_page = self.gdb.read_u64(self.luo + 24)

    def blocks(self, address):
        """(address, next, count) of each block of a chain."""
        found = []
        while address and len(found) < 100:
            following, count = struct.unpack("<QQ", self.gdb.read(address, BLOCK_HEADER))
            found.append((address, following, count))
            address = following
        return found

    def sessions(self):
        """{name: (address of the first file block, count)}."""
        found = {}
        for block, _, count in self.blocks(self.sessions_block):
            for index in range(count):
                raw = self.gdb.read(block + BLOCK_HEADER + index * SESSION_SIZE, SESSION_SIZE)
                found[text(raw[:64])] = struct.unpack("<QQ", raw[64:])
        return found

    def files(self, session):
        """[(compatible, data, token)] of a session."""
        found = []
        first, total = self.sessions()[session]
        for block, _, count in self.blocks(first):
            for index in range(count):
                raw = self.gdb.read(block + BLOCK_HEADER + index * FILE_SIZE, FILE_SIZE)
                found.append((text(raw[:48]), *struct.unpack("<QQ", raw[48:])))
        if len(found) != total:
            raise VmError(f"{total} files promised, {len(found)} found")
        return found

    def memfd(self, session, token):
        """A preserved memfd's record."""
        for compatible, data, its_token in self.files(session):
            if its_token == token and compatible == "memfd-v2":
                return Memfd(self.gdb, data)
        raise VmError(f"no memfd under token {token:#x}")

    def flbs(self):
        """[(name, data, count)] of the FLB page."""
        _, count = struct.unpack("<QQ", self.gdb.read(self.flb_page, FLB_HEADER))
        found = []
        for index in range(min(count, FLB_MAX)):
            raw = self.gdb.read(self.flb_entry(index), FLB_SIZE)
            found.append((text(raw[:48]), *struct.unpack("<QQ", raw[48:])))
        return found

    def flb_entry(self, index):
        """Address of an entry of the FLB page."""
        return self.flb_page + FLB_HEADER + index * FLB_SIZE

    def _virtual_u64(self, address):
        return struct.unpack("<Q", self.gdb.read_virtual(address, 8))[0]


class Memfd:
    """A memfd-v2 record: where its fields are and what they hold."""

    def __init__(self, gdb, address):
        self.address = address
        self.nr_folios_at = address + 24
        self.vmalloc_at = address + 32
        raw = gdb.read(address, 48)
        self.size, = struct.unpack_from("<Q", raw, 8)
        self.nr_folios, self.first_chunk = struct.unpack_from("<QQ", raw, 24)
        self.total_pages, self.flags, self.order = struct.unpack_from("<IHH", raw, 40)


def text(raw):
    """A NUL-terminated name."""
    return raw.split(b"\0")[0].decode("latin-1")


def sub_blob(fdt, name):
    """Physical address of one of the blobs that a KHO FDT lists."""
    magic, _, at, strings = struct.unpack_from(">IIII", fdt)
    if magic != 0xd00dfeed:
        raise VmError("no FDT where the kernel keeps it")
    path = []
    while True:
        tag, = struct.unpack_from(">I", fdt, at)
        at += 4
        if tag == FDT_BEGIN:
            end = fdt.index(b"\0", at)
            path.append(fdt[at:end].decode())
            at = (end + 4) & ~3
        elif tag == FDT_END:
            path.pop()
        elif tag == FDT_PROPERTY:
            length, offset = struct.unpack_from(">II", fdt, at)
            value = fdt[at + 8:at + 8 + length]
            at += 8 + (length + 3 & ~3)
            if path[-1] == name and text(fdt[strings + offset:]) == "preserved-data":
                return struct.unpack("<Q", value)[0]
        elif tag != FDT_NOP:
            raise VmError(f"the KHO FDT lists no {name}")
