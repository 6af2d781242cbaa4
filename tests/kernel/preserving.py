# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Steps of scenarios that need the glue: mark, preserve, jump, and look at what was handed over."""
import json
import subprocess

import steps
from harness import check, equal
from vm import EDU

HWPT_TOKEN = 0x4857505400000001
IOMMUFD_TOKEN = 0x100
CDEV_TOKEN = 0x200
OUTGOING = "/sys/kernel/debug/iommu/liveupdate/outgoing"
INCOMING = "/sys/kernel/debug/iommu/liveupdate/incoming"
COMMAND_MASTER = 0x4


def mark(vm, guest, token=HWPT_TOKEN):
    """Mark the guest's HWPT for preservation."""
    vm.ok(f"mark {guest.iommufd} {guest.hwpt} {token:#x}")


def preserve_memory(vm, guest, session="session0", apart=0):
    """Preserve the guest's memory; apart: how far its tokens are from the usual ones."""
    vm.ok(f"preserve {session} {steps.MEMFD_TOKEN + apart:#x} {guest.memory}")


def preserve_rest(vm, guest, session="session0", apart=0):
    """Preserve the iommufd and the device of a guest whose memory is preserved."""
    vm.ok(f"preserve {session} {IOMMUFD_TOKEN + apart:#x} {guest.iommufd}")
    vm.ok(f"preserve {session} {CDEV_TOKEN + apart:#x} {guest.cdev}")


def preserve(vm, guest, session="session0", apart=0):
    """Preserve all of a guest whose HWPT is marked."""
    preserve_memory(vm, guest, session, apart)
    preserve_rest(vm, guest, session, apart)


def device_guest(vm, bdf, iova=steps.IOVA, size=steps.SIZE):
    """Like steps.edu_guest(), with a device of the scenario's choice, whose BARs stay unmapped."""
    guest = steps.open_device(vm, bdf)
    steps.make_memory(vm, guest.memory, size)
    guest.ioas = vm.num(f"ioas {guest.iommufd}")
    guest.hwpt = vm.num(f"hwpt {guest.iommufd} {guest.device} {guest.ioas}")
    vm.ok(f"attach {guest.cdev} {guest.hwpt}")
    vm.ok(f"map-file {guest.iommufd} {guest.ioas} {guest.memory} {size} iova={iova:#x}")
    steps.enable_master(vm, guest.cdev)
    return guest


def preserved_guest(vm, bdf=None, **options):
    """edu, or another device, under vfio with everything preserved in a session."""
    guest = device_guest(vm, bdf) if bdf else steps.edu_guest(vm, **options)
    mark(vm, guest)
    steps.open_session(vm)
    preserve(vm, guest)
    return guest


def resource(vm, bdf=EDU, name="resource0", bar=0):
    """Map a BAR through sysfs: the way to a device that nobody has opened."""
    vm.ok(f"resource {name} {bdf} {bar}")
    return name


def has_master(vm, bdf=EDU):
    """Is the device allowed to do DMA?"""
    return bool(vm.num(f"config-read {bdf} 4 2") & COMMAND_MASTER)


def pull(vm, path, file):
    """Copy a file of the guest to the host, by way of the guest's memory."""
    size = vm.num(f"load pulled {path}")
    vm.ok(f"peek pulled {size - 1} 1")
    count = (size + 4095) // 4096
    addresses = []
    while len(addresses) < count:
        step = min(128, count - len(addresses))
        for page in range(len(addresses), len(addresses) + step):
            vm.ok(f"peek pulled {page * 4096} 1")
        words = vm.ok(f"pages pulled {len(addresses) * 4096} {step}").split()
        addresses += [int(word, 16) for word in words]
    check(all(addresses), f"{path}: not all of it is in memory")
    gdb = vm.gdb
    data = b"".join(gdb.read(address, 4096) for address in addresses)[:size]
    vm.resume()
    vm.ok("close pulled")
    with open(file, "wb") as out:
        out.write(data)
    return file


def run_tool(lab, *words):
    """Run iommu-kho-dump: (exit status, output)."""
    done = subprocess.run([lab.settings.tool, *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def verify(lab, image, *words):
    """The image has to verify without a single finding; returns what was checked.

    The glue's own stream doesn't tell what KHO preserves: that this is said is all it may find.
    """
    status, text = run_tool(lab, "verify", "--json", *words, image)
    equal(status, 0, f"exit status of verify ({text[:2000]})")
    result = json.loads(text)
    codes = [finding["code"] for finding in result["findings"]]
    equal(codes, ["CLOSURE-08"] if image.endswith(".ikho") else [], "findings")
    equal(result["status"], "ok", "verdict")
    return result["checked"]


def show(lab, image, *words):
    """What the image holds."""
    status, text = run_tool(lab, "show", "--json", *words, image)
    equal(status, 0, f"exit status of show ({text[:2000]})")
    return json.loads(text)


def translate(lab, image, iova, bdf=EDU, words=()):
    """Where the hardware's tables of an image lead an address: the tool's answer."""
    status, text = run_tool(lab, "translate", "--json", *words, bdf, hex(iova), image)
    check(status in (0, 1), f"exit status {status} of translate ({text[:2000]})")
    return json.loads(text)


def context_entries(vm):
    """Requesters that have a context entry, as the kernel prints them: {"00:04.0", ...}."""
    text = vm.read("/sys/kernel/debug/iommu/intel/dmar_translation_struct")
    return {line.split()[0] for line in text.splitlines() if line[2:3] == ":" and "." in line[:8]}


def carried(vm, guest, bdf=EDU, memory=True):
    """In the next kernel: the device still does its DMA into memory that then is retrieved."""
    steps.edu_copy(vm, resource(vm, bdf))
    steps.reopen_session(vm)
    if memory:
        steps.retrieve_memory(vm, memory=guest.memory)
        steps.check_copied(vm, guest.memory)
    equal(vm.faults(), [], "DMAR faults")


def second_guest(vm, bdf, suffix="1"):
    """A second device with an iommufd, memory and HWPT of its own."""
    iommufd = f"iommufd{suffix}"
    vm.ok(f"iommufd {iommufd}")
    guest = steps.open_device(vm, bdf, suffix, iommufd)
    guest.memory = f"memory{suffix}"
    steps.make_memory(vm, guest.memory)
    guest.ioas = vm.num(f"ioas {iommufd}")
    guest.hwpt = vm.num(f"hwpt {iommufd} {guest.device} {guest.ioas}")
    vm.ok(f"attach {guest.cdev} {guest.hwpt}")
    vm.ok(f"map-file {iommufd} {guest.ioas} {guest.memory} {steps.SIZE} iova={steps.IOVA:#x}")
    steps.enable_master(vm, guest.cdev)
    vm.ok(f"bar {guest.bar} {guest.cdev} 0")
    return guest


def preserved_memory(lab, vm):
    """What KHO's own map of the running kernel preserves: (bytes, blocks)."""
    _ = vm.gdb  # the guest stands still
    image = vm.dump("now.elf")
    vm.resume()
    kho = show(lab, image, "--origin", "outgoing")["kho"]
    check(kho["preserved_known"], "KHO's map can't be read")
    return kho["preserved_bytes"], kho["preserved_blocks"]
