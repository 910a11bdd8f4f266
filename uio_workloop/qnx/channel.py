"""Pulses: tiny messages that queue, the most urgent first."""

from __future__ import annotations

import errno
import heapq
import itertools
import operator
import os
import threading
import weakref
from typing import Final, NamedTuple

from uio_workloop.clock import monotonic_ns
from uio_workloop.qnx.blocking import check_may_wait
from uio_workloop.qnx.timer_timeout import TimeoutState, deadline_after, disarm, in_seconds, timeout_of

PULSE_PRIO_INHERIT: Final = -1
"""The priority of a pulse that has the channel's default."""
PULSE_CODE_MINAVAIL: Final = 0
"""The lowest code for programs; QNX keeps the negative ones for itself."""
PULSE_CODE_MAXAVAIL: Final = 127
LOWEST_CODE: Final = -128
MOST_URGENT: Final = 255
DEFAULT_PRIORITY: Final = 10  # of a QNX thread


class Pulse(NamedTuple):
    """What a channel hands over.

    `timestamp_ns` is when it was sent, on CLOCK_MONOTONIC. The receiver's own priority stays as it is; the number is
    handed over instead.

    QNX: struct _pulse.
    """

    code: int
    value: object
    priority: int
    timestamp_ns: int


_open: weakref.WeakSet[Channel] = weakref.WeakSet()


def check_code(code: int) -> None:
    """Refuse what does not fit in a pulse's 8 bits.

    Raises:
        OSError: EINVAL.
    """
    if not LOWEST_CODE <= operator.index(code) <= PULSE_CODE_MAXAVAIL:
        raise OSError(
            errno.EINVAL,
            f"a pulse cannot carry code {code}: 0 to {PULSE_CODE_MAXAVAIL} are yours, {LOWEST_CODE} to -1 the system's",
        )


def check_priority(priority: int) -> None:
    """Refuse what is no priority.

    Raises:
        OSError: EINVAL.
    """
    if not PULSE_PRIO_INHERIT <= operator.index(priority) <= MOST_URGENT:
        raise OSError(
            errno.EINVAL,
            f"a pulse cannot have priority {priority}: it is 0 to {MOST_URGENT}, or {PULSE_PRIO_INHERIT} for the "
            "channel's default",
        )


class Channel:
    """A queue of pulses, in order of priority, and of arrival among equals.

    Its descriptor is readable exactly while a pulse is queued, so that a work loop or asyncio can watch it. Any number
    of threads may receive; each pulse goes to one. It belongs to the process that made it, not to the thread: in the
    child of a fork it is closed.

    Args:
        maxsize: so many pulses at most; None: no limit.
        default_priority: of pulses sent with `PULSE_PRIO_INHERIT`.

    Raises:
        OSError: EINVAL, `maxsize` is not positive, or no such priority. EAGAIN, no descriptor is left.
    QNX: ChannelCreate, ConnectAttach.
    """

    def __init__(self, *, maxsize: int | None = None, default_priority: int = DEFAULT_PRIORITY) -> None:
        if maxsize is not None and operator.index(maxsize) < 1:
            raise OSError(errno.EINVAL, f"a channel cannot hold {maxsize} pulses: it is 1 or more, or None")
        check_priority(default_priority)
        self._maxsize = maxsize
        self._default_priority = DEFAULT_PRIORITY if default_priority == PULSE_PRIO_INHERIT else default_priority
        self._arrived = threading.Condition()
        self._order = itertools.count()
        self._queue: list[tuple[int, int, Pulse]] = []  # a heap: the most urgent first, then the first
        self._receivers = 0
        try:
            self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        except OSError as error:
            raise OSError(errno.EAGAIN, f"cannot make a channel: {error.strerror}; close what is not needed") from error
        _open.add(self)

    def __repr__(self) -> str:
        return f"<Channel {'closed' if self.closed else f'{len(self._queue)} pulses'}>"

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._fd < 0

    def fileno(self) -> int:
        """The descriptor that is readable while a pulse is queued; -1 once closed. Poll it, never read it."""
        return self._fd

    def send_pulse(self, priority: int, code: int, value: object = 0) -> None:
        """Queue a pulse.

        Args:
            priority: 0 to 255, 255 the most urgent; 0 becomes 1; `PULSE_PRIO_INHERIT` is the channel's default.
            code: `PULSE_CODE_MINAVAIL` to `PULSE_CODE_MAXAVAIL`; negative ones are the system's.
            value: any object; it stays in the process.

        Context: any thread; never waits.
        Raises:
            OSError: EBADF, the channel is closed. EAGAIN, it is full. EINVAL, no such priority or code.
        QNX: MsgSendPulse, whose value is 32 bits, 64 in QNX OS 8.
        """
        disarm()
        check_priority(priority)
        check_code(code)
        self._send(priority, code, value)

    def send_pulse_if_awaited(self, priority: int, code: int, value: object = 0) -> bool:
        """As `send_pulse`, but only if more threads wait than pulses are queued; whether it was sent.

        QNX: a pulse event with SIGEV_FLAG_NOQUEUE.
        """
        with self._arrived:
            if self._fd >= 0 and self._receivers <= len(self._queue):
                return False
            self.send_pulse(priority, code, value)
            return True

    def _send(self, priority: int, code: int, value: object) -> None:
        if priority == PULSE_PRIO_INHERIT:
            priority = self._default_priority
        pulse = Pulse(code, value, max(1, priority), monotonic_ns())
        with self._arrived:
            if self._fd < 0:
                raise OSError(errno.EBADF, "cannot send a pulse: the channel is closed; make a new one")
            if self._maxsize is not None and len(self._queue) >= self._maxsize:
                raise OSError(
                    errno.EAGAIN,
                    f"cannot send a pulse: the channel has its {self._maxsize} already; receive some, or give it a "
                    "larger maxsize",
                )
            heapq.heappush(self._queue, (-pulse.priority, next(self._order), pulse))
            if len(self._queue) == 1:
                os.eventfd_write(self._fd, 1)
            self._arrived.notify()

    def receive_pulse(self, timeout_ns: int | None = None) -> Pulse:
        """Wait for the next pulse, also through signals.

        Args:
            timeout_ns: 0 only looks; None waits for ever, or for as long as `timer_timeout` has armed.

        Context: any thread but the one that delivers; waits.
        Raises:
            OSError: ETIMEDOUT, none came in time. ESRCH, the channel is closed, or was while the caller waited.
                EDEADLK, the caller is a handler. EINVAL, `timeout_ns` is no whole number, or negative.
        QNX: MsgReceivePulse.
        """
        check_may_wait("receive a pulse")
        timeout_ns = timeout_of(TimeoutState.RECEIVE, timeout_ns)
        deadline = deadline_after(timeout_ns)
        with self._arrived:
            while True:
                if self._fd < 0:
                    raise OSError(errno.ESRCH, "cannot receive a pulse: the channel is closed; make a new one")
                if self._queue:
                    return self._take()
                if deadline is not None and deadline.expired:
                    raise OSError(errno.ETIMEDOUT, f"no pulse came within {in_seconds(timeout_ns)}")
                self._receivers += 1
                try:
                    self._arrived.wait(None if deadline is None else deadline.remaining_s)
                except BaseException:  # of a signal handler: what we were told of is for another
                    self._arrived.notify()
                    raise
                finally:
                    self._receivers -= 1

    def _take(self) -> Pulse:
        pulse = heapq.heappop(self._queue)[2]
        if not self._queue:
            os.eventfd_read(self._fd)
        return pulse

    def close(self) -> None:
        """Drop what is queued and refuse whoever waits with ESRCH. Twice is fine.

        Context: any thread; never waits.
        QNX: ChannelDestroy.
        """
        with self._arrived:
            self._queue.clear()
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
            self._arrived.notify_all()

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _begin_anew() -> None:
    for each in tuple(_open):
        each._arrived = threading.Condition()  # a thread that the child of a fork does not have may hold the old one
        each.close()


os.register_at_fork(after_in_child=_begin_anew)
