# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""examples/live-update-vmm.c: the monitor that docs/ explains does what it says."""
import re
import time

import preserving
import resuming
import steps
from harness import check, equal, scenario
from vm import EDU, SLOWER

BYTES = 4 << 20
IOVA = 0x10000000
TARGET = 0x3000
# edu's buffer has 4096 bytes, and it wants to stay below that.
LENGTH = 2048


def wait_output(vm, name, text, timeout=60):
    """Wait until a program has printed a line with that text; returns all of its output."""
    end = time.monotonic() + timeout * SLOWER
    while True:
        output = vm.data(f"output {name}").decode()
        if text in output:
            return output
        check(time.monotonic() < end, f"the program never said \"{text}\":\n{output}")
        time.sleep(0.1)


def node(vm):
    """Path of edu's character device."""
    steps.give_to_vfio(vm, EDU)
    name, = vm.ok(f"ls /sys/bus/pci/devices/{EDU}/vfio-dev").split()
    return f"/dev/vfio/devices/{name}"


def started(lab, *kernels):
    """A machine where the example preserves edu, and edu does DMA."""
    vm = lab.start(*kernels)
    vm.ok(f"spawn monitor /live-update-vmm start vm-1 {node(vm)} {BYTES}")
    wait_output(vm, "monitor", "device preserved")
    vm.ok(f"config-write {EDU} 4 2 0x6")
    bar = preserving.resource(vm)
    vm.ok(f"edu-dma {bar} to-ram {IOVA:#x} {LENGTH}")
    vm.kexec()
    return vm, bar


def copies(vm, bar, number):
    """edu copies a part of one page of the example's memory onto another."""
    vm.ok(f"edu-dma {bar} from-ram {IOVA:#x} {LENGTH}")
    vm.ok(f"edu-dma {bar} to-ram {IOVA + number * 4096:#x} {LENGTH}")
    equal(vm.faults(), [], "DMAR faults")


@scenario("vmm-example")
def example(lab):
    """start, jump, resume, with the device's DMA going on; the next live update can follow."""
    vm, bar = started(lab)
    copies(vm, bar, 1)
    vm.jump()
    bar = preserving.resource(vm)
    copies(vm, bar, 2)
    steps.give_to_vfio(vm, EDU)
    vm.ok(f"edu-dma {bar} to-ram {IOVA + TARGET:#x} {LENGTH} wait=0")
    vm.ok("spawn monitor /live-update-vmm resume vm-1")
    output = wait_output(vm, "monitor", "session finished")
    lab.note("; ".join(line.strip() for line in output.splitlines()))
    times = [int(number) for number in re.findall(r"^ *(\d+) ", output, re.MULTILINE)]
    equal(times, sorted(times), "times of the steps")
    copies(vm, bar, 4)
    check(preserving.has_master(vm), "the device lost bus mastering")
    vm.err("ENODATA", f"open nothing {preserving.INCOMING}")
    vm.ok("kill monitor")
    check(not preserving.has_master(vm), "the device of a dead monitor may do DMA")
    equal(vm.faults(), [], "DMAR faults")


@scenario("vmm-example-abandons")
def example_abandons(lab):
    """abandon: the device is stopped, its memory is free."""
    vm, bar = started(lab)
    vm.jump()
    bar = preserving.resource(vm)
    copies(vm, bar, 2)
    before = resuming.counters(vm)
    vm.ok("spawn monitor /live-update-vmm abandon vm-1")
    equal(vm.ok("wait monitor"), "0", "exit status")
    check("session closed" in wait_output(vm, "monitor", "session closed"), "no last line")
    check(not preserving.has_master(vm), "the abandoned device may do DMA")
    after = resuming.counters(vm)
    check(after["MemTotal"] >= before["MemTotal"] + BYTES // 1024, "the memory was not freed")
    vm.ok("spawn wrong /live-update-vmm resume vm-1")
    equal(vm.ok("wait wrong"), "1", "exit status without a session")
    vm.ok("spawn unused /live-update-vmm")
    equal(vm.ok("wait unused"), "2", "exit status of wrong usage")


@scenario("vmm-example-killed")
def example_killed(lab):
    """The monitor is killed somewhere in resume: the device is stopped, nothing stays behind."""
    vm, _ = started(lab)
    vm.jump()
    bar = preserving.resource(vm)
    steps.give_to_vfio(vm, EDU)
    before = resuming.counters(vm)
    vm.ok(f"edu-dma {bar} to-ram {IOVA + TARGET:#x} {LENGTH} wait=0")
    vm.ok("spawn monitor /live-update-vmm resume vm-1")
    vm.ok("sleep 5")
    vm.ok("kill monitor")
    # Killed before it had the session, the session is still there.
    vm.ok("spawn again /live-update-vmm abandon vm-1")
    lab.note("killed before it had the session" if vm.ok("wait again") == "0" else
             "killed when it had the session")
    check(not preserving.has_master(vm), "the device of a dead monitor may do DMA")
    vm.ok("sleep 200")
    equal(vm.faults(), [], "DMAR faults")
    after = resuming.counters(vm)
    check(after["MemTotal"] >= before["MemTotal"] + BYTES // 1024, "the memory was not freed")
    vm.err("ENODATA", f"open nothing {preserving.INCOMING}")
