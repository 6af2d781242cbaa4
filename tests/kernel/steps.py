# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Steps that scenarios share: a guest's memory under a device's DMA, sessions, DMA at a moment of
the host's choice."""
import re
import struct
import time

from harness import check, equal
from vm import EDU, RNG, SLOWER

# Above 4 GiB and not aligned to a superpage.
IOVA = 0x1000003000
SIZE = 4 << 20
SEED = 7
MEMFD_TOKEN = 0x1234
SESSION = "vm-1"

# A copy that straddles the border of two leaf tables.
COPY_FROM = 0
COPY_TO = 0x1fcf80
COPY_LENGTH = 256

COMMAND_MEMORY_AND_MASTER = 0x6


class Guest:
    """A device given to vfio whose DMA reaches a memfd; names of the agent's objects, ids."""

    def __init__(self, vm, bdf, suffix):
        self.vm = vm
        self.bdf = bdf
        self.cdev = f"cdev{suffix}"
        self.bar = f"bar{suffix}"
        self.iommufd = "iommufd0"
        self.memory = "memory0"
        self.device = None
        self.ioas = None
        self.hwpt = None


def give_to_vfio(vm, bdf=EDU):
    """Bind a device to vfio-pci and switch its memory decoding and bus mastering on."""
    if vm.ok(f"driver {bdf}") not in ("none", "vfio-pci"):
        vm.ok(f"unbind {bdf}")
    if vm.ok(f"driver {bdf}") == "none":
        vm.ok(f"bind-driver {bdf} vfio-pci")


def make_memory(vm, name="memory0", size=SIZE, seed=SEED, sealed=1):
    """A memfd with a pattern in it."""
    vm.ok(f"memfd {name} {size} sealed={sealed}")
    vm.ok(f"fill {name} {seed}")


def open_device(vm, bdf=EDU, suffix="0", iommufd="iommufd0"):
    """Open a device's cdev, bind it to an iommufd (opened when there is none), map BAR 0."""
    guest = Guest(vm, bdf, suffix)
    guest.iommufd = iommufd
    give_to_vfio(vm, bdf)
    vm.ok(f"cdev {guest.cdev} {bdf}")
    if suffix == "0":
        vm.ok(f"iommufd {iommufd}")
    guest.device = vm.num(f"bind {guest.cdev} {iommufd}")
    return guest


def enable_master(vm, cdev):
    """Let the device decode memory accesses and do DMA."""
    command = vm.num(f"cdev-config-read {cdev} 4 2")
    vm.ok(f"cdev-config-write {cdev} 4 2 {command | COMMAND_MEMORY_AND_MASTER:#x}")


def edu_guest(vm, *, size=SIZE, iova=IOVA, sealed=1, hwpt_options=""):
    """The whole set: edu under vfio, a memfd at IOVA, an HWPT of its own, DMA enabled."""
    guest = open_device(vm)
    make_memory(vm, guest.memory, size, sealed=sealed)
    guest.ioas = vm.num(f"ioas {guest.iommufd}")
    guest.hwpt = vm.num(f"hwpt {guest.iommufd} {guest.device} {guest.ioas} {hwpt_options}")
    vm.ok(f"attach {guest.cdev} {guest.hwpt}")
    vm.ok(f"map-file {guest.iommufd} {guest.ioas} {guest.memory} {size} iova={iova:#x}")
    enable_master(vm, guest.cdev)
    vm.ok(f"bar {guest.bar} {guest.cdev} 0")
    return guest


def edu_load(vm, bar, offset, length=COPY_LENGTH, iova=IOVA):
    """The device reads memory at an offset into its buffer."""
    vm.ok(f"edu-dma {bar} from-ram {iova + offset:#x} {length}")


def edu_store(vm, bar, offset, length=COPY_LENGTH, iova=IOVA, wait=1):
    """The device writes its buffer to memory; with wait=0, some 100 ms from now."""
    vm.ok(f"edu-dma {bar} to-ram {iova + offset:#x} {length} wait={wait}")


def edu_copy(vm, bar, source=COPY_FROM, target=COPY_TO, length=COPY_LENGTH, iova=IOVA):
    """The device copies inside the memory it reaches."""
    edu_load(vm, bar, source, length, iova)
    edu_store(vm, bar, target, length, iova)


def outside_config(vm, bdf, offset, value):
    """Write a device's config space (bus 0) past the guest, running or not."""
    device, function = int(bdf[8:10], 16), int(bdf[11:])
    vm.qmp.monitor(f"o /w 0xcf8 {1 << 31 | device << 11 | function << 8 | offset:#x}")
    vm.qmp.monitor(f"o /w 0xcfc {value:#x}")


def bar_address(vm, bdf=EDU):
    """Physical address of a device's BAR 0."""
    return vm.num(f"config-read {bdf} 0x10 4") & ~0xf


def outside_store(gdb, address, offset, length=COPY_LENGTH, iova=IOVA):
    """While the guest stands still: have edu write its buffer to memory 100 ms of guest time later.

    This is a DMA that is under way whatever the guest does next. address: bar_address().
    """
    for register, value in ((0x80, 0x40000), (0x88, iova + offset), (0x90, length), (0x98, 3)):
        gdb.write_u64(address + register, value)


def outside_done(vm, address):
    """Has edu carried out what it was told?"""
    return not vm.physical(address + 0x98)[0] & 1


def fault_count(vm, bdf=EDU, text=r"DMA \w+"):
    """DMA faults of a device that the kernel logged."""
    return len(re.findall(rf"DMAR: \[{text}.*\[{bdf}\]", vm.console()))


def wait_fault(vm, bdf=EDU, before=0, timeout=30):
    """Wait until the kernel has logged more faults of a device than before."""
    end = time.monotonic() + timeout * SLOWER
    while fault_count(vm, bdf) <= before:
        check(time.monotonic() < end, f"the DMA of {bdf} made no fault")
        vm.check_alive()
        time.sleep(0.1)


def check_copied(vm, memory, source=COPY_FROM, target=COPY_TO, length=COPY_LENGTH, seed=SEED):
    """A copy has arrived, and nothing else of the memory changed."""
    equal(vm.num(f"check {memory} {seed} off={target} len={length} from={source}"), 0,
          "words of the copy that differ")
    check_untouched(vm, memory, target, length, seed)


def check_untouched(vm, memory, target=COPY_TO, length=COPY_LENGTH, seed=SEED):
    """Memory outside the target of a copy is as it was filled."""
    size = vm.num(f"size {memory}")
    equal(vm.num(f"check {memory} {seed} off=0 len={target}"), 0, "words before the target")
    after = target + length
    equal(vm.num(f"check {memory} {seed} off={after} len={size - after}"), 0,
          "words after the target")


def page_of(vm, memory, offset):
    """Physical address of the page that holds an offset of a memfd."""
    address = vm.num(f"pages {memory} {offset & ~0xfff:#x} 1")
    check(address, f"{memory}+{offset:#x} isn't in memory")
    return address + (offset & 0xfff)


def translation_type(vm, bdf):
    """What a device's context or PASID entry says, as a mode's name."""
    text = vm.read("/sys/kernel/debug/iommu/intel/dmar_translation_struct")
    rows = [line.split() for line in text.splitlines() if line.startswith(bdf[5:])]
    check(rows, f"{bdf} has no context entry")
    if rows[0][3] == "-1":
        return "legacy"
    kind = int(rows[0][4].split(":")[2], 16) >> 6 & 7
    return {1: "first-stage", 2: "scalable"}.get(kind, f"PGTT {kind}")


def open_session(vm, name=SESSION, session="session0", liveupdate="liveupdate0"):
    """Open /dev/liveupdate and create a session."""
    vm.ok(f"open {liveupdate} /dev/liveupdate")
    vm.ok(f"session {session} {liveupdate} {name}")
    return session


def reopen_session(vm, name=SESSION, session="session0", liveupdate="liveupdate0"):
    """In the next kernel: open /dev/liveupdate and retrieve the session."""
    vm.ok(f"open {liveupdate} /dev/liveupdate")
    vm.ok(f"session-retrieve {session} {liveupdate} {name}")
    return session


def retrieve_memory(vm, session="session0", token=MEMFD_TOKEN, memory="memory0"):
    """Get a memfd back and map it."""
    vm.ok(f"retrieve {session} {token:#x} {memory}")
    vm.ok(f"mmap {memory}")


def wait_memory(read, expected, what, timeout=30):
    """Wait until a function that reads guest memory returns what is expected."""
    end = time.monotonic() + timeout * SLOWER
    while read() != expected:
        check(time.monotonic() < end, f"{what} never arrived")
        time.sleep(0.05)


def enable_failures(vm):
    """Let failnth=N also reach allocations that may sleep, and single pages."""
    for name in ("failslab", "fail_page_alloc"):
        vm.write(f"/sys/kernel/debug/{name}/ignore-gfp-wait", "N")
    vm.write("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N")
    vm.write("/sys/kernel/debug/fail_page_alloc/min-order", "0")


class VirtioRng:
    """A user-space driver of virtio-rng whose ring and buffers lie in a memfd.

    The device writes guest memory when, and only when, the host feeds it: post() a buffer, wait
    for its request, and feed() at any later moment the guest runs, with or without a kernel.
    """

    QUEUE = 8
    # Offsets from the place of the queue in the memory.
    AVAILABLE = 0x100
    USED = 0x200
    BUFFERS = 0x1000
    LENGTH = 64

    def __init__(self, vm, memory="memory0", iova=IOVA, cdev="cdev1", at=0x8000):
        self.vm = vm
        self.memory = memory
        self.iova = iova
        self.cdev = cdev
        self.at = at
        self.posted = 0
        self.notify = None
        self._common = None

    def start(self):
        """Find the device's structures, negotiate, set the queue up."""
        self._find_structures()
        self._common_write(20, 1, 0)
        for status in (1, 3):
            self._common_write(20, 1, status)
        self._common_write(8, 4, 1)
        self._common_write(12, 4, 3)
        self._common_write(20, 1, 11)
        equal(self._common_read(20, 1) & 8, 8, "virtio's FEATURES_OK")
        self._common_write(22, 2, 0)
        self._common_write(24, 2, self.QUEUE)
        for register, offset in ((32, 0), (40, self.AVAILABLE), (48, self.USED)):
            address = self.iova + self.at + offset
            self._common_write(register, 4, address & 0xffffffff)
            self._common_write(register + 4, 4, address >> 32)
        self.vm.ok(f"poke {self.memory} {self.at + self.AVAILABLE:#x} 01000000")
        self.vm.ok(f"poke {self.memory} {self.at + self.USED:#x} 00000000")
        self._common_write(28, 2, 1)
        self._common_write(20, 1, 15)

    def post(self):
        """Offer one more buffer; returns its offset in the memory."""
        offset = self.at + self.BUFFERS + self.posted * self.LENGTH
        slot = self.posted % self.QUEUE
        descriptor = struct.pack("<QIHH", self.iova + offset, self.LENGTH, 2, 0)
        available = self.at + self.AVAILABLE
        self.vm.ok(f"poke {self.memory} {self.at + 16 * slot:#x} {descriptor.hex()}")
        self.vm.ok(f"poke {self.memory} {available + 4 + 2 * slot:#x} "
                   f"{struct.pack('<H', slot).hex()}")
        self.posted += 1
        self.vm.ok(f"poke {self.memory} {available + 2:#x} "
                   f"{struct.pack('<H', self.posted).hex()}")
        bar, offset_in_bar = self.notify
        self.vm.ok(f"mmio-write {bar} {offset_in_bar} 2 0")
        return offset

    def wait_request(self, timeout=10):
        """Wait until the device wants bytes for the posted buffer."""
        end = time.monotonic() + timeout * SLOWER
        wanted = 0
        while wanted < self.LENGTH:
            wanted += sum(self.vm.rng_requests())
            check(time.monotonic() < end, f"the rng device asked for {wanted} bytes")
            time.sleep(0.02)

    def feed(self, data):
        """Give the device its bytes: it writes them to the buffer at once."""
        equal(len(data), self.LENGTH, "bytes for one buffer")
        self.vm.feed_rng(data)

    def reach(self, vm, bdf):
        """In the next kernel, which knows the device by its address: have its registers mapped."""
        self.vm = vm
        bar = self.notify[0]
        vm.ok(f"resource {bar} {bdf} {bar[-1]}")

    def _find_structures(self):
        at = self._config(0x34, 1)
        bars = set()
        while at:
            if self._config(at, 1) == 9:
                kind, bar = self._config(at + 3, 1), self._config(at + 4, 1)
                offset = self._config(at + 8, 4)
                if kind == 1:
                    self._common = (f"{self.cdev}-bar{bar}", offset)
                    bars.add(bar)
                elif kind == 2:
                    self.notify = (f"{self.cdev}-bar{bar}", offset)
                    bars.add(bar)
            at = self._config(at + 1, 1)
        check(self._common and self.notify, "no virtio structures in config space")
        for bar in sorted(bars):
            self.vm.ok(f"bar {self.cdev}-bar{bar} {self.cdev} {bar}")

    def _config(self, offset, width):
        return self.vm.num(f"cdev-config-read {self.cdev} {offset:#x} {width}")

    def _common_read(self, offset, width):
        bar, base = self._common
        return self.vm.num(f"mmio-read {bar} {base + offset:#x} {width}")

    def _common_write(self, offset, width, value):
        bar, base = self._common
        self.vm.ok(f"mmio-write {bar} {base + offset:#x} {width} {value:#x}")


def add_rng(vm, guest):
    """Give virtio-rng to vfio beside the first device, on the same HWPT, and start its queue."""
    other = open_device(vm, RNG, "1", guest.iommufd)
    vm.ok(f"attach {other.cdev} {guest.hwpt}")
    enable_master(vm, other.cdev)
    rng = VirtioRng(vm, guest.memory, cdev=other.cdev)
    rng.start()
    return rng
