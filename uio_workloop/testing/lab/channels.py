"""The channels between guest and host: one socket pair each, one end given to QEMU, the other read here.

In the guest each is a virtio-serial port. A port knows no end of file, so a stream ends with a marker that is
new for every run; nothing COMMAND prints can contain it by accident.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

CONTROL = "org.uio_workloop.control"
STDOUT = "org.uio_workloop.stdout"
STDERR = "org.uio_workloop.stderr"
KERNEL_LOG = "org.uio_workloop.kernel_log"
MONITOR = "org.uio_workloop.monitor"
PORTS = (CONTROL, STDOUT, STDERR, KERNEL_LOG, MONITOR)

# Not ports: QEMU's own ends of its monitor and of the first serial line.
QMP = "qmp"
CONSOLE = "console"

READ_SIZE = 1 << 18


class Channel:
    """Both ends of one channel; QEMU inherits `guest_end`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.host_end, self.guest_end = socket.socketpair()

    def read(self) -> bytes:
        """What there is, at least one byte; empty when QEMU has closed its end. Call it when readable."""
        try:
            return self.host_end.recv(READ_SIZE)
        except ConnectionResetError:
            return b""

    def send(self, message: dict[str, Any]) -> None:
        """One JSON line. A guest that has gone gets nothing; that it is gone is noticed where we read."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.host_end.sendall(json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        self.host_end.close()
        self.guest_end.close()


class MarkedStream:
    """Passes bytes on as they come, up to the end marker and without it."""

    def __init__(self, marker: bytes, write: Callable[[bytes], None]) -> None:
        self.ended = False
        self._marker = marker
        self._write = write
        self._held = b""  # could be the beginning of the marker

    def feed(self, data: bytes) -> None:
        data = self._held + data
        position = data.find(self._marker)
        if position >= 0:
            self.ended = True
            kept = len(data) - position
        else:
            kept = overlap(data, self._marker)
        self._held = b"" if self.ended else data[len(data) - kept :]
        if len(data) > kept:
            self._write(data[: len(data) - kept])

    def flush(self) -> None:
        """The guest is gone: what was held back was no marker."""
        held, self._held = self._held, b""
        if held:
            self._write(held)


def overlap(data: bytes, marker: bytes) -> int:
    """How many of the last bytes of `data` could be the first of `marker`."""
    for length in range(min(len(data), len(marker) - 1), 0, -1):
        if data.endswith(marker[:length]):
            return length
    return 0


class JsonLines:
    """Bytes, cut anywhere, into the JSON objects of their lines. A line that is none is dropped."""

    def __init__(self, handle: Callable[[dict[str, Any]], None]) -> None:
        self._handle = handle
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict):
                self._handle(message)
