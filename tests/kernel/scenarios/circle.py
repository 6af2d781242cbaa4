# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The whole way: a monitor takes its devices back after the jump, their DMA never stops, and the
next live update can follow."""
import preserving
import resuming
import steps
from harness import check, equal, scenario
from removal import PORT, VIRTIO_RNG
from topology import find
from vm import EDU, RNG, UNITS

ROUNDS = 10
DEBUG_ROUNDS = 3
# How much less memory may be free than after the first round: what a kernel allocates at boot
# differs by half of that. A guest's memory lost in each round would be more.
FREE_SLACK_KIB = 12 << 10


def start(lab, *kernels, **options):
    """edu, a virtio-rng that the host feeds and one that never pauses, all on one HWPT."""
    vm = lab.start(*kernels, rng=True, devices=resuming.STORM_DEVICE, **options)
    guest = steps.edu_guest(vm)
    equal(steps.translation_type(vm, EDU), lab.mode, "kind of translation")
    traffic = resuming.Traffic(guest, steps.add_rng(vm, guest), resuming.Storm(vm, guest))
    preserving.mark(vm, guest)
    devices = {guest.cdev: (EDU, preserving.CDEV_TOKEN), "cdev1": (RNG, 0x201),
               "cdev2": (resuming.STORM, 0x202)}
    return vm, guest, traffic, devices


def preserve(vm, guest, devices):
    """Everything into a session."""
    resuming.open_session(vm)
    preserving.preserve_memory(vm, guest)
    vm.ok(f"preserve session0 {preserving.IOMMUFD_TOKEN:#x} {guest.iommufd}")
    for cdev, (_, token) in devices.items():
        vm.ok(f"preserve session0 {token:#x} {cdev}")


def to_next(vm, guest, traffic, devices):
    """Preserve and jump, with DMA across both; buffers are offered for the time without memory."""
    traffic.across(vm, "preserve", lambda: preserve(vm, guest, devices))
    traffic.stop_storm(vm)
    traffic.offer(steps.VirtioRng.QUEUE - len(traffic.offered))
    vm.kexec()
    traffic.across(vm, "jump", lambda: (vm.jump(), traffic.land(vm)))


def take_back(vm, guest, traffic, devices, watched=None):
    """All steps, with DMA of each device across those whose names begin with a watched word."""
    takeover = resuming.Takeover(vm, guest, devices)

    def around(machine, name, step):
        if not watched or name.split()[0] in watched:
            traffic.across(machine, name, step)
        else:
            step()
        if name == "memory":
            traffic.start_storm(vm)
        if traffic.storming:
            traffic.offer(int(len(traffic.offered) < 2))
    takeover.run(around=around)
    return takeover


@scenario("full-circle")
def full_circle(lab):
    """Preserve, jump, retrieve, bind, restore, replace, finish: DMA in flight across each step."""
    vm, guest, traffic, devices = start(lab, lab.kernel, lab.kernel)
    traffic.start_storm(vm)
    traffic.offer(2)
    to_next(vm, guest, traffic, devices)
    take_back(vm, guest, traffic, devices)
    equal(steps.translation_type(vm, EDU), lab.mode, "kind of translation")
    for bdf, _ in devices.values():
        check(preserving.has_master(vm, bdf), f"{bdf} lost bus mastering")
    traffic.across(vm, "nothing", lambda: None)
    traffic.stop_storm(vm)
    traffic.check_all(vm)
    lab.note(f"{traffic.storm.total} buffers of the storm, {traffic.pieces} writes of edu, "
             f"{len(traffic.fed)} buffers fed")
    vm.ok(f"fill {guest.memory} {steps.SEED}")
    resuming.is_taken_back(vm, guest)


@scenario("ten-in-a-row")
def ten_in_a_row(lab):
    """Ten live updates of the same machine (fewer with a debug kernel), DMA running: memory and
    domain ids stay what they were."""
    count = DEBUG_ROUNDS if lab.kernel.option("CONFIG_KASAN") == "y" else ROUNDS
    # All the kernels are in the first one's initramfs; what is loaded has to fit into KHO's areas.
    vm, guest, traffic, devices = start(lab, *[lab.kernel] * (count + 1), memory="2G",
                                        scratch="128M,256M,64M")
    traffic.start_storm(vm)
    traffic.offer(2)
    rounds = []
    for _ in range(count):
        to_next(vm, guest, traffic, devices)
        take_back(vm, guest, traffic, devices, ["restore", "replace", "finish"])
        rounds.append(resuming.counters(vm))
        rounds[-1]["dids"] = resuming.domain_ids(vm, [bdf for bdf, _ in devices.values()])
    traffic.stop_storm(vm)
    traffic.check_all(vm)
    lab.note(f"{traffic.storm.total} buffers of the storm, {traffic.pieces} writes of edu, "
             f"{len(traffic.fed)} buffers fed; first and last round: {rounds[0]}, {rounds[-1]}; "
             f"KiB free: {[each['MemFree'] + each['Cached'] for each in rounds]}")
    # The first kernel was not booted by a kexec: rounds are compared with the first after it.
    for number, found in enumerate(rounds[1:], 2):
        for name in set(rounds[0]) - {"MemFree", "Cached", "dids"}:
            equal(found[name], rounds[0][name], f"{name} after round {number}")
        # Each kernel comes with a smaller initramfs, which counts as cached.
        free, first = (each["MemFree"] + each["Cached"] for each in (found, rounds[0]))
        check(free > first - FREE_SLACK_KIB, f"KiB free after round {number}: {free}, were {first}")
    used = {did for found in rounds for did in found["dids"]}
    check(len(used) <= 3, f"domain ids used: {sorted(used)}")
    vm.ok(f"fill {guest.memory} {steps.SEED}")
    resuming.is_taken_back(vm, guest)


def on_restored(lab, devices=resuming.STORM_DEVICE, **options):
    """A machine whose devices were adopted, and a second HWPT with the same mappings."""
    vm = lab.start(devices=devices, **options)
    bdf, = find(vm, VIRTIO_RNG)
    guest = steps.edu_guest(vm)
    storm = resuming.Storm(vm, guest, bdf=bdf)
    preserving.mark(vm, guest)
    devices = {guest.cdev: (EDU, preserving.CDEV_TOKEN), "cdev2": (bdf, 0x202)}
    preserve(vm, guest, devices)
    vm.kexec()
    vm.jump()
    takeover = resuming.Takeover(vm, guest, devices)
    takeover.run(until="hwpt")
    storm.rng.reach(vm, bdf)
    return vm, guest, storm, takeover


def replace_under_dma(lab, count, **options):
    """Back and forth between the restored HWPT and the new one while a device writes."""
    if lab.kernel.option("CONFIG_KASAN") == "y":
        count = 500
    vm, guest, storm, takeover = on_restored(lab, **options)
    storm.start(vm)
    storm.advance(vm)
    nanoseconds = vm.num(f"replace {storm.cdev} {count} {guest.hwpt} {takeover.restored}", 600)
    storm.advance(vm)
    buffers = storm.stop(vm)
    equal(vm.faults(), [], "DMAR faults")
    check(buffers >= count / 100, f"only {buffers} buffers came during {count} replaces")
    lab.note(f"{count} replaces in {nanoseconds / 1e9:.2f} s, {nanoseconds / count / 1000:.0f} us "
             f"each; {buffers} DMAs of 64 bytes meanwhile")
    takeover.run(after="hwpt")
    vm.ok(f"fill {guest.memory} {steps.SEED}")
    resuming.is_taken_back(vm, guest)


@scenario("replace-under-dma")
def replaces(lab):
    """10 000 replaces (fewer in a debug kernel) under DMA: none of it is lost, none faults."""
    replace_under_dma(lab, 10000)


@scenario("replace-under-dma-uncached")
def replaces_uncached(lab):
    """2000 with a unit as in real machines, which needs no flush of what wasn't present."""
    unit = UNITS[lab.mode].replace("caching-mode=on", "caching-mode=off")
    replace_under_dma(lab, 2000, unit=unit)


@scenario("replace-under-dma-ats")
def replaces_ats(lab):
    """2000 with translations cached in the device."""
    replace_under_dma(lab, 2000, unit=UNITS[lab.mode] + ",device-iotlb=on",
                      devices=(*PORT, *resuming.STORM_ATS))


@scenario("two-devices-either-order")
def either_order(lab):
    """Devices of one HWPT are bound, adopted and moved in any order."""
    vm = lab.start(lab.kernel, lab.kernel, lab.kernel, devices=resuming.STORM_DEVICE)
    guest = steps.edu_guest(vm)
    traffic = resuming.Traffic(guest, None, resuming.Storm(vm, guest))
    preserving.mark(vm, guest)
    devices = {guest.cdev: (EDU, preserving.CDEV_TOKEN), "cdev2": (resuming.STORM, 0x202)}
    for order in (list(devices), list(reversed(devices))):
        preserve(vm, guest, devices)
        vm.kexec()
        traffic.across(vm, "jump", lambda: (vm.jump(), traffic.land(vm)))
        takeover = resuming.Takeover(vm, guest, {name: devices[name] for name in order})
        takeover.run(until="memory")
        traffic.start_storm(vm)
        takeover.run(after="memory", until=f"bind {order[0]}", around=traffic.across)
        vm.err("ENODEV", f"hwpt-restore {guest.iommufd} {preserving.HWPT_TOKEN:#x}")
        takeover.run(after=f"bind {order[0]}", until=f"replace {order[0]}", around=traffic.across)
        vm.err("EBUSY", f"destroy {guest.iommufd} {takeover.restored}")
        vm.err("EBUSY", "finish session0")
        takeover.run(after=f"replace {order[0]}", around=traffic.across)
        traffic.stop_storm(vm)
        traffic.check_all(vm)
