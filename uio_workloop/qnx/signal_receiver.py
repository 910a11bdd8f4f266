"""Signals with what they carry, which Python's own handlers are not told."""

from __future__ import annotations

import errno
import operator
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from uio_workloop._linux import signals as door
from uio_workloop.qnx.blocking import check_may_wait
from uio_workloop.qnx.timer_timeout import deadline_after, disarm, in_seconds


class SignalInfo(NamedTuple):
    """One signal.

    `code` says how it was sent: yours, -1 for one with a plain value, 0 for one without. `value` has 32 bits, signed.
    `pid` is of the sender.

    QNX: siginfo_t.
    """

    signo: int
    code: int
    value: int
    pid: int


class SignalReceiver:
    """Takes signals as they come, one at a time, with code and value; its descriptor can be polled.

    It blocks them in the calling thread, and so in those it starts; in a thread that runs already they have to be
    blocked, too, or they may end the process there. Signals for a thread are seen by a receiver in that thread alone.

    Args:
        signals: which.

    Context: construct, receive and close it in one thread.
    Raises:
        OSError: EINVAL, there is no such signal. EAGAIN, no descriptor is left.
    QNX: sigwaitinfo.
    """

    def __init__(self, signals: Iterable[int]) -> None:
        wanted = {operator.index(each) for each in signals}
        for each in wanted:
            door.check_number(each)
        try:
            self._fd = door.open_signalfd(wanted)
        except OSError as error:
            raise OSError(
                errno.EAGAIN, f"cannot receive signals: {error.strerror}; close what is not needed"
            ) from error
        self._blocked = wanted - {int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, wanted)}

    def fileno(self) -> int:
        """The descriptor that is readable while a signal is pending; -1 once closed. Poll it, never read it."""
        return self._fd

    def receive(self, timeout_ns: int | None = None) -> SignalInfo:
        """Wait for the next signal.

        Args:
            timeout_ns: 0 only looks, None waits for ever.

        Context: the thread that made it; waits.
        Raises:
            OSError: ETIMEDOUT, none came in time. ESRCH, it is closed. EDEADLK, the caller is a handler. EINVAL, no
                such timeout.
        """
        disarm()
        check_may_wait("receive a signal")
        deadline = deadline_after(timeout_ns)
        if self._fd < 0:
            raise OSError(errno.ESRCH, "cannot receive a signal: the receiver is closed; make a new one")
        while True:
            try:
                return SignalInfo(*door.read_signal(self._fd))
            except BlockingIOError:
                if deadline is not None and deadline.expired:
                    raise OSError(errno.ETIMEDOUT, f"no signal came within {in_seconds(timeout_ns)}") from None
            with suppress(InterruptedError):  # by another signal
                door.await_readable(self._fd, None if deadline is None else deadline.remaining_ns)

    def close(self) -> None:
        """Drop what is pending, and unblock what this has blocked. Twice is fine."""
        if self._fd < 0:
            return
        try:
            while True:
                door.read_signal(self._fd)  # which would end the process once it is unblocked
        except BlockingIOError:
            pass
        os.close(self._fd)
        self._fd = -1
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._blocked)

    def __enter__(self) -> SignalReceiver:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
