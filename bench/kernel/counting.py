# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A virtual machine of the kernel scenarios that counts the instructions it executes."""
import os
import struct
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "kernel"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from vm import VM, VmError

# One instruction a nanosecond of the guest's time; excludes a thread for each processor.
COUNTING = ("-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off")
RSP = 7 * 8


def entry_point(path):
    """Address of the first instruction of a static ELF program."""
    with open(path, "rb") as file:
        return struct.unpack_from("<Q", file.read(64), 24)[0]


class CountingVM(VM):
    """One processor; what happened in the guest between two points is a number of instructions.

    The processor is stopped by breakpoints of QEMU's, so neither kernel is changed for it.
    """

    def __init__(self, directory, agent, kernels, mode, **options):
        super().__init__(directory, agent, kernels, mode, accelerator=COUNTING, processors=1,
                         **options)
        self._user_entry = entry_point(agent)

    def instructions(self):
        """Executed since the machine was switched on. Exact while it stands still."""
        return self.qmp.execute("query-replay")["icount"]

    def start_trace(self, command, name):
        """Send a command and stop where it reaches a function: the trace begins."""
        gdb = self.gdb
        address = self.kernel.symbol(name)
        gdb.break_at(address)
        gdb.go_on()
        self.send(command)
        return self._stopped_at(address, name)

    def until(self, name, timeout=600):
        """Go on to a function of the current kernel, or to "user": the count there."""
        address = self._user_entry if name == "user" else self.kernel.symbol(name)
        self.gdb.break_at(address)
        return self._run_to(address, name, timeout)

    def until_return(self, timeout=600):
        """Stopped at the first instruction of a function: go on to its end."""
        address = struct.unpack("<Q", self.gdb.read_virtual(self._stack_pointer(), 8))[0]
        self.gdb.break_at(address)
        return self._run_to(address, "the return", timeout)

    def end_trace(self, timeout=600):
        """Let the guest run on, and take the answer to the command if it is not a jump."""
        self.resume()
        status, text = self.answer(timeout)
        if status != "ok":
            raise VmError(f"the measured command: {text}")

    def _run_to(self, address, name, timeout):
        self.gdb.go_on()
        return self._stopped_at(address, name, timeout)

    def _stopped_at(self, address, name, timeout=600):
        self.wait_stop(timeout)
        found = self.gdb.rip()
        if found != address:
            raise VmError(f"stopped at {found:#x} instead of {name} ({address:#x})")
        self.gdb.clear(address)
        return self.instructions()

    def _stack_pointer(self):
        registers = bytes.fromhex(self.gdb._ask("g"))  # pylint: disable=protected-access
        return struct.unpack_from("<Q", registers, RSP)[0]
