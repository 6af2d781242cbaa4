# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What Linux does without the glue, and a proof that the harness's own tools work."""
from harness import check, equal, scenario
import steps
from steps import IOVA, MEMFD_TOKEN, SEED
from vm import EDU, RNG


@scenario("stock-memfd-survives", needs=["stock"])
def memfd_survives(lab):
    """A memfd alone goes through a live update, and through a second one."""
    vm = lab.start(lab.stock, lab.stock, lab.stock)
    steps.make_memory(vm)
    session = steps.open_session(vm)
    vm.ok(f"preserve {session} {MEMFD_TOKEN:#x} memory0")
    for jump in (1, 2):
        vm.kexec()
        vm.jump()
        session = steps.reopen_session(vm)
        steps.retrieve_memory(vm)
        equal(vm.num(f"check memory0 {SEED}"), 0, f"words that differ after jump {jump}")
        vm.ok(f"finish {session}")
        vm.ok(f"close {session}")
        if jump == 1:
            vm.ok(f"session {session} liveupdate0 {steps.SESSION}")
            vm.ok(f"preserve {session} {MEMFD_TOKEN:#x} memory0")


@scenario("stock-edu-dma", needs=["stock"])
def edu_dma(lab):
    """edu's DMA goes through VT-d into a memfd; outside the mapping it faults."""
    vm = lab.start(lab.stock)
    guest = steps.edu_guest(vm)
    steps.edu_copy(vm, guest.bar)
    steps.check_copied(vm, guest.memory)
    equal(vm.faults(), [], "DMAR faults")
    equal(steps.translation_type(vm, EDU), lab.mode, "kind of translation")
    steps.edu_store(vm, guest.bar, -4096)
    vm.wait_console(r"DMAR: \[DMA Write.*00:04\.0\].*fault addr 0x1000002000")
    steps.check_copied(vm, guest.memory)


@scenario("stock-edu-in-flight", needs=["stock"])
def edu_in_flight(lab):
    """A DMA that edu was told to do is still to come while the host holds the guest."""
    vm = lab.start(lab.stock)
    guest = steps.edu_guest(vm)
    steps.edu_load(vm, guest.bar, 0)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    expected = bytes.fromhex(vm.ok(f"peek {guest.memory} 0 64").split()[1])
    before = bytes.fromhex(vm.ok(f"peek {guest.memory} {steps.COPY_TO} 64").split()[1])
    vm.send(f"edu-dma {guest.bar} to-ram {IOVA + steps.COPY_TO:#x} 256 wait=0")
    equal(vm.answer()[0], "ok", "edu-dma")
    equal(vm.gdb.read(page, 64), before, "memory right after the start")
    vm.resume()
    vm.ok("sleep 300")
    equal(bytes.fromhex(vm.ok(f"peek {guest.memory} {steps.COPY_TO} 64").split()[1]), expected,
          "memory later")
    steps.check_copied(vm, guest.memory)


@scenario("stock-rng-dma", needs=["stock"])
def rng_dma(lab):
    """virtio-rng writes guest memory when the host feeds it, and not before."""
    vm = lab.start(lab.stock, rng=True)
    guest = steps.edu_guest(vm)
    rng = steps.add_rng(vm, guest)
    for value in (b"\x5a", b"\xa5"):
        offset = rng.post()
        rng.wait_request()
        old = vm.data(f"peek {guest.memory} {offset} 64")
        check(old != value * 64, "the buffer held the bytes already")
        rng.feed(value * 64)
        steps.wait_memory(lambda at=offset: vm.data(f"peek {guest.memory} {at} 64"), value * 64,
                          "the rng device's DMA")
    equal(vm.faults(), [], "DMAR faults")


@scenario("stock-jump-stops-dma", needs=["stock"])
def jump_stops_dma(lab):
    """Without the glue the jump ends all DMA: bus mastering is off, translation starts anew."""
    vm = lab.start(lab.stock, lab.stock, rng=True)
    guest = steps.edu_guest(vm)
    rng = steps.add_rng(vm, guest)
    session = steps.open_session(vm)
    vm.ok(f"preserve {session} {MEMFD_TOKEN:#x} {guest.memory}")
    equal(vm.err(["ENOENT", "EOPNOTSUPP"], f"preserve {session} 2 {guest.iommufd}"), "ENOENT",
          "preserving an iommufd")
    offset = rng.post()
    rng.wait_request()
    page = steps.page_of(vm, guest.memory, offset)
    vm.kexec(cmdline="initcall_blacklist=virtio_pci_driver_init")
    gdb = vm.jump_stopped()
    before = gdb.read(page, 64)
    vm.next_stop("start_kernel", during=lambda: rng.feed(b"\x77" * 64))
    equal(gdb.read(page, 64), before, "the rng device's buffer")
    vm.land()
    steps.reopen_session(vm)
    steps.retrieve_memory(vm)
    equal(vm.data(f"peek memory0 {offset} 64"), before, "the rng device's buffer")
    for bdf in (EDU, RNG):
        equal(vm.num(f"config-read {bdf} 4 2") & 4, 0, f"bus mastering of {bdf}")


@scenario("stock-kexec-without-kho", needs=["stock", "KEXEC=y"])
def kexec_without_kho(lab):
    """A kernel loaded by kexec_load gets no handover; it boots all the same."""
    vm = lab.start(lab.stock, lab.stock)
    steps.make_memory(vm)
    session = steps.open_session(vm)
    vm.ok(f"preserve {session} {MEMFD_TOKEN:#x} memory0")
    vm.kexec(kind="kexec-plain")
    vm.jump()
    vm.ok("open liveupdate0 /dev/liveupdate")
    vm.err("ENOENT", f"session-retrieve session0 liveupdate0 {steps.SESSION}")


@scenario("stock-reboot", needs=["stock"])
def reboot(lab):
    """A plain reboot leaves memory and registers to look at."""
    vm = lab.start(lab.stock)
    guest = steps.edu_guest(vm)
    steps.edu_copy(vm, guest.bar)
    vm.send("reboot restart")
    equal(vm.wait_off(), "guest-reset", "the way the guest went down")


@scenario("stock-crash-kernel", needs=["stock", "MAGIC_SYSRQ=y"])
def crash_kernel(lab):
    """A crash kernel starts after a panic and has no handover."""
    vm = lab.start(lab.stock, lab.stock, memory="512M", cmdline="crashkernel=128M")
    steps.edu_guest(vm)
    vm.kexec(options="crash=1")
    vm.crash()
    equal(vm.num("exists /proc/vmcore"), 1, "presence of /proc/vmcore")
    vm.wait_console("^KHO: disabled in the kdump kernel", timeout=5)
