# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What Linux 7.3 makes of handovers that are not as it expects: docs/linux-findings.md tells the
stories. Each scenario asserts what was measured, and that iommu-kho-dump warned at the jump."""
import re
import struct

from harness import check, equal, scenario
from handover import FLB_MAX, Handover
import steps
from steps import SEED

# Under KASAN the same defects look different; docs/linux-findings.md says how.
NEEDS = ["stock", "tool", "LIVEUPDATE_TEST=y", "KASAN=n"]
MODES = ["legacy"]
FLB = "liveupdate-test-flb-v0"
ABSENT = "liveupdate-test-flb-v9"
TOKENS = (0x1234, 0x1235)
UNDERFLOW = r"refcount_t: underflow; use-after-free"
ADDITION = r"refcount_t: addition on 0; use-after-free"
OOPS = r"BUG: unable to handle page fault for address"
# The defects themselves, and what follows from them.
SPLATS = [r"refcount_t: |refcount\.c|unable to handle|Oops: |general protection fault|"
          r"liveupdate|kexec_handover|memfd|bad page state"]
KILLED = "Kernel panic - not syncing: Attempted to kill init!"


def at_the_jump(lab, forge, sessions=1):
    """Preserve a memfd in each session (two, when there is one), stop at the jump and forge.

    Returns the machine, still stopped, and what verify found in its memory.
    """
    vm = lab.start(lab.stock, lab.stock)
    vm.ok("open liveupdate0 /dev/liveupdate")
    for index in range(sessions):
        vm.ok(f"session session{index} liveupdate0 {steps.SESSION}{index}")
    for index, token in enumerate(TOKENS):
        steps.make_memory(vm, f"memory{index}")
        vm.ok(f"preserve session{index % sessions} {token:#x} memory{index}")
    vm.kexec()
    vm.jump_stopped()
    forge(Handover(vm))
    status, found = lab.codes(vm.dump())
    return vm, status, found


def warned(status, found, code):
    """verify said at the jump what is about to go wrong."""
    equal(status, 1, "exit status of verify")
    check(code in found.get("error", ()), f"verify found {found}, not {code}")


def land(vm, sessions=1):
    """Boot the next kernel and retrieve the sessions."""
    vm.land()
    vm.ok("open liveupdate0 /dev/liveupdate")
    for index in range(sessions):
        vm.ok(f"session-retrieve session{index} liveupdate0 {steps.SESSION}{index}")


def retrieve(vm, index):
    """A memfd comes back as it was."""
    vm.ok(f"retrieve session0 {TOKENS[index]:#x} memory{index}")
    vm.ok(f"mmap memory{index}")
    equal(vm.num(f"check memory{index} {SEED}"), 0, f"words of memory{index} that differ")


def flb_name(handover, index, name):
    """Forge the name of an entry of the FLB page."""
    handover.gdb.write(handover.flb_entry(index), name.encode().ljust(48, b"\0"))


def flb_count(handover, count):
    """Forge the number of entries of the FLB page."""
    handover.gdb.write_u64(handover.flb_page + 8, count)


def flb_users(handover, users):
    """Forge the number of files that use the first FLB."""
    handover.gdb.write_u64(handover.flb_entry(0) + 56, users)


def expect_oops(vm, function):
    """The kernel oopses in a function, and dies of it since init does."""
    panic = vm.wait_panic()
    check(panic.startswith(KILLED), f"panic: {panic}")
    console = vm.console()
    check(re.search(OOPS, console), "no page fault on the console")
    check(re.search(rf"RIP: 0010:{function}\+|\? {function}\+", console),
          f"{function} is not in the trace")


@scenario("linux-k14-empty-session-block", modes=MODES, needs=["stock", "tool"])
def empty_session_block(lab):
    """A refused duplicate session name leaves a block without entries: the next kernel panics."""
    for sessions, bad in ((50, False), (51, True)):
        vm = lab.start(lab.stock, lab.stock)
        vm.ok("open liveupdate0 /dev/liveupdate")
        for index in range(sessions):
            vm.ok(f"session session{index} liveupdate0 name{index}")
        vm.err("EEXIST", "session again liveupdate0 name0")
        vm.kexec()
        vm.jump_stopped()
        blocks = Handover(vm).blocks(Handover(vm).sessions_block)
        equal([count for _, _, count in blocks], [51, 0] if bad else [50], "entries of the blocks")
        status, found = lab.codes(vm.dump())
        if bad:
            warned(status, found, "LUO-06")
            vm.resume()
            check("The incoming tree failed to initialize properly [-22]" in vm.wait_panic(),
                  "another panic")
            check("luo: Block contains invalid entry count: 0" in vm.console(),
                  "no word about the block")
        else:
            equal(status, 0, "exit status of verify")
            vm.land()


@scenario("linux-k15-flb-count-huge", modes=MODES, needs=NEEDS, splats=SPLATS)
def flb_count_huge(lab):
    """The count of the FLB page is believed: the search for an absent FLB runs off memory."""
    def forge(handover):
        flb_name(handover, 0, ABSENT)
        flb_count(handover, 1 << 40)

    vm, status, found = at_the_jump(lab, forge)
    warned(status, found, "LUO-15")
    vm.resume()
    expect_oops(vm, "luo_flb_retrieve_one")


@scenario("linux-k15-flb-count-next-page", modes=MODES, needs=NEEDS, splats=SPLATS)
def flb_count_next_page(lab):
    """With a count just over the limit, the page behind the FLB page is taken for an FLB's data."""
    planted = 0x1122334455667788

    def forge(handover):
        for index in range(FLB_MAX):
            flb_name(handover, index, ABSENT)
        flb_name(handover, FLB_MAX, FLB)
        check(handover.flb_entry(FLB_MAX) + 48 == handover.flb_page + 4096, "geometry")
        # Any page may be behind it; those of the handover itself must stay whole.
        if handover.flb_page + 4096 not in (handover.fdt, handover.luo, handover.sessions_block):
            handover.gdb.write_u64(handover.flb_page + 4096, planted)
        flb_count(handover, FLB_MAX + 1)

    vm, status, found = at_the_jump(lab, forge)
    warned(status, found, "LUO-15")
    land(vm)
    handle = vm.wait_console(rf"{FLB}: ERROR - incorrect data handle: ([0-9a-f]+)").group(1)
    lab.note(f"data handle taken from the page behind: {handle}, planted at the jump: {planted:x}")


@scenario("linux-k15-flb-name-unterminated", modes=MODES, needs=NEEDS, splats=SPLATS)
def flb_name_unterminated(lab):
    """A name without NUL does no harm: the comparison ends with the kernel's own string."""
    vm, status, found = at_the_jump(lab, lambda handover: handover.gdb.write(
        handover.flb_entry(0), FLB.encode().ljust(48, b"A")))
    warned(status, found, "LUO-16")
    land(vm)
    vm.wait_console("liveupdate-test-flb-v1: found flb data from the previous boot")
    check(f"{FLB}: found" not in vm.console(), "the FLB was found under a wrong name")


@scenario("linux-k16-flb-users-zero", modes=MODES, needs=NEEDS, splats=SPLATS)
def flb_users_zero(lab):
    """A use count of 0, or of 2^32, which is cut to 0: used after its end from the first use on."""
    for users in (0, 1 << 32):
        vm, status, found = at_the_jump(lab, lambda handover, users=users:
                                        flb_users(handover, users))
        warned(status, found, "LUO-17")
        land(vm)
        vm.wait_console(ADDITION)
        vm.ok("finish session0")
        vm.wait_console("liveupdate-test-flb-v1: finish was triggered")
        check(f"{FLB}: finish was triggered" not in vm.console(), "the FLB was finished")


@scenario("linux-k16-flb-users-few", modes=MODES, needs=NEEDS, splats=SPLATS)
def flb_users_few(lab):
    """A use count that is too small: the FLB is finished while a file still depends on it."""
    vm, _, _ = at_the_jump(lab, lambda handover: flb_users(handover, 1), sessions=2)
    land(vm, sessions=2)
    vm.ok("finish session0")
    vm.wait_console(f"{FLB}: finish was triggered")
    check("liveupdate-test-flb-v1: finish" not in vm.console(), "the sound FLB was finished too")
    vm.ok("finish session1")
    vm.wait_console(UNDERFLOW)


@scenario("linux-k16-flb-users-many", modes=MODES, needs=NEEDS, splats=SPLATS)
def flb_users_many(lab):
    """A use count that is too large: the FLB is never finished."""
    vm, status, found = at_the_jump(lab, lambda handover: flb_users(handover, 3))
    warned(status, found, "LUO-17")
    land(vm)
    vm.ok("finish session0")
    vm.wait_console("liveupdate-test-flb-v1: finish was triggered")
    vm.ok("sleep 500")
    check(f"{FLB}: finish was triggered" not in vm.console(), "the FLB was finished")


@scenario("linux-flb-not-handed-over", modes=MODES, needs=NEEDS, splats=SPLATS)
def flb_not_handed_over(lab):
    """What a kernel that knows no FLB hands over, to one that knows three."""
    vm, status, _ = at_the_jump(lab, lambda handover: flb_count(handover, 0))
    equal(status, 0, "exit status of verify")
    land(vm)
    check("refcount_t" not in vm.console(), "a complaint before the finish")
    vm.ok("finish session0")
    vm.wait_console(UNDERFLOW)
    vm.wait_console(r"\? liveupdate_flb_put_incoming\+")


@scenario("linux-k20-memfd-folios-many", modes=MODES, needs=NEEDS, splats=SPLATS)
def memfd_folios_many(lab):
    """One folio more than the array holds: read behind the array, by retrieve and by finish."""
    def forge(handover):
        memfd = handover.memfd(steps.SESSION + "0", TOKENS[0])
        handover.gdb.write_u64(memfd.nr_folios_at, memfd.nr_folios + 1)

    for command, function in ((f"retrieve session0 {TOKENS[0]:#x} memory0", "memfd_luo_retrieve"),
                              ("finish session0", "memfd_luo_finish")):
        vm, status, found = at_the_jump(lab, forge)
        warned(status, found, "LUO-18")
        land(vm)
        vm.send(command)
        expect_oops(vm, function)


@scenario("linux-k20-memfd-folios-few", modes=MODES, needs=NEEDS, splats=SPLATS)
def memfd_folios_few(lab):
    """One folio less: its page is lost without a word and reads as zeros."""
    def forge(handover):
        memfd = handover.memfd(steps.SESSION + "0", TOKENS[0])
        handover.gdb.write_u64(memfd.nr_folios_at, memfd.nr_folios - 1)

    vm, _, found = at_the_jump(lab, forge)
    check("LUO-29" in found.get("warning", ()), f"verify found {found}, not LUO-29")
    land(vm)
    vm.ok(f"retrieve session0 {TOKENS[0]:#x} memory0")
    vm.ok("mmap memory0")
    equal(vm.num(f"check memory0 {SEED}"), 512, "words that differ")
    equal(vm.data("peek memory0 0x3ff000 4096"), bytes(4096), "the last page")


@scenario("linux-k21-order-32", modes=MODES, needs=NEEDS, splats=SPLATS)
def order_32(lab):
    """An order of 32 passes the checks (the shift wraps), the area is laid out wrongly, an oops."""
    vm, status, found = at_the_jump(lab, lambda handover: handover.gdb.write(
        handover.memfd(steps.SESSION + "0", TOKENS[0]).vmalloc_at + 14, struct.pack("<H", 32)))
    warned(status, found, "LUO-19")
    land(vm)
    vm.send(f"retrieve session0 {TOKENS[0]:#x} memory0")
    expect_oops(vm, "memfd_luo_retrieve")


@scenario("linux-k21-wild-chunk", modes=MODES, needs=NEEDS, splats=SPLATS)
def wild_chunk(lab):
    """The address of a chunk is followed before anything looks at it."""
    vm, status, found = at_the_jump(lab, lambda handover: handover.gdb.write_u64(
        handover.memfd(steps.SESSION + "0", TOKENS[0]).vmalloc_at, 0x7ffff000000))
    warned(status, found, "CLOSURE-07")
    land(vm)
    vm.send(f"retrieve session0 {TOKENS[0]:#x} memory0")
    expect_oops(vm, "kho_restore_vmalloc")


def memory_total(vm):
    """Memory that the kernel manages, in KiB."""
    return int(re.search(r"MemTotal: +(\d+) kB", vm.read("/proc/meminfo")).group(1))


@scenario("linux-k21-refused-and-leaked", modes=MODES, needs=NEEDS, splats=SPLATS)
def refused_and_leaked(lab):
    """Sums and orders that don't fit, and a chain that bites its tail, are refused; the memfd's
    memory is then lost for good."""
    def order(handover, memfd):
        handover.gdb.write(memfd.vmalloc_at + 14, struct.pack("<H", 2))

    def pages(handover, memfd):
        handover.gdb.write(memfd.vmalloc_at + 8, struct.pack("<I", memfd.total_pages + 1))

    def loop(handover, memfd):
        handover.gdb.write_u64(memfd.first_chunk, memfd.first_chunk)

    for forge in (order, pages, loop):
        vm, status, found = at_the_jump(lab, lambda handover, forge=forge: forge(
            handover, handover.memfd(steps.SESSION + "0", TOKENS[0])))
        warned(status, found, "LUO-20")
        land(vm)
        before = memory_total(vm)
        vm.err("EINVAL", f"retrieve session0 {TOKENS[0]:#x} memory0")
        vm.err("EINVAL", f"retrieve session0 {TOKENS[0]:#x} memory0")
        refused = memory_total(vm)
        check(refused - before < 1024, f"{refused - before} KiB came back after the refusal")
        retrieve(vm, 1)
        good = memory_total(vm)
        check(good - refused >= 4096, f"only {good - refused} KiB came with the good memfd")
        vm.ok("finish session0")
        vm.ok("close session0")
        vm.ok("close memory1")
        check(memory_total(vm) - good < 1024, "the lost memory came back in the end")
