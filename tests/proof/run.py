#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Run proofs with CBMC.

usage: run.py NAME[:CASE]... | --all     prove; one case of a proof, or all
       run.py --trace NAME[:CASE] [PROPERTY]   show the way to the first property that fails, or to that one
       run.py --faults [NAME...]         each fault of faults.txt must be refuted by its proof
       run.py --list                     the names of all proofs

A proof holds when every property of it holds and everything that it says is reachable is reached.
exit: 0 all hold, 1 not, 2 wrong usage, 77 no CBMC here
"""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# A proof takes 3 minutes at most on an idle machine.
TIMEOUT = int(os.environ.get("PROOF_TIMEOUT", "900"))
MEMORY = int(os.environ.get("PROOF_MEMORY_MIB", "6144")) << 20
ALWAYS = ["--no-malloc-may-fail", "--pointer-overflow-check", "--unwinding-assertions", "--drop-unused-functions",
          "--object-bits", "10", "--verbosity", "6",
          # CBMC knows how to model the function, not the built-in one.
          "-D__builtin_memcpy=memcpy"]
RESULT = re.compile(r"^\[(\S+)\] (?:file \S+ )?line (\d+) (.*): (SUCCESS|FAILURE|UNKNOWN|ERROR)$")
REACHED = "reached: "


class Broken(Exception):
    """A proof that does not hold, or cannot be run."""


def names():
    """All proofs: the C files beside this one."""
    return sorted(name[:-2] for name in os.listdir(HERE) if name.endswith(".c"))


def settings(name):
    """What the comment of a proof says of how to run it."""
    path = os.path.join(HERE, name + ".c")
    if not os.path.exists(path):
        sys.exit(f"run.py: there is no proof {name}; there are {' '.join(names())}")
    found = {"Sources": [], "Unwind": [], "Flags": [], "Cases": []}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if "*/" in line:
                break
            match = re.match(r" \* (Sources|Unwind|Flags|Cases): (.*)$", line)
            if match:
                found[match[1]] += match[2].split()
    if not found["Sources"] or not found["Unwind"]:
        raise Broken("its comment does not say sources and unwinding")
    return path, found


def cbmc():
    """The command words that run CBMC."""
    result = subprocess.run([os.path.join(HERE, "cbmc.sh")], stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        sys.exit(result.returncode)
    if not shutil.which("gcc"):
        print("run.py: skipped: no gcc to preprocess with", file=sys.stderr)
        sys.exit(77)
    return result.stdout.split()


def cases(name):
    """The cases of a proof, each a list of definitions; one without a name where it has none."""
    return settings(name)[1]["Cases"] or [None]


def chosen(words):
    """(proof, case) of each case that these words of the command line name."""
    for word in words:
        name, _, case = word.partition(":")
        for each in [case] if case else cases(name):
            yield name, each


def command(name, case, tree):
    """The call of CBMC for a case of a proof; library and headers come from below @tree."""
    path, found = settings(name)
    unwind = [word for word in found["Unwind"] if ":" in word]
    words = cbmc() + ALWAYS + found["Flags"] + ["--unwind", found["Unwind"][0]]
    if unwind:
        words += ["--unwindset", ",".join(unwind)]
    if case:
        words += ["-D" + definition for definition in case.split(",")]
    words += ["-I", os.path.join(tree, "include"), "-I", os.path.join(tree, "libiommuser"), "-I", HERE, path]
    return words + [os.path.join(tree, "libiommuser", source) for source in found["Sources"]]


def limit():
    """In the child: bounded memory, and out of the way of others."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.nice(10)


def call(words):
    """Run CBMC. Its output, its processor time in seconds and memory in MiB; an error when it gives no answer."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          preexec_fn=limit) as process:
        timer = threading.Timer(TIMEOUT, process.kill)
        timer.start()
        try:
            output = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
    # 10: something was refuted, at least what is to be reached.
    if process.returncode not in (0, 10):
        raise Broken(f"CBMC ends with {process.returncode} (-9: killed after {TIMEOUT} s):\n" +
                     "\n".join(output.splitlines()[-15:]))
    return output, usage.ru_utime + usage.ru_stime, usage.ru_maxrss >> 10


def properties(output):
    """(name, text, status) of each property in CBMC's output, with the number it says there are."""
    found = [(match[1], f"line {match[2]}: {match[3]}", match[4])
             for match in map(RESULT.match, output.splitlines()) if match]
    total = re.search(r"^\*\* \d+ of (\d+) failed", output, re.M)
    if not total or int(total[1]) != len(found):
        raise Broken("CBMC's list of results is not understood")
    return found


def judge(found):
    """Broken properties and marks that were not reached."""
    marks = [entry for entry in found if REACHED in entry[1]]
    broken = [entry for entry in found if REACHED not in entry[1] and entry[2] != "SUCCESS"]
    missed = [entry for entry in marks if entry[2] != "FAILURE"]
    if not marks:
        raise Broken("it says nothing of what is reachable")
    return marks, broken, missed


def run(name, case):
    """Run one case of a proof; raise when it does not hold."""
    output, seconds, memory = call(command(name, case, ROOT))
    found = properties(output)
    marks, broken, missed = judge(found)
    lines = [f"{entry[2]} {entry[0]} {entry[1]}" for entry in broken]
    lines += [f"NOT REACHED {entry[0]} {entry[1]}" for entry in missed]
    if lines:
        raise Broken("\n".join(lines))
    print(f"{name}{' ' + case if case else ''}: {len(found) - len(marks)} properties hold, "
          f"{len(marks)} of {len(marks)} marks reached, {seconds:.0f} s, {memory} MiB", flush=True)


def prove(which):
    """Run proofs. Return: how many do not hold."""
    failed = 0
    for name, case in chosen(which):
        try:
            run(name, case)
        except Broken as broken:
            print(f"{name}{' ' + case if case else ''}: DOES NOT HOLD\n{broken}", flush=True)
            failed += 1
    return failed


def trace(name, wanted):
    """Print how CBMC gets to a property that fails, in a proof's first case if none is named."""
    name, case = next(chosen([name]))
    if not wanted:
        _, broken, _ = judge(properties(call(command(name, case, ROOT))[0]))
        if not broken:
            print(f"{name}: nothing fails")
            return
        wanted = broken[0][0]
    print(call(command(name, case, ROOT) + ["--trace", "--property", wanted])[0])


def faults():
    """(name, proof, source, sed expression) of each fault."""
    with open(os.path.join(HERE, "faults.txt"), encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    found = [tuple(part.strip() for part in line.split("|", 3)) for line in lines if line and line[0] != "#"]
    if not found or any(len(fault) != 4 for fault in found):
        sys.exit("run.py: faults.txt is not understood")
    return found


def make_faulty(tree, source, expression):
    """A copy of library and headers below @tree, with one fault in it."""
    for part in ("include", "libiommuser"):
        shutil.copytree(os.path.join(ROOT, part), os.path.join(tree, part))
    path = os.path.join(tree, source)
    with open(path, encoding="utf-8") as file:
        before = file.read()
    subprocess.run(["sed", "-i", "-E", "-e", expression, path], check=True)
    with open(path, encoding="utf-8") as file:
        if file.read() == before:
            raise Broken("the fault does not fit the source any more")


def inject(which):
    """Show that proofs notice faults. Return: how many go unnoticed."""
    unnoticed = 0
    picked = [fault for fault in faults() if not which or fault[0] in which or fault[1].split(":")[0] in which]
    if not picked:
        sys.exit("run.py: no such fault")
    for name, proof, source, expression in picked:
        with tempfile.TemporaryDirectory() as tree:
            try:
                make_faulty(tree, source, expression)
                broken = []
                for pair in chosen([proof]):
                    broken += judge(properties(call(command(*pair, tree))[0]))[1]
                    if broken:
                        break
                if not broken:
                    raise Broken("goes unnoticed")
                print(f"{name}: refuted by {proof}: {broken[0][0]} {broken[0][1]}", flush=True)
            except Broken as error:
                print(f"{name}: NOT REFUTED by {proof}: {error}", flush=True)
                unnoticed += 1
    return unnoticed


def main(words):
    """What is asked for on the command line."""
    # An exception ends CBMC as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if words == ["--list"]:
        print("\n".join(names()))
        return 0
    if words[:1] == ["--faults"]:
        return 1 if inject(words[1:]) else 0
    if words[:1] == ["--trace"] and len(words) in (2, 3):
        trace(words[1], words[2] if len(words) == 3 else None)
        return 0
    if words == ["--all"]:
        words = names()
    if not words or words[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    return 1 if prove(words) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
