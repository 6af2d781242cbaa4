# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A device with an address translation cache of its own."""
import preserving
import steps
from harness import check, equal, scenario
from removal import FAR_RNG, PORT, VIRTIO_RNG
from topology import find
from vm import UNITS

ATS = 0xf
ENABLED = 1 << 15


def ats_control(vm, bdf):
    """The ATS control register of a device."""
    at = 0x100
    while at:
        header = vm.num(f"config-read {bdf} {at:#x} 4")
        if header & 0xffff == ATS:
            return vm.num(f"config-read {bdf} {at + 6:#x} 2")
        at = header >> 20
    raise AssertionError(f"{bdf} has no ATS")


@scenario("ats", needs=["glue", "tool"])
def ats(lab):
    """A device with ATS enabled goes through, and its DMA goes on."""
    vm = lab.start(edu=False, devices=PORT, rng=FAR_RNG + ",ats=on",
                   unit=UNITS[lab.mode] + ",device-iotlb=on")
    bdf, = find(vm, VIRTIO_RNG)
    guest = preserving.device_guest(vm, bdf)
    check(ats_control(vm, bdf) & ENABLED, "ATS is not enabled before the jump")
    rng = steps.VirtioRng(vm, guest.memory, cdev=guest.cdev)
    rng.start()
    preserving.mark(vm, guest)
    steps.open_session(vm)
    preserving.preserve(vm, guest)
    offset = rng.post()
    rng.wait_request()
    vm.kexec()
    vm.jump_stopped()
    image = vm.dump("jump.elf")
    vm.land()
    preserving.verify(lab, image)
    handed, = preserving.show(lab, image)["devices"]
    lab.note(f"flags of the device: {handed.get('flags')}")
    lab.note("ATS is {} after the jump".format(
        "on" if ats_control(vm, bdf) & ENABLED else "off"))
    rng.feed(b"\x44" * 64)
    steps.reopen_session(vm)
    steps.retrieve_memory(vm, memory=guest.memory)
    steps.wait_memory(lambda: vm.data(f"peek {guest.memory} {offset} 64"), b"\x44" * 64,
                      "the rng device's DMA")
    equal(vm.faults(), [], "DMAR faults")
