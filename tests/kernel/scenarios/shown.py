# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What iommu-kho-dump shows of a handover while it is taken over: where each record stands."""
import os

import circle
import preserving
import resuming
import steps
from harness import equal, scenario
from ownership import OTHER, OTHER_EDU
from vm import EDU, RNG


class Stream:
    """The stream of the incoming handover, pulled and shown at several moments."""

    def __init__(self, lab, vm):
        self.lab = lab
        self.vm = vm
        self.count = 0

    def states(self):
        """{"iommus": [state...], "domains": [...], "devices": {address: state}}; it is sound."""
        self.count += 1
        image = preserving.pull(self.vm, preserving.INCOMING,
                                os.path.join(self.lab.directory, f"stream{self.count}.ikho"))
        preserving.verify(self.lab, image)
        shown = preserving.show(self.lab, image)
        return {"iommus": [unit["state"] for unit in shown["iommus"]],
                "domains": [domain["state"] for domain in shown["domains"]],
                "devices": {device["bdf"]: device["state"] for device in shown["devices"]}}

    def expect(self, moment, domains, devices):
        """The only unit is restored from first to last."""
        equal(self.states(), {"iommus": ["restored"], "domains": domains, "devices": devices},
              f"states {moment}")


def next_kernel(lab):
    """Three devices on one HWPT, preserved, and in the next kernel."""
    vm, guest, _, devices = circle.start(lab, lab.kernel, lab.kernel)
    circle.preserve(vm, guest, devices)
    vm.kexec()
    vm.jump()
    return vm, resuming.Takeover(vm, guest, devices), Stream(lab, vm)


@scenario("states-shown", needs=["glue", "tool"])
def states_shown(lab):
    """Restored, handed over one by one, left one by one; the image is sound at each moment."""
    vm, takeover, stream = next_kernel(lab)
    first, *_, last = takeover.devices

    def expect(moment, domain, *devices):
        stream.expect(moment, [domain], dict(zip((EDU, RNG, resuming.STORM), devices)))

    expect("after the jump", "restored", *["restored"] * 3)
    takeover.run(until=f"bind {first}")
    expect("with a device bound", "restored", "handed-over", "restored", "restored")
    takeover.run(after=f"bind {first}", until=f"bind {last}")
    expect("with all bound", "restored", *["handed-over"] * 3)
    takeover.run(after=f"bind {last}", until=f"replace {first}")
    expect("with a device replaced", "handed-over", "left", "handed-over", "handed-over")
    takeover.run(after=f"replace {first}", until=f"replace {last}")
    expect("with all replaced", "handed-over", *["left"] * 3)
    takeover.run(after=f"replace {last}", until="destroy")
    expect("with the HWPT destroyed", "left", *["left"] * 3)
    takeover.run(after="destroy", until="finish")
    vm.err("ENODATA", f"open nothing {preserving.INCOMING}")
    equal(vm.faults(), [], "DMAR faults")


@scenario("abandoned-shown", needs=["glue", "tool"])
def abandoned_shown(lab):
    """Of two machines one is given up: its records are abandoned, the other's stay as they are."""
    vm = lab.start(devices=OTHER_EDU)
    first = steps.edu_guest(vm)
    second = preserving.second_guest(vm, OTHER)
    resuming.open_session(vm)
    resuming.open_session(vm, "vm-2", "session1")
    for guest, session in ((first, "session0"), (second, "session1")):
        preserving.mark(vm, guest)
        preserving.preserve(vm, guest, session)
    vm.kexec()
    vm.jump()
    stream = Stream(lab, vm)
    stream.expect("after the jump", ["restored"] * 2, {EDU: "restored", OTHER: "restored"})
    resuming.reopen_session(vm, "vm-2", "session1")
    vm.ok("close session1")
    stream.expect("with a machine given up", ["restored", "abandoned"],
                  {EDU: "restored", OTHER: "abandoned"})
    equal(vm.faults(), [], "DMAR faults")
