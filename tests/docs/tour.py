#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Documents show what the tool prints: run each command in them again, and compare.

A command is a line "$ ..." in a block that is indented by four blanks or fenced as console; what follows it, up to the
next command or the block's end, is its output, stderr included. "..." alone in a line stands for any lines.

usage: tour.py [--rewrite] [FILE...]    with IOMMU_KHO_DUMP naming the tool; FILE: README.md and docs/tool-tour.md
exit: 0 as shown (or rewritten), 1 not, 2 wrong usage
"""

import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.environ.get("IOMMU_KHO_DUMP", "")
DOCUMENTS = ["README.md", "docs/tool-tour.md"]
# What no test can show: it depends on the machine.
NOT_SHOWN = {"capture"}
# Commands of other programs that may stand in a block.
PROGRAMS = ("iommu-kho-dump", "tests/writer/write_image.py", "python3 tests/cli/tiny_kernel.py", "echo", "head",
            "sort", "grep", "cut", "wc", "ls")


class Shell:
    """A directory with the tool and the tests in it, and the exit status of the last command."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="iommuser-tour-")
        os.symlink(os.path.join(ROOT, "tests"), os.path.join(self.dir, "tests"))
        os.mkdir(os.path.join(self.dir, "bin"))
        os.symlink(TOOL, os.path.join(self.dir, "bin", "iommu-kho-dump"))
        self.environment = dict(os.environ, PATH=os.path.join(self.dir, "bin") + ":" + os.environ["PATH"],
                                LC_ALL="C.UTF-8", PYTHONDONTWRITEBYTECODE="1")
        self.environment.pop("NO_COLOR", None)
        self.status = 0

    def run(self, command):
        done = subprocess.run(["bash", "-c", "(exit %d); %s" % (self.status, command)], cwd=self.dir,
                              env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120, check=False)
        self.status = done.returncode
        return done.stdout.decode().splitlines()

    def close(self):
        shutil.rmtree(self.dir)



def blocks(lines):
    """(first line, end, indent) of each block that begins with a command."""
    at = 0
    while at < len(lines):
        if lines[at] == "```console":
            end = lines.index("```", at)
            yield at + 1, end, ""
            at = end + 1
        elif lines[at].startswith("    $ ") and (not at or not lines[at - 1]):
            end = at
            while end < len(lines) and (not lines[end] or lines[end].startswith("    ")):
                end += 1
            while not lines[end - 1]:
                end -= 1
            yield at, end, "    "
            at = end
        else:
            at += 1


def as_shown(shown, found):
    """What is to be shown of what was found: shortened where it was before."""
    if "..." not in shown:
        return found
    cut = shown.index("...")
    head, tail = shown[:cut], shown[cut + 1:]
    if len(head) + len(tail) > len(found):
        return found
    return found[:len(head)] + ["..."] + (found[-len(tail):] if tail else [])


def commands_of(block):
    """(the command's lines, what it showed) of each command of a block."""
    at = 0
    while at < len(block):
        end = at + 1
        while block[end - 1].endswith("\\"):
            end += 1
        stop = end
        while stop < len(block) and not block[stop].startswith("$ "):
            stop += 1
        yield block[at:end], block[end:stop]
        at = stop


def rerun_block(shell, block, tally):
    result = []
    for command, shown in commands_of(block):
        text = "\n".join(command)[2:]
        if not text.startswith(PROGRAMS):
            sys.exit("not a command for this test: " + text)
        tally["commands"] += 1
        tally["words"].update(re.findall(r"[\w-]+", text))
        blank = bool(shown) and not shown[-1]
        if blank:
            shown = shown[:-1]
        result += command + as_shown(shown, shell.run(text)) + ([""] if blank else [])
    return result


def rerun(path, tally):
    """The document as it should be."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    result = []
    done = 0
    shell = Shell()
    for start, end, indent in blocks(lines):
        block = [line[len(indent):] for line in lines[start:end]]
        result += lines[done:start]
        result += [indent + line if line else line for line in rerun_block(shell, block, tally)]
        done = end
    shell.close()
    return "\n".join(lines), "\n".join(result + lines[done:])


def missing_commands(tally):
    done = subprocess.run([TOOL, "--help"], stdout=subprocess.PIPE, timeout=60, check=True).stdout.decode()
    section = done.split("\nCommands", 1)[1].split("\n\n", 1)[0]
    commands = set(re.findall(r"^  ([a-z-]+) ", section, re.M))
    if len(commands) < 5:
        sys.exit("--help lists %d commands" % len(commands))
    return commands - tally["words"] - NOT_SHOWN


def main():
    rewrite = sys.argv[1:2] == ["--rewrite"]
    documents = sys.argv[2:] if rewrite else sys.argv[1:]
    if any(name.startswith("-") for name in documents) or not os.access(TOOL, os.X_OK):
        print(__doc__, file=sys.stderr)
        return 2
    tally = {"commands": 0, "words": set()}
    status = 0
    for name in documents or DOCUMENTS:
        path = os.path.join(ROOT, name)
        before, after = rerun(path, tally)
        if before != after and rewrite:
            with open(path, "w", encoding="utf-8") as file:
                file.write(after)
        elif before != after:
            sys.stdout.writelines(difflib.unified_diff(before.splitlines(True), after.splitlines(True), name,
                                                       "as it should be", n=2))
            print("%s is stale: tests/docs/tour.py --rewrite %s" % (name, name))
            status = 1
    if not documents:
        missing = missing_commands(tally)
        if missing:
            print("no document shows:", ", ".join(sorted(missing)))
            status = 1
        if tally["commands"] < 15:
            print("only %d commands found" % tally["commands"])
            status = 1
    print("%d commands" % tally["commands"])
    return status


if __name__ == "__main__":
    sys.exit(main())
