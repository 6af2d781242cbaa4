# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""State is preserved, but what follows is no live update: everything is switched off as ever."""
import preserving
import steps
from harness import check, equal, scenario
from vm import EDU

UNIT = 0xfed90000
GLOBAL_STATUS = UNIT + 0x1c
TRANSLATION_ENABLED = 1 << 31


def translating(vm):
    """Does the unit translate at this moment?"""
    return bool(vm.physical(GLOBAL_STATUS)[0] & TRANSLATION_ENABLED)


@scenario("translation-stays-on-at-the-jump")
def stays_on(lab):
    """At the jump of a live update the unit translates, and the device may do DMA."""
    vm = lab.start()
    preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump_stopped()
    check(translating(vm), "translation is off at the jump")
    vm.next_stop("start_kernel")
    check(translating(vm), "translation is off at start_kernel()")
    vm.land()
    check(translating(vm), "translation is off in the second kernel")
    check(preserving.has_master(vm), "the device lost bus mastering")


@scenario("kexec-without-kho", needs=["glue", "KEXEC=y"])
def without_kho(lab):
    """A kernel that gets no handover finds translation and bus mastering off."""
    vm = lab.start()
    guest = preserving.preserved_guest(vm)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    steps.edu_load(vm, guest.bar, steps.COPY_FROM)
    vm.kexec(kind="kexec-plain")
    before = vm.data(f"peek {guest.memory} {steps.COPY_TO} 64")
    steps.edu_store(vm, guest.bar, steps.COPY_TO, wait=0)
    gdb = vm.jump_stopped()
    check(not translating(vm), "translation is on at the jump")
    vm.next_stop("start_kernel")
    equal(gdb.read(page, 64), before, "memory that the device aimed at")
    vm.land()
    check(not preserving.has_master(vm), "the device may still do DMA")
    vm.ok("open liveupdate0 /dev/liveupdate")
    vm.err("ENOENT", f"session-retrieve session0 liveupdate0 {steps.SESSION}")


@scenario("reboot-while-preserved")
def reboot(lab):
    """A reboot turns translation off first."""
    vm = lab.start()
    preserving.preserved_guest(vm)
    vm.run_to("native_machine_emergency_restart", "reboot restart")
    check(not translating(vm), "translation is on when the machine is reset")
    vm.resume()
    equal(vm.wait_off(), "guest-reset", "the way the guest went down")


@scenario("power-off-while-preserved")
def power_off(lab):
    """A power-off goes through."""
    vm = lab.start()
    preserving.preserved_guest(vm)
    vm.send("reboot poweroff")
    vm.wait_console(r"reboot: (Power down|System halted)", alive=False)


@scenario("crash-kernel-after-live-update", needs=["glue", "MAGIC_SYSRQ=y"])
def crash_kernel(lab):
    """A crash kernel started behind a live update boots and has the dump."""
    vm = lab.start(lab.kernel, lab.kernel, lab.kernel, memory="512M", cmdline="crashkernel=128M")
    preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump()
    vm.kexec(options="crash=1")
    vm.send("crash")
    vm.wait_console(r"sysrq triggered crash", alive=False)
    vm.wait_agent()
    vm.index += 1
    vm.ok("exists /proc/vmcore")


@scenario("next-kernel-without-iommu-liveupdate", needs=["glue", "stock", "tool"])
def next_without(lab):
    """A next kernel that knows nothing of IOMMU state: what it does with it."""
    vm = lab.start(lab.kernel, lab.stock)
    guest = preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump()
    match = vm.wait_console(r"Translation was enabled for dmar0 but we are not in kdump mode")
    lab.notes.append(match.group(0))
    check(preserving.has_master(vm), "bus mastering went off: the guide says it stays on")
    equal(vm.attempt("open liveupdate0 /dev/liveupdate"), "EIO", "opening /dev/liveupdate")
    check(guest.memory, "a memory to lose")
