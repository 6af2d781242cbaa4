# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Devices that are not alone on a root port's end: groups, bridges, virtual functions, removal."""
import preserving
import steps
from harness import check, equal, scenario
from preserving import CDEV_TOKEN, IOMMUFD_TOKEN
from vm import EDU

EDU_ARGUMENTS = "dma_mask=0xffffffffffffffff"


def guest_at(vm, bdf):
    """A marked guest whose device is at an address of the scenario's choice."""
    guest = preserving.device_guest(vm, bdf)
    preserving.mark(vm, guest)
    return guest


def refused(vm, guest):
    """The iommufd is preserved, the device is refused."""
    steps.open_session(vm)
    preserving.preserve_memory(vm, guest)
    vm.ok(f"preserve session0 {IOMMUFD_TOKEN:#x} {guest.iommufd}")
    vm.err("EOPNOTSUPP", f"preserve session0 {CDEV_TOKEN:#x} {guest.cdev}")
    vm.ok("close session0")


def find(vm, vendor_device):
    """Addresses of the devices with those ids."""
    found = []
    for bdf in vm.ok("ls /sys/bus/pci/devices").split():
        ids = [vm.read(f"/sys/bus/pci/devices/{bdf}/{name}").strip()[2:]
               for name in ("vendor", "device")]
        if ":".join(ids) == vendor_device:
            found.append(bdf)
    return found


def group_size(vm, bdf):
    """Devices in the IOMMU group of a device."""
    return len(vm.ok(f"ls /sys/bus/pci/devices/{bdf}/iommu_group/devices").split())


@scenario("behind-a-root-port", needs=["glue", "tool"])
def behind_a_root_port(lab):
    """A device behind a PCIe port: the port keeps forwarding, bus numbers stay."""
    vm = lab.start(edu=False, devices=(
        "-device", "pcie-root-port,id=port0,bus=pcie.0,addr=07.0,chassis=1",
        "-device", f"edu,id=edu0,bus=port0,{EDU_ARGUMENTS}"))
    bdf = find(vm, "1234:11e8")[0]
    check(bdf[5:7] != "00", f"the device is at {bdf}")
    guest = guest_at(vm, bdf)
    vm.ok(f"bar {guest.bar} {guest.cdev} 0")
    steps.open_session(vm)
    preserving.preserve(vm, guest)
    vm.kexec(cmdline="pci=assign-busses")
    vm.jump_stopped()
    image = vm.dump("jump.elf")
    vm.land()
    preserving.verify(lab, image)
    equal(find(vm, "1234:11e8"), [bdf], "where the device is after the jump")
    check(preserving.has_master(vm, bdf), "the device lost bus mastering")
    preserving.carried(vm, guest, bdf)


@scenario("two-buses", needs=["glue", "tool"])
def two_buses(lab):
    """The second device preserved is on a bus whose context table is younger than the record."""
    vm = lab.start(devices=(
        "-device", "pcie-root-port,id=port0,bus=pcie.0,addr=07.0,chassis=1",
        "-device", f"edu,id=edu1,bus=port0,{EDU_ARGUMENTS}"))
    far = [bdf for bdf in find(vm, "1234:11e8") if bdf != EDU][0]
    first = steps.edu_guest(vm)
    preserving.mark(vm, first)
    second = preserving.second_guest(vm, far)
    preserving.mark(vm, second)
    vm.ok("open liveupdate0 /dev/liveupdate")
    for name, one in (("0", first), ("1", second)):
        vm.ok(f"session session{name} liveupdate0 vm-{name}")
        preserving.preserve(vm, one, f"session{name}")
    vm.kexec()
    vm.jump_stopped()
    image = vm.dump("jump.elf")
    vm.land()
    preserving.verify(lab, image)
    for name, one, bdf in (("0", first, EDU), ("1", second, far)):
        steps.edu_copy(vm, preserving.resource(vm, bdf, f"resource{name}"))
        session = f"session{name}"
        if name == "0":
            vm.ok("open liveupdate0 /dev/liveupdate")
        vm.ok(f"session-retrieve {session} liveupdate0 vm-{name}")
        steps.retrieve_memory(vm, session, memory=one.memory)
        steps.check_copied(vm, one.memory)
    equal(vm.faults(), [], "DMAR faults")


@scenario("two-devices-one-hwpt", needs=["glue", "tool"])
def two_devices(lab):
    """Two devices share an HWPT; both are preserved, in either order of the two."""
    for order in ((0, 1), (1, 0)):
        vm = lab.start(devices=("-device", f"edu,id=edu1,addr=06.0,{EDU_ARGUMENTS}"))
        guest = steps.edu_guest(vm)
        other = steps.open_device(vm, "0000:00:06.0", "1", guest.iommufd)
        vm.ok(f"attach {other.cdev} {guest.hwpt}")
        steps.enable_master(vm, other.cdev)
        preserving.mark(vm, guest)
        steps.open_session(vm)
        preserving.preserve_memory(vm, guest)
        vm.ok(f"preserve session0 {IOMMUFD_TOKEN:#x} {guest.iommufd}")
        for which in order:
            vm.ok(f"preserve session0 {CDEV_TOKEN + which:#x} {(guest, other)[which].cdev}")
        vm.kexec()
        vm.jump_stopped()
        image = vm.dump("jump.elf")
        vm.land()
        preserving.verify(lab, image)
        handed = preserving.show(lab, image)
        equal((len(handed["domains"]), len(handed["devices"])), (1, 2), "domains and devices")
        equal({device["did"] for device in handed["devices"]}.__len__(), 1, "domain ids")
        preserving.carried(vm, guest)
        vm.ok(f"fill {guest.memory} {steps.SEED}")
        steps.edu_copy(vm, preserving.resource(vm, "0000:00:06.0", "resource1"))
        steps.check_copied(vm, guest.memory)
        equal(vm.faults(), [], "DMAR faults")
        vm.stop()


@scenario("multi-device-group")
def multi_device_group(lab):
    """A group with more than one device is refused."""
    vm = lab.start(edu=False, devices=(
        "-device", "pcie-pci-bridge,id=bridge0,bus=pcie.0,addr=08.0",
        "-device", f"edu,id=edu0,bus=bridge0,addr=01.0,{EDU_ARGUMENTS}",
        "-device", f"edu,id=edu1,bus=bridge0,addr=02.0,{EDU_ARGUMENTS}"))
    first, second = find(vm, "1234:11e8")
    check(group_size(vm, first) > 1, "the group has one device only")
    steps.give_to_vfio(vm, second)
    refused(vm, guest_at(vm, first))


@scenario("bridge-alias")
def bridge_alias(lab):
    """A device whose requests carry a bridge's id is refused."""
    vm = lab.start(edu=False, devices=(
        "-device", "pcie-pci-bridge,id=bridge0,bus=pcie.0,addr=08.0",
        "-device", f"edu,id=edu0,bus=bridge0,addr=01.0,{EDU_ARGUMENTS}"))
    refused(vm, guest_at(vm, find(vm, "1234:11e8")[0]))


SRIOV = ("-device", "pcie-root-port,id=port0,bus=pcie.0,addr=07.0,chassis=1",
         "-device", "nvme-subsys,id=subsys0",
         "-device", "nvme,id=nvme0,bus=port0,serial=1,subsys=subsys0,sriov_max_vfs=1,"
                    "sriov_vq_flexible=2,sriov_vi_flexible=1,max_ioqpairs=4,msix_qsize=5")
NVME = "1b36:0010"
# What vfio-pci says of QEMU's virtual functions.
INTX_PIN = "VF reports bogus INTx pin"


@scenario("virtual-function", needs=["glue", "PCI_IOV=y", "PCI_PF_STUB=y"], splats=[INTX_PIN])
def virtual_function(lab):
    """A VF is refused."""
    vm = lab.start(edu=False, memory="512M", devices=SRIOV)
    function, = find(vm, NVME)
    vm.ok(f"bind-driver {function} pci-pf-stub")
    vm.write(f"/sys/bus/pci/devices/{function}/sriov_numvfs", "1")
    virtual, = [bdf for bdf in find(vm, NVME) if bdf != function]
    refused(vm, guest_at(vm, virtual))


@scenario("physical-function", needs=["glue", "PCI_IOV=y"], splats=[INTX_PIN])
def physical_function(lab):
    """A PF that has VFs is refused; one that was preserved without any gets none."""
    vm = lab.start(edu=False, memory="512M", devices=SRIOV, cmdline="vfio_pci.enable_sriov=1")
    function, = find(vm, NVME)
    guest = guest_at(vm, function)
    functions = f"/sys/bus/pci/devices/{function}/sriov_numvfs"
    vm.write(functions, "1")
    refused(vm, guest)
    vm.write(functions, "0")
    vm.ok(f"session session0 liveupdate0 {steps.SESSION}")
    preserving.preserve(vm, guest)
    vm.err("EBUSY", f"write {functions} -- 1")
    equal(find(vm, NVME), [function], "functions of the device")
