# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Context entries that were damaged where the seal doesn't reach, and records that nobody may follow."""
import os

import preserving
import steps
from corrupt import areas, at_the_jump, number
from harness import check, equal, scenario
from vm import EDU

SEAL_ONLY = "iommu_liveupdate.verify=seal iommu_liveupdate.on_error=block"
FORGED_DIRECTORY = 0x100000
# Bits of a context entry's first quadword in scalable mode: the size of the PASID directory.
LARGER_DIRECTORY = 1 << 9
RECORD_PASID_ENTRIES = 56


def context_entry(gdb, table):
    """Where the device's context entry is, in the tables that the next kernel goes on with."""
    root = number(table["iommus"][0]["root_table"])
    context = gdb.read_u64(root) & ~0xfff
    scalable = table["iommus"][0]["mode"] == "scalable"
    return context + (int(EDU[8:10], 16) << 3) * (32 if scalable else 16)


def is_cut_off(vm, table, old):
    """No way leads from the device to what it had: its entry is gone, or is the driver's own."""
    value = vm.gdb.read_u64(context_entry(vm.gdb, table))
    vm.resume()
    if value & 1:
        check(value & ~0xfff not in (old & ~0xfff, FORGED_DIRECTORY),
              f"the device still has the context entry {value:#x}")


def faults_again(vm, bar):
    """Even with bus mastering the device reaches nothing."""
    before = steps.fault_count(vm)
    vm.ok(f"config-write {EDU} 4 2 0x6")
    steps.edu_store(vm, bar, steps.COPY_TO)
    steps.wait_fault(vm, before=before)


def refused(lab, forge):
    """The handover is claimed, the device's entry is not what its record says: it is cut off."""
    vm, gdb, table, page = at_the_jump(lab, cmdline=SEAL_ONLY)
    entry = context_entry(gdb, table)
    old = gdb.read_u64(entry)
    check(old & 1, "the device has no context entry at the jump")
    gdb.write_u64(entry, forge(old))
    before = gdb.read(page, 64)
    vm.land()
    equal(areas(vm), set(), "findings of a kernel that looks at seals only")
    vm.wait_console(rf"{EDU}: can't be restored after live update")
    check(not preserving.has_master(vm), "the device may still do DMA")
    bar = preserving.resource(vm)
    faults_again(vm, bar)
    equal(vm.gdb.read(page, 64), before, "memory that the device aimed at")
    vm.resume()
    is_cut_off(vm, table, old)
    steps.reopen_session(vm)
    vm.err("EBUSY", "finish session0")
    vm.ok("close session0")
    vm.wait_console(rf"{EDU}.*abandoned|abandoned.*{EDU}")
    is_cut_off(vm, table, old)
    faults_again(vm, bar)


@scenario("refused-entry-leads-elsewhere", needs=["glue", "tool"])
def leads_elsewhere(lab):
    """The entry leads to memory that nobody preserved."""
    refused(lab, lambda entry: entry & 0xfff | FORGED_DIRECTORY)


@scenario("refused-directory-size", modes=["scalable", "first-stage"], needs=["glue", "tool"])
def directory_size(lab):
    """The entry leads to the right directory, with which hardware could go on: of another size."""
    refused(lab, lambda entry: entry ^ LARGER_DIRECTORY)


@scenario("refused-record-streamed", modes=["scalable", "first-stage"], needs=["glue", "tool"])
def streamed(lab):
    """A refused record with too many PASIDs to walk through: the stream ends all the same."""
    vm, gdb, table, _ = at_the_jump(lab, cmdline="iommu_liveupdate.on_error=block")
    at = number(table["devices"][0]["phys"]) + RECORD_PASID_ENTRIES
    gdb.write_u64(at, gdb.read_u64(at) | 0xffffffff)
    vm.land()
    check("SEAL" in areas(vm), f"found {areas(vm)}")
    image = preserving.pull(vm, preserving.INCOMING, os.path.join(lab.directory, "refused.ikho"))
    status, text = preserving.run_tool(lab, "verify", image)
    equal(status, 1, f"exit status of verify ({text[:2000]})")
    check("SEAL" in text, f"verify finds no broken seal: {text[:2000]}")
