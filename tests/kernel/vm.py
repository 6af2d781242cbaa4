# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A virtual machine with a VT-d unit whose init is our agent, driven from the host."""
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from gdbstub import Gdb
from qmp import Qmp, QmpError, connect

MODES = ("legacy", "scalable", "first-stage")
UNITS = {
    "legacy": "intel-iommu,intremap=on,caching-mode=on,aw-bits=39",
    "scalable": "intel-iommu,intremap=on,caching-mode=on,aw-bits=48,x-scalable-mode=on",
    "first-stage": "intel-iommu,intremap=on,caching-mode=on,aw-bits=48,x-scalable-mode=on,"
                   "x-flts=on",
}
# no_timer_check: on a busy host an emulated processor is too slow for the kernel's timer test.
CMDLINE = ("console=ttyS0 kho=on liveupdate=on kho_scratch={scratch} intel_iommu=on "
           "panic=-1 no_timer_check kunit.enable=0")
EDU = "0000:00:04.0"
RNG = "0000:00:05.0"
PANIC = re.compile(r"Kernel panic - not syncing: .*")
FAULT = re.compile(r"DMAR: \[(DMA|INTR).*")
SLOWER = float(os.environ.get("LAB_TIME_FACTOR", "1"))
HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
GLUE_HEADERS = os.path.join(ROOT, "kernel-glue/linux/include/uapi")
# Goes into the root of every initramfs.
EXAMPLE = "live-update-vmm"


class VmError(Exception):
    """The machine did not do what the scenario needs."""


class Refused(VmError):
    """The agent answered "err"."""

    def __init__(self, command, name, text):
        super().__init__(f"{command}: {name} {text}".rstrip())
        self.name = name


class Gone(VmError):
    """The guest panicked, was reset or switched off, or QEMU ended."""


class Kernel:
    """A kernel build directory."""

    def __init__(self, path):
        self.path = os.path.realpath(path)
        self.image = os.path.join(self.path, "arch/x86/boot/bzImage")
        self.headers = os.path.join(self.path, "headers/include")
        self._symbols = None
        if not os.path.exists(self.image):
            raise VmError(f"no kernel in {path}")

    def symbol(self, name):
        """Virtual address of a symbol."""
        if self._symbols is None:
            with open(os.path.join(self.path, "System.map"), encoding="ascii") as file:
                self._symbols = {line.split()[2]: int(line.split()[0], 16) for line in file}
        return self._symbols[name]

    def option(self, name):
        """Value of a CONFIG_ option, "n" when it isn't set."""
        with open(os.path.join(self.path, ".config"), encoding="utf-8") as file:
            for line in file:
                if line.startswith(name + "="):
                    return line.strip().split("=", 1)[1]
        return "n"

    def version(self):
        """Its version, (7, 3)."""
        with open(os.path.join(self.path, "include", "config", "kernel.release"),
                  encoding="utf-8") as file:
            return tuple(int(part) for part in file.read().split(".")[:2])


def compile_program(headers, sources, out):
    """Build a static program with a kernel's headers, and the glue's for kernels without it."""
    subprocess.run([os.environ.get("CC", "gcc"), "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall",
                    "-Wextra", "-Werror", "-static", "-isystem", GLUE_HEADERS, "-isystem", headers,
                    "-o", out] + sources, check=True)


def compile_agent(headers, out):
    """Build the agent, and beside it the example of a virtual machine monitor."""
    sources = sorted(os.path.join(HERE, name) for name in os.listdir(HERE)
                     if name.startswith("agent-") and name.endswith(".c"))
    compile_program(headers, sources, out)
    compile_program(headers, [os.path.join(ROOT, "examples", EXAMPLE + ".c")], f"{out}-{EXAMPLE}")
    return out


def pack(files):
    """An initramfs: {path: bytes} as a cpio archive, uncompressed, which boots faster."""
    out = bytearray()
    names = set()
    for path in files:
        parts = path.strip("/").split("/")
        names.update("/".join(parts[:count]) for count in range(1, len(parts)))
    entries = [(name, 0o40755, b"") for name in sorted(names)]
    entries += [(path.strip("/"), 0o100755, data) for path, data in sorted(files.items())]
    for inode, (name, mode, data) in enumerate(entries + [("TRAILER!!!", 0, b"")], 1):
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields)
        out += name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4)
        out += data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def nested_initrd(agent, kernels, files, programs):
    """The initramfs of the first of some kernels: it holds the next kernel and its initramfs."""
    programs = dict(programs)
    with open(agent, "rb") as file:
        programs["/init"] = file.read()
    with open(f"{agent}-{EXAMPLE}", "rb") as file:
        programs["/" + EXAMPLE] = file.read()
    initrd = None
    for index in reversed(range(len(kernels))):
        contents = dict(programs)
        if initrd is not None:
            with open(kernels[index + 1].image, "rb") as file:
                contents["/kernel"] = file.read()
            contents["/initrd"] = initrd
        if index == 0:
            contents.update(files)
        initrd = pack(contents)
    return initrd


class VM:
    """One virtual machine.

    kernels: the kernel it boots and those it can jump into, in order.
    devices: further QEMU arguments, as words.
    rng: a virtio-rng device; as a text, with these properties.
    files: further files of the first kernel's initramfs, {path: bytes}.
    programs: the same for the initramfs of every kernel.
    scratch: KHO's areas, which the next kernel's image and first allocations have to fit into.
    """

    def __init__(self, directory, agent, kernels, mode, *, qemu=("qemu-system-x86_64",),
                 memory="256M", processors=2, cmdline="", devices=(), unit=None, edu=True,
                 rng=False, files=None, programs=None, scratch="32M,16M,16M", name="vm",
                 accelerator=("-accel", "tcg,thread=multi")):
        self.dir = directory
        self.kernels = list(kernels)
        self.mode = mode
        self.index = 0
        self.panics_expected = 0
        self.cmdline = f"{CMDLINE.format(scratch=scratch)} {cmdline}".strip()
        self.transcript = []
        self.started = time.monotonic()
        self.name = name
        self._buffer = b""
        self._gdb = None
        self._agent = None
        self._rng = None
        self.qmp = None
        os.makedirs(directory, exist_ok=True)
        self._sockets = tempfile.mkdtemp(prefix="iommuser-vm-")
        self.console_path = os.path.join(directory, "console.log")
        initrd = os.path.join(directory, "initrd")
        with open(initrd, "wb") as file:
            file.write(nested_initrd(agent, self.kernels, files or {}, programs or {}))
        # QEMU goes when we go, however that happens. On a busy host one boot in some hundreds hung
        # where Linux takes the HPET for its clock.
        words = ["setpriv", "--pdeathsig", "KILL", "--"] + list(qemu) + [
            *accelerator, "-M", "q35,hpet=off", "-m", memory,
            "-smp", str(processors),
            "-nodefaults", "-no-user-config", "-display", "none", "-S",
            "-action", "reboot=shutdown,shutdown=pause",
            "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
            "-device", unit or UNITS[mode],
            "-chardev", f"file,id=console,path={self.console_path}",
            "-serial", "chardev:console",
            "-chardev", f"socket,id=agent,path={self._socket('agent')},server=on,wait=off",
            "-serial", "chardev:agent",
            "-qmp", f"unix:{self._socket('qmp')},server=on,wait=off",
            "-gdb", f"unix:{self._socket('gdb')},server=on,wait=off",
            "-kernel", self.kernels[0].image, "-initrd", initrd, "-append", self.cmdline]
        words += list(devices)
        if edu:
            words += ["-device", "edu,id=edu0,addr=04.0,dma_mask=0xffffffffffffffff"]
        if rng:
            words += ["-chardev", f"socket,id=egd,path={self._socket('egd')},server=on,wait=off",
                      "-object", "rng-egd,id=entropy,chardev=egd",
                      "-device", "virtio-rng-pci,id=rng0,rng=entropy,addr=05.0,max-bytes=64,period=20,"
                                 "disable-legacy=on,iommu_platform=on" +
                                 (f",{rng}" if isinstance(rng, str) else "")]
        self._log = open(os.path.join(directory, "qemu.log"), "wb")
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self._log,
                                         stderr=self._log, start_new_session=True)
        try:
            self._wait_socket("qmp")
            self.qmp = Qmp(self._socket("qmp"))
            self._agent = connect(self._socket("agent"), 10)
            self._agent.setblocking(False)
            if rng:
                self._rng = connect(self._socket("egd"), 10)
                self._rng.setblocking(False)
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # Life

    def boot(self, timeout=120):
        """Let the first kernel start and wait for its agent."""
        self.qmp.execute("cont")
        self.wait_agent(timeout)
        return self

    def stop(self):
        """End QEMU, whatever state it is in."""
        process = self._process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (self._agent, self._gdb, self.qmp, self._rng, self._log):
            if stream is not None:
                stream.close()
        shutil.rmtree(self._sockets, ignore_errors=True)

    @property
    def kernel(self):
        """The kernel that runs now, as far as the scenario has followed the jumps."""
        return self.kernels[self.index]

    # Commands

    def ok(self, command, timeout=60):
        """Run a command that has to succeed; returns the text after "ok"."""
        status, text = self._command(command, timeout)
        if status != "ok":
            name, _, rest = text.partition(" ")
            raise Refused(command, name, rest)
        return text

    def num(self, command, timeout=60):
        """Like ok(), for an answer that is a number."""
        return int(self.ok(command, timeout).split()[0], 0)

    def data(self, command, timeout=120):
        """Like ok(), for an answer of the form LENGTH HEX."""
        words = self.ok(command, timeout).split()
        data = bytes.fromhex(words[1]) if len(words) > 1 else b""
        if len(data) != int(words[0]):
            raise VmError(f"{command}: {words[0]} bytes promised, {len(data)} came")
        return data

    def err(self, names, command, timeout=60):
        """Run a command that has to be refused with one of the names; returns which."""
        status, text = self._command(command, timeout)
        wanted = [names] if isinstance(names, str) else list(names)
        if status != "err" or text.split()[0] not in wanted:
            raise VmError(f"{command}: {status} {text}, instead of err {'|'.join(wanted)}")
        return text.split()[0]

    def attempt(self, command, timeout=60):
        """Run a command that may fail: None, or the error's name."""
        status, text = self._command(command, timeout)
        return None if status == "ok" else text.split()[0]

    def send(self, command):
        """Send a command and don't wait for its answer."""
        self._note(f"> {command}")
        self._write(command)

    def read(self, path):
        """Contents of a file in the guest."""
        return self.data(f"read {path} len=1M").decode("utf-8", "replace")

    def write(self, path, text):
        """Write to a file in the guest."""
        self.ok(f"write {path} -- {text}")

    def wait_agent(self, timeout=120):
        """Wait for a "hello", that of the kernel just started."""
        line = self._line(timeout, lambda text: text.startswith("hello "), "the agent's hello")
        self._note(f"< {line}")
        return line.split()[1]

    # Jumps

    def kexec(self, cmdline="", kind="kexec", options=""):
        """Load the next kernel: kind "kexec" hands KHO over, "kexec-plain" doesn't."""
        return self.ok(f"{kind} /kernel /initrd {options} -- {self.cmdline} {cmdline}".rstrip())

    def jump(self, timeout=120):
        """reboot(KEXEC) and wait for the next kernel's agent."""
        self.send("reboot kexec")
        self.wait_agent(timeout)
        self.index = min(self.index + 1, len(self.kernels) - 1)

    def crash(self, timeout=120):
        """Panic; the crash kernel loaded before takes over. Wait for its agent."""
        self.panics_expected += 1
        self.send("crash")
        self.wait_agent(timeout)
        self.index = min(self.index + 1, len(self.kernels) - 1)

    def jump_stopped(self, timeout=120):
        """reboot(KEXEC), stop at the jump: the caller goes on with land() or next_stop()."""
        gdb = self.gdb
        gdb.break_at(self.kernel.symbol("machine_kexec"))
        gdb.go_on()
        self.send("reboot kexec")
        self.wait_stop(timeout)
        gdb.clear(self.kernel.symbol("machine_kexec"))
        self.index = min(self.index + 1, len(self.kernels) - 1)
        return gdb

    def land(self, timeout=120):
        """Let the guest run after jump_stopped() and wait for the next kernel's agent."""
        self.resume()
        self.wait_agent(timeout)

    def next_stop(self, symbol, timeout=120, during=None):
        """Go on until the kernel now current reaches a symbol, and stop there.

        during: called once the guest runs (at the jump: while no kernel is up).
        """
        address = self.kernel.symbol(symbol)
        self.gdb.break_at(address)
        self.gdb.go_on()
        if during:
            during()
        self.wait_stop(timeout)
        self.gdb.clear(address)

    def spin_until(self, condition, timeout=60):
        """While stopped: have this processor run in circles until something has come about."""
        gdb = self.gdb
        at = gdb.rip()
        code = gdb.read_virtual(at, 2)
        gdb.write_virtual(at, b"\xeb\xfe")
        gdb.go_on()
        end = time.monotonic() + timeout * SLOWER
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("nothing came about while the guest ran in circles")
            time.sleep(0.05)
        gdb.interrupt()
        gdb.write_virtual(at, code)

    def run_to(self, symbol, command, timeout=120):
        """Send a command and stop where the kernel reaches a symbol because of it."""
        address = self.kernel.symbol(symbol)
        gdb = self.gdb
        gdb.break_at(address)
        gdb.go_on()
        self.send(command)
        self.wait_stop(timeout)
        gdb.clear(address)

    def answer(self, timeout=60):
        """The answer to a command given to send(): ("ok" or "err", text)."""
        line = self._line(timeout, lambda text: text.split(" ")[0] in ("ok", "err"), "an answer")
        self._note(f"< {line[:400]}")
        status, _, text = line.partition(" ")
        return status, text

    def wait_stop(self, timeout):
        """Wait for a breakpoint; a panic or the end of the guest ends the wait at once."""
        end = time.monotonic() + timeout * SLOWER
        while True:
            try:
                return self.gdb.wait_stop(0.5)
            except TimeoutError:
                self.check_alive()
                if time.monotonic() > end:
                    raise

    def resume(self):
        """Let the guest run on without a debugger."""
        self.gdb.detach()
        self._gdb = None

    @property
    def gdb(self):
        """The debugger connection; making it stops the guest."""
        if self._gdb is None:
            self._gdb = Gdb(self._socket("gdb"))
        return self._gdb

    # What the outside sees

    def dump(self, name="memory.elf"):
        """Write an image of guest memory (ELF) and return its path."""
        path = os.path.join(self.dir, name)
        self.qmp.execute("dump-guest-memory", timeout=300, paging=False,
                         protocol=f"file:{path}")
        return path

    def physical(self, address, words=1):
        """64-bit words at a guest-physical address, device registers included."""
        text = self.qmp.monitor(f"xp /{words}gx {address:#x}")
        return [int(word, 16) for line in text.splitlines() if ":" in line
                for word in line.split(":", 1)[1].split()]

    def console(self):
        """The kernels' messages so far."""
        with open(self.console_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_console(self, pattern, timeout=60, alive=True):
        """Wait until the console has a match; with alive=False also in a dead guest."""
        end = time.monotonic() + timeout * SLOWER
        while True:
            match = re.search(pattern, self.console(), re.MULTILINE)
            if match:
                self._note(f"  console: {match.group(0)}")
                return match
            if time.monotonic() > end:
                raise TimeoutError(f"the console never said {pattern}")
            if alive:
                self.check_alive()
            time.sleep(0.1)

    def wait_panic(self, timeout=120):
        """Wait for a panic and return its line."""
        return self.wait_console(PANIC.pattern, timeout, alive=False).group(0)

    def wait_off(self, timeout=60):
        """Wait until the guest has reset or switched itself off. Memory stays readable."""
        event = self.qmp.wait_event("SHUTDOWN", timeout * SLOWER)
        return event["data"]["reason"]

    def faults(self):
        """Faults that the VT-d driver logged."""
        return [match.group(0) for match in FAULT.finditer(self.console())]

    def feed_rng(self, data):
        """Bytes for the guest's virtio-rng device, which writes them to guest memory by DMA."""
        self._rng.setblocking(True)
        self._rng.settimeout(10)
        self._rng.sendall(data)

    def rng_requests(self):
        """Numbers of bytes that the rng device has asked for since the last call."""
        wanted = []
        while select.select([self._rng], [], [], 0)[0]:
            data = self._rng.recv(4096)
            if not data:
                break
            wanted += [length for code, length in zip(data[::2], data[1::2]) if code == 2]
        return wanted

    def check_alive(self):
        """Raise Gone when nobody will answer any more."""
        if self._process.poll() is not None:
            raise Gone(f"QEMU ended with status {self._process.returncode}")
        panics = PANIC.findall(self.console())
        if len(panics) > self.panics_expected:
            raise Gone(panics[-1])
        try:
            self.qmp.poll()
        except QmpError as error:
            raise Gone(str(error)) from error
        off = self.qmp.seen("SHUTDOWN")
        if off:
            raise Gone(f"the guest went down: {off[0]['data']['reason']}")

    # Inner parts

    def _socket(self, name):
        return os.path.join(self._sockets, name)

    def _wait_socket(self, name):
        end = time.monotonic() + 20 * SLOWER
        while not os.path.exists(self._socket(name)):
            if self._process.poll() is not None or time.monotonic() > end:
                raise VmError("QEMU did not start: " + self._qemu_log())
            time.sleep(0.02)

    def _qemu_log(self):
        with open(os.path.join(self.dir, "qemu.log"), encoding="utf-8", errors="replace") as file:
            return file.read().strip()

    def _note(self, line):
        self.transcript.append(f"{time.monotonic() - self.started:8.2f} {line}")

    def _write(self, command):
        if "\n" in command:
            raise VmError("a command is one line")
        data = command.encode() + b"\n"
        while data:
            select.select([], [self._agent], [], 10)
            data = data[self._agent.send(data):]

    def _command(self, command, timeout):
        self.send(command)
        return self.answer(timeout)

    def _line(self, timeout, wanted, what):
        end = time.monotonic() + timeout * SLOWER
        while True:
            while b"\n" in self._buffer:
                line, self._buffer = self._buffer.split(b"\n", 1)
                text = line.decode("latin-1").strip("\r\0")
                if wanted(text):
                    return text
            if not select.select([self._agent], [], [], 0.25)[0]:
                self.check_alive()
                if time.monotonic() > end:
                    raise TimeoutError(f"waited {timeout * SLOWER:.0f} s for {what}")
                continue
            try:
                data = self._agent.recv(1 << 20)
            except (BlockingIOError, socket.timeout):
                continue
            if not data:
                raise Gone("QEMU closed the agent's port")
            self._buffer += data
