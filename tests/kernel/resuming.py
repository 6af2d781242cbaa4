# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Steps of a monitor that takes its devices back after the jump, with DMA going on."""
import re
import time

import preserving
import steps
from harness import check, equal
from vm import EDU, RNG, SLOWER, VM

# A second virtio-rng, fed by QEMU itself: its DMA never waits for the host.
STORM = "0000:00:07.0"
STORM_DEVICE = ("-object", "rng-builtin,id=fast", "-device",
                "virtio-rng-pci,id=rng1,rng=fast,addr=07.0,disable-legacy=on,iommu_platform=on")
# The same behind a root port, where it caches translations.
STORM_ATS = (*STORM_DEVICE[:-1], STORM_DEVICE[-1].replace("addr=07.0", "bus=port0,addr=00.0,ats=on"))
# Where its queue lies in the memory.
STORM_AT = 0x20000
# edu's transfers across the steps: from here, to there, one after the other.
SOURCES = 0x40000
TARGETS = 0x200000
PIECE = 256
STATE = "/sys/kernel/debug/iommu/liveupdate/state"
PRESERVED = "/sys/kernel/debug/iommu/liveupdate/preserved"
COUNTERS = ("nr_iommu_pages", "nr_sec_page_table_pages")
PAGE = 4096


def open_session(vm, name=steps.SESSION, session="session0"):
    """Create a session; /dev/liveupdate, which one process at a time may open, is closed again."""
    steps.open_session(vm, name, session)
    vm.ok("close liveupdate0")


def reopen_session(vm, name=steps.SESSION, session="session0"):
    """In the next kernel: retrieve a session, likewise."""
    steps.reopen_session(vm, name, session)
    vm.ok("close liveupdate0")


class Process:
    """A copy of the agent that plays a virtual machine monitor: it can be killed.

    It takes the commands of a VM and has nothing open but what they open, and the objects named
    by kept; all else is the VM's.
    """

    def __init__(self, vm, name, kept=""):
        self.vm = vm
        self.process = name
        vm.ok(f"fork {name} {kept}")

    def __getattr__(self, name):
        return getattr(self.vm, name)

    def send(self, command):
        """Like the VM's."""
        self.vm.send(f"in {self.process} {command}")

    def _command(self, command, timeout):
        self.send(command)
        return self.vm.answer(timeout)

    ok = VM.ok
    num = VM.num
    data = VM.data
    err = VM.err
    attempt = VM.attempt
    read = VM.read
    write = VM.write

    def kill(self):
        """End it; returns when all that it had open is closed."""
        self.vm.ok(f"kill {self.process}", 120)


class Storm:
    """virtio-rng that fills one buffer after the other while the agent does something else."""

    def __init__(self, vm, guest, suffix="2", bdf=STORM):
        other = steps.open_device(vm, bdf, suffix, guest.iommufd)
        vm.ok(f"attach {other.cdev} {guest.hwpt}")
        steps.enable_master(vm, other.cdev)
        self.cdev = other.cdev
        self.bdf = bdf
        self.rng = steps.VirtioRng(vm, guest.memory, cdev=other.cdev, at=STORM_AT)
        self.rng.start()
        self.total = 0

    def start(self, vm):
        """Begin; vm: where the memory is mapped, now and until stop()."""
        bar, offset = self.rng.notify
        at = self.rng.at
        vm.ok(f"storm {self.cdev} {self.rng.memory} {bar} {offset} ring={at:#x} "
              f"available={at + 0x100:#x} used={at + 0x200:#x} buffers={at + 0x1000:#x} "
              f"iova={self.rng.iova:#x} posted={self.rng.posted}")

    def count(self, vm):
        """Buffers filled since start()."""
        return vm.num(f"storm-count {self.cdev}")

    def advance(self, vm, buffers=2, timeout=30):
        """Wait until some more buffers were filled: the DMA goes on."""
        before = self.count(vm)
        end = time.monotonic() + timeout * SLOWER
        while self.count(vm) < before + buffers:
            check(time.monotonic() < end, "the storm has stopped")
            time.sleep(0.01)

    def stop(self, vm):
        """End; every buffer has to have come. Returns how many."""
        done, posted = vm.ok(f"storm-stop {self.cdev}").split()
        self.rng.posted = int(posted)
        self.total += int(done)
        return int(done)


class Traffic:
    """DMA across each step: a write of edu is under way, and virtio-rng's buffer is fed."""

    def __init__(self, guest, rng=None, storm=None):
        self.guest = guest
        self.rng = rng
        self.storm = storm
        self.storming = False
        self.pieces = 0
        self.offered = []
        self.fed = []
        self.bar = guest.bar

    def offer(self, count):
        """Post buffers in advance: the device is fed before its memory can be written again."""
        self.offered += [self.rng.post() for _ in range(count)]

    def land(self, vm):
        """In the next kernel: reach the devices through sysfs."""
        self.bar = preserving.resource(vm, EDU, f"edu-{vm.index}")
        for device, bdf in ((self.rng, RNG), (self.storm and self.storm.rng, STORM)):
            if device:
                device.reach(vm, bdf)

    def across(self, vm, name, step):
        """Run a step with DMA under way; returns what it returns."""
        at = self.pieces * PIECE
        self.pieces += 1
        vm.ok(f"edu-dma {self.bar} from-ram {steps.IOVA + SOURCES + at:#x} {PIECE}")
        vm.ok(f"edu-dma {self.bar} to-ram {steps.IOVA + TARGETS + at:#x} {PIECE} wait=0")
        value = None
        if self.rng and self.offered:
            self.rng.wait_request()
            value = bytes([len(self.fed) % 255 + 1]) * self.rng.LENGTH
            self.rng.feed(value)
        result = step()
        if value:
            self.fed.append((self.offered.pop(0), value))
        end = time.monotonic() + 10 * SLOWER
        while vm.num(f"mmio-read {self.bar} 0x98 8") & 1:
            check(time.monotonic() < end, f"edu's write across \"{name}\" never ended")
            time.sleep(0.02)
        if self.storming:
            self.storm.advance(vm)
        equal(vm.faults(), [], f"DMAR faults after \"{name}\"")
        return result

    def start_storm(self, vm):
        """The memory is mapped: fill it without a pause from now on."""
        if self.storm:
            self.storm.start(vm)
            self.storming = True

    def stop_storm(self, vm):
        """Pause, for a jump or to look at all of the memory."""
        if self.storming:
            self.storming = False
            check(self.storm.stop(vm), "the storm filled no buffer")

    def check_all(self, vm):
        """Not a byte is lost, and none is where it should not be."""
        memory = self.guest.memory
        for piece in range(self.pieces):
            at = piece * PIECE
            equal(vm.num(f"check {memory} {steps.SEED} off={TARGETS + at} len={PIECE} "
                         f"from={SOURCES + at}"), 0, f"words of edu's write {piece} that differ")
        for offset, value in self.fed:
            steps.wait_memory(lambda at=offset: vm.data(f"peek {memory} {at} {len(value)}"), value,
                              f"what virtio-rng was fed, at {offset:#x}")
        used = TARGETS + self.pieces * PIECE
        for start, end in ((0, 0x8000), (SOURCES, TARGETS), (used, vm.num(f"size {memory}"))):
            equal(vm.num(f"check {memory} {steps.SEED} off={start} len={end - start}"), 0,
                  f"words from {start:#x} to {end:#x} that differ")
        equal(vm.faults(), [], "DMAR faults")


class Takeover:
    """A monitor that takes one session's devices back; steps() are what it does, in order."""

    def __init__(self, vm, guest, devices=None, *, session="session0", name=steps.SESSION, apart=0,
                 token=preserving.HWPT_TOKEN, again=False):
        """devices: {name of the cdev: (address, token)}; apart: see preserving.preserve(); again:
        another monitor has begun with it."""
        self.vm = vm
        self.guest = guest
        self.devices = devices or {guest.cdev: (guest.bdf, preserving.CDEV_TOKEN + apart)}
        self.session = session
        self.name = name
        self.apart = apart
        self.token = token
        self.again = again
        self.ids = {}
        self.restored = None

    def open_session(self):
        """Retrieve the session."""
        reopen_session(self.vm, self.name, self.session)

    def memory(self):
        """Retrieve the memory."""
        steps.retrieve_memory(self.vm, self.session, steps.MEMFD_TOKEN + self.apart,
                              self.guest.memory)

    def iommufd(self):
        """Retrieve the iommufd."""
        self.vm.ok(f"retrieve {self.session} {preserving.IOMMUFD_TOKEN + self.apart:#x} "
                   f"{self.guest.iommufd}")

    def cdev(self, name):
        """Retrieve a device."""
        bdf, token = self.devices[name]
        steps.give_to_vfio(self.vm, bdf)
        self.vm.ok(f"retrieve {self.session} {token:#x} {name}")

    def bind(self, name):
        """Bind a device to the iommufd."""
        self.ids[name] = self.vm.num(f"bind {name} {self.guest.iommufd}")

    def restore(self):
        """Get the restored HWPT; a monitor that was killed may have made it."""
        command = f"hwpt-restore {self.guest.iommufd} {self.token:#x}"
        self.vm.send(command)
        status, text = self.vm.answer()
        words = text.split()
        check(status == "ok" or self.again and words[0] == "EBUSY", f"{command}: {text}")
        self.restored = int(words[-1])

    def adopt(self, name):
        """Attach a device to the HWPT it runs on."""
        self.vm.ok(f"attach {name} {self.restored}")

    def ioas(self):
        """An address space of our own."""
        self.guest.ioas = self.vm.num(f"ioas {self.guest.iommufd}")

    def map(self):
        """The memory is in it."""
        size = self.vm.num(f"size {self.guest.memory}")
        self.vm.ok(f"map-file {self.guest.iommufd} {self.guest.ioas} {self.guest.memory} {size} "
                   f"iova={steps.IOVA:#x}")

    def hwpt(self):
        """An HWPT for it, marked for the next live update."""
        device = self.ids[next(iter(self.devices))]
        self.guest.hwpt = self.vm.num(f"hwpt {self.guest.iommufd} {device} {self.guest.ioas}")
        preserving.mark(self.vm, self.guest, self.token)

    def replace(self, name):
        """Move a device over."""
        self.vm.ok(f"attach {name} {self.guest.hwpt}")

    def destroy(self):
        """Free the tables of the kernel before."""
        self.vm.ok(f"destroy {self.guest.iommufd} {self.restored}")

    def finish(self):
        """Finish the session."""
        self.vm.ok(f"finish {self.session}")

    def close_session(self):
        """And close it."""
        self.vm.ok(f"close {self.session}")

    def steps(self):
        """[(name, function)]."""
        def each(word, function):
            return [(f"{word} {name}", lambda at=name: function(at)) for name in self.devices]
        return ([("session", self.open_session), ("memory", self.memory),
                 ("iommufd", self.iommufd)] + each("cdev", self.cdev) + each("bind", self.bind) +
                [("restore", self.restore)] + each("adopt", self.adopt) +
                [("ioas", self.ioas), ("map", self.map), ("hwpt", self.hwpt)] +
                each("replace", self.replace) +
                [("destroy", self.destroy), ("finish", self.finish), ("close", self.close_session)])

    def run(self, until=None, after=None, around=None):
        """Do the steps: up to and with the one named until, or after the one named after.

        around: called with the name and the function instead of the function alone.
        """
        names = [name for name, _ in self.steps()]
        for word in (until, after):
            check(word in (None, *names), f"no such step: {word}")
        started = after is None
        for name, function in self.steps():
            if started:
                if around:
                    around(self.vm, name, function)
                else:
                    function()
            started = started or name == after
            if name == until:
                break


def check_pieces(vm, memory, count):
    """So many writes of edu, one after the other, have arrived; the memory is as before them."""
    for number in range(count):
        at = number * PIECE
        equal(vm.num(f"check {memory} {steps.SEED} off={steps.COPY_TO + at} len={PIECE} "
                     f"from={at}"), 0, f"words of write {number} that differ")
    vm.ok(f"fill {memory} {steps.SEED}")


def is_taken_back(vm, guest, bar=None):
    """The device is an ordinary one of an ordinary iommufd: mapped, unmapped, faulting."""
    bar = bar or preserving.resource(vm, guest.bdf, f"taken-{guest.cdev}")
    steps.edu_copy(vm, bar)
    steps.check_copied(vm, guest.memory)
    vm.ok(f"fill {guest.memory} {steps.SEED}")
    equal(vm.faults(), [], "DMAR faults")
    vm.err("ENODATA", f"open nothing {preserving.INCOMING}")
    vm.ok(f"unmap {guest.iommufd} {guest.ioas} {steps.IOVA:#x} {steps.SIZE}")
    steps.edu_store(vm, bar, steps.COPY_TO)
    steps.wait_fault(vm, guest.bdf)
    equal(vm.num(f"check {guest.memory} {steps.SEED}"), 0, "words that differ after the unmap")


def put_by_kib(vm):
    """Free memory that processors keep for themselves, and the kernel does not count as free."""
    words = [line.split() for line in vm.read("/proc/zoneinfo").splitlines()]
    return sum(int(line[1]) for line in words if line[:1] == ["count:"]) * PAGE >> 10


def counters(vm):
    """What must not grow: pages of IOMMU tables, and memory that the kernel can't use."""
    found = {}
    vm.write("/proc/sys/vm/drop_caches", "3")
    vm.write("/proc/sys/vm/compact_memory", "1")
    vm.write("/proc/sys/vm/stat_refresh", "1")
    for line in vm.read("/proc/vmstat").splitlines():
        name, value = line.split()
        if name in COUNTERS:
            found[name] = int(value)
    check(found, f"none of {COUNTERS} in /proc/vmstat")
    for line in vm.read("/proc/meminfo").splitlines():
        if line.startswith(("MemTotal:", "MemFree:", "Cached:")):
            found[line.split(":")[0]] = int(line.split()[1])
    found["MemFree"] += put_by_kib(vm)
    for line in vm.read(PRESERVED).splitlines():
        found[f"preserved {line.split()[1]}"] = int(line.split()[0])
    return found


def domain_ids(vm, bdfs):
    """Domain ids in the hardware's entries of some devices, as the kernel prints these."""
    found = []
    for line in vm.read("/sys/kernel/debug/iommu/intel/dmar_translation_struct").splitlines():
        words = line.split()
        if words and any(bdf[5:] == words[0] for bdf in bdfs):
            if words[3] == "-1":
                found.append(int(words[2].split(":")[0], 16) >> 8 & 0xffff)
            else:
                found.append(int(words[4].split(":")[1], 16) & 0xffff)
    equal(len(found), len(bdfs), "devices with an entry")
    return found


def wait_state(vm, pattern, timeout=10):
    """Wait for a line of the glue's "state" file."""
    end = time.monotonic() + timeout * SLOWER
    while not re.search(pattern, text := vm.read(STATE), re.MULTILINE):
        check(time.monotonic() < end, f"{STATE} never says {pattern}:\n{text}")
        time.sleep(0.1)
