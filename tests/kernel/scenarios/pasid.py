# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Attachments by PASID, chosen one by one: no device of QEMU has PASIDs, so none does DMA with one.

The kernel is told to take edu for a device that has, which gives its PASIDs entries in the
hardware's tables: those are looked at. Requests without PASID, which edu does, go on meanwhile.
"""
import re
import struct

import preserving
import resuming
import steps
from harness import check, equal, scenario
from vm import EDU, UNITS

NEEDS = ("glue", "tool", "IOMMU_LIVEUPDATE_FAULT_INJECTION=y")
MODES = ("scalable", "first-stage")
FAKE_PASIDS = "/sys/module/iommu_liveupdate/parameters/fake_pasids"
# In different PASID tables; the first one is on the HWPT of requests without PASID.
SHARING = 5
APART = 0x1234
APART_TOKEN = preserving.HWPT_TOKEN + 1
PAGE_MASK = (1 << 52) - 4096
# PASIDE of a scalable context entry
PASID_ENABLE = 1 << 3


def start(lab, *kernels):
    """edu with two PASIDs attached, one of them to an HWPT of its own; nothing is marked."""
    vm = lab.start(*kernels, unit=UNITS[lab.mode] + ",x-pasid-mode=on")
    vm.write(FAKE_PASIDS, EDU)
    guest = steps.edu_guest(vm, hwpt_options="pasid=1")
    guest.apart = vm.num(f"hwpt {guest.iommufd} {guest.device} {guest.ioas} pasid=1")
    vm.ok(f"attach {guest.cdev} {guest.hwpt} pasid={SHARING}")
    vm.ok(f"attach {guest.cdev} {guest.apart} pasid={APART}")
    return vm, guest


def mark_all(vm, guest):
    """Both HWPTs and both PASIDs."""
    preserving.mark(vm, guest)
    vm.ok(f"mark {guest.iommufd} {guest.apart} {APART_TOKEN:#x}")
    for pasid in (SHARING, APART):
        vm.ok(f"mark-pasid {guest.iommufd} {guest.device} {pasid}")


def entries(read, directory):
    """The PASID entries that are present: {PASID: eight words}. read: of physical memory."""
    found = {}
    words = struct.unpack("<512Q", read(directory, 4096))
    for index, word in enumerate(words):
        if not word & 1:
            continue
        table = struct.unpack("<512Q", read(word & PAGE_MASK, 4096))
        for at in range(64):
            entry = table[at * 8:at * 8 + 8]
            if entry[0] & 1:
                found[index * 64 + at] = entry
    return found


def live_entries(vm, directory):
    """Likewise, of the running machine."""
    found = entries(vm.gdb.read, directory)
    vm.resume()
    return found


def leads_to(entry):
    """The domain id and the top table of an entry."""
    first_stage = entry[0] >> 6 & 7 == 1
    return entry[1] & 0xffff, entry[2 if first_stage else 0] & PAGE_MASK


def enable_pasids(lab, vm, gdb):
    """What Linux sets in the context entry of a device with the capability, which edu lacks."""
    unit, = preserving.show(lab, vm.dump("without.elf"))["iommus"]
    bus, device, function = (int(word, 16) for word in re.split("[:.]", EDU)[1:])
    context = gdb.read_u64(int(unit["root_table"], 0) + 16 * bus) & PAGE_MASK
    entry = context + 32 * (8 * device + function)
    gdb.write_u64(entry, gdb.read_u64(entry) | PASID_ENABLE)


def cross(lab, vm, guest):
    """Preserve and jump; returns where the PASID directory is, and the entries in it."""
    mark_all(vm, guest)
    resuming.open_session(vm)
    preserving.preserve(vm, guest)
    vm.kexec()
    gdb = vm.jump_stopped()
    enable_pasids(lab, vm, gdb)
    image = vm.dump("jump.elf")
    shown = preserving.show(lab, image)
    device, = shown["devices"]
    directory = int(device["pasid_table"], 0)
    handed = entries(gdb.read, directory)
    vm.land()
    preserving.verify(lab, image)
    equal(sorted(handed), [0, SHARING, APART], "PASIDs with an entry at the jump")
    equal(leads_to(handed[SHARING]), leads_to(handed[0]), "where the PASID of the same HWPT leads")
    check(leads_to(handed[APART])[1] != leads_to(handed[0])[1], "two HWPTs have the same table")
    attached = [each.get("pasid") for each in shown["attachments"]]
    equal(sorted(int(str(pasid), 0) for pasid in attached if pasid not in (None, 0, "0")),
          [SHARING, APART], f"PASIDs in the records ({shown['attachments']})")
    vm.write(FAKE_PASIDS, EDU)
    equal(live_entries(vm, directory), handed, "entries in the next kernel")
    return directory, handed


class Takeover(resuming.Takeover):
    """A monitor that takes PASIDs back, too."""

    def restore(self):
        super().restore()
        self.restored_apart = self.vm.num(f"hwpt-restore {self.guest.iommufd} {APART_TOKEN:#x}")

    def hwpt(self):
        device = self.ids[next(iter(self.devices))]
        command = f"hwpt {self.guest.iommufd} {device} {self.guest.ioas} pasid=1"
        self.guest.hwpt = self.vm.num(command)


@scenario("pasid-refused", modes=MODES, needs=NEEDS)
def refused(lab):
    """A device with a PASID attached that is not marked, or to an HWPT that is not, is refused."""
    vm, guest = start(lab)
    preserving.mark(vm, guest)
    mark = f"mark-pasid {guest.iommufd}"
    vm.err("EOPNOTSUPP", f"{mark} {guest.device} {SHARING} reserved=1")
    vm.err("EINVAL", f"{mark} {guest.device} 0")
    vm.err("ENOENT", f"{mark} {guest.device} {SHARING + 1}")
    vm.err("ENOENT", f"{mark} 4711 {SHARING}")
    vm.ok(f"{mark} {guest.device} {SHARING}")
    resuming.open_session(vm)
    preserving.preserve_memory(vm, guest)
    vm.ok(f"preserve session0 {preserving.IOMMUFD_TOKEN:#x} {guest.iommufd}")
    vm.err("EOPNOTSUPP", f"preserve session0 {preserving.CDEV_TOKEN:#x} {guest.cdev}")
    vm.ok(f"{mark} {guest.device} {APART}")
    vm.err("EINVAL", f"preserve session0 {preserving.CDEV_TOKEN:#x} {guest.cdev}")
    vm.ok("close session0")
    steps.edu_copy(vm, guest.bar)
    steps.check_copied(vm, guest.memory)

    # A mark goes with its attachment, and stays when that gets another HWPT.
    vm.ok(f"mark {guest.iommufd} {guest.apart} {APART_TOKEN:#x}")
    vm.ok(f"attach {guest.cdev} {guest.hwpt} pasid={APART}")
    vm.ok(f"attach {guest.cdev} {guest.apart} pasid={APART}")
    vm.ok(f"detach {guest.cdev} pasid={SHARING}")
    vm.ok(f"attach {guest.cdev} {guest.hwpt} pasid={SHARING}")
    resuming.open_session(vm)
    preserving.preserve_memory(vm, guest)
    vm.ok(f"preserve session0 {preserving.IOMMUFD_TOKEN:#x} {guest.iommufd}")
    vm.err("EOPNOTSUPP", f"preserve session0 {preserving.CDEV_TOKEN:#x} {guest.cdev}")
    vm.ok(f"{mark} {guest.device} {SHARING}")
    vm.ok(f"preserve session0 {preserving.CDEV_TOKEN:#x} {guest.cdev}")
    for command in (f"attach {guest.cdev} {guest.apart} pasid={SHARING}",
                    f"attach {guest.cdev} {guest.apart} pasid={SHARING + 1}",
                    f"detach {guest.cdev} pasid={SHARING}", f"{mark} {guest.device} {SHARING}"):
        vm.err("EBUSY", command)
    vm.ok("close session0")
    vm.ok(f"detach {guest.cdev} pasid={SHARING}")
    vm.ok(f"detach {guest.cdev} pasid={APART}")
    equal(vm.faults(), [], "DMAR faults")


@scenario("pasid-circle", modes=MODES, needs=NEEDS)
def circle(lab):
    """Both marked: their entries, and no others, cross the jump; adopt, replace, leave, finish."""
    vm, guest = start(lab)
    traffic = resuming.Traffic(guest)
    traffic.across(vm, "nothing", lambda: None)
    directory, handed = cross(lab, vm, guest)
    traffic.land(vm)
    takeover = Takeover(vm, guest)
    takeover.run(until=f"adopt {guest.cdev}", around=traffic.across)
    equal(live_entries(vm, directory), handed, "entries after RID is adopted")
    vm.err("EINVAL", f"attach {guest.cdev} {takeover.restored} pasid={SHARING + 1}")
    vm.err("EINVAL", f"attach {guest.cdev} {takeover.restored} pasid={APART}")
    for pasid, hwpt in ((SHARING, takeover.restored), (APART, takeover.restored_apart)):
        traffic.across(vm, f"adopt {pasid}",
                       lambda at=pasid, to=hwpt: vm.ok(f"attach {guest.cdev} {to} pasid={at}"))
    equal(live_entries(vm, directory), handed, "entries after all are adopted")
    takeover.run(after=f"adopt {guest.cdev}", until=f"replace {guest.cdev}", around=traffic.across)
    left = live_entries(vm, directory)
    check(left[0] != handed[0], "the entry of requests without PASID is the old one")
    equal({at: left[at] for at in (SHARING, APART)}, {at: handed[at] for at in (SHARING, APART)},
          "entries of PASIDs after the replace of requests without")
    vm.err("EBUSY", "finish session0")
    for pasid in (SHARING, APART):
        traffic.across(vm, f"replace {pasid}",
                       lambda at=pasid: vm.ok(f"attach {guest.cdev} {guest.hwpt} pasid={at}"))
        left = live_entries(vm, directory)
        equal(leads_to(left[pasid]), leads_to(left[0]), f"where PASID {pasid} leads")
        vm.err("EINVAL", f"attach {guest.cdev} {takeover.restored} pasid={pasid}")
        equal(live_entries(vm, directory), left, "entries after a refused way back")
        if pasid == SHARING:
            vm.err("EBUSY", "finish session0")
    vm.ok(f"destroy {guest.iommufd} {takeover.restored_apart}")
    takeover.run(after=f"replace {guest.cdev}", around=traffic.across)
    equal(sorted(live_entries(vm, directory)), [0, SHARING, APART], "PASIDs with an entry")
    traffic.check_all(vm)
    for pasid in (SHARING, APART):
        vm.ok(f"detach {guest.cdev} pasid={pasid}")
    equal(sorted(live_entries(vm, directory)), [0], "PASIDs with an entry in the end")
    vm.ok(f"fill {guest.memory} {steps.SEED}")
    resuming.is_taken_back(vm, guest)


@scenario("pasid-not-wanted", modes=MODES, needs=NEEDS)
def not_wanted(lab):
    """PASIDs that the monitor does not adopt are blocked when it detaches the device."""
    vm, guest = start(lab)
    directory, handed = cross(lab, vm, guest)
    takeover = Takeover(vm, guest)
    takeover.run(until=f"replace {guest.cdev}")
    equal(sorted(live_entries(vm, directory)), sorted(handed), "PASIDs with an entry")
    vm.err("EBUSY", "finish session0")
    vm.ok(f"detach {guest.cdev}")
    equal(sorted(live_entries(vm, directory)), [], "PASIDs with an entry after detach")
    vm.ok(f"destroy {guest.iommufd} {takeover.restored_apart}")
    vm.ok(f"attach {guest.cdev} {guest.hwpt}")
    takeover.run(after=f"replace {guest.cdev}")
    equal(sorted(live_entries(vm, directory)), [0], "PASIDs with an entry in the end")
    equal(vm.faults(), [], "DMAR faults")


@scenario("pasid-abandon", modes=MODES, needs=NEEDS)
def abandon(lab):
    """One PASID is adopted, then the session is closed: all is blocked, its memory is freed."""
    vm, guest = start(lab)
    directory, _ = cross(lab, vm, guest)
    taken = resuming.counters(vm)
    takeover = Takeover(vm, guest)
    takeover.run(until=f"adopt {guest.cdev}")
    vm.ok(f"attach {guest.cdev} {takeover.restored_apart} pasid={APART}")
    vm.ok("close session0")
    check(not preserving.has_master(vm), "edu may do DMA")
    equal(sorted(live_entries(vm, directory)), [], "PASIDs with an entry after the close")
    vm.ok(f"detach {guest.cdev} pasid={APART}")
    vm.ok(f"close {guest.cdev}")
    vm.ok(f"close {guest.iommufd}")
    vm.ok(f"close {guest.memory}")
    vm.ok("sleep 300")
    left = resuming.counters(vm)
    check(left["MemTotal"] >= taken["MemTotal"] + steps.SIZE // 1024,
          f"the guest's memory was not freed: {taken}, {left}")
    check(left["preserved pages"] < 4, f"the handover was not finished: {left}")
    equal(vm.faults(), [], "DMAR faults")
