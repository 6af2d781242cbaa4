# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Who may have what after the jump: the preserved device, and one that was not preserved."""
import preserving
import steps
from harness import check, equal, scenario
from vm import EDU

OTHER = "0000:00:06.0"
OTHER_EDU = ("-device", "edu,id=edu1,addr=06.0,dma_mask=0xffffffffffffffff")
# VT-d's registers as QEMU places them, and the pending-fault bit of the fault status.
UNIT = 0xfed90000
CAPABILITY = UNIT + 0x08
FAULT_STATUS = UNIT + 0x34
PRIMARY_PENDING_FAULT = 0x2


def jumped(lab, **options):
    """A machine behind the jump, with edu preserved."""
    vm = lab.start(**options)
    guest = preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump()
    return vm, guest


@scenario("preserved-device-is-taken")
def device_is_taken(lab):
    """After the jump no driver and no new iommufd get the device, and it can't be finished."""
    vm, _ = jumped(lab)
    check(vm.ok(f"driver {EDU}") in ("none", "vfio-pci"), "another driver has the device")
    vm.ok(f"override {EDU} virtio-pci")
    vm.err("EBUSY", f"bind-driver {EDU} virtio-pci")
    steps.give_to_vfio(vm)
    vm.ok(f"cdev fresh {EDU}")
    vm.ok("iommufd iommufd9")
    vm.err("EPERM", "bind fresh iommufd9")
    vm.ok("close fresh")
    check(preserving.has_master(vm), "the device lost bus mastering")
    session = steps.reopen_session(vm)
    vm.err("EBUSY", f"finish {session}")
    steps.retrieve_memory(vm)
    vm.err("EBUSY", f"finish {session}")
    steps.edu_copy(vm, preserving.resource(vm))
    steps.check_copied(vm, "memory0")
    equal(vm.faults(), [], "DMAR faults")


@scenario("retrieved-cdev")
def retrieved_cdev(lab):
    """The preserved cdev can be retrieved but not bound to a new iommufd, and does nothing unbound."""
    vm, _ = jumped(lab)
    steps.give_to_vfio(vm)
    session = steps.reopen_session(vm)
    vm.ok(f"retrieve {session} {preserving.CDEV_TOKEN:#x} cdev0")
    vm.ok("iommufd iommufd9")
    vm.err("EPERM", "bind cdev0 iommufd9")
    vm.err(["EINVAL", "EPERM", "ENODEV"], "device-info cdev0")
    vm.err("EBUSY", f"finish {session}")
    vm.ok("close cdev0")
    vm.err("EBUSY", f"finish {session}")
    steps.retrieve_memory(vm)
    steps.edu_copy(vm, preserving.resource(vm))
    steps.check_copied(vm, "memory0")
    equal(vm.faults(), [], "DMAR faults")


@scenario("unpreserved-device-is-blocked", needs=["glue", "tool"])
def unpreserved_is_blocked(lab):
    """A device that was not preserved has no context entry from the jump until it is probed."""
    vm = lab.start(devices=OTHER_EDU)
    guest = preserving.preserved_guest(vm)
    other = steps.open_device(vm, OTHER, "1")
    ioas = vm.num(f"ioas {other.iommufd}")
    steps.make_memory(vm, "memory1", seed=9)
    vm.ok(f"attach {other.cdev} {ioas}")
    vm.ok(f"map-file {other.iommufd} {ioas} memory1 {steps.SIZE} iova={steps.IOVA:#x}")
    steps.enable_master(vm, other.cdev)
    vm.ok(f"bar {other.bar} {other.cdev} 0")
    steps.edu_load(vm, other.bar, steps.COPY_FROM)
    check(OTHER[5:] in preserving.context_entries(vm), "the other device had no context entry")
    # Its memory is preserved, so that nobody else writes there; the device is not.
    vm.ok("preserve session0 0x77 memory1")
    page = steps.page_of(vm, "memory1", steps.COPY_TO)
    bar = steps.bar_address(vm, OTHER)
    vm.kexec()
    gdb = vm.jump_stopped()
    image = vm.dump("jump.elf")
    preserving.verify(lab, image)
    table = preserving.show(lab, image)
    equal([device["bdf"] for device in table["devices"]], [EDU], "devices in the handover")
    root = table["iommus"][0]["root_table"]
    contexts = preserving.show(lab, image, "--vtd-root", root)["vtd_roots"][0]["contexts"]
    equal([context["bdf"] for context in contexts], [EDU[5:]], "present context entries")

    # The jump took its bus mastering too. Give it back from outside: translation alone has to do.
    before = gdb.read(page, 64)
    equal(vm.physical(FAULT_STATUS)[0] & PRIMARY_PENDING_FAULT, 0, "pending faults at the jump")
    steps.outside_config(vm, OTHER, 4, 6)
    steps.outside_store(gdb, bar, steps.COPY_TO)
    # Setting interrupt remapping up clears the fault status.
    vm.next_stop("intel_prepare_irq_remapping")
    check(steps.outside_done(vm, bar), "the DMA has not happened yet")
    equal(fault_sources(vm), [OTHER[5:]], "requesters of the recorded faults")
    vm.land()
    steps.reopen_session(vm)
    steps.retrieve_memory(vm, memory=guest.memory)
    steps.check_untouched(vm, guest.memory)
    equal(still_read(vm, page), before, "memory that the blocked DMA aimed at")

    # From its probe on it has the default domain, which maps nothing.
    check(OTHER[5:] in preserving.context_entries(vm), "the other device has no domain")
    faults = steps.fault_count(vm, OTHER)
    vm.ok(f"config-write {OTHER} 4 2 0x6")
    steps.edu_store(vm, preserving.resource(vm, OTHER, "resource1"), steps.COPY_TO)
    steps.wait_fault(vm, OTHER, faults)
    equal(still_read(vm, page), before, "memory that the DMA aimed at")


def fault_sources(vm):
    """Requesters in the unit's fault records, which are kept until somebody clears them."""
    cap = vm.physical(CAPABILITY)[0]
    first, count = UNIT + 16 * (cap >> 24 & 0x3ff), (cap >> 40 & 0xff) + 1
    records = [vm.physical(first + 16 * index + 8)[0] for index in range(count)]
    return [f"{record >> 8 & 0xff:02x}:{record >> 3 & 0x1f:02x}.{record & 7}"
            for record in records if record >> 63]


def still_read(vm, address):
    """64 bytes of guest memory without stopping it for longer than that."""
    data = vm.gdb.read(address, 64)
    vm.resume()
    return data


@scenario("unpreserved-device-works-on")
def unpreserved_works(lab):
    """A device that was not preserved gets a new iommufd and domain beside the restored one."""
    vm = lab.start(devices=OTHER_EDU)
    guest = preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump()
    other = preserving.second_guest(vm, OTHER)
    steps.edu_copy(vm, other.bar)
    steps.check_copied(vm, other.memory)
    vm.ok(f"fill {other.memory} {steps.SEED}")
    preserving.carried(vm, guest)
    equal(vm.num(f"check {other.memory} {steps.SEED}"), 0, "words of the other memory that differ")
    vm.ok(f"unmap {other.iommufd} {other.ioas} {steps.IOVA:#x} {steps.SIZE}")
    steps.edu_store(vm, other.bar, steps.COPY_TO)
    steps.wait_fault(vm, OTHER)
    equal(vm.num(f"check {other.memory} {steps.SEED}"), 0, "words of the other memory that differ")


@scenario("default-driver-after-jump")
def default_driver(lab):
    """A device that was not preserved is free for its driver after the jump."""
    vm = lab.start(rng=True)
    guest = preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump()
    equal(vm.ok("driver 0000:00:05.0"), "virtio-pci", "driver of the other device")
    steps.reopen_session(vm)
    steps.retrieve_memory(vm, memory=guest.memory)
    equal(vm.num(f"check {guest.memory} {steps.SEED}"), 0, "words that differ")
