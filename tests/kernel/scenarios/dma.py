# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A device's DMA before, across and after the jump."""
import os

import preserving
import steps
from harness import check, equal, scenario
from vm import EDU, RNG


def back_in_second_kernel(vm, guest):
    """Get the memory back after the jump."""
    steps.reopen_session(vm)
    steps.retrieve_memory(vm, memory=guest.memory)


@scenario("dma-through-the-jump", needs=["glue", "tool"])
def through_the_jump(lab):
    """A DMA started in the second kernel, before anything opens an iommufd, lands in the memfd."""
    vm = lab.start()
    guest = steps.edu_guest(vm)
    equal(steps.translation_type(vm, EDU), lab.mode, "kind of translation")
    preserving.mark(vm, guest)
    steps.open_session(vm)
    preserving.preserve(vm, guest)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    outgoing = preserving.pull(vm, preserving.OUTGOING, os.path.join(vm.dir, "outgoing.ikho"))
    preserving.verify(lab, outgoing)
    vm.kexec()
    vm.jump_stopped()
    jump = vm.dump("jump.elf")
    vm.land()
    preserving.verify(lab, jump)
    answer = preserving.translate(lab, jump, steps.IOVA + steps.COPY_TO)
    equal(answer["phys"], hex(page), "physical address of the target")
    equal(answer["memfd"], hex(steps.MEMFD_TOKEN), "memfd of the target")

    check(preserving.has_master(vm), "the device lost bus mastering")
    bar = preserving.resource(vm)
    steps.edu_copy(vm, bar)
    equal(vm.faults(), [], "DMAR faults")
    incoming = preserving.pull(vm, preserving.INCOMING, os.path.join(vm.dir, "incoming.ikho"))
    preserving.verify(lab, incoming)
    equal(preserving.translate(lab, incoming, steps.IOVA + steps.COPY_TO)["phys"], hex(page),
          "physical address of the target, in the second kernel")
    back_in_second_kernel(vm, guest)
    steps.check_copied(vm, guest.memory)


@scenario("dma-in-flight-edu")
def in_flight_edu(lab):
    """A DMA that is under way at the jump lands while no kernel is up."""
    vm = lab.start()
    guest = preserving.preserved_guest(vm)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    steps.edu_load(vm, guest.bar, steps.COPY_FROM)
    bar = steps.bar_address(vm)
    expected = vm.data(f"peek {guest.memory} {steps.COPY_FROM} 64")
    vm.kexec()
    gdb = vm.jump_stopped()
    check(gdb.read(page, 64) != expected, "the target holds the bytes already")
    steps.outside_store(gdb, bar, steps.COPY_TO)
    vm.next_stop("start_kernel")
    check(steps.outside_done(vm, bar), "the DMA has not happened yet")
    equal(gdb.read(page, 64), expected, "memory when start_kernel() is reached")
    vm.land()
    back_in_second_kernel(vm, guest)
    steps.check_copied(vm, guest.memory)
    equal(vm.faults(), [], "DMAR faults")


def feed_running(rng, data):
    """Feed the device once the machine runs again: what comes before, it drops."""
    steps.wait_memory(lambda: rng.vm.qmp.execute("query-status")["running"], True,
                      "the machine's going on")
    rng.feed(data)


@scenario("dma-in-flight-virtio")
def in_flight_virtio(lab):
    """A virtio device writes memory when the host says so: at the jump, at boot, and after."""
    vm = lab.start(rng=True)
    guest = steps.edu_guest(vm)
    rng = steps.add_rng(vm, guest)
    preserving.mark(vm, guest)
    steps.open_session(vm)
    preserving.preserve(vm, guest)
    vm.ok(f"preserve session0 0x201 {rng.cdev}")
    offsets = []
    for _ in range(3):
        offsets.append(rng.post())
    rng.wait_request()
    pages = [steps.page_of(vm, guest.memory, offset) for offset in offsets]
    vm.kexec()
    gdb = vm.jump_stopped()
    vm.next_stop("start_kernel", during=lambda: feed_running(rng, b"\x11" * 64))
    equal(gdb.read(pages[0], 64), b"\x11" * 64, "DMA fed between the jump and start_kernel()")
    vm.next_stop("kernel_init_freeable", during=lambda: feed_running(rng, b"\x22" * 64))
    equal(gdb.read(pages[1], 64), b"\x22" * 64, "DMA fed while the second kernel starts")
    vm.land()
    rng.feed(b"\x33" * 64)
    back_in_second_kernel(vm, guest)
    for offset, value in zip(offsets, (b"\x11", b"\x22", b"\x33")):
        steps.wait_memory(lambda at=offset: vm.data(f"peek {guest.memory} {at} 64"), value * 64,
                          "the rng device's DMA")
    equal(vm.faults(), [], "DMAR faults")
    check(preserving.has_master(vm, RNG), "the rng device lost bus mastering")
