#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Run the kernel scenarios and report in TAP.

usage: run.py [--kernel DIR] [--stock DIR] [--next DIR] [--mode MODE]... [--only PATTERN]...
Exit: 0 all passed (some may have been skipped), 1 one failed or none was selected, 77 all skipped,
2 wrong usage.
"""
import argparse
import concurrent.futures
import fnmatch
import glob
import importlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from harness import SCENARIOS, Lab, Skip, tool_path
from vm import MODES, Kernel, VmError, compile_agent

CONSOLE_LINES = 40


class Result:
    """How one run ended."""

    def __init__(self, name):
        self.name = name
        self.status = None
        self.text = ""
        self.details = []
        self.seconds = 0.0


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Run the kernel scenarios, report in TAP.")
    parser.add_argument("--kernel", metavar="DIR", help="build directory of the glued kernel")
    parser.add_argument("--stock", metavar="DIR", help="build directory of a kernel without glue")
    parser.add_argument("--next", metavar="DIR", help="build directory of a kernel to jump into")
    parser.add_argument("--mode", action="append", choices=MODES, help="only this mode")
    parser.add_argument("--only", action="append", metavar="PATTERN",
                        help="only names that match (shell pattern, on NAME or MODE/NAME)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="machines at once")
    parser.add_argument("--keep", metavar="DIR", help="keep logs and images here")
    parser.add_argument("--tool", metavar="FILE", help="iommu-kho-dump to check images with")
    parser.add_argument("--qemu10", metavar="WORDS", help="command of a QEMU with first stage; "
                        "by default what qemu10.sh says, \"none\" for none")
    parser.add_argument("--list", action="store_true", help="only print the names")
    return parser.parse_args()


def discover():
    """Import every scenario file."""
    sys.path.insert(0, os.path.join(HERE, "scenarios"))
    for path in sorted(glob.glob(os.path.join(HERE, "scenarios", "*.py"))):
        importlib.import_module(os.path.basename(path)[:-3])


def select(arguments):
    """(mode, scenario) pairs to run, in order."""
    chosen = []
    for mode in arguments.mode or MODES:
        for item in SCENARIOS:
            if mode not in item.modes:
                continue
            names = (item.name, f"{mode}/{item.name}")
            if arguments.only and not any(fnmatch.fnmatchcase(name, pattern) for name in names
                                          for pattern in arguments.only):
                continue
            chosen.append((mode, item))
    return chosen


def find_qemu10(words):
    """Command of a QEMU that knows first-stage translation, or None."""
    if words == "none":
        return None
    if words:
        return shlex.split(words)
    done = subprocess.run([os.path.join(HERE, "qemu10.sh")], stdout=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode not in (0, 77):
        raise VmError("qemu10.sh failed")
    return shlex.split(done.stdout) if done.returncode == 0 else None


def prepare(arguments, directory, modes):
    """Turn names of directories into kernels, build the agent."""
    settings = argparse.Namespace()
    settings.kernel = Kernel(arguments.kernel) if arguments.kernel else None
    settings.stock = Kernel(arguments.stock) if arguments.stock else None
    settings.next = Kernel(arguments.next) if arguments.next else None
    settings.tool = arguments.tool or tool_path(ROOT)
    settings.qemu10 = find_qemu10(arguments.qemu10) if "first-stage" in modes else None
    base = settings.kernel or settings.stock
    if base is None:
        raise VmError("name a kernel with --kernel or --stock")
    settings.agent = compile_agent(base.headers, os.path.join(directory, "agent"))
    return settings


def describe_failure(lab, result):
    """The transcript of each machine and the end of its console."""
    for machine in lab.machines:
        result.details.append(f"transcript of {machine.name}:")
        result.details += [line[:300] for line in machine.transcript]
        result.details.append(f"console of {machine.name}, last {CONSOLE_LINES} lines:")
        result.details += machine.console().splitlines()[-CONSOLE_LINES:]


def run_one(settings, mode, item, directory):
    """Run one scenario in one mode."""
    result = Result(f"{mode}/{item.name}")
    lab = Lab(settings, mode, os.path.join(directory, result.name))
    started = time.monotonic()
    try:
        lab.require(item.needs)
        item.function(lab)
        lab.check_consoles(item.splats)
        result.status = "ok"
    except Skip as skip:
        result.status = "skip"
        result.text = str(skip)
    except Exception as error:  # pylint: disable=broad-except
        result.status = "not ok"
        frames = traceback.extract_tb(error.__traceback__)
        result.details.append(f"{type(error).__name__}: {error}")
        result.details += [f"  at {os.path.basename(frame.filename)}:{frame.lineno}: {frame.line}"
                           for frame in frames[1:]]
    finally:
        lab.close()
    if result.status == "not ok":
        describe_failure(lab, result)
    result.details = lab.notes + result.details
    result.seconds = time.monotonic() - started
    return result


def print_result(number, result):
    """One TAP line and its comments."""
    if result.status == "skip":
        print(f"ok {number} {result.name} # SKIP {result.text}")
    else:
        print(f"{result.status} {number} {result.name} # {result.seconds:.1f} s")
    for line in result.details:
        print(f"# {line}")
    sys.stdout.flush()


def run_all(arguments, chosen, directory):
    """Run everything chosen; returns the results."""
    settings = prepare(arguments, directory, {mode for mode, _ in chosen})
    results = []
    lock = threading.Lock()

    def run(pair):
        mode, item = pair
        result = run_one(settings, mode, item, directory)
        with lock:
            results.append(result)
            print_result(len(results), result)
        if not arguments.keep:
            shutil.rmtree(os.path.join(directory, result.name), ignore_errors=True)

    print("TAP version 13")
    print(f"1..{len(chosen)}")
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, arguments.jobs)) as pool:
        for done in [pool.submit(run, pair) for pair in chosen]:
            done.result()
    return results


def main():
    """Run."""
    arguments = parse_arguments()
    discover()
    chosen = select(arguments)
    if arguments.list:
        for mode, item in chosen:
            print(f"{mode}/{item.name} {','.join(item.needs)}")
        return 0
    if not chosen:
        print("run.py: no scenario was selected", file=sys.stderr)
        return 1
    directory = arguments.keep or tempfile.mkdtemp(prefix="iommuser-kernel-")
    os.makedirs(directory, exist_ok=True)
    try:
        results = run_all(arguments, chosen, directory)
    finally:
        if not arguments.keep:
            shutil.rmtree(directory, ignore_errors=True)
    failed = sum(result.status == "not ok" for result in results)
    skipped = sum(result.status == "skip" for result in results)
    print(f"# {len(results) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    if failed or len(results) != len(chosen):
        return 1
    return 77 if skipped == len(results) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (VmError, subprocess.CalledProcessError) as failure:
        print(f"run.py: {failure}", file=sys.stderr)
        sys.exit(1)
