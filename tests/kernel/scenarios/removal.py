# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A preserved device is reset, put to sleep, removed, pulled out: refused, or it waits."""
import preserving
import steps
from harness import check, equal, scenario
from topology import EDU_ARGUMENTS, find
from vm import EDU

DEVICES = "/sys/bus/pci/devices"
PORT = ("-device", "pcie-root-port,id=port0,bus=pcie.0,addr=07.0,chassis=1")
FAR_EDU = (*PORT, "-device", f"edu,id=far,bus=port0,{EDU_ARGUMENTS}")
# Behind a port virtio is a PCIe device: it has FLR and power management.
FAR_RNG = "bus=port0,addr=00.0"
VIRTIO_RNG = "1af4:1044"
FLR = 1 << 15


def capability(vm, bdf, kind):
    """Offset of a PCI capability."""
    at = vm.num(f"config-read {bdf} 0x34 1")
    while at:
        if vm.num(f"config-read {bdf} {at:#x} 1") == kind:
            return at
        at = vm.num(f"config-read {bdf} {at + 1:#x} 1")
    raise AssertionError(f"{bdf} lacks capability {kind:#x}")


def jump_image(lab, vm):
    """Jump, with what is handed over checked: the image, and the devices in it."""
    vm.jump_stopped()
    image = vm.dump("jump.elf")
    vm.land()
    preserving.verify(lab, image)
    return preserving.show(lab, image)


@scenario("reset-while-preserved", needs=["glue", "tool"])
def reset(lab):
    """FLR and bus reset, by vfio and by sysfs: busy before and after the jump, done otherwise."""
    for arguments, ids, method in (
            ({"devices": PORT, "rng": FAR_RNG}, VIRTIO_RNG, "flr"),
            ({"devices": FAR_EDU}, "1234:11e8", "bus")):
        vm = lab.start(edu=False, **arguments)
        bdf, = find(vm, ids)
        guest = preserving.device_guest(vm, bdf)
        preserving.mark(vm, guest)
        sysfs = f"write {DEVICES}/{bdf}/reset -- 1"
        methods = vm.read(f"{DEVICES}/{bdf}/reset_method").split()
        check(method in methods, f"{bdf} is reset by {methods}")
        vm.ok(f"reset {guest.cdev}")
        steps.enable_master(vm, guest.cdev)
        steps.open_session(vm)
        preserving.preserve(vm, guest)
        vm.err("EBUSY", f"reset {guest.cdev}")
        vm.err("EBUSY", sysfs)
        if method == "flr":
            express = capability(vm, bdf, 0x10)
            vm.ok(f"cdev-config-write {guest.cdev} {express + 8:#x} 2 {FLR:#x}")
        check(preserving.has_master(vm, bdf), "a refused reset took bus mastering away")
        vm.ok("close session0")
        vm.ok(f"reset {guest.cdev}")
        vm.ok(sysfs)
        steps.enable_master(vm, guest.cdev)
        vm.ok(f"session session0 liveupdate0 {steps.SESSION}")
        preserving.preserve(vm, guest)
        vm.kexec()
        handed = jump_image(lab, vm)
        equal([device["bdf"] for device in handed["devices"] if not device["deleted"]], [bdf],
              "devices in the handover")
        vm.err("EBUSY", sysfs)
        check(preserving.has_master(vm, bdf), "the device lost bus mastering")
        vm.stop()


@scenario("power-while-preserved", needs=["glue", "PM=y"])
def power(lab):
    """A preserved device is not put to sleep by its guest, and stays awake behind the jump."""
    vm = lab.start(edu=False, rng=FAR_RNG, devices=(
        *PORT, "-device", "pcie-root-port,id=port1,bus=pcie.0,addr=08.0,chassis=2",
        "-device", "virtio-rng-pci,bus=port1,disable-legacy=on,iommu_platform=on"))
    bdf, other = sorted(find(vm, VIRTIO_RNG))
    guest = preserving.device_guest(vm, bdf)
    preserving.mark(vm, guest)
    status = capability(vm, bdf, 1) + 4
    steps.open_session(vm)
    preserving.preserve(vm, guest)
    vm.ok(f"cdev-config-write {guest.cdev} {status:#x} 2 3")
    equal(vm.num(f"config-read {bdf} {status:#x} 2") & 3, 0, "power state")
    vm.kexec()
    vm.jump()
    for one in (bdf, other):
        vm.write(f"{DEVICES}/{one}/power/control", "auto")
        steps.give_to_vfio(vm, one)
    # The device beside it shows that falling asleep takes no longer than this.
    steps.wait_memory(lambda: vm.read(f"{DEVICES}/{other}/power/runtime_status").strip(),
                      "suspended", "sleep of the device that is not preserved")
    equal(vm.read(f"{DEVICES}/{bdf}/power/runtime_status").strip(), "active", "runtime status")
    equal(vm.num(f"config-read {bdf} {status:#x} 2") & 3, 0, "power state")
    check(preserving.has_master(vm, bdf), "the device lost bus mastering")


def state(vm, job="removal"):
    """How a write in the background stands."""
    return vm.ok(f"background-state {job}")


@scenario("removal-while-preserved", needs=["glue", "tool"])
def removal(lab):
    """Removing a preserved device waits for its session; no live update happens meanwhile."""
    vm = lab.start(devices=("-device", f"edu,id=edu1,addr=06.0,{EDU_ARGUMENTS}"))
    guest = preserving.preserved_guest(vm)
    vm.ok(f"background removal {DEVICES}/{EDU}/remove -- 1")
    vm.kexec()
    vm.wait_console(r"vfio-pci 0000:00:04\.0: No device request channel registered")
    equal(state(vm), "busy", "the removal of a preserved device")
    steps.edu_copy(vm, guest.bar)
    steps.check_copied(vm, guest.memory)
    vm.err("ENODEV", "reboot kexec")
    equal(state(vm), "busy", "the removal of a preserved device")
    vm.ok("close session0")
    vm.ok(f"close {guest.bar}")
    vm.ok(f"close {guest.cdev}")
    steps.wait_memory(lambda: state(vm), "done", "end of the removal")
    equal(vm.num(f"exists {DEVICES}/{EDU}"), 0, "presence of the device")
    vm.ok(f"close {guest.iommufd}")
    vm.ok(f"close {guest.memory}")

    # What goes through now holds another device and nothing of the removed one.
    vm.ok("close liveupdate0")
    other = "0000:00:06.0"
    guest = preserving.second_guest(vm, other)
    preserving.mark(vm, guest)
    steps.open_session(vm)
    preserving.preserve(vm, guest)
    handed = jump_image(lab, vm)
    equal([device["bdf"] for device in handed["devices"] if not device["deleted"]], [other],
          "devices in the handover")
    preserving.carried(vm, guest, other)


@scenario("removal-after-jump")
def removal_after_jump(lab):
    """After the jump a preserved device that nobody retrieved can be removed: its DMA ends, and its
    session can be finished."""
    vm = lab.start()
    guest = preserving.preserved_guest(vm)
    steps.edu_load(vm, guest.bar, steps.COPY_FROM)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    bar = steps.bar_address(vm)
    vm.kexec()
    vm.jump()
    vm.write(f"{DEVICES}/{EDU}/remove", "1")
    equal(vm.num(f"exists {DEVICES}/{EDU}"), 0, "presence of the device")
    check(EDU[5:] not in preserving.context_entries(vm), "its context entry is still present")
    gdb = vm.gdb
    before = gdb.read(page, 64)
    steps.outside_config(vm, EDU, 4, 6)
    steps.outside_store(gdb, bar, steps.COPY_TO)
    vm.resume()
    steps.wait_fault(vm)
    equal(vm.gdb.read(page, 64), before, "memory that the device aimed at")
    vm.resume()
    steps.reopen_session(vm)
    steps.retrieve_memory(vm, memory=guest.memory)
    vm.ok("finish session0")


# Linux's own, of vfio-pci and pciehp: a device's reset as it is opened against its removal.
RESET_AGAINST_REMOVAL = ("circular locking.*: &new_dev_set->lock --> &ctrl->reset_lock --> "
                         "pci_rescan_remove_lock$")


@scenario("hot-unplug-while-preserved", needs=["glue", "tool"], splats=[RESET_AGAINST_REMOVAL])
def hot_unplug(lab):
    """A preserved device's slot is asked to let go: it does when the session is closed."""
    vm = lab.start(devices=FAR_EDU)
    bdf = [found for found in find(vm, "1234:11e8") if found != EDU][0]
    guest = preserving.second_guest(vm, bdf)
    preserving.mark(vm, guest)
    steps.open_session(vm)
    preserving.preserve(vm, guest)
    vm.kexec()
    vm.qmp.execute("device_del", id="far")
    vm.wait_console(rf"vfio-pci {bdf}: No device request channel registered")
    steps.edu_copy(vm, guest.bar)
    steps.check_copied(vm, guest.memory)
    vm.err("ENODEV", "reboot kexec")
    equal(vm.qmp.seen("DEVICE_DELETED", device="far"), [], "the end of the device")
    vm.ok("close session0")
    vm.ok(f"close {guest.bar}")
    vm.ok(f"close {guest.cdev}")
    vm.qmp.wait_event("DEVICE_DELETED", 60, device="far")
    equal(vm.num(f"exists {DEVICES}/{bdf}"), 0, "presence of the device")
    vm.ok("close liveupdate0")
    preserving.preserved_guest(vm)
    handed = jump_image(lab, vm)
    equal([device["bdf"] for device in handed["devices"] if not device["deleted"]], [EDU],
          "devices in the handover")
