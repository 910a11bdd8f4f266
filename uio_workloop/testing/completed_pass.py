"""Proof of absence: what has not happened by the end of a pass will not happen for what came before it."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from uio_workloop.clock import SECOND_NS
from uio_workloop.errors import DeadlineExceededError
from uio_workloop.loop.event_source import EventSource
from uio_workloop.loop.work_loop import WorkLoop

GENEROUS_NS = 10 * SECOND_NS


def fence(work_loop: WorkLoop, timeout_ns: int = GENEROUS_NS) -> None:
    """Return when the loop has completed a pass that began after the call.

    A source of the fence's own is appended to the chain and made ready, so every source that was ready before is
    served before it.

    Context: any thread but the loop's, gate open.
    Raises:
        DeadlineExceededError: the loop did not come round.
    """
    with _Fence() as source:
        work_loop.add_event_source(source)
        source.put_up()
        if not source.passed.wait(timeout_ns / SECOND_NS):
            raise DeadlineExceededError(f"{work_loop!r} did not complete a pass in {timeout_ns / SECOND_NS:g} s")


class _Fence(EventSource):
    """Not an interrupt source: those are looked at again without epoll, which would not show who else is ready."""

    def __init__(self) -> None:
        super().__init__(name="fence")
        self.passed = threading.Event()
        self._reached = False
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def put_up(self) -> None:
        os.eventfd_write(self._fd, 1)

    def fileno(self) -> int:
        return self._fd

    def on_ready(self) -> bool:
        with suppress(BlockingIOError):  # a client that ran the sources was quicker
            os.eventfd_read(self._fd)
            self._reached = True
        return self._reached

    def check_for_work(self) -> bool:
        if self._reached:
            self.passed.set()
        return False

    def free(self) -> None:
        os.close(self._fd)
