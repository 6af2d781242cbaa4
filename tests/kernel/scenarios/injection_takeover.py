# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Memory that can't be had while a monitor takes its device back: each allocation of each step."""
import re

import preserving
import resuming
import steps
from harness import check, equal, scenario
from injection import MANY, check_leaks, try_failing
from vm import EDU


class Failing:
    """A takeover whose steps are tried with one failing allocation after the other."""

    def __init__(self, vm, takeover, storm):
        self.vm = vm
        self.takeover = takeover
        self.storm = storm
        self.storming = False
        self.failed = {}

    def step(self, name, command, undo=None, *, errors=("ENOMEM",)):
        """Each allocation of a command fails, each time twice, until it makes no more.

        undo: takes the command back after a success in spite of a failure, it gets the answer;
        without it, the first success is the last. Returns the answer of the last success.
        """
        numbers = []
        self.failed[name] = numbers
        for number in (number for number in range(1, MANY) for _ in range(2)):
            self.vm.send(f"{command} failnth={number}")
            status, text = self.vm.answer()
            left = re.search(r" ?failnth=(\d+)$", text)
            check(left, f"{name}: no fault injection ({text})")
            hit = left.group(1) == "0"
            if status == "err":
                error = text.split()[0]
                check(hit and error in errors, f"{name}: {error} with allocation {number} failing")
                numbers.append(number)
                self.device_runs(name)
            elif hit and undo:
                undo(text.split()[0])
            else:
                return text
        raise AssertionError(f"{name} makes {MANY} allocations")

    def device_runs(self, name):
        """Its DMA goes on."""
        if self.storming:
            self.storm.advance(self.vm)
        equal(self.vm.faults(), [], f"DMAR faults after a failed \"{name}\"")
        self.vm.err("EBUSY", "finish session0")


@scenario("injection-takeover", needs=["glue", "debug"])
def takeover_fails(lab):
    """Each allocation of retrieve, bind, restore, adopt, replace and destroy fails: the device goes
    on, the step can be repeated, and at the end nothing leaks."""
    vm = lab.start(devices=resuming.STORM_DEVICE)
    guest = steps.edu_guest(vm)
    storm = resuming.Storm(vm, guest)
    preserving.mark(vm, guest)
    resuming.open_session(vm)
    preserving.preserve(vm, guest)
    vm.ok(f"preserve session0 0x202 {storm.cdev}")
    vm.kexec()
    vm.jump()
    steps.enable_failures(vm)
    storm.rng.reach(vm, resuming.STORM)
    steps.give_to_vfio(vm, EDU)
    steps.give_to_vfio(vm, resuming.STORM)
    takeover = resuming.Takeover(vm, guest, {guest.cdev: (EDU, preserving.CDEV_TOKEN),
                                             storm.cdev: (resuming.STORM, 0x202)})
    takeover.run(until="memory")
    run = Failing(vm, takeover, storm)
    token = f"{preserving.IOMMUFD_TOKEN:#x}"
    again = ("ENOMEM", "EAGAIN")
    run.step("retrieve the iommufd", f"retrieve session0 {token} {guest.iommufd}",
             lambda _: vm.ok(f"close {guest.iommufd}"), errors=again)
    storm.start(vm)
    run.storming = True
    for cdev, (_, number) in takeover.devices.items():
        run.step(f"retrieve {cdev}", f"retrieve session0 {number:#x} {cdev}",
                 lambda _, at=cdev: vm.ok(f"close {at}"), errors=again)
    restore = f"hwpt-restore {guest.iommufd} {preserving.HWPT_TOKEN:#x}"
    for cdev in takeover.devices:
        answer = run.step(f"bind {cdev}", f"bind {cdev} {guest.iommufd}")
        takeover.ids[cdev] = int(answer.split()[0])
    restored = run.step("restore", f"hwpt-restore {guest.iommufd} {preserving.HWPT_TOKEN:#x}",
                        lambda id: vm.ok(f"destroy {guest.iommufd} {id}")).split()[0]
    takeover.restored = restored
    for cdev in takeover.devices:
        run.step(f"adopt {cdev}", f"attach {cdev} {restored}")
    takeover.ioas()
    takeover.map()
    takeover.hwpt()
    for cdev in takeover.devices:
        run.step(f"replace {cdev}", f"attach {cdev} {guest.hwpt}",
                 lambda _, at=cdev: vm.ok(f"attach {at} {restored}"))
    storm.advance(vm)
    hit, error = try_failing(vm, f"destroy {guest.iommufd} {restored}", 1)
    equal(error, None, f"destroy with a failing allocation ({hit})")
    hit, error = try_failing(vm, "finish session0", 1)
    equal(error, None, f"finish with a failing allocation ({hit})")
    storm.advance(vm)
    check(storm.stop(vm), "the storm filled no buffer")
    vm.ok("close session0")
    check(sum(bool(numbers) for numbers in run.failed.values()) >= 3, f"too few: {run.failed}")
    lab.note(f"refused without these allocations: {run.failed}")
    equal(vm.faults(), [], "DMAR faults")
    vm.ok(f"fill {guest.memory} {steps.SEED}")
    resuming.is_taken_back(vm, guest)
    for name in (storm.cdev, guest.cdev, guest.iommufd):
        vm.ok(f"close {name}")
    check_leaks(vm)


# ACPICA reads what it has freed after an allocation of its own failed in _PRT, which enabling any
# PCI device evaluates. KASAN reports once: the other scenario goes without this.
@scenario("injection-bind", needs=["glue", "debug"],
          splats=[r"KASAN: slab-use-after-free in acpi_", r"page dumped because: kasan"])
def bind_fails(lab):
    """Each allocation of a bind fails. The descriptor is one that can be closed, which stops the
    device; it keeps its tables, and is taken back in the end."""
    vm = lab.start()
    guest = preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump()
    steps.enable_failures(vm)
    takeover = resuming.Takeover(vm, guest)
    takeover.run(until="iommufd")
    steps.give_to_vfio(vm, EDU)
    run = Failing(vm, takeover, None)

    def reopen(_):
        vm.ok("close fresh")
        check(EDU[5:] in preserving.context_entries(vm), "the device lost its entry")
        vm.ok(f"cdev fresh {EDU}")
    vm.ok(f"cdev fresh {EDU}")
    run.step("bind", f"bind fresh {guest.iommufd}", reopen)
    vm.ok("close fresh")
    check(run.failed["bind"], "no allocation made it fail")
    lab.note(f"refused without these allocations: {run.failed}")
    takeover.run(after="iommufd", until=f"adopt {guest.cdev}")
    steps.enable_master(vm, guest.cdev)
    takeover.run(after=f"adopt {guest.cdev}")
    resuming.is_taken_back(vm, guest)
