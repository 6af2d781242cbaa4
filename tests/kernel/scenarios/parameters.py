# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the command line of the next kernel changes, and the unit tests it can run."""
import re

import preserving
import steps
from harness import check, equal, scenario

PARAMETERS = "/sys/module/iommu_liveupdate/parameters"
KTAP_RESULT = re.compile(r"^(\s*)(ok|not ok) [0-9]+ (\S+)(.*)$")
SUITES = ("iommu-liveupdate", "iommu-liveupdate-vtd", "iommu-liveupdate-iommufd")


def into(lab, cmdline):
    """Preserve, load the next kernel with these words on its command line: (machine, guest)."""
    vm = lab.start()
    guest = preserving.preserved_guest(vm)
    vm.kexec(cmdline=cmdline)
    return vm, guest


def verify_level(lab, level):
    """The handover is taken over at this depth of validation."""
    vm, guest = into(lab, f"iommu_liveupdate.verify={level}")
    vm.jump()
    equal(vm.read(f"{PARAMETERS}/verify").strip(), level, "depth of validation")
    preserving.carried(vm, guest)


for depth in ("seal", "tables", "closure"):
    scenario(f"verify-{depth}")(lambda lab, level=depth: verify_level(lab, level))


@scenario("wrong-parameters")
def wrong_parameters(lab):
    """Values that don't exist are named in the log, and the default stays."""
    vm, guest = into(lab, "iommu_liveupdate.on_error=carry-on iommu_liveupdate.verify=nothing")
    vm.jump()
    lab.note(vm.wait_console(r"iommu: liveupdate: on_error=carry-on is neither .*").group(0))
    lab.note(vm.wait_console(r"iommu: liveupdate: verify=nothing is none of .*").group(0))
    equal(vm.read(f"{PARAMETERS}/on_error").strip(), "panic", "policy")
    equal(vm.read(f"{PARAMETERS}/verify").strip(), "tables", "depth of validation")
    preserving.carried(vm, guest)


@scenario("next-kernel-with-iommu-off")
def iommu_off_panics(lab):
    """A next kernel that is told to leave the IOMMU alone can't keep the promise: it panics."""
    vm, _ = into(lab, "intel_iommu=off")
    vm.send("reboot kexec")
    line = vm.wait_panic()
    lab.note(line)
    check("iommu: liveupdate: the handover can't be used" in line, "the panic isn't about this")


@scenario("next-kernel-with-iommu-off-blocks")
def iommu_off_blocks(lab):
    """The same with on_error=block: the device is stopped before translation goes off."""
    vm = lab.start()
    guest = preserving.preserved_guest(vm)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    steps.edu_load(vm, guest.bar, steps.COPY_FROM)
    bar = steps.bar_address(vm)
    vm.kexec(cmdline="intel_iommu=off iommu_liveupdate.on_error=block")
    vm.jump()
    lab.note(vm.wait_console(r"iommu: liveupdate: the handover can't be used.*").group(0))
    check(not preserving.has_master(vm), "the device may still do DMA")
    before = vm.gdb.read(page, 64)
    steps.outside_store(vm.gdb, bar, steps.COPY_TO)
    vm.resume()
    steps.wait_memory(lambda: steps.outside_done(vm, bar), True, "the end of edu's DMA")
    equal(vm.gdb.read(page, 64), before, "memory that the device aimed at")
    vm.resume()
    steps.reopen_session(vm)
    steps.retrieve_memory(vm, memory=guest.memory)
    equal(vm.num(f"check {guest.memory} {steps.SEED}"), 0, "words that differ")


def ktap(text, suite):
    """Results of one KUnit suite's cases on a console: [(ok or not ok, name, rest)]."""
    found, inside = [], False
    for line in text.splitlines():
        line = re.sub(r"^\[ *[0-9.]+\] ", "", line)
        if re.search(rf"# Subtest: {suite}$", line):
            inside = True
        match = KTAP_RESULT.match(line)
        if not inside or not match:
            continue
        indent, status, name, rest = match.groups()
        if not indent:
            found.append((status, suite, rest))
            return found
        found.append((status, name, rest))
    return found


@scenario("kunit", modes=["scalable"], needs=["glue", "IOMMU_LIVEUPDATE_KUNIT_TEST=y"])
def kunit(lab):
    """The kernel's own unit tests of the glue."""
    vm = lab.start(lab.kernel, cmdline=f"kunit.enable=1 kunit.filter_glob={SUITES[0]}*")
    for suite in SUITES:
        results = ktap(vm.console(), suite)
        for status, name, rest in results:
            lab.note(f"{status} {name}{rest}")
        check(results and results[-1][1] == suite, f"the suite {suite} did not run to its end")
        check(len(results) > 5, f"only {len(results)} results of {suite}")
        equal([name for status, name, rest in results if status != "ok" or "SKIP" in rest], [],
              f"unit tests of {suite} that did not pass")
