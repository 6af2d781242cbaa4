# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A device that is opened while it runs, and an HWPT that is kept for too long."""
import preserving
import resuming
import steps
from harness import check, equal, scenario
from removal import FAR_RNG, PORT, VIRTIO_RNG
from topology import find
from vm import EDU

COMMAND = 4
COMMAND_MEMORY = 0x2
COMMAND_MASTER = 0x4
COMMAND_INTX_DISABLE = 0x400
STATUS = 6
STATUS_CAPABILITIES = 0x10
CAPABILITY_POWER = 0x01
CAPABILITY_MSIX = 0x11
# From the start of the MSI-X capability to its control, and what that has.
MSIX_CONTROL = 2
MSIX_ENABLE = 0x8000
# From the start of the power management capability to PMCSR.
POWER_STATE = 4
D3HOT = 3
DEVICE_HAS_RESET = 1


def capability(vm, bdf, wanted):
    """Where a capability of a device begins."""
    check(vm.num(f"config-read {bdf} {STATUS} 2") & STATUS_CAPABILITIES, f"{bdf} has no list")
    at = vm.num(f"config-read {bdf} 0x34 1") & 0xfc
    for _ in range(48):
        if not at:
            break
        if vm.num(f"config-read {bdf} {at} 1") == wanted:
            return at
        at = vm.num(f"config-read {bdf} {at + 1} 1") & 0xfc
    raise AssertionError(f"{bdf} has no capability {wanted:#x}")


def commands(vm, guest):
    """PCI_COMMAND: the device's, and the one that the monitor sees."""
    return (vm.num(f"config-read {guest.bdf} {COMMAND} 2"),
            vm.num(f"cdev-config-read {guest.cdev} {COMMAND} 2"))


@scenario("opened-while-running")
def opened(lab):
    """Opening a device on restored tables: no reset, no D3, bus mastering stays, old interrupts are
    off. Closing stops it; opened once more, it can still be taken over."""
    vm = lab.start(edu=False, devices=PORT, rng=FAR_RNG)
    bdf, = find(vm, VIRTIO_RNG)
    guest = preserving.preserved_guest(vm, bdf)
    has_reset = int(vm.ok(f"device-info {guest.cdev}").split()[0], 0) & DEVICE_HAS_RESET
    check(has_reset, "the device has no reset")
    vm.kexec()
    vm.jump()
    takeover = resuming.Takeover(vm, guest)
    takeover.run(until="iommufd")
    steps.give_to_vfio(vm, bdf)
    msix = capability(vm, bdf, CAPABILITY_MSIX) + MSIX_CONTROL
    power = capability(vm, bdf, CAPABILITY_POWER) + POWER_STATE
    before = vm.num(f"config-read {bdf} {COMMAND} 2")
    check(before & COMMAND_MASTER, "the jump took bus mastering away")
    # As if it had been left on.
    control = vm.num(f"config-read {bdf} {msix} 2")
    vm.ok(f"config-write {bdf} {msix} 2 {control | MSIX_ENABLE:#x}")
    vm.ok(f"cdev {guest.cdev} {bdf}")
    takeover.bind(guest.cdev)

    real, virtual = commands(vm, guest)
    on = COMMAND_MEMORY | COMMAND_MASTER
    equal(real & (on | COMMAND_INTX_DISABLE), on | COMMAND_INTX_DISABLE, "the device's PCI_COMMAND")
    equal(virtual & (on | COMMAND_INTX_DISABLE), on, "PCI_COMMAND as the monitor sees it")
    for read in ("config-read " + bdf, "cdev-config-read " + guest.cdev):
        check(not vm.num(f"{read} {msix} 2") & MSIX_ENABLE, f"MSI-X is on ({read})")
    info = int(vm.ok(f"device-info {guest.cdev}").split()[0], 0)
    check(info & DEVICE_HAS_RESET, f"the device can't be reset any more: {info:#x}")
    for register in range(0x10, 0x28, 4):
        equal(vm.num(f"cdev-config-read {guest.cdev} {register} 4"),
              vm.num(f"config-read {bdf} {register} 4"), f"BAR at {register:#x}")

    state = vm.num(f"config-read {bdf} {power} 2")
    vm.ok(f"cdev-config-write {guest.cdev} {power} 2 {state | D3HOT:#x}")
    equal(vm.num(f"config-read {bdf} {power} 2") & 3, 0, "the device's power state")
    vm.err("EBUSY", f"reset {guest.cdev}")
    vm.err("EBUSY", f"write /sys/bus/pci/devices/{bdf}/reset -- 1")
    check(preserving.has_master(vm, bdf), "refused resets took bus mastering away")

    # Nobody else has this file: closing stops the device, which stays on its tables.
    vm.ok(f"close {guest.cdev}")
    check(not preserving.has_master(vm, bdf), "the closed device may do DMA")
    check(bdf[5:] in preserving.context_entries(vm), "the closed device lost its entry")
    vm.err("EBUSY", "finish session0")
    vm.err("ENODEV", f"hwpt-restore {guest.iommufd} {preserving.HWPT_TOKEN:#x}")
    vm.ok(f"cdev {guest.cdev} {bdf}")
    takeover.bind(guest.cdev)
    equal([value & COMMAND_MASTER for value in commands(vm, guest)], [0, 0], "bus mastering")
    steps.enable_master(vm, guest.cdev)
    # Once more, with the HWPT restored but nothing attached to it.
    takeover.restore()
    vm.ok(f"close {guest.cdev}")
    check(bdf[5:] in preserving.context_entries(vm), "the device lost its entry with the HWPT")
    vm.ok(f"cdev {guest.cdev} {bdf}")
    takeover.bind(guest.cdev)
    steps.enable_master(vm, guest.cdev)
    takeover.run(after="restore")
    vm.ok(f"reset {guest.cdev}")
    steps.enable_master(vm, guest.cdev)
    rng = steps.VirtioRng(vm, guest.memory, cdev=guest.cdev)
    rng.start()
    offset = rng.post()
    rng.wait_request()
    value = bytes(range(1, rng.LENGTH + 1))
    rng.feed(value)
    steps.wait_memory(lambda: vm.data(f"peek {guest.memory} {offset} {len(value)}"), value,
                      "what virtio-rng was fed")
    equal(vm.faults(), [], "DMAR faults")


@scenario("restored-hwpt-kept")
def kept(lab):
    """A restored HWPT that outlives its session is of no use, and in nobody's way: the iommufd goes
    through the next live update with it."""
    vm = lab.start(lab.kernel, lab.kernel, lab.kernel)
    guest = preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump()
    takeover = resuming.Takeover(vm, guest)
    takeover.run(until=f"adopt {guest.cdev}")
    old = takeover.restored
    vm.err("EOPNOTSUPP", f"dirty-tracking {guest.iommufd} {old} 1")
    vm.err("EOPNOTSUPP", f"dirty-bitmap {guest.iommufd} {old} {steps.IOVA:#x} {steps.SIZE}")
    vm.err("EINVAL", f"mark {guest.iommufd} {old} 77")
    resuming.open_session(vm, "vm-next", "session1")
    # The session that gave them out has them still.
    for file in (guest.memory, guest.iommufd, guest.cdev):
        vm.err("EBUSY", f"preserve session1 0x55 {file}")
    takeover.run(after=f"adopt {guest.cdev}", until=f"replace {guest.cdev}")
    takeover.finish()
    takeover.close_session()
    vm.err("ENXIO", f"attach {guest.cdev} {old}")
    vm.err("ENOENT", f"hwpt-restore {guest.iommufd} {preserving.HWPT_TOKEN:#x}")
    vm.err("EINVAL", f"mark {guest.iommufd} {old} 77")
    preserving.preserve(vm, guest, "session1")
    vm.ok("close session1")
    resuming.open_session(vm)
    preserving.preserve(vm, guest)
    steps.edu_load(vm, preserving.resource(vm, EDU, "resource1"), steps.COPY_FROM)
    vm.kexec()
    vm.jump()
    bar = preserving.resource(vm, EDU, "resource2")
    steps.edu_store(vm, bar, steps.COPY_TO)
    again = resuming.Takeover(vm, guest)
    again.run()
    steps.check_copied(vm, guest.memory)
    equal(vm.faults(), [], "DMAR faults")
    vm.ok(f"fill {guest.memory} {steps.SEED}")
    resuming.is_taken_back(vm, guest, bar)
