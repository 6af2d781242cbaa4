#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Carry a device's IOMMU state through a live update and keep what it looked like: memory at the
jump, the stream of the next kernel, then and when the device was taken back, and what the kernels'
own debugfs said at these moments.

usage: capture.py --kernel DIR [--mode MODE]... OUTDIR
tests/lab/fixtures.sh makes the bundled fixtures out of it; tests/lab/README.md lists the files.
Exit: 0 captured, 1 not, 2 wrong usage, 77 no QEMU for a mode (what could be captured is there).
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import preserving
import resuming
import run
import steps
from harness import Lab, Skip, check, equal
from vm import EDU, MODES, VmError

DEBUGFS = "/sys/kernel/debug/iommu"
DOMAIN = f"intel/{EDU}/domain_translation_struct"


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Keep what a live update with a device looks like.")
    parser.add_argument("--kernel", metavar="DIR", required=True,
                        help="build directory of a kernel with the glue (build.sh plain 7.3)")
    parser.add_argument("--mode", action="append", choices=MODES, help="only this mode")
    parser.add_argument("--tool", metavar="FILE", default=os.environ.get("IOMMU_KHO_DUMP"),
                        help="iommu-kho-dump ($IOMMU_KHO_DUMP, or one of the checkout)")
    parser.add_argument("--qemu10", metavar="WORDS",
                        help="command of a QEMU with first stage; by default what qemu10.sh says")
    parser.add_argument("outdir", metavar="OUTDIR")
    arguments = parser.parse_args()
    arguments.stock = arguments.next = None
    return arguments


class Capture:
    """One live update: its files are called MODE-glue-*."""

    def __init__(self, lab, outdir):
        self.lab = lab
        self.prefix = os.path.join(outdir, lab.mode + "-glue")

    def path(self, name):
        """A file to be left."""
        return f"{self.prefix}-{name}"

    def keep(self, vm, source, name):
        """Copy a text of debugfs."""
        text = vm.read(f"{DEBUGFS}/{source}")
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        return text

    def keep_entries(self, vm, name):
        """Every device's entries as the VT-d driver prints them; returns the root table."""
        text = self.keep(vm, "intel/dmar_translation_struct", name)
        roots = re.findall(r"Root Table Address: (0x[0-9a-f]+)", text)
        equal(len(roots), 1, "root tables")
        return roots[0]

    def before(self, vm):
        """The first kernel, up to the jump."""
        guest = preserving.preserved_guest(vm)
        equal(steps.translation_type(vm, EDU), self.lab.mode, "kind of translation")
        page = steps.page_of(vm, guest.memory, steps.COPY_TO)
        root = self.keep_entries(vm, "dmar.txt")
        domain = self.keep(vm, DOMAIN, "domain.txt")
        vm.kexec()
        vm.jump_stopped()
        vm.dump(os.path.realpath(self.path("jump.elf")))
        return guest, page, root, domain

    def taken_back(self, vm, guest):
        """What the stream says when the device has moved to an HWPT of its own kernel."""
        takeover = resuming.Takeover(vm, guest)
        takeover.run(until=f"replace {guest.cdev}")
        left = preserving.pull(vm, preserving.INCOMING, self.path("left.ikho"))
        # Where its DMA goes now is in tables that are no part of the handover.
        preserving.verify(self.lab, left)
        equal(preserving.translate(self.lab, left, steps.IOVA + steps.COPY_TO)["phys"], None,
              "where the device's DMA goes according to the stream of a device that has left")
        shown = preserving.show(self.lab, left)
        equal([shown[kind][0]["state"] for kind in ("iommus", "domains", "devices")],
              ["restored", "handed-over", "left"], "states")
        self.keep_entries(vm, "left-dmar.txt")
        self.keep(vm, "liveupdate/state", "left-state.txt")
        takeover.run(after=f"replace {guest.cdev}")

    def check(self, image, page):
        """An image that isn't sound, or doesn't lead to the memfd, is no fixture."""
        preserving.verify(self.lab, image)
        equal(preserving.translate(self.lab, image, steps.IOVA + steps.COPY_TO)["phys"], hex(page),
              f"where the device's DMA goes according to {os.path.basename(image)}")

    def take(self):
        """Do it all; returns lines for glue.env."""
        vm = self.lab.start()
        release = vm.ok("ping")
        guest, page, root, domain = self.before(vm)
        vm.land()
        self.check(self.path("jump.elf"), page)
        incoming = preserving.pull(vm, preserving.INCOMING, self.path("incoming.ikho"))
        self.check(incoming, page)
        equal(self.keep_entries(vm, "incoming-dmar.txt"), root, "root table of the second kernel")
        check(vm.read(f"{DEBUGFS}/{DOMAIN}") == domain, "the device's mappings changed")
        self.keep(vm, "liveupdate/state", "incoming-state.txt")
        equal(vm.faults(), [], "DMAR faults")
        steps.edu_copy(vm, preserving.resource(vm))
        self.taken_back(vm, guest)
        steps.check_copied(vm, guest.memory)
        equal(vm.faults(), [], "DMAR faults")
        self.lab.check_consoles([])
        key = self.lab.mode.upper().replace("-", "_") + "_GLUE"
        return [f"{key}_KERNEL_RELEASE={release}", f"{key}_VTD_ROOT={root}",
                f"{key}_IOVA={steps.IOVA + steps.COPY_TO:#x}", f"{key}_PHYS={page:#x}"]


def capture(settings, mode, arguments, directory):
    """One mode."""
    lab = Lab(settings, mode, os.path.join(directory, mode))
    try:
        lab.require(["glue", "tool"])
        return Capture(lab, arguments.outdir).take()
    except VmError:
        for machine in lab.machines:
            print("\n".join(machine.transcript[-20:] + machine.console().splitlines()[-20:]),
                  file=sys.stderr)
        raise
    finally:
        lab.close()


def main():
    """Capture every mode."""
    arguments = parse_arguments()
    modes = arguments.mode or MODES
    os.makedirs(arguments.outdir, exist_ok=True)
    lines, skipped = [], False
    with tempfile.TemporaryDirectory(prefix="iommuser-capture-") as directory:
        settings = run.prepare(arguments, directory, modes)
        for mode in modes:
            try:
                lines += capture(settings, mode, arguments, directory)
            except Skip as skip:
                print(f"capture.py: {mode} is skipped: {skip}", file=sys.stderr)
                skipped = True
                continue
            print(f"capture.py: {mode}: captured", file=sys.stderr)
    if not lines:
        return 77
    with open(os.path.join(arguments.outdir, "glue.env"), "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    return 77 if skipped else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (VmError, TimeoutError, subprocess.CalledProcessError) as failure:
        print(f"capture.py: {failure}", file=sys.stderr)
        sys.exit(1)
