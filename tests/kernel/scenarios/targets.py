# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A restored HWPT as what devices are attached to, until its session is finished."""
import circle
import preserving
import resuming
import steps
from harness import equal, scenario
from removal import PORT
from vm import UNITS


def check_dma(vm, guest, bar):
    """The device copies inside the memory, and nothing faults."""
    vm.ok(f"fill {guest.memory} {steps.SEED}")
    steps.edu_copy(vm, bar)
    steps.check_copied(vm, guest.memory)
    equal(vm.faults(), [], "DMAR faults")


@scenario("restored-hwpt-as-target")
def target(lab):
    """Attached again after a detach, from an ordinary HWPT, not after the session's end."""
    vm, guest, storm, takeover = circle.on_restored(lab)
    cdev, other = guest.cdev, storm.cdev
    bar = preserving.resource(vm, guest.bdf, f"target-{cdev}")
    check_dma(vm, guest, bar)
    vm.ok(f"attach {cdev} {guest.hwpt}")
    check_dma(vm, guest, bar)
    vm.ok(f"detach {cdev}")
    vm.ok(f"attach {cdev} {takeover.restored}")
    check_dma(vm, guest, bar)
    vm.ok(f"attach {cdev} {guest.hwpt}")
    check_dma(vm, guest, bar)
    vm.ok(f"attach {cdev} {takeover.restored}")
    vm.err("EBUSY", "finish session0")
    vm.ok(f"attach {other} {guest.hwpt}")
    vm.err("EBUSY", "finish session0")
    vm.ok(f"attach {cdev} {guest.hwpt}")
    vm.ok("finish session0")
    vm.err("ENXIO", f"attach {cdev} {takeover.restored}")
    check_dma(vm, guest, bar)
    vm.ok(f"detach {cdev}")
    vm.err("ENXIO", f"attach {cdev} {takeover.restored}")
    vm.ok(f"attach {cdev} {guest.hwpt}")
    check_dma(vm, guest, bar)
    vm.ok(f"destroy {guest.iommufd} {takeover.restored}")
    vm.ok("close session0")
    vm.ok(f"fill {guest.memory} {steps.SEED}")
    resuming.is_taken_back(vm, guest)


@scenario("reset-on-restored-hwpt")
def reset(lab):
    """No reset of a device that has left and went back: its tables may be spent meanwhile."""
    vm, guest, storm, takeover = circle.on_restored(lab, devices=(*PORT, *resuming.STORM_ATS),
                                                    unit=UNITS[lab.mode] + ",device-iotlb=on")
    vm.ok(f"attach {storm.cdev} {guest.hwpt}")
    vm.ok(f"attach {storm.cdev} {takeover.restored}")
    vm.err("EBUSY", f"reset {storm.cdev}")
    vm.ok(f"attach {storm.cdev} {guest.hwpt}")
    vm.ok(f"reset {storm.cdev}")
    takeover.run(after="hwpt")
    vm.ok(f"reset {storm.cdev}")
