#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Count what preserving IOMMU state, the jump and taking it over cost; print tables of medians.

usage: measure.py --kernel DIR [--quick] [--runs N] [--jobs N] [--results FILE]
Exit: 0 measured, 1 something could not be, 2 wrong usage.
"""
import argparse
import concurrent.futures
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import typing

from counting import CountingVM

# counting.py has made the scenarios' harness known.
# pylint: disable=wrong-import-order
import preserving
import steps
from vm import EDU, Kernel, VmError, compile_agent

MEMORY = 32 << 20
ENTRIES = 512
LEVELS = ("seal", "tables", "closure")
TOOK_OVER = re.compile(r"took over (\d+) units?, (\d+) domains?, (\d+) devices?, "
                       r"(\d+) table pages? in (\d+) us")
# The set of all preserved pages takes a look at the whole machine.
LARGE_GIB = 2
SPANS = (("reboot() to the IOMMU's shutdown", "to-shutdown"), ("shutdown of the IOMMU", "shutdown"),
         ("from there to start_kernel()", "image"), ("start_kernel() to the claim", "early"),
         ("iommu_liveupdate_claim()", "claim"), ("from there to the first user instruction", "late"))


class Case(typing.NamedTuple):
    """What is preserved, and how it is taken over."""

    maps: int = 1
    devices: int = 1
    shared: bool = True
    level: str = "tables"
    preserved: bool = True
    memory: str = "1G"


LARGE = Case(level="closure", memory=f"{LARGE_GIB}G")


def device_words(count):
    """QEMU's words for the devices beside the first."""
    words = []
    for number in range(1, count):
        words += ["-device", f"edu,id=edu{number},addr={number + 4:02x}.0,"
                             "dma_mask=0xffffffffffffffff"]
    return words


def bdf_of(number):
    """Where a device is."""
    return EDU.replace(":04.", f":{number + 4:02x}.")


def set_up(vm, case):
    """All devices under vfio on one HWPT or one each, the memory mapped time and again."""
    guests = [steps.open_device(vm, bdf_of(number), str(number)) for number in range(case.devices)]
    first = guests[0]
    steps.make_memory(vm, first.memory, MEMORY)
    ioas = vm.num(f"ioas {first.iommufd}")
    for guest in guests:
        own = guest is first or not case.shared
        guest.hwpt = vm.num(f"hwpt {guest.iommufd} {guest.device} {ioas}") if own else first.hwpt
        vm.ok(f"attach {guest.cdev} {guest.hwpt}")
        steps.enable_master(vm, guest.cdev)
    for number in range(case.maps):
        vm.ok(f"map-file {first.iommufd} {ioas} {first.memory} {MEMORY} "
              f"iova={steps.IOVA + number * MEMORY:#x}", timeout=300)
    return guests


def preserve(vm, case, guests, counts):
    """Preserve everything, and count."""
    first = guests[0]
    begin = vm.start_trace(f"preserve session0 {preserving.IOMMUFD_TOKEN:#x} {first.iommufd}",
                           "luo_preserve_file")
    counts["tables"] = 0
    for number in range(1 if case.shared else case.devices):
        entered = vm.until("iommu_liveupdate_preserve_domain")
        left = vm.until_return()
        if not number:
            counts["check"] = entered - begin
        counts["tables"] += left - entered
    vm.end_trace()
    counts["device"] = []
    for number, guest in enumerate(guests):
        begin = vm.start_trace(f"preserve session0 {preserving.CDEV_TOKEN + number:#x} {guest.cdev}",
                               "luo_preserve_file")
        counts["device"].append(vm.until_return() - begin)
        vm.end_trace()


def jump(vm, counts):
    """The blackout window, in spans; its sum as well."""
    marks = [vm.start_trace("reboot kexec", "__x64_sys_reboot"), vm.until("intel_iommu_shutdown"),
             vm.until_return(), vm.until("start_kernel"), vm.until("iommu_liveupdate_claim"),
             vm.until_return(), vm.until("user")]
    for (_, name), start, end in zip(SPANS, marks, marks[1:]):
        counts[name] = end - start
    counts["window"] = marks[-1] - marks[0]
    vm.resume()
    vm.wait_agent(300)


def check_taken(vm, case, counts):
    """Nothing is measured unless it happened."""
    taken = TOOK_OVER.search(vm.console())
    if not case.preserved:
        if taken:
            raise VmError(f"{case}: something was taken over")
        return
    if not taken:
        raise VmError(f"{case}: nothing was taken over")
    domains = 1 if case.shared else case.devices
    if [int(taken.group(part)) for part in (1, 2, 3)] != [1, domains, case.devices]:
        raise VmError(f"{case}: {taken.group(0)}")
    counts["pages"] = int(taken.group(4))


def measure(kernel, agent, case):
    """One boot, one jump: what was counted."""
    counts = {}
    with tempfile.TemporaryDirectory(prefix="iommuser-bench-") as directory:
        with CountingVM(directory, agent, [kernel, kernel], "legacy", memory=case.memory,
                        scratch="64M,64M,32M", cmdline="loglevel=6",
                        devices=device_words(case.devices)) as vm:
            vm.boot(300)
            guests = set_up(vm, case)
            steps.open_session(vm)
            if case.preserved:
                hwpts = guests[:1] if case.shared else guests
                for number, guest in enumerate(hwpts):
                    preserving.mark(vm, guest, preserving.HWPT_TOKEN + number)
            preserving.preserve_memory(vm, guests[0])
            if case.preserved:
                preserve(vm, case, guests, counts)
            vm.kexec(f"iommu_liveupdate.verify={case.level}")
            jump(vm, counts)
            check_taken(vm, case, counts)
    return counts


class Results:
    """What was counted in all runs of each case, kept in a file of one JSON text a line."""

    def __init__(self, path, kind=Case):
        self._path = path
        self._counts = {}
        if path and os.path.exists(path):
            with open(path, encoding="ascii") as file:
                for line in file:
                    case, counts = json.loads(line)
                    self._counts.setdefault(kind(*case), []).append(counts)

    def add(self, case, counts):
        """One more run."""
        self._counts.setdefault(case, []).append(counts)
        if self._path:
            with open(self._path, "a", encoding="ascii") as file:
                file.write(json.dumps([case, counts]) + "\n")

    def runs(self, case):
        """How often the case has run."""
        return len(self._counts.get(case, []))

    def of(self, case, name):
        """The median of one thing."""
        values = [run[name] for run in self._counts[case]]
        if isinstance(values[0], list):
            values = list(itertools.chain.from_iterable(values))
        return statistics.median(values)


def slope(results, small, large, name):
    """What one more table page costs."""
    pages = results.of(large, "pages") - results.of(small, "pages")
    return (results.of(large, name) - results.of(small, name)) / pages


def thousands(value):
    """A number of instructions, in thousands."""
    return f"{value / 1000:.1f}" if abs(value) < 99950 else f"{value / 1000:.0f}"


def print_table(header, rows):
    """A table of Markdown; the first column is text."""
    print("\n| " + " | ".join(header) + " |")
    print("| --- |" + " ---: |" * (len(header) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def print_tables(results, sizes):
    """Preserving and claiming table pages, and what one page costs."""
    rows = []
    for maps in sizes:
        cases = [Case(maps, level=level) for level in LEVELS]
        rows.append([f"{int(results.of(cases[1], 'pages'))}",
                     thousands(results.of(cases[1], "check")),
                     thousands(results.of(cases[1], "tables"))] +
                    [thousands(results.of(case, "claim")) for case in cases])
    print_table(["table pages", "preserve: check of the mappings", "preserve: tables",
                 *(f"claim, verify={level}" for level in LEVELS)], rows)

    names = [("preserve: check of the mappings", "check", "tables"),
             ("preserve: tables", "tables", "tables")]
    names += [(f"claim, verify={level}", "claim", level) for level in LEVELS]
    names.append(("early boot up to the claim, Linux's own", "early", "tables"))
    rows = []
    for text, name, level in names:
        page = slope(results, Case(sizes[0], level=level), Case(sizes[-1], level=level), name)
        rows.append([text, thousands(page * 1000), f"{page:.0f}", f"{page / ENTRIES:.1f}"])
    print_table(["one more table page", "1 000 pages, thousands", "a page, instructions",
                 "times reading it"], rows)
    more = results.of(LARGE, "claim") - results.of(Case(level="closure"), "claim")
    print(f"\nOne more GiB of memory in the machine, claim, verify=closure: "
          f"{thousands(more / (LARGE_GIB - 1))}")


def print_devices(results, counts):
    """What devices cost."""
    rows = []
    for shared in (True, False):
        for count in counts[0 if shared else 1:]:
            case, bare = Case(1, count, shared), Case(1, count, shared, preserved=False)
            rows.append([f"{count} on {'one HWPT' if shared else 'one each'}",
                         thousands(results.of(case, "device")), thousands(results.of(case, "claim")),
                         thousands(results.of(case, "shutdown")),
                         thousands(results.of(case, "late") - results.of(bare, "late")),
                         thousands(results.of(case, "window") - results.of(bare, "window"))])
    print_table(["devices", "preserve, each", "claim", "shutdown of the IOMMU",
                 "added after the claim", "added to the window"], rows)


def print_window(results, maps):
    """The blackout window by its spans, against a jump that hands no IOMMU state over."""
    columns = [("nothing preserved", Case(maps, preserved=False))]
    columns += [(f"verify={level}", Case(maps, level=level)) for level in LEVELS]
    rows = [[text] + [thousands(results.of(case, name)) for _, case in columns]
            for text, name in SPANS]
    total = [results.of(case, "window") for _, case in columns]
    rows.append(["all"] + [thousands(value) for value in total])
    rows.append(["more than with nothing preserved"] +
                [thousands(value - total[0]) for value in total])
    pages = int(results.of(columns[-1][1], "pages"))
    print_table([f"the window, {pages} table pages", *(text for text, _ in columns)], rows)


def choose(quick):
    """Sizes, numbers of devices, and all cases, the longest first."""
    sizes = [1, 8] if quick else [1, 64, 640]
    devices = [1, 2] if quick else [1, 2, 4, 8]
    cases = {Case(maps, level=level) for maps in sizes for level in LEVELS}
    cases |= {Case(1, count, shared, preserved=preserved) for count in devices
              for shared in (True, False) for preserved in (True, False) if shared or count > 1}
    cases |= {Case(maps, preserved=False) for maps in (sizes[0], sizes[-1])}
    cases.add(LARGE)
    return sizes, devices, sorted(cases, reverse=True)


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Count instructions of a live update.")
    parser.add_argument("--kernel", metavar="DIR", required=True, help="build of the glued kernel")
    parser.add_argument("--quick", action="store_true", help="few pages, few devices, one run")
    parser.add_argument("--runs", type=int, metavar="N",
                        help="runs of each case; 0 only prints what --results has")
    parser.add_argument("--jobs", type=int, metavar="N", default=os.cpu_count(),
                        help="machines at once")
    parser.add_argument("--results", metavar="FILE",
                        help="keep what was counted here, and go on from there")
    return parser.parse_args()


def run_all(kernel, cases, runs, jobs, results, function=measure):
    """Each case until it has run often enough."""
    with tempfile.TemporaryDirectory(prefix="iommuser-bench-") as directory:
        agent = compile_agent(kernel.headers, os.path.join(directory, "agent"))
        with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
            waiting = {pool.submit(function, kernel, agent, case): case
                       for run in range(runs) for case in cases if results.runs(case) <= run}
            try:
                for done in concurrent.futures.as_completed(waiting):
                    results.add(waiting[done], done.result())
            finally:
                pool.shutdown(cancel_futures=True)


def main():
    """Measure and print."""
    arguments = parse_arguments()
    sizes, devices, cases = choose(arguments.quick)
    results = Results(arguments.results)
    runs = arguments.runs
    if runs is None:
        runs = 1 if arguments.quick else 3
    run_all(Kernel(arguments.kernel), cases, runs, arguments.jobs, results)
    print_tables(results, sizes)
    print_devices(results, devices)
    for maps in (sizes[0], sizes[-1]):
        print_window(results, maps)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (VmError, TimeoutError, subprocess.CalledProcessError) as failure:
        print(f"measure.py: {failure}", file=sys.stderr)
        sys.exit(1)
