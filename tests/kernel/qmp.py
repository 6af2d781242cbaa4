# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""QEMU's machine protocol: commands, answers and events over a Unix socket."""
import json
import socket
import time


class QmpError(Exception):
    """QEMU refused a command."""


class Qmp:
    """One connection; every wait has a limit."""

    def __init__(self, path, timeout=30):
        self.events = []
        self._buffer = b""
        self._socket = connect(path, timeout)
        self._read(time.monotonic() + timeout)
        self.execute("qmp_capabilities")

    def execute(self, command, timeout=60, **arguments):
        """Run a command and return what it returns."""
        request = {"execute": command}
        if arguments:
            request["arguments"] = {key.replace("_", "-"): value
                                    for key, value in arguments.items()}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        end = time.monotonic() + timeout
        while True:
            message = self._read(end)
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise QmpError(f"{command}: {message['error']['desc']}")
            elif "return" in message:
                return message["return"]

    def monitor(self, line, timeout=60):
        """Run a command of the human monitor and return its text."""
        return self.execute("human-monitor-command", timeout=timeout, command_line=line)

    def poll(self):
        """Take in events that have arrived."""
        try:
            while True:
                message = self._read(time.monotonic())
                if "event" in message:
                    self.events.append(message)
        except TimeoutError:
            pass

    def seen(self, name, **data):
        """The events of one name, with the given data in them."""
        return [event for event in self.events if event["event"] == name and
                all(event.get("data", {}).get(key) == value for key, value in data.items())]

    def wait_event(self, name, timeout=60, **data):
        """Wait until such an event has come."""
        end = time.monotonic() + timeout
        while not self.seen(name, **data):
            message = self._read(end)
            if "event" in message:
                self.events.append(message)
        return self.seen(name, **data)[0]

    def close(self):
        """Hang up."""
        self._socket.close()

    def _read(self, end):
        while b"\n" not in self._buffer:
            self._socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except (socket.timeout, BlockingIOError) as error:
                raise TimeoutError("QEMU's monitor says nothing") from error
            except ConnectionError as error:
                raise QmpError("QEMU is gone") from error
            if not data:
                raise QmpError("QEMU is gone")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)


def connect(path, timeout):
    """A stream to a Unix socket that may not be there yet."""
    end = time.monotonic() + timeout
    while True:
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            stream.connect(path)
            return stream
        except (FileNotFoundError, ConnectionRefusedError) as error:
            stream.close()
            if time.monotonic() > end:
                raise TimeoutError(f"nobody listens on {path}") from error
            time.sleep(0.05)
