# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a monitor may not do while it takes its devices back, each with its errno."""
import preserving
import resuming
import steps
from harness import check, equal, scenario
from ownership import OTHER, OTHER_EDU
from removal import FAR_RNG, PORT, VIRTIO_RNG
from topology import find
from vm import EDU

TOKEN = preserving.HWPT_TOKEN


def jumped(lab, **options):
    """Behind the jump, with edu preserved; nothing taken back yet."""
    vm = lab.start(**options)
    guest = preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump()
    return vm, guest, resuming.Takeover(vm, guest)


def still_runs(vm, bar, piece):
    """A copy of its own lands: piece is a number that wasn't used before."""
    at = piece * 256
    vm.ok(f"edu-dma {bar} from-ram {steps.IOVA + at:#x} 256")
    vm.ok(f"edu-dma {bar} to-ram {steps.IOVA + steps.COPY_TO + at:#x} 256")
    equal(vm.faults(), [], "DMAR faults")


@scenario("finish-too-early")
def finish_too_early(lab):
    """The session finishes when no device runs on restored tables any more, and not before."""
    vm, guest, takeover = jumped(lab)
    bar = preserving.resource(vm)
    piece = 0
    for name, step in takeover.steps():
        step()
        if name == f"replace {guest.cdev}":
            break
        vm.err("EBUSY", "finish session0")
        if name in ("session", "restore", f"adopt {guest.cdev}"):
            still_runs(vm, bar, piece)
            piece += 1
    # And back: the restored HWPT can be used until the session is finished.
    vm.ok(f"attach {guest.cdev} {takeover.restored}")
    vm.err("EBUSY", "finish session0")
    still_runs(vm, bar, piece)
    vm.ok(f"attach {guest.cdev} {guest.hwpt}")
    vm.ok("finish session0")
    # It is an HWPT still, but spent.
    vm.err("ENXIO", f"attach {guest.cdev} {takeover.restored}")
    vm.err("ENOENT", f"hwpt-restore {guest.iommufd} {TOKEN:#x}")
    still_runs(vm, bar, piece + 1)
    takeover.destroy()
    vm.ok("close session0")
    resuming.check_pieces(vm, guest.memory, piece + 2)
    resuming.is_taken_back(vm, guest, bar)


@scenario("wrong-restore")
def wrong_restore(lab):
    """Wrong iommufds, tokens, moments: every refusal of HWPT_LIVEUPDATE_RESTORE and of the bind."""
    vm, guest, takeover = jumped(lab)
    restore = f"hwpt-restore {guest.iommufd}"
    vm.ok("iommufd fresh")
    vm.err("EINVAL", f"hwpt-restore fresh {TOKEN:#x}")
    takeover.run(until="iommufd")
    vm.err("EOPNOTSUPP", f"{restore} {TOKEN:#x} flags=1")
    vm.err("EOPNOTSUPP", f"{restore} {TOKEN:#x} reserved=1")
    vm.err("EINVAL", f"{restore} {TOKEN:#x} size=16")
    vm.err("E2BIG", f"{restore} {TOKEN:#x} size=32 tail=1")
    vm.err("ENODEV", f"{restore} {TOKEN:#x}")
    vm.err("ENOENT", f"{restore} {TOKEN + 1:#x}")
    takeover.run(after="iommufd", until=f"cdev {guest.cdev}")
    vm.err("EPERM", f"bind {guest.cdev} fresh")
    vm.err("ENODEV", f"{restore} {TOKEN:#x}")
    takeover.bind(guest.cdev)
    vm.err("EINVAL", f"bind {guest.cdev} fresh")
    equal(vm.num(f"bind {guest.cdev} {guest.iommufd}"), takeover.ids[guest.cdev], "bound again: id")
    # Not yet attached: nothing else may be put in its place, unless the restored HWPT came first.
    ioas = vm.num(f"ioas {guest.iommufd}")
    vm.err("EBUSY", f"attach {guest.cdev} {ioas}")
    vm.err("ENOENT", f"{restore} {TOKEN + 1:#x}")
    takeover.restore()
    vm.err("EBUSY", f"{restore} {TOKEN:#x}")
    vm.ok(f"destroy {guest.iommufd} {ioas}")

    # An HWPT without address space.
    restored = takeover.restored
    vm.err(["EINVAL", "ENOENT"], f"unmap {guest.iommufd} {restored} {steps.IOVA:#x} {steps.SIZE}")
    vm.err(["EINVAL", "ENOENT"], f"map-file {guest.iommufd} {restored} {guest.memory} 4096")
    for near in (restored - 1, restored + 1):
        vm.err(["EINVAL", "ENOENT"], f"unmap {guest.iommufd} {near} {steps.IOVA:#x} {steps.SIZE}")
    vm.err("EINVAL", f"mark {guest.iommufd} {restored} {TOKEN:#x}")
    vm.err("EINVAL", f"mark {guest.iommufd} {restored} {TOKEN + 5:#x}")
    device = takeover.ids[guest.cdev]
    vm.err("EOPNOTSUPP", f"hwpt {guest.iommufd} {device} {restored}")
    vm.err(["EINVAL", "EOPNOTSUPP"], f"hwpt {guest.iommufd} {device} {restored} s1=0x1000")
    # One that was never attached goes back, and can be had again.
    takeover.destroy()
    takeover.restore()
    takeover.adopt(guest.cdev)
    vm.err("EBUSY", f"destroy {guest.iommufd} {takeover.restored}")
    vm.err("EBUSY", f"{restore} {TOKEN:#x}")
    takeover.run(after=f"adopt {guest.cdev}", until="destroy")
    vm.err("ENOENT", f"{restore} {TOKEN:#x}")
    vm.err("ENOENT", f"destroy {guest.iommufd} {takeover.restored}")
    takeover.run(after="destroy")
    vm.err("ENOENT", f"{restore} {TOKEN:#x}")
    vm.ok("close fresh")
    resuming.is_taken_back(vm, guest)


@scenario("takeover-of-another-session")
def another_session(lab):
    """Two sessions: neither monitor gets the other's device; one finishes, one gives up."""
    vm = lab.start(devices=OTHER_EDU)
    first = steps.edu_guest(vm)
    second = preserving.second_guest(vm, OTHER)
    preserving.mark(vm, first)
    preserving.mark(vm, second)
    resuming.open_session(vm)
    resuming.open_session(vm, "vm-2", "session1")
    preserving.preserve(vm, first)
    # The same tokens: they are names in their own session and iommufd only.
    preserving.preserve(vm, second, "session1")
    vm.kexec()
    vm.jump()
    one = resuming.Takeover(vm, first)
    other = resuming.Takeover(vm, second, session="session1", name="vm-2")
    one.run(until=f"cdev {first.cdev}")
    other.run(until=f"cdev {second.cdev}")
    vm.err("EPERM", f"bind {first.cdev} {second.iommufd}")
    vm.err("EPERM", f"bind {second.cdev} {first.iommufd}")
    one.run(after=f"cdev {first.cdev}", until=f"adopt {first.cdev}")
    other.bind(second.cdev)
    other.restore()
    vm.err(["ENOENT", "EINVAL"], f"attach {first.cdev} {other.restored + 100}")
    one.run(after=f"adopt {first.cdev}")
    # The second monitor gives up, the first one's device goes on.
    bar = preserving.resource(vm)
    steps.edu_load(vm, bar, steps.COPY_FROM)
    steps.edu_store(vm, bar, steps.COPY_TO, wait=0)
    vm.ok(f"close {second.cdev}")
    vm.ok(f"close {second.iommufd}")
    vm.ok("close session1")
    vm.ok("sleep 150")
    steps.check_copied(vm, first.memory)
    check(not preserving.has_master(vm, OTHER), "the abandoned device may do DMA")
    equal(vm.faults(), [], "DMAR faults")
    vm.ok(f"fill {first.memory} {steps.SEED}")
    resuming.is_taken_back(vm, first, bar)


@scenario("takeover-by-detach")
def by_detach(lab):
    """A device that is detached has left, too, but its DMA stops for a while."""
    vm, guest, takeover = jumped(lab)
    takeover.run(until=f"adopt {guest.cdev}")
    vm.ok(f"detach {guest.cdev}")
    bar = preserving.resource(vm)
    before = vm.data(f"peek {guest.memory} {steps.COPY_TO:#x} 64")
    steps.edu_store(vm, bar, steps.COPY_TO)
    steps.wait_fault(vm)
    equal(vm.data(f"peek {guest.memory} {steps.COPY_TO:#x} 64"), before, "memory while detached")
    takeover.destroy()
    takeover.finish()
    takeover.close_session()
    faults = len(vm.faults())
    takeover.ioas()
    takeover.map()
    takeover.hwpt()
    takeover.replace(guest.cdev)
    steps.edu_copy(vm, bar)
    steps.check_copied(vm, guest.memory)
    equal(len(vm.faults()), faults, "DMAR faults after the attach")


@scenario("takeover-closed-and-again")
def closed_and_again(lab):
    """Files are closed half-way. LUO keeps those that were retrieved, the DMA goes on, and who
    retrieves them again finds them as they were left."""
    vm, guest, takeover = jumped(lab)
    takeover.again = True
    bar = preserving.resource(vm)
    takeover.run(until="memory")
    for piece, until in enumerate((f"bind {guest.cdev}", "restore", f"adopt {guest.cdev}")):
        takeover.run(after="memory", until=until)
        vm.ok(f"close {guest.cdev}")
        vm.ok(f"close {guest.iommufd}")
        vm.err("EBUSY", "finish session0")
        check(preserving.has_master(vm), "the device was stopped")
        still_runs(vm, bar, piece)
    takeover.run(after="memory")
    resuming.check_pieces(vm, guest.memory, 3)
    resuming.is_taken_back(vm, guest, bar)


@scenario("takeover-by-a-fresh-cdev-again")
def fresh_again(lab):
    """A device that was bound through an ordinary descriptor is stopped when that is closed.
    Until it was attached its tables stay, nobody else gets it, and it can be taken again; from then
    on closing it is leaving them."""
    vm, guest, takeover = jumped(lab)
    takeover.again = True
    bar = preserving.resource(vm)
    takeover.run(until="iommufd")
    vm.ok("iommufd fresh")
    steps.give_to_vfio(vm, EDU)
    for until in (f"bind {guest.cdev}", "restore"):
        vm.ok(f"cdev {guest.cdev} {EDU}")
        takeover.run(after=f"cdev {guest.cdev}", until=until)
        vm.ok(f"close {guest.cdev}")
        check(not preserving.has_master(vm), "a closed device may do DMA")
        vm.err("EBUSY", "finish session0")
        check(EDU[5:] in preserving.context_entries(vm), "the device lost its entry")
        vm.ok(f"cdev other {EDU}")
        vm.err("EPERM", "bind other fresh")
        vm.ok("close other")
        vm.ok(f"config-write {EDU} 4 2 0x6")
        still_runs(vm, bar, 0)
    vm.ok(f"cdev {guest.cdev} {EDU}")
    takeover.run(after=f"cdev {guest.cdev}", until=f"adopt {guest.cdev}")
    steps.enable_master(vm, guest.cdev)
    still_runs(vm, bar, 0)
    vm.ok(f"close {guest.cdev}")
    check(not preserving.has_master(vm), "a closed device may do DMA")
    takeover.destroy()
    vm.ok("finish session0")
    vm.ok(f"fill {guest.memory} {steps.SEED}")
    vm.ok(f"cdev {guest.cdev} {EDU}")
    takeover.bind(guest.cdev)
    takeover.ioas()
    takeover.map()
    takeover.hwpt()
    takeover.replace(guest.cdev)
    steps.enable_master(vm, guest.cdev)
    resuming.is_taken_back(vm, guest, bar)


@scenario("reset-after-takeover")
def reset_after(lab):
    """Resets answer EBUSY until the device has left its restored tables; then they work."""
    vm = lab.start(edu=False, devices=PORT, rng=FAR_RNG)
    bdf, = find(vm, VIRTIO_RNG)
    guest = preserving.preserved_guest(vm, bdf)
    vm.kexec()
    vm.jump()
    takeover = resuming.Takeover(vm, guest)
    sysfs = f"write /sys/bus/pci/devices/{bdf}/reset -- 1"
    takeover.run(until=f"bind {guest.cdev}")
    for until, after in ((f"adopt {guest.cdev}", f"bind {guest.cdev}"),
                         ("hwpt", f"adopt {guest.cdev}")):
        vm.err("EBUSY", f"reset {guest.cdev}")
        vm.err("EBUSY", sysfs)
        takeover.run(after=after, until=until)
    check(preserving.has_master(vm, bdf), "a refused reset took bus mastering away")
    vm.err("EBUSY", f"reset {guest.cdev}")
    takeover.run(after="hwpt", until=f"replace {guest.cdev}")
    vm.ok(f"reset {guest.cdev}")
    steps.enable_master(vm, guest.cdev)
    takeover.run(after=f"replace {guest.cdev}")
    vm.ok(f"reset {guest.cdev}")


@scenario("taken-by-a-fresh-cdev")
def fresh_cdev(lab):
    """Who has the retrieved iommufd may bind the device through an ordinary descriptor, too."""
    vm, guest, takeover = jumped(lab)
    takeover.run(until="iommufd")
    steps.give_to_vfio(vm, EDU)
    vm.ok(f"cdev {guest.cdev} {EDU}")
    takeover.run(after=f"cdev {guest.cdev}", until=f"replace {guest.cdev}")
    takeover.run(after=f"replace {guest.cdev}")
    resuming.is_taken_back(vm, guest)
