"""A timeout for the next call that blocks, armed before it."""

from __future__ import annotations

import enum
import errno
import operator

from uio_workloop.clock import SECOND_NS, Deadline
from uio_workloop.qnx.thread_record import my_record


class TimeoutState(enum.IntFlag):
    """What a timeout is to end; the numbers are this package's own.

    - INTR: `interrupt_wait`.
    - RECEIVE: `Channel.receive_pulse`.

    QNX: _NTO_TIMEOUT_INTR, _NTO_TIMEOUT_RECEIVE.
    """

    INTR = enum.auto()
    RECEIVE = enum.auto()


def timer_timeout(states: TimeoutState, timeout_ns: int) -> None:
    """Arm a timeout for the next call of this package in this thread, if it waits in one of these states.

    That call ends it, whether it waits or not; so arm it right before, each time. `timeout_ns=` of the call itself is
    simpler, and goes first. What opens or closes a channel or a receiver, and a spin, are no such calls.

    Args:
        states: INTR: `interrupt_wait`; RECEIVE: `Channel.receive_pulse`.
        timeout_ns: 0 only looks.

    Context: any thread.
    Raises:
        OSError: EINVAL, no such state or time.
    QNX: TimerTimeout, with SIGEV_UNBLOCK.
    """
    if not states or operator.index(states) & ~int(TimeoutState.INTR | TimeoutState.RECEIVE):
        raise OSError(errno.EINVAL, f"there is no state {states!r} to end: it is TimeoutState.INTR, RECEIVE, or both")
    check_timeout(timeout_ns)
    my_record().armed = (states, timeout_ns)


def disarm() -> None:
    """The thread has made a call, which ends whatever is armed."""
    my_record().armed = None


def timeout_of(state: TimeoutState, timeout_ns: int | None) -> int | None:
    """The timeout of a call that waits: its own, else the one that is armed, which this ends."""
    record = my_record()
    armed, record.armed = record.armed, None
    if timeout_ns is None and armed is not None and armed[0] & state:
        return armed[1]
    return timeout_ns


def check_timeout(timeout_ns: int) -> None:
    """Refuse what is no length of time.

    Raises:
        OSError: EINVAL.
    """
    if not isinstance(timeout_ns, int) or timeout_ns < 0:  # not a number would never be over
        raise OSError(
            errno.EINVAL, f"cannot wait {timeout_ns!r} ns: a timeout is a whole number of nanoseconds, 0 or more"
        )


def deadline_after(timeout_ns: int | None) -> Deadline | None:
    """The instant at which a wait of that length ends; None never does.

    Raises:
        OSError: EINVAL, see `check_timeout`.
    """
    if timeout_ns is None:
        return None
    check_timeout(timeout_ns)
    return Deadline.after(timeout_ns)


def in_seconds(timeout_ns: int | None) -> str:
    """For messages."""
    return "for ever" if timeout_ns is None else f"{timeout_ns / SECOND_NS:g} s"
