#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Count what a virtual machine monitor's way back to its device costs, from the second kernel's
first user instruction to the end of the session; print tables of medians.

usage: takeover.py --kernel DIR [--quick] [--runs N] [--results FILE]
Exit: 0 measured, 1 something could not be, 2 wrong usage.
"""
import os
import re
import subprocess
import sys
import tempfile
import typing

from counting import CountingVM, entry_point

# counting.py has made the scenarios' harness known.
# pylint: disable=wrong-import-order
import preserving
import steps
from measure import (Results, TOOK_OVER, bdf_of, device_words, parse_arguments, print_table,
                     run_all, thousands)
from vm import EDU, EXAMPLE, VM, Kernel, VmError, compile_program, pack

HERE = os.path.dirname(os.path.realpath(__file__))
MIB = 1 << 20
IOVA = 1 << 36
FOLIOS = {False: "4 KiB", True: "2 MiB"}
SESSION, IOMMUFD, VFIO = "luo_session_ioctl", "iommufd_fops_ioctl", "vfio_device_fops_unl_ioctl"
# What the example does, in its order: (text, name, the kernel's function).
EXAMPLE_STEPS = (
    ("retrieve the session", "session", "luo_ioctl"),
    ("retrieve the state (a memfd of one page)", "state", SESSION),
    ("retrieve the memory", "memory", SESSION),
    ("retrieve the iommufd", "iommufd", SESSION),
    ("retrieve the device", "device", SESSION),
    ("bind", "bind", VFIO),
    ("restore the HWPT", "restore", IOMMUFD),
    ("adopt: attach to it", "adopt", VFIO),
    ("new IOAS", "ioas", IOMMUFD),
    ("map the memory", "map", IOMMUFD),
    ("new HWPT: build the tables", "hwpt", IOMMUFD),
    ("mark it", "mark", IOMMUFD),
    ("replace: attach to it", "replace", VFIO),
    ("destroy the restored HWPT", "destroy", IOMMUFD),
    ("finish", "finish", SESSION),
)
# Steps that are done for each device or each HWPT.
EACH = (("vfio-pci takes it", "driver"), ("retrieve", "device"), ("bind", "bind"),
        ("restore its HWPT", "restore"), ("adopt", "adopt"), ("new HWPT", "hwpt"),
        ("replace", "replace"), ("destroy", "destroy"))
FUNCTIONS = {name: function for _, name, function in EXAMPLE_STEPS}
FUNCTIONS["driver"] = "device_driver_attach"
# Before the name of a step: what it costs when nothing was handed over.
ORDINARY = "ordinary "
# What the example prints, in its order.
PRINTED = ("session retrieved", "state retrieved", "memory retrieved", "iommufd retrieved",
           "device retrieved", "device bound", "HWPT restored", "device adopted", "tables built",
           "device moved", "restored HWPT destroyed", "session finished")


class Case(typing.NamedTuple):
    """What is taken over. kind: "example" counts that program as the second kernel's first one,
    "time" takes the times it prints without counting, "devices" counts commands of the agent,
    "memory" too, when there is nothing but a memfd."""

    kind: str
    mib: int = 16
    huge: bool = False
    devices: int = 1
    shared: bool = True


def cmdline(case):
    """The kernels' words."""
    # vfio-pci has the device when the monitor starts.
    return ("loglevel=6 vfio-pci.ids=1234:11e8 "
            f"transparent_hugepage_shmem={'always' if case.huge else 'never'}")


def options(case):
    """The machine's."""
    return {"memory": "2G" if case.mib < 1024 else "4G", "scratch": "128M,256M,64M",
            "cmdline": cmdline(case), "devices": device_words(case.devices)}


def check_taken(vm, case):
    """Nothing is measured unless it happened; returns how many table pages were taken over."""
    taken = TOOK_OVER.search(vm.console())
    domains = 1 if case.shared else case.devices
    if not taken or [int(taken.group(part)) for part in (2, 3)] != [domains, case.devices]:
        raise VmError(f"{case}: {taken.group(0) if taken else 'nothing was taken over'}")
    if vm.faults():
        raise VmError(f"{case}: {vm.faults()[0]}")
    return int(taken.group(4))


def wait_output(vm, text):
    """Wait until the example has printed a line; returns all lines."""
    for _ in range(6000):
        output = vm.data("output monitor").decode()
        if text in output:
            return output
        vm.ok("sleep 100")
    raise VmError(f"the example never said \"{text}\":\n{output}")


def start_example(vm, case):
    """The example has its device and its memory, and preserves them."""
    name, = vm.ok(f"ls /sys/bus/pci/devices/{EDU}/vfio-dev").split()
    vm.ok(f"spawn monitor /{EXAMPLE} start {steps.SESSION} /dev/vfio/devices/{name} "
          f"{case.mib * MIB}")
    wait_output(vm, "device preserved")
    vm.ok(f"config-write {EDU} 4 2 {steps.COMMAND_MEMORY_AND_MASTER:#x}")


class TakeoverVM(CountingVM):
    """A machine that counts what single commands cost, and what a first program does."""

    def count(self, name, command, counts, kind=""):
        """Count the one system call of a command; returns the answer."""
        begin = self.start_trace(command, FUNCTIONS[name])
        counts.setdefault(kind + name, []).append(self.until_return() - begin)
        self.resume()
        status, text = self.answer(600)
        if status != "ok":
            raise VmError(f"{command}: {text}")
        return text

    def jump_to_example(self, init, counts):
        """Jump; count the steps of the example, and all from the first user instruction on."""
        first = entry_point(init)
        self.gdb.break_at(first)
        self.gdb.go_on()
        self.send("reboot kexec")
        begin = self._stopped_at(first, "the first user instruction")
        self.index += 1
        for _, name, function in EXAMPLE_STEPS:
            entered = self.until(function)
            left = self.until_return()
            counts[name] = left - entered
            if name in ("replace", "finish"):
                counts[f"all to {name}"] = left - begin
        self.resume()


def count_example(kernel, agent, case):
    """The example is the second kernel's first program."""
    counts = {}
    with tempfile.TemporaryDirectory(prefix="iommuser-bench-") as directory:
        init = os.path.join(directory, "resume-init")
        compile_program(kernel.headers, [os.path.join(HERE, "resume-init.c")], init)
        programs = {}
        for name, path in (("/init", init), ("/" + EXAMPLE, f"{agent}-{EXAMPLE}")):
            with open(path, "rb") as file:
                programs[name] = file.read()
        with TakeoverVM(directory, agent, [kernel, kernel], "legacy",
                        files={"/initrd-example": pack(programs)}, **options(case)) as vm:
            vm.boot(600)
            start_example(vm, case)
            vm.ok(f"kexec /kernel /initrd-example -- {vm.cmdline}", 600)
            vm.jump_to_example(init, counts)
            counts["pages"] = check_taken(vm, case)
    return counts


def time_example(kernel, agent, case):
    """The times that the example prints, as fast as the host emulates two processors."""
    with tempfile.TemporaryDirectory(prefix="iommuser-bench-") as directory:
        with VM(directory, agent, [kernel, kernel], "legacy", **options(case)) as vm:
            vm.boot(600)
            start_example(vm, case)
            vm.kexec()
            vm.jump(600)
            vm.ok(f"spawn monitor /{EXAMPLE} resume {steps.SESSION}")
            output = wait_output(vm, PRINTED[-1])
            check_taken(vm, case)
    times = dict(reversed(words) for words in re.findall(r"^ *(\d+) (.*)$", output, re.MULTILINE))
    return {name: int(times[name]) for name in PRINTED}


def open_devices(vm, case, counts):
    """All devices bound to one iommufd; counts what that costs when nothing was handed over."""
    guests = [steps.Guest(vm, bdf_of(number), str(number)) for number in range(case.devices)]
    vm.ok(f"iommufd {guests[0].iommufd}")
    for guest in guests:
        vm.count("driver", f"bind-driver {guest.bdf} vfio-pci", counts, ORDINARY)
        vm.ok(f"cdev {guest.cdev} {guest.bdf}")
        guest.device = int(vm.count("bind", f"bind {guest.cdev} {guest.iommufd}", counts,
                                    ORDINARY), 0)
    return guests


def set_up(vm, case, counts):
    """Devices with one HWPT together or one each, all of the same memory, marked and preserved."""
    guests = open_devices(vm, case, counts)
    first = guests[0]
    vm.ok(f"memfd {first.memory} {case.mib * MIB}")
    ioas = vm.num(f"ioas {first.iommufd}")
    vm.ok(f"map-file {first.iommufd} {ioas} {first.memory} {case.mib * MIB} iova={IOVA:#x}")
    hwpts = []
    for guest in guests:
        if guest is first or not case.shared:
            hwpts.append(vm.num(f"hwpt {first.iommufd} {guest.device} {ioas}"))
            vm.ok(f"mark {first.iommufd} {hwpts[-1]} {preserving.HWPT_TOKEN + len(hwpts) - 1:#x}")
        vm.ok(f"attach {guest.cdev} {hwpts[-1]}")
        steps.enable_master(vm, guest.cdev)
    steps.open_session(vm)
    preserving.preserve_memory(vm, first)
    vm.ok(f"preserve session0 {preserving.IOMMUFD_TOKEN:#x} {first.iommufd}")
    for number, guest in enumerate(guests):
        vm.ok(f"preserve session0 {preserving.CDEV_TOKEN + number:#x} {guest.cdev}")
    return guests, len(hwpts)


def take_over(vm, case, guests, hwpts, counts):
    """The second kernel: every step, counted where it is one of a device's or an HWPT's."""
    first = guests[0]
    iommufd = first.iommufd
    steps.reopen_session(vm)
    vm.ok(f"retrieve session0 {steps.MEMFD_TOKEN:#x} {first.memory}")
    vm.ok(f"retrieve session0 {preserving.IOMMUFD_TOKEN:#x} {iommufd}")
    for number, guest in enumerate(guests):
        vm.count("driver", f"bind-driver {guest.bdf} vfio-pci", counts)
        vm.count("device", f"retrieve session0 {preserving.CDEV_TOKEN + number:#x} {guest.cdev}",
                 counts)
    for guest in guests:
        guest.device = int(vm.count("bind", f"bind {guest.cdev} {iommufd}", counts), 0)
    restored = [int(vm.count("restore",
                             f"hwpt-restore {iommufd} {preserving.HWPT_TOKEN + number:#x}",
                             counts), 0) for number in range(hwpts)]
    for number, guest in enumerate(guests):
        vm.count("adopt", f"attach {guest.cdev} {restored[0 if case.shared else number]}", counts)
    ioas = vm.num(f"ioas {iommufd}")
    vm.ok(f"map-file {iommufd} {ioas} {first.memory} {case.mib * MIB} iova={IOVA:#x}")
    fresh = [int(vm.count("hwpt", f"hwpt {iommufd} {guests[number].device} {ioas}", counts), 0)
             for number in range(hwpts)]
    for number, guest in enumerate(guests):
        vm.count("replace", f"attach {guest.cdev} {fresh[0 if case.shared else number]}", counts)
    for hwpt in restored:
        vm.count("destroy", f"destroy {iommufd} {hwpt}", counts)
    vm.count("finish", "finish session0", counts)
    again_as_ordinary(vm, case, guests, (ioas, fresh), counts)


def again_as_ordinary(vm, case, guests, built, counts):
    """What the like costs between ordinary HWPTs."""
    iommufd = guests[0].iommufd
    ioas, old = built
    fresh = [int(vm.count("hwpt", f"hwpt {iommufd} {guests[number].device} {ioas}", counts,
                          ORDINARY), 0) for number in range(len(old))]
    for number, guest in enumerate(guests):
        vm.count("replace", f"attach {guest.cdev} {fresh[0 if case.shared else number]}", counts,
                 ORDINARY)
    for hwpt in old:
        vm.count("destroy", f"destroy {iommufd} {hwpt}", counts, ORDINARY)


def count_devices(kernel, agent, case):
    """More devices than one."""
    counts = {}
    with tempfile.TemporaryDirectory(prefix="iommuser-bench-") as directory:
        with TakeoverVM(directory, agent, [kernel, kernel], "legacy",
                        **{**options(case), "cmdline": "loglevel=6"}) as vm:
            vm.boot(600)
            guests, hwpts = set_up(vm, case, counts)
            vm.kexec()
            vm.jump(600)
            take_over(vm, case, guests, hwpts, counts)
            counts["pages"] = check_taken(vm, case)
    counts["all"] = sum(sum(counts[name]) for _, name in EACH) + counts["finish"][0]
    return counts


def count_memory(kernel, agent, case):
    """What retrieving memory and finishing cost when nothing of the IOMMU was handed over."""
    counts = {}
    with tempfile.TemporaryDirectory(prefix="iommuser-bench-") as directory:
        with TakeoverVM(directory, agent, [kernel, kernel], "legacy", **options(case)) as vm:
            vm.boot(600)
            vm.ok(f"memfd memory0 {case.mib * MIB}")
            vm.ok("fill memory0 0", 600)
            steps.open_session(vm)
            vm.ok(f"preserve session0 {steps.MEMFD_TOKEN:#x} memory0", 600)
            vm.kexec()
            vm.jump(600)
            steps.reopen_session(vm)
            vm.count("memory", f"retrieve session0 {steps.MEMFD_TOKEN:#x} memory0", counts)
            vm.count("finish", "finish session0", counts)
            if TOOK_OVER.search(vm.console()):
                raise VmError(f"{case}: something was taken over")
    return counts


def measure(kernel, agent, case):
    """One boot, one jump: what was counted, or timed."""
    kinds = {"example": count_example, "time": time_example, "devices": count_devices,
             "memory": count_memory}
    return kinds[case.kind](kernel, agent, case)


def print_steps(results, cases):
    """The steps of the example, for some sizes of memory."""
    rows = [["table pages taken over"] + [f"{results.of(case, 'pages'):.0f}" for case in cases]]
    for text, name, _ in EXAMPLE_STEPS:
        rows.append([text] + [thousands(results.of(case, name)) for case in cases])
        if name in ("replace", "finish"):
            done = [other for _, other, _ in EXAMPLE_STEPS]
            done = done[:done.index(name) + 1]
            calls = [sum(results.of(case, step) for step in done) for case in cases]
            text = "**device handed over**" if name == "replace" else "**session finished**"
            rows.append([f"{text}: calls so far"] + [thousands(value) for value in calls])
            rows.append(["since the first user instruction"] +
                        [thousands(results.of(case, f"all to {name}")) for case in cases])
    print_table(["step"] + [f"{case.mib} MiB in {FOLIOS[case.huge]}" for case in cases], rows)


def print_memory(results, cases):
    """What a folio of the memory costs, with and without state of the IOMMU."""
    rows = []
    for case in cases:
        bare = case._replace(kind="memory")
        folios = case.mib * MIB // (2 * MIB if case.huge else 4096)
        rows.append([f"{case.mib} MiB in {FOLIOS[case.huge]}"] +
                    [f"{results.of(which, name) / folios:.0f}" for name in ("memory", "finish")
                     for which in (case, bare)] +
                    [f"{results.of(case, 'hwpt') / folios:.0f}"])
    print_table(["instructions a folio", "retrieve the memory", "with no IOMMU state", "finish",
                 "with no IOMMU state", "build the tables"], rows)


def print_times(results, cases):
    """When the example said what, in microseconds, and in parts of the whole."""
    rows = []
    for text in PRINTED:
        row = [text]
        for case in cases:
            at, all_of_it = results.of(case, text), results.of(case, PRINTED[-1])
            row += [f"{at:.0f}", f"{at / all_of_it:.2f}"]
        rows.append(row)
    header = ["microseconds until"]
    for case in cases:
        header += [f"{case.mib} MiB in {FOLIOS[case.huge]}", "of all"]
    print_table(header, rows)


def print_devices(results, cases):
    """What devices cost, each."""
    rows = []
    for case in cases:
        rows.append([f"{case.devices} on {'one HWPT' if case.shared else 'one each'}"] +
                    [thousands(results.of(case, name)) for _, name in EACH] +
                    [thousands(results.of(case, "finish")), thousands(results.of(case, "all"))])
    ordinary = [thousands(results.of(cases[0], ORDINARY + name))
                if name in ("driver", "bind", "hwpt", "replace", "destroy") else ""
                for _, name in EACH]
    rows.append(["1, nothing handed over"] + ordinary + ["", ""])
    print_table(["devices", *(text for text, _ in EACH), "finish", "all"], rows)


def choose(quick):
    """Sizes, sizes to time, numbers of devices."""
    sizes = [(16, False), (16, True)] if quick else [(16, False), (256, False), (1024, False),
                                                     (16, True), (256, True), (1024, True)]
    timed = sizes[:1] if quick else [(16, False), (256, False), (256, True)]
    counts = (1, 2) if quick else (1, 2, 4, 8)
    return ([Case("example", *size) for size in sizes], [Case("time", *size) for size in timed],
            [Case("devices", devices=count, shared=shared) for shared in (True, False)
             for count in counts if shared or count > 1])


def main():
    """Measure and print."""
    arguments = parse_arguments()
    examples, timed, devices = choose(arguments.quick)
    results = Results(arguments.results, Case)
    runs = arguments.runs
    if runs is None:
        runs = 1 if arguments.quick else 3
    # Times are taken when nothing else runs.
    compared = [case for case in examples if case.mib == (16 if arguments.quick else 256)]
    bare = [case._replace(kind="memory") for case in compared]
    run_all(Kernel(arguments.kernel), examples + devices + bare, runs, arguments.jobs, results,
            measure)
    run_all(Kernel(arguments.kernel), timed, 3 * runs, 1, results, measure)
    print_steps(results, examples)
    print_memory(results, compared)
    print_times(results, timed)
    print_devices(results, devices)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (VmError, TimeoutError, subprocess.CalledProcessError) as failure:
        print(f"takeover.py: {failure}", file=sys.stderr)
        sys.exit(1)
