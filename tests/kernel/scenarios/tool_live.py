# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""iommu-kho-dump on the running host: the tool in the guest takes images, the host looks at them."""
import json
import os
import re
import subprocess

import preserving
import steps
from harness import check, equal, scenario
from no_live_update import start_with_crash_memory
from vm import EDU

TOOL = "/iommu-kho-dump"
KCORE = "/proc/kcore: memory, read while the host runs"
NEXT_FDT = "the KHO FDT for the next kernel is at 0x"
# Linux makes the first only in a kernel that was given no handover.
FDT_FROM = {False: "/sys/kernel/debug/kho/out/fdt: ", True: "/proc/kallsyms: "}
GIVEN_FDT = "this kernel was given the KHO FDT at 0x"


def tool_files(lab):
    """The tool and the shared libraries that it needs, as files of an initramfs."""
    done = subprocess.run(["ldd", lab.settings.tool], stdout=subprocess.PIPE, text=True, check=True)
    paths = {path: path for path in re.findall(r"(?:=> )?(/\S+) \(0x", done.stdout)}
    check(paths, f"ldd names no library: {done.stdout}")
    paths[TOOL] = lab.settings.tool
    files = {}
    for name, path in paths.items():
        with open(path, "rb") as file:
            files[name] = file.read()
    return files


class Host:
    """A guest with the tool in it."""

    def __init__(self, lab, vm):
        self.lab = lab
        self.vm = vm
        self.runs = 0

    def run(self, *words):
        """Run the tool: (exit status, what it printed)."""
        name = f"tool{self.runs}"
        self.runs += 1
        self.vm.ok(f"spawn {name} {TOOL} {' '.join(words)}")
        status = self.vm.ok(f"wait {name} timeout=120000", timeout=150)
        return status, self.vm.data(f"output {name}").decode()

    def good(self, *words):
        """A run that has to succeed; its JSON."""
        status, text = self.run(*words, "--json")
        equal(status, "0", f"exit status of {' '.join(words)} ({text[:2000]})")
        return json.loads(text)

    def capture(self, *words):
        """Take an image and fetch it: (its path on the host, what capture said)."""
        inside = f"/tmp/capture{self.runs}.ikho"
        said = self.good("capture", "-o", inside, *words)
        self.lab.note("used: " + "; ".join(said["used"]))
        self.lab.note("not to be had: " + "; ".join(said["not_available"]))
        outside = os.path.join(self.lab.directory, os.path.basename(inside))
        return preserving.pull(self.vm, inside, outside), said


def has(lines, text):
    """One of the lines has this text in it."""
    check(any(text in line for line in lines), f"none of {lines} says: {text}")


def address(lines, text):
    """The address that one of the lines has behind this text."""
    has(lines, text)
    line = [line for line in lines if text in line][0]
    return re.match(r"0x[0-9a-f]+", line[line.index(text) + len(text) - 2:]).group(0)


def sound(lab, image, origin):
    """verify on the host finds no error; returns what show says."""
    status, found = lab.codes(image)
    equal((status, found.get("error", set())), (0, set()), f"verify of {os.path.basename(image)}")
    shown = preserving.show(lab, image)
    equal(shown["source"]["origin"], origin, f"origin of {os.path.basename(image)}")
    return shown


@scenario("tool-captures-stream", needs=["glue", "tool"], modes=["legacy", "scalable"])
def captures_stream(lab):
    """With the glue, capture takes the kernel's own stream: before the jump the outgoing one, then
    the one that this kernel was given. Memory holds the same records."""
    vm = lab.start(programs=tool_files(lab))
    host = Host(lab, vm)
    guest = preserving.preserved_guest(vm)
    image, said = host.capture()
    has(said["used"], preserving.OUTGOING)
    has(said["not_available"], "KHO's memory map and LUO's sessions")
    shown = sound(lab, image, "outgoing")
    equal([device["bdf"] for device in shown["devices"]], [EDU], "devices in the stream")
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    inside = host.good("translate", EDU, hex(steps.IOVA + steps.COPY_TO), "live")
    equal(inside["phys"], hex(page), "where the device's DMA goes, asked on the host itself")

    # KHO is in memory alone, and so are its records, which LUO does not lead to before the jump.
    start = ("--flb", shown["root"], "--abi", "iommuser-v1")
    candidates = host.good("--list-roots", "live")["roots"]
    check(candidates, "no KHO FDT in /proc/kcore")
    image, said = host.capture("--kho", candidates[0]["fdt"], *start)
    has(said["used"], KCORE)
    memory = sound(lab, image, "outgoing")
    for kind in ("iommus", "domains", "devices"):
        equal(memory[kind], shown[kind], f"{kind} in memory, beside those in the stream")

    vm.kexec()
    vm.jump()
    image, said = host.capture()
    has(said["used"], preserving.INCOMING)
    has(said["not_available"], preserving.OUTGOING + ": nothing is preserved")
    shown = sound(lab, image, "incoming")
    # A file of debugfs, which does not say how large it is.
    equal(host.good("show", preserving.INCOMING)["devices"], shown["devices"], "the stream itself")
    equal([device["state"] for device in shown["devices"]], ["restored"], "states")
    equal(vm.faults(), [], "DMAR faults")


@scenario("tool-captures-memory", needs=["stock", "tool"], modes=["legacy"])
def captures_memory(lab):
    """A kernel without the glue: KHO out of /proc/kcore, before a live update and after it."""
    vm = lab.start(lab.stock, lab.stock, programs=tool_files(lab))
    host = Host(lab, vm)
    steps.make_memory(vm)
    session = steps.open_session(vm)
    vm.ok(f"preserve {session} {steps.MEMFD_TOKEN:#x} memory0")
    for jumped in (False, True):
        image, said = host.capture()
        has(said["not_available"], preserving.OUTGOING.rpartition("/")[0])
        has(said["used"], KCORE)
        next_fdt = address(said["used"], FDT_FROM[jumped] + NEXT_FDT)
        equal(sound(lab, image, "outgoing")["kho"]["fdt"], next_fdt, "the KHO FDT")
        status, text = host.run("verify", "live")
        equal(status, "0", f"verify of the running host ({text[:2000]})")
        if not jumped:
            vm.kexec()
            vm.jump()
    given = address(said["used"], GIVEN_FDT)
    shown = host.good("show", "--kho", given, "--post-boot", "live")
    equal(shown["kho"]["fdt"], given, "the KHO FDT that this kernel was given")
    for words in (("--kho", next_fdt), ()):
        shown = host.good("show", *words, "/proc/kcore")
        equal((shown["source"]["format"], shown["kho"]["fdt"]), ("ELF vmcore", next_fdt),
              f"/proc/kcore as a file ({' '.join(words)})")


@scenario("tool-reads-vmcore", needs=["glue", "tool", "MAGIC_SYSRQ=y"], modes=["legacy"])
def reads_vmcore(lab):
    """In a crash kernel, /proc/vmcore has the handover that the dead kernel was preparing."""
    vm = start_with_crash_memory(lab, memory="512M", programs=tool_files(lab))
    host = Host(lab, vm)
    preserving.preserved_guest(vm)
    root = host.good("show", "live")["root"]
    vm.kexec(options="crash=1")
    vm.crash()
    inside = "/tmp/vmcore.ikho"
    host.good("extract", "-o", inside, "--origin", "outgoing", "--flb", root, "--abi", "iommuser-v1",
              "/proc/vmcore")
    image = preserving.pull(vm, inside, os.path.join(lab.directory, "vmcore.ikho"))
    shown = sound(lab, image, "outgoing")
    equal([device["bdf"] for device in shown["devices"]], [EDU], "devices of the dead kernel")
    check(shown["kho"], "the image has no KHO")
    answer = preserving.translate(lab, image, steps.IOVA + steps.COPY_TO)
    check(answer["phys"], "the device's DMA goes nowhere")
