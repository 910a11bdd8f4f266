"""Waiting for an interrupt without a loop."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from uio_workloop.clock import MILLISECOND_NS, Deadline
from uio_workloop.errors import AbortedError
from uio_workloop.interrupts.claim import Claim
from uio_workloop.interrupts.uio_interrupt import UioInterrupt

LONGEST_POLL_MS = (1 << 31) - 1


class UioWaiter:
    """Who holds the claim while `UioDevice.wait` runs; closing the device calls it off."""

    def __init__(self, device: str) -> None:
        self.name = "a wait() in another thread"
        self._device = device
        self._stop_fd = os.eventfd(0, os.EFD_CLOEXEC)
        self._stopped = False
        self._waiting = threading.Lock()

    @contextmanager
    def claiming(self, claim: Claim) -> Iterator[None]:
        """Hold the claim for a `with` block."""
        claim.take(0, self)
        try:
            with self._waiting:
                yield
        finally:
            claim.give_back()

    def wait(self, line: UioInterrupt, deadline: Deadline | None) -> int:
        """See `UioDevice.wait`."""
        if pending := line.drain():  # nobody could acknowledge these yet, so the line stays masked
            return pending
        line.unmask()
        poll = select.poll()
        poll.register(line.fileno(), select.POLLIN)
        poll.register(self._stop_fd, select.POLLIN)
        while not (count := line.drain()):
            if deadline is not None and deadline.expired:
                break
            poll.poll(None if deadline is None else min(-(-deadline.remaining_ns // MILLISECOND_NS), LONGEST_POLL_MS))
            if self._stopped:
                raise AbortedError(f"{self._device} was closed while a thread waited for its interrupt")
        return count

    def close(self) -> None:
        """Call the wait off and return when it is over."""
        self._stopped = True
        os.eventfd_write(self._stop_fd, 1)
        with self._waiting:
            pass

    def release(self) -> None:
        os.close(self._stop_fd)
