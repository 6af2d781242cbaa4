# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Memory of every shape under a preserved device: small and large pages, much of it, far apart."""
import preserving
import steps
from harness import equal, scenario
from vm import EDU

SUPERPAGE = 2 << 20
LENGTH = 64


def bare_guest(vm, size):
    """edu on a marked HWPT of its own with a memfd, nothing of which is mapped yet."""
    guest = steps.open_device(vm)
    steps.make_memory(vm, guest.memory, size)
    guest.ioas = vm.num(f"ioas {guest.iommufd}")
    guest.hwpt = vm.num(f"hwpt {guest.iommufd} {guest.device} {guest.ioas}")
    vm.ok(f"attach {guest.cdev} {guest.hwpt}")
    steps.enable_master(vm, guest.cdev)
    preserving.mark(vm, guest)
    return guest


def carry(lab, vm, guest, pieces):
    """Map [(offset in the memory, IOVA, length)], jump, and have the device write at each end.

    Every end is also looked up in the tables of the image taken at the jump.
    """
    for offset, iova, length in pieces:
        vm.ok(f"map-file {guest.iommufd} {guest.ioas} {guest.memory} {length} iova={iova:#x} "
              f"off={offset:#x}")
    targets = [(offset + at, iova + at) for offset, iova, length in pieces
               for at in sorted({0, length // 2 & ~0xfff, length - 4096})]
    pages = [steps.page_of(vm, guest.memory, offset) for offset, _ in targets]
    steps.open_session(vm)
    preserving.preserve(vm, guest)
    vm.kexec()
    vm.jump_stopped()
    image = vm.dump("jump.elf")
    vm.land()
    preserving.verify(lab, image)
    for (_, iova), page in zip(targets, pages):
        equal(preserving.translate(lab, image, iova)["phys"], hex(page), f"where {iova:#x} leads")

    bar = preserving.resource(vm)
    source = pieces[0][1] + 1024
    vm.ok(f"edu-dma {bar} from-ram {source:#x} {LENGTH}")
    for _, iova in targets:
        vm.ok(f"edu-dma {bar} to-ram {iova + 2048:#x} {LENGTH}")
    steps.reopen_session(vm)
    steps.retrieve_memory(vm, memory=guest.memory)
    at = 0
    for offset, _ in sorted(targets):
        equal(vm.num(f"check {guest.memory} {steps.SEED} off={at} len={offset + 2048 - at}"), 0,
              f"words before {offset:#x} that differ")
        equal(vm.num(f"check {guest.memory} {steps.SEED} off={offset + 2048} len={LENGTH} "
                     f"from={pieces[0][0] + 1024}"), 0, f"words written at {offset:#x} that differ")
        at = offset + 2048 + LENGTH
    equal(vm.num(f"check {guest.memory} {steps.SEED} off={at}"), 0, "words at the end that differ")
    equal(vm.faults(), [], "DMAR faults")
    return image


def leaf_level(lab, image, iova):
    """0 where 4 KiB pages are mapped, 1 where superpages of 2 MiB are."""
    return preserving.translate(lab, image, iova)["levels"][-1]["level"]


@scenario("memory-small-pages", needs=["glue", "tool"])
def small_pages(lab):
    """A memfd of 4 KiB pages, at an IOVA that no larger page fits."""
    vm = lab.start()
    guest = bare_guest(vm, 8 << 20)
    image = carry(lab, vm, guest, [(0, 0x1000003000, 8 << 20)])
    equal(leaf_level(lab, image, 0x1000003000), 0, "level of the leaf entry")


@scenario("memory-superpages", needs=["glue", "tool", "TRANSPARENT_HUGEPAGE=y"])
def superpages(lab):
    """A memfd of 2 MiB folios, mapped by superpages."""
    vm = lab.start()
    vm.write("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "force")
    guest = bare_guest(vm, 4 * SUPERPAGE)
    first = steps.page_of(vm, guest.memory, 0)
    equal(first % SUPERPAGE, 0, "offset of the memfd's first folio")
    image = carry(lab, vm, guest, [(0, 0x1000000000, 4 * SUPERPAGE)])
    equal(leaf_level(lab, image, 0x1000000000), 1, "level of the leaf entry")


@scenario("memory-big", needs=["glue", "tool"])
def big(lab):
    """64 MiB of small pages: 33 leaf tables, with a border in the middle of a gigabyte."""
    vm = lab.start()
    guest = bare_guest(vm, 64 << 20)
    carry(lab, vm, guest, [(0, 0x103fe00000, 64 << 20)])


@scenario("memory-sparse", needs=["glue", "tool"])
def sparse(lab):
    """Pieces of one memfd all over the address space, some of them side by side in one table."""
    vm = lab.start()
    guest = bare_guest(vm, 4 << 20)
    carry(lab, vm, guest, [
        (0x000000, 0x0000010000, 0x1000), (0x001000, 0x0000012000, 0x3000),
        (0x100000, 0x00bfe00000, 0x100000), (0x010000, 0x0140000000, 0x2000),
        (0x200000, 0x3ffffff000, 0x2000), (0x300000, 0x7f7ffff000, 0x8000)])


@scenario("memory-read-only", needs=["glue", "tool"])
def read_only(lab):
    """What a device may only read it may only read after the jump, too."""
    vm = lab.start()
    guest = bare_guest(vm, steps.SIZE)
    vm.ok(f"map-file {guest.iommufd} {guest.ioas} {guest.memory} {steps.SIZE} "
          f"iova={steps.IOVA:#x} writeable=0")
    steps.open_session(vm)
    preserving.preserve(vm, guest)
    vm.kexec()
    vm.jump()
    bar = preserving.resource(vm)
    steps.edu_load(vm, bar, steps.COPY_FROM)
    equal(vm.faults(), [], "DMAR faults")
    steps.edu_store(vm, bar, steps.COPY_TO)
    steps.wait_fault(vm, EDU)
    steps.reopen_session(vm)
    steps.retrieve_memory(vm, memory=guest.memory)
    equal(vm.num(f"check {guest.memory} {steps.SEED}"), 0, "words that differ")
