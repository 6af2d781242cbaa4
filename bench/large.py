#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Measure the tool on a vmcore of 16 GiB, beside `cat` of it to /dev/null, and
beside crash reading the same pages of a dump. Prints tables for
docs/performance.md, and where the load of the machine makes them doubtful.

A round is cat, each command once, cat; a command's ratio is to the mean of
the cats before and after it. The file is in the page cache as far as there is
room. Nothing here is a test."""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "writer"))
sys.dont_write_bytecode = True

import read_image  # noqa: E402
from build import WriterError  # noqa: E402
from objects import number  # noqa: E402

MIB = 1 << 20
HEADER = "| %s | wall | processor | ratio of wall | ratio of processor | peak memory | read |"


class Run:
    """One run of a command: seconds, peak resident bytes, bytes that it read."""

    def __init__(self, command, quiet=True):
        with open(os.devnull, "r+b") as null, tempfile.TemporaryFile() as errors:
            start = time.monotonic()
            process = subprocess.Popen(command, stdin=null, stdout=null if quiet else None,
                                       stderr=errors)
            # A process that has ended and is not yet waited for still tells what it read.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            self.wall = time.monotonic() - start
            self.read = self._bytes_read(process.pid)
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                errors.seek(0)
                sys.exit("large.py: %s: exit %d: %s" % (" ".join(command), process.returncode,
                                                        errors.read(500).decode(errors="replace")))
        self.processor = usage.ru_utime + usage.ru_stime
        self.memory = usage.ru_maxrss * 1024

    @staticmethod
    def _bytes_read(pid):
        with open("/proc/%d/io" % pid, encoding="ascii") as file:
            return int(dict(line.split(": ") for line in file)["rchar"])


class Series:
    """The runs of one command."""

    def __init__(self, words, command):
        self.words, self.command = words, command
        self.runs, self.wall_ratios, self.ratios = [], [], []

    def compare(self, run, before, after):
        self.runs.append(run)
        self.wall_ratios.append(2 * run.wall / (before.wall + after.wall))
        self.ratios.append(2 * run.processor / (before.processor + after.processor))

    def median(self, name):
        return statistics.median(getattr(run, name) for run in self.runs)

    def row(self):
        ratios = ["%.3f" % statistics.median(ratios) if ratios else ""
                  for ratios in (self.wall_ratios, self.ratios)]
        return "| %s | %.0f ms | %.0f ms | %s | %s | %.0f MiB | %.1f MiB |" % (
            self.words, self.median("wall") * 1000, self.median("processor") * 1000, *ratios,
            self.median("memory") / MIB, self.median("read") / MIB)


def compare(title, reference, series, rounds):
    """Print how long each command takes beside the reference."""
    Run(reference.command)
    for one in series:
        Run(one.command)
    before = Run(reference.command)
    for _ in range(rounds):
        runs = [Run(one.command) for one in series]
        after = Run(reference.command)
        reference.runs.append(after)
        for one, run in zip(series, runs):
            one.compare(run, before, after)
        before = after
    print("\n" + HEADER % title)
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for one in (reference, *series):
        print(one.row(), flush=True)


def first_line(path):
    with open(path, encoding="ascii") as file:
        return file.readline().strip()


def measure_large(options, scattered):
    words = "scattered folios of 4 KiB" if scattered else "folios of 2 MiB"
    image, fdt, flb, portable = (os.path.join(options.work, name)
                                 for name in ("vmcore", "fdt", "flb", "out.ikho"))
    command = [sys.executable, os.path.join(HERE, "large-image.py"), image, "--fdt", fdt,
               "--flb", flb, "--mode", options.mode, "--ram", str(options.ram),
               "--map", str(options.map), "--devices", str(options.devices)]
    subprocess.run(command + (["--scattered"] if scattered else []), check=True)
    size = os.stat(image)
    print("\n%s: file of %d MiB, of which %d MiB are no holes" %
          (words, size.st_size // MIB, size.st_blocks * 512 // MIB))
    kho = ["--kho", first_line(fdt)]
    tool = options.tool
    series = [Series("`show`", [tool, "show", image]),
              Series("`show --kho`", [tool, "show", *kho, image]),
              Series("`show --flb`", [tool, "show", "--flb", first_line(flb), "--abi",
                                      "iommuser-v1", image]),
              Series("`verify`", [tool, "verify", image]),
              Series("`verify --kho`", [tool, "verify", *kho, image]),
              Series("`maps BDF --kho`", [tool, "maps", "00:00.0", *kho, image]),
              Series("`extract --kho`", [tool, "extract", *kho, "-o", portable, image]),
              Series("`show`, portable", [tool, "show", portable]),
              Series("`verify`, portable", [tool, "verify", portable])]
    # Portable images are made in the first round, before they are read.
    compare(words, Series("`cat`", ["cat", image]), series, options.rounds)
    print("\nportable image: %d MiB" % (os.path.getsize(portable) // MIB))
    for path in (image, portable):
        os.unlink(path)


def add_debug_information(vmlinux, work):
    """A copy of vmlinux that crash accepts: it insists on debug information, whatever it tells."""
    source, program, copy = (os.path.join(work, name) for name in ("any.c", "any", "vmlinux"))
    with open(source, "w", encoding="ascii") as file:
        file.write("struct task_struct { int pid; } any;\nint main(void) { return any.pid; }\n")
    subprocess.run(["gcc", "-gdwarf-4", "-static", "-o", program, source], check=True)
    command = ["objcopy"]
    for name in ("info", "abbrev", "line", "str"):
        path = os.path.join(work, "debug_" + name)
        subprocess.run(["objcopy", "-O", "binary", "--only-section=.debug_" + name,
                        "--set-section-flags", ".debug_%s=alloc" % name, program, path], check=True)
        command += ["--add-section", ".debug_%s=%s" % (name, path)]
    subprocess.run([*command, vmlinux, copy], check=True)
    return copy


def measure_crash(options):
    """The pages that the tool puts into a portable image, read by crash."""
    vmlinux, dump = options.crash
    portable = os.path.join(options.work, "lab.ikho")
    subprocess.run([options.tool, "extract", "-o", portable, dump], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(portable, "rb") as file:
        image = read_image.Portable(file.read())
    kho, pages = image.info["kho"], sorted(image.pages)
    scripts = []
    for name, lines in (("pages", ["rd -p 0x%x 512" % phys for phys in pages]), ("nothing", [])):
        scripts.append(os.path.join(options.work, name))
        with open(scripts[-1], "w", encoding="ascii") as file:
            file.write("\n".join([*lines, "quit"]) + "\n")
    with_debug = add_debug_information(vmlinux, options.work)
    crash = ["crash", "--minimal", "-s", "-i"]
    tool = options.tool
    found = subprocess.run([*crash, scripts[0], with_debug, dump], check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if found.stdout.count(b"\n") < 256 * len(pages):
        sys.exit("large.py: crash did not read all pages")
    print("\n%s: %d MiB, %d pages of the handover" %
          (os.path.basename(dump), os.path.getsize(dump) // MIB, len(pages)))
    compare("beside crash",
            Series("crash, `rd -p` of each page", [*crash, scripts[0], with_debug, dump]),
            [Series("crash, no command", [*crash, scripts[1], with_debug, dump]),
             Series("`cat`", ["cat", dump]),
             Series("`show`", [tool, "show", dump]),
             Series("`verify`", [tool, "verify", dump]),
             Series("`show --kho`", [tool, "show", "--kho", kho, dump]),
             Series("`verify --kho`", [tool, "verify", "--kho", kho, dump])], options.rounds)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", help="iommu-kho-dump, built with -O2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mode", choices=("legacy", "scalable"), default="scalable")
    parser.add_argument("--devices", type=number, default=4096)
    parser.add_argument("--map", type=number, default=number("64G"))
    parser.add_argument("--ram", type=number, default=number("16G"))
    parser.add_argument("--only", choices=("contiguous", "scattered", "crash"))
    parser.add_argument("--crash", nargs=2, metavar=("VMLINUX", "DUMP"),
                        help="also measure beside crash, on the lab's dump and its kernel")
    parser.add_argument("--directory", help="where the vmcore goes (half a GiB, with holes)")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    options.work = tempfile.mkdtemp(prefix="iommuser-bench-", dir=options.directory)
    try:
        print("%s, %d processors, load before %.1f" %
              (time.strftime("%F %R", time.gmtime()), os.cpu_count(), os.getloadavg()[0]))
        if options.only in (None, "contiguous"):
            measure_large(options, False)
        if options.only in (None, "scattered"):
            measure_large(options, True)
        if options.crash and options.only in (None, "crash"):
            measure_crash(options)
        print("\nload after %.1f" % os.getloadavg()[0])
    except (WriterError, OSError, subprocess.CalledProcessError) as error:
        sys.exit("large.py: %s" % error)
    finally:
        shutil.rmtree(options.work)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
