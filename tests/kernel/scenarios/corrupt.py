# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Handovers that were damaged at the jump: a panic with the finding's code, or everything blocked."""
import re

import preserving
import steps
from harness import check, equal, scenario
from vm import EDU

REASON = re.compile(r"iommu: liveupdate: .*\b([A-Z]+-[0-9]{2})\b.*")
# Offsets of docs/format.md.
ROOT_RESERVED = 248
PAGE_HEADER = 64
IOMMU_ROOT_TABLE = PAGE_HEADER + 40
ATTACHMENT_DID = PAGE_HEADER + 40


def at_the_jump(lab, **options):
    """A machine stopped at the jump: (machine, debugger, what the handover holds)."""
    vm = lab.start(**options)
    guest = preserving.preserved_guest(vm)
    steps.edu_load(vm, guest.bar, steps.COPY_FROM)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    vm.kexec(cmdline=options.get("next_cmdline", ""))
    gdb = vm.jump_stopped()
    table = preserving.show(lab, vm.dump("jump.elf"))
    return vm, gdb, table, page


def number(text):
    """A JSON number, written as the tool writes addresses."""
    return int(text, 16)


def flip(gdb, address):
    """Flip one bit of guest memory."""
    gdb.write_u64(address & ~7, gdb.read_u64(address & ~7) ^ 1 << 8 * (address & 7))


def forge_root(gdb, table):
    """A byte of the root page."""
    flip(gdb, number(table["root"]) + ROOT_RESERVED)


def forge_record(gdb, table):
    """A byte of a page of records."""
    flip(gdb, number(table["iommus"][0]["phys"]) & ~0xfff | IOMMU_ROOT_TABLE + 2)


def forge_context(gdb, table):
    """The device's context entry leads to memory that nobody preserved."""
    root = number(table["iommus"][0]["root_table"])
    context = gdb.read_u64(root) & ~0xfff
    scalable = table["iommus"][0]["mode"] == "scalable"
    entry = context + (int(EDU[8:10], 16) << 3) * (32 if scalable else 16)
    gdb.write_u64(entry, gdb.read_u64(entry) & 0xfff | 0x100000)


def forge_did(gdb, table):
    """The domain id that the hardware tags the device's translations with."""
    root = number(table["iommus"][0]["root_table"])
    context = gdb.read_u64(root) & ~0xfff
    if table["iommus"][0]["mode"] == "legacy":
        entry = context + (int(EDU[8:10], 16) << 3) * 16 + 8
        gdb.write_u64(entry, gdb.read_u64(entry) & ~(0xffff << 8))
        return
    directory = number(table["devices"][0]["pasid_table"])
    entry = (gdb.read_u64(directory) & ~0xfff) + 8
    gdb.write_u64(entry, gdb.read_u64(entry) & ~0xffff)


FORGERIES = {"root": (forge_root, ("SEAL",)), "record": (forge_record, ("SEAL",)),
             "context-entry": (forge_context, ("VTD", "CLOSURE")),
             "did": (forge_did, ("DID", "VTD"))}


def areas(vm):
    """Areas of the finding codes on the console."""
    return {code.split("-")[0] for code in REASON.findall(vm.console())}


def panics(lab, name):
    """on_error=panic, the default."""
    forge, expected = FORGERIES[name]
    vm, gdb, table, _ = at_the_jump(lab)
    forge(gdb, table)
    vm.resume()
    line = vm.wait_panic()
    lab.notes.append(line)
    check(re.search(r"iommu.*liveupdate", line), "the panic isn't about this")
    check(areas(vm) & set(expected), f"found {areas(vm)}, expected one of {expected}")


def blocks(lab, name):
    """on_error=block: the machine boots, the device is blocked."""
    forge, expected = FORGERIES[name]
    vm, gdb, table, page = at_the_jump(lab, cmdline="iommu_liveupdate.on_error=block")
    forge(gdb, table)
    before = gdb.read(page, 64)
    vm.land()
    check(areas(vm) & set(expected), f"found {areas(vm)}, expected one of {expected}")
    lab.notes.append(REASON.search(vm.console()).group(0))
    check(not preserving.has_master(vm), "the device may still do DMA")
    vm.ok(f"config-write {EDU} 4 2 0x6")
    steps.edu_store(vm, preserving.resource(vm), steps.COPY_TO)
    steps.wait_fault(vm)
    equal(vm.gdb.read(page, 64), before, "memory that the device aimed at")
    vm.resume()
    steps.reopen_session(vm)
    # Nothing of it can be taken back; the session finishes, what it had stays reserved.
    vm.err("ENOENT", f"retrieve session0 {preserving.IOMMUFD_TOKEN:#x} iommufd0")
    vm.ok("finish session0")


for forgery in FORGERIES:
    scenario(f"corrupt-{forgery}-panics", needs=["glue", "tool"])(
        lambda lab, name=forgery: panics(lab, name))
    scenario(f"corrupt-{forgery}-blocks", needs=["glue", "tool"])(
        lambda lab, name=forgery: blocks(lab, name))


@scenario("wrong-mode-blocks", modes=["legacy", "scalable"])
def wrong_mode(lab):
    """A next kernel told to use the other mode can't take the tables over."""
    unit = "intel-iommu,intremap=on,caching-mode=on,aw-bits=48,x-scalable-mode=on"
    here, there = {"legacy": ("sm_off", "sm_on"), "scalable": ("sm_on", "sm_off")}[lab.mode]
    vm = lab.start(unit=unit, cmdline=f"intel_iommu={here} iommu_liveupdate.on_error=block")
    guest = preserving.preserved_guest(vm)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    steps.edu_load(vm, guest.bar, steps.COPY_FROM)
    vm.kexec(cmdline=f"intel_iommu={there}")
    before = vm.data(f"peek {guest.memory} {steps.COPY_TO} 64")
    vm.jump()
    vm.wait_console(r"iommu: liveupdate: .*")
    check(not preserving.has_master(vm), "the device may still do DMA")
    vm.ok(f"config-write {EDU} 4 2 0x6")
    steps.edu_store(vm, preserving.resource(vm), steps.COPY_TO)
    steps.wait_fault(vm)
    equal(vm.gdb.read(page, 64), before, "memory that the device aimed at")
