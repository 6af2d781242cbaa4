# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Handovers that were changed at the jump by chance, with seals made right again.

The next kernel, which is told to block, either takes the handover over and the device's DMA lands
where it should, or the device does none. Never anything in between.
"""
import random
import re
import struct
import zlib

import preserving
import steps
from handover import PAGE, Handover
from harness import check, equal, scenario
from vm import EDU

# Offsets of docs/format.md.
ROOT_CRC, ROOT_ARRAYS, NR_ARRAYS, ROOT_RELEASE, ROOT_SIZE = 16, 32, 6, 176, 256
PAGE_CRC, PAGE_HEADER = 48, 64
IOMMU_ROOT_TABLE = 40
KIND_HWPT, HWPT_TOKEN = 6, 24
ADDRESS = 0x000ffffffffff000
SEEDS = range(4)
TAKEN = re.compile(r"iommu: liveupdate: took over .*")
REFUSED = re.compile(r"iommu: liveupdate: .*can't be (?:used|restored).*")


class Records:
    """The pages of a handover of a guest that stands at the jump, to be changed."""

    def __init__(self, vm):
        self.gdb = vm.gdb
        roots = [data for name, data, _ in Handover(vm).flbs() if name == "iommuser-v1"]
        equal(len(roots), 1, "handovers")
        self.root = roots[0]
        self.pages, self.kinds = {}, {}
        raw = self.gdb.read(self.root, ROOT_SIZE)
        for array in range(NR_ARRAYS):
            page, = struct.unpack_from("<Q", raw, ROOT_ARRAYS + 24 * array)
            while page and page not in self.pages:
                following, count, kind, size = struct.unpack("<QQII", self.gdb.read(page, 24))
                self.pages[page] = (count, size)
                self.kinds[page] = kind
                page = following
        check(self.pages, "the handover has no records")

    def addresses(self):
        """Of all records."""
        return [page + PAGE_HEADER + size * index for page, (count, size) in self.pages.items()
                for index in range(count)]

    def tables(self):
        """The first unit's root table and its first context table."""
        unit = struct.unpack("<Q", self.gdb.read(self.root + ROOT_ARRAYS, 8))[0] + PAGE_HEADER
        root = self.gdb.read_u64(unit + IOMMU_ROOT_TABLE)
        return [root, self.gdb.read_u64(root) & ADDRESS]

    def seal(self):
        """Make every CRC right."""
        for page in (self.root, *self.pages):
            offset = ROOT_CRC if page == self.root else PAGE_CRC
            raw = bytearray(self.gdb.read(page, PAGE))
            raw[offset:offset + 4] = bytes(4)
            word = self.gdb.read_u64(page + offset)
            self.gdb.write_u64(page + offset, word & ~0xffffffff | zlib.crc32(bytes(raw)))


def places(records):
    """Words that mean something: (address, what they are of)."""
    found = [(records.root + offset, "root") for offset in range(0, ROOT_SIZE, 8)]
    for page, (count, size) in records.pages.items():
        found += [(page + offset, "header") for offset in range(0, PAGE_HEADER, 8)]
        found += [(page + offset, "record")
                  for offset in range(PAGE_HEADER, PAGE_HEADER + count * size, 8)]
    for table in records.tables():
        raw = records.gdb.read(table, PAGE)
        found += [(table + offset, "table") for offset in range(0, PAGE, 8)
                  if any(raw[offset:offset + 8])]
    return found


def other_value(choice, records, address, value):
    """What a word becomes: never what it is."""
    values = [0, (1 << 64) - 1, address & ~(PAGE - 1), choice.choice(records.addresses()),
              value ^ 1 << choice.randrange(64), value + 1 & (1 << 64) - 1,
              value & ~0xffff | choice.randrange(1 << 16)]
    return choice.choice([other for other in values if other != value])


def forge_harmless(lab, records, seed):
    """Change what no reader can know: the name of an HWPT, and that of the kernel."""
    choice = random.Random(f"{lab.mode} {seed}")
    hwpts = [page for page, kind in records.kinds.items() if kind == KIND_HWPT]
    equal(len(hwpts), 1, "pages of HWPTs")
    token = choice.randrange(1 << 64)
    records.gdb.write_u64(hwpts[0] + PAGE_HEADER + HWPT_TOKEN, token)
    release = choice.choice([b"6.66.0-x", b"99.9-rc1", b"\xff\xfe%s%n\x1b\\"])
    records.gdb.write_u64(records.root + ROOT_RELEASE, struct.unpack("<Q", release)[0])
    lab.note(f"the HWPT is {token:#x}, the kernel {release}")
    records.seal()


def forge(lab, records, seed):
    """Change one to three words of the handover; the last one of a table in every other case."""
    choice = random.Random(f"{lab.mode} {seed}")
    candidates = places(records)
    words = [choice.choice(candidates) for _ in range(choice.choice([1, 1, 2, 3]))]
    if seed % 2:
        words[-1] = choice.choice([word for word in candidates if word[1] == "table"])
    for address, kind in words:
        value = records.gdb.read_u64(address)
        other = other_value(choice, records, address, value)
        records.gdb.write_u64(address, other)
        lab.note(f"{kind} at {address:#x}: {value:#x} becomes {other:#x}")
    records.seal()


def lands(vm, page, before):
    """The device's DMA arrives, and without a fault."""
    steps.edu_store(vm, preserving.resource(vm), steps.COPY_TO)
    check(vm.gdb.read(page, steps.COPY_LENGTH) != before, "the device's DMA has not arrived")
    vm.resume()
    equal(vm.faults(), [], "DMAR faults")


def is_stopped(vm, page, before):
    """The device does no DMA by itself, and none of what it is made to do arrives."""
    vm.ok(f"config-write {EDU} 4 2 0x6")
    steps.edu_store(vm, preserving.resource(vm), steps.COPY_TO)
    steps.wait_fault(vm)
    equal(vm.gdb.read(page, steps.COPY_LENGTH), before, "memory that the device aimed at")
    vm.resume()


def jump(lab, change, seed):
    """One changed handover; returns whether it was taken over."""
    vm = lab.start(cmdline="iommu_liveupdate.on_error=block")
    guest = preserving.preserved_guest(vm)
    steps.edu_load(vm, guest.bar, steps.COPY_FROM)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    vm.kexec()
    gdb = vm.jump_stopped()
    change(lab, Records(vm), seed)
    before = gdb.read(page, steps.COPY_LENGTH)
    vm.land()
    console = vm.console()
    taken, refused = TAKEN.search(console), REFUSED.search(console)
    check(taken or refused, "the next kernel says nothing about the handover")
    lab.note((refused or taken).group(0))
    if preserving.has_master(vm):
        check(not refused, "what could not be used goes on all the same")
        lands(vm, page, before)
    else:
        check(refused, "the device was stopped without a word")
        is_stopped(vm, page, before)
    # Whatever became of it, the session can be had again.
    steps.reopen_session(vm)
    if not taken:
        vm.err("ENOENT", f"retrieve session0 {preserving.IOMMUFD_TOKEN:#x} iommufd0")
        vm.ok("finish session0")
    return bool(taken)


for number in SEEDS:
    scenario(f"fuzzed-jump-{number}", modes=["legacy", "scalable"])(
        lambda lab, seed=number: jump(lab, forge, seed))


@scenario("fuzzed-jump-harmless", modes=["legacy", "scalable"])
def harmless(lab):
    """A change that breaks no rule is taken over."""
    check(jump(lab, forge_harmless, 0), "it was refused")
