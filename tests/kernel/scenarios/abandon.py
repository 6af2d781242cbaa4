# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Nobody comes for the devices, or not for long: they are stopped, then their memory is freed."""
import preserving
import resuming
import steps
from harness import check, equal, scenario
from vm import EDU

# Room for one edu for each step of a monitor, above the usual devices.
FIRST_SLOT = 0x8
LAST_STEP = "destroy"


def is_given_up(vm, guest):
    """The device is stopped, its tables are gone, and somebody else may have it."""
    check(not preserving.has_master(vm, guest.bdf), f"{guest.bdf} may do DMA")
    vm.wait_console(rf"{guest.bdf}.*abandoned|abandoned.*{guest.bdf}")


def works_for_others(vm, bdf, suffix):
    """A new monitor may have the device."""
    vm.ok(f"iommufd other-iommufd{suffix}")
    guest = steps.Guest(vm, bdf, f"-other{suffix}")
    guest.iommufd = f"other-iommufd{suffix}"
    guest.memory = f"other-memory{suffix}"
    steps.give_to_vfio(vm, bdf)
    vm.ok(f"cdev {guest.cdev} {bdf}")
    guest.device = vm.num(f"bind {guest.cdev} {guest.iommufd}")
    steps.make_memory(vm, guest.memory, 4 << 20)
    guest.ioas = vm.num(f"ioas {guest.iommufd}")
    vm.ok(f"attach {guest.cdev} {guest.ioas}")
    vm.ok(f"map-file {guest.iommufd} {guest.ioas} {guest.memory} {4 << 20} iova={steps.IOVA:#x}")
    steps.enable_master(vm, guest.cdev)
    vm.ok(f"bar {guest.bar} {guest.cdev} 0")
    steps.edu_copy(vm, guest.bar)
    steps.check_copied(vm, guest.memory)
    for name in (guest.bar, guest.cdev, guest.iommufd, guest.memory):
        vm.ok(f"close {name}")


@scenario("abandon-by-close")
def by_close(lab):
    """The session is retrieved and closed, that is all: with a DMA under way, then without."""
    vm = lab.start(lab.kernel, lab.kernel, lab.kernel)
    guest = preserving.preserved_guest(vm)
    source = steps.page_of(vm, guest.memory, steps.COPY_FROM)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    vm.kexec()
    vm.jump()
    bar = preserving.resource(vm)
    loaded = vm.gdb.read(source, 64)
    check(vm.gdb.read(page, 64) != loaded, "the page has what the device would write")
    vm.resume()
    steps.edu_load(vm, bar, steps.COPY_FROM)
    taken = resuming.counters(vm)
    resuming.reopen_session(vm)
    vm.err("EBUSY", "finish session0")
    steps.edu_store(vm, bar, steps.COPY_TO, wait=0)
    vm.ok("close session0")
    is_given_up(vm, guest)
    vm.ok("sleep 200")
    left = resuming.counters(vm)
    equal(vm.faults(), [], "DMAR faults")
    # It is free, and may be anybody's by now.
    check(vm.gdb.read(page, 64) != loaded, "the abandoned device wrote to memory that was freed")
    vm.resume()
    check(left["MemTotal"] >= taken["MemTotal"] + steps.SIZE // 1024,
          f"the guest's memory was not freed: {taken}, {left}")
    vm.err("ENODATA", f"open nothing {preserving.INCOMING}")
    vm.ok("open liveupdate0 /dev/liveupdate")
    vm.err("ENOENT", f"session-retrieve session0 liveupdate0 {steps.SESSION}")
    vm.ok("close liveupdate0")
    vm.ok(f"close {bar}")
    works_for_others(vm, EDU, "1")

    # And the machine can go through another live update.
    again = steps.open_device(vm, EDU, "0", "iommufd0")
    again.memory = "memory1"
    steps.make_memory(vm, again.memory)
    again.ioas = vm.num(f"ioas {again.iommufd}")
    again.hwpt = vm.num(f"hwpt {again.iommufd} {again.device} {again.ioas}")
    vm.ok(f"attach {again.cdev} {again.hwpt}")
    vm.ok(f"map-file {again.iommufd} {again.ioas} {again.memory} {steps.SIZE} "
          f"iova={steps.IOVA:#x}")
    steps.enable_master(vm, again.cdev)
    preserving.mark(vm, again)
    resuming.open_session(vm)
    preserving.preserve(vm, again)
    vm.kexec()
    vm.jump()
    resuming.Takeover(vm, again).run()
    resuming.is_taken_back(vm, again)


def step_names(guest):
    """What a monitor of one device does, in order."""
    return [name for name, _ in resuming.Takeover(None, guest).steps()]


class Crowd:
    """As many machines as a monitor has steps, each with a device and a session of its own."""

    def __init__(self, lab, extra=()):
        self.names = step_names(steps.Guest(None, EDU, "0"))
        self.names = self.names[:self.names.index(LAST_STEP) + 1]
        slots = range(FIRST_SLOT, FIRST_SLOT + len(self.names))
        devices = [word for slot in slots for word in
                   ("-device", f"edu,id=crowd{slot},addr={slot:02x}.0,dma_mask=0xffffffffffffffff")]
        self.vm = lab.start(*extra, devices=devices, memory="1G")
        self.first = steps.edu_guest(self.vm)
        self.guests = []
        for slot in slots:
            guest = preserving.second_guest(self.vm, f"0000:00:{slot:02x}.0", str(slot))
            steps.edu_load(self.vm, guest.bar, steps.COPY_FROM)
            self.guests.append(guest)
        for guest in (self.first, *self.guests):
            preserving.mark(self.vm, guest)
            suffix = guest.cdev[4:]
            resuming.open_session(self.vm, f"vm-{suffix}", f"session{suffix}")
            preserving.preserve(self.vm, guest, f"session{suffix}")

    def takeover(self, vm, guest):
        """A monitor for one of them."""
        suffix = guest.cdev[4:]
        return resuming.Takeover(vm, guest, name=f"vm-{suffix}", session=f"session{suffix}")


@scenario("monitor-killed-at-each-step")
def killed(lab):
    """Monitors are killed one step further each, with a DMA under way: their devices are stopped,
    all that they had is freed, and the machine beside them goes through undisturbed."""
    crowd = Crowd(lab)
    vm, first = crowd.vm, crowd.first
    vm.kexec()
    vm.jump()
    bar = preserving.resource(vm)
    for number, guest in enumerate(crowd.guests):
        name = step_names(guest)[number]
        at = number * 256
        vm.ok(f"edu-dma {bar} from-ram {steps.IOVA + at:#x} 256")
        vm.ok(f"edu-dma {bar} to-ram {steps.IOVA + steps.COPY_TO + at:#x} 256 wait=0")
        monitor = resuming.Process(vm, f"monitor{number}")
        crowd.takeover(monitor, guest).run(until=name)
        other = preserving.resource(vm, guest.bdf, "other")
        steps.edu_store(vm, other, steps.COPY_TO, wait=0)
        monitor.kill()
        check(not preserving.has_master(vm, guest.bdf),
              f"killed after \"{name}\": {guest.bdf} may do DMA")
        vm.ok("sleep 150")
        vm.ok("close other")
        equal(vm.faults(), [], f"DMAR faults after the kill at \"{name}\"")
    takeover = crowd.takeover(vm, first)
    takeover.run()
    resuming.check_pieces(vm, first.memory, len(crowd.names))
    resuming.is_taken_back(vm, first, bar)
    for number, guest in enumerate(crowd.guests):
        works_for_others(vm, guest.bdf, str(number))
    lab.note(f"killed after: {', '.join(crowd.names)}")


@scenario("monitor-killed-and-restarted")
def restarted(lab):
    """The session is kept by another process: the DMA of a monitor that is killed goes on, and the
    next one takes over where it stopped."""
    vm = lab.start()
    guest = preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump()
    bar = preserving.resource(vm)
    resuming.reopen_session(vm)
    names = step_names(guest)
    names = names[1:names.index(f"adopt {guest.cdev}") + 1]
    for number, name in enumerate(names):
        at = number * 256
        vm.ok(f"edu-dma {bar} from-ram {steps.IOVA + at:#x} 256")
        vm.ok(f"edu-dma {bar} to-ram {steps.IOVA + steps.COPY_TO + at:#x} 256 wait=0")
        monitor = resuming.Process(vm, f"monitor{number}", "session0")
        resuming.Takeover(monitor, guest, again=True).run(after="session", until=name)
        monitor.kill()
        vm.ok("sleep 150")
        vm.err("EBUSY", "finish session0")
        check(preserving.has_master(vm), f"the device was stopped by the kill at \"{name}\"")
        equal(vm.faults(), [], f"DMAR faults after the kill at \"{name}\"")
    resuming.Takeover(vm, guest, again=True).run(after="session")
    resuming.check_pieces(vm, guest.memory, len(names))
    resuming.is_taken_back(vm, guest, bar)


@scenario("abandon-under-a-monitor")
def under_a_monitor(lab):
    """The session is closed while the monitor has the device: it is blocked there and then."""
    for until in ("bind", "adopt"):
        vm = lab.start()
        guest = preserving.preserved_guest(vm)
        vm.kexec()
        vm.jump()
        takeover = resuming.Takeover(vm, guest)
        takeover.run(until=f"{until} {guest.cdev}")
        bar = preserving.resource(vm)
        steps.edu_load(vm, bar, steps.COPY_FROM)
        vm.ok("close session0")
        check(not preserving.has_master(vm), "the abandoned device may do DMA")
        vm.ok(f"config-write {EDU} 4 2 0x6")
        steps.edu_store(vm, bar, steps.COPY_TO)
        steps.wait_fault(vm)
        equal(vm.num(f"check {guest.memory} {steps.SEED}"), 0, "words that differ")
        vm.err("ENOENT", f"hwpt-restore {guest.iommufd} {preserving.HWPT_TOKEN:#x}")
        if until == "adopt":
            vm.ok(f"detach {guest.cdev}")
            vm.err("ENXIO", f"attach {guest.cdev} {takeover.restored}")
            takeover.destroy()
        # The iommufd is an ordinary one now.
        takeover.ioas()
        takeover.map()
        guest.hwpt = vm.num(f"hwpt {guest.iommufd} {takeover.ids[guest.cdev]} {guest.ioas}")
        vm.ok(f"attach {guest.cdev} {guest.hwpt}")
        steps.enable_master(vm, guest.cdev)
        steps.edu_copy(vm, bar)
        steps.check_copied(vm, guest.memory)
        vm.err("ENODATA", f"open nothing {preserving.INCOMING}")
        vm.stop()


@scenario("abandon-without-device")
def without_device(lab):
    """The device is gone when its session is given up: what it had is freed all the same."""
    vm = lab.start()
    guest = preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump()
    vm.write(f"/sys/bus/pci/devices/{EDU}/remove", "1")
    check(EDU[5:] not in preserving.context_entries(vm), "the removed device has an entry")
    before = resuming.counters(vm)
    resuming.reopen_session(vm)
    vm.ok("close session0")
    after = resuming.counters(vm)
    check(after["MemTotal"] >= before["MemTotal"] + steps.SIZE // 1024,
          f"the memory was not freed: {before}, {after}")
    vm.err("ENODATA", f"open nothing {preserving.INCOMING}")
    vm.write("/sys/bus/pci/rescan", "1")
    works_for_others(vm, guest.bdf, "1")
