# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One live update after another."""
import preserving
import steps
from harness import check, equal, scenario
from no_live_update import translating


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
    vm.kexec()
    steps.edu_store(vm, bar, steps.COPY_TO, wait=0)
    gdb = vm.jump_stopped()
    before = gdb.read(page, 64)
    check(not translating(vm), "translation is on at the second jump")
    vm.next_stop("start_kernel")
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
    steps.edu_copy(vm, preserving.resource(vm))
    steps.reopen_session(vm)
    steps.retrieve_memory(vm, memory=guest.memory)
    steps.check_copied(vm, guest.memory)
    equal(vm.faults(), [], "DMAR faults")


@scenario("next-other-version", needs=["glue", "next"])
def other_version(lab):
    """Into a kernel of another version: it takes everything over, or LUO refuses it by a panic."""
    vm = lab.start(lab.kernel, lab.next)
    guest = preserving.preserved_guest(vm)
    vm.kexec()
    vm.send("reboot kexec")
    match = vm.wait_console(r"Kernel panic - not syncing: .*|agent: ready.*", timeout=120,
                            alive=False)
    lab.notes.append(match.group(0))
    if "panic" in match.group(0):
        check("luo" in vm.console().lower(), "a panic that doesn't come from LUO")
        return
    vm.wait_agent()
    vm.index = 1
    steps.edu_copy(vm, preserving.resource(vm))
    steps.reopen_session(vm)
    steps.retrieve_memory(vm, memory=guest.memory)
    steps.check_copied(vm, guest.memory)
    equal(vm.faults(), [], "DMAR faults")
