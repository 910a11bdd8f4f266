"""What a thread that waits for news sleeps on, made for one wait; whoever has news rings it."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from typing import Protocol

from uio_workloop._linux import signals
from uio_workloop.clock import Deadline
from uio_workloop.loop.sleepers import locked


class Bell(Protocol):
    """Used by one thread."""

    def ring(self) -> None:
        """Wake who waits. Context: any thread; never waits."""

    def wait(self, deadline: Deadline | None) -> None:
        """Until it is rung, or time is over. Context: the thread that made it."""

    def close(self) -> None:
        """Nobody rings it any more."""


class LockBell:
    """A lock that is born locked. Python goes on waiting for it after a signal."""

    def __init__(self) -> None:
        self._lock = locked()

    def ring(self) -> None:
        with suppress(RuntimeError):  # rung already, just as the time of that wait was over
            self._lock.release()

    def wait(self, deadline: Deadline | None) -> None:
        self._lock.acquire(timeout=-1 if deadline is None else deadline.remaining_s)

    def close(self) -> None:
        """Nothing is open."""


class SignalBell:
    """A descriptor: waiting for it, the main thread notices that a signal came."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def ring(self) -> None:
        os.eventfd_write(self._fd, 1)

    def wait(self, deadline: Deadline | None) -> None:
        """As `Bell.wait`.

        Raises:
            InterruptedError: a signal was handled.
        """
        try:
            signals.await_readable(self._fd, None if deadline is None else deadline.remaining_ns)
        except InterruptedError:
            raise OSError(
                errno.EINTR, "a signal was handled while this thread waited; wait again, or with restart=True"
            ) from None
        with suppress(BlockingIOError):  # the time may be over
            os.eventfd_read(self._fd)

    def close(self) -> None:
        os.close(self._fd)


def bell_for(*, restart: bool) -> Bell:
    """What the calling thread is to wait on: handlers of signals run in the main thread only."""
    if restart or threading.current_thread() is not threading.main_thread():
        return LockBell()
    return SignalBell()
