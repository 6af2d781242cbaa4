# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Memory that can't be had: at each allocation of preserving, and at each step of taking over."""
import re

import preserving
import steps
from abort import check_mutable
from corrupt import forge_did
from harness import check, equal, scenario
from vm import EDU

KMEMLEAK = "/sys/kernel/debug/kmemleak"
# More allocations than any of the tried requests makes.
MANY = 600
# kmemleak passes over what was allocated in the last 5 s.
KMEMLEAK_AGE = 6000
RESTORE_NEEDS = ["glue", "debug", "IOMMU_LIVEUPDATE_FAULT_INJECTION=y"]


def check_leaks(vm):
    """kmemleak finds nothing. It scans twice: what moved meanwhile escapes one scan only."""
    vm.ok(f"sleep {KMEMLEAK_AGE}", 60)
    for _ in range(2):
        vm.ok(f"write {KMEMLEAK} -- scan", 300)
    equal(vm.read(KMEMLEAK), "", "kmemleak's report")


def try_failing(vm, command, number):
    """Run a command whose Nth allocation fails: (did it come to that, error's name or None)."""
    vm.send(f"{command} failnth={number}")
    status, text = vm.answer()
    left = re.search(r" failnth=(\d+)$", " " + text)
    check(left, f"{command}: no fault injection ({text})")
    return left.group(1) == "0", None if status == "ok" else text.split()[0]


def fail_each(vm, command, refused, passed):
    """Run a command with its first allocation failing, then its second and so on, until it makes
    no more of them; returns the numbers of those without which it was refused.

    Each is tried twice: what a refused try left in caches makes the numbers of the next one differ.
    refused: called after each failure; passed: after each success in spite of a failure, it has to
    take the command back.
    """
    numbers = []
    for number in (number for number in range(1, MANY) for _ in range(2)):
        hit, error = try_failing(vm, command, number)
        if not hit:
            check(error is None, f"{command}: {error} without a failing allocation")
            return numbers
        if error is None:
            passed()
        else:
            equal(error, "ENOMEM", f"{command} with allocation {number} failing")
            numbers.append(number)
            refused()
    raise AssertionError(f"{command} makes {MANY} allocations")


class Preserving:
    """A guest whose parts are preserved one by one, each time with another allocation failing."""

    def __init__(self, lab):
        self.lab = lab
        self.vm = lab.start()
        self.guest = steps.edu_guest(self.vm)
        steps.enable_failures(self.vm)

    def open_session(self):
        """A session with the guest's memory."""
        self.vm.ok(f"session session0 liveupdate0 {steps.SESSION}")
        preserving.preserve_memory(self.vm, self.guest)

    def is_untouched(self):
        """No FLB, no frozen mapping."""
        self.vm.err("ENODATA", f"open nothing {preserving.OUTGOING}")
        check_mutable(self.vm, self.guest)

    def again(self):
        """Give everything back and start over."""
        self.vm.ok("close session0")
        self.is_untouched()
        self.open_session()

    def preserve_iommufd(self):
        """The command that preserves the iommufd."""
        return f"preserve session0 {preserving.IOMMUFD_TOKEN:#x} {self.guest.iommufd}"

    def preserve_cdev(self):
        """The command that preserves the device."""
        return f"preserve session0 {preserving.CDEV_TOKEN:#x} {self.guest.cdev}"

    def cdev_again(self):
        """Give everything back and get to the point before the device."""
        self.again()
        self.vm.ok(self.preserve_iommufd())


@scenario("injection-preserve", needs=["glue", "debug", "tool"])
def preserve(lab):
    """Each allocation of mark and of both preserves fails once: nothing stays preserved, nothing
    leaks, and then it works and the device goes through."""
    run = Preserving(lab)
    vm, guest = run.vm, run.guest
    mark = f"mark {guest.iommufd} {guest.hwpt} {preserving.HWPT_TOKEN:#x}"
    numbers = [fail_each(vm, mark, lambda: None, lambda: None)]
    vm.kexec()
    vm.ok("open liveupdate0 /dev/liveupdate")
    run.open_session()
    before = preserving.preserved_memory(lab, vm)
    numbers.append(fail_each(vm, run.preserve_iommufd(), run.is_untouched, run.again))
    run.again()
    equal(preserving.preserved_memory(lab, vm), before, "what KHO preserves, iommufd given back")
    vm.ok(run.preserve_iommufd())
    with_iommufd = preserving.preserved_memory(lab, vm)
    check(with_iommufd[0] > before[0], "preserving the iommufd added nothing to KHO's map")
    numbers.append(fail_each(
        vm, run.preserve_cdev(), passed=run.cdev_again,
        refused=lambda: vm.err("EBUSY", f"unmap {guest.iommufd} {guest.ioas} {steps.IOVA:#x} "
                               f"{steps.SIZE}")))
    run.again()
    equal(preserving.preserved_memory(lab, vm), before, "what KHO preserves, all given back")
    vm.ok(run.preserve_iommufd())
    for number in reversed(numbers[-1]):
        if try_failing(vm, run.preserve_cdev(), number) == (True, "ENOMEM"):
            break
        run.cdev_again()
    equal(preserving.preserved_memory(lab, vm), with_iommufd, "what KHO preserves, device refused")
    check(all(numbers), f"allocations without which it was refused: {numbers}")
    lab.note(f"mark, iommufd and cdev were refused without these allocations: {numbers}")
    vm.ok(run.preserve_cdev())
    check_leaks(vm)
    vm.jump()
    preserving.carried(vm, guest)
    check_leaks(vm)


def into_next(lab, cmdline, forge=None, **options):
    """Preserve edu and stop at the jump; returns (machine, guest, page of the DMA's target)."""
    vm = lab.start(**options)
    guest = preserving.preserved_guest(vm)
    steps.edu_load(vm, guest.bar, steps.COPY_FROM)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    vm.kexec(cmdline=cmdline)
    gdb = vm.jump_stopped()
    if forge:
        forge(gdb, preserving.show(lab, vm.dump("jump.elf")))
    return vm, guest, page


@scenario("injection-restore-each", needs=RESTORE_NEEDS)
def restore_each(lab):
    """Each step of the claim fails once, everything is given back, and the last claim holds."""
    vm, guest, _ = into_next(lab, "iommu_liveupdate.fail_at=1 iommu_liveupdate.fail_each=1")
    vm.land()
    failed = re.findall(r"step (\d+) fails as requested", vm.console())
    count = int(vm.wait_console(r"took over after each of (\d+) steps failed").group(1))
    equal(failed, [str(number) for number in range(1, count + 1)], "steps that failed")
    lab.note(f"{count} steps failed")
    check(preserving.has_master(vm), "the device lost bus mastering")
    preserving.carried(vm, guest)
    check_leaks(vm)


def is_blocked(vm, page, before, claimed):
    """The device can't reach the memory. claimed: the handover was, only this device is blocked, and
    its session has to be given up; otherwise nothing waits for anybody."""
    check(not preserving.has_master(vm), "the device may still do DMA")
    vm.ok(f"config-write {EDU} 4 2 0x6")
    steps.edu_store(vm, preserving.resource(vm), steps.COPY_TO)
    equal(vm.gdb.read(page, 64), before, "memory that the device aimed at")
    vm.resume()
    vm.wait_console(r"DMAR: \[DMA Write.*00:04\.0\]")
    steps.reopen_session(vm)
    if claimed:
        vm.err("EBUSY", "finish session0")
        vm.ok("close session0")
        vm.err("ENODATA", "open nothing /sys/kernel/debug/iommu/liveupdate/incoming")
    else:
        vm.ok("finish session0")
    check_leaks(vm)


def count_steps(lab):
    """How many steps the claim has: each fails once in a machine of its own."""
    vm, _, _ = into_next(lab, "iommu_liveupdate.fail_at=1 iommu_liveupdate.fail_each=1")
    vm.land()
    count = int(vm.wait_console(r"took over after each of (\d+) steps failed").group(1))
    vm.stop()
    return count


@scenario("injection-restore-blocks", needs=RESTORE_NEEDS)
def restore_blocks(lab):
    """One step of the claim fails, early, half-way or the last: blocked, and nothing leaks."""
    count = count_steps(lab)
    check(count > 8, f"{count} steps are too few for the choice made here")
    for step in (1, 4, count // 2, count):
        vm, _, page = into_next(lab, "iommu_liveupdate.on_error=block "
                                f"iommu_liveupdate.fail_at={step}")
        before = vm.gdb.read(page, 64)
        vm.land()
        vm.wait_console(rf"step {step} fails as requested")
        lab.note(vm.wait_console(r"the handover can't be used: .*").group(0))
        is_blocked(vm, page, before, False)
        vm.stop()


@scenario("injection-restore-panics", needs=RESTORE_NEEDS)
def restore_panics(lab):
    """By default a step that fails is a panic that says which."""
    vm, _, _ = into_next(lab, "iommu_liveupdate.fail_at=3")
    vm.resume()
    line = vm.wait_panic()
    lab.note(line)
    check(re.search(r"iommu: liveupdate: the handover can't be used: .*claim of", line),
          "the panic isn't about this")


@scenario("injection-device-blocks", needs=RESTORE_NEEDS)
def device_blocks(lab):
    """The device's domain can't be made when the device is found."""
    vm, _, page = into_next(lab, "iommu_liveupdate.on_error=block iommu_liveupdate.fail_device=1")
    before = vm.gdb.read(page, 64)
    vm.land()
    lab.note(vm.wait_console(r"can't be restored after live update: .*").group(0))
    is_blocked(vm, page, before, True)


@scenario("injection-device-panics", needs=RESTORE_NEEDS)
def device_panics(lab):
    """The same by default."""
    vm, _, _ = into_next(lab, "iommu_liveupdate.fail_device=1")
    vm.resume()
    line = vm.wait_panic()
    lab.note(line)
    check(re.search(rf"{EDU} can't be restored: its domain", line), "the panic isn't about this")


@scenario("injection-attach-blocks", needs=RESTORE_NEEDS + ["tool"])
def attach_blocks(lab):
    """The hardware's entry isn't what the record says, found only when the device is attached."""
    vm, _, page = into_next(lab, "iommu_liveupdate.on_error=block iommu_liveupdate.verify=seal",
                            forge_did)
    before = vm.gdb.read(page, 64)
    vm.land()
    lab.note(vm.wait_console(r"can't be restored after live update: .*").group(0))
    is_blocked(vm, page, before, True)
