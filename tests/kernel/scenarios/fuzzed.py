# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Inputs of the fuzzers in the kernel: it makes of them what the library does outside of it."""
import hashlib
import os
import re
import subprocess

import steps
from harness import check, equal, scenario
from injection import MANY, check_leaks
from vm import ROOT, VmError

FUZZ = os.path.join(ROOT, "fuzz")
HERE = os.path.join(ROOT, "tests", "kernel", "fuzz")
GLUE = os.path.join(ROOT, "kernel-glue", "linux", "drivers", "iommu", "liveupdate")
LIBRARY = os.path.join(ROOT, "libiommuser")
# What the fuzzers have learned can be fed as well: LAB_FUZZ_CORPUS=build/fuzz/corpus
CORPUS = os.environ.get("LAB_FUZZ_CORPUS", os.path.join(FUZZ, "corpus"))
TARGETS = ("restore", "verify")
# Of each target, beside its regressions.
INPUTS = int(os.environ.get("LAB_FUZZ_INPUTS", "150"))
# What a sample must have at least, and how many of its inputs must be taken over by the core.
ENOUGH, TAKEN_OVER = 60, 10
BATCH = 10
# Steps that a handover's whole life takes, and allocations that this makes, at least.
STEPS_OF_A_LIFE, ALLOCATIONS = 9, 30
SAMPLE = "/fuzz-sample"
# A set has room for so many chunks of 128 MiB: the payload's, the window's, and some to spare.
MEMORY = "1536M"
SCRATCH = {"y": "128M,384M,64M", "n": "64M,32M,32M"}
EIO, EINVAL, EOPNOTSUPP, ENODEV, EBUSY, ENOENT = 5, 22, 95, 19, 16, 2
# iommu_liveupdate_errno(): of what the library's errors become, those that are not EIO.
ERRNO = {0: 0, -1: -EINVAL, -3: -EBUSY, -4: -ENOENT, -5: -ENODEV, -10: -12, -22: -EOPNOTSUPP,
         -23: -ENODEV}
# Taken over by the library, refused by the glue: what its own kernel would not have written.
STRICTER = (0, -EINVAL)


def compile_program(name, sources, directory):
    """Build a program of tests/kernel/fuzz with the library, sanitized."""
    out = os.path.join(directory, name)
    library = [os.path.join(LIBRARY, file) for file in sorted(os.listdir(LIBRARY))
               if file.endswith(".c")]
    subprocess.run([os.environ.get("CC", "gcc"), "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g",
                    "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
                    "-fno-sanitize-recover=all", "-I", os.path.join(ROOT, "include"), "-o", out,
                    os.path.join(HERE, f"{name}.c"), *sources, *library, "-lz"], check=True)
    return out


def has_small_pages(path):
    """Is it an input with pages of 4 KiB? The kernel has no others."""
    with open(path, "rb") as file:
        choice = file.read(1)
    return bool(choice) and choice[0] % 3 == 0


def inputs_of(target):
    """Every regression and some of the corpus, evenly by the hash of their names."""
    chosen = []
    for kind, most in ((os.path.join(FUZZ, "regressions"), None), (CORPUS, INPUTS)):
        directory = os.path.join(kind, target)
        names = os.listdir(directory) if os.path.isdir(directory) else []
        names.sort(key=lambda name: hashlib.sha256(name.encode()).digest())
        paths = [os.path.join(directory, name) for name in names]
        chosen += [path for path in paths if has_small_pages(path)][:most]
    return chosen


def make_sample(directory):
    """Convert them: (path of the sample, names in its order)."""
    convert = compile_program("convert", [os.path.join(FUZZ, name) for name in (
        "handover.c", "world.c", "hardware.c", "host.c", "memory.c")], directory)
    words = [f"{target}:{path}" for target in TARGETS for path in inputs_of(target)]
    path = os.path.join(directory, "sample")
    done = subprocess.run([convert, path, *words], stdout=subprocess.PIPE, text=True, check=True)
    names = done.stdout.splitlines()
    equal(len(names), len(words), "inputs that were converted")
    check(len(names) >= ENOUGH, f"only {len(names)} inputs")
    return path, ["/".join(name.split("/")[-3:]) for name in names]


def feed(vm, names):
    """Have the kernel restore from each input; returns its lines by input."""
    texts = []
    while len(texts) < len(names):
        answer = vm.ok(f"fuzz {SAMPLE} {len(texts)} {BATCH}", timeout=300).strip()
        found = [text.rstrip(";").split(";") for text in answer.split("|")[:-1]]
        check(found, f"nothing came of {names[len(texts)]}")
        texts += found
    equal(len(texts), len(names), "inputs that the kernel took")
    return texts


def fields(line):
    """The KEY=VALUE words of a line."""
    return dict(re.findall(r"(\w+)=(\"[^\"]*\"|\S+)", line))


def expected(directory, sample, texts):
    """What the library makes of the same inputs at the same addresses, outside of the kernel."""
    expect = compile_program("expect", [os.path.join(GLUE, "fuzz-drive.c")], directory)
    asked = ""
    for index, lines in enumerate(texts):
        first, last = fields(lines[0]), fields(lines[-1])
        asked += f"{index} {first['base']} {first['chunks']} {last['base']}\n"
    done = subprocess.run([expect, sample], input=asked, stdout=subprocess.PIPE, text=True,
                          check=True)
    lines = done.stdout.splitlines()
    each = len(lines) // max(len(texts), 1)
    return [lines[i:i + each] for i in range(0, len(lines), each)]


def compare_core(name, line, prediction):
    """The core does with a handover what the library says of it."""
    found, wanted = fields(line), fields(prediction)
    error, valid = int(found["error"]), int(wanted["valid"])
    equal(found["broken"], "0", f"{name}: line of fuzz.c with what went wrong")
    if valid:
        equal(error, ERRNO.get(valid, -EIO), f"{name}: error of the core")
        equal((found["first"], found["errors"]), (wanted["first"], wanted["errors"]),
              f"{name}: findings of the core")
        return
    claims = ERRNO.get(int(wanted["claims"]), -EIO)
    check(error in ((claims, -EINVAL) if claims else STRICTER),
          f"{name}: the core says {error}, the library {wanted['claims']}: {line}")
    if not error:
        equal((found["finish"], found["stream"]), ("0", "0"), f"{name}: finishing, and the stream")


def compare(names, texts, wanted):
    """Fail on the first input that comes to something else in the kernel."""
    equal(len(wanted), len(texts), "inputs that the library took")
    for name, lines, model in zip(names, texts, wanted):
        equal(fields(lines[0])["broken"], "0", f"{name}: line of fuzz.c with what went wrong")
        equal(fields(lines[-2])["broken"], "0", f"{name}: line of fuzz-drive.c with what is broken")
        equal(lines[1:-1], model[:-1], f"{name}: what the kernel makes of it")
        compare_core(name, lines[-1], model[-1])


def next_kernel(lab, sample):
    """A kernel that KHO has booted, which was handed nothing."""
    with open(sample, "rb") as file:
        programs = {SAMPLE: file.read()}
    vm = lab.start(memory=MEMORY, scratch=SCRATCH["y" if lab.kernel.option("CONFIG_KASAN") == "y"
                                                  else "n"], programs=programs)
    vm.err("EOPNOTSUPP", f"fuzz {SAMPLE} 0 1")
    vm.kexec()
    vm.jump()
    return vm


def table_pages(vm):
    """Pages of page tables, as the kernel counts them."""
    vm.write("/proc/sys/vm/stat_refresh", "1")
    return int(re.search(r"^nr_iommu_pages (\d+)$", vm.read("/proc/vmstat"), re.MULTILINE).group(1))


def no_leaks(vm):
    """kmemleak finds nothing, if the kernel has it."""
    if vm.kernel.option("CONFIG_DEBUG_KMEMLEAK") == "y":
        check_leaks(vm)


@scenario("fuzzed", modes=["legacy"], needs=["glue", "IOMMU_LIVEUPDATE_FUZZ=y"])
def fuzzed(lab):
    """A sample of the corpora: the kernel and the library agree, and the kernel survives."""
    directory = os.path.join(lab.directory, "sample")
    os.makedirs(directory)
    sample, names = make_sample(directory)
    vm = next_kernel(lab, sample)
    pages = table_pages(vm)
    texts = feed(vm, names)
    equal(table_pages(vm), pages, "pages of page tables afterwards")
    wanted = expected(directory, sample, texts)
    compare(names, texts, wanted)
    taken = sum(fields(lines[-1])["error"] == "0" for lines in texts)
    valid = sum(fields(model[-1])["valid"] == "0" for model in wanted)
    lab.note(f"{len(names)} inputs, {valid} pass validation, {taken} are taken over by the core")
    check(taken >= TAKEN_OVER, f"only {taken} handovers were taken over")
    no_leaks(vm)


def taken_over(vm, names):
    """Positions of two inputs that the core takes over: handed over the one, abandoned the other."""
    found = {}
    for index in range(len(names)):
        lines = vm.ok(f"fuzz {SAMPLE} {index} 1", timeout=300).strip(" ;|").split(";")
        core = fields(lines[-1])
        if core["error"] == "0" and int(fields(lines[-2])["done"]) >= STEPS_OF_A_LIFE:
            found.setdefault(core["abandoned"], index)
        if len(found) == 2:
            break
    equal(sorted(found), ["0", "1"], "what the core does with handovers")
    return found.values()


def starve(vm, index):
    """Restore from an input with its first allocation failing, its second...: how many there are."""
    for number in range(1, MANY):
        vm.send(f"fuzz {SAMPLE} {index} 1 failnth={number}")
        status, text = vm.answer(timeout=300)
        left = re.search(r" ?failnth=(\d+)$", text)
        check(left, f"no fault injection ({text})")
        if status == "err":
            check(text.startswith("ENOMEM "), f"allocation {number} fails: {text}")
        for line in text.split(";"):
            check(fields(line).get("broken", "0") == "0", f"allocation {number} fails: {line}")
        if left.group(1) != "0":
            equal(status, "ok", "answer without a failure")
            return number - 1
    raise VmError(f"input {index} makes {MANY} allocations")


@scenario("fuzzed-without-memory", modes=["legacy"],
          needs=["glue", "debug", "IOMMU_LIVEUPDATE_FUZZ=y"])
def without_memory(lab):
    """Each allocation fails while sound handovers are restored: nothing is lost, all is given back."""
    directory = os.path.join(lab.directory, "sample")
    os.makedirs(directory)
    sample, names = make_sample(directory)
    vm = next_kernel(lab, sample)
    chosen = taken_over(vm, names)
    steps.enable_failures(vm)
    pages = table_pages(vm)
    for index in chosen:
        count = starve(vm, index)
        lab.note(f"{names[index]}: {count} allocations")
        check(count >= ALLOCATIONS, f"only {count} allocations")
    equal(table_pages(vm), pages, "pages of page tables afterwards")
    no_leaks(vm)


@scenario("fuzz-file-refuses", modes=["legacy"], needs=["glue", "IOMMU_LIVEUPDATE_FUZZ=y"])
def refuses(lab):
    """The debugfs file takes whole inputs only."""
    vm = lab.start(lab.kernel, lab.kernel)
    vm.kexec()
    vm.jump()
    path = "/sys/kernel/debug/iommu/liveupdate/fuzz"
    header = "46555a5a" "30000000"
    for text in ("00", header, header + "00" * 40, "46555a5a" "31000000" + "00" * 41,
                 "46555a5a" "28000000" + "00" * 8 + "ffffffff" * 4 + "00" * 8):
        vm.err("EINVAL", f"write-hex {path} {text}")
    if vm.read(path):
        raise VmError("there is a text, although nothing was taken")
