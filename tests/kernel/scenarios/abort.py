# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Preserving is taken back: by closing the session, in any order, and by failures half-way."""
import preserving
import steps
from harness import check, equal, scenario
from preserving import CDEV_TOKEN, IOMMUFD_TOKEN

PAGES = "nr_iommu_pages"


def iommu_pages(vm):
    """Pages that the kernel accounts to IOMMU tables, what each CPU keeps to itself included."""
    vm.write("/proc/sys/vm/stat_refresh", "1")
    for line in vm.read("/proc/vmstat").splitlines():
        name, value = line.split()
        if name == PAGES:
            return int(value)
    raise AssertionError(f"no {PAGES} in vmstat")


def check_mutable(vm, guest):
    """Mappings can be changed, devices moved, the HWPT used."""
    other = steps.IOVA + (1 << 30)
    vm.ok(f"map-file {guest.iommufd} {guest.ioas} {guest.memory} 4096 iova={other:#x}")
    vm.ok(f"unmap {guest.iommufd} {guest.ioas} {other:#x} 4096")
    vm.ok(f"detach {guest.cdev}")
    vm.ok(f"attach {guest.cdev} {guest.hwpt}")


@scenario("abort-and-again")
def abort_and_again(lab):
    """Closing the session unpreserves everything; a second preserve and the jump work."""
    vm = lab.start()
    guest = steps.edu_guest(vm)
    preserving.mark(vm, guest)
    check_mutable(vm, guest)
    pages = iommu_pages(vm)
    for round_number in range(3):
        steps.open_session(vm)
        preserving.preserve(vm, guest)
        vm.err("EBUSY", f"unmap {guest.iommufd} {guest.ioas} {steps.IOVA:#x} {steps.SIZE}")
        vm.err("EBUSY", f"detach {guest.cdev}")
        if round_number < 2:
            vm.ok("close session0")
            vm.ok("close liveupdate0")
            check_mutable(vm, guest)
            equal(iommu_pages(vm), pages, "pages of IOMMU tables after the abort")
    vm.kexec()
    vm.jump()
    preserving.carried(vm, guest)


@scenario("abort-leaves-nothing", needs=["glue", "tool"])
def abort_leaves_nothing(lab):
    """After an abort KHO's own map holds what it held before."""
    vm = lab.start()
    guest = steps.edu_guest(vm)
    preserving.mark(vm, guest)
    vm.kexec()
    steps.open_session(vm)
    vm.ok("close session0")
    before = preserving.preserved_memory(lab, vm)
    for _ in range(2):
        vm.ok(f"session session0 liveupdate0 {steps.SESSION}")
        preserving.preserve(vm, guest)
        during = preserving.preserved_memory(lab, vm)
        check(during[0] >= before[0] + steps.SIZE, "preserving added nothing to KHO's map")
        vm.ok("close session0")
        equal(preserving.preserved_memory(lab, vm), before, "what KHO preserves after the abort")


@scenario("abort-one-of-two", needs=["glue", "tool"])
def abort_one_of_two(lab):
    """Two devices in two sessions: either can be aborted, the other one goes through."""
    for aborted in ("0", "1"):
        vm = lab.start(devices=("-device", "edu,id=edu1,addr=06.0,dma_mask=0xffffffffffffffff"))
        guest = steps.edu_guest(vm)
        preserving.mark(vm, guest)
        other = preserving.second_guest(vm, "0000:00:06.0")
        preserving.mark(vm, other)
        vm.ok("open liveupdate0 /dev/liveupdate")
        for name, one in (("0", guest), ("1", other)):
            vm.ok(f"session session{name} liveupdate0 vm-{name}")
            preserving.preserve(vm, one, f"session{name}")
        vm.ok(f"close session{aborted}")
        kept, bdf = (other, "0000:00:06.0") if aborted == "0" else (guest, "0000:00:04.0")
        vm.kexec()
        vm.jump_stopped()
        image = vm.dump("jump.elf")
        vm.land()
        preserving.verify(lab, image)
        live = [device["bdf"] for device in preserving.show(lab, image)["devices"]
                if not device["deleted"]]
        equal(live, [bdf], "devices in the handover")
        steps.reopen_session(vm, f"vm-{'1' if aborted == '0' else '0'}")
        steps.edu_copy(vm, preserving.resource(vm, bdf))
        steps.retrieve_memory(vm, memory=kept.memory)
        steps.check_copied(vm, kept.memory)
        equal(vm.faults(), [], "DMAR faults")
        vm.stop()


@scenario("unpreserve-in-every-order", needs=["glue", "tool"])
def every_order(lab):
    """Two iommufds of one process, their files preserved and let go in different orders.

    LUO takes the files of a session back last one first, and sessions when they are closed.
    """
    vm = lab.start(devices=("-device", "edu,id=edu1,addr=06.0,dma_mask=0xffffffffffffffff"))
    first = steps.edu_guest(vm)
    second = preserving.second_guest(vm, "0000:00:06.0")
    for guest in (first, second):
        preserving.mark(vm, guest)
        check_mutable(vm, guest)
    vm.kexec()
    vm.ok("open liveupdate0 /dev/liveupdate")
    before = preserving.preserved_memory(lab, vm)
    pages = iommu_pages(vm)

    def together():
        vm.ok("session session0 liveupdate0 vm-0")
        preserving.preserve(vm, first)
        preserving.preserve(vm, second, apart=1)
        vm.ok("close session0")

    def interleaved():
        vm.ok("session session0 liveupdate0 vm-0")
        for which, token, file in ((1, steps.MEMFD_TOKEN, second.memory),
                                   (0, steps.MEMFD_TOKEN, first.memory),
                                   (1, IOMMUFD_TOKEN, second.iommufd),
                                   (0, IOMMUFD_TOKEN, first.iommufd),
                                   (0, CDEV_TOKEN, first.cdev), (1, CDEV_TOKEN, second.cdev)):
            vm.ok(f"preserve session0 {token + which:#x} {file}")
        vm.ok("close session0")

    def apart(order):
        for name, guest in (("0", first), ("1", second)):
            vm.ok(f"session session{name} liveupdate0 vm-{name}")
            preserving.preserve(vm, guest, f"session{name}")
        for name in order:
            vm.ok(f"close session{name}")

    for let_go in (together, interleaved, lambda: apart("01"), lambda: apart("10")):
        let_go()
        for guest in (first, second):
            check_mutable(vm, guest)
        equal(iommu_pages(vm), pages, "pages of IOMMU tables")
        equal(preserving.preserved_memory(lab, vm), before, "what KHO preserves")

    vm.ok("session session0 liveupdate0 vm-1")
    preserving.preserve(vm, second, apart=1)
    preserving.preserve(vm, first)
    vm.jump()
    preserving.carried(vm, first)
    steps.retrieve_memory(vm, token=steps.MEMFD_TOKEN + 1, memory=second.memory)
    equal(vm.num(f"check {second.memory} {steps.SEED}"), 0, "words of the other memory that differ")
    steps.edu_copy(vm, preserving.resource(vm, "0000:00:06.0", "resource1"))
    steps.check_copied(vm, second.memory)


@scenario("wrong-order")
def wrong_order(lab):
    """The device before its iommufd, the iommufd before its memory: refused, and then it works."""
    vm = lab.start()
    guest = steps.edu_guest(vm)
    preserving.mark(vm, guest)
    steps.open_session(vm)
    vm.err("ENOENT", f"preserve session0 {CDEV_TOKEN:#x} {guest.cdev}")
    vm.err("ENOENT", f"preserve session0 {IOMMUFD_TOKEN:#x} {guest.iommufd}")
    check_mutable(vm, guest)
    preserving.preserve_memory(vm, guest)
    vm.err("ENOENT", f"preserve session0 {CDEV_TOKEN:#x} {guest.cdev}")
    check_mutable(vm, guest)
    preserving.preserve_rest(vm, guest)
    vm.err(["EBUSY", "EEXIST"], f"preserve session0 0x999 {guest.iommufd}")
    vm.err(["EBUSY", "EEXIST"], f"preserve session0 0x999 {guest.cdev}")
    vm.kexec()
    vm.jump()
    preserving.carried(vm, guest)
