# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the tool makes of the memory of a kernel that has booted from a handover."""
import json

import preserving
import steps
from harness import check, equal, scenario
from vm import EDU


@scenario("dump-after-boot", needs=["glue", "tool"])
def dump_after_boot(lab):
    """A plain dump of the second kernel: shown and checked as what it is, and no errors.

    The memory map and LUO's state of the handover are gone by then; the IOMMU's records and tables
    are there, if one knows where.
    """
    vm = lab.start()
    guest = preserving.preserved_guest(vm)
    page = steps.page_of(vm, guest.memory, steps.COPY_TO)
    vm.kexec()
    vm.jump_stopped()
    root = preserving.show(lab, vm.dump("jump.elf"))["root"]
    vm.land()
    _ = vm.gdb
    image = vm.dump("after.elf")
    vm.resume()
    at_root = ("--flb", root, "--abi", "iommuser-v1", "--post-boot")
    for words in ((), at_root):
        _, text = preserving.run_tool(lab, "verify", "--json", *words, image)
        result = json.loads(text)
        equal([finding for finding in result["findings"] if finding["severity"] == "error"], [],
              f"errors in a kernel that has booted ({' '.join(words)})")
        equal(result["status"], "ok", f"verdict ({' '.join(words)})")
        status, text = preserving.run_tool(lab, "show", *words, image)
        equal(status, 0, f"exit status of show ({text[:2000]})")
        lab.note(f"show {' '.join(words)}: " + " ".join(text.split()))
        if words:
            check("post-boot" in text and EDU in text, "show names neither time nor device")
        else:
            check("this kernel was itself handed over to" in " ".join(text.split()),
                  "show does not say that this kernel has booted from a handover")
    answer = preserving.translate(lab, image, steps.IOVA + steps.COPY_TO, words=at_root)
    equal(answer["phys"], hex(page), "where the test IOVA leads")
    preserving.carried(vm, guest)


@scenario("scratch-at-the-jump", needs=["glue", "tool"])
def scratch_at_the_jump(lab):
    """The array of scratch regions is copied in the jump: checked when it's there, not before.

    With this much memory its place is not all zero at the jump.
    """
    vm = lab.start(memory="512M")
    preserving.preserved_guest(vm)
    vm.kexec()
    vm.jump_stopped()
    notes = {}
    for name in ("machine_kexec", "start_kernel"):
        if name == "start_kernel":
            vm.next_stop(name)
        status, text = preserving.run_tool(lab, "verify", "--json", vm.dump(name + ".elf"))
        result = json.loads(text)
        equal((status, result["findings"]), (0, []), f"verify at {name}()")
        notes[name] = " ".join(note for note in result["not_checked"] if "scratch" in note)
    equal(notes, {"machine_kexec": "scratch: its array is copied in the jump, and not there yet",
                  "start_kernel": ""}, "what is said of scratch")
