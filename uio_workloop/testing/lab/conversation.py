"""One run of a guest, seen from the host: pass its streams on, serve its requests, know when it is over."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import Any

from uio_workloop.errors import LabError
from uio_workloop.testing.lab.channels import (
    CONSOLE,
    CONTROL,
    KERNEL_LOG,
    MONITOR,
    QMP,
    STDERR,
    STDOUT,
    Channel,
    JsonLines,
    MarkedStream,
)
from uio_workloop.testing.lab.kernel_log import KernelLog
from uio_workloop.testing.lab.monitor import MonitorRelay
from uio_workloop.testing.lab.virtual_machine import VirtualMachine, readable

BOOT_TIMEOUT_S = 120.0  # an emulated guest on a busy machine; a healthy one needs 4
END_TIMEOUT_S = 20.0  # from the exit status to the last byte of the streams


class CommandTimeoutError(LabError, TimeoutError):
    """COMMAND ran longer than it was given."""


class BootError(LabError):
    """The guest was lost before COMMAND began."""


class Conversation:
    """Talks with one guest from its first word to its last."""

    def __init__(self, machine: VirtualMachine, marker: str, stdout: int = 1, stderr: int = 2) -> None:
        self.machine = machine
        self.kernel_log = KernelLog(marker)
        self.greeted = False
        self.ready = False
        self.status: int | None = None
        self._open = list(machine.channels.values())
        self._stdout = MarkedStream(marker.encode(), lambda data: write_all(stdout, data))
        self._stderr = MarkedStream(marker.encode(), lambda data: write_all(stderr, data))
        self._relay = relay = MonitorRelay(machine.channels[QMP].send, machine.channels[MONITOR].send)
        self._feed: dict[str, Callable[[bytes], None]] = {
            CONTROL: JsonLines(self._on_event).feed,
            STDOUT: self._stdout.feed,
            STDERR: self._stderr.feed,
            KERNEL_LOG: self.kernel_log.feed,
            MONITOR: JsonLines(relay.from_guest).feed,
            QMP: JsonLines(relay.from_qemu).feed,
            CONSOLE: machine.hear,
        }

    def wait_for_greeting(self, timeout_s: float) -> bool:
        """Whether the guest says hello in time; False also when it ends before."""
        return self._pump(lambda: self.greeted, timeout_s)

    def run(self, timeout_s: float) -> int:
        """Wait until COMMAND has ended and all it said has been passed on; its exit status.

        Raises:
            CommandTimeoutError: it did not end in time.
            BootError: the guest died before COMMAND began, or did not boot in time.
            LabError: it died later, or fell silent.
        """
        try:
            if not self._pump(lambda: self.ready, BOOT_TIMEOUT_S):
                raise self._lost(f"the guest did not boot within {BOOT_TIMEOUT_S:.0f} s")
            if not self._pump(lambda: self.status is not None, timeout_s):
                raise self._lost(f"COMMAND did not end within {timeout_s:g} s", CommandTimeoutError)
            if not self._pump(self._all_said, END_TIMEOUT_S):
                raise self._lost("the guest reported COMMAND's status, but not the end of its output")
        finally:
            self._stdout.flush()
            self._stderr.flush()
        assert self.status is not None
        return self.status

    def _all_said(self) -> bool:
        return self._stdout.ended and self._stderr.ended and self.kernel_log.ended

    def _pump(self, done: Callable[[], bool], timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s
        while not done():
            remaining_s = end - time.monotonic()
            if remaining_s <= 0:  # not left to poll: a guest that never stops talking is always readable
                return False
            for channel in readable(self._open, min(remaining_s, self._relay.remaining_s)):
                self._read(channel)
            self._relay.expire()
            if not self._open and not done():
                raise self._lost("the guest ended before COMMAND did")
        return True

    def _read(self, channel: Channel) -> None:
        data = channel.read()
        if data:
            self._feed[channel.name](data)
        else:
            self._open.remove(channel)

    def _on_event(self, message: dict[str, Any]) -> None:
        match message.get("event"):
            case "hello":
                self.greeted = True
            case "ready":
                self.ready = True
            case "exit":
                self.status = int(message["status"])
            case "failure":
                raise self._lost(f"the guest {message.get('message')}")

    def _lost(self, what: str, kind: type[LabError] | None = None) -> LabError:
        """The error for a guest that is lost, with the last it was heard to say."""
        if kind is None:
            kind = LabError if self.ready else BootError
        parts = [what]
        if complaint := self.machine.complaint():
            parts.append(f"QEMU said:\n{complaint}")
        if console := self.machine.last_console_lines():
            parts.append(f"its console ended with:\n{console}")
        return kind("; ".join(parts))


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, waiting for a slow reader."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # somebody made our output non-blocking
            select.select([], [descriptor], [])
