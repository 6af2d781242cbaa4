# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What can't be preserved is refused with the errno that says why, and nothing stays behind."""
import preserving
import steps
from harness import check, equal, scenario
from preserving import CDEV_TOKEN, HWPT_TOKEN, IOMMUFD_TOKEN
from vm import RNG

FAR = steps.IOVA + (1 << 30)


def refuse(vm, guest, errors):
    """The iommufd can't be preserved; what was preserved for the try is taken back."""
    steps.open_session(vm)
    preserving.preserve_memory(vm, guest)
    found = vm.err(errors, f"preserve session0 {IOMMUFD_TOKEN:#x} {guest.iommufd}")
    vm.ok(f"map-file {guest.iommufd} {guest.ioas} {guest.memory} 4096 iova={FAR + (1 << 30):#x}")
    vm.ok(f"unmap {guest.iommufd} {guest.ioas} {FAR + (1 << 30):#x} 4096")
    vm.ok("close session0")
    vm.ok("close liveupdate0")
    return found


@scenario("refused-mappings")
def mappings(lab):
    """Unsealed, anonymous, not preserved, dma-buf: each alone stops the iommufd."""
    vm = lab.start()
    guest = steps.edu_guest(vm)
    preserving.mark(vm, guest)

    steps.make_memory(vm, "loose", 65536, sealed=0)
    vm.ok(f"map-file {guest.iommufd} {guest.ioas} loose 65536 iova={FAR:#x}")
    refuse(vm, guest, "EPERM")
    vm.ok(f"unmap {guest.iommufd} {guest.ioas} {FAR:#x} 65536")

    vm.ok("anon memory9 65536")
    vm.ok(f"map {guest.iommufd} {guest.ioas} memory9 65536 iova={FAR:#x}")
    refuse(vm, guest, "EINVAL")
    vm.ok(f"unmap {guest.iommufd} {guest.ioas} {FAR:#x} 65536")

    steps.make_memory(vm, "other", 65536)
    vm.ok(f"map-file {guest.iommufd} {guest.ioas} other 65536 iova={FAR:#x}")
    refuse(vm, guest, "ENOENT")
    vm.ok(f"unmap {guest.iommufd} {guest.ioas} {FAR:#x} 65536")

    if vm.attempt(f"dmabuf buffer0 {guest.cdev} 0 0 65536") is None:
        vm.ok(f"map-file {guest.iommufd} {guest.ioas} buffer0 65536 iova={FAR:#x}")
        refuse(vm, guest, "EOPNOTSUPP")
        vm.ok(f"unmap {guest.iommufd} {guest.ioas} {FAR:#x} 65536")
    else:
        lab.notes.append("no dma-buf of a BAR on this kernel: that mapping was not tried")

    steps.open_session(vm)
    preserving.preserve(vm, guest)


@scenario("refused-hole")
def hole(lab):
    """A page that the IOMMU has and the memfd no longer: nobody would preserve it."""
    vm = lab.start()
    guest = steps.edu_guest(vm)
    preserving.mark(vm, guest)
    vm.ok(f"punch {guest.memory} 0x3000 4096")
    vm.ok(f"poke {guest.memory} 0x3000 00")
    refuse(vm, guest, "ESTALE")


@scenario("refused-marks")
def marks(lab):
    """What the mark ioctl refuses."""
    vm = lab.start()
    guest = steps.edu_guest(vm)
    steps.open_session(vm)
    preserving.preserve_memory(vm, guest)
    vm.err("ENOENT", f"mark {guest.iommufd} 0x7777 1")
    vm.err("EINVAL", f"mark {guest.iommufd} {guest.ioas} 1")
    vm.err("EINVAL", f"mark {guest.iommufd} {guest.hwpt} 1 size=8")
    vm.err("E2BIG", f"mark {guest.iommufd} {guest.hwpt} 1 size=24 tail=1")
    preserving.mark(vm, guest)
    preserving.mark(vm, guest)
    vm.err("EINVAL", f"mark {guest.iommufd} {guest.hwpt} 2")
    second = vm.num(f"hwpt {guest.iommufd} {guest.device} {guest.ioas}")
    vm.err("EADDRINUSE", f"mark {guest.iommufd} {second} {HWPT_TOKEN:#x}")
    vm.ok(f"mark {guest.iommufd} {second} 2")
    vm.ok(f"destroy {guest.iommufd} {second}")
    third = vm.num(f"hwpt {guest.iommufd} {guest.device} {guest.ioas}")
    vm.ok(f"mark {guest.iommufd} {third} 2")
    preserving.preserve_rest(vm, guest)
    vm.err("EBUSY", f"mark {guest.iommufd} {third} 2")


@scenario("refused-unmarked")
def unmarked(lab):
    """A device on an HWPT that was not marked."""
    vm = lab.start()
    guest = steps.edu_guest(vm)
    other = vm.num(f"hwpt {guest.iommufd} {guest.device} {guest.ioas}")
    vm.ok(f"mark {guest.iommufd} {other} 5")
    steps.open_session(vm)
    preserving.preserve_memory(vm, guest)
    vm.ok(f"preserve session0 {IOMMUFD_TOKEN:#x} {guest.iommufd}")
    vm.err("EINVAL", f"preserve session0 {CDEV_TOKEN:#x} {guest.cdev}")
    vm.ok("close session0")
    vm.ok(f"attach {guest.cdev} {other}")
    vm.ok(f"session session0 liveupdate0 {steps.SESSION}")
    preserving.preserve(vm, guest)


@scenario("busy-while-preserved")
def busy(lab):
    """Whatever would change a preserved device's translation."""
    vm = lab.start(rng=True)
    guest = steps.edu_guest(vm)
    further = steps.open_device(vm, RNG, "1", guest.iommufd)
    spare_ioas = vm.num(f"ioas {guest.iommufd}")
    spare = vm.num(f"hwpt {guest.iommufd} {guest.device} {spare_ioas}")
    preserving.mark(vm, guest)
    steps.open_session(vm)
    preserving.preserve(vm, guest)
    iommufd, ioas, cdev, hwpt = guest.iommufd, guest.ioas, guest.cdev, guest.hwpt
    for command in (
            f"map-file {iommufd} {ioas} {guest.memory} 4096 iova={FAR:#x}",
            f"unmap {iommufd} {ioas} {steps.IOVA:#x} {steps.SIZE}",
            f"copy {iommufd} {ioas} {ioas} {steps.IOVA:#x} 4096 iova={FAR:#x}",
            f"attach {cdev} {hwpt}",
            f"attach {cdev} {spare}",
            f"attach {cdev} {spare_ioas}",
            f"detach {cdev}",
            f"destroy {iommufd} {hwpt}",
            f"destroy {iommufd} {ioas}",
            f"dirty-tracking {iommufd} {hwpt} 1",
            f"attach {further.cdev} {hwpt}"):
        vm.err("EBUSY", command)
    vm.ok(f"attach {further.cdev} {spare}")
    steps.edu_copy(vm, guest.bar)
    steps.check_copied(vm, guest.memory)
    vm.ok("close session0")
    vm.ok(f"attach {cdev} {spare}")
    vm.ok(f"attach {cdev} {hwpt}")
    vm.ok(f"attach {further.cdev} {hwpt}")
    equal(vm.faults(), [], "DMAR faults")


@scenario("refused-nested", modes=["scalable", "first-stage"])
def nested(lab):
    """A nesting parent can't be marked."""
    vm = lab.start()
    guest = steps.edu_guest(vm)
    error = vm.attempt(f"hwpt {guest.iommufd} {guest.device} {guest.ioas} nest=1")
    if error:
        lab.notes.append(f"this IOMMU has no nesting parents ({error}); that was shown, no more")
        return
    parent = vm.num(f"hwpt {guest.iommufd} {guest.device} {guest.ioas} nest=1")
    vm.err("EOPNOTSUPP", f"mark {guest.iommufd} {parent} 1")


@scenario("refused-fault-queue")
def fault_queue(lab):
    """An HWPT whose page faults go to user space: nobody would answer them during the jump."""
    vm = lab.start()
    guest = steps.edu_guest(vm)
    preserving.mark(vm, guest)
    queue = vm.num(f"fault-queue {guest.iommufd} faults0")
    hwpt = vm.num(f"hwpt {guest.iommufd} {guest.device} {guest.ioas} fault={queue}")
    vm.ok(f"mark {guest.iommufd} {hwpt} 2")
    refuse(vm, guest, "EOPNOTSUPP")
    vm.ok(f"destroy {guest.iommufd} {hwpt}")
    steps.open_session(vm)
    preserving.preserve(vm, guest)


@scenario("refused-tokens")
def tokens(lab):
    """A token or a file that is taken: by any kind of file, in this session or another one."""
    vm = lab.start()
    guest = steps.edu_guest(vm)
    preserving.mark(vm, guest)
    steps.open_session(vm)
    preserving.preserve_memory(vm, guest)
    vm.err("EEXIST", f"preserve session0 {steps.MEMFD_TOKEN:#x} {guest.iommufd}")
    vm.ok(f"preserve session0 {IOMMUFD_TOKEN:#x} {guest.iommufd}")
    for token in (steps.MEMFD_TOKEN, IOMMUFD_TOKEN):
        vm.err("EEXIST", f"preserve session0 {token:#x} {guest.cdev}")
    vm.ok(f"preserve session0 {CDEV_TOKEN:#x} {guest.cdev}")
    steps.make_memory(vm, "memory9", 65536)
    for token in (steps.MEMFD_TOKEN, IOMMUFD_TOKEN, CDEV_TOKEN):
        vm.err("EEXIST", f"preserve session0 {token:#x} memory9")
    vm.ok("session session1 liveupdate0 vm-9")
    for file in (guest.memory, guest.iommufd, guest.cdev):
        vm.err("EBUSY", f"preserve session0 0x999 {file}")
        vm.err("EBUSY", f"preserve session1 0x999 {file}")
    vm.err("EEXIST", f"session session2 liveupdate0 {steps.SESSION}")
    vm.kexec()
    vm.jump()
    preserving.carried(vm, guest)
