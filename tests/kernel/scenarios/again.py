# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One live update after another."""
import os

import handover
import preserving
import steps
from harness import check, equal, scenario
from no_live_update import translating
from vm import EDU

RELEASE = "/proc/sys/kernel/osrelease"


@scenario("second-while-unfinished")
def second_while_unfinished(lab):
    """A second live update while the first one's device was not taken over: the device is stopped.

    Its session was not handed on, so the third kernel knows neither device nor memory: the device
    must not write there. Sessions with memfds alone go on afterwards.
    """
    kernels = [lab.kernel] * 6
    vm = lab.start(*kernels)
    guest = preserving.preserved_guest(vm)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    vm.kexec()
    vm.jump()
    bar = preserving.resource(vm)
    steps.edu_load(vm, bar, steps.COPY_FROM)
    steps.open_session(vm, "vm-2")
    steps.make_memory(vm, "memory1", seed=11)
    vm.ok("preserve session0 0x1 memory1")
    address = steps.bar_address(vm)
    vm.kexec()
    gdb = vm.jump_stopped()
    before = gdb.read(page, 64)
    check(not translating(vm), "translation is on at the second jump")
    steps.outside_store(gdb, address, steps.COPY_TO)
    vm.next_stop("start_kernel")
    check(steps.outside_done(vm, address), "the DMA has not been tried yet")
    equal(gdb.read(page, 64), before, "memory that the device aimed at")
    vm.land()
    check(not preserving.has_master(vm), "the device may still do DMA")
    for count in range(3):
        steps.reopen_session(vm, "vm-2")
        vm.ok("retrieve session0 0x1 memory1")
        vm.ok("mmap memory1")
        equal(vm.num("check memory1 11"), 0, f"words that differ after {count + 2} jumps")
        vm.ok("finish session0")
        vm.ok("close session0")
        vm.ok("session session0 liveupdate0 vm-2")
        vm.ok("preserve session0 0x1 memory1")
        vm.kexec()
        vm.jump()
    steps.reopen_session(vm, "vm-2")


@scenario("fresh-device-after-live-update")
def fresh_device(lab):
    """After a live update that carried only a memfd, a device can be preserved and carried."""
    vm = lab.start(lab.kernel, lab.kernel, lab.kernel)
    steps.make_memory(vm, "memory9", seed=3)
    steps.open_session(vm, "first")
    vm.ok("preserve session0 1 memory9")
    vm.kexec()
    vm.jump()
    steps.reopen_session(vm, "first")
    vm.ok("retrieve session0 1 memory9")
    vm.ok("finish session0")
    vm.ok("close session0")
    vm.ok("close liveupdate0")
    guest = preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump()
    preserving.carried(vm, guest)


@scenario("next-other-version", needs=["glue", "next", "tool"])
def other_version(lab):
    """Into a kernel of another version: 7.2 and 7.3 speak kho-v4, luo-v5 and memfd-v2 both, so the
    device goes through as it does between two kernels of one version."""
    vm = lab.start(lab.kernel, lab.next)
    first = vm.read(RELEASE).strip()
    guest = preserving.preserved_guest(vm)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    vm.kexec()
    vm.jump_stopped()
    vm.land()
    second = vm.read(RELEASE).strip()
    check(first.split(".")[:2] != second.split(".")[:2], f"both kernels are Linux {second}")
    lab.notes.append(f"from {first} to {second}")
    check(preserving.has_master(vm), "the device lost bus mastering")
    steps.edu_copy(vm, preserving.resource(vm))
    equal(vm.faults(), [], "DMAR faults")
    incoming = preserving.pull(vm, preserving.INCOMING, os.path.join(vm.dir, "incoming.ikho"))
    preserving.verify(lab, incoming)
    equal(preserving.translate(lab, incoming, steps.IOVA + steps.COPY_TO)["phys"], hex(page),
          "physical address of the target, in the second kernel")
    steps.give_to_vfio(vm)
    vm.ok(f"cdev fresh {EDU}")
    vm.ok("iommufd iommufd9")
    vm.err("EPERM", "bind fresh iommufd9")
    steps.reopen_session(vm)
    steps.retrieve_memory(vm, memory=guest.memory)
    steps.check_copied(vm, guest.memory)


@scenario("luo-of-another-version")
def luo_version(lab):
    """LUO's state has a version that the next kernel doesn't speak: LUO panics before IOMMUs are set
    up, so the device never runs without its tables."""
    vm = lab.start()
    preserving.preserved_guest(vm)
    vm.kexec()
    gdb = vm.jump_stopped()
    luo = handover.Handover(vm).luo
    gdb.write_u64(luo, gdb.read_u64(luo) ^ (ord("4") ^ ord("5")) << 40)
    equal(gdb.read(luo, 8), b"luo-v4\0\0", "the forged version")
    vm.resume()
    panic = vm.wait_panic()
    check("The incoming tree failed to initialize properly" in panic, f"not LUO's panic: {panic}")
    vm.wait_console(r"LUO state is incompatible with 'luo-v5'", alive=False)
    vm.wait_off()
    check(translating(vm), "translation was off before the machine was reset")
    equal(vm.faults(), [], "DMAR faults")
