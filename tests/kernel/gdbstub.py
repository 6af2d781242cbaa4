# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A small client of QEMU's gdb stub: hardware breakpoints and guest-physical memory."""
import socket
import struct
import time

from qmp import connect

CHUNK = 1024
RIP = 16 * 8


class GdbError(Exception):
    """The stub refused or its answer makes no sense."""


class Gdb:
    """One connection. Connecting stops the guest; it runs again after go_on() or detach()."""

    def __init__(self, path, timeout=30):
        self._buffer = b""
        self._socket = connect(path, timeout)
        self._timeout = timeout
        self._physical = None
        self.running = False
        self._send("?")
        self._mode(True)

    def break_at(self, address):
        """Set a hardware breakpoint."""
        self._expect_ok(f"Z1,{address:x},1")

    def clear(self, address):
        """Remove a hardware breakpoint."""
        self._expect_ok(f"z1,{address:x},1")

    def go_on(self):
        """Let the guest run."""
        self._send("c")
        self.running = True

    def wait_stop(self, timeout):
        """Wait until a breakpoint (or interrupt()) has stopped the guest; return its RIP."""
        reply = self._receive(time.monotonic() + timeout)
        if reply[:1] not in ("T", "S"):
            raise GdbError(f"not a stop: {reply}")
        self.running = False
        return self.rip()

    def interrupt(self, timeout=30):
        """Stop the guest where it is."""
        self._socket.sendall(b"\x03")
        return self.wait_stop(timeout)

    def rip(self):
        """Instruction pointer of the processor that stopped."""
        registers = bytes.fromhex(self._ask("g")[:2 * RIP + 16])
        return struct.unpack_from("<Q", registers, RIP)[0]

    def read(self, address, length):
        """Read guest-physical memory."""
        return self._read_memory(address, length, True)

    def read_virtual(self, address, length):
        """Read memory through the stopped processor's page tables."""
        return self._read_memory(address, length, False)

    def write_virtual(self, address, data):
        """Write memory through the stopped processor's page tables, code too."""
        self._write_memory(address, data, False)

    def write(self, address, data):
        """Write guest-physical memory."""
        self._write_memory(address, data, True)

    def _write_memory(self, address, data, physical):
        self._mode(physical)
        for at in range(0, len(data), CHUNK):
            part = data[at:at + CHUNK]
            self._expect_ok(f"M{address + at:x},{len(part):x}:{part.hex()}")

    def read_u64(self, address):
        """One 64-bit word of guest-physical memory."""
        return struct.unpack("<Q", self.read(address, 8))[0]

    def write_u64(self, address, value):
        """Forge one 64-bit word of guest-physical memory."""
        self.write(address, struct.pack("<Q", value))

    def detach(self):
        """Take all breakpoints away, let the guest run, hang up."""
        try:
            self._ask("D")
        finally:
            self.close()

    def close(self):
        """Hang up."""
        self._socket.close()

    def _read_memory(self, address, length, physical):
        self._mode(physical)
        data = b""
        while len(data) < length:
            size = min(CHUNK, length - len(data))
            reply = self._ask(f"m{address + len(data):x},{size:x}")
            if reply.startswith("E"):
                raise GdbError(f"no memory at {address + len(data):#x}")
            data += bytes.fromhex(reply)
        return data

    def _mode(self, physical):
        if self._physical != physical:
            self._expect_ok(f"Qqemu.PhyMemMode:{int(physical)}")
            self._physical = physical

    def _expect_ok(self, packet):
        reply = self._ask(packet)
        if reply != "OK":
            raise GdbError(f"{packet[:40]}: {reply or 'not supported'}")

    def _ask(self, packet):
        self._send(packet)
        end = time.monotonic() + self._timeout
        while True:
            reply = self._receive(end)
            # The guest's stop, because of connecting, is reported once or twice.
            if reply[:1] not in ("T", "S"):
                return reply

    def _send(self, packet):
        data = packet.encode()
        self._socket.sendall(b"$" + data + b"#%02x" % (sum(data) & 0xff))

    def _receive(self, end):
        while True:
            start = self._buffer.find(b"$")
            stop = self._buffer.find(b"#", start)
            if start >= 0 and stop >= 0 and len(self._buffer) >= stop + 3:
                packet = self._buffer[start + 1:stop]
                self._buffer = self._buffer[stop + 3:]
                self._socket.sendall(b"+")
                return expand(packet).decode("latin-1")
            self._socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except (socket.timeout, BlockingIOError) as error:
                raise TimeoutError("the debugger stub says nothing") from error
            if not data:
                raise GdbError("QEMU is gone")
            self._buffer += data


def expand(packet):
    """Undo the protocol's escapes and run lengths."""
    out = bytearray()
    at = 0
    while at < len(packet):
        byte = packet[at]
        if byte == 0x7d:
            out.append(packet[at + 1] ^ 0x20)
            at += 2
        elif byte == 0x2a:
            out += out[-1:] * (packet[at + 1] - 29)
            at += 2
        else:
            out.append(byte)
            at += 1
    return bytes(out)
