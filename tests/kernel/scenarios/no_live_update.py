# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""State is preserved, but what follows is no live update: everything is switched off as ever."""
import preserving
import steps
from harness import check, equal, scenario

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
    bar = steps.bar_address(vm)
    vm.kexec(kind="kexec-plain")
    gdb = vm.jump_stopped()
    check(not translating(vm), "translation is on at the jump")
    before = gdb.read(page, 64)
    steps.outside_store(gdb, bar, steps.COPY_TO)
    vm.next_stop("start_kernel")
    check(steps.outside_done(vm, bar), "the DMA has not been tried yet")
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
    """A power-off turns translation off first."""
    vm = lab.start()
    preserving.preserved_guest(vm)
    vm.run_to("do_kernel_power_off", "reboot poweroff")
    check(not translating(vm), "translation is on when the machine is switched off")
    vm.resume()
    vm.wait_console(r"reboot: (Power down|System halted)", alive=False)


def start_with_crash_memory(lab, *kernels, **plain):
    """A machine with room for a crash kernel; one with KASAN needs more of everything."""
    if lab.kernel.option("CONFIG_KASAN") == "y":
        return lab.start(*kernels, memory="2G", cmdline="crashkernel=384M",
                         scratch="128M,640M,64M")
    return lab.start(*kernels, cmdline="crashkernel=128M", **plain)


def leaves_kho_alone(lab, vm):
    """The crash kernel says so, from Linux 7.3 on; the one before sets scratch aside for a next kernel."""
    check("iommu: liveupdate" not in vm.console().rpartition("Linux version")[2],
          "the crash kernel knows of the handover")
    if lab.kernel.version() >= (7, 3):
        vm.wait_console("^KHO: disabled in the kdump kernel", timeout=5)


@scenario("crash-kernel-while-preserved", needs=["glue", "MAGIC_SYSRQ=y"])
def crash_kernel_while_preserved(lab):
    """A panic while state is preserved is no live update: the crash kernel ignores it."""
    vm = start_with_crash_memory(lab, memory="512M")
    preserving.preserved_guest(vm)
    vm.kexec(options="crash=1")
    vm.crash()
    equal(vm.num("exists /proc/vmcore"), 1, "presence of /proc/vmcore")
    leaves_kho_alone(lab, vm)


@scenario("crash-kernel-after-live-update", needs=["glue", "MAGIC_SYSRQ=y"])
def crash_kernel(lab):
    """A crash kernel started behind a live update boots and has the dump.

    Its memory has to come out of KHO's scratch areas, as all that a kernel allocates early after a
    live update: they must be larger than crashkernel= asks for.
    """
    vm = start_with_crash_memory(lab, lab.kernel, lab.kernel, lab.kernel, memory="768M",
                                 scratch="32M,192M,16M")
    preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump()
    vm.kexec(options="crash=1")
    vm.crash()
    equal(vm.num("exists /proc/vmcore"), 1, "presence of /proc/vmcore")
    leaves_kho_alone(lab, vm)


@scenario("next-kernel-without-iommu-liveupdate", needs=["glue", "stock", "tool"])
def next_without(lab):
    """A next kernel that knows nothing of IOMMU state: what its device's DMA meets, step by step.

    The guest's memory is mapped at an IOVA that is also the address of some memory (a second
    memfd), so a DMA shows whether it was translated.
    """
    vm = lab.start(lab.kernel, lab.stock)
    steps.make_memory(vm, "decoy", 65536, seed=9)
    iova = steps.page_of(vm, "decoy", 0)
    guest = steps.edu_guest(vm, iova=iova)
    page = steps.page_of(vm, guest.memory, 0)
    preserving.mark(vm, guest)
    steps.open_session(vm)
    vm.ok("preserve session0 0x77 decoy")
    preserving.preserve(vm, guest)
    steps.edu_load(vm, guest.bar, 0x1000, iova=iova)
    load = vm.data(f"peek {guest.memory} 0x1000 64")
    bar = steps.bar_address(vm)
    vm.kexec()
    gdb = vm.jump_stopped()
    decoy = gdb.read(iova, 64)
    steps.outside_store(gdb, bar, 0, iova=iova)
    vm.next_stop("iommu_disable_translation")
    check(translating(vm) and steps.outside_done(vm, bar), "too early or too late")
    equal(gdb.read(page, 64), load, "memory after a DMA before VT-d is set up")
    equal(gdb.read(iova, 64), decoy, "memory at the IOVA")
    vm.next_stop("iommu_set_root_entry")
    check(not translating(vm), "translation is on")
    steps.outside_store(gdb, bar, 0, iova=iova)
    vm.spin_until(lambda: steps.outside_done(vm, bar))
    equal(gdb.read(iova, 64), load, "memory at the IOVA after a DMA without translation")
    lab.note("while translation is off, the device's DMA hits the memory at the IOVA")
    vm.land()
    lab.note(vm.wait_console(r"Translation was enabled for dmar0 but we are not in kdump mode")
             .group(0))
    check(preserving.has_master(vm), "bus mastering went off")
    steps.edu_store(vm, preserving.resource(vm), 0, iova=iova)
    steps.wait_fault(vm)
    lab.note("once devices are probed, its DMA faults in its default domain")
    equal(vm.attempt("open liveupdate0 /dev/liveupdate"), "EIO", "opening /dev/liveupdate")
    _ = vm.gdb
    status, found = lab.codes(vm.dump("after.elf"))
    vm.resume()
    equal((status, found), (0, {"warning": {"REC-25"}}), "verify of a dump of that kernel")
