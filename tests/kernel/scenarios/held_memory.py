# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Pages that a device on restored tables writes to stay where they are, whatever becomes of their
memfd, until its session is finished."""
import time

import preserving
import resuming
import steps
from harness import check, equal, scenario
from injection import try_failing
from vm import EDU, SLOWER

# Of what is free, left to the kernel itself: a part, and at least so much.
RESERVE_PART = 3
RESERVE_KIB = 24 << 10
# What free memory may still grow by, in half a second, to count as settled.
SETTLED_KIB = 64
HOG_SEED = 99
PAGE = 4096


def free_kib(vm):
    """Free memory."""
    return resuming.counters(vm)["MemFree"]


def wait_free(vm, wanted, timeout=60):
    """Wait until that much is free."""
    end = time.monotonic() + timeout * SLOWER
    while free_kib(vm) < wanted:
        check(time.monotonic() < end, f"{free_kib(vm)} KiB are free instead of {wanted}")
        time.sleep(0.5)


def settled_free_kib(vm):
    """Free memory, once it grows no more."""
    free, last = free_kib(vm), 0
    while free > last + SETTLED_KIB:
        time.sleep(0.5)
        free, last = free_kib(vm), free
    return free


def hog(vm, name="hog"):
    """Take most free memory, what was freed last at any rate, and fill it: whoever writes to a
    page of it will be seen."""
    free = free_kib(vm)
    size = (free - max(free // RESERVE_PART, RESERVE_KIB)) << 10 & ~0xfff
    check(size > 8 << 20, "too little memory is free to tell")
    vm.ok(f"memfd {name} {size} sealed=0")
    vm.ok(f"fill {name} {HOG_SEED}", 300)


def hog_untouched(vm, name="hog"):
    """Nobody wrote to it."""
    equal(vm.num(f"check {name} {HOG_SEED}", 300), 0, "words of foreign memory that a device wrote")


def jumped(lab):
    """Behind the jump; the page that edu's copy goes to, and what it has to hold then."""
    vm = lab.start()
    guest = preserving.preserved_guest(vm)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    expected = vm.data(f"peek {guest.memory} {steps.COPY_FROM} 64")
    vm.kexec()
    vm.jump()
    return vm, guest, page, expected


def lands(vm, bar, page, expected):
    """edu's copy arrives in the physical page that was mapped before the jump."""
    gdb = vm.gdb
    gdb.write(page, bytes(64))
    vm.resume()
    steps.edu_copy(vm, bar)
    equal(vm.gdb.read(page, 64), expected, f"the page at {page:#x} after the copy")
    vm.resume()
    equal(vm.faults(), [], "DMAR faults")


@scenario("punched-while-restored")
def punched(lab):
    """Holes in a retrieved memfd, then all of it closed: nobody gets what the device writes to."""
    vm, guest, page, expected = jumped(lab)
    bar = preserving.resource(vm)
    takeover = resuming.Takeover(vm, guest)
    takeover.run(until="memory")
    hole = steps.COPY_TO & ~0xfff
    vm.ok(f"punch {guest.memory} {hole - 64 * PAGE:#x} {128 * PAGE:#x}")
    equal(vm.num(f"check {guest.memory} 0 off={hole} len=8"), 1, "a new page with the old contents")
    hog(vm)
    lands(vm, bar, page, expected)
    hog_untouched(vm)
    vm.ok("close hog")
    vm.ok(f"close {guest.memory}")
    hog(vm)
    lands(vm, bar, page, expected)
    hog_untouched(vm)
    vm.ok("close hog")
    # Given up, its session ends and the pages are free. With KASAN the kernel keeps some of what
    # hogging has cost it.
    before = settled_free_kib(vm)
    vm.ok("close session0")
    check(not preserving.has_master(vm), "the abandoned device may do DMA")
    wait_free(vm, before + steps.SIZE // 2048)


@scenario("compacted-while-restored", needs=["glue", "COMPACTION=y"])
def compacted(lab):
    """Compaction and reclaim leave a retrieved memfd's pages alone until the session's end."""
    vm, guest, page, expected = jumped(lab)
    bar = preserving.resource(vm)
    takeover = resuming.Takeover(vm, guest)
    takeover.run(until="memory")
    before = all_pages(vm, guest)
    for _ in range(3):
        vm.write("/proc/sys/vm/compact_memory", "1")
        vm.write("/proc/sys/vm/drop_caches", "3")
        equal(all_pages(vm, guest), before, "physical pages of the memfd")
    hog(vm)
    vm.write("/proc/sys/vm/compact_memory", "1")
    equal(all_pages(vm, guest), before, "physical pages of the memfd, without free memory")
    vm.ok("close hog")
    vm.ok(f"fill {guest.memory} {steps.SEED}")
    lands(vm, bar, page, expected)
    held = unevictable_kib(vm)
    check(held >= steps.SIZE // 1024, "the memfd's pages aren't held")
    takeover.run(after="memory")
    vm.ok(f"detach {guest.cdev}")
    vm.ok(f"destroy {guest.iommufd} {guest.hwpt}")
    vm.ok(f"destroy {guest.iommufd} {guest.ioas}")
    # Processors count for themselves before they add up.
    left = unevictable_kib(vm) - (held - steps.SIZE // 1024)
    check(left < 256, f"{left} KiB are unevictable after the session")
    steps.check_copied(vm, guest.memory)
    punched_is_free(vm, guest)


def all_pages(vm, guest):
    """Physical addresses of the memfd's pages."""
    found = []
    for offset in range(0, steps.SIZE, 128 * PAGE):
        vm.ok(f"check {guest.memory} 0 off={offset} len={128 * PAGE}")
        found += vm.ok(f"pages {guest.memory} {offset:#x} 128").split()
    check("0x0" not in found, "some of the memfd isn't in memory")
    return found


def unevictable_kib(vm):
    """Memory that reclaim leaves alone."""
    vm.write("/proc/sys/vm/stat_refresh", "1")
    for line in vm.read("/proc/meminfo").splitlines():
        if line.startswith("Unevictable:"):
            return int(line.split()[1])
    raise AssertionError("no Unevictable in meminfo")


def punched_is_free(vm, guest):
    """After the session a hole frees memory at once."""
    before = free_kib(vm)
    vm.ok(f"punch {guest.memory} 0 {steps.SIZE:#x}")
    wait_free(vm, before + steps.SIZE // 2048)


# The memfds of one session, whose retrieving fails at another allocation each.
FILES = 32
FILE_SIZE = 64 << 10


@scenario("failed-memfd-while-restored", needs=["glue", "debug"])
def failed_retrieve(lab):
    """Retrieving a memfd fails at one allocation after the other: nobody gets its pages."""
    vm = lab.start()
    guest = steps.edu_guest(vm)
    preserving.mark(vm, guest)
    for number in range(FILES):
        steps.make_memory(vm, f"piece{number}", FILE_SIZE)
        vm.ok(f"map-file {guest.iommufd} {guest.ioas} piece{number} {FILE_SIZE} "
              f"iova={piece_iova(number):#x}")
    pages = [steps.page_of(vm, f"piece{number}", FILE_SIZE - PAGE) for number in range(FILES)]
    expected = vm.data(f"peek {guest.memory} {steps.COPY_FROM} 64")
    resuming.open_session(vm)
    preserving.preserve_memory(vm, guest)
    for number in range(FILES):
        vm.ok(f"preserve session0 {0x7000 + number:#x} piece{number}")
    preserving.preserve_rest(vm, guest)
    vm.kexec()
    vm.jump()
    steps.enable_failures(vm)
    bar = preserving.resource(vm)
    takeover = resuming.Takeover(vm, guest)
    takeover.run(until="memory")
    failed = []
    for number in range(FILES):
        hit, error = try_failing(vm, f"retrieve session0 {0x7000 + number:#x} piece{number}",
                                 number + 1)
        if hit and error:
            failed.append(number)
            vm.err(error, f"retrieve session0 {0x7000 + number:#x} piece{number}")
    check(len(failed) > 5, f"only {failed} of {FILES} failed")
    lab.note(f"{len(failed)} of {FILES} memfds could not be retrieved")
    hog(vm)
    steps.edu_load(vm, bar, steps.COPY_FROM)
    for number in failed:
        vm.ok(f"edu-dma {bar} to-ram {piece_iova(number) + FILE_SIZE - PAGE:#x} 256")
        equal(vm.gdb.read(pages[number], 64), expected, f"the page of memfd {number}")
        vm.resume()
    hog_untouched(vm)
    vm.ok("close hog")
    equal(vm.faults(), [], "DMAR faults")
    takeover.run(after="memory")
    check(EDU[5:] in preserving.context_entries(vm), "the device lost its entry")


def piece_iova(number):
    """Where a memfd is mapped."""
    return steps.IOVA + (1 << 30) + number * FILE_SIZE
