# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a scenario is made of: its registration, its laboratory, and the checks it makes."""
import functools
import json
import os
import re
import subprocess

from vm import MODES, VM, VmError

SCENARIOS = []
# What a kernel prints when it has found a mistake of its own.
SPLAT = re.compile(r"^.*(?:\bWARNING: |\bBUG: |KASAN: |UBSAN: |kmemleak: [1-9][0-9]* new suspected|"
                   r"INFO: possible |INFO: task .* blocked|suspicious RCU usage|refcount_t: |"
                   r"list_(?:add|del) corruption|DEBUG_LOCKS_WARN_ON|ODEBUG: |Oops: |"
                   r"bad page state|Bad page map|general protection fault|kernel BUG at ).*",
                   re.MULTILINE | re.IGNORECASE)
# What lockdep says after its first line.
LOCK_CHAIN = re.compile(r"^Chain exists of:\s*\n(.*)$", re.MULTILINE)


class Skip(Exception):
    """The scenario can't run here, and why."""


class Scenario:
    """A function with the modes and kernels it is for."""

    def __init__(self, function, name, modes, needs, splats):
        self.function = function
        self.splats = [re.compile(pattern) for pattern in splats]
        self.name = name
        self.modes = tuple(modes)
        self.needs = tuple(needs)


def scenario(name, *, modes=MODES, needs=("glue",), splats=()):
    """Register a scenario.

    modes: VT-d modes it applies to.
    needs: what has to be there: "glue" (--kernel), "stock" (--stock), "next" (--next), "debug"
    (--kernel is a debug build), "tool" (iommu-kho-dump), "NAME=y" (that option in the kernel the
    scenario boots: --kernel if "glue" is needed, else --stock).
    splats: patterns of warnings that it provokes; any other on a console makes it fail.
    """
    unknown = [mode for mode in modes if mode not in MODES]
    if unknown or not modes:
        raise ValueError(f"{name}: modes {modes}")

    def register(function):
        SCENARIOS.append(Scenario(function, name, modes, needs, splats))
        return function
    return register


def check(condition, message):
    """Fail the scenario unless the condition holds."""
    if not condition:
        raise VmError(message)


def equal(found, expected, what):
    """Fail the scenario unless both are equal."""
    check(found == expected, f"{what}: {found!r} instead of {expected!r}")


def at_least_1g(memory):
    """A machine's memory as QEMU writes it, "512M" or "2G"; no less than 1 GiB."""
    units = {"M": 1, "G": 1024}
    return memory if int(memory[:-1]) * units[memory[-1]] >= 1024 else "1G"


class Lab:
    """Where one run of one scenario happens."""

    def __init__(self, settings, mode, directory):
        self.settings = settings
        self.mode = mode
        self.directory = directory
        self.machines = []
        self.notes = []

    def close(self):
        """End everything the scenario started."""
        for machine in self.machines:
            machine.stop()

    def check_consoles(self, expected):
        """Fail if a kernel found a mistake of its own, other than the expected ones."""
        for machine in self.machines:
            console = machine.console()
            for match in SPLAT.finditer(console):
                line = match.group(0).strip()
                if "circular locking" in line:
                    chain = LOCK_CHAIN.search(console, match.end())
                    line += f": {chain.group(1).strip()}" if chain else ""
                if not any(pattern.search(line) for pattern in expected):
                    raise VmError(f"{machine.name}: {line}")

    def require(self, needs):
        """Skip the scenario unless everything it needs is there."""
        glued = "glue" in needs
        base = self.settings.kernel if glued else self.settings.stock
        for need in needs:
            if need in ("glue", "debug") and not self.settings.kernel:
                raise Skip("no kernel with the glue (--kernel)")
            if need == "stock" and not self.settings.stock:
                raise Skip("no stock kernel (--stock)")
            if need == "next" and not self.settings.next:
                raise Skip("no other kernel to jump into (--next)")
            if need == "tool" and not self.settings.tool:
                raise Skip("no iommu-kho-dump (--tool)")
            if need == "debug" and self.settings.kernel.option("CONFIG_KASAN") != "y":
                raise Skip("--kernel is not a debug build")
            name, _, value = need.partition("=")
            if value and base and base.option("CONFIG_" + name) != value:
                raise Skip(f"the kernel lacks CONFIG_{name}={value}")
        if self.mode == "first-stage" and not self.settings.qemu10:
            raise Skip("no QEMU with first-stage translation (--qemu10)")

    @property
    def kernel(self):
        """The kernel with the glue."""
        return self.settings.kernel

    @property
    def stock(self):
        """The kernel without the glue."""
        return self.settings.stock

    @property
    def next(self):
        """Another kernel to jump into."""
        return self.settings.next

    def start(self, *kernels, boot=True, **options):
        """Start a machine; without kernels, the glued one (or the stock one) and one jump."""
        if not kernels:
            base = self.kernel or self.stock
            kernels = (base, base)
        if any(kernel.option("CONFIG_KASAN") == "y" for kernel in kernels):
            # KASAN's shadow memory comes out of KHO's scratch areas.
            options["memory"] = at_least_1g(options.get("memory", "1G"))
            options.setdefault("scratch", "128M,256M,64M")
        qemu = self.settings.qemu10 if self.mode == "first-stage" else ("qemu-system-x86_64",)
        name = f"vm{len(self.machines)}"
        machine = VM(os.path.join(self.directory, name), self.settings.agent, kernels, self.mode,
                     qemu=options.pop("qemu", qemu), name=name, **options)
        self.machines.append(machine)
        return machine.boot() if boot else machine

    def note(self, text):
        """Something worth showing beside the result."""
        self.notes.append(text)

    def tool(self, *arguments):
        """Run iommu-kho-dump: (exit status, its JSON or None, its messages)."""
        done = subprocess.run([self.settings.tool, *arguments, "--json"], capture_output=True,
                              text=True, timeout=300, check=False)
        try:
            parsed = json.loads(done.stdout)
        except ValueError:
            parsed = None
        return done.returncode, parsed, done.stderr

    def codes(self, image):
        """Exit status of verify and the codes it found, by severity."""
        status, report, messages = self.tool("verify", image)
        if report is None:
            raise VmError(f"verify printed no JSON: {messages}")
        found = {}
        for finding in report["findings"]:
            found.setdefault(finding["severity"], set()).add(finding["code"])
        return status, found


@functools.lru_cache(maxsize=None)
def tool_path(root):
    """iommu-kho-dump of the usual build directories, or None."""
    for build in ("build/dev", "build/release", "build"):
        path = os.path.join(root, build, "iommu-kho-dump")
        if os.access(path, os.X_OK):
            return path
    return None
